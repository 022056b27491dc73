/* Questions from marks, and one pass over the histories that answers them.
 *
 * A question has a place: for protocols with one list per user the end of his played
 * events, otherwise the row of its answer. A state s events old is the state at the place
 * s rows earlier, which the same pass comes by; its list answers the later question too. A
 * state that is a day old stands before the first row of the last 24 hours: one list may
 * answer many questions of a busy day. */
#include "core/exam.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/metadata.h"
#include "core/play.h"

const uint32_t eddy_ages[EDDY_AGE_DAY] = {0, 1, 5, 20};
const char *const eddy_age_names[EDDY_AGES] = {"0", "1", "5", "20", "1 day"};
static const int64_t DAY_MS = 86400 * 1000;
enum { OLDEST = 20, COVERED_LIST = 25, GROUP_USERS = 16384, GROUP_USERS_BY_ROW = 1024 };

#define NO_QUESTION UINT32_MAX

static bool asks_once(const struct eddy_exam *exam)
{
    return eddy_protocol_asks_once(exam->options.protocol);
}

struct reward_answer {
    uint32_t item;
    float reward;
};

static int compare_item(const void *a, const void *b)
{
    const struct reward_answer *x = a, *y = b;
    return x->item < y->item ? -1 : x->item > y->item;
}

static float reward_of(const struct eddy_exam *exam, const struct eddy_interaction *row)
{
    float reward = row->has_value ? row->value : 0;
    if (exam->options.item_rewards != NULL)
        reward = exam->options.item_rewards[row->item];
    return reward > 0 ? reward : 0;
}

/* Distinct items of answers[0..count), with the sum of their rewards, behind `at`. */
static uint64_t put_answers(struct eddy_exam *exam, struct reward_answer *answers,
                            uint32_t count, uint64_t at)
{
    uint64_t first = at;
    qsort(answers, count, sizeof *answers, compare_item);
    for (uint32_t i = 0; i < count; i++) {
        if (at == first || exam->answers[at - 1] != answers[i].item) {
            exam->answers[at++] = answers[i].item;
            if (exam->rewards != NULL)
                exam->rewards[at - 1] = 0;
        }
        if (exam->rewards != NULL)
            exam->rewards[at - 1] += answers[i].reward;
    }
    return at;
}

static bool had_before(const struct eddy_interactions *in, uint64_t begin, uint64_t end,
                       uint32_t item)
{
    while (begin < end && in->rows[begin].item != item)
        begin++;
    return begin < end;
}

/* The one question of a user: all his answers, after all his played events. */
static void ask_user(struct eddy_exam *exam, uint32_t user,
                     struct reward_answer *scratch)
{
    const struct eddy_interactions *in = exam->interactions;
    const struct eddy_interactions *played = &exam->played;
    uint64_t begin = played->user_begin[user], end = played->user_begin[user + 1];
    struct eddy_question question = {.user = user, .history = (uint32_t)(end - begin)};
    uint32_t count = 0;
    for (uint64_t i = in->user_begin[user]; i < in->user_begin[user + 1]; i++) {
        if (exam->marks[i] != EDDY_MARK_ANSWER)
            continue;
        if (count == 0)
            question.row = i;
        if (exam->options.exclude_seen)
            exam->repeated += had_before(played, begin, end, in->rows[i].item);
        scratch[count++] =
            (struct reward_answer){in->rows[i].item, reward_of(exam, &in->rows[i])};
    }
    exam->question_of[user] = NO_QUESTION;
    if (count == 0)
        return;
    exam->question_of[user] = exam->count;
    exam->questions[exam->count] = question;
    exam->answer_begin[exam->count + 1] =
        put_answers(exam, scratch, count, exam->answer_begin[exam->count]);
    exam->count++;
}

static void ask_rows(struct eddy_exam *exam, uint32_t user)
{
    const struct eddy_interactions *in = exam->interactions;
    uint64_t begin = in->user_begin[user];
    for (uint64_t i = begin; i < in->user_begin[user + 1]; i++) {
        exam->question_of[i] = NO_QUESTION;
        if (exam->marks[i] != EDDY_MARK_ANSWER)
            continue;
        if (exam->options.exclude_seen)
            exam->repeated += had_before(in, begin, i, in->rows[i].item);
        exam->question_of[i] = exam->count;
        exam->questions[exam->count] =
            (struct eddy_question){i, user, (uint32_t)(i - begin)};
        exam->answers[exam->count] = in->rows[i].item;
        exam->count++;
        exam->answer_begin[exam->count] = exam->count;
    }
}

/* Rows of the user's played events that are at least a day older than ts_ms end here. */
static uint64_t day_before(const struct eddy_interactions *played, uint32_t user,
                           int64_t ts_ms)
{
    uint64_t low = played->user_begin[user], high = played->user_begin[user + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (played->rows[middle].ts_ms <= ts_ms - DAY_MS)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the states of a day ago stand; a question put at the end of the events is as late as
 * the last of them. */
static void find_days(struct eddy_exam *exam)
{
    const struct eddy_interactions *played = &exam->played;
    uint32_t users = eddy_catalog_count(exam->interactions->users), user = 0;
    for (uint32_t q = 0; q < exam->count; q++) {
        const struct eddy_question *question = &exam->questions[q];
        uint64_t end = played->user_begin[question->user + 1];
        int64_t ts_ms = exam->interactions->rows[question->row].ts_ms;
        if (asks_once(exam) && question->history > 0 &&
            played->rows[end - 1].ts_ms > ts_ms)
            ts_ms = played->rows[end - 1].ts_ms;
        exam->day_place[q] = day_before(played, question->user, ts_ms);
        while (user <= question->user)
            exam->user_question[user++] = q;
    }
    while (user <= users)
        exam->user_question[user++] = exam->count;
}

static void count_training(struct eddy_exam *exam, uint8_t *had)
{
    const struct eddy_interactions *in = exam->interactions;
    for (uint64_t i = 0; i < in->count; i++) {
        if (exam->marks[i] != EDDY_MARK_TRAIN)
            continue;
        exam->training_rows++;
        exam->training_items += !had[in->rows[i].item];
        had[in->rows[i].item] = 1;
    }
}

static int build(struct eddy_exam *exam, struct eddy_err *err)
{
    const struct eddy_interactions *in = exam->interactions;
    uint32_t users = eddy_catalog_count(in->users);
    size_t items = (size_t)eddy_catalog_count(in->items) + 1;
    unsigned keep = EDDY_KEEP(EDDY_MARK_TRAIN) | EDDY_KEEP(EDDY_MARK_HISTORY);
    uint64_t asked = 0, longest = 0;
    for (uint64_t i = 0; i < in->count; i++)
        asked += exam->marks[i] == EDDY_MARK_ANSWER;
    for (uint32_t u = 0; u < users; u++)
        if (in->user_begin[u + 1] - in->user_begin[u] > longest)
            longest = in->user_begin[u + 1] - in->user_begin[u];
    if (!asks_once(exam))
        keep |= EDDY_KEEP(EDDY_MARK_ANSWER);
    if (eddy_interactions_view(in, exam->marks, keep, &exam->played, err) < 0)
        return EDDY_ENOMEM;
    exam->asked_rows = asked;
    exam->questions = calloc((size_t)asked + 1, sizeof *exam->questions);
    exam->day_place = calloc((size_t)asked + 1, sizeof *exam->day_place);
    exam->user_question = calloc((size_t)users + 1, sizeof *exam->user_question);
    exam->answers = calloc((size_t)asked + 1, sizeof *exam->answers);
    exam->answer_begin = calloc((size_t)asked + 2, sizeof *exam->answer_begin);
    exam->question_of = calloc((size_t)(asks_once(exam) ? users : in->count) + 1,
                               sizeof *exam->question_of);
    bool rewarded =
        asks_once(exam) && (exam->options.rewards || exam->options.item_rewards);
    if (rewarded)
        exam->rewards = calloc((size_t)asked + 1, sizeof *exam->rewards);
    struct reward_answer *scratch = calloc((size_t)longest + 1, sizeof *scratch);
    uint8_t *had = calloc(items, 1);
    bool complete = exam->questions && exam->answers && exam->answer_begin &&
                    exam->day_place && exam->user_question && exam->question_of &&
                    scratch && had && (exam->rewards || !rewarded);
    for (uint32_t u = 0; complete && u < users; u++) {
        if (asks_once(exam))
            ask_user(exam, u, scratch);
        else
            ask_rows(exam, u);
    }
    if (complete) {
        count_training(exam, had);
        find_days(exam);
    }
    free(scratch);
    free(had);
    return complete ? 0 : EDDY_ENOMEM;
}

int eddy_exam_init(struct eddy_exam *exam, const struct eddy_interactions *interactions,
                   const uint8_t *marks, const struct eddy_exam_options *options,
                   struct eddy_err *err)
{
    *exam = (struct eddy_exam){
        .options = *options, .interactions = interactions, .marks = marks};
    if (build(exam, err) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the questions of %llu events",
                         (unsigned long long)interactions->count);
    return 0;
}

void eddy_exam_fini(struct eddy_exam *exam)
{
    eddy_interactions_view_fini(&exam->played);
    free(exam->questions);
    free(exam->user_question);
    free(exam->day_place);
    free(exam->question_of);
    free(exam->answer_begin);
    free(exam->answers);
    free(exam->rewards);
    *exam = (struct eddy_exam){0};
}

struct sitting {
    const struct eddy_exam *exam;
    struct eddy_exam_result *result;
    _Atomic uint8_t *listed; /* (items of the snapshot) */
    struct eddy_user_queries queries;
    const struct eddy_user_queries *users; /* &queries, or NULL: no metadata of users */
    const struct eddy_context_index *context;
    uint32_t items;
};

/* The question whose place is `at` in the user's played rows. */
static uint32_t question_at(const struct eddy_exam *exam, uint32_t user, uint64_t at)
{
    uint64_t end = exam->played.user_begin[user + 1];
    if (asks_once(exam))
        return at == end ? exam->question_of[user] : NO_QUESTION;
    return at < end ? exam->question_of[at] : NO_QUESTION;
}

/* The question that a list made at `at` answers with a state of that age in events. */
static uint32_t aged_question(const struct eddy_exam *exam, uint32_t user, uint64_t at,
                              int age)
{
    uint32_t question = question_at(exam, user, at + eddy_ages[age]);
    if (age > 0 && question != NO_QUESTION &&
        exam->questions[question].history <= OLDEST)
        return NO_QUESTION;
    return question;
}

/* The first question that a list made at `at` answers with a state of a day ago, and the end
 * of such questions: a user's stand in the order of their places. */
static uint32_t day_questions(const struct eddy_exam *exam, uint32_t user, uint64_t at,
                              uint32_t *ret_end)
{
    uint32_t low = exam->user_question[user], high = exam->user_question[user + 1];
    uint32_t end = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (exam->day_place[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    /* short histories come first */
    while (low < end && exam->day_place[low] == at &&
           exam->questions[low].history <= OLDEST)
        low++;
    for (high = low; high < end && exam->day_place[high] == at;)
        high++;
    *ret_end = high;
    return low;
}

static uint64_t place_of(const struct eddy_exam *exam, uint32_t user, uint64_t row)
{
    return row == EDDY_PLAY_END ? exam->played.user_begin[user + 1] : row;
}

static bool wants(void *context, uint32_t user, uint64_t row)
{
    const struct sitting *sitting = context;
    uint64_t at = place_of(sitting->exam, user, row);
    uint32_t end, first = day_questions(sitting->exam, user, at, &end);
    for (int age = 0; age < EDDY_AGE_DAY; age++)
        if (aged_question(sitting->exam, user, at, age) != NO_QUESTION)
            return true;
    return first < end;
}

static void judge(const struct sitting *sitting, uint32_t question, int age,
                  const struct eddy_scored *list, uint32_t count)
{
    const struct eddy_exam *exam = sitting->exam;
    struct eddy_exam_result *result = sitting->result;
    uint64_t begin = exam->answer_begin[question];
    struct eddy_answers answers = {
        .items = exam->answers + begin,
        .rewards = exam->rewards ? exam->rewards + begin : NULL,
        .count = (uint32_t)(exam->answer_begin[question + 1] - begin),
    };
    struct eddy_hits hits;
    eddy_hits_of(list, count, EDDY_EVALUATE_LIST, &answers, &hits);
    if (exam->rewards != NULL)
        eddy_hits_reward(list, count, &answers, exam->options.item_rewards,
                         eddy_catalog_count(exam->interactions->items), &hits);
    result->values[age][question] =
        (float)eddy_measure_hits(exam->options.measure, &hits, exam->options.cutoff);
    if (age > 0)
        return;
    eddy_user_score_add(&result->scores[exam->questions[question].user], &hits);
    /* a stream also lists items that are newer than the model */
    for (uint32_t i = 0; i < count && i < COVERED_LIST; i++)
        if (list[i].item < sitting->items)
            atomic_store_explicit(&sitting->listed[list[i].item], 1,
                                  memory_order_relaxed);
}

static void take_list(void *context, uint32_t user, uint64_t row,
                      const struct eddy_scored *list, uint32_t count)
{
    const struct sitting *sitting = context;
    uint64_t at = place_of(sitting->exam, user, row);
    for (int age = 0; age < EDDY_AGE_DAY; age++) {
        uint32_t question = aged_question(sitting->exam, user, at, age);
        if (question != NO_QUESTION)
            judge(sitting, question, age, list, count);
    }
    uint32_t end, q = day_questions(sitting->exam, user, at, &end);
    for (; q < end; q++)
        judge(sitting, q, EDDY_AGE_DAY, list, count);
}

/* The context that the answer's event had: what was so when it was asked for. */
static struct eddy_context_row request_of(void *context, uint32_t user, uint64_t row)
{
    const struct sitting *sitting = context;
    const struct eddy_exam *exam = sitting->exam;
    uint64_t at = place_of(exam, user, row);
    uint32_t question = NO_QUESTION, end;
    for (int age = 0; age < EDDY_AGE_DAY && question == NO_QUESTION; age++)
        question = aged_question(exam, user, at, age);
    uint32_t day = day_questions(exam, user, at, &end);
    if (question == NO_QUESTION && day < end)
        question = day;
    if (question == NO_QUESTION)
        return (struct eddy_context_row){{0}};
    return eddy_context_index_interaction(
        sitting->context, exam->interactions,
        &exam->interactions->rows[exam->questions[question].row]);
}

static int sit_histories(struct sitting *sitting, const struct eddy_snapshot *snapshot,
                         eddy_exam_progress_fn progress, void *context,
                         struct eddy_err *err)
{
    const struct eddy_exam *exam = sitting->exam;
    uint32_t users = eddy_catalog_count(exam->interactions->users);
    struct eddy_play play = {
        .snapshot = snapshot,
        .interactions = &exam->played,
        .k = exam->rewards ? EDDY_REWARD_LIST : EDDY_EVALUATE_LIST,
        .threads = exam->options.threads,
        .exclude_seen = exam->options.exclude_seen,
        .users = sitting->users,
        .popularity = snapshot->popularity,
        .wants = wants,
        .list = take_list,
        .request = exam->options.request_context ? request_of : NULL,
        .context = sitting,
    };
    uint32_t group = asks_once(exam) ? GROUP_USERS : GROUP_USERS_BY_ROW;
    int r = 0;
    for (uint32_t first = 0; r == 0 && first < users; first += group) {
        uint32_t count = users - first < group ? users - first : group;
        r = eddy_play_users(&play, first, count, err);
        if (progress != NULL)
            progress(context, exam->played.user_begin[first + count]);
    }
    return r;
}

static bool stream_wants(void *context, uint64_t row)
{
    const struct sitting *sitting = context;
    return sitting->exam->question_of[row] != NO_QUESTION;
}

static void take_stream(void *context, uint64_t row, const struct eddy_scored *list,
                        uint32_t count)
{
    const struct sitting *sitting = context;
    judge(sitting, sitting->exam->question_of[row], 0, list, count);
}

static int sit_stream(struct sitting *sitting, const struct eddy_snapshot *snapshot,
                      eddy_exam_progress_fn progress, void *context,
                      struct eddy_err *err)
{
    const struct eddy_exam *exam = sitting->exam;
    struct eddy_stream_options options = {
        .snapshot = snapshot,
        .interactions = &exam->played,
        .k = exam->rewards ? EDDY_REWARD_LIST : EDDY_EVALUATE_LIST,
        .threads = exam->options.threads,
        .exclude_seen = exam->options.exclude_seen,
        .refresh_ms = exam->options.refresh_ms,
        .half_life_s = exam->options.half_life_s,
        .users = sitting->users,
    };
    struct eddy_stream *stream;
    uint64_t done = 0;
    int more, r = eddy_stream_new(&options, &stream, err);
    if (r < 0)
        return r;
    while ((more = eddy_stream_next(stream, stream_wants, take_stream, sitting)) > 0) {
        done += (uint64_t)more;
        if (progress != NULL)
            progress(context, done);
    }
    eddy_stream_free(stream);
    return more < 0 ? eddy_fail(err, EDDY_ENOMEM, "no memory for the states of users")
                    : 0;
}

static int allocate(struct sitting *sitting, struct eddy_exam_result *ret)
{
    const struct eddy_exam *exam = sitting->exam;
    size_t users = (size_t)eddy_catalog_count(exam->interactions->users) + 1;
    ret->scores = calloc(users, sizeof *ret->scores);
    sitting->listed = calloc((size_t)sitting->items + 1, sizeof *sitting->listed);
    bool complete = ret->scores && sitting->listed;
    for (int age = 0; age < EDDY_AGES; age++) {
        ret->values[age] = calloc((size_t)exam->count + 1, sizeof *ret->values[age]);
        complete = complete && ret->values[age] != NULL;
        for (uint32_t q = 0; complete && q < exam->count; q++)
            ret->values[age][q] = NAN;
    }
    return complete ? 0 : EDDY_ENOMEM;
}

int eddy_exam_sit(const struct eddy_exam *exam, const struct eddy_snapshot *snapshot,
                  eddy_exam_progress_fn progress, void *context,
                  struct eddy_exam_result *ret, struct eddy_err *err)
{
    struct sitting sitting = {.exam = exam,
                              .result = ret,
                              .context = snapshot->context,
                              .items = eddy_catalog_count(snapshot->catalog)};
    int r = 0;
    *ret = (struct eddy_exam_result){.items = sitting.items};
    if (exam->options.users != NULL)
        r = eddy_user_queries_init(&sitting.queries, snapshot, exam->options.users,
                                   exam->interactions->users, err);
    if (r < 0)
        return r;
    sitting.users = exam->options.users ? &sitting.queries : NULL;
    if (allocate(&sitting, ret) < 0) {
        eddy_user_queries_fini(&sitting.queries);
        free(sitting.listed);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u questions", exam->count);
    }
    for (uint64_t i = 0; i < exam->answer_begin[exam->count]; i++)
        ret->unknown += exam->answers[i] >= sitting.items;
    r = exam->options.protocol == EDDY_PROTOCOL_PREQUENTIAL
            ? sit_stream(&sitting, snapshot, progress, context, err)
            : sit_histories(&sitting, snapshot, progress, context, err);
    for (uint32_t i = 0; i < sitting.items; i++) {
        ret->covered += atomic_load_explicit(&sitting.listed[i], memory_order_relaxed);
        ret->known_items += snapshot->popularity[i] > 0;
    }
    eddy_user_queries_fini(&sitting.queries);
    free(sitting.listed);
    return r;
}

void eddy_exam_result_fini(struct eddy_exam_result *result)
{
    free(result->scores);
    for (int age = 0; age < EDDY_AGES; age++)
        free(result->values[age]);
    *result = (struct eddy_exam_result){0};
}
