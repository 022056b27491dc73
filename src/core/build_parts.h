/* Layer: core.  Parts of build.c: sessions and cases out of a log, and which tables it gets.
 * Private to build*.c. Rows "before the cut" are those that a selection calls training; with
 * eddy_selection_all that is every row. */
#ifndef EDDY_CORE_BUILD_PARTS_H
#define EDDY_CORE_BUILD_PARTS_H

#include "core/build.h"

/* What a model without a network has instead: the shape's sizes, an empty block, and what
 * training counts on the way. EDDY_ENOMEM and those of eddy_train_select. */
int eddy_build_no_network(const struct eddy_interactions *in,
                          const struct eddy_train_options *options,
                          struct eddy_train_result *ret, struct eddy_err *err);

/* Sessions of the rows before the cut, by the time of their last event. Rows of weight 0
 * (types that do not count) are left out. */
struct eddy_build_views {
    struct eddy_session_view *views;
    uint32_t *items; /* backing memory */
    uint32_t count;
};
/* gap_s: silence that ends a session; 0: a user is one. 0, EDDY_ENOMEM, EDDY_EIO. */
int eddy_build_views_init(struct eddy_build_views *views,
                          const struct eddy_interactions *in,
                          const struct eddy_selection *selection, uint32_t gap_s,
                          struct eddy_err *err);
void eddy_build_views_fini(struct eddy_build_views *views);

/* Validation events as cases of eddy_head_fit, a sample when there are many. */
struct eddy_build_cases {
    struct eddy_head_case *cases;
    uint32_t count;
    uint32_t *items; /* backing memory */
    struct eddy_head_shown *shown;
    float *queries;
    bool repeats; /* answers are often items that the user has had lately */
};
#define EDDY_BUILD_NO_ANSWER UINT32_MAX
/* selection NULL: instead of validation events a sample of users as they stand after the
 * last row, without answers. network: the state before each case, from the parameters that
 * have not seen it (fitted), if there are any; NULL: none. users: metadata of users that goes
 * into queries; context: of the events before; NULL: none. 0, EDDY_ENOMEM. */
int eddy_build_cases_init(
    struct eddy_build_cases *cases, const struct eddy_interactions *in,
    const struct eddy_selection *selection, const struct eddy_train_options *options,
    const struct eddy_train_result *network, const struct eddy_features *users,
    const struct eddy_context_index *context, struct eddy_err *err);
void eddy_build_cases_fini(struct eddy_build_cases *cases);

/* Items that have no row before the cut, and how a head may treat them (build_cold.c). */
struct eddy_build_cold {
    uint32_t items, count;
    uint8_t *is;  /* (items) */
    bool learned; /* the network has been trained to rank them (ID dropout) */
};
int eddy_build_cold_init(struct eddy_build_cold *cold,
                         const struct eddy_interactions *in,
                         const struct eddy_selection *selection); /* 0, EDDY_ENOMEM */
void eddy_build_cold_fini(struct eddy_build_cold *cold);
/* The cases whose answer is not one of them into ret (count); how many. */
uint32_t eddy_build_cold_cases(const struct eddy_build_cold *cold,
                               const struct eddy_head_case *cases, uint32_t count,
                               struct eddy_head_case *ret);
/* Gives them the mean of each prior. */
void eddy_build_cold_priors(const struct eddy_build_cold *cold,
                            struct eddy_tables *tables);
/* Makes a head that leaves the network out somewhere hear it there, faintly. */
void eddy_build_cold_network(struct eddy_head *head);
/* How they stand in lists: their scores drawn together, pulled to the level of each list, and
 * their share of how many first places. places 0: as they are. */
struct eddy_build_stand {
    double spread, pull, share;
    uint32_t places;
};
/* What a network and a head are asked for by these cases. tables: with
 * eddy_build_cold_priors. */
struct eddy_build_lists {
    const struct eddy_layout *layout;
    const float *params;
    const struct eddy_tables *tables;
    const struct eddy_head *head;
    const struct eddy_head_case *cases;
    uint32_t count;
};
/* Such that they keep, with the head, the places that the network alone gives them, at least
 * some when it has learned to, or as many of those as cost these lists next to nothing. The
 * network and the tables have not seen the cases. 0 or EDDY_ENOMEM. */
int eddy_build_cold_stand(const struct eddy_build_cold *cold,
                          const struct eddy_build_lists *lists,
                          struct eddy_build_stand *ret);
/* What of their scores (core/head.h, eddy_cold_items) makes them stand so in these lists,
 * which need no answers. ret: (2 + H) spread, shift, level. 0 or EDDY_ENOMEM. */
int eddy_build_cold_place(const struct eddy_build_cold *cold,
                          const struct eddy_build_lists *lists,
                          const struct eddy_build_stand *stand, float *ret);
/* Gives the items that place, if it changes anything. ret is freed with its tables, also
 * after EDDY_ENOMEM. */
int eddy_build_cold_items(const struct eddy_build_cold *cold, uint32_t hidden,
                          const float *place, struct eddy_cold_items *ret);

/* Parts of the work on tables and head, as they are told to eddy_build_steps. */
enum eddy_build_part {
    EDDY_BUILD_CASES = 1,
    EDDY_BUILD_CHOICE,
    EDDY_BUILD_FIT_TABLES,
    EDDY_BUILD_FIT,
    EDDY_BUILD_TABLES,
    EDDY_BUILD_STREAM,
    EDDY_BUILD_PARTS = EDDY_BUILD_STREAM
};
/* steps->begin with "tables: WHAT"; steps NULL: nothing. */
void eddy_build_say(const struct eddy_build_steps *steps, const char *what,
                    enum eddy_build_part part);

/* Which tables, and how they are made. */
struct eddy_build_plan {
    const struct eddy_build_steps
        *steps;                /* told what eddy_build_tables works at; NULL */
    enum eddy_build_part part; /* and for which part */
    bool related, rules, sessions;
    struct eddy_related_options closed_form;
    uint32_t related_gap_s; /* of the sessions for closed form and neighbours */
    double
        related_pairs_max; /* in sessions of the closed form: older ones are left out */
    struct eddy_counters_options counters;
    uint32_t rules_gap_s, rules_width;
    uint64_t rules_rows_max; /* newest rows that are counted */
    uint64_t sessions_events_max;
};
/* All tables, with settings of published models, popularity by several half-lives. */
struct eddy_build_plan eddy_build_plan_defaults(const struct eddy_interactions *in,
                                                const struct eddy_selection *selection,
                                                uint32_t session_gap_s,
                                                uint32_t threads);
/* Settings that predict the cases best from the rows before the cut, out of a few. The
 * closed form is tried on few items: what is best there is best on more, at a hundredth of
 * the time. */
int eddy_build_plan_choose(struct eddy_build_plan *plan,
                           const struct eddy_interactions *in,
                           const struct eddy_selection *selection,
                           const struct eddy_build_cases *cases, uint32_t threads,
                           struct eddy_err *err);
/* The plan's tables from the rows before the cut. ret: free with eddy_tables_fini. */
int eddy_build_tables(const struct eddy_build_plan *plan,
                      const struct eddy_interactions *in,
                      const struct eddy_selection *selection, struct eddy_tables *ret,
                      struct eddy_err *err);

#endif
