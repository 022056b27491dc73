/* Layer: app.  Names of resources as AWS builds them, and the local folder that stands for
 * S3. */
#ifndef EDDY_APP_AWS_ARN_H
#define EDDY_APP_AWS_ARN_H

#include <stdbool.h>

#include "io/files.h"

/* Longest ARN that a request may name: 256 characters (the service's limit). */
enum { EDDY_ARN_SIZE = 257, EDDY_REGION_SIZE = 33, EDDY_RESOURCE_SIZE = 200 };

/* "arn:aws:personalize:REGION:ACCOUNT:RESOURCE", resource "solution/NAME"; cut to fit,
 * which names within their limits never need. Thread: any, as all here. */
void eddy_arn_make(const char *region, const char *account, const char *resource,
                   char ret[EDDY_ARN_SIZE]);
/* What stands behind the fifth colon: "solution/NAME/ID"; NULL: that is no ARN of ours. */
const char *eddy_arn_resource(const char *arn);
/* Region of an ARN into ret; "" for recipes, and for what is no ARN. */
void eddy_arn_region(const char *arn, char ret[EDDY_REGION_SIZE]);
/* Whether it names a resource of this kind with so many parts behind it: a solution is
 * "solution" and 1, a version of it "solution" and 2. */
bool eddy_arn_is(const char *arn, const char *kind, int parts);

/* "s3://bucket/key" -> "ROOT/bucket/key". EDDY_EUSAGE for anything else: no s3://, a bucket
 * alone, a part that is empty, "." or "..", a backslash or a control character, too long a
 * path. Looks at no file. */
int eddy_s3_path(const char *root, const char *location, char ret[EDDY_PATH_SIZE],
                 struct eddy_err *err);
/* Whether path, links followed, lies below root: 0, EDDY_EIO (it is not there) or EDDY_EUSAGE
 * (it lies elsewhere). */
int eddy_s3_inside(const char *root, const char *path, struct eddy_err *err);

#endif
