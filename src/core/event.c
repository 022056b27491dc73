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
#include <stdio.h>

#include "base/hash.h"
#include "base/msgpack.h"
#include "core/text.h"

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
    case 7: field = key.data[0] == 's' ? EDDY_FIELD_SESSION : EDDY_FIELD_CONTEXT; break;
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

int eddy_event_add_context(struct eddy_event *event, struct eddy_span name,
                           struct eddy_span text, double number,
                           struct eddy_arena *arena, struct eddy_err *err)
{
    enum { DIGITS = 32 };
    bool is_number = text.data == NULL;
    if (!is_number && text.size == 0) {
        return 0;
    }
    if (event->context_count == EDDY_CONTEXT_MAX) {
        return eddy_fail(err, EDDY_ETOOBIG,
                         "context: more than the %d values that are allowed",
                         EDDY_CONTEXT_MAX);
    }
    if (!event->context) {
        event->context =
            eddy_arena_take(arena, EDDY_CONTEXT_MAX * sizeof *event->context);
    }
    if (event->context && is_number) {
        char *digits = eddy_arena_take(arena, DIGITS);
        int size = digits ? snprintf(digits, DIGITS, "%.15g", number + 0.0) : 0;
        text = (struct eddy_span){digits, (size_t)size};
    }
    if (!event->context || !text.data) {
        return eddy_fail(err, EDDY_ENOMEM, "context: the batch's memory is used up");
    }
    event->context[event->context_count++] =
        (struct eddy_event_context){name, text, is_number, {0}};
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

/* Names, texts, no column twice; and the values by their hashes. */
static int check_context(struct eddy_event *event, struct eddy_err *err)
{
    for (uint32_t i = 0; i < event->context_count; i++) {
        struct eddy_event_context *at = &event->context[i];
        int code = check_text("context", at->name, EDDY_CONTEXT_NAME_MAX, err);
        if (code == 0) {
            code =
                check_text("context", at->text, (size_t)EDDY_CONTEXT_TEXT_MAX * 4, err);
        }
        if (code < 0) {
            return code;
        }
        if (!eddy_context_fits(at->text)) {
            return eddy_fail(err, EDDY_ETOOBIG,
                             "context: a text longer than the %d characters allowed",
                             EDDY_CONTEXT_TEXT_MAX);
        }
        at->value = eddy_context_of(eddy_context_column(at->name), at->text);
        if (at->is_number && isnan(at->value.number)) {
            return eddy_fail(err, EDDY_EBADEVENT,
                             "context: a number is not a finite 32-bit float");
        }
        for (uint32_t j = 0; j < i; j++) {
            if (event->context[j].value.column == at->value.column) {
                return eddy_fail(err, EDDY_EBADEVENT, "context: %.*s is there twice",
                                 (int)at->name.size, at->name.data);
            }
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
    if (code == 0) {
        code = check_context(event, err);
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

/* One pair; a boolean is the text "true" or "false". */
static int decode_context_pair(struct eddy_mp *mp, struct eddy_arena *arena,
                               struct eddy_event *event, struct eddy_err *err)
{
    struct eddy_span name, text = {NULL, 0};
    double number = 0;
    bool flag;
    if (eddy_mp_str(mp, &name) < 0) {
        return wrong_type(mp, EDDY_FIELD_CONTEXT, "a map with names as keys", err);
    }
    if (eddy_mp_nil(mp) == 0) {
        return 0;
    }
    if (eddy_mp_bool(mp, &flag) == 0) {
        text = eddy_span_of(flag ? "true" : "false");
    } else if (eddy_mp_str(mp, &text) < 0 && eddy_mp_f64(mp, &number) < 0) {
        return wrong_type(mp, EDDY_FIELD_CONTEXT, "a text, number or boolean", err);
    }
    return eddy_event_add_context(event, name, text, number, arena, err);
}

static int decode_context(struct eddy_mp *mp, struct eddy_arena *arena,
                          struct eddy_event *event, struct eddy_err *err)
{
    uint32_t count;
    if (eddy_mp_map(mp, &count) < 0) {
        return wrong_type(mp, EDDY_FIELD_CONTEXT, "a map", err);
    }
    for (uint32_t i = 0; i < count; i++) {
        int code = decode_context_pair(mp, arena, event, err);
        if (code < 0) {
            return code;
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
    case EDDY_FIELD_CONTEXT: return decode_context(mp, arena, event, err);
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
