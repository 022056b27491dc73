/* Layer: core.  What a log of interactions is like, before anything is learned from it: how
 * much there is, for whom, how it is spread over users, items and time, whether it moves,
 * whether order matters, who looks like a robot, and what all of this means for training.
 * Pure: no clock, no output; the same log and seed give the same figures. */
#ifndef EDDY_CORE_INSIGHT_H
#define EDDY_CORE_INSIGHT_H

#include "core/features.h"
#include "core/interactions.h"

enum {
    EDDY_INSIGHT_SITTING_S = 1800, /* silence that ends a sitting */
    EDDY_INSIGHT_GUEST_EVENTS = 10,
    EDDY_INSIGHT_ROBOTS = 20,
    EDDY_INSIGHT_DRIFTS = 12,
    EDDY_INSIGHT_SERIES = 400,
    EDDY_INSIGHT_CURVE = 101,
    EDDY_INSIGHT_BUCKETS = 32,
    EDDY_INSIGHT_FINDINGS = 64,
};

/* How counts (events per user, events per item) are spread. Percentiles by nearest rank. */
struct eddy_spread {
    uint64_t count; /* who has at least one event */
    uint64_t min, p1, p5, p25, p50, p75, p90, p95, p99, max;
    double mean, gini;
    double top_1_percent, top_10_percent;     /* share of all events */
    double ones;                              /* share of those with one event */
    uint64_t histogram[EDDY_INSIGHT_BUCKETS]; /* [b]: count in [2^b, 2^(b+1)) */
    float curve[EDDY_INSIGHT_CURVE]; /* [k]: share of events of the top k percent */
};

/* Total-variation distance of the popularity of items between a period and the one before,
 * mean over periods weighted by their events. */
struct eddy_drift {
    int64_t period_ms;
    uint32_t periods; /* that have a period with events just before them */
    double events;    /* mean per such period */
    double drift;     /* as it is */
    double chance;    /* the two periods' events shuffled: what sampling alone gives */
    double
        halves; /* random halves of one period: the base line of Amazon's diagnosis */
};

enum eddy_robot_reason { /* bits */
                         EDDY_ROBOT_RATE = 1,
                         EDDY_ROBOT_REGULAR = 2,
                         EDDY_ROBOT_SLEEPLESS = 4
};
struct eddy_robot {
    uint32_t user;
    uint64_t events;
    unsigned reasons;
};

struct eddy_insight {
    uint64_t events, skipped;
    uint32_t users, items; /* with events */
    uint32_t users_of_two; /* with two events or more */
    uint32_t types;
    uint64_t type_events[256];
    uint64_t with_value;
    double value_min, value_mean, value_max;
    uint64_t with_impression; /* events with IMPRESSION */
    uint64_t shown;           /* places on these lists */
    uint64_t shown_own;       /* of these lists: the event's item is on them */
    uint64_t shown_asked;     /* events whose user has passed something over lately */
    uint64_t shown_taken;     /* of these: the item is one that he had passed over */

    bool has_times; /* false: positions stand for times */
    int64_t first_ms, last_ms;
    uint64_t later_than_now;
    struct eddy_spread per_user, per_item;
    double density; /* share of (user, item) pairs that occur */
    uint64_t pairs;
    uint64_t repeats;      /* events on an item that the user has had */
    uint64_t repeats_next; /* of these: directly after an event on the same item */
    uint64_t duplicates;   /* equal in user, item, time, type and value to another */
    uint64_t out_of_order; /* rows behind a later event of their user in the file */
    uint64_t ties;         /* events at the very time of the user's event before */

    uint64_t sittings;            /* runs without 30 min of silence */
    double sitting_median_events; /* per sitting */
    double gap_median_s;          /* between events of a sitting */
    uint64_t one_event_users;
    uint64_t guests; /* one event; or one sitting of at most 10 events, never again */

    uint64_t robots, robot_events, robot_threshold; /* candidates have more events */
    struct eddy_robot robot[EDDY_INSIGHT_ROBOTS];   /* the busiest ones */
    uint32_t robot_listed;

    int64_t series_ms; /* width of a bucket of series */
    uint32_t series_count;
    uint64_t series[EDDY_INSIGHT_SERIES];
    uint32_t silent_days, longest_silence_days;

    struct eddy_drift drift[EDDY_INSIGHT_DRIFTS]; /* longest period first */
    uint32_t drift_count;

    uint64_t order_events; /* transitions tested */
    double order_hit;      /* next item among ten followers of the last one */
    double order_hit_1;    /* it is the first of them */
    double order_shuffled_1, order_shuffled; /* the same with every history shuffled */
    double order_popular;                    /* next item among the ten most popular */
};

struct eddy_insight_options {
    uint64_t seed;
    int64_t now_ms;            /* 0: not known, events of the future are not counted */
    const int64_t *periods_ms; /* of drift; NULL: 1 y, 90, 30, 7, 1 d, 6, 3, 1 h */
    uint32_t period_count;
};
/* Figures of a log. Thread: any. 0, EDDY_ENOMEM, EDDY_EFORMAT (no event at all). */
int eddy_insight(const struct eddy_interactions *interactions,
                 const struct eddy_insight_options *options, struct eddy_insight *ret,
                 struct eddy_err *err);

/* Parts of it, each adding its own fields. */
int eddy_insight_drift(const struct eddy_interactions *interactions,
                       const struct eddy_insight_options *options,
                       struct eddy_insight *insight);
int eddy_insight_order(const struct eddy_interactions *interactions, uint64_t seed,
                       struct eddy_insight *insight);
int eddy_insight_robots(const struct eddy_interactions *interactions,
                        struct eddy_insight *insight);
void eddy_insight_shown(const struct eddy_interactions *interactions,
                        struct eddy_insight *insight);
/* Why a user counts as a robot, EDDY_ROBOT_ bits; 0: he does not. rows by time. */
unsigned eddy_insight_robot(const struct eddy_interaction *rows, uint64_t count);
/* Spread of n counts; zeros are left out. counts is sorted in place. */
void eddy_spread_compute(uint64_t *counts, uint32_t n, struct eddy_spread *ret);

/* A CSV file seen column by column. */
struct eddy_insight_column {
    char name[128];
    enum eddy_column_kind kind; /* IGNORED: ids, times, what is not metadata */
    uint64_t filled;
    uint64_t distinct; /* counted up to 65536 */
    double words;      /* mean of filled cells */
    double min, max;   /* of numeric ones */
};
struct eddy_insight_table {
    char name[256]; /* of the file */
    uint64_t rows, broken;
    uint64_t ids;            /* different ones */
    uint64_t repeated_ids;   /* rows whose id was there before */
    uint64_t without_events; /* ids that the interactions do not have */
    uint64_t anonymous;      /* rows with a SESSION_ID and no USER_ID, or both equal */
    bool has_session;        /* a column SESSION_ID */
    uint32_t column_count;
    struct eddy_insight_column *columns; /* malloced: eddy_insight_table_fini */
};
/* id_column "ITEM_ID" or "USER_ID"; known: ids with events (NULL: ids are not looked at,
 * as for the interactions themselves). 0, EDDY_ENOMEM, EDDY_EFORMAT (no header). */
int eddy_insight_table_parse(struct eddy_span csv, const char *name,
                             const char *id_column, const struct eddy_catalog *known,
                             struct eddy_insight_table *ret, struct eddy_err *err);
void eddy_insight_table_fini(struct eddy_insight_table *table);

enum eddy_finding_level { EDDY_FINDING_NOTE, EDDY_FINDING_WARNING, EDDY_FINDING_STOP };
/* Something worth knowing, and what to do about it. */
struct eddy_finding {
    const char *code; /* "few_events", stable, static */
    enum eddy_finding_level level;
    char text[240];
    char advice[280];
};
/* From figures to findings, gravest first; tables may be NULL. Returns how many. */
uint32_t eddy_insight_advise(const struct eddy_insight *insight,
                             const struct eddy_insight_table *log,
                             const struct eddy_insight_table *items,
                             const struct eddy_insight_table *users,
                             struct eddy_finding ret[EDDY_INSIGHT_FINDINGS]);

/* The shortest period over which popularity drifts beyond chance, and the next shorter one
 * (0: none). */
void eddy_insight_retraining(const struct eddy_insight *insight, int64_t *ret_due_ms,
                             int64_t *ret_calm_ms);

#endif
