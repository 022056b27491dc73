/* Users' metadata and the context of a request in the query (core/params.h):
 * query = x + U[f_u] + Q[f], and start in the place of x for the first event of a user. What
 * the state carries on stays x.
 *
 * A target's own context is what a request for it would have. It is added for a share of the
 * targets only (request_share), drawn anew for every batch: lists that are made ahead of the
 * request know no more than the events before, and they are what is validated and evaluated.
 * So x has to do without it, and a column that gives the answer away cannot spoil x. */
#include "base/rng.h"
#include "core/train_network.h"

enum { PLACE_REQUEST = 64 }; /* of draws; dropout's are 0 .. 2 * EDDY_LAYERS_MAX */

static void add_user(struct eddy_net *net, uint32_t user, float *query)
{
    const struct eddy_features *users = net->users;
    const float *table = net->params.tensor[EDDY_G_USER_FEATURES];
    for (uint64_t i = users->begin[user]; i < users->begin[user + 1]; i++)
        net->vector->axpy(net->hidden, users->weight[i],
                          table + (size_t)users->index[i] * net->hidden, query);
}

static void add_user_back(struct eddy_net *net, uint32_t user, const float *dquery)
{
    const struct eddy_features *users = net->users;
    float *dtable = net->grads.tensor[EDDY_G_USER_FEATURES];
    for (uint64_t i = users->begin[user]; i < users->begin[user + 1]; i++)
        net->vector->axpy(net->hidden, users->weight[i], dquery,
                          dtable + (size_t)users->index[i] * net->hidden);
}

/* Does the row's query have the context of its request? */
static bool asks(const struct eddy_net *net, const struct eddy_pack *pack, uint32_t row)
{
    return net->request_share > 0 && pack->targets[row] != EDDY_ITEM_NONE &&
           eddy_draw_unit(net->key, pack->keys[row], PLACE_REQUEST, 0) <
               net->request_share;
}

void eddy_net_queries(struct eddy_net *net, const struct eddy_pack *pack)
{
    size_t hidden = net->hidden;
    net->queries = net->x[net->layers];
    if (!eddy_net_adds_to_queries(net))
        return;
    net->queries = net->query;
    memcpy(net->query, net->x[net->layers], pack->rows * hidden * sizeof *net->query);
    for (uint32_t row = 0; row < eddy_net_query_rows(net, pack); row++) {
        float *query = net->query + row * hidden;
        if (row >= pack->rows)
            memcpy(query, net->params.tensor[EDDY_G_USER_START],
                   hidden * sizeof *query);
        if (net->users != NULL)
            add_user(net, pack->users[pack->sequences[row]], query);
        if (asks(net, pack, row))
            eddy_context_add(&pack->requests[row],
                             net->params.tensor[EDDY_G_CONTEXT_QUERY], net->hidden,
                             query);
    }
}

void eddy_net_queries_back(struct eddy_net *net, const struct eddy_pack *pack)
{
    size_t hidden = net->hidden;
    if (!eddy_net_adds_to_queries(net))
        return;
    for (uint32_t row = 0; row < eddy_net_query_rows(net, pack); row++) {
        const float *dquery = net->dx + row * hidden;
        if (row >= pack->rows)
            net->vector->add(net->hidden, dquery, net->grads.tensor[EDDY_G_USER_START]);
        if (net->users != NULL)
            add_user_back(net, pack->users[pack->sequences[row]], dquery);
        if (!asks(net, pack, row))
            continue;
        for (uint32_t c = 0; c < EDDY_CONTEXT_MAX; c++)
            if (pack->requests[row].feature[c] > 0)
                net->vector->add(net->hidden, dquery,
                                 net->grads.tensor[EDDY_G_CONTEXT_QUERY] +
                                     (pack->requests[row].feature[c] - 1) * hidden);
    }
}
