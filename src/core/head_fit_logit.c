/* Conditional logit over candidates (McFadden): the chance of the answer is
 * softmax(w . x) of its candidates. The loss is convex; Newton's steps with halving, on the
 * weights that are free. A weight at 0 whose gradient points below stays there (projected
 * Newton, Bertsekas 1982).
 *
 * Sums are made over CHUNKS fixed parts of the cases and added in their order, so the
 * result does not depend on the number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/head_fit_parts.h"
#include "core/team.h"

enum { CHUNKS = 16, D = EDDY_DESIGN_DIMS };

struct sums {
    double cases, loss, gradient[D], hessian[D][D];
};
struct pass {
    const struct eddy_fit_cases *set;
    struct eddy_fit_part part;
    uint32_t dims, column[D]; /* the columns of the mask */
    double w[D];
    bool curved;       /* gradient and Hessian too */
    struct sums *sums; /* (CHUNKS) */
    float *chance;     /* (threads, longest) */
    uint32_t longest;
};

static bool is_in(const struct eddy_fit_case *one, struct eddy_fit_part part)
{
    return (part.buckets >> one->bucket & 1) && (part.folds >> one->fold & 1);
}

/* w . x of the candidates, and its maximum. */
static float score(const struct eddy_fit_case *one, uint32_t dims,
                   const uint32_t *column, const double *w, float *ret)
{
    float most = -INFINITY;
    memset(ret, 0, one->count * sizeof *ret);
    for (uint32_t d = 0; d < dims; d++) {
        const float *x = one->design + (size_t)column[d] * one->count;
        float weight = (float)w[d];
        for (uint32_t k = 0; k < one->count; k++)
            ret[k] += weight * x[k];
    }
    for (uint32_t k = 0; k < one->count; k++)
        most = ret[k] > most ? ret[k] : most;
    return most;
}

static void add_case(const struct pass *pass, const struct eddy_fit_case *one,
                     float *chance, struct sums *sums)
{
    float most = score(one, pass->dims, pass->column, pass->w, chance);
    float answer = chance[one->answer];
    double total = 0, mean[D] = {0};

    for (uint32_t k = 0; k < one->count; k++) {
        chance[k] = expf(chance[k] - most);
        total += (double)chance[k];
    }
    sums->cases += 1;
    sums->loss += log(total) + (double)most - (double)answer;
    if (!pass->curved)
        return;
    for (uint32_t d = 0; d < pass->dims; d++) {
        const float *x = one->design + (size_t)pass->column[d] * one->count;
        for (uint32_t k = 0; k < one->count; k++)
            mean[d] += (double)(chance[k] * x[k]);
        mean[d] /= total;
        sums->gradient[d] += mean[d] - (double)x[one->answer];
    }
    for (uint32_t d = 0; d < pass->dims; d++) {
        const float *x = one->design + (size_t)pass->column[d] * one->count;
        for (uint32_t e = 0; e <= d; e++) {
            const float *y = one->design + (size_t)pass->column[e] * one->count;
            float product = 0;
            for (uint32_t k = 0; k < one->count; k++)
                product += chance[k] * x[k] * y[k];
            sums->hessian[d][e] += (double)product / total - mean[d] * mean[e];
        }
    }
}

static void run_chunk(void *context, uint32_t task, uint32_t worker)
{
    struct pass *pass = context;
    uint64_t count = pass->part.count;
    uint32_t from = (uint32_t)(count * task / CHUNKS);
    uint32_t to = (uint32_t)(count * (task + 1) / CHUNKS);
    struct sums *sums = &pass->sums[task];

    *sums = (struct sums){0};
    for (uint32_t i = from; i < to; i++)
        if (pass->set->cases[i].found && is_in(&pass->set->cases[i], pass->part))
            add_case(pass, &pass->set->cases[i],
                     pass->chance + (size_t)worker * pass->longest, sums);
}

/* The penalised objective at pass->w, with gradient and Hessian when curved. */
static double evaluate(struct pass *pass, double ridge, const double *centre,
                       double *gradient, double hessian[D][D])
{
    struct sums all = {0};
    eddy_team_run(pass->set->threads, CHUNKS, run_chunk, pass);
    for (uint32_t c = 0; c < CHUNKS; c++) {
        all.cases += pass->sums[c].cases;
        all.loss += pass->sums[c].loss;
        for (uint32_t d = 0; d < pass->dims; d++) {
            all.gradient[d] += pass->sums[c].gradient[d];
            for (uint32_t e = 0; e <= d; e++)
                all.hessian[d][e] += pass->sums[c].hessian[d][e];
        }
    }
    double scale = all.cases > 0 ? 1 / all.cases : 0, value = all.loss * scale;
    for (uint32_t d = 0; d < pass->dims; d++) {
        double off = pass->w[d] - centre[pass->column[d]];
        value += 0.5 * ridge * off * off;
        if (!pass->curved)
            continue;
        gradient[d] = all.gradient[d] * scale + ridge * off;
        for (uint32_t e = 0; e <= d; e++)
            hessian[d][e] = hessian[e][d] = all.hessian[d][e] * scale;
        hessian[d][d] += ridge + 1e-9;
    }
    return value;
}

/* step = H^-1 g over the free columns (Gauss; H is positive definite). */
static void newton_step(uint32_t dims, const bool *free_column, double h[D][D],
                        const double *gradient, double *step)
{
    double a[D][D + 1];
    for (uint32_t d = 0; d < dims; d++) {
        for (uint32_t e = 0; e < dims; e++)
            a[d][e] = free_column[d] && free_column[e] ? h[d][e] : d == e ? 1 : 0;
        a[d][dims] = free_column[d] ? gradient[d] : 0;
    }
    for (uint32_t k = 0; k < dims; k++)
        for (uint32_t d = 0; d < dims; d++) {
            double f = d == k ? 0 : a[d][k] / a[k][k];
            for (uint32_t e = k; e <= dims && f != 0; e++)
                a[d][e] -= f * a[k][e];
        }
    for (uint32_t d = 0; d < dims; d++)
        step[d] = a[d][dims] / a[d][d];
}

static bool may_be_negative(uint32_t column)
{
    return column >= EDDY_DESIGN_FEATURE && column < EDDY_DESIGN_PRIOR &&
           eddy_head_is_signed((enum eddy_head_feature)(column - EDDY_DESIGN_FEATURE));
}

/* One round: false when nothing is gained any more. */
static bool improve(struct pass *pass, double ridge, const double *centre)
{
    double gradient[D], hessian[D][D], step[D], from[D];
    bool free_column[D];

    pass->curved = true;
    double value = evaluate(pass, ridge, centre, gradient, hessian);
    pass->curved = false;
    for (uint32_t d = 0; d < pass->dims; d++)
        free_column[d] =
            may_be_negative(pass->column[d]) || pass->w[d] > 0 || gradient[d] < 0;
    newton_step(pass->dims, free_column, hessian, gradient, step);
    memcpy(from, pass->w, sizeof from);
    for (double length = 1; length > 1e-3; length /= 2) {
        for (uint32_t d = 0; d < pass->dims; d++) {
            double to = from[d] - length * step[d];
            pass->w[d] = to < 0 && !may_be_negative(pass->column[d]) ? 0 : to;
        }
        double now = evaluate(pass, ridge, centre, NULL, NULL);
        if (now < value)
            return value - now > 1e-6;
    }
    memcpy(pass->w, from, sizeof from);
    return false;
}

static bool pass_init(struct pass *pass, const struct eddy_fit_cases *set,
                      struct eddy_fit_part part, uint32_t mask)
{
    *pass = (struct pass){.set = set, .part = part};
    if (pass->part.count > set->count)
        pass->part.count = set->count;
    for (uint32_t d = 0; d < D; d++)
        if (mask >> d & 1)
            pass->column[pass->dims++] = d;
    for (uint32_t i = 0; i < set->count; i++)
        pass->longest =
            set->cases[i].count > pass->longest ? set->cases[i].count : pass->longest;
    pass->sums = malloc(CHUNKS * sizeof *pass->sums);
    pass->chance = malloc(((size_t)set->threads * pass->longest + 1) * sizeof(float));
    return pass->sums && pass->chance;
}

int eddy_fit_weights(const struct eddy_fit_cases *set, struct eddy_fit_part part,
                     uint32_t mask, double ridge, const double *centre, uint32_t rounds,
                     double *w)
{
    static const double none[D];
    struct pass pass;
    bool ok = pass_init(&pass, set, part, mask);

    for (uint32_t d = 0; d < pass.dims; d++)
        pass.w[d] = w[pass.column[d]];
    for (uint32_t round = 0; ok && round < rounds; round++)
        if (!improve(&pass, ridge, centre ? centre : none))
            break;
    memset(w, 0, D * sizeof *w);
    for (uint32_t d = 0; d < pass.dims; d++)
        w[pass.column[d]] = pass.w[d];
    free(pass.sums);
    free(pass.chance);
    return ok ? 0 : EDDY_ENOMEM;
}

struct eddy_fit_quality eddy_fit_measure(const struct eddy_fit_cases *set,
                                         struct eddy_fit_part part, const double *w)
{
    struct eddy_fit_quality quality = {0};
    uint32_t dims = 0, column[D];
    double weight[D];

    for (uint32_t d = 0; d < D; d++)
        if (w[d] != 0) {
            weight[dims] = w[d];
            column[dims++] = d;
        }
    for (uint32_t i = 0; i < part.count && i < set->count; i++) {
        const struct eddy_fit_case *one = &set->cases[i];
        float values[EDDY_FIT_CANDIDATES_MAX];
        if (!is_in(one, part))
            continue;
        quality.cases += 1;
        double most = (double)score(one, dims, column, weight, values), total = 0;
        uint32_t rank = 0;
        for (uint32_t k = 0; k < one->count; k++) {
            rank += values[k] >= values[one->answer] ? 1 : 0;
            total += exp((double)values[k] - most);
        }
        double gain = 1 / log2(rank + 1.0);
        if (one->found)
            quality.loss += log(total) + most - (double)values[one->answer];
        quality.ndcg10 += rank <= 10 ? gain : 0;
        quality.ndcg20 += rank <= 20 ? gain : 0;
        quality.mrr20 += rank <= 20 ? 1.0 / rank : 0;
    }
    return quality;
}
