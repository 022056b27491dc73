/* Layer: core.  Text rules shared by the readers: UTF-8, numbers, times. */
#ifndef EDDY_CORE_TEXT_H
#define EDDY_CORE_TEXT_H

#include <stdint.h>

#include "base/span.h"
#include "eddy/error.h"

/* Event times: [1990-01-01, 2100-01-01). The same range in s, ms and us does not overlap,
 * so that the unit of an integer is known from its size and never guessed. */
#define EDDY_TIME_MIN_S INT64_C(631152000)
#define EDDY_TIME_MAX_S INT64_C(4102444800)

/* Well-formed UTF-8 as of Unicode 15 table 3-7: no overlong forms, no surrogates. */
bool eddy_utf8_is_valid(struct eddy_span text);

/* Equal but for the case of ASCII letters. */
bool eddy_span_eq_nocase(struct eddy_span a, struct eddy_span b);

/* A decimal number with optional sign, fraction and exponent, whole span, finite. No
 * blanks, no hexadecimal, no "inf". false: not one; *ret untouched. */
bool eddy_number_parse(struct eddy_span text, double *ret);

/* A number as a time by its size: seconds (with fractions), milliseconds or microseconds of
 * the range above. false: none of them; *ret_ms untouched. */
bool eddy_time_from_number(double number, int64_t *ret_ms);
/* ISO-8601 date and time with a zone: 2021-07-01T10:04:30[.sss][Z|+02:00|+0200], 'T' or a
 * blank between. false: not one, or no zone; *ret_ms untouched. */
bool eddy_time_parse_iso(struct eddy_span text, int64_t *ret_ms);
/* 2021-07-01T10:04:30Z; ret has room for 24 bytes. */
void eddy_time_format_iso(int64_t s, char *ret, size_t size);

#endif
