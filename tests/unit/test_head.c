/* The head's additions against a double loop over all items, and what its parts are. */
#include "core/head.h"

#include <stdlib.h>

#include "base/vmath.h"
#include "check.h"
#include "core/head_store.h"
#include "tiny_tables.h"
#include "torture.h"

enum { ITEMS = 133, RECENT = 30, SHOWN = 50 };

static struct tiny_tables tiny;
static struct eddy_head_scratch *scratch;

static float table_value(const struct eddy_table *table, uint32_t row, uint32_t item)
{
    for (uint64_t i = table->begin[row]; i < table->begin[row + 1]; i++)
        if (table->index[i] == item)
            return table->weight[i];
    return 0;
}

/* s_f of one item, by its definition. */
static float slow_feature(enum eddy_head_feature feature,
                          struct eddy_head_recent recent, uint32_t item)
{
    static struct eddy_neighbours_scratch *near;
    uint32_t items[ITEMS];
    float weights[ITEMS], sum = 0;
    if (feature == EDDY_HEAD_NEIGHBOURS) {
        near = eddy_neighbours_scratch_new(&tiny.tables.sessions);
        uint32_t n =
            eddy_neighbours_vote(&tiny.tables.sessions, &tiny.head.neighbours, near,
                                 recent.items, recent.count, items, weights, ITEMS);
        for (uint32_t i = 0; i < n; i++)
            sum = items[i] == item ? weights[i] : sum;
        eddy_neighbours_scratch_free(near);
        return sum;
    }
    for (uint32_t i = 0; feature == EDDY_HEAD_SHOWN && i < recent.shown_count; i++)
        if (recent.shown[i].item == item)
            sum += (float)recent.shown[i].times *
                   eddy_expf(-(float)recent.shown[i].age / tiny.head.decay[feature]);
    for (uint32_t p = 0; feature != EDDY_HEAD_SHOWN && p < recent.count; p++) {
        uint32_t row = recent.items[recent.count - 1 - p];
        float share = eddy_expf(-(float)p / tiny.head.decay[feature]);
        if (feature == EDDY_HEAD_SEEN)
            sum += row == item ? share : 0;
        else if (p < tiny.head.recent)
            sum +=
                share * table_value(feature == EDDY_HEAD_RELATED ? &tiny.tables.related
                                                                 : &tiny.tables.rules,
                                    row, item);
    }
    return sum;
}

static float slow_addition(struct eddy_head_recent recent, uint32_t item, bool *touched)
{
    uint32_t bucket = eddy_head_bucket(recent.count);
    float value = 0;
    *touched = false;
    for (int f = 0; f < EDDY_HEAD_FEATURES; f++) {
        float s = slow_feature((enum eddy_head_feature)f, recent, item);
        float weight = tiny.head.weight[bucket][f];
        if (weight == 0 || s == 0)
            continue;
        *touched = true;
        value += weight * eddy_log1pf(tiny.head.scale[f] * s);
    }
    return value;
}

static struct eddy_head_recent recent_of(uint32_t *items, uint32_t count, uint64_t seed)
{
    static struct eddy_head_shown shown[SHOWN];
    uint32_t shown_count = (count * 7 + 3) % SHOWN;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (uint32_t i = 0; i < count; i++)
        items[i] = eddy_rng_below(&rng, i % 3 == 0 ? 5 : ITEMS);
    for (uint32_t i = 0; i < shown_count; i++)
        shown[i] = (struct eddy_head_shown){(i * 17 + (uint32_t)seed) % ITEMS,
                                            1 + i % 3, (shown_count - 1 - i) / 6};
    return (struct eddy_head_recent){items, count, shown, shown_count};
}

static void additions_equal_a_double_loop_bit_for_bit(void)
{
    uint32_t items[RECENT];
    for (uint32_t round = 0; round < 60; round++) {
        struct eddy_head_recent recent = recent_of(items, round % RECENT, round);
        const struct eddy_addition *list;
        uint32_t count =
            eddy_head_additions(&tiny.tables, &tiny.head, scratch, recent, &list);
        uint32_t at = 0;
        for (uint32_t item = 0; item < ITEMS; item++) {
            bool touched;
            float want = slow_addition(recent, item, &touched);
            if (!touched)
                continue;
            if (!CHECK(at < count))
                return;
            CHECK_INT(list[at].item, item);
            CHECK(list[at].value == want);
            at++;
        }
        CHECK_INT(at, count);
    }
}

static void single_features_have_each_item_once(void)
{
    uint32_t items[RECENT];
    for (int f = 0; f < EDDY_HEAD_FEATURES; f++) {
        struct eddy_head_recent recent = recent_of(items, 17, 5);
        const struct eddy_addition *list;
        bool there[ITEMS] = {false};
        uint32_t count =
            eddy_head_feature_values(&tiny.tables, &tiny.head, scratch,
                                     (enum eddy_head_feature)f, recent, &list);
        CHECK(count > 0);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(!there[list[i].item]);
            there[list[i].item] = true;
            CHECK(list[i].value ==
                  slow_feature((enum eddy_head_feature)f, recent, list[i].item));
        }
        for (uint32_t i = 0; i < ITEMS; i++)
            CHECK(there[i] || slow_feature((enum eddy_head_feature)f, recent, i) == 0);
    }
}

static void buckets_are_those_of_the_contract(void)
{
    static const uint32_t want[] = {0, 1, 2, 3, 3, 3, 4, 4};
    for (uint32_t i = 0; i < 8; i++)
        CHECK_INT(eddy_head_bucket(i), want[i]);
    CHECK_INT(eddy_head_bucket(19), 4);
    CHECK_INT(eddy_head_bucket(20), 5);
    CHECK_INT(eddy_head_bucket(200), 5);
}

static void a_plain_head_uses_nothing(void)
{
    struct eddy_head head = eddy_head_plain;
    CHECK(eddy_head_is_plain(&head));
    CHECK(!eddy_head_uses(&head, EDDY_HEAD_RULES));
    head.weight[5][EDDY_HEAD_SEEN] = -1;
    CHECK(eddy_head_uses(&head, EDDY_HEAD_SEEN));
    CHECK(!eddy_head_is_plain(&head));
    head = eddy_head_plain;
    head.network[3] = false;
    CHECK(!eddy_head_is_plain(&head));
    head = eddy_head_plain;
    head.prior[0][5] = 1;
    CHECK(eddy_head_uses_prior(&head, 5) && !eddy_head_is_plain(&head));
}

static void stored_weights_come_back(void)
{
    struct eddy_tables tables = {0};
    struct eddy_head head;
    char *json = NULL;
    CHECK_INT(eddy_head_encode(&tiny.tables, &tiny.head, &json, NULL), 0);
    CHECK_INT(eddy_head_decode(json, &tables, &head, NULL), 0);
    for (int b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        CHECK_INT(head.network[b], tiny.head.network[b]);
        for (int f = 0; f < EDDY_HEAD_FEATURES; f++)
            CHECK(head.weight[b][f] == tiny.head.weight[b][f]);
        for (int h = 0; h < EDDY_HALF_LIVES_MAX; h++)
            CHECK(head.prior[b][h] == tiny.head.prior[b][h]);
    }
    for (int f = 0; f < EDDY_HEAD_FEATURES; f++) {
        CHECK(head.scale[f] == tiny.head.scale[f]);
        CHECK(head.decay[f] == tiny.head.decay[f]);
    }
    CHECK_INT(head.recent, 4);
    CHECK_INT(head.neighbours.neighbours, 20);
    CHECK(head.neighbours.idf);
    CHECK_NEAR(head.neighbours.distance_decay, 2, 0);
    CHECK_INT(tables.priors, 3);
    CHECK_NEAR(tables.half_life_s[1], 86400, 0);
    free(json);
    CHECK_INT(eddy_head_encode(NULL, &eddy_head_plain, &json, NULL), 0);
    CHECK(json == NULL);
    CHECK_INT(eddy_head_decode(NULL, &tables, &head, NULL), 0);
    CHECK(eddy_head_is_plain(&head));
}

static void heads_without_impressions_are_stored_as_before_there_were_any(void)
{
    struct eddy_tables tables = {0};
    struct eddy_head head, old = tiny.head;
    char *json = NULL;
    for (int b = 0; b < EDDY_HEAD_BUCKETS; b++)
        old.weight[b][EDDY_HEAD_SHOWN] = 0;
    CHECK_INT(eddy_head_encode(&tiny.tables, &old, &json, NULL), 0);
    CHECK(strstr(json, "\"scale\":[1.0,20.0,7.0,1.0]") != NULL);
    CHECK(strstr(json, "[0.5,0.75,0.25,0.5]") != NULL);
    CHECK_INT(eddy_head_decode(json, &tables, &head, NULL), 0);
    CHECK(!eddy_head_uses(&head, EDDY_HEAD_SHOWN));
    CHECK_NEAR(head.scale[EDDY_HEAD_SHOWN], 1, 0);
    CHECK_NEAR(head.decay[EDDY_HEAD_SHOWN], 1, 0);
    CHECK_NEAR(head.weight[3][EDDY_HEAD_SEEN], -2, 0);
    free(json);
}

/* Each case puts one text in the place of another. */
static void weights_that_lie_are_refused(void)
{
    static const char *const cases[][2] = {
        {"\"recent\":4", "\"recent\":21"},
        {"\"recent\":4", "\"recent\":-1"},
        {"\"recent\":4", "\"recent\":\"4\""},
        {"\"scale\":[1.0", "\"scale\":[0.0"},
        {"\"scale\":[1.0", "\"scale\":[1e300"},
        {"\"scale\":[1.0", "\"scale\":[1.0,1.0"},
        {"\"decay\":[3.0", "\"decay\":[-3.0"},
        {"[0.5,0.75,0.25,0.5,-1.5]", "[0.5,-0.75,0.25,0.5,-1.5]"},
        {"[0.5,0.75,0.25,0.5,-1.5]", "[0.5,0.75,0.25,0.5,-1500000]"},
        {"[0.5,0.75,0.25,0.5,-1.5]", "[0.5,0.75,0.25]"},
        {"[0.5,0.75,0.25,0.5,-1.5]", "[0.5,0.75,0.25,0.5]"},
        {"\"scale\":[1.0,20.0,7.0,1.0,3.0]", "\"scale\":[1.0,20.0,7.0,1.0]"},
        {"\"network\":[true", "\"network\":[1"},
        {"\"network\":[true,", "\"network\":["},
        {"\"half_life_s\":[3600.0,", "\"half_life_s\":["},
        {"\"half_life_s\":[3600.0,", "\"half_life_s\":[1,2,3,4,5,6,"},
        {"\"candidates\":100", "\"candidates\":100000000"},
        {"\"distance_decay\":2.0", "\"distance_decay\":-2.0"},
        {"\"idf\":true", "\"idf\":1"},
        {"{", "["},
    };
    char *json = NULL;
    CHECK_INT(eddy_head_encode(&tiny.tables, &tiny.head, &json, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_tables tables = {0};
        struct eddy_head head;
        struct eddy_err err = {0};
        char text[4096];
        const char *at = strstr(json, cases[i][0]);
        if (!CHECK(at != NULL)) {
            fprintf(stderr, "    %s\n    %s\n", cases[i][0], json);
            continue;
        }
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - json), json,
                       cases[i][1], at + strlen(cases[i][0]));
        if (!CHECK_INT(eddy_head_decode(text, &tables, &head, &err), EDDY_EFORMAT))
            fprintf(stderr, "    case %zu\n", i);
    }
    free(json);
}

static void a_head_without_its_tables_is_not_written(void)
{
    struct eddy_tables none = {0};
    struct eddy_head head = tiny.head;
    struct eddy_err err = {0};
    char *json = NULL;
    CHECK_INT(eddy_head_encode(&none, &head, &json, &err), EDDY_ECONFIG);
    CHECK_INT(eddy_head_encode(NULL, &head, &json, &err), EDDY_ECONFIG);
    head.weight[0][0] = NAN;
    CHECK_INT(eddy_head_encode(&tiny.tables, &head, &json, &err), EDDY_ECONFIG);
    CHECK(json == NULL);
}

static bool scratch_is_made(void)
{
    struct eddy_head_scratch *made = eddy_head_scratch_new(&tiny.tables, &tiny.head);
    eddy_head_scratch_free(made);
    return made != NULL;
}

static void memory_may_run_out(void)
{
    TORTURE(scratch_is_made);
}

int main(void)
{
    CHECK_INT(tiny_tables_make(&tiny, ITEMS, 9), 0);
    scratch = eddy_head_scratch_new(&tiny.tables, &tiny.head);
    RUN(additions_equal_a_double_loop_bit_for_bit);
    RUN(single_features_have_each_item_once);
    RUN(buckets_are_those_of_the_contract);
    RUN(a_plain_head_uses_nothing);
    RUN(stored_weights_come_back);
    RUN(heads_without_impressions_are_stored_as_before_there_were_any);
    RUN(weights_that_lie_are_refused);
    RUN(a_head_without_its_tables_is_not_written);
    RUN(memory_may_run_out);
    eddy_head_scratch_free(scratch);
    eddy_tables_fini(&tiny.tables);
    return check_done();
}
