/* Dataset groups, schemas, datasets, imports: what has to hold before one is made. Groups,
 * schemas and datasets are ACTIVE at once; an import is a job (app/jobs.h). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/control.h"
#include "core/schema.h"

int eddy_control_create_group(struct eddy_control_call *call)
{
    static const char *const kept[] = {"name", "roleArn", "kmsKeyArn", "domain", NULL};
    static const char *const told[] = {"domain", NULL};
    char resource[EDDY_RESOURCE_SIZE];
    json_t *doc = json_object();
    eddy_control_copy(call, kept, doc);
    if (eddy_control_tags(call, doc) < 0) {
        json_decref(doc);
        return -1;
    }
    eddy_control_copy(call, told, call->output);
    (void)snprintf(resource, sizeof resource, "dataset-group/%s",
                   eddy_control_text(call, "name"));
    return eddy_control_create(call, &eddy_kind_group, resource, "", "ACTIVE", false,
                               doc);
}

/* ---- schemas ---------------------------------------------------------------------- */

/* Read a schema's text; its kind (enum eddy_schema_kind), or -1 with what is wrong. */
static int read_schema(struct eddy_control_call *call, const char *text)
{
    struct eddy_err err = {0};
    struct eddy_schema *schema = malloc(sizeof *schema); /* too large for a stack */
    int r = schema ? eddy_schema_parse(eddy_span_of(text), "schema", schema, &err)
                   : eddy_fail(&err, EDDY_ENOMEM, "out of memory");
    int kind = r == 0 ? (int)schema->kind : -1;
    free(schema);
    if (r == EDDY_ENOMEM)
        return eddy_control_fail(call, &err);
    return r < 0 ? eddy_aws_fail(&call->error, "InvalidInputException",
                                 "Invalid Avro schema: %s", err.text)
                 : kind;
}

int eddy_control_create_schema(struct eddy_control_call *call)
{
    static const char *const kept[] = {"name", "schema", "domain", NULL};
    char resource[EDDY_RESOURCE_SIZE];
    int kind = read_schema(call, eddy_control_text(call, "schema"));
    if (kind < 0)
        return -1;
    json_t *doc = json_object();
    eddy_control_copy(call, kept, doc);
    (void)json_object_set_new(doc, "_kind", json_integer(kind));
    (void)snprintf(resource, sizeof resource, "schema/%s",
                   eddy_control_text(call, "name"));
    return eddy_control_create(call, &eddy_kind_schema, resource, "", NULL, false, doc);
}

/* ---- datasets --------------------------------------------------------------------- */

static const char *const dataset_types[] = {
    [EDDY_SCHEMA_INTERACTIONS] = "INTERACTIONS",
    [EDDY_SCHEMA_ITEMS] = "ITEMS",
    [EDDY_SCHEMA_USERS] = "USERS",
};

/* The type in capitals, as ARNs have it; -1: none that is offered. */
static int find_type(struct eddy_control_call *call)
{
    char type[32];
    const char *given = eddy_control_text(call, "datasetType");
    size_t i = 0;
    for (; given[i] && i + 1 < sizeof type; i++)
        type[i] = (char)toupper((unsigned char)given[i]);
    type[i] = '\0';
    for (int t = 0; t < 3; t++)
        if (strcmp(type, dataset_types[t]) == 0)
            return t;
    return eddy_aws_fail(
        &call->error, "InvalidInputException",
        "1 validation error detected: Value '%.60s' at 'datasetType' "
        "failed to satisfy constraint: datasets of Interactions, Items "
        "and Users are offered",
        given);
}

/* The schema and the group of a new dataset exist and fit its type; *ret_schema: the
 * schema's text, owned. */
static int check_dataset(struct eddy_control_call *call, int type, json_t **ret_schema)
{
    json_t *schema = NULL, *group = NULL;
    int r = eddy_control_read(call, &eddy_kind_schema,
                              eddy_control_text(call, "schemaArn"), &schema, NULL);
    if (r == 0)
        r = eddy_control_read(call, &eddy_kind_group,
                              eddy_control_text(call, "datasetGroupArn"), &group, NULL);
    int kind = (int)json_integer_value(json_object_get(schema, "_kind"));
    if (r == 0 && kind != type)
        r = eddy_aws_fail(&call->error, "InvalidInputException",
                          "The schema describes a dataset of type %s, not %s",
                          dataset_types[kind], dataset_types[type]);
    if (r == 0)
        *ret_schema = json_incref(json_object_get(schema, "schema"));
    json_decref(schema);
    json_decref(group);
    return r;
}

int eddy_control_create_dataset(struct eddy_control_call *call)
{
    static const char *const kept[] = {"name", "schemaArn", "datasetGroupArn", NULL};
    char resource[EDDY_RESOURCE_SIZE];
    json_t *schema = NULL;
    int type = find_type(call);
    if (type < 0 || check_dataset(call, type, &schema) < 0)
        return -1;
    json_t *doc = json_object();
    eddy_control_copy(call, kept, doc);
    (void)json_object_set_new(doc, "datasetType", json_string(dataset_types[type]));
    (void)json_object_set_new(doc, "_schema", schema);
    if (eddy_control_tags(call, doc) < 0) {
        json_decref(doc);
        return -1;
    }
    const char *group = eddy_control_text(call, "datasetGroupArn");
    (void)snprintf(resource, sizeof resource, "dataset/%s/%s", strrchr(group, '/') + 1,
                   dataset_types[type]);
    return eddy_control_create(call, &eddy_kind_dataset, resource, group, "ACTIVE",
                               false, doc);
}

/* ---- imports ---------------------------------------------------------------------- */

/* Where the files lie on this machine, -1: the location is not one that imports take. */
static int check_location(struct eddy_control_call *call)
{
    const char *root = call->control->config->api.s3_root;
    const char *location = json_string_value(
        json_object_get(json_object_get(call->input, "dataSource"), "dataLocation"));
    char path[EDDY_PATH_SIZE];
    struct eddy_err err = {0};
    if (location == NULL)
        return eddy_aws_fail(&call->error, "InvalidInputException",
                             "1 validation error detected: Value null at "
                             "'dataSource.dataLocation' failed to satisfy constraint: "
                             "Member must not be null");
    if (root[0] == '\0')
        return eddy_aws_fail(&call->error, "InvalidInputException",
                             "Imports are not configured here: set api.s3_root to the "
                             "folder that stands for S3");
    return eddy_s3_path(root, location, path, &err) < 0
               ? eddy_aws_fail(&call->error, "InvalidInputException", "%s", err.text)
               : 0;
}

int eddy_control_create_import(struct eddy_control_call *call)
{
    static const char *const kept[] = {"jobName",    "datasetArn",
                                       "dataSource", "roleArn",
                                       "importMode", "publishAttributionMetricsToS3",
                                       NULL};
    char resource[EDDY_RESOURCE_SIZE];
    json_t *dataset = NULL;
    const char *arn = eddy_control_text(call, "datasetArn");
    if (check_location(call) < 0 ||
        eddy_control_read(call, &eddy_kind_dataset, arn, &dataset, NULL) < 0)
        return -1;
    json_decref(dataset);
    json_t *doc = json_object();
    eddy_control_copy(call, kept, doc);
    if (eddy_control_text(call, "importMode") == NULL)
        (void)json_object_set_new(doc, "importMode", json_string("FULL"));
    if (eddy_control_tags(call, doc) < 0) {
        json_decref(doc);
        return -1;
    }
    (void)snprintf(resource, sizeof resource, "dataset-import-job/%s",
                   eddy_control_text(call, "jobName"));
    return eddy_control_create(call, &eddy_kind_import, resource, arn, "CREATE PENDING",
                               true, doc);
}
