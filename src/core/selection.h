/* Layer: core.  Which interactions are learned from, with what weight, which decide when to
 * stop, and which are left alone: one answer for the network, the tables and the head. */
#ifndef EDDY_CORE_SELECTION_H
#define EDDY_CORE_SELECTION_H

#include <stdbool.h>

#include "core/interactions.h"

enum eddy_part {
    EDDY_PART_TRAINING,
    EDDY_PART_VALIDATION /* newer than the cut; a suffix of the user's rows */
};

/* The weights of Amazon's eventParametersList; types that are not named count 0. */
struct eddy_event_weight {
    const char *type; /* EVENT_TYPE; borrowed */
    double weight;    /* >= 0; only ratios matter */
};

struct eddy_selection_options {
    double validation_fraction;              /* of the events, newest first */
    uint64_t validation_max;                 /* events, at most */
    const struct eddy_event_weight *weights; /* NULL: every type counts 1 */
    uint32_t weight_count;
    bool recency; /* old events count less */
    uint64_t seed;
};

/* A value without memory of its own. Made for one eddy_interactions. */
struct eddy_selection {
    bool positions; /* times say nothing across users: they are positions, or equal */
    bool recency;   /* asked for: what is newer may count more, here and in tables */
    int64_t cut_ms; /* (time, row) of the first validation event; */
    uint32_t cut_row;
    uint64_t share; /* with positions: users whose draw is below it are validated on */
    uint64_t seed;
    float type_weight[256];
    int64_t newest_ms;  /* of all */
    double half_life_s; /* of the weight; 0: no decay */
    double
        popularity_half_life_s; /* that predicts the newest events best; 0: none does */
    uint64_t events, users;     /* all; who have any */
};

/* 0, EDDY_ECONFIG (a named event type does not occur), EDDY_ENOMEM. */
int eddy_selection_init(struct eddy_selection *selection,
                        const struct eddy_interactions *interactions,
                        const struct eddy_selection_options *options,
                        struct eddy_err *err);
/* The same without validation events: they are for training too (the last phase). */
struct eddy_selection eddy_selection_all(const struct eddy_selection *selection);

/* row: index in interactions->rows. Thread: any. */
enum eddy_part eddy_selection_part(const struct eddy_selection *selection,
                                   const struct eddy_interactions *interactions,
                                   uint64_t row);
/* Rows [begin, end) of a user, validation events from *ret_cut on. */
void eddy_selection_user(const struct eddy_selection *selection,
                         const struct eddy_interactions *interactions, uint32_t user,
                         uint64_t *ret_begin, uint64_t *ret_cut, uint64_t *ret_end);
/* Weight of the row as something to predict, by type and age: 1 is the most, 0: it
 * is only seen, never predicted. */
float eddy_selection_weight(const struct eddy_selection *selection,
                            const struct eddy_interaction *row);

#endif
