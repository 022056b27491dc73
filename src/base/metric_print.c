/* Prometheus text exposition 0.0.4 (contract in metric.h). Every family has its HELP and
 * TYPE once, its series stand together, and no series appears twice. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metric_priv.h"

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

static void put_family(struct eddy_buf *out, const char *name, const char *kind,
                       const char *help)
{
    eddy_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

/* The shortest of 15 and 17 digits that reads back as the same double. */
static void put_double(struct eddy_buf *out, double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) {
        (void)snprintf(text, sizeof text, "%.17g", value);
    }
    eddy_buf_puts(out, text);
}

static void put_histogram(struct eddy_buf *out, enum eddy_metric_id id)
{
    /* Edges shown, as powers of two of a microsecond: each octave from 1 ms to 1 s, where
     * freshness is judged, every second one outside. 2^k us is the upper edge of bucket
     * 4 k. */
    static const unsigned char octaves[] = {4,  6,  8,  10, 11, 12, 13, 14,
                                            15, 16, 17, 18, 19, 20, 22, 24};
    const struct eddy_metric_row *row = &eddy_metric_rows[id];
    const char *comma = row->label[0] ? "," : "";
    struct eddy_metric_histogram sum;
    uint64_t below = 0;
    unsigned bucket = 0;
    eddy_metric_sum_histogram(id, &sum);
    for (size_t i = 0; i < sizeof octaves; i++) {
        for (; bucket <= 4u * octaves[i]; bucket++) {
            below += sum.buckets[bucket];
        }
        eddy_buf_printf(out, "%s_bucket{%s%sle=\"", row->name, row->label, comma);
        put_double(out, (double)(UINT64_C(1) << octaves[i]) / 1e6);
        eddy_buf_printf(out, "\"} %" PRIu64 "\n", below);
    }
    eddy_buf_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", row->name,
                    row->label, comma, sum.count);
    const char *open = row->label[0] ? "{" : "", *close = row->label[0] ? "}" : "";
    eddy_buf_printf(out, "%s_sum%s%s%s ", row->name, open, row->label, close);
    put_double(out, (double)sum.sum_ns / 1e9);
    eddy_buf_printf(out, "\n%s_count%s%s%s %" PRIu64 "\n", row->name, open, row->label,
                    close, sum.count);
}

static void put_rows(struct eddy_buf *out)
{
    const char *family = "";
    for (int i = 0; i < EDDY_METRIC_COUNT; i++) {
        const struct eddy_metric_row *row = &eddy_metric_rows[i];
        if (strcmp(row->name, family) != 0) {
            family = row->name;
            put_family(out, family, kind_names[row->kind], row->help);
        }
        if (row->kind == EDDY_HISTOGRAM) {
            put_histogram(out, (enum eddy_metric_id)i);
            continue;
        }
        eddy_buf_puts(out, row->name);
        if (row->label[0]) {
            eddy_buf_printf(out, "{%s}", row->label);
        }
        eddy_buf_putc(out, ' ');
        if (row->kind == EDDY_GAUGE) {
            put_double(out, eddy_metric_value((enum eddy_metric_id)i));
        } else {
            eddy_buf_put_u64(out, eddy_metric_total((enum eddy_metric_id)i));
        }
        eddy_buf_putc(out, '\n');
    }
}

static void put_label_text(struct eddy_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n') {
            eddy_buf_puts(out, "\\n");
            continue;
        }
        if (*text == '"' || *text == '\\') {
            eddy_buf_putc(out, '\\');
        }
        eddy_buf_putc(out, *text);
    }
}

static int compare_lags(const void *left, const void *right)
{
    const struct eddy_metric_lag *a = left, *b = right;
    int order = strcmp(a->topic, b->topic);
    return order ? order
                 : (a->partition > b->partition) - (a->partition < b->partition);
}

static void put_lag(struct eddy_buf *out, const char *name, const char *help,
                    const struct eddy_metric_lag *lags, size_t count, bool seconds)
{
    put_family(out, name, "gauge", help);
    for (size_t i = 0; i < count; i++) {
        eddy_buf_printf(out, "%s{topic=\"", name);
        put_label_text(out, lags[i].topic);
        eddy_buf_printf(out, "\",partition=\"%" PRIu32 "\"} ", lags[i].partition);
        if (seconds) {
            put_double(out, (double)lags[i].ms / 1000);
        } else {
            eddy_buf_put_i64(out, lags[i].messages);
        }
        eddy_buf_putc(out, '\n');
    }
}

static void put_lags(struct eddy_buf *out)
{
    struct eddy_metric_lag *lags;
    size_t count = eddy_metric_copy_lags(&lags);
    if (count > 0) {
        qsort(lags, count, sizeof *lags, compare_lags);
        put_lag(out, "eddy_kafka_consumer_lag_messages",
                "Records of an owned partition that are not applied yet.", lags, count,
                false);
        put_lag(out, "eddy_kafka_consumer_lag_seconds",
                "Age of the oldest record of an owned partition not applied yet.", lags,
                count, true);
    }
    free(lags);
}

/* Beginning of a file of /proc as text; empty when it cannot be read. */
static void read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, size - 1) : 0;
    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
}

static uint64_t count_open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (!folder) {
        return 0;
    }
    while (readdir(folder)) {
        count++;
    }
    (void)closedir(folder);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder's own */
}

/* Boot time in Unix seconds, 0 if unknown; /proc/stat is long where there are many cores,
 * the line stands behind the interrupts. */
static double boot_time(void)
{
    static const char key[] = "\nbtime ";
    double seconds = 0;
    struct eddy_buf text;
    char part[4096];
    eddy_buf_init(&text, 1 << 20);
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;
    while (fd >= 0 && got > 0) {
        got = read(fd, part, sizeof part);
        eddy_buf_put(&text, part, got > 0 ? (size_t)got : 0);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    const char *line = text.data ? strstr(text.data, key) : NULL;
    if (line) {
        seconds = strtod(line + sizeof key - 1, NULL);
    }
    eddy_buf_fini(&text);
    return seconds;
}

static void put_number(struct eddy_buf *out, const char *name, const char *kind,
                       const char *help, double value)
{
    put_family(out, name, kind, help);
    eddy_buf_printf(out, "%s ", name);
    put_double(out, value);
    eddy_buf_putc(out, '\n');
}

/* The names and units that Prometheus' client libraries agree on. */
static void put_process(struct eddy_buf *out)
{
    char text[1024];
    read_text("/proc/self/stat", text, sizeof text);
    /* Fields are counted behind the name, which may contain blanks: state is the first. */
    const char *at = strrchr(text, ')');
    char *end = (char *)(at ? at + 1 : text + strlen(text));
    end += strspn(end, " ");
    end += strcspn(end, " ");
    double fields[22] = {0}; /* [0] is ppid */
    for (int i = 0; i < 22; i++) {
        fields[i] = strtod(end, &end);
    }
    double threads = fields[16], start = fields[18], virtual_bytes = fields[19];
    struct rlimit limit = {0, 0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    put_number(out, "process_cpu_seconds_total", "counter",
               "User and system CPU time spent.", (double)eddy_process_cpu_ns() / 1e9);
    put_number(out, "process_resident_memory_bytes", "gauge", "Resident memory.",
               (double)eddy_resident_bytes());
    put_number(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.",
               virtual_bytes);
    put_number(out, "process_open_fds", "gauge", "Open file descriptors.",
               (double)count_open_files());
    put_number(out, "process_max_fds", "gauge", "Limit of open file descriptors.",
               (double)limit.rlim_cur);
    put_number(out, "process_threads", "gauge", "Threads of the process.", threads);
    put_number(out, "process_start_time_seconds", "gauge",
               "Start of the process in Unix seconds.",
               boot_time() + start / (double)sysconf(_SC_CLK_TCK));
}

void eddy_metrics_print(struct eddy_buf *out)
{
    put_rows(out);
    put_lags(out);
    put_process(out);
    put_family(out, "eddy_build_info", "gauge", "Version of this eddy; always 1.");
    eddy_buf_puts(out, "eddy_build_info{version=\"" EDDY_VERSION "\"} 1\n");
}
