/* The sink in memory. A producer keeps its lists in one queue, as an idempotent producer
 * does: delivered from the front, so one producer never reorders a key. Reports wait until
 * poll, as librdkafka's do. Dead letters stand in the topic once settle has succeeded. */
#include "io/sink_mem.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"

struct keyed {
    struct eddy_topic_list newest;
    uint32_t next_same; /* key with an equal hash */
};

struct eddy_topic {
    struct keyed *keys;
    uint32_t count, capacity;
    struct eddy_map index;
    struct eddy_dead *dead;
    uint32_t dead_count, dead_capacity;
};

struct message {
    uint32_t partition;
    struct eddy_span user, list; /* owned */
    uint64_t revision;
    int code;
};

struct producer {
    struct eddy_sink sink; /* first */
    struct eddy_topic *topic;
    struct message *messages; /* [0, reported) have a report, the rest wait */
    uint32_t count, capacity, reported, waiting_max;
    struct eddy_dead *dead; /* not settled */
    uint32_t dead_count, dead_capacity;
    bool fail_settle;
};

/* One more element in a doubling array. A test helper: no memory ends the test. */
static void *room(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    uint32_t larger = *capacity ? 2 * *capacity : 32;
    void *bigger = realloc(array, larger * size);
    EDDY_ASSERT(bigger);
    *capacity = larger;
    return bigger;
}

static struct eddy_span copy_span(struct eddy_span bytes)
{
    char *copy = malloc(bytes.size + 1);
    EDDY_ASSERT(copy);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = 0;
    return (struct eddy_span){copy, bytes.size};
}

static void free_span(struct eddy_span *span)
{
    free((char *)(uintptr_t)span->data);
    *span = (struct eddy_span){NULL, 0};
}

/* ---------------------------------------------------------------- topic */

struct eddy_topic *eddy_topic_new(void)
{
    struct eddy_topic *topic = calloc(1, sizeof *topic);
    if (topic && eddy_map_init(&topic->index, 64) < 0) {
        free(topic);
        return NULL;
    }
    return topic;
}

void eddy_topic_free(struct eddy_topic *topic)
{
    if (!topic) {
        return;
    }
    for (uint32_t i = 0; i < topic->count; i++) {
        free_span(&topic->keys[i].newest.user);
        free_span(&topic->keys[i].newest.list);
    }
    for (uint32_t i = 0; i < topic->dead_count; i++) {
        free(topic->dead[i].payload);
    }
    free(topic->dead);
    free(topic->keys);
    eddy_map_fini(&topic->index);
    free(topic);
}

uint32_t eddy_topic_count(const struct eddy_topic *topic)
{
    return topic->count;
}

struct eddy_topic_list eddy_topic_at(const struct eddy_topic *topic, uint32_t i)
{
    return topic->keys[i].newest;
}

static uint32_t find_key(const struct eddy_topic *topic, struct eddy_span user)
{
    uint32_t at = eddy_map_get(&topic->index, eddy_hash64(user));
    while (at != EDDY_MAP_NONE && !eddy_span_eq(topic->keys[at].newest.user, user)) {
        at = topic->keys[at].next_same;
    }
    return at;
}

bool eddy_topic_find(const struct eddy_topic *topic, struct eddy_span user,
                     struct eddy_topic_list *ret)
{
    uint32_t at = find_key(topic, user);
    if (at == EDDY_MAP_NONE) {
        return false;
    }
    *ret = topic->keys[at].newest;
    return true;
}

const struct eddy_dead *eddy_topic_dead(const struct eddy_topic *topic,
                                        uint32_t *ret_count)
{
    *ret_count = topic->dead_count;
    return topic->dead;
}

static void append(struct eddy_topic *topic, const struct message *message)
{
    uint32_t at = find_key(topic, message->user);
    if (at == EDDY_MAP_NONE) {
        uint64_t hash = eddy_hash64(message->user);
        topic->keys =
            room(topic->keys, topic->count, &topic->capacity, sizeof *topic->keys);
        at = topic->count++;
        topic->keys[at] =
            (struct keyed){.newest = {.user = copy_span(message->user)},
                           .next_same = eddy_map_get(&topic->index, hash)};
        EDDY_ASSERT(eddy_map_put(&topic->index, hash, at) == 0);
    }
    struct eddy_topic_list *newest = &topic->keys[at].newest;
    free_span(&newest->list);
    newest->list = copy_span(message->list);
    newest->partition = message->partition;
    newest->revision = message->revision;
    newest->records++;
    if (message->revision > newest->highest_revision) {
        newest->highest_revision = message->revision;
    }
}

/* ---------------------------------------------------------------- producer */

static void mem_close(struct eddy_sink *sink)
{
    struct producer *producer = (struct producer *)sink;
    for (uint32_t i = 0; i < producer->count; i++) {
        free_span(&producer->messages[i].user);
        free_span(&producer->messages[i].list);
    }
    for (uint32_t i = 0; i < producer->dead_count; i++) {
        free(producer->dead[i].payload);
    }
    free(producer->messages);
    free(producer->dead);
    free(producer);
}

static int mem_publish(struct eddy_sink *sink, uint32_t partition,
                       struct eddy_span user, uint64_t revision, struct eddy_span list,
                       struct eddy_err *err)
{
    struct producer *producer = (struct producer *)sink;
    if (producer->count - producer->reported >= producer->waiting_max) {
        return eddy_fail(err, EDDY_EFULL, "%u lists wait for delivery",
                         producer->count - producer->reported);
    }
    producer->messages = room(producer->messages, producer->count, &producer->capacity,
                              sizeof *producer->messages);
    producer->messages[producer->count++] = (struct message){
        .partition = partition,
        .user = copy_span(user),
        .list = copy_span(list),
        .revision = revision,
    };
    return 0;
}

static int mem_bury(struct eddy_sink *sink, const struct eddy_record *record, int code,
                    const char *message, struct eddy_err *err)
{
    struct producer *producer = (struct producer *)sink;
    (void)message; /* the model of the topic keeps the code */
    (void)err;
    producer->dead = room(producer->dead, producer->dead_count,
                          &producer->dead_capacity, sizeof *producer->dead);
    producer->dead[producer->dead_count++] = (struct eddy_dead){
        .partition = record->partition,
        .offset = record->offset,
        .code = code,
        .payload = (char *)(uintptr_t)copy_span(record->payload).data,
        .size = record->payload.size,
    };
    return 0;
}

static int mem_settle(struct eddy_sink *sink, int timeout_ms, struct eddy_err *err)
{
    struct producer *producer = (struct producer *)sink;
    struct eddy_topic *topic = producer->topic;
    (void)timeout_ms; /* nothing here takes time */
    if (producer->fail_settle) {
        producer->fail_settle = false;
        for (uint32_t i = 0; i < producer->dead_count; i++) {
            free(producer->dead[i].payload);
        }
        producer->dead_count = 0;
        return eddy_fail(err, EDDY_EKAFKA, "dead letters were not confirmed");
    }
    for (uint32_t i = 0; i < producer->dead_count; i++) {
        topic->dead = room(topic->dead, topic->dead_count, &topic->dead_capacity,
                           sizeof *topic->dead);
        topic->dead[topic->dead_count++] = producer->dead[i];
    }
    producer->dead_count = 0;
    return 0;
}

static void mem_poll(struct eddy_sink *sink)
{
    struct producer *producer = (struct producer *)sink;
    uint32_t reported = producer->reported;
    for (uint32_t i = 0; i < reported; i++) {
        struct message *message = &producer->messages[i];
        if (sink->done) {
            sink->done(sink->done_context, message->partition, message->user,
                       message->revision, message->code);
        }
        free_span(&message->user);
        free_span(&message->list);
    }
    producer->count -= reported;
    producer->reported = 0;
    if (producer->count > 0) {
        memmove(producer->messages, producer->messages + reported,
                producer->count * sizeof *producer->messages);
    }
}

static const struct eddy_sink_ops mem_ops = {
    .close = mem_close,
    .publish = mem_publish,
    .bury = mem_bury,
    .settle = mem_settle,
    .poll = mem_poll,
};

struct eddy_sink *eddy_sink_mem_open(struct eddy_topic *topic)
{
    struct producer *producer = calloc(1, sizeof *producer);
    if (!producer) {
        return NULL;
    }
    producer->sink.ops = &mem_ops;
    producer->topic = topic;
    producer->waiting_max = UINT32_MAX;
    return &producer->sink;
}

void eddy_sink_mem_limit(struct eddy_sink *sink, uint32_t waiting_max)
{
    ((struct producer *)sink)->waiting_max = waiting_max;
}

uint32_t eddy_sink_mem_waiting(const struct eddy_sink *sink)
{
    const struct producer *producer = (const struct producer *)sink;
    return producer->count - producer->reported;
}

uint32_t eddy_sink_mem_deliver(struct eddy_sink *sink, uint32_t count, int code,
                               bool appended)
{
    struct producer *producer = (struct producer *)sink;
    uint32_t waiting = producer->count - producer->reported;
    uint32_t delivered = count < waiting ? count : waiting;
    for (uint32_t i = 0; i < delivered; i++) {
        struct message *message = &producer->messages[producer->reported++];
        message->code = code;
        if (code == 0 || appended) {
            append(producer->topic, message);
        }
    }
    return delivered;
}

void eddy_sink_mem_fail_settle(struct eddy_sink *sink)
{
    ((struct producer *)sink)->fail_settle = true;
}
