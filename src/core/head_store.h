/* Layer: core.  The stored form of head and tables, for core/snapshot.c.
 *
 * Weights are the object "head" of manifest.json (left out when the head is plain; arrays
 * over features end before `shown` when no bucket uses that), tables
 * are tensors of model.safetensors, only those that some bucket uses:
 *   related.begin (V + 1, U64), .index (U32), .weight (F32); rules.* likewise
 *   sessions.begin (U64), .entries (U32), .age (F32)
 *   prior.<h> (V, F32)
 *   cold.items (rising, U32), cold.place (spread, shift, then the H of level, F32): where the
 *   network's scores of items without events are changed, with any head
 * The stream head is the object "stream" (left out when there is none); of tables it uses
 * related and sessions. */
#ifndef EDDY_CORE_HEAD_STORE_H
#define EDDY_CORE_HEAD_STORE_H

#include "core/live.h"
#include "core/safetensors.h"

enum { EDDY_HEAD_TENSORS_MAX = 3 + 3 + 3 + EDDY_HALF_LIVES_MAX + 2 };

/* Fill ret (room for EDDY_HEAD_TENSORS_MAX) with what is to be written, count returned;
 * hidden: H of the network;
 * names are constants, data is borrowed. tables may be NULL. */
uint32_t eddy_head_tensors(const struct eddy_tables *tables,
                           const struct eddy_head *head, uint32_t hidden,
                           struct eddy_st_tensor *ret);
/* Read what the head uses, for a network of this width; *ret_count tensors. Everything is
 * checked: EDDY_EFORMAT. */
int eddy_head_read_tensors(const struct eddy_safetensors *file,
                           const struct eddy_head *head, uint32_t items,
                           uint32_t hidden, struct eddy_tables *tables,
                           uint32_t *ret_count, struct eddy_err *err);

/* *ret: a JSON object, free(); NULL for a plain head. tables gives the half-lives, may be
 * NULL. EDDY_ECONFIG: a weight that is no number, a feature whose table is not there. */
int eddy_head_encode(const struct eddy_tables *tables, const struct eddy_head *head,
                     char **ret, struct eddy_err *err);
/* json NULL: the plain head. Sets tables->priors and half_life_s, too. EDDY_EFORMAT. */
int eddy_head_decode(const char *json, struct eddy_tables *tables,
                     struct eddy_head *ret, struct eddy_err *err);

/* The same for the stream head: NULL without one. */
int eddy_stream_head_encode(const struct eddy_tables *tables,
                            const struct eddy_stream_head *stream, char **ret,
                            struct eddy_err *err);
int eddy_stream_head_decode(const char *json, struct eddy_stream_head *ret,
                            struct eddy_err *err);
/* A head that uses the tables that either uses; stream may be NULL. */
struct eddy_head eddy_head_union(const struct eddy_head *head,
                                 const struct eddy_stream_head *stream);

#endif
