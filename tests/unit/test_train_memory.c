/* Training and playing histories when memory runs out at the n-th allocation. */
#include "check.h"
#include "core/play.h"
#include "core/train.h"
#include "log_rows.h"
#include "tiny_model.h"
#include "torture.h"

static struct eddy_interactions in;

static void make_interactions(const struct eddy_catalog *items)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t i = 0; i < 120; i++) {
        struct eddy_span id =
            items ? eddy_catalog_id(items, i % eddy_catalog_count(items))
                  : eddy_span_of(i % 2 ? "odd" : "even");
        eddy_buf_printf(&csv, "u%u,%.*s,%u\n", i % 4, (int)id.size, id.data,
                        1600000000 + i);
    }
    in = rows_of_csv(&csv, items);
}

static int64_t negatives; /* 0: full softmax; else touched rows alone move */

static bool a_model_is_trained(void)
{
    struct eddy_train_options options;
    struct eddy_train_result result;
    options = (struct eddy_train_options){.hidden_dimension = 8,
                                          .layers = 1,
                                          .epochs = 1,
                                          .batch_users = 4,
                                          .history_events = 10,
                                          .learning_rate = 0.01,
                                          .average = 0.5,
                                          .validation_fraction = 0.1,
                                          .session_gap_s = 1800,
                                          .allow_small = true,
                                          .refit = true,
                                          .recency_mask = true,
                                          .negatives = negatives,
                                          .threads = 1};
    bool good = torture_made(eddy_train(&in, &options, NULL, NULL, &result, NULL));
    if (good)
        eddy_train_result_fini(&result);
    return good;
}

static void training_survives_any_refused_allocation(void)
{
    make_interactions(NULL);
    TORTURE(a_model_is_trained);
    negatives = 8;
    TORTURE(a_model_is_trained);
    eddy_interactions_fini(&in);
}

static struct eddy_snapshot *snapshot;

static bool wants_end(void *context, uint32_t user, uint64_t row)
{
    (void)context;
    (void)user;
    return row == EDDY_PLAY_END;
}

static void count_list(void *context, uint32_t user, uint64_t row,
                       const struct eddy_scored *list, uint32_t count)
{
    uint32_t *lists = context;
    (void)user;
    (void)row;
    (void)list;
    *lists += count > 0 ? 1 : 0;
}

static bool histories_are_played(void)
{
    uint32_t lists = 0;
    struct eddy_play play = {.snapshot = snapshot,
                             .interactions = &in,
                             .k = 3,
                             .threads = 1,
                             .exclude_seen = true,
                             .popularity = snapshot->popularity,
                             .wants = wants_end,
                             .list = count_list,
                             .context = &lists};
    return torture_made(
               eddy_play_users(&play, 0, eddy_catalog_count(in.users), NULL)) &&
           lists == 4;
}

static bool wants_row(void *context, uint64_t row)
{
    (void)context;
    return row % 2 == 0;
}

static void take_row(void *context, uint64_t row, const struct eddy_scored *list,
                     uint32_t count)
{
    count_list(context, 0, row, list, count);
}

static bool rows_are_streamed(void)
{
    uint32_t lists = 0;
    struct eddy_stream_options options = {.snapshot = snapshot,
                                          .interactions = &in,
                                          .k = 3,
                                          .threads = 1,
                                          .refresh_ms = 30000,
                                          .half_life_s = 60};
    struct eddy_stream *stream = NULL;
    int more = eddy_stream_new(&options, &stream, NULL);
    if (more == 0)
        while ((more = eddy_stream_next(stream, wants_row, take_row, &lists)) > 0)
            continue;
    if (stream != NULL)
        eddy_stream_free(stream);
    return torture_made(more) && lists == 60;
}

static void histories_survive_any_refused_allocation(void)
{
    snapshot = tiny_open(&tiny_default);
    make_interactions(snapshot->catalog);
    TORTURE(histories_are_played);
    TORTURE(rows_are_streamed);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

int main(void)
{
    RUN(histories_survive_any_refused_allocation);
    RUN(training_survives_any_refused_allocation);
    return check_done();
}
