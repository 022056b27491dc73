/* Layer: app.  A redis-server as a child of this process, on a unix socket in a temporary
 * folder of its own, for `eddy demo` and `eddy bench`. It keeps nothing on disk, and it
 * dies with its parent (PR_SET_PDEATHSIG), whatever kills that. */
#ifndef EDDY_APP_CHILD_REDIS_H
#define EDDY_APP_CHILD_REDIS_H

#include "eddy/error.h"

struct eddy_child_redis;

/* Start one and wait until it answers. EDDY_ESTORE says what to install or what it wrote
 * last. Owned: eddy_child_redis_stop. */
int eddy_child_redis_start(struct eddy_child_redis **ret, struct eddy_err *err);
/* End it, wait for it, remove its folder. NULL is fine. */
void eddy_child_redis_stop(struct eddy_child_redis *redis);
/* "unix:/tmp/eddy-XXXXXX/redis.sock", as redis.address wants it; static for its life. */
const char *eddy_child_redis_address(const struct eddy_child_redis *redis);

#endif
