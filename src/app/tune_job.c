/* The processes of a search: command lines, fork and exec, summaries read back.
 *
 * Training of a network keeps validation events back and says in its summary how well they
 * were predicted, by the lists that users would get (with tables beside the network, the
 * blend of both). Recipes that only count keep nothing back: for them a job trains on the
 * first nine tenths of the time and `eddy eval` asks about the last. */
#include "app/tune_job.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/files.h"

enum {
    PATH_SIZE = 4096,
    WORDS_MAX = 32 + 2 * EDDY_TUNE_DIMENSIONS + EDDY_ARG_LIST_MAX
};

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

struct words {
    char *list[WORDS_MAX + 1];
    size_t count;
    bool failed;
};

static void add_word(struct words *words, const char *text)
{
    if (words->count == WORDS_MAX || (words->list[words->count] = strdup(text)) == NULL)
        words->failed = true;
    else
        words->count++;
}

static void add_option(struct words *words, const char *name, const char *value)
{
    if (value == NULL)
        return;
    add_word(words, name);
    add_word(words, value);
}

static void put_training(const struct eddy_tune_search *search, uint32_t job,
                         bool hold_out, struct words *words)
{
    const struct eddy_tune_options *options = search->options;
    const struct eddy_tune_space *space = &search->plan->space;
    char text[PATH_SIZE], value[EDDY_TUNE_TEXT];
    add_word(words, "train");
    add_option(words, "-i", options->interactions);
    add_option(words, "-I", options->items);
    add_option(words, "-U", options->users);
    eddy_tune_job_path(search, job, "", text);
    add_option(words, "-o", text);
    if (search->plan->by_name)
        add_option(words, "--recipe", search->plan->recipe->name);
    (void)snprintf(text, sizeof text, "%lld", (long long)options->seed);
    add_option(words, "--seed", text);
    (void)snprintf(text, sizeof text, "%lld", (long long)options->threads);
    add_option(words, "--threads", text);
    if (hold_out)
        add_option(words, "--hold-out", "successive");
    add_word(words, "--json");
    add_word(words, "--quiet");
    for (size_t i = 0; i < options->more->count; i++)
        add_word(words, options->more->values[i]);
    for (uint32_t d = 0; d < space->count; d++) {
        eddy_tune_format(&space->dimensions[d], search->trials[job].at[d], value);
        (void)snprintf(text, sizeof text, "%s=%s", space->dimensions[d].name, value);
        add_option(words, "--set", text);
    }
}

static void put_question(const struct eddy_tune_search *search, uint32_t job,
                         struct words *words)
{
    char text[PATH_SIZE];
    add_word(words, "eval");
    eddy_tune_job_path(search, job, "", text);
    add_option(words, "-m", text);
    add_option(words, "-i", search->options->interactions);
    add_option(words, "--protocol", "successive");
    for (size_t i = 0; i < search->options->more->count; i++)
        if (strcmp(search->options->more->values[i], "--skip-bad") == 0)
            add_word(words, "--skip-bad");
    add_word(words, "--json");
    add_word(words, "--quiet");
}

/* In the child, between fork and exec: nothing but async-signal-safe calls. */
static void become(char *const *words, const char *output, const char *log,
                   pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0); /* Ctrl-C is for the search, which ends its jobs */
    int out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int err = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() != parent || out < 0 || err < 0 || null < 0 || dup2(null, 0) < 0 ||
        dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(127);
    (void)execv("/proc/self/exe", words);
    _exit(126);
}

int eddy_tune_job_start(const struct eddy_tune_search *search, uint32_t job,
                        enum eddy_tune_stage stage, pid_t *ret_pid,
                        struct eddy_err *err)
{
    struct words words = {.count = 0};
    char output[PATH_SIZE], log[PATH_SIZE];
    pid_t parent = getpid();
    bool asks = stage == EDDY_TUNE_ASK;
    add_word(&words, "eddy");
    if (asks)
        put_question(search, job, &words);
    else
        put_training(search, job,
                     stage == EDDY_TUNE_TRAIN && eddy_tune_job_asks(search->plan),
                     &words);
    eddy_tune_job_path(search, job, asks ? ".eval.json" : ".json", output);
    eddy_tune_job_path(search, job, ".log", log);
    pid_t pid = words.failed ? -1 : fork();
    if (pid == 0)
        become(words.list, output, log, parent);
    for (size_t i = 0; i < words.count; i++)
        free(words.list[i]);
    if (pid < 0)
        return eddy_fail(err, EDDY_EFATAL, "job %u cannot be started: %s", job + 1,
                         words.failed ? "too many options" : strerror(errno));
    *ret_pid = pid;
    return 0;
}

/* ---- what it said ---------------------------------------------------------------- */

/* What a log says of the failure: its first line that begins with "eddy", where commands
 * tell errors; else how the process ended. */
static void read_failure(const char *path, int status, char *ret, size_t size)
{
    struct eddy_file file;
    (void)snprintf(ret, size, "%s %d",
                   WIFSIGNALED(status) ? "killed by signal" : "exit",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (eddy_file_open(path, &file, NULL) < 0)
        return;
    const char *at = file.bytes.data, *end = at + file.bytes.size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((newline ? newline : end) - at);
        if (length > 5 && memcmp(at, "eddy ", 5) == 0) {
            (void)snprintf(ret, size, "%.*s", (int)(length < size ? length : size), at);
            break;
        }
        at += length + 1;
    }
    eddy_file_close(&file);
}

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
        read_failure(path, status, record->failure, sizeof record->failure);
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
