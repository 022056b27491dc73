/* Growable byte buffer with a sticky failure flag. Capacity doubles, so appending n bytes
 * one by one costs O(n); one byte behind size is always kept for the NUL. */
#include "base/buf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "eddy/error.h"

enum { CAPACITY_MIN = 64 };

void eddy_buf_init(struct eddy_buf *buf, size_t max_size)
{
    *buf = (struct eddy_buf){.max_size = max_size};
}

void eddy_buf_fini(struct eddy_buf *buf)
{
    free(buf->data);
    eddy_buf_init(buf, buf->max_size);
}

void eddy_buf_clear(struct eddy_buf *buf)
{
    buf->size = 0;
    buf->failed = false;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

static int fail(struct eddy_buf *buf)
{
    buf->failed = true;
    return EDDY_ENOMEM;
}

int eddy_buf_reserve(struct eddy_buf *buf, size_t more)
{
    if (buf->failed) {
        return EDDY_ENOMEM;
    }
    if (more < buf->capacity - buf->size) { /* strictly: one byte for the NUL */
        return buf->max_size && more > buf->max_size - buf->size ? fail(buf) : 0;
    }
    size_t limit = buf->max_size ? buf->max_size : SIZE_MAX / 2;
    if (more > limit - buf->size) {
        return fail(buf);
    }
    size_t need = buf->size + more + 1;
    size_t capacity = buf->capacity ? buf->capacity : CAPACITY_MIN;
    while (capacity < need) {
        capacity *= 2;
    }
    char *data = realloc(buf->data, capacity);
    if (!data) {
        return fail(buf);
    }
    if (!buf->data) {
        data[0] = '\0';
    }
    buf->data = data;
    buf->capacity = capacity;
    return 0;
}

void eddy_buf_put(struct eddy_buf *buf, const void *bytes, size_t size)
{
    if (eddy_buf_reserve(buf, size) < 0) {
        return;
    }
    if (size) {
        memcpy(buf->data + buf->size, bytes, size);
    }
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void eddy_buf_puts(struct eddy_buf *buf, const char *text)
{
    eddy_buf_put(buf, text, strlen(text));
}

void eddy_buf_putc(struct eddy_buf *buf, char c)
{
    eddy_buf_put(buf, &c, 1);
}

void eddy_buf_put_u64(struct eddy_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    eddy_buf_put(buf, digits + at, sizeof digits - at);
}

void eddy_buf_put_i64(struct eddy_buf *buf, int64_t value)
{
    if (value < 0) {
        eddy_buf_putc(buf, '-');
        eddy_buf_put_u64(buf, 0 - (uint64_t)value);
    } else {
        eddy_buf_put_u64(buf, (uint64_t)value);
    }
}

void eddy_buf_printf(struct eddy_buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t room = buf->failed ? 0 : buf->capacity - buf->size;
    int size = vsnprintf(room ? buf->data + buf->size : NULL, room, fmt, args);
    if (size < 0) {
        (void)fail(buf);
    } else if (eddy_buf_reserve(buf, (size_t)size) == 0) {
        if ((size_t)size >= room) { /* it was cut, or nothing was there yet */
            (void)vsnprintf(buf->data + buf->size, (size_t)size + 1, fmt, again);
        }
        buf->size += (size_t)size;
    }
    if (buf->data) {
        buf->data[buf->size] = '\0';
    }
    va_end(again);
    va_end(args);
}

/* Length that a lead byte announces, 0 for a byte that cannot lead. */
static size_t announced_length(unsigned char lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* Length of the well-formed UTF-8 sequence at the head of text, or 0 and in *ret_bad the
 * number of bytes to replace (the maximal subpart of an ill-formed sequence; Unicode 15,
 * section 3.9, table 3-7). */
static size_t utf8_length(const unsigned char *text, size_t size, size_t *ret_bad)
{
    unsigned char lead = text[0];
    size_t length = announced_length(lead);
    *ret_bad = 1;
    if (length < 2) {
        return length;
    }
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i < length; i++) {
        if (i >= size || text[i] < low || text[i] > high) {
            *ret_bad = i;
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

/* What stands for an ASCII character that JSON wants escaped, NULL for the others. */
static const char *json_escape(unsigned char c, char room[8])
{
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\b': return "\\b";
    case '\f': return "\\f";
    default: break;
    }
    if (c >= 0x20) {
        return NULL;
    }
    (void)snprintf(room, 8, "\\u%04x", c);
    return room;
}

void eddy_buf_put_json_string(struct eddy_buf *buf, struct eddy_span text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t plain = 0; /* begin of what can be copied as it is */
    char room[8];
    eddy_buf_putc(buf, '"');
    for (size_t i = 0; i < text.size;) {
        size_t bad = 0;
        size_t length = utf8_length(bytes + i, text.size - i, &bad);
        const char *escape = length == 0   ? "\xef\xbf\xbd" /* U+FFFD */
                             : length == 1 ? json_escape(bytes[i], room)
                                           : NULL;
        size_t step = length ? length : bad;
        if (escape) {
            eddy_buf_put(buf, text.data + plain, i - plain);
            eddy_buf_puts(buf, escape);
            plain = i + step;
        }
        i += step;
    }
    if (text.size > plain) {
        eddy_buf_put(buf, text.data + plain, text.size - plain);
    }
    eddy_buf_putc(buf, '"');
}

/* |value| * 10^digits as an integer, rounded half up. |value| = m * 2^-shift with m below
 * 2^53 and 10^9 below 2^30, so the product is exact in 83 bits. */
static uint64_t scale(double magnitude, uint64_t power_of_ten)
{
    int exponent;
    double fraction = frexp(magnitude, &exponent); /* [0.5, 1) or 0 */
    uint64_t m = (uint64_t)ldexp(fraction, 53);
    int shift = 53 - exponent; /* >= 19, because magnitude < 9e9 < 2^34 */
    if (shift > 120) {
        return 0; /* below 2^-67: rounds to zero at nine digits */
    }
    __extension__ unsigned __int128 product = (unsigned __int128)m * power_of_ten;
    __extension__ unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
    return (uint64_t)((product + half) >> shift);
}

void eddy_buf_put_fixed(struct eddy_buf *buf, double value, int digits)
{
    if (!isfinite(value)) {
        eddy_buf_puts(buf, "null");
        return;
    }
    if (fabs(value) >= 9e9) {
        eddy_buf_printf(buf, "%.16e", value);
        return;
    }
    digits = digits < 0 ? 0 : digits > 9 ? 9 : digits;
    uint64_t power = 1;
    for (int i = 0; i < digits; i++) {
        power *= 10;
    }
    uint64_t scaled = scale(fabs(value), power);
    if (value < 0 && scaled) { /* there is no -0.00 */
        eddy_buf_putc(buf, '-');
    }
    eddy_buf_put_u64(buf, scaled / power);
    if (digits == 0) {
        return;
    }
    char decimals[10] = {'.'};
    uint64_t rest = scaled % power;
    for (int i = digits; i > 0; i--) {
        decimals[i] = (char)('0' + rest % 10);
        rest /= 10;
    }
    eddy_buf_put(buf, decimals, (size_t)digits + 1);
}
