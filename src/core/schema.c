/* Reading is strict where Amazon is: one record named Interactions, Items or Users, every
 * field with a name and a type of the list, or a union of one of them with null; required
 * fields of the right type; names unique after all but letters and digits are gone. */
#include "core/schema.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"
#include "core/event.h"
#include "core/text.h"

enum { CATEGORY_MAX = 1000, TEXT_MAX = 20000, SHOWN = 40 };

static const struct {
    const char *name;
    enum eddy_schema_type type;
    bool wide;
} types[] = {
    {"string", EDDY_SCHEMA_STRING, false}, {"int", EDDY_SCHEMA_INTEGER, false},
    {"long", EDDY_SCHEMA_INTEGER, true},   {"float", EDDY_SCHEMA_NUMBER, false},
    {"double", EDDY_SCHEMA_NUMBER, false}, {"boolean", EDDY_SCHEMA_BOOLEAN, false},
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

static const char *const kind_names[] = {"Interactions", "Items", "Users"};
enum { KIND_COUNT = sizeof kind_names / sizeof *kind_names };

/* Fields that a kind needs. */
static const struct {
    enum eddy_schema_kind kind;
    const char *name;
    enum eddy_schema_type type;
} required[] = {
    {EDDY_SCHEMA_INTERACTIONS, "USER_ID", EDDY_SCHEMA_STRING},
    {EDDY_SCHEMA_INTERACTIONS, "ITEM_ID", EDDY_SCHEMA_STRING},
    {EDDY_SCHEMA_INTERACTIONS, "TIMESTAMP", EDDY_SCHEMA_INTEGER},
    {EDDY_SCHEMA_ITEMS, "ITEM_ID", EDDY_SCHEMA_STRING},
    {EDDY_SCHEMA_USERS, "USER_ID", EDDY_SCHEMA_STRING},
};
enum { REQUIRED_COUNT = sizeof required / sizeof *required };

struct reader {
    struct eddy_span json;
    const char *file;
    struct eddy_err *err;
};

/* ---- lines ------------------------------------------------------------------------ */

enum { ROOT = -1 }; /* for the number of a field: the record itself */

/* A walk over JSON that jansson has read, which keeps no places. Depth 1 is inside the
 * record, 2 inside its list of fields, 3 inside a field. */
struct walk {
    const char *at, *end;
    unsigned line, depth;
    bool is_fields; /* the value of "fields", or its key has just been seen */
    int field;      /* number of the present one */
};

/* The string that begins at walk->at; moves behind it. */
static struct eddy_span take_string(struct walk *walk)
{
    const char *begin = ++walk->at;
    while (walk->at < walk->end && *walk->at != '"')
        walk->at += *walk->at == '\\' ? 2 : 1;
    struct eddy_span text = {begin, (size_t)(walk->at - begin)};
    walk->at++;
    return text;
}

static bool is_key(const struct walk *walk)
{
    const char *at = walk->at;
    while (at < walk->end && strchr(" \t\r\n", *at) != NULL)
        at++;
    return at < walk->end && *at == ':';
}

/* Over what is no string. */
static void take_sign(struct walk *walk)
{
    char c = *walk->at++;
    bool in_list = walk->is_fields && walk->depth == 2;
    walk->line += c == '\n' ? 1 : 0;
    if (c == ',' && in_list)
        walk->field++;
    if (c == ',' && walk->depth == 1)
        walk->is_fields = false;
    walk->depth += c == '{' || c == '[' ? 1 : 0;
    walk->depth -= c == '}' || c == ']' ? 1 : 0;
}

/* The line of a key of the record (field ROOT) or of one of its fields; where there is no
 * such key, that where the record or the field begins. */
static unsigned line_of(struct eddy_span json, int field, const char *key)
{
    struct walk walk = {.at = json.data, .end = json.data + json.size, .line = 1};
    unsigned begin = 0;
    while (walk.at < walk.end) {
        bool here = field == ROOT
                        ? walk.depth <= 1
                        : walk.is_fields && walk.depth >= 2 && walk.field == field;
        if (*walk.at != '"') {
            if (here && begin == 0 && strchr(" \t\r\n,", *walk.at) == NULL)
                begin = walk.line;
            take_sign(&walk);
            continue;
        }
        struct eddy_span text = take_string(&walk);
        if (!is_key(&walk))
            continue;
        if (here && walk.depth == (field == ROOT ? 1 : 3) &&
            eddy_span_eq(text, eddy_span_of(key)))
            return walk.line;
        if (walk.depth == 1)
            walk.is_fields = eddy_span_eq(text, eddy_span_of("fields"));
    }
    return begin > 0 ? begin : 1;
}

/* ---- the record ------------------------------------------------------------------- */

static int fail_field(const struct reader *reader, int at, const char *field,
                      const char *why)
{
    return eddy_fail(reader->err, EDDY_EFORMAT, "%s:%u: field %s: %s", reader->file,
                     line_of(reader->json, at, at == ROOT ? "fields" : "name"), field,
                     why);
}

static int fail_record(const struct reader *reader, const char *key, const char *why)
{
    return eddy_fail(reader->err, EDDY_EFORMAT, "%s:%u: %s", reader->file,
                     line_of(reader->json, ROOT, key), why);
}

static int read_type(const struct reader *reader, int at, const json_t *type,
                     struct eddy_schema_field *field)
{
    const char *name = json_string_value(type);
    if (type == NULL)
        return fail_field(reader, at, field->name, "it has no type");
    if (json_is_array(type)) {
        bool null = false;
        const char *other = NULL;
        for (size_t i = 0; i < json_array_size(type); i++) {
            const char *one = json_string_value(json_array_get(type, i));
            if (one != NULL && strcmp(one, "null") == 0)
                null = true;
            else
                other = one;
        }
        if (json_array_size(type) != 2 || !null || other == NULL)
            return fail_field(reader, at, field->name,
                              "a union is of null and one other type");
        field->nullable = true;
        name = other;
    }
    for (int t = 0; name != NULL && t < TYPE_COUNT; t++) {
        if (strcmp(name, types[t].name) == 0) {
            field->type = types[t].type;
            field->wide = types[t].wide;
            return 0;
        }
    }
    return fail_field(reader, at, field->name,
                      "its type is none of string, int, long, float, double, boolean");
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Equal when only letters and digits count. */
static bool is_clash(const char *a, const char *b)
{
    for (;;) {
        while (*a && !is_letter_or_digit(*a))
            a++;
        while (*b && !is_letter_or_digit(*b))
            b++;
        if (!*a || *a != *b)
            return *a == *b;
        a++;
        b++;
    }
}

static int read_field(const struct reader *reader, const json_t *entry,
                      struct eddy_schema *schema)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    struct eddy_schema_field *field = &schema->fields[schema->count];
    int at = (int)schema->count;
    *field = (struct eddy_schema_field){0};
    if (name == NULL || name[0] == '\0' || strlen(name) >= sizeof field->name)
        return eddy_fail(reader->err, EDDY_EFORMAT,
                         "%s:%u: field %d has no name of 1 to 127 bytes", reader->file,
                         line_of(reader->json, at, "name"), at + 1);
    memcpy(field->name, name, strlen(name) + 1);
    int r = read_type(reader, at, json_object_get(entry, "type"), field);
    if (r < 0)
        return r;
    field->categorical = json_is_true(json_object_get(entry, "categorical"));
    field->textual = json_is_true(json_object_get(entry, "textual"));
    if (field->textual &&
        (field->type != EDDY_SCHEMA_STRING || schema->kind != EDDY_SCHEMA_ITEMS))
        return fail_field(reader, at, name, "textual is for strings of Items");
    if (field->categorical && strcmp(name, "EVENT_TYPE") == 0)
        return fail_field(reader, at, name, "it cannot be categorical");
    for (uint32_t f = 0; f < schema->count; f++)
        if (is_clash(schema->fields[f].name, name))
            return fail_field(reader, at, name,
                              "another field has this name, but for signs that are no "
                              "letters or digits");
    schema->count++;
    return 0;
}

static const struct eddy_schema_field *find(const struct eddy_schema *schema,
                                            const char *name)
{
    for (uint32_t f = 0; f < schema->count; f++)
        if (strcmp(schema->fields[f].name, name) == 0)
            return &schema->fields[f];
    return NULL;
}

static int check_required(const struct reader *reader, const struct eddy_schema *schema)
{
    for (int i = 0; i < REQUIRED_COUNT; i++) {
        if (required[i].kind != schema->kind)
            continue;
        const struct eddy_schema_field *field = find(schema, required[i].name);
        if (field == NULL)
            return fail_field(reader, ROOT, required[i].name, "it is required");
        if (field->type != required[i].type || field->nullable)
            return fail_field(reader, (int)(field - schema->fields), required[i].name,
                              required[i].type == EDDY_SCHEMA_STRING
                                  ? "it has to be a string"
                                  : "it has to be a long");
    }
    if (schema->kind != EDDY_SCHEMA_INTERACTIONS && schema->count < 2)
        return fail_record(reader, "fields", "at least one metadata field is required");
    return 0;
}

static int read_record(const struct reader *reader, const json_t *root,
                       struct eddy_schema *schema)
{
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *name = json_string_value(json_object_get(root, "name"));
    const json_t *fields = json_object_get(root, "fields");
    int kind = 0, r = 0;
    if (type == NULL || strcmp(type, "record") != 0)
        return fail_record(reader, "type", "its type is not \"record\"");
    while (kind < KIND_COUNT && (name == NULL || strcmp(name, kind_names[kind]) != 0))
        kind++;
    if (kind == KIND_COUNT)
        return fail_record(reader, "name",
                           "its name is none of Interactions, Items, Users");
    if (!json_is_array(fields) || json_array_size(fields) > EDDY_SCHEMA_FIELDS_MAX)
        return fail_record(reader, "fields", "\"fields\" is no list of at most 110");
    _Static_assert(EDDY_SCHEMA_FIELDS_MAX == 110, "said above");
    schema->kind = (enum eddy_schema_kind)kind;
    for (size_t i = 0; r == 0 && i < json_array_size(fields); i++)
        r = read_field(reader, json_array_get(fields, i), schema);
    return r < 0 ? r : check_required(reader, schema);
}

int eddy_schema_parse(struct eddy_span json, const char *file, struct eddy_schema *ret,
                      struct eddy_err *err)
{
    struct reader reader = {json, file, err};
    json_error_t why;
    if (json.size > EDDY_SCHEMA_TEXT_MAX)
        return eddy_fail(err, EDDY_EFORMAT, "%s: a schema has at most %d characters",
                         file, EDDY_SCHEMA_TEXT_MAX);
    struct eddy_schema *schema = calloc(1, sizeof *schema);
    if (schema == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "%s: no memory", file);
    json_t *root = json_loadb(json.data, json.size, JSON_REJECT_DUPLICATES, &why);
    int r = root ? read_record(&reader, root, schema)
                 : eddy_fail(err, EDDY_EFORMAT, "%s:%d: %s", file, why.line, why.text);
    json_decref(root);
    if (r == 0)
        *ret = *schema;
    free(schema);
    return r;
}

/* ---- a CSV against it ------------------------------------------------------------- */

static bool is_integer(struct eddy_span text, bool wide)
{
    char digits[24];
    char *end;
    if (text.size == 0 || text.size >= sizeof digits)
        return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    size_t at = digits[0] == '-' || digits[0] == '+';
    if (digits[at] < '0' || digits[at] > '9')
        return false;
    long long value = strtoll(digits, &end, 10);
    return *end == '\0' && (wide || (value >= INT32_MIN &&
                                     value <= INT32_MAX)); /* 23 digits saturate */
}

/* NULL: fine. */
static const char *complaint(const struct eddy_schema_field *field,
                             struct eddy_span text)
{
    double number;
    if (text.size == 0)
        return field->nullable ? NULL : "is empty, and the schema does not allow null";
    switch (field->type) {
    case EDDY_SCHEMA_INTEGER:
        return is_integer(text, field->wide) ? NULL
               : field->wide                 ? "is no long"
                                             : "is no int";
    case EDDY_SCHEMA_NUMBER:
        return eddy_number_parse(text, &number) ? NULL : "is no number";
    case EDDY_SCHEMA_BOOLEAN:
        return eddy_span_eq(text, eddy_span_of("true")) ||
                       eddy_span_eq(text, eddy_span_of("false"))
                   ? NULL
                   : "is neither true nor false";
    case EDDY_SCHEMA_STRING: break;
    }
    if (field->categorical && text.size > CATEGORY_MAX)
        return "is longer than 1000 bytes, too long for a category";
    return text.size > TEXT_MAX ? "is longer than 20000 bytes" : NULL;
}

struct check {
    const struct eddy_schema *schema;
    struct eddy_csv csv;
    uint32_t
        at[EDDY_SCHEMA_FIELDS_MAX]; /* field of the row, EDDY_CSV_COLUMNS_MAX: none */
    uint32_t columns;
};

static int check_header(struct check *check, struct eddy_err *err)
{
    struct eddy_buf missing;
    int r = 0;
    eddy_buf_init(&missing, 0);
    for (uint32_t f = 0; f < check->schema->count; f++) {
        const struct eddy_schema_field *field = &check->schema->fields[f];
        check->at[f] = EDDY_CSV_COLUMNS_MAX;
        for (uint32_t i = 0; i < check->csv.count; i++)
            if (eddy_span_eq_nocase(check->csv.fields[i], eddy_span_of(field->name)))
                check->at[f] = i;
        if (check->at[f] == EDDY_CSV_COLUMNS_MAX && !field->nullable)
            eddy_buf_printf(&missing, "%s%s", missing.size > 0 ? ", " : "",
                            field->name);
    }
    check->columns = check->csv.count;
    if (missing.size > 0)
        r = eddy_fail(err, EDDY_EFORMAT,
                      "%s:1: Input CSV is missing the following columns:[%s]",
                      check->csv.name, missing.data);
    eddy_buf_fini(&missing);
    return r;
}

static int check_row(const struct check *check, struct eddy_err *err)
{
    const struct eddy_csv *csv = &check->csv;
    if (csv->count != check->columns)
        return 0; /* the reader of the data says so */
    for (uint32_t f = 0; f < check->schema->count; f++) {
        if (check->at[f] == EDDY_CSV_COLUMNS_MAX)
            continue;
        const struct eddy_schema_field *field = &check->schema->fields[f];
        struct eddy_span text = csv->fields[check->at[f]];
        const char *why = complaint(field, text);
        if (why != NULL)
            return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column %s: '%.*s' %s",
                             csv->name, (unsigned long long)csv->line, field->name,
                             text.size > SHOWN ? SHOWN : (int)text.size, text.data,
                             why);
    }
    return 0;
}

int eddy_schema_check(const struct eddy_schema *schema, struct eddy_span csv,
                      const char *file, uint64_t *ret_bad, struct eddy_err *err)
{
    struct check check = {.schema = schema};
    uint64_t bad = 0;
    eddy_csv_init(&check.csv, csv, file);
    int r = eddy_csv_next(&check.csv, err);
    if (r == 0)
        r = eddy_fail(err, EDDY_EFORMAT, "%s: empty, a header is needed", file);
    if (r > 0)
        r = check_header(&check, err);
    while (r == 0) {
        int more = eddy_csv_next(&check.csv, err);
        if (more == 0)
            break;
        r = more > 0 ? check_row(&check, err) : more;
        if (r == EDDY_EFORMAT && ret_bad != NULL) {
            bad++;
            r = 0;
        }
    }
    eddy_csv_fini(&check.csv);
    if (r == 0 && ret_bad != NULL)
        *ret_bad = bad;
    return r;
}

static const char *kind_of(const struct eddy_schema_field *field)
{
    if (strcmp(field->name, "CREATION_TIMESTAMP") == 0)
        return "ignored"; /* a rule of new items, no feature */
    if (field->categorical || field->type == EDDY_SCHEMA_BOOLEAN)
        return "categorical";
    if (field->textual)
        return "text";
    return field->type == EDDY_SCHEMA_STRING ? "ignored" : "numeric";
}

void eddy_schema_put_kinds(const struct eddy_schema *schema,
                           const struct eddy_catalog *catalog, struct eddy_buf *out)
{
    for (uint32_t c = 0; c < eddy_catalog_column_count(catalog); c++) {
        struct eddy_span name = eddy_catalog_column_name(catalog, c);
        for (uint32_t f = 0; f < schema->count; f++) {
            if (!eddy_span_eq_nocase(name, eddy_span_of(schema->fields[f].name)))
                continue;
            eddy_buf_puts(out, out->size > 0 ? "," : "");
            eddy_buf_put(out, name.data, name.size);
            eddy_buf_printf(out, "=%s", kind_of(&schema->fields[f]));
        }
    }
}
