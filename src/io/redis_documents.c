/* Documents, lists, jobs and leases of the control plane.
 *
 * A change watches the document (and the lease, where one is needed), reads both in the same
 * pipeline, compares, and sends MULTI ... EXEC: two round trips, which is nothing for calls
 * that people make by the dozen. An EXEC that answers nil lost a race: what was compared
 * does not hold any more, and that is what the caller is told. */
#include "io/redis_documents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/redis.h"

struct eddy_documents {
    const struct eddy_redis_options *options;
    const char *name;
    struct eddy_redis *redis; /* NULL: not connected */
    struct eddy_buf prefix;   /* "{eddy:api}:" */
};

struct eddy_documents *eddy_documents_open(const struct eddy_redis_options *options,
                                           const char *prefix, const char *name)
{
    struct eddy_documents *documents = calloc(1, sizeof *documents);
    if (documents == NULL)
        return NULL;
    documents->options = options;
    documents->name = name;
    eddy_buf_init(&documents->prefix, 0);
    eddy_buf_printf(&documents->prefix, "{%s:api}:", prefix);
    if (documents->prefix.failed) {
        eddy_documents_close(documents);
        return NULL;
    }
    return documents;
}

static void hang_up(struct eddy_documents *documents)
{
    eddy_redis_close(documents->redis);
    documents->redis = NULL;
}

void eddy_documents_close(struct eddy_documents *documents)
{
    if (documents == NULL)
        return;
    hang_up(documents);
    eddy_buf_fini(&documents->prefix);
    free(documents);
}

/* ---- exchanges -------------------------------------------------------------------- */

static struct eddy_buf key_of(const struct eddy_documents *documents, const char *kind,
                              const char *name)
{
    struct eddy_buf key;
    eddy_buf_init(&key, 0);
    eddy_buf_printf(&key, "%s%s%s", documents->prefix.data, kind, name);
    return key;
}

static int append(struct eddy_documents *documents, const struct eddy_span *words,
                  size_t count, struct eddy_err *err)
{
    int r = 0;
    if (documents->redis == NULL)
        r = eddy_redis_open(documents->options, documents->name, &documents->redis,
                            err);
    return r < 0 ? r : eddy_redis_append(documents->redis, words, count, err);
}

/* Send what is appended and read count replies; the last is the caller's. Refusals of any
 * of them are errors. A connection that has failed is closed. */
static int exchange(struct eddy_documents *documents, int count, redisReply **ret,
                    struct eddy_err *err)
{
    int r = eddy_redis_write(documents->redis, err);
    *ret = NULL;
    for (int i = 0; r == 0 && i < count; i++) {
        if (*ret != NULL)
            freeReplyObject(*ret);
        *ret = NULL;
        r = eddy_redis_read(documents->redis, ret, err);
        if (r == 0)
            r = eddy_redis_refused(documents->redis, *ret, err);
    }
    if (r < 0) {
        if (*ret != NULL)
            freeReplyObject(*ret);
        *ret = NULL;
        hang_up(documents);
    }
    return r;
}

static int ask(struct eddy_documents *documents, const struct eddy_span *words,
               size_t count, redisReply **ret, struct eddy_err *err)
{
    *ret = NULL;
    int r = append(documents, words, count, err);
    if (r < 0) {
        hang_up(documents);
        return r;
    }
    return exchange(documents, 1, ret, err);
}

int eddy_documents_get(struct eddy_documents *documents, const char *id,
                       struct eddy_buf *ret, struct eddy_err *err)
{
    struct eddy_buf key = key_of(documents, "doc:", id);
    struct eddy_span words[] = {eddy_span_of("GET"), eddy_buf_span(&key)};
    redisReply *reply = NULL;
    eddy_buf_clear(ret);
    int r = ask(documents, words, 2, &reply, err);
    eddy_buf_fini(&key);
    if (r < 0)
        return r;
    r = reply->type == REDIS_REPLY_STRING;
    if (r == 1)
        eddy_buf_put(ret, reply->str, (size_t)reply->len);
    freeReplyObject(reply);
    return ret->failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for a document") : r;
}

/* ---- changes ---------------------------------------------------------------------- */

/* The words of a transaction: each command ends at one of the ends. */
enum { WORDS_MAX = 24, COMMANDS_MAX = 8 };
struct commands {
    struct eddy_span words[WORDS_MAX];
    size_t word_count, ends[COMMANDS_MAX], count;
};

static void add_command(struct commands *commands, const struct eddy_span *words,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        commands->words[commands->word_count++] = words[i];
    commands->ends[commands->count++] = commands->word_count;
}

/* A lease of ours lasts so many milliseconds from now on. One that is given up lasts one:
 * eddy's user need not have the right to delete. */
static void add_lease(struct commands *commands, struct eddy_span key,
                      const char *token, const char *ms)
{
    const struct eddy_span words[] = {eddy_span_of("SET"), key, eddy_span_of(token),
                                      eddy_span_of("PX"), eddy_span_of(ms)};
    add_command(commands, words, 5);
}

/* Whether a reply is that text; NULL: whether it is nil. */
static bool is_text(const redisReply *reply, const char *text)
{
    if (text == NULL)
        return reply->type == REDIS_REPLY_NIL;
    return reply->type == REDIS_REPLY_STRING &&
           eddy_span_eq(eddy_redis_span(reply), eddy_span_of(text));
}

/* What keys have to hold for a transaction to be made. */
struct condition {
    struct eddy_span key;
    const char *text; /* NULL: nothing */
};

/* WATCH the keys and compare: 1 all hold, 0 one does not. */
static int watch(struct eddy_documents *documents, const struct condition *conditions,
                 size_t count, struct eddy_err *err)
{
    struct eddy_span words[4];
    redisReply *reply = NULL;
    words[0] = eddy_span_of("WATCH");
    for (size_t i = 0; i < count; i++)
        words[i + 1] = conditions[i].key;
    int r = append(documents, words, count + 1, err);
    words[0] = eddy_span_of("MGET");
    if (r == 0)
        r = append(documents, words, count + 1, err);
    if (r < 0) {
        hang_up(documents);
        return r;
    }
    r = exchange(documents, 2, &reply, err);
    if (r < 0)
        return r;
    r = reply->type == REDIS_REPLY_ARRAY && reply->elements == count;
    for (size_t i = 0; r == 1 && i < count; i++)
        r = is_text(reply->element[i], conditions[i].text);
    freeReplyObject(reply);
    if (r == 0) {
        struct eddy_span unwatch = eddy_span_of("UNWATCH");
        int code = ask(documents, &unwatch, 1, &reply, err);
        if (code < 0)
            return code;
        freeReplyObject(reply);
    }
    return r;
}

/* MULTI, the commands, EXEC: 1 done, 0 a watched key has changed. */
static int execute(struct eddy_documents *documents, const struct commands *commands,
                   struct eddy_err *err)
{
    struct eddy_span multi = eddy_span_of("MULTI"), exec = eddy_span_of("EXEC");
    redisReply *reply = NULL;
    int r = append(documents, &multi, 1, err);
    for (size_t i = 0, from = 0; r == 0 && i < commands->count; i++) {
        r = append(documents, commands->words + from, commands->ends[i] - from, err);
        from = commands->ends[i];
    }
    if (r == 0)
        r = append(documents, &exec, 1, err);
    if (r < 0) {
        hang_up(documents);
        return r;
    }
    r = exchange(documents, (int)commands->count + 2, &reply, err);
    if (r < 0)
        return r;
    r = reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; r == 1 && i < reply->elements; i++) {
        int code = eddy_redis_refused(documents->redis, reply->element[i], err);
        r = code < 0 ? code : r;
    }
    freeReplyObject(reply);
    return r;
}

int eddy_documents_change(struct eddy_documents *documents,
                          const struct eddy_document_change *change,
                          struct eddy_err *err)
{
    struct eddy_buf doc = key_of(documents, "doc:", change->id);
    struct eddy_buf lease = key_of(documents, "lease:", change->id);
    struct eddy_buf jobs = key_of(documents, "jobs", "");
    struct eddy_buf list =
        key_of(documents, "list:", change->index ? change->index : "");
    struct eddy_span id = eddy_span_of(change->id), zero = eddy_span_of("0");
    struct condition conditions[] = {{eddy_buf_span(&doc), change->before},
                                     {eddy_buf_span(&lease), change->token}};
    struct commands commands = {.count = 0};
    char at[24];
    (void)snprintf(at, sizeof at, "%" PRId64, change->queue_ms);
    add_command(&commands,
                (struct eddy_span[]){eddy_span_of("SET"), eddy_buf_span(&doc),
                                     eddy_span_of(change->after)},
                3);
    if (change->index != NULL)
        add_command(&commands,
                    (struct eddy_span[]){eddy_span_of("ZADD"), eddy_buf_span(&list),
                                         zero, eddy_span_of(change->member)},
                    4);
    if (change->queue_ms > 0)
        add_command(&commands,
                    (struct eddy_span[]){eddy_span_of("ZADD"), eddy_buf_span(&jobs),
                                         eddy_span_of(at), id},
                    4);
    if (change->done) {
        add_command(
            &commands,
            (struct eddy_span[]){eddy_span_of("ZREM"), eddy_buf_span(&jobs), id}, 3);
        add_lease(&commands, eddy_buf_span(&lease), change->token, "1");
    }
    int r = doc.failed || lease.failed || jobs.failed || list.failed
                ? eddy_fail(err, EDDY_ENOMEM, "no memory for keys")
                : watch(documents, conditions, change->token != NULL ? 2 : 1, err);
    if (r == 1)
        r = execute(documents, &commands, err);
    eddy_buf_fini(&doc);
    eddy_buf_fini(&lease);
    eddy_buf_fini(&jobs);
    eddy_buf_fini(&list);
    return r;
}

/* ---- lists ------------------------------------------------------------------------ */

/* Replies of ZRANGEBYLEX, ZREVRANGEBYLEX and ZRANGE. */
static int visit_all(redisReply *reply,
                     void (*visit)(void *context, struct eddy_span member),
                     void *context)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        visit(context, eddy_redis_span(reply->element[i]));
    freeReplyObject(reply);
    return 0;
}

/* The members that begin with prefix, as the two ends of a range. */
static void put_range(const char *prefix, struct eddy_buf *low, struct eddy_buf *high)
{
    eddy_buf_printf(low, "%s%s", prefix[0] ? "[" : "-", prefix);
    eddy_buf_printf(high, "%s%s%s", prefix[0] ? "(" : "+", prefix,
                    prefix[0] ? "\xff" : "");
}

int eddy_documents_list(struct eddy_documents *documents, const char *index,
                        const char *prefix, const char *after, uint32_t limit,
                        void (*visit)(void *context, struct eddy_span member),
                        void *context, struct eddy_err *err)
{
    struct eddy_buf key = key_of(documents, "list:", index), low, high;
    char most[16];
    redisReply *reply = NULL;
    eddy_buf_init(&low, 0);
    eddy_buf_init(&high, 0);
    put_range(prefix, &low, &high);
    if (after[0]) {
        eddy_buf_clear(&low);
        eddy_buf_printf(&low, "(%s", after);
    }
    (void)snprintf(most, sizeof most, "%" PRIu32, limit);
    struct eddy_span words[] = {eddy_span_of("ZRANGEBYLEX"), eddy_buf_span(&key),
                                eddy_buf_span(&low),         eddy_buf_span(&high),
                                eddy_span_of("LIMIT"),       eddy_span_of("0"),
                                eddy_span_of(most)};
    int r = key.failed || low.failed || high.failed
                ? eddy_fail(err, EDDY_ENOMEM, "no memory for keys")
                : ask(documents, words, 7, &reply, err);
    eddy_buf_fini(&key);
    eddy_buf_fini(&low);
    eddy_buf_fini(&high);
    return r < 0 ? r : visit_all(reply, visit, context);
}

int eddy_documents_last(struct eddy_documents *documents, const char *index,
                        const char *prefix, struct eddy_buf *ret, struct eddy_err *err)
{
    struct eddy_buf key = key_of(documents, "list:", index), low, high;
    redisReply *reply = NULL;
    eddy_buf_init(&low, 0);
    eddy_buf_init(&high, 0);
    put_range(prefix, &low, &high);
    eddy_buf_clear(ret);
    struct eddy_span words[] = {eddy_span_of("ZREVRANGEBYLEX"),
                                eddy_buf_span(&key),
                                eddy_buf_span(&high),
                                eddy_buf_span(&low),
                                eddy_span_of("LIMIT"),
                                eddy_span_of("0"),
                                eddy_span_of("1")};
    int r = key.failed || low.failed || high.failed
                ? eddy_fail(err, EDDY_ENOMEM, "no memory for keys")
                : ask(documents, words, 7, &reply, err);
    eddy_buf_fini(&key);
    eddy_buf_fini(&low);
    eddy_buf_fini(&high);
    if (r < 0)
        return r;
    r = reply->type == REDIS_REPLY_ARRAY && reply->elements == 1;
    if (r == 1)
        eddy_buf_put(ret, reply->element[0]->str, (size_t)reply->element[0]->len);
    freeReplyObject(reply);
    return ret->failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for a list") : r;
}

/* ---- jobs ------------------------------------------------------------------------- */

int eddy_documents_jobs(struct eddy_documents *documents,
                        void (*visit)(void *context, struct eddy_span id),
                        void *context, struct eddy_err *err)
{
    struct eddy_buf key = key_of(documents, "jobs", "");
    struct eddy_span words[] = {eddy_span_of("ZRANGE"), eddy_buf_span(&key),
                                eddy_span_of("0"), eddy_span_of("-1")};
    redisReply *reply = NULL;
    int r = ask(documents, words, 4, &reply, err);
    eddy_buf_fini(&key);
    return r < 0 ? r : visit_all(reply, visit, context);
}

int eddy_documents_lease(struct eddy_documents *documents, const char *id,
                         const char *token, int64_t ms, struct eddy_err *err)
{
    struct eddy_buf key = key_of(documents, "lease:", id);
    char span[24];
    redisReply *reply = NULL;
    (void)snprintf(span, sizeof span, "%" PRId64, ms);
    struct eddy_span words[] = {eddy_span_of("SET"), eddy_buf_span(&key),
                                eddy_span_of(token), eddy_span_of("NX"),
                                eddy_span_of("PX"),  eddy_span_of(span)};
    int r = ask(documents, words, 6, &reply, err);
    eddy_buf_fini(&key);
    if (r < 0)
        return r;
    r = reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    return r;
}

int eddy_documents_renew(struct eddy_documents *documents, const char *id,
                         const char *token, int64_t ms, struct eddy_err *err)
{
    struct eddy_buf key = key_of(documents, "lease:", id);
    struct condition condition = {eddy_buf_span(&key), token};
    struct commands commands = {.count = 0};
    char span[24];
    (void)snprintf(span, sizeof span, "%" PRId64, ms > 0 ? ms : 1);
    add_lease(&commands, eddy_buf_span(&key), token, span);
    int r = watch(documents, &condition, 1, err);
    if (r == 1)
        r = execute(documents, &commands, err);
    eddy_buf_fini(&key);
    return r;
}
