/* `eddy stats` for a terminal: tables in columns, bars where a share is meant, sentences
 * where something should be done. Works in 60 columns and in ASCII as well. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/stats.h"
#include "app/tools.h"

enum { LABEL = 24, NUMBER = 9 };

struct view {
    const struct eddy_stats *stats;
    const struct eddy_insight *in;
    const struct eddy_stats_style *style;
    struct eddy_buf *out;
};

const char *eddy_stats_number(uint64_t value, char out[32])
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, value), at = 0;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *eddy_stats_period(int64_t ms, char out[32])
{
    int64_t hours = ms / 3600000, days = hours / 24;
    if (ms % 3600000 != 0)
        (void)snprintf(out, 32, "%" PRId64 " min", ms / 60000);
    else if (hours % 24 != 0)
        (void)snprintf(out, 32, "%" PRId64 " hour%s", hours, hours == 1 ? "" : "s");
    else
        (void)snprintf(out, 32, "%" PRId64 " day%s", days, days == 1 ? "" : "s");
    return out;
}

const char *eddy_stats_kind(enum eddy_column_kind kind)
{
    switch (kind) {
    case EDDY_COLUMN_CATEGORICAL: return "categorical";
    case EDDY_COLUMN_NUMERIC: return "numeric";
    case EDDY_COLUMN_TEXT: return "text";
    case EDDY_COLUMN_IGNORED: break;
    }
    return "id or time";
}

const char *eddy_stats_reasons(unsigned reasons, char out[64])
{
    (void)snprintf(out, 64, "%s%s%s", reasons & EDDY_ROBOT_RATE ? "too fast, " : "",
                   reasons & EDDY_ROBOT_REGULAR ? "too regular, " : "",
                   reasons & EDDY_ROBOT_SLEEPLESS ? "sleepless, " : "");
    if (out[0] != '\0')
        out[strlen(out) - 2] = '\0';
    return out;
}

static void head(struct view *view, const char *title)
{
    eddy_buf_printf(view->out, "\n%s%s%s\n", view->style->ansi ? "\033[1m" : "", title,
                    view->style->ansi ? "\033[0m" : "");
}

/* A bar of at most width columns, padded to width. */
static void put_bar(struct view *view, double share, uint32_t width)
{
    static const char *const eighths[] = {"",
                                          "\xE2\x96\x8F",
                                          "\xE2\x96\x8E",
                                          "\xE2\x96\x8D",
                                          "\xE2\x96\x8C",
                                          "\xE2\x96\x8B",
                                          "\xE2\x96\x8A",
                                          "\xE2\x96\x89"};
    uint32_t scale = view->style->unicode ? 8 : 1, used = 0;
    double clean = share >= 0 && share <= 1 ? share : share > 1;
    uint32_t units = (uint32_t)(clean * width * scale + .5);
    for (; used < units / scale; used++)
        eddy_buf_puts(view->out, view->style->unicode ? "\xE2\x96\x88" : "#");
    if (units % scale != 0) {
        eddy_buf_puts(view->out, eighths[units % scale]);
        used++;
    }
    for (; used < width; used++)
        eddy_buf_putc(view->out, ' ');
}

static uint32_t bar_width(const struct view *view)
{
    uint32_t room = view->style->columns > 80 ? view->style->columns - 70 : 10;
    return room > 40 ? 40 : room;
}

/* "  label   BAR  12.3 %  note". */
static void share_line(struct view *view, const char *label, double share,
                       const char *note)
{
    eddy_buf_printf(view->out, "  %-*s", LABEL, label);
    put_bar(view, share, bar_width(view));
    eddy_buf_printf(view->out, " %5.1f %%%s%s\n", 100 * share, note[0] ? "  " : "",
                    note);
}

/* Words of text, broken at the width, from column indent on. */
static void put_wrapped(struct view *view, const char *text, uint32_t indent)
{
    uint32_t at = indent;
    while (*text) {
        uint32_t word = (uint32_t)strcspn(text, " ");
        if (at > indent && at + 1 + word > view->style->columns) {
            eddy_buf_printf(view->out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            eddy_buf_putc(view->out, ' ');
            at++;
        }
        eddy_buf_put(view->out, text, word);
        at += word;
        text += word;
        text += strspn(text, " ");
    }
    eddy_buf_putc(view->out, '\n');
}

/* ---- parts ----------------------------------------------------------------------- */

static void put_counts(struct view *view)
{
    const struct eddy_insight *in = view->in;
    char events[32], users[32], items[32], from[32], until[32], text[256];
    eddy_buf_printf(view->out, "%s%s%s\n  ", view->style->ansi ? "\033[1m" : "",
                    view->stats->name, view->style->ansi ? "\033[0m" : "");
    (void)snprintf(text, sizeof text, "%s events of %s users on %s items",
                   eddy_stats_number(in->events, events),
                   eddy_stats_number(in->users, users),
                   eddy_stats_number(in->items, items));
    put_wrapped(view, text, 2);
    if (in->has_times)
        eddy_buf_printf(view->out, "  %s to %s UTC, %.1f days\n",
                        eddy_tool_time(in->first_ms / 1000, from),
                        eddy_tool_time(in->last_ms / 1000, until),
                        (double)(in->last_ms - in->first_ms) / 86400e3);
    else
        eddy_buf_puts(view->out, "  TIMESTAMP holds positions, not times\n");
    eddy_buf_printf(view->out, "  density %.4g %% (sparsity %.4g %%)\n",
                    100 * in->density, 100 - 100 * in->density);
    if (in->skipped > 0) {
        eddy_buf_printf(view->out, "  %s rows cannot be read; the first:\n    ",
                        eddy_stats_number(in->skipped, events));
        put_wrapped(view, view->stats->first_bad, 4);
    }
}

static void put_types(struct view *view)
{
    const struct eddy_insight *in = view->in;
    char count[32];
    if (in->types < 2 && in->type_events[0] > 0 && in->with_value == 0 &&
        in->with_impression == 0)
        return;
    head(view, "Event types and values");
    for (uint32_t t = 0; t < view->stats->interactions->type_count; t++) {
        const char *name = view->stats->interactions->types[t];
        if (in->type_events[t] > 0)
            share_line(view, name[0] ? name : "(no EVENT_TYPE)",
                       (double)in->type_events[t] / (double)in->events,
                       eddy_stats_number(in->type_events[t], count));
    }
    if (in->with_value > 0)
        eddy_buf_printf(view->out,
                        "  EVENT_VALUE in %.1f %% of the events: %g to %g, mean %.4g\n",
                        100 * (double)in->with_value / (double)in->events,
                        in->value_min, in->value_max, in->value_mean);
    if (in->with_impression > 0)
        eddy_buf_printf(view->out,
                        "  IMPRESSION in %.1f %% of the events: %.1f items on a list\n",
                        100 * (double)in->with_impression / (double)in->events,
                        (double)in->shown / (double)in->with_impression);
}

static void spread_line(struct view *view, const char *label,
                        const struct eddy_spread *spread)
{
    bool wide = view->style->columns >= 100;
    const uint64_t values[] = {spread->min, spread->p5,  spread->p25, spread->p50,
                               spread->p75, spread->p95, spread->p99, spread->max};
    char text[32];
    eddy_buf_printf(view->out, "  %-12s", label);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (wide || (i != 1 && i != 2 && i != 4))
            eddy_buf_printf(view->out, "%*s", NUMBER,
                            eddy_stats_number(values[i], text));
    eddy_buf_printf(view->out, "%*.1f%7.3f\n", NUMBER, spread->mean, spread->gini);
}

static void put_spreads(struct view *view)
{
    static const char *const names[] = {"min",  "5 %",  "25 %", "50 %",
                                        "75 %", "95 %", "99 %", "max"};
    bool wide = view->style->columns >= 100;
    head(view, "Events per user and per item");
    eddy_buf_printf(view->out, "  %-12s", "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (wide || (i != 1 && i != 2 && i != 4))
            eddy_buf_printf(view->out, "%*s", NUMBER, names[i]);
    eddy_buf_printf(view->out, "%*s%7s\n", NUMBER, "mean", "Gini");
    spread_line(view, "user", &view->in->per_user);
    spread_line(view, "item", &view->in->per_item);
    share_line(view, "top 1 % of items draw", view->in->per_item.top_1_percent,
               "of the events");
    share_line(view, "top 10 % of items draw", view->in->per_item.top_10_percent, "");
    share_line(view, "top 1 % of users make", view->in->per_user.top_1_percent, "");
}

static void put_sparkline(struct view *view)
{
    static const char *const unicode[] = {" ",
                                          "\xE2\x96\x81",
                                          "\xE2\x96\x82",
                                          "\xE2\x96\x83",
                                          "\xE2\x96\x84",
                                          "\xE2\x96\x85",
                                          "\xE2\x96\x86",
                                          "\xE2\x96\x87",
                                          "\xE2\x96\x88"};
    static const char *const ascii[] = {" ", ".", ".", ":", "-", "=", "+", "*", "#"};
    const struct eddy_insight *in = view->in;
    uint32_t width = view->style->columns - 4, n = in->series_count;
    uint64_t most = 0, sums[256];
    if (width > 200)
        width = 200;
    if (width > n)
        width = n;
    for (uint32_t c = 0; c < width; c++) {
        uint32_t begin = c * n / width, end = (c + 1) * n / width;
        sums[c] = 0;
        for (uint32_t i = begin; i < end; i++)
            sums[c] += in->series[i];
        sums[c] /= end - begin;
        most = sums[c] > most ? sums[c] : most;
    }
    eddy_buf_puts(view->out, "  ");
    for (uint32_t c = 0; c < width; c++) {
        uint64_t level = sums[c] == 0 ? 0 : 1 + sums[c] * 7 / most;
        eddy_buf_puts(view->out, view->style->unicode ? unicode[level] : ascii[level]);
    }
    eddy_buf_putc(view->out, '\n');
}

static void put_time(struct view *view)
{
    const struct eddy_insight *in = view->in;
    char period[32], count[32];
    if (!in->has_times)
        return;
    uint64_t most = 0;
    for (uint32_t i = 0; i < in->series_count; i++)
        most = in->series[i] > most ? in->series[i] : most;
    (void)snprintf(period, sizeof period, "%s",
                   eddy_stats_period(in->series_ms, count));
    eddy_buf_printf(view->out, "\n%sEvents over time%s (at most %s in %s)\n",
                    view->style->ansi ? "\033[1m" : "",
                    view->style->ansi ? "\033[0m" : "", eddy_stats_number(most, count),
                    period);
    put_sparkline(view);
    if (in->silent_days > 0)
        eddy_buf_printf(view->out, "  %u days without events, at most %u in a row\n",
                        in->silent_days, in->longest_silence_days);
    eddy_buf_printf(view->out,
                    "  %s sittings (silence of 30 min ends one), half have %.0f events "
                    "or more,\n  half of the gaps within are %.3g s or longer\n",
                    eddy_stats_number(in->sittings, count), in->sitting_median_events,
                    in->gap_median_s);
}

static void put_rows(struct view *view)
{
    const struct eddy_insight *in = view->in;
    double events = (double)in->events, users = (double)in->users;
    char note[64];
    head(view, "Rows and users");
    share_line(view, "repeated items", (double)in->repeats / events,
               "of the events: had it before");
    share_line(view, "exact copies", (double)in->duplicates / events, "");
    share_line(view, "ties in time", (double)in->ties / events,
               "same time as the one before");
    share_line(view, "out of order", (double)in->out_of_order / events, "in the file");
    share_line(view, "users of one event", (double)in->one_event_users / users,
               "of the users");
    share_line(view, "anonymous at a guess", (double)in->guests / users,
               "at most 10 events, one sitting");
    if (!in->has_times)
        return;
    (void)snprintf(note, sizeof note, "with %.1f %% of the events",
                   100 * (double)in->robot_events / events);
    share_line(view, "robots at a guess", (double)in->robots / users, note);
    for (uint32_t i = 0; i < in->robot_listed && i < 5; i++) {
        const struct eddy_robot *robot = &in->robot[i];
        struct eddy_span id =
            eddy_catalog_id(view->stats->interactions->users, robot->user);
        eddy_buf_printf(view->out, "      %.*s: %s events, %s\n",
                        id.size > 40 ? 40 : (int)id.size, id.data,
                        eddy_stats_number(robot->events, note),
                        eddy_stats_reasons(robot->reasons, (char[64]){0}));
    }
}

static void put_drift(struct view *view)
{
    const struct eddy_insight *in = view->in;
    char period[32];
    if (in->drift_count == 0)
        return;
    head(view, "Drift of popularity from a period to the next (total variation)");
    eddy_buf_printf(view->out, "  %-10s%9s%11s%9s%9s%9s\n", "period", "periods",
                    "events", "drift", "chance", "halves");
    for (uint32_t i = 0; i < in->drift_count; i++) {
        const struct eddy_drift *drift = &in->drift[i];
        eddy_buf_printf(view->out, "  %-10s%9u%11.0f%8.1f%%%8.1f%%%8.1f%%  ",
                        eddy_stats_period(drift->period_ms, period), drift->periods,
                        drift->events, 100 * drift->drift, 100 * drift->chance,
                        100 * drift->halves);
        if (view->style->columns >= 80)
            put_bar(view, drift->drift - drift->chance, 16);
        while (view->out->size > 0 && view->out->data[view->out->size - 1] == ' ')
            view->out->size--;
        eddy_buf_putc(view->out, '\n');
    }
    eddy_buf_puts(view->out,
                  "  chance: both periods shuffled; halves: random halves of "
                  "one period.\n  The bar is what drifts beyond chance.\n");
}

static void put_order(struct view *view)
{
    const struct eddy_insight *in = view->in;
    char note[64] = "";
    if (in->order_events == 0)
        return;
    head(view, "Does order matter? (is the next item among ten?)");
    if (in->order_shuffled > 0)
        (void)snprintf(note, sizeof note, "%.2f times the shuffled",
                       in->order_hit / in->order_shuffled);
    share_line(view, "followers of the last", in->order_hit, note);
    share_line(view, "the same, shuffled", in->order_shuffled, "");
    share_line(view, "the most popular", in->order_popular, "");
}

static void put_table(struct view *view, const struct eddy_insight_table *table,
                      const char *what)
{
    char rows[32], distinct[32], note[96];
    if (table == NULL)
        return;
    eddy_buf_printf(view->out, "\n%s%s%s: %s rows", view->style->ansi ? "\033[1m" : "",
                    table->name, view->style->ansi ? "\033[0m" : "",
                    eddy_stats_number(table->rows, rows));
    if (what != NULL)
        eddy_buf_printf(view->out, ", %s %s without events",
                        eddy_stats_number(table->without_events, rows), what);
    eddy_buf_putc(view->out, '\n');
    for (uint32_t c = 0; c < table->column_count; c++) {
        const struct eddy_insight_column *column = &table->columns[c];
        if (column->kind == EDDY_COLUMN_IGNORED && column->distinct == 0)
            continue; /* the id itself */
        (void)snprintf(note, sizeof note, "%-12s%s%s different",
                       eddy_stats_kind(column->kind),
                       column->distinct >= 65536 ? "over " : "",
                       eddy_stats_number(column->distinct, distinct));
        share_line(view, column->name,
                   table->rows ? (double)column->filled / (double)table->rows : 0,
                   note);
    }
}

static void put_findings(struct view *view)
{
    static const char *const levels[] = {"note", "warning", "STOP"};
    head(view, view->stats->finding_count ? "What to do" : "Nothing unusual.");
    for (uint32_t i = 0; i < view->stats->finding_count; i++) {
        const struct eddy_finding *finding = &view->stats->findings[i];
        eddy_buf_printf(view->out, "  %s%-8s%s",
                        view->style->ansi && finding->level ? "\033[33m" : "",
                        levels[finding->level],
                        view->style->ansi && finding->level ? "\033[0m" : "");
        put_wrapped(view, finding->text, 10);
        eddy_buf_printf(view->out, "%*s", 10, "");
        put_wrapped(view, finding->advice, 10);
    }
}

void eddy_stats_put_text(const struct eddy_stats *stats,
                         const struct eddy_stats_style *style, struct eddy_buf *out)
{
    struct view view = {stats, stats->insight, style, out};
    put_counts(&view);
    put_types(&view);
    put_spreads(&view);
    put_time(&view);
    put_rows(&view);
    put_drift(&view);
    put_order(&view);
    put_table(&view, stats->log, NULL);
    put_table(&view, stats->items, "items");
    put_table(&view, stats->users, "users");
    put_findings(&view);
}
