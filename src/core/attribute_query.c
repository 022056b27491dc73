/* query := condition { AND condition }
 * condition := "ITEMS." column "=" value;  value := "text" | 'text' | number
 * Read by one pass over the text; each condition takes the items that fail it out. */
#include "core/attribute_query.h"

#include "core/text.h"

enum { SHOWN = 30 };

struct reader {
    struct eddy_span text;
    size_t at;
    struct eddy_err *err;
};

static int fail_here(const struct reader *reader, const char *why)
{
    size_t left = reader->text.size - reader->at;
    if (left == 0)
        return eddy_fail(reader->err, EDDY_EFORMAT, "at the end: %s", why);
    return eddy_fail(reader->err, EDDY_EFORMAT, "at '%.*s': %s",
                     left > SHOWN ? SHOWN : (int)left, reader->text.data + reader->at,
                     why);
}

static char peek(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : '\0';
}

static void skip_blanks(struct reader *reader)
{
    while (peek(reader) == ' ' || peek(reader) == '\t' || peek(reader) == '\n')
        reader->at++;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

/* The word at the reader: letters, digits, underscores. */
static struct eddy_span take_word(struct reader *reader)
{
    size_t begin = reader->at;
    while (is_letter_or_digit(peek(reader)) || peek(reader) == '_')
        reader->at++;
    return (struct eddy_span){reader->text.data + begin, reader->at - begin};
}

/* "numRatings" and "NUM_RATINGS" are one column. */
static bool is_same_name(struct eddy_span a, struct eddy_span b)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < a.size && !is_letter_or_digit(a.data[i]))
            i++;
        while (j < b.size && !is_letter_or_digit(b.data[j]))
            j++;
        if (i == a.size || j == b.size)
            return i == a.size && j == b.size;
        if (!eddy_span_eq_nocase((struct eddy_span){a.data + i, 1},
                                 (struct eddy_span){b.data + j, 1}))
            return false;
        i++;
        j++;
    }
}

static int take_column(struct reader *reader, const struct eddy_catalog *catalog,
                       uint32_t *ret)
{
    size_t begin = reader->at;
    struct eddy_span dataset = take_word(reader);
    if (!eddy_span_eq_nocase(dataset, eddy_span_of("ITEMS")) || peek(reader) != '.') {
        reader->at = begin;
        return fail_here(reader, "a condition is written ITEMS.COLUMN = \"value\"");
    }
    reader->at++;
    struct eddy_span name = take_word(reader);
    for (uint32_t c = 0; c < eddy_catalog_column_count(catalog); c++) {
        if (name.size > 0 && is_same_name(name, eddy_catalog_column_name(catalog, c))) {
            *ret = c;
            return 0;
        }
    }
    reader->at = begin;
    return fail_here(reader, "the model's items have no such column");
}

static int take_value(struct reader *reader, struct eddy_span *ret)
{
    char quote = peek(reader);
    size_t begin = reader->at;
    double number;
    if (quote == '"' || quote == '\'') {
        const char *text = reader->text.data + begin + 1;
        const char *end = memchr(text, quote, reader->text.size - begin - 1);
        if (end == NULL)
            return fail_here(reader, "the quote is never closed");
        *ret = (struct eddy_span){text, (size_t)(end - text)};
        reader->at = (size_t)(end - reader->text.data) + 1;
        return 0;
    }
    while (reader->at < reader->text.size && strchr(" \t\n", peek(reader)) == NULL)
        reader->at++;
    *ret = (struct eddy_span){reader->text.data + begin, reader->at - begin};
    if (eddy_number_parse(*ret, &number))
        return 0;
    reader->at = begin;
    return fail_here(reader, "a value is a text in quotes or a number");
}

static bool is_value(struct eddy_span cell, struct eddy_span value)
{
    double x, y;
    if (eddy_span_eq(cell, value))
        return true;
    return eddy_number_parse(cell, &x) && eddy_number_parse(value, &y) && !(x < y) &&
           !(x > y);
}

static bool has_value(struct eddy_span cells, struct eddy_span value)
{
    for (size_t at = 0; cells.size > 0 && at <= cells.size;) {
        const char *bar = memchr(cells.data + at, '|', cells.size - at);
        size_t end = bar ? (size_t)(bar - cells.data) : cells.size;
        if (is_value((struct eddy_span){cells.data + at, end - at}, value))
            return true;
        at = end + 1;
    }
    return false;
}

static int take_condition(struct reader *reader, const struct eddy_catalog *catalog,
                          bool *items)
{
    uint32_t column = 0;
    struct eddy_span value = {0};
    skip_blanks(reader);
    int r = take_column(reader, catalog, &column);
    if (r < 0)
        return r;
    skip_blanks(reader);
    if (peek(reader) != '=')
        return fail_here(reader, "only = compares here");
    reader->at++;
    skip_blanks(reader);
    if ((r = take_value(reader, &value)) < 0)
        return r;
    for (uint32_t i = 0; i < eddy_catalog_count(catalog); i++)
        items[i] = items[i] && has_value(eddy_catalog_get(catalog, i, column), value);
    return 0;
}

int eddy_attribute_query(struct eddy_span text, const struct eddy_catalog *catalog,
                         bool *ret, uint32_t *ret_count, struct eddy_err *err)
{
    struct reader reader = {text, 0, err};
    uint32_t items = eddy_catalog_count(catalog);
    int r;
    for (uint32_t i = 0; i < items; i++)
        ret[i] = true;
    while ((r = take_condition(&reader, catalog, ret)) == 0) {
        skip_blanks(&reader);
        if (reader.at == text.size)
            break;
        size_t begin = reader.at;
        if (!eddy_span_eq_nocase(take_word(&reader), eddy_span_of("AND"))) {
            reader.at = begin;
            return fail_here(&reader, "only AND joins conditions here");
        }
    }
    if (r < 0)
        return r;
    *ret_count = 0;
    for (uint32_t i = 0; i < items; i++)
        *ret_count += ret[i];
    return 0;
}
