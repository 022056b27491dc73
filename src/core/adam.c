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
    struct eddy_adam_move move;
};

/* Where the pieces that move at every step begin. */
static size_t dense_begin(const struct eddy_adam *adam)
{
    return adam->rows.items > 0 ? adam->rows.dense : 0;
}

static uint32_t dense_pieces(const struct eddy_adam *adam)
{
    return (uint32_t)((adam->size - dense_begin(adam) + PIECE - 1) / PIECE);
}

/* Those, then those of touched rows. */
static uint32_t piece_count(const struct eddy_adam *adam)
{
    return dense_pieces(adam) + eddy_rows_pieces(&adam->rows);
}

static uint32_t piece_size(const struct eddy_adam *adam, uint32_t piece,
                           size_t *ret_begin)
{
    size_t begin = dense_begin(adam) + (size_t)piece * PIECE;
    *ret_begin = begin;
    return (uint32_t)(adam->size - begin < PIECE ? adam->size - begin : PIECE);
}

int eddy_adam_init(struct eddy_adam *adam, const struct eddy_layout *layout,
                   const float *params, const struct eddy_train_options *options,
                   bool sparse)
{
    bool complete = true;
    uint32_t pieces = (uint32_t)(layout->size / PIECE) + 2;
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
    if (sparse)
        pieces += layout->shape.items; /* of rows, at most */
    adam->square_sums = calloc(pieces, sizeof *adam->square_sums);
    complete = complete && adam->m && adam->v && adam->square_sums &&
               (!sparse || eddy_rows_init(&adam->rows, layout) == 0);
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
    eddy_rows_fini(&adam->rows);
    *adam = (struct eddy_adam){0};
}

static void sum_piece(void *context, uint32_t piece, uint32_t worker)
{
    struct run *run = context;
    struct eddy_adam *adam = run->adam;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    uint32_t dense = dense_pieces(adam);
    size_t at;
    (void)worker; /* needs no scratch */

    if (piece >= dense) {
        adam->square_sums[piece] = eddy_rows_sum(adam, piece - dense);
        return;
    }
    uint32_t n = piece_size(adam, piece, &at);
    for (int s = 1; s < EDDY_TRAIN_SHARDS; s++)
        vector->add(n, adam->gradients[s] + at, adam->gradients[0] + at);
    adam->square_sums[piece] = vector->square_sum(n, adam->gradients[0] + at);
}

static void move_piece(void *context, uint32_t piece, uint32_t worker)
{
    struct run *run = context;
    struct eddy_adam *adam = run->adam;
    const struct eddy_adam_move *move = &run->move;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    uint32_t dense = dense_pieces(adam);
    size_t at;
    (void)worker; /* needs no scratch */

    if (piece >= dense) {
        eddy_rows_move(adam, move, run->params, piece - dense);
        return;
    }
    uint32_t n = piece_size(adam, piece, &at);
    vector->adam(n, move->rate, move->correction2, adam->gradients[0] + at,
                 move->gradient_scale, adam->m + at, adam->v + at, run->params + at);
    if (adam->average != NULL)
        vector->average(n, move->average_gain, run->params + at, adam->average + at);
}

double eddy_adam_step(struct eddy_adam *adam, float *params)
{
    struct run run = {.adam = adam, .params = params};
    uint32_t pieces = piece_count(adam);
    double squares = 0;

    eddy_team_run(adam->threads, pieces, sum_piece, &run);
    for (uint32_t p = 0; p < pieces; p++)
        squares += adam->square_sums[p];
    double norm = sqrt(squares);
    if (!isfinite(norm))
        return norm;
    adam->steps++;
    double t = (double)adam->steps, warm = (1 + t) / (10 + t);
    double decay = adam->average_decay < warm ? adam->average_decay : warm;
    bool clip = adam->clip_norm > 0 && norm > adam->clip_norm;
    run.move = (struct eddy_adam_move){
        .gradient_scale = clip ? (float)(adam->clip_norm / norm) : 1.0f,
        .rate = (float)(adam->learning_rate / (1 - pow(0.9, t))),
        .correction2 = (float)(1 / (1 - pow(0.999, t))),
        .average_gain = (float)(1 - decay),
    };
    eddy_team_run(adam->threads, pieces, move_piece, &run);
    adam->rows.count = 0;
    return norm;
}
