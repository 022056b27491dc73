/* Layer: core.  The canonical event and its limits; the msgpack form.
 *
 * A record of eddy.events is a msgpack map (JSON object accepted, io/json_simd.h) with
 *
 *   v      1 (format version; absent means 1)
 *   kind   "event" (default) | "impression" | "snapshot"
 *   user   id, 1..256 bytes UTF-8 (event, impression)
 *   item   id, 1..256 bytes UTF-8 (event)
 *   type   event type, 1..64 bytes, default "click" (event)
 *   ts     event time, integer Unix milliseconds, 1990-01-01 .. 2100-01-01
 *   value  number, finite (optional)
 *   id     event id of the client, 1..256 bytes (optional; repeats are dropped)
 *   session  session id, 1..256 bytes (optional)
 *   context  map of at most 5 names (1..150 bytes) to a text of up to 1000 characters, a
 *          number or a boolean (optional; an empty text or nil counts as absent)
 *   impression  array of 1..25 item ids (impression: required; event: optional)
 *   recommendationId  1..64 bytes (optional)
 *   snapshot, policy   only in kind "snapshot": version (16 hex digits), policy map
 *
 * Unknown keys are skipped; nil (null) counts as absent; a known key twice, a wrong type,
 * an id out of its limits, NaN, bytes behind the map, nesting deeper than 32 are refused. A
 * snapshot record is keyed by nothing and is written straight to a partition. */
#ifndef EDDY_CORE_EVENT_H
#define EDDY_CORE_EVENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "core/context.h"
#include "eddy/error.h"

enum {
    EDDY_ID_MAX = 256,
    EDDY_TYPE_MAX = 64,
    EDDY_IMPRESSION_MAX = 25,
    EDDY_RECORD_MAX = 1 << 20, /* larger payloads are refused unread */
    EDDY_SNAPSHOT_ID_SIZE = 17 /* 16 hex digits and NUL */
};

/* Names of the fields as they stand in a record, in the order in which they are written. */
#define EDDY_FIELD_MAP(XX)                                                             \
    XX(V, "v")                                                                         \
    XX(KIND, "kind")                                                                   \
    XX(USER, "user")                                                                   \
    XX(ITEM, "item")                                                                   \
    XX(TYPE, "type")                                                                   \
    XX(TS, "ts")                                                                       \
    XX(VALUE, "value")                                                                 \
    XX(ID, "id")                                                                       \
    XX(SESSION, "session")                                                             \
    XX(CONTEXT, "context")                                                             \
    XX(IMPRESSION, "impression")                                                       \
    XX(RECOMMENDATION_ID, "recommendationId")                                          \
    XX(SNAPSHOT, "snapshot")                                                           \
    XX(POLICY, "policy")
enum eddy_field {
#define XX(id, name) EDDY_FIELD_##id,
    EDDY_FIELD_MAP(XX)
#undef XX
        EDDY_FIELD_UNKNOWN
};

enum eddy_kind { EDDY_KIND_EVENT, EDDY_KIND_IMPRESSION, EDDY_KIND_SNAPSHOT };

/* What a snapshot record fixes besides the model: everything that decides a state or a
 * list and is not in the model. Travels in the log so that replays agree. */
struct eddy_policy {
    uint32_t list_size;  /* K, 1..500 */
    bool exclude_recent; /* leave out the items of the state's recent events */
    uint32_t lateness_s; /* events older than the newest by more are not applied */
};
extern const struct eddy_policy eddy_policy_default; /* 25, false, 86400 */

struct eddy_event_context {
    struct eddy_span name, text; /* a number as %.15g */
    bool is_number;
    struct eddy_context value; /* set by eddy_event_check */
};

struct eddy_event {
    enum eddy_kind kind;
    struct eddy_span user, item, type, id, session, recommendation_id;
    uint64_t item_hash; /* eddy_hash64(item); set by eddy_event_check */
    uint32_t type_hash; /* low 32 bits of eddy_hash64(type); set by eddy_event_check */
    int64_t ts_ms;
    float value;
    bool has_value;
    uint32_t impression_count;
    const struct eddy_span *impressions; /* arena */
    uint32_t context_count;
    struct eddy_event_context *context; /* arena */
    char snapshot[EDDY_SNAPSHOT_ID_SIZE];
    struct eddy_policy policy;
};

/* Decode one msgpack record. Spans are borrowed from bytes, impressions are arena memory.
 * Calls eddy_event_check. Returns 0 or a code of class EVENT; *ret is untouched then.
 * Thread: any. Allocates nothing but arena memory. */
int eddy_event_decode(struct eddy_span bytes, struct eddy_arena *arena,
                      struct eddy_event *ret, struct eddy_err *err);

/* The rules common to all encodings: presence, limits, UTF-8, time range; defaults; hashes.
 * Returns 0, EDDY_EBADEVENT, EDDY_ETIME, EDDY_ETOOBIG (id beyond its limit). */
int eddy_event_check(struct eddy_event *event, struct eddy_err *err);

/* Append the msgpack form. event must have passed eddy_event_check. */
void eddy_event_encode(const struct eddy_event *event, struct eddy_buf *out);
/* Append the JSON form (one line, no newline). */
void eddy_event_encode_json(const struct eddy_event *event, struct eddy_buf *out);

/* Policy as a msgpack map, in snapshot records and in stored positions. Decoding: absent
 * keys have the default, unknown ones are skipped; EDDY_EBADEVENT when one is there twice,
 * of a wrong type or out of range, *ret is untouched then. */
void eddy_policy_encode(const struct eddy_policy *policy, struct eddy_buf *out);
struct eddy_mp;
int eddy_policy_decode(struct eddy_mp *mp, struct eddy_policy *ret);

/* ---- for decoders of other encodings (io/json_simd.cc): what is not msgpack ---------- */

/* Field of a key, EDDY_FIELD_UNKNOWN for others; and the name of a field. */
enum eddy_field eddy_field_find(struct eddy_span key);
const char *eddy_field_name(enum eddy_field field);

/* A text field (all but v, ts, value, context, impression, policy). EDDY_EBADEVENT: unknown kind,
 * snapshot that is no version. */
int eddy_event_set_text(struct eddy_event *event, enum eddy_field field,
                        struct eddy_span text, struct eddy_err *err);
/* Format version: EDDY_EVERSION unless 1. */
int eddy_event_check_version(int64_t version, struct eddy_err *err);
/* Room for count impressions. EDDY_EBADEVENT for none, EDDY_ETOOBIG, EDDY_ENOMEM. */
int eddy_event_take_impressions(struct eddy_event *event, uint64_t count,
                                struct eddy_arena *arena, struct eddy_span **ret,
                                struct eddy_err *err);
/* One more value of the context: number is taken where text.data is NULL; an empty text is
 * left out. EDDY_ETOOBIG beyond EDDY_CONTEXT_MAX, EDDY_ENOMEM. */
int eddy_event_add_context(struct eddy_event *event, struct eddy_span name,
                           struct eddy_span text, double number,
                           struct eddy_arena *arena, struct eddy_err *err);
/* To be called last: the fields with a value (bit 1 << field) must fit the kind, then
 * eddy_event_check. */
int eddy_event_finish(struct eddy_event *event, uint32_t seen, struct eddy_err *err);

/* Keys of a policy. Set: EDDY_EBADEVENT when out of range; exclude_recent is 0 or 1. */
enum eddy_policy_field {
    EDDY_POLICY_LIST_SIZE,
    EDDY_POLICY_EXCLUDE_RECENT, /* the only boolean */
    EDDY_POLICY_LATENESS_S,
    EDDY_POLICY_UNKNOWN
};
enum eddy_policy_field eddy_policy_field_find(struct eddy_span key);
int eddy_policy_set(struct eddy_policy *policy, enum eddy_policy_field field,
                    int64_t value);

#endif
