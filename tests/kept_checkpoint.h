/* A keeper that keeps a training's checkpoints in memory and says after every epoch that it
 * is time for one: for tests of runs that go on. */
#ifndef EDDY_TESTS_KEPT_CHECKPOINT_H
#define EDDY_TESTS_KEPT_CHECKPOINT_H

#include <stdlib.h>

#include "base/buf.h"
#include "check.h"
#include "core/train.h"

/* Zeroed: nothing yet. */
struct kept {
    struct eddy_buf bytes;
    uint32_t at; /* only the save of this number is kept, from 1; 0: the newest */
    uint32_t saves, resumed;
    const char *why_not;
};

static inline void kept_fini(struct kept *kept)
{
    eddy_buf_fini(&kept->bytes);
}

static inline bool kept_always(void *context)
{
    (void)context;
    return true;
}

static inline int kept_save(void *context, const struct eddy_span *parts,
                            uint32_t count, struct eddy_err *err)
{
    struct kept *kept = context;
    (void)err;
    kept->saves++;
    if (kept->at > 0 && kept->saves != kept->at)
        return 0;
    kept->bytes.size = 0;
    for (uint32_t i = 0; i < count; i++)
        eddy_buf_put(&kept->bytes, parts[i].data, parts[i].size);
    return 0;
}

static inline void kept_resumed(void *context, const struct eddy_train_past *past,
                                const char *why_not)
{
    struct kept *kept = context;
    kept->resumed = past ? past->epoch : 0;
    kept->why_not = why_not;
}

static inline struct eddy_train_keeper kept_keeper(struct kept *kept)
{
    return (struct eddy_train_keeper){.context = kept,
                                      .due = kept_always,
                                      .save = kept_save,
                                      .resumed = kept_resumed};
}

/* A copy to go on from, which later saves leave alone; of exactly its size, so that the
 * address sanitizer sees what is read beyond it. */
static inline struct eddy_buf kept_copy(const struct kept *kept)
{
    size_t size = kept->bytes.size;
    struct eddy_buf copy = {.data = malloc(size), .size = size, .capacity = size};
    memcpy(copy.data, kept->bytes.data, size);
    return copy;
}

#endif
