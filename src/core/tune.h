/* Layer: core.  Search of hyper-parameters: where to look next, given what is known.
 * Pure: a suggestion depends on the space, the trials so far and the seed alone. */
#ifndef EDDY_CORE_TUNE_H
#define EDDY_CORE_TUNE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    EDDY_TUNE_DIMENSIONS = 16,
    EDDY_TUNE_CHOICES = 16,
    EDDY_TUNE_TEXT = 64, /* of a name or a value, with its NUL */
};

enum eddy_tune_kind { EDDY_TUNE_INTEGER, EDDY_TUNE_CONTINUOUS, EDDY_TUNE_CATEGORICAL };

struct eddy_tune_dimension {
    char name[EDDY_TUNE_TEXT];
    enum eddy_tune_kind kind;
    double min, max; /* of numbers; min > 0 and max >= 20 min: searched by logarithm */
    uint32_t choice_count;
    char choices[EDDY_TUNE_CHOICES][EDDY_TUNE_TEXT];
};

struct eddy_tune_space {
    uint32_t count;
    struct eddy_tune_dimension dimensions[EDDY_TUNE_DIMENSIONS];
};

enum eddy_tune_state { EDDY_TUNE_RUNNING, EDDY_TUNE_DONE, EDDY_TUNE_FAILED };

struct eddy_tune_trial {
    double at[EDDY_TUNE_DIMENSIONS]; /* number, or index of the choice */
    enum eddy_tune_state state;
    double value; /* of a DONE one; more is better */
};

/* The point that comes after trials[0..count): random while fewer than startup are known,
 * then where the good ones are dense against the others. No point comes twice. False: every
 * point of a finite space is among the trials. */
bool eddy_tune_suggest(const struct eddy_tune_space *space,
                       const struct eddy_tune_trial *trials, uint32_t count,
                       uint32_t startup, uint64_t seed,
                       double ret[EDDY_TUNE_DIMENSIONS]);

/* "64", "0.00131", "true": as training takes it. Parsing it gives the same point. */
void eddy_tune_format(const struct eddy_tune_dimension *dimension, double at,
                      char ret[EDDY_TUNE_TEXT]);
/* False: not a value of the dimension. */
bool eddy_tune_parse(const struct eddy_tune_dimension *dimension, const char *text,
                     double *ret);
/* Index of the best DONE trial (the first of equal ones); count: none. */
uint32_t eddy_tune_best(const struct eddy_tune_trial *trials, uint32_t count);

#endif
