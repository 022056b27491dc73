#define _GNU_SOURCE /* pipe2 */
#include "app/demo_children.h"

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

#include "app/app.h"
#include "io/kafka_mock.h"

static void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&time, NULL); /* an early return only shortens a wait */
}

/* In the child: standard input from the leash, output to out_fd (or nowhere), a process
 * group of its own so that Ctrl-C reaches only the demo, which then ends it in order. */
static void become(char *const *arguments, int leash_read, int out_fd)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(leash_read, 0) < 0 || dup2(out_fd >= 0 ? out_fd : nowhere, 1) < 0)
        _exit(126);
    execvp(arguments[0], arguments);
    _exit(errno == ENOENT ? 127 : 126);
}

static int spawn(struct eddy_child *child, char *const *arguments, int out_fd,
                 struct eddy_err *err)
{
    int leash[2];
    if (pipe2(leash, O_CLOEXEC) != 0)
        return eddy_fail(err, EDDY_EFATAL, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        become(arguments, leash[0], out_fd);
    (void)close(leash[0]);
    if (pid < 0) {
        (void)close(leash[1]);
        return eddy_fail(err, EDDY_EFATAL, "fork: %s", strerror(errno));
    }
    child->pid = pid;
    child->leash_fd = leash[1];
    return 0;
}

void eddy_child_stop(struct eddy_child *child)
{
    if (child->pid <= 0)
        return;
    (void)close(child->leash_fd);
    (void)kill(child->pid, SIGTERM);
    for (int i = 0; i < 200; i++) {
        if (waitpid(child->pid, NULL, WNOHANG) == child->pid) {
            child->pid = 0;
            return;
        }
        pause_ms(10);
    }
    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, NULL, 0);
    child->pid = 0;
}

/* 0 while the child lives, else a sentence about how it ended. */
static int check_alive(struct eddy_child *child, const char *what, const char *hint,
                       struct eddy_err *err)
{
    int status = 0;
    if (waitpid(child->pid, &status, WNOHANG) != child->pid)
        return 0;
    child->pid = 0;
    (void)close(child->leash_fd);
    return eddy_fail(err, EDDY_EFATAL, "%s ended at once (status %d): %s", what,
                     WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), hint);
}

int eddy_demo_broker_start(struct eddy_child *child, const char *prefix,
                           uint32_t partitions, char ret_address[64],
                           struct eddy_err *err)
{
    char count[16], name[64];
    (void)snprintf(count, sizeof count, "%u", partitions);
    (void)snprintf(name, sizeof name, "%s", prefix);
    char self[] = "/proc/self/exe", command[] = "demo-broker";
    char *arguments[] = {self, command, name, count, NULL};
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0)
        return eddy_fail(err, EDDY_EFATAL, "pipe: %s", strerror(errno));
    int code = spawn(child, arguments, out[1], err);
    (void)close(out[1]);
    if (code < 0) {
        (void)close(out[0]);
        return code;
    }
    FILE *answer = fdopen(out[0], "r");
    char *line = answer ? fgets(ret_address, 64, answer) : NULL;
    if (answer)
        (void)fclose(answer);
    if (!line || strchr(ret_address, ':') == NULL) {
        eddy_child_stop(child);
        return eddy_fail(err, EDDY_EFATAL, "the mock broker did not start");
    }
    ret_address[strcspn(ret_address, "\r\n")] = '\0';
    return 0;
}

static int can_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return ok;
}

int eddy_demo_redis_start(struct eddy_child *child, const char *folder,
                          char ret_address[160], struct eddy_err *err)
{
    char path[128], dir[128];
    (void)snprintf(path, sizeof path, "%.100s/redis.sock", folder);
    (void)snprintf(dir, sizeof dir, "%.120s", folder);
    /* clang-format off */
    char *arguments[] = {
        (char[]){"redis-server"}, (char[]){"--port"}, (char[]){"0"},
        (char[]){"--unixsocket"}, path, (char[]){"--dir"}, dir,
        (char[]){"--save"}, (char[]){""}, (char[]){"--appendonly"}, (char[]){"no"},
        (char[]){"--daemonize"}, (char[]){"no"}, NULL};
    /* clang-format on */
    static const char hint[] =
        "the demo needs redis-server: apt-get install redis-server";
    int code = spawn(child, arguments, -1, err);
    for (int i = 0; code == 0 && i < 500; i++) {
        if (can_connect(path)) {
            (void)snprintf(ret_address, 160, "unix:%s", path);
            return 0;
        }
        code = check_alive(child, "redis-server", hint, err);
        pause_ms(10);
    }
    eddy_child_stop(child);
    return code < 0 ? code
                    : eddy_fail(err, EDDY_EFATAL, "redis-server does not answer");
}

/* `eddy demo-broker PREFIX PARTITIONS`: serve until standard input ends. */
int eddy_cmd_demo_broker(int argc, char **argv)
{
    static const char *const kinds[3] = {"events", "lists", "dlq"};
    if (argc != 3)
        return EDDY_EXIT_USAGE;
    struct eddy_err err = {0};
    struct eddy_kafka_mock *mock = NULL;
    int code = eddy_kafka_mock_start(1, &mock, &err);
    for (int i = 0; code == 0 && i < 3; i++) {
        char name[80];
        (void)snprintf(name, sizeof name, "%.60s.%s", argv[1], kinds[i]);
        code = eddy_kafka_mock_create(mock, name, (int)strtol(argv[2], NULL, 10), &err);
    }
    if (code < 0) {
        eddy_kafka_mock_stop(mock);
        return eddy_app_fail("demo-broker", &err);
    }
    (void)printf("%s\n", eddy_kafka_mock_address(mock));
    (void)fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    eddy_kafka_mock_stop(mock);
    return EDDY_EXIT_OK;
}
