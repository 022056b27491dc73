/* The jobs of a search.
 *
 * Job n may begin when job n - parallel has ended, and its suggestion knows the results of
 * jobs up to that one, whatever else has ended by then. So the points depend on seed and
 * results, not on which job was quicker, and a search that was killed goes on with the same
 * points. The price is a slot that waits when one job takes much longer than its followers.
 *
 * Job 1 is what training does without a search, if that lies within the ranges: the best is
 * then never worse than the defaults.
 *
 * A job is `eddy train --json` in a process of its own, with its standard output in
 * job-NN.json and its messages in job-NN.log. It dies with the search (PR_SET_PDEATHSIG).
 * Of the models only the best so far is kept; at the end it moves into place. */
#include "app/tune_search.h"

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
#include <time.h>
#include <unistd.h>

#include "app/progress.h"
#include "app/tune_file.h"
#include "base/clock.h"
#include "io/files.h"

enum {
    PATH_SIZE = 4096,
    WORDS_MAX = 32 + 2 * EDDY_TUNE_DIMENSIONS + EDDY_ARG_LIST_MAX
};

struct child {
    pid_t pid; /* 0: none */
    uint32_t job;
    uint64_t start_ns;
};

struct run {
    struct eddy_tune_search *search;
    struct child children[EDDY_TUNE_PARALLEL];
    struct eddy_progress progress;
    uint32_t running, best; /* best: EDDY_TUNE_JOBS when none */
    int file;
    bool interrupted;
};

static void path_of(const struct run *run, uint32_t job, const char *suffix,
                    char ret[PATH_SIZE])
{
    (void)snprintf(ret, PATH_SIZE, "%s/job-%02u%s", run->search->options->folder,
                   job + 1, suffix);
}

void eddy_tune_put_point(const struct eddy_tune_space *space, const double *at,
                         struct eddy_buf *out)
{
    eddy_buf_putc(out, '{');
    for (uint32_t d = 0; d < space->count; d++) {
        char text[EDDY_TUNE_TEXT];
        eddy_tune_format(&space->dimensions[d], at[d], text);
        eddy_buf_puts(out, d > 0 ? "," : "");
        eddy_buf_put_json_string(out, eddy_span_of(space->dimensions[d].name));
        eddy_buf_putc(out, ':');
        eddy_buf_put_json_string(out, eddy_span_of(text));
    }
    eddy_buf_putc(out, '}');
}

/* ---- a job ----------------------------------------------------------------------- */

/* In the child, between fork and exec: nothing but async-signal-safe calls. */
static void become_training(char *const *words, const char *output, const char *log,
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

struct words {
    char *list[WORDS_MAX + 1];
    size_t count;
    bool failed;
};

static void add_word(struct words *words, const char *text)
{
    if (text == NULL)
        return;
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

static void put_command(const struct run *run, uint32_t job, struct words *words)
{
    const struct eddy_tune_options *options = run->search->options;
    const struct eddy_tune_space *space = &run->search->plan->space;
    char text[PATH_SIZE], value[EDDY_TUNE_TEXT];
    add_word(words, "eddy");
    add_word(words, "train");
    add_option(words, "-i", options->interactions);
    add_option(words, "-I", options->items);
    add_option(words, "-U", options->users);
    path_of(run, job, "", text);
    add_option(words, "-o", text);
    if (run->search->plan->by_name)
        add_option(words, "--recipe", run->search->plan->recipe->name);
    (void)snprintf(text, sizeof text, "%lld", (long long)options->seed);
    add_option(words, "--seed", text);
    (void)snprintf(text, sizeof text, "%lld", (long long)options->threads);
    add_option(words, "--threads", text);
    add_word(words, "--json");
    add_word(words, "--quiet");
    for (size_t i = 0; i < options->more->count; i++)
        add_word(words, options->more->values[i]);
    for (uint32_t d = 0; d < space->count; d++) {
        eddy_tune_format(&space->dimensions[d], run->search->trials[job].at[d], value);
        (void)snprintf(text, sizeof text, "%s=%s", space->dimensions[d].name, value);
        add_option(words, "--set", text);
    }
}

static int start_job(struct run *run, uint32_t job, struct eddy_err *err)
{
    struct words words = {.count = 0};
    char output[PATH_SIZE], log[PATH_SIZE];
    struct child *child = run->children;
    pid_t parent = getpid();
    while (child->pid != 0)
        child++;
    put_command(run, job, &words);
    path_of(run, job, ".json", output);
    path_of(run, job, ".log", log);
    pid_t pid = words.failed ? -1 : fork();
    if (pid == 0)
        become_training(words.list, output, log, parent);
    for (size_t i = 0; i < words.count; i++)
        free(words.list[i]);
    if (pid < 0)
        return eddy_fail(err, EDDY_EFATAL, "job %u cannot be started: %s", job + 1,
                         words.failed ? "too many options" : strerror(errno));
    *child = (struct child){pid, job, eddy_monotonic_ns()};
    run->running++;
    return 0;
}

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

/* What the summary of training calls the quality of the lists on held-back events: with
 * tables beside the network, the blend of both is what users get. */
static bool read_value(const char *path, struct eddy_tune_trial *trial,
                       struct eddy_tune_record *record)
{
    static const char *const names[] = {"head_on_ndcg_at_10", "validation_ndcg_at_10"};
    struct eddy_file file;
    bool found = false;
    if (eddy_file_open(path, &file, NULL) < 0)
        return false;
    json_t *root = json_loadb(file.bytes.data, file.bytes.size, 0, NULL);
    const char *version = json_string_value(json_object_get(root, "model"));
    for (int i = 0; i < 2 && !found; i++) {
        const json_t *value = json_object_get(root, names[i]);
        found = json_is_number(value) && isfinite(json_number_value(value)) &&
                json_number_value(value) >= 0;
        if (!found)
            continue;
        trial->value = json_number_value(value);
        (void)snprintf(record->objective, sizeof record->objective, "%s", names[i]);
    }
    (void)snprintf(record->version, sizeof record->version, "%s",
                   version ? version : "");
    json_decref(root);
    eddy_file_close(&file);
    return found;
}

static void say_job(struct run *run, uint32_t job)
{
    const struct eddy_tune_search *search = run->search;
    const struct eddy_tune_space *space = &search->plan->space;
    const struct eddy_tune_trial *trial = &search->trials[job];
    const struct eddy_tune_record *record = &search->records[job];
    struct eddy_buf line;
    eddy_buf_init(&line, 0);
    if (trial->state == EDDY_TUNE_DONE)
        eddy_buf_printf(&line, "job %2u  NDCG@10 %.4f%s", job + 1, trial->value,
                        run->best == job ? " *" : "  ");
    else
        eddy_buf_printf(&line, "job %2u  failed          ", job + 1);
    eddy_buf_printf(&line, " %6.0f s ", record->seconds);
    for (uint32_t d = 0; d < space->count; d++) {
        char text[EDDY_TUNE_TEXT];
        eddy_tune_format(&space->dimensions[d], trial->at[d], text);
        eddy_buf_printf(&line, " %s=%s", space->dimensions[d].name, text);
    }
    if (trial->state == EDDY_TUNE_FAILED)
        eddy_buf_printf(&line, "  %s", record->failure);
    eddy_progress_say(&run->progress, "%s", line.failed ? "" : line.data);
    eddy_buf_fini(&line);
}

/* Keep the model of the best trial alone. */
static void keep_best(struct run *run, uint32_t job)
{
    char path[PATH_SIZE];
    uint32_t best = eddy_tune_best(run->search->trials, run->search->jobs);
    uint32_t gone = best == job ? run->best : job;
    if (gone < EDDY_TUNE_JOBS && gone != best) {
        path_of(run, gone, "", path);
        (void)eddy_remove_folder(path, NULL); /* a failed job has none */
    }
    run->best = best < run->search->jobs ? best : EDDY_TUNE_JOBS;
}

static int end_job(struct run *run, struct child *child, int status,
                   struct eddy_err *err)
{
    struct eddy_tune_search *search = run->search;
    uint32_t job = child->job;
    struct eddy_tune_trial *trial = &search->trials[job];
    struct eddy_tune_record *record = &search->records[job];
    char output[PATH_SIZE], log[PATH_SIZE];
    path_of(run, job, ".json", output);
    path_of(run, job, ".log", log);
    record->seconds = (double)(eddy_monotonic_ns() - child->start_ns) / 1e9;
    *child = (struct child){0};
    run->running--;
    trial->state = EDDY_TUNE_FAILED;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        read_failure(log, status, record->failure, sizeof record->failure);
    else if (read_value(output, trial, record))
        trial->state = EDDY_TUNE_DONE;
    else
        (void)snprintf(record->failure, sizeof record->failure,
                       "no validation figure in the summary of eddy train");
    search->known[job] = true;
    keep_best(run, job);
    say_job(run, job);
    return eddy_tune_file_add(run->file, search, job, err);
}

/* ---- the search ------------------------------------------------------------------ */

/* Give job its point: what is in the file, the defaults, or a suggestion that knows jobs
 * up to job - parallel. False: the space has no further point. */
static bool give_point(struct eddy_tune_search *search, uint32_t job)
{
    struct eddy_tune_trial view[EDDY_TUNE_JOBS];
    const struct eddy_tune_space *space = &search->plan->space;
    uint32_t startup = 2 * space->count + 2;
    if (search->given[job])
        return true;
    struct eddy_tune_trial *trial = &search->trials[job];
    *trial = (struct eddy_tune_trial){.state = EDDY_TUNE_RUNNING};
    memcpy(view, search->trials, sizeof view);
    for (uint32_t i = 0; i < job; i++)
        if (i + search->plan->parallel > job)
            view[i].state = EDDY_TUNE_RUNNING;
    if (job == 0 && search->has_start)
        memcpy(trial->at, search->start, sizeof trial->at);
    else if (!eddy_tune_suggest(space, view, job, startup,
                                (uint64_t)search->options->seed, trial->at))
        return false;
    search->given[job] = true;
    return true;
}

/* Whether job may begin: a slot is free, and what it has to know is known. */
static bool may_begin(const struct run *run, uint32_t job)
{
    const struct eddy_tune_search *search = run->search;
    uint32_t parallel = (uint32_t)search->plan->parallel;
    if (run->running >= parallel)
        return false;
    for (uint32_t i = 0; i + parallel <= job; i++)
        if (!search->known[i])
            return false;
    return true;
}

static void kill_jobs(struct run *run)
{
    for (int i = 0; i < EDDY_TUNE_PARALLEL; i++) {
        struct child *child = &run->children[i];
        char path[PATH_SIZE];
        if (child->pid == 0)
            continue;
        (void)kill(child->pid, SIGKILL); /* its trial is made again at --resume */
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        path_of(run, child->job, "", path);
        (void)eddy_remove_folder(path, NULL);
        child->pid = 0;
    }
    run->running = 0;
}

/* Wait for an end of a job or a signal to stop; jobs that have ended are written down. */
static int wait_for_jobs(struct run *run, const sigset_t *signals, struct eddy_err *err)
{
    const struct timespec second = {1, 0};
    int got = sigtimedwait(signals, NULL, &second), r = 0;
    if (got == SIGINT || got == SIGTERM || got == SIGHUP)
        run->interrupted = true;
    for (int i = 0; r == 0 && i < EDDY_TUNE_PARALLEL; i++) {
        int status = 0;
        struct child *child = &run->children[i];
        if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            r = end_job(run, child, status, err);
    }
    return r;
}

static void show(struct run *run)
{
    const struct eddy_tune_search *search = run->search;
    char note[64] = "";
    uint32_t done = 0;
    for (uint32_t i = 0; i < search->jobs; i++)
        done += search->known[i];
    if (run->best < search->jobs)
        (void)snprintf(note, sizeof note, "%u running, best %.4f in job %u",
                       run->running, search->trials[run->best].value, run->best + 1);
    eddy_progress_update(&run->progress, done, note);
}

static int run_jobs(struct run *run, const sigset_t *signals, struct eddy_err *err)
{
    struct eddy_tune_search *search = run->search;
    uint32_t next = 0;
    int r = 0;
    while (r == 0 && !run->interrupted && (next < search->jobs || run->running > 0)) {
        while (next < search->jobs && search->known[next])
            next++;
        if (next < search->jobs && may_begin(run, next)) {
            if (!give_point(search, next))
                search->jobs = next; /* every point of the space has had its job */
            else
                r = start_job(run, next++, err);
            continue;
        }
        show(run);
        if (run->running > 0)
            r = wait_for_jobs(run, signals, err);
    }
    if (run->running > 0)
        kill_jobs(run);
    if (r == 0 && run->interrupted)
        r = eddy_fail(err, EDDY_EFATAL,
                      "interrupted; the same command with --resume goes on");
    return r;
}

static bool has_version(const char *folder, const char *version)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/manifest.json", folder);
    json_t *root = json_load_file(path, 0, NULL);
    const char *found = json_string_value(json_object_get(root, "version"));
    bool same = found != NULL && strcmp(found, version) == 0;
    json_decref(root);
    return same;
}

/* The best model into its place; made again if a kill came between. */
static int place_best(struct run *run, const sigset_t *signals, struct eddy_err *err)
{
    struct eddy_tune_search *search = run->search;
    uint32_t best = eddy_tune_best(search->trials, search->jobs);
    char path[PATH_SIZE];
    int r = 0;
    if (best == search->jobs)
        return eddy_fail(err, EDDY_EFATAL,
                         "no job gave a value; the first says: %.160s",
                         search->records[0].failure);
    const char *version = search->records[best].version;
    path_of(run, best, "", path);
    (void)snprintf(search->version, sizeof search->version, "%s", version);
    if (has_version(search->options->model, version))
        return 0;
    if (!has_version(path, version)) {
        search->known[best] = false;
        r = run_jobs(run, signals, err);
        if (r == 0 && !has_version(path, version))
            r = eddy_fail(err, EDDY_EFATAL,
                          "job %u gave another model than before; see %.120s.log",
                          best + 1, path);
    }
    return r < 0 ? r : eddy_move_folder(path, search->options->model, err);
}

int eddy_tune_search_run(struct eddy_tune_search *search,
                         const struct eddy_tune_options *options,
                         const struct eddy_tune_plan *plan, struct eddy_err *err)
{
    struct run run = {.search = search, .best = EDDY_TUNE_JOBS};
    sigset_t signals, before;
    int r;
    search->options = options;
    search->plan = plan;
    search->jobs = (uint32_t)plan->jobs;
    search->has_start = eddy_tune_plan_start(plan, search->start);
    run.file = eddy_tune_file_open(search, err);
    if (run.file < 0)
        return run.file;
    for (uint32_t i = search->jobs; i < EDDY_TUNE_JOBS; i++)
        if (search->known[i])
            search->jobs = i + 1; /* fewer asked than done: nothing is thrown away */
    uint32_t best = eddy_tune_best(search->trials, search->jobs);
    run.best = best < search->jobs ? best : EDDY_TUNE_JOBS;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    eddy_progress_init(&run.progress, "search", "jobs", search->jobs, options->quiet);
    r = run_jobs(&run, &signals, err);
    if (r == 0)
        r = place_best(&run, &signals, err);
    eddy_progress_clear(&run.progress);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)close(run.file);
    return r;
}
