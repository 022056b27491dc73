/* Layer: io.  THE protocol: acquire, load, commit (DESIGN 2; STREAMING 1.3).
 *
 * "State is a function of the log prefix, and the prefix's length is stored beside it,
 * atomically." Every implementation keeps these promises:
 *   S1 a commit moves offset, blobs, lists and outbox of its partition together or not at
 *      all, and only if fence and offset are what this owner last saw (compare-and-set);
 *   S2 a load is refused (EDDY_EFENCED) if fence or offset moved under the owner;
 *   S3 after EDDY_ESTORE the outcome of a commit is unknown: acquire again to learn it;
 *   S4 the store may lose its tail (older consistent state); acquire shows it.
 * Keys (prefix "eddy"): {eddy:p}:fence  {eddy:p}:offset  {eddy:p}:s:USER  {eddy:p}:outbox
 * eddy:list:USER  eddy:list-default  eddy:meta.
 * Implementations: io/store_redis.c, io/store_mem.c. */
#ifndef EDDY_IO_STORE_H
#define EDDY_IO_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/event.h"

/* Value of {prefix:p}:offset, msgpack. */
struct eddy_position {
    uint64_t offset; /* next record to apply */
    char snapshot
        [EDDY_SNAPSHOT_ID_SIZE]; /* that the partition stands on; "": none yet */
    struct eddy_policy policy;
};
void eddy_position_encode(const struct eddy_position *position, struct eddy_buf *out);
/* 0, EDDY_EFORMAT (not a position) or EDDY_EVERSION (written by a newer eddy). */
int eddy_position_decode(struct eddy_span bytes, struct eddy_position *ret);

/* Value of {prefix:p}:outbox: the users whose list is committed and not yet confirmed by
 * the list topic, as a msgpack array of strings. */
void eddy_outbox_encode(const struct eddy_span *users, uint32_t count,
                        struct eddy_buf *out);
/* Users are copied to the arena. 0, EDDY_EFORMAT or EDDY_ENOMEM. */
int eddy_outbox_decode(struct eddy_span bytes, struct eddy_arena *arena,
                       const struct eddy_span **ret_users, uint32_t *ret_count);

struct eddy_load {
    uint32_t partition;
    struct eddy_span user;
    struct eddy_span ret_blob; /* arena; size 0: the user has no state */
};

struct eddy_write {
    struct eddy_span user;
    struct eddy_span blob; /* the new state */
    struct eddy_span list; /* the new list, size 0: the list does not change */
};

struct eddy_commit {
    uint32_t partition;
    struct eddy_position position; /* the new one */
    const struct eddy_write *writes;
    uint32_t write_count;          /* <= EDDY_COMMIT_USERS */
    struct eddy_span outbox;       /* encoded */
    struct eddy_span default_list; /* size 0: leave it */
    int ret_code;                  /* 0 or EDDY_EFENCED */
};
enum { EDDY_COMMIT_USERS = 64 }; /* best size of an EXEC (STREAMING 3.1) */

struct eddy_store;
struct eddy_store_ops {
    void (*close)(struct eddy_store *store);
    int (*acquire)(struct eddy_store *store, uint32_t partition,
                   struct eddy_arena *arena, struct eddy_position *ret_position,
                   bool *ret_found, struct eddy_span *ret_outbox, struct eddy_err *err);
    void (*forget)(struct eddy_store *store, uint32_t partition);
    int (*load)(struct eddy_store *store, struct eddy_load *loads, uint32_t count,
                struct eddy_arena *arena, uint32_t *ret_fenced_partition,
                struct eddy_err *err);
    int (*commit)(struct eddy_store *store, struct eddy_commit *commits, uint32_t count,
                  struct eddy_err *err);
    int (*get)(struct eddy_store *store, const struct eddy_span *keys, uint32_t count,
               struct eddy_arena *arena, struct eddy_span *ret_values,
               struct eddy_err *err);
    int (*set_if_absent)(struct eddy_store *store, struct eddy_span key,
                         struct eddy_span value, struct eddy_err *err);
    int (*scan_users)(struct eddy_store *store, uint32_t partition,
                      int (*visit)(void *context, struct eddy_span user,
                                   struct eddy_span blob, struct eddy_span list),
                      void *context, struct eddy_err *err);
};
struct eddy_store { /* first member of every implementation */
    const struct eddy_store_ops *ops;
    char prefix[64];
};

/* Closes connections, frees. NULL is fine. Thread: the owner's, for all that follows: a
 * store object belongs to one thread. Blocks: at most the configured time-out per exchange. */
void eddy_store_close(struct eddy_store *store);

/* Write a new fence for the partition, read position and outbox (arena). ret_found false:
 * the partition has none yet. 0 or EDDY_ESTORE. */
int eddy_store_acquire(struct eddy_store *store, uint32_t partition,
                       struct eddy_arena *arena, struct eddy_position *ret_position,
                       bool *ret_found, struct eddy_span *ret_outbox,
                       struct eddy_err *err);
/* The partition is no longer ours: drop what is known about it. Writes nothing. */
void eddy_store_forget(struct eddy_store *store, uint32_t partition);

/* Blobs of many users of many partitions in one pipelined exchange per connection, fence
 * and offset verified after the reads. 0, EDDY_ESTORE, or EDDY_EFENCED with the partition:
 * then no result of this call may be used. */
int eddy_store_load(struct eddy_store *store, struct eddy_load *loads, uint32_t count,
                    struct eddy_arena *arena, uint32_t *ret_fenced_partition,
                    struct eddy_err *err);

/* Commit several partitions, each for itself, all in flight together: one round trip. 0:
 * look at each ret_code. EDDY_ESTORE: outcome unknown, acquire all of them again. */
int eddy_store_commit(struct eddy_store *store, struct eddy_commit *commits,
                      uint32_t count, struct eddy_err *err);

/* Plain reads (values are arena memory; a missing key gives data NULL) and
 * first-writer-wins writes: lists of the outbox, tools, eddy:meta. get_many is one pipelined
 * exchange and not atomic. set_if_absent: 1 written, 0 it was there. */
int eddy_store_get(struct eddy_store *store, struct eddy_span key,
                   struct eddy_arena *arena, struct eddy_span *ret_value,
                   struct eddy_err *err);
int eddy_store_get_many(struct eddy_store *store, const struct eddy_span *keys,
                        uint32_t count, struct eddy_arena *arena,
                        struct eddy_span *ret_values, struct eddy_err *err);
int eddy_store_set_if_absent(struct eddy_store *store, struct eddy_span key,
                             struct eddy_span value, struct eddy_err *err);
/* Every user with a state in the partition, any order; spans valid during the visit. A
 * negative return of visit stops and is returned. For digests and tools. */
int eddy_store_scan_users(struct eddy_store *store, uint32_t partition,
                          int (*visit)(void *context, struct eddy_span user,
                                       struct eddy_span blob, struct eddy_span list),
                          void *context, struct eddy_err *err);

/* Keys, written into out. */
void eddy_key_list(const struct eddy_store *store, struct eddy_span user,
                   struct eddy_buf *out);
void eddy_key_state(const struct eddy_store *store, uint32_t partition,
                    struct eddy_span user, struct eddy_buf *out);
void eddy_key_part(const struct eddy_store *store, uint32_t partition, const char *name,
                   struct eddy_buf *out); /* name: fence, offset, outbox */
void eddy_key_meta(const struct eddy_store *store, struct eddy_buf *out);
void eddy_key_list_default(const struct eddy_store *store, struct eddy_buf *out);

#endif
