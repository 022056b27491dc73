/* Layer: core.  Private to training: what a run was started with, as text, so that a
 * checkpoint can say which setting is not the one it was made with. */
#ifndef EDDY_CORE_TRAIN_SETTINGS_H
#define EDDY_CORE_TRAIN_SETTINGS_H

#include "core/train.h"

/* A line "name=value\n" for the kind of CPU, every setting of --set, the weights of event
 * types and the seed; then those of more ("name=value\n" each, NULL: none). out->failed:
 * no memory. */
void eddy_train_settings_put(const struct eddy_train_options *options, const char *more,
                             struct eddy_buf *out);

enum eddy_train_settings_verdict {
    EDDY_TRAIN_SETTINGS_SAME,      /* or with differences that a run may have */
    EDDY_TRAIN_SETTINGS_CPU,       /* made on another kind of CPU */
    EDDY_TRAIN_SETTINGS_PROGRAM,   /* made by another program (a line "program=...") */
    EDDY_TRAIN_SETTINGS_DIFFERENT, /* err names the setting and both values */
};
/* Compare texts of eddy_train_settings_put. finishing: the old run was in its last phase,
 * where epochs and patience have been decided. name: of the checkpoint, for err. */
enum eddy_train_settings_verdict eddy_train_settings_compare(struct eddy_span old,
                                                             struct eddy_span now,
                                                             bool finishing,
                                                             const char *name,
                                                             struct eddy_err *err);

#endif
