/* Tree-structured Parzen estimator (Bergstra, Bardenet, Bengio, Kegl, NIPS 2011), in the
 * multivariate form of Falkner, Klein, Hutter (ICML 2018).
 *
 * Trials are divided into the best few and the others. Each group becomes a density: a
 * mixture of one kernel per trial, a product over dimensions, plus one flat component so
 * that nothing is ever ruled out. Candidates are drawn from the density of the good ones,
 * and the one with the greatest ratio good / other is next: by the paper that is where the
 * expected improvement is greatest. Trials that still run count among the others, so that
 * parallel jobs keep apart; failed ones too.
 *
 * Numbers live in the unit interval, by logarithm when the range spans a factor of 20 or
 * more; integers sit in the middle of cells of equal width. Kernels of numbers are normals
 * cut at the ends, of width .15 n^(-1/(4 + dimensions)) as Scott's rule has it; of
 * categories a weight of n / (n + 1) on the trial's own. Width, share of good ones and
 * number of candidates were chosen on two functions of the plane (tests/unit/test_tune.c):
 * 40 trials end 8 to 25 times nearer to the minimum than random search, on average.
 *
 * Everything is drawn from keys (seed, trial, try), so that a search that was killed goes
 * on with the same points. At most 40 trials: no thought was given to speed. */
#include "core/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/span.h"
#include "core/text.h"

enum {
    CANDIDATES = 24,
    TRIES = 200,       /* for a point that is not among the trials */
    FINITE_MAX = 4096, /* a space with more points is as good as endless */
};

static bool is_log(const struct eddy_tune_dimension *d)
{
    return d->kind != EDDY_TUNE_CATEGORICAL && d->min > 0 && d->max >= 20 * d->min;
}

/* The cell of an integer begins half a step below it. */
static double low_of(const struct eddy_tune_dimension *d)
{
    double low = d->kind == EDDY_TUNE_INTEGER ? d->min - .5 : d->min;
    return is_log(d) ? log(low) : low;
}
static double high_of(const struct eddy_tune_dimension *d)
{
    double high = d->kind == EDDY_TUNE_INTEGER ? d->max + .5 : d->max;
    return is_log(d) ? log(high) : high;
}

static double to_unit(const struct eddy_tune_dimension *d, double at)
{
    double low = low_of(d), high = high_of(d);
    double x = is_log(d) ? log(at) : at;
    return high > low ? (x - low) / (high - low) : .5;
}

static double from_unit(const struct eddy_tune_dimension *d, double unit)
{
    char text[EDDY_TUNE_TEXT];
    double x = low_of(d) + unit * (high_of(d) - low_of(d));
    x = is_log(d) ? exp(x) : x;
    if (d->kind == EDDY_TUNE_INTEGER)
        x = floor(x + .5);
    x = fmin(fmax(x, d->min), d->max);
    eddy_tune_format(d, x, text); /* what training will read */
    return strtod(text, NULL);
}

/* ---- densities ------------------------------------------------------------------- */

struct density {
    const struct eddy_tune_space *space;
    double points[256][EDDY_TUNE_DIMENSIONS]; /* unit, or index */
    uint32_t count;
    double width;
};

static void density_add(struct density *density, const struct eddy_tune_trial *trial)
{
    const struct eddy_tune_space *space = density->space;
    if (density->count == sizeof density->points / sizeof *density->points)
        return;
    double *point = density->points[density->count++];
    for (uint32_t d = 0; d < space->count; d++)
        point[d] = space->dimensions[d].kind == EDDY_TUNE_CATEGORICAL
                       ? trial->at[d]
                       : to_unit(&space->dimensions[d], trial->at[d]);
}

static void density_end(struct density *density)
{
    double n = density->count > 0 ? density->count : 1;
    density->width = .15 * pow(n, -1 / (4. + density->space->count));
}

static double own_weight(const struct density *density)
{
    return (double)density->count / (density->count + 1.);
}

static double kernel(const struct density *density, uint32_t d, double centre, double x)
{
    const struct eddy_tune_dimension *dimension = &density->space->dimensions[d];
    if (dimension->kind == EDDY_TUNE_CATEGORICAL) {
        double rest = (1 - own_weight(density)) / dimension->choice_count;
        return rest + (fabs(centre - x) < .5 ? own_weight(density) : 0);
    }
    double w = density->width, z = (x - centre) / w, root = w * sqrt(2);
    double inside = .5 * (erf((1 - centre) / root) - erf(-centre / root));
    return exp(-.5 * z * z) / (w * sqrt(2 * acos(-1)) * inside);
}

/* Of a point in units; the flat component counts as one trial. */
static double density_at(const struct density *density, const double *x)
{
    double sum = 1;
    for (uint32_t d = 0; d < density->space->count; d++)
        if (density->space->dimensions[d].kind == EDDY_TUNE_CATEGORICAL)
            sum /= density->space->dimensions[d].choice_count;
    for (uint32_t i = 0; i < density->count; i++) {
        double product = 1;
        for (uint32_t d = 0; d < density->space->count; d++)
            product *= kernel(density, d, density->points[i][d], x[d]);
        sum += product;
    }
    return sum / (density->count + 1);
}

static void draw_flat(const struct eddy_tune_space *space, struct eddy_rng *rng,
                      double *ret)
{
    for (uint32_t d = 0; d < space->count; d++)
        ret[d] = space->dimensions[d].kind == EDDY_TUNE_CATEGORICAL
                     ? (double)eddy_rng_below(rng, space->dimensions[d].choice_count)
                     : eddy_rng_unit(rng);
}

static void density_draw(const struct density *density, struct eddy_rng *rng,
                         double *ret)
{
    const struct eddy_tune_space *space = density->space;
    uint32_t component = eddy_rng_below(rng, density->count + 1);
    draw_flat(space, rng, ret);
    for (uint32_t d = 0; component < density->count && d < space->count; d++) {
        double centre = density->points[component][d];
        if (space->dimensions[d].kind == EDDY_TUNE_CATEGORICAL) {
            if (eddy_rng_unit(rng) < own_weight(density))
                ret[d] = centre;
            continue;
        }
        for (int i = 0; i < 100;
             i++) { /* a hit is likelier than not: half lies inside */
            double x = centre + density->width * eddy_rng_normal(rng);
            if (x >= 0 && x < 1) {
                ret[d] = x;
                break;
            }
        }
    }
}

/* ---- the search ------------------------------------------------------------------ */

static void to_point(const struct eddy_tune_space *space, const double *unit,
                     double *ret)
{
    for (uint32_t d = 0; d < space->count; d++)
        ret[d] = space->dimensions[d].kind == EDDY_TUNE_CATEGORICAL
                     ? unit[d]
                     : from_unit(&space->dimensions[d], unit[d]);
}

static bool is_among(const struct eddy_tune_space *space,
                     const struct eddy_tune_trial *trials, uint32_t count,
                     const double *point)
{
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(trials[i].at, point, space->count * sizeof *point) == 0)
            return true;
    return false;
}

/* Points of a finite space, 0: endless. */
static uint64_t points_of(const struct eddy_tune_space *space)
{
    double points = 1;
    for (uint32_t d = 0; d < space->count; d++) {
        const struct eddy_tune_dimension *dimension = &space->dimensions[d];
        if (dimension->kind == EDDY_TUNE_CATEGORICAL)
            points *= dimension->choice_count;
        else if (dimension->kind == EDDY_TUNE_INTEGER)
            points *= dimension->max - dimension->min + 1;
        else if (dimension->max > dimension->min)
            return 0;
    }
    return points <= FINITE_MAX ? (uint64_t)points : 0;
}

/* The first point in counting order that is not among the trials. */
static bool first_left(const struct eddy_tune_space *space,
                       const struct eddy_tune_trial *trials, uint32_t count,
                       uint64_t points, double *ret)
{
    for (uint64_t n = 0; n < points; n++) {
        uint64_t rest = n;
        for (uint32_t d = 0; d < space->count; d++) {
            const struct eddy_tune_dimension *dimension = &space->dimensions[d];
            bool category = dimension->kind == EDDY_TUNE_CATEGORICAL;
            uint64_t size = category ? dimension->choice_count
                                     : (uint64_t)(dimension->max - dimension->min) + 1;
            ret[d] = (category ? 0 : dimension->min) + (double)(rest % size);
            rest /= size;
        }
        if (!is_among(space, trials, count, ret))
            return true;
    }
    return false;
}

static int by_value(const void *a, const void *b)
{
    const struct eddy_tune_trial *x = *(const struct eddy_tune_trial *const *)a;
    const struct eddy_tune_trial *y = *(const struct eddy_tune_trial *const *)b;
    if (x->value > y->value || x->value < y->value)
        return x->value > y->value ? -1 : 1;
    return x < y ? -1 : x > y; /* the older one first */
}

/* Densities of the best quarter and of all others. Returns how many are known. */
static uint32_t divide(const struct eddy_tune_trial *trials, uint32_t count,
                       struct density *good, struct density *other)
{
    const struct eddy_tune_trial *known[256];
    uint32_t done = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (trials[i].state == EDDY_TUNE_DONE && isfinite(trials[i].value) &&
            done < sizeof known / sizeof *known)
            known[done++] = &trials[i];
        else
            density_add(other, &trials[i]);
    }
    qsort(known, done, sizeof *known, by_value);
    uint32_t best = (uint32_t)ceil(.25 * done);
    for (uint32_t i = 0; i < done; i++)
        density_add(i < best ? good : other, known[i]);
    density_end(good);
    density_end(other);
    return done;
}

bool eddy_tune_suggest(const struct eddy_tune_space *space,
                       const struct eddy_tune_trial *trials, uint32_t count,
                       uint32_t startup, uint64_t seed,
                       double ret[EDDY_TUNE_DIMENSIONS])
{
    struct density *pair = calloc(2, sizeof *pair);
    struct density *good = pair, *other = pair ? pair + 1 : NULL;
    double unit[EDDY_TUNE_DIMENSIONS], point[EDDY_TUNE_DIMENSIONS];
    struct eddy_rng rng;
    uint32_t known = 0;
    bool found = false;

    eddy_rng_seed(&rng, eddy_draw64(seed, count, 0, 0));
    if (pair != NULL) { /* without memory the search goes on at random */
        good->space = other->space = space;
        known = divide(trials, count, good, other);
    }
    if (known >= startup && known > 0) {
        double best = -1;
        for (int i = 0; i < CANDIDATES; i++) {
            density_draw(good, &rng, unit);
            to_point(space, unit, point);
            double gain = density_at(good, unit) / density_at(other, unit);
            if (gain <= best || is_among(space, trials, count, point))
                continue;
            best = gain;
            memcpy(ret, point, space->count * sizeof *ret);
            found = true;
        }
    }
    for (int i = 0; !found && i < TRIES; i++) {
        draw_flat(space, &rng, unit);
        to_point(space, unit, point);
        if (is_among(space, trials, count, point))
            continue;
        memcpy(ret, point, space->count * sizeof *ret);
        found = true;
    }
    free(pair);
    return found || first_left(space, trials, count, points_of(space), ret);
}

/* ---- values ---------------------------------------------------------------------- */

void eddy_tune_format(const struct eddy_tune_dimension *dimension, double at,
                      char ret[EDDY_TUNE_TEXT])
{
    if (dimension->kind == EDDY_TUNE_CATEGORICAL)
        (void)snprintf(
            ret, EDDY_TUNE_TEXT, "%s",
            dimension
                ->choices[at >= 0 && at < dimension->choice_count ? (uint32_t)at : 0]);
    else if (dimension->kind == EDDY_TUNE_INTEGER)
        (void)snprintf(ret, EDDY_TUNE_TEXT, "%.0f", at);
    else
        (void)snprintf(ret, EDDY_TUNE_TEXT, "%.4g", at);
}

bool eddy_tune_parse(const struct eddy_tune_dimension *dimension, const char *text,
                     double *ret)
{
    double number;
    if (dimension->kind == EDDY_TUNE_CATEGORICAL) {
        for (uint32_t i = 0; i < dimension->choice_count; i++) {
            if (strcmp(dimension->choices[i], text) == 0) {
                *ret = i;
                return true;
            }
        }
        return false;
    }
    if (!eddy_number_parse(eddy_span_of(text), &number) || number < dimension->min ||
        number > dimension->max ||
        (dimension->kind == EDDY_TUNE_INTEGER && floor(number) < number))
        return false;
    *ret = number;
    return true;
}

uint32_t eddy_tune_best(const struct eddy_tune_trial *trials, uint32_t count)
{
    uint32_t best = count;
    for (uint32_t i = 0; i < count; i++)
        if (trials[i].state == EDDY_TUNE_DONE && isfinite(trials[i].value) &&
            (best == count || trials[i].value > trials[best].value))
            best = i;
    return best;
}
