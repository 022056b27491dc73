/* eddy eval: a model on a protocol, by the serving code (full ranking, MODELS 8). */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/eval.h"
#include "app/eval_rivals.h"
#include "app/eval_segments.h"
#include "app/inputs.h"
#include "app/model.h"
#include "app/option_rows.h"
#include "app/recipe.h"
#include "app/tools.h"
#include "core/build.h"
#include "core/text.h"
#include "io/files.h"

struct arguments {
    const char *model, *interactions, *users, *train, *report, *reward;
    struct eddy_arg_list against;
    int64_t protocol, threads, from_ms, resamples, seed, split_seed, refresh_ms,
        half_life_ms;
    bool request_context, baselines, keep_seen, exclude_seen, skip_bad, quiet, json;
};

static const struct eddy_arg rows[] = {
    EDDY_MODEL_ROW(struct arguments),
    {"interactions", 'i', EDDY_ARG_TEXT, offsetof(struct arguments, interactions),
     "FILE", .help = "CSV with USER_ID, ITEM_ID, TIMESTAMP, answers included.",
     .required = true},
    EDDY_KNOWN_USERS_ROW(struct arguments),
    {"protocol", 0, EDDY_ARG_CHOICE, offsetof(struct arguments, protocol), "P",
     .help = "What is asked, see above.", .required = true,
     .choices = EDDY_PROTOCOL_CHOICES},
    {"from", 0, EDDY_ARG_TIME, offsetof(struct arguments, from_ms), "TIME",
     .help = "The first time that successive and prequential ask about."},
    {"keep-seen", 0, EDDY_ARG_FLAG, offsetof(struct arguments, keep_seen), NULL,
     .help = "Rank items that the user has had, too."},
    {"exclude-seen", 0, EDDY_ARG_FLAG, offsetof(struct arguments, exclude_seen), NULL,
     .help = "Do not rank items that the user has had."},
    {"request-context", 0, EDDY_ARG_FLAG, offsetof(struct arguments, request_context),
     NULL,
     .help =
         "Each request tells the context columns of its answer's event: meaningful where "
         "they are known before it (device, hour), not where they follow from it."},
    {"baselines", 0, EDDY_ARG_FLAG, offsetof(struct arguments, baselines), NULL,
     .help =
         "Fit popularity, recent popularity, Markov, rules, neighbours and closed "
         "form on what is not asked, and ask them the same. How fast past sessions age "
         "for the last two, and whether items speak for themselves, is chosen on the "
         "newest twentieth of what is not asked (segments: who is most active, and who "
         "had most of it before)."},
    {"train", 0, EDDY_ARG_TEXT, offsetof(struct arguments, train), "FILE",
     .help =
         "Interactions that the baselines are fitted on; needed where the file holds "
         "nothing else than questions (sessions)."},
    {"against", 0, EDDY_ARG_LIST, offsetof(struct arguments, against), "FOLDER",
     .help = "Another model to ask the same."},
    {"report", 0, EDDY_ARG_TEXT, offsetof(struct arguments, report), "FILE.html",
     .help = "Write a page with tables and curves."},
    {"reward", 0, EDDY_ARG_TEXT, offsetof(struct arguments, reward), "COLUMN",
     .help = "Average rewards of this: EVENT_VALUE, or a numeric column of the items."},
    EDDY_REFRESH_ROWS(struct arguments, "prequential"),
    {"split-seed", 0, EDDY_ARG_INT, offsetof(struct arguments, split_seed), "N",
     .help =
         "Which users (solution-metrics) or items (cold-items) are drawn (default 42, "
         "as in AWS' workshop).",
     .max = UINT32_MAX},
    {"resamples", 0, EDDY_ARG_INT, offsetof(struct arguments, resamples), "N",
     .help =
         "Bootstrap resamples of users for the 95 % intervals (default 1000; 0: none).",
     .max = 100000},
    EDDY_SEED_ROW(struct arguments, "Of the resamples (default 1)."),
    EDDY_THREADS_ROW(struct arguments),
    EDDY_SKIP_BAD_ROW(struct arguments),
    EDDY_JSON_ROW(struct arguments),
    EDDY_QUIET_ROW(struct arguments),
};

static const struct eddy_args command_line = {
    .command = "eval",
    .usage = "-m MODEL -i INTERACTIONS --protocol P [OPTIONS]",
    .about =
        "Asks a model what users did next and counts how often it knew. The whole\n"
        "catalogue is ranked, ties count against the model, answers that it does not\n"
        "know are misses. Train with the same --hold-out P on the same file, so that the\n"
        "model has not seen the answers:\n"
        "\n"
        "  protocol          asked                                          seen items\n"
        "  loo               each user's last event                         excluded\n"
        "  aws-workshop      each user's newest tenth, one list per user    kept\n"
        "                    (of any file: the half of ML-1M's items that the\n"
        "                    workshop draws with seed 42 is made by bench/data.py)\n"
        "  solution-metrics  the newest tenth of a tenth of the users       kept\n"
        "  cold-items        events on half of the items, never trained on  excluded\n"
        "  successive        every event from --from on (default: the last  kept\n"
        "                    tenth of the time), states moving on\n"
        "  prequential       the file as a stream: asked, then learned      kept\n"
        "                    from; tables refreshed every --refresh\n"
        "  sessions          a file of its own: every event after a user's  kept\n"
        "                    first\n"
        "  segments          the newest fifth of each user's events, the    -\n"
        "                    other way round: for aws-item-affinity which\n"
        "                    users will have an item, for\n"
        "                    aws-item-attribute-affinity one with a value of\n"
        "                    a categorical column\n"
        "\n"
        "Measures: HR (a hit in the list), NDCG, MRR; with several answers per list also\n"
        "recall, precision, and NDCG as Amazon's GetSolutionMetrics and its workshop\n"
        "count it: their ideal is the hits of the list, not the answers, so that it is\n"
        "higher. Rewards, too, come in two forms: what the hits are worth of what the\n"
        "answers are, and Amazon's average_rewards_at_k: of the rewarded hits of a list of\n"
        "500 what those among its 25 dearest items are worth. Intervals are 95 %, over\n"
        "users. Coverage: items in any list of 25. By age of the state: what lists lose\n"
        "that do not know the newest 1, 5, 20 events of the user, or his last day; by age\n"
        "of the model: from the newest event that it has learned from. Segments: hits and\n"
        "recall at 1 %, how many of the users who had what was asked are among the\n"
        "likeliest hundredth of all users, and which share of them that is.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples =
        "  eddy train -i log.csv -o model --hold-out loo\n"
        "  eddy eval -m model -i log.csv --protocol loo --baselines --report loo.html\n"
        "  eddy eval -m model -i log.csv --protocol successive --from "
        "2021-07-01 --json\n"
        "  eddy eval -m model -i test.csv --protocol sessions --baselines --train "
        "train.csv\n",
};

/* Everything that one run holds. */
struct job {
    const struct arguments *arguments;
    struct eddy_snapshot *snapshot;
    struct eddy_inputs inputs;
    uint8_t *marks;
    struct eddy_split_options split;
    float *item_rewards;
    struct eddy_exam exam;
    struct eddy_eval eval;
};

static struct eddy_exam_options exam_options(const struct job *job)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_eval_headline headline = eddy_eval_headline(job->split.protocol);
    return (struct eddy_exam_options){
        .protocol = job->split.protocol,
        .exclude_seen = job->eval.exclude_seen,
        .rewards = arguments->reward != NULL,
        .item_rewards = job->item_rewards,
        .threads = (uint32_t)arguments->threads,
        .users = job->inputs.users,
        .request_context = arguments->request_context,
        .refresh_ms = arguments->refresh_ms,
        .half_life_s = (double)arguments->half_life_ms / 1000,
        .measure = headline.measure,
        .cutoff = headline.cutoff,
    };
}

/* Rewards per item from a numeric column of the model's catalogue. */
static int read_rewards(struct job *job, struct eddy_err *err)
{
    const struct eddy_catalog *items = job->snapshot->catalog;
    const char *name = job->arguments->reward;
    uint32_t column = 0, columns = eddy_catalog_column_count(items);
    if (name == NULL || strcmp(name, "EVENT_VALUE") == 0)
        return 0;
    while (column < columns &&
           !eddy_span_eq(eddy_catalog_column_name(items, column), eddy_span_of(name)))
        column++;
    if (column == columns)
        return eddy_fail(
            err, EDDY_ECONFIG,
            "--reward %s: the items of the model have no such column (train "
            "with -I ITEMS, or name EVENT_VALUE)",
            name);
    job->item_rewards =
        calloc((size_t)eddy_catalog_count(job->inputs.interactions.items) + 1,
               sizeof *job->item_rewards);
    if (job->item_rewards == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the rewards");
    for (uint32_t i = 0; i < eddy_catalog_count(items); i++) {
        struct eddy_span text = eddy_catalog_get(items, i, column);
        double number;
        if (text.size == 0)
            continue;
        if (!eddy_number_parse(text, &number))
            return eddy_fail(err, EDDY_EFORMAT,
                             "--reward %s: item %.*s has '%.*s', no number", name,
                             (int)eddy_catalog_id(items, i).size,
                             eddy_catalog_id(items, i).data,
                             (int)(text.size < 40 ? text.size : 40), text.data);
        job->item_rewards[i] = (float)number;
    }
    return 0;
}

/* Time of the first event asked about. */
static int64_t first_asked(const struct job *job)
{
    const struct eddy_interactions *in = &job->inputs.interactions;
    int64_t first = INT64_MAX;
    for (uint64_t i = 0; i < in->count; i++)
        if (job->marks[i] == EDDY_MARK_ANSWER && in->rows[i].ts_ms < first)
            first = in->rows[i].ts_ms;
    return first;
}

/* Successive and prequential ask from a time on: what counts is whether the model has
 * learned from events as new as that, from this file or another, whatever it kept back. */
static void find_leak_in_time(struct job *job)
{
    int64_t first = first_asked(job);
    int64_t newest_ms = eddy_model_newest(&job->snapshot->manifest);
    char learned[32], asked[32];
    if (newest_ms != INT64_MIN && newest_ms >= first)
        (void)snprintf(job->eval.warning, sizeof job->eval.warning,
                       "the model has learned from events up to %s, the first question "
                       "is of %s, so it has seen answers; train with --hold-out %s "
                       "--from, or ask --from later",
                       eddy_tool_time(newest_ms / 1000, learned),
                       eddy_tool_time(first / 1000, asked),
                       eddy_protocol_name(job->split.protocol));
}

/* The others: a model that was trained on this very file and kept other events back, or
 * none. Training draws users and items as the default seed does. */
static void find_leak_in_file(struct job *job, const json_t *data)
{
    struct eddy_eval *eval = &job->eval;
    const char *sha256 = json_string_value(json_object_get(data, "sha256"));
    const char *held = json_string_value(json_object_get(data, "hold_out"));
    const char *name = eddy_protocol_name(job->split.protocol);
    bool same = held != NULL && strcmp(held, name) == 0;
    bool drawn = job->split.protocol == EDDY_PROTOCOL_SOLUTION ||
                 job->split.protocol == EDDY_PROTOCOL_COLD_ITEMS;
    if (sha256 == NULL || strcmp(sha256, eval->sha256) != 0)
        return;
    if (job->split.protocol == EDDY_PROTOCOL_SESSIONS)
        (void)snprintf(eval->warning, sizeof eval->warning,
                       "the model was trained on this file, so it has seen answers; "
                       "sessions asks about a file of its own");
    else if (!same)
        (void)snprintf(eval->warning, sizeof eval->warning,
                       "the model was trained on this file with %s%s, so it has seen "
                       "answers; train with --hold-out %s",
                       held ? "--hold-out " : "nothing held out", held ? held : "",
                       name);
    else if (drawn && job->split.seed != eddy_split_defaults(job->split.protocol).seed)
        (void)snprintf(
            eval->warning, sizeof eval->warning,
            "training holds out what --split-seed 42 draws, so the model has "
            "seen answers; leave --split-seed out");
}

/* Lists of items by a model that is there to find users. */
static void warn_of_recipe(struct job *job)
{
    char *warning = job->eval.warning;
    size_t used = strlen(warning);
    const struct eddy_recipe *recipe = eddy_recipe_find(job->snapshot->manifest.recipe);
    if (recipe == NULL || recipe->kind != EDDY_RECIPE_SEGMENT ||
        job->split.protocol == EDDY_PROTOCOL_SEGMENTS)
        return;
    (void)snprintf(warning + used, sizeof job->eval.warning - used,
                   "%s%s finds users for items, and is asked for items here; "
                   "--protocol segments asks what it is for",
                   used > 0 ? "; " : "", recipe->name);
}

static void warn_of_leaks(struct job *job)
{
    const struct eddy_manifest *manifest = &job->snapshot->manifest;
    json_t *data =
        manifest->data_json ? json_loads(manifest->data_json, 0, NULL) : NULL;
    if (job->split.protocol == EDDY_PROTOCOL_SUCCESSIVE ||
        job->split.protocol == EDDY_PROTOCOL_PREQUENTIAL)
        find_leak_in_time(job);
    else
        find_leak_in_file(job, data);
    json_decref(data);
    warn_of_recipe(job);
    if (job->eval.warning[0] != 0)
        (void)fprintf(stderr, "eddy eval: warning: %s\n", job->eval.warning);
}

/* An option that changes nothing is said to. */
static void warn_of_request(const struct job *job)
{
    if (job->arguments->request_context && job->snapshot->context == NULL)
        (void)fprintf(stderr,
                      "eddy eval: --request-context tells %s nothing: it has not "
                      "learned from context columns\n",
                      job->arguments->model);
}

static int open_all(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_input_options input = {.interactions = arguments->interactions,
                                       .users = arguments->users,
                                       .skip_bad = arguments->skip_bad,
                                       .quiet = arguments->quiet};
    int r = eddy_model_open(arguments->model, &job->snapshot, err);
    if (r < 0)
        return r;
    input.known = job->snapshot->catalog;
    if ((r = eddy_inputs_open(&job->inputs, &input, err)) < 0 ||
        (r = eddy_split(&job->inputs.interactions, &job->split, &job->marks,
                        &job->eval.from_ms, err)) < 0)
        return r;
    job->eval.manifest = &job->snapshot->manifest;
    memcpy(job->eval.sha256, job->inputs.interactions.sha256, sizeof job->eval.sha256);
    warn_of_leaks(job);
    warn_of_request(job);
    if (job->inputs.users != NULL)
        eddy_model_warn_of_users("eval", job->arguments->model, job->snapshot);
    return 0;
}

static int make_exam(struct job *job, struct eddy_err *err)
{
    int r = read_rewards(job, err);
    if (r < 0)
        return r;
    struct eddy_exam_options options = exam_options(job);
    job->eval.exam = &job->exam;
    return eddy_exam_init(&job->exam, &job->inputs.interactions, job->marks, &options,
                          err);
}

static int ask_model(struct job *job, struct eddy_err *err)
{
    struct eddy_eval_contender *model = &job->eval.contenders[0];
    int r;
    (void)snprintf(model->name, sizeof model->name, "model");
    job->eval.contender_count = 1;
    r = eddy_eval_sit(&job->exam, job->snapshot, model, job->arguments->quiet, err);
    job->eval.training_items = job->exam.training_items > 0 ? job->exam.training_items
                                                            : model->result.known_items;
    return r;
}

static int ask_others(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_eval_rivals rivals = {.eval = &job->eval,
                                      .split = &job->split,
                                      .marks = job->marks,
                                      .train = arguments->train,
                                      .skip_bad = arguments->skip_bad,
                                      .quiet = arguments->quiet,
                                      .threads = (uint32_t)arguments->threads};
    int r = 0;
    for (size_t i = 0; r == 0 && i < arguments->against.count; i++)
        r = eddy_eval_ask_model(&rivals, arguments->against.values[i], err);
    if (r == 0 && arguments->baselines)
        r = eddy_eval_ask_baselines(&rivals, err);
    return r;
}

/* Users for items: a protocol of its own from here on. */
static int write_json(const struct eddy_buf *buf, struct eddy_err *err)
{
    if (!buf->failed && fwrite(buf->data, 1, buf->size, stdout) == buf->size)
        return 0;
    return eddy_fail(err, EDDY_EIO, "JSON could not be written: %s",
                     buf->failed ? "no memory" : strerror(errno));
}

static int eval_segments(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_user_queries users = {0};
    struct eddy_segments segments = {.snapshot = job->snapshot,
                                     .interactions = &job->inputs.interactions,
                                     .marks = job->marks,
                                     .threads = (uint32_t)arguments->threads,
                                     .resamples = job->eval.resamples,
                                     .seed = job->eval.seed,
                                     .baselines = arguments->baselines,
                                     .quiet = arguments->quiet};
    struct eddy_buf buf;
    int r = 0;
    if (job->inputs.users != NULL) {
        r = eddy_user_queries_init(&users, job->snapshot, job->inputs.users,
                                   job->inputs.interactions.users, err);
        segments.users = &users;
    }
    if (r == 0)
        r = eddy_segments_ask(&segments, err);
    eddy_buf_init(&buf, 0);
    if (r == 0 && arguments->json) {
        eddy_segments_json(&job->eval, &segments, &buf);
        r = write_json(&buf, err);
    } else if (r == 0) {
        eddy_segments_print(&job->eval, &segments);
    }
    eddy_buf_fini(&buf);
    eddy_segments_fini(&segments);
    eddy_user_queries_fini(&users);
    return r;
}

static int write_results(const struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_buf buf;
    int r = 0;
    eddy_buf_init(&buf, 0);
    if (arguments->json) {
        eddy_eval_json(&job->eval, &buf);
        r = write_json(&buf, err);
    } else {
        eddy_eval_print(&job->eval);
    }
    eddy_buf_clear(&buf);
    if (r == 0 && arguments->report != NULL) {
        eddy_eval_report(&job->eval, &buf);
        r = buf.failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for the report")
                       : eddy_file_write(arguments->report, eddy_buf_span(&buf), err);
    }
    eddy_buf_fini(&buf);
    return r;
}

static int eval(struct job *job, struct eddy_err *err)
{
    int r;
    r = open_all(job, err);
    if (r == 0 && job->split.protocol == EDDY_PROTOCOL_SEGMENTS)
        r = eval_segments(job, err);
    else if (r == 0 && (r = make_exam(job, err)) == 0 &&
             (r = ask_model(job, err)) == 0 && (r = ask_others(job, err)) == 0 &&
             (r = eddy_eval_estimate(&job->eval, err)) == 0)
        r = write_results(job, err);
    for (uint32_t k = 0; k < job->eval.contender_count; k++)
        eddy_exam_result_fini(&job->eval.contenders[k].result);
    eddy_exam_fini(&job->exam);
    free(job->item_rewards);
    free(job->marks);
    eddy_inputs_close(&job->inputs);
    if (job->snapshot != NULL)
        eddy_snapshot_release(job->snapshot);
    return r;
}

/* NULL, or what does not go together. */
static const char *contradiction(const struct arguments *arguments)
{
    bool timed = arguments->protocol == EDDY_PROTOCOL_SUCCESSIVE ||
                 arguments->protocol == EDDY_PROTOCOL_PREQUENTIAL;
    if (!timed && arguments->from_ms != INT64_MIN)
        return "--from TIME goes with --protocol successive or prequential";
    if (arguments->keep_seen && arguments->exclude_seen)
        return "--keep-seen and --exclude-seen together";
    if (arguments->request_context && arguments->protocol == EDDY_PROTOCOL_PREQUENTIAL)
        return "--request-context does not go with --protocol prequential, whose lists "
               "are made before the request";
    if (arguments->refresh_ms != 0 && arguments->protocol != EDDY_PROTOCOL_PREQUENTIAL)
        return "--refresh goes with --protocol prequential";
    if (arguments->half_life_ms != 0 && arguments->refresh_ms == 0)
        return "--half-life goes with --refresh";
    if (arguments->reward != NULL &&
        !eddy_protocol_asks_once((enum eddy_protocol)arguments->protocol))
        return "--reward goes with the protocols of one list per user";
    if (arguments->protocol == EDDY_PROTOCOL_SEGMENTS &&
        (arguments->against.count > 0 || arguments->report || arguments->reward ||
         arguments->train || arguments->keep_seen || arguments->exclude_seen ||
         arguments->request_context))
        return "--protocol segments asks for users: without --against, --report, "
               "--reward, --train, --keep-seen, --exclude-seen and --request-context";
    if (arguments->train != NULL && !arguments->baselines)
        return "--train is what --baselines are fitted on: give both";
    if (arguments->baselines && arguments->train == NULL &&
        (arguments->protocol == EDDY_PROTOCOL_SESSIONS ||
         (arguments->protocol == EDDY_PROTOCOL_PREQUENTIAL &&
          arguments->from_ms == INT64_MIN)))
        return "the file holds questions only: --baselines need --train FILE";
    if (arguments->against.count + EDDY_BASELINES + 1 > EDDY_EVAL_CONTENDERS)
        return "at most 9 models --against";
    return NULL;
}

int eddy_cmd_eval(int argc, char **argv)
{
    struct arguments arguments = {.threads = 2,
                                  .from_ms = INT64_MIN,
                                  .resamples = 1000,
                                  .seed = 1,
                                  .split_seed = 42};
    struct eddy_err err = {0};
    int code;
    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code))
        return code;
    if (contradiction(&arguments) != NULL)
        return eddy_args_fail("eval", "%s", contradiction(&arguments));
    if (arguments.half_life_ms == 0)
        arguments.half_life_ms = EDDY_HALF_LIFE_MS;
    const char *const read[] = {arguments.interactions, arguments.users,
                                arguments.train};
    code = eddy_inputs_output("eval", "--report", arguments.report, read,
                              sizeof read / sizeof *read);
    if (code != EDDY_EXIT_OK)
        return code;
    enum eddy_protocol protocol = (enum eddy_protocol)arguments.protocol;
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return EDDY_EXIT_SOFTWARE;
    job->arguments = &arguments;
    job->split = eddy_split_defaults(protocol);
    job->split.from_ms = arguments.from_ms;
    job->split.seed = (uint64_t)arguments.split_seed;
    job->eval.protocol = protocol;
    job->eval.interactions = arguments.interactions;
    job->eval.resamples = (uint32_t)arguments.resamples;
    job->eval.seed = (uint64_t)arguments.seed;
    job->eval.from_ms = INT64_MIN;
    bool excludes =
        protocol == EDDY_PROTOCOL_LOO || protocol == EDDY_PROTOCOL_COLD_ITEMS;
    job->eval.exclude_seen = excludes ? !arguments.keep_seen : arguments.exclude_seen;
    code = eval(job, &err) < 0 ? eddy_app_fail("eval", &err) : EDDY_EXIT_OK;
    free(job);
    return code;
}
