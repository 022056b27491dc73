/* Layer: app.  What the kinds of jobs see of the thread that runs them. */
#ifndef EDDY_APP_JOBS_PRIV_H
#define EDDY_APP_JOBS_PRIV_H

#include <jansson.h>
#include <pthread.h>

#include "app/aws_arn.h"
#include "app/jobs.h"
#include "app/self.h"
#include "io/redis_documents.h"

struct eddy_jobs {
    const struct eddy_config *config;
    struct eddy_redis_options redis;  /* the configuration's with a short time-out */
    struct eddy_documents *documents; /* the thread's own */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool stopping, woken; /* under the lock */
};

enum { EDDY_JOB_REASON = 400 };

/* A job whose lease is held. */
struct eddy_job {
    struct eddy_jobs *jobs;
    char arn[EDDY_ARN_SIZE], token[33];
    json_t *doc;                  /* its document, to be changed before it ends well */
    struct eddy_buf text;         /* as it is stored */
    uint64_t renewed_ns;          /* the lease, and that */
    char folder[EDDY_PATH_SIZE];  /* api.folder/REGION/RESOURCE */
    char reason[EDDY_JOB_REASON]; /* of a failure */
};

enum eddy_job_end {
    EDDY_JOB_DONE,
    EDDY_JOB_FAILED,  /* reason says why */
    EDDY_JOB_STOPPED, /* somebody wants it to end */
    EDDY_JOB_LEFT /* to be taken up again: the lease is lost, or this process ends */
};

/* Run `eddy WORDS` to its end while the lease is renewed, unless FOLDER/NAME.json is complete
 * from a run before. Standard output goes there, messages to NAME.log. FAILED: reason is the
 * child's own words. words are freed. Thread: jobs, as all here. */
enum eddy_job_end eddy_job_run(struct eddy_job *job, const char *name,
                               struct eddy_words *words);
/* What it printed, NULL: that was no JSON. Owned. */
json_t *eddy_job_output(const struct eddy_job *job, const char *name);
/* FOLDER/NAME, cut to fit. */
void eddy_job_path(const struct eddy_job *job, const char *name,
                   char ret[EDDY_PATH_SIZE]);
/* Note why it failed (printf text); EDDY_JOB_FAILED. */
__attribute__((format(printf, 2, 3))) enum eddy_job_end eddy_job_fail(
    struct eddy_job *job, const char *fmt, ...);
/* Another document: 1 and *ret (owned), 0 there is none, or EDDY_ESTORE. text as stored, may be
 * NULL. */
int eddy_job_read(struct eddy_job *job, const char *arn, json_t **ret,
                  struct eddy_buf *text, struct eddy_err *err);
/* A text member, "" where it is none. Borrowed from the document. */
const char *eddy_job_text(const json_t *doc, const char *member);

/* The kinds: jobs_import.c, jobs_train.c. doc holds what they have to say at the end. */
enum eddy_job_end eddy_job_import(struct eddy_job *job);
enum eddy_job_end eddy_job_train(struct eddy_job *job);

#endif
