/* Map from 64-bit hash to index (contract in hash.h): open addressing with linear probing,
 * at most three quarters full, and backward-shift deletion (Knuth 6.4, algorithm R), so that
 * there are no tombstones and look-ups never slow down. Key 0 marks an empty slot. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "eddy/error.h"

enum { SLOTS_MIN = 16 };

/* Keys are hashes already, but tests and small tables use plain numbers: multiply. */
static uint32_t home_of(const struct eddy_map *map, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & map->mask;
}

static bool fits(uint64_t slots, uint64_t count)
{
    return count * 4 <= slots * 3;
}

static int make_slots(struct eddy_map *map, uint64_t slots)
{
    if (slots > UINT64_C(1) << 32) {
        return EDDY_ENOMEM;
    }
    uint64_t *keys = calloc(slots, sizeof *keys);
    uint32_t *values = malloc(slots * sizeof *values);
    if (!keys || !values) {
        free(keys);
        free(values);
        return EDDY_ENOMEM;
    }
    *map = (struct eddy_map){keys, values, 0, (uint32_t)(slots - 1)};
    return 0;
}

int eddy_map_init(struct eddy_map *map, uint32_t expected)
{
    uint64_t slots = SLOTS_MIN;
    *map = (struct eddy_map){NULL, NULL, 0, 0};
    while (!fits(slots, expected)) {
        slots *= 2;
    }
    return make_slots(map, slots);
}

void eddy_map_fini(struct eddy_map *map)
{
    free(map->keys);
    free(map->values);
    *map = (struct eddy_map){NULL, NULL, 0, 0};
}

void eddy_map_clear(struct eddy_map *map)
{
    if (map->keys) {
        memset(map->keys, 0, ((size_t)map->mask + 1) * sizeof *map->keys);
    }
    map->count = 0;
}

/* The slot that holds key, or the empty one where it would go. */
static uint32_t slot_of(const struct eddy_map *map, uint64_t key)
{
    uint32_t slot = home_of(map, key);
    while (map->keys[slot] != 0 && map->keys[slot] != key) {
        slot = (slot + 1) & map->mask;
    }
    return slot;
}

uint32_t eddy_map_get(const struct eddy_map *map, uint64_t key)
{
    if (map->count == 0) {
        return EDDY_MAP_NONE;
    }
    uint32_t slot = slot_of(map, key);
    return map->keys[slot] == key && key != 0 ? map->values[slot] : EDDY_MAP_NONE;
}

static int grow(struct eddy_map *map)
{
    struct eddy_map larger;
    uint64_t slots = map->keys ? ((uint64_t)map->mask + 1) * 2 : SLOTS_MIN;
    if (make_slots(&larger, slots) < 0) {
        return EDDY_ENOMEM;
    }
    for (uint64_t i = 0; map->keys && i <= map->mask; i++) {
        if (map->keys[i] != 0) {
            uint32_t slot = slot_of(&larger, map->keys[i]);
            larger.keys[slot] = map->keys[i];
            larger.values[slot] = map->values[i];
        }
    }
    larger.count = map->count;
    eddy_map_fini(map);
    *map = larger;
    return 0;
}

void eddy_map_prefetch(const struct eddy_map *map, uint64_t key)
{
    if (map->keys) {
        uint32_t at = home_of(map, key);
        __builtin_prefetch(&map->keys[at]);
        __builtin_prefetch(&map->values[at]);
    }
}

int eddy_map_put(struct eddy_map *map, uint64_t key, uint32_t value)
{
    EDDY_ASSERT(key != 0);
    if (map->keys) {
        uint32_t slot = slot_of(map, key);
        if (map->keys[slot] == key) {
            map->values[slot] = value;
            return 0;
        }
    }
    if (!map->keys || !fits((uint64_t)map->mask + 1, (uint64_t)map->count + 1)) {
        if (grow(map) < 0) {
            return EDDY_ENOMEM;
        }
    }
    uint32_t slot = slot_of(map, key);
    map->keys[slot] = key;
    map->values[slot] = value;
    map->count++;
    return 0;
}

void eddy_map_remove(struct eddy_map *map, uint64_t key)
{
    if (map->count == 0 || key == 0) {
        return;
    }
    uint32_t hole = slot_of(map, key);
    if (map->keys[hole] != key) {
        return;
    }
    map->count--;
    /* Pull back every follower that may stand in the hole: its home is not behind it. */
    for (uint32_t next = (hole + 1) & map->mask; map->keys[next] != 0;
         next = (next + 1) & map->mask) {
        uint32_t distance = (next - home_of(map, map->keys[next])) & map->mask;
        if (distance >= ((next - hole) & map->mask)) {
            map->keys[hole] = map->keys[next];
            map->values[hole] = map->values[next];
            hole = next;
        }
    }
    map->keys[hole] = 0;
}
