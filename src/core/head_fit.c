/* Weights of the hybrid head, fitted on validation events.
 *
 *   1. Decay and scale of each feature: the pair with the least loss on cases that the
 *      weights were not fitted on, over a sample, feature by feature, twice.
 *   2. Columns: all that there are, less those whose absence does not lower NDCG@20 on
 *      cases not fitted on (backward elimination; the network may go as well).
 *   3. Buckets: weights of their own, drawn to those of all by a ridge, where a bucket has
 *      cases enough and they are better on cases not fitted on; the network alone where
 *      nothing is better than that.
 *   4. The weights of what was chosen, from all cases.
 *
 * "Not fitted on": users are in two halves by hash, each half is measured with weights from
 * the other. A likelihood is fitted, because it is smooth and uses every case, and ranks
 * decide, because they are wanted. The network's weight is free during the fit (it is the
 * temperature of the likelihood) and is divided out afterwards: an order does not see it. */
#include "core/head_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/head_fit_parts.h"

enum {
    SAMPLE = 4000,    /* cases for decays and scales */
    PASSES = 2,       /* a feature's best decay depends on the others' */
    BUCKET_MIN = 200, /* fewer in a bucket: the weights of all */
    D = EDDY_DESIGN_DIMS,
    ALL = 0xff, /* all buckets, all folds */
    ROUNDS = 25,
};
#define RIDGE 1e-4 /* of the fit on all; keeps unused columns at rest */
#define BUCKET_RIDGE                                                                   \
    20.0 /* cases that the weights of all are worth to a bucket; guess */
#define GAIN_MIN    0.003 /* of NDCG@20: less is not worth the tables; guess */
#define NETWORK_MIN 0.02  /* a network of less weight than this is no help */

static const float scales[] = {1.0f, 10.0f, 100.0f, 1000.0f};
enum { SCALES = sizeof scales / sizeof *scales };

struct fit {
    struct eddy_fit_cases set;
    uint32_t setting[EDDY_HEAD_FEATURES]; /* chosen */
    float scale[EDDY_HEAD_FEATURES];
    uint32_t mask;     /* columns kept */
    double half[2][D]; /* weights of all, fitted without fold k */
    double bucket_half[EDDY_HEAD_BUCKETS][2][D];
    bool own[EDDY_HEAD_BUCKETS];   /* the bucket has weights of its own */
    bool plain[EDDY_HEAD_BUCKETS]; /* the bucket is the network alone */
};

static const double network_alone[D] = {[EDDY_DESIGN_NETWORK] = 1};

static struct eddy_fit_part part_of(uint32_t count, uint32_t buckets, uint32_t folds)
{
    return (struct eddy_fit_part){count, buckets, folds};
}

/* Weights for either half of the users, from the other half. */
static int fit_halves(const struct fit *fit, uint32_t count, uint32_t mask,
                      uint32_t rounds, double w[2][D])
{
    int rc = 0;
    for (uint32_t k = 0; k < 2 && rc == 0; k++)
        rc = eddy_fit_weights(&fit->set, part_of(count, ALL, 2u >> k), mask, RIDGE,
                              NULL, rounds, w[k]);
    return rc;
}

/* Quality over the cases of some buckets, each half with the weights not fitted on it. */
static struct eddy_fit_quality measure_halves(const struct fit *fit, uint32_t count,
                                              uint32_t buckets, const double w[2][D])
{
    struct eddy_fit_quality sum = {0};
    for (uint32_t k = 0; k < 2; k++) {
        struct eddy_fit_quality half =
            eddy_fit_measure(&fit->set, part_of(count, buckets, 1u << k), w[k]);
        sum.cases += half.cases;
        sum.loss += half.loss;
        sum.ndcg10 += half.ndcg10;
        sum.ndcg20 += half.ndcg20;
        sum.mrr20 += half.mrr20;
    }
    return sum;
}

static struct eddy_fit_quality measure_plain(const struct fit *fit, uint32_t buckets)
{
    return eddy_fit_measure(&fit->set, part_of(UINT32_MAX, buckets, ALL),
                            network_alone);
}

/* ---- 1. decays and scales --------------------------------------------------------- */

/* Loss on the sample with feature f in one setting, the others as they are. */
static int try_setting(struct fit *fit, uint32_t setting, float scale, double *ret_loss)
{
    double w[2][D];
    memcpy(w, fit->half, sizeof w);
    eddy_fit_cases_design(&fit->set, SAMPLE, setting, scale);
    int rc = fit_halves(fit, SAMPLE, fit->set.available, 4, w);
    *ret_loss = measure_halves(fit, SAMPLE, ALL, w).loss;
    return rc;
}

static int choose_setting(struct fit *fit, enum eddy_head_feature feature)
{
    double least = INFINITY, loss;
    for (uint32_t s = 0; s < EDDY_HEAD_SETTINGS; s++)
        for (uint32_t c = 0; c < SCALES; c++) {
            if (eddy_head_settings[s].feature != feature)
                continue;
            int rc = try_setting(fit, s, scales[c], &loss);
            if (rc < 0)
                return rc;
            if (loss < least) {
                least = loss;
                fit->setting[feature] = s;
                fit->scale[feature] = scales[c];
            }
        }
    eddy_fit_cases_design(&fit->set, UINT32_MAX, fit->setting[feature],
                          fit->scale[feature]);
    return fit_halves(fit, SAMPLE, fit->set.available, ROUNDS, fit->half);
}

static int choose_settings(struct fit *fit)
{
    int rc = 0;
    for (uint32_t s = 0; s < EDDY_HEAD_SETTINGS; s++)
        if (s == 1 || s == 5 || s == 9 || s == 11 || s == 15) /* a middle one of each */
            eddy_fit_cases_design(&fit->set, UINT32_MAX, s, 10.0f);
    if (fit->set.available & 1)
        fit->half[0][0] = fit->half[1][0] = 1;
    rc = fit_halves(fit, SAMPLE, fit->set.available, ROUNDS, fit->half);
    for (uint32_t k = 0; k < PASSES * EDDY_HEAD_FEATURES && rc == 0; k++) {
        uint32_t f = k % EDDY_HEAD_FEATURES;
        if (fit->set.available >> (EDDY_DESIGN_FEATURE + f) & 1)
            rc = choose_setting(fit, f);
    }
    return rc;
}

/* ---- 2. columns ------------------------------------------------------------------- */

static double quality_of(struct eddy_fit_quality quality)
{
    return quality.cases > 0 ? quality.ndcg20 / quality.cases : 0;
}

/* By how much of the quality a column has to be missed to stay. Votes of neighbours cost a
 * list more than the other features. */
static double price_of(uint32_t column)
{
    return column == EDDY_DESIGN_FEATURE + EDDY_HEAD_NEIGHBOURS ? 0.001 : 0.0005;
}

/* Leave out, one after the other, the column that is missed least, while none is missed. */
static int choose_columns(struct fit *fit)
{
    fit->mask = fit->set.available;
    int rc = fit_halves(fit, UINT32_MAX, fit->mask, ROUNDS, fit->half);
    for (uint32_t d = 0; d < D; d++) /* what has no weight is not missed */
        if (fit->half[0][d] == 0 && fit->half[1][d] == 0)
            fit->mask &= ~(1u << d);
    double best = quality_of(measure_halves(fit, UINT32_MAX, ALL, fit->half));
    while (rc == 0) {
        double least_missed = -INFINITY, kept[2][D];
        uint32_t out = D;
        for (uint32_t d = 0; d < D && rc == 0; d++) {
            double w[2][D];
            if (!(fit->mask >> d & 1) || fit->mask == 1u << d)
                continue;
            memcpy(w, fit->half, sizeof w);
            rc = fit_halves(fit, UINT32_MAX, fit->mask & ~(1u << d), 6, w);
            double quality = quality_of(measure_halves(fit, UINT32_MAX, ALL, w)) +
                             price_of(d) * best;
            if (quality > least_missed) {
                least_missed = quality;
                out = d;
                memcpy(kept, w, sizeof kept);
            }
        }
        if (out == D || least_missed < best)
            break;
        double now = least_missed - price_of(out) * best;
        best = now > best ? now : best;
        fit->mask &= ~(1u << out);
        memcpy(fit->half, kept, sizeof kept);
    }
    return rc;
}

/* ---- 3. buckets ------------------------------------------------------------------- */

static int fit_bucket(const struct fit *fit, uint32_t buckets, uint32_t folds,
                      const double *centre, double *w)
{
    struct eddy_fit_part part = part_of(UINT32_MAX, buckets, folds);
    double cases = eddy_fit_measure(&fit->set, part, network_alone).cases;
    memcpy(w, centre, D * sizeof *w);
    return eddy_fit_weights(&fit->set, part, fit->mask,
                            BUCKET_RIDGE / (cases > 1 ? cases : 1), centre, ROUNDS, w);
}

static int choose_buckets(struct fit *fit)
{
    int rc = 0;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS && rc == 0; b++) {
        uint32_t bucket = 1u << b;
        struct eddy_fit_quality plain = measure_plain(fit, bucket);
        struct eddy_fit_quality all =
            measure_halves(fit, UINT32_MAX, bucket, fit->half);
        double best = quality_of(all);
        memcpy(fit->bucket_half[b], fit->half, sizeof fit->half);
        if (plain.cases >= BUCKET_MIN) {
            double w[2][D];
            for (uint32_t k = 0; k < 2 && rc == 0; k++)
                rc = fit_bucket(fit, bucket, 2u >> k, fit->half[k], w[k]);
            double own = quality_of(measure_halves(fit, UINT32_MAX, bucket, w));
            if (rc == 0 && own > best) {
                best = own;
                fit->own[b] = true;
                memcpy(fit->bucket_half[b], w, sizeof w);
            }
        }
        if (plain.cases >= BUCKET_MIN && (fit->set.available & 1) &&
            quality_of(plain) >= best) {
            fit->plain[b] = true;
            fit->own[b] = false;
            for (uint32_t k = 0; k < 2; k++)
                memcpy(fit->bucket_half[b][k], network_alone, sizeof network_alone);
        }
    }
    return rc;
}

/* ---- 4. the head ------------------------------------------------------------------ */

static void put_weights(struct eddy_head *head, uint32_t bucket, const double *w)
{
    bool network = w[EDDY_DESIGN_NETWORK] > NETWORK_MIN;
    double unit = network ? w[EDDY_DESIGN_NETWORK] : 1;
    head->network[bucket] = network;
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
        head->weight[bucket][f] = (float)(w[EDDY_DESIGN_FEATURE + f] / unit);
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        head->prior[bucket][h] = (float)(w[EDDY_DESIGN_PRIOR + h] / unit);
    bool silent = !network;
    for (uint32_t d = 0; d < D; d++)
        silent = silent && w[d] == 0;
    if (silent) /* nothing predicts anything: what is popular, rather than any order */
        head->prior[bucket][0] = 1;
}

static int make_head(const struct fit *fit, struct eddy_head *head)
{
    double all[D], w[D];
    memcpy(all, fit->half[0], sizeof all);
    int rc = eddy_fit_weights(&fit->set, part_of(UINT32_MAX, ALL, ALL), fit->mask,
                              RIDGE, NULL, ROUNDS, all);
    *head = eddy_head_plain;
    float longest = 0;
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++) {
        const struct eddy_head_setting *setting = &eddy_head_settings[fit->setting[f]];
        if (!(fit->mask >> (EDDY_DESIGN_FEATURE + f) & 1))
            continue;
        head->scale[f] = fit->scale[f];
        head->decay[f] = setting->decay;
        if (f == EDDY_HEAD_NEIGHBOURS)
            head->neighbours = setting->neighbours;
        if (f == EDDY_HEAD_RELATED || f == EDDY_HEAD_RULES)
            longest = setting->decay > longest ? setting->decay : longest;
    }
    /* what counts less than a hundredth is not looked at */
    float reach = 1 + 4.6f * longest;
    head->recent =
        reach < EDDY_HEAD_RECENT_MAX ? (uint32_t)reach : EDDY_HEAD_RECENT_MAX;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS && rc == 0; b++) {
        memcpy(w, fit->plain[b] ? network_alone : all, sizeof w);
        if (fit->own[b])
            rc = fit_bucket(fit, 1u << b, ALL, all, w);
        put_weights(head, b, w);
    }
    return rc;
}

static void summarise(const struct fit *fit, struct eddy_head_fit_result *ret)
{
    struct eddy_fit_quality plain = measure_plain(fit, ALL), head = {0};
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        struct eddy_fit_quality one =
            measure_halves(fit, UINT32_MAX, 1u << b, fit->bucket_half[b]);
        head.ndcg10 += one.ndcg10;
        head.mrr20 += one.mrr20;
        head.ndcg20 += one.ndcg20;
    }
    if (fit->set.available & 1) {
        ret->plain_ndcg = plain.ndcg10 / plain.cases;
        ret->plain_mrr = plain.mrr20 / plain.cases;
    }
    ret->ndcg = head.ndcg10 / plain.cases;
    ret->mrr = head.mrr20 / plain.cases;
    bool helps = head.ndcg20 > plain.ndcg20 * (1 + GAIN_MIN) &&
                 head.ndcg10 >= plain.ndcg10 && head.mrr20 >= plain.mrr20;
    if ((fit->set.available & 1) && !helps) {
        ret->head = eddy_head_plain;
        ret->ndcg = ret->plain_ndcg;
        ret->mrr = ret->plain_mrr;
    }
}

int eddy_head_fit(const struct eddy_tables *tables, const float *embedding,
                  const float *bias, uint32_t hidden,
                  const struct eddy_head_case *cases, uint32_t count, uint32_t threads,
                  uint64_t seed, struct eddy_head_fit_result *ret, struct eddy_err *err)
{
    *ret = (struct eddy_head_fit_result){.head = eddy_head_plain};
    if (count < EDDY_HEAD_FIT_CASES_MIN)
        return 0;
    struct fit *fit = calloc(1, sizeof *fit);
    int rc = fit == NULL ? EDDY_ENOMEM : 0;
    if (rc == 0)
        rc = eddy_fit_cases_init(&fit->set, tables, embedding, bias, hidden, cases,
                                 count, threads > 0 ? threads : 1, seed);
    rc = rc < 0 ? rc : choose_settings(fit);
    rc = rc < 0 ? rc : choose_columns(fit);
    rc = rc < 0 ? rc : choose_buckets(fit);
    rc = rc < 0 ? rc : make_head(fit, &ret->head);
    if (rc == 0)
        summarise(fit, ret);
    if (fit != NULL)
        eddy_fit_cases_fini(&fit->set);
    free(fit);
    return rc < 0 ? eddy_fail(err, rc, "no memory to fit the head on %u events", count)
                  : 0;
}
