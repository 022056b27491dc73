/* A small snapshot for tests: items "i0".."i<V-1>", random weights from a seed, written and
 * opened by the code under test. */
#ifndef EDDY_TESTS_TINY_MODEL_H
#define EDDY_TESTS_TINY_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "core/snapshot.h"
#include "tiny_tables.h"

struct tiny {
    uint32_t items, hidden, layers;
    enum eddy_cell cell;
    enum eddy_mode mode;
    uint32_t session_gap_s, recent_events;
    uint64_t seed;
    const char *odd_id; /* not NULL: id of item 0 */
    bool tables;        /* with tables, and a head that uses them */
    bool context;       /* columns device (phone, TV) and hour */
};

#define TINY_CONTEXT                                                                   \
    "{\"context\":{\"columns\":[{\"name\":\"device\",\"kind\":\"categorical\","        \
    "\"values\":[\"phone\",\"TV\"]},{\"name\":\"hour\",\"kind\":\"numeric\","          \
    "\"knots\":[0,6,12.25,18]}]}}"
enum { TINY_CONTEXT_FEATURES = 3 + 4 };

static const struct tiny tiny_default = {.items = 50,
                                         .hidden = 16,
                                         .layers = 2,
                                         .cell = EDDY_CELL_MINGRU,
                                         .mode = EDDY_MODE_ALL,
                                         .session_gap_s = 1800,
                                         .recent_events = 20,
                                         .seed = 1};

struct tiny_files {
    struct eddy_buf model, catalog, manifest;
};

__attribute__((unused)) static void tiny_files_fini(struct tiny_files *files)
{
    eddy_buf_fini(&files->model);
    eddy_buf_fini(&files->catalog);
    eddy_buf_fini(&files->manifest);
}

__attribute__((unused)) static struct eddy_snapshot_files tiny_bytes(
    const struct tiny_files *files)
{
    return (struct eddy_snapshot_files){eddy_buf_span(&files->model),
                                        eddy_buf_span(&files->catalog),
                                        eddy_buf_span(&files->manifest)};
}

/* The three files; 0 or the error. */
__attribute__((unused)) static int tiny_encode(const struct tiny *tiny,
                                               struct tiny_files *ret,
                                               struct eddy_err *err)
{
    struct eddy_shape shape = {.items = tiny->items,
                               .hidden = tiny->hidden,
                               .layers = tiny->layers,
                               .types = 3,
                               .cell = tiny->cell,
                               .mode = tiny->mode,
                               .context_features =
                                   tiny->context ? TINY_CONTEXT_FEATURES : 0};
    struct eddy_manifest manifest = {.recipe = "hrnn",
                                     .session_gap_s = tiny->session_gap_s,
                                     .recent_events = tiny->recent_events,
                                     .seed = tiny->seed,
                                     .created_s = 1600000000};
    struct eddy_layout layout;
    struct eddy_rng rng;
    *ret = (struct tiny_files){0};
    int code = eddy_layout_init(&layout, &shape, err);
    if (code < 0) {
        return code;
    }
    float *params = eddy_params_new(&layout);
    float *popularity = calloc(tiny->items, sizeof *popularity);
    struct eddy_catalog *catalog = eddy_catalog_new();
    uint32_t title = eddy_catalog_add_column(catalog, eddy_span_of("TITLE"));
    eddy_rng_seed(&rng, tiny->seed);
    for (size_t i = 0; i < layout.size; i++) {
        params[i] = (float)eddy_rng_normal(&rng) * 0.3f;
    }
    for (uint32_t i = 0; i < tiny->items; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", i);
        bool odd = i == 0 && tiny->odd_id;
        uint32_t item =
            eddy_catalog_add(catalog, eddy_span_of(odd ? tiny->odd_id : id));
        (void)eddy_catalog_set(catalog, item, title, eddy_span_of("A, \"Title\""));
        popularity[i] = (float)((i * 7) % tiny->items) / (float)tiny->items;
    }
    static const char *const types[] = {"", "click", "buy"};
    for (int i = 0; i < 3; i++) {
        manifest.types[i] = strdup(types[i]);
    }
    manifest.hyper_json = strdup("{\"learning_rate\": 0.1, \"hidden_dimension\": 16}");
    manifest.data_json = strdup("{\"events\": 7}");
    manifest.features_json = tiny->context ? strdup(TINY_CONTEXT) : NULL;
    struct tiny_tables with = {0};
    if (tiny->tables) {
        (void)tiny_tables_make(&with, tiny->items, tiny->seed);
        (void)tiny_cold(&with.tables, layout.shape.hidden);
    }
    const struct eddy_snapshot_parts parts = {
        .layout = &layout,
        .params = params,
        .popularity = popularity,
        .catalog = catalog,
        .tables = tiny->tables ? &with.tables : NULL,
        .head = tiny->tables ? &with.head : NULL,
    };
    code = eddy_snapshot_encode(&manifest, &parts, &ret->model, &ret->catalog,
                                &ret->manifest, err);
    eddy_tables_fini(&with.tables);
    eddy_manifest_fini(&manifest);
    eddy_catalog_free(catalog);
    free(params);
    free(popularity);
    return code;
}

/* What a snapshot came from, encoded again with these heads (NULL: none). */
__attribute__((unused)) static int tiny_encode_again(
    const struct eddy_snapshot *snapshot, const struct eddy_head *head,
    const struct eddy_stream_head *stream_head, struct tiny_files *ret,
    struct eddy_err *err)
{
    struct eddy_manifest manifest = snapshot->manifest; /* its texts are borrowed */
    const struct eddy_snapshot_parts parts = {.layout = &snapshot->layout,
                                              .params = snapshot->params,
                                              .popularity = snapshot->popularity,
                                              .catalog = snapshot->catalog,
                                              .tables = &snapshot->tables,
                                              .head = head,
                                              .stream_head = stream_head};
    *ret = (struct tiny_files){0};
    manifest.head_json = manifest.stream_json = NULL; /* encode makes its own */
    int code = eddy_snapshot_encode(&manifest, &parts, &ret->model, &ret->catalog,
                                    &ret->manifest, err);
    free(manifest.head_json);
    free(manifest.stream_json);
    return code;
}

/* The snapshot, or NULL with the reason on stderr. */
__attribute__((unused)) static struct eddy_snapshot *tiny_open(const struct tiny *tiny)
{
    struct tiny_files files;
    struct eddy_err err = {0};
    struct eddy_snapshot *snapshot = NULL;
    int code = tiny_encode(tiny, &files, &err);
    if (code == 0) {
        struct eddy_snapshot_files bytes = tiny_bytes(&files);
        code = eddy_snapshot_decode(&bytes, eddy_kernels_get(), &snapshot, &err);
    }
    if (code < 0) {
        fprintf(stderr, "tiny model: %s\n", err.text);
    }
    tiny_files_fini(&files);
    return snapshot;
}

#endif
