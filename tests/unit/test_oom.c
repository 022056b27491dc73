/* Out of memory at every allocation of base and of the configuration file: refused with
 * EDDY_ENOMEM, nothing leaked (asan), nothing half done. */
#include <unistd.h>

#include "base/conf.h"
#include "base/hash.h"
#include "base/metric.h"
#include "base/thread.h"
#include "io/http.h"
#include "io/yaml.h"
#include "torture.h"

struct values {
    char *text;
    char *secret;
    int64_t number;
    struct eddy_pairs pass;
};
static const struct eddy_option rows[] = {
    {"a.text", EDDY_OPTION_TEXT, offsetof(struct values, text), "t", 0, 0, NULL, 0,
     "T."},
    {"a.secret", EDDY_OPTION_TEXT, offsetof(struct values, secret), "", 0, 0, NULL,
     EDDY_OPTION_SECRET, "S."},
    {"a.number", EDDY_OPTION_INT, offsetof(struct values, number), "1", 0, 9, NULL, 0,
     "N."},
    {"pass", EDDY_OPTION_PASS, offsetof(struct values, pass), NULL, 0, 0, NULL, 0,
     "P."},
};
static struct values values;
static const struct eddy_option_group group = {"All", rows, 4, &values};
static struct eddy_err err;
static char path[] = "/tmp/eddy-oom-XXXXXX";

static bool configuration_is_made(void)
{
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    if (!conf) {
        CHECK_INT(err.code, EDDY_ENOMEM);
        CHECK(values.text == NULL || values.text[0] == 't');
    }
    eddy_conf_free(conf);
    return conf != NULL;
}

static bool options_are_set(void)
{
    static const char *const environment[] = {"EDDY_A_TEXT=e", "EDDY_PASS_Q_R=e", NULL};
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    bool good =
        conf &&
        torture_made(
            eddy_conf_set(conf, "a.text", "new", EDDY_FROM_FILE, "f:1", &err)) &&
        torture_made(
            eddy_conf_set(conf, "a.secret_file", path, EDDY_FROM_FILE, "f:2", &err)) &&
        torture_made(
            eddy_conf_set(conf, "pass.x.y", "1", EDDY_FROM_FILE, "f:3", &err)) &&
        torture_made(
            eddy_conf_set(conf, "pass.x.y", "2", EDDY_FROM_FILE, "f:4", &err)) &&
        torture_made(eddy_conf_set(conf, "pass.z", "3", EDDY_FROM_FILE, "f:5", &err)) &&
        torture_made(eddy_conf_set_environment(conf, (char *const *)environment, &err));
    if (good) {
        CHECK_STR(values.text, "e");
        CHECK_INT(values.pass.count, 3);
        CHECK_STR(values.pass.values[0], "2");
        CHECK_STR(values.pass.names[2], "q.r");
    }
    eddy_conf_free(conf);
    return good;
}

static bool file_is_loaded(void)
{
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    bool good = conf && torture_made(eddy_yaml_load(path, conf, &err));
    if (good) {
        CHECK_STR(values.text, "x,y");
        CHECK_INT(values.number, 7);
    }
    eddy_conf_free(conf);
    return good;
}

static bool configuration_is_printed(void)
{
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    struct eddy_buf out;
    eddy_buf_init(&out, 0);
    bool good = conf && torture_made(eddy_conf_set(conf, "pass.z", "3", EDDY_FROM_FILE,
                                                   "f:5", &err));
    if (good) {
        eddy_conf_print(conf, &out);
        eddy_conf_print_json(conf, &out);
        eddy_conf_print_example(conf, &out);
        eddy_conf_print_reference(conf, &out);
        good = !out.failed;
    }
    eddy_buf_fini(&out);
    eddy_conf_free(conf);
    return good;
}

static bool map_holds_a_thousand(void)
{
    struct eddy_map map;
    bool good = torture_made(eddy_map_init(&map, 10));
    for (uint32_t i = 0; good && i < 1000; i++) {
        uint32_t count = map.count;
        good = torture_made(eddy_map_put(&map, i + 1, i));
        CHECK_INT(map.count, good ? count + 1 : count);
        CHECK_INT(eddy_map_get(&map, 1), i == 0 && !good ? EDDY_MAP_NONE : 0);
    }
    eddy_map_fini(&map);
    return good;
}

static bool buffer_is_filled(void)
{
    struct eddy_buf buf;
    eddy_buf_init(&buf, 0);
    for (int i = 0; i < 100; i++) {
        eddy_buf_puts(&buf, "0123456789");
        eddy_buf_printf(&buf, "%0100d", i);
        eddy_buf_put_json_string(&buf, eddy_span_of("a\nb"));
    }
    bool good = !buf.failed;
    CHECK(!good || buf.size == 100 * (10 + 100 + 6));
    eddy_buf_fini(&buf);
    return good;
}

static bool metrics_are_made(void)
{
    struct eddy_metrics *metrics = eddy_metrics_new();
    eddy_metrics_free(metrics);
    return metrics != NULL;
}

static void a_lag_series_without_memory_is_missing_and_comes_later(void)
{
    struct eddy_metrics *metrics = eddy_metrics_new();
    struct eddy_buf out;
    eddy_buf_init(&out, 0);
    torture_arm(0);
    eddy_metric_set_lag(metrics, "t", 1, 5, 0);
    CHECK(atomic_load(&torture_hit));
    torture_arm(-1);
    eddy_metric_drop_lag(metrics, "t", 1);
    eddy_metric_set_lag(metrics, "t", 1, 5, 0);
    eddy_metrics_print(&out);
    CHECK(strstr(out.data, "lag_messages{topic=\"t\",partition=\"1\"} 5\n") != NULL);
    eddy_metrics_free(metrics);
    eddy_buf_fini(&out);
}

static void *answer(void *argument)
{
    return argument;
}

static bool thread_is_started(void)
{
    pthread_t thread;
    bool good = torture_made(
        eddy_thread_start(&thread, EDDY_ROLE_NONE, "t", answer, NULL, &err));
    if (good) {
        (void)pthread_join(thread, NULL);
    }
    return good;
}

static void ok(void *context, const struct eddy_http_request *request,
               struct eddy_http_response *response)
{
    (void)context;
    (void)request;
    eddy_http_text(response, 200, "ok");
}

static bool server_is_started(void)
{
    static const struct eddy_http_route route = {"GET", "/", ok, NULL};
    struct eddy_http *http = NULL;
    bool good =
        torture_made(eddy_http_start("127.0.0.1:0", &route, 1, NULL, &http, &err));
    eddy_http_stop(http);
    return good;
}

static void whatever_is_made_can_be_refused(void)
{
    TORTURE(configuration_is_made);
    TORTURE(options_are_set);
    TORTURE(file_is_loaded);
    TORTURE(map_holds_a_thousand);
    TORTURE(buffer_is_filled);
    TORTURE(metrics_are_made);
    TORTURE(thread_is_started);
    TORTURE(server_is_started);
}

static void printing_reports_what_is_missing(void)
{
    TORTURE(configuration_is_printed);
}

int main(void)
{
    static const char text[] = "a:\n  text: [x, y]\n  number: 7\npass: {b.c: d}\n";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, text, sizeof text - 1) != sizeof text - 1) {
        return 1;
    }
    (void)close(fd);
    RUN(whatever_is_made_can_be_refused);
    RUN(printing_reports_what_is_missing);
    RUN(a_lag_series_without_memory_is_missing_and_comes_later);
    (void)unlink(path);
    return check_done();
}
