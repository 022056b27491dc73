/* Scores of all items, a tile at a time, and the best of each row.
 *
 * A tile is 48 panels (768 items) by all rows of the slice: the panels stream once from
 * memory for the whole slice, the scores (3 KiB a row) stay in the second-level cache
 * between the product and the selection, and are never written out. Excluded items get
 * -infinity in the tile, which the selection never returns. */
#include "core/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { PANEL = 16, TILE_PANELS = EDDY_TOPK_TILE / PANEL };

struct eddy_score_scratch {
    uint32_t rows_max, k_max;
    float *queries;           /* (rows_max, EDDY_HIDDEN_MAX) */
    float *scores;            /* (rows_max, EDDY_TOPK_TILE) */
    struct eddy_topk *topks;  /* (rows_max) */
    uint32_t *excluded_index; /* (rows_max) first excluded item not yet passed */
};

struct eddy_score_scratch *eddy_score_scratch_new(uint32_t rows_max, uint32_t k_max)
{
    struct eddy_score_scratch *scratch = calloc(1, sizeof(*scratch));
    if (!scratch)
        return NULL;
    size_t rows = rows_max ? rows_max : 1;
    scratch->rows_max = (uint32_t)rows;
    scratch->k_max = k_max;
    scratch->queries = eddy_floats_new(rows * EDDY_HIDDEN_MAX);
    scratch->scores = eddy_floats_new(rows * EDDY_TOPK_TILE);
    scratch->topks = calloc(rows, sizeof(*scratch->topks));
    scratch->excluded_index = calloc(rows, sizeof(*scratch->excluded_index));
    if (!scratch->queries || !scratch->scores || !scratch->topks ||
        !scratch->excluded_index)
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
    free(scratch);
}

/* Overwrite the scores of the excluded items in [first, first + n); index goes on where
 * the last tile ended. */
static void hide_excluded(float *scores, uint32_t first, uint32_t n,
                          const uint32_t *excluded, uint32_t count, uint32_t *index)
{
    uint32_t i = *index;
    for (; i < count && excluded[i] < first + n; i++) {
        if (excluded[i] >= first)
            scores[excluded[i] - first] = -INFINITY;
    }
    *index = i;
}

static void score_slice(const struct eddy_hrnn *hrnn,
                        struct eddy_score_scratch *scratch, uint32_t n,
                        const uint32_t *const *excluded, const uint32_t *excluded_count)
{
    const struct eddy_packed *items = eddy_hrnn_items(hrnn);
    const struct eddy_kernels *kernels = eddy_hrnn_kernels(hrnn);
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
            if (excluded[r])
                hide_excluded(scores, first, size, excluded[r], excluded_count[r],
                              &scratch->excluded_index[r]);
            eddy_topk_push(&scratch->topks[r], kernels, scores, size, first);
        }
    }
}

void eddy_score_topk(const struct eddy_hrnn *hrnn, struct eddy_score_scratch *scratch,
                     uint32_t n, const float *const *query, uint32_t k,
                     const uint32_t *const *excluded, const uint32_t *excluded_count,
                     struct eddy_scored *ret, uint32_t *ret_count)
{
    const size_t H = eddy_hrnn_shape(hrnn)->hidden;
    EDDY_ASSERT(k <= scratch->k_max);
    for (uint32_t from = 0; from < n; from += scratch->rows_max) {
        uint32_t rows = n - from < scratch->rows_max ? n - from : scratch->rows_max;
        for (uint32_t r = 0; r < rows; r++) {
            memcpy(scratch->queries + r * H, query[from + r], H * sizeof(float));
            eddy_topk_begin(&scratch->topks[r], k);
            scratch->excluded_index[r] = 0;
        }
        score_slice(hrnn, scratch, rows, excluded + from, excluded_count + from);
        for (uint32_t r = 0; r < rows; r++)
            ret_count[from + r] =
                eddy_topk_finish(&scratch->topks[r], eddy_hrnn_kernels(hrnn),
                                 ret + (size_t)(from + r) * k);
    }
}

void eddy_score_all(const struct eddy_hrnn *hrnn, const float *query, float *ret)
{
    const struct eddy_packed *items = eddy_hrnn_items(hrnn);
    eddy_hrnn_kernels(hrnn)->matmul(items, 1, query, items->inputs, ret,
                                    (size_t)items->panels * PANEL);
}
