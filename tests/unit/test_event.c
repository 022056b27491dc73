#include "core/event.h"

#include <math.h>

#include "base/hash.h"
#include "base/msgpack.h"
#include "check.h"
#include "spans.h"

static struct eddy_arena *arena;
static struct eddy_buf buf;

static void put_text(const char *key, const char *value)
{
    eddy_mp_put_str(&buf, S(key));
    eddy_mp_put_str(&buf, S(value));
}

static void put_int(const char *key, int64_t value)
{
    eddy_mp_put_str(&buf, S(key));
    eddy_mp_put_i64(&buf, value);
}

/* A map of `more` pairs besides user, item and ts, which are put. */
static void begin(uint32_t more)
{
    eddy_buf_clear(&buf);
    eddy_mp_put_map(&buf, more + 3);
    put_text("user", "u1");
    put_text("item", "i1");
    put_int("ts", 1600000000123);
}

static int decode(struct eddy_event *ret, struct eddy_err *err)
{
    memset(err, 0, sizeof *err);
    return eddy_event_decode(eddy_buf_span(&buf), arena, ret, err);
}

static void smallest_event_gets_the_defaults(void)
{
    struct eddy_event event;
    struct eddy_err err;
    begin(0);
    CHECK_INT(decode(&event, &err), 0);
    CHECK_INT(event.kind, EDDY_KIND_EVENT);
    CHECK(is(event.user, "u1"));
    CHECK(is(event.item, "i1"));
    CHECK(is(event.type, "click"));
    CHECK_INT(event.ts_ms, 1600000000123);
    CHECK(!event.has_value);
    CHECK(!event.id.data);
    CHECK_INT(event.impression_count, 0);
    CHECK(event.item_hash == eddy_hash64(S("i1")));
    CHECK_INT(event.type_hash, (uint32_t)eddy_hash64(S("click")));
    CHECK_INT(event.policy.list_size, 25);
}

static void unknown_keys_are_skipped_and_nil_is_absent(void)
{
    struct eddy_event event;
    struct eddy_err err;
    begin(4);
    eddy_mp_put_str(&buf, S("extra"));
    eddy_mp_put_map(&buf, 1);
    eddy_mp_put_str(&buf, S("deep"));
    eddy_mp_put_array(&buf, 2);
    eddy_mp_put_bool(&buf, true);
    eddy_mp_put_f64(&buf, NAN);
    for (int i = 0; i < 3; i++) {
        static const char *const keys[] = {"value", "session", "policy"};
        eddy_mp_put_str(&buf, S(keys[i]));
        eddy_mp_put_nil(&buf);
    }
    CHECK_INT(decode(&event, &err), 0);
    CHECK(!event.has_value);
    CHECK(!event.session.data);
}

/* Puts one more pair; the case wants this code and this text. */
struct refusal {
    const char *name;
    void (*put)(void);
    int code;
    const char *text;
};

static void put_user_twice(void)
{
    put_text("user", "u2");
}
static void put_nil_then_value(void)
{
    eddy_mp_put_str(&buf, S("id"));
    eddy_mp_put_nil(&buf);
    buf.data[0]++; /* one pair more */
    put_text("id", "x");
}
static void put_float_as_session(void)
{
    eddy_mp_put_str(&buf, S("session"));
    eddy_mp_put_f64(&buf, 1.5);
}
static void put_version_2(void)
{
    put_int("v", 2);
}
static void put_version_text(void)
{
    put_text("v", "1");
}
static void put_unknown_kind(void)
{
    put_text("kind", "refund");
}
static void put_nan(void)
{
    eddy_mp_put_str(&buf, S("value"));
    eddy_mp_put_f32(&buf, NAN);
}
static void put_too_large_value(void)
{
    eddy_mp_put_str(&buf, S("value"));
    eddy_mp_put_f64(&buf, 1e300);
}
static void put_text_value(void)
{
    put_text("value", "3");
}
static void put_empty_id(void)
{
    put_text("id", "");
}
static void put_long_id(void)
{
    char id[258] = {0};
    memset(id, 'x', 257);
    put_text("id", id);
}
static void put_long_type(void)
{
    char type[66] = {0};
    memset(type, 'x', 65);
    put_text("type", type);
}
static void put_broken_utf8(void)
{
    put_text("session", "ab\xc3");
}
static void put_surrogate(void)
{
    put_text("id", "\xed\xa0\x80");
}
static void put_snapshot_in_event(void)
{
    put_text("snapshot", "0123456789abcdef");
}
static void put_policy_in_event(void)
{
    eddy_mp_put_str(&buf, S("policy"));
    eddy_policy_encode(&eddy_policy_default, &buf);
}
static void put_no_impressions(void)
{
    eddy_mp_put_str(&buf, S("impression"));
    eddy_mp_put_array(&buf, 0);
}
static void put_26_impressions(void)
{
    eddy_mp_put_str(&buf, S("impression"));
    eddy_mp_put_array(&buf, 26);
    for (int i = 0; i < 26; i++) {
        eddy_mp_put_str(&buf, S("i"));
    }
}
static void put_number_in_impressions(void)
{
    eddy_mp_put_str(&buf, S("impression"));
    eddy_mp_put_array(&buf, 2);
    eddy_mp_put_str(&buf, S("i"));
    eddy_mp_put_i64(&buf, 7);
}
static void put_empty_impression(void)
{
    eddy_mp_put_str(&buf, S("impression"));
    eddy_mp_put_array(&buf, 1);
    eddy_mp_put_str(&buf, S(""));
}
static void put_number_as_key(void)
{
    eddy_mp_put_i64(&buf, 1);
    eddy_mp_put_i64(&buf, 1);
}
static void put_bad_byte(void)
{
    eddy_mp_put_str(&buf, S("other"));
    eddy_buf_putc(&buf, (char)0xc1);
}
static void put_33_levels(void)
{
    eddy_mp_put_str(&buf, S("other"));
    for (int i = 0; i < 33; i++) {
        eddy_mp_put_array(&buf, 1);
    }
    eddy_mp_put_nil(&buf);
}
static void put_byte_behind(void)
{
    put_text("id", "x");
    eddy_buf_putc(&buf, (char)0xc0);
}

static void bad_records_are_refused_and_say_which_field(void)
{
    static const struct refusal cases[] = {
        {"twice", put_user_twice, EDDY_EBADEVENT, "user is there twice"},
        {"nil, then a value", put_nil_then_value, EDDY_EBADEVENT, "id is there twice"},
        {"float", put_float_as_session, EDDY_EBADEVENT,
         "session: a string is wanted, found a float (or it is cut short)"},
        {"version", put_version_2, EDDY_EVERSION,
         "v: format version 2, this program knows 1"},
        {"version type", put_version_text, EDDY_EBADEVENT,
         "v: an integer is wanted, found a string (or it is cut short)"},
        {"kind", put_unknown_kind, EDDY_EBADEVENT,
         "kind: 'refund' is not event, impression, snapshot"},
        {"nan", put_nan, EDDY_EBADEVENT, "value: not a finite 32-bit float"},
        {"1e300", put_too_large_value, EDDY_EBADEVENT,
         "value: not a finite 32-bit float"},
        {"text", put_text_value, EDDY_EBADEVENT,
         "value: a number is wanted, found a string (or it is cut short)"},
        {"empty", put_empty_id, EDDY_EBADEVENT, "id: empty, 1 to 256 bytes are wanted"},
        {"long", put_long_id, EDDY_ETOOBIG, "id: 257 bytes, at most 256 are allowed"},
        {"long type", put_long_type, EDDY_ETOOBIG,
         "type: 65 bytes, at most 64 are allowed"},
        {"utf8", put_broken_utf8, EDDY_EBADEVENT, "session: not valid UTF-8"},
        {"surrogate", put_surrogate, EDDY_EBADEVENT, "id: not valid UTF-8"},
        {"snapshot", put_snapshot_in_event, EDDY_EBADEVENT,
         "snapshot: only records of kind snapshot have it"},
        {"policy", put_policy_in_event, EDDY_EBADEVENT,
         "policy: only records of kind snapshot have it"},
        {"none", put_no_impressions, EDDY_EBADEVENT,
         "impression: empty, 1 to 25 items are wanted"},
        {"26", put_26_impressions, EDDY_ETOOBIG,
         "impression: 26 items, at most 25 are allowed"},
        {"number in impressions", put_number_in_impressions, EDDY_EBADEVENT,
         "impression: an array of strings is wanted, found an integer (or it is cut "
         "short)"},
        {"empty impression", put_empty_impression, EDDY_EBADEVENT,
         "impression: empty, 1 to 256 bytes are wanted"},
        {"key", put_number_as_key, EDDY_EBADEVENT,
         "a key is wanted as a string, found an integer (or it is cut short)"},
        {"c1", put_bad_byte, EDDY_EBADEVENT,
         "other: cut short, no msgpack, or deeper than 32"},
        {"depth", put_33_levels, EDDY_EBADEVENT,
         "other: cut short, no msgpack, or deeper than 32"},
        {"behind", put_byte_behind, EDDY_EBADEVENT, "1 bytes behind the record"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_event event = {.ts_ms = 42};
        struct eddy_err err;
        begin(1);
        cases[i].put();
        CHECK_INT(decode(&event, &err), cases[i].code);
        if (!CHECK_STR(err.text, cases[i].text)) {
            fprintf(stderr, "    case: %s\n", cases[i].name);
        }
        CHECK_INT(event.ts_ms, 42); /* untouched */
    }
}

static void times_out_of_range_are_refused(void)
{
    static const struct {
        int64_t ts;
        int code;
    } cases[] = {
        {0, EDDY_ETIME},
        {-1, EDDY_ETIME},
        {1600000000, EDDY_ETIME}, /* seconds */
        {631151999999, EDDY_ETIME},
        {631152000000, 0},
        {4102444799999, 0},
        {4102444800000, EDDY_ETIME},
        {1600000000123456, EDDY_ETIME}, /* microseconds */
        {INT64_MAX, EDDY_ETIME},
        {INT64_MIN, EDDY_ETIME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_event event;
        struct eddy_err err;
        eddy_buf_clear(&buf);
        eddy_mp_put_map(&buf, 3);
        put_text("user", "u1");
        put_text("item", "i1");
        put_int("ts", cases[i].ts);
        CHECK_INT(decode(&event, &err), cases[i].code);
    }
}

static void missing_fields_are_named(void)
{
    static const struct {
        const char *kind, *leave_out, *want;
    } cases[] = {
        {"event", "user", "user is missing"},
        {"event", "item", "item is missing"},
        {"event", "ts", "ts is missing or 0"},
        {"impression", "user", "user is missing"},
        {"impression", "", "impression is missing"},
        {"snapshot", "", "snapshot is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_event event;
        struct eddy_err err;
        static const char *const keys[] = {"user", "item"};
        eddy_buf_clear(&buf);
        eddy_mp_put_map(&buf, cases[i].leave_out[0] ? 3 : 4);
        put_text("kind", cases[i].kind);
        for (int k = 0; k < 2; k++) {
            if (strcmp(keys[k], cases[i].leave_out) != 0) {
                put_text(keys[k], "x");
            }
        }
        if (strcmp("ts", cases[i].leave_out) != 0) {
            put_int("ts", 1600000000000);
        }
        CHECK(decode(&event, &err) < 0);
        CHECK_STR(err.text, cases[i].want);
    }
}

static void empty_and_oversized_payloads_are_refused_unread(void)
{
    static char big[EDDY_RECORD_MAX + 1];
    struct eddy_event event;
    struct eddy_err err;
    CHECK_INT(eddy_event_decode((struct eddy_span){NULL, 0}, arena, &event, &err),
              EDDY_EBADEVENT);
    CHECK_STR(err.text, "empty payload");
    CHECK_INT(eddy_event_decode((struct eddy_span){big, sizeof big}, arena, &event,
                                &err),
              EDDY_ETOOBIG);
    CHECK_INT(eddy_event_decode(S("{\"user\":\"u\"}"), arena, &event, &err),
              EDDY_EBADEVENT);
    CHECK_STR(err.text,
              "a msgpack map is wanted, found an integer (or it is cut short)");
}

static struct eddy_event full_event(void)
{
    static const struct eddy_span shown[] = {
        {"i1", 2}, {"i\"2", 3}, {"\xe2\x82\xac", 3}};
    struct eddy_event event = {.user = S("u1"),
                               .item = S("i1"),
                               .type = S("buy"),
                               .id = S("e-1"),
                               .session = S("s\n1"),
                               .recommendation_id = S("0123456789abcdef"),
                               .ts_ms = 1600000000123,
                               .value = 2.25f,
                               .has_value = true,
                               .impression_count = 3,
                               .impressions = shown};
    const struct eddy_span none = {NULL, 0};
    CHECK_INT(eddy_event_add_context(&event, S("DEVICE"), S("T\"V"), 0, arena, NULL),
              0);
    CHECK_INT(eddy_event_add_context(&event, S("nothing"), S(""), 0, arena, NULL), 0);
    CHECK_INT(eddy_event_add_context(&event, S("hour"), none, 0.1, arena, NULL), 0);
    CHECK_INT(eddy_event_add_context(&event, S("zip"), none, -0.0, arena, NULL), 0);
    CHECK_INT(eddy_event_check(&event, NULL), 0);
    return event;
}

static void encoded_event_decodes_to_the_same(void)
{
    struct eddy_event event = full_event(), again;
    struct eddy_err err;
    eddy_buf_clear(&buf);
    eddy_event_encode(&event, &buf);
    CHECK_INT(decode(&again, &err), 0);
    CHECK(is(again.user, "u1"));
    CHECK(is(again.item, "i1"));
    CHECK(is(again.type, "buy"));
    CHECK(is(again.id, "e-1"));
    CHECK(is(again.session, "s\n1"));
    CHECK(is(again.recommendation_id, "0123456789abcdef"));
    CHECK_INT(again.ts_ms, event.ts_ms);
    CHECK(again.has_value && again.value == 2.25f);
    CHECK_INT(again.impression_count, 3);
    CHECK(is(again.impressions[1], "i\"2"));
    CHECK_INT(again.context_count, 3);
    CHECK(is(again.context[0].name, "DEVICE") && is(again.context[0].text, "T\"V"));
    CHECK(is(again.context[1].text, "0.1") && again.context[1].is_number);
    CHECK(is(again.context[2].text, "0"));
    CHECK_NEAR(again.context[1].value.number, 0.1f, 0);
    CHECK(isnan(again.context[0].value.number));
    CHECK(again.item_hash == event.item_hash);
    CHECK_INT(again.type_hash, event.type_hash);
}

static void put_context(uint32_t count)
{
    begin(1);
    eddy_mp_put_str(&buf, S("context"));
    eddy_mp_put_map(&buf, count);
}

static void context_is_held_to_its_limits(void)
{
    struct eddy_event event;
    struct eddy_err err;
    char text[4100];
    put_context(3); /* a boolean is a text, nil is absent, names may differ in case */
    eddy_mp_put_str(&buf, S("a"));
    eddy_mp_put_bool(&buf, true);
    eddy_mp_put_str(&buf, S("b"));
    eddy_mp_put_nil(&buf);
    eddy_mp_put_str(&buf, S("deviceType"));
    eddy_mp_put_i64(&buf, 3);
    CHECK_INT(decode(&event, &err), 0);
    CHECK_INT(event.context_count, 2);
    CHECK(is(event.context[0].text, "true"));
    struct eddy_context same =
        eddy_context_of(eddy_context_column(S("DEVICE_TYPE")), S("3"));
    CHECK_MEM(&event.context[1].value, &same, sizeof same);

    put_context(0);
    CHECK_INT(decode(&event, &err), 0);
    put_context(6);
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof text, "c%d", i);
        put_int(text, i);
    }
    CHECK_INT(decode(&event, &err), EDDY_ETOOBIG);
    CHECK_STR(err.text, "context: more than the 5 values that are allowed");
    put_context(2);
    put_int("A_B", 1);
    put_int("ab", 2);
    CHECK_INT(decode(&event, &err), EDDY_EBADEVENT);
    CHECK_STR(err.text, "context: ab is there twice");
    for (int size = 1000; size <= 1001; size++) {
        memset(text, 'x', sizeof text);
        text[size] = '\0';
        put_context(1);
        put_text("a", text);
        CHECK_INT(decode(&event, &err), size == 1000 ? 0 : EDDY_ETOOBIG);
    }
    put_context(1);
    eddy_mp_put_str(&buf, S("a"));
    eddy_mp_put_f64(&buf, 1e300);
    CHECK_INT(decode(&event, &err), EDDY_EBADEVENT);
    put_context(1);
    put_text("", "x");
    CHECK_INT(decode(&event, &err), EDDY_EBADEVENT);
    put_context(1);
    eddy_mp_put_str(&buf, S("a"));
    eddy_mp_put_array(&buf, 0);
    CHECK_INT(decode(&event, &err), EDDY_EBADEVENT);
    CHECK_STR(err.text,
              "context: a text, number or boolean is wanted, found an array (or it is "
              "cut short)");
    begin(1);
    put_text("context", "x");
    CHECK_INT(decode(&event, &err), EDDY_EBADEVENT);
}

static void encoded_snapshot_record_decodes_to_the_same(void)
{
    struct eddy_event event = {.kind = EDDY_KIND_SNAPSHOT,
                               .snapshot = "0123456789abcdef",
                               .policy = {50, true, 0}};
    struct eddy_event again;
    struct eddy_err err;
    CHECK_INT(eddy_event_check(&event, NULL), 0);
    eddy_buf_clear(&buf);
    eddy_event_encode(&event, &buf);
    CHECK_INT(decode(&again, &err), 0);
    CHECK_INT(again.kind, EDDY_KIND_SNAPSHOT);
    CHECK_STR(again.snapshot, "0123456789abcdef");
    CHECK_INT(again.policy.list_size, 50);
    CHECK(again.policy.exclude_recent);
    CHECK_INT(again.policy.lateness_s, 0);
    eddy_buf_clear(&buf);
    eddy_event_encode_json(&event, &buf);
    CHECK_STR(buf.data, "{\"kind\":\"snapshot\",\"snapshot\":\"0123456789abcdef\","
                        "\"policy\":{\"list_size\":50,\"exclude_recent\":true,"
                        "\"lateness_s\":0}}");
}

static void snapshot_ids_are_16_lower_hex_digits(void)
{
    static const char *const bad[] = {"", "0123456789abcde", "0123456789abcdef0",
                                      "0123456789ABCDEF", "../../etc/passwd"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct eddy_event event;
        struct eddy_err err;
        eddy_buf_clear(&buf);
        eddy_mp_put_map(&buf, 2);
        put_text("kind", "snapshot");
        put_text("snapshot", bad[i]);
        CHECK_INT(decode(&event, &err), EDDY_EBADEVENT);
    }
}

static void json_form_escapes_and_leaves_out_defaults(void)
{
    struct eddy_event event = full_event();
    eddy_buf_clear(&buf);
    eddy_event_encode_json(&event, &buf);
    CHECK_STR(
        buf.data,
        "{\"user\":\"u1\",\"item\":\"i1\",\"type\":\"buy\",\"ts\":1600000000123,"
        "\"value\":2.25,\"id\":\"e-1\",\"session\":\"s\\n1\","
        "\"context\":{\"DEVICE\":\"T\\\"V\",\"hour\":0.1,\"zip\":0},"
        "\"impression\":[\"i1\","
        "\"i\\\"2\",\"\xe2\x82\xac\"],\"recommendationId\":\"0123456789abcdef\"}");
    struct eddy_event small = {
        .user = S("u"), .item = S("i"), .type = S("click"), .ts_ms = 1600000000000};
    eddy_buf_clear(&buf);
    eddy_event_encode_json(&small, &buf);
    CHECK_STR(buf.data, "{\"user\":\"u\",\"item\":\"i\",\"ts\":1600000000000}");
}

static void every_truncation_is_refused(void)
{
    struct eddy_event event = full_event(), again;
    struct eddy_err err;
    eddy_buf_clear(&buf);
    eddy_event_encode(&event, &buf);
    for (size_t size = 0; size < buf.size; size++) {
        int code =
            eddy_event_decode((struct eddy_span){buf.data, size}, arena, &again, &err);
        CHECK_INT(code, EDDY_EBADEVENT);
    }
}

static void policies_are_checked(void)
{
    static const struct {
        const char *key;
        int64_t number; /* -1: true, -2: nil */
        int code;
    } cases[] = {
        {"list_size", 1, 0},
        {"list_size", 500, 0},
        {"list_size", 0, EDDY_EBADEVENT},
        {"list_size", 501, EDDY_EBADEVENT},
        {"list_size", -1, EDDY_EBADEVENT},
        {"list_size", -2, EDDY_EBADEVENT},
        {"exclude_recent", -1, 0},
        {"exclude_recent", 1, EDDY_EBADEVENT},
        {"lateness_s", UINT32_MAX, 0},
        {"lateness_s", INT64_C(1) << 32, EDDY_EBADEVENT},
        {"unheard_of", -2, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_policy policy;
        eddy_buf_clear(&buf);
        eddy_mp_put_map(&buf, 1);
        eddy_mp_put_str(&buf, S(cases[i].key));
        if (cases[i].number == -1) {
            eddy_mp_put_bool(&buf, true);
        } else if (cases[i].number == -2) {
            eddy_mp_put_nil(&buf);
        } else {
            eddy_mp_put_i64(&buf, cases[i].number);
        }
        struct eddy_mp mp = eddy_mp_of(eddy_buf_span(&buf));
        if (!CHECK_INT(eddy_policy_decode(&mp, &policy), cases[i].code)) {
            fprintf(stderr, "    case %zu: %s\n", i, cases[i].key);
        }
    }
}

static void every_field_is_found_by_its_name_only(void)
{
    for (int i = 0; i < EDDY_FIELD_UNKNOWN; i++) {
        const char *name = eddy_field_name((enum eddy_field)i);
        CHECK_INT(eddy_field_find(S(name)), i);
        char other[32];
        snprintf(other, sizeof other, "%s", name);
        other[strlen(other) - 1] ^= 1;
        CHECK_INT(eddy_field_find(S(other)), EDDY_FIELD_UNKNOWN);
    }
    CHECK_INT(eddy_field_find(S("")), EDDY_FIELD_UNKNOWN);
    CHECK_INT(eddy_field_find(S("USER")), EDDY_FIELD_UNKNOWN);
}

int main(void)
{
    arena = eddy_arena_new(1 << 16, 1 << 20);
    eddy_buf_init(&buf, 0);
    RUN(smallest_event_gets_the_defaults);
    RUN(unknown_keys_are_skipped_and_nil_is_absent);
    RUN(bad_records_are_refused_and_say_which_field);
    RUN(times_out_of_range_are_refused);
    RUN(missing_fields_are_named);
    RUN(empty_and_oversized_payloads_are_refused_unread);
    RUN(encoded_event_decodes_to_the_same);
    RUN(context_is_held_to_its_limits);
    RUN(encoded_snapshot_record_decodes_to_the_same);
    RUN(snapshot_ids_are_16_lower_hex_digits);
    RUN(json_form_escapes_and_leaves_out_defaults);
    RUN(every_truncation_is_refused);
    RUN(policies_are_checked);
    RUN(every_field_is_found_by_its_name_only);
    eddy_arena_free(arena);
    eddy_buf_fini(&buf);
    return check_done();
}
