/* The JSON decoder alone, and against the msgpack decoder: the same event in both
 * encodings must come out the same, and what is wrong with one must be wrong with the
 * other. */
#include "io/json_simd.h"

#include <stdlib.h>

#include "base/msgpack.h"
#include "base/rng.h"
#include "check.h"
#include "spans.h"

static struct eddy_arena *arena;
static struct eddy_json *json;

static int decode(struct eddy_span bytes, struct eddy_event *ret, struct eddy_err *err)
{
    memset(err, 0, sizeof *err);
    return eddy_json_event_decode(json, bytes, arena, ret, err);
}

static bool same_text(struct eddy_span a, struct eddy_span b)
{
    return (a.data == NULL) == (b.data == NULL) && eddy_span_eq(a, b);
}

/* Equal in all that an event means. */
static bool same_event(const struct eddy_event *a, const struct eddy_event *b)
{
    bool same = a->kind == b->kind && same_text(a->user, b->user) &&
                same_text(a->item, b->item) && same_text(a->type, b->type) &&
                same_text(a->id, b->id) && same_text(a->session, b->session) &&
                same_text(a->recommendation_id, b->recommendation_id) &&
                a->item_hash == b->item_hash && a->type_hash == b->type_hash &&
                a->ts_ms == b->ts_ms && a->has_value == b->has_value &&
                memcmp(&a->value, &b->value, sizeof a->value) == 0 &&
                a->impression_count == b->impression_count &&
                a->context_count == b->context_count &&
                strcmp(a->snapshot, b->snapshot) == 0 &&
                a->policy.list_size == b->policy.list_size &&
                a->policy.exclude_recent == b->policy.exclude_recent &&
                a->policy.lateness_s == b->policy.lateness_s;
    for (uint32_t i = 0; same && i < a->impression_count; i++) {
        same = same_text(a->impressions[i], b->impressions[i]);
    }
    for (uint32_t i = 0; same && i < a->context_count; i++) {
        const struct eddy_event_context *x = &a->context[i], *y = &b->context[i];
        same = same_text(x->name, y->name) && same_text(x->text, y->text) &&
               x->is_number == y->is_number &&
               memcmp(&x->value, &y->value, sizeof x->value) == 0;
    }
    return same;
}

#define BASE "\"user\":\"u1\",\"item\":\"i1\",\"ts\":1600000000123"

static void good_records_are_read(void)
{
    static const struct {
        const char *json, *user, *item, *type;
    } cases[] = {
        {"{" BASE "}", "u1", "i1", "click"},
        {" \t\r\n{" BASE "}\n", "u1", "i1", "click"},
        {"{" BASE ",\"type\":\"b\\u0075y\"}", "u1", "i1", "buy"},
        {"{\"us\\u0065r\":\"u1\",\"item\":\"i1\",\"ts\":1600000000123}", "u1", "i1",
         "click"},
        {"{\"ts\":1600000000123,\"item\":\"\\u20ac \\ud83c\\udfac\",\"user\":\"\\\"\\\\\\/"
         "\\n\"}",
         "\"\\/\n", "\xe2\x82\xac \xf0\x9f\x8e\xac", "click"},
        {"{" BASE ",\"id\":null,\"value\":null,\"policy\":null,\"impression\":null}",
         "u1", "i1", "click"},
        {"{" BASE
         ",\"other\":{\"user\":[1,{\"user\":2.5e3}],\"x\":18446744073709551615}}",
         "u1", "i1", "click"},
        {"{" BASE ",\"v\":1,\"kind\":\"event\"}", "u1", "i1", "click"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_event event;
        struct eddy_err err;
        if (!CHECK_INT(decode(S(cases[i].json), &event, &err), 0)) {
            fprintf(stderr, "    %s: %s\n", cases[i].json, err.text);
            continue;
        }
        CHECK(eddy_span_eq(event.user, S(cases[i].user)));
        CHECK(eddy_span_eq(event.item, S(cases[i].item)));
        CHECK(eddy_span_eq(event.type, S(cases[i].type)));
        CHECK_INT(event.ts_ms, 1600000000123);
        CHECK(!event.id.data && !event.has_value && event.impression_count == 0);
    }
}

static void bad_records_are_refused_and_say_why(void)
{
    static const struct {
        const char *json;
        int code;
        const char *text; /* NULL: any, it is simdjson's */
    } cases[] = {
        {"", EDDY_EBADEVENT, "empty payload"},
        {"[]", EDDY_EBADEVENT, "a JSON object is wanted, found an array"},
        {"7", EDDY_EBADEVENT, "a JSON object is wanted, found an integer"},
        {"{" BASE "} x", EDDY_EBADEVENT, NULL},
        {"{" BASE "}{}", EDDY_EBADEVENT, NULL},
        {"{" BASE, EDDY_EBADEVENT, NULL},
        {"{" BASE ",}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",'id':1}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"value\":NaN}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"value\":1e400}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"value\":01}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"value\":1e300}", EDDY_EBADEVENT,
         "value: not a finite 32-bit float"},
        {"{" BASE ",\"value\":\"3\"}", EDDY_EBADEVENT,
         "value: a number is wanted, found a string"},
        {"{" BASE ",\"value\":true}", EDDY_EBADEVENT,
         "value: a number is wanted, found a boolean"},
        {"{" BASE ",\"user\":\"u1\"}", EDDY_EBADEVENT, "user is there twice"},
        {"{" BASE ",\"id\":null,\"id\":\"x\"}", EDDY_EBADEVENT, "id is there twice"},
        {"{" BASE ",\"\\u0069d\":\"x\",\"id\":\"x\"}", EDDY_EBADEVENT,
         "id is there twice"},
        {"{" BASE ",\"session\":7}", EDDY_EBADEVENT,
         "session: a string is wanted, found an integer"},
        {"{" BASE ",\"id\":\"\"}", EDDY_EBADEVENT,
         "id: empty, 1 to 256 bytes are wanted"},
        {"{" BASE ",\"id\":\"\xff\"}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"other\":\"\xc0\xaf\"}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"id\":\"\\ud800\"}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"id\":\"\\udc00x\"}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"id\":\"\\ud800\\u0041\"}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"id\":\"a\nb\"}", EDDY_EBADEVENT, NULL},
        {"{" BASE ",\"v\":2}", EDDY_EVERSION,
         "v: format version 2, this program knows 1"},
        {"{" BASE ",\"v\":1.0}", EDDY_EBADEVENT,
         "v: an integer is wanted, found a number with fraction or exponent"},
        {"{" BASE ",\"kind\":\"refund\"}", EDDY_EBADEVENT,
         "kind: 'refund' is not event, impression, snapshot"},
        {"{" BASE ",\"impression\":[]}", EDDY_EBADEVENT,
         "impression: empty, 1 to 25 items are wanted"},
        {"{" BASE ",\"impression\":\"i\"}", EDDY_EBADEVENT,
         "impression: an array is wanted, found a string"},
        {"{" BASE ",\"impression\":[\"i\",null]}", EDDY_EBADEVENT,
         "impression: an array of strings is wanted, found null"},
        {"{" BASE ",\"snapshot\":\"0123456789abcdef\"}", EDDY_EBADEVENT,
         "snapshot: only records of kind snapshot have it"},
        {"{\"user\":\"u\",\"item\":\"i\",\"ts\":\"1600000000123\"}", EDDY_EBADEVENT,
         "ts: an integer is wanted, found a string"},
        {"{\"user\":\"u\",\"item\":\"i\",\"ts\":1.6e12}", EDDY_EBADEVENT,
         "ts: an integer is wanted, found a number with fraction or exponent"},
        {"{\"user\":\"u\",\"item\":\"i\",\"ts\":9223372036854775808}", EDDY_EBADEVENT,
         "ts: an integer is wanted, found an integer beyond 64 bits with sign"},
        {"{\"user\":\"u\",\"item\":\"i\",\"ts\":18446744073709551616}", EDDY_EBADEVENT,
         NULL},
        {"{\"user\":\"u\",\"item\":\"i\",\"ts\":1600000000}", EDDY_ETIME,
         "ts: 1600000000 is outside the years 1990 to 2099 in Unix milliseconds"},
        {"{\"user\":\"u\",\"item\":\"i\"}", EDDY_ETIME, "ts is missing or 0"},
        {"{\"kind\":\"snapshot\",\"snapshot\":\"0123456789abcdef\",\"policy\":{\"list_size\""
         ":0}}",
         EDDY_EBADEVENT, "policy: not a map of known values in their range"},
        {"{\"kind\":\"snapshot\",\"snapshot\":\"0123456789abcdef\",\"policy\":{\"list_size\""
         ":1,\"list_size\":1}}",
         EDDY_EBADEVENT, "policy: not a map of known values in their range"},
        {"{\"kind\":\"snapshot\",\"snapshot\":\"0123456789abcdef\",\"policy\":[]}",
         EDDY_EBADEVENT, "policy: an object is wanted, found an array"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_event event = {.ts_ms = 42};
        struct eddy_err err;
        int code = decode(S(cases[i].json), &event, &err);
        if (!CHECK_INT(code, cases[i].code) ||
            (cases[i].text && !CHECK_STR(err.text, cases[i].text))) {
            fprintf(stderr, "    case: %s\n", cases[i].json);
        }
        CHECK(err.text[0] != '\0');
        CHECK_INT(event.ts_ms, 42);
    }
}

static void limits_hold_at_their_edges(void)
{
    struct eddy_buf text;
    struct eddy_event event;
    struct eddy_err err;
    eddy_buf_init(&text, 0);
    for (int size = 255; size <= 257; size++) {
        eddy_buf_clear(&text);
        eddy_buf_printf(&text, "{" BASE ",\"id\":\"%0*d\"}", size, 7);
        CHECK_INT(decode(eddy_buf_span(&text), &event, &err),
                  size > 256 ? EDDY_ETOOBIG : 0);
    }
    for (int count = 24; count <= 26; count++) {
        eddy_buf_clear(&text);
        eddy_buf_puts(&text, "{" BASE ",\"impression\":[\"i\"");
        for (int i = 1; i < count; i++) {
            eddy_buf_puts(&text, ",\"i\"");
        }
        eddy_buf_puts(&text, "]}");
        CHECK_INT(decode(eddy_buf_span(&text), &event, &err),
                  count > 25 ? EDDY_ETOOBIG : 0);
    }
    eddy_buf_fini(&text);
}

/* A record with a skipped value `depth` levels deep, in both encodings. */
static void put_deep(int depth, struct eddy_buf *text, struct eddy_buf *packed)
{
    eddy_buf_clear(text);
    eddy_buf_puts(text, "{" BASE ",\"other\":");
    for (int i = 0; i < depth; i++) {
        eddy_buf_putc(text, '[');
    }
    eddy_buf_putc(text, '0');
    for (int i = 0; i < depth; i++) {
        eddy_buf_putc(text, ']');
    }
    eddy_buf_putc(text, '}');
    eddy_buf_clear(packed);
    eddy_mp_put_map(packed, 4);
    eddy_mp_put_str(packed, S("user"));
    eddy_mp_put_str(packed, S("u1"));
    eddy_mp_put_str(packed, S("item"));
    eddy_mp_put_str(packed, S("i1"));
    eddy_mp_put_str(packed, S("ts"));
    eddy_mp_put_i64(packed, 1600000000123);
    eddy_mp_put_str(packed, S("other"));
    for (int i = 0; i < depth; i++) {
        eddy_mp_put_array(packed, 1);
    }
    eddy_mp_put_nil(packed);
}

static void both_decoders_take_32_levels_and_refuse_33(void)
{
    struct eddy_buf text, packed;
    eddy_buf_init(&text, 0);
    eddy_buf_init(&packed, 0);
    for (int depth = 0; depth <= 40; depth++) {
        struct eddy_event event;
        struct eddy_err err;
        int want = depth <= 32 ? 0 : EDDY_EBADEVENT;
        put_deep(depth, &text, &packed);
        bool same = CHECK_INT(decode(eddy_buf_span(&text), &event, &err), want);
        same &=
            CHECK_INT(eddy_event_decode(eddy_buf_span(&packed), arena, &event, &err),
                      want);
        if (!same) {
            fprintf(stderr, "    at depth %d\n", depth);
        }
    }
    eddy_buf_fini(&text);
    eddy_buf_fini(&packed);
}

static void records_larger_than_the_limit_are_refused_unread(void)
{
    size_t size = EDDY_RECORD_MAX;
    char *big = malloc(size + 1);
    struct eddy_event event;
    struct eddy_err err;
    memset(big, ' ', size + 1);
    memcpy(big, "{" BASE "}", sizeof("{" BASE "}") - 1);
    CHECK_INT(decode((struct eddy_span){big, size}, &event, &err), 0);
    CHECK_INT(decode((struct eddy_span){big, size + 1}, &event, &err), EDDY_ETOOBIG);
    free(big);
}

static void huge_texts_do_not_use_up_the_batch(void)
{
    static const char *const fields[] = {"id", "kind", "snapshot", "session"};
    struct eddy_arena *small = eddy_arena_new(1 << 12, 1 << 14);
    struct eddy_buf text;
    eddy_buf_init(&text, 0);
    for (int i = 0; i < 100; i++) {
        struct eddy_event event;
        struct eddy_err err;
        eddy_buf_clear(&text);
        eddy_buf_printf(&text, "{" BASE ",\"%s\":\"%0*d\"}", fields[i % 4], 100000, 7);
        int code =
            eddy_json_event_decode(json, eddy_buf_span(&text), small, &event, &err);
        CHECK(eddy_err_class(code) == EDDY_CLASS_EVENT);
        CHECK(strncmp(err.text, fields[i % 4], strlen(fields[i % 4])) == 0);
    }
    eddy_buf_fini(&text);
    eddy_arena_free(small);
}

/* ---- differential ------------------------------------------------------------------- */

static struct eddy_span random_text(struct eddy_rng *rng, uint32_t size_max)
{
    static const char *const pieces[] = {
        "a",  "Z9",   "-", ",",        "\"",           "\\",
        "\n", "\x01", "/", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\xac",
        " ",  "\x7f", "{", "]"};
    char *text = eddy_arena_take(arena, size_max + 8);
    size_t size = 0;
    uint32_t want = 1 + eddy_rng_below(rng, size_max - 4);
    while (size < want) {
        const char *piece = pieces[eddy_rng_below(rng, 16)];
        memcpy(text + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return (struct eddy_span){text, size};
}

static struct eddy_event random_event(struct eddy_rng *rng)
{
    struct eddy_event event = {.policy = eddy_policy_default};
    uint32_t dice = eddy_rng_below(rng, 10);
    if (dice == 0) {
        event.kind = EDDY_KIND_SNAPSHOT;
        snprintf(event.snapshot, sizeof event.snapshot, "%016llx",
                 (unsigned long long)eddy_rng_next(rng));
        event.policy.list_size = 1 + eddy_rng_below(rng, 500);
        event.policy.exclude_recent = eddy_rng_below(rng, 2);
        event.policy.lateness_s = (uint32_t)eddy_rng_next(rng);
        return event;
    }
    event.kind = dice < 3 ? EDDY_KIND_IMPRESSION : EDDY_KIND_EVENT;
    event.user = random_text(rng, 64);
    event.ts_ms = 631152000000 + (int64_t)(eddy_rng_next(rng) % 3471292800000);
    if (event.kind == EDDY_KIND_EVENT || eddy_rng_below(rng, 2)) {
        event.item = random_text(rng, 256);
    }
    if (eddy_rng_below(rng, 2)) {
        event.type = random_text(rng, 64);
    }
    if (eddy_rng_below(rng, 2)) {
        event.id = random_text(rng, 40);
    }
    if (eddy_rng_below(rng, 2)) {
        event.session = random_text(rng, 40);
    }
    if (eddy_rng_below(rng, 4) == 0) {
        event.recommendation_id = random_text(rng, 64);
    }
    if (eddy_rng_below(rng, 2)) {
        event.has_value = true;
        event.value = (float)(eddy_rng_normal(rng) * pow(10, eddy_rng_below(rng, 20)));
    }
    for (uint32_t i = eddy_rng_below(rng, 3); i < 3; i++) {
        char name[8];
        struct eddy_span text = {NULL, 0};
        double number = eddy_rng_normal(rng) * pow(10, eddy_rng_below(rng, 20));
        snprintf(name, sizeof name, "c%u\"", i);
        if (eddy_rng_below(rng, 2)) {
            text = random_text(rng, 300);
        }
        CHECK_INT(eddy_event_add_context(&event,
                                         eddy_arena_copy(arena, eddy_span_of(name)),
                                         text, number, arena, NULL),
                  0);
    }
    if (event.kind == EDDY_KIND_IMPRESSION || eddy_rng_below(rng, 4) == 0) {
        uint32_t count = 1 + eddy_rng_below(rng, EDDY_IMPRESSION_MAX);
        struct eddy_span *items = eddy_arena_take(arena, count * sizeof *items);
        for (uint32_t i = 0; i < count; i++) {
            items[i] = random_text(rng, 30);
        }
        event.impressions = items;
        event.impression_count = count;
    }
    return event;
}

static void both_encodings_of_an_event_decode_to_the_same(void)
{
    struct eddy_rng rng;
    struct eddy_buf text, packed;
    eddy_rng_seed(&rng, 1);
    eddy_buf_init(&text, 0);
    eddy_buf_init(&packed, 0);
    for (int i = 0; i < 20000; i++) {
        eddy_arena_reset(arena);
        struct eddy_event event = random_event(&rng), from_json, from_msgpack;
        struct eddy_err err = {0};
        CHECK_INT(eddy_event_check(&event, &err), 0);
        eddy_buf_clear(&text);
        eddy_buf_clear(&packed);
        eddy_event_encode_json(&event, &text);
        eddy_event_encode(&event, &packed);
        bool good = CHECK_INT(decode(eddy_buf_span(&text), &from_json, &err), 0);
        good &= CHECK_INT(
            eddy_event_decode(eddy_buf_span(&packed), arena, &from_msgpack, &err), 0);
        good = good && CHECK(same_event(&event, &from_json)) &&
               CHECK(same_event(&event, &from_msgpack));
        if (!good) {
            fprintf(stderr, "    event %d: %s: %s\n", i, err.text, text.data);
            break;
        }
    }
    eddy_buf_fini(&text);
    eddy_buf_fini(&packed);
}

/* Mutate the bytes; what one decoder still takes must survive a round trip through the
 * other encoding and decoder. */
static void mutated_bytes_are_judged_alike(void)
{
    struct eddy_rng rng;
    struct eddy_buf first, second;
    uint32_t taken = 0, refused = 0;
    eddy_rng_seed(&rng, 2);
    eddy_buf_init(&first, 0);
    eddy_buf_init(&second, 0);
    for (int i = 0; i < 40000; i++) {
        eddy_arena_reset(arena);
        struct eddy_event event = random_event(&rng), once, twice;
        struct eddy_err err = {0};
        bool is_json = i % 2;
        CHECK_INT(eddy_event_check(&event, &err), 0);
        eddy_buf_clear(&first);
        (is_json ? eddy_event_encode_json : eddy_event_encode)(&event, &first);
        for (uint32_t k = eddy_rng_below(&rng, 3); k < 3; k++) {
            static const char likely[] = "\"{}[],:0019e\\";
            uint32_t at = eddy_rng_below(&rng, (uint32_t)first.size);
            bool any = eddy_rng_below(&rng, 2);
            first.data[at] = any ? (char)eddy_rng_below(&rng, 256)
                                 : likely[eddy_rng_below(&rng, sizeof likely - 1)];
        }
        int code = is_json
                       ? decode(eddy_buf_span(&first), &once, &err)
                       : eddy_event_decode(eddy_buf_span(&first), arena, &once, &err);
        if (code < 0) {
            CHECK(eddy_err_class(code) == EDDY_CLASS_EVENT);
            CHECK(err.text[0] != '\0');
            refused++;
            continue;
        }
        taken++;
        eddy_buf_clear(&second);
        (is_json ? eddy_event_encode : eddy_event_encode_json)(&once, &second);
        struct eddy_span other = eddy_buf_span(&second);
        code = is_json ? eddy_event_decode(other, arena, &twice, &err)
                       : decode(other, &twice, &err);
        /* Fields that the kind has no use for are not written; drop them. */
        if (once.kind == EDDY_KIND_SNAPSHOT) {
            struct eddy_event lean = {
                .kind = once.kind, .ts_ms = once.ts_ms, .policy = once.policy};
            memcpy(lean.snapshot, once.snapshot, sizeof lean.snapshot);
            once = lean;
        }
        if (!CHECK_INT(code, 0) || !CHECK(same_event(&once, &twice))) {
            fprintf(stderr, "    event %d: %s\n", i, err.text);
            break;
        }
    }
    CHECK(taken > 1000 && refused > 1000); /* else the mutations prove nothing */
    eddy_buf_fini(&first);
    eddy_buf_fini(&second);
}

int main(void)
{
    arena = eddy_arena_new(1 << 16, 1 << 22);
    json = eddy_json_new();
    RUN(good_records_are_read);
    RUN(bad_records_are_refused_and_say_why);
    RUN(limits_hold_at_their_edges);
    RUN(both_decoders_take_32_levels_and_refuse_33);
    RUN(records_larger_than_the_limit_are_refused_unread);
    RUN(huge_texts_do_not_use_up_the_batch);
    RUN(both_encodings_of_an_event_decode_to_the_same);
    RUN(mutated_bytes_are_judged_alike);
    eddy_json_free(json);
    eddy_arena_free(arena);
    return check_done();
}
