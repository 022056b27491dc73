/* eddy bench path: what one event costs, stage by stage.
 *
 * Events of many users are pushed down the real path (engine/path.h) into a store in memory
 * or a Redis child; lists go to a sink that confirms at once. Payloads are made beforehand,
 * outside of the measured time; time is the CPU time of this thread, so a busy machine does
 * not change it much. Beside it stand the bare scoring kernel at the same number of rows
 * and what cblas_sgemm with a partial sort would take (cmd_bench_model.c).
 *
 * What to expect at 10 000 items, H = 128, two layers of minGRU: scoring 2.56 MFLOP per
 * list; a step 11 H^2 per layer, that is 0.72 MFLOP or 28 % of it; the rest is copying a
 * few KiB of state, 25 lines of JSON and two dozen hash look-ups. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/bench.h"
#include "app/blas_core.h"
#include "app/child_redis.h"
#include "app/option_rows.h"
#include "app/progress.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "engine/path.h"
#include "io/store_mem.h"
#include "io/store_redis.h"

struct options {
    int64_t items, hidden, layers, users, events, warm_up, list_size, per_turn,
        partitions;
    int64_t cell, mode;
    bool redis, exclude_recent, json, quiet;
};

/* clang-format off */
#define ROW(name_, field, min_, max_, help_)                                             \
    {.name = name_, .type = EDDY_ARG_INT, .offset = offsetof(struct options, field),     \
     .value = "N", .min = min_, .max = max_, .help = help_}
static const struct eddy_arg rows[] = {
    ROW("items", items, 1, 1e8, "Catalogue size (default 10000)."),
    ROW("hidden", hidden, 8, 256, "Hidden dimension (default 128)."),
    ROW("layers", layers, 1, 8, "Layers of the session level (default 2)."),
    {.name = "cell", .type = EDDY_ARG_CHOICE, .offset = offsetof(struct options, cell),
     .choices = "mingru|gru|plain_gru", .help = "Cell of the session level (default mingru)."},
    {.name = "mode", .type = EDDY_ARG_CHOICE, .offset = offsetof(struct options, mode),
     .choices = "flat|init|all", .help = "How the user level acts (default flat)."},
    ROW("users", users, 1, 1e7, "Users that events are spread over (default 10000)."),
    ROW("events", events, 1, 1e9, "Events to measure (default 100000)."),
    ROW("warm-up", warm_up, 0, 1e9, "Events before that, not measured (default: three per user)."),
    ROW("per-turn", per_turn, 1, 4096, "Events pushed before a turn is run (default 64)."),
    ROW("partitions", partitions, 1, 1024, "Partitions that one worker owns (default 1)."),
    ROW("list-size", list_size, 1, 500, "Items per list (default 25)."),
    {.name = "exclude-recent", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, exclude_recent),
     .help = "Leave recent items out of lists, as a deployment may."},
    {.name = "redis", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, redis),
     .help = "Keep states in a redis-server child on a unix socket, not in memory."},
    EDDY_JSON_ROW(struct options),
    EDDY_QUIET_ROW(struct options),
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "bench",
    .usage =
        "path [--items N] [--hidden H] [--users N] [--events N] [--redis] [--json]",
    .about =
        "path: one worker thread, CPU time per event of each stage of the path, beside the\n"
        "bare scoring kernel and cblas_sgemm + partial sort on the same catalogue in the\n"
        "same run. train: what an epoch costs; its options: eddy bench train --help.\n"
        "Build preset release for numbers that count.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .operand = "the bench's name (path or train)",
    .operand_min = 1,
    .operand_max = 1,
    .examples = "  eddy bench train --set hidden_dimension=128\n"
                "  eddy bench path\n"
                "  eddy bench path --items 100000 --hidden 64 --redis\n"
                "  eddy bench path --events 1000000        memory must not grow",
};

/* ---- a sink that confirms everything at the next poll ---------------------------- */

struct pending {
    uint64_t revision;
    uint32_t partition, size;
    char user[24];
};

enum { PENDING_MAX = 8192 };

struct bench_sink {
    struct eddy_sink base;
    struct pending pending[PENDING_MAX];
    uint32_t count;
    uint64_t lists, bytes, buried;
};

static void sink_close(struct eddy_sink *sink)
{
    free(sink);
}

static int sink_publish(struct eddy_sink *base, uint32_t partition,
                        struct eddy_span user, uint64_t revision, struct eddy_span list,
                        struct eddy_err *err)
{
    struct bench_sink *sink = (struct bench_sink *)base;
    if (sink->count == PENDING_MAX || user.size > sizeof sink->pending[0].user)
        return eddy_fail(err, EDDY_EFULL, "bench sink is full");
    struct pending *pending = &sink->pending[sink->count++];
    pending->revision = revision;
    pending->partition = partition;
    pending->size = (uint32_t)user.size;
    memcpy(pending->user, user.data, user.size);
    sink->lists++;
    sink->bytes += list.size;
    return 0;
}

static int sink_bury(struct eddy_sink *base, const struct eddy_record *record, int code,
                     const char *message, struct eddy_err *err)
{
    struct bench_sink *sink = (struct bench_sink *)base;
    sink->buried++;
    return eddy_fail(err, EDDY_EFATAL, "event %" PRIu64 " was refused (%s): %s",
                     record->offset, eddy_err_reason(code), message);
}

static int sink_settle(struct eddy_sink *sink, int timeout_ms, struct eddy_err *err)
{
    (void)sink, (void)timeout_ms, (void)err; /* nothing is ever buried */
    return 0;
}

static void sink_poll(struct eddy_sink *base)
{
    struct bench_sink *sink = (struct bench_sink *)base;
    uint32_t count = sink->count;
    for (uint32_t i = 0; i < count && base->done; i++) {
        struct pending *pending = &sink->pending[i];
        base->done(base->done_context, pending->partition,
                   (struct eddy_span){pending->user, pending->size}, pending->revision,
                   0);
    }
    sink->count = 0;
}

static struct bench_sink *open_sink(void)
{
    static const struct eddy_sink_ops ops = {.close = sink_close,
                                             .publish = sink_publish,
                                             .bury = sink_bury,
                                             .settle = sink_settle,
                                             .poll = sink_poll};
    struct bench_sink *sink = calloc(1, sizeof *sink);
    if (sink)
        sink->base.ops = &ops;
    return sink;
}

/* ---- events ---------------------------------------------------------------------- */

enum { CHUNK = 4096 };

/* A chunk of encoded events; users are spread evenly, items follow a skewed draw. */
struct chunk {
    struct eddy_record records[CHUNK];
    size_t at[CHUNK][2]; /* key, payload in bytes */
    struct eddy_buf bytes;
    uint32_t count;
    uint64_t next_offset[1024]; /* per partition */
    uint64_t made;
    uint32_t partitions, users, items;
};

static void make_event(struct chunk *chunk, uint32_t i)
{
    char user[24], item[32];
    struct eddy_err err = {0};
    uint64_t n = chunk->made++;
    uint32_t u = (uint32_t)(eddy_draw64(11, n, 0, 0) % chunk->users);
    double draw = eddy_draw_unit(12, n, 0, 0);
    (void)snprintf(user, sizeof user, "user%08u", u);
    (void)snprintf(item, sizeof item, "item%u",
                   (uint32_t)(draw * draw * draw * (double)chunk->items));
    struct eddy_event event = {.kind = EDDY_KIND_EVENT,
                               .user = eddy_span_of(user),
                               .item = eddy_span_of(item),
                               .type = eddy_span_of(n % 10 ? "click" : "purchase"),
                               .ts_ms = INT64_C(1700000000000) + (int64_t)n * 100};
    EDDY_ASSERT(eddy_event_check(&event, &err) == 0);
    chunk->at[i][0] = chunk->bytes.size;
    eddy_buf_puts(&chunk->bytes, user);
    chunk->at[i][1] = chunk->bytes.size;
    eddy_event_encode(&event, &chunk->bytes);
    chunk->records[i].partition = u % chunk->partitions;
    chunk->records[i].offset = chunk->next_offset[u % chunk->partitions]++;
    chunk->records[i].timestamp_ms = event.ts_ms;
}

static int fill_chunk(struct chunk *chunk, uint32_t count, struct eddy_err *err)
{
    eddy_buf_clear(&chunk->bytes);
    chunk->count = count;
    for (uint32_t i = 0; i < count; i++)
        make_event(chunk, i);
    if (chunk->bytes.failed)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        size_t end = i + 1 < count ? chunk->at[i + 1][0] : chunk->bytes.size;
        const char *data = chunk->bytes.data;
        chunk->records[i].key = (struct eddy_span){data + chunk->at[i][0],
                                                   chunk->at[i][1] - chunk->at[i][0]};
        chunk->records[i].payload =
            (struct eddy_span){data + chunk->at[i][1], end - chunk->at[i][1]};
    }
    return 0;
}

/* ---- the run --------------------------------------------------------------------- */

struct bench {
    const struct options *options;
    struct eddy_snapshot *snapshot;
    struct eddy_registry *registry;
    struct eddy_memory *memory;
    struct eddy_child_redis *redis;
    struct eddy_redis_options redis_options;
    struct eddy_store *store;
    struct bench_sink *sink;
    struct eddy_metrics *metrics;
    struct eddy_path *path;
    struct chunk *chunk;
    struct eddy_progress progress;
    struct eddy_bench_scorer *scorer;
    struct eddy_bench_result result;
    uint64_t done; /* events, warm-up included */
    bool measuring;
};

/* ---- how much of load and commit is the store's ---------------------------------- */

/* The store's own operations with a clock around two of them. A process has one bench. */
static struct {
    const struct eddy_store_ops *inner;
    struct eddy_store_ops outer;
    uint64_t cpu_ns;
} timed;

static int timed_load(struct eddy_store *store, struct eddy_load *loads, uint32_t count,
                      struct eddy_arena *arena, uint32_t *ret_fenced_partition,
                      struct eddy_err *err)
{
    uint64_t begin = eddy_thread_cpu_ns();
    int r = timed.inner->load(store, loads, count, arena, ret_fenced_partition, err);
    timed.cpu_ns += eddy_thread_cpu_ns() - begin;
    return r;
}

static int timed_commit(struct eddy_store *store, struct eddy_commit *commits,
                        uint32_t count, struct eddy_err *err)
{
    uint64_t begin = eddy_thread_cpu_ns();
    int r = timed.inner->commit(store, commits, count, err);
    timed.cpu_ns += eddy_thread_cpu_ns() - begin;
    return r;
}

static void time_store(struct eddy_store *store)
{
    timed.inner = store->ops;
    timed.outer = *store->ops;
    timed.outer.load = timed_load;
    timed.outer.commit = timed_commit;
    store->ops = &timed.outer;
}

/* ---- turns ----------------------------------------------------------------------- */

static int run_turn(struct bench *bench, struct eddy_err *err)
{
    uint64_t begin = eddy_monotonic_ns();
    int r = eddy_path_turn(bench->path, err);
    uint64_t spent = eddy_monotonic_ns() - begin;
    if (r == 0)
        r = eddy_path_service(bench->path, err);
    if (bench->measuring)
        bench->result.turn_ns[bench->result.turns++] = spent;
    return r;
}

static int push_all(struct bench *bench, struct eddy_err *err)
{
    struct chunk *chunk = bench->chunk;
    for (uint32_t i = 0; i < chunk->count;) {
        enum eddy_push push = eddy_path_push(bench->path, &chunk->records[i], false);
        if (push == EDDY_PUSH_OLD || push == EDDY_PUSH_GAP)
            return eddy_fail(err, EDDY_EFATAL, "offset %" PRIu64 " was not expected",
                             chunk->records[i].offset);
        i += push == EDDY_PUSH_TAKEN;
        if (push != EDDY_PUSH_FULL && i < chunk->count &&
            eddy_path_pending(bench->path) < bench->options->per_turn)
            continue;
        int r = run_turn(bench, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static struct eddy_bench_cost cost_so_far(const struct bench *bench)
{
    const struct eddy_stage_time *stages = NULL;
    struct eddy_bench_cost cost = {.total = (double)eddy_thread_cpu_ns(),
                                   .store = (double)timed.cpu_ns};
    uint32_t count = eddy_path_times(bench->path, &stages);
    for (uint32_t i = 0; i < count && i < EDDY_BENCH_STAGES; i++)
        cost.stages[i] = (double)stages[i].cpu_ns;
    return cost;
}

/* A slice of events has been run: into the sum, and into best if nothing was cheaper. */
static void note_slice(struct bench *bench, const struct eddy_bench_cost *begin,
                       const struct eddy_bench_cost *end, uint32_t events)
{
    struct eddy_bench_result *result = &bench->result;
    double total = end->total - begin->total, store = end->store - begin->store;
    bool best = events == CHUNK || result->best.total == 0;
    best = best && (result->best.total == 0 || total / events < result->best.total);
    result->sum.total += total;
    result->sum.store += store;
    if (best) {
        result->best.total = total / events;
        result->best.store = store / events;
    }
    for (uint32_t i = 0; i < EDDY_BENCH_STAGES; i++) {
        double stage = end->stages[i] - begin->stages[i];
        result->sum.stages[i] += stage;
        if (best)
            result->best.stages[i] = stage / events;
    }
}

static int run_events(struct bench *bench, uint64_t count, struct eddy_err *err)
{
    struct eddy_bench_result *result = &bench->result;
    for (uint64_t done = 0; done < count;) {
        uint64_t left = count - done;
        uint32_t size = left < CHUNK ? (uint32_t)left : CHUNK;
        int r = fill_chunk(bench->chunk, size, err);
        if (r < 0)
            return r;
        uint64_t wall = eddy_monotonic_ns();
        struct eddy_bench_cost begin = cost_so_far(bench);
        r = push_all(bench, err);
        struct eddy_bench_cost end = cost_so_far(bench);
        result->wall_ns += eddy_monotonic_ns() - wall;
        if (r < 0)
            return r;
        note_slice(bench, &begin, &end, size);
        done += size;
        bench->done += size;
        result->events += size;
        if (bench->measuring)
            eddy_bench_scorer_round(bench->scorer, &result->floor);
        if (result->resident_half == 0 && done * 2 >= count && bench->measuring)
            result->resident_half = eddy_resident_bytes();
        eddy_progress_update(&bench->progress, bench->done,
                             bench->measuring ? "" : "warming up");
    }
    return 0;
}

static int measure(struct bench *bench, struct eddy_err *err)
{
    const struct options *options = bench->options;
    uint64_t warm_up = options->warm_up >= 0 ? (uint64_t)options->warm_up
                                             : 3 * (uint64_t)options->users;
    uint64_t events = (uint64_t)options->events;
    eddy_progress_init(&bench->progress, "running", "events", warm_up + events,
                       options->quiet);
    /* A turn takes at least one event. Written to now, so that the pages count from the
     * beginning. */
    uint64_t *turn_ns = malloc(events * sizeof *turn_ns);
    if (!turn_ns)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    memset(turn_ns, 0xff, events * sizeof *turn_ns);
    int r = run_events(bench, warm_up, err);
    bench->result = (struct eddy_bench_result){.turn_ns = turn_ns};
    if (r < 0)
        return r;
    eddy_path_reset_times(bench->path);
    bench->sink->lists = bench->sink->bytes = 0;
    bench->measuring = true;
    bench->result.resident_begin = eddy_resident_bytes();
    r = run_events(bench, events, err);
    bench->result.resident_end = eddy_resident_bytes();
    eddy_progress_clear(&bench->progress);
    return r;
}

/* ---- set-up ---------------------------------------------------------------------- */

static int open_store(struct bench *bench, struct eddy_err *err)
{
    if (!bench->options->redis) {
        bench->memory = eddy_memory_new(0);
        bench->store =
            bench->memory ? eddy_store_mem_open(bench->memory, "bench", "bench") : NULL;
        return bench->store ? 0 : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    }
    int r = eddy_child_redis_start(&bench->redis, err);
    if (r < 0)
        return r;
    bench->redis_options.address = strdup(eddy_child_redis_address(bench->redis));
    bench->redis_options.user = strdup("");
    bench->redis_options.password = strdup("");
    bench->redis_options.timeout_ms = 5000;
    bench->store =
        eddy_store_redis_open(&bench->redis_options, "bench", "bench", bench->metrics);
    return bench->store ? 0 : eddy_fail(err, EDDY_ENOMEM, "out of memory");
}

static int set_up(struct bench *bench, struct eddy_err *err)
{
    const struct options *options = bench->options;
    const struct eddy_shape shape = {.items = (uint32_t)options->items,
                                     .hidden = (uint32_t)options->hidden,
                                     .layers = (uint32_t)options->layers,
                                     .types = 3,
                                     .cell = (enum eddy_cell)options->cell,
                                     .mode = (enum eddy_mode)options->mode};
    struct eddy_path_options path = {.prefix = "bench",
                                     .partitions = 0,
                                     .cache_users = (uint32_t)options->users + 1024,
                                     .outbox_max = 4096};
    int r = eddy_bench_snapshot(&shape, 1, &bench->snapshot, err);
    if (r < 0)
        return r;
    bench->metrics = eddy_metrics_new();
    bench->registry = eddy_registry_new("", eddy_kernels_get());
    bench->sink = open_sink();
    bench->chunk = calloc(1, sizeof *bench->chunk);
    bench->scorer =
        eddy_bench_scorer_new(bench->snapshot, 64, (uint32_t)options->list_size);
    if (!bench->scorer || !bench->metrics || !bench->registry || !bench->sink ||
        !bench->chunk)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    eddy_buf_init(&bench->chunk->bytes, 0);
    bench->chunk->partitions = (uint32_t)options->partitions;
    bench->chunk->users = (uint32_t)options->users;
    bench->chunk->items = (uint32_t)options->items;
    r = eddy_registry_put(bench->registry, bench->snapshot);
    if (r == 0)
        r = open_store(bench, err);
    if (r < 0)
        return r;
    time_store(bench->store);
    memcpy(path.initial_snapshot, bench->snapshot->manifest.version,
           sizeof path.initial_snapshot);
    path.initial_policy = eddy_policy_default;
    path.initial_policy.list_size = (uint32_t)options->list_size;
    path.initial_policy.exclude_recent = options->exclude_recent;
    bench->path = eddy_path_new(&path, bench->store, &bench->sink->base,
                                bench->registry, bench->metrics, err);
    for (uint32_t p = 0; bench->path && p < options->partitions && r == 0; p++) {
        uint64_t offset = 0;
        r = eddy_path_acquire(bench->path, p, &offset, err);
    }
    return bench->path ? r : EDDY_ENOMEM;
}

static void tear_down(struct bench *bench)
{
    eddy_path_free(bench->path);
    eddy_store_close(bench->store);
    eddy_memory_free(bench->memory);
    if (bench->sink)
        eddy_sink_close(&bench->sink->base);
    eddy_registry_free(bench->registry);
    eddy_bench_scorer_free(bench->scorer);
    if (bench->snapshot)
        eddy_snapshot_release(bench->snapshot);
    eddy_metrics_free(bench->metrics);
    if (bench->chunk)
        eddy_buf_fini(&bench->chunk->bytes);
    eddy_child_redis_stop(bench->redis);
    free(bench->redis_options.address);
    free(bench->redis_options.user);
    free(bench->redis_options.password);
    free(bench->chunk);
    free(bench->result.turn_ns);
}

/* ---- the command ----------------------------------------------------------------- */

static int run(struct bench *bench, struct eddy_err *err)
{
    const struct options *options = bench->options;
    struct eddy_bench_result *result = &bench->result;
    const struct eddy_stage_time *stages = NULL;
    int r = set_up(bench, err);
    if (r == 0)
        r = measure(bench, err);
    if (r < 0)
        return r;
    result->store = options->redis ? "redis, unix socket" : "memory";
    result->shape = bench->snapshot->manifest.shape;
    result->users = (uint64_t)options->users;
    result->lists = bench->sink->lists;
    result->list_bytes = bench->sink->bytes;
    result->stage_count = eddy_path_times(bench->path, &stages);
    for (uint32_t i = 0; i < result->stage_count && i < EDDY_BENCH_STAGES; i++)
        result->stage_names[i] = stages[i].name;
    json_t *report = eddy_bench_report(result);
    if (options->json)
        eddy_bench_print_json(report);
    else
        eddy_bench_print(report);
    json_decref(report);
    return 0;
}

int eddy_cmd_bench(int argc, char **argv)
{
    struct options options = {.items = 10000,
                              .hidden = 128,
                              .layers = 2,
                              .users = 10000,
                              .events = 100000,
                              .warm_up = -1,
                              .list_size = 25,
                              .per_turn = 64,
                              .partitions = 1};
    struct eddy_arg_list operands;
    struct eddy_err err = {0};
    int code = 0;
    if (argc > 1 && strcmp(argv[1], "train") == 0)
        return eddy_bench_train(argc - 1, argv + 1);
    if (!eddy_args_parse(&args, argc, argv, &options, &operands, &code))
        return code;
    if (strcmp(operands.values[0], "train") == 0)
        return eddy_args_fail("bench", "write the name first: eddy bench train ...");
    if (strcmp(operands.values[0], "path") != 0)
        return eddy_args_fail("bench",
                              "there is no bench \"%s\"; there are: path, train",
                              operands.values[0]);
    eddy_blas_core_ensure(); /* the floor is measured with the best kernels */
    struct bench bench = {.options = &options};
    int r = run(&bench, &err);
    eddy_progress_clear(&bench.progress);
    tear_down(&bench);
    return r < 0 ? eddy_app_fail("bench", &err) : EDDY_EXIT_OK;
}
