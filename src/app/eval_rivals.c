/* Sitting an exam, and other models asked what the model was asked. */
#include "app/eval_rivals.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/inputs.h"
#include "app/model.h"
#include "app/progress.h"
#include "base/clock.h"
#include "io/files.h"

static void show_progress(void *context, uint64_t events_done)
{
    eddy_progress_update(context, events_done, "");
}

int eddy_eval_sit(const struct eddy_exam *exam, const struct eddy_snapshot *snapshot,
                  struct eddy_eval_contender *contender, bool quiet,
                  struct eddy_err *err)
{
    struct eddy_progress progress;
    char label[100];
    uint64_t start_ns = eddy_monotonic_ns();
    (void)snprintf(label, sizeof label, "asking %s", contender->name);
    eddy_progress_init(&progress, label, "events", exam->played.count, quiet);
    int r = eddy_exam_sit(exam, snapshot, show_progress, &progress, &contender->result,
                          err);
    eddy_progress_clear(&progress);
    contender->seconds += (double)(eddy_monotonic_ns() - start_ns) / 1e9;
    return r;
}

/* The rewards of asked's items under the other model's numbers; free(). NULL: memory. */
static float *other_rewards(const struct eddy_exam *asked,
                            const struct eddy_interactions *other)
{
    uint32_t count = eddy_catalog_count(asked->interactions->items);
    float *ret = calloc((size_t)eddy_catalog_count(other->items) + 1, sizeof *ret);
    for (uint32_t i = 0; ret != NULL && i < count; i++) {
        uint32_t at = eddy_catalog_find(other->items,
                                        eddy_catalog_id(asked->interactions->items, i));
        if (at != EDDY_ITEM_NONE)
            ret[at] = asked->options.item_rewards[i];
    }
    return ret;
}

int eddy_eval_ask_model(const struct eddy_eval_rivals *rivals, const char *folder,
                        struct eddy_err *err)
{
    struct eddy_eval *eval = rivals->eval;
    struct eddy_eval_contender *contender = &eval->contenders[eval->contender_count++];
    struct eddy_inputs inputs = {0};
    struct eddy_snapshot *snapshot;
    struct eddy_exam exam = {0};
    int r = eddy_model_open(folder, &snapshot, err);
    (void)snprintf(contender->name, sizeof contender->name, "%s", folder);
    if (r < 0)
        return r;
    struct eddy_input_options options = {.interactions = eval->interactions,
                                         .known = snapshot->catalog,
                                         .skip_bad = rivals->skip_bad,
                                         .quiet = rivals->quiet,
                                         .no_hash = true};
    r = eddy_inputs_open(&inputs, &options, err);
    struct eddy_exam_options asked = eval->exam->options;
    float *rewards = NULL;
    if (r == 0 && asked.item_rewards != NULL) {
        asked.item_rewards = rewards = other_rewards(eval->exam, &inputs.interactions);
        if (rewards == NULL)
            r = eddy_fail(err, EDDY_ENOMEM, "no memory for the rewards");
    }
    /* marks depend on the file alone, questions stand in the order of rows */
    if (r == 0)
        r = eddy_exam_init(&exam, &inputs.interactions, rivals->marks, &asked, err);
    if (r == 0)
        r = eddy_eval_sit(&exam, snapshot, contender, rivals->quiet, err);
    eddy_exam_fini(&exam);
    free(rewards);
    eddy_inputs_close(&inputs);
    eddy_snapshot_release(snapshot);
    return r;
}
