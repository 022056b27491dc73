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
 *   impression  array of 1..25 item ids (impression: required; event: optional)
 *   recommendationId  1..64 bytes (optional)
 *   snapshot, policy   only in kind "snapshot": version (16 hex digits), policy map
 *
 * Unknown keys are skipped; a key twice, a wrong type, an id out of its limits, NaN are
 * refused. A snapshot record is keyed by nothing and is written straight to a partition. */
#ifndef EDDY_CORE_EVENT_H
#define EDDY_CORE_EVENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "eddy/error.h"

enum {
    EDDY_ID_MAX = 256,
    EDDY_TYPE_MAX = 64,
    EDDY_IMPRESSION_MAX = 25,
    EDDY_RECORD_MAX = 1 << 20, /* larger payloads are refused unread */
    EDDY_SNAPSHOT_ID_SIZE = 17 /* 16 hex digits and NUL */
};

enum eddy_kind { EDDY_KIND_EVENT, EDDY_KIND_IMPRESSION, EDDY_KIND_SNAPSHOT };

/* What a snapshot record fixes besides the model: everything that decides a state or a
 * list and is not in the model. Travels in the log so that replays agree. */
struct eddy_policy {
    uint32_t list_size;   /* K, 1..500 */
    bool exclude_recent;  /* leave out the items of the state's recent events */
    uint32_t lateness_s;  /* events older than the newest by more are not applied */
};
extern const struct eddy_policy eddy_policy_default; /* 25, false, 86400 */

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

/* Policy as a msgpack map, in snapshot records and in stored positions. */
void eddy_policy_encode(const struct eddy_policy *policy, struct eddy_buf *out);
struct eddy_mp;
int eddy_policy_decode(struct eddy_mp *mp, struct eddy_policy *ret);

#endif
