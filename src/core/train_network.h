/* Layer: core.  The network over a pack of histories: forward, loss, backward. One of these
 * per thread of training; the mathematics stands in core/params.h. Private to training. */
#ifndef EDDY_CORE_TRAIN_NETWORK_H
#define EDDY_CORE_TRAIN_NETWORK_H

#include <stdbool.h>

#include "core/features.h"
#include "core/sequence.h"
#include "core/train_vector.h"

/* The tensors of one layer, as pointers into a block; NULL when the shape has none. */
struct eddy_net_layer {
    float *tensor[EDDY_LAYER_COUNT];
};
/* All tensors of a block by name. */
struct eddy_net_view {
    float *tensor[EDDY_GLOBAL_COUNT];
    struct eddy_net_layer layers[EDDY_LAYERS_MAX];
};

/* What forward keeps for backward, one layer. H hidden, rows of the pack. */
struct eddy_net_saved {
    float *z, *c; /* (rows, H) mingru: gate, candidate */
    float *gates,
        *hn;   /* (rows, 3H), (rows, H) gru: activations r z n, hidden side of n */
    float *s;  /* (rows, H) states */
    float *s0; /* (segments, H) state before the segment */
    float *uc; /* (segments, C) Uz c, mode all */
    float *xhat1, *y1;  /* (rows, H) first norm */
    float *u;           /* (rows, 4H) before gelu */
    float *xhat2;       /* (rows, H) second norm */
    float *rsd1, *rsd2; /* (rows) */
};

/* Items drawn as negatives for a pack: half uniform, half by support^0.75. */
struct eddy_sampler {
    uint32_t items;
    double *probability; /* (V) */
    double *accept;      /* (V) Walker's alias table */
    uint32_t *alias;
    uint32_t *births; /* (V) seconds since the first event of all at which the item was
                         first seen; zeros until the caller fills them */
};
/* support: how often each item is a target. 0 or EDDY_ENOMEM. */
int eddy_sampler_init(struct eddy_sampler *sampler, const uint64_t *support,
                      uint32_t items);
void eddy_sampler_fini(struct eddy_sampler *sampler);
/* count items, with replacement; a function of key. */
void eddy_sampler_draw(const struct eddy_sampler *sampler, uint64_t key, uint32_t count,
                       uint32_t *ret_items);

enum eddy_loss { EDDY_LOSS_SOFTMAX, EDDY_LOSS_BPR_MAX };

struct eddy_net {
    struct eddy_layout layout;
    const struct eddy_train_vector *vector;
    uint32_t hidden, layers, items, gates; /* H, L, V, C = rows of uz */
    uint32_t rows_max, segments_max;
    uint32_t chunk; /* rows of logits at a time */

    /* Set by the caller before forward. */
    struct eddy_net_view params, grads;
    uint32_t bptt;  /* gradient stops every so many events; 0: never */
    double dropout; /* 0: none */
    uint64_t key;   /* of the dropout masks, with the keys of the rows */
    const struct eddy_features *users; /* rows by user, added to queries; NULL: none */
    double
        request_share; /* of targets whose queries have the context of their requests */
    const struct eddy_sampler *sampler; /* NULL: full softmax */
    uint64_t sample_key;                /* of the negatives of this pack */
    enum eddy_loss loss;                /* bpr_max needs a sampler */
    float bpreg, elu;                   /* of bpr_max */

    /* Saved by forward. */
    float *xhat0, *rsd0; /* (rows, H), (rows) input norm */
    float
        *x[EDDY_LAYERS_MAX + 1]; /* (rows, H) input of each layer; the last: queries */
    struct eddy_net_saved saved[EDDY_LAYERS_MAX];
    float *queries; /* (rows and starts, H) what scores items: the last x, or `query` */
    float *
        query; /* (rows and starts, H) with users' metadata and the context of requests;
                    NULL: neither is in the shape */
    float *user;                 /* (segments, H) c during the segment */
    float *user_gates, *user_hn; /* (segments, 3H), (segments, H) */

    /* Scratch. */
    float *wide;                 /* (rows, 4H) */
    float *wide2;                /* (rows, 4H) */
    float *narrow, *narrow2;     /* (rows, H) */
    float *dx;                   /* (rows, H) gradient at the present x */
    float *ds0, *duser;          /* (L, segments, H), (segments, H) */
    float *carry, *segment_wide; /* (segments, H), (segments, 6H) */
    float *logits;               /* (chunk, V) */
    uint32_t negatives;          /* S; 0: full softmax only */
    uint32_t *sample_items;      /* (S) */
    uint32_t *sample_births;     /* (S) */
    float *sample_embedding;     /* (S, H) */
    float *sample_gradient;      /* (S, H) */
    float *sample_correction;    /* (S) bias - log(S probability) */
    float *sample_bias_gradient; /* (S) */
    double flops;                /* of matrix products so far */
    float *memory;
};

/* Pointers of a block by tensor. */
void eddy_net_view_init(struct eddy_net_view *view, const struct eddy_layout *layout,
                        float *block);

/* Buffers for packs of up to rows_max rows; for_training: also those that only backward
 * needs; negatives: for a sampled softmax. 0 or EDDY_ENOMEM. */
int eddy_net_init(struct eddy_net *net, const struct eddy_layout *layout,
                  uint32_t rows_max, bool for_training, uint32_t negatives);
void eddy_net_fini(struct eddy_net *net);

/* Queries after every row of the pack into net->x[L]. */
void eddy_net_forward(struct eddy_net *net, const struct eddy_pack *pack);
/* The weighted sum of -log softmax(target) over the pack's targets; with `scale` the
 * gradients of scale * loss by the queries (into net->dx) and, added to net->grads, by item
 * embedding and bias. After forward. With a sampler the loss is over the target and the
 * drawn items. */
double eddy_net_loss(struct eddy_net *net, const struct eddy_pack *pack, float scale);
/* From net->dx to net->grads (added). After forward and loss. */
void eddy_net_backward(struct eddy_net *net, const struct eddy_pack *pack);

/* Asks for the lines of a row of n floats that will be changed soon. */
static inline void eddy_net_fetch(const float *row, uint32_t n)
{
    enum { LINE = 16 };
    for (uint32_t i = 0; i < n; i += LINE)
        __builtin_prefetch(row + i, 1);
}

/* --- between the files of the network --- */

/* Rows and segments of a wave. */
struct eddy_wave {
    uint32_t segment, segments, row, rows;
};
struct eddy_wave eddy_net_wave(const struct eddy_pack *pack, uint32_t wave);

/* Places of dropout, per layer 1 + 2 l + {0, 1} after the input's 0. */
struct eddy_dropout eddy_net_dropout(const struct eddy_net *net, uint64_t row_key,
                                     uint32_t place);
/* Does the gradient stop before this position of a sequence? */
static inline bool eddy_net_cuts(const struct eddy_net *net, uint32_t position)
{
    return net->bptt > 0 && position % net->bptt == 0;
}

/* y (rows, outputs) = x (rows, inputs) w^T; beta 1 adds. */
void eddy_net_product(struct eddy_net *net, uint32_t rows, uint32_t outputs,
                      uint32_t inputs, const float *x, const float *w, float beta,
                      float *y);
/* dx (rows, inputs) = dy (rows, outputs) w; beta 1 adds. */
void eddy_net_product_back(struct eddy_net *net, uint32_t rows, uint32_t outputs,
                           uint32_t inputs, const float *dy, const float *w, float beta,
                           float *dx);
/* dw (outputs, inputs) += dy^T x. */
void eddy_net_product_weight(struct eddy_net *net, uint32_t rows, uint32_t outputs,
                             uint32_t inputs, const float *dy, const float *x,
                             float *dw);

/* Queries from the last layer's x and the users' metadata (train_query.c): net->queries; and
 * back: from net->dx to the gradients of the tables of users. */
void eddy_net_queries(struct eddy_net *net, const struct eddy_pack *pack);
void eddy_net_queries_back(struct eddy_net *net, const struct eddy_pack *pack);
/* Are queries more than x? Then first events are targets, too. */
static inline bool eddy_net_adds_to_queries(const struct eddy_net *net)
{
    return net->users != NULL || net->request_share > 0;
}
/* Rows of net->queries that have targets. */
static inline uint32_t eddy_net_query_rows(const struct eddy_net *net,
                                           const struct eddy_pack *pack)
{
    return pack->rows + (eddy_net_adds_to_queries(net) ? pack->starts : 0);
}

/* The sampled form of eddy_net_loss (train_sampled.c). */
double eddy_net_loss_sampled(struct eddy_net *net, const struct eddy_pack *pack,
                             float scale);

/* Cells (train_cell.c): states of a wave from net->x[layer]; then the gradient at the
 * states (net->narrow) to net->dx (added), net->ds0, net->duser and the parameters. */
void eddy_net_cell_forward(struct eddy_net *net, const struct eddy_pack *pack,
                           struct eddy_wave wave, uint32_t layer);
void eddy_net_cell_backward(struct eddy_net *net, const struct eddy_pack *pack,
                            struct eddy_wave wave, uint32_t layer);

/* User level (train_user.c): c and the first states of a wave's segments; and back from
 * net->ds0 and net->duser to the last rows of the segments before (net->dx). */
void eddy_net_user_forward(struct eddy_net *net, const struct eddy_pack *pack,
                           struct eddy_wave wave);
void eddy_net_user_backward(struct eddy_net *net, const struct eddy_pack *pack,
                            struct eddy_wave wave);

#endif
