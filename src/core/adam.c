/* Adam (Kingma, Ba 2015) with clipping by the global norm and a running average of the
 * weights (Polyak, Juditsky 1992; exponential, with the warm-up of TensorFlow's
 * ExponentialMovingAverage). A block is cut into fixed pieces; what is summed is summed
 * piece by piece in a fixed order, so threads do not change the result. */
#include <math.h>
#include <stdlib.h>

#include "core/team.h"
#include "core/train_parts.h"

enum { PIECE = 1 << 15 };

struct run {
    struct eddy_adam *adam;
    float *params;
    float rate, correction2, gradient_scale, average_gain;
};

static uint32_t piece_count(const struct eddy_adam *adam)
{
    return (uint32_t)((adam->size + PIECE - 1) / PIECE);
}

static uint32_t piece_size(const struct eddy_adam *adam, uint32_t piece)
{
    size_t begin = (size_t)piece * PIECE;
    return (uint32_t)(adam->size - begin < PIECE ? adam->size - begin : PIECE);
}

int eddy_adam_init(struct eddy_adam *adam, const struct eddy_layout *layout,
                   const float *params, const struct eddy_train_options *options)
{
    bool complete = true;
    *adam = (struct eddy_adam){
        .size = layout->size,
        .learning_rate = options->learning_rate,
        .clip_norm = options->clip_norm,
        .average_decay = options->average,
        .threads = (uint32_t)options->threads,
    };
    for (int s = 0; s < EDDY_TRAIN_SHARDS; s++) {
        adam->gradients[s] = eddy_params_new(layout);
        complete = complete && adam->gradients[s];
    }
    adam->m = eddy_params_new(layout);
    adam->v = eddy_params_new(layout);
    adam->square_sums = calloc(piece_count(adam), sizeof *adam->square_sums);
    complete = complete && adam->m && adam->v && adam->square_sums;
    if (options->average > 0) {
        adam->average = eddy_params_new(layout);
        complete = complete && adam->average;
        if (complete)
            memcpy(adam->average, params, layout->size * sizeof *params);
    }
    if (complete)
        return 0;
    eddy_adam_fini(adam);
    return EDDY_ENOMEM;
}

void eddy_adam_fini(struct eddy_adam *adam)
{
    for (int s = 0; s < EDDY_TRAIN_SHARDS; s++)
        free(adam->gradients[s]);
    free(adam->m);
    free(adam->v);
    free(adam->average);
    free(adam->square_sums);
    *adam = (struct eddy_adam){0};
}

static void sum_piece(void *context, uint32_t piece, uint32_t worker)
{
    struct run *run = context;
    struct eddy_adam *adam = run->adam;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    size_t at = (size_t)piece * PIECE;
    uint32_t n = piece_size(adam, piece);
    (void)worker; /* needs no scratch */
    for (int s = 1; s < EDDY_TRAIN_SHARDS; s++)
        vector->add(n, adam->gradients[s] + at, adam->gradients[0] + at);
    adam->square_sums[piece] = vector->square_sum(n, adam->gradients[0] + at);
}

static void move_piece(void *context, uint32_t piece, uint32_t worker)
{
    struct run *run = context;
    struct eddy_adam *adam = run->adam;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    size_t at = (size_t)piece * PIECE;
    uint32_t n = piece_size(adam, piece);
    (void)worker; /* needs no scratch */
    vector->adam(n, run->rate, run->correction2, adam->gradients[0] + at,
                 run->gradient_scale, adam->m + at, adam->v + at, run->params + at);
    if (adam->average != NULL)
        vector->average(n, run->average_gain, run->params + at, adam->average + at);
}

double eddy_adam_step(struct eddy_adam *adam, float *params)
{
    struct run run = {.adam = adam, .params = params};
    double squares = 0;

    eddy_team_run(adam->threads, piece_count(adam), sum_piece, &run);
    for (uint32_t p = 0; p < piece_count(adam); p++)
        squares += adam->square_sums[p];
    double norm = sqrt(squares);
    if (!isfinite(norm))
        return norm;
    adam->steps++;
    double t = (double)adam->steps, warm = (1 + t) / (10 + t);
    double decay = adam->average_decay < warm ? adam->average_decay : warm;
    bool clip = adam->clip_norm > 0 && norm > adam->clip_norm;
    run.gradient_scale = clip ? (float)(adam->clip_norm / norm) : 1.0f;
    run.rate = (float)(adam->learning_rate / (1 - pow(0.9, t)));
    run.correction2 = (float)(1 / (1 - pow(0.999, t)));
    run.average_gain = (float)(1 - decay);
    eddy_team_run(adam->threads, piece_count(adam), move_piece, &run);
    return norm;
}
