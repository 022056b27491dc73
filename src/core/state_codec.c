/* Stored form of a state.
 *
 *   'E' 'S' 2  [revision, snapshot, first_s, newest_s, stepped_s, event_count,
 *               session_count, step_count, ids, recent, hidden, context, shown]
 *
 * ids: 4 bytes each, oldest first. recent: 24 bytes each, oldest first: item_hash u64,
 * ts_s u32, type_hash u32, value f32, flags u32. hidden: f32. context: 12 bytes each, those
 * of the recent events one after the other: column u32, text u32, number f32. shown: 16
 * bytes each, oldest first: item_hash u64, ts_s u32, times u32. All little-endian, which is
 * the memory of every machine that eddy runs on, so the binaries are copied, not converted:
 * 3 KiB cost as much as a memcpy. Version 1 ended with hidden. The ring of ids is written from its oldest
 * element, so that two states that behave equally are equal bytes, wherever their rings
 * begin in memory.
 *
 * A blob comes from a store that others can write to: each number is checked against the
 * others before any of it is believed. Bits of hidden are not checked: any float is a
 * state that the model could have, and NaN only ranks items last. */
#include <math.h>

#include "base/msgpack.h"
#include "core/state.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blobs are little-endian");
_Static_assert(sizeof(struct eddy_recent) == 24, "stored as it is, without padding");
_Static_assert(sizeof(struct eddy_context) == 12, "stored as it is, without padding");
_Static_assert(sizeof(struct eddy_shown) == 16, "stored as it is, without padding");

enum { VERSION = 2, ELEMENTS = 13, ELEMENTS_1 = 11, HEAD_SIZE = 3 };

void eddy_state_encode(const struct eddy_state *state, struct eddy_buf *out)
{
    uint32_t ids[EDDY_EVENT_IDS];
    uint32_t first =
        (state->id_next + EDDY_EVENT_IDS - state->id_count) % EDDY_EVENT_IDS;
    for (uint32_t i = 0; i < state->id_count; i++) {
        ids[i] = state->ids[(first + i) % EDDY_EVENT_IDS];
    }
    const char head[HEAD_SIZE] = {'E', 'S', VERSION};
    size_t recent_size = state->recent_count * sizeof *state->recent;
    size_t hidden_size = state->hidden_count * sizeof(float);
    size_t context_size = state->context_count * sizeof *state->context;
    size_t shown_size = state->shown.count * sizeof *state->shown.entries;
    (void)eddy_buf_reserve(out, 256 + sizeof ids + recent_size + hidden_size +
                                    context_size + shown_size);
    eddy_buf_put(out, head, sizeof head);
    eddy_mp_put_array(out, ELEMENTS);
    eddy_mp_put_u64(out, state->revision);
    eddy_mp_put_str(out, eddy_span_of(state->snapshot));
    eddy_mp_put_i64(out, state->first_s);
    eddy_mp_put_i64(out, state->newest_s);
    eddy_mp_put_i64(out, state->stepped_s);
    eddy_mp_put_u64(out, state->event_count);
    eddy_mp_put_u64(out, state->session_count);
    eddy_mp_put_u64(out, state->step_count_low);
    eddy_mp_put_bin(out,
                    (struct eddy_span){(char *)ids, state->id_count * sizeof *ids});
    eddy_mp_put_bin(out, (struct eddy_span){(char *)state->recent, recent_size});
    eddy_mp_put_bin(out, (struct eddy_span){(char *)state->hidden, hidden_size});
    eddy_mp_put_bin(out, (struct eddy_span){(char *)state->context, context_size});
    eddy_mp_put_bin(out,
                    (struct eddy_span){(const char *)state->shown.entries, shown_size});
}

/* What a blob says, borrowed from it. */
struct blob {
    uint64_t revision, event_count, session_count, step_count;
    int64_t first_s, newest_s, stepped_s;
    struct eddy_span snapshot, ids, recent, hidden, context, shown;
    bool old; /* version 1 */
};

/* Header and the first two elements; the cursor stands behind them. */
static const char *read_head(struct eddy_span bytes, struct eddy_mp *mp,
                             struct blob *blob)
{
    uint32_t count;
    *blob = (struct blob){.context = {"", 0}, .shown = {"", 0}};
    if (bytes.size < HEAD_SIZE || bytes.data[0] != 'E' || bytes.data[1] != 'S') {
        return "it does not begin with ES";
    }
    if (bytes.data[2] != VERSION && bytes.data[2] != 1) {
        return "its format version is neither 1 nor 2: written by a newer eddy?";
    }
    blob->old = bytes.data[2] == 1;
    *mp =
        eddy_mp_of((struct eddy_span){bytes.data + HEAD_SIZE, bytes.size - HEAD_SIZE});
    if (eddy_mp_array(mp, &count) < 0 || count != (blob->old ? ELEMENTS_1 : ELEMENTS) ||
        eddy_mp_u64(mp, &blob->revision) < 0 || eddy_mp_str(mp, &blob->snapshot) < 0) {
        return "its head is damaged or cut short";
    }
    size_t size = blob->snapshot.size;
    if ((size != 0 && size != EDDY_SNAPSHOT_ID_SIZE - 1) ||
        memchr(blob->snapshot.data, 0, size)) {
        return "its snapshot version is not 16 characters";
    }
    return NULL;
}

static const char *read_body(struct eddy_mp *mp, struct blob *blob)
{
    if (eddy_mp_i64(mp, &blob->first_s) < 0 || eddy_mp_i64(mp, &blob->newest_s) < 0 ||
        eddy_mp_i64(mp, &blob->stepped_s) < 0 ||
        eddy_mp_u64(mp, &blob->event_count) < 0 ||
        eddy_mp_u64(mp, &blob->session_count) < 0 ||
        eddy_mp_u64(mp, &blob->step_count) < 0 || eddy_mp_bin(mp, &blob->ids) < 0 ||
        eddy_mp_bin(mp, &blob->recent) < 0 || eddy_mp_bin(mp, &blob->hidden) < 0) {
        return "it is damaged or cut short";
    }
    if (!blob->old &&
        (eddy_mp_bin(mp, &blob->context) < 0 || eddy_mp_bin(mp, &blob->shown) < 0)) {
        return "its context is damaged or cut short";
    }
    return mp->at == mp->end ? NULL : "there are bytes behind its end";
}

static const char *check_numbers(const struct blob *blob)
{
    uint64_t recent_count = blob->recent.size / sizeof(struct eddy_recent);
    bool is_new = blob->event_count == 0;
    if (blob->ids.size % sizeof(uint32_t) != 0 ||
        blob->ids.size / sizeof(uint32_t) > EDDY_EVENT_IDS) {
        return "its event ids have an impossible size";
    }
    if (blob->recent.size % sizeof(struct eddy_recent) != 0 ||
        recent_count > EDDY_RECENT_MAX) {
        return "its recent events have an impossible size";
    }
    if (blob->hidden.size % sizeof(float) != 0) {
        return "its hidden state has an impossible size";
    }
    if (recent_count > blob->event_count || (recent_count == 0) != is_new ||
        blob->session_count > blob->event_count || blob->step_count > UINT32_MAX) {
        return "its counts contradict each other";
    }
    if (blob->newest_s > UINT32_MAX || blob->first_s < -1 || blob->stepped_s < -1 ||
        blob->first_s > blob->newest_s || blob->stepped_s > blob->newest_s ||
        (blob->newest_s < 0) != is_new || (blob->first_s < 0) != is_new ||
        (blob->stepped_s < 0) != (blob->step_count == 0)) {
        return "its times contradict each other";
    }
    if (blob->snapshot.size == 0 && (blob->hidden.size > 0 || blob->step_count > 0)) {
        return "it has a hidden state and no snapshot";
    }
    return NULL;
}

static const char *check_recent(const struct blob *blob)
{
    size_t contexts = 0;
    for (size_t at = 0; at < blob->recent.size; at += sizeof(struct eddy_recent)) {
        struct eddy_recent recent;
        memcpy(&recent, blob->recent.data + at, sizeof recent);
        if (recent.item_hash == 0 || recent.flags > EDDY_RECENT_FLAGS_MAX ||
            recent.ts_s > blob->newest_s || recent.ts_s < blob->first_s ||
            !isfinite(recent.value)) {
            return "one of its recent events is damaged";
        }
        contexts += eddy_recent_contexts(&recent);
    }
    return blob->context.size == contexts * sizeof(struct eddy_context)
               ? NULL
               : "its recent events and their context contradict each other";
}

static const char *check_more(const struct blob *blob)
{
    for (size_t at = 0; at < blob->context.size; at += sizeof(struct eddy_context)) {
        struct eddy_context context;
        memcpy(&context, blob->context.data + at, sizeof context);
        if (isinf(context.number)) {
            return "one of its values of context is damaged";
        }
    }
    if (blob->shown.size % sizeof(struct eddy_shown) != 0 ||
        blob->shown.size / sizeof(struct eddy_shown) > EDDY_SHOWN_MAX) {
        return "what was shown has an impossible size";
    }
    for (size_t at = 0; at < blob->shown.size; at += sizeof(struct eddy_shown)) {
        struct eddy_shown shown;
        memcpy(&shown, blob->shown.data + at, sizeof shown);
        if (shown.item_hash == 0 || shown.times == 0) {
            return "one of the items shown is damaged";
        }
    }
    return NULL;
}

static void take(const struct blob *blob, struct eddy_state *state)
{
    eddy_state_reset(state);
    state->revision = blob->revision;
    memcpy(state->snapshot, blob->snapshot.data, blob->snapshot.size);
    state->first_s = blob->first_s;
    state->newest_s = blob->newest_s;
    state->stepped_s = blob->stepped_s;
    state->event_count = blob->event_count;
    state->session_count = blob->session_count;
    state->step_count_low = (uint32_t)blob->step_count;
    state->id_count = (uint32_t)(blob->ids.size / sizeof *state->ids);
    state->id_next = state->id_count % EDDY_EVENT_IDS;
    memcpy(state->ids, blob->ids.data, blob->ids.size);

    size_t room = state->recent_capacity * sizeof *state->recent;
    size_t size = blob->recent.size < room ? blob->recent.size : room;
    memcpy(state->recent, blob->recent.data + blob->recent.size - size, size);
    state->recent_count = (uint32_t)(size / sizeof *state->recent);
    for (uint32_t i = 0; i < state->recent_count; i++) {
        state->context_count += eddy_recent_contexts(&state->recent[i]);
    }
    size = state->context_count * sizeof *state->context;
    memcpy(state->context, blob->context.data + blob->context.size - size, size);
    state->shown.count = (uint32_t)(blob->shown.size / sizeof *state->shown.entries);
    memcpy(state->shown.entries, blob->shown.data, blob->shown.size);

    if (blob->hidden.size <= state->hidden_capacity * sizeof(float)) {
        memcpy(state->hidden, blob->hidden.data, blob->hidden.size);
        state->hidden_count = (uint32_t)(blob->hidden.size / sizeof(float));
    }
}

int eddy_state_decode(struct eddy_span bytes, struct eddy_state *state,
                      struct eddy_err *err)
{
    struct blob blob;
    struct eddy_mp mp;
    const char *why = read_head(bytes, &mp, &blob);
    why = why ? why : read_body(&mp, &blob);
    why = why ? why : check_numbers(&blob);
    why = why ? why : check_recent(&blob);
    why = why ? why : check_more(&blob);
    if (why) {
        eddy_state_reset(state);
        return eddy_fail(err, EDDY_EFORMAT, "state blob of %zu bytes: %s", bytes.size,
                         why);
    }
    take(&blob, state);
    return 0;
}

int eddy_state_peek(struct eddy_span bytes, char ret_snapshot[EDDY_SNAPSHOT_ID_SIZE],
                    uint64_t *ret_revision)
{
    struct blob blob;
    struct eddy_mp mp;
    if (read_head(bytes, &mp, &blob)) {
        return EDDY_EFORMAT;
    }
    memcpy(ret_snapshot, blob.snapshot.data, blob.snapshot.size);
    ret_snapshot[blob.snapshot.size] = '\0';
    *ret_revision = blob.revision;
    return 0;
}
