/* `eddy stats --html`: one self-contained page, plots as inline SVG, no script. What should
 * be done comes first, then the pictures, then the tables. Plots are 640 x 200 units and
 * scale with the page; colours come from the style sheet, so that they follow a dark one. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/stats.h"
#include "app/tools.h"

enum { WIDTH = 640, HEIGHT = 200, LEFT = 60, RIGHT = 12, TOP = 10, BOTTOM = 28 };
enum { INNER = WIDTH - LEFT - RIGHT, TALL = HEIGHT - TOP - BOTTOM };

static const char style_sheet[] =
    "<style>:root{--ink:#1d2733;--dim:#687585;--line:#d9dfe6;--bar:#3b6ea8;--two:#d98736;"
    "--back:#fff;--card:#f5f7f9}@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;"
    "--dim:#93a1b0;--line:#37424e;--bar:#6fa3dc;--two:#e6a45c;--back:#161b21;"
    "--card:#1f262e}}body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);"
    "background:var(--back);max-width:1060px;margin:2em auto;padding:0 1em}"
    "h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.05em;margin:0 0 .4em}"
    "p{margin:.2em 0}.dim{color:var(--dim)}.grid{display:grid;gap:16px;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));margin:16px 0}"
    ".card{background:var(--card);border-radius:8px;padding:14px 16px;min-width:0;"
    "overflow-x:auto}"
    ".facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:12px 0}.facts b{display:block;"
    "font-size:1.35em}svg{width:100%;height:auto;display:block}svg text{font-size:11px;"
    "fill:var(--dim)}table{border-collapse:collapse;width:100%;"
    "font-variant-numeric:tabular-nums}td,th{text-align:right;padding:2px 8px;"
    "border-bottom:1px solid var(--line)}td:first-child,th:first-child{text-align:left}"
    ".f{border-left:4px solid var(--line);padding:2px 12px;margin:10px 0}"
    ".warning{border-color:var(--two)}.stop{border-color:#c8433f}"
    ".a{fill:var(--bar)}.b{fill:var(--two)}.g{stroke:var(--line)}"
    ".l{stroke:var(--bar);fill:none;stroke-width:2}.m{stroke:var(--two);fill:none;"
    "stroke-width:2}.k i{display:inline-block;width:10px;height:10px;margin:0 4px 0 12px}"
    "</style>";

static void put_escaped(struct eddy_buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': eddy_buf_puts(out, "&lt;"); break;
        case '>': eddy_buf_puts(out, "&gt;"); break;
        case '&': eddy_buf_puts(out, "&amp;"); break;
        case '"': eddy_buf_puts(out, "&quot;"); break;
        default: eddy_buf_putc(out, *text); break;
        }
    }
}

/* A card with the frame of a plot and its axis of y from 0 to most. */
static void begin_plot(struct eddy_buf *out, const char *title, double most,
                       const char *unit)
{
    eddy_buf_printf(out,
                    "<div class=card><h2>%s</h2><svg viewBox='0 0 %d %d' role=img "
                    "aria-label='%s'>",
                    title, WIDTH, HEIGHT, title);
    for (int i = 0; i <= 4; i++) {
        double y = TOP + TALL - (double)TALL * i / 4, value = most * i / 4;
        char number[32];
        if (value >= 1000)
            (void)eddy_stats_number((uint64_t)(value + .5), number);
        else
            (void)snprintf(number, sizeof number, "%.4g", value);
        eddy_buf_printf(out,
                        "<line class=g x1=%d x2=%d y1=%.1f y2=%.1f /><text x=%d y=%.1f "
                        "text-anchor=end>%s%s</text>",
                        LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, number, unit);
    }
}

static void end_plot(struct eddy_buf *out, const char *note)
{
    eddy_buf_printf(out, "</svg><p class='dim k'>%s</p></div>", note);
}

static void put_label(struct eddy_buf *out, double x, const char *anchor,
                      const char *text)
{
    eddy_buf_printf(out, "<text x=%.1f y=%d text-anchor=%s>%s</text>", x, HEIGHT - 10,
                    anchor, text);
}

static void put_bar(struct eddy_buf *out, const char *class, double x, double width,
                    double share)
{
    double height = share * TALL;
    eddy_buf_printf(out, "<rect class=%s x=%.2f y=%.2f width=%.2f height=%.2f />",
                    class, x, TOP + TALL - height, width, height);
}

/* The next number of the form 1, 2, 5 times a power of ten, so that axes read well. */
static double round_up(double value)
{
    double power = value > 0 ? pow(10, floor(log10(value))) : 1;
    double steps[] = {1, 2, 4, 8, 10};
    for (int i = 0; i < 5; i++)
        if (value <= steps[i] * power)
            return steps[i] * power;
    return 10 * power;
}

static void put_series(const struct eddy_insight *in, struct eddy_buf *out)
{
    char text[32], title[64];
    uint64_t most = 1;
    double width = in->series_count > 0 ? (double)INNER / in->series_count : 0;
    if (!in->has_times)
        return;
    for (uint32_t i = 0; i < in->series_count; i++)
        most = in->series[i] > most ? in->series[i] : most;
    double top = round_up((double)most);
    const char *period = eddy_stats_period(in->series_ms, text);
    if (strncmp(period, "1 ", 2) == 0)
        period += 2; /* "day" */
    (void)snprintf(title, sizeof title, "Events per %s", period);
    begin_plot(out, title, top, "");
    for (uint32_t i = 0; i < in->series_count; i++)
        if (in->series[i] > 0)
            put_bar(out, "a", LEFT + width * i, width > 2 ? width - .5 : width,
                    (double)in->series[i] / top);
    (void)eddy_tool_time(in->first_ms / 1000, text);
    text[10] = '\0'; /* the day is enough */
    put_label(out, LEFT, "start", text);
    (void)eddy_tool_time(in->last_ms / 1000, text);
    text[10] = '\0';
    put_label(out, WIDTH - RIGHT, "end", text);
    end_plot(out, "");
}

static void put_histogram(const char *title, const struct eddy_spread *spread,
                          struct eddy_buf *out)
{
    uint32_t last = EDDY_INSIGHT_BUCKETS - 1;
    uint64_t most = 1;
    char label[32], note[160];
    while (last > 0 && spread->histogram[last] == 0)
        last--;
    for (uint32_t b = 0; b <= last; b++)
        most = spread->histogram[b] > most ? spread->histogram[b] : most;
    double top = round_up((double)most), width = (double)INNER / (last + 1);
    begin_plot(out, title, top, "");
    for (uint32_t b = 0; b <= last; b++) {
        put_bar(out, "a", LEFT + width * b + 1, width - 2,
                (double)spread->histogram[b] / top);
        (void)snprintf(label, sizeof label, "%llu", 1ULL << b);
        put_label(out, LEFT + width * b + width / 2, "middle", label);
    }
    (void)snprintf(note, sizeof note,
                   "from so many up to twice as many; median %" PRIu64 ", mean %.1f, "
                   "most %" PRIu64 ", Gini %.3f",
                   spread->p50, spread->mean, spread->max, spread->gini);
    end_plot(out, note);
}

static void put_curve(const struct eddy_insight *in, struct eddy_buf *out)
{
    const float *curves[] = {in->per_item.curve, in->per_user.curve};
    begin_plot(out, "How few make how much", 100, "%");
    for (int c = 0; c < 2; c++) {
        eddy_buf_printf(out, "<polyline class=%c points='", "lm"[c]);
        for (int k = 0; k < EDDY_INSIGHT_CURVE; k++)
            eddy_buf_printf(out, "%.1f,%.1f ", LEFT + (double)INNER * k / 100,
                            TOP + TALL * (1 - (double)curves[c][k]));
        eddy_buf_puts(out, "'/>");
    }
    put_label(out, LEFT, "start", "0 %");
    put_label(out, LEFT + INNER / 2.0, "middle", "top 50 %");
    put_label(out, WIDTH - RIGHT, "end", "100 %");
    end_plot(out, "share of the events<i style='background:var(--bar)'></i>top items"
                  "<i style='background:var(--two)'></i>top users");
}

static void put_drift(const struct eddy_insight *in, struct eddy_buf *out)
{
    char label[32];
    if (in->drift_count == 0)
        return;
    double width = (double)INNER / in->drift_count, bar = width * .38;
    begin_plot(out, "Drift of popularity from a period to the next", 100, "%");
    for (uint32_t i = 0; i < in->drift_count; i++) {
        const struct eddy_drift *drift = &in->drift[i];
        double x = LEFT + width * i + width * .1;
        put_bar(out, "a", x, bar, drift->drift);
        put_bar(out, "b", x + bar + 2, bar, drift->chance);
        put_label(out, LEFT + width * (i + .5), "middle",
                  eddy_stats_period(drift->period_ms, label));
    }
    end_plot(out, "share of the popularity that moves<i style='background:var(--bar)'>"
                  "</i>measured<i style='background:var(--two)'></i>by chance alone");
}

static void put_order(const struct eddy_insight *in, struct eddy_buf *out)
{
    static const char *const names[] = {"followers of the last", "the same, shuffled",
                                        "the most popular"};
    const double shares[] = {in->order_hit, in->order_shuffled, in->order_popular};
    double top = 0, width = INNER / 3.0;
    if (in->order_events == 0)
        return;
    for (int i = 0; i < 3; i++)
        top = shares[i] > top ? shares[i] : top;
    top = top > 0 ? round_up(100 * top) : 1;
    begin_plot(out, "Does order matter? The next item is among ten", top, "%");
    for (int i = 0; i < 3; i++) {
        put_bar(out, i == 0 ? "a" : "b", LEFT + width * (i + .25), width * .5,
                100 * shares[i] / top);
        put_label(out, LEFT + width * (i + .5), "middle", names[i]);
    }
    end_plot(out, "asked of users who were not counted");
}

static void put_table(const struct eddy_insight_table *table, struct eddy_buf *out)
{
    char number[32];
    if (table == NULL)
        return;
    eddy_buf_puts(out, "<div class=card><h2>");
    put_escaped(out, table->name);
    eddy_buf_printf(
        out, ": %s rows</h2><table><tr><th>column<th>kind<th>filled<th>different",
        eddy_stats_number(table->rows, number));
    for (uint32_t c = 0; c < table->column_count; c++) {
        const struct eddy_insight_column *column = &table->columns[c];
        if (column->kind == EDDY_COLUMN_IGNORED && column->distinct == 0)
            continue; /* the id itself */
        eddy_buf_puts(out, "<tr><td>");
        put_escaped(out, column->name);
        eddy_buf_printf(out, "<td>%s<td>%.1f %%<td>%s%s", eddy_stats_kind(column->kind),
                        table->rows ? 100 * (double)column->filled / (double)table->rows
                                    : 0,
                        column->distinct >= 65536 ? "over " : "",
                        eddy_stats_number(column->distinct, number));
    }
    eddy_buf_puts(out, "</table></div>");
}

static void put_facts(const struct eddy_stats *stats, struct eddy_buf *out)
{
    const struct eddy_insight *in = stats->insight;
    char text[32];
    const struct {
        const char *name;
        uint64_t value;
    } facts[] = {{"events", in->events},
                 {"users", in->users},
                 {"items", in->items},
                 {"event types", in->types},
                 {"bad rows", in->skipped},
                 {"exact copies", in->duplicates},
                 {"robots (guess)", in->robots},
                 {"anonymous (guess)", in->guests},
                 {"impressions", in->with_impression}};
    eddy_buf_puts(out, "<div class=facts>");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        eddy_buf_printf(out, "<span><b>%s</b>%s</span>",
                        eddy_stats_number(facts[i].value, text), facts[i].name);
    eddy_buf_printf(out, "<span><b>%.4g %%</b>density</span>", 100 * in->density);
    eddy_buf_printf(out, "<span><b>%.1f %%</b>repeats</span></div>",
                    100 * (double)in->repeats / (double)in->events);
}

static void put_findings(const struct eddy_stats *stats, struct eddy_buf *out)
{
    static const char *const levels[] = {"note", "warning", "stop"};
    eddy_buf_puts(out, "<div class=card><h2>What to do</h2>");
    if (stats->finding_count == 0)
        eddy_buf_puts(out, "<p>Nothing unusual.</p>");
    for (uint32_t i = 0; i < stats->finding_count; i++) {
        const struct eddy_finding *finding = &stats->findings[i];
        eddy_buf_printf(out, "<div class='f %s'><p>", levels[finding->level]);
        put_escaped(out, finding->text);
        eddy_buf_puts(out, "</p><p class=dim>");
        put_escaped(out, finding->advice);
        eddy_buf_puts(out, "</p></div>");
    }
    eddy_buf_puts(out, "</div>");
}

void eddy_stats_put_html(const struct eddy_stats *stats, struct eddy_buf *out)
{
    const struct eddy_insight *in = stats->insight;
    char from[32], until[32];
    eddy_buf_puts(out, "<!doctype html><html lang=en><meta charset=utf-8><meta "
                       "name=viewport content='width=device-width'><title>");
    put_escaped(out, stats->name);
    eddy_buf_puts(out, "</title>");
    eddy_buf_puts(out, style_sheet);
    eddy_buf_puts(out, "<h1>");
    put_escaped(out, stats->name);
    eddy_buf_printf(
        out, "</h1><p class=dim>%s to %s UTC, sha256 %.12s</p>",
        in->has_times ? eddy_tool_time(in->first_ms / 1000, from) : "positions",
        in->has_times ? eddy_tool_time(in->last_ms / 1000, until) : "no times",
        stats->interactions->sha256);
    put_facts(stats, out);
    put_findings(stats, out);
    eddy_buf_puts(out, "<div class=grid>");
    put_series(in, out);
    put_drift(in, out);
    put_histogram("Users by their number of events", &in->per_user, out);
    put_histogram("Items by their number of events", &in->per_item, out);
    put_curve(in, out);
    put_order(in, out);
    put_table(stats->log, out);
    put_table(stats->items, out);
    put_table(stats->users, out);
    eddy_buf_puts(out, "</div></html>\n");
}
