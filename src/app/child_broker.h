/* Layer: app.  A mock broker (io/kafka_mock.h) as a child of this process: this program again,
 * as `eddy demo-broker`, because its coordinator may abort. It ends with its parent,
 * however that ends: the pipe on its standard input closes, and the parent-death signal. */
#ifndef EDDY_APP_CHILD_BROKER_H
#define EDDY_APP_CHILD_BROKER_H

#include <stdint.h>
#include <sys/types.h>

#include "eddy/error.h"

struct eddy_child_broker {
    pid_t pid;    /* 0: not running */
    int leash_fd; /* write end of its standard input: closing it ends it */
};

/* Start it with the topics PREFIX.events, PREFIX.lists, PREFIX.dlq; its address comes back.
 * EDDY_EFATAL says what failed. */
int eddy_child_broker_start(struct eddy_child_broker *broker, const char *prefix,
                            uint32_t partitions, char ret_address[64],
                            struct eddy_err *err);
/* Close the leash, SIGTERM, wait up to 2 s, SIGKILL. Safe to call twice. */
void eddy_child_broker_stop(struct eddy_child_broker *broker);

/* `eddy demo-broker PREFIX PARTITIONS`: what the child runs; not in the table of commands. */
int eddy_cmd_demo_broker(int argc, char **argv);

#endif
