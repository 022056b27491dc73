/* Figures of impressions: how many events say what was shown, and what came of it. */
#include "core/insight.h"
#include "core/play_user.h"

static bool was_shown(const struct eddy_shown_ring *ring, uint64_t item_hash)
{
    bool found = false;
    for (uint32_t i = 0; i < ring->count; i++)
        found = found || ring->entries[i].item_hash == item_hash;
    return found;
}

static void count_row(const struct eddy_interactions *in,
                      const struct eddy_interaction *row, struct eddy_insight *insight)
{
    uint64_t begin = in->shown_begin[row->row], end = in->shown_begin[row->row + 1];
    uint64_t item = eddy_catalog_hash(in->items, row->item);
    bool own = false;
    for (uint64_t i = begin; i < end; i++)
        own = own || in->shown[i] == item;
    insight->with_impression += end > begin;
    insight->shown += end - begin;
    insight->shown_own += own;
}

void eddy_insight_shown(const struct eddy_interactions *interactions,
                        struct eddy_insight *insight)
{
    uint32_t users = eddy_catalog_count(interactions->users);
    for (uint32_t u = 0; interactions->shown_begin != NULL && u < users; u++) {
        struct eddy_shown_ring ring = {0};
        for (uint64_t i = interactions->user_begin[u];
             i < interactions->user_begin[u + 1]; i++) {
            const struct eddy_interaction *row = &interactions->rows[i];
            uint64_t item = eddy_catalog_hash(interactions->items, row->item);
            insight->shown_asked += ring.count > 0;
            insight->shown_taken += was_shown(&ring, item);
            count_row(interactions, row, insight);
            eddy_play_user_show(&ring, interactions, row);
        }
    }
}
