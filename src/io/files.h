/* Layer: io.  Files: mapping, atomic writing, snapshots on disk. */
#ifndef EDDY_IO_FILES_H
#define EDDY_IO_FILES_H

#include "base/buf.h"
#include "core/snapshot.h"

/* Whole file read-only in memory (mmap; a pipe or "-" is read to its end; *.zst is not
 * unpacked). EDDY_EIO names path and reason. */
struct eddy_file {
    struct eddy_span bytes;
    void *map;  /* to unmap, or NULL */
    char *heap; /* to free, or NULL */
    size_t map_size;
};
int eddy_file_open(const char *path, struct eddy_file *ret, struct eddy_err *err);
void eddy_file_close(struct eddy_file *file);

enum { EDDY_PATH_SIZE = 4096 };

/* What a write to path is about: the file that a link names, or path itself. in place: it
 * is a pipe or a device, to be written to as it stands; a file renamed over it would take
 * it away from everybody (/dev/null, as root). */
int eddy_file_target(const char *path, char ret[EDDY_PATH_SIZE], bool *ret_in_place,
                     struct eddy_err *err);
/* Whether one of count paths is the same file as path: an answer would take the place of the
 * question. NULL among them is none; pipes and devices never are. */
bool eddy_file_among(const char *path, const char *const *paths, size_t count);
/* Write beside, fsync, rename, fsync the folder: a reader sees the old or the new file.
 * Pipes and devices are written to in place. */
int eddy_file_write(const char *path, struct eddy_span bytes, struct eddy_err *err);
/* The same of parts, one after the other. */
int eddy_file_write_parts(const char *path, const struct eddy_span *parts,
                          uint32_t count, struct eddy_err *err);

/* Whether eddy_file_write would find its place, before long work whose result it holds: the
 * folder is there and can be written, and no folder has the name. EDDY_EIO. */
int eddy_file_place_check(const char *path, struct eddy_err *err);

/* mkdir -p. */
int eddy_make_folder(const char *path, struct eddy_err *err);
/* Rename a model's folder to another place of the same file system; a model that stands
 * there is removed afterwards, so that a reader finds the old or the new one (for a moment:
 * none). EDDY_EIO for anything else that stands there: it is kept. */
int eddy_move_folder(const char *from, const char *to, struct eddy_err *err);
/* Remove a folder and all in it. Refuses "/" and "". */
int eddy_remove_folder(const char *path, struct eddy_err *err);

/* Read DIR/{model.safetensors,catalog.csv,manifest.json} and decode. EDDY_ENOMODEL when the
 * folder is not there, EDDY_EFORMAT when damaged. */
int eddy_snapshot_open(const char *folder, const struct eddy_kernels *kernels,
                       struct eddy_snapshot **ret, struct eddy_err *err);
/* Write DIR beside and rename it into place. Replaces an older model or an empty folder;
 * EDDY_EIO for anything else that stands there: it is kept. */
int eddy_snapshot_save(const char *folder, struct eddy_span model,
                       struct eddy_span catalog, struct eddy_span manifest,
                       struct eddy_err *err);
/* Whether the above would find its place, before a day is spent on training: nothing else
 * stands there, and the folder around it can be written (it is made). EDDY_EIO. */
int eddy_snapshot_place_check(const char *folder, struct eddy_err *err);

#endif
