/* Layer: core.  A snapshot: everything a worker needs to step, score and name items; never
 * changed after it was opened, shared by reference count.
 *
 * On disk a directory:
 *   model.safetensors  tensors of core/params.h (F32), and "popularity" (V): share of users
 *                      who have the item, for the default list. Readable with Python's
 *                      safetensors.
 *   catalog.csv        ITEM_ID and the metadata columns, in index order
 *   manifest.json      format 1, version, recipe, shape, types, session_gap_s,
 *                      recent_events, hyper-parameters, data {sha256, events, users,
 *                      items}, metrics, seed, created, files {name: {sha256, size}}
 * version: the first 16 hex digits of the sha256 over the other files' sha256 in name
 * order and the canonical hyper-parameters: equal training gives an equal version.
 * This module works on bytes; io/files reads, writes and renames. */
#ifndef EDDY_CORE_SNAPSHOT_H
#define EDDY_CORE_SNAPSHOT_H

#include "base/hash.h"
#include "core/catalog.h"
#include "core/event.h"
#include "core/hrnn.h"

enum { EDDY_RECENT_MAX = 200 };

/* All that a manifest says. Texts are owned by the struct's holder (malloc). */
struct eddy_manifest {
    char version[EDDY_SNAPSHOT_ID_SIZE];
    char recipe[64];
    struct eddy_shape shape;
    uint32_t session_gap_s; /* default 1800 */
    uint32_t recent_events; /* ring length in states, 1..EDDY_RECENT_MAX; default 100 */
    char *types[EDDY_TYPES_MAX]; /* [0] is "" (unknown); shape.types entries */
    char *hyper_json;   /* canonical JSON object of hyper-parameters, owned */
    char *data_json;    /* JSON object describing the data, owned */
    char *metrics_json; /* JSON object of training metrics, owned */
    uint64_t seed;
};
void eddy_manifest_fini(struct eddy_manifest *manifest);

struct eddy_snapshot {
    struct eddy_manifest manifest;
    struct eddy_layout layout;
    float *params;     /* the block, also after packing (tools, evaluation) */
    float *popularity; /* (V) */
    struct eddy_catalog *catalog;
    struct eddy_hrnn *hrnn;
    struct eddy_map type_index; /* type_hash -> index */
    _Atomic uint32_t references;
};

/* The three files as bytes. files in: model, catalog, manifest. Checks sizes and sha256
 * first: EDDY_EFORMAT says which file is damaged or what does not fit. On success *ret has
 * one reference. Thread: any. */
struct eddy_snapshot_files {
    struct eddy_span model, catalog, manifest;
};
int eddy_snapshot_decode(const struct eddy_snapshot_files *files,
                         const struct eddy_kernels *kernels, struct eddy_snapshot **ret,
                         struct eddy_err *err);

/* The three files of a model; fills manifest->version. */
int eddy_snapshot_encode(struct eddy_manifest *manifest, const struct eddy_layout *layout,
                         const float *params, const float *popularity,
                         const struct eddy_catalog *catalog, struct eddy_buf *ret_model,
                         struct eddy_buf *ret_catalog, struct eddy_buf *ret_manifest,
                         struct eddy_err *err);

struct eddy_snapshot *eddy_snapshot_acquire(struct eddy_snapshot *snapshot);
void eddy_snapshot_release(struct eddy_snapshot *snapshot); /* frees the last */

/* Type index of a type hash, 0 when unknown. */
uint16_t eddy_snapshot_type(const struct eddy_snapshot *snapshot, uint32_t type_hash);

#endif
