/* Out of memory at every allocation of the data modules: refused with EDDY_ENOMEM, nothing
 * leaked (asan), nothing half done. */
#include "core/interactions.h"
#include "io/files.h"
#include "io/json_simd.h"
#include "io/registry.h"
#include "tiny_model.h"
#include "torture.h"

static struct eddy_err err;
static struct tiny_files files;
static struct tiny small = {
    3, 16, 1, EDDY_CELL_MINGRU, EDDY_MODE_FLAT, 1800, 5, 1, NULL, true, false};
static struct eddy_snapshot *snapshot;

static bool catalogue_is_read(void)
{
    struct eddy_catalog *catalog = NULL;
    struct eddy_span csv = eddy_span_of("TITLE,ITEM_ID,\"x\"\nA,i,\"q\"\"\"\nB,j,\n");
    bool good = torture_made(eddy_catalog_decode(csv, &catalog, &err));
    CHECK(good == (catalog != NULL));
    eddy_catalog_free(catalog);
    return good;
}

static bool catalogue_grows(void)
{
    struct eddy_catalog *catalog = eddy_catalog_new();
    bool good = catalog != NULL;
    for (uint32_t i = 0; good && i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", i);
        good = eddy_catalog_add(catalog, eddy_span_of(id)) == i;
        CHECK_INT(eddy_catalog_count(catalog), good ? i + 1 : i); /* not half there */
        if (good && i % 50 == 0) {
            good = eddy_catalog_add_column(catalog, eddy_span_of(id)) == i / 50;
        }
    }
    eddy_catalog_free(catalog);
    return good;
}

static struct eddy_buf interactions; /* 1100 rows, made by main */

static bool interactions_are_read(void)
{
    struct eddy_interactions data;
    struct eddy_interactions_options options = {.items = snapshot->catalog};
    bool good = torture_made(eddy_interactions_parse(eddy_buf_span(&interactions), "f",
                                                     &options, &data, &err));
    if (good) {
        CHECK_INT(data.count, 1100);
        eddy_interactions_fini(&data);
    }
    return good;
}

static bool snapshot_is_opened(void)
{
    struct eddy_snapshot *opened = NULL;
    struct eddy_snapshot_files bytes = tiny_bytes(&files);
    bool good =
        torture_made(eddy_snapshot_decode(&bytes, eddy_kernels_get(), &opened, &err));
    CHECK(good == (opened != NULL));
    eddy_snapshot_release(opened);
    return good;
}

static bool snapshot_is_written(void)
{
    struct tiny_files out;
    bool good =
        torture_made(tiny_encode_again(snapshot, &snapshot->head, NULL, &out, &err));
    if (good) {
        CHECK(eddy_span_eq(eddy_buf_span(&out.model), eddy_buf_span(&files.model)));
    }
    tiny_files_fini(&out);
    return good;
}

static bool registry_is_made(void)
{
    struct eddy_registry *registry = eddy_registry_new("/nowhere", eddy_kernels_get());
    bool good = registry && torture_made(eddy_registry_put(registry, snapshot));
    CHECK_INT(snapshot->references, good ? 2 : 1);
    eddy_registry_free(registry);
    return good;
}

static bool stream_is_read(void)
{
    struct eddy_file file = {0};
    bool good = torture_made(eddy_file_open("/proc/self/status", &file, &err));
    eddy_file_close(&file);
    return good;
}

static bool json_record_fits_the_arena(void)
{
    static const char text[] =
        "{\"user\":\"u\",\"item\":\"i\",\"ts\":1600000000000,\"impression\":[\"a\",\"b\"]}";
    struct eddy_arena *arena = eddy_arena_new(16, 1 << 12);
    struct eddy_json *json = arena ? eddy_json_new() : NULL;
    struct eddy_event event;
    bool good = json && torture_made(eddy_json_event_decode(json, eddy_span_of(text),
                                                            arena, &event, &err));
    eddy_json_free(json);
    eddy_arena_free(arena);
    return good;
}

static void whatever_is_made_can_be_refused(void)
{
    TORTURE(catalogue_is_read);
    TORTURE(catalogue_grows);
    TORTURE(interactions_are_read);
    TORTURE(snapshot_is_opened);
    TORTURE(snapshot_is_written);
    TORTURE(registry_is_made);
    TORTURE(stream_is_read);
    TORTURE(json_record_fits_the_arena);
}

int main(void)
{
    if (tiny_encode(&small, &files, &err) < 0 || !(snapshot = tiny_open(&small))) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    eddy_buf_puts(&interactions, "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n");
    for (int i = 0; i < 1100; i++) {
        eddy_buf_printf(&interactions, "u%d,\"i\"\"%d\",%d,t%d\n", i % 70, i % 90,
                        5000 - i, i % 3);
    }
    RUN(whatever_is_made_can_be_refused);
    eddy_snapshot_release(snapshot);
    tiny_files_fini(&files);
    eddy_buf_fini(&interactions);
    return check_done();
}
