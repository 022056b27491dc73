/* The path, stage by stage, against the reference fold of tests/sim. */
#include <stdlib.h>

#include "check.h"
#include "engine/path.h"
#include "io/sink_mem.h"
#include "io/store_mem.h"
#include "run_internal.h"

static struct world_models *models;

/* One worker over a fresh store and topic, its store and sink watched by the simulator's
 * spies: a list published too early, or of other bytes than the reference's, fails. */
struct bench {
    struct sim sim;
    struct sim_counters counters;
    struct sim_worker *worker;
    struct eddy_path *path;
};

static struct bench *open_bench(uint64_t seed, uint32_t records, bool bad)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct sim *sim = &bench->sim;
    sim->models = models;
    sim->counters = &bench->counters;
    eddy_rng_seed(&sim->rng, seed);
    sim->world = world_new(models, seed, records, bad);
    sim->memory = eddy_memory_new(64);
    sim->topic = eddy_topic_new();
    sim->arena = eddy_arena_new(1 << 16, 1 << 26);
    eddy_buf_init(&sim->text, 0);
    sim->worker_count = 1;
    sim->outbox_max = 1000;
    bench->worker = &sim->workers[0];
    CHECK(sim_worker_start(sim, bench->worker));
    bench->path = bench->worker->path;
    return bench;
}

static void close_bench(struct bench *bench)
{
    struct sim *sim = &bench->sim;
    if (sim->failed) {
        fprintf(stderr, "%s\n", sim->failure.text);
    }
    CHECK(!sim->failed);
    sim_worker_stop(bench->worker);
    world_free(sim->world);
    eddy_memory_free(sim->memory);
    eddy_topic_free(sim->topic);
    eddy_arena_free(sim->arena);
    eddy_buf_fini(&sim->text);
    free(bench);
}

static void acquire_all(struct bench *bench)
{
    struct eddy_err err = {0};
    for (uint32_t p = 0; p < bench->sim.world->partitions; p++) {
        CHECK_INT(eddy_path_acquire(bench->path, p, &bench->worker->next[p], &err), 0);
    }
}

/* Push up to count records of each partition. */
static uint32_t push(struct bench *bench, uint32_t count)
{
    const struct world *world = bench->sim.world;
    uint32_t pushed = 0;
    for (uint32_t p = 0; p < world->partitions; p++) {
        for (uint32_t i = 0; i < count && bench->worker->next[p] < world->log_size[p];
             i++) {
            if (eddy_path_push(bench->path,
                               &world->records[p][bench->worker->next[p]].record,
                               false) != EDDY_PUSH_TAKEN) {
                break;
            }
            bench->worker->next[p]++;
            pushed++;
        }
    }
    return pushed;
}

static void confirm(struct bench *bench)
{
    struct eddy_err err = {0};
    (void)eddy_sink_mem_deliver(bench->worker->sink.inner, UINT32_MAX, 0, true);
    CHECK_INT(eddy_path_service(bench->path, &err), 0);
}

/* Everything that is left, then compare with the reference. */
static void finish(struct bench *bench)
{
    struct eddy_err err = {0};
    do {
        CHECK_INT(eddy_path_turn(bench->path, &err), 0);
        confirm(bench);
    } while (push(bench, 50) > 0);
    CHECK_INT(eddy_path_unconfirmed(bench->path), 0);
    CHECK_INT(eddy_path_tidy(bench->path, &err), 0);
    sim_check_end(&bench->sim);
}

/* ---------------------------------------------------------------- folding */

static void any_batch_size_gives_the_reference(void)
{
    static const uint32_t sizes[] = {1, 2, 7, 30, 500};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct bench *bench = open_bench(seed, 200, true);
            struct eddy_err err = {0};
            acquire_all(bench);
            while (push(bench, sizes[i]) > 0) {
                CHECK_INT(eddy_path_turn(bench->path, &err), 0);
                confirm(bench);
            }
            finish(bench);
            close_bench(bench);
        }
    }
}

/* ---------------------------------------------------------------- faults at stages */

static const char *const stages[] = {"decode", "load",   "apply",  "score",
                                     "list",   "commit", "publish"};

/* Fail one stage of one turn, then go on as a worker does. */
static void fail_stage(const char *stage, int code, uint32_t turn)
{
    struct bench *bench = open_bench(11, 60, true);
    struct eddy_err err = {0};
    uint64_t before[WORLD_PARTITIONS_MAX] = {0}, pushed[WORLD_PARTITIONS_MAX] = {0};
    bool is_committed = strcmp(stage, "publish") == 0;
    uint32_t partitions = bench->sim.world->partitions;
    acquire_all(bench);
    for (uint32_t i = 0; i < turn; i++) {
        (void)push(bench, 7);
        CHECK_INT(eddy_path_turn(bench->path, &err), 0);
    }
    for (uint32_t p = 0; p < partitions; p++) {
        before[p] = sim_committed(&bench->sim, p);
    }
    CHECK(push(bench, 7) > 0);
    memcpy(pushed, bench->worker->next, sizeof pushed);
    bench->worker->fault_stage = stage;
    bench->worker->fault_code = code;
    CHECK_INT(eddy_path_turn(bench->path, &err), code);
    CHECK_INT(eddy_path_pending(bench->path), 0);
    for (uint32_t p = 0; p < partitions; p++) {
        uint64_t offset = 0;
        /* Not acknowledged too early, not lost: all of the first wave or nothing. */
        uint64_t committed = sim_committed(&bench->sim, p);
        CHECK(committed <= pushed[p]);
        CHECK_INT(committed > before[p], is_committed && pushed[p] > before[p]);
        if (pushed[p] < bench->sim.world->log_size[p]) {
            CHECK_INT(eddy_path_push(bench->path,
                                     &bench->sim.world->records[p][pushed[p]].record,
                                     false),
                      EDDY_PUSH_GAP);
        }
        CHECK_INT(eddy_path_acquire(bench->path, p, &offset, &err), 0);
        CHECK_INT(offset, committed);
        bench->worker->next[p] = offset;
    }
    finish(bench);
    close_bench(bench);
}

static void failing_any_stage_with_any_code_on_any_turn_loses_nothing(void)
{
    static const int codes[] = {
#define XX(name, class, reason, text) EDDY_##name,
        EDDY_ERR_MAP(XX)
#undef XX
    };
    for (size_t s = 0; s < sizeof stages / sizeof stages[0]; s++) {
        for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
            for (uint32_t turn = 0; turn < 3; turn++) {
                fail_stage(stages[s], codes[c], turn);
            }
        }
    }
}

static void dying_before_any_stage_loses_nothing(void)
{
    for (size_t s = 0; s < sizeof stages / sizeof stages[0]; s++) {
        struct bench *bench = open_bench(12, 80, true);
        struct eddy_err err = {0};
        acquire_all(bench);
        (void)push(bench, 9);
        CHECK_INT(eddy_path_turn(bench->path, &err), 0);
        (void)push(bench, 9);
        bench->worker->fault_stage = stages[s];
        bench->worker->fault_is_crash = true;
        CHECK(eddy_path_turn(bench->path, &err) < 0);
        sim_worker_stop(bench->worker); /* lists under way are lost with it */
        CHECK(sim_worker_start(&bench->sim, bench->worker));
        bench->path = bench->worker->path;
        acquire_all(bench);
        finish(bench);
        close_bench(bench);
    }
}

/* ---------------------------------------------------------------- pushing */

static void push_says_what_it_did_with_a_record(void)
{
    struct bench *bench = open_bench(5, 100, false);
    const struct world *world = bench->sim.world;
    struct eddy_err err = {0};
    uint32_t p = 0;
    while (world->log_size[p] < 4) {
        p++;
    }
    const struct world_record *log = world->records[p];
    CHECK_INT(eddy_path_push(bench->path, &log[0].record, false), EDDY_PUSH_OLD);
    acquire_all(bench);
    CHECK(eddy_path_owns(bench->path, p));
    CHECK_INT(eddy_path_push(bench->path, &log[1].record, false), EDDY_PUSH_GAP);
    CHECK_INT(eddy_path_push(bench->path, &log[0].record, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_push(bench->path, &log[0].record, false), EDDY_PUSH_OLD);
    CHECK_INT(eddy_path_pending(bench->path), 1);
    CHECK_INT(eddy_path_offset(bench->path, p), 0);
    CHECK_INT(eddy_path_turn(bench->path, &err), 0);
    CHECK_INT(eddy_path_offset(bench->path, p), 1);
    CHECK_INT(eddy_path_push(bench->path, &log[1].record, false), EDDY_PUSH_TAKEN);
    eddy_path_release(bench->path, p); /* its pushed records go with it */
    CHECK_INT(eddy_path_pending(bench->path), 0);
    CHECK_INT(eddy_path_push(bench->path, &log[1].record, false), EDDY_PUSH_OLD);
    CHECK(!eddy_path_owns(bench->path, p));
    close_bench(bench);
}

int main(void)
{
    models = world_models_new();
    RUN(any_batch_size_gives_the_reference);
    RUN(failing_any_stage_with_any_code_on_any_turn_loses_nothing);
    RUN(dying_before_any_stage_loses_nothing);
    RUN(push_says_what_it_did_with_a_record);
    world_models_free(models);
    return check_done();
}
