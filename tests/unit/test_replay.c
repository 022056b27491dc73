/* Replay and digests. */
#include <stdlib.h>

#include "check.h"
#include "engine/replay.h"
#include "world.h"

static struct world_models *models;

struct cursor {
    const struct world *world;
    uint32_t partition;
    uint64_t offset[WORLD_PARTITIONS_MAX];
    uint64_t first, skip_every; /* a log that begins late, or has holes */
    bool interleaved;
};

static int next_record(void *context, struct eddy_record *ret, struct eddy_err *err)
{
    struct cursor *cursor = context;
    const struct world *world = cursor->world;
    (void)err;
    for (uint32_t tried = 0; tried < world->partitions; tried++) {
        uint32_t p = cursor->partition;
        uint64_t *offset = &cursor->offset[p];
        if (*offset < cursor->first) {
            *offset = cursor->first;
        }
        if (cursor->skip_every && *offset % cursor->skip_every == 1) {
            ++*offset;
        }
        if (*offset < world->log_size[p]) {
            *ret = world->records[p][(*offset)++].record;
            if (cursor->interleaved) {
                cursor->partition = (p + 1) % world->partitions;
            }
            return 1;
        }
        cursor->partition = (p + 1) % world->partitions;
    }
    return 0;
}

static void replay(struct cursor *cursor, struct eddy_digest *ret)
{
    const struct world *world = cursor->world;
    struct eddy_path_options options = {.prefix = "eddy",
                                        .partitions = world->partitions,
                                        .cache_users = 1024,
                                        .outbox_max = 100,
                                        .initial_policy = world->initial_policy};
    struct eddy_memory *memory = NULL;
    struct eddy_store *store = NULL;
    struct eddy_err err = {0};
    memcpy(options.initial_snapshot, models->version[0],
           sizeof options.initial_snapshot);
    memset(ret, 0, WORLD_PARTITIONS_MAX * sizeof *ret);
    if (!CHECK_INT(eddy_replay(&options, models->registry, next_record, cursor, &memory,
                               &store, &err),
                   0)) {
        fprintf(stderr, "    %s\n", err.text);
        return;
    }
    for (uint32_t p = 0; p < world->partitions; p++) {
        CHECK_INT(eddy_digest_partition(store, p, &ret[p], &err), 0);
    }
    eddy_store_close(store);
    eddy_memory_free(memory);
}

static bool same(const struct eddy_digest *a, const struct eddy_digest *b)
{
    return memcmp(a->sha256, b->sha256, sizeof a->sha256) == 0;
}

static void order_among_partitions_does_not_matter(void)
{
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct world *world = world_new(models, seed, 300, true);
        struct eddy_digest a[WORLD_PARTITIONS_MAX], b[WORLD_PARTITIONS_MAX];
        struct cursor one = {.world = world};
        struct cursor other = {.world = world, .interleaved = true};
        replay(&one, a);
        replay(&other, b);
        for (uint32_t p = 0; p < world->partitions; p++) {
            CHECK(same(&a[p], &b[p]));
            CHECK_INT(a[p].offset, world->log_size[p]);
        }
        world_free(world);
    }
}

static void one_record_more_is_another_digest(void)
{
    struct world *world = world_new(models, 3, 200, false);
    struct eddy_digest a[WORLD_PARTITIONS_MAX], b[WORLD_PARTITIONS_MAX];
    struct cursor one = {.world = world}, other = {.world = world};
    replay(&one, a);
    for (uint32_t p = 0; p < world->partitions; p++) {
        world->log_size[p] -= world->log_size[p] > 0;
    }
    replay(&other, b);
    for (uint32_t p = 0; p < world->partitions; p++) {
        CHECK(world->log_size[p] == 0 || !same(&a[p], &b[p]));
        world->log_size[p] += a[p].offset > 0; /* all of it is freed */
    }
    world_free(world);
}

static void log_may_begin_late_and_have_holes(void)
{
    struct world *world = world_new(models, 8, 300, true);
    struct eddy_digest a[WORLD_PARTITIONS_MAX], b[WORLD_PARTITIONS_MAX];
    struct cursor one = {.world = world, .first = 20, .skip_every = 7};
    struct cursor other = one;
    other.interleaved = true;
    replay(&one, a);
    replay(&other, b);
    for (uint32_t p = 0; p < world->partitions; p++) {
        CHECK(same(&a[p], &b[p]));
        CHECK(world->log_size[p] < 30 || a[p].users > 0);
    }
    world_free(world);
}

static int fail_at_once(void *context, struct eddy_record *ret, struct eddy_err *err)
{
    (void)context;
    (void)ret;
    return eddy_fail(err, EDDY_EKAFKA, "no broker");
}

static void error_of_the_log_ends_the_replay(void)
{
    struct eddy_path_options options = {.prefix = "eddy",
                                        .initial_policy = eddy_policy_default};
    struct eddy_memory *memory = NULL;
    struct eddy_store *store = NULL;
    struct eddy_err err = {0};
    CHECK_INT(eddy_replay(&options, models->registry, fail_at_once, NULL, &memory,
                          &store, &err),
              EDDY_EKAFKA);
    CHECK(memory == NULL && store == NULL);
    CHECK_STR(err.text, "no broker");
}

/* ---------------------------------------------------------------- digests */

/* A partition with these users, written in this order. */
static struct eddy_digest digest_of(const char *const *users, uint32_t count,
                                    const char *blob, const char *list, uint64_t offset)
{
    struct eddy_memory *memory = eddy_memory_new(0);
    struct eddy_store *store = eddy_store_mem_open(memory, "eddy", "test");
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_position position;
    struct eddy_span outbox;
    struct eddy_write writes[8];
    struct eddy_digest digest = {0};
    struct eddy_err err = {0};
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        writes[i] = (struct eddy_write){eddy_span_of(users[i]), eddy_span_of(blob),
                                        eddy_span_of(list)};
    }
    struct eddy_commit commit = {.partition = 5,
                                 .position = {.offset = offset,
                                              .policy = eddy_policy_default},
                                 .writes = writes,
                                 .write_count = count,
                                 .outbox = {"\x90", 1}};
    CHECK_INT(eddy_store_acquire(store, 5, arena, &position, &found, &outbox, &err), 0);
    CHECK_INT(eddy_store_commit(store, &commit, 1, &err), 0);
    CHECK_INT(eddy_digest_partition(store, 5, &digest, &err), 0);
    eddy_arena_free(arena);
    eddy_store_close(store);
    eddy_memory_free(memory);
    return digest;
}

static void digest_sees_contents_and_not_order(void)
{
    static const char *const abc[] = {"a", "b", "c"}, *const cab[] = {"c", "a", "b"},
                             *const abd[] = {"a", "b", "d"};
    struct eddy_digest base = digest_of(abc, 3, "blob", "list", 9);
    struct eddy_digest others[] = {
        digest_of(abd, 3, "blob", "list", 9),  digest_of(abc, 2, "blob", "list", 9),
        digest_of(abc, 3, "blob2", "list", 9), digest_of(abc, 3, "blob", "list2", 9),
        digest_of(abc, 3, "blob", "", 9),      digest_of(abc, 3, "blob", "list", 10),
        digest_of(abc, 3, "bloblist", "", 9),
    };
    struct eddy_digest turned = digest_of(cab, 3, "blob", "list", 9);
    CHECK(same(&base, &turned));
    CHECK_INT(base.users, 3);
    CHECK_INT(base.lists, 3);
    CHECK_INT(base.offset, 9);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK(!same(&base, &others[i]));
    }
}

static void digest_of_all_depends_on_every_partition(void)
{
    static const char *const users[] = {"a"};
    struct eddy_digest parts[2] = {digest_of(users, 1, "x", "l", 1),
                                   digest_of(users, 1, "y", "l", 2)};
    struct eddy_digest all, turned;
    eddy_digest_all(parts, 2, &all);
    CHECK_INT(all.offset, 3);
    CHECK_INT(all.users, 2);
    struct eddy_digest other[2] = {parts[1], parts[0]};
    eddy_digest_all(other, 2, &turned);
    CHECK(!same(&all, &turned));
}

static void partition_without_records_has_an_empty_digest(void)
{
    struct eddy_memory *memory = eddy_memory_new(0);
    struct eddy_store *store = eddy_store_mem_open(memory, "eddy", "test");
    struct eddy_digest a, b = digest_of(NULL, 0, "", "", 0);
    struct eddy_err err = {0};
    CHECK_INT(eddy_digest_partition(store, 5, &a, &err), 0);
    /* Committed for the default list only: still nothing of the log. */
    CHECK(same(&a, &b));
    CHECK_INT(a.users, 0);
    eddy_store_close(store);
    eddy_memory_free(memory);
}

int main(void)
{
    models = world_models_new();
    RUN(order_among_partitions_does_not_matter);
    RUN(one_record_more_is_another_digest);
    RUN(log_may_begin_late_and_have_holes);
    RUN(error_of_the_log_ends_the_replay);
    RUN(digest_sees_contents_and_not_order);
    RUN(digest_of_all_depends_on_every_partition);
    RUN(partition_without_records_has_an_empty_digest);
    world_models_free(models);
    return check_done();
}
