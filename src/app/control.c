/* What all kinds of resources have in common: documents, Describe, List.
 *
 * A list's members are "PARENT|TIME|ARN" (TIME: of creation, 13 digits of ms), so that a
 * filter by parent is a range of them, pages come in order of creation, and a page that
 * begins behind a member stays right when others are made or go. A token is the last member
 * of a page and a checksum that it belongs to this very list, in hexadecimal digits. */
#include "app/control.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

enum { PAGE = 100, TIMEOUT_MS = 1000, SECOND_NS = 1000000000 };

const struct eddy_control_kind eddy_kind_group = {
    .title = "dataset group",
    .arn_kind = "dataset-group",
    .arn_parts = 1,
    .index = "dataset-group",
    .arn_member = "datasetGroupArn",
    .answer = "datasetGroup",
    .plural = "datasetGroups",
    .summary = {"name", "datasetGroupArn", "status", "creationDateTime",
                "lastUpdatedDateTime", "failureReason", "domain"},
};
const struct eddy_control_kind eddy_kind_schema = {
    .title = "schema",
    .arn_kind = "schema",
    .arn_parts = 1,
    .index = "schema",
    .arn_member = "schemaArn",
    .answer = "schema",
    .plural = "schemas",
    .summary = {"name", "schemaArn", "creationDateTime", "lastUpdatedDateTime",
                "domain"},
};
const struct eddy_control_kind eddy_kind_dataset = {
    .title = "dataset",
    .arn_kind = "dataset",
    .arn_parts = 2,
    .index = "dataset",
    .arn_member = "datasetArn",
    .answer = "dataset",
    .plural = "datasets",
    .parent = "datasetGroupArn",
    .summary = {"name", "datasetArn", "datasetType", "status", "creationDateTime",
                "lastUpdatedDateTime"},
};
const struct eddy_control_kind eddy_kind_import = {
    .title = "dataset import job",
    .arn_kind = "dataset-import-job",
    .arn_parts = 1,
    .index = "dataset-import-job",
    .arn_member = "datasetImportJobArn",
    .answer = "datasetImportJob",
    .plural = "datasetImportJobs",
    .parent = "datasetArn",
    .summary = {"datasetImportJobArn", "jobName", "status", "creationDateTime",
                "lastUpdatedDateTime", "failureReason", "importMode"},
};
const struct eddy_control_kind eddy_kind_solution = {
    .title = "solution",
    .arn_kind = "solution",
    .arn_parts = 1,
    .index = "solution",
    .arn_member = "solutionArn",
    .answer = "solution",
    .plural = "solutions",
    .parent = "datasetGroupArn",
    .summary = {"name", "solutionArn", "status", "creationDateTime",
                "lastUpdatedDateTime", "recipeArn"},
};
const struct eddy_control_kind eddy_kind_version = {
    .title = "solution version",
    .arn_kind = "solution",
    .arn_parts = 2,
    .index = "solution-version",
    .arn_member = "solutionVersionArn",
    .answer = "solutionVersion",
    .plural = "solutionVersions",
    .parent = "solutionArn",
    .summary = {"solutionVersionArn", "status", "trainingMode", "trainingType",
                "creationDateTime", "lastUpdatedDateTime", "failureReason"},
};

int eddy_control_open(struct eddy_control *control, const struct eddy_config *config,
                      struct eddy_err *err)
{
    *control = (struct eddy_control){.config = config, .redis = config->redis};
    if (control->redis.timeout_ms > TIMEOUT_MS)
        control->redis.timeout_ms = TIMEOUT_MS;
    control->documents =
        eddy_documents_open(&control->redis, config->group, "eddy-control");
    return control->documents ? 0 : eddy_fail(err, EDDY_ENOMEM, "out of memory");
}

void eddy_control_close(struct eddy_control *control)
{
    eddy_documents_close(control->documents);
    control->documents = NULL;
}

/* ---- Redis, and what it says ------------------------------------------------------ */

/* All requests wait for the one that asks Redis: while it hangs, one of them a second does,
 * the others get its last words. */
static bool is_away(struct eddy_control *control, struct eddy_err *err)
{
    if (control->away_ns == 0 ||
        eddy_monotonic_ns() - control->away_ns >= (uint64_t)SECOND_NS)
        return false;
    *err = control->away;
    return true;
}

/* Remember how an exchange went, and fail the call if it did not go well. */
static int note(struct eddy_control_call *call, int r, const struct eddy_err *err)
{
    struct eddy_control *control = call->control;
    control->away_ns = 0;
    if (r == EDDY_ESTORE) {
        control->away_ns = eddy_monotonic_ns();
        control->away = *err;
    }
    return r < 0 ? eddy_control_fail(call, err) : r;
}

int eddy_control_fail(struct eddy_control_call *call, const struct eddy_err *err)
{
    bool away = eddy_err_class(err->code) == EDDY_CLASS_RETRY;
    return eddy_aws_fail(&call->error, away ? "ServiceUnavailable" : "InternalFailure",
                         "%s", err->text);
}

static int fail_memory(struct eddy_control_call *call)
{
    return eddy_aws_fail(&call->error, "InternalFailure", "out of memory");
}

json_t *eddy_control_now(void)
{
    return json_real((double)eddy_now_ms() / 1000);
}

char *eddy_control_dump(const json_t *doc)
{
    /* 13 digits: seconds with milliseconds, without the noise of binary fractions. */
    return json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(13));
}

const char *eddy_control_text(const struct eddy_control_call *call, const char *member)
{
    return json_string_value(json_object_get(call->input, member));
}

void eddy_control_copy(const struct eddy_control_call *call, const char *const *names,
                       json_t *doc)
{
    for (; *names != NULL; names++) {
        json_t *value = json_object_get(call->input, *names);
        if (value != NULL)
            (void)json_object_set(doc, *names, value);
    }
}

int eddy_control_tags(struct eddy_control_call *call, json_t *doc)
{
    enum { TAGS = 50 }; /* the table allows 200, a resource holds fewer */
    json_t *tags = json_object_get(call->input, "tags");
    if (json_array_size(tags) > TAGS)
        return eddy_aws_fail(&call->error, "TooManyTagsException",
                             "A resource has at most %d tags, not %zu", TAGS,
                             json_array_size(tags));
    if (tags != NULL)
        (void)json_object_set(doc, "_tags", tags);
    return 0;
}

static int not_found(struct eddy_control_call *call,
                     const struct eddy_control_kind *kind, const char *arn)
{
    return eddy_aws_fail(&call->error, "ResourceNotFoundException",
                         "There is no %s with ARN %s", kind->title, arn);
}

int eddy_control_read(struct eddy_control_call *call,
                      const struct eddy_control_kind *kind, const char *arn,
                      json_t **ret, struct eddy_buf *ret_text)
{
    struct eddy_err err = {0};
    struct eddy_buf text;
    if (!eddy_arn_is(arn, kind->arn_kind, kind->arn_parts))
        return not_found(call, kind, arn);
    if (is_away(call->control, &err))
        return eddy_control_fail(call, &err);
    eddy_buf_init(&text, 0);
    int r = note(call, eddy_documents_get(call->control->documents, arn, &text, &err),
                 &err);
    if (r == 0)
        r = not_found(call, kind, arn);
    if (r == 1) {
        *ret = json_loadb(text.data, text.size, 0, NULL);
        r = *ret ? 0
                 : eddy_aws_fail(&call->error, "InternalFailure",
                                 "the document of %s in Redis is damaged", arn);
    }
    if (r == 0 && ret_text != NULL)
        eddy_buf_put(ret_text, text.data, text.size);
    eddy_buf_fini(&text);
    return r;
}

/* ---- making ----------------------------------------------------------------------- */

static int store_new(struct eddy_control_call *call,
                     const struct eddy_control_kind *kind, const char *arn,
                     const char *parent, int64_t queue_ms, const char *text)
{
    struct eddy_err err = {0};
    struct eddy_buf member, index;
    eddy_buf_init(&member, 0);
    eddy_buf_init(&index, 0);
    eddy_buf_printf(&member, "%s|%013" PRId64 "|%s", parent, eddy_now_ms(), arn);
    eddy_buf_printf(&index, "%s:%s", call->region, kind->index);
    struct eddy_document_change change = {.id = arn,
                                          .after = text,
                                          .index = index.data,
                                          .member = member.data,
                                          .queue_ms = queue_ms};
    int r;
    if (member.failed || index.failed)
        r = fail_memory(call);
    else if (is_away(call->control, &err))
        r = eddy_control_fail(call, &err);
    else
        r = note(call, eddy_documents_change(call->control->documents, &change, &err),
                 &err);
    eddy_buf_fini(&member);
    eddy_buf_fini(&index);
    if (r == 0)
        return eddy_aws_fail(&call->error, "ResourceAlreadyExistsException",
                             "Another resource with ARN %s already exists.", arn);
    return r < 0 ? r : 0;
}

int eddy_control_create(struct eddy_control_call *call,
                        const struct eddy_control_kind *kind, const char *resource,
                        const char *parent, const char *status, bool job, json_t *doc)
{
    char arn[EDDY_ARN_SIZE];
    json_t *now = eddy_control_now();
    eddy_arn_make(call->region, call->control->config->api.account, resource, arn);
    bool made =
        doc != NULL && now != NULL &&
        json_object_set_new(doc, kind->arn_member, json_string(arn)) == 0 &&
        (status == NULL ||
         json_object_set_new(doc, "status", json_string(status)) == 0) &&
        json_object_set(doc, "creationDateTime", now) == 0 &&
        json_object_set(doc, "lastUpdatedDateTime", now) == 0 &&
        json_object_set_new(call->output, kind->arn_member, json_string(arn)) == 0;
    char *text = made ? eddy_control_dump(doc) : NULL;
    int r = text ? store_new(call, kind, arn, parent, job ? eddy_now_ms() : 0, text)
                 : fail_memory(call);
    if (r == 0 && job && call->control->wake != NULL)
        call->control->wake(call->control->wake_context);
    free(text);
    json_decref(now);
    json_decref(doc);
    return r;
}

int eddy_control_replace(struct eddy_control_call *call, const char *arn,
                         const char *before, json_t *doc)
{
    struct eddy_err err = {0};
    int r = json_object_set_new(doc, "lastUpdatedDateTime", eddy_control_now());
    char *text = r == 0 ? eddy_control_dump(doc) : NULL;
    struct eddy_document_change change = {.id = arn, .before = before, .after = text};
    r = text
            ? note(call, eddy_documents_change(call->control->documents, &change, &err),
                   &err)
            : fail_memory(call);
    free(text);
    return r;
}

/* ---- Describe --------------------------------------------------------------------- */

/* The members that are not ours alone. */
static json_t *public_of(json_t *doc)
{
    json_t *shown = json_object(), *value;
    const char *key;
    json_object_foreach(doc, key, value)
    {
        if (key[0] != '_')
            (void)json_object_set(shown, key, value);
    }
    return shown;
}

int eddy_control_describe(struct eddy_control_call *call)
{
    json_t *doc = NULL;
    const struct eddy_control_kind *kind = call->kind;
    int r = eddy_control_read(call, kind, eddy_control_text(call, kind->arn_member),
                              &doc, NULL);
    if (r == 0 && json_object_set_new(call->output, kind->answer, public_of(doc)) < 0)
        r = fail_memory(call);
    json_decref(doc);
    return r;
}

/* ---- List ------------------------------------------------------------------------- */

/* A page: texts of members, joined, each with a NUL behind it. */
struct page {
    struct eddy_buf members;
    uint32_t count;
};

static void take_member(void *context, struct eddy_span member)
{
    struct page *page = context;
    eddy_buf_put(&page->members, member.data, member.size);
    eddy_buf_putc(&page->members, '\0');
    page->count++;
}

/* What ties a token to its list. */
static uint64_t token_sum(const struct eddy_control_call *call, const char *prefix,
                          const char *member)
{
    uint64_t sum = eddy_hash64(eddy_span_of(call->region));
    sum = eddy_mix64(sum, eddy_hash64(eddy_span_of(call->kind->index)));
    sum = eddy_mix64(sum, eddy_hash64(eddy_span_of(prefix)));
    return eddy_mix64(sum, eddy_hash64(eddy_span_of(member)));
}

static json_t *make_token(const struct eddy_control_call *call, const char *prefix,
                          const char *member)
{
    struct eddy_buf token;
    eddy_buf_init(&token, 0);
    eddy_buf_printf(&token, "%016" PRIx64, token_sum(call, prefix, member));
    for (const char *at = member; *at; at++)
        eddy_buf_printf(&token, "%02x", (unsigned char)*at);
    json_t *text = token.failed ? NULL : json_string(token.data);
    eddy_buf_fini(&token);
    return text;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The member that a token stands for, into ret; -1: it is none of this list's. */
static int read_token(struct eddy_control_call *call, const char *prefix,
                      struct eddy_buf *ret)
{
    const char *token = eddy_control_text(call, "nextToken");
    char sum[17];
    if (token == NULL)
        return 0;
    size_t size = strlen(token);
    bool valid = size > 16 && size % 2 == 0;
    for (size_t i = 16; valid && i < size; i += 2) {
        int high = digit_of(token[i]), low = digit_of(token[i + 1]);
        valid = high >= 0 && low >= 0 && high * 16 + low > 0;
        if (valid)
            eddy_buf_putc(ret, (char)(high * 16 + low));
    }
    if (valid && !ret->failed) {
        (void)snprintf(sum, sizeof sum, "%016" PRIx64,
                       token_sum(call, prefix, ret->data));
        valid = strncmp(token, sum, 16) == 0;
    }
    return valid ? 0
                 : eddy_aws_fail(&call->error, "InvalidNextTokenException",
                                 "The token is not valid: none of this list");
}

json_t *eddy_control_summary(const struct eddy_control_kind *kind, const json_t *doc)
{
    json_t *summary = json_object();
    for (size_t i = 0; kind->summary[i] != NULL; i++) {
        json_t *value = json_object_get(doc, kind->summary[i]);
        if (value != NULL)
            (void)json_object_set(summary, kind->summary[i], value);
    }
    return summary;
}

/* Documents of the page's members; one that has gone meanwhile is passed over. */
static int read_page(struct eddy_control_call *call, const struct page *page,
                     uint32_t limit, const char *prefix)
{
    json_t *list = json_array();
    const char *member = page->members.data, *last = NULL;
    int r = json_object_set_new(call->output, call->kind->plural, list) < 0
                ? fail_memory(call)
                : 0;
    for (uint32_t i = 0; r == 0 && i < page->count && i < limit; i++) {
        json_t *doc = NULL;
        const char *arn = strrchr(member, '|');
        r = eddy_control_read(call, call->kind, arn ? arn + 1 : "", &doc, NULL);
        if (r == 0)
            (void)json_array_append_new(list, eddy_control_summary(call->kind, doc));
        else if (call->error.type != NULL &&
                 strcmp(call->error.type, "ResourceNotFoundException") == 0)
            r = 0;
        json_decref(doc);
        last = member;
        member += strlen(member) + 1;
    }
    if (r == 0 && page->count > limit && last != NULL)
        r = json_object_set_new(call->output, "nextToken",
                                make_token(call, prefix, last)) < 0
                ? fail_memory(call)
                : 0;
    return r;
}

int eddy_control_list(struct eddy_control_call *call)
{
    const char *parent =
        call->kind->parent ? eddy_control_text(call, call->kind->parent) : NULL;
    const json_t *most = json_object_get(call->input, "maxResults");
    uint32_t limit = most ? (uint32_t)json_integer_value(most) : PAGE;
    struct eddy_buf index, prefix, after;
    struct page page = {.count = 0};
    struct eddy_err err = {0};
    eddy_buf_init(&index, 0);
    eddy_buf_init(&prefix, 0);
    eddy_buf_init(&after, 0);
    eddy_buf_init(&page.members, 0);
    eddy_buf_printf(&index, "%s:%s", call->region, call->kind->index);
    eddy_buf_printf(&prefix, "%s%s", parent ? parent : "", parent ? "|" : "");
    const char *begin = prefix.size > 0 ? prefix.data : "";
    int r = index.failed || prefix.failed ? fail_memory(call)
                                          : read_token(call, begin, &after);
    if (r == 0 && is_away(call->control, &err))
        r = eddy_control_fail(call, &err);
    if (r == 0)
        r = note(call,
                 eddy_documents_list(call->control->documents, index.data, begin,
                                     after.size > 0 ? after.data : "", limit + 1,
                                     take_member, &page, &err),
                 &err);
    if (r == 0 && page.members.failed)
        r = fail_memory(call);
    if (r == 0)
        r = read_page(call, &page, limit, begin);
    eddy_buf_fini(&index);
    eddy_buf_fini(&prefix);
    eddy_buf_fini(&after);
    eddy_buf_fini(&page.members);
    return r;
}

int eddy_control_newest(struct eddy_control_call *call,
                        const struct eddy_control_kind *kind, const char *parent,
                        json_t **ret)
{
    struct eddy_buf index, prefix, member;
    struct eddy_err err = {0};
    eddy_buf_init(&index, 0);
    eddy_buf_init(&prefix, 0);
    eddy_buf_init(&member, 0);
    eddy_buf_printf(&index, "%s:%s", call->region, kind->index);
    eddy_buf_printf(&prefix, "%s|", parent);
    int r = index.failed || prefix.failed
                ? fail_memory(call)
                : note(call,
                       eddy_documents_last(call->control->documents, index.data,
                                           prefix.data, &member, &err),
                       &err);
    const char *arn = r == 1 ? strrchr(member.data, '|') : NULL;
    if (arn != NULL)
        r = eddy_control_read(call, kind, arn + 1, ret, NULL) < 0 ? -1 : 1;
    eddy_buf_fini(&index);
    eddy_buf_fini(&prefix);
    eddy_buf_fini(&member);
    return r;
}
