/* Forward pass over a pack (formulas: core/params.h).
 *
 * Waves run in order, because the first state of a session depends on the session before
 * it; inside a wave every matrix product takes all rows at once. Dropout stands where
 * LRURec has it: on the summed input embedding, on W_o s + b_o, on the feed-forward's
 * output, each before the residual sum. Masks are keyed by (seed, step, user, position,
 * place): nothing is stored, backward draws them again, and the cut into packs and threads
 * does not change them. */
#include "core/train_network.h"

static void embed_row(struct eddy_net *net, const struct eddy_step *step, float *e)
{
    const struct eddy_net_view *p = &net->params;
    size_t hidden = net->hidden;
    const float *item = p->tensor[EDDY_G_ITEM] + step->item * hidden;
    memcpy(e, item, hidden * sizeof *e);
    net->vector->add(net->hidden, p->tensor[EDDY_G_TYPE] + step->type * hidden, e);
    net->vector->add(net->hidden, p->tensor[EDDY_G_GAP] + step->gap * hidden, e);
    if (step->begin)
        net->vector->add(net->hidden, p->tensor[EDDY_G_BOS], e);
    if (step->value != 0.0f)
        net->vector->axpy(net->hidden, step->value, p->tensor[EDDY_G_VALUE], e);
    for (uint32_t c = 0; c < EDDY_CONTEXT_MAX; c++)
        if (step->context.feature[c] > 0)
            net->vector->add(net->hidden,
                             p->tensor[EDDY_G_CONTEXT_FEATURES] +
                                 (step->context.feature[c] - 1) * hidden,
                             e);
}

static void embed(struct eddy_net *net, const struct eddy_pack *pack,
                  struct eddy_wave wave)
{
    const struct eddy_net_view *p = &net->params;
    for (uint32_t r = wave.row; r < wave.row + wave.rows; r++) {
        size_t at = (size_t)r * net->hidden;
        embed_row(net, &pack->steps[r], net->narrow);
        net->rsd0[r] =
            net->vector->norm(net->hidden, NULL, net->narrow, NULL,
                              eddy_net_dropout(net, pack->keys[r], 0),
                              p->tensor[EDDY_G_IN_GAIN], p->tensor[EDDY_G_IN_BIAS],
                              net->xhat0 + at, net->x[0] + at);
    }
}

/* y1 = LN(x + drop(W_o s + b_o)) */
static void mix(struct eddy_net *net, const struct eddy_pack *pack,
                struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.row * hidden;

    eddy_net_product(net, wave.rows, hidden, hidden, saved->s + start, p[EDDY_L_WO], 0,
                     net->narrow);
    for (uint32_t i = 0; i < wave.rows; i++) {
        uint32_t r = wave.row + i;
        size_t at = (size_t)r * hidden;
        saved->rsd1[r] = net->vector->norm(
            hidden, net->x[layer] + at, net->narrow + (size_t)i * hidden, p[EDDY_L_BO],
            eddy_net_dropout(net, pack->keys[r], 1 + 2 * layer), p[EDDY_L_LN1_GAIN],
            p[EDDY_L_LN1_BIAS], saved->xhat1 + at, saved->y1 + at);
    }
}

/* x of the next layer = LN(y1 + drop(W_2 gelu(W_1 y1 + b_1) + b_2)) */
static void feed_forward(struct eddy_net *net, const struct eddy_pack *pack,
                         struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.row * hidden;

    eddy_net_product(net, wave.rows, 4 * hidden, hidden, saved->y1 + start,
                     p[EDDY_L_W1], 0, saved->u + 4 * start);
    for (uint32_t i = 0; i < wave.rows; i++)
        net->vector->gelu(4 * hidden, p[EDDY_L_B1],
                          saved->u + 4 * (start + (size_t)i * hidden),
                          net->wide + 4 * (size_t)i * hidden);
    eddy_net_product(net, wave.rows, hidden, 4 * hidden, net->wide, p[EDDY_L_W2], 0,
                     net->narrow);
    for (uint32_t i = 0; i < wave.rows; i++) {
        uint32_t r = wave.row + i;
        size_t at = (size_t)r * hidden;
        saved->rsd2[r] = net->vector->norm(
            hidden, saved->y1 + at, net->narrow + (size_t)i * hidden, p[EDDY_L_B2],
            eddy_net_dropout(net, pack->keys[r], 2 + 2 * layer), p[EDDY_L_LN2_GAIN],
            p[EDDY_L_LN2_BIAS], saved->xhat2 + at, net->x[layer + 1] + at);
    }
}

/* Without a block: x of the next layer = s. */
static void pass(struct eddy_net *net, struct eddy_wave wave, uint32_t layer)
{
    size_t start = (size_t)wave.row * net->hidden;
    memcpy(net->x[layer + 1] + start, net->saved[layer].s + start,
           (size_t)wave.rows * net->hidden * sizeof(float));
}

void eddy_net_forward(struct eddy_net *net, const struct eddy_pack *pack)
{
    for (uint32_t w = 0; w < pack->wave_count; w++) {
        struct eddy_wave wave = eddy_net_wave(pack, w);
        eddy_net_user_forward(net, pack, wave);
        embed(net, pack, wave);
        for (uint32_t l = 0; l < net->layers; l++) {
            eddy_net_cell_forward(net, pack, wave, l);
            if (net->layout.shape.cell == EDDY_CELL_PLAIN_GRU) {
                pass(net, wave, l);
                continue;
            }
            mix(net, pack, wave, l);
            feed_forward(net, pack, wave, l);
        }
    }
    eddy_net_queries(net, pack);
}
