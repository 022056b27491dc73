/* A connection to Redis: hiredis' blocking interface, used as a pipeline.
 *
 * Blocking is what the worker wants: a turn cannot go on without its replies, several
 * connections are kept in flight by writing to all of them before reading from any, and a
 * blocking call with a time-out has no states to get wrong. Every exchange is bounded by
 * redis.timeout; after any error the connection is thrown away, because nobody can say
 * which reply would come next. */
#include "io/redis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct eddy_redis {
    redisContext *context;
    const struct eddy_redis_options *options;
    const char **words; /* scratch for argv */
    size_t *sizes;
    size_t room;
};

const struct eddy_option eddy_redis_option_table[] = {
    {"redis.address", EDDY_OPTION_TEXT, offsetof(struct eddy_redis_options, address),
     "127.0.0.1:6379", 0, 0, NULL, 0,
     "Where Redis listens: host:port, [v6]:port, or unix:/path/to/socket."},
    {"redis.user", EDDY_OPTION_TEXT, offsetof(struct eddy_redis_options, user), "", 0,
     0, NULL, 0, "ACL user; empty for the default user."},
    {"redis.password", EDDY_OPTION_TEXT, offsetof(struct eddy_redis_options, password),
     "", 0, 0, NULL, EDDY_OPTION_SECRET, "Password of that user; empty for none."},
    {"redis.database", EDDY_OPTION_INT, offsetof(struct eddy_redis_options, database),
     "0", 0, 1023, NULL, 0, "Number of the logical database."},
    {"redis.timeout", EDDY_OPTION_DURATION,
     offsetof(struct eddy_redis_options, timeout_ms), "2s", 10, 60000, NULL, 0,
     "Longest wait for a connection and for each exchange; then Redis counts as away."},
};
const size_t eddy_redis_option_count =
    sizeof eddy_redis_option_table / sizeof *eddy_redis_option_table;

static int fail_context(const struct eddy_redis *redis, struct eddy_err *err)
{
    const redisContext *context = redis->context;
    const char *reason = context->errstr;

    if (context->err == REDIS_ERR_IO &&
        (errno == EAGAIN || strstr(reason, "temporarily unavailable")))
        return eddy_fail(err, EDDY_ESTORE,
                         "Redis at %s gave no answer within %lld ms (redis.timeout)",
                         redis->options->address,
                         (long long)redis->options->timeout_ms);
    return eddy_fail(err, EDDY_ESTORE, "connection to Redis at %s is lost: %s",
                     redis->options->address, reason);
}

static int fail_connect(const struct eddy_redis_options *options, const char *reason,
                        struct eddy_err *err)
{
    return eddy_fail(
        err, EDDY_ESTORE,
        "Redis at %s cannot be reached (%s): start it or set redis.address",
        options->address, reason);
}

static int split_address(const char *address, char *host, size_t host_size,
                         int *ret_port, struct eddy_err *err)
{
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    size_t size = colon ? (size_t)(colon - address) : 0;

    if (!colon || *end || end == colon + 1 || port < 1 || port > 65535 || size == 0 ||
        size >= host_size)
        return eddy_fail(err, EDDY_ECONFIG,
                         "redis.address \"%s\" is not understood: write host:port, "
                         "[v6]:port or unix:/path",
                         address);
    if (address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    memcpy(host, address, size);
    host[size] = '\0';
    *ret_port = (int)port;
    return 0;
}

static int connect_to(struct eddy_redis *redis, struct eddy_err *err)
{
    const struct eddy_redis_options *options = redis->options;
    struct timeval timeout = {.tv_sec = options->timeout_ms / 1000,
                              .tv_usec = options->timeout_ms % 1000 * 1000};
    const char *path = options->address;
    char host[256];
    int port = 0;

    if (strncmp(path, "unix:", 5) == 0) {
        redis->context = redisConnectUnixWithTimeout(path + 5, timeout);
    } else {
        int rc = split_address(path, host, sizeof host, &port, err);
        if (rc)
            return rc;
        redis->context = redisConnectWithTimeout(host, port, timeout);
    }
    if (!redis->context)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a connection to Redis");
    if (redis->context->err)
        return fail_connect(options, redis->context->errstr, err);
    if (redisSetTimeout(redis->context, timeout) != REDIS_OK)
        return fail_connect(options, "the time-out could not be set", err);
    (void)redisEnableKeepAlive(
        redis->context); /* refused on unix sockets, needless there */
    /* With the unix socket the keep-alive call leaves an error behind: it is none. */
    redis->context->err = 0;
    redis->context->errstr[0] = '\0';
    return 0;
}

/* One command and its reply. An error reply that begins with tolerated is fine. */
static int command(struct eddy_redis *redis, const char *const *words, size_t count,
                   const char *tolerated, struct eddy_err *err)
{
    redisReply *reply = NULL;
    int rc = eddy_redis_append_text(redis, words, count, err);

    if (rc == 0)
        rc = eddy_redis_write(redis, err);
    if (rc == 0)
        rc = eddy_redis_read(redis, &reply, err);
    if (rc == 0 && !(tolerated && reply->type == REDIS_REPLY_ERROR &&
                     strncmp(reply->str, tolerated, strlen(tolerated)) == 0))
        rc = eddy_redis_refused(redis, reply, err);
    if (reply)
        freeReplyObject(reply);
    return rc;
}

static int introduce(struct eddy_redis *redis, const char *name, struct eddy_err *err)
{
    const struct eddy_redis_options *options = redis->options;
    const char *password = options->password ? options->password : "";
    char database[24];
    int rc = 0;

    if (options->user && options->user[0])
        rc = command(redis, (const char *[]){"AUTH", options->user, password}, 3, NULL,
                     err);
    else if (password[0])
        rc = command(redis, (const char *[]){"AUTH", password}, 2, NULL, err);
    if (rc == 0 && options->database) {
        (void)snprintf(database, sizeof database, "%lld", (long long)options->database);
        rc = command(redis, (const char *[]){"SELECT", database}, 2, NULL, err);
    }
    /* The name is a convenience for CLIENT LIST; a user without that right does without. */
    if (rc == 0 && name && *name)
        rc = command(redis, (const char *[]){"CLIENT", "SETNAME", name}, 3, "", err);
    /* A server that is loading its data or wants a password says so here, not in the
     * middle of the protocol. PING itself may be outside of a user's rights. */
    if (rc == 0)
        rc = command(redis, (const char *[]){"PING"}, 1, "NOPERM", err);
    return rc;
}

int eddy_redis_open(const struct eddy_redis_options *options, const char *name,
                    struct eddy_redis **ret, struct eddy_err *err)
{
    struct eddy_redis *redis = calloc(1, sizeof *redis);
    int rc = 0;

    if (!redis)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a connection to Redis");
    redis->options = options;
    rc = connect_to(redis, err);
    if (rc == 0)
        rc = introduce(redis, name, err);
    if (rc) {
        eddy_redis_close(redis);
        return rc;
    }
    *ret = redis;
    return 0;
}

void eddy_redis_close(struct eddy_redis *redis)
{
    if (!redis)
        return;
    if (redis->context)
        redisFree(redis->context);
    free(redis->words);
    free(redis->sizes);
    free(redis);
}

static int make_room(struct eddy_redis *redis, size_t count, struct eddy_err *err)
{
    size_t room = count < 160 ? 160 : count;

    if (count <= redis->room)
        return 0;
    free(redis->words);
    free(redis->sizes);
    redis->words = malloc(room * sizeof *redis->words);
    redis->sizes = malloc(room * sizeof *redis->sizes);
    redis->room = redis->words && redis->sizes ? room : 0;
    if (!redis->room)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a command of %zu words",
                         count);
    return 0;
}

static int append(struct eddy_redis *redis, size_t count, struct eddy_err *err)
{
    if (redisAppendCommandArgv(redis->context, (int)count, redis->words,
                               redis->sizes) != REDIS_OK)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a command of %zu words",
                         count);
    return 0;
}

int eddy_redis_append(struct eddy_redis *redis, const struct eddy_span *words,
                      size_t count, struct eddy_err *err)
{
    int rc = make_room(redis, count, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++) {
        redis->words[i] = words[i].size ? words[i].data : "";
        redis->sizes[i] = words[i].size;
    }
    return append(redis, count, err);
}

int eddy_redis_append_text(struct eddy_redis *redis, const char *const *words,
                           size_t count, struct eddy_err *err)
{
    int rc = make_room(redis, count, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++) {
        redis->words[i] = words[i];
        redis->sizes[i] = strlen(words[i]);
    }
    return append(redis, count, err);
}

int eddy_redis_write(struct eddy_redis *redis, struct eddy_err *err)
{
    int done = 0;

    while (!done) {
        errno = 0;
        if (redisBufferWrite(redis->context, &done) != REDIS_OK)
            return fail_context(redis, err);
    }
    return 0;
}

int eddy_redis_read(struct eddy_redis *redis, redisReply **ret, struct eddy_err *err)
{
    void *reply = NULL;

    errno = 0;
    if (redisGetReply(redis->context, &reply) != REDIS_OK || !reply)
        return fail_context(redis, err);
    *ret = reply;
    return 0;
}

int eddy_redis_refused(const struct eddy_redis *redis, const redisReply *reply,
                       struct eddy_err *err)
{
    static const struct {
        const char *prefix, *advice;
    } known[] = {
        {"WRONGPASS", "check redis.user and redis.password"},
        {"NOAUTH", "set redis.password (and redis.user for an ACL user)"},
        {"ERR invalid password", "check redis.password"},
        {"ERR AUTH", "the server has no password: remove redis.password"},
        {"ERR Client sent AUTH", "the server has no password: remove redis.password"},
        {"NOPERM", "give the user ~PREFIX* keys and the commands of deploy/README.md"},
        {"LOADING", "it is reading its data from disk; wait"},
        {"READONLY", "this is a replica: point redis.address at the master"},
        {"MISCONF", "it cannot write to disk: free space or check its log"},
        {"OOM", "raise maxmemory; eviction must stay off (noeviction)"},
        {"MASTERDOWN", "this is a replica: point redis.address at the master"},
        {"NOREPLICAS", "its replicas are away (min-replicas-to-write)"},
    };
    const char *advice = "see its log";

    if (reply->type != REDIS_REPLY_ERROR)
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(reply->str, known[i].prefix, strlen(known[i].prefix)) == 0) {
            advice = known[i].advice;
            break;
        }
    return eddy_fail(err, EDDY_ESTORE, "Redis at %s refuses: %.90s; %s",
                     redis->options->address, reply->str, advice);
}
