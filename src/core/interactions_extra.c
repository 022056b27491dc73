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

enum { ROWS_FIRST = 1024 };

static bool is_other(struct eddy_span name)
{
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
            return true;
    return false;
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
    if (name.size > EDDY_CONTEXT_NAME_MAX || memchr(name.data, 0, name.size))
        return eddy_fail(err, EDDY_EFORMAT,
                         "%s:%llu: the name of a context column is longer than %d "
                         "bytes or holds a NUL byte",
                         csv->name, (unsigned long long)csv->line,
                         EDDY_CONTEXT_NAME_MAX);
    struct eddy_context_column *column = &data->context[data->context_count++];
    column->hash = hash;
    column->name = strndup(name.data, name.size);
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
        if (is_other(name))
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

/* The next id of "a|b|c", empty ones left out; false at the end. */
static bool next_shown(struct eddy_span *rest, struct eddy_span *ret)
{
    while (rest->size > 0) {
        const char *bar = memchr(rest->data, '|', rest->size);
        size_t size = bar ? (size_t)(bar - rest->data) : rest->size;
        *ret = (struct eddy_span){rest->data, size};
        size_t step = size + (bar != NULL);
        *rest = (struct eddy_span){rest->data + step, rest->size - step};
        if (size > 0)
            return true;
    }
    return false;
}

int eddy_extra_check(const struct eddy_extra *extra, const struct eddy_csv *csv,
                     const struct eddy_interactions *data, struct eddy_err *err)
{
    for (uint32_t c = 0; c < data->context_count; c++)
        if (csv->fields[extra->at[c]].size > (size_t)EDDY_CONTEXT_TEXT_MAX * 4)
            return eddy_fail(err, EDDY_EFORMAT,
                             "%s:%llu: column %s: longer than %d characters", csv->name,
                             (unsigned long long)csv->line, data->context[c].name,
                             EDDY_CONTEXT_TEXT_MAX);
    if (extra->impression_at == EDDY_ITEM_NONE)
        return 0;
    struct eddy_span rest = csv->fields[extra->impression_at], id;
    while (next_shown(&rest, &id))
        if (id.size > EDDY_ID_MAX)
            return eddy_fail(err, EDDY_EFORMAT,
                             "%s:%llu: column IMPRESSION: '%.40s...' is longer than "
                             "%d bytes",
                             csv->name, (unsigned long long)csv->line, id.data,
                             EDDY_ID_MAX);
    return 0;
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
            int code =
                grow(data, (void **)&extra->hashes, *count * sizeof *extra->hashes,
                     room * sizeof *extra->hashes, err);
            if (code < 0)
                return code;
            extra->shown_room = room;
        }
        extra->hashes[(*count)++] = eddy_hash64(id);
    }
    return 0;
}

static struct eddy_context_cell take_context(struct eddy_context_column *column,
                                             struct eddy_span text)
{
    if (text.size == 0)
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
    if (!data->shown_begin)
        return 0;
    uint64_t total = data->shown_begin[rows], kept = 0, at = 0;
    data->shown =
        eddy_spill_new(data->spill, (total + 1) * sizeof *data->shown, &code, err);
    if (!data->shown)
        return code < 0 ? code : EDDY_ENOMEM;
    for (uint64_t row = 0; row < rows; row++) {
        for (; at < data->shown_begin[row + 1]; at++) {
            uint32_t item = eddy_catalog_find_hash(data->items, extra->hashes[at]);
            if (item != EDDY_ITEM_NONE)
                data->shown[kept++] = item;
        }
        data->shown_begin[row + 1] = kept;
    }
    return 0;
}

void eddy_extra_fini(struct eddy_extra *extra)
{
    eddy_spill_free(extra->hashes);
    extra->hashes = NULL;
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
