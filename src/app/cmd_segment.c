/* eddy segment: users for an item or an attribute of items (USER_SEGMENTATION).
 *
 * A user's probability of an item is the softmax of his scores over the catalogue, of an
 * attribute the sum over the items that have it. Histories are played through the code that
 * serves; users come in groups, and each query keeps the best of all groups so far in a
 * heap, so that memory holds the answers and one group, not all users times all queries. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
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
#include "core/play.h"
#include "io/files.h"

enum { GROUP_USERS = 2048, ITEM_QUERIES_MAX = 500, ATTRIBUTE_QUERIES_MAX = 10 };

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

struct user {
    uint32_t user;
    float probability;
};
struct query {
    json_t *input;
    bool *items; /* (V) an attribute; NULL: */
    uint32_t item;
    struct user *best; /* heap, the worst on top */
    size_t count;
};
struct job {
    const struct arguments *arguments;
    struct eddy_snapshot *snapshot;
    struct eddy_inputs inputs;
    struct eddy_user_queries users;
    struct query *queries;
    size_t query_count;
    size_t keep; /* users per query */
    uint32_t group_first;
    float *group;          /* (GROUP_USERS, queries) */
    double popularity_sum; /* of items that a list may hold */
};

/* ---- queries ---------------------------------------------------------------------- */

static int fail_line(const struct job *job, unsigned long long line, const char *what,
                     const char *why, struct eddy_err *err)
{
    return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: %s%s%s", job->arguments->queries,
                     line, what, what[0] ? ": " : "", why);
}

static int read_query(struct job *job, json_t *input, unsigned long long line,
                      struct query *query, struct eddy_err *err)
{
    const struct eddy_catalog *catalog = job->snapshot->catalog;
    const char *recipe = job->snapshot->manifest.recipe;
    const char *item = json_string_value(json_object_get(input, "itemId"));
    const char *text = json_string_value(json_object_get(input, "itemAttributes"));
    struct eddy_err why = {0};
    uint32_t count = 0;
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
    query->item = EDDY_ITEM_NONE;
    if (item) {
        query->item = eddy_catalog_find(catalog, eddy_span_of(item));
        return 0;
    }
    query->items = calloc((size_t)eddy_catalog_count(catalog) + 1, sizeof(bool));
    if (query->items == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the queries");
    if (eddy_attribute_query(eddy_span_of(text), catalog, query->items, &count, &why) <
        0)
        return fail_line(job, line, "itemAttributes", why.text, err);
    return 0;
}

static int add_query(struct job *job, const char *text, size_t size,
                     unsigned long long line, struct eddy_err *err)
{
    json_error_t why;
    size_t attributes = 0;
    for (size_t q = 0; q < job->query_count; q++)
        attributes += job->queries[q].items != NULL;
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
    struct query *query = &job->queries[job->query_count++];
    int r = read_query(job, input, line, query, err);
    json_decref(input);
    if (r < 0)
        return r;
    query->best = malloc((job->keep + 1) * sizeof *query->best);
    return query->best ? 0 : eddy_fail(err, EDDY_ENOMEM, "no memory for the answers");
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

static bool is_worse(struct user a, struct user b)
{
    return a.probability < b.probability ||
           (!(a.probability > b.probability) && a.user > b.user);
}

static void sift_down(struct user *heap, size_t count, size_t at)
{
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (is_worse(heap[child], heap[worst]))
                worst = child;
        if (worst == at)
            return;
        struct user swap = heap[at];
        heap[at] = heap[worst];
        heap[worst] = swap;
        at = worst;
    }
}

static void offer(struct query *query, size_t keep, struct user user)
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

static bool wants_end(void *context, uint32_t user, uint64_t row)
{
    (void)context;
    (void)user;
    return row == EDDY_PLAY_END;
}

/* Share of one item in all: of the exponentials, or of popularity. */
struct shares {
    const struct job *job;
    const float *scores;
    float max;
    double sum;
};

static double share_of(const struct shares *shares, uint32_t item)
{
    if (shares->scores == NULL)
        return (double)shares->job->snapshot->popularity[item] / shares->sum;
    float score = shares->scores[item];
    return score > -INFINITY ? (double)expf(score - shares->max) / shares->sum : 0;
}

static void take_scores(void *context, uint32_t user, uint64_t row, const float *scores)
{
    struct job *job = context;
    uint32_t items = job->snapshot->layout.shape.items;
    struct shares shares = {job, scores, -INFINITY, 0};
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
        const struct query *query = &job->queries[q];
        double probability = 0;
        if (query->item != EDDY_ITEM_NONE)
            probability = share_of(&shares, query->item);
        for (uint32_t i = 0; query->items && i < items; i++)
            if (query->items[i])
                probability += share_of(&shares, i);
        job->group[(user - job->group_first) * job->query_count + q] =
            (float)probability;
    }
}

static int play(struct job *job, struct eddy_err *err)
{
    const struct eddy_interactions *in = &job->inputs.interactions;
    uint32_t users = eddy_catalog_count(in->users), done = 0;
    struct eddy_progress progress;
    struct eddy_play play = {
        .snapshot = job->snapshot,
        .interactions = in,
        .users = job->inputs.users ? &job->users : NULL,
        .k = 1,
        .threads = (uint32_t)job->arguments->threads,
        .popularity = job->snapshot->popularity,
        .wants = wants_end,
        .scores = take_scores,
        .context = job,
    };
    int r = 0;
    for (uint32_t i = 0; i < job->snapshot->layout.shape.items; i++)
        job->popularity_sum += (double)job->snapshot->popularity[i];
    job->popularity_sum = job->popularity_sum > 0 ? job->popularity_sum : 1;
    job->group = calloc((size_t)GROUP_USERS * job->query_count, sizeof *job->group);
    if (job->group == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %zu queries",
                         job->query_count);
    eddy_progress_init(&progress, "segmenting", "users", users, job->arguments->quiet);
    while (r == 0 && done < users) {
        uint32_t count = users - done < GROUP_USERS ? users - done : GROUP_USERS;
        job->group_first = done;
        r = eddy_play_users(&play, done, count, err);
        for (uint32_t u = 0; r == 0 && u < count; u++)
            for (size_t q = 0; q < job->query_count; q++)
                if (job->group[u * job->query_count + q] > 0)
                    offer(&job->queries[q], job->keep,
                          (struct user){done + u,
                                        job->group[u * job->query_count + q]});
        done += count;
        eddy_progress_update(&progress, done, "");
    }
    eddy_progress_clear(&progress);
    return r;
}

/* ---- answers ---------------------------------------------------------------------- */

/* The heap as a list, best first. */
static void sort_best(struct query *query)
{
    for (size_t count = query->count; count > 1; count--) {
        struct user worst = query->best[0];
        query->best[0] = query->best[count - 1];
        query->best[count - 1] = worst;
        sift_down(query->best, count - 1, 0);
    }
}

static int write_answers(struct job *job, struct eddy_err *err)
{
    const char *path = job->arguments->output;
    struct eddy_buf out;
    int r = 0;
    eddy_buf_init(&out, 0);
    for (size_t q = 0; q < job->query_count; q++) {
        struct query *query = &job->queries[q];
        char *input = json_dumps(query->input, JSON_COMPACT);
        sort_best(query);
        eddy_buf_printf(&out, "{\"input\":%s,\"output\":{\"recommendedUsers\":[",
                        input ? input : "{}");
        free(input);
        for (size_t i = 0; i < query->count; i++) {
            eddy_buf_puts(&out, i > 0 ? "," : "");
            eddy_buf_put_json_string(&out,
                                     eddy_catalog_id(job->inputs.interactions.users,
                                                     query->best[i].user));
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
        if (query->count == 0 && !job->arguments->quiet)
            (void)fprintf(
                stderr, "eddy segment: query %zu: no %s of the model's, so no users\n",
                q + 1, query->items ? "item with the attributes" : "such item");
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
    if (job->queries == NULL)
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
        free(job.queries[q].best);
    }
    free(job.queries);
    free(job.group);
    eddy_user_queries_fini(&job.users);
    eddy_inputs_close(&job.inputs);
    eddy_snapshot_release(job.snapshot);
    return r < 0 ? eddy_app_fail("segment", &err) : EDDY_EXIT_OK;
}
