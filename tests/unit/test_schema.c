/* Amazon's schemas, and CSV files against them. */
#include "core/schema.h"

#include <stdlib.h>

#include "check.h"
#include "core/interactions.h"

#define RECORD(name, fields)                                                           \
    "{\"type\":\"record\",\"name\":\"" name                                            \
    "\",\"namespace\":\"com.amazonaws.personalize.schema\",\"fields\":[" fields        \
    "],\"version\":\"1.0\"}"
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define S             "\"string\""

static int parse(const char *text, struct eddy_schema *ret, struct eddy_err *err)
{
    return eddy_schema_parse(eddy_span_of(text), "s.json", ret, err);
}

static void the_three_datasets_are_read(void)
{
    static struct eddy_schema schema;
    struct eddy_err err = {0};
    CHECK_INT(parse(RECORD("Interactions",
                           F("USER_ID", S) "," F("ITEM_ID", S) "," F(
                               "TIMESTAMP", "\"long\"") "," F("EVENT_VALUE",
                                                              "[\"null\",\"float\"]")),
                    &schema, &err),
              0);
    CHECK_INT(schema.kind, EDDY_SCHEMA_INTERACTIONS);
    CHECK_INT(schema.count, 4);
    CHECK(schema.fields[3].nullable && schema.fields[3].type == EDDY_SCHEMA_NUMBER);
    CHECK_INT(
        parse(RECORD("Items",
                     F("ITEM_ID", S) ",{\"name\":\"BAND_SIZE\",\"type\":"
                                     "\"int\",\"categorical\":true},"
                                     "{\"name\":\"DESCRIPTION\",\"type\":"
                                     "[\"null\",\"string\"],"
                                     "\"textual\":true}," F("STOCK", "\"boolean\"")),
              &schema, &err),
        0);
    CHECK(schema.fields[1].categorical && !schema.fields[1].wide);
    CHECK(schema.fields[2].textual && schema.fields[2].nullable);
    CHECK_INT(parse(RECORD("Users", F("USER_ID", S) "," F("AGE", "\"int\"")), &schema,
                    &err),
              0);
    CHECK_INT(schema.kind, EDDY_SCHEMA_USERS);
}

static void broken_schemas_are_refused_by_field(void)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {RECORD("Items", F("ITEM_ID", S) ",{\"name\":\"BSW\",\"categorical\":true}"),
         "s.json:1: field BSW: it has no type"},
        {RECORD("Items", F("ITEM_ID", S) "," F("A", "\"text\"")),
         "field A: its type is none of string, int"},
        {RECORD("Items", F("ITEM_ID", S) "," F("A", "{\"type\":\"array\"}")),
         "field A: its type is none of"},
        {RECORD("Items", F("ITEM_ID", S) "," F("A", "[\"string\",\"int\"]")),
         "field A: a union is of null and one other type"},
        {RECORD("Items",
                F("ITEM_ID", S) "," F("GENRES_FIELD_1", S) "," F("GENRESFIELD1", S)),
         "field GENRESFIELD1: another field has this name"},
        {RECORD("Items", F("ITEM_ID", S)), "at least one metadata field is required"},
        {RECORD("Items", F("NAME", S) "," F("A", S)), "field ITEM_ID: it is required"},
        {RECORD("Interactions",
                F("USER_ID", S) "," F("ITEM_ID", S) "," F("TIMESTAMP", S)),
         "field TIMESTAMP: it has to be a long"},
        {RECORD("Users", F("USER_ID", "\"long\"") "," F("A", S)),
         "field USER_ID: it has to be a string"},
        {RECORD("Interactions",
                F("USER_ID", S) "," F("ITEM_ID", S) "," F(
                    "TIMESTAMP", "\"long\"") ",{\"name\":\"EVENT_TYPE\","
                                             "\"type\":\"string\","
                                             "\"categorical\":true}"),
         "field EVENT_TYPE: it cannot be categorical"},
        {RECORD("Users", F("USER_ID", S) ",{\"name\":\"A\",\"type\":\"string\","
                                         "\"textual\":true}"),
         "field A: textual is for strings of Items"},
        {RECORD("Films", F("ITEM_ID", S)), "its name is none of Interactions, Items"},
        {RECORD("Items", "{\"type\":\"string\"}"), "field 1 has no name"},
        {"{\"type\":\"enum\"}", "its type is not \"record\""},
        {"{\"type\":\n\"record\",}", "s.json:2: "},
        {"", "s.json:"},
    };
    static struct eddy_schema schema;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_err err = {0};
        CHECK_INT(parse(cases[c].text, &schema, &err), EDDY_EFORMAT);
        if (strstr(err.text, cases[c].why) == NULL)
            CHECK_STR(err.text, cases[c].why);
    }
}

/* As the console shows it, with traps: "fields" as a text, keys inside keys, escapes. */
static void what_is_wrong_in_a_schema_is_named_by_line(void)
{
#define ITEM "    {\"name\": \"ITEM_ID\", \"type\": \"string\"}"
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{\"type\": \"record\",\n"
         " \"name\": \"Items\",\n"
         " \"namespace\": \"fields\",\n"
         " \"fields\": [\n" ITEM ",\n"
         "    {\"name\": \"A\", \"type\": [\"null\", \"string\"]},\n"
         "    {\"name\": \"BSW\", \"categorical\": true}\n"
         " ],\n"
         " \"version\": \"1.0\"}\n",
         "s.json:7: field BSW: it has no type"},
        {"{\"doc\": \"a \\\"name\\\": {[,\",\n"
         " \"fields\": [\n" ITEM ",\n"
         "  {\n"
         "   \"doc\": {\"name\":\n \"x\"},\n"
         "   \"name\": \"A\",\n"
         "   \"type\": \"text\"}],\n"
         " \"name\": \"Items\", \"type\": \"record\"}",
         "s.json:7: field A: its type is none of"},
        {"{\"name\": \"Items\", \"type\": \"record\", \"fields\":\n"
         " [" ITEM ",\n\n  {\n\n\"type\": \"string\"}]}",
         "s.json:4: field 2 has no name"},
        {"{\"name\": \"Items\", \"type\": \"record\",\n\"fields\": [\n" ITEM ",\n1]}",
         "s.json:4: field 2 has no name"},
        {"{\"name\": \"Users\",\n \"type\": \"record\",\n \"fields\":\n [\n" ITEM "]}",
         "s.json:3: field USER_ID: it is required"},
        {"{\"name\": \"Items\",\n \"fields\": [\n" ITEM "],\n \"type\": \"record\"}",
         "s.json:2: at least one metadata field"},
        {"{\"fields\": [\n" ITEM ",\n" ITEM "],\n \"name\": \"Films\",\n"
         " \"type\": \"record\"}",
         "s.json:4: its name is none of"},
        {"{\"fields\": [\n" ITEM "],\n \"name\": \"Items\",\n \"type\": \"enum\"}",
         "s.json:4: its type is not"},
        {"\n\n{\"name\": \"Items\"}", "s.json:3: its type is not"},
        {"{\"type\": \"record\", \"name\": \"Items\",\n\"fields\": 1}",
         "s.json:2: \"fields\" is no list"},
        {"\n[]", "s.json:2: its type is not"},
    };
    static struct eddy_schema schema;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_err err = {0};
        CHECK_INT(parse(cases[c].text, &schema, &err), EDDY_EFORMAT);
        if (strncmp(err.text, cases[c].why, strlen(cases[c].why)) != 0)
            CHECK_STR(err.text, cases[c].why);
    }
}

static void cells_are_checked_by_line_and_column(void)
{
    static const struct {
        const char *csv, *why; /* NULL: fine */
    } cases[] = {
        {"ITEM_ID,YEAR,PRICE,NEW,G\n1,1999,2.5,true,a|b\n2,,-1e3,false,\"x,\"\"y\"\n",
         NULL},
        {"price,item_id,new,g,extra\n2,1,true,a,?\n", NULL},
        {"ITEM_ID,YEAR,G\n1,1999,a\n",
         "i.csv:1: Input CSV is missing the following columns:[PRICE, NEW]"},
        {"ITEM_ID,YEAR,PRICE,NEW,G\n1,1999,2,true,a\n2,99x,2,true,a\n",
         "i.csv:3: column YEAR: '99x' is no int"},
        {"ITEM_ID,YEAR,PRICE,NEW,G\n1,3000000000,2,true,a\n",
         "i.csv:2: column YEAR: '3000000000' is no int"},
        {"ITEM_ID,YEAR,PRICE,NEW,G\n1,1,cheap,true,a\n",
         "i.csv:2: column PRICE: 'cheap' is no number"},
        {"ITEM_ID,YEAR,PRICE,NEW,G\n1,1,,true,a\n",
         "i.csv:2: column PRICE: '' is empty, and the schema does not allow null"},
        {"ITEM_ID,YEAR,PRICE,NEW,G\n1,1,2,True,a\n",
         "i.csv:2: column NEW: 'True' is neither true nor false"},
        {"ITEM_ID,YEAR,PRICE,NEW,G\n1,1,2,true,\"\xff\"\n",
         "i.csv:2: field 5 (G): not UTF-8"},
        {"", "i.csv: empty"},
    };
    static struct eddy_schema schema;
    CHECK_INT(parse(RECORD("Items",
                           F("ITEM_ID", S) "," F("YEAR", "[\"null\",\"int\"]") "," F(
                               "PRICE",
                               "\"float\"") "," F("NEW", "\"boolean\"") "," F("G", S)),
                    &schema, NULL),
              0);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_err err = {0};
        int r =
            eddy_schema_check(&schema, eddy_span_of(cases[c].csv), "i.csv", NULL, &err);
        CHECK_INT(r, cases[c].why ? EDDY_EFORMAT : 0);
        CHECK_STR(cases[c].why ? err.text : "",
                  cases[c].why && strstr(err.text, cases[c].why) ? err.text
                  : cases[c].why                                 ? cases[c].why
                                                                 : "");
    }
    uint64_t bad = 0;
    CHECK_INT(
        eddy_schema_check(&schema, eddy_span_of(cases[3].csv), "i.csv", &bad, NULL), 0);
    CHECK_INT(bad, 1);
}

static void a_long_category_is_refused(void)
{
    static struct eddy_schema schema;
    struct eddy_err err = {0};
    struct eddy_buf csv;
    CHECK_INT(parse(RECORD("Items",
                           F("ITEM_ID", S) ",{\"name\":\"G\",\"type\":\"string\","
                                           "\"categorical\":true}"),
                    &schema, NULL),
              0);
    for (int size = 1000; size <= 1001; size++) {
        eddy_buf_init(&csv, 0);
        eddy_buf_puts(&csv, "ITEM_ID,G\n1,");
        for (int i = 0; i < size; i++)
            eddy_buf_putc(&csv, 'x');
        eddy_buf_puts(&csv, "\n");
        CHECK_INT(eddy_schema_check(&schema, eddy_buf_span(&csv), "i.csv", NULL, &err),
                  size == 1000 ? 0 : EDDY_EFORMAT);
        eddy_buf_fini(&csv);
    }
    CHECK(strstr(err.text, "longer than 1000") != NULL);
}

static void kinds_are_those_of_the_schema(void)
{
    static struct eddy_schema schema;
    struct eddy_catalog *catalog = NULL;
    struct eddy_buf kinds;
    CHECK_INT(
        parse(RECORD("Items",
                     F("ITEM_ID", S) ",{\"name\":\"SIZE\",\"type\":"
                                     "\"int\",\"categorical\":true},"
                                     "{\"name\":\"TEXT\",\"type\":\"string\","
                                     "\"textual\":true}," F("PRICE", "\"float\"") "," F(
                                         "CODE", S) "," F("ABSENT",
                                                          S) "," F("CREATION_TIMESTAMP",
                                                                   "\"long\"")),
              &schema, NULL),
        0);
    CHECK_INT(eddy_items_parse(eddy_span_of("ITEM_ID,price,SIZE,TEXT,CODE,OTHER,"
                                            "CREATION_TIMESTAMP\n"),
                               "i.csv", false, &catalog, NULL),
              0);
    eddy_buf_init(&kinds, 0);
    eddy_schema_put_kinds(&schema, catalog, &kinds);
    CHECK_STR(kinds.data, "price=numeric,SIZE=categorical,TEXT=text,CODE=ignored,"
                          "CREATION_TIMESTAMP=ignored");
    eddy_buf_fini(&kinds);
    eddy_catalog_free(catalog);
}

int main(void)
{
    RUN(the_three_datasets_are_read);
    RUN(broken_schemas_are_refused_by_field);
    RUN(what_is_wrong_in_a_schema_is_named_by_line);
    RUN(cells_are_checked_by_line_and_column);
    RUN(a_long_category_is_refused);
    RUN(kinds_are_those_of_the_schema);
    return check_done();
}
