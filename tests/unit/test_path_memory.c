/* The path's memory: none is taken per event once it is warm, and when there is none at
 * all, every step is refused and nothing is lost. Store and sink stand behind a shield:
 * adapters may allocate (STYLE: librdkafka and hiredis do). */
#include "engine/path.h"
#include "io/sink_mem.h"
#include "io/store_mem.h"
#include "torture.h"
#include "world.h"

enum { USERS = 1500, RECORDS = 6000, TURN = 200 };

static struct world_models *models;
static char payloads[RECORDS][160];
static size_t payload_sizes[RECORDS];

/* ---------------------------------------------------------------- shield */

static long shield_raise(void)
{
    return atomic_exchange(&torture_countdown, -1);
}

static void shield_lower(long countdown)
{
    atomic_store(&torture_countdown, countdown);
}

struct shield {
    struct eddy_store store; /* first */
    struct eddy_store *inner_store;
    struct eddy_memory *memory;
};
struct sink_shield {
    struct eddy_sink sink; /* first */
    struct eddy_sink *inner;
    struct eddy_topic *topic;
};

static struct eddy_store *inner(struct eddy_store *store)
{
    return ((struct shield *)store)->inner_store;
}

static int shield_acquire(struct eddy_store *store, uint32_t partition,
                          struct eddy_arena *arena, struct eddy_position *ret_position,
                          bool *ret_found, struct eddy_span *ret_outbox,
                          struct eddy_err *err)
{
    long countdown = shield_raise();
    int r = eddy_store_acquire(inner(store), partition, arena, ret_position, ret_found,
                               ret_outbox, err);
    shield_lower(countdown);
    return r;
}

static void shield_forget(struct eddy_store *store, uint32_t partition)
{
    long countdown = shield_raise();
    eddy_store_forget(inner(store), partition);
    shield_lower(countdown);
}

static int shield_load(struct eddy_store *store, struct eddy_load *loads,
                       uint32_t count, struct eddy_arena *arena, uint32_t *ret_fenced,
                       struct eddy_err *err)
{
    long countdown = shield_raise();
    int r = eddy_store_load(inner(store), loads, count, arena, ret_fenced, err);
    shield_lower(countdown);
    return r;
}

static int shield_commit(struct eddy_store *store, struct eddy_commit *commits,
                         uint32_t count, struct eddy_err *err)
{
    long countdown = shield_raise();
    int r = eddy_store_commit(inner(store), commits, count, err);
    shield_lower(countdown);
    return r;
}

static int shield_get(struct eddy_store *store, const struct eddy_span *keys,
                      uint32_t count, struct eddy_arena *arena,
                      struct eddy_span *ret_values, struct eddy_err *err)
{
    long countdown = shield_raise();
    int r = eddy_store_get_many(inner(store), keys, count, arena, ret_values, err);
    shield_lower(countdown);
    return r;
}

static const struct eddy_store_ops shield_ops = {
    .acquire = shield_acquire,
    .forget = shield_forget,
    .load = shield_load,
    .commit = shield_commit,
    .get = shield_get,
};

static int shield_publish(struct eddy_sink *sink, uint32_t partition,
                          struct eddy_span user, uint64_t revision,
                          struct eddy_span list, struct eddy_err *err)
{
    long countdown = shield_raise();
    int r = eddy_sink_publish(((struct sink_shield *)sink)->inner, partition, user,
                              revision, list, err);
    shield_lower(countdown);
    return r;
}

static void shield_poll(struct eddy_sink *sink)
{
    struct sink_shield *shield = (struct sink_shield *)sink;
    /* The reports run the publisher's code: that stays on this side of the shield. */
    eddy_sink_on_done(shield->inner, sink->done, sink->done_context);
    eddy_sink_poll(shield->inner);
}

static const struct eddy_sink_ops sink_ops = {.publish = shield_publish,
                                              .poll = shield_poll};

/* ---------------------------------------------------------------- worker */

struct rig {
    struct shield store;
    struct sink_shield sink;
    struct eddy_path *path;
    uint64_t next;
};

static struct eddy_err err;

static void open_rig(struct rig *rig)
{
    long countdown = shield_raise();
    memset(rig, 0, sizeof *rig);
    rig->store.memory = eddy_memory_new(4);
    rig->store.inner_store = eddy_store_mem_open(rig->store.memory, "eddy", "rig");
    rig->store.store.ops = &shield_ops;
    (void)snprintf(rig->store.store.prefix, sizeof rig->store.store.prefix, "eddy");
    rig->sink.topic = eddy_topic_new();
    rig->sink.inner = eddy_sink_mem_open(rig->sink.topic);
    rig->sink.sink.ops = &sink_ops;
    shield_lower(countdown);
    struct eddy_path_options options = {.prefix = "eddy",
                                        .cache_users = 1024,
                                        .outbox_max = 100000,
                                        .initial_policy = eddy_policy_default};
    memcpy(options.initial_snapshot, models->version[0],
           sizeof options.initial_snapshot);
    rig->path = eddy_path_new(&options, &rig->store.store, &rig->sink.sink,
                              models->registry, NULL, &err);
}

static void close_rig(struct rig *rig)
{
    eddy_path_free(rig->path);
    eddy_store_close(rig->store.inner_store);
    eddy_memory_free(rig->store.memory);
    eddy_sink_close(rig->sink.inner);
    eddy_topic_free(rig->sink.topic);
}

static int turn(struct rig *rig, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_record record = {.partition = 0,
                                     .offset = rig->next,
                                     .timestamp_ms =
                                         1700000000000 + (int64_t)rig->next * 1000,
                                     .payload = {payloads[rig->next % RECORDS],
                                                 payload_sizes[rig->next % RECORDS]}};
        if (eddy_path_push(rig->path, &record, false) != EDDY_PUSH_TAKEN) {
            return EDDY_EFATAL;
        }
        rig->next++;
    }
    int r = eddy_path_turn(rig->path, &err);
    if (r == 0) {
        long countdown = shield_raise();
        (void)eddy_sink_mem_deliver(rig->sink.inner, count, 0, true);
        shield_lower(countdown);
        r = eddy_path_service(rig->path, &err);
    }
    return r;
}

static void make_payloads(void)
{
    struct eddy_buf bytes;
    eddy_buf_init(&bytes, 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        char user[32], item[32], id[32];
        (void)snprintf(user, sizeof user, "user%u", i * 7919 % USERS);
        (void)snprintf(item, sizeof item, "item%u", i % 40); /* some are unknown */
        (void)snprintf(id, sizeof id, "e%u", i / 2);         /* some come twice */
        struct eddy_event event = {.kind =
                                       i % 9 ? EDDY_KIND_EVENT : EDDY_KIND_IMPRESSION,
                                   .user = eddy_span_of(user),
                                   .ts_ms = 1700000000000 + (int64_t)i * 1000};
        struct eddy_span shown = eddy_span_of(item);
        if (i % 9) {
            event.item = shown;
            event.id = eddy_span_of(id);
        } else {
            event.impressions = &shown;
            event.impression_count = 1;
        }
        CHECK_INT(eddy_event_check(&event, &err), 0);
        eddy_buf_clear(&bytes);
        if (i % 2) {
            eddy_event_encode(&event, &bytes);
        } else {
            eddy_event_encode_json(&event, &bytes);
        }
        CHECK(bytes.size <= sizeof payloads[0]);
        memcpy(payloads[i], bytes.data, bytes.size);
        payload_sizes[i] = bytes.size;
    }
    eddy_buf_fini(&bytes);
}

/* ---------------------------------------------------------------- cases */

static void steady_load_takes_no_memory(void)
{
    const long far = 1000000000;
    struct rig rig;
    uint64_t offset = 0;
    open_rig(&rig);
    CHECK_INT(eddy_path_acquire(rig.path, 0, &offset, &err), 0);
    for (uint32_t i = 0; i < RECORDS; i += TURN) { /* warm: every user, every size */
        CHECK_INT(turn(&rig, TURN), 0);
    }
    torture_arm(far);
    for (uint32_t i = 0; i < RECORDS; i += TURN) {
        CHECK_INT(turn(&rig, TURN), 0);
    }
    long taken = far - atomic_load(&torture_countdown);
    torture_arm(-1);
    CHECK_INT(taken, 0);
    printf("%d events of %d users, %d slots: %ld allocations in core and engine\n",
           RECORDS, USERS, 1024, taken);
    /* The counter counts: a fresh worker does allocate. */
    torture_arm(far);
    close_rig(&rig);
    open_rig(&rig);
    CHECK(far - atomic_load(&torture_countdown) > 0);
    torture_arm(-1);
    close_rig(&rig);
}

static bool a_path_is_made(void)
{
    struct rig rig;
    open_rig(&rig);
    bool made = rig.path != NULL;
    CHECK(made || err.code == EDDY_ENOMEM);
    close_rig(&rig);
    return made;
}

/* A failed step leaves a path that works again when there is memory. */
static bool a_worker_starts(void)
{
    struct rig rig;
    uint64_t offset = 0;
    long countdown = shield_raise();
    open_rig(&rig);
    shield_lower(countdown);
    int r = eddy_path_acquire(rig.path, 0, &offset, &err);
    r = r == 0 ? turn(&rig, TURN) : r;
    CHECK(r == 0 || r == EDDY_ENOMEM);
    if (r < 0) {
        countdown = shield_raise();
        CHECK_INT(eddy_path_acquire(rig.path, 0, &offset, &err), 0);
        rig.next = offset;
        CHECK_INT(turn(&rig, TURN), 0);
        CHECK_INT(eddy_path_offset(rig.path, 0), offset + TURN);
        shield_lower(countdown);
    }
    countdown = shield_raise();
    close_rig(&rig);
    shield_lower(countdown);
    return r == 0;
}

static void no_memory_for_a_path_is_refused(void)
{
    printf("%ld allocations make a path\n", TORTURE(a_path_is_made));
}

static void no_memory_in_acquire_or_turn_loses_nothing(void)
{
    printf("%ld allocations until its first turn has ended\n",
           TORTURE(a_worker_starts));
}

int main(void)
{
    models = world_models_new();
    make_payloads();
    RUN(steady_load_takes_no_memory);
    RUN(no_memory_for_a_path_is_refused);
    RUN(no_memory_in_acquire_or_turn_loses_nothing);
    world_models_free(models);
    return check_done();
}
