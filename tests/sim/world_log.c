/* The log of a simulated world: what people and broken producers send. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "world_internal.h"

enum { SNAPSHOT_RECORDS_MAX = 3, TEXT = 64 };

struct generator {
    struct world *world;
    struct eddy_rng rng;
    struct eddy_buf bytes;
    int64_t now_ms;
    uint64_t ids;                      /* event ids given so far */
    uint64_t last_id[WORLD_USERS_MAX]; /* 0: none yet */
    int64_t last_ts[WORLD_USERS_MAX];
    uint32_t snapshots; /* records planned */
    uint32_t snapshot_at[WORLD_PARTITIONS_MAX][SNAPSHOT_RECORDS_MAX];
    uint32_t snapshot_model[SNAPSHOT_RECORDS_MAX];
    struct eddy_policy snapshot_policy[SNAPSHOT_RECORDS_MAX];
    uint32_t snapshots_done[WORLD_PARTITIONS_MAX];
};

static bool chance(struct generator *generator, uint32_t percent)
{
    return eddy_rng_below(&generator->rng, 100) < percent;
}

struct eddy_policy world_policy(struct eddy_rng *rng)
{
    return (struct eddy_policy){.list_size = 3 + eddy_rng_below(rng, 6),
                                .exclude_recent = eddy_rng_below(rng, 2) == 0,
                                .lateness_s = 600 + eddy_rng_below(rng, 80000)};
}

static void append(struct generator *generator, uint32_t partition,
                   struct eddy_span payload)
{
    struct world *world = generator->world;
    struct world_record *record =
        &world->records[partition][world->log_size[partition]];
    EDDY_ASSERT(world->log_size[partition] < WORLD_RECORDS_MAX);
    if (payload.data) {
        record->payload =
            malloc(payload.size + 1); /* exact, so that asan sees overruns */
        EDDY_ASSERT(record->payload);
        memcpy(record->payload, payload.data, payload.size);
    }
    record->record = (struct eddy_record){
        .partition = partition,
        .offset = world->log_size[partition],
        .timestamp_ms = chance(generator, 90) ? generator->now_ms : 0,
        .payload = {record->payload, payload.data ? payload.size : 0},
    };
    world->log_size[partition]++;
}

static void append_event(struct generator *generator, uint32_t partition,
                         struct eddy_event *event)
{
    struct eddy_err err = {0};
    eddy_buf_clear(&generator->bytes);
    if (eddy_event_check(event, &err) < 0) {
        fprintf(stderr, "generated event is bad: %s\n", err.text);
        EDDY_ASSERT(!"generated event is good");
    }
    if (chance(generator, 50)) {
        eddy_event_encode(event, &generator->bytes);
    } else {
        eddy_event_encode_json(event, &generator->bytes);
    }
    append(generator, partition, eddy_buf_span(&generator->bytes));
}

static struct eddy_span item_name(struct generator *generator, char text[TEXT])
{
    /* Items 0..33 are in at least one model, none in all; the rest in none. */
    uint32_t item = eddy_rng_below(&generator->rng, chance(generator, 90) ? 34 : 60);
    (void)snprintf(text, TEXT, "item%u", item);
    return eddy_span_of(text);
}

/* One or two values, of a device that models know and of hours as numbers. */
static void give_context(struct generator *generator, struct eddy_event *event,
                         struct eddy_event_context *room)
{
    static const char *const texts[] = {"phone", "tv", "console", "7", "23.5"};
    uint32_t count = 1 + eddy_rng_below(&generator->rng, 2);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t draw = eddy_rng_below(&generator->rng, 3) + 2 * i;
        room[i] = (struct eddy_event_context){.name = eddy_span_of(i == 0 ? "device"
                                                                          : "hour"),
                                              .text = eddy_span_of(texts[draw]),
                                              .is_number = draw > 2};
    }
    event->context = room;
    event->context_count = count;
}

static void add_event(struct generator *generator, uint32_t user)
{
    static const char *const types[] = {"click", "purchase", "zoom"};
    struct world_user *who = &generator->world->users[user];
    char item[TEXT], id[TEXT];
    struct eddy_event event = {.kind = EDDY_KIND_EVENT, .user = who->name};
    event.item = item_name(generator, item);
    event.type = eddy_span_of(types[eddy_rng_below(&generator->rng, 3)]);
    event.ts_ms = generator->now_ms;
    if (chance(generator, 20)) {
        event.has_value = true;
        event.value = (float)(eddy_rng_below(&generator->rng, 1000)) / 8.0f;
    }
    uint32_t draw = eddy_rng_below(&generator->rng, 100);
    if (draw < 6) { /* some minutes late, and once in a while a day and more */
        event.ts_ms -= (int64_t)eddy_rng_below(&generator->rng, 200000) * 1000;
    } else if (draw < 9) { /* a client whose clock is ahead */
        event.ts_ms += 3600000;
    }
    if (chance(generator, 60)) {
        bool again = generator->last_id[user] > 0 && chance(generator, 15);
        if (!again) {
            generator->last_id[user] = ++generator->ids;
        }
        (void)snprintf(id, sizeof id, "e%llu",
                       (unsigned long long)generator->last_id[user]);
        event.id = eddy_span_of(id);
    }
    struct eddy_event_context context[2];
    char shown[2][TEXT];
    struct eddy_span impressions[2];
    if (chance(generator, 30)) {
        give_context(generator, &event, context);
    }
    if (chance(generator, 20)) { /* shown with it, perhaps the chosen one among them */
        impressions[0] = item_name(generator, shown[0]);
        impressions[1] = item_name(generator, shown[1]);
        event.impressions = impressions;
        event.impression_count = 2;
    }
    append_event(generator, who->partition, &event);
}

static void add_impression(struct generator *generator, uint32_t user)
{
    struct world_user *who = &generator->world->users[user];
    char items[3][TEXT];
    struct eddy_span shown[3];
    for (int i = 0; i < 3; i++) {
        shown[i] = item_name(generator, items[i]);
    }
    struct eddy_event event = {.kind = EDDY_KIND_IMPRESSION,
                               .user = who->name,
                               .ts_ms = generator->now_ms,
                               .impression_count = 3,
                               .impressions = shown};
    append_event(generator, who->partition, &event);
}

/* A good event at the wrong place, cut, or followed by something. */
static void add_damaged(struct generator *generator, uint32_t user, uint32_t kind)
{
    struct world *world = generator->world;
    struct world_user *who = &world->users[user];
    struct eddy_event event = {.kind = EDDY_KIND_EVENT,
                               .user = who->name,
                               .item = eddy_span_of("item5"),
                               .type = eddy_span_of("click"),
                               .ts_ms = generator->now_ms};
    uint32_t wrong = (who->partition + 1) % world->partitions;
    struct eddy_err err = {0};
    if (kind == 0) { /* a user of another partition, unless there is only one */
        append_event(generator, wrong, &event);
        return;
    }
    EDDY_ASSERT(eddy_event_check(&event, &err) == 0);
    eddy_buf_clear(&generator->bytes);
    if (chance(generator, 50)) {
        eddy_event_encode(&event, &generator->bytes);
    } else {
        eddy_event_encode_json(&event, &generator->bytes);
    }
    struct eddy_span bytes = eddy_buf_span(&generator->bytes);
    bytes.size = eddy_rng_below(&generator->rng, (uint32_t)bytes.size);
    append(generator, who->partition, bytes);
}

static void add_bad(struct generator *generator, uint32_t user)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "not an event",
        "{\"user\":\"u\",\"item\":7,\"ts\":1700000000000}",
        "{\"user\":\"u\",\"item\":\"i\",\"ts\":1700000000000,\"value\":NaN}",
        "{\"v\":2,\"user\":\"u\",\"item\":\"i\",\"ts\":1700000000000}",
        "{\"user\":\"u\",\"item\":\"i\",\"ts\":17}",
        "{\"user\":\"\",\"item\":\"i\",\"ts\":1700000000000}",
        "{\"user\":\"u\",\"user\":\"u\",\"item\":\"i\",\"ts\":1700000000000}",
        "{\"kind\":\"snapshot\",\"snapshot\":\"no version\"}",
        "\xc1\x00\x01",
        "\xdf\xff\xff\xff\xff",
    };
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    static char huge[EDDY_RECORD_MAX + 1];
    uint32_t partition = generator->world->users[user].partition;
    uint32_t draw = eddy_rng_below(&generator->rng, TEXTS + 8);
    if (draw < TEXTS) {
        append(generator, partition, eddy_span_of(texts[draw]));
    } else if (draw == TEXTS) {
        append(generator, partition, (struct eddy_span){NULL, 0}); /* tombstone */
    } else if (draw == TEXTS + 1 && generator->world->seed % 64 == 0) {
        append(generator, partition, (struct eddy_span){huge, sizeof huge});
    } else {
        add_damaged(generator, user, draw % 3);
    }
}

/* A model change is one record in every partition, each at its own place. */
static void plan_snapshots(struct generator *generator, uint32_t records)
{
    generator->snapshots = eddy_rng_below(&generator->rng, SNAPSHOT_RECORDS_MAX + 1);
    for (uint32_t i = 0; i < generator->snapshots; i++) {
        generator->snapshot_model[i] = eddy_rng_below(&generator->rng, WORLD_MODELS);
        generator->snapshot_policy[i] = world_policy(&generator->rng);
        for (uint32_t p = 0; p < generator->world->partitions; p++) {
            generator->snapshot_at[p][i] =
                eddy_rng_below(&generator->rng, records / generator->world->partitions);
        }
    }
}

static void add_snapshots(struct generator *generator, bool rest)
{
    struct world *world = generator->world;
    for (uint32_t p = 0; p < world->partitions; p++) {
        uint32_t *done = &generator->snapshots_done[p];
        while (*done < generator->snapshots &&
               (rest || generator->snapshot_at[p][*done] <= world->log_size[p])) {
            struct eddy_event event = {.kind = EDDY_KIND_SNAPSHOT,
                                       .ts_ms = generator->now_ms,
                                       .policy = generator->snapshot_policy[*done]};
            memcpy(event.snapshot,
                   world->models->version[generator->snapshot_model[*done]],
                   sizeof event.snapshot);
            append_event(generator, p, &event);
            ++*done;
        }
    }
}

void world_generate(struct world *world, uint32_t records, bool bad)
{
    struct generator generator = {.world = world, .now_ms = 1700000000000};
    eddy_rng_seed(&generator.rng, world->seed);
    eddy_buf_init(&generator.bytes, 0);
    world->partitions = 1 + eddy_rng_below(&generator.rng, WORLD_PARTITIONS_MAX);
    world->user_count = 3 + eddy_rng_below(&generator.rng, WORLD_USERS_MAX - 3);
    world->initial_policy = world_policy(&generator.rng);
    for (uint32_t p = 0; p < world->partitions; p++) {
        world->records[p] = calloc(WORLD_RECORDS_MAX, sizeof *world->records[p]);
        EDDY_ASSERT(world->records[p]);
    }
    for (uint32_t i = 0; i < world->user_count; i++) {
        char name[TEXT];
        (void)snprintf(name, sizeof name, "user\"%u", i);
        struct world_user *user = &world->users[i];
        user->name = eddy_arena_copy(world->arena, eddy_span_of(name));
        user->partition = eddy_partition_of(user->name, world->partitions);
    }
    plan_snapshots(&generator, records);
    for (uint32_t i = 0; i < records; i++) {
        uint32_t user = eddy_rng_below(&generator.rng, world->user_count);
        add_snapshots(&generator, false);
        generator.now_ms +=
            eddy_rng_below(&generator.rng, chance(&generator, 5) ? 7200000 : 90000);
        uint32_t draw = eddy_rng_below(&generator.rng, 100);
        if (draw < 8 && bad) {
            add_bad(&generator, user);
        } else if (draw < 15) {
            add_impression(&generator, user);
        } else {
            add_event(&generator, user);
        }
    }
    add_snapshots(&generator, true);
    eddy_buf_fini(&generator.bytes);
}
