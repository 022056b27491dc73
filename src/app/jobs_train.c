/* A solution version, in steps that each leave a file behind when they are done, so that who
 * takes it up again skips them:
 *
 *     inputs/       links to the datasets' files as they stand at the start, and their schemas
 *     train.json    eddy train on all of it -> model/     (performHPO: eddy tune, tune.json)
 *     held.json     eddy train --hold-out, for the metrics -> held/
 *     eval.json     eddy eval of that one: what GetSolutionMetrics answers
 *
 * The model that is kept has learned from everything; its metrics are those of a sister that
 * has not seen the answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/control.h"
#include "app/jobs_priv.h"
#include "app/solution_words.h"
#include "base/log.h"

static const struct input {
    const char *type, *name, *option;
} inputs[] = {{"INTERACTIONS", "interactions", "-i"},
              {"ITEMS", "items", "-I"},
              {"USERS", "users", "-U"}};
enum { INPUTS = sizeof inputs / sizeof *inputs };

struct training {
    struct eddy_job *job;
    const struct eddy_recipe *recipe;
    bool given[INPUTS];
    const json_t *tuned; /* hyper-parameters that a search has found, NULL: none */
};

/* FOLDER/inputs/NAME.SUFFIX */
static void input_path(const struct eddy_job *job, const char *folder,
                       const struct input *input, const char *suffix,
                       char ret[EDDY_PATH_SIZE])
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s/%s.%s", folder, input->name, suffix);
    eddy_job_path(job, name, ret);
}

/* ---- inputs ----------------------------------------------------------------------- */

/* Link a dataset's file and write its schema: DONE also where there is no such dataset. An
 * import may take the file away just then: it is looked up again. */
static enum eddy_job_end link_input(struct eddy_job *job, const struct input *input)
{
    enum { TRIES = 3 };
    const char *group = eddy_job_text(job->doc, "datasetGroupArn");
    char region[EDDY_REGION_SIZE], resource[EDDY_RESOURCE_SIZE], arn[EDDY_ARN_SIZE];
    char data[EDDY_PATH_SIZE], schema[EDDY_PATH_SIZE];
    struct eddy_err err = {0};
    enum eddy_job_end end = EDDY_JOB_FAILED;
    eddy_arn_region(group, region);
    (void)snprintf(resource, sizeof resource, "dataset/%s/%s", strrchr(group, '/') + 1,
                   input->type);
    eddy_arn_make(region, job->jobs->config->api.account, resource, arn);
    input_path(job, "inputs.part", input, "csv", data);
    input_path(job, "inputs.part", input, "schema", schema);
    for (int i = 0; i < TRIES && end == EDDY_JOB_FAILED; i++) {
        json_t *dataset = NULL;
        int r = eddy_job_read(job, arn, &dataset, NULL, &err);
        const char *file = json_string_value(json_object_get(dataset, "_data"));
        if (r < 0)
            end = EDDY_JOB_LEFT;
        else if (file == NULL)
            end = EDDY_JOB_DONE;
        else if (link(file, data) < 0 && errno != EEXIST)
            (void)eddy_job_fail(job, "%s: %s", file, strerror(errno));
        else if (eddy_file_write(
                     schema, eddy_span_of(eddy_job_text(dataset, "_schema")), &err) < 0)
            (void)eddy_job_fail(job, "%s", err.text);
        else
            end = EDDY_JOB_DONE;
        json_decref(dataset);
    }
    return end;
}

static enum eddy_job_end gather(struct training *training)
{
    struct eddy_job *job = training->job;
    char made[EDDY_PATH_SIZE], part[EDDY_PATH_SIZE], path[EDDY_PATH_SIZE];
    struct eddy_err err = {0};
    enum eddy_job_end end = EDDY_JOB_DONE;
    eddy_job_path(job, "inputs", made);
    eddy_job_path(job, "inputs.part", part);
    if (access(made, F_OK) < 0) {
        (void)eddy_remove_folder(part, NULL);
        if (eddy_make_folder(part, &err) < 0)
            return eddy_job_fail(job, "%s", err.text);
        for (int i = 0; end == EDDY_JOB_DONE && i < INPUTS; i++)
            end = link_input(job, &inputs[i]);
        if (end == EDDY_JOB_DONE && rename(part, made) < 0)
            end = eddy_job_fail(job, "%s: %s", made, strerror(errno));
    }
    const bool wanted[INPUTS] = {true, training->recipe->item_metadata,
                                 training->recipe->user_metadata};
    for (int i = 0; i < INPUTS; i++) {
        input_path(job, "inputs", &inputs[i], "csv", path);
        training->given[i] = wanted[i] && access(path, F_OK) == 0;
    }
    if (end == EDDY_JOB_DONE && !training->given[0])
        end = eddy_job_fail(job, "the dataset of interactions holds no data");
    return end;
}

/* ---- command lines ---------------------------------------------------------------- */

/* Files, recipe and how it runs; model: where it goes, below the folder. */
static void put_common(const struct training *training, const char *model,
                       struct eddy_words *words)
{
    const struct eddy_job *job = training->job;
    char path[EDDY_PATH_SIZE];
    for (int i = 0; i < INPUTS; i++) {
        input_path(job, "inputs", &inputs[i], "csv", path);
        if (training->given[i])
            eddy_words_option(words, inputs[i].option, path);
    }
    eddy_job_path(job, model, path);
    eddy_words_option(words, "-o", path);
    eddy_words_option(words, "--recipe", training->recipe->name);
    eddy_words_option(words, "--seed", "1");
    eddy_words_printf(words, "--threads=%lld",
                      (long long)job->jobs->config->api.threads);
    eddy_words_add(words, "--json");
    eddy_words_add(words, "--quiet");
}

/* What only training takes: schemas, and what the solution says. */
static void put_solution(const struct training *training, struct eddy_words *words)
{
    const struct eddy_job *job = training->job;
    struct eddy_aws_error error = {.type = NULL};
    char path[EDDY_PATH_SIZE];
    const char *name;
    json_t *value;
    for (int i = 0; i < INPUTS; i++) {
        input_path(job, "inputs", &inputs[i], "schema", path);
        if (training->given[i])
            eddy_words_printf(words, "--schema=%s", path);
    }
    if (eddy_solution_words(job->doc, words, &error) < 0)
        words->failed = true; /* it was accepted when the solution was made */
    json_object_foreach((json_t *)training->tuned, name, value)
    {
        eddy_words_printf(words, "--set=%s=%s", name, json_string_value(value));
    }
}

static enum eddy_job_end run_train(const struct training *training)
{
    struct eddy_words words = {.count = 0};
    eddy_words_add(&words, "train");
    put_common(training, "model", &words);
    put_solution(training, &words);
    return eddy_job_run(training->job, "train", &words);
}

/* ---- HPO -------------------------------------------------------------------------- */

/* Amazon's map holds texts. */
static json_t *texts_of(json_t *map)
{
    json_t *texts = json_object(), *value;
    const char *name;
    json_object_foreach(map, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        (void)json_object_set_new(texts, name,
                                  json_is_string(value) ? json_incref(value)
                                                        : json_string(text));
        free(text);
    }
    return texts;
}

static enum eddy_job_end run_tune(struct training *training)
{
    struct eddy_job *job = training->job;
    char config_path[EDDY_PATH_SIZE], folder[EDDY_PATH_SIZE];
    struct eddy_words words = {.count = 0};
    struct eddy_err err = {0};
    const json_t *config =
        json_object_get(json_object_get(job->doc, "solutionConfig"), "hpoConfig");
    char *text = config ? json_dumps(config, JSON_COMPACT) : strdup("{}");
    eddy_job_path(job, "hpo.json", config_path);
    eddy_job_path(job, "tune", folder);
    int r = text ? eddy_file_write(config_path, eddy_span_of(text), &err)
                 : eddy_fail(&err, EDDY_ENOMEM, "out of memory");
    free(text);
    if (r < 0)
        return eddy_job_fail(job, "%s", err.text);
    eddy_words_add(&words, "tune");
    put_common(training, "model", &words);
    eddy_words_option(&words, "--hpo-config", config_path);
    eddy_words_option(&words, "--folder", folder);
    if (access(folder, F_OK) == 0)
        eddy_words_add(&words, "--resume");
    eddy_words_add(&words, "--");
    put_solution(training, &words);
    enum eddy_job_end end = eddy_job_run(job, "tune", &words);
    json_t *output = end == EDDY_JOB_DONE ? eddy_job_output(job, "tune") : NULL;
    json_t *found = json_object_get(json_object_get(output, "tunedHPOParams"),
                                    "algorithmHyperParameters");
    if (found != NULL) {
        json_t *tuned = json_object();
        training->tuned = texts_of(found);
        (void)json_object_set_new(tuned, "algorithmHyperParameters",
                                  (json_t *)training->tuned);
        (void)json_object_set_new(job->doc, "tunedHPOParams", tuned);
    }
    json_decref(output);
    return end;
}

/* ---- metrics ---------------------------------------------------------------------- */

static const char *protocol_of(const struct training *training)
{
    return training->recipe->kind == EDDY_RECIPE_SEGMENT ? "segments"
                                                         : "solution-metrics";
}

static enum eddy_job_end run_held(const struct training *training)
{
    struct eddy_words words = {.count = 0};
    eddy_words_add(&words, "train");
    put_common(training, "held", &words);
    eddy_words_option(&words, "--hold-out", protocol_of(training));
    put_solution(training, &words);
    /* Enough in all may be too little without the answers. */
    eddy_words_add(&words, "--set=allow_small=true");
    return eddy_job_run(training->job, "held", &words);
}

static enum eddy_job_end run_eval(const struct training *training)
{
    struct eddy_words words = {.count = 0};
    const struct eddy_job *job = training->job;
    char path[EDDY_PATH_SIZE];
    eddy_words_add(&words, "eval");
    eddy_job_path(job, "held", path);
    eddy_words_option(&words, "-m", path);
    for (int i = 0; i < INPUTS; i += 2) { /* items are in the model */
        input_path(job, "inputs", &inputs[i], "csv", path);
        if (training->given[i])
            eddy_words_option(&words, inputs[i].option, path);
    }
    eddy_words_option(&words, "--protocol", protocol_of(training));
    eddy_words_option(&words, "--resamples", "0");
    eddy_words_printf(&words, "--threads=%lld",
                      (long long)job->jobs->config->api.threads);
    eddy_words_add(&words, "--json");
    eddy_words_add(&words, "--quiet");
    return eddy_job_run(training->job, "eval", &words);
}

/* A version without figures is a version: logs can be too small to ask about. */
static enum eddy_job_end measure(const struct training *training)
{
    struct eddy_job *job = training->job;
    enum eddy_job_end end = run_held(training);
    if (end == EDDY_JOB_DONE)
        end = run_eval(training);
    json_t *output = end == EDDY_JOB_DONE ? eddy_job_output(job, "eval") : NULL;
    json_t *metrics = json_object_get(output, "amazon");
    if (metrics != NULL)
        (void)json_object_set(job->doc, "_metrics", metrics);
    json_decref(output);
    if (end != EDDY_JOB_FAILED)
        return end;
    eddy_log(EDDY_LOG_WARN, "jobs", "", "%s: no metrics: %s", job->arn, job->reason);
    job->reason[0] = '\0';
    return EDDY_JOB_DONE;
}

/* ---- all of it -------------------------------------------------------------------- */

/* What only the steps needed. */
static void clean_up(const struct eddy_job *job)
{
    static const char *const left[] = {"inputs", "held", "tune"};
    char path[EDDY_PATH_SIZE];
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        eddy_job_path(job, left[i], path);
        (void)eddy_remove_folder(path, NULL);
    }
}

enum eddy_job_end eddy_job_train(struct eddy_job *job)
{
    struct training training = {.job = job, .recipe = eddy_solution_recipe(job->doc)};
    char model[EDDY_PATH_SIZE];
    double begin_s = json_number_value(json_object_get(job->doc, "_started"));
    if (training.recipe == NULL)
        return eddy_job_fail(job, "the recipe is not known to this version of eddy");
    enum eddy_job_end end = gather(&training);
    if (end == EDDY_JOB_DONE)
        end = json_is_true(json_object_get(job->doc, "performHPO"))
                  ? run_tune(&training)
                  : run_train(&training);
    if (end == EDDY_JOB_DONE)
        end = measure(&training);
    if (end != EDDY_JOB_DONE)
        return end;
    json_t *now = eddy_control_now();
    (void)json_object_set_new(job->doc, "trainingHours",
                              json_real((json_number_value(now) - begin_s) / 3600));
    json_decref(now);
    eddy_job_path(job, "model", model);
    (void)json_object_set_new(job->doc, "_model", json_string(model));
    clean_up(job);
    return EDDY_JOB_DONE;
}
