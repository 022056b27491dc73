/* Layer: io.  Canonical events as JSON, read with simdjson behind a C interface (25 times
 * cheaper per event than an object-tree parser). */
#ifndef EDDY_IO_JSON_SIMD_H
#define EDDY_IO_JSON_SIMD_H

#include "core/event.h"

#ifdef __cplusplus
extern "C" {
#endif

struct eddy_json; /* parser with its padded buffer; one thread's */

/* NULL: memory. Owned: eddy_json_free. */
struct eddy_json *eddy_json_new(void);
/* NULL is fine. */
void eddy_json_free(struct eddy_json *json);

/* Same fields, same checks, same results as eddy_event_decode. Strings are arena memory.
 * Duplicate keys, wrong types, trailing garbage, nesting deeper than 32: EDDY_EBADEVENT. */
int eddy_json_event_decode(struct eddy_json *json, struct eddy_span bytes,
                           struct eddy_arena *arena, struct eddy_event *ret,
                           struct eddy_err *err);

#ifdef __cplusplus
}
#endif

#endif
