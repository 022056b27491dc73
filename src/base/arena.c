/* Bump allocator with the lifetime of a batch.
 *
 * A chain of blocks, newest first; memory is cut from the newest. When it is full, a block
 * as large as all before together is added (so the count of blocks is logarithmic), never
 * beyond max_size in all. A reset replaces the chain by one block of the chain's size:
 * after the largest batch so far a steady load allocates nothing.
 *
 * Under AddressSanitizer everything not handed out is poisoned, so that a use after reset
 * is reported like a use after free. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define EDDY_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EDDY_HAS_ASAN 1
#endif
#endif
#ifdef EDDY_HAS_ASAN
/* From sanitizer/asan_interface.h, which need not be installed. */
void __asan_poison_memory_region(void const volatile *address, size_t size);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);
#define POISON(at, size)   __asan_poison_memory_region(at, size)
#define UNPOISON(at, size) __asan_unpoison_memory_region(at, size)
#else
#define POISON(at, size)   ((void)(at), (void)(size))
#define UNPOISON(at, size) ((void)(at), (void)(size))
#endif

enum { LINE = 64 };

/* Header of one block; the bytes follow it at a distance of one cache line. */
struct block {
    struct block *older;
    size_t size; /* usable bytes, a multiple of LINE */
    size_t used;
};
_Static_assert(sizeof(struct block) <= LINE, "header fits its cache line");

struct eddy_arena {
    struct block *newest;
    size_t total;    /* sum of block sizes */
    size_t filled;   /* used bytes of all blocks but the newest */
    size_t max_size; /* limit of total */
    size_t high_water;
};

static char *block_bytes(struct block *block)
{
    return (char *)block + LINE;
}

static size_t round_up(size_t size)
{
    return size > SIZE_MAX - LINE ? SIZE_MAX : (size + LINE - 1) & ~(size_t)(LINE - 1);
}

static struct block *block_new(size_t size)
{
    if (size > SIZE_MAX - LINE - LINE) {
        return NULL;
    }
    struct block *block = aligned_alloc(LINE, size + LINE);
    if (!block) {
        return NULL;
    }
    block->older = NULL;
    block->size = size;
    block->used = 0;
    POISON(block_bytes(block), size);
    return block;
}

static void block_free(struct block *block)
{
    UNPOISON(block_bytes(block), block->size);
    free(block);
}

struct eddy_arena *eddy_arena_new(size_t capacity, size_t max_size)
{
    struct eddy_arena *arena = calloc(1, sizeof *arena);
    if (!arena) {
        return NULL;
    }
    size_t size = round_up(capacity ? capacity : 1);
    arena->newest = block_new(size);
    if (!arena->newest) {
        free(arena);
        return NULL;
    }
    arena->total = size;
    arena->max_size = max_size > size ? max_size : size;
    return arena;
}

void eddy_arena_free(struct eddy_arena *arena)
{
    if (!arena) {
        return;
    }
    while (arena->newest) {
        struct block *block = arena->newest;
        arena->newest = block->older;
        block_free(block);
    }
    free(arena);
}

/* Add a block with room for size more bytes. */
static bool grow(struct eddy_arena *arena, size_t size)
{
    size_t need = round_up(size);
    size_t room = arena->max_size - arena->total;
    if (need > room) {
        return false;
    }
    size_t want = arena->total > need ? arena->total : need;
    if (want > room) {
        want = room & ~(size_t)(LINE - 1);
    }
    struct block *block = block_new(want);
    if (!block) {
        return false;
    }
    arena->filled += arena->newest->used;
    block->older = arena->newest;
    arena->newest = block;
    arena->total += want;
    return true;
}

void *eddy_arena_take(struct eddy_arena *arena, size_t size)
{
    size_t align = size >= LINE ? LINE : 16;
    size = size ? size : 1;
    struct block *block = arena->newest;
    size_t at = (block->used + align - 1) & ~(align - 1);
    if (at > block->size || size > block->size - at) {
        if (size > arena->max_size || !grow(arena, size)) {
            return NULL;
        }
        block = arena->newest;
        at = 0;
    }
    block->used = at + size;
    char *bytes = block_bytes(block) + at;
    UNPOISON(bytes, size);
    return bytes;
}

void *eddy_arena_zero(struct eddy_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    void *bytes = eddy_arena_take(arena, total);
    if (bytes) {
        memset(bytes, 0, total);
    }
    return bytes;
}

struct eddy_span eddy_arena_copy(struct eddy_arena *arena, struct eddy_span bytes)
{
    char *copy = bytes.size < SIZE_MAX ? eddy_arena_take(arena, bytes.size + 1) : NULL;
    if (!copy) {
        return (struct eddy_span){NULL, 0};
    }
    if (bytes.size) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    return (struct eddy_span){copy, bytes.size};
}

/* Make one block of the chain. The largest one stays as the fallback when there is no
 * memory for one of the full size; it is the newest but for the last, cut one. */
static void join_blocks(struct eddy_arena *arena)
{
    struct block *largest = arena->newest;
    if (largest->older && largest->older->size > largest->size) {
        largest = largest->older;
    }
    while (arena->newest) {
        struct block *block = arena->newest;
        arena->newest = block->older;
        if (block != largest) {
            block_free(block);
        }
    }
    struct block *joined = block_new(arena->total);
    if (joined) {
        block_free(largest);
        largest = joined;
    }
    largest->older = NULL;
    arena->newest = largest;
    arena->total = largest->size;
}

void eddy_arena_reset(struct eddy_arena *arena)
{
    arena->high_water = eddy_arena_high_water(arena);
    if (arena->newest->older) {
        join_blocks(arena);
    }
    arena->newest->used = 0;
    arena->filled = 0;
    POISON(block_bytes(arena->newest), arena->newest->size);
}

size_t eddy_arena_high_water(const struct eddy_arena *arena)
{
    size_t used = arena->filled + arena->newest->used;
    return used > arena->high_water ? used : arena->high_water;
}
