/* The validator against the tables of real operations, and its patterns one by one. */
#include "app/aws_check.h"

#include <stdlib.h>

#include "app/aws.h"
#include "app/aws_table.h"
#include "check.h"

/* The error of an input, "" where it passes; the message is left in the static error. */
static struct eddy_aws_error error;
static const char *ask(const char *operation_name, const char *input)
{
    const struct eddy_aws_operation *operation =
        eddy_aws_operation_find(operation_name);
    json_error_t why;
    json_t *object = json_loads(input, 0, &why);
    error = (struct eddy_aws_error){.type = NULL};
    if (!CHECK(operation != NULL) || !CHECK(object != NULL)) {
        fprintf(stderr, "    %s %s: %s\n", operation_name, input, why.text);
        json_decref(object);
        return "?";
    }
    int r = eddy_aws_check(operation->members, operation->member_count, object, &error);
    CHECK_INT(r, error.type ? -1 : 0);
    json_decref(object);
    return error.type ? error.type : "";
}

#define GROUP   "\"arn:aws:personalize:us-east-1:123456789012:dataset-group/g\""
#define INVALID "InvalidInputException"
#define SERIAL  "SerializationException"

static void members_are_checked_and_named(void)
{
    static const struct {
        const char *operation, *input, *type, *word, *more;
    } rows[] = {
        {"CreateDatasetGroup", "{\"name\":\"shop\"}", "", "", ""},
        {"CreateDatasetGroup", "{\"name\":\"shop\",\"newer\":{\"x\":1}}", "", "", ""},
        {"CreateDatasetGroup", "{\"name\":\"shop\",\"domain\":null}", "", "", ""},
        {"CreateDatasetGroup", "{}", INVALID, "'name'", "not be null"},
        {"CreateDatasetGroup", "{\"name\":null}", INVALID, "'name'", "not be null"},
        {"CreateDatasetGroup", "{\"name\":\"\"}", INVALID, "'name'", "or equal to 1"},
        {"CreateDatasetGroup", "{\"name\":\"_x\"}", INVALID, "'name'", "pattern"},
        {"CreateDatasetGroup", "{\"name\":7}", SERIAL, "'name'", "a string"},
        {"CreateDatasetGroup", "{\"name\":\"x\",\"domain\":\"SHOP\"}", INVALID,
         "'domain'", "[ECOMMERCE,VIDEO_ON_DEMAND]"},
        {"CreateDatasetGroup", "{\"name\":\"x\",\"tags\":{}}", SERIAL, "'tags'",
         "list"},
        {"CreateDatasetGroup", "{\"name\":\"x\",\"tags\":[{\"tagKey\":\"k\"}]}",
         INVALID, "'tags.1.member.tagValue'", "not be null"},
        {"CreateDatasetGroup",
         "{\"name\":\"x\",\"tags\":[{\"tagKey\":\"k\",\"tagValue\":\"\"},7]}", SERIAL,
         "'tags.2.member'", "structure"},
        {"ListSchemas", "{\"maxResults\":100}", "", "", ""},
        {"ListSchemas", "{\"maxResults\":0}", INVALID, "'maxResults'", "or equal to 1"},
        {"ListSchemas", "{\"maxResults\":101}", INVALID, "'maxResults'", "to 100"},
        {"ListSchemas", "{\"maxResults\":7.5}", SERIAL, "'maxResults'", "integer"},
        {"ListSchemas", "{\"nextToken\":\"\xc3\xa4\"}", INVALID, "'nextToken'",
         "ASCII"},
        {"CreateDatasetImportJob",
         "{\"jobName\":\"j\",\"datasetArn\":" GROUP ",\"dataSource\":"
         "{\"dataLocation\":\"ftp://x\"}}",
         INVALID, "'dataSource.dataLocation'", "pattern"},
        {"CreateDatasetImportJob",
         "{\"jobName\":\"j\",\"datasetArn\":" GROUP ",\"dataSource\":{},"
         "\"publishAttributionMetricsToS3\":\"true\"}",
         SERIAL, "'publishAttributionMetricsToS3'", "true or false"},
        {"CreateSolution",
         "{\"name\":\"s\",\"datasetGroupArn\":" GROUP ",\"solutionConfig\":{"
         "\"algorithmHyperParameters\":{\"bptt\":32}}}",
         SERIAL, "'solutionConfig.algorithmHyperParameters.bptt'", "a string"},
        {"CreateSolution",
         "{\"name\":\"s\",\"datasetGroupArn\":" GROUP ",\"solutionConfig\":{"
         "\"eventsConfig\":{\"eventParametersList\":[{\"eventType\":\"a\"},"
         "{\"weight\":1.5}]}}}",
         INVALID, "'solutionConfig.eventsConfig.eventParametersList.2.member.weight'",
         "less than or equal to 1"},
        /* The model's own slip: maxValue of a continuous range has no limit here. */
        {"CreateSolution",
         "{\"name\":\"s\",\"datasetGroupArn\":" GROUP
         ",\"solutionConfig\":{\"hpoConfig\":"
         "{\"algorithmHyperParameterRanges\":{\"continuousHyperParameterRanges\":["
         "{\"name\":\"x\",\"minValue\":-1e6,\"maxValue\":-2e6}]}}}}",
         "", "", ""},
        {"CreateSolution", "{\"name\":\"s\",\"datasetGroupArn\":\"arn:aws:x\"}",
         INVALID, "'datasetGroupArn'", "pattern"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool held = CHECK_STR(ask(rows[i].operation, rows[i].input), rows[i].type);
        held = CHECK(strstr(error.text, rows[i].word) != NULL) && held;
        held = CHECK(strstr(error.text, rows[i].more) != NULL) && held;
        if (!held)
            fprintf(stderr, "    %s %s\n    %s\n", rows[i].operation, rows[i].input,
                    error.text);
    }
}

static void lengths_count_characters_not_bytes(void)
{
    char input[1200];
    size_t at = (size_t)snprintf(input, sizeof input,
                                 "{\"name\":\"s\",\"datasetGroupArn\":" GROUP
                                 ",\"eventType\":\"");
    for (int i = 0; i < 256; i++, at += 2)
        memcpy(input + at, "\xc3\xa4", 2);
    memcpy(input + at, "\"}", 3);
    CHECK_STR(ask("CreateSolution", input), "");
    memcpy(input + at, "x\"}", 4);
    CHECK_STR(ask("CreateSolution", input), INVALID);
}

static void patterns_cover_the_whole_text(void)
{
    static const struct {
        enum eddy_aws_pattern pattern;
        const char *text;
        bool matches;
    } rows[] = {
        {EDDY_AWS_NAME, "a-B_9", true},
        {EDDY_AWS_NAME, "-a", false},
        {EDDY_AWS_NAME, "a b", false},
        {EDDY_AWS_NAME, "a/b", false},
        {EDDY_AWS_ARN, "arn:aws:personalize:::recipe/aws-sims", true},
        {EDDY_AWS_ARN, "arn:aws-cn:personalize:r:1:x", true},
        {EDDY_AWS_ARN, "arn:aws:personalize:r:1:", false},
        {EDDY_AWS_ARN, "arn:AWS:personalize:r:1:x", false},
        {EDDY_AWS_ARN, "arn::personalize:r:1:x", false},
        {EDDY_AWS_ARN, "arn:aws:personalize", false},
        {EDDY_AWS_ARN, "arn:", false},
        {EDDY_AWS_ROLE, "arn:aws:iam::123456789012:role/path/Name+=,.@-_", true},
        {EDDY_AWS_ROLE, "arn:aws:iam::12345678901:role/x", false},
        {EDDY_AWS_ROLE, "arn:aws:iam::123456789012:user/x", false},
        {EDDY_AWS_ROLE, "arn:aws:iam::123456789012:role", false},
        {EDDY_AWS_ROLE, "arn:aws:iam:", false},
        {EDDY_AWS_KMS, "arn:aws:kms:eu-west-1:123456789012:key/1-2", true},
        {EDDY_AWS_KMS, "arn:aws:kms::123456789012:key/", true},
        {EDDY_AWS_KMS, "arn:aws:kms:123456789012:key/1", false},
        {EDDY_AWS_KMS, "arn:aws:kms:r:123:key/1", false},
        {EDDY_AWS_LOCATION, "s3://b", true},
        {EDDY_AWS_LOCATION, "https://b", true},
        {EDDY_AWS_LOCATION, "s3://", false},
        {EDDY_AWS_LOCATION, "file:///x", false},
        {EDDY_AWS_LETTERS, "Action_Interactions", true},
        {EDDY_AWS_LETTERS, "Items2", false},
        {EDDY_AWS_LETTERS, "", false},
        {EDDY_AWS_COLUMN, "GENRE_L2", true},
        {EDDY_AWS_COLUMN, "2GENRE", false},
        {EDDY_AWS_TAG, "team: a/b+c=d@e-f", true},
        {EDDY_AWS_TAG, "schl\xc3\xbcssel", true},
        {EDDY_AWS_TAG, "a;b", false},
        {EDDY_AWS_RATE, "rate(7 days)", true},
        {EDDY_AWS_RATE, "rate(1 day)", true},
        {EDDY_AWS_RATE, "rate(x days)", false},
        {EDDY_AWS_RATE, "rate(7 hours)", false},
        {EDDY_AWS_RATE, "rate(", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!CHECK_INT(eddy_aws_matches(rows[i].pattern, rows[i].text),
                       rows[i].matches))
            fprintf(stderr, "    %s\n", rows[i].text);
}

static void regions_come_from_the_scope_of_the_signature(void)
{
    static const struct {
        const char *header, *region;
    } rows[] = {
        {"AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/personalize/aws4_request, "
         "SignedHeaders=host, Signature=00",
         "eu-west-1"},
        {"AWS4-HMAC-SHA256 Credential=AKID/20260101/../personalize/aws4_request",
         "us-east-1"},
        {"AWS4-HMAC-SHA256 Credential=AKID/20260101/{x}:y/personalize", "us-east-1"},
        {"AWS4-HMAC-SHA256 Credential=AKID/20260101", "us-east-1"},
        {"AWS4-HMAC-SHA256 Credential=A/2/this-is-longer-than-any-region-there-is-1/p",
         "us-east-1"},
        {"Bearer x", "us-east-1"},
        {"", "us-east-1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char region[EDDY_REGION_SIZE];
        eddy_aws_region(eddy_span_of(rows[i].header), region);
        CHECK_STR(region, rows[i].region);
    }
}

static void operations_are_found_by_name(void)
{
    CHECK(eddy_aws_operation_find("CreateSolutionVersion") != NULL);
    CHECK(eddy_aws_operation_find("CreateCampaign") == NULL);
    CHECK(eddy_aws_operation_find("") == NULL);
}

int main(void)
{
    RUN(members_are_checked_and_named);
    RUN(lengths_count_characters_not_bytes);
    RUN(patterns_cover_the_whole_text);
    RUN(regions_come_from_the_scope_of_the_signature);
    RUN(operations_are_found_by_name);
    return check_done();
}
