#include "app/aws_table.h"

#include <string.h>

/* clang-format off */
#define COUNT(table) (sizeof(table) / sizeof *(table))
/* Members: required ones begin with a capital R. max 0: the model has no limit. */
#define TEXT(name_, min_, max_) {name_, EDDY_AWS_STRING, false, min_, max_, EDDY_AWS_ANY, NULL, NULL, 0}
#define R_TEXT(name_, min_, max_) {name_, EDDY_AWS_STRING, true, min_, max_, EDDY_AWS_ANY, NULL, NULL, 0}
#define OF(name_, min_, max_, pattern_) {name_, EDDY_AWS_STRING, false, min_, max_, pattern_, NULL, NULL, 0}
#define R_OF(name_, min_, max_, pattern_) {name_, EDDY_AWS_STRING, true, min_, max_, pattern_, NULL, NULL, 0}
#define CHOICE(name_, choices_) {name_, EDDY_AWS_STRING, false, 0, 0, EDDY_AWS_ANY, choices_, NULL, 0}
#define NUMBER(name_, type_, min_, max_) {name_, type_, false, min_, max_, EDDY_AWS_ANY, NULL, NULL, 0}
#define FLAG(name_) {name_, EDDY_AWS_BOOLEAN, false, 0, 0, EDDY_AWS_ANY, NULL, NULL, 0}
#define LIST(name_, max_, of_) {name_, EDDY_AWS_LIST, false, 0, max_, EDDY_AWS_ANY, NULL, of_, 1}
#define MAP(name_, max_, of_) {name_, EDDY_AWS_MAP, false, 0, max_, EDDY_AWS_ANY, NULL, of_, 2}
#define STRUCT(name_, of_) {name_, EDDY_AWS_STRUCTURE, false, 0, 0, EDDY_AWS_ANY, NULL, of_, COUNT(of_)}
#define R_STRUCT(name_, of_) {name_, EDDY_AWS_STRUCTURE, true, 0, 0, EDDY_AWS_ANY, NULL, of_, COUNT(of_)}
#define NAME(name_) OF(name_, 1, 63, EDDY_AWS_NAME)
#define R_NAME(name_) R_OF(name_, 1, 63, EDDY_AWS_NAME)
#define ARN(name_) OF(name_, 0, 256, EDDY_AWS_ARN)
#define R_ARN(name_) R_OF(name_, 0, 256, EDDY_AWS_ARN)
#define TAGS LIST("tags", 200, tag_list)
#define DOMAIN CHOICE("domain", "ECOMMERCE|VIDEO_ON_DEMAND")
#define ROLE OF("roleArn", 0, 256, EDDY_AWS_ROLE)
#define PAGE OF("nextToken", 0, 1500, EDDY_AWS_TOKEN), NUMBER("maxResults", EDDY_AWS_INTEGER, 1, 100)

/* ---- structures -------------------------------------------------------------------- */

static const struct eddy_aws_member tag[] = {R_OF("tagKey", 1, 128, EDDY_AWS_TAG), R_OF("tagValue", 0, 256, EDDY_AWS_TAG)};
static const struct eddy_aws_member tag_list[] = {STRUCT("member", tag)};
static const struct eddy_aws_member data_source[] = {OF("dataLocation", 0, 256, EDDY_AWS_LOCATION)};
static const struct eddy_aws_member parameters[] = {TEXT("key", 0, 256), TEXT("value", 0, 1000)};

static const struct eddy_aws_member integer_range[] = {TEXT("name", 0, 256),
    NUMBER("minValue", EDDY_AWS_INTEGER, -1e6, 1e300), NUMBER("maxValue", EDDY_AWS_INTEGER, -1e300, 1e6)};
static const struct eddy_aws_member continuous_range[] = {TEXT("name", 0, 256),
    NUMBER("minValue", EDDY_AWS_DOUBLE, -1e6, 1e300), NUMBER("maxValue", EDDY_AWS_DOUBLE, 0, 0)};
static const struct eddy_aws_member choice[] = {TEXT("member", 0, 1000)};
static const struct eddy_aws_member categorical_range[] = {TEXT("name", 0, 256), LIST("values", 100, choice)};
static const struct eddy_aws_member integer_ranges[] = {STRUCT("member", integer_range)};
static const struct eddy_aws_member continuous_ranges[] = {STRUCT("member", continuous_range)};
static const struct eddy_aws_member categorical_ranges[] = {STRUCT("member", categorical_range)};
static const struct eddy_aws_member ranges[] = {
    LIST("integerHyperParameterRanges", 100, integer_ranges),
    LIST("continuousHyperParameterRanges", 100, continuous_ranges),
    LIST("categoricalHyperParameterRanges", 100, categorical_ranges)};
static const struct eddy_aws_member objective[] = {TEXT("type", 0, 256), TEXT("metricName", 0, 256), TEXT("metricRegex", 0, 256)};
static const struct eddy_aws_member resources[] = {TEXT("maxNumberOfTrainingJobs", 0, 256), TEXT("maxParallelTrainingJobs", 0, 256)};
static const struct eddy_aws_member hpo[] = {STRUCT("hpoObjective", objective), STRUCT("hpoResourceConfig", resources),
    STRUCT("algorithmHyperParameterRanges", ranges)};

static const struct eddy_aws_member recipe_arn[] = {ARN("member")};
static const struct eddy_aws_member auto_ml[] = {TEXT("metricName", 0, 256), LIST("recipeList", 100, recipe_arn)};
static const struct eddy_aws_member event[] = {TEXT("eventType", 0, 256), NUMBER("eventValueThreshold", EDDY_AWS_DOUBLE, 0, 0),
    NUMBER("weight", EDDY_AWS_DOUBLE, 0, 1)};
static const struct eddy_aws_member event_list[] = {STRUCT("member", event)};
static const struct eddy_aws_member events[] = {LIST("eventParametersList", 10, event_list)};
static const struct eddy_aws_member optimization[] = {TEXT("itemAttribute", 1, 150),
    CHOICE("objectiveSensitivity", "LOW|MEDIUM|HIGH|OFF")};
static const struct eddy_aws_member column[] = {OF("member", 0, 150, EDDY_AWS_COLUMN)};
static const struct eddy_aws_member columns[] = {OF("key", 0, 256, EDDY_AWS_LETTERS), LIST("value", 50, column)};
static const struct eddy_aws_member training_data[] = {MAP("excludedDatasetColumns", 3, columns),
    MAP("includedDatasetColumns", 3, columns)};
static const struct eddy_aws_member auto_training[] = {OF("schedulingExpression", 1, 16, EDDY_AWS_RATE)};
static const struct eddy_aws_member solution_config[] = {
    TEXT("eventValueThreshold", 0, 256), STRUCT("hpoConfig", hpo),
    MAP("algorithmHyperParameters", 100, parameters),
    MAP("featureTransformationParameters", 100, parameters), STRUCT("autoMLConfig", auto_ml),
    STRUCT("eventsConfig", events), STRUCT("optimizationObjective", optimization),
    STRUCT("trainingDataConfig", training_data), STRUCT("autoTrainingConfig", auto_training)};

/* ---- operations -------------------------------------------------------------------- */

static const struct eddy_aws_member list_recipes[] = {CHOICE("recipeProvider", "SERVICE"), PAGE, DOMAIN};
static const struct eddy_aws_member of_recipe[] = {R_ARN("recipeArn")};
static const struct eddy_aws_member create_group[] = {R_NAME("name"), ROLE, OF("kmsKeyArn", 0, 2048, EDDY_AWS_KMS), DOMAIN, TAGS};
static const struct eddy_aws_member of_group[] = {R_ARN("datasetGroupArn")};
static const struct eddy_aws_member list_all[] = {PAGE};
static const struct eddy_aws_member create_schema[] = {R_NAME("name"), R_TEXT("schema", 0, 20000), DOMAIN};
static const struct eddy_aws_member of_schema[] = {R_ARN("schemaArn")};
static const struct eddy_aws_member create_dataset[] = {R_NAME("name"), R_ARN("schemaArn"), R_ARN("datasetGroupArn"),
    R_OF("datasetType", 0, 256, EDDY_AWS_LETTERS), TAGS};
static const struct eddy_aws_member of_dataset[] = {R_ARN("datasetArn")};
static const struct eddy_aws_member list_of_group[] = {ARN("datasetGroupArn"), PAGE};
static const struct eddy_aws_member create_import[] = {R_NAME("jobName"), R_ARN("datasetArn"),
    R_STRUCT("dataSource", data_source), ROLE, TAGS, CHOICE("importMode", "FULL|INCREMENTAL"),
    FLAG("publishAttributionMetricsToS3")};
static const struct eddy_aws_member of_import[] = {R_ARN("datasetImportJobArn")};
static const struct eddy_aws_member list_of_dataset[] = {ARN("datasetArn"), PAGE};
static const struct eddy_aws_member create_solution[] = {R_NAME("name"), FLAG("performHPO"), FLAG("performAutoML"),
    FLAG("performAutoTraining"), FLAG("performIncrementalUpdate"), ARN("recipeArn"),
    R_ARN("datasetGroupArn"), TEXT("eventType", 0, 256),
    STRUCT("solutionConfig", solution_config), TAGS};
static const struct eddy_aws_member of_solution[] = {R_ARN("solutionArn")};
static const struct eddy_aws_member create_version[] = {NAME("name"), R_ARN("solutionArn"),
    CHOICE("trainingMode", "FULL|UPDATE|AUTOTRAIN"), TAGS};
static const struct eddy_aws_member of_version[] = {R_ARN("solutionVersionArn")};
static const struct eddy_aws_member list_of_solution[] = {ARN("solutionArn"), PAGE};

#define ROW(name_, members_, run_, kind_, silent_) \
    {#name_, members_, COUNT(members_), eddy_control_##run_, kind_, silent_}
static const struct eddy_aws_operation operations[] = {
    ROW(ListRecipes, list_recipes, list_recipes, NULL, false),
    ROW(DescribeRecipe, of_recipe, describe_recipe, NULL, false),
    ROW(CreateDatasetGroup, create_group, create_group, NULL, false),
    ROW(DescribeDatasetGroup, of_group, describe, &eddy_kind_group, false),
    ROW(ListDatasetGroups, list_all, list, &eddy_kind_group, false),
    ROW(CreateSchema, create_schema, create_schema, NULL, false),
    ROW(DescribeSchema, of_schema, describe, &eddy_kind_schema, false),
    ROW(ListSchemas, list_all, list, &eddy_kind_schema, false),
    ROW(CreateDataset, create_dataset, create_dataset, NULL, false),
    ROW(DescribeDataset, of_dataset, describe, &eddy_kind_dataset, false),
    ROW(ListDatasets, list_of_group, list, &eddy_kind_dataset, false),
    ROW(CreateDatasetImportJob, create_import, create_import, NULL, false),
    ROW(DescribeDatasetImportJob, of_import, describe, &eddy_kind_import, false),
    ROW(ListDatasetImportJobs, list_of_dataset, list, &eddy_kind_import, false),
    ROW(CreateSolution, create_solution, create_solution, NULL, false),
    ROW(DescribeSolution, of_solution, describe_solution, &eddy_kind_solution, false),
    ROW(ListSolutions, list_of_group, list, &eddy_kind_solution, false),
    ROW(CreateSolutionVersion, create_version, create_version, NULL, false),
    ROW(DescribeSolutionVersion, of_version, describe, &eddy_kind_version, false),
    ROW(ListSolutionVersions, list_of_solution, list, &eddy_kind_version, false),
    ROW(StopSolutionVersionCreation, of_version, stop_version, NULL, true),
    ROW(GetSolutionMetrics, of_version, metrics, NULL, false),
};
/* clang-format on */

const struct eddy_aws_operation *eddy_aws_operation_find(const char *name)
{
    for (size_t i = 0; i < COUNT(operations); i++)
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    return NULL;
}
