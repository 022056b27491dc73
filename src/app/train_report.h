/* Layer: app.  What `eddy train` says: a progress line, a line per epoch, a summary. */
#ifndef EDDY_APP_TRAIN_REPORT_H
#define EDDY_APP_TRAIN_REPORT_H

#include "app/inputs.h"
#include "app/model.h"
#include "app/progress.h"
#include "core/select.h"

struct eddy_train_report {
    struct eddy_progress progress;
    uint64_t start_ns, start_cpu_ns;
    uint64_t epoch_ns, epoch_cpu_ns, epoch_events;
    uint64_t network_cpu_ns; /* from the start to the end of the last epoch */
    struct eddy_learning_point learning[EDDY_LEARNING_POINTS];
    uint32_t learning_count;
};

/* Starts the clocks and the progress line. */
void eddy_train_report_start(struct eddy_train_report *report, bool quiet);
/* An eddy_train_progress_fn; context: the report. */
bool eddy_train_report_progress(void *context, const struct eddy_train_progress *now);
/* Takes the progress line away; seconds and CPU seconds since the start. */
void eddy_train_report_stop(struct eddy_train_report *report, double *ret_seconds,
                            double *ret_cpu_seconds);

/* CPU seconds from the start to the end of the last epoch. */
double eddy_train_report_network(const struct eddy_train_report *report);

/* What the summary tells beside the result. */
struct eddy_train_summary {
    const char *folder, *version;
    const struct eddy_inputs *inputs;
    const struct eddy_model_source *source;
    const struct eddy_build_result *result;
    struct eddy_select_counts dropped;
    uint64_t held_out;          /* rows */
    double network_cpu_seconds; /* eddy_train_report_network */
};
/* To standard output: a paragraph, or one JSON object. Measures cblas_sgemm for 0.2 s, to
 * show what share of it the whole training of the network has reached. */
void eddy_train_summary_print(const struct eddy_train_summary *summary, bool json);

#endif
