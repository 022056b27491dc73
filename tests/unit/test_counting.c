/* Recipes that count. */
#include "core/counting.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "core/counting_model.h"
#include "log_rows.h"

static uint32_t item(const struct eddy_interactions *in, const char *id)
{
    return eddy_catalog_find(in->items, eddy_span_of(id));
}

/* Weight of (row, of) in a table, 0: not there. */
static float weight(const struct eddy_table *table, uint32_t row, uint32_t of)
{
    for (uint64_t e = table->begin[row]; e < table->begin[row + 1]; e++)
        if (table->index[e] == of)
            return table->weight[e];
    return 0;
}

static void users_are_counted_once_per_item(void)
{
    struct eddy_interactions in = rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                                               "a,x,1600000000\na,x,1600000001\n"
                                               "a,y,1600000002\nb,x,1600000000\n");
    float counts[2];
    CHECK_INT(eddy_count_users(&in, counts), 0);
    CHECK_NEAR(counts[item(&in, "x")], 2, 0);
    CHECK_NEAR(counts[item(&in, "y")], 1, 0);
    eddy_interactions_fini(&in);
}

static void what_rises_most_trends_and_popularity_breaks_ties(void)
{
    /* Intervals of 1800 s, the newest row at 1600010000. */
    struct eddy_interactions in =
        rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                     "a,old,1600000000\nb,old,1600000000\n"
                     "c,old,1600000000\na,fall,1600007000\n"
                     "b,fall,1600007100\na,fall,1600009000\n"
                     "a,steady,1600007000\nb,steady,1600009000\n"
                     "a,rise,1600009500\nb,rise,1600009600\n"
                     "c,edge,1600008200\nd,new,1600010000\n");
    float trend[6];
    CHECK_INT(eddy_count_trend(&in, 1800, trend), 0);
    CHECK(trend[item(&in, "rise")] > 2 && trend[item(&in, "rise")] < 2.5f);
    CHECK(trend[item(&in, "new")] > 1 && trend[item(&in, "new")] < 1.5f);
    CHECK(trend[item(&in, "fall")] < 0.5f && trend[item(&in, "steady")] < 0.5f);
    CHECK(trend[item(&in, "edge")] < 0.5f); /* 1800 s before the end: the one before */
    CHECK(trend[item(&in, "old")] > trend[item(&in, "fall")]);
    eddy_interactions_fini(&in);
}

static void sims_discount_goes_from_counts_to_shares(void)
{
    struct eddy_interactions in =
        rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                     "a,x,1600000000\na,hit,1600000001\na,near,1600000002\n"
                     "b,x,1600000000\nb,hit,1600000001\nb,near,1600000002\n"
                     "c,x,1600000000\nc,hit,1600000001\nd,hit,1600000000\n"
                     "e,hit,1600000000\nf,hit,1600000000\nf,far,1600000001\n");
    uint32_t x = item(&in, "x"), hit = item(&in, "hit"), near = item(&in, "near");
    struct eddy_sims_options options = {.window = 100, .width = 10, .threads = 2};
    struct eddy_table raw, shared, few;
    CHECK_INT(eddy_sims_fit(&in, &options, &raw, NULL), 0);
    CHECK_NEAR(weight(&raw, x, hit), 3, 0);
    CHECK_NEAR(weight(&raw, x, near), 2, 0);
    CHECK_INT(raw.index[raw.begin[x]], hit);
    CHECK_NEAR(weight(&raw, x, x), 0, 0);
    options.discount = 1;
    CHECK_INT(eddy_sims_fit(&in, &options, &shared, NULL), 0);
    CHECK_NEAR(weight(&shared, x, hit), 0.5, 1e-6);
    CHECK_NEAR(weight(&shared, x, near), 1, 1e-6);
    CHECK_INT(shared.index[shared.begin[x]], near);
    options.common_min = 3;
    CHECK_INT(eddy_sims_fit(&in, &options, &few, NULL), 0);
    CHECK_INT(few.begin[x + 1] - few.begin[x], 1);
    CHECK_INT(few.begin[item(&in, "far") + 1] - few.begin[item(&in, "far")], 0);
    CHECK_INT(eddy_table_check(&few, NULL), 0);
    eddy_table_fini(&raw);
    eddy_table_fini(&shared);
    eddy_table_fini(&few);
    eddy_interactions_fini(&in);
}

static void sims_count_within_the_window_and_each_user_once(void)
{
    struct eddy_interactions in = rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                                               "u,a,1600000000\nu,b,1600000001\n"
                                               "u,c,1600000002\nu,a,1600000003\n"
                                               "u,b,1600000004\nv,c,1600000000\n"
                                               "v,d,1600000001\n");
    struct eddy_sims_options options = {.window = 1, .width = 10, .threads = 1};
    struct eddy_table table;
    uint32_t a = item(&in, "a"), b = item(&in, "b"), c = item(&in, "c");
    CHECK_INT(eddy_sims_fit(&in, &options, &table, NULL), 0);
    CHECK_NEAR(weight(&table, a, b), 1, 0); /* twice, by one user */
    CHECK_NEAR(weight(&table, a, c), 1, 0);
    CHECK_NEAR(weight(&table, c, item(&in, "d")), 1, 0);
    CHECK_NEAR(weight(&table, b, item(&in, "d")), 0, 0);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < 4; j++)
            CHECK_NEAR(weight(&table, i, j), weight(&table, j, i), 0);
    eddy_table_fini(&table);
    eddy_interactions_fini(&in);
}

static void cold_items_are_young_and_rare(void)
{
    static const char items[] = "ITEM_ID,CREATION_TIMESTAMP\n"
                                "old,1600000000\nyoung,1608600000\nbusy,1608600000\n"
                                "unseen,\ndated,1600000000\n";
    struct eddy_catalog *catalog = NULL;
    CHECK_INT(eddy_items_parse(eddy_span_of(items), "i.csv", false, &catalog, NULL), 0);
    static const char rows[] = "USER_ID,ITEM_ID,TIMESTAMP\n"
                               "a,old,1600000000\na,young,1608600000\n"
                               "a,busy,1608600000\nb,busy,1608600001\n"
                               "c,busy,1608640000\nd,dated,1608640000\n"
                               "e,undated,1608000000\nf,fresh,1608640000\n";
    struct eddy_interactions in = rows_of_span(eddy_span_of(rows), catalog);
    static const struct {
        uint64_t max;
        double days;
        int64_t now_ms;
        const char *cold;
    } cases[] = {
        {2, 5, INT64_MIN, "young unseen fresh"},
        {3, 5, INT64_MIN, "young busy unseen fresh"},
        {2, 10, INT64_MIN, "young unseen undated fresh"},
        {2, 5, 1700000000000, ""},
        {0, 5, INT64_MIN, "unseen"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_cold_options options = {cases[c].max, cases[c].days,
                                            cases[c].now_ms};
        bool *cold = NULL;
        uint32_t count = 0;
        CHECK_INT(eddy_count_cold(&in, catalog, &options, &cold, &count), 0);
        struct eddy_buf names;
        eddy_buf_init(&names, 0);
        for (uint32_t i = 0; i < eddy_catalog_count(in.items); i++) {
            struct eddy_span id = eddy_catalog_id(in.items, i);
            if (!cold[i])
                continue;
            eddy_buf_puts(&names, names.size > 0 ? " " : "");
            eddy_buf_put(&names, id.data, id.size);
        }
        CHECK_STR(names.data ? names.data : "", cases[c].cold);
        CHECK(count > 0 || names.size == 0);
        eddy_buf_fini(&names);
        free(cold);
    }
    eddy_interactions_fini(&in);
    eddy_catalog_free(catalog);
}

static void a_new_item_has_neighbours_by_metadata(void)
{
    /* Two genres, users of each; "new" and "odd" have no interaction. */
    struct eddy_buf rows = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    struct eddy_buf items = csv_begin("ITEM_ID,GENRE\n");
    for (int i = 0; i < 20; i++)
        eddy_buf_printf(&items, "i%d,%s\n", i, i < 10 ? "war" : "love");
    eddy_buf_puts(&items, "new,love\nodd,\n");
    for (int u = 0; u < 60; u++)
        for (int e = 0; e < 5; e++)
            eddy_buf_printf(&rows, "u%d,i%d,%d\n", u, u % 2 * 10 + (u / 2 + 3 * e) % 10,
                            1600000000 + e);
    struct eddy_catalog *catalog = NULL;
    CHECK_INT(eddy_items_parse(eddy_buf_span(&items), "i.csv", false, &catalog, NULL),
              0);
    struct eddy_interactions in = rows_of_csv(&rows, catalog);
    struct eddy_build_inputs inputs = {.interactions = &in, .items = catalog};
    struct eddy_counting_options options = {.kind = EDDY_COUNTING_SIMILAR,
                                            .similar = {.id_dimension = 30,
                                                        .metadata_dimension = 30,
                                                        .width = 5,
                                                        .threads = 2,
                                                        .seed = 1}};
    struct eddy_build_result result, again;
    CHECK_INT(eddy_counting_model(&inputs, &options, &result, NULL), 0);
    const struct eddy_table *table = &result.tables.related;
    CHECK_INT(eddy_table_check(table, NULL), 0);
    for (uint32_t row = 0; row < 21; row++) {
        CHECK_INT(table->begin[row + 1] - table->begin[row], 5);
        for (uint64_t e = table->begin[row]; e < table->begin[row + 1]; e++) {
            CHECK((table->index[e] >= 10) == (row >= 10));
            CHECK(table->index[e] != row);
        }
    }
    CHECK_INT(table->begin[22] - table->begin[21], 0); /* odd: nothing is known of it */
    options.similar.threads = 1;
    CHECK_INT(eddy_counting_model(&inputs, &options, &again, NULL), 0);
    CHECK_MEM(again.tables.related.weight, table->weight,
              table->begin[22] * sizeof(float));
    eddy_build_result_fini(&result);
    eddy_build_result_fini(&again);
    eddy_interactions_fini(&in);
    eddy_catalog_free(catalog);
    eddy_buf_fini(&items);
}

static void without_a_cold_item_there_is_no_model(void)
{
    struct eddy_interactions in = rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                                               "a,x,1600000000\nb,y,1600000001\n");
    struct eddy_build_inputs inputs = {.interactions = &in};
    struct eddy_counting_options options = {.kind = EDDY_COUNTING_POPULAR};
    struct eddy_build_result result;
    struct eddy_err err = {0};
    bool cold[2] = {false, false};
    CHECK_INT(eddy_counting_model(&inputs, &options, &result, NULL), 0);
    CHECK_INT(eddy_counting_keep_cold(&result, cold, &err), EDDY_EFORMAT);
    CHECK(strstr(err.text, "cold_start_max_interactions") != NULL);
    cold[1] = true;
    CHECK_INT(eddy_counting_keep_cold(&result, cold, &err), 0);
    CHECK_NEAR(result.network.popularity[0], 0, 0);
    CHECK_NEAR(result.network.popularity[1], 1, 0);
    eddy_build_result_fini(&result);
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(users_are_counted_once_per_item);
    RUN(what_rises_most_trends_and_popularity_breaks_ties);
    RUN(sims_discount_goes_from_counts_to_shares);
    RUN(sims_count_within_the_window_and_each_user_once);
    RUN(cold_items_are_young_and_rare);
    RUN(a_new_item_has_neighbours_by_metadata);
    RUN(without_a_cold_item_there_is_no_model);
    return check_done();
}
