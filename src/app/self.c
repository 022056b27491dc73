#include "app/self.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/files.h"

/* ---- command lines ---------------------------------------------------------------- */

void eddy_words_add(struct eddy_words *words, const char *text)
{
    if (words->count == EDDY_WORDS_MAX ||
        (words->list[words->count] = strdup(text)) == NULL)
        words->failed = true;
    else
        words->count++;
}

void eddy_words_option(struct eddy_words *words, const char *name, const char *value)
{
    if (value == NULL)
        return;
    eddy_words_add(words, name);
    eddy_words_add(words, value);
}

void eddy_words_printf(struct eddy_words *words, const char *fmt, ...)
{
    char room[EDDY_PATH_SIZE + 256];
    va_list args;
    va_start(args, fmt);
    int size = vsnprintf(room, sizeof room, fmt, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof room)
        words->failed = true;
    else
        eddy_words_add(words, room);
}

void eddy_words_fini(struct eddy_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->list[i]);
    *words = (struct eddy_words){.count = 0};
}

/* ---- processes -------------------------------------------------------------------- */

/* In the child, between fork and exec: nothing but async-signal-safe calls. */
static void become(char *const *words, const char *output, const char *log,
                   pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0); /* Ctrl-C is for the parent, which ends its children */
    int out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int err = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || out < 0 || err < 0 || null < 0 || dup2(null, 0) < 0 ||
        dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    (void)syscall(SYS_close_range, 3U, ~0U, 0U); /* connections are the parent's */
    (void)execv("/proc/self/exe", words);
    _exit(126);
}

int eddy_self_start(const struct eddy_words *words, const char *output, const char *log,
                    pid_t *ret_pid, struct eddy_err *err)
{
    char name[] = "eddy";
    char *all[EDDY_WORDS_MAX + 2] = {name};
    pid_t parent = getpid();
    if (words->failed)
        return eddy_fail(err, EDDY_EFATAL,
                         "eddy %s cannot be started: too many or too long options",
                         words->count > 0 ? words->list[0] : "");
    memcpy(all + 1, words->list, words->count * sizeof *all);
    pid_t pid = fork();
    if (pid == 0)
        become(all, output, log, parent);
    if (pid < 0)
        return eddy_fail(err, EDDY_EFATAL, "eddy %s cannot be started: %s",
                         words->list[0], strerror(errno));
    *ret_pid = pid;
    return 0;
}

void eddy_self_failure(const char *log, int status, char *ret, size_t size)
{
    struct eddy_file file;
    (void)snprintf(ret, size, "%s %d",
                   WIFSIGNALED(status) ? "killed by signal" : "exit",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (WIFSIGNALED(status) || eddy_file_open(log, &file, NULL) < 0)
        return;
    const char *at = file.bytes.data, *end = at + file.bytes.size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        if (length > 5 && memcmp(at, "eddy ", 5) == 0)
            (void)snprintf(ret, size, "%.*s", (int)(length < size ? length : size), at);
        at += length + 1;
    }
    eddy_file_close(&file);
}
