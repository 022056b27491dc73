#include "core/features.h"

#include <stdlib.h>

#include "check.h"
#include "spans.h"

/* A catalogue from CSV. */
static struct eddy_catalog *catalog_of(const char *csv)
{
    struct eddy_catalog *catalog = NULL;
    CHECK_INT(eddy_catalog_decode(S(csv), &catalog, NULL), 0);
    return catalog;
}

static struct eddy_vocabulary *learn(const struct eddy_catalog *catalog)
{
    struct eddy_vocabulary *vocabulary = NULL;
    CHECK_INT(eddy_vocabulary_learn(catalog, NULL, &vocabulary, NULL), 0);
    return vocabulary;
}

/* Cosine between two rows' features, all columns. */
static double likeness(const struct eddy_features *features, uint32_t a, uint32_t b)
{
    double *dense = calloc(features->size + 1, sizeof *dense);
    double dot = 0, aa = 0, bb = 0;
    for (uint64_t i = features->begin[a]; i < features->begin[a + 1]; i++) {
        dense[features->index[i]] += (double)features->weight[i];
        aa += (double)features->weight[i] * (double)features->weight[i];
    }
    for (uint64_t i = features->begin[b]; i < features->begin[b + 1]; i++) {
        dot += dense[features->index[i]] * (double)features->weight[i];
        bb += (double)features->weight[i] * (double)features->weight[i];
    }
    free(dense);
    return aa > 0 && bb > 0 ? dot / sqrt(aa * bb) : 0;
}

static void kinds_follow_the_values(void)
{
    char csv[16384];
    size_t at = 0;
    at += (size_t)snprintf(csv, sizeof csv,
                           "ITEM_ID,GENRES,PRICE,AGE,TITLE,CREATION_TIMESTAMP,EMPTY\n");
    for (int i = 0; i < 100; i++)
        at += (size_t)snprintf(csv + at, sizeof csv - at,
                               "i%d,%s|All,%d.5,%d,Film number%d,9%08d,\n", i,
                               i % 2 ? "Drama" : "Comedy", i, 18 + i % 7, i, i);
    struct eddy_catalog *catalog = catalog_of(csv);
    struct eddy_vocabulary *vocabulary = learn(catalog);
    static const struct {
        const char *column;
        enum eddy_column_kind kind;
    } rows[] = {
        {"GENRES", EDDY_COLUMN_CATEGORICAL},
        {"PRICE", EDDY_COLUMN_NUMERIC},
        {"AGE", EDDY_COLUMN_CATEGORICAL},
        {"TITLE", EDDY_COLUMN_TEXT},
        {"EMPTY", EDDY_COLUMN_IGNORED},
        {"CREATION_TIMESTAMP", EDDY_COLUMN_IGNORED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!CHECK_INT(eddy_vocabulary_kind(vocabulary, S(rows[i].column)),
                       rows[i].kind))
            fprintf(stderr, "    %s\n", rows[i].column);
    eddy_vocabulary_free(vocabulary);

    CHECK_INT(eddy_vocabulary_learn(catalog, "PRICE=categorical, title = Ignored",
                                    &vocabulary, NULL),
              0);
    CHECK_INT(eddy_vocabulary_kind(vocabulary, S("PRICE")), EDDY_COLUMN_CATEGORICAL);
    CHECK_INT(eddy_vocabulary_kind(vocabulary, S("TITLE")), EDDY_COLUMN_IGNORED);
    CHECK_INT(eddy_vocabulary_kind(vocabulary, S("GENRES")), EDDY_COLUMN_CATEGORICAL);
    eddy_vocabulary_free(vocabulary);

    struct eddy_err err = {0};
    CHECK_INT(eddy_vocabulary_learn(catalog, "PRICES=text", &vocabulary, &err),
              EDDY_ECONFIG);
    CHECK(strstr(err.text, "'PRICES'") != NULL);
    CHECK_INT(eddy_vocabulary_learn(catalog, "PRICE=number", &vocabulary, &err),
              EDDY_ECONFIG);
    CHECK(strstr(err.text, "'PRICE=number'") != NULL);
    eddy_catalog_free(catalog);
}

static void a_category_needs_two_rows_and_rare_ones_share(void)
{
    struct eddy_catalog *catalog =
        catalog_of("ITEM_ID,G\na,X|Y\nb,X\nc,Y\nd,Z\ne,W|V\nf,\ng,X\nh,X|X\n");
    struct eddy_vocabulary *vocabulary = learn(catalog);
    struct eddy_features features;
    CHECK_INT(eddy_vocabulary_size(vocabulary), 3); /* X, Y, others */
    CHECK_INT(eddy_features_align(vocabulary, catalog, catalog, &features), 0);
    CHECK_INT(features.rows, 8);
    static const struct {
        uint32_t count, index[2];
        float weight;
    } rows[] = {{2, {0, 1}, 0.70710678f},
                {1, {0}, 1},
                {1, {1}, 1},
                {1, {2}, 1},
                {1, {2}, 1},
                {0, {0}, 0},
                {1, {0}, 1},
                {1, {0}, 1}};
    for (uint32_t r = 0; r < 8; r++) {
        uint64_t begin = features.begin[r];
        if (!CHECK_INT(features.begin[r + 1] - begin, rows[r].count))
            continue;
        for (uint32_t i = 0; i < rows[r].count; i++) {
            CHECK_INT(features.index[begin + i], rows[r].index[i]);
            CHECK_NEAR((double)features.weight[begin + i], (double)rows[r].weight,
                       1e-6);
        }
    }
    eddy_features_fini(&features);
    eddy_vocabulary_free(vocabulary);
    eddy_catalog_free(catalog);
}

static void a_number_lies_between_two_knots(void)
{
    char csv[8192];
    size_t at = (size_t)snprintf(csv, sizeof csv, "ITEM_ID,P\n");
    for (int i = 0; i <= 150; i++)
        at += (size_t)snprintf(csv + at, sizeof csv - at, "i%d,%d\n", i, i);
    struct eddy_catalog *catalog = catalog_of(csv);
    struct eddy_vocabulary *vocabulary = learn(catalog);
    struct eddy_catalog *asked = catalog_of("ITEM_ID,P\na,-5\nb,1e6\nc,20\nd,22.5\n"
                                            "e,abc\nf,\n");
    struct eddy_features features;
    CHECK_INT(eddy_vocabulary_size(vocabulary), 16); /* knots 0, 10, ... 150 */
    CHECK_INT(eddy_features_align(vocabulary, asked, asked, &features), 0);
    CHECK_INT(features.index[0], 0);
    CHECK_NEAR((double)features.weight[0], 1, 0);
    CHECK_INT(features.index[1], 15);
    CHECK_INT(features.index[2], 2);
    CHECK_NEAR((double)features.weight[2], 1, 0);
    CHECK_INT(features.begin[4] - features.begin[3], 2);
    CHECK_NEAR((double)features.weight[3] / (double)features.weight[4], 3, 1e-5);
    CHECK_NEAR(hypot((double)features.weight[3], (double)features.weight[4]), 1, 1e-6);
    CHECK_INT(features.begin[6], 5); /* no number, no feature */
    eddy_features_fini(&features);
    eddy_catalog_free(asked);
    eddy_vocabulary_free(vocabulary);
    eddy_catalog_free(catalog);
}

/* Titles of one film are nearer to each other than to other films, in every script; the
 * vocabulary comes from other rows with the same words. */
static void titles_share_their_parts_in_every_script(void)
{
    static const char csv[] = "ITEM_ID,TITLE\n"
                              "a,기생충 (2019)\nb,기생충의 비밀\nc,부산행 열차\n"
                              "d,부산행\ne,千と千尋の神隠し\nf,千と千尋\ng,東京物語\n"
                              "h,東京の物語\ni,卧虎藏龙\nj,藏龙卧虎传\n"
                              "k,Toy Story (1995)\nl,TOY STORY 2 (1999)\n"
                              "m,Ёлки\nn,ёлки новые\no,Ａｌｉｅｎ\np,alien\n"
                              "q,<b>Robot</b>&amp;Frank\nr,robots\n";
    struct eddy_catalog *catalog = catalog_of(csv);
    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_features features;
    CHECK_INT(eddy_vocabulary_learn(catalog, "TITLE=text", &vocabulary, NULL), 0);
    CHECK_INT(eddy_features_align(vocabulary, catalog, catalog, &features), 0);
    for (uint32_t a = 0; a < features.rows; a += 2) {
        for (uint32_t b = 0; b < features.rows; b++) {
            double like = likeness(&features, a, b);
            bool pair = b == a + 1, related = b == a || (a == 0 && b == 0);
            if (pair ? !CHECK(like > 0.3) : !related && b != a && !CHECK(like < 0.3))
                fprintf(stderr, "    %.*s, %.*s: %g\n",
                        (int)eddy_catalog_get(catalog, a, 0).size,
                        eddy_catalog_get(catalog, a, 0).data,
                        (int)eddy_catalog_get(catalog, b, 0).size,
                        eddy_catalog_get(catalog, b, 0).data, like);
        }
    }
    eddy_features_fini(&features);
    eddy_vocabulary_free(vocabulary);
    eddy_catalog_free(catalog);
}

/* Bytes that are no UTF-8 separate; they neither stop anything nor join what they part. */
static void faults_in_texts_are_separators(void)
{
    static const char *const faulty[] = {"alpha\xff"
                                         "beta",
                                         "alpha\xc3 beta",
                                         "alpha\xe0\x80\x80"
                                         "beta",
                                         "alpha\xed\xa0\x80 beta",
                                         "alpha beta\xf0\x9f",
                                         "alpha\xf8\x88\x80\x80\x80 beta",
                                         "<p class='x'>alpha<br/>beta",
                                         "alpha&nbsp;beta",
                                         "\x80"
                                         "alpha \t\n beta\xf4\x90\x80\x80"};
    enum { FAULTY = sizeof faulty / sizeof *faulty };
    struct eddy_catalog *catalog = eddy_catalog_new();
    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_features features;
    uint32_t column = eddy_catalog_add_column(catalog, S("T"));
    for (uint32_t i = 0; i < FAULTY + 2; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", i);
        uint32_t item = eddy_catalog_add(catalog, S(id));
        CHECK_INT(eddy_catalog_set(catalog, item, column,
                                   S(i < FAULTY ? faulty[i] : "alpha beta")),
                  0);
    }
    CHECK_INT(eddy_vocabulary_learn(catalog, "T=text", &vocabulary, NULL), 0);
    CHECK_INT(eddy_features_align(vocabulary, catalog, catalog, &features), 0);
    for (uint32_t i = 0; i < FAULTY; i++)
        if (!CHECK_NEAR(likeness(&features, i, FAULTY), 1, 1e-6))
            fprintf(stderr, "    text %u\n", i);
    eddy_features_fini(&features);
    eddy_vocabulary_free(vocabulary);
    CHECK_INT(eddy_vocabulary_learn(catalog, "T=categorical", &vocabulary, NULL), 0);
    CHECK_INT(eddy_features_align(vocabulary, catalog, catalog, &features), 0);
    CHECK_INT(features.begin[1] - features.begin[0], 1); /* that of unknown values */
    eddy_features_fini(&features);
    eddy_vocabulary_free(vocabulary);
    eddy_catalog_free(catalog);
}

static void nothing_to_learn_from_gives_no_features(void)
{
    static const char *const csvs[] = {"ITEM_ID\na\n", "ITEM_ID,A,B\n",
                                       "ITEM_ID,TITLE\na,Only one row\n",
                                       "ITEM_ID,A,B\na,,\nb,,\n"};
    for (size_t i = 0; i < sizeof csvs / sizeof *csvs; i++) {
        struct eddy_catalog *catalog = catalog_of(csvs[i]);
        struct eddy_vocabulary *vocabulary = learn(catalog);
        struct eddy_features features;
        CHECK_INT(eddy_vocabulary_size(vocabulary), 0);
        CHECK_INT(eddy_features_align(vocabulary, catalog, catalog, &features), 0);
        CHECK_INT(features.rows, eddy_catalog_count(catalog));
        CHECK_INT(features.begin[features.rows], 0);
        eddy_features_fini(&features);
        eddy_vocabulary_free(vocabulary);
        eddy_catalog_free(catalog);
    }
}

static bool features_are_equal(const struct eddy_features *a,
                               const struct eddy_features *b)
{
    size_t n = (size_t)a->begin[a->rows];
    return a->rows == b->rows && a->size == b->size &&
           memcmp(a->begin, b->begin, (a->rows + 1) * sizeof *a->begin) == 0 &&
           memcmp(a->index, b->index, n * sizeof *a->index) == 0 &&
           memcmp(a->weight, b->weight, n * sizeof *a->weight) == 0;
}

static void ten_thousand_rows_come_back_from_json_as_they_were(void)
{
    struct eddy_catalog *catalog = eddy_catalog_new();
    uint32_t genre = eddy_catalog_add_column(catalog, S("GENRES \"x\""));
    uint32_t price = eddy_catalog_add_column(catalog, S("PRICE"));
    uint32_t title = eddy_catalog_add_column(catalog, S("제목"));
    for (uint32_t i = 0; i < 10000; i++) {
        char text[64];
        snprintf(text, sizeof text, "item-%u", i);
        uint32_t item = eddy_catalog_add(catalog, S(text));
        snprintf(text, sizeof text, "g%u|h\"%u", i % 300, i % 17);
        eddy_catalog_set(catalog, item, genre, S(text));
        snprintf(text, sizeof text, "%g", (i * 7919) % 10007 / 3.0);
        eddy_catalog_set(catalog, item, price, S(text));
        snprintf(text, sizeof text, "부산 %u번째 이야기 %c%c", i, 'a' + (int)(i % 26),
                 'a' + (int)(i % 25));
        eddy_catalog_set(catalog, item, title, S(text));
    }
    struct eddy_vocabulary *vocabulary = learn(catalog), *back = NULL;
    struct eddy_features features, again;
    struct eddy_buf json, twice;
    eddy_buf_init(&json, 0);
    eddy_buf_init(&twice, 0);
    CHECK(eddy_vocabulary_size(vocabulary) > 317);
    eddy_vocabulary_encode(vocabulary, &json);
    CHECK_INT(eddy_vocabulary_decode(eddy_buf_span(&json), &back, NULL), 0);
    CHECK_INT(eddy_vocabulary_size(back), eddy_vocabulary_size(vocabulary));
    eddy_vocabulary_encode(back, &twice);
    CHECK(eddy_span_eq(eddy_buf_span(&json), eddy_buf_span(&twice)));
    CHECK_INT(eddy_features_align(vocabulary, catalog, catalog, &features), 0);
    CHECK_INT(eddy_features_align(back, catalog, catalog, &again), 0);
    CHECK(features_are_equal(&features, &again));
    for (uint64_t i = 0; i < features.begin[10000]; i++)
        if (!CHECK(features.index[i] < features.size))
            break;
    eddy_features_fini(&features);
    eddy_features_fini(&again);
    eddy_vocabulary_free(back);
    eddy_vocabulary_free(vocabulary);
    eddy_buf_fini(&json);
    eddy_buf_fini(&twice);
    eddy_catalog_free(catalog);
}

/* One column more, one less, another order: found by name. */
static void rows_are_found_by_id_and_columns_by_name(void)
{
    struct eddy_catalog *catalog =
        catalog_of("ITEM_ID,G,K\na,X,1\nb,X,2\nc,Y,1\nd,Y,2\n");
    struct eddy_catalog *other = catalog_of("ITEM_ID,N,K\nd,n,2\nq,n,1\na,n,1\n");
    struct eddy_vocabulary *vocabulary = learn(catalog);
    struct eddy_features features;
    CHECK_INT(eddy_vocabulary_size(vocabulary), 6);
    CHECK_INT(eddy_features_align(vocabulary, other, other, &features), 0);
    CHECK_INT(features.begin[3], 3); /* K alone */
    CHECK_INT(features.index[1], 3);
    eddy_features_fini(&features);
    CHECK_INT(eddy_features_align(vocabulary, catalog, other, &features), 0);
    CHECK_INT(features.rows, 3);
    CHECK_INT(features.begin[1], 2);
    CHECK_INT(features.begin[2], 2); /* q is not in the catalogue */
    CHECK_INT(features.begin[3], 4);
    float table[6 * 2] = {1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60}, sum[2] = {0.5f, 0};
    eddy_features_add(&features, 2, table, 2, sum); /* X is 0, 1 is 3 */
    CHECK_NEAR((double)sum[0], 5.5, 0);
    CHECK_NEAR((double)sum[1], 50, 0);
    eddy_features_fini(&features);
    eddy_vocabulary_free(vocabulary);
    eddy_catalog_free(other);
    eddy_catalog_free(catalog);
}

static void a_damaged_vocabulary_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"columns\":{}}",
        "{\"columns\":[1]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"odd\"}]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"numeric\",\"knots\":[]}]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"numeric\",\"knots\":[2,1]}]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"text\",\"buckets\":[4096]}]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"text\",\"buckets\":[2,2]}]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"text\",\"buckets\":[-1]}]}",
        "{\"columns\":[{\"name\":\"a\",\"kind\":\"categorical\",\"values\":[1]}]}",
        "{\"columns\":[{\"kind\":\"ignored\"}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct eddy_vocabulary *vocabulary = NULL;
        struct eddy_err err = {0};
        if (!CHECK_INT(eddy_vocabulary_decode(S(texts[i]), &vocabulary, &err),
                       EDDY_EFORMAT))
            fprintf(stderr, "    %s\n", texts[i]);
        CHECK(strstr(err.text, "features") != NULL);
    }
}

int main(void)
{
    RUN(kinds_follow_the_values);
    RUN(a_category_needs_two_rows_and_rare_ones_share);
    RUN(a_number_lies_between_two_knots);
    RUN(titles_share_their_parts_in_every_script);
    RUN(faults_in_texts_are_separators);
    RUN(nothing_to_learn_from_gives_no_features);
    RUN(ten_thousand_rows_come_back_from_json_as_they_were);
    RUN(rows_are_found_by_id_and_columns_by_name);
    RUN(a_damaged_vocabulary_is_refused);
    return check_done();
}
