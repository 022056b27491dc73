/* Layer: core.  Exploration that can be judged afterwards: lists drawn without replacement,
 * each slot with the probability that it had (its propensity, given the slots before it).
 *
 * Candidates are the items with the best scores and all items that are new. With the
 * exploration weight w, s the spread (standard deviation) of the best scores and n_i the
 * exposures of an item so far (interactions and impressions):
 *
 *   utility_i = score_i + w * BONUS * s / sqrt(1 + n_i)    the bonus for new items only
 *   key_i     = utility_i + T * gumbel_i,  T = w * TEMPERATURE * s
 *
 * The k largest keys in order are a draw from the Plackett-Luce model over utility / T
 * (Gumbel-top-k: Kool, van Hoof, Welling, ICML 2019), so slot j has the propensity
 * exp(utility_j / T) / sum over the candidates not yet taken. The bonus is the item's part
 * of recurrent exploration networks (REN: Wang et al., AAAI 2022). w = 0: the best items,
 * each with 1. What explorationWeight means to Amazon: PERSONALIZE 5.1. */
#ifndef EDDY_CORE_EXPLORE_H
#define EDDY_CORE_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

struct eddy_explore_options {
    double weight;         /* 0..1 */
    const bool *is_new;    /* (items) may get the bonus; copied */
    const float *exposure; /* (items) interactions and impressions, >= 0; copied */
    uint32_t items;
    uint64_t seed; /* draws are keyed by (seed, user, revision, item) */
};

/* Constant after _new, so that threads may share it. NULL: memory. */
struct eddy_explorer;
struct eddy_explorer *eddy_explorer_new(const struct eddy_explore_options *options);
void eddy_explorer_free(struct eddy_explorer *explorer); /* NULL is fine */
/* How many items may get the bonus. */
uint32_t eddy_explorer_new_items(const struct eddy_explorer *explorer);

struct eddy_explored {
    uint32_t item;
    float score;       /* its key: falls along the list */
    double propensity; /* given the slots before it */
};
/* Draw a list of at most k from the scores of all items (-infinity and NaN: never), best
 * first into ret (k). The same keys draw the same list. Returns how many, or EDDY_ENOMEM.
 * Thread: any. */
int eddy_explorer_draw(const struct eddy_explorer *explorer, const float *scores,
                       uint64_t user, uint64_t revision, uint32_t k,
                       struct eddy_explored *ret);

#endif
