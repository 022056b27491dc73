/* Reads and writes outside the store protocol, for tools and eddy:meta. A lost connection is
 * noticed by the call that meets it; that call fails, the next one connects again. */
#include "io/redis_plain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_STEP = 64 }; /* users per MGET of a scan, as in commits */

void eddy_redis_plain_close(struct eddy_redis_plain *plain)
{
    eddy_redis_close(plain->redis);
    plain->redis = NULL;
}

/* One command, one reply (owned by the caller). tolerate: an error reply is a result. */
static int ask(struct eddy_redis_plain *plain, const struct eddy_span *words,
               size_t count, bool tolerate, redisReply **ret, struct eddy_err *err)
{
    redisReply *reply = NULL;
    int rc = 0;

    if (!plain->redis)
        rc = eddy_redis_open(plain->options, plain->name, &plain->redis, err);
    if (rc == 0)
        rc = eddy_redis_append(plain->redis, words, count, err);
    if (rc == 0)
        rc = eddy_redis_write(plain->redis, err);
    if (rc == 0)
        rc = eddy_redis_read(plain->redis, &reply, err);
    if (rc) {
        eddy_redis_plain_close(plain);
        return rc;
    }
    rc = tolerate ? 0 : eddy_redis_refused(plain->redis, reply, err);
    if (rc) {
        freeReplyObject(reply);
        return rc;
    }
    *ret = reply;
    return 0;
}

int eddy_redis_plain_get(struct eddy_redis_plain *plain, const struct eddy_span *keys,
                         uint32_t count, struct eddy_arena *arena,
                         struct eddy_span *ret_values, struct eddy_err *err)
{
    struct eddy_span *words = calloc((size_t)count + 1, sizeof *words);
    redisReply *reply = NULL;
    int rc = 0;

    if (!words)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %" PRIu32 " keys", count);
    words[0] = eddy_span_of("MGET");
    for (uint32_t i = 0; i < count; i++)
        words[i + 1] = keys[i];
    rc = count ? ask(plain, words, (size_t)count + 1, false, &reply, err) : 0;
    free(words);
    if (rc || !count)
        return rc;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count)
        rc = eddy_fail(err, EDDY_ESTORE, "Redis answered MGET with something else");
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct eddy_span value = eddy_redis_span(reply->element[i]);
        ret_values[i] = (struct eddy_span){NULL, 0};
        if (value.data)
            ret_values[i] = eddy_arena_copy(arena, value);
        if (value.data && !ret_values[i].data)
            rc = eddy_fail(err, EDDY_ENOMEM, "no memory for a value of %zu bytes",
                           value.size);
    }
    freeReplyObject(reply);
    return rc;
}

int eddy_redis_plain_set_if_absent(struct eddy_redis_plain *plain, struct eddy_span key,
                                   struct eddy_span value, struct eddy_err *err)
{
    struct eddy_span words[] = {eddy_span_of("SET"), key, value, eddy_span_of("NX")};
    redisReply *reply = NULL;
    int rc = ask(plain, words, 4, false, &reply, err);

    if (rc)
        return rc;
    rc = reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    return rc;
}

/* ---- scan ---- */

/* User names, NUL-separated in one buffer, and where each begins. */
struct names {
    struct eddy_buf text;
    struct eddy_span *spans;
    size_t count;
};

static int by_bytes(const void *a, const void *b)
{
    const struct eddy_span *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = size ? memcmp(x->data, y->data, size) : 0;

    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* All keys of the pattern with the first skip bytes left off, each followed by its size as
 * a fixed-size tail, so that any byte may stand in a name. */
static int collect(struct eddy_redis_plain *plain, struct eddy_span pattern,
                   size_t skip, struct names *names, struct eddy_err *err)
{
    char cursor[24] = "0";
    int rc = 0;

    do {
        struct eddy_span words[] = {eddy_span_of("SCAN"),  eddy_span_of(cursor),
                                    eddy_span_of("MATCH"), pattern,
                                    eddy_span_of("COUNT"), eddy_span_of("1000")};
        redisReply *reply = NULL;
        const redisReply *keys = NULL;
        rc = ask(plain, words, 6, false, &reply, err);
        if (rc)
            return rc;
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
            freeReplyObject(reply);
            return eddy_fail(err, EDDY_ESTORE,
                             "Redis answered SCAN with something else");
        }
        (void)snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        keys = reply->element[1];
        for (size_t i = 0; i < keys->elements; i++) {
            uint32_t size = (uint32_t)((size_t)keys->element[i]->len - skip);
            eddy_buf_put(&names->text, &size, sizeof size);
            eddy_buf_put(&names->text, keys->element[i]->str + skip, size);
            names->count++;
        }
        freeReplyObject(reply);
        if (names->text.failed)
            return eddy_fail(err, EDDY_ENOMEM, "no memory for %zu user names",
                             names->count);
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

/* Spans over the collected text, sorted, repeats of SCAN removed. */
static int sort_names(struct names *names, struct eddy_err *err)
{
    const char *at = names->text.data;
    size_t unique = 0;

    if (!names->count)
        return 0;
    names->spans = calloc(names->count, sizeof *names->spans);
    if (!names->spans)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %zu user names",
                         names->count);
    for (size_t i = 0; i < names->count; i++) {
        uint32_t size = 0;
        memcpy(&size, at, sizeof size);
        names->spans[i] = (struct eddy_span){at + sizeof size, size};
        at += sizeof size + size;
    }
    qsort(names->spans, names->count, sizeof *names->spans, by_bytes);
    for (size_t i = 0; i < names->count; i++)
        if (i == 0 || !eddy_span_eq(names->spans[i], names->spans[unique - 1]))
            names->spans[unique++] = names->spans[i];
    names->count = unique;
    return 0;
}

/* States and lists of up to SCAN_STEP users; users erased meanwhile are passed over. */
static int visit_some(struct eddy_redis_plain *plain, const struct eddy_store *store,
                      uint32_t partition, const struct eddy_span *users, size_t count,
                      int (*visit)(void *context, struct eddy_span user,
                                   struct eddy_span blob, struct eddy_span list),
                      void *context, struct eddy_err *err)
{
    struct eddy_span words[1 + 2 * SCAN_STEP];
    size_t ends[2 * SCAN_STEP];
    struct eddy_buf keys;
    redisReply *reply = NULL;
    int rc = 0;

    eddy_buf_init(&keys, 0);
    for (size_t i = 0; i < count; i++) {
        eddy_key_state(store, partition, users[i], &keys);
        ends[2 * i] = keys.size;
        eddy_key_list(store, users[i], &keys);
        ends[2 * i + 1] = keys.size;
    }
    words[0] = eddy_span_of("MGET");
    for (size_t i = 0, from = 0; i < 2 * count; from = ends[i], i++)
        words[i + 1] = (struct eddy_span){keys.data + from, ends[i] - from};
    rc = keys.failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for keys")
                     : ask(plain, words, 1 + 2 * count, false, &reply, err);
    eddy_buf_fini(&keys);
    if (rc)
        return rc;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 * count)
        rc = eddy_fail(err, EDDY_ESTORE, "Redis answered MGET with something else");
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct eddy_span blob = eddy_redis_span(reply->element[2 * i]);
        if (blob.size)
            rc = visit(context, users[i], blob,
                       eddy_redis_span(reply->element[2 * i + 1]));
    }
    freeReplyObject(reply);
    return rc;
}

int eddy_redis_plain_scan(struct eddy_redis_plain *plain,
                          const struct eddy_store *store, uint32_t partition,
                          int (*visit)(void *context, struct eddy_span user,
                                       struct eddy_span blob, struct eddy_span list),
                          void *context, struct eddy_err *err)
{
    struct names names = {.count = 0};
    struct eddy_buf pattern;
    size_t skip = 0;
    int rc = 0;

    eddy_buf_init(&names.text, 0);
    eddy_buf_init(&pattern, 0);
    eddy_key_state(store, partition, (struct eddy_span){"", 0}, &pattern);
    skip = pattern.size;
    eddy_buf_putc(&pattern, '*');
    rc = pattern.failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for a pattern")
                        : collect(plain, eddy_buf_span(&pattern), skip, &names, err);
    if (rc == 0)
        rc = sort_names(&names, err);
    for (size_t i = 0; rc == 0 && i < names.count; i += SCAN_STEP) {
        size_t left = names.count - i;
        rc = visit_some(plain, store, partition, names.spans + i,
                        left < SCAN_STEP ? left : SCAN_STEP, visit, context, err);
    }
    free(names.spans);
    eddy_buf_fini(&names.text);
    eddy_buf_fini(&pattern);
    return rc;
}

/* ---- check ---- */

/* Value of "\nname:" in the text of INFO, "" if absent. */
static const char *info_value(const redisReply *reply, const char *name, char *room,
                              size_t size)
{
    char pattern[64];
    const char *at = NULL;

    room[0] = '\0';
    (void)snprintf(pattern, sizeof pattern, "\n%s:", name);
    if (reply->type == REDIS_REPLY_STRING)
        at = strstr(reply->str, pattern);
    if (at)
        (void)snprintf(room, size, "%.*s", (int)strcspn(at + strlen(pattern), "\r\n"),
                       at + strlen(pattern));
    return room;
}

static void report(const struct eddy_redis_plain *plain, const redisReply *info,
                   struct eddy_buf *out)
{
    char version[32], policy[32], limit[32], aof[8], role[16];

    if (info->type != REDIS_REPLY_STRING) {
        eddy_buf_printf(out,
                        "Redis at %s answers; its settings are hidden from this user\n",
                        plain->options->address);
        return;
    }
    eddy_buf_printf(out, "Redis %s at %s, role %s\n",
                    info_value(info, "redis_version", version, sizeof version),
                    plain->options->address,
                    info_value(info, "role", role, sizeof role));
    info_value(info, "maxmemory_policy", policy, sizeof policy);
    info_value(info, "maxmemory", limit, sizeof limit);
    if (strcmp(policy, "noeviction") != 0 && strcmp(limit, "0") != 0)
        eddy_buf_printf(
            out,
            "warning: maxmemory-policy is %s: Redis will lose states silently "
            "when memory is short; set noeviction\n",
            policy);
    if (strcmp(info_value(info, "aof_enabled", aof, sizeof aof), "1") != 0)
        eddy_buf_puts(out,
                      "warning: appendonly is off: after a crash of Redis everything "
                      "since its last snapshot is replayed from Kafka\n");
    if (strcmp(role, "master") != 0)
        eddy_buf_puts(out, "warning: this is not a master: commits will be refused\n");
}

int eddy_redis_plain_check(struct eddy_redis_plain *plain, struct eddy_buf *ret_report,
                           struct eddy_err *err)
{
    struct eddy_span ping = eddy_span_of("PING"), info = eddy_span_of("INFO");
    redisReply *reply = NULL;
    bool hidden = false;
    int rc = ask(plain, &ping, 1, true, &reply, err);

    if (rc)
        return rc;
    /* A user without PING has still been let in; any other refusal is one. */
    hidden = reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOPERM", 6) == 0;
    rc = hidden ? 0 : eddy_redis_refused(plain->redis, reply, err);
    freeReplyObject(reply);
    if (rc || !ret_report)
        return rc;
    rc = ask(plain, &info, 1, true, &reply, err);
    if (rc)
        return rc;
    report(plain, reply, ret_report);
    freeReplyObject(reply);
    return 0;
}
