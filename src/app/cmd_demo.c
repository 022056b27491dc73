/* `eddy demo`: everything in one process and two children, no Kafka, no network.
 *
 *   folder  a temporary one: redis socket, snapshots
 *   broker  librdkafka's mock cluster, a process of its own; partitions assigned by hand
 *   redis   redis-server on a unix socket
 *   train   a model from the generated past (or from the user's own data)
 *   stream  clicks at a rate through the real path: producer -> topic -> worker -> Redis ->
 *           list topic; this thread sends, watches the list topic and draws
 *   check   after the last click the log is read again (demo_check.c): exits 0 only if
 *           every list stands where it should and says what it should
 *
 * Whatever happens, the teardown at the end of eddy_cmd_demo runs in reverse order. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/args.h"
#include "app/blas_core.h"
#include "app/demo.h"
#include "app/demo_view.h"
#include "app/model.h"
#include "app/progress.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "core/train.h"

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked++;
}

static const struct eddy_arg rows[] = {
    /* clang-format off */
    {.name = "seconds", .letter = 's', .type = EDDY_ARG_FLOAT, .offset = offsetof(struct eddy_demo_options, seconds),
     .value = "N", .help = "Stream for N seconds, check, print the summary, end. Default: until Ctrl-C on a terminal, 20 without one.", .min = 1, .max = 86400},
    {.name = "rate", .letter = 'r', .type = EDDY_ARG_INT, .offset = offsetof(struct eddy_demo_options, rate),
     .value = "N", .help = "Clicks per second. Default 200.", .min = 1, .max = 20000},
    {.name = "interactions", .letter = 'i', .type = EDDY_ARG_TEXT, .offset = offsetof(struct eddy_demo_options, interactions),
     .value = "FILE", .help = "Your own clicks (CSV: USER_ID,ITEM_ID,TIMESTAMP[,EVENT_TYPE,EVENT_VALUE]): the older 90 % are learnt, the rest is played."},
    {.name = "items", .letter = 'I', .type = EDDY_ARG_TEXT, .offset = offsetof(struct eddy_demo_options, items),
     .value = "FILE", .help = "Your own items (CSV: ITEM_ID[,TITLE,GENRE,...]): names for the live view."},
    {.name = "listen", .letter = 'l', .type = EDDY_ARG_TEXT, .offset = offsetof(struct eddy_demo_options, listen),
     .value = "ADDR", .help = "Serve HTTP meanwhile, e.g. 127.0.0.1:8080: /v1/lists/user-0001, /metrics, /readyz."},
    {.name = "seed", .type = EDDY_ARG_INT, .offset = offsetof(struct eddy_demo_options, seed),
     .value = "N", .help = "Another generated world. Default 1.", .min = 0, .max = 1e15},
    {.name = "plain", .type = EDDY_ARG_FLAG, .offset = offsetof(struct eddy_demo_options, plain),
     .help = "Plain lines even on a terminal."},
    /* clang-format on */
};

static const struct eddy_args args = {
    .command = "demo",
    .usage = "[--seconds N] [--rate N] [--interactions FILE [--items FILE]]",
    .about =
        "Lists that follow clicks, on this machine, in half a minute: a mock Kafka broker\n"
        "and a redis-server are started in a temporary folder, a catalogue and its users\n"
        "are generated, a model is trained, then users click and their lists in Redis\n"
        "follow. At the end the log is read again and every list is checked against it;\n"
        "the exit code is 0 only if all of them followed. Nothing is left behind.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy demo\n"
                "  eddy demo --seconds 10\n"
                "  eddy demo --interactions ratings.csv --items movies.csv\n",
};

/* ---- preparation ------------------------------------------------------------------ */

struct training {
    struct eddy_progress progress;
    uint64_t deadline_ns;
};

static bool on_training(void *context, const struct eddy_train_progress *state)
{
    struct training *training = context;
    char note[96];
    double done = state->epoch - 1 + state->fraction;
    (void)snprintf(note, sizeof note, "epoch %u, loss %.3f", state->epoch, state->loss);
    eddy_progress_update(&training->progress, (uint64_t)(done * 1000), note);
    return !stop_asked && eddy_monotonic_ns() < training->deadline_ns;
}

static int save_model(struct eddy_demo *demo, const struct eddy_model_source *source,
                      const struct eddy_build_result *result, struct eddy_err *err)
{
    char folder[256], place[256];
    /* The registry finds a model by its version, which is known only afterwards. */
    (void)snprintf(folder, sizeof folder, "%s/models/new", demo->folder);
    int code = eddy_model_save(folder, source, result, demo->version, err);
    (void)snprintf(place, sizeof place, "%s/models/%s", demo->folder, demo->version);
    if (code == 0 && rename(folder, place) != 0)
        code = eddy_fail(err, EDDY_EIO, "%s: %s", place, strerror(errno));
    return code;
}

static int train(struct eddy_demo *demo, struct eddy_err *err)
{
    const struct eddy_recipe *recipe = eddy_recipe_find("aws-user-personalization");
    struct eddy_recipe_options settings;
    struct eddy_interactions data = {0};
    struct eddy_interactions_options how = {.items = demo->stream.catalog};
    int code = eddy_recipe_options_init(&settings, recipe, false, err);
    if (code < 0)
        return code;
    code = eddy_interactions_parse(eddy_buf_span(&demo->stream.training),
                                   demo->options.interactions ? "training part"
                                                              : "generated history",
                                   &how, &data, err);
    if (code < 0)
        return code;
    struct eddy_train_options *options = &settings.train;
    options->hidden_dimension = 64;
    options->layers = 1;
    options->epochs = 8;
    options->history_events = 100;
    options->learning_rate = 0.003;
    options->allow_small = true;
    options->threads = 2;
    options->seed = (uint64_t)demo->options.seed;
    uint64_t begin_ns = eddy_monotonic_ns(), cpu_ns = eddy_process_cpu_ns();
    struct training training = {.deadline_ns = begin_ns + 15ull * 1000000000};
    eddy_progress_init(&training.progress, "training", "steps",
                       (uint64_t)options->epochs * 1000, false);
    struct eddy_build_result result = {.head = eddy_head_plain};
    code = eddy_train(&data, options, on_training, &training, &result.network, err);
    eddy_progress_clear(&training.progress);
    demo->train_seconds = (double)(eddy_monotonic_ns() - begin_ns) * 1e-9;
    demo->train_events = data.count;
    demo->train_hit = result.network.best_hr;
    struct eddy_model_source source = {
        .recipe = recipe,
        .options = &settings,
        .interactions = &data,
        .items = demo->stream.catalog,
        .seconds = demo->train_seconds,
        .cpu_seconds = (double)(eddy_process_cpu_ns() - cpu_ns) * 1e-9,
    };
    if (code == 0 && stop_asked)
        code = eddy_fail(err, EDDY_EFATAL, "interrupted");
    if (code == 0)
        code = save_model(demo, &source, &result, err);
    eddy_train_result_fini(&result.network);
    eddy_interactions_fini(&data);
    return code;
}

/* ---- the running system ----------------------------------------------------------- */

static int configure(struct eddy_demo *demo, const char *broker, const char *redis,
                     struct eddy_err *err)
{
    char models[128];
    (void)snprintf(models, sizeof models, "%s/models", demo->folder);
    const char *const settings[][2] = {
        {"group", EDDY_DEMO_PREFIX},
        {"kafka.brokers", broker},
        {"kafka.assignment", "all"},
        {"kafka.fetch.wait.max.ms", "10"}, /* the mock does not wake a waiting fetch */
        {"redis.address", redis},
        {"model.folder", models},
        {"model.initial", demo->version},
        {"list.exclude_recent", "true"}, /* a page that was just read is no news */
        {"worker.threads", "1"},
        {"http.listen", demo->options.listen ? demo->options.listen : ""},
    };
    demo->config = eddy_config_new(err);
    if (!demo->config)
        return err->code;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        int code =
            eddy_config_set(demo->config, settings[i][0], settings[i][1], "demo", err);
        if (code < 0)
            return code;
    }
    return eddy_config_finish(demo->config, err);
}

static int wait_ready(struct eddy_demo *demo, struct eddy_err *err)
{
    struct eddy_health_check checks[EDDY_HEALTH_COUNT];
    for (int i = 0; i < 1500 && !stop_asked; i++) {
        if (eddy_supervisor_health(demo->supervisor, checks))
            return 0;
        (void)poll(NULL, 0, 10);
    }
    for (int i = 0; i < EDDY_HEALTH_COUNT; i++)
        if (!checks[i].ok)
            return eddy_fail(err, EDDY_EFATAL, "not ready: %s: %.200s", checks[i].name,
                             checks[i].text);
    return stop_asked ? eddy_fail(err, EDDY_EFATAL, "interrupted") : 0;
}

static int prepare(struct eddy_demo *demo, struct eddy_err *err)
{
    char broker[64] = "";
    (void)snprintf(demo->folder, sizeof demo->folder, "%s/eddy-demo-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(demo->folder)) {
        demo->folder[0] = '\0';
        return eddy_fail(err, EDDY_EIO, "no temporary folder can be made in %s",
                         getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    }
    int code = eddy_child_redis_start(&demo->redis, err);
    if (code == 0)
        code = eddy_child_broker_start(&demo->broker, EDDY_DEMO_PREFIX,
                                       EDDY_DEMO_PARTITIONS, broker, err);
    if (code == 0 && demo->options.interactions)
        code = eddy_demo_stream_own(&demo->stream, demo->options.interactions,
                                    demo->options.items, err);
    else if (code == 0)
        code =
            eddy_demo_stream_world(&demo->stream, 3000, 300, demo->options.seed, err);
    if (code == 0)
        code = train(demo, err);
    if (code == 0)
        code = configure(demo, broker, eddy_child_redis_address(demo->redis), err);
    if (code < 0)
        return code;
    printf("trained on %llu events in %.1f s (validation hit rate@10 %.3f); model %s\n",
           (unsigned long long)demo->train_events, demo->train_seconds, demo->train_hit,
           demo->version);
    (void)fflush(stdout);
    demo->registry = eddy_registry_new(demo->config->model.folder, eddy_kernels_get());
    if (!demo->registry)
        return eddy_fail(err, EDDY_ENOMEM, "no memory");
    if (demo->options.listen)
        code = eddy_service_start(demo->config, demo->registry, &demo->service, err);
    if (code == 0)
        code = eddy_supervisor_start(demo->config, demo->registry, NULL, NULL,
                                     &demo->supervisor, err);
    if (code == 0 && demo->service)
        eddy_service_set_supervisor(demo->service, demo->supervisor);
    if (code == 0)
        code = wait_ready(demo, err);
    if (code == 0)
        code =
            eddy_producer_open(&demo->config->kafka, "eddy-demo", &demo->producer, err);
    if (code == 0)
        code = eddy_reader_open(&demo->config->kafka, demo->config->kafka.lists,
                                EDDY_READ_ALL, EDDY_READ_FROM_START, true,
                                &demo->lists_reader, err);
    return code;
}

static void teardown(struct eddy_demo *demo)
{
    struct eddy_err ignored = {0};
    eddy_reader_close(demo->lists_reader);
    eddy_producer_close(demo->producer);
    eddy_service_stop(demo->service);
    if (demo->supervisor) {
        eddy_supervisor_stop(demo->supervisor);
        (void)eddy_supervisor_join(demo->supervisor, &ignored); /* it ends either way */
    }
    eddy_registry_free(demo->registry);
    eddy_child_broker_stop(&demo->broker);
    eddy_child_redis_stop(demo->redis);
    eddy_config_free(demo->config);
    eddy_demo_stream_fini(&demo->stream);
    if (demo->folder[0])
        (void)eddy_remove_folder(demo->folder, &ignored); /* a temporary folder */
}

/* ---- streaming -------------------------------------------------------------------- */

static int send_click(struct eddy_demo *demo, const struct eddy_demo_click *click,
                      struct eddy_err *err)
{
    struct eddy_demo_user *user = &demo->stream.users[click->user];
    struct eddy_event event = {
        .kind = EDDY_KIND_EVENT,
        .user = eddy_span_of(user->id),
        .item = eddy_catalog_id(demo->stream.catalog, click->item),
        .type = eddy_span_of(click->type),
        .ts_ms = click->ts_ms,
    };
    int code = eddy_event_check(&event, err);
    if (code < 0)
        return code;
    eddy_buf_clear(&demo->payload);
    eddy_event_encode(&event, &demo->payload);
    user->sent++;
    demo->sent++;
    return eddy_producer_send(demo->producer, demo->config->kafka.events, -1,
                              event.user, eddy_buf_span(&demo->payload), 0, 5000, err);
}

/* Would a storefront that asked just now have shown the next click? */
static void judge_click(struct eddy_demo *demo, const struct eddy_demo_click *click)
{
    const struct eddy_demo_user *user = &demo->stream.users[click->user];
    if (user->list_count == 0)
        return;
    demo->judged++;
    for (uint32_t i = 0; i < user->list_count; i++)
        demo->hits += user->list[i] == click->item;
    for (uint32_t i = 0; i < demo->default_count; i++)
        demo->default_hits += demo->default_list[i] == click->item;
}

static int send_past(struct eddy_demo *demo, struct eddy_err *err)
{
    uint64_t past = eddy_demo_stream_past(&demo->stream);
    struct eddy_progress progress;
    eddy_progress_init(&progress, "loading the users' past", "events", past, false);
    for (uint64_t i = 0; i < past && !stop_asked; i++) {
        struct eddy_demo_click click;
        if (!eddy_demo_stream_next(&demo->stream, eddy_now_ms(), &click))
            break;
        int code = send_click(demo, &click, err);
        if (code < 0)
            return code;
        eddy_progress_update(&progress, i, "");
    }
    eddy_progress_clear(&progress);
    /* One click ahead of the others: a new idempotent producer holds its first records back
     * until the broker has numbered it, and that is not what the figures are about. */
    struct eddy_demo_click first;
    int code = eddy_demo_stream_next(&demo->stream, eddy_now_ms(), &first)
                   ? send_click(demo, &first, err)
                   : 0;
    if (code == 0)
        code = eddy_producer_flush(demo->producer, 10000, err);
    for (int i = 0; code == 0 && i < 600 && !stop_asked; i++) {
        if (eddy_metric_total(EDDY_M_EVENTS_RECEIVED) >= demo->sent)
            break;
        code = eddy_demo_watch(demo, 50, err);
    }
    eddy_metric_sum_histogram(EDDY_M_EVENT_TO_LIST, &demo->before);
    demo->past_sent = demo->shown_sent = demo->sent;
    demo->past_lists = demo->shown_lists = demo->lists_seen;
    return code;
}

static bool wants_ansi(const struct eddy_demo *demo)
{
    const char *term = getenv("TERM");
    return !demo->options.plain && isatty(1) && term && strcmp(term, "dumb") != 0;
}

static void draw(struct eddy_demo *demo, double seconds, bool ansi)
{
    struct eddy_view_frame frame;
    eddy_demo_frame(demo, seconds, &frame);
    if (!ansi) {
        printf(
            "%4.0f s  %.0f events/s  %.0f lists/s  click to list p50 %.1f ms p99 %.1f "
            "ms",
            seconds, frame.events_per_s, frame.lists_per_s, frame.fresh_p50_ms,
            frame.fresh_p99_ms);
        if (frame.agreement >= 0)
            printf("  lists in the genre clicked %.0f %% (others' %.0f %%)",
                   100 * frame.agreement, 100 * frame.chance);
        printf("\n");
        (void)fflush(stdout);
        return;
    }
    struct winsize size = {0};
    if (ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        size.ws_col = 100;
        size.ws_row = 40;
    }
    struct eddy_buf text;
    eddy_buf_init(&text, 0);
    eddy_buf_puts(&text, "\033[H");
    eddy_view_render(&frame, size.ws_col, size.ws_row, true, &text);
    if (!text.failed)
        (void)fwrite(text.data, 1, text.size, stdout);
    (void)fflush(stdout);
    eddy_buf_fini(&text);
}

static int stream(struct eddy_demo *demo, struct eddy_err *err)
{
    bool ansi = wants_ansi(demo), more = true;
    double limit_s = demo->options.seconds;
    uint64_t begin_ns = eddy_monotonic_ns(), drawn_ns = 0, sent = 0;
    if (ansi)
        printf("\033[?1049h\033[?25l"); /* alternate screen, no cursor */
    int code = 0;
    while (code == 0 && more && !stop_asked) {
        uint64_t now_ns = eddy_monotonic_ns();
        double seconds = (double)(now_ns - begin_ns) * 1e-9;
        if (limit_s > 0 && seconds >= limit_s)
            break;
        while (code == 0 && more &&
               (double)sent < seconds * (double)demo->options.rate) {
            struct eddy_demo_click click;
            more = eddy_demo_stream_next(&demo->stream, eddy_now_ms(), &click);
            if (!more)
                break;
            judge_click(demo, &click);
            code = send_click(demo, &click, err);
            sent++;
        }
        if (demo->service)
            eddy_service_beat(demo->service);
        if (code == 0)
            code = eddy_demo_watch(demo, 5, err);
        if (now_ns - drawn_ns > (ansi ? 400000000u : 2000000000u)) {
            draw(demo, seconds, ansi);
            drawn_ns = now_ns;
        }
    }
    demo->stream_seconds = (double)(eddy_monotonic_ns() - begin_ns) * 1e-9;
    if (ansi)
        printf("\033[?25h\033[?1049l");
    (void)fflush(stdout);
    return code;
}

int eddy_cmd_demo(int argc, char **argv)
{
    static struct eddy_demo demo; /* large; one per process */
    demo.options = (struct eddy_demo_options){.rate = 200, .seed = 1};
    int exit_code = EDDY_EXIT_OK;
    if (!eddy_args_parse(&args, argc, argv, &demo.options, NULL, &exit_code))
        return exit_code;
    if (demo.options.items && !demo.options.interactions)
        return eddy_args_fail("demo", "--items needs --interactions");
    if (demo.options.seconds <= 0 && !isatty(1))
        demo.options.seconds = 20;
    eddy_blas_core_ensure();
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    eddy_log_setup(2, EDDY_LOG_WARN, false);
    eddy_buf_init(&demo.payload, 0);
    struct eddy_err err = {0};
    int code = prepare(&demo, &err);
    if (code == 0)
        code = send_past(&demo, &err);
    if (code == 0)
        code = eddy_demo_default_list(&demo, &err);
    if (code == 0)
        code = stream(&demo, &err);
    struct eddy_demo_verdict verdict = {0};
    if (code == 0)
        code = eddy_demo_check(&demo, &verdict, &err);
    if (code < 0)
        exit_code = eddy_app_fail("demo", &err);
    else
        exit_code =
            eddy_demo_print_summary(&demo, &verdict) ? EDDY_EXIT_OK : EDDY_EXIT_FAILED;
    teardown(&demo);
    eddy_buf_fini(&demo.payload);
    return exit_code;
}
