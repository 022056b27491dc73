/* Layer: io.  What the ACL lets this user do, for `eddy check`. */
#ifndef EDDY_IO_REDIS_CHECK_H
#define EDDY_IO_REDIS_CHECK_H

#include "io/store_redis.h"

/* Ask for every command and key pattern of the store protocol without writing anything:
 * commands are queued in a transaction, where Redis checks permissions, and the
 * transaction is discarded. 0, or EDDY_ESTORE with the first refusal. Blocks: at most
 * options->timeout_ms per step. Thread: any. */
int eddy_redis_check_permissions(const struct eddy_redis_options *options,
                                 const char *prefix, struct eddy_err *err);

#endif
