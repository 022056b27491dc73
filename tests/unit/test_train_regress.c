/* Where training begins to learn what metadata says of new items: a ridge regression of known
 * ones, with the lambda that predicts items it has not seen. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "check.h"
#include "core/train_items.h"

/* Items of three features each; the last ones are new, the others are what their features
 * say, or noise. */
enum { ITEMS = 400, NEW = 100, FEATURES = 40, EACH = 3, WIDE = 20 };
struct taught {
    struct eddy_layout layout;
    float *params;       /* of a snapshot */
    double missed, said; /* of new items: squares of what was missed, of what is true */
    double given,
        biases; /* squares of what they got; mean squared error of their biases */
};

static void teach(double noise, uint32_t threads, struct taught *ret)
{
    static uint64_t at[ITEMS + 1];
    static uint32_t index[ITEMS * EACH];
    static float weight[ITEMS * EACH], table[FEATURES * WIDE], w[FEATURES];
    static float truth[ITEMS * WIDE], bias[ITEMS];
    static struct eddy_step steps[2 * (ITEMS - NEW)];
    struct eddy_features rows = {ITEMS, FEATURES, at, index, weight};
    struct eddy_shape shape = {.items = ITEMS,
                               .hidden = WIDE,
                               .layers = 1,
                               .types = 1,
                               .item_features = FEATURES};
    struct eddy_sequence seen = {.steps = steps, .count = 2 * (ITEMS - NEW)};
    struct eddy_train_items items;
    struct eddy_rng rng;
    float query[WIDE] = {0};

    eddy_rng_seed(&rng, 11);
    for (uint32_t i = 0; i < FEATURES * WIDE; i++)
        table[i] = (float)eddy_rng_normal(&rng);
    for (uint32_t i = 0; i < FEATURES; i++)
        w[i] = (float)eddy_rng_normal(&rng);
    for (uint32_t i = 0; i < ITEMS * EACH; i++) {
        index[i] = i % EACH * (FEATURES / EACH) + eddy_rng_below(&rng, FEATURES / EACH);
        weight[i] = 0.2f + (float)(i % 4) / 4;
        at[i / EACH + 1] = i + 1;
    }
    for (uint32_t i = 0; i < ITEMS * WIDE; i++)
        truth[i] = (float)(noise * eddy_rng_normal(&rng));
    for (uint32_t i = 0; i < ITEMS; i++) {
        bias[i] = 3;
        for (uint64_t j = at[i]; j < at[i + 1] && noise == 0; j++) {
            bias[i] += weight[j] * w[index[j]];
            for (uint32_t h = 0; h < WIDE; h++)
                truth[i * WIDE + h] += weight[j] * table[index[j] * WIDE + h];
        }
    }
    for (uint32_t i = 0; i < ITEMS - NEW; i++)
        steps[2 * i].item = steps[2 * i + 1].item = i;

    CHECK_INT(eddy_layout_init(&ret->layout, &shape, NULL), 0);
    ret->params = eddy_params_new(&ret->layout); /* F and w are 0 */
    CHECK_INT(eddy_train_items_init(&items, &ret->layout, &rows, 0.1, threads), 0);
    eddy_train_items_know(&items, &seen, 1, 1, ret->params);
    float *e = eddy_global(&ret->layout, ret->params, EDDY_G_ITEM);
    float *b = eddy_global(&ret->layout, ret->params, EDDY_G_ITEM_BIAS);
    memcpy(e, truth, (size_t)(ITEMS - NEW) * WIDE * sizeof *e);
    memcpy(b, bias, (ITEMS - NEW) * sizeof *b);
    CHECK_INT(eddy_train_items_fix(&items, ret->params), 0);
    CHECK_INT(eddy_train_items_regress(&items, ret->params), 0);
    eddy_train_items_let_go(&items, ret->params);
    eddy_train_items_finish(&items, query, ret->params);
    ret->missed = ret->said = ret->given = ret->biases = 0;
    for (uint32_t i = (ITEMS - NEW) * WIDE; i < ITEMS * WIDE; i++) {
        ret->missed += pow((double)(e[i] - truth[i]), 2);
        ret->said += pow((double)truth[i], 2);
        ret->given += pow((double)e[i], 2);
    }
    for (uint32_t i = ITEMS - NEW; i < ITEMS; i++)
        ret->biases += pow((double)(b[i] - bias[i]), 2) / NEW;
    for (uint32_t i = 0; i < (ITEMS - NEW) * WIDE; i++)
        CHECK_NEAR((double)e[i], (double)truth[i], 1e-5);
    eddy_train_items_fini(&items);
}

/* Where what items are is a sum over their metadata, it is found, by any number of threads. */
static void the_regression_finds_what_metadata_says(void)
{
    struct taught one, two;
    teach(0, 1, &one);
    teach(0, 2, &two);
    CHECK(one.missed < 0.01 * one.said);
    CHECK(one.biases < 0.1);
    CHECK_MEM(one.params, two.params, one.layout.size * sizeof(float));
    free(one.params);
    free(two.params);
}

/* And where it says nothing, next to nothing is made of it. */
static void the_regression_makes_little_of_noise(void)
{
    struct taught noise;
    teach(1, 1, &noise);
    CHECK(noise.given < 0.1 * noise.said);
    free(noise.params);
}

int main(void)
{
    RUN(the_regression_finds_what_metadata_says);
    RUN(the_regression_makes_little_of_noise);
    return check_done();
}
