/* The forward pass against tests/golden/hrnn_*.txt and its kin: double precision, other code
 * (tests/golden/README.md).
 *
 * Tolerance 1e-5: values are of size 1 to 3, a state goes through some 20 dependent sums
 * of up to 68 products in fp32 (relative error 6e-8 each), and the file keeps 7 digits;
 * the worst difference seen is printed, about 5e-6. A wrong formula is off by 1e-2. */
#include "core/context_index.h"
#include "core/hrnn.h"
#include "core/score.h"
#include "core/train_items.h"

#include <stdlib.h>

#include "check.h"

enum { USERS_MAX = 4 };
static const double tolerance = 1e-5;

static struct eddy_layout layout;
static double worst;

struct golden {
    FILE *file;
    struct eddy_shape shape;
    unsigned session_gap_s;
    float *block;
    struct eddy_hrnn *hrnn;
    struct eddy_hrnn_scratch *scratch;
    float *states[USERS_MAX];
    struct eddy_features items, users; /* empty: no metadata */
    uint8_t known[32];
};

static float read_number(FILE *file)
{
    float value = NAN;
    CHECK_INT(fscanf(file, "%f", &value), 1);
    return value;
}

static void compare(FILE *file, const char *what, const float *got, uint32_t count)
{
    char word[16] = "";
    CHECK_INT(fscanf(file, "%15s", word), 1);
    CHECK_STR(word, what);
    for (uint32_t i = 0; i < count; i++) {
        double want = (double)read_number(file);
        CHECK_NEAR(got[i], want, tolerance);
        worst = fmax(worst, fabs((double)got[i] - want));
    }
}

static bool read_shape(struct golden *golden)
{
    char cell[16], mode[8];
    struct eddy_shape *shape = &golden->shape;
    if (!CHECK_INT(fscanf(golden->file, "#%*[^\n] shape %u %u %u %u %15s %7s %u",
                          &shape->items, &shape->hidden, &shape->layers, &shape->types,
                          cell, mode, &golden->session_gap_s),
                   7)) {
        return false;
    }
    shape->cell = !strcmp(cell, "mingru") ? EDDY_CELL_MINGRU
                  : !strcmp(cell, "gru")  ? EDDY_CELL_GRU
                                          : EDDY_CELL_PLAIN_GRU;
    shape->mode = !strcmp(mode, "flat")   ? EDDY_MODE_FLAT
                  : !strcmp(mode, "init") ? EDDY_MODE_INIT
                                          : EDDY_MODE_ALL;
    if (fscanf(golden->file, " metadata %u %u", &shape->item_features,
               &shape->user_features) != 2)
        shape->item_features = shape->user_features = 0; /* a vector without metadata */
    if (fscanf(golden->file, " context %u", &shape->context_features) != 1)
        shape->context_features = 0;
    return CHECK_INT(eddy_layout_init(&layout, shape, NULL), 0);
}

enum { PAIRS_MAX = 128 };

/* One line of COUNT (INDEX WEIGHT)... as the next row. */
static void read_row(struct golden *golden, struct eddy_features *features)
{
    uint64_t at = features->begin[features->rows];
    unsigned count = 0, index = 0;
    CHECK_INT(fscanf(golden->file, " %u", &count), 1);
    for (unsigned i = 0; i < count && CHECK(at < PAIRS_MAX); i++) {
        CHECK_INT(fscanf(golden->file, " %u", &index), 1);
        features->index[at] = index;
        features->weight[at++] = read_number(golden->file);
    }
    features->rows++;
    features->begin[features->rows] = at;
}

static struct eddy_features features_new(uint32_t rows, uint32_t size)
{
    return (struct eddy_features){.size = size,
                                  .begin = calloc(rows + 1, sizeof(uint64_t)),
                                  .index = calloc(PAIRS_MAX, sizeof(uint32_t)),
                                  .weight = calloc(PAIRS_MAX, sizeof(float))};
}

/* Metadata of items and users; the items' goes into the block, as at the end of training. */
static void read_metadata(struct golden *golden)
{
    const struct eddy_shape *shape = &golden->shape;
    struct eddy_train_items items;
    unsigned known = 9, count = 0;
    float query[32] = {0};
    if (shape->item_features == 0) {
        return;
    }
    golden->items = features_new(shape->items, shape->item_features);
    golden->users = features_new(USERS_MAX, shape->user_features);
    while (fscanf(golden->file, " item %u", &known) == 1 && count < shape->items) {
        golden->known[count++] = (uint8_t)known;
        read_row(golden, &golden->items);
    }
    CHECK_INT(count, shape->items);
    /* " item" has eaten nothing of "user". */
    for (count = 0; count < 3; count++) {
        CHECK_INT(fscanf(golden->file, " user"), 0);
        read_row(golden, &golden->users);
    }
    CHECK_INT(eddy_train_items_init(&items, &layout, &golden->items, 0, 1), 0);
    memcpy(items.known, golden->known, shape->items);
    eddy_train_items_finish(&items, query, golden->block);
    eddy_train_items_fini(&items);
}

/* Two features of `word`, -1 for none. */
static struct eddy_context_row read_context(struct golden *golden, const char *word)
{
    struct eddy_context_row row = {{0}};
    char got[16] = "";
    int features[2] = {-9, -9};
    CHECK_INT(fscanf(golden->file, "%15s %d %d", got, &features[0], &features[1]), 3);
    CHECK_STR(got, word);
    for (int i = 0; i < 2; i++)
        row.feature[2 * i] = (uint16_t)(features[i] + 1);
    return row;
}

static void compare_scores(struct golden *golden, unsigned user, const float *x)
{
    float scores[32], query[32];
    memcpy(query, x, golden->shape.hidden * sizeof *query);
    if (golden->shape.context_features > 0) {
        struct eddy_context_row request = read_context(golden, "request");
        eddy_context_add(&request,
                         eddy_global(&layout, golden->block, EDDY_G_CONTEXT_QUERY),
                         golden->shape.hidden, query);
    }
    if (golden->shape.user_features > 0) {
        eddy_features_add(&golden->users, user,
                          eddy_global(&layout, golden->block, EDDY_G_USER_FEATURES),
                          golden->shape.hidden, query);
    }
    eddy_score_all(golden->hrnn, query, scores);
    compare(golden->file, "scores", scores, golden->shape.items);
}

/* Lists before the first event; the number of them. */
static int play_starts(struct golden *golden)
{
    unsigned user = USERS_MAX;
    int count = 0;
    while (golden->shape.user_features + golden->shape.context_features > 0 &&
           fscanf(golden->file, " start %u", &user) == 1 && CHECK(user < USERS_MAX)) {
        compare_scores(golden, user,
                       eddy_global(&layout, golden->block, EDDY_G_USER_START));
        count++;
    }
    return count;
}

/* All tensors of the layout in its order, under its names. */
static void read_tensors(struct golden *golden)
{
    golden->block = eddy_params_new(&layout);
    for (uint32_t t = 0; t < layout.count; t++) {
        const struct eddy_tensor *tensor = &layout.tensors[t];
        if (!tensor->rows) {
            continue;
        }
        char name[40] = "";
        unsigned rows = 0, cols = 0;
        CHECK_INT(fscanf(golden->file, " tensor %39s %u %u", name, &rows, &cols), 3);
        CHECK_STR(name, tensor->name);
        CHECK_INT(rows, tensor->rows);
        CHECK_INT(cols, tensor->cols);
        for (size_t i = 0; i < (size_t)tensor->rows * tensor->cols; i++) {
            golden->block[tensor->offset + i] = read_number(golden->file);
        }
    }
}

static void check_step(FILE *file, const struct eddy_step *step)
{
    unsigned gap = 99, begin = 9, first = 9;
    CHECK_INT(fscanf(file, " step %u %u %u", &gap, &begin, &first), 3);
    CHECK_INT(step->gap, gap);
    CHECK_INT(step->begin, begin);
    CHECK_INT(step->first, first);
    CHECK_NEAR(step->value, read_number(file), 1e-6);
}

/* False at the end of the file. */
static bool play_event(struct golden *golden)
{
    unsigned user, item, type;
    long long previous_s, now_s;
    char value[16];
    int count = fscanf(golden->file, " event %u %u %u %lld %lld %15s", &user, &item,
                       &type, &previous_s, &now_s, value);
    if (count != 6 || !CHECK(user < USERS_MAX)) {
        CHECK_INT(count, EOF);
        return false;
    }
    bool has_value = strcmp(value, "-") != 0;
    struct eddy_step step =
        eddy_step_make(item, (uint16_t)type, previous_s, now_s, golden->session_gap_s,
                       has_value, has_value ? strtof(value, NULL) : 0.0F);
    if (golden->shape.context_features > 0)
        step.context = read_context(golden, "context");
    check_step(golden->file, &step);
    float *state = golden->states[user];
    eddy_hrnn_step(golden->hrnn, golden->scratch, 1, &step, &state);
    compare(golden->file, "hidden", state, eddy_hrnn_state_floats(&golden->shape));
    compare_scores(golden, user, state + eddy_hrnn_query_offset(&golden->shape));
    return true;
}

static void check_file(const char *name, const char *kernels)
{
    char path[512];
    struct golden golden = {0};
    (void)snprintf(path, sizeof(path), "%s/golden/%s.txt", EDDY_TESTS_FOLDER, name);
    golden.file = fopen(path, "r");
    if (!CHECK(golden.file != NULL) || !read_shape(&golden)) {
        fprintf(stderr, "    %s\n", path);
        return;
    }
    read_tensors(&golden);
    read_metadata(&golden);
    golden.hrnn = eddy_hrnn_new(&layout, golden.block, eddy_kernels_find(kernels));
    golden.scratch = eddy_hrnn_scratch_new(&golden.shape, 1);
    for (int user = 0; user < USERS_MAX; user++) {
        golden.states[user] = eddy_floats_new(eddy_hrnn_state_floats(&golden.shape));
    }
    CHECK_INT(play_starts(&golden),
              golden.shape.user_features + golden.shape.context_features > 0 ? 3 : 0);
    int events = 0;
    while (play_event(&golden)) {
        events++;
    }
    CHECK(events >= 20);
    for (int user = 0; user < USERS_MAX; user++) {
        free(golden.states[user]);
    }
    eddy_hrnn_scratch_free(golden.scratch);
    eddy_hrnn_free(golden.hrnn);
    free(golden.block);
    eddy_features_fini(&golden.items);
    eddy_features_fini(&golden.users);
    (void)fclose(golden.file);
}

static void states_and_scores_are_those_of_the_double_precision_reference(void)
{
    static const char *const files[] = {
        "hrnn_mingru_flat_5",     "hrnn_mingru_init_5",   "hrnn_mingru_all_5",
        "hrnn_mingru_all_17",     "hrnn_gru_flat_5",      "hrnn_gru_init_5",
        "hrnn_gru_all_5",         "hrnn_gru_all_17",      "hrnn_plain_gru_flat_5",
        "hrnn_plain_gru_init_5",  "hrnn_plain_gru_all_5", "hrnn_plain_gru_all_17",
        "metadata_mingru_flat_6", "metadata_gru_init_6",  "context_mingru_flat_6",
        "context_gru_all_6"};
    static const char *const names[] = {"naive", "avx2", "avx512"};
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        for (int n = 0; n < 3; n++) {
            if (eddy_kernels_find(names[n])) {
                check_file(files[f], names[n]);
            }
        }
    }
    printf("largest difference: %.2g\n", worst);
}

int main(void)
{
    RUN(states_and_scores_are_those_of_the_double_precision_reference);
    return check_done();
}
