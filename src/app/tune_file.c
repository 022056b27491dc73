/* trials.jsonl: what is known of a search.
 *
 * The first line says what the search is of: data by their hash, recipe, ranges, seed, how
 * many jobs run at once (it decides what a suggestion may know) and the options of training.
 * A search goes on only where all of it is the same; the number of jobs may grow. Every
 * further line is a job that has ended, in order of their ends. Lines are written whole and
 * synced, so that a kill loses at most the line being written, which has no newline. */
#include "app/tune_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/files.h"

static int hash_file(const char *path, char ret[65], struct eddy_err *err)
{
    struct eddy_sha256 sha;
    unsigned char digest[32];
    struct eddy_file file;
    int r;
    ret[0] = '\0';
    if (path == NULL)
        return 0;
    if ((r = eddy_file_open(path, &file, err)) < 0)
        return r;
    eddy_sha256_init(&sha);
    eddy_sha256_update(&sha, file.bytes.data, file.bytes.size);
    eddy_sha256_final(&sha, digest);
    eddy_hex(digest, sizeof digest, ret);
    eddy_file_close(&file);
    return 0;
}

static void put_space(const struct eddy_tune_space *space, struct eddy_buf *out)
{
    for (uint32_t d = 0; d < space->count; d++) {
        const struct eddy_tune_dimension *range = &space->dimensions[d];
        eddy_buf_puts(out, d > 0 ? "," : "");
        eddy_buf_put_json_string(out, eddy_span_of(range->name));
        if (range->kind != EDDY_TUNE_CATEGORICAL) {
            eddy_buf_printf(out, ":[%.9g,%.9g]", range->min, range->max);
            continue;
        }
        eddy_buf_puts(out, ":[");
        for (uint32_t i = 0; i < range->choice_count; i++) {
            eddy_buf_puts(out, i > 0 ? "," : "");
            eddy_buf_put_json_string(out, eddy_span_of(range->choices[i]));
        }
        eddy_buf_putc(out, ']');
    }
}

static int put_header(const struct eddy_tune_search *search, struct eddy_buf *out,
                      struct eddy_err *err)
{
    const struct eddy_tune_options *options = search->options;
    const char *const paths[] = {options->interactions, options->items, options->users};
    eddy_buf_printf(out, "{\"eddy_tune\":1,\"recipe\":\"%s\",\"defaults\":\"%s\"",
                    search->plan->recipe->name,
                    search->plan->by_name ? "recipe" : "eddy");
    for (int i = 0; i < 3; i++) {
        char hash[65];
        int r = hash_file(paths[i], hash, err);
        if (r < 0)
            return r;
        eddy_buf_printf(out, "%s\"%s\"", i == 0 ? ",\"sha256\":[" : ",", hash);
    }
    eddy_buf_printf(out, "],\"seed\":%lld,\"parallel\":%lld,\"options\":[",
                    (long long)options->seed, (long long)search->plan->parallel);
    for (size_t i = 0; i < options->more->count; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        eddy_buf_put_json_string(out, eddy_span_of(options->more->values[i]));
    }
    eddy_buf_puts(out, "],\"ranges\":{");
    put_space(&search->plan->space, out);
    eddy_buf_puts(out, "}}\n");
    return out->failed ? eddy_fail(err, EDDY_ENOMEM, "out of memory") : 0;
}

static void copy_text(char *ret, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);
    (void)snprintf(ret, size, "%s", text ? text : "");
}

/* A line of a job; false: not one of this search. */
static bool take_line(struct eddy_tune_search *search, const char *line, size_t size)
{
    const struct eddy_tune_space *space = &search->plan->space;
    json_t *root = json_loadb(line, size, 0, NULL);
    const json_t *job = json_object_get(root, "job");
    const json_t *point = json_object_get(root, "point");
    const json_t *value = json_object_get(root, "value");
    json_int_t index = json_integer_value(job) - 1;
    bool good = json_is_integer(job) && index >= 0 && index < EDDY_TUNE_JOBS;
    struct eddy_tune_trial trial = {.state = EDDY_TUNE_FAILED};
    for (uint32_t d = 0; good && d < space->count; d++) {
        const struct eddy_tune_dimension *range = &space->dimensions[d];
        const char *text = json_string_value(json_object_get(point, range->name));
        good = text != NULL && eddy_tune_parse(range, text, &trial.at[d]);
    }
    if (good) {
        struct eddy_tune_record *record = &search->records[index];
        if (json_is_number(value)) {
            trial.state = EDDY_TUNE_DONE;
            trial.value = json_number_value(value);
        }
        record->seconds = json_number_value(json_object_get(root, "seconds"));
        copy_text(record->objective, sizeof record->objective,
                  json_object_get(root, "objective"));
        copy_text(record->version, sizeof record->version,
                  json_object_get(root, "model"));
        copy_text(record->failure, sizeof record->failure,
                  json_object_get(root, "failure"));
        search->resumed += !search->known[index];
        search->trials[index] = trial;
        search->given[index] = search->known[index] = true;
    }
    json_decref(root);
    return good;
}

/* Lines of an older run. *ret_size: bytes up to the end of the last whole line. */
static int take_lines(struct eddy_tune_search *search, struct eddy_span text,
                      struct eddy_span header, const char *path, size_t *ret_size,
                      struct eddy_err *err)
{
    size_t at = 0;
    int line = 0;
    const char *end;
    while (at < text.size &&
           (end = memchr(text.data + at, '\n', text.size - at)) != NULL) {
        size_t size = (size_t)(end - text.data) + 1 - at;
        if (line++ == 0 &&
            (size != header.size || memcmp(text.data + at, header.data, size) != 0))
            return eddy_fail(err, EDDY_EUSAGE,
                             "%.100s is of another search (data, recipe, ranges, seed, "
                             "--parallel or options differ); name another --folder",
                             path);
        if (line > 1 && !take_line(search, text.data + at, size))
            return eddy_fail(err, EDDY_EFORMAT, "%.120s:%d: not a trial of this search",
                             path, line);
        at += size;
    }
    *ret_size = at;
    return 0;
}

static int fail_io(const char *path, struct eddy_err *err)
{
    return eddy_fail(err, EDDY_EIO, "%.150s: %s", path, strerror(errno));
}

static int write_all(int fd, struct eddy_span bytes, const char *path,
                     struct eddy_err *err)
{
    while (bytes.size > 0) {
        ssize_t n = write(fd, bytes.data, bytes.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_io(path, err);
        bytes.data += n;
        bytes.size -= (size_t)n;
    }
    return fdatasync(fd) == 0 ? 0 : fail_io(path, err);
}

int eddy_tune_file_open(struct eddy_tune_search *search, struct eddy_err *err)
{
    char path[4096];
    struct eddy_file file;
    struct eddy_buf header;
    size_t size = 0;
    int fd = -1, r;

    eddy_buf_init(&header, 0);
    (void)snprintf(path, sizeof path, "%s/trials.jsonl", search->options->folder);
    r = put_header(search, &header, err);
    if (r == 0)
        r = eddy_make_folder(search->options->folder, err);
    if (r == 0 && access(path, F_OK) == 0 && !search->options->resume)
        r = eddy_fail(err, EDDY_EUSAGE,
                      "%.140s holds a search; --resume goes on with it, or remove the "
                      "folder",
                      search->options->folder);
    if (r == 0 && access(path, F_OK) == 0 &&
        (r = eddy_file_open(path, &file, err)) == 0) {
        r = take_lines(search, file.bytes, eddy_buf_span(&header), path, &size, err);
        eddy_file_close(&file);
    }
    if (r == 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || lseek(fd, 0, SEEK_END) < 0)
            r = fail_io(path, err);
        else if (size == 0)
            r = write_all(fd, eddy_buf_span(&header), path, err);
    }
    eddy_buf_fini(&header);
    if (r < 0 && fd >= 0)
        (void)close(fd);
    return r < 0 ? r : fd;
}

int eddy_tune_file_add(int fd, const struct eddy_tune_search *search, uint32_t job,
                       struct eddy_err *err)
{
    const struct eddy_tune_trial *trial = &search->trials[job];
    const struct eddy_tune_record *record = &search->records[job];
    struct eddy_buf line;
    eddy_buf_init(&line, 0);
    eddy_buf_printf(&line, "{\"job\":%u,\"point\":", job + 1);
    eddy_tune_put_point(&search->plan->space, trial->at, &line);
    if (trial->state == EDDY_TUNE_DONE) {
        eddy_buf_puts(&line, ",\"value\":");
        eddy_buf_put_fixed(&line, trial->value, 6);
        eddy_buf_printf(&line, ",\"objective\":\"%s\",\"model\":\"%s\"",
                        record->objective, record->version);
    } else {
        eddy_buf_puts(&line, ",\"failure\":");
        eddy_buf_put_json_string(&line, eddy_span_of(record->failure));
    }
    eddy_buf_printf(&line, ",\"seconds\":%.2f}\n", record->seconds);
    int r = line.failed ? eddy_fail(err, EDDY_ENOMEM, "out of memory")
                        : write_all(fd, eddy_buf_span(&line), "trials.jsonl", err);
    eddy_buf_fini(&line);
    return r;
}
