/* Command lines from tables.
 *
 * getopt_long would parse, but knows neither types, ranges nor help, so every command would
 * repeat each option three times. Here a row says everything once. Values are borrowed from
 * argv, nothing is allocated, and the first error ends the parse: half a command line is
 * never acted upon. */
#include "app/args.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/app.h"

int eddy_args_fail(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)fprintf(stderr, "eddy %s: ", command);
    (void)vfprintf(stderr, fmt, args);
    (void)fprintf(stderr, "\n`eddy %s --help` shows every option with examples.\n",
                  command);
    va_end(args);
    return EDDY_EXIT_USAGE;
}

/* Edit distance with neighbours swapped (optimal string alignment) of words up to 31
 * bytes; longer ones are as far as can be. */
static size_t distance_between(const char *a, const char *b)
{
    size_t rows[32][32];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size >= 32 || b_size >= 32)
        return 64;
    for (size_t i = 0; i <= a_size; i++) {
        for (size_t j = 0; j <= b_size; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            size_t best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (rows[i - 1][j] + 1 < best)
                best = rows[i - 1][j] + 1;
            if (rows[i][j - 1] + 1 < best)
                best = rows[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                rows[i - 2][j - 2] + 1 < best)
                best = rows[i - 2][j - 2] + 1;
            rows[i][j] = best;
        }
    }
    return rows[a_size][b_size];
}

const char *eddy_args_nearest(const char *name, const char *const *candidates,
                              size_t count)
{
    const char *nearest = NULL;
    size_t allowed = strlen(name) / 3 > 1 ? strlen(name) / 3 : 1;
    size_t best = allowed + 1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = distance_between(name, candidates[i]);
        bool starts =
            strlen(name) >= 3 && strncmp(name, candidates[i], strlen(name)) == 0;
        if (starts)
            distance = 1;
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

bool eddy_args_duration(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *suffix;
        double ms;
    } units[] = {{"", 1000},     {"ms", 1},     {"s", 1000},   {"m", 60000},
                 {"min", 60000}, {"h", 3600e3}, {"d", 86400e3}};
    char *end = NULL;
    double number = strtod(text, &end);
    if (end == text || !isfinite(number) || number < 0 || number > 1e12)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].suffix) == 0) {
            *ret_ms = (int64_t)(number * units[i].ms + 0.5);
            return true;
        }
    }
    return false;
}

/* "Z", "+02:00", "-0530" or nothing -> seconds east of Greenwich. */
static bool parse_zone(const char *text, int64_t *ret_s)
{
    int hours = 0, minutes = 0, used = 0;
    char sign = 0;
    *ret_s = 0;
    if (text[0] == 0 || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) < 3 &&
        sscanf(text, "%c%2d%2d%n", &sign, &hours, &minutes, &used) < 3)
        return false;
    if ((sign != '+' && sign != '-') || text[used] != 0 || hours > 14 || minutes > 59)
        return false;
    *ret_s = (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

static bool parse_iso_time(const char *text, int64_t *ret_ms)
{
    struct tm tm = {0};
    int used = 0, more = 0;
    double seconds = 0;
    int64_t zone_s = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &used) != 3)
        return false;
    if (text[used] == 'T' || text[used] == ' ') {
        if (sscanf(text + used + 1, "%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &more) != 2)
            return false;
        used += 1 + more;
        if (text[used] == ':') {
            char *end = NULL;
            seconds = strtod(text + used + 1, &end);
            used = (int)(end - text);
        }
    }
    if (!parse_zone(text + used, &zone_s) || tm.tm_year < 1970 || tm.tm_mon < 1 ||
        tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || !(seconds >= 0 && seconds < 61))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *ret_ms = ((int64_t)timegm(&tm) - zone_s) * 1000 + (int64_t)(seconds * 1000 + 0.5);
    return true;
}

bool eddy_args_time(const char *text, int64_t *ret_ms)
{
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && text[digits] == 0 && digits <= 13) {
        int64_t number = (int64_t)strtoll(text, NULL, 10);
        *ret_ms = digits >= 12 ? number : number * 1000;
        return true;
    }
    return parse_iso_time(text, ret_ms);
}

/* ---- values ---------------------------------------------------------------------- */

static const char *option_text(const struct eddy_arg *row, char out[64])
{
    if (row->letter)
        (void)snprintf(out, 64, "--%s (-%c)", row->name, row->letter);
    else
        (void)snprintf(out, 64, "--%s", row->name);
    return out;
}

static bool fail_value(const struct eddy_args *args, const struct eddy_arg *row,
                       const char *value, const char *wanted)
{
    char name[64];
    (void)eddy_args_fail(args->command, "%s: \"%s\" is not %s", option_text(row, name),
                         value, wanted);
    return false;
}

static bool set_number(const struct eddy_args *args, const struct eddy_arg *row,
                       const char *value, void *field)
{
    char *end = NULL;
    char wanted[96];
    double number = 0;
    errno = 0;
    if (row->type == EDDY_ARG_INT) {
        long long whole = strtoll(value, &end, 10);
        if (end == value || *end || errno)
            return fail_value(args, row, value, "a whole number");
        number = (double)whole;
        *(int64_t *)field = whole;
    } else {
        number = strtod(value, &end);
        if (end == value || *end || !isfinite(number))
            return fail_value(args, row, value, "a number");
        *(double *)field = number;
    }
    if ((row->min != 0 || row->max != 0) && (number < row->min || number > row->max)) {
        (void)snprintf(wanted, sizeof wanted, "in the range %.10g to %.10g", row->min,
                       row->max);
        return fail_value(args, row, value, wanted);
    }
    return true;
}

static bool set_duration(const struct eddy_args *args, const struct eddy_arg *row,
                         const char *value, void *field)
{
    int64_t ms = 0;
    char wanted[96];
    if (!eddy_args_duration(value, &ms))
        return fail_value(args, row, value,
                          "a duration; write seconds or e.g. 250ms, 30s, 5m, 2h, 7d");
    if ((row->min != 0 || row->max != 0) &&
        ((double)ms < row->min || (double)ms > row->max)) {
        (void)snprintf(wanted, sizeof wanted, "in the range %.10g ms to %.10g ms",
                       row->min, row->max);
        return fail_value(args, row, value, wanted);
    }
    *(int64_t *)field = ms;
    return true;
}

static bool set_choice(const struct eddy_args *args, const struct eddy_arg *row,
                       const char *value, void *field)
{
    char wanted[160];
    size_t size = strlen(value);
    int64_t index = 0;
    for (const char *at = row->choices; at; index++) {
        const char *bar = strchr(at, '|');
        size_t length = bar ? (size_t)(bar - at) : strlen(at);
        if (length == size && memcmp(at, value, size) == 0) {
            *(int64_t *)field = index;
            return true;
        }
        at = bar ? bar + 1 : NULL;
    }
    (void)snprintf(wanted, sizeof wanted, "one of %s", row->choices);
    return fail_value(args, row, value, wanted);
}

static bool set_value(const struct eddy_args *args, const struct eddy_arg *row,
                      const char *value, void *target)
{
    void *field = (char *)target + row->offset;
    struct eddy_arg_list *list = field;
    switch (row->type) {
    case EDDY_ARG_FLAG: *(bool *)field = true; return true;
    case EDDY_ARG_TEXT: *(const char **)field = value; return true;
    case EDDY_ARG_INT:
    case EDDY_ARG_FLOAT: return set_number(args, row, value, field);
    case EDDY_ARG_DURATION: return set_duration(args, row, value, field);
    case EDDY_ARG_TIME:
        return eddy_args_time(value, field) ||
               fail_value(args, row, value,
                          "a time; write Unix seconds or e.g. 2021-07-01T09:30:00Z");
    case EDDY_ARG_CHOICE: return set_choice(args, row, value, field);
    case EDDY_ARG_LIST:
        if (list->count >= EDDY_ARG_LIST_MAX)
            return fail_value(args, row, value, "taken: the option stands too often");
        list->values[list->count++] = value;
        return true;
    }
    return false;
}

/* ---- help ------------------------------------------------------------------------ */

enum { HELP_COLUMN = 30, HELP_WIDTH = 92 };

/* Bytes of the next word; long choices "a|b|c" may end behind a bar. */
static size_t word_size(const char *text, size_t room)
{
    size_t size = strcspn(text, " ");
    for (size_t i = room; size > room && i > 0; i--)
        if (text[i - 1] == '|')
            return i;
    return size;
}

static void print_wrapped(const char *text, size_t column)
{
    size_t at = column;
    while (*text) {
        size_t word = word_size(text, HELP_WIDTH - column);
        if (at + 1 + word > HELP_WIDTH) {
            (void)printf("\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            (void)putchar(' ');
            at++;
        }
        (void)fwrite(text, 1, word, stdout);
        at += word;
        text += word;
        while (*text == ' ')
            text++;
    }
    (void)putchar('\n');
}

static void print_row(const char *name, char letter, const char *value,
                      const char *help)
{
    char left[80];
    char short_name[8] = "    ";
    if (letter)
        (void)snprintf(short_name, sizeof short_name, "-%c, ", letter);
    (void)snprintf(left, sizeof left, "  %s--%s%s%s", short_name, name,
                   value ? " " : "", value ? value : "");
    if (strlen(left) + 2 > HELP_COLUMN)
        (void)printf("%s\n%*s", left, HELP_COLUMN, "");
    else
        (void)printf("%-*s", HELP_COLUMN, left);
    print_wrapped(help, HELP_COLUMN);
}

static void print_help(const struct eddy_args *args)
{
    (void)printf("usage: eddy %s %s\n", args->command, args->usage);
    if (args->about)
        (void)printf("\n%s\n", args->about);
    (void)printf("\nOptions:\n");
    for (size_t i = 0; i < args->row_count; i++) {
        const struct eddy_arg *row = &args->rows[i];
        const char *value = row->value ? row->value : row->choices;
        char help[640];
        (void)snprintf(help, sizeof help, "%s%s%s%s%s", row->help,
                       row->choices && row->value ? " One of " : "",
                       row->choices && row->value ? row->choices : "",
                       row->required ? " (required)" : "",
                       row->type == EDDY_ARG_LIST ? " May be repeated." : "");
        print_row(row->name, row->letter, row->type == EDDY_ARG_FLAG ? NULL : value,
                  help);
    }
    print_row("help", 'h', NULL, "This text.");
    if (args->examples)
        (void)printf("\nExamples:\n%s\n", args->examples);
}

/* ---- parsing --------------------------------------------------------------------- */

static const struct eddy_arg *find_long(const struct eddy_args *args, const char *name,
                                        size_t size)
{
    for (size_t i = 0; i < args->row_count; i++)
        if (strlen(args->rows[i].name) == size &&
            memcmp(args->rows[i].name, name, size) == 0)
            return &args->rows[i];
    return NULL;
}

static const struct eddy_arg *find_letter(const struct eddy_args *args, char letter)
{
    for (size_t i = 0; i < args->row_count; i++)
        if (args->rows[i].letter == letter && letter)
            return &args->rows[i];
    return NULL;
}

static bool fail_unknown(const struct eddy_args *args, const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (; count < args->row_count && count < 64; count++)
        names[count] = args->rows[count].name;
    const char *nearest = eddy_args_nearest(name, names, count);
    if (nearest)
        (void)eddy_args_fail(args->command, "unknown option --%s; did you mean --%s?",
                             name, nearest);
    else
        (void)eddy_args_fail(args->command, "unknown option --%s", name);
    return false;
}

/* State of one parse. */
struct parse {
    const struct eddy_args *args;
    int argc, at; /* argv[at] is being read */
    char **argv;
    void *target;
    bool given[64]; /* per row, for required ones */
};

static bool take_value(struct parse *parse, const struct eddy_arg *row,
                       const char *attached)
{
    char name[64];
    const char *value = attached;
    if (row->type == EDDY_ARG_FLAG && attached) {
        (void)eddy_args_fail(parse->args->command, "%s takes no value",
                             option_text(row, name));
        return false;
    }
    if (row->type != EDDY_ARG_FLAG && !value) {
        if (parse->at + 1 >= parse->argc) {
            (void)eddy_args_fail(parse->args->command, "%s needs a value: --%s %s",
                                 option_text(row, name), row->name,
                                 row->value ? row->value : row->choices);
            return false;
        }
        value = parse->argv[++parse->at];
    }
    size_t index = (size_t)(row - parse->args->rows);
    if (index < 64)
        parse->given[index] = true;
    return set_value(parse->args, row, value, parse->target);
}

static bool parse_long(struct parse *parse, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t size = equals ? (size_t)(equals - text) : strlen(text);
    const struct eddy_arg *row = find_long(parse->args, text, size);
    if (!row) {
        char name[80];
        (void)snprintf(name, sizeof name, "%.*s", size > 79 ? 79 : (int)size, text);
        return fail_unknown(parse->args, name);
    }
    return take_value(parse, row, equals ? equals + 1 : NULL);
}

static bool parse_letters(struct parse *parse, const char *text)
{
    for (; *text; text++) {
        const struct eddy_arg *row = find_letter(parse->args, *text);
        if (!row) {
            (void)eddy_args_fail(parse->args->command, "unknown option -%c", *text);
            return false;
        }
        if (row->type != EDDY_ARG_FLAG)
            return take_value(parse, row, text[1] ? text + 1 : NULL);
        if (!take_value(parse, row, NULL))
            return false;
    }
    return true;
}

static bool add_operand(const struct eddy_args *args, struct eddy_arg_list *operands,
                        const char *text)
{
    if (!args->operand || !operands || operands->count >= args->operand_max) {
        (void)eddy_args_fail(args->command, "unexpected argument \"%s\"%s", text,
                             args->operand ? ": too many of them" : "");
        return false;
    }
    operands->values[operands->count++] = text;
    return true;
}

static bool check_complete(const struct parse *parse,
                           const struct eddy_arg_list *operands)
{
    const struct eddy_args *args = parse->args;
    for (size_t i = 0; i < args->row_count && i < 64; i++) {
        char name[64];
        if (args->rows[i].required && !parse->given[i]) {
            (void)eddy_args_fail(args->command, "%s %s is missing",
                                 option_text(&args->rows[i], name),
                                 args->rows[i].value ? args->rows[i].value : "VALUE");
            return false;
        }
    }
    if (operands && operands->count < args->operand_min) {
        (void)eddy_args_fail(args->command, "%s is missing; usage: eddy %s %s",
                             args->operand, args->command, args->usage);
        return false;
    }
    return true;
}

static bool is_help(const char *text)
{
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

bool eddy_args_parse(const struct eddy_args *args, int argc, char **argv, void *target,
                     struct eddy_arg_list *operands, int *ret_exit)
{
    struct parse parse = {.args = args, .argc = argc, .argv = argv, .target = target};
    bool options = true;
    if (operands)
        operands->count = 0;
    for (parse.at = 1; parse.at < argc; parse.at++) {
        const char *text = argv[parse.at];
        bool taken = false;
        if (options && is_help(text)) {
            print_help(args);
            *ret_exit = EDDY_EXIT_OK;
            return false;
        }
        if (options && strcmp(text, "--") == 0) {
            options = false;
            continue;
        }
        if (options && text[0] == '-' && text[1] == '-')
            taken = parse_long(&parse, text + 2);
        else if (options && text[0] == '-' && text[1])
            taken = parse_letters(&parse, text + 1);
        else
            taken = add_operand(args, operands, text);
        if (!taken) {
            *ret_exit = EDDY_EXIT_USAGE;
            return false;
        }
    }
    *ret_exit = EDDY_EXIT_USAGE;
    return check_complete(&parse, operands);
}
