/* Layer: app.  What a solution means for `eddy train` and `eddy tune`: its recipe, events and
 * hyper-parameters as options, checked by the code that those commands check them with. */
#ifndef EDDY_APP_SOLUTION_WORDS_H
#define EDDY_APP_SOLUTION_WORDS_H

#include "app/aws_check.h"
#include "app/recipe.h"
#include "app/self.h"

/* The recipe of a solution's document or CreateSolution's input, NULL: none, or unknown. */
const struct eddy_recipe *eddy_solution_recipe(const json_t *solution);

/* Append the options of training that eventType, solutionConfig.eventValueThreshold,
 * eventsConfig, algorithmHyperParameters and featureTransformationParameters stand for;
 * --recipe is not among them. 0, or -1 with InvalidInputException that names what is not
 * accepted and what is. Thread: any. */
int eddy_solution_words(const json_t *solution, struct eddy_words *words,
                        struct eddy_aws_error *error);
/* Whether performHPO can be done as hpoConfig says. 0, -1 as above. */
int eddy_solution_check_hpo(const json_t *solution, struct eddy_aws_error *error);

#endif
