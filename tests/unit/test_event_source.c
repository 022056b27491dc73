#include "app/event_source.h"

#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "spans.h"

static char path[] = "/tmp/eddy-test-XXXXXX";

/* Write text to the test's file and open it. NULL when opening failed. */
static struct eddy_source *open_text(const char *text, size_t size,
                                     enum eddy_source_format format,
                                     struct eddy_err *err)
{
    struct eddy_source *source = NULL;
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(text, 1, size, file) == size && fclose(file) == 0);
    (void)eddy_source_open(path, format, &source, err);
    return source;
}

static const char csv[] =
    "\xef\xbb\xbfTIMESTAMP,item_id,USER_ID,extra,EVENT_TYPE,EVENT_VALUE,IMPRESSION\r\n"
    "1600000000,\"i,1\",u1,x,click,,a|b\r\n"
    "\r\n"
    "oops,i2,u2,,,,\n"
    "1600000001000,i3,u3,,purchase,2.5,\n"
    "2020-09-13T12:26:42Z,\"two\nlines\",u4,,,,\n"
    "1600000003,i5,u5,,,x,\n"
    "1600000004,i6,u6,,,,";

static void csv_rows_become_events_and_bad_ones_have_a_place(void)
{
    struct eddy_err err = {0};
    struct eddy_event event;
    struct eddy_source *source = open_text(csv, sizeof csv - 1, EDDY_SOURCE_AUTO, &err);
    if (!CHECK(source))
        return;
    CHECK_INT(eddy_source_format(source), EDDY_SOURCE_CSV);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(is(event.user, "u1") && is(event.item, "i,1") && is(event.type, "click"));
    CHECK_INT(event.ts_ms, INT64_C(1600000000000));
    CHECK(!event.has_value);
    CHECK_INT(event.impression_count, 2);
    CHECK(is(event.impressions[1], "b"));
    CHECK_INT(event.context_count, 1);
    CHECK(is(event.context[0].name, "extra") && is(event.context[0].text, "x"));
    CHECK_INT(eddy_source_next(source, &event, &err), EDDY_ETIME);
    CHECK(strstr(err.text, ":4: column TIMESTAMP: \"oops\"") != NULL);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(event.has_value && is(event.type, "purchase"));
    CHECK_INT(event.context_count, 0);
    CHECK_INT(event.ts_ms, INT64_C(1600000001000));
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(is(event.item, "two\nlines") && event.type.data == NULL);
    CHECK_INT(event.ts_ms, INT64_C(1600000002000));
    CHECK_INT(eddy_source_next(source, &event, &err), EDDY_EBADEVENT);
    CHECK(strstr(err.text, ":8: column EVENT_VALUE: \"x\"") != NULL);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(is(event.user, "u6"));
    CHECK_INT(eddy_source_next(source, &event, &err), 0);
    eddy_source_close(source);
}

static void a_header_without_a_needed_column_is_refused(void)
{
    struct eddy_err err = {0};
    static const char text[] = "USER_ID,TIMESTAMP\nu,1\n";
    CHECK(!open_text(text, sizeof text - 1, EDDY_SOURCE_AUTO, &err));
    CHECK_INT(err.code, EDDY_EFORMAT);
    CHECK(strstr(err.text, "ITEM_ID") != NULL);
    CHECK(!open_text("", 0, EDDY_SOURCE_AUTO, &err));
    CHECK_INT(err.code, EDDY_EFORMAT);
}

static void impressions_with_empty_ids_are_bad_events(void)
{
    static const char text[] = "USER_ID,ITEM_ID,TIMESTAMP,IMPRESSION\n"
                               "u,a,1600000000,a||b\n"
                               "u,a,1600000000,a|b|\n"
                               "u,a,1600000000,a|b\n";
    struct eddy_err err = {0};
    struct eddy_event event;
    struct eddy_source *source =
        open_text(text, sizeof text - 1, EDDY_SOURCE_AUTO, &err);
    if (!CHECK(source))
        return;
    for (int line = 2; line <= 3; line++) {
        CHECK_INT(eddy_source_next(source, &event, &err), EDDY_EBADEVENT);
        CHECK(strstr(err.text, line == 2 ? ":2: column IMPRESSION: \"a||b\""
                                         : ":3: column IMPRESSION: \"a|b|\"") != NULL);
    }
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK_INT(event.impression_count, 2);
    eddy_source_close(source);
}

static void json_lines_are_read_and_bad_ones_passed(void)
{
    static const char text[] =
        "{\"user\":\"u1\",\"item\":\"i1\",\"ts\":1600000000000}\n"
        "\n"
        "{\"user\":\"u2\"\n"
        "{\"user\":\"u3\",\"item\":\"i3\",\"ts\":1600000000001}";
    struct eddy_err err = {0};
    struct eddy_event event;
    struct eddy_source *source =
        open_text(text, sizeof text - 1, EDDY_SOURCE_AUTO, &err);
    if (!CHECK(source))
        return;
    CHECK_INT(eddy_source_format(source), EDDY_SOURCE_JSONL);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(is(event.user, "u1"));
    CHECK_INT(eddy_source_next(source, &event, &err), EDDY_EBADEVENT);
    CHECK(strstr(err.text, ":3: ") != NULL);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(is(event.user, "u3"));
    CHECK_INT(eddy_source_next(source, &event, &err), 0);
    eddy_source_close(source);
}

static void append(struct eddy_buf *buf, const char *user, int64_t ts_ms)
{
    struct eddy_event event = {.kind = EDDY_KIND_EVENT,
                               .user = eddy_span_of(user),
                               .item = eddy_span_of("i"),
                               .ts_ms = ts_ms};
    CHECK_INT(eddy_event_check(&event, NULL), 0);
    eddy_event_encode(&event, buf);
}

static void canonical_records_are_read_and_a_cut_one_ends_it(void)
{
    struct eddy_err err = {0};
    struct eddy_event event;
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    append(&buf, "u1", INT64_C(1600000000000));
    append(&buf, "u2", INT64_C(1600000000000));
    struct eddy_source *source =
        open_text(buf.data, buf.size - 3, EDDY_SOURCE_AUTO, &err);
    if (!CHECK(source))
        return;
    CHECK_INT(eddy_source_format(source), EDDY_SOURCE_CANONICAL);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(is(event.user, "u1"));
    CHECK_INT(eddy_source_next(source, &event, &err), EDDY_EFORMAT);
    eddy_source_close(source);
    eddy_buf_fini(&buf);
}

static void a_mark_leads_back_and_a_shift_moves_times(void)
{
    struct eddy_err err = {0};
    struct eddy_event event;
    struct eddy_source *source = open_text(csv, sizeof csv - 1, EDDY_SOURCE_CSV, &err);
    if (!CHECK(source))
        return;
    CHECK(eddy_source_is_file(source));
    CHECK_INT(eddy_source_estimate(source), 8);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    struct eddy_source_mark mark = eddy_source_last(source);
    CHECK_INT(mark.line, 2);
    while (eddy_source_next(source, &event, &err) != 0)
        ;
    eddy_source_seek(source, mark);
    eddy_source_shift(source, 5);
    CHECK_INT(eddy_source_next(source, &event, &err), 1);
    CHECK(is(event.user, "u1"));
    CHECK_INT(event.ts_ms, INT64_C(1600000000005));
    eddy_source_close(source);
}

/* Rows longer and shorter than what one read returns, in pieces, through a pipe. */
static void a_pipe_gives_what_the_file_gives(void)
{
    enum { ROWS = 20000 };
    char name[64];
    struct eddy_err err = {0};
    struct eddy_event event;
    FILE *file = fopen(path, "wb");
    (void)fputs("USER_ID,ITEM_ID,TIMESTAMP,NOTE\n", file);
    for (int i = 0; i < ROWS; i++) {
        (void)fprintf(file, "u%d,i%d,%d,\"", i, i, 1600000000 + i);
        for (int k = 0; k < i % 97; k++)
            (void)fputs(k % 7 ? "x" : "\n", file);
        (void)fputs("\"\n", file);
    }
    CHECK_INT(fclose(file), 0);
    int saved = dup(0);
    (void)snprintf(name, sizeof name, "cat %s", path);
    FILE *pipe = popen(name, "r");
    (void)dup2(fileno(pipe), 0);
    struct eddy_source *source = NULL;
    CHECK_INT(eddy_source_open("-", EDDY_SOURCE_AUTO, &source, &err), 0);
    int count = 0;
    while (source && eddy_source_next(source, &event, &err) == 1) {
        (void)snprintf(name, sizeof name, "u%d", count);
        if (!CHECK(is(event.user, name)))
            break;
        count++;
    }
    CHECK_INT(count, ROWS);
    CHECK(!source || !eddy_source_is_file(source));
    eddy_source_close(source);
    (void)dup2(saved, 0);
    (void)close(saved);
    (void)pclose(pipe);
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    (void)close(fd);
    RUN(csv_rows_become_events_and_bad_ones_have_a_place);
    RUN(a_header_without_a_needed_column_is_refused);
    RUN(impressions_with_empty_ids_are_bad_events);
    RUN(json_lines_are_read_and_bad_ones_passed);
    RUN(canonical_records_are_read_and_a_cut_one_ends_it);
    RUN(a_mark_leads_back_and_a_shift_moves_times);
    RUN(a_pipe_gives_what_the_file_gives);
    (void)unlink(path);
    return check_done();
}
