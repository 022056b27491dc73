/* From a log to a model: what is fitted on what, and the baselines. */
#include "core/build.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "core/build_parts.h"
#include "log_rows.h"

enum { ITEMS = 60, USERS = 400, LENGTH = 9 };

static struct eddy_interactions in;

/* Sessions that walk on from item to item, one user each, an hour apart; some steps jump. */
static void make_log(uint64_t seed, double jumps)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (uint32_t u = 0; u < USERS; u++) {
        uint32_t item = eddy_rng_below(&rng, ITEMS);
        for (uint32_t e = 0; e < LENGTH; e++) {
            eddy_buf_printf(&csv, "u%u,i%u,%llu\n", u, item,
                            1600000000ull + u * 3600 + e * 60);
            item = eddy_rng_unit(&rng) < jumps ? eddy_rng_below(&rng, ITEMS)
                                               : (item + 1) % ITEMS;
        }
    }
    in = rows_of_csv(&csv, NULL);
}

static struct eddy_selection select_rows(void)
{
    struct eddy_train_options options;
    struct eddy_selection selection;
    eddy_train_options_init(&options);
    options.validation_fraction = 0.1;
    CHECK_INT(eddy_train_select(&in, &options, &selection, NULL), 0);
    return selection;
}

static void tables_before_the_cut_know_nothing_after_it(void)
{
    make_log(1, 0.1);
    struct eddy_selection selection = select_rows();
    struct eddy_build_plan plan = eddy_build_plan_defaults(&in, &selection, 1800, 1);
    struct eddy_tables before, changed;
    CHECK_INT(eddy_build_tables(&plan, &in, &selection, &before, NULL), 0);
    uint64_t after = 0;
    for (uint64_t i = 0; i < in.count; i++)
        if (eddy_selection_part(&selection, &in, i) == EDDY_PART_VALIDATION) {
            in.rows[i].item = 0; /* anything else */
            after++;
        }
    CHECK(after > 300 && after < 400);
    CHECK_INT(eddy_build_tables(&plan, &in, &selection, &changed, NULL), 0);
    CHECK_INT(before.related.begin[ITEMS], changed.related.begin[ITEMS]);
    CHECK_INT(before.rules.begin[ITEMS], changed.rules.begin[ITEMS]);
    CHECK_MEM(before.related.weight, changed.related.weight,
              before.related.begin[ITEMS] * sizeof(float));
    CHECK_MEM(before.rules.index, changed.rules.index,
              before.rules.begin[ITEMS] * sizeof(uint32_t));
    CHECK_MEM(before.prior[0], changed.prior[0], ITEMS * sizeof(float));
    CHECK_INT(before.sessions.count, changed.sessions.count);
    eddy_tables_fini(&before);
    eddy_tables_fini(&changed);
    eddy_interactions_fini(&in);
}

static void sessions_end_at_a_gap_or_with_the_user(void)
{
    make_log(2, 0);
    struct eddy_selection selection = select_rows(), all;
    struct eddy_build_views views;
    all = eddy_selection_all(&selection);
    for (uint64_t i = 4; i < in.count; i += LENGTH) /* a pause in every session */
        for (uint64_t k = i; k < i + LENGTH - 4; k++)
            in.rows[k].ts_ms += 1000000;
    CHECK_INT(eddy_build_views_init(&views, &in, &all, 0, NULL), 0);
    CHECK_INT(views.count, USERS);
    eddy_build_views_fini(&views);
    CHECK_INT(eddy_build_views_init(&views, &in, &all, 900, NULL), 0);
    CHECK_INT(views.count, 2 * USERS);
    for (uint32_t v = 1; v < views.count; v++)
        CHECK(views.views[v].ts_ms >= views.views[v - 1].ts_ms);
    eddy_build_views_fini(&views);
    eddy_interactions_fini(&in);
}

static void tables_alone_learn_the_walk(void)
{
    make_log(3, 0.2);
    struct eddy_build_inputs inputs = {.interactions = &in};
    struct eddy_build_options options = {.tables = true};
    struct eddy_build_result result;
    struct eddy_err err = {0};
    eddy_train_options_init(&options.train);
    options.train.validation_fraction = 0.1;
    options.train.allow_small = true;
    options.train.threads = 2;
    CHECK_INT(eddy_build(&inputs, &options, NULL, NULL, &result, &err), 0);
    CHECK_STR(err.text, "");
    CHECK_INT(result.network.layout.shape.hidden, 0);
    CHECK_INT(result.tables.items, ITEMS);
    CHECK(result.head_ndcg > 0.6);
    CHECK(!result.head.network[1]);
    CHECK(eddy_head_uses(&result.head, EDDY_HEAD_RULES) ||
          eddy_head_uses(&result.head, EDDY_HEAD_RELATED));
    eddy_build_result_fini(&result);
    eddy_interactions_fini(&in);
}

struct steps {
    char text[512];
    uint32_t part; /* the last one */
};

static void note_step(void *context, const char *what, uint32_t part, uint32_t parts)
{
    struct steps *steps = context;
    size_t used = strlen(steps->text);
    CHECK_INT(parts, part > 0 ? EDDY_BUILD_PARTS : 0);
    CHECK(part >= steps->part);
    if (part > steps->part || part == 0)
        (void)snprintf(steps->text + used, sizeof steps->text - used, "%s%s",
                       used > 0 ? "; " : "", what);
    steps->part = part;
}

static void every_part_of_the_work_is_told(void)
{
    make_log(3, 0.2);
    struct steps steps = {.text = ""};
    struct eddy_build_inputs inputs = {.interactions = &in};
    struct eddy_build_options options = {.tables = true, .steps = {note_step, &steps}};
    struct eddy_build_result result;
    eddy_train_options_init(&options.train);
    options.train.validation_fraction = 0.1;
    options.train.allow_small = true;
    CHECK_INT(eddy_build(&inputs, &options, NULL, NULL, &result, NULL), 0);
    CHECK_STR(steps.text,
              "metadata and histories; tables: validation events; tables: "
              "rules, settings; tables: closed form, events before "
              "validation; tables: weights; tables: closed form, all events; "
              "tables: weights for streams");
    eddy_build_result_fini(&result);
    eddy_interactions_fini(&in);
}

static void a_network_comes_with_a_head_that_does_not_hurt(void)
{
    make_log(4, 0.1);
    struct eddy_build_inputs inputs = {.interactions = &in};
    struct eddy_build_options options = {.network = true, .tables = true};
    struct eddy_build_result result;
    struct eddy_err err = {0};
    eddy_train_options_init(&options.train);
    options.train.validation_fraction = 0.1;
    options.train.hidden_dimension = 16;
    options.train.layers = 1;
    options.train.epochs = 2; /* hardly trained: tables must help */
    options.train.threads = 2;
    CHECK_INT(eddy_build(&inputs, &options, NULL, NULL, &result, &err), 0);
    CHECK_STR(err.text, "");
    CHECK(result.head_ndcg > result.plain_ndcg + 0.1);
    CHECK(!eddy_head_is_plain(&result.head));
    eddy_build_result_fini(&result);
    options.tables = false;
    CHECK_INT(eddy_build(&inputs, &options, NULL, NULL, &result, &err), 0);
    CHECK(eddy_head_is_plain(&result.head));
    CHECK_INT(result.tables.items, 0);
    eddy_build_result_fini(&result);
    eddy_interactions_fini(&in);
}

/* How many of the cases i -> i + 1 a head of one source puts first. */
static double next_found(const struct eddy_build_result *model)
{
    struct eddy_head_scratch *scratch =
        eddy_head_scratch_new(&model->tables, &model->head);
    uint32_t found = 0;
    for (uint32_t item = 0; item < ITEMS; item++) {
        uint32_t recent[2] = {(item + ITEMS - 1) % ITEMS, item}, best = ITEMS;
        const struct eddy_addition *additions;
        float most = 0;
        uint32_t n =
            eddy_head_additions(&model->tables, &model->head, scratch,
                                (struct eddy_head_recent){.items = recent, .count = 2},
                                &additions);
        for (uint32_t i = 0; i < n; i++)
            if (additions[i].value > most && additions[i].item != item) {
                most = additions[i].value;
                best = additions[i].item;
            }
        /* ids are given in order of appearance: ask the catalogue for the walk */
        struct eddy_span id = eddy_catalog_id(in.items, item);
        struct eddy_span to = best < ITEMS ? eddy_catalog_id(in.items, best) : id;
        char text[16] = {0}, next[16] = {0};
        memcpy(text, id.data, id.size);
        memcpy(next, to.data, to.size);
        found += (atol(text + 1) + 1) % ITEMS == atol(next + 1);
    }
    eddy_head_scratch_free(scratch);
    return (double)found / ITEMS;
}

/* News: so many new items an hour, thirty are read at a time, for 27 hours. */
static void make_news(uint32_t per_hour)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 6);
    for (uint32_t e = 0; e < 8000; e++) {
        uint32_t pick = eddy_rng_below(&rng, 30);
        pick = pick * eddy_rng_below(&rng, 30) / 30;
        eddy_buf_printf(&csv, "u%u,i%u,%u\n", e / 30 * 10 + e % 10,
                        e * 12 * per_hour / 3600 + pick, 1600000000 + e * 12);
    }
    in = rows_of_csv(&csv, NULL);
}

static struct eddy_build_result build_of_tables(bool recency)
{
    struct eddy_build_inputs inputs = {.interactions = &in};
    struct eddy_build_options options = {.tables = true};
    struct eddy_build_result result;
    struct eddy_selection selection;
    eddy_train_options_init(&options.train);
    CHECK(options.train.recency_mask);
    options.train.recency_mask = recency;
    options.train.validation_fraction = 0.1;
    CHECK_INT(eddy_train_select(&in, &options.train, &selection, NULL), 0);
    struct eddy_build_plan plan = eddy_build_plan_defaults(&in, &selection, 1800, 1);
    CHECK_NEAR(plan.counters.half_life_s[0], 0, 0);
    CHECK_INT(plan.counters.half_lives, recency ? 3 : 1); /* six hours, one */
    CHECK_INT(eddy_build(&inputs, &options, NULL, NULL, &result, NULL), 0);
    return result;
}

/* recency_mask where only the last hours say anything: with it fading tables are offered
 * and taken, without it there is nothing that fades. */
static void without_recency_no_table_fades(void)
{
    for (int recency = 0; recency < 2; recency++) {
        uint32_t fading = 0;
        make_news(10);
        struct eddy_build_result result = build_of_tables(recency == 1);
        for (uint32_t h = 0; h < result.tables.priors; h++)
            fading +=
                result.tables.prior[h] != NULL && result.tables.half_life_s[h] > 0;
        CHECK(result.tables.priors > 0);
        CHECK((fading > 0) == (recency == 1));
        eddy_build_result_fini(&result);
        eddy_interactions_fini(&in);
    }
}

/* Fresh tables with weights of their own are for news as well. */
static void without_recency_streams_get_no_head_of_their_own(void)
{
    for (int recency = 0; recency < 2; recency++) {
        make_news(30);
        struct eddy_build_result result = build_of_tables(recency == 1);
        CHECK_INT(result.stream_head.refresh_s, recency ? 300 : 0);
        eddy_build_result_fini(&result);
        eddy_interactions_fini(&in);
    }
}

static const struct eddy_baseline_options two_threads = {.threads = 2};

static void baselines_are_heads_of_one_source(void)
{
    make_log(5, 0.1);
    for (int kind = 0; kind < EDDY_BASELINES; kind++) {
        struct eddy_build_result model;
        struct eddy_err err = {0};
        CHECK_INT(eddy_build_baseline(&in, (enum eddy_baseline)kind, &two_threads,
                                      &model, NULL, &err),
                  0);
        CHECK(eddy_baseline_names[kind] != NULL);
        CHECK(!model.head.network[0] && !model.head.network[5]);
        CHECK_INT(model.network.layout.shape.hidden, 0);
        CHECK(model.tables.priors == 1 && model.tables.prior[0] != NULL);
        if (kind > EDDY_BASELINE_RECENT_POPULARITY)
            CHECK(next_found(&model) > (kind == EDDY_BASELINE_NEIGHBOURS ? 0.5 : 0.9));
        eddy_build_result_fini(&model);
    }
    eddy_interactions_fini(&in);
}

/* Users who walk in steps of one at first and of `late` for the last third of the time; each
 * item `times` in a row. */
static void make_walks(uint32_t late, uint32_t times)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 6);
    for (uint32_t u = 0; u < 3 * USERS; u++) {
        uint32_t item = eddy_rng_below(&rng, ITEMS), step = u < 2 * USERS ? 1 : late;
        for (uint32_t e = 0; e < LENGTH; e++) {
            for (uint32_t k = 0; k < times; k++)
                eddy_buf_printf(&csv, "u%u,i%u,%llu\n", u, item,
                                1600000000ull + u * 3600 + (e * times + k) * 60);
            item = eddy_rng_below(&rng, 10) == 0 ? eddy_rng_below(&rng, ITEMS)
                                                 : (item + step) % ITEMS;
        }
    }
    in = rows_of_csv(&csv, NULL);
}

static struct eddy_baseline_choice choice_of(enum eddy_baseline kind, bool exclude_seen)
{
    struct eddy_baseline_options options = {.threads = 2, .exclude_seen = exclude_seen};
    struct eddy_baseline_choice choice = {0};
    struct eddy_build_result model;
    struct eddy_err err = {0};
    CHECK_INT(eddy_build_baseline(&in, kind, &options, &model, &choice, &err), 0);
    CHECK_STR(err.text, "");
    if (kind == EDDY_BASELINE_NEIGHBOURS)
        CHECK_NEAR(model.head.neighbours.age_decay_days, choice.age_decay_days, 0);
    eddy_build_result_fini(&model);
    return choice;
}

/* What is new contradicts what is old: old sessions have to count less. */
static void baselines_forget_where_the_log_moves_on(void)
{
    make_walks(7, 1);
    struct eddy_baseline_choice neighbours = choice_of(EDDY_BASELINE_NEIGHBOURS, true);
    struct eddy_baseline_choice closed = choice_of(EDDY_BASELINE_CLOSED_FORM, true);
    CHECK(neighbours.cases > 400);
    CHECK(neighbours.age_decay_days > 0 && neighbours.age_decay_days < 50);
    CHECK(closed.age_half_life_days > 0 && closed.age_half_life_days < 50);
    eddy_interactions_fini(&in);
}

/* Where lists may hold what one has just had and nobody takes a thing twice, items must not
 * speak for themselves; where everything is taken in pairs, they should. */
static void the_diagonal_follows_the_log(void)
{
    make_walks(1, 1);
    CHECK(choice_of(EDDY_BASELINE_CLOSED_FORM, false).zero_diagonal);
    eddy_interactions_fini(&in);
    make_walks(1, 3);
    CHECK(!choice_of(EDDY_BASELINE_CLOSED_FORM, false).zero_diagonal);
    eddy_interactions_fini(&in);
}

static void a_few_rows_choose_nothing(void)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t i = 0; i < 60; i++)
        eddy_buf_printf(&csv, "u%u,i%u,%u\n", i / 6, i % 7, 1600000000 + i * 60);
    in = rows_of_csv(&csv, NULL);
    struct eddy_baseline_choice choice = choice_of(EDDY_BASELINE_NEIGHBOURS, false);
    CHECK_INT(choice.cases, 0);
    CHECK_NEAR(choice.age_decay_days, 0, 0);
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(baselines_forget_where_the_log_moves_on);
    RUN(the_diagonal_follows_the_log);
    RUN(a_few_rows_choose_nothing);
    RUN(tables_before_the_cut_know_nothing_after_it);
    RUN(sessions_end_at_a_gap_or_with_the_user);
    RUN(tables_alone_learn_the_walk);
    RUN(every_part_of_the_work_is_told);
    RUN(a_network_comes_with_a_head_that_does_not_hurt);
    RUN(without_recency_no_table_fades);
    RUN(without_recency_streams_get_no_head_of_their_own);
    RUN(baselines_are_heads_of_one_source);
    return check_done();
}
