/* Rows that a recipe learns from. */
#include "core/select.h"

#include <stdio.h>

#include "check.h"
#include "log_rows.h"

static const struct eddy_select_options all = {.max_user_history = 1,
                                               .max_item_count = 1};

/* u0 has 1 row, u1 2, ... u9 10; item i<n> is in the n-th row of its user. */
static struct eddy_interactions staircase(void)
{
    char text[4096];
    size_t at = (size_t)snprintf(text, sizeof text, "USER_ID,ITEM_ID,TIMESTAMP\n");
    for (int u = 0; u < 10; u++)
        for (int i = 0; i <= u; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "u%d,i%d,%d\n", u, i,
                                   1600000000 + i);
    return rows_of_text(text);
}

static void nothing_asked_drops_nothing(void)
{
    struct eddy_interactions in = staircase();
    struct eddy_select_counts counts;
    CHECK_INT(eddy_select(&in, &all, &counts, NULL), 0);
    CHECK_INT(in.count, 55);
    eddy_interactions_fini(&in);
}

static void percentiles_drop_short_and_long_histories(void)
{
    static const struct {
        double low, high;
        uint32_t short_users, long_users;
        uint64_t rows;
    } cases[] = {
        {0, 1, 0, 0, 55},        {0, 0.99, 0, 1, 45}, {0, 0.85, 0, 2, 36},
        {0.12, 1, 1, 0, 54},     {0.5, 1, 4, 0, 45},  {0.5, 0.5, 4, 5, 5},
        {0.01, 0.999, 0, 1, 45},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_interactions in = staircase();
        struct eddy_select_options options = all;
        struct eddy_select_counts counts;
        options.min_user_history = cases[c].low;
        options.max_user_history = cases[c].high;
        CHECK_INT(eddy_select(&in, &options, &counts, NULL), 0);
        CHECK_INT(counts.short_users, cases[c].short_users);
        CHECK_INT(counts.long_users, cases[c].long_users);
        CHECK_INT(in.count, cases[c].rows);
        CHECK_INT(eddy_catalog_count(in.users), 10);
        eddy_interactions_fini(&in);
    }
}

static void equal_histories_stay_together(void)
{
    struct eddy_interactions in = rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                                               "a,x,1600000000\nb,x,1600000000\n"
                                               "c,x,1600000000\nd,x,1600000000\n");
    struct eddy_select_options options = all;
    struct eddy_select_counts counts;
    options.min_user_history = 0.9;
    options.max_user_history = 0.95;
    CHECK_INT(eddy_select(&in, &options, &counts, NULL), 0);
    CHECK_INT(in.count, 4);
    eddy_interactions_fini(&in);
}

static void percentiles_drop_rare_and_frequent_items(void)
{
    struct eddy_interactions in = staircase(); /* i0 has 10 rows, i9 one */
    struct eddy_select_options options = all;
    struct eddy_select_counts counts;
    options.min_item_count = 0.12;
    options.max_item_count = 0.8;
    CHECK_INT(eddy_select(&in, &options, &counts, NULL), 0);
    CHECK_INT(counts.rare_items, 3);     /* 6 of 55 rows, below 0.12 */
    CHECK_INT(counts.frequent_items, 1); /* the others hold 45 of 55 */
    CHECK_INT(in.count, 39);
    eddy_interactions_fini(&in);
}

static void type_and_value_choose_rows(void)
{
    const char *text = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n"
                       "a,x,1600000000,click,1\na,y,1600000001,buy,5\n"
                       "a,z,1600000002,buy,\nb,x,1600000000,buy,2.5\n";
    struct eddy_interactions in = rows_of_text(text);
    struct eddy_select_options options = all;
    struct eddy_select_counts counts;
    struct eddy_err err = {0};
    options.event_type = "rent";
    CHECK_INT(eddy_select(&in, &options, &counts, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, "rent") != NULL && strstr(err.text, "click, buy") != NULL);
    options.event_type = "buy";
    options.has_threshold = true;
    options.threshold = 2.5;
    CHECK_INT(eddy_select(&in, &options, &counts, &err), 0);
    CHECK_INT(counts.by_type, 1);
    CHECK_INT(counts.by_value, 1);
    CHECK_INT(in.count, 2);
    CHECK_NEAR(in.rows[0].value, 5, 0);
    eddy_interactions_fini(&in);
}

/* Explicit ratings beside clicks, which have no value. */
static void a_type_with_a_threshold_of_its_own_leaves_the_others_alone(void)
{
    const char *text = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n"
                       "a,r5,1600000000,rating,5\na,r4,1600000001,rating,4\n"
                       "a,r3,1600000002,rating,3.5\na,r,1600000003,rating,\n"
                       "a,c,1600000004,click,\na,c1,1600000005,click,1\n"
                       "a,n,1600000006,,\na,b2,1600000007,buy,2\n";
    static const struct eddy_event_threshold rating = {"rating", 4}, buy = {"buy", 9},
                                             none = {"rent", 1};
    const struct eddy_event_threshold both[] = {rating, buy};
    static const struct {
        const char *kept, *event_type;
        int has_threshold;
        double threshold;
        uint32_t own; /* of both */
    } cases[] = {
        {"r5 r4 r3 r c c1 n b2", NULL, 0, 0, 0},
        {"r5 r4 c c1 n b2", NULL, 0, 0, 1},
        {"r5 r4 c c1 n", NULL, 0, 0, 2},
        {"r5 r4 c1 b2", NULL, 1, 1, 1},
        {"r5 r4 r3 b2", NULL, 1, 2, 0},
        {"r5 r4", "rating", 0, 0, 2},
        {"c c1 n", "click", 0, 0, 1},
        {"c1", "click", 1, -5, 2},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_interactions in = rows_of_text(text);
        struct eddy_select_options options = all;
        struct eddy_select_counts counts;
        char kept[64] = "";
        options.event_type = cases[c].event_type;
        options.has_threshold = cases[c].has_threshold != 0;
        options.threshold = cases[c].threshold;
        options.type_thresholds = both;
        options.type_threshold_count = cases[c].own;
        CHECK_INT(eddy_select(&in, &options, &counts, NULL), 0);
        for (uint64_t i = 0; i < in.count; i++) {
            struct eddy_span id = eddy_catalog_id(in.items, in.rows[i].item);
            (void)snprintf(kept + strlen(kept), sizeof kept - strlen(kept), "%s%.*s",
                           i > 0 ? " " : "", (int)id.size, id.data);
        }
        CHECK_STR(kept, cases[c].kept);
        CHECK_INT(counts.by_type + counts.by_value, 8 - in.count);
        eddy_interactions_fini(&in);
    }
    struct eddy_interactions in = rows_of_text(text);
    struct eddy_select_options options = all;
    struct eddy_select_counts counts;
    struct eddy_err err = {0};
    options.type_thresholds = &none;
    options.type_threshold_count = 1;
    CHECK_INT(eddy_select(&in, &options, &counts, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, "rent") != NULL &&
          strstr(err.text, "rating, click") != NULL);
    CHECK_INT(in.count, 8);
    eddy_interactions_fini(&in);
}

static void percentiles_out_of_order_are_refused(void)
{
    struct eddy_interactions in = staircase();
    struct eddy_select_options options = all;
    struct eddy_select_counts counts;
    options.min_user_history = 0.9;
    options.max_user_history = 0.1;
    CHECK_INT(eddy_select(&in, &options, &counts, NULL), EDDY_ECONFIG);
    CHECK_INT(in.count, 55);
    eddy_interactions_fini(&in);
}

/* `users` users; the first one has what is missing to `rows`, the others two each. */
static int check_of(uint32_t rows, uint32_t users, struct eddy_err *err)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t i = 0; i < rows; i++)
        eddy_buf_printf(&csv, "u%u,i%u,%u\n", i < 2 * users ? i / 2 : 0, i % 7,
                        1600000000 + i);
    struct eddy_interactions in = rows_of_csv(&csv, NULL);
    int r = eddy_select_check(&in, err);
    eddy_interactions_fini(&in);
    return r;
}

static void too_little_data_is_refused_in_amazons_words(void)
{
    struct eddy_err err = {0};
    CHECK_INT(check_of(999, 25, &err), EDDY_EFORMAT);
    CHECK(strstr(err.text, "Dataset has fewer than 1000 interactions after filtering "
                           "by event type: 999") != NULL);
    CHECK_INT(check_of(1000, 24, &err), EDDY_EFORMAT);
    CHECK(strstr(err.text, "Dataset has fewer than 25 users with at least 2 "
                           "interactions each: 24") != NULL);
    CHECK_INT(check_of(1000, 25, &err), 0);
}

int main(void)
{
    RUN(nothing_asked_drops_nothing);
    RUN(percentiles_drop_short_and_long_histories);
    RUN(equal_histories_stay_together);
    RUN(percentiles_drop_rare_and_frequent_items);
    RUN(type_and_value_choose_rows);
    RUN(a_type_with_a_threshold_of_its_own_leaves_the_others_alone);
    RUN(percentiles_out_of_order_are_refused);
    RUN(too_little_data_is_refused_in_amazons_words);
    return check_done();
}
