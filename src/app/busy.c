/* The thread sleeps until the line is due; whoever changes the step wakes it. All writing is
 * done under the lock, so that after a pause nothing of the line comes any more. It blocks
 * all signals: they are for the command's own thread. */
#include "app/busy.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const uint64_t second_ns = UINT64_C(1000000000);

/* When the line is due: on a terminal twice a second, elsewhere two seconds after the step
 * began, and five after the last line. */
static uint64_t due_ns(const struct eddy_busy *busy)
{
    uint64_t first = busy->begin_ns + 2 * second_ns;
    uint64_t next = busy->said_ns + 5 * second_ns;
    if (busy->terminal)
        return busy->said_ns + second_ns / 2;
    return busy->said_ns > 0 && next > first ? next : first;
}

static void draw(struct eddy_busy *busy, uint64_t now_ns)
{
    unsigned long seconds = (unsigned long)((now_ns - busy->begin_ns) / second_ns);
    struct winsize size;
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20
                      ? size.ws_col
                      : 80;
    char line[200], lasted[24] = "";
    if (seconds > 0)
        (void)snprintf(lasted, sizeof lasted, "  %lu s", seconds);
    (void)snprintf(line, sizeof line, "%s%s", busy->what, lasted);
    if (busy->terminal)
        (void)fprintf(stderr, "\r\033[K%.*s", columns - 1, line);
    else
        (void)fprintf(stderr, "%s\n", line);
    (void)fflush(stderr);
    busy->drawn = busy->terminal;
    busy->said_ns = now_ns;
}

static void *show(void *context)
{
    struct eddy_busy *busy = context;
    (void)pthread_mutex_lock(&busy->lock);
    while (!busy->stopping) {
        uint64_t now_ns = eddy_monotonic_ns(), due = due_ns(busy);
        if (busy->what[0] == 0) {
            (void)pthread_cond_wait(&busy->wake, &busy->lock);
        } else if (now_ns >= due) {
            draw(busy, now_ns);
        } else {
            struct timespec end = {.tv_sec = (time_t)(due / second_ns),
                                   .tv_nsec = (long)(due % second_ns)};
            (void)pthread_cond_timedwait(&busy->wake, &busy->lock, &end);
        }
    }
    (void)pthread_mutex_unlock(&busy->lock);
    return NULL;
}

void eddy_busy_start(struct eddy_busy *busy, bool quiet)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    *busy = (struct eddy_busy){.terminal = isatty(STDERR_FILENO) == 1};
    if (quiet)
        return;
    (void)pthread_mutex_init(&busy->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&busy->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    busy->running = pthread_create(&busy->thread, NULL, show, busy) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!busy->running) {
        (void)pthread_cond_destroy(&busy->wake);
        (void)pthread_mutex_destroy(&busy->lock);
    }
}

/* With the lock. */
static void clear(struct eddy_busy *busy)
{
    if (busy->drawn)
        (void)fputs("\r\033[K", stderr);
    busy->drawn = false;
    busy->what[0] = 0;
}

void eddy_busy_step(struct eddy_busy *busy, const char *fmt, ...)
{
    char what[sizeof busy->what];
    va_list args;
    if (!busy->running)
        return;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    (void)pthread_mutex_lock(&busy->lock);
    if (strcmp(what, busy->what) != 0) { /* else it goes on */
        memcpy(busy->what, what, sizeof what);
        busy->begin_ns = eddy_monotonic_ns();
        if (busy->terminal)
            draw(busy, busy->begin_ns);
        (void)pthread_cond_signal(&busy->wake);
    }
    (void)pthread_mutex_unlock(&busy->lock);
}

void eddy_busy_pause(struct eddy_busy *busy)
{
    if (!busy->running)
        return;
    (void)pthread_mutex_lock(&busy->lock);
    clear(busy);
    (void)pthread_mutex_unlock(&busy->lock);
}

void eddy_busy_stop(struct eddy_busy *busy)
{
    if (!busy->running)
        return;
    (void)pthread_mutex_lock(&busy->lock);
    clear(busy);
    busy->stopping = true;
    (void)pthread_cond_signal(&busy->wake);
    (void)pthread_mutex_unlock(&busy->lock);
    (void)pthread_join(busy->thread, NULL);
    (void)pthread_cond_destroy(&busy->wake);
    (void)pthread_mutex_destroy(&busy->lock);
    busy->running = false;
}
