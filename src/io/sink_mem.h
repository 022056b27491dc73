/* Layer: io.  The sink in memory: a compacted list topic and a dead-letter topic, for the
 * simulator and tests. Several sinks (producers) share one eddy_topic; all of them belong
 * to one thread. Delivery happens when the test says so. */
#ifndef EDDY_IO_SINK_MEM_H
#define EDDY_IO_SINK_MEM_H

#include "io/sink.h"

struct eddy_topic; /* what the broker holds */

struct eddy_topic *eddy_topic_new(void);        /* NULL: memory */
void eddy_topic_free(struct eddy_topic *topic); /* after its sinks were closed */

/* The newest record of each key (log compaction), in order of first appearance, and the
 * largest revision that the key ever had. Spans are the topic's. */
struct eddy_topic_list {
    uint32_t partition;
    struct eddy_span user, list;
    uint64_t revision, highest_revision;
    uint64_t records; /* appended under this key so far */
};
uint32_t eddy_topic_count(const struct eddy_topic *topic);
struct eddy_topic_list eddy_topic_at(const struct eddy_topic *topic, uint32_t i);
/* false: no record under that key. */
bool eddy_topic_find(const struct eddy_topic *topic, struct eddy_span user,
                     struct eddy_topic_list *ret);

/* The dead letters of a topic, in order of arrival; valid until the next one. */
struct eddy_dead {
    uint32_t partition;
    uint64_t offset;
    int code;
    char *payload; /* a copy */
    size_t size;
};
const struct eddy_dead *eddy_topic_dead(const struct eddy_topic *topic,
                                        uint32_t *ret_count);

/* A producer. Owned: eddy_sink_close, which forgets what was not delivered. */
struct eddy_sink *eddy_sink_mem_open(struct eddy_topic *topic);
/* More than this many waiting lists: publish says EDDY_EFULL. Default: no limit. */
void eddy_sink_mem_limit(struct eddy_sink *sink, uint32_t waiting_max);
/* Lists published and not delivered. */
uint32_t eddy_sink_mem_waiting(const struct eddy_sink *sink);
/* The oldest waiting lists get their delivery report, which the next poll hands over:
 * code 0, they stand in the topic; else they failed, and appended says whether they stand
 * there nevertheless (the acknowledgement was lost). Returns how many there were. */
uint32_t eddy_sink_mem_deliver(struct eddy_sink *sink, uint32_t count, int code,
                               bool appended);
/* The next settle fails; the dead letters of before are lost. */
void eddy_sink_mem_fail_settle(struct eddy_sink *sink);

#endif
