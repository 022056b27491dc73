/* The three files of a snapshot, each for itself (checksums would keep a fuzzer out), and
 * the bytes as manifest beside two good files. The first byte chooses. */
#include <stdio.h>

#include "core/manifest.h"
#include "core/safetensors.h"
#include "fuzz.h"
#include "tiny_model.h"

static void read_tensors(struct eddy_span bytes)
{
    struct eddy_safetensors file;
    float values[64];
    if (eddy_safetensors_open(bytes, &file, NULL) == 0) {
        (void)eddy_safetensors_read(&file, "t", 4, 16, values, NULL);
        (void)eddy_safetensors_read(&file, "u", 1, 3, values, NULL);
        eddy_safetensors_close(&file);
    }
}

/* What is taken is written and taken again. */
static void read_catalog(struct eddy_span bytes)
{
    struct eddy_catalog *catalog, *again;
    struct eddy_buf out;
    if (eddy_catalog_decode(bytes, &catalog, NULL) < 0) {
        return;
    }
    eddy_buf_init(&out, 0);
    eddy_catalog_encode(catalog, &out);
    HOLDS(eddy_catalog_decode(eddy_buf_span(&out), &again, NULL) == 0);
    HOLDS(eddy_catalog_count(catalog) == eddy_catalog_count(again));
    for (uint32_t i = 0; i < eddy_catalog_count(catalog); i++) {
        HOLDS(eddy_span_eq(eddy_catalog_id(catalog, i), eddy_catalog_id(again, i)));
        HOLDS(
            eddy_span_eq(eddy_catalog_title(catalog, i), eddy_catalog_title(again, i)));
    }
    eddy_catalog_free(again);
    eddy_catalog_free(catalog);
    eddy_buf_fini(&out);
}

static void read_manifest(struct eddy_span bytes)
{
    struct eddy_manifest manifest;
    struct eddy_manifest_files files;
    struct eddy_buf out;
    if (eddy_manifest_decode(bytes, &manifest, &files, NULL) < 0) {
        return;
    }
    char version[EDDY_SNAPSHOT_ID_SIZE];
    memcpy(version, manifest.version, sizeof version);
    eddy_buf_init(&out, 0);
    HOLDS(eddy_manifest_encode(&manifest, &files, &out, NULL) == 0);
    HOLDS(strcmp(version, manifest.version) == 0);
    eddy_buf_fini(&out);
    eddy_manifest_fini(&manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct tiny_files good;
    if (!good.model.size) {
        HOLDS(tiny_encode(&tiny_default, &good, NULL) == 0);
    }
    if (size == 0) {
        return 0;
    }
    struct eddy_span rest = {(const char *)bytes + 1, size - 1};
    struct eddy_snapshot_files files = {eddy_buf_span(&good.model),
                                        eddy_buf_span(&good.catalog), rest};
    struct eddy_snapshot *snapshot = NULL;
    struct eddy_err err = {0};
    switch (bytes[0] % 4) {
    case 0: read_tensors(rest); break;
    case 1: read_catalog(rest); break;
    case 2: read_manifest(rest); break;
    default:
        if (eddy_snapshot_decode(&files, eddy_kernels_get(), &snapshot, &err) < 0) {
            HOLDS(err.text[0] != '\0' && snapshot == NULL);
        }
        eddy_snapshot_release(snapshot);
        break;
    }
    return 0;
}
