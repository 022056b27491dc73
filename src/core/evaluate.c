/* Metrics of one list and their means (MODELS 8, PERSONALIZE 8.1): full ranking,
 * conservative ties, bootstrap over users.
 *
 * A mean over queries is a ratio of two sums over users, so a resample needs the users'
 * sums only, and a difference of two models on the same queries is one more set of sums. */
#include "core/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

const uint32_t eddy_cutoffs[EDDY_CUTOFFS] = {1, 5, 10, 20, 25};

const char *eddy_measure_key(enum eddy_measure measure)
{
    static const char *const keys[EDDY_MEASURES] = {"hr",
                                                    "ndcg",
                                                    "mrr",
                                                    "recall",
                                                    "precision",
                                                    "ndcg_aws",
                                                    "ndcg_workshop",
                                                    "average_rewards",
                                                    "average_rewards_aws"};
    return keys[measure];
}

uint32_t eddy_rank_of(const struct eddy_scored *list, uint32_t count, uint32_t answer)
{
    uint32_t at = 0, rank;
    while (at < count && list[at].item != answer)
        at++;
    if (at == count || isnan(list[at].score))
        return 0;
    for (rank = at + 1; rank < count && list[rank].score == list[at].score;)
        rank++;
    return rank;
}

/* Weight of a rank: textbook and Amazon differ by a factor that the ideal cancels. */
static double gain(enum eddy_measure measure, uint32_t rank)
{
    if (measure == EDDY_NDCG_WORKSHOP)
        return rank == 1 ? 1 : 1 / log2((double)rank);
    return 1 / log2(1.0 + rank);
}

static double ideal(enum eddy_measure measure, uint32_t count)
{
    double sum = 0;
    for (uint32_t rank = 1; rank <= count; rank++)
        sum += gain(measure, rank);
    return sum;
}

double eddy_measure_of(enum eddy_measure measure, uint32_t rank, uint32_t cutoff)
{
    struct eddy_hits hits = {.answers = 1, .count = rank > 0, .ranks = {rank}};
    return eddy_measure_hits(measure, &hits, cutoff);
}

static int64_t find(const struct eddy_answers *answers, uint32_t item)
{
    uint32_t low = 0, high = answers->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (answers->items[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < answers->count && answers->items[low] == item ? (int64_t)low : -1;
}

static double reward_of(const struct eddy_answers *answers, int64_t at)
{
    return answers->rewards != NULL ? (double)answers->rewards[at] : 0;
}

void eddy_hits_of(const struct eddy_scored *list, uint32_t count, uint32_t k,
                  const struct eddy_answers *answers, struct eddy_hits *ret)
{
    ret->answers = answers->count;
    ret->count = 0;
    ret->reward = 0;
    memset(ret->rewarded, 0, sizeof ret->rewarded);
    for (uint32_t i = 0; answers->rewards != NULL && i < answers->count; i++)
        ret->reward += (double)answers->rewards[i];
    if (count > EDDY_EVALUATE_LIST)
        count = k = EDDY_EVALUATE_LIST;
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        uint32_t first = ret->count;
        for (end = begin; end < count && list[end].score == list[begin].score; end++) {
            int64_t at = find(answers, list[end].item);
            if (at >= 0)
                ret->rewards[ret->count++] = reward_of(answers, at);
        }
        if (end == begin) { /* not a number: equal to nothing */
            end++;
            continue;
        }
        if (end - begin > 1 && end == count && count == k)
            ret->count = first;
        for (uint32_t i = first; i < ret->count; i++)
            ret->ranks[i] = end - ret->count + i + 1;
    }
}

/* One item of a list as a reward sees it. */
struct worth {
    double worth, reward; /* reward: of the hit, 0: none */
};

static int dearest(const void *a, const void *b)
{
    const struct worth *x = a, *y = b;
    if (x->worth > y->worth || x->worth < y->worth)
        return x->worth > y->worth ? -1 : 1;
    return x->reward < y->reward ? -1 : x->reward > y->reward;
}

void eddy_hits_reward(const struct eddy_scored *list, uint32_t count,
                      const struct eddy_answers *answers, const float *worth,
                      uint32_t worth_count, struct eddy_hits *hits)
{
    struct worth items[EDDY_REWARD_LIST];
    double all = 0, sum = 0;
    uint32_t at = 0;
    count = count < EDDY_REWARD_LIST ? count : EDDY_REWARD_LIST;
    for (uint32_t i = 0; i < count; i++) {
        int64_t hit = find(answers, list[i].item);
        double reward = hit >= 0 ? reward_of(answers, hit) : 0;
        items[i] = (struct worth){reward, reward};
        if (worth != NULL)
            items[i].worth =
                list[i].item < worth_count ? (double)worth[list[i].item] : 0;
        all += reward;
    }
    qsort(items, count, sizeof *items, dearest);
    for (int c = 0; c < EDDY_CUTOFFS; c++) {
        for (; at < count && at < eddy_cutoffs[c]; at++)
            sum += items[at].reward;
        hits->rewarded[c] = all > 0 ? sum / all : 0;
    }
}

static double rewarded(const struct eddy_hits *hits, uint32_t cutoff)
{
    int c = 0;
    while (c + 1 < EDDY_CUTOFFS && eddy_cutoffs[c] != cutoff)
        c++;
    return hits->rewarded[c];
}

double eddy_measure_hits(enum eddy_measure measure, const struct eddy_hits *hits,
                         uint32_t cutoff)
{
    uint32_t within = 0, most = cutoff;
    double sum = 0;
    if (measure == EDDY_REWARD_AWS)
        return rewarded(hits, cutoff);
    while (within < hits->count && hits->ranks[within] <= cutoff)
        within++;
    if (within == 0)
        return 0;
    switch (measure) {
    case EDDY_MRR: return 1.0 / hits->ranks[0];
    case EDDY_RECALL: return (double)within / hits->answers;
    case EDDY_PRECISION: return (double)within / cutoff;
    case EDDY_REWARD:
        for (uint32_t i = 0; i < within; i++)
            sum += hits->rewards[i];
        return hits->reward > 0 ? sum / hits->reward : 0;
    case EDDY_NDCG: most = hits->answers; break;
    case EDDY_NDCG_AWS:
    case EDDY_NDCG_WORKSHOP:
        for (most = within; most < hits->count && hits->ranks[most] <= 25;)
            most++;
        break;
    default: return 1;
    }
    for (uint32_t i = 0; i < within; i++)
        sum += gain(measure, hits->ranks[i]);
    return sum / ideal(measure, most < cutoff ? most : cutoff);
}

void eddy_user_score_add(struct eddy_user_score *score, const struct eddy_hits *hits)
{
    score->queries++;
    if (hits->count == 0 && hits->rewarded[EDDY_CUTOFFS - 1] <= 0)
        return;
    for (int m = 0; m < EDDY_MEASURES; m++)
        for (int c = 0; c < EDDY_CUTOFFS; c++)
            score->sums[m][c] +=
                eddy_measure_hits((enum eddy_measure)m, hits, eddy_cutoffs[c]);
}

enum { CELLS = EDDY_MEASURES * EDDY_CUTOFFS, DRAWN_MAX = 20000 };

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void add(struct eddy_user_score *sum, const struct eddy_user_score *score,
                double sign)
{
    const double *cells = &score->sums[0][0];
    double *sums = &sum->sums[0][0];
    for (int k = 0; k < CELLS; k++)
        sums[k] += sign * cells[k];
}

/* The users who were asked, in order; above DRAWN_MAX thrown together at random. */
static uint32_t drawn_units(const struct eddy_user_score *scores, uint32_t user_count,
                            struct eddy_user_score *units, uint64_t *ret_users)
{
    struct eddy_rng rng;
    uint32_t asked = 0, at = 0;
    for (uint32_t u = 0; u < user_count; u++)
        asked += scores[u].queries > 0;
    eddy_rng_seed(&rng, 1);
    for (uint32_t u = 0; u < user_count; u++) {
        if (scores[u].queries == 0)
            continue;
        uint32_t place = asked > DRAWN_MAX ? eddy_rng_below(&rng, DRAWN_MAX) : at++;
        units[place].queries += scores[u].queries;
        add(&units[place], &scores[u], 1);
    }
    *ret_users = asked;
    return asked < DRAWN_MAX ? asked : DRAWN_MAX;
}

/* Means of one resample of the units into ret[cell * stride]. */
static void resample(const struct eddy_user_score *units, uint32_t count,
                     struct eddy_rng *rng, double *ret, size_t stride)
{
    struct eddy_user_score sum = {0};
    double queries = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct eddy_user_score *unit = &units[eddy_rng_below(rng, count)];
        queries += unit->queries;
        add(&sum, unit, 1);
    }
    for (int k = 0; k < CELLS; k++)
        ret[(size_t)k * stride] = queries > 0 ? (&sum.sums[0][0])[k] / queries : 0;
}

static void estimate_all(const struct eddy_user_score *units, uint32_t count,
                         uint32_t resamples, double *means, uint64_t seed,
                         struct eddy_evaluation *ret)
{
    struct eddy_user_score sum = {0};
    struct eddy_rng rng;
    for (uint32_t i = 0; i < count; i++) {
        ret->queries += units[i].queries;
        add(&sum, &units[i], 1);
    }
    eddy_rng_seed(&rng, seed);
    for (uint32_t b = 0; count > 0 && b < resamples; b++)
        resample(units, count, &rng, means + b, resamples);
    for (int k = 0; k < CELLS; k++) {
        double *cell = means + (size_t)k * resamples;
        struct eddy_estimate *estimate = &(&ret->estimates[0][0])[k];
        estimate->mean =
            ret->queries > 0 ? (&sum.sums[0][0])[k] / (double)ret->queries : 0;
        estimate->low = estimate->high = estimate->mean;
        if (resamples == 0 || count == 0)
            continue;
        qsort(cell, resamples, sizeof *cell, compare_double);
        estimate->low = cell[(size_t)(0.025 * (resamples - 1))];
        estimate->high = cell[(size_t)(0.975 * (resamples - 1) + 0.5)];
    }
}

int eddy_evaluate(const struct eddy_user_score *scores, uint32_t user_count,
                  uint32_t resamples, uint64_t seed, struct eddy_evaluation *ret)
{
    uint32_t room = user_count < DRAWN_MAX ? user_count : DRAWN_MAX;
    double *means = calloc((size_t)CELLS * (resamples + 1), sizeof *means);
    struct eddy_user_score *units = calloc((size_t)room + 1, sizeof *units);

    *ret = (struct eddy_evaluation){0};
    if (means != NULL && units != NULL) {
        uint32_t count = drawn_units(scores, user_count, units, &ret->users);
        estimate_all(units, count, resamples, means, seed, ret);
    }
    int r = means != NULL && units != NULL ? 0 : EDDY_ENOMEM;
    free(means);
    free(units);
    return r;
}

int eddy_evaluate_difference(const struct eddy_user_score *a,
                             const struct eddy_user_score *b, uint32_t user_count,
                             uint32_t resamples, uint64_t seed,
                             struct eddy_evaluation *ret)
{
    struct eddy_user_score *difference =
        malloc(((size_t)user_count + 1) * sizeof *difference);
    if (difference == NULL)
        return EDDY_ENOMEM;
    memcpy(difference, a, user_count * sizeof *difference);
    for (uint32_t u = 0; u < user_count; u++)
        add(&difference[u], &b[u], -1);
    int r = eddy_evaluate(difference, user_count, resamples, seed, ret);
    free(difference);
    return r;
}

/* One user's sums per group go into the variance: (sum - queries * mean)^2. */
static void close_user(const double *sums, const uint64_t *counts, uint32_t groups,
                       struct eddy_group *ret, double *variance)
{
    for (uint32_t g = 0; g < groups; g++) {
        double residue = sums[g] - (double)counts[g] * ret[g].estimate.mean;
        ret[g].users += counts[g] > 0;
        variance[g] += residue * residue;
    }
}

void eddy_evaluate_groups(const float *values, const uint32_t *user,
                          const uint8_t *group, uint64_t count, uint32_t groups,
                          struct eddy_group *ret)
{
    double variance[EDDY_GROUPS_MAX] = {0}, sums[EDDY_GROUPS_MAX] = {0};
    uint64_t counts[EDDY_GROUPS_MAX] = {0};
    memset(ret, 0, groups * sizeof *ret);
    for (uint64_t i = 0; i < count; i++) {
        if (group[i] >= groups || isnan(values[i]))
            continue;
        ret[group[i]].queries++;
        ret[group[i]].estimate.mean += (double)values[i];
    }
    for (uint32_t g = 0; g < groups; g++)
        if (ret[g].queries > 0)
            ret[g].estimate.mean /= (double)ret[g].queries;
    for (uint64_t i = 0; i < count; i++) {
        if (group[i] < groups && !isnan(values[i])) {
            sums[group[i]] += (double)values[i];
            counts[group[i]]++;
        }
        if (i + 1 == count || user[i + 1] != user[i]) {
            close_user(sums, counts, groups, ret, variance);
            memset(sums, 0, sizeof sums);
            memset(counts, 0, sizeof counts);
        }
    }
    for (uint32_t g = 0; g < groups; g++) {
        struct eddy_estimate *estimate = &ret[g].estimate;
        double n = (double)ret[g].queries;
        double half = n > 0 ? 1.96 * sqrt(variance[g]) / n : 0;
        estimate->low = estimate->mean - half;
        estimate->high = estimate->mean + half;
    }
}
