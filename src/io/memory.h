/* Layer: io.  Inside the store in memory: the "server" that its handles talk to. Only
 * store_mem.c and memory.c include this. */
#ifndef EDDY_IO_MEMORY_H
#define EDDY_IO_MEMORY_H

#include "io/store_mem.h"

struct eddy_setting { /* one key of a transaction */
    struct eddy_span key, value;
};

/* What WATCH remembers of a partition: the versions of its two keys. */
struct eddy_watched {
    struct eddy_span fence_key, offset_key;
    uint64_t fence_version, offset_version;
};

/* Restarts so far: a handle that saw another number has lost its connection. */
uint64_t eddy_memory_epoch(const struct eddy_memory *memory);
/* Of the newest write to key, 0: never written. */
uint64_t eddy_memory_version(const struct eddy_memory *memory, struct eddy_span key);
/* Borrowed until the next write; data NULL: not there. */
struct eddy_span eddy_memory_value(const struct eddy_memory *memory,
                                   struct eddy_span key);
/* All keys at once: one transaction, one undo record. */
void eddy_memory_write(struct eddy_memory *memory, const struct eddy_setting *settings,
                       uint32_t count);
/* The same, to be done by eddy_memory_deliver_late if the watched keys have not moved. */
void eddy_memory_send_late(struct eddy_memory *memory,
                           const struct eddy_watched *watched,
                           const struct eddy_setting *settings, uint32_t count);

/* The i-th key ever written, in order of first writing; value as above. */
uint32_t eddy_memory_count(const struct eddy_memory *memory);
struct eddy_setting eddy_memory_at(const struct eddy_memory *memory, uint32_t i);

#endif
