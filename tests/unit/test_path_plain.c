/* The path over a store and a sink in memory, pushed by hand: how much a turn takes, full
 * outboxes, failing deliveries, fences, dead letters, models that are not here, damaged
 * stores, holes in the log. */
#include <stdlib.h>

#include "check.h"
#include "engine/path.h"
#include "io/sink_mem.h"
#include "io/store_mem.h"
#include "world.h"

static struct world_models *models;

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

/* A path with what it stands on. */
struct plain {
    struct eddy_memory *memory;
    struct eddy_store *store;
    struct eddy_topic *topic;
    struct eddy_sink *sink;
    struct eddy_path *path;
    struct eddy_err err;
};

static struct plain open_with(uint32_t outbox_max, const char *snapshot, bool with_sink)
{
    struct eddy_path_options options = {.prefix = "eddy",
                                        .cache_users = 1024,
                                        .outbox_max = outbox_max,
                                        .initial_policy = eddy_policy_default};
    struct plain plain = {.memory = eddy_memory_new(64), .topic = eddy_topic_new()};
    plain.store = eddy_store_mem_open(plain.memory, "eddy", "plain");
    plain.sink = eddy_sink_mem_open(plain.topic);
    (void)snprintf(options.initial_snapshot, sizeof options.initial_snapshot, "%s",
                   snapshot);
    plain.path = eddy_path_new(&options, plain.store, with_sink ? plain.sink : NULL,
                               models->registry, NULL, &plain.err);
    CHECK(plain.path != NULL);
    return plain;
}

static struct plain open_plain(void)
{
    return open_with(100, models->version[0], true);
}

static void close_plain(struct plain *plain)
{
    eddy_path_free(plain->path);
    eddy_store_close(plain->store);
    eddy_sink_close(plain->sink);
    eddy_memory_free(plain->memory);
    eddy_topic_free(plain->topic);
}

static int acquire(struct plain *plain, uint32_t partition)
{
    uint64_t offset = 0;
    return eddy_path_acquire(plain->path, partition, &offset, &plain->err);
}

static enum eddy_push push(struct plain *plain, const struct eddy_record *record)
{
    return eddy_path_push(plain->path, record, false);
}

static int turn(struct plain *plain)
{
    return eddy_path_turn(plain->path, &plain->err);
}

/* Another owner takes a partition away. */
static void take_away(struct eddy_store *other, uint32_t partition)
{
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_position position;
    struct eddy_span outbox;
    struct eddy_err err = {0};
    bool found = false;
    CHECK_INT(eddy_store_acquire(other, partition, arena, &position, &found, &outbox,
                                 &err),
              0);
    eddy_arena_free(arena);
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
    static const char *const stages[] = {"decode", "load",   "apply",  "score",
                                         "list",   "commit", "publish"};
    struct crowd *crowd = make_crowd(3);
    struct plain plain = open_with(10000, models->version[0], true);
    const struct eddy_stage_time *times = NULL;
    uint32_t taken = 0;
    CHECK_INT(acquire(&plain, 3), 0);
    while (push(&plain, &crowd->records[taken]) == EDDY_PUSH_TAKEN) {
        taken++;
    }
    CHECK_INT(taken, 512);
    CHECK_INT(push(&plain, &crowd->records[taken]), EDDY_PUSH_FULL);
    waves_counted = 0;
    eddy_path_set_hook(plain.path, count_waves, NULL);
    eddy_path_reset_times(plain.path);
    CHECK_INT(turn(&plain), 0);
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
    struct plain plain = open_with(3, models->version[0], true);
    CHECK_INT(acquire(&plain, 0), 0);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_INT(push(&plain, &crowd->records[i]), EDDY_PUSH_TAKEN);
        CHECK_INT(turn(&plain), 0);
    }
    CHECK_INT(push(&plain, &crowd->records[3]), EDDY_PUSH_TAKEN);
    for (int again = 0; again < 3; again++) {
        CHECK_INT(turn(&plain), EDDY_EFULL);
        CHECK_INT(eddy_path_pending(plain.path), 1);
        CHECK_INT(eddy_path_offset(plain.path, 0), 3);
        CHECK(eddy_path_owns(plain.path, 0));
    }
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 1, 0, true), 1);
    CHECK_INT(eddy_path_service(plain.path, &plain.err), 0);
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 4);
    close_plain(&plain);
    free(crowd);
}

static void failing_deliveries_are_reported_and_repeated(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain();
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &crowd->records[0]), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    for (int again = 0; again < 3; again++) {
        CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, EDDY_EKAFKA, false), 1);
        CHECK_INT(eddy_path_service(plain.path, &plain.err), EDDY_EKAFKA);
        CHECK_INT(eddy_path_unconfirmed(plain.path), 1);
    }
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, 0, true), 1);
    CHECK_INT(eddy_path_service(plain.path, &plain.err), 0);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 0);
    CHECK_INT(eddy_topic_count(plain.topic), 1);
    close_plain(&plain);
    free(crowd);
}

static void zombie_does_not_repeat_a_failed_list(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain();
    struct eddy_store *other = eddy_store_mem_open(plain.memory, "eddy", "other");
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &crowd->records[0]), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    take_away(other, 0);
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, EDDY_EKAFKA, false), 1);
    CHECK_INT(eddy_path_service(plain.path, &plain.err), EDDY_EFENCED);
    CHECK_INT(eddy_sink_mem_waiting(plain.sink), 0);
    CHECK_INT(push(&plain, &crowd->records[1]), EDDY_PUSH_GAP);
    eddy_store_close(other);
    close_plain(&plain);
    free(crowd);
}

static void fenced_partition_is_named_and_the_others_go_on(void)
{
    struct crowd *crowds[3] = {make_crowd(0), make_crowd(1), make_crowd(2)};
    struct plain plain = open_plain();
    struct eddy_store *other = eddy_store_mem_open(plain.memory, "eddy", "other");
    uint32_t count = 0;
    for (uint32_t p = 0; p < 3; p++) {
        CHECK_INT(acquire(&plain, p), 0);
    }
    for (uint32_t round = 0; round < 2; round++) { /* fenced at load, then at commit */
        for (uint32_t p = 0; p < 3; p++) {
            CHECK_INT(push(&plain, &crowds[p]->records[round]),
                      p == 1 && round == 1 ? EDDY_PUSH_OLD : EDDY_PUSH_TAKEN);
        }
        uint32_t victim = round == 0 ? 1 : 2;
        take_away(other, victim);
        CHECK_INT(turn(&plain), 0);
        const uint32_t *fenced = eddy_path_fenced(plain.path, &count);
        CHECK_INT(count, 1);
        CHECK_INT(fenced[0], victim);
        CHECK(!eddy_path_owns(plain.path, victim));
        CHECK_INT(eddy_path_offset(plain.path, 0), round + 1);
    }
    take_away(other, 0);
    CHECK_INT(eddy_path_probe(plain.path, &plain.err), 0); /* without any record */
    const uint32_t *fenced = eddy_path_fenced(plain.path, &count);
    CHECK(count == 1 && fenced[0] == 0);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 0);
    eddy_store_close(other);
    close_plain(&plain);
    for (int i = 0; i < 3; i++) {
        free(crowds[i]);
    }
}

static void dead_letters_that_are_not_confirmed_stop_the_commit(void)
{
    struct plain plain = open_plain();
    struct eddy_record record = {.partition = 0, .payload = eddy_span_of("nonsense")};
    uint32_t count = 0;
    CHECK_INT(acquire(&plain, 0), 0);
    eddy_sink_mem_fail_settle(plain.sink);
    CHECK_INT(push(&plain, &record), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), EDDY_EKAFKA);
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 0);
    CHECK_INT(push(&plain, &record), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 1); /* over nothing but a dead letter */
    CHECK_INT(eddy_topic_dead(plain.topic, &count)->code, EDDY_EBADEVENT);
    CHECK_INT(count, 1);
    close_plain(&plain);
}

/* ---------------------------------------------------------------- models and stores */

static void without_a_model_events_are_remembered_and_the_first_model_steps_them(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_with(100, "", true);
    struct eddy_event event = {.kind = EDDY_KIND_SNAPSHOT,
                               .ts_ms = 1700000000000,
                               .policy = eddy_policy_default};
    struct eddy_buf bytes;
    struct eddy_err err = {0};
    eddy_buf_init(&bytes, 0);
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &crowd->records[0]), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 1);
    CHECK_INT(eddy_path_unconfirmed(plain.path), 0); /* no list without a model */
    memcpy(event.snapshot, models->version[1], sizeof event.snapshot);
    CHECK_INT(eddy_event_check(&event, &err), 0);
    eddy_event_encode(&event, &bytes);
    struct eddy_record record = {
        .partition = 0, .offset = 1, .payload = eddy_buf_span(&bytes)};
    struct eddy_record again = crowd->records[0]; /* the same user once more */
    again.offset = 2;
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &record), EDDY_PUSH_TAKEN);
    CHECK_INT(push(&plain, &again), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
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
    struct plain plain = open_plain();
    struct eddy_record record = {.partition = 0, .payload = eddy_span_of(absent)};
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &record), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), EDDY_ENOMODEL);
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 0);
    close_plain(&plain);
    plain = open_with(100, "00000000deadbeef", true);
    CHECK_INT(acquire(&plain, 0), EDDY_ENOMODEL);
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
        struct plain plain = open_plain();
        patch(&plain, cases[i].key, cases[i].value);
        CHECK_INT(acquire(&plain, 0), cases[i].acquire);
        if (cases[i].acquire == 0) {
            CHECK_INT(push(&plain, &crowd->records[0]), EDDY_PUSH_TAKEN);
            CHECK_INT(turn(&plain), cases[i].turn);
        }
        if (!CHECK(strstr(plain.err.text, cases[i].text) != NULL)) {
            fprintf(stderr, "    \"%s\"\n", plain.err.text);
        }
        close_plain(&plain);
    }
    free(crowd);
}

static void state_ahead_of_its_position_is_refused(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain();
    struct eddy_state *state;
    struct eddy_buf bytes;
    static _Alignas(64) char memory[1 << 14];
    state = eddy_state_init(memory, 64, 8);
    state->revision = 5;
    eddy_buf_init(&bytes, 0);
    eddy_state_encode(state, &bytes);
    patch(&plain, "{eddy:0}:s:crowd0", eddy_buf_span(&bytes));
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &crowd->records[0]), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), EDDY_EFATAL);
    eddy_buf_fini(&bytes);
    close_plain(&plain);
    free(crowd);
}

static void log_may_begin_later_for_a_partition_without_history(void)
{
    struct crowd *crowd = make_crowd(4);
    struct plain plain = open_plain();
    CHECK_INT(eddy_path_start_at(plain.path, 4, 100, &plain.err), EDDY_EFENCED);
    CHECK_INT(acquire(&plain, 4), 0);
    CHECK_INT(push(&plain, &crowd->records[100]), EDDY_PUSH_GAP);
    CHECK_INT(eddy_path_start_at(plain.path, 4, 100, &plain.err), 0);
    CHECK_INT(push(&plain, &crowd->records[100]), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_path_offset(plain.path, 4), 101);
    CHECK_INT(eddy_path_start_at(plain.path, 4, 200, &plain.err), EDDY_EFATAL);
    CHECK(strstr(plain.err.text, "records are missing") != NULL);
    close_plain(&plain);
    free(crowd);
}

static void holes_are_stepped_over_when_allowed(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain();
    CHECK_INT(acquire(&plain, 0), 0);
    for (uint32_t i = 1; i < 20; i += 3) {
        CHECK_INT(eddy_path_push(plain.path, &crowd->records[i], true),
                  EDDY_PUSH_TAKEN);
    }
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 20);
    close_plain(&plain);
    free(crowd);
}

static void without_a_sink_lists_stand_in_the_store(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_with(1, models->version[0], false);
    struct eddy_record bad = {.partition = 0, .offset = 2, .payload = {NULL, 0}};
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_span value = {NULL, 0};
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &crowd->records[0]), EDDY_PUSH_TAKEN);
    CHECK_INT(push(&plain, &crowd->records[1]), EDDY_PUSH_TAKEN);
    CHECK_INT(push(&plain, &bad), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_path_service(plain.path, &plain.err), 0);
    CHECK_INT(eddy_path_offset(plain.path, 0), 3);
    CHECK_INT(eddy_store_get(plain.store, eddy_span_of("eddy:list:crowd1"), arena,
                             &value, &plain.err),
              0);
    CHECK(value.size > 0);
    eddy_arena_free(arena);
    close_plain(&plain);
    free(crowd);
}

static void tidy_empties_the_stored_outbox(void)
{
    struct crowd *crowd = make_crowd(0);
    struct plain plain = open_plain();
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_span key = eddy_span_of("{eddy:0}:outbox"), value = {NULL, 0};
    CHECK_INT(acquire(&plain, 0), 0);
    CHECK_INT(push(&plain, &crowd->records[0]), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_path_tidy(plain.path, &plain.err), 0); /* not confirmed: stays */
    CHECK_INT(eddy_store_get(plain.store, key, arena, &value, &plain.err), 0);
    CHECK_INT(value.size, 1 + 1 + strlen("crowd0"));
    CHECK_INT(eddy_sink_mem_deliver(plain.sink, 9, 0, true), 1);
    CHECK_INT(eddy_path_service(plain.path, &plain.err), 0);
    CHECK_INT(eddy_path_tidy(plain.path, &plain.err), 0);
    CHECK_INT(eddy_store_get(plain.store, key, arena, &value, &plain.err), 0);
    CHECK_INT(value.size, 1);
    CHECK_INT(eddy_path_offset(plain.path, 0), 1);
    eddy_arena_free(arena);
    close_plain(&plain);
    free(crowd);
}

static void cache_smaller_than_the_users_changes_nothing(void)
{
    /* 1024 slots, 700 users in each of two partitions: states come and go. */
    struct plain plain = open_with(100000, models->version[2], true);
    struct crowd *crowds[2] = {make_crowd(0), make_crowd(1)};
    struct eddy_arena *arena = eddy_arena_new(1 << 16, 1 << 24);
    struct eddy_span small = {NULL, 0}, want = {NULL, 0};
    for (uint32_t p = 0; p < 2; p++) {
        CHECK_INT(acquire(&plain, p), 0);
    }
    for (uint32_t i = 0; i < 700; i++) {
        for (uint32_t p = 0; p < 2; p++) {
            if (push(&plain, &crowds[p]->records[i]) == EDDY_PUSH_FULL) {
                CHECK_INT(turn(&plain), 0);
                CHECK_INT(push(&plain, &crowds[p]->records[i]), EDDY_PUSH_TAKEN);
            }
        }
    }
    CHECK_INT(turn(&plain), 0);
    /* The first user of partition 0 was thrown out meanwhile: he gets a second event. */
    struct eddy_record again = crowds[0]->records[0];
    again.offset = 700;
    CHECK_INT(push(&plain, &again), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&plain), 0);
    CHECK_INT(eddy_store_get(plain.store, eddy_span_of("{eddy:0}:s:crowd0"), arena,
                             &small, &plain.err),
              0);
    /* A worker with nothing else to remember comes to the same state. */
    struct plain other = open_with(100, models->version[2], true);
    CHECK_INT(acquire(&other, 0), 0);
    CHECK_INT(eddy_path_push(other.path, &crowds[0]->records[0], true),
              EDDY_PUSH_TAKEN);
    CHECK_INT(eddy_path_push(other.path, &again, true), EDDY_PUSH_TAKEN);
    CHECK_INT(turn(&other), 0);
    CHECK_INT(eddy_store_get(other.store, eddy_span_of("{eddy:0}:s:crowd0"), arena,
                             &want, &other.err),
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
