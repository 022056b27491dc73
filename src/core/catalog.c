/* Ids and texts live in blocks that never move, so a span handed out stays good until the
 * catalogue is freed, whatever is added later. An id is found through its 64-bit hash,
 * which is also what state blobs remember; two ids of one hash would mix up two items, so
 * the second is refused (at a million items the chance is about 3e-8).
 *
 * Memory per item: id and texts, 16 bytes for the id's place, 8 for the hash, 16 per
 * column, and 12 to 24 in the map. */
#include "core/catalog.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "core/csv.h"
#include "core/event.h"
#include "core/text.h"

enum { BLOCK_SIZE = 64 * 1024 };

struct block {
    struct block *next;
    size_t used, size;
    char bytes[];
};

struct column {
    struct eddy_span name;
    struct eddy_span *texts; /* one per item of capacity; size 0: absent */
};

struct eddy_catalog {
    struct block *blocks; /* newest first */
    struct eddy_span *ids;
    uint64_t *hashes;
    uint32_t count, capacity;
    struct eddy_map map;
    struct column *columns;
    uint32_t column_count;
    uint32_t title; /* column, or EDDY_ITEM_NONE */
};

struct eddy_catalog *eddy_catalog_new(void)
{
    struct eddy_catalog *catalog = calloc(1, sizeof *catalog);
    if (!catalog) {
        return NULL;
    }
    catalog->title = EDDY_ITEM_NONE;
    if (eddy_map_init(&catalog->map, 64) != 0) {
        free(catalog);
        return NULL;
    }
    return catalog;
}

void eddy_catalog_free(struct eddy_catalog *catalog)
{
    if (!catalog) {
        return;
    }
    while (catalog->blocks) {
        struct block *next = catalog->blocks->next;
        free(catalog->blocks);
        catalog->blocks = next;
    }
    for (uint32_t i = 0; i < catalog->column_count; i++) {
        free(catalog->columns[i].texts);
    }
    free(catalog->columns);
    free(catalog->ids);
    free(catalog->hashes);
    eddy_map_fini(&catalog->map);
    free(catalog);
}

/* A copy of text in a block; data NULL when memory is out. */
static struct eddy_span keep(struct eddy_catalog *catalog, struct eddy_span text)
{
    struct block *block = catalog->blocks;
    if (!block || block->size - block->used < text.size) {
        size_t size = text.size > BLOCK_SIZE ? text.size : BLOCK_SIZE;
        block = malloc(sizeof *block + size);
        if (!block) {
            return (struct eddy_span){NULL, 0};
        }
        *block = (struct block){catalog->blocks, 0, size};
        catalog->blocks = block;
    }
    char *to = block->bytes + block->used;
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
    block->used += text.size;
    return (struct eddy_span){to, text.size};
}

/* realloc of an array of elements that leaves the old one alone on failure. */
static int grow_array(void *pointer, size_t count, size_t size)
{
    void *old, *grown;
    memcpy(&old, pointer, sizeof old);
    grown = count > SIZE_MAX / size ? NULL : realloc(old, count * size);
    if (!grown) {
        return EDDY_ENOMEM;
    }
    memcpy(pointer, &grown, sizeof grown);
    return 0;
}

static int grow(struct eddy_catalog *catalog)
{
    if (catalog->count < catalog->capacity) {
        return 0;
    }
    if (catalog->capacity > EDDY_ITEM_NONE / 2) {
        return EDDY_ENOMEM;
    }
    uint32_t more = catalog->capacity ? 2 * catalog->capacity : 64;
    if (grow_array(&catalog->ids, more, sizeof *catalog->ids) != 0 ||
        grow_array(&catalog->hashes, more, sizeof *catalog->hashes) != 0) {
        return EDDY_ENOMEM;
    }
    for (uint32_t i = 0; i < catalog->column_count; i++) {
        struct column *column = &catalog->columns[i];
        if (grow_array(&column->texts, more, sizeof *column->texts) != 0) {
            return EDDY_ENOMEM;
        }
        memset(column->texts + catalog->capacity, 0,
               (more - catalog->capacity) * sizeof *column->texts);
    }
    catalog->capacity = more;
    return 0;
}

uint32_t eddy_catalog_add(struct eddy_catalog *catalog, struct eddy_span id)
{
    if (id.size == 0) {
        return EDDY_ITEM_NONE;
    }
    uint64_t hash = eddy_hash64(id);
    uint32_t found = eddy_map_get(&catalog->map, hash);
    if (found != EDDY_MAP_NONE) {
        return eddy_span_eq(catalog->ids[found], id) ? found : EDDY_ITEM_NONE;
    }
    if (grow(catalog) != 0) {
        return EDDY_ITEM_NONE;
    }
    struct eddy_span kept = keep(catalog, id);
    if (!kept.data || eddy_map_put(&catalog->map, hash, catalog->count) != 0) {
        return EDDY_ITEM_NONE;
    }
    catalog->ids[catalog->count] = kept;
    catalog->hashes[catalog->count] = hash;
    return catalog->count++;
}

uint32_t eddy_catalog_find(const struct eddy_catalog *catalog, struct eddy_span id)
{
    if (id.size == 0) {
        return EDDY_ITEM_NONE;
    }
    uint32_t found = eddy_map_get(&catalog->map, eddy_hash64(id));
    return found != EDDY_MAP_NONE && eddy_span_eq(catalog->ids[found], id)
               ? found
               : EDDY_ITEM_NONE;
}

uint32_t eddy_catalog_find_hash(const struct eddy_catalog *catalog, uint64_t item_hash)
{
    uint32_t found = eddy_map_get(&catalog->map, item_hash);
    return found == EDDY_MAP_NONE ? EDDY_ITEM_NONE : found;
}

uint32_t eddy_catalog_count(const struct eddy_catalog *catalog)
{
    return catalog->count;
}

struct eddy_span eddy_catalog_id(const struct eddy_catalog *catalog, uint32_t item)
{
    return item < catalog->count ? catalog->ids[item] : (struct eddy_span){"", 0};
}

uint64_t eddy_catalog_hash(const struct eddy_catalog *catalog, uint32_t item)
{
    return item < catalog->count ? catalog->hashes[item] : 0;
}

/* The better column for titles: TITLE before NAME, the first of each. */
static void choose_title(struct eddy_catalog *catalog)
{
    static const char *const names[] = {"TITLE", "NAME"};
    for (size_t n = 0; n < 2; n++) {
        for (uint32_t i = 0; i < catalog->column_count; i++) {
            if (eddy_span_eq_nocase(catalog->columns[i].name, eddy_span_of(names[n]))) {
                catalog->title = i;
                return;
            }
        }
    }
}

uint32_t eddy_catalog_add_column(struct eddy_catalog *catalog, struct eddy_span name)
{
    for (uint32_t i = 0; i < catalog->column_count; i++) {
        if (eddy_span_eq(catalog->columns[i].name, name)) {
            return i;
        }
    }
    struct column column = {.name = keep(catalog, name)};
    if (!column.name.data || grow_array(&catalog->columns, catalog->column_count + 1,
                                        sizeof *catalog->columns) != 0) {
        return EDDY_ITEM_NONE;
    }
    if (catalog->capacity > 0) {
        column.texts = calloc(catalog->capacity, sizeof *column.texts);
        if (!column.texts) {
            return EDDY_ITEM_NONE;
        }
    }
    catalog->columns[catalog->column_count] = column;
    catalog->column_count++;
    choose_title(catalog);
    return catalog->column_count - 1;
}

uint32_t eddy_catalog_column_count(const struct eddy_catalog *catalog)
{
    return catalog->column_count;
}

struct eddy_span eddy_catalog_column_name(const struct eddy_catalog *catalog,
                                          uint32_t column)
{
    return column < catalog->column_count ? catalog->columns[column].name
                                          : (struct eddy_span){"", 0};
}

int eddy_catalog_set(struct eddy_catalog *catalog, uint32_t item, uint32_t column,
                     struct eddy_span text)
{
    EDDY_ASSERT(item < catalog->count && column < catalog->column_count);
    struct eddy_span kept = {"", 0};
    if (text.size > 0) {
        kept = keep(catalog, text);
        if (!kept.data) {
            return EDDY_ENOMEM;
        }
    }
    catalog->columns[column].texts[item] = kept;
    return 0;
}

struct eddy_span eddy_catalog_get(const struct eddy_catalog *catalog, uint32_t item,
                                  uint32_t column)
{
    if (item >= catalog->count || column >= catalog->column_count ||
        catalog->columns[column].texts[item].size == 0) {
        return (struct eddy_span){"", 0};
    }
    return catalog->columns[column].texts[item];
}

struct eddy_span eddy_catalog_title(const struct eddy_catalog *catalog, uint32_t item)
{
    struct eddy_span title = eddy_catalog_get(catalog, item, catalog->title);
    return title.size > 0 ? title : eddy_catalog_id(catalog, item);
}

static void put_field(struct eddy_buf *out, struct eddy_span text, bool first)
{
    if (!first) {
        eddy_buf_putc(out, ',');
    }
    if (text.size == 0 && first) {
        eddy_buf_puts(out, "\"\""); /* or the row might be an empty line */
    } else {
        eddy_csv_put(out, text);
    }
}

void eddy_catalog_encode(const struct eddy_catalog *catalog, struct eddy_buf *out)
{
    put_field(out, eddy_span_of("ITEM_ID"), true);
    for (uint32_t i = 0; i < catalog->column_count; i++) {
        put_field(out, catalog->columns[i].name, false);
    }
    eddy_buf_putc(out, '\n');
    for (uint32_t item = 0; item < catalog->count; item++) {
        put_field(out, catalog->ids[item], true);
        for (uint32_t i = 0; i < catalog->column_count; i++) {
            put_field(out, eddy_catalog_get(catalog, item, i), false);
        }
        eddy_buf_putc(out, '\n');
    }
}

/* The id column of a header row, every other one added to the catalogue. */
static int read_header(struct eddy_catalog *catalog, const struct eddy_csv *csv,
                       const char *id_column, uint32_t *ret_id, struct eddy_err *err)
{
    uint32_t id = EDDY_ITEM_NONE;
    for (uint32_t i = 0; i < csv->count; i++) {
        struct eddy_span name = csv->fields[i];
        if (eddy_span_eq_nocase(name, eddy_span_of(id_column))) {
            if (id != EDDY_ITEM_NONE) {
                return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column %s is there twice",
                                 csv->name, (unsigned long long)csv->line, id_column);
            }
            id = i;
            continue;
        }
        uint32_t before = catalog->column_count;
        uint32_t column = eddy_catalog_add_column(catalog, name);
        if (column == EDDY_ITEM_NONE) {
            return eddy_fail(err, EDDY_ENOMEM, "%s: no memory", csv->name);
        }
        if (column != before) {
            return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column %.*s is there twice",
                             csv->name, (unsigned long long)csv->line, (int)name.size,
                             name.data);
        }
    }
    if (id == EDDY_ITEM_NONE) {
        return eddy_fail(err, EDDY_EFORMAT,
                         "%s:%llu: Input CSV is missing the following columns:[%s]",
                         csv->name, (unsigned long long)csv->line, id_column);
    }
    *ret_id = id;
    return 0;
}

static int read_row(struct eddy_catalog *catalog, const struct eddy_csv *csv,
                    const char *id_name, uint32_t id_column, struct eddy_err *err)
{
    unsigned long long line = csv->line;
    if (csv->count != catalog->column_count + 1) {
        return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: %u fields, the header has %u",
                         csv->name, line, csv->count, catalog->column_count + 1);
    }
    struct eddy_span id = csv->fields[id_column];
    if (id.size == 0 || id.size > EDDY_ID_MAX) {
        return eddy_fail(err, EDDY_EFORMAT,
                         "%s:%llu: column %s: %zu bytes, 1 to %d are allowed",
                         csv->name, line, id_name, id.size, EDDY_ID_MAX);
    }
    uint32_t item = catalog->count;
    uint32_t added = eddy_catalog_add(catalog, id);
    if (added == EDDY_ITEM_NONE) {
        return eddy_fail(err, EDDY_ENOMEM,
                         "%s:%llu: column %s: '%.*s' cannot be added (no memory)",
                         csv->name, line, id_name, (int)id.size, id.data);
    }
    if (added != item) {
        return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column %s: '%.*s' is there twice",
                         csv->name, line, id_name, id.size > 40 ? 40 : (int)id.size,
                         id.data);
    }
    uint32_t column = 0;
    for (uint32_t i = 0; i < csv->count; i++) {
        if (i == id_column) {
            continue;
        }
        if (eddy_catalog_set(catalog, item, column, csv->fields[i]) != 0) {
            return eddy_fail(err, EDDY_ENOMEM, "%s:%llu: no memory", csv->name, line);
        }
        column++;
    }
    return 0;
}

static int parse_rows(struct eddy_catalog *catalog, struct eddy_csv *csv,
                      const char *id_name, uint64_t *ret_skipped, struct eddy_err *err)
{
    uint32_t id_column = 0;
    int code = eddy_csv_next(csv, err);
    if (code == 0) {
        return eddy_fail(err, EDDY_EFORMAT, "%s: empty, a header with %s is needed",
                         csv->name, id_name);
    }
    if (code < 0 || (code = read_header(catalog, csv, id_name, &id_column, err)) < 0) {
        return code;
    }
    uint64_t skipped = 0;
    while ((code = eddy_csv_next(csv, err)) != 0) {
        if (code > 0) {
            code = read_row(catalog, csv, id_name, id_column, err);
        }
        if (code < 0 && (code != EDDY_EFORMAT || !ret_skipped)) {
            return code;
        }
        skipped += code < 0;
    }
    if (ret_skipped) {
        *ret_skipped = skipped;
    }
    return 0;
}

int eddy_catalog_parse(struct eddy_span bytes, const char *name, const char *id_column,
                       uint64_t *ret_skipped, struct eddy_catalog **ret,
                       struct eddy_err *err)
{
    struct eddy_catalog *catalog = eddy_catalog_new();
    struct eddy_csv csv;
    if (!catalog) {
        return eddy_fail(err, EDDY_ENOMEM, "%s: no memory", name);
    }
    eddy_csv_init(&csv, bytes, name);
    int code = parse_rows(catalog, &csv, id_column, ret_skipped, err);
    eddy_csv_fini(&csv);
    if (code < 0) {
        eddy_catalog_free(catalog);
        return code;
    }
    *ret = catalog;
    return 0;
}

int eddy_catalog_decode(struct eddy_span csv, struct eddy_catalog **ret,
                        struct eddy_err *err)
{
    return eddy_catalog_parse(csv, "catalog.csv", "ITEM_ID", NULL, ret, err);
}
