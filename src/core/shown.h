/* Layer: core.  What a user was shown lately and did not choose: part of a state, kept the
 * same way by worker, play and stream. Items are hashes in a worker and indices elsewhere:
 * the ring only compares them. */
#ifndef EDDY_CORE_SHOWN_H
#define EDDY_CORE_SHOWN_H

#include <stdint.h>

enum { EDDY_SHOWN_MAX = 50, EDDY_SHOWN_AGE_MAX = 255 };
struct eddy_shown {
    uint64_t item;
    uint32_t age; /* lists shown after that one; saturates at EDDY_SHOWN_AGE_MAX */
};
struct eddy_shown_ring {
    uint32_t count;
    struct eddy_shown entries[EDDY_SHOWN_MAX]; /* oldest first, lists in their order */
};

/* The user took the item: it is forgotten, wherever it stood. */
void eddy_shown_choose(struct eddy_shown_ring *ring, uint64_t item);
/* A new list begins: all that is there is one list older. */
void eddy_shown_begin(struct eddy_shown_ring *ring);
/* It shows an item. The oldest entry makes room when there is none. Of an event the item
 * that it chose is not added: it was shown, and chosen. */
void eddy_shown_add(struct eddy_shown_ring *ring, uint64_t item);

#endif
