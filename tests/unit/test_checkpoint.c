/* The file of a training's checkpoint: what a full disk does to it, and to the training. */
#include "app/checkpoint.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "full_disk.h"
#include "spans.h"

enum { LONG = 20000, ROOM = 4096 };

static char root[] = "/tmp/eddy-checkpoint-XXXXXX";
static char model[64], path[80];
static struct eddy_train_report report;
static char ones[LONG], twos[LONG];

static struct eddy_checkpoint opened(void)
{
    struct eddy_checkpoint checkpoint;
    eddy_checkpoint_open(&checkpoint, model, 0, NULL, &report);
    CHECK_STR(checkpoint.path, path);
    CHECK(checkpoint.keeper.due(&checkpoint));
    return checkpoint;
}

/* As a training does it, in parts. */
static int save(struct eddy_checkpoint *checkpoint, const char *bytes)
{
    const struct eddy_span parts[] = {{bytes, 100}, {bytes + 100, LONG - 100}};
    return checkpoint->keeper.save(checkpoint, parts, 2, NULL);
}

/* The file holds these bytes, and nothing else is in the folder. */
static void check_stands(const char *bytes)
{
    struct eddy_file file;
    CHECK_INT(eddy_file_open(path, &file, NULL), 0);
    CHECK_INT(file.bytes.size, LONG);
    CHECK(memcmp(file.bytes.data, bytes, LONG) == 0);
    eddy_file_close(&file);
    CHECK_INT(full_disk_count(root), 1);
}

static void a_checkpoint_is_found_by_the_next_run_and_goes_with_the_model(void)
{
    struct eddy_checkpoint checkpoint = opened();
    CHECK_INT(checkpoint.keeper.resume.size, 0);
    CHECK_INT(save(&checkpoint, ones), 0);
    check_stands(ones);
    eddy_checkpoint_close(&checkpoint, false);
    checkpoint = opened();
    CHECK_INT(checkpoint.keeper.resume.size, LONG);
    CHECK(memcmp(checkpoint.keeper.resume.data, ones, LONG) == 0);
    CHECK_INT(save(&checkpoint, twos), 0);
    CHECK(memcmp(checkpoint.keeper.resume.data, ones, LONG) == 0); /* still mapped */
    check_stands(twos);
    eddy_checkpoint_close(&checkpoint, true);
    CHECK_INT(full_disk_count(root), 0);
}

/* What was written to standard error since `from`; the file is read through fd. */
static int complaints(int fd)
{
    char text[2000] = {0};
    int count = 0;
    CHECK(pread(fd, text, sizeof text - 1, 0) >= 0);
    for (const char *at = text; (at = strstr(at, "eddy train: no checkpoint: ")); at++)
        count++;
    CHECK(count == 0 || strstr(text, path) != NULL);
    return count;
}

/* The old bytes stay, nothing is left beside them, it is told once, the training goes on,
 * and as soon as there is room again there are checkpoints again. */
static void a_full_disk_leaves_the_checkpoint_before(void)
{
    char log[] = "/tmp/eddy-stderr-XXXXXX";
    struct full_disk disk;
    struct eddy_checkpoint checkpoint = opened();
    int fd = mkstemp(log), standard = dup(STDERR_FILENO);
    CHECK(fd >= 0 && standard >= 0);
    CHECK_INT(unlink(log), 0);
    CHECK_INT(save(&checkpoint, ones), 0);
    CHECK(dup2(fd, STDERR_FILENO) >= 0);
    for (int i = 0; i < 2; i++) {
        full_disk_begin(&disk, ROOM);
        int saved = save(&checkpoint, twos);
        full_disk_end(&disk);
        CHECK_INT(saved, 1);
    }
    CHECK(dup2(standard, STDERR_FILENO) >= 0);
    CHECK_INT(complaints(fd), 1);
    CHECK_INT(close(standard), 0);
    CHECK_INT(close(fd), 0);
    check_stands(ones);
    CHECK_INT(save(&checkpoint, twos), 0);
    check_stands(twos);
    eddy_checkpoint_close(&checkpoint, true);
}

int main(void)
{
    if (!mkdtemp(root)) {
        perror("mkdtemp");
        return 1;
    }
    (void)snprintf(model, sizeof model, "%s/model/", root);
    (void)snprintf(path, sizeof path, "%s/model.checkpoint", root);
    memset(ones, 1, LONG);
    memset(twos, 2, LONG);
    eddy_train_report_start(&report, true);
    RUN(a_checkpoint_is_found_by_the_next_run_and_goes_with_the_model);
    RUN(a_full_disk_leaves_the_checkpoint_before);
    CHECK_INT(rmdir(root), 0);
    return check_done();
}
