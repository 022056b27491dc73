/* Layer: io.  The store in memory, for the simulator, replay and unit tests, with the
 * faults that a real one has. Several eddy_store handles share one eddy_memory. */
#ifndef EDDY_IO_STORE_MEM_H
#define EDDY_IO_STORE_MEM_H

#include "io/store.h"

struct eddy_memory; /* the "server": keys and values, versions for WATCH */

/* history: how many commits can be taken back by eddy_memory_lose_tail. */
struct eddy_memory *eddy_memory_new(uint32_t history);
void eddy_memory_free(struct eddy_memory *memory);

/* A client handle: one owner. */
struct eddy_store *eddy_store_mem_open(struct eddy_memory *memory, const char *prefix,
                                       const char *owner);

/* Faults. The next exchange of this handle fails with EDDY_ESTORE: before it takes effect,
 * or after (the reply is lost). */
enum eddy_mem_fault { EDDY_MEM_FAIL_BEFORE, EDDY_MEM_FAIL_AFTER };
void eddy_store_mem_fail_next(struct eddy_store *store, enum eddy_mem_fault fault);
/* Undo the newest writes (at most as many as kept): what a crash with a cut AOF does. All
 * handles are disconnected: their next exchange fails. Returns how many were undone. */
uint32_t eddy_memory_lose_tail(struct eddy_memory *memory, uint32_t writes);

#endif
