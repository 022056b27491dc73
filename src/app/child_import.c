/* One import: every file is checked as `eddy train` would check it, against the schema and
 * by the reader of its kind, before a byte is written. The result is written beside its
 * place and renamed, so that an import that was cut off leaves nothing behind that looks
 * like one. */
#include "app/child_import.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/app.h"
#include "app/args.h"
#include "app/aws_arn.h"
#include "base/hash.h"
#include "core/interactions.h"
#include "core/schema.h"
#include "core/text.h"

struct arguments {
    const char *root, *source, *schema, *onto, *output;
};

static const struct eddy_arg rows[] = {
    {"root", 0, EDDY_ARG_TEXT, offsetof(struct arguments, root), "FOLDER",
     .help = "No file outside of it is read.", .required = true},
    {"source", 0, EDDY_ARG_TEXT, offsetof(struct arguments, source), "PATH",
     .help = "CSV file, or folder of CSV files.", .required = true},
    {"schema", 0, EDDY_ARG_TEXT, offsetof(struct arguments, schema), "FILE",
     .help = "Amazon's schema.", .required = true},
    {"onto", 0, EDDY_ARG_TEXT, offsetof(struct arguments, onto), "FILE",
     .help = "Rows that are there already."},
    {"output", 0, EDDY_ARG_TEXT, offsetof(struct arguments, output), "FILE",
     .help = "Where the rows go.", .required = true},
};

static const struct eddy_args command_line = {
    .command = "dataset-import",
    .usage = "--root FOLDER --source PATH --schema FILE --output FILE",
    .about = "The process of a dataset import job.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "",
};

enum { FILES_MAX = 10000, FIELDS = EDDY_SCHEMA_FIELDS_MAX };

struct job {
    const struct arguments *arguments;
    struct eddy_schema schema;
    char **paths; /* sorted by name */
    uint32_t count;
    bool used[FIELDS];   /* fields that a file has a column for */
    struct eddy_map ids; /* hash of an id -> file that has it, from 1; items, users */
    struct eddy_buf out;
    uint64_t rows;
};

/* ---- which files ------------------------------------------------------------------ */

static int add_path(struct job *job, const char *path, struct eddy_err *err)
{
    int r = eddy_s3_inside(job->arguments->root, path, err);
    if (r == 0 && job->count == FILES_MAX)
        r = eddy_fail(err, EDDY_EUSAGE, "%s: more than %d files",
                      job->arguments->source, FILES_MAX);
    if (r == 0 && (job->paths[job->count] = strdup(path)) == NULL)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the names of files");
    job->count += r == 0;
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a folder, none of its folders. */
static int add_folder(struct job *job, struct eddy_err *err)
{
    const char *folder = job->arguments->source;
    size_t size = strlen(folder);
    char path[EDDY_PATH_SIZE];
    struct stat about;
    int r = eddy_s3_inside(job->arguments->root, folder, err);
    DIR *dir = r == 0 ? opendir(folder) : NULL;
    if (r == 0 && dir == NULL)
        return eddy_fail(err, EDDY_EIO, "%s: the folder cannot be read", folder);
    for (const struct dirent *entry = NULL; r == 0 && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' ||
            (size_t)snprintf(path, sizeof path, "%.*s/%s",
                             (int)(size - (folder[size - 1] == '/')), folder,
                             entry->d_name) >= sizeof path)
            continue;
        if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
            r = add_path(job, path, err);
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (r == 0 && job->count == 0)
        r = eddy_fail(err, EDDY_EIO, "%s: there is no file in the folder", folder);
    if (r == 0)
        qsort(job->paths, job->count, sizeof *job->paths, by_name);
    return r;
}

static int find_files(struct job *job, struct eddy_err *err)
{
    const char *source = job->arguments->source;
    struct stat about;
    job->paths = calloc(FILES_MAX, sizeof *job->paths);
    if (job->paths == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the names of files");
    if (stat(source, &about) != 0)
        return eddy_fail(err, EDDY_EIO, "Invalid S3 input path: %s is not there",
                         source);
    return S_ISDIR(about.st_mode) ? add_folder(job, err) : add_path(job, source, err);
}

/* ---- are they right --------------------------------------------------------------- */

static int read_schema(struct job *job, struct eddy_err *err)
{
    struct eddy_file file;
    int r = eddy_file_open(job->arguments->schema, &file, err);
    if (r < 0)
        return r;
    r = eddy_schema_parse(file.bytes, job->arguments->schema, &job->schema, err);
    eddy_file_close(&file);
    return r;
}

/* By the reader that training takes. */
static int check_reader(const struct job *job, struct eddy_span csv, const char *path,
                        struct eddy_err *err)
{
    struct eddy_interactions_options options = {.no_hash = true};
    struct eddy_interactions interactions = {0};
    struct eddy_catalog *catalog = NULL;
    int r = 0;
    switch (job->schema.kind) {
    case EDDY_SCHEMA_INTERACTIONS:
        r = eddy_interactions_parse(csv, path, &options, &interactions, err);
        if (r == 0)
            eddy_interactions_fini(&interactions);
        break;
    case EDDY_SCHEMA_ITEMS:
        r = eddy_items_parse(csv, path, false, &catalog, err);
        break;
    case EDDY_SCHEMA_USERS:
        r = eddy_users_parse(csv, path, false, &catalog, err);
        break;
    }
    eddy_catalog_free(catalog);
    return r;
}

/* The columns of the schema's fields in a header, EDDY_CSV_COLUMNS_MAX: none. */
static void find_columns(const struct eddy_schema *schema, const struct eddy_csv *csv,
                         uint32_t ret[FIELDS])
{
    for (uint32_t f = 0; f < schema->count; f++) {
        ret[f] = EDDY_CSV_COLUMNS_MAX;
        for (uint32_t c = 0; c < csv->count; c++)
            if (eddy_span_eq_nocase(csv->fields[c],
                                    eddy_span_of(schema->fields[f].name)))
                ret[f] = c;
    }
}

/* Which fields the file has columns for. */
static int look_at_header(struct job *job, struct eddy_span bytes, const char *path,
                          struct eddy_err *err)
{
    struct eddy_csv csv;
    uint32_t at[FIELDS];
    eddy_csv_init(&csv, bytes, path);
    int r = eddy_csv_next(&csv, err);
    if (r == 1) {
        find_columns(&job->schema, &csv, at);
        for (uint32_t f = 0; f < job->schema.count; f++)
            job->used[f] = job->used[f] || at[f] != EDDY_CSV_COLUMNS_MAX;
    }
    eddy_csv_fini(&csv);
    return r < 0 ? r : 0;
}

static int check_file(struct job *job, const char *path, bool is_new,
                      struct eddy_err *err)
{
    struct eddy_file file;
    int r = eddy_file_open(path, &file, err);
    if (r < 0)
        return r;
    if (is_new)
        r = eddy_schema_check(&job->schema, file.bytes, path, NULL, err);
    if (r == 0 && is_new)
        r = check_reader(job, file.bytes, path, err);
    if (r == 0)
        r = look_at_header(job, file.bytes, path, err);
    eddy_file_close(&file);
    return r;
}

/* ---- one of all ------------------------------------------------------------------- */

/* Items and users: whether a newer file has the id already, which counts then. */
static bool is_replaced(struct job *job, struct eddy_span id, uint32_t file, bool *ret)
{
    uint64_t hash = eddy_hash64(id);
    uint32_t owner = eddy_map_get(&job->ids, hash);
    *ret = owner != EDDY_MAP_NONE && owner != file;
    return owner != EDDY_MAP_NONE || eddy_map_put(&job->ids, hash, file) == 0;
}

static void put_header(struct job *job)
{
    const char *comma = "";
    for (uint32_t f = 0; f < job->schema.count; f++) {
        if (!job->used[f])
            continue;
        eddy_buf_puts(&job->out, comma);
        eddy_csv_put(&job->out, eddy_span_of(job->schema.fields[f].name));
        comma = ",";
    }
    eddy_buf_putc(&job->out, '\n');
}

static void put_row(struct job *job, const struct eddy_csv *csv,
                    const uint32_t at[FIELDS])
{
    const char *comma = "";
    for (uint32_t f = 0; f < job->schema.count; f++) {
        if (!job->used[f])
            continue;
        eddy_buf_puts(&job->out, comma);
        if (at[f] < csv->count)
            eddy_csv_put(&job->out, csv->fields[at[f]]);
        comma = ",";
    }
    eddy_buf_putc(&job->out, '\n');
    job->rows++;
}

/* number: of the file, from 1. */
static int put_file(struct job *job, const char *path, uint32_t number,
                    struct eddy_err *err)
{
    const char *id = job->schema.kind == EDDY_SCHEMA_ITEMS ? "ITEM_ID" : "USER_ID";
    bool once = job->schema.kind != EDDY_SCHEMA_INTERACTIONS;
    struct eddy_csv csv;
    struct eddy_file file;
    uint32_t at[FIELDS], key = 0;
    int r = eddy_file_open(path, &file, err);
    if (r < 0)
        return r;
    eddy_csv_init(&csv, file.bytes, path);
    if ((r = eddy_csv_next(&csv, err)) == 1)
        find_columns(&job->schema, &csv, at);
    while (key < job->schema.count && strcmp(job->schema.fields[key].name, id) != 0)
        key++;
    while (r == 1 && (r = eddy_csv_next(&csv, err)) == 1) {
        bool replaced = false;
        if (once && !is_replaced(job, csv.fields[at[key]], number, &replaced))
            r = eddy_fail(err, EDDY_ENOMEM, "no memory for ids");
        if (r == 1 && !replaced)
            put_row(job, &csv, at);
        if (job->out.failed)
            r = eddy_fail(err, EDDY_ENOMEM, "no memory for the rows");
    }
    eddy_csv_fini(&csv);
    eddy_file_close(&file);
    return r;
}

/* Of interactions what is there already comes first, and order is kept. Of items and users
 * the newest come first, so that who comes later with an id of theirs is passed over. */
static int put_all(struct job *job, struct eddy_err *err)
{
    const char *onto = job->arguments->onto;
    bool once = job->schema.kind != EDDY_SCHEMA_INTERACTIONS;
    int r = 0;
    put_header(job);
    if (onto != NULL && !once)
        r = put_file(job, onto, job->count + 1, err);
    for (uint32_t i = 0; r == 0 && i < job->count; i++) {
        uint32_t file = once ? job->count - 1 - i : i;
        r = put_file(job, job->paths[file], file + 1, err);
    }
    if (r == 0 && onto != NULL && once)
        r = put_file(job, onto, job->count + 1, err);
    return r < 0
               ? r
               : eddy_file_write(job->arguments->output, eddy_buf_span(&job->out), err);
}

static int import(struct job *job, struct eddy_err *err)
{
    int r = read_schema(job, err);
    if (r == 0)
        r = find_files(job, err);
    for (uint32_t i = 0; r == 0 && i < job->count; i++)
        r = check_file(job, job->paths[i], true, err);
    if (r == 0 && job->arguments->onto != NULL)
        r = check_file(job, job->arguments->onto, false, err);
    if (r == 0 && (r = eddy_map_init(&job->ids, 1024)) < 0)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for ids");
    return r < 0 ? r : put_all(job, err);
}

int eddy_cmd_dataset_import(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct job *job = calloc(1, sizeof *job);
    struct eddy_err err = {0};
    int code;
    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code)) {
        free(job);
        return code;
    }
    int r = job ? 0 : eddy_fail(&err, EDDY_ENOMEM, "out of memory");
    if (job != NULL) {
        job->arguments = &arguments;
        eddy_buf_init(&job->out, 0);
        r = import(job, &err);
        if (r == 0)
            (void)printf("{\"rows\":%" PRIu64 "}\n", job->rows);
        for (uint32_t i = 0; i < job->count; i++)
            free(job->paths[i]);
        free(job->paths);
        eddy_map_fini(&job->ids);
        eddy_buf_fini(&job->out);
        free(job);
    }
    return r < 0 ? eddy_app_fail("dataset-import", &err) : EDDY_EXIT_OK;
}
