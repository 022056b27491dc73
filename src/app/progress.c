#include "app/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

static const uint64_t second_ns = UINT64_C(1000000000);

void eddy_progress_init(struct eddy_progress *progress, const char *label,
                        const char *unit, uint64_t total, bool quiet)
{
    *progress = (struct eddy_progress){
        .label = label,
        .unit = unit,
        .total = total,
        .quiet = quiet,
        .terminal = isatty(STDERR_FILENO) == 1,
        .start_ns = eddy_monotonic_ns(),
    };
    progress->last_ns = progress->start_ns;
}

static void format_seconds(double seconds, char *out, size_t size)
{
    unsigned long s = seconds < 0 ? 0 : (unsigned long)(seconds + 0.5);
    if (s < 60)
        (void)snprintf(out, size, "%lu s", s);
    else if (s < 3600)
        (void)snprintf(out, size, "%lu min %02lu s", s / 60, s % 60);
    else
        (void)snprintf(out, size, "%lu h %02lu min", s / 3600, s / 60 % 60);
}

static size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

void eddy_progress_restart(struct eddy_progress *progress, uint64_t done)
{
    progress->start_ns = progress->last_ns = eddy_monotonic_ns();
    progress->base = progress->last_done = done;
    progress->mean = 0;
}

static void measure(struct eddy_progress *progress, uint64_t done, uint64_t now_ns)
{
    double elapsed = (double)(now_ns - progress->last_ns) / 1e9;
    double all = (double)(now_ns - progress->start_ns) / 1e9;
    progress->mean = done > progress->base ? (double)(done - progress->base) / all : 0;
    if (progress->slow) {
        progress->rate = progress->mean;
        progress->last_ns = now_ns;
        return;
    }
    if (elapsed <= 0 || done < progress->last_done)
        return;
    double rate = (double)(done - progress->last_done) / elapsed;
    double weight = elapsed / (elapsed + 3.0);
    progress->rate =
        progress->rate > 0 ? progress->rate + weight * (rate - progress->rate) : rate;
    progress->last_ns = now_ns;
    progress->last_done = done;
}

static void draw(struct eddy_progress *progress, uint64_t done, const char *note)
{
    char line[256];
    char left[32] = "";
    double pace = progress->steady ? progress->mean : progress->rate;
    size_t used = 0;
    if (progress->total > 0) {
        double share = (double)done / (double)progress->total;
        used = (size_t)snprintf(line, sizeof line, "%s %5.1f%%", progress->label,
                                100.0 * (share > 1 ? 1 : share));
        if (!progress->steady)
            used +=
                (size_t)snprintf(line + used, sizeof line - used, "  %llu of %llu %s",
                                 (unsigned long long)done,
                                 (unsigned long long)progress->total, progress->unit);
        if (pace > 0 && done < progress->total)
            format_seconds((double)(progress->total - done) / pace, left, sizeof left);
    } else {
        used = (size_t)snprintf(line, sizeof line, "%s %llu %s", progress->label,
                                (unsigned long long)done, progress->unit);
    }
    if (used >= sizeof line)
        used = sizeof line - 1;
    if (!progress->slow)
        used += (size_t)snprintf(line + used, sizeof line - used, "  %.*f%s%s/s",
                                 progress->rate < 10 ? 1 : 0, progress->rate,
                                 progress->steady ? " " : "",
                                 progress->steady ? progress->unit : "");
    if (used >= sizeof line)
        used = sizeof line - 1;
    const char *before = !left[0] ? "" : progress->at_most ? "  at most " : "  ";
    (void)snprintf(line + used, sizeof line - used, "%s%s%s%s%s", before, left,
                   left[0] ? " left" : "", note[0] ? "  " : "", note);
    if (progress->terminal) {
        size_t columns = terminal_columns();
        if (strlen(line) >= columns && columns <= sizeof line)
            line[columns - 1] = 0;
        (void)fprintf(stderr, "\r\033[K%s", line);
        progress->drawn = true;
    } else {
        (void)fprintf(stderr, "%s\n", line);
    }
    (void)fflush(stderr);
}

void eddy_progress_update(struct eddy_progress *progress, uint64_t done,
                          const char *note)
{
    uint64_t now_ns = eddy_monotonic_ns();
    uint64_t interval_ns = progress->terminal ? second_ns / 10 : 5 * second_ns;
    if (progress->quiet || now_ns - progress->last_ns < interval_ns)
        return;
    measure(progress, done, now_ns);
    draw(progress, done, note);
}

void eddy_progress_clear(struct eddy_progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\033[K", stderr);
    progress->drawn = false;
}

__attribute__((format(printf, 2, 0))) static void print_line(
    struct eddy_progress *progress, const char *fmt, va_list args)
{
    if (progress->quiet)
        return;
    eddy_progress_clear(progress);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    (void)fflush(stderr);
}

void eddy_progress_finish(struct eddy_progress *progress, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print_line(progress, fmt, args);
    va_end(args);
}

void eddy_progress_say(struct eddy_progress *progress, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print_line(progress, fmt, args);
    va_end(args);
}
