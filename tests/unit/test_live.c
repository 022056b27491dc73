/* A model with tables: the lists of a worker's state, of a play and of a stream are the same
 * bits; live tables against tables counted anew, and new items in lists. */
#include "core/live.h"

#include <stdlib.h>

#include "core/exam.h"
#include "core/rank.h"
#include "log_rows.h"
#include "play_answers.h"
#include "tiny_model.h"
#include "torture.h"

enum { ITEMS = 60, KNOWN = 50, USERS = 40, ROWS = 1500, K = 8, REFRESH_MS = 300000 };

static struct eddy_snapshot *snapshot;
static struct eddy_interactions in;

/* Rows in time order; items of the higher numbers come late and are unknown to the model. */
static void make_rows(void)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    struct eddy_rng rng;
    int64_t now = 1600000000;
    eddy_rng_seed(&rng, 4);
    for (uint32_t i = 0; i < ROWS; i++) {
        now += 1 + eddy_rng_below(&rng, i % 100 == 0 ? 3000 : 20);
        uint32_t newest = 10 + i * (ITEMS - 10) / ROWS;
        uint32_t item = eddy_rng_below(&rng, 3) ? newest - eddy_rng_below(&rng, 6)
                                                : eddy_rng_below(&rng, newest);
        eddy_buf_printf(&csv, "u%u,i%u,%lld\n", eddy_rng_below(&rng, USERS), item,
                        (long long)now);
    }
    in = rows_of_csv(&csv, snapshot->catalog);
}

static struct answers stream_of(const struct eddy_interactions *rows, uint32_t threads,
                                int64_t refresh_ms)
{
    const struct eddy_stream_options options = {.snapshot = snapshot,
                                                .interactions = rows,
                                                .k = K,
                                                .threads = threads,
                                                .refresh_ms = refresh_ms,
                                                .half_life_s = 3600};
    return stream_all(&options);
}

/* What a worker does with the rows of a user, through his state. */
static struct answers work_all(void)
{
    struct answers answers = answers_new(&in, K);
    const struct eddy_shape *shape = &snapshot->layout.shape;
    const uint32_t floats = eddy_hrnn_state_floats(shape);
    const uint32_t ring = snapshot->manifest.recent_events;
    struct eddy_rank_model model = eddy_rank_model_of(snapshot);
    struct eddy_ranker *ranker = eddy_ranker_new(&model, 1, K);
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(shape, 1);
    void *memory = aligned_alloc(64, (eddy_state_size(floats, ring) + 63) / 64 * 64);
    for (uint32_t u = 0; u < eddy_catalog_count(in.users); u++) {
        struct eddy_state *state = eddy_state_init(memory, floats, ring);
        for (uint64_t row = in.user_begin[u]; row < in.user_begin[u + 1]; row++) {
            uint32_t recent[EDDY_RECENT_MAX], at = in.rows[row].row, count = 0;
            struct eddy_scored list[K];
            struct eddy_rank_user user = {
                .recent = {recent, eddy_rank_recent(state, snapshot->catalog, recent)},
                .query = state->step_count_low > 0
                             ? state->hidden + eddy_hrnn_query_offset(shape)
                             : NULL};
            CHECK(eddy_rank_knows(&model, &user));
            CHECK(eddy_ranker_add(ranker, &user));
            CHECK_INT(eddy_ranker_run(ranker, K, list, &count), 1);
            take(&answers, at, list, count);
            struct eddy_event event = {.kind = EDDY_KIND_EVENT,
                                       .user = eddy_catalog_id(in.users, u),
                                       .item =
                                           eddy_catalog_id(in.items, in.rows[row].item),
                                       .type = eddy_span_of("no-such-type"),
                                       .ts_ms = in.rows[row].ts_ms};
            struct eddy_step step;
            CHECK_INT(eddy_event_check(&event, NULL), 0);
            if (eddy_state_fold(state, &event, at, 0, snapshot, &eddy_policy_default,
                                &step) == EDDY_FOLD_STEP)
                eddy_hrnn_step(snapshot->hrnn, scratch, 1, &step, &state->hidden);
        }
    }
    free(memory);
    eddy_hrnn_scratch_free(scratch);
    eddy_ranker_free(ranker);
    return answers;
}

static void worker_play_and_stream_agree_bit_for_bit(void)
{
    struct answers worker = work_all();
    struct answers play = play_all(snapshot, &in, K, 2, false);
    struct answers stream = stream_of(&in, 2, 0);
    check_same(&worker, &play, ROWS);
    check_same(&worker, &stream, ROWS);
    answers_free(&worker);
    answers_free(&play);
    answers_free(&stream);
}

/* ---- live ---------------------------------------------------------------------------- */

static void give_stream_head(void)
{
    struct eddy_stream_head *stream = &snapshot->stream_head;
    *stream = (struct eddy_stream_head){.refresh_s = 300,
                                        .width = 6,
                                        .head = tiny_head(),
                                        .counters = {.window = 3,
                                                     .distance_decay = 2,
                                                     .rules_half_life_s = 7200,
                                                     .shrink = 1,
                                                     .reverse = 0.25,
                                                     .half_life_s = {600, 3600, 86400},
                                                     .half_lives = 3}};
}

/* The list of a row from tables counted anew: what a stream should have given. */
static uint32_t slow_list(uint32_t row, uint32_t counted, int64_t now_ms,
                          const uint64_t *order, const float *query,
                          struct eddy_scored *ret)
{
    struct eddy_live *live;
    struct eddy_ranker *ranker;
    uint32_t recent[EDDY_RECENT_MAX], count = 0, items = KNOWN;
    const uint32_t user = in.rows[order[row]].user;
    CHECK_INT(eddy_live_new(snapshot, ITEMS, &live, NULL), 0);
    for (uint32_t i = 0; i < counted; i++) {
        uint64_t at = order[i], first = at;
        uint32_t before[3], n = 0;
        while (first > in.user_begin[in.rows[at].user] && at - first < 3 &&
               in.rows[first].ts_ms - in.rows[first - 1].ts_ms <= 1800000)
            first--;
        for (uint64_t k = first; k < at; k++)
            before[n++] = in.rows[k].item;
        CHECK_INT(eddy_live_add(live, in.rows[at].ts_ms, in.rows[at].item, before, n),
                  0);
        items = in.rows[at].item >= items ? in.rows[at].item + 1 : items;
    }
    if (counted > 0)
        CHECK_INT(eddy_live_refresh(live, now_ms, items), 0);
    uint64_t at = order[row], ring = snapshot->manifest.recent_events;
    uint64_t first = in.user_begin[user];
    first = at - first > ring ? at - ring : first;
    for (uint64_t k = first; k < at; k++)
        if (in.rows[k].item < eddy_live_items(live))
            recent[count++] = in.rows[k].item;
    struct eddy_rank_user who = {.recent = {recent, count}, .query = query};
    ranker = eddy_ranker_new(eddy_live_model(live), 1, K);
    CHECK(eddy_ranker_add(ranker, &who));
    (void)eddy_ranker_run(ranker, K, ret, &count);
    eddy_ranker_free(ranker);
    eddy_live_free(live);
    return count;
}

/* The network's query before a row, or NULL. hidden: room for the state. */
static const float *query_before(uint64_t at, float *hidden)
{
    const struct eddy_shape *shape = &snapshot->layout.shape;
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(shape, 1);
    int64_t previous = -1;
    memset(hidden, 0, eddy_hrnn_state_floats(shape) * sizeof *hidden);
    for (uint64_t k = in.user_begin[in.rows[at].user]; k < at; k++) {
        if (in.rows[k].item >= KNOWN)
            continue;
        struct eddy_step step = eddy_step_make(in.rows[k].item, 0, previous,
                                               in.rows[k].ts_ms / 1000, 1800, false, 0);
        previous = in.rows[k].ts_ms / 1000;
        eddy_hrnn_step(snapshot->hrnn, scratch, 1, &step, &hidden);
    }
    eddy_hrnn_scratch_free(scratch);
    return previous < 0 ? NULL : hidden + eddy_hrnn_query_offset(shape);
}

static void live_tables_equal_tables_counted_anew(void)
{
    struct answers answers = stream_of(&in, 2, REFRESH_MS);
    uint64_t order[ROWS];
    float *hidden = calloc(4096, sizeof *hidden);
    int64_t next = 0, now = 0;
    uint32_t counted = 0, with_new = 0;
    for (uint64_t i = 0; i < in.count; i++)
        order[in.rows[i].row] = i;
    next = in.rows[order[0]].ts_ms + REFRESH_MS;
    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t ts = in.rows[order[i]].ts_ms;
        if (ts >= next) {
            now = next;
            counted = i;
            next += ((ts - next) / REFRESH_MS + 1) * REFRESH_MS;
        }
        for (uint32_t k = 0; k < answers.counts[i]; k++)
            with_new += answers_list(&answers, i)[k].item >= KNOWN;
        if (i % 23 != 0)
            continue;
        struct eddy_scored want[K];
        uint32_t count =
            slow_list(i, counted, now, order, query_before(order[i], hidden), want);
        CHECK_INT(answers.counts[i], count);
        if (!CHECK_MEM(answers_list(&answers, i), want, count * sizeof *want))
            break;
    }
    CHECK(with_new > 0); /* items that the model has never seen are recommended */
    free(hidden);
    answers_free(&answers);
}

static void no_live_answer_depends_on_a_later_row(void)
{
    struct answers whole = stream_of(&in, 1, REFRESH_MS);
    struct answers three = stream_of(&in, 3, REFRESH_MS);
    check_same(&whole, &three, answers_count(&in));
    /* Other rows behind row 700: answers up to it stay. */
    struct eddy_interactions changed = in;
    struct eddy_interaction *rows = malloc(in.count * sizeof *rows);
    memcpy(rows, in.rows, in.count * sizeof *rows);
    for (uint64_t i = 0; i < in.count; i++)
        if (rows[i].row > 700)
            rows[i].item = rows[i].item > 0 ? 0 : 1;
    changed.rows = rows;
    struct answers other = stream_of(&changed, 1, REFRESH_MS);
    check_same(&whole, &other, 701);
    CHECK(memcmp(answers_list(&whole, ROWS - 1), answers_list(&other, ROWS - 1),
                 K * sizeof *other.lists) != 0);
    answers_free(&whole);
    answers_free(&three);
    answers_free(&other);
    free(rows);
}

/* Lists of a stream hold items that the model does not have: 10 of 60. */
static void an_exam_over_a_stream_covers_items_of_the_model(void)
{
    struct eddy_exam_options options = {.protocol = EDDY_PROTOCOL_PREQUENTIAL,
                                        .measure = EDDY_NDCG,
                                        .cutoff = 10,
                                        .threads = 1,
                                        .refresh_ms = REFRESH_MS,
                                        .half_life_s = 3600};
    struct eddy_split_options split = eddy_split_defaults(options.protocol);
    struct answers lists = stream_of(&in, 1, REFRESH_MS);
    struct eddy_exam exam;
    struct eddy_exam_result result;
    uint8_t *marks = NULL;
    bool listed[ITEMS] = {false};
    uint32_t known = 0, newer = 0;

    CHECK_INT(eddy_split(&in, &split, &marks, NULL, NULL), 0);
    CHECK_INT(eddy_exam_init(&exam, &in, marks, &options, NULL), 0);
    CHECK_INT(eddy_exam_sit(&exam, snapshot, NULL, NULL, &result, NULL), 0);
    CHECK(exam.count > ROWS / 2);
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t i = 0; i < lists.counts[row]; i++)
            listed[lists.lists[row * K + i].item] = true;
    for (uint32_t i = 0; i < ITEMS; i++) {
        known += i < KNOWN && listed[i];
        newer += i >= KNOWN && listed[i];
    }
    CHECK(newer > 0);
    CHECK(result.covered >= known && result.covered <= KNOWN);
    eddy_exam_result_fini(&result);
    eddy_exam_fini(&exam);
    free(marks);
    answers_free(&lists);
}

static void a_stored_stream_head_comes_back(void)
{
    struct tiny_files files;
    struct eddy_snapshot *again = NULL;
    struct eddy_err err = {0};
    CHECK_INT(tiny_encode_again(snapshot, &eddy_head_plain, &snapshot->stream_head,
                                &files, &err),
              0);
    struct eddy_snapshot_files bytes = tiny_bytes(&files);
    CHECK_INT(eddy_snapshot_decode(&bytes, eddy_kernels_get(), &again, &err), 0);
    CHECK_STR(err.text, "");
    if (CHECK(again != NULL)) {
        const struct eddy_stream_head *a = &again->stream_head;
        const struct eddy_stream_head *b = &snapshot->stream_head;
        CHECK(eddy_head_is_plain(&again->head));
        CHECK_INT(a->refresh_s, 300);
        CHECK_INT(a->width, 6);
        CHECK_INT(a->counters.window, 3);
        CHECK_INT(a->counters.half_lives, 3);
        CHECK_NEAR(a->counters.rules_half_life_s, 7200, 0);
        CHECK_NEAR(a->counters.reverse, 0.25, 0);
        CHECK_NEAR(a->counters.half_life_s[2], 86400, 0);
        CHECK(memcmp(a->head.weight, b->head.weight, sizeof a->head.weight) == 0);
        CHECK(memcmp(a->head.prior, b->head.prior, sizeof a->head.prior) == 0);
        CHECK(again->tables.related.items == KNOWN); /* the stream's head uses it */
        CHECK(again->tables.rules.items == 0);
    }
    tiny_files_fini(&files);
    eddy_snapshot_release(again);
}

static bool live_is_made(void)
{
    static const uint32_t recent[] = {1, 2};
    struct eddy_live *live;
    if (eddy_live_new(snapshot, ITEMS, &live, NULL) < 0)
        return false;
    bool good = eddy_live_add(live, 1000, 3, recent, 2) == 0 &&
                eddy_live_refresh(live, 2000, ITEMS) == 0;
    eddy_live_free(live);
    return good;
}

static void memory_may_run_out(void)
{
    TORTURE(live_is_made);
}

int main(void)
{
    struct tiny tiny = tiny_default;
    tiny.items = KNOWN;
    tiny.recent_events = 6;
    tiny.tables = true;
    snapshot = tiny_open(&tiny);
    make_rows();
    RUN(worker_play_and_stream_agree_bit_for_bit);
    give_stream_head();
    RUN(live_tables_equal_tables_counted_anew);
    RUN(no_live_answer_depends_on_a_later_row);
    RUN(an_exam_over_a_stream_covers_items_of_the_model);
    RUN(a_stored_stream_head_comes_back);
    RUN(memory_may_run_out);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
    return check_done();
}
