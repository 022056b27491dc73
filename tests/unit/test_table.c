/* Item-item tables: built from loose entries, and refused when a file lies. */
#include "core/table.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "torture.h"

enum { ITEMS = 9, WIDTH = 3 };

static void rows_hold_the_heaviest_in_order(void)
{
    struct eddy_table_entry entries[] = {
        {2, 1, 1},  {0, 5, 2}, {2, 8, 4}, {2, 1, 2}, {2, 3, 3}, {2, 0, 3},   {0, 5, 1},
        {0, 4, -1}, {8, 8, 1}, {0, 6, 0}, {2, 7, 1}, {0, 1, 3}, {4, 2, NAN},
    };
    struct eddy_table table;
    struct eddy_err err = {0};
    CHECK_INT(eddy_table_build(&table, ITEMS, entries, sizeof entries / sizeof *entries,
                               WIDTH),
              0);
    static const uint64_t begin[] = {0, 2, 2, 5, 5, 5, 5, 5, 5, 6};
    static const uint32_t index[] = {1, 5, 8, 0, 1, 8};
    static const float weight[] = {3, 3, 4, 3, 3, 1};
    for (int i = 0; i <= ITEMS; i++)
        CHECK_INT(table.begin[i], begin[i]);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(table.index[i], index[i]);
        CHECK_NEAR(table.weight[i], weight[i], 0);
    }
    CHECK_INT(eddy_table_check(&table, &err), 0);
    eddy_table_fini(&table);
    CHECK_INT(table.items, 0);
}

static void random_tables_equal_a_dense_matrix(void)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 3);
    for (int round = 0; round < 50; round++) {
        static struct eddy_table_entry entries[200];
        float dense[ITEMS][ITEMS] = {{0}};
        uint32_t count = (uint32_t)(eddy_rng_next(&rng) % 200);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t row = (uint32_t)(eddy_rng_next(&rng) % ITEMS);
            uint32_t item = (uint32_t)(eddy_rng_next(&rng) % ITEMS);
            float weight = (float)(1 + eddy_rng_next(&rng) % 4);
            entries[i] = (struct eddy_table_entry){row, item, weight};
            dense[row][item] += weight;
        }
        struct eddy_table table;
        CHECK_INT(eddy_table_build(&table, ITEMS, entries, count, ITEMS), 0);
        for (uint32_t row = 0; row < ITEMS; row++) {
            uint64_t want = 0;
            for (uint32_t item = 0; item < ITEMS; item++)
                want += dense[row][item] > 0;
            CHECK_INT(table.begin[row + 1] - table.begin[row], want);
            for (uint64_t i = table.begin[row]; i < table.begin[row + 1]; i++)
                CHECK_NEAR(table.weight[i], dense[row][table.index[i]], 0);
        }
        CHECK_INT(eddy_table_check(&table, NULL), 0);
        eddy_table_fini(&table);
    }
}

static void tables_that_lie_are_refused(void)
{
    for (int i = 0; i < 7; i++) {
        uint64_t begin[] = {0, 2, 2, 3};
        uint32_t index[] = {1, 2, 0};
        float weight[] = {2, 1, 1};
        struct eddy_table table = {3, begin, index, weight};
        struct eddy_err err = {0};
        switch (i) {
        case 1: begin[0] = 1; break;
        case 2: begin[1] = 4; break;
        case 3: index[1] = 3; break;
        case 4: weight[2] = NAN; break;
        case 5: weight[0] = 0.5f; break;
        case 6: weight[2] = 0; break;
        }
        CHECK_INT(eddy_table_check(&table, &err), i == 0 ? 0 : EDDY_EFORMAT);
    }
    struct eddy_table none = {0};
    CHECK_INT(eddy_table_check(&none, NULL), 0);
}

static bool a_table_is_built(void)
{
    struct eddy_table_entry entries[] = {{0, 1, 1}, {1, 0, 1}};
    struct eddy_table table;
    int r = eddy_table_build(&table, 2, entries, 2, 5);
    if (r == 0)
        eddy_table_fini(&table);
    return r == 0;
}

static void memory_may_run_out(void)
{
    TORTURE(a_table_is_built);
}

int main(void)
{
    RUN(rows_hold_the_heaviest_in_order);
    RUN(random_tables_equal_a_dense_matrix);
    RUN(tables_that_lie_are_refused);
    RUN(memory_may_run_out);
    return check_done();
}
