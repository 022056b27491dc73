/* Users' metadata in the query (core/params.h): query = x + U[f_u], and start + U[f_u] for
 * the first event of a user, before which there is no x. What the state carries on stays x. */
#include "core/train_network.h"

static void add_user(struct eddy_net *net, uint32_t user, float *query)
{
    const struct eddy_features *users = net->users;
    const float *table = net->params.tensor[EDDY_G_USER_FEATURES];
    for (uint64_t i = users->begin[user]; i < users->begin[user + 1]; i++)
        net->vector->axpy(net->hidden, users->weight[i],
                          table + (size_t)users->index[i] * net->hidden, query);
}

void eddy_net_queries(struct eddy_net *net, const struct eddy_pack *pack)
{
    size_t hidden = net->hidden;
    net->queries = net->x[net->layers];
    if (net->users == NULL)
        return;
    net->queries = net->query;
    memcpy(net->query, net->x[net->layers], pack->rows * hidden * sizeof *net->query);
    for (uint32_t row = 0; row < eddy_net_query_rows(net, pack); row++) {
        float *query = net->query + row * hidden;
        if (row >= pack->rows)
            memcpy(query, net->params.tensor[EDDY_G_USER_START],
                   hidden * sizeof *query);
        add_user(net, pack->users[pack->sequences[row]], query);
    }
}

void eddy_net_queries_back(struct eddy_net *net, const struct eddy_pack *pack)
{
    const struct eddy_features *users = net->users;
    size_t hidden = net->hidden;
    if (users == NULL)
        return;
    float *dtable = net->grads.tensor[EDDY_G_USER_FEATURES];
    for (uint32_t row = 0; row < eddy_net_query_rows(net, pack); row++) {
        const float *dquery = net->dx + row * hidden;
        uint32_t user = pack->users[pack->sequences[row]];
        if (row >= pack->rows)
            net->vector->add(net->hidden, dquery, net->grads.tensor[EDDY_G_USER_START]);
        for (uint64_t i = users->begin[user]; i < users->begin[user + 1]; i++)
            net->vector->axpy(net->hidden, users->weight[i], dquery,
                              dtable + (size_t)users->index[i] * hidden);
    }
}
