/* Log lines as they leave the process: format, levels, limits, threads. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "torture.h"

static int fd = -1; /* a file where the lines go */

/* What was logged since the last call; in *ret_size how much. */
static const char *logged(void)
{
    static char text[1 << 20];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    CHECK(ftruncate(fd, 0) == 0);
    return text;
}

static void setup(enum eddy_log_level level, bool json)
{
    (void)logged();
    eddy_log_setup(fd, level, json);
}

/* The line without its time stamp, which is checked. */
static const char *behind_time(const char *line, const char *head)
{
    int year, month, day, hour, minute, second, ms, used = 0;
    size_t size = strlen(head);
    if (!CHECK(strncmp(line, head, size) == 0) ||
        !CHECK_INT(sscanf(line + size, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month,
                          &day, &hour, &minute, &second, &ms, &used),
                   7)) {
        fprintf(stderr, "    %s", line);
        return "";
    }
    CHECK(year >= 2024 && month >= 1 && month <= 12 && hour < 24);
    return line + size + used;
}

static void a_logfmt_line_has_time_level_module_fields_and_message(void)
{
    setup(EDDY_LOG_INFO, false);
    eddy_log(EDDY_LOG_WARN, "store", "partition=3", "went \"away\", retrying in %d ms",
             200);
    CHECK_STR(
        behind_time(logged(), "ts="),
        " level=warn module=store partition=3 msg=\"went \\\"away\\\", retrying in "
        "200 ms\"\n");
    eddy_log(EDDY_LOG_INFO, "run", "", "line\nbreak");
    CHECK_STR(behind_time(logged(), "ts="),
              " level=info module=run msg=\"line\\nbreak\"\n");
    eddy_log(EDDY_LOG_INFO, "run", NULL, "%s", "");
    CHECK_STR(behind_time(logged(), "ts="), " level=info module=run msg=\"\"\n");
}

static void a_json_line_carries_the_fields_as_members(void)
{
    struct eddy_buf fields;
    setup(EDDY_LOG_DEBUG, true);
    eddy_buf_init(&fields, 0);
    eddy_log_kv(&fields, "user", eddy_span_of("a b\"c"));
    eddy_log_kv(&fields, "topic", eddy_span_of("eddy.events"));
    eddy_log_kv_i64(&fields, "offset", -7);
    eddy_log_kv(&fields, "version", eddy_span_of("007"));
    CHECK_STR(fields.data, "user=\"a b\\\"c\" topic=eddy.events offset=-7 version=007");
    eddy_log(EDDY_LOG_DEBUG, "worker", fields.data, "x");
    CHECK_STR(
        behind_time(logged(), "{\"ts\":\""),
        "\",\"level\":\"debug\",\"module\":\"worker\",\"user\":\"a b\\\"c\","
        "\"topic\":\"eddy.events\",\"offset\":-7,\"version\":\"007\",\"msg\":\"x\"}"
        "\n");
    /* Fields that are none do no harm. */
    eddy_log(EDDY_LOG_DEBUG, "worker", "no field = \"open", "x");
    const char *line = logged();
    CHECK(line[strlen(line) - 2] == '}');
    eddy_buf_fini(&fields);
}

static void levels_below_are_silent(void)
{
    setup(EDDY_LOG_WARN, false);
    CHECK(eddy_log_wants(EDDY_LOG_ERROR) && eddy_log_wants(EDDY_LOG_WARN));
    CHECK(!eddy_log_wants(EDDY_LOG_INFO) && !eddy_log_wants(EDDY_LOG_DEBUG));
    eddy_log(EDDY_LOG_INFO, "m", "", "no");
    EDDY_LOG_LIMITED(EDDY_LOG_DEBUG, "m", "", "no");
    CHECK_STR(logged(), "");
}

static void values_and_messages_are_cut_between_characters(void)
{
    char text[3001];
    struct eddy_buf fields;
    setup(EDDY_LOG_INFO, false);
    for (size_t i = 0; i + 2 < sizeof text; i += 2) { /* two bytes each */
        memcpy(text + i, "\xc3\xa9", 3);
    }
    text[0] = 'x'; /* now no limit falls between characters */
    text[1] = 'y';
    text[2] = 'z';
    memmove(text + 3, text + 4, sizeof text - 4);
    eddy_buf_init(&fields, 0);
    eddy_log_kv(&fields, "k", eddy_span_of(text));
    eddy_log(EDDY_LOG_INFO, "m", "", "%s", text);
    const char *line = logged();
    CHECK(strlen(line) < 1024 + 80 && strlen(line) > 1000);
    CHECK(strstr(line, "\xef\xbf\xbd") == NULL);
    CHECK(fields.size <= 256 + 4 && fields.size > 250);
    CHECK(strstr(fields.data, "\xef\xbf\xbd") == NULL);
    eddy_buf_fini(&fields);
}

static void errno_survives_a_line(void)
{
    setup(EDDY_LOG_INFO, false);
    errno = EPIPE;
    eddy_log(EDDY_LOG_INFO, "m", "", "x");
    CHECK_INT(errno, EPIPE);
    eddy_log_setup(-1, EDDY_LOG_INFO, false); /* writing fails */
    eddy_log(EDDY_LOG_INFO, "m", "", "x");
    CHECK_INT(errno, EPIPE);
}

static void repeats_are_held_back_and_counted(void)
{
    struct eddy_log_limit limit = {0, 0};
    setup(EDDY_LOG_INFO, false);
    for (int i = 0; i < 5; i++) {
        eddy_log_limited(&limit, EDDY_LOG_WARN, "m", "k=v", "again %d", i);
    }
    CHECK_STR(behind_time(logged(), "ts="),
              " level=warn module=m k=v msg=\"again 0\"\n");
    long long now_ms = (long long)(eddy_monotonic_ns() / 1000000);
    CHECK(limit.next_ms > now_ms && limit.next_ms <= now_ms + 10000);
    limit.next_ms = now_ms; /* ten seconds later */
    eddy_log_limited(&limit, EDDY_LOG_WARN, "m", "k=v", "again");
    CHECK_STR(behind_time(logged(), "ts="),
              " level=warn module=m k=v suppressed=4 msg=\"again\"\n");
    limit.next_ms = now_ms;
    eddy_log_limited(&limit, EDDY_LOG_WARN, "m", "", "again");
    CHECK_STR(behind_time(logged(), "ts="), " level=warn module=m msg=\"again\"\n");
}

static void every_call_site_has_its_own_limit(void)
{
    setup(EDDY_LOG_INFO, false);
    for (int i = 0; i < 3; i++) {
        EDDY_LOG_LIMITED(EDDY_LOG_INFO, "m", "", "first");
        EDDY_LOG_LIMITED(EDDY_LOG_INFO, "m", "", "second");
    }
    const char *lines = logged();
    CHECK(strstr(lines, "first") && strstr(lines, "second"));
    CHECK(strstr(strstr(lines, "first") + 1, "first") == NULL);
}

enum { THREADS = 4, LINES = 500 };
static struct eddy_log_limit shared_limit;

static void *log_in_thread(void *argument)
{
    for (int i = 0; i < LINES; i++) {
        eddy_log(EDDY_LOG_INFO, "m", "", "%s", (const char *)argument);
        eddy_log_limited(&shared_limit, EDDY_LOG_INFO, "m", "", "limited");
    }
    return NULL;
}

static void lines_of_threads_do_not_mix(void)
{
    static char texts[THREADS][200];
    pthread_t threads[THREADS];
    struct eddy_err err;
    setup(EDDY_LOG_INFO, false);
    for (int i = 0; i < THREADS; i++) {
        memset(texts[i], 'a' + i, sizeof texts[i] - 1);
        CHECK_INT(eddy_thread_start(&threads[i], EDDY_ROLE_NONE, "log", log_in_thread,
                                    texts[i], &err),
                  0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    int whole = 0, limited = 0;
    char *save = NULL, *text = (char *)logged();
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *message = strstr(line, " msg=\"");
        bool is_limited = message && strcmp(message, " msg=\"limited\"") == 0;
        limited += is_limited ? 1 : 0;
        for (int i = 0; message && i < THREADS; i++) {
            size_t size = sizeof texts[i] - 1;
            whole += strncmp(message + 6, texts[i], size) == 0 &&
                             strcmp(message + 6 + size, "\"") == 0
                         ? 1
                         : 0;
        }
    }
    CHECK_INT(whole, THREADS * LINES);
    CHECK_INT(limited, 1);
    CHECK_INT(shared_limit.held_back, THREADS * LINES - 1);
}

static void without_memory_the_bare_message_is_written(void)
{
    setup(EDDY_LOG_INFO, false);
    torture_arm(0);
    eddy_log(EDDY_LOG_ERROR, "m", "", "out of %s", "memory");
    CHECK(atomic_load(&torture_hit));
    torture_arm(-1);
    CHECK_STR(logged(), "out of memory\n");
}

/* Run in a child, which is to die by SIGABRT; its log is in the shared file. */
static void check_aborts(void (*run)(void), const char *want)
{
    setup(EDDY_LOG_INFO, false);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, 2); /* a sanitizer's report of the abort is no news */
        run();
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) != 0);
    const char *lines = logged();
    if (!CHECK(strstr(lines, want) != NULL)) {
        fprintf(stderr, "    got  %s    want %s\n", lines, want);
    }
}

static void break_an_assertion(void)
{
    EDDY_ASSERT(1 + 1 == 3);
}

static void call_as_wrong_role(void)
{
    eddy_thread_set_role(EDDY_ROLE_WORKER);
    EDDY_ON(WORKER);
    EDDY_ON(LOOP);
}

static void assertions_say_what_broke_and_abort(void)
{
    EDDY_ASSERT(1 + 1 == 2);
    check_aborts(break_an_assertion, ": 1 + 1 == 3: a bug in eddy, please report it");
    check_aborts(call_as_wrong_role,
                 "call_as_wrong_role is for role loop, called by role worker");
}

int main(void)
{
    char path[] = "/tmp/eddy-log-XXXXXX";
    fd = mkstemp(path);
    if (fd < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0) {
        return 1;
    }
    (void)unlink(path);
    RUN(a_logfmt_line_has_time_level_module_fields_and_message);
    RUN(a_json_line_carries_the_fields_as_members);
    RUN(levels_below_are_silent);
    RUN(values_and_messages_are_cut_between_characters);
    RUN(errno_survives_a_line);
    RUN(repeats_are_held_back_and_counted);
    RUN(every_call_site_has_its_own_limit);
    RUN(lines_of_threads_do_not_mix);
    RUN(without_memory_the_bare_message_is_written);
    RUN(assertions_say_what_broke_and_abort);
    return check_done();
}
