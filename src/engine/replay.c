/* Replay is a worker without faults: the path over the store in memory, without a sink.
 *
 * The digest of a partition does not depend on the order in which a store lists its users:
 * each user is hashed by himself (SHA-256 over name, state and list, each with its length
 * in front), the hashes are added as four 64-bit numbers, and the sums are hashed together
 * with the position. Adding, unlike exclusive or, does not let two equal users vanish. A
 * digest is for finding differences, not for proving anything to an adversary who can
 * choose the states. */
#include "engine/replay.h"

#include <stdlib.h>

#include "base/hash.h"

enum { LANES = 4 };

/* ---------------------------------------------------------------- fold */

struct replay {
    struct eddy_path *path;
    bool *started; /* by partition */
    uint32_t started_count;
};

static int start_partition(struct replay *replay, const struct eddy_record *record,
                           struct eddy_err *err)
{
    uint32_t partition = record->partition;
    uint64_t offset = 0;
    if (partition >= replay->started_count) {
        bool *started = realloc(replay->started, partition + 1);
        if (!started) {
            return eddy_fail(err, EDDY_ENOMEM, "no memory for partition %u", partition);
        }
        memset(started + replay->started_count, 0,
               partition + 1 - replay->started_count);
        replay->started = started;
        replay->started_count = partition + 1;
    }
    if (replay->started[partition]) {
        return 0;
    }
    int r = eddy_path_acquire(replay->path, partition, &offset, err);
    if (r == 0 && record->offset > offset) {
        r = eddy_path_start_at(replay->path, partition, record->offset, err);
    }
    replay->started[partition] = r == 0;
    return r;
}

static int fold_log(struct replay *replay, eddy_replay_next_fn next, void *context,
                    struct eddy_err *err)
{
    for (;;) {
        struct eddy_record record;
        int r = next(context, &record, err);
        if (r <= 0) {
            return r < 0 ? r : eddy_path_turn(replay->path, err);
        }
        r = start_partition(replay, &record, err);
        if (r < 0) {
            return r;
        }
        if (eddy_path_pending(replay->path) + 1 >= EDDY_REPLAY_KEEP ||
            eddy_path_push(replay->path, &record, true) == EDDY_PUSH_FULL) {
            r = eddy_path_turn(replay->path, err);
            if (r < 0) {
                return r;
            }
            (void)eddy_path_push(replay->path, &record, true); /* empty: it has room */
        }
    }
}

int eddy_replay(const struct eddy_path_options *options, struct eddy_registry *registry,
                eddy_replay_next_fn next, void *context,
                struct eddy_memory **ret_memory, struct eddy_store **ret_store,
                struct eddy_err *err)
{
    struct replay replay = {0};
    struct eddy_memory *memory = eddy_memory_new(0);
    struct eddy_store *store =
        memory ? eddy_store_mem_open(memory, options->prefix, "replay") : NULL;
    int r = store ? 0 : eddy_fail(err, EDDY_ENOMEM, "no memory for a replay");
    if (r == 0) {
        replay.path = eddy_path_new(options, store, NULL, registry, NULL, err);
        r = replay.path ? fold_log(&replay, next, context, err) : EDDY_ENOMEM;
    }
    eddy_path_free(replay.path);
    free(replay.started);
    if (r < 0) {
        eddy_store_close(store);
        eddy_memory_free(memory);
        return r;
    }
    *ret_memory = memory;
    *ret_store = store;
    return 0;
}

/* ---------------------------------------------------------------- digest */

struct sums {
    uint64_t lanes[LANES];
    uint64_t users, lists;
};

static void put_u64(unsigned char bytes[8], uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
}

static uint64_t get_u64(const unsigned char bytes[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static void update_u64(struct eddy_sha256 *sha, uint64_t value)
{
    unsigned char bytes[8];
    put_u64(bytes, value);
    eddy_sha256_update(sha, bytes, sizeof bytes);
}

static void update_span(struct eddy_sha256 *sha, struct eddy_span span)
{
    update_u64(sha, span.size);
    if (span.size > 0) {
        eddy_sha256_update(sha, span.data, span.size);
    }
}

static int add_user(void *context, struct eddy_span user, struct eddy_span blob,
                    struct eddy_span list)
{
    struct sums *sums = context;
    struct eddy_sha256 sha;
    unsigned char digest[32];
    eddy_sha256_init(&sha);
    update_span(&sha, user);
    update_span(&sha, blob);
    update_span(&sha, list);
    eddy_sha256_final(&sha, digest);
    for (size_t lane = 0; lane < LANES; lane++) {
        sums->lanes[lane] += get_u64(digest + (size_t)8 * lane);
    }
    sums->users++;
    sums->lists += list.size > 0;
    return 0;
}

static int read_position(struct eddy_store *store, uint32_t partition,
                         struct eddy_position *ret, struct eddy_err *err)
{
    struct eddy_span value = {NULL, 0};
    struct eddy_buf key;
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    if (!arena) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a digest");
    }
    eddy_buf_init(&key, 0);
    eddy_key_part(store, partition, "offset", &key);
    int r = key.failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for a digest")
                       : eddy_store_get(store, eddy_buf_span(&key), arena, &value, err);
    if (r == 0 && value.data) {
        r = eddy_position_decode(value, ret);
        if (r < 0) {
            (void)eddy_fail(err, r, "position of partition %u is damaged", partition);
        }
    }
    eddy_buf_fini(&key);
    eddy_arena_free(arena);
    return r;
}

int eddy_digest_partition(struct eddy_store *store, uint32_t partition,
                          struct eddy_digest *ret, struct eddy_err *err)
{
    struct eddy_position position = {0};
    struct sums sums = {{0}, 0, 0};
    struct eddy_sha256 sha;
    int r = read_position(store, partition, &position, err);
    if (r == 0) {
        r = eddy_store_scan_users(store, partition, add_user, &sums, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = (struct eddy_digest){
        .offset = position.offset, .users = sums.users, .lists = sums.lists};
    eddy_sha256_init(&sha);
    update_u64(&sha, position.offset);
    if (position.offset > 0) { /* before the first record its model is a setting */
        update_span(&sha, eddy_span_of(position.snapshot));
        update_u64(&sha, position.policy.list_size);
        update_u64(&sha, position.policy.exclude_recent);
        update_u64(&sha, position.policy.lateness_s);
    }
    update_u64(&sha, sums.users);
    for (int lane = 0; lane < LANES; lane++) {
        update_u64(&sha, sums.lanes[lane]);
    }
    eddy_sha256_final(&sha, ret->sha256);
    return 0;
}

void eddy_digest_all(const struct eddy_digest *partitions, uint32_t count,
                     struct eddy_digest *ret)
{
    struct eddy_sha256 sha;
    *ret = (struct eddy_digest){0};
    eddy_sha256_init(&sha);
    for (uint32_t i = 0; i < count; i++) {
        ret->offset += partitions[i].offset;
        ret->users += partitions[i].users;
        ret->lists += partitions[i].lists;
        eddy_sha256_update(&sha, partitions[i].sha256, sizeof partitions[i].sha256);
    }
    eddy_sha256_final(&sha, ret->sha256);
}
