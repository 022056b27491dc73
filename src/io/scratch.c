#include "io/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file that has no name any more, or -1. */
static int open_nameless(const char *folder, struct eddy_err *err)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/eddy-scratch-XXXXXX", folder) >=
        (int)sizeof path) {
        eddy_fail(err, EDDY_EIO, "%s: the path is too long", folder);
        return -1;
    }
    int fd = mkstemp(path);
    if (fd < 0) {
        eddy_fail(err, EDDY_EIO, "%s: no scratch file can be made: %s", folder,
                  strerror(errno));
        return -1;
    }
    if (unlink(path) != 0) {
        eddy_fail(err, EDDY_EIO, "%s: %s", path, strerror(errno));
        (void)close(fd); /* unused */
        return -1;
    }
    return fd;
}

static void *map_file(void *context, size_t bytes, struct eddy_err *err)
{
    const char *folder = context;
    void *memory = MAP_FAILED;
    int fd = open_nameless(folder, err);
    if (fd < 0)
        return NULL;
    int trouble = bytes > INT64_MAX ? EFBIG : posix_fallocate(fd, 0, (off_t)bytes);
    if (trouble == 0) {
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        trouble = memory == MAP_FAILED ? errno : 0;
    }
    (void)close(fd); /* the mapping keeps the file */
    if (trouble != 0) {
        eddy_fail(err, EDDY_EIO, "%s: no room for %.1f MB of scratch data: %s", folder,
                  (double)bytes / 1e6, strerror(trouble));
        return NULL;
    }
    return memory;
}

static void unmap_file(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)munmap(memory, bytes); /* of a mapping that exists: cannot fail */
}

int eddy_scratch_init(struct eddy_spill *ret, const char *folder, size_t threshold,
                      struct eddy_err *err)
{
    int fd = open_nameless(folder, err);
    if (fd < 0)
        return EDDY_EIO;
    (void)close(fd); /* only to see that it can be done */
    *ret = (struct eddy_spill){.threshold = threshold,
                               .map = map_file,
                               .unmap = unmap_file,
                               .context = (void *)(uintptr_t)folder};
    return 0;
}
