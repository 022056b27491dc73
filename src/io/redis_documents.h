/* Layer: io.  Documents of the control plane in Redis: JSON texts by id, an ordered index
 * per list, a queue of jobs and the leases of those who work on them. All keys carry the
 * hash tag {PREFIX:api}, which no partition has ({PREFIX:17}), so that one transaction may
 * touch all of them on a cluster, too:
 *
 *     {eddy:api}:doc:ID         the text
 *     {eddy:api}:list:INDEX     sorted set of members, score 0: in order of bytes
 *     {eddy:api}:jobs           sorted set of ids, score: when the work was asked for, ms
 *     {eddy:api}:lease:ID       token of who works on it; expires
 *
 * Every change is a compare-and-set (WATCH, MULTI, EXEC). One connection, opened when first
 * needed and again after an error; a handle belongs to one thread. */
#ifndef EDDY_IO_REDIS_DOCUMENTS_H
#define EDDY_IO_REDIS_DOCUMENTS_H

#include "base/buf.h"
#include "io/store_redis.h"

struct eddy_documents;

/* Does not connect yet. options and name (of the connection, for CLIENT LIST) are borrowed.
 * NULL: memory. Owned: eddy_documents_close. */
struct eddy_documents *eddy_documents_open(const struct eddy_redis_options *options,
                                           const char *prefix, const char *name);
void eddy_documents_close(struct eddy_documents *documents); /* NULL is fine */

/* The document's text into *ret (cleared before): 1, or 0 when there is none. EDDY_ESTORE,
 * EDDY_ENOMEM. Blocks for the options' time-out at most, as all below. */
int eddy_documents_get(struct eddy_documents *documents, const char *id,
                       struct eddy_buf *ret, struct eddy_err *err);

/* A change of one document. */
struct eddy_document_change {
    const char *id;
    const char *before; /* its text so far; NULL: there must be none */
    const char *after;
    const char *index, *member; /* entered into this list; NULL: none */
    int64_t queue_ms;           /* above 0: queued as a job, asked for at this time */
    bool done;                  /* taken from the queue, the lease ends */
    const char *token; /* only while this lease is held; NULL: whoever holds it */
};
/* All of it or nothing: 1 done; 0 the document is not as `before` says (any more), or the
 * lease is not held. EDDY_ESTORE: the outcome is open. */
int eddy_documents_change(struct eddy_documents *documents,
                          const struct eddy_document_change *change,
                          struct eddy_err *err);

/* Members of a list behind `after` ("": from the start) that begin with prefix, at most
 * limit, in order; visit gets each. EDDY_ESTORE. */
int eddy_documents_list(struct eddy_documents *documents, const char *index,
                        const char *prefix, const char *after, uint32_t limit,
                        void (*visit)(void *context, struct eddy_span member),
                        void *context, struct eddy_err *err);
/* The last member that begins with prefix, into *ret: 1, 0 none. EDDY_ESTORE. */
int eddy_documents_last(struct eddy_documents *documents, const char *index,
                        const char *prefix, struct eddy_buf *ret, struct eddy_err *err);

/* Ids of all jobs, the oldest first. EDDY_ESTORE. */
int eddy_documents_jobs(struct eddy_documents *documents,
                        void (*visit)(void *context, struct eddy_span id),
                        void *context, struct eddy_err *err);
/* Take the lease of a job for so many milliseconds: 1 taken, 0 another holds it. */
int eddy_documents_lease(struct eddy_documents *documents, const char *id,
                         const char *token, int64_t ms, struct eddy_err *err);
/* Hold it so many milliseconds from now on, 0: give it up. 1 done, 0 it was lost. */
int eddy_documents_renew(struct eddy_documents *documents, const char *id,
                         const char *token, int64_t ms, struct eddy_err *err);

#endif
