/* eddy segment: users for an item or an attribute of items (USER_SEGMENTATION). */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/inputs.h"
#include "app/model.h"
#include "app/option_rows.h"
#include "app/progress.h"
#include "app/recipe.h"
#include "core/attribute_query.h"
#include "core/metadata.h"
#include "core/segment.h"
#include "io/files.h"

enum { ITEM_QUERIES_MAX = 500, ATTRIBUTE_QUERIES_MAX = 10 };

struct arguments {
    const char *model, *queries, *histories, *users, *output;
    int64_t count, threads;
    bool skip_bad, quiet;
};

static const struct eddy_arg rows[] = {
    EDDY_MODEL_ROW(struct arguments),
    {"queries", 'i', EDDY_ARG_TEXT, offsetof(struct arguments, queries), "FILE",
     .help =
         "A JSON object per line, see above; at most 500 for items, 10 for attributes.",
     .required = true},
    {"histories", 'H', EDDY_ARG_TEXT, offsetof(struct arguments, histories), "FILE",
     .help = "CSV with USER_ID, ITEM_ID, TIMESTAMP: the users to choose from.",
     .required = true},
    EDDY_KNOWN_USERS_ROW(struct arguments),
    {"num-results", 'n', EDDY_ARG_INT, offsetof(struct arguments, count), "N",
     .help = "Users per query (default 25).", .min = 1, .max = 5e6},
    {"output", 'o', EDDY_ARG_TEXT, offsetof(struct arguments, output), "FILE",
     .help = "A JSON object per query, in their order; - is standard output.",
     .required = true},
    EDDY_THREADS_ROW(struct arguments),
    EDDY_SKIP_BAD_ROW(struct arguments),
    EDDY_QUIET_ROW(struct arguments),
};

static const struct eddy_args command_line = {
    .command = "segment",
    .usage = "-m MODEL -i QUERIES -H HISTORIES -o FILE [-n N]",
    .about =
        "Users for an item or for an attribute of items, the likeliest first, by a model of\n"
        "aws-item-affinity or aws-item-attribute-affinity (or another one with a network).\n"
        "QUERIES:\n"
        "  {\"itemId\":\"105\"}\n"
        "  {\"itemAttributes\":\"ITEMS.genres = \\\"Comedy\\\" AND ITEMS.year = 1999\"}\n"
        "(= and AND only; a cell of several values joined by | is equal to each of them).\n"
        "Answers: {\"input\":{...},\"output\":{\"recommendedUsers\":[\"106\",\"107\"]}}",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy train -i clicks.csv -I items.csv -o model --recipe "
                "aws-item-affinity\n"
                "  eddy segment -m model -i queries.jsonl -H clicks.csv -n 1000 -o "
                "users.jsonl\n",
};

struct query {
    json_t *input;
    uint32_t *items, item_count; /* of the model's, rising */
    bool attributes;
};
struct job {
    const struct arguments *arguments;
    struct eddy_snapshot *snapshot;
    struct eddy_inputs inputs;
    struct eddy_user_queries users;
    struct query *queries;
    struct eddy_segment_query *segments; /* of the queries */
    size_t query_count;
    size_t keep; /* users per query */
};

/* ---- queries ---------------------------------------------------------------------- */

static int fail_line(const struct job *job, unsigned long long line, const char *what,
                     const char *why, struct eddy_err *err)
{
    return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: %s%s%s", job->arguments->queries,
                     line, what, what[0] ? ": " : "", why);
}

/* The items that have the attributes. */
static int read_attributes(struct job *job, const char *text, unsigned long long line,
                           struct query *query, struct eddy_err *err)
{
    const struct eddy_catalog *catalog = job->snapshot->catalog;
    uint32_t items = eddy_catalog_count(catalog), count = 0;
    struct eddy_err why = {0};
    bool *has = calloc((size_t)items + 1, sizeof *has);
    if (has == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the queries");
    int r = eddy_attribute_query(eddy_span_of(text), catalog, has, &count, &why);
    for (uint32_t i = 0; r == 0 && i < items; i++)
        if (has[i])
            query->items[query->item_count++] = i;
    free(has);
    return r < 0 ? fail_line(job, line, "itemAttributes", why.text, err) : 0;
}

static int read_query(struct job *job, json_t *input, unsigned long long line,
                      struct query *query, struct eddy_err *err)
{
    const struct eddy_catalog *catalog = job->snapshot->catalog;
    const char *recipe = job->snapshot->manifest.recipe;
    const char *item = json_string_value(json_object_get(input, "itemId"));
    const char *text = json_string_value(json_object_get(input, "itemAttributes"));
    if (json_object_size(input) != 1 || (item == NULL) == (text == NULL))
        return fail_line(
            job, line, "",
            "write {\"itemId\":\"ID\"} or {\"itemAttributes\":\"ITEMS.COLUMN "
            "= \\\"value\\\"\"}",
            err);
    if ((item && strcmp(recipe, "aws-item-attribute-affinity") == 0) ||
        (text && strcmp(recipe, "aws-item-affinity") == 0))
        return fail_line(job, line, item ? "itemId" : "itemAttributes",
                         item ? "aws-item-attribute-affinity takes itemAttributes"
                              : "aws-item-affinity takes itemId",
                         err);
    query->input = json_incref(input);
    query->attributes = text != NULL;
    query->items = calloc(text ? (size_t)eddy_catalog_count(catalog) + 1 : 1,
                          sizeof *query->items);
    if (query->items == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the queries");
    if (text)
        return read_attributes(job, text, line, query, err);
    query->items[0] = eddy_catalog_find(catalog, eddy_span_of(item));
    query->item_count = query->items[0] != EDDY_ITEM_NONE;
    return 0;
}

static int add_query(struct job *job, const char *text, size_t size,
                     unsigned long long line, struct eddy_err *err)
{
    json_error_t why;
    size_t attributes = 0;
    for (size_t q = 0; q < job->query_count; q++)
        attributes += job->queries[q].attributes;
    if (job->query_count == ITEM_QUERIES_MAX)
        return fail_line(job, line, "", "more than 500 queries", err);
    json_t *input = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (input == NULL)
        return fail_line(job, line, "no JSON object", why.text, err);
    if (attributes == ATTRIBUTE_QUERIES_MAX &&
        json_object_get(input, "itemAttributes")) {
        json_decref(input);
        return fail_line(job, line, "", "more than 10 queries by attributes", err);
    }
    struct query *query = &job->queries[job->query_count];
    struct eddy_segment_query *segment = &job->segments[job->query_count++];
    int r = read_query(job, input, line, query, err);
    json_decref(input);
    if (r < 0)
        return r;
    segment->items = query->items;
    segment->item_count = query->item_count;
    segment->best = malloc((job->keep + 1) * sizeof *segment->best);
    return segment->best ? 0 : eddy_fail(err, EDDY_ENOMEM, "no memory for the answers");
}

static int read_queries(struct job *job, struct eddy_err *err)
{
    struct eddy_file file;
    unsigned long long line = 0;
    int r = eddy_file_open(job->arguments->queries, &file, err);
    if (r < 0)
        return r;
    for (size_t at = 0; r == 0 && at < file.bytes.size;) {
        const char *text = file.bytes.data + at;
        const char *end = memchr(text, '\n', file.bytes.size - at);
        size_t size = end ? (size_t)(end - text) : file.bytes.size - at;
        at += size + 1;
        line++;
        while (size > 0 && strchr(" \t\r", text[size - 1]) != NULL)
            size--;
        if (size > 0)
            r = add_query(job, text, size, line, err);
    }
    if (r == 0 && job->query_count == 0)
        r = eddy_fail(err, EDDY_EFORMAT, "%s: no query in it", job->arguments->queries);
    eddy_file_close(&file);
    return r;
}

/* ---- users ------------------------------------------------------------------------ */

static void show_progress(void *context, uint64_t users_done)
{
    eddy_progress_update(context, users_done, "");
}

static int play(struct job *job, struct eddy_err *err)
{
    struct eddy_progress progress;
    struct eddy_segment_options options = {
        .snapshot = job->snapshot,
        .interactions = &job->inputs.interactions,
        .users = job->inputs.users ? &job->users : NULL,
        .threads = (uint32_t)job->arguments->threads,
        .keep = job->keep,
        .progress = show_progress,
        .context = &progress,
    };
    eddy_progress_init(&progress, "segmenting", "users",
                       eddy_catalog_count(job->inputs.interactions.users),
                       job->arguments->quiet);
    int r = eddy_segment_users(&options, job->segments, job->query_count, err);
    eddy_progress_clear(&progress);
    return r;
}

/* ---- answers ---------------------------------------------------------------------- */

static int write_answers(struct job *job, struct eddy_err *err)
{
    const char *path = job->arguments->output;
    struct eddy_buf out;
    int r = 0;
    eddy_buf_init(&out, 0);
    for (size_t q = 0; q < job->query_count; q++) {
        const struct eddy_segment_query *segment = &job->segments[q];
        char *input = json_dumps(job->queries[q].input, JSON_COMPACT);
        eddy_buf_printf(&out, "{\"input\":%s,\"output\":{\"recommendedUsers\":[",
                        input ? input : "{}");
        free(input);
        for (size_t i = 0; i < segment->count; i++) {
            eddy_buf_puts(&out, i > 0 ? "," : "");
            eddy_buf_put_json_string(&out,
                                     eddy_catalog_id(job->inputs.interactions.users,
                                                     segment->best[i].user));
        }
        eddy_buf_puts(&out, "]}}\n");
    }
    if (out.failed)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the answers");
    else if (strcmp(path, "-") != 0)
        r = eddy_file_write(path, eddy_buf_span(&out), err);
    else if (fwrite(out.data, 1, out.size, stdout) != out.size)
        r = eddy_fail(err, EDDY_EIO, "standard output: %s", strerror(errno));
    eddy_buf_fini(&out);
    return r;
}

static void report_empty(const struct job *job)
{
    for (size_t q = 0; q < job->query_count; q++) {
        const struct query *query = &job->queries[q];
        if (job->segments[q].count == 0 && !job->arguments->quiet)
            (void)fprintf(
                stderr, "eddy segment: query %zu: no %s of the model's, so no users\n",
                q + 1, query->attributes ? "item with the attributes" : "such item");
    }
}

static int segment(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    int r = eddy_model_open(arguments->model, &job->snapshot, err);
    if (r < 0)
        return r;
    const struct eddy_recipe *recipe = eddy_recipe_find(job->snapshot->manifest.recipe);
    if (recipe != NULL && !recipe->network)
        return eddy_fail(err, EDDY_EUSAGE,
                         "%s is a model of %s, which knows no users; train "
                         "aws-item-affinity",
                         arguments->model, recipe->name);
    struct eddy_input_options input = {.interactions = arguments->histories,
                                       .users = arguments->users,
                                       .known = job->snapshot->catalog,
                                       .skip_bad = arguments->skip_bad,
                                       .quiet = arguments->quiet};
    if ((r = eddy_inputs_open(&job->inputs, &input, err)) < 0)
        return r;
    if (job->inputs.users != NULL)
        eddy_model_warn_of_users("segment", arguments->model, job->snapshot);
    if (job->inputs.users != NULL &&
        ((r = eddy_users_without_events(&job->inputs.interactions, job->inputs.users,
                                        err)) < 0 ||
         (r = eddy_user_queries_init(&job->users, job->snapshot, job->inputs.users,
                                     job->inputs.interactions.users, err)) < 0))
        return r;
    uint32_t users = eddy_catalog_count(job->inputs.interactions.users);
    job->keep = (size_t)arguments->count < users ? (size_t)arguments->count : users;
    job->queries = calloc(ITEM_QUERIES_MAX, sizeof *job->queries);
    job->segments = calloc(ITEM_QUERIES_MAX, sizeof *job->segments);
    if (job->queries == NULL || job->segments == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the queries");
    if ((r = read_queries(job, err)) < 0 || (r = play(job, err)) < 0)
        return r;
    report_empty(job);
    return write_answers(job, err);
}

int eddy_cmd_segment(int argc, char **argv)
{
    struct arguments arguments = {.count = 25, .threads = 2};
    struct job job = {.arguments = &arguments};
    struct eddy_err err = {0};
    int code;
    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code))
        return code;
    const char *const read[] = {arguments.queries, arguments.histories,
                                arguments.users};
    code = eddy_inputs_output("segment", "-o", arguments.output, read,
                              sizeof read / sizeof *read);
    if (code != EDDY_EXIT_OK)
        return code;
    int r = segment(&job, &err);
    for (size_t q = 0; q < job.query_count; q++) {
        json_decref(job.queries[q].input);
        free(job.queries[q].items);
        free(job.segments[q].best);
    }
    free(job.queries);
    free(job.segments);
    eddy_user_queries_fini(&job.users);
    eddy_inputs_close(&job.inputs);
    eddy_snapshot_release(job.snapshot);
    return r < 0 ? eddy_app_fail("segment", &err) : EDDY_EXIT_OK;
}
