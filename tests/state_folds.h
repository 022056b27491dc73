/* States of users for tests: events folded into them one by one or at random, and compared
 * by their bytes. */
#ifndef EDDY_TESTS_STATE_FOLDS_H
#define EDDY_TESTS_STATE_FOLDS_H

#include <stdlib.h>

#include "check.h"
#include "core/state.h"
#include "tiny_model.h"

enum { HIDDEN_MAX = 512, RECENT_MAX = 64, T0 = 1600000000 };

static struct eddy_snapshot *snapshot; /* i0..i49 */
static const struct eddy_policy policy = {25, false, 3600};

static inline struct eddy_state *new_state(void)
{
    size_t size = eddy_state_size(HIDDEN_MAX, RECENT_MAX);
    void *memory = aligned_alloc(64, size);
    memset(memory, 0xa5, size);
    return eddy_state_init(memory, HIDDEN_MAX, RECENT_MAX);
}

static inline struct eddy_event make_event(const char *item, int64_t ts_s,
                                           const char *id)
{
    struct eddy_event event = {.user = eddy_span_of("u"),
                               .item = eddy_span_of(item),
                               .id = eddy_span_of(id),
                               .ts_ms = ts_s * 1000 + 999};
    CHECK_INT(eddy_event_check(&event, NULL), 0);
    return event;
}

static inline void step_hidden(struct eddy_state *state,
                               const struct eddy_snapshot *with,
                               const struct eddy_step *step)
{
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(&with->manifest.shape, 1);
    eddy_hrnn_step(with->hrnn, scratch, 1, step, &state->hidden);
    eddy_hrnn_scratch_free(scratch);
}

/* Fold, and step hidden as the path does. */
static inline enum eddy_fold fold_with(struct eddy_state *state,
                                       const struct eddy_event *event,
                                       int64_t record_ms,
                                       const struct eddy_snapshot *with,
                                       struct eddy_step *ret_step)
{
    struct eddy_step step;
    enum eddy_fold fold = eddy_state_fold(state, event, state->revision + 4, record_ms,
                                          with, &policy, &step);
    if (fold == EDDY_FOLD_STEP) {
        step_hidden(state, with, &step);
        *ret_step = step;
    }
    return fold;
}

static inline enum eddy_fold fold(struct eddy_state *state, const char *item,
                                  int64_t ts_s, const char *id)
{
    struct eddy_event event = make_event(item, ts_s, id);
    struct eddy_step step;
    return fold_with(state, &event, 0, snapshot, &step);
}

/* The stored form. */
static inline struct eddy_buf blob_of(const struct eddy_state *state)
{
    struct eddy_buf blob;
    eddy_buf_init(&blob, 0);
    eddy_state_encode(state, &blob);
    return blob;
}

static inline bool same_bytes(const struct eddy_state *a, const struct eddy_state *b)
{
    struct eddy_buf x = blob_of(a), y = blob_of(b);
    bool same = CHECK_INT(x.size, y.size) && CHECK_MEM(x.data, y.data, x.size);
    eddy_buf_fini(&x);
    eddy_buf_fini(&y);
    return same;
}

static inline struct eddy_state *copy_of(const struct eddy_state *state)
{
    struct eddy_state *copy = new_state();
    struct eddy_buf blob = blob_of(state);
    struct eddy_err err = {0};
    CHECK_INT(eddy_state_decode(eddy_buf_span(&blob), copy, &err), 0);
    CHECK_STR(err.text, "");
    eddy_buf_fini(&blob);
    return copy;
}

static inline void reencode(struct eddy_state *state, struct eddy_snapshot *with)
{
    struct eddy_step steps[RECENT_MAX];
    uint32_t want = eddy_state_reencode(state, with);
    uint32_t count = eddy_state_resteps(state, with, steps);
    CHECK_INT(count, want);
    for (uint32_t i = 0; i < count; i++) {
        step_hidden(state, with, &steps[i]);
    }
}

static inline void random_context(struct eddy_rng *rng, struct eddy_event *event,
                                  struct eddy_event_context *room)
{
    static const char *const names[] = {"DEVICE", "hour", "other"};
    static const char *const texts[] = {"phone", "TV", "3", "12.5", "nobody"};
    uint32_t count = 1 + eddy_rng_below(rng, 3);
    for (uint32_t i = 0; i < count; i++) {
        room[i] = (struct eddy_event_context){.name = eddy_span_of(names[i]),
                                              .text = eddy_span_of(
                                                  texts[eddy_rng_below(rng, 5)])};
    }
    event->context = room;
    event->context_count = count;
    CHECK_INT(eddy_event_check(event, NULL), 0);
}

static inline void random_history(struct eddy_rng *rng, struct eddy_state *state,
                                  struct eddy_snapshot *with, uint32_t events)
{
    int64_t now = T0;
    for (uint32_t i = 0; i < events; i++) {
        char item[16], id[16];
        uint32_t jump = eddy_rng_below(rng, 10);
        now += jump == 0 ? 7200 : eddy_rng_below(rng, 300);
        int64_t ts = now - (jump == 1 ? eddy_rng_below(rng, 5000) : 0);
        snprintf(item, sizeof item, "i%u", eddy_rng_below(rng, 70)); /* 20 unknown */
        snprintf(id, sizeof id, "e%u", eddy_rng_below(rng, 60));
        struct eddy_event event = make_event(item, ts, id);
        struct eddy_event_context context[EDDY_CONTEXT_MAX];
        char shown[2][16];
        struct eddy_span impressions[2];
        if (eddy_rng_below(rng, 2)) {
            random_context(rng, &event, context);
        }
        if (eddy_rng_below(rng, 3) == 0) {
            for (int s = 0; s < 2; s++) {
                snprintf(shown[s], sizeof shown[s], "i%u", eddy_rng_below(rng, 70));
                impressions[s] = eddy_span_of(shown[s]);
            }
            event.impressions = impressions;
            event.impression_count = 2;
        }
        struct eddy_step step;
        (void)fold_with(state, &event, (now - 1000) * 1000, with, &step);
    }
}

#endif
