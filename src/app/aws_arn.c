#include "app/aws_arn.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

void eddy_arn_make(const char *region, const char *account, const char *resource,
                   char ret[EDDY_ARN_SIZE])
{
    (void)snprintf(ret, EDDY_ARN_SIZE, "arn:aws:personalize:%s:%s:%s", region, account,
                   resource);
}

/* Where the n-th part between colons begins, from 0; NULL: there are fewer. */
static const char *part(const char *arn, int n)
{
    for (int i = 0; arn != NULL && i < n; i++) {
        arn = strchr(arn, ':');
        arn = arn ? arn + 1 : NULL;
    }
    return arn;
}

const char *eddy_arn_resource(const char *arn)
{
    const char *service = part(arn, 2);
    if (strncmp(arn, "arn:", 4) != 0 || service == NULL ||
        strncmp(service, "personalize:", 12) != 0)
        return NULL;
    return part(arn, 5);
}

void eddy_arn_region(const char *arn, char ret[EDDY_REGION_SIZE])
{
    const char *region = eddy_arn_resource(arn) ? part(arn, 3) : "";
    (void)snprintf(ret, EDDY_REGION_SIZE, "%.*s", (int)strcspn(region, ":"), region);
}

bool eddy_arn_is(const char *arn, const char *kind, int parts)
{
    const char *at = eddy_arn_resource(arn);
    size_t size = strlen(kind);
    if (at == NULL || strncmp(at, kind, size) != 0)
        return false;
    at += size;
    for (int i = 0; i < parts; i++) {
        if (at[0] != '/' || at[1] == '\0' || at[1] == '/')
            return false;
        at += 1 + strcspn(at + 1, "/");
    }
    return *at == '\0';
}

/* ---- S3 --------------------------------------------------------------------------- */

/* No part that a file system would read as another place. */
static bool is_plain(const char *key)
{
    for (const char *at = key; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '\\')
            return false;
    while (*key) {
        size_t size = strcspn(key, "/");
        if (size == 0 || (size == 1 && key[0] == '.') ||
            (size == 2 && key[0] == '.' && key[1] == '.'))
            return false;
        key += size + (key[size] == '/'); /* a folder may end in a slash */
    }
    return true;
}

int eddy_s3_path(const char *root, const char *location, char ret[EDDY_PATH_SIZE],
                 struct eddy_err *err)
{
    const char *key = location + 5;
    if (strncmp(location, "s3://", 5) != 0 || !is_plain(key) ||
        strchr(key, '/') == NULL || strchr(key, '/')[1] == '\0')
        return eddy_fail(err, EDDY_EUSAGE,
                         "Invalid S3 input path: \"%.100s\" is not s3://BUCKET/KEY",
                         location);
    size_t size = strlen(root);
    while (size > 0 && root[size - 1] == '/')
        size--;
    if ((size_t)snprintf(ret, EDDY_PATH_SIZE, "%.*s/%s", (int)size, root, key) >=
        EDDY_PATH_SIZE)
        return eddy_fail(err, EDDY_EUSAGE, "Invalid S3 input path: it is too long");
    return 0;
}

int eddy_s3_inside(const char *root, const char *path, struct eddy_err *err)
{
    char *top = realpath(root, NULL), *real = NULL;
    int r = 0;
    if (top == NULL)
        return eddy_fail(err, EDDY_EIO, "%s: %s", root, strerror(errno));
    real = realpath(path, NULL);
    size_t size = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (real == NULL)
        r = eddy_fail(err, EDDY_EIO, "%s: %s", path, strerror(errno));
    else if (strncmp(real, top, size) != 0 || real[size] != '/')
        r = eddy_fail(err, EDDY_EUSAGE,
                      "%s: a link that leads out of the folder for S3", path);
    free(top);
    free(real);
    return r;
}
