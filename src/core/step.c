/* From an event to the network's input. Everything that depends on time or on the user's
 * past is decided here, once, from event time alone. */
#include "core/step.h"

#include <math.h>

#include "base/vmath.h"

uint8_t eddy_gap_bucket(int64_t gap_s)
{
    if (gap_s <= 0)
        return 0;
    /* 1 + gap_s fits: the largest gap becomes 2^63 as unsigned. */
    int bucket = 63 - __builtin_clzll((unsigned long long)gap_s + 1);
    return (uint8_t)(bucket < EDDY_GAPS ? bucket : EDDY_GAPS - 1);
}

/* sign(v) log1p(|v|). Infinite or NaN counts as absent: one such value would stay in the
 * user's state for ever. */
static float squash(float value)
{
    if (!isfinite(value))
        return 0.0F;
    return copysignf(eddy_log1pf(fabsf(value)), value);
}

struct eddy_step eddy_step_make(uint32_t item, uint16_t type, int64_t previous_s,
                                int64_t now_s, uint32_t session_gap_s, bool has_value,
                                float value)
{
    bool first = previous_s < 0;
    /* A clock that went backwards is no gap; comparing first keeps the difference from
     * overflowing. */
    int64_t gap_s = !first && now_s > previous_s ? now_s - previous_s : 0;
    return (struct eddy_step){
        .item = item,
        .type = type,
        .gap = eddy_gap_bucket(gap_s),
        .begin = first || gap_s > (int64_t)session_gap_s,
        .first = first,
        .value = has_value ? squash(value) : 0.0F,
    };
}
