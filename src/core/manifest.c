/* manifest.json: read and written through jansson, keys sorted, so that equal manifests are
 * equal bytes. The version is computed from what decides a step (core/snapshot.h). */
#include "core/manifest.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/text.h"

enum { FORMAT = 1, GAP_MAX = 366 * 86400 };

static const char *const cell_names[] = {"mingru", "gru", "plain_gru"};
static const char *const mode_names[] = {"flat", "init", "all"};

void eddy_manifest_hyper(const struct eddy_manifest *manifest, const char *name,
                         char ret[24])
{
    json_t *hyper =
        manifest->hyper_json ? json_loads(manifest->hyper_json, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(hyper, name));
    (void)snprintf(ret, 24, "%s", text ? text : "");
    json_decref(hyper);
}

void eddy_manifest_fini(struct eddy_manifest *manifest)
{
    for (uint32_t i = 0; i < EDDY_TYPES_MAX; i++) {
        free(manifest->types[i]);
    }
    free(manifest->hyper_json);
    free(manifest->data_json);
    free(manifest->metrics_json);
    free(manifest->features_json);
    free(manifest->head_json);
    free(manifest->stream_json);
    memset(manifest, 0, sizeof *manifest);
}

static void hash_bytes(const void *bytes, size_t size, char ret_hex[65])
{
    struct eddy_sha256 sha;
    unsigned char digest[32];
    eddy_sha256_init(&sha);
    eddy_sha256_update(&sha, bytes, size);
    eddy_sha256_final(&sha, digest);
    eddy_hex(digest, sizeof digest, ret_hex);
}

struct eddy_manifest_file eddy_manifest_file_of(struct eddy_span bytes)
{
    struct eddy_manifest_file file = {.size = bytes.size};
    hash_bytes(bytes.data, bytes.size, file.sha256);
    return file;
}

/* ---- encode ------------------------------------------------------------------------- */

/* The object in a JSON text; NULL text: an empty one. */
static int load_object(const char *what, const char *text, json_t **ret,
                       struct eddy_err *err)
{
    json_error_t error = {.text = "not an object"};
    json_t *object =
        text ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : json_object();
    if (!json_is_object(object)) {
        json_decref(object);
        return eddy_fail(err, EDDY_EFORMAT, "%s: no JSON object: %s", what, error.text);
    }
    *ret = object;
    return 0;
}

static json_t *types_array(const struct eddy_manifest *manifest)
{
    json_t *types = json_array();
    for (uint32_t i = 0; i < manifest->shape.types; i++) {
        if (json_array_append_new(types, json_string(manifest->types[i])) != 0) {
            json_decref(types);
            return NULL;
        }
    }
    return types;
}

/* What models without metadata do not have, so that theirs and their versions stay. */
static int add_features(const struct eddy_shape *shape, json_t *features, json_t *root)
{
    json_t *to = json_object_get(root, "shape");
    int failed = root == NULL;
    if (!failed && shape->item_features > 0) {
        failed |= json_object_set_new(to, "item_features",
                                      json_integer(shape->item_features));
    }
    if (!failed && shape->user_features > 0) {
        failed |= json_object_set_new(to, "user_features",
                                      json_integer(shape->user_features));
    }
    if (!failed && shape->context_features > 0) {
        failed |= json_object_set_new(to, "context_features",
                                      json_integer(shape->context_features));
    }
    if (!failed && features) {
        failed |= json_object_set(root, "features", features);
    }
    return failed ? EDDY_ENOMEM : 0;
}

/* All that decides a step. hyper is borrowed, and so are features, head and
 * stream, which may be NULL. NULL: memory. */
static json_t *canonical_object(const struct eddy_manifest *manifest, json_t *hyper,
                                json_t *features, json_t *head, json_t *stream)
{
    const struct eddy_shape *shape = &manifest->shape;
    json_t *root, *types = types_array(manifest);
    if (!types) {
        return NULL;
    }
    root = json_pack("{s:O, s:i, s:s, s:i, s:{s:i, s:i, s:i, s:i, s:s, s:s}, s:o}",
                     "hyper_parameters", hyper, "recent_events",
                     (int)manifest->recent_events, "recipe", manifest->recipe,
                     "session_gap_s", (int)manifest->session_gap_s, "shape", "items",
                     (int)shape->items, "hidden", (int)shape->hidden, "layers",
                     (int)shape->layers, "types", (int)shape->types, "cell",
                     cell_names[shape->cell], "mode", mode_names[shape->mode], "types",
                     types);
    if (add_features(shape, features, root) < 0 ||
        (head && json_object_set(root, "head", head) != 0) ||
        (stream && json_object_set(root, "stream", stream) != 0)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

static int compute_version(const json_t *canonical,
                           const struct eddy_manifest_files *files,
                           char ret[EDDY_SNAPSHOT_ID_SIZE])
{
    char *text =
        json_dumps(canonical, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text) {
        return EDDY_ENOMEM;
    }
    struct eddy_buf all;
    char hex[65];
    eddy_buf_init(&all, 0);
    eddy_buf_printf(&all, "%s\n%s\n%s", files->catalog.sha256, files->model.sha256,
                    text);
    hash_bytes(all.data, all.size, hex);
    int code = all.failed ? EDDY_ENOMEM : 0;
    eddy_buf_fini(&all);
    free(text);
    memcpy(ret, hex, EDDY_SNAPSHOT_ID_SIZE - 1);
    ret[EDDY_SNAPSHOT_ID_SIZE - 1] = '\0';
    return code;
}

static int check_types(const struct eddy_manifest *manifest, int code,
                       struct eddy_err *err)
{
    for (uint32_t i = 0; i < manifest->shape.types; i++) {
        const char *type = manifest->types[i];
        struct eddy_span text = eddy_span_of(type);
        if (!type || (i == 0) != (text.size == 0) || text.size > EDDY_TYPE_MAX ||
            !eddy_utf8_is_valid(text)) {
            return eddy_fail(err, code,
                             "types: number %u is '%s' (the first has to be empty, the "
                             "others 1 to %d bytes)",
                             i, type ? type : "missing", EDDY_TYPE_MAX);
        }
    }
    return 0;
}

/* code: what to fail with, EDDY_ECONFIG when writing, EDDY_EFORMAT when reading. */
static int check_ranges(const struct eddy_manifest *manifest, int code,
                        struct eddy_err *err)
{
    if (manifest->session_gap_s < 1 || manifest->session_gap_s > GAP_MAX) {
        return eddy_fail(err, code, "session_gap_s is %u, allowed is 1 to %d",
                         manifest->session_gap_s, GAP_MAX);
    }
    if (manifest->recent_events < 1 || manifest->recent_events > EDDY_RECENT_MAX) {
        return eddy_fail(err, code, "recent_events is %u, allowed is 1 to %d",
                         manifest->recent_events, EDDY_RECENT_MAX);
    }
    struct eddy_layout layout;
    struct eddy_err why;
    if (eddy_layout_init(&layout, &manifest->shape, &why) < 0) {
        return eddy_fail(err, code, "%.200s", why.text);
    }
    return check_types(manifest, code, err);
}

/* The canonical object becomes the whole manifest. Takes data and metrics over. */
static int add_rest(json_t *root, const struct eddy_manifest *manifest,
                    const struct eddy_manifest_files *files, json_t *data,
                    json_t *metrics)
{
    char created[24];
    eddy_time_format_iso(manifest->created_s, created, sizeof created);
    json_t *rest =
        json_pack("{s:i, s:s, s:o, s:o, s:I, s:s, s:{s:{s:s, s:I}, s:{s:s, s:I}}}",
                  "format", FORMAT, "version", manifest->version, "data", data,
                  "metrics", metrics, "seed", (json_int_t)manifest->seed, "created",
                  created, "files", EDDY_CATALOG_FILE, "sha256", files->catalog.sha256,
                  "size", (json_int_t)files->catalog.size, EDDY_MODEL_FILE, "sha256",
                  files->model.sha256, "size", (json_int_t)files->model.size);
    int failed = !rest || json_object_update(root, rest) != 0;
    json_decref(rest);
    return failed ? EDDY_ENOMEM : 0;
}

static int append(const char *bytes, size_t size, void *out)
{
    eddy_buf_put(out, bytes, size);
    return 0;
}

int eddy_manifest_encode(struct eddy_manifest *manifest,
                         const struct eddy_manifest_files *files, struct eddy_buf *out,
                         struct eddy_err *err)
{
    json_t *hyper = NULL, *data = NULL, *metrics = NULL, *root = NULL;
    json_t *features = NULL, *head = NULL, *stream = NULL;
    int code = check_ranges(manifest, EDDY_ECONFIG, err);
    if (code < 0) {
        return code;
    }
    code = load_object("hyper_parameters", manifest->hyper_json, &hyper, err);
    if (code == 0) {
        code = load_object("data", manifest->data_json, &data, err);
    }
    if (code == 0) {
        code = load_object("metrics", manifest->metrics_json, &metrics, err);
    }
    if (code == 0 && manifest->features_json) {
        code = load_object("features", manifest->features_json, &features, err);
    }
    if (code == 0 && manifest->head_json) {
        code = load_object("head", manifest->head_json, &head, err);
    }
    if (code == 0 && manifest->stream_json) {
        code = load_object("stream", manifest->stream_json, &stream, err);
    }
    if (code < 0) {
        goto out;
    }
    root = canonical_object(manifest, hyper, features, head, stream);
    code = root ? compute_version(root, files, manifest->version) : EDDY_ENOMEM;
    if (code == 0) {
        code = add_rest(root, manifest, files, json_incref(data), json_incref(metrics));
    }
    if (code == 0) {
        const size_t flags = JSON_SORT_KEYS | JSON_INDENT(2) | JSON_REAL_PRECISION(17);
        code = json_dump_callback(root, append, out, flags) != 0 ? EDDY_ENOMEM : 0;
        eddy_buf_putc(out, '\n');
    }
    if (code < 0 || out->failed) {
        code = eddy_fail(err, EDDY_ENOMEM, EDDY_MANIFEST_FILE ": no memory");
    }
out:
    json_decref(root);
    json_decref(head);
    json_decref(stream);
    json_decref(features);
    json_decref(metrics);
    json_decref(data);
    json_decref(hyper);
    return code;
}

/* ---- decode ------------------------------------------------------------------------- */

static int read_u64(const json_t *object, const char *key, uint64_t max, uint64_t *ret,
                    struct eddy_err *err)
{
    const json_t *number = json_object_get(object, key);
    if (!json_is_integer(number) || json_integer_value(number) < 0 ||
        (uint64_t)json_integer_value(number) > max) {
        return eddy_fail(err, EDDY_EFORMAT,
                         "%s is missing or no integer from 0 to %llu", key,
                         (unsigned long long)max);
    }
    *ret = (uint64_t)json_integer_value(number);
    return 0;
}

static int read_u32(const json_t *object, const char *key, uint32_t *ret,
                    struct eddy_err *err)
{
    uint64_t wide = 0;
    int code = read_u64(object, key, INT32_MAX, &wide, err);
    *ret = (uint32_t)wide;
    return code;
}

/* A string into room of size bytes. */
static int read_text(const json_t *object, const char *key, char *ret, size_t size,
                     struct eddy_err *err)
{
    const json_t *text = json_object_get(object, key);
    if (!json_is_string(text) || json_string_length(text) >= size) {
        return eddy_fail(err, EDDY_EFORMAT,
                         "%s is missing or no string below %zu bytes", key, size);
    }
    memcpy(ret, json_string_value(text), json_string_length(text) + 1);
    return 0;
}

static int read_name(const json_t *object, const char *key, const char *const *names,
                     int count, int *ret, struct eddy_err *err)
{
    char name[16];
    int code = read_text(object, key, name, sizeof name, err);
    for (int i = 0; code == 0 && i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return code < 0 ? code
                    : eddy_fail(err, EDDY_EFORMAT, "%s '%s' is not known", key, name);
}

static int read_shape(const json_t *root, struct eddy_shape *ret, struct eddy_err *err)
{
    const json_t *shape = json_object_get(root, "shape");
    int cell = 0, mode = 0;
    int code = read_u32(shape, "items", &ret->items, err);
    code = code ? code : read_u32(shape, "hidden", &ret->hidden, err);
    code = code ? code : read_u32(shape, "layers", &ret->layers, err);
    code = code ? code : read_u32(shape, "types", &ret->types, err);
    if (json_object_get(shape, "item_features")) {
        code = code ? code : read_u32(shape, "item_features", &ret->item_features, err);
    }
    if (json_object_get(shape, "user_features")) {
        code = code ? code : read_u32(shape, "user_features", &ret->user_features, err);
    }
    if (json_object_get(shape, "context_features")) {
        code = code ? code
                    : read_u32(shape, "context_features", &ret->context_features, err);
    }
    code = code ? code : read_name(shape, "cell", cell_names, 3, &cell, err);
    code = code ? code : read_name(shape, "mode", mode_names, 3, &mode, err);
    ret->cell = (enum eddy_cell)cell;
    ret->mode = (enum eddy_mode)mode;
    return code;
}

static int read_types(const json_t *root, struct eddy_manifest *ret,
                      struct eddy_err *err)
{
    const json_t *types = json_object_get(root, "types");
    if (json_array_size(types) != ret->shape.types ||
        ret->shape.types > EDDY_TYPES_MAX) {
        return eddy_fail(err, EDDY_EFORMAT, "types: %zu texts, the shape says %u",
                         json_array_size(types), ret->shape.types);
    }
    for (uint32_t i = 0; i < ret->shape.types; i++) {
        const char *text = json_string_value(json_array_get(types, i));
        ret->types[i] = text ? strdup(text) : NULL; /* check_types looks */
    }
    return 0;
}

/* An object, as canonical text. */
static int read_object(const json_t *root, const char *key, char **ret,
                       struct eddy_err *err)
{
    const json_t *object = json_object_get(root, key);
    if (!json_is_object(object)) {
        return eddy_fail(err, EDDY_EFORMAT, "%s is missing or no object", key);
    }
    *ret = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17));
    return *ret ? 0 : eddy_fail(err, EDDY_ENOMEM, "%s: no memory", key);
}

static int read_file(const json_t *root, const char *name,
                     struct eddy_manifest_file *ret, struct eddy_err *err)
{
    const json_t *file = json_object_get(json_object_get(root, "files"), name);
    if (!json_is_object(file)) {
        return eddy_fail(err, EDDY_EFORMAT, "files: %s is missing", name);
    }
    int code = read_text(file, "sha256", ret->sha256, sizeof ret->sha256, err);
    return code ? code : read_u64(file, "size", INT64_MAX, &ret->size, err);
}

static int read_fields(const json_t *root, struct eddy_manifest *ret,
                       struct eddy_manifest_files *ret_files, struct eddy_err *err)
{
    uint64_t format = 0;
    char created[32] = "";
    int64_t created_ms = 0;
    int code = read_u64(root, "format", INT32_MAX, &format, err);
    if (code == 0 && format != FORMAT) {
        return eddy_fail(err, EDDY_EFORMAT, "format %llu, this program knows %d",
                         (unsigned long long)format, FORMAT);
    }
    code = code ? code : read_file(root, EDDY_CATALOG_FILE, &ret_files->catalog, err);
    code = code ? code : read_file(root, EDDY_MODEL_FILE, &ret_files->model, err);
    code = code ? code
                : read_text(root, "version", ret->version, sizeof ret->version, err);
    code =
        code ? code : read_text(root, "recipe", ret->recipe, sizeof ret->recipe, err);
    code = code ? code : read_u32(root, "session_gap_s", &ret->session_gap_s, err);
    code = code ? code : read_u32(root, "recent_events", &ret->recent_events, err);
    code = code ? code : read_shape(root, &ret->shape, err);
    code = code ? code : read_types(root, ret, err);
    code = code ? code : read_object(root, "hyper_parameters", &ret->hyper_json, err);
    code = code ? code : read_object(root, "data", &ret->data_json, err);
    code = code ? code : read_object(root, "metrics", &ret->metrics_json, err);
    if (json_object_get(root, "features")) {
        code = code ? code : read_object(root, "features", &ret->features_json, err);
    }
    if (json_object_get(root, "head")) {
        code = code ? code : read_object(root, "head", &ret->head_json, err);
    }
    if (json_object_get(root, "stream")) {
        code = code ? code : read_object(root, "stream", &ret->stream_json, err);
    }
    code = code ? code : read_text(root, "created", created, sizeof created, err);
    if (code == 0 && !eddy_time_parse_iso(eddy_span_of(created), &created_ms)) {
        return eddy_fail(err, EDDY_EFORMAT, "created: '%s' is no time", created);
    }
    ret->created_s = created_ms / 1000;
    const json_t *seed = json_object_get(root, "seed");
    if (code == 0 && !json_is_integer(seed)) {
        return eddy_fail(err, EDDY_EFORMAT, "seed is missing or no integer");
    }
    ret->seed = (uint64_t)json_integer_value(seed);
    return code ? code : check_ranges(ret, EDDY_EFORMAT, err);
}

static int check_version(const json_t *root, const struct eddy_manifest *manifest,
                         const struct eddy_manifest_files *files, struct eddy_err *err)
{
    char version[EDDY_SNAPSHOT_ID_SIZE];
    json_t *canonical =
        canonical_object(manifest, json_object_get(root, "hyper_parameters"),
                         json_object_get(root, "features"),
                         json_object_get(root, "head"),
                         json_object_get(root, "stream"));
    int code = canonical ? compute_version(canonical, files, version) : EDDY_ENOMEM;
    json_decref(canonical);
    if (code < 0) {
        return eddy_fail(err, code, "no memory");
    }
    return strcmp(version, manifest->version) == 0
               ? 0
               : eddy_fail(
                     err, EDDY_EFORMAT,
                     "version is %s, its contents give %s: it was changed by hand "
                     "or damaged",
                     manifest->version, version);
}

int eddy_manifest_decode(struct eddy_span json, struct eddy_manifest *ret,
                         struct eddy_manifest_files *ret_files, struct eddy_err *err)
{
    struct eddy_manifest manifest = {0};
    struct eddy_err why = {0};
    json_error_t error = {.text = "not an object"};
    json_t *root = json_loadb(json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    int code;
    if (!json_is_object(root)) {
        code = eddy_fail(&why, EDDY_EFORMAT, "line %d: %s", error.line, error.text);
    } else {
        code = read_fields(root, &manifest, ret_files, &why);
        code = code ? code : check_version(root, &manifest, ret_files, &why);
    }
    json_decref(root);
    if (code < 0) {
        eddy_manifest_fini(&manifest);
        return eddy_fail(err, code, EDDY_MANIFEST_FILE ": %.200s", why.text);
    }
    *ret = manifest;
    return 0;
}
