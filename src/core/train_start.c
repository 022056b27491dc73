/* Start values. Embeddings N(0, 0.02^2); matrices uniform within sqrt(6 / (rows + cols))
 * (Glorot, Bengio 2010), per gate where several share a tensor; gains 1, biases 0. The
 * gate bias of mingru spreads the channels' time constants log-uniformly from 1.5 to 32
 * events (the "chrono" idea of Tallec, Ollivier 2018): z = 1/T means bias -log(T - 1). */
#include <math.h>

#include "base/rng.h"
#include "core/train_parts.h"

static void normal(struct eddy_rng *rng, const struct eddy_tensor *tensor,
                   float *values)
{
    size_t n = (size_t)tensor->rows * tensor->cols;
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(0.02 * eddy_rng_normal(rng));
}

static void uniform(struct eddy_rng *rng, const struct eddy_tensor *tensor,
                    uint32_t gate_rows, float *values)
{
    size_t n = (size_t)tensor->rows * tensor->cols;
    double bound = sqrt(6.0 / (double)(gate_rows + tensor->cols));
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(bound * (2 * eddy_rng_unit(rng) - 1));
}

static void ones(const struct eddy_tensor *tensor, float *values)
{
    for (uint32_t i = 0; i < tensor->cols; i++)
        values[i] = 1;
}

static void time_constants(const struct eddy_tensor *tensor, float *values)
{
    for (uint32_t i = 0; i < tensor->cols; i++) {
        double share = (i + 0.5) / tensor->cols;
        double events = 1.5 * pow(32 / 1.5, share);
        values[i] = (float)-log(events - 1);
    }
}

static void global_tensor(struct eddy_rng *rng, int id,
                          const struct eddy_tensor *tensor, uint32_t hidden,
                          float *values)
{
    switch ((enum eddy_global_tensor)id) {
    case EDDY_G_ITEM:
    case EDDY_G_TYPE:
    case EDDY_G_GAP:
    case EDDY_G_BOS:
    case EDDY_G_ITEM_FEATURES:
    case EDDY_G_USER_FEATURES:
    case EDDY_G_USER_START:
    case EDDY_G_VALUE: normal(rng, tensor, values); break;
    case EDDY_G_IN_GAIN: ones(tensor, values); break;
    case EDDY_G_USER_WI:
    case EDDY_G_USER_WH: uniform(rng, tensor, hidden, values); break;
    default: break; /* biases, tables of context: zero */
    }
}

static void layer_tensor(struct eddy_rng *rng, int id, const struct eddy_tensor *tensor,
                         uint32_t hidden, float *values)
{
    switch ((enum eddy_layer_tensor)id) {
    case EDDY_L_WZ:
    case EDDY_L_WC:
    case EDDY_L_WI:
    case EDDY_L_WH:
    case EDDY_L_UZ:
    case EDDY_L_WINIT:
    case EDDY_L_WO: uniform(rng, tensor, hidden, values); break;
    case EDDY_L_W1:
    case EDDY_L_W2: uniform(rng, tensor, tensor->rows, values); break;
    case EDDY_L_LN1_GAIN:
    case EDDY_L_LN2_GAIN: ones(tensor, values); break;
    case EDDY_L_BZ: time_constants(tensor, values); break;
    default: break; /* biases: zero */
    }
}

void eddy_train_start_values(const struct eddy_layout *layout, uint64_t seed,
                             float *params)
{
    uint32_t hidden = layout->shape.hidden;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, seed);
    for (int t = 0; t < EDDY_GLOBAL_COUNT; t++) {
        const struct eddy_tensor *tensor = &layout->tensors[t];
        if (tensor->rows > 0)
            global_tensor(&rng, t, tensor, hidden, params + tensor->offset);
    }
    for (uint32_t l = 0; l < layout->shape.layers; l++) {
        for (int t = 0; t < EDDY_LAYER_COUNT; t++) {
            const struct eddy_tensor *tensor =
                &layout
                     ->tensors[EDDY_GLOBAL_COUNT + l * EDDY_LAYER_COUNT + (uint32_t)t];
            if (tensor->rows > 0)
                layer_tensor(&rng, t, tensor, hidden, params + tensor->offset);
        }
    }
}
