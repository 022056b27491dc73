#include "core/head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALL6(x)                                                                        \
    {                                                                                  \
        x, x, x, x, x, x                                                               \
    }
const struct eddy_head eddy_head_plain = {
    .network = ALL6(true),
    .scale = {1, 1, 1, 1},
    .decay = {1, 1, 1, 1},
    .recent = EDDY_HEAD_RECENT_MAX,
};
_Static_assert(EDDY_HEAD_BUCKETS == 6 && EDDY_HEAD_FEATURES == 4, "plain lists them");

uint32_t eddy_head_bucket(uint32_t known_recent_events)
{
    if (known_recent_events < 3)
        return known_recent_events;
    return known_recent_events < 6 ? 3 : known_recent_events < 20 ? 4 : 5;
}

bool eddy_head_uses(const struct eddy_head *head, enum eddy_head_feature feature)
{
    bool any = false;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        any = any || head->weight[b][feature] != 0;
    return any;
}

bool eddy_head_uses_prior(const struct eddy_head *head, uint32_t prior)
{
    bool any = false;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        any = any || head->prior[b][prior] != 0;
    return any;
}

bool eddy_head_is_plain(const struct eddy_head *head)
{
    bool plain = true;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++)
        plain = plain && head->network[b];
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
        plain = plain && !eddy_head_uses(head, (enum eddy_head_feature)f);
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        plain = plain && !eddy_head_uses_prior(head, h);
    return plain;
}

void eddy_tables_fini(struct eddy_tables *tables)
{
    eddy_table_fini(&tables->related);
    eddy_table_fini(&tables->rules);
    eddy_sessions_fini(&tables->sessions);
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        free(tables->prior[h]);
    *tables = (struct eddy_tables){0};
}
