/* Buffers: growth, limits, JSON strings, fixed decimals. */
#include "base/buf.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "eddy/error.h"

static void text_grows_and_ends_in_nul(void)
{
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    CHECK_INT(eddy_buf_span(&buf).size, 0);
    eddy_buf_puts(&buf, "");
    CHECK_STR(buf.data, "");
    for (int i = 0; i < 1000; i++) {
        eddy_buf_putc(&buf, 'x');
    }
    eddy_buf_printf(&buf, " %s %d", "y", 5);
    eddy_buf_put_u64(&buf, 0);
    eddy_buf_put_u64(&buf, UINT64_MAX);
    eddy_buf_put_i64(&buf, INT64_MIN);
    CHECK_INT(buf.size, 1000 + 4 + 1 + 20 + 20);
    CHECK_STR(buf.data + 1000, " y 5"
                               "0"
                               "18446744073709551615"
                               "-9223372036854775808");
    eddy_buf_clear(&buf);
    CHECK_STR(buf.data, "");
    eddy_buf_put(&buf, "a\0b", 3);
    CHECK_MEM(buf.data, "a\0b", 4);
    eddy_buf_fini(&buf);
    CHECK(buf.data == NULL);
    eddy_buf_fini(&buf);
}

static void every_way_to_append_stops_at_the_limit(void)
{
    for (size_t limit = 1; limit < 200; limit++) {
        struct eddy_buf buf;
        eddy_buf_init(&buf, limit);
        for (int i = 0; i < 100 && !buf.failed; i++) {
            eddy_buf_puts(&buf, "ab");
            eddy_buf_printf(&buf, "%d", 7);
        }
        CHECK(buf.failed);
        CHECK(buf.size <= limit && limit < buf.size + 3);
        CHECK_INT(strlen(buf.data ? buf.data : ""), buf.size);
        size_t size = buf.size;
        eddy_buf_putc(&buf, 'c'); /* it would fit, but what was lost is lost */
        eddy_buf_printf(&buf, "%s", "");
        CHECK_INT(buf.size, size);
        CHECK_INT(eddy_buf_reserve(&buf, 0), EDDY_ENOMEM);
        eddy_buf_clear(&buf);
        CHECK_INT(eddy_buf_reserve(&buf, limit), 0);
        CHECK_INT(eddy_buf_reserve(&buf, limit + 1), EDDY_ENOMEM);
        eddy_buf_fini(&buf);
    }
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    CHECK_INT(eddy_buf_reserve(&buf, SIZE_MAX), EDDY_ENOMEM);
    eddy_buf_clear(&buf);
    eddy_buf_puts(&buf, "fine");
    CHECK_INT(eddy_buf_reserve(&buf, SIZE_MAX - 2), EDDY_ENOMEM);
    eddy_buf_fini(&buf);
}

static void printf_fits_exactly_at_every_length(void)
{
    for (int length = 0; length < 300; length++) {
        struct eddy_buf buf;
        eddy_buf_init(&buf, 0);
        eddy_buf_puts(&buf, "12345");
        eddy_buf_printf(&buf, "%*s", length, "");
        CHECK_INT(buf.size, 5 + length);
        CHECK_INT(strlen(buf.data), buf.size);
        eddy_buf_fini(&buf);
    }
}

static void json_strings_are_escaped_and_made_valid(void)
{
#define BAD "\xef\xbf\xbd"
    static const struct {
        const char *text;
        size_t size;
        const char *want;
    } rows[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\r\t\b\f\0\x1f\x7f", 8, "\"\\n\\r\\t\\b\\f\\u0000\\u001f\x7f\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"a\xff"
         "b",
         3, "\"a" BAD "b\""},
        {"\xc3", 1, "\"" BAD "\""},                         /* cut */
        {"\xe2\x82", 2, "\"" BAD "\""},                     /* cut: one subpart */
        {"\xc0\xaf", 2, "\"" BAD BAD "\""},                 /* overlong */
        {"\xe0\x9f\x80", 3, "\"" BAD BAD BAD "\""},         /* overlong */
        {"\xed\xa0\x80", 3, "\"" BAD BAD BAD "\""},         /* surrogate */
        {"\xf4\x90\x80\x80", 4, "\"" BAD BAD BAD BAD "\""}, /* beyond U+10FFFF */
        {"\xf0\x9f\x98!", 4, "\"" BAD "!\""},
        {"\x80", 1, "\"" BAD "\""},
    };
#undef BAD
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eddy_buf buf;
        eddy_buf_init(&buf, 0);
        eddy_buf_put_json_string(&buf, (struct eddy_span){rows[i].text, rows[i].size});
        CHECK_STR(buf.data, rows[i].want);
        eddy_buf_fini(&buf);
    }
}

/* The same by exact decimal expansion: printf with more decimals than a double can have,
 * then rounding half away from zero on the text. */
static void expand(double value, int digits, char *text, size_t size)
{
    (void)snprintf(text, size, "%.1080f", fabs(value));
    char *point = strchr(text, '.');
    char *next = point + 1 + digits;
    bool up = *next >= '5';
    *(digits ? next : point) = '\0';
    bool zero = strspn(text, "0.") == strlen(text) && !up;
    for (char *at = text + strlen(text) - 1; up && at >= text; at--) {
        if (*at == '.') {
            continue;
        }
        up = *at == '9';
        *at = up ? '0' : (char)(*at + 1);
    }
    if (up || (value < 0 && !zero)) { /* room for a digit or the sign, or both */
        char copy[1202];
        (void)snprintf(copy, sizeof copy, "%s%s%s", value < 0 ? "-" : "", up ? "1" : "",
                       text);
        memcpy(text, copy, size < sizeof copy ? size : sizeof copy);
    }
}

static bool fixed_is_exact(double value, int digits)
{
    char want[1200];
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    eddy_buf_put_fixed(&buf, value, digits);
    expand(value, digits, want, sizeof want);
    bool same = CHECK_STR(buf.data, want);
    if (!same) {
        fprintf(stderr, "    value %a, %d digits\n", value, digits);
    }
    eddy_buf_fini(&buf);
    return same;
}

static void fixed_decimals_are_exact_and_half_goes_away_from_zero(void)
{
    static const double values[] = {0.0,
                                    -0.0,
                                    0.5,
                                    -0.5,
                                    1.5,
                                    2.5,
                                    0.125,
                                    0.375,
                                    0.1,
                                    0.05,
                                    0.005,
                                    1.005,
                                    -1.005,
                                    9.9999,
                                    0.99999995,
                                    999999.9999,
                                    1e-9,
                                    5e-10,
                                    4.9e-10,
                                    0x1p-1074,
                                    0x1p-67,
                                    0x1p-80,
                                    8999999999.0,
                                    8999999999.5,
                                    1e-300,
                                    123456789.123456789,
                                    -8999999999.9999990,
                                    4294967296.0,
                                    0x1p-31,
                                    0.3};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (int digits = 0; digits <= 9; digits++) {
            if (!fixed_is_exact(values[i], digits)) {
                return;
            }
        }
    }
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 42);
    for (int i = 0; i < 20000; i++) {
        double value = (eddy_rng_unit(&rng) - 0.5) * pow(10, eddy_rng_below(&rng, 12));
        value = fabs(value) < 9e9 ? value : 1;
        if (i % 4 == 0) { /* many exact halves */
            value = ldexp(round(value), -(int)eddy_rng_below(&rng, 12));
        }
        if (!fixed_is_exact(value, (int)eddy_rng_below(&rng, 10))) {
            return;
        }
    }
}

static void fixed_decimals_agree_with_printf_where_there_is_no_tie(void)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 43);
    for (int i = 0; i < 100000; i++) {
        double value = (eddy_rng_unit(&rng) - 0.5) * 200 / 3; /* 53 bits: no tie */
        char want[64];
        struct eddy_buf buf;
        eddy_buf_init(&buf, 0);
        eddy_buf_put_fixed(&buf, value, 6);
        (void)snprintf(want, sizeof want, "%.6f", value);
        bool same = CHECK_STR(buf.data, want);
        eddy_buf_fini(&buf);
        if (!same) {
            return;
        }
    }
}

static void numbers_outside_are_null_or_have_an_exponent(void)
{
    static const double values[] = {9e9, -9e9, 1e300, 12345678901.25,
                                    0x1.fffffffffffffp1023};
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        eddy_buf_clear(&buf);
        eddy_buf_put_fixed(&buf, values[i], 4);
        CHECK(strchr(buf.data, 'e') != NULL);
        CHECK_NEAR(strtod(buf.data, NULL), values[i], 0);
    }
    eddy_buf_clear(&buf);
    eddy_buf_put_fixed(&buf, (double)NAN, 4);
    eddy_buf_put_fixed(&buf, (double)INFINITY, 4);
    eddy_buf_put_fixed(&buf, (double)-INFINITY, 4);
    CHECK_STR(buf.data, "nullnullnull");
    eddy_buf_fini(&buf);
}

int main(void)
{
    RUN(text_grows_and_ends_in_nul);
    RUN(every_way_to_append_stops_at_the_limit);
    RUN(printf_fits_exactly_at_every_length);
    RUN(json_strings_are_escaped_and_made_valid);
    RUN(fixed_decimals_are_exact_and_half_goes_away_from_zero);
    RUN(fixed_decimals_agree_with_printf_where_there_is_no_tie);
    RUN(numbers_outside_are_null_or_have_an_exponent);
    return check_done();
}
