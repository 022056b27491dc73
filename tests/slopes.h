/* A gradient against central differences of the loss, for tests of training.
 *
 * The network computes in fp32, so a difference is taken along a random direction of a
 * whole tensor, with two steps (h, 2h) combined to cancel the third-order error; h = 0.01
 * leaves an error of about 1e-3 of the gradient's length from rounding. */
#ifndef EDDY_TESTS_SLOPES_H
#define EDDY_TESTS_SLOPES_H

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"

/* n values that a loss depends on, and what it says is their gradient. */
struct slopes {
    float *values;
    const float *gradient;
    size_t n;
    double (*loss_of)(void *context);
    void *context;
};

/* A direction of length 1. */
static inline void slopes_draw(struct eddy_rng *rng, double *direction, size_t n)
{
    double length = 0;
    for (size_t i = 0; i < n; i++) {
        direction[i] = eddy_rng_normal(rng);
        length += direction[i] * direction[i];
    }
    for (size_t i = 0; i < n; i++)
        direction[i] /= sqrt(length);
}

static inline double slopes_difference(const struct slopes *slopes,
                                       const double *direction)
{
    double loss[5] = {0}, h = 0.01;
    float *before = malloc(slopes->n * sizeof *before);
    memcpy(before, slopes->values, slopes->n * sizeof *before);
    for (int k = -2; k <= 2; k += k == -1 ? 2 : 1) {
        for (size_t i = 0; i < slopes->n; i++)
            slopes->values[i] = (float)((double)before[i] + k * h * direction[i]);
        loss[k + 2] = slopes->loss_of(slopes->context);
    }
    memcpy(slopes->values, before, slopes->n * sizeof *before);
    free(before);
    return (8 * (loss[3] - loss[1]) - (loss[4] - loss[0])) / (12 * h);
}

/* Along three directions; returns the length of the gradient. */
static inline double slopes_check(const struct slopes *slopes, uint64_t seed,
                                  const char *where, const char *name)
{
    double *direction = malloc(slopes->n * sizeof *direction), norm = 0;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (size_t i = 0; i < slopes->n; i++)
        norm += (double)slopes->gradient[i] * (double)slopes->gradient[i];
    norm = sqrt(norm);
    for (int trial = 0; trial < 3; trial++) {
        double slope = 0;
        slopes_draw(&rng, direction, slopes->n);
        for (size_t i = 0; i < slopes->n; i++)
            slope += direction[i] * (double)slopes->gradient[i];
        if (!CHECK_NEAR(slope, slopes_difference(slopes, direction), 3e-3 * (1 + norm)))
            fprintf(stderr, "    %s, tensor %s, |gradient| %g\n", where, name, norm);
    }
    free(direction);
    return norm;
}

#endif
