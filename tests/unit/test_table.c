/* Item-item tables: built row by row, and refused when a file lies. */
#include "core/table_rows.h"

#include <math.h>

#include "base/rng.h"
#include "check.h"
#include "torture.h"

enum { ITEMS = 9, WIDTH = 3 };

static void rows_hold_the_heaviest_in_order(void)
{
    struct eddy_scored row0[] = {{5, 2}, {4, -1}, {6, 0}, {1, 3}};
    struct eddy_scored row2[] = {{8, 4}, {1, 3}, {3, 3}, {0, 3}, {7, 1}};
    struct eddy_scored row4[] = {{2, NAN}}, row8[] = {{8, 1}};
    struct eddy_table_rows rows;
    struct eddy_table table;
    struct eddy_err err = {0};
    CHECK_INT(eddy_table_rows_init(&rows, ITEMS), 0);
    CHECK_INT(eddy_table_rows_put(&rows, 8, row8, 1, WIDTH), 0);
    CHECK_INT(eddy_table_rows_put(&rows, 2, row2, 5, WIDTH), 0);
    CHECK_INT(eddy_table_rows_put(&rows, 4, row4, 1, WIDTH), 0);
    CHECK_INT(eddy_table_rows_put(&rows, 0, row0, 4, WIDTH), 0);
    CHECK_INT(eddy_table_rows_finish(&rows, &table), 0);
    eddy_table_rows_fini(&rows);
    static const uint64_t begin[] = {0, 2, 2, 5, 5, 5, 5, 5, 5, 6};
    static const uint32_t index[] = {1, 5, 8, 0, 1, 8};
    static const float weight[] = {3, 2, 4, 3, 3, 1};
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

/* Whether row `row` of the table holds what a whole sort of `weight` (0: no entry) says:
 * the WIDTH heaviest, equal ones by item. */
static bool row_equals_a_sort(const struct eddy_table *table, uint32_t row,
                              const float weight[ITEMS])
{
    bool taken[ITEMS] = {false};
    uint64_t at = table->begin[row];
    for (int place = 0; place < WIDTH; place++) {
        int best = -1;
        for (int item = 0; item < ITEMS; item++)
            if (!taken[item] && weight[item] > 0 &&
                (best < 0 || weight[item] > weight[best]))
                best = item;
        if (best < 0)
            break;
        taken[best] = true;
        if (at == table->begin[row + 1] || table->index[at] != (uint32_t)best ||
            table->weight[at] != weight[best])
            return false;
        at++;
    }
    return at == table->begin[row + 1];
}

static void random_rows_equal_a_whole_sort(void)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 3);
    for (int round = 0; round < 50; round++) {
        float dense[ITEMS][ITEMS];
        struct eddy_table_rows rows;
        struct eddy_table table;
        CHECK_INT(eddy_table_rows_init(&rows, ITEMS), 0);
        for (uint32_t row = 0; row < ITEMS; row++) {
            struct eddy_scored entries[ITEMS];
            for (uint32_t item = 0; item < ITEMS; item++) {
                dense[row][item] = (float)eddy_rng_below(&rng, 5);
                entries[ITEMS - 1 - item] =
                    (struct eddy_scored){item, dense[row][item]};
            }
            CHECK_INT(eddy_table_rows_put(&rows, row, entries, ITEMS, WIDTH), 0);
        }
        CHECK_INT(eddy_table_rows_finish(&rows, &table), 0);
        eddy_table_rows_fini(&rows);
        for (uint32_t row = 0; row < ITEMS; row++)
            CHECK(row_equals_a_sort(&table, row, dense[row]));
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
    struct eddy_scored first[] = {{1, 1}, {0, 2}}, second[] = {{0, 1}};
    struct eddy_table_rows rows;
    struct eddy_table table;
    if (eddy_table_rows_init(&rows, 2) < 0)
        return false;
    int r = eddy_table_rows_put(&rows, 0, first, 2, WIDTH);
    r = r ? r : eddy_table_rows_put(&rows, 1, second, 1, WIDTH);
    r = r ? r : eddy_table_rows_finish(&rows, &table);
    eddy_table_rows_fini(&rows);
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
    RUN(random_rows_equal_a_whole_sort);
    RUN(tables_that_lie_are_refused);
    RUN(memory_may_run_out);
    return check_done();
}
