/* Log lines. A line is built in memory and written with one write(2), so that lines of
 * several threads never mix and a crash loses nothing that was logged. There is no queue
 * and no log thread: lines are few (a handful per minute above debug). */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { MESSAGE_MAX = 1024, VALUE_MAX = 256, LIMIT_MS = 10000 };

static atomic_int log_fd = 2;
static atomic_int log_level = EDDY_LOG_INFO;
static atomic_bool log_json;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void eddy_log_setup(int fd, enum eddy_log_level level, bool json)
{
    atomic_store(&log_fd, fd);
    atomic_store(&log_level, (int)level);
    atomic_store(&log_json, json);
}

bool eddy_log_wants(enum eddy_log_level level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* A logfmt value needs quotes unless it is one plain word. */
static bool is_plain(struct eddy_span value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) {
            return false;
        }
    }
    return value.size > 0;
}

/* Cut at most to size bytes, not inside a UTF-8 sequence. */
static struct eddy_span cut(struct eddy_span text, size_t size)
{
    if (text.size > size) {
        text.size = size;
        while (text.size > 0 && ((unsigned char)text.data[text.size] & 0xc0) == 0x80) {
            text.size--;
        }
    }
    return text;
}

void eddy_log_kv(struct eddy_buf *fields, const char *key, struct eddy_span value)
{
    if (fields->size > 0) {
        eddy_buf_putc(fields, ' ');
    }
    eddy_buf_puts(fields, key);
    eddy_buf_putc(fields, '=');
    value = cut(value, VALUE_MAX);
    if (is_plain(value)) {
        eddy_buf_put(fields, value.data, value.size);
    } else {
        eddy_buf_put_json_string(fields, value);
    }
}

void eddy_log_kv_i64(struct eddy_buf *fields, const char *key, int64_t value)
{
    eddy_buf_printf(fields, "%s%s=%lld", fields->size > 0 ? " " : "", key,
                    (long long)value);
}

static void put_time(struct eddy_buf *line)
{
    int64_t now_ms = eddy_now_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm utc;
    char text[32] = "";
    if (gmtime_r(&now_s, &utc)) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    eddy_buf_printf(line, "%s.%03dZ", text, (int)(now_ms % 1000));
}

/* Whether text is a number by JSON's grammar, which knows no leading zeros or plus. */
static bool is_json_number(struct eddy_span text)
{
    size_t i = text.size > 0 && text.data[0] == '-' ? 1 : 0;
    size_t first = i;
    while (i < text.size && text.data[i] >= '0' && text.data[i] <= '9') {
        i++;
    }
    if (i == first || (text.data[first] == '0' && i > first + 1)) {
        return false;
    }
    if (i < text.size && text.data[i] == '.') {
        size_t point = i++;
        while (i < text.size && text.data[i] >= '0' && text.data[i] <= '9') {
            i++;
        }
        return i == text.size && i > point + 1;
    }
    return i == text.size;
}

/* One `key=value` at the head of *fields as `,"key":value`; quoted values are JSON strings
 * already (eddy_log_kv). False when nothing is left. */
static bool put_json_field(struct eddy_buf *line, struct eddy_span *fields)
{
    const char *at = fields->data, *end = at + fields->size;
    while (at < end && *at == ' ') {
        at++;
    }
    const char *equals = at < end ? memchr(at, '=', (size_t)(end - at)) : NULL;
    if (!equals) {
        return false;
    }
    const char *value = equals + 1, *stop = value;
    bool quoted = value < end && *value == '"';
    if (quoted) {
        for (stop = value + 1; stop < end && *stop != '"'; stop++) {
            stop += *stop == '\\' && stop + 1 < end ? 1 : 0;
        }
        quoted = stop < end;
        stop += quoted ? 1 : 0;
    } else {
        while (stop < end && *stop != ' ') {
            stop++;
        }
    }
    struct eddy_span text = {value, (size_t)(stop - value)};
    eddy_buf_putc(line, ',');
    eddy_buf_put_json_string(line, (struct eddy_span){at, (size_t)(equals - at)});
    eddy_buf_putc(line, ':');
    if (quoted || is_json_number(text)) {
        eddy_buf_put(line, text.data, text.size);
    } else {
        eddy_buf_put_json_string(line, text);
    }
    *fields = (struct eddy_span){stop, (size_t)(end - stop)};
    return true;
}

static void format_line(struct eddy_buf *line, enum eddy_log_level level,
                        const char *module, const char *fields, unsigned suppressed,
                        struct eddy_span message)
{
    bool json = atomic_load(&log_json);
    eddy_buf_puts(line, json ? "{\"ts\":\"" : "ts=");
    put_time(line);
    eddy_buf_printf(
        line, json ? "\",\"level\":\"%s\",\"module\":\"%s\"" : " level=%s module=%s",
        level_names[level], module);
    if (json) {
        struct eddy_span left = eddy_span_of(fields);
        while (left.size > 0 && put_json_field(line, &left)) {
        }
    } else if (fields && fields[0]) {
        eddy_buf_printf(line, " %s", fields);
    }
    if (suppressed > 0) {
        eddy_buf_printf(line, json ? ",\"suppressed\":%u" : " suppressed=%u",
                        suppressed);
    }
    eddy_buf_puts(line, json ? ",\"msg\":" : " msg=");
    eddy_buf_put_json_string(line, message);
    eddy_buf_puts(line, json ? "}\n" : "\n");
}

static void write_all(const char *bytes, size_t size)
{
    int fd = atomic_load(&log_fd);
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return; /* nobody left to tell */
        }
        bytes += written;
        size -= (size_t)written;
    }
}

__attribute__((format(printf, 5, 0))) static void write_line(
    enum eddy_log_level level, const char *module, const char *fields,
    unsigned suppressed, const char *fmt, va_list args)
{
    int saved = errno; /* a log line must not change what the caller is looking at */
    char text[MESSAGE_MAX + 8];
    struct eddy_buf line;
    eddy_buf_init(&line, 0);
    (void)vsnprintf(text, sizeof text, fmt, args);
    struct eddy_span message = cut(eddy_span_of(text), MESSAGE_MAX);
    format_line(&line, level, module, fields, suppressed, message);
    if (line.failed) { /* out of memory: the bare message is better than nothing */
        write_all(text, strlen(text));
        write_all("\n", 1);
    } else {
        write_all(line.data, line.size);
    }
    eddy_buf_fini(&line);
    errno = saved;
}

void eddy_log(enum eddy_log_level level, const char *module, const char *fields,
              const char *fmt, ...)
{
    if (!eddy_log_wants(level)) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    write_line(level, module, fields, 0, fmt, args);
    va_end(args);
}

void eddy_log_limited(struct eddy_log_limit *limit, enum eddy_log_level level,
                      const char *module, const char *fields, const char *fmt, ...)
{
    if (!eddy_log_wants(level)) {
        return;
    }
    long long now_ms = (long long)(eddy_monotonic_ns() / 1000000u);
    long long next_ms = atomic_load(&limit->next_ms);
    /* Of several threads that see the interval over, one wins the exchange and writes. */
    if (now_ms < next_ms ||
        !atomic_compare_exchange_strong(&limit->next_ms, &next_ms, now_ms + LIMIT_MS)) {
        atomic_fetch_add(&limit->held_back, 1);
        return;
    }
    va_list args;
    va_start(args, fmt);
    write_line(level, module, fields, atomic_exchange(&limit->held_back, 0), fmt, args);
    va_end(args);
}

void eddy_assert_failed(const char *cond, const char *file, int line)
{
    eddy_log(EDDY_LOG_ERROR, "assert", "", "%s:%d: %s: a bug in eddy, please report it",
             file, line, cond);
    abort();
}
