/* Inverses of one block, of several, and of what has none. */
#include "core/invert.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"

/* A positive definite matrix with neighbours that depend on each other, lower triangle
 * only: what is above must not be read. */
static void make(uint32_t n, uint64_t seed, float *lower, double *full)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j <= i; j++) {
            float value = i == j                ? 6 + (float)eddy_rng_unit(&rng)
                          : i - j < 9 || j == 3 ? (float)eddy_rng_unit(&rng) - 0.5f
                                                : 0;
            if (j == 3 && i > 11)
                value /= (float)n;
            lower[(size_t)i * n + j] = value;
            lower[(size_t)j * n + i] = i == j ? value : (float)NAN;
            full[(size_t)i * n + j] = full[(size_t)j * n + i] = (double)value;
        }
}

static void a_matrix_times_its_inverse_is_one(void)
{
    const uint32_t sizes[] = {1, 2, 17, 255, 256, 257, 600};
    for (uint32_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint32_t n = sizes[s];
        float *a = malloc(sizeof *a * n * n);
        double *full = malloc(sizeof *full * n * n), worst = 0;
        make(n, s, a, full);
        CHECK_INT(eddy_invert(a, n, 2), 0);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++) {
                double sum = i == j ? -1 : 0;
                for (uint32_t k = 0; k < n; k++)
                    sum += full[(size_t)i * n + k] * (double)a[(size_t)k * n + j];
                worst = fabs(sum) > worst || isnan(sum) ? fabs(sum) : worst;
            }
        CHECK_NEAR(worst, 0, 2e-5);
        free(a);
        free(full);
    }
}

static void what_is_not_positive_definite_is_refused(void)
{
    enum { N = 300 };
    for (uint32_t at = 0; at < N; at += 149) {
        float *a = calloc((size_t)N * N, sizeof *a);
        for (uint32_t i = 0; i < N; i++)
            a[(size_t)i * N + i] = i == at ? -1.0f : 1.0f;
        CHECK_INT(eddy_invert(a, N, 1), 1);
        free(a);
    }
}

int main(void)
{
    RUN(a_matrix_times_its_inverse_is_one);
    RUN(what_is_not_positive_definite_is_refused);
    return check_done();
}
