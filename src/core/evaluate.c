/* Metrics (MODELS 8): full ranking, conservative ties, bootstrap over users. */
#include "core/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

const uint32_t eddy_cutoffs[EDDY_CUTOFFS] = {1, 5, 10, 20, 25};

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

double eddy_measure_of(enum eddy_measure measure, uint32_t rank, uint32_t cutoff)
{
    if (rank == 0 || rank > cutoff)
        return 0;
    switch (measure) {
    case EDDY_NDCG: return 1 / log2(1.0 + rank);
    case EDDY_MRR: return 1.0 / rank;
    default: return 1;
    }
}

void eddy_user_score_add(struct eddy_user_score *score, uint32_t rank)
{
    score->queries++;
    for (int m = 0; m < EDDY_MEASURES; m++)
        for (int c = 0; c < EDDY_CUTOFFS; c++)
            score->sums[m][c] +=
                eddy_measure_of((enum eddy_measure)m, rank, eddy_cutoffs[c]);
}

enum { CELLS = EDDY_MEASURES * EDDY_CUTOFFS };

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Means of one resample of users into ret[cell * stride]. */
static void resample(const struct eddy_user_score *scores, uint32_t user_count,
                     struct eddy_rng *rng, double *ret, size_t stride)
{
    double sums[CELLS] = {0}, queries = 0;
    for (uint32_t i = 0; i < user_count; i++) {
        const struct eddy_user_score *score = &scores[eddy_rng_below(rng, user_count)];
        const double *cells = &score->sums[0][0];
        queries += score->queries;
        for (int k = 0; k < CELLS; k++)
            sums[k] += cells[k];
    }
    for (int k = 0; k < CELLS; k++)
        ret[(size_t)k * stride] = queries > 0 ? sums[k] / queries : 0;
}

int eddy_evaluate(const struct eddy_user_score *scores, uint32_t user_count,
                  uint32_t resamples, uint64_t seed, struct eddy_evaluation *ret)
{
    struct eddy_rng rng;
    double sums[CELLS] = {0};
    double *means = calloc((size_t)CELLS * (resamples + 1), sizeof *means);

    if (means == NULL)
        return EDDY_ENOMEM;
    *ret = (struct eddy_evaluation){0};
    for (uint32_t i = 0; i < user_count; i++) {
        ret->users += scores[i].queries > 0 ? 1 : 0;
        ret->queries += scores[i].queries;
        for (int k = 0; k < CELLS; k++)
            sums[k] += (&scores[i].sums[0][0])[k];
    }
    eddy_rng_seed(&rng, seed);
    for (uint32_t b = 0; user_count > 0 && b < resamples; b++)
        resample(scores, user_count, &rng, means + b, resamples);
    for (int k = 0; k < CELLS; k++) {
        double *cell = means + (size_t)k * resamples;
        struct eddy_estimate *estimate = &(&ret->estimates[0][0])[k];
        estimate->mean = ret->queries > 0 ? sums[k] / (double)ret->queries : 0;
        estimate->low = estimate->high = estimate->mean;
        if (resamples == 0)
            continue;
        qsort(cell, resamples, sizeof *cell, compare_double);
        estimate->low = cell[(size_t)(0.025 * (resamples - 1))];
        estimate->high = cell[(size_t)(0.975 * (resamples - 1) + 0.5)];
    }
    free(means);
    return 0;
}
