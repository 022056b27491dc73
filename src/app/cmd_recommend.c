/* eddy recommend: a model and histories -> lists, by the serving code. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/inputs.h"
#include "app/model.h"
#include "app/option_rows.h"
#include "app/part_file.h"
#include "app/progress.h"
#include "app/recipe.h"
#include "app/recommend_batch.h"
#include "app/recommend_explore.h"
#include "app/recommend_lists.h"
#include "app/recommend_ranking.h"
#include "core/metadata.h"
#include "core/play.h"
#include "io/files.h"

struct arguments {
    const char *model, *interactions, *users, *for_items, *input_lists, *batch, *output;
    struct eddy_arg_list context;
    int64_t k, threads, refresh_ms, from_ms, half_life_ms;
    int64_t seed;
    double exploration_weight, exploration_cut_off;
    bool every_event, stream, exclude_seen, skip_bad, quiet;
};

static const struct eddy_arg rows[] = {
    EDDY_MODEL_ROW(struct arguments),
    {"histories", 'i', EDDY_ARG_TEXT, offsetof(struct arguments, interactions), "FILE",
     .help = "CSV with USER_ID, ITEM_ID, TIMESTAMP: a list for each user."},
    EDDY_KNOWN_USERS_ROW(struct arguments),
    {"for-items", 0, EDDY_ARG_TEXT, offsetof(struct arguments, for_items), "FILE",
     .help =
         "CSV with ITEM_ID instead of histories: a list for each item, as for one who has "
         "had it alone; for recipes of related items."},
    {"input-lists", 0, EDDY_ARG_TEXT, offsetof(struct arguments, input_lists), "FILE",
     .help =
         "CSV with USER_ID, ITEM_IDS (joined by |): these items in the order of the user's "
         "liking, scores adding up to 1, items unknown to the model last without a score."},
    {"batch", 0, EDDY_ARG_TEXT, offsetof(struct arguments, batch), "FILE",
     .help =
         "JSON Lines as for Amazon's batch inference jobs, see above: LISTS is JSON "
         "Lines, too, an answer or an error for each line."},
    {"output", 'o', EDDY_ARG_TEXT, offsetof(struct arguments, output), "LISTS",
     .help = "TSV: query, rank, item, score; - is standard output.", .required = true},
    {"k", 'k', EDDY_ARG_INT, offsetof(struct arguments, k), "N",
     .help = "Length of a list (default 25).", .min = 1, .max = EDDY_POPULAR_MAX},
    {"every-event", 0, EDDY_ARG_FLAG, offsetof(struct arguments, every_event), NULL,
     .help =
         "A query USER_ID:n for the n-th event (n >= 2) of each user, answered from the "
         "events before it; else one query per user, after all his events."},
    {"stream", 0, EDDY_ARG_FLAG, offsetof(struct arguments, stream), NULL,
     .help = "Play the rows in file order, as the running system would see them."},
    EDDY_REFRESH_ROWS(struct arguments, "--stream"),
    {"from", 0, EDDY_ARG_TIME, offsetof(struct arguments, from_ms), "TIME",
     .help = "With --stream: lists only for events at or after TIME."},
    {"context", 0, EDDY_ARG_LIST, offsetof(struct arguments, context), "NAME=VALUE",
     .help =
         "What is so at the moment of the request, by a context column that the model has "
         "learned from, e.g. DEVICE=TV; may be repeated. Without it lists follow from the "
         "events and their context alone."},
    {"exclude-seen", 0, EDDY_ARG_FLAG, offsetof(struct arguments, exclude_seen), NULL,
     .help = "Leave out items that the user has had."},
    {"exploration-weight", 0, EDDY_ARG_FLOAT,
     offsetof(struct arguments, exploration_weight), "W",
     .help =
         "0 to 1: how much of a list is given to new items with few exposures; lists are "
         "drawn then, and LISTS has the propensity of each slot as a fifth field. Default "
         "0: what the user is most likely to take. A campaign of Amazon's begins with 0.3.",
     .min = 0, .max = 1},
    {"exploration-item-age-cut-off", 0, EDDY_ARG_FLOAT,
     offsetof(struct arguments, exploration_cut_off), "DAYS",
     .help =
         "An item is new up to this age (default 30): from its CREATION_TIMESTAMP, or else "
         "its first event in the histories, to the newest event of the histories.",
     .min = 0, .max = 1e9},
    {"seed", 0, EDDY_ARG_INT, offsetof(struct arguments, seed), "N",
     .help = "Of the draws with --exploration-weight (default 1).", .min = 0,
     .max = INT32_MAX},
    EDDY_THREADS_ROW(struct arguments),
    EDDY_SKIP_BAD_ROW(struct arguments),
    EDDY_QUIET_ROW(struct arguments),
};

static const struct eddy_args command_line = {
    .command = "recommend",
    .usage = "-m MODEL -i HISTORIES -o LISTS [OPTIONS]",
    .about =
        "Lists for histories, by the code that serves: states move event by event, the\n"
        "whole catalogue is scored. Users without a known item get what is popular, or what\n"
        "their metadata says: users of -U without events get a list, too. Models of related\n"
        "items (aws-sims, aws-similar-items) look at the newest item alone.\n"
        "\n"
        "LISTS has a line per item: query, rank, item, score, with tabs between. Tab, line\n"
        "feed, carriage return and backslash inside an id are written \\t \\n \\r \\\\.\n"
        "\n"
        "--batch takes {\"userId\":\"4638\"}, {\"itemId\":\"105\"} (related items) and\n"
        "{\"userId\":\"891\",\"itemList\":[\"27\",\"886\"]} (ranking) and answers each with\n"
        "{\"input\":...,\"output\":{\"recommendedItems\":[...],\"scores\":[...]},\"error\":null}.\n"
        "Scores are shares of the whole catalogue (ranking: of the list). A line that cannot\n"
        "be answered has an error instead; when none can, the exit code is 65.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples =
        "  eddy recommend -m model -i histories.csv -k 10 --exclude-seen -o lists.tsv\n"
        "  eddy recommend -m model -i log.csv --every-event --stream --refresh 2h \\\n"
        "      --from 2021-07-01 -o lists.tsv\n"
        "  eddy recommend -m model -i histories.csv --context DEVICE=TV -o lists.tsv\n"
        "  eddy recommend -m similar --for-items items.csv -o lists.tsv\n"
        "  eddy recommend -m model -i histories.csv --input-lists shelf.csv -o -\n"
        "  eddy recommend -m model -i histories.csv --batch users.jsonl -o users.jsonl.out\n",
};

/* Users whose lists are made before they are written; fewer when each has many lists. */
enum { GROUP_USERS = 16384, GROUP_USERS_EVERY_EVENT = 1024 };

struct job {
    const struct arguments *arguments;
    const struct eddy_snapshot *snapshot;
    const struct eddy_interactions *interactions;
    FILE *out;
    struct eddy_progress progress;
    uint64_t lists, lines;
    _Atomic bool failed;                   /* memory or disk */
    const struct eddy_user_queries *users; /* of --users, NULL: none */
    struct eddy_context_row request;       /* of --context */
    struct eddy_explorer *explorer;        /* of --exploration-weight, NULL: none */
    /* play */
    uint32_t group_first;
    struct eddy_buf *texts; /* (GROUP_USERS) */
    uint64_t *text_lists;   /* (GROUP_USERS) lists, then lines */
    /* stream */
    uint32_t *event_count; /* events of each user so far */
    bool *listed;          /* an event of his is at or after --from */
    struct eddy_buf line;
};

static void put_list(const struct job *job, uint32_t user, uint64_t n,
                     const struct eddy_scored *list, uint32_t count,
                     struct eddy_buf *out)
{
    eddy_lists_put(job->interactions->items,
                   eddy_catalog_id(job->interactions->users, user), n, list, count,
                   out);
}

static void write_text(struct job *job, struct eddy_buf *text)
{
    if (text->failed ||
        (text->size > 0 && fwrite(text->data, 1, text->size, job->out) != text->size))
        job->failed = true;
    eddy_buf_clear(text);
}

static bool play_wants(void *context, uint32_t user, uint64_t row)
{
    const struct job *job = context;
    if (!job->arguments->every_event)
        return row == EDDY_PLAY_END;
    return row != EDDY_PLAY_END && row > job->interactions->user_begin[user];
}

static void play_list(void *context, uint32_t user, uint64_t row,
                      const struct eddy_scored *list, uint32_t count)
{
    struct job *job = context;
    uint32_t at = user - job->group_first;
    uint64_t n =
        row == EDDY_PLAY_END ? 0 : row - job->interactions->user_begin[user] + 1;
    put_list(job, user, n, list, count, &job->texts[at]);
    job->text_lists[2 * at]++;
    job->text_lists[2 * at + 1] += count;
}

/* A list drawn from all scores; scores NULL: popularity is all there is. */
static void play_scores(void *context, uint32_t user, uint64_t row, const float *scores)
{
    struct job *job = context;
    const struct eddy_interactions *in = job->interactions;
    struct eddy_explored list[EDDY_POPULAR_MAX];
    uint32_t at = user - job->group_first, k = (uint32_t)job->arguments->k;
    uint64_t n = row == EDDY_PLAY_END ? 0 : row - in->user_begin[user] + 1;
    int count = eddy_explorer_draw(
        job->explorer, scores ? scores : job->snapshot->popularity,
        eddy_catalog_hash(in->users, user),
        row == EDDY_PLAY_END ? in->user_begin[user + 1] - in->user_begin[user] : n - 1,
        k, list);
    if (count < 0) {
        job->failed = true;
        return;
    }
    eddy_lists_put_explored(in->items, eddy_catalog_id(in->users, user), n, list,
                            (uint32_t)count, &job->texts[at]);
    job->text_lists[2 * at]++;
    job->text_lists[2 * at + 1] += (uint32_t)count;
}

static struct eddy_context_row play_request(void *context, uint32_t user, uint64_t row)
{
    const struct job *job = context;
    (void)user;
    (void)row;
    return job->request;
}

static int play_group(struct job *job, struct eddy_play *play, uint32_t count,
                      struct eddy_err *err)
{
    int r = eddy_play_users(play, job->group_first, count, err);
    for (uint32_t i = 0; i < count; i++) {
        write_text(job, &job->texts[i]);
        job->lists += job->text_lists[2 * i];
        job->lines += job->text_lists[2 * i + 1];
        job->text_lists[2 * i] = job->text_lists[2 * i + 1] = 0;
    }
    return r;
}

static int play(struct job *job, struct eddy_err *err)
{
    const struct eddy_interactions *in = job->interactions;
    uint32_t users = eddy_catalog_count(in->users);
    uint32_t group =
        job->arguments->every_event ? GROUP_USERS_EVERY_EVENT : GROUP_USERS;
    struct eddy_play play = {
        .snapshot = job->snapshot,
        .interactions = in,
        .k = (uint32_t)job->arguments->k,
        .threads = (uint32_t)job->arguments->threads,
        .exclude_seen = job->arguments->exclude_seen,
        .users = job->users,
        .popularity = job->snapshot->popularity,
        .request = play_request,
        .wants = play_wants,
        .list = play_list,
        .scores = job->explorer ? play_scores : NULL,
        .context = job,
    };
    int r = 0;
    job->texts = calloc(GROUP_USERS, sizeof *job->texts);
    job->text_lists = calloc(2 * (size_t)GROUP_USERS, sizeof *job->text_lists);
    if (job->texts == NULL || job->text_lists == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for lists");
    for (uint32_t i = 0; i < GROUP_USERS; i++)
        eddy_buf_init(&job->texts[i], 0);
    while (r == 0 && !job->failed && job->group_first < users) {
        uint32_t left = users - job->group_first;
        uint32_t count = left < group ? left : group;
        r = play_group(job, &play, count, err);
        job->group_first += count;
        eddy_progress_update(&job->progress, in->user_begin[job->group_first], "");
    }
    for (uint32_t i = 0; i < GROUP_USERS; i++)
        eddy_buf_fini(&job->texts[i]);
    return r;
}

static bool stream_wants(void *context, uint64_t row)
{
    struct job *job = context;
    const struct eddy_interaction *event = &job->interactions->rows[row];
    bool in_time = event->ts_ms >= job->arguments->from_ms;
    job->event_count[event->user]++;
    job->listed[event->user] = job->listed[event->user] || in_time;
    return job->arguments->every_event && in_time && job->event_count[event->user] >= 2;
}

static void stream_list(void *context, uint64_t row, const struct eddy_scored *list,
                        uint32_t count)
{
    struct job *job = context;
    uint32_t user = job->interactions->rows[row].user;
    /* A user is in a run once, so his counter is still that of this event. */
    put_list(job, user, job->event_count[user], list, count, &job->line);
    job->lists++;
    job->lines += count;
    if (job->line.size >= 1 << 16)
        write_text(job, &job->line);
}

/* Without --every-event: each user's list after his last event. */
static void stream_ends(struct job *job, struct eddy_stream *stream,
                        struct eddy_scored *list)
{
    uint32_t users = eddy_catalog_count(job->interactions->users);
    for (uint32_t u = 0; u < users; u++) {
        if (!job->listed[u])
            continue;
        uint32_t count = eddy_stream_list(stream, u, list);
        put_list(job, u, 0, list, count, &job->line);
        job->lists++;
        job->lines += count;
        write_text(job, &job->line);
    }
}

static int stream(struct job *job, struct eddy_err *err)
{
    const struct eddy_interactions *in = job->interactions;
    size_t users = (size_t)eddy_catalog_count(in->users) + 1;
    struct eddy_stream_options options = {
        .snapshot = job->snapshot,
        .interactions = in,
        .k = (uint32_t)job->arguments->k,
        .threads = (uint32_t)job->arguments->threads,
        .exclude_seen = job->arguments->exclude_seen,
        .refresh_ms = job->arguments->refresh_ms,
        .half_life_s = (double)job->arguments->half_life_ms / 1000,
        .users = job->users,
        .request = &job->request,
    };
    struct eddy_scored *list = calloc((size_t)job->arguments->k, sizeof *list);
    struct eddy_stream *stream = NULL;
    uint64_t done = 0;
    int more = 0, r = 0;

    job->event_count = calloc(users, sizeof *job->event_count);
    job->listed = calloc(users, sizeof *job->listed);
    if (list == NULL || job->event_count == NULL || job->listed == NULL)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for lists");
    else
        r = eddy_stream_new(&options, &stream, err);
    while (r == 0 && !job->failed &&
           (more = eddy_stream_next(stream, stream_wants, stream_list, job)) > 0) {
        done += (uint64_t)more;
        eddy_progress_update(&job->progress, done, "");
    }
    if (more < 0)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the states of users");
    if (r == 0 && !job->arguments->every_event)
        stream_ends(job, stream, list);
    if (r == 0)
        write_text(job, &job->line);
    eddy_stream_free(stream);
    free(list);
    return r;
}

static int rank(struct job *job, struct eddy_err *err)
{
    struct eddy_ranking *ranking = eddy_ranking_new(job->snapshot, job->interactions);
    int r = ranking ? eddy_ranking_read(ranking, job->arguments->input_lists, err)
                    : eddy_fail(err, EDDY_ENOMEM, "no memory for lists");
    if (r == 0)
        eddy_ranking_set_request(ranking, &job->request);
    if (r == 0)
        r = eddy_ranking_run(ranking, (uint32_t)job->arguments->threads, job->users,
                             err);
    if (r == 0) {
        eddy_ranking_put(ranking, &job->line);
        job->lists = eddy_ranking_count(ranking);
    }
    eddy_ranking_free(ranking);
    for (size_t i = 0; r == 0 && i < job->line.size; i++)
        job->lines += job->line.data[i] == '\n';
    if (r == 0)
        write_text(job, &job->line);
    return r;
}

static int batch(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_batch batch = {
        .snapshot = job->snapshot,
        .recipe = eddy_recipe_find(job->snapshot->manifest.recipe),
        .interactions = job->interactions,
        .has_histories = arguments->interactions || arguments->users,
        .users = job->users,
        .path = arguments->batch,
        .k = (uint32_t)arguments->k,
        .threads = (uint32_t)arguments->threads,
        .exclude_seen = arguments->exclude_seen,
        .request = job->request,
    };
    struct eddy_batch_counts counts;
    int r = eddy_batch_run(&batch, job->out, &counts, err);
    job->lists = counts.lines - counts.errors;
    job->lines = counts.lines;
    if (r == 0 && counts.errors > 0 && counts.errors < counts.lines)
        (void)fprintf(stderr,
                      "eddy recommend: %llu of %llu lines of %s have an error, which "
                      "stands in their answers\n",
                      (unsigned long long)counts.errors,
                      (unsigned long long)counts.lines, arguments->batch);
    return r;
}

/* Lists appear under their name when they are complete. */
static int write_lists(struct job *job, struct eddy_err *err)
{
    const char *path = job->arguments->output;
    bool to_stdout = strcmp(path, "-") == 0, in_place;
    char target[EDDY_PATH_SIZE], beside[EDDY_PATH_SIZE];
    int r = eddy_file_target(path, target, &in_place, err);

    if (r < 0)
        return r;
    in_place = in_place || to_stdout;
    if (snprintf(beside, sizeof beside, "%s%s", target, in_place ? "" : ".part") >=
        (int)sizeof beside)
        return eddy_fail(err, EDDY_EIO, "%s: the path is too long", path);
    if (!in_place)
        eddy_part_file_guard(beside);
    job->out = to_stdout ? stdout : fopen(beside, "we");
    if (job->out == NULL) {
        eddy_part_file_release();
        return eddy_fail(err, EDDY_EIO, "%s: %s", beside, strerror(errno));
    }
    eddy_buf_init(&job->line, 0);
    r = job->arguments->batch         ? batch(job, err)
        : job->arguments->input_lists ? rank(job, err)
        : job->arguments->stream      ? stream(job, err)
                                      : play(job, err);
    eddy_buf_fini(&job->line);
    if ((to_stdout ? fflush(job->out) : fclose(job->out)) != 0)
        job->failed = true;
    if (r == 0 && job->failed)
        r = eddy_fail(err, EDDY_EIO, "%s: could not be written: %s", path,
                      strerror(errno));
    if (r == 0 && !in_place && rename(beside, target) != 0)
        r = eddy_fail(err, EDDY_EIO, "%s: %s", path, strerror(errno));
    if (r < 0 && !in_place)
        (void)remove(beside);
    eddy_part_file_release();
    return r;
}

/* What was asked is what this model is for. */
static int check_recipe(const struct arguments *arguments,
                        const struct eddy_snapshot *snapshot, struct eddy_err *err)
{
    const struct eddy_recipe *recipe = eddy_recipe_find(snapshot->manifest.recipe);
    if (recipe != NULL && arguments->input_lists &&
        (recipe->kind == EDDY_RECIPE_RELATED || recipe->kind == EDDY_RECIPE_POPULAR))
        return eddy_fail(err, EDDY_EUSAGE,
                         "--input-lists needs a model of users, e.g. "
                         "aws-personalized-ranking; %s is one of %s",
                         arguments->model, recipe->name);
    return 0;
}

static int open_explorer(struct job *job, struct eddy_err *err)
{
    struct eddy_recommend_explore_options options = {
        .weight = job->arguments->exploration_weight,
        .cut_off_days = job->arguments->exploration_cut_off,
        .seed = (uint64_t)job->arguments->seed};
    if (options.weight <= 0)
        return 0;
    return eddy_recommend_explore(job->snapshot, job->interactions, &options,
                                  &job->explorer, err);
}

/* What the users file says of users, with or without events. */
static int open_users(struct job *job, struct eddy_inputs *inputs,
                      struct eddy_user_queries *queries, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    int r = 0;
    if (inputs->users == NULL)
        return 0;
    eddy_model_warn_of_users("recommend", arguments->model, job->snapshot);
    if (!arguments->every_event && !arguments->stream)
        r = eddy_users_without_events(&inputs->interactions, inputs->users, err);
    if (r == 0)
        r = eddy_user_queries_init(queries, job->snapshot, inputs->users,
                                   inputs->interactions.users, err);
    if (r == 0)
        job->users = queries;
    return r;
}

/* --context NAME=VALUE... as features of the model. */
static int read_context(const struct arguments *arguments,
                        const struct eddy_snapshot *snapshot,
                        struct eddy_context_row *ret, struct eddy_err *err)
{
    struct eddy_context values[EDDY_CONTEXT_MAX];
    uint32_t count = 0;
    for (size_t i = 0; i < arguments->context.count; i++) {
        const char *text = arguments->context.values[i];
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text || equals[1] == '\0')
            return eddy_fail(err, EDDY_EUSAGE,
                             "--context %s: write NAME=VALUE, e.g. --context DEVICE=TV",
                             text);
        struct eddy_span name = {text, (size_t)(equals - text)};
        uint32_t column = eddy_context_column(name);
        if (!eddy_context_index_has(snapshot->context, column))
            return eddy_fail(err, EDDY_EUSAGE,
                             "--context %s: %s has not learned from a column %.*s; see "
                             "\"features\" in its manifest.json",
                             text, arguments->model, (int)name.size, name.data);
        for (uint32_t k = 0; k < count; k++)
            if (values[k].column == column)
                return eddy_fail(err, EDDY_EUSAGE,
                                 "--context %s: the column's second value", text);
        values[count++] = eddy_context_of(column, eddy_span_of(equals + 1));
    }
    *ret = eddy_context_index_row(snapshot->context, values, count);
    return 0;
}

static int recommend(const struct arguments *arguments, struct eddy_err *err)
{
    struct eddy_snapshot *snapshot = NULL;
    struct eddy_user_queries queries = {0};
    struct eddy_inputs inputs;
    int r = eddy_model_open(arguments->model, &snapshot, err);
    if (r < 0)
        return r;
    struct eddy_context_row request = {{0}};
    if ((r = check_recipe(arguments, snapshot, err)) < 0 ||
        (r = read_context(arguments, snapshot, &request, err)) < 0) {
        eddy_snapshot_release(snapshot);
        return r;
    }
    struct eddy_input_options input = {.interactions = arguments->interactions,
                                       .item_list = arguments->for_items,
                                       .users = arguments->users,
                                       .known = snapshot->catalog,
                                       .skip_bad = arguments->skip_bad,
                                       .quiet = arguments->quiet,
                                       .no_hash = true};
    if ((r = eddy_inputs_open(&inputs, &input, err)) < 0) {
        eddy_snapshot_release(snapshot);
        return r;
    }
    const struct eddy_interactions *in = &inputs.interactions;
    struct job job = {.arguments = arguments,
                      .snapshot = snapshot,
                      .interactions = in,
                      .request = request};
    eddy_progress_init(&job.progress, "recommending", "events", in->count,
                       arguments->quiet);
    r = open_users(&job, &inputs, &queries, err);
    if (r == 0)
        r = open_explorer(&job, err);
    if (r == 0)
        r = write_lists(&job, err);
    if (r == 0 && arguments->batch && job.lines > 0 && job.lists == 0)
        r = eddy_fail(
            err, EDDY_EFORMAT,
            "none of the %llu lines of %s could be answered: the answers in %s "
            "say why",
            (unsigned long long)job.lines, arguments->batch, arguments->output);
    if (r == 0)
        eddy_progress_finish(
            &job.progress,
            "%llu lists, %llu lines, from %llu events of %u users; %u items unknown to "
            "the model, %llu bad rows left out",
            (unsigned long long)job.lists, (unsigned long long)job.lines,
            (unsigned long long)in->count, eddy_catalog_count(in->users),
            eddy_catalog_count(in->items) - snapshot->layout.shape.items,
            (unsigned long long)in->skipped);
    else
        eddy_progress_clear(&job.progress);
    free(job.texts);
    free(job.text_lists);
    free(job.event_count);
    free(job.listed);
    eddy_explorer_free(job.explorer);
    eddy_user_queries_fini(&queries);
    eddy_inputs_close(&inputs);
    eddy_snapshot_release(snapshot);
    return r;
}

int eddy_cmd_recommend(int argc, char **argv)
{
    struct arguments arguments = {.k = 25,
                                  .threads = 2,
                                  .from_ms = INT64_MIN,
                                  .exploration_cut_off = 30,
                                  .seed = 1};
    struct eddy_err err = {0};
    int code;
    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code))
        return code;
    const char *const read[] = {arguments.interactions, arguments.users,
                                arguments.for_items, arguments.input_lists,
                                arguments.batch};
    code = eddy_inputs_output("recommend", "-o", arguments.output, read,
                              sizeof read / sizeof *read);
    if (code != EDDY_EXIT_OK)
        return code;
    if (!arguments.stream &&
        (arguments.refresh_ms != 0 || arguments.from_ms != INT64_MIN))
        return eddy_args_fail("recommend", "--refresh and --from need --stream");
    if (arguments.half_life_ms != 0 && arguments.refresh_ms == 0)
        return eddy_args_fail("recommend", "--half-life goes with --refresh");
    if (arguments.half_life_ms == 0)
        arguments.half_life_ms = EDDY_HALF_LIFE_MS;
    if (arguments.batch && (arguments.for_items || arguments.input_lists ||
                            arguments.stream || arguments.every_event))
        return eddy_args_fail("recommend",
                              "--batch says itself what is asked: without --for-items, "
                              "--input-lists, --stream and --every-event");
    if (!arguments.batch &&
        (arguments.interactions == NULL) == (arguments.for_items == NULL))
        return eddy_args_fail("recommend",
                              "give either --histories (-i) FILE or --for-items FILE "
                              "or --batch FILE");
    if ((arguments.for_items || arguments.input_lists) &&
        (arguments.stream || arguments.every_event))
        return eddy_args_fail("recommend", "--for-items and --input-lists ask once; "
                                           "without --stream and --every-event");
    if (arguments.for_items && arguments.input_lists)
        return eddy_args_fail("recommend",
                              "--input-lists orders items for users: give their "
                              "--histories (-i), not --for-items");
    if (arguments.exploration_weight > 0 &&
        (arguments.stream || arguments.batch || arguments.for_items ||
         arguments.input_lists))
        return eddy_args_fail("recommend",
                              "--exploration-weight goes with --histories (-i) alone, "
                              "without --stream, --batch and --input-lists");
    arguments.exclude_seen = arguments.exclude_seen || arguments.for_items != NULL;
    if (recommend(&arguments, &err) < 0)
        return eddy_app_fail("recommend", &err);
    return EDDY_EXIT_OK;
}
