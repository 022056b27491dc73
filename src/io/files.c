/* Files. Reading maps (a CSV of gigabytes costs no copy); writing goes beside and is
 * renamed into place after fsync of the file, and the folder is synced after the rename, so
 * that neither a crash nor a power cut shows half a file (the order that PostgreSQL's
 * durable_rename and SQLite use). */
#define _XOPEN_SOURCE 700 /* nftw */
#include "io/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = EDDY_PATH_SIZE, READ_SIZE = 1 << 16, NFTW_FDS = 16 };

static int io_error(struct eddy_err *err, const char *what, const char *path)
{
    char reason[96];
    /* strerror_r in its POSIX form: 0 or an error number, always terminated. */
    if (strerror_r(errno, reason, sizeof reason) != 0) {
        (void)snprintf(reason, sizeof reason, "error %d", errno);
    }
    return eddy_fail(err, EDDY_EIO, "%s %.120s: %s", what, path, reason);
}

/* DIR/NAME or PATH + SUFFIX into room of PATH_SIZE. */
static int join(char *ret, const char *a, const char *between, const char *b,
                struct eddy_err *err)
{
    int size = snprintf(ret, PATH_SIZE, "%s%s%s", a, between, b);
    return size >= 0 && size < PATH_SIZE
               ? 0
               : eddy_fail(err, EDDY_EIO, "%.80s%s%.80s: path is too long", a, between,
                           b);
}

/* ---- reading ------------------------------------------------------------------------ */

static int read_stream(int fd, const char *path, struct eddy_file *ret,
                       struct eddy_err *err)
{
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    for (;;) {
        if (eddy_buf_reserve(&buf, READ_SIZE) != 0) {
            eddy_buf_fini(&buf);
            return eddy_fail(err, EDDY_ENOMEM, "read %.120s: no memory", path);
        }
        ssize_t n = read(fd, buf.data + buf.size, READ_SIZE);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            int code = io_error(err, "read", path);
            eddy_buf_fini(&buf);
            return code;
        }
        if (n == 0) {
            break;
        }
        buf.size += (size_t)n;
    }
    *ret = (struct eddy_file){.bytes = {buf.data, buf.size}, .heap = buf.data};
    return 0;
}

static int map_file(int fd, size_t size, const char *path, struct eddy_file *ret,
                    struct eddy_err *err)
{
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        return io_error(err, "map", path);
    }
    (void)posix_madvise(map, size, POSIX_MADV_SEQUENTIAL); /* a hint */
    *ret = (struct eddy_file){.bytes = {map, size}, .map = map, .map_size = size};
    return 0;
}

int eddy_file_open(const char *path, struct eddy_file *ret, struct eddy_err *err)
{
    if (strcmp(path, "-") == 0) {
        return read_stream(STDIN_FILENO, "standard input", ret, err);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return io_error(err, "open", path);
    }
    struct stat status;
    int code;
    if (fstat(fd, &status) != 0) {
        code = io_error(err, "stat", path);
    } else if (S_ISREG(status.st_mode) && status.st_size > 0) {
        code = map_file(fd, (size_t)status.st_size, path, ret, err);
    } else {
        code = read_stream(fd, path, ret, err); /* a pipe, or /proc where sizes are 0 */
    }
    (void)close(fd); /* was only read */
    return code;
}

void eddy_file_close(struct eddy_file *file)
{
    if (file->map) {
        (void)munmap(file->map, file->map_size);
    }
    free(file->heap);
    *file = (struct eddy_file){0};
}

/* ---- writing ------------------------------------------------------------------------ */

static int sync_folder(const char *folder, struct eddy_err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return io_error(err, "open", folder);
    }
    int code = 0;
    if (fsync(fd) != 0 &&
        errno != EINVAL) { /* some file systems cannot: not our fault */
        code = io_error(err, "fsync", folder);
    }
    (void)close(fd);
    return code;
}

/* The folder that holds path. */
static int parent_of(const char *path, char *ret, struct eddy_err *err)
{
    int code = join(ret, path, "", "", err);
    if (code < 0) {
        return code;
    }
    size_t size = strlen(ret);
    while (size > 1 && ret[size - 1] == '/') {
        ret[--size] = '\0';
    }
    char *slash = strrchr(ret, '/');
    if (!slash) {
        (void)snprintf(ret, PATH_SIZE, ".");
    } else {
        slash[slash == ret ? 1 : 0] = '\0';
    }
    return 0;
}

static int write_all(int fd, struct eddy_span bytes)
{
    size_t done = 0;
    while (done < bytes.size) {
        ssize_t n = write(fd, bytes.data + done, bytes.size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        done += (size_t)n;
    }
    return 0;
}

int eddy_file_target(const char *path, char ret[EDDY_PATH_SIZE], bool *ret_in_place,
                     struct eddy_err *err)
{
    struct stat status;
    bool link = lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
    *ret_in_place = stat(path, &status) == 0 && !S_ISREG(status.st_mode) &&
                    !S_ISDIR(status.st_mode);
    char *real = link && !*ret_in_place ? realpath(path, NULL) : NULL;
    int code = join(ret, real ? real : path, "", "", err);
    free(real);
    return code;
}

bool eddy_file_among(const char *path, const char *const *paths, size_t count)
{
    struct stat mine, other;
    bool among = false, file = stat(path, &mine) == 0 && S_ISREG(mine.st_mode);
    for (size_t i = 0; file && !among && i < count; i++) {
        among = paths[i] != NULL && stat(paths[i], &other) == 0 &&
                mine.st_dev == other.st_dev && mine.st_ino == other.st_ino;
    }
    return among;
}

/* A file with these bytes; synced, unless what is written to is no file. */
static int write_parts(const char *path, const struct eddy_span *parts, uint32_t count,
                       bool in_place, struct eddy_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int code = 0;
    if (fd < 0) {
        return io_error(err, "create", path);
    }
    for (uint32_t i = 0; i < count && code == 0; i++) {
        code = write_all(fd, parts[i]) < 0 ? io_error(err, "write", path) : 0;
    }
    if (code == 0 && !in_place && fsync(fd) != 0) {
        code = io_error(err, "fsync", path);
    }
    if (close(fd) != 0 && code == 0) {
        code = io_error(err, "close", path);
    }
    return code;
}

/* A new file with these bytes, synced. */
static int write_new(const char *path, const struct eddy_span *parts, uint32_t count,
                     struct eddy_err *err)
{
    int code = write_parts(path, parts, count, false, err);
    if (code < 0) {
        (void)unlink(path);
    }
    return code;
}

int eddy_file_place_check(const char *path, struct eddy_err *err)
{
    char target[PATH_SIZE], beside[PATH_SIZE], pid[32];
    struct stat status;
    bool in_place;
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    int code = eddy_file_target(path, target, &in_place, err);
    if (code < 0 || in_place) {
        return code;
    }
    if (stat(target, &status) == 0 && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return io_error(err, "write", target);
    }
    code = join(beside, target, ".tmp.", pid, err);
    code = code ? code : write_new(beside, NULL, 0, err);
    if (code == 0) {
        (void)unlink(beside);
    }
    return code;
}

int eddy_file_write(const char *path, struct eddy_span bytes, struct eddy_err *err)
{
    return eddy_file_write_parts(path, &bytes, 1, err);
}

int eddy_file_write_parts(const char *path, const struct eddy_span *parts,
                          uint32_t count, struct eddy_err *err)
{
    char target[PATH_SIZE], beside[PATH_SIZE], folder[PATH_SIZE], pid[32];
    bool in_place;
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    int code = eddy_file_target(path, target, &in_place, err);
    if (code == 0 && in_place) {
        return write_parts(path, parts, count, true, err);
    }
    code = code ? code : join(beside, target, ".tmp.", pid, err);
    code = code ? code : parent_of(target, folder, err);
    code = code ? code : write_new(beside, parts, count, err);
    if (code < 0) {
        return code;
    }
    if (rename(beside, target) != 0) {
        code = io_error(err, "rename to", target);
        (void)unlink(beside);
        return code;
    }
    return sync_folder(folder, err);
}

int eddy_make_folder(const char *path, struct eddy_err *err)
{
    char part[PATH_SIZE];
    int code = join(part, path, "", "", err);
    if (code < 0) {
        return code;
    }
    for (char *p = part + 1; part[0] != '\0'; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char end = *p;
        *p = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) {
            return io_error(err, "make folder", part);
        }
        *p = end;
        if (end == '\0') {
            break;
        }
    }
    struct stat status;
    if (stat(path, &status) != 0) {
        return io_error(err, "make folder", path);
    }
    return S_ISDIR(status.st_mode)
               ? 0
               : eddy_fail(err, EDDY_EIO, "make folder %.120s: a file is in its place",
                           path);
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

int eddy_remove_folder(const char *path, struct eddy_err *err)
{
    size_t size = strlen(path);
    while (size > 0 && (path[size - 1] == '/' || path[size - 1] == '.')) {
        size--; /* "/", ".", "..", "a/..": nothing that a caller could mean */
    }
    if (size == 0 ||
        (strlen(path) >= 2 && strcmp(path + strlen(path) - 2, "..") == 0)) {
        return eddy_fail(err, EDDY_EIO, "remove folder '%.120s': refused", path);
    }
    /* Depth first, and links are removed, not followed. */
    if (nftw(path, remove_entry, NFTW_FDS, FTW_DEPTH | FTW_PHYS) != 0) {
        return io_error(err, "remove folder", path);
    }
    return 0;
}

/* ---- snapshots ---------------------------------------------------------------------- */

static const char *const snapshot_names[3] = {EDDY_MODEL_FILE, EDDY_CATALOG_FILE,
                                              EDDY_MANIFEST_FILE};

static int open_files(const char *folder, struct eddy_file files[3],
                      struct eddy_err *err)
{
    for (int i = 0; i < 3; i++) {
        char path[PATH_SIZE];
        struct stat status;
        int code = join(path, folder, "/", snapshot_names[i], err);
        if (code < 0) {
            return code;
        }
        if (stat(path, &status) != 0 && errno == ENOENT) {
            return eddy_fail(err, EDDY_EFORMAT, "snapshot %.120s: %s is missing",
                             folder, snapshot_names[i]);
        }
        code = eddy_file_open(path, &files[i], err);
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

int eddy_snapshot_open(const char *folder, const struct eddy_kernels *kernels,
                       struct eddy_snapshot **ret, struct eddy_err *err)
{
    struct eddy_file files[3] = {0};
    struct eddy_err why = {0};
    struct stat status;
    if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return eddy_fail(err, EDDY_ENOMODEL, "snapshot %.160s: there is no such folder",
                         folder);
    }
    int code = open_files(folder, files, err);
    if (code == 0) {
        struct eddy_snapshot_files bytes = {files[0].bytes, files[1].bytes,
                                            files[2].bytes};
        code = eddy_snapshot_decode(&bytes, kernels, ret, &why);
        if (code < 0) {
            code = eddy_fail(err, code, "snapshot %.80s: %.140s", folder, why.text);
        }
    }
    for (int i = 0; i < 3; i++) {
        eddy_file_close(&files[i]);
    }
    return code;
}

static int write_folder(const char *folder, const struct eddy_span bytes[3],
                        struct eddy_err *err)
{
    int code = eddy_make_folder(folder, err);
    for (int i = 0; code == 0 && i < 3; i++) {
        char path[PATH_SIZE];
        code = join(path, folder, "/", snapshot_names[i], err);
        code = code ? code : write_new(path, &bytes[i], 1, err);
    }
    return code ? code : sync_folder(folder, err);
}

/* What a model may replace: nothing, an empty folder, one that holds a model, or one with
 * nothing but files of a model (a damaged one). */
static bool is_replaceable(const char *folder, struct eddy_err *err)
{
    struct stat status;
    uint32_t ours = 0, others = 0;
    if (stat(folder, &status) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return true; /* or a link to nothing, or a way there that cannot be made */
    }
    DIR *dir = opendir(folder);
    if (dir == NULL && errno == ENOTDIR) {
        (void)eddy_fail(err, EDDY_EIO,
                        "%.120s: a file is there and is not replaced; a model is a "
                        "folder, give another name",
                        folder);
        return false;
    }
    if (dir == NULL) {
        (void)io_error(err, "open", folder);
        return false;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        bool mine = false;
        for (int i = 0; i < 3; i++) {
            mine = mine || strcmp(name, snapshot_names[i]) == 0;
        }
        ours += mine;
        others += !mine && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    }
    (void)closedir(dir);
    if (others == 0 || ours == 3) {
        return true;
    }
    (void)eddy_fail(err, EDDY_EIO,
                    "%.120s: the folder is there and is no model, so it is not "
                    "replaced; give a new name, e.g. %.60s/model",
                    folder, folder);
    return false;
}

/* from takes the place of folder; what was there is removed afterwards. A folder cannot be
 * renamed over another, so the old one steps aside first: for a moment there is none, and
 * a reader of that moment gets EDDY_ENOMODEL, which is retried. */
static int replace_folder(const char *from, const char *folder, const char *aside,
                          struct eddy_err *err)
{
    if (!is_replaceable(folder, err)) {
        return EDDY_EIO;
    }
    bool replaced = rename(folder, aside) == 0;
    if (!replaced && errno != ENOENT) {
        return io_error(err, "rename", folder);
    }
    if (rename(from, folder) != 0) {
        int code = io_error(err, "rename to", folder);
        if (replaced) {
            (void)rename(aside, folder); /* back; the first error is the one to tell */
        }
        return code;
    }
    return replaced ? eddy_remove_folder(aside, err) : 0;
}

/* Where a model is written, and what stands around it. */
struct places {
    char place[PATH_SIZE], beside[PATH_SIZE], aside[PATH_SIZE], parent[PATH_SIZE];
};

static int find_places(const char *folder, struct places *ret, struct eddy_err *err)
{
    char pid[32];
    int code = join(ret->place, folder, "", "", err);
    if (code < 0) {
        return code;
    }
    for (size_t size = strlen(ret->place); size > 1 && ret->place[size - 1] == '/';
         size--) {
        ret->place[size - 1] = '\0';
    }
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    code = join(ret->beside, ret->place, ".tmp.", pid, err);
    code = code ? code : join(ret->aside, ret->place, ".old.", pid, err);
    return code ? code : parent_of(ret->place, ret->parent, err);
}

int eddy_move_folder(const char *from, const char *to, struct eddy_err *err)
{
    struct places at;
    int code = find_places(to, &at, err);
    code = code ? code : replace_folder(from, at.place, at.aside, err);
    return code ? code : sync_folder(at.parent, err);
}

int eddy_snapshot_save(const char *folder, struct eddy_span model,
                       struct eddy_span catalog, struct eddy_span manifest,
                       struct eddy_err *err)
{
    const struct eddy_span bytes[3] = {model, catalog, manifest};
    struct places at;
    int code = find_places(folder, &at, err);
    if (code < 0) {
        return code;
    }
    code = write_folder(at.beside, bytes, err);
    code = code ? code : replace_folder(at.beside, at.place, at.aside, err);
    if (code < 0) {
        (void)eddy_remove_folder(at.beside, NULL); /* may not be there */
        return code;
    }
    return sync_folder(at.parent, err);
}

int eddy_snapshot_place_check(const char *folder, struct eddy_err *err)
{
    struct places at;
    struct stat status, above;
    int code = find_places(folder, &at, err);
    if (code < 0) {
        return code;
    }
    const char *name = strrchr(at.place, '/');
    name = name ? name + 1 : at.place;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return eddy_fail(err, EDDY_EIO,
                         "'%.120s' cannot be replaced by a model; give a name in it, "
                         "e.g. %.60s/model",
                         folder, folder);
    }
    if (!is_replaceable(at.place, err)) {
        return EDDY_EIO;
    }
    if (lstat(at.place, &status) == 0 && S_ISDIR(status.st_mode) &&
        stat(at.parent, &above) == 0 && status.st_dev != above.st_dev) {
        return eddy_fail(err, EDDY_EIO,
                         "%.120s is a file system of its own and cannot be replaced; "
                         "give a name in it, e.g. %.60s/model",
                         folder, at.place);
    }
    code = eddy_make_folder(at.beside, err); /* the parent can be written, then */
    return code ? code : eddy_remove_folder(at.beside, err);
}
