/* A disk that is full: for a while no file of this process grows beyond some bytes, so that
 * a longer write stops in its middle, as on a full disk, with EFBIG for ENOSPC. */
#ifndef EDDY_TESTS_FULL_DISK_H
#define EDDY_TESTS_FULL_DISK_H

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"

struct full_disk {
    struct rlimit before;
    void (*handler)(int);
};

static inline void full_disk_begin(struct full_disk *disk, rlim_t bytes)
{
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &disk->before), 0);
    struct rlimit small = {bytes, disk->before.rlim_max};
    disk->handler = signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
}

static inline void full_disk_end(const struct full_disk *disk)
{
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &disk->before), 0);
    CHECK(signal(SIGXFSZ, disk->handler) == SIG_IGN);
}

/* How many files a folder has, hidden ones included. */
static inline int full_disk_count(const char *folder)
{
    DIR *open = opendir(folder);
    int count = 0;
    for (struct dirent *entry; open && (entry = readdir(open)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    return open == NULL || closedir(open) != 0 ? -1 : count;
}

#endif
