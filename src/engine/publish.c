/* Publishing after the commit.
 *
 * An entry stands for a user whose newest list is committed and not confirmed. The rule is
 * that the last record of a key in the topic is his newest list, whatever fails:
 *
 *   put      the entry holds the newest list and is due
 *   send     due -> in flight; in_flight counts lists handed over without a report
 *   report   in_flight falls; at 0 the last list handed over is known to stand in the topic
 *            or not: confirmed if it succeeded and is the newest, held if not
 *   retry    held -> due, once the owner has made sure that it still is the owner: what
 *            failed, or met a full sink, may have waited for long, and a worker that slept
 *            through a rebalance must not come back with it
 *   drop     another owner publishes now: the list goes, the count of reports still to
 *            come stays (a ghost), so that they are not taken for reports of a later list
 *
 * A failure with younger lists in flight needs nothing: they come behind it. Only while an
 * entry has nothing in flight can it be judged; the sink keeps the order of one key.
 *
 * Names and lists live in buffers of the entries, which keep their memory when an entry is
 * reused: a steady load allocates nothing. Entries of a partition form a list (newest
 * first), due and held entries stand in queues, entries with one hash in a chain. */
#include "engine/publish.h"

#include <stdlib.h>

#include "base/hash.h"

#define NONE UINT32_MAX

struct entry {
    uint64_t hash;
    uint32_t partition;
    bool live; /* counts as unconfirmed; else a ghost or free */
    enum queue_id { NOWHERE, DUE, HELD } queue;
    uint32_t in_flight;
    uint32_t user_size;
    uint64_t revision;
    struct eddy_buf text; /* user, then list */
    uint32_t next_same;
    uint32_t part_next, part_previous;
    uint32_t next, previous; /* in its queue */
};

struct queue {
    uint32_t first, last;
};

struct head {
    uint32_t first, count;
};

struct eddy_publisher {
    struct eddy_sink *sink;
    struct eddy_metrics *metrics;
    struct entry *entries;
    uint32_t capacity, free_entry; /* free ones are linked through next_same */
    struct eddy_map index;         /* hash -> entry */
    struct head *parts;            /* by partition */
    uint32_t part_count, total;
    struct queue queues[HELD + 1];
    int health;
};

static void count_metric(struct eddy_publisher *publisher, enum eddy_metric_id id)
{
    if (publisher->metrics) {
        eddy_metric_add(publisher->metrics, id, 1);
    }
}

static struct eddy_span user_of(const struct entry *entry)
{
    return (struct eddy_span){entry->text.data, entry->user_size};
}

/* ---------------------------------------------------------------- lists */

static void leave_queue(struct eddy_publisher *publisher, uint32_t at)
{
    struct entry *entry = &publisher->entries[at];
    struct queue *queue = &publisher->queues[entry->queue];
    if (entry->queue == NOWHERE) {
        return;
    }
    entry->queue = NOWHERE;
    if (entry->previous == NONE) {
        queue->first = entry->next;
    } else {
        publisher->entries[entry->previous].next = entry->next;
    }
    if (entry->next == NONE) {
        queue->last = entry->previous;
    } else {
        publisher->entries[entry->next].previous = entry->previous;
    }
}

static void join_queue(struct eddy_publisher *publisher, uint32_t at, enum queue_id id)
{
    struct entry *entry = &publisher->entries[at];
    struct queue *queue = &publisher->queues[id];
    leave_queue(publisher, at);
    entry->queue = id;
    entry->next = NONE;
    entry->previous = queue->last;
    if (queue->last == NONE) {
        queue->first = at;
    } else {
        publisher->entries[queue->last].next = at;
    }
    queue->last = at;
}

static void make_live(struct eddy_publisher *publisher, uint32_t at)
{
    struct entry *entry = &publisher->entries[at];
    struct head *part = &publisher->parts[entry->partition];
    entry->live = true;
    entry->part_previous = NONE;
    entry->part_next = part->first;
    if (part->first != NONE) {
        publisher->entries[part->first].part_previous = at;
    }
    part->first = at;
    part->count++;
    publisher->total++;
}

static void free_entry(struct eddy_publisher *publisher, uint32_t at)
{
    struct entry *entry = &publisher->entries[at];
    uint32_t first = eddy_map_get(&publisher->index, entry->hash);
    if (first == at && entry->next_same == NONE) {
        eddy_map_remove(&publisher->index, entry->hash);
    } else if (first == at) {
        /* The key is there already, so this takes no memory and cannot fail. */
        (void)eddy_map_put(&publisher->index, entry->hash, entry->next_same);
    } else {
        while (publisher->entries[first].next_same != at) {
            first = publisher->entries[first].next_same;
        }
        publisher->entries[first].next_same = entry->next_same;
    }
    eddy_buf_clear(&entry->text);
    entry->user_size = 0;
    entry->next_same = publisher->free_entry;
    publisher->free_entry = at;
}

/* Confirmed or dropped; as a ghost it stays while reports are to come. */
static void end_live(struct eddy_publisher *publisher, uint32_t at)
{
    struct entry *entry = &publisher->entries[at];
    struct head *part = &publisher->parts[entry->partition];
    leave_queue(publisher, at);
    if (entry->part_previous == NONE) {
        part->first = entry->part_next;
    } else {
        publisher->entries[entry->part_previous].part_next = entry->part_next;
    }
    if (entry->part_next != NONE) {
        publisher->entries[entry->part_next].part_previous = entry->part_previous;
    }
    entry->live = false;
    part->count--;
    publisher->total--;
    if (entry->in_flight == 0) {
        free_entry(publisher, at);
    }
}

static uint64_t hash_of(uint32_t partition, struct eddy_span user)
{
    uint64_t hash = eddy_mix64(eddy_hash64(user), partition);
    return hash ? hash : 1;
}

static uint32_t find_entry(const struct eddy_publisher *publisher, uint32_t partition,
                           struct eddy_span user)
{
    uint32_t at = eddy_map_get(&publisher->index, hash_of(partition, user));
    while (at != NONE) {
        const struct entry *entry = &publisher->entries[at];
        if (entry->partition == partition && eddy_span_eq(user_of(entry), user)) {
            return at;
        }
        at = entry->next_same;
    }
    return NONE;
}

/* ---------------------------------------------------------------- reports */

static void on_done(void *context, uint32_t partition, struct eddy_span user,
                    uint64_t revision, int code)
{
    struct eddy_publisher *publisher = context;
    publisher->health = code;
    uint32_t at = find_entry(publisher, partition, user);
    if (at == NONE || publisher->entries[at].in_flight == 0) {
        return; /* published by somebody before us over the same sink */
    }
    struct entry *entry = &publisher->entries[at];
    entry->in_flight--;
    if (entry->in_flight > 0) {
        return;
    }
    if (!entry->live) {
        free_entry(publisher, at);
        return;
    }
    if (entry->queue == DUE) {
        return; /* a newer list waits to be sent */
    }
    if (code == 0 && revision == entry->revision) {
        count_metric(publisher, EDDY_M_LISTS_PUBLISHED);
        end_live(publisher, at);
        return;
    }
    count_metric(publisher, EDDY_M_LISTS_REPRODUCED);
    join_queue(publisher, at, HELD);
}

struct eddy_publisher *eddy_publisher_new(struct eddy_sink *sink,
                                          struct eddy_metrics *metrics)
{
    struct eddy_publisher *publisher = calloc(1, sizeof *publisher);
    if (!publisher || eddy_map_init(&publisher->index, 1024) < 0) {
        free(publisher);
        return NULL;
    }
    publisher->sink = sink;
    publisher->metrics = metrics;
    publisher->free_entry = NONE;
    for (int id = NOWHERE; id <= HELD; id++) {
        publisher->queues[id] = (struct queue){NONE, NONE};
    }
    eddy_sink_on_done(sink, on_done, publisher);
    return publisher;
}

void eddy_publisher_free(struct eddy_publisher *publisher)
{
    if (!publisher) {
        return;
    }
    eddy_sink_on_done(publisher->sink, NULL, NULL);
    for (uint32_t i = 0; i < publisher->capacity; i++) {
        eddy_buf_fini(&publisher->entries[i].text);
    }
    free(publisher->entries);
    free(publisher->parts);
    eddy_map_fini(&publisher->index);
    free(publisher);
}

/* ---------------------------------------------------------------- put and send */

static int make_room(struct eddy_publisher *publisher, uint32_t partition)
{
    if (partition >= publisher->part_count) {
        uint32_t count = partition + 1;
        struct head *parts = realloc(publisher->parts, count * sizeof *parts);
        if (!parts) {
            return EDDY_ENOMEM;
        }
        for (uint32_t i = publisher->part_count; i < count; i++) {
            parts[i] = (struct head){.first = NONE};
        }
        publisher->parts = parts;
        publisher->part_count = count;
    }
    if (publisher->free_entry != NONE) {
        return 0;
    }
    uint32_t capacity = publisher->capacity ? 2 * publisher->capacity : 256;
    struct entry *entries = realloc(publisher->entries, capacity * sizeof *entries);
    if (!entries) {
        return EDDY_ENOMEM;
    }
    publisher->entries = entries;
    for (uint32_t at = capacity; at-- > publisher->capacity;) {
        memset(&entries[at], 0, sizeof entries[at]);
        eddy_buf_init(&entries[at].text, 0);
        entries[at].next_same = publisher->free_entry;
        publisher->free_entry = at;
    }
    publisher->capacity = capacity;
    return 0;
}

static int add_entry(struct eddy_publisher *publisher, uint32_t partition,
                     struct eddy_span user, uint32_t *ret_at)
{
    uint64_t hash = hash_of(partition, user);
    uint32_t at = publisher->free_entry;
    struct entry *entry = &publisher->entries[at];
    uint32_t same = eddy_map_get(&publisher->index, hash);
    if (eddy_map_put(&publisher->index, hash, at) < 0) {
        return EDDY_ENOMEM;
    }
    publisher->free_entry = entry->next_same;
    entry->hash = hash;
    entry->partition = partition;
    entry->next_same = same;
    entry->live = false;
    entry->queue = NOWHERE;
    entry->in_flight = 0;
    entry->user_size = (uint32_t)user.size;
    *ret_at = at;
    return 0;
}

int eddy_publisher_put(struct eddy_publisher *publisher, uint32_t partition,
                       struct eddy_span user, uint64_t revision, struct eddy_span list)
{
    uint32_t at = NONE;
    if (make_room(publisher, partition) < 0) {
        return EDDY_ENOMEM;
    }
    at = find_entry(publisher, partition, user);
    if (at == NONE) {
        if (add_entry(publisher, partition, user, &at) < 0) {
            return EDDY_ENOMEM;
        }
    }
    struct entry *entry = &publisher->entries[at];
    size_t size = user.size + list.size, before = entry->text.size;
    if (eddy_buf_reserve(&entry->text, size > before ? size - before : 0) < 0) {
        entry->text.failed = false; /* what it held is still there */
        if (!entry->live && entry->in_flight == 0) {
            free_entry(publisher, at);
        }
        return EDDY_ENOMEM;
    }
    eddy_buf_clear(&entry->text);
    eddy_buf_put(&entry->text, user.data, user.size);
    eddy_buf_put(&entry->text, list.data, list.size);
    entry->revision = revision;
    if (!entry->live) {
        make_live(publisher, at);
    }
    if (entry->queue != DUE) {
        join_queue(publisher, at, DUE);
    }
    return 0;
}

static void hold_all(struct eddy_publisher *publisher)
{
    while (publisher->queues[DUE].first != NONE) {
        join_queue(publisher, publisher->queues[DUE].first, HELD);
    }
}

int eddy_publisher_send(struct eddy_publisher *publisher, struct eddy_err *err)
{
    while (publisher->queues[DUE].first != NONE) {
        uint32_t at = publisher->queues[DUE].first;
        struct entry *entry = &publisher->entries[at];
        struct eddy_span list = {entry->text.data + entry->user_size,
                                 entry->text.size - entry->user_size};
        int r = eddy_sink_publish(publisher->sink, entry->partition, user_of(entry),
                                  entry->revision, list, err);
        if (r < 0) {
            hold_all(publisher);
            return r == EDDY_EFULL ? 0 : r;
        }
        leave_queue(publisher, at);
        entry->in_flight++;
    }
    return 0;
}

bool eddy_publisher_has_held(const struct eddy_publisher *publisher,
                             uint32_t *ret_partition, struct eddy_span *ret_user)
{
    uint32_t at = publisher->queues[HELD].first;
    if (at == NONE) {
        return false;
    }
    *ret_partition = publisher->entries[at].partition;
    *ret_user = user_of(&publisher->entries[at]);
    return true;
}

void eddy_publisher_retry(struct eddy_publisher *publisher, uint32_t partition)
{
    uint32_t at = publisher->queues[HELD].first;
    while (at != NONE) {
        uint32_t next = publisher->entries[at].next;
        if (publisher->entries[at].partition == partition) {
            join_queue(publisher, at, DUE);
        }
        at = next;
    }
}

void eddy_publisher_drop(struct eddy_publisher *publisher, uint32_t partition)
{
    while (partition < publisher->part_count &&
           publisher->parts[partition].first != NONE) {
        end_live(publisher, publisher->parts[partition].first);
    }
}

/* ---------------------------------------------------------------- questions */

uint32_t eddy_publisher_count(const struct eddy_publisher *publisher,
                              uint32_t partition)
{
    return partition < publisher->part_count ? publisher->parts[partition].count : 0;
}

uint32_t eddy_publisher_total(const struct eddy_publisher *publisher)
{
    return publisher->total;
}

bool eddy_publisher_has(const struct eddy_publisher *publisher, uint32_t partition,
                        struct eddy_span user)
{
    uint32_t at = find_entry(publisher, partition, user);
    return at != NONE && publisher->entries[at].live;
}

uint32_t eddy_publisher_users(const struct eddy_publisher *publisher,
                              uint32_t partition, struct eddy_span *ret)
{
    uint32_t count = 0;
    if (partition >= publisher->part_count) {
        return 0;
    }
    for (uint32_t at = publisher->parts[partition].first; at != NONE;
         at = publisher->entries[at].part_next) {
        ret[count++] = user_of(&publisher->entries[at]);
    }
    return count;
}

int eddy_publisher_health(const struct eddy_publisher *publisher)
{
    return publisher->health;
}
