/* Scores of all items, a tile at a time, and the best of each row.
 *
 * A tile is 48 panels (768 items) by all rows of the slice: the panels stream once from
 * memory for the whole slice, the scores (3 KiB a row) stay in the second-level cache
 * between the product and the selection, and are never written out. What a row adds to single
 * items is added in the tile; excluded items then get -infinity there, which the selection
 * never returns. */
#include "core/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
    PANEL = 16,
    TILE_PANELS = EDDY_TOPK_TILE / PANEL,
    INPUTS_MAX = EDDY_HIDDEN_MAX + 1 + EDDY_HALF_LIVES_MAX
};

struct eddy_score_scratch {
    uint32_t rows_max, k_max;
    float *queries;           /* (rows_max, INPUTS_MAX) */
    float *scores;            /* (rows_max, EDDY_TOPK_TILE) */
    struct eddy_topk *topks;  /* (rows_max) */
    uint32_t *excluded_index; /* (rows_max) first excluded item not yet passed */
    uint32_t *addition_index; /* (rows_max) likewise */
};

struct eddy_score_scratch *eddy_score_scratch_new(uint32_t rows_max, uint32_t k_max)
{
    struct eddy_score_scratch *scratch = calloc(1, sizeof(*scratch));
    if (!scratch)
        return NULL;
    size_t rows = rows_max ? rows_max : 1;
    scratch->rows_max = (uint32_t)rows;
    scratch->k_max = k_max;
    scratch->queries = eddy_floats_new(rows * INPUTS_MAX);
    scratch->scores = eddy_floats_new(rows * EDDY_TOPK_TILE);
    scratch->topks = calloc(rows, sizeof(*scratch->topks));
    scratch->excluded_index = calloc(rows, sizeof(*scratch->excluded_index));
    scratch->addition_index = calloc(rows, sizeof(*scratch->addition_index));
    if (!scratch->queries || !scratch->scores || !scratch->topks ||
        !scratch->excluded_index || !scratch->addition_index)
        goto fail;
    for (size_t r = 0; r < rows; r++) {
        if (eddy_topk_init(&scratch->topks[r], k_max))
            goto fail;
    }
    return scratch;
fail:
    eddy_score_scratch_free(scratch);
    return NULL;
}

void eddy_score_scratch_free(struct eddy_score_scratch *scratch)
{
    if (!scratch)
        return;
    for (uint32_t r = 0; scratch->topks && r < scratch->rows_max; r++)
        eddy_topk_fini(&scratch->topks[r]);
    free(scratch->queries);
    free(scratch->scores);
    free(scratch->topks);
    free(scratch->excluded_index);
    free(scratch->addition_index);
    free(scratch);
}

/* Overwrite the scores of the excluded items in [first, first + n); index goes on where
 * the last tile ended. */
static void hide_excluded(float *scores, uint32_t first, uint32_t n,
                          const struct eddy_score_row *row, uint32_t *index)
{
    uint32_t i = *index;
    for (; i < row->excluded_count && row->excluded[i] < first + n; i++) {
        if (row->excluded[i] >= first)
            scores[row->excluded[i] - first] = -INFINITY;
    }
    *index = i;
}

/* The additions of a row for the items in [first, first + n). */
static void add_additions(float *scores, uint32_t first, uint32_t n,
                          const struct eddy_score_row *row, uint32_t *index)
{
    uint32_t i = *index;
    for (; i < row->addition_count && row->additions[i].item < first + n; i++) {
        if (row->additions[i].item >= first)
            scores[row->additions[i].item - first] += row->additions[i].value;
    }
    *index = i;
}

/* ret NULL: the best go to the rows' selections; else all scores go there, (n, V). */
static void score_slice(const struct eddy_packed *items,
                        const struct eddy_kernels *kernels,
                        struct eddy_score_scratch *scratch, uint32_t n,
                        const struct eddy_score_row *rows, float *ret)
{
    for (uint32_t panel = 0; panel < items->panels; panel += TILE_PANELS) {
        uint32_t panels = items->panels - panel;
        panels = panels < TILE_PANELS ? panels : TILE_PANELS;
        uint32_t first = panel * PANEL;
        uint32_t size = items->outputs - first < panels * PANEL ? items->outputs - first
                                                                : panels * PANEL;
        kernels->matmul_panels(items, panel, panels, n, scratch->queries, items->inputs,
                               scratch->scores, EDDY_TOPK_TILE);
        for (uint32_t r = 0; r < n; r++) {
            float *scores = scratch->scores + (size_t)r * EDDY_TOPK_TILE;
            add_additions(scores, first, size, &rows[r], &scratch->addition_index[r]);
            hide_excluded(scores, first, size, &rows[r], &scratch->excluded_index[r]);
            if (ret)
                memcpy(ret + (size_t)r * items->outputs + first, scores,
                       size * sizeof *scores);
            else
                eddy_topk_push(&scratch->topks[r], kernels, scores, size, first);
        }
    }
}

/* A row's inputs: the query, then the dense part. */
static void place_query(float *to, uint32_t hidden, uint32_t inputs,
                        const struct eddy_score_row *row)
{
    if (row->query)
        memcpy(to, row->query, hidden * sizeof(float));
    else
        memset(to, 0, hidden * sizeof(float));
    memcpy(to + hidden, row->dense, (inputs - hidden) * sizeof(float));
}

void eddy_score_rows(const struct eddy_packed *items, uint32_t hidden,
                     const struct eddy_kernels *kernels,
                     struct eddy_score_scratch *scratch, uint32_t n,
                     const struct eddy_score_row *rows, uint32_t k,
                     struct eddy_scored *ret, uint32_t *ret_count)
{
    EDDY_ASSERT(k <= scratch->k_max);
    for (uint32_t from = 0; from < n; from += scratch->rows_max) {
        uint32_t count = n - from < scratch->rows_max ? n - from : scratch->rows_max;
        for (uint32_t r = 0; r < count; r++) {
            place_query(scratch->queries + (size_t)r * items->inputs, hidden,
                        items->inputs, &rows[from + r]);
            eddy_topk_begin(&scratch->topks[r], k);
            scratch->excluded_index[r] = scratch->addition_index[r] = 0;
        }
        score_slice(items, kernels, scratch, count, rows + from, NULL);
        for (uint32_t r = 0; r < count; r++)
            ret_count[from + r] = eddy_topk_finish(&scratch->topks[r], kernels,
                                                   ret + (size_t)(from + r) * k);
    }
}

void eddy_score_rows_all(const struct eddy_packed *items, uint32_t hidden,
                         const struct eddy_kernels *kernels,
                         struct eddy_score_scratch *scratch, uint32_t n,
                         const struct eddy_score_row *rows, float *ret)
{
    EDDY_ASSERT(n <= scratch->rows_max);
    for (uint32_t r = 0; r < n; r++) {
        place_query(scratch->queries + (size_t)r * items->inputs, hidden, items->inputs,
                    &rows[r]);
        scratch->excluded_index[r] = scratch->addition_index[r] = 0;
    }
    score_slice(items, kernels, scratch, n, rows, ret);
}

void eddy_score_topk(const struct eddy_hrnn *hrnn, struct eddy_score_scratch *scratch,
                     uint32_t n, const float *const *query, uint32_t k,
                     const uint32_t *const *excluded, const uint32_t *excluded_count,
                     struct eddy_scored *ret, uint32_t *ret_count)
{
    enum { ROWS = 64 };
    struct eddy_score_row rows[ROWS];
    for (uint32_t from = 0; from < n; from += ROWS) {
        uint32_t count = n - from < ROWS ? n - from : ROWS;
        for (uint32_t r = 0; r < count; r++)
            rows[r] = (struct eddy_score_row){
                .query = query[from + r],
                .excluded = excluded[from + r],
                .excluded_count = excluded[from + r] ? excluded_count[from + r] : 0};
        eddy_score_rows(eddy_hrnn_items(hrnn), eddy_hrnn_shape(hrnn)->hidden,
                        eddy_hrnn_kernels(hrnn), scratch, count, rows, k,
                        ret + (size_t)from * k, ret_count + from);
    }
}

void eddy_score_all(const struct eddy_hrnn *hrnn, const float *query, float *ret)
{
    const struct eddy_packed *items = eddy_hrnn_items(hrnn);
    eddy_hrnn_kernels(hrnn)->matmul(items, 1, query, items->inputs, ret,
                                    (size_t)items->panels * PANEL);
}
