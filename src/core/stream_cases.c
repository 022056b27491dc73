/* The newest part of a log as a stream: counters of every half-life of the grid
 * are fed row by row, their tables are taken at refreshes, and about CASES_MAX events, evenly
 * spread, become cases (with half as many, weights are so uncertain that three days of news
 * lost 2 % of HR@20; twice as many gain nothing). All settings of the grid see the same
 * candidates, so that their likelihoods can be compared. */
#include "core/stream_cases.h"

#include <stdlib.h>
#include <string.h>

#include "base/vmath.h"
#include "core/play_user.h"

enum {
    CASES_MAX = 16000,
    TOP_PRIOR = 70,   /* candidates from each of the first priors */
    TOP_PRIORS = 3,   /* how many of those */
    TOP_RULES = 30,   /* candidates from a row of rules */
    ROWS_RECENT = 3,  /* newest events whose rows give candidates */
    ROWS_SHOWN = 100, /* newest events whose impressions are looked at */
    ROWS_SUMMED =
        10, /* newest events whose rows are summed: beyond, shares are < 1 % */
};

void eddy_stream_grid_make(double rows_per_s, double span_s,
                           struct eddy_stream_grid *ret)
{
    static const double prior_s[] = {150, 600, 3600, 21600, 86400, 604800, 2592000, 0};
    static const double rule_s[] = {1800, 3600, 21600, 86400, 604800, 0};
    *ret = (struct eddy_stream_grid){0};
    for (size_t i = 0; i < sizeof prior_s / sizeof *prior_s; i++) {
        double seconds = prior_s[i] > 0 ? prior_s[i] : span_s;
        if (rows_per_s * seconds >= 50 && prior_s[i] < 2 * span_s &&
            ret->priors < EDDY_HALF_LIVES_MAX)
            ret->prior_counters.half_life_s[ret->priors++] = prior_s[i];
    }
    ret->prior_counters.half_lives = ret->priors;
    for (size_t i = 0; i < sizeof rule_s / sizeof *rule_s; i++) {
        double seconds = rule_s[i] > 0 ? rule_s[i] : span_s;
        if (rows_per_s * seconds < 500 || rule_s[i] >= 2 * span_s)
            continue;
        if (ret->rules < EDDY_STREAM_RULES_MAX)
            ret->rule_counters[ret->rules++] =
                (struct eddy_counters_options){.window = 3,
                                               .distance_decay = 2,
                                               .rules_half_life_s = rule_s[i],
                                               .shrink = 1,
                                               .reverse = 0.2};
    }
}

struct replay {
    const struct eddy_interactions *in;
    const struct eddy_stream_fit_options *options;
    const struct eddy_stream_grid *grid;
    struct eddy_stream_cases *cases;
    uint32_t items;
    struct eddy_counters *priors, *rules[EDDY_STREAM_RULES_MAX];
    struct eddy_table tables[EDDY_STREAM_RULES_MAX], frozen_table;
    float *prior[EDDY_HALF_LIVES_MAX], *frozen[EDDY_HALF_LIVES_MAX]; /* (items) */
    struct eddy_scored top[TOP_PRIORS][TOP_PRIOR];
    uint32_t top_count[TOP_PRIORS];
    uint32_t *place; /* (items) of the candidate, plus 1; zeros between cases */
    uint32_t candidates[EDDY_STREAM_CANDIDATES], candidate_count;
    struct eddy_head_shown shown[EDDY_SHOWN_MAX]; /* before the present case */
    uint32_t shown_count;
    bool is_frozen;
};

static int start_replay(struct replay *replay)
{
    const struct eddy_stream_grid *grid = replay->grid;
    struct eddy_counters_options options = grid->prior_counters;
    options.items = replay->items;
    int r = eddy_counters_new(&options, &replay->priors, NULL);
    for (uint32_t i = 0; r == 0 && i < grid->rules; i++) {
        options = grid->rule_counters[i];
        options.items = replay->items;
        r = eddy_counters_new(&options, &replay->rules[i], NULL);
    }
    for (uint32_t h = 0; r == 0 && h < grid->priors; h++) {
        replay->prior[h] = malloc(((size_t)replay->items + 1) * sizeof(float));
        replay->frozen[h] = malloc(((size_t)replay->items + 1) * sizeof(float));
        r = replay->prior[h] && replay->frozen[h] ? 0 : EDDY_ENOMEM;
    }
    replay->place = calloc((size_t)replay->items + 1, sizeof *replay->place);
    return replay->place ? r : EDDY_ENOMEM;
}

static void end_replay(struct replay *replay)
{
    eddy_counters_free(replay->priors);
    for (uint32_t i = 0; i < EDDY_STREAM_RULES_MAX; i++) {
        eddy_counters_free(replay->rules[i]);
        eddy_table_fini(&replay->tables[i]);
    }
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++) {
        free(replay->prior[h]);
        free(replay->frozen[h]);
    }
    eddy_table_fini(&replay->frozen_table);
    free(replay->place);
}

static int refresh(struct replay *replay, int64_t now_ms)
{
    const struct eddy_stream_grid *grid = replay->grid;
    for (uint32_t h = 0; h < grid->priors; h++)
        eddy_counters_prior(replay->priors, now_ms, replay->items, h, replay->prior[h]);
    for (uint32_t i = 0; i < TOP_PRIORS && i < grid->priors; i++)
        replay->top_count[i] = eddy_play_popular(replay->prior[i], replay->items,
                                                 TOP_PRIOR, replay->top[i]);
    for (uint32_t i = 0; i < grid->rules; i++) {
        struct eddy_table table;
        if (eddy_counters_rules(replay->rules[i], now_ms, replay->items,
                                EDDY_STREAM_WIDTH, &table) < 0)
            return EDDY_ENOMEM;
        eddy_table_fini(&replay->tables[i]);
        replay->tables[i] = table;
    }
    if (replay->is_frozen)
        return 0;
    replay->is_frozen = true;
    for (uint32_t h = 0; h < grid->priors; h++)
        memcpy(replay->frozen[h], replay->prior[h], replay->items * sizeof(float));
    return grid->rules == 0
               ? 0
               : eddy_counters_rules(replay->rules[grid->rules - 1], now_ms,
                                     replay->items, EDDY_STREAM_WIDTH,
                                     &replay->frozen_table);
}

static void add_candidate(struct replay *replay, uint32_t item)
{
    if (replay->place[item] == 0 && replay->candidate_count < EDDY_STREAM_CANDIDATES) {
        replay->candidates[replay->candidate_count++] = item;
        replay->place[item] = replay->candidate_count;
    }
}

static void choose_candidates(struct replay *replay, const uint32_t *recent,
                              uint32_t count)
{
    replay->candidate_count = 0;
    for (uint32_t p = 0; p < count && p < ROWS_RECENT; p++) {
        for (uint32_t i = 0; i < replay->grid->rules; i++) {
            const struct eddy_table *table = &replay->tables[i];
            uint64_t begin = table->begin[recent[count - 1 - p]];
            uint64_t end = table->begin[recent[count - 1 - p] + 1];
            end = end < begin + TOP_RULES ? end : begin + TOP_RULES;
            for (uint64_t e = begin; e < end; e++)
                add_candidate(replay, table->index[e]);
        }
    }
    for (uint32_t i = 0; i < TOP_PRIORS && i < replay->grid->priors; i++)
        for (uint32_t k = 0; k < replay->top_count[i]; k++)
            add_candidate(replay, replay->top[i][k].item);
    for (uint32_t p = 0; p < count; p++)
        add_candidate(replay, recent[count - 1 - p]);
    for (uint32_t i = replay->shown_count; i-- > 0;)
        add_candidate(replay, replay->shown[i].item);
}

/* One column of sums of rows of a table. */
static void sum_rows(const struct replay *replay, const struct eddy_table *table,
                     const uint32_t *recent, uint32_t count, float *values,
                     uint32_t columns)
{
    for (uint32_t p = 0; p < count && p < ROWS_SUMMED; p++) {
        uint32_t row = recent[count - 1 - p];
        float share = eddy_expf(-(float)p / EDDY_STREAM_RULES_DECAY);
        for (uint64_t e = table->begin[row]; e < table->begin[row + 1]; e++) {
            uint32_t place = replay->place[table->index[e]];
            if (place > 0)
                values[(size_t)(place - 1) * columns] += share * table->weight[e];
        }
    }
}

static void fill_values(const struct replay *replay, const uint32_t *recent,
                        uint32_t count, float *values)
{
    const struct eddy_stream_grid *grid = replay->grid;
    const uint32_t P = grid->priors, R = grid->rules;
    const uint32_t columns = eddy_stream_columns(grid);
    memset(values, 0, (size_t)replay->candidate_count * columns * sizeof *values);
    for (uint32_t c = 0; c < replay->candidate_count; c++) {
        float *row = values + (size_t)c * columns;
        for (uint32_t h = 0; h < P; h++) {
            row[h] = replay->prior[h][replay->candidates[c]];
            row[P + R + 1 + h] = replay->frozen[h][replay->candidates[c]];
        }
    }
    for (uint32_t i = 0; i < R; i++)
        sum_rows(replay, &replay->tables[i], recent, count, values + P + i, columns);
    if (R > 0)
        sum_rows(replay, &replay->frozen_table, recent, count, values + 2 * P + R + 1,
                 columns);
    for (uint32_t p = 0; p < count; p++)
        if (replay->place[recent[p]] > 0)
            values[(size_t)(replay->place[recent[p]] - 1) * columns + P + R] = 1;
    for (uint32_t i = 0; i < replay->shown_count; i++) {
        const struct eddy_head_shown *shown = &replay->shown[i];
        uint32_t place = replay->place[shown->item];
        float times = (float)shown->times;
        if (place > 0)
            values[(size_t)(place - 1) * columns + columns - 1] = eddy_log1pf(
                times * eddy_expf(-(float)shown->age / EDDY_STREAM_SHOWN_DECAY));
    }
}

static int make_room(struct eddy_stream_cases *cases, uint32_t candidates,
                     uint32_t columns)
{
    if (cases->count == cases->capacity) {
        uint32_t capacity = cases->capacity ? 2 * cases->capacity : 256;
        void *grown = realloc(cases->cases, capacity * sizeof *cases->cases);
        if (grown == NULL)
            return EDDY_ENOMEM;
        cases->cases = grown;
        cases->capacity = capacity;
    }
    if (cases->rows + candidates > cases->row_capacity) {
        size_t capacity = 2 * cases->row_capacity + 65536;
        float *grown = realloc(cases->values, capacity * columns * sizeof *grown);
        if (grown == NULL)
            return EDDY_ENOMEM;
        cases->values = grown;
        cases->row_capacity = capacity;
    }
    return 0;
}

static int add_case(struct replay *replay, const uint32_t *recent, uint32_t count,
                    uint32_t answer, bool later)
{
    struct eddy_stream_cases *cases = replay->cases;
    const uint32_t columns = eddy_stream_columns(replay->grid);
    int r = 0;
    choose_candidates(replay, recent, count);
    if (replay->place[answer] > 0) {
        r = make_room(cases, replay->candidate_count, columns);
        if (r == 0) {
            fill_values(replay, recent, count, cases->values + cases->rows * columns);
            cases->cases[cases->count++] = (struct eddy_stream_case){
                .first = (uint32_t)cases->rows,
                .count = replay->candidate_count,
                .answer = replay->place[answer] - 1,
                .bucket = eddy_head_bucket(count),
                .later = later,
            };
            cases->rows += replay->candidate_count;
        }
    }
    for (uint32_t c = 0; c < replay->candidate_count; c++)
        replay->place[replay->candidates[c]] = 0;
    return r;
}

/* The user's items before a row, oldest first; session_count: of the row's session. */
static uint32_t recent_of(const struct replay *replay, uint64_t at, uint32_t *recent,
                          uint32_t *session_count)
{
    const struct eddy_interaction *rows = replay->in->rows;
    const int64_t gap_ms = (int64_t)replay->options->session_gap_s * 1000;
    uint64_t begin = replay->in->user_begin[rows[at].user], first = at, in_session = at;
    uint32_t room = replay->options->recent_events, count = 0;
    room = room < EDDY_RECENT_MAX ? room : EDDY_RECENT_MAX;
    while (first > begin && at - first < room) {
        first--;
        if (in_session == first + 1 &&
            rows[first + 1].ts_ms - rows[first].ts_ms <= gap_ms)
            in_session = first;
    }
    for (uint64_t i = first; i < at; i++)
        recent[count++] = rows[i].item;
    *session_count = (uint32_t)(at - in_session);
    return count;
}

/* What the newest events before a row showed to its user. */
static void find_shown(struct replay *replay, uint64_t at)
{
    const struct eddy_interactions *in = replay->in;
    uint64_t begin = in->user_begin[in->rows[at].user];
    struct eddy_shown_ring ring = {0};
    if (!replay->grid->shown)
        return;
    for (uint64_t i = at - begin > ROWS_SHOWN ? at - ROWS_SHOWN : begin; i < at; i++)
        eddy_play_user_show(&ring, in, &in->rows[i]);
    replay->shown_count =
        eddy_rank_shown(&ring, in->items, replay->items, replay->shown);
}

static int count_row(struct replay *replay, const struct eddy_interaction *row,
                     const uint32_t *recent, uint32_t count)
{
    int r = eddy_counters_add(replay->priors, row->ts_ms, row->item, NULL, 0);
    for (uint32_t i = 0; r == 0 && i < replay->grid->rules; i++)
        r = eddy_counters_add(replay->rules[i], row->ts_ms, row->item, recent, count);
    return r;
}

int eddy_stream_cases_collect(const struct eddy_interactions *interactions,
                              const uint64_t *order, uint64_t count, uint64_t start,
                              int64_t refresh_ms,
                              const struct eddy_stream_fit_options *options,
                              const struct eddy_stream_grid *grid,
                              struct eddy_stream_cases *ret)
{
    struct replay replay = {.in = interactions,
                            .options = options,
                            .grid = grid,
                            .cases = ret,
                            .items = eddy_catalog_count(interactions->items)};
    uint64_t every = (count - start) / CASES_MAX + 1;
    int64_t next_ms = INT64_MIN;
    int r = start_replay(&replay);
    *ret = (struct eddy_stream_cases){0};
    for (uint64_t i = 0; r == 0 && i < count; i++) {
        const struct eddy_interaction *row = &interactions->rows[order[i]];
        uint32_t recent[EDDY_RECENT_MAX], session = 0;
        uint32_t known = recent_of(&replay, order[i], recent, &session);
        if (i >= start && row->ts_ms >= next_ms) {
            r = refresh(&replay, row->ts_ms);
            next_ms = row->ts_ms + refresh_ms;
        }
        if (r == 0 && i >= start && i % every == 0) {
            find_shown(&replay, order[i]);
            r = add_case(&replay, recent, known, row->item,
                         i >= start + (count - start) / 2);
        }
        r = r ? r : count_row(&replay, row, recent + known - session, session);
    }
    end_replay(&replay);
    return r;
}

void eddy_stream_cases_fini(struct eddy_stream_cases *cases)
{
    free(cases->cases);
    free(cases->values);
    *cases = (struct eddy_stream_cases){0};
}
