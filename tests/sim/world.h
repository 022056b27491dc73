/* The simulated world: models, a log with good and bad records, and the reference fold that
 * says what must come out. Everything is a function of a seed.
 *
 * The reference is written for one purpose, to be obviously right: one record at a time,
 * one user per step of the network, every state kept, no cache, no batch, no store. */
#ifndef EDDY_TESTS_SIM_WORLD_H
#define EDDY_TESTS_SIM_WORLD_H

#include "base/rng.h"
#include "core/list.h"
#include "io/registry.h"
#include "io/sink.h"

enum {
    WORLD_MODELS = 3,
    WORLD_PARTITIONS_MAX = 4,
    WORLD_USERS_MAX = 24,
    WORLD_RECORDS_MAX = 400
};

/* Models small enough for thousands of runs; one registry holds them all. Made once. */
struct world_models {
    struct eddy_registry *registry;
    char version[WORLD_MODELS][EDDY_SNAPSHOT_ID_SIZE];
    struct eddy_snapshot *none;                   /* of a log without a model so far */
    struct eddy_snapshot *snapshot[WORLD_MODELS]; /* references */
};
struct world_models *world_models_new(void);
void world_models_free(struct world_models *models);

/* One record, and what the reference says about it. */
struct world_record {
    struct eddy_record record; /* payload is the world's */
    char *payload;
    int dead_code; /* not 0: it has to end in the dead letters with this code */
};

/* A list that a record gave to a user: revision is the record's offset + 1. */
struct world_list {
    uint32_t partition;
    uint64_t revision;
    struct eddy_span user, list;
};

struct world_user {
    struct eddy_span name;
    uint32_t partition;
    bool has_state;
    struct eddy_span blob;           /* at the end of the log */
    const struct world_list *newest; /* NULL: never had a list */
};

struct world {
    uint64_t seed;
    const struct world_models *models;
    uint32_t partitions;
    bool modelless; /* the log begins before the first model: one world in four */
    char initial[EDDY_SNAPSHOT_ID_SIZE]; /* where partitions begin: "" when modelless */
    struct eddy_policy initial_policy;
    struct world_record *records[WORLD_PARTITIONS_MAX]; /* by offset */
    uint32_t log_size[WORLD_PARTITIONS_MAX];
    struct world_user users[WORLD_USERS_MAX];
    uint32_t user_count;

    /* By the reference. */
    struct world_list *lists; /* by partition, then revision */
    uint32_t list_count;
    char final_snapshot[WORLD_PARTITIONS_MAX][EDDY_SNAPSHOT_ID_SIZE];
    struct eddy_policy final_policy[WORLD_PARTITIONS_MAX];
    struct eddy_span default_list; /* as partition 0's owner writes it at the end */
    struct eddy_arena *arena;      /* of all spans above */
};

/* records: in all partitions together. bad: with malformed records, too. */
struct world *world_new(const struct world_models *models, uint64_t seed,
                        uint32_t records, bool bad);
void world_free(struct world *world);

/* The list of that user, partition and revision; NULL: no record gives one. */
const struct world_list *world_find_list(const struct world *world, uint32_t partition,
                                         struct eddy_span user, uint64_t revision);

#endif
