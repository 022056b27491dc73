/* A whole deployment in one process: mock brokers, a real redis-server, workers under their
 * supervisor. Events in, lists out, and afterwards the store must hold what a fold of the
 * log in memory holds, bit for bit. The mock's group coordinator is not used (it can abort,
 * io/kafka_mock.h): assignments are explicit. */
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "core/event.h"
#include "core/kernel.h"
#include "engine/meta.h"
#include "engine/replay.h"
#include "engine/supervisor.h"
#include "io/kafka_mock.h"
#include "redis_child.h"
#include "tiny_model.h"

enum { PARTITIONS = 4, WAIT_MS = 30000 };

static struct eddy_kafka_mock *mock;
static struct redis_child redis;
static struct eddy_registry *registry;
static char version[EDDY_SNAPSHOT_ID_SIZE];
static char topics[3][32]; /* of the running case */
static int case_number;

static void give_up(const struct eddy_err *err)
{
    fprintf(stderr, "test_worker: %s\n", err->text);
    exit(99);
}

static void rest(int ms)
{
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* ---- the deployment ---- */

static struct eddy_config *make_config(const char *assignment)
{
    struct eddy_err err = {0};
    struct eddy_config *config = eddy_config_new(&err);
    const char *const settings[][2] = {
        {"kafka.brokers", eddy_kafka_mock_address(mock)},
        {"kafka.events", topics[0]},
        {"kafka.lists", topics[1]},
        {"kafka.dead_letters", topics[2]},
        {"kafka.assignment", assignment},
        {"kafka.fetch.wait.max.ms", "10"},
        {"redis.address", redis.address},
        {"redis.timeout", "500ms"},
        {"model.initial", version},
        {"worker.drain_timeout", "10s"},
        {"list.size", "5"},
    };

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (eddy_config_set(config, settings[i][0], settings[i][1], settings[i][0],
                            &err))
            give_up(&err);
    if (eddy_config_finish(config, &err))
        give_up(&err);
    return config;
}

static struct eddy_supervisor *start(const struct eddy_config *config)
{
    struct eddy_supervisor *supervisor = NULL;
    struct eddy_err err = {0};

    if (eddy_supervisor_start(config, registry, NULL, NULL, &supervisor, &err))
        give_up(&err);
    return supervisor;
}

static int stop(struct eddy_supervisor *supervisor)
{
    struct eddy_err err = {0};
    int rc = 0;

    eddy_supervisor_stop(supervisor);
    rc = eddy_supervisor_join(supervisor, &err);
    if (rc)
        fprintf(stderr, "    stop: %s\n", err.text);
    return rc;
}

/* Wait until the readiness is `want`, or of one check when id is not COUNT. */
static bool wait_ready(struct eddy_supervisor *supervisor, enum eddy_health_id id,
                       bool want)
{
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];

    for (int waited = 0; waited < WAIT_MS; waited += 10) {
        bool ready = eddy_supervisor_health(supervisor, checks);
        if ((id == EDDY_HEALTH_COUNT ? ready : checks[id].ok) == want)
            return true;
        rest(10);
    }
    for (int i = 0; i < EDDY_HEALTH_COUNT; i++)
        fprintf(stderr, "    %s %s: %s\n", checks[i].ok ? "ok " : "BAD", checks[i].name,
                checks[i].text);
    return false;
}

static void produce(const struct eddy_config *config, int from, int count, int users)
{
    struct eddy_producer *producer = NULL;
    struct eddy_buf bytes;
    struct eddy_err err = {0};

    eddy_buf_init(&bytes, 0);
    if (eddy_producer_open(&config->kafka, "test", &producer, &err))
        give_up(&err);
    for (int i = from; i < from + count; i++) {
        struct eddy_event event = {.kind = EDDY_KIND_EVENT};
        char user[16], item[16];
        (void)snprintf(user, sizeof user, "u%d", i % users);
        (void)snprintf(item, sizeof item, "i%d", (i * 7) % 50);
        event.user = eddy_span_of(user);
        event.item = eddy_span_of(item);
        event.type = eddy_span_of("click");
        event.ts_ms = 1600000000000 + (int64_t)i * 60000;
        if (eddy_event_check(&event, &err))
            give_up(&err);
        eddy_buf_clear(&bytes);
        eddy_event_encode(&event, &bytes);
        if (eddy_producer_send(producer, config->kafka.events, -1, event.user,
                               eddy_buf_span(&bytes), 0, 10000, &err))
            give_up(&err);
    }
    if (eddy_producer_flush(producer, 20000, &err))
        give_up(&err);
    eddy_producer_close(producer);
    eddy_buf_fini(&bytes);
}

/* ---- what the log says against what Redis holds ---- */

struct log {
    struct eddy_reader *reader;
    struct eddy_arena *arena;
};

static int next_record(void *context, struct eddy_record *ret, struct eddy_err *err)
{
    struct log *log = context;
    int rc = eddy_reader_next(log->reader, 10000, ret, err);

    if (rc == 1) {
        ret->key = eddy_arena_copy(log->arena, ret->key);
        if (ret->payload.data)
            ret->payload = eddy_arena_copy(log->arena, ret->payload);
        ret->headers = NULL;
    }
    return rc;
}

static struct eddy_path_options path_options(const struct eddy_config *config)
{
    struct eddy_path_options options = {.prefix = config->group,
                                        .partitions = PARTITIONS,
                                        .cache_users = 1024,
                                        .outbox_max = 1000,
                                        .initial_policy = eddy_config_policy(config)};
    memcpy(options.initial_snapshot, version, sizeof version);
    return options;
}

static void digest(struct eddy_store *store, struct eddy_digest *ret)
{
    struct eddy_digest parts[PARTITIONS];
    struct eddy_err err = {0};

    for (uint32_t p = 0; p < PARTITIONS; p++)
        if (!CHECK_INT(eddy_digest_partition(store, p, &parts[p], &err), 0))
            give_up(&err);
    eddy_digest_all(parts, PARTITIONS, ret);
}

static struct eddy_digest fold_log(const struct eddy_config *config)
{
    struct eddy_path_options options = path_options(config);
    struct log log = {.arena = eddy_arena_new(1 << 20, 256 << 20)};
    struct eddy_memory *memory = NULL;
    struct eddy_store *store = NULL;
    struct eddy_digest ret = {0};
    struct eddy_err err = {0};

    if (eddy_reader_open(&config->kafka, config->kafka.events, EDDY_READ_ALL,
                         EDDY_READ_FROM_START, false, &log.reader, &err) ||
        eddy_replay(&options, registry, next_record, &log, &memory, &store, &err))
        give_up(&err);
    digest(store, &ret);
    eddy_store_close(store);
    eddy_memory_free(memory);
    eddy_reader_close(log.reader);
    eddy_arena_free(log.arena);
    return ret;
}

static struct eddy_digest live(const struct eddy_config *config)
{
    struct eddy_store *store =
        eddy_store_redis_open(&config->redis, config->group, "test", NULL);
    struct eddy_digest ret = {0};

    digest(store, &ret);
    eddy_store_close(store);
    return ret;
}

/* Wait until the committed offsets add up to the log's end. */
static bool wait_applied(const struct eddy_config *config, uint64_t offsets)
{
    struct eddy_store *store =
        eddy_store_redis_open(&config->redis, config->group, "test", NULL);
    struct eddy_digest ret = {0};
    bool reached = false;

    for (int waited = 0; !reached && waited < WAIT_MS; waited += 20) {
        struct eddy_digest parts[PARTITIONS];
        struct eddy_err err = {0};
        int rc = 0;
        for (uint32_t p = 0; rc == 0 && p < PARTITIONS; p++)
            rc = eddy_digest_partition(store, p, &parts[p], &err);
        if (rc == 0)
            eddy_digest_all(parts, PARTITIONS, &ret);
        reached = rc == 0 && ret.offset >= offsets;
        if (!reached)
            rest(20);
    }
    eddy_store_close(store);
    if (!reached)
        fprintf(stderr, "    applied %llu of %llu\n", (unsigned long long)ret.offset,
                (unsigned long long)offsets);
    return reached;
}

static void check_same(const struct eddy_config *config, uint64_t offsets,
                       uint64_t users)
{
    struct eddy_digest folded = fold_log(config), held = live(config);

    CHECK_INT(folded.offset, offsets);
    CHECK_INT(held.offset, offsets);
    CHECK_INT(held.users, users);
    CHECK_INT(held.lists, users);
    CHECK_MEM(held.sha256, folded.sha256, sizeof held.sha256);
}

/* ---- cases ---- */

static void begin(void)
{
    static const char *const names[] = {"events", "lists", "letters"};
    redisContext *context = redisConnectUnix(redis.socket);
    redisReply *reply = redisCommand(context, "FLUSHALL");
    struct eddy_err err = {0};

    CHECK(reply && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    redisFree(context);
    case_number++;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(topics[i], sizeof topics[i], "%s%d", names[i], case_number);
        if (eddy_kafka_mock_create(mock, topics[i], i == 0 ? PARTITIONS : 2, &err))
            give_up(&err);
    }
}

static void events_go_in_and_lists_come_out(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_supervisor *supervisor = NULL;
    struct eddy_reader *reader = NULL;
    struct eddy_record record;
    struct eddy_err err = {0};
    int lists = 0;

    produce(config, 0, 100, 20);
    supervisor = start(config);
    CHECK(wait_ready(supervisor, EDDY_HEALTH_COUNT, true));
    produce(config, 100, 200, 20);
    CHECK(wait_applied(config, 300));
    CHECK_INT(stop(supervisor), 0);
    check_same(config, 300, 20);

    CHECK_INT(eddy_reader_open(&config->kafka, config->kafka.lists, EDDY_READ_ALL,
                               EDDY_READ_FROM_START, false, &reader, &err),
              0);
    while (eddy_reader_next(reader, 10000, &record, &err) == 1) {
        char text[8] = "";
        CHECK(record.key.size >= 2 && record.payload.size > 20);
        (void)snprintf(text, sizeof text, "%.*s", 7, record.payload.data);
        CHECK_STR(text, "{\"user\"");
        lists++;
    }
    CHECK(lists >= 20 && lists <= 300);
    eddy_reader_close(reader);
    eddy_config_free(config);
}

static void bad_records_are_buried_and_the_rest_goes_on(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_supervisor *supervisor = start(config);
    struct eddy_producer *producer = NULL;
    struct eddy_reader *reader = NULL;
    struct eddy_record record = {0};
    struct eddy_err err = {0};
    uint64_t total = 0;

    CHECK_INT(eddy_producer_open(&config->kafka, "test", &producer, &err), 0);
    CHECK_INT(eddy_producer_send(producer, topics[0], -1, eddy_span_of("u1"),
                                 eddy_span_of("{not json"), 1234567890123, 5000, &err),
              0);
    CHECK_INT(eddy_producer_send(producer, topics[0], 2, (struct eddy_span){NULL, 0},
                                 (struct eddy_span){NULL, 0}, 0, 5000, &err),
              0);
    CHECK_INT(eddy_producer_flush(producer, 10000, &err), 0);
    eddy_producer_close(producer);
    produce(config, 0, 50, 10);
    CHECK(wait_applied(config, 52));
    CHECK_INT(stop(supervisor), 0);
    check_same(config, 52, 10);

    CHECK_INT(eddy_reader_open(&config->kafka, topics[2], EDDY_READ_ALL,
                               EDDY_READ_FROM_START, false, &reader, &err),
              0);
    total = eddy_reader_total(reader);
    CHECK_INT(total, 2);
    while (eddy_reader_next(reader, 10000, &record, &err) == 1)
        if (record.payload.data) {
            CHECK(eddy_span_eq(record.payload, eddy_span_of("{not json")));
            CHECK(eddy_span_eq(record.key, eddy_span_of("u1")));
            CHECK_INT(record.timestamp_ms, 1234567890123);
        }
    eddy_reader_close(reader);
    eddy_config_free(config);
}

static void a_killed_redis_is_waited_for_and_nothing_is_lost(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_supervisor *supervisor = start(config);

    CHECK(wait_ready(supervisor, EDDY_HEALTH_COUNT, true));
    produce(config, 0, 200, 30);
    redis_child_kill(&redis);
    produce(config, 200, 200, 30);
    CHECK(wait_ready(supervisor, EDDY_HEALTH_REDIS, false));
    CHECK(wait_ready(supervisor, EDDY_HEALTH_COUNT, false));
    redis_child_restart(&redis);
    CHECK(wait_ready(supervisor, EDDY_HEALTH_COUNT, true));
    produce(config, 400, 100, 30);
    CHECK(wait_applied(config, 500));
    CHECK_INT(stop(supervisor), 0);
    check_same(config, 500, 30);
    eddy_config_free(config);
}

static void brokers_that_go_away_come_back(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_supervisor *supervisor = start(config);

    CHECK(wait_ready(supervisor, EDDY_HEALTH_COUNT, true));
    produce(config, 0, 100, 10);
    CHECK(wait_applied(config, 100));
    eddy_kafka_mock_set_up(mock, 1, 0);
    CHECK(wait_ready(supervisor, EDDY_HEALTH_KAFKA, false));
    eddy_kafka_mock_set_up(mock, 1, 1);
    CHECK(wait_ready(supervisor, EDDY_HEALTH_COUNT, true));
    produce(config, 100, 100, 10);
    CHECK(wait_applied(config, 200));
    CHECK_INT(stop(supervisor), 0);
    check_same(config, 200, 10);
    eddy_config_free(config);
}

static void two_workers_share_the_partitions(void)
{
    struct eddy_config *config = make_config("0,1,2-3");
    struct eddy_supervisor *supervisor = NULL;
    struct eddy_err err = {0};

    config->worker.threads = 2;
    CHECK_INT(err.code, 0);
    supervisor = start(config);
    CHECK(wait_ready(supervisor, EDDY_HEALTH_COUNT, true));
    produce(config, 0, 300, 40);
    CHECK(wait_applied(config, 300));
    CHECK_INT(stop(supervisor), 0);
    check_same(config, 300, 40);
    eddy_config_free(config);
}

static void owners_forced_onto_the_same_partitions_fence_each_other(void)
{
    struct eddy_config *config = make_config("all");
    uint64_t fenced = eddy_metric_total(EDDY_M_COMMITS_FENCED);
    struct eddy_supervisor *first = start(config), *second = NULL;

    CHECK(wait_ready(first, EDDY_HEALTH_COUNT, true));
    second = start(config);
    for (int i = 0; i < 10; i++) {
        produce(config, i * 40, 40, 20);
        rest(50);
    }
    CHECK(wait_applied(config, 400));
    /* At the latest the loser's probe finds out, about a second after it lost. */
    for (int i = 0; i < 200 && eddy_metric_total(EDDY_M_COMMITS_FENCED) == fenced; i++)
        rest(50);
    CHECK(eddy_metric_total(EDDY_M_COMMITS_FENCED) > fenced);
    CHECK_INT(stop(first), 0);
    CHECK_INT(stop(second), 0);
    check_same(config, 400, 20);
    eddy_config_free(config);
}

static void another_partition_count_refuses_to_start(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_store *store =
        eddy_store_redis_open(&config->redis, config->group, "test", NULL);
    struct eddy_supervisor *supervisor = NULL;
    struct eddy_err err = {0};

    struct eddy_meta meta = eddy_meta_of(config, 8);

    CHECK_INT(eddy_meta_settle(store, &meta, &err), 0);
    CHECK_INT(eddy_meta_settle(store, &meta, &err), 0);
    supervisor = start(config);
    CHECK_INT(eddy_supervisor_join(supervisor, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, "from 8") != NULL && strstr(err.text, "to 4") != NULL);
    eddy_store_close(store);
    eddy_config_free(config);
}

static void what_a_deployment_began_on_stays_whatever_the_file_says_later(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_store *store =
        eddy_store_redis_open(&config->redis, "other", "test", NULL);
    struct eddy_meta first = {
        .partitions = 4, .initial = "0123456789abcdef", .policy = {7, true, 60}};
    struct eddy_meta later = {.partitions = 4, .policy = eddy_policy_default}, read;
    struct eddy_err err = {0};
    bool found = true;

    CHECK_INT(eddy_meta_read(store, &read, &found, &err), 0);
    CHECK(!found);
    CHECK_INT(eddy_meta_settle(store, &first, &err), 0);
    CHECK_INT(eddy_meta_settle(store, &later, &err), 0);
    CHECK_STR(later.initial, "0123456789abcdef");
    CHECK_INT(later.policy.list_size, 7);
    CHECK(later.policy.exclude_recent);
    CHECK_INT(later.policy.lateness_s, 60);
    CHECK_INT(eddy_meta_read(store, &read, &found, &err), 0);
    CHECK(found && read.partitions == 4);
    later.partitions = 5;
    CHECK_INT(eddy_meta_settle(store, &later, &err), EDDY_ECONFIG);
    eddy_store_close(store);
    eddy_config_free(config);
}

static void a_missing_model_is_waited_for(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_supervisor *supervisor = NULL;
    struct eddy_err err = {0};

    CHECK_INT(eddy_config_set(config, "model.initial", "00000000000000ff",
                              "--model.initial", &err),
              0);
    supervisor = start(config);
    CHECK(wait_ready(supervisor, EDDY_HEALTH_META, true));
    CHECK(wait_ready(supervisor, EDDY_HEALTH_MODEL, false));
    CHECK_INT(stop(supervisor), 0);
    eddy_config_free(config);
}

static void nothing_answers_and_a_stop_still_ends(void)
{
    struct eddy_config *config = make_config("all");
    struct eddy_supervisor *supervisor = NULL;
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];
    struct eddy_err err = {0};

    CHECK_INT(eddy_config_set(config, "kafka.brokers", "127.0.0.1:1", "--x", &err), 0);
    CHECK_INT(eddy_config_set(config, "redis.address", "127.0.0.1:1", "--x", &err), 0);
    supervisor = start(config);
    rest(100);
    CHECK(!eddy_supervisor_health(supervisor, checks));
    CHECK_INT(stop(supervisor), 0);
    eddy_config_free(config);
}

#define WORKER_CASE(case_)                                                             \
    do {                                                                               \
        begin();                                                                       \
        RUN(case_);                                                                    \
    } while (0)

int main(void)
{
    struct eddy_snapshot *snapshot = NULL;
    struct eddy_err err = {0};

    (void)signal(SIGPIPE, SIG_IGN);
    redis_child_start(&redis, "appendonly yes\nappendfsync always\n");
    if (eddy_kafka_mock_start(1, &mock, &err))
        give_up(&err);
    snapshot = tiny_open(&tiny_default);
    registry = eddy_registry_new("/nonexistent", eddy_kernels_get());
    CHECK_INT(eddy_registry_put(registry, snapshot), 0);
    memcpy(version, snapshot->manifest.version, sizeof version);
    eddy_snapshot_release(snapshot);

    WORKER_CASE(events_go_in_and_lists_come_out);
    WORKER_CASE(bad_records_are_buried_and_the_rest_goes_on);
    WORKER_CASE(a_killed_redis_is_waited_for_and_nothing_is_lost);
    WORKER_CASE(brokers_that_go_away_come_back);
    WORKER_CASE(two_workers_share_the_partitions);
    WORKER_CASE(owners_forced_onto_the_same_partitions_fence_each_other);
    WORKER_CASE(another_partition_count_refuses_to_start);
    WORKER_CASE(what_a_deployment_began_on_stays_whatever_the_file_says_later);
    WORKER_CASE(a_missing_model_is_waited_for);
    WORKER_CASE(nothing_answers_and_a_stop_still_ends);

    eddy_registry_free(registry);
    eddy_kafka_mock_stop(mock);
    redis_child_stop(&redis);
    return check_done();
}
