/* Interactions from CSV. Rows are read in file order, users and items get indices in order
 * of first appearance, and the rows are then brought into the order (user, time, row) by a
 * counting sort over users and a sort inside each user (files are nearly always sorted by
 * time already, which is seen in one pass). Memory: 32 bytes per row, twice while sorting.
 *
 * The unit of TIMESTAMP follows from its size: the years 1990..2100 in s, ms and us are
 * three ranges that do not overlap. Values below 1e8 are positions (0, 1, 2: data sets
 * without times); a file has either times or positions, a mixture is an error. */
#include "core/interactions.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "core/event.h"
#include "core/interactions_parts.h"
#include "core/text.h"

enum { POSITION_MAX = 100000000 };

enum column { USER, ITEM, TIME, TYPE, VALUE, COLUMNS };
static const char *const column_names[COLUMNS] = {"USER_ID", "ITEM_ID", "TIMESTAMP",
                                                  "EVENT_TYPE", "EVENT_VALUE"};

enum clock { CLOCK_UNKNOWN, CLOCK_TIME, CLOCK_POSITION };

struct reader {
    struct eddy_csv csv;
    uint32_t at[COLUMNS]; /* field of a column, EDDY_ITEM_NONE: absent */
    uint32_t field_count;
    enum clock clock; /* decided by the first good row */
    uint64_t capacity, row;
    struct eddy_interactions *data;
    struct eddy_extra extra;
    struct eddy_err *err;
};

#define BAD(reader, column, ...) bad_field((reader), column_names[column], __VA_ARGS__)

/* "NAME:LINE: column C: 'VALUE' WHY". The value is cut at 40 bytes. */
static int bad_field(struct reader *reader, const char *column, struct eddy_span value,
                     const char *why)
{
    return eddy_fail(reader->err, EDDY_EFORMAT, "%s:%llu: column %s: '%.*s' %s",
                     reader->csv.name, (unsigned long long)reader->csv.line, column,
                     value.size > 40 ? 40 : (int)value.size, value.data, why);
}

static int out_of_memory(struct reader *reader)
{
    return eddy_fail(reader->err, EDDY_ENOMEM, "%s:%llu: no memory for the row",
                     reader->csv.name, (unsigned long long)reader->csv.line);
}

static int read_header(struct reader *reader)
{
    struct eddy_csv *csv = &reader->csv;
    for (int c = 0; c < COLUMNS; c++) {
        reader->at[c] = EDDY_ITEM_NONE;
        for (uint32_t i = 0; i < csv->count; i++) {
            if (!eddy_span_eq_nocase(csv->fields[i], eddy_span_of(column_names[c]))) {
                continue;
            }
            if (reader->at[c] != EDDY_ITEM_NONE) {
                return eddy_fail(reader->err, EDDY_EFORMAT,
                                 "%s:%llu: column %s is there twice", csv->name,
                                 (unsigned long long)csv->line, column_names[c]);
            }
            reader->at[c] = i;
        }
    }
    char missing[64] = "";
    for (int c = 0; c <= TIME; c++) {
        if (reader->at[c] == EDDY_ITEM_NONE) {
            size_t used = strlen(missing);
            (void)snprintf(missing + used, sizeof missing - used, "%s%s",
                           used > 0 ? ", " : "", column_names[c]);
        }
    }
    if (missing[0]) {
        return eddy_fail(reader->err, EDDY_EFORMAT,
                         "%s:%llu: Input CSV is missing the following columns:[%s]",
                         csv->name, (unsigned long long)csv->line, missing);
    }
    reader->field_count = csv->count;
    return eddy_extra_begin(&reader->extra, csv, reader->data, reader->err);
}

static int read_time(struct reader *reader, int64_t *ret_ms)
{
    struct eddy_span text = reader->csv.fields[reader->at[TIME]];
    double number;
    enum clock clock = CLOCK_TIME;
    if (eddy_number_parse(text, &number)) {
        if (number >= 0 && number < POSITION_MAX) {
            clock = CLOCK_POSITION;
            *ret_ms = (int64_t)floor(number * 1e3 + 0.5);
        } else if (!eddy_time_from_number(number, ret_ms)) {
            return BAD(reader, TIME, text,
                       "is no time of the years 1990 to 2099 in s, ms or us");
        }
    } else if (!eddy_time_parse_iso(text, ret_ms)) {
        return BAD(reader, TIME, text,
                   "is neither a Unix time nor ISO-8601 with a zone");
    } else if (*ret_ms < EDDY_TIME_MIN_S * 1000 || *ret_ms >= EDDY_TIME_MAX_S * 1000) {
        return BAD(reader, TIME, text, "is outside the years 1990 to 2099");
    }
    if (reader->clock != CLOCK_UNKNOWN && reader->clock != clock) {
        return BAD(reader, TIME, text,
                   clock == CLOCK_TIME
                       ? "is a time, but the rows before have positions below 1e8"
                       : "is too small for a time, and the rows before have times");
    }
    reader->clock = clock;
    return 0;
}

static int read_type(struct reader *reader, uint16_t *ret)
{
    *ret = 0;
    if (reader->at[TYPE] == EDDY_ITEM_NONE) {
        return 0; /* no types at all: as good as unknown */
    }
    struct eddy_span text = reader->csv.fields[reader->at[TYPE]];
    if (text.size == 0) {
        text = eddy_span_of("click"); /* the default of core/event.h */
    }
    if (text.size > EDDY_TYPE_MAX) {
        return BAD(reader, TYPE, text, "is longer than 64 bytes");
    }
    struct eddy_interactions *data = reader->data;
    for (uint32_t i = 1; i < data->type_count; i++) {
        if (eddy_span_eq(text, eddy_span_of(data->types[i]))) {
            *ret = (uint16_t)i;
            return 0;
        }
    }
    if (data->type_count == sizeof data->types / sizeof *data->types) {
        return BAD(reader, TYPE, text, "is the 256th event type, 255 are allowed");
    }
    if (memchr(text.data, 0, text.size)) {
        return BAD(reader, TYPE, text, "holds a NUL byte");
    }
    char *copy = malloc(text.size + 1);
    if (!copy) {
        return out_of_memory(reader);
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    data->types[data->type_count] = copy;
    *ret = (uint16_t)data->type_count++;
    return 0;
}

static int read_value(struct reader *reader, struct eddy_interaction *row)
{
    if (reader->at[VALUE] == EDDY_ITEM_NONE) {
        return 0;
    }
    struct eddy_span text = reader->csv.fields[reader->at[VALUE]];
    double number;
    if (text.size == 0) {
        return 0;
    }
    if (!eddy_number_parse(text, &number) || !isfinite((float)number)) {
        return BAD(reader, VALUE, text, "is not a finite number");
    }
    row->has_value = true;
    row->value = (float)number;
    return 0;
}

static int read_id(struct reader *reader, enum column column,
                   struct eddy_catalog *catalog, uint32_t *ret)
{
    struct eddy_span id = reader->csv.fields[reader->at[column]];
    if (id.size == 0) {
        return BAD(reader, column, id, "is empty");
    }
    if (id.size > EDDY_ID_MAX) {
        return BAD(reader, column, id, "is longer than 256 bytes");
    }
    *ret = eddy_catalog_add(catalog, id);
    return *ret == EDDY_ITEM_NONE ? out_of_memory(reader) : 0;
}

/* All fields are checked before an id is added: a bad row leaves no trace. */
static int read_row(struct reader *reader, struct eddy_interaction *row)
{
    struct eddy_interactions *data = reader->data;
    if (reader->csv.count != reader->field_count) {
        return eddy_fail(reader->err, EDDY_EFORMAT,
                         "%s:%llu: %u fields, the header has %u", reader->csv.name,
                         (unsigned long long)reader->csv.line, reader->csv.count,
                         reader->field_count);
    }
    for (int c = USER; c <= ITEM; c++) {
        struct eddy_span id = reader->csv.fields[reader->at[c]];
        if (id.size == 0 || id.size > EDDY_ID_MAX) {
            return BAD(reader, c, id,
                       id.size ? "is longer than 256 bytes" : "is empty");
        }
    }
    int code = read_value(reader, row);
    if (code == 0) {
        code = eddy_extra_check(&reader->extra, &reader->csv, reader->err);
    }
    if (code == 0) {
        code = read_time(reader, &row->ts_ms);
    }
    if (code == 0) {
        code = read_type(reader, &row->type);
    }
    if (code == 0) {
        code = read_id(reader, USER, data->users, &row->user);
    }
    if (code == 0) {
        code = read_id(reader, ITEM, data->items, &row->item);
    }
    if (code == 0) {
        code =
            eddy_extra_take(&reader->extra, &reader->csv, row->row, data, reader->err);
    }
    return code;
}

static int append(struct reader *reader, const struct eddy_interaction *row)
{
    struct eddy_interactions *data = reader->data;
    EDDY_ASSERT(data->spill == NULL || data->count < reader->capacity);
    if (data->count == reader->capacity) {
        uint64_t more = reader->capacity ? 2 * reader->capacity : 1024;
        void *grown = realloc(data->rows, more * sizeof *data->rows);
        if (!grown) {
            return out_of_memory(reader);
        }
        data->rows = grown;
        reader->capacity = more;
    }
    data->rows[data->count++] = *row;
    return 0;
}

static int read_rows(struct reader *reader, bool skip_bad)
{
    int code = eddy_csv_next(&reader->csv, reader->err);
    if (code == 0) {
        return eddy_fail(reader->err, EDDY_EFORMAT,
                         "%s: empty, a header with USER_ID,ITEM_ID,TIMESTAMP is needed",
                         reader->csv.name);
    }
    if (code < 0 || (code = read_header(reader)) < 0) {
        return code;
    }
    while ((code = eddy_csv_next(&reader->csv, reader->err)) != 0) {
        struct eddy_interaction row = {.row = (uint32_t)reader->row};
        if (reader->row++ == UINT32_MAX) {
            return eddy_fail(reader->err, EDDY_EFORMAT, "%s: more than 2^32 rows",
                             reader->csv.name);
        }
        if (code > 0) {
            code = read_row(reader, &row);
        }
        if (code == 0) {
            code = append(reader, &row);
        }
        if (code < 0 && (code != EDDY_EFORMAT || !skip_bad)) {
            return code;
        }
        reader->data->skipped += code < 0;
    }
    return eddy_extra_end(&reader->extra, reader->row, reader->data, reader->err);
}

static int by_time(const void *a, const void *b)
{
    const struct eddy_interaction *x = a, *y = b;
    if (x->ts_ms != y->ts_ms) {
        return x->ts_ms < y->ts_ms ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Where users begin, from sorted rows. */
static void find_users(const struct eddy_interactions *data, uint64_t *begin)
{
    uint32_t users = eddy_catalog_count(data->users), next = 0;
    for (uint64_t i = 0; i < data->count; i++) {
        while (next <= data->rows[i].user) {
            begin[next++] = i;
        }
    }
    while (next <= users) {
        begin[next++] = data->count;
    }
}

static int by_user(const void *a, const void *b)
{
    const struct eddy_interaction *x = a, *y = b;
    if (x->user != y->user) {
        return x->user < y->user ? -1 : 1;
    }
    return by_time(a, b);
}

/* sort_rows for rows on disk. */
static int sort_spilled(struct reader *reader)
{
    struct eddy_interactions *data = reader->data;
    int code = 0;
    data->rows = eddy_spill_sort(data->rows, data->count, sizeof *data->rows, 0,
                                 by_user, &code, reader->err);
    data->count = data->rows ? data->count : 0;
    data->user_begin =
        calloc((size_t)eddy_catalog_count(data->users) + 1, sizeof *data->user_begin);
    if (!data->rows || !data->user_begin) {
        return code < 0 ? code : out_of_memory(reader);
    }
    find_users(data, data->user_begin);
    return 0;
}

/* Room on disk for as many rows as there are lines. */
static int make_room(struct reader *reader, struct eddy_span csv)
{
    struct eddy_interactions *data = reader->data;
    const char *at = csv.data, *end = csv.data + csv.size;
    int code = 0;
    reader->capacity = 1;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        at++;
        reader->capacity++;
    }
    data->rows = eddy_spill_new(data->spill, reader->capacity * sizeof *data->rows,
                                &code, reader->err);
    return code;
}

static int sort_rows(struct reader *reader)
{
    struct eddy_interactions *data = reader->data;
    if (data->spill) {
        return sort_spilled(reader);
    }
    uint32_t users = eddy_catalog_count(data->users);
    uint64_t *begin = calloc((size_t)users + 1, sizeof *begin);
    struct eddy_interaction *sorted = malloc((data->count + 1) * sizeof *sorted);
    if (!begin || !sorted) {
        free(begin);
        free(sorted);
        return out_of_memory(reader);
    }
    for (uint64_t i = 0; i < data->count; i++) {
        begin[data->rows[i].user]++;
    }
    uint64_t sum = 0;
    for (uint32_t u = 0; u <= users; u++) { /* counts become ends */
        sum += begin[u];
        begin[u] = sum;
    }
    for (uint64_t i = data->count; i-- > 0;) { /* ends become begins */
        sorted[--begin[data->rows[i].user]] = data->rows[i];
    }
    for (uint32_t u = 0; u < users; u++) {
        uint64_t at = begin[u] + 1;
        while (at < begin[u + 1] && sorted[at - 1].ts_ms <= sorted[at].ts_ms) {
            at++;
        }
        if (at < begin[u + 1]) {
            qsort(sorted + begin[u], begin[u + 1] - begin[u], sizeof *sorted, by_time);
        }
    }
    free(data->rows);
    data->rows = sorted;
    data->user_begin = begin;
    return 0;
}

/* Among equal times; more are not compared (files without times: all may be equal). */
enum { REPEAT_WINDOW = 32 };

static bool is_repeat(const struct eddy_interaction *a,
                      const struct eddy_interaction *b)
{
    return a->item == b->item && a->type == b->type && a->has_value == b->has_value &&
           (!a->has_value || memcmp(&a->value, &b->value, sizeof a->value) == 0);
}

/* Sorted rows: which are there twice, and which stood behind a newer one? */
static void inspect_rows(struct eddy_interactions *data)
{
    for (uint64_t i = 1; i < data->count; i++) {
        const struct eddy_interaction *row = &data->rows[i];
        if (row[-1].user == row->user && row[-1].row > row->row &&
            (data->unsorted++ == 0 || row[-1].row < data->unsorted_row))
            data->unsorted_row = row[-1].row;
        for (uint64_t j = 1; j <= i && j <= REPEAT_WINDOW; j++) {
            const struct eddy_interaction *other = row - j;
            if (other->user != row->user || other->ts_ms != row->ts_ms)
                break;
            if (!is_repeat(other, row))
                continue;
            if (data->repeats++ == 0 || row->row < data->repeat_row)
                data->repeat_row = row->row;
            break;
        }
    }
}

/* Rows keep no line, which would be 8 bytes each for a message: the file is read again up to
 * the rows that there is something to say of. 0 or EDDY_ENOMEM. */
static int find_lines(struct eddy_span csv, struct eddy_interactions *data)
{
    uint64_t *lines[2] = {&data->repeat_line, &data->unsorted_line};
    uint32_t rows[2] = {data->repeat_row, data->unsorted_row};
    uint32_t wanted = (data->repeats > 0) + (data->unsorted > 0), found = 0;
    struct eddy_csv again;
    int code = 1;

    eddy_csv_init(&again, csv, "");
    for (int64_t row = -1; found < wanted && code != 0; row++) { /* -1: the header */
        code = eddy_csv_next(&again, NULL);
        if (code == EDDY_ENOMEM)
            break;
        for (int i = 0; i < 2; i++)
            if (row == rows[i] && (i == 0 ? data->repeats : data->unsorted) > 0) {
                *lines[i] = again.line;
                found++;
            }
    }
    eddy_csv_fini(&again);
    return code == EDDY_ENOMEM ? code : 0;
}

static int copy_items(struct eddy_catalog *to, const struct eddy_catalog *from)
{
    for (uint32_t i = 0; from && i < eddy_catalog_count(from); i++) {
        if (eddy_catalog_add(to, eddy_catalog_id(from, i)) != i) {
            return EDDY_ENOMEM;
        }
    }
    return 0;
}

static void hash_bytes(struct eddy_span bytes, char ret[65])
{
    struct eddy_sha256 sha;
    unsigned char digest[32];
    eddy_sha256_init(&sha);
    eddy_sha256_update(&sha, bytes.data, bytes.size);
    eddy_sha256_final(&sha, digest);
    eddy_hex(digest, sizeof digest, ret);
}

int eddy_interactions_parse(struct eddy_span csv, const char *name,
                            const struct eddy_interactions_options *options,
                            struct eddy_interactions *ret, struct eddy_err *err)
{
    static const struct eddy_interactions_options defaults;
    struct eddy_interactions data = {.spill = options ? options->spill : NULL};
    struct reader reader = {.data = &data, .err = err};
    options = options ? options : &defaults;
    eddy_csv_init(&reader.csv, csv, name);
    data.users = eddy_catalog_new();
    data.items = eddy_catalog_new();
    data.types[0] = strdup("");
    data.type_count = 1;
    int code = 0;
    if (!data.users || !data.items || !data.types[0] ||
        copy_items(data.items, options->items) != 0) {
        code = out_of_memory(&reader);
    }
    if (code == 0 && data.spill) {
        code = make_room(&reader, csv);
    }
    if (code == 0) {
        code = read_rows(&reader, options->skip_bad);
    }
    if (code == 0) {
        code = sort_rows(&reader);
    }
    if (code == 0) {
        inspect_rows(&data);
        code = find_lines(csv, &data) < 0 ? out_of_memory(&reader) : 0;
    }
    eddy_csv_fini(&reader.csv);
    if (code < 0) {
        eddy_interactions_fini(&data);
        return code;
    }
    if (!options->no_hash)
        hash_bytes(csv, data.sha256);
    *ret = data;
    return 0;
}

void eddy_interactions_fini(struct eddy_interactions *interactions)
{
    if (interactions->spill) {
        eddy_spill_free(interactions->rows);
    } else {
        free(interactions->rows);
    }
    eddy_extra_free(interactions);
    free(interactions->user_begin);
    eddy_catalog_free(interactions->users);
    eddy_catalog_free(interactions->items);
    for (uint32_t i = 0; i < interactions->type_count; i++) {
        free(interactions->types[i]);
    }
    memset(interactions, 0, sizeof *interactions);
}

int eddy_items_parse(struct eddy_span csv, const char *name, bool skip_bad,
                     struct eddy_catalog **ret, struct eddy_err *err)
{
    uint64_t skipped;
    return eddy_catalog_parse(csv, name, "ITEM_ID", skip_bad ? &skipped : NULL, ret,
                              err);
}

int eddy_users_parse(struct eddy_span csv, const char *name, bool skip_bad,
                     struct eddy_catalog **ret, struct eddy_err *err)
{
    uint64_t skipped;
    return eddy_catalog_parse(csv, name, "USER_ID", skip_bad ? &skipped : NULL, ret,
                              err);
}
