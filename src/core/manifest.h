/* Layer: core.  manifest.json of a snapshot: text <-> struct eddy_manifest. For
 * core/snapshot.c; others use core/snapshot.h. */
#ifndef EDDY_CORE_MANIFEST_H
#define EDDY_CORE_MANIFEST_H

#include "core/snapshot.h"

/* What the manifest says about a file. */
struct eddy_manifest_file {
    char sha256[65];
    uint64_t size;
};
struct eddy_manifest_files {
    struct eddy_manifest_file catalog, model;
};

/* sha256 and size of bytes. */
struct eddy_manifest_file eddy_manifest_file_of(struct eddy_span bytes);

/* Fill manifest->version and append the JSON. EDDY_ECONFIG, EDDY_EFORMAT, EDDY_ENOMEM. */
int eddy_manifest_encode(struct eddy_manifest *manifest,
                         const struct eddy_manifest_files *files, struct eddy_buf *out,
                         struct eddy_err *err);

/* Parse and check all of it, the version included. EDDY_EFORMAT. *ret is owned:
 * eddy_manifest_fini. */
int eddy_manifest_decode(struct eddy_span json, struct eddy_manifest *ret,
                         struct eddy_manifest_files *ret_files, struct eddy_err *err);

#endif
