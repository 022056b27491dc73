/* Which interactions are for what: newest by time, sampled users where times are positions,
 * lengths, types, values, ages. */
#include <math.h>

#include "check.h"
#include "core/selection.h"
#include "log_rows.h"

enum { USERS = 50, EVENTS = 12, PARTS = EDDY_PART_VALIDATION + 1 };

/* User u has EVENTS + u % 3 events; `positions`: every history counts from 0. */
static struct eddy_interactions interactions_new(bool positions)
{
    struct eddy_buf csv =
        csv_begin("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n");
    for (unsigned u = 0; u < USERS; u++)
        for (unsigned e = 0; e < EVENTS + u % 3; e++)
            eddy_buf_printf(&csv, "u%u,i%u,%u,%s,%s\n", u, (u + e) % 20,
                            positions ? e : 1000000000 + u * 5000 + e * 60,
                            e % 2 ? "buy" : "click",
                            e % 3 == 0   ? ""
                            : e % 3 == 1 ? "2"
                                         : "4");
    return rows_of_csv(&csv, NULL);
}

static struct eddy_selection selection_of(const struct eddy_interactions *in,
                                          const struct eddy_selection_options *options)
{
    struct eddy_selection selection;
    CHECK_INT(eddy_selection_init(&selection, in, options, NULL), 0);
    return selection;
}

/* Parts by row and ranges by user say the same, suffixes all. */
static void check_consistent(const struct eddy_selection *selection,
                             const struct eddy_interactions *in, uint64_t counts[PARTS])
{
    memset(counts, 0, (PARTS) * sizeof *counts);
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        uint64_t begin, cut, end;
        eddy_selection_user(selection, in, u, &begin, &cut, &end);
        CHECK_INT(begin, in->user_begin[u]);
        CHECK_INT(end, in->user_begin[u + 1]);
        for (uint64_t i = begin; i < end; i++) {
            enum eddy_part part = eddy_selection_part(selection, in, i);
            counts[part]++;
            CHECK_INT(part, i < cut ? EDDY_PART_TRAINING : EDDY_PART_VALIDATION);
        }
    }
}

static void the_newest_events_by_time_are_for_validation(void)
{
    struct eddy_interactions in = interactions_new(false);
    struct eddy_selection_options options = {.validation_fraction = 0.1,
                                             .validation_max = 1000};
    struct eddy_selection selection = selection_of(&in, &options);
    uint64_t counts[PARTS];
    int64_t oldest = INT64_MAX, newest = 0;

    CHECK(!selection.positions);
    check_consistent(&selection, &in, counts);
    CHECK_INT(counts[EDDY_PART_VALIDATION], in.count / 10);
    for (uint64_t i = 0; i < in.count; i++) {
        enum eddy_part part = eddy_selection_part(&selection, &in, i);
        if (part == EDDY_PART_VALIDATION && in.rows[i].ts_ms < oldest)
            oldest = in.rows[i].ts_ms;
        if (part == EDDY_PART_TRAINING && in.rows[i].ts_ms > newest)
            newest = in.rows[i].ts_ms;
    }
    CHECK(newest <= oldest);
    struct eddy_selection all = eddy_selection_all(&selection);
    check_consistent(&all, &in, counts);
    CHECK_INT(counts[EDDY_PART_VALIDATION], 0);
    CHECK_INT(counts[EDDY_PART_TRAINING], in.count);
    eddy_interactions_fini(&in);
}

static void positions_for_times_cut_a_sample_of_users(void)
{
    struct eddy_interactions in = interactions_new(true);
    struct eddy_selection_options options = {
        .validation_fraction = 0.1, .validation_max = 1000, .seed = 3};
    struct eddy_selection selection = selection_of(&in, &options);
    uint64_t counts[PARTS];
    uint32_t cut_users = 0;

    CHECK(selection.positions);
    check_consistent(&selection, &in, counts);
    for (uint32_t u = 0; u < USERS; u++) {
        uint64_t begin, cut, end;
        eddy_selection_user(&selection, &in, u, &begin, &cut, &end);
        CHECK(end - cut <= 10 && cut > begin);
        cut_users += cut < end ? 1 : 0;
    }
    CHECK(cut_users >= 10 && cut_users <= 30); /* 20 wanted */
    CHECK(counts[EDDY_PART_VALIDATION] > cut_users);
    /* No age without times. */
    options.recency = true;
    selection = selection_of(&in, &options);
    CHECK_NEAR(selection.half_life_s, 0, 0);
    eddy_interactions_fini(&in);
}

static void types_weigh(void)
{
    static const struct eddy_event_weight weights[] = {{"buy", 0.5}};
    static const struct eddy_event_weight unknown[] = {{"sell", 1}};
    struct eddy_interactions in = interactions_new(false);
    struct eddy_selection_options options = {.weights = weights, .weight_count = 1};
    struct eddy_selection selection = selection_of(&in, &options);
    struct eddy_err err = {0};
    for (uint64_t i = 0; i < in.count; i++) {
        bool buy = strcmp(in.types[in.rows[i].type], "buy") == 0;
        CHECK_NEAR((double)eddy_selection_weight(&selection, &in.rows[i]),
                   buy ? 0.5 : 0, 0);
    }
    options = (struct eddy_selection_options){.weights = unknown, .weight_count = 1};
    CHECK_INT(eddy_selection_init(&selection, &in, &options, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, "sell") != NULL);
    eddy_interactions_fini(&in);
}

/* What is popular changes every day: old events must count less. A world that stands still
 * has no half-life. */
static void drift_of_popularity_makes_old_events_count_less(void)
{
    for (int drifts = 0; drifts < 2; drifts++) {
        struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
        for (unsigned e = 0; e < 4000; e++)
            eddy_buf_printf(&csv, "u%u,i%u,%u\n", e % 97,
                            (drifts ? e / 100 : 0) + e % 7, 1000000000 + e * 3600);
        struct eddy_interactions in = rows_of_csv(&csv, NULL);
        struct eddy_selection_options options = {
            .validation_fraction = 0.02, .validation_max = 1000, .recency = true};
        struct eddy_selection selection = selection_of(&in, &options);
        if (drifts)
            CHECK(selection.half_life_s > 0 && selection.half_life_s < 120 * 86400.0);
        else
            CHECK_NEAR(selection.half_life_s, 0, 0);
        struct eddy_interaction old = in.rows[0];
        old.ts_ms = selection.newest_ms - (int64_t)(selection.half_life_s * 1000);
        CHECK_NEAR((double)eddy_selection_weight(&selection, &old), drifts ? 0.5 : 1,
                   1e-5);
        eddy_interactions_fini(&in);
    }
}

/* The same drift, and nobody asked: the oldest event counts as the newest. */
static void without_recency_all_events_count_alike(void)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (unsigned e = 0; e < 4000; e++)
        eddy_buf_printf(&csv, "u%u,i%u,%u\n", e % 97, e / 100 + e % 7,
                        1000000000 + e * 3600);
    struct eddy_interactions in = rows_of_csv(&csv, NULL);
    for (int recency = 0; recency < 2; recency++) {
        struct eddy_selection_options options = {.validation_fraction = 0.02,
                                                 .validation_max = 1000,
                                                 .recency = recency == 1};
        struct eddy_selection selection = selection_of(&in, &options);
        float least = 2, most = 0;
        for (uint64_t i = 0; i < in.count; i++) {
            float weight = eddy_selection_weight(&selection, &in.rows[i]);
            least = weight < least ? weight : least;
            most = weight > most ? weight : most;
        }
        CHECK_NEAR((double)most, 1, 0);
        if (recency)
            CHECK(least < 0.5f);
        else
            CHECK_NEAR((double)least, 1, 0);
    }
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(the_newest_events_by_time_are_for_validation);
    RUN(positions_for_times_cut_a_sample_of_users);
    RUN(types_weigh);
    RUN(drift_of_popularity_makes_old_events_count_less);
    RUN(without_recency_all_events_count_alike);
    return check_done();
}
