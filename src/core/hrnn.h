/* Layer: core.  Serving side of the HRNN (mathematics: core/params.h): packed weights and
 * one step for many users at once. Bits of a user's result do not depend on the others in
 * the call. */
#ifndef EDDY_CORE_HRNN_H
#define EDDY_CORE_HRNN_H

#include "core/kernel.h"
#include "core/params.h"
#include "core/step.h"

struct eddy_hrnn;

/* Pack the parameters (borrowed during the call only). Takes twice the memory of the
 * block: the item table is read by rows in a step and by panels in scoring. Nothing in it
 * changes later: any thread may use it. Owned: eddy_hrnn_free. NULL: memory. */
struct eddy_hrnn *eddy_hrnn_new(const struct eddy_layout *layout, const float *block,
                                const struct eddy_kernels *kernels);
void eddy_hrnn_free(struct eddy_hrnn *hrnn);
const struct eddy_shape *eddy_hrnn_shape(const struct eddy_hrnn *hrnn);
const struct eddy_kernels *eddy_hrnn_kernels(const struct eddy_hrnn *hrnn);
/* Item embeddings and biases packed for scoring: score = items * query. Borrowed. */
const struct eddy_packed *eddy_hrnn_items(const struct eddy_hrnn *hrnn);

/* Floats of hidden state of one user: session level (L, H), then, in modes init and all,
 * user level (H), then the query (H). All zero for a new user. */
uint32_t eddy_hrnn_state_floats(const struct eddy_shape *shape);
/* Offset of the query (H floats) in the hidden state. */
uint32_t eddy_hrnn_query_offset(const struct eddy_shape *shape);

/* Scratch of one thread for at most rows_max rows at once. Bench: 64 rows are enough for
 * the full rate. Owned: eddy_hrnn_scratch_free. NULL: memory. */
struct eddy_hrnn_scratch;
struct eddy_hrnn_scratch *eddy_hrnn_scratch_new(const struct eddy_shape *shape,
                                                uint32_t rows_max);
void eddy_hrnn_scratch_free(struct eddy_hrnn_scratch *scratch);

/* One event for each of n users: hidden[r] moves by steps[r]. n may exceed rows_max (done
 * in slices). steps[r].item < V, .type < T, .gap < EDDY_GAPS,
 * features of context <= Mc. A step marked first starts
 * from the zero state whatever hidden[r] holds. scratch: made for a shape equal in hidden
 * dimension. No allocation. Thread: the scratch's owner. */
void eddy_hrnn_step(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                    uint32_t n, const struct eddy_step *steps, float *const *hidden);

/* The same where not every query is read: asked[r] false leaves the query in hidden[r] as it
 * was, which saves all of the last layer but its cell (41 % of two minGRU layers). Session
 * states have the same bits. In modes init and all the query before the first event of a
 * session is read by the user level and has to be asked for. */
void eddy_hrnn_step_asked(const struct eddy_hrnn *hrnn,
                          struct eddy_hrnn_scratch *scratch, uint32_t n,
                          const struct eddy_step *steps, float *const *hidden,
                          const bool *asked);

#endif
