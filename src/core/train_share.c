/* Training in a group: what goes round between the members (core/exchange.h).
 *
 * Per batch: every shard's loss and gradients, from the member that computed them. The sum
 * is not made on the way, as an all-reduce would, because its order would then depend on
 * the number of members; every member adds the shards itself and makes the same step of the
 * optimiser. Traffic per batch and member: the gradients of the shards of the others. */
#include "core/train_parts.h"

bool eddy_train_owns(const struct eddy_exchange *exchange, uint32_t shard)
{
    return exchange == NULL || shard % exchange->ranks == exchange->rank;
}

int eddy_train_share_shards(struct eddy_trainer *trainer, struct eddy_err *err)
{
    const struct eddy_exchange *exchange = trainer->options->exchange;
    size_t size = trainer->layout.size * sizeof(float);
    int r = 0;

    for (uint32_t s = 0; exchange != NULL && r == 0 && s < EDDY_TRAIN_SHARDS; s++) {
        uint32_t owner = s % exchange->ranks;
        r = exchange->broadcast(exchange->context, owner, &trainer->shard_loss[s],
                                sizeof trainer->shard_loss[s], err);
        if (r == 0)
            r = exchange->broadcast(exchange->context, owner,
                                    trainer->adam.gradients[s], size, err);
    }
    return r;
}

int eddy_train_share(const struct eddy_exchange *exchange, void *bytes, size_t size,
                     struct eddy_err *err)
{
    return exchange == NULL
               ? 0
               : exchange->broadcast(exchange->context, 0, bytes, size, err);
}

int eddy_train_share_stop(const struct eddy_exchange *exchange, bool *stop,
                          struct eddy_err *err)
{
    unsigned char byte = *stop ? 1 : 0;
    int r = eddy_train_share(exchange, &byte, 1, err);
    *stop = byte != 0;
    return r;
}

void eddy_train_share_range(const struct eddy_exchange *exchange, uint32_t rank,
                            uint32_t count, uint32_t *ret_first, uint32_t *ret_end)
{
    uint64_t ranks = exchange == NULL ? 1 : exchange->ranks;
    *ret_first = (uint32_t)(count * (uint64_t)rank / ranks);
    *ret_end = (uint32_t)(count * (uint64_t)(rank + 1) / ranks);
}
