/* The store in memory: its server.
 *
 * eddy_memory is the server: a table of items (key, value, version). Every write gives its
 * key a new version from one counter; WATCH is "the versions of fence and offset are still
 * those that I saw". One write is one transaction, as an EXEC is, and leaves an undo
 * record: the list of (item, value before). Losing the tail applies undo records from the
 * newest on, so what remains is always a state that the server once had (a Redis that
 * loads a cut AOF drops a half transaction, redis@7.0.15:src/aof.c).
 *
 * A commit that is still on its way when its connection is given up arrives later under
 * the versions of its time (EDDY_MEM_FAIL_LATE): the case that "write a new fence, then
 * read the offset" has to survive. */
#include "io/memory.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"

#define NO_ITEM UINT32_MAX
enum { AHEAD = 64 }; /* settings looked up ahead */

struct item {
    char *key;
    char *value; /* NULL: not there */
    size_t key_size, value_size, value_room;
    uint64_t version;   /* of the newest write, 0: never written */
    uint32_t next_same; /* item with an equal 64-bit hash */
};

struct undo {
    uint32_t item;
    char *value;
    size_t value_size;
};

struct undo_group {
    struct undo *undos;
    uint32_t count, capacity;
};

struct late {
    struct late *next;
    struct eddy_watched watched;
    uint32_t count;
    struct eddy_setting *settings;
    char *bytes; /* all keys and values */
};

struct eddy_memory {
    struct item *items;
    uint32_t count, capacity;
    struct eddy_map index; /* hash of key -> newest item with that hash */
    uint64_t version;      /* of the newest write */
    uint64_t epoch;        /* restarts */
    struct undo_group *history;
    uint32_t history_size, history_begin, history_count;
    struct late *late;
};

/* ---------------------------------------------------------------- items */

static void *grow(void *array, uint32_t *capacity, uint32_t needed, size_t size)
{
    uint32_t larger = *capacity ? *capacity : 64;
    while (larger < needed) {
        larger *= 2;
    }
    void *bigger = realloc(array, larger * size);
    /* A test helper and replay: a process without memory for its data cannot go on. */
    EDDY_ASSERT(bigger);
    *capacity = larger;
    return bigger;
}

static char *copy_bytes(struct eddy_span bytes)
{
    char *copy = malloc(bytes.size + 1);
    EDDY_ASSERT(copy);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = 0;
    return copy;
}

static uint32_t find_item(const struct eddy_memory *memory, struct eddy_span key)
{
    uint32_t at = eddy_map_get(&memory->index, eddy_hash64(key));
    while (at != NO_ITEM) {
        const struct item *item = &memory->items[at];
        if (eddy_span_eq((struct eddy_span){item->key, item->key_size}, key)) {
            return at;
        }
        at = item->next_same;
    }
    return NO_ITEM;
}

static uint32_t make_item(struct eddy_memory *memory, struct eddy_span key)
{
    uint32_t at = find_item(memory, key);
    if (at != NO_ITEM) {
        return at;
    }
    if (memory->count == memory->capacity) {
        memory->items = grow(memory->items, &memory->capacity, memory->count + 1,
                             sizeof *memory->items);
    }
    uint64_t hash = eddy_hash64(key);
    at = memory->count++;
    memory->items[at] = (struct item){.key = copy_bytes(key),
                                      .key_size = key.size,
                                      .next_same = eddy_map_get(&memory->index, hash)};
    EDDY_ASSERT(eddy_map_put(&memory->index, hash, at) == 0);
    return at;
}

uint64_t eddy_memory_version(const struct eddy_memory *memory, struct eddy_span key)
{
    uint32_t at = find_item(memory, key);
    return at == NO_ITEM ? 0 : memory->items[at].version;
}

/* ---------------------------------------------------------------- transactions */

static struct undo_group *begin_undo(struct eddy_memory *memory)
{
    if (memory->history_size == 0) {
        return NULL;
    }
    uint32_t at =
        (memory->history_begin + memory->history_count) % memory->history_size;
    struct undo_group *group = &memory->history[at];
    if (memory->history_count == memory->history_size) { /* the oldest gives way */
        memory->history_begin = (memory->history_begin + 1) % memory->history_size;
    } else {
        memory->history_count++;
    }
    for (uint32_t i = 0; i < group->count; i++) {
        free(group->undos[i].value);
    }
    group->count = 0;
    return group;
}

/* kept: the old bytes live on in an undo record. */
static void put_value(struct item *item, struct eddy_span value, bool kept)
{
    if (kept || !item->value || item->value_room < value.size) {
        if (!kept) {
            free(item->value);
        }
        /* Without a history, states that grow by an event each time do so in place. */
        item->value_room = kept ? value.size : value.size + value.size / 8;
        item->value = malloc(item->value_room + 1);
        EDDY_ASSERT(item->value);
    }
    if (value.size > 0) {
        memcpy(item->value, value.data, value.size);
    }
    item->value[value.size] = 0;
    item->value_size = value.size;
}

static void set_item(struct eddy_memory *memory, struct undo_group *group,
                     const struct eddy_setting *setting)
{
    uint32_t at = make_item(memory, setting->key);
    struct item *item = &memory->items[at];
    if (group) {
        if (group->count == group->capacity) {
            group->undos = grow(group->undos, &group->capacity, group->count + 1,
                                sizeof *group->undos);
        }
        group->undos[group->count++] = (struct undo){at, item->value, item->value_size};
    }
    put_value(item, setting->value, group != NULL);
    item->version = ++memory->version;
}

/* Writes of one transaction need memory that has not been touched for long. Each pass asks
 * for what the next one reads, so that the waits overlap. */
static void prefetch_items(const struct eddy_memory *memory,
                           const struct eddy_setting *settings, uint32_t count)
{
    uint64_t hashes[AHEAD];
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = eddy_hash64(settings[i].key);
        eddy_map_prefetch(&memory->index, hashes[i]);
    }
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = eddy_map_get(&memory->index, hashes[i]);
            if (at == NO_ITEM) {
                continue;
            }
            const struct item *item = &memory->items[at];
            __builtin_prefetch(pass ? item->key : (const char *)item);
            __builtin_prefetch(pass ? item->value : (const char *)&item->version, 1);
        }
    }
}

void eddy_memory_write(struct eddy_memory *memory, const struct eddy_setting *settings,
                       uint32_t count)
{
    struct undo_group *group = begin_undo(memory);
    for (uint32_t i = 0; i < count; i++) {
        if (i % AHEAD == 0) {
            prefetch_items(memory, settings + i, count - i < AHEAD ? count - i : AHEAD);
        }
        set_item(memory, group, &settings[i]);
    }
}

static void undo_newest(struct eddy_memory *memory)
{
    uint32_t at =
        (memory->history_begin + --memory->history_count) % memory->history_size;
    struct undo_group *group = &memory->history[at];
    while (group->count > 0) {
        const struct undo *undo = &group->undos[--group->count];
        struct item *item = &memory->items[undo->item];
        free(item->value);
        item->value = undo->value;
        item->value_size = item->value_room = undo->value_size;
        item->version = ++memory->version;
    }
}

struct eddy_memory *eddy_memory_new(uint32_t history)
{
    struct eddy_memory *memory = calloc(1, sizeof *memory);
    if (!memory) {
        return NULL;
    }
    memory->history_size = history;
    memory->history = history ? calloc(history, sizeof *memory->history) : NULL;
    if ((history && !memory->history) || eddy_map_init(&memory->index, 64) < 0) {
        free(memory->history);
        free(memory);
        return NULL;
    }
    return memory;
}

static void drop_late(struct eddy_memory *memory)
{
    while (memory->late) {
        struct late *late = memory->late;
        memory->late = late->next;
        free(late->settings);
        free(late->bytes);
        free(late);
    }
}

void eddy_memory_free(struct eddy_memory *memory)
{
    if (!memory) {
        return;
    }
    for (uint32_t i = 0; i < memory->count; i++) {
        free(memory->items[i].key);
        free(memory->items[i].value);
    }
    for (uint32_t i = 0; i < memory->history_size; i++) {
        for (uint32_t k = 0; k < memory->history[i].count; k++) {
            free(memory->history[i].undos[k].value);
        }
        free(memory->history[i].undos);
    }
    drop_late(memory);
    free(memory->history);
    free(memory->items);
    eddy_map_fini(&memory->index);
    free(memory);
}

uint32_t eddy_memory_lose_tail(struct eddy_memory *memory, uint32_t writes)
{
    uint32_t undone = 0;
    while (undone < writes && memory->history_count > 0) {
        undo_newest(memory);
        undone++;
    }
    drop_late(memory); /* connections died with the server */
    memory->epoch++;
    return undone;
}

uint32_t eddy_memory_deliver_late(struct eddy_memory *memory)
{
    uint32_t applied = 0;
    for (const struct late *late = memory->late; late; late = late->next) {
        const struct eddy_watched *watched = &late->watched;
        if (eddy_memory_version(memory, watched->fence_key) == watched->fence_version &&
            eddy_memory_version(memory, watched->offset_key) ==
                watched->offset_version) {
            eddy_memory_write(memory, late->settings, late->count);
            applied++;
        }
    }
    drop_late(memory);
    return applied;
}

static struct eddy_span keep(char **at, struct eddy_span bytes)
{
    if (bytes.size > 0) {
        memcpy(*at, bytes.data, bytes.size);
    }
    struct eddy_span kept = {*at, bytes.size};
    *at += bytes.size;
    return kept;
}

void eddy_memory_send_late(struct eddy_memory *memory,
                           const struct eddy_watched *watched,
                           const struct eddy_setting *settings, uint32_t count)
{
    struct late *late = calloc(1, sizeof *late);
    EDDY_ASSERT(late);
    size_t size = watched->fence_key.size + watched->offset_key.size + 1;
    for (uint32_t i = 0; i < count; i++) {
        size += settings[i].key.size + settings[i].value.size;
    }
    late->bytes = malloc(size);
    late->settings = calloc(count + 1, sizeof *late->settings);
    EDDY_ASSERT(late->bytes && late->settings);
    char *at = late->bytes;
    late->watched = *watched;
    late->watched.fence_key = keep(&at, watched->fence_key);
    late->watched.offset_key = keep(&at, watched->offset_key);
    late->count = count;
    for (uint32_t i = 0; i < count; i++) {
        late->settings[i].key = keep(&at, settings[i].key);
        late->settings[i].value = keep(&at, settings[i].value);
    }
    struct late **tail = &memory->late;
    while (*tail) {
        tail = &(*tail)->next;
    }
    *tail = late;
}

uint64_t eddy_memory_epoch(const struct eddy_memory *memory)
{
    return memory->epoch;
}

struct eddy_span eddy_memory_value(const struct eddy_memory *memory,
                                   struct eddy_span key)
{
    uint32_t at = find_item(memory, key);
    if (at == NO_ITEM || !memory->items[at].value) {
        return (struct eddy_span){NULL, 0};
    }
    return (struct eddy_span){memory->items[at].value, memory->items[at].value_size};
}

uint32_t eddy_memory_count(const struct eddy_memory *memory)
{
    return memory->count;
}

struct eddy_setting eddy_memory_at(const struct eddy_memory *memory, uint32_t i)
{
    const struct item *item = &memory->items[i];
    return (struct eddy_setting){{item->key, item->key_size},
                                 {item->value, item->value_size}};
}
