/* Head and tables in a snapshot's files. What is read is believed by scoring without a
 * second look, so every index, length and number is checked here. */
#include "core/head_store.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHT_MAX = 1000000, CANDIDATES_MAX = 1000000 };

static const char *const table_names[][3] = {
    {"related.begin", "related.index", "related.weight"},
    {"rules.begin", "rules.index", "rules.weight"},
};
static const char *const prior_names[EDDY_HALF_LIVES_MAX] = {
    "prior.0", "prior.1", "prior.2", "prior.3", "prior.4", "prior.5"};

static const char *const cold_names[] = {"cold.items", "cold.place"};

/* ---- tensors ------------------------------------------------------------------------ */

static uint32_t list_table(const struct eddy_table *table, const char *const names[3],
                           struct eddy_st_tensor *ret)
{
    uint32_t entries = (uint32_t)table->begin[table->items];
    ret[0] = (struct eddy_st_tensor){names[0], table->items + 1, 1, table->begin,
                                     EDDY_ST_U64};
    ret[1] = (struct eddy_st_tensor){names[1], entries, 1, table->index, EDDY_ST_U32};
    ret[2] = (struct eddy_st_tensor){names[2], entries, 1, table->weight, EDDY_ST_F32};
    return 3;
}

uint32_t eddy_head_tensors(const struct eddy_tables *tables,
                           const struct eddy_head *head, uint32_t hidden,
                           struct eddy_st_tensor *ret)
{
    uint32_t n = 0;
    if (tables == NULL)
        return 0;
    if (tables->cold.count > 0) {
        const struct eddy_cold_items *cold = &tables->cold;
        ret[n++] = (struct eddy_st_tensor){cold_names[0], cold->count, 1, cold->items,
                                           EDDY_ST_U32};
        ret[n++] = (struct eddy_st_tensor){cold_names[1], hidden + 2, 1, cold->place,
                                           EDDY_ST_F32};
    }
    if (eddy_head_uses(head, EDDY_HEAD_RELATED))
        n += list_table(&tables->related, table_names[0], ret + n);
    if (eddy_head_uses(head, EDDY_HEAD_RULES))
        n += list_table(&tables->rules, table_names[1], ret + n);
    if (eddy_head_uses(head, EDDY_HEAD_NEIGHBOURS)) {
        const struct eddy_sessions *sessions = &tables->sessions;
        uint32_t entries = (uint32_t)sessions->begin[sessions->count];
        ret[n++] = (struct eddy_st_tensor){"sessions.begin", sessions->count + 1, 1,
                                           sessions->begin, EDDY_ST_U64};
        ret[n++] = (struct eddy_st_tensor){"sessions.entries", entries, 1,
                                           sessions->entries, EDDY_ST_U32};
        ret[n++] = (struct eddy_st_tensor){"sessions.age", sessions->count, 1,
                                           sessions->age, EDDY_ST_F32};
    }
    for (uint32_t h = 0; h < tables->priors; h++) {
        if (eddy_head_uses_prior(head, h))
            ret[n++] = (struct eddy_st_tensor){prior_names[h], tables->items, 1,
                                               tables->prior[h], EDDY_ST_F32};
    }
    return n;
}

/* Length of a tensor of one dimension that fits 32 bits. */
static int length_of(const struct eddy_safetensors *file, const char *name,
                     uint32_t *ret, struct eddy_err *err)
{
    int64_t length = eddy_safetensors_length(file, name);
    if (length < 0 || length >= UINT32_MAX)
        return eddy_fail(err, EDDY_EFORMAT,
                         "tensor %s is missing, or no list of numbers", name);
    *ret = (uint32_t)length;
    return 0;
}

/* begin[count] must be the number of entries that are there. */
static int check_end(const char *name, const uint64_t *begin, uint32_t count,
                     uint32_t entries, struct eddy_err *err)
{
    return begin[count] == entries
               ? 0
               : eddy_fail(err, EDDY_EFORMAT, "tensor %s ends at %llu, of %u entries",
                           name, (unsigned long long)begin[count], entries);
}

static int read_table(const struct eddy_safetensors *file, const char *const names[3],
                      uint32_t items, struct eddy_table *ret, struct eddy_err *err)
{
    struct eddy_err why = {0};
    uint32_t entries = 0;
    int r = length_of(file, names[1], &entries, err);
    if (r < 0)
        return r;
    if (eddy_table_init(ret, items, entries) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %s", names[1]);
    r = eddy_safetensors_read_as(file, names[0], EDDY_ST_U64, items + 1, 1, ret->begin,
                                 err);
    r = r ? r : check_end(names[0], ret->begin, items, entries, err);
    r = r ? r
          : eddy_safetensors_read_as(file, names[1], EDDY_ST_U32, entries, 1,
                                     ret->index, err);
    r = r ? r : eddy_safetensors_read(file, names[2], entries, 1, ret->weight, err);
    if (r == 0 && eddy_table_check(ret, &why) < 0)
        r = eddy_fail(err, EDDY_EFORMAT, "tensor %s: %.200s", names[1], why.text);
    return r;
}

static int read_sessions(const struct eddy_safetensors *file, uint32_t items,
                         struct eddy_sessions *ret, struct eddy_err *err)
{
    uint32_t entries = 0, count = 0;
    int r = length_of(file, "sessions.entries", &entries, err);
    r = r ? r : length_of(file, "sessions.age", &count, err);
    if (r < 0)
        return r;
    *ret = (struct eddy_sessions){.items = items, .count = count};
    ret->begin = malloc(((size_t)count + 1) * sizeof *ret->begin);
    ret->entries = malloc(((size_t)entries + 1) * sizeof *ret->entries);
    ret->age = malloc(((size_t)count + 1) * sizeof *ret->age);
    if (!ret->begin || !ret->entries || !ret->age)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u sessions", count);
    r = eddy_safetensors_read_as(file, "sessions.begin", EDDY_ST_U64, count + 1, 1,
                                 ret->begin, err);
    r = r ? r : check_end("sessions.begin", ret->begin, count, entries, err);
    r = r ? r
          : eddy_safetensors_read_as(file, "sessions.entries", EDDY_ST_U32, entries, 1,
                                     ret->entries, err);
    r = r ? r : eddy_safetensors_read(file, "sessions.age", count, 1, ret->age, err);
    return r ? r : eddy_sessions_index(ret, err);
}

/* Items that are there, each once. */
static bool are_rising(const uint32_t *list, uint32_t count, uint32_t items)
{
    bool good = true;
    for (uint32_t i = 0; i < count; i++)
        good = good && list[i] < items && (i == 0 || list[i] > list[i - 1]);
    return good;
}

static int read_cold(const struct eddy_safetensors *file, uint32_t items,
                     uint32_t hidden, struct eddy_cold_items *ret, struct eddy_err *err)
{
    uint32_t count = 0;
    int r = length_of(file, cold_names[0], &count, err);
    if (r < 0)
        return r;
    ret->items = malloc(((size_t)count + 1) * sizeof *ret->items);
    ret->place = malloc((2 + (size_t)hidden) * sizeof *ret->place);
    if (ret->items == NULL || ret->place == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u new items", count);
    r = eddy_safetensors_read_as(file, cold_names[0], EDDY_ST_U32, count, 1, ret->items,
                                 err);
    r = r ? r
          : eddy_safetensors_read(file, cold_names[1], hidden + 2, 1, ret->place, err);
    if (r == 0 && (count == 0 || !are_rising(ret->items, count, items)))
        r = eddy_fail(err, EDDY_EFORMAT,
                      "tensor %s: not rising numbers of the %u items", cold_names[0],
                      items);
    ret->count = r == 0 ? count : 0;
    return r;
}

int eddy_head_read_tensors(const struct eddy_safetensors *file,
                           const struct eddy_head *head, uint32_t items,
                           uint32_t hidden, struct eddy_tables *tables,
                           uint32_t *ret_count, struct eddy_err *err)
{
    int r = 0;
    uint32_t count = 0;
    tables->items = items;
    if (eddy_safetensors_length(file, cold_names[0]) >= 0) {
        r = read_cold(file, items, hidden, &tables->cold, err);
        count += 2;
    }
    if (r == 0 && eddy_head_uses(head, EDDY_HEAD_RELATED)) {
        r = read_table(file, table_names[0], items, &tables->related, err);
        count += 3;
    }
    if (r == 0 && eddy_head_uses(head, EDDY_HEAD_RULES)) {
        r = read_table(file, table_names[1], items, &tables->rules, err);
        count += 3;
    }
    if (r == 0 && eddy_head_uses(head, EDDY_HEAD_NEIGHBOURS)) {
        r = read_sessions(file, items, &tables->sessions, err);
        count += 3;
    }
    for (uint32_t h = 0; r == 0 && h < tables->priors; h++) {
        if (!eddy_head_uses_prior(head, h))
            continue;
        tables->prior[h] = malloc((size_t)items * sizeof *tables->prior[h]);
        r = tables->prior[h] ? eddy_safetensors_read(file, prior_names[h], items, 1,
                                                     tables->prior[h], err)
                             : eddy_fail(err, EDDY_ENOMEM, "no memory for priors");
        count++;
    }
    *ret_count = count;
    return r;
}

/* ---- weights ------------------------------------------------------------------------ */

static json_t *floats_json(const float *values, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, json_real((double)values[i])) != 0) {
            json_decref(array); /* memory, or a number that JSON does not have */
            return NULL;
        }
    }
    return array;
}

static json_t *buckets_json(const float *values, uint32_t stride, uint32_t count)
{
    json_t *array = json_array();
    for (uint32_t b = 0; array && b < EDDY_HEAD_BUCKETS; b++) {
        json_t *row = floats_json(values + (size_t)b * stride, count);
        if (!row || json_array_append_new(array, row) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *network_json(const struct eddy_head *head)
{
    json_t *array = json_array();
    for (uint32_t b = 0; array && b < EDDY_HEAD_BUCKETS; b++) {
        if (json_array_append_new(array, json_boolean(head->network[b])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *half_lives_json(const struct eddy_tables *tables)
{
    json_t *array = json_array();
    for (uint32_t h = 0; array && tables && h < tables->priors; h++) {
        if (json_array_append_new(array, json_real(tables->half_life_s[h])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* How many features the arrays are of: heads without impressions look as they did before
 * there were any, so that older readers know them. */
static uint32_t stored_features(const struct eddy_head *head)
{
    return eddy_head_uses(head, EDDY_HEAD_SHOWN) ? EDDY_HEAD_FEATURES : EDDY_HEAD_SHOWN;
}

static json_t *head_json(const struct eddy_tables *tables, const struct eddy_head *head)
{
    const struct eddy_neighbours_options *near = &head->neighbours;
    uint32_t priors = tables ? tables->priors : 0, features = stored_features(head);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:{s:i, s:i, s:f, s:f, s:f, s:b}}",
        "network", network_json(head), "weight",
        buckets_json(&head->weight[0][0], EDDY_HEAD_FEATURES, features), "prior",
        buckets_json(&head->prior[0][0], EDDY_HALF_LIVES_MAX, priors), "scale",
        floats_json(head->scale, features), "decay", floats_json(head->decay, features),
        "half_life_s", half_lives_json(tables), "recent", (int)head->recent,
        "neighbours", "candidates", (int)near->candidates, "neighbours",
        (int)near->neighbours, "position_decay", near->position_decay, "age_decay_days",
        near->age_decay_days, "distance_decay", near->distance_decay, "idf", near->idf);
}

static bool is_within(double value, double min, double max)
{
    return value >= min && value <= max; /* a NaN is not */
}

/* Every number in its range. */
static bool is_sane(const struct eddy_head *head, uint32_t priors)
{
    const struct eddy_neighbours_options *near = &head->neighbours;
    bool sane = head->recent <= EDDY_HEAD_RECENT_MAX;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
            sane =
                sane && is_within((double)head->weight[b][f],
                                  eddy_head_is_signed(f) ? -WEIGHT_MAX : 0, WEIGHT_MAX);
        for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
            sane = sane &&
                   is_within((double)head->prior[b][h], h < priors ? -WEIGHT_MAX : 0,
                             h < priors ? WEIGHT_MAX : 0);
    }
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++)
        sane = sane && is_within((double)head->scale[f], 1e-9, 1e9) &&
               is_within((double)head->decay[f], 1e-3, 1e9);
    return sane && near->candidates <= CANDIDATES_MAX &&
           near->neighbours <= CANDIDATES_MAX &&
           is_within(near->position_decay, 0, 1e9) &&
           is_within(near->age_decay_days, 0, 1e9) &&
           is_within(near->distance_decay, 0, 1e9);
}

/* Which table that some bucket uses is not there, NULL: none. */
static const char *missing_table(const struct eddy_tables *tables,
                                 const struct eddy_head *head)
{
    static const struct eddy_tables none;
    tables = tables ? tables : &none;
    if (eddy_head_uses(head, EDDY_HEAD_RELATED) && tables->related.items == 0)
        return "related";
    if (eddy_head_uses(head, EDDY_HEAD_RULES) && tables->rules.items == 0)
        return "rules";
    if (eddy_head_uses(head, EDDY_HEAD_NEIGHBOURS) && tables->sessions.count == 0)
        return "sessions";
    for (uint32_t h = 0; h < EDDY_HALF_LIVES_MAX; h++)
        if (eddy_head_uses_prior(head, h) && (h >= tables->priors || !tables->prior[h]))
            return prior_names[h];
    return NULL;
}

int eddy_head_encode(const struct eddy_tables *tables, const struct eddy_head *head,
                     char **ret, struct eddy_err *err)
{
    *ret = NULL;
    if (eddy_head_is_plain(head))
        return 0;
    const char *missing = missing_table(tables, head);
    if (missing)
        return eddy_fail(err, EDDY_ECONFIG, "head: its table %s is not there", missing);
    if (!is_sane(head, tables ? tables->priors : 0))
        return eddy_fail(err, EDDY_ECONFIG, "head: a weight is out of range");
    json_t *json = head_json(tables, head);
    *ret =
        json ? json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17))
             : NULL;
    json_decref(json);
    return *ret ? 0 : eddy_fail(err, EDDY_ENOMEM, "head: no memory");
}

/* count numbers of an array; false: not exactly these. */
static bool read_floats(const json_t *array, uint32_t count, float *ret)
{
    bool good = json_is_array(array) && json_array_size(array) == count;
    for (uint32_t i = 0; good && i < count; i++) {
        const json_t *number = json_array_get(array, i);
        double value = json_number_value(number);
        good = json_is_number(number) && is_within(value, -1e12, 1e12);
        ret[i] = good ? (float)value : 0;
    }
    return good;
}

static bool read_buckets(const json_t *array, uint32_t stride, uint32_t count,
                         float *ret)
{
    bool good = json_is_array(array) && json_array_size(array) == EDDY_HEAD_BUCKETS;
    for (uint32_t b = 0; good && b < EDDY_HEAD_BUCKETS; b++)
        good = read_floats(json_array_get(array, b), count, ret + (size_t)b * stride);
    return good;
}

static bool read_network(const json_t *array, struct eddy_head *ret)
{
    bool good = json_is_array(array) && json_array_size(array) == EDDY_HEAD_BUCKETS;
    for (uint32_t b = 0; good && b < EDDY_HEAD_BUCKETS; b++) {
        good = json_is_boolean(json_array_get(array, b));
        ret->network[b] = json_is_true(json_array_get(array, b));
    }
    return good;
}

static bool read_half_lives(const json_t *array, struct eddy_tables *tables)
{
    bool good = json_is_array(array) && json_array_size(array) <= EDDY_HALF_LIVES_MAX;
    tables->priors = good ? (uint32_t)json_array_size(array) : 0;
    for (uint32_t h = 0; h < tables->priors; h++) {
        const json_t *number = json_array_get(array, h);
        tables->half_life_s[h] = json_number_value(number);
        good = good && json_is_number(number) &&
               is_within(tables->half_life_s[h], 0, 1e12);
    }
    return good;
}

static bool read_count(const json_t *object, const char *key, uint32_t max,
                       uint32_t *ret)
{
    const json_t *number = json_object_get(object, key);
    bool good = json_is_integer(number) &&
                is_within((double)json_integer_value(number), 0, (double)max);
    *ret = good ? (uint32_t)json_integer_value(number) : 0;
    return good;
}

static bool read_neighbours(const json_t *object, struct eddy_neighbours_options *ret)
{
    static const char *const keys[] = {"position_decay", "age_decay_days",
                                       "distance_decay"};
    double *const values[] = {&ret->position_decay, &ret->age_decay_days,
                              &ret->distance_decay};
    bool good = read_count(object, "candidates", CANDIDATES_MAX, &ret->candidates) &&
                read_count(object, "neighbours", CANDIDATES_MAX, &ret->neighbours) &&
                json_is_boolean(json_object_get(object, "idf"));
    for (int i = 0; i < 3; i++) {
        const json_t *number = json_object_get(object, keys[i]);
        good = good && json_is_number(number);
        *values[i] = json_number_value(number);
    }
    ret->idf = json_is_true(json_object_get(object, "idf"));
    return good;
}

int eddy_head_decode(const char *json, struct eddy_tables *tables,
                     struct eddy_head *ret, struct eddy_err *err)
{
    *ret = eddy_head_plain;
    if (json == NULL)
        return 0;
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    const char *bad = NULL;
    uint32_t features =
        json_array_size(json_object_get(object, "scale")) == EDDY_HEAD_FEATURES
            ? EDDY_HEAD_FEATURES
            : EDDY_HEAD_SHOWN; /* what is missing stays plain */
#define NEED(key, condition)                                                           \
    if (bad == NULL && !(condition))                                                   \
    bad = key
#define OF(key) json_object_get(object, key)
    NEED("object", json_is_object(object));
    NEED("half_life_s", read_half_lives(OF("half_life_s"), tables));
    NEED("network", read_network(OF("network"), ret));
    NEED("weight",
         read_buckets(OF("weight"), EDDY_HEAD_FEATURES, features, &ret->weight[0][0]));
    NEED("prior", read_buckets(OF("prior"), EDDY_HALF_LIVES_MAX, tables->priors,
                               &ret->prior[0][0]));
    NEED("scale", read_floats(OF("scale"), features, ret->scale));
    NEED("decay", read_floats(OF("decay"), features, ret->decay));
    NEED("recent", read_count(object, "recent", EDDY_HEAD_RECENT_MAX, &ret->recent));
    NEED("neighbours", read_neighbours(OF("neighbours"), &ret->neighbours));
    NEED("weight", is_sane(ret, tables->priors));
#undef OF
#undef NEED
    json_decref(object);
    return bad ? eddy_fail(err, EDDY_EFORMAT, "head: %s is missing or out of range",
                           bad)
               : 0;
}

/* ---- stream head -------------------------------------------------------------------- */

struct eddy_head eddy_head_union(const struct eddy_head *head,
                                 const struct eddy_stream_head *stream)
{
    struct eddy_head both = *head;
    if (stream == NULL || stream->refresh_s == 0)
        return both;
    if (eddy_head_uses(&stream->head, EDDY_HEAD_RELATED))
        both.weight[0][EDDY_HEAD_RELATED] = 1;
    if (eddy_head_uses(&stream->head, EDDY_HEAD_NEIGHBOURS))
        both.weight[0][EDDY_HEAD_NEIGHBOURS] = 1;
    return both;
}

/* The half-lives of the counters in the place where a head has its own. */
static struct eddy_tables half_lives_of(const struct eddy_counters_options *counters)
{
    struct eddy_tables tables = {.priors = counters->half_lives};
    memcpy(tables.half_life_s, counters->half_life_s, sizeof tables.half_life_s);
    return tables;
}

static bool is_sane_stream(const struct eddy_stream_head *stream)
{
    const struct eddy_counters_options *counters = &stream->counters;
    return stream->refresh_s <= INT32_MAX && stream->width >= 1 &&
           stream->width <= 1000 && counters->window <= EDDY_RULES_WINDOW_MAX &&
           counters->half_lives <= EDDY_HALF_LIVES_MAX &&
           is_within(counters->distance_decay, 0, 1e9) &&
           is_within(counters->rules_half_life_s, 0, 1e12) &&
           is_within(counters->shrink, 0, 1e9) && is_within(counters->reverse, 0, 1) &&
           is_sane(&stream->head, counters->half_lives);
}

int eddy_stream_head_encode(const struct eddy_tables *tables,
                            const struct eddy_stream_head *stream, char **ret,
                            struct eddy_err *err)
{
    const struct eddy_counters_options *counters = &stream->counters;
    static const struct eddy_tables none;
    tables = tables ? tables : &none;
    *ret = NULL;
    if (stream->refresh_s == 0)
        return 0;
    if ((eddy_head_uses(&stream->head, EDDY_HEAD_RELATED) &&
         tables->related.items == 0) ||
        (eddy_head_uses(&stream->head, EDDY_HEAD_NEIGHBOURS) &&
         tables->sessions.count == 0))
        return eddy_fail(err, EDDY_ECONFIG,
                         "stream head: one of its tables is not there");
    if (!is_sane_stream(stream))
        return eddy_fail(err, EDDY_ECONFIG, "stream head: a number is out of range");
    struct eddy_tables half_lives = half_lives_of(counters);
    json_t *json =
        json_pack("{s:o, s:i, s:i, s:i, s:f, s:f, s:f, s:f}", "head",
                  head_json(&half_lives, &stream->head), "refresh_s",
                  (int)stream->refresh_s, "width", (int)stream->width, "window",
                  (int)counters->window, "distance_decay", counters->distance_decay,
                  "rules_half_life_s", counters->rules_half_life_s, "shrink",
                  counters->shrink, "reverse", counters->reverse);
    *ret =
        json ? json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(17))
             : NULL;
    json_decref(json);
    return *ret ? 0 : eddy_fail(err, EDDY_ENOMEM, "stream head: no memory");
}

static bool read_number(const json_t *object, const char *key, double *ret)
{
    const json_t *number = json_object_get(object, key);
    *ret = json_number_value(number);
    return json_is_number(number);
}

int eddy_stream_head_decode(const char *json, struct eddy_stream_head *ret,
                            struct eddy_err *err)
{
    struct eddy_counters_options *counters = &ret->counters;
    struct eddy_tables half_lives = {0};
    *ret = (struct eddy_stream_head){.head = eddy_head_plain};
    if (json == NULL)
        return 0;
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    char *head = json_dumps(json_object_get(object, "head"), JSON_COMPACT);
    bool good =
        head != NULL && read_count(object, "refresh_s", INT32_MAX, &ret->refresh_s) &&
        read_count(object, "width", 1000, &ret->width) &&
        read_count(object, "window", EDDY_RULES_WINDOW_MAX, &counters->window) &&
        read_number(object, "distance_decay", &counters->distance_decay) &&
        read_number(object, "rules_half_life_s", &counters->rules_half_life_s) &&
        read_number(object, "shrink", &counters->shrink) &&
        read_number(object, "reverse", &counters->reverse);
    int r = good ? eddy_head_decode(head, &half_lives, &ret->head, err)
                 : eddy_fail(err, EDDY_EFORMAT, "stream: a field is missing");
    free(head);
    json_decref(object);
    counters->half_lives = half_lives.priors;
    memcpy(counters->half_life_s, half_lives.half_life_s,
           sizeof half_lives.half_life_s);
    if (r == 0 && (ret->refresh_s == 0 || !is_sane_stream(ret)))
        r = eddy_fail(err, EDDY_EFORMAT, "stream: a number is out of range");
    return r;
}
