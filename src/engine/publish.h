/* Layer: engine.  Lists that are committed and not yet confirmed by the list topic: the
 * worker's side of the outbox. */
#ifndef EDDY_ENGINE_PUBLISH_H
#define EDDY_ENGINE_PUBLISH_H

#include "base/metric.h"
#include "io/sink.h"

struct eddy_publisher;

/* Takes the sink's delivery reports until it is freed. metrics may be NULL. NULL: memory. */
struct eddy_publisher *eddy_publisher_new(struct eddy_sink *sink,
                                          struct eddy_metrics *metrics);
void eddy_publisher_free(struct eddy_publisher *publisher);

/* The newest committed list of a user; an older one that was not yet sent is replaced.
 * Copies. 0 or EDDY_ENOMEM. */
int eddy_publisher_put(struct eddy_publisher *publisher, uint32_t partition,
                       struct eddy_span user, uint64_t revision, struct eddy_span list);
/* Hand over what is due, oldest first. A full sink ends that without an error: the rest is
 * held. 0, or the sink's error. */
int eddy_publisher_send(struct eddy_publisher *publisher, struct eddy_err *err);
/* A user whose newest list failed or was not taken, the first of them; borrowed. */
bool eddy_publisher_has_held(const struct eddy_publisher *publisher,
                             uint32_t *ret_partition, struct eddy_span *ret_user);
/* The partition is still ours: what is held of it is due again. */
void eddy_publisher_retry(struct eddy_publisher *publisher, uint32_t partition);
/* Another worker publishes the users of this partition from now on. */
void eddy_publisher_drop(struct eddy_publisher *publisher, uint32_t partition);

/* Users without a confirmation. */
uint32_t eddy_publisher_count(const struct eddy_publisher *publisher,
                              uint32_t partition);
uint32_t eddy_publisher_total(const struct eddy_publisher *publisher);
bool eddy_publisher_has(const struct eddy_publisher *publisher, uint32_t partition,
                        struct eddy_span user);
/* Their names into ret (room: count), borrowed until the next call that changes them. */
uint32_t eddy_publisher_users(const struct eddy_publisher *publisher,
                              uint32_t partition, struct eddy_span *ret);
/* Code of the newest delivery report: 0 while deliveries succeed. */
int eddy_publisher_health(const struct eddy_publisher *publisher);

#endif
