/* The user level (Quadrana et al. 2017): at the first event of every session but the
 * user's first, c = GRU(query of the last event, c) and the session's first states are
 * tanh(W_init c + b_init); in mode all c also enters the gates of every step through U_z.
 * In mode flat, and in a first session, c and the first states are zero.
 *
 * A wave's segments are contiguous, so each product takes all of them; what they need of
 * the sessions before is gathered into scratch. */
#include "core/train_network.h"

static void zero_states(struct eddy_net *net, struct eddy_wave wave)
{
    size_t start = (size_t)wave.segment * net->hidden;
    size_t size = (size_t)wave.segments * net->hidden * sizeof(float);
    memset(net->user + start, 0, size);
    for (uint32_t l = 0; l < net->layers; l++)
        memset(net->saved[l].s0 + start, 0, size);
}

/* Row of the last event of the session before. */
static size_t last_row_before(const struct eddy_pack *pack,
                              const struct eddy_segment *segment)
{
    const struct eddy_segment *before = &pack->segments[segment->previous];
    return before->row + before->count - 1;
}

/* Last queries and user states of the sessions before, into `query` and `user`. */
static void gather(struct eddy_net *net, const struct eddy_pack *pack,
                   struct eddy_wave wave, float *query, float *user)
{
    size_t hidden = net->hidden;
    for (uint32_t k = 0; k < wave.segments; k++) {
        const struct eddy_segment *segment = &pack->segments[wave.segment + k];
        memcpy(query + k * hidden,
               net->x[net->layers] + last_row_before(pack, segment) * hidden,
               hidden * sizeof *query);
        memcpy(user + k * hidden, net->user + segment->previous * hidden,
               hidden * sizeof *user);
    }
}

static void move_user(struct eddy_net *net, const struct eddy_pack *pack,
                      struct eddy_wave wave)
{
    float *const *p = net->params.tensor;
    uint32_t hidden = net->hidden, n = wave.segments;
    size_t start = (size_t)wave.segment * hidden;
    float *query = net->segment_wide, *user = query + (size_t)n * hidden;
    float *h = user + (size_t)n * hidden;

    gather(net, pack, wave, query, user);
    eddy_net_product(net, n, 3 * hidden, hidden, query, p[EDDY_G_USER_WI], 0,
                     net->user_gates + 3 * start);
    eddy_net_product(net, n, 3 * hidden, hidden, user, p[EDDY_G_USER_WH], 0, h);
    for (uint32_t k = 0; k < n; k++) {
        size_t at = start + (size_t)k * hidden;
        net->vector->add(3 * hidden, p[EDDY_G_USER_BI], net->user_gates + 3 * at);
        net->vector->add(3 * hidden, p[EDDY_G_USER_BH], h + 3 * (size_t)k * hidden);
        net->vector->gru(hidden, h + 3 * (size_t)k * hidden, NULL,
                         user + (size_t)k * hidden, net->user_gates + 3 * at,
                         net->user_hn + at, net->user + at);
    }
}

static void first_states(struct eddy_net *net, struct eddy_wave wave)
{
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.segment * hidden;
    for (uint32_t l = 0; l < net->layers; l++) {
        float *const *p = net->params.layers[l].tensor;
        float *s0 = net->saved[l].s0 + start;
        eddy_net_product(net, wave.segments, hidden, hidden, net->user + start,
                         p[EDDY_L_WINIT], 0, s0);
        for (uint32_t k = 0; k < wave.segments; k++)
            net->vector->tanh_bias(hidden, p[EDDY_L_BINIT], s0 + (size_t)k * hidden);
    }
}

void eddy_net_user_forward(struct eddy_net *net, const struct eddy_pack *pack,
                           struct eddy_wave wave)
{
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.segment * hidden;

    if (pack->segments[wave.segment].previous == EDDY_SEGMENT_NONE) {
        zero_states(net, wave);
    } else {
        move_user(net, pack, wave);
        first_states(net, wave);
    }
    if (net->layout.shape.mode != EDDY_MODE_ALL)
        return;
    for (uint32_t l = 0; l < net->layers; l++)
        eddy_net_product(net, wave.segments, net->gates, hidden, net->user + start,
                         net->params.layers[l].tensor[EDDY_L_UZ], 0,
                         net->saved[l].uc + (size_t)wave.segment * net->gates);
}

static void first_states_back(struct eddy_net *net, struct eddy_wave wave)
{
    uint32_t hidden = net->hidden;
    size_t start = (size_t)wave.segment * hidden;
    for (uint32_t l = 0; l < net->layers; l++) {
        float *const *p = net->params.layers[l].tensor;
        float *const *g = net->grads.layers[l].tensor;
        const float *s0 = net->saved[l].s0 + start;
        float *d = net->ds0 + ((size_t)l * net->segments_max + wave.segment) * hidden;
        for (uint32_t k = 0; k < wave.segments; k++) {
            size_t at = (size_t)k * hidden;
            net->vector->tanh_back(hidden, s0 + at, d + at, d + at, g[EDDY_L_BINIT]);
        }
        eddy_net_product_weight(net, wave.segments, hidden, hidden, d,
                                net->user + start, g[EDDY_L_WINIT]);
        eddy_net_product_back(net, wave.segments, hidden, hidden, d, p[EDDY_L_WINIT], 1,
                              net->duser + start);
    }
}

/* What comes out of move_user's gradient goes to the sessions before, as far as they are in
 * the same chunk of truncated backpropagation: the last query, made just before this
 * position, and the user state, made where the session before began. d_query, d_user:
 * (segments, H). */
static void scatter(struct eddy_net *net, const struct eddy_pack *pack,
                    struct eddy_wave wave, const float *d_query, const float *d_user)
{
    size_t hidden = net->hidden;
    for (uint32_t k = 0; k < wave.segments; k++) {
        const struct eddy_segment *segment = &pack->segments[wave.segment + k];
        uint32_t before = pack->segments[segment->previous].position;
        if (!eddy_net_cuts(net, segment->position))
            net->vector->add(net->hidden, d_query + k * hidden,
                             net->dx + last_row_before(pack, segment) * hidden);
        if (net->bptt == 0 || before / net->bptt == segment->position / net->bptt)
            net->vector->add(net->hidden, d_user + k * hidden,
                             net->duser + segment->previous * hidden);
    }
}

void eddy_net_user_backward(struct eddy_net *net, const struct eddy_pack *pack,
                            struct eddy_wave wave)
{
    float *const *p = net->params.tensor;
    float *const *g = net->grads.tensor;
    uint32_t hidden = net->hidden, n = wave.segments;
    size_t start = (size_t)wave.segment * hidden, floats = (size_t)n * hidden;
    float *query = net->segment_wide, *user = query + floats, *dh = user + floats;
    float *d_input = net->user_gates + 3 * start, *d_user = net->carry;

    if (pack->segments[wave.segment].previous == EDDY_SEGMENT_NONE)
        return;
    first_states_back(net, wave);
    gather(net, pack, wave, query, user);
    memset(d_user, 0, floats * sizeof *d_user);
    for (uint32_t k = 0; k < n; k++) {
        size_t at = (size_t)k * hidden;
        net->vector->gru_back(hidden, net->duser + start + at, user + at,
                              net->user_hn + start + at, d_input + 3 * at, d_user + at,
                              dh + 3 * at);
        net->vector->add(3 * hidden, d_input + 3 * at, g[EDDY_G_USER_BI]);
        net->vector->add(3 * hidden, dh + 3 * at, g[EDDY_G_USER_BH]);
    }
    eddy_net_product_weight(net, n, 3 * hidden, hidden, d_input, query,
                            g[EDDY_G_USER_WI]);
    eddy_net_product_weight(net, n, 3 * hidden, hidden, dh, user, g[EDDY_G_USER_WH]);
    eddy_net_product_back(net, n, 3 * hidden, hidden, dh, p[EDDY_G_USER_WH], 1, d_user);
    eddy_net_product_back(net, n, 3 * hidden, hidden, d_input, p[EDDY_G_USER_WI], 0,
                          query);
    scatter(net, pack, wave, query, d_user);
}
