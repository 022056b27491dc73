/* Layer: core.  From interactions to everything a snapshot holds: the network, the tables, and
 * the head that weighs them. Order of work, so that nothing is fitted on what it has seen:
 *   1. the network on all but the validation events (eddy_train), its best epoch kept;
 *   2. tables of the rows before the validation cut;
 *   3. the head on the validation events, with that network and those tables;
 *   4. tables of all rows, the network finished on all rows (eddy_train's last phase);
 *   5. where items without events stand in lists, as 3. has chosen it, found again with these.
 * Filters of rows (hold-out, event type, threshold, history length) come before. */
#ifndef EDDY_CORE_BUILD_H
#define EDDY_CORE_BUILD_H

#include "core/features.h"
#include "core/head_fit.h"
#include "core/live.h"
#include "core/train.h"

struct eddy_build_inputs {
    const struct eddy_interactions *interactions;
    const struct eddy_catalog *items; /* metadata columns, items first in interactions'
                                         indices; NULL: none */
    const struct eddy_catalog *users; /* metadata columns by user id; NULL: none */
    /* What their values do not decide, as eddy_vocabulary_learn; NULL: nothing. */
    const char *item_kinds, *user_kinds, *context_kinds;
};
/* Who is told what is worked at outside of the epochs. begin: `what` (borrowed for the call)
 * begins, part `part` of `parts` from 1, 0 of 0 where they are not counted. */
struct eddy_build_steps {
    void (*begin)(void *context, const char *what, uint32_t part, uint32_t parts);
    void *context;
};
struct eddy_build_options {
    struct eddy_train_options train;
    struct eddy_build_steps steps; /* begin NULL: nobody */
    bool network;                  /* false: tables alone (hidden 0 in the shape) */
    bool tables;                   /* false: the network alone (head plain) */
    bool impressions;              /* false: what was shown is not looked at */
    bool item_metadata, user_metadata;
    bool context_metadata; /* context columns, unless train.context is false */
};
struct eddy_build_result {
    struct eddy_train_result network;
    struct eddy_tables tables;
    struct eddy_head head;
    struct eddy_stream_head stream_head;   /* refresh_s 0: none */
    struct eddy_vocabularies vocabularies; /* NULL: none */
    struct eddy_context_index *context;    /* of vocabularies.context */
    double plain_ndcg, plain_mrr, head_ndcg,
        head_mrr; /* of eddy_head_fit; 0: not fitted */
};
/* Thread: trainer. Errors: those of eddy_train. progress may be NULL. */
int eddy_build(const struct eddy_build_inputs *inputs,
               const struct eddy_build_options *options,
               eddy_train_progress_fn progress, void *context,
               struct eddy_build_result *ret, struct eddy_err *err);
void eddy_build_result_fini(struct eddy_build_result *result);

/* The simple models that any other must beat, with published settings but for what has to be
 * chosen for a log (below), as heads with one feature or prior and no network (hidden 0 in
 * the layout's shape, plain params): played by the same code as the model that they are
 * compared with. */
enum eddy_baseline {
    EDDY_BASELINE_POPULARITY,        /* log-popularity */
    EDDY_BASELINE_RECENT_POPULARITY, /* with a half-life of 7 days */
    EDDY_BASELINE_MARKOV,            /* what followed the last item, by count */
    EDDY_BASELINE_RULES,       /* sequential rules, window 10, from the last items */
    EDDY_BASELINE_NEIGHBOURS,  /* VSTAN, 5,000 candidates, 500 neighbours */
    EDDY_BASELINE_CLOSED_FORM, /* SLIST; EDDY_ENOMEM on large catalogues */
    EDDY_BASELINES
};
extern const char *const eddy_baseline_names[EDDY_BASELINES]; /* "popularity", ... */
struct eddy_baseline_options {
    uint32_t threads;
    bool exclude_seen; /* lists will leave out what the user has had */
};
/* What was chosen on the newest twentieth of the rows given. */
struct eddy_baseline_choice {
    uint32_t cases; /* events that decided; 0: too few, or nothing to choose */
    double
        age_decay_days; /* neighbours: sessions count exp(-age / this); 0: all alike */
    double age_half_life_days; /* closed form; 0: sessions do not age */
    bool zero_diagonal;        /* closed form: no item speaks for itself */
};
/* Fits on all rows given: cut off what is to be predicted first. Settings of neighbours and
 * closed form are chosen on these rows alone; ret_choice may be NULL. Closed form and
 * neighbours get popularity as a prior of very small weight, for the items that they say
 * nothing about. ret->network has layout, empty params and popularity; free with
 * eddy_build_result_fini. Thread: trainer. EDDY_ENOMEM, EDDY_EFORMAT (no rows,
 * or no session for neighbours). */
int eddy_build_baseline(const struct eddy_interactions *training,
                        enum eddy_baseline kind,
                        const struct eddy_baseline_options *options,
                        struct eddy_build_result *ret,
                        struct eddy_baseline_choice *ret_choice, struct eddy_err *err);

#endif
