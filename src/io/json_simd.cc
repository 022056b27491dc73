/* Canonical events as JSON through simdjson's DOM. On-demand parsing would be a little
 * cheaper, but it believes what it does not look at: a record with broken text inside a
 * skipped field would be taken here and refused by any other reader. The DOM parser
 * checks all of the record (grammar, UTF-8, numbers, depth) before a field is looked at.
 *
 * simdjson reads up to SIMDJSON_PADDING bytes behind the end, which Kafka's payloads do not
 * have, so the record is copied into a padded buffer first; both buffers grow to the
 * largest record seen and stay. Strings live in the parser only until the next record, so
 * those of known fields are copied to the arena.
 *
 * What the fields mean, and every rule about them, is core/event.c's: both encodings call
 * the same setters and the same eddy_event_finish. */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <new>

extern "C" {
#include "io/json_simd.h"
}

namespace dom = simdjson::dom;

/* Levels of arrays and objects, as eddy_mp_skip: 32 below the record itself, and one more
 * because simdjson refuses the level that reaches its limit. */
static constexpr size_t DEPTH_MAX = 34;
static constexpr size_t CAPACITY_MIN = 4096;

static const char *type_name(const dom::element &value)
{
    switch (value.type()) {
    case dom::element_type::ARRAY: return "an array";
    case dom::element_type::OBJECT: return "an object";
    case dom::element_type::INT64: return "an integer";
    case dom::element_type::UINT64: return "an integer beyond 64 bits with sign";
    case dom::element_type::DOUBLE: return "a number with fraction or exponent";
    case dom::element_type::STRING: return "a string";
    case dom::element_type::BOOL: return "a boolean";
    default: return "null";
    }
}

static int wrong_type(enum eddy_field field, const char *want,
                      const dom::element &value, struct eddy_err *err)
{
    return eddy_fail(err, EDDY_EBADEVENT, "%s: %s is wanted, found %s",
                     eddy_field_name(field), want, type_name(value));
}

static struct eddy_span span_of(std::string_view text)
{
    return {text.data(), text.size()};
}

/* A copy in the arena, never with data NULL. Texts beyond every limit are not copied, or a
 * batch of megabytes of ids would use up the arena: eddy_event_finish refuses them before
 * the parser's buffer, where they stay, is used again. */
static int keep(std::string_view text, size_t size_max, struct eddy_arena *arena,
                struct eddy_span *ret, struct eddy_err *err)
{
    *ret =
        text.size() > size_max ? span_of(text) : eddy_arena_copy(arena, span_of(text));
    return ret->data ? 0 : eddy_fail(err, EDDY_ENOMEM, "the batch's memory is used up");
}

static int read_impressions(const dom::element &value, struct eddy_arena *arena,
                            struct eddy_event *event, struct eddy_err *err)
{
    dom::array array;
    if (value.get(array) != simdjson::SUCCESS) {
        return wrong_type(EDDY_FIELD_IMPRESSION, "an array", value, err);
    }
    size_t count = 0;
    for (dom::element item : array) {
        (void)item;
        count++; /* not size(), which saturates */
    }
    struct eddy_span *items;
    int code = eddy_event_take_impressions(event, count, arena, &items, err);
    for (dom::element item : array) {
        std::string_view text;
        if (code < 0) {
            return code;
        }
        if (item.get(text) != simdjson::SUCCESS) {
            return wrong_type(EDDY_FIELD_IMPRESSION, "an array of strings", item, err);
        }
        code = keep(text, EDDY_ID_MAX, arena, items++, err);
    }
    return code;
}

static int read_context(const dom::element &value, struct eddy_arena *arena,
                        struct eddy_event *event, struct eddy_err *err)
{
    dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
        return wrong_type(EDDY_FIELD_CONTEXT, "an object", value, err);
    }
    for (dom::key_value_pair pair : object) {
        struct eddy_span name, text = {nullptr, 0};
        std::string_view view;
        double number = 0;
        bool flag;
        int code = 0;
        if (pair.value.is_null()) {
            continue;
        }
        if (pair.value.get(flag) == simdjson::SUCCESS) {
            text = span_of(flag ? "true" : "false");
        } else if (pair.value.get(view) == simdjson::SUCCESS) {
            code = keep(view, 4 * EDDY_CONTEXT_TEXT_MAX, arena, &text, err);
        } else if (pair.value.get(number) != simdjson::SUCCESS) {
            return wrong_type(EDDY_FIELD_CONTEXT, "a text, number or boolean",
                              pair.value, err);
        }
        code = code ? code : keep(pair.key, EDDY_CONTEXT_NAME_MAX, arena, &name, err);
        code =
            code ? code : eddy_event_add_context(event, name, text, number, arena, err);
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

static int read_policy_value(enum eddy_policy_field field, const dom::element &value,
                             struct eddy_policy *policy)
{
    int64_t number = 0;
    bool flag = false;
    if (field == EDDY_POLICY_EXCLUDE_RECENT) {
        if (value.get(flag) != simdjson::SUCCESS) {
            return EDDY_EBADEVENT;
        }
        number = flag;
    } else if (value.type() != dom::element_type::INT64 ||
               value.get(number) != simdjson::SUCCESS) {
        return EDDY_EBADEVENT;
    }
    return eddy_policy_set(policy, field, number);
}

static int read_policy(const dom::element &value, struct eddy_policy *ret,
                       struct eddy_err *err)
{
    dom::object object;
    struct eddy_policy policy = eddy_policy_default;
    uint32_t seen = 0;
    if (value.get(object) != simdjson::SUCCESS) {
        return wrong_type(EDDY_FIELD_POLICY, "an object", value, err);
    }
    for (dom::key_value_pair pair : object) {
        enum eddy_policy_field field = eddy_policy_field_find(span_of(pair.key));
        if (field == EDDY_POLICY_UNKNOWN) {
            continue;
        }
        if ((seen & 1u << field) || read_policy_value(field, pair.value, &policy) < 0) {
            return eddy_fail(err, EDDY_EBADEVENT,
                             "policy: not a map of known values in their range");
        }
        seen |= 1u << field;
    }
    *ret = policy;
    return 0;
}

static int read_integer(enum eddy_field field, const dom::element &value, int64_t *ret,
                        struct eddy_err *err)
{
    if (value.type() != dom::element_type::INT64) {
        return wrong_type(field, "an integer", value, err);
    }
    return value.get(*ret) == simdjson::SUCCESS ? 0 : EDDY_EBADEVENT;
}

static int read_value(const dom::element &value, struct eddy_event *event,
                      struct eddy_err *err)
{
    double number;
    if (!value.is_number() || value.get(number) != simdjson::SUCCESS) {
        return wrong_type(EDDY_FIELD_VALUE, "a number", value, err);
    }
    event->has_value = true;
    event->value = static_cast<float>(number);
    return 0;
}

static int read_field(enum eddy_field field, const dom::element &value,
                      struct eddy_arena *arena, struct eddy_event *event,
                      struct eddy_err *err)
{
    int64_t version;
    std::string_view text;
    struct eddy_span kept;
    int code;
    switch (field) {
    case EDDY_FIELD_V:
        code = read_integer(field, value, &version, err);
        return code ? code : eddy_event_check_version(version, err);
    case EDDY_FIELD_TS: return read_integer(field, value, &event->ts_ms, err);
    case EDDY_FIELD_VALUE: return read_value(value, event, err);
    case EDDY_FIELD_CONTEXT: return read_context(value, arena, event, err);
    case EDDY_FIELD_IMPRESSION: return read_impressions(value, arena, event, err);
    case EDDY_FIELD_POLICY: return read_policy(value, &event->policy, err);
    default:
        if (value.get(text) != simdjson::SUCCESS) {
            return wrong_type(field, "a string", value, err);
        }
        code = keep(text, EDDY_ID_MAX, arena, &kept, err);
        return code ? code : eddy_event_set_text(event, field, kept, err);
    }
}

static int read_object(const dom::object &object, struct eddy_arena *arena,
                       struct eddy_event *event, struct eddy_err *err)
{
    uint32_t keys = 0, values = 0;
    for (dom::key_value_pair pair : object) {
        enum eddy_field field = eddy_field_find(span_of(pair.key));
        if (field == EDDY_FIELD_UNKNOWN) {
            continue;
        }
        if (keys & 1u << field) {
            return eddy_fail(err, EDDY_EBADEVENT, "%s is there twice",
                             eddy_field_name(field));
        }
        keys |= 1u << field;
        if (pair.value.is_null()) {
            continue; /* counts as absent */
        }
        values |= 1u << field;
        int code = read_field(field, pair.value, arena, event, err);
        if (code < 0) {
            return code;
        }
    }
    return eddy_event_finish(event, values, err);
}

struct eddy_json {
    dom::parser parser;
    uint8_t *padded;
    size_t capacity; /* of padded, without its padding, and of parser */
};

/* Room for a record of size bytes in both buffers. */
static int grow(struct eddy_json *json, size_t size, struct eddy_err *err)
{
    if (size <= json->capacity) {
        return 0;
    }
    size_t capacity = json->capacity ? json->capacity : CAPACITY_MIN;
    while (capacity < size) {
        capacity *= 2;
    }
    auto *padded = new (std::nothrow) uint8_t[capacity + simdjson::SIMDJSON_PADDING]();
    if (!padded || json->parser.allocate(capacity, DEPTH_MAX) != simdjson::SUCCESS) {
        delete[] padded;
        return eddy_fail(err, EDDY_ENOMEM, "no memory for a record of %zu bytes", size);
    }
    delete[] json->padded;
    json->padded = padded;
    json->capacity = capacity;
    return 0;
}

extern "C" struct eddy_json *eddy_json_new(void)
{
    return new (std::nothrow) eddy_json();
}

extern "C" void eddy_json_free(struct eddy_json *json)
{
    if (json) {
        delete[] json->padded;
        delete json;
    }
}

extern "C" int eddy_json_event_decode(struct eddy_json *json, struct eddy_span bytes,
                                      struct eddy_arena *arena, struct eddy_event *ret,
                                      struct eddy_err *err)
{
    if (bytes.size == 0) {
        return eddy_fail(err, EDDY_EBADEVENT, "empty payload");
    }
    if (bytes.size > EDDY_RECORD_MAX) {
        return eddy_fail(err, EDDY_ETOOBIG,
                         "payload of %zu bytes, at most %d are allowed", bytes.size,
                         EDDY_RECORD_MAX);
    }
    int code = grow(json, bytes.size, err);
    if (code < 0) {
        return code;
    }
    memcpy(json->padded, bytes.data, bytes.size);
    memset(json->padded + bytes.size, 0, simdjson::SIMDJSON_PADDING);
    dom::element root;
    dom::object object;
    simdjson::error_code error =
        json->parser.parse(json->padded, bytes.size, false).get(root);
    if (error != simdjson::SUCCESS) {
        return eddy_fail(err, EDDY_EBADEVENT, "JSON: %s",
                         simdjson::error_message(error));
    }
    if (root.get(object) != simdjson::SUCCESS) {
        return eddy_fail(err, EDDY_EBADEVENT, "a JSON object is wanted, found %s",
                         type_name(root));
    }
    struct eddy_event event = {};
    event.policy = eddy_policy_default;
    code = read_object(object, arena, &event, err);
    if (code == 0) {
        *ret = event;
    }
    return code;
}
