/* Events from files and pipes.
 *
 * There is one window of bytes. Of a file it is the whole mapping; of a pipe it is a buffer
 * that holds at least one whole record before a record is parsed, so the parsers (the CSV
 * reader, simdjson, the msgpack reader) always see complete records. A record of a pipe
 * may be as large as RECORD_MAX; beyond that the input is not what it claims to be. */
#include "app/event_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/msgpack.h"
#include "core/csv.h"
#include "core/interactions.h"
#include "core/text.h"
#include "io/files.h"
#include "io/json_simd.h"

enum { RECORD_MAX = 16 << 20, READ_SIZE = 256 << 10 };

enum column {
    COLUMN_USER,
    COLUMN_ITEM,
    COLUMN_TIME,
    COLUMN_TYPE,
    COLUMN_VALUE,
    COLUMN_IMPRESSION,
    COLUMN_SESSION,
    COLUMN_EVENT_ID,
    COLUMN_RECOMMENDATION,
    COLUMN_COUNT
};
static const char *const column_names[COLUMN_COUNT] = {
    "USER_ID",    "ITEM_ID",    "TIMESTAMP", "EVENT_TYPE",        "EVENT_VALUE",
    "IMPRESSION", "SESSION_ID", "EVENT_ID",  "RECOMMENDATION_ID",
};

struct eddy_source {
    const char *name;
    enum eddy_source_format format;
    int fd; /* of a pipe, else -1 */
    struct eddy_file file;
    char *heap; /* window of a pipe */
    size_t capacity;
    const char *data; /* the window */
    size_t size, at;
    uint64_t line; /* of the next record, from 1 */
    struct eddy_source_mark last;
    bool ended;
    int64_t shift_ms;
    struct eddy_csv csv;
    uint32_t columns[COLUMN_COUNT]; /* field number, UINT32_MAX: not in the file */
    uint32_t context_count; /* further columns, as core/interactions.h has them */
    struct {
        uint32_t field;
        char *name; /* owned */
    } context[EDDY_CONTEXT_MAX];
    struct eddy_json *json;
    struct eddy_arena *arena;
};

/* ---- the window ------------------------------------------------------------------ */

/* More bytes of a pipe: 1 read something, 0 the end. */
static int fill(struct eddy_source *source, struct eddy_err *err)
{
    if (source->ended)
        return 0;
    size_t left = source->size - source->at;
    if (left > RECORD_MAX)
        return eddy_fail(
            err, EDDY_EFORMAT,
            "%s:%" PRIu64 ": a record of more than 16 MiB; is this really %s?",
            source->name, source->line,
            source->format == EDDY_SOURCE_CSV ? "CSV" : "JSON, one a line");
    if (source->at > 0) {
        memmove(source->heap, source->heap + source->at, left);
        source->size = left;
        source->at = 0;
    }
    if (source->capacity - source->size < READ_SIZE) {
        char *grown = realloc(source->heap, source->capacity * 2);
        if (!grown)
            return eddy_fail(err, EDDY_ENOMEM, "out of memory");
        source->heap = grown;
        source->capacity *= 2;
    }
    source->data = source->heap;
    ssize_t got = 0;
    do
        got = read(source->fd, source->heap + source->size, READ_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return eddy_fail(err, EDDY_EIO, "%s: %s", source->name, strerror(errno));
    source->ended = got == 0;
    source->size += (size_t)got;
    return got > 0;
}

/* End of the row that begins at the window's place: behind its newline outside of quotes;
 * 0: not in the window. */
static size_t row_end(const struct eddy_source *source)
{
    bool quoted = false;
    bool has_quotes = source->format == EDDY_SOURCE_CSV;
    for (size_t i = source->at; i < source->size; i++) {
        char c = source->data[i];
        if (c == '"' && has_quotes)
            quoted = !quoted;
        else if (c == '\n' && !quoted)
            return i + 1;
    }
    return 0;
}

/* 1: a whole row stands at the window's place and ends at *ret_end; 0: the end. */
static int need_row(struct eddy_source *source, size_t *ret_end, struct eddy_err *err)
{
    for (;;) {
        size_t end = row_end(source);
        if (!end) {
            int r = fill(source, err);
            if (r < 0)
                return r;
            if (r > 0)
                continue;
            end = source->size;
        }
        *ret_end = end;
        return end > source->at;
    }
}

/* ---- CSV ------------------------------------------------------------------------- */

/* The CSV reader over the window, one row. */
static int next_row(struct eddy_source *source, struct eddy_err *err)
{
    size_t end = source->size;
    if (source->fd >= 0) {
        int r = need_row(source, &end, err);
        if (r <= 0)
            return r;
    }
    struct eddy_csv *csv = &source->csv;
    source->last = eddy_source_tell(source);
    csv->bytes = (struct eddy_span){source->data, end};
    csv->at = source->at;
    csv->line_next = source->line;
    int r = eddy_csv_next(csv, err);
    source->at = csv->at;
    source->line = csv->line_next;
    if (r == 0 && source->fd >= 0 && !source->ended)
        return next_row(source, err); /* an empty line of a pipe */
    return r;
}

static int read_context_header(struct eddy_source *source, struct eddy_err *err)
{
    for (uint32_t f = 0;
         f < source->csv.count && source->context_count < EDDY_CONTEXT_MAX; f++) {
        struct eddy_span name = source->csv.fields[f];
        if (!eddy_interactions_is_context(name))
            continue;
        char *copy = eddy_span_dup(name);
        if (!copy)
            return eddy_fail(err, EDDY_ENOMEM, "out of memory");
        source->context[source->context_count].field = f;
        source->context[source->context_count++].name = copy;
    }
    return 0;
}

static int read_header(struct eddy_source *source, struct eddy_err *err)
{
    const char *example =
        "USER_ID,ITEM_ID,TIMESTAMP[,EVENT_TYPE,EVENT_VALUE,IMPRESSION]";
    int r = next_row(source, err);
    if (r < 0)
        return r;
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        source->columns[c] = UINT32_MAX;
        for (uint32_t f = 0; f < source->csv.count; f++)
            if (eddy_span_eq_nocase(source->csv.fields[f],
                                    eddy_span_of(column_names[c])))
                source->columns[c] = f;
        if (c <= COLUMN_TIME && source->columns[c] == UINT32_MAX)
            return eddy_fail(
                err, EDDY_EFORMAT,
                "%s:1: the header has no column %s; the first line must name "
                "the columns: %s",
                source->name, column_names[c], example);
    }
    return read_context_header(source, err);
}

static int bad_field(const struct eddy_source *source, int column, const char *why,
                     struct eddy_err *err)
{
    struct eddy_span text = {"", 0};
    if (source->columns[column] < source->csv.count)
        text = source->csv.fields[source->columns[column]];
    return eddy_fail(err, column == COLUMN_TIME ? EDDY_ETIME : EDDY_EBADEVENT,
                     "%s:%" PRIu64 ": column %s: \"%.*s\" %s", source->name,
                     source->csv.line, column_names[column],
                     text.size > 60 ? 60 : (int)text.size, text.data, why);
}

/* data NULL: empty, or no such column; both mean absent. */
static struct eddy_span field_of(const struct eddy_source *source, enum column column)
{
    uint32_t f = source->columns[column];
    bool given = f < source->csv.count && source->csv.fields[f].size > 0;
    return given ? source->csv.fields[f] : (struct eddy_span){NULL, 0};
}

/* Unix time in s, ms or us, told apart by size (their ranges do not overlap), or ISO-8601
 * with a zone. Small numbers are seconds: --now moves them to the present. */
static bool parse_time(struct eddy_span text, int64_t *ret_ms)
{
    double number = 0;
    if (eddy_time_parse_iso(text, ret_ms))
        return true;
    if (!eddy_number_parse(text, &number) || number < 0 || number > 4.2e15)
        return false;
    if (number < (double)EDDY_TIME_MAX_S)
        *ret_ms = (int64_t)(number * 1000 + 0.5);
    else if (number < (double)EDDY_TIME_MAX_S * 1000)
        *ret_ms = (int64_t)number;
    else
        *ret_ms = (int64_t)(number / 1000);
    return true;
}

static int split_impressions(struct eddy_source *source, struct eddy_event *event,
                             struct eddy_err *err)
{
    struct eddy_span text = field_of(source, COLUMN_IMPRESSION);
    struct eddy_span *parts =
        eddy_arena_zero(source->arena, EDDY_IMPRESSION_MAX, sizeof *parts);
    if (!parts)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (text.size > 0 && text.data[text.size - 1] == '|')
        return bad_field(source, COLUMN_IMPRESSION, "has an empty item id", err);
    while (text.size > 0) {
        const char *bar = memchr(text.data, '|', text.size);
        size_t size = bar ? (size_t)(bar - text.data) : text.size;
        if (event->impression_count == EDDY_IMPRESSION_MAX)
            return bad_field(source, COLUMN_IMPRESSION, "names more than 25 items",
                             err);
        if (size == 0)
            return bad_field(source, COLUMN_IMPRESSION, "has an empty item id", err);
        parts[event->impression_count++] = (struct eddy_span){text.data, size};
        size += bar ? 1 : 0;
        text.data += size;
        text.size -= size;
    }
    event->impressions = parts;
    return 0;
}

static int next_csv(struct eddy_source *source, struct eddy_event *ret,
                    struct eddy_err *err)
{
    struct eddy_event event = {.kind = EDDY_KIND_EVENT};
    struct eddy_err why = {0};
    double value = 0;
    int r = next_row(source, &why);
    if (r < 0) /* a broken row is a bad event, the reader goes on behind it */
        return eddy_fail(err, r == EDDY_EFORMAT ? EDDY_EBADEVENT : r, "%s", why.text);
    if (r == 0)
        return 0;
    event.user = field_of(source, COLUMN_USER);
    event.item = field_of(source, COLUMN_ITEM);
    event.type = field_of(source, COLUMN_TYPE);
    event.session = field_of(source, COLUMN_SESSION);
    event.id = field_of(source, COLUMN_EVENT_ID);
    event.recommendation_id = field_of(source, COLUMN_RECOMMENDATION);
    if (event.user.size == 0)
        return bad_field(source, COLUMN_USER, "is empty", err);
    if (event.item.size == 0)
        return bad_field(source, COLUMN_ITEM, "is empty", err);
    if (!parse_time(field_of(source, COLUMN_TIME), &event.ts_ms))
        return bad_field(source, COLUMN_TIME,
                         "is not a time; write Unix seconds or ISO-8601 with a zone",
                         err);
    if (field_of(source, COLUMN_VALUE).size > 0) {
        if (!eddy_number_parse(field_of(source, COLUMN_VALUE), &value))
            return bad_field(source, COLUMN_VALUE, "is not a number", err);
        event.has_value = true;
        event.value = (float)value;
    }
    r = split_impressions(source, &event, err);
    for (uint32_t c = 0; r == 0 && c < source->context_count; c++) {
        uint32_t field = source->context[c].field;
        if (field < source->csv.count && source->csv.fields[field].size > 0 &&
            eddy_context_fits(source->csv.fields[field]))
            r = eddy_event_add_context(&event, eddy_span_of(source->context[c].name),
                                       source->csv.fields[field], 0, source->arena,
                                       err);
    }
    if (r < 0)
        return r;
    *ret = event;
    return 1;
}

/* ---- JSON and msgpack ------------------------------------------------------------ */

static int next_json(struct eddy_source *source, struct eddy_event *ret,
                     struct eddy_err *err)
{
    struct eddy_err why = {0};
    size_t end = 0;
    for (;;) {
        int r = need_row(source, &end, err);
        if (r <= 0)
            return r;
        const char *line = source->data + source->at;
        size_t size = end - source->at;
        source->last = eddy_source_tell(source);
        source->at = end;
        source->line++;
        while (size > 0 && strchr(" \t\r\n", line[size - 1]))
            size--;
        if (size == 0)
            continue;
        r = eddy_json_event_decode(source->json, (struct eddy_span){line, size},
                                   source->arena, ret, &why);
        return r < 0 ? eddy_fail(err, r, "%s:%" PRIu64 ": %s", source->name,
                                 source->line - 1, why.text)
                     : 1;
    }
}

static int next_canonical(struct eddy_source *source, struct eddy_event *ret,
                          struct eddy_err *err)
{
    struct eddy_err why = {0};
    for (;;) {
        struct eddy_span rest = {source->data + source->at, source->size - source->at};
        struct eddy_mp mp = eddy_mp_of(rest);
        if (rest.size > 0 && eddy_mp_skip(&mp) == 0) {
            rest.size = (size_t)((const char *)mp.at - rest.data);
            source->last = eddy_source_tell(source);
            source->at += rest.size;
            source->line++;
            int r = eddy_event_decode(rest, source->arena, ret, &why);
            return r < 0 ? eddy_fail(err, r, "%s: record %" PRIu64 ": %s", source->name,
                                     source->line - 1, why.text)
                         : 1;
        }
        int r = source->fd >= 0 ? fill(source, err) : 0;
        if (r < 0 || (r == 0 && rest.size == 0))
            return r;
        if (r == 0)
            return eddy_fail(err, EDDY_EFORMAT,
                             "%s: record %" PRIu64 ", byte %zu: cut off or not msgpack",
                             source->name, source->line, source->at);
    }
}

/* ---- open, next, seek ------------------------------------------------------------ */

static enum eddy_source_format guess_format(const struct eddy_source *source)
{
    for (size_t i = 0; i < source->size; i++) {
        unsigned char c = (unsigned char)source->data[i];
        if (c == '{')
            return EDDY_SOURCE_JSONL;
        if ((c >= 0x80 && c <= 0x8f) || c == 0xde || c == 0xdf)
            return EDDY_SOURCE_CANONICAL;
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    return EDDY_SOURCE_CSV;
}

static int open_window(struct eddy_source *source, const char *path,
                       struct eddy_err *err)
{
    if (strcmp(path, "-") != 0) {
        int r = eddy_file_open(path, &source->file, err);
        source->data = source->file.bytes.data;
        source->size = source->file.bytes.size;
        source->ended = true;
        return r;
    }
    source->name = "standard input";
    source->fd = STDIN_FILENO;
    source->capacity = 2 * READ_SIZE;
    source->heap = malloc(source->capacity);
    if (!source->heap)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    source->data = source->heap;
    int r = fill(source, err);
    return r < 0 ? r : 0;
}

int eddy_source_open(const char *path, enum eddy_source_format format,
                     struct eddy_source **ret, struct eddy_err *err)
{
    struct eddy_source *source = calloc(1, sizeof *source);
    if (!source)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    source->name = path;
    source->fd = -1;
    source->line = 1;
    source->json = eddy_json_new();
    source->arena = eddy_arena_new(64 << 10, 64 << 20);
    int r = source->json && source->arena
                ? open_window(source, path, err)
                : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (r == 0) {
        source->format = format == EDDY_SOURCE_AUTO ? guess_format(source) : format;
        if (source->size >= 3 && memcmp(source->data, "\xef\xbb\xbf", 3) == 0)
            source->at = 3;
        eddy_csv_init(&source->csv, (struct eddy_span){NULL, 0}, source->name);
        if (source->format == EDDY_SOURCE_CSV)
            r = read_header(source, err);
    }
    if (r < 0) {
        eddy_source_close(source);
        return r;
    }
    *ret = source;
    return 0;
}

void eddy_source_close(struct eddy_source *source)
{
    if (!source)
        return;
    eddy_csv_fini(&source->csv);
    eddy_json_free(source->json);
    eddy_arena_free(source->arena);
    if (source->fd < 0)
        eddy_file_close(&source->file);
    for (uint32_t c = 0; c < source->context_count; c++)
        free(source->context[c].name);
    free(source->heap);
    free(source);
}

enum eddy_source_format eddy_source_format(const struct eddy_source *source)
{
    return source->format;
}

int eddy_source_next(struct eddy_source *source, struct eddy_event *ret,
                     struct eddy_err *err)
{
    struct eddy_event event = {0};
    int r = 0;
    eddy_arena_reset(source->arena);
    if (source->format == EDDY_SOURCE_CSV)
        r = next_csv(source, &event, err);
    else if (source->format == EDDY_SOURCE_JSONL)
        r = next_json(source, &event, err);
    else
        r = next_canonical(source, &event, err);
    if (r <= 0)
        return r;
    event.ts_ms += source->shift_ms;
    *ret = event;
    return 1;
}

uint64_t eddy_source_estimate(const struct eddy_source *source)
{
    uint64_t lines = 0;
    const char *at = source->data + source->at, *end = source->data + source->size;
    if (source->fd >= 0 || source->format == EDDY_SOURCE_CANONICAL)
        return 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        lines++;
        at = newline ? newline + 1 : end;
    }
    return lines;
}

void eddy_source_shift(struct eddy_source *source, int64_t shift_ms)
{
    source->shift_ms = shift_ms;
}

bool eddy_source_is_file(const struct eddy_source *source)
{
    return source->fd < 0;
}

struct eddy_source_mark eddy_source_tell(const struct eddy_source *source)
{
    return (struct eddy_source_mark){source->at, source->line};
}

struct eddy_source_mark eddy_source_last(const struct eddy_source *source)
{
    return source->last;
}

void eddy_source_seek(struct eddy_source *source, struct eddy_source_mark mark)
{
    EDDY_ASSERT(source->fd < 0 && mark.at <= source->size);
    source->at = mark.at;
    source->line = mark.line;
}
