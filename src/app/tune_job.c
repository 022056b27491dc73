/* The processes of a search: command lines, and summaries read back.
 *
 * Training of a network keeps validation events back and says in its summary how well they
 * were predicted, by the lists that users would get (with tables beside the network, the
 * blend of both). Recipes that only count keep nothing back: for them a job trains on the
 * first nine tenths of the time and `eddy eval` asks about the last. */
#include "app/tune_job.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "app/self.h"

enum { PATH_SIZE = 4096 };
_Static_assert(32 + 2 * EDDY_TUNE_DIMENSIONS + EDDY_ARG_LIST_MAX <= EDDY_WORDS_MAX,
               "room for every option of a job");

bool eddy_tune_job_asks(const struct eddy_tune_plan *plan)
{
    return !plan->recipe->network;
}

void eddy_tune_job_path(const struct eddy_tune_search *search, uint32_t job,
                        const char *suffix, char ret[4096])
{
    (void)snprintf(ret, PATH_SIZE, "%s/job-%02u%s", search->options->folder, job + 1,
                   suffix);
}

static void put_training(const struct eddy_tune_search *search, uint32_t job,
                         bool hold_out, struct eddy_words *words)
{
    const struct eddy_tune_options *options = search->options;
    const struct eddy_tune_space *space = &search->plan->space;
    char text[PATH_SIZE], value[EDDY_TUNE_TEXT];
    eddy_words_add(words, "train");
    eddy_words_option(words, "-i", options->interactions);
    eddy_words_option(words, "-I", options->items);
    eddy_words_option(words, "-U", options->users);
    eddy_tune_job_path(search, job, "", text);
    eddy_words_option(words, "-o", text);
    if (search->plan->by_name)
        eddy_words_option(words, "--recipe", search->plan->recipe->name);
    (void)snprintf(text, sizeof text, "%lld", (long long)options->seed);
    eddy_words_option(words, "--seed", text);
    (void)snprintf(text, sizeof text, "%lld", (long long)options->threads);
    eddy_words_option(words, "--threads", text);
    if (hold_out)
        eddy_words_option(words, "--hold-out", "successive");
    eddy_words_add(words, "--json");
    eddy_words_add(words, "--quiet");
    for (size_t i = 0; i < options->more->count; i++)
        eddy_words_add(words, options->more->values[i]);
    for (uint32_t d = 0; d < space->count; d++) {
        eddy_tune_format(&space->dimensions[d], search->trials[job].at[d], value);
        (void)snprintf(text, sizeof text, "%s=%s", space->dimensions[d].name, value);
        eddy_words_option(words, "--set", text);
    }
}

static void put_question(const struct eddy_tune_search *search, uint32_t job,
                         struct eddy_words *words)
{
    char text[PATH_SIZE];
    eddy_words_add(words, "eval");
    eddy_tune_job_path(search, job, "", text);
    eddy_words_option(words, "-m", text);
    eddy_words_option(words, "-i", search->options->interactions);
    eddy_words_option(words, "--protocol", "successive");
    for (size_t i = 0; i < search->options->more->count; i++)
        if (strcmp(search->options->more->values[i], "--skip-bad") == 0)
            eddy_words_add(words, "--skip-bad");
    eddy_words_add(words, "--json");
    eddy_words_add(words, "--quiet");
}

int eddy_tune_job_start(const struct eddy_tune_search *search, uint32_t job,
                        enum eddy_tune_stage stage, pid_t *ret_pid,
                        struct eddy_err *err)
{
    struct eddy_words words = {.count = 0};
    struct eddy_err why = {0};
    char output[PATH_SIZE], log[PATH_SIZE];
    bool asks = stage == EDDY_TUNE_ASK;
    if (asks)
        put_question(search, job, &words);
    else
        put_training(search, job,
                     stage == EDDY_TUNE_TRAIN && eddy_tune_job_asks(search->plan),
                     &words);
    eddy_tune_job_path(search, job, asks ? ".eval.json" : ".json", output);
    eddy_tune_job_path(search, job, ".log", log);
    int r = eddy_self_start(&words, output, log, ret_pid, &why);
    eddy_words_fini(&words);
    return r < 0 ? eddy_fail(err, r, "job %u: %.200s", job + 1, why.text) : 0;
}

/* ---- what it said ---------------------------------------------------------------- */

static bool take_value(const json_t *value, const char *name,
                       struct eddy_tune_trial *trial, struct eddy_tune_record *record)
{
    if (!json_is_number(value) || !isfinite(json_number_value(value)) ||
        json_number_value(value) < 0)
        return false;
    trial->value = json_number_value(value);
    (void)snprintf(record->objective, sizeof record->objective, "%s", name);
    return true;
}

static bool read_training(const json_t *summary, struct eddy_tune_trial *trial,
                          struct eddy_tune_record *record)
{
    static const char *const names[] = {"head_on_ndcg_at_10", "validation_ndcg_at_10"};
    for (int i = 0; i < 2; i++)
        if (take_value(json_object_get(summary, names[i]), names[i], trial, record))
            return true;
    return false;
}

void eddy_tune_job_read(const struct eddy_tune_search *search, uint32_t job,
                        enum eddy_tune_stage stage, int status,
                        struct eddy_tune_trial *trial, struct eddy_tune_record *record)
{
    char path[PATH_SIZE];
    trial->state = EDDY_TUNE_FAILED;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        eddy_tune_job_path(search, job, ".log", path);
        eddy_self_failure(path, status, record->failure, sizeof record->failure);
        return;
    }
    bool asks = stage == EDDY_TUNE_ASK;
    eddy_tune_job_path(search, job, asks ? ".eval.json" : ".json", path);
    json_t *root = json_load_file(path, 0, NULL);
    const char *version = json_string_value(json_object_get(root, "model"));
    (void)snprintf(record->version, sizeof record->version, "%s",
                   version ? version : "");
    if (asks ? take_value(json_object_get(json_object_get(root, "ndcg@10"), "mean"),
                          "successive_ndcg_at_10", trial, record)
             : read_training(root, trial, record))
        trial->state = EDDY_TUNE_DONE;
    else
        (void)snprintf(record->failure, sizeof record->failure,
                       "no validation figure in the summary of eddy %s",
                       asks ? "eval" : "train");
    json_decref(root);
}
