/* Training that goes on from an older model: what that knew is known at once, of items by
 * their ids, of metadata and context by column and value. */
#include <math.h>
#include <stdlib.h>

#include "core/build.h"
#include "core/split.h"
#include "train_walks.h"

/* Of each user the older half of the events; indices of items stay. */
static void keep_first_half(struct eddy_interactions *in)
{
    uint8_t *marks = calloc(in->count, 1);
    for (uint32_t u = 0; u < USERS; u++)
        for (uint64_t i = in->user_begin[u]; i < in->user_begin[u + 1]; i++)
            marks[i] =
                i - in->user_begin[u] < EVENTS / 2 ? EDDY_MARK_TRAIN : EDDY_MARK_UNUSED;
    eddy_interactions_filter(in, marks, EDDY_KEEP(EDDY_MARK_TRAIN));
    free(marks);
}

/* A model of the first half goes on with the second: it knows at once what it knew, learns
 * what is new, and old events are targets again for a sample of users only. */
static void a_warm_start_goes_on_from_an_older_model(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_interactions half = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result old, cold, warmed;
    uint32_t items[ITEMS];
    uint16_t types[3] = {0, 1, 2};
    options.hidden_dimension = 32;
    options.epochs = 40;
    options.patience = 40;
    options.dropout = 0;
    options.allow_small = true;
    keep_first_half(&half);
    CHECK_INT(eddy_train(&half, &options, NULL, NULL, &old, NULL), 0);
    options.epochs = 3;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &cold, NULL), 0);
    for (uint32_t i = 0; i < ITEMS; i++)
        items[i] = i == 7 ? EDDY_ITEM_NONE : i;
    struct eddy_train_warm warm = {.layout = &old.layout,
                                   .params = old.params,
                                   .items = items,
                                   .types = types,
                                   .newest_ms = old.selection.newest_ms,
                                   .replay = 0.2};
    options.warm = &warm;
    CHECK_INT(in.type_count, 3);
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &warmed, NULL), 0);
    CHECK(warmed.best_ndcg > cold.best_ndcg);
    CHECK(warmed.best_ndcg > 0.5);
    CHECK(warmed.events < cold.events); /* not all old ones again */
    eddy_train_result_fini(&warmed);
    struct eddy_err err = {0};
    options.hidden_dimension = 33;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &warmed, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, "hidden_dimension 32") != NULL);
    eddy_train_result_fini(&old);
    eddy_train_result_fini(&cold);
    eddy_interactions_fini(&half);
    eddy_interactions_fini(&in);
}

/* ---- features ------------------------------------------------------------------------ */

static struct eddy_catalog *items_of(const char *csv)
{
    struct eddy_catalog *catalog = NULL;
    CHECK_INT(eddy_items_parse(eddy_span_of(csv), "items.csv", false, &catalog, NULL),
              0);
    return catalog;
}

static struct eddy_vocabulary *vocabulary_of(const char *json)
{
    struct eddy_vocabulary *vocabulary = NULL;
    struct eddy_err err = {0};
    CHECK_INT(eddy_vocabulary_decode(eddy_span_of(json), &vocabulary, &err), 0);
    CHECK_STR(err.text, "");
    return vocabulary;
}

static void features_are_found_by_column_and_value(void)
{
    struct eddy_vocabulary *older = vocabulary_of(
        "{\"columns\":[{\"name\":\"GENRE\",\"kind\":\"categorical\",\"values\":[\"war\","
        "\"love\"]}," /* 0, 1, rare 2 */
        "{\"name\":\"SIZE\",\"kind\":\"categorical\",\"values\":[\"1\"]}," /* 3, 4 */
        "{\"name\":\"PRICE\",\"kind\":\"numeric\",\"knots\":[1,2,4]},"     /* 5 to 7 */
        "{\"name\":\"TITLE\",\"kind\":\"text\",\"buckets\":[7,30]}]}");    /* 8, 9 */
    struct eddy_vocabulary *vocabulary = vocabulary_of(
        "{\"columns\":[{\"name\":\"NEW\",\"kind\":\"categorical\",\"values\":[\"a\"]},"
        "{\"name\":\"TITLE\",\"kind\":\"text\",\"buckets\":[30,31]},"
        "{\"name\":\"SIZE\",\"kind\":\"numeric\",\"knots\":[1,9]},"
        "{\"name\":\"CODE\",\"kind\":\"ignored\"},"
        "{\"name\":\"PRICE\",\"kind\":\"numeric\",\"knots\":[0.5,2,2.5,9]},"
        "{\"name\":\"GENRE\",\"kind\":\"categorical\",\"values\":[\"love\",\"space\","
        "\"war\"]}]}");
    static const struct eddy_feature_origin want[] = {
        {{0, 0}, {0, 0}},         {{0, 0}, {0, 0}}, /* a column that is new */
        {{9, 9}, {1, 0}},         {{0, 0}, {0, 0}}, /* an n-gram that is new */
        {{0, 0}, {0, 0}},         {{0, 0}, {0, 0}}, /* of another kind now */
        {{5, 5}, {1, 0}},         {{6, 6}, {1, 0}}, /* below all knots, on one, */
        {{6, 7}, {0.75f, 0.25f}}, {{7, 7}, {1, 0}}, /* between two, above all */
        {{1, 1}, {1, 0}},         {{2, 2}, {1, 0}}, /* "space" was rare */
        {{0, 0}, {1, 0}},         {{2, 2}, {1, 0}},
    };
    enum { N = sizeof want / sizeof *want };
    struct eddy_feature_origin got[N];
    CHECK_INT(eddy_vocabulary_size(vocabulary), N);
    eddy_vocabulary_trace(vocabulary, older, got);
    for (int f = 0; f < N; f++)
        for (int k = 0; k < 2; k++) {
            bool good = CHECK_INT(got[f].at[k], want[f].at[k]);
            good =
                CHECK_NEAR((double)got[f].weight[k], (double)want[f].weight[k], 1e-6) &&
                good;
            if (!good)
                fprintf(stderr, "    feature %d\n", f);
        }
    eddy_vocabulary_trace(vocabulary, NULL, got);
    for (int f = 0; f < N; f++)
        CHECK(got[f].weight[0] == 0 && got[f].weight[1] == 0);
    eddy_vocabulary_free(vocabulary);
    eddy_vocabulary_free(older);
}

/* ---- a model with metadata and context ------------------------------------------------- */

enum { COLD = 6 };

/* Walks on ITEMS items with a context; COLD items more that nobody has. later: the same items
 * with the same metadata, in another order and with COLD newer ones like the cold ones. */
struct world {
    struct eddy_catalog *items, *users;
    struct eddy_interactions in;
    struct eddy_build_result model;
};

static void put_item(struct eddy_buf *csv, const char *prefix, uint32_t item)
{
    static const char *const genres[] = {"war", "love", "space"};
    char year[16] = "";
    if (prefix[0] == 'i') /* of the others unknown: quantiles change with the file */
        (void)snprintf(year, sizeof year, "%u", item * 3);
    eddy_buf_printf(csv, "%s%u,%s,%s,the %s story\n", prefix, item, genres[item % 3],
                    year, genres[(item + 1) % 3]);
}

static struct eddy_catalog *world_items(bool later)
{
    struct eddy_buf csv = csv_begin("ITEM_ID,GENRE,YEAR,TITLE\n");
    for (uint32_t i = 0; later && i < COLD; i++)
        put_item(&csv, "n", i);
    for (uint32_t i = 0; i < 8 && later;
         i++) /* the most frequent genre: others move on */
        eddy_buf_printf(&csv, "f%u,fun|war|love,%u,fun\n", i, 200 + i);
    for (uint32_t i = 0; i < ITEMS; i++)
        put_item(&csv, "i", later ? ITEMS - 1 - i : i);
    for (uint32_t i = 0; i < COLD; i++)
        put_item(&csv, "c", i);
    struct eddy_catalog *items = items_of(csv.data);
    eddy_buf_fini(&csv);
    return items;
}

static struct eddy_catalog *world_users(bool later)
{
    struct eddy_catalog *users = NULL;
    struct eddy_buf csv = csv_begin(later ? "USER_ID,TOWN,STEP\n" : "USER_ID,STEP\n");
    for (uint32_t u = 0; u < USERS; u++)
        eddy_buf_printf(&csv, later ? "u%u,x,s%u\n" : "u%u,s%u\n", u, u % 3);
    CHECK_INT(eddy_users_parse(eddy_buf_span(&csv), "users.csv", false, &users, NULL),
              0);
    eddy_buf_fini(&csv);
    return users;
}

static struct eddy_interactions world_log(const struct eddy_catalog *items)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP,DEVICE\n");
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t e = 0, item = u * 7 % ITEMS; e < EVENTS; e++) {
            eddy_buf_printf(&csv, "u%u,i%u,%u,%s\n", u, item,
                            1000000000 + u * 1000 + e * 60, e % 3 ? "phone" : "tv");
            item = (item + 1 + u % 3) % ITEMS;
        }
    return rows_of_csv(&csv, items);
}

static struct world world_of(bool later, double rate,
                             const struct eddy_train_warm *warm,
                             const struct world *before)
{
    struct world world = {.items = world_items(later), .users = world_users(later)};
    struct eddy_build_options options = {.network = true,
                                         .item_metadata = true,
                                         .user_metadata = true,
                                         .context_metadata = true,
                                         .train = options_of(EDDY_CELL_MINGRU,
                                                             EDDY_MODE_FLAT)};
    struct eddy_err err = {0};
    world.in = world_log(world.items);
    struct eddy_build_inputs inputs = {
        .interactions = &world.in, .items = world.items, .users = world.users};
    uint32_t *from = NULL;
    struct eddy_train_warm with;
    options.train.learning_rate = rate;
    options.train.epochs = warm ? 1 : 3;
    if (warm != NULL) {
        uint32_t count = eddy_catalog_count(world.in.items);
        from = malloc(count * sizeof *from);
        for (uint32_t i = 0; i < count; i++)
            from[i] =
                eddy_catalog_find(before->in.items, eddy_catalog_id(world.in.items, i));
        with = *warm;
        with.items = from;
        options.train.warm = &with;
    }
    CHECK_INT(eddy_build(&inputs, &options, NULL, NULL, &world.model, &err), 0);
    CHECK_STR(err.text, "");
    free(from);
    return world;
}

static void world_fini(struct world *world)
{
    eddy_build_result_fini(&world->model);
    eddy_interactions_fini(&world->in);
    eddy_catalog_free(world->items);
    eddy_catalog_free(world->users);
}

/* E of an item and its bias behind it. */
static void item_of(struct world *world, const char *prefix, uint32_t number,
                    float ret[17])
{
    const struct eddy_layout *layout = &world->model.network.layout;
    float *params = world->model.network.params;
    char id[16];
    (void)snprintf(id, sizeof id, "%s%u", prefix, number);
    uint32_t item = eddy_catalog_find(world->in.items, eddy_span_of(id));
    CHECK(item != EDDY_ITEM_NONE);
    CHECK_INT(layout->shape.hidden, 16);
    memcpy(ret, eddy_global(layout, params, EDDY_G_ITEM) + (size_t)item * 16,
           16 * sizeof *ret);
    ret[16] = eddy_global(layout, params, EDDY_G_ITEM_BIAS)[item];
}

static double length_of(const float *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t k = 0; k < n; k++)
        sum += (double)values[k] * (double)values[k];
    return sqrt(sum);
}

/* What the older model says of `old` the newer one says of `now`; *bias: how much the bias
 * has changed, for all items of a kind alike. */
static void check_item(struct world *before, struct world *after, const char *old,
                       const char *now, uint32_t number, double *bias)
{
    float a[17], b[17];
    item_of(before, old, number, a);
    item_of(after, now, number, b);
    CHECK(length_of(a, 16) > 0.05);
    for (int k = 0; k < 16; k++)
        if (!CHECK_NEAR((double)b[k], (double)a[k], 1e-4))
            fprintf(stderr, "    %s%u\n", now, number);
    double change = (double)b[16] - (double)a[16];
    *bias = isnan(*bias) ? change : *bias;
    CHECK_NEAR(change, *bias, 1e-4);
}

/* The rows of a table that have an origin equal what it was, the others are zero. */
static void check_table(struct world *before, struct world *after,
                        enum eddy_global_tensor id, const struct eddy_vocabulary *here,
                        const struct eddy_vocabulary *older)
{
    const struct eddy_layout *now = &after->model.network.layout;
    const struct eddy_layout *then = &before->model.network.layout;
    uint32_t rows = now->tensors[id].rows, n = now->tensors[id].cols, found = 0;
    const float *b = eddy_global(now, after->model.network.params, id);
    const float *a = eddy_global(then, before->model.network.params, id);
    struct eddy_feature_origin *origins = malloc(rows * sizeof *origins);
    double length = 0;
    CHECK_INT(eddy_vocabulary_size(here), rows);
    eddy_vocabulary_trace(here, older, origins);
    for (uint32_t f = 0; f < rows; f++) {
        found += origins[f].weight[0] > 0;
        for (uint32_t k = 0; k < n; k++) {
            double want = 0;
            for (int o = 0; o < 2; o++)
                want += (double)origins[f].weight[o] *
                        (double)a[(size_t)origins[f].at[o] * n + k];
            CHECK_NEAR((double)b[(size_t)f * n + k], want, 1e-4);
            length += fabs(want);
        }
    }
    CHECK(found > 1);
    CHECK(length > 0.01);
    free(origins);
}

/* At a rate that moves nothing the newer model is the older one: for known items, for items
 * without events, for users and contexts, and for items that it could not rank, which have
 * the place of the older model's cold items of the same metadata. */
static void what_metadata_says_is_carried_over(void)
{
    struct world before = world_of(false, 0.01, NULL, NULL);
    uint16_t types[2] = {0, 1};
    double same = 0, resting = 0, fresh = NAN;
    struct eddy_train_warm warm = {.layout = &before.model.network.layout,
                                   .params = before.model.network.params,
                                   .types = types,
                                   .newest_ms = INT64_MIN,
                                   .vocabularies = &before.model.vocabularies};
    struct world after = world_of(true, 1e-8, &warm, &before);
    const struct eddy_vocabularies *here = &after.model.vocabularies;
    const struct eddy_vocabularies *older = &before.model.vocabularies;
    CHECK(eddy_vocabulary_size(here->items) != eddy_vocabulary_size(older->items));
    for (uint32_t i = 0; i < ITEMS; i++)
        check_item(&before, &after, "i", "i", i, &same);
    for (uint32_t i = 0; i < COLD; i++) {
        check_item(&before, &after, "c", "c", i, &resting);
        check_item(&before, &after, "c", "n", i, &fresh);
    }
    check_table(&before, &after, EDDY_G_ITEM_FEATURES, here->items, older->items);
    check_table(&before, &after, EDDY_G_ITEM_FEATURE_BIAS, here->items, older->items);
    check_table(&before, &after, EDDY_G_USER_FEATURES, here->users, older->users);
    check_table(&before, &after, EDDY_G_CONTEXT_FEATURES, here->context,
                older->context);
    check_table(&before, &after, EDDY_G_CONTEXT_QUERY, here->context, older->context);
    world_fini(&after);
    world_fini(&before);
}

int main(void)
{
    RUN(a_warm_start_goes_on_from_an_older_model);
    RUN(features_are_found_by_column_and_value);
    RUN(what_metadata_says_is_carried_over);
    return check_done();
}
