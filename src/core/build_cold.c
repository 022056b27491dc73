/* Items without events and the head (core/build_parts.h).
 *
 * The network ranks them by metadata, at the place of an item of which nothing else is known
 * (core/train_items.h). The head is fitted on events that, by their nature, were never with
 * such items: it would learn that they never come, and its tables say nothing of them. So
 * they are no candidates of the fit, and of each prior they get the mean of the others. Where
 * their scores then stand in lists is found by core/build_cold_place.c. A head that does
 * without the network would know nothing of them at all: the network comes back, too faint
 * to decide anything else. */
#include <stdlib.h>
#include <string.h>

#include "core/build_parts.h"

static const float louder = 50; /* tables than a network that is of no use to them */

int eddy_build_cold_init(struct eddy_build_cold *cold,
                         const struct eddy_interactions *in,
                         const struct eddy_selection *selection)
{
    uint32_t items = eddy_catalog_count(in->items);
    *cold = (struct eddy_build_cold){.items = items, .count = items};
    cold->is = malloc((size_t)items + 1);
    if (cold->is == NULL)
        return EDDY_ENOMEM;
    memset(cold->is, 1, (size_t)items + 1);
    for (uint64_t row = 0; row < in->count; row++) {
        uint32_t item = in->rows[row].item;
        if (cold->is[item] == 0 ||
            eddy_selection_part(selection, in, row) != EDDY_PART_TRAINING)
            continue;
        cold->is[item] = 0;
        cold->count--;
    }
    return 0;
}

void eddy_build_cold_fini(struct eddy_build_cold *cold)
{
    free(cold->is);
    *cold = (struct eddy_build_cold){0};
}

uint32_t eddy_build_cold_cases(const struct eddy_build_cold *cold,
                               const struct eddy_head_case *cases, uint32_t count,
                               struct eddy_head_case *ret)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!cold->is[cases[i].answer])
            ret[kept++] = cases[i];
    return kept;
}

void eddy_build_cold_priors(const struct eddy_build_cold *cold,
                            struct eddy_tables *tables)
{
    for (uint32_t h = 0; h < tables->priors; h++) {
        float *prior = tables->prior[h];
        double sum = 0;
        if (prior == NULL || cold->count == cold->items)
            continue;
        for (uint32_t i = 0; i < cold->items; i++)
            sum += cold->is[i] ? 0 : (double)prior[i];
        for (uint32_t i = 0; i < cold->items; i++)
            prior[i] =
                cold->is[i] ? (float)(sum / (cold->items - cold->count)) : prior[i];
    }
}

void eddy_build_cold_network(struct eddy_head *head)
{
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        if (head->network[b])
            continue;
        head->network[b] = true;
        for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
            head->weight[b][f] *= louder;
        for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
            head->prior[b][h] *= louder;
    }
}
