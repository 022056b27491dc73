#include "core/interactions.h"

#include "base/hash.h"
#include "check.h"
#include "core/text.h"
#include "spans.h"

static int parse(const char *csv, bool skip_bad, struct eddy_interactions *ret,
                 struct eddy_err *err)
{
    struct eddy_interactions_options options = {.skip_bad = skip_bad};
    return eddy_interactions_parse(S(csv), "f.csv", &options, ret, err);
}

static void rows_come_out_by_user_time_and_row(void)
{
    struct eddy_interactions data;
    CHECK_INT(parse("TIMESTAMP,USER_ID,EVENT_TYPE,ITEM_ID,EVENT_VALUE\n"
                    "1600000300,bob,view,x,\n"
                    "1600000200,amy,buy,y,2.5\n"
                    "1600000100,bob,,z,-1e3\n"
                    "1600000300,bob,view,\"q,1\",0\n"
                    "1600000100,amy,view,x,\n",
                    false, &data, NULL),
              0);
    static const struct {
        const char *user, *item, *type;
        int64_t ts_ms;
        bool has_value;
        float value;
        uint32_t row;
    } want[] = {
        {"bob", "z", "click", 1600000100000, true, -1000, 2},
        {"bob", "x", "view", 1600000300000, false, 0, 0},
        {"bob", "q,1", "view", 1600000300000, true, 0, 3},
        {"amy", "x", "view", 1600000100000, false, 0, 4},
        {"amy", "y", "buy", 1600000200000, true, 2.5f, 1},
    };
    CHECK_INT(data.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct eddy_interaction *row = &data.rows[i];
        CHECK(eddy_span_eq(eddy_catalog_id(data.users, row->user), S(want[i].user)));
        CHECK(eddy_span_eq(eddy_catalog_id(data.items, row->item), S(want[i].item)));
        CHECK_STR(data.types[row->type], want[i].type);
        CHECK_INT(row->ts_ms, want[i].ts_ms);
        CHECK_INT(row->has_value, want[i].has_value);
        CHECK_NEAR(row->value, want[i].value, 0);
        CHECK_INT(row->row, want[i].row);
    }
    CHECK_INT(data.user_begin[0], 0);
    CHECK_INT(data.user_begin[1], 3);
    CHECK_INT(data.user_begin[2], 5);
    CHECK_STR(data.types[0], "");
    CHECK_INT(data.skipped, 0);
    eddy_interactions_fini(&data);
}

static void timestamps_are_read_in_every_unit(void)
{
    static const struct {
        const char *text;
        int64_t want_ms;
    } cases[] = {
        {"978300760", 978300760000},
        {"1600000000", 1600000000000},
        {"1600000000.25", 1600000000250},
        {"1600000000123", 1600000000123},
        {"956703932000", 956703932000},
        {"1600000000123456", 1600000000123},
        {"2020-09-13T12:26:40Z", 1600000000000},
        {"2020-09-13 14:26:40+02:00", 1600000000000},
        {"2020-09-13T12:26:40.123456Z", 1600000000123},
        {"2020-09-13T06:56:40-0530", 1600000000000},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"0", 0},
        {"7", 7000},
        {"99999999", 99999999000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char csv[200];
        struct eddy_interactions data;
        struct eddy_err err = {0};
        snprintf(csv, sizeof csv, "USER_ID,ITEM_ID,TIMESTAMP\nu,i,%s\n", cases[i].text);
        if (CHECK_INT(parse(csv, false, &data, &err), 0)) {
            CHECK_INT(data.rows[0].ts_ms, cases[i].want_ms);
            eddy_interactions_fini(&data);
        } else {
            fprintf(stderr, "    %s\n", err.text);
        }
    }
}

#define HEAD "USER_ID,ITEM_ID,TIMESTAMP,EVENT_VALUE,EVENT_TYPE\n"

static void bad_rows_are_refused_with_line_and_column(void)
{
    static const struct {
        const char *csv, *want;
    } cases[] = {
        {"", "f.csv: empty, a header with USER_ID,ITEM_ID,TIMESTAMP is needed"},
        {"USER_ID,TIMESTAMP\n",
         "f.csv:1: Input CSV is missing the following columns:[ITEM_ID]"},
        {"ITEM_ID,X\n",
         "f.csv:1: Input CSV is missing the following columns:[USER_ID, TIMESTAMP]"},
        {"USER_ID,ITEM_ID,TIMESTAMP,user_id\n",
         "f.csv:1: column USER_ID is there twice"},
        {HEAD "u,i,1600000000,,\nu,i\n", "f.csv:3: 2 fields, the header has 5"},
        {HEAD ",i,1600000000,,\n", "f.csv:2: column USER_ID: '' is empty"},
        {HEAD "u,,1600000000,,\n", "f.csv:2: column ITEM_ID: '' is empty"},
        {HEAD "u,i,yesterday,,\n",
         "f.csv:2: column TIMESTAMP: 'yesterday' is neither a "
         "Unix time nor ISO-8601 with a zone"},
        {HEAD "u,i,,,\n", "f.csv:2: column TIMESTAMP: '' is neither a Unix time nor "
                          "ISO-8601 with a zone"},
        {HEAD "u,i,2020-09-13T12:26:40,,\n",
         "f.csv:2: column TIMESTAMP: '2020-09-13T12:26:40' is neither a Unix time nor "
         "ISO-8601 with a zone"},
        {HEAD "u,i,2021-02-29T00:00:00Z,,\n",
         "f.csv:2: column TIMESTAMP: '2021-02-29T00:00:00Z' is neither a Unix time nor "
         "ISO-8601 with a zone"},
        {HEAD "u,i,1889-09-13T12:26:40Z,,\n",
         "f.csv:2: column TIMESTAMP: '1889-09-13T12:26:40Z' is outside the years 1990 to "
         "2099"},
        {HEAD "u,i,-5,,\n",
         "f.csv:2: column TIMESTAMP: '-5' is no time of the years 1990 "
         "to 2099 in s, ms or us"},
        {HEAD "u,i,16000000000,,\n",
         "f.csv:2: column TIMESTAMP: '16000000000' is no time of the years 1990 to 2099 in "
         "s, ms or us"},
        {HEAD "u,i,0x5f000000,,\n",
         "f.csv:2: column TIMESTAMP: '0x5f000000' is neither a "
         "Unix time nor ISO-8601 with a zone"},
        {HEAD "u,i,nan,,\n",
         "f.csv:2: column TIMESTAMP: 'nan' is neither a Unix time nor "
         "ISO-8601 with a zone"},
        {HEAD "u,i,1600000000,,\nu,i,3,,\n",
         "f.csv:3: column TIMESTAMP: '3' is too small for a time, and the rows before have "
         "times"},
        {HEAD "u,i,3,,\nu,i,1600000000,,\n",
         "f.csv:3: column TIMESTAMP: '1600000000' is a time, but the rows before have "
         "positions below 1e8"},
        {HEAD "u,i,1600000000,inf,\n",
         "f.csv:2: column EVENT_VALUE: 'inf' is not a finite number"},
        {HEAD "u,i,1600000000,1e39,\n",
         "f.csv:2: column EVENT_VALUE: '1e39' is not a finite number"},
        {HEAD "u,i,1600000000, 1,\n",
         "f.csv:2: column EVENT_VALUE: ' 1' is not a finite number"},
        {HEAD "u,i,1600000000,,"
              "1234567890123456789012345678901234567890123456789012345678901234x\n",
         "f.csv:2: column EVENT_TYPE: '1234567890123456789012345678901234567890' is longer "
         "than 64 bytes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_interactions data;
        struct eddy_err err = {0};
        CHECK_INT(parse(cases[i].csv, false, &data, &err), EDDY_EFORMAT);
        CHECK_STR(err.text, cases[i].want);
    }
}

static void skipping_bad_rows_counts_them_and_leaves_no_trace(void)
{
    struct eddy_interactions data;
    CHECK_INT(parse(HEAD "u,i,1600000000,,\n"
                         "ghost,i,never,,\n"
                         "u,\"j,1600000001,,\n"
                         "u,phantom,1600000001,x,odd\n"
                         "u,k,1600000002,1,\n",
                    true, &data, NULL),
              0);
    CHECK_INT(data.count, 2);
    CHECK_INT(data.skipped, 3);
    CHECK_INT(eddy_catalog_count(data.users), 1);
    CHECK_INT(eddy_catalog_count(data.items), 2);
    CHECK_INT(data.type_count, 2);
    CHECK_INT(data.rows[1].row, 4);
    eddy_interactions_fini(&data);
}

static void check_context(const struct eddy_interactions *data, uint64_t row,
                          const char *device, double hour)
{
    struct eddy_context got[EDDY_CONTEXT_MAX];
    uint32_t want = (device != NULL) + (hour >= 0);
    CHECK_INT(eddy_interactions_context(data, &data->rows[row], got), want);
    if (device != NULL) {
        struct eddy_context value =
            eddy_context_of(eddy_context_column(S("device_type")), S(device));
        CHECK_INT(got[0].column, value.column);
        CHECK_INT(got[0].text, value.text);
    }
    if (hour >= 0)
        CHECK_NEAR(got[want - 1].number, hour, 0);
}

static void further_columns_are_context_and_impressions(void)
{
    struct eddy_interactions data;
    const char *csv =
        "USER_ID,Device_Type,ITEM_ID,IMPRESSION,TIMESTAMP,HOUR,RECOMMENDATION_ID,\n"
        "u,tv,a,b|a|ghost,1600000003,12.5,r,1\n"
        "bad,tv,a,b|a,never,3,r,2\n"
        "u,,b,,1600000001,,r,3\n"
        "u,phone,c,a|c,1600000002,7,r,4\n"
        "bad,tv,a,b|a,never,3,r,5\n";
    CHECK_INT(parse(csv, true, &data, NULL), 0);
    CHECK_INT(data.context_count, 2); /* not the column without a name */
    CHECK_STR(data.context[0].name, "Device_Type");
    CHECK_STR(data.context[1].name, "HOUR");
    CHECK_INT(eddy_catalog_count(data.context[0].values), 2);
    CHECK_INT(eddy_catalog_count(data.items), 3); /* ghost is none */
    CHECK_INT(data.count, 3);
    check_context(&data, 0, NULL, -1);
    check_context(&data, 1, "phone", 7);
    check_context(&data, 2, "tv", 12.5);
    static const uint64_t begin[] = {0, 3, 3, 3, 5, 5};
    CHECK_MEM(data.shown_begin, begin, sizeof begin);
    static const char *const shown[] = {"b", "a", "ghost", "a", "c"};
    for (int i = 0; i < 5; i++)
        CHECK(data.shown[i] == eddy_hash64(eddy_span_of(shown[i])));
    eddy_interactions_fini(&data);

    struct eddy_err err = {0};
    CHECK_INT(parse("USER_ID,ITEM_ID,TIMESTAMP,A_B,ab\nu,i,1,x,y\n", false, &data,
                    &err),
              EDDY_EFORMAT);
    CHECK_STR(err.text, "f.csv:1: column ab is there twice");
    CHECK_INT(parse("USER_ID,ITEM_ID,TIMESTAMP,c1,c2,c3,c4,c5,c6,c7\n"
                    "u,i,1,1,2,3,4,5,6,7\n",
                    false, &data, NULL),
              0);
    CHECK_INT(data.context_count, 5);
    CHECK_INT(data.context_left_out, 2);
    eddy_interactions_fini(&data);
}

/* IMPRESSION as Amazon has it: at most 1000 characters, here of at most 25 items. */
static void impressions_that_are_none_are_refused_by_line_and_column(void)
{
    static const struct {
        const char *id;
        uint32_t times;
        const char *cell, *want; /* id "|" id ... before the cell */
    } cases[] = {
        {"", 0, "a||b", "f.csv:3: column IMPRESSION: 'a||b' has an empty item id"},
        {"", 0, "|a", "f.csv:3: column IMPRESSION: '|a' has an empty item id"},
        {"", 0, "a|", "f.csv:3: column IMPRESSION: 'a|' has an empty item id"},
        {"", 0, "|", "f.csv:3: column IMPRESSION: '|' has an empty item id"},
        {"i", 25, "j",
         "f.csv:3: column IMPRESSION: 'i|i|i|i|i|i|i|i|i|i|i|i|i|i|i|i|i|i|i|i|' names "
         "more than 25 items"},
        {"0123456789012345678901234567890123456789012345678", 20, "j",
         "f.csv:3: column IMPRESSION: '0123456789012345678901234567890123456789' is "
         "longer than 1000 characters"},
        {"i", 24, "j", NULL},
        {"0123456789012345678901234567890123456789012345678", 19, "j", NULL},
        {"\xed\x98\xb8\xed\x85\x94\xed\x98\xb8\xed\x85\x94", 20, "j", NULL},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_interactions data;
        struct eddy_err err = {0};
        char csv[4096];
        size_t at = (size_t)snprintf(csv, sizeof csv,
                                     "USER_ID,ITEM_ID,IMPRESSION,TIMESTAMP\n"
                                     "u,a,,1600000000\n"
                                     "u,b,");
        for (uint32_t i = 0; i < cases[c].times; i++)
            at += (size_t)snprintf(csv + at, sizeof csv - at, "%s|", cases[c].id);
        (void)snprintf(csv + at, sizeof csv - at, "%s,1600000001\n", cases[c].cell);
        int r = parse(csv, false, &data, &err);
        CHECK_INT(r, cases[c].want ? EDDY_EFORMAT : 0);
        CHECK_STR(err.text, cases[c].want ? cases[c].want : "");
        if (r == 0)
            eddy_interactions_fini(&data);
    }
}

static void a_column_of_empty_impressions_is_none(void)
{
    struct eddy_interactions data;
    CHECK_INT(parse("USER_ID,ITEM_ID,TIMESTAMP,IMPRESSION\nu,a,1600000000,\n", false,
                    &data, NULL),
              0);
    CHECK(data.shown_begin == NULL && data.shown == NULL);
    eddy_interactions_fini(&data);
}

static void items_keep_the_indices_of_a_given_catalogue(void)
{
    struct eddy_catalog *items = eddy_catalog_new();
    eddy_catalog_add(items, S("a"));
    eddy_catalog_add(items, S("b"));
    struct eddy_interactions_options options = {.items = items};
    struct eddy_interactions data;
    CHECK_INT(
        eddy_interactions_parse(S("USER_ID,ITEM_ID,TIMESTAMP\nu,new,1\nu,b,2\nu,a,3\n"),
                                "f.csv", &options, &data, NULL),
        0);
    CHECK_INT(data.rows[0].item, 2);
    CHECK_INT(data.rows[1].item, 1);
    CHECK_INT(data.rows[2].item, 0);
    CHECK_INT(eddy_catalog_count(items), 2);
    eddy_interactions_fini(&data);
    eddy_catalog_free(items);
}

static void hash_of_the_bytes_is_told(void)
{
    struct eddy_interactions data;
    CHECK_INT(parse("USER_ID,ITEM_ID,TIMESTAMP\n", false, &data, NULL), 0);
    CHECK_INT(data.count, 0);
    CHECK_STR(data.sha256,
              "ec5f7f681d23963e5b5be89d24c1763bd18e18bbfcbc93b8715bddf8d58990e7");
    eddy_interactions_fini(&data);
}

static void the_256th_type_is_refused(void)
{
    struct eddy_buf csv;
    struct eddy_err err = {0};
    struct eddy_interactions data;
    eddy_buf_init(&csv, 0);
    eddy_buf_puts(&csv, "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n");
    for (int i = 0; i < 256; i++) {
        eddy_buf_printf(&csv, "u,i,1,t%d\n", i);
    }
    CHECK_INT(parse(csv.data, false, &data, &err), EDDY_EFORMAT);
    CHECK_STR(err.text, "f.csv:257: column EVENT_TYPE: 't255' is the 256th event type, "
                        "255 are allowed");
    eddy_buf_fini(&csv);
}

static void times_are_formatted_as_they_are_read(void)
{
    static const int64_t seconds[] = {0,          951782399,  951782400, 1582934400,
                                      1600000000, 4102444799, -1,        1709164800};
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        char text[24];
        int64_t ms = 0;
        eddy_time_format_iso(seconds[i], text, sizeof text);
        CHECK(eddy_time_parse_iso(S(text), &ms));
        CHECK_INT(ms, seconds[i] * 1000);
    }
    char text[24];
    eddy_time_format_iso(1600000000, text, sizeof text);
    CHECK_STR(text, "2020-09-13T12:26:40Z");
}

static void repeats_and_rows_out_of_order_are_counted(void)
{
    struct eddy_interactions in = {0};
    static const char csv[] = HEAD "u,a,1600000005,1,click\n"
                                   "u,b,1600000001,,click\n" /* older */
                                   "v,a,1600000005,1,click\n"
                                   "u,a,1600000005,1,click\n" /* again */
                                   "u,a,1600000005,1,view\n"
                                   "u,a,1600000005,2,click\n"
                                   "u,a,1600000005,,click\n"
                                   "u,b,1600000005,,click\n"
                                   "u,a,1600000005,,click\n"   /* again */
                                   "v,a,1600000000,1,click\n"; /* older */
    CHECK_INT(eddy_interactions_parse(eddy_span_of(csv), "f.csv", NULL, &in, NULL), 0);
    CHECK_INT(in.count, 10);
    CHECK_INT(in.repeats, 2);
    CHECK_INT(in.repeat_row, 3);
    CHECK_INT(in.repeat_line, 5);
    CHECK_INT(in.unsorted, 2);
    CHECK_INT(in.unsorted_row, 1);
    CHECK_INT(in.unsorted_line, 3);
    eddy_interactions_fini(&in);
}

/* Lines that are no rows, rows of two lines, rows that are left out. */
static void what_is_said_of_rows_names_their_lines(void)
{
    static const struct {
        const char *csv;
        uint64_t repeat, unsorted;
    } cases[] = {
        {HEAD "u,a,1600000005,1,click\n", 0, 0},
        {HEAD "u,\"a\nb\",1600000005,1,click\n\nu,c,1600000001,,click\n"
              "u,\"a\nb\",1600000005,1,click\n",
         6, 5},
        {HEAD "u,\"a,1,1,click\nu,a,1600000005,1,click\nu,a,soon,1,click\n"
              "\r\nu,a,1600000005,1,click\nu,b,1600000001,1,click\n",
         6, 7},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct eddy_interactions in = {0};
        CHECK_INT(parse(cases[c].csv, true, &in, NULL), 0);
        CHECK_INT(in.repeats > 0, cases[c].repeat > 0);
        CHECK_INT(in.repeat_line, cases[c].repeat);
        CHECK_INT(in.unsorted_line, cases[c].unsorted);
        eddy_interactions_fini(&in);
    }
}

int main(void)
{
    RUN(rows_come_out_by_user_time_and_row);
    RUN(timestamps_are_read_in_every_unit);
    RUN(bad_rows_are_refused_with_line_and_column);
    RUN(skipping_bad_rows_counts_them_and_leaves_no_trace);
    RUN(further_columns_are_context_and_impressions);
    RUN(impressions_that_are_none_are_refused_by_line_and_column);
    RUN(a_column_of_empty_impressions_is_none);
    RUN(items_keep_the_indices_of_a_given_catalogue);
    RUN(hash_of_the_bytes_is_told);
    RUN(the_256th_type_is_refused);
    RUN(times_are_formatted_as_they_are_read);
    RUN(repeats_and_rows_out_of_order_are_counted);
    RUN(what_is_said_of_rows_names_their_lines);
    return check_done();
}
