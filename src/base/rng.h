/* Layer: base.  Keyed draws: a draw is a pure function of its keys, there is no hidden
 * state to share or to replay (splitmix64 over the mixed keys). For training and
 * simulation a small sequential generator seeded from keys. */
#ifndef EDDY_BASE_RNG_H
#define EDDY_BASE_RNG_H

#include <stdint.h>

/* A pure function of its four keys. Thread: any. */
uint64_t eddy_draw64(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);
double eddy_draw_unit(uint64_t seed, uint64_t a, uint64_t b, uint64_t c); /* [0,1) */

/* xoshiro256** (Blackman, Vigna 2018), seeded by splitmix64. */
struct eddy_rng {
    uint64_t s[4];
};
void eddy_rng_seed(struct eddy_rng *rng, uint64_t seed);
uint64_t eddy_rng_next(struct eddy_rng *rng);
uint32_t eddy_rng_below(struct eddy_rng *rng, uint32_t bound); /* unbiased, bound > 0 */
double eddy_rng_unit(struct eddy_rng *rng);                    /* [0,1), 53 bits */
double eddy_rng_normal(struct eddy_rng *rng);                  /* N(0,1), Box-Muller */

#endif
