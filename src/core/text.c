#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* One multi-byte sequence at p (p < end, *p >= 0x80): its length, or 0. */
static size_t utf8_sequence(const unsigned char *p, const unsigned char *end)
{
    unsigned c = p[0];
    size_t left = (size_t)(end - p);
    unsigned low = 0x80, high = 0xbf;
    size_t n;
    if (c >= 0xc2 && c <= 0xdf) {
        n = 2;
    } else if (c >= 0xe0 && c <= 0xef) {
        n = 3;
        low = c == 0xe0 ? 0xa0 : low;   /* overlong */
        high = c == 0xed ? 0x9f : high; /* surrogates */
    } else if (c >= 0xf0 && c <= 0xf4) {
        n = 4;
        low = c == 0xf0 ? 0x90 : low;
        high = c == 0xf4 ? 0x8f : high; /* beyond U+10FFFF */
    } else {
        return 0;
    }
    if (left < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

bool eddy_utf8_is_valid(struct eddy_span text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    const unsigned char *end = p + text.size;
    while (p < end) {
        /* Ids are ASCII nearly always: eight bytes at a time. */
        while (end - p >= 8) {
            uint64_t eight;
            memcpy(&eight, p, 8);
            if (eight & UINT64_C(0x8080808080808080)) {
                break;
            }
            p += 8;
        }
        if (p == end) {
            break;
        }
        size_t n = *p < 0x80 ? 1 : utf8_sequence(p, end);
        if (n == 0) {
            return false;
        }
        p += n;
    }
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool eddy_span_eq_nocase(struct eddy_span a, struct eddy_span b)
{
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(const char *text)
{
    size_t n = 0;
    while (is_digit(text[n])) {
        n++;
    }
    return n;
}

/* The grammar, so that strtod's extras (blanks, hexadecimal, names) stay out. */
static bool is_number(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t whole = count_digits(text), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = count_digits(++text);
        text += fraction;
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        size_t exponent = count_digits(text);
        text += exponent;
        return exponent > 0 && *text == '\0';
    }
    return *text == '\0';
}

bool eddy_number_parse(struct eddy_span text, double *ret)
{
    char copy[64];
    if (text.size == 0 || text.size >= sizeof copy || memchr(text.data, 0, text.size)) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (!is_number(copy)) {
        return false;
    }
    double value = strtod(copy, NULL);
    if (!isfinite(value)) {
        return false;
    }
    *ret = value;
    return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar: years begin in March, so that
 * the leap day is the last one of a year; 400 years are 146097 days. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Reads exactly n digits, moves *at. */
static bool take_digits(struct eddy_span *at, size_t n, int64_t *ret)
{
    if (at->size < n) {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(at->data[i])) {
            return false;
        }
        value = value * 10 + (at->data[i] - '0');
    }
    at->data += n;
    at->size -= n;
    *ret = value;
    return true;
}

static bool take_char(struct eddy_span *at, const char *any_of)
{
    if (at->size == 0 || at->data[0] == '\0' || !strchr(any_of, at->data[0])) {
        return false;
    }
    at->data++;
    at->size--;
    return true;
}

static int64_t days_in(int64_t year, int64_t month)
{
    static const int8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct eddy_span *at, int64_t *ret_days)
{
    int64_t year, month, day;
    if (!take_digits(at, 4, &year) || !take_char(at, "-") ||
        !take_digits(at, 2, &month) || !take_char(at, "-") ||
        !take_digits(at, 2, &day)) {
        return false;
    }
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) {
        return false;
    }
    *ret_days = days_of(year, month, day);
    return true;
}

/* Time of day in ms; digits of the fraction beyond three are cut. */
static bool take_time(struct eddy_span *at, int64_t *ret_ms)
{
    int64_t hour, minute, second, ms = 0;
    if (!take_digits(at, 2, &hour) || !take_char(at, ":") ||
        !take_digits(at, 2, &minute) || !take_char(at, ":") ||
        !take_digits(at, 2, &second) || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    if (take_char(at, ".")) {
        int64_t unit = 100, digit;
        if (at->size == 0 || !is_digit(at->data[0])) {
            return false;
        }
        while (take_digits(at, 1, &digit)) {
            ms += digit * unit;
            unit /= 10;
        }
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

static bool take_zone(struct eddy_span *at, int64_t *ret_minutes)
{
    if (take_char(at, "Zz")) {
        *ret_minutes = 0;
        return true;
    }
    int64_t sign = take_char(at, "+") ? 1 : -1;
    int64_t hours, minutes;
    if ((sign < 0 && !take_char(at, "-")) || !take_digits(at, 2, &hours)) {
        return false;
    }
    (void)take_char(at, ":"); /* both forms are in use */
    if (!take_digits(at, 2, &minutes) || hours > 15 || minutes > 59) {
        return false;
    }
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

bool eddy_time_parse_iso(struct eddy_span text, int64_t *ret_ms)
{
    int64_t days, ms, zone;
    if (!take_date(&text, &days) || !take_char(&text, "Tt ") ||
        !take_time(&text, &ms) || !take_zone(&text, &zone) || text.size != 0) {
        return false;
    }
    *ret_ms = days * 86400000 + ms - zone * 60000;
    return true;
}

void eddy_time_format_iso(int64_t s, char *ret, size_t size)
{
    int64_t days = s / 86400 - (s % 86400 < 0);
    int64_t rest = s - days * 86400;
    /* The inverse of days_of (Hinnant, "chrono-compatible low-level date algorithms"). */
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year_of_era =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year =
        of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * shifted + 2) / 5 + 1;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    (void)snprintf(ret, size, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, (int)month,
                   (int)day, (int)(rest / 3600), (int)(rest / 60 % 60),
                   (int)(rest % 60));
}

bool eddy_time_from_number(double number, int64_t *ret_ms)
{
    const double low = (double)EDDY_TIME_MIN_S, high = (double)EDDY_TIME_MAX_S;
    if (number >= low && number < high) {
        *ret_ms = (int64_t)floor(number * 1e3 + 0.5);
    } else if (number >= low * 1e3 && number < high * 1e3) {
        *ret_ms = (int64_t)number;
    } else if (number >= low * 1e6 && number < high * 1e6) {
        *ret_ms = (int64_t)(number / 1e3);
    } else {
        return false;
    }
    return true;
}
