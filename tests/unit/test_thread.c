/* Threads, clocks, and the error table: the small modules of base. */
#include "base/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "check.h"

struct report {
    char name[16];
    int blocked, open;
    int answer;
};

static void *look_around(void *argument)
{
    struct report *report = argument;
    sigset_t mask;
    (void)prctl(PR_GET_NAME, report->name, 0, 0, 0);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    report->blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGINT) &&
                      sigismember(&mask, SIGHUP) && sigismember(&mask, SIGPIPE);
    report->open = !sigismember(&mask, SIGSEGV);
    EDDY_ON(TRAINER);
    report->answer = 42;
    return report;
}

static void a_started_thread_has_role_name_and_blocked_signals(void)
{
    struct report report = {.answer = 0};
    struct eddy_err err = {0};
    pthread_t thread;
    sigset_t before, after;
    void *result = NULL;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK_INT(eddy_thread_start(&thread, EDDY_ROLE_TRAINER, "a-rather-long-name",
                                look_around, &report, &err),
              0);
    (void)pthread_join(thread, &result);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
    CHECK(result == &report);
    CHECK_INT(report.answer, 42);
    CHECK_STR(report.name, "a-rather-long-n");
    CHECK(report.blocked && report.open);
    CHECK_INT(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void a_thread_without_role_passes_every_assertion(void)
{
    EDDY_ON(LOOP);
    EDDY_ON(WORKER);
    eddy_thread_set_role(EDDY_ROLE_HTTP);
    EDDY_ON(HTTP);
    eddy_thread_set_role(EDDY_ROLE_NONE);
    EDDY_ON(LOOP);
}

static void clocks_go_forward_in_their_units(void)
{
    uint64_t monotonic = eddy_monotonic_ns(), cpu = eddy_thread_cpu_ns();
    uint64_t process = eddy_process_cpu_ns();
    int64_t now_s = (int64_t)time(NULL);
    CHECK_NEAR((double)eddy_now_ms() / 1000, (double)now_s, 60);
    volatile double sink = 0;
    for (int i = 0; i < 200000; i++) {
        sink = sink + i;
    }
    CHECK(eddy_monotonic_ns() > monotonic);
    CHECK(eddy_thread_cpu_ns() > cpu);
    CHECK(eddy_process_cpu_ns() > process);
    CHECK(eddy_process_cpu_ns() >= eddy_thread_cpu_ns());
}

static void resident_memory_follows_what_is_touched(void)
{
    enum { SIZE = 64 << 20 };
    uint64_t before = eddy_resident_bytes();
    char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i += 1024) { /* volatile: not optimized away */
        ((volatile char *)bytes)[i] = 1;
    }
    CHECK(before > 100000);
    CHECK(eddy_resident_bytes() > before + SIZE / 2);
    free(bytes);
}

static void every_error_has_class_reason_and_text(void)
{
    CHECK_STR(eddy_err_reason(0), "ok");
    CHECK_STR(eddy_err_text(0), "no error");
    for (int code = -1; code > -EDDY_ERR_COUNT; code--) {
        CHECK(eddy_err_reason(code)[0] && eddy_err_text(code)[0]);
        for (int other = -1; other > code; other--) {
            CHECK(strcmp(eddy_err_reason(code), eddy_err_reason(other)) != 0);
        }
    }
    CHECK_INT(eddy_err_class(EDDY_EBADEVENT), EDDY_CLASS_EVENT);
    CHECK_INT(eddy_err_class(EDDY_ESTORE), EDDY_CLASS_RETRY);
    CHECK_INT(eddy_err_class(EDDY_ECONFIG), EDDY_CLASS_FATAL);
    /* What is no code of ours is fatal, not harmless. */
    CHECK_INT(eddy_err_class(-1000), EDDY_CLASS_FATAL);
    CHECK_INT(eddy_err_class(7), EDDY_CLASS_FATAL);
    CHECK_STR(eddy_err_reason(-1000), "fatal");
}

static void messages_are_cut_to_fit(void)
{
    struct eddy_err err;
    CHECK_INT(eddy_fail(&err, EDDY_EIO, "%s: %d", "file", 3), EDDY_EIO);
    CHECK_INT(err.code, EDDY_EIO);
    CHECK_STR(err.text, "file: 3");
    CHECK_INT(eddy_fail(&err, EDDY_EIO, "%1000d", 3), EDDY_EIO);
    CHECK_INT(strlen(err.text), sizeof err.text - 1);
    CHECK_INT(eddy_fail(NULL, EDDY_EFULL, "nobody asks"), EDDY_EFULL);
}

int main(void)
{
    RUN(a_started_thread_has_role_name_and_blocked_signals);
    RUN(a_thread_without_role_passes_every_assertion);
    RUN(clocks_go_forward_in_their_units);
    RUN(resident_memory_follows_what_is_touched);
    RUN(every_error_has_class_reason_and_text);
    RUN(messages_are_cut_to_fit);
    return check_done();
}
