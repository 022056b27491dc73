/* Snapshots by version. The registry keeps one reference of each, callers get their own.
 * All partitions of a process stand on one or two versions (before and after a deploy), so
 * a list is searched; a third one closes those that only the registry still holds.
 *
 * The lock is held while files are read: a second worker that wants the same version waits
 * for the first one instead of reading it again. */
#include "io/registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEEP = 2 };

struct entry {
    struct entry *next;
    struct eddy_snapshot *snapshot;
};

struct eddy_registry {
    pthread_mutex_t lock;
    char *folder;
    const struct eddy_kernels *kernels;
    struct entry *entries;
    uint32_t count;
};

struct eddy_registry *eddy_registry_new(const char *folder,
                                        const struct eddy_kernels *kernels)
{
    struct eddy_registry *registry = calloc(1, sizeof *registry);
    if (!registry) {
        return NULL;
    }
    registry->folder = strdup(folder);
    registry->kernels = kernels;
    if (!registry->folder || pthread_mutex_init(&registry->lock, NULL) != 0) {
        free(registry->folder);
        free(registry);
        return NULL;
    }
    return registry;
}

void eddy_registry_free(struct eddy_registry *registry)
{
    if (!registry) {
        return;
    }
    while (registry->entries) {
        struct entry *entry = registry->entries;
        registry->entries = entry->next;
        eddy_snapshot_release(entry->snapshot);
        free(entry);
    }
    (void)pthread_mutex_destroy(&registry->lock);
    free(registry->folder);
    free(registry);
}

static struct eddy_snapshot *find(struct eddy_registry *registry, const char *version)
{
    for (struct entry *entry = registry->entries; entry; entry = entry->next) {
        if (strcmp(entry->snapshot->manifest.version, version) == 0) {
            return entry->snapshot;
        }
    }
    return NULL;
}

/* Close what only the registry holds. Its count cannot rise meanwhile: a new reference is
 * given out under the lock, or copied by a holder, and there is none. */
static void close_unused(struct eddy_registry *registry)
{
    struct entry **at = &registry->entries;
    while (*at) {
        struct entry *entry = *at;
        if (atomic_load_explicit(&entry->snapshot->references, memory_order_acquire) >
            1) {
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        eddy_snapshot_release(entry->snapshot);
        free(entry);
        registry->count--;
    }
}

/* Takes over the caller's reference on success. */
static int insert(struct eddy_registry *registry, struct eddy_snapshot *snapshot)
{
    struct entry *entry = malloc(sizeof *entry);
    if (!entry) {
        return EDDY_ENOMEM;
    }
    if (registry->count >= KEEP) {
        close_unused(registry);
    }
    *entry = (struct entry){registry->entries, snapshot};
    registry->entries = entry;
    registry->count++;
    return 0;
}

/* 16 hex digits: nothing that leaves the folder. */
static bool is_version(const char *version)
{
    return strlen(version) == EDDY_SNAPSHOT_ID_SIZE - 1 &&
           strspn(version, "0123456789abcdef") == EDDY_SNAPSHOT_ID_SIZE - 1;
}

static int open_version(struct eddy_registry *registry, const char *version,
                        struct eddy_snapshot **ret, struct eddy_err *err)
{
    char path[4096];
    struct eddy_snapshot *snapshot;
    int size = snprintf(path, sizeof path, "%s/%s", registry->folder, version);
    if (!is_version(version) || size < 0 || (size_t)size >= sizeof path) {
        return eddy_fail(err, EDDY_EFORMAT, "'%.40s' is no snapshot version", version);
    }
    int code = eddy_snapshot_open(path, registry->kernels, &snapshot, err);
    if (code < 0) {
        return code;
    }
    if (strcmp(snapshot->manifest.version, version) != 0) {
        code = eddy_fail(err, EDDY_EFORMAT, "snapshot %.120s: its version is %s", path,
                         snapshot->manifest.version);
    } else if (insert(registry, snapshot) != 0) {
        code = eddy_fail(err, EDDY_ENOMEM, "no memory for snapshot %s", version);
    }
    if (code < 0) {
        eddy_snapshot_release(snapshot);
        return code;
    }
    *ret = snapshot;
    return 0;
}

int eddy_registry_get(struct eddy_registry *registry, const char *version,
                      struct eddy_snapshot **ret, struct eddy_err *err)
{
    (void)pthread_mutex_lock(&registry->lock);
    struct eddy_snapshot *snapshot = find(registry, version);
    int code = snapshot ? 0 : open_version(registry, version, &snapshot, err);
    if (code == 0) {
        *ret = eddy_snapshot_acquire(snapshot);
    }
    (void)pthread_mutex_unlock(&registry->lock);
    return code;
}

int eddy_registry_put(struct eddy_registry *registry, struct eddy_snapshot *snapshot)
{
    (void)pthread_mutex_lock(&registry->lock);
    int code = 0;
    if (!find(registry, snapshot->manifest.version)) {
        code = insert(registry, snapshot);
        if (code == 0) {
            (void)eddy_snapshot_acquire(snapshot);
        }
    }
    (void)pthread_mutex_unlock(&registry->lock);
    return code;
}
