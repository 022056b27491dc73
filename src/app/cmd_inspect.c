/* eddy inspect: look at what stands in Redis, in the log and in a snapshot folder. Reads
 * only; it takes no fence, so running workers do not notice it. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/inspect.h"
#include "app/option_rows.h"
#include "base/hash.h"
#include "io/json_simd.h"
#include "io/kafka.h"

/* ---- list ------------------------------------------------------------------------ */

static void print_items(const struct eddy_inspect *inspect, const json_t *list)
{
    struct eddy_err err = {0};
    const char *version = json_string_value(json_object_get(list, "model"));
    struct eddy_snapshot *snapshot =
        eddy_tool_snapshot(inspect->config, version ? version : "", &err);
    size_t rank = 0;
    json_t *item = NULL;
    (void)printf("  rank  score       item\n");
    json_array_foreach(json_object_get(list, "items"), rank, item)
    {
        const char *id = json_string_value(json_object_get(item, "id"));
        struct eddy_span title = eddy_span_of(id ? id : "?");
        uint32_t index =
            snapshot ? eddy_catalog_find(snapshot->catalog, title) : EDDY_ITEM_NONE;
        (void)printf("  %4zu  %-10.5f  %s", rank + 1,
                     json_number_value(json_object_get(item, "score")), id ? id : "?");
        if (index != EDDY_ITEM_NONE) {
            (void)printf("  ");
            eddy_tool_print_text(stdout, eddy_catalog_title(snapshot->catalog, index),
                                 60);
        }
        (void)putchar('\n');
    }
    if (snapshot)
        eddy_snapshot_release(snapshot);
}

static int print_list(const struct eddy_inspect *inspect, struct eddy_span value,
                      struct eddy_err *err)
{
    if (inspect->json) {
        (void)printf("%.*s\n", (int)value.size, value.data);
        return 0;
    }
    json_t *list = json_loadb(value.data, value.size, 0, NULL);
    if (!list)
        return eddy_fail(err, EDDY_EFORMAT, "the list in Redis is not JSON: %.*s",
                         value.size > 80 ? 80 : (int)value.size, value.data);
    char when[32];
    const char *model = json_string_value(json_object_get(list, "model"));
    const char *id = json_string_value(json_object_get(list, "recommendationId"));
    (void)printf("list of user \"%s\"\n  revision %" PRId64
                 ", newest event %s UTC\n  snapshot %s, recommendationId %s\n",
                 json_string_value(json_object_get(list, "user")),
                 (int64_t)json_integer_value(json_object_get(list, "rev")),
                 eddy_tool_time(json_integer_value(json_object_get(list, "ts")) / 1000,
                                when),
                 model ? model : "-", id ? id : "-");
    print_items(inspect, list);
    json_decref(list);
    return 0;
}

static int inspect_list(const struct eddy_inspect *inspect, struct eddy_err *err)
{
    struct eddy_span user = eddy_span_of(inspect->what), value = {0};
    struct eddy_buf key;
    eddy_buf_init(&key, 0);
    eddy_key_list(inspect->store, user, &key);
    int r = eddy_store_get(inspect->store, eddy_buf_span(&key), inspect->arena, &value,
                           err);
    if (r == 0 && !value.data) {
        (void)fprintf(stderr,
                      "%s does not exist: the user has had no list yet; this is "
                      "the default list\n",
                      key.data);
        eddy_buf_clear(&key);
        eddy_key_list_default(inspect->store, &key);
        r = eddy_store_get(inspect->store, eddy_buf_span(&key), inspect->arena, &value,
                           err);
    }
    if (r == 0 && !value.data)
        r = eddy_fail(
            err, EDDY_ENOMODEL,
            "%s does not exist either: no worker has owned partition 0 with a "
            "snapshot yet",
            key.data);
    eddy_buf_fini(&key);
    return r < 0 ? r : print_list(inspect, value, err);
}

/* ---- offset and outbox ----------------------------------------------------------- */

struct partition_row {
    struct eddy_position position;
    bool found;
    char fence[96];
    bool log_known;
    uint64_t log_start, log_end;
};

static int read_part(const struct eddy_inspect *inspect, uint32_t partition,
                     const char *name, struct eddy_span *ret, struct eddy_err *err)
{
    struct eddy_buf key;
    eddy_buf_init(&key, 0);
    eddy_key_part(inspect->store, partition, name, &key);
    int r =
        eddy_store_get(inspect->store, eddy_buf_span(&key), inspect->arena, ret, err);
    eddy_buf_fini(&key);
    return r;
}

static int read_row(const struct eddy_inspect *inspect, struct eddy_kafka_admin *admin,
                    uint32_t partition, struct partition_row *row, struct eddy_err *err)
{
    struct eddy_span offset = {0}, fence = {0};
    *row = (struct partition_row){0};
    eddy_arena_reset(inspect->arena);
    int r = read_part(inspect, partition, "offset", &offset, err);
    if (r == 0)
        r = read_part(inspect, partition, "fence", &fence, err);
    if (r < 0)
        return r;
    row->found = offset.data != NULL;
    if (row->found && eddy_position_decode(offset, &row->position) < 0)
        return eddy_fail(err, EDDY_EFORMAT, "partition %u: the position is damaged",
                         partition);
    (void)snprintf(row->fence, sizeof row->fence, "%.*s",
                   fence.size > 90 ? 90 : (int)fence.size,
                   fence.data ? fence.data : "");
    if (admin)
        row->log_known =
            eddy_kafka_admin_bounds(admin, inspect->config->kafka.events, partition,
                                    5000, &row->log_start, &row->log_end, NULL) == 0;
    return 0;
}

static void print_row_text(uint32_t partition, const struct partition_row *row)
{
    char end[24] = "?", lag[24] = "?";
    if (row->log_known) {
        (void)snprintf(end, sizeof end, "%" PRIu64, row->log_end);
        (void)snprintf(lag, sizeof lag, "%" PRId64,
                       (int64_t)(row->log_end - row->position.offset));
    }
    (void)printf("%9u  %12" PRIu64 "  %12s  %10s  %-16s  %s\n", partition,
                 row->position.offset, end, lag,
                 row->position.snapshot[0] ? row->position.snapshot : "-",
                 row->fence[0] ? row->fence : "-");
}

static json_t *row_json(uint32_t partition, const struct partition_row *row)
{
    json_t *object = json_pack("{s:i, s:b, s:I, s:s, s:s, s:{s:i, s:b, s:i}}",
                               "partition", (int)partition, "found", row->found,
                               "offset", (json_int_t)row->position.offset, "snapshot",
                               row->position.snapshot, "fence", row->fence, "policy",
                               "list_size", (int)row->position.policy.list_size,
                               "exclude_recent", row->position.policy.exclude_recent,
                               "lateness_s", (int)row->position.policy.lateness_s);
    if (object && row->log_known) {
        (void)json_object_set_new(object, "log_start",
                                  json_integer((json_int_t)row->log_start));
        (void)json_object_set_new(object, "log_end",
                                  json_integer((json_int_t)row->log_end));
        (void)json_object_set_new(object, "lag",
                                  json_integer((json_int_t)row->log_end -
                                               (json_int_t)row->position.offset));
    }
    return object;
}

static int inspect_offset(const struct eddy_inspect *inspect, struct eddy_err *err)
{
    uint32_t partitions = 0;
    int r = eddy_tool_partitions(inspect->store, &partitions, err);
    if (r < 0)
        return r;
    struct eddy_kafka_admin *admin = NULL;
    struct eddy_err kafka = {0};
    if (eddy_kafka_admin_open(&inspect->config->kafka, &admin, &kafka) < 0 ||
        eddy_kafka_admin_check(admin, 5000, NULL, &kafka) < 0) {
        (void)fprintf(stderr, "the log's end is not known: %s\n", kafka.text);
        eddy_kafka_admin_close(admin);
        admin = NULL;
    }
    json_t *rows = inspect->json ? json_array() : NULL;
    if (!rows)
        (void)printf("partition        offset       log end         lag  snapshot"
                     "          fence\n");
    for (uint32_t p = 0; p < partitions && r == 0; p++) {
        struct partition_row row;
        r = read_row(inspect, admin, p, &row, err);
        if (r == 0 && rows)
            (void)json_array_append_new(rows, row_json(p, &row));
        else if (r == 0)
            print_row_text(p, &row);
    }
    if (rows && r == 0)
        eddy_inspect_print_json(rows);
    json_decref(rows);
    eddy_kafka_admin_close(admin);
    return r;
}

static int outbox_of(const struct eddy_inspect *inspect, uint32_t partition,
                     json_t *rows, uint32_t *ret_total, struct eddy_err *err)
{
    struct eddy_span value = {0};
    const struct eddy_span *users = NULL;
    uint32_t count = 0;
    eddy_arena_reset(inspect->arena);
    int r = read_part(inspect, partition, "outbox", &value, err);
    if (r < 0 || !value.size)
        return r;
    if (eddy_outbox_decode(value, inspect->arena, &users, &count) < 0)
        return eddy_fail(err, EDDY_EFORMAT, "partition %u: the outbox is damaged",
                         partition);
    *ret_total += count;
    if (!rows && count > 0)
        (void)printf("partition %u: %u users\n", partition, count);
    for (uint32_t i = 0; i < count; i++) {
        if (rows) {
            (void)json_array_append_new(rows, json_pack("{s:i, s:s%}", "partition",
                                                        (int)partition, "user",
                                                        users[i].data, users[i].size));
        } else if (i < 20) {
            (void)printf("  ");
            eddy_tool_print_text(stdout, users[i], 80);
            (void)putchar('\n');
        } else if (i == 20) {
            (void)printf("  ... (--json shows all)\n");
        }
    }
    return 0;
}

static int inspect_outbox(const struct eddy_inspect *inspect, struct eddy_err *err)
{
    uint32_t partitions = 0, total = 0;
    int r = eddy_tool_partitions(inspect->store, &partitions, err);
    json_t *rows = inspect->json ? json_array() : NULL;
    for (uint32_t p = 0; p < partitions && r == 0; p++)
        r = outbox_of(inspect, p, rows, &total, err);
    if (r == 0 && rows)
        eddy_inspect_print_json(rows);
    else if (r == 0)
        (void)printf("%u users whose list %s had not confirmed when their partition "
                     "committed last\n",
                     total, inspect->config->kafka.lists);
    json_decref(rows);
    return r;
}

/* ---- event ----------------------------------------------------------------------- */

static void print_event(const struct eddy_inspect *inspect,
                        const struct eddy_record *record)
{
    struct eddy_event event;
    struct eddy_err why = {0};
    struct eddy_buf text;
    struct eddy_json *json = eddy_json_new();
    eddy_buf_init(&text, 0);
    bool is_json = record->payload.size > 0 && record->payload.data[0] == '{';
    int r = is_json && json
                ? eddy_json_event_decode(json, record->payload, inspect->arena, &event,
                                         &why)
                : eddy_event_decode(record->payload, inspect->arena, &event, &why);
    eddy_buf_printf(&text,
                    "{\"partition\":%u,\"offset\":%" PRIu64 ",\"timestamp\":%" PRId64
                    ",\"key\":",
                    record->partition, record->offset, record->timestamp_ms);
    eddy_buf_put_json_string(&text, record->key);
    eddy_buf_printf(&text, ",\"size\":%zu,\"encoding\":\"%s\",", record->payload.size,
                    is_json ? "json" : "msgpack");
    if (r == 0) {
        eddy_buf_puts(&text, "\"event\":");
        eddy_event_encode_json(&event, &text);
    } else {
        struct eddy_span head = record->payload;
        head.size = head.size > 200 ? 200 : head.size;
        eddy_buf_printf(&text, "\"refused\":\"%s\",\"why\":", eddy_err_reason(r));
        eddy_buf_put_json_string(&text, eddy_span_of(why.text));
        eddy_buf_puts(&text, ",\"payload\":");
        eddy_buf_put_json_string(&text, head);
    }
    eddy_buf_puts(&text, "}");
    json_t *object = json_loadb(text.data, text.size, 0, NULL);
    eddy_inspect_print_json(object);
    json_decref(object);
    eddy_buf_fini(&text);
    eddy_json_free(json);
}

static int inspect_event(const struct eddy_inspect *inspect, struct eddy_err *err)
{
    unsigned partition = 0;
    uint64_t offset = 0;
    struct eddy_reader *reader = NULL;
    struct eddy_record record;
    int used = 0;
    if (sscanf(inspect->what, "%u:%" SCNu64 "%n", &partition, &offset, &used) != 2 ||
        inspect->what[used] != 0)
        return eddy_fail(
            err, EDDY_EUSAGE,
            "\"%s\": write PARTITION:OFFSET, e.g. eddy inspect event 3:1041",
            inspect->what);
    int r = eddy_reader_open(&inspect->config->kafka, inspect->config->kafka.events,
                             (int32_t)partition, offset, false, &reader, err);
    if (r == 0)
        r = eddy_reader_next(reader, 10000, &record, err);
    if (r == 0)
        r = eddy_fail(err, EDDY_EKAFKA, "%s has no record %u:%" PRIu64 " (any more?)",
                      inspect->config->kafka.events, partition, offset);
    if (r > 0) {
        if (record.offset != offset)
            (void)fprintf(stderr,
                          "offset %" PRIu64 " holds no record; this is the next\n",
                          offset);
        print_event(inspect, &record);
        r = 0;
    }
    eddy_reader_close(reader);
    return r;
}

/* ---- the command ----------------------------------------------------------------- */

struct options {
    struct eddy_settings settings;
    bool json;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    EDDY_SETTINGS_ROWS(struct options),
    EDDY_JSON_ROW(struct options),
};
static const struct {
    const char *name;
    int (*run)(const struct eddy_inspect *inspect, struct eddy_err *err);
    const char *what; /* second argument, NULL: none */
    bool redis;
} subjects[] = {
    {"user",   eddy_inspect_user,  "USER",             true},
    {"list",   inspect_list,       "USER",             true},
    {"offset", inspect_offset,     NULL,               true},
    {"outbox", inspect_outbox,     NULL,               true},
    {"event",  inspect_event,      "PARTITION:OFFSET", false},
    {"model",  eddy_inspect_model, "DIR",              false},
};
/* clang-format on */
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static const struct eddy_args args = {
    .command = "inspect",
    .usage =
        "user USER | list USER | offset | outbox | event PARTITION:OFFSET | model DIR",
    .about =
        "Shows what stands in Redis, in the log or in a snapshot folder. It only reads.\n"
        "\n"
        "  user USER    the state: position, sessions, last events, what was shown\n"
        "  list USER    the list that a storefront reads, with titles\n"
        "  offset       per partition: stored offset, end of the log, lag, snapshot,\n"
        "               fence of the present owner\n"
        "  outbox       users whose list was not confirmed by the list topic when their\n"
        "               partition committed last\n"
        "  event P:O    one record of the events topic, decoded, or why it is refused\n"
        "  model DIR    version, shape, data and metrics of a snapshot folder",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .operand = "what to inspect",
    .operand_min = 1,
    .operand_max = 2,
    .examples = "  eddy inspect user u1 -c eddy.yaml\n"
                "  eddy inspect list u1 -c eddy.yaml --json\n"
                "  eddy inspect offset -c eddy.yaml\n"
                "  eddy inspect event 3:1041 -c eddy.yaml\n"
                "  eddy inspect model models/latest",
};

void eddy_inspect_print_json(const json_t *object)
{
    (void)json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    (void)putchar('\n');
}

static int find_subject(const struct eddy_arg_list *operands, size_t *ret_index)
{
    const char *names[SUBJECTS];
    const char *name = operands->values[0];
    for (size_t i = 0; i < SUBJECTS; i++) {
        names[i] = subjects[i].name;
        if (strcmp(name, names[i]) != 0)
            continue;
        if ((operands->count == 2) != (subjects[i].what != NULL))
            return eddy_args_fail("inspect", "write: eddy inspect %s %s", names[i],
                                  subjects[i].what ? subjects[i].what : "");
        *ret_index = i;
        return 0;
    }
    const char *nearest = eddy_args_nearest(name, names, SUBJECTS);
    return nearest ? eddy_args_fail("inspect", "there is no \"%s\"; did you mean %s?",
                                    name, nearest)
                   : eddy_args_fail("inspect",
                                    "there is no \"%s\"; it can be user, list, offset, "
                                    "outbox, event, model",
                                    name);
}

int eddy_cmd_inspect(int argc, char **argv)
{
    struct options options = {0};
    struct eddy_arg_list operands;
    struct eddy_err err = {0};
    struct eddy_inspect inspect = {0};
    size_t index = 0;
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, &operands, &code))
        return code;
    code = find_subject(&operands, &index);
    if (code)
        return code;
    inspect.json = options.json;
    inspect.what = operands.count == 2 ? operands.values[1] : "";
    inspect.config = eddy_settings_load(&options.settings, &err);
    inspect.arena = eddy_arena_new(1 << 20, 1 << 28);
    if (!inspect.arena && inspect.config)
        (void)eddy_fail(&err, EDDY_ENOMEM, "out of memory");
    if (inspect.config && inspect.arena && subjects[index].redis)
        inspect.store = eddy_tool_store(inspect.config, "inspect", &err);
    if (err.code == 0)
        (void)subjects[index].run(&inspect, &err);
    eddy_store_close(inspect.store);
    eddy_arena_free(inspect.arena);
    eddy_config_free(inspect.config);
    return err.code ? eddy_app_fail("inspect", &err) : EDDY_EXIT_OK;
}
