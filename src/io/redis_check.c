#include "io/redis_check.h"

#include <stdio.h>

#include "io/redis.h"

/* One command; *ret_refused keeps the first refusal. Transport errors are returned. */
static int probe(struct eddy_redis *redis, const char *const *words, size_t count,
                 int *ret_refused, struct eddy_err *err)
{
    redisReply *reply = NULL;
    struct eddy_err why = {0};
    int r = eddy_redis_append_text(redis, words, count, err);
    if (r == 0)
        r = eddy_redis_write(redis, err);
    if (r == 0)
        r = eddy_redis_read(redis, &reply, err);
    if (r < 0)
        return r;
    int refused = eddy_redis_refused(redis, reply, &why);
    if (refused < 0 && *ret_refused == 0)
        *ret_refused = eddy_fail(err, refused, "%s %s: %s", words[0],
                                 count > 1 ? words[1] : "", why.text);
    freeReplyObject(reply);
    return 0;
}

int eddy_redis_check_permissions(const struct eddy_redis_options *options,
                                 const char *prefix, struct eddy_err *err)
{
    char fence[128], offset[128], state[128], outbox[128], list[128], meta[128],
        all[128];
    struct eddy_redis *redis = NULL;
    int refused = 0;
    (void)snprintf(fence, sizeof fence, "{%s:0}:fence", prefix);
    (void)snprintf(offset, sizeof offset, "{%s:0}:offset", prefix);
    (void)snprintf(state, sizeof state, "{%s:0}:s:check", prefix);
    (void)snprintf(outbox, sizeof outbox, "{%s:0}:outbox", prefix);
    (void)snprintf(list, sizeof list, "%s:list:check", prefix);
    (void)snprintf(meta, sizeof meta, "%s:meta", prefix);
    (void)snprintf(all, sizeof all, "{%s:0}:s:*", prefix);
    const char *const commands[][6] = {
        {"WATCH", fence, offset},
        {"UNWATCH"},
        {"MULTI"},
        {"MGET", fence, offset, state, outbox},
        {"SET", fence, "x"},
        {"MSET", state, "x", list, "x"},
        {"MSET", offset, "x", outbox, "x"},
        {"SET", meta, "x", "NX"},
        {"SCAN", "0", "MATCH", all},
        {"DISCARD"},
    };
    int r = eddy_redis_open(options, "eddy-check", &redis, err);
    if (r < 0)
        return r;
    for (size_t c = 0; c < sizeof commands / sizeof *commands && r == 0; c++) {
        size_t count = 0;
        while (count < 6 && commands[c][count])
            count++;
        r = probe(redis, commands[c], count, &refused, err);
    }
    eddy_redis_close(redis);
    return r < 0 ? r : refused;
}
