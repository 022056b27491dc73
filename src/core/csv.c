/* CSV as RFC 4180 has it, and nothing looser: a quote inside an unquoted field or text
 * behind a closing quote is an error with its place, because guessing there shifts
 * columns silently. Taken beyond the RFC: LF alone as line end, a BOM, empty lines.
 *
 * A row is split in one pass over the bytes; fields are spans into them. Only fields with
 * doubled quotes are copied, in a second pass, when the room they need is known and the
 * buffer cannot move any more. */
#include "core/csv.h"

#include "core/text.h"

void eddy_csv_init(struct eddy_csv *csv, struct eddy_span bytes, const char *name)
{
    csv->bytes = bytes;
    csv->at = 0;
    csv->line = 0;
    csv->line_next = 1;
    csv->count = 0;
    csv->name = name;
    csv->names_size = 0;
    eddy_buf_init(&csv->unquoted, 0);
    if (bytes.size >= 3 && memcmp(bytes.data, "\xef\xbb\xbf", 3) == 0) {
        csv->at = 3;
    }
}

void eddy_csv_fini(struct eddy_csv *csv)
{
    eddy_buf_fini(&csv->unquoted);
}

/* What one row is made of while it is read. */
struct row {
    const char *at, *end;
    uint64_t lines; /* line ends inside quotes */
    size_t unquote; /* bytes of fields that have doubled quotes */
    bool doubled[EDDY_CSV_COLUMNS_MAX];
};

/* The quoted field at row->at (behind its opening quote). NULL, or why not. */
static const char *take_quoted(struct row *row, struct eddy_span *ret,
                               bool *ret_doubled)
{
    const char *begin = row->at, *p = begin;
    bool doubled = false;
    for (;;) {
        const char *quote = memchr(p, '"', (size_t)(row->end - p));
        if (!quote) {
            return "the quote that opens the field is never closed";
        }
        p = quote + 1;
        if (p == row->end || *p != '"') {
            break;
        }
        doubled = true;
        p++;
    }
    *ret = (struct eddy_span){begin, (size_t)(p - 1 - begin)};
    *ret_doubled = doubled;
    for (const char *c = begin; (c = memchr(c, '\n', (size_t)(p - c))) != NULL; c++) {
        row->lines++;
    }
    row->at = p;
    if (p < row->end && *p == '\r' && (p + 1 == row->end || p[1] == '\n')) {
        return NULL;
    }
    return p == row->end || *p == ',' || *p == '\n'
               ? NULL
               : "text behind the closing quote (a quote inside is written \"\")";
}

static const char *take_plain(struct row *row, struct eddy_span *ret)
{
    const char *begin = row->at, *p = begin;
    while (p < row->end && *p != ',' && *p != '\n') {
        if (*p == '"') {
            return "a quote inside a field that does not begin with one";
        }
        p++;
    }
    size_t size = (size_t)(p - begin);
    if (size > 0 && p[-1] == '\r' && (p == row->end || *p == '\n')) {
        size--;
        p--;
    }
    *ret = (struct eddy_span){begin, size};
    row->at = p;
    return NULL;
}

/* Over a line end. */
static void skip_newline(struct row *row)
{
    if (row->at < row->end && *row->at == '\r') {
        row->at++;
    }
    if (row->at < row->end && *row->at == '\n') {
        row->at++;
    }
}

static const char *take_fields(struct eddy_csv *csv, struct row *row)
{
    for (;;) {
        if (csv->count == EDDY_CSV_COLUMNS_MAX) {
            return "more than 256 fields";
        }
        struct eddy_span *field = &csv->fields[csv->count];
        bool *doubled = &row->doubled[csv->count];
        *doubled = false;
        const char *why;
        csv->count++;
        if (row->at < row->end && *row->at == '"') {
            row->at++;
            why = take_quoted(row, field, doubled);
        } else {
            why = take_plain(row, field);
        }
        if (why) {
            return why;
        }
        row->unquote += *doubled ? field->size : 0;
        if (row->at == row->end || *row->at != ',') {
            return NULL;
        }
        row->at++;
    }
}

static int unquote_fields(struct eddy_csv *csv, const struct row *row,
                          struct eddy_err *err)
{
    eddy_buf_clear(&csv->unquoted);
    if (eddy_buf_reserve(&csv->unquoted, row->unquote) != 0) {
        return eddy_fail(err, EDDY_ENOMEM, "%s:%llu: no memory for the row", csv->name,
                         (unsigned long long)csv->line);
    }
    for (uint32_t i = 0; i < csv->count; i++) {
        if (!row->doubled[i]) {
            continue;
        }
        struct eddy_span raw = csv->fields[i];
        char *to = csv->unquoted.data + csv->unquoted.size;
        size_t n = 0;
        for (size_t k = 0; k < raw.size; k++) {
            to[n++] = raw.data[k];
            k += raw.data[k] == '"'; /* the first of the two stays */
        }
        csv->unquoted.size += n;
        csv->fields[i] = (struct eddy_span){to, n};
    }
    return 0;
}

/* Keeps the fields of the first row, as many as there is room for. */
static void keep_names(struct eddy_csv *csv)
{
    for (uint32_t i = 0; i < csv->count; i++) {
        struct eddy_span field = csv->fields[i];
        if (field.size >= EDDY_CSV_NAMES - csv->names_size) {
            break;
        }
        if (field.size > 0) {
            memcpy(csv->names + csv->names_size, field.data, field.size);
        }
        csv->names_size += (uint32_t)field.size;
        csv->names[csv->names_size++] = '\0';
    }
    if (csv->names_size == 0) /* the first does not fit: no later row has the titles */
        csv->names[csv->names_size++] = '\0';
}

/* The title of a field, from 1; "" where there is none. */
static const char *name_of(const struct eddy_csv *csv, uint32_t field)
{
    uint32_t at = 0;
    while (at < csv->names_size && --field > 0) {
        at += (uint32_t)strlen(csv->names + at) + 1;
    }
    return at < csv->names_size ? csv->names + at : "";
}

/* After a broken row: on with the line behind the one where it began. */
static int broken(struct eddy_csv *csv, const char *begin, const char *why,
                  struct eddy_err *err)
{
    const char *end = csv->bytes.data + csv->bytes.size;
    const char *newline = memchr(begin, '\n', (size_t)(end - begin));
    csv->at = (size_t)((newline ? newline + 1 : end) - csv->bytes.data);
    csv->line_next = csv->line + 1;
    uint32_t field = csv->count;
    csv->count = 0;
    if (field == 0) {
        return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: %s", csv->name,
                         (unsigned long long)csv->line, why);
    }
    const char *title = name_of(csv, field);
    return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: field %u%s%.40s%s: %s", csv->name,
                     (unsigned long long)csv->line, field, title[0] ? " (" : "", title,
                     title[0] ? ")" : "", why);
}

int eddy_csv_next(struct eddy_csv *csv, struct eddy_err *err)
{
    struct row row;
    const char *begin;
    row.end = csv->bytes.data + csv->bytes.size;
    csv->count = 0;
    for (;;) {
        begin = row.at = csv->bytes.data + csv->at;
        if (csv->at >= csv->bytes.size) {
            return 0;
        }
        skip_newline(&row);
        csv->line = csv->line_next;
        if (row.at == begin || (row.at[-1] != '\n' && row.at < row.end)) {
            row.at = begin;
            break;
        }
        csv->at = (size_t)(row.at - csv->bytes.data);
        csv->line_next++;
    }
    row.lines = 0;
    row.unquote = 0;
    const char *why = take_fields(csv, &row);
    if (why) {
        return broken(csv, begin, why, err);
    }
    struct eddy_span whole = {begin, (size_t)(row.at - begin)};
    if (!eddy_utf8_is_valid(whole)) {
        uint32_t bad = 0;
        while (bad + 1 < csv->count && eddy_utf8_is_valid(csv->fields[bad])) {
            bad++;
        }
        csv->count = bad + 1;
        return broken(csv, begin, "not UTF-8", err);
    }
    skip_newline(&row);
    csv->at = (size_t)(row.at - csv->bytes.data);
    csv->line_next = csv->line + row.lines + 1;
    if (row.unquote > 0) {
        int code = unquote_fields(csv, &row, err);
        if (code < 0) {
            return code;
        }
    }
    if (csv->names_size == 0) {
        keep_names(csv);
    }
    return 1;
}

void eddy_csv_put(struct eddy_buf *out, struct eddy_span text)
{
    bool quote = false;
    for (size_t i = 0; i < text.size && !quote; i++) {
        char c = text.data[i];
        quote = c == '"' || c == ',' || c == '\n' || c == '\r';
    }
    if (!quote) {
        eddy_buf_put(out, text.data, text.size);
        return;
    }
    eddy_buf_putc(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            eddy_buf_putc(out, '"');
        eddy_buf_putc(out, text.data[i]);
    }
    eddy_buf_putc(out, '"');
}
