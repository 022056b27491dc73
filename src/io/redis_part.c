/* One owned partition's connection, and the replies of its protocol steps. See the
 * invariants in store_redis.c. */
#include "io/redis_part.h"

#include <inttypes.h>
#include <stdlib.h>

void eddy_redis_part_disconnect(struct eddy_redis_part *part)
{
    eddy_redis_close(part->redis);
    part->redis = NULL;
    part->armed = false;
}

void eddy_redis_part_free(struct eddy_redis_part *part)
{
    if (!part)
        return;
    eddy_redis_part_disconnect(part);
    eddy_buf_fini(&part->seen);
    eddy_buf_fini(&part->next);
    eddy_buf_fini(&part->fence_key);
    eddy_buf_fini(&part->offset_key);
    eddy_buf_fini(&part->outbox_key);
    free(part);
}

struct eddy_redis_part *eddy_redis_part_new(const struct eddy_store *store,
                                            uint32_t partition)
{
    struct eddy_redis_part *part = calloc(1, sizeof *part);

    if (!part)
        return NULL;
    part->partition = partition;
    eddy_buf_init(&part->seen, 0);
    eddy_buf_init(&part->next, 0);
    eddy_buf_init(&part->fence_key, 0);
    eddy_buf_init(&part->offset_key, 0);
    eddy_buf_init(&part->outbox_key, 0);
    eddy_key_part(store, partition, "fence", &part->fence_key);
    eddy_key_part(store, partition, "offset", &part->offset_key);
    eddy_key_part(store, partition, "outbox", &part->outbox_key);
    if (part->fence_key.failed || part->offset_key.failed || part->outbox_key.failed) {
        eddy_redis_part_free(part);
        return NULL;
    }
    return part;
}

int eddy_redis_part_watch(struct eddy_redis_part *part, bool with_outbox,
                          struct eddy_err *err)
{
    struct eddy_span watch[] = {eddy_span_of("WATCH"), eddy_buf_span(&part->fence_key),
                                eddy_buf_span(&part->offset_key)};
    struct eddy_span mget[] = {eddy_span_of("MGET"), eddy_buf_span(&part->fence_key),
                               eddy_buf_span(&part->offset_key),
                               eddy_buf_span(&part->outbox_key)};
    int rc = eddy_redis_append(part->redis, watch, 3, err);

    return rc ? rc : eddy_redis_append(part->redis, mget, with_outbox ? 4 : 3, err);
}

int eddy_redis_part_read(struct eddy_redis_part *part, redisReply **ret,
                         struct eddy_err *err)
{
    redisReply *reply = NULL;
    int rc = eddy_redis_read(part->redis, &reply, err);

    if (rc == 0)
        rc = eddy_redis_refused(part->redis, reply, err);
    if (rc) {
        if (reply)
            freeReplyObject(reply);
        return rc;
    }
    *ret = reply;
    return 0;
}

int eddy_redis_part_skip(struct eddy_redis_part *part, struct eddy_err *err)
{
    redisReply *reply = NULL;
    int rc = eddy_redis_part_read(part, &reply, err);

    if (rc == 0)
        freeReplyObject(reply);
    return rc;
}

int eddy_redis_part_read_array(struct eddy_redis_part *part, size_t count,
                               redisReply **ret, struct eddy_err *err)
{
    redisReply *reply = NULL;
    int rc = eddy_redis_part_read(part, &reply, err);

    if (rc)
        return rc;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count) {
        freeReplyObject(reply);
        return eddy_fail(err, EDDY_ESTORE,
                         "Redis answered partition %" PRIu32
                         " with something else than %zu values",
                         part->partition, count);
    }
    *ret = reply;
    return 0;
}

/* The [fence, offset] reply against what this owner last saw. */
static bool is_ours(const struct eddy_redis_part *part, const redisReply *reply)
{
    return eddy_span_eq(eddy_redis_span(reply->element[0]),
                        eddy_span_of(part->token)) &&
           eddy_span_eq(eddy_redis_span(reply->element[1]), eddy_buf_span(&part->seen));
}

int eddy_redis_part_check(struct eddy_redis_part *part, struct eddy_err *err)
{
    redisReply *reply = NULL;
    int rc = eddy_redis_part_read_array(part, 2, &reply, err);

    if (rc)
        return rc;
    part->armed = is_ours(part, reply);
    freeReplyObject(reply);
    return 0;
}
