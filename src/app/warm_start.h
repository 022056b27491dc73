/* Layer: app.  A model on disk as the start of a training. */
#ifndef EDDY_APP_WARM_START_H
#define EDDY_APP_WARM_START_H

#include "app/args.h"
#include "core/snapshot.h"
#include "core/train.h"

struct eddy_warm_start {
    struct eddy_snapshot *snapshot;
    uint32_t *items;
    uint16_t types[EDDY_TYPES_MAX];
    struct eddy_train_warm warm; /* for the options, borrowed */
};

/* Opens the model and finds its items and event types again; its vocabularies go along, so
 * that training finds its tables of features. What decides the shape of the network is set in
 * options to what the model has, and options->warm points into the struct. set: what was
 * said with --set and stands in options. EDDY_EUSAGE: another shape was asked for there.
 * EDDY_EIO, EDDY_EFORMAT, EDDY_ECONFIG (a model without a network), EDDY_ENOMEM; then nothing
 * is to be closed. */
int eddy_warm_start_open(struct eddy_warm_start *start, const char *folder,
                         const struct eddy_interactions *interactions,
                         const struct eddy_arg_list *set,
                         struct eddy_train_options *options, struct eddy_err *err);
void eddy_warm_start_close(struct eddy_warm_start *start);

#endif
