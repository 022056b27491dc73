/* The table of tensors: every shape, no overlap, and refusal of shapes out of range. */
#include "core/params.h"

#include <stdlib.h>

#include "check.h"

static struct eddy_layout
    layout; /* 15 KB: too large for the stack by the house rules */

static struct eddy_shape shape_of(enum eddy_cell cell, enum eddy_mode mode)
{
    return (struct eddy_shape){
        .items = 11, .hidden = 33, .layers = 3, .types = 2, .cell = cell, .mode = mode};
}

static void tensors_are_aligned_and_do_not_overlap(void)
{
    for (int cell = 0; cell < 2; cell++) {
        for (int mode = 0; mode < 3; mode++) {
            struct eddy_shape shape =
                shape_of((enum eddy_cell)cell, (enum eddy_mode)mode);
            CHECK_INT(eddy_layout_init(&layout, &shape, NULL), 0);
            CHECK_INT(layout.count, EDDY_GLOBAL_COUNT + 3 * EDDY_LAYER_COUNT);
            size_t end = 0;
            for (uint32_t t = 0; t < layout.count; t++) {
                CHECK_INT(layout.tensors[t].offset % 16, 0);
                CHECK(layout.tensors[t].offset >= end);
                end = layout.tensors[t].offset +
                      (size_t)layout.tensors[t].rows * layout.tensors[t].cols;
            }
            CHECK(layout.size >= end && layout.size % 16 == 0);
        }
    }
}

static void names_carry_the_layer(void)
{
    struct eddy_shape shape = shape_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    CHECK_INT(eddy_layout_init(&layout, &shape, NULL), 0);
    CHECK_STR(layout.tensors[EDDY_G_ITEM].name, "item_embedding");
    CHECK_STR(layout.tensors[EDDY_GLOBAL_COUNT + 2 * EDDY_LAYER_COUNT + EDDY_L_WO].name,
              "layers.2.wo");
}

static void a_shape_has_the_tensors_of_its_cell_and_mode(void)
{
    static const struct {
        enum eddy_cell cell;
        enum eddy_mode mode;
        int wz, wi, uz_rows, user;
    } rows[] = {
        {EDDY_CELL_MINGRU, EDDY_MODE_FLAT, 1, 0, 0, 0},
        {EDDY_CELL_MINGRU, EDDY_MODE_INIT, 1, 0, 0, 1},
        {EDDY_CELL_MINGRU, EDDY_MODE_ALL, 1, 0, 33, 1},
        {EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 1, 0, 0},
        {EDDY_CELL_GRU, EDDY_MODE_ALL, 0, 1, 66, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct eddy_shape shape = shape_of(rows[i].cell, rows[i].mode);
        CHECK_INT(eddy_layout_init(&layout, &shape, NULL), 0);
        float *block = eddy_params_new(&layout);
        CHECK_INT((uintptr_t)block % 64, 0);
        CHECK_INT(eddy_layer_tensor(&layout, block, 1, EDDY_L_WZ) != NULL, rows[i].wz);
        CHECK_INT(eddy_layer_tensor(&layout, block, 1, EDDY_L_WI) != NULL, rows[i].wi);
        CHECK_INT(eddy_global(&layout, block, EDDY_G_USER_WH) != NULL, rows[i].user);
        CHECK_INT(eddy_layer_tensor(&layout, block, 2, EDDY_L_WINIT) != NULL,
                  rows[i].user);
        uint32_t uz = EDDY_GLOBAL_COUNT + 2 * EDDY_LAYER_COUNT + EDDY_L_UZ;
        CHECK_INT(layout.tensors[uz].rows, rows[i].uz_rows);
        for (size_t f = 0; f < layout.size; f++)
            CHECK(block[f] == 0.0F);
        CHECK(eddy_global(&layout, block, EDDY_G_ITEM) == block);
        free(block);
    }
}

static void a_shape_out_of_range_is_refused_with_its_value(void)
{
    struct {
        struct eddy_shape shape;
        const char *word;
    } rows[] = {
        {{0, 32, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0}, "items is 0"},
        {{1U << 30, 32, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0},
         "items is 1073741824"},
        {{9, 0, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0}, "hidden dimension is 0"},
        {{9, 257, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0},
         "hidden dimension is 257"},
        {{9, 32, 9, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0}, "layers is 9"},
        {{9, 32, 1, 0, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0}, "event types is 0"},
        {{9, 32, 1, 1, (enum eddy_cell)7, EDDY_MODE_FLAT, 0, 0, 0}, "cell 7"},
        {{9, 32, 1, 1, EDDY_CELL_GRU, (enum eddy_mode)3, 0, 0, 0}, "mode 3"},
        {{9, 32, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 2000000, 0, 0},
         "2000000 features"},
        {{9, 32, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 2000000, 0},
         "2000000 of users"},
        {{9, 32, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 65535},
         "65535 features of context"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct eddy_err err = {0};
        CHECK_INT(eddy_layout_init(&layout, &rows[i].shape, &err), EDDY_ECONFIG);
        if (!CHECK(strstr(err.text, rows[i].word) != NULL))
            fprintf(stderr, "    %s\n", err.text);
    }
}

/* Metadata tensors are there when the shape has features, and nothing else moves. */
static void metadata_adds_its_tensors_behind_the_globals(void)
{
    struct eddy_shape shape = shape_of(EDDY_CELL_GRU, EDDY_MODE_ALL);
    struct eddy_layout plain;
    CHECK_INT(eddy_layout_init(&plain, &shape, NULL), 0);
    CHECK_INT(plain.tensors[EDDY_G_ITEM_FEATURES].rows, 0);
    CHECK_INT(plain.tensors[EDDY_G_USER_START].rows, 0);
    shape.item_features = 7;
    shape.user_features = 5;
    CHECK_INT(eddy_layout_init(&layout, &shape, NULL), 0);
    CHECK_INT(layout.tensors[EDDY_G_ITEM_FEATURES].rows, 7);
    CHECK_INT(layout.tensors[EDDY_G_ITEM_FEATURES].cols, 33);
    CHECK_INT(layout.tensors[EDDY_G_ITEM_FEATURE_BIAS].rows, 7);
    CHECK_INT(layout.tensors[EDDY_G_ITEM_COLD_BIAS].rows, 1);
    CHECK_INT(layout.tensors[EDDY_G_USER_FEATURES].rows, 5);
    CHECK_INT(layout.tensors[EDDY_G_USER_START].rows, 1);
    for (uint32_t t = 0; t < EDDY_G_ITEM_FEATURES; t++)
        CHECK_INT(layout.tensors[t].offset, plain.tensors[t].offset);
}

int main(void)
{
    RUN(metadata_adds_its_tensors_behind_the_globals);
    RUN(tensors_are_aligned_and_do_not_overlap);
    RUN(names_carry_the_layer);
    RUN(a_shape_has_the_tensors_of_its_cell_and_mode);
    RUN(a_shape_out_of_range_is_refused_with_its_value);
    return check_done();
}
