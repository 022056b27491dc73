/* Layer: core.  Items as the network sees them in training: what was learned for the item
 * itself (e, b: the tensors "item_embedding" and "item_bias" while training) and what its
 * metadata says (core/params.h):
 *     E[i] = m_i e_i + F[f_i],  bias[i] = m_i b_i + (1 - m_i) b_cold + w . f_i
 * m_i is 0 for an item without an event in training, and, while F, w and b_cold learn to do
 * without e and b, by chance for any other, drawn anew for every batch (DropoutNet, Volkovs
 * et al. 2017), on the input and the output side together. That is after the network has
 * learned (core/train_tower.c). An item without an event is no candidate of the loss: as a
 * negative that is never right it would only sink.
 *
 * In service it competes as an item of its metadata that nothing else is known of: b_cold is
 * what makes ids that were dropped as likely as they are. Some items have no event because
 * nobody wants them, not because they are new; how many, the log says by how many items it
 * holds once and twice (see eddy_train_items_finish).
 *
 * Training that goes on from an older model sees few of its users again, and not all of its
 * items. An item that it sees nothing of is no candidate of the loss either, but keeps what
 * the older model knew, be it from metadata alone: its vector and its bias come back when
 * the model serves.
 * Private to training. */
#ifndef EDDY_CORE_TRAIN_ITEMS_H
#define EDDY_CORE_TRAIN_ITEMS_H

#include "core/features.h"
#include "core/train_network.h"

struct eddy_train_items {
    const struct eddy_layout *layout;
    const struct eddy_features *features; /* V rows; NULL: no metadata */
    uint32_t items, hidden, threads;
    double dropout;   /* of item ids; used with features alone */
    uint8_t *known;   /* (V) has an event in training */
    uint32_t unknown; /* items that have none, and nothing kept */
    /* Of an older model, NULL: none: (V) whether E of it is in e; (V) its biases. */
    uint8_t *kept;
    float *kept_bias;
    /* With features: E and bias of the present batch. NULL without. */
    float *table, *bias;
    /* (V, H), (V): what known items count as while they are themselves; NULL: e, b, F, w */
    float *fixed, *fixed_bias;
    bool *reads;  /* (V) whether the batch reads an item; NULL: every batch reads all */
    uint64_t key; /* of the draws of m */
    bool drops;   /* m is drawn; false: all known items count as themselves */
    bool serving; /* items without an event are candidates */
};

/* layout and features (may be NULL) are borrowed for the struct's life. 0, EDDY_ENOMEM. */
int eddy_train_items_init(struct eddy_train_items *items,
                          const struct eddy_layout *layout,
                          const struct eddy_features *features, double dropout,
                          uint32_t threads);
void eddy_train_items_fini(struct eddy_train_items *items);

/* Says that batches read few items. From then on each names them before
 * eddy_train_items_batch: eddy_train_items_forget those of the last one, then set reads. The
 * bits stay the same, time per batch is that of the items it reads. No effect without
 * features. 0, EDDY_ENOMEM. */
int eddy_train_items_read_few(struct eddy_train_items *items);
void eddy_train_items_forget(struct eddy_train_items *items);

/* Says that params hold an item's vector and bias of an older model; before the first
 * eddy_train_items_know. 0, EDDY_ENOMEM. */
int eddy_train_items_keep(struct eddy_train_items *items, uint32_t item,
                          const float *params);

/* Which items have an event, as input or target, in these sequences; and in params (the
 * moving block, whose start values are set): e of the others becomes 0 (of kept ones it
 * stays), b what keeps them out of the loss. Called again for other sequences (the last
 * phase), it gives items that have become known a start. */
void eddy_train_items_know(struct eddy_train_items *items,
                           const struct eddy_sequence *sequences, uint32_t count,
                           uint64_t seed, float *params);

/* E and bias for a batch of training, from params, of what the batch reads; hides: m is drawn
 * with the batch's key. Then views of params see them through eddy_train_items_view. No
 * effect without features. */
void eddy_train_items_batch(struct eddy_train_items *items, const float *params,
                            bool hides, uint64_t key);
/* With features: known items are from now on what they are now, unless they are hidden; e, b
 * follow F, w when they are let go. 0, EDDY_ENOMEM. */
int eddy_train_items_fix(struct eddy_train_items *items, const float *params);
void eddy_train_items_let_go(struct eddy_train_items *items, float *params);
/* While known items are fixed: b_cold becomes their mean bias, F and w the ridge regression
 * of what they are on their metadata (train_regress.c), from which learning to do without
 * ids begins. The same for any number of threads. 0, EDDY_ENOMEM: then F and w may be half
 * made. */
int eddy_train_items_regress(struct eddy_train_items *items, float *params);
/* The same without drawing: for validation. Items without an event are no candidates there
 * either: when to stop is a matter of what can be learned. */
void eddy_train_items_all(struct eddy_train_items *items, const float *params);
void eddy_train_items_view(const struct eddy_train_items *items,
                           struct eddy_net_view *view);

/* After a backward pass with such a view: gradients by E and bias, in the block's
 * "item_embedding" and "item_bias", become those by e, b, F, w and b_cold. Thread: any, for
 * blocks of their own. */
void eddy_train_items_chain(const struct eddy_train_items *items, float *gradients);

/* After a step of the optimiser with this rate: F and w shrink (AdamW, Loshchilov and Hutter
 * 2019). A feature whose items agree keeps its size, one that only tells items apart does
 * not, and would be of no use to new ones. */
void eddy_train_items_shrink(const struct eddy_train_items *items, double rate,
                             float *params);

/* Params of training -> params of a snapshot: E and bias instead of e and b. Of the items
 * without an event, three times as many as Chao's estimate (1984, a lower bound:
 * once^2 / (2 twice)) are taken to be unwanted ones: the share of the others is the chance
 * that such an item is new, and its logarithm, not below -3, goes into their bias. Without
 * features an item without an event gets a zero vector and, as bias, a low score: the
 * COLD_QUANTILE of what known items score on average, for which mean_query (H) is a mean of
 * queries. */
void eddy_train_items_finish(struct eddy_train_items *items, const float *mean_query,
                             float *params);
/* And back, for training that goes on from a snapshot, after the first
 * eddy_train_items_know: e and b of the kept items that it was told of. */
void eddy_train_items_resume(struct eddy_train_items *items, float *params);

#endif
