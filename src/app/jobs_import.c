/* A dataset import job: a process reads, checks and joins the files, then the dataset's
 * document is pointed at the result. The file of the import before goes; trainings have
 * links of their own to what they read. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/control.h"
#include "app/jobs_priv.h"

/* api.folder/REGION/dataset/GROUP/KIND, made if need be. */
static int data_folder(struct eddy_job *job, const char *dataset_arn,
                       char ret[EDDY_PATH_SIZE], struct eddy_err *err)
{
    char region[EDDY_REGION_SIZE];
    eddy_arn_region(dataset_arn, region);
    (void)snprintf(ret, EDDY_PATH_SIZE, "%.*s/%s/%s", EDDY_PATH_SIZE - 400,
                   job->jobs->config->api.folder, region,
                   eddy_arn_resource(dataset_arn));
    return eddy_make_folder(ret, err);
}

/* The child that makes FILE out of the job's location. */
static enum eddy_job_end run_child(struct eddy_job *job, const json_t *dataset,
                                   const char *file)
{
    const char *location =
        eddy_job_text(json_object_get(job->doc, "dataSource"), "dataLocation");
    const char *root = job->jobs->config->api.s3_root;
    const char *schema = eddy_job_text(dataset, "_schema");
    const char *data = json_string_value(json_object_get(dataset, "_data"));
    bool increment = strcmp(eddy_job_text(job->doc, "importMode"), "INCREMENTAL") == 0;
    char source[EDDY_PATH_SIZE], schema_path[EDDY_PATH_SIZE];
    struct eddy_words words = {.count = 0};
    struct eddy_err err = {0};
    if (increment && data == NULL)
        return eddy_job_fail(job, "importMode INCREMENTAL adds to a dataset that holds "
                                  "data: import it with FULL first");
    if (root[0] == '\0')
        return eddy_job_fail(job, "api.s3_root is not set here");
    eddy_job_path(job, "schema.json", schema_path);
    if (eddy_s3_path(root, location, source, &err) < 0 ||
        eddy_file_write(schema_path, eddy_span_of(schema), &err) < 0)
        return eddy_job_fail(job, "%s", err.text);
    eddy_words_add(&words, "dataset-import");
    eddy_words_printf(&words, "--root=%s", root);
    eddy_words_printf(&words, "--source=%s", source);
    eddy_words_printf(&words, "--schema=%s", schema_path);
    eddy_words_printf(&words, "--output=%s", file);
    if (increment)
        eddy_words_printf(&words, "--onto=%s", data);
    return eddy_job_run(job, "import", &words);
}

/* Point the dataset's document at the file: DONE, or LEFT when another import has changed
 * it meanwhile, so that this one has to be done again. */
static enum eddy_job_end point_at(struct eddy_job *job, const char *arn,
                                  const char *before, json_t *dataset, const char *file)
{
    struct eddy_err err = {0};
    (void)json_object_set_new(dataset, "_data", json_string(file));
    (void)json_object_set_new(dataset, "lastUpdatedDateTime", eddy_control_now());
    char *after = eddy_control_dump(dataset);
    struct eddy_document_change change = {.id = arn, .before = before, .after = after};
    int r = after ? eddy_documents_change(job->jobs->documents, &change, &err)
                  : EDDY_ENOMEM;
    free(after);
    if (r == 0)
        (void)eddy_remove_folder(job->folder, NULL);
    return r == 1 ? EDDY_JOB_DONE : EDDY_JOB_LEFT;
}

static enum eddy_job_end import_into(struct eddy_job *job, const char *arn,
                                     const char *before, json_t *dataset)
{
    char folder[EDDY_PATH_SIZE], file[EDDY_PATH_SIZE];
    struct eddy_err err = {0};
    if (data_folder(job, arn, folder, &err) < 0)
        return eddy_job_fail(job, "%s", err.text);
    (void)snprintf(file, sizeof file, "%.*s/%s.csv", EDDY_PATH_SIZE - 100, folder,
                   eddy_job_text(job->doc, "jobName"));
    const char *data = json_string_value(json_object_get(dataset, "_data"));
    if (data != NULL && strcmp(data, file) == 0)
        return EDDY_JOB_DONE; /* all but the last word was said before */
    char *old = data ? strdup(data) : NULL;
    enum eddy_job_end end = run_child(job, dataset, file);
    if (end == EDDY_JOB_DONE)
        end = point_at(job, arn, before, dataset, file);
    if (end == EDDY_JOB_DONE && old != NULL)
        (void)unlink(old);
    free(old);
    return end;
}

enum eddy_job_end eddy_job_import(struct eddy_job *job)
{
    const char *arn = eddy_job_text(job->doc, "datasetArn");
    struct eddy_err err = {0};
    struct eddy_buf text;
    json_t *dataset = NULL;
    eddy_buf_init(&text, 0);
    int r = eddy_job_read(job, arn, &dataset, &text, &err);
    enum eddy_job_end end = r == 1   ? import_into(job, arn, text.data, dataset)
                            : r == 0 ? eddy_job_fail(job, "dataset %s is gone", arn)
                                     : EDDY_JOB_LEFT;
    json_decref(dataset);
    eddy_buf_fini(&text);
    if (end == EDDY_JOB_DONE)
        (void)eddy_remove_folder(job->folder, NULL);
    return end;
}
