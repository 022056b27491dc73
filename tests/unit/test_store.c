/* Values and keys of the store, and the faults of the store in memory. What every store
 * must do is in store_contract.h. */
#include "base/msgpack.h"
#include "check.h"
#include "io/store_mem.h"
#include "spans.h"

static struct eddy_arena *arena;

static struct eddy_position some_position(uint64_t offset)
{
    return (struct eddy_position){
        .offset = offset, .snapshot = "0123456789abcdef", .policy = {7, true, 1234}};
}

static void check_position(const struct eddy_position *got,
                           const struct eddy_position *want)
{
    CHECK_INT(got->offset, want->offset);
    CHECK_STR(got->snapshot, want->snapshot);
    CHECK_INT(got->policy.list_size, want->policy.list_size);
    CHECK_INT(got->policy.exclude_recent, want->policy.exclude_recent);
    CHECK_INT(got->policy.lateness_s, want->policy.lateness_s);
}

static void position_comes_back_as_it_was(void)
{
    static const uint64_t offsets[] = {0, 1, 127, 128, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        struct eddy_position want = some_position(offsets[i]);
        struct eddy_position got = {0};
        struct eddy_buf bytes;
        eddy_buf_init(&bytes, 0);
        eddy_position_encode(&want, &bytes);
        CHECK_INT(eddy_position_decode(eddy_buf_span(&bytes), &got), 0);
        check_position(&got, &want);
        eddy_buf_fini(&bytes);
    }
}

static void position_without_model_comes_back(void)
{
    struct eddy_position want = {.policy = eddy_policy_default}, got = some_position(9);
    struct eddy_buf bytes;
    eddy_buf_init(&bytes, 0);
    eddy_position_encode(&want, &bytes);
    CHECK_INT(eddy_position_decode(eddy_buf_span(&bytes), &got), 0);
    check_position(&got, &want);
    eddy_buf_fini(&bytes);
}

static void damaged_position_is_refused_and_changes_nothing(void)
{
    struct eddy_position want = some_position(300);
    struct eddy_buf bytes;
    eddy_buf_init(&bytes, 0);
    eddy_position_encode(&want, &bytes);
    for (size_t size = 0; size < bytes.size; size++) { /* cut at every byte */
        struct eddy_position got = some_position(5), before = some_position(5);
        CHECK_INT(eddy_position_decode((struct eddy_span){bytes.data, size}, &got),
                  EDDY_EFORMAT);
        check_position(&got, &before);
    }
    eddy_buf_putc(&bytes, 'x');
    struct eddy_position got = some_position(5);
    CHECK_INT(eddy_position_decode(eddy_buf_span(&bytes), &got), EDDY_EFORMAT);
    eddy_buf_fini(&bytes);
}

static void position_of_a_newer_eddy_is_told_from_a_damaged_one(void)
{
    struct eddy_position got;
    struct eddy_buf bytes;
    eddy_buf_init(&bytes, 0);
    eddy_mp_put_map(&bytes, 1);
    eddy_mp_put_str(&bytes, S("v"));
    eddy_mp_put_u64(&bytes, 2);
    CHECK_INT(eddy_position_decode(eddy_buf_span(&bytes), &got), EDDY_EVERSION);
    eddy_buf_fini(&bytes);
}

static void unknown_field_of_a_position_is_skipped(void)
{
    struct eddy_position got;
    struct eddy_buf bytes;
    eddy_buf_init(&bytes, 0);
    eddy_mp_put_map(&bytes, 5);
    eddy_mp_put_str(&bytes, S("later"));
    eddy_mp_put_array(&bytes, 1);
    eddy_mp_put_nil(&bytes);
    eddy_mp_put_str(&bytes, S("v"));
    eddy_mp_put_u64(&bytes, 1);
    eddy_mp_put_str(&bytes, S("offset"));
    eddy_mp_put_u64(&bytes, 77);
    eddy_mp_put_str(&bytes, S("snapshot"));
    eddy_mp_put_str(&bytes, S(""));
    eddy_mp_put_str(&bytes, S("policy"));
    eddy_policy_encode(&eddy_policy_default, &bytes);
    CHECK_INT(eddy_position_decode(eddy_buf_span(&bytes), &got), 0);
    CHECK_INT(got.offset, 77);
    eddy_buf_fini(&bytes);
}

static void outbox_comes_back_in_order(void)
{
    struct eddy_span users[40];
    char names[40][24];
    const struct eddy_span *got = NULL;
    uint32_t count = 0;
    struct eddy_buf bytes;
    for (int i = 0; i < 40; i++) {
        (void)snprintf(names[i], sizeof names[i], "user %d", i);
        users[i] = S(names[i]);
    }
    eddy_buf_init(&bytes, 0);
    eddy_outbox_encode(users, 40, &bytes);
    CHECK_INT(eddy_outbox_decode(eddy_buf_span(&bytes), arena, &got, &count), 0);
    CHECK_INT(count, 40);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(eddy_span_eq(got[i], users[i]));
    }
    for (size_t size = 1; size < bytes.size; size++) {
        CHECK_INT(eddy_outbox_decode((struct eddy_span){bytes.data, size}, arena, &got,
                                     &count),
                  EDDY_EFORMAT);
    }
    eddy_buf_fini(&bytes);
}

static void missing_outbox_is_an_empty_one(void)
{
    const struct eddy_span *got = NULL;
    uint32_t count = 9;
    CHECK_INT(eddy_outbox_decode((struct eddy_span){NULL, 0}, arena, &got, &count), 0);
    CHECK_INT(count, 0);
    CHECK_INT(eddy_outbox_decode((struct eddy_span){"\x90", 1}, arena, &got, &count),
              0);
    CHECK_INT(count, 0);
}

static void outbox_that_lies_about_its_size_takes_no_memory(void)
{
    static const struct eddy_span lies[] = {
        {"\xdd\xff\xff\xff\xff", 5},      /* four billion strings */
        {"\xdd\xff\xff\xff\xff\xa1x", 7}, /* and one of them */
        {"\x91\xa0", 2},                  /* a user without a name */
        {"\x91\x07", 2},                  /* a number */
        {"\x81\xa1x\xa1y", 5},            /* a map */
        {"\x91\xa1x\xa1y", 5},            /* something behind */
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        const struct eddy_span *got = NULL;
        uint32_t count = 0;
        CHECK_INT(eddy_outbox_decode(lies[i], arena, &got, &count), EDDY_EFORMAT);
    }
}

static void keys_carry_the_partition_as_hash_tag(void)
{
    struct eddy_memory *memory = eddy_memory_new(0);
    struct eddy_store *store = eddy_store_mem_open(memory, "shop", "test");
    struct eddy_buf key;
    eddy_buf_init(&key, 0);
    eddy_key_state(store, 17, S("ann"), &key);
    CHECK_STR(key.data, "{shop:17}:s:ann");
    eddy_buf_clear(&key);
    eddy_key_part(store, 3, "offset", &key);
    CHECK_STR(key.data, "{shop:3}:offset");
    eddy_buf_clear(&key);
    eddy_key_list(store, S("ann"), &key);
    CHECK_STR(key.data, "shop:list:ann");
    eddy_buf_clear(&key);
    eddy_key_list_default(store, &key);
    CHECK_STR(key.data, "shop:list-default");
    eddy_buf_clear(&key);
    eddy_key_meta(store, &key);
    CHECK_STR(key.data, "shop:meta");
    eddy_buf_fini(&key);
    eddy_store_close(store);
    eddy_memory_free(memory);
}

/* ---------------------------------------------------------------- faults in memory */

struct client {
    struct eddy_memory *memory;
    struct eddy_store *store;
};

static struct client open_client(void)
{
    struct client client = {.memory = eddy_memory_new(8)};
    client.store = eddy_store_mem_open(client.memory, "eddy", "a");
    return client;
}

static void close_client(struct client *client)
{
    eddy_store_close(client->store);
    eddy_memory_free(client->memory);
}

static int acquire(struct eddy_store *store, uint32_t partition, uint64_t *ret_offset)
{
    struct eddy_position position = {0};
    struct eddy_span outbox;
    struct eddy_err err = {0};
    bool found = false;
    int r =
        eddy_store_acquire(store, partition, arena, &position, &found, &outbox, &err);
    *ret_offset = r == 0 && found ? position.offset : 0;
    return r;
}

/* Commit partitions 0..count-1 to one offset. */
static int commit(struct eddy_store *store, uint32_t count, uint64_t offset)
{
    struct eddy_write write = {S("u"), S("blob"), S("list")};
    struct eddy_commit commits[4];
    struct eddy_err err = {0};
    for (uint32_t p = 0; p < count; p++) {
        commits[p] = (struct eddy_commit){.partition = p,
                                          .position = some_position(offset),
                                          .writes = &write,
                                          .write_count = 1,
                                          .outbox = {"\x90", 1}};
    }
    int r = eddy_store_commit(store, commits, count, &err);
    for (uint32_t p = 0; r == 0 && p < count; p++) {
        r = commits[p].ret_code;
    }
    return r;
}

static void failed_exchange_takes_effect_or_not_as_told(void)
{
    static const struct {
        enum eddy_mem_fault fault;
        uint64_t want[2]; /* offsets of partitions 0 and 1 afterwards */
    } cases[] = {
        {EDDY_MEM_FAIL_BEFORE, {1, 1}},
        {EDDY_MEM_FAIL_AFTER, {2, 2}},
        {EDDY_MEM_FAIL_HALF, {2, 1}},
        {EDDY_MEM_FAIL_LATE, {1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client client = open_client();
        uint64_t offset = 0;
        CHECK_INT(acquire(client.store, 0, &offset), 0);
        CHECK_INT(acquire(client.store, 1, &offset), 0);
        CHECK_INT(commit(client.store, 2, 1), 0);
        eddy_store_mem_fail_next(client.store, cases[i].fault);
        CHECK_INT(commit(client.store, 2, 2), EDDY_ESTORE);
        CHECK_INT(commit(client.store, 1, 3),
                  EDDY_EFENCED); /* nothing is watched now */
        for (uint32_t p = 0; p < 2; p++) {
            CHECK_INT(acquire(client.store, p, &offset), 0);
            CHECK_INT(offset, cases[i].want[p]);
        }
        close_client(&client);
    }
}

static void commit_that_arrives_late_is_stopped_by_a_new_fence(void)
{
    struct client client = open_client();
    uint64_t offset = 0;
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    eddy_store_mem_fail_next(client.store, EDDY_MEM_FAIL_LATE);
    CHECK_INT(commit(client.store, 1, 5), EDDY_ESTORE);
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    CHECK_INT(eddy_memory_deliver_late(client.memory), 0);
    CHECK_INT(commit(client.store, 1, 6), 0);
    close_client(&client);
}

static void commit_that_arrives_before_the_new_fence_counts(void)
{
    struct client client = open_client();
    uint64_t offset = 0;
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    eddy_store_mem_fail_next(client.store, EDDY_MEM_FAIL_LATE);
    CHECK_INT(commit(client.store, 1, 5), EDDY_ESTORE);
    CHECK_INT(eddy_memory_deliver_late(client.memory), 1);
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    CHECK_INT(offset, 5);
    close_client(&client);
}

static void lost_tail_takes_back_whole_commits(void)
{
    struct client client = open_client();
    uint64_t offset = 0;
    struct eddy_span value = {NULL, 0};
    struct eddy_err err = {0};
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    for (uint64_t i = 1; i <= 5; i++) {
        CHECK_INT(commit(client.store, 1, i), 0);
    }
    CHECK_INT(eddy_memory_lose_tail(client.memory, 2), 2);
    CHECK_INT(acquire(client.store, 0, &offset), EDDY_ESTORE); /* the connection died */
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    CHECK_INT(offset, 3);
    CHECK_INT(eddy_memory_lose_tail(client.memory, 100), 5); /* 3 commits, 2 fences */
    CHECK_INT(acquire(client.store, 0, &offset), EDDY_ESTORE);
    CHECK_INT(eddy_store_get(client.store, S("eddy:list:u"), arena, &value, &err), 0);
    CHECK(value.data == NULL);
    close_client(&client);
}

static void only_as_many_commits_are_lost_as_are_kept(void)
{
    struct client client = open_client();
    uint64_t offset = 0;
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    for (uint64_t i = 1; i <= 20; i++) {
        CHECK_INT(commit(client.store, 1, i), 0);
    }
    CHECK_INT(eddy_memory_lose_tail(client.memory, 100), 8);
    CHECK_INT(acquire(client.store, 0, &offset), EDDY_ESTORE);
    CHECK_INT(acquire(client.store, 0, &offset), 0);
    CHECK_INT(offset, 12);
    close_client(&client);
}

static void many_keys_are_read_at_once(void)
{
    struct client client = open_client();
    struct eddy_span keys[3] = {S("a"), S("b"), S("c")}, values[3];
    struct eddy_err err = {0};
    CHECK_INT(eddy_store_set_if_absent(client.store, S("a"), S("1"), &err), 1);
    CHECK_INT(eddy_store_set_if_absent(client.store, S("c"), S("3"), &err), 1);
    CHECK_INT(eddy_store_set_if_absent(client.store, S("c"), S("4"), &err), 0);
    CHECK_INT(eddy_store_get_many(client.store, keys, 3, arena, values, &err), 0);
    CHECK(eddy_span_eq(values[0], S("1")));
    CHECK(values[1].data == NULL);
    CHECK(eddy_span_eq(values[2], S("3")));
    close_client(&client);
}

int main(void)
{
    arena = eddy_arena_new(1 << 16, 1 << 24);
    RUN(position_comes_back_as_it_was);
    RUN(position_without_model_comes_back);
    RUN(damaged_position_is_refused_and_changes_nothing);
    RUN(position_of_a_newer_eddy_is_told_from_a_damaged_one);
    RUN(unknown_field_of_a_position_is_skipped);
    RUN(outbox_comes_back_in_order);
    RUN(missing_outbox_is_an_empty_one);
    RUN(outbox_that_lies_about_its_size_takes_no_memory);
    RUN(keys_carry_the_partition_as_hash_tag);
    RUN(failed_exchange_takes_effect_or_not_as_told);
    RUN(commit_that_arrives_late_is_stopped_by_a_new_fence);
    RUN(commit_that_arrives_before_the_new_fence_counts);
    RUN(lost_tail_takes_back_whole_commits);
    RUN(only_as_many_commits_are_lost_as_are_kept);
    RUN(many_keys_are_read_at_once);
    eddy_arena_free(arena);
    return check_done();
}
