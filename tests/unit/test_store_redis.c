/* The store on a real redis-server: the common contract, and the bad days of a server. */
#include <unistd.h>

#include "io/store_redis.h"
#include "redis_child.h"
#include "store_contract.h"

static struct redis_child redis;
static struct eddy_redis_options options;

/* Fills options (and texts that live as long). */
static struct eddy_redis_options *with(struct eddy_redis_options *ret,
                                       const char *address, const char *user,
                                       const char *password)
{
    static char texts[16][128];
    static unsigned next;
    char *at[3];
    const char *from[] = {address, user, password};

    for (int i = 0; i < 3; i++) {
        at[i] = texts[next++ % 16];
        (void)snprintf(at[i], sizeof texts[0], "%s", from[i]);
    }
    *ret = (struct eddy_redis_options){
        .address = at[0], .user = at[1], .password = at[2], .timeout_ms = 2000};
    return ret;
}

static struct eddy_store *store_open(const char *owner)
{
    return eddy_store_redis_open(with(&options, redis.address, "", ""), "eddy", owner,
                                 NULL);
}

static void store_wipe(void)
{
    redisContext *context = redisConnectUnix(redis.socket);
    redisReply *reply = redisCommand(context, "FLUSHALL");

    CHECK(reply && reply->type == REDIS_REPLY_STATUS);
    freeReplyObject(reply);
    redisFree(context);
}

static void a_killed_server_fails_the_commit_and_recovers_from_its_file(void)
{
    struct eddy_store *a = store_open("a");
    uint64_t offset = 0;
    bool found = false;
    char text[64];

    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_commit(a, 0, 4, S("u"), "before", "l"), 0);
    redis_child_kill(&redis);
    CHECK_INT(contract_commit(a, 0, 5, S("u"), "lost", "l"), EDDY_ESTORE);
    CHECK_INT(contract_commit(a, 0, 5, S("u"), "lost", "l"), EDDY_EFENCED);
    CHECK_INT(contract_acquire(a, 0, &offset, &found), EDDY_ESTORE);
    redis_child_restart(&redis);
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK(found);
    CHECK_INT(offset, 4);
    CHECK_INT(contract_load(a, 0, S("u"), text, sizeof text), 0);
    CHECK_STR(text, "before");
    CHECK_INT(contract_commit(a, 0, 5, S("u"), "after", "l"), 0);
    eddy_store_close(a);
}

/* A server that stops in the middle: the commit is in its socket, the reply never comes.
 * Whatever it does when it wakes up, offset and state agree. */
static void an_unknown_outcome_is_learnt_by_acquiring(void)
{
    struct eddy_store *a = store_open("a");
    uint64_t offset = 0;
    bool found = false;
    char text[64];

    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_commit(a, 0, 1, S("u"), "one", "l"), 0);
    options.timeout_ms = 200;
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    eddy_store_forget(a, 0); /* the next connection has the short time-out */
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(kill(redis.pid, SIGSTOP), 0);
    CHECK_INT(contract_commit(a, 0, 2, S("u"), "two", "l"), EDDY_ESTORE);
    CHECK_INT(kill(redis.pid, SIGCONT), 0);
    options.timeout_ms = 2000;
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_load(a, 0, S("u"), text, sizeof text), 0);
    CHECK(offset == 1 || offset == 2);
    CHECK_STR(text, offset == 1 ? "one" : "two");
    CHECK_INT(contract_commit(a, 0, 3, S("u"), "three", "l"), 0);
    eddy_store_close(a);
}

static void a_server_that_cannot_be_reached_is_named(void)
{
    struct eddy_redis_options away;
    struct eddy_store *store =
        eddy_store_redis_open(with(&away, "unix:/nonexistent/redis.sock", "", ""),
                              "eddy", "a", NULL);
    struct eddy_err err = {0};

    CHECK_INT(eddy_store_redis_check(store, NULL, &err), EDDY_ESTORE);
    CHECK(strstr(err.text, "/nonexistent/redis.sock") != NULL);
    CHECK(strstr(err.text, "redis.address") != NULL);
    eddy_store_close(store);

    store =
        eddy_store_redis_open(with(&away, "127.0.0.1:1", "", ""), "eddy", "a", NULL);
    CHECK_INT(eddy_store_redis_check(store, NULL, &err), EDDY_ESTORE);
    CHECK(strstr(err.text, "127.0.0.1:1") != NULL);
    eddy_store_close(store);

    store = eddy_store_redis_open(with(&away, "no-port", "", ""), "eddy", "a", NULL);
    CHECK_INT(eddy_store_redis_check(store, NULL, &err), EDDY_ECONFIG);
    eddy_store_close(store);
}

static void the_check_reports_settings_that_lose_states(void)
{
    struct eddy_store *store = store_open("a");
    struct eddy_buf report;
    struct eddy_err err = {0};

    eddy_buf_init(&report, 0);
    CHECK_INT(eddy_store_redis_check(store, &report, &err), 0);
    CHECK(strstr(report.data, "role master") != NULL);
    CHECK(strstr(report.data, "warning") == NULL);
    eddy_buf_fini(&report);
    eddy_store_close(store);
}

static const char acl_settings[] =
    "appendonly no\nmaxmemory 100mb\nmaxmemory-policy allkeys-lru\n"
    "user default off\n"
    "user worker on >secret ~{eddy:* ~eddy:* +auth +mget +get +mset +set +watch +unwatch "
    "+multi +exec +scan\n"
    "user stranger on >secret ~other:* +@all\n"
    "user admin on >admin ~* +@all\n";

static void an_acl_user_with_minimal_rights_is_enough(void)
{
    struct eddy_redis_options acl;
    struct eddy_store *a = NULL;
    uint64_t offset = 0;
    bool found = false;
    int count = 0;
    struct eddy_err err = {0};

    a = eddy_store_redis_open(with(&acl, redis.address, "worker", "secret"), "eddy",
                              "a", NULL);
    CHECK_INT(eddy_store_redis_check(a, NULL, &err), 0);
    CHECK_INT(contract_acquire(a, 0, &offset, &found), 0);
    CHECK_INT(contract_commit(a, 0, 1, S("u"), "mine", "l"), 0);
    CHECK_INT(eddy_store_scan_users(a, 0, contract_count, &count, &err), 0);
    CHECK_INT(count, 1);
    eddy_store_close(a);
}

static void refusals_say_what_to_do(void)
{
    static const struct {
        const char *user, *password;
        const char *words;
    } cases[] = {{"worker", "wrong", "redis.password"},
                 {"", "", "redis.password"},
                 {"nobody", "x", "redis.user"},
                 {"stranger", "secret", "NOPERM"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_redis_options acl;
        struct eddy_store *a = eddy_store_redis_open(
            with(&acl, redis.address, cases[i].user, cases[i].password), "eddy", "a",
            NULL);
        struct eddy_position position;
        struct eddy_span outbox;
        bool found = false;
        struct eddy_err err = {0};
        CHECK_INT(eddy_store_acquire(a, 0, contract_arena, &position, &found, &outbox,
                                     &err),
                  EDDY_ESTORE);
        if (!CHECK(strstr(err.text, cases[i].words) != NULL))
            fprintf(stderr, "    message: %s\n", err.text);
        eddy_store_close(a);
    }
}

static void warnings_name_eviction_and_missing_persistence(void)
{
    struct eddy_redis_options acl;
    struct eddy_store *a = NULL;
    struct eddy_buf report;
    struct eddy_err err = {0};

    a = eddy_store_redis_open(with(&acl, redis.address, "admin", "admin"), "eddy", "a",
                              NULL);
    eddy_buf_init(&report, 0);
    CHECK_INT(eddy_store_redis_check(a, &report, &err), 0);
    CHECK(strstr(report.data, "allkeys-lru") != NULL);
    CHECK(strstr(report.data, "appendonly is off") != NULL);
    eddy_buf_fini(&report);
    eddy_store_close(a);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    redis_child_start(&redis, "appendonly yes\nappendfsync always\n");
    STORE_CONTRACT();
    STORE_CASE(a_killed_server_fails_the_commit_and_recovers_from_its_file);
    STORE_CASE(an_unknown_outcome_is_learnt_by_acquiring);
    STORE_CASE(a_server_that_cannot_be_reached_is_named);
    STORE_CASE(the_check_reports_settings_that_lose_states);
    redis_child_stop(&redis);

    redis_child_start(&redis, acl_settings);
    contract_arena = eddy_arena_new(1 << 16, 1 << 20);
    RUN(an_acl_user_with_minimal_rights_is_enough);
    RUN(refusals_say_what_to_do);
    RUN(warnings_name_eviction_and_missing_persistence);
    eddy_arena_free(contract_arena);
    redis_child_stop(&redis);
    return check_done();
}
