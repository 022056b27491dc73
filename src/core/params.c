/* The table of tensors: names, sizes and places in the block, all from the two X-tables of
 * core/params.h, for every shape in the same order. */
#include "core/params.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/kernel.h"

enum { ALIGN_FLOATS = 16, ITEMS_MAX = 1 << 24 };

static int check_range(const char *what, uint32_t value, uint32_t max,
                       struct eddy_err *err)
{
    if (value >= 1 && value <= max)
        return 0;
    return eddy_fail(err, EDDY_ECONFIG, "model shape: %s is %u, allowed is 1 to %u",
                     what, value, max);
}

static int check_shape(const struct eddy_shape *shape, struct eddy_err *err)
{
    int r = check_range("items", shape->items, ITEMS_MAX, err);
    if (shape->hidden > 0 || shape->layers > 0) { /* both 0: no network */
        r = r ? r
              : check_range("hidden dimension", shape->hidden, EDDY_HIDDEN_MAX, err);
        r = r ? r : check_range("layers", shape->layers, EDDY_LAYERS_MAX, err);
    }
    r = r ? r : check_range("event types", shape->types, EDDY_TYPES_MAX, err);
    if (r)
        return r;
    if (shape->item_features > EDDY_SHAPE_FEATURES_MAX ||
        shape->user_features > EDDY_SHAPE_FEATURES_MAX)
        return eddy_fail(err, EDDY_ECONFIG,
                         "model shape: %u features of items, %u of users, at most %d",
                         shape->item_features, shape->user_features,
                         EDDY_SHAPE_FEATURES_MAX);
    if (shape->context_features >= UINT16_MAX)
        return eddy_fail(err, EDDY_ECONFIG,
                         "model shape: %u features of context, at most %d",
                         shape->context_features, UINT16_MAX - 1);
    if (shape->cell != EDDY_CELL_MINGRU && shape->cell != EDDY_CELL_GRU &&
        shape->cell != EDDY_CELL_PLAIN_GRU)
        return eddy_fail(err, EDDY_ECONFIG, "model shape: unknown cell %d",
                         shape->cell);
    if (shape->mode != EDDY_MODE_FLAT && shape->mode != EDDY_MODE_INIT &&
        shape->mode != EDDY_MODE_ALL)
        return eddy_fail(err, EDDY_ECONFIG, "model shape: unknown mode %d",
                         shape->mode);
    return 0;
}

/* Append a tensor; one that the shape does not have keeps its place with 0 rows. */
static void add_tensor(struct eddy_layout *layout, int layer, const char *name,
                       uint32_t rows, uint32_t cols, bool present)
{
    struct eddy_tensor *tensor = &layout->tensors[layout->count++];
    *tensor = (struct eddy_tensor){.offset = layout->size};
    if (layer < 0)
        (void)snprintf(tensor->name, sizeof(tensor->name), "%s", name);
    else
        (void)snprintf(tensor->name, sizeof(tensor->name), "layers.%d.%s", layer, name);
    if (!present || rows == 0 || cols == 0)
        return;
    tensor->rows = rows;
    tensor->cols = cols;
    size_t size = (size_t)rows * cols;
    layout->size += (size + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

int eddy_layout_init(struct eddy_layout *layout, const struct eddy_shape *shape,
                     struct eddy_err *err)
{
    int r = check_shape(shape, err);
    if (r)
        return r;
    *layout = (struct eddy_layout){.shape = *shape};
    const bool mingru = shape->cell == EDDY_CELL_MINGRU;
    const bool gru = !mingru, block = shape->cell != EDDY_CELL_PLAIN_GRU;
    const bool all = shape->mode == EDDY_MODE_ALL;
    const bool user = shape->mode != EDDY_MODE_FLAT;
    const uint32_t V = shape->items, H = shape->hidden, T = shape->types;
    const uint32_t C = gru ? 2 * H : H;
    const uint32_t M = shape->item_features, Mu = shape->user_features;
    const uint32_t Mc = shape->context_features;
#define XX(id, name, rows, cols, when) add_tensor(layout, -1, name, rows, cols, when);
    EDDY_GLOBAL_TENSORS(XX)
#undef XX
    for (int layer = 0; layer < (int)shape->layers; layer++) {
#define XX(id, name, rows, cols, when)                                                 \
    add_tensor(layout, layer, name, rows, cols, when);
        EDDY_LAYER_TENSORS(XX)
#undef XX
    }
    return 0;
}

float *eddy_params_new(const struct eddy_layout *layout)
{
    return eddy_floats_new(layout->size);
}

static float *find(const struct eddy_layout *layout, float *block, uint32_t index)
{
    const struct eddy_tensor *tensor = &layout->tensors[index];
    return tensor->rows ? block + tensor->offset : NULL;
}

float *eddy_global(const struct eddy_layout *layout, float *block,
                   enum eddy_global_tensor tensor)
{
    return find(layout, block, (uint32_t)tensor);
}

float *eddy_layer_tensor(const struct eddy_layout *layout, float *block, uint32_t layer,
                         enum eddy_layer_tensor tensor)
{
    return find(layout, block,
                EDDY_GLOBAL_COUNT + layer * EDDY_LAYER_COUNT + (uint32_t)tensor);
}
