#include "core/list.h"

#include <jansson.h>
#include <stdlib.h>

#include "check.h"
#include "spans.h"
#include "tiny_model.h"

static struct eddy_snapshot *snapshot;
static struct eddy_state *state;

static const char *encode(const char *user, const struct eddy_scored *items,
                          uint32_t count)
{
    static struct eddy_buf out;
    eddy_buf_fini(&out);
    eddy_list_encode(S("eddy"), S(user), state, snapshot, items, count, &out);
    CHECK(!out.failed);
    return out.data;
}

static void list_has_the_fields_of_the_contract(void)
{
    const struct eddy_scored items[] = {{9, 3.1415927f}, {1, -0.5f}, {2, 0}};
    char want[512];
    state->revision = 42;
    state->newest_s = 1625133870;
    const char *text = encode("u\"1", items, 3);
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *rid = json_string_value(json_object_get(list, "recommendationId"));
    CHECK(rid && strlen(rid) == 32 && strspn(rid, "0123456789abcdef") == 32);
    snprintf(want, sizeof want,
             "{\"user\":\"u\\\"1\",\"rev\":42,\"ts\":1625133870000,\"model\":\"%s\","
             "\"policy\":\"relevance\",\"recommendationId\":\"%s\",\"items\":["
             "{\"id\":\"i9\",\"score\":3.141593,\"p\":1},"
             "{\"id\":\"i1\",\"score\":-0.500000,\"p\":1},"
             "{\"id\":\"i2\",\"score\":0.000000,\"p\":1}]}",
             snapshot->manifest.version, rid);
    CHECK_STR(text, want);
    json_decref(list);
}

static void empty_list_is_valid(void)
{
    json_t *list = json_loads(encode("u", NULL, 0), 0, NULL);
    CHECK_INT(json_array_size(json_object_get(list, "items")), 0);
    CHECK(list != NULL);
    json_decref(list);
}

static void scores_have_six_decimals_like_the_buffer_writes_them(void)
{
    static const float scores[] = {0,      -0.0f,    1e-7f,      4.9e-7f,   5.1e-7f,
                                   -1e-7f, 0.1f,     0.9999999f, 123456.7f, -8e9f,
                                   9.5e9f, -3.4e38f, 1e-45f,     8.99e9f};
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 3);
    for (int i = 0; i < 20000; i++) {
        struct eddy_scored item = {1, 0};
        item.score = i < 14 ? scores[i]
                            : (float)(eddy_rng_normal(&rng) *
                                      pow(10, (int)eddy_rng_below(&rng, 14) - 5));
        const char *text = encode("u", &item, 1);
        struct eddy_buf want;
        eddy_buf_init(&want, 0);
        eddy_buf_put_fixed(&want, (double)item.score, 6);
        const char *at = strstr(text, "\"score\":") + 8;
        if (!CHECK(strncmp(at, want.data, want.size) == 0 && at[want.size] == ',')) {
            fprintf(stderr, "    score %.9g: %.30s, want %s\n", (double)item.score, at,
                    want.data);
        }
        eddy_buf_fini(&want);
    }
}

static void ids_out_of_the_ordinary_are_escaped(void)
{
    char nasty[257] = {0};
    for (int i = 0; i < 256; i++) {
        nasty[i] = "\"\\\x01\n"[i % 4];
    }
    struct tiny tiny = tiny_default;
    tiny.odd_id = nasty;
    struct eddy_snapshot *other = tiny_open(&tiny);
    struct eddy_scored items[60];
    struct eddy_buf out;
    for (int i = 0; i < 60; i++) { /* escapes take six times the room planned */
        items[i] = (struct eddy_scored){i % 3 ? 0 : 7, (float)i};
    }
    eddy_buf_init(&out, 0);
    eddy_list_encode(S("eddy"), S("u"), state, other, items, 60, &out);
    json_t *list = json_loads(out.data, 0, NULL);
    json_t *got = json_object_get(list, "items");
    CHECK_INT(json_array_size(got), 60);
    CHECK_STR(json_string_value(json_object_get(json_array_get(got, 59), "id")), nasty);
    CHECK_STR(json_string_value(json_object_get(json_array_get(got, 57), "id")), "i7");
    json_decref(list);
    eddy_buf_fini(&out);
    eddy_snapshot_release(other);
}

static void rid_of(const char *prefix, const char *user, uint64_t revision,
                   const struct eddy_snapshot *with, char ret[33])
{
    struct eddy_buf out;
    uint64_t before = state->revision;
    eddy_buf_init(&out, 0);
    state->revision = revision;
    eddy_list_encode(S(prefix), S(user), state, with, NULL, 0, &out);
    memcpy(ret, strstr(out.data, "recommendationId\":\"") + 19, 32);
    ret[32] = '\0';
    state->revision = before;
    eddy_buf_fini(&out);
}

static void recommendation_ids_differ_by_prefix_user_revision_and_model(void)
{
    struct tiny tiny = tiny_default;
    tiny.seed = 5;
    struct eddy_snapshot *other = tiny_open(&tiny);
    char ids[6][33];
    rid_of("eddy", "u1", 7, snapshot, ids[0]);
    rid_of("shop", "u1", 7, snapshot, ids[1]);
    rid_of("eddy", "u2", 7, snapshot, ids[2]);
    rid_of("eddy", "u1", 8, snapshot, ids[3]);
    rid_of("eddy", "u1", 7, other, ids[4]);
    rid_of("eddy", "u1", 7, snapshot, ids[5]);
    CHECK_STR(ids[5], ids[0]);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < i; k++) {
            CHECK(memcmp(ids[i], ids[k], 16) != 0);
            CHECK(memcmp(ids[i] + 16, ids[k] + 16, 16) != 0);
        }
    }
    eddy_snapshot_release(other);
}

static void default_list_is_the_most_popular_items(void)
{
    struct eddy_buf out;
    struct eddy_scored popular[500];
    eddy_buf_init(&out, 0);
    CHECK_INT(eddy_list_popular(snapshot, 500, popular), 50);
    CHECK_INT(eddy_list_popular(snapshot, 3, popular), 3);
    eddy_list_encode_default(S("eddy"), snapshot, 3, &out);
    json_t *list = json_loads(out.data, 0, NULL);
    json_t *items = json_object_get(list, "items");
    CHECK_STR(json_string_value(json_object_get(list, "user")), "");
    CHECK_INT(json_integer_value(json_object_get(list, "rev")), 0);
    CHECK_INT(json_array_size(items), 3);
    for (uint32_t i = 0; i < 3; i++) {
        char id[16];
        json_t *item = json_array_get(items, i);
        snprintf(id, sizeof id, "i%u", popular[i].item);
        CHECK_STR(json_string_value(json_object_get(item, "id")), id);
        CHECK_NEAR(json_real_value(json_object_get(item, "score")),
                   snapshot->popularity[popular[i].item], 1e-6);
    }
    json_decref(list);
    eddy_buf_clear(&out);
    eddy_list_encode_default(S("eddy"), snapshot, 10000, &out);
    list = json_loads(out.data, 0, NULL);
    CHECK_INT(json_array_size(json_object_get(list, "items")), 50);
    json_decref(list);
    eddy_buf_fini(&out);
}

static void full_buffer_is_a_sticky_failure(void)
{
    const struct eddy_scored items[] = {{9, 3}, {1, 2}};
    struct eddy_buf whole;
    eddy_buf_init(&whole, 0);
    eddy_list_encode(S("eddy"), S("u"), state, snapshot, items, 2, &whole);
    for (size_t size = 1; size < whole.size; size += 5) {
        struct eddy_buf out;
        eddy_buf_init(&out, size);
        eddy_list_encode(S("eddy"), S("u"), state, snapshot, items, 2, &out);
        CHECK(out.failed);
        CHECK(out.size <= size);
        eddy_buf_fini(&out);
    }
    eddy_buf_fini(&whole);
}

int main(void)
{
    snapshot = tiny_open(&tiny_default);
    if (!CHECK(snapshot != NULL)) {
        return 1;
    }
    state = eddy_state_init(aligned_alloc(64, eddy_state_size(64, 20)), 64, 20);
    RUN(list_has_the_fields_of_the_contract);
    RUN(empty_list_is_valid);
    RUN(scores_have_six_decimals_like_the_buffer_writes_them);
    RUN(ids_out_of_the_ordinary_are_escaped);
    RUN(recommendation_ids_differ_by_prefix_user_revision_and_model);
    RUN(default_list_is_the_most_popular_items);
    RUN(full_buffer_is_a_sticky_failure);
    (void)encode("u", NULL, 0);
    free(state);
    eddy_snapshot_release(snapshot);
    return check_done();
}
