/* Questions of a split and their answers, against lists that were played one by one. */
#include "core/exam.h"

#include <stdlib.h>

#include "check.h"
#include "core/play.h"
#include "log_rows.h"
#include "tiny_model.h"

enum { ITEMS = 50, USERS = 60, EVENTS = 2000, K = EDDY_EVALUATE_LIST };

static struct eddy_interactions log_for(const struct eddy_snapshot *snapshot)
{
    struct eddy_buf csv =
        csv_begin("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n");
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 3);
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t user = eddy_rng_below(&rng, eddy_rng_below(&rng, USERS) + 1);
        uint32_t item = eddy_rng_below(&rng, ITEMS + 3); /* three are unknown */
        eddy_buf_printf(&csv, "u%u,i%u,%u,click,%u\n", user, item, 1600000000 + i * 60,
                        item % 5);
    }
    return rows_of_csv(&csv, snapshot->catalog);
}

/* One case: snapshot, log, marks, exam and its result. */
struct sitting {
    struct eddy_snapshot *snapshot;
    struct eddy_interactions in;
    uint8_t *marks;
    struct eddy_exam exam;
    struct eddy_exam_result result;
};

static void sit(struct sitting *sitting, struct eddy_exam_options options)
{
    struct eddy_split_options split = eddy_split_defaults(options.protocol);
    struct eddy_err err = {0};
    sitting->snapshot = tiny_open(&tiny_default);
    sitting->in = log_for(sitting->snapshot);
    options.measure = EDDY_NDCG;
    options.cutoff = 10;
    CHECK_INT(eddy_split(&sitting->in, &split, &sitting->marks, NULL, &err), 0);
    CHECK_INT(eddy_exam_init(&sitting->exam, &sitting->in, sitting->marks, &options,
                             &err),
              0);
    CHECK_INT(eddy_exam_sit(&sitting->exam, sitting->snapshot, NULL, NULL,
                            &sitting->result, &err),
              0);
}

static void leave(struct sitting *sitting)
{
    eddy_exam_result_fini(&sitting->result);
    eddy_exam_fini(&sitting->exam);
    free(sitting->marks);
    eddy_interactions_fini(&sitting->in);
    eddy_snapshot_release(sitting->snapshot);
}

/* The list of one user at one place, played alone. */
struct lone {
    uint32_t user, count;
    uint64_t row;
    struct eddy_scored list[K];
};

static bool lone_wants(void *context, uint32_t user, uint64_t row)
{
    const struct lone *lone = context;
    return user == lone->user && row == lone->row;
}

static void lone_list(void *context, uint32_t user, uint64_t row,
                      const struct eddy_scored *list, uint32_t count)
{
    struct lone *lone = context;
    (void)user;
    (void)row;
    memcpy(lone->list, list, count * sizeof *list);
    lone->count = count;
}

static struct lone list_at(const struct sitting *sitting, uint32_t user, uint64_t row)
{
    const struct eddy_interactions *played = &sitting->exam.played;
    bool end = row == played->user_begin[user + 1];
    struct lone lone = {.user = user, .row = end ? EDDY_PLAY_END : row};
    struct eddy_play play = {.snapshot = sitting->snapshot,
                             .interactions = played,
                             .k = K,
                             .threads = 1,
                             .exclude_seen = sitting->exam.options.exclude_seen,
                             .popularity = sitting->snapshot->popularity,
                             .wants = lone_wants,
                             .list = lone_list,
                             .context = &lone};
    CHECK_INT(eddy_play_users(&play, user, 1, NULL), 0);
    return lone;
}

static double ndcg_of(const struct sitting *sitting, uint32_t question,
                      const struct lone *lone)
{
    uint64_t begin = sitting->exam.answer_begin[question];
    struct eddy_answers answers = {sitting->exam.answers + begin, NULL,
                                   (uint32_t)(sitting->exam.answer_begin[question + 1] -
                                              begin)};
    struct eddy_hits hits;
    eddy_hits_of(lone->list, lone->count, K, &answers, &hits);
    return eddy_measure_hits(EDDY_NDCG, &hits, 10);
}

/* Where a state stands that knows nothing of the 24 hours before the question, counted row
 * by row. once: questions are put when the user's events, and the answers begin, are over. */
static uint64_t a_day_before(const struct sitting *sitting, uint32_t question,
                             bool once)
{
    const struct eddy_interactions *played = &sitting->exam.played;
    const struct eddy_question *asked = &sitting->exam.questions[question];
    uint64_t begin = played->user_begin[asked->user];
    uint64_t end = played->user_begin[asked->user + 1], place = begin;
    int64_t now_ms = sitting->in.rows[asked->row].ts_ms;
    for (uint64_t i = begin; once && i < end; i++)
        if (played->rows[i].ts_ms > now_ms)
            now_ms = played->rows[i].ts_ms;
    for (uint64_t i = begin; i < end; i++)
        place += now_ms - played->rows[i].ts_ms >= 24 * 3600 * 1000;
    return place;
}

/* Every question of every age, by a list played for it alone. */
static void values_are_those_of_lone_lists(enum eddy_protocol protocol, bool exclude)
{
    struct sitting sitting;
    bool once = eddy_protocol_asks_once(protocol);
    uint32_t aged = 0, day = 0;
    sit(&sitting, (struct eddy_exam_options){
                      .protocol = protocol, .exclude_seen = exclude, .threads = 3});
    const struct eddy_exam *exam = &sitting.exam;
    CHECK(exam->count > 0);
    for (uint32_t q = 0; q < exam->count; q++) {
        uint32_t user = exam->questions[q].user;
        uint64_t place =
            once ? exam->played.user_begin[user + 1] : exam->questions[q].row;
        for (int age = 0; age < EDDY_AGES; age++) {
            float value = sitting.result.values[age][q];
            if (age > 0 && exam->questions[q].history <= 20) {
                CHECK(isnan(value));
                continue;
            }
            uint64_t at = age == EDDY_AGE_DAY ? a_day_before(&sitting, q, once)
                                              : place - eddy_ages[age];
            struct lone lone = list_at(&sitting, user, at);
            day += age == EDDY_AGE_DAY && at > exam->played.user_begin[user] &&
                   at < place - 20;
            CHECK_NEAR(value, ndcg_of(&sitting, q, &lone), 1e-6);
            aged += age > 0;
        }
    }
    CHECK(aged > 0);
    CHECK(day >
          0); /* some states of a day ago know something, and less than the others */
    leave(&sitting);
}

static void one_list_per_user_is_asked_at_his_end(void)
{
    values_are_those_of_lone_lists(EDDY_PROTOCOL_LOO, true);
    values_are_those_of_lone_lists(EDDY_PROTOCOL_WORKSHOP, false);
}

static void successive_lists_are_asked_on_the_way(void)
{
    values_are_those_of_lone_lists(EDDY_PROTOCOL_SUCCESSIVE, false);
}

/* All answers of a user are one question, each item once. */
static void answers_are_distinct_items_and_what_is_unknown_is_counted(void)
{
    struct sitting sitting;
    sit(&sitting, (struct eddy_exam_options){.protocol = EDDY_PROTOCOL_WORKSHOP,
                                             .rewards = true,
                                             .threads = 1});
    const struct eddy_exam *exam = &sitting.exam;
    uint64_t asked = 0, unknown = 0;
    double rewards = 0, had = 0;
    for (uint64_t i = 0; i < sitting.in.count; i++) {
        if (sitting.marks[i] != EDDY_MARK_ANSWER)
            continue;
        asked++;
        had += (double)sitting.in.rows[i].value;
    }
    CHECK_INT(exam->asked_rows, asked);
    for (uint32_t q = 0; q < exam->count; q++)
        for (uint64_t a = exam->answer_begin[q]; a < exam->answer_begin[q + 1]; a++) {
            CHECK(a == exam->answer_begin[q] ||
                  exam->answers[a - 1] < exam->answers[a]);
            unknown += exam->answers[a] >= ITEMS;
            rewards += (double)exam->rewards[a];
        }
    CHECK(unknown > 0);
    CHECK_INT(sitting.result.unknown, unknown);
    CHECK_NEAR(rewards, had, 1e-6);
    leave(&sitting);
}

/* What gives everybody the same 25 covers 25 of the training items. */
static void a_list_for_all_covers_25_items_of_the_training_events(void)
{
    struct sitting sitting;
    sit(&sitting,
        (struct eddy_exam_options){.protocol = EDDY_PROTOCOL_SESSIONS, .threads = 1});
    CHECK_INT(sitting.exam.training_items, 0); /* a file of questions only */
    leave(&sitting);
    /* Users without a past: the popular list for each of them. */
    struct eddy_interactions in;
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    struct eddy_err err = {0};
    struct eddy_exam_options options = {.protocol = EDDY_PROTOCOL_WORKSHOP,
                                        .measure = EDDY_MRR,
                                        .cutoff = 25,
                                        .threads = 2};
    uint8_t marks[80];
    sitting.snapshot = tiny_open(&tiny_default);
    for (int i = 0; i < 40; i++)
        eddy_buf_printf(&csv, "new%d,i%d,1600000000\nold%d,i%d,1600000000\n", i, i, i,
                        i);
    in = rows_of_csv(&csv, sitting.snapshot->catalog);
    for (uint64_t i = 0; i < in.count; i++)
        marks[i] = in.rows[i].row % 2 ? EDDY_MARK_TRAIN : EDDY_MARK_ANSWER;
    CHECK_INT(eddy_exam_init(&sitting.exam, &in, marks, &options, &err), 0);
    CHECK_INT(sitting.exam.training_items, 40);
    CHECK_INT(sitting.exam.training_rows, 40);
    CHECK_INT(eddy_exam_sit(&sitting.exam, sitting.snapshot, NULL, NULL,
                            &sitting.result, &err),
              0);
    CHECK_INT(sitting.exam.count, 40);
    CHECK_INT(sitting.result.covered, 25);
    eddy_exam_result_fini(&sitting.result);
    eddy_exam_fini(&sitting.exam);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(sitting.snapshot);
}

/* The stream without a refresh is successive with every state moving on. */
static void prequential_equals_successive_when_nothing_is_refreshed(void)
{
    struct sitting stream, rows;
    sit(&stream, (struct eddy_exam_options){.protocol = EDDY_PROTOCOL_PREQUENTIAL,
                                            .half_life_s = 604800,
                                            .threads = 2});
    sit(&rows,
        (struct eddy_exam_options){.protocol = EDDY_PROTOCOL_SESSIONS, .threads = 1});
    CHECK_INT(stream.exam.count, rows.exam.count);
    for (uint32_t q = 0; q < rows.exam.count; q++)
        CHECK_NEAR(stream.result.values[0][q], rows.result.values[0][q], 0);
    leave(&stream);
    leave(&rows);
}

int main(void)
{
    RUN(one_list_per_user_is_asked_at_his_end);
    RUN(successive_lists_are_asked_on_the_way);
    RUN(answers_are_distinct_items_and_what_is_unknown_is_counted);
    RUN(a_list_for_all_covers_25_items_of_the_training_events);
    RUN(prequential_equals_successive_when_nothing_is_refreshed);
    return check_done();
}
