/* Items and users with metadata in training: the effective table, the users' part of the
 * query, gradients against differences, dropped ids, items without events. */
#include "core/train_items.h"

#include <stdlib.h>

#include "slopes.h"

enum {
    V = 9,
    M = 6,
    H = 8,
    T = 2,
    SEQUENCES = 3,
    EVENTS = 6,
    ROWS = SEQUENCES * EVENTS
};
enum { COLD = 7 }; /* never in a history; item 8 neither, and it has no metadata */

/* Rows of 0 to 3 features. */
static uint64_t begin[V + 1] = {0, 2, 3, 5, 8, 8, 9, 11, 13, 13};
static uint32_t indices[13] = {0, 3, 1, 0, 4, 1, 2, 5, 3, 2, 4, 0, 5};
static float weights[13] = {0.7f, 0.7f, 1,    0.6f, 1,    0.5f, 0.5f,
                            0.8f, 1,    0.3f, 1,    0.7f, 1};
static const struct eddy_features features = {V, M, begin, indices, weights};

/* Users 0 to 2, the last one without metadata. */
enum { MU = 3, SAMPLES = 5 };
static uint64_t user_begin[SEQUENCES + 1] = {0, 2, 3, 3};
static uint32_t user_indices[3] = {0, 2, 1};
static float user_weights[3] = {0.7f, 0.7f, 1};
static const struct eddy_features user_features = {SEQUENCES, MU, user_begin,
                                                   user_indices, user_weights};

struct world {
    struct eddy_layout layout;
    float *params, *grads;
    struct eddy_net net;
    struct eddy_pack pack;
    struct eddy_step steps[ROWS];
    uint32_t targets[ROWS];
    struct eddy_sequence sequences[SEQUENCES];
    const struct eddy_sequence *list[SEQUENCES];
    struct eddy_train_items items;
    uint64_t key;
};

static struct world *world_new(bool with_features, double dropout)
{
    struct eddy_shape shape = {.items = V,
                               .hidden = H,
                               .layers = 1,
                               .types = T,
                               .mode = EDDY_MODE_INIT,
                               .item_features = with_features ? M : 0,
                               .user_features = with_features ? MU : 0};
    struct world *world = calloc(1, sizeof *world);
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 5);
    CHECK_INT(eddy_layout_init(&world->layout, &shape, NULL), 0);
    world->params = eddy_params_new(&world->layout);
    world->grads = eddy_params_new(&world->layout);
    for (size_t i = 0; i < world->layout.size; i++)
        world->params[i] = (float)(0.4 * eddy_rng_normal(&rng));
    CHECK_INT(eddy_net_init(&world->net, &world->layout, ROWS, true, SAMPLES), 0);
    CHECK_INT(eddy_pack_init(&world->pack, ROWS), 0);
    for (uint32_t i = 0; i < ROWS; i++) {
        world->steps[i] = (struct eddy_step){.item = eddy_rng_below(&rng, COLD),
                                             .type = (uint16_t)(i % T),
                                             .begin = i % 3 == 0,
                                             .first = i % EVENTS == 0};
        world->targets[i] = eddy_rng_below(&rng, COLD);
    }
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        uint32_t at = s * EVENTS;
        world->sequences[s] = (struct eddy_sequence){.steps = world->steps + at,
                                                     .targets = world->targets + at,
                                                     .count = EVENTS,
                                                     .user = s,
                                                     .start = s,
                                                     .start_weight = s < 2 ? 0.8f : 0};
        world->list[s] = &world->sequences[s];
    }
    eddy_pack_build(&world->pack, EDDY_MODE_INIT, world->list, SEQUENCES);
    CHECK_INT(eddy_train_items_init(&world->items, &world->layout,
                                    with_features ? &features : NULL, dropout, 2),
              0);
    eddy_train_items_know(&world->items, world->sequences, SEQUENCES, 1, world->params);
    return world;
}

static void world_free(struct world *world)
{
    eddy_train_items_fini(&world->items);
    eddy_net_fini(&world->net);
    eddy_pack_fini(&world->pack);
    free(world->params);
    free(world->grads);
    free(world);
}

static double loss_of(void *context)
{
    struct world *world = context;
    eddy_train_items_batch(&world->items, world->params, true, world->key);
    eddy_net_view_init(&world->net.params, &world->layout, world->params);
    eddy_train_items_view(&world->items, &world->net.params);
    eddy_net_forward(&world->net, &world->pack);
    return eddy_net_loss(&world->net, &world->pack, 1);
}

static void gradient_of(struct world *world)
{
    memset(world->grads, 0, world->layout.size * sizeof(float));
    eddy_net_view_init(&world->net.grads, &world->layout, world->grads);
    loss_of(world);
    eddy_net_backward(&world->net, &world->pack);
    eddy_train_items_chain(&world->items, world->grads);
    world->net.grads = (struct eddy_net_view){0};
}

/* Returns the length of the gradient. */
static double check_tensor(struct world *world, enum eddy_global_tensor which)
{
    const struct eddy_tensor *tensor = &world->layout.tensors[which];
    const struct slopes slopes = {.values = world->params + tensor->offset,
                                  .gradient = world->grads + tensor->offset,
                                  .n = (size_t)tensor->rows * tensor->cols,
                                  .loss_of = loss_of,
                                  .context = world};
    return slopes_check(&slopes, 3, "items and users", tensor->name);
}

static void gradients_equal_differences_with_and_without_dropped_ids(void)
{
    static const double dropouts[] = {0, 0.4, 1};
    for (size_t i = 0; i < sizeof dropouts / sizeof *dropouts; i++) {
        struct world *world = world_new(true, dropouts[i]);
        world->key = 77;
        gradient_of(world);
        CHECK(check_tensor(world, EDDY_G_ITEM_FEATURES) > 0.1);
        CHECK(check_tensor(world, EDDY_G_ITEM_FEATURE_BIAS) > 0.1);
        /* The cold bias moves nothing when all ids are dropped, or none. */
        CHECK_INT(check_tensor(world, EDDY_G_ITEM_COLD_BIAS) > 1e-3, i == 1);
        CHECK_INT(check_tensor(world, EDDY_G_ITEM) > 0, dropouts[i] < 1);
        CHECK_INT(check_tensor(world, EDDY_G_ITEM_BIAS) > 0, dropouts[i] < 1);
        check_tensor(world, EDDY_G_TYPE);
        world_free(world);
    }
}

static void gradients_of_users_equal_differences(void)
{
    static const uint64_t support[V] = {9, 3, 4, 7, 1, 9, 2, 0, 0};
    struct eddy_sampler sampler;
    CHECK_INT(eddy_sampler_init(&sampler, support, V), 0);
    for (int sampled = 0; sampled < 2; sampled++) {
        struct world *world = world_new(true, 0.3);
        world->net.users = &user_features;
        world->net.sampler = sampled ? &sampler : NULL;
        gradient_of(world);
        CHECK(check_tensor(world, EDDY_G_USER_FEATURES) > 0.1);
        CHECK(check_tensor(world, EDDY_G_USER_START) > 0.1);
        for (int t = 0; t < EDDY_GLOBAL_COUNT; t++)
            if (world->layout.tensors[t].rows > 0)
                check_tensor(world, (enum eddy_global_tensor)t);
        world_free(world);
    }
    eddy_sampler_fini(&sampler);
}

/* The user level carries on what it did without: x, not the query. */
static void what_users_add_stays_out_of_the_state(void)
{
    struct world *world = world_new(true, 0);
    size_t floats = (size_t)ROWS * H;
    float *before = malloc(floats * sizeof *before);
    double plain = loss_of(world);
    memcpy(before, world->net.x[1], floats * sizeof *before);
    CHECK(world->net.queries == world->net.x[1]);
    world->net.users = &user_features;
    CHECK(fabs(loss_of(world) - plain) > 1e-3);
    CHECK(memcmp(before, world->net.x[1], floats * sizeof *before) == 0);
    CHECK_INT(eddy_net_query_rows(&world->net, &world->pack), ROWS + 2);
    free(before);
    world_free(world);
}

static void ids_are_dropped_as_often_as_asked_and_per_batch(void)
{
    struct world *world = world_new(true, 0.3);
    const float *e = eddy_global(&world->layout, world->params, EDDY_G_ITEM);
    uint32_t dropped = 0, changed = 0;
    bool before[V] = {false};
    for (uint64_t key = 0; key < 2000; key++) {
        eddy_train_items_batch(&world->items, world->params, true, key);
        /* Item 4 has no metadata: dropped, its row is zero. */
        bool now = world->items.table[4 * H] == 0;
        CHECK(now || world->items.table[4 * H] == e[4 * H]);
        dropped += now ? 1 : 0;
        changed += now != before[4] ? 1 : 0;
        before[4] = now;
    }
    CHECK_NEAR(dropped / 2000.0, 0.3, 0.03);
    CHECK_NEAR(changed / 2000.0, 0.42, 0.04);
    world_free(world);
}

/* Rows that a batch reads, and gradients, are those of batches that read all. */
static void items_that_a_batch_does_not_read_are_left_as_they_are(void)
{
    struct world *all = world_new(true, 0.3), *few = world_new(true, 0.3);
    const uint32_t read = 2, unread = 3;
    CHECK_INT(eddy_train_items_read_few(&few->items), 0);
    for (uint64_t key = 0; key < 20; key++) {
        struct world *worlds[] = {all, few};
        eddy_train_items_forget(&few->items);
        few->items.reads[read] = true;
        for (int w = 0; w < 2; w++) {
            float *grads = worlds[w]->grads;
            eddy_train_items_batch(&worlds[w]->items, worlds[w]->params, true, key);
            memset(grads, 0, all->layout.size * sizeof *grads);
            for (uint32_t h = 0; h < H; h++)
                eddy_global(&all->layout, grads, EDDY_G_ITEM)[read * H + h] = 1;
            eddy_global(&all->layout, grads, EDDY_G_ITEM_BIAS)[read] = 2;
            eddy_train_items_chain(&worlds[w]->items, grads);
        }
        CHECK_MEM(few->items.table + read * H, all->items.table + read * H,
                  H * sizeof(float));
        CHECK_MEM(&few->items.bias[read], &all->items.bias[read], sizeof(float));
        CHECK(isnan(few->items.table[unread * H]));
        CHECK_MEM(few->grads, all->grads, all->layout.size * sizeof(float));
    }
    eddy_train_items_all(&all->items, all->params);
    eddy_train_items_all(&few->items, few->params);
    CHECK_MEM(few->items.table, all->items.table, (size_t)V * H * sizeof(float));
    world_free(all);
    world_free(few);
}

static void nothing_is_hidden_unless_asked_for(void)
{
    struct world *world = world_new(true, 1);
    const float *e = eddy_global(&world->layout, world->params, EDDY_G_ITEM);
    eddy_train_items_batch(&world->items, world->params, false, 1);
    CHECK_MEM(world->items.table + 4 * H, e + 4 * H, H * sizeof(float));
    world_free(world);
}

/* What known items are: E and bias of the snapshot that would be made now. */
static float *known_items(struct world *world)
{
    float *params = malloc(world->layout.size * sizeof *params), query[H] = {0};
    memcpy(params, world->params, world->layout.size * sizeof *params);
    eddy_train_items_finish(&world->items, query, params);
    return params;
}

/* While known items are fixed, metadata learns from hidden ones alone, and moves no other. */
static void fixed_items_stay_what_they_are_whatever_metadata_learns(void)
{
    struct world *world = world_new(true, 0.4);
    float *before = known_items(world);
    CHECK_INT(eddy_train_items_fix(&world->items, world->params), 0);
    world->key = 77;
    gradient_of(world);
    CHECK(check_tensor(world, EDDY_G_ITEM_FEATURES) > 0.05);
    CHECK(check_tensor(world, EDDY_G_ITEM_FEATURE_BIAS) > 0.05);
    CHECK(check_tensor(world, EDDY_G_ITEM_COLD_BIAS) > 1e-3);
    float *table = eddy_global(&world->layout, world->params, EDDY_G_ITEM_FEATURES);
    float *w = eddy_global(&world->layout, world->params, EDDY_G_ITEM_FEATURE_BIAS);
    for (uint32_t i = 0; i < M * H; i++)
        table[i] += 0.1f * (float)(i % 5);
    for (uint32_t i = 0; i < M; i++)
        w[i] -= 0.2f;
    eddy_train_items_let_go(&world->items, world->params);
    CHECK(world->items.fixed == NULL);
    float *after = known_items(world);
    const float *e = eddy_global(&world->layout, after, EDDY_G_ITEM);
    const float *was = eddy_global(&world->layout, before, EDDY_G_ITEM);
    const float *b = eddy_global(&world->layout, after, EDDY_G_ITEM_BIAS);
    const float *b_was = eddy_global(&world->layout, before, EDDY_G_ITEM_BIAS);
    for (uint32_t i = 0; i < COLD; i++) {
        for (uint32_t h = 0; h < H; h++)
            CHECK_NEAR((double)e[i * H + h], (double)was[i * H + h], 1e-5);
        CHECK_NEAR((double)b[i], (double)b_was[i], 1e-5);
    }
    CHECK(fabsf(e[COLD * H + 1] - was[COLD * H + 1]) > 0.01f);
    CHECK(b[COLD] < b_was[COLD] - 0.1f);
    free(before);
    free(after);
    world_free(world);
}

/* No loss pushes it anywhere; afterwards its metadata speaks for it. */
static void an_item_without_events_is_no_negative(void)
{
    struct world *world = world_new(true, 0.4);
    gradient_of(world);
    CHECK_INT(world->items.unknown, 2);
    CHECK(world->items.bias[COLD] < -1000);
    const float *e = eddy_global(&world->layout, world->params, EDDY_G_ITEM);
    const float *de = eddy_global(&world->layout, world->grads, EDDY_G_ITEM);
    for (uint32_t h = 0; h < 2 * H; h++) {
        CHECK_NEAR((double)e[COLD * H + h], 0, 0);
        CHECK_NEAR((double)de[COLD * H + h], 0, 0);
    }
    double loss = loss_of(world);
    world->items.known[COLD] = 1; /* as a negative it would cost */
    CHECK(loss_of(world) > loss + 1e-3);
    world->items.known[COLD] = 0;

    const float *table =
        eddy_global(&world->layout, world->params, EDDY_G_ITEM_FEATURES);
    const float *w =
        eddy_global(&world->layout, world->params, EDDY_G_ITEM_FEATURE_BIAS);
    float cold = *eddy_global(&world->layout, world->params, EDDY_G_ITEM_COLD_BIAS);
    float query[H] = {0};
    for (uint32_t i = 0; i < COLD; i++)
        world->items.known[i] = 3; /* so that none is taken for an unwanted one */
    eddy_train_items_finish(&world->items, query, world->params);
    const float *bias = eddy_global(&world->layout, world->params, EDDY_G_ITEM_BIAS);
    for (uint32_t h = 0; h < H; h++) {
        CHECK_NEAR((double)e[COLD * H + h],
                   (double)(0.7f * table[0 * H + h] + table[5 * H + h]), 1e-5);
        CHECK_NEAR((double)e[8 * H + h], 0, 0);
    }
    CHECK_NEAR((double)bias[COLD], (double)(cold + 0.7f * w[0] + w[5]), 1e-5);
    CHECK_NEAR((double)bias[8], (double)cold, 0);
    world_free(world);
}

/* Items of one event and of two say how many have none because nobody wants them. */
static void unwanted_items_are_not_taken_for_new_ones(void)
{
    static const struct {
        uint8_t once, twice;
        double less;
    } rows[] = {{0, 0, 0}, {1, 5, -0.133531}, {1, 0, -1.386294}, {3, 0, -3}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct world *world = world_new(true, 0);
        float query[H] = {0};
        for (uint32_t i = 0; i < COLD; i++)
            world->items.known[i] = i < rows[r].once                   ? 1
                                    : i < rows[r].once + rows[r].twice ? 2
                                                                       : 3;
        float cold = *eddy_global(&world->layout, world->params, EDDY_G_ITEM_COLD_BIAS);
        eddy_train_items_finish(&world->items, query, world->params);
        double bias =
            (double)eddy_global(&world->layout, world->params, EDDY_G_ITEM_BIAS)[8];
        CHECK_NEAR(bias - (double)cold, rows[r].less, 1e-5);
        world_free(world);
    }
}

static void finish_and_resume_undo_each_other(void)
{
    struct world *world = world_new(true, 0.4);
    size_t bytes = world->layout.size * sizeof(float);
    float *before = malloc(bytes), query[H] = {0};
    memcpy(before, world->params, bytes);
    for (uint32_t i = 0; i < V; i++)
        CHECK_INT(eddy_train_items_keep(&world->items, i, world->params), 0);
    eddy_train_items_finish(&world->items, query, world->params);
    eddy_train_items_resume(&world->items, world->params);
    for (size_t i = 0; i < world->layout.size; i++)
        if (!CHECK_NEAR((double)world->params[i], (double)before[i], 1e-5))
            break;
    free(before);
    world_free(world);
}

static void check_row(const float *row, float bias, double first, double want_bias)
{
    for (uint32_t h = 0; h < H; h++)
        CHECK_NEAR((double)row[h], first + h, 1e-5);
    CHECK_NEAR((double)bias, want_bias, 1e-5);
}

/* An item of an older model that no replayed user has had: no candidate in training, itself
 * in service and when, in the last phase, it has an event. */
static void an_item_without_an_event_keeps_what_an_older_model_knew(void)
{
    for (uint32_t with = 0; with < 2; with++) {
        struct world *world = world_new(with, 0.4);
        struct eddy_train_items *items = &world->items;
        float *e = eddy_global(&world->layout, world->params, EDDY_G_ITEM) + COLD * H;
        float *b = eddy_global(&world->layout, world->params, EDDY_G_ITEM_BIAS) + COLD;
        float query[H] = {0};
        for (uint32_t h = 0; h < H; h++)
            e[h] = (float)(2 + h);
        *b = 0.75f;
        CHECK_INT(eddy_train_items_keep(items, COLD, world->params), 0);
        eddy_train_items_know(items, world->sequences, SEQUENCES, 1, world->params);
        CHECK_INT(items->unknown, 1); /* item 8 */
        eddy_train_items_batch(items, world->params, true, 3);
        CHECK((with ? items->bias[COLD] : *b) < -1000);

        world->targets[0] = COLD;
        float *last = malloc(world->layout.size * sizeof *last);
        memcpy(last, world->params, world->layout.size * sizeof *last);
        eddy_train_items_finish(items, query, world->params);
        check_row(e, *b, 2, 0.75);
        eddy_train_items_know(items, world->sequences, SEQUENCES, 1, last);
        eddy_train_items_all(items, last);
        if (with)
            check_row(items->table + COLD * H, items->bias[COLD], 2, 0.75);
        else
            check_row(eddy_global(&world->layout, last, EDDY_G_ITEM) + COLD * H,
                      eddy_global(&world->layout, last, EDDY_G_ITEM_BIAS)[COLD], 2,
                      0.75);
        free(last);
        world_free(world);
    }
}

static void what_metadata_says_shrinks_by_the_rate_and_nothing_else_does(void)
{
    struct world *world = world_new(true, 0.4);
    size_t bytes = world->layout.size * sizeof(float);
    float *before = malloc(bytes);
    memcpy(before, world->params, bytes);
    eddy_train_items_shrink(&world->items, 0.05, world->params);
    float *table = eddy_global(&world->layout, world->params, EDDY_G_ITEM_FEATURES);
    float *bias = eddy_global(&world->layout, world->params, EDDY_G_ITEM_FEATURE_BIAS);
    size_t count = world->layout.shape.item_features;
    for (size_t i = 0; i < world->layout.size; i++) {
        const float *at = world->params + i;
        bool shrinks = (at >= table && at < table + count * H) ||
                       (at >= bias && at < bias + count);
        if (!CHECK_NEAR((double)*at, (shrinks ? 0.9 : 1) * (double)before[i], 1e-6))
            break;
    }
    world_free(world);
    world = world_new(false, 0);
    memcpy(before, world->params, world->layout.size * sizeof(float));
    eddy_train_items_shrink(&world->items, 0.05, world->params);
    CHECK(memcmp(before, world->params, world->layout.size * sizeof(float)) == 0);
    free(before);
    world_free(world);
}

/* Without metadata the view stays that of the parameters; an item without events ends
 * with a zero vector and a score below nearly all others. */
static void without_metadata_an_unknown_item_ends_low(void)
{
    struct world *world = world_new(false, 0.4);
    float query[H] = {1, 0.5f, -1, 0, 0, 0.2f, 0, 1}, least = 1e9f;
    const float *e = eddy_global(&world->layout, world->params, EDDY_G_ITEM);
    const float *b = eddy_global(&world->layout, world->params, EDDY_G_ITEM_BIAS);
    gradient_of(world);
    CHECK(world->net.params.tensor[EDDY_G_ITEM] == e);
    CHECK_INT(b[COLD] < -1000, true);
    for (uint32_t i = 0; i < COLD; i++) {
        float score = b[i];
        for (uint32_t h = 0; h < H; h++)
            score += query[h] * e[i * H + h];
        least = score < least ? score : least;
    }
    eddy_train_items_finish(&world->items, query, world->params);
    CHECK_NEAR((double)b[COLD], (double)least, 1e-5);
    CHECK_NEAR((double)e[COLD * H + 3], 0, 0);
    world_free(world);
}

/* The last phase sees more: an item that becomes known starts like the others. */
static void an_item_becomes_known_in_the_last_phase(void)
{
    struct world *world = world_new(true, 0.4);
    const float *e = eddy_global(&world->layout, world->params, EDDY_G_ITEM);
    double length = 0, kept = (double)e[3];
    world->steps[4].item = COLD;
    eddy_train_items_know(&world->items, world->sequences, SEQUENCES, 1, world->params);
    CHECK_INT(world->items.unknown, 1);
    CHECK_INT(world->items.known[COLD], 1);
    for (uint32_t h = 0; h < H; h++)
        length += fabs((double)e[COLD * H + h]);
    CHECK(length > 0.01 && length < 1);
    CHECK_NEAR((double)e[3], kept, 0);
    world_free(world);
}

int main(void)
{
    RUN(gradients_equal_differences_with_and_without_dropped_ids);
    RUN(gradients_of_users_equal_differences);
    RUN(what_users_add_stays_out_of_the_state);
    RUN(ids_are_dropped_as_often_as_asked_and_per_batch);
    RUN(items_that_a_batch_does_not_read_are_left_as_they_are);
    RUN(nothing_is_hidden_unless_asked_for);
    RUN(fixed_items_stay_what_they_are_whatever_metadata_learns);
    RUN(an_item_without_events_is_no_negative);
    RUN(unwanted_items_are_not_taken_for_new_ones);
    RUN(finish_and_resume_undo_each_other);
    RUN(an_item_without_an_event_keeps_what_an_older_model_knew);
    RUN(what_metadata_says_shrinks_by_the_rate_and_nothing_else_does);
    RUN(without_metadata_an_unknown_item_ends_low);
    RUN(an_item_becomes_known_in_the_last_phase);
    return check_done();
}
