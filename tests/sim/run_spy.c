/* What stands between a simulated worker and its store and sink. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/path_internal.h"
#include "run_internal.h"

/* ---------------------------------------------------------------- store */

static struct eddy_store *inner_of(struct eddy_store *store)
{
    return ((struct spy_store *)store)->inner;
}

static struct sim *sim_of(struct eddy_store *store)
{
    return ((struct spy_store *)store)->sim;
}

uint64_t sim_committed(struct sim *sim, uint32_t partition)
{
    struct eddy_store *store =
        eddy_store_mem_open(sim->memory, "eddy", "observer"); /* sees no faults */
    struct eddy_position position = {0};
    struct eddy_span value = {NULL, 0};
    struct eddy_err err = {0};
    EDDY_ASSERT(store);
    eddy_arena_reset(sim->arena);
    eddy_buf_clear(&sim->text);
    eddy_key_part(store, partition, "offset", &sim->text);
    EDDY_ASSERT(eddy_store_get(store, eddy_buf_span(&sim->text), sim->arena, &value,
                               &err) == 0);
    if (value.data) {
        EDDY_ASSERT(eddy_position_decode(value, &position) == 0);
    }
    eddy_store_close(store);
    if (position.offset > sim->high[partition]) {
        sim->high[partition] = position.offset;
    }
    return position.offset;
}

static void spy_close(struct eddy_store *store)
{
    eddy_store_close(inner_of(store));
}

static int spy_acquire(struct eddy_store *store, uint32_t partition,
                       struct eddy_arena *arena, struct eddy_position *ret_position,
                       bool *ret_found, struct eddy_span *ret_outbox,
                       struct eddy_err *err)
{
    struct spy_store *spy = (struct spy_store *)store;
    int r = eddy_store_acquire(spy->inner, partition, arena, ret_position, ret_found,
                               ret_outbox, err);
    if (r == 0 && spy->sim->mutant == SIM_OLD_POSITION) {
        if (spy->has_seen[partition] && *ret_found) {
            *ret_position = spy->seen[partition];
        }
    }
    if (r == 0 && spy->sim->mutant == SIM_TORN_COMMIT) {
        spy->has_seen[partition] = *ret_found;
        spy->seen[partition] = *ret_position;
    }
    return r;
}

static void spy_forget(struct eddy_store *store, uint32_t partition)
{
    eddy_store_forget(inner_of(store), partition);
}

/* As a client would read without looking at fence and offset. */
static int load_blindly(struct eddy_store *store, struct eddy_load *loads,
                        uint32_t count, struct eddy_arena *arena, struct eddy_err *err)
{
    struct eddy_buf key;
    int r = 0;
    eddy_buf_init(&key, 0);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        eddy_buf_clear(&key);
        eddy_key_state(store, loads[i].partition, loads[i].user, &key);
        r = eddy_store_get(inner_of(store), eddy_buf_span(&key), arena,
                           &loads[i].ret_blob, err);
    }
    eddy_buf_fini(&key);
    return r;
}

static int spy_load(struct eddy_store *store, struct eddy_load *loads, uint32_t count,
                    struct eddy_arena *arena, uint32_t *ret_fenced_partition,
                    struct eddy_err *err)
{
    if (sim_of(store)->mutant == SIM_NO_VERIFY) {
        return load_blindly(store, loads, count, arena, err);
    }
    return eddy_store_load(inner_of(store), loads, count, arena, ret_fenced_partition,
                           err);
}

static void publish_early(struct spy_store *spy, const struct eddy_commit *commits,
                          uint32_t count)
{
    struct eddy_err err = {0};
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < commits[i].write_count; k++) {
            const struct eddy_write *write = &commits[i].writes[k];
            if (write->list.size > 0) {
                const char *rev = strstr(write->list.data, ",\"rev\":");
                (void)eddy_sink_publish(&spy->worker->sink.sink, commits[i].partition,
                                        write->user, strtoull(rev + 7, NULL, 10),
                                        write->list, &err);
            }
        }
    }
}

/* Without comparing: a fresh fence makes any commit pass. */
static int commit_blindly(struct spy_store *spy, struct eddy_commit *commits,
                          uint32_t count, struct eddy_arena *arena,
                          struct eddy_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_position position;
        struct eddy_span outbox;
        bool found = false;
        int r = eddy_store_acquire(spy->inner, commits[i].partition, arena, &position,
                                   &found, &outbox, err);
        if (r < 0) {
            return r;
        }
    }
    return eddy_store_commit(spy->inner, commits, count, err);
}

/* States first, under the position of before; then the position. */
static int commit_torn(struct spy_store *spy, struct eddy_commit *commits,
                       uint32_t count, struct eddy_err *err)
{
    struct eddy_position after[WORLD_PARTITIONS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t p = commits[i].partition;
        if (!spy->has_seen[p]) { /* the first one, to have a before */
            return eddy_store_commit(spy->inner, commits, count, err);
        }
        after[i] = commits[i].position;
    }
    for (uint32_t i = 0; i < count; i++) {
        commits[i].position = spy->seen[commits[i].partition];
    }
    int r = eddy_store_commit(spy->inner, commits, count, err);
    if (r == 0 && eddy_rng_below(&spy->sim->rng, 8) == 0) {
        eddy_store_mem_fail_next(spy->inner, EDDY_MEM_FAIL_BEFORE);
    }
    for (uint32_t i = 0; i < count; i++) {
        commits[i].position = after[i];
    }
    return r < 0 ? r : eddy_store_commit(spy->inner, commits, count, err);
}

static void change_commits(struct spy_store *spy, struct eddy_commit *commits,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (spy->sim->mutant == SIM_NO_OUTBOX) {
            commits[i].outbox = (struct eddy_span){"\x90", 1}; /* an empty array */
        }
        if (spy->sim->mutant == SIM_NO_DEFAULT) {
            commits[i].default_list = (struct eddy_span){NULL, 0};
        }
    }
    if (spy->sim->mutant == SIM_EARLY_PUBLISH) {
        publish_early(spy, commits, count);
    }
}

static int spy_commit(struct eddy_store *store, struct eddy_commit *commits,
                      uint32_t count, struct eddy_err *err)
{
    struct spy_store *spy = (struct spy_store *)store;
    struct sim *sim = spy->sim;
    int r = 0;
    change_commits(spy, commits, count);
    if (sim->mutant == SIM_BLIND_COMMIT) {
        struct eddy_arena *arena = eddy_arena_new(4096, 1 << 24);
        r = commit_blindly(spy, commits, count, arena, err);
        eddy_arena_free(arena);
    } else if (sim->mutant == SIM_TORN_COMMIT) {
        r = commit_torn(spy, commits, count, err);
    } else {
        r = eddy_store_commit(spy->inner, commits, count, err);
    }
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        if (commits[i].ret_code == 0) {
            uint32_t p = commits[i].partition;
            sim->counters->commits++;
            spy->seen[p] = commits[i].position;
            spy->has_seen[p] = true;
            if (commits[i].position.offset > sim->high[p]) {
                sim->high[p] = commits[i].position.offset;
            }
        }
    }
    return r;
}

static int spy_get(struct eddy_store *store, const struct eddy_span *keys,
                   uint32_t count, struct eddy_arena *arena,
                   struct eddy_span *ret_values, struct eddy_err *err)
{
    return eddy_store_get_many(inner_of(store), keys, count, arena, ret_values, err);
}

static int spy_set_if_absent(struct eddy_store *store, struct eddy_span key,
                             struct eddy_span value, struct eddy_err *err)
{
    return eddy_store_set_if_absent(inner_of(store), key, value, err);
}

static int spy_scan_users(struct eddy_store *store, uint32_t partition,
                          int (*visit)(void *context, struct eddy_span user,
                                       struct eddy_span blob, struct eddy_span list),
                          void *context, struct eddy_err *err)
{
    return eddy_store_scan_users(inner_of(store), partition, visit, context, err);
}

static const struct eddy_store_ops store_ops = {
    .close = spy_close,
    .acquire = spy_acquire,
    .forget = spy_forget,
    .load = spy_load,
    .commit = spy_commit,
    .get = spy_get,
    .set_if_absent = spy_set_if_absent,
    .scan_users = spy_scan_users,
};

/* ---------------------------------------------------------------- sink */

static void spy_sink_close(struct eddy_sink *sink)
{
    eddy_sink_close(((struct spy_sink *)sink)->inner);
}

/* Every list ever handed over is one that the reference gives for that very record, and
 * its record was committed by then (I5, I8 of STREAMING 6.2). */
static void check_published(struct sim *sim, uint32_t partition, struct eddy_span user,
                            uint64_t revision, struct eddy_span list)
{
    const struct world_list *want =
        world_find_list(sim->world, partition, user, revision);
    if (!want) {
        sim_fail(sim,
                 "published a list of %.*s with revision %llu, which no record gives",
                 (int)user.size, user.data, (unsigned long long)revision);
    } else if (!eddy_span_eq(want->list, list)) {
        sim_fail(sim,
                 "published for %.*s revision %llu:\n  %.*s\nthe reference has\n  %.*s",
                 (int)user.size, user.data, (unsigned long long)revision,
                 (int)list.size, list.data, (int)want->list.size, want->list.data);
    }
    (void)sim_committed(sim, partition);
    if (revision > sim->high[partition]) {
        sim_fail(sim, "published %.*s revision %llu, committed is %llu at most",
                 (int)user.size, user.data, (unsigned long long)revision,
                 (unsigned long long)sim->high[partition]);
    }
}

static int spy_publish(struct eddy_sink *sink, uint32_t partition,
                       struct eddy_span user, uint64_t revision, struct eddy_span list,
                       struct eddy_err *err)
{
    struct spy_sink *spy = (struct spy_sink *)sink;
    int r = eddy_sink_publish(spy->inner, partition, user, revision, list, err);
    if (r == 0) {
        spy->sim->counters->published++;
        check_published(spy->sim, partition, user, revision, list);
    }
    if (r == 0 && spy->sim->mutant == SIM_EARLY_CONFIRM) {
        for (uint32_t i = 0; i < spy->sim->world->user_count; i++) {
            const struct world_user *known = &spy->sim->world->users[i];
            if (spy->early_count < SIM_EARLY_MAX && eddy_span_eq(known->name, user)) {
                spy->early[spy->early_count++] =
                    (struct sim_early){partition, known->name, revision};
            }
        }
    }
    return r;
}

static int spy_bury(struct eddy_sink *sink, const struct eddy_record *record, int code,
                    const char *message, struct eddy_err *err)
{
    struct spy_sink *spy = (struct spy_sink *)sink;
    spy->sim->counters->dead++;
    return eddy_sink_bury(spy->inner, record, code, message, err);
}

static int spy_settle(struct eddy_sink *sink, int timeout_ms, struct eddy_err *err)
{
    struct spy_sink *spy = (struct spy_sink *)sink;
    if (spy->sim->mutant == SIM_NO_SETTLE && eddy_rng_below(&spy->sim->rng, 4) > 0) {
        return 0; /* they are on their way, surely */
    }
    return eddy_sink_settle(spy->inner, timeout_ms, err);
}

static void spy_poll(struct eddy_sink *sink)
{
    struct spy_sink *spy = (struct spy_sink *)sink;
    eddy_sink_poll(spy->inner);
    for (uint32_t i = 0; i < spy->early_count && sink->done; i++) {
        const struct sim_early *early = &spy->early[i];
        sink->done(sink->done_context, early->partition, early->user, early->revision,
                   0);
    }
    spy->early_count = 0;
}

/* Reports of the inner sink, handed on. */
static void spy_done(void *context, uint32_t partition, struct eddy_span user,
                     uint64_t revision, int code)
{
    struct spy_sink *spy = context;
    if (spy->sim->mutant == SIM_IGNORE_FAILURE) {
        code = 0;
    }
    if (spy->sink.done && spy->sim->mutant != SIM_EARLY_CONFIRM) {
        spy->sink.done(spy->sink.done_context, partition, user, revision, code);
    }
}

static const struct eddy_sink_ops sink_ops = {
    .close = spy_sink_close,
    .publish = spy_publish,
    .bury = spy_bury,
    .settle = spy_settle,
    .poll = spy_poll,
};

/* ---------------------------------------------------------------- worker */

static int hook(void *context, const char *stage)
{
    struct sim_worker *worker = context;
    const char *wrong = eddy_path_check(worker->path);
    if (wrong) {
        sim_fail(worker->sim, "before stage %s: %s", stage, wrong);
    }
    if (!worker->fault_stage || strcmp(worker->fault_stage, stage) != 0) {
        return 0;
    }
    worker->fault_stage = NULL;
    worker->crashed = worker->fault_is_crash;
    if (worker->crashed) {
        worker->sim->counters->crashes++;
        return EDDY_EFATAL;
    }
    worker->sim->counters->injected++;
    return worker->fault_code;
}

bool sim_worker_start(struct sim *sim, struct sim_worker *worker)
{
    struct eddy_path_options options = {
        .prefix = "eddy",
        .partitions = sim->world->partitions,
        .cache_users = 1024,
        .outbox_max =
            sim->outbox_max ? sim->outbox_max : 1 + eddy_rng_below(&sim->rng, 20),
        .initial_policy = sim->world->initial_policy,
    };
    struct eddy_err err = {0};
    char name[32];
    memset(worker, 0, sizeof *worker);
    worker->sim = sim;
    memcpy(options.initial_snapshot, sim->world->initial,
           sizeof options.initial_snapshot);
    (void)snprintf(name, sizeof name, "worker%u:%u", (unsigned)(worker - sim->workers),
                   eddy_rng_below(&sim->rng, 1000000));
    worker->store = (struct spy_store){
        .store = {.ops = &store_ops},
        .inner = eddy_store_mem_open(sim->memory, "eddy", name),
        .sim = sim,
        .worker = worker,
    };
    worker->sink = (struct spy_sink){.sink = {.ops = &sink_ops},
                                     .inner = eddy_sink_mem_open(sim->topic),
                                     .sim = sim};
    EDDY_ASSERT(worker->store.inner && worker->sink.inner);
    (void)snprintf(worker->store.store.prefix, sizeof worker->store.store.prefix, "%s",
                   "eddy");
    eddy_sink_on_done(worker->sink.inner, spy_done, &worker->sink);
    worker->path = eddy_path_new(&options, &worker->store.store, &worker->sink.sink,
                                 sim->models->registry, NULL, &err);
    if (!worker->path) {
        sim_fail(sim, "no path: %s", err.text);
        return false;
    }
    eddy_path_set_hook(worker->path, hook, worker);
    return true;
}

void sim_worker_stop(struct sim_worker *worker)
{
    eddy_path_free(worker->path);
    eddy_store_close(&worker->store.store);
    eddy_sink_close(&worker->sink.sink);
    worker->path = NULL;
}
