#define _GNU_SOURCE /* pipe2 */
#include "app/child_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

static int spawn(struct eddy_child_broker *broker, char *const *arguments, int out_fd,
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
    broker->pid = pid;
    broker->leash_fd = leash[1];
    return 0;
}

void eddy_child_broker_stop(struct eddy_child_broker *broker)
{
    if (broker->pid <= 0)
        return;
    (void)close(broker->leash_fd);
    (void)kill(broker->pid, SIGTERM);
    for (int i = 0; i < 200; i++) {
        if (waitpid(broker->pid, NULL, WNOHANG) == broker->pid) {
            broker->pid = 0;
            return;
        }
        pause_ms(10);
    }
    (void)kill(broker->pid, SIGKILL);
    (void)waitpid(broker->pid, NULL, 0);
    broker->pid = 0;
}

int eddy_child_broker_start(struct eddy_child_broker *broker, const char *prefix,
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
    int code = spawn(broker, arguments, out[1], err);
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
        eddy_child_broker_stop(broker);
        return eddy_fail(err, EDDY_EFATAL, "the mock broker did not start");
    }
    ret_address[strcspn(ret_address, "\r\n")] = '\0';
    return 0;
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
