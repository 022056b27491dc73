/* Layer: io.  One owned partition of store_redis: its connection, fence token, and what its
 * compare-and-set expects. Part of store_redis. */
#ifndef EDDY_IO_REDIS_PART_H
#define EDDY_IO_REDIS_PART_H

#include "base/buf.h"
#include "io/redis.h"
#include "io/store.h"

struct eddy_redis_part {
    uint32_t partition;
    bool armed;
    struct eddy_redis *redis;
    char token[128];
    struct eddy_buf seen; /* bytes of {p}:offset; size 0: the key is absent */
    struct eddy_buf next; /* what seen becomes when the EXEC is applied */
    struct eddy_buf fence_key, offset_key, outbox_key;
    uint32_t load_count; /* of the exchange under way */
};

struct eddy_redis_part *eddy_redis_part_new(const struct eddy_store *store,
                                            uint32_t partition); /* NULL: memory */
void eddy_redis_part_free(struct eddy_redis_part *part);
/* Close the connection and disarm. */
void eddy_redis_part_disconnect(struct eddy_redis_part *part);

/* Append WATCH fence offset and MGET fence offset [outbox]. */
int eddy_redis_part_watch(struct eddy_redis_part *part, bool with_outbox,
                          struct eddy_err *err);
/* The next reply, which must not be an error reply. Owned: freeReplyObject. */
int eddy_redis_part_read(struct eddy_redis_part *part, redisReply **ret,
                         struct eddy_err *err);
int eddy_redis_part_skip(struct eddy_redis_part *part, struct eddy_err *err);
int eddy_redis_part_read_array(struct eddy_redis_part *part, size_t count,
                               redisReply **ret, struct eddy_err *err);
/* Read [fence, offset] and arm if both are what this owner last saw. */
int eddy_redis_part_check(struct eddy_redis_part *part, struct eddy_err *err);

#endif
