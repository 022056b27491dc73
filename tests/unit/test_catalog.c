#include "core/catalog.h"

#include "check.h"
#include "spans.h"

static void index_order_is_the_order_of_adding(void)
{
    struct eddy_catalog *catalog = eddy_catalog_new();
    char id[16];
    struct eddy_span first = {0};
    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(id, sizeof id, "item-%u", i);
        CHECK_INT(eddy_catalog_add(catalog, S(id)), i);
        if (i == 0) {
            first = eddy_catalog_id(catalog, 0);
        }
    }
    CHECK_INT(eddy_catalog_count(catalog), 10000);
    CHECK_INT(eddy_catalog_add(catalog, S("item-77")), 77); /* there already */
    CHECK_INT(eddy_catalog_find(catalog, S("item-9999")), 9999);
    CHECK_INT(eddy_catalog_find(catalog, S("nobody")), EDDY_ITEM_NONE);
    CHECK_INT(eddy_catalog_find_hash(catalog, eddy_catalog_hash(catalog, 4711)), 4711);
    CHECK(is(first, "item-0")); /* spans stay where they are while the rest grows */
    CHECK(first.data == eddy_catalog_id(catalog, 0).data);
    CHECK_INT(eddy_catalog_add(catalog, S("")), EDDY_ITEM_NONE);
    CHECK_INT(eddy_catalog_find(catalog, S("")), EDDY_ITEM_NONE);
    CHECK(is(eddy_catalog_id(catalog, 10000), ""));
    eddy_catalog_free(catalog);
}

static void columns_added_late_are_empty_for_earlier_items(void)
{
    struct eddy_catalog *catalog = eddy_catalog_new();
    uint32_t a = eddy_catalog_add(catalog, S("a"));
    uint32_t genre = eddy_catalog_add_column(catalog, S("GENRES"));
    CHECK_INT(eddy_catalog_add_column(catalog, S("GENRES")), genre);
    for (uint32_t i = 0; i < 200; i++) { /* beyond the first capacity */
        char id[16];
        snprintf(id, sizeof id, "b%u", i);
        CHECK_INT(eddy_catalog_set(catalog, eddy_catalog_add(catalog, S(id)), genre,
                                   S(id)),
                  0);
    }
    CHECK(is(eddy_catalog_get(catalog, a, genre), ""));
    CHECK(is(eddy_catalog_get(catalog, 200, genre), "b199"));
    CHECK_INT(eddy_catalog_set(catalog, a, genre, S("Drama")), 0);
    CHECK(is(eddy_catalog_get(catalog, a, genre), "Drama"));
    CHECK(is(eddy_catalog_get(catalog, a, 7), ""));
    CHECK_INT(eddy_catalog_column_count(catalog), 1);
    CHECK(is(eddy_catalog_column_name(catalog, 0), "GENRES"));
    eddy_catalog_free(catalog);
}

static void title_comes_from_title_then_name_then_id(void)
{
    struct eddy_catalog *catalog = eddy_catalog_new();
    uint32_t item = eddy_catalog_add(catalog, S("i1"));
    CHECK(is(eddy_catalog_title(catalog, item), "i1"));
    uint32_t name = eddy_catalog_add_column(catalog, S("Name"));
    CHECK(is(eddy_catalog_title(catalog, item), "i1"));
    CHECK_INT(eddy_catalog_set(catalog, item, name, S("Heat")), 0);
    CHECK(is(eddy_catalog_title(catalog, item), "Heat"));
    uint32_t title = eddy_catalog_add_column(catalog, S("title"));
    CHECK_INT(eddy_catalog_set(catalog, item, title, S("Heat (1995)")), 0);
    CHECK(is(eddy_catalog_title(catalog, item), "Heat (1995)"));
    eddy_catalog_free(catalog);
}

static void encoded_catalogue_decodes_to_the_same(void)
{
    static const char *const ids[] = {"plain",      "with,comma", "with \"quote\"",
                                      "line\nfeed", "cr\r",       "\xe2\x82\xac",
                                      " blank "};
    struct eddy_catalog *catalog = eddy_catalog_new(), *again = NULL;
    struct eddy_buf csv, twice;
    eddy_buf_init(&csv, 0);
    eddy_buf_init(&twice, 0);
    eddy_catalog_add_column(catalog, S("TITLE"));
    eddy_catalog_add_column(catalog, S("odd, \"name\""));
    for (uint32_t i = 0; i < 7; i++) {
        uint32_t item = eddy_catalog_add(catalog, S(ids[i]));
        CHECK_INT(eddy_catalog_set(catalog, item, i % 2, S(ids[6 - i])), 0);
    }
    eddy_catalog_encode(catalog, &csv);
    struct eddy_err err = {0};
    if (CHECK_INT(eddy_catalog_decode(eddy_buf_span(&csv), &again, &err), 0)) {
        CHECK_INT(eddy_catalog_count(again), 7);
        for (uint32_t i = 0; i < 7; i++) {
            CHECK(is(eddy_catalog_id(again, i), ids[i]));
            CHECK(is(eddy_catalog_get(again, i, i % 2), ids[6 - i]));
        }
        eddy_catalog_encode(again, &twice);
        CHECK(eddy_span_eq(eddy_buf_span(&csv), eddy_buf_span(&twice)));
    }
    CHECK_STR(err.text, "");
    eddy_catalog_free(again);
    eddy_catalog_free(catalog);
    eddy_buf_fini(&csv);
    eddy_buf_fini(&twice);
}

static void empty_catalogue_survives(void)
{
    struct eddy_catalog *catalog = eddy_catalog_new(), *again = NULL;
    struct eddy_buf csv;
    eddy_buf_init(&csv, 0);
    eddy_catalog_encode(catalog, &csv);
    CHECK_STR(csv.data, "ITEM_ID\n");
    CHECK_INT(eddy_catalog_decode(eddy_buf_span(&csv), &again, NULL), 0);
    CHECK_INT(eddy_catalog_count(again), 0);
    eddy_catalog_free(again);
    eddy_catalog_free(catalog);
    eddy_buf_fini(&csv);
}

static void bad_catalogues_are_refused_with_their_place(void)
{
    static const struct {
        const char *csv, *want;
    } cases[] = {
        {"", "catalog.csv: empty, a header with ITEM_ID is needed"},
        {"NAME\nx\n",
         "catalog.csv:1: Input CSV is missing the following columns:[ITEM_ID]"},
        {"ITEM_ID,item_id\nx,y\n", "catalog.csv:1: column ITEM_ID is there twice"},
        {"ITEM_ID,A,A\nx,1,2\n", "catalog.csv:1: column A is there twice"},
        {"ITEM_ID,A\nx,1\ny\n", "catalog.csv:3: 1 fields, the header has 2"},
        {"ITEM_ID,A\nx,1\n\"x\",2\n",
         "catalog.csv:3: column ITEM_ID: 'x' is there twice"},
        {"ITEM_ID,A\n,1\n",
         "catalog.csv:2: column ITEM_ID: 0 bytes, 1 to 256 are allowed"},
        {"ITEM_ID,A\nx,\"1\n",
         "catalog.csv:2: field 2 (A): the quote that opens the field "
         "is never closed"},
        {"ITEM_ID\n\xff\n", "catalog.csv:2: field 1 (ITEM_ID): not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_catalog *catalog = NULL;
        struct eddy_err err = {0};
        CHECK_INT(eddy_catalog_decode(S(cases[i].csv), &catalog, &err), EDDY_EFORMAT);
        CHECK_STR(err.text, cases[i].want);
        CHECK(catalog == NULL);
    }
}

static void skipping_counts_bad_rows_and_keeps_the_rest(void)
{
    struct eddy_catalog *catalog = NULL;
    uint64_t skipped = 0;
    CHECK_INT(eddy_catalog_parse(S("TITLE,item_id\nA,1\nB\nC,1\n\"D,4\nE,5\n"), "i.csv",
                                 "ITEM_ID", &skipped, &catalog, NULL),
              0);
    CHECK_INT(skipped, 3); /* a field short, an id twice, an open quote */
    CHECK_INT(eddy_catalog_count(catalog), 2);
    CHECK(is(eddy_catalog_title(catalog, 1), "E"));
    eddy_catalog_free(catalog);
}

int main(void)
{
    RUN(index_order_is_the_order_of_adding);
    RUN(columns_added_late_are_empty_for_earlier_items);
    RUN(title_comes_from_title_then_name_then_id);
    RUN(encoded_catalogue_decodes_to_the_same);
    RUN(empty_catalogue_survives);
    RUN(bad_catalogues_are_refused_with_their_place);
    RUN(skipping_counts_bad_rows_and_keeps_the_rest);
    return check_done();
}
