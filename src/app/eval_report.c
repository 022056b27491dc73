/* The page of eddy eval: one file that opens anywhere, without script and network. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/eval.h"
#include "app/eval_plot.h"
#include "app/tools.h"

/* Series colours are Okabe and Ito's, which colour-blind readers can tell apart; both
 * themes have their own. */
static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6570;--line:#dfe3e8;"
    "--paper:#fff;--card:#f6f8fa;--own:#0b62c4;--c1:#d55e00;--c2:#009e73;--c3:#a05195;"
    "--c4:#b58900;--c5:#56a5d8;--c6:#6b7280;--c7:#8c564b}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4af;--line:#333a42;"
    "--paper:#14171b;--card:#1c2127;--own:#5ea9ff;--c1:#ff8f4c;--c2:#2ecf9f;--c3:#d08bd6;"
    "--c4:#e0b93a;--c5:#8ccbf0;--c6:#a0a8b3;--c7:#c79a8d}}\n"
    "body{margin:0 auto;max-width:1080px;padding:28px 20px 60px;background:var(--paper);"
    "color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,"
    "'Noto Sans',sans-serif}\n"
    "h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px}"
    "p{margin:6px 0;max-width:72ch}.soft,small{color:var(--soft)}"
    "code{font:13px ui-monospace,Menlo,Consolas,monospace}\n"
    ".warning{border-left:4px solid var(--c1);padding:8px 12px;background:var(--card)}\n"
    ".tiles{display:flex;flex-wrap:wrap;gap:12px;margin:18px 0}"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;"
    "padding:12px 16px;min-width:150px}.tile b{display:block;font-size:25px;"
    "font-variant-numeric:tabular-nums}.tile span{color:var(--soft);font-size:13px}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:"
    "tabular-nums;margin:8px 0}th,td{padding:5px 12px;text-align:right;border-bottom:1px "
    "solid var(--line);white-space:nowrap}th{font-weight:600;color:var(--soft);"
    "font-size:13px}th:first-child,td:first-child{text-align:left;padding-left:0}"
    "tr.own td{font-weight:600;color:var(--own)}td small{font-size:12px}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),"
    "1fr));gap:20px}figure{margin:0;background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;padding:12px 14px}figcaption{font-weight:600;margin-bottom:6px}"
    ".one{max-width:740px}.plot{width:100%;max-width:720px;height:auto;display:block}\n"
    ".grid{stroke:var(--line);stroke-width:1}.tick,.axis,.name{fill:var(--soft);"
    "font-size:14px}.name{fill:var(--ink);font-size:14px}.own{font-weight:700;"
    "fill:var(--own)}.mid{text-anchor:middle}.end{text-anchor:end}\n"
    ".line{fill:none;stroke:currentColor;stroke-width:1.8}.line.s0{stroke-width:3}"
    ".dot{fill:currentColor}.band{fill:currentColor;opacity:.16}"
    ".interval{stroke:currentColor;stroke-width:3;stroke-linecap:round;opacity:.55}"
    ".other{color:var(--c6)}.legend{display:flex;flex-wrap:wrap;gap:4px 16px;"
    "font-size:13px;color:var(--soft);margin:8px 0 0}.legend svg{vertical-align:middle}\n"
    ".s0{color:var(--own)}.s1{color:var(--c1)}.s2{color:var(--c2)}.s3{color:var(--c3)}"
    ".s4{color:var(--c4)}.s5{color:var(--c5)}.s6{color:var(--c6)}.s7{color:var(--c7)}"
    ".line.s1{stroke-dasharray:6 3}.line.s2{stroke-dasharray:2 3}"
    ".line.s3{stroke-dasharray:9 3 2 3}.line.s5{stroke-dasharray:5 2}"
    ".line.s6{stroke-dasharray:1 4}\n";

static struct eddy_estimate estimate_of(const struct eddy_evaluation *evaluation,
                                        enum eddy_measure measure, uint32_t cutoff)
{
    uint32_t c = 0;
    while (c + 1 < EDDY_CUTOFFS && eddy_cutoffs[c] != cutoff)
        c++;
    return evaluation->estimates[measure][c];
}

static double half_width(struct eddy_estimate e)
{
    return (e.high - e.low) / 2;
}

static void put_head(const struct eddy_eval *eval, struct eddy_buf *out)
{
    const struct eddy_manifest *manifest = eval->manifest;
    char text[32];
    eddy_buf_printf(out,
                    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width\">"
                    "<title>eddy eval: %s</title>\n<style>\n%s</style></head><body>\n",
                    eddy_protocol_name(eval->protocol), style);
    eddy_buf_printf(out, "<h1>%s</h1>\n<p>Asked: ", eddy_protocol_name(eval->protocol));
    eddy_html_text(out, eddy_protocol_about(eval->protocol));
    if (eval->from_ms != INT64_MIN)
        eddy_buf_printf(out, ", from %s UTC",
                        eddy_tool_time(eval->from_ms / 1000, text));
    eddy_buf_printf(out,
                    ". Seen items are %s; the whole catalogue is ranked; ties count "
                    "against the model.</p>\n<p class=\"soft\">Model <code>%s</code> (",
                    eval->exclude_seen ? "left out" : "kept", manifest->version);
    eddy_html_text(out, manifest->recipe);
    eddy_buf_printf(out, ", seed %llu, made %s UTC) on <code>",
                    (unsigned long long)manifest->seed,
                    eddy_tool_time(manifest->created_s, text));
    eddy_html_text(out, eval->interactions);
    eddy_buf_printf(out, "</code> (sha256 <code>%.16s</code>).</p>\n", eval->sha256);
    if (eval->warning[0] != 0) {
        eddy_buf_puts(out, "<p class=\"warning\"><b>Careful:</b> ");
        eddy_html_text(out, eval->warning);
        eddy_buf_puts(out, ".</p>\n");
    }
}

static void put_tile(struct eddy_buf *out, const char *value, const char *label,
                     const char *detail)
{
    eddy_buf_puts(out, "<div class=\"tile\"><span>");
    eddy_html_text(out, label);
    eddy_buf_puts(out, "</span><b>");
    eddy_html_text(out, value);
    eddy_buf_puts(out, "</b><span>");
    eddy_html_text(out, detail);
    eddy_buf_puts(out, "</span></div>\n");
}

static void put_estimate_tile(const struct eddy_eval *eval,
                              struct eddy_eval_headline shown, struct eddy_buf *out)
{
    struct eddy_estimate e =
        estimate_of(&eval->contenders[0].evaluation, shown.measure, shown.cutoff);
    char value[32], label[48], detail[48];
    (void)snprintf(value, sizeof value, "%.4f", e.mean);
    (void)snprintf(label, sizeof label, "%s@%u", eddy_measure_title(shown.measure),
                   shown.cutoff);
    (void)snprintf(detail, sizeof detail, "%.4f to %.4f (95 %%)", e.low, e.high);
    put_tile(out, value, label, detail);
}

static void put_tiles(const struct eddy_eval *eval, struct eddy_buf *out)
{
    const struct eddy_eval_contender *model = &eval->contenders[0];
    struct eddy_eval_headline shown[3];
    char value[32], detail[64];
    double covered = eval->training_items > 0
                         ? (double)model->result.covered / eval->training_items
                         : 0;
    uint32_t count = eddy_eval_compared(eval, shown);
    eddy_buf_puts(out, "<div class=\"tiles\">\n");
    for (uint32_t i = 0; i < count; i++)
        put_estimate_tile(eval, shown[i], out);
    (void)snprintf(value, sizeof value, "%.1f %%", 100 * covered);
    (void)snprintf(detail, sizeof detail, "%u of %u items", model->result.covered,
                   eval->training_items);
    put_tile(out, value, "coverage of lists of 25", detail);
    (void)snprintf(value, sizeof value, "%llu",
                   (unsigned long long)model->evaluation.queries);
    (void)snprintf(detail, sizeof detail, "of %llu users",
                   (unsigned long long)model->evaluation.users);
    put_tile(out, value, "questions", detail);
    eddy_buf_puts(out, "</div>\n");
}

static void put_contender(const struct eddy_eval *eval,
                          const struct eddy_eval_contender *contender,
                          const struct eddy_eval_headline *shown, uint32_t count,
                          struct eddy_buf *out)
{
    bool own = contender == eval->contenders;
    eddy_buf_puts(out, own ? "<tr class=\"own\"><td>" : "<tr><td>");
    eddy_html_text(out, contender->name);
    eddy_buf_puts(out, "</td>");
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_estimate e =
            estimate_of(&contender->evaluation, shown[i].measure, shown[i].cutoff);
        eddy_buf_printf(out, "<td>%.4f <small>±%.4f</small></td>", e.mean,
                        half_width(e));
    }
    eddy_buf_printf(out, "<td>%.3f</td>",
                    eval->training_items > 0
                        ? (double)contender->result.covered / eval->training_items
                        : 0);
    struct eddy_estimate d =
        estimate_of(&contender->difference, shown[0].measure, shown[0].cutoff);
    if (own)
        eddy_buf_puts(out, "<td></td></tr>\n");
    else
        eddy_buf_printf(out, "<td>%+.4f <small>[%+.4f, %+.4f]</small></td></tr>\n",
                        d.mean, d.low, d.high);
}

static void put_comparison(const struct eddy_eval *eval, struct eddy_buf *out)
{
    struct eddy_eval_headline shown[3];
    struct eddy_plot_bar bars[EDDY_EVAL_CONTENDERS];
    uint32_t count = eddy_eval_compared(eval, shown);
    char title[64];
    if (eval->contender_count < 2)
        return;
    for (uint32_t k = 0; k < eval->contender_count; k++)
        bars[k] =
            (struct eddy_plot_bar){eval->contenders[k].name,
                                   estimate_of(&eval->contenders[k].evaluation,
                                               shown[0].measure, shown[0].cutoff)};
    (void)snprintf(title, sizeof title, "%s@%u with 95 %% intervals",
                   eddy_measure_title(shown[0].measure), shown[0].cutoff);
    eddy_buf_puts(out,
                  "<h2>Against others</h2>\n<p class=\"soft\">All were asked the "
                  "same questions by the same code. The last column is the mean of "
                  "the model minus that of the row over the same users (paired "
                  "bootstrap): above zero throughout means that the model is "
                  "better.</p>\n<div class=\"one\">\n");
    eddy_plot_intervals(title, bars, eval->contender_count, out);
    eddy_buf_puts(out, "</div>\n<div class=\"scroll\"><table><tr><th></th>");
    for (uint32_t i = 0; i < count; i++)
        eddy_buf_printf(out, "<th>%s@%u</th>", eddy_measure_title(shown[i].measure),
                        shown[i].cutoff);
    eddy_buf_printf(out, "<th>coverage</th><th>model minus it, %s@%u</th></tr>\n",
                    eddy_measure_title(shown[0].measure), shown[0].cutoff);
    for (uint32_t k = 0; k < eval->contender_count; k++)
        put_contender(eval, &eval->contenders[k], shown, count, out);
    eddy_buf_puts(out, "</table></div>\n");
    for (uint32_t k = 1; k < eval->contender_count; k++) {
        char choice[128];
        eddy_eval_choice(&eval->contenders[k], choice);
        if (choice[0] != '\0')
            eddy_buf_printf(out,
                            "<p class=\"soft\">%s: %s (chosen on the newest %u events "
                            "of the training part).</p>\n",
                            eval->contenders[k].name, choice,
                            eval->contenders[k].choice.cases);
    }
    if (eval->missing[0] != 0) {
        eddy_buf_puts(out, "<p class=\"soft\">Not among them: ");
        eddy_html_text(out, eval->missing);
        eddy_buf_puts(out, "</p>\n");
    }
}

static void put_measures(const struct eddy_eval *eval, struct eddy_buf *out)
{
    const struct eddy_evaluation *evaluation = &eval->contenders[0].evaluation;
    eddy_buf_puts(out,
                  "<h2>All measures of the model</h2>\n<div class=\"scroll\"><table>"
                  "<tr><th></th>");
    for (int c = 0; c < EDDY_CUTOFFS; c++)
        eddy_buf_printf(out, "<th>@%u</th>", eddy_cutoffs[c]);
    eddy_buf_puts(out, "</tr>\n");
    for (int m = 0; m < EDDY_MEASURES; m++) {
        if (!eddy_eval_shows(eval, (enum eddy_measure)m))
            continue;
        eddy_buf_printf(out, "<tr><td>%s</td>",
                        eddy_measure_title((enum eddy_measure)m));
        for (int c = 0; c < EDDY_CUTOFFS; c++)
            eddy_buf_printf(out, "<td>%.4f <small>±%.4f</small></td>",
                            evaluation->estimates[m][c].mean,
                            half_width(evaluation->estimates[m][c]));
        eddy_buf_puts(out, "</tr>\n");
    }
    eddy_buf_printf(
        out,
        "</table></div>\n<p class=\"soft\">Misses for certain: %llu answers that the model "
        "does not know, %llu seen before. Amazon's NDCG takes as ideal the hits of the "
        "list moved to its front; the textbook's takes the answers.</p>\n",
        (unsigned long long)eval->contenders[0].result.unknown,
        (unsigned long long)eval->exam->repeated);
}

enum { FEW = 20 }; /* questions; fewer are noise and would stretch the axis */

/* Labels and hints of a curve, and its lines. */
static void put_curve(const struct eddy_eval *eval, const struct eddy_eval_curve *curve,
                      const char *title, const char *x_title, uint32_t contenders,
                      struct eddy_buf *out)
{
    struct eddy_eval_headline headline = eddy_eval_headline(eval->protocol);
    struct eddy_estimate(*points)[EDDY_EVAL_POINTS] =
        calloc(EDDY_EVAL_CONTENDERS, sizeof *points);
    struct eddy_plot_line lines[EDDY_EVAL_CONTENDERS];
    const char *labels[EDDY_EVAL_POINTS], *hints[EDDY_EVAL_POINTS];
    char texts[EDDY_EVAL_POINTS][40], y_title[40];
    uint32_t count = 0;
    if (points == NULL || curve->points < 2) {
        free(points);
        return;
    }
    for (uint32_t p = 0; p < curve->points; p++) {
        if (curve->groups[0][p].queries < FEW)
            continue;
        labels[count] = curve->labels[p];
        (void)snprintf(texts[count], sizeof texts[count], "%llu questions",
                       (unsigned long long)curve->groups[0][p].queries);
        hints[count] = texts[count];
        for (uint32_t k = 0; k < contenders; k++)
            points[k][count] = curve->groups[k][p].estimate;
        count++;
    }
    for (uint32_t k = 0; k < contenders; k++) {
        lines[k] = (struct eddy_plot_line){eval->contenders[k].name, points[k], k == 0};
    }
    (void)snprintf(y_title, sizeof y_title, "%s@%u",
                   eddy_measure_title(headline.measure), headline.cutoff);
    struct eddy_plot plot = {.title = title,
                             .x_title = x_title,
                             .y_title = y_title,
                             .labels = labels,
                             .hints = hints,
                             .points = count,
                             .lines = lines,
                             .line_count = contenders};
    eddy_plot_lines(&plot, out);
    free(points);
}

/* Validation by epoch, as the manifest has it. */
static void put_learning(const struct eddy_eval *eval, struct eddy_buf *out)
{
    struct eddy_estimate points[EDDY_EVAL_POINTS];
    char texts[EDDY_EVAL_POINTS][24], hints_text[EDDY_EVAL_POINTS][40];
    const char *labels[EDDY_EVAL_POINTS], *hints[EDDY_EVAL_POINTS];
    json_t *metrics = eval->manifest->metrics_json
                          ? json_loads(eval->manifest->metrics_json, 0, NULL)
                          : NULL;
    json_t *curve = json_object_get(metrics, "learning_curve"), *point;
    size_t at, every = json_array_size(curve) / EDDY_EVAL_POINTS + 1;
    uint32_t count = 0;
    json_array_foreach(curve, at, point)
    {
        double value = json_number_value(json_object_get(point, "ndcg_at_10"));
        if (at % every != 0 || !json_is_number(json_object_get(point, "ndcg_at_10")))
            continue;
        (void)snprintf(texts[count], sizeof texts[count], "%lld",
                       (long long)json_integer_value(json_object_get(point, "epoch")));
        (void)snprintf(hints_text[count], sizeof hints_text[count], "loss %.4f",
                       json_number_value(json_object_get(point, "loss")));
        labels[count] = texts[count];
        hints[count] = hints_text[count];
        points[count++] = (struct eddy_estimate){value, value, value};
    }
    json_decref(metrics);
    struct eddy_plot_line line = {"model", points, false};
    struct eddy_plot plot = {.title = "Learning curve (validation events of training)",
                             .x_title = "epoch",
                             .y_title = "NDCG@10",
                             .labels = labels,
                             .hints = hints,
                             .points = count,
                             .lines = &line,
                             .line_count = 1};
    eddy_plot_lines(&plot, out);
}

static void put_curves(const struct eddy_eval *eval, struct eddy_buf *out)
{
    uint32_t contenders = eval->contender_count < 8 ? eval->contender_count : 8;
    char title[96], text[32];
    eddy_buf_puts(out, "<h2>Where it comes from</h2>\n<div class=\"charts\">\n");
    put_curve(eval, &eval->by_age, "What it costs when the state is not up to date",
              "newest events, or the last day, that the state has not seen", contenders,
              out);
    put_curve(eval, &eval->by_history, "By length of the history",
              "events of the user before the question", contenders, out);
    (void)snprintf(title, sizeof title, "%s after the newest event learned (%s UTC)",
                   eval->time_unit ? eval->time_unit : "",
                   eddy_tool_time(eval->learned_ms / 1000, text));
    put_curve(eval, &eval->by_time, "By age of the model", title, contenders, out);
    put_learning(eval, out);
    eddy_buf_puts(out, "</div>\n<p class=\"soft\">Shaded: 95 % interval of the model. "
                       "Point at a dot for numbers. Groups of fewer than 20 questions "
                       "are not drawn (--json has them).</p>\n");
}

void eddy_eval_report(const struct eddy_eval *eval, struct eddy_buf *out)
{
    put_head(eval, out);
    put_tiles(eval, out);
    put_comparison(eval, out);
    put_curves(eval, out);
    put_measures(eval, out);
    eddy_buf_printf(out,
                    "<p><small>eddy " EDDY_VERSION
                    ", %u bootstrap resamples of users, seed %llu.</small></p>\n"
                    "</body></html>\n",
                    eval->resamples, (unsigned long long)eval->seed);
}
