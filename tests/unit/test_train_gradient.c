/* The backward pass against central differences of the forward pass, tensor by tensor, for
 * both cells and all modes; dropout on and off; truncation. */
#include <math.h>
#include <stdlib.h>

#include "core/train_network.h"
#include "slopes.h"

enum {
    V = 11,
    T = 16,
    CONTEXTS = 5,
    SAMPLES = 6,
    SEQUENCES = 4,
    EVENTS = 14,
    ROWS = SEQUENCES * EVENTS
};

struct world {
    struct eddy_layout layout;
    float *params, *grads;
    struct eddy_net net;
    struct eddy_pack pack;
    struct eddy_step steps[ROWS];
    uint32_t targets[ROWS], times[ROWS];
    float weights[ROWS];
    struct eddy_context_row requests[ROWS];
    struct eddy_sequence sequences[SEQUENCES];
    const struct eddy_sequence *list[SEQUENCES];
};

static void fill_params(struct world *world)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 7);
    for (uint32_t t = 0; t < world->layout.count; t++) {
        const struct eddy_tensor *tensor = &world->layout.tensors[t];
        float *values = world->params + tensor->offset;
        bool gain = strstr(tensor->name, "gain") != NULL;
        for (size_t i = 0; i < (size_t)tensor->rows * tensor->cols; i++)
            values[i] = (float)((gain ? 1.0 : 0.0) + 0.4 * eddy_rng_normal(&rng));
    }
}

static struct eddy_context_row draw_context(struct eddy_rng *rng)
{
    struct eddy_context_row row = {{0}};
    row.feature[0] = (uint16_t)eddy_rng_below(rng, 3);                  /* 0: absent */
    row.feature[3] = (uint16_t)(2 + eddy_rng_below(rng, CONTEXTS - 1)); /* 2 .. 5 */
    return row;
}

/* Histories of different lengths, sessions of 1 to 5 events, every input in use. */
static void fill_histories(struct world *world)
{
    static const uint32_t lengths[SEQUENCES] = {14, 5, 1, 9};
    struct eddy_rng rng;
    uint32_t at = 0;
    eddy_rng_seed(&rng, 11);
    for (uint32_t s = 0; s < SEQUENCES; s++) {
        for (uint32_t i = 0; i < lengths[s]; i++) {
            bool begin = i == 0 || eddy_rng_below(&rng, 3) == 0;
            world->steps[at + i] = (struct eddy_step){
                .item = eddy_rng_below(&rng, V),
                .type = (uint16_t)eddy_rng_below(&rng, T),
                .gap = (uint8_t)(i == 0 ? 0 : eddy_rng_below(&rng, EDDY_GAPS)),
                .begin = begin,
                .first = i == 0,
                .value = eddy_rng_below(&rng, 2) ? 0.7f : 0.0f,
            };
            world->targets[at + i] =
                eddy_rng_below(&rng, 8) == 0 ? EDDY_ITEM_NONE : eddy_rng_below(&rng, V);
            world->weights[at + i] = i % 3 == 1 ? 0.25f : 1.5f;
            world->times[at + i] = i;
            if (world->layout.shape.context_features > 0) {
                world->steps[at + i].context = draw_context(&rng);
                world->requests[at + i] = draw_context(&rng);
            }
        }
        world->sequences[s] = (struct eddy_sequence){.steps = world->steps + at,
                                                     .targets = world->targets + at,
                                                     .weights = world->weights + at,
                                                     .times = world->times + at,
                                                     .requests = world->requests + at,
                                                     .count = lengths[s],
                                                     .user = 100 + s};
        if (world->layout.shape.context_features > 0 && s != 1) {
            world->sequences[s].start = s;
            world->sequences[s].start_weight = 0.5f;
            world->sequences[s].start_request = draw_context(&rng);
        }
        world->list[s] = &world->sequences[s];
        at += lengths[s];
    }
}

static struct world *world_of(enum eddy_cell cell, enum eddy_mode mode, uint32_t hidden,
                              uint32_t layers, uint32_t contexts)
{
    struct eddy_shape shape = {V, hidden, layers, T, cell, mode, 0, 0, contexts};
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    CHECK_INT(eddy_layout_init(&world->layout, &shape, NULL), 0);
    world->params = eddy_params_new(&world->layout);
    world->grads = eddy_params_new(&world->layout);
    CHECK_INT(eddy_net_init(&world->net, &world->layout, ROWS, true, SAMPLES), 0);
    CHECK_INT(eddy_pack_init(&world->pack, ROWS), 0);
    eddy_net_view_init(&world->net.params, &world->layout, world->params);
    fill_params(world);
    fill_histories(world);
    eddy_pack_build(&world->pack, mode, world->list, SEQUENCES);
    return world;
}

static struct world *world_new(enum eddy_cell cell, enum eddy_mode mode,
                               uint32_t hidden, uint32_t layers)
{
    return world_of(cell, mode, hidden, layers, 0);
}

static void world_free(struct world *world)
{
    eddy_net_fini(&world->net);
    eddy_pack_fini(&world->pack);
    free(world->params);
    free(world->grads);
    free(world);
}

static double loss_of(void *context)
{
    struct world *world = context;
    world->net.grads = (struct eddy_net_view){0};
    eddy_net_forward(&world->net, &world->pack);
    return eddy_net_loss(&world->net, &world->pack, 1);
}

static void gradient_of(struct world *world)
{
    memset(world->grads, 0, world->layout.size * sizeof(float));
    eddy_net_view_init(&world->net.grads, &world->layout, world->grads);
    eddy_net_forward(&world->net, &world->pack);
    eddy_net_loss(&world->net, &world->pack, 1);
    eddy_net_backward(&world->net, &world->pack);
}

static void check_tensor(struct world *world, const struct eddy_tensor *tensor,
                         const char *where)
{
    const struct slopes slopes = {.values = world->params + tensor->offset,
                                  .gradient = world->grads + tensor->offset,
                                  .n = (size_t)tensor->rows * tensor->cols,
                                  .loss_of = loss_of,
                                  .context = world};
    slopes_check(&slopes, tensor->offset + 3, where, tensor->name);
}

static void check_all(enum eddy_cell cell, enum eddy_mode mode, double dropout)
{
    struct world *world = world_new(cell, mode, 8, 2);
    char where[80];
    double whole = 0;
    snprintf(where, sizeof where, "cell %d mode %d dropout %g", (int)cell, (int)mode,
             dropout);
    world->net.dropout = dropout;
    world->net.key = 99;
    gradient_of(world);
    for (uint32_t t = 0; t < world->layout.count; t++) {
        const struct eddy_tensor *tensor = &world->layout.tensors[t];
        if (tensor->rows > 0)
            check_tensor(world, tensor, where);
        for (size_t i = 0; i < (size_t)tensor->rows * tensor->cols; i++)
            whole += fabs((double)world->grads[tensor->offset + i]);
    }
    CHECK(whole > 1);
    world_free(world);
}

static void gradients_equal_differences_with_context(void)
{
    static const enum eddy_mode modes[] = {EDDY_MODE_FLAT, EDDY_MODE_ALL};
    for (int i = 0; i < 2; i++) {
        struct world *world = world_of(EDDY_CELL_MINGRU, modes[i], 8, 2, CONTEXTS);
        double query = 0;
        uint32_t tables = 0;
        CHECK_INT(world->pack.starts, 3);
        world->net.key = 99;
        world->net.request_share = 0.6;
        gradient_of(world);
        for (uint32_t t = 0; t < world->layout.count; t++) {
            const struct eddy_tensor *tensor = &world->layout.tensors[t];
            if (tensor->rows > 0)
                check_tensor(world, tensor, "context");
            tables += strncmp(tensor->name, "context_", 8) == 0 && tensor->rows > 0;
        }
        CHECK_INT(tables, 2);
        float *table = eddy_global(&world->layout, world->grads, EDDY_G_CONTEXT_QUERY);
        for (uint32_t k = 0; k < 8 * CONTEXTS; k++)
            query += fabs((double)table[k]);
        CHECK(query > 0.1);
        world->net.request_share = 0; /* no request tells its context */
        gradient_of(world);
        for (uint32_t k = 0; k < 8 * CONTEXTS; k++)
            CHECK(table[k] == 0);
        world_free(world);
    }
}

static void gradients_equal_differences_for_mingru(void)
{
    check_all(EDDY_CELL_MINGRU, EDDY_MODE_FLAT, 0);
    check_all(EDDY_CELL_MINGRU, EDDY_MODE_INIT, 0);
    check_all(EDDY_CELL_MINGRU, EDDY_MODE_ALL, 0);
}

static void gradients_equal_differences_for_gru(void)
{
    check_all(EDDY_CELL_GRU, EDDY_MODE_FLAT, 0);
    check_all(EDDY_CELL_GRU, EDDY_MODE_INIT, 0);
    check_all(EDDY_CELL_GRU, EDDY_MODE_ALL, 0);
}

static void gradients_equal_differences_for_plain_gru(void)
{
    check_all(EDDY_CELL_PLAIN_GRU, EDDY_MODE_FLAT, 0);
    check_all(EDDY_CELL_PLAIN_GRU, EDDY_MODE_INIT, 0.3);
    check_all(EDDY_CELL_PLAIN_GRU, EDDY_MODE_ALL, 0);
}

static void gradients_equal_differences_under_dropout(void)
{
    check_all(EDDY_CELL_MINGRU, EDDY_MODE_ALL, 0.3);
    check_all(EDDY_CELL_GRU, EDDY_MODE_INIT, 0.3);
}

static const uint64_t support[V] = {50, 3, 0, 7, 1, 9, 30, 2, 2, 4, 12};

/* Items that are born late are no negatives of early targets. */
static void check_drawn(enum eddy_loss loss, float elu, const char *where)
{
    struct world *world = world_new(EDDY_CELL_MINGRU, EDDY_MODE_FLAT, 8, 2);
    struct eddy_sampler sampler;
    CHECK_INT(eddy_sampler_init(&sampler, support, V), 0);
    for (uint32_t i = 0; i < V; i++)
        sampler.births[i] = i / 2;
    world->net.sampler = &sampler;
    world->net.sample_key = 4;
    world->net.loss = loss;
    world->net.elu = elu;
    world->net.bpreg = 0.7f;
    gradient_of(world);
    for (uint32_t t = 0; t < world->layout.count; t++)
        if (world->layout.tensors[t].rows > 0)
            check_tensor(world, &world->layout.tensors[t], where);
    eddy_sampler_fini(&sampler);
    world_free(world);
}

static void gradients_equal_differences_for_sampled_softmax(void)
{
    check_drawn(EDDY_LOSS_SOFTMAX, 0, "sampled");
}

static void gradients_equal_differences_for_bpr_max(void)
{
    check_drawn(EDDY_LOSS_BPR_MAX, 0, "bpr-max");
    check_drawn(EDDY_LOSS_BPR_MAX, 1, "bpr-max, elu 1");
}

/* Against the formula of the paper, in double, for one target. */
static void bpr_max_is_the_papers_formula(void)
{
    enum { N = 5 };
    static const float raw[N] = {0.3f, -1.2f, 2.0f, 0.1f, -0.4f};
    static const float none[N] = {0, 0, 0, 0, 0};
    static const uint32_t items[N] = {4, 5, 6, 7, 8}, births[N] = {0, 0, 0, 9, 0};
    struct eddy_drawn drawn = {none, items, births, 5, 3, 0.5f, 0.8f};
    float logits[N], target = 0.6f;
    double sum = 0, wins = 0, squares = 0;
    for (int j = 0; j < N; j++) {
        double r =
            (double)raw[j] >= 0 ? (double)raw[j] : 0.5 * (exp((double)raw[j]) - 1);
        if (j == 1 || j == 3) /* the target itself; not born */
            continue;
        sum += exp(r);
        wins += exp(r) / (1 + exp(-((double)target - r)));
        squares += exp(r) * r * r;
    }
    memcpy(logits, raw, sizeof raw);
    double loss = eddy_train_vector_get()->bpr_max(N, &drawn, 1, logits, &target);
    CHECK_NEAR(loss, -log(wins / sum) + 0.8 * squares / sum, 1e-5);
    CHECK_NEAR((double)logits[1], 0, 0);
    CHECK_NEAR((double)logits[3], 0, 0);
    CHECK(target < 0);
}

/* Every item that was drawn is the target or of the future: no loss, no gradient. */
static void no_negatives_are_no_gradient(void)
{
    static const float none[2] = {0, 0};
    static const uint32_t items[2] = {4, 5}, births[2] = {0, 9};
    struct eddy_drawn drawn = {none, items, births, 4, 3, 0.5f, 1};
    float logits[2] = {1, 2}, target = 0.5f;
    CHECK_NEAR(eddy_train_vector_get()->bpr_max(2, &drawn, 1, logits, &target), 0, 0);
    CHECK(logits[0] == 0 && logits[1] == 0 && target == 0);
    logits[0] = 1;
    logits[1] = 2;
    target = 0.5f;
    CHECK_NEAR(eddy_train_vector_get()->softmax_sampled(2, &drawn, 1, logits, &target),
               0, 1e-6);
    CHECK_NEAR((double)target, 0, 1e-6);
}

static void samples_follow_their_probabilities(void)
{
    enum { DRAWS = 200000 };
    struct eddy_sampler sampler;
    uint32_t *items = malloc(DRAWS * sizeof *items);
    uint32_t counts[V] = {0};
    double sum = 0;
    CHECK_INT(eddy_sampler_init(&sampler, support, V), 0);
    eddy_sampler_draw(&sampler, 77, DRAWS, items);
    for (uint32_t i = 0; i < DRAWS; i++)
        counts[items[i]]++;
    for (uint32_t i = 0; i < V; i++) {
        CHECK_NEAR((double)counts[i] / DRAWS, sampler.probability[i], 0.004);
        sum += sampler.probability[i];
    }
    CHECK_NEAR(sum, 1, 1e-9);
    CHECK_NEAR(sampler.probability[2], 0.5 / V, 1e-9); /* never a target */
    eddy_sampler_fini(&sampler);
    free(items);
}

/* With the correction the sampled loss is about the full one, though popular items are
 * drawn more often. */
static void the_sampled_loss_estimates_the_full_one(void)
{
    struct world *world = world_new(EDDY_CELL_MINGRU, EDDY_MODE_FLAT, 8, 2);
    struct eddy_sampler sampler;
    double full = loss_of(world), sampled = 0;
    enum { KEYS = 20, MANY = 2000 };
    eddy_net_fini(&world->net);
    CHECK_INT(eddy_net_init(&world->net, &world->layout, ROWS, true, MANY), 0);
    eddy_net_view_init(&world->net.params, &world->layout, world->params);
    CHECK_INT(eddy_sampler_init(&sampler, support, V), 0);
    world->net.sampler = &sampler;
    for (uint64_t key = 0; key < KEYS; key++) {
        world->net.sample_key = key;
        sampled += loss_of(world) / KEYS;
    }
    CHECK_NEAR(sampled / full, 1, 0.02);
    eddy_sampler_fini(&sampler);
    world_free(world);
}

static void a_tenth_of_the_values_is_dropped_at_dropout_a_tenth(void)
{
    struct eddy_net net = {.dropout = 0.1, .key = 5};
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    enum { N = 128 };
    float ones[N], zeros[N] = {0}, xhat[N], y[N];
    uint32_t dropped = 0;
    for (int j = 0; j < N; j++)
        ones[j] = 1;
    for (uint64_t row = 0; row < 1000; row++) {
        struct eddy_dropout drop = eddy_net_dropout(&net, row, 0);
        float dy[N], dgain[N] = {0}, dbias[N] = {0}, d_o[N];
        memcpy(dy, ones, sizeof dy);
        vector->norm(N, NULL, ones, NULL, drop, ones, zeros, xhat, y);
        for (int j = 0; j < N; j++)
            dropped += xhat[j] < 0 ? 1 : 0;
        /* Backward draws the same mask. */
        float dv[N];
        for (int j = 0; j < N; j++)
            dy[j] = (float)(j % 7);
        vector->norm_back(N, dy, xhat, 1, ones, drop, dgain, dbias, dv, d_o, NULL);
        for (int j = 0; j < N; j++)
            if (xhat[j] < 0)
                CHECK(d_o[j] == 0.0f);
    }
    CHECK_NEAR(dropped / 128000.0, 0.1, 0.005);
}

/* Row j of the table of types, whose gradient may only come through event j: within the
 * chunk of the target it is the slope of the loss, whatever bptt, and that of the whole
 * gradient (whole: the table, by bptt 0) to the last bits. Returns its length. */
static double check_row(struct world *world, const float *whole, uint32_t j,
                        const char *where)
{
    const struct slopes slopes = {
        .values = eddy_global(&world->layout, world->params, EDDY_G_TYPE) + j * 8,
        .gradient = eddy_global(&world->layout, world->grads, EDDY_G_TYPE) + j * 8,
        .n = 8,
        .loss_of = loss_of,
        .context = world};
    for (uint32_t k = 0; k < 8; k++)
        if (!CHECK_NEAR((double)slopes.gradient[k], (double)whole[j * 8 + k], 1e-7))
            fprintf(stderr, "    %s\n", where);
    return slopes_check(&slopes, j + 5, where, "type_embedding");
}

/* One history of EVENTS events, event j of type j; one target, after event `at`. Which
 * inputs does the gradient reach, and is it right there? */
static void check_reach(enum eddy_cell cell, enum eddy_mode mode, uint32_t bptt)
{
    struct world *world = world_new(cell, mode, 8, 2);
    float whole[EVENTS * 8];
    double longest = 0;
    char where[80];
    for (uint32_t at = 0; at < EVENTS; at++) {
        for (uint32_t j = 0; j < EVENTS; j++) {
            world->steps[j].type = (uint16_t)j;
            world->steps[j].begin = j % 3 == 0;
            world->targets[j] = j == at ? 1 : EDDY_ITEM_NONE;
        }
        eddy_pack_build(&world->pack, mode, world->list, 1);
        const float *rows = eddy_global(&world->layout, world->grads, EDDY_G_TYPE);
        world->net.bptt = 0;
        gradient_of(world);
        memcpy(whole, rows, sizeof whole);
        world->net.bptt = bptt;
        gradient_of(world);
        for (uint32_t j = 0; j < EVENTS; j++) {
            double length = 0;
            for (uint32_t k = 0; k < 8; k++)
                length += fabs((double)rows[j * 8 + k]);
            bool wanted = j <= at && (bptt == 0 || j / bptt == at / bptt);
            snprintf(where, sizeof where,
                     "cell %d mode %d bptt %u: target %u, input %u", (int)cell,
                     (int)mode, bptt, at, j);
            if (!CHECK_INT(length > 0, wanted))
                fprintf(stderr, "    %s\n", where);
            if (!wanted)
                continue;
            double norm = check_row(world, whole, j, where);
            longest = j < at && norm > longest ? norm : longest;
        }
    }
    CHECK(longest > 0.1); /* of earlier events, so that the checks say something */
    world_free(world);
}

static void a_gradient_crosses_exactly_bptt_events(void)
{
    /* sessions have three events: 10 leaves three of them in a chunk */
    static const uint32_t lengths[] = {0, 2, 4, 6, 10};
    for (int cell = 0; cell < 3; cell++)
        for (int mode = 0; mode < 3; mode++)
            for (int i = 0; i < 5; i++)
                check_reach((enum eddy_cell)cell, (enum eddy_mode)mode, lengths[i]);
}

/* Truncation changes gradients only, never what is computed forward. */
static void truncation_leaves_the_loss_alone(void)
{
    struct world *world = world_new(EDDY_CELL_GRU, EDDY_MODE_ALL, 8, 2);
    double whole = loss_of(world);
    world->net.bptt = 2;
    CHECK_NEAR(loss_of(world), whole, 0);
    world_free(world);
}

/* The sum over packs of one history each equals the pack of all: nothing leaks between
 * rows of a pack. */
static void histories_of_a_pack_do_not_see_each_other(void)
{
    for (int mode = 0; mode < 3; mode++) {
        struct world *world = world_new(EDDY_CELL_GRU, (enum eddy_mode)mode, 8, 2);
        double together = loss_of(world), apart = 0;
        for (uint32_t s = 0; s < SEQUENCES; s++) {
            eddy_pack_build(&world->pack, (enum eddy_mode)mode, &world->list[s], 1);
            apart += loss_of(world);
        }
        CHECK_NEAR(apart, together, 1e-4);
        world_free(world);
    }
}

int main(void)
{
    RUN(gradients_equal_differences_for_mingru);
    RUN(gradients_equal_differences_with_context);
    RUN(gradients_equal_differences_for_gru);
    RUN(gradients_equal_differences_for_plain_gru);
    RUN(gradients_equal_differences_under_dropout);
    RUN(gradients_equal_differences_for_sampled_softmax);
    RUN(gradients_equal_differences_for_bpr_max);
    RUN(bpr_max_is_the_papers_formula);
    RUN(no_negatives_are_no_gradient);
    RUN(samples_follow_their_probabilities);
    RUN(the_sampled_loss_estimates_the_full_one);
    RUN(a_tenth_of_the_values_is_dropped_at_dropout_a_tenth);
    RUN(a_gradient_crosses_exactly_bptt_events);
    RUN(truncation_leaves_the_loss_alone);
    RUN(histories_of_a_pack_do_not_see_each_other);
    return check_done();
}
