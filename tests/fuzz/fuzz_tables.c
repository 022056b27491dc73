/* What a snapshot keeps beside the network: head and tables, the stream head, vocabularies.
 * The first byte chooses. What is taken is used as serving uses it, written and taken again. */
#include <stdlib.h>

#include "core/context_index.h"
#include "core/features.h"
#include "core/head_store.h"
#include "fuzz.h"

enum { ITEMS_MAX = 64, ROOM = 64, HIDDEN = 2 };

/* Every entry of every row is looked at, as scores are made from them. */
static void walk(const struct eddy_table *table, uint32_t items)
{
    for (uint32_t row = 0; table->items > 0 && row < items; row++)
        for (uint64_t e = table->begin[row]; e < table->begin[row + 1]; e++)
            HOLDS(table->index[e] < items && table->weight[e] > 0);
}

static void vote(const struct eddy_tables *tables, const struct eddy_head *head)
{
    const uint32_t recent[] = {0, tables->items / 2, tables->items - 1, tables->items};
    uint32_t items[ROOM];
    float weights[ROOM];
    struct eddy_neighbours_scratch *scratch =
        eddy_neighbours_scratch_new(&tables->sessions);
    HOLDS(scratch != NULL);
    uint32_t count = eddy_neighbours_vote(&tables->sessions, &head->neighbours, scratch,
                                          recent, 4, items, weights, ROOM);
    HOLDS(count <= ROOM);
    for (uint32_t i = 0; i < count; i++)
        HOLDS(items[i] < tables->items);
    eddy_neighbours_scratch_free(scratch);
}

/* What was read is written, and what is written is read. */
static void again(const struct eddy_tables *tables, const struct eddy_head *head)
{
    struct eddy_st_tensor tensors[EDDY_HEAD_TENSORS_MAX];
    struct eddy_tables copy = {0};
    struct eddy_head read;
    struct eddy_safetensors file;
    struct eddy_buf bytes;
    char *json = NULL;
    uint32_t count = eddy_head_tensors(tables, head, HIDDEN, tensors), found = 0;
    eddy_buf_init(&bytes, 0);
    HOLDS(eddy_head_encode(tables, head, &json, NULL) == 0);
    eddy_safetensors_encode(tensors, count, &bytes);
    HOLDS(eddy_head_decode(json, &copy, &read, NULL) == 0);
    HOLDS(eddy_safetensors_open(eddy_buf_span(&bytes), &file, NULL) == 0);
    HOLDS(eddy_head_read_tensors(&file, &read, tables->items, HIDDEN, &copy, &found,
                                 NULL) == 0);
    HOLDS(found == count);
    eddy_safetensors_close(&file);
    eddy_tables_fini(&copy);
    eddy_buf_fini(&bytes);
    free(json);
}

/* One byte: items; two: size of the head's JSON; JSON; tensors. */
static void read_head(const uint8_t *bytes, size_t size)
{
    struct eddy_tables tables = {0};
    struct eddy_head head;
    struct eddy_safetensors file;
    uint32_t found = 0;
    if (size < 3)
        return;
    uint32_t items = 1 + bytes[0] % ITEMS_MAX;
    size_t text = bytes[1] | (size_t)bytes[2] << 8;
    if (text > size - 3)
        return;
    char *json = eddy_span_dup((struct eddy_span){(const char *)bytes + 3, text});
    struct eddy_span rest = {(const char *)bytes + 3 + text, size - 3 - text};
    if (eddy_head_decode(json, &tables, &head, NULL) == 0 &&
        eddy_safetensors_open(rest, &file, NULL) == 0) {
        if (eddy_head_read_tensors(&file, &head, items, HIDDEN, &tables, &found,
                                   NULL) == 0) {
            walk(&tables.related, items);
            walk(&tables.rules, items);
            if (tables.sessions.count > 0)
                vote(&tables, &head);
            /* A table without rows is read, and not worth writing. */
            bool empty = eddy_head_uses(&head, EDDY_HEAD_NEIGHBOURS) &&
                         tables.sessions.count == 0;
            if (!empty)
                again(&tables, &head);
        }
        eddy_safetensors_close(&file);
    }
    eddy_tables_fini(&tables);
    free(json);
}

static void read_stream(const uint8_t *bytes, size_t size)
{
    struct eddy_stream_head stream, copy;
    char *json = eddy_span_dup((struct eddy_span){(const char *)bytes, size});
    char *written = NULL;
    if (eddy_stream_head_decode(json, &stream, NULL) == 0) {
        /* Tables of one item stand for those that the snapshot would have. */
        struct eddy_tables tables = {
            .items = 1, .related.items = 1, .sessions.count = 1};
        HOLDS(eddy_stream_head_encode(&tables, &stream, &written, NULL) == 0);
        HOLDS(eddy_stream_head_decode(written, &copy, NULL) == 0);
        HOLDS(copy.refresh_s == stream.refresh_s && copy.width == stream.width);
    }
    free(written);
    free(json);
}

/* Rows of a catalogue that has the columns of the seeds. */
static void use(const struct eddy_vocabulary *vocabulary)
{
    static const char csv[] =
        "ITEM_ID,GENRE,YEAR,TITLE\ni1,war|love,1999,The one\n"
        "i2,,-1e30,\ni3,none of these,x,\xed\x95\x9c\xea\xb5\xad\n";
    struct eddy_catalog *catalog = NULL;
    struct eddy_features features = {0};
    HOLDS(eddy_items_parse(eddy_span_of(csv), "made", false, &catalog, NULL) == 0);
    HOLDS(eddy_features_align(vocabulary, catalog, catalog, &features) == 0);
    for (uint64_t e = 0; e < features.begin[features.rows]; e++)
        HOLDS(features.index[e] < features.size && features.weight[e] > 0);
    eddy_features_fini(&features);
    eddy_catalog_free(catalog);
}

static void use_context(const struct eddy_vocabulary *vocabulary)
{
    struct eddy_context_index *index = NULL;
    const struct eddy_context values[] = {
        {eddy_context_column(eddy_span_of("device")), 1, 0.5f},
        {eddy_context_column(eddy_span_of("hour")), 0, 12}};
    if (eddy_context_index_new(vocabulary, &index, NULL) == 0)
        (void)eddy_context_index_row(index, values, 2);
    eddy_context_index_free(index);
}

static void read_vocabularies(const uint8_t *bytes, size_t size)
{
    struct eddy_span json = {(const char *)bytes, size};
    struct eddy_vocabularies read = {0}, copy = {0};
    struct eddy_buf written, twice;
    if (eddy_vocabularies_decode(json, &read, NULL) < 0)
        return;
    eddy_buf_init(&written, 0);
    eddy_buf_init(&twice, 0);
    eddy_vocabularies_encode(&read, &written);
    HOLDS(eddy_vocabularies_decode(eddy_buf_span(&written), &copy, NULL) == 0);
    eddy_vocabularies_encode(&copy, &twice);
    HOLDS(eddy_span_eq(eddy_buf_span(&written), eddy_buf_span(&twice)));
    if (read.items)
        use(read.items);
    if (read.users)
        use(read.users);
    if (read.context)
        use_context(read.context);
    eddy_vocabularies_free(&copy);
    eddy_vocabularies_free(&read);
    eddy_buf_fini(&twice);
    eddy_buf_fini(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    switch (bytes[0] % 3) {
    case 0: read_head(bytes + 1, size - 1); break;
    case 1: read_stream(bytes + 1, size - 1); break;
    default: read_vocabularies(bytes + 1, size - 1); break;
    }
    return 0;
}
