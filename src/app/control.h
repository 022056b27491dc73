/* Layer: app.  The control plane: what the operations on resources do. A resource is a JSON
 * document in Redis (io/redis_documents.h) under its ARN: what Describe answers, and members
 * that begin with '_' and stay inside. */
#ifndef EDDY_APP_CONTROL_H
#define EDDY_APP_CONTROL_H

#include "app/aws_arn.h"
#include "app/aws_check.h"
#include "engine/config.h"
#include "io/redis_documents.h"

struct eddy_control {
    const struct eddy_config *config;
    struct eddy_redis_options redis; /* the configuration's with a short time-out */
    struct eddy_documents *documents;
    void (*wake)(void *context); /* there is a job; may be NULL */
    void *wake_context;
    uint64_t away_ns; /* when Redis failed last: for a second its last words answer */
    struct eddy_err away;
};

/* A kind of resource: how its ARN, its documents, Describe and List call things. */
struct eddy_control_kind {
    const char *title;       /* "solution version", for messages */
    const char *arn_kind;    /* "solution" */
    int arn_parts;           /* behind it: 2 */
    const char *index;       /* of its list in Redis */
    const char *arn_member;  /* "solutionVersionArn" */
    const char *answer;      /* of Describe: "solutionVersion" */
    const char *plural;      /* of List: "solutionVersions" */
    const char *parent;      /* that List may filter by: "solutionArn", NULL: none */
    const char *summary[12]; /* members that List shows, NULL at the end */
};
extern const struct eddy_control_kind eddy_kind_group, eddy_kind_schema,
    eddy_kind_dataset, eddy_kind_import, eddy_kind_solution, eddy_kind_version;

/* One request. */
struct eddy_control_call {
    struct eddy_control *control;
    const struct eddy_control_kind *kind; /* of Describe and List, else NULL */
    char region[EDDY_REGION_SIZE];
    json_t *input;  /* checked against the table */
    json_t *output; /* an empty object, to be filled */
    struct eddy_aws_error error;
};

/* Options and the handle on Redis; nothing is asked of it yet. config is kept. EDDY_ENOMEM.
 * Thread: init; all else here: http. */
int eddy_control_open(struct eddy_control *control, const struct eddy_config *config,
                      struct eddy_err *err);
/* Close what open has made; a zeroed one is fine. */
void eddy_control_close(struct eddy_control *control);

/* ---- for the operations ------------------------------------------------------------ */

/* A member of the input as text, NULL: it is not there. Borrowed from the input. */
const char *eddy_control_text(const struct eddy_control_call *call, const char *member);
/* The document of an ARN of this kind, 0 and *ret (owned: json_decref), or -1 with
 * ResourceNotFoundException; *ret_text, where not NULL, is the text as it is stored. */
int eddy_control_read(struct eddy_control_call *call,
                      const struct eddy_control_kind *kind, const char *arn,
                      json_t **ret, struct eddy_buf *ret_text);
/* Store a new document: ARN of resource ("solution/NAME"), times and status are entered,
 * and it is put into the lists, below the parent's ARN ("" where a kind has none). job: it
 * is also queued. Takes doc. The output gets the ARN. -1: ResourceAlreadyExistsException. */
int eddy_control_create(struct eddy_control_call *call,
                        const struct eddy_control_kind *kind, const char *resource,
                        const char *parent, const char *status, bool job, json_t *doc);
/* Store another text for a document if it still is `before`: 1, 0 it is not, -1 error. */
int eddy_control_replace(struct eddy_control_call *call, const char *arn,
                         const char *before, json_t *doc);
/* The document made last below this parent: 1 and *ret (owned), 0 there is none, -1. */
int eddy_control_newest(struct eddy_control_call *call,
                        const struct eddy_control_kind *kind, const char *parent,
                        json_t **ret);
/* Copy members of the input (names, NULL at the end) that are there into doc. */
void eddy_control_copy(const struct eddy_control_call *call, const char *const *names,
                       json_t *doc);
/* Keep the tags of the input in doc: 0, or -1 with TooManyTagsException. */
int eddy_control_tags(struct eddy_control_call *call, json_t *doc);
/* What of err a client is told: ServiceUnavailable or InternalFailure. -1. */
int eddy_control_fail(struct eddy_control_call *call, const struct eddy_err *err);
/* A new JSON number: now, in seconds with milliseconds. Owned. */
json_t *eddy_control_now(void);
/* The members of doc that List shows. Owned. */
json_t *eddy_control_summary(const struct eddy_control_kind *kind, const json_t *doc);
/* Text of a document as it is stored and sent. Owned: free. NULL: memory. */
char *eddy_control_dump(const json_t *doc);

/* ---- operations; 0, or -1 and the call's error ------------------------------------ */

/* Any kind (call->kind). */
int eddy_control_describe(struct eddy_control_call *call);
int eddy_control_list(struct eddy_control_call *call);
/* control_recipes.c: the program's own. */
int eddy_control_describe_recipe(struct eddy_control_call *call);
int eddy_control_list_recipes(struct eddy_control_call *call);
/* control_data.c */
int eddy_control_create_group(struct eddy_control_call *call);
int eddy_control_create_schema(struct eddy_control_call *call);
int eddy_control_create_dataset(struct eddy_control_call *call);
int eddy_control_create_import(struct eddy_control_call *call);
/* control_solutions.c */
int eddy_control_create_solution(struct eddy_control_call *call);
int eddy_control_describe_solution(struct eddy_control_call *call);
int eddy_control_create_version(struct eddy_control_call *call);
int eddy_control_stop_version(struct eddy_control_call *call);
int eddy_control_metrics(struct eddy_control_call *call);

#endif
