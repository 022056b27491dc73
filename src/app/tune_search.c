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
 * Jobs are processes (tune_job.c) and die with the search. Of the models only the best so
 * far is kept; at the end it moves into place. */
#include "app/tune_search.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/progress.h"
#include "app/tune_file.h"
#include "app/tune_job.h"
#include "base/clock.h"
#include "io/files.h"

enum {
    PATH_SIZE = 4096,
    WORDS_MAX = 32 + 2 * EDDY_TUNE_DIMENSIONS + EDDY_ARG_LIST_MAX
};

struct child {
    pid_t pid; /* 0: none */
    uint32_t job;
    enum eddy_tune_stage stage;
    uint64_t start_ns;
};

struct run {
    struct eddy_tune_search *search;
    struct child children[EDDY_TUNE_PARALLEL];
    struct eddy_progress progress;
    uint32_t running, best; /* best: EDDY_TUNE_JOBS when none */
    int file;
    bool interrupted, placing; /* placing: the best is trained once more */
};

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

static int start_job(struct run *run, uint32_t job, struct eddy_err *err)
{
    struct child *child = run->children;
    while (child->pid != 0)
        child++;
    *child =
        (struct child){.job = job,
                       .stage = run->placing ? EDDY_TUNE_TRAIN_ALL : EDDY_TUNE_TRAIN,
                       .start_ns = eddy_monotonic_ns()};
    int r = eddy_tune_job_start(run->search, job, child->stage, &child->pid, err);
    run->running += r == 0;
    return r;
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
        eddy_tune_job_path(run->search, gone, "", path);
        (void)eddy_remove_folder(path, NULL); /* a failed job has none */
    }
    run->best = best < run->search->jobs ? best : EDDY_TUNE_JOBS;
}

/* A stage has ended: on to the next, or the job has. */
static int end_stage(struct run *run, struct child *child, int status,
                     struct eddy_err *err)
{
    struct eddy_tune_search *search = run->search;
    uint32_t job = child->job;
    bool asks = eddy_tune_job_asks(search->plan);
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (asks && well && child->stage == EDDY_TUNE_TRAIN) {
        child->stage = EDDY_TUNE_ASK;
        child->pid = 0;
        return eddy_tune_job_start(search, job, child->stage, &child->pid, err);
    }
    enum eddy_tune_stage stage = child->stage;
    double seconds = (double)(eddy_monotonic_ns() - child->start_ns) / 1e9;
    *child = (struct child){.pid = 0};
    run->running--;
    search->known[job] = true;
    if (stage == EDDY_TUNE_TRAIN_ALL) /* its value is known */
        return well
                   ? 0
                   : eddy_fail(err, EDDY_EFATAL,
                               "the best job, %u, cannot be trained again; see its log "
                               "in %.120s",
                               job + 1, search->options->folder);
    char checkpoint
        [PATH_SIZE]; /* of a training that broke off: nobody goes on with it */
    eddy_tune_job_path(search, job, ".checkpoint", checkpoint);
    (void)unlink(checkpoint);
    search->records[job].seconds = seconds;
    eddy_tune_job_read(search, job, stage, status, &search->trials[job],
                       &search->records[job]);
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
        eddy_tune_job_path(run->search, child->job, "", path);
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
            r = end_stage(run, child, status, err);
    }
    return r;
}

static void show(struct run *run)
{
    const struct eddy_tune_search *search = run->search;
    char note[80];
    uint32_t done = 0;
    for (uint32_t i = 0; i < search->jobs; i++)
        done += search->known[i];
    (void)snprintf(note, sizeof note, "%u running", run->running);
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

/* Of the model in a folder, "" when there is none. */
static void read_version(const char *folder, char ret[64])
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/manifest.json", folder);
    json_t *root = json_load_file(path, 0, NULL);
    const char *found = json_string_value(json_object_get(root, "version"));
    (void)snprintf(ret, 64, "%s", found ? found : "");
    json_decref(root);
}

static bool has_version(const char *folder, const char *version)
{
    char found[64];
    read_version(folder, found);
    return found[0] != '\0' && strcmp(found, version) == 0;
}

/* Train the point of a job once more, on everything. */
static int train_again(struct run *run, uint32_t job, const sigset_t *signals,
                       struct eddy_err *err)
{
    run->placing = true;
    run->search->known[job] = false;
    return run_jobs(run, signals, err);
}

/* The best model into its place. It has to be trained once more when its jobs left events
 * out to be asked about, or when a kill came between. */
static int place_best(struct run *run, const sigset_t *signals, struct eddy_err *err)
{
    struct eddy_tune_search *search = run->search;
    uint32_t best = eddy_tune_best(search->trials, search->jobs);
    const char *model = search->options->model;
    char path[PATH_SIZE];
    int r = 0;
    if (best == search->jobs)
        return eddy_fail(err, EDDY_EFATAL,
                         "no job gave a value; the first says: %.160s",
                         search->records[0].failure);
    const char *version = search->records[best].version;
    bool asks = eddy_tune_job_asks(search->plan);
    eddy_tune_job_path(search, best, "", path);
    if (asks || (!has_version(model, version) && !has_version(path, version)))
        r = train_again(run, best, signals, err);
    if (r == 0 && (asks || !has_version(model, version)))
        r = eddy_move_folder(path, model, err);
    if (r == 0)
        read_version(model, search->version);
    return r;
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
    run.progress.slow = true;
    run.progress.base = search->resumed;
    r = run_jobs(&run, &signals, err);
    if (r == 0)
        r = place_best(&run, &signals, err);
    eddy_progress_clear(&run.progress);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)close(run.file);
    return r;
}
