/* The events of the last two intervals are kept as they come, 16 bytes each, and counted at a
 * refresh: late ones fall where their time says, and nothing depends on how refreshes lie to
 * intervals. Older ones are dropped then, so that memory goes with two intervals and one
 * refresh. */
#include "core/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/snapshot.h"

struct event {
    int64_t ts_ms;
    uint32_t item;
};

struct eddy_trend {
    int64_t interval_ms, first_ms; /* first_ms INT64_MAX: no event yet */
    uint32_t items;
    float *users;  /* (items) below one half: what orders equals */
    int64_t *rise; /* (items) */
    struct event *events;
    size_t count, capacity;
    struct eddy_tables tables; /* one prior: the scores */
    const struct eddy_head *head;
    struct eddy_packed matrix;
    struct eddy_rank_model model;
};

/* "30 minutes", "1 hour", "3 hours", "1 day". */
static int64_t seconds_of(const char *text)
{
    char *unit;
    long count = strtol(text, &unit, 10);
    if (count <= 0)
        return 0;
    unit += strspn(unit, " ");
    return strncmp(unit, "minute", 6) == 0 ? count * 60
           : strncmp(unit, "hour", 4) == 0 ? count * 3600
           : strncmp(unit, "day", 3) == 0  ? count * 86400
                                           : 0;
}

int64_t eddy_trend_interval_s(const struct eddy_snapshot *snapshot)
{
    char text[24];
    bool trends = snapshot->tables.priors == 1 && snapshot->tables.prior[0] != NULL;
    eddy_manifest_hyper(&snapshot->manifest, "trend_discovery_frequency", text);
    return trends ? seconds_of(text) : 0;
}

static int allocate(struct eddy_trend *trend, const struct eddy_snapshot *snapshot)
{
    size_t items = (size_t)trend->items + 1;
    float *scores = calloc(items, sizeof *scores);
    trend->tables =
        (struct eddy_tables){.items = trend->items, .priors = 1, .prior = {scores}};
    trend->users = calloc(items, sizeof *trend->users);
    trend->rise = calloc(items, sizeof *trend->rise);
    if (scores == NULL || trend->users == NULL || trend->rise == NULL)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < trend->items; i++) {
        scores[i] = snapshot->tables.prior[0][i];
        trend->users[i] = scores[i] - floorf(scores[i]);
    }
    return eddy_rank_pack(&trend->matrix, &snapshot->layout, snapshot->params,
                          trend->items, 0, &trend->tables, trend->head);
}

int eddy_trend_new(const struct eddy_snapshot *snapshot, struct eddy_trend **ret,
                   struct eddy_err *err)
{
    struct eddy_trend *trend = calloc(1, sizeof *trend);
    if (trend != NULL) {
        trend->interval_ms = eddy_trend_interval_s(snapshot) * 1000;
        trend->first_ms = INT64_MAX;
        trend->items = snapshot->layout.shape.items;
        trend->head = &snapshot->head;
    }
    if (trend == NULL || allocate(trend, snapshot) < 0) {
        eddy_trend_free(trend);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the trends of %u items",
                         snapshot->layout.shape.items);
    }
    trend->model = eddy_rank_model_of(snapshot);
    trend->model.items = &trend->matrix;
    trend->model.tables = &trend->tables;
    *ret = trend;
    return 0;
}

void eddy_trend_free(struct eddy_trend *trend)
{
    if (trend == NULL)
        return;
    free(trend->tables.prior[0]);
    free(trend->users);
    free(trend->rise);
    free(trend->events);
    eddy_packed_fini(&trend->matrix);
    free(trend);
}

int eddy_trend_add(struct eddy_trend *trend, int64_t ts_ms, uint32_t item)
{
    if (ts_ms < trend->first_ms)
        trend->first_ms = ts_ms;
    if (item >= trend->items)
        return 0;
    if (trend->count == trend->capacity) {
        size_t capacity = trend->capacity ? 2 * trend->capacity : 1024;
        struct event *grown = realloc(trend->events, capacity * sizeof *grown);
        if (grown == NULL)
            return EDDY_ENOMEM;
        trend->events = grown;
        trend->capacity = capacity;
    }
    trend->events[trend->count++] = (struct event){ts_ms, item};
    return 0;
}

void eddy_trend_refresh(struct eddy_trend *trend, int64_t now_ms)
{
    float *scores = trend->tables.prior[0];
    size_t kept = 0;
    if (trend->first_ms > now_ms - trend->interval_ms)
        return;
    memset(trend->rise, 0, trend->items * sizeof *trend->rise);
    for (size_t e = 0; e < trend->count; e++) {
        struct event event = trend->events[e];
        int64_t age_ms = now_ms - event.ts_ms;
        if (age_ms > 2 * trend->interval_ms)
            continue;
        trend->rise[event.item] += age_ms <= trend->interval_ms ? 1 : -1;
        trend->events[kept++] = event;
    }
    trend->count = kept;
    for (uint32_t i = 0; i < trend->items; i++)
        scores[i] =
            trend->users[i] + (trend->rise[i] > 0 ? (float)trend->rise[i] : 0.0f);
    eddy_rank_set_priors(&trend->matrix, trend->model.hidden, &trend->tables,
                         trend->head);
}

const struct eddy_rank_model *eddy_trend_model(const struct eddy_trend *trend)
{
    return &trend->model;
}
