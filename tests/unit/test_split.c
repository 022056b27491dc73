/* Marks of every protocol on small logs, and the draws against NumPy's. */
#include "core/split.h"

#include <stdlib.h>

#include "check.h"
#include "log_rows.h"

static struct eddy_interactions log_of(const char *rows)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    eddy_buf_puts(&csv, rows);
    return rows_of_csv(&csv, NULL);
}

/* users x events of items i<k>, one a second, users one after the other. */
static struct eddy_interactions square(uint32_t users, uint32_t events)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t u = 0; u < users; u++)
        for (uint32_t e = 0; e < events; e++)
            eddy_buf_printf(&csv, "u%u,i%u,%u\n", u, e, 1600000000 + u * events + e);
    return rows_of_csv(&csv, NULL);
}

/* Marks in (user, time) order as letters: T, H, A, U. */
static void marks_are(const struct eddy_interactions *in,
                      const struct eddy_split_options *options, const char *want)
{
    char got[256] = "";
    uint8_t *marks;
    struct eddy_err err = {0};
    CHECK_INT(eddy_split(in, options, &marks, NULL, &err), 0);
    for (uint64_t i = 0; i < in->count; i++)
        got[i] = "THAU"[marks[i]];
    CHECK_STR(got, want);
    free(marks);
}

static const char *const three_users = "a,i0,1600000000\n"
                                       "a,i1,1600000100\n"
                                       "b,i1,1600000200\n"
                                       "a,i2,1600000300\n"
                                       "c,i0,1600000400\n"
                                       "b,i3,1600000500\n"
                                       "c,i1,1600000600\n";

static void loo_asks_the_last_event_of_users_with_two(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_LOO);
    struct eddy_interactions in = log_of(three_users);
    struct eddy_interactions lone = log_of("a,i,1600000000\nb,i,1600000000\nb,j,"
                                           "1600000000\n");
    marks_are(&in, &options, "TTATATA");
    marks_are(&lone, &options, "TTA");
    eddy_interactions_fini(&in);
    eddy_interactions_fini(&lone);
}

static void sessions_ask_every_event_after_the_first(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_SESSIONS);
    struct eddy_interactions in = log_of(three_users);
    marks_are(&in, &options, "HAAHAHA");
    eddy_interactions_fini(&in);
}

static void successive_asks_from_a_time_on_whoever_has_a_past(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_SUCCESSIVE);
    struct eddy_interactions in = log_of(three_users);
    uint8_t *marks;
    int64_t from;
    options.from_ms = INT64_C(1600000300000);
    marks_are(&in, &options, "TTATAHA");
    options.protocol = EDDY_PROTOCOL_PREQUENTIAL;
    marks_are(&in, &options, "TTATAHA");
    options = eddy_split_defaults(EDDY_PROTOCOL_SUCCESSIVE);
    CHECK_INT(eddy_split(&in, &options, &marks, &from, NULL), 0);
    CHECK_INT(from,
              INT64_C(1600000500000)); /* of 7 times number floor(.9 x 6) from 0 */
    free(marks);
    eddy_interactions_fini(&in);
}

/* pandas: rank(pct=True, method="first") > 0.9. */
static void the_workshop_asks_ranks_above_nine_tenths(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_WORKSHOP);
    static const struct {
        uint32_t events;
        const char *want;
    } cases[] = {
        {2, "TA"},
        {9, "TTTTTTTTA"},
        {10, "TTTTTTTTTA"},
        {11, "TTTTTTTTTAA"}, /* 10 / 11 = .909 */
        {20, "TTTTTTTTTTTTTTTTTTAA"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_interactions in = square(1, cases[c].events);
        marks_are(&in, &options, cases[c].want);
        eddy_interactions_fini(&in);
    }
}

/* Of 4, 5 and 11 events none, one and two. */
static void segments_ask_the_newest_fifth_rounded_down(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_SEGMENTS);
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    static const int events[] = {4, 5, 11};
    for (int u = 0; u < 3; u++)
        for (int e = 0; e < events[u]; e++)
            eddy_buf_printf(&csv, "u%d,i%d,%d\n", u, e, 1600000000 + 10 * e + u);
    struct eddy_interactions in = rows_of_csv(&csv, NULL);
    marks_are(&in, &options,
              "TTTT"
              "TTTTA"
              "TTTTTTTTTAA");
    eddy_interactions_fini(&in);
}

/* method="first": of equal times the earlier row of the file has the lower rank. */
static void equal_times_rank_in_the_order_of_the_file(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_WORKSHOP);
    struct eddy_interactions in =
        log_of("a,x,1600000000\na,y,1600000000\na,w,1600000000\n");
    marks_are(&in, &options, "TTA");
    CHECK_INT(in.rows[2].row, 2);
    eddy_interactions_fini(&in);
}

/* RandomState(42).permutation(10) is 8 1 5 0 7 2 9 4 3 6 in NumPy. */
static void the_draw_is_that_of_numpy(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_COLD_ITEMS);
    struct eddy_interactions in = square(1, 10);
    marks_are(&in, &options, "AATTTATAAT"); /* cold: 8 1 5 0 7 */
    eddy_interactions_fini(&in);
    options.protocol = EDDY_PROTOCOL_SOLUTION;
    in = square(10, 21); /* user 8 is drawn, 2 of his 21 events are asked */
    uint8_t *marks;
    CHECK_INT(eddy_split(&in, &options, &marks, NULL, NULL), 0);
    for (uint64_t i = 0; i < in.count; i++) {
        bool drawn = in.rows[i].user == 8;
        CHECK_INT(marks[i], !drawn                      ? EDDY_MARK_TRAIN
                            : i >= in.user_begin[9] - 2 ? EDDY_MARK_ANSWER
                                                        : EDDY_MARK_HISTORY);
    }
    free(marks);
    eddy_interactions_fini(&in);
}

/* The trainer's indices come from an items file, eval's from the model. */
static void the_marks_do_not_depend_on_the_indices_of_items(void)
{
    struct eddy_catalog *reversed = eddy_catalog_new();
    for (int i = 9; i >= 0; i--) {
        char id[16];
        snprintf(id, sizeof id, "i%d", i);
        (void)eddy_catalog_add(reversed, eddy_span_of(id));
    }
    (void)eddy_catalog_add(reversed, eddy_span_of("never seen"));
    for (int p = 0; p < EDDY_PROTOCOLS; p++) {
        struct eddy_split_options options = eddy_split_defaults((enum eddy_protocol)p);
        struct eddy_interactions one = square(20, 10), other;
        struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
        uint8_t *marks, *again;
        for (uint64_t i = 0; i < one.count; i++)
            eddy_buf_printf(&csv, "u%u,i%u,%u\n", one.rows[i].user, one.rows[i].item,
                            (unsigned)(one.rows[i].ts_ms / 1000));
        other = rows_of_csv(&csv, reversed);
        CHECK_INT(eddy_split(&one, &options, &marks, NULL, NULL), 0);
        CHECK_INT(eddy_split(&other, &options, &again, NULL, NULL), 0);
        CHECK(memcmp(marks, again, one.count) == 0);
        free(marks);
        free(again);
        eddy_interactions_fini(&one);
        eddy_interactions_fini(&other);
    }
    eddy_catalog_free(reversed);
}

static void filtering_keeps_users_and_items(void)
{
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_LOO);
    struct eddy_interactions in = log_of(three_users), view;
    struct eddy_err err = {0};
    uint8_t *marks;
    uint64_t held_out;
    CHECK_INT(eddy_split(&in, &options, &marks, NULL, &err), 0);
    CHECK_INT(eddy_interactions_view(&in, marks, EDDY_KEEP(EDDY_MARK_ANSWER), &view,
                                     &err),
              0);
    CHECK_INT(view.count, 3);
    CHECK_INT(view.user_begin[3], 3);
    CHECK_INT(view.rows[1].user, 1);
    CHECK_INT(view.rows[1].item, 3);
    eddy_interactions_view_fini(&view);
    free(marks);
    CHECK_INT(eddy_split_hold_out(&in, &options, NULL, &held_out, &err), 0);
    CHECK_INT(held_out, 3);
    CHECK_INT(in.count, 4);
    CHECK_INT(in.user_begin[0], 0);
    CHECK_INT(in.user_begin[1], 2);
    CHECK_INT(in.user_begin[2], 3);
    CHECK_INT(in.user_begin[3], 4);
    CHECK_INT(eddy_catalog_count(in.items), 4);
    eddy_interactions_fini(&in);
}

static void what_cannot_be_asked_says_why(void)
{
    struct eddy_interactions in = log_of("a,i,1600000000\nb,j,1600000000\n");
    uint8_t *marks;
    for (int p = 0; p < EDDY_PROTOCOLS; p++) {
        struct eddy_split_options options = eddy_split_defaults((enum eddy_protocol)p);
        struct eddy_err err = {0};
        if (p == EDDY_PROTOCOL_WORKSHOP || p == EDDY_PROTOCOL_COLD_ITEMS)
            continue;
        CHECK_INT(eddy_split(&in, &options, &marks, NULL, &err), EDDY_EFORMAT);
        CHECK(strstr(err.text, eddy_protocol_name((enum eddy_protocol)p)) != NULL);
    }
    struct eddy_split_options options = eddy_split_defaults(EDDY_PROTOCOL_SESSIONS);
    struct eddy_err err = {0};
    CHECK_INT(eddy_split_hold_out(&in, &options, NULL, NULL, &err), EDDY_ECONFIG);
    options = eddy_split_defaults(EDDY_PROTOCOL_PREQUENTIAL);
    CHECK_INT(eddy_split_hold_out(&in, &options, NULL, NULL, &err), EDDY_ECONFIG);
    CHECK_INT(in.count, 2);
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(loo_asks_the_last_event_of_users_with_two);
    RUN(sessions_ask_every_event_after_the_first);
    RUN(successive_asks_from_a_time_on_whoever_has_a_past);
    RUN(the_workshop_asks_ranks_above_nine_tenths);
    RUN(segments_ask_the_newest_fifth_rounded_down);
    RUN(equal_times_rank_in_the_order_of_the_file);
    RUN(the_draw_is_that_of_numpy);
    RUN(the_marks_do_not_depend_on_the_indices_of_items);
    RUN(filtering_keeps_users_and_items);
    RUN(what_cannot_be_asked_says_why);
    return check_done();
}
