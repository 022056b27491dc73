/* The worker's cache of states. */
#include "check.h"
#include "engine/cache.h"

static struct eddy_span name(uint32_t i)
{
    static char text[64][24];
    char *slot = text[i % 64];
    (void)snprintf(slot, sizeof text[0], "user%u", i);
    return eddy_span_of(slot);
}

static struct eddy_cache open_cache(uint32_t capacity)
{
    struct eddy_cache cache;
    CHECK_INT(eddy_cache_init(&cache, capacity), 0);
    CHECK_INT(eddy_cache_fit(&cache, 16, 4), 0);
    return cache;
}

/* Take a slot and say that its state was loaded. */
static uint32_t load(struct eddy_cache *cache, uint32_t partition, uint32_t user)
{
    uint32_t at = eddy_cache_take(cache, partition, name(user));
    CHECK(at != EDDY_CACHE_NONE);
    cache->slots[at].loaded = true;
    return at;
}

static bool is_cached(struct eddy_cache *cache, uint32_t partition, uint32_t user)
{
    uint32_t at = eddy_cache_take(cache, partition, name(user));
    return at != EDDY_CACHE_NONE && cache->slots[at].loaded;
}

static void user_keeps_his_slot(void)
{
    struct eddy_cache cache = open_cache(8);
    uint32_t at = load(&cache, 3, 1);
    CHECK_INT(eddy_cache_take(&cache, 3, name(1)), at);
    CHECK(eddy_cache_take(&cache, 4, name(1)) != at); /* another partition's namesake */
    CHECK((uintptr_t)cache.slots[at].state % 64 == 0);
    eddy_cache_fini(&cache);
}

static void least_recently_used_goes_first(void)
{
    struct eddy_cache cache = open_cache(4);
    for (uint32_t user = 0; user < 4; user++) {
        load(&cache, 0, user);
    }
    CHECK(is_cached(&cache, 0, 0)); /* used again: now 1 is the oldest */
    load(&cache, 0, 4);
    CHECK(is_cached(&cache, 0, 0));
    CHECK(!is_cached(&cache, 0, 1));
    eddy_cache_fini(&cache);
}

static void pinned_slot_stays(void)
{
    struct eddy_cache cache = open_cache(3);
    uint32_t pinned = load(&cache, 0, 0);
    cache.slots[pinned].row = 0;
    for (uint32_t user = 1; user < 20; user++) {
        CHECK(load(&cache, 0, user) != pinned);
    }
    CHECK_INT(eddy_cache_take(&cache, 0, name(0)), pinned);
    for (uint32_t at = 0; at < 3; at++) {
        cache.slots[at].row = at;
    }
    CHECK_INT(eddy_cache_take(&cache, 0, name(50)), EDDY_CACHE_NONE);
    eddy_cache_fini(&cache);
}

static void dropped_partition_is_gone_and_others_stay(void)
{
    struct eddy_cache cache = open_cache(16);
    for (uint32_t user = 0; user < 6; user++) {
        load(&cache, user % 2, user);
    }
    eddy_cache_drop(&cache, 1);
    CHECK(is_cached(&cache, 0, 4));
    CHECK(!is_cached(&cache, 1, 5));
    eddy_cache_clear(&cache);
    CHECK(!is_cached(&cache, 0, 4));
    eddy_cache_fini(&cache);
}

static void larger_model_drops_states_and_keeps_pins(void)
{
    struct eddy_cache cache = open_cache(16);
    uint32_t pinned = load(&cache, 0, 1);
    cache.slots[pinned].row = 5;
    load(&cache, 0, 2);
    CHECK_INT(eddy_cache_fit(&cache, 8, 2), 0); /* smaller: nothing happens */
    CHECK(cache.slots[pinned].loaded && is_cached(&cache, 0, 2));
    CHECK_INT(eddy_cache_fit(&cache, 64, 4), 0);
    CHECK_INT(eddy_cache_take(&cache, 0, name(1)), pinned);
    CHECK(!cache.slots[pinned].loaded);
    CHECK(!is_cached(&cache, 0, 2));
    CHECK_INT(cache.slots[pinned].state->hidden_capacity, 64);
    CHECK_INT(cache.slots[pinned].state->recent_capacity, 4);
    eddy_cache_fini(&cache);
}

static void longest_name_fits(void)
{
    char text[EDDY_ID_MAX];
    struct eddy_cache cache = open_cache(4);
    memset(text, 'x', sizeof text);
    struct eddy_span user = {text, sizeof text};
    uint32_t at = eddy_cache_take(&cache, 0, user);
    CHECK(at != EDDY_CACHE_NONE);
    CHECK_INT(eddy_cache_take(&cache, 0, user), at);
    eddy_cache_fini(&cache);
}

int main(void)
{
    RUN(user_keeps_his_slot);
    RUN(least_recently_used_goes_first);
    RUN(pinned_slot_stays);
    RUN(dropped_partition_is_gone_and_others_stay);
    RUN(larger_model_drops_states_and_keeps_pins);
    RUN(longest_name_fits);
    return check_done();
}
