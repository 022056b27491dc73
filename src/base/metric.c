/* Metrics: one block per thread, summed when somebody looks.
 *
 * The owner of a block is its only writer, so an increment is a relaxed load and a relaxed
 * store of a word in the owner's own cache lines: no locked instruction, no sharing. A
 * reader sums all blocks; it may see one counter a little ahead of another, as with any
 * scrape. When a block is freed its counters and histograms move into `retired`, because
 * a counter that falls looks like a restart to Prometheus; its gauges and lag series go.
 *
 * Histograms are log-linear: bucket 0 holds up to 1 us, then four buckets per octave, so a
 * quantile is off by at most 12 percent of itself. Bucket i > 0 covers (edge(i), edge(i+1)]
 * with edges at (4 + i % 4) / 4 * 2^(i / 4) us. /metrics shows 16 of the edges, powers of
 * two, at which the cumulative counts are exact.
 *
 * One lock guards the list of blocks and the lag series. It is taken on new, free, read,
 * and set_lag; counters never take it. */
#include "base/metric.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metric_priv.h"

enum { CACHE_LINE = 64, TOPIC_SIZE = 250 /* Kafka's limit is 249 */ };

const struct eddy_metric_row eddy_metric_rows[EDDY_METRIC_COUNT] = {
#define XX(id, kind, name, label, help) {kind, name, label, help},
    EDDY_METRIC_TABLE(XX)
#undef XX
};

/* Histograms are few: they have their own numbering, so that counters need no buckets. */
enum histogram_index {
#define COUNT_EDDY_COUNTER(id)
#define COUNT_EDDY_GAUGE(id)
#define COUNT_EDDY_HISTOGRAM(id)        HISTOGRAM_##id,
#define XX(id, kind, name, label, help) COUNT_##kind(id)
    EDDY_METRIC_TABLE(XX)
#undef XX
        HISTOGRAM_COUNT
};
static const int histogram_index[EDDY_METRIC_COUNT] = {
#define INDEX_EDDY_COUNTER(id)          -1
#define INDEX_EDDY_GAUGE(id)            -1
#define INDEX_EDDY_HISTOGRAM(id)        HISTOGRAM_##id
#define XX(id, kind, name, label, help) INDEX_##kind(id),
    EDDY_METRIC_TABLE(XX)
#undef XX
};

struct histogram {
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t buckets[EDDY_HISTOGRAM_BUCKETS];
};

struct eddy_metrics {
    struct eddy_metrics *next;
    /* Counter, or the bits of a gauge's double. The padding keeps the neighbours of this
     * allocation out of its first and last cache line. */
    _Alignas(CACHE_LINE) _Atomic uint64_t values[EDDY_METRIC_COUNT];
    struct histogram histograms[HISTOGRAM_COUNT];
    char padding[CACHE_LINE];
};

struct lag {
    const struct eddy_metrics *owner;
    struct eddy_metric_lag series;
    char topic[TOPIC_SIZE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct eddy_metrics *blocks;
static struct eddy_metrics retired;
static struct lag *lags;
static size_t lag_count, lag_capacity;

/* Owner's thread only: nobody else writes the word. */
static void bump(_Atomic uint64_t *word, uint64_t n)
{
    uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, value + n, memory_order_relaxed);
}

static uint64_t look(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

struct eddy_metrics *eddy_metrics_new(void)
{
    size_t size =
        (sizeof(struct eddy_metrics) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct eddy_metrics *metrics = aligned_alloc(CACHE_LINE, size);
    if (!metrics) {
        return NULL;
    }
    memset(metrics, 0, size); /* bits of 0.0 too */
    (void)pthread_mutex_lock(&lock);
    metrics->next = blocks;
    blocks = metrics;
    (void)pthread_mutex_unlock(&lock);
    return metrics;
}

/* Remove series i by moving the last one there. */
static void remove_lag(size_t i)
{
    lags[i] = lags[--lag_count];
    lags[i].series.topic = lags[i].topic;
    if (lag_count == 0) {
        free(lags);
        lags = NULL;
        lag_capacity = 0;
    }
}

static void retire(const struct eddy_metrics *metrics)
{
    for (int id = 0; id < EDDY_METRIC_COUNT; id++) {
        if (eddy_metric_rows[id].kind == EDDY_COUNTER) {
            bump(&retired.values[id], look(&metrics->values[id]));
        }
    }
    for (int h = 0; h < HISTOGRAM_COUNT; h++) {
        bump(&retired.histograms[h].sum_ns, look(&metrics->histograms[h].sum_ns));
        for (int i = 0; i < EDDY_HISTOGRAM_BUCKETS; i++) {
            bump(&retired.histograms[h].buckets[i],
                 look(&metrics->histograms[h].buckets[i]));
        }
    }
}

void eddy_metrics_free(struct eddy_metrics *metrics)
{
    if (!metrics) {
        return;
    }
    (void)pthread_mutex_lock(&lock);
    struct eddy_metrics **link = &blocks;
    while (*link != metrics) {
        link = &(*link)->next;
    }
    *link = metrics->next;
    retire(metrics);
    for (size_t i = lag_count; i-- > 0;) {
        if (lags[i].owner == metrics) {
            remove_lag(i);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    free(metrics);
}

void eddy_metric_add(struct eddy_metrics *metrics, enum eddy_metric_id id, uint64_t n)
{
    bump(&metrics->values[id], n);
}

void eddy_metric_set(struct eddy_metrics *metrics, enum eddy_metric_id id, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(&metrics->values[id], bits, memory_order_relaxed);
}

/* Bucket of a duration; in quarters of a microsecond, four buckets per power of two. */
static unsigned bucket_of(uint64_t ns)
{
    uint64_t quarters = ns > 0 ? (ns - 1) / 250 : 0; /* upper edges belong below */
    if (quarters < 4) {
        return 0;
    }
    unsigned octave = 61u - (unsigned)__builtin_clzll(quarters);
    unsigned bucket = 1 + octave * 4 + ((unsigned)(quarters >> octave) & 3);
    return bucket < EDDY_HISTOGRAM_BUCKETS ? bucket : EDDY_HISTOGRAM_BUCKETS - 1;
}

/* Lower edge of bucket i in ns; that of i + 1 is its upper edge. */
static double edge_of(unsigned i)
{
    if (i == 0) {
        return 0;
    }
    return 250.0 * (double)((uint64_t)(4 + (i - 1) % 4) << ((i - 1) / 4));
}

void eddy_metric_observe_ns(struct eddy_metrics *metrics, enum eddy_metric_id id,
                            uint64_t ns)
{
    struct histogram *histogram = &metrics->histograms[histogram_index[id]];
    bump(&histogram->buckets[bucket_of(ns)], 1);
    bump(&histogram->sum_ns, ns);
}

/* Lock held. The series of a partition, whoever owns it, or NULL. */
static struct lag *find_lag(const char *topic, uint32_t partition)
{
    for (size_t i = 0; i < lag_count; i++) {
        if (lags[i].series.partition == partition &&
            strcmp(lags[i].topic, topic) == 0) {
            return &lags[i];
        }
    }
    return NULL;
}

/* Lock held. A new series, or NULL when memory is out: then it is missing until the next
 * set finds some. */
static struct lag *add_lag(const char *topic, uint32_t partition)
{
    if (lag_count == lag_capacity) {
        size_t capacity = lag_capacity ? 2 * lag_capacity : 16;
        struct lag *larger = realloc(lags, capacity * sizeof *larger);
        if (!larger) {
            return NULL;
        }
        lags = larger;
        lag_capacity = capacity;
        for (size_t i = 0; i < lag_count; i++) {
            lags[i].series.topic = lags[i].topic;
        }
    }
    struct lag *lag = &lags[lag_count++];
    (void)snprintf(lag->topic, sizeof lag->topic, "%s", topic);
    lag->series.topic = lag->topic;
    lag->series.partition = partition;
    return lag;
}

void eddy_metric_set_lag(struct eddy_metrics *metrics, const char *topic,
                         uint32_t partition, int64_t messages, int64_t ms)
{
    (void)pthread_mutex_lock(&lock);
    struct lag *lag = find_lag(topic, partition);
    if (!lag) {
        lag = add_lag(topic, partition);
    }
    if (lag) { /* a partition that moved to another thread takes its series along */
        lag->owner = metrics;
        lag->series.messages = messages;
        lag->series.ms = ms;
    }
    (void)pthread_mutex_unlock(&lock);
}

void eddy_metric_drop_lag(struct eddy_metrics *metrics, const char *topic,
                          uint32_t partition)
{
    (void)pthread_mutex_lock(&lock);
    struct lag *lag = find_lag(topic, partition);
    if (lag && lag->owner == metrics) {
        remove_lag((size_t)(lag - lags));
    }
    (void)pthread_mutex_unlock(&lock);
}

/* The words of a gauge are doubles: sum them as such. */
static double gauge_total(enum eddy_metric_id id)
{
    double total = 0;
    (void)pthread_mutex_lock(&lock);
    for (const struct eddy_metrics *m = blocks; m; m = m->next) {
        uint64_t bits = look(&m->values[id]);
        double value;
        memcpy(&value, &bits, sizeof value);
        total += value;
    }
    (void)pthread_mutex_unlock(&lock);
    return total;
}

double eddy_metric_value(enum eddy_metric_id id)
{
    return eddy_metric_rows[id].kind == EDDY_GAUGE ? gauge_total(id)
                                                   : (double)eddy_metric_total(id);
}

void eddy_metric_sum_histogram(enum eddy_metric_id id,
                               struct eddy_metric_histogram *ret)
{
    int index = histogram_index[id];
    memset(ret, 0, sizeof *ret);
    (void)pthread_mutex_lock(&lock);
    for (const struct eddy_metrics *m = &retired; m;
         m = m == &retired ? blocks : m->next) {
        const struct histogram *histogram = &m->histograms[index];
        ret->sum_ns += look(&histogram->sum_ns);
        for (int i = 0; i < EDDY_HISTOGRAM_BUCKETS; i++) {
            uint64_t count = look(&histogram->buckets[i]);
            ret->buckets[i] += count;
            ret->count += count;
        }
    }
    (void)pthread_mutex_unlock(&lock);
}

uint64_t eddy_metric_total(enum eddy_metric_id id)
{
    struct eddy_metric_histogram sum;
    switch (eddy_metric_rows[id].kind) {
    case EDDY_HISTOGRAM: eddy_metric_sum_histogram(id, &sum); return sum.count;
    case EDDY_GAUGE: return (uint64_t)gauge_total(id);
    case EDDY_COUNTER: break;
    }
    (void)pthread_mutex_lock(&lock);
    uint64_t total = look(&retired.values[id]);
    for (const struct eddy_metrics *m = blocks; m; m = m->next) {
        total += look(&m->values[id]);
    }
    (void)pthread_mutex_unlock(&lock);
    return total;
}

double eddy_metric_quantile_ns(enum eddy_metric_id id, double q,
                               const struct eddy_metric_histogram *since)
{
    struct eddy_metric_histogram sum;
    eddy_metric_sum_histogram(id, &sum);
    if (since) {
        sum.count -= since->count;
        for (unsigned i = 0; i < EDDY_HISTOGRAM_BUCKETS; i++) {
            sum.buckets[i] -= since->buckets[i];
        }
    }
    if (sum.count == 0) {
        return 0;
    }
    double rank = (q < 0 ? 0 : q > 1 ? 1 : q) * (double)sum.count;
    double below = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < EDDY_HISTOGRAM_BUCKETS; i++) {
        double count = (double)sum.buckets[i];
        if (sum.buckets[i] > 0 && below + count >= rank) {
            if (i == EDDY_HISTOGRAM_BUCKETS - 1) {
                return edge_of(i); /* the last bucket has no upper edge */
            }
            double part = rank > below ? (rank - below) / count : 0;
            return edge_of(i) + part * (edge_of(i + 1) - edge_of(i));
        }
        below += count;
        last = sum.buckets[i] > 0 ? i : last;
    }
    return edge_of(last);
}

size_t eddy_metric_copy_lags(struct eddy_metric_lag **ret)
{
    *ret = NULL;
    (void)pthread_mutex_lock(&lock);
    size_t count = lag_count;
    size_t each = sizeof(struct eddy_metric_lag) + TOPIC_SIZE;
    char *copy = count ? malloc(count * each) : NULL;
    if (copy) {
        struct eddy_metric_lag *series = (struct eddy_metric_lag *)(void *)copy;
        char *topics = copy + count * sizeof *series;
        for (size_t i = 0; i < count; i++) {
            series[i] = lags[i].series;
            series[i].topic =
                memcpy(topics + i * TOPIC_SIZE, lags[i].topic, TOPIC_SIZE);
        }
        *ret = series;
    }
    (void)pthread_mutex_unlock(&lock);
    return copy ? count : 0;
}
