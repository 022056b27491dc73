/* A real redis-server as a child of a test: unix socket in a temporary folder, no port.
 *
 *     struct redis_child redis;
 *     redis_child_start(&redis, "appendonly yes\n");   ... redis.address ...
 *     redis_child_kill(&redis); redis_child_restart(&redis);
 *     redis_child_stop(&redis);                         ends it, removes the folder */
#ifndef EDDY_TESTS_REDIS_CHILD_H
#define EDDY_TESTS_REDIS_CHILD_H

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct redis_child {
    pid_t pid;
    char folder[64];
    char socket[96];
    char address[112]; /* "unix:..." */
};

static void redis_child_give_up(const char *what)
{
    fprintf(stderr, "redis-server for tests: %s (%s)\n", what, strerror(errno));
    exit(99);
}

/* Wait until the socket accepts a connection and PING is answered in any way. */
static void redis_child_wait(struct redis_child *redis)
{
    for (int i = 0; i < 1000; i++) {
        struct timespec pause = {0, 10 * 1000 * 1000};
        redisContext *context = redisConnectUnix(redis->socket);
        redisReply *reply =
            context && !context->err ? redisCommand(context, "PING") : NULL;
        int loading = reply && reply->type == REDIS_REPLY_ERROR &&
                      strncmp(reply->str, "LOADING", 7) == 0;
        int answered = reply != NULL && !loading;
        if (reply)
            freeReplyObject(reply);
        if (context)
            redisFree(context);
        if (answered)
            return;
        (void)nanosleep(&pause, NULL);
    }
    redis_child_give_up("does not answer");
}

static void redis_child_restart(struct redis_child *redis)
{
    (void)unlink(redis->socket);
    redis->pid = fork();
    if (redis->pid < 0)
        redis_child_give_up("fork");
    if (redis->pid == 0) {
        int log = open("/dev/null", O_WRONLY);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (log >= 0)
            (void)dup2(log, 1);
        if (chdir(redis->folder) == 0)
            (void)execlp("redis-server", "redis-server", "redis.conf", (char *)NULL);
        _exit(127);
    }
    redis_child_wait(redis);
}

static void redis_child_start(struct redis_child *redis, const char *settings)
{
    char path[128];
    FILE *file = NULL;

    memset(redis, 0, sizeof *redis);
    (void)snprintf(redis->folder, sizeof redis->folder, "/tmp/eddy-test-XXXXXX");
    if (!mkdtemp(redis->folder))
        redis_child_give_up("mkdtemp");
    (void)snprintf(redis->socket, sizeof redis->socket, "%s/redis.sock", redis->folder);
    (void)snprintf(redis->address, sizeof redis->address, "unix:%s", redis->socket);
    (void)snprintf(path, sizeof path, "%s/redis.conf", redis->folder);
    file = fopen(path, "w");
    if (!file)
        redis_child_give_up("redis.conf");
    fprintf(file, "port 0\nunixsocket %s\nsave \"\"\ndir %s\n%s", redis->socket,
            redis->folder, settings);
    (void)fclose(file);
    redis_child_restart(redis);
}

static void redis_child_kill(struct redis_child *redis)
{
    if (redis->pid > 0) {
        (void)kill(redis->pid, SIGKILL);
        (void)kill(redis->pid, SIGCONT);
        (void)waitpid(redis->pid, NULL, 0);
    }
    redis->pid = 0;
}

static void redis_child_stop(struct redis_child *redis)
{
    pid_t pid = 0;

    redis_child_kill(redis);
    pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", redis->folder, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
}

#endif
