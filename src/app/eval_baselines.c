/* Baselines, asked what the model was asked.
 *
 * A baseline is a snapshot without a network: fitted, encoded and decoded in memory, so that
 * it is played by exactly the code that plays the model. Its items are those of the eval
 * file, which begin with the model's, and behind them those of --train. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/busy.h"
#include "app/eval_rivals.h"
#include "app/inputs.h"
#include "base/clock.h"
#include "core/build.h"

/* What baselines are fitted on: rows, and the catalogue that counts. */
struct training {
    struct eddy_inputs inputs; /* of --train */
    struct eddy_interactions view;
    const struct eddy_interactions *interactions;
};

static int open_training(const struct eddy_eval_rivals *rivals,
                         struct training *training, struct eddy_err *err)
{
    const struct eddy_interactions *asked = rivals->eval->exam->interactions;
    int r;
    if (rivals->train == NULL) {
        r = eddy_interactions_view(asked, rivals->marks, EDDY_KEEP(EDDY_MARK_TRAIN),
                                   &training->view, err);
        training->interactions = &training->view;
        return r;
    }
    struct eddy_input_options options = {.interactions = rivals->train,
                                         .known = asked->items,
                                         .skip_bad = rivals->skip_bad,
                                         .quiet = rivals->quiet,
                                         .no_hash = true};
    r = eddy_inputs_open(&training->inputs, &options, err);
    training->interactions = &training->inputs.interactions;
    return r;
}

static void close_training(struct training *training)
{
    eddy_interactions_view_fini(&training->view);
    eddy_inputs_close(&training->inputs);
}

static int count_items(struct eddy_eval *eval, const struct eddy_interactions *in,
                       struct eddy_err *err)
{
    uint8_t *had = calloc((size_t)eddy_catalog_count(in->items) + 1, 1);
    if (had == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory to count items");
    eval->training_items = 0;
    for (uint64_t i = 0; i < in->count; i++) {
        eval->training_items += !had[in->rows[i].item];
        had[in->rows[i].item] = 1;
    }
    free(had);
    return 0;
}

/* A snapshot of what was fitted, through the bytes that it would have on disk. */
static int snapshot_of(const struct eddy_build_result *built,
                       const struct eddy_interactions *in, const char *name,
                       struct eddy_snapshot **ret, struct eddy_err *err)
{
    struct eddy_manifest manifest = {.session_gap_s = 1800, .recent_events = 100};
    struct eddy_snapshot_parts parts = {.layout = &built->network.layout,
                                        .params = built->network.params,
                                        .popularity = built->network.popularity,
                                        .catalog = in->items,
                                        .tables = &built->tables,
                                        .head = &built->head};
    struct eddy_buf files[3];
    bool complete = true;
    int r;
    for (int i = 0; i < 3; i++)
        eddy_buf_init(&files[i], 0);
    (void)snprintf(manifest.recipe, sizeof manifest.recipe, "%s", name);
    for (uint32_t t = 0; t < built->network.layout.shape.types; t++) {
        manifest.types[t] = strdup(t < in->type_count ? in->types[t] : "");
        complete = complete && manifest.types[t] != NULL;
    }
    r = complete ? eddy_snapshot_encode(&manifest, &parts, &files[0], &files[1],
                                        &files[2], err)
                 : eddy_fail(err, EDDY_ENOMEM, "no memory for types");
    if (r == 0) {
        struct eddy_snapshot_files spans = {eddy_buf_span(&files[0]),
                                            eddy_buf_span(&files[1]),
                                            eddy_buf_span(&files[2])};
        r = eddy_snapshot_decode(&spans, eddy_kernels_get(), ret, err);
    }
    for (int i = 0; i < 3; i++)
        eddy_buf_fini(&files[i]);
    eddy_manifest_fini(&manifest);
    return r;
}

static int ask_baseline(const struct eddy_eval_rivals *rivals,
                        const struct training *training, enum eddy_baseline kind,
                        struct eddy_err *err)
{
    struct eddy_eval *eval = rivals->eval;
    struct eddy_eval_contender *contender = &eval->contenders[eval->contender_count];
    struct eddy_build_result built;
    struct eddy_snapshot *snapshot = NULL;
    const struct eddy_baseline_options options = {.threads = rivals->threads,
                                                  .exclude_seen = eval->exclude_seen};
    struct eddy_baseline_choice choice = {0};
    struct eddy_busy busy;
    uint64_t start_ns = eddy_monotonic_ns();
    eddy_busy_start(&busy, rivals->quiet);
    eddy_busy_step(&busy, "fitting %s (%d/%d)", eddy_baseline_names[kind],
                   (int)kind + 1, (int)EDDY_BASELINES);
    int r = eddy_build_baseline(training->interactions, kind, &options, &built, &choice,
                                err);
    eddy_busy_stop(&busy);
    if (r < 0)
        return r;
    r = snapshot_of(&built, training->interactions, eddy_baseline_names[kind],
                    &snapshot, err);
    eddy_build_result_fini(&built);
    if (r < 0)
        return r;
    *contender =
        (struct eddy_eval_contender){.seconds =
                                         (double)(eddy_monotonic_ns() - start_ns) / 1e9,
                                     .baseline = kind,
                                     .choice = choice};
    (void)snprintf(contender->name, sizeof contender->name, "%s",
                   eddy_baseline_names[kind]);
    eval->contender_count++;
    r = eddy_eval_sit(eval->exam, snapshot, contender, rivals->quiet, err);
    eddy_snapshot_release(snapshot);
    return r;
}

int eddy_eval_ask_baselines(const struct eddy_eval_rivals *rivals, struct eddy_err *err)
{
    struct eddy_eval *eval = rivals->eval;
    struct training training = {0};
    int r = open_training(rivals, &training, err);
    if (r == 0)
        r = count_items(eval, training.interactions, err);
    if (r == 0 && training.interactions->count == 0)
        r = eddy_fail(
            err, EDDY_EFORMAT,
            "--baselines have no event to be fitted on: %s; give --train FILE "
            "with events",
            rivals->train ? "--train has none" : "all of them are asked about");
    for (int kind = 0; r == 0 && kind < EDDY_BASELINES; kind++) {
        size_t used = strlen(eval->missing);
        r = ask_baseline(rivals, &training, (enum eddy_baseline)kind, err);
        if (r != EDDY_ENOMEM && r != EDDY_EFORMAT)
            continue; /* rows that say nothing to one of them are no fault */
        (void)snprintf(eval->missing + used, sizeof eval->missing - used, "%s%s (%s)",
                       used > 0 ? "; " : "", eddy_baseline_names[kind], err->text);
        *err = (struct eddy_err){0};
        r = 0;
    }
    close_training(&training);
    return r;
}
