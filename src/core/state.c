/* Session rules: what one event does to a user's state. Pure functions of state, record,
 * snapshot and policy (core/state.h has the order of the rules).
 *
 * A slot is one run of memory: struct, ring of recent events, hidden state, context of the
 * recent events, each on a cache line, so that a state is loaded, stepped and stored without
 * an allocation. Context comes last: where events have none its pages are never touched.
 *
 * Fold and re-encoding make their steps with the same function from the same two numbers
 * (stepped_s, time of the event); this is why a state that is re-encoded from a ring that
 * never overflowed has the bits of the state that was folded (test: test_state.c). */
#include "core/state.h"

#include "base/hash.h"
#include "base/log.h"

enum { LINE = 64, SKEW_MS = 5 * 60 * 1000 };

static size_t round_up(size_t size)
{
    return (size + LINE - 1) / LINE * LINE;
}

size_t eddy_state_size(uint32_t hidden_floats, uint32_t recent_max)
{
    return round_up(sizeof(struct eddy_state)) +
           round_up(recent_max * sizeof(struct eddy_recent)) +
           round_up(hidden_floats * sizeof(float)) +
           round_up(recent_max * EDDY_CONTEXT_MAX * sizeof(struct eddy_context));
}

struct eddy_state *eddy_state_init(void *memory, uint32_t hidden_floats,
                                   uint32_t recent_max)
{
    EDDY_ASSERT((uintptr_t)memory % LINE == 0);
    char *bytes = memory;
    struct eddy_state *state = memory;
    state->recent_capacity = recent_max;
    state->hidden_capacity = hidden_floats;
    bytes += round_up(sizeof *state);
    state->recent = (void *)bytes;
    bytes += round_up(recent_max * sizeof(struct eddy_recent));
    state->hidden = (void *)bytes;
    bytes += round_up(hidden_floats * sizeof(float));
    state->context = (void *)bytes;
    eddy_state_reset(state);
    return state;
}

void eddy_state_reset(struct eddy_state *state)
{
    uint32_t recent_capacity = state->recent_capacity;
    uint32_t hidden_capacity = state->hidden_capacity;
    struct eddy_recent *recent = state->recent;
    float *hidden = state->hidden;
    struct eddy_context *context = state->context;
    *state = (struct eddy_state){.first_s = -1,
                                 .newest_s = -1,
                                 .stepped_s = -1,
                                 .recent_capacity = recent_capacity,
                                 .recent = recent,
                                 .hidden_capacity = hidden_capacity,
                                 .hidden = hidden,
                                 .context = context};
}

/* Hidden = 0 and the snapshot's name on it. */
static void zero_hidden(struct eddy_state *state, const struct eddy_snapshot *snapshot)
{
    uint32_t floats = eddy_hrnn_state_floats(&snapshot->manifest.shape);
    EDDY_ASSERT(floats <= state->hidden_capacity);
    EDDY_ASSERT(snapshot->manifest.recent_events <= state->recent_capacity);
    memcpy(state->snapshot, snapshot->manifest.version, sizeof state->snapshot);
    memset(state->hidden, 0, floats * sizeof(float));
    state->hidden_count = floats;
    state->stepped_s = -1;
    state->step_count_low = 0;
}

bool eddy_state_is_stale(const struct eddy_state *state,
                         const struct eddy_snapshot *snapshot)
{
    if (state->snapshot[0] == '\0') {
        /* New, or from before the first model: then what is remembered has to be stepped. */
        return state->recent_count > 0 && snapshot->manifest.version[0] != '\0';
    }
    return memcmp(state->snapshot, snapshot->manifest.version,
                  sizeof state->snapshot) != 0 ||
           state->hidden_count != eddy_hrnn_state_floats(&snapshot->manifest.shape);
}

static bool has_id(const struct eddy_state *state, uint32_t id)
{
    for (uint32_t i = 0; i < state->id_count; i++) {
        if (state->ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void remember_id(struct eddy_state *state, uint32_t id)
{
    state->ids[state->id_next] = id;
    state->id_next = (state->id_next + 1) % EDDY_EVENT_IDS;
    state->id_count += state->id_count < EDDY_EVENT_IDS;
}

/* Keep the newest `count` recent events. */
static void cut_recent(struct eddy_state *state, uint32_t count)
{
    uint32_t gone = state->recent_count > count ? state->recent_count - count : 0;
    uint32_t contexts = 0;
    if (gone == 0) {
        return;
    }
    for (uint32_t i = 0; i < gone; i++) {
        contexts += eddy_recent_contexts(&state->recent[i]);
    }
    memmove(state->recent, state->recent + gone, count * sizeof *state->recent);
    state->recent_count = count;
    if (contexts > 0) {
        state->context_count -= contexts;
        memmove(state->context, state->context + contexts,
                state->context_count * sizeof *state->context);
    }
}

/* The items of an impression but the one chosen with it. */
static void note_shown(struct eddy_state *state, const struct eddy_event *event,
                       int64_t ts_s)
{
    uint64_t items[EDDY_IMPRESSION_MAX];
    for (uint32_t i = 0; i < event->impression_count; i++) {
        items[i] = eddy_hash64(event->impressions[i]);
    }
    eddy_shown_note(&state->shown, items, event->impression_count,
                    event->kind == EDDY_KIND_EVENT ? &event->item_hash : NULL,
                    (uint32_t)ts_s);
}

static void remember(struct eddy_state *state, const struct eddy_event *event,
                     int64_t ts_s, uint32_t recent_max)
{
    cut_recent(state, recent_max - 1);
    state->recent[state->recent_count++] =
        (struct eddy_recent){.item_hash = event->item_hash,
                             .ts_s = (uint32_t)ts_s,
                             .type_hash = event->type_hash,
                             .value = event->has_value ? event->value : 0.0f,
                             .flags = event->context_count << 1 | event->has_value};
    for (uint32_t i = 0; i < event->context_count; i++) {
        state->context[state->context_count++] = event->context[i].value;
    }
    eddy_shown_choose(&state->shown, event->item_hash);
    note_shown(state, event, ts_s);
    if (state->event_count == 0 || ts_s < state->first_s) {
        state->first_s = ts_s;
    }
    if (ts_s > state->newest_s) {
        state->newest_s = ts_s;
    }
    state->event_count++;
}

/* The step of one remembered event with its context; false when the snapshot does not know
 * its item. */
static bool make_step(struct eddy_state *state, const struct eddy_recent *recent,
                      const struct eddy_context *context,
                      const struct eddy_snapshot *snapshot, struct eddy_step *ret)
{
    uint32_t item = eddy_catalog_find_hash(snapshot->catalog, recent->item_hash);
    if (item == EDDY_ITEM_NONE) {
        return false;
    }
    int64_t ts_s = recent->ts_s;
    *ret = eddy_step_make(item, eddy_snapshot_type(snapshot, recent->type_hash),
                          state->stepped_s, ts_s, snapshot->manifest.session_gap_s,
                          recent->flags & 1u, recent->value);
    ret->context = eddy_context_index_row(snapshot->context, context,
                                          eddy_recent_contexts(recent));
    if (ts_s > state->stepped_s) {
        state->stepped_s = ts_s;
    }
    state->step_count_low += state->step_count_low < UINT32_MAX;
    return true;
}

enum eddy_fold eddy_state_fold(struct eddy_state *state, const struct eddy_event *event,
                               uint64_t offset, int64_t record_ms,
                               const struct eddy_snapshot *snapshot,
                               const struct eddy_policy *policy,
                               struct eddy_step *ret_step)
{
    EDDY_ASSERT(offset >= state->revision);
    EDDY_ASSERT(event->kind != EDDY_KIND_SNAPSHOT);
    int64_t ts_ms = event->ts_ms;
    if (record_ms > 0 && ts_ms > record_ms + SKEW_MS) {
        ts_ms = record_ms + SKEW_MS; /* the broker's clock against the client's */
    }
    int64_t ts_s = ts_ms / 1000;
    uint32_t id = event->id.data ? (uint32_t)eddy_hash64(event->id) : 0;
    if (snapshot->manifest.version[0] == '\0') {
        state->hidden_count = 0; /* no model yet: nothing encodes */
    } else if (state->snapshot[0] == '\0') {
        zero_hidden(state, snapshot);
    }
    state->revision = offset + 1;
    if (event->id.data && has_id(state, id)) {
        return EDDY_FOLD_DUPLICATE;
    }
    if (state->newest_s >= 0 && ts_s < state->newest_s - (int64_t)policy->lateness_s) {
        return EDDY_FOLD_LATE;
    }
    if (event->id.data) {
        remember_id(state, id);
    }
    if (event->kind == EDDY_KIND_IMPRESSION) {
        note_shown(state, event, ts_s);
        return EDDY_FOLD_NOTED;
    }
    remember(state, event, ts_s, snapshot->manifest.recent_events);
    if (!make_step(state, &state->recent[state->recent_count - 1],
                   state->context + state->context_count - event->context_count,
                   snapshot, ret_step)) {
        return EDDY_FOLD_UNKNOWN;
    }
    state->session_count += ret_step->begin;
    return EDDY_FOLD_STEP;
}

uint32_t eddy_state_reencode(struct eddy_state *state,
                             const struct eddy_snapshot *snapshot)
{
    zero_hidden(state, snapshot);
    cut_recent(state, snapshot->manifest.recent_events);
    uint32_t known = 0;
    for (uint32_t i = 0; i < state->recent_count; i++) {
        known += eddy_catalog_find_hash(snapshot->catalog,
                                        state->recent[i].item_hash) != EDDY_ITEM_NONE;
    }
    return known;
}

uint32_t eddy_state_resteps(struct eddy_state *state,
                            const struct eddy_snapshot *snapshot, struct eddy_step *ret)
{
    EDDY_ASSERT(state->step_count_low == 0 && state->stepped_s < 0);
    uint32_t count = 0, sessions = 0;
    const struct eddy_context *context = state->context;
    for (uint32_t i = 0; i < state->recent_count; i++) {
        if (make_step(state, &state->recent[i], context, snapshot, &ret[count])) {
            sessions += ret[count].begin;
            count++;
        }
        context += eddy_recent_contexts(&state->recent[i]);
    }
    /* Items that were unknown may begin sessions that nobody counted. */
    if (state->session_count < sessions) {
        state->session_count = sessions;
    }
    return count;
}
