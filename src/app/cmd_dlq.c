/* eddy dlq: what could not be applied. Records stand in the dead-letter topic as they came,
 * with the reason and their former place in headers (Kafka Connect's names, which other
 * tools know too). */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/option_rows.h"
#include "app/progress.h"
#include "app/settings.h"
#include "app/tools.h"
#include "io/kafka.h"
#include "io/kafka_headers.h"

struct options {
    struct eddy_settings settings;
    int64_t last;
    bool json, quiet;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    EDDY_SETTINGS_ROWS(struct options),
    {.name = "last", .letter = 'n', .type = EDDY_ARG_INT, .offset = offsetof(struct options, last),
     .min = 1, .max = 100000, .value = "N", .help = "Show the newest N (default 20)."},
    {.name = "json", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, json),
     .help = "One JSON object per line."},
    EDDY_QUIET_ROW(struct options),
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "dlq",
    .usage = "list -c FILE [--last N] [--json]",
    .about =
        "Lists dead letters: where the record was, why it could not be applied, and how\n"
        "its payload begins. The partition went on without it.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .operand = "what to do (list)",
    .operand_min = 1,
    .operand_max = 1,
    .examples = "  eddy dlq list -c eddy.yaml\n"
                "  eddy dlq list -c eddy.yaml --last 1000 --json",
};

/* What the headers of a dead letter say. Names end as Kafka Connect's do. */
struct letter {
    struct eddy_span topic, partition, offset, message, reason;
};

static bool ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name), tail = strlen(suffix);
    return size >= tail && strcmp(name + size - tail, suffix) == 0;
}

/* The first header of a name counts: a later one was there before (Connect keeps it). */
static struct letter read_headers(const struct eddy_record *record)
{
    struct letter letter = {0};
    const char *name = NULL;
    struct eddy_span value;
    const struct {
        const char *suffix;
        struct eddy_span *field;
    } fields[] = {{"errors.topic", &letter.topic},
                  {"errors.partition", &letter.partition},
                  {"errors.offset", &letter.offset},
                  {"errors.exception.message", &letter.message},
                  {"reason", &letter.reason}};
    for (size_t i = 0; eddy_record_header(record, i, &name, &value); i++)
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            if (ends_with(name, fields[f].suffix) && !fields[f].field->data)
                *fields[f].field = value;
    return letter;
}

static json_t *text_of(struct eddy_span text)
{
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    eddy_buf_put_json_string(&buf, text); /* makes any bytes valid UTF-8 */
    json_t *value =
        json_loadb(buf.data, buf.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    eddy_buf_fini(&buf);
    return value ? value : json_null();
}

static json_t *letter_json(const struct eddy_record *record)
{
    struct letter letter = read_headers(record);
    struct eddy_span head = record->payload;
    head.size = head.size > 400 ? 400 : head.size;
    return json_pack("{s:i, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}",
                     "partition", (int)record->partition, "offset",
                     (json_int_t)record->offset, "timestamp",
                     (json_int_t)record->timestamp_ms, "reason", text_of(letter.reason),
                     "message", text_of(letter.message), "from_topic",
                     text_of(letter.topic), "from_partition", text_of(letter.partition),
                     "from_offset", text_of(letter.offset), "key", text_of(record->key),
                     "size", (json_int_t)record->payload.size, "payload_begins",
                     text_of(head));
}

static const char *string(const json_t *letter, const char *name)
{
    const char *value = json_string_value(json_object_get(letter, name));
    return value && *value ? value : "?";
}

static void print_letter(const json_t *letter)
{
    char when[32];
    const char *payload = json_string_value(json_object_get(letter, "payload_begins"));
    (void)printf(
        "%" PRId64 ":%" PRId64 "  %s UTC  %s  from %s %s:%s  key \"",
        (int64_t)json_integer_value(json_object_get(letter, "partition")),
        (int64_t)json_integer_value(json_object_get(letter, "offset")),
        eddy_tool_time(json_integer_value(json_object_get(letter, "timestamp")) / 1000,
                       when),
        string(letter, "reason"), string(letter, "from_topic"),
        string(letter, "from_partition"), string(letter, "from_offset"));
    eddy_tool_print_text(stdout, eddy_span_of(string(letter, "key")), 40);
    (void)printf("\"  %" PRId64 " bytes\n    %s\n    ",
                 (int64_t)json_integer_value(json_object_get(letter, "size")),
                 string(letter, "message"));
    eddy_tool_print_text(stdout, eddy_span_of(payload ? payload : ""), 100);
    (void)putchar('\n');
}

/* Go through the topic and keep the newest. */
static int collect(struct eddy_reader *reader, const struct options *options,
                   json_t *letters, uint64_t *ret_total, struct eddy_err *err)
{
    struct eddy_record record;
    struct eddy_progress progress;
    int r = 0;
    eddy_progress_init(&progress, "reading", "dead letters", eddy_reader_total(reader),
                       options->quiet);
    while ((r = eddy_reader_next(reader, 15000, &record, err)) > 0) {
        if (json_array_size(letters) >= (size_t)options->last)
            (void)json_array_remove(letters, 0);
        (void)json_array_append_new(letters, letter_json(&record));
        eddy_progress_update(&progress, ++*ret_total, "");
    }
    eddy_progress_clear(&progress);
    return r;
}

static int list(const struct options *options, struct eddy_config *config,
                struct eddy_err *err)
{
    struct eddy_reader *reader = NULL;
    json_t *letters = json_array(), *letter = NULL;
    uint64_t total = 0;
    size_t i = 0;
    int r = eddy_reader_open(&config->kafka, config->kafka.dead_letters, EDDY_READ_ALL,
                             EDDY_READ_FROM_START, false, &reader, err);
    if (r == 0)
        r = collect(reader, options, letters, &total, err);
    eddy_reader_close(reader);
    json_array_foreach(letters, i, letter)
    {
        if (options->json) {
            (void)json_dumpf(letter, stdout, JSON_COMPACT);
            (void)putchar('\n');
        } else {
            print_letter(letter);
        }
    }
    if (r == 0 && !options->json)
        (void)printf("%zu of %" PRIu64 " dead letters in %s\n",
                     json_array_size(letters), total, config->kafka.dead_letters);
    json_decref(letters);
    return r;
}

int eddy_cmd_dlq(int argc, char **argv)
{
    struct options options = {.last = 20};
    struct eddy_arg_list operands;
    struct eddy_err err = {0};
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, &operands, &code))
        return code;
    if (strcmp(operands.values[0], "list") != 0)
        return eddy_args_fail("dlq", "\"%s\" is not known; write: eddy dlq list",
                              operands.values[0]);
    struct eddy_config *config = eddy_settings_load(&options.settings, &err);
    if (config)
        (void)list(&options, config, &err);
    eddy_config_free(config);
    return err.code ? eddy_app_fail("dlq", &err) : EDDY_EXIT_OK;
}
