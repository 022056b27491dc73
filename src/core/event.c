/* Canonical events: the rules that hold in every encoding (eddy_event_check and the
 * setters), and the msgpack decoder and encoder.
 *
 * The decoder pulls values straight from the bytes: no object tree, no copies, one arena
 * array when there are impressions. Each known key sets a bit, so a key that comes twice
 * is seen without a search; which of two contradicting values a reader believes must not
 * depend on the reader. Unknown keys are skipped, so a producer may add its own.
 *
 * Errors name the field and say why; they are formatted on the failing path only. */
#include "core/event.h"

#include <math.h>

#include "base/hash.h"
#include "base/msgpack.h"
#include "core/text.h"

const struct eddy_policy eddy_policy_default = {25, false, 86400};

enum { LIST_SIZE_MAX = 500 };

#define TS_MIN (EDDY_TIME_MIN_S * 1000)
#define TS_MAX (EDDY_TIME_MAX_S * 1000)

static const char *const field_names[] = {
#define XX(id, name) name,
    EDDY_FIELD_MAP(XX)
#undef XX
};

const char *eddy_field_name(enum eddy_field field)
{
    return field < EDDY_FIELD_UNKNOWN ? field_names[field] : "(unknown)";
}

static bool is_named(struct eddy_span key, enum eddy_field field)
{
    return memcmp(key.data, field_names[field], key.size) == 0;
}

/* The size leaves at most four candidates, and of those the first letters differ. */
enum eddy_field eddy_field_find(struct eddy_span key)
{
    enum eddy_field field;
    switch (key.size) {
    case 1: field = EDDY_FIELD_V; break;
    case 2: field = key.data[0] == 't' ? EDDY_FIELD_TS : EDDY_FIELD_ID; break;
    case 4:
        field = key.data[0] == 'u'   ? EDDY_FIELD_USER
                : key.data[0] == 'i' ? EDDY_FIELD_ITEM
                : key.data[0] == 't' ? EDDY_FIELD_TYPE
                                     : EDDY_FIELD_KIND;
        break;
    case 5: field = EDDY_FIELD_VALUE; break;
    case 6: field = EDDY_FIELD_POLICY; break;
    case 7: field = EDDY_FIELD_SESSION; break;
    case 8: field = EDDY_FIELD_SNAPSHOT; break;
    case 10: field = EDDY_FIELD_IMPRESSION; break;
    case 16: field = EDDY_FIELD_RECOMMENDATION_ID; break;
    default: return EDDY_FIELD_UNKNOWN;
    }
    return is_named(key, field) ? field : EDDY_FIELD_UNKNOWN;
}

/* ---- rules of all encodings --------------------------------------------------------- */

static const char *const kind_names[] = {"event", "impression", "snapshot"};

static int set_kind(struct eddy_event *event, struct eddy_span text,
                    struct eddy_err *err)
{
    for (int i = 0; i < 3; i++) {
        if (eddy_span_eq(text, eddy_span_of(kind_names[i]))) {
            event->kind = (enum eddy_kind)i;
            return 0;
        }
    }
    return eddy_fail(err, EDDY_EBADEVENT,
                     "kind: '%.*s' is not event, impression, snapshot",
                     text.size > 40 ? 40 : (int)text.size, text.data);
}

static int set_snapshot(struct eddy_event *event, struct eddy_span text,
                        struct eddy_err *err)
{
    bool good = text.size == EDDY_SNAPSHOT_ID_SIZE - 1;
    for (size_t i = 0; good && i < text.size; i++) {
        char c = text.data[i];
        good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    if (!good) {
        return eddy_fail(err, EDDY_EBADEVENT,
                         "snapshot: '%.*s' is no version (16 hex digits, lower case)",
                         text.size > 40 ? 40 : (int)text.size, text.data);
    }
    memcpy(event->snapshot, text.data, text.size);
    event->snapshot[text.size] = '\0';
    return 0;
}

int eddy_event_set_text(struct eddy_event *event, enum eddy_field field,
                        struct eddy_span text, struct eddy_err *err)
{
    switch (field) {
    case EDDY_FIELD_KIND: return set_kind(event, text, err);
    case EDDY_FIELD_SNAPSHOT: return set_snapshot(event, text, err);
    case EDDY_FIELD_USER: event->user = text; return 0;
    case EDDY_FIELD_ITEM: event->item = text; return 0;
    case EDDY_FIELD_TYPE: event->type = text; return 0;
    case EDDY_FIELD_ID: event->id = text; return 0;
    case EDDY_FIELD_SESSION: event->session = text; return 0;
    case EDDY_FIELD_RECOMMENDATION_ID: event->recommendation_id = text; return 0;
    default:
        return eddy_fail(err, EDDY_EBADEVENT, "%s: no text", eddy_field_name(field));
    }
}

int eddy_event_check_version(int64_t version, struct eddy_err *err)
{
    return version == 1 ? 0
                        : eddy_fail(err, EDDY_EVERSION,
                                    "v: format version %lld, this program knows 1",
                                    (long long)version);
}

int eddy_event_take_impressions(struct eddy_event *event, uint64_t count,
                                struct eddy_arena *arena, struct eddy_span **ret,
                                struct eddy_err *err)
{
    if (count == 0) {
        return eddy_fail(err, EDDY_EBADEVENT,
                         "impression: empty, 1 to %d items are wanted",
                         EDDY_IMPRESSION_MAX);
    }
    if (count > EDDY_IMPRESSION_MAX) {
        return eddy_fail(err, EDDY_ETOOBIG,
                         "impression: %llu items, at most %d are allowed",
                         (unsigned long long)count, EDDY_IMPRESSION_MAX);
    }
    struct eddy_span *room = eddy_arena_take(arena, (size_t)count * sizeof *room);
    if (!room) {
        return eddy_fail(err, EDDY_ENOMEM, "impression: the batch's memory is used up");
    }
    event->impressions = room;
    event->impression_count = (uint32_t)count;
    *ret = room;
    return 0;
}

static int check_text(const char *name, struct eddy_span text, size_t size_max,
                      struct eddy_err *err)
{
    if (text.size == 0) {
        return eddy_fail(err, EDDY_EBADEVENT, "%s: empty, 1 to %zu bytes are wanted",
                         name, size_max);
    }
    if (text.size > size_max) {
        return eddy_fail(err, EDDY_ETOOBIG, "%s: %zu bytes, at most %zu are allowed",
                         name, text.size, size_max);
    }
    if (!eddy_utf8_is_valid(text)) {
        return eddy_fail(err, EDDY_EBADEVENT, "%s: not valid UTF-8", name);
    }
    return 0;
}

static int check_texts(const struct eddy_event *event, struct eddy_err *err)
{
    const struct {
        const char *name;
        const struct eddy_span *text;
        size_t size_max;
    } texts[] = {
        {"user", &event->user, EDDY_ID_MAX},
        {"item", &event->item, EDDY_ID_MAX},
        {"type", &event->type, EDDY_TYPE_MAX},
        {"id", &event->id, EDDY_ID_MAX},
        {"session", &event->session, EDDY_ID_MAX},
        {"recommendationId", &event->recommendation_id, EDDY_TYPE_MAX},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!texts[i].text->data) {
            continue; /* absent */
        }
        int code = check_text(texts[i].name, *texts[i].text, texts[i].size_max, err);
        if (code < 0) {
            return code;
        }
    }
    for (uint32_t i = 0; i < event->impression_count; i++) {
        int code = check_text("impression", event->impressions[i], EDDY_ID_MAX, err);
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

static int check_presence(const struct eddy_event *event, struct eddy_err *err)
{
    const char *missing = NULL;
    if (event->kind == EDDY_KIND_SNAPSHOT) {
        missing = event->snapshot[0] ? NULL : "snapshot";
    } else if (!event->user.data) {
        missing = "user";
    } else if (event->kind == EDDY_KIND_EVENT && !event->item.data) {
        missing = "item";
    } else if (event->kind == EDDY_KIND_IMPRESSION && event->impression_count == 0) {
        missing = "impression";
    }
    return missing ? eddy_fail(err, EDDY_EBADEVENT, "%s is missing", missing) : 0;
}

int eddy_event_check(struct eddy_event *event, struct eddy_err *err)
{
    int code = check_presence(event, err);
    if (code == 0) {
        code = check_texts(event, err);
    }
    if (code < 0) {
        return code;
    }
    if (event->ts_ms == 0 && event->kind != EDDY_KIND_SNAPSHOT) {
        return eddy_fail(err, EDDY_ETIME, "ts is missing or 0");
    }
    if (event->ts_ms != 0 && (event->ts_ms < TS_MIN || event->ts_ms >= TS_MAX)) {
        return eddy_fail(
            err, EDDY_ETIME,
            "ts: %lld is outside the years 1990 to 2099 in Unix milliseconds",
            (long long)event->ts_ms);
    }
    if (event->has_value && !isfinite(event->value)) {
        return eddy_fail(err, EDDY_EBADEVENT, "value: not a finite 32-bit float");
    }
    if (event->value == 0.0f) {
        event->value = 0.0f; /* no -0: JSON readers differ about its sign */
    }
    if (event->kind == EDDY_KIND_EVENT && !event->type.data) {
        event->type = eddy_span_of("click");
    }
    event->item_hash = event->item.data ? eddy_hash64(event->item) : 0;
    event->type_hash = event->type.data ? (uint32_t)eddy_hash64(event->type) : 0;
    return 0;
}

int eddy_event_finish(struct eddy_event *event, uint32_t seen, struct eddy_err *err)
{
    if (event->kind != EDDY_KIND_SNAPSHOT &&
        (seen & (1u << EDDY_FIELD_SNAPSHOT | 1u << EDDY_FIELD_POLICY))) {
        return eddy_fail(err, EDDY_EBADEVENT,
                         "%s: only records of kind snapshot have it",
                         seen & 1u << EDDY_FIELD_SNAPSHOT ? "snapshot" : "policy");
    }
    return eddy_event_check(event, err);
}

/* ---- policy ------------------------------------------------------------------------- */

static const char *const policy_names[] = {"list_size", "exclude_recent", "lateness_s"};

enum eddy_policy_field eddy_policy_field_find(struct eddy_span key)
{
    for (int i = 0; i < EDDY_POLICY_UNKNOWN; i++) {
        if (eddy_span_eq(key, eddy_span_of(policy_names[i]))) {
            return (enum eddy_policy_field)i;
        }
    }
    return EDDY_POLICY_UNKNOWN;
}

int eddy_policy_set(struct eddy_policy *policy, enum eddy_policy_field field,
                    int64_t value)
{
    if (field == EDDY_POLICY_LIST_SIZE && value >= 1 && value <= LIST_SIZE_MAX) {
        policy->list_size = (uint32_t)value;
    } else if (field == EDDY_POLICY_EXCLUDE_RECENT && (value == 0 || value == 1)) {
        policy->exclude_recent = value != 0;
    } else if (field == EDDY_POLICY_LATENESS_S && value >= 0 && value <= UINT32_MAX) {
        policy->lateness_s = (uint32_t)value;
    } else {
        return EDDY_EBADEVENT;
    }
    return 0;
}

void eddy_policy_encode(const struct eddy_policy *policy, struct eddy_buf *out)
{
    eddy_mp_put_map(out, EDDY_POLICY_UNKNOWN);
    eddy_mp_put_str(out, eddy_span_of(policy_names[EDDY_POLICY_LIST_SIZE]));
    eddy_mp_put_u64(out, policy->list_size);
    eddy_mp_put_str(out, eddy_span_of(policy_names[EDDY_POLICY_EXCLUDE_RECENT]));
    eddy_mp_put_bool(out, policy->exclude_recent);
    eddy_mp_put_str(out, eddy_span_of(policy_names[EDDY_POLICY_LATENESS_S]));
    eddy_mp_put_u64(out, policy->lateness_s);
}

static int decode_policy_value(struct eddy_mp *mp, enum eddy_policy_field field,
                               struct eddy_policy *policy)
{
    int64_t value = 0;
    bool flag = false;
    int code;
    if (field == EDDY_POLICY_EXCLUDE_RECENT) {
        code = eddy_mp_bool(mp, &flag);
        value = flag;
    } else {
        code = eddy_mp_i64(mp, &value);
    }
    return code < 0 ? code : eddy_policy_set(policy, field, value);
}

int eddy_policy_decode(struct eddy_mp *mp, struct eddy_policy *ret)
{
    struct eddy_policy policy = eddy_policy_default;
    struct eddy_mp next = *mp;
    uint32_t count, seen = 0;
    if (eddy_mp_map(&next, &count) < 0) {
        return EDDY_EBADEVENT;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_span key;
        int code = eddy_mp_str(&next, &key);
        if (code < 0) {
            return code;
        }
        enum eddy_policy_field field = eddy_policy_field_find(key);
        if (field == EDDY_POLICY_UNKNOWN) {
            code = eddy_mp_skip(&next);
        } else if (seen & 1u << field) {
            code = EDDY_EBADEVENT;
        } else {
            seen |= 1u << field;
            code = decode_policy_value(&next, field, &policy);
        }
        if (code < 0) {
            return code;
        }
    }
    *ret = policy;
    *mp = next;
    return 0;
}

/* ---- msgpack ------------------------------------------------------------------------ */

static const char *type_name(const struct eddy_mp *mp)
{
    switch (eddy_mp_peek(mp)) {
    case EDDY_MP_NIL: return "nil";
    case EDDY_MP_BOOL: return "a boolean";
    case EDDY_MP_INT: return "an integer";
    case EDDY_MP_UINT: return "an integer beyond 64 bits with sign";
    case EDDY_MP_FLOAT: return "a float";
    case EDDY_MP_STR: return "a string";
    case EDDY_MP_BIN: return "a binary";
    case EDDY_MP_ARRAY: return "an array";
    case EDDY_MP_MAP: return "a map";
    case EDDY_MP_EXT: return "an extension";
    case EDDY_MP_END: return "the end of the bytes";
    default: return "a byte that is no msgpack";
    }
}

static int wrong_type(const struct eddy_mp *mp, enum eddy_field field, const char *want,
                      struct eddy_err *err)
{
    return eddy_fail(err, EDDY_EBADEVENT,
                     "%s: %s is wanted, found %s (or it is cut short)",
                     eddy_field_name(field), want, type_name(mp));
}

static int decode_impressions(struct eddy_mp *mp, struct eddy_arena *arena,
                              struct eddy_event *event, struct eddy_err *err)
{
    uint32_t count;
    struct eddy_span *items = NULL;
    if (eddy_mp_array(mp, &count) < 0) {
        return wrong_type(mp, EDDY_FIELD_IMPRESSION, "an array", err);
    }
    int code = eddy_event_take_impressions(event, count, arena, &items, err);
    if (code < 0) {
        return code;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (eddy_mp_str(mp, &items[i]) < 0) {
            return wrong_type(mp, EDDY_FIELD_IMPRESSION, "an array of strings", err);
        }
    }
    return 0;
}

static int decode_field(struct eddy_mp *mp, enum eddy_field field,
                        struct eddy_arena *arena, struct eddy_event *event,
                        struct eddy_err *err)
{
    struct eddy_span text;
    int64_t number;
    double real;
    switch (field) {
    case EDDY_FIELD_V:
        return eddy_mp_i64(mp, &number) < 0 ? wrong_type(mp, field, "an integer", err)
                                            : eddy_event_check_version(number, err);
    case EDDY_FIELD_TS:
        return eddy_mp_i64(mp, &event->ts_ms) < 0
                   ? wrong_type(mp, field, "an integer", err)
                   : 0;
    case EDDY_FIELD_VALUE:
        if (eddy_mp_f64(mp, &real) < 0) {
            return wrong_type(mp, field, "a number", err);
        }
        event->has_value = true;
        event->value = (float)real;
        return 0;
    case EDDY_FIELD_IMPRESSION: return decode_impressions(mp, arena, event, err);
    case EDDY_FIELD_POLICY:
        return eddy_policy_decode(mp, &event->policy) < 0
                   ? eddy_fail(err, EDDY_EBADEVENT,
                               "policy: not a map of known values in their range")
                   : 0;
    default:
        return eddy_mp_str(mp, &text) < 0
                   ? wrong_type(mp, field, "a string", err)
                   : eddy_event_set_text(event, field, text, err);
    }
}

/* Bits of fields: whose key came, and whose value was not nil. */
struct seen {
    uint32_t keys, values;
};

/* One key and its value. */
static int decode_pair(struct eddy_mp *mp, struct seen *seen, struct eddy_arena *arena,
                       struct eddy_event *event, struct eddy_err *err)
{
    struct eddy_span key;
    if (eddy_mp_str(mp, &key) < 0) {
        return eddy_fail(err, EDDY_EBADEVENT,
                         "a key is wanted as a string, found %s (or it is cut short)",
                         type_name(mp));
    }
    enum eddy_field field = eddy_field_find(key);
    if (field == EDDY_FIELD_UNKNOWN) {
        return eddy_mp_skip(mp) < 0
                   ? eddy_fail(err, EDDY_EBADEVENT,
                               "%.*s: cut short, no msgpack, or deeper than 32",
                               key.size > 40 ? 40 : (int)key.size, key.data)
                   : 0;
    }
    if (seen->keys & 1u << field) {
        return eddy_fail(err, EDDY_EBADEVENT, "%s is there twice",
                         eddy_field_name(field));
    }
    seen->keys |= 1u << field;
    if (mp->at < mp->end && *mp->at == 0xc0) {
        mp->at++; /* nil counts as absent */
        return 0;
    }
    seen->values |= 1u << field;
    return decode_field(mp, field, arena, event, err);
}

int eddy_event_decode(struct eddy_span bytes, struct eddy_arena *arena,
                      struct eddy_event *ret, struct eddy_err *err)
{
    if (bytes.size == 0) {
        return eddy_fail(err, EDDY_EBADEVENT, "empty payload");
    }
    if (bytes.size > EDDY_RECORD_MAX) {
        return eddy_fail(err, EDDY_ETOOBIG,
                         "payload of %zu bytes, at most %d are allowed", bytes.size,
                         EDDY_RECORD_MAX);
    }
    struct eddy_mp mp = eddy_mp_of(bytes);
    struct eddy_event event = {.policy = eddy_policy_default};
    struct seen seen = {0, 0};
    uint32_t count;
    if (eddy_mp_map(&mp, &count) < 0) {
        return eddy_fail(err, EDDY_EBADEVENT,
                         "a msgpack map is wanted, found %s (or it is cut short)",
                         type_name(&mp));
    }
    for (uint32_t i = 0; i < count; i++) {
        int code = decode_pair(&mp, &seen, arena, &event, err);
        if (code < 0) {
            return code;
        }
    }
    if (mp.at != mp.end) {
        return eddy_fail(err, EDDY_EBADEVENT, "%zu bytes behind the record",
                         (size_t)(mp.end - mp.at));
    }
    int code = eddy_event_finish(&event, seen.values, err);
    if (code == 0) {
        *ret = event;
    }
    return code;
}
