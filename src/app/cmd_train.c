/* eddy train: interactions -> model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/blas_core.h"
#include "app/inputs.h"
#include "app/model.h"
#include "app/progress.h"
#include "base/clock.h"

struct arguments {
    const char *interactions, *items, *users, *model, *recipe;
    struct eddy_arg_list set;
    int64_t seed, threads;
    bool skip_bad, quiet, json;
};

static const struct eddy_arg rows[] = {
    {"interactions", 'i', EDDY_ARG_TEXT, offsetof(struct arguments, interactions),
     "FILE",
     .help =
         "CSV with USER_ID, ITEM_ID, TIMESTAMP and, if you like, EVENT_TYPE, EVENT_VALUE",
     .required = true},
    {"items", 'I', EDDY_ARG_TEXT, offsetof(struct arguments, items), "FILE",
     .help = "CSV with ITEM_ID and metadata columns"},
    {"users", 'U', EDDY_ARG_TEXT, offsetof(struct arguments, users), "FILE",
     .help =
         "CSV with USER_ID and metadata columns (checked; these recipes do not use it)"},
    {"model", 'o', EDDY_ARG_TEXT, offsetof(struct arguments, model), "FOLDER",
     .help = "where the model goes; an older one there is replaced", .required = true},
    {"recipe", 0, EDDY_ARG_TEXT, offsetof(struct arguments, recipe), "NAME",
     .help = "aws-user-personalization (default) or aws-hrnn: the same network"},
    {"set", 0, EDDY_ARG_LIST, offsetof(struct arguments, set), "NAME=VALUE",
     .help = "a setting of training, see below; may be repeated"},
    {"seed", 0, EDDY_ARG_INT, offsetof(struct arguments, seed), "N",
     .help = "the same seed gives the same model (default 1)", .max = 9e15},
    {"threads", 0, EDDY_ARG_INT, offsetof(struct arguments, threads), "N",
     .help = "threads to train on (default 2); the model does not depend on it",
     .min = 1, .max = 64},
    {"skip-bad", 0, EDDY_ARG_FLAG, offsetof(struct arguments, skip_bad), NULL,
     .help = "leave bad rows out and count them instead of stopping at the first"},
    {"json", 0, EDDY_ARG_FLAG, offsetof(struct arguments, json), NULL,
     .help = "summary as JSON on standard output"},
    {"quiet", 'q', EDDY_ARG_FLAG, offsetof(struct arguments, quiet), NULL,
     .help = "no progress"},
};

static const struct eddy_args command_line = {
    .command = "train",
    .usage = "-i INTERACTIONS [-I ITEMS] [-U USERS] -o MODEL [OPTIONS]",
    .about =
        "Learns a hierarchical recurrent network from interactions and writes a model:\n"
        "model.safetensors, catalog.csv, manifest.json. The newest events by time are kept\n"
        "back to decide when to stop.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy train -i interactions.csv -I items.csv -o model\n"
                "  eddy train -i clicks.csv -o model --set hidden_dimension=64 "
                "--set dropout=0.5\n"
                "  eddy train --set help          list the settings\n",
};

struct report {
    struct eddy_progress progress;
    uint64_t start_ns, epoch_ns, epoch_cpu_ns, epoch_events;
};

static void say_epoch(struct report *report, const struct eddy_train_progress *now)
{
    uint64_t wall = eddy_monotonic_ns(), cpu = eddy_process_cpu_ns();
    double seconds = (double)(wall - report->epoch_ns) / 1e9;
    double cpu_seconds = (double)(cpu - report->epoch_cpu_ns) / 1e9;
    char validation[96] = "";

    if (now->validation_ndcg >= 0)
        (void)snprintf(validation, sizeof validation,
                       "  validation NDCG@10 %.4f HR@10 %.4f%s", now->validation_ndcg,
                       now->validation_hr, now->best_epoch == now->epoch ? " *" : "");
    eddy_progress_say(&report->progress,
                      "epoch %2u  loss %.4f%s  %.0f events/s  %.1f s  %.1f CPU-s",
                      now->epoch, now->loss, validation,
                      (double)(now->events - report->epoch_events) / seconds, seconds,
                      cpu_seconds);
    report->epoch_ns = wall;
    report->epoch_cpu_ns = cpu;
    report->epoch_events = now->events;
}

static bool on_progress(void *context, const struct eddy_train_progress *now)
{
    struct report *report = context;
    char note[96];
    if (now->epoch_done) {
        say_epoch(report, now);
        return true;
    }
    if (now->epoch == 1 && now->fraction > 0)
        report->progress.total =
            (uint64_t)((double)now->events / now->fraction * now->epochs);
    if (now->best_ndcg < 0)
        (void)snprintf(note, sizeof note, "epoch %u/%u loss %.3f", now->epoch,
                       now->epochs, now->loss);
    else
        (void)snprintf(note, sizeof note, "epoch %u/%u loss %.3f best %.4f in %u",
                       now->epoch, now->epochs, now->loss, now->best_ndcg,
                       now->best_epoch);
    eddy_progress_update(&report->progress, now->events, note);
    return true;
}

static void list_settings(void)
{
    struct eddy_train_options options;
    eddy_train_options_init(&options);
    for (size_t i = 0; i < eddy_train_option_count; i++) {
        const struct eddy_option *option = &eddy_train_option_table[i];
        char range[64] = "";
        if (option->choices != NULL)
            (void)snprintf(range, sizeof range, " (%s)", option->choices);
        else if (option->min < option->max)
            (void)snprintf(range, sizeof range, " (%g..%g)", option->min, option->max);
        (void)printf("  --set %s=%s%s\n        %s\n", option->name, option->fallback,
                     range, option->help);
    }
}

/* "NAME=VALUE" settings into options. */
static int apply_settings(const struct arguments *arguments,
                          struct eddy_train_options *options, struct eddy_err *err)
{
    struct eddy_option_group group = {"train", eddy_train_option_table,
                                      eddy_train_option_count, options};
    struct eddy_conf *conf = eddy_conf_new(&group, 1, err);
    int r = conf ? 0 : EDDY_ENOMEM;

    for (size_t i = 0; r == 0 && i < arguments->set.count; i++) {
        const char *text = arguments->set.values[i];
        const char *equals = strchr(text, '=');
        char name[64];
        size_t size = equals ? (size_t)(equals - text) : 0;
        if (equals == NULL || size == 0 || size >= sizeof name) {
            r = eddy_fail(err, EDDY_EUSAGE,
                          "--set %s: write NAME=VALUE, e.g. --set dropout=0.5", text);
            break;
        }
        memcpy(name, text, size);
        name[size] = '\0';
        char where[80];
        (void)snprintf(where, sizeof where, "--set %s", name);
        r = eddy_conf_set(conf, name, equals + 1, EDDY_FROM_COMMAND_LINE, where, err);
    }
    eddy_conf_free(conf);
    return r;
}

static void print_summary(const struct arguments *arguments,
                          const struct eddy_inputs *inputs,
                          const struct eddy_train_result *result,
                          const struct eddy_model_source *source, const char *version)
{
    const struct eddy_interactions *in = &inputs->interactions;
    double peak = (double)eddy_peak_resident_bytes() / 1048576;
    double per_epoch = source->cpu_seconds / result->epochs;
    if (arguments->json) {
        (void)printf(
            "{\"model\":\"%s\",\"recipe\":\"%s\",\"events\":%llu,\"users\":%u,"
            "\"items\":%u,\"skipped\":%llu,\"users_file_rows\":%lld,\"epochs\":%u,"
            "\"best_epoch\":%u,\"loss\":%.6f,\"validation_events\":%llu,"
            "\"validation_ndcg_at_10\":%.6f,\"validation_hr_at_10\":%.6f,"
            "\"seconds\":%.2f,\"cpu_seconds\":%.2f,\"cpu_seconds_per_epoch\":%.2f,"
            "\"gflops\":%.1f,\"peak_resident_mib\":%.0f,\"blas_core\":\"%s\"}\n",
            version, source->recipe, (unsigned long long)in->count,
            eddy_catalog_count(in->users), eddy_catalog_count(in->items),
            (unsigned long long)in->skipped, (long long)inputs->user_rows,
            result->epochs, result->best_epoch, result->loss,
            (unsigned long long)result->validation_events, result->best_ndcg,
            result->best_hr, source->seconds, source->cpu_seconds, per_epoch,
            result->flops / source->cpu_seconds / 1e9, peak, eddy_blas_core());
        return;
    }
    (void)printf("model %s (%s) in %s\n", version, source->recipe, arguments->model);
    (void)printf("  %llu events of %u users, %u items", (unsigned long long)in->count,
                 eddy_catalog_count(in->users), eddy_catalog_count(in->items));
    if (in->skipped > 0)
        (void)printf("; %llu bad rows left out", (unsigned long long)in->skipped);
    (void)printf("\n");
    if (inputs->user_rows >= 0)
        (void)printf("  %lld rows of users read; this recipe's lists do not use them\n",
                     (long long)inputs->user_rows);
    (void)printf("  %u epochs, best %u", result->epochs, result->best_epoch);
    if (result->validation_events > 0)
        (void)printf(", validation NDCG@10 %.4f HR@10 %.4f on %llu events",
                     result->best_ndcg, result->best_hr,
                     (unsigned long long)result->validation_events);
    (void)printf("\n  %.1f s, %.2f CPU-s per epoch, %.0f GFLOP/s per core (%s), peak "
                 "memory %.0f MiB\n",
                 source->seconds, per_epoch, result->flops / source->cpu_seconds / 1e9,
                 eddy_blas_core(), peak);
}

static int train(const struct arguments *arguments, struct eddy_model_source *source,
                 struct eddy_train_options *options, struct eddy_inputs *inputs,
                 struct eddy_err *err)
{
    struct eddy_train_result result = {0};
    struct report report = {0};
    char version[EDDY_SNAPSHOT_ID_SIZE];
    uint64_t cpu = eddy_process_cpu_ns();
    int r;

    report.start_ns = report.epoch_ns = eddy_monotonic_ns();
    report.epoch_cpu_ns = cpu;
    eddy_progress_init(&report.progress, "training", "events", 0, arguments->quiet);
    r = eddy_train(&inputs->interactions, options, on_progress, &report, &result, err);
    eddy_progress_clear(&report.progress);
    if (r < 0)
        return r;
    source->seconds = (double)(eddy_monotonic_ns() - report.start_ns) / 1e9;
    source->cpu_seconds = (double)(eddy_process_cpu_ns() - cpu) / 1e9;
    r = eddy_model_save(arguments->model, source, &result, version, err);
    if (r == 0)
        print_summary(arguments, inputs, &result, source, version);
    eddy_train_result_fini(&result);
    return r;
}

int eddy_cmd_train(int argc, char **argv)
{
    struct arguments arguments = {
        .recipe = "aws-user-personalization", .seed = 1, .threads = 2};
    struct eddy_train_options options;
    struct eddy_inputs inputs = {0};
    struct eddy_err err = {0};
    int code;

    if (argc == 3 && strcmp(argv[1], "--set") == 0 && strcmp(argv[2], "help") == 0) {
        list_settings();
        return EDDY_EXIT_OK;
    }
    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code))
        return code;
    const char *recipe = eddy_recipe_find(arguments.recipe);
    if (recipe == NULL)
        return eddy_args_fail("train", "there is no recipe \"%s\"; known: %s",
                              arguments.recipe, eddy_recipe_names());
    eddy_train_options_init(&options);
    if (apply_settings(&arguments, &options, &err) < 0)
        return eddy_args_fail("train", "%s", err.text);
    options.seed = (uint64_t)arguments.seed;
    options.threads = arguments.threads;
    eddy_blas_core_ensure();
    eddy_blas_core_report("train", arguments.quiet);
    struct eddy_input_options input = {.interactions = arguments.interactions,
                                       .items = arguments.items,
                                       .users = arguments.users,
                                       .skip_bad = arguments.skip_bad};
    int r = eddy_inputs_open(&inputs, &input, &err);
    if (r == 0) {
        struct eddy_model_source source = {.recipe = recipe,
                                           .options = &options,
                                           .interactions = &inputs.interactions,
                                           .items = inputs.items};
        r = train(&arguments, &source, &options, &inputs, &err);
    }
    eddy_inputs_close(&inputs);
    return r < 0 ? eddy_app_fail("train", &err) : EDDY_EXIT_OK;
}
