#include "app/aws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/aws_table.h"
#include "base/hash.h"

static const char content_type[] = "application/x-amz-json-1.1";
static const char target_prefix[] = "AmazonPersonalize.";

/* HTTP status of an error: 400 but for what is our own fault. */
static int status_of(const char *type)
{
    return strcmp(type, "InternalFailure") == 0      ? 500
           : strcmp(type, "ServiceUnavailable") == 0 ? 503
                                                     : 400;
}

/* A random UUID (version 4). */
static void add_request_id(struct eddy_http_response *response)
{
    unsigned char bytes[16] = {0};
    char hex[33], text[40];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        memset(bytes, 0, sizeof bytes); /* an id of zeros does, too */
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    eddy_hex(bytes, sizeof bytes, hex);
    (void)snprintf(text, sizeof text, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                   hex + 12, hex + 16, hex + 20);
    eddy_http_add_header(response, "x-amzn-RequestId", text);
}

static void answer_error(const struct eddy_aws_error *error,
                         struct eddy_http_response *response)
{
    response->status = status_of(error->type);
    eddy_http_add_header(response, "x-amzn-ErrorType", error->type);
    eddy_buf_puts(&response->body, "{\"__type\":");
    eddy_buf_put_json_string(&response->body, eddy_span_of(error->type));
    eddy_buf_puts(&response->body, ",\"message\":");
    eddy_buf_put_json_string(&response->body, eddy_span_of(error->text));
    eddy_buf_putc(&response->body, '}');
}

void eddy_aws_region(struct eddy_span authorization, char ret[EDDY_REGION_SIZE])
{
    static const char key[] = "Credential=";
    char *text = eddy_span_dup(authorization);
    const char *at = text ? strstr(text, key) : NULL;
    (void)snprintf(ret, EDDY_REGION_SIZE, "us-east-1");
    for (int i = 0; at != NULL && i < 2; i++) { /* behind the key id and the day */
        at = strchr(at, '/');
        at = at ? at + 1 : NULL;
    }
    size_t size = at ? strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;
    if (size > 0 && size < EDDY_REGION_SIZE && at[size] == '/')
        (void)snprintf(ret, EDDY_REGION_SIZE, "%.*s", (int)size, at);
    free(text);
}

/* The operation's name behind the prefix of the service, NULL and an error. */
static const struct eddy_aws_operation *find_operation(
    const struct eddy_http_request *request, struct eddy_aws_error *error)
{
    struct eddy_span target = {"", 0};
    char name[64];
    size_t prefix = sizeof target_prefix - 1;
    bool there = eddy_http_header(request, "X-Amz-Target", &target);
    if (!there || target.size <= prefix ||
        memcmp(target.data, target_prefix, prefix) != 0) {
        (void)eddy_aws_fail(
            error, "UnknownOperationException",
            "The header X-Amz-Target is not AmazonPersonalize.OPERATION");
        return NULL;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)(target.size - prefix),
                   target.data + prefix);
    const struct eddy_aws_operation *operation = eddy_aws_operation_find(name);
    if (operation == NULL)
        (void)eddy_aws_fail(error, "UnknownOperationException",
                            "The operation %s is not offered yet", name);
    return operation;
}

/* The body as an object; an empty one is {}. NULL and an error. */
static json_t *read_body(struct eddy_span body, struct eddy_aws_error *error)
{
    json_error_t why;
    if (body.size == 0)
        return json_object();
    json_t *input = json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES, &why);
    if (input == NULL)
        (void)eddy_aws_fail(error, "SerializationException",
                            "The body is not JSON: line %d, column %d: %s", why.line,
                            why.column, why.text);
    else if (!json_is_object(input))
        (void)eddy_aws_fail(error, "SerializationException",
                            "The body is not a JSON object");
    if (json_is_object(input))
        return input;
    json_decref(input);
    return NULL;
}

static int run(const struct eddy_aws_operation *operation,
               struct eddy_control_call *call, struct eddy_http_response *response)
{
    if (call->input == NULL || call->output == NULL)
        return call->error.type
                   ? -1
                   : eddy_aws_fail(&call->error, "InternalFailure", "out of memory");
    if (eddy_aws_check(operation->members, operation->member_count, call->input,
                       &call->error) < 0 ||
        operation->run(call) < 0)
        return -1;
    char *text = operation->silent ? NULL : eddy_control_dump(call->output);
    if (text == NULL && !operation->silent)
        return eddy_aws_fail(&call->error, "InternalFailure", "out of memory");
    eddy_buf_puts(&response->body, text ? text : "");
    free(text);
    return 0;
}

void eddy_aws_post(void *context, const struct eddy_http_request *request,
                   struct eddy_http_response *response)
{
    struct eddy_control_call call = {.control = context};
    struct eddy_span authorization = {"", 0};
    const struct eddy_aws_operation *operation = find_operation(request, &call.error);
    (void)eddy_http_header(request, "Authorization", &authorization);
    eddy_aws_region(authorization, call.region);
    response->content_type = content_type;
    add_request_id(response);
    if (operation != NULL) {
        call.kind = operation->kind;
        call.input = read_body(request->body, &call.error);
        call.output = json_object();
    }
    if (operation == NULL || run(operation, &call, response) < 0)
        answer_error(&call.error, response);
    json_decref(call.input);
    json_decref(call.output);
}
