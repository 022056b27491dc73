/* One step of the HRNN for many users at once; the mathematics is in core/params.h.
 *
 * Rows (users) of a call are gathered into dense scratch, every matrix product runs over
 * all rows together, and what is per user (state, query) is scattered back. Each row's
 * numbers depend only on its own inputs because the kernels promise that (core/kernel.h),
 * so a user stepped alone has the bits of a user stepped among others.
 *
 * Order of sums, part of what a replay must reproduce:
 *   e    ((E[item] + E_type) + E_gap) [+ e_bos] [fma of w_value and phi] [+ context,
 *        column by column]
 *   gate (bias, W x chain) + (0, U c chain); GRU: (bi, Wi x chain) + (bh, Wh s chain) [+ U c]
 *   residual (bias, W y chain) + x, then layer norm
 *
 * minGRU's two matrices share their input and are packed as one of 2H outputs. H is any
 * number; rows of scratch are padded to 16 floats, padding is written and never read as
 * input. Cost per event and layer: 11 H^2 multiply-adds (minGRU), 14 H^2 (GRU). */
#include "core/hrnn.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 16, AHEAD = 4 };

struct layer {
    struct eddy_packed gates;   /* mingru: wz over wc (2H, H); gru: wi (3H, H) */
    struct eddy_packed recur;   /* gru: wh (3H, H) */
    struct eddy_packed context; /* mode all: uz */
    struct eddy_packed start;   /* modes init, all: winit */
    struct eddy_packed out, up, down;
    const float *norm1_gain, *norm1_bias, *norm2_gain, *norm2_bias;
};

struct eddy_hrnn {
    const struct eddy_kernels *kernels;
    struct eddy_layout layout;
    float *block; /* copy of all parameters: table rows and vectors are read from it */
    struct eddy_packed items, user_wi, user_wh;
    struct layer layers[EDDY_LAYERS_MAX];
};

/* x, state, user: (rows_max, H); wide: (rows_max, 4H), gates and the inner layer; recur:
 * (rows_max, 3H); context: (rows_max, 2H), U c of mode all. H, 2H .. padded to 16. */
struct eddy_hrnn_scratch {
    uint32_t rows_max;
    size_t stride, wide_stride, recur_stride, context_stride;
    float *x, *state, *user, *wide, *recur, *context;
    uint32_t *rows; /* rows that begin a session */
};

static size_t padded(size_t floats)
{
    return (floats + LANES - 1) / LANES * LANES;
}

static bool has_user_level(const struct eddy_shape *shape)
{
    return shape->mode != EDDY_MODE_FLAT;
}

uint32_t eddy_hrnn_query_offset(const struct eddy_shape *shape)
{
    return (shape->layers + (has_user_level(shape) ? 1 : 0)) * shape->hidden;
}

uint32_t eddy_hrnn_state_floats(const struct eddy_shape *shape)
{
    return eddy_hrnn_query_offset(shape) + shape->hidden;
}

const struct eddy_shape *eddy_hrnn_shape(const struct eddy_hrnn *hrnn)
{
    return &hrnn->layout.shape;
}

const struct eddy_kernels *eddy_hrnn_kernels(const struct eddy_hrnn *hrnn)
{
    return hrnn->kernels;
}

const struct eddy_packed *eddy_hrnn_items(const struct eddy_hrnn *hrnn)
{
    return &hrnn->items;
}

static const float *global(const struct eddy_hrnn *hrnn, enum eddy_global_tensor tensor)
{
    return eddy_global(&hrnn->layout, hrnn->block, tensor);
}

static const float *of_layer(const struct eddy_hrnn *hrnn, uint32_t l,
                             enum eddy_layer_tensor tensor)
{
    return eddy_layer_tensor(&hrnn->layout, hrnn->block, l, tensor);
}

/* Pack [top; below], two (H, H) matrices of one input, as one matrix. */
static int pack_pair(struct eddy_packed *packed, const float *top,
                     const float *top_bias, const float *below, const float *below_bias,
                     uint32_t H)
{
    size_t size = (size_t)H * H;
    float *both = eddy_floats_new(2 * size + 2 * (size_t)H);
    if (!both)
        return EDDY_ENOMEM;
    memcpy(both, top, size * sizeof(float));
    memcpy(both + size, below, size * sizeof(float));
    float *bias = both + 2 * size;
    memcpy(bias, top_bias, H * sizeof(float));
    memcpy(bias + H, below_bias, H * sizeof(float));
    int r = eddy_packed_init(packed, both, bias, 2 * H, H);
    free(both);
    return r;
}

static int pack_layer(struct eddy_hrnn *hrnn, uint32_t l)
{
    const struct eddy_shape *shape = &hrnn->layout.shape;
    const uint32_t H = shape->hidden;
    struct layer *layer = &hrnn->layers[l];
    int r = 0;
#define OF(id) of_layer(hrnn, l, EDDY_L_##id)
    if (shape->cell == EDDY_CELL_MINGRU) {
        r |= pack_pair(&layer->gates, OF(WZ), OF(BZ), OF(WC), OF(BC), H);
    } else {
        r |= eddy_packed_init(&layer->gates, OF(WI), OF(BI), 3 * H, H);
        r |= eddy_packed_init(&layer->recur, OF(WH), OF(BH), 3 * H, H);
    }
    if (shape->mode == EDDY_MODE_ALL)
        r |= eddy_packed_init(&layer->context, OF(UZ), NULL,
                              shape->cell == EDDY_CELL_MINGRU ? H : 2 * H, H);
    if (has_user_level(shape))
        r |= eddy_packed_init(&layer->start, OF(WINIT), OF(BINIT), H, H);
    if (shape->cell == EDDY_CELL_PLAIN_GRU)
        return r ? EDDY_ENOMEM : 0; /* no block */
    r |= eddy_packed_init(&layer->out, OF(WO), OF(BO), H, H);
    r |= eddy_packed_init(&layer->up, OF(W1), OF(B1), 4 * H, H);
    r |= eddy_packed_init(&layer->down, OF(W2), OF(B2), H, 4 * H);
    layer->norm1_gain = OF(LN1_GAIN);
    layer->norm1_bias = OF(LN1_BIAS);
    layer->norm2_gain = OF(LN2_GAIN);
    layer->norm2_bias = OF(LN2_BIAS);
#undef OF
    return r ? EDDY_ENOMEM : 0;
}

static int pack_globals(struct eddy_hrnn *hrnn)
{
    const struct eddy_shape *shape = &hrnn->layout.shape;
    const uint32_t H = shape->hidden;
    int r = eddy_packed_init(&hrnn->items, global(hrnn, EDDY_G_ITEM),
                             global(hrnn, EDDY_G_ITEM_BIAS), shape->items, H);
    if (r || !has_user_level(shape))
        return r;
    r = eddy_packed_init(&hrnn->user_wi, global(hrnn, EDDY_G_USER_WI),
                         global(hrnn, EDDY_G_USER_BI), 3 * H, H);
    return r ? r
             : eddy_packed_init(&hrnn->user_wh, global(hrnn, EDDY_G_USER_WH),
                                global(hrnn, EDDY_G_USER_BH), 3 * H, H);
}

struct eddy_hrnn *eddy_hrnn_new(const struct eddy_layout *layout, const float *block,
                                const struct eddy_kernels *kernels)
{
    struct eddy_hrnn *hrnn = calloc(1, sizeof(*hrnn));
    if (!hrnn)
        return NULL;
    hrnn->kernels = kernels;
    hrnn->layout = *layout;
    hrnn->block = eddy_params_new(layout);
    if (!hrnn->block)
        goto fail;
    memcpy(hrnn->block, block, layout->size * sizeof(float));
    if (pack_globals(hrnn))
        goto fail;
    for (uint32_t l = 0; l < layout->shape.layers; l++) {
        if (pack_layer(hrnn, l))
            goto fail;
    }
    return hrnn;
fail:
    eddy_hrnn_free(hrnn);
    return NULL;
}

void eddy_hrnn_free(struct eddy_hrnn *hrnn)
{
    if (!hrnn)
        return;
    for (uint32_t l = 0; l < EDDY_LAYERS_MAX; l++) {
        struct layer *layer = &hrnn->layers[l];
        struct eddy_packed *const all[] = {&layer->gates,   &layer->recur,
                                           &layer->context, &layer->start,
                                           &layer->out,     &layer->up,
                                           &layer->down};
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            eddy_packed_fini(all[i]);
    }
    eddy_packed_fini(&hrnn->items);
    eddy_packed_fini(&hrnn->user_wi);
    eddy_packed_fini(&hrnn->user_wh);
    free(hrnn->block);
    free(hrnn);
}

struct eddy_hrnn_scratch *eddy_hrnn_scratch_new(const struct eddy_shape *shape,
                                                uint32_t rows_max)
{
    struct eddy_hrnn_scratch *scratch = calloc(1, sizeof(*scratch));
    if (!scratch)
        return NULL;
    size_t rows = rows_max ? rows_max : 1;
    scratch->rows_max = (uint32_t)rows;
    scratch->stride = padded(shape->hidden);
    scratch->wide_stride = padded(4 * (size_t)shape->hidden);
    scratch->recur_stride = padded(3 * (size_t)shape->hidden);
    scratch->context_stride = padded(2 * (size_t)shape->hidden);
    scratch->x = eddy_floats_new(rows * scratch->stride);
    scratch->state = eddy_floats_new(rows * scratch->stride);
    scratch->user = eddy_floats_new(rows * scratch->stride);
    scratch->wide = eddy_floats_new(rows * scratch->wide_stride);
    scratch->recur = eddy_floats_new(rows * scratch->recur_stride);
    scratch->context = eddy_floats_new(rows * scratch->context_stride);
    scratch->rows = calloc(rows, sizeof(*scratch->rows));
    if (scratch->x && scratch->state && scratch->user && scratch->wide &&
        scratch->recur && scratch->context && scratch->rows)
        return scratch;
    eddy_hrnn_scratch_free(scratch);
    return NULL;
}

void eddy_hrnn_scratch_free(struct eddy_hrnn_scratch *scratch)
{
    if (!scratch)
        return;
    free(scratch->x);
    free(scratch->state);
    free(scratch->user);
    free(scratch->wide);
    free(scratch->recur);
    free(scratch->context);
    free(scratch->rows);
    free(scratch);
}

/* PyTorch's cell of one row; input and recur hold the three pre-activations r, z, n of
 * Wi x + bi and Wh s + bh. context: U c for r and z, or NULL. The new state is left in the
 * n part of input, which is returned. */
static const float *gru_cell(const struct eddy_kernels *kernels, float *input,
                             const float *recur, const float *context,
                             const float *state, uint32_t H)
{
    kernels->add(input, recur, 2 * H);
    if (context)
        kernels->add(input, context, 2 * H);
    kernels->sigmoid(input, 2 * H);
    float *n = input + 2 * (size_t)H;
    kernels->mul_add(n, input, recur + 2 * (size_t)H, H);
    kernels->tanh(n, H);
    kernels->blend(n, input + H, state, H); /* n + z (s - n) */
    return n;
}

/* The rows listed in scratch->rows begin a session that is not the user's first: move the
 * user level by the last query and start all layers from it. */
static void begin_sessions(const struct eddy_hrnn *hrnn,
                           struct eddy_hrnn_scratch *scratch, uint32_t count,
                           float *const *hidden)
{
    const struct eddy_kernels *kernels = hrnn->kernels;
    const struct eddy_shape *shape = &hrnn->layout.shape;
    const uint32_t H = shape->hidden;
    const size_t size = H * sizeof(float), user_offset = (size_t)shape->layers * H;
    const size_t query_offset = eddy_hrnn_query_offset(shape);
    for (uint32_t i = 0; i < count; i++) {
        const float *from = hidden[scratch->rows[i]];
        memcpy(scratch->x + i * scratch->stride, from + query_offset, size);
        memcpy(scratch->user + i * scratch->stride, from + user_offset, size);
    }
    kernels->matmul(&hrnn->user_wi, count, scratch->x, scratch->stride, scratch->wide,
                    scratch->wide_stride);
    kernels->matmul(&hrnn->user_wh, count, scratch->user, scratch->stride,
                    scratch->recur, scratch->recur_stride);
    for (uint32_t i = 0; i < count; i++) {
        float *user = scratch->user + i * scratch->stride;
        const float *moved =
            gru_cell(kernels, scratch->wide + i * scratch->wide_stride,
                     scratch->recur + i * scratch->recur_stride, NULL, user, H);
        memcpy(user, moved, size);
        memcpy(hidden[scratch->rows[i]] + user_offset, moved, size);
    }
    for (uint32_t l = 0; l < shape->layers; l++) {
        kernels->matmul(&hrnn->layers[l].start, count, scratch->user, scratch->stride,
                        scratch->x, scratch->stride);
        for (uint32_t i = 0; i < count; i++) {
            float *start = scratch->x + i * scratch->stride;
            kernels->tanh(start, H);
            memcpy(hidden[scratch->rows[i]] + (size_t)l * H, start, size);
        }
    }
}

/* Ask for an item's row, which lies anywhere in the table, before its turn. */
static void call_item(const struct eddy_hrnn *hrnn, uint32_t item)
{
    const size_t H = hrnn->layout.shape.hidden;
    const float *row = global(hrnn, EDDY_G_ITEM) + item * H;
    for (size_t i = 0; i < H; i += LANES)
        __builtin_prefetch(row + i);
}

/* x = LN(e) of one event. */
static void encode_input(const struct eddy_hrnn *hrnn, const struct eddy_step *step,
                         float *x, float *value)
{
    const struct eddy_kernels *kernels = hrnn->kernels;
    const size_t H = hrnn->layout.shape.hidden;
    memcpy(x, global(hrnn, EDDY_G_ITEM) + step->item * H, H * sizeof(float));
    kernels->add(x, global(hrnn, EDDY_G_TYPE) + step->type * H, (uint32_t)H);
    kernels->add(x, global(hrnn, EDDY_G_GAP) + step->gap * H, (uint32_t)H);
    if (step->begin)
        kernels->add(x, global(hrnn, EDDY_G_BOS), (uint32_t)H);
    if (step->value != 0.0F) {
        for (size_t i = 0; i < H; i++)
            value[i] = step->value;
        kernels->mul_add(x, value, global(hrnn, EDDY_G_VALUE), (uint32_t)H);
    }
    for (uint32_t c = 0; c < EDDY_CONTEXT_MAX; c++)
        if (step->context.feature[c] > 0)
            kernels->add(x,
                         global(hrnn, EDDY_G_CONTEXT_FEATURES) +
                             (step->context.feature[c] - 1) * H,
                         (uint32_t)H);
    kernels->layer_norm(x, global(hrnn, EDDY_G_IN_GAIN), global(hrnn, EDDY_G_IN_BIAS),
                        (uint32_t)H, x);
}

/* U c of a row, NULL when the mode has none. */
static const float *context_of(const struct layer *layer,
                               const struct eddy_hrnn_scratch *scratch, uint32_t row)
{
    return layer->context.data ? scratch->context + row * scratch->context_stride
                               : NULL;
}

/* step_mingru, step_gru: move the session states of layer l by scratch->x; on return
 * scratch->state holds them, too. */
static void step_mingru(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                        uint32_t l, uint32_t n, float *const *hidden)
{
    const struct eddy_kernels *kernels = hrnn->kernels;
    const struct layer *layer = &hrnn->layers[l];
    const uint32_t H = hrnn->layout.shape.hidden;
    kernels->matmul(&layer->gates, n, scratch->x, scratch->stride, scratch->wide,
                    scratch->wide_stride);
    for (uint32_t r = 0; r < n; r++) {
        float *z = scratch->wide + r * scratch->wide_stride;
        float *state = hidden[r] + (size_t)l * H;
        const float *context = context_of(layer, scratch, r);
        if (context)
            kernels->add(z, context, H);
        kernels->sigmoid(z, H);
        kernels->blend(state, z, z + H, H);
        memcpy(scratch->state + r * scratch->stride, state, H * sizeof(float));
    }
}

static void step_gru(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                     uint32_t l, uint32_t n, float *const *hidden)
{
    const struct eddy_kernels *kernels = hrnn->kernels;
    const struct layer *layer = &hrnn->layers[l];
    const uint32_t H = hrnn->layout.shape.hidden;
    const size_t size = H * sizeof(float), stride = scratch->stride;
    for (uint32_t r = 0; r < n; r++)
        memcpy(scratch->state + r * stride, hidden[r] + (size_t)l * H, size);
    kernels->matmul(&layer->gates, n, scratch->x, stride, scratch->wide,
                    scratch->wide_stride);
    kernels->matmul(&layer->recur, n, scratch->state, stride, scratch->recur,
                    scratch->recur_stride);
    for (uint32_t r = 0; r < n; r++) {
        float *state = scratch->state + r * stride;
        const float *moved = gru_cell(kernels, scratch->wide + r * scratch->wide_stride,
                                      scratch->recur + r * scratch->recur_stride,
                                      context_of(layer, scratch, r), state, H);
        memcpy(state, moved, size);
        memcpy(hidden[r] + (size_t)l * H, moved, size);
    }
}

/* x = LN(x + y) for n rows; y is destroyed. */
static void add_and_norm(const struct eddy_hrnn *hrnn,
                         struct eddy_hrnn_scratch *scratch, uint32_t n, float *y,
                         const float *gain, const float *bias)
{
    const struct eddy_kernels *kernels = hrnn->kernels;
    const uint32_t H = hrnn->layout.shape.hidden;
    for (uint32_t r = 0; r < n; r++) {
        float *sum = y + r * scratch->stride;
        float *x = scratch->x + r * scratch->stride;
        kernels->add(sum, x, H);
        kernels->layer_norm(sum, gain, bias, H, x);
    }
}

/* Session states of layer l for n rows, from scratch->x into scratch->state. */
static void run_cell(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                     uint32_t l, uint32_t n, float *const *hidden)
{
    const struct layer *layer = &hrnn->layers[l];
    if (layer->context.data)
        hrnn->kernels->matmul(&layer->context, n, scratch->user, scratch->stride,
                              scratch->context, scratch->context_stride);
    if (hrnn->layout.shape.cell == EDDY_CELL_MINGRU)
        step_mingru(hrnn, scratch, l, n, hidden);
    else
        step_gru(hrnn, scratch, l, n, hidden);
}

/* What follows the cell: output and inner layer around the residual x, for n rows. */
static void run_output(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                       uint32_t l, uint32_t n)
{
    const struct eddy_kernels *kernels = hrnn->kernels;
    const struct layer *layer = &hrnn->layers[l];
    const uint32_t H = hrnn->layout.shape.hidden;
    if (hrnn->layout.shape.cell == EDDY_CELL_PLAIN_GRU) {
        memcpy(scratch->x, scratch->state, n * scratch->stride * sizeof(float));
        return;
    }
    kernels->matmul(&layer->out, n, scratch->state, scratch->stride, scratch->recur,
                    scratch->stride);
    add_and_norm(hrnn, scratch, n, scratch->recur, layer->norm1_gain,
                 layer->norm1_bias);
    kernels->matmul(&layer->up, n, scratch->x, scratch->stride, scratch->wide,
                    scratch->wide_stride);
    for (uint32_t r = 0; r < n; r++)
        kernels->gelu(scratch->wide + r * scratch->wide_stride, 4 * H);
    kernels->matmul(&layer->down, n, scratch->wide, scratch->wide_stride,
                    scratch->recur, scratch->stride);
    add_and_norm(hrnn, scratch, n, scratch->recur, layer->norm2_gain,
                 layer->norm2_bias);
}

/* Users' states before the first layer: zero for new users, the user level moved where a
 * session begins, and the input of every row in scratch->x. */
static void begin_rows(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                       uint32_t n, const struct eddy_step *steps, float *const *hidden)
{
    const struct eddy_shape *shape = &hrnn->layout.shape;
    const uint32_t H = shape->hidden;
    uint32_t begins = 0;
    for (uint32_t r = 0; r < n; r++) {
        if (steps[r].first)
            memset(hidden[r], 0, eddy_hrnn_state_floats(shape) * sizeof(float));
        else if (steps[r].begin)
            scratch->rows[begins++] = r;
    }
    if (begins && has_user_level(shape))
        begin_sessions(hrnn, scratch, begins, hidden);

    for (uint32_t r = 0; r < n; r++) {
        if (r + AHEAD < n)
            call_item(hrnn, steps[r + AHEAD].item);
        encode_input(hrnn, &steps[r], scratch->x + r * scratch->stride, scratch->recur);
    }
    if (shape->mode == EDDY_MODE_ALL) {
        for (uint32_t r = 0; r < n; r++)
            memcpy(scratch->user + r * scratch->stride,
                   hidden[r] + (size_t)shape->layers * H, H * sizeof(float));
    }
}

/* Rows asked for move to the front of x and state, their numbers to scratch->rows. Returns
 * how many. */
static uint32_t keep_asked(struct eddy_hrnn_scratch *scratch, uint32_t n,
                           const bool *asked)
{
    const size_t stride = scratch->stride, size = stride * sizeof(float);
    uint32_t kept = 0;
    for (uint32_t r = 0; r < n; r++) {
        if (asked && !asked[r])
            continue;
        if (kept < r) {
            memcpy(scratch->x + kept * stride, scratch->x + r * stride, size);
            memcpy(scratch->state + kept * stride, scratch->state + r * stride, size);
        }
        scratch->rows[kept++] = r;
    }
    return kept;
}

static void step_slice(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                       uint32_t n, const struct eddy_step *steps, float *const *hidden,
                       const bool *asked)
{
    const struct eddy_shape *shape = &hrnn->layout.shape;
    const uint32_t last = shape->layers - 1;
    const size_t query_offset = eddy_hrnn_query_offset(shape);

    begin_rows(hrnn, scratch, n, steps, hidden);
    for (uint32_t l = 0; l < last; l++) {
        run_cell(hrnn, scratch, l, n, hidden);
        run_output(hrnn, scratch, l, n);
    }
    run_cell(hrnn, scratch, last, n, hidden);
    uint32_t kept = keep_asked(scratch, n, asked);
    if (kept > 0)
        run_output(hrnn, scratch, last, kept);
    for (uint32_t i = 0; i < kept; i++)
        memcpy(hidden[scratch->rows[i]] + query_offset,
               scratch->x + i * scratch->stride, shape->hidden * sizeof(float));
}

void eddy_hrnn_step_asked(const struct eddy_hrnn *hrnn,
                          struct eddy_hrnn_scratch *scratch, uint32_t n,
                          const struct eddy_step *steps, float *const *hidden,
                          const bool *asked)
{
    if (hrnn->layout.shape.hidden == 0)
        return; /* there is nothing to move */
    for (uint32_t from = 0; from < n; from += scratch->rows_max) {
        uint32_t rows = n - from < scratch->rows_max ? n - from : scratch->rows_max;
        step_slice(hrnn, scratch, rows, steps + from, hidden + from,
                   asked ? asked + from : NULL);
    }
}

void eddy_hrnn_step(const struct eddy_hrnn *hrnn, struct eddy_hrnn_scratch *scratch,
                    uint32_t n, const struct eddy_step *steps, float *const *hidden)
{
    eddy_hrnn_step_asked(hrnn, scratch, n, steps, hidden, NULL);
}
