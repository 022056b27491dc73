/* The JSON of `eddy stats`, and its documentation from the same rows: a figure of struct
 * eddy_insight is one row of `fields`, groups in dotted names ("users.per_user.p50"). What
 * is a list (types, drift, columns, findings) is written by hand and has its row in
 * `lists`. Names and units are stable; new ones may come. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "app/stats.h"
#include "app/tools.h"
#include "core/text.h"

enum kind { U64, U32, I64, REAL, BOOL, TIME };

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *help;
};
#define IN(field) offsetof(struct eddy_insight, field)
/* clang-format off */
#define SPREAD(group, field, what)                                                       \
    {group ".min", U64, IN(field.min), "fewest events of " what},                        \
    {group ".p1", U64, IN(field.p1), "percentiles of events per such (nearest rank), to p99"}, \
    {group ".p5", U64, IN(field.p5), ""},                                                \
    {group ".p25", U64, IN(field.p25), ""},                                              \
    {group ".p50", U64, IN(field.p50), ""},                                              \
    {group ".p75", U64, IN(field.p75), ""},                                              \
    {group ".p90", U64, IN(field.p90), ""},                                              \
    {group ".p95", U64, IN(field.p95), ""},                                              \
    {group ".p99", U64, IN(field.p99), ""},                                              \
    {group ".max", U64, IN(field.max), "most events of " what},                          \
    {group ".mean", REAL, IN(field.mean), "mean"},                                       \
    {group ".gini", REAL, IN(field.gini), "0: all alike, 1: one has everything"},        \
    {group ".top_1_percent", REAL, IN(field.top_1_percent), "share of events of the top 1 %"}, \
    {group ".top_10_percent", REAL, IN(field.top_10_percent), "share of events of the top 10 %"}, \
    {group ".ones", REAL, IN(field.ones), "share with one event"}

static const struct field fields[] = {
    {"events", U64, IN(events), "rows that can be read"},
    {"bad_rows", U64, IN(skipped), "rows that cannot be read"},
    {"users", U32, IN(users), "users with events"},
    {"items", U32, IN(items), "items with events"},
    {"event_types", U32, IN(types), "different event types"},
    {"users_of_two", U32, IN(users_of_two), "users with two events or more (at least 25 are needed)"},
    {"pairs", U64, IN(pairs), "different pairs of user and item"},
    {"density", REAL, IN(density), "pairs / (users * items); 1 - density is the sparsity"},
    {"repeats", U64, IN(repeats), "events on an item that the user has had"},
    {"repeats_next", U64, IN(repeats_next), "of these: directly after an event on the same item"},
    {"duplicates", U64, IN(duplicates), "exact copies: user, item, time, type and value"},
    {"out_of_order", U64, IN(out_of_order), "rows that stand behind a later event of their user"},
    {"ties", U64, IN(ties), "events at the very time of the user's event before"},
    {"later_than_now", U64, IN(later_than_now), "events of the future"},
    {"values.count", U64, IN(with_value), "events with EVENT_VALUE"},
    {"values.min", REAL, IN(value_min), "of EVENT_VALUE"},
    {"values.mean", REAL, IN(value_mean), ""},
    {"values.max", REAL, IN(value_max), ""},
    {"impressions.events", U64, IN(with_impression), "events with IMPRESSION"},
    {"impressions.items", U64, IN(shown), "items on these lists"},
    {"impressions.chosen_on_list", U64, IN(shown_own), "of these events: their item is on the list"},
    {"impressions.later_events", U64, IN(shown_asked), "events of users who lately passed over what was shown"},
    {"impressions.taken_later", U64, IN(shown_taken), "of these: on an item that the user had passed over"},
    {"time.known", BOOL, IN(has_times), "false: TIMESTAMP holds positions; time, sittings, drift and robots are then not told"},
    {"time.first", TIME, IN(first_ms), "oldest event, ISO-8601"},
    {"time.last", TIME, IN(last_ms), "newest event"},
    {"time.silent_days", U32, IN(silent_days), "days without an event"},
    {"time.longest_silence_days", U32, IN(longest_silence_days), "most of them in a row"},
    {"time.bucket_ms", I64, IN(series_ms), "width of a bucket of time.series"},
    SPREAD("per_user", per_user, "a user"),
    SPREAD("per_item", per_item, "an item"),
    {"sittings.count", U64, IN(sittings), "runs of events without 30 minutes of silence"},
    {"sittings.median_events", REAL, IN(sitting_median_events), "events of a sitting"},
    {"sittings.median_gap_s", REAL, IN(gap_median_s), "seconds between events of a sitting"},
    {"guests.one_event_users", U64, IN(one_event_users), "users with one event"},
    {"guests.users", U64, IN(guests), "users who look anonymous: one event, or one sitting of at most 10"},
    {"robots.users", U64, IN(robots), "users too fast, too regular or sleepless for a person"},
    {"robots.events", U64, IN(robot_events), "their events"},
    {"robots.threshold", U64, IN(robot_threshold), "only users with more events were looked at"},
    {"order.tested", U64, IN(order_events), "transitions in held-back users"},
    {"order.hit_at_1", REAL, IN(order_hit_1), "next item is the most frequent follower of the last"},
    {"order.hit_at_10", REAL, IN(order_hit), "next item is among the ten most frequent followers"},
    {"order.shuffled_hit_at_1", REAL, IN(order_shuffled_1), "hit_at_1 with every history shuffled"},
    {"order.shuffled_hit_at_10", REAL, IN(order_shuffled), "hit_at_10 with every history shuffled"},
    {"order.popular_hit_at_10", REAL, IN(order_popular), "next item is among the ten most popular"},
};
static const struct field lists[] = {
    {"file", U64, 0, "name of the interactions file"},
    {"sha256", U64, 0, "of its bytes"},
    {"first_bad_row", U64, 0, "message of the first row that cannot be read, or null"},
    {"types", U64, 0, "list of {name, events}"},
    {"time.series", U64, 0, "events per bucket, from midnight UTC of the first day"},
    {"robots.list", U64, 0, "the busiest robots: {user, events, reasons}"},
    {"drift", U64, 0, "list of {period_ms, periods, events, drift, chance, halves}: total variation of popularity between periods, the same shuffled, halves of one period (the service's base line)"},
    {"retraining", U64, 0, "{due_ms, calm_ms}: drift is beyond chance at due_ms (0: nowhere), not at calm_ms"},
    {"columns", U64, 0, "{interactions, items, users}: null or {file, rows, broken, ids, repeated_ids, without_events, anonymous, columns: [{name, kind, filled, distinct, words, min, max}]}"},
    {"findings", U64, 0, "list of {code, level: stop|warning|note, text, advice}"},
};
/* clang-format on */

void eddy_stats_put_fields(struct eddy_buf *out)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        eddy_buf_printf(out, "%-26s %s\n", fields[i].name, fields[i].help);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        eddy_buf_printf(out, "%-26s %s\n", lists[i].name, lists[i].help);
}

static void put_value(const struct field *field, const struct eddy_insight *insight,
                      struct eddy_buf *out)
{
    const void *at = (const char *)insight + field->offset;
    char time[24];
    switch (field->kind) {
    case U64: eddy_buf_put_u64(out, *(const uint64_t *)at); break;
    case U32: eddy_buf_put_u64(out, *(const uint32_t *)at); break;
    case I64: eddy_buf_put_i64(out, *(const int64_t *)at); break;
    case REAL: eddy_buf_put_fixed(out, *(const double *)at, 6); break;
    case BOOL: eddy_buf_puts(out, *(const bool *)at ? "true" : "false"); break;
    case TIME:
        eddy_time_format_iso(*(const int64_t *)at / 1000, time, sizeof time);
        if (insight->has_times)
            eddy_buf_put_json_string(out, eddy_span_of(time));
        else
            eddy_buf_puts(out, "null");
        break;
    }
}

static void put_name(struct eddy_buf *out, const char *name)
{
    char last = out->size > 0 ? out->data[out->size - 1] : '{';
    if (last != '{' && last != '[')
        eddy_buf_putc(out, ',');
    eddy_buf_put_json_string(out, eddy_span_of(name));
    eddy_buf_putc(out, ':');
}

static void put_text(struct eddy_buf *out, const char *name, const char *text)
{
    put_name(out, name);
    eddy_buf_put_json_string(out, eddy_span_of(text));
}

static void put_lists_of(const struct eddy_stats *stats, const char *group,
                         struct eddy_buf *out)
{
    const struct eddy_insight *in = stats->insight;
    char reasons[64];
    if (strcmp(group, "time") == 0) {
        put_name(out, "series");
        for (uint32_t i = 0; i < in->series_count; i++)
            eddy_buf_printf(out, "%c%" PRIu64, i == 0 ? '[' : ',', in->series[i]);
        eddy_buf_puts(out, in->series_count > 0 ? "]" : "[]");
    } else if (strcmp(group, "robots") == 0) {
        put_name(out, "list");
        eddy_buf_putc(out, '[');
        for (uint32_t i = 0; i < in->robot_listed; i++) {
            const struct eddy_robot *robot = &in->robot[i];
            eddy_buf_puts(out, i == 0 ? "{\"user\":" : ",{\"user\":");
            eddy_buf_put_json_string(out, eddy_catalog_id(stats->interactions->users,
                                                          robot->user));
            eddy_buf_printf(out, ",\"events\":%" PRIu64, robot->events);
            put_text(out, "reasons", eddy_stats_reasons(robot->reasons, reasons));
            eddy_buf_putc(out, '}');
        }
        eddy_buf_putc(out, ']');
    }
}

static void put_figures(const struct eddy_stats *stats, struct eddy_buf *out)
{
    char group[32] = "";
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *dot = strchr(fields[i].name, '.');
        size_t size = dot ? (size_t)(dot - fields[i].name) : 0;
        if (strlen(group) != size || memcmp(group, fields[i].name, size) != 0) {
            if (group[0]) {
                put_lists_of(stats, group, out);
                eddy_buf_putc(out, '}');
            }
            (void)snprintf(group, sizeof group, "%.*s", (int)size, fields[i].name);
            if (group[0]) {
                put_name(out, group);
                eddy_buf_putc(out, '{');
            }
        }
        put_name(out, dot ? dot + 1 : fields[i].name);
        put_value(&fields[i], stats->insight, out);
    }
    if (group[0])
        eddy_buf_putc(out, '}');
}

static void put_table(const char *name, const struct eddy_insight_table *table,
                      struct eddy_buf *out)
{
    put_name(out, name);
    if (table == NULL) {
        eddy_buf_puts(out, "null");
        return;
    }
    eddy_buf_putc(out, '{');
    put_text(out, "file", table->name);
    eddy_buf_printf(out,
                    ",\"rows\":%" PRIu64 ",\"broken\":%" PRIu64 ",\"ids\":%" PRIu64
                    ",\"repeated_ids\":%" PRIu64 ",\"without_events\":%" PRIu64
                    ",\"anonymous\":%" PRIu64 ",\"columns\":[",
                    table->rows, table->broken, table->ids, table->repeated_ids,
                    table->without_events, table->anonymous);
    for (uint32_t c = 0; c < table->column_count; c++) {
        const struct eddy_insight_column *column = &table->columns[c];
        eddy_buf_puts(out, c == 0 ? "{" : ",{");
        put_text(out, "name", column->name);
        put_text(out, "kind", eddy_stats_kind(column->kind));
        eddy_buf_printf(out,
                        ",\"filled\":%" PRIu64 ",\"distinct\":%" PRIu64 ",\"words\":",
                        column->filled, column->distinct);
        eddy_buf_put_fixed(out, column->words, 3);
        if (column->kind == EDDY_COLUMN_NUMERIC) {
            put_name(out, "min");
            eddy_buf_put_fixed(out, column->min, 6);
            put_name(out, "max");
            eddy_buf_put_fixed(out, column->max, 6);
        }
        eddy_buf_putc(out, '}');
    }
    eddy_buf_puts(out, "]}");
}

static void put_drift(const struct eddy_insight *in, struct eddy_buf *out)
{
    int64_t due = 0, calm = 0;
    put_name(out, "drift");
    eddy_buf_putc(out, '[');
    for (uint32_t i = 0; i < in->drift_count; i++) {
        const struct eddy_drift *drift = &in->drift[i];
        eddy_buf_printf(out, "%s{\"period_ms\":%" PRId64 ",\"periods\":%u,\"events\":",
                        i > 0 ? "," : "", drift->period_ms, drift->periods);
        eddy_buf_put_fixed(out, drift->events, 1);
        put_name(out, "drift");
        eddy_buf_put_fixed(out, drift->drift, 6);
        put_name(out, "chance");
        eddy_buf_put_fixed(out, drift->chance, 6);
        put_name(out, "halves");
        eddy_buf_put_fixed(out, drift->halves, 6);
        eddy_buf_putc(out, '}');
    }
    eddy_insight_retraining(in, &due, &calm);
    eddy_buf_printf(out,
                    "],\"retraining\":{\"due_ms\":%" PRId64 ",\"calm_ms\":%" PRId64 "}",
                    due, calm);
}

static void put_findings(const struct eddy_stats *stats, struct eddy_buf *out)
{
    static const char *const levels[] = {"note", "warning", "stop"};
    put_name(out, "findings");
    eddy_buf_putc(out, '[');
    for (uint32_t i = 0; i < stats->finding_count; i++) {
        const struct eddy_finding *finding = &stats->findings[i];
        eddy_buf_puts(out, i == 0 ? "{" : ",{");
        put_text(out, "code", finding->code);
        put_text(out, "level", levels[finding->level]);
        put_text(out, "text", finding->text);
        put_text(out, "advice", finding->advice);
        eddy_buf_putc(out, '}');
    }
    eddy_buf_putc(out, ']');
}

void eddy_stats_put_json(const struct eddy_stats *stats, struct eddy_buf *out)
{
    const struct eddy_interactions *log = stats->interactions;
    eddy_buf_putc(out, '{');
    put_text(out, "file", stats->name);
    put_text(out, "sha256", log->sha256);
    put_figures(stats, out);
    put_name(out, "first_bad_row");
    if (stats->first_bad[0])
        eddy_buf_put_json_string(out, eddy_span_of(stats->first_bad));
    else
        eddy_buf_puts(out, "null");
    put_name(out, "types");
    eddy_buf_putc(out, '[');
    for (uint32_t t = 0; t < log->type_count; t++) {
        if (stats->insight->type_events[t] == 0)
            continue;
        eddy_buf_puts(out, out->data[out->size - 1] == '[' ? "{" : ",{");
        put_text(out, "name", log->types[t]);
        eddy_buf_printf(out, ",\"events\":%" PRIu64 "}",
                        stats->insight->type_events[t]);
    }
    eddy_buf_putc(out, ']');
    put_drift(stats->insight, out);
    put_name(out, "columns");
    eddy_buf_putc(out, '{');
    put_table("interactions", stats->log, out);
    put_table("items", stats->items, out);
    put_table("users", stats->users, out);
    eddy_buf_putc(out, '}');
    put_findings(stats, out);
    eddy_buf_puts(out, "}\n");
}
