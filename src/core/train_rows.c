/* Adam for item tables of which a batch touches a few rows.
 *
 * With drawn negatives a batch has gradients for some thousand items of perhaps a million;
 * walking over all of them would cost more than the products. So a row's moments stand still
 * while nothing touches it, and `last` remembers at which step. Before a batch reads the
 * row, the steps that it missed are made up for in one go. Without gradients Adam goes on by
 *     m <- 0.9 m,  v <- 0.999 v,  p <- p - rate_t m / (sqrt(v correction2_t) + eps):
 * after n steps p has moved by m_0 / sqrt(v_0) times a sum that is the same for all
 * parameters of the row, and the running average a <- d_t a + (1 - d_t) p follows likewise.
 * The result is that of Adam over all rows, but for rounding and eps, and for a rate that
 * changed meanwhile (the last phase). (Adam that forgets the missed steps moves rare items
 * some ten times less: most of what a lone gradient does, it does by momentum.)
 *
 * Gradients are zero between batches; after a step only touched rows are zeroed again. */
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/team.h"
#include "core/train_network.h"
#include "core/train_parts.h"

enum { ROWS_PER_PIECE = 64, FADED = 150 /* 0.9^150 = 1e-7 */ };
static const double ratio = 0.9 / 0.99949987493746; /* r: 0.9 / sqrt(0.999) */

int eddy_rows_init(struct eddy_rows *rows, const struct eddy_layout *layout)
{
    uint32_t items = layout->shape.items;
    *rows = (struct eddy_rows){
        .items = items,
        .hidden = layout->shape.hidden,
        .embedding = layout->tensors[EDDY_G_ITEM].offset,
        .bias = layout->tensors[EDDY_G_ITEM_BIAS].offset,
        .dense = layout->tensors[EDDY_G_TYPE].offset,
    };
    EDDY_ASSERT(rows->embedding < rows->dense && rows->bias < rows->dense);
    rows->list = malloc(items * sizeof *rows->list);
    rows->last = calloc(items, sizeof *rows->last);
    rows->shards = calloc(items, sizeof *rows->shards);
    if (rows->list && rows->last && rows->shards)
        return 0;
    eddy_rows_fini(rows);
    return EDDY_ENOMEM;
}

void eddy_rows_fini(struct eddy_rows *rows)
{
    free(rows->list);
    free(rows->last);
    free(rows->shards);
    *rows = (struct eddy_rows){0};
}

void eddy_rows_touch(struct eddy_rows *rows, uint32_t shard, uint32_t item)
{
    if (rows->shards[item] == 0)
        rows->list[rows->count++] = item;
    rows->shards[item] |= (uint8_t)(1u << shard);
}

struct run {
    struct eddy_adam *adam;
    float *params;
    struct eddy_adam_move move;             /* of the present step */
    bool all;                               /* every item, not the list */
    struct eddy_adam_skip skips[FADED + 1]; /* by steps missed */
};

/* The items of a piece. */
static uint32_t piece_of(const struct run *run, uint32_t piece, uint32_t *ret_first)
{
    const struct eddy_rows *rows = &run->adam->rows;
    uint32_t count = run->all ? rows->items : rows->count;
    uint32_t first = piece * ROWS_PER_PIECE;
    *ret_first = first;
    return count - first < ROWS_PER_PIECE ? count - first : ROWS_PER_PIECE;
}

uint32_t eddy_rows_pieces(const struct eddy_rows *rows)
{
    return (rows->count + ROWS_PER_PIECE - 1) / ROWS_PER_PIECE;
}

/* Rows of a list lie anywhere: lines of the next one of the piece are asked for while this
 * one is worked on; those of other pieces are another thread's. */
static void fetch(const struct eddy_rows *rows, const float *block, uint32_t place,
                  uint32_t end)
{
    if (place < end)
        eddy_net_fetch(block + rows->embedding +
                           (size_t)rows->list[place] * rows->hidden,
                       rows->hidden);
}

/* What a step changes in the row of the list's `place`. */
static void fetch_moments(const struct eddy_adam *adam, const float *params,
                          uint32_t place, uint32_t end)
{
    fetch(&adam->rows, adam->m, place, end);
    fetch(&adam->rows, adam->v, place, end);
    fetch(&adam->rows, params, place, end);
    if (adam->average != NULL)
        fetch(&adam->rows, adam->average, place, end);
}

/* Its gradients, of the shards that have one. */
static void fetch_gradients(const struct eddy_adam *adam, uint32_t place, uint32_t end)
{
    const struct eddy_rows *rows = &adam->rows;
    for (int s = 0; place < end && s < EDDY_TRAIN_SHARDS; s++)
        if (s == 0 || (rows->shards[rows->list[place]] & (1u << s)) != 0)
            fetch(rows, adam->gradients[s], place, end);
}

/* n steps without gradient, the last of them number adam->steps. What a parameter moves is
 * unit = m_0 / sqrt(v_0) times a sum of numbers; so is what the average lags behind. Beyond
 * FADED steps nothing moves any more, and the average alone goes on. */
static struct eddy_adam_skip skip_of(const struct eddy_adam *adam, uint32_t n)
{
    double t = (double)(adam->steps - n), beta1 = pow(0.9, t), beta2 = pow(0.999, t);
    double power = 1, moved = 0, kept = 1, lag = 0, decay = 0;
    uint32_t steps = n < FADED ? n : FADED;

    for (uint32_t k = 0; k < steps; k++) {
        t++;
        beta1 *= 0.9;
        beta2 *= 0.999;
        power *= ratio;
        moved += adam->learning_rate / (1 - beta1) * power * sqrt(1 - beta2);
        decay = (1 + t) / (10 + t);
        decay = adam->average_decay < decay ? adam->average_decay : decay;
        kept *= decay;
        lag = decay * lag + (1 - decay) * moved;
    }
    double rest = pow(decay, n - steps);
    return (struct eddy_adam_skip){
        .m_decay = (float)pow(0.9, n),
        .v_decay = (float)pow(0.999, n),
        .moved = (float)moved,
        .average_kept = (float)(kept * rest),
        .average_lag = (float)(lag * rest + (1 - rest) * moved),
    };
}

static void catch_up_piece(void *context, uint32_t piece, uint32_t worker)
{
    struct run *run = context;
    struct eddy_adam *adam = run->adam;
    struct eddy_rows *rows = &adam->rows;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    uint32_t first, count = piece_of(run, piece, &first);
    (void)worker; /* needs no scratch */

    for (uint32_t i = first; i < first + count; i++) {
        uint32_t item = run->all ? i : rows->list[i];
        uint32_t missed = (uint32_t)adam->steps - rows->last[item];
        size_t at = rows->embedding + (size_t)item * rows->hidden;
        size_t bias = rows->bias + item;
        if (!run->all)
            fetch_moments(adam, run->params, i + 1, first + count);
        if (missed == 0)
            continue;
        struct eddy_adam_skip skip =
            missed <= FADED ? run->skips[missed] : skip_of(adam, missed);
        float *average = adam->average;
        vector->adam_skip(rows->hidden, &skip, adam->m + at, adam->v + at,
                          run->params + at, average ? average + at : NULL);
        vector->adam_skip(1, &skip, adam->m + bias, adam->v + bias, run->params + bias,
                          average ? average + bias : NULL);
        rows->last[item] = (uint32_t)adam->steps;
    }
}

static void catch_up(struct eddy_adam *adam, float *params, bool all)
{
    struct run run = {.adam = adam, .params = params, .all = all};
    uint32_t count = all ? adam->rows.items : adam->rows.count;
    for (uint32_t n = 1; n <= FADED && n <= adam->steps; n++)
        run.skips[n] = skip_of(adam, n);
    if (adam->steps > 0)
        eddy_team_run(adam->threads, (count + ROWS_PER_PIECE - 1) / ROWS_PER_PIECE,
                      catch_up_piece, &run);
}

void eddy_rows_catch_up(struct eddy_adam *adam, float *params)
{
    if (adam->rows.items > 0)
        catch_up(adam, params, false);
}

void eddy_rows_flush(struct eddy_adam *adam, float *params)
{
    if (adam->rows.items > 0)
        catch_up(adam, params, true);
}

void eddy_rows_restored(struct eddy_adam *adam)
{
    for (uint32_t i = 0; i < adam->rows.items; i++)
        adam->rows.last[i] = (uint32_t)adam->steps;
}

/* Adds the shards' gradients into the first and zeroes the others. */
static void sum_row(struct eddy_adam *adam, uint8_t shards, size_t at, uint32_t n)
{
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    for (int s = 1; s < EDDY_TRAIN_SHARDS; s++) {
        if ((shards & (1u << s)) == 0)
            continue;
        vector->add(n, adam->gradients[s] + at, adam->gradients[0] + at);
        memset(adam->gradients[s] + at, 0, n * sizeof(float));
    }
}

double eddy_rows_sum(struct eddy_adam *adam, uint32_t piece)
{
    struct eddy_rows *rows = &adam->rows;
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    struct run run = {.adam = adam};
    uint32_t first, count = piece_of(&run, piece, &first);
    double squares = 0;

    for (uint32_t i = first; i < first + count; i++) {
        uint32_t item = rows->list[i];
        size_t at = rows->embedding + (size_t)item * rows->hidden;
        size_t bias = rows->bias + item;
        fetch_gradients(adam, i + 1, first + count);
        sum_row(adam, rows->shards[item], at, rows->hidden);
        sum_row(adam, rows->shards[item], bias, 1);
        squares += vector->square_sum(rows->hidden, adam->gradients[0] + at);
        squares += vector->square_sum(1, adam->gradients[0] + bias);
    }
    return squares;
}

static void move_part(struct eddy_adam *adam, const struct eddy_adam_move *move,
                      float *params, size_t at, uint32_t n)
{
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    float *gradient = adam->gradients[0] + at;
    vector->adam(n, move->rate, move->correction2, gradient, move->gradient_scale,
                 adam->m + at, adam->v + at, params + at);
    if (adam->average != NULL)
        vector->average(n, move->average_gain, params + at, adam->average + at);
    memset(gradient, 0, n * sizeof *gradient);
}

void eddy_rows_move(struct eddy_adam *adam, const struct eddy_adam_move *move,
                    float *params, uint32_t piece)
{
    struct eddy_rows *rows = &adam->rows;
    struct run run = {.adam = adam};
    uint32_t first, count = piece_of(&run, piece, &first);

    for (uint32_t i = first; i < first + count; i++) {
        uint32_t item = rows->list[i];
        fetch_moments(adam, params, i + 1, first + count);
        fetch(rows, adam->gradients[0], i + 1, first + count); /* the sum */
        move_part(adam, move, params, rows->embedding + (size_t)item * rows->hidden,
                  rows->hidden);
        move_part(adam, move, params, rows->bias + item, 1);
        rows->last[item] = (uint32_t)adam->steps;
        rows->shards[item] = 0;
    }
}
