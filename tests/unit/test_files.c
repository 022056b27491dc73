#include "io/files.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "full_disk.h"
#include "io/registry.h"
#include "spans.h"
#include "tiny_model.h"

static char root[] = "/tmp/eddy-files-XXXXXX";

static const char *in_root(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void written_file_reads_back(void)
{
    struct eddy_file file;
    const char *path = in_root("a");
    CHECK_INT(eddy_file_write(path, S("hello"), NULL), 0);
    CHECK_INT(eddy_file_open(path, &file, NULL), 0);
    CHECK(eddy_span_eq(file.bytes, S("hello")));
    CHECK_INT(eddy_file_write(path, S("new"), NULL), 0);
    CHECK(eddy_span_eq(file.bytes, S("hello"))); /* the old file, still mapped */
    eddy_file_close(&file);
    CHECK_INT(eddy_file_open(path, &file, NULL), 0);
    CHECK(eddy_span_eq(file.bytes, S("new")));
    eddy_file_close(&file);
    CHECK_INT(eddy_file_write(path, S(""), NULL), 0);
    CHECK_INT(eddy_file_open(path, &file, NULL), 0);
    CHECK_INT(file.bytes.size, 0);
    CHECK(file.bytes.data != NULL);
    eddy_file_close(&file);
}

static void pipes_are_read_to_their_end(void)
{
    const char *path = in_root("pipe");
    static char big[200000];
    struct eddy_file file = {0};
    memset(big, 'x', sizeof big);
    CHECK_INT(eddy_file_write(in_root("source"), (struct eddy_span){big, sizeof big},
                              NULL),
              0);
    CHECK_INT(mkfifo(path, 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        execlp("cp", "cp", in_root("source"), path, (char *)NULL);
        _exit(127);
    }
    CHECK_INT(eddy_file_open(path, &file, NULL), 0);
    CHECK_INT(file.bytes.size, sizeof big);
    CHECK_MEM(file.bytes.data, big, sizeof big);
    eddy_file_close(&file);
    int status = 1;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

static void errors_name_path_and_reason(void)
{
    struct eddy_file file;
    struct eddy_err err;
    char want[600];
    CHECK_INT(eddy_file_open(in_root("nothing"), &file, &err), EDDY_EIO);
    snprintf(want, sizeof want, "open %s/nothing: No such file or directory", root);
    CHECK_STR(err.text, want);
    CHECK_INT(eddy_file_open(root, &file, &err), EDDY_EIO);
    snprintf(want, sizeof want, "read %s: Is a directory", root);
    CHECK_STR(err.text, want);
    CHECK_INT(eddy_file_write(in_root("no/such/folder"), S("x"), &err), EDDY_EIO);
    CHECK(strstr(err.text, "No such file or directory") != NULL);
    CHECK_INT(eddy_file_write(root, S("x"), &err), EDDY_EIO); /* a folder is there */
    snprintf(want, sizeof want, "rename to %s: Is a directory", root);
    CHECK_STR(err.text, want);
    CHECK_INT(eddy_file_write(in_root("plain"), S("x"), NULL), 0);
    CHECK_INT(eddy_make_folder(in_root("plain/below"), &err), EDDY_EIO);
    CHECK_INT(eddy_make_folder(in_root("plain"), &err), EDDY_EIO);
    snprintf(want, sizeof want, "make folder %s/plain: a file is in its place", root);
    CHECK_STR(err.text, want);
}

/* A rename that fails, and a disk that is full after the first 4 KiB. */
static void failed_writes_leave_the_old_file_and_nothing_beside(void)
{
    static char big[50000];
    const struct eddy_span parts[] = {{big, 1000}, {big + 1000, sizeof big - 1000}};
    struct full_disk disk;
    struct eddy_file file;
    struct eddy_err err = {0};
    char beside[600];
    const char *folder = in_root("full"), *path = in_root("full/old");
    snprintf(beside, sizeof beside, "%s.tmp.%ld", root, (long)getpid());
    CHECK_INT(eddy_file_write(root, S("x"), NULL), EDDY_EIO); /* a folder is there */
    CHECK(!exists(beside));
    CHECK_INT(eddy_make_folder(folder, NULL), 0);
    CHECK_INT(eddy_file_write(path, S("the old bytes"), NULL), 0);
    memset(big, 'n', sizeof big);
    full_disk_begin(&disk, 4096);
    int code = eddy_file_write_parts(path, parts, 2, &err);
    full_disk_end(&disk);
    CHECK_INT(code, EDDY_EIO);
    CHECK(strncmp(err.text, "write ", 6) == 0);
    CHECK(strstr(err.text, "File too large") != NULL);
    CHECK_INT(full_disk_count(folder), 1);
    CHECK_INT(eddy_file_open(path, &file, NULL), 0);
    CHECK(eddy_span_eq(file.bytes, S("the old bytes")));
    eddy_file_close(&file);
    CHECK_INT(eddy_file_write_parts(path, parts, 2, &err), 0); /* with room, it works */
    CHECK_INT(full_disk_count(folder), 1);
}

static void a_place_is_looked_at_before_there_is_something_to_write(void)
{
    struct eddy_err err;
    CHECK_INT(eddy_file_write(in_root("stays"), S("1"), NULL), 0);
    CHECK_INT(eddy_file_place_check(in_root("stays"), &err), 0);
    CHECK_INT(eddy_file_place_check(in_root("not there"), &err), 0);
    CHECK(!exists(in_root("not there")));
    CHECK_INT(eddy_file_place_check("/dev/full", &err), 0);
    CHECK_INT(eddy_file_place_check(root, &err), EDDY_EIO);
    CHECK(strstr(err.text, "Is a directory") != NULL);
    CHECK_INT(eddy_file_place_check(in_root("no/folder"), &err), EDDY_EIO);
    CHECK(strstr(err.text, "No such file or directory") != NULL);
    struct eddy_file file;
    CHECK_INT(eddy_file_open(in_root("stays"), &file, NULL), 0);
    CHECK_INT(file.bytes.size, 1);
    eddy_file_close(&file);
}

static void folders_are_made_and_removed_with_all_in_them(void)
{
    CHECK_INT(eddy_make_folder(in_root("x/y/z/"), NULL), 0);
    CHECK_INT(eddy_make_folder(in_root("x/y"), NULL), 0); /* there already */
    CHECK_INT(eddy_file_write(in_root("x/y/z/file"), S("1"), NULL), 0);
    CHECK_INT(eddy_file_write(in_root("kept"), S("1"), NULL), 0);
    CHECK_INT(symlink(in_root("kept"), in_root("x/y/link")), 0);
    CHECK_INT(symlink(root, in_root("x/up")), 0);
    CHECK_INT(eddy_remove_folder(in_root("x"), NULL), 0);
    CHECK(!exists(in_root("x")));
    CHECK(exists(in_root("kept"))); /* links are not followed */
}

static void dangerous_removals_are_refused(void)
{
    static const char *const paths[] = {"",   "/",     "//", ".",   "..",
                                        "./", "../..", "/.", "a/.."};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct eddy_err err = {0};
        CHECK_INT(eddy_remove_folder(paths[i], &err), EDDY_EIO);
        CHECK(strstr(err.text, "refused") != NULL);
    }
}

static void devices_are_written_to_and_stay_devices(void)
{
    struct eddy_err err = {0};
    struct stat status;
    char got[8] = {0}, target[EDDY_PATH_SIZE];
    bool in_place = false;
    CHECK_INT(mkfifo(in_root("fifo"), 0600), 0);
    int fd = open(in_root("fifo"), O_RDWR | O_NONBLOCK); /* so that no end waits */
    CHECK(fd >= 0);
    CHECK_INT(eddy_file_write(in_root("fifo"), S("lists"), &err), 0);
    CHECK_INT(read(fd, got, sizeof got), 5);
    CHECK_STR(got, "lists");
    CHECK_INT(close(fd), 0);
    CHECK_INT(lstat(in_root("fifo"), &status), 0);
    CHECK(S_ISFIFO(status.st_mode));
    CHECK_INT(eddy_file_target("/dev/null", target, &in_place, &err), 0);
    CHECK(in_place);
}

static void links_stay_and_what_they_name_is_written(void)
{
    struct stat status;
    struct eddy_file file;
    CHECK_INT(eddy_file_write(in_root("named"), S("old"), NULL), 0);
    CHECK_INT(symlink("named", in_root("name")), 0);
    CHECK_INT(eddy_file_write(in_root("name"), S("new"), NULL), 0);
    CHECK_INT(lstat(in_root("name"), &status), 0);
    CHECK(S_ISLNK(status.st_mode));
    CHECK_INT(eddy_file_open(in_root("named"), &file, NULL), 0);
    CHECK_INT(file.bytes.size, 3);
    CHECK_INT(memcmp(file.bytes.data, "new", 3), 0);
    eddy_file_close(&file);
}

/* ---- snapshots ---------------------------------------------------------------------- */

static int save(const char *folder, uint64_t seed, char ret_version[17])
{
    struct tiny tiny = tiny_default;
    struct tiny_files files;
    tiny.seed = seed;
    CHECK_INT(tiny_encode(&tiny, &files, NULL), 0);
    int code = eddy_snapshot_save(folder, eddy_buf_span(&files.model),
                                  eddy_buf_span(&files.catalog),
                                  eddy_buf_span(&files.manifest), NULL);
    if (ret_version) {
        memcpy(ret_version, strstr(files.manifest.data, "\"version\": \"") + 12, 16);
        ret_version[16] = '\0';
    }
    tiny_files_fini(&files);
    return code;
}

static void saved_snapshot_opens_and_is_replaced_whole(void)
{
    struct eddy_snapshot *snapshot = NULL;
    const char *folder = in_root("models/one");
    char version[17];
    for (uint64_t seed = 1; seed < 4; seed++) {
        CHECK_INT(save(folder, seed, version), 0);
        CHECK_INT(eddy_snapshot_open(folder, eddy_kernels_get(), &snapshot, NULL), 0);
        CHECK_STR(snapshot->manifest.version, version);
        eddy_snapshot_release(snapshot);
    }
    struct stat status;
    CHECK_INT(stat(in_root("models"), &status), 0);
    CHECK_INT(status.st_nlink, 3); /* ".", "..", "one": nothing left beside */
}

/* A disk that fills up while a model is written over another: the old one stays whole. */
static void a_snapshot_that_cannot_be_written_leaves_the_one_before(void)
{
    struct eddy_snapshot *snapshot = NULL;
    struct full_disk disk;
    char folder[600], version[17], other[17];
    snprintf(folder, sizeof folder, "%s", in_root("full/models/one"));
    CHECK_INT(save(folder, 1, version), 0);
    full_disk_begin(&disk, 4096);
    int code = save(folder, 2, other);
    full_disk_end(&disk);
    CHECK_INT(code, EDDY_EIO);
    CHECK(strcmp(version, other) != 0);
    CHECK_INT(eddy_snapshot_open(folder, eddy_kernels_get(), &snapshot, NULL), 0);
    CHECK_STR(snapshot->manifest.version, version);
    eddy_snapshot_release(snapshot);
    CHECK_INT(full_disk_count(in_root("full/models")), 1);
}

static void missing_and_damaged_snapshots_are_told_apart(void)
{
    struct eddy_snapshot *snapshot = NULL;
    struct eddy_err err;
    char want[600];
    CHECK_INT(eddy_snapshot_open(in_root("nowhere"), eddy_kernels_get(), &snapshot,
                                 &err),
              EDDY_ENOMODEL);
    snprintf(want, sizeof want, "snapshot %s/nowhere: there is no such folder", root);
    CHECK_STR(err.text, want);
    CHECK_INT(save(in_root("bad"), 1, NULL), 0);
    CHECK_INT(eddy_file_write(in_root("bad/model.safetensors"), S("short"), NULL), 0);
    CHECK_INT(eddy_snapshot_open(in_root("bad"), eddy_kernels_get(), &snapshot, &err),
              EDDY_EFORMAT);
    snprintf(want, sizeof want,
             "snapshot %s/bad: model.safetensors: 5 bytes, the manifest", root);
    CHECK(strncmp(err.text, want, strlen(want)) == 0);
    CHECK_INT(unlink(in_root("bad/catalog.csv")), 0);
    CHECK_INT(eddy_snapshot_open(in_root("bad"), eddy_kernels_get(), &snapshot, &err),
              EDDY_EFORMAT);
    snprintf(want, sizeof want, "snapshot %s/bad: catalog.csv is missing", root);
    CHECK_STR(err.text, want);
    CHECK(snapshot == NULL);
}

/* ---- registry ----------------------------------------------------------------------- */

static void a_model_replaces_models_and_nothing_else(void)
{
    static const struct {
        const char *place, *inside; /* a file that stands there before; NULL: none */
        bool may;
    } cases[] = {
        {"fresh/model", NULL, true},
        {"damaged", "damaged/catalog.csv", true},
        {"data", "data/clicks.csv", false},
        {"data/clicks.csv", NULL, false},
        {".", NULL, false},
        {"data/..", NULL, false},
    };
    char version[17];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_err err = {0};
        char place[600];
        snprintf(place, sizeof place, "%s", in_root(cases[i].place));
        if (cases[i].inside) {
            CHECK_INT(eddy_make_folder(place, NULL), 0);
            CHECK_INT(eddy_file_write(in_root(cases[i].inside), S("1"), NULL), 0);
        }
        int want = cases[i].may ? 0 : EDDY_EIO;
        CHECK_INT(eddy_snapshot_place_check(place, &err), want);
        CHECK_INT(save(place, 1, version), want);
        CHECK(cases[i].may || strstr(err.text, "name") != NULL);
    }
    CHECK(exists(in_root("data/clicks.csv")));
    /* What tune does: the lead takes the place, with a slash behind it or without. */
    CHECK_INT(eddy_move_folder(in_root("damaged"), in_root("data"), NULL), EDDY_EIO);
    CHECK(exists(in_root("data/clicks.csv")));
    char from[600];
    snprintf(from, sizeof from, "%s", in_root("damaged"));
    CHECK_INT(eddy_move_folder(from, in_root("fresh/model/"), NULL), 0);
    CHECK(exists(in_root("fresh/model/manifest.json")));
    CHECK(!exists(from));
}

static void save_version(uint64_t seed, char ret_version[17])
{
    CHECK_INT(save(in_root("versions/new"), seed, ret_version), 0);
    char path[64];
    snprintf(path, sizeof path, "versions/%s", ret_version);
    CHECK_INT(rename(in_root("versions/new"), in_root(path)), 0);
}

static void versions_are_opened_once_and_the_unused_closed_for_a_third(void)
{
    char v[4][17];
    struct eddy_snapshot *a, *b, *c, *again;
    struct eddy_err err;
    for (uint64_t i = 0; i < 4; i++) {
        save_version(i + 1, v[i]);
    }
    struct eddy_registry *registry =
        eddy_registry_new(in_root("versions"), eddy_kernels_get());
    CHECK_INT(eddy_registry_get(registry, v[0], &a, NULL), 0);
    CHECK_INT(eddy_registry_get(registry, v[0], &again, NULL), 0);
    CHECK(a == again);
    CHECK_INT(a->references, 3); /* ours, ours, the registry's */
    eddy_snapshot_release(again);
    CHECK_INT(eddy_registry_get(registry, v[1], &b, NULL), 0);
    eddy_snapshot_release(b);
    CHECK_INT(b->references, 1); /* kept: only two are open */
    CHECK_INT(eddy_registry_get(registry, v[2], &c, NULL), 0); /* closes b */
    eddy_snapshot_release(c);
    CHECK_INT(a->references, 2);
    CHECK_INT(eddy_remove_folder(in_root("versions"), NULL), 0);
    CHECK_INT(eddy_registry_get(registry, v[0], &again, NULL),
              0); /* held: no file needed */
    eddy_snapshot_release(again);
    CHECK_INT(eddy_registry_get(registry, v[1], &b, &err), EDDY_ENOMODEL);
    CHECK(strstr(err.text, v[1]) != NULL);
    eddy_snapshot_release(a);
    eddy_registry_free(registry);
}

static void versions_that_lie_or_leave_the_folder_are_refused(void)
{
    char version[17];
    struct eddy_snapshot *snapshot = NULL;
    struct eddy_err err;
    CHECK_INT(save(in_root("lies/0123456789abcdef"), 1, version), 0);
    struct eddy_registry *registry =
        eddy_registry_new(in_root("lies"), eddy_kernels_get());
    CHECK_INT(eddy_registry_get(registry, "0123456789abcdef", &snapshot, &err),
              EDDY_EFORMAT);
    CHECK(strstr(err.text, version) != NULL);
    CHECK_INT(eddy_registry_get(registry, "../lies/01234567", &snapshot, &err),
              EDDY_EFORMAT);
    CHECK_INT(eddy_registry_get(registry, "", &snapshot, &err), EDDY_EFORMAT);
    struct eddy_snapshot *mine = tiny_open(&tiny_default);
    CHECK_INT(eddy_registry_put(registry, mine), 0);
    CHECK_INT(eddy_registry_put(registry, mine), 0);
    CHECK_INT(mine->references, 2);
    CHECK_INT(eddy_registry_get(registry, mine->manifest.version, &snapshot, NULL), 0);
    CHECK(snapshot == mine);
    eddy_snapshot_release(snapshot);
    eddy_snapshot_release(mine);
    eddy_registry_free(registry);
    eddy_registry_free(NULL);
}

struct taker {
    struct eddy_registry *registry;
    char (*versions)[17];
    int failures;
};

static void *take_and_release(void *argument)
{
    struct taker *taker = argument;
    for (int i = 0; i < 60; i++) {
        struct eddy_snapshot *snapshot;
        if (eddy_registry_get(taker->registry, taker->versions[i % 3], &snapshot,
                              NULL) < 0) {
            taker->failures++;
            continue;
        }
        taker->failures += eddy_catalog_count(snapshot->catalog) != 50;
        eddy_snapshot_release(snapshot);
    }
    return NULL;
}

static void threads_share_the_registry(void)
{
    char versions[3][17];
    pthread_t threads[4];
    struct taker takers[4];
    for (uint64_t i = 0; i < 3; i++) {
        save_version(i + 1, versions[i]);
    }
    struct eddy_registry *registry =
        eddy_registry_new(in_root("versions"), eddy_kernels_get());
    for (int i = 0; i < 4; i++) {
        takers[i] = (struct taker){registry, versions, 0};
        CHECK_INT(pthread_create(&threads[i], NULL, take_and_release, &takers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_INT(takers[i].failures, 0);
    }
    eddy_registry_free(registry);
}

int main(void)
{
    if (!mkdtemp(root)) {
        perror("mkdtemp");
        return 1;
    }
    RUN(written_file_reads_back);
    RUN(pipes_are_read_to_their_end);
    RUN(errors_name_path_and_reason);
    RUN(failed_writes_leave_the_old_file_and_nothing_beside);
    RUN(a_place_is_looked_at_before_there_is_something_to_write);
    RUN(folders_are_made_and_removed_with_all_in_them);
    RUN(dangerous_removals_are_refused);
    RUN(devices_are_written_to_and_stay_devices);
    RUN(links_stay_and_what_they_name_is_written);
    RUN(a_model_replaces_models_and_nothing_else);
    RUN(saved_snapshot_opens_and_is_replaced_whole);
    RUN(a_snapshot_that_cannot_be_written_leaves_the_one_before);
    RUN(missing_and_damaged_snapshots_are_told_apart);
    RUN(versions_are_opened_once_and_the_unused_closed_for_a_third);
    RUN(versions_that_lie_or_leave_the_folder_are_refused);
    RUN(threads_share_the_registry);
    CHECK_INT(eddy_remove_folder(root, NULL), 0);
    return check_done();
}
