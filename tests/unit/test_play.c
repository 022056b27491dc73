/* Histories and streams through the serving kernels: against the plain way of one user, one
 * event, all scores sorted; and the rule that no answer depends on a later row. */
#include <math.h>
#include <stdlib.h>

#include "log_rows.h"
#include "play_answers.h"
#include "tiny_model.h"

enum { ITEMS = 50, USERS = 150, K = 7 };
enum { POPULAR = 7 }; /* most of the items of the tiny model: 7 * 7 % 50 is 49 */

static struct eddy_snapshot *snapshot_of(enum eddy_mode mode)
{
    struct tiny tiny = tiny_default;
    tiny.items = ITEMS;
    tiny.mode = mode;
    tiny.seed = 5;
    struct eddy_snapshot *snapshot = tiny_open(&tiny);
    CHECK(snapshot != NULL);
    return snapshot;
}

static struct eddy_snapshot *snapshot_new(void)
{
    return snapshot_of(EDDY_MODE_INIT);
}

/* Rows in time order over interleaved users; a tenth of the items are unknown. Only the
 * first `count` rows are made. */
static struct eddy_interactions interactions_new(const struct eddy_snapshot *snapshot,
                                                 uint32_t count)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n");
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 17);
    for (uint32_t i = 0; i < count; i++) {
        /* A few users with long histories, many with short ones. */
        uint32_t user = eddy_rng_below(&rng, eddy_rng_below(&rng, USERS) + 1);
        uint32_t item = eddy_rng_below(&rng, ITEMS);
        bool unknown = eddy_rng_below(&rng, 10) == 0;
        eddy_buf_printf(&csv, "u%u,%c%u,%u,click\n", user, unknown ? 'x' : 'i', item,
                        1600000000 + i * 30);
    }
    return rows_of_csv(&csv, snapshot->catalog);
}

/* The plain way: K times the best of all scores. */
static uint32_t best_of(const float *scores, const bool *out, struct eddy_scored *ret)
{
    bool taken[ITEMS];
    uint32_t count = 0;
    memcpy(taken, out, sizeof taken);
    for (; count < K; count++) {
        uint32_t best = ITEMS;
        for (uint32_t i = 0; i < ITEMS; i++)
            if (!taken[i] && (best == ITEMS || scores[i] > scores[best]))
                best = i;
        if (best == ITEMS)
            break;
        ret[count] = (struct eddy_scored){best, scores[best]};
        taken[best] = true;
    }
    return count;
}

static void check_lists(const struct answers *answers, size_t at,
                        const struct eddy_scored *want, uint32_t count)
{
    CHECK(answers->asked[at]);
    if (!CHECK_INT(answers->counts[at], count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        CHECK_INT(answers_list(answers, at)[i].item, want[i].item);
        CHECK(answers_list(answers, at)[i].score == want[i].score);
    }
}

static void check_user(const struct eddy_snapshot *snapshot,
                       const struct eddy_interactions *in,
                       const struct answers *answers, uint32_t user, bool exclude_seen)
{
    const struct eddy_shape *shape = &snapshot->layout.shape;
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(shape, 1);
    float *hidden = calloc(eddy_hrnn_state_floats(shape), sizeof *hidden);
    float scores[ITEMS + 16];
    bool seen[ITEMS] = {false}, none[ITEMS] = {false}, stepped = false;
    int64_t previous = -1;

    for (uint64_t row = in->user_begin[user];; row++) {
        bool end = row == in->user_begin[user + 1];
        struct eddy_scored want[K];
        size_t at = end ? (size_t)in->count + user : in->rows[row].row;
        if (stepped)
            eddy_score_all(snapshot->hrnn, hidden + eddy_hrnn_query_offset(shape),
                           scores);
        uint32_t count = best_of(stepped ? scores : snapshot->popularity,
                                 exclude_seen && stepped ? seen : none, want);
        check_lists(answers, at, want, count);
        if (end)
            break;
        const struct eddy_interaction *event = &in->rows[row];
        if (event->item >= ITEMS)
            continue;
        struct eddy_step step = eddy_step_make(event->item, 1, previous,
                                               event->ts_ms / 1000, 1800, false, 0);
        eddy_hrnn_step(snapshot->hrnn, scratch, 1, &step, &hidden);
        previous = event->ts_ms / 1000;
        seen[event->item] = stepped = true;
    }
    free(hidden);
    eddy_hrnn_scratch_free(scratch);
}

static void lists_are_those_of_one_user_at_a_time(void)
{
    struct eddy_snapshot *snapshot = snapshot_new();
    struct eddy_interactions in = interactions_new(snapshot, 2500);
    for (int exclude = 0; exclude < 2; exclude++) {
        struct answers answers = play_all(snapshot, &in, K, 1, exclude == 1);
        for (uint32_t u = 0; u < eddy_catalog_count(in.users); u++)
            check_user(snapshot, &in, &answers, u, exclude == 1);
        answers_free(&answers);
    }
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

/* A third of the rows, and the ends of every other user. */
static bool wants_some(void *context, uint32_t user, uint64_t row)
{
    (void)context;
    return row == EDDY_PLAY_END ? user % 2 == 0 : (user + row) % 3 == 0;
}

struct scored_answers {
    struct answers answers;
    const struct eddy_snapshot *snapshot;
    bool unknown; /* somebody was */
};

static void take_scores(void *context, uint32_t user, uint64_t row, const float *scores)
{
    static const bool none[ITEMS];
    struct scored_answers *all = context;
    struct eddy_scored list[K];
    uint32_t count = best_of(scores ? scores : all->snapshot->popularity, none, list);
    while (count > 0 && !(list[count - 1].score > -INFINITY))
        count--; /* excluded */
    all->unknown = all->unknown || !scores;
    take_play(&all->answers, user, row, list, count);
}

static void scores_of_all_items_are_those_of_the_lists(void)
{
    struct eddy_snapshot *snapshot = snapshot_new();
    struct eddy_interactions in = interactions_new(snapshot, 2500);
    for (int exclude = 0; exclude < 2; exclude++) {
        struct answers want = play_all(snapshot, &in, K, 1, exclude == 1);
        struct scored_answers got = {answers_new(&in, K), snapshot, false};
        struct eddy_play play = {.snapshot = snapshot,
                                 .interactions = &in,
                                 .k = 1,
                                 .threads = 1,
                                 .exclude_seen = exclude == 1,
                                 .popularity = snapshot->popularity,
                                 .wants = wants_all,
                                 .scores = take_scores,
                                 .context = &got};
        CHECK_INT(eddy_play_users(&play, 0, eddy_catalog_count(in.users), NULL), 0);
        CHECK(got.unknown);
        check_same(&got.answers, &want, answers_count(&in));
        answers_free(&want);
        answers_free(&got.answers);
    }
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

static void queries_that_nobody_reads_change_no_list(void)
{
    static const enum eddy_mode modes[] = {EDDY_MODE_FLAT, EDDY_MODE_INIT,
                                           EDDY_MODE_ALL};
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        struct eddy_snapshot *snapshot = snapshot_of(modes[m]);
        struct eddy_interactions in = interactions_new(snapshot, 2500);
        struct answers all = play_all(snapshot, &in, K, 1, true);
        struct answers some = answers_new(&in, K);
        struct eddy_play play = {.snapshot = snapshot,
                                 .interactions = &in,
                                 .k = K,
                                 .threads = 2,
                                 .exclude_seen = true,
                                 .popularity = snapshot->popularity,
                                 .wants = wants_some,
                                 .list = take_play,
                                 .context = &some};
        uint32_t users = eddy_catalog_count(in.users), lists = 0;
        CHECK_INT(eddy_play_users(&play, 0, users, NULL), 0);
        for (size_t at = 0; at < answers_count(&in); at++) {
            if (!some.asked[at])
                continue;
            lists++;
            CHECK_INT(some.counts[at], all.counts[at]);
            CHECK_MEM(answers_list(&some, at), answers_list(&all, at),
                      all.counts[at] * sizeof *all.lists);
        }
        CHECK(lists > 800 && lists < 1100);
        answers_free(&all);
        answers_free(&some);
        eddy_interactions_fini(&in);
        eddy_snapshot_release(snapshot);
    }
}

static void threads_do_not_change_a_list(void)
{
    struct eddy_snapshot *snapshot = snapshot_new();
    struct eddy_interactions in = interactions_new(snapshot, 2500);
    struct answers one = play_all(snapshot, &in, K, 1, true);
    struct answers three = play_all(snapshot, &in, K, 3, true);
    check_same(&one, &three, answers_count(&in));
    answers_free(&one);
    answers_free(&three);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

static struct answers stream_of(const struct eddy_snapshot *snapshot,
                                const struct eddy_interactions *in, uint32_t threads,
                                int64_t refresh_ms)
{
    const struct eddy_stream_options options = {.snapshot = snapshot,
                                                .interactions = in,
                                                .k = K,
                                                .threads = threads,
                                                .exclude_seen = true,
                                                .refresh_ms = refresh_ms,
                                                .half_life_s = 600};
    return stream_all(&options);
}

/* The file is in time order, so playing it in file order gives the same lists. */
static void a_stream_without_refresh_gives_the_lists_of_a_play(void)
{
    struct eddy_snapshot *snapshot = snapshot_new();
    struct eddy_interactions in = interactions_new(snapshot, 2500);
    struct answers play = play_all(snapshot, &in, K, 2, true);
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        struct answers stream = stream_of(snapshot, &in, threads, 0);
        check_same(&play, &stream, answers_count(&in));
        answers_free(&stream);
    }
    answers_free(&play);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

static void no_answer_of_a_stream_depends_on_a_later_row(void)
{
    struct eddy_snapshot *snapshot = snapshot_new();
    struct eddy_interactions all = interactions_new(snapshot, 2500);
    struct answers whole = stream_of(snapshot, &all, 2, 300000);
    static const uint32_t cuts[] = {1, 2, 37, 1000, 2499};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct eddy_interactions part = interactions_new(snapshot, cuts[i]);
        struct answers answers = stream_of(snapshot, &part, 1, 300000);
        check_same(&whole, &answers, cuts[i]);
        answers_free(&answers);
        eddy_interactions_fini(&part);
    }
    answers_free(&whole);
    eddy_interactions_fini(&all);
    eddy_snapshot_release(snapshot);
}

/* One item is clicked by everybody: after a refresh a user without history gets it first;
 * without refreshes he never does. */
static void refreshed_tables_follow_the_stream(void)
{
    struct eddy_snapshot *snapshot = snapshot_new();
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t i = 0; i < 3000; i++)
        eddy_buf_printf(&csv, "u%u,i33,%u\n", i, 1600000000 + i);
    struct eddy_interactions in = rows_of_csv(&csv, snapshot->catalog);
    for (int refresh = 0; refresh < 2; refresh++) {
        const struct eddy_stream_options options = {.snapshot = snapshot,
                                                    .interactions = &in,
                                                    .k = K,
                                                    .threads = 1,
                                                    .refresh_ms = refresh ? 60000 : 0,
                                                    .half_life_s = 3600};
        struct answers answers = stream_all(&options);
        CHECK_INT(answers_list(&answers, 0)->item, POPULAR);
        CHECK_INT(answers_list(&answers, 2999)->item, refresh ? 33 : POPULAR);
        answers_free(&answers);
    }
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
}

int main(void)
{
    RUN(lists_are_those_of_one_user_at_a_time);
    RUN(scores_of_all_items_are_those_of_the_lists);
    RUN(queries_that_nobody_reads_change_no_list);
    RUN(threads_do_not_change_a_list);
    RUN(a_stream_without_refresh_gives_the_lists_of_a_play);
    RUN(no_answer_of_a_stream_depends_on_a_later_row);
    RUN(refreshed_tables_follow_the_stream);
    return check_done();
}
