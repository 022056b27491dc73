/* Layer: app.  Checkpoints of a training, in a file beside the model's folder. */
#ifndef EDDY_APP_CHECKPOINT_H
#define EDDY_APP_CHECKPOINT_H

#include "app/train_report.h"
#include "core/train.h"
#include "io/files.h"

struct eddy_checkpoint {
    char path[4096];
    int64_t interval_s; /* seconds between two at least; negative: never */
    uint64_t last_ns;
    bool failed; /* a failure was told already */
    struct eddy_train_report *report;
    struct eddy_file file; /* of the run before */
    struct eddy_train_keeper keeper;
};

/* "FOLDER.checkpoint"; opens what an interrupted run has left there. report: where lines
 * are said and costs are counted, borrowed. settings: those of the command that change the
 * run (core/train.h), borrowed. A checkpoint that cannot be written is told once and does not stop
 * the training. Use &checkpoint->keeper as the options' keeper. */
void eddy_checkpoint_open(struct eddy_checkpoint *checkpoint, const char *folder,
                          int64_t interval_s, const char *settings,
                          struct eddy_train_report *report);
/* done: the model is safe, the file goes. */
void eddy_checkpoint_close(struct eddy_checkpoint *checkpoint, bool done);

#endif
