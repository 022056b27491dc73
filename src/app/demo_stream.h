/* Layer: app.  Where the demo's clicks come from, and what is known of everybody who
 * clicks: the generated world, or the user's own interactions, behind one struct. */
#ifndef EDDY_APP_DEMO_STREAM_H
#define EDDY_APP_DEMO_STREAM_H

#include "app/demo_world.h"
#include "base/hash.h"
#include "core/event.h"
#include "core/interactions.h"

enum { EDDY_DEMO_RECENT = 6, EDDY_DEMO_LIST = 25 };

/* A user of the live part. Item numbers are indices of the demo's catalogue. */
struct eddy_demo_user {
    char id[64];
    uint32_t clicks[EDDY_DEMO_RECENT]; /* newest first */
    uint32_t click_count;
    uint32_t list[EDDY_DEMO_LIST], list_count;     /* newest seen on the topic */
    uint32_t before[EDDY_DEMO_LIST], before_count; /* the one before it */
    uint64_t revision;
    uint64_t sent;        /* clicks sent */
    uint64_t last_offset; /* of the newest event in the log, UINT64_MAX: none */
};

struct eddy_demo_click {
    uint32_t user; /* index into users */
    uint32_t item;
    int64_t ts_ms;
    char type[EDDY_TYPE_MAX + 1];
};

struct eddy_demo_stream {
    struct eddy_catalog *catalog; /* titles and groups */
    struct eddy_demo_user *users;
    uint32_t user_count;
    struct eddy_map user_index; /* eddy_hash64(id) -> index */
    uint32_t group_column;      /* GENRE, GENRES or CATEGORY; UINT32_MAX: none */
    struct eddy_buf training;   /* interactions CSV to learn from */
    /* one of: */
    struct eddy_world *world;
    struct eddy_interactions own; /* rows of the live part, in order of time */
    uint64_t next_row, past_rows; /* rows before past_rows are the live users' past */
    struct eddy_rng rng;
};

/* A generated world. EDDY_ENOMEM. */
int eddy_demo_stream_world(struct eddy_demo_stream *stream, uint32_t items,
                           uint32_t users, uint64_t seed, struct eddy_err *err);

/* The user's own data: the first 90 % of the rows by time are for training, the rest are
 * played live, after the last 20 earlier rows of everybody who appears in them. items may
 * be NULL. EDDY_EFORMAT, EDDY_EIO as the readers say. */
int eddy_demo_stream_own(struct eddy_demo_stream *stream, const char *interactions,
                         const char *items, struct eddy_err *err);
void eddy_demo_stream_fini(struct eddy_demo_stream *stream);

/* The next click; false: own data have come to their end. Moves the user's click ring. */
bool eddy_demo_stream_next(struct eddy_demo_stream *stream, int64_t now_ms,
                           struct eddy_demo_click *ret);
/* Clicks of the past that are to be sent before the live part begins. */
uint64_t eddy_demo_stream_past(const struct eddy_demo_stream *stream);

/* Group text of an item, "" when there is none; whether two items share a group (groups of
 * an item are separated by '|'). */
struct eddy_span eddy_demo_group(const struct eddy_demo_stream *stream, uint32_t item);
bool eddy_demo_same_group(const struct eddy_demo_stream *stream, uint32_t a,
                          uint32_t b);

#endif
