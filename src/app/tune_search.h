/* Layer: app.  A search as a folder of jobs: `eddy train` as child processes, a file of
 * trials that survives a kill. */
#ifndef EDDY_APP_TUNE_SEARCH_H
#define EDDY_APP_TUNE_SEARCH_H

#include "app/args.h"
#include "app/tune_plan.h"

struct eddy_tune_options { /* all borrowed */
    const char *interactions, *items, *users;
    const char *model;                /* where the best one goes */
    const char *folder;               /* of the search */
    const struct eddy_arg_list *more; /* options for every eddy train */
    int64_t seed, threads;            /* of each job */
    bool resume, quiet;
};

struct eddy_tune_record {
    char objective[64]; /* "validation_ndcg_at_10", "" while unknown */
    char version[64];   /* of the model */
    char failure[160];
    double seconds;
};

struct eddy_tune_search {
    const struct eddy_tune_options *options;
    const struct eddy_tune_plan *plan;
    uint32_t jobs; /* at most EDDY_TUNE_JOBS; fewer when the space is smaller */
    struct eddy_tune_trial trials[EDDY_TUNE_JOBS];
    struct eddy_tune_record records[EDDY_TUNE_JOBS];
    bool given[EDDY_TUNE_JOBS], known[EDDY_TUNE_JOBS];
    uint32_t resumed; /* trials read from the file */
    char version[64]; /* of the model in its place, once there is one */
    double start[EDDY_TUNE_DIMENSIONS];
    bool has_start;
};

/* Open the folder, run what is not yet known, put the best model in its place. EDDY_EUSAGE
 * (the folder holds another search, or one and resume is not set), EDDY_EIO, EDDY_EFATAL
 * (no job gave a value; interrupted). Fills search as far as it came. Thread: main, which
 * must be the only one: signals are waited for. */
int eddy_tune_search_run(struct eddy_tune_search *search,
                         const struct eddy_tune_options *options,
                         const struct eddy_tune_plan *plan, struct eddy_err *err);

/* "{"hidden_dimension":"64","bptt":"16"}": all values as text, as Amazon has them. */
void eddy_tune_put_point(const struct eddy_tune_space *space, const double *at,
                         struct eddy_buf *out);

#endif
