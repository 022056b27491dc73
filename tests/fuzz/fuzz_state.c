/* State blobs: whatever is taken encodes to bytes that decode to the same, can be
 * re-encoded and goes on folding. */
#include <stdio.h>
#include <stdlib.h>

#include "core/state.h"
#include "fuzz.h"
#include "tiny_model.h"

static void fold_one(struct eddy_state *state, const struct eddy_snapshot *snapshot)
{
    struct eddy_event event = {.user = eddy_span_of("u"),
                               .item = eddy_span_of("i7"),
                               .id = eddy_span_of("e7"),
                               .ts_ms = 1600000000000};
    struct eddy_step step;
    HOLDS(eddy_event_check(&event, NULL) == 0);
    (void)eddy_state_fold(state, &event, state->revision, 0, snapshot,
                          &eddy_policy_default, &step);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { HIDDEN = 96, RECENT = EDDY_RECENT_MAX };
    static struct eddy_snapshot *snapshot;
    static struct eddy_state *state;
    static struct eddy_buf first, second;
    static struct eddy_step steps[RECENT];
    if (!snapshot) {
        snapshot = tiny_open(&tiny_default);
        state = eddy_state_init(aligned_alloc(64, eddy_state_size(HIDDEN, RECENT)),
                                HIDDEN, RECENT);
    }
    struct eddy_span blob = {(const char *)bytes, size};
    struct eddy_err err = {0};
    char version[EDDY_SNAPSHOT_ID_SIZE];
    uint64_t revision;
    int peeked = eddy_state_peek(blob, version, &revision);
    if (eddy_state_decode(blob, state, &err) < 0) {
        HOLDS(err.code == EDDY_EFORMAT && err.text[0] != '\0');
        return 0;
    }
    HOLDS(peeked == 0 && revision == state->revision);
    HOLDS(strcmp(version, state->snapshot) == 0);
    bool whole = state->hidden_count > 0 || state->step_count_low == 0;
    eddy_buf_clear(&first);
    eddy_state_encode(state, &first);
    HOLDS(eddy_state_decode(eddy_buf_span(&first), state, &err) == 0);
    eddy_buf_clear(&second);
    eddy_state_encode(state, &second);
    HOLDS(eddy_span_eq(eddy_buf_span(&first), eddy_buf_span(&second)));
    HOLDS(!whole || state->revision == revision);
    if (eddy_state_is_stale(state, snapshot)) {
        uint32_t count = eddy_state_reencode(state, snapshot);
        HOLDS(eddy_state_resteps(state, snapshot, steps) == count);
    }
    if (state->revision < UINT64_MAX) {
        fold_one(state, snapshot);
    }
    eddy_buf_clear(&first);
    eddy_state_encode(state, &first);
    HOLDS(eddy_state_decode(eddy_buf_span(&first), state, &err) == 0);
    return 0;
}
