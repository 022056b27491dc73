/* Becoming and ceasing to be the owner of a partition.
 *
 * Acquiring is the one way to learn what the store holds: a new fence first, so that
 * whoever held the partition before can commit no more, then the position. What this worker
 * thought to know of the partition goes before that (P6). */
#include "engine/path_internal.h"

#include <stdlib.h>

static struct path_part *make_part(struct eddy_path *path, uint32_t partition)
{
    if (partition >= path->part_count) {
        uint32_t count = partition + 1;
        struct path_part **parts =
            realloc(path->parts, count * sizeof(struct path_part *));
        if (!parts) {
            return NULL;
        }
        for (uint32_t i = path->part_count; i < count; i++) {
            parts[i] = NULL;
        }
        path->parts = parts;
        path->part_count = count;
    }
    if (!path->parts[partition]) {
        path->parts[partition] = calloc(1, sizeof **path->parts);
        if (path->parts[partition]) {
            path->parts[partition]->partition = partition;
        }
    }
    return path->parts[partition];
}

/* Everything known about the partition goes: cached states, unconfirmed lists, pushed
 * records (P6). Its model and its high mark stay. */
static void forget_part(struct eddy_path *path, struct path_part *part)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < path->pushed_count; i++) {
        if (path->pushed[i].part != part) {
            path->pushed[kept++] = path->pushed[i];
        }
    }
    path->pushed_count = kept;
    eddy_cache_drop(&path->cache, part->partition);
    if (path->publisher) {
        eddy_publisher_drop(path->publisher, part->partition);
    }
    if (part->owned) {
        path->owned_count--;
    }
    part->owned = false;
    part->broken = false;
    part->default_due = false;
}

void eddy_path_release(struct eddy_path *path, uint32_t partition)
{
    struct path_part *part = eddy_path_part(path, partition);
    if (!part || !part->owned) {
        return;
    }
    forget_part(path, part);
    eddy_store_forget(path->store, partition);
    eddy_path_model_drop(path, part->model);
    part->model = NULL;
}

void eddy_path_lose(struct eddy_path *path, struct path_part *part)
{
    eddy_path_count(path, EDDY_M_COMMITS_FENCED, 1);
    /* Inside a wave: pushed records of the partition are skipped by decode, which sees
     * that it is not owned any more. */
    eddy_cache_drop(&path->cache, part->partition);
    if (path->publisher) {
        eddy_publisher_drop(path->publisher, part->partition);
    }
    eddy_store_forget(path->store, part->partition);
    eddy_path_model_drop(path, part->model);
    part->model = NULL;
    part->owned = false;
    path->owned_count--;
    EDDY_ASSERT(path->fenced_count < path->fenced_capacity);
    path->fenced[path->fenced_count++] = part->partition;
}

/* Room in the fenced list for every partition that can be lost. */
static int reserve_fenced(struct eddy_path *path)
{
    if (path->owned_count < path->fenced_capacity) {
        return 0;
    }
    uint32_t capacity = 2 * (path->owned_count + 1);
    uint32_t *fenced = realloc(path->fenced, capacity * sizeof *fenced);
    if (!fenced) {
        return EDDY_ENOMEM;
    }
    path->fenced = fenced;
    path->fenced_capacity = capacity;
    return 0;
}

/* The value of "rev" in a list. A user id cannot contain the pattern: its quotes are
 * escaped. */
static uint64_t list_revision(struct eddy_span list)
{
    static const char pattern[] = ",\"rev\":";
    uint64_t revision = 0;
    size_t size = sizeof pattern - 1;
    size_t at = 0;
    while (at + size < list.size && memcmp(list.data + at, pattern, size) != 0) {
        at++;
    }
    for (at += size; at < list.size; at++) {
        if (list.data[at] < '0' || list.data[at] > '9') {
            break;
        }
        revision = revision * 10 + (uint64_t)(list.data[at] - '0');
    }
    return revision;
}

/* P2: the users of the outbox. Their lists are in the store, committed together with the
 * outbox, so they are read and not computed again: the same bytes, whatever model and
 * policy made them. */
static int publish_again(struct eddy_path *path, uint32_t partition,
                         struct eddy_span outbox, struct eddy_err *err)
{
    const struct eddy_span *users = NULL;
    uint32_t count = 0;
    int r = eddy_outbox_decode(outbox, path->arena, &users, &count);
    if (r < 0) {
        return eddy_fail(err, r, "outbox of partition %u is damaged", partition);
    }
    struct eddy_span *keys = eddy_arena_zero(path->arena, count + 1, sizeof *keys);
    struct eddy_span *lists = eddy_arena_zero(path->arena, count + 1, sizeof *lists);
    if (!keys || !lists) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for an outbox of %u users",
                         count);
    }
    for (uint32_t i = 0; i < count; i++) {
        eddy_buf_clear(&path->outboxes);
        eddy_key_list(path->store, users[i], &path->outboxes);
        keys[i] = eddy_arena_copy(path->arena, eddy_buf_span(&path->outboxes));
        if (path->outboxes.failed || !keys[i].data) {
            return eddy_fail(err, EDDY_ENOMEM, "no memory for an outbox of %u users",
                             count);
        }
    }
    r = eddy_store_get_many(path->store, keys, count, path->arena, lists, err);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        if (lists[i].size > 0) {
            r = eddy_publisher_put(path->publisher, partition, users[i],
                                   list_revision(lists[i]), lists[i]);
        }
    }
    /* What the sink does not take now, eddy_path_service hands over. */
    return r < 0 ? r : eddy_publisher_send(path->publisher, err);
}

static int acquire_part(struct eddy_path *path, struct path_part *part,
                        struct eddy_err *err)
{
    struct eddy_position position;
    struct eddy_span outbox = {NULL, 0};
    struct path_model *model = NULL;
    bool found = false;
    memset(&position, 0, sizeof position);
    eddy_arena_reset(path->arena);
    int r = eddy_store_acquire(path->store, part->partition, path->arena, &position,
                               &found, &outbox, err);
    if (r < 0) {
        return r;
    }
    if (!found) {
        memset(&position, 0, sizeof position);
        memcpy(position.snapshot, path->options.initial_snapshot,
               sizeof position.snapshot);
        position.policy = path->options.initial_policy;
    }
    r = eddy_path_model_take(path, position.snapshot, &model, err);
    if (r < 0) {
        return r;
    }
    eddy_path_model_drop(path, part->model); /* after the take: it may be the same */
    part->model = model;
    part->position = position;
    part->push_offset = position.offset;
    part->default_due = part->partition == 0;
    part->stored_outbox = outbox.size > 1; /* an empty array is one byte */
    part->owned = true;
    path->owned_count++;
    if (position.offset < part->committed_high) {
        eddy_path_count(path, EDDY_M_REWINDS, 1);
        part->committed_high = position.offset;
    }
    if (path->publisher && outbox.size > 0) {
        r = publish_again(path, part->partition, outbox, err);
    }
    if (r == 0 && part->default_due && position.snapshot[0] != 0) {
        r = eddy_path_commit_idle(path, part, err);
    }
    return r;
}

int eddy_path_acquire(struct eddy_path *path, uint32_t partition, uint64_t *ret_offset,
                      struct eddy_err *err)
{
    struct path_part *part = make_part(path, partition);
    if (!part) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for partition %u", partition);
    }
    forget_part(path, part);
    eddy_path_count(path, EDDY_M_ACQUIRES, 1);
    int r = acquire_part(path, part, err);
    if (r < 0) {
        forget_part(path, part);
        eddy_store_forget(path->store, partition);
        eddy_path_model_drop(path, part->model);
        part->model = NULL;
        return r;
    }
    if (reserve_fenced(path) < 0) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for partition %u", partition);
    }
    *ret_offset = part->position.offset;
    return 0;
}

int eddy_path_start_at(struct eddy_path *path, uint32_t partition, uint64_t offset,
                       struct eddy_err *err)
{
    struct path_part *part = eddy_path_part(path, partition);
    if (!part || !part->owned || part->broken) {
        return eddy_fail(err, EDDY_EFENCED, "partition %u is not owned", partition);
    }
    if (part->push_offset != 0) {
        return eddy_fail(
            err, EDDY_EFATAL,
            "partition %u: the log begins at offset %llu, its states end at "
            "%llu: records are missing; restore a newer store or erase the "
            "partition's keys",
            partition, (unsigned long long)offset,
            (unsigned long long)part->push_offset);
    }
    part->position.offset = offset;
    part->push_offset = offset;
    return 0;
}

bool eddy_path_owns(const struct eddy_path *path, uint32_t partition)
{
    const struct path_part *part = eddy_path_part(path, partition);
    return part && part->owned;
}

uint64_t eddy_path_offset(const struct eddy_path *path, uint32_t partition)
{
    const struct path_part *part = eddy_path_part(path, partition);
    return part ? part->position.offset : 0;
}
