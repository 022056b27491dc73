/* The closed form against a plain twin: Gauss elimination in doubles on explicit X, Z, Y. */
#include "core/related.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "session_log.h"

enum { ITEMS = 14, SESSIONS = 40, LENGTH_MAX = 8 };

static uint32_t events[SESSIONS][SESSION_LENGTH_MAX];
static struct eddy_session_view views[SESSIONS];

static void make_sessions(uint64_t seed)
{
    /* the last item has no events */
    make_session_log(seed, SESSIONS, LENGTH_MAX, ITEMS - 1, events, views);
}

/* Solve A X = B for (ITEMS, ITEMS) matrices; A is destroyed. */
static void solve(double a[ITEMS][ITEMS], double b[ITEMS][ITEMS])
{
    for (int k = 0; k < ITEMS; k++) {
        for (int i = 0; i < ITEMS; i++) {
            if (i == k)
                continue;
            double f = a[i][k] / a[k][k];
            for (int j = 0; j < ITEMS; j++) {
                a[i][j] -= f * a[k][j];
                b[i][j] -= f * b[k][j];
            }
        }
    }
    for (int i = 0; i < ITEMS; i++)
        for (int j = 0; j < ITEMS; j++)
            b[i][j] /= a[i][i];
}

static double support(uint32_t item)
{
    double n = 0;
    for (uint32_t s = 0; s < SESSIONS; s++)
        for (uint32_t e = 0; e < views[s].count; e++)
            n += events[s][e] == item;
    return n;
}

static void add_session(uint32_t s, const struct eddy_related_options *o,
                        double left[ITEMS][ITEMS], double right[ITEMS][ITEMS])
{
    uint32_t n = views[s].count;
    double age_s = (SESSIONS - 1 - s) * 3600.0, distinct = 0;
    double x[ITEMS] = {0};
    double omega = o->age_half_life_s > 0 ? pow(0.5, age_s / o->age_half_life_s) : 1;
    for (uint32_t e = 0; e < n; e++)
        x[events[s][e]] = 1;
    for (uint32_t i = 0; i < ITEMS; i++)
        distinct += x[i];
    double content = o->alpha * omega * pow(distinct, -o->length_power);
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t j = 0; j < ITEMS; j++) {
            left[i][j] += content * x[i] * x[j];
            right[i][j] += content * x[i] * x[j];
        }
    for (uint32_t e = 0; e + 1 < n; e++) {
        uint32_t z = events[s][e];
        left[z][z] += (1 - o->alpha) * omega;
        for (uint32_t f = e + 1; f < n && (!o->window || f - e <= o->window); f++)
            right[z][events[s][f]] +=
                (1 - o->alpha) * omega * exp(-(f - e - 1.0) / o->window_decay);
    }
}

static void twin_fit(const struct eddy_related_options *o, double b[ITEMS][ITEMS])
{
    double left[ITEMS][ITEMS] = {{0}}, inverse[ITEMS][ITEMS] = {{0}};
    double copy[ITEMS][ITEMS];
    memset(b, 0, sizeof(double) * ITEMS * ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        left[i][i] = o->lambda;
        inverse[i][i] = 1;
    }
    for (uint32_t s = 0; s < SESSIONS; s++)
        add_session(s, o, left, b);
    memcpy(copy, left, sizeof copy);
    solve(copy, inverse);
    solve(left, b);
    double gamma[ITEMS];
    for (uint32_t j = 0; j < ITEMS; j++)
        gamma[j] = o->zero_diagonal ? b[j][j] / inverse[j][j] : 0;
    for (uint32_t i = 0; i < ITEMS; i++)
        for (uint32_t j = 0; j < ITEMS; j++)
            b[i][j] = (b[i][j] - inverse[i][j] * gamma[j]) *
                      (support(j) > 0 ? pow(support(j), -o->popularity_power) : 0);
}

static const struct eddy_related_options base = {.alpha = 0.4,
                                                 .lambda = 2,
                                                 .window_decay = 1.5,
                                                 .width = ITEMS,
                                                 .items_max = 1000,
                                                 .threads = 2};

static void check_against_twin(const struct eddy_related_options *options)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        double want[ITEMS][ITEMS];
        struct eddy_table table;
        struct eddy_err err = {0};
        make_sessions(seed);
        twin_fit(options, want);
        CHECK_INT(eddy_related_fit(views, SESSIONS, ITEMS, options, &table, &err), 0);
        CHECK_INT(eddy_table_check(&table, &err), 0);
        CHECK_INT(table.items, ITEMS);
        for (uint32_t i = 0; i < ITEMS; i++) {
            double got[ITEMS] = {0};
            for (uint64_t e = table.begin[i]; e < table.begin[i + 1]; e++) {
                got[table.index[e]] = (double)table.weight[e];
                CHECK(e == table.begin[i] || table.weight[e] <= table.weight[e - 1]);
            }
            for (uint32_t j = 0; j < ITEMS; j++)
                CHECK_NEAR(got[j], want[i][j] > 0 ? want[i][j] : 0, 3e-5);
        }
        eddy_table_fini(&table);
    }
}

static void the_closed_form_is_that_of_a_plain_twin(void)
{
    struct eddy_related_options options = base;
    check_against_twin(&options);
    options.age_half_life_s = 36000;
    options.window = 2;
    check_against_twin(&options);
    options.alpha = 0;
    check_against_twin(&options);
    options.alpha = 1;
    options.length_power = 1;
    options.popularity_power = 0.5;
    check_against_twin(&options);
}

static void an_item_does_not_speak_for_itself_when_the_diagonal_is_zero(void)
{
    struct eddy_related_options options = base;
    options.zero_diagonal = true;
    check_against_twin(&options);
    options.alpha = 1; /* EASE */
    check_against_twin(&options);
}

static void a_row_keeps_its_heaviest_entries(void)
{
    struct eddy_related_options options = base;
    struct eddy_table all, few;
    make_sessions(9);
    CHECK_INT(eddy_related_fit(views, SESSIONS, ITEMS, &options, &all, NULL), 0);
    options.width = 3;
    CHECK_INT(eddy_related_fit(views, SESSIONS, ITEMS, &options, &few, NULL), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint64_t n = all.begin[i + 1] - all.begin[i],
                 kept = few.begin[i + 1] - few.begin[i];
        CHECK_INT(kept, n < 3 ? n : 3);
        CHECK_MEM(few.index + few.begin[i], all.index + all.begin[i],
                  kept * sizeof *few.index);
    }
    eddy_table_fini(&all);
    eddy_table_fini(&few);
}

static void only_the_most_supported_items_are_solved(void)
{
    struct eddy_related_options options = base;
    struct eddy_table table;
    make_sessions(2);
    options.items_max = 5;
    CHECK_INT(eddy_related_fit(views, SESSIONS, ITEMS, &options, &table, NULL), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t better = 0;
        for (uint32_t j = 0; j < ITEMS; j++)
            better += support(j) > support(i) || (support(j) == support(i) && j < i);
        CHECK_INT(table.begin[i + 1] > table.begin[i], better < 5);
    }
    eddy_table_fini(&table);
}

/* More items than a block of the inverse holds. */
static void the_number_of_threads_changes_nothing(void)
{
    enum { MANY = 700, WALKS = 3000 };
    static uint32_t walks[WALKS][4];
    static struct eddy_session_view many[WALKS];
    struct eddy_related_options options = base;
    struct eddy_table one, three;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 5);
    for (uint32_t s = 0; s < WALKS; s++) {
        uint32_t home = eddy_rng_below(&rng, MANY);
        for (uint32_t e = 0; e < 4; e++)
            walks[s][e] = (home + eddy_rng_below(&rng, 9)) % MANY;
        many[s] = (struct eddy_session_view){walks[s], 4, s};
    }
    options.threads = 1;
    CHECK_INT(eddy_related_fit(many, WALKS, MANY, &options, &one, NULL), 0);
    options.threads = 3;
    CHECK_INT(eddy_related_fit(many, WALKS, MANY, &options, &three, NULL), 0);
    CHECK_INT(one.begin[MANY], three.begin[MANY]);
    CHECK_MEM(one.weight, three.weight, one.begin[MANY] * sizeof(float));
    CHECK_MEM(one.index, three.index, one.begin[MANY] * sizeof(uint32_t));
    eddy_table_fini(&one);
    eddy_table_fini(&three);
}

static void no_sessions_make_an_empty_table(void)
{
    struct eddy_table table;
    CHECK_INT(eddy_related_fit(NULL, 0, ITEMS, &base, &table, NULL), 0);
    CHECK_INT(table.items, ITEMS);
    CHECK_INT(table.begin[ITEMS], 0);
    eddy_table_fini(&table);
}

static void options_out_of_range_are_refused(void)
{
    struct eddy_related_options bad[6];
    for (int i = 0; i < 6; i++)
        bad[i] = base;
    bad[0].alpha = 1.5;
    bad[1].lambda = 0;
    bad[2].window_decay = 0;
    bad[3].width = 0;
    bad[4].popularity_power = NAN;
    bad[5].age_half_life_s = -1;
    make_sessions(1);
    for (int i = 0; i < 6; i++) {
        struct eddy_table table = {0};
        struct eddy_err err = {0};
        CHECK_INT(eddy_related_fit(views, SESSIONS, ITEMS, &bad[i], &table, &err),
                  EDDY_ECONFIG);
        CHECK(strstr(err.text, "closed form") != NULL);
    }
}

int main(void)
{
    RUN(the_closed_form_is_that_of_a_plain_twin);
    RUN(an_item_does_not_speak_for_itself_when_the_diagonal_is_zero);
    RUN(a_row_keeps_its_heaviest_entries);
    RUN(only_the_most_supported_items_are_solved);
    RUN(the_number_of_threads_changes_nothing);
    RUN(no_sessions_make_an_empty_table);
    RUN(options_out_of_range_are_refused);
    return check_done();
}
