/* The end of the path: commit, then publish (P1). */
#include "engine/path_internal.h"

#include "base/clock.h"

/* ---------------------------------------------------------------- what is written */

static int encode_blobs(struct eddy_path *path)
{
    eddy_buf_clear(&path->blobs);
    for (uint32_t i = 0; i < path->row_count; i++) {
        struct path_row *row = &path->rows[i];
        if (row->part->owned) {
            row->blob_begin = path->blobs.size;
            eddy_state_encode(eddy_path_state(path, row), &path->blobs);
            row->blob_size = path->blobs.size - row->blob_begin;
        }
    }
    return path->blobs.failed ? EDDY_ENOMEM : 0;
}

static struct eddy_span list_of(const struct eddy_path *path,
                                const struct path_row *row)
{
    if (!row->has_list) {
        return (struct eddy_span){NULL, 0};
    }
    return (struct eddy_span){path->lists.data + row->list_begin, row->list_size};
}

/* Users unconfirmed from before, and those of this wave. Each commit's outbox is copied to
 * the arena, for the buffer moves while it grows. */
static int encode_outbox(struct eddy_path *path, struct path_part *part,
                         const struct eddy_write *writes, uint32_t write_count,
                         struct eddy_span *ret)
{
    uint32_t waiting =
        path->publisher ? eddy_publisher_count(path->publisher, part->partition) : 0;
    struct eddy_span *users =
        eddy_arena_zero(path->arena, (size_t)waiting + write_count + 1, sizeof *users);
    if (!users) {
        return EDDY_ENOMEM;
    }
    uint32_t count = 0;
    if (path->publisher) {
        count = eddy_publisher_users(path->publisher, part->partition, users);
        for (uint32_t i = 0; i < write_count; i++) {
            if (writes[i].list.size > 0 &&
                !eddy_publisher_has(path->publisher, part->partition, writes[i].user)) {
                users[count++] = writes[i].user;
            }
        }
    }
    eddy_buf_clear(&path->outboxes);
    eddy_outbox_encode(users, count, &path->outboxes);
    *ret = path->outboxes.failed
               ? (struct eddy_span){NULL, 0}
               : eddy_arena_copy(path->arena, eddy_buf_span(&path->outboxes));
    part->wave_outbox = count > 0;
    return ret->data ? 0 : EDDY_ENOMEM;
}

static int encode_default(struct eddy_path *path, const struct path_part *part,
                          const struct eddy_policy *policy, struct eddy_span *ret)
{
    if (!part->default_due || part->model->snapshot->manifest.version[0] == 0) {
        *ret = (struct eddy_span){NULL, 0};
        return 0;
    }
    eddy_buf_clear(&path->outboxes);
    eddy_list_encode_default(eddy_span_of(path->options.prefix), part->model->snapshot,
                             policy->list_size, &path->outboxes);
    *ret = path->outboxes.failed
               ? (struct eddy_span){NULL, 0}
               : eddy_arena_copy(path->arena, eddy_buf_span(&path->outboxes));
    return ret->data ? 0 : EDDY_ENOMEM;
}

/* ---------------------------------------------------------------- commit */

/* One commit for each partition that has a record in the wave; its users' writes stand
 * together. */
static int collect_commits(struct eddy_path *path, struct eddy_commit **ret,
                           uint32_t *ret_count)
{
    uint32_t parts = 0, count = 0;
    for (uint32_t p = 0; p < path->part_count; p++) {
        const struct path_part *part = path->parts[p];
        parts += part && part->owned && part->touched;
    }
    struct eddy_commit *commits =
        eddy_arena_zero(path->arena, parts + 1, sizeof *commits);
    struct eddy_write *writes =
        eddy_arena_zero(path->arena, path->row_count + 1, sizeof *writes);
    if (!commits || !writes) {
        return EDDY_ENOMEM;
    }
    uint32_t room = 0;
    for (uint32_t p = 0; p < path->part_count; p++) {
        struct path_part *part = path->parts[p];
        if (part && part->owned && part->touched) {
            struct eddy_commit *commit = &commits[count++];
            commit->partition = p;
            commit->position = part->wave;
            commit->writes = writes + room;
            part->commit = commit;
            room += part->row_count;
        }
    }
    for (uint32_t i = 0; i < path->row_count; i++) {
        const struct path_row *row = &path->rows[i];
        if (row->part->owned) {
            struct eddy_commit *commit = row->part->commit;
            uint64_t at = (uint64_t)(commit->writes - writes) + commit->write_count++;
            writes[at] = (struct eddy_write){
                .user = row->user,
                .blob = {path->blobs.data + row->blob_begin, row->blob_size},
                .list = list_of(path, row)};
        }
    }
    *ret = commits;
    *ret_count = count;
    return 0;
}

/* The store has it: the position moves, and the lists may be seen. */
static void note_committed(struct eddy_path *path, struct path_part *part)
{
    part->position = part->wave;
    part->default_due = false;
    part->stored_outbox = part->wave_outbox;
    if (part->position.offset > part->committed_high) {
        part->committed_high = part->position.offset;
    }
    eddy_path_count(path, EDDY_M_COMMITS, 1);
}

static int note_lists(struct eddy_path *path)
{
    int64_t now_ms = path->metrics ? eddy_now_ms() : 0;
    for (uint32_t i = 0; i < path->row_count; i++) {
        const struct path_row *row = &path->rows[i];
        if (!row->part->owned || !row->has_list) {
            continue;
        }
        if (path->publisher &&
            eddy_publisher_put(path->publisher, row->part->partition, row->user,
                               row->moved, list_of(path, row)) < 0) {
            return EDDY_ENOMEM;
        }
        for (uint32_t at = row->first; path->metrics && at != EDDY_NO_EVENT;
             at = path->events[at].next) {
            int64_t sent_ms = path->events[at].timestamp_ms;
            if (sent_ms > 0) {
                uint64_t ms = now_ms > sent_ms ? (uint64_t)(now_ms - sent_ms) : 0;
                eddy_metric_observe_ns(path->metrics, EDDY_M_EVENT_TO_LIST,
                                       ms * 1000000);
            }
        }
    }
    return 0;
}

/* P1: dead letters stand in their topic before the offset moves over them. */
static int settle(struct eddy_path *path, struct eddy_err *err)
{
    if (path->dead_count == 0 || !path->sink) {
        return 0;
    }
    int r = eddy_sink_settle(path->sink, EDDY_SETTLE_MS, err);
    return r < 0 ? EDDY_EKAFKA : 0;
}

int eddy_path_commit(struct eddy_path *path, struct eddy_err *err)
{
    struct eddy_commit *commits = NULL;
    uint32_t count = 0;
    int r = settle(path, err);
    if (r < 0) {
        return r;
    }
    if (encode_blobs(path) < 0 || collect_commits(path, &commits, &count) < 0) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory to commit %u users",
                         path->row_count);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_commit *commit = &commits[i];
        struct path_part *part = path->parts[commit->partition];
        if (encode_outbox(path, part, commit->writes, commit->write_count,
                          &commit->outbox) < 0 ||
            encode_default(path, part, &part->wave.policy, &commit->default_list) < 0) {
            return eddy_fail(err, EDDY_ENOMEM, "no memory to commit %u users",
                             path->row_count);
        }
    }
    r = eddy_store_commit(path->store, commits, count, err);
    if (r < 0) {
        eddy_path_count(path, EDDY_M_ERRORS_STORE, 1);
        return r;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct path_part *part = path->parts[commits[i].partition];
        if (commits[i].ret_code < 0) {
            eddy_path_lose(path, part); /* P7 */
        } else {
            note_committed(path, part);
        }
    }
    if (note_lists(path) < 0) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for unconfirmed lists");
    }
    return 0;
}

int eddy_path_commit_idle(struct eddy_path *path, struct path_part *part,
                          struct eddy_err *err)
{
    struct eddy_commit commit = {.partition = part->partition,
                                 .position = part->position};
    eddy_arena_reset(path->arena);
    part->wave = part->position;
    if (encode_outbox(path, part, NULL, 0, &commit.outbox) < 0 ||
        encode_default(path, part, &part->position.policy, &commit.default_list) < 0) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory to commit partition %u",
                         part->partition);
    }
    int r = eddy_store_commit(path->store, &commit, 1, err);
    if (r < 0) {
        eddy_path_count(path, EDDY_M_ERRORS_STORE, 1);
        return r;
    }
    if (commit.ret_code < 0) {
        return eddy_fail(err, commit.ret_code, "partition %u has another owner now",
                         part->partition);
    }
    note_committed(path, part);
    return 0;
}

/* ---------------------------------------------------------------- publish */

int eddy_path_publish(struct eddy_path *path, struct eddy_err *err)
{
    struct eddy_err trouble;
    (void)err;
    if (path->publisher) {
        /* Committed is committed: what the sink refuses stays due, and eddy_path_service
         * tries again and reports it (P2). */
        (void)eddy_publisher_send(path->publisher, &trouble);
    }
    return 0;
}
