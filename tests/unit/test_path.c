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

/* Events of many users, one each, in one partition. */
struct crowd {
    struct eddy_record records[700];
    char payloads[700][160];
};

static struct crowd *make_crowd(uint32_t partition)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    for (uint32_t i = 0; i < 700; i++) {
        (void)snprintf(crowd->payloads[i], sizeof crowd->payloads[i],
                       "{\"user\":\"crowd%u\",\"item\":\"item%u\",\"ts\":%llu}", i,
                       i % 20, 1700000000000ull + i * 1000);
        crowd->records[i] =
            (struct eddy_record){.partition = partition,
                                 .offset = i,
                                 .timestamp_ms = 1700000000000 + i * 1000,
                                 .payload = eddy_span_of(crowd->payloads[i])};
    }
    return crowd;
}

struct plain {
    struct eddy_memory *memory;
    struct eddy_store *store;
    struct eddy_topic *topic;
    struct eddy_sink *sink;
    struct eddy_path *path;
};

static struct plain open_plain(uint32_t partitions, uint32_t outbox_max,
                               const char *snapshot, bool with_sink)
{
    struct eddy_path_options options = {.prefix = "eddy",
                                        .partitions = partitions,
                                        .cache_users = 1024,
                                        .outbox_max = outbox_max,
                                        .initial_policy = eddy_policy_default};
    struct eddy_err err = {0};
    struct plain plain = {.memory = eddy_memory_new(64), .topic = eddy_topic_new()};
    plain.store = eddy_store_mem_open(plain.memory, "eddy", "plain");
    plain.sink = eddy_sink_mem_open(plain.topic);
    (void)snprintf(options.initial_snapshot, sizeof options.initial_snapshot, "%s",
                   snapshot);
    plain.path = eddy_path_new(&options, plain.store, with_sink ? plain.sink : NULL,
                               models->registry, NULL, &err);
    CHECK(plain.path != NULL);
    return plain;
}

static void close_plain(struct plain *plain)
{
    eddy_path_free(plain->path);
    eddy_store_close(plain->store);
    eddy_sink_close(plain->sink);
    eddy_memory_free(plain->memory);
    eddy_topic_free(plain->topic);
}

static int acquire_plain(struct plain *plain, uint32_t partition, struct eddy_err *err)
{
    uint64_t offset = 0;
    return eddy_path_acquire(plain->path, partition, &offset, err);
}

static int waves_counted;
static int count_waves(void *context, const char *stage)
{
    (void)context;
    waves_counted += strcmp(stage, "decode") == 0;
    return 0;
}

static void turn_holds_512_records_and_a_commit_64_users(void)
{
    struct crowd *crowd = make_crowd(3);
    struct plain plain = open_plain(0, 10000, models->version[0], true);
    struct eddy_err err = {0};
    const struct eddy_stage_time *times = NULL;
    uint32_t taken = 0;
    CHECK_INT(acquire_plain(&plain, 3, &err), 0);
    while (eddy_path_push(plain.path, &crowd->records[taken], false) ==
           EDDY_PUSH_TAKEN) {
        taken++;
    }
    CHECK_INT(taken, 512);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[taken], false),
              EDDY_PUSH_FULL);
    waves_counted = 0;
    eddy_path_set_hook(plain.path, count_waves, NULL);
    eddy_path_reset_times(plain.path);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(waves_counted, 512 / 64); /* the store asserts 64 users each */
    CHECK_INT(eddy_path_times(plain.path, &times), 7);
    for (int i = 0; i < 7; i++) {
        CHECK_STR(times[i].name, stages[i]);
        CHECK_INT(times[i].calls, 512 / 64);
    }
    CHECK_INT(eddy_path_offset(plain.path, 3), 512);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 512);
    close_plain(&plain);
    free(crowd);
}

/* ---------------------------------------------------------------- bounds and waiting */

static void full_outbox_makes_the_turn_wait_and_keeps_its_records(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 3, models->version[0], true);
    struct eddy_err err = {0};
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_INT(eddy_path_push(plain.path, &crowd->records[i], false),
                  EDDY_PUSH_TAKEN);
        CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    }
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[3], false), EDDY_PUSH_TAKEN);
    for (int again = 0; again < 3; again++) {
        CHECK_INT(eddy_path_turn(plain.path, &err), EDDY_EFULL);
        CHECK_INT(eddy_path_pending(plain.path), 1);
        CHECK_INT(eddy_path_offset(plain.path, 0), 3);
        CHECK(eddy_path_owns(plain.path, 0));
    }
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 1, 0, true), 1);
    CHECK_INT(eddy_path_service(plain.path, &err), 0);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 4);
    close_plain(&plain);
    free(crowd);
}

static void failing_deliveries_are_reported_and_repeated(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_err err = {0};
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[0], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    for (int again = 0; again < 3; again++) {
        CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, EDDY_EKAFKA, false), 1);
        CHECK_INT(eddy_path_service(plain.path, &err), EDDY_EKAFKA);
        CHECK_INT(eddy_path_unconfirmed(plain.path), 1);
    }
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, 0, true), 1);
    CHECK_INT(eddy_path_service(plain.path, &err), 0);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 0);
    CHECK_INT(eddy_topic_count(plain.topic), 1);
    close_plain(&plain);
    free(crowd);
}

static void zombie_does_not_repeat_a_failed_list(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_store *other = eddy_store_mem_open(plain.memory, "eddy", "other");
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_position position;
    struct eddy_span outbox;
    struct eddy_err err = {0};
    bool found = false;
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[0], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_store_acquire(other, 0, arena, &position, &found, &outbox, &err), 0);
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, EDDY_EKAFKA, false), 1);
    CHECK_INT(eddy_path_service(plain.path, &err), EDDY_EFENCED);
    CHECK_INT(eddy_sink_mem_waiting(plain.sink), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[1], false), EDDY_PUSH_GAP);
    eddy_store_close(other);
    eddy_arena_free(arena);
    close_plain(&plain);
    free(crowd);
}

static void fenced_partition_is_named_and_the_others_go_on(void)
{
    struct crowd *crowds[3] = {make_crowd(0), make_crowd(1), make_crowd(2)};
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_store *other = eddy_store_mem_open(plain.memory, "eddy", "other");
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_position position;
    struct eddy_span outbox;
    struct eddy_err err = {0};
    uint32_t count = 0;
    bool found = false;
    for (uint32_t p = 0; p < 3; p++) {
        CHECK_INT(acquire_plain(&plain, p, &err), 0);
    }
    for (uint32_t round = 0; round < 2; round++) { /* fenced at load, then at commit */
        for (uint32_t p = 0; p < 3; p++) {
            CHECK_INT(eddy_path_push(plain.path, &crowds[p]->records[round], false),
                      p == 1 && round == 1 ? EDDY_PUSH_OLD : EDDY_PUSH_TAKEN);
        }
        uint32_t victim = round == 0 ? 1 : 2;
        CHECK_INT(eddy_store_acquire(other, victim, arena, &position, &found, &outbox,
                                     &err),
                  0);
        CHECK_INT(eddy_path_turn(plain.path, &err), 0);
        const uint32_t *fenced = eddy_path_fenced(plain.path, &count);
        CHECK_INT(count, 1);
        CHECK_INT(fenced[0], victim);
        CHECK(!eddy_path_owns(plain.path, victim));
        CHECK_INT(eddy_path_offset(plain.path, 0), round + 1);
    }
    CHECK_INT(eddy_store_acquire(other, 0, arena, &position, &found, &outbox, &err), 0);
    CHECK_INT(eddy_path_probe(plain.path, &err), 0); /* without any record */
    const uint32_t *fenced = eddy_path_fenced(plain.path, &count);
    CHECK(count == 1 && fenced[0] == 0);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 0);
    eddy_store_close(other);
    eddy_arena_free(arena);
    close_plain(&plain);
    for (int i = 0; i < 3; i++) {
        free(crowds[i]);
    }
}

static void dead_letters_that_are_not_confirmed_stop_the_commit(void)
{
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_record record = {.partition = 0, .payload = eddy_span_of("nonsense")};
    struct eddy_err err = {0};
    uint32_t count = 0;
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    eddy_sink_mem_fail_settle(plain.sink);
    CHECK_INT(eddy_path_push(plain.path, &record, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), EDDY_EKAFKA);
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 0);
    CHECK_INT(eddy_path_push(plain.path, &record, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 1); /* over nothing but a dead letter */
    CHECK_INT(eddy_topic_dead(plain.topic, &count)->code, EDDY_EBADEVENT);
    CHECK_INT(count, 1);
    close_plain(&plain);
}

/* ---------------------------------------------------------------- models and stores */

static void without_a_model_events_are_remembered_and_the_first_model_steps_them(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 100, "", true);
    struct eddy_event event = {.kind = EDDY_KIND_SNAPSHOT,
                               .ts_ms = 1700000000000,
                               .policy = eddy_policy_default};
    struct eddy_buf bytes;
    struct eddy_err err = {0};
    eddy_buf_init(&bytes, 0);
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[0], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 1);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 0); /* no list without a model */
    memcpy(event.snapshot, models->version[1], sizeof event.snapshot);
    CHECK_INT(eddy_event_check(&event, &err), 0);
    eddy_event_encode(&event, &bytes);
    struct eddy_record record = {
        .partition = 0, .offset = 1, .payload = eddy_buf_span(&bytes)};
    struct eddy_record again = crowd->records[0]; /* the same user once more */
    again.offset = 2;
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &record, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_push(plain.path, &again, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 3);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 1);
    eddy_buf_fini(&bytes);
    close_plain(&plain);
    free(crowd);
}

static void model_that_is_not_here_is_waited_for(void)
{
    static const char absent[] =
        "{\"kind\":\"snapshot\",\"snapshot\":\"00000000deadbeef\",\"ts\":1700000000000}";
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_record record = {.partition = 0, .payload = eddy_span_of(absent)};
    struct eddy_err err = {0};
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &record, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), EDDY_ENOMODEL);
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 0);
    close_plain(&plain);
    plain = open_plain(0, 100, "00000000deadbeef", true);
    CHECK_INT(acquire_plain(&plain, 0, &err), EDDY_ENOMODEL);
    CHECK(!eddy_path_owns(plain.path, 0));
    close_plain(&plain);
}

/* Write a key as somebody with a Redis client might. */
static void patch(struct plain *plain, const char *key, struct eddy_span value)
{
    struct eddy_err err = {0};
    CHECK_INT(eddy_store_set_if_absent(plain->store, eddy_span_of(key), value, &err),
              1);
}

static void damaged_store_is_refused_in_words(void)
{
    static const struct {
        const char *key;
        struct eddy_span value;
        int acquire, turn;
        const char *text;
    } cases[] = {
        {"{eddy:0}:offset", {"junk", 4}, EDDY_EFORMAT, 0, "position of partition 0"},
        {"{eddy:0}:outbox", {"junk", 4}, EDDY_EFORMAT, 0, "outbox of partition 0"},
        {"{eddy:0}:s:crowd0", {"junk", 4}, 0, EDDY_EFORMAT, "state blob"},
    };
    struct crowd *crowd = make_crowd(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct plain plain = open_plain(0, 100, models->version[0], true);
        struct eddy_err err = {0};
        patch(&plain, cases[i].key, cases[i].value);
        CHECK_INT(acquire_plain(&plain, 0, &err), cases[i].acquire);
        if (cases[i].acquire == 0) {
            CHECK_INT(eddy_path_push(plain.path, &crowd->records[0], false),
                      EDDY_PUSH_TAKEN);
            CHECK_INT(eddy_path_turn(plain.path, &err), cases[i].turn);
        }
        if (!CHECK(strstr(err.text, cases[i].text) != NULL)) {
            fprintf(stderr, "    \"%s\"\n", err.text);
        }
        close_plain(&plain);
    }
    free(crowd);
}

static void state_ahead_of_its_position_is_refused(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_state *state;
    struct eddy_buf bytes;
    struct eddy_err err = {0};
    static _Alignas(64) char memory[1 << 14];
    state = eddy_state_init(memory, 64, 8);
    state->revision = 5;
    eddy_buf_init(&bytes, 0);
    eddy_state_encode(state, &bytes);
    patch(&plain, "{eddy:0}:s:crowd0", eddy_buf_span(&bytes));
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[0], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), EDDY_EFATAL);
    eddy_buf_fini(&bytes);
    close_plain(&plain);
    free(crowd);
}

static void log_may_begin_later_for_a_partition_without_history(void)
{
    struct crowd *crowd = make_crowd(4);
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_err err = {0};
    CHECK_INT(eddy_path_start_at(plain.path, 4, 100, &err), EDDY_EFENCED);
    CHECK_INT(acquire_plain(&plain, 4, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[100], false), EDDY_PUSH_GAP);
    CHECK_INT(eddy_path_start_at(plain.path, 4, 100, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[100], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 4), 101);
    CHECK_INT(eddy_path_start_at(plain.path, 4, 200, &err), EDDY_EFATAL);
    CHECK(strstr(err.text, "records are missing") != NULL);
    close_plain(&plain);
    free(crowd);
}

static void holes_are_stepped_over_when_allowed(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_err err = {0};
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    for (uint32_t i = 1; i < 20; i += 3) {
        CHECK_INT(eddy_path_push(plain.path, &crowd->records[i], true),
                  EDDY_PUSH_TAKEN);
    }
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 20);
    close_plain(&plain);
    free(crowd);
}

static void without_a_sink_lists_stand_in_the_store(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 1, models->version[0], false);
    struct eddy_record bad = {.partition = 0, .offset = 2, .payload = {NULL, 0}};
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_span value = {NULL, 0};
    struct eddy_err err = {0};
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[0], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[1], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_push(plain.path, &bad, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_service(plain.path, &err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 3);
    CHECK_INT(eddy_store_get(plain.store, eddy_span_of("eddy:list:crowd1"), arena,
                             &value, &err),
              0);
    CHECK(value.size > 0);
    eddy_arena_free(arena);
    close_plain(&plain);
    free(crowd);
}

static void tidy_empties_the_stored_outbox(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain(0, 100, models->version[0], true);
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_span key = eddy_span_of("{eddy:0}:outbox"), value = {NULL, 0};
    struct eddy_err err = {0};
    CHECK_INT(acquire_plain(&plain, 0, &err), 0);
    CHECK_INT(eddy_path_push(plain.path, &crowd->records[0], false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_path_tidy(plain.path, &err), 0); /* not confirmed: stays */
    CHECK_INT(eddy_store_get(plain.store, key, arena, &value, &err), 0);
    CHECK_INT(value.size, 1 + 1 + strlen("crowd0"));
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, 0, true), 1);
    CHECK_INT(eddy_path_service(plain.path, &err), 0);
    CHECK_INT(eddy_path_tidy(plain.path, &err), 0);
    CHECK_INT(eddy_store_get(plain.store, key, arena, &value, &err), 0);
    CHECK_INT(value.size, 1);
    CHECK_INT(eddy_path_offset(plain.path, 0), 1);
    eddy_arena_free(arena);
    close_plain(&plain);
    free(crowd);
}

static void cache_smaller_than_the_users_changes_nothing(void)
{
    /* 1024 slots, 700 users in each of two partitions: states come and go. */
    struct plain plain = open_plain(0, 100000, models->version[2], true);
    struct crowd *crowds[2] = {make_crowd(0), make_crowd(1)};
    struct eddy_err err = {0};
    struct eddy_arena *arena = eddy_arena_new(1 << 16, 1 << 24);
    struct eddy_span small = {NULL, 0}, want = {NULL, 0};
    for (uint32_t p = 0; p < 2; p++) {
        CHECK_INT(acquire_plain(&plain, p, &err), 0);
    }
    for (uint32_t i = 0; i < 700; i++) {
        for (uint32_t p = 0; p < 2; p++) {
            if (eddy_path_push(plain.path, &crowds[p]->records[i], false) ==
                EDDY_PUSH_FULL) {
                CHECK_INT(eddy_path_turn(plain.path, &err), 0);
                CHECK_INT(eddy_path_push(plain.path, &crowds[p]->records[i], false),
                          EDDY_PUSH_TAKEN);
            }
        }
    }
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    /* The first user of partition 0 was thrown out meanwhile: he gets a second event. */
    struct eddy_record again = crowds[0]->records[0];
    again.offset = 700;
    CHECK_INT(eddy_path_push(plain.path, &again, false), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(plain.path, &err), 0);
    CHECK_INT(eddy_store_get(plain.store, eddy_span_of("{eddy:0}:s:crowd0"), arena,
                             &small, &err),
              0);
    /* A worker with nothing else to remember comes to the same state. */
    struct plain other = open_plain(0, 100, models->version[2], true);
    CHECK_INT(acquire_plain(&other, 0, &err), 0);
    CHECK_INT(eddy_path_push(other.path, &crowds[0]->records[0], true),
              EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_push(other.path, &again, true), EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_turn(other.path, &err), 0);
    CHECK_INT(eddy_store_get(other.store, eddy_span_of("{eddy:0}:s:crowd0"), arena,
                             &want, &err),
              0);
    CHECK(want.size > 0 && eddy_span_eq(small, want));
    close_plain(&other);
    close_plain(&plain);
    eddy_arena_free(arena);
    free(crowds[0]);
    free(crowds[1]);
}

int main(void)
{
    models = world_models_new();
    RUN(any_batch_size_gives_the_reference);
    RUN(failing_any_stage_with_any_code_on_any_turn_loses_nothing);
    RUN(dying_before_any_stage_loses_nothing);
    RUN(push_says_what_it_did_with_a_record);
    RUN(turn_holds_512_records_and_a_commit_64_users);
    RUN(full_outbox_makes_the_turn_wait_and_keeps_its_records);
    RUN(failing_deliveries_are_reported_and_repeated);
    RUN(zombie_does_not_repeat_a_failed_list);
    RUN(fenced_partition_is_named_and_the_others_go_on);
    RUN(dead_letters_that_are_not_confirmed_stop_the_commit);
    RUN(without_a_model_events_are_remembered_and_the_first_model_steps_them);
    RUN(model_that_is_not_here_is_waited_for);
    RUN(damaged_store_is_refused_in_words);
    RUN(state_ahead_of_its_position_is_refused);
    RUN(log_may_begin_later_for_a_partition_without_history);
    RUN(holes_are_stepped_over_when_allowed);
    RUN(without_a_sink_lists_stand_in_the_store);
    RUN(tidy_empties_the_stored_outbox);
    RUN(cache_smaller_than_the_users_changes_nothing);
    world_models_free(models);
    return check_done();
}
