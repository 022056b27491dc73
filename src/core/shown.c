/* A short array, moved as a whole: 800 bytes at most, once per item of a list. */
#include "core/shown.h"

#include <stdbool.h>
#include <string.h>

/* Takes the entry of an item out; one of no times when there is none. */
static struct eddy_shown take(struct eddy_shown_ring *ring, uint64_t item_hash)
{
    struct eddy_shown found = {.item_hash = item_hash};
    for (uint32_t i = 0; i < ring->count; i++) {
        if (ring->entries[i].item_hash != item_hash)
            continue;
        found = ring->entries[i];
        ring->count--;
        memmove(ring->entries + i, ring->entries + i + 1,
                (ring->count - i) * sizeof *ring->entries);
        break;
    }
    return found;
}

void eddy_shown_choose(struct eddy_shown_ring *ring, uint64_t item_hash)
{
    (void)take(ring, item_hash);
}

void eddy_shown_note(struct eddy_shown_ring *ring, const uint64_t *item_hashes,
                     uint32_t count, const uint64_t *chosen, uint32_t ts_s)
{
    for (uint32_t i = 0; i < count; i++) {
        bool out = chosen != NULL && item_hashes[i] == *chosen;
        for (uint32_t k = 0; k < i && !out; k++)
            out = item_hashes[k] == item_hashes[i];
        if (out)
            continue;
        struct eddy_shown shown = take(ring, item_hashes[i]);
        if (ring->count == EDDY_SHOWN_MAX)
            (void)take(ring, ring->entries[0].item_hash);
        shown.ts_s = shown.ts_s > ts_s ? shown.ts_s : ts_s;
        shown.times += shown.times < UINT32_MAX;
        ring->entries[ring->count++] = shown;
    }
}

void eddy_shown_ages(const struct eddy_shown_ring *ring, uint32_t *ret)
{
    uint32_t age = 0;
    for (uint32_t i = ring->count; i-- > 0;) {
        if (i + 1 < ring->count && ring->entries[i].ts_s != ring->entries[i + 1].ts_s)
            age++;
        ret[i] = age;
    }
}
