/* Inside run*.c. */
#ifndef EDDY_TESTS_SIM_RUN_INTERNAL_H
#define EDDY_TESTS_SIM_RUN_INTERNAL_H

#include "engine/path.h"
#include "io/sink_mem.h"
#include "io/store_mem.h"
#include "run.h"

enum { SIM_WORKERS_MAX = 5 };

struct sim;

/* Between the path and the store and sink in memory: sees commits and publications, and
 * holds the defects of mutants. */
struct spy_store {
    struct eddy_store store; /* first */
    struct eddy_store *inner;
    struct sim *sim;
    struct sim_worker *worker;
    struct eddy_position seen[WORLD_PARTITIONS_MAX]; /* for OLD_POSITION */
    bool has_seen[WORLD_PARTITIONS_MAX];
};
enum { SIM_EARLY_MAX = 256 };
struct sim_early { /* a confirmation that EARLY_CONFIRM makes up */
    uint32_t partition;
    struct eddy_span user;
    uint64_t revision;
};
struct spy_sink {
    struct eddy_sink sink; /* first */
    struct eddy_sink *inner;
    struct sim *sim;
    struct sim_early early[SIM_EARLY_MAX];
    uint32_t early_count;
};

struct sim_worker {
    struct sim *sim;
    struct eddy_path *path; /* NULL: not running */
    struct spy_store store;
    struct spy_sink sink;
    bool assigned[WORLD_PARTITIONS_MAX]; /* as the worker believes */
    bool acquired[WORLD_PARTITIONS_MAX];
    uint64_t next[WORLD_PARTITIONS_MAX]; /* offset to read */
    const char *fault_stage;             /* NULL: none armed */
    int fault_code;
    bool fault_is_crash, crashed;
};

struct sim {
    struct world *world;
    const struct world_models *models;
    enum sim_mutant mutant;
    struct eddy_rng rng;
    struct eddy_memory *memory;
    struct eddy_topic *topic;
    struct eddy_arena *arena;
    struct eddy_buf text;
    struct sim_worker workers[SIM_WORKERS_MAX];
    uint32_t worker_count;
    uint32_t outbox_max;                  /* of every worker; 0: drawn */
    uint32_t owner[WORLD_PARTITIONS_MAX]; /* as the group has it */
    uint64_t high[WORLD_PARTITIONS_MAX];  /* largest offset ever committed */
    bool late_zombies;                    /* a list may arrive after the next owner's */
    uint32_t odds[16];                    /* of each action, by seed */
    struct sim_counters *counters;
    struct sim_failure failure;
    bool failed;
};

__attribute__((format(printf, 2, 3))) void sim_fail(struct sim *sim, const char *fmt,
                                                    ...);

/* run_spy.c */
bool sim_worker_start(struct sim *sim, struct sim_worker *worker);
void sim_worker_stop(struct sim_worker *worker);
/* The committed offset of a partition, as the store has it now; raises sim->high. */
uint64_t sim_committed(struct sim *sim, uint32_t partition);

/* run_check.c: the end state against the reference. */
void sim_check_end(struct sim *sim);

#endif
