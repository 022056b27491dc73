/* From figures to findings: what is unusual about a log, why it matters, and the setting
 * that answers it.
 *
 * Limits that the service documents are marked "service" (PutEvents and dataset limits, data
 * insights: 70 % of a column, 85 % of a text); the others are rules of thumb, marked
 * "guess". Each rule is a function of its own that adds at most a few rows. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/insight.h"
#include "core/text.h"

struct findings {
    const struct eddy_insight *in;
    const struct eddy_insight_table *log, *items, *users;
    struct eddy_finding *rows;
    uint32_t count;
    struct eddy_finding *last, spare;
};

__attribute__((format(printf, 4, 5))) static void find(struct findings *f,
                                                       enum eddy_finding_level level,
                                                       const char *code,
                                                       const char *format, ...)
{
    va_list arguments;
    f->last = f->count < EDDY_INSIGHT_FINDINGS ? &f->rows[f->count++] : &f->spare;
    *f->last = (struct eddy_finding){.code = code, .level = level};
    va_start(arguments, format);
    (void)vsnprintf(f->last->text, sizeof f->last->text, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void advise(struct findings *f,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(f->last->advice, sizeof f->last->advice, format, arguments);
    va_end(arguments);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static void judge_size(struct findings *f)
{
    const struct eddy_insight *in = f->in;
    if (in->events < 1000) { /* service */
        find(f, EDDY_FINDING_STOP, "few_events",
             "Dataset has fewer than 1000 interactions: %" PRIu64 ".", in->events);
        advise(f, "Collect more. To try the tools out: eddy train --set "
                  "allow_small=true. Until then --recipe aws-popularity-count is as "
                  "good as anything.");
    }
    if (in->users_of_two < 25) { /* service */
        find(f, EDDY_FINDING_STOP, "few_users",
             "Dataset has fewer than 25 users with at least 2 interactions each: %u.",
             in->users_of_two);
        advise(f, "Collect more, or check USER_ID: is it an id of a visit that never "
                  "comes twice?");
    } else if ((uint64_t)in->users_of_two * 100 < in->users) { /* service */
        find(f, EDDY_FINDING_STOP, "few_users",
             "Only %u of %u users have two events; at least 1 %% must.",
             in->users_of_two, in->users);
        advise(f, "Use an id that lasts longer than one event: a cookie, a session.");
    }
    if (in->events >= 1000 && (in->events < 50000 || in->users < 1000)) { /* service */
        find(f, EDDY_FINDING_NOTE, "small",
             "%" PRIu64
             " events of %u users; from 50000 events of 1000 users on models "
             "become steady.",
             in->events, in->users);
        advise(f, "Prefer small networks: --set hidden_dimension=64 --set dropout=0.5, "
                  "and look at the intervals of eddy eval before you trust a "
                  "difference.");
    }
    if (in->per_user.p50 <= 2 && in->events >= 1000) { /* guess */
        find(f, EDDY_FINDING_WARNING, "short_histories",
             "Half of the users have %" PRIu64
             " event%s or fewer: little to be personal "
             "from.",
             in->per_user.p50, in->per_user.p50 == 1 ? "" : "s");
        advise(f, "Give item and user metadata (-I, -U), keep ids over visits, and "
                  "compare with --recipe aws-sims and aws-popularity-count by eddy "
                  "eval --baselines.");
    }
    if (in->per_item.p50 <= 2 && in->events >= 1000) { /* guess */
        find(f, EDDY_FINDING_WARNING, "few_users_per_item",
             "Half of the items have %" PRIu64
             " event%s or fewer: most of the catalogue "
             "cannot be learned from behaviour.",
             in->per_item.p50, in->per_item.p50 == 1 ? "" : "s");
        advise(f, "Give item metadata (-I) so that rare items are placed by it, or "
                  "make ids coarser (product instead of variant).");
    }
    if (in->items > 750000) { /* service */
        find(f, EDDY_FINDING_NOTE, "many_items",
             "%u items; the service considers 750000 of them.", in->items);
        advise(f, "eddy takes all; training draws negatives (--set negatives=2048) and "
                  "serving scores the whole catalogue for every event.");
    }
}

static void judge_users(struct findings *f)
{
    const struct eddy_insight *in = f->in;
    uint64_t guests = in->guests;
    if (f->log != NULL && f->log->anonymous > 0 &&
        percent(f->log->anonymous, f->log->rows) > 80) { /* service: bad fit */
        find(f, EDDY_FINDING_WARNING, "anonymous",
             "%.0f %% of the events carry a session id instead of a user id.",
             percent(f->log->anonymous, f->log->rows));
    } else if (percent(guests, in->users) > 80) { /* service: bad fit */
        find(f, EDDY_FINDING_WARNING, "anonymous",
             "%.0f %% of the users look anonymous: one event, or one sitting of at "
             "most %d, and never again.",
             percent(guests, in->users), EDDY_INSIGHT_GUEST_EVENTS);
    }
    if (f->last != NULL && strcmp(f->last->code, "anonymous") == 0)
        advise(f, "Mostly anonymous users are a poor fit for lists per user. Train on "
                  "sessions (session id as USER_ID), send both ids at sign-in, and "
                  "compare with --recipe aws-sims.");
    if (percent(in->one_event_users, in->users) > 50) { /* guess */
        find(f, EDDY_FINDING_NOTE, "one_event_users",
             "%.0f %% of the users have one event: they teach popularity, not order.",
             percent(in->one_event_users, in->users));
        advise(f,
               "Such users get the popular list. --set "
               "min_user_history_length_percentile=%.2f trains on the others only.",
               (double)in->one_event_users / (double)in->users);
    }
    if (in->robots > 0) {
        double share = (double)in->robots / (double)in->users;
        find(f,
             percent(in->robot_events, in->events) > 1 ? EDDY_FINDING_WARNING
                                                       : EDDY_FINDING_NOTE,
             "robots",
             "%" PRIu64
             " users with %.1f %% of the events act like robots (more than %" PRIu64 " "
             "events, and too fast, too regular or without sleep).",
             in->robots, percent(in->robot_events, in->events), in->robot_threshold);
        advise(f,
               "--set max_user_history_length_percentile=%.4f leaves the longest "
               "histories out of training: plain eddy train keeps all, a network "
               "trained with --recipe has 0.99. Block robots where events are "
               "collected.",
               share < .01 ? .99 : 1 - share);
    }
}

static void judge_rows(struct findings *f)
{
    const struct eddy_insight *in = f->in;
    if (in->skipped > 0) {
        find(f, EDDY_FINDING_WARNING, "bad_rows",
             "%" PRIu64 " rows (%.2f %%) cannot be read.", in->skipped,
             percent(in->skipped, in->events + in->skipped));
        advise(f, "eddy train stops at the first one and says why; --skip-bad leaves "
                  "them out.");
    }
    if (percent(in->duplicates, in->events) > 1) { /* guess; the samples warn at 10 */
        find(f, EDDY_FINDING_WARNING, "duplicates",
             "%.1f %% of the events are exact copies of another.",
             percent(in->duplicates, in->events));
        advise(f, "The service counts copies once. Remove them, or give every event an "
                  "id where it is made: an exporter that repeats itself overstates "
                  "what it repeats.");
    }
    if (in->has_times && percent(in->ties, in->events) > 10) { /* guess */
        find(f, EDDY_FINDING_NOTE, "ties",
             "%.0f %% of the events have the very time of the user's event before: "
             "their order is that of the file.",
             percent(in->ties, in->events));
        advise(f, "Keep the file in the order of events, or write times in "
                  "milliseconds. Order within a second is noise to a sequence model.");
    }
    if (in->out_of_order > 0) {
        find(f, EDDY_FINDING_NOTE, "out_of_order",
             "%" PRIu64 " rows stand behind a later event of their user.",
             in->out_of_order);
        advise(f, "Training sorts them. In the stream, events later than the lateness "
                  "bound do not move a state: play logs in order of time.");
    }
    if (in->later_than_now > 0) {
        find(f, EDDY_FINDING_WARNING, "future",
             "%" PRIu64 " events are later than now.", in->later_than_now);
        advise(f, "Check the clock and the time zone of the sender: recency and the "
                  "validation slice follow the newest event.");
    }
    if (!in->has_times) {
        find(f, EDDY_FINDING_NOTE, "no_times", "TIMESTAMP holds positions, not times.");
        advise(f, "Order is kept, but sessions, recency, drift and robots cannot be "
                  "told. Export real times if you have them.");
    }
    if (in->longest_silence_days >= 3 && in->per_user.count > 100 &&
        in->silent_days * 2 < in->series_count) { /* guess */
        find(f, EDDY_FINDING_NOTE, "silence",
             "%u days have no event at all, up to %u in a row.", in->silent_days,
             in->longest_silence_days);
        advise(f, "Was the collection down? Sessions and drift across the hole mean "
                  "little.");
    }
    if (in->types > 10) { /* service */
        find(f, EDDY_FINDING_WARNING, "many_types",
             "%u event types; the service takes 10 with the metadata columns.",
             in->types);
        advise(f, "Merge types that mean the same.");
    }
}

static void judge_shape(struct findings *f)
{
    const struct eddy_insight *in = f->in;
    double repeats = percent(in->repeats, in->events);
    if (repeats > 50) { /* the service's diagnosis */
        find(f, EDDY_FINDING_NOTE, "repeats",
             "%.0f %% of the events are on an item that the user has had.", repeats);
        advise(f,
               "Keep seen items in lists (the default), and judge models with "
               "repeats counted. If most repeats follow directly (%.0f %%), the "
               "sender may send the same view twice.",
               percent(in->repeats_next, in->repeats));
    } else if (in->repeats == 0) {
        find(f, EDDY_FINDING_NOTE, "no_repeats", "No user has an item twice.");
        advise(f, "Lists that hold seen items waste places here: eddy recommend "
                  "--exclude-seen, and the same in eddy eval.");
    }
    if (in->per_item.top_1_percent > .5 && in->items >= 100) { /* guess */
        find(f, EDDY_FINDING_WARNING, "concentrated",
             "1 %% of the items draw %.0f %% of the events.",
             100 * in->per_item.top_1_percent);
        advise(f, "Popular items will fill lists. Compare with --recipe aws-sims --set "
                  "popularity_discount_factor=1, which holds popularity against an "
                  "item; look at coverage in eddy eval, not at hits alone.");
    }
    if (in->order_events < 1000)
        return;
    if (in->order_hit_1 > .9) { /* a use that the service calls unsuitable */
        find(f, EDDY_FINDING_WARNING, "fixed_rules",
             "The next item is the most frequent follower of the last one in %.0f %% "
             "of the cases: a fixed sequence.",
             100 * in->order_hit_1);
        advise(f, "If items follow by rule (steps of a form, a playlist), a table of "
                  "followers does the same as a model. Record choices, not paths.");
    } else if (in->order_hit < 1.1 * in->order_shuffled &&
               in->order_hit_1 < 1.1 * in->order_shuffled_1) { /* guess */
        find(f, EDDY_FINDING_NOTE, "no_order",
             "Followers predict no better than in shuffled histories (%.3f against "
             "%.3f): order matters little.",
             in->order_hit, in->order_shuffled);
        advise(f, "What goes together matters more than what comes next: compare the "
                  "network with closed form and neighbours by eddy eval --baselines.");
    }
}

static void put_period(int64_t ms, char out[32])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{365 * INT64_C(86400000), "year"},
                 {86400000, "day"},
                 {3600000, "hour"},
                 {60000, "minute"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (ms % units[i].ms != 0)
            continue;
        if (ms == units[i].ms)
            (void)snprintf(out, 32, "%s", units[i].name);
        else
            (void)snprintf(out, 32, "%lld %ss", (long long)(ms / units[i].ms),
                           units[i].name);
        return;
    }
    (void)snprintf(out, 32, "%lld ms", (long long)ms);
}

static void judge_drift(struct findings *f)
{
    const struct eddy_insight *in = f->in;
    int64_t due = 0, calm = 0;
    char period[32], shorter[32];
    if (in->drift_count == 0)
        return;
    eddy_insight_retraining(in, &due, &calm);
    put_period(due, period);
    put_period(calm, shorter);
    if (due == 0) {
        find(f, EDDY_FINDING_NOTE, "no_drift",
             "Popularity does not drift beyond chance over any period looked at.");
        advise(f, "Retrain when metadata or the catalogue change; old data are as good "
                  "as new (--set recency_mask=false may help).");
        return;
    }
    const struct eddy_drift *drift = in->drift;
    while (drift->period_ms != due)
        drift++;
    find(f, due <= 7 * INT64_C(86400000) ? EDDY_FINDING_WARNING : EDDY_FINDING_NOTE,
         "drift",
         "Every %s %.0f %% of the popularity moves; chance alone would "
         "move %.0f %%.",
         period, 100 * drift->drift, 100 * drift->chance);
    if (due < 86400000)
        advise(f, "Too fast for any training: keep --set recency_mask=true, let the "
                  "updater refresh tables often (eddy recommend --stream --refresh "
                  "shows the gain), and train daily.");
    else if (calm > 0)
        advise(f,
               "Train at least every %s; more often than every %s brings nothing "
               "that can be told from chance. Keep --set recency_mask=true.",
               period, shorter);
    else
        advise(f, "Train at least every %s. Keep --set recency_mask=true.", period);
}

static void judge_columns(struct findings *f, const struct eddy_insight_table *table)
{
    for (uint32_t c = 0; table != NULL && c < table->column_count; c++) {
        const struct eddy_insight_column *column = &table->columns[c];
        bool text = column->kind == EDDY_COLUMN_TEXT;
        double filled = percent(column->filled, table->rows);
        if (column->kind == EDDY_COLUMN_IGNORED || table->rows == 0 ||
            filled >= (text ? 85 : 70)) /* service */
            continue;
        find(f, EDDY_FINDING_WARNING, "incomplete_column",
             "%s: column %s is filled in %.0f %% of the rows.", table->name,
             column->name, filled);
        if (text)
            advise(f, "The service leaves a text out of training below 85 %%. Fill it, "
                      "or drop it: gaps teach which items have no text.");
        else
            advise(f, "Below 70 %% a column hardly helps. Fill it, or leave it out of "
                      "the file.");
    }
}

/* Metadata beyond the columns that a model reads. id: what is no metadata. */
static void judge_width(struct findings *f, const struct eddy_insight_table *table,
                        const char *id)
{
    uint32_t metadata = 0;
    size_t used = 0;
    char names[120] = "";
    for (uint32_t c = 0; table != NULL && c < table->column_count; c++) {
        const char *name = table->columns[c].name;
        if (eddy_span_eq_nocase(eddy_span_of(name), eddy_span_of(id)))
            continue;
        if (++metadata <= EDDY_COLUMNS_MAX || used >= sizeof names)
            continue;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 used > 0 ? ", " : "", name);
    }
    if (metadata <= EDDY_COLUMNS_MAX)
        return;
    find(f, EDDY_FINDING_WARNING, "many_columns",
         "%s: %u columns beyond the first %d of metadata are not learned from: %s%s",
         table->name, metadata - EDDY_COLUMNS_MAX, EDDY_COLUMNS_MAX, names,
         used >= sizeof names ? "..." : ".");
    advise(f, "Put those that matter first, or leave others out of the file.");
}

static void judge_tables(struct findings *f)
{
    const struct eddy_insight_table *items = f->items, *users = f->users;
    judge_columns(f, f->log);
    judge_columns(f, items);
    judge_columns(f, users);
    judge_width(f, items, "ITEM_ID");
    judge_width(f, users, "USER_ID");
    if (items != NULL && percent(items->without_events, items->ids) > 10) {
        find(f, EDDY_FINDING_NOTE, "cold_items",
             "%.0f %% of the items in %s have no event.",
             percent(items->without_events, items->ids), items->name);
        advise(f,
               "They are ranked by their metadata alone: give the file to eddy train, "
               "too (-I; --recipe aws-hrnn does not use it). --recipe "
               "aws-hrnn-coldstart makes lists of new items only. Are they for "
               "sale? Else take them out.");
    }
    if (items != NULL) {
        uint64_t known = items->ids - items->without_events;
        if (known < f->in->items && percent(f->in->items - known, f->in->items) > 10) {
            find(f, EDDY_FINDING_WARNING, "items_without_metadata",
                 "%.0f %% of the items with events are not in %s.",
                 percent(f->in->items - known, f->in->items), items->name);
            advise(f, "Are the ids written the same way in both files? Without a row "
                      "an item has no metadata, title or filters.");
        }
    }
    if (users != NULL) {
        uint64_t known = users->ids - users->without_events;
        if (known < f->in->users && percent(f->in->users - known, f->in->users) > 10) {
            find(f, EDDY_FINDING_WARNING, "users_without_metadata",
                 "%.0f %% of the users with events are not in %s.",
                 percent(f->in->users - known, f->in->users), users->name);
            advise(f, "Are the ids written the same way in both files?");
        }
    }
    const struct eddy_insight_table *both[] = {items, users};
    for (int i = 0; i < 2; i++) {
        if (both[i] == NULL || both[i]->repeated_ids + both[i]->broken == 0)
            continue;
        find(f, EDDY_FINDING_WARNING, "table_rows",
             "%s: %" PRIu64 " rows repeat an id, %" PRIu64
             " rows have the wrong number of fields.",
             both[i]->name, both[i]->repeated_ids, both[i]->broken);
        advise(f, "One row per id; quote cells with commas in double quotes.");
    }
}

static void judge_shown(struct findings *f)
{
    const struct eddy_insight *in = f->in;
    if (in->with_impression == 0)
        return;
    if (percent(in->shown_own, in->with_impression) < 50) { /* guess */
        find(f, EDDY_FINDING_WARNING, "impressions_without_choice",
             "Of the events with IMPRESSION only %.0f %% have their item on the list.",
             percent(in->shown_own, in->with_impression));
        advise(f,
               "IMPRESSION is all that was on the screen when the item was chosen, the "
               "chosen one included. Are the ids written as in ITEM_ID?");
    }
    find(
        f, EDDY_FINDING_NOTE, "impressions",
        "%.0f %% of the events say what was shown; then %.0f %% of the user's later events "
        "are on an item that he had passed over.",
        percent(in->with_impression, in->events),
        percent(in->shown_taken, in->shown_asked));
    advise(
        f,
        "Nothing has to be set: aws-user-personalization weighs what was shown and not "
        "chosen, for or against, where that helps on validation. Recommend and eval "
        "need the column, too.");
}

uint32_t eddy_insight_advise(const struct eddy_insight *insight,
                             const struct eddy_insight_table *log,
                             const struct eddy_insight_table *items,
                             const struct eddy_insight_table *users,
                             struct eddy_finding ret[EDDY_INSIGHT_FINDINGS])
{
    struct eddy_finding rows[EDDY_INSIGHT_FINDINGS];
    struct findings f = {
        .in = insight, .log = log, .items = items, .users = users, .rows = rows};
    uint32_t count = 0;
    judge_size(&f);
    judge_users(&f);
    judge_rows(&f);
    judge_drift(&f);
    judge_shape(&f);
    judge_shown(&f);
    judge_tables(&f);
    for (int level = EDDY_FINDING_STOP; level >= EDDY_FINDING_NOTE; level--)
        for (uint32_t i = 0; i < f.count; i++)
            if ((int)rows[i].level == level)
                ret[count++] = rows[i];
    return count;
}
