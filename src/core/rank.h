/* Layer: core.  From a user's recent events and the network's query to his list: the one way
 * for worker, play and stream, so that they agree bit for bit.
 *
 * The dense part of a head is a product like the network's: the matrix of items gets further
 * inputs (bias, then the priors in use), the query the weights of the user's bucket (n_b,
 * p_bh), and one kernel sums both in fixed order: query first, bias, priors by number. A
 * head without a dense part of its own is scored with the network's matrix as it is. */
#ifndef EDDY_CORE_RANK_H
#define EDDY_CORE_RANK_H

#include "core/score.h"
#include "core/shown.h"
#include "core/snapshot.h"
#include "core/state.h"

/* What a list is made of, borrowed. */
struct eddy_rank_model {
    const struct eddy_kernels *kernels;
    const struct eddy_packed *items; /* the network's, or one of eddy_rank_pack */
    uint32_t hidden;
    const struct eddy_tables *tables;
    const struct eddy_head *head;
};
struct eddy_rank_model eddy_rank_model_of(const struct eddy_snapshot *snapshot);

/* Whether head and tables need a matrix of their own. */
bool eddy_rank_is_dense(const struct eddy_tables *tables, const struct eddy_head *head);
/* That matrix, owned by the caller, for items >= those of the layout: further ones have no
 * embedding and the bias cold_bias. Priors and the place of items without events are those
 * of tables. 0 or EDDY_ENOMEM. */
int eddy_rank_pack(struct eddy_packed *ret, const struct eddy_layout *layout,
                   const float *params, uint32_t items, float cold_bias,
                   const struct eddy_tables *tables, const struct eddy_head *head);
/* Put the priors of tables into such a matrix again. */
void eddy_rank_set_priors(struct eddy_packed *matrix, uint32_t hidden,
                          const struct eddy_tables *tables,
                          const struct eddy_head *head);

/* One user. query NULL: no step so far. */
struct eddy_rank_user {
    struct eddy_head_recent recent; /* known items, oldest first */
    const float *query;
    const uint32_t *excluded; /* rising, valid until the run; may be NULL */
    uint32_t excluded_count;
};
/* Room for what eddy_rank_user borrows. */
struct eddy_rank_room {
    uint32_t recent[EDDY_RECENT_MAX];
    struct eddy_head_shown shown[EDDY_SHOWN_MAX];
};
/* Whether the head has something to say to a user without a query; if not, he gets what is
 * popular. What was shown moves a list and makes none. */
bool eddy_rank_knows(const struct eddy_rank_model *model,
                     const struct eddy_rank_user *user);

/* Users of one call of the scorer. One thread's; no allocation after _new. NULL: memory. */
struct eddy_ranker;
struct eddy_ranker *eddy_ranker_new(const struct eddy_rank_model *model,
                                    uint32_t rows_max, uint32_t k_max);
void eddy_ranker_free(struct eddy_ranker *ranker);
/* Takes a user in; false: there is no room, run first. The query must stay valid until the
 * run; recent is read at once. */
bool eddy_ranker_add(struct eddy_ranker *ranker, const struct eddy_rank_user *user);
/* Forgets the users taken in. */
void eddy_ranker_clear(struct eddy_ranker *ranker);
/* Lists (count, k) of the users taken in, in their order; the ranker is empty then. Returns
 * how many. */
uint32_t eddy_ranker_run(struct eddy_ranker *ranker, uint32_t k,
                         struct eddy_scored *ret, uint32_t *ret_count);

/* The scores of all items instead of lists: ret (count, items). */
uint32_t eddy_ranker_run_all(struct eddy_ranker *ranker, float *ret);

/* The recent events of a state as the head sees them; ret has room for EDDY_RECENT_MAX.
 * count returned. */
uint32_t eddy_rank_recent(const struct eddy_state *state,
                          const struct eddy_catalog *catalog, uint32_t *ret);
/* Whether an impression changes the list of such a state: the head looks at what was shown,
 * and there are events, so that there is a list. */
bool eddy_rank_moves(const struct eddy_state *state,
                     const struct eddy_snapshot *snapshot);
/* What was shown, as the head sees it: the items of the catalogue below `items`; ret has
 * room for EDDY_SHOWN_MAX. count returned. */
uint32_t eddy_rank_shown(const struct eddy_shown_ring *ring,
                         const struct eddy_catalog *catalog, uint32_t items,
                         struct eddy_head_shown *ret);

#endif
