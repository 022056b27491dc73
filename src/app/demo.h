/* Layer: app.  What the parts of `eddy demo` share: setup and streaming (cmd_demo.c),
 * watching and judging (demo_check.c). */
#ifndef EDDY_APP_DEMO_H
#define EDDY_APP_DEMO_H

#include "app/child_broker.h"
#include "app/child_redis.h"
#include "app/demo_stream.h"
#include "app/demo_view.h"
#include "app/service.h"
#include "base/metric.h"
#include "engine/config.h"
#include "engine/supervisor.h"
#include "io/kafka.h"

#define EDDY_DEMO_PREFIX "demo"
enum { EDDY_DEMO_PARTITIONS = 8 };

struct eddy_demo_options {
    double seconds;
    int64_t rate, seed;
    const char *interactions, *items, *listen;
    bool plain;
};

struct eddy_demo {
    struct eddy_demo_options options;
    char folder[96];
    char version[EDDY_SNAPSHOT_ID_SIZE];
    struct eddy_child_broker broker;
    struct eddy_child_redis *redis;
    struct eddy_demo_stream stream;
    struct eddy_config *config;
    struct eddy_registry *registry;
    struct eddy_supervisor *supervisor;
    struct eddy_service *service; /* NULL without --listen */
    struct eddy_producer *producer;
    struct eddy_reader *lists_reader;
    struct eddy_buf payload;
    uint32_t default_list[EDDY_DEMO_LIST], default_count;
    struct eddy_metric_histogram before; /* event to list, before the live part */
    double train_seconds, train_hit, stream_seconds;
    uint64_t train_events, sent, lists_seen;
    uint64_t past_sent, past_lists;      /* before the live part */
    uint64_t judged, hits, default_hits; /* next clicks that stood in the list before */
    double shown_at_s, shown_events_per_s, shown_lists_per_s;
    uint64_t shown_sent, shown_lists;
};

/* What the end of the demo found, user by user. */
struct eddy_demo_verdict {
    uint32_t users;    /* who clicked */
    uint32_t in_redis; /* list in Redis is of the revision of their last click */
    uint32_t on_topic; /* last record of the list topic is byte-equal to Redis */
    double agreement; /* items that share a group with the last clicks; -1: no groups */
    double chance;    /* the same lists against somebody else's clicks */
    double hit_rate, default_hit_rate; /* next click stood in the list before it */
    uint64_t dead_letters;
};

/* Take what the list topic has, wait at most wait_ms for the first record. */
int eddy_demo_watch(struct eddy_demo *demo, int wait_ms, struct eddy_err *err);
/* Read demo:list-default, the list of a user who has not clicked yet. */
int eddy_demo_default_list(struct eddy_demo *demo, struct eddy_err *err);
/* One frame of the live view. */
void eddy_demo_frame(struct eddy_demo *demo, double seconds,
                     struct eddy_view_frame *ret);
/* After the last click: wait (10 s at most) until every list stands, then read the log
 * from its beginning and compare. */
int eddy_demo_check(struct eddy_demo *demo, struct eddy_demo_verdict *ret,
                    struct eddy_err *err);
/* The summary on stdout. True: lists followed the clicks. */
bool eddy_demo_print_summary(const struct eddy_demo *demo,
                             const struct eddy_demo_verdict *verdict);

#endif
