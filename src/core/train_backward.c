/* Backward pass over a pack, the mirror of train_forward.c: waves from the last to the
 * first, layers from the top. net->dx holds the gradient at the output of the part that
 * comes next and is overwritten by the gradient at its input, in place.
 *
 * Truncation (bptt): positions are cut into chunks of bptt events, counted in each user's
 * sequence. What is carried into a chunk (session states, user state, the last query of
 * the session before) is a constant there, so the gradient of the loss at a position
 * reaches the inputs of its own chunk and no others; weights learn from every position. */
#include "core/train_network.h"

/* dx at the layer's output -> gradient at y1, in dx. */
static void feed_forward_back(struct eddy_net *net, const struct eddy_pack *pack,
                              struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    float *const *g = net->grads.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden, rows = wave.rows;
    size_t start = (size_t)wave.row * hidden;

    for (uint32_t i = 0; i < rows; i++) {
        uint32_t r = wave.row + i;
        size_t at = (size_t)r * hidden;
        net->vector->norm_back(hidden, net->dx + at, saved->xhat2 + at, saved->rsd2[r],
                               p[EDDY_L_LN2_GAIN],
                               eddy_net_dropout(net, pack->keys[r], 2 + 2 * layer),
                               g[EDDY_L_LN2_GAIN], g[EDDY_L_LN2_BIAS], net->dx + at,
                               net->narrow + (size_t)i * hidden, g[EDDY_L_B2]);
    }
    eddy_net_product_back(net, rows, hidden, 4 * hidden, net->narrow, p[EDDY_L_W2], 0,
                          net->wide2);
    for (uint32_t i = 0; i < rows; i++) {
        size_t at = 4 * (size_t)i * hidden;
        net->vector->gelu_back(4 * hidden, saved->u + 4 * start + at, net->wide + at,
                               net->wide2 + at, g[EDDY_L_B1]);
    }
    eddy_net_product_weight(net, rows, hidden, 4 * hidden, net->narrow, net->wide,
                            g[EDDY_L_W2]);
    eddy_net_product_weight(net, rows, 4 * hidden, hidden, net->wide2,
                            saved->y1 + start, g[EDDY_L_W1]);
    eddy_net_product_back(net, rows, 4 * hidden, hidden, net->wide2, p[EDDY_L_W1], 1,
                          net->dx + start);
}

/* dx at y1 -> the residual's part at the layer's input, in dx; at the states, in narrow. */
static void mix_back(struct eddy_net *net, const struct eddy_pack *pack,
                     struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    float *const *g = net->grads.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.row * hidden;

    for (uint32_t i = 0; i < wave.rows; i++) {
        uint32_t r = wave.row + i;
        size_t at = (size_t)r * hidden;
        net->vector->norm_back(hidden, net->dx + at, saved->xhat1 + at, saved->rsd1[r],
                               p[EDDY_L_LN1_GAIN],
                               eddy_net_dropout(net, pack->keys[r], 1 + 2 * layer),
                               g[EDDY_L_LN1_GAIN], g[EDDY_L_LN1_BIAS], net->dx + at,
                               net->narrow2 + (size_t)i * hidden, g[EDDY_L_BO]);
    }
    eddy_net_product_weight(net, wave.rows, hidden, hidden, net->narrow2,
                            saved->s + start, g[EDDY_L_WO]);
    eddy_net_product_back(net, wave.rows, hidden, hidden, net->narrow2, p[EDDY_L_WO], 0,
                          net->narrow);
}

/* The same without a block. */
static void pass_back(struct eddy_net *net, struct eddy_wave wave)
{
    size_t start = (size_t)wave.row * net->hidden;
    size_t size = (size_t)wave.rows * net->hidden * sizeof(float);
    memcpy(net->narrow, net->dx + start, size);
    memset(net->dx + start, 0, size);
}

static void embed_back(struct eddy_net *net, const struct eddy_pack *pack,
                       struct eddy_wave wave)
{
    const struct eddy_net_view *p = &net->params;
    const struct eddy_net_view *g = &net->grads;
    size_t hidden = net->hidden;
    float *de = net->narrow;

    for (uint32_t r = wave.row; r < wave.row + wave.rows; r++) {
        const struct eddy_step *step = &pack->steps[r];
        size_t at = r * hidden;
        net->vector->norm_back(net->hidden, net->dx + at, net->xhat0 + at, net->rsd0[r],
                               p->tensor[EDDY_G_IN_GAIN],
                               eddy_net_dropout(net, pack->keys[r], 0),
                               g->tensor[EDDY_G_IN_GAIN], g->tensor[EDDY_G_IN_BIAS],
                               net->dx + at, de, NULL);
        net->vector->add(net->hidden, de, g->tensor[EDDY_G_ITEM] + step->item * hidden);
        net->vector->add(net->hidden, de, g->tensor[EDDY_G_TYPE] + step->type * hidden);
        net->vector->add(net->hidden, de, g->tensor[EDDY_G_GAP] + step->gap * hidden);
        if (step->begin)
            net->vector->add(net->hidden, de, g->tensor[EDDY_G_BOS]);
        if (step->value != 0.0f)
            net->vector->axpy(net->hidden, step->value, de, g->tensor[EDDY_G_VALUE]);
        for (uint32_t c = 0; c < EDDY_CONTEXT_MAX; c++)
            if (step->context.feature[c] > 0)
                net->vector->add(net->hidden, de,
                                 g->tensor[EDDY_G_CONTEXT_FEATURES] +
                                     (step->context.feature[c] - 1) * hidden);
    }
}

void eddy_net_backward(struct eddy_net *net, const struct eddy_pack *pack)
{
    size_t segments = pack->segment_count, hidden = net->hidden;
    eddy_net_queries_back(net, pack);
    for (uint32_t l = 0; l < net->layers; l++)
        memset(net->ds0 + l * net->segments_max * hidden, 0,
               segments * hidden * sizeof(float));
    memset(net->duser, 0, segments * hidden * sizeof(float));
    for (uint32_t w = pack->wave_count; w-- > 0;) {
        struct eddy_wave wave = eddy_net_wave(pack, w);
        for (uint32_t l = net->layers; l-- > 0;) {
            if (net->layout.shape.cell == EDDY_CELL_PLAIN_GRU) {
                pass_back(net, wave);
            } else {
                feed_forward_back(net, pack, wave, l);
                mix_back(net, pack, wave, l);
            }
            eddy_net_cell_backward(net, pack, wave, l);
        }
        embed_back(net, pack, wave);
        eddy_net_user_backward(net, pack, wave);
    }
}
