/* Layer: app.  The two processes that `eddy demo` brings along: a mock broker (this program
 * again, as `eddy demo-broker`) and a redis-server on a unix socket. Both end with the demo,
 * however it ends: they are told by a pipe that closes and by the parent-death signal. */
#ifndef EDDY_APP_DEMO_CHILDREN_H
#define EDDY_APP_DEMO_CHILDREN_H

#include <stdint.h>
#include <sys/types.h>

#include "eddy/error.h"

struct eddy_child {
    pid_t pid;    /* 0: not running */
    int leash_fd; /* write end of its standard input: closing it ends the broker */
};

/* Start the broker with the topics PREFIX.events, PREFIX.lists, PREFIX.dlq; its address
 * comes back. EDDY_EFATAL says what failed. */
int eddy_demo_broker_start(struct eddy_child *child, const char *prefix,
                           uint32_t partitions, char ret_address[64],
                           struct eddy_err *err);

/* Start redis-server in folder, no TCP port, no persistence; waits until it answers.
 * ret_address: "unix:FOLDER/redis.sock". EDDY_EFATAL says how to get redis-server. */
int eddy_demo_redis_start(struct eddy_child *child, const char *folder,
                          char ret_address[160], struct eddy_err *err);

/* `eddy demo-broker PREFIX PARTITIONS`: what the broker's process runs. */
int eddy_cmd_demo_broker(int argc, char **argv);

/* SIGTERM, wait up to 2 s, SIGKILL. Safe to call twice. */
void eddy_child_stop(struct eddy_child *child);

#endif
