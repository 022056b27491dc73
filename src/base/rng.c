/* Keyed draws and a small sequential generator. A keyed draw is three rounds of
 * splitmix64: for fixed seed and a, the draws over b begin as many splitmix64 streams as
 * there are values of a, and so on for c; each round is a bijection of its sum. */
#include "base/rng.h"

#include <math.h>

#include "base/hash.h"
#include "base/log.h"

uint64_t eddy_draw64(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    /* The offset keeps the all-zero key away from the finaliser's fixed point 0. */
    uint64_t x = eddy_mix64(seed ^ UINT64_C(0x656464792e726e67), a);
    return eddy_mix64(eddy_mix64(x, b), c);
}

static double to_unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

double eddy_draw_unit(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    return to_unit(eddy_draw64(seed, a, b, c));
}

void eddy_rng_seed(struct eddy_rng *rng, uint64_t seed)
{
    for (uint64_t i = 0; i < 4; i++) {
        rng->s[i] = eddy_mix64(seed, i + 1); /* splitmix64's first four outputs */
    }
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t eddy_rng_next(struct eddy_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* Multiply and reject (Lemire 2019): the low half of the product tells the few values that
 * would favour small results. */
uint32_t eddy_rng_below(struct eddy_rng *rng, uint32_t bound)
{
    EDDY_ASSERT(bound > 0);
    uint32_t reject = (0 - bound) % bound;
    for (;;) {
        uint64_t product = (eddy_rng_next(rng) >> 32) * bound;
        if ((uint32_t)product >= reject) {
            return (uint32_t)(product >> 32);
        }
    }
}

double eddy_rng_unit(struct eddy_rng *rng)
{
    return to_unit(eddy_rng_next(rng));
}

double eddy_rng_normal(struct eddy_rng *rng)
{
    double radius = sqrt(-2.0 * log(1.0 - eddy_rng_unit(rng))); /* 1 - u is never 0 */
    return radius * cos(6.283185307179586 * eddy_rng_unit(rng));
}
