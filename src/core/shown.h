/* Layer: core.  What a user was shown lately and has not chosen since: part of a state, kept
 * the same way by worker, play and stream. A ring by item: shown again, an item becomes the
 * newest, chosen it leaves. */
#ifndef EDDY_CORE_SHOWN_H
#define EDDY_CORE_SHOWN_H

#include <stdint.h>

enum { EDDY_SHOWN_MAX = 50 };
struct eddy_shown {
    uint64_t item_hash;
    uint32_t ts_s;  /* when last */
    uint32_t times; /* how often since it was last chosen; saturating */
};
struct eddy_shown_ring {
    uint32_t count;
    struct eddy_shown entries[EDDY_SHOWN_MAX]; /* oldest first */
};

/* The user took the item. */
void eddy_shown_choose(struct eddy_shown_ring *ring, uint64_t item_hash);
/* A list that was shown at ts_s; the user took *chosen of it, NULL: nothing. Repeats on the
 * list count once. The oldest entries make room. */
void eddy_shown_note(struct eddy_shown_ring *ring, const uint64_t *item_hashes,
                     uint32_t count, const uint64_t *chosen, uint32_t ts_s);
/* Into ret (count): how many lists were shown after each entry's last one, seen by the times
 * that the ring holds. */
void eddy_shown_ages(const struct eddy_shown_ring *ring, uint32_t *ret);

#endif
