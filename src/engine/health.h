/* Layer: engine.  What is well and what is not, said by workers and the supervisor, read by
 * the HTTP thread for /readyz. */
#ifndef EDDY_ENGINE_HEALTH_H
#define EDDY_ENGINE_HEALTH_H

#include <pthread.h>
#include <stdbool.h>

/* XX(id, name, first text): the checks, in the order in which /readyz prints them. */
#define EDDY_HEALTH_MAP(XX)                                                            \
    XX(KAFKA, "kafka", "no broker has answered yet")                                   \
    XX(REDIS, "redis", "Redis has not answered yet")                                   \
    XX(META, "meta", "partition count and layout have not been checked yet")           \
    XX(PARTITIONS, "partitions", "no assignment from the consumer group yet")          \
    XX(MODEL, "model", "no snapshot has been opened yet")                              \
    XX(AUTHORIZATION, "authorization", "")

enum eddy_health_id {
#define XX(id, name, text) EDDY_HEALTH_##id,
    EDDY_HEALTH_MAP(XX)
#undef XX
        EDDY_HEALTH_COUNT
};

struct eddy_health_check {
    const char *name; /* static */
    bool ok;
    char text[240]; /* why not; or a detail when ok, e.g. "16 of 64 partitions" */
};

/* One per worker and one for the supervisor. Lock: its own, held for a copy only. */
struct eddy_health {
    pthread_mutex_t lock;
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];
};

/* Nothing is ok, except AUTHORIZATION, which fails only when a broker refuses. */
void eddy_health_init(struct eddy_health *health);
void eddy_health_fini(struct eddy_health *health);
/* Returns true when ok changed. Thread: any. */
__attribute__((format(printf, 4, 5))) bool eddy_health_set(struct eddy_health *health,
                                                           enum eddy_health_id id,
                                                           bool ok, const char *fmt,
                                                           ...);
/* Copy of all checks. Thread: any. Returns true when all are ok. */
bool eddy_health_read(struct eddy_health *health,
                      struct eddy_health_check ret_checks[EDDY_HEALTH_COUNT]);

#endif
