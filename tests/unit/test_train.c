/* Training as a whole: streaming equals training, the same result whatever the threads,
 * validation by time, early stop, bad data. */
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/rng.h"
#include "check.h"
#include "core/hrnn.h"
#include "core/sequence.h"
#include "core/split.h"
#include "core/train.h"
#include "core/train_network.h"
#include "train_walks.h"

static void the_table_gives_amazons_defaults_and_ranges(void)
{
    struct eddy_train_options options;
    struct eddy_err err = {0};
    eddy_train_options_init(&options);
    CHECK_INT(options.hidden_dimension, 149);
    CHECK_INT(options.bptt, 32);
    CHECK_INT(options.mode, EDDY_MODE_FLAT);
    CHECK_NEAR(options.dropout, -1, 0);
    struct eddy_option_group group = {"train", eddy_train_option_table,
                                      eddy_train_option_count, &options};
    struct eddy_conf *conf = eddy_conf_new(&group, 1, NULL);
    CHECK_INT(eddy_conf_set(conf, "hidden_dimension", "31", EDDY_FROM_COMMAND_LINE,
                            "--set", &err),
              EDDY_ECONFIG);
    CHECK(strstr(err.text, "32") != NULL && strstr(err.text, "256") != NULL);
    CHECK_INT(eddy_conf_set(conf, "cell", "lstm", EDDY_FROM_COMMAND_LINE, "--set",
                            &err),
              EDDY_ECONFIG);
    CHECK(strstr(err.text, "mingru") != NULL);
    CHECK_INT(eddy_conf_set(conf, "cell", "gru", EDDY_FROM_COMMAND_LINE, "--set", &err),
              0);
    CHECK_INT(options.cell, EDDY_CELL_GRU);
    eddy_conf_free(conf);
}

/* The same log with columns DEVICE and HOUR: context of every event but each fifth. */
static void add_context(struct eddy_interactions *in)
{
    static const char *const devices[] = {"phone", "TV", "console"};
    in->context_count = 2;
    in->cells = eddy_spill_new(NULL, 2 * in->count * sizeof *in->cells, NULL, NULL);
    for (int c = 0; c < 2; c++) {
        in->context[c].name = strdup(c == 0 ? "DEVICE" : "HOUR");
        in->context[c].hash = eddy_context_column(eddy_span_of(in->context[c].name));
        in->context[c].values = eddy_catalog_new();
    }
    for (uint64_t i = 0; i < in->count; i++) {
        char hour[16];
        struct eddy_span text = eddy_span_of(devices[i / 2 % 3]);
        uint32_t row = in->rows[i].row;
        (void)snprintf(hour, sizeof hour, "%g", (double)(i % 96) / 4);
        for (int c = 0; c < 2; c++) {
            struct eddy_context value =
                eddy_context_of(0, c ? eddy_span_of(hour) : text);
            (void)eddy_catalog_add(in->context[c].values,
                                   c ? eddy_span_of(hour) : text);
            in->cells[2 * row + c] =
                (struct eddy_context_cell){i % 5 ? value.text : 0, value.number};
        }
    }
}

/* The serving step, event by event, against the batch encoding of the training code, for
 * trained weights of every cell and mode. */
static void check_streaming(enum eddy_cell cell, enum eddy_mode mode)
{
    enum { N = 40 };
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(cell, mode);
    struct eddy_train_result result;
    struct eddy_err err = {0};
    struct eddy_step steps[N];
    struct eddy_rng rng;
    double worst = 0, size = 0;

    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_context_index *index = NULL;
    options.hidden_dimension = 37; /* no multiple of any vector */
    add_context(&in);
    CHECK_INT(eddy_context_learn(&in, NULL, &vocabulary, &err), 0);
    CHECK_INT(eddy_vocabulary_size(vocabulary), 3 + 1 + 16);
    CHECK_INT(eddy_context_index_new(vocabulary, &index, &err), 0);
    options.context_index = index;
    options.context_features = eddy_vocabulary_size(vocabulary);
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), 0);
    eddy_rng_seed(&rng, 3);
    int64_t time = 1000000000, previous = -1;
    for (int i = 0; i < N; i++) {
        time += eddy_rng_below(&rng, 4) == 0 ? 5000 : 40;
        steps[i] = eddy_step_make(eddy_rng_below(&rng, ITEMS),
                                  (uint16_t)eddy_rng_below(&rng, in.type_count),
                                  previous, time, 1800, i % 2 == 0, 3.5f);
        steps[i].context = eddy_context_index_interaction(index, &in, &in.rows[i]);
        previous = time;
    }
    uint32_t hidden = result.layout.shape.hidden;
    float *batch = calloc((size_t)N * hidden, sizeof *batch);
    CHECK_INT(eddy_train_encode(&result.layout, result.params, steps, N, batch, &err),
              0);

    struct eddy_hrnn *hrnn =
        eddy_hrnn_new(&result.layout, result.params, eddy_kernels_get());
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(&result.layout.shape, 4);
    float *state = calloc(eddy_hrnn_state_floats(&result.layout.shape), sizeof *state);
    const float *query = state + eddy_hrnn_query_offset(&result.layout.shape);
    for (int i = 0; i < N; i++) {
        eddy_hrnn_step(hrnn, scratch, 1, &steps[i], &state);
        for (uint32_t k = 0; k < hidden; k++) {
            double difference =
                fabs((double)query[k] - (double)batch[(size_t)i * hidden + k]);
            worst = difference > worst ? difference : worst;
            size += fabs((double)query[k]);
        }
    }
    CHECK(size > N);
    if (!CHECK_NEAR(worst, 0, 1e-4))
        fprintf(stderr, "    cell %d mode %d\n", (int)cell, (int)mode);
    eddy_context_index_free(index);
    eddy_vocabulary_free(vocabulary);
    free(state);
    free(batch);
    eddy_hrnn_scratch_free(scratch);
    eddy_hrnn_free(hrnn);
    eddy_train_result_fini(&result);
    eddy_interactions_fini(&in);
}

static void streaming_equals_training(void)
{
    for (int cell = 0; cell < 3; cell++)
        for (int mode = 0; mode < 3; mode++)
            check_streaming((enum eddy_cell)cell, (enum eddy_mode)mode);
}

/* A column that holds the item itself gives every answer away to whoever sees the context of
 * its request. Validation must not. */
static void validation_sees_no_context_of_requests(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result result;
    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_context_index *index = NULL;
    double ndcg[2];
    add_context(&in);
    for (uint64_t i = 0; i < in.count; i++) {
        struct eddy_span id = eddy_catalog_id(in.items, in.rows[i].item);
        (void)eddy_catalog_add(in.context[0].values, id);
        in.cells[2 * in.rows[i].row].text = eddy_context_of(0, id).text;
    }
    CHECK_INT(eddy_context_learn(&in, "HOUR=ignored", &vocabulary, NULL), 0);
    CHECK_INT(eddy_context_index_new(vocabulary, &index, NULL), 0);
    options.context_index = index;
    options.context_features = eddy_vocabulary_size(vocabulary);
    for (int i = 0; i < 2; i++) {
        options.request_share = i == 0 ? 0 : 0.9;
        options.epochs = 12;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, NULL), 0);
        CHECK(result.validation_events > 0);
        ndcg[i] = result.best_ndcg;
        eddy_train_result_fini(&result);
    }
    if (!CHECK(ndcg[1] < 1.15 * ndcg[0]))
        fprintf(stderr, "    validation NDCG %g without, %g with\n", ndcg[0], ndcg[1]);
    eddy_context_index_free(index);
    eddy_vocabulary_free(vocabulary);
    eddy_interactions_fini(&in);
}

static void the_model_does_not_depend_on_the_threads(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    for (int cell = 0; cell < 3; cell++) {
        struct eddy_train_options options =
            options_of((enum eddy_cell)cell, EDDY_MODE_INIT);
        struct eddy_train_result one, four, other;
        options.threads = 1;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &one, NULL), 0);
        options.threads = 4;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &four, NULL), 0);
        CHECK_INT(one.layout.size, four.layout.size);
        size_t size = one.layout.size * sizeof(float);
        CHECK(memcmp(one.params, four.params, size) == 0);
        CHECK_NEAR(one.best_ndcg, four.best_ndcg, 0);
        options.seed = 2;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &other, NULL), 0);
        CHECK(memcmp(one.params, other.params, size) != 0);
        eddy_train_result_fini(&one);
        eddy_train_result_fini(&four);
        eddy_train_result_fini(&other);
    }
    eddy_interactions_fini(&in);
}

/* How far gradients go is no matter of speed alone: it decides what is learned. */
static void gradients_over_more_events_train_another_network(void)
{
    static const int64_t lengths[] = {2, 8, 0};
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_result results[3];
    for (int i = 0; i < 3; i++) {
        struct eddy_train_options options = options_of(EDDY_CELL_GRU, EDDY_MODE_FLAT);
        options.epochs = 1;
        options.bptt = lengths[i];
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &results[i], NULL), 0);
    }
    size_t size = results[0].layout.size * sizeof(float);
    CHECK(memcmp(results[0].params, results[1].params, size) != 0);
    CHECK(memcmp(results[1].params, results[2].params, size) != 0);
    for (int i = 0; i < 3; i++)
        eddy_train_result_fini(&results[i]);
    eddy_interactions_fini(&in);
}

static void training_learns_the_walks(void)
{
    for (int cell = 0; cell < 3; cell++) {
        struct eddy_interactions in = interactions_new(USERS, EVENTS);
        struct eddy_train_options options =
            options_of((enum eddy_cell)cell, EDDY_MODE_FLAT);
        struct eddy_train_result result;
        struct curve curve = {0};
        options.hidden_dimension = 32;
        options.epochs = 60;
        options.patience = 60;
        options.dropout = 0;
        options.refit = false;
        CHECK_INT(eddy_train(&in, &options, follow, &curve, &result, NULL), 0);
        CHECK(curve.first_loss > 3.0); /* log 40 = 3.7 */
        CHECK(curve.last_loss < 0.5);
        CHECK(result.best_ndcg > 0.5);
        CHECK_INT(result.validation_events, USERS * EVENTS / 10);
        eddy_train_result_fini(&result);
        eddy_interactions_fini(&in);
    }
}

static void training_learns_from_sampled_items(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result one, two;
    options.hidden_dimension = 32;
    options.epochs = 60;
    options.patience = 60;
    options.dropout = 0;
    options.negatives = 12;
    options.batch_users = 0;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &one, NULL), 0);
    CHECK(one.best_ndcg > 0.5);
    options.threads = 3;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &two, NULL), 0);
    CHECK(memcmp(one.params, two.params, one.layout.size * sizeof(float)) == 0);
    eddy_train_result_fini(&one);
    eddy_train_result_fini(&two);
    eddy_interactions_fini(&in);
}

static void training_stops_when_validation_does_not_improve(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result result;
    struct curve curve = {0};
    options.epochs = 1000;
    options.patience = 2;
    options.learning_rate = 0.03;
    options.refit = false;
    CHECK_INT(eddy_train(&in, &options, follow, &curve, &result, NULL), 0);
    CHECK(result.epochs < 1000);
    CHECK_INT(result.epochs, result.best_epoch + 2);
    CHECK_INT(curve.epochs, result.epochs);
    eddy_train_result_fini(&result);
    eddy_interactions_fini(&in);
}

static void dropout_goes_by_how_much_is_known_of_an_item(void)
{
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    static const struct {
        uint32_t users;
        double least, most;
    } cases[] = {{20, 0.49, 0.5}, {120, 0.3, 0.4}, {500, 0.2, 0.2}};
    options.epochs = 1;
    options.allow_small = true;
    options.dropout = -1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_interactions in = interactions_new(cases[i].users, EVENTS);
        struct eddy_train_result result;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, NULL), 0);
        CHECK(result.dropout >= cases[i].least - 1e-9);
        CHECK(result.dropout <= cases[i].most + 1e-9);
        CHECK_NEAR(result.learning_rate, 0.01, 0);
        eddy_train_result_fini(&result);
        eddy_interactions_fini(&in);
    }
}

static void the_rate_goes_by_density_and_steps_per_epoch(void)
{
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    static const struct {
        uint32_t users;
        double rate;
    } cases[] = {{160, 0.00146}, {800, 0.00297}, {3200, 0.002}};
    options.epochs = 1;
    options.refit = false;
    options.learning_rate = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_interactions in = interactions_new(cases[i].users, 8);
        struct eddy_train_result result;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, NULL), 0);
        CHECK_NEAR(result.learning_rate, cases[i].rate, 0.0002);
        eddy_train_result_fini(&result);
        eddy_interactions_fini(&in);
    }
}

/* Pairs of events: what follows an item changes for the last fifth of the time, and so does
 * what is popular. Most pairs that begin with a late item are early ones, so without ages
 * the network says what was right then. */
static struct eddy_interactions drifting_pairs(void)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t u = 0; u < 1500; u++) {
        bool late = u >= 1200;
        uint32_t item = late ? 50 + u * 7 % 30 : u * 7 % 80;
        uint32_t next = (item + (late ? 13 : 1)) % 100;
        eddy_buf_printf(&csv, "u%u,i%u,%u\nu%u,i%u,%u\n", u, item,
                        1000000000 + u * 3600, u, next, 1000000060 + u * 3600);
    }
    return rows_of_csv(&csv, NULL);
}

static void ages_win_where_tastes_drift(void)
{
    struct eddy_interactions in = drifting_pairs();
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result with, without;
    options.epochs = 12;
    options.patience = 12;
    options.dropout = 0;
    options.validation_fraction = 0.05;
    options.refit = false;
    options.recency_mask = true;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &with, NULL), 0);
    options.recency_mask = false;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &without, NULL), 0);
    CHECK(with.selection.half_life_s > 0);
    CHECK_NEAR(without.selection.half_life_s, 0, 0);
    CHECK(with.best_ndcg > without.best_ndcg + 0.05);
    eddy_train_result_fini(&with);
    eddy_train_result_fini(&without);
    eddy_interactions_fini(&in);
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs((double)a[i] - (double)b[i]) > largest)
            largest = fabs((double)a[i] - (double)b[i]);
    return largest;
}

/* The last phase starts from what the search found, and only its result differs. */
static void the_last_phase_goes_on_from_the_best_epoch(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result searched, finished;
    options.epochs = 20;
    options.patience = 2;
    options.refit = false;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &searched, NULL), 0);
    CHECK(searched.fitted == NULL);
    options.refit = true;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &finished, NULL), 0);
    size_t n = finished.layout.size;
    CHECK_INT(finished.best_epoch, searched.best_epoch);
    CHECK(finished.epochs > searched.epochs);
    CHECK(finished.epochs <= searched.epochs + 1 + searched.best_epoch / 4);
    CHECK_NEAR(largest_difference(finished.fitted, searched.params, n), 0, 0);
    CHECK(largest_difference(finished.params, searched.params, n) > 1e-3);
    CHECK_INT(finished.validation_events, searched.validation_events);
    eddy_train_result_fini(&searched);
    eddy_train_result_fini(&finished);
    eddy_interactions_fini(&in);
}

static void the_caller_can_stop_training(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result result;
    struct curve curve = {.stop_after = 2};
    options.epochs = 50;
    options.patience = 50;
    CHECK_INT(eddy_train(&in, &options, follow, &curve, &result, NULL), 0);
    CHECK_INT(result.epochs, 2);
    eddy_train_result_fini(&result);
    eddy_interactions_fini(&in);
}

static void too_little_data_is_refused_in_amazons_words(void)
{
    static const struct {
        uint32_t users, events;
        const char *words;
    } cases[] = {
        {37, 27, "Dataset has fewer than 1000 interactions"}, /* 999 */
        {24, 50, "Dataset has fewer than 25 users with at least 2 interactions each"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_interactions in = interactions_new(cases[i].users, cases[i].events);
        struct eddy_train_options options =
            options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
        struct eddy_train_result result;
        struct eddy_err err = {0};
        options.epochs = 1;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), EDDY_EFORMAT);
        CHECK(strstr(err.text, cases[i].words) != NULL);
        options.allow_small = true;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), 0);
        eddy_train_result_fini(&result);
        eddy_interactions_fini(&in);
    }
    /* At the limits: 25 users of 40. */
    struct eddy_interactions in = interactions_new(25, 40);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result result;
    options.epochs = 1;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, NULL), 0);
    eddy_train_result_fini(&result);
    eddy_interactions_fini(&in);
}

static void options_out_of_range_are_refused(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result result;
    struct eddy_err err = {0};
    options.batch_users = 257;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, "257") != NULL);
    options.batch_users = 16;
    options.dropout = NAN;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), EDDY_ECONFIG);
    eddy_interactions_fini(&in);
}

/* The newest tenth by time are never targets. */
static void histories_are_cut_by_time(void)
{
    struct eddy_interactions in = interactions_new(30, 40);
    struct eddy_selection_options wanted = {.validation_fraction = 0.1,
                                            .validation_max = 1000};
    struct eddy_history_options options = {
        .window = 10, .session_gap_s = 1800, .rows_max = 100};
    struct eddy_selection selection;
    struct eddy_histories histories;
    CHECK_INT(eddy_selection_init(&selection, &in, &wanted, NULL), 0);
    CHECK_INT(eddy_histories_init(&histories, &in, &selection, &options, NULL), 0);
    CHECK_INT(selection.events, 30 * 40);
    CHECK_INT(histories.validation_targets, 30 * 40 / 10);
    /* All users begin close together, so the newest events are the last of all. */
    int64_t newest_target = 0, oldest_validation = INT64_MAX;
    for (uint32_t s = 0; s < histories.train_count; s++) {
        const struct eddy_sequence *sequence = &histories.train[s];
        CHECK(sequence->count <= 10);
        CHECK(sequence->steps[0].first && sequence->steps[0].begin);
        CHECK_INT(sequence->steps[0].gap, 0);
        for (uint32_t i = 0; i < sequence->count; i++)
            CHECK(sequence->targets[i] != EDDY_ITEM_NONE);
        for (uint32_t i = 0; i + 1 < sequence->count; i++)
            CHECK_INT(sequence->targets[i], sequence->steps[i + 1].item);
    }
    for (uint32_t s = 0; s < histories.validation_count; s++) {
        const struct eddy_sequence *sequence = &histories.validation[s];
        for (uint32_t i = 0; i < sequence->count; i++) {
            uint64_t row = histories.validation_row[s] + i;
            CHECK_INT(sequence->steps[i].item, in.rows[row].item);
            if (sequence->targets[i] == EDDY_ITEM_NONE)
                continue;
            CHECK_INT(sequence->targets[i], in.rows[row + 1].item);
            CHECK(row + 1 < in.user_begin[sequence->user + 1]);
            if (in.rows[row + 1].ts_ms < oldest_validation)
                oldest_validation = in.rows[row + 1].ts_ms;
        }
    }
    for (uint32_t u = 0; u < 30; u++) {
        uint64_t end = in.user_begin[u + 1];
        for (uint64_t row = in.user_begin[u]; row < end; row++)
            if (in.rows[row].ts_ms < oldest_validation &&
                in.rows[row].ts_ms > newest_target)
                newest_target = in.rows[row].ts_ms;
    }
    CHECK(newest_target <= oldest_validation);
    eddy_histories_fini(&histories);
    eddy_interactions_fini(&in);
}

static void popularity_is_the_share_of_users(void)
{
    struct eddy_interactions in =
        rows_of_text("USER_ID,ITEM_ID,TIMESTAMP\n"
                     "a,x,1000000000\na,x,1000000001\na,y,1000000002\n"
                     "b,x,1000000000\nb,z,1000000001\n");
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result result;
    options.allow_small = true;
    options.validation_fraction = 0;
    options.epochs = 1;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, NULL), 0);
    CHECK_NEAR(result.popularity[0], 1.0, 0);
    CHECK_NEAR(result.popularity[1], 0.5, 0);
    CHECK_NEAR(result.popularity[2], 0.5, 0);
    CHECK_INT(result.best_ndcg < 0, 1);
    eddy_train_result_fini(&result);
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(the_table_gives_amazons_defaults_and_ranges);
    RUN(streaming_equals_training);
    RUN(validation_sees_no_context_of_requests);
    RUN(the_model_does_not_depend_on_the_threads);
    RUN(gradients_over_more_events_train_another_network);
    RUN(training_learns_the_walks);
    RUN(training_learns_from_sampled_items);
    RUN(training_stops_when_validation_does_not_improve);
    RUN(dropout_goes_by_how_much_is_known_of_an_item);
    RUN(the_rate_goes_by_density_and_steps_per_epoch);
    RUN(ages_win_where_tastes_drift);
    RUN(the_last_phase_goes_on_from_the_best_epoch);
    RUN(the_caller_can_stop_training);
    RUN(too_little_data_is_refused_in_amazons_words);
    RUN(options_out_of_range_are_refused);
    RUN(histories_are_cut_by_time);
    RUN(popularity_is_the_share_of_users);
    return check_done();
}
