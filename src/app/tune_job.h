/* Layer: app.  One job of a search: processes of this program, and what they say. */
#ifndef EDDY_APP_TUNE_JOB_H
#define EDDY_APP_TUNE_JOB_H

#include <sys/types.h>

#include "app/tune_search.h"

enum eddy_tune_stage {
    EDDY_TUNE_TRAIN,    /* eddy train; without a network: --hold-out successive */
    EDDY_TUNE_ASK,      /* eddy eval --protocol successive                      */
    EDDY_TUNE_TRAIN_ALL /* eddy train on everything                             */
};

/* Whether the recipe's training measures nothing itself: a job is then TRAIN and ASK, and
 * the best one is trained on everything at the end. */
bool eddy_tune_job_asks(const struct eddy_tune_plan *plan);

/* FOLDER/job-NN and a suffix: "" the model, ".json" and ".log" of training, ".eval.json". */
void eddy_tune_job_path(const struct eddy_tune_search *search, uint32_t job,
                        const char *suffix, char ret[4096]);

/* Start a stage of a job, which dies with this process. Its standard output goes to
 * .json or .eval.json, its messages to .log. EDDY_EFATAL. */
int eddy_tune_job_start(const struct eddy_tune_search *search, uint32_t job,
                        enum eddy_tune_stage stage, pid_t *ret_pid,
                        struct eddy_err *err);

/* What the last stage of a job said: a value and its name, or why there is none. status:
 * of waitpid. */
void eddy_tune_job_read(const struct eddy_tune_search *search, uint32_t job,
                        enum eddy_tune_stage stage, int status,
                        struct eddy_tune_trial *trial, struct eddy_tune_record *record);

#endif
