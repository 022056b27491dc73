/* The two cells of the session level, forward and backward over a wave.
 *
 * mingru (arXiv 2410.01201): gates see the input only, so both products take all rows at
 * once and the recurrence is an elementwise walk over rows, P H multiply-adds.
 * gru (PyTorch's "reset after"): the product with W_h waits for the state, so time steps go
 * one after the other, each over the segments still running; segments stand longest first,
 * hence those are the first n of the wave. The gradient of W_h is one product at the end.
 *
 * The carry at a segment's first row is the gradient at its first state s0. It is never cut
 * there: the first state is computed in that position's chunk (train_user.c cuts beyond). */
#include "core/train_network.h"

static float *first_state(struct eddy_net *net, uint32_t layer, uint32_t segment)
{
    return net->saved[layer].s0 + (size_t)segment * net->hidden;
}

static float *first_state_gradient(struct eddy_net *net, uint32_t layer,
                                   uint32_t segment)
{
    return net->ds0 + ((size_t)layer * net->segments_max + segment) * net->hidden;
}

static const float *state_before(struct eddy_net *net, uint32_t layer,
                                 const struct eddy_segment *segment,
                                 uint32_t segment_at, uint32_t i)
{
    if (i == 0)
        return first_state(net, layer, segment_at);
    return net->saved[layer].s + (size_t)(segment->row + i - 1) * net->hidden;
}

static const float *gate_input(struct eddy_net *net, uint32_t layer, uint32_t segment)
{
    const float *uc = net->saved[layer].uc;
    return uc == NULL ? NULL : uc + (size_t)segment * net->gates;
}

static void mingru_forward(struct eddy_net *net, const struct eddy_pack *pack,
                           struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.row * hidden;

    eddy_net_product(net, wave.rows, hidden, hidden, net->x[layer] + start,
                     p[EDDY_L_WZ], 0, saved->z + start);
    eddy_net_product(net, wave.rows, hidden, hidden, net->x[layer] + start,
                     p[EDDY_L_WC], 0, saved->c + start);
    for (uint32_t g = wave.segment; g < wave.segment + wave.segments; g++) {
        const struct eddy_segment *segment = &pack->segments[g];
        for (uint32_t i = 0; i < segment->count; i++) {
            size_t at = (size_t)(segment->row + i) * hidden;
            net->vector->mingru(hidden, p[EDDY_L_BZ], gate_input(net, layer, g),
                                p[EDDY_L_BC], state_before(net, layer, segment, g, i),
                                saved->z + at, saved->c + at, saved->s + at);
        }
    }
}

/* dz into wide, dc behind it. */
static void mingru_scan_back(struct eddy_net *net, const struct eddy_segment *segment,
                             uint32_t g, struct eddy_wave wave, uint32_t layer)
{
    float *const *grads = net->grads.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden;
    float *carry = first_state_gradient(net, layer, g);
    float *dz = net->wide, *dc = net->wide + (size_t)wave.rows * hidden;

    for (uint32_t i = segment->count; i-- > 0;) {
        size_t at = (size_t)(segment->row + i) * hidden;
        size_t here = at - (size_t)wave.row * hidden;
        net->vector->mingru_back(hidden, net->narrow + here,
                                 state_before(net, layer, segment, g, i), saved->z + at,
                                 saved->c + at, carry, dz + here, dc + here,
                                 grads[EDDY_L_BZ], grads[EDDY_L_BC]);
        if (i > 0 && eddy_net_cuts(net, segment->position + i))
            memset(carry, 0, hidden * sizeof *carry);
    }
}

/* Mode all: the user state's way into the gates. d_gates: (rows of the wave, stride), the
 * first C columns being the gates that see it. */
static void gate_input_back(struct eddy_net *net, const struct eddy_pack *pack,
                            struct eddy_wave wave, uint32_t layer, const float *d_gates,
                            size_t stride)
{
    uint32_t gates = net->gates, hidden = net->hidden;
    float *const *p = net->params.layers[layer].tensor;
    float *all = net->segment_wide;
    float *near = all + (size_t)wave.segments * gates;
    size_t start = (size_t)wave.segment * hidden;

    memset(all, 0, 2 * (size_t)wave.segments * gates * sizeof *all);
    for (uint32_t k = 0; k < wave.segments; k++) {
        const struct eddy_segment *segment = &pack->segments[wave.segment + k];
        bool same_chunk = true;
        for (uint32_t i = 0; i < segment->count; i++) {
            const float *d = d_gates + (segment->row + i - wave.row) * stride;
            if (i > 0 && eddy_net_cuts(net, segment->position + i))
                same_chunk = false;
            net->vector->add(gates, d, all + (size_t)k * gates);
            if (same_chunk)
                net->vector->add(gates, d, near + (size_t)k * gates);
        }
    }
    eddy_net_product_weight(net, wave.segments, gates, hidden, all, net->user + start,
                            net->grads.layers[layer].tensor[EDDY_L_UZ]);
    eddy_net_product_back(net, wave.segments, gates, hidden, near, p[EDDY_L_UZ], 1,
                          net->duser + start);
}

static void mingru_backward(struct eddy_net *net, const struct eddy_pack *pack,
                            struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    float *const *grads = net->grads.layers[layer].tensor;
    uint32_t hidden = net->hidden, rows = wave.rows;
    size_t start = (size_t)wave.row * hidden;
    float *dz = net->wide, *dc = net->wide + (size_t)rows * hidden;

    for (uint32_t g = wave.segment; g < wave.segment + wave.segments; g++)
        mingru_scan_back(net, &pack->segments[g], g, wave, layer);
    if (net->saved[layer].uc != NULL)
        gate_input_back(net, pack, wave, layer, dz, hidden);
    eddy_net_product_weight(net, rows, hidden, hidden, dz, net->x[layer] + start,
                            grads[EDDY_L_WZ]);
    eddy_net_product_weight(net, rows, hidden, hidden, dc, net->x[layer] + start,
                            grads[EDDY_L_WC]);
    eddy_net_product_back(net, rows, hidden, hidden, dz, p[EDDY_L_WZ], 1,
                          net->dx + start);
    eddy_net_product_back(net, rows, hidden, hidden, dc, p[EDDY_L_WC], 1,
                          net->dx + start);
}

/* How many segments of the wave have an event number i. */
static uint32_t running(const struct eddy_pack *pack, struct eddy_wave wave, uint32_t i)
{
    uint32_t n = wave.segments;
    while (n > 0 && pack->segments[wave.segment + n - 1].count <= i)
        n--;
    return n;
}

static void add_bias(struct eddy_net *net, uint32_t rows, uint32_t cols,
                     const float *bias, float *y)
{
    for (uint32_t i = 0; i < rows; i++)
        net->vector->add(cols, bias, y + (size_t)i * cols);
}

static void gru_forward(struct eddy_net *net, const struct eddy_pack *pack,
                        struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.row * hidden;
    float *before = net->carry, *h = net->segment_wide;

    eddy_net_product(net, wave.rows, 3 * hidden, hidden, net->x[layer] + start,
                     p[EDDY_L_WI], 0, saved->gates + 3 * start);
    add_bias(net, wave.rows, 3 * hidden, p[EDDY_L_BI], saved->gates + 3 * start);
    for (uint32_t i = 0, n; (n = running(pack, wave, i)) > 0; i++) {
        for (uint32_t k = 0; k < n; k++)
            memcpy(before + (size_t)k * hidden,
                   state_before(net, layer, &pack->segments[wave.segment + k],
                                wave.segment + k, i),
                   hidden * sizeof *before);
        eddy_net_product(net, n, 3 * hidden, hidden, before, p[EDDY_L_WH], 0, h);
        add_bias(net, n, 3 * hidden, p[EDDY_L_BH], h);
        for (uint32_t k = 0; k < n; k++) {
            uint32_t g = wave.segment + k;
            size_t at = (size_t)(pack->segments[g].row + i) * hidden;
            net->vector->gru(hidden, h + 3 * (size_t)k * hidden,
                             gate_input(net, layer, g), before + (size_t)k * hidden,
                             saved->gates + 3 * at, saved->hn + at, saved->s + at);
        }
    }
}

/* One time step back over the n segments running: gradients of the input side replace the
 * gates, those of the hidden side go to wide, the carry moves to the state before. */
static void gru_step_back(struct eddy_net *net, const struct eddy_pack *pack,
                          struct eddy_wave wave, uint32_t layer, uint32_t i, uint32_t n)
{
    const float *wh = net->params.layers[layer].tensor[EDDY_L_WH];
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden;
    float *dh = net->segment_wide;
    float *carry = first_state_gradient(net, layer, wave.segment);

    for (uint32_t k = 0; k < n; k++) {
        uint32_t g = wave.segment + k;
        const struct eddy_segment *segment = &pack->segments[g];
        size_t at = (size_t)(segment->row + i) * hidden;
        size_t here = at - (size_t)wave.row * hidden;
        net->vector->gru_back(hidden, net->narrow + here,
                              state_before(net, layer, segment, g, i), saved->hn + at,
                              saved->gates + 3 * at, carry + (size_t)k * hidden,
                              dh + 3 * (size_t)k * hidden);
        memcpy(net->wide + 3 * here, dh + 3 * (size_t)k * hidden,
               3 * hidden * sizeof *dh);
    }
    eddy_net_product_back(net, n, 3 * hidden, hidden, dh, wh, 1, carry);
    for (uint32_t k = 0; k < n && i > 0; k++)
        if (eddy_net_cuts(net, pack->segments[wave.segment + k].position + i))
            memset(carry + (size_t)k * hidden, 0, hidden * sizeof *carry);
}

static void gru_backward(struct eddy_net *net, const struct eddy_pack *pack,
                         struct eddy_wave wave, uint32_t layer)
{
    float *const *p = net->params.layers[layer].tensor;
    float *const *grads = net->grads.layers[layer].tensor;
    struct eddy_net_saved *saved = &net->saved[layer];
    uint32_t hidden = net->hidden, rows = wave.rows;
    size_t start = (size_t)wave.row * hidden;
    float *d_input = saved->gates + 3 * start;
    float *before = net->narrow2;

    for (uint32_t i = pack->segments[wave.segment].count; i-- > 0;)
        gru_step_back(net, pack, wave, layer, i, running(pack, wave, i));
    for (uint32_t g = wave.segment; g < wave.segment + wave.segments; g++) {
        const struct eddy_segment *segment = &pack->segments[g];
        for (uint32_t i = 0; i < segment->count; i++)
            memcpy(before + (size_t)(segment->row + i - wave.row) * hidden,
                   state_before(net, layer, segment, g, i), hidden * sizeof *before);
    }
    for (uint32_t i = 0; i < rows; i++) {
        net->vector->add(3 * hidden, d_input + 3 * (size_t)i * hidden,
                         grads[EDDY_L_BI]);
        net->vector->add(3 * hidden, net->wide + 3 * (size_t)i * hidden,
                         grads[EDDY_L_BH]);
    }
    if (saved->uc != NULL)
        gate_input_back(net, pack, wave, layer, d_input, 3 * (size_t)hidden);
    eddy_net_product_weight(net, rows, 3 * hidden, hidden, d_input,
                            net->x[layer] + start, grads[EDDY_L_WI]);
    eddy_net_product_weight(net, rows, 3 * hidden, hidden, net->wide, before,
                            grads[EDDY_L_WH]);
    eddy_net_product_back(net, rows, 3 * hidden, hidden, d_input, p[EDDY_L_WI], 1,
                          net->dx + start);
}

void eddy_net_cell_forward(struct eddy_net *net, const struct eddy_pack *pack,
                           struct eddy_wave wave, uint32_t layer)
{
    if (net->layout.shape.cell != EDDY_CELL_MINGRU)
        gru_forward(net, pack, wave, layer);
    else
        mingru_forward(net, pack, wave, layer);
}

void eddy_net_cell_backward(struct eddy_net *net, const struct eddy_pack *pack,
                            struct eddy_wave wave, uint32_t layer)
{
    if (net->layout.shape.cell != EDDY_CELL_MINGRU)
        gru_backward(net, pack, wave, layer);
    else
        mingru_backward(net, pack, wave, layer);
}
