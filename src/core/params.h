/* Layer: core.  The parameters of the HRNN as one aligned block with a table of named
 * tensors (llm.c's layout): parameters, gradients and optimiser moments are blocks of the
 * same layout, and a file is a header with the table and the block.
 *
 * Dimensions: V items, H hidden, L layers, T event types, G gap buckets, F = 4H.
 *
 * Forward step (DESIGN 6; block form of LRURec, WSDM 2024; minGRU, arXiv 2410.01201):
 *   e    = E[item] + E_type[type] + E_gap[gap] + (begin of session ? e_bos : 0)
 *          + w_value * phi(value) + sum of C[f] over the event's context features f
 *   x    = LN(e; in_gain, in_bias)
 *   layer l:
 *     mingru  z = sigmoid(Wz x + bz [+ Uz c]);  s = (1-z) s + z (Wc x + bc)
 *     gru     PyTorch's cell ("reset after"): r,z,n from Wi x + bi and Wh s + bh
 *             [mode all: r,z get + Uz c], s = (1-z) n + z s
 *     plain_gru  the same cell, and x = s: no block around it (GRU4Rec)
 *     else x = LN(x + Wo s + bo; ln1);  x = LN(x + W2 gelu(W1 x + b1) + b2; ln2)
 *   query = x;  score(i) = query . E[i] + bias[i]
 * Metadata (M features of items, Mu of users; sparse rows f of core/features.h). The file
 * holds what serving needs: E and bias are those of all items with their metadata in,
 *     E[i] = m_i e_i + F[f_i],  bias[i] = m_i b_i + (1 - m_i) b_cold + w . f_i
 * where e, b are what training learned for the item itself, m_i = 0 for an item that
 * training never saw (and, now and then, for any item: core/train_items.h), F
 * "item_features", w "item_feature_bias", b_cold "item_cold_bias". Users:
 *     query = x + U[f_u]; before the user's first event query = start + U[f_u]
 * with U "user_features", start "user_start". The state keeps x, not the query with U in.
 * Context (Mc features, core/context_index.h): C "context_features" on the input. Where the
 * context of the request is known, its features are added to the query by a table of their
 * own, "context_query": query = x + U[f_u] + sum of Q[f]; start is there for it, too.
 * User level (modes init, all), at the first event of every session but the user's first:
 *     c = GRU(query_of_last_event, c)  (user_wi, user_wh);
 *     s_l = tanh(Winit_l c + binit_l);   at the user's first event c = 0, s_l = 0
 * mode flat: sessions are seen through begin-of-session and gap inputs only. */
#ifndef EDDY_CORE_PARAMS_H
#define EDDY_CORE_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include "eddy/error.h"

enum eddy_cell { EDDY_CELL_MINGRU, EDDY_CELL_GRU, EDDY_CELL_PLAIN_GRU };
enum eddy_mode { EDDY_MODE_FLAT, EDDY_MODE_INIT, EDDY_MODE_ALL };

enum {
    EDDY_GAPS = 32,
    EDDY_LAYERS_MAX = 8,
    EDDY_HIDDEN_MAX = 256,
    EDDY_TYPES_MAX = 256,
    EDDY_SHAPE_FEATURES_MAX = 1 << 20
};

struct eddy_shape {
    uint32_t items;  /* V >= 1 */
    uint32_t hidden; /* H, 32..256 in recipes; tests use less */
    uint32_t layers; /* L, 1..8; H = L = 0: no network, the item biases alone */
    uint32_t types;  /* T >= 1; type 0 is every unknown type */
    enum eddy_cell cell;
    enum eddy_mode mode;
    uint32_t item_features, user_features; /* M, Mu; 0: no metadata in the network */
    uint32_t context_features;             /* Mc; 0: no context in the network */
};

/* XX(id, name, rows, cols, when). Per-layer tensors are named "layers.<l>.<name>". All are
 * row-major (rows, cols); matrices map cols -> rows (y = W x). C is the gate count: mingru
 * has wz,bz,wc,bc; gru has wi(3H,H), bi, wh(3H,H), bh (order r,z,n). */
#define EDDY_GLOBAL_TENSORS(XX)                                                        \
    XX(ITEM, "item_embedding", V, H, 1)                                                \
    XX(ITEM_BIAS, "item_bias", V, 1, 1)                                                \
    XX(TYPE, "type_embedding", T, H, 1)                                                \
    XX(GAP, "gap_embedding", EDDY_GAPS, H, 1)                                          \
    XX(BOS, "begin_of_session", 1, H, 1)                                               \
    XX(VALUE, "value_weight", 1, H, 1)                                                 \
    XX(IN_GAIN, "input_norm.gain", 1, H, 1)                                            \
    XX(IN_BIAS, "input_norm.bias", 1, H, 1)                                            \
    XX(USER_WI, "user.wi", 3 * H, H, user)                                             \
    XX(USER_BI, "user.bi", 1, 3 * H, user)                                             \
    XX(USER_WH, "user.wh", 3 * H, H, user)                                             \
    XX(USER_BH, "user.bh", 1, 3 * H, user)                                             \
    XX(ITEM_FEATURES, "item_features", M, H, M > 0)                                    \
    XX(ITEM_FEATURE_BIAS, "item_feature_bias", M, 1, M > 0)                            \
    XX(ITEM_COLD_BIAS, "item_cold_bias", 1, 1, M > 0)                                  \
    XX(USER_FEATURES, "user_features", Mu, H, Mu > 0)                                  \
    XX(USER_START, "user_start", 1, H, Mu > 0 || Mc > 0)                               \
    XX(CONTEXT_FEATURES, "context_features", Mc, H, Mc > 0)                            \
    XX(CONTEXT_QUERY, "context_query", Mc, H, Mc > 0)
#define EDDY_LAYER_TENSORS(XX)                                                         \
    XX(WZ, "wz", H, H, mingru)                                                         \
    XX(BZ, "bz", 1, H, mingru)                                                         \
    XX(WC, "wc", H, H, mingru)                                                         \
    XX(BC, "bc", 1, H, mingru)                                                         \
    XX(WI, "wi", 3 * H, H, gru)                                                        \
    XX(BI, "bi", 1, 3 * H, gru)                                                        \
    XX(WH, "wh", 3 * H, H, gru)                                                        \
    XX(BH, "bh", 1, 3 * H, gru)                                                        \
    XX(UZ, "uz", C, H, all)                                                            \
    XX(WINIT, "winit", H, H, user)                                                     \
    XX(BINIT, "binit", 1, H, user)                                                     \
    XX(WO, "wo", H, H, block)                                                          \
    XX(BO, "bo", 1, H, block)                                                          \
    XX(LN1_GAIN, "norm1.gain", 1, H, block)                                            \
    XX(LN1_BIAS, "norm1.bias", 1, H, block)                                            \
    XX(W1, "w1", 4 * H, H, block)                                                      \
    XX(B1, "b1", 1, 4 * H, block)                                                      \
    XX(W2, "w2", H, 4 * H, block)                                                      \
    XX(B2, "b2", 1, H, block)                                                          \
    XX(LN2_GAIN, "norm2.gain", 1, H, block)                                            \
    XX(LN2_BIAS, "norm2.bias", 1, H, block)
/* uz: rows C = H for mingru (gate z), 2H for gru (gates r, z); mode all only.
 * user tensors: modes init and all. */

enum eddy_global_tensor {
#define XX(id, name, rows, cols, when) EDDY_G_##id,
    EDDY_GLOBAL_TENSORS(XX)
#undef XX
        EDDY_GLOBAL_COUNT
};
enum eddy_layer_tensor {
#define XX(id, name, rows, cols, when) EDDY_L_##id,
    EDDY_LAYER_TENSORS(XX)
#undef XX
        EDDY_LAYER_COUNT
};

enum { EDDY_TENSORS_MAX = EDDY_GLOBAL_COUNT + EDDY_LAYERS_MAX * EDDY_LAYER_COUNT };

struct eddy_tensor {
    char name[40];
    uint32_t rows, cols; /* 0, 0: not in this shape */
    size_t offset;       /* floats from the block's start, multiple of 16 */
};

struct eddy_layout {
    struct eddy_shape shape;
    struct eddy_tensor tensors[EDDY_TENSORS_MAX]; /* globals, then layer by layer */
    uint32_t count;
    size_t size; /* floats in a block */
};

/* Fill the table. EDDY_ECONFIG when the shape is out of range. */
int eddy_layout_init(struct eddy_layout *layout, const struct eddy_shape *shape,
                     struct eddy_err *err);
/* A zeroed block, 64-byte aligned; free with free(). */
float *eddy_params_new(const struct eddy_layout *layout);

/* Pointer to a tensor in block, NULL when the shape has none. */
float *eddy_global(const struct eddy_layout *layout, float *block,
                   enum eddy_global_tensor tensor);
float *eddy_layer_tensor(const struct eddy_layout *layout, float *block, uint32_t layer,
                         enum eddy_layer_tensor tensor);

#endif
