#include "app/child_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/files.h"

struct eddy_child_redis {
    pid_t pid;
    char folder[64];
    char address[96];
};

/* In the child, between fork and exec: nothing but async-signal-safe calls. */
static void become_redis(const char *folder, pid_t parent)
{
    const char *tmp_log = "redis.log";
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || chdir(folder) != 0)
        _exit(127);
    (void)setpgid(0, 0); /* Ctrl-C is for the parent, which ends the child in order */
    int log = open(tmp_log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
        dup2(log, 2) < 0)
        _exit(127);
    (void)execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
                 "redis.sock", "--unixsocketperm", "700", "--save", "", "--appendonly",
                 "no", "--maxmemory-policy", "noeviction", (char *)NULL);
    _exit(126);
}

static bool answers(const struct eddy_child_redis *redis)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char reply[8] = "";
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/redis.sock",
                   redis->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool well = fd >= 0 &&
                connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                write(fd, "PING\r\n", 6) == 6 && read(fd, reply, sizeof reply) >= 5 &&
                memcmp(reply, "+PONG", 5) == 0;
    if (fd >= 0)
        (void)close(fd);
    return well;
}

static int wait_until_it_answers(struct eddy_child_redis *redis, struct eddy_err *err)
{
    for (int i = 0; i < 500; i++) {
        int status = 0;
        if (waitpid(redis->pid, &status, WNOHANG) == redis->pid) {
            redis->pid = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
                return eddy_fail(
                    err, EDDY_ESTORE,
                    "redis-server is not installed; on Debian: apt-get install "
                    "redis-server");
            return eddy_fail(
                err, EDDY_ESTORE,
                "redis-server ended at once (status %d); run it by hand to see "
                "why",
                status);
        }
        if (answers(redis))
            return 0;
        struct timespec pause = {0, 20000000};
        (void)nanosleep(&pause, NULL); /* asked again in any case */
    }
    return eddy_fail(err, EDDY_ESTORE, "redis-server did not answer within 10 s");
}

int eddy_child_redis_start(struct eddy_child_redis **ret, struct eddy_err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct eddy_child_redis *redis = calloc(1, sizeof *redis);
    if (!redis)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    /* The path of a unix socket has room for 107 bytes. */
    if (!tmp || tmp[0] != '/' || strlen(tmp) > 40)
        tmp = "/tmp";
    (void)snprintf(redis->folder, sizeof redis->folder, "%s/eddy-XXXXXX", tmp);
    if (!mkdtemp(redis->folder)) {
        int r = eddy_fail(err, EDDY_EIO, "%s: %s", redis->folder, strerror(errno));
        free(redis);
        return r;
    }
    (void)snprintf(redis->address, sizeof redis->address, "unix:%s/redis.sock",
                   redis->folder);
    pid_t parent = getpid();
    redis->pid = fork();
    if (redis->pid == 0)
        become_redis(redis->folder, parent);
    int r = redis->pid < 0 ? eddy_fail(err, EDDY_ESTORE, "fork: %s", strerror(errno))
                           : wait_until_it_answers(redis, err);
    if (r < 0) {
        eddy_child_redis_stop(redis);
        return r;
    }
    *ret = redis;
    return 0;
}

void eddy_child_redis_stop(struct eddy_child_redis *redis)
{
    if (!redis)
        return;
    if (redis->pid > 0) {
        (void)kill(redis->pid, SIGTERM);
        for (int i = 0; i < 100 && waitpid(redis->pid, NULL, WNOHANG) == 0; i++) {
            struct timespec pause = {0, 20000000};
            (void)nanosleep(&pause, NULL); /* asked again in any case */
            if (i == 90)
                (void)kill(redis->pid, SIGKILL);
        }
    }
    (void)eddy_remove_folder(redis->folder,
                             NULL); /* a temporary folder may stay behind */
    free(redis);
}

const char *eddy_child_redis_address(const struct eddy_child_redis *redis)
{
    return redis->address;
}
