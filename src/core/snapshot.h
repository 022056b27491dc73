/* Layer: core.  A snapshot: everything a worker needs to step, score and name items; never
 * changed after it was opened, shared by reference count.
 *
 * On disk a directory:
 *   model.safetensors  tensors of core/params.h (F32), and "popularity" (V): share of users
 *                      who have the item, for the default list. Readable with Python's
 *                      safetensors.
 *   catalog.csv        ITEM_ID and the metadata columns, in index order
 *   manifest.json      format 1, version, recipe, shape, types, session_gap_s,
 *                      recent_events, hyper_parameters, data {sha256, events, users,
 *                      items}, metrics, seed, created, files {name: {sha256, size}}
 * version: the first 16 hex digits of the sha256 over the other files' sha256 in name
 * order, a newline behind each, and the canonical JSON (sorted keys, no blanks) of all that
 * decides a step: {hyper_parameters, recent_events, recipe, session_gap_s, shape, types}
 * and, where there is metadata in the network, features, the head that is not plain
 * and the stream head.
 * Equal training gives an equal version, and no such number can be changed by hand
 * without being seen.
 * This module works on bytes; io/files reads, writes and renames. */
#ifndef EDDY_CORE_SNAPSHOT_H
#define EDDY_CORE_SNAPSHOT_H

#include "base/hash.h"
#include "core/catalog.h"
#include "core/context_index.h"
#include "core/event.h"
#include "core/head.h"
#include "core/hrnn.h"
#include "core/live.h"

enum { EDDY_RECENT_MAX = 200, EDDY_POPULAR_MAX = 500 };

#define EDDY_MODEL_FILE    "model.safetensors"
#define EDDY_CATALOG_FILE  "catalog.csv"
#define EDDY_MANIFEST_FILE "manifest.json"

/* All that a manifest says. Texts are owned by the struct's holder (malloc). JSON texts may
 * be NULL when encoding: {}. */
struct eddy_manifest {
    char version[EDDY_SNAPSHOT_ID_SIZE];
    char recipe[64];
    struct eddy_shape shape;
    uint32_t session_gap_s; /* default 1800 */
    uint32_t recent_events; /* ring length in states, 1..EDDY_RECENT_MAX; default 100 */
    char *types[EDDY_TYPES_MAX]; /* [0] is "" (unknown); shape.types entries */
    char *hyper_json;            /* canonical JSON object of hyper-parameters, owned */
    char *data_json;             /* JSON object describing the data, owned */
    char *metrics_json;          /* JSON object of training metrics, owned */
    char *features_json; /* {"items": vocabulary, "users": vocabulary} as there are
                            (core/features.h), owned; NULL: no metadata */
    char
        *head_json; /* weights of a head that is not plain (core/head_store.h), owned */
    char *stream_json; /* likewise of the stream head, owned */
    uint64_t seed;
    int64_t created_s; /* Unix seconds, given by the caller; not part of the version */
};
/* Frees the texts. Thread: the holder's. */
void eddy_manifest_fini(struct eddy_manifest *manifest);
/* A hyper-parameter that is a text, cut where ret ends; "": it is not there, or no text. */
void eddy_manifest_hyper(const struct eddy_manifest *manifest, const char *name,
                         char ret[24]);

/* An item_bias of this or less in the file hides the item: no list holds it. In memory it
 * is -infinity. */
#define EDDY_HIDDEN_BIAS (-1e30f)

struct eddy_snapshot {
    struct eddy_manifest manifest;
    struct eddy_layout layout;
    float *params;     /* the block, also after packing (tools, evaluation) */
    float *popularity; /* (V), finite, >= 0 */
    struct eddy_tables tables;
    struct eddy_head head; /* eddy_head_plain: the network alone */
    struct eddy_stream_head stream_head;
    uint32_t *popular; /* the min(V, EDDY_POPULAR_MAX) most popular items, best first */
    uint32_t popular_count;
    struct eddy_catalog *catalog;
    struct eddy_vocabularies vocabularies; /* NULL: no metadata, no context */
    struct eddy_context_index *context;    /* NULL: none in the network */
    struct eddy_hrnn *hrnn;
    struct eddy_packed
        matrix; /* of a head with a dense part (core/rank.h), else empty */
    struct eddy_map type_index; /* type_hash -> index */
    _Atomic uint32_t references;
};

struct eddy_snapshot_files {
    struct eddy_span model, catalog, manifest;
};
/* The three files as bytes, borrowed for the call. Checks sizes and sha256 first:
 * EDDY_EFORMAT says which file is damaged or what does not fit. On success *ret has one
 * reference. Thread: any. */
int eddy_snapshot_decode(const struct eddy_snapshot_files *files,
                         const struct eddy_kernels *kernels, struct eddy_snapshot **ret,
                         struct eddy_err *err);

/* All that a model consists of besides its manifest, borrowed. */
struct eddy_snapshot_parts {
    const struct eddy_layout *layout;
    const float *params;
    const float *popularity; /* (V) */
    const struct eddy_catalog *catalog;
    const struct eddy_tables *tables;           /* NULL: none */
    const struct eddy_head *head;               /* NULL: plain */
    const struct eddy_stream_head *stream_head; /* NULL: none */
};
/* The three files of a model; fills manifest->version, manifest->shape from the layout, and
 * manifest->head_json and stream_json. EDDY_ECONFIG: a number out of range, or tables that do not fit each
 * other; EDDY_EFORMAT: one of the JSON texts is no object; EDDY_EFATAL: NaN or infinity in
 * a tensor. */
int eddy_snapshot_encode(struct eddy_manifest *manifest,
                         const struct eddy_snapshot_parts *parts,
                         struct eddy_buf *ret_model, struct eddy_buf *ret_catalog,
                         struct eddy_buf *ret_manifest, struct eddy_err *err);

/* The snapshot of a deployment that has no model yet: version "", no items, so that events
 * are remembered by their hashes and nothing is stepped, scored or listed. One reference.
 * NULL: memory. */
struct eddy_snapshot *eddy_snapshot_empty(const struct eddy_kernels *kernels);

/* One more reference, and one less: the last release frees. Thread: any. */
struct eddy_snapshot *eddy_snapshot_acquire(struct eddy_snapshot *snapshot);
void eddy_snapshot_release(struct eddy_snapshot *snapshot); /* NULL is fine */

/* Type index of a type hash, 0 when unknown. */
uint16_t eddy_snapshot_type(const struct eddy_snapshot *snapshot, uint32_t type_hash);

#endif
