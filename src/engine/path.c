/* The straight path: one turn of a worker.
 *
 *   records ─► decode ─► load ─► apply ─► score ─► list ─► commit ─► publish
 *              event     store   state    score    list    store     publisher
 *              json              hrnn
 *
 * A turn takes what was pushed through these stages in waves. A wave holds, of every
 * partition, the records that one commit may carry: at most EDDY_COMMIT_USERS users, and a
 * snapshot record only as its first, so that during a wave a partition stands on one model.
 * Almost always one wave is the turn; a partition with many users takes several.
 *
 * Nothing is shared with other threads but the snapshots, which cannot change.
 *
 * The rules:
 *   P1  Nothing is visible before it is committed: lists go out after the commit that
 *       carries the states they came from. Dead letters are the exception: they are
 *       confirmed before the commit that moves the offset over them.
 *   P2  What publish could not finish is in the outbox of the commit. A new owner publishes
 *       the committed lists of these users again: same revision, same bytes.
 *   P3  The offset moves only together with all effects of the records below it.
 *   P4  Log order is the order: a user's records are folded one by one by offset, whatever
 *       the batch. A record below the position is never folded again.
 *   P5  Purity: states and lists depend on the log prefix, never on where batches were cut,
 *       on other users, on the cache or on the clock. A list belongs to the last record
 *       that moved its state, and carries that record's revision, even if a duplicate
 *       followed in the same batch.
 *   P6  A cached state is what the store holds at the partition's position. When that is in
 *       doubt (a turn failed, fenced, acquired again), it is dropped.
 *   P7  Losing a partition costs that partition only; any other failure costs the turn, and
 *       every owned partition has to be acquired again, because an outcome may be unknown.
 *   P8  The last record of a key in the list topic is his newest list: a failed delivery is
 *       repeated unless a newer list follows it.
 *   P9  Everything is bounded: records of a turn, users of a commit, states cached, lists
 *       unconfirmed. At the last bound the turn waits (EDDY_EFULL) before it has done
 *       anything.
 * The simulator (tests/sim) holds the path to them; tests/sim/README.md says by which check. */
#include "engine/path_internal.h"

#include <stdlib.h>

#include "base/clock.h"

/* The order is a delivery decision (P1, P2): read it before you change it. */
/* clang-format off */
static const struct stage {
    const char *name;
    int (*run)(struct eddy_path *path, struct eddy_err *err);
    enum eddy_metric_id metric;
} stages[EDDY_STAGES] = {
    {"decode", eddy_path_decode, EDDY_M_STAGE_DECODE},   /* bytes to events; bad ones to the dead letters */
    {"load", eddy_path_load, EDDY_M_STAGE_LOAD},         /* states of all users at once, position verified */
    {"apply", eddy_path_apply, EDDY_M_STAGE_APPLY},      /* session rules, one HRNN step per event */
    {"score", eddy_path_score, EDDY_M_STAGE_SCORE},      /* best items of each user that moved */
    {"list", eddy_path_list, EDDY_M_STAGE_LIST},         /* the lists as they will be read */
    {"commit", eddy_path_commit, EDDY_M_STAGE_COMMIT},   /* states, lists, position, outbox: one compare-and-set */
    {"publish", eddy_path_publish, EDDY_M_STAGE_PUBLISH} /* lists to the topic */
};
/* clang-format on */

/* ---------------------------------------------------------------- life */

enum {
    ARENA_BYTES = 1 << 20,
    ARENA_MAX = 1 << 30, /* 512 records of the largest size fit */
};

struct eddy_path *eddy_path_new(const struct eddy_path_options *options,
                                struct eddy_store *store, struct eddy_sink *sink,
                                struct eddy_registry *registry,
                                struct eddy_metrics *metrics, struct eddy_err *err)
{
    struct eddy_path *path = calloc(1, sizeof *path);
    if (!path) {
        (void)eddy_fail(err, EDDY_ENOMEM, "no memory for the path");
        return NULL;
    }
    path->options = *options;
    path->store = store;
    path->sink = sink;
    path->registry = registry;
    path->metrics = metrics;
    eddy_buf_init(&path->lists, 0);
    eddy_buf_init(&path->blobs, 0);
    eddy_buf_init(&path->outboxes, 0);
    eddy_path_reset_times(path);
    uint32_t cache_users = options->cache_users;
    if (cache_users < 2 * EDDY_TURN_RECORDS) {
        cache_users = 2 * EDDY_TURN_RECORDS; /* a turn pins one slot per user */
    }
    path->json = eddy_json_new();
    path->arena = eddy_arena_new(ARENA_BYTES, ARENA_MAX);
    path->publisher = sink ? eddy_publisher_new(sink, metrics) : NULL;
    if (!path->json || !path->arena || (sink && !path->publisher) ||
        eddy_cache_init(&path->cache, cache_users) < 0) {
        (void)eddy_fail(err, EDDY_ENOMEM,
                        "no memory for a cache of %u users: lower cache_users",
                        cache_users);
        eddy_path_free(path);
        return NULL;
    }
    return path;
}

void eddy_path_free(struct eddy_path *path)
{
    if (!path) {
        return;
    }
    for (uint32_t i = 0; i < path->part_count; i++) {
        if (path->parts[i]) {
            eddy_path_model_drop(path, path->parts[i]->model);
            free(path->parts[i]);
        }
    }
    free(path->parts);
    free(path->fenced);
    eddy_publisher_free(path->publisher);
    eddy_cache_fini(&path->cache);
    eddy_arena_free(path->arena);
    eddy_json_free(path->json);
    eddy_buf_fini(&path->lists);
    eddy_buf_fini(&path->blobs);
    eddy_buf_fini(&path->outboxes);
    free(path);
}

/* ---------------------------------------------------------------- turn */

enum eddy_push eddy_path_push(struct eddy_path *path, const struct eddy_record *record,
                              bool allow_gaps)
{
    struct path_part *part = eddy_path_part(path, record->partition);
    if (!part || !part->owned) {
        return EDDY_PUSH_OLD;
    }
    if (part->broken) {
        return EDDY_PUSH_GAP;
    }
    if (record->offset < part->push_offset) {
        eddy_path_count(path, EDDY_M_DISCARD_REDELIVERED, 1);
        return EDDY_PUSH_OLD;
    }
    if (record->offset > part->push_offset && !allow_gaps) {
        return EDDY_PUSH_GAP;
    }
    if (path->pushed_count == EDDY_TURN_RECORDS) {
        return EDDY_PUSH_FULL;
    }
    path->pushed[path->pushed_count++] =
        (struct path_pushed){.record = *record, .part = part};
    part->push_offset = record->offset + 1;
    eddy_path_count(path, EDDY_M_EVENTS_RECEIVED, 1);
    return EDDY_PUSH_TAKEN;
}

uint32_t eddy_path_pending(const struct eddy_path *path)
{
    return path->pushed_count;
}

/* P9: the bound on unconfirmed lists, before anything has happened. */
static int check_outbox_room(struct eddy_path *path, struct eddy_err *err)
{
    for (uint32_t i = 0; path->publisher && i < path->pushed_count; i++) {
        const struct path_part *part = path->pushed[i].part;
        uint32_t waiting = eddy_publisher_count(path->publisher, part->partition);
        if (part->owned && waiting >= path->options.outbox_max) {
            return eddy_fail(err, EDDY_EFULL,
                             "partition %u: %u lists wait for the list topic's "
                             "confirmation (limit %u)",
                             part->partition, waiting, path->options.outbox_max);
        }
    }
    return 0;
}

/* The one loop over the stages. The hook is also where the tests check the wave's
 * invariants (path_check.c). */
static int run_stages(struct eddy_path *path, struct eddy_err *err)
{
    uint64_t cpu = eddy_thread_cpu_ns();
    uint64_t now = eddy_monotonic_ns();
    for (uint32_t i = 0; i < EDDY_STAGES; i++) {
        int r = path->hook ? path->hook(path->hook_context, stages[i].name) : 0;
        if (r < 0) {
            return eddy_fail(err, r, "stage %s: fault injected", stages[i].name);
        }
        r = stages[i].run(path, err);
        uint64_t cpu_after = eddy_thread_cpu_ns();
        uint64_t now_after = eddy_monotonic_ns();
        path->times[i].cpu_ns += cpu_after - cpu;
        path->times[i].calls++;
        if (path->metrics) {
            eddy_metric_observe_ns(path->metrics, stages[i].metric, now_after - now);
        }
        if (r < 0) {
            return r;
        }
        cpu = cpu_after;
        now = now_after;
    }
    return 0;
}

/* P7: no outcome may be assumed. */
static void break_all(struct eddy_path *path)
{
    for (uint32_t i = 0; i < path->part_count; i++) {
        if (path->parts[i] && path->parts[i]->owned) {
            path->parts[i]->broken = true;
        }
    }
    eddy_cache_clear(&path->cache);
    path->pushed_count = 0;
}

static void end_wave(struct eddy_path *path)
{
    for (uint32_t i = 0; i < path->row_count; i++) {
        if (path->rows[i].part->owned) {
            path->cache.slots[path->rows[i].slot].row = EDDY_CACHE_NONE;
        }
    }
    path->row_count = 0;
    path->event_count = 0;
}

int eddy_path_turn(struct eddy_path *path, struct eddy_err *err)
{
    path->fenced_count = 0;
    if (path->pushed_count == 0) {
        return 0;
    }
    eddy_path_count(path, EDDY_M_TURNS, 1);
    while (path->pushed_count > 0) {
        int r = check_outbox_room(path, err);
        if (r < 0) {
            return r;
        }
        r = run_stages(path, err);
        end_wave(path);
        if (r < 0) {
            break_all(path);
            return r;
        }
    }
    return 0;
}

const uint32_t *eddy_path_fenced(const struct eddy_path *path, uint32_t *ret_count)
{
    *ret_count = path->fenced_count;
    return path->fenced;
}

/* P8 for a worker that slept: what failed or was held may have waited longer than the
 * ownership lasted. Before it goes out, the store says whose the partition is. */
static int check_held(struct eddy_path *path, struct eddy_err *err)
{
    struct eddy_load load = {0};
    while (eddy_publisher_has_held(path->publisher, &load.partition, &load.user)) {
        struct path_part *part = path->parts[load.partition];
        uint32_t fenced = 0;
        eddy_arena_reset(path->arena);
        int r = part->broken
                    ? 0
                    : eddy_store_load(path->store, &load, 1, path->arena, &fenced, err);
        if (r < 0) {
            return r;
        }
        if (part->broken) { /* whoever acquires it publishes again */
            eddy_publisher_drop(path->publisher, load.partition);
        } else {
            eddy_publisher_retry(path->publisher, load.partition);
        }
    }
    return 0;
}

int eddy_path_service(struct eddy_path *path, struct eddy_err *err)
{
    if (!path->publisher) {
        return 0;
    }
    eddy_sink_poll(path->sink);
    int r = check_held(path, err);
    if (r < 0) {
        break_all(path);
        return r;
    }
    r = eddy_publisher_send(path->publisher, err);
    uint32_t waiting = eddy_publisher_total(path->publisher);
    if (path->metrics) {
        eddy_metric_set(path->metrics, EDDY_M_OUTBOX_USERS, waiting);
    }
    if (r < 0) {
        return eddy_fail(err, EDDY_EKAFKA, "lists cannot be handed over: %u wait",
                         waiting);
    }
    int health = eddy_publisher_health(path->publisher);
    if (health < 0 && waiting > 0) {
        return eddy_fail(err, EDDY_EKAFKA,
                         "lists cannot be delivered (%s): %u wait, retrying",
                         eddy_err_reason(health), waiting);
    }
    return 0;
}

int eddy_path_probe(struct eddy_path *path, struct eddy_err *err)
{
    path->fenced_count = 0;
    eddy_arena_reset(path->arena);
    struct eddy_load *loads =
        eddy_arena_zero(path->arena, path->owned_count + 1, sizeof *loads);
    if (!loads) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory to probe the store");
    }
    for (;;) {
        uint32_t count = 0, fenced = 0;
        for (uint32_t i = 0; i < path->part_count; i++) {
            struct path_part *part = path->parts[i];
            if (part && part->owned && !part->broken) {
                /* No user has an empty name: what counts is the check behind the read. */
                loads[count++] = (struct eddy_load){.partition = i, .user = {"", 0}};
            }
        }
        int r = eddy_store_load(path->store, loads, count, path->arena, &fenced, err);
        if (r == EDDY_EFENCED && eddy_path_owns(path, fenced)) {
            eddy_path_lose(path, path->parts[fenced]); /* P7: the others go on */
            continue;
        }
        if (r < 0) {
            break_all(path);
        }
        return r;
    }
}

int eddy_path_tidy(struct eddy_path *path, struct eddy_err *err)
{
    path->fenced_count = 0;
    for (uint32_t i = 0; i < path->part_count; i++) {
        struct path_part *part = path->parts[i];
        if (!part || !part->owned || part->broken || !part->stored_outbox ||
            part->push_offset != part->position.offset ||
            eddy_publisher_count(path->publisher, i) > 0) {
            continue;
        }
        int r = eddy_path_commit_idle(path, part, err);
        if (r == EDDY_EFENCED) {
            eddy_path_lose(path, part);
        } else if (r < 0) {
            break_all(path);
            return r;
        }
    }
    return 0;
}

uint32_t eddy_path_unconfirmed(const struct eddy_path *path)
{
    return path->publisher ? eddy_publisher_total(path->publisher) : 0;
}

/* ---------------------------------------------------------------- watching */

void eddy_path_set_hook(struct eddy_path *path, eddy_path_hook_fn hook, void *context)
{
    path->hook = hook;
    path->hook_context = context;
}

uint32_t eddy_path_times(const struct eddy_path *path,
                         const struct eddy_stage_time **ret)
{
    *ret = path->times;
    return EDDY_STAGES;
}

void eddy_path_reset_times(struct eddy_path *path)
{
    for (uint32_t i = 0; i < EDDY_STAGES; i++) {
        path->times[i] = (struct eddy_stage_time){.name = stages[i].name};
    }
}
