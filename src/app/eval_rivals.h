/* Layer: app.  Who else sits the exam: other models, and baselines fitted on what is not
 * asked. */
#ifndef EDDY_APP_EVAL_RIVALS_H
#define EDDY_APP_EVAL_RIVALS_H

#include "app/eval.h"

struct eddy_eval_rivals {
    struct eddy_eval *eval; /* contenders are added to it */
    const struct eddy_split_options *split;
    const uint8_t *marks;
    const char
        *train; /* file that baselines are fitted on; NULL: the rows to train on */
    bool skip_bad, quiet;
    uint32_t threads;
};

/* Let snapshot answer exam's questions, with progress on stderr. Errors of eddy_exam_sit. */
int eddy_eval_sit(const struct eddy_exam *exam, const struct eddy_snapshot *snapshot,
                  struct eddy_eval_contender *contender, bool quiet,
                  struct eddy_err *err);

/* The model in that folder: it has items of its own, so the file is read once more. Errors
 * of opening and sitting. */
int eddy_eval_ask_model(const struct eddy_eval_rivals *rivals, const char *folder,
                        struct eddy_err *err);

/* All of enum eddy_baseline. One that memory does not reach for is named in eval->missing;
 * other errors are returned. */
int eddy_eval_ask_baselines(const struct eddy_eval_rivals *rivals,
                            struct eddy_err *err);

#endif
