/* Layer: engine.  Inside the path: what its stages share. Only path*.c include this. */
#ifndef EDDY_ENGINE_PATH_INTERNAL_H
#define EDDY_ENGINE_PATH_INTERNAL_H

#include "base/log.h"
#include "core/list.h"
#include "core/rank.h"
#include "engine/cache.h"
#include "engine/path.h"
#include "engine/publish.h"
#include "io/json_simd.h"

enum {
    EDDY_TURN_RECORDS = 512, /* pushed records; bounds every array below */
    EDDY_LIST_MAX = 500,     /* largest list_size of a policy */
    EDDY_ROWS_MAX = EDDY_TURN_RECORDS,
    EDDY_SCORE_ROWS = 64,   /* users of one call of the scorer */
    EDDY_SETTLE_MS = 10000, /* for dead letters to be confirmed: guess, not measured */
};
#define EDDY_NO_EVENT UINT32_MAX

/* A snapshot that at least one owned partition stands on, with one thread's scratch. */
struct path_model {
    struct path_model *next;
    struct eddy_snapshot *snapshot; /* one reference */
    struct eddy_hrnn_scratch *scratch;
    struct eddy_ranker *ranker;
    struct eddy_scored *popular; /* the EDDY_LIST_MAX most popular */
    uint32_t popular_count;
    uint32_t uses; /* partitions */
};

struct path_part {
    uint32_t partition;
    bool owned;
    bool broken;                   /* a turn failed: to be acquired again */
    bool default_due;              /* partition 0: the default list has to be written */
    bool stored_outbox;            /* the committed outbox names users */
    uint64_t committed_high;       /* largest offset that this path ever committed */
    uint64_t push_offset;          /* of the next record to be pushed */
    struct eddy_position position; /* committed */
    struct path_model *model;      /* of the wave's position; NULL: no model yet */

    /* The wave in flight. */
    struct eddy_position wave; /* the position that it will commit */
    bool touched;              /* has a record in it */
    bool cut;                  /* the rest waits for the next wave */
    bool wave_outbox;          /* its outbox names users */
    uint32_t row_count;
    struct eddy_commit *commit;
};

struct path_event {
    struct eddy_event event;
    uint64_t offset;
    int64_t timestamp_ms;
    uint32_t next; /* of the same user, EDDY_NO_EVENT: last */
};

/* A user of the wave. */
struct path_row {
    struct path_part *part;
    uint32_t slot;                /* in the cache, pinned */
    uint32_t first, last, cursor; /* events */
    struct eddy_span user;        /* borrowed from the first event */
    uint64_t moved; /* revision after the last record that moved the state, 0: none */
    const struct eddy_scored *scored;
    uint32_t scored_count;
    bool has_list;
    size_t list_begin, list_size; /* in path->lists */
    size_t blob_begin, blob_size; /* in path->blobs */
};

struct path_pushed {
    struct eddy_record record;
    struct path_part *part;
};

enum { EDDY_STAGES = 7 };

struct eddy_path {
    struct eddy_path_options options;
    struct eddy_store *store;
    struct eddy_sink *sink; /* may be NULL */
    struct eddy_registry *registry;
    struct eddy_metrics *metrics;     /* may be NULL */
    struct eddy_publisher *publisher; /* NULL without a sink */
    struct eddy_json *json;
    struct eddy_cache cache;
    struct path_model *models;
    struct path_part **parts; /* by partition */
    uint32_t part_count, owned_count;

    struct path_pushed pushed[EDDY_TURN_RECORDS];
    uint32_t pushed_count;

    /* The wave: everything but these arrays is arena memory. */
    struct eddy_arena *arena;
    struct path_event events[EDDY_TURN_RECORDS];
    struct path_row rows[EDDY_ROWS_MAX];
    uint32_t event_count, row_count, dead_count;
    uint32_t active[EDDY_ROWS_MAX];
    struct eddy_step steps[EDDY_ROWS_MAX];
    float *hidden[EDDY_ROWS_MAX];
    struct eddy_buf lists, blobs, outboxes;

    uint32_t *fenced; /* of the last turn */
    uint32_t fenced_count, fenced_capacity;

    eddy_path_hook_fn hook;
    void *hook_context;
    struct eddy_stage_time times[EDDY_STAGES];
};

/* Stages, in order; path.c has the table. */
int eddy_path_decode(struct eddy_path *path, struct eddy_err *err);
int eddy_path_load(struct eddy_path *path, struct eddy_err *err);
int eddy_path_apply(struct eddy_path *path, struct eddy_err *err);
int eddy_path_score(struct eddy_path *path, struct eddy_err *err);
int eddy_path_list(struct eddy_path *path, struct eddy_err *err);
int eddy_path_commit(struct eddy_path *path, struct eddy_err *err);
int eddy_path_publish(struct eddy_path *path, struct eddy_err *err);

/* NULL, or which invariant of the wave does not hold (path_check.c). Tests only. */
const char *eddy_path_check(const struct eddy_path *path);

/* NULL: never acquired. */
static inline struct path_part *eddy_path_part(const struct eddy_path *path,
                                               uint32_t partition)
{
    return partition < path->part_count ? path->parts[partition] : NULL;
}

/* The model of a version, shared by the partitions on it; path_model_drop gives it back.
 * Makes the cache's slots large enough. EDDY_ENOMODEL, EDDY_EFORMAT, EDDY_ENOMEM. */
int eddy_path_model_take(struct eddy_path *path, const char *version,
                         struct path_model **ret, struct eddy_err *err);
void eddy_path_model_drop(struct eddy_path *path, struct path_model *model);

/* Another owner has the partition: it is released, and named in the fenced list. */
void eddy_path_lose(struct eddy_path *path, struct path_part *part);

/* Commit a partition's position without records: to write the default list (if due) and
 * the names of the users not confirmed. 0, EDDY_ESTORE, EDDY_EFENCED. */
int eddy_path_commit_idle(struct eddy_path *path, struct path_part *part,
                          struct eddy_err *err);

static inline void eddy_path_count(struct eddy_path *path, enum eddy_metric_id id,
                                   uint64_t n)
{
    if (path->metrics && n > 0) {
        eddy_metric_add(path->metrics, id, n);
    }
}

static inline struct eddy_state *eddy_path_state(struct eddy_path *path,
                                                 const struct path_row *row)
{
    return path->cache.slots[row->slot].state;
}

#endif
