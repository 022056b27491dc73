/* Layer: app.  Which users of a partition differ between two stores, and in what. */
#ifndef EDDY_APP_REPLAY_COMPARE_H
#define EDDY_APP_REPLAY_COMPARE_H

#include "io/store.h"

struct eddy_compare {
    uint32_t partition;
    struct eddy_store *folded, *live;
    uint64_t shown, show_max; /* users named so far, and at most */
    uint64_t differing;       /* counted here */
};

/* Go through both stores' users of the partition; the first differing ones are printed to
 * stderr with the field that differs. 0, EDDY_ESTORE, EDDY_ENOMEM. */
int eddy_compare_partition(struct eddy_compare *compare, struct eddy_err *err);

#endif
