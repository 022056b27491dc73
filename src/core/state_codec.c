/* Stored form of a state.
 *
 *   'E' 'S' 1  [revision, snapshot, first_s, newest_s, stepped_s, event_count,
 *               session_count, step_count, ids, recent, hidden]
 *
 * ids: 4 bytes each, oldest first. recent: 24 bytes each, oldest first: item_hash u64,
 * ts_s u32, type_hash u32, value f32, flags u32. hidden: f32. All little-endian, which is
 * the memory of every machine that eddy runs on, so the three binaries are copied, not
 * converted: 3 KiB cost as much as a memcpy. The ring of ids is written from its oldest
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

enum { VERSION = 1, ELEMENTS = 11, HEAD_SIZE = 3 };

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
    (void)eddy_buf_reserve(out, 256 + sizeof ids + recent_size + hidden_size);
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
}

/* What a blob says, borrowed from it. */
struct blob {
    uint64_t revision, event_count, session_count, step_count;
    int64_t first_s, newest_s, stepped_s;
    struct eddy_span snapshot, ids, recent, hidden;
};

/* Header and the first two elements; the cursor stands behind them. */
static const char *read_head(struct eddy_span bytes, struct eddy_mp *mp,
                             struct blob *blob)
{
    uint32_t count;
    if (bytes.size < HEAD_SIZE || bytes.data[0] != 'E' || bytes.data[1] != 'S') {
        return "it does not begin with ES";
    }
    if (bytes.data[2] != VERSION) {
        return "its format version is not 1: written by a newer eddy?";
    }
    *mp =
        eddy_mp_of((struct eddy_span){bytes.data + HEAD_SIZE, bytes.size - HEAD_SIZE});
    if (eddy_mp_array(mp, &count) < 0 || count != ELEMENTS ||
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
        blob->session_count > blob->event_count || blob->step_count > UINT32_MAX ||
        blob->ids.size / sizeof(uint32_t) > blob->event_count) {
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
    for (size_t at = 0; at < blob->recent.size; at += sizeof(struct eddy_recent)) {
        struct eddy_recent recent;
        memcpy(&recent, blob->recent.data + at, sizeof recent);
        if (recent.item_hash == 0 || recent.flags > 1 || recent.ts_s > blob->newest_s ||
            recent.ts_s < blob->first_s || !isfinite(recent.value)) {
            return "one of its recent events is damaged";
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
