/* Training that goes on from an older model: its weights by item id, event type, column and
 * value of metadata, fresh ones for what it did not know. What it has learned from already is
 * learned from again for a sample of users only (core/sequence.h, replay), so that it is not
 * forgotten and the cost is that of the new events. Items of which it sees nothing now keep
 * their vectors (core/train_items.h). */
#include <math.h>

#include "core/train_parts.h"

static bool same_shape(const struct eddy_shape *a, const struct eddy_shape *b)
{
    return a->hidden == b->hidden && a->layers == b->layers && a->cell == b->cell &&
           a->mode == b->mode;
}

static void copy_rows(const struct eddy_trainer *trainer, enum eddy_global_tensor id,
                      uint32_t to, uint32_t from)
{
    const struct eddy_train_warm *warm = trainer->options->warm;
    const struct eddy_tensor *here = &trainer->layout.tensors[id];
    const struct eddy_tensor *there = &warm->layout->tensors[id];
    memcpy(trainer->params + here->offset + (size_t)to * here->cols,
           warm->params + there->offset + (size_t)from * there->cols,
           here->cols * sizeof(float));
}

/* Items that the old model only listed have a zero vector. */
static bool has_vector(const struct eddy_train_warm *warm, uint32_t item)
{
    const struct eddy_tensor *tensor = &warm->layout->tensors[EDDY_G_ITEM];
    const float *row = warm->params + tensor->offset + (size_t)item * tensor->cols;
    for (uint32_t k = 0; k < tensor->cols; k++)
        if (row[k] != 0)
            return true;
    return false;
}

static void copy_items(struct eddy_trainer *trainer)
{
    static const float hidden = -1e29f; /* as a bias: the item was hidden */
    const struct eddy_train_warm *warm = trainer->options->warm;
    float *biases = trainer->params + trainer->layout.tensors[EDDY_G_ITEM_BIAS].offset;

    for (uint32_t i = 0; i < trainer->layout.shape.items; i++) {
        uint32_t old = warm->items[i];
        if (old == EDDY_ITEM_NONE || !has_vector(warm, old))
            continue;
        copy_rows(trainer, EDDY_G_ITEM, i, old);
        copy_rows(trainer, EDDY_G_ITEM_BIAS, i, old);
        if (!(biases[i] > hidden))
            biases[i] = 0;
    }
}

int eddy_train_warm_keep(struct eddy_trainer *trainer)
{
    const struct eddy_train_warm *warm = trainer->options->warm;
    int r = 0;
    for (uint32_t i = 0; warm != NULL && r == 0 && i < trainer->items.items; i++)
        if (warm->items[i] != EDDY_ITEM_NONE && has_vector(warm, warm->items[i]))
            r = eddy_train_items_keep(&trainer->items, i, trainer->params);
    return r;
}

/* Tables by feature begin with what the old ones said of the same columns and values, so
 * that new items, users and contexts get what the old model would have given them; of what
 * it did not know with zeros, as if it were not there. E of the old model holds the tables'
 * part: eddy_train_items_resume takes it out again. */
static void copy_features(const struct eddy_trainer *trainer,
                          enum eddy_global_tensor id,
                          const struct eddy_feature_origin *origins)
{
    const struct eddy_train_warm *warm = trainer->options->warm;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    const struct eddy_tensor *here = &trainer->layout.tensors[id];
    const struct eddy_tensor *there = &warm->layout->tensors[id];

    for (uint32_t f = 0; f < here->rows; f++) {
        float *to = trainer->params + here->offset + (size_t)f * here->cols;
        memset(to, 0, here->cols * sizeof *to);
        for (int k = 0; k < 2 && origins != NULL; k++)
            if (origins[f].weight[k] != 0)
                vector->axpy(here->cols, origins[f].weight[k],
                             warm->params + there->offset +
                                 (size_t)origins[f].at[k] * here->cols,
                             to);
    }
}

static bool is_shared(uint32_t id)
{
    switch (id) {
    case EDDY_G_ITEM:
    case EDDY_G_ITEM_BIAS:
    case EDDY_G_TYPE:
    case EDDY_G_ITEM_FEATURES:
    case EDDY_G_ITEM_FEATURE_BIAS:
    case EDDY_G_USER_FEATURES:
    case EDDY_G_CONTEXT_FEATURES:
    case EDDY_G_CONTEXT_QUERY: return false;
    default: return true;
    }
}

int eddy_train_warm_start(struct eddy_trainer *trainer, struct eddy_err *err)
{
    const struct eddy_train_warm *warm = trainer->options->warm;
    const struct eddy_layout *layout = &trainer->layout;

    if (warm == NULL)
        return 0;
    if (!same_shape(&layout->shape, &warm->layout->shape))
        return eddy_fail(
            err, EDDY_ECONFIG,
            "the model to start from has hidden_dimension %u and %u layers, "
            "or another cell or mode: set the same",
            warm->layout->shape.hidden, warm->layout->shape.layers);
    copy_items(trainer);
    for (uint32_t t = 0; t < layout->shape.types; t++)
        if (warm->types[t] < warm->layout->shape.types)
            copy_rows(trainer, EDDY_G_TYPE, t, warm->types[t]);
    copy_features(trainer, EDDY_G_ITEM_FEATURES, warm->item_features);
    copy_features(trainer, EDDY_G_ITEM_FEATURE_BIAS, warm->item_features);
    copy_features(trainer, EDDY_G_USER_FEATURES, warm->user_features);
    copy_features(trainer, EDDY_G_CONTEXT_FEATURES, warm->context_features);
    copy_features(trainer, EDDY_G_CONTEXT_QUERY, warm->context_features);
    for (uint32_t t = 0; t < layout->count; t++) {
        const struct eddy_tensor *here = &layout->tensors[t];
        const struct eddy_tensor *there = &warm->layout->tensors[t];
        if ((t < EDDY_GLOBAL_COUNT && !is_shared(t)) || here->rows != there->rows ||
            here->cols != there->cols)
            continue;
        memcpy(trainer->params + here->offset, warm->params + there->offset,
               (size_t)here->rows * here->cols * sizeof(float));
    }
    return 0;
}
