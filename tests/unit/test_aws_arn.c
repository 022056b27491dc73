/* Names of resources and the folder that stands for S3. */
#include "app/aws_arn.h"

#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static void arns_are_built_and_read(void)
{
    char arn[EDDY_ARN_SIZE], region[EDDY_REGION_SIZE];
    eddy_arn_make("eu-west-1", "123456789012", "solution/s/0a1b2c3d", arn);
    CHECK_STR(arn, "arn:aws:personalize:eu-west-1:123456789012:solution/s/0a1b2c3d");
    CHECK_STR(eddy_arn_resource(arn), "solution/s/0a1b2c3d");
    eddy_arn_region(arn, region);
    CHECK_STR(region, "eu-west-1");
    eddy_arn_region("arn:aws:personalize:::recipe/aws-sims", region);
    CHECK_STR(region, "");
    eddy_arn_region("nothing", region);
    CHECK_STR(region, "");
}

static void the_kind_of_an_arn_counts_its_parts(void)
{
    static const struct {
        const char *resource, *kind;
        int parts;
        bool is;
    } rows[] = {
        {"solution/s", "solution", 1, true},   {"solution/s", "solution", 2, false},
        {"solution/s/1", "solution", 2, true}, {"solution/s/1", "solution", 1, false},
        {"solution", "solution", 1, false},    {"solution/", "solution", 1, false},
        {"solution//1", "solution", 2, false}, {"solutions/s", "solution", 1, false},
        {"solution/s/", "solution", 1, false}, {"dataset/g/ITEMS", "dataset", 2, true},
        {"schema/s", "dataset", 1, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char arn[EDDY_ARN_SIZE];
        eddy_arn_make("r", "123456789012", rows[i].resource, arn);
        if (!CHECK_INT(eddy_arn_is(arn, rows[i].kind, rows[i].parts), rows[i].is))
            fprintf(stderr, "    %s as %s, %d\n", arn, rows[i].kind, rows[i].parts);
    }
    CHECK(!eddy_arn_is("arn:aws:s3:r:123456789012:solution/s", "solution", 1));
    CHECK(!eddy_arn_is("solution/s", "solution", 1));
    CHECK(!eddy_arn_is("", "solution", 1));
}

static void locations_become_paths_below_the_root(void)
{
    static const struct {
        const char *root, *location, *path;
    } rows[] = {
        {"/data", "s3://bucket/key.csv", "/data/bucket/key.csv"},
        {"/data/", "s3://bucket/a/b.csv", "/data/bucket/a/b.csv"},
        {"/", "s3://bucket/key", "/bucket/key"},
        {"s3", "s3://bucket/folder/", "s3/bucket/folder/"},
        {"/data", "s3://bucket/..key", "/data/bucket/..key"},
        {"/data", "s3://b/ein schl\xc3\xbcssel", "/data/b/ein schl\xc3\xbcssel"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[EDDY_PATH_SIZE] = "";
        struct eddy_err err = {0};
        CHECK_INT(eddy_s3_path(rows[i].root, rows[i].location, path, &err), 0);
        CHECK_STR(path, rows[i].path);
    }
}

static void no_location_leads_out_of_the_root(void)
{
    static const char *const locations[] = {
        "s3://bucket/../key",
        "s3://../key",
        "s3://bucket/a/../../key",
        "s3://bucket/..",
        "s3://./key",
        "s3://bucket/./key",
        "s3:///etc/passwd",
        "/etc/passwd",
        "s3:/bucket/key",
        "S3://bucket/key",
        "http://bucket/key",
        "file:///etc/passwd",
        "s3://bucket//key",
        "s3://bucket",
        "s3://bucket/",
        "s3://",
        "",
        "s3://bucket/a\\..\\key",
        "s3://bucket/a\nb.csv",
        "s3://bucket/\x7f.csv",
    };
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        char path[EDDY_PATH_SIZE];
        struct eddy_err err = {0};
        if (!CHECK_INT(eddy_s3_path("/data", locations[i], path, &err), EDDY_EUSAGE))
            fprintf(stderr, "    %s\n", locations[i]);
        CHECK(strstr(err.text, "Invalid S3 input path") != NULL);
    }
    char *longest = calloc(1, EDDY_PATH_SIZE + 10), path[EDDY_PATH_SIZE];
    memset(longest, 'k', EDDY_PATH_SIZE);
    memcpy(longest, "s3://b/", 7);
    CHECK_INT(eddy_s3_path("/data", longest, path, NULL), EDDY_EUSAGE);
    free(longest);
}

static void links_are_followed_before_a_path_counts_as_inside(void)
{
    char folder[] = "/tmp/eddy-arn-XXXXXX", root[64], inside[96], out[96], missing[96];
    struct eddy_err err = {0};
    if (!CHECK(mkdtemp(folder) != NULL))
        return;
    (void)snprintf(root, sizeof root, "%s/root", folder);
    (void)snprintf(inside, sizeof inside, "%s/file", root);
    (void)snprintf(out, sizeof out, "%s/link", root);
    (void)snprintf(missing, sizeof missing, "%s/missing", root);
    CHECK_INT(eddy_make_folder(root, &err), 0);
    CHECK_INT(eddy_file_write(inside, eddy_span_of("x"), &err), 0);
    CHECK_INT(symlink("/etc/passwd", out), 0);
    CHECK_INT(eddy_s3_inside(root, inside, &err), 0);
    CHECK_INT(eddy_s3_inside(root, out, &err), EDDY_EUSAGE);
    CHECK_INT(eddy_s3_inside(root, missing, &err), EDDY_EIO);
    CHECK_INT(eddy_s3_inside(root, root, &err), EDDY_EUSAGE);
    /* A folder that only begins with the root's name is not inside. */
    CHECK_INT(eddy_s3_inside("/etc/pass", "/etc/passwd", &err), EDDY_EIO);
    CHECK_INT(eddy_s3_inside("/", inside, &err), 0);
    CHECK_INT(eddy_remove_folder(folder, &err), 0);
}

int main(void)
{
    RUN(arns_are_built_and_read);
    RUN(the_kind_of_an_arn_counts_its_parts);
    RUN(locations_become_paths_below_the_root);
    RUN(no_location_leads_out_of_the_root);
    RUN(links_are_followed_before_a_path_counts_as_inside);
    return check_done();
}
