/* eddy load: plays a file of events into the events topic.
 *
 * Every row becomes a canonical record keyed by its user, so that the murmur2 partitioner
 * puts all events of a user into one partition in the order of the file. The producer is
 * idempotent, and what is reported at the end is what the brokers confirmed, not what was
 * sent: after Ctrl-C the same holds, and `--skip-rows` goes on from there. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/app.h"
#include "app/event_source.h"
#include "app/option_rows.h"
#include "app/progress.h"
#include "app/settings.h"
#include "app/tools.h"
#include "base/clock.h"
#include "io/kafka.h"

struct options {
    struct eddy_settings settings;
    const char *input;
    int64_t format, limit, skip_rows;
    double rate;
    bool skip_bad, dry_run, now, by_time, quiet, json;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    EDDY_SETTINGS_ROWS(struct options),
    {.name = "input", .letter = 'i', .type = EDDY_ARG_TEXT, .offset = offsetof(struct options, input),
     .value = "EVENTS", .required = true, .help = "File of events; - is standard input."},
    {.name = "format", .type = EDDY_ARG_CHOICE, .offset = offsetof(struct options, format),
     .choices = "auto|csv|jsonl|canonical", .help = "Of the input; auto (default) looks at its first byte."},
    {.name = "rate", .type = EDDY_ARG_FLOAT, .offset = offsetof(struct options, rate), .min = 0, .max = 1e9,
     .value = "N", .help = "Events per second; 0 (default): as fast as Kafka takes them."},
    {.name = "by-time", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, by_time),
     .help = "Play in the order of the events' times instead of the file's (a file, no pipe)."},
    {.name = "now", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, now),
     .help = "Shift all times so that the newest event is now (a file, no pipe)."},
    {.name = "limit", .type = EDDY_ARG_INT, .offset = offsetof(struct options, limit), .min = 0, .max = 1e15,
     .value = "N", .help = "Stop after N events."},
    {.name = "skip-rows", .type = EDDY_ARG_INT, .offset = offsetof(struct options, skip_rows), .min = 0, .max = 1e15,
     .value = "N", .help = "Leave out the first N good events (to go on after a stop)."},
    EDDY_SKIP_BAD_ROW(struct options),
    {.name = "dry-run", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, dry_run),
     .help = "Read and check everything, send nothing; needs no Kafka."},
    EDDY_JSON_ROW(struct options),
    EDDY_QUIET_ROW(struct options),
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "load",
    .usage =
        "-c FILE -i EVENTS [--rate N] [--by-time] [--now] [--skip-bad] [--dry-run]",
    .about =
        "Plays a file into the events topic (kafka.events), keyed by user.\n"
        "\n"
        "  csv        USER_ID,ITEM_ID,TIMESTAMP[,EVENT_TYPE,EVENT_VALUE,IMPRESSION,\n"
        "             SESSION_ID,EVENT_ID,RECOMMENDATION_ID] in any order of columns; others\n"
        "             are ignored; IMPRESSION is item|item|...\n"
        "  jsonl      one canonical event per line: {\"user\":..,\"item\":..,\"ts\":..}\n"
        "  canonical  msgpack records one behind the other\n"
        "\n"
        "The exit code is 0 only if the brokers confirmed every event. Ctrl-C stops in order\n"
        "and says how many were confirmed (exit code 75).",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples =
        "  eddy load -c eddy.yaml -i interactions.csv --dry-run\n"
        "  eddy load -c eddy.yaml -i interactions.csv --by-time --now --rate 1000\n"
        "  zcat clicks.jsonl.gz | eddy load -c eddy.yaml -i - --format jsonl --skip-bad",
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

struct order {
    int64_t ts_ms;
    struct eddy_source_mark mark;
};

struct load {
    const struct options *options;
    struct eddy_config *config;
    struct eddy_source *source;
    struct eddy_producer *producer; /* NULL: dry run */
    struct order *order;            /* of --by-time */
    uint64_t order_count, order_at, order_capacity;
    struct eddy_progress progress;
    struct eddy_buf payload;
    uint64_t start_ns;
    uint64_t good, sent, bad, passed; /* rows; passed: by --skip-rows */
    uint64_t delivered, failed;
    int64_t oldest_ms, newest_ms;
    struct eddy_err first_bad;
};

/* A bad row: counted, or the end. */
static int take_bad(struct load *load, const struct eddy_err *why, struct eddy_err *err)
{
    load->bad++;
    if (!load->options->skip_bad)
        return eddy_fail(err, EDDY_EFORMAT, "%s (--skip-bad would leave such rows out)",
                         why->text);
    if (load->bad == 1)
        load->first_bad = *why;
    return 0;
}

/* ---- first pass: --by-time, --now ------------------------------------------------ */

static int compare_order(const void *left, const void *right)
{
    const struct order *a = left, *b = right;
    if (a->ts_ms != b->ts_ms)
        return a->ts_ms < b->ts_ms ? -1 : 1;
    return a->mark.at < b->mark.at ? -1 : a->mark.at > b->mark.at;
}

static int note_order(struct load *load, int64_t ts_ms, struct eddy_err *err)
{
    if (load->order_count == load->order_capacity) {
        uint64_t capacity = load->order_capacity ? 2 * load->order_capacity : 65536;
        struct order *grown = realloc(load->order, capacity * sizeof *grown);
        if (!grown)
            return eddy_fail(err, EDDY_ENOMEM,
                             "out of memory: %" PRIu64 " rows to sort",
                             load->order_count);
        load->order = grown;
        load->order_capacity = capacity;
    }
    load->order[load->order_count++] =
        (struct order){ts_ms, eddy_source_last(load->source)};
    return 0;
}

static bool is_event_error(int code)
{
    return code < 0 && eddy_err_class(code) == EDDY_CLASS_EVENT;
}

/* Look at all rows: their order in time, and the shift that makes the newest of those to
 * be played now. Rows that cannot be read are dealt with in the second pass. */
static int survey(struct load *load, struct eddy_err *err)
{
    const struct options *options = load->options;
    struct eddy_source_mark begin = eddy_source_tell(load->source);
    struct eddy_event event;
    struct eddy_err why = {0};
    int64_t newest_ms = INT64_MIN;
    uint64_t last = options->limit > 0
                        ? (uint64_t)options->limit + (uint64_t)options->skip_rows
                        : UINT64_MAX;
    for (uint64_t count = 0; !stop_asked;) {
        int r = eddy_source_next(load->source, &event, &why);
        if (r == 0 || (!options->by_time && count >= last))
            break;
        if (is_event_error(r)) {
            /* With --by-time this is the only time that the row is seen. */
            r = options->by_time ? take_bad(load, &why, err) : 0;
            if (r < 0)
                return r;
            continue;
        }
        if (r < 0)
            return eddy_fail(err, r, "%s", why.text);
        r = options->by_time ? note_order(load, event.ts_ms, err) : 0;
        if (r < 0)
            return r;
        if (event.ts_ms > newest_ms)
            newest_ms = event.ts_ms;
        count++;
    }
    if (load->order_count > 0) {
        qsort(load->order, load->order_count, sizeof *load->order, compare_order);
        uint64_t played = load->order_count < last ? load->order_count : last;
        newest_ms = load->order[played - 1].ts_ms;
    }
    if (options->now && newest_ms > INT64_MIN)
        eddy_source_shift(load->source, eddy_now_ms() - newest_ms);
    eddy_source_seek(load->source, begin);
    return 0;
}

/* ---- playing --------------------------------------------------------------------- */

/* Sleep until the n-th event is due, serving delivery reports. */
static void wait_until_due(struct load *load)
{
    double rate = load->options->rate;
    if (rate <= 0 || !load->producer)
        return;
    uint64_t due_ns = load->start_ns + (uint64_t)((double)load->sent * 1e9 / rate);
    for (;;) {
        uint64_t now_ns = eddy_monotonic_ns();
        if (now_ns >= due_ns || stop_asked)
            return;
        uint64_t left_ns = due_ns - now_ns;
        if (left_ns > 50000000)
            left_ns = 50000000;
        struct timespec pause = {0, (long)left_ns};
        (void)nanosleep(&pause,
                        NULL); /* a signal ends it early, that is what we want */
        eddy_producer_poll(load->producer, &load->delivered, &load->failed);
    }
}

/* 1: handed to the producer (or a dry run); 0: stopped while Kafka was away. */
static int send_event(struct load *load, const struct eddy_event *event,
                      struct eddy_err *err)
{
    if (!load->producer)
        return 1;
    eddy_buf_clear(&load->payload);
    eddy_event_encode(event, &load->payload);
    if (load->payload.failed)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    for (;;) {
        int r =
            eddy_producer_send(load->producer, load->config->kafka.events, -1,
                               event->user, eddy_buf_span(&load->payload), 0, 500, err);
        if (r != EDDY_EFULL)
            return r < 0 ? r : 1;
        if (err)
            *err = (struct eddy_err){0};
        if (stop_asked)
            return 0;
        eddy_progress_update(&load->progress, load->sent, "waiting for Kafka");
    }
}

static int take_event(struct load *load, struct eddy_event *event, struct eddy_err *err)
{
    struct eddy_err why = {0}, placed = {0};
    struct eddy_source_mark mark = eddy_source_last(load->source);
    int r = event->kind == EDDY_KIND_SNAPSHOT
                ? eddy_fail(&why, EDDY_EBADEVENT,
                            "a snapshot record is no event; use eddy deploy")
                : eddy_event_check(event, &why);
    if (r < 0) {
        (void)eddy_fail(&placed, r, "%s:%" PRIu64 ": %s", load->options->input,
                        mark.line, why.text);
        return take_bad(load, &placed, err);
    }
    load->good++;
    if (load->good <= (uint64_t)load->options->skip_rows) {
        load->passed++;
        return 0;
    }
    wait_until_due(load);
    if (stop_asked)
        return 0;
    r = send_event(load, event, err);
    if (r <= 0)
        return r;
    if (load->sent == 0 || event->ts_ms < load->oldest_ms)
        load->oldest_ms = event->ts_ms;
    if (load->sent == 0 || event->ts_ms > load->newest_ms)
        load->newest_ms = event->ts_ms;
    load->sent++;
    return 0;
}

static int next_event(struct load *load, struct eddy_event *ret, struct eddy_err *err)
{
    if (load->options->by_time) {
        if (load->order_at == load->order_count)
            return 0;
        eddy_source_seek(load->source, load->order[load->order_at++].mark);
    }
    return eddy_source_next(load->source, ret, err);
}

static int play(struct load *load, struct eddy_err *err)
{
    struct eddy_event event;
    char note[48];
    load->start_ns = eddy_monotonic_ns();
    while (!stop_asked) {
        struct eddy_err why = {0};
        int r = next_event(load, &event, &why);
        if (r == 0)
            break;
        if (is_event_error(r))
            r = take_bad(load, &why, err);
        else if (r > 0)
            r = take_event(load, &event, err);
        else
            (void)eddy_fail(err, r, "%s", why.text);
        if (r < 0)
            return r;
        if (load->options->limit > 0 && load->sent >= (uint64_t)load->options->limit)
            break;
        if (load->producer && load->sent % 64 == 0)
            eddy_producer_poll(load->producer, &load->delivered, &load->failed);
        if (load->failed > 0)
            break; /* the flush that follows says why */
        (void)snprintf(note, sizeof note, "%" PRIu64 " confirmed", load->delivered);
        eddy_progress_update(&load->progress, load->sent, load->producer ? note : "");
    }
    return 0;
}

/* ---- around it ------------------------------------------------------------------- */

static int open_kafka(struct load *load, struct eddy_err *err)
{
    struct eddy_kafka_admin *admin = NULL;
    uint32_t partitions = 0;
    const char *topic = load->config->kafka.events;
    int r = eddy_kafka_admin_open(&load->config->kafka, &admin, err);
    if (r == 0)
        r = eddy_kafka_admin_partitions(admin, topic, 10000, &partitions, err);
    eddy_kafka_admin_close(admin);
    if (r == 0 && partitions == 0)
        r = eddy_fail(
            err, EDDY_EKAFKA,
            "topic %s does not exist; `eddy check -c FILE --create-topics` makes "
            "what is missing",
            topic);
    return r < 0 ? r
                 : eddy_producer_open(&load->config->kafka, "eddy-load",
                                      &load->producer, err);
}

static void print_summary(const struct load *load, double seconds)
{
    const struct options *options = load->options;
    uint64_t done = load->producer ? load->delivered : load->sent;
    char oldest[32], newest[32];
    if (options->json) {
        (void)printf("{\"sent\":%" PRIu64 ",\"confirmed\":%" PRIu64 ",\"bad\":%" PRIu64
                     ",\"skipped\":%" PRIu64 ",\"seconds\":%.3f,\"dry_run\":%s,"
                     "\"oldest_ts\":%" PRId64 ",\"newest_ts\":%" PRId64 "}\n",
                     load->sent, load->delivered, load->bad, load->passed, seconds,
                     load->producer ? "false" : "true", load->oldest_ms,
                     load->newest_ms);
        return;
    }
    (void)printf("%" PRIu64 " events %s%s in %.1f s (%.0f/s), %" PRIu64
                 " bad rows left out%s\n",
                 done, load->producer ? "confirmed by " : "read and checked",
                 load->producer ? load->config->kafka.events : "", seconds,
                 seconds > 0 ? (double)done / seconds : 0.0, load->bad,
                 load->producer ? "" : "; nothing was sent (--dry-run)");
    if (load->sent > 0)
        (void)printf("event times: %s to %s UTC\n",
                     eddy_tool_time(load->oldest_ms / 1000, oldest),
                     eddy_tool_time(load->newest_ms / 1000, newest));
    if (load->bad > 0 && options->skip_bad)
        (void)printf("first bad row: %s\n", load->first_bad.text);
}

static int finish(struct load *load, struct eddy_err *err)
{
    struct eddy_err why = {0};
    int r = err->code;
    if (load->producer) {
        int flushed = eddy_producer_flush(load->producer, 60000, &why);
        eddy_producer_poll(load->producer, &load->delivered, &load->failed);
        if (r == 0 && flushed < 0)
            r = eddy_fail(err, flushed, "%s", why.text);
    }
    eddy_progress_clear(&load->progress);
    print_summary(load, (double)(eddy_monotonic_ns() - load->start_ns) / 1e9);
    if (r == 0 && stop_asked)
        (void)fprintf(stderr,
                      "eddy load: stopped; --skip-rows %" PRIu64
                      " goes on behind the last confirmed event\n",
                      load->passed + load->delivered);
    return r;
}

static int run(struct load *load, struct eddy_err *err)
{
    const struct options *options = load->options;
    if ((options->now || options->by_time) && strcmp(options->input, "-") == 0)
        return eddy_fail(
            err, EDDY_EUSAGE,
            "--now and --by-time look at the whole input first: give a file, "
            "not -");
    int r = eddy_source_open(options->input, (enum eddy_source_format)options->format,
                             &load->source, err);
    if (r < 0)
        return r;
    if (!options->dry_run) {
        r = open_kafka(load, err);
        if (r < 0)
            return r;
    }
    if (options->now || options->by_time) {
        r = survey(load, err);
        if (r < 0)
            return r;
    }
    uint64_t total =
        options->by_time ? load->order_count : eddy_source_estimate(load->source);
    if (options->limit > 0 && (uint64_t)options->limit < total)
        total = (uint64_t)options->limit;
    eddy_progress_init(&load->progress, options->dry_run ? "checking" : "loading",
                       "events", total, options->quiet);
    (void)play(load, err); /* err says how it went */
    return finish(load, err);
}

int eddy_cmd_load(int argc, char **argv)
{
    struct options options = {0};
    struct eddy_err err = {0};
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, NULL, &code))
        return code;
    struct load load = {.options = &options};
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    eddy_buf_init(&load.payload, 0);
    load.config = eddy_settings_load(&options.settings, &err);
    if (load.config)
        (void)run(&load, &err);
    eddy_producer_close(load.producer);
    eddy_source_close(load.source);
    eddy_buf_fini(&load.payload);
    eddy_config_free(load.config);
    free(load.order);
    if (err.code)
        return eddy_app_fail("load", &err);
    return stop_asked ? EDDY_EXIT_TEMPORARY : EDDY_EXIT_OK;
}
