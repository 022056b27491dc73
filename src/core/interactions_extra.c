/* Further columns of an interactions file: context (core/context.h) and IMPRESSION, the items
 * that were shown, "a|b|c".
 *
 * Cells are kept by row of the file, not by place after sorting, so that rows can be moved
 * without them. An item shown may be taken for the first time further down, so impressions
 * are hashes until the file has ended. With room on disk (core/spill.h) both arrays are
 * there; they grow by copying, which a disk does front to back. */
#include <stdlib.h>

#include "base/hash.h"
#include "core/event.h"
#include "core/interactions_parts.h"
#include "core/text.h"

enum { ROWS_FIRST = 1024, CELL_MAX = 1000 /* characters, as Amazon has it */ };

bool eddy_interactions_is_context(struct eddy_span name)
{
    if (name.size > EDDY_CONTEXT_NAME_MAX || memchr(name.data, 0, name.size))
        return false;
    static const char *const names[] = {"USER_ID",
                                        "ITEM_ID",
                                        "TIMESTAMP",
                                        "EVENT_TYPE",
                                        "EVENT_VALUE",
                                        "IMPRESSION",
                                        "RECOMMENDATION_ID",
                                        "SESSION_ID",
                                        "EVENT_ATTRIBUTION_SOURCE",
                                        "EVENT_ID",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (eddy_span_eq_nocase(name, eddy_span_of(names[i])))
            return false;
    return true;
}

static int out_of_memory(const struct eddy_csv *csv, struct eddy_err *err)
{
    return eddy_fail(err, EDDY_ENOMEM, "%s:%llu: no memory for the row", csv->name,
                     (unsigned long long)csv->line);
}

static int add_column(struct eddy_interactions *data, const struct eddy_csv *csv,
                      struct eddy_span name, struct eddy_err *err)
{
    uint32_t hash = eddy_context_column(name);
    for (uint32_t c = 0; c < data->context_count; c++)
        if (data->context[c].hash == hash)
            return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column %.*s is there twice",
                             csv->name, (unsigned long long)csv->line, (int)name.size,
                             name.data);
    struct eddy_context_column *column = &data->context[data->context_count++];
    column->hash = hash;
    column->name = eddy_span_dup(name);
    column->values = eddy_catalog_new();
    return column->name && column->values ? 0 : out_of_memory(csv, err);
}

int eddy_extra_begin(struct eddy_extra *extra, const struct eddy_csv *csv,
                     struct eddy_interactions *data, struct eddy_err *err)
{
    *extra = (struct eddy_extra){.impression_at = EDDY_ITEM_NONE};
    for (uint32_t i = 0; i < csv->count; i++) {
        struct eddy_span name = csv->fields[i];
        if (eddy_span_eq_nocase(name, eddy_span_of("IMPRESSION")))
            extra->impression_at = i;
        if (!eddy_interactions_is_context(name))
            continue;
        if (data->context_count == EDDY_CONTEXT_MAX) {
            data->context_left_out++;
            continue;
        }
        extra->at[data->context_count] = i;
        int code = add_column(data, csv, name, err);
        if (code < 0)
            return code;
    }
    return 0;
}

/* The next id of "a|b|c" and what is behind it; false at the end. */
static bool next_shown(struct eddy_span *rest, struct eddy_span *ret)
{
    if (rest->data == NULL || rest->size == 0)
        return false;
    const char *bar = memchr(rest->data, '|', rest->size);
    size_t size = bar ? (size_t)(bar - rest->data) : rest->size;
    *ret = (struct eddy_span){rest->data, size};
    *rest = bar ? (struct eddy_span){bar + 1, rest->size - size - 1}
                : (struct eddy_span){NULL, 0};
    return true;
}

static size_t characters(struct eddy_span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

/* What is wrong with a cell of IMPRESSION. */
static int check_shown(const struct eddy_csv *csv, struct eddy_span cell,
                       struct eddy_err *err)
{
    struct eddy_span rest = cell, id;
    const char *why = NULL;
    uint32_t count = 0;
    if (cell.size > CELL_MAX && characters(cell) > CELL_MAX)
        why = "is longer than 1000 characters";
    else if (cell.size > 0 && cell.data[cell.size - 1] == '|')
        why = "has an empty item id";
    while (why == NULL && next_shown(&rest, &id)) {
        if (id.size == 0)
            why = "has an empty item id";
        else if (id.size > EDDY_ID_MAX)
            why = "has an item id longer than 256 bytes";
        else if (++count > EDDY_IMPRESSION_MAX)
            why = "names more than 25 items";
    }
    if (why == NULL)
        return 0;
    return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column IMPRESSION: '%.*s' %s",
                     csv->name, (unsigned long long)csv->line,
                     cell.size > 40 ? 40 : (int)cell.size, cell.data, why);
}

int eddy_extra_check(const struct eddy_extra *extra, const struct eddy_csv *csv,
                     struct eddy_err *err)
{
    if (extra->impression_at == EDDY_ITEM_NONE)
        return 0;
    return check_shown(csv, csv->fields[extra->impression_at], err);
}

/* An array of `used` bytes in one of `bytes`. */
static int grow(const struct eddy_interactions *data, void **array, size_t used,
                size_t bytes, struct eddy_err *err)
{
    int code = 0;
    void *grown = eddy_spill_new(data->spill, bytes, &code, err);
    if (!grown)
        return code < 0 ? code : EDDY_ENOMEM;
    if (used > 0)
        memcpy(grown, *array, used);
    eddy_spill_free(*array);
    *array = grown;
    return 0;
}

/* Room for one more row. */
static int grow_rows(struct eddy_extra *extra, struct eddy_interactions *data,
                     uint64_t rows, struct eddy_err *err)
{
    uint64_t room = extra->rows_room ? extra->rows_room : ROWS_FIRST;
    size_t width = data->context_count * sizeof *data->cells;
    int code = 0;
    if (rows < extra->rows_room)
        return 0;
    while (room <= rows)
        room *= 2;
    if (width > 0)
        code =
            grow(data, (void **)&data->cells, extra->rows * width, room * width, err);
    if (code == 0 && extra->impression_at != EDDY_ITEM_NONE)
        code =
            grow(data, (void **)&data->shown_begin,
                 data->shown_begin ? (extra->rows + 1) * sizeof *data->shown_begin : 0,
                 (room + 1) * sizeof *data->shown_begin, err);
    if (code == 0)
        extra->rows_room = room;
    return code;
}

/* Rows up to `rows` have nothing. */
static void skip_rows(struct eddy_extra *extra, struct eddy_interactions *data,
                      uint64_t rows)
{
    uint64_t columns = data->context_count;
    if (columns > 0 && rows > extra->rows)
        memset(data->cells + extra->rows * columns, 0,
               (rows - extra->rows) * columns * sizeof *data->cells);
    for (; extra->rows < rows; extra->rows++)
        if (data->shown_begin)
            data->shown_begin[extra->rows + 1] = data->shown_begin[extra->rows];
}

static int take_shown(struct eddy_extra *extra, struct eddy_span cell,
                      struct eddy_interactions *data, struct eddy_err *err)
{
    uint64_t *count = &data->shown_begin[extra->rows + 1];
    struct eddy_span id;
    while (next_shown(&cell, &id)) {
        if (*count == extra->shown_room) {
            uint64_t room = *count > 0 ? 2 * *count : ROWS_FIRST;
            int code = grow(data, (void **)&data->shown, *count * sizeof *data->shown,
                            room * sizeof *data->shown, err);
            if (code < 0)
                return code;
            extra->shown_room = room;
        }
        data->shown[(*count)++] = eddy_hash64(id);
    }
    return 0;
}

static struct eddy_context_cell take_context(struct eddy_context_column *column,
                                             struct eddy_span text)
{
    if (text.size == 0 || !eddy_context_fits(text))
        return (struct eddy_context_cell){0, 0};
    struct eddy_context value = eddy_context_of(column->hash, text);
    if (eddy_catalog_count(column->values) < EDDY_CONTEXT_TEXTS)
        (void)eddy_catalog_add(column->values, text);
    return (struct eddy_context_cell){value.text, value.number};
}

int eddy_extra_take(struct eddy_extra *extra, const struct eddy_csv *csv, uint64_t row,
                    struct eddy_interactions *data, struct eddy_err *err)
{
    bool impressions = extra->impression_at != EDDY_ITEM_NONE;
    if (data->context_count == 0 && !impressions)
        return 0;
    bool first = extra->rows_room == 0;
    int code = grow_rows(extra, data, row, err);
    if (code < 0)
        return code;
    if (first && impressions)
        data->shown_begin[0] = 0;
    skip_rows(extra, data, row);
    for (uint32_t c = 0; c < data->context_count; c++)
        data->cells[row * data->context_count + c] =
            take_context(&data->context[c], csv->fields[extra->at[c]]);
    if (impressions) {
        data->shown_begin[row + 1] = data->shown_begin[row];
        code = take_shown(extra, csv->fields[extra->impression_at], data, err);
    }
    extra->rows = row + 1;
    return code;
}

int eddy_extra_end(struct eddy_extra *extra, uint64_t rows,
                   struct eddy_interactions *data, struct eddy_err *err)
{
    if (extra->rows_room == 0)
        return 0;
    int code = grow_rows(extra, data, rows, err);
    if (code < 0)
        return code;
    skip_rows(extra, data, rows);
    if (data->shown == NULL) { /* a column of empty cells is none */
        eddy_spill_free(data->shown_begin);
        data->shown_begin = NULL;
    }
    return 0;
}

void eddy_extra_free(struct eddy_interactions *data)
{
    for (uint32_t c = 0; c < data->context_count; c++) {
        free(data->context[c].name);
        eddy_catalog_free(data->context[c].values);
    }
    eddy_spill_free(data->cells);
    eddy_spill_free(data->shown_begin);
    eddy_spill_free(data->shown);
}

uint32_t eddy_interactions_context(const struct eddy_interactions *interactions,
                                   const struct eddy_interaction *row,
                                   struct eddy_context ret[EDDY_CONTEXT_MAX])
{
    uint32_t columns = interactions->context_count, count = 0;
    for (uint32_t c = 0; c < columns; c++) {
        struct eddy_context_cell cell =
            interactions->cells[(uint64_t)row->row * columns + c];
        if (cell.text != 0)
            ret[count++] = (struct eddy_context){interactions->context[c].hash,
                                                 cell.text, cell.number};
    }
    return count;
}
