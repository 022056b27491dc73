/* Users come in groups, and each query keeps the best of all groups so far in a heap, so that
 * memory holds the answers and one group, not all users times all queries. */
#include "core/segment.h"

#include <math.h>
#include <stdlib.h>

enum { GROUP_USERS = 2048, GROUP_FLOATS = 1 << 24 };

struct job {
    const struct eddy_segment_options *options;
    struct eddy_segment_query *queries;
    size_t query_count;
    uint32_t group_users, group_first;
    float *group;          /* (group_users, queries) */
    double popularity_sum; /* of items that a list may hold */
};

/* ---- the best so far -------------------------------------------------------------- */

static bool is_worse(struct eddy_segment_user a, struct eddy_segment_user b)
{
    return a.probability < b.probability ||
           (!(a.probability > b.probability) && a.user > b.user);
}

static void sift_down(struct eddy_segment_user *heap, size_t count, size_t at)
{
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (is_worse(heap[child], heap[worst]))
                worst = child;
        if (worst == at)
            return;
        struct eddy_segment_user swap = heap[at];
        heap[at] = heap[worst];
        heap[worst] = swap;
        at = worst;
    }
}

/* best is a heap with the worst on top until the end. */
static void offer(struct eddy_segment_query *query, size_t keep,
                  struct eddy_segment_user user)
{
    if (query->count < keep) {
        size_t at = query->count++;
        for (; at > 0 && is_worse(user, query->best[(at - 1) / 2]); at = (at - 1) / 2)
            query->best[at] = query->best[(at - 1) / 2];
        query->best[at] = user;
    } else if (is_worse(query->best[0], user)) {
        query->best[0] = user;
        sift_down(query->best, query->count, 0);
    }
}

/* The heap as a list, best first. */
static void sort_best(struct eddy_segment_query *query)
{
    for (size_t count = query->count; count > 1; count--) {
        struct eddy_segment_user worst = query->best[0];
        query->best[0] = query->best[count - 1];
        query->best[count - 1] = worst;
        sift_down(query->best, count - 1, 0);
    }
}

/* ---- probabilities ---------------------------------------------------------------- */

static bool wants_end(void *context, uint32_t user, uint64_t row)
{
    (void)context;
    (void)user;
    return row == EDDY_PLAY_END;
}

/* Share of one item in all: of the exponentials, or of popularity. */
struct shares {
    const float *popularity, *scores;
    float max;
    double sum;
};

static double share_of(const struct shares *shares, uint32_t item)
{
    if (shares->scores == NULL)
        return (double)shares->popularity[item] / shares->sum;
    float score = shares->scores[item];
    return score > -INFINITY ? (double)expf(score - shares->max) / shares->sum : 0;
}

static void take_scores(void *context, uint32_t user, uint64_t row, const float *scores)
{
    struct job *job = context;
    const struct eddy_snapshot *snapshot = job->options->snapshot;
    uint32_t items = snapshot->layout.shape.items;
    struct shares shares = {snapshot->popularity, scores, -INFINITY, 0};
    float *probabilities =
        job->group + (size_t)(user - job->group_first) * job->query_count;
    (void)row;
    for (uint32_t i = 0; scores && i < items; i++)
        if (scores[i] > shares.max)
            shares.max = scores[i];
    for (uint32_t i = 0; scores && i < items; i++)
        if (scores[i] > -INFINITY)
            shares.sum += (double)expf(scores[i] - shares.max);
    if (scores == NULL)
        shares.sum = job->popularity_sum;
    for (size_t q = 0; q < job->query_count; q++) {
        const struct eddy_segment_query *query = &job->queries[q];
        double probability = 0;
        for (uint32_t i = 0; i < query->item_count; i++)
            probability += share_of(&shares, query->items[i]);
        probabilities[q] = (float)probability;
    }
}

static void offer_group(struct job *job, uint32_t count)
{
    for (uint32_t u = 0; u < count; u++)
        for (size_t q = 0; q < job->query_count; q++) {
            float probability = job->group[u * job->query_count + q];
            if (probability > 0)
                offer(&job->queries[q], job->options->keep,
                      (struct eddy_segment_user){job->group_first + u, probability});
        }
}

static int play(struct job *job, struct eddy_err *err)
{
    const struct eddy_segment_options *options = job->options;
    uint32_t users = eddy_catalog_count(options->interactions->users);
    struct eddy_play play = {
        .snapshot = options->snapshot,
        .interactions = options->interactions,
        .users = options->users,
        .k = 1,
        .threads = options->threads,
        .popularity = options->snapshot->popularity,
        .wants = wants_end,
        .scores = take_scores,
        .context = job,
    };
    int r = 0;
    while (r == 0 && job->group_first < users) {
        uint32_t left = users - job->group_first;
        uint32_t count = left < job->group_users ? left : job->group_users;
        r = eddy_play_users(&play, job->group_first, count, err);
        if (r == 0)
            offer_group(job, count);
        job->group_first += count;
        if (options->progress)
            options->progress(options->context, job->group_first);
    }
    return r;
}

int eddy_segment_users(const struct eddy_segment_options *options,
                       struct eddy_segment_query *queries, size_t query_count,
                       struct eddy_err *err)
{
    const struct eddy_snapshot *snapshot = options->snapshot;
    struct job job = {.options = options,
                      .queries = queries,
                      .query_count = query_count,
                      .group_users = GROUP_USERS};
    if (query_count == 0)
        return 0;
    while (job.group_users > 64 && job.group_users * query_count > GROUP_FLOATS)
        job.group_users /= 2;
    for (uint32_t i = 0; i < snapshot->layout.shape.items; i++)
        job.popularity_sum += (double)snapshot->popularity[i];
    job.popularity_sum = job.popularity_sum > 0 ? job.popularity_sum : 1;
    for (size_t q = 0; q < query_count; q++)
        queries[q].count = 0;
    job.group = calloc(job.group_users * query_count, sizeof *job.group);
    if (job.group == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %zu queries", query_count);
    int r = play(&job, err);
    for (size_t q = 0; q < query_count; q++)
        sort_best(&queries[q]);
    free(job.group);
    return r;
}
