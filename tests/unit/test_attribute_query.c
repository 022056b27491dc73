/* Attribute queries of segments: = and AND. */
#include "core/attribute_query.h"

#include "check.h"
#include "core/interactions.h"

static struct eddy_catalog *movies(void)
{
    struct eddy_catalog *catalog = NULL;
    static const char csv[] = "ITEM_ID,GENRES,RELEASE_YEAR,TITLE\n"
                              "1,Comedy|Action,1999,\"He said \"\"no\"\"\"\n"
                              "2,Comedy,2000.0,Trains AND cars\n"
                              "3,Action|Drama,1999,코미디\n"
                              "4,,,\n"
                              "5,Comedy Club,1999,x=y\n";
    CHECK_INT(eddy_items_parse(eddy_span_of(csv), "m.csv", false, &catalog, NULL), 0);
    return catalog;
}

static void conditions_choose_items(void)
{
    static const struct {
        const char *query, *items;
    } cases[] = {
        {"ITEMS.genres = \"Comedy\"", "12"},
        {"ITEMS.genres = \"Comedy\" AND ITEMS.genres = \"Action\"", "1"},
        {"ITEMS.GENRES=\"Action\"", "13"},
        {"  items.Genres\t=  'Action'  and ITEMS.releaseYear = 1999 ", "13"},
        {"ITEMS.RELEASE_YEAR = 2000", "2"},
        {"ITEMS.release_year = \"1999\"", "135"},
        {"ITEMS.genres = \"comedy\"", ""},
        {"ITEMS.title = \"Trains AND cars\"", "2"},
        {"ITEMS.title = 'He said \"no\"'", "1"},
        {"ITEMS.title = \"코미디\"", "3"},
        {"ITEMS.title = \"x=y\" AND ITEMS.genres = \"Comedy Club\"", "5"},
    };
    struct eddy_catalog *catalog = movies();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bool found[5];
        char names[8] = "";
        uint32_t count = 0, n = 0;
        struct eddy_err err = {0};
        CHECK_INT(eddy_attribute_query(eddy_span_of(cases[c].query), catalog, found,
                                       &count, &err),
                  0);
        for (uint32_t i = 0; i < 5; i++)
            if (found[i])
                names[n++] = (char)('1' + i);
        CHECK_STR(names, cases[c].items);
        CHECK_INT(count, n);
    }
    eddy_catalog_free(catalog);
}

static void anything_else_is_refused_with_its_place(void)
{
    static const struct {
        const char *query, *why;
    } cases[] = {
        {"", "at the end: a condition is written"},
        {"ITEMS.genres != \"x\"", "at '!= \"x\"': only = compares here"},
        {"ITEMS.genres > 3", "at '> 3': only = compares here"},
        {"ITEMS.genres IN (\"x\")", "at 'IN (\"x\")': only = compares here"},
        {"NOT ITEMS.genres = \"x\"", "at 'NOT ITEMS"},
        {"ITEMS.genres = \"x\" OR ITEMS.genres = \"y\"", "at 'OR ITEMS"},
        {"ITEMS.genres = \"x\" AND", "at the end: a condition is written"},
        {"ITEMS.genres = \"x", "the quote is never closed"},
        {"ITEMS.genres = Comedy", "at 'Comedy': a value is a text in quotes"},
        {"ITEMS.genres =", "at the end: a value is a text"},
        {"ITEMS.rating = 3", "at 'ITEMS.rating = 3': the model's items have no such"},
        {"ITEMS. = 3", "no such column"},
        {"USERS.genres = \"x\"", "at 'USERS.genres"},
        {"ITEMS.genres = \"x\" \"y\"", "only AND joins"},
    };
    struct eddy_catalog *catalog = movies();
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bool found[5];
        uint32_t count;
        struct eddy_err err = {0};
        CHECK_INT(eddy_attribute_query(eddy_span_of(cases[c].query), catalog, found,
                                       &count, &err),
                  EDDY_EFORMAT);
        if (strstr(err.text, cases[c].why) == NULL)
            CHECK_STR(err.text, cases[c].why);
    }
    eddy_catalog_free(catalog);
}

int main(void)
{
    RUN(conditions_choose_items);
    RUN(anything_else_is_refused_with_its_place);
    return check_done();
}
