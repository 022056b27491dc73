/* Layer: base.  Bump allocator with the lifetime of a batch (PostgreSQL's memory
 * contexts, nginx's pools): memory is taken in order and given back all at once. */
#ifndef EDDY_BASE_ARENA_H
#define EDDY_BASE_ARENA_H

#include "base/span.h"

struct eddy_arena;

/* One block of capacity bytes is taken now; it grows by further blocks up to max_size
 * bytes in all, and a reset keeps one block as large as all of them were, so that a
 * steady load allocates nothing. NULL when memory is out. Owned: eddy_arena_free. */
struct eddy_arena *eddy_arena_new(size_t capacity, size_t max_size);
void eddy_arena_free(struct eddy_arena *arena);

/* size bytes, 64-byte aligned when size >= 64, else 16; not zeroed. NULL beyond
 * max_size. Lives until the next reset. Thread: the owner's. */
void *eddy_arena_take(struct eddy_arena *arena, size_t size);

/* count * size bytes, zeroed; NULL on overflow or beyond max_size. */
void *eddy_arena_zero(struct eddy_arena *arena, size_t count, size_t size);

/* A copy of bytes with a NUL behind it. data is NULL when memory is out. */
struct eddy_span eddy_arena_copy(struct eddy_arena *arena, struct eddy_span bytes);

void eddy_arena_reset(struct eddy_arena *arena);

/* Largest number of bytes in use before any reset so far. */
size_t eddy_arena_high_water(const struct eddy_arena *arena);

#endif
