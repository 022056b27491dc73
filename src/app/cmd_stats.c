/* eddy stats: what a log of interactions is like, and what that means for training. */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/app.h"
#include "app/args.h"
#include "app/inputs.h"
#include "app/option_rows.h"
#include "app/stats.h"
#include "base/clock.h"
#include "io/files.h"

struct arguments {
    const char *interactions, *items, *users, *html;
    struct eddy_arg_list periods;
    int64_t seed;
    bool json, fields;
};

static const struct eddy_arg rows[] = {
    EDDY_INTERACTIONS_ROW(struct arguments, false),
    EDDY_METADATA_ROWS(struct arguments),
    {"period", 0, EDDY_ARG_LIST, offsetof(struct arguments, periods), "DURATION",
     .help = "Measure drift over this period instead of the usual ones (365d to 1h)."},
    EDDY_SEED_ROW(struct arguments, "Of the shuffles (default 1)."),
    {"json", 0, EDDY_ARG_FLAG, offsetof(struct arguments, json), NULL,
     .help = "Everything as one JSON object; see --fields."},
    {"fields", 0, EDDY_ARG_FLAG, offsetof(struct arguments, fields), NULL,
     .help = "List the fields of --json with their meaning, and end."},
    {"html", 0, EDDY_ARG_TEXT, offsetof(struct arguments, html), "FILE",
     .help = "Also write one page with plots."},
};

static const struct eddy_args command_line = {
    .command = "stats",
    .usage = "-i INTERACTIONS [-I ITEMS] [-U USERS] [OPTIONS]",
    .about =
        "Describes a log before anything is learned from it: counts, percentiles, events\n"
        "over time, popularity, drift, repeats, robots, columns; and says what is unusual,\n"
        "why it matters and which setting answers it. Bad rows are counted, not refused.\n"
        "\n"
        "Robots are users with at least 50 events and more than 99 % of the users (or ten\n"
        "times the median) who also do one of: 200 events within 100 s; gaps of a second\n"
        "or more that hardly vary (deviation below a quarter of the mean); events in each\n"
        "of 24 hours in a row.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy stats -i interactions.csv -I items.csv\n"
                "  eddy stats -i clicks.csv --period 1d --period 3h\n"
                "  eddy stats -i clicks.csv --json | jq '.findings[].code'\n"
                "  eddy stats -i clicks.csv --html stats.html\n",
};

struct inputs {
    struct eddy_interactions interactions;
    struct eddy_insight_table log, items, users;
    struct eddy_err bad; /* of the first bad row */
};

/* Strictly first, for the message of the first bad row; then without the bad ones. */
static int read_interactions(const char *path, struct inputs *inputs,
                             struct eddy_err *err)
{
    const struct eddy_interactions_options lenient = {.skip_bad = true};
    struct eddy_file file;
    int r = eddy_file_open(path, &file, err);
    if (r < 0)
        return r;
    r = eddy_interactions_parse(file.bytes, path, NULL, &inputs->interactions,
                                &inputs->bad);
    if (r == EDDY_EFORMAT) {
        r = eddy_interactions_parse(file.bytes, path, &lenient, &inputs->interactions,
                                    err);
        if (r == 0 && inputs->interactions.count == 0) /* the reason helps more */
            r = eddy_fail(err, EDDY_EFORMAT, "%s", inputs->bad.text);
    } else if (r < 0) {
        *err = inputs->bad;
    }
    if (r == 0)
        r = eddy_insight_table_parse(file.bytes, path, "USER_ID", NULL, &inputs->log,
                                     err);
    eddy_file_close(&file);
    return r;
}

static void close_inputs(struct inputs *inputs)
{
    eddy_insight_table_fini(&inputs->log);
    eddy_insight_table_fini(&inputs->items);
    eddy_insight_table_fini(&inputs->users);
    eddy_interactions_fini(&inputs->interactions);
}

int eddy_stats_findings(const char *path,
                        struct eddy_finding ret[EDDY_INSIGHT_FINDINGS],
                        uint32_t *ret_count, struct eddy_err *err)
{
    const struct eddy_insight_options options = {.seed = 1, .now_ms = eddy_now_ms()};
    struct inputs inputs = {.interactions = {.count = 0}};
    struct eddy_insight *insight = calloc(1, sizeof *insight);
    int r = insight ? read_interactions(path, &inputs, err)
                    : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (r == 0)
        r = eddy_insight(&inputs.interactions, &options, insight, err);
    if (r == 0)
        *ret_count = eddy_insight_advise(insight, &inputs.log, NULL, NULL, ret);
    free(insight);
    close_inputs(&inputs);
    return r;
}

/* Columns are of the kind that training will take them for. */
static int decide_kinds(struct eddy_span csv, const char *path, bool items,
                        struct eddy_insight_table *table, struct eddy_err *err)
{
    struct eddy_catalog *catalog = NULL;
    struct eddy_vocabulary *vocabulary = NULL;
    int r = items ? eddy_items_parse(csv, path, true, &catalog, err)
                  : eddy_users_parse(csv, path, true, &catalog, err);
    if (r == 0)
        r = eddy_vocabulary_learn(catalog, NULL, &vocabulary, err);
    for (uint32_t c = 0; r == 0 && c < table->column_count; c++) {
        struct eddy_insight_column *column = &table->columns[c];
        enum eddy_column_kind kind =
            eddy_vocabulary_kind(vocabulary, eddy_span_of(column->name));
        if (column->kind != EDDY_COLUMN_IGNORED && kind != EDDY_COLUMN_IGNORED)
            column->kind = kind;
    }
    eddy_vocabulary_free(vocabulary);
    eddy_catalog_free(catalog);
    return r;
}

static int read_table(const char *path, bool items, const struct eddy_catalog *known,
                      struct eddy_insight_table *ret, struct eddy_err *err)
{
    struct eddy_file file;
    int r = path ? eddy_file_open(path, &file, err) : 0;
    if (r < 0 || path == NULL)
        return r;
    r = eddy_insight_table_parse(file.bytes, path, items ? "ITEM_ID" : "USER_ID", known,
                                 ret, err);
    if (r == 0)
        r = decide_kinds(file.bytes, path, items, ret, err);
    eddy_file_close(&file);
    return r;
}

static struct eddy_stats_style choose_style(void)
{
    struct winsize size;
    bool terminal = isatty(STDOUT_FILENO) == 1;
    const char *term = getenv("TERM");
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;
    struct eddy_stats_style style = {
        .columns = 88,
        .unicode = terminal && strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .ansi = terminal && !dumb && getenv("NO_COLOR") == NULL,
    };
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        style.columns = size.ws_col;
    style.columns = style.columns < 60 ? 60 : style.columns > 200 ? 200 : style.columns;
    return style;
}

static int print(const struct arguments *arguments, const struct eddy_stats *stats,
                 struct eddy_err *err)
{
    struct eddy_stats_style style = choose_style();
    struct eddy_buf out;
    int r = 0;
    eddy_buf_init(&out, 0);
    if (arguments->html != NULL) {
        eddy_stats_put_html(stats, &out);
        r = out.failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for the page")
                       : eddy_file_write(arguments->html, eddy_buf_span(&out), err);
        eddy_buf_clear(&out);
    }
    if (r == 0) {
        if (arguments->json)
            eddy_stats_put_json(stats, &out);
        else
            eddy_stats_put_text(stats, &style, &out);
        if (out.failed)
            r = eddy_fail(err, EDDY_ENOMEM, "no memory for the report");
        else
            (void)fwrite(out.data, 1, out.size, stdout); /* main checks stdout */
    }
    eddy_buf_fini(&out);
    return r;
}

static int describe(const struct arguments *arguments, struct inputs *inputs,
                    const int64_t *periods_ms, struct eddy_err *err)
{
    struct eddy_finding findings[EDDY_INSIGHT_FINDINGS];
    struct eddy_insight *insight = calloc(1, sizeof *insight);
    const struct eddy_insight_options options = {
        .seed = (uint64_t)arguments->seed,
        .now_ms = eddy_now_ms(),
        .periods_ms = arguments->periods.count > 0 ? periods_ms : NULL,
        .period_count = (uint32_t)arguments->periods.count,
    };
    struct eddy_stats stats = {
        .name = arguments->interactions,
        .interactions = &inputs->interactions,
        .insight = insight,
        .log = &inputs->log,
        .items = arguments->items ? &inputs->items : NULL,
        .users = arguments->users ? &inputs->users : NULL,
        .first_bad = inputs->bad.text,
        .findings = findings,
    };
    int r = insight ? 0 : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (r == 0)
        r = eddy_insight(&inputs->interactions, &options, insight, err);
    if (r == 0) {
        stats.finding_count =
            eddy_insight_advise(insight, stats.log, stats.items, stats.users, findings);
        r = print(arguments, &stats, err);
    }
    free(insight);
    return r;
}

static void print_fields(void)
{
    struct eddy_buf out;
    eddy_buf_init(&out, 0);
    eddy_stats_put_fields(&out);
    (void)fputs(out.failed ? "" : out.data, stdout);
    eddy_buf_fini(&out);
}

int eddy_cmd_stats(int argc, char **argv)
{
    struct arguments arguments = {.seed = 1};
    struct inputs inputs = {0};
    struct eddy_err err = {0};
    int64_t periods_ms[EDDY_ARG_LIST_MAX];
    int code;

    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code))
        return code;
    if (arguments.fields) {
        print_fields();
        return EDDY_EXIT_OK;
    }
    const char *const read[] = {arguments.interactions, arguments.items,
                                arguments.users};
    code = eddy_inputs_output("stats", "--html", arguments.html, read,
                              sizeof read / sizeof *read);
    if (code != EDDY_EXIT_OK)
        return code;
    if (arguments.interactions == NULL)
        return eddy_args_fail("stats", "--interactions (-i) FILE is missing");
    for (size_t i = 0; i < arguments.periods.count; i++)
        if (!eddy_args_duration(arguments.periods.values[i], &periods_ms[i]) ||
            periods_ms[i] < 60000)
            return eddy_args_fail("stats",
                                  "--period: \"%s\" is not a duration of at least a "
                                  "minute; write e.g. 6h, 1d, 30d",
                                  arguments.periods.values[i]);
    int r = read_interactions(arguments.interactions, &inputs, &err);
    if (r == 0)
        r = read_table(arguments.items, true, inputs.interactions.items, &inputs.items,
                       &err);
    if (r == 0)
        r = read_table(arguments.users, false, inputs.interactions.users, &inputs.users,
                       &err);
    if (r == 0)
        r = describe(&arguments, &inputs, periods_ms, &err);
    close_inputs(&inputs);
    return r < 0 ? eddy_app_fail("stats", &err) : EDDY_EXIT_OK;
}
