/* Layer: io.  One connection to Redis through hiredis (0.14 is the floor): connect,
 * authenticate, pipeline, and errors translated to sentences. */
#ifndef EDDY_IO_REDIS_H
#define EDDY_IO_REDIS_H

#include <hiredis/hiredis.h>

#include "base/span.h"
#include "eddy/error.h"
#include "io/store_redis.h"

struct eddy_redis;

/* Connect (TCP or unix socket), AUTH, SELECT, CLIENT SETNAME name. options is borrowed for
 * the connection's life. EDDY_ESTORE with a sentence that says what to do. Blocks: at most
 * options->timeout_ms for each of these steps. */
int eddy_redis_open(const struct eddy_redis_options *options, const char *name,
                    struct eddy_redis **ret, struct eddy_err *err);
void eddy_redis_close(struct eddy_redis *redis); /* NULL is fine */

/* Append a command to the pipeline; bytes are copied. */
int eddy_redis_append(struct eddy_redis *redis, const struct eddy_span *words,
                      size_t count, struct eddy_err *err);
int eddy_redis_append_text(struct eddy_redis *redis, const char *const *words,
                           size_t count, struct eddy_err *err);
/* Write everything appended. After an error here or in eddy_redis_read the connection is
 * of no use any more: close it. */
int eddy_redis_write(struct eddy_redis *redis, struct eddy_err *err);
/* The next reply in order. Owned: freeReplyObject. An error reply is returned as such; see
 * eddy_redis_refused. */
int eddy_redis_read(struct eddy_redis *redis, redisReply **ret, struct eddy_err *err);
/* Translate an error reply to EDDY_ESTORE and a sentence; 0 for any other reply. */
int eddy_redis_refused(const struct eddy_redis *redis, const redisReply *reply,
                       struct eddy_err *err);

static inline struct eddy_span eddy_redis_span(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING
               ? (struct eddy_span){reply->str, (size_t)reply->len}
               : (struct eddy_span){NULL, 0};
}

#endif
