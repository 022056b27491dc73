/* Layer: core.  Histories through the serving kernels: states move event by event as they
 * do in the worker, queries are answered on the way. For `eddy recommend`, `eddy eval` and
 * tests; threads share nothing but the snapshot. */
#ifndef EDDY_CORE_PLAY_H
#define EDDY_CORE_PLAY_H

#include "core/interactions.h"
#include "core/score.h"
#include "core/snapshot.h"

#define EDDY_PLAY_END UINT64_MAX

struct eddy_user_queries; /* core/metadata.h */

struct eddy_play {
    const struct eddy_snapshot *snapshot;
    /* Parsed with the snapshot's catalogue first; items beyond it are unknown: no step. */
    const struct eddy_interactions *interactions;
    uint32_t k, threads;
    bool exclude_seen;
    /* What users' metadata adds to their queries, rows as interactions->users (borrowed);
     * who has some gets a list of his own before his first step. NULL: none. */
    const struct eddy_user_queries *users;
    /* Context of a request, for a query that is wanted; NULL: nothing is known of it, and
     * the events before have to do. Thread: any. */
    struct eddy_context_row (*request)(void *context, uint32_t user, uint64_t row);
    /* What users without a step get: scores per known item (borrowed). */
    const float *popularity;
    /* Is the event at `row` (index in interactions) a query, to be answered from the user's
     * events before it? EDDY_PLAY_END: after all of the user's events. Thread: any; asked
     * once or twice for a row, and has to say the same. */
    bool (*wants)(void *context, uint32_t user, uint64_t row);
    /* A list for such a query, best first. Calls for one user come in his order and on one
     * thread; different users' calls may run at once. */
    void (*list)(void *context, uint32_t user, uint64_t row,
                 const struct eddy_scored *list, uint32_t count);
    /* Not NULL: called in the place of list, with the scores of all items of the snapshot
     * (-infinity: in no list; with exclude_seen those seen); NULL: nothing is known of the
     * user, popularity is all there is. */
    void (*scores)(void *context, uint32_t user, uint64_t row, const float *scores);
    void *context;
};

/* Users [first, first + count). 0 or EDDY_ENOMEM. */
int eddy_play_users(const struct eddy_play *play, uint32_t first, uint32_t count,
                    struct eddy_err *err);

/* Rows in file order, one state per user: the running system on a log. */
struct eddy_stream;
struct eddy_stream_options {
    const struct eddy_snapshot *snapshot;
    const struct eddy_interactions *interactions;
    uint32_t k, threads;
    bool exclude_seen;
    int64_t refresh_ms; /* of event time between refreshes of the tables; 0: never */
    double half_life_s; /* of the popularity table */
    const struct eddy_user_queries *users;  /* as in eddy_play */
    const struct eddy_context_row *request; /* context of all requests; NULL: unknown */
};
int eddy_stream_new(const struct eddy_stream_options *options, struct eddy_stream **ret,
                    struct eddy_err *err);
void eddy_stream_free(struct eddy_stream *stream);

/* The next run of rows in file order (none when all are played): answers, from what came
 * before each, the rows that wants() picks, then moves the states. list() is called in
 * file order on the caller's thread. Returns how many rows, 0 at the end, EDDY_ENOMEM. */
int eddy_stream_next(struct eddy_stream *stream,
                     bool (*wants)(void *context, uint64_t row),
                     void (*list)(void *context, uint64_t row,
                                  const struct eddy_scored *list, uint32_t count),
                     void *context);
/* The list of a user as of now into ret (k); count returned. Thread: the caller's. */
uint32_t eddy_stream_list(struct eddy_stream *stream, uint32_t user,
                          struct eddy_scored *ret);

#endif
