/* Layer: app.  Progress of anything that takes longer than two seconds: one line that
 * rewrites itself on a terminal, a plain line every five seconds into a file or pipe,
 * nothing with --quiet. Always on stderr, so that stdout stays machine-readable. */
#ifndef EDDY_APP_PROGRESS_H
#define EDDY_APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct eddy_progress {
    const char *label; /* "loading", borrowed */
    const char *unit;  /* "events", borrowed */
    uint64_t total;    /* 0: not known */
    bool quiet, terminal, drawn;
    bool slow;    /* set by who has few and long units: no rate is shown, the time left
                      comes from the mean since the start */
    bool steady;  /* set by who shows a phase in the note: no counts are shown, the time
                      left comes from that mean, too */
    bool at_most; /* the total may not be reached */
    uint64_t base; /* of a slow or steady one: done before the start */
    uint64_t start_ns, last_ns, last_done;
    double rate; /* per second, smoothed over about three seconds */
    double mean; /* per second, since the start */
};

void eddy_progress_init(struct eddy_progress *progress, const char *label,
                        const char *unit, uint64_t total, bool quiet);

/* The start is now, with so many done; the line stays. */
void eddy_progress_restart(struct eddy_progress *progress, uint64_t done);

/* done of total are done; note ("" or e.g. "loss 4.21") is shown behind. Cheap: draws at
 * most ten times a second on a terminal and every five seconds elsewhere. */
void eddy_progress_update(struct eddy_progress *progress, uint64_t done,
                          const char *note);

/* Take the line away. */
void eddy_progress_clear(struct eddy_progress *progress);

/* Replace the line by a last one (printf text, newline added). Shown also where no
 * progress line was due yet, but not when quiet. */
__attribute__((format(printf, 2, 3))) void eddy_progress_finish(
    struct eddy_progress *progress, const char *fmt, ...);

/* A line of its own above the progress line (e.g. one per epoch). */
__attribute__((format(printf, 2, 3))) void eddy_progress_say(
    struct eddy_progress *progress, const char *fmt, ...);

#endif
