/* Layer: app.  What a recipe asks core to build. */
#ifndef EDDY_APP_TRAIN_BUILD_H
#define EDDY_APP_TRAIN_BUILD_H

#include "app/recipe_options.h"

/* steps NULL: nobody is told.
 * The network with what the recipe has beside it, or the counts in its place. Thread:
 * trainer. Errors: those of eddy_build; EDDY_EFORMAT: no item is cold. Owned:
 * eddy_build_result_fini. */
int eddy_train_build(const struct eddy_build_inputs *inputs,
                     const struct eddy_recipe *recipe,
                     const struct eddy_recipe_options *options,
                     const struct eddy_build_steps *steps,
                     eddy_train_progress_fn progress, void *context,
                     struct eddy_build_result *ret, struct eddy_err *err);

#endif
