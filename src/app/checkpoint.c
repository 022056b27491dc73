/* Checkpoints: written beside, synced and renamed, so that kill -9 or a full disk leaves the
 * one before. They go once the model stands in its folder. */
#include "app/checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static bool due(void *context)
{
    struct eddy_checkpoint *checkpoint = context;
    uint64_t wait = (uint64_t)checkpoint->interval_s * 1000000000u;
    return eddy_monotonic_ns() - checkpoint->last_ns >= wait;
}

static int save(void *context, const struct eddy_span *parts, uint32_t count,
                struct eddy_err *err)
{
    struct eddy_checkpoint *checkpoint = context;
    struct eddy_err why = {0};
    int unsafe = 0;
    (void)err; /* a training is worth more than its checkpoint */
    if (eddy_file_write_parts(checkpoint->path, parts, count, &why) < 0) {
        if (!checkpoint->failed)
            (void)fprintf(stderr, "eddy train: no checkpoint: %s\n", why.text);
        checkpoint->failed = true;
        unsafe = 1;
    }
    checkpoint->last_ns = eddy_monotonic_ns();
    return unsafe;
}

static struct eddy_span note(void *context)
{
    struct eddy_checkpoint *checkpoint = context;
    const struct eddy_train_ledger *ledger = &checkpoint->report->ledger;
    return (struct eddy_span){(const char *)ledger, sizeof *ledger};
}

static void resumed(void *context, const struct eddy_train_past *past,
                    const char *why_not)
{
    struct eddy_checkpoint *checkpoint = context;
    struct eddy_progress *progress = &checkpoint->report->progress;
    if (why_not != NULL) {
        eddy_busy_pause(&checkpoint->report->busy);
        eddy_progress_say(progress, "%s is not used: %s; starting anew",
                          checkpoint->path, why_not);
        return;
    }
    eddy_train_report_resume(checkpoint->report, past);
    eddy_progress_say(progress,
                      "going on after epoch %u of %s (remove it to start anew)",
                      past->epoch, checkpoint->path);
}

void eddy_checkpoint_open(struct eddy_checkpoint *checkpoint, const char *folder,
                          int64_t interval_s, const char *settings,
                          struct eddy_train_report *report)
{
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    *checkpoint = (struct eddy_checkpoint){
        .interval_s = interval_s, .report = report, .last_ns = eddy_monotonic_ns()};
    (void)snprintf(checkpoint->path, sizeof checkpoint->path, "%.*s.checkpoint",
                   (int)size, folder);
    checkpoint->keeper = (struct eddy_train_keeper){.context = checkpoint,
                                                    .name = checkpoint->path,
                                                    .settings = settings,
                                                    .due = due,
                                                    .save = save,
                                                    .note = note,
                                                    .resumed = resumed};
    if (access(checkpoint->path, F_OK) == 0 &&
        eddy_file_open(checkpoint->path, &checkpoint->file, NULL) == 0)
        checkpoint->keeper.resume = checkpoint->file.bytes;
}

void eddy_checkpoint_close(struct eddy_checkpoint *checkpoint, bool done)
{
    eddy_file_close(&checkpoint->file);
    if (done)
        (void)unlink(checkpoint->path);
}
