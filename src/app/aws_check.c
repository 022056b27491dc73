/* The walk over a request beside its table. Messages are worded as the service words them:
 * "1 validation error detected: Value 'x' at 'name' failed to satisfy constraint: ...". */
#include "app/aws_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

int eddy_aws_fail(struct eddy_aws_error *error, const char *type, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(error->text, sizeof error->text, fmt, args); /* cut on purpose */
    va_end(args);
    error->type = type;
    return -1;
}

/* ---- patterns --------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Nothing but letters, digits and the signs given. */
static bool is_made_of(const char *text, const char *signs)
{
    for (; *text; text++)
        if (!is_letter(*text) && !is_digit(*text) && strchr(signs, *text) == NULL)
            return false;
    return true;
}

/* Behind "arn:PARTITION:SERVICE:", NULL: it does not begin so. */
static const char *behind_service(const char *text, const char *service)
{
    size_t size = strlen(service);
    if (strncmp(text, "arn:", 4) != 0)
        return NULL;
    size_t partition = strcspn(text + 4, ":");
    for (size_t i = 0; i < partition; i++)
        if (!(is_digit(text[4 + i]) || text[4 + i] == '-' ||
              (text[4 + i] >= 'a' && text[4 + i] <= 'z')))
            return NULL;
    text += 4 + partition;
    return partition > 0 && *text == ':' && strncmp(text + 1, service, size) == 0 &&
                   text[1 + size] == ':'
               ? text + size + 2
               : NULL;
}

static bool is_arn(const char *text)
{
    const char *at = behind_service(text, "personalize");
    at = at ? strchr(at, ':') : NULL;
    at = at ? strchr(at + 1, ':') : NULL;
    return at != NULL && at[1] != '\0';
}

/* Twelve digits and a colon. */
static bool is_account(const char *text)
{
    for (int i = 0; i < 12; i++)
        if (!is_digit(text[i]))
            return false;
    return text[12] == ':';
}

static bool is_role(const char *text)
{
    const char *at = behind_service(text, "iam");
    if (at == NULL || at[0] != ':' || !is_account(at + 1) ||
        strncmp(at + 14, "role", 4) != 0)
        return false;
    at += 18;
    return *at != '\0' && is_made_of(at, "_+=,.@-/");
}

static bool is_kms(const char *text)
{
    const char *at = strncmp(text, "arn:aws", 7) == 0 ? strstr(text, ":kms:") : NULL;
    for (at = at ? strchr(at + 5, ':') : NULL; at != NULL; at = strchr(at + 1, ':'))
        if (is_account(at + 1) && strncmp(at + 14, "key/", 4) == 0)
            return true;
    return false;
}

static bool is_location(const char *text)
{
    static const char *const schemes[] = {"s3://", "http://", "https://"};
    for (int i = 0; i < 3; i++) {
        size_t size = strlen(schemes[i]);
        if (strncmp(text, schemes[i], size) == 0)
            return text[size] != '\0';
    }
    return false;
}

/* Letters and digits of any script: bytes beyond ASCII are taken as such, which lets other
 * signs beyond ASCII pass. */
static bool is_tag(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x80 && !is_letter(*text) && !is_digit(*text) &&
            strchr(" _.:/=+-@", *text) == NULL)
            return false;
    return true;
}

static bool is_token(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static bool is_rate(const char *text)
{
    size_t digits = strncmp(text, "rate(", 5) == 0 ? strspn(text + 5, "0123456789") : 0;
    const char *unit = digits > 0 ? text + 5 + digits : "";
    return strcmp(unit, " day)") == 0 || strcmp(unit, " days)") == 0;
}

bool eddy_aws_matches(enum eddy_aws_pattern pattern, const char *text)
{
    switch (pattern) {
    case EDDY_AWS_ANY: return true;
    case EDDY_AWS_NAME:
        return (is_letter(text[0]) || is_digit(text[0])) && is_made_of(text, "-_");
    case EDDY_AWS_ARN: return is_arn(text);
    case EDDY_AWS_ROLE: return is_role(text);
    case EDDY_AWS_KMS: return is_kms(text);
    case EDDY_AWS_LOCATION: return is_location(text);
    case EDDY_AWS_LETTERS:
        return text[0] != '\0' && is_made_of(text, "_") &&
               strpbrk(text, "0123456789") == NULL;
    case EDDY_AWS_COLUMN:
        return text[0] != '\0' && !is_digit(text[0]) && is_made_of(text, "_");
    case EDDY_AWS_TAG: return is_tag(text);
    case EDDY_AWS_TOKEN: return is_token(text);
    case EDDY_AWS_RATE: return is_rate(text);
    }
    return false;
}

static const char *pattern_text(enum eddy_aws_pattern pattern)
{
    switch (pattern) {
    case EDDY_AWS_ANY: break;
    case EDDY_AWS_NAME: return "^[a-zA-Z0-9][a-zA-Z0-9\\-_]*";
    case EDDY_AWS_ARN: return "arn:([a-z\\d-]+):personalize:.*:.*:.+";
    case EDDY_AWS_ROLE:
        return "arn:([a-z\\d-]+):iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
    case EDDY_AWS_KMS: return "arn:aws.*:kms:.*:[0-9]{12}:key/.*";
    case EDDY_AWS_LOCATION: return "(s3|http|https)://.+";
    case EDDY_AWS_LETTERS: return "^[A-Za-z_]+$";
    case EDDY_AWS_COLUMN: return "[A-Za-z_][A-Za-z\\d_]*";
    case EDDY_AWS_TAG: return "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$";
    case EDDY_AWS_TOKEN: return "\\p{ASCII}{0,1500}";
    case EDDY_AWS_RATE: return "rate\\(\\d+ days?\\)";
    }
    return "";
}

/* ---- the walk --------------------------------------------------------------------- */

struct walk {
    struct eddy_buf path; /* "solutionConfig.eventsConfig" */
    struct eddy_aws_error *error;
};

static int check_value(struct walk *walk, const struct eddy_aws_member *member,
                       json_t *value);

static int fail_constraint(struct walk *walk, const char *value, const char *constraint)
{
    return eddy_aws_fail(
        walk->error, "InvalidInputException",
        "1 validation error detected: Value '%.100s' at '%s' failed to "
        "satisfy constraint: %s",
        value, walk->path.data ? walk->path.data : "", constraint);
}

static int fail_type(struct walk *walk, const char *wanted)
{
    return eddy_aws_fail(walk->error, "SerializationException", "'%s' has to be %s",
                         walk->path.data ? walk->path.data : "", wanted);
}

/* Characters, not bytes. */
static size_t length_of(const char *text)
{
    size_t length = 0;
    for (; *text; text++)
        length += ((unsigned char)*text & 0xc0) != 0x80;
    return length;
}

/* what: "length", "value". Every limit of the model is a whole number, or weight's 1. */
static int check_limits(struct walk *walk, const struct eddy_aws_member *member,
                        double value, const char *shown, const char *what)
{
    char text[96];
    bool limited = member->min < member->max;
    if (!limited || (value >= member->min && value <= member->max))
        return 0;
    (void)snprintf(text, sizeof text, "Member must have %s %s than or equal to %.15g",
                   what, value < member->min ? "greater" : "less",
                   value < member->min ? member->min : member->max);
    return fail_constraint(walk, shown, text);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t size = strlen(text);
    while (*choices) {
        size_t length = strcspn(choices, "|");
        if (length == size && memcmp(choices, text, size) == 0)
            return true;
        choices += length + (choices[length] == '|');
    }
    return false;
}

static int check_string(struct walk *walk, const struct eddy_aws_member *member,
                        const json_t *value)
{
    char text[512];
    if (!json_is_string(value))
        return fail_type(walk, "a string");
    const char *string = json_string_value(value);
    if (check_limits(walk, member, (double)length_of(string), string, "length") < 0)
        return -1;
    if (member->choices != NULL && !is_choice(member->choices, string)) {
        (void)snprintf(text, sizeof text,
                       "Member must satisfy enum value set: [%.400s]", member->choices);
        for (char *at = text; *at; at++)
            *at = *at == '|' ? ',' : *at;
        return fail_constraint(walk, string, text);
    }
    if (eddy_aws_matches(member->pattern, string))
        return 0;
    (void)snprintf(text, sizeof text,
                   "Member must satisfy regular expression pattern: %s",
                   pattern_text(member->pattern));
    return fail_constraint(walk, string, text);
}

static int check_number(struct walk *walk, const struct eddy_aws_member *member,
                        const json_t *value)
{
    char shown[32];
    bool integer = member->type == EDDY_AWS_INTEGER;
    if (integer ? !json_is_integer(value) : !json_is_number(value))
        return fail_type(walk, integer ? "an integer" : "a number");
    (void)snprintf(shown, sizeof shown, "%.15g", json_number_value(value));
    return check_limits(walk, member, json_number_value(value), shown, "value");
}

/* Check a value one step deeper: ".name" is added to the path while it lasts. */
static int check_below(struct walk *walk, const char *name,
                       const struct eddy_aws_member *member, json_t *value)
{
    size_t size = walk->path.size;
    eddy_buf_printf(&walk->path, "%s%.100s", size > 0 ? "." : "", name);
    int r = walk->path.failed
                ? eddy_aws_fail(walk->error, "InternalFailure", "out of memory")
                : check_value(walk, member, value);
    if (!walk->path.failed) {
        walk->path.size = size;
        walk->path.data[size] = '\0';
    }
    return r;
}

static int check_list(struct walk *walk, const struct eddy_aws_member *member,
                      const json_t *list)
{
    char name[40];
    int r = json_is_array(list) ? 0 : fail_type(walk, "a list");
    if (r == 0)
        r = check_limits(walk, member, (double)json_array_size(list), "[...]",
                         "length");
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        (void)snprintf(name, sizeof name, "%zu.member", i + 1);
        r = check_below(walk, name, member->of, json_array_get(list, i));
    }
    return r;
}

static int check_map(struct walk *walk, const struct eddy_aws_member *member,
                     json_t *map)
{
    const char *key;
    json_t *value;
    int r = json_is_object(map) ? 0 : fail_type(walk, "a map");
    if (r == 0)
        r = check_limits(walk, member, (double)json_object_size(map), "{...}",
                         "length");
    if (r < 0)
        return r;
    json_object_foreach(map, key, value)
    {
        json_t *name = json_string(key);
        r = name ? check_below(walk, key, &member->of[0], name)
                 : eddy_aws_fail(walk->error, "InternalFailure", "out of memory");
        json_decref(name);
        if (r == 0)
            r = check_below(walk, key, &member->of[1], value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_members(struct walk *walk, const struct eddy_aws_member *members,
                         size_t count, json_t *object)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        json_t *value = json_object_get(object, members[i].name);
        if (json_is_null(value)) {
            (void)json_object_del(object, members[i].name);
            value = NULL;
        }
        if (value != NULL)
            r = check_below(walk, members[i].name, &members[i], value);
        else if (members[i].required)
            r = eddy_aws_fail(walk->error, "InvalidInputException",
                              "1 validation error detected: Value null at '%s%s%s' "
                              "failed to satisfy constraint: Member must not be null",
                              walk->path.size > 0 ? walk->path.data : "",
                              walk->path.size > 0 ? "." : "", members[i].name);
    }
    return r;
}

static int check_value(struct walk *walk, const struct eddy_aws_member *member,
                       json_t *value)
{
    switch (member->type) {
    case EDDY_AWS_STRING: return check_string(walk, member, value);
    case EDDY_AWS_INTEGER:
    case EDDY_AWS_DOUBLE: return check_number(walk, member, value);
    case EDDY_AWS_BOOLEAN:
        return json_is_boolean(value) ? 0 : fail_type(walk, "true or false");
    case EDDY_AWS_LIST: return check_list(walk, member, value);
    case EDDY_AWS_MAP: return check_map(walk, member, value);
    case EDDY_AWS_STRUCTURE: break;
    }
    return json_is_object(value)
               ? check_members(walk, member->of, member->of_count, value)
               : fail_type(walk, "a structure");
}

int eddy_aws_check(const struct eddy_aws_member *members, size_t count, json_t *input,
                   struct eddy_aws_error *error)
{
    struct walk walk = {.error = error};
    eddy_buf_init(&walk.path, 0);
    int r = check_members(&walk, members, count, input);
    eddy_buf_fini(&walk.path);
    return r;
}
