/* What every eddy_store must do, run against each implementation: the promises S1..S4 of
 * io/store.h as far as one process can see them. A test defines store_open (a new client of
 * the same server) and store_wipe (an empty server), then runs STORE_CONTRACT. */
#ifndef EDDY_TESTS_STORE_CONTRACT_H
#define EDDY_TESTS_STORE_CONTRACT_H

#include <stdlib.h>

#include "check.h"
#include "io/store.h"
#include "spans.h"

static struct eddy_store *store_open(const char *owner);
static void store_wipe(void);

/* A span over a literal with NULs in it. */
#define BYTES(literal) ((struct eddy_span){literal, sizeof literal - 1})

static struct eddy_arena *contract_arena;

static int contract_acquire(struct eddy_store *store, uint32_t partition,
                            uint64_t *ret_offset, bool *ret_found)
{
    struct eddy_position position = {0};
    struct eddy_span outbox;
    struct eddy_err err = {0};
    int rc = eddy_store_acquire(store, partition, contract_arena, &position, ret_found,
                                &outbox, &err);
    *ret_offset = position.offset;
    return rc;
}

/* Commit one user's state and list; the partition's own code, or the call's. */
static int contract_commit(struct eddy_store *store, uint32_t partition,
                           uint64_t offset, struct eddy_span user, const char *blob,
                           const char *list)
{
    struct eddy_write write = {user, S(blob), S(list)};
    struct eddy_commit commit = {.partition = partition,
                                 .position = {.offset = offset,
                                              .snapshot = "0123456789abcdef",
                                              .policy = eddy_policy_default},
                                 .writes = &write,
                                 .write_count = 1};
    struct eddy_buf outbox;
    struct eddy_err err = {0};
    int rc = 0;

    eddy_buf_init(&outbox, 0);
    eddy_outbox_encode(&user, 1, &outbox);
    commit.outbox = eddy_buf_span(&outbox);
    rc = eddy_store_commit(store, &commit, 1, &err);
    eddy_buf_fini(&outbox);
    return rc ? rc : commit.ret_code;
}

/* Load one user; the blob as text in ret (size bytes). */
static int contract_load(struct eddy_store *store, uint32_t partition,
                         struct eddy_span user, char *ret, size_t size)
{
    struct eddy_load load = {.partition = partition, .user = user};
    uint32_t fenced = UINT32_MAX;
    struct eddy_err err = {0};
    int rc = eddy_store_load(store, &load, 1, contract_arena, &fenced, &err);

    (void)snprintf(ret, size, "%.*s", rc ? 0 : (int)load.ret_blob.size,
                   load.ret_blob.data ? load.ret_blob.data : "");
    if (rc == EDDY_EFENCED)
        CHECK_INT(fenced, partition);
    return rc;
}

static void contract_list(struct eddy_store *store, struct eddy_span user, char *ret,
                          size_t size)
{
    struct eddy_buf key;
    struct eddy_span value = {NULL, 0};
    struct eddy_err err = {0};

    eddy_buf_init(&key, 0);
    eddy_key_list(store, user, &key);
    CHECK_INT(eddy_store_get(store, eddy_buf_span(&key), contract_arena, &value, &err),
              0);
    (void)snprintf(ret, size, "%.*s", (int)value.size, value.data ? value.data : "");
    eddy_buf_fini(&key);
}

static void a_new_partition_has_no_position(void)
{
    struct eddy_store *store = store_open("a");
    uint64_t offset = 77;
    bool found = true;

    CHECK_INT(contract_acquire(store, 3, &offset, &found), 0);
    CHECK(!found);
    CHECK_INT(offset, 0);
    eddy_store_close(store);
}

static void a_commit_moves_everything_together(void)
{
    struct eddy_store *a = store_open("a"), *b = store_open("b");
    struct eddy_position position = {0};
    struct eddy_span outbox = {NULL, 0};
    const struct eddy_span *users = NULL;
    uint64_t offset = 0;
    uint32_t count = 0;
    bool found = false;
    char text[64];
    struct eddy_err err = {0};

    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_commit(a, 0, 5, S("u1"), "blob1", "list1"), 0);
    CHECK_INT(
        eddy_store_acquire(b, 0, contract_arena, &position, &found, &outbox, &err), 0);
    CHECK(found);
    CHECK_INT(position.offset, 5);
    CHECK_STR(position.snapshot, "0123456789abcdef");
    CHECK_INT(position.policy.list_size, eddy_policy_default.list_size);
    CHECK_INT(eddy_outbox_decode(outbox, contract_arena, &users, &count), 0);
    if (CHECK_INT(count, 1))
        CHECK(eddy_span_eq(users[0], S("u1")));
    CHECK_INT(contract_load(b, 0, S("u1"), text, sizeof text), 0);
    CHECK_STR(text, "blob1");
    contract_list(b, S("u1"), text, sizeof text);
    CHECK_STR(text, "list1");
    eddy_store_close(a);
    eddy_store_close(b);
}

static void commits_follow_each_other_without_acquiring_again(void)
{
    struct eddy_store *a = store_open("a");
    uint64_t offset = 0;
    bool found = false;
    char text[64];

    CHECK_INT(contract_acquire(a, 1, &offset, &found), 0);
    for (uint64_t i = 1; i <= 20; i++) {
        (void)snprintf(text, sizeof text, "blob%d", (int)i);
        CHECK_INT(contract_commit(a, 1, i, S("u1"), text, "l"), 0);
        CHECK_INT(contract_load(a, 1, S("u1"), text, sizeof text), 0);
    }
    CHECK_STR(text, "blob20");
    CHECK_INT(contract_acquire(a, 1, &offset, &found), 0);
    CHECK_INT(offset, 20);
    CHECK_INT(contract_commit(a, 1, 21, S("u1"), "blob21", ""), 0);
    eddy_store_close(a);
}

static void an_owner_that_was_replaced_can_neither_load_nor_commit(void)
{
    struct eddy_store *a = store_open("a"), *b = store_open("b");
    uint64_t offset = 0;
    bool found = false;
    char text[64];

    CHECK_INT(contract_acquire(a, 2, &offset, &found), 0);
    CHECK_INT(contract_commit(a, 2, 1, S("u"), "one", "l1"), 0);
    CHECK_INT(contract_acquire(b, 2, &offset, &found), 0);
    CHECK_INT(contract_load(a, 2, S("u"), text, sizeof text), EDDY_EFENCED);
    CHECK_INT(contract_commit(a, 2, 2, S("u"), "zombie", "lz"), EDDY_EFENCED);
    CHECK_INT(contract_commit(b, 2, 2, S("u"), "two", "l2"), 0);
    CHECK_INT(contract_commit(a, 2, 3, S("u"), "zombie", "lz"), EDDY_EFENCED);
    CHECK_INT(contract_load(b, 2, S("u"), text, sizeof text), 0);
    CHECK_STR(text, "two");
    contract_list(b, S("u"), text, sizeof text);
    CHECK_STR(text, "l2");
    eddy_store_close(a);
    eddy_store_close(b);
}

static void ownership_lost_between_load_and_commit_stops_the_commit(void)
{
    struct eddy_store *a = store_open("a"), *b = store_open("b");
    uint64_t offset = 0;
    bool found = false;
    char text[64];

    CHECK_INT(contract_acquire(a, 4, &offset, &found), 0);
    CHECK_INT(contract_load(a, 4, S("u"), text, sizeof text), 0);
    CHECK_STR(text, "");
    CHECK_INT(contract_acquire(b, 4, &offset, &found), 0);
    CHECK_INT(contract_commit(a, 4, 1, S("u"), "zombie", "l"), EDDY_EFENCED);
    CHECK_INT(contract_acquire(a, 4, &offset, &found), 0);
    CHECK_INT(offset, 0);
    CHECK(!found);
    eddy_store_close(a);
    eddy_store_close(b);
}

static void one_fenced_partition_leaves_the_others_their_commit(void)
{
    struct eddy_store *a = store_open("a"), *b = store_open("b");
    struct eddy_write writes[2] = {{S("u0"), S("b0"), S("l0")},
                                   {S("u1"), S("b1"), S("l1")}};
    struct eddy_commit commits[2] = {
        {.partition = 0, .position = {.offset = 9}, .writes = writes, .write_count = 1},
        {.partition = 1,
         .position = {.offset = 8},
         .writes = writes + 1,
         .write_count = 1}};
    struct eddy_load loads[3] = {{.partition = 0, .user = S("u0")},
                                 {.partition = 1, .user = S("u1")},
                                 {.partition = 0, .user = S("none")}};
    uint64_t offset = 0;
    uint32_t fenced = 0;
    bool found = false;
    struct eddy_err err = {0};

    commits[0].outbox = commits[1].outbox = BYTES("\x90"); /* empty array */
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_acquire(a, 1, &offset, &found), 0);
    CHECK_INT(contract_acquire(b, 0, &offset, &found), 0);
    CHECK_INT(eddy_store_commit(a, commits, 2, &err), 0);
    CHECK_INT(commits[0].ret_code, EDDY_EFENCED);
    CHECK_INT(commits[1].ret_code, 0);
    CHECK_INT(eddy_store_load(a, loads, 3, contract_arena, &fenced, &err),
              EDDY_EFENCED);
    CHECK_INT(fenced, 0);
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK(!found);
    CHECK_INT(eddy_store_load(a, loads, 3, contract_arena, &fenced, &err), 0);
    CHECK_INT((int)loads[0].ret_blob.size, 0);
    CHECK(eddy_span_eq(loads[1].ret_blob, S("b1")));
    CHECK_INT((int)loads[2].ret_blob.size, 0);
    eddy_store_close(a);
    eddy_store_close(b);
}

static void a_forgotten_partition_is_not_ours(void)
{
    struct eddy_store *a = store_open("a");
    uint64_t offset = 0;
    bool found = false;
    char text[64];

    CHECK_INT(contract_acquire(a, 5, &offset, &found), 0);
    eddy_store_forget(a, 5);
    eddy_store_forget(a, 6);
    CHECK_INT(contract_load(a, 5, S("u"), text, sizeof text), EDDY_EFENCED);
    CHECK_INT(contract_commit(a, 5, 1, S("u"), "b", "l"), EDDY_EFENCED);
    CHECK_INT(contract_load(a, 6, S("u"), text, sizeof text), EDDY_EFENCED);
    eddy_store_close(a);
}

static void an_unchanged_list_stays(void)
{
    struct eddy_store *a = store_open("a");
    uint64_t offset = 0;
    bool found = false;
    char text[64];

    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_commit(a, 0, 1, S("u"), "b1", "l1"), 0);
    CHECK_INT(contract_commit(a, 0, 2, S("u"), "b2", ""), 0);
    contract_list(a, S("u"), text, sizeof text);
    CHECK_STR(text, "l1");
    eddy_store_close(a);
}

static int contract_count(void *context, struct eddy_span user, struct eddy_span blob,
                          struct eddy_span list)
{
    (void)list;
    CHECK(user.size > 0 && blob.size > 0);
    *(int *)context += eddy_span_eq(blob, S("mine")) ? 1 : 1000;
    return 0;
}

static int contract_refuse(void *context, struct eddy_span user, struct eddy_span blob,
                           struct eddy_span list)
{
    (void)context;
    (void)user;
    (void)blob;
    (void)list;
    return EDDY_EFORMAT;
}

static void any_bytes_make_a_user(void)
{
    static const struct eddy_span users[] = {
        BYTES("plain"), BYTES("a b"),      BYTES("{eddy:1}:s:x"), BYTES("nul\0inside"),
        BYTES("*?[]"),  BYTES("\xc3\xa4"), BYTES("a:b"),          BYTES("line\nfeed")};
    enum { COUNT = sizeof users / sizeof *users };
    struct eddy_store *a = store_open("a");
    uint64_t offset = 0;
    bool found = false;
    char text[64];
    int count = 0;
    struct eddy_err err = {0};

    CHECK_INT(contract_acquire(a, 7, &offset, &found), 0);
    CHECK_INT(contract_acquire(a, 70, &offset, &found), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(contract_commit(a, 7, (uint64_t)i + 1, users[i], "mine", "l"), 0);
    CHECK_INT(contract_commit(a, 70, 1, S("plain"), "other", "l"), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(contract_load(a, 7, users[i], text, sizeof text), 0);
        CHECK_STR(text, "mine");
    }
    CHECK_INT(eddy_store_scan_users(a, 7, contract_count, &count, &err), 0);
    CHECK_INT(count, COUNT);
    CHECK_INT(eddy_store_scan_users(a, 7, contract_refuse, NULL, &err), EDDY_EFORMAT);
    count = 0;
    CHECK_INT(eddy_store_scan_users(a, 8, contract_count, &count, &err), 0);
    CHECK_INT(count, 0);
    eddy_store_close(a);
}

static void many_users_fit_one_exchange(void)
{
    enum { USERS = 2000 };
    struct eddy_store *a = store_open("a");
    struct eddy_load *loads = calloc(USERS, sizeof *loads);
    char(*names)[16] = calloc(USERS, sizeof *names);
    char *blob = calloc(1, 5000);
    uint64_t offset = 0;
    uint32_t fenced = 0;
    bool found = false;
    struct eddy_err err = {0};

    memset(blob, 'x', 4999);
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_acquire(a, 1, &offset, &found), 0);
    for (uint32_t i = 0; i < USERS; i++) {
        (void)snprintf(names[i], sizeof names[i], "user%d", (int)i);
        loads[i] = (struct eddy_load){.partition = i % 2, .user = S(names[i])};
        if (i < 1000)
            CHECK_INT(contract_commit(a, i % 2, i + 1, S(names[i]), blob, "l"), 0);
    }
    CHECK_INT(eddy_store_load(a, loads, USERS, contract_arena, &fenced, &err), 0);
    for (uint32_t i = 0; i < USERS; i++)
        CHECK_INT((int)loads[i].ret_blob.size, i < 1000 ? 4999 : 0);
    eddy_store_close(a);
    free(loads);
    free(names);
    free(blob);
}

static void the_first_writer_of_a_setting_wins(void)
{
    struct eddy_store *a = store_open("a"), *b = store_open("b");
    struct eddy_span value = {NULL, 0};
    struct eddy_buf key;
    struct eddy_err err = {0};

    eddy_buf_init(&key, 0);
    eddy_key_meta(a, &key);
    CHECK_INT(eddy_store_get(a, eddy_buf_span(&key), contract_arena, &value, &err), 0);
    CHECK(value.data == NULL);
    CHECK_INT(eddy_store_set_if_absent(a, eddy_buf_span(&key), S("one"), &err), 1);
    CHECK_INT(eddy_store_set_if_absent(b, eddy_buf_span(&key), S("two"), &err), 0);
    CHECK_INT(eddy_store_get(b, eddy_buf_span(&key), contract_arena, &value, &err), 0);
    CHECK(eddy_span_eq(value, S("one")));
    eddy_buf_fini(&key);
    eddy_store_close(a);
    eddy_store_close(b);
}

static void the_default_list_rides_in_a_commit(void)
{
    struct eddy_store *a = store_open("a");
    struct eddy_commit commit = {.partition = 0,
                                 .position = {.offset = 1},
                                 .outbox = BYTES("\x90"),
                                 .default_list = S("popular")};
    struct eddy_span value = {NULL, 0};
    struct eddy_buf key;
    uint64_t offset = 0;
    bool found = false;
    struct eddy_err err = {0};

    eddy_buf_init(&key, 0);
    eddy_key_list_default(a, &key);
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(eddy_store_commit(a, &commit, 1, &err), 0);
    CHECK_INT(commit.ret_code, 0);
    CHECK_INT(eddy_store_get(a, eddy_buf_span(&key), contract_arena, &value, &err), 0);
    CHECK(eddy_span_eq(value, S("popular")));
    eddy_buf_fini(&key);
    eddy_store_close(a);
}

#define STORE_CASE(case_)                                                              \
    do {                                                                               \
        store_wipe();                                                                  \
        contract_arena = eddy_arena_new(1 << 20, 64 << 20);                            \
        RUN(case_);                                                                    \
        eddy_arena_free(contract_arena);                                               \
    } while (0)

#define STORE_CONTRACT()                                                               \
    do {                                                                               \
        STORE_CASE(a_new_partition_has_no_position);                                   \
        STORE_CASE(a_commit_moves_everything_together);                                \
        STORE_CASE(commits_follow_each_other_without_acquiring_again);                 \
        STORE_CASE(an_owner_that_was_replaced_can_neither_load_nor_commit);            \
        STORE_CASE(ownership_lost_between_load_and_commit_stops_the_commit);           \
        STORE_CASE(one_fenced_partition_leaves_the_others_their_commit);               \
        STORE_CASE(a_forgotten_partition_is_not_ours);                                 \
        STORE_CASE(an_unchanged_list_stays);                                           \
        STORE_CASE(any_bytes_make_a_user);                                             \
        STORE_CASE(many_users_fit_one_exchange);                                       \
        STORE_CASE(the_first_writer_of_a_setting_wins);                                \
        STORE_CASE(the_default_list_rides_in_a_commit);                                \
    } while (0)

#endif
