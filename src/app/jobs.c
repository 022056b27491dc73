/* The thread of jobs.
 *
 * A lease lasts ten seconds and is renewed every second while a child works; who cannot renew
 * it ends the child before it runs out, so that never two work on one job. Every change of
 * a job's document is made under its lease. A job that is left (this process ends, Redis is
 * away) stays in the queue with the status that it has; what its steps have finished lies
 * in its folder, and a training has its checkpoint, so whoever takes it up goes on there. */
#include "app/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>

#include "app/control.h"
#include "app/jobs_priv.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"

/* A renewal that begins within LATEST_MS is over, well or not, before the lease is: to connect
 * again takes up to five exchanges of TIMEOUT_MS each. */
enum { LEASE_MS = 10000, LATEST_MS = 4000, TIMEOUT_MS = 1000 };
enum { TICK_MS = 1000, LOOK_MS = 20, END_MS = 5000 };
static const uint64_t ms_ns = 1000000;

static uint64_t since_ms(uint64_t begin_ns)
{
    return (eddy_monotonic_ns() - begin_ns) / ms_ns;
}

/* Wait until something happens or for so long; whether this process is to end. *ret_woken
 * (may be NULL) is what eddy_jobs_wake asked for. */
static bool wait_ms(struct eddy_jobs *jobs, int ms, bool *ret_woken)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&jobs->lock);
    if (!jobs->stopping && !jobs->woken)
        (void)pthread_cond_timedwait(&jobs->change, &jobs->lock, &until);
    bool stopping = jobs->stopping;
    if (ret_woken != NULL)
        *ret_woken = jobs->woken;
    jobs->woken = false;
    (void)pthread_mutex_unlock(&jobs->lock);
    return stopping;
}

/* ---- documents -------------------------------------------------------------------- */

const char *eddy_job_text(const json_t *doc, const char *member)
{
    const char *text = json_string_value(json_object_get(doc, member));
    return text ? text : "";
}

void eddy_job_path(const struct eddy_job *job, const char *name,
                   char ret[EDDY_PATH_SIZE])
{
    (void)snprintf(ret, EDDY_PATH_SIZE, "%.*s/%s", EDDY_PATH_SIZE - 100, job->folder,
                   name);
}

enum eddy_job_end eddy_job_fail(struct eddy_job *job, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(job->reason, sizeof job->reason, fmt, args); /* cut on purpose */
    va_end(args);
    return EDDY_JOB_FAILED;
}

int eddy_job_read(struct eddy_job *job, const char *arn, json_t **ret,
                  struct eddy_buf *text, struct eddy_err *err)
{
    struct eddy_buf room;
    eddy_buf_init(&room, 0);
    struct eddy_buf *to = text ? text : &room;
    int r = eddy_documents_get(job->jobs->documents, arn, to, err);
    *ret = r == 1 ? json_loadb(to->data, to->size, 0, NULL) : NULL;
    if (r == 1 && *ret == NULL)
        r = eddy_fail(err, EDDY_ENOMEM, "the document of %s cannot be read", arn);
    eddy_buf_fini(&room);
    return r;
}

/* The job's own document anew. */
static int reread(struct eddy_job *job, struct eddy_err *err)
{
    json_t *doc = NULL;
    int r = eddy_job_read(job, job->arn, &doc, &job->text, err);
    if (r == 1) {
        json_decref(job->doc);
        job->doc = doc;
    }
    return r;
}

static bool is_stopping(const struct eddy_job *job)
{
    return strcmp(eddy_job_text(job->doc, "status"), "CREATE STOPPING") == 0;
}

/* Another status, with all else that doc has got, under the lease: 1, 0 the document or the
 * lease is another's meanwhile, or an error. */
static int set_status(struct eddy_job *job, const char *status, bool done,
                      struct eddy_err *err)
{
    (void)json_object_set_new(job->doc, "status", json_string(status));
    (void)json_object_set_new(job->doc, "lastUpdatedDateTime", eddy_control_now());
    char *after = eddy_control_dump(job->doc);
    struct eddy_document_change change = {.id = job->arn,
                                          .before = job->text.data,
                                          .after = after,
                                          .done = done,
                                          .token = job->token};
    int r = after ? eddy_documents_change(job->jobs->documents, &change, err)
                  : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (r == 1) {
        eddy_buf_clear(&job->text);
        eddy_buf_puts(&job->text, after);
        eddy_log(EDDY_LOG_INFO, "jobs", "", "%s is %s%s%s", job->arn, status,
                 job->reason[0] ? ": " : "", job->reason);
    }
    free(after);
    return r;
}

/* ---- leases ----------------------------------------------------------------------- */

/* Whether the lease is ours for long enough; it is renewed, and the document read, when a
 * tick has passed or at_once. */
static bool keep_lease(struct eddy_job *job, bool at_once, bool *ret_stop)
{
    struct eddy_err err = {0};
    struct eddy_buf text;
    json_t *doc = NULL;
    if (!at_once && since_ms(job->renewed_ns) < TICK_MS)
        return true;
    uint64_t now_ns = eddy_monotonic_ns();
    int r = eddy_documents_renew(job->jobs->documents, job->arn, job->token, LEASE_MS,
                                 &err);
    if (r == 1)
        job->renewed_ns = now_ns;
    eddy_buf_init(&text, 0);
    if (r == 1 && eddy_job_read(job, job->arn, &doc, &text, &err) == 1)
        *ret_stop = strcmp(eddy_job_text(doc, "status"), "CREATE STOPPING") == 0;
    json_decref(doc);
    eddy_buf_fini(&text);
    if (r == 0)
        eddy_log(EDDY_LOG_WARN, "jobs", "", "%s: the lease is lost", job->arn);
    return r == 1 || (r < 0 && since_ms(job->renewed_ns) < LATEST_MS);
}

static void give_up(struct eddy_job *job)
{
    struct eddy_err err = {0};
    if (eddy_documents_renew(job->jobs->documents, job->arn, job->token, 0, &err) < 0)
        eddy_log(EDDY_LOG_WARN, "jobs", "", "%s: %s", job->arn, err.text);
}

static void job_fini(struct eddy_job *job)
{
    json_decref(job->doc);
    eddy_buf_fini(&job->text);
}

/* Try to get the lease of a queued job and its document: 1, 0 another has it, or an error.
 * Afterwards job_fini, whatever came of it. */
static int take(struct eddy_jobs *jobs, const char *arn, struct eddy_job *job,
                struct eddy_err *err)
{
    unsigned char random[16];
    char region[EDDY_REGION_SIZE];
    const char *resource = eddy_arn_resource(arn);
    *job = (struct eddy_job){.jobs = jobs};
    eddy_buf_init(&job->text, 0);
    if (resource == NULL || getrandom(random, sizeof random, 0) != sizeof random)
        return 0;
    eddy_hex(random, sizeof random, job->token);
    (void)snprintf(job->arn, sizeof job->arn, "%s", arn);
    eddy_arn_region(arn, region);
    (void)snprintf(job->folder, sizeof job->folder, "%s/%s/%s",
                   jobs->config->api.folder, region, resource);
    job->renewed_ns = eddy_monotonic_ns();
    int r = eddy_documents_lease(jobs->documents, arn, job->token, LEASE_MS, err);
    if (r != 1)
        return r;
    r = reread(job, err);
    if (r != 1)
        give_up(job);
    return r;
}

/* ---- a child at work -------------------------------------------------------------- */

json_t *eddy_job_output(const struct eddy_job *job, const char *name)
{
    char path[EDDY_PATH_SIZE], file[64];
    (void)snprintf(file, sizeof file, "%s.json", name);
    eddy_job_path(job, file, path);
    return json_load_file(path, 0, NULL);
}

/* TERM, and KILL for who does not listen, or where there is no time. */
static void end_child(pid_t pid, bool at_once)
{
    uint64_t begin_ns = eddy_monotonic_ns();
    struct timespec pause = {0, LOOK_MS * 1000000L};
    (void)kill(pid, at_once ? SIGKILL : SIGTERM);
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (since_ms(begin_ns) > END_MS)
            (void)kill(pid, SIGKILL);
        (void)nanosleep(&pause, NULL);
    }
}

static void stop_waiting(struct eddy_job *at_work);

/* Until the child has ended, is to be stopped, or is not ours any more. */
static enum eddy_job_end watch(struct eddy_job *job, pid_t pid, int *ret_status)
{
    uint64_t tick_ns = eddy_monotonic_ns();
    for (;;) {
        bool woken = false, stop = false;
        pid_t ended = waitpid(pid, ret_status, WNOHANG);
        if (ended == pid)
            return EDDY_JOB_DONE;
        if (wait_ms(job->jobs, LOOK_MS, &woken)) {
            end_child(pid, false);
            return EDDY_JOB_LEFT;
        }
        bool kept = keep_lease(job, woken, &stop);
        if (!kept || stop) {
            end_child(pid, !kept);
            return kept ? EDDY_JOB_STOPPED : EDDY_JOB_LEFT;
        }
        if (woken || since_ms(tick_ns) >= TICK_MS) {
            tick_ns = eddy_monotonic_ns();
            stop_waiting(job);
        }
    }
}

/* text with the first `from` in it as `to`. */
static void replace(char text[EDDY_JOB_REASON], const char *from, const char *to)
{
    char before[EDDY_JOB_REASON];
    char *at = strstr(text, from);
    if (at == NULL)
        return;
    memcpy(before, text, sizeof before);
    (void)snprintf(text, EDDY_JOB_REASON, "%.*s%s%s", (int)(at - text), before, to,
                   before + (at - text) + strlen(from));
}

/* The child's words without "eddy COMMAND: ": files of the S3 folder by their address there,
 * options as what they are here. */
static void take_reason(struct eddy_job *job, const char *log, int status)
{
    char line[EDDY_JOB_REASON] = "";
    char root[EDDY_PATH_SIZE];
    eddy_self_failure(log, status, line, sizeof line);
    (void)snprintf(root, sizeof root, "%s", job->jobs->config->api.s3_root);
    for (size_t size = strlen(root); size > 0 && root[size - 1] == '/'; size--)
        root[size - 1] = '\0';
    if (root[0])
        replace(line, root, "s3:/");
    replace(line, "--set ", "hyper-parameter ");
    const char *text = strncmp(line, "eddy ", 5) == 0 ? strstr(line, ": ") : NULL;
    (void)eddy_job_fail(job, "%s", text ? text + 2 : line);
}

enum eddy_job_end eddy_job_run(struct eddy_job *job, const char *name,
                               struct eddy_words *words)
{
    struct eddy_err err = {0};
    char output[EDDY_PATH_SIZE], log[EDDY_PATH_SIZE], file[64];
    json_t *before = eddy_job_output(job, name);
    enum eddy_job_end end = EDDY_JOB_DONE;
    pid_t pid = 0;
    int status = 0;
    bool ran = before == NULL;
    (void)snprintf(file, sizeof file, "%s.json", name);
    eddy_job_path(job, file, output);
    (void)snprintf(file, sizeof file, "%s.log", name);
    eddy_job_path(job, file, log);
    json_decref(before);
    if (ran && eddy_self_start(words, output, log, &pid, &err) < 0)
        end = eddy_job_fail(job, "%s", err.text);
    else if (ran)
        end = watch(job, pid, &status);
    eddy_words_fini(words);
    if (end == EDDY_JOB_DONE && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
        take_reason(job, log, status);
        (void)remove(output); /* what a failed one has printed is no result */
        end = EDDY_JOB_FAILED;
    }
    return end;
}

/* ---- the queue -------------------------------------------------------------------- */

struct queue {
    struct eddy_buf ids; /* each with a NUL behind it */
    uint32_t count;
};

static void take_id(void *context, struct eddy_span id)
{
    struct queue *queue = context;
    eddy_buf_put(&queue->ids, id.data, id.size);
    eddy_buf_putc(&queue->ids, '\0');
    queue->count++;
}

static int read_queue(struct eddy_jobs *jobs, struct queue *queue, struct eddy_err *err)
{
    *queue = (struct queue){.count = 0};
    eddy_buf_init(&queue->ids, 0);
    int r = eddy_documents_jobs(jobs->documents, take_id, queue, err);
    return r == 0 && queue->ids.failed ? eddy_fail(err, EDDY_ENOMEM, "out of memory")
                                       : r;
}

/* Store how a job has ended. A version that somebody stops at this very moment is stopped. */
static void finish(struct eddy_job *job, enum eddy_job_end end)
{
    enum { TRIES = 3 };
    struct eddy_err err = {0};
    const char *status = end == EDDY_JOB_DONE      ? "ACTIVE"
                         : end == EDDY_JOB_STOPPED ? "CREATE STOPPED"
                                                   : "CREATE FAILED";
    int r = 0;
    if (end == EDDY_JOB_FAILED)
        (void)json_object_set_new(job->doc, "failureReason", json_string(job->reason));
    for (int i = 0; r == 0 && i < TRIES; i++) {
        r = set_status(job, status, true, &err);
        if (r == 0 && reread(job, &err) == 1 && is_stopping(job)) {
            status = "CREATE STOPPED";
            end = EDDY_JOB_STOPPED;
        }
    }
    if (r == 1 && end != EDDY_JOB_DONE)
        (void)eddy_remove_folder(job->folder, NULL);
    if (r != 1)
        eddy_log(EDDY_LOG_WARN, "jobs", "", "%s: %s could not be stored: %s", job->arn,
                 status, r < 0 ? err.text : "it is another's now");
}

/* Jobs that are to be stopped and that nobody works on, while this thread has another. */
static void stop_waiting(struct eddy_job *at_work)
{
    struct eddy_jobs *jobs = at_work->jobs;
    struct eddy_err err = {0};
    struct queue queue;
    int r = read_queue(jobs, &queue, &err);
    const char *id = queue.ids.data;
    for (uint32_t i = 0; r >= 0 && i < queue.count; i++, id += strlen(id) + 1) {
        json_t *doc = NULL;
        struct eddy_job job;
        if (strcmp(id, at_work->arn) == 0)
            continue;
        r = eddy_job_read(at_work, id, &doc, NULL, &err);
        bool stop = strcmp(eddy_job_text(doc, "status"), "CREATE STOPPING") == 0;
        json_decref(doc);
        if (r < 1 || !stop)
            continue;
        r = take(jobs, id, &job, &err);
        if (r == 1)
            finish(&job, EDDY_JOB_STOPPED);
        job_fini(&job);
    }
    eddy_buf_fini(&queue.ids);
}

/* false: it has been left, and waits for another try. */
static bool work(struct eddy_job *job)
{
    struct eddy_err err = {0};
    enum eddy_job_end end = is_stopping(job) ? EDDY_JOB_STOPPED : EDDY_JOB_DONE;
    bool import = eddy_arn_is(job->arn, eddy_kind_import.arn_kind, 1);
    if (end == EDDY_JOB_DONE &&
        strcmp(eddy_job_text(job->doc, "status"), "CREATE IN_PROGRESS") != 0) {
        (void)json_object_set_new(job->doc, "_started", eddy_control_now());
        int r = set_status(job, "CREATE IN_PROGRESS", false, &err);
        end = r == 1 ? EDDY_JOB_DONE : EDDY_JOB_LEFT;
    }
    if (end == EDDY_JOB_DONE && eddy_make_folder(job->folder, &err) < 0)
        end = eddy_job_fail(job, "%s", err.text);
    if (end == EDDY_JOB_DONE)
        end = import ? eddy_job_import(job) : eddy_job_train(job);
    if (end == EDDY_JOB_LEFT)
        give_up(job);
    else
        finish(job, end);
    return end != EDDY_JOB_LEFT;
}

static bool is_ending(struct eddy_jobs *jobs)
{
    (void)pthread_mutex_lock(&jobs->lock);
    bool ending = jobs->stopping;
    (void)pthread_mutex_unlock(&jobs->lock);
    return ending;
}

/* One job of the queue, if there is one that can be had: 1, 0, or an error. */
static int work_on_one(struct eddy_jobs *jobs, struct eddy_err *err)
{
    struct queue queue;
    int r = read_queue(jobs, &queue, err), taken = 0;
    const char *id = queue.ids.data;
    for (uint32_t i = 0; r == 0 && taken == 0 && i < queue.count && !is_ending(jobs);
         i++) {
        struct eddy_job job;
        taken = take(jobs, id, &job, err);
        if (taken == 1)
            taken = work(&job);
        job_fini(&job);
        id += strlen(id) + 1;
    }
    eddy_buf_fini(&queue.ids);
    return r < 0 ? r : taken;
}

static void *run(void *argument)
{
    struct eddy_jobs *jobs = argument;
    bool away = false;
    int r = 0;
    while (!wait_ms(jobs, r == 1 ? 0 : TICK_MS, NULL)) {
        struct eddy_err err = {0};
        r = work_on_one(jobs, &err);
        if (r < 0 && !away)
            eddy_log(EDDY_LOG_WARN, "jobs", "", "waiting: %s", err.text);
        away = r < 0;
    }
    return NULL;
}

/* ---- start and stop --------------------------------------------------------------- */

int eddy_jobs_start(const struct eddy_config *config, struct eddy_jobs **ret,
                    struct eddy_err *err)
{
    struct eddy_jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    jobs->config = config;
    jobs->redis = config->redis;
    if (jobs->redis.timeout_ms > TIMEOUT_MS)
        jobs->redis.timeout_ms = TIMEOUT_MS;
    jobs->documents = eddy_documents_open(&jobs->redis, config->group, "eddy-jobs");
    (void)pthread_mutex_init(&jobs->lock, NULL);
    (void)pthread_cond_init(&jobs->change, NULL);
    int r = jobs->documents ? eddy_thread_start(&jobs->thread, EDDY_ROLE_NONE,
                                                "eddy-jobs", run, jobs, err)
                            : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (r == 0) {
        *ret = jobs;
        return 0;
    }
    eddy_documents_close(jobs->documents);
    (void)pthread_cond_destroy(&jobs->change);
    (void)pthread_mutex_destroy(&jobs->lock);
    free(jobs);
    return r;
}

void eddy_jobs_wake(void *context)
{
    struct eddy_jobs *jobs = context;
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->woken = true;
    (void)pthread_cond_signal(&jobs->change);
    (void)pthread_mutex_unlock(&jobs->lock);
}

void eddy_jobs_stop(struct eddy_jobs *jobs)
{
    if (jobs == NULL)
        return;
    (void)pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    (void)pthread_cond_signal(&jobs->change);
    (void)pthread_mutex_unlock(&jobs->lock);
    (void)pthread_join(jobs->thread, NULL);
    eddy_documents_close(jobs->documents);
    (void)pthread_cond_destroy(&jobs->change);
    (void)pthread_mutex_destroy(&jobs->lock);
    free(jobs);
}
