/* Impressions give the same lists, bit for bit, whether a history is played from a file, the
 * file is streamed, or a worker folds the events into a state. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "core/rank.h"
#include "log_rows.h"
#include "play_answers.h"
#include "tiny_model.h"

enum { ITEMS = 50, USERS = 40, ROWS = 900, LIST = 9, K = 7, T0 = 1600000000 };

/* What a row shows: items of the snapshot, some that it does not know, the chosen one, some
 * twice; every third row shows nothing. */
static uint32_t make_impression(struct eddy_rng *rng, uint32_t item, uint32_t *ret)
{
    if (eddy_rng_below(rng, 3) == 0)
        return 0;
    uint32_t count = 1 + eddy_rng_below(rng, LIST);
    for (uint32_t i = 0; i < count; i++)
        ret[i] = eddy_rng_below(rng, ITEMS + 12);
    ret[eddy_rng_below(rng, count)] = item;
    return count;
}

/* Rows two seconds apart or at once; without: the same file with no column IMPRESSION. */
static struct eddy_interactions interactions_new(const struct eddy_snapshot *snapshot,
                                                 bool without)
{
    struct eddy_buf csv =
        csv_begin(without ? "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n"
                          : "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,IMPRESSION\n");
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 23);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t item = eddy_rng_below(&rng, ITEMS + 5), shown[LIST];
        eddy_buf_printf(&csv, "u%u,i%u,%u,click",
                        eddy_rng_below(&rng, eddy_rng_below(&rng, USERS) + 1), item,
                        T0 + i / 3 * 2);
        uint32_t count = make_impression(&rng, item, shown);
        for (uint32_t s = 0; s < count && !without; s++)
            eddy_buf_printf(&csv, "%ci%u", s ? '|' : ',', shown[s]);
        eddy_buf_puts(&csv, count == 0 && !without ? ",\n" : "\n");
    }
    return rows_of_csv(&csv, snapshot->catalog);
}

/* A worker's slot and what it needs. */
struct worker {
    const struct eddy_snapshot *snapshot;
    struct eddy_rank_model model;
    struct eddy_ranker *ranker;
    struct eddy_hrnn_scratch *scratch;
    struct eddy_state *state;
    uint64_t offset;
};

static void fold(struct worker *worker, const struct eddy_interactions *in,
                 const struct eddy_interaction *row)
{
    struct eddy_span shown[LIST];
    char names[LIST][16];
    uint32_t count = 0;
    for (uint64_t i = in->shown_begin[row->row]; i < in->shown_begin[row->row + 1];
         i++) {
        uint32_t n = 0; /* the file keeps hashes: find the name again */
        do
            snprintf(names[count], sizeof names[count], "i%u", n++);
        while (eddy_hash64(eddy_span_of(names[count])) != in->shown[i]);
        shown[count] = eddy_span_of(names[count]);
        count++;
    }
    struct eddy_event event = {.user = eddy_catalog_id(in->users, row->user),
                               .item = eddy_catalog_id(in->items, row->item),
                               .type = eddy_span_of("click"),
                               .ts_ms = row->ts_ms,
                               .impression_count = count,
                               .impressions = shown};
    struct eddy_step step;
    CHECK_INT(eddy_event_check(&event, NULL), 0);
    if (eddy_state_fold(worker->state, &event, worker->offset++, 0, worker->snapshot,
                        &eddy_policy_default, &step) == EDDY_FOLD_STEP)
        eddy_hrnn_step(worker->snapshot->hrnn, worker->scratch, 1, &step,
                       &worker->state->hidden);
}

static void check_list(struct worker *worker, const struct answers *answers, size_t at)
{
    const struct eddy_snapshot *snapshot = worker->snapshot;
    const struct eddy_state *state = worker->state;
    struct eddy_rank_room room;
    struct eddy_scored list[K];
    uint32_t count = 0;
    struct eddy_rank_user user = {
        .recent = {room.recent, eddy_rank_recent(state, snapshot->catalog, room.recent),
                   room.shown,
                   eddy_rank_shown(&state->shown, snapshot->catalog, ITEMS,
                                   room.shown)},
        .query = state->step_count_low > 0
                     ? state->hidden + eddy_hrnn_query_offset(&snapshot->manifest.shape)
                     : NULL};
    CHECK(eddy_rank_knows(&worker->model, &user));
    CHECK(eddy_ranker_add(worker->ranker, &user));
    CHECK_INT(eddy_ranker_run(worker->ranker, K, list, &count), 1);
    CHECK(answers->asked[at]);
    CHECK_INT(answers->counts[at], count);
    CHECK_MEM(answers_list(answers, at), list, count * sizeof *list);
}

static void a_state_gives_the_lists_of_a_play(void)
{
    struct tiny tiny = tiny_default;
    tiny.tables = true;
    struct eddy_snapshot *snapshot = tiny_open(&tiny);
    struct eddy_interactions in = interactions_new(snapshot, false);
    struct answers answers = play_all(snapshot, &in, K, 1, false);
    uint32_t floats = eddy_hrnn_state_floats(&snapshot->manifest.shape);
    size_t size = eddy_state_size(floats, tiny.recent_events);
    void *memory = aligned_alloc(64, size);
    struct worker worker = {
        .snapshot = snapshot,
        .model = eddy_rank_model_of(snapshot),
        .scratch = eddy_hrnn_scratch_new(&snapshot->layout.shape, 1),
        .state = eddy_state_init(memory, floats, tiny.recent_events)};
    worker.ranker = eddy_ranker_new(&worker.model, 1, K);
    for (uint32_t u = 0; u < eddy_catalog_count(in.users); u++) {
        eddy_state_reset(worker.state);
        for (uint64_t row = in.user_begin[u]; row < in.user_begin[u + 1]; row++) {
            check_list(&worker, &answers, in.rows[row].row);
            fold(&worker, &in, &in.rows[row]);
        }
        check_list(&worker, &answers, in.count + u);
    }
    eddy_ranker_free(worker.ranker);
    eddy_hrnn_scratch_free(worker.scratch);
    free(memory);
    answers_free(&answers);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

static void a_stream_gives_the_lists_of_a_play(void)
{
    struct tiny tiny = tiny_default;
    tiny.tables = true;
    struct eddy_snapshot *snapshot = tiny_open(&tiny);
    struct eddy_interactions in = interactions_new(snapshot, false);
    const struct eddy_stream_options options = {.snapshot = snapshot,
                                                .interactions = &in,
                                                .k = K,
                                                .threads = 2,
                                                .half_life_s = 3600};
    struct answers one = play_all(snapshot, &in, K, 1, false);
    struct answers three = play_all(snapshot, &in, K, 3, false);
    struct answers streamed = stream_all(&options);
    check_same(&one, &three, answers_count(&in));
    check_same(&one, &streamed, answers_count(&in));
    answers_free(&one);
    answers_free(&three);
    answers_free(&streamed);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

/* How many lists differ between the file and itself without its column IMPRESSION. */
static uint32_t changed_lists(const struct eddy_snapshot *snapshot)
{
    struct eddy_interactions with = interactions_new(snapshot, false);
    struct eddy_interactions without = interactions_new(snapshot, true);
    struct answers a = play_all(snapshot, &with, K, 1, false);
    struct answers b = play_all(snapshot, &without, K, 1, false);
    uint32_t changed = 0;
    for (uint32_t at = 0; at < ROWS; at++)
        changed += memcmp(answers_list(&a, at), answers_list(&b, at),
                          K * sizeof *a.lists) != 0;
    answers_free(&a);
    answers_free(&b);
    eddy_interactions_fini(&with);
    eddy_interactions_fini(&without);
    return changed;
}

static void impressions_matter_where_the_head_looks_at_them(void)
{
    struct tiny tiny = tiny_default;
    tiny.tables = true;
    struct eddy_snapshot *looks = tiny_open(&tiny);
    tiny.tables = false;
    struct eddy_snapshot *plain = tiny_open(&tiny);
    CHECK(changed_lists(looks) > ROWS / 2);
    CHECK_INT(changed_lists(plain), 0);
    eddy_snapshot_release(looks);
    eddy_snapshot_release(plain);
}

int main(void)
{
    RUN(a_state_gives_the_lists_of_a_play);
    RUN(a_stream_gives_the_lists_of_a_play);
    RUN(impressions_matter_where_the_head_looks_at_them);
    return check_done();
}
