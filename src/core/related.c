/* Closed-form item-item models (SLIST: Choi et al., WWW 2021; EASE: Steck, WWW 2019).
 *
 * X (sessions, V) holds which items a session has, a pair (Z, Y) an item and what followed
 * it in the session, weighted w(d) = exp(-(d - 1) / delta) at distance d. With the weight
 * of each session in Omega,
 *
 *   min over B of  a |X - X B|^2 + (1 - a) |Y - Z B|^2 + lambda |B|^2
 *   B = P (a X'X + (1 - a) Z'Y),   P = (a X'X + (1 - a) Z'Z + lambda I)^-1
 *
 * (Omega left out for brevity). Z has one item per row, so Z'Z is diagonal, D. That makes
 * the dense product P (a X'X) free, because a X'X is the matrix that P inverts, less what
 * stands on the diagonal:
 *
 *   B = I - P (lambda I + (1 - a) D) + (1 - a) P S,   S = Z'Y, sparse
 *
 * What is left is Cholesky (N^3 / 3), the inverse from it (2 N^3 / 3), and a product of
 * the dense P and the sparse S, block of rows by block of rows, of which only the heaviest
 * entries of every row are kept. The constraint B[j, j] = 0 subtracts P diag(gamma) with
 * gamma_j = B[j, j] / P[j, j] (Lagrange; for a = 1 that is EASE).
 *
 * Memory: one N x N matrix of floats, S, 64 columns per thread; on disk, where there is
 * room, 16 bytes per event and 16 per session. Rows of the Gram matrix are
 * gathered item by item from the inverted index, and every block of a product is one
 * thread's: the bits do not depend on the number of threads. */
#include "core/related.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/invert.h"
#include "core/team.h"
#include "core/train_vector.h"

enum {
    BLOCK = 64,         /* rows of P in one pass over S */
    SESSION_MAX = 2000, /* newest events of a session that count: bounds the work of a
                           robot's history; people's are shorter */
};
#define WEIGHT_MIN 1e-3 /* pairs that count less than this are left out */

struct place {
    uint32_t session, at; /* at: offset in `sequence` */
};
struct pair {
    uint32_t index;
    float weight;
};

/* What one thread works in. */
struct lane {
    float *sums;       /* (n), zero between uses */
    uint32_t *touched; /* (n) */
    float *block;      /* (n, BLOCK) */
    struct pair *heap; /* (width) */
};

struct fit {
    const struct eddy_session_view *sessions;
    const struct eddy_related_options *options;
    uint32_t session_count, items;
    uint32_t n;            /* items solved for */
    uint32_t *support;     /* (items) events */
    int32_t *index;        /* (items) index among the solved, -1: none */
    uint32_t *item;        /* (n) and back, rising */
    uint64_t *begin;       /* (sessions + 1) into sequence and content */
    int32_t *sequence;     /* index of each event, -1 */
    uint32_t *content;     /* each index of a session once */
    uint32_t *distinct;    /* (sessions) how many of them */
    float *age_weight;     /* (sessions) */
    uint64_t *place_begin; /* (n + 1) */
    struct place *places;  /* occurrences of each index */
    float *distance_weight;
    uint32_t window;
    float *p;           /* (n, n): the Gram matrix, then its inverse */
    float *ridge;       /* (n): lambda + (1 - a) D */
    struct pair **pair; /* (n) rows of S, owned */
    uint32_t *pairs;    /* (n) */
    float *gamma;       /* (n): Lagrange multipliers of the diagonal */
    float *scale;       /* (n): support^-power */
    struct lane *lanes; /* (threads) */
    struct pair *kept;  /* (n, width): what is left of B */
    uint32_t *kept_count;
    _Atomic bool failed; /* a thread found no memory */
};

static int check_options(const struct eddy_related_options *options,
                         struct eddy_err *err)
{
    if (!(options->alpha >= 0 && options->alpha <= 1))
        return eddy_fail(err, EDDY_ECONFIG, "closed form: alpha is %g, want 0 to 1",
                         options->alpha);
    if (!(options->lambda > 0) || !isfinite(options->lambda))
        return eddy_fail(err, EDDY_ECONFIG,
                         "closed form: lambda is %g, want a number above 0",
                         options->lambda);
    if (!(options->window_decay > 0) || !(options->age_half_life_s >= 0) ||
        !isfinite(options->popularity_power) || !isfinite(options->length_power))
        return eddy_fail(err, EDDY_ECONFIG,
                         "closed form: decay %g, half-life %g, powers %g and %g: want "
                         "> 0, >= 0 and numbers",
                         options->window_decay, options->age_half_life_s,
                         options->popularity_power, options->length_power);
    if (options->width < 1 || options->width > 1000)
        return eddy_fail(err, EDDY_ECONFIG, "closed form: width is %u, want 1 to 1000",
                         options->width);
    return 0;
}

static uint32_t first_event(const struct eddy_session_view *session)
{
    return session->count > SESSION_MAX ? session->count - SESSION_MAX : 0;
}

/* ---- what is solved for ----------------------------------------------------------- */

struct ranked {
    uint32_t item, support;
};

static int by_support(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->support != y->support)
        return x->support > y->support ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* What is per event or per session: undefined contents, eddy_spill_free. */
static void *new_array(const struct fit *fit, uint64_t count, size_t size,
                       int *ret_code, struct eddy_err *err)
{
    return eddy_spill_new(fit->options->spill, (count + 1) * size, ret_code, err);
}

/* The items_max items with most events, those without any never. */
static int choose_items(struct fit *fit, struct eddy_err *err)
{
    struct ranked *ranked = malloc(((size_t)fit->items + 1) * sizeof *ranked);
    uint64_t events = 0;
    int code = EDDY_ENOMEM;

    fit->support = calloc((size_t)fit->items + 1, sizeof *fit->support);
    fit->index = malloc(((size_t)fit->items + 1) * sizeof *fit->index);
    fit->begin = new_array(fit, fit->session_count, sizeof *fit->begin, &code, err);
    if (!ranked || !fit->support || !fit->index || !fit->begin) {
        free(ranked);
        return code;
    }
    fit->begin[0] = 0;
    for (uint32_t s = 0; s < fit->session_count; s++) {
        const struct eddy_session_view *session = &fit->sessions[s];
        for (uint32_t i = first_event(session); i < session->count; i++)
            fit->support[session->items[i]]++;
        events += session->count - first_event(session);
        fit->begin[s + 1] = events;
    }
    uint32_t known = 0;
    for (uint32_t i = 0; i < fit->items; i++) {
        fit->index[i] = -1;
        if (fit->support[i] > 0)
            ranked[known++] = (struct ranked){i, fit->support[i]};
    }
    qsort(ranked, known, sizeof *ranked, by_support);
    fit->n = known < fit->options->items_max ? known : fit->options->items_max;
    for (uint32_t k = 0; k < fit->n; k++)
        fit->index[ranked[k].item] = 0;
    free(ranked);
    fit->item = malloc(((size_t)fit->n + 1) * sizeof *fit->item);
    if (fit->item == NULL)
        return EDDY_ENOMEM;
    uint32_t n = 0;
    for (uint32_t i = 0; i < fit->items; i++)
        if (fit->index[i] == 0) {
            fit->index[i] = (int32_t)n;
            fit->item[n++] = i;
        }
    return 0;
}

/* Sessions in indices, and where each index occurs. */
static int lay_out(struct fit *fit, struct eddy_err *err)
{
    uint64_t events = fit->begin[fit->session_count];
    int code = 0;
    uint32_t *stamp = calloc((size_t)fit->n + 1, sizeof *stamp);

    fit->place_begin = calloc((size_t)fit->n + 2, sizeof *fit->place_begin);
    if (stamp == NULL || fit->place_begin == NULL)
        code = EDDY_ENOMEM;
    if (code == 0)
        fit->sequence = new_array(fit, events, sizeof *fit->sequence, &code, err);
    if (code == 0)
        fit->content = new_array(fit, events, sizeof *fit->content, &code, err);
    if (code == 0)
        fit->places = new_array(fit, events, sizeof *fit->places, &code, err);
    if (code == 0)
        fit->distinct =
            new_array(fit, fit->session_count, sizeof *fit->distinct, &code, err);
    if (code < 0) {
        free(stamp);
        return code;
    }
    for (uint32_t s = 0; s < fit->session_count; s++) {
        const struct eddy_session_view *session = &fit->sessions[s];
        uint32_t first = first_event(session);
        fit->distinct[s] = 0;
        for (uint64_t at = fit->begin[s]; at < fit->begin[s + 1]; at++) {
            int32_t index = fit->index[session->items[first + (at - fit->begin[s])]];
            fit->sequence[at] = index;
            if (index < 0)
                continue;
            fit->place_begin[index + 2]++;
            if (stamp[index] != s + 1)
                fit->content[fit->begin[s] + fit->distinct[s]++] = (uint32_t)index;
            stamp[index] = s + 1;
        }
    }
    free(stamp);
    /* place_begin[i + 1] is where index i is written next; at the end, its end */
    for (uint32_t i = 0; i < fit->n; i++)
        fit->place_begin[i + 2] += fit->place_begin[i + 1];
    for (uint32_t s = 0; s < fit->session_count; s++)
        for (uint64_t at = fit->begin[s]; at < fit->begin[s + 1]; at++)
            if (fit->sequence[at] >= 0)
                fit->places[fit->place_begin[fit->sequence[at] + 1]++] =
                    (struct place){s, (uint32_t)(at - fit->begin[s])};
    return 0;
}

static int make_weights(struct fit *fit, struct eddy_err *err)
{
    const struct eddy_related_options *options = fit->options;
    double reach = 1 - options->window_decay * log(WEIGHT_MIN);
    int64_t newest = INT64_MIN;
    int code = EDDY_ENOMEM;

    fit->window = reach > SESSION_MAX ? SESSION_MAX : (uint32_t)reach;
    if (options->window > 0 && options->window < fit->window)
        fit->window = options->window;
    fit->distance_weight = malloc(((size_t)fit->window + 1) * sizeof(float));
    fit->age_weight = new_array(fit, fit->session_count, sizeof(float), &code, err);
    fit->scale = malloc(((size_t)fit->n + 1) * sizeof(float));
    if (!fit->distance_weight || !fit->age_weight || !fit->scale)
        return code;
    for (uint32_t d = 0; d < fit->window; d++)
        fit->distance_weight[d] = (float)exp(-(double)d / options->window_decay);
    for (uint32_t s = 0; s < fit->session_count; s++)
        newest = fit->sessions[s].ts_ms > newest ? fit->sessions[s].ts_ms : newest;
    for (uint32_t s = 0; s < fit->session_count; s++) {
        double age_s = ((double)newest - (double)fit->sessions[s].ts_ms) / 1000;
        fit->age_weight[s] = options->age_half_life_s > 0
                                 ? (float)exp2(-age_s / options->age_half_life_s)
                                 : 1.0f;
    }
    for (uint32_t i = 0; i < fit->n; i++)
        fit->scale[i] =
            (float)pow(fit->support[fit->item[i]], -options->popularity_power);
    return 0;
}

/* ---- the system ------------------------------------------------------------------- */

/* Row i of a X'X, its part left of the diagonal and the diagonal itself. */
static void gather_contents(struct fit *fit, uint32_t i)
{
    float *row = fit->p + (size_t)i * fit->n;
    uint32_t last = UINT32_MAX;

    for (uint64_t k = fit->place_begin[i]; k < fit->place_begin[i + 1]; k++) {
        uint32_t s = fit->places[k].session;
        if (s == last)
            continue; /* a session has an item or has it not */
        last = s;
        const uint32_t *content = fit->content + fit->begin[s];
        float weight = (float)(fit->options->alpha * (double)fit->age_weight[s] *
                               pow(fit->distinct[s], -fit->options->length_power));
        for (uint32_t c = 0; c < fit->distinct[s]; c++)
            if (content[c] <= i)
                row[content[c]] += weight;
    }
}

/* Row i of S and of D. */
static void gather_pairs(struct fit *fit, uint32_t i, struct lane *lane)
{
    uint32_t touched = 0;
    double seen = 0;

    for (uint64_t k = fit->place_begin[i]; k < fit->place_begin[i + 1]; k++) {
        struct place place = fit->places[k];
        uint64_t at = fit->begin[place.session] + place.at;
        uint64_t end = fit->begin[place.session + 1];
        float weight = fit->age_weight[place.session];
        if (at + 1 < end)
            seen += (double)weight;
        if (end > at + 1 + fit->window)
            end = at + 1 + fit->window;
        for (uint64_t to = at + 1; to < end; to++) {
            int32_t j = fit->sequence[to];
            if (j < 0)
                continue;
            if (lane->sums[j] == 0.0f)
                lane->touched[touched++] = (uint32_t)j;
            lane->sums[j] += weight * fit->distance_weight[to - at - 1];
        }
    }
    double share = 1 - fit->options->alpha;
    fit->ridge[i] = (float)(fit->options->lambda + share * seen);
    fit->pair[i] = malloc(((size_t)touched + 1) * sizeof **fit->pair);
    fit->pairs[i] = fit->pair[i] ? touched : 0;
    if (fit->pair[i] == NULL)
        fit->failed = true;
    for (uint32_t t = 0; t < touched; t++) {
        uint32_t j = lane->touched[t];
        if (fit->pair[i] != NULL)
            fit->pair[i][t] = (struct pair){j, (float)share * lane->sums[j]};
        lane->sums[j] = 0;
    }
}

static void gather_row(void *context, uint32_t i, uint32_t worker)
{
    struct fit *fit = context;
    gather_contents(fit, i);
    gather_pairs(fit, i, &fit->lanes[worker]);
    fit->p[(size_t)i * fit->n + i] += fit->ridge[i];
}

/* p becomes its inverse. */
static int invert(struct fit *fit, struct eddy_err *err)
{
    openblas_set_num_threads(1); /* whole blocks are shared out, not products */
    int rc = eddy_invert(fit->p, fit->n, fit->options->threads);
    if (rc == 1)
        return eddy_fail(
            err, EDDY_EFATAL,
            "closed form: the system of %u items has no Cholesky factor in "
            "single floats; raise lambda (%g)",
            fit->n, fit->options->lambda);
    return rc < 0 ? eddy_fail(err, rc, "closed form: no memory for %u items", fit->n)
                  : 0;
}

/* gamma[j] = B[j, j] / P[j, j] of the unconstrained B. */
static int constrain_diagonal(struct fit *fit)
{
    double *diagonal = calloc((size_t)fit->n + 1, sizeof *diagonal);
    if (diagonal == NULL)
        return EDDY_ENOMEM;
    for (uint32_t k = 0; k < fit->n; k++)
        for (uint32_t e = 0; e < fit->pairs[k]; e++) {
            struct pair pair = fit->pair[k][e];
            diagonal[pair.index] +=
                (double)pair.weight * (double)fit->p[(size_t)k * fit->n + pair.index];
        }
    for (uint32_t j = 0; j < fit->n; j++) {
        double p = (double)fit->p[(size_t)j * fit->n + j];
        fit->gamma[j] = (float)((1 - p * (double)fit->ridge[j] + diagonal[j]) / p);
    }
    free(diagonal);
    return 0;
}

/* ---- the answer ------------------------------------------------------------------- */

static bool is_lighter(struct pair a, struct pair b)
{
    return a.weight < b.weight || (a.weight == b.weight && a.index > b.index);
}

static void sink(struct pair *heap, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t least = at, left = 2 * at + 1;
        if (left < count && is_lighter(heap[left], heap[least]))
            least = left;
        if (left + 1 < count && is_lighter(heap[left + 1], heap[least]))
            least = left + 1;
        if (least == at)
            return;
        struct pair swap = heap[at];
        heap[at] = heap[least];
        heap[least] = swap;
        at = least;
    }
}

static int by_weight(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return is_lighter(*y, *x) ? -1 : is_lighter(*x, *y);
}

/* The heaviest entries of row i of B from column `c` of the block. */
static void keep_row(struct fit *fit, uint32_t i, uint32_t c, struct lane *lane)
{
    const float *row = fit->p + (size_t)i * fit->n;
    uint32_t width = fit->options->width, count = 0;
    struct pair *heap = lane->heap;

    for (uint32_t j = 0; j < fit->n; j++) {
        float value = lane->block[(size_t)j * BLOCK + c] -
                      row[j] * (fit->ridge[j] + fit->gamma[j]);
        if (j == i)
            value = fit->options->zero_diagonal ? 0.0f : value + 1.0f;
        struct pair pair = {j, value * fit->scale[j]};
        if (!(pair.weight > 0.0f) || !isfinite(pair.weight))
            continue;
        if (count < width) {
            heap[count++] = pair;
            for (uint32_t k = count / 2; count == width && k-- > 0;)
                sink(heap, count, k);
        } else if (is_lighter(heap[0], pair)) {
            heap[0] = pair;
            sink(heap, count, 0);
        }
    }
    qsort(heap, count, sizeof *heap, by_weight);
    memcpy(fit->kept + (size_t)i * width, heap, count * sizeof *heap);
    fit->kept_count[i] = count;
}

/* BLOCK rows of B: P is symmetric, so that columns of P are read along its rows. */
static void solve_block(void *context, uint32_t task, uint32_t worker)
{
    struct fit *fit = context;
    struct lane *lane = &fit->lanes[worker];
    const struct eddy_train_vector *vector = eddy_train_vector_get();
    uint32_t first = task * BLOCK;
    uint32_t rows = fit->n - first < BLOCK ? fit->n - first : BLOCK;

    memset(lane->block, 0, (size_t)fit->n * BLOCK * sizeof(float));
    for (uint32_t k = 0; k < fit->n; k++) {
        const float *p = fit->p + (size_t)k * fit->n + first;
        for (uint32_t e = 0; e < fit->pairs[k]; e++) {
            struct pair pair = fit->pair[k][e];
            vector->axpy(rows, pair.weight, p,
                         lane->block + (size_t)pair.index * BLOCK);
        }
    }
    for (uint32_t c = 0; c < rows; c++)
        keep_row(fit, first + c, c, lane);
}

static int make_table(const struct fit *fit, struct eddy_table *ret)
{
    uint64_t entries = 0;
    for (uint32_t i = 0; i < fit->n; i++)
        entries += fit->kept_count[i];
    int rc = eddy_table_init(ret, fit->items, entries);
    if (rc < 0)
        return rc;
    uint64_t at = 0;
    for (uint32_t item = 0; item < fit->items; item++) {
        ret->begin[item] = at;
        int32_t i = fit->index[item];
        for (uint32_t k = 0; i >= 0 && k < fit->kept_count[i]; k++, at++) {
            struct pair pair = fit->kept[(size_t)i * fit->options->width + k];
            ret->index[at] = fit->item[pair.index];
            ret->weight[at] = pair.weight;
        }
    }
    ret->begin[fit->items] = at;
    return 0;
}

/* ---- memory ----------------------------------------------------------------------- */

static int alloc_solution(struct fit *fit, struct eddy_err *err)
{
    size_t n = fit->n;

    fit->p = calloc(n * n + 1, sizeof *fit->p);
    if (fit->p == NULL)
        return eddy_fail(
            err, EDDY_ENOMEM,
            "closed form: no memory for %u x %u items (%.1f GB); solve for "
            "fewer",
            fit->n, fit->n, (double)n * (double)n * 4e-9);
    fit->ridge = calloc(n + 1, sizeof *fit->ridge);
    fit->gamma = calloc(n + 1, sizeof *fit->gamma);
    fit->pair = calloc(n + 1, sizeof *fit->pair);
    fit->pairs = calloc(n + 1, sizeof *fit->pairs);
    fit->kept = malloc((n * fit->options->width + 1) * sizeof *fit->kept);
    fit->kept_count = calloc(n + 1, sizeof *fit->kept_count);
    fit->lanes = calloc(fit->options->threads, sizeof *fit->lanes);
    bool ok = fit->ridge && fit->gamma && fit->pair && fit->pairs && fit->kept &&
              fit->kept_count && fit->lanes;
    for (uint32_t t = 0; ok && t < fit->options->threads; t++) {
        struct lane *lane = &fit->lanes[t];
        lane->sums = calloc(n + 1, sizeof *lane->sums);
        lane->touched = malloc((n + 1) * sizeof *lane->touched);
        lane->block = malloc((n * BLOCK + 1) * sizeof *lane->block);
        lane->heap = malloc(fit->options->width * sizeof *lane->heap);
        ok = lane->sums && lane->touched && lane->block && lane->heap;
    }
    return ok ? 0
              : eddy_fail(err, EDDY_ENOMEM, "closed form: no memory for %u items",
                          fit->n);
}

static void fini(struct fit *fit)
{
    for (uint32_t t = 0; fit->lanes && t < fit->options->threads; t++) {
        free(fit->lanes[t].sums);
        free(fit->lanes[t].touched);
        free(fit->lanes[t].block);
        free(fit->lanes[t].heap);
    }
    for (uint32_t i = 0; fit->pair && i < fit->n; i++)
        free(fit->pair[i]);
    free(fit->support);
    free(fit->index);
    free(fit->item);
    eddy_spill_free(fit->begin);
    eddy_spill_free(fit->sequence);
    eddy_spill_free(fit->content);
    eddy_spill_free(fit->distinct);
    eddy_spill_free(fit->age_weight);
    free(fit->place_begin);
    eddy_spill_free(fit->places);
    free(fit->distance_weight);
    free(fit->p);
    free(fit->ridge);
    free(fit->pair);
    free(fit->pairs);
    free(fit->gamma);
    free(fit->scale);
    free(fit->lanes);
    free(fit->kept);
    free(fit->kept_count);
}

static int solve(struct fit *fit, struct eddy_err *err)
{
    uint32_t threads = fit->options->threads;
    int rc = alloc_solution(fit, err);
    if (rc < 0)
        return rc;
    eddy_team_run(threads, fit->n, gather_row, fit);
    if (fit->failed)
        return eddy_fail(err, EDDY_ENOMEM, "closed form: no memory for pairs of items");
    rc = invert(fit, err);
    if (rc < 0)
        return rc;
    if (fit->options->zero_diagonal && constrain_diagonal(fit) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "closed form: no memory for %u items",
                         fit->n);
    eddy_team_run(threads, (fit->n + BLOCK - 1) / BLOCK, solve_block, fit);
    return 0;
}

int eddy_related_fit(const struct eddy_session_view *sessions, uint32_t count,
                     uint32_t items, const struct eddy_related_options *options,
                     struct eddy_table *ret, struct eddy_err *err)
{
    struct eddy_related_options own = *options;
    struct fit fit = {
        .sessions = sessions, .options = &own, .session_count = count, .items = items};

    own.threads = options->threads > 0 ? options->threads : 1;
    int rc = check_options(options, err);
    if (rc < 0)
        return rc;
    if ((rc = choose_items(&fit, err)) == 0 && (rc = lay_out(&fit, err)) == 0)
        rc = make_weights(&fit, err);
    if (rc == EDDY_ENOMEM)
        (void)eddy_fail(err, rc, "closed form: no memory for %u sessions", count);
    if (rc == 0 && fit.n > 0)
        rc = solve(&fit, err);
    if (rc == 0 && make_table(&fit, ret) < 0)
        rc = eddy_fail(err, EDDY_ENOMEM, "closed form: no memory for the table");
    fini(&fit);
    return rc;
}
