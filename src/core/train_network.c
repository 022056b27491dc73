/* Buffers of the network, matrix products, full softmax.
 *
 * Legend: P rows of the pack (events), H hidden, L layers, V items. Memory is about
 * P (17 L + 14) H floats: 60 MB for 1,600 events at H = 128, L = 2. The logits of all P
 * rows would be the largest matrix by far; they are made, turned into their own gradient
 * and used up in chunks of rows that stay in the cache. */
#include "core/train_network.h"

#include <cblas.h>
#include <stdlib.h>

#include "base/hash.h"

enum {
    ALIGN_FLOATS = 16,
    LOGITS_FLOATS = 1 << 19,     /* 2 MiB: measured best of 1/2..8 MiB on Zen 5 */
    LOGITS_FLOATS_MAX = 1 << 23, /* 32 MiB */
    CHUNK_MIN = 16,
    CHUNK_WORTH = 64,
    CHUNK_MAX = 512,
};

void eddy_net_view_init(struct eddy_net_view *view, const struct eddy_layout *layout,
                        float *block)
{
    *view = (struct eddy_net_view){0};
    for (int t = 0; t < EDDY_GLOBAL_COUNT; t++)
        view->tensor[t] = eddy_global(layout, block, (enum eddy_global_tensor)t);
    for (uint32_t l = 0; l < layout->shape.layers; l++)
        for (int t = 0; t < EDDY_LAYER_COUNT; t++)
            view->layers[l].tensor[t] =
                eddy_layer_tensor(layout, block, l, (enum eddy_layer_tensor)t);
}

/* First pass (memory NULL): only counts. Second pass: hands the pieces out. */
struct carve {
    float *memory;
    size_t used;
};

static float *take(struct carve *carve, size_t rows, size_t cols)
{
    size_t floats =
        (rows * cols + ALIGN_FLOATS - 1) / ALIGN_FLOATS * (size_t)ALIGN_FLOATS;
    float *piece = carve->memory ? carve->memory + carve->used : NULL;
    carve->used += floats;
    return piece;
}

static void carve_layer(struct eddy_net *net, struct eddy_net_saved *saved,
                        struct carve *carve, uint32_t segments)
{
    size_t rows = net->rows_max, hidden = net->hidden;
    if (net->layout.shape.cell == EDDY_CELL_MINGRU) {
        saved->z = take(carve, rows, hidden);
        saved->c = take(carve, rows, hidden);
    } else {
        saved->gates = take(carve, rows, 3 * hidden);
        saved->hn = take(carve, rows, hidden);
    }
    if (net->layout.shape.mode == EDDY_MODE_ALL)
        saved->uc = take(carve, segments, net->gates);
    saved->s = take(carve, rows, hidden);
    saved->s0 = take(carve, segments, hidden);
    saved->xhat1 = take(carve, rows, hidden);
    saved->y1 = take(carve, rows, hidden);
    saved->u = take(carve, rows, 4 * hidden);
    saved->xhat2 = take(carve, rows, hidden);
    saved->rsd1 = take(carve, rows, 1);
    saved->rsd2 = take(carve, rows, 1);
}

static void carve_all(struct eddy_net *net, struct carve *carve, bool for_training)
{
    size_t rows = net->rows_max, hidden = net->hidden, segments = net->segments_max;
    net->xhat0 = take(carve, rows, hidden);
    net->rsd0 = take(carve, rows, 1);
    for (uint32_t l = 0; l <= net->layers; l++)
        net->x[l] = take(carve, rows, hidden);
    for (uint32_t l = 0; l < net->layers; l++)
        carve_layer(net, &net->saved[l], carve, net->segments_max);
    if (net->layout.shape.user_features > 0 || net->layout.shape.context_features > 0)
        net->query = take(carve, rows + EDDY_PACK_SEQUENCES, hidden);
    net->user = take(carve, segments, hidden);
    net->user_gates = take(carve, segments, 3 * hidden);
    net->user_hn = take(carve, segments, hidden);
    net->wide = take(carve, rows, 4 * hidden);
    net->narrow = take(carve, rows, hidden);
    net->carry = take(carve, segments, hidden);
    net->segment_wide = take(carve, segments, 6 * hidden);
    net->logits = take(carve, net->chunk, net->items);
    if (!for_training)
        return;
    if (net->negatives > 0) {
        net->sample_embedding = take(carve, net->negatives, hidden);
        net->sample_gradient = take(carve, net->negatives, hidden);
        net->sample_correction = take(carve, net->negatives, 1);
        net->sample_bias_gradient = take(carve, net->negatives, 1);
    }
    net->wide2 = take(carve, rows, 4 * hidden);
    net->narrow2 = take(carve, rows, hidden);
    net->dx = take(carve, rows + EDDY_PACK_SEQUENCES, hidden);
    net->ds0 = take(carve, segments * net->layers, hidden);
    net->duser = take(carve, segments, hidden);
}

/* Rows of logits at a time: what fits the cache, but enough for a product of large
 * catalogues to be worth reading their embeddings for. */
static uint32_t chunk_of(uint32_t items)
{
    uint32_t cached = LOGITS_FLOATS / items, bounded = LOGITS_FLOATS_MAX / items;
    uint32_t rows = bounded < CHUNK_WORTH ? bounded : CHUNK_WORTH;
    rows = cached > rows ? cached : rows;
    return rows < CHUNK_MIN ? CHUNK_MIN : rows > CHUNK_MAX ? CHUNK_MAX : rows;
}

int eddy_net_init(struct eddy_net *net, const struct eddy_layout *layout,
                  uint32_t rows_max, bool for_training, uint32_t negatives)
{
    struct carve carve = {NULL, 0};

    *net = (struct eddy_net){.layout = *layout, .vector = eddy_train_vector_get()};
    net->hidden = layout->shape.hidden;
    net->layers = layout->shape.layers;
    net->items = layout->shape.items;
    net->gates = layout->shape.cell != EDDY_CELL_MINGRU ? 2 * net->hidden : net->hidden;
    net->rows_max = rows_max;
    net->segments_max = rows_max;
    if (layout->shape.mode == EDDY_MODE_FLAT && rows_max > EDDY_PACK_SEQUENCES)
        net->segments_max = EDDY_PACK_SEQUENCES;
    net->chunk = chunk_of(layout->shape.items);
    net->negatives = negatives;
    carve_all(net, &carve, for_training);
    carve.memory = aligned_alloc(64, carve.used * sizeof(float));
    net->sample_items = malloc((negatives + 1) * sizeof *net->sample_items);
    net->sample_births = malloc((negatives + 1) * sizeof *net->sample_births);
    net->memory = carve.memory;
    if (!carve.memory || !net->sample_items || !net->sample_births) {
        eddy_net_fini(net);
        return EDDY_ENOMEM;
    }
    carve.used = 0;
    carve_all(net, &carve, for_training);
    return 0;
}

void eddy_net_fini(struct eddy_net *net)
{
    free(net->memory);
    free(net->sample_items);
    free(net->sample_births);
    *net = (struct eddy_net){0};
}

struct eddy_wave eddy_net_wave(const struct eddy_pack *pack, uint32_t wave)
{
    uint32_t segment = pack->wave_segment[wave], end = pack->wave_segment[wave + 1];
    uint32_t row = pack->segments[segment].row;
    uint32_t row_end = end < pack->segment_count ? pack->segments[end].row : pack->rows;
    return (struct eddy_wave){segment, end - segment, row, row_end - row};
}

struct eddy_dropout eddy_net_dropout(const struct eddy_net *net, uint64_t row_key,
                                     uint32_t place)
{
    if (net->dropout <= 0)
        return (struct eddy_dropout){0, 0, 1.0f};
    return (struct eddy_dropout){
        .key = (uint32_t)eddy_mix64(row_key ^ net->key, place),
        .cut = (uint32_t)(net->dropout * 16777216.0),
        .scale = (float)(1.0 / (1.0 - net->dropout)),
    };
}

static void count_flops(struct eddy_net *net, uint32_t m, uint32_t n, uint32_t k)
{
    net->flops += 2.0 * (double)m * (double)n * (double)k;
}

void eddy_net_product(struct eddy_net *net, uint32_t rows, uint32_t outputs,
                      uint32_t inputs, const float *x, const float *w, float beta,
                      float *y)
{
    count_flops(net, rows, outputs, inputs);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outputs,
                (int)inputs, 1.0f, x, (int)inputs, w, (int)inputs, beta, y,
                (int)outputs);
}

void eddy_net_product_back(struct eddy_net *net, uint32_t rows, uint32_t outputs,
                           uint32_t inputs, const float *dy, const float *w, float beta,
                           float *dx)
{
    count_flops(net, rows, outputs, inputs);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)inputs,
                (int)outputs, 1.0f, dy, (int)outputs, w, (int)inputs, beta, dx,
                (int)inputs);
}

void eddy_net_product_weight(struct eddy_net *net, uint32_t rows, uint32_t outputs,
                             uint32_t inputs, const float *dy, const float *x,
                             float *dw)
{
    count_flops(net, rows, outputs, inputs);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)outputs, (int)inputs,
                (int)rows, 1.0f, dy, (int)outputs, x, (int)inputs, 1.0f, dw,
                (int)inputs);
}

/* A chunk's logits become the gradients by the logits; rows without target get zeros. */
static double chunk_softmax(struct eddy_net *net, const struct eddy_pack *pack,
                            uint32_t row, uint32_t rows, float scale)
{
    const float *bias = net->params.tensor[EDDY_G_ITEM_BIAS];
    float *dbias = net->grads.tensor[EDDY_G_ITEM_BIAS];
    double loss = 0;
    for (uint32_t i = 0; i < rows; i++) {
        float *logits = net->logits + (size_t)i * net->items;
        uint32_t target = pack->targets[row + i];
        if (target == EDDY_ITEM_NONE) {
            memset(logits, 0, net->items * sizeof *logits);
            continue;
        }
        float weight = pack->weights[row + i];
        loss += (double)weight *
                net->vector->softmax(net->items, bias, target, scale * weight, logits);
        if (dbias != NULL)
            net->vector->add(net->items, logits, dbias);
    }
    return loss;
}

double eddy_net_loss(struct eddy_net *net, const struct eddy_pack *pack, float scale)
{
    const float *embedding = net->params.tensor[EDDY_G_ITEM];
    float *gradient = net->grads.tensor[EDDY_G_ITEM];
    double loss = 0;
    if (net->sampler != NULL)
        return eddy_net_loss_sampled(net, pack, scale);
    uint32_t all = eddy_net_query_rows(net, pack);
    for (uint32_t row = 0; row < all; row += net->chunk) {
        uint32_t rows = all - row < net->chunk ? all - row : net->chunk;
        size_t at = (size_t)row * net->hidden;
        const float *queries = net->queries + at;
        eddy_net_product(net, rows, net->items, net->hidden, queries, embedding, 0,
                         net->logits);
        loss += chunk_softmax(net, pack, row, rows, scale);
        if (gradient == NULL)
            continue;
        eddy_net_product_weight(net, rows, net->items, net->hidden, net->logits,
                                queries, gradient);
        eddy_net_product_back(net, rows, net->items, net->hidden, net->logits,
                              embedding, 0, net->dx + at);
    }
    return loss;
}
