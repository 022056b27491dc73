/* The worker's cache of decoded states.
 *
 * One block of equal slots, sized for the largest model known; no memory is taken per
 * event. A list by last use runs through the slots. Two users with one 64-bit hash cannot
 * both be in it: the later one replaces the earlier one, or waits if that one is in use,
 * so a crafted collision costs time and nothing else. */
#include "engine/cache.h"

#include <stdlib.h>

#include "base/log.h"

static void push_free(struct eddy_cache *cache, uint32_t at)
{
    struct eddy_cached *slot = &cache->slots[at];
    slot->used = false;
    slot->loaded = false;
    slot->row = EDDY_CACHE_NONE;
    slot->older = cache->free_slot;
    cache->free_slot = at;
}

static void reset_lists(struct eddy_cache *cache)
{
    cache->newest = EDDY_CACHE_NONE;
    cache->oldest = EDDY_CACHE_NONE;
    cache->free_slot = EDDY_CACHE_NONE;
    for (uint32_t at = cache->capacity; at-- > 0;) {
        push_free(cache, at);
    }
}

int eddy_cache_init(struct eddy_cache *cache, uint32_t capacity)
{
    memset(cache, 0, sizeof *cache);
    cache->slots = aligned_alloc(64, capacity * sizeof *cache->slots);
    if (!cache->slots || eddy_map_init(&cache->index, capacity) < 0) {
        free(cache->slots);
        memset(cache, 0, sizeof *cache);
        return EDDY_ENOMEM;
    }
    memset(cache->slots, 0, capacity * sizeof *cache->slots);
    cache->capacity = capacity;
    reset_lists(cache);
    return 0;
}

void eddy_cache_fini(struct eddy_cache *cache)
{
    if (cache->slots) {
        eddy_map_fini(&cache->index);
    }
    free(cache->slots);
    free(cache->states);
    memset(cache, 0, sizeof *cache);
}

static void unlink_slot(struct eddy_cache *cache, uint32_t at)
{
    const struct eddy_cached *slot = &cache->slots[at];
    if (slot->newer == EDDY_CACHE_NONE) {
        cache->newest = slot->older;
    } else {
        cache->slots[slot->newer].older = slot->older;
    }
    if (slot->older == EDDY_CACHE_NONE) {
        cache->oldest = slot->newer;
    } else {
        cache->slots[slot->older].newer = slot->newer;
    }
}

static void link_newest(struct eddy_cache *cache, uint32_t at)
{
    struct eddy_cached *slot = &cache->slots[at];
    slot->newer = EDDY_CACHE_NONE;
    slot->older = cache->newest;
    if (cache->newest == EDDY_CACHE_NONE) {
        cache->oldest = at;
    } else {
        cache->slots[cache->newest].newer = at;
    }
    cache->newest = at;
}

static void drop_slot(struct eddy_cache *cache, uint32_t at)
{
    eddy_map_remove(&cache->index, cache->slots[at].hash);
    unlink_slot(cache, at);
    push_free(cache, at);
}

void eddy_cache_drop(struct eddy_cache *cache, uint32_t partition)
{
    for (uint32_t at = 0; at < cache->capacity; at++) {
        if (cache->slots[at].used && cache->slots[at].partition == partition) {
            drop_slot(cache, at);
        }
    }
}

void eddy_cache_clear(struct eddy_cache *cache)
{
    eddy_map_clear(&cache->index);
    reset_lists(cache);
}

int eddy_cache_fit(struct eddy_cache *cache, uint32_t hidden_floats,
                   uint32_t recent_max)
{
    if (cache->states && hidden_floats <= cache->hidden_floats &&
        recent_max <= cache->recent_max) {
        return 0;
    }
    uint32_t hidden =
        hidden_floats > cache->hidden_floats ? hidden_floats : cache->hidden_floats;
    uint32_t recent = recent_max > cache->recent_max ? recent_max : cache->recent_max;
    size_t size = (eddy_state_size(hidden, recent) + 63) & ~(size_t)63;
    if (size > SIZE_MAX / cache->capacity) {
        return EDDY_ENOMEM;
    }
    char *states = aligned_alloc(64, size * cache->capacity);
    if (!states) {
        return EDDY_ENOMEM;
    }
    free(cache->states);
    cache->states = states;
    cache->state_size = size;
    cache->hidden_floats = hidden;
    cache->recent_max = recent;
    for (uint32_t at = 0; at < cache->capacity; at++) {
        struct eddy_cached *slot = &cache->slots[at];
        slot->state = eddy_state_init(states + at * size, hidden, recent);
        slot->loaded = false;
        if (slot->used && slot->row == EDDY_CACHE_NONE) {
            drop_slot(cache, at);
        }
    }
    return 0;
}

/* A slot for a newcomer: a free one, else the least recently used that is not pinned. */
static uint32_t find_room(struct eddy_cache *cache)
{
    uint32_t at = cache->free_slot;
    if (at != EDDY_CACHE_NONE) {
        cache->free_slot = cache->slots[at].older;
        return at;
    }
    at = cache->oldest;
    while (at != EDDY_CACHE_NONE && cache->slots[at].row != EDDY_CACHE_NONE) {
        at = cache->slots[at].newer;
    }
    if (at != EDDY_CACHE_NONE) {
        drop_slot(cache, at);
        cache->free_slot = cache->slots[at].older;
    }
    return at;
}

static uint64_t hash_of(uint32_t partition, struct eddy_span user)
{
    uint64_t hash = eddy_mix64(eddy_hash64(user), partition);
    return hash ? hash : 1; /* the map's keys are not 0 */
}

/* Each pass needs what the one before has asked for. */
void eddy_cache_prefetch(const struct eddy_cache *cache, struct eddy_expected *expected,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        expected[i].hash = hash_of(expected[i].partition, expected[i].user);
        eddy_map_prefetch(&cache->index, expected[i].hash);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = eddy_map_get(&cache->index, expected[i].hash);
        if (at != EDDY_MAP_NONE && cache->states) {
            const char *state = cache->states + at * cache->state_size;
            __builtin_prefetch(&cache->slots[at], 1);
            __builtin_prefetch(&cache->slots[at].state);
            for (size_t line = 0; line < sizeof(struct eddy_state); line += 64) {
                __builtin_prefetch(state + line, 1);
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = eddy_map_get(&cache->index, expected[i].hash);
        if (at != EDDY_MAP_NONE) { /* its neighbours by last use, which take relinks */
            const struct eddy_cached *slot = &cache->slots[at];
            if (slot->newer != EDDY_CACHE_NONE) {
                __builtin_prefetch(&cache->slots[slot->newer], 1);
            }
            if (slot->older != EDDY_CACHE_NONE) {
                __builtin_prefetch(&cache->slots[slot->older], 1);
            }
        }
    }
}

uint32_t eddy_cache_take(struct eddy_cache *cache, uint32_t partition,
                         struct eddy_span user)
{
    uint64_t hash = hash_of(partition, user);
    uint32_t at = eddy_map_get(&cache->index, hash);
    if (at != EDDY_MAP_NONE) {
        const struct eddy_cached *slot = &cache->slots[at];
        if (slot->partition == partition &&
            eddy_span_eq((struct eddy_span){slot->user, slot->user_size}, user)) {
            unlink_slot(cache, at);
            link_newest(cache, at);
            return at;
        }
        if (slot->row != EDDY_CACHE_NONE) {
            return EDDY_CACHE_NONE;
        }
        drop_slot(cache, at);
    }
    at = find_room(cache);
    if (at == EDDY_CACHE_NONE) {
        return at;
    }
    struct eddy_cached *slot = &cache->slots[at];
    EDDY_ASSERT(user.size <= sizeof slot->user);
    EDDY_ASSERT(eddy_map_put(&cache->index, hash, at) == 0); /* within its size */
    slot->hash = hash;
    slot->partition = partition;
    slot->user_size = (uint16_t)user.size;
    memcpy(slot->user, user.data, user.size);
    slot->used = true;
    slot->loaded = false;
    slot->row = EDDY_CACHE_NONE;
    link_newest(cache, at);
    return at;
}
