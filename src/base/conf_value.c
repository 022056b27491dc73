/* Option values: text to field, field to text, and what is allowed, for every type. What
 * is written by eddy_conf_format reads back as the same value. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/conf_priv.h"

struct unit {
    const char *suffix;
    int64_t factor;
};

/* Largest first; the first that divides a value is used to write it. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {{"TiB", INT64_C(1) << 40},
                                         {"GiB", 1 << 30},
                                         {"MiB", 1 << 20},
                                         {"KiB", 1 << 10},
                                         {"TB", INT64_C(1000000000000)},
                                         {"GB", 1000000000},
                                         {"MB", 1000000},
                                         {"kB", 1000},
                                         {"B", 1}};
enum {
    DURATION_UNITS = sizeof duration_units / sizeof duration_units[0],
    SIZE_UNITS = sizeof size_units / sizeof size_units[0],
    SIZE_UNITS_WRITTEN = 4, /* the binary ones */
};

static int parse_bool(const char *text, bool *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < 6; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i % 2;
            return 0;
        }
    }
    return EDDY_ECONFIG;
}

static int parse_int(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno == ERANGE || text[0] == ' ' || text[0] == '+') {
        return EDDY_ECONFIG;
    }
    *ret = value;
    return 0;
}

/* A plain decimal number; strtod alone would take "inf", "nan" and "0x1p3" too. */
static int parse_number(const char *text, double *ret, const char **ret_end)
{
    size_t size = strspn(text, "0123456789.eE+-");
    char *end;
    double value = strtod(text, &end);
    if (end == text || end > text + size || !isfinite(value)) {
        return EDDY_ECONFIG;
    }
    *ret = value;
    *ret_end = end;
    return 0;
}

static int parse_float(const char *text, double *ret)
{
    const char *end;
    double value;
    if (parse_number(text, &value, &end) < 0 || *end) {
        return EDDY_ECONFIG;
    }
    *ret = value;
    return 0;
}

/* NUMBER UNIT, blank between them allowed; without a unit a whole number counts bytes, and
 * of a duration only 0 is clear. */
static int parse_with_unit(const char *text, const struct unit *units, size_t count,
                           bool bare, int64_t *ret)
{
    const char *suffix;
    double number;
    int64_t factor = 0;
    if (text[0] < '0' || text[0] > '9' || parse_number(text, &number, &suffix) < 0) {
        return EDDY_ECONFIG;
    }
    suffix += *suffix == ' ' ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        factor = strcmp(suffix, units[i].suffix) == 0 ? units[i].factor : factor;
    }
    if (*suffix == '\0' && (bare || number == 0)) {
        factor = 1;
    }
    double value = number * (double)factor;
    if (factor == 0 || value > 9e15 || value != floor(value)) {
        return EDDY_ECONFIG;
    }
    *ret = (int64_t)value;
    return 0;
}

static int parse_choice(const char *text, const char *choices, int64_t *ret)
{
    size_t size = strlen(text);
    int64_t index = 0;
    for (const char *at = choices; *at; index++) {
        size_t length = strcspn(at, "|");
        if (length == size && memcmp(at, text, size) == 0) {
            *ret = index;
            return 0;
        }
        at += length;
        at += *at == '|' ? 1 : 0;
    }
    return EDDY_ECONFIG;
}

static int set_text(char **field, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (!copy) {
        return EDDY_ENOMEM;
    }
    memcpy(copy, text, size);
    free(*field);
    *field = copy;
    return 0;
}

static const char *const type_texts[] = {
    [EDDY_OPTION_BOOL] = "a truth value",
    [EDDY_OPTION_INT] = "a whole number",
    [EDDY_OPTION_FLOAT] = "a number",
    [EDDY_OPTION_TEXT] = "a text",
    [EDDY_OPTION_DURATION] = "a duration",
    [EDDY_OPTION_SIZE] = "a size",
    [EDDY_OPTION_CHOICE] = "one of the choices",
    [EDDY_OPTION_PASS] = "a section",
};

/* How a value of the type is written, for those who got it wrong. */
static const char *const type_examples[] = {
    [EDDY_OPTION_DURATION] = "a number with ms, s, m, h or d, such as 250ms or 2h",
    [EDDY_OPTION_SIZE] = "bytes, or a number with KiB, MiB, GiB, kB, MB or GB",
    [EDDY_OPTION_PASS] = NULL,
};

static bool has_range(const struct eddy_option *option)
{
    return option->min != 0 || option->max != 0;
}

static bool in_range(const struct eddy_option *option, double value)
{
    return !has_range(option) || (value >= option->min && value <= option->max);
}

static int wrong_type(const struct eddy_option *option, struct eddy_buf *ret_reason)
{
    const char *example = type_examples[option->type];
    eddy_buf_printf(ret_reason, "is not %s", type_texts[option->type]);
    if (example) {
        eddy_buf_printf(ret_reason, "; write %s", example);
    }
    struct eddy_buf range;
    eddy_buf_init(&range, 0);
    eddy_conf_format_range(option, &range);
    if (range.size > 0) {
        eddy_buf_printf(ret_reason, "; allowed is %s", range.data);
    }
    eddy_buf_fini(&range);
    return EDDY_ECONFIG;
}

static int out_of_range(const struct eddy_option *option, struct eddy_buf *ret_reason)
{
    eddy_buf_puts(ret_reason, "is out of range; allowed is ");
    eddy_conf_format_range(option, ret_reason);
    return EDDY_ECONFIG;
}

int eddy_conf_parse(const struct eddy_option *option, const char *text, void *field,
                    struct eddy_buf *ret_reason)
{
    bool flag = false;
    int64_t number = 0;
    double value = 0;
    int code = 0;
    switch (option->type) {
    case EDDY_OPTION_BOOL: code = parse_bool(text, &flag); break;
    case EDDY_OPTION_INT: code = parse_int(text, &number); break;
    case EDDY_OPTION_FLOAT: code = parse_float(text, &value); break;
    case EDDY_OPTION_DURATION:
        code = parse_with_unit(text, duration_units, DURATION_UNITS, false, &number);
        break;
    case EDDY_OPTION_SIZE:
        code = parse_with_unit(text, size_units, SIZE_UNITS, true, &number);
        break;
    case EDDY_OPTION_CHOICE: code = parse_choice(text, option->choices, &number); break;
    case EDDY_OPTION_TEXT: break;
    case EDDY_OPTION_PASS: code = EDDY_ECONFIG; break;
    }
    if (code < 0) {
        return wrong_type(option, ret_reason);
    }
    if (!in_range(option, option->type == EDDY_OPTION_FLOAT ? value : (double)number)) {
        return out_of_range(option, ret_reason);
    }
    if (!field) {
        return 0;
    }
    switch (option->type) {
    case EDDY_OPTION_BOOL: *(bool *)field = flag; break;
    case EDDY_OPTION_FLOAT: *(double *)field = value; break;
    case EDDY_OPTION_TEXT:
        if (set_text(field, text) < 0) {
            eddy_buf_puts(ret_reason, "cannot be kept: out of memory");
            return EDDY_ENOMEM;
        }
        break;
    default: *(int64_t *)field = number; break;
    }
    return 0;
}

static void put_float(struct eddy_buf *out, double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) {
        (void)snprintf(text, sizeof text, "%.17g", value);
    }
    eddy_buf_puts(out, text);
}

/* By the largest unit that divides value. */
static void put_with_unit(struct eddy_buf *out, int64_t value, const struct unit *units,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (value != 0 && value % units[i].factor == 0) {
            eddy_buf_printf(out, "%" PRId64 "%s", value / units[i].factor,
                            units[i].suffix);
            return;
        }
    }
    eddy_buf_put_i64(out, value);
}

static void put_choice(struct eddy_buf *out, const char *choices, int64_t index)
{
    for (; index > 0 && *choices; index--) {
        choices += strcspn(choices, "|");
        choices += *choices == '|' ? 1 : 0;
    }
    eddy_buf_put(out, choices, strcspn(choices, "|"));
}

/* A number in the way of its option's type. */
static void put_number(struct eddy_buf *out, enum eddy_option_type type, double value)
{
    switch (type) {
    case EDDY_OPTION_DURATION:
        put_with_unit(out, (int64_t)value, duration_units, DURATION_UNITS);
        break;
    case EDDY_OPTION_SIZE:
        put_with_unit(out, (int64_t)value, size_units, SIZE_UNITS_WRITTEN);
        break;
    default: put_float(out, value); break;
    }
}

void eddy_conf_format(const struct eddy_option *option, const void *field,
                      struct eddy_buf *out)
{
    switch (option->type) {
    case EDDY_OPTION_BOOL:
        eddy_buf_puts(out, *(const bool *)field ? "true" : "false");
        break;
    case EDDY_OPTION_INT: eddy_buf_put_i64(out, *(const int64_t *)field); break;
    case EDDY_OPTION_FLOAT: put_float(out, *(const double *)field); break;
    case EDDY_OPTION_TEXT: {
        const char *text = *(char *const *)field;
        eddy_buf_puts(out, text ? text : "");
        break;
    }
    case EDDY_OPTION_DURATION:
        put_with_unit(out, *(const int64_t *)field, duration_units, DURATION_UNITS);
        break;
    case EDDY_OPTION_SIZE:
        put_with_unit(out, *(const int64_t *)field, size_units, SIZE_UNITS_WRITTEN);
        break;
    case EDDY_OPTION_CHOICE:
        put_choice(out, option->choices, *(const int64_t *)field);
        break;
    case EDDY_OPTION_PASS: break;
    }
}

void eddy_conf_format_range(const struct eddy_option *option, struct eddy_buf *out)
{
    if (option->type == EDDY_OPTION_BOOL) {
        eddy_buf_puts(out, "true or false");
    } else if (option->type == EDDY_OPTION_CHOICE) {
        for (const char *at = option->choices; *at;) {
            size_t length = strcspn(at, "|");
            bool last = at[length] == '\0' || !strchr(at + length + 1, '|');
            eddy_buf_put(out, at, length);
            at += length;
            if (*at == '|') {
                eddy_buf_puts(out, last ? " or " : ", ");
                at++;
            }
        }
    } else if (has_range(option)) {
        put_number(out, option->type, option->min);
        eddy_buf_puts(out, " to ");
        put_number(out, option->type, option->max);
    }
}
