/* Layer: app.  From a trained network to a model on disk; recipe names. */
#ifndef EDDY_APP_MODEL_H
#define EDDY_APP_MODEL_H

#include "core/snapshot.h"
#include "core/train.h"

/* "aws-hrnn", "hrnn", "arn:aws:personalize:::recipe/aws-hrnn" -> the name that manifests
 * carry ("aws-hrnn"), static. NULL: unknown. */
const char *eddy_recipe_find(const char *name);
/* "aws-user-personalization, aws-hrnn". */
const char *eddy_recipe_names(void);

/* Write the folder beside and rename it into place. items: catalogue of an items file, with
 * its columns, whose items come first in the interactions' indices (parsed with it); NULL:
 * there is none. metrics of the result go into the manifest. */
struct eddy_model_source {
    const char *recipe; /* of eddy_recipe_find */
    const struct eddy_train_options *options;
    const struct eddy_interactions *interactions;
    const struct eddy_catalog *items;
    double seconds, cpu_seconds; /* of training, for the manifest */
};
int eddy_model_save(const char *folder, const struct eddy_model_source *source,
                    const struct eddy_train_result *result,
                    char ret_version[EDDY_SNAPSHOT_ID_SIZE], struct eddy_err *err);

#endif
