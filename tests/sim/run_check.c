/* The end state against the reference: invariants I1..I8 of the plan in tests/sim/README.md. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/replay.h"
#include "run_internal.h"

static struct eddy_span read_key(struct sim *sim, struct eddy_store *store,
                                 struct eddy_span key)
{
    struct eddy_span value = {NULL, 0};
    struct eddy_err err = {0};
    EDDY_ASSERT(eddy_store_get(store, key, sim->arena, &value, &err) == 0);
    return value;
}

static void check_user(struct sim *sim, struct eddy_store *store,
                       const struct world_user *user)
{
    int name = (int)user->name.size;
    eddy_buf_clear(&sim->text);
    eddy_key_state(store, user->partition, user->name, &sim->text);
    struct eddy_span blob = read_key(sim, store, eddy_buf_span(&sim->text));
    if (!eddy_span_eq(blob, user->blob)) {
        char snapshot[EDDY_SNAPSHOT_ID_SIZE] = "";
        uint64_t got = 0, want = 0;
        (void)eddy_state_peek(blob, snapshot, &got);
        (void)eddy_state_peek(user->blob, snapshot, &want);
        sim_fail(sim,
                 "state of %.*s: %zu bytes of revision %llu, reference %zu of %llu",
                 name, user->name.data, blob.size, (unsigned long long)got,
                 user->blob.size, (unsigned long long)want);
    }
    struct eddy_span want = {NULL, 0};
    if (user->newest) {
        want = user->newest->list;
    }
    eddy_buf_clear(&sim->text);
    eddy_key_list(store, user->name, &sim->text);
    struct eddy_span list = read_key(sim, store, eddy_buf_span(&sim->text));
    if (!eddy_span_eq(list, want)) {
        sim_fail(sim, "list of %.*s in the store:\n  %.*s\nreference:\n  %.*s", name,
                 user->name.data, (int)list.size, list.data, (int)want.size, want.data);
    }
    struct eddy_topic_list topic = {0};
    bool found = eddy_topic_find(sim->topic, user->name, &topic);
    if (found != (user->newest != NULL)) {
        sim_fail(sim, "list of %.*s is %s the topic", name, user->name.data,
                 found ? "unexpectedly in" : "missing in");
    } else if (found && topic.highest_revision != user->newest->revision) {
        sim_fail(sim, "newest list of %.*s in the topic is %llu, reference %llu", name,
                 user->name.data, (unsigned long long)topic.highest_revision,
                 (unsigned long long)user->newest->revision);
    } else if (found && !eddy_span_eq(topic.list, want)) {
        /* An older list behind the newest one: only where a zombie's list was under way
         * for longer than the next owner needed (README). */
        sim->counters->stale_keys++;
        if (!sim->late_zombies) {
            sim_fail(sim, "last list of %.*s in the topic is %llu, newest %llu", name,
                     user->name.data, (unsigned long long)topic.revision,
                     (unsigned long long)topic.highest_revision);
        }
    }
}

static int count_user(void *context, struct eddy_span user, struct eddy_span blob,
                      struct eddy_span list)
{
    uint32_t *count = context;
    (void)user;
    (void)blob;
    (void)list;
    ++*count;
    return 0;
}

static void check_partition(struct sim *sim, struct eddy_store *store, uint32_t p)
{
    const struct world *world = sim->world;
    struct eddy_position position = {0};
    struct eddy_err err = {0};
    const struct eddy_span *users = NULL;
    uint32_t count = 0, want = 0;
    eddy_buf_clear(&sim->text);
    eddy_key_part(store, p, "offset", &sim->text);
    struct eddy_span value = read_key(sim, store, eddy_buf_span(&sim->text));
    if (world->log_size[p] == 0) {
        return; /* never committed, or only for the default list */
    }
    if (!value.data || eddy_position_decode(value, &position) < 0 ||
        position.offset != world->log_size[p] ||
        strcmp(position.snapshot, world->final_snapshot[p]) != 0 ||
        position.policy.list_size != world->final_policy[p].list_size ||
        position.policy.exclude_recent != world->final_policy[p].exclude_recent ||
        position.policy.lateness_s != world->final_policy[p].lateness_s) {
        sim_fail(sim, "position of partition %u: offset %llu of %u, model %s of %s", p,
                 (unsigned long long)position.offset, world->log_size[p],
                 position.snapshot, world->final_snapshot[p]);
    }
    for (uint32_t i = 0; i < world->user_count; i++) {
        want += world->users[i].partition == p && world->users[i].has_state;
    }
    EDDY_ASSERT(eddy_store_scan_users(store, p, count_user, &count, &err) == 0);
    if (count != want) {
        sim_fail(sim, "partition %u holds %u users, reference %u", p, count, want);
    }
    eddy_buf_clear(&sim->text);
    eddy_key_part(store, p, "outbox", &sim->text);
    value = read_key(sim, store, eddy_buf_span(&sim->text));
    if (eddy_outbox_decode(value, sim->arena, &users, &count) < 0 || count != 0) {
        sim_fail(sim, "outbox of partition %u still names %u users", p, count);
    }
}

/* Every record that cannot be applied stands in the dead letters, with its reason and its
 * bytes, and no other record does. */
static void check_dead(struct sim *sim)
{
    const struct world *world = sim->world;
    uint32_t count = 0;
    const struct eddy_dead *dead = eddy_topic_dead(sim->topic, &count);
    bool found[WORLD_PARTITIONS_MAX][WORLD_RECORDS_MAX] = {{false}};
    for (uint32_t i = 0; i < count; i++) {
        const struct world_record *record =
            &world->records[dead[i].partition][dead[i].offset];
        struct eddy_span payload = {dead[i].payload, dead[i].size};
        if (record->dead_code != dead[i].code ||
            !eddy_span_eq(payload, record->record.payload)) {
            sim_fail(sim, "dead letter %u/%llu has code %d, reference %d",
                     dead[i].partition, (unsigned long long)dead[i].offset,
                     dead[i].code, record->dead_code);
        }
        found[dead[i].partition][dead[i].offset] = true;
    }
    for (uint32_t p = 0; p < world->partitions; p++) {
        for (uint32_t i = 0; i < world->log_size[p]; i++) {
            if (world->records[p][i].dead_code != 0 && !found[p][i]) {
                sim_fail(sim, "bad record %u/%u is not in the dead letters", p, i);
            }
        }
    }
}

/* ---------------------------------------------------------------- replay */

struct cursor {
    const struct world *world;
    uint32_t partition;
    uint64_t offset;
};

static int next_record(void *context, struct eddy_record *ret, struct eddy_err *err)
{
    struct cursor *cursor = context;
    const struct world *world = cursor->world;
    (void)err;
    while (cursor->partition < world->partitions &&
           cursor->offset == world->log_size[cursor->partition]) {
        cursor->partition++;
        cursor->offset = 0;
    }
    if (cursor->partition == world->partitions) {
        return 0;
    }
    *ret = world->records[cursor->partition][cursor->offset++].record;
    return 1;
}

/* The digests of a replay are those of the store that went through all this. */
static void check_replay(struct sim *sim, struct eddy_store *live)
{
    const struct world *world = sim->world;
    struct cursor cursor = {.world = world};
    struct eddy_path_options options = {.prefix = "eddy",
                                        .partitions = world->partitions,
                                        .cache_users = 1024,
                                        .outbox_max = 1,
                                        .initial_policy = world->initial_policy};
    struct eddy_memory *memory = NULL;
    struct eddy_store *store = NULL;
    struct eddy_digest digests[2];
    struct eddy_err err = {0};
    memcpy(options.initial_snapshot, sim->world->initial,
           sizeof options.initial_snapshot);
    if (eddy_replay(&options, sim->models->registry, next_record, &cursor, &memory,
                    &store, &err) < 0) {
        sim_fail(sim, "replay: %s", err.text);
        return;
    }
    for (uint32_t p = 0; p < world->partitions; p++) {
        EDDY_ASSERT(eddy_digest_partition(store, p, &digests[0], &err) == 0);
        EDDY_ASSERT(eddy_digest_partition(live, p, &digests[1], &err) == 0);
        if (memcmp(digests[0].sha256, digests[1].sha256, 32) != 0) {
            sim_fail(sim, "partition %u: digests of replay and live store differ", p);
        }
    }
    eddy_store_close(store);
    eddy_memory_free(memory);
}

void sim_check_end(struct sim *sim)
{
    struct eddy_store *store = eddy_store_mem_open(sim->memory, "eddy", "observer");
    EDDY_ASSERT(store);
    eddy_arena_reset(sim->arena);
    for (uint32_t p = 0; p < sim->world->partitions; p++) {
        check_partition(sim, store, p);
    }
    uint32_t with_list = 0;
    for (uint32_t i = 0; i < sim->world->user_count; i++) {
        check_user(sim, store, &sim->world->users[i]);
        with_list += sim->world->users[i].newest != NULL;
    }
    if (eddy_topic_count(sim->topic) != with_list) {
        sim_fail(sim, "the topic has %u keys, reference %u",
                 eddy_topic_count(sim->topic), with_list);
    }
    eddy_buf_clear(&sim->text);
    eddy_key_list_default(store, &sim->text);
    struct eddy_span value = read_key(sim, store, eddy_buf_span(&sim->text));
    if (!eddy_span_eq(value, sim->world->default_list)) {
        sim_fail(sim, "default list:\n  %.*s\nreference:\n  %.*s", (int)value.size,
                 value.data, (int)sim->world->default_list.size,
                 sim->world->default_list.data);
    }
    check_dead(sim);
    if (sim->world->seed % 4 == 0) {
        check_replay(sim, store);
    }
    eddy_store_close(store);
}
