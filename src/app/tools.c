#include "app/tools.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "core/kernel.h"
#include "engine/meta.h"
#include "io/store_redis.h"

struct eddy_store *eddy_tool_store(const struct eddy_config *config, const char *tool,
                                   struct eddy_err *err)
{
    char owner[96];
    (void)snprintf(owner, sizeof owner, "eddy-%s:%ld", tool, (long)getpid());
    struct eddy_store *store =
        eddy_store_redis_open(&config->redis, config->group, owner, NULL);
    if (!store)
        (void)eddy_fail(err, EDDY_ENOMEM, "out of memory");
    return store;
}

int eddy_tool_partitions(struct eddy_store *store, uint32_t *ret_count,
                         struct eddy_err *err)
{
    struct eddy_meta meta;
    bool found = false;
    int r = eddy_meta_read(store, &meta, &found, err);
    if (r < 0)
        return r;
    if (!found)
        return eddy_fail(
            err, EDDY_ECONFIG,
            "%s:meta does not exist in Redis: nothing has run in the group \"%s\" yet; "
            "is `group` right, is this the right Redis database?",
            store->prefix, store->prefix);
    *ret_count = meta.partitions;
    return 0;
}

struct eddy_snapshot *eddy_tool_snapshot(const struct eddy_config *config,
                                         const char *version, struct eddy_err *err)
{
    char path[4096];
    struct eddy_snapshot *snapshot = NULL;
    if (!version[0]) {
        (void)eddy_fail(err, EDDY_ENOMODEL, "no snapshot yet");
        return NULL;
    }
    if ((size_t)snprintf(path, sizeof path, "%s/%s", config->model.folder, version) >=
        sizeof path) {
        (void)eddy_fail(err, EDDY_ECONFIG, "model.folder is too long");
        return NULL;
    }
    if (eddy_snapshot_open(path, eddy_kernels_get(), &snapshot, err) < 0)
        return NULL;
    return snapshot;
}

const char *eddy_tool_time(int64_t unix_s, char out[32])
{
    struct tm tm;
    time_t t = (time_t)unix_s;
    if (unix_s < 0 || !gmtime_r(&t, &tm) ||
        strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(out, 32, "-");
    return out;
}

void eddy_tool_print_text(FILE *file, struct eddy_span text, size_t width)
{
    size_t size = text.size < width ? text.size : width;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        (void)fputc(c < 0x20 || c == 0x7f ? '.' : c, file);
    }
    if (size < text.size)
        (void)fputs("...", file);
}

const char *eddy_tool_type_name(const struct eddy_snapshot *snapshot,
                                uint32_t type_hash)
{
    uint16_t type = snapshot ? eddy_snapshot_type(snapshot, type_hash) : 0;
    return type ? snapshot->manifest.types[type] : "?";
}
