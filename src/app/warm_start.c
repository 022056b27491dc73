/* Warm start: the older model's weights by item id and event type. Which events it has
 * learned from already stands in its manifest as the time of the newest one. */
#include "app/warm_start.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "app/model.h"
#include "io/files.h"

/* Of users who have nothing new, so many are learned from again (MODELS: 10 to 20 %). */
static const double replay = 0.15;

/* "newest_ms" of the manifest; without it everything counts as new. */
static int64_t newest_of(const struct eddy_snapshot *snapshot)
{
    const char *text = snapshot->manifest.data_json;
    json_t *data = text ? json_loads(text, 0, NULL) : NULL;
    json_t *newest = json_object_get(data, "newest_ms");
    int64_t ms = json_is_integer(newest) ? json_integer_value(newest) : INT64_MIN;
    json_decref(data);
    return ms;
}

static void find_types(struct eddy_warm_start *start,
                       const struct eddy_interactions *interactions)
{
    const struct eddy_snapshot *snapshot = start->snapshot;
    for (uint32_t t = 0; t < interactions->type_count; t++) {
        start->types[t] = UINT16_MAX;
        for (uint32_t old = 0; old < snapshot->layout.shape.types; old++)
            if (snapshot->manifest.types[old] != NULL &&
                strcmp(snapshot->manifest.types[old], interactions->types[t]) == 0)
                start->types[t] = (uint16_t)old;
    }
}

int eddy_warm_start_open(struct eddy_warm_start *start, const char *folder,
                         const struct eddy_interactions *interactions,
                         struct eddy_train_options *options, struct eddy_err *err)
{
    uint32_t items = eddy_catalog_count(interactions->items);

    *start = (struct eddy_warm_start){0};
    int r = eddy_model_open(folder, &start->snapshot, err);
    if (r < 0)
        return r;
    const struct eddy_snapshot *snapshot = start->snapshot;
    const struct eddy_shape *shape = &snapshot->layout.shape;
    if (shape->hidden == 0) {
        eddy_warm_start_close(start);
        return eddy_fail(err, EDDY_ECONFIG,
                         "--warm-start %s: the model has no network to go on from",
                         folder);
    }
    start->items = malloc(((size_t)items + 1) * sizeof *start->items);
    if (start->items == NULL) {
        eddy_warm_start_close(start);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u items", items);
    }
    for (uint32_t i = 0; i < items; i++)
        start->items[i] = eddy_catalog_find(snapshot->catalog,
                                            eddy_catalog_id(interactions->items, i));
    find_types(start, interactions);
    start->warm =
        (struct eddy_train_warm){&snapshot->layout, snapshot->params,    start->items,
                                 start->types,      newest_of(snapshot), replay};
    options->hidden_dimension = shape->hidden;
    options->layers = shape->layers;
    options->cell = shape->cell;
    options->mode = shape->mode;
    options->warm = &start->warm;
    return 0;
}

void eddy_warm_start_close(struct eddy_warm_start *start)
{
    eddy_snapshot_release(start->snapshot);
    free(start->items);
    *start = (struct eddy_warm_start){0};
}
