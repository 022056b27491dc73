/* Layer: app.  Is a request as the service's model says? One table of members per operation
 * (app/aws_table.h), one walk for all. */
#ifndef EDDY_APP_AWS_CHECK_H
#define EDDY_APP_AWS_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum eddy_aws_type {
    EDDY_AWS_STRING,
    EDDY_AWS_INTEGER,
    EDDY_AWS_DOUBLE,
    EDDY_AWS_BOOLEAN,
    EDDY_AWS_LIST,     /* of: its element               */
    EDDY_AWS_MAP,      /* of: key and value             */
    EDDY_AWS_STRUCTURE /* of: its members, of_count     */
};

/* Patterns of strings; each covers the whole text. */
enum eddy_aws_pattern {
    EDDY_AWS_ANY,
    EDDY_AWS_NAME,     /* [a-zA-Z0-9][a-zA-Z0-9\-_]*                 */
    EDDY_AWS_ARN,      /* arn:([a-z\d-]+):personalize:.*:.*:.+       */
    EDDY_AWS_ROLE,     /* arn:([a-z\d-]+):iam::\d{12}:role/?[...]+   */
    EDDY_AWS_KMS,      /* arn:aws.*:kms:.*:[0-9]{12}:key/.*          */
    EDDY_AWS_LOCATION, /* (s3|http|https)://.+                       */
    EDDY_AWS_LETTERS,  /* [A-Za-z_]+                                 */
    EDDY_AWS_COLUMN,   /* [A-Za-z_][A-Za-z\d_]*                      */
    EDDY_AWS_TAG,      /* [\p{L}\p{Z}\p{N}_.:/=+\-@]*                */
    EDDY_AWS_TOKEN,    /* \p{ASCII}{0,1500}                          */
    EDDY_AWS_RATE,     /* rate\(\d+ days?\)                          */
};

struct eddy_aws_member {
    const char *name;
    enum eddy_aws_type type;
    bool required;
    double min, max; /* characters, elements or value; equal: not limited */
    enum eddy_aws_pattern pattern;
    const char *choices; /* "FULL|INCREMENTAL", NULL: any */
    const struct eddy_aws_member *of;
    size_t of_count;
};

/* An error as the client sees it. */
struct eddy_aws_error {
    const char *type; /* "InvalidInputException", static; NULL: none */
    char text[800];
};
/* Fill it with a message and return -1. */
__attribute__((format(printf, 3, 4))) int eddy_aws_fail(struct eddy_aws_error *error,
                                                        const char *type,
                                                        const char *fmt, ...);

/* Whether text is of the pattern. Thread: any, as below. */
bool eddy_aws_matches(enum eddy_aws_pattern pattern, const char *text);

/* Check the members of an input; members that are null are taken out of it first, unknown
 * ones are left alone. 0, or -1 with the first violation: SerializationException for a wrong
 * JSON type, else InvalidInputException, which name the member and what it has to be. */
int eddy_aws_check(const struct eddy_aws_member *members, size_t count, json_t *input,
                   struct eddy_aws_error *error);

#endif
