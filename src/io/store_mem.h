/* Layer: io.  The store in memory, for the simulator, replay and unit tests, with the
 * faults that a real one has. Several eddy_store handles share one eddy_memory; all of
 * them belong to one thread. */
#ifndef EDDY_IO_STORE_MEM_H
#define EDDY_IO_STORE_MEM_H

#include "io/store.h"

struct eddy_memory; /* the "server": keys and values, versions for WATCH */

/* history: how many writes can be taken back by eddy_memory_lose_tail. NULL: memory. */
struct eddy_memory *eddy_memory_new(uint32_t history);
void eddy_memory_free(struct eddy_memory *memory); /* after its handles were closed */

/* A client handle: one owner. NULL: memory. Owned: eddy_store_close. */
struct eddy_store *eddy_store_mem_open(struct eddy_memory *memory, const char *prefix,
                                       const char *owner);

/* The next exchange of this handle fails with EDDY_ESTORE. */
enum eddy_mem_fault {
    EDDY_MEM_FAIL_BEFORE, /* nothing arrived                                           */
    EDDY_MEM_FAIL_AFTER, /* it took effect, the reply is lost                         */
    EDDY_MEM_FAIL_HALF,  /* a commit: the first half of the partitions took effect    */
    EDDY_MEM_FAIL_LATE,  /* a commit: still on its way, see eddy_memory_deliver_late  */
};
void eddy_store_mem_fail_next(struct eddy_store *store, enum eddy_mem_fault fault);

/* Commits that were on their way in abandoned connections arrive now, oldest first, under
 * the watches of their time. Returns how many took effect. */
uint32_t eddy_memory_deliver_late(struct eddy_memory *memory);

/* Undo the newest writes (at most as many as kept): what a crash with a cut AOF does. All
 * handles are disconnected: their next exchange fails. Returns how many were undone. */
uint32_t eddy_memory_lose_tail(struct eddy_memory *memory, uint32_t writes);

#endif
