/* How items without events stand in a list: spread, level and shift of their scores.
 *
 * First as they are: a shift with which they hold, with the head, the share of places that
 * the network alone gives them, but FRESH, or their share of the catalogue if that is less:
 * nothing is known of what nobody sees (for the same reason Amazon Personalize gives new
 * items a share by its explorationWeight, 0.3 by default). That is too high a place where new
 * items are many and seldom wanted: they push down what users come for. So lists for
 * validation events are looked at a second time: their answers are new items as often as
 * users take new ones. Where NDCG@10 falls by more than COST from what the best shift gives,
 * and always when the network has learned to rank them, another place is looked for.
 *
 * What metadata says of a new item is less certain than what events say of a known one, but
 * its scores differ as much, or more: some new items come before everything for some users,
 * others before nothing. So they are drawn together (spread). And a list in which everything
 * has a high score has no room for them, one of low scores is full of them: so they follow
 * the level of the list, the score of its RANKED-th item, as far as the query tells it
 * before there is a list (a ridge regression on the queries of the validation lists; each
 * half of the users is measured with the level from the other half). So moved they get the
 * highest shift that costs no more than COST.
 *
 * They lose no more than half of the places that the network gives them: in a log of
 * yesterday nobody takes what is new today, and an item that is never shown is never taken.
 *
 * How they stand is chosen so, with a network that has not seen the answers. The scores that
 * make them stand so are found in the lists that users will get: of the finished network, for
 * users as they are after the last event. No answers are needed for that. (The last phase
 * moves the scores of known items; and the users of the newest events are not all users: on
 * ML-1M those who come back, with lists that have less room for new items.) */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/build_parts.h"
#include "core/rank.h"

enum {
    CASES = 8000,
    CASES_MIN = 400,
    LIST = 25,
    PLACES = 100,
    RANKED = 10,
    ROUNDS = 30
};
static const double scores_max = 4e8; /* of all lists: 400,000 items 1,000 lists */
static const double shift_max = 500, shift_step = 0.0625;
/* Of new items that are drawn together. Found on a half of ML-1M's known films; fixed,
 * because validation lists are too few to choose between many such pairs. */
static const double drawn = 0.25, pulled = 0.7;
/* FRESH: of the places, at least, if they cost no more than COST. Lists of validation events,
 * which are those of users who come back, say more than lists of all users cost. */
#define FRESH       0.25
#define SHARE_MIN   0.01
#define KEPT        0.5  /* of the network's places for them, whatever they cost */
#define COST        0.01 /* of NDCG@10; what bringing new items may cost */
#define LEVEL_RIDGE 0.03 /* of the mean square of a query's values */

/* LAPACK as Fortran has it, part of Debian's libopenblas (no header of its own there). */
void dposv_(const char *uplo, const int *n, const int *columns, double *a,
            const int *lda, double *b, const int *ldb, int *info);

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
    bool asks = asked->answer != EDDY_BUILD_NO_ANSWER;
    ret->answer = asks ? scores[asked->answer] : 0;
    ret->is_cold = asks && cold->is[asked->answer];
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

struct lists {
    struct eddy_head_case *asked;
    struct best *plain, *full,
        *moved;    /* by the network, the head, the head and a place */
    double *level; /* of each list, from the users of the other half */
    double *w;     /* (H + 1), of all users: what a query says of its list's level */
    uint32_t count, hidden;
};

/* Best scores of the lists under a head. */
static int rank_cases(const struct eddy_build_cold *cold,
                      const struct eddy_build_lists *of, const struct eddy_head *head,
                      const struct lists *lists, struct best *ret)
{
    struct eddy_packed matrix = {0};
    float *scores = malloc(((size_t)cold->items + 64) * sizeof *scores);
    int r = scores ? eddy_rank_pack(&matrix, of->layout, of->params, cold->items, 0,
                                    of->tables, head)
                   : EDDY_ENOMEM;
    struct eddy_rank_model model = {.kernels = eddy_kernels_get(),
                                    .items = &matrix,
                                    .hidden = lists->hidden,
                                    .tables = of->tables,
                                    .head = head};
    struct eddy_ranker *ranker = r == 0 ? eddy_ranker_new(&model, 1, 1) : NULL;
    r = r == 0 && ranker == NULL ? EDDY_ENOMEM : r;
    for (uint32_t c = 0; r == 0 && c < lists->count; c++) {
        struct eddy_rank_user user = {.recent = lists->asked[c].recent,
                                      .query = lists->asked[c].query};
        (void)eddy_ranker_add(ranker, &user); /* an empty one has room */
        (void)eddy_ranker_run_all(ranker, scores);
        collect(cold, &lists->asked[c], scores, &ret[c]);
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

/* The most that any shift up to `highest` gives. */
static double best_ndcg(const struct best *best, uint32_t count, double highest)
{
    double most = 0;
    for (double down = 0; down <= 2 * shift_max; down = further_down(down)) {
        double sum = ndcg_of(best, count, highest - down);
        most = sum > most ? sum : most;
    }
    return most;
}

/* The highest shift from lowest to highest with at least the wanted NDCG; `lowest` where
 * none has it. */
static double lower_shift(const struct best *best, uint32_t count, double lowest,
                          double highest, double wanted)
{
    for (double down = 0; highest - down > lowest; down = further_down(down))
        if (ndcg_of(best, count, highest - down) >= wanted)
            return highest - down;
    return lowest;
}

/* ---- the level of a list ---------------------------------------------------------- */

static uint32_t half_of(const struct eddy_head_case *one)
{
    return (uint32_t)(eddy_mix64(0x636f6c64, one->user) & 1);
}

/* What the head adds to the score of every new item: only a prior that they share. */
static double added(const struct lists *lists, uint32_t c)
{
    double both = (double)lists->full[c].cold[0] - (double)lists->plain[c].cold[0];
    return isfinite(both) ? both : 0;
}

/* w (H + 1, the last a constant) such that w . (query, 1) is near the score of the list's
 * RANKED-th known item, over the lists of the halves; false: no memory. */
static bool fit_level(const struct lists *lists, uint32_t halves, double *w)
{
    const int n = (int)lists->hidden + 1, one = 1;
    double *a = calloc((size_t)n * (size_t)n, sizeof *a), used = 0, trace = 0;
    int info = 0;
    memset(w, 0, (size_t)n * sizeof *w);
    for (uint32_t c = 0; a != NULL && c < lists->count; c++) {
        double y = (double)lists->full[c].warm[RANKED - 1] - added(lists, c);
        const float *query = lists->asked[c].query;
        if (!(halves >> half_of(&lists->asked[c]) & 1) || !isfinite(y))
            continue;
        for (int i = 0; i < n; i++) {
            double x = i < n - 1 ? (double)query[i] : 1;
            for (int j = 0; j <= i; j++) /* the half that column-major calls upper */
                a[i * n + j] += x * (j < n - 1 ? (double)query[j] : 1);
            w[i] += x * y;
        }
        used += 1;
    }
    for (int i = 0; a != NULL && i < n - 1; i++)
        trace += a[i * n + i];
    for (int i = 0; a != NULL && i < n; i++)
        a[i * n + i] += i < n - 1 ? LEVEL_RIDGE * trace / n + 1e-9 : 1e-9;
    if (a != NULL)
        dposv_("U", &n, &one, a, &n, w, &n, &info);
    if (info != 0 || used < n) /* too few lists, or all alike: no level */
        memset(w, 0, (size_t)n * sizeof *w);
    free(a);
    return a != NULL;
}

static double level_of(const struct lists *lists, uint32_t c, const double *w)
{
    double sum = w[lists->hidden];
    for (uint32_t h = 0; h < lists->hidden; h++)
        sum += w[h] * (double)lists->asked[c].query[h];
    return sum;
}

static bool find_levels(const struct lists *lists)
{
    bool ok = true;
    for (uint32_t half = 0; half < 2 && ok; half++) {
        ok = fit_level(lists, 2u >> half, lists->w);
        for (uint32_t c = 0; c < lists->count && ok; c++)
            if (half_of(&lists->asked[c]) == half)
                lists->level[c] = level_of(lists, c, lists->w);
    }
    return ok && fit_level(lists, 3, lists->w);
}

/* ---- the place -------------------------------------------------------------------- */

struct place {
    double spread, pull, shift;
    double share, ndcg; /* that it leads to */
};

/* The lists with new items drawn together and pulled to the level. */
static void move_lists(const struct lists *lists, double spread, double pull)
{
    for (uint32_t c = 0; c < lists->count; c++) {
        struct best *to = &lists->moved[c];
        double by = added(lists, c) + pull * lists->level[c];
        *to = lists->full[c];
        for (uint32_t i = 0; i < PLACES; i++)
            to->cold[i] = (float)(spread * (double)lists->plain[c].cold[i] + by);
        if (to->is_cold)
            to->answer = (float)(spread * (double)lists->plain[c].answer + by);
    }
}

static struct place measure_place(const struct lists *lists, uint32_t places,
                                  struct place place)
{
    place.share = share_of(lists->moved, lists->count, places, place.shift);
    place.ndcg = ndcg_of(lists->moved, lists->count, place.shift);
    return place;
}

/* Than that of scores as they are: always where it costs little, because these lists are too
 * few to say which costs less. */
static bool is_better(const struct place *drawn_in, const struct place *as_is,
                      double wanted_ndcg)
{
    return drawn_in->ndcg >= wanted_ndcg || drawn_in->ndcg > as_is->ndcg;
}

static const struct eddy_build_stand as_they_are = {.spread = 1};

/* The place with the most of the wanted share for no more than COST. */
static struct eddy_build_stand choose_stand(const struct eddy_build_cold *cold,
                                            const struct lists *lists)
{
    const uint32_t count = lists->count;
    uint32_t places = places_of(cold, lists->plain, count);
    struct place best = {.spread = 1};
    double fresh = (double)cold->count / cold->items;

    move_lists(lists, 1, 0);
    double now = share_of(lists->moved, count, places, 0);
    double own = fmax(share_of(lists->plain, count, places, 0), now);
    double wanted = cold->learned ? fmax(own, fmin(fresh, FRESH)) : own;
    double highest = now < wanted
                         ? find_shift(lists->moved, count, places, wanted, 0, shift_max)
                         : 0;
    double enough = best_ndcg(lists->moved, count, highest) * (1 - COST);
    double lowest = find_shift(lists->moved, count, places, own * KEPT,
                               highest - 2 * shift_max, highest);
    best.shift = lower_shift(lists->moved, count, lowest, highest, enough);
    best = measure_place(lists, places, best);
    if (cold->learned || best.shift < highest) {
        struct place other = {.spread = drawn, .pull = pulled};
        move_lists(lists, other.spread, other.pull);
        highest =
            find_shift(lists->moved, count, places, wanted, -shift_max, shift_max);
        lowest =
            find_shift(lists->moved, count, places, own * KEPT, -shift_max, highest);
        other.shift = lower_shift(lists->moved, count, lowest, highest, enough);
        other = measure_place(lists, places, other);
        best = is_better(&other, &best, enough) ? other : best;
    }
    if (best.spread == 1 && best.shift == 0)
        return as_they_are;
    return (struct eddy_build_stand){best.spread, best.pull, best.share, places};
}

/* Evenly over the cases, that are in order of users; those that a network answers. */
static uint32_t ask(const struct eddy_build_cold *cold,
                    const struct eddy_build_lists *of, struct eddy_head_case *ret)
{
    double most = scores_max / ((double)cold->items + 1);
    most = most < CASES_MIN ? CASES_MIN : most > CASES ? CASES : most;
    uint32_t step = (uint32_t)(of->count / most) + 1, n = 0;
    for (uint32_t i = 0; i < of->count; i += step) {
        const struct eddy_head_case *one = &of->cases[i];
        if (one->query != NULL &&
            of->head->network[eddy_head_bucket(one->recent.count)])
            ret[n++] = *one;
    }
    return n;
}

static void lists_fini(struct lists *lists)
{
    free(lists->asked);
    free(lists->plain);
    free(lists->full);
    free(lists->moved);
    free(lists->level);
    free(lists->w);
}

/* Ranked by the network and by the head, with their levels. 0 or EDDY_ENOMEM; free with
 * lists_fini. */
static int lists_init(struct lists *lists, const struct eddy_build_cold *cold,
                      const struct eddy_build_lists *of)
{
    const uint32_t H = of->layout->shape.hidden;
    *lists = (struct lists){.hidden = H};
    lists->asked = calloc(CASES, sizeof *lists->asked);
    lists->plain = calloc(CASES, sizeof *lists->plain);
    lists->full = calloc(CASES, sizeof *lists->full);
    lists->moved = calloc(CASES, sizeof *lists->moved);
    lists->level = calloc(CASES, sizeof *lists->level);
    lists->w = calloc((size_t)H + 1, sizeof *lists->w);
    if (!lists->asked || !lists->plain || !lists->full || !lists->moved ||
        !lists->level || !lists->w)
        return EDDY_ENOMEM;
    lists->count = ask(cold, of, lists->asked);
    int r = rank_cases(cold, of, &eddy_head_plain, lists, lists->plain);
    if (r == 0)
        r = rank_cases(cold, of, of->head, lists, lists->full);
    if (r == 0 && !find_levels(lists))
        r = EDDY_ENOMEM;
    return r;
}

int eddy_build_cold_stand(const struct eddy_build_cold *cold,
                          const struct eddy_build_lists *of,
                          struct eddy_build_stand *ret)
{
    struct lists lists;
    int r = lists_init(&lists, cold, of);
    *ret = as_they_are;
    if (r == 0 && lists.count > 0)
        *ret = choose_stand(cold, &lists);
    lists_fini(&lists);
    return r;
}

int eddy_build_cold_place(const struct eddy_build_cold *cold,
                          const struct eddy_build_lists *of,
                          const struct eddy_build_stand *stand, float *ret)
{
    const uint32_t H = of->layout->shape.hidden;
    struct lists lists;
    int r = lists_init(&lists, cold, of);
    memset(ret, 0, (2 + (size_t)H) * sizeof *ret);
    ret[0] = 1;
    if (r == 0 && lists.count > 0 && stand->places > 0) {
        move_lists(&lists, stand->spread, stand->pull);
        double shift = find_shift(lists.moved, lists.count, stand->places, stand->share,
                                  -2 * shift_max, 2 * shift_max);
        ret[0] = (float)stand->spread;
        ret[1] = (float)(shift + stand->pull * lists.w[H]);
        for (uint32_t h = 0; h < H; h++)
            ret[2 + h] = (float)(stand->pull * lists.w[h]);
    }
    lists_fini(&lists);
    return r;
}

int eddy_build_cold_items(const struct eddy_build_cold *cold, uint32_t hidden,
                          const float *place, struct eddy_cold_items *ret)
{
    bool moves = place[0] != 1;
    for (uint32_t h = 0; h < hidden + 1; h++)
        moves = moves || place[1 + h] != 0;
    *ret = (struct eddy_cold_items){0};
    if (!moves || cold->count == 0)
        return 0;
    ret->items = malloc(cold->count * sizeof *ret->items);
    ret->place = malloc((2 + (size_t)hidden) * sizeof *ret->place);
    if (ret->items == NULL || ret->place == NULL)
        return EDDY_ENOMEM;
    memcpy(ret->place, place, (2 + (size_t)hidden) * sizeof *ret->place);
    for (uint32_t i = 0; i < cold->items; i++)
        if (cold->is[i])
            ret->items[ret->count++] = i;
    return 0;
}
