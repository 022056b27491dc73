/* Layer: io.  Plain reads and writes on Redis outside the protocol: one connection, opened
 * when first needed and again after an error. Part of store_redis. */
#ifndef EDDY_IO_REDIS_PLAIN_H
#define EDDY_IO_REDIS_PLAIN_H

#include "base/arena.h"
#include "base/buf.h"
#include "io/redis.h"
#include "io/store.h"

struct eddy_redis_plain {
    const struct eddy_redis_options *options;
    const char *name;
    struct eddy_redis *redis;
};

/* One MGET; values into the arena, absent ones with data NULL. */
int eddy_redis_plain_get(struct eddy_redis_plain *plain, const struct eddy_span *keys,
                         uint32_t count, struct eddy_arena *arena,
                         struct eddy_span *ret_values, struct eddy_err *err);
/* SETNX: 1 written, 0 it was there. */
int eddy_redis_plain_set_if_absent(struct eddy_redis_plain *plain, struct eddy_span key,
                                   struct eddy_span value, struct eddy_err *err);
/* Every user with a state in the partition, sorted, each once. */
int eddy_redis_plain_scan(struct eddy_redis_plain *plain,
                          const struct eddy_store *store, uint32_t partition,
                          int (*visit)(void *context, struct eddy_span user,
                                       struct eddy_span blob, struct eddy_span list),
                          void *context, struct eddy_err *err);
/* PING and what INFO says about settings that matter; ret_report may be NULL. */
int eddy_redis_plain_check(struct eddy_redis_plain *plain, struct eddy_buf *ret_report,
                           struct eddy_err *err);
void eddy_redis_plain_close(struct eddy_redis_plain *plain);

#endif
