/* eddy train: interactions -> model. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/blas_core.h"
#include "app/checkpoint.h"
#include "app/event_options.h"
#include "app/group.h"
#include "app/option_rows.h"
#include "app/program.h"
#include "app/train_build.h"
#include "app/train_report.h"
#include "app/warm_start.h"
#include "core/split.h"
#include "io/files.h"
#include "io/scratch.h"

struct arguments {
    const char *interactions, *items, *users, *model, *recipe, *event_type, *warm_start,
        *scratch;
    struct eddy_arg_list schemas, columns, set, event_weight, threshold;
    int64_t seed, threads, hold_out, from_ms, checkpoint_s;
    bool skip_bad, quiet, json;
};
enum { HOLD_OUT_NONE = -1 };
/* Arrays below are not worth a file. */
enum { SCRATCH_THRESHOLD = 1 << 16 };

static const struct eddy_arg rows[] = {
    EDDY_INTERACTIONS_ROW(struct arguments, true),
    EDDY_METADATA_ROWS(struct arguments),
    {"schema", 0, EDDY_ARG_LIST, offsetof(struct arguments, schemas), "FILE",
     .help =
         "Amazon's Avro schema (JSON) of one of these files: every cell is checked against "
         "it, and categorical and textual columns are read as it says."},
    {"column", 0, EDDY_ARG_LIST, offsetof(struct arguments, columns), "NAME=KIND",
     .help =
         "Read a metadata column as categorical (values joined by |), numeric, text or "
         "ignored, whatever its values or a schema say; ITEMS.NAME or USERS.NAME where "
         "both files have it and one is meant. The first 32 columns of a file are read, and "
         "of a text its first 128 different words and parts of words: some 20 words."},
    EDDY_NEW_MODEL_ROW(struct arguments),
    {"scratch", 0, EDDY_ARG_TEXT, offsetof(struct arguments, scratch), "FOLDER",
     .help =
         "For more events than memory holds: what is per event lies in nameless files of "
         "FOLDER, some 100 bytes each, gone when the program ends; the same model. In "
         "memory stay about 250 bytes per user, per item its id and 36 bytes for each "
         "hidden dimension, the open batch (65 MB per thread), and what tables hold of the "
         "newest 4 million events, 2 GB at worst. Give -i a file: a pipe is read into "
         "memory."},
    EDDY_RECIPE_ROW(struct arguments),
    {"set", 0, EDDY_ARG_LIST, offsetof(struct arguments, set), "NAME=VALUE",
     .help = "A hyper-parameter of the recipe or a setting of training."},
    {"hold-out", 0, EDDY_ARG_CHOICE, offsetof(struct arguments, hold_out), "P",
     .help =
         "Leave out what `eddy eval --protocol P` asks about, so that the same file can be "
         "trained on and evaluated.",
     .choices = EDDY_PROTOCOL_CHOICES},
    {"from", 0, EDDY_ARG_TIME, offsetof(struct arguments, from_ms), "TIME",
     .help = "With --hold-out successive or prequential: the first time held out."},
    {"event-type", 0, EDDY_ARG_TEXT, offsetof(struct arguments, event_type), "TYPE",
     .help = "Train on rows of this EVENT_TYPE only."},
    {"event-value-threshold", 0, EDDY_ARG_LIST, offsetof(struct arguments, threshold),
     "N|TYPE=N",
     .help =
         "Train on rows whose EVENT_VALUE is at least N; with TYPE=N that holds for rows of "
         "this EVENT_TYPE, and others stay (or follow the N given besides). eval and "
         "recommend look at every row."},
    {"event-weight", 0, EDDY_ARG_LIST, offsetof(struct arguments, event_weight),
     "TYPE=W",
     .help =
         "Predict rows of this EVENT_TYPE with weight W, types not named not at all "
         "(they still are history); 10 at most."},
    {"warm-start", 0, EDDY_ARG_TEXT, offsetof(struct arguments, warm_start), "MODEL",
     .help =
         "Go on from this model's weights: learn the events newer than its own, and of "
         "the older ones those of a seventh of the users."},
    {"checkpoint", 0, EDDY_ARG_INT, offsetof(struct arguments, checkpoint_s), "SECONDS",
     .help =
         "At most so often MODEL.checkpoint is written, from which the same command goes "
         "on after a crash (default 60; 0: after every epoch; -1: never).",
     .min = -1, .max = 1e9},
    EDDY_SEED_ROW(struct arguments, "The same seed gives the same model (default 1)."),
    EDDY_THREADS_ROW(struct arguments),
    EDDY_SKIP_BAD_ROW(struct arguments),
    EDDY_JSON_ROW(struct arguments),
    EDDY_QUIET_ROW(struct arguments),
};

static const struct eddy_args command_line = {
    .command = "train",
    .usage = "-i INTERACTIONS [-I ITEMS] [-U USERS] -o MODEL [OPTIONS]",
    .about =
        "Learns a recipe from interactions and writes a model: model.safetensors,\n"
        "catalog.csv, manifest.json. Most recipes are a hierarchical recurrent network; the\n"
        "newest events by time are kept back to decide when to stop.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples =
        "  eddy train -i interactions.csv -I items.csv -o model --column YEAR=categorical\n"
        "  eddy train -i clicks.csv -o model --set hidden_dimension=64 "
        "--set dropout=0.5\n"
        "  eddy train -i ratings.csv -o model --hold-out loo       then: eddy eval\n"
        "  eddy train -i clicks.csv -o similar --recipe aws-sims\n"
        "  eddy train -i log.csv -o model --event-value-threshold rating=4\n"
        "  eddy train --set help          list the settings of training\n"
        "  mpirun -n 2 --bind-to none eddy train ...   the same model by two processes\n"
        "      (a build with cmake -DEDDY_MPI=ON; 2 or 4; on one machine or several)\n",
};

static void list_settings(void)
{
    for (size_t i = 0; i < eddy_train_option_count; i++) {
        const struct eddy_option *option = &eddy_train_option_table[i];
        char range[64] = "";
        if (option->choices != NULL)
            (void)snprintf(range, sizeof range, " (%s)", option->choices);
        else if (option->min < option->max)
            (void)snprintf(range, sizeof range, " (%.10g..%.10g)", option->min,
                           option->max);
        (void)printf("  --set %s=%s%s\n        %s\n", option->name, option->fallback,
                     range, option->help);
    }
    (void)printf(
        "A recipe's own hyper-parameters, which may have narrower ranges: eddy "
        "recipes NAME\n");
}

struct job {
    const struct arguments *arguments;
    struct eddy_group group;
    const struct eddy_recipe *recipe;
    struct eddy_recipe_options options;
    struct eddy_inputs inputs;
    struct eddy_select_counts dropped;
    uint64_t held_out;
    struct eddy_event_options events;
};

/* Leave out what is held out, of another type or value, of users or items beyond the
 * recipe's percentiles; then there must be enough. */
static int select_rows(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_interactions *in = &job->inputs.interactions;
    struct eddy_select_options select = {
        .event_type = arguments->event_type,
        .has_threshold = job->events.has_threshold,
        .threshold = job->events.threshold,
        .type_thresholds = job->events.thresholds,
        .type_threshold_count = job->events.threshold_count,
        .min_user_history = job->options.min_user_history,
        .max_user_history = job->options.max_user_history,
        .min_item_count = job->options.min_item_count,
        .max_item_count = job->options.max_item_count,
    };
    int r = 0;
    if (arguments->hold_out != HOLD_OUT_NONE) {
        struct eddy_split_options split =
            eddy_split_defaults((enum eddy_protocol)arguments->hold_out);
        split.from_ms = arguments->from_ms;
        r = eddy_split_hold_out(in, &split, NULL, &job->held_out, err);
    }
    if (r == 0)
        r = eddy_select(in, &select, &job->dropped, err);
    if (r == 0 && !job->options.train.allow_small)
        r = eddy_select_check(in, err);
    if (r == 0 && in->count == 0)
        r = eddy_fail(err, EDDY_EFORMAT, "%s: no row is left to train on",
                      arguments->interactions);
    return r;
}

/* What decides beside --set which rows and tables there are: a checkpoint keeps it, so that
 * a run that goes on with another value is told so. */
static void put_settings(const struct job *job, struct eddy_buf *out)
{
    const struct arguments *arguments = job->arguments;
    const struct eddy_recipe_options *options = &job->options;
    eddy_buf_puts(out, "program=");
    eddy_program_put(out);
    eddy_buf_printf(out, "\nrecipe=%s\n", job->recipe->name);
    for (size_t i = 0; i < arguments->columns.count; i++)
        eddy_buf_printf(out, "column %s\n", arguments->columns.values[i]);
    if (arguments->hold_out != HOLD_OUT_NONE)
        eddy_buf_printf(out, "hold-out=%s\n",
                        eddy_protocol_name((enum eddy_protocol)arguments->hold_out));
    if (arguments->from_ms != INT64_MIN)
        eddy_buf_printf(out, "from=%" PRId64 "\n", arguments->from_ms);
    if (arguments->event_type != NULL)
        eddy_buf_printf(out, "event-type=%s\n", arguments->event_type);
    eddy_event_options_put(&job->events, out);
    eddy_buf_printf(out,
                    "min_user_history_length_percentile=%.17g\n"
                    "max_user_history_length_percentile=%.17g\n"
                    "min_item_interaction_count_percentile=%.17g\n"
                    "max_item_interaction_count_percentile=%.17g\n",
                    options->min_user_history, options->max_user_history,
                    options->min_item_count, options->max_item_count);
}

static int save(const struct arguments *arguments,
                const struct eddy_model_source *source,
                const struct eddy_build_result *result,
                char ret_version[EDDY_SNAPSHOT_ID_SIZE], struct eddy_err *err)
{
    struct eddy_busy busy;
    eddy_busy_start(&busy, arguments->quiet);
    eddy_busy_step(&busy, "writing %s", arguments->model);
    int r = eddy_model_save(arguments->model, source, result, ret_version, err);
    eddy_busy_stop(&busy);
    return r;
}

/* Items up to which a step walks over all of them anyway (core/train.c). */
enum { FEW_ITEMS = 20000 };

/* What a catalogue of this size costs with metadata, where that may be a surprise. */
static void warn_of_items(const struct job *job)
{
    uint32_t items = eddy_catalog_count(job->inputs.interactions.items);
    if (!job->recipe->network || !job->recipe->item_metadata ||
        job->inputs.items == NULL || items <= FEW_ITEMS)
        return;
    (void)fprintf(
        stderr,
        "eddy train: %s: with metadata every step of training walks over all "
        "%u items (at 30,000 an epoch takes about twice as long as without, at "
        "more longer): leave out items that are not offered any more, or take "
        "fewer, larger steps (--set batch_users=256)\n",
        job->arguments->items, items);
}

static int train(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    struct eddy_build_inputs inputs = {
        .interactions = &job->inputs.interactions,
        .items = job->inputs.items,
        .users = job->inputs.users,
        .item_kinds = job->inputs.item_kinds,
        .user_kinds = job->inputs.user_kinds,
        .context_kinds = job->inputs.context_kinds,
    };
    struct eddy_build_result result;
    struct eddy_train_report report;
    struct eddy_checkpoint checkpoint;
    struct eddy_buf settings;
    char version[EDDY_SNAPSHOT_ID_SIZE];
    struct eddy_model_source source = {
        .recipe = job->recipe,
        .options = &job->options,
        .interactions = &job->inputs.interactions,
        .items = job->inputs.items,
        .events = &job->events,
        .hold_out = arguments->hold_out == HOLD_OUT_NONE
                        ? NULL
                        : eddy_protocol_name((enum eddy_protocol)arguments->hold_out),
    };
    bool leads = eddy_group_leads(&job->group);
    job->options.train.exchange = eddy_group_exchange(&job->group);
    if (leads && !arguments->quiet)
        warn_of_items(job);
    eddy_train_report_start(&report, arguments->quiet || !leads);
    eddy_buf_init(&settings, 0);
    put_settings(job, &settings);
    eddy_buf_putc(&settings, '\0');
    if (settings.failed) {
        eddy_train_report_stop(&report, &source.seconds, &source.cpu_seconds);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the settings");
    }
    eddy_checkpoint_open(&checkpoint, arguments->model, arguments->checkpoint_s,
                         settings.data, &report);
    job->options.train.keeper =
        arguments->checkpoint_s >= 0 && leads ? &checkpoint.keeper : NULL;
    const struct eddy_build_steps steps = {eddy_train_report_step, &report};
    int r = eddy_train_build(&inputs, job->recipe, &job->options, &steps,
                             eddy_train_report_progress, &report, &result, err);
    eddy_buf_fini(&settings);
    eddy_train_report_stop(&report, &source.seconds, &source.cpu_seconds);
    source.learning = report.ledger.learning;
    source.learning_count = report.ledger.learning_count;
    if (r < 0) {
        eddy_checkpoint_close(&checkpoint, false);
        return r;
    }
    if (leads)
        r = save(arguments, &source, &result, version, err);
    eddy_checkpoint_close(&checkpoint, r == 0 && leads);
    if (r == 0 && leads) {
        struct eddy_train_summary summary = {
            .folder = arguments->model,
            .version = version,
            .inputs = &job->inputs,
            .source = &source,
            .result = &result,
            .dropped = job->dropped,
            .held_out = job->held_out,
            .network_cpu_seconds = report.ledger.cpu_seconds,
        };
        eddy_train_summary_print(&summary, arguments->json);
    }
    eddy_build_result_fini(&result);
    return r;
}

/* Recipe and settings from the command line. EDDY_EUSAGE. */
static int read_settings(struct job *job, struct eddy_err *err)
{
    const struct arguments *arguments = job->arguments;
    bool by_name = arguments->recipe != NULL;
    job->recipe =
        eddy_recipe_find(by_name ? arguments->recipe : "aws-user-personalization");
    if (job->recipe == NULL)
        return EDDY_EUSAGE; /* the names are longer than an error may be */
    if (eddy_recipe_options_init(&job->options, job->recipe, by_name, err) < 0 ||
        eddy_recipe_options_set(&job->options, job->recipe, by_name, &arguments->set,
                                err) < 0)
        return EDDY_EUSAGE;
    job->options.train.seed = (uint64_t)arguments->seed;
    job->options.train.threads = arguments->threads;
    int r = eddy_event_options_read(&job->events, &arguments->event_weight,
                                    &arguments->threshold, arguments->event_type, err);
    job->options.train.event_weights = job->events.weights;
    job->options.train.event_weight_count = job->events.weight_count;
    return r < 0 ? EDDY_EUSAGE : 0;
}

int eddy_cmd_train(int argc, char **argv)
{
    struct arguments arguments = {.seed = 1,
                                  .checkpoint_s = 60,
                                  .threads = 2,
                                  .hold_out = HOLD_OUT_NONE,
                                  .from_ms = INT64_MIN};
    struct job job = {.arguments = &arguments};
    struct eddy_err err = {0};
    int code;

    if (argc == 3 && strcmp(argv[1], "--set") == 0 && strcmp(argv[2], "help") == 0) {
        list_settings();
        return EDDY_EXIT_OK;
    }
    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code))
        return code;
    if (read_settings(&job, &err) < 0) {
        if (job.recipe == NULL)
            return eddy_args_fail("train", "there is no recipe \"%s\"; known: %s",
                                  arguments.recipe, eddy_recipe_names());
        return eddy_args_fail("train", "%s", err.text);
    }
    if (arguments.hold_out == EDDY_PROTOCOL_SESSIONS)
        return eddy_args_fail("train",
                              "--hold-out sessions: that protocol asks about a "
                              "test file of its own; train on all of this one");
    if (arguments.from_ms != INT64_MIN && arguments.hold_out == HOLD_OUT_NONE)
        return eddy_args_fail("train", "--from TIME goes with --hold-out");
    if (arguments.from_ms != INT64_MIN &&
        arguments.hold_out != EDDY_PROTOCOL_SUCCESSIVE &&
        arguments.hold_out != EDDY_PROTOCOL_PREQUENTIAL)
        return eddy_args_fail("train", "--from TIME goes with --hold-out successive or "
                                       "prequential");
    eddy_blas_core_ensure();
    int r = eddy_group_start(&job.group, &err);
    bool several = eddy_group_exchange(&job.group) != NULL;
    if (r == 0 && several && strcmp(arguments.interactions, "-") == 0)
        r = eddy_fail(&err, EDDY_EUSAGE,
                      "-i -: only one process has standard input; give a file");
    struct eddy_spill spill;
    if (r == 0 && eddy_group_leads(&job.group))
        r = eddy_snapshot_place_check(arguments.model, &err);
    if (r == 0 && arguments.scratch != NULL)
        r = eddy_scratch_init(&spill, arguments.scratch, SCRATCH_THRESHOLD, &err);
    eddy_blas_core_report("train", arguments.quiet || !eddy_group_leads(&job.group));
    struct eddy_input_options input = {.interactions = arguments.interactions,
                                       .items = arguments.items,
                                       .users = arguments.users,
                                       .schemas = &arguments.schemas,
                                       .columns = &arguments.columns,
                                       .skip_bad = arguments.skip_bad,
                                       .quiet = arguments.quiet ||
                                                !eddy_group_leads(&job.group),
                                       .spill = arguments.scratch ? &spill : NULL};
    if (r == 0)
        r = eddy_inputs_open(&job.inputs, &input, &err);
    if (r == 0 && eddy_group_leads(&job.group))
        eddy_inputs_warn(&job.inputs, "train", &input);
    if (r == 0)
        r = select_rows(&job, &err);
    struct eddy_warm_start warm = {0};
    if (r == 0 && arguments.warm_start != NULL)
        r = eddy_warm_start_open(&warm, arguments.warm_start, &job.inputs.interactions,
                                 &arguments.set, &job.options.train, &err);
    if (r == 0)
        r = train(&job, &err);
    eddy_warm_start_close(&warm);
    eddy_inputs_close(&job.inputs);
    return eddy_group_end(&job.group,
                          r < 0 ? eddy_app_fail("train", &err) : EDDY_EXIT_OK);
}
