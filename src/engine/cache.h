/* Layer: engine.  Decoded states of a worker in fixed slots, least recently used out
 * first. Slots that a batch in flight uses are pinned by their row and stay. */
#ifndef EDDY_ENGINE_CACHE_H
#define EDDY_ENGINE_CACHE_H

#include "base/hash.h"
#include "core/state.h"

#define EDDY_CACHE_NONE UINT32_MAX

/* Looking a user up touches one cache line, when his name has at most 28 bytes. */
struct eddy_cached {
    _Alignas(64) uint64_t hash; /* of (partition, user) */
    struct eddy_state *state;
    uint32_t partition;
    uint32_t row;          /* of the batch in flight, EDDY_CACHE_NONE: not pinned */
    uint32_t newer, older; /* by last use; free slots are linked through older */
    bool used;
    bool loaded; /* state holds what the store holds, or a later one of this batch */
    uint16_t user_size;
    char user[EDDY_ID_MAX];
};

struct eddy_cache {
    struct eddy_cached *slots;
    uint32_t capacity;
    uint32_t newest, oldest, free_slot;
    struct eddy_map index; /* hash -> slot */
    char *states;          /* capacity slots of state_size bytes */
    size_t state_size;
    uint32_t hidden_floats, recent_max; /* what a slot can hold */
};

/* 0 or EDDY_ENOMEM; no state can be held before the first fit. */
int eddy_cache_init(struct eddy_cache *cache, uint32_t capacity);
void eddy_cache_fini(struct eddy_cache *cache);

/* Make slots large enough. When they have to grow, cached states are dropped, and pinned
 * slots stay without one (loaded false). 0 or EDDY_ENOMEM, then nothing has changed. */
int eddy_cache_fit(struct eddy_cache *cache, uint32_t hidden_floats,
                   uint32_t recent_max);

/* The slot of a user, taken from the least recently used one if he has none (loaded
 * false). EDDY_CACHE_NONE: his hash is that of another user who is pinned, or every slot is
 * pinned: the record has to wait for the next batch. */
uint32_t eddy_cache_take(struct eddy_cache *cache, uint32_t partition,
                         struct eddy_span user);

/* Ask for the memory that eddy_cache_take of these users, and then their states, will
 * need. Many look-ups that wait for memory one by one cost more than the rest of decoding;
 * asked for together they overlap. Changes nothing. */
struct eddy_expected {
    uint32_t partition;
    struct eddy_span user;
    uint64_t hash; /* room for eddy_cache_prefetch */
};
void eddy_cache_prefetch(const struct eddy_cache *cache, struct eddy_expected *expected,
                         uint32_t count);

/* Forget all users of a partition, pinned or not. */
void eddy_cache_drop(struct eddy_cache *cache, uint32_t partition);
void eddy_cache_clear(struct eddy_cache *cache);

#endif
