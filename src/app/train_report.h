/* Layer: app.  What `eddy train` says: a progress line, a line per epoch, a summary. */
#ifndef EDDY_APP_TRAIN_REPORT_H
#define EDDY_APP_TRAIN_REPORT_H

#include "app/busy.h"
#include "app/inputs.h"
#include "app/model.h"
#include "app/progress.h"
#include "core/select.h"

/* What a run has cost and learned so far; in its checkpoint, so that one that goes on
 * reports the whole. Plain data. */
struct eddy_train_ledger {
    double seconds, cpu_seconds; /* of this process, up to the last epoch */
    uint32_t learning_count, zero;
    struct eddy_learning_point learning[EDDY_LEARNING_POINTS];
};

struct eddy_train_report {
    struct eddy_progress progress;
    struct eddy_busy busy;
    bool training, finishing; /* epochs have begun; those of the last phase */
    uint64_t epoch_length;    /* events of an epoch of this phase, 0: not known */
    uint64_t start_ns, start_cpu_ns;
    uint64_t epoch_ns, epoch_cpu_ns, epoch_events;
    struct eddy_train_ledger ledger;
    double past_seconds, past_cpu_seconds; /* of the runs that were interrupted */
};

/* Starts the clocks and the progress lines. */
void eddy_train_report_start(struct eddy_train_report *report, bool quiet);
/* What is worked at outside of the epochs, a begin of struct eddy_build_steps; context: the
 * report. */
void eddy_train_report_step(void *context, const char *what, uint32_t part,
                            uint32_t parts);
/* An eddy_train_progress_fn; context: the report. */
bool eddy_train_report_progress(void *context, const struct eddy_train_progress *now);
/* The run goes on from a checkpoint whose note was the ledger. */
void eddy_train_report_resume(struct eddy_train_report *report,
                              const struct eddy_train_past *past);
/* Takes the progress lines away; seconds and CPU seconds since the start, those of
 * interrupted runs up to their checkpoints included. */
void eddy_train_report_stop(struct eddy_train_report *report, double *ret_seconds,
                            double *ret_cpu_seconds);

/* FLOP/s per core of the network's epochs, which took cpu_seconds, and of cblas_sgemm for a
 * product like the largest of them; the latter is measured here, for 0.2 s. */
void eddy_train_report_rates(const struct eddy_train_result *network,
                             double cpu_seconds, double *ret_reached,
                             double *ret_sgemm);

/* What the summary tells beside the result. */
struct eddy_train_summary {
    const char *folder, *version;
    const struct eddy_inputs *inputs;
    const struct eddy_model_source *source;
    const struct eddy_build_result *result;
    struct eddy_select_counts dropped;
    uint64_t held_out;          /* rows */
    double network_cpu_seconds; /* up to the last epoch, of the ledger */
};
/* To standard output: a paragraph, or one JSON object, with what share of cblas_sgemm's rate
 * the whole training of the network has reached. */
void eddy_train_summary_print(const struct eddy_train_summary *summary, bool json);

#endif
