/* eddy tune: search of hyper-parameters by training many times. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/option_rows.h"
#include "app/tune_search.h"
#include "io/files.h"

struct arguments {
    const char *interactions, *items, *users, *model, *recipe, *config, *folder;
    struct eddy_arg_list ranges;
    int64_t jobs, parallel, seed, threads;
    bool resume, json, quiet;
};

static const struct eddy_arg rows[] = {
    EDDY_INTERACTIONS_ROW(struct arguments, true),
    EDDY_METADATA_ROWS(struct arguments),
    EDDY_NEW_MODEL_ROW(struct arguments),
    EDDY_RECIPE_ROW(struct arguments),
    {"hpo-config", 0, EDDY_ARG_TEXT, offsetof(struct arguments, config), "FILE",
     .help = "Amazon's hpoConfig as JSON: ranges and limits of jobs."},
    {"range", 0, EDDY_ARG_LIST, offsetof(struct arguments, ranges), "RANGE",
     .help = "NAME=MIN..MAX or NAME=A|B: a hyper-parameter to search, or a setting of "
             "training (learning_rate, dropout, layers, cell, mode, ...). Without any: "
             "all that the recipe allows."},
    {"jobs", 0, EDDY_ARG_INT, offsetof(struct arguments, jobs), "N",
     .help = "Trainings in all (default 10).", .min = 1, .max = EDDY_TUNE_JOBS},
    {"parallel", 0, EDDY_ARG_INT, offsetof(struct arguments, parallel), "N",
     .help = "Trainings at once (default 1).", .min = 1, .max = EDDY_TUNE_PARALLEL},
    {"threads", 0, EDDY_ARG_INT, offsetof(struct arguments, threads), "N",
     .help = "Of each training (default: the CPUs, shared by --parallel).", .min = 1,
     .max = 64},
    EDDY_SEED_ROW(struct arguments,
                  "The same seed searches the same points (default 1)."),
    {"folder", 0, EDDY_ARG_TEXT, offsetof(struct arguments, folder), "FOLDER",
     .help = "Trials, logs and the model in the lead (default: MODEL.tune)."},
    {"resume", 0, EDDY_ARG_FLAG, offsetof(struct arguments, resume), NULL,
     .help = "Go on with the search in the folder; nothing is trained twice."},
    EDDY_JSON_ROW(struct arguments),
    EDDY_QUIET_ROW(struct arguments),
};

static const struct eddy_args command_line = {
    .command = "tune",
    .usage =
        "-i INTERACTIONS [-I ITEMS] [-U USERS] -o MODEL [OPTIONS] [-- TRAIN-OPTIONS]",
    .about =
        "Searches hyper-parameters by training many times, as Amazon's performHPO does: a\n"
        "few random points, then points near the good ones (tree-structured Parzen\n"
        "estimator). Job 1 takes the defaults, so that the best is never worse. What counts\n"
        "is NDCG@10 on the validation events that training keeps back, of the lists as they\n"
        "would be served; for recipes without a network: on the last tenth of the time, and\n"
        "the best is then trained on everything. The best model is kept. Options of\n"
        "`eddy train` may follow --.\n"
        "Tune rarely, then reuse the values.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .operand = "TRAIN-OPTION",
    .operand_max = EDDY_ARG_LIST_MAX,
    .examples =
        "  eddy tune -i clicks.csv -o model --recipe aws-hrnn --jobs 4 --parallel 2\n"
        "  eddy tune -i clicks.csv -o model --hpo-config hpo.json --resume\n"
        "  eddy tune -i clicks.csv -o model --range hidden_dimension=32..128 \\\n"
        "      --range learning_rate=3e-4..5e-3 -- --hold-out loo --set epochs=10\n",
};

static int make_plan(const struct arguments *arguments, struct eddy_tune_plan *plan,
                     struct eddy_err *err)
{
    int r = 0;
    if (arguments->config != NULL) {
        struct eddy_file file;
        if ((r = eddy_file_open(arguments->config, &file, err)) < 0)
            return r;
        r = eddy_tune_plan_read(plan, file.bytes, arguments->config, err);
        eddy_file_close(&file);
    }
    for (size_t i = 0; r == 0 && i < arguments->ranges.count; i++)
        r = eddy_tune_plan_add(plan, arguments->ranges.values[i], err);
    if (r == 0 && plan->space.count == 0)
        r = eddy_tune_plan_default(plan, err);
    if (arguments->jobs > 0)
        plan->jobs = arguments->jobs;
    if (arguments->parallel > 0)
        plan->parallel = arguments->parallel;
    plan->jobs = plan->jobs > 0 ? plan->jobs : 10;
    plan->parallel = plan->parallel > 0 ? plan->parallel : 1;
    if (plan->parallel > plan->jobs)
        plan->parallel = plan->jobs;
    return r;
}

static void put_trial(const struct eddy_tune_search *search, uint32_t job,
                      struct eddy_buf *out)
{
    const struct eddy_tune_trial *trial = &search->trials[job];
    eddy_buf_printf(out, "%s{\"job\":%u,\"hyperParameters\":", job > 0 ? "," : "",
                    job + 1);
    eddy_tune_put_point(&search->plan->space, trial->at, out);
    eddy_buf_puts(out, ",\"value\":");
    eddy_buf_put_fixed(out, trial->state == EDDY_TUNE_DONE ? trial->value : (double)NAN,
                       6);
    eddy_buf_printf(out, ",\"seconds\":%.2f}", search->records[job].seconds);
}

static void put_json(const struct eddy_tune_search *search, uint32_t best,
                     struct eddy_buf *out)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; i < search->jobs; i++)
        failed += search->trials[i].state == EDDY_TUNE_FAILED;
    eddy_buf_puts(out, "{\"tunedHPOParams\":{\"algorithmHyperParameters\":");
    eddy_tune_put_point(&search->plan->space, search->trials[best].at, out);
    eddy_buf_printf(out, "},\"recipe\":\"%s\",\"objective\":\"%s\",\"value\":",
                    search->plan->recipe->name, search->records[best].objective);
    eddy_buf_put_fixed(out, search->trials[best].value, 6);
    eddy_buf_printf(out,
                    ",\"best_job\":%u,\"jobs\":%u,\"failed\":%u,\"resumed\":%u,"
                    "\"model\":\"%s\",\"trials\":[",
                    best + 1, search->jobs, failed, search->resumed, search->version);
    for (uint32_t i = 0; i < search->jobs; i++)
        put_trial(search, i, out);
    eddy_buf_puts(out, "]}\n");
}

static void put_text(const struct eddy_tune_search *search, uint32_t best,
                     struct eddy_buf *out)
{
    const struct eddy_tune_space *space = &search->plan->space;
    int widths[EDDY_TUNE_DIMENSIONS];
    eddy_buf_printf(out, "  %3s  %8s  %8s", "job", "NDCG@10", "seconds");
    for (uint32_t d = 0; d < space->count; d++) {
        widths[d] = (int)strlen(space->dimensions[d].name);
        widths[d] = widths[d] < 8 ? 8 : widths[d];
        eddy_buf_printf(out, "  %*s", widths[d], space->dimensions[d].name);
    }
    eddy_buf_putc(out, '\n');
    for (uint32_t i = 0; i < search->jobs; i++) {
        const struct eddy_tune_trial *trial = &search->trials[i];
        eddy_buf_printf(out, "%c %3u  ", i == best ? '*' : ' ', i + 1);
        if (trial->state == EDDY_TUNE_DONE)
            eddy_buf_printf(out, "%8.4f", trial->value);
        else
            eddy_buf_printf(out, "%8s", "failed");
        eddy_buf_printf(out, "  %8.1f", search->records[i].seconds);
        for (uint32_t d = 0; d < space->count; d++) {
            char text[EDDY_TUNE_TEXT];
            eddy_tune_format(&space->dimensions[d], trial->at[d], text);
            eddy_buf_printf(out, "  %*s", widths[d], text);
        }
        eddy_buf_putc(out, '\n');
    }
    eddy_buf_printf(out, "\nbest: job %u, %s %.4f; model %s in %s\n", best + 1,
                    search->records[best].objective, search->trials[best].value,
                    search->version, search->options->model);
    eddy_buf_puts(out, "{\"tunedHPOParams\":{\"algorithmHyperParameters\":");
    eddy_tune_put_point(space, search->trials[best].at, out);
    eddy_buf_puts(out, "}}\n");
}

static int search_and_print(const struct arguments *arguments,
                            const struct eddy_tune_options *options,
                            const struct eddy_tune_plan *plan, struct eddy_err *err)
{
    static struct eddy_tune_search search;
    struct eddy_buf out;
    int r = eddy_tune_search_run(&search, options, plan, err);
    if (r < 0)
        return r;
    uint32_t best = eddy_tune_best(search.trials, search.jobs);
    eddy_buf_init(&out, 0);
    if (arguments->json)
        put_json(&search, best, &out);
    else
        put_text(&search, best, &out);
    if (out.failed)
        r = eddy_fail(err, EDDY_ENOMEM, "out of memory");
    else
        (void)fwrite(out.data, 1, out.size, stdout); /* main checks stdout */
    eddy_buf_fini(&out);
    return r;
}

/* The first word behind -- that every job is given by the search itself; NULL: none. */
static const char *own_option(const struct eddy_arg_list *more)
{
    static const char *const own[] = {
        "-i",      "-I",      "-U",      "-o",      "--interactions",
        "--items", "--users", "--model", "--recipe"};
    for (size_t i = 0; i < more->count; i++) {
        size_t size = strcspn(more->values[i], "=");
        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            if (strlen(own[k]) == size && memcmp(own[k], more->values[i], size) == 0)
                return own[k];
    }
    return NULL;
}

int eddy_cmd_tune(int argc, char **argv)
{
    struct arguments arguments = {.seed = 1};
    struct eddy_arg_list more = {.count = 0};
    struct eddy_tune_plan plan = {.jobs = 0};
    struct eddy_err err = {0};
    char folder[4096];
    int code;

    if (!eddy_args_parse(&command_line, argc, argv, &arguments, &more, &code))
        return code;
    if (own_option(&more) != NULL)
        return eddy_args_fail("tune", "%s goes before --: every job has the same",
                              own_option(&more));
    plan.by_name = arguments.recipe != NULL;
    plan.recipe =
        eddy_recipe_find(plan.by_name ? arguments.recipe : "aws-user-personalization");
    if (plan.recipe == NULL)
        return eddy_args_fail("tune", "there is no recipe \"%s\"; known: %s",
                              arguments.recipe, eddy_recipe_names());
    for (size_t i = 0; i < more.count && !plan.recipe->network; i++)
        if (strncmp(more.values[i], "--hold-out", 10) == 0)
            return eddy_args_fail("tune",
                                  "--hold-out: the search of %s holds out itself",
                                  plan.recipe->name);
    if (strcmp(arguments.interactions, "-") == 0)
        return eddy_args_fail("tune", "-i: give a file; every job reads it again");
    int r = make_plan(&arguments, &plan, &err);
    if (r < 0)
        return r == EDDY_ECONFIG ? eddy_args_fail("tune", "%s", err.text)
                                 : eddy_app_fail("tune", &err);
    if (plan.objective_given)
        (void)fprintf(stderr, "eddy tune: hpoObjective is not used: what counts is "
                              "NDCG@10 on the validation events\n");
    size_t size = strlen(arguments.model);
    while (size > 1 && arguments.model[size - 1] == '/')
        size--;
    if ((size_t)snprintf(folder, sizeof folder, "%.*s.tune", (int)size,
                         arguments.model) >= sizeof folder)
        return eddy_args_fail("tune", "-o: the path is too long");
    int64_t cpus = (int64_t)sysconf(_SC_NPROCESSORS_ONLN) / plan.parallel;
    struct eddy_tune_options options = {
        .interactions = arguments.interactions,
        .items = arguments.items,
        .users = arguments.users,
        .model = arguments.model,
        .folder = arguments.folder ? arguments.folder : folder,
        .more = &more,
        .seed = arguments.seed,
        .threads = arguments.threads > 0 ? arguments.threads
                   : cpus < 1            ? 1
                                         : cpus,
        .resume = arguments.resume,
        .quiet = arguments.quiet,
    };
    r = eddy_snapshot_place_check(arguments.model, &err);
    if (r == 0)
        r = search_and_print(&arguments, &options, &plan, &err);
    return r < 0 ? eddy_app_fail("tune", &err) : EDDY_EXIT_OK;
}
