/* Ridge regression of what items are on what metadata says of them (core/train_items.h):
 * attribute-to-feature mapping of Gantner et al. (2010).
 *
 * F and w have grown beside e and b, and explain only what these left to them; what they say
 * alone is far from E of known items, and from that of new ones. So they begin anew at
 *     argmin  sum_i |F f_i - E_i|^2 + (w . f_i + b_cold - bias_i)^2 + lambda (|F|^2 + |w|^2)
 * over known items (FITTED_ITEMS at most), b_cold their mean bias. lambda is that of a falling
 * row which predicts the items of each FOLDS-th part best from the others, by the mean share
 * of explained variance of a few of F's columns, plus that of w.
 *
 * Conjugate gradients with the diagonal as preconditioner, on the sparse rows: features are
 * many (thousands of n-grams) and items have few of them. COLUMNS columns at a time, each
 * with steps of its own, so that the result depends on neither threads nor the catalogue's
 * other columns. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/team.h"
#include "core/train_items.h"

enum {
    COLUMNS = 16,
    FOLDS = 4,
    FITTED_ITEMS = 200000, /* at most, drawn */
    TRIED_ITEMS = 20000,   /* of them, to choose lambda */
    ROUNDS = 50
};
static const double solved = 1e-3; /* what may be left of a residual's length */
static const double lambdas[] = {8, 4, 2, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125};
enum { LAMBDAS = sizeof lambdas / sizeof lambdas[0] };

/* Known items, in an order drawn by their number: the first are a sample. */
struct rows {
    const struct eddy_train_items *of;
    const uint32_t *items;
    uint32_t count, columns; /* 1 + H */
    float cold;              /* b_cold */
};

/* Values of COLUMNS columns for each feature. */
struct piece {
    float *x, *residual, *direction, *image; /* (M, COLUMNS) */
    float *diagonal;                         /* (M) */
};

static void piece_fini(struct piece *piece)
{
    free(piece->x);
    free(piece->residual);
    free(piece->direction);
    free(piece->image);
    free(piece->diagonal);
}

static bool piece_init(struct piece *piece, uint32_t features)
{
    size_t values = (size_t)features * COLUMNS;
    piece->x = calloc(values, sizeof *piece->x);
    piece->residual = calloc(values, sizeof *piece->residual);
    piece->direction = calloc(values, sizeof *piece->direction);
    piece->image = calloc(values, sizeof *piece->image);
    piece->diagonal = calloc(features, sizeof *piece->diagonal);
    return piece->x && piece->residual && piece->direction && piece->image &&
           piece->diagonal;
}

/* Which rows: those of all folds but one (FOLDS: of all), or of this fold alone. */
struct part {
    uint32_t fold;
    bool inside;
};

static bool takes(struct part part, uint32_t row)
{
    return (row % FOLDS == part.fold) == part.inside;
}

/* What a table says of a row. */
static void read_row(const struct rows *rows, uint32_t row, const float *table,
                     float *ret)
{
    memset(ret, 0, COLUMNS * sizeof *ret);
    eddy_features_add(rows->of->features, rows->items[row], table, COLUMNS, ret);
}

static void add_row(const struct rows *rows, uint32_t row, const float *values,
                    float *table)
{
    const struct eddy_features *features = rows->of->features;
    uint32_t item = rows->items[row];
    for (uint64_t j = features->begin[item]; j < features->begin[item + 1]; j++) {
        float *to = table + (size_t)features->index[j] * COLUMNS;
        for (uint32_t c = 0; c < COLUMNS; c++)
            to[c] += features->weight[j] * values[c];
    }
}

/* Column 0 is for w, the others are for F; 0 past the last. */
static float target(const struct rows *rows, uint32_t row, uint32_t column)
{
    const struct eddy_train_items *of = rows->of;
    uint32_t item = rows->items[row];
    if (column == 0)
        return of->fixed_bias[item] - rows->cold;
    return column < rows->columns ? of->fixed[(size_t)item * of->hidden + column - 1]
                                  : 0;
}

/* residual = Z'(y - Z x) - lambda x, and the diagonal of Z'Z + lambda. */
static void begin(const struct rows *rows, struct part part, uint32_t first,
                  double lambda, struct piece *piece)
{
    const struct eddy_features *features = rows->of->features;
    size_t values = (size_t)features->size * COLUMNS;
    float said[COLUMNS];
    for (size_t i = 0; i < values; i++)
        piece->residual[i] = (float)-lambda * piece->x[i];
    for (uint32_t m = 0; m < features->size; m++)
        piece->diagonal[m] = (float)lambda;
    for (uint32_t row = 0; row < rows->count; row++) {
        if (!takes(part, row))
            continue;
        read_row(rows, row, piece->x, said);
        for (uint32_t c = 0; c < COLUMNS; c++)
            said[c] = target(rows, row, first + c) - said[c];
        add_row(rows, row, said, piece->residual);
        uint32_t item = rows->items[row];
        for (uint64_t j = features->begin[item]; j < features->begin[item + 1]; j++)
            piece->diagonal[features->index[j]] +=
                features->weight[j] * features->weight[j];
    }
}

/* image = (Z'Z + lambda) direction */
static void apply(const struct rows *rows, struct part part, double lambda,
                  struct piece *piece)
{
    size_t values = (size_t)rows->of->features->size * COLUMNS;
    float said[COLUMNS];
    for (size_t i = 0; i < values; i++)
        piece->image[i] = (float)lambda * piece->direction[i];
    for (uint32_t row = 0; row < rows->count; row++) {
        if (!takes(part, row))
            continue;
        read_row(rows, row, piece->direction, said);
        add_row(rows, row, said, piece->image);
    }
}

/* Of each column, the sum over features of a b / weight; weight NULL: 1. */
static void dots(uint32_t features, const float *a, const float *b, const float *weight,
                 double *ret)
{
    memset(ret, 0, COLUMNS * sizeof *ret);
    for (uint32_t m = 0; m < features; m++)
        for (uint32_t c = 0; c < COLUMNS; c++)
            ret[c] +=
                (double)(a[m * (size_t)COLUMNS + c] * b[m * (size_t)COLUMNS + c]) /
                (weight ? (double)weight[m] : 1);
}

/* x of the columns from `first` on, going on from what it is. */
static void solve(const struct rows *rows, struct part part, uint32_t first,
                  double lambda, struct piece *piece)
{
    const uint32_t features = rows->of->features->size;
    double left[COLUMNS], start[COLUMNS], length[COLUMNS], next[COLUMNS];
    begin(rows, part, first, lambda, piece);
    memset(piece->direction, 0, (size_t)features * COLUMNS * sizeof *piece->direction);
    dots(features, piece->residual, piece->residual, piece->diagonal, left);
    memcpy(start, left, sizeof start);
    memset(next, 0, sizeof next);
    for (int round = 0; round < ROUNDS; round++) {
        bool more = false;
        for (uint32_t m = 0; m < features; m++)
            for (uint32_t c = 0; c < COLUMNS; c++) {
                size_t i = m * (size_t)COLUMNS + c;
                piece->direction[i] = piece->residual[i] / piece->diagonal[m] +
                                      (float)next[c] * piece->direction[i];
            }
        apply(rows, part, lambda, piece);
        dots(features, piece->direction, piece->image, NULL, length);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            more = more || left[c] > solved * solved * start[c];
            length[c] = length[c] > 0 ? left[c] / length[c] : 0;
        }
        if (!more)
            break;
        for (uint32_t m = 0; m < features; m++)
            for (uint32_t c = 0; c < COLUMNS; c++) {
                size_t i = m * (size_t)COLUMNS + c;
                piece->x[i] += (float)length[c] * piece->direction[i];
                piece->residual[i] -= (float)length[c] * piece->image[i];
            }
        dots(features, piece->residual, piece->residual, piece->diagonal, next);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            double now = next[c];
            next[c] = left[c] > 0 ? now / left[c] : 0;
            left[c] = now;
        }
    }
}

/* Squared errors and squares of a fold's columns are added. */
static void test_fold(const struct rows *rows, uint32_t fold, const float *x,
                      double *error, double *square)
{
    float said[COLUMNS];
    for (uint32_t row = 0; row < rows->count; row++) {
        if (!takes((struct part){fold, true}, row))
            continue;
        read_row(rows, row, x, said);
        for (uint32_t c = 0; c < COLUMNS; c++) {
            double y = (double)target(rows, row, c), miss = y - (double)said[c];
            error[c] += miss * miss;
            square[c] += y * y;
        }
    }
}

/* The one of lambdas[] that explains most of what it has not seen; -1: no memory. */
static double choose_lambda(const struct rows *all)
{
    struct rows rows = *all;
    double explained[LAMBDAS], error[LAMBDAS][COLUMNS] = {{0}};
    double square[LAMBDAS][COLUMNS] = {{0}};
    uint32_t best = 0;
    rows.count = rows.count < TRIED_ITEMS ? rows.count : TRIED_ITEMS;
    for (uint32_t fold = 0; fold < FOLDS; fold++) {
        struct piece piece = {0};
        bool ok = piece_init(&piece, rows.of->features->size);
        for (uint32_t l = 0; ok && l < LAMBDAS; l++) {
            solve(&rows, (struct part){fold, false}, 0, lambdas[l], &piece);
            test_fold(&rows, fold, piece.x, error[l], square[l]);
        }
        piece_fini(&piece);
        if (!ok)
            return -1;
    }
    for (uint32_t l = 0; l < LAMBDAS; l++) {
        uint32_t others = rows.columns < COLUMNS ? rows.columns - 1 : COLUMNS - 1;
        explained[l] = 0;
        for (uint32_t c = 0; c <= others; c++)
            explained[l] -= square[l][c] > 0
                                ? error[l][c] / square[l][c] / (c == 0 ? 1 : others)
                                : 0;
        best = explained[l] > explained[best] ? l : best;
    }
    return lambdas[best];
}

struct fitting {
    const struct rows *rows;
    double lambda;
    float *table, *weights; /* F (M, H) and w (M) */
    bool *failed;           /* of each piece */
};

static void fit_piece(void *context, uint32_t which, uint32_t worker)
{
    struct fitting *fitting = context;
    const struct rows *rows = fitting->rows;
    uint32_t first = which * COLUMNS, hidden = rows->columns - 1;
    struct piece piece = {0};
    (void)worker; /* memory is the piece's own */
    fitting->failed[which] = !piece_init(&piece, rows->of->features->size);
    if (!fitting->failed[which])
        solve(rows, (struct part){FOLDS, false}, first, fitting->lambda, &piece);
    for (uint32_t m = 0; !fitting->failed[which] && m < rows->of->features->size; m++)
        for (uint32_t c = 0; c < COLUMNS && first + c <= hidden; c++) {
            float value = piece.x[(size_t)m * COLUMNS + c];
            if (first + c == 0)
                fitting->weights[m] = value;
            else
                fitting->table[(size_t)m * hidden + first + c - 1] = value;
        }
    piece_fini(&piece);
}

static int compare_draws(const void *a, const void *b)
{
    uint64_t x = eddy_mix64(0x64726177, *(const uint32_t *)a);
    uint64_t y = eddy_mix64(0x64726177, *(const uint32_t *)b);
    return x < y ? -1 : x > y;
}

static int fit(const struct rows *rows, struct eddy_train_items *items, float *params)
{
    const uint32_t pieces = (rows->columns + COLUMNS - 1) / COLUMNS;
    struct fitting fitting = {
        .rows = rows,
        .lambda = choose_lambda(rows),
        .table = eddy_global(items->layout, params, EDDY_G_ITEM_FEATURES),
        .weights = eddy_global(items->layout, params, EDDY_G_ITEM_FEATURE_BIAS),
        .failed = calloc(pieces, sizeof *fitting.failed),
    };
    int rc = fitting.lambda > 0 && fitting.failed ? 0 : EDDY_ENOMEM;
    if (rc == 0)
        eddy_team_run(items->threads, pieces, fit_piece, &fitting);
    for (uint32_t p = 0; rc == 0 && p < pieces; p++)
        rc = fitting.failed[p] ? EDDY_ENOMEM : 0;
    free(fitting.failed);
    return rc;
}

int eddy_train_items_regress(struct eddy_train_items *items, float *params)
{
    uint32_t *known = malloc(((size_t)items->items + 1) * sizeof *known);
    struct rows rows = {
        .of = items,
        .items = known,
        .columns = items->hidden + 1,
    };
    double sum = 0;
    if (known == NULL)
        return EDDY_ENOMEM;
    for (uint32_t i = 0; i < items->items; i++)
        if (items->known[i]) {
            known[rows.count++] = i;
            sum += (double)items->fixed_bias[i];
        }
    qsort(known, rows.count, sizeof *known, compare_draws);
    rows.cold = rows.count > 0 ? (float)(sum / rows.count) : 0;
    *eddy_global(items->layout, params, EDDY_G_ITEM_COLD_BIAS) = rows.cold;
    rows.count = rows.count < FITTED_ITEMS ? rows.count : FITTED_ITEMS;
    int rc = rows.count > 0 ? fit(&rows, items, params) : 0;
    free(known);
    return rc;
}
