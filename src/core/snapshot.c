/* A snapshot: three files as bytes <-> a model ready to step and score.
 *
 * Opening checks from the outside in, so that each later step may believe the earlier one:
 * manifest (JSON, ranges, version), sizes and sha256 of the two files, catalogue, tensors.
 * Whatever is wrong, the message begins with the file's name. */
#include "core/snapshot.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "core/head_store.h"
#include "core/manifest.h"
#include "core/rank.h"
#include "core/safetensors.h"

static const uint64_t TYPE_KEY = UINT64_C(1) << 32; /* a map's key is never 0 */

/* ---- encode ------------------------------------------------------------------------- */

enum { TENSORS_MAX = EDDY_TENSORS_MAX + 1 + EDDY_HEAD_TENSORS_MAX };

/* The tensors of a layout, and "popularity". ret has room for EDDY_TENSORS_MAX + 1. */
static uint32_t list_tensors(const struct eddy_layout *layout, const float *params,
                             const float *popularity, struct eddy_st_tensor *ret)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < layout->count; i++) {
        const struct eddy_tensor *tensor = &layout->tensors[i];
        if (tensor->rows > 0) {
            ret[count++] =
                (struct eddy_st_tensor){tensor->name, tensor->rows, tensor->cols,
                                        params + tensor->offset, EDDY_ST_F32};
        }
    }
    ret[count++] = (struct eddy_st_tensor){"popularity", layout->shape.items, 1,
                                           popularity, EDDY_ST_F32};
    return count;
}

static int check_parts(const struct eddy_snapshot_parts *parts,
                       const struct eddy_st_tensor *tensors, uint32_t count,
                       struct eddy_err *err)
{
    uint32_t items = parts->layout->shape.items;
    if (eddy_catalog_count(parts->catalog) != items) {
        return eddy_fail(err, EDDY_ECONFIG, "catalogue of %u items, model of %u",
                         eddy_catalog_count(parts->catalog), items);
    }
    if (parts->tables && parts->tables->items != items && parts->tables->items != 0) {
        return eddy_fail(err, EDDY_ECONFIG, "tables of %u items, model of %u",
                         parts->tables->items, items);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (tensors[i].type == EDDY_ST_F32 &&
            !eddy_floats_are_finite(tensors[i].data,
                                    (size_t)tensors[i].rows * tensors[i].cols)) {
            return eddy_fail(err, EDDY_EFATAL,
                             "tensor %s: NaN or infinity in it, nothing is written",
                             tensors[i].name);
        }
    }
    return 0;
}

int eddy_snapshot_encode(struct eddy_manifest *manifest,
                         const struct eddy_snapshot_parts *parts,
                         struct eddy_buf *ret_model, struct eddy_buf *ret_catalog,
                         struct eddy_buf *ret_manifest, struct eddy_err *err)
{
    const struct eddy_head *head = parts->head ? parts->head : &eddy_head_plain;
    struct eddy_st_tensor tensors[TENSORS_MAX];
    char *weights = NULL, *stream = NULL;
    int code = eddy_head_encode(parts->tables, head, &weights, err);
    if (code == 0 && parts->stream_head) {
        code = eddy_stream_head_encode(parts->tables, parts->stream_head, &stream, err);
    }
    if (code < 0) {
        free(weights);
        return code;
    }
    free(manifest->head_json);
    free(manifest->stream_json);
    manifest->head_json = weights;
    manifest->stream_json = stream;
    const struct eddy_head used = eddy_head_union(head, parts->stream_head);
    uint32_t count =
        list_tensors(parts->layout, parts->params, parts->popularity, tensors);
    count += eddy_head_tensors(parts->tables, &used, parts->layout->shape.hidden,
                               tensors + count);
    code = check_parts(parts, tensors, count, err);
    if (code < 0) {
        return code;
    }
    manifest->shape = parts->layout->shape;
    eddy_safetensors_encode(tensors, count, ret_model);
    eddy_catalog_encode(parts->catalog, ret_catalog);
    if (ret_model->failed || ret_catalog->failed) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the snapshot's files");
    }
    struct eddy_manifest_files files = {
        .catalog = eddy_manifest_file_of(eddy_buf_span(ret_catalog)),
        .model = eddy_manifest_file_of(eddy_buf_span(ret_model)),
    };
    return eddy_manifest_encode(manifest, &files, ret_manifest, err);
}

/* ---- decode ------------------------------------------------------------------------- */

static int check_file(const char *name, struct eddy_span bytes,
                      const struct eddy_manifest_file *want, struct eddy_err *err)
{
    if (bytes.size != want->size) {
        return eddy_fail(err, EDDY_EFORMAT,
                         "%s: %zu bytes, the manifest says %llu: damaged or of another "
                         "version, copy the snapshot again",
                         name, bytes.size, (unsigned long long)want->size);
    }
    struct eddy_manifest_file is = eddy_manifest_file_of(bytes);
    if (strcmp(is.sha256, want->sha256) != 0) {
        return eddy_fail(
            err, EDDY_EFORMAT,
            "%s: sha256 begins with %.16s, the manifest says %.16s: damaged "
            "or of another version, copy the snapshot again",
            name, is.sha256, want->sha256);
    }
    return 0;
}

static int read_catalog(struct eddy_snapshot *snapshot, struct eddy_span csv,
                        struct eddy_err *err)
{
    int code = eddy_catalog_decode(csv, &snapshot->catalog, err);
    if (code < 0) {
        return code;
    }
    uint32_t count = eddy_catalog_count(snapshot->catalog);
    return count == snapshot->layout.shape.items
               ? 0
               : eddy_fail(err, EDDY_EFORMAT,
                           EDDY_CATALOG_FILE ": %u items, the manifest says %u", count,
                           snapshot->layout.shape.items);
}

static int read_tensors(struct eddy_snapshot *snapshot, struct eddy_span bytes,
                        struct eddy_err *err)
{
    struct eddy_st_tensor tensors[EDDY_TENSORS_MAX + 1];
    struct eddy_safetensors file;
    struct eddy_layout *layout = &snapshot->layout;
    snapshot->params = eddy_params_new(layout);
    snapshot->popularity = calloc(layout->shape.items, sizeof *snapshot->popularity);
    if (!snapshot->params || !snapshot->popularity) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the model");
    }
    uint32_t count =
        list_tensors(layout, snapshot->params, snapshot->popularity, tensors);
    int code = eddy_safetensors_open(bytes, &file, err);
    if (code < 0) {
        return code;
    }
    uint32_t more = 0;
    const struct eddy_head used =
        eddy_head_union(&snapshot->head, &snapshot->stream_head);
    code = eddy_head_read_tensors(&file, &used, layout->shape.items,
                                  layout->shape.hidden, &snapshot->tables, &more, err);
    if (code == 0 && file.count != count + more) {
        code = eddy_fail(err, EDDY_EFORMAT, "%u tensors, shape and head have %u",
                         file.count, count + more);
    }
    for (uint32_t i = 0; code == 0 && i < count; i++) {
        /* list_tensors pointed into the snapshot's own blocks. */
        float *to =
            i + 1 < count
                ? snapshot->params + ((const float *)tensors[i].data - snapshot->params)
                : snapshot->popularity;
        code = eddy_safetensors_read(&file, tensors[i].name, tensors[i].rows,
                                     tensors[i].cols, to, err);
    }
    eddy_safetensors_close(&file);
    return code;
}

static int index_types(struct eddy_snapshot *snapshot, struct eddy_err *err)
{
    const struct eddy_manifest *manifest = &snapshot->manifest;
    if (eddy_map_init(&snapshot->type_index, manifest->shape.types) != 0) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the types");
    }
    for (uint32_t i = 1; i < manifest->shape.types; i++) {
        uint64_t key =
            TYPE_KEY | (uint32_t)eddy_hash64(eddy_span_of(manifest->types[i]));
        if (eddy_map_get(&snapshot->type_index, key) != EDDY_MAP_NONE) {
            return eddy_fail(err, EDDY_EFORMAT,
                             EDDY_MANIFEST_FILE
                             ": type '%s' is there twice, or has the "
                             "hash of another: rename it",
                             manifest->types[i]);
        }
        if (eddy_map_put(&snapshot->type_index, key, i) != 0) {
            return eddy_fail(err, EDDY_ENOMEM, "no memory for the types");
        }
    }
    return 0;
}

/* An item with its popularity, for sorting. */
struct ranked {
    float popularity;
    uint32_t item;
};

static int by_popularity(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->popularity != y->popularity) {
        return x->popularity > y->popularity ? -1 : 1;
    }
    return x->item < y->item ? -1 : 1;
}

static int rank_popular(struct eddy_snapshot *snapshot, struct eddy_err *err)
{
    uint32_t V = snapshot->layout.shape.items, shown = 0;
    float *bias = eddy_global(&snapshot->layout, snapshot->params, EDDY_G_ITEM_BIAS);
    struct ranked *ranked = calloc(V, sizeof *ranked);
    for (uint32_t i = 0; ranked && i < V; i++) {
        if (bias[i] <= EDDY_HIDDEN_BIAS) {
            bias[i] = -INFINITY;
        } else {
            ranked[shown++] = (struct ranked){snapshot->popularity[i], i};
        }
    }
    uint32_t count = shown < EDDY_POPULAR_MAX ? shown : EDDY_POPULAR_MAX;
    snapshot->popular = calloc((size_t)count + 1, sizeof *snapshot->popular);
    if (!ranked || !snapshot->popular) {
        free(ranked);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the popular items");
    }
    qsort(ranked, shown, sizeof *ranked, by_popularity);
    for (uint32_t i = 0; i < count; i++) {
        snapshot->popular[i] = ranked[i].item;
    }
    snapshot->popular_count = count;
    free(ranked);
    return 0;
}

static void destroy(struct eddy_snapshot *snapshot)
{
    eddy_manifest_fini(&snapshot->manifest);
    free(snapshot->params);
    free(snapshot->popularity);
    free(snapshot->popular);
    eddy_catalog_free(snapshot->catalog);
    eddy_context_index_free(snapshot->context);
    eddy_vocabularies_free(&snapshot->vocabularies);
    eddy_tables_fini(&snapshot->tables);
    eddy_hrnn_free(snapshot->hrnn);
    eddy_packed_fini(&snapshot->matrix);
    eddy_map_fini(&snapshot->type_index);
    free(snapshot);
}

static uint32_t size_of(const struct eddy_vocabulary *vocabulary)
{
    return vocabulary ? eddy_vocabulary_size(vocabulary) : 0;
}

/* The vocabularies that the shape's features need. */
static int read_features(struct eddy_snapshot *snapshot, struct eddy_err *err)
{
    const struct eddy_shape *shape = &snapshot->layout.shape;
    const char *json = snapshot->manifest.features_json;
    struct eddy_vocabularies *all = &snapshot->vocabularies;
    int code = json ? eddy_vocabularies_decode(eddy_span_of(json), all, err) : 0;
    if (code < 0) {
        return code;
    }
    if (size_of(all->items) != shape->item_features ||
        size_of(all->users) != shape->user_features ||
        size_of(all->context) != shape->context_features) {
        return eddy_fail(err, EDDY_EFORMAT,
                         "features: %u of items, %u of users and %u of context, the "
                         "shape says %u, %u and %u",
                         size_of(all->items), size_of(all->users),
                         size_of(all->context), shape->item_features,
                         shape->user_features, shape->context_features);
    }
    return all->context ? eddy_context_index_new(all->context, &snapshot->context, err)
                        : 0;
}

static int read_files(struct eddy_snapshot *snapshot,
                      const struct eddy_snapshot_files *files,
                      const struct eddy_kernels *kernels, struct eddy_err *err)
{
    struct eddy_manifest_files want;
    struct eddy_err why = {0};
    int code = eddy_manifest_decode(files->manifest, &snapshot->manifest, &want, err);
    code =
        code ? code : check_file(EDDY_CATALOG_FILE, files->catalog, &want.catalog, err);
    code = code ? code : check_file(EDDY_MODEL_FILE, files->model, &want.model, err);
    code = code ? code
                : eddy_layout_init(&snapshot->layout, &snapshot->manifest.shape, err);
    code = code ? code : read_catalog(snapshot, files->catalog, err);
    code = code ? code : index_types(snapshot, err);
    if (code < 0) {
        return code;
    }
    code = eddy_head_decode(snapshot->manifest.head_json, &snapshot->tables,
                            &snapshot->head, &why);
    code = code ? code
                : eddy_stream_head_decode(snapshot->manifest.stream_json,
                                          &snapshot->stream_head, &why);
    code = code ? code : read_features(snapshot, &why);
    if (code < 0) {
        return eddy_fail(err, code, EDDY_MANIFEST_FILE ": %.200s", why.text);
    }
    code = read_tensors(snapshot, files->model, &why);
    if (code < 0) {
        return eddy_fail(err, code, EDDY_MODEL_FILE ": %.200s", why.text);
    }
    code = rank_popular(snapshot, err);
    if (code < 0) {
        return code;
    }
    snapshot->hrnn = eddy_hrnn_new(&snapshot->layout, snapshot->params, kernels);
    if (snapshot->hrnn && eddy_rank_is_dense(&snapshot->tables, &snapshot->head) &&
        eddy_rank_pack(&snapshot->matrix, &snapshot->layout, snapshot->params,
                       snapshot->layout.shape.items, 0, &snapshot->tables,
                       &snapshot->head) < 0) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the model");
    }
    return snapshot->hrnn ? 0 : eddy_fail(err, EDDY_ENOMEM, "no memory for the model");
}

int eddy_snapshot_decode(const struct eddy_snapshot_files *files,
                         const struct eddy_kernels *kernels, struct eddy_snapshot **ret,
                         struct eddy_err *err)
{
    struct eddy_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the snapshot");
    }
    int code = read_files(snapshot, files, kernels, err);
    if (code < 0) {
        destroy(snapshot);
        return code;
    }
    atomic_store_explicit(&snapshot->references, 1, memory_order_relaxed);
    *ret = snapshot;
    return 0;
}

/* A network needs an item, so it has one that no catalogue entry leads to. */
struct eddy_snapshot *eddy_snapshot_empty(const struct eddy_kernels *kernels)
{
    struct eddy_snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot) {
        return NULL;
    }
    struct eddy_manifest *manifest = &snapshot->manifest;
    manifest->shape =
        (struct eddy_shape){.items = 1, .hidden = 16, .layers = 1, .types = 1};
    manifest->session_gap_s = 1800;
    manifest->recent_events = 100;
    manifest->types[0] = strdup("");
    snapshot->head = eddy_head_plain;
    snapshot->catalog = eddy_catalog_new();
    snapshot->popularity = calloc(1, sizeof *snapshot->popularity);
    bool ok = manifest->types[0] && snapshot->catalog && snapshot->popularity &&
              eddy_layout_init(&snapshot->layout, &manifest->shape, NULL) == 0 &&
              eddy_map_init(&snapshot->type_index, 1) == 0;
    snapshot->params = ok ? eddy_params_new(&snapshot->layout) : NULL;
    if (snapshot->params) {
        snapshot->hrnn = eddy_hrnn_new(&snapshot->layout, snapshot->params, kernels);
    }
    if (!snapshot->hrnn) {
        destroy(snapshot);
        return NULL;
    }
    atomic_store_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

/* ---- references --------------------------------------------------------------------- */

struct eddy_snapshot *eddy_snapshot_acquire(struct eddy_snapshot *snapshot)
{
    /* Relaxed: whoever acquires holds a reference already. */
    uint32_t before =
        atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    EDDY_ASSERT(before > 0);
    return snapshot;
}

void eddy_snapshot_release(struct eddy_snapshot *snapshot)
{
    if (!snapshot) {
        return;
    }
    /* Pairs with itself on the other threads: all their reads happen before the free. */
    uint32_t before =
        atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel);
    EDDY_ASSERT(before > 0);
    if (before == 1) {
        destroy(snapshot);
    }
}

uint16_t eddy_snapshot_type(const struct eddy_snapshot *snapshot, uint32_t type_hash)
{
    uint32_t index = eddy_map_get(&snapshot->type_index, TYPE_KEY | type_hash);
    return index == EDDY_MAP_NONE ? 0 : (uint16_t)index;
}
