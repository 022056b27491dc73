/* Thread roles. The role is one thread-local word, so the assertion at the entry of a
 * function costs a read and a compare. */
#include "base/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"

static _Thread_local enum eddy_role thread_role;

static const char *const role_names[] = {
    [EDDY_ROLE_NONE] = "none",       [EDDY_ROLE_LOOP] = "loop",
    [EDDY_ROLE_WORKER] = "worker",   [EDDY_ROLE_HTTP] = "http",
    [EDDY_ROLE_TRAINER] = "trainer",
};

void eddy_thread_set_role(enum eddy_role role)
{
    thread_role = role;
}

void eddy_thread_assert(enum eddy_role role, const char *function)
{
    if (thread_role == EDDY_ROLE_NONE || thread_role == role) {
        return;
    }
    char text[160];
    (void)snprintf(text, sizeof text, "%s is for role %s, called by role %s", function,
                   role_names[role], role_names[thread_role]);
    eddy_assert_failed(text, __FILE__, __LINE__);
}

struct start {
    enum eddy_role role;
    char name[16];
    void *(*run)(void *);
    void *argument;
};

static void *run_thread(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    thread_role = start.role;
    (void)prctl(PR_SET_NAME, start.name, 0, 0, 0); /* only a label */
    return start.run(start.argument);
}

int eddy_thread_start(pthread_t *ret_thread, enum eddy_role role, const char *name,
                      void *(*run)(void *), void *argument, struct eddy_err *err)
{
    struct start *start = malloc(sizeof *start);
    if (!start) {
        return eddy_fail(err, EDDY_ENOMEM, "thread %s: out of memory", name);
    }
    *start = (struct start){.role = role, .run = run, .argument = argument};
    (void)snprintf(start->name, sizeof start->name, "%s", name); /* cut on purpose */

    /* The new thread inherits the mask. Faults stay open: blocked, they would end the
     * process without a word from a handler (sanitizers). */
    sigset_t all, before;
    (void)sigfillset(&all);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        (void)sigdelset(&all, faults[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(ret_thread, NULL, run_thread, start);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        free(start);
        return eddy_fail(err, EDDY_ENOMEM,
                         "thread %s could not be started: %s (raise the limit of "
                         "processes, ulimit -u, or of memory)",
                         name, strerror(code));
    }
    return 0;
}
