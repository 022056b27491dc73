/* Robots: users with far more events than the others, who also act as no person does.
 *
 * Candidates have at least 50 events and more than the 99th percentile of users has, or
 * more than ten times the median. A candidate is called a robot when one of these holds:
 *   rate       200 events in a row within 100 seconds (two a second, without a pause);
 *   regular    at least 50 gaps within sittings, of a second or more on average, whose
 *              standard deviation is below a quarter of their mean (people's are above
 *              their mean: waiting times are nearly exponential or heavier);
 *   sleepless  events in each of 24 hours that follow one another.
 * All of it is about form, not content, so that a zealous reader is no robot; the limits
 * were set so that MovieLens-1M, where people rate whole pages at once, has next to none. */
#include <math.h>
#include <stdlib.h>

#include "core/insight.h"

enum {
    EVENTS_MIN = 50,
    BURST_EVENTS = 200,
    BURST_MS = 100000,
    GAPS_MIN = 50,
    SLEEPLESS_HOURS = 24,
};

static bool is_fast(const struct eddy_interaction *rows, uint64_t count)
{
    for (uint64_t i = BURST_EVENTS - 1; i < count; i++)
        if (rows[i].ts_ms - rows[i - (BURST_EVENTS - 1)].ts_ms <= BURST_MS)
            return true;
    return false;
}

static bool is_regular(const struct eddy_interaction *rows, uint64_t count)
{
    double sum = 0, squares = 0, n = 0;
    for (uint64_t i = 1; i < count; i++) {
        double gap = (double)(rows[i].ts_ms - rows[i - 1].ts_ms) / 1000;
        if (gap > EDDY_INSIGHT_SITTING_S)
            continue;
        sum += gap;
        squares += gap * gap;
        n++;
    }
    double mean = n > 0 ? sum / n : 0;
    return n >= GAPS_MIN && mean >= 1 &&
           sqrt(fmax(squares / n - mean * mean, 0)) < mean / 4;
}

static bool is_sleepless(const struct eddy_interaction *rows, uint64_t count)
{
    int64_t hour = 0;
    int run = 0;
    for (uint64_t i = 0; i < count; i++) {
        int64_t now = rows[i].ts_ms / 3600000;
        if (run == 0 || now > hour + 1)
            run = 1;
        else if (now == hour + 1)
            run++;
        hour = now;
        if (run >= SLEEPLESS_HOURS)
            return true;
    }
    return false;
}

unsigned eddy_insight_robot(const struct eddy_interaction *rows, uint64_t count)
{
    return (is_fast(rows, count) ? EDDY_ROBOT_RATE : 0U) |
           (is_regular(rows, count) ? EDDY_ROBOT_REGULAR : 0U) |
           (is_sleepless(rows, count) ? EDDY_ROBOT_SLEEPLESS : 0U);
}

/* Into the list of the busiest, most events first. */
static void enlist(struct eddy_insight *insight, struct eddy_robot robot)
{
    uint32_t at = insight->robot_listed;
    while (at > 0 && insight->robot[at - 1].events < robot.events)
        at--;
    if (at == EDDY_INSIGHT_ROBOTS)
        return;
    if (insight->robot_listed < EDDY_INSIGHT_ROBOTS)
        insight->robot_listed++;
    for (uint32_t i = insight->robot_listed - 1; i > at; i--)
        insight->robot[i] = insight->robot[i - 1];
    insight->robot[at] = robot;
}

int eddy_insight_robots(const struct eddy_interactions *interactions,
                        struct eddy_insight *insight)
{
    const struct eddy_interactions *in = interactions;
    uint32_t users = eddy_catalog_count(in->users);
    uint64_t limit = insight->per_user.p99;
    if (10 * insight->per_user.p50 < limit)
        limit = 10 * insight->per_user.p50;
    if (limit < EVENTS_MIN - 1)
        limit = EVENTS_MIN - 1;
    insight->robot_threshold = limit;
    for (uint32_t u = 0; u < users; u++) {
        uint64_t count = in->user_begin[u + 1] - in->user_begin[u];
        struct eddy_robot robot = {.user = u, .events = count};
        if (count <= limit)
            continue;
        robot.reasons = eddy_insight_robot(in->rows + in->user_begin[u], count);
        if (robot.reasons == 0)
            continue;
        insight->robots++;
        insight->robot_events += count;
        enlist(insight, robot);
    }
    return 0;
}
