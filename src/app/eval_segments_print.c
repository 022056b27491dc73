/* The table and the JSON of eddy eval --protocol segments. */
#include <stdio.h>

#include "app/eval_segments.h"

static uint32_t ways_of(const struct eddy_segments *segments)
{
    return segments->baselines ? EDDY_SEGMENTS_WAYS : 1;
}

static void print_way(const struct eddy_segments *segments, uint32_t w)
{
    const struct eddy_segments_way *way = &segments->ways[w];
    struct eddy_estimate hits = way->evaluation.estimates[EDDY_HR][0];
    struct eddy_estimate recall = way->evaluation.estimates[EDDY_RECALL][0];
    struct eddy_estimate less = way->difference.estimates[EDDY_RECALL][0];
    (void)printf("%-14s%9.4f ±%.4f%9.4f ±%.4f%10.4f", eddy_segments_names[w], hits.mean,
                 (hits.high - hits.low) / 2, recall.mean,
                 (recall.high - recall.low) / 2,
                 eddy_eval_share(way->covered, segments->user_count));
    if (w > 0)
        (void)printf("  %+.4f [%+.4f, %+.4f]", less.mean, less.low, less.high);
    (void)printf("\n");
}

void eddy_segments_print(const struct eddy_eval *eval,
                         const struct eddy_segments *segments)
{
    (void)printf("model %s, protocol segments: %s\n", eval->manifest->version,
                 eddy_protocol_about(EDDY_PROTOCOL_SEGMENTS));
    (void)printf(
        "%zu queries (%s) of %llu held out events; segments of %u of %u users (1 %%); "
        "%llu users to be found, %llu queries of items unknown to the model\n\n",
        segments->count,
        segments->attributes ? "values of categorical columns" : "items",
        (unsigned long long)segments->answers, segments->size, segments->user_count,
        (unsigned long long)segments->wanted, (unsigned long long)segments->unknown);
    (void)printf("%-14s%17s%17s%10s%s\n", "", "hits at 1 %", "recall at 1 %",
                 "coverage",
                 segments->baselines ? "  model minus it, recall (95 %, paired)" : "");
    for (uint32_t w = 0; w < ways_of(segments); w++)
        print_way(segments, w);
}

static void put_figures(struct eddy_buf *out, const struct eddy_evaluation *evaluation)
{
    eddy_buf_puts(out, ",\"hits_at_1_percent\":");
    eddy_eval_put_estimate(out, evaluation->estimates[EDDY_HR][0]);
    eddy_buf_puts(out, ",\"recall_at_1_percent\":");
    eddy_eval_put_estimate(out, evaluation->estimates[EDDY_RECALL][0]);
}

static void put_coverage(struct eddy_buf *out, const struct eddy_segments *segments,
                         const struct eddy_segments_way *way)
{
    eddy_buf_printf(
        out, ",\"coverage\":{\"users_in_segments\":%u,\"of_users\":", way->covered);
    eddy_buf_put_fixed(out, eddy_eval_share(way->covered, segments->user_count), 6);
    eddy_buf_putc(out, '}');
}

/* The keys of GetSolutionMetrics. */
static void put_amazon(struct eddy_buf *out, const struct eddy_segments *segments)
{
    const struct eddy_segments_way *model = &segments->ways[EDDY_SEGMENTS_MODEL];
    eddy_buf_puts(out, ",\"amazon\":{\"coverage\":");
    eddy_buf_put_fixed(out, eddy_eval_share(model->covered, segments->user_count), 6);
    eddy_buf_puts(out, ",\"hits_at_1_percent\":");
    eddy_buf_put_fixed(out, model->evaluation.estimates[EDDY_HR][0].mean, 6);
    eddy_buf_puts(out, ",\"recall_at_1_percent\":");
    eddy_buf_put_fixed(out, model->evaluation.estimates[EDDY_RECALL][0].mean, 6);
    eddy_buf_putc(out, '}');
}

void eddy_segments_json(const struct eddy_eval *eval,
                        const struct eddy_segments *segments, struct eddy_buf *out)
{
    const struct eddy_segments_way *model = &segments->ways[EDDY_SEGMENTS_MODEL];
    eddy_buf_printf(out,
                    "{\"model\":\"%s\",\"recipe\":\"%s\",\"protocol\":\"segments\","
                    "\"sha256\":\"%s\",\"queries_are\":\"%s\",\"queries\":%zu,"
                    "\"unknown_queries\":%llu,\"answers\":%llu,\"users\":%u,"
                    "\"users_per_segment\":%u,\"users_to_be_found\":%llu",
                    eval->manifest->version, eval->manifest->recipe, eval->sha256,
                    segments->attributes ? "attributes" : "items", segments->count,
                    (unsigned long long)segments->unknown,
                    (unsigned long long)segments->answers, segments->user_count,
                    segments->size, (unsigned long long)segments->wanted);
    if (eval->warning[0] != 0) {
        eddy_buf_puts(out, ",\"warning\":");
        eddy_buf_put_json_string(out, eddy_span_of(eval->warning));
    }
    eddy_buf_printf(out, ",\"resamples\":%u,\"seconds\":", segments->resamples);
    eddy_buf_put_fixed(out, segments->seconds, 3);
    put_figures(out, &model->evaluation);
    put_coverage(out, segments, model);
    put_amazon(out, segments);
    eddy_buf_puts(out, ",\"compared\":[");
    for (uint32_t w = 1; w < ways_of(segments); w++) {
        const struct eddy_segments_way *way = &segments->ways[w];
        eddy_buf_printf(out, "%s{\"name\":\"%s\"", w > 1 ? "," : "",
                        eddy_segments_names[w]);
        put_figures(out, &way->evaluation);
        put_coverage(out, segments, way);
        eddy_buf_puts(out, ",\"model_minus_it\":{\"paired\":true");
        put_figures(out, &way->difference);
        eddy_buf_puts(out, "}}");
    }
    eddy_buf_puts(out, "]}\n");
}
