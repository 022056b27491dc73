/* Losses over drawn items: sampled softmax for large catalogues (Bengio, Senecal 2008; Jean
 * et al. 2015), BPR-max (Hidasi, Karatzoglou 2018).
 *
 * S items are drawn once for a pack, with replacement, from a mixture q: half uniform, so
 * that every item is pushed down now and then, half by support^0.75. The sum over all items
 * is estimated by exp(target) + sum over the drawn j of exp(logit_j - log(S q_j)), which is
 * right on average; draws that hit the row's target, and items that nobody had seen yet at
 * the row's time, are left out. The target itself carries
 * no correction, it is always there. Cost per row falls from V to S products; what grows
 * with V is Adam, which walks over all embeddings at every step. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "core/train_network.h"

static void fill_alias(struct eddy_sampler *sampler, uint32_t *work)
{
    /* Walker, Vose: small ones take what they lack from large ones. work: small from the
     * front, large from the back. */
    uint32_t n = sampler->items, small = 0, large = n;
    for (uint32_t i = 0; i < n; i++) {
        sampler->accept[i] = sampler->probability[i] * n;
        sampler->alias[i] = i;
        if (sampler->accept[i] < 1)
            work[small++] = i;
        else
            work[--large] = i;
    }
    while (small > 0 && large < n) {
        uint32_t less = work[--small], more = work[large];
        sampler->alias[less] = more;
        sampler->accept[more] -= 1 - sampler->accept[less];
        if (sampler->accept[more] < 1) {
            large++;
            work[small++] = more;
        }
    }
    /* What rounding left over is 1. */
    while (small > 0)
        sampler->accept[work[--small]] = 1;
}

int eddy_sampler_init(struct eddy_sampler *sampler, const uint64_t *support,
                      uint32_t items)
{
    uint32_t *work = malloc(items * sizeof *work);
    double sum = 0;

    *sampler = (struct eddy_sampler){.items = items};
    sampler->probability = malloc(items * sizeof *sampler->probability);
    sampler->accept = malloc(items * sizeof *sampler->accept);
    sampler->alias = malloc(items * sizeof *sampler->alias);
    sampler->births = calloc(items, sizeof *sampler->births);
    if (!work || !sampler->births || !sampler->probability || !sampler->accept ||
        !sampler->alias) {
        free(work);
        eddy_sampler_fini(sampler);
        return EDDY_ENOMEM;
    }
    for (uint32_t i = 0; i < items; i++) {
        sampler->probability[i] = pow((double)support[i], 0.75);
        sum += sampler->probability[i];
    }
    for (uint32_t i = 0; i < items; i++) {
        double popular = sum > 0 ? sampler->probability[i] / sum : 1.0 / items;
        sampler->probability[i] = 0.5 / items + 0.5 * popular;
    }
    fill_alias(sampler, work);
    free(work);
    return 0;
}

void eddy_sampler_fini(struct eddy_sampler *sampler)
{
    free(sampler->probability);
    free(sampler->accept);
    free(sampler->alias);
    free(sampler->births);
    *sampler = (struct eddy_sampler){0};
}

void eddy_sampler_draw(const struct eddy_sampler *sampler, uint64_t key, uint32_t count,
                       uint32_t *ret_items)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, key);
    for (uint32_t s = 0; s < count; s++) {
        uint32_t i = eddy_rng_below(&rng, sampler->items);
        bool mine = eddy_rng_unit(&rng) < sampler->accept[i];
        ret_items[s] = mine ? i : sampler->alias[i];
    }
}

/* Drawn rows lie anywhere: lines are asked for some rows before they are worked on. */
static void fetch_sample(const struct eddy_net *net, const float *block, uint32_t s)
{
    enum { AHEAD = 3 };
    if (s + AHEAD < net->negatives)
        eddy_net_fetch(block + (size_t)net->sample_items[s + AHEAD] * net->hidden,
                       net->hidden);
}

static void gather_samples(struct eddy_net *net)
{
    const float *embedding = net->params.tensor[EDDY_G_ITEM];
    const float *bias = net->params.tensor[EDDY_G_ITEM_BIAS];
    size_t hidden = net->hidden, floats = net->negatives * hidden;

    eddy_sampler_draw(net->sampler, net->sample_key, net->negatives, net->sample_items);
    for (uint32_t s = 0; s < net->negatives; s++) {
        uint32_t item = net->sample_items[s];
        fetch_sample(net, embedding, s);
        memcpy(net->sample_embedding + s * hidden, embedding + item * hidden,
               hidden * sizeof *embedding);
        net->sample_births[s] = net->sampler->births[item];
        net->sample_correction[s] = bias[item];
        if (net->loss == EDDY_LOSS_SOFTMAX)
            net->sample_correction[s] -=
                (float)log(net->negatives * net->sampler->probability[item]);
    }
    memset(net->sample_gradient, 0, floats * sizeof(float));
    memset(net->sample_bias_gradient, 0, net->negatives * sizeof(float));
}

static void scatter_samples(struct eddy_net *net)
{
    float *gradient = net->grads.tensor[EDDY_G_ITEM];
    float *dbias = net->grads.tensor[EDDY_G_ITEM_BIAS];
    size_t hidden = net->hidden;
    for (uint32_t s = 0; s < net->negatives; s++) {
        uint32_t item = net->sample_items[s];
        fetch_sample(net, gradient, s);
        net->vector->add(net->hidden, net->sample_gradient + s * hidden,
                         gradient + item * hidden);
        dbias[item] += net->sample_bias_gradient[s];
    }
}

/* Loss of one row; its logits become gradients; the target's part goes straight to its
 * embedding and bias, and its gradient is returned for the query. */
static double row_loss(struct eddy_net *net, const struct eddy_pack *pack, uint32_t row,
                       const float *query, float scale, float *logits,
                       float *ret_target_gradient)
{
    uint32_t target = pack->targets[row];
    float weight = pack->weights[row];
    struct eddy_drawn drawn = {
        net->sample_correction, net->sample_items, net->sample_births, target,
        pack->times[row],       net->elu,          net->bpreg};
    const float *embedding = net->params.tensor[EDDY_G_ITEM];
    const float *bias = net->params.tensor[EDDY_G_ITEM_BIAS];
    float *gradient = net->grads.tensor[EDDY_G_ITEM];
    size_t at = (size_t)target * net->hidden;
    float mine = net->vector->dot(net->hidden, query, embedding + at) + bias[target];
    double loss = net->loss == EDDY_LOSS_BPR_MAX
                      ? net->vector->bpr_max(net->negatives, &drawn, scale * weight,
                                             logits, &mine)
                      : net->vector->softmax_sampled(net->negatives, &drawn,
                                                     scale * weight, logits, &mine);
    if (gradient != NULL) {
        net->vector->axpy(net->hidden, mine, query, gradient + at);
        net->grads.tensor[EDDY_G_ITEM_BIAS][target] += mine;
        net->vector->add(net->negatives, logits, net->sample_bias_gradient);
    }
    *ret_target_gradient = mine;
    return (double)weight * loss;
}

static double chunk_loss(struct eddy_net *net, const struct eddy_pack *pack,
                         uint32_t row, uint32_t rows, float scale)
{
    const float *embedding = net->params.tensor[EDDY_G_ITEM];
    size_t hidden = net->hidden, start = row * hidden;
    const float *queries = net->queries + start;
    float *mine = net->narrow; /* (rows) gradients of the targets' logits */
    double loss = 0;

    eddy_net_product(net, rows, net->negatives, net->hidden, queries,
                     net->sample_embedding, 0, net->logits);
    for (uint32_t i = 0; i < rows; i++) {
        float *logits = net->logits + (size_t)i * net->negatives;
        uint32_t target = pack->targets[row + i];
        mine[i] = 0;
        if (target == EDDY_ITEM_NONE)
            memset(logits, 0, net->negatives * sizeof *logits);
        else
            loss += row_loss(net, pack, row + i, queries + i * hidden, scale, logits,
                             &mine[i]);
    }
    if (net->grads.tensor[EDDY_G_ITEM] == NULL)
        return loss;
    eddy_net_product_weight(net, rows, net->negatives, net->hidden, net->logits,
                            queries, net->sample_gradient);
    eddy_net_product_back(net, rows, net->negatives, net->hidden, net->logits,
                          net->sample_embedding, 0, net->dx + start);
    for (uint32_t i = 0; i < rows; i++)
        if (pack->targets[row + i] != EDDY_ITEM_NONE)
            net->vector->axpy(net->hidden, mine[i],
                              embedding + pack->targets[row + i] * hidden,
                              net->dx + start + i * hidden);
    return loss;
}

double eddy_net_loss_sampled(struct eddy_net *net, const struct eddy_pack *pack,
                             float scale)
{
    size_t room = (size_t)net->chunk * net->items / net->negatives;
    uint32_t chunk = room < 1 ? 1 : room > 256 ? 256 : (uint32_t)room;
    double loss = 0;

    gather_samples(net);
    uint32_t all = eddy_net_query_rows(net, pack);
    for (uint32_t row = 0; row < all; row += chunk) {
        uint32_t rows = all - row < chunk ? all - row : chunk;
        loss += chunk_loss(net, pack, row, rows, scale);
    }
    if (net->grads.tensor[EDDY_G_ITEM] != NULL)
        scatter_samples(net);
    return loss;
}
