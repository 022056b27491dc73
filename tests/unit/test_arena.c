/* Arena: alignment, growth, limits, and no allocation once the load is steady. */
#include "base/arena.h"

#include <stdint.h>

#include "base/rng.h"
#include "torture.h"

static void memory_is_aligned_and_does_not_overlap(void)
{
    enum { COUNT = 500 };
    struct eddy_arena *arena = eddy_arena_new(100, 10 << 20);
    unsigned char *parts[COUNT];
    size_t sizes[COUNT];
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 1);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            sizes[i] = eddy_rng_below(&rng, i % 10 == 0 ? 5000 : 100);
            parts[i] = eddy_arena_take(arena, sizes[i]);
            if (!CHECK(parts[i] != NULL)) {
                return;
            }
            CHECK_INT((uintptr_t)parts[i] % (sizes[i] >= 64 ? 64 : 16), 0);
            memset(parts[i], (int)(i % 251), sizes[i]);
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t j = 0; j < sizes[i]; j++) {
                if (!CHECK_INT(parts[i][j], i % 251)) {
                    return;
                }
            }
        }
        eddy_arena_reset(arena);
    }
    eddy_arena_free(arena);
    eddy_arena_free(NULL);
}

static void a_steady_load_allocates_nothing(void)
{
    struct eddy_arena *arena = eddy_arena_new(64, 1 << 20);
    for (int turn = 0; turn < 10; turn++) {
        if (turn == 2) { /* the first turn grows, its reset joins */
            torture_arm(0);
        }
        for (int i = 0; i < 1000; i++) {
            CHECK(eddy_arena_take(arena, 200) != NULL);
        }
        eddy_arena_reset(arena);
    }
    CHECK(!atomic_load(&torture_hit));
    torture_arm(-1);
    CHECK(eddy_arena_high_water(arena) >= 200000);
    eddy_arena_free(arena);
}

static void the_limit_holds_and_is_reachable(void)
{
    static const size_t limits[] = {64, 1000, 4096, 100000, 1 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct eddy_arena *arena = eddy_arena_new(64, limits[i]);
        for (int round = 0; round < 3; round++) {
            size_t taken = 0;
            while (eddy_arena_take(arena, 16)) {
                taken += 16;
            }
            CHECK(taken <= limits[i]);
            CHECK(taken + 64 > limits[i]);
            CHECK(eddy_arena_take(arena, limits[i] + 1) == NULL);
            CHECK(eddy_arena_take(arena, SIZE_MAX) == NULL);
            CHECK(eddy_arena_take(arena, SIZE_MAX - 100) == NULL);
            eddy_arena_reset(arena);
        }
        CHECK(eddy_arena_high_water(arena) <= limits[i]);
        eddy_arena_free(arena);
    }
}

static void zeroed_memory_is_zero_and_counts_do_not_overflow(void)
{
    struct eddy_arena *arena = eddy_arena_new(1024, 1 << 20);
    memset(eddy_arena_take(arena, 1000), 0xff, 1000);
    eddy_arena_reset(arena);
    unsigned char *zero = eddy_arena_zero(arena, 100, 10);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(zero[i], 0);
    }
    CHECK(eddy_arena_zero(arena, SIZE_MAX / 2, 3) == NULL);
    CHECK(eddy_arena_zero(arena, 0, 3) != NULL);
    eddy_arena_free(arena);
}

static void copies_end_in_nul(void)
{
    struct eddy_arena *arena = eddy_arena_new(64, 256);
    struct eddy_span copy = eddy_arena_copy(arena, eddy_span_of("hello"));
    CHECK_STR(copy.data, "hello");
    CHECK_INT(copy.size, 5);
    copy = eddy_arena_copy(arena, (struct eddy_span){NULL, 0});
    CHECK_STR(copy.data, "");
    char large[300] = {0};
    copy = eddy_arena_copy(arena, (struct eddy_span){large, sizeof large});
    CHECK(copy.data == NULL && copy.size == 0);
    eddy_arena_free(arena);
}

static bool arena_is_used_for_two_turns(void)
{
    struct eddy_arena *arena = eddy_arena_new(64, 1 << 20);
    bool made = arena != NULL;
    for (int i = 0; made && i < 100; i++) {
        made = eddy_arena_take(arena, 100) != NULL;
    }
    eddy_arena_free(arena);
    return made;
}

static void out_of_memory_is_reported_and_survived(void)
{
    CHECK(TORTURE(arena_is_used_for_two_turns) > 3);
    /* A reset that gets no joined block goes on with the largest that it has. */
    struct eddy_arena *arena = eddy_arena_new(64, 1 << 20);
    for (int i = 0; i < 100; i++) {
        CHECK(eddy_arena_take(arena, 100) != NULL);
    }
    torture_arm(0);
    eddy_arena_reset(arena);
    CHECK(atomic_load(&torture_hit));
    torture_arm(-1);
    for (int i = 0; i < 100; i++) {
        void *part = eddy_arena_take(arena, 100);
        CHECK(part != NULL);
        memset(part, 1, 100);
    }
    eddy_arena_free(arena);
}

int main(void)
{
    RUN(memory_is_aligned_and_does_not_overlap);
    RUN(a_steady_load_allocates_nothing);
    RUN(the_limit_holds_and_is_reachable);
    RUN(zeroed_memory_is_zero_and_counts_do_not_overflow);
    RUN(copies_end_in_nul);
    RUN(out_of_memory_is_reported_and_survived);
    return check_done();
}
