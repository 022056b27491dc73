/* Items without events and the head (core/build_parts.h).
 *
 * The network ranks them by metadata, at the place of an item of which nothing else is known
 * (core/train_items.h). The head is fitted on events that, by their nature, were never with
 * such items: it would learn that they never come, and its tables say nothing of them. So
 * they are no candidates of the fit; of each prior they get the mean of the others; and
 * their bias gets what makes up for the rest: as much as it takes for them to hold, with
 * the head, the share of places on lists that the network alone gives them, counted on
 * lists for validation events. A head that does without the network would know nothing of
 * them at all: the network comes back, too faint to decide anything else.
 *
 * That is too high a place where new items are many and seldom wanted: they push down what
 * users come for. So lists for validation events are looked at a second time: the bias
 * comes down until these lists, whose answers are new items as often as users take new ones,
 * have lost no more than COST of the NDCG@10 that the best bias gives. Where users live on
 * what is new, the best bias is high and nothing comes down; where they never take it, new
 * items stand where they cost little, below what a user is known to want and above what he
 * is not. But they lose no more than half of their places: in a log of yesterday nobody
 * takes what is new today, and an item that is never shown is never taken. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/build_parts.h"
#include "core/rank.h"

enum {
    CASES = 2000,
    CASES_MIN = 400,
    LIST = 25,
    PLACES = 100,
    RANKED = 10,
    ROUNDS = 30
};
static const double scores_max = 4e8; /* of all lists: 400,000 items 1,000 lists */
static const double shift_max = 500, shift_step = 0.0625;
static const float louder = 50; /* tables than a network that is of no use to them */
#define SHARE_MIN 0.01
#define KEPT      0.5  /* of their places, whatever they cost */
#define COST      0.01 /* of NDCG@10; what bringing new items may cost */

int eddy_build_cold_init(struct eddy_build_cold *cold,
                         const struct eddy_interactions *in,
                         const struct eddy_selection *selection)
{
    uint32_t items = eddy_catalog_count(in->items);
    *cold = (struct eddy_build_cold){.items = items, .count = items};
    cold->is = malloc((size_t)items + 1);
    if (cold->is == NULL)
        return EDDY_ENOMEM;
    memset(cold->is, 1, (size_t)items + 1);
    for (uint64_t row = 0; row < in->count; row++) {
        uint32_t item = in->rows[row].item;
        if (cold->is[item] == 0 ||
            eddy_selection_part(selection, in, row) != EDDY_PART_TRAINING)
            continue;
        cold->is[item] = 0;
        cold->count--;
    }
    return 0;
}

void eddy_build_cold_fini(struct eddy_build_cold *cold)
{
    free(cold->is);
    *cold = (struct eddy_build_cold){0};
}

uint32_t eddy_build_cold_cases(const struct eddy_build_cold *cold,
                               const struct eddy_head_case *cases, uint32_t count,
                               struct eddy_head_case *ret)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!cold->is[cases[i].answer])
            ret[kept++] = cases[i];
    return kept;
}

void eddy_build_cold_priors(const struct eddy_build_cold *cold,
                            struct eddy_tables *tables)
{
    for (uint32_t h = 0; h < tables->priors; h++) {
        float *prior = tables->prior[h];
        double sum = 0;
        if (prior == NULL || cold->count == cold->items)
            continue;
        for (uint32_t i = 0; i < cold->items; i++)
            sum += cold->is[i] ? 0 : (double)prior[i];
        for (uint32_t i = 0; i < cold->items; i++)
            prior[i] =
                cold->is[i] ? (float)(sum / (cold->items - cold->count)) : prior[i];
    }
}

void eddy_build_cold_network(struct eddy_head *head)
{
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        if (head->network[b])
            continue;
        head->network[b] = true;
        for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
            head->weight[b][f] *= louder;
        for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
            head->prior[b][h] *= louder;
    }
}

/* The best scores of a list's two sorts of items, falling, and its answer's. */
struct best {
    float warm[PLACES], cold[PLACES];
    float answer;
    bool is_cold; /* the answer */
};

static void insert(float *best, float score)
{
    uint32_t at = PLACES - 1;
    if (!(score > best[at]))
        return;
    for (; at > 0 && best[at - 1] < score; at--)
        best[at] = best[at - 1];
    best[at] = score;
}

static void collect(const struct eddy_build_cold *cold,
                    const struct eddy_head_case *asked, float *scores, struct best *ret)
{
    const struct eddy_head_recent *recent = &asked->recent;
    ret->answer = scores[asked->answer];
    ret->is_cold = cold->is[asked->answer];
    for (uint32_t i = 0; i < PLACES; i++)
        ret->warm[i] = ret->cold[i] = -INFINITY;
    for (uint32_t i = 0; i < recent->count; i++)
        if (recent->items[i] != asked->answer)
            scores[recent->items[i]] = -INFINITY;
    for (uint32_t i = 0; i < cold->items; i++)
        insert(cold->is[i] ? ret->cold : ret->warm, scores[i]);
}

/* Mean share of places that items without events hold, with a shift of their scores. */
static double share_of(const struct best *best, uint32_t count, uint32_t places,
                       double shift)
{
    uint64_t held = 0;
    for (uint32_t c = 0; c < count; c++) {
        uint32_t cold = 0, warm = 0;
        while (cold + warm < places) {
            double score = (double)best[c].cold[cold] + shift;
            if (score > (double)best[c].warm[warm])
                cold++;
            else
                warm++;
        }
        held += cold;
    }
    return count > 0 ? (double)held / places / count : 0;
}

/* Best scores of the cases under a head. */
static int rank_cases(const struct eddy_build_cold *cold,
                      const struct eddy_layout *layout, const float *params,
                      const struct eddy_tables *tables, const struct eddy_head *head,
                      const struct eddy_head_case *cases, uint32_t count,
                      struct best *ret)
{
    struct eddy_packed matrix = {0};
    float *scores = malloc(((size_t)cold->items + 64) * sizeof *scores);
    int r = scores
                ? eddy_rank_pack(&matrix, layout, params, cold->items, 0, tables, head)
                : EDDY_ENOMEM;
    struct eddy_rank_model model = {.kernels = eddy_kernels_get(),
                                    .items = &matrix,
                                    .hidden = layout->shape.hidden,
                                    .tables = tables,
                                    .head = head};
    struct eddy_ranker *ranker = r == 0 ? eddy_ranker_new(&model, 1, 1) : NULL;
    r = r == 0 && ranker == NULL ? EDDY_ENOMEM : r;
    for (uint32_t c = 0; r == 0 && c < count; c++) {
        struct eddy_rank_user user = {.recent = cases[c].recent,
                                      .query = cases[c].query};
        (void)eddy_ranker_add(ranker, &user); /* an empty one has room */
        (void)eddy_ranker_run_all(ranker, scores);
        collect(cold, &cases[c], scores, &ret[c]);
    }
    eddy_ranker_free(ranker);
    eddy_packed_fini(&matrix);
    free(scores);
    return r;
}

/* Mean share of how many places is looked at: of a list, or, where the network alone gives
 * new items nothing of it, of more; of a small catalogue never all, of which everybody's
 * share is the same. */
static uint32_t places_of(const struct eddy_build_cold *cold, const struct best *plain,
                          uint32_t count)
{
    uint32_t most = cold->items / 4 + 1, places = LIST < most ? LIST : most;
    if (share_of(plain, count, places, 0) >= SHARE_MIN)
        return places;
    return PLACES < most ? PLACES : most;
}

/* The shift between low and high at which the share is the wanted one. */
static double find_shift(const struct best *best, uint32_t count, uint32_t places,
                         double wanted, double low, double high)
{
    for (int round = 0; round < ROUNDS; round++) {
        double middle = (low + high) / 2;
        if (share_of(best, count, places, middle) < wanted)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Sum of NDCG@10 over the cases, with a shift of the scores of items without events. */
static double ndcg_of(const struct best *best, uint32_t count, double shift)
{
    double sum = 0;
    for (uint32_t c = 0; c < count; c++) {
        const struct best *one = &best[c];
        double answer = (double)one->answer + (one->is_cold ? shift : 0);
        uint32_t above = 0;
        for (uint32_t i = 0; i < RANKED; i++) {
            above += (double)one->warm[i] > answer ? 1 : 0;
            above += (double)one->cold[i] + shift > answer ? 1 : 0;
        }
        sum += above < RANKED ? 1 / log2(above + 2.0) : 0;
    }
    return sum;
}

/* The next lower shift to be tried: by a step near the first, then by a fiftieth. */
static double further_down(double down)
{
    return down < 50 * shift_step ? down + shift_step : down * 1.02;
}

/* The highest shift, not above `highest`, that costs no more than COST of what the best one
 * gives; `lowest` where none above it does. */
static double lower_shift(const struct best *best, uint32_t count, double lowest,
                          double highest)
{
    double most = 0, down;
    for (down = 0; down <= 2 * shift_max; down = further_down(down)) {
        double sum = ndcg_of(best, count, highest - down);
        most = sum > most ? sum : most;
    }
    for (down = 0; highest - down > lowest; down = further_down(down))
        if (ndcg_of(best, count, highest - down) >= most * (1 - COST))
            return highest - down;
    return lowest;
}

/* plain, full: the same lists by the network alone and with the head. */
static double choose_shift(const struct eddy_build_cold *cold, const struct best *plain,
                           const struct best *full, uint32_t count)
{
    uint32_t places = places_of(cold, plain, count);
    double wanted = share_of(plain, count, places, 0), now, highest = 0;
    if (share_of(full, count, places, 0) < wanted)
        highest = find_shift(full, count, places, wanted, 0, shift_max);
    now = share_of(full, count, places, highest);
    return lower_shift(full, count,
                       find_shift(full, count, places, now * KEPT,
                                  highest - 2 * shift_max, highest),
                       highest);
}

/* Evenly over the cases, that are in order of users; those that a network answers. */
static uint32_t ask(const struct eddy_build_cold *cold, const struct eddy_head *head,
                    const struct eddy_head_case *cases, uint32_t count,
                    struct eddy_head_case *ret)
{
    double most = scores_max / ((double)cold->items + 1);
    most = most < CASES_MIN ? CASES_MIN : most > CASES ? CASES : most;
    uint32_t step = (uint32_t)(count / most) + 1, n = 0;
    for (uint32_t i = 0; i < count; i += step)
        if (cases[i].query != NULL &&
            head->network[eddy_head_bucket(cases[i].recent.count)])
            ret[n++] = cases[i];
    return n;
}

int eddy_build_cold_shift(const struct eddy_build_cold *cold,
                          const struct eddy_layout *layout, const float *params,
                          const struct eddy_tables *tables,
                          const struct eddy_head *head,
                          const struct eddy_head_case *cases, uint32_t count,
                          float *ret)
{
    struct eddy_head_case *asked = calloc(CASES, sizeof *asked);
    struct best *plain = calloc(CASES, sizeof *plain);
    struct best *full = calloc(CASES, sizeof *full);
    int r = asked && plain && full ? 0 : EDDY_ENOMEM;

    *ret = 0;
    uint32_t n = r == 0 ? ask(cold, head, cases, count, asked) : 0;
    if (r == 0)
        r = rank_cases(cold, layout, params, tables, &eddy_head_plain, asked, n, plain);
    if (r == 0)
        r = rank_cases(cold, layout, params, tables, head, asked, n, full);
    if (r == 0 && n > 0)
        *ret = (float)choose_shift(cold, plain, full, n);
    free(asked);
    free(plain);
    free(full);
    return r;
}
