/* Means, differences and curves of the contenders. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/eval.h"
#include "app/model.h"

static const int64_t HOUR_MS = 3600 * 1000;

struct eddy_eval_headline eddy_eval_headline(enum eddy_protocol protocol)
{
    switch (protocol) {
    case EDDY_PROTOCOL_SESSIONS:
    case EDDY_PROTOCOL_PREQUENTIAL: return (struct eddy_eval_headline){EDDY_MRR, 20};
    case EDDY_PROTOCOL_WORKSHOP:
        return (struct eddy_eval_headline){EDDY_NDCG_WORKSHOP, 10};
    case EDDY_PROTOCOL_SOLUTION: return (struct eddy_eval_headline){EDDY_NDCG_AWS, 10};
    case EDDY_PROTOCOL_COLD_ITEMS: return (struct eddy_eval_headline){EDDY_RECALL, 25};
    default: return (struct eddy_eval_headline){EDDY_NDCG, 10};
    }
}

const char *eddy_measure_title(enum eddy_measure measure)
{
    static const char *const titles[EDDY_MEASURES] = {
        "HR",          "NDCG",          "MRR",         "Recall",        "Precision",
        "NDCG Amazon", "NDCG workshop", "Avg rewards", "Rewards Amazon"};
    return titles[measure];
}

const char *eddy_protocol_about(enum eddy_protocol protocol)
{
    static const char *const about[EDDY_PROTOCOLS] = {
        "the last event of each user",
        "every event after the first of each user",
        "every event from a time on, states moving on",
        "the newest tenth of each user's events, one list per user",
        "the newest tenth of the events of a tenth of the users, one list per user",
        "test, then learn: every event in the order of the file",
        "the events on a half of the items that training never saw, one list per user",
        "the newest fifth of each user's events, by the items that they are on"};
    return about[protocol];
}

void eddy_eval_choice(const struct eddy_eval_contender *contender, char ret[128])
{
    const struct eddy_baseline_choice *choice = &contender->choice;
    ret[0] = '\0';
    if (choice->cases == 0)
        return;
    if (contender->baseline == EDDY_BASELINE_NEIGHBOURS && choice->age_decay_days > 0)
        (void)snprintf(ret, 128, "sessions age by exp(-days / %.3g)",
                       choice->age_decay_days);
    else if (choice->age_half_life_days > 0)
        (void)snprintf(ret, 128, "sessions count half after %.3g days",
                       choice->age_half_life_days);
    else
        (void)snprintf(ret, 128, "sessions do not age");
    size_t used = strlen(ret);
    if (contender->baseline == EDDY_BASELINE_CLOSED_FORM)
        (void)snprintf(ret + used, 128 - used, ", %s",
                       choice->zero_diagonal ? "no item speaks for itself"
                                             : "items may speak for themselves");
}

bool eddy_eval_shows(const struct eddy_eval *eval, enum eddy_measure measure)
{
    bool several =
        eddy_protocol_asks_once(eval->protocol) && eval->protocol != EDDY_PROTOCOL_LOO;
    switch (measure) {
    case EDDY_HR:
    case EDDY_NDCG:
    case EDDY_MRR: return true;
    case EDDY_REWARD:
    case EDDY_REWARD_AWS: return eval->exam->rewards != NULL;
    case EDDY_NDCG_WORKSHOP: return eval->protocol == EDDY_PROTOCOL_WORKSHOP;
    default: return several;
    }
}

uint32_t eddy_eval_compared(const struct eddy_eval *eval,
                            struct eddy_eval_headline ret[3])
{
    uint32_t cutoff = eddy_eval_headline(eval->protocol).cutoff;
    ret[0] = eddy_eval_headline(eval->protocol);
    switch (eval->protocol) {
    case EDDY_PROTOCOL_WORKSHOP:
    case EDDY_PROTOCOL_SOLUTION:
        ret[1] = (struct eddy_eval_headline){EDDY_MRR, 25};
        ret[2] = (struct eddy_eval_headline){EDDY_PRECISION, 10};
        break;
    case EDDY_PROTOCOL_COLD_ITEMS:
        ret[1] = (struct eddy_eval_headline){EDDY_NDCG, 25};
        ret[2] = (struct eddy_eval_headline){EDDY_HR, 25};
        break;
    default:
        ret[1] = (struct eddy_eval_headline){EDDY_HR, cutoff};
        ret[2] = (struct eddy_eval_headline){cutoff == 10 ? EDDY_MRR : EDDY_NDCG, 20};
    }
    return 3;
}

/* First lengths of the groups; the last is open. */
static const uint32_t lengths[] = {0, 1, 2, 3, 6, 10, 20, 50, 100, 200, 500};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static uint8_t length_group(uint32_t history)
{
    uint8_t group = LENGTHS - 1;
    while (history < lengths[group])
        group--;
    return group;
}

static void length_label(char label[24], uint32_t group)
{
    if (group + 1 == LENGTHS)
        (void)snprintf(label, 24, "%u+", lengths[group]);
    else if (lengths[group + 1] == lengths[group] + 1)
        (void)snprintf(label, 24, "%u", lengths[group]);
    else
        (void)snprintf(label, 24, "%u-%u", lengths[group], lengths[group + 1] - 1);
}

/* What the estimates of curves need of the questions. */
struct columns {
    uint32_t *user;
    uint8_t *group;
};

static void drop_point(struct eddy_eval_curve *curve, uint32_t at)
{
    curve->points--;
    memmove(curve->labels + at, curve->labels + at + 1,
            (curve->points - at) * sizeof *curve->labels);
    for (uint32_t c = 0; c < curve->contenders; c++)
        memmove(curve->groups[c] + at, curve->groups[c] + at + 1,
                (curve->points - at) * sizeof *curve->groups[c]);
}

/* Points with questions, from the columns' groups; labels are given. */
static void draw(const struct eddy_eval *eval, const struct columns *columns,
                 struct eddy_eval_curve *curve)
{
    curve->contenders = eval->contender_count;
    for (uint32_t c = 0; c < curve->contenders; c++)
        eddy_evaluate_groups(eval->contenders[c].result.values[0], columns->user,
                             columns->group, eval->exam->count, curve->points,
                             curve->groups[c]);
    for (uint32_t p = curve->points; p-- > 0;)
        if (curve->groups[0][p].queries == 0)
            drop_point(curve, p);
}

static void by_history(struct eddy_eval *eval, struct columns *columns)
{
    struct eddy_eval_curve *curve = &eval->by_history;
    *curve = (struct eddy_eval_curve){.key = "history_length", .points = LENGTHS};
    for (uint32_t p = 0; p < LENGTHS; p++)
        length_label(curve->labels[p], p);
    for (uint32_t q = 0; q < eval->exam->count; q++)
        columns->group[q] = length_group(eval->exam->questions[q].history);
    draw(eval, columns, curve);
}

/* What the age of a model counts from: the newest event that it has learned from, where its
 * manifest says so; else the beginning of what is asked. */
static int64_t learned_until(const struct eddy_eval *eval, int64_t first_ms)
{
    int64_t newest_ms = eddy_model_newest(eval->manifest);
    if (newest_ms != INT64_MIN)
        return newest_ms;
    return eval->from_ms != INT64_MIN ? eval->from_ms : first_ms;
}

/* Hours up to two days, days up to three weeks, weeks up to a year, then 30 days. */
static int64_t unit_of(struct eddy_eval *eval, int64_t span_ms)
{
    static const struct {
        const char *name;
        int64_t hours, most; /* most: so many of them */
    } units[] = {
        {"hour", 1, 48}, {"day", 24, 21}, {"week", 168, 52}, {"30 days", 720, 0}};
    int k = 0;
    while (units[k].most > 0 && span_ms > units[k].hours * units[k].most * HOUR_MS)
        k++;
    eval->time_unit = units[k].name;
    return units[k].hours * HOUR_MS;
}

/* By the age of what was learned: group 0 are questions that are no newer than it. */
static void by_time(struct eddy_eval *eval, struct columns *columns)
{
    struct eddy_eval_curve *curve = &eval->by_time;
    const struct eddy_interactions *in = eval->exam->interactions;
    int64_t first_ms = INT64_MAX, to_ms = INT64_MIN;
    *curve = (struct eddy_eval_curve){.key = "time", .points = EDDY_GROUPS_MAX};
    for (uint32_t q = 0; q < eval->exam->count; q++) {
        int64_t ts_ms = in->rows[eval->exam->questions[q].row].ts_ms;
        first_ms = ts_ms < first_ms ? ts_ms : first_ms;
        to_ms = ts_ms > to_ms ? ts_ms : to_ms;
    }
    eval->learned_ms = learned_until(eval, first_ms);
    int64_t unit_ms = unit_of(eval, to_ms - eval->learned_ms);
    for (uint32_t p = 0; p < curve->points; p++)
        (void)snprintf(curve->labels[p], sizeof curve->labels[p],
                       p + 1 == curve->points ? "%u+" : "%u", p);
    for (uint32_t q = 0; q < eval->exam->count; q++) {
        int64_t ts_ms = in->rows[eval->exam->questions[q].row].ts_ms;
        int64_t unit =
            ts_ms < eval->learned_ms ? 0 : (ts_ms - eval->learned_ms) / unit_ms + 1;
        columns->group[q] =
            (uint8_t)(unit < EDDY_GROUPS_MAX ? unit : EDDY_GROUPS_MAX - 1);
    }
    draw(eval, columns, curve);
}

/* A point per age, over the questions that were asked at all of them. */
static void by_age(struct eddy_eval *eval, struct columns *columns)
{
    struct eddy_eval_curve *curve = &eval->by_age;
    *curve = (struct eddy_eval_curve){.key = "state_age", .points = EDDY_AGES};
    curve->contenders = eval->contender_count;
    for (uint32_t c = 0; c < curve->contenders; c++) {
        float *const *values = eval->contenders[c].result.values;
        for (uint32_t q = 0; q < eval->exam->count; q++)
            columns->group[q] = values[EDDY_AGES - 1][q] >= 0 ? 0 : 1;
        for (uint32_t p = 0; p < EDDY_AGES; p++)
            eddy_evaluate_groups(values[p], columns->user, columns->group,
                                 eval->exam->count, 1, &curve->groups[c][p]);
    }
    for (uint32_t p = 0; p < EDDY_AGES; p++)
        (void)snprintf(curve->labels[p], sizeof curve->labels[p], "%s",
                       eddy_age_names[p]);
    if (curve->groups[0][EDDY_AGES - 1].queries == 0)
        curve->points = 0;
}

static int estimate(struct eddy_eval *eval, struct eddy_eval_contender *contender)
{
    uint32_t users = eddy_catalog_count(eval->exam->interactions->users);
    int r = eddy_evaluate(contender->result.scores, users, eval->resamples, eval->seed,
                          &contender->evaluation);
    if (r == 0 && contender != eval->contenders)
        r = eddy_evaluate_difference(eval->contenders[0].result.scores,
                                     contender->result.scores, users, eval->resamples,
                                     eval->seed, &contender->difference);
    return r;
}

int eddy_eval_estimate(struct eddy_eval *eval, struct eddy_err *err)
{
    size_t count = eval->exam->count;
    struct columns columns = {calloc(count + 1, sizeof *columns.user),
                              calloc(count + 1, sizeof *columns.group)};
    int r = columns.user && columns.group ? 0 : EDDY_ENOMEM;
    for (uint32_t c = 0; r == 0 && c < eval->contender_count; c++)
        r = estimate(eval, &eval->contenders[c]);
    if (r == 0) {
        for (size_t q = 0; q < count; q++)
            columns.user[q] = eval->exam->questions[q].user;
        by_history(eval, &columns);
        if (eval->protocol == EDDY_PROTOCOL_SUCCESSIVE ||
            eval->protocol == EDDY_PROTOCOL_PREQUENTIAL)
            by_time(eval, &columns);
        by_age(eval, &columns);
    }
    free(columns.user);
    free(columns.group);
    return r == 0 ? 0
                  : eddy_fail(err, EDDY_ENOMEM, "no memory for %u resamples",
                              eval->resamples);
}
