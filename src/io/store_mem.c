/* The store in memory: its client.
 *
 * A handle holds what it last saw of each acquired partition (WATCH: the versions of fence
 * and offset), and it notices a crash of the server at its next exchange, which fails. A
 * failed exchange forgets all watches, as a closed connection does. Its order of steps is
 * that of the Redis store: reads first, then the check of fence and offset. */
#include "io/store_mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "io/memory.h"

/* offset, outbox, default list; a blob and a list for each user */
enum { SETTINGS_MAX = 3 + 2 * EDDY_COMMIT_USERS };

struct watch {
    bool held;
    uint64_t fence_version, offset_version;
};

struct handle {
    struct eddy_store store; /* first */
    struct eddy_memory *memory;
    char owner[64];
    uint64_t epoch, tokens;
    bool fault_armed;
    enum eddy_mem_fault fault;
    struct watch *watches; /* by partition */
    uint32_t watch_count;
    struct eddy_buf text; /* keys and small values of one exchange */
    struct eddy_setting settings[SETTINGS_MAX];
    uint32_t setting_count;
};

static void forget_watches(struct handle *handle)
{
    for (uint32_t i = 0; i < handle->watch_count; i++) {
        handle->watches[i].held = false;
    }
}

static struct watch *watch_of(struct handle *handle, uint32_t partition)
{
    if (partition >= handle->watch_count) {
        uint32_t count = partition + 1;
        handle->watches = realloc(handle->watches, count * sizeof *handle->watches);
        EDDY_ASSERT(handle->watches);
        memset(handle->watches + handle->watch_count, 0,
               (count - handle->watch_count) * sizeof *handle->watches);
        handle->watch_count = count;
    }
    return &handle->watches[partition];
}

static int fail_exchange(struct handle *handle, struct eddy_err *err)
{
    forget_watches(handle);
    return eddy_fail(err, EDDY_ESTORE, "store in memory: connection of %s lost",
                     handle->owner);
}

/* Every exchange begins here: a restart of the server or a request that got lost. */
static int begin_exchange(struct handle *handle, struct eddy_err *err)
{
    eddy_buf_clear(&handle->text);
    handle->setting_count = 0;
    if (handle->epoch != eddy_memory_epoch(handle->memory)) {
        handle->epoch = eddy_memory_epoch(handle->memory);
        handle->fault_armed = false;
        return fail_exchange(handle, err);
    }
    if (handle->fault_armed && handle->fault == EDDY_MEM_FAIL_BEFORE) {
        handle->fault_armed = false;
        return fail_exchange(handle, err);
    }
    return 0;
}

/* And ends here: the reply that got lost. */
static int end_exchange(struct handle *handle, struct eddy_err *err)
{
    if (handle->fault_armed) {
        handle->fault_armed = false;
        return fail_exchange(handle, err);
    }
    return 0;
}

static struct eddy_span key_part(struct handle *handle, uint32_t partition,
                                 const char *name)
{
    size_t begin = handle->text.size;
    eddy_key_part(&handle->store, partition, name, &handle->text);
    EDDY_ASSERT(!handle->text.failed);
    return (struct eddy_span){handle->text.data + begin, handle->text.size - begin};
}

static struct eddy_span read_value(const struct handle *handle, struct eddy_span key,
                                   struct eddy_arena *arena)
{
    struct eddy_span value = eddy_memory_value(handle->memory, key);
    return value.data ? eddy_arena_copy(arena, value) : value;
}

static void see(struct handle *handle, uint32_t partition)
{
    struct watch *watch = watch_of(handle, partition);
    eddy_buf_clear(&handle->text);
    watch->held = true;
    watch->fence_version =
        eddy_memory_version(handle->memory, key_part(handle, partition, "fence"));
    eddy_buf_clear(&handle->text);
    watch->offset_version =
        eddy_memory_version(handle->memory, key_part(handle, partition, "offset"));
}

static bool is_unmoved(struct handle *handle, uint32_t partition)
{
    const struct watch *watch = watch_of(handle, partition);
    if (!watch->held) {
        return false;
    }
    eddy_buf_clear(&handle->text);
    if (eddy_memory_version(handle->memory, key_part(handle, partition, "fence")) !=
        watch->fence_version) {
        return false;
    }
    eddy_buf_clear(&handle->text);
    return eddy_memory_version(handle->memory, key_part(handle, partition, "offset")) ==
           watch->offset_version;
}

static void mem_close(struct eddy_store *store)
{
    struct handle *handle = (struct handle *)store;
    eddy_buf_fini(&handle->text);
    free(handle->watches);
    free(handle);
}

static int mem_acquire(struct eddy_store *store, uint32_t partition,
                       struct eddy_arena *arena, struct eddy_position *ret_position,
                       bool *ret_found, struct eddy_span *ret_outbox,
                       struct eddy_err *err)
{
    struct handle *handle = (struct handle *)store;
    int r = begin_exchange(handle, err);
    if (r < 0) {
        return r;
    }
    char token[96];
    (void)snprintf(token, sizeof token, "%s:%llu", handle->owner,
                   (unsigned long long)++handle->tokens);
    struct eddy_setting fence = {key_part(handle, partition, "fence"),
                                 eddy_span_of(token)};
    eddy_memory_write(handle->memory, &fence, 1);
    r = end_exchange(handle, err);
    if (r < 0) {
        return r;
    }
    see(handle, partition);
    eddy_buf_clear(&handle->text);
    struct eddy_span position =
        read_value(handle, key_part(handle, partition, "offset"), arena);
    eddy_buf_clear(&handle->text);
    struct eddy_span outbox =
        read_value(handle, key_part(handle, partition, "outbox"), arena);
    if (position.data) {
        r = eddy_position_decode(position, ret_position);
        if (r < 0) {
            return eddy_fail(err, r, "position of partition %u is damaged", partition);
        }
    }
    *ret_found = position.data != NULL;
    *ret_outbox = outbox;
    return 0;
}

static void mem_forget(struct eddy_store *store, uint32_t partition)
{
    watch_of((struct handle *)store, partition)->held = false;
}

static int mem_load(struct eddy_store *store, struct eddy_load *loads, uint32_t count,
                    struct eddy_arena *arena, uint32_t *ret_fenced_partition,
                    struct eddy_err *err)
{
    struct handle *handle = (struct handle *)store;
    int r = begin_exchange(handle, err);
    if (r < 0) {
        return r;
    }
    for (uint32_t i = 0; i < count; i++) {
        eddy_buf_clear(&handle->text);
        eddy_key_state(store, loads[i].partition, loads[i].user, &handle->text);
        loads[i].ret_blob = read_value(handle, eddy_buf_span(&handle->text), arena);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t partition = loads[i].partition;
        if ((i == 0 || loads[i - 1].partition != partition) &&
            !is_unmoved(handle, partition)) {
            *ret_fenced_partition = partition;
            return eddy_fail(err, EDDY_EFENCED, "partition %u has another owner now",
                             partition);
        }
    }
    return end_exchange(handle, err);
}

static void add_setting(struct handle *handle, struct eddy_span key,
                        struct eddy_span value)
{
    EDDY_ASSERT(handle->setting_count < SETTINGS_MAX);
    handle->settings[handle->setting_count++] = (struct eddy_setting){key, value};
}

/* Room first: keys are spans into text, which must not move while they are collected. */
static void reserve_text(struct handle *handle, const struct eddy_commit *commit)
{
    size_t names = strlen(handle->store.prefix) + 64;
    size_t room = 8 * names + 1024;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        room += 2 * (names + commit->writes[i].user.size);
    }
    eddy_buf_clear(&handle->text);
    EDDY_ASSERT(eddy_buf_reserve(&handle->text, room) == 0);
}

static struct eddy_span text_since(const struct handle *handle, size_t begin)
{
    return (struct eddy_span){handle->text.data + begin, handle->text.size - begin};
}

static void collect_settings(struct handle *handle, const struct eddy_commit *commit)
{
    struct eddy_buf *text = &handle->text;
    uint32_t partition = commit->partition;
    handle->setting_count = 0;
    reserve_text(handle, commit);
    size_t begin = text->size;
    eddy_position_encode(&commit->position, text);
    struct eddy_span position = text_since(handle, begin);
    add_setting(handle, key_part(handle, partition, "offset"), position);
    add_setting(handle, key_part(handle, partition, "outbox"), commit->outbox);
    if (commit->default_list.size > 0) {
        begin = text->size;
        eddy_key_list_default(&handle->store, text);
        add_setting(handle, text_since(handle, begin), commit->default_list);
    }
    for (uint32_t i = 0; i < commit->write_count; i++) {
        const struct eddy_write *write = &commit->writes[i];
        begin = text->size;
        eddy_key_state(&handle->store, partition, write->user, text);
        add_setting(handle, text_since(handle, begin), write->blob);
        if (write->list.size > 0) {
            begin = text->size;
            eddy_key_list(&handle->store, write->user, text);
            add_setting(handle, text_since(handle, begin), write->list);
        }
    }
    EDDY_ASSERT(!text->failed);
}

static int mem_commit(struct eddy_store *store, struct eddy_commit *commits,
                      uint32_t count, struct eddy_err *err)
{
    struct handle *handle = (struct handle *)store;
    int r = begin_exchange(handle, err);
    if (r < 0) {
        return r;
    }
    bool late = handle->fault_armed && handle->fault == EDDY_MEM_FAIL_LATE;
    bool half = handle->fault_armed && handle->fault == EDDY_MEM_FAIL_HALF;
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_commit *commit = &commits[i];
        EDDY_ASSERT(commit->write_count <= EDDY_COMMIT_USERS);
        if (half && i >= count / 2) {
            break;
        }
        if (!is_unmoved(handle, commit->partition)) {
            commit->ret_code = EDDY_EFENCED;
            watch_of(handle, commit->partition)->held = false;
            continue;
        }
        collect_settings(handle, commit);
        if (late) {
            const struct watch *watch = watch_of(handle, commit->partition);
            struct eddy_watched watched = {
                .fence_key = key_part(handle, commit->partition, "fence"),
                .offset_key = key_part(handle, commit->partition, "offset"),
                .fence_version = watch->fence_version,
                .offset_version = watch->offset_version,
            };
            eddy_memory_send_late(handle->memory, &watched, handle->settings,
                                  handle->setting_count);
            continue;
        }
        eddy_memory_write(handle->memory, handle->settings, handle->setting_count);
        see(handle, commit->partition);
        commit->ret_code = 0;
    }
    return end_exchange(handle, err);
}

static int mem_get(struct eddy_store *store, const struct eddy_span *keys,
                   uint32_t count, struct eddy_arena *arena,
                   struct eddy_span *ret_values, struct eddy_err *err)
{
    struct handle *handle = (struct handle *)store;
    int r = begin_exchange(handle, err);
    if (r < 0) {
        return r;
    }
    r = end_exchange(handle, err);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        ret_values[i] = read_value(handle, keys[i], arena);
    }
    return r;
}

static int mem_set_if_absent(struct eddy_store *store, struct eddy_span key,
                             struct eddy_span value, struct eddy_err *err)
{
    struct handle *handle = (struct handle *)store;
    int r = begin_exchange(handle, err);
    if (r < 0) {
        return r;
    }
    bool absent = !eddy_memory_value(handle->memory, key).data;
    if (absent) {
        struct eddy_setting setting = {key, value};
        eddy_memory_write(handle->memory, &setting, 1);
    }
    r = end_exchange(handle, err);
    return r < 0 ? r : absent ? 1 : 0;
}

static int mem_scan_users(struct eddy_store *store, uint32_t partition,
                          int (*visit)(void *context, struct eddy_span user,
                                       struct eddy_span blob, struct eddy_span list),
                          void *context, struct eddy_err *err)
{
    struct handle *handle = (struct handle *)store;
    struct eddy_buf list_key;
    int r = begin_exchange(handle, err);
    if (r == 0) {
        r = end_exchange(handle, err);
    }
    if (r < 0) {
        return r;
    }
    eddy_key_state(store, partition, (struct eddy_span){"", 0}, &handle->text);
    struct eddy_span stem = eddy_buf_span(&handle->text);
    eddy_buf_init(&list_key, 0);
    uint32_t count = eddy_memory_count(handle->memory);
    for (uint32_t i = 0; r >= 0 && i < count; i++) {
        struct eddy_setting item = eddy_memory_at(handle->memory, i);
        if (!item.value.data || item.key.size < stem.size ||
            memcmp(item.key.data, stem.data, stem.size) != 0) {
            continue;
        }
        struct eddy_span user = {item.key.data + stem.size, item.key.size - stem.size};
        eddy_buf_clear(&list_key);
        eddy_key_list(store, user, &list_key);
        r = visit(context, user, item.value,
                  eddy_memory_value(handle->memory, eddy_buf_span(&list_key)));
    }
    eddy_buf_fini(&list_key);
    return r < 0 ? r : 0;
}

static const struct eddy_store_ops mem_ops = {
    .close = mem_close,
    .acquire = mem_acquire,
    .forget = mem_forget,
    .load = mem_load,
    .commit = mem_commit,
    .get = mem_get,
    .set_if_absent = mem_set_if_absent,
    .scan_users = mem_scan_users,
};

struct eddy_store *eddy_store_mem_open(struct eddy_memory *memory, const char *prefix,
                                       const char *owner)
{
    struct handle *handle = calloc(1, sizeof *handle);
    if (!handle) {
        return NULL;
    }
    handle->store.ops = &mem_ops;
    (void)snprintf(handle->store.prefix, sizeof handle->store.prefix, "%s", prefix);
    (void)snprintf(handle->owner, sizeof handle->owner, "%s", owner);
    handle->memory = memory;
    handle->epoch = eddy_memory_epoch(memory);
    eddy_buf_init(&handle->text, 0);
    return &handle->store;
}

void eddy_store_mem_fail_next(struct eddy_store *store, enum eddy_mem_fault fault)
{
    struct handle *handle = (struct handle *)store;
    handle->fault_armed = true;
    handle->fault = fault;
}
