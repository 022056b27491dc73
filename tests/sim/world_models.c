/* Three tiny models, the second with tables and a head, the others with context: different
 * cells, modes, widths and catalogues, so that a switch makes states grow and shrink, and makes
 * items known and unknown. */
#include <stdio.h>
#include <stdlib.h>

#include "../tiny_tables.h"
#include "base/log.h"
#include "world.h"

static const struct {
    struct eddy_shape shape;
    uint32_t first_item, recent_events, session_gap_s;
} plans[WORLD_MODELS] = {
    {{24, 16, 1, 3, EDDY_CELL_MINGRU, EDDY_MODE_INIT, 0, 0, 7}, 0, 8, 1800},
    {{30, 24, 2, 2, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0}, 4, 12, 600},
    {{20, 8, 1, 3, EDDY_CELL_MINGRU, EDDY_MODE_ALL, 0, 0, 7}, 10, 5, 3600},
};

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    EDDY_ASSERT(copy);
    return copy;
}

static void fill_manifest(struct eddy_manifest *manifest, uint32_t plan)
{
    static const char *const types[] = {"", "click", "purchase"};
    memset(manifest, 0, sizeof *manifest);
    (void)snprintf(manifest->recipe, sizeof manifest->recipe, "simulated-%u", plan);
    manifest->shape = plans[plan].shape;
    manifest->session_gap_s = plans[plan].session_gap_s;
    manifest->recent_events = plans[plan].recent_events;
    for (uint32_t i = 0; i < plans[plan].shape.types; i++) {
        manifest->types[i] = copy_text(types[i]);
    }
    manifest->hyper_json = copy_text("{}");
    manifest->data_json = copy_text("{}");
    manifest->metrics_json = copy_text("{}");
    if (plans[plan].shape.context_features > 0) {
        manifest->features_json =
            copy_text("{\"context\":{\"columns\":[{\"name\":\"device\",\"kind\":"
                      "\"categorical\",\"values\":[\"phone\",\"tv\"]},{\"name\":"
                      "\"hour\",\"kind\":\"numeric\",\"knots\":[0,7,12,20]}]}}");
    }
    manifest->seed = plan;
}

static struct eddy_snapshot *make_model(uint32_t plan)
{
    const struct eddy_shape *shape = &plans[plan].shape;
    struct eddy_manifest manifest;
    struct eddy_layout layout;
    struct eddy_buf bytes[3];
    struct eddy_rng rng;
    struct eddy_err err = {0};
    struct eddy_snapshot *snapshot = NULL;
    float popularity[64];
    char id[16];
    eddy_rng_seed(&rng, 1000 + plan);
    EDDY_ASSERT(eddy_layout_init(&layout, shape, &err) == 0);
    float *params = eddy_params_new(&layout);
    struct eddy_catalog *catalog = eddy_catalog_new();
    EDDY_ASSERT(params && catalog);
    for (size_t i = 0; i < layout.size; i++) {
        params[i] = (float)(0.4 * eddy_rng_normal(&rng));
    }
    for (uint32_t i = 0; i < shape->items; i++) {
        (void)snprintf(id, sizeof id, "item%u", plans[plan].first_item + i);
        EDDY_ASSERT(eddy_catalog_add(catalog, eddy_span_of(id)) == i);
        popularity[i] = (float)eddy_rng_unit(&rng);
    }
    fill_manifest(&manifest, plan);
    for (int i = 0; i < 3; i++) {
        eddy_buf_init(&bytes[i], 0);
    }
    struct tiny_tables with = {0};
    if (plan == 1) {
        EDDY_ASSERT(tiny_tables_make(&with, shape->items, 7) == 0);
    }
    const struct eddy_snapshot_parts parts = {
        .layout = &layout,
        .params = params,
        .popularity = popularity,
        .catalog = catalog,
        .tables = plan == 1 ? &with.tables : NULL,
        .head = plan == 1 ? &with.head : NULL,
    };
    EDDY_ASSERT(eddy_snapshot_encode(&manifest, &parts, &bytes[0], &bytes[1], &bytes[2],
                                     &err) == 0);
    struct eddy_snapshot_files files = {
        eddy_buf_span(&bytes[0]), eddy_buf_span(&bytes[1]), eddy_buf_span(&bytes[2])};
    int r = eddy_snapshot_decode(&files, eddy_kernels_get(), &snapshot, &err);
    if (r < 0) {
        fprintf(stderr, "model %u: %s\n", plan, err.text);
    }
    EDDY_ASSERT(r == 0);
    for (int i = 0; i < 3; i++) {
        eddy_buf_fini(&bytes[i]);
    }
    eddy_tables_fini(&with.tables);
    eddy_manifest_fini(&manifest);
    eddy_catalog_free(catalog);
    free(params);
    return snapshot;
}

struct world_models *world_models_new(void)
{
    struct world_models *models = calloc(1, sizeof *models);
    EDDY_ASSERT(models);
    models->registry = eddy_registry_new("simulated", eddy_kernels_get());
    EDDY_ASSERT(models->registry);
    for (uint32_t i = 0; i < WORLD_MODELS; i++) {
        models->snapshot[i] = make_model(i);
        memcpy(models->version[i], models->snapshot[i]->manifest.version,
               sizeof models->version[i]);
        EDDY_ASSERT(eddy_registry_put(models->registry, models->snapshot[i]) == 0);
    }
    models->none = eddy_snapshot_empty(eddy_kernels_get());
    EDDY_ASSERT(models->none);
    return models;
}

void world_models_free(struct world_models *models)
{
    if (models) {
        for (uint32_t i = 0; i < WORLD_MODELS; i++) {
            eddy_snapshot_release(models->snapshot[i]);
        }
        eddy_snapshot_release(models->none);
        eddy_registry_free(models->registry);
        free(models);
    }
}
