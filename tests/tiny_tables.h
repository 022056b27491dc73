/* Random tables and a head that uses every part of them, for tests. */
#ifndef EDDY_TESTS_TINY_TABLES_H
#define EDDY_TESTS_TINY_TABLES_H

#include <stdlib.h>

#include "base/rng.h"
#include "core/head.h"
#include "core/table_rows.h"

struct tiny_tables {
    struct eddy_tables tables;
    struct eddy_head head;
};

__attribute__((unused)) static int tiny_table(struct eddy_table *ret, uint32_t items,
                                              struct eddy_rng *rng)
{
    struct eddy_table_rows rows;
    int r = eddy_table_rows_init(&rows, items);
    for (uint32_t row = 0; r == 0 && row < items; row++) {
        struct eddy_scored entries[5];
        uint32_t count = eddy_rng_below(rng, 6), first = eddy_rng_below(rng, items);
        for (uint32_t i = 0; i < count; i++)
            entries[i] = (struct eddy_scored){(first + i * 7) % items,
                                              (float)eddy_rng_unit(rng)};
        r = eddy_table_rows_put(&rows, row, entries, count, 5);
    }
    r = r ? r : eddy_table_rows_finish(&rows, ret);
    eddy_table_rows_fini(&rows);
    return r;
}

__attribute__((unused)) static int tiny_sessions(struct eddy_sessions *ret,
                                                 uint32_t items, struct eddy_rng *rng)
{
    enum { COUNT = 40, LENGTH = 5 };
    uint32_t lists[COUNT][LENGTH];
    struct eddy_session_view views[COUNT];
    for (uint32_t s = 0; s < COUNT; s++) {
        for (uint32_t i = 0; i < LENGTH; i++)
            lists[s][i] = eddy_rng_below(rng, items);
        views[s] = (struct eddy_session_view){lists[s], 2 + s % (LENGTH - 1),
                                              INT64_C(86400000) * s};
    }
    return eddy_sessions_init(ret, views, COUNT, items, 1000);
}

/* Bucket 0 has priors, bucket 1 no network, bucket 2 the network alone. */
__attribute__((unused)) static struct eddy_head tiny_head(void)
{
    struct eddy_head head = eddy_head_plain;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        head.network[b] = b != 1;
        if (b == 2)
            continue;
        head.weight[b][EDDY_HEAD_RELATED] = 0.5f + 0.1f * (float)b;
        head.weight[b][EDDY_HEAD_RULES] = b == 3 ? 0 : 0.75f;
        head.weight[b][EDDY_HEAD_NEIGHBOURS] = 0.25f;
        head.weight[b][EDDY_HEAD_SEEN] = b % 2 ? -2 : 0.5f;
        head.weight[b][EDDY_HEAD_SHOWN] = b == 5 ? 0.5f : -1.5f;
        head.prior[b][0] = 0.3f;
        head.prior[b][2] = b == 4 ? 0 : -0.125f;
    }
    head.scale[EDDY_HEAD_RULES] = 20;
    head.scale[EDDY_HEAD_NEIGHBOURS] = 7;
    head.decay[EDDY_HEAD_RELATED] = 3;
    head.scale[EDDY_HEAD_SHOWN] = 3;
    head.decay[EDDY_HEAD_SEEN] = 10;
    head.decay[EDDY_HEAD_SHOWN] = 2;
    head.recent = 4;
    head.neighbours = (struct eddy_neighbours_options){.candidates = 100,
                                                       .neighbours = 20,
                                                       .position_decay = 3,
                                                       .age_decay_days = 20,
                                                       .distance_decay = 2,
                                                       .idf = true};
    return head;
}

/* 0 or EDDY_ENOMEM. eddy_tables_fini(&ret->tables). */
__attribute__((unused)) static int tiny_tables_make(struct tiny_tables *ret,
                                                    uint32_t items, uint64_t seed)
{
    struct eddy_tables *tables = &ret->tables;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    *tables = (struct eddy_tables){
        .items = items, .priors = 3, .half_life_s = {3600, 86400, 0}};
    ret->head = tiny_head();
    int r = tiny_table(&tables->related, items, &rng);
    r = r ? r : tiny_table(&tables->rules, items, &rng);
    r = r ? r : tiny_sessions(&tables->sessions, items, &rng);
    for (uint32_t h = 0; r == 0 && h < tables->priors; h++) {
        tables->prior[h] = malloc(items * sizeof(float));
        r = tables->prior[h] ? 0 : EDDY_ENOMEM;
        for (uint32_t i = 0; r == 0 && i < items; i++)
            tables->prior[h][i] = -10 * (float)eddy_rng_unit(&rng);
    }
    if (r < 0)
        eddy_tables_fini(tables);
    return r;
}

/* Three items without events. 0 or EDDY_ENOMEM. */
__attribute__((unused)) static int tiny_cold(struct eddy_tables *tables,
                                             uint32_t hidden)
{
    struct eddy_cold_items *cold = &tables->cold;
    cold->items = malloc(3 * sizeof *cold->items);
    cold->place = malloc((2 + (size_t)hidden) * sizeof *cold->place);
    if (cold->items == NULL || cold->place == NULL)
        return EDDY_ENOMEM;
    cold->count = 3;
    cold->items[0] = 0;
    cold->items[1] = tables->items / 2;
    cold->items[2] = tables->items - 1;
    cold->place[0] = 0.5f;
    cold->place[1] = 0.25f;
    for (uint32_t h = 0; h < hidden; h++)
        cold->place[2 + h] = 0.01f * (float)h;
    return 0;
}

#endif
