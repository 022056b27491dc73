/* Layer: io.  The store on standalone Redis, TCP or unix socket, through hiredis.
 * One connection per owned partition, because WATCH is per connection and EXEC clears all
 * of them: so every partition's compare-and-set stays armed from one commit to the next
 * and a turn costs one round trip (src/README.md, "Store protocol"). */
#ifndef EDDY_IO_STORE_REDIS_H
#define EDDY_IO_STORE_REDIS_H

#include "base/conf.h"
#include "base/metric.h"
#include "io/store.h"

struct eddy_redis_options {
    char *address;  /* "127.0.0.1:6379" or "unix:/path" */
    char *user;     /* ACL user, "" for the default user */
    char *password; /* secret */
    int64_t database;
    int64_t timeout_ms; /* connect and each exchange */
};
extern const struct eddy_option eddy_redis_option_table[];
extern const size_t eddy_redis_option_count;

/* Does not connect yet. owner names this process and thread in fences ("host:pid:worker").
 * metrics may be NULL. Options are borrowed for the store's life. NULL: memory. */
struct eddy_store *eddy_store_redis_open(const struct eddy_redis_options *options,
                                         const char *prefix, const char *owner,
                                         struct eddy_metrics *metrics);

/* Connect, AUTH, PING, and warn-worthy settings: 0 or EDDY_ESTORE with a sentence that says
 * what to do. ret_report (may be NULL): one line per finding (version, maxmemory-policy
 * other than noeviction, appendonly no). */
int eddy_store_redis_check(struct eddy_store *store, struct eddy_buf *ret_report,
                           struct eddy_err *err);

#endif
