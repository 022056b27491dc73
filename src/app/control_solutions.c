/* Solutions and their versions. A solution is ACTIVE at once; a version is a job
 * (app/jobs.h) that takes what the solution says at the moment it is asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "app/control.h"
#include "app/solution_words.h"

/* ---- solutions -------------------------------------------------------------------- */

static int refuse_member(struct eddy_control_call *call, const char *member)
{
    return eddy_aws_fail(&call->error, "InvalidInputException",
                         "%s is not offered yet: leave it out", member);
}

/* What would change nothing is said, not swallowed. */
static int refuse_unknown(struct eddy_control_call *call)
{
    static const char *const flags[] = {"performAutoML", "performAutoTraining",
                                        "performIncrementalUpdate"};
    static const char *const members[] = {"trainingDataConfig", "autoMLConfig",
                                          "autoTrainingConfig"};
    const json_t *config = json_object_get(call->input, "solutionConfig");
    const char *objective = json_string_value(json_object_get(
        json_object_get(config, "optimizationObjective"), "objectiveSensitivity"));
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (json_is_true(json_object_get(call->input, flags[i])))
            return refuse_member(call, flags[i]);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(config, members[i]) != NULL)
            return refuse_member(call, members[i]);
    if (json_object_get(config, "optimizationObjective") != NULL &&
        (objective == NULL || strcmp(objective, "OFF") != 0))
        return refuse_member(call, "optimizationObjective");
    return 0;
}

static int check_solution(struct eddy_control_call *call)
{
    json_t *group = NULL;
    struct eddy_words words = {.count = 0};
    if (eddy_control_text(call, "recipeArn") == NULL)
        return eddy_aws_fail(&call->error, "InvalidInputException",
                             "1 validation error detected: Value null at 'recipeArn' "
                             "failed to satisfy constraint: Member must not be null");
    if (refuse_unknown(call) < 0)
        return -1;
    int r = eddy_solution_words(call->input, &words, &call->error);
    eddy_words_fini(&words);
    if (r == 0 && json_is_true(json_object_get(call->input, "performHPO")))
        r = eddy_solution_check_hpo(call->input, &call->error);
    if (r == 0)
        r = eddy_control_read(call, &eddy_kind_group,
                              eddy_control_text(call, "datasetGroupArn"), &group, NULL);
    json_decref(group);
    return r;
}

int eddy_control_create_solution(struct eddy_control_call *call)
{
    static const char *const kept[] = {"name",           "recipeArn", "datasetGroupArn",
                                       "solutionConfig", "eventType", NULL};
    static const char *const flags[] = {"performHPO", "performAutoML",
                                        "performAutoTraining",
                                        "performIncrementalUpdate"};
    char resource[EDDY_RESOURCE_SIZE];
    if (check_solution(call) < 0)
        return -1;
    json_t *doc = json_object();
    eddy_control_copy(call, kept, doc);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        (void)json_object_set_new(
            doc, flags[i],
            json_boolean(json_is_true(json_object_get(call->input, flags[i]))));
    if (eddy_control_tags(call, doc) < 0) {
        json_decref(doc);
        return -1;
    }
    (void)snprintf(resource, sizeof resource, "solution/%s",
                   eddy_control_text(call, "name"));
    return eddy_control_create(call, &eddy_kind_solution, resource,
                               eddy_control_text(call, "datasetGroupArn"), "ACTIVE",
                               false, doc);
}

int eddy_control_describe_solution(struct eddy_control_call *call)
{
    json_t *version = NULL;
    if (eddy_control_describe(call) < 0)
        return -1;
    int r = eddy_control_newest(call, &eddy_kind_version,
                                eddy_control_text(call, "solutionArn"), &version);
    if (r == 1)
        (void)json_object_set_new(json_object_get(call->output, "solution"),
                                  "latestSolutionVersion",
                                  eddy_control_summary(&eddy_kind_version, version));
    json_decref(version);
    return r < 0 ? -1 : 0;
}

/* ---- versions --------------------------------------------------------------------- */

/* Interactions have been imported: what a training needs at least. */
static int check_data(struct eddy_control_call *call, const json_t *solution)
{
    const char *group = json_string_value(json_object_get(solution, "datasetGroupArn"));
    char resource[EDDY_RESOURCE_SIZE], region[EDDY_REGION_SIZE], arn[EDDY_ARN_SIZE];
    json_t *dataset = NULL;
    (void)snprintf(resource, sizeof resource, "dataset/%s/INTERACTIONS",
                   strrchr(group, '/') + 1);
    eddy_arn_region(group, region);
    eddy_arn_make(region, call->control->config->api.account, resource, arn);
    if (eddy_control_read(call, &eddy_kind_dataset, arn, &dataset, NULL) < 0)
        return -1;
    bool filled = json_object_get(dataset, "_data") != NULL;
    json_decref(dataset);
    return filled ? 0
                  : eddy_aws_fail(&call->error, "InvalidInputException",
                                  "Dataset %s holds no data yet: import interactions "
                                  "first, and wait until the import is ACTIVE",
                                  arn);
}

static json_t *version_of(const struct eddy_control_call *call, const json_t *solution)
{
    static const char *const kept[] = {"solutionArn", "name", NULL};
    static const char *const taken[] = {
        "performHPO",      "performAutoML", "performIncrementalUpdate", "recipeArn",
        "datasetGroupArn", "eventType",     "solutionConfig",           NULL};
    json_t *doc = json_object();
    eddy_control_copy(call, kept, doc);
    for (const char *const *name = taken; *name != NULL; name++) {
        json_t *value = json_object_get(solution, *name);
        if (value != NULL)
            (void)json_object_set(doc, *name, value);
    }
    (void)json_object_set_new(doc, "trainingMode", json_string("FULL"));
    (void)json_object_set_new(doc, "trainingType", json_string("MANUAL"));
    return doc;
}

int eddy_control_create_version(struct eddy_control_call *call)
{
    const char *arn = eddy_control_text(call, "solutionArn");
    const char *mode = eddy_control_text(call, "trainingMode");
    char resource[EDDY_RESOURCE_SIZE];
    json_t *solution = NULL;
    uint32_t id = 0;
    if (mode != NULL && strcmp(mode, "FULL") != 0)
        return eddy_aws_fail(&call->error, "InvalidInputException",
                             "trainingMode %s is not offered yet: FULL is", mode);
    if (eddy_control_read(call, &eddy_kind_solution, arn, &solution, NULL) < 0)
        return -1;
    json_t *doc = version_of(call, solution);
    if (check_data(call, solution) < 0 || eddy_control_tags(call, doc) < 0) {
        json_decref(solution);
        json_decref(doc);
        return -1;
    }
    json_decref(solution);
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id) {
        json_decref(doc);
        return eddy_aws_fail(&call->error, "InternalFailure", "no random numbers");
    }
    (void)snprintf(resource, sizeof resource, "%s/%08x", eddy_arn_resource(arn), id);
    return eddy_control_create(call, &eddy_kind_version, resource, arn,
                               "CREATE PENDING", true, doc);
}

static const char *status_of(const json_t *doc)
{
    const char *status = json_string_value(json_object_get(doc, "status"));
    return status ? status : "";
}

int eddy_control_stop_version(struct eddy_control_call *call)
{
    enum { TRIES = 5 }; /* the job may move the status in between */
    const char *arn = eddy_control_text(call, "solutionVersionArn");
    int r = 0;
    for (int i = 0; r == 0 && i < TRIES; i++) {
        json_t *doc = NULL;
        struct eddy_buf text;
        eddy_buf_init(&text, 0);
        r = eddy_control_read(call, &eddy_kind_version, arn, &doc, &text);
        if (r == 0 && strcmp(status_of(doc), "CREATE PENDING") != 0 &&
            strcmp(status_of(doc), "CREATE IN_PROGRESS") != 0)
            r = eddy_aws_fail(&call->error, "InvalidInputException",
                              "Solution version %s is %s: only one that is CREATE "
                              "PENDING or CREATE IN_PROGRESS can be stopped",
                              arn, status_of(doc));
        if (r == 0) {
            (void)json_object_set_new(doc, "status", json_string("CREATE STOPPING"));
            r = eddy_control_replace(call, arn, text.data, doc);
        }
        json_decref(doc);
        eddy_buf_fini(&text);
    }
    if (r == 0)
        return eddy_aws_fail(&call->error, "ResourceInUseException",
                             "Solution version %s is changing its status; try again",
                             arn);
    if (r > 0 && call->control->wake != NULL)
        call->control->wake(call->control->wake_context);
    return r < 0 ? -1 : 0;
}

int eddy_control_metrics(struct eddy_control_call *call)
{
    const char *arn = eddy_control_text(call, "solutionVersionArn");
    json_t *doc = NULL;
    if (eddy_control_read(call, &eddy_kind_version, arn, &doc, NULL) < 0)
        return -1;
    int r = strcmp(status_of(doc), "ACTIVE") == 0
                ? 0
                : eddy_aws_fail(&call->error, "ResourceInUseException",
                                "Solution version %s is %s: metrics are there when it "
                                "is ACTIVE",
                                arn, status_of(doc));
    json_t *metrics = json_object_get(doc, "_metrics");
    if (r == 0) {
        (void)json_object_set_new(call->output, "solutionVersionArn", json_string(arn));
        (void)json_object_set_new(call->output, "metrics",
                                  metrics ? json_incref(metrics) : json_object());
    }
    json_decref(doc);
    return r;
}
