/* Layer: core.  What the network sees of one event. One function makes it, for serving and
 * for training alike: streaming equals training because both call this. */
#ifndef EDDY_CORE_STEP_H
#define EDDY_CORE_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/context.h"
#include "core/params.h"

struct eddy_step {
    uint32_t item; /* index in the catalogue */
    float value;   /* phi(value): sign(v) log1p(|v|), 0 when absent */
    uint16_t type; /* index in the type vocabulary, 0 unknown */
    struct eddy_context_row
        context; /* set by the caller of eddy_step_make, who knows it */
    uint8_t gap; /* bucket of the time since the user's last event */
    bool begin;  /* first event of a session */
    bool first;  /* first event of the user that the network sees */
};

/* Gap in whole seconds -> bucket floor(log2(1 + gap_s)), capped at EDDY_GAPS - 1; negative
 * counts as 0. The user's first event has bucket 0. */
uint8_t eddy_gap_bucket(int64_t gap_s);

/* previous_s < 0: the user's first event. A session begins at the first event and after
 * more than session_gap_s seconds of silence. */
struct eddy_step eddy_step_make(uint32_t item, uint16_t type, int64_t previous_s,
                                int64_t now_s, uint32_t session_gap_s, bool has_value,
                                float value);

#endif
