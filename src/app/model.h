/* Layer: app.  From what was trained to a model on disk. */
#ifndef EDDY_APP_MODEL_H
#define EDDY_APP_MODEL_H

#include "app/event_options.h"
#include "app/recipe_options.h"
#include "core/build.h"
#include "core/snapshot.h"

/* An epoch, for the manifest's learning_curve; ndcg, hr of validation, below 0: none. */
struct eddy_learning_point {
    uint32_t epoch;
    double loss, ndcg, hr;
};
enum { EDDY_LEARNING_POINTS = 256 };

/* What the manifest says beside the result itself. items: catalogue of an items file, with
 * its columns, whose items come first in the interactions' indices (parsed with it); NULL:
 * there is none. metrics of the result go into the manifest. */
struct eddy_model_source {
    const struct eddy_recipe *recipe;
    const struct eddy_recipe_options *options;
    const struct eddy_interactions *interactions; /* the rows trained on */
    const struct eddy_catalog *items;
    const struct eddy_event_options *events;
    const char *hold_out;        /* protocol whose answers were left out, NULL: none */
    double seconds, cpu_seconds; /* of training, for the manifest */
    const struct eddy_learning_point *learning; /* borrowed */
    uint32_t learning_count;
};
/* A model whose folder the command line names. One that is not there is a mistyped path
 * here, EDDY_EIO, and nothing that comes when one waits, as for a worker. */
int eddy_model_open(const char *folder, struct eddy_snapshot **ret,
                    struct eddy_err *err);
/* Time of the newest event that it has learned from; INT64_MIN: its manifest does not say. */
int64_t eddy_model_newest(const struct eddy_manifest *manifest);
/* Number of users that it has learned from; 0: its manifest does not say. */
uint64_t eddy_model_users(const struct eddy_manifest *manifest);
/* To standard error, where it has learned nothing of users: a users file says nothing to it. */
void eddy_model_warn_of_users(const char *command, const char *folder,
                              const struct eddy_snapshot *snapshot);
/* Write the folder beside and rename it into place. */
int eddy_model_save(const char *folder, const struct eddy_model_source *source,
                    const struct eddy_build_result *result,
                    char ret_version[EDDY_SNAPSHOT_ID_SIZE], struct eddy_err *err);

#endif
