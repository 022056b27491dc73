/* The store protocol on standalone Redis (STREAMING 1.3; src/README.md "Store protocol").
 *
 * One connection per owned partition. WATCH belongs to a connection and EXEC clears all of
 * it, so only this keeps every partition's compare-and-set armed between commits:
 *
 *   acquire  [UNWATCH, SET fence T, WATCH fence offset, MGET fence offset outbox]  -> armed
 *   load     [MGET s:u1 .. s:un, MGET fence offset]                    armed -> armed
 *   commit   [MULTI, MSET offset s:.. list:.. outbox, EXEC,
 *             WATCH fence offset, MGET fence offset]                   armed -> armed
 *
 * Invariants
 *   R1 MULTI is never sent on a connection whose last WATCH/MGET reply has not been read and
 *      found equal to (token, seen). So an EXEC still travelling in a connection that was
 *      given up is killed by the SET fence of the next acquire, or was already applied when
 *      that acquire reads the offset.
 *   R2 `seen` is the offset value byte for byte, as last read or written here.
 *   R3 after any I/O error the connection is closed; the part is disarmed until acquired.
 *   R4 a part whose fence or offset moved is disarmed: every later load or commit of it is
 *      EDDY_EFENCED until it is acquired again.
 * All requests of a turn are written before the first reply is read: one round trip for all
 * partitions. Requests are small against socket buffers' and the server's appetite, and
 * replies to a commit are a few bytes, so writing first cannot lock up.
 *
 * Rejected: scripts (2.5 us per key more, STREAMING 3.1); one shared connection (each EXEC
 * would disarm the others: one round trip per partition). */
#include "io/store_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/redis_part.h"
#include "io/redis_plain.h"

struct store_redis {
    struct eddy_store base;
    const struct eddy_redis_options *options;
    struct eddy_metrics *metrics;
    char owner[96];
    struct eddy_redis_part **parts; /* by partition, NULL: never owned */
    uint32_t part_room;
    struct eddy_redis_plain plain; /* for get, set_if_absent, scan */
    struct eddy_buf text;          /* keys of one command */
    struct eddy_span *words;       /* words of one command */
    size_t word_room;
};

static struct store_redis *of(struct eddy_store *store)
{
    return (struct store_redis *)store;
}

/* ---- words and keys ---- */

/* Room for count words whose keys take at most bytes: nothing moves until the next call. */
static int begin_words(struct store_redis *store, size_t count, size_t bytes,
                       struct eddy_err *err)
{
    eddy_buf_clear(&store->text);
    if (eddy_buf_reserve(&store->text, bytes + 1))
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %zu bytes of keys", bytes);
    if (count > store->word_room) {
        free(store->words);
        store->words = calloc(count * 2, sizeof *store->words);
        store->word_room = store->words ? count * 2 : 0;
        if (!store->words)
            return eddy_fail(err, EDDY_ENOMEM, "no memory for %zu words", count);
    }
    return 0;
}

static size_t key_room(const struct store_redis *store, struct eddy_span user)
{
    return strlen(store->base.prefix) + user.size + 32;
}

static struct eddy_span state_key(struct store_redis *store, uint32_t partition,
                                  struct eddy_span user)
{
    size_t from = store->text.size;

    eddy_key_state(&store->base, partition, user, &store->text);
    return (struct eddy_span){store->text.data + from, store->text.size - from};
}

static struct eddy_span list_key(struct store_redis *store, struct eddy_span user)
{
    size_t from = store->text.size;

    eddy_key_list(&store->base, user, &store->text);
    return (struct eddy_span){store->text.data + from, store->text.size - from};
}

/* ---- parts ---- */

static struct eddy_redis_part *find_part(const struct store_redis *store,
                                         uint32_t partition)
{
    return partition < store->part_room ? store->parts[partition] : NULL;
}

static struct eddy_redis_part *ensure_part(struct store_redis *store,
                                           uint32_t partition)
{
    if (partition >= store->part_room) {
        uint32_t room = partition + 64;
        struct eddy_redis_part **parts = realloc(store->parts, room * sizeof *parts);
        if (!parts)
            return NULL;
        memset(parts + store->part_room, 0, (room - store->part_room) * sizeof *parts);
        store->parts = parts;
        store->part_room = room;
    }
    if (!store->parts[partition])
        store->parts[partition] = eddy_redis_part_new(&store->base, partition);
    return store->parts[partition];
}

static int new_token(const struct store_redis *store, struct eddy_redis_part *part,
                     struct eddy_err *err)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return eddy_fail(err, EDDY_EFATAL, "the system gives no random numbers");
    (void)snprintf(part->token, sizeof part->token, "%s:%016" PRIx64, store->owner,
                   random);
    return 0;
}

static void observe(struct store_redis *store, uint64_t begin_ns)
{
    if (store->metrics)
        eddy_metric_observe_ns(store->metrics, EDDY_M_REDIS_COMMAND,
                               eddy_monotonic_ns() - begin_ns);
}

/* ---- acquire ---- */

static int send_acquire(struct store_redis *store, struct eddy_redis_part *part,
                        struct eddy_err *err)
{
    struct eddy_span unwatch = eddy_span_of("UNWATCH");
    struct eddy_span set[] = {eddy_span_of("SET"), eddy_buf_span(&part->fence_key),
                              eddy_span_of(part->token)};
    char name[112];
    int rc = 0;

    if (!part->redis) {
        (void)snprintf(name, sizeof name, "eddy:%s:p%" PRIu32, store->owner,
                       part->partition);
        rc = eddy_redis_open(store->options, name, &part->redis, err);
    }
    /* Without UNWATCH our own SET would count as a change of what is still watched. */
    if (rc == 0)
        rc = eddy_redis_append(part->redis, &unwatch, 1, err);
    if (rc == 0)
        rc = eddy_redis_append(part->redis, set, 3, err);
    if (rc == 0)
        rc = eddy_redis_part_watch(part, true, err);
    return rc ? rc : eddy_redis_write(part->redis, err);
}

static int take_position(struct eddy_redis_part *part, const redisReply *reply,
                         struct eddy_arena *arena, struct eddy_position *ret_position,
                         bool *ret_found, struct eddy_span *ret_outbox,
                         struct eddy_err *err)
{
    struct eddy_span offset = eddy_redis_span(reply->element[1]);
    struct eddy_span outbox = eddy_redis_span(reply->element[2]);
    struct eddy_position position = {0};

    if (!eddy_span_eq(eddy_redis_span(reply->element[0]), eddy_span_of(part->token)))
        return eddy_fail(err, EDDY_ESTORE,
                         "another owner took partition %" PRIu32 " at the same moment",
                         part->partition);
    if (offset.data && eddy_position_decode(offset, &position))
        return eddy_fail(err, EDDY_EFORMAT,
                         "the value of %s is not a position that this eddy can read",
                         part->offset_key.data);
    if (outbox.size)
        outbox = eddy_arena_copy(arena, outbox);
    eddy_buf_clear(&part->seen);
    eddy_buf_put(&part->seen, offset.data, offset.size);
    if (part->seen.failed || (outbox.size && !outbox.data))
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a position");
    *ret_position = position;
    *ret_found = offset.data != NULL;
    *ret_outbox = outbox.size ? outbox : (struct eddy_span){NULL, 0};
    return 0;
}

static int acquire(struct eddy_store *base, uint32_t partition,
                   struct eddy_arena *arena, struct eddy_position *ret_position,
                   bool *ret_found, struct eddy_span *ret_outbox, struct eddy_err *err)
{
    struct store_redis *store = of(base);
    struct eddy_redis_part *part = ensure_part(store, partition);
    uint64_t begin_ns = eddy_monotonic_ns();
    redisReply *reply = NULL;
    int rc = 0;

    if (!part)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a partition");
    part->armed = false;
    rc = new_token(store, part, err);
    if (rc == 0)
        rc = send_acquire(store, part, err);
    for (int i = 0; rc == 0 && i < 3; i++) /* UNWATCH, SET, WATCH */
        rc = eddy_redis_part_skip(part, err);
    if (rc == 0)
        rc = eddy_redis_part_read_array(part, 3, &reply, err);
    if (rc == 0)
        rc =
            take_position(part, reply, arena, ret_position, ret_found, ret_outbox, err);
    if (reply)
        freeReplyObject(reply);
    if (rc) {
        eddy_redis_part_disconnect(part);
        return rc;
    }
    part->armed = true;
    observe(store, begin_ns);
    return 0;
}

static void forget(struct eddy_store *base, uint32_t partition)
{
    struct store_redis *store = of(base);

    if (partition < store->part_room) {
        eddy_redis_part_free(store->parts[partition]);
        store->parts[partition] = NULL;
    }
}

/* ---- load ---- */

/* Write one partition's reads: its loads, from `first` on, then fence and offset. */
static int send_load(struct store_redis *store, struct eddy_redis_part *part,
                     const struct eddy_load *loads, uint32_t first, uint32_t count,
                     struct eddy_err *err)
{
    struct eddy_span check[] = {eddy_span_of("MGET"), eddy_buf_span(&part->fence_key),
                                eddy_buf_span(&part->offset_key)};
    size_t bytes = 0, words = 0;
    int rc = 0;

    for (uint32_t i = first; i < count; i++)
        if (loads[i].partition == part->partition)
            bytes += key_room(store, loads[i].user);
    rc = begin_words(store, count - first + 1, bytes, err);
    if (rc)
        return rc;
    store->words[words++] = eddy_span_of("MGET");
    for (uint32_t i = first; i < count; i++)
        if (loads[i].partition == part->partition)
            store->words[words++] = state_key(store, part->partition, loads[i].user);
    part->load_count = (uint32_t)words - 1;
    rc = eddy_redis_append(part->redis, store->words, words, err);
    if (rc == 0)
        rc = eddy_redis_append(part->redis, check, 3, err);
    return rc ? rc : eddy_redis_write(part->redis, err);
}

static int read_load(struct eddy_redis_part *part, struct eddy_load *loads,
                     uint32_t first, uint32_t count, struct eddy_arena *arena,
                     struct eddy_err *err)
{
    redisReply *reply = NULL;
    size_t next = 0;
    int rc = eddy_redis_part_read_array(part, part->load_count, &reply, err);

    if (rc)
        return rc;
    for (uint32_t i = first; rc == 0 && i < count; i++) {
        struct eddy_span blob;
        if (loads[i].partition != part->partition)
            continue;
        blob = eddy_redis_span(reply->element[next++]);
        loads[i].ret_blob = (struct eddy_span){NULL, 0};
        if (blob.size)
            loads[i].ret_blob = eddy_arena_copy(arena, blob);
        if (blob.size && !loads[i].ret_blob.data)
            rc = eddy_fail(err, EDDY_ENOMEM, "no memory for a state of %zu bytes",
                           blob.size);
    }
    freeReplyObject(reply);
    return rc ? rc : eddy_redis_part_check(part, err);
}

/* The partitions of a call, each once, in the order of their first appearance: callers
 * pass runs of the same partition or few of them, so a look-back is cheap. */
static bool is_first(const struct eddy_load *loads, uint32_t i)
{
    if (i > 0 && loads[i - 1].partition == loads[i].partition)
        return false;
    for (uint32_t j = 0; j < i; j++)
        if (loads[j].partition == loads[i].partition)
            return false;
    return true;
}

static int load(struct eddy_store *base, struct eddy_load *loads, uint32_t count,
                struct eddy_arena *arena, uint32_t *ret_fenced_partition,
                struct eddy_err *err)
{
    struct store_redis *store = of(base);
    uint64_t begin_ns = eddy_monotonic_ns();
    uint32_t fenced = UINT32_MAX;
    int rc = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct eddy_redis_part *part = find_part(store, loads[i].partition);
        if (!part || !part->armed) {
            *ret_fenced_partition = loads[i].partition;
            return eddy_fail(err, EDDY_EFENCED, "partition %" PRIu32 " is not owned",
                             loads[i].partition);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        if (is_first(loads, i))
            rc = send_load(store, find_part(store, loads[i].partition), loads, i, count,
                           err);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        struct eddy_redis_part *part = find_part(store, loads[i].partition);
        if (!is_first(loads, i))
            continue;
        rc = read_load(part, loads, i, count, arena, err);
        if (rc == 0 && !part->armed)
            fenced = part->partition;
    }
    if (rc) { /* replies may be left in any of them */
        for (uint32_t i = 0; i < count; i++)
            eddy_redis_part_disconnect(find_part(store, loads[i].partition));
        return rc;
    }
    observe(store, begin_ns);
    if (fenced == UINT32_MAX)
        return 0;
    *ret_fenced_partition = fenced;
    return eddy_fail(err, EDDY_EFENCED,
                     "another owner has taken partition %" PRIu32
                     " (seen after a load)",
                     fenced);
}

/* ---- commit ---- */

static int append_mset(struct store_redis *store, struct eddy_redis_part *part,
                       const struct eddy_commit *commit, struct eddy_err *err)
{
    struct eddy_span *words = NULL;
    size_t bytes = key_room(store, eddy_span_of("list-default"));
    size_t n = 0, from = 0;
    int rc = 0;

    for (uint32_t i = 0; i < commit->write_count; i++)
        bytes += 2 * key_room(store, commit->writes[i].user);
    rc = begin_words(store, 7 + 4 * (size_t)commit->write_count, bytes, err);
    if (rc)
        return rc;
    words = store->words;
    words[n++] = eddy_span_of("MSET");
    words[n++] = eddy_buf_span(&part->offset_key);
    words[n++] = eddy_buf_span(&part->next);
    words[n++] = eddy_buf_span(&part->outbox_key);
    words[n++] = commit->outbox;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        const struct eddy_write *write = &commit->writes[i];
        words[n++] = state_key(store, part->partition, write->user);
        words[n++] = write->blob;
        if (write->list.size) {
            words[n++] = list_key(store, write->user);
            words[n++] = write->list;
        }
    }
    if (commit->default_list.size) {
        from = store->text.size;
        eddy_key_list_default(&store->base, &store->text);
        words[n++] =
            (struct eddy_span){store->text.data + from, store->text.size - from};
        words[n++] = commit->default_list;
    }
    return eddy_redis_append(part->redis, words, n, err);
}

static int send_commit(struct store_redis *store, struct eddy_redis_part *part,
                       const struct eddy_commit *commit, struct eddy_err *err)
{
    struct eddy_span multi = eddy_span_of("MULTI"), exec = eddy_span_of("EXEC");
    int rc = 0;

    EDDY_ASSERT(part->armed); /* R1 */
    eddy_buf_clear(&part->next);
    eddy_position_encode(&commit->position, &part->next);
    if (part->next.failed)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a position");
    part->armed = false;
    rc = eddy_redis_append(part->redis, &multi, 1, err);
    if (rc == 0)
        rc = append_mset(store, part, commit, err);
    if (rc == 0)
        rc = eddy_redis_append(part->redis, &exec, 1, err);
    if (rc == 0)
        rc = eddy_redis_part_watch(part, false, err);
    return rc ? rc : eddy_redis_write(part->redis, err);
}

/* EXEC's reply: an array (applied), nil (somebody wrote fence or offset), or an error:
 * a queued command was refused, nothing was applied, and the reason came with that one. */
static int read_exec(struct eddy_redis_part *part, bool *ret_applied,
                     struct eddy_err *err)
{
    redisReply *reply = NULL;
    int rc = eddy_redis_part_read(part, &reply, err);

    if (rc)
        return rc;
    *ret_applied = reply->type == REDIS_REPLY_ARRAY;
    if (*ret_applied && reply->elements == 1)
        rc = eddy_redis_refused(part->redis, reply->element[0], err);
    freeReplyObject(reply);
    return rc;
}

static int read_commit(struct eddy_redis_part *part, struct eddy_commit *commit,
                       struct eddy_err *err)
{
    bool applied = false;
    int rc = eddy_redis_part_skip(part, err); /* MULTI */

    if (rc == 0)
        rc = eddy_redis_part_skip(part, err); /* MSET: QUEUED */
    if (rc == 0)
        rc = read_exec(part, &applied, err);
    if (rc == 0)
        rc = eddy_redis_part_skip(part, err); /* WATCH */
    if (rc)
        return rc;
    if (applied) {
        struct eddy_buf seen = part->seen;
        part->seen = part->next;
        part->next = seen;
    }
    commit->ret_code = applied ? 0 : EDDY_EFENCED;
    rc = eddy_redis_part_check(part, err);
    if (!applied)
        part->armed = false; /* even if the values look the same again */
    return rc;
}

static int commit_all(struct eddy_store *base, struct eddy_commit *commits,
                      uint32_t count, struct eddy_err *err)
{
    struct store_redis *store = of(base);
    uint64_t begin_ns = eddy_monotonic_ns();
    int rc = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct eddy_redis_part *part = find_part(store, commits[i].partition);
        commits[i].ret_code = part && part->armed ? 0 : EDDY_EFENCED;
    }
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        if (commits[i].ret_code == 0)
            rc = send_commit(store, find_part(store, commits[i].partition), &commits[i],
                             err);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        if (commits[i].ret_code == 0)
            rc = read_commit(find_part(store, commits[i].partition), &commits[i], err);
    if (rc) {
        for (uint32_t i = 0; i < count; i++)
            if (find_part(store, commits[i].partition))
                eddy_redis_part_disconnect(find_part(store, commits[i].partition));
        return rc;
    }
    observe(store, begin_ns);
    return 0;
}

/* ---- life ---- */

static void close_store(struct eddy_store *base)
{
    struct store_redis *store = of(base);

    for (uint32_t p = 0; p < store->part_room; p++)
        eddy_redis_part_free(store->parts[p]);
    free(store->parts);
    eddy_redis_plain_close(&store->plain);
    eddy_buf_fini(&store->text);
    free(store->words);
    free(store);
}

static int get(struct eddy_store *base, const struct eddy_span *keys, uint32_t count,
               struct eddy_arena *arena, struct eddy_span *ret_values,
               struct eddy_err *err)
{
    return eddy_redis_plain_get(&of(base)->plain, keys, count, arena, ret_values, err);
}

static int set_if_absent(struct eddy_store *base, struct eddy_span key,
                         struct eddy_span value, struct eddy_err *err)
{
    return eddy_redis_plain_set_if_absent(&of(base)->plain, key, value, err);
}

static int scan_users(struct eddy_store *base, uint32_t partition,
                      int (*visit)(void *context, struct eddy_span user,
                                   struct eddy_span blob, struct eddy_span list),
                      void *context, struct eddy_err *err)
{
    return eddy_redis_plain_scan(&of(base)->plain, base, partition, visit, context,
                                 err);
}

static const struct eddy_store_ops redis_ops = {
    .close = close_store,
    .acquire = acquire,
    .forget = forget,
    .load = load,
    .commit = commit_all,
    .get = get,
    .set_if_absent = set_if_absent,
    .scan_users = scan_users,
};

struct eddy_store *eddy_store_redis_open(const struct eddy_redis_options *options,
                                         const char *prefix, const char *owner,
                                         struct eddy_metrics *metrics)
{
    struct store_redis *store = calloc(1, sizeof *store);

    if (!store)
        return NULL;
    store->base.ops = &redis_ops;
    store->options = options;
    store->metrics = metrics;
    (void)snprintf(store->base.prefix, sizeof store->base.prefix, "%s", prefix);
    (void)snprintf(store->owner, sizeof store->owner, "%s", owner);
    eddy_buf_init(&store->text, 0);
    store->plain.options = options;
    store->plain.name = store->owner;
    return &store->base;
}

int eddy_store_redis_check(struct eddy_store *base, struct eddy_buf *ret_report,
                           struct eddy_err *err)
{
    return eddy_redis_plain_check(&of(base)->plain, ret_report, err);
}
