/* CSV as interactions and as items: errors have a place, what is taken is in order. */
#include "core/interactions.h"
#include "core/text.h"
#include "fuzz.h"

static void read_rows(struct eddy_span bytes)
{
    struct eddy_csv csv;
    struct eddy_err err = {0};
    uint64_t line = 0;
    int code;
    eddy_csv_init(&csv, bytes, "f");
    while ((code = eddy_csv_next(&csv, &err)) != 0) {
        HOLDS(csv.line > line);
        line = csv.line;
        HOLDS(code == 1 || (code == EDDY_EFORMAT && strncmp(err.text, "f:", 2) == 0));
        for (uint32_t i = 0; i < csv.count; i++) {
            HOLDS(eddy_utf8_is_valid(csv.fields[i]));
        }
    }
    eddy_csv_fini(&csv);
}

static void check_order(const struct eddy_interactions *data)
{
    uint32_t users = eddy_catalog_count(data->users);
    HOLDS(data->user_begin[0] == 0 && data->user_begin[users] == data->count);
    for (uint64_t i = 0; i < data->count; i++) {
        const struct eddy_interaction *row = &data->rows[i];
        HOLDS(i >= data->user_begin[row->user] && i < data->user_begin[row->user + 1]);
        HOLDS(row->item < eddy_catalog_count(data->items));
        HOLDS(row->type < data->type_count);
        if (i > data->user_begin[row->user]) {
            const struct eddy_interaction *before = row - 1;
            HOLDS(before->ts_ms < row->ts_ms ||
                  (before->ts_ms == row->ts_ms && before->row < row->row));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct eddy_span text = {(const char *)bytes, size};
    struct eddy_interactions_options skip = {.skip_bad = true};
    struct eddy_interactions data;
    struct eddy_catalog *items;
    struct eddy_err err = {0};
    read_rows(text);
    bool strict = eddy_interactions_parse(text, "f", NULL, &data, &err) == 0;
    if (strict) {
        check_order(&data);
        eddy_interactions_fini(&data);
    }
    if (eddy_interactions_parse(text, "f", &skip, &data, &err) == 0) {
        check_order(&data);
        HOLDS(strict == (data.skipped == 0));
        eddy_interactions_fini(&data);
    } else {
        HOLDS(!strict);
    }
    if (eddy_items_parse(text, "f", true, &items, &err) == 0) {
        eddy_catalog_free(items);
    }
    return 0;
}
