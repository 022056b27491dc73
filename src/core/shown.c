/* A short array, moved as a whole: 800 bytes at most, once per list or choice. */
#include "core/shown.h"

#include <string.h>

void eddy_shown_choose(struct eddy_shown_ring *ring, uint64_t item)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ring->count; i++)
        if (ring->entries[i].item != item)
            ring->entries[kept++] = ring->entries[i];
    ring->count = kept;
}

void eddy_shown_begin(struct eddy_shown_ring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++)
        ring->entries[i].age += ring->entries[i].age < EDDY_SHOWN_AGE_MAX;
}

void eddy_shown_add(struct eddy_shown_ring *ring, uint64_t item)
{
    if (ring->count == EDDY_SHOWN_MAX) {
        ring->count--;
        memmove(ring->entries, ring->entries + 1, ring->count * sizeof *ring->entries);
    }
    ring->entries[ring->count++] = (struct eddy_shown){.item = item};
}
