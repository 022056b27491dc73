/* Layer: app.  Progress of work that calls nobody while it goes on: reading a file, fitting a
 * table. A thread of its own shows on stderr what is worked at and for how long: on a
 * terminal one line that rewrites itself, elsewhere a plain line when a step has lasted two
 * seconds, and then every five. */
#ifndef EDDY_APP_BUSY_H
#define EDDY_APP_BUSY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct eddy_busy {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running; /* there is a thread; false when quiet: then nothing is shown */
    /* Under the lock. */
    bool stopping, terminal, drawn;
    char what[160]; /* "": nothing is shown */
    uint64_t begin_ns, said_ns;
};

/* Nothing is worked at yet. Without a thread (quiet, or none to be had) the others do nothing.
 * Thread: that of the command, as of all others here. */
void eddy_busy_start(struct eddy_busy *busy, bool quiet);
/* What is worked at from now on (printf text). */
__attribute__((format(printf, 2, 3))) void eddy_busy_step(struct eddy_busy *busy,
                                                          const char *fmt, ...);
/* Take the line away, show nothing up to the next step: before anybody else writes to stderr.
 * Cheap. */
void eddy_busy_pause(struct eddy_busy *busy);
void eddy_busy_stop(struct eddy_busy *busy);

#endif
