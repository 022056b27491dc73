#include "core/context_index.h"

#include <stdlib.h>

#include "base/hash.h"
#include "check.h"
#include "log_rows.h"
#include "spans.h"

/* 400 rows: DEVICE of three values, one of them rare; HOUR; ID, different in every other row;
 * SHOP, always the same; CODE, numbers of few values. */
static struct eddy_interactions log_new(void)
{
    struct eddy_buf csv =
        csv_begin("USER_ID,ITEM_ID,TIMESTAMP,DEVICE,HOUR,ID,SHOP,CODE\n");
    for (int i = 0; i < 400; i++)
        eddy_buf_printf(&csv, "u%d,i%d,%d,%s,%.2f,id%d,one,%d\n", i % 20, i % 30,
                        1600000000 + i,
                        i % 100 == 7 ? "watch"
                        : i % 3      ? "phone"
                                     : "TV",
                        i / 400.0 * 24, i / 2, i % 4 * 10);
    return rows_of_csv(&csv, NULL);
}

static uint16_t feature(const struct eddy_context_index *index, const char *name,
                        const char *text, uint32_t place)
{
    struct eddy_context value = eddy_context_of(eddy_context_column(S(name)), S(text));
    return eddy_context_index_row(index, &value, 1).feature[place];
}

static void columns_are_read_as_their_values_say(void)
{
    static const enum eddy_column_kind want[] = {
        EDDY_COLUMN_CATEGORICAL, EDDY_COLUMN_NUMERIC, EDDY_COLUMN_IGNORED,
        EDDY_COLUMN_IGNORED, EDDY_COLUMN_CATEGORICAL};
    struct eddy_interactions data = log_new();
    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_context_index *index = NULL;
    CHECK_INT(eddy_context_learn(&data, NULL, &vocabulary, NULL), 0);
    for (uint32_t c = 0; c < 5; c++)
        CHECK_INT(eddy_vocabulary_kind(vocabulary, S(data.context[c].name)), want[c]);
    CHECK_INT(eddy_vocabulary_size(vocabulary), 2 + 1 + 16 + 4 + 1);
    CHECK_INT(eddy_context_index_new(vocabulary, &index, NULL), 0);
    /* most frequent first; rare and unknown values share the last */
    CHECK_INT(feature(index, "DEVICE", "phone", 0), 1);
    CHECK_INT(feature(index, "device", "TV", 0), 2);
    CHECK_INT(feature(index, "DEVICE", "watch", 0), 3);
    CHECK_INT(feature(index, "DEVICE", "fridge", 0), 3);
    /* knots are 0, 1.5, 3 ...: the last one that is not above */
    CHECK_INT(feature(index, "HOUR", "-5", 1), 4);
    CHECK_INT(feature(index, "HOUR", "1.49", 1), 4);
    CHECK_INT(feature(index, "HOUR", "1.5", 1), 5);
    CHECK_INT(feature(index, "HOUR", "1e9", 1), 19);
    CHECK_INT(feature(index, "HOUR", "noon", 1), 0);
    CHECK_INT(feature(index, "ID", "id7", 2), 0);
    CHECK_INT(feature(index, "SHOP", "one", 3), 0);
    CHECK_INT(feature(index, "CODE", "30", 4) >= 20, 1);
    CHECK(eddy_context_index_has(index, eddy_context_column(S("code"))));
    CHECK(!eddy_context_index_has(index, eddy_context_column(S("SHOP"))));
    CHECK(!eddy_context_index_has(NULL, 7));
    eddy_context_index_free(index);
    eddy_vocabulary_free(vocabulary);
    eddy_interactions_fini(&data);
}

static void values_of_states_get_their_names_back(void)
{
    static const struct {
        const char *column, *text, *want_name, *want_text;
    } cases[] = {
        {"device", "phone", "DEVICE", "phone"},
        {"DEVICE", "watch", "DEVICE",
         NULL}, /* rare: it has no name in the vocabulary */
        {"hour", "7.5", "HOUR", NULL},
        {"SHOP", "one", "SHOP", NULL}, /* not learned from */
        {"WEATHER", "rain", NULL, NULL},
    };
    struct eddy_interactions data = log_new();
    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_context_index *index = NULL;
    const char *name = "", *text = "";
    CHECK_INT(eddy_context_learn(&data, NULL, &vocabulary, NULL), 0);
    CHECK_INT(eddy_context_index_new(vocabulary, &index, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_context value =
            eddy_context_of(eddy_context_column(S(cases[i].column)), S(cases[i].text));
        eddy_context_index_tell(index, &value, &name, &text);
        CHECK_STR(name ? name : "-", cases[i].want_name ? cases[i].want_name : "-");
        CHECK_STR(text ? text : "-", cases[i].want_text ? cases[i].want_text : "-");
    }
    struct eddy_context value =
        eddy_context_of(eddy_context_column(S("DEVICE")), S("TV"));
    eddy_context_index_tell(NULL, &value, &name, &text);
    CHECK(name == NULL && text == NULL);
    eddy_context_index_free(index);
    eddy_vocabulary_free(vocabulary);
    eddy_interactions_fini(&data);
}

static void kinds_that_are_told_win_and_wrong_ones_are_named(void)
{
    struct eddy_interactions data = log_new();
    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_err err = {0};
    CHECK_INT(eddy_context_learn(&data, "ID=categorical,CODE=numeric,HOUR=ignored",
                                 &vocabulary, NULL),
              0);
    CHECK_INT(eddy_vocabulary_kind(vocabulary, S("CODE")), EDDY_COLUMN_NUMERIC);
    CHECK_INT(eddy_vocabulary_kind(vocabulary, S("HOUR")), EDDY_COLUMN_IGNORED);
    CHECK_INT(eddy_vocabulary_size(vocabulary), 3 + 0 + 4); /* no id has five rows */
    eddy_vocabulary_free(vocabulary);
    CHECK_INT(eddy_context_learn(&data, "DEVICE=text", &vocabulary, &err),
              EDDY_ECONFIG);
    CHECK(strstr(err.text, "context is no text") != NULL);
    CHECK_INT(eddy_context_learn(&data, "GADGET=numeric", &vocabulary, &err),
              EDDY_ECONFIG);
    CHECK(strstr(err.text, "GADGET") != NULL);
    CHECK_INT(eddy_context_learn(&data,
                                 "DEVICE=ignored,HOUR=ignored,ID=ignored,SHOP=ignored,"
                                 "CODE=ignored",
                                 &vocabulary, NULL),
              0);
    CHECK(vocabulary == NULL); /* nothing is left to learn from */
    eddy_interactions_fini(&data);
}

static void a_vocabulary_of_other_things_is_refused(void)
{
    static const char *const cases[] = {
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"text\",\"buckets\":[1,2]}]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"ignored\"},{\"name\":\"b\",\"kind\":"
        "\"ignored\"},{\"name\":\"c\",\"kind\":\"ignored\"},{\"name\":\"d\",\"kind\":"
        "\"ignored\"},{\"name\":\"e\",\"kind\":\"ignored\"},{\"name\":\"f\",\"kind\":"
        "\"ignored\"}]}"};
    for (int i = 0; i < 2; i++) {
        struct eddy_vocabulary *vocabulary = NULL;
        struct eddy_context_index *index = NULL;
        struct eddy_err err = {0};
        CHECK_INT(eddy_vocabulary_decode(S(cases[i]), &vocabulary, &err), 0);
        CHECK_INT(eddy_context_index_new(vocabulary, &index, &err), EDDY_EFORMAT);
        CHECK(index == NULL && strncmp(err.text, "context: ", 9) == 0);
        eddy_vocabulary_free(vocabulary);
    }
}

static void names_are_compared_without_case_and_underscores(void)
{
    CHECK_INT(eddy_context_column(S("DEVICE_TYPE")),
              eddy_context_column(S("deviceType")));
    CHECK(eddy_context_column(S("DEVICE")) != eddy_context_column(S("DEVICE_TYPE")));
}

int main(void)
{
    RUN(columns_are_read_as_their_values_say);
    RUN(values_of_states_get_their_names_back);
    RUN(kinds_that_are_told_win_and_wrong_ones_are_named);
    RUN(a_vocabulary_of_other_things_is_refused);
    RUN(names_are_compared_without_case_and_underscores);
    return check_done();
}
