/* eddy replay: the events topic folded from its beginning in memory, by the same path as a
 * worker, and what comes out as digests.
 *
 * "State is a function of the log prefix" becomes a number that two machines can compare:
 * a digest covers, per partition, the position and every user's state and list, byte for
 * byte. --compare sets it against what stands in Redis and names the users that differ. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/option_rows.h"
#include "app/progress.h"
#include "app/replay_compare.h"
#include "app/settings.h"
#include "app/tools.h"
#include "base/hash.h"
#include "core/kernel.h"
#include "engine/meta.h"
#include "engine/replay.h"
#include "io/kafka.h"

struct options {
    struct eddy_settings settings;
    bool live, compare, json, quiet;
    int64_t show;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    EDDY_SETTINGS_ROWS(struct options),
    {.name = "live", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, live),
     .help = "Digest of what stands in Redis, without reading the log."},
    {.name = "compare", .type = EDDY_ARG_FLAG, .offset = offsetof(struct options, compare),
     .help = "Both, and the users that differ; exit code 1 if there are any."},
    {.name = "show", .type = EDDY_ARG_INT, .offset = offsetof(struct options, show), .min = 0, .max = 1e6,
     .value = "N", .help = "Name the first N differing users (default 5)."},
    EDDY_JSON_ROW(struct options),
    EDDY_QUIET_ROW(struct options),
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "replay",
    .usage = "-c FILE [--live | --compare] [--json]",
    .about =
        "Folds the events topic from its beginning with the store in memory and prints a\n"
        "digest per partition and one of all. The same log and the same snapshots give\n"
        "the same digests, on any machine. model.initial and the snapshots that the log\n"
        "names have to be in model.folder.\n"
        "\n"
        "--live and --compare read Redis while workers may be writing: stop the load and\n"
        "wait until `eddy inspect offset` shows no lag.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy replay -c eddy.yaml\n"
                "  eddy replay -c eddy.yaml --live\n"
                "  eddy replay -c eddy.yaml --compare --show 20",
};

/* ---- the log --------------------------------------------------------------------- */

/* Records from Kafka, copied into a ring: the path borrows them for a whole turn. */
struct feed {
    struct eddy_reader *reader;
    struct eddy_progress progress;
    struct eddy_buf ring[EDDY_REPLAY_KEEP + 1];
    uint64_t count;
};

static int feed_next(void *context, struct eddy_record *ret, struct eddy_err *err)
{
    struct feed *feed = context;
    struct eddy_record record;
    int r = eddy_reader_next(feed->reader, 30000, &record, err);
    if (r <= 0)
        return r;
    struct eddy_buf *buf = &feed->ring[feed->count++ % (EDDY_REPLAY_KEEP + 1)];
    eddy_buf_clear(buf);
    eddy_buf_put(buf, record.key.data, record.key.size);
    eddy_buf_put(buf, record.payload.data, record.payload.size);
    if (buf->failed)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    record.headers = NULL;
    if (record.key.data)
        record.key.data = buf->data;
    if (record.payload.data)
        record.payload.data = buf->data ? buf->data + record.key.size : "";
    *ret = record;
    eddy_progress_update(&feed->progress, feed->count, "");
    return 1;
}

struct replay {
    const struct options *options;
    struct eddy_config *config;
    struct eddy_registry *registry;
    struct eddy_arena *arena;
    struct eddy_memory *memory;
    struct eddy_store *folded, *live;
    uint32_t partitions;
    uint64_t records;
    struct eddy_digest *folded_digests, *live_digests;
};

static int fold(struct replay *replay, struct eddy_err *err)
{
    const struct eddy_config *config = replay->config;
    struct eddy_meta meta = eddy_meta_of(config, 0);
    bool found = false;
    /* What the deployment began on counts, not what the file says today; a fold on its own
     * asks no Redis and takes the file. */
    int r = replay->live ? eddy_meta_read(replay->live, &meta, &found, err) : 0;
    if (r < 0)
        return r;
    struct eddy_path_options path = {.prefix = config->group,
                                     .cache_users =
                                         (uint32_t)config->worker.cache_users,
                                     .outbox_max = (uint32_t)config->worker.outbox_max,
                                     .initial_policy = meta.policy};
    struct feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    memcpy(path.initial_snapshot, meta.initial, sizeof path.initial_snapshot);
    r = eddy_reader_open(&config->kafka, config->kafka.events, EDDY_READ_ALL,
                         EDDY_READ_FROM_START, false, &feed->reader, err);
    if (r == 0) {
        replay->partitions = path.partitions = eddy_reader_partitions(feed->reader);
        eddy_progress_init(&feed->progress, "folding", "records",
                           eddy_reader_total(feed->reader), replay->options->quiet);
        r = eddy_replay(&path, replay->registry, feed_next, feed, &replay->memory,
                        &replay->folded, err);
        eddy_progress_clear(&feed->progress);
        replay->records = feed->count;
    }
    eddy_reader_close(feed->reader);
    for (size_t i = 0; i <= EDDY_REPLAY_KEEP; i++)
        eddy_buf_fini(&feed->ring[i]);
    free(feed);
    return r;
}

/* ---- digests --------------------------------------------------------------------- */

static int digest_all(struct eddy_store *store, uint32_t partitions,
                      struct eddy_digest **ret, struct eddy_err *err)
{
    struct eddy_digest *digests = calloc((size_t)partitions + 1, sizeof *digests);
    int r = digests ? 0 : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    for (uint32_t p = 0; p < partitions && r == 0; p++)
        r = eddy_digest_partition(store, p, &digests[p], err);
    if (r == 0)
        eddy_digest_all(digests, partitions, &digests[partitions]);
    *ret = digests;
    return r;
}

static void print_digest(const struct replay *replay, const char *source,
                         const char *name, const struct eddy_digest *digest)
{
    char hex[65];
    eddy_hex(digest->sha256, 32, hex);
    if (replay->options->json)
        (void)printf("{\"source\":\"%s\",\"partition\":\"%s\",\"offset\":%" PRIu64
                     ",\"users\":%" PRIu64 ",\"lists\":%" PRIu64
                     ",\"digest\":\"%s\"}\n",
                     source, name, digest->offset, digest->users, digest->lists, hex);
    else
        (void)printf("%-6s %9s  %12" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "  %s\n",
                     source, name, digest->offset, digest->users, digest->lists, hex);
}

static void print_digests(const struct replay *replay, const char *source,
                          const struct eddy_digest *digests)
{
    if (!replay->options->json)
        (void)printf("source partition        offset      users      lists  digest\n");
    for (uint32_t p = 0; p < replay->partitions; p++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%u", p);
        print_digest(replay, source, name, &digests[p]);
    }
    print_digest(replay, source, "all", &digests[replay->partitions]);
}

static int digest_log(struct replay *replay, struct eddy_err *err)
{
    int r = fold(replay, err);
    if (r == 0)
        r = digest_all(replay->folded, replay->partitions, &replay->folded_digests,
                       err);
    if (r == 0)
        print_digests(replay, "log", replay->folded_digests);
    return r;
}

static int digest_live(struct replay *replay, struct eddy_err *err)
{
    uint32_t stored = 0;
    int r = eddy_tool_partitions(replay->live, &stored, err);
    if (r < 0)
        return r;
    if (replay->partitions && stored != replay->partitions)
        return eddy_fail(err, EDDY_ECONFIG,
                         "Redis holds states of %u partitions, topic %s has %u", stored,
                         replay->config->kafka.events, replay->partitions);
    replay->partitions = stored;
    r = digest_all(replay->live, stored, &replay->live_digests, err);
    if (r == 0)
        print_digests(replay, "redis", replay->live_digests);
    return r;
}

/* Users of the partitions whose digests differ. */
static int compare(struct replay *replay, uint64_t *ret_differing, struct eddy_err *err)
{
    *ret_differing = 0;
    for (uint32_t p = 0; p < replay->partitions; p++) {
        const struct eddy_digest *log = &replay->folded_digests[p];
        const struct eddy_digest *live = &replay->live_digests[p];
        if (log->offset == live->offset && memcmp(log->sha256, live->sha256, 32) == 0)
            continue;
        struct eddy_compare wanted = {.partition = p,
                                      .folded = replay->folded,
                                      .live = replay->live,
                                      .shown = *ret_differing,
                                      .show_max = (uint64_t)replay->options->show};
        if (log->offset != live->offset)
            (void)fprintf(stderr,
                          "partition %u: Redis stands at offset %" PRIu64
                          ", the log was folded up to %" PRIu64 "%s\n",
                          p, live->offset, log->offset,
                          live->offset < log->offset ? " (do workers lag?)" : "");
        int r = eddy_compare_partition(&wanted, err);
        if (r < 0)
            return r;
        *ret_differing += wanted.differing > 0 ? wanted.differing : 1;
    }
    return 0;
}

static int run(struct replay *replay, uint64_t *ret_differing, struct eddy_err *err)
{
    const struct options *options = replay->options;
    int r = 0;
    replay->registry =
        eddy_registry_new(replay->config->model.folder, eddy_kernels_get());
    replay->arena = eddy_arena_new(1 << 16, 1 << 26);
    if (!replay->registry || !replay->arena)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (options->live || options->compare) {
        replay->live = eddy_tool_store(replay->config, "replay", err);
        if (!replay->live)
            return EDDY_ENOMEM;
    }
    if (!options->live || options->compare)
        r = digest_log(replay, err);
    if (r == 0 && (options->live || options->compare))
        r = digest_live(replay, err);
    if (r == 0 && options->compare)
        r = compare(replay, ret_differing, err);
    if (r == 0 && options->compare && options->json)
        (void)printf("{\"differing\":%" PRIu64 "}\n", *ret_differing);
    else if (r == 0 && options->compare)
        (void)printf(*ret_differing ? "DIFFERENT\n" : "equal, byte for byte\n");
    return r;
}

int eddy_cmd_replay(int argc, char **argv)
{
    struct options options = {.show = 5};
    struct eddy_err err = {0};
    uint64_t differing = 0;
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, NULL, &code))
        return code;
    struct replay replay = {.options = &options};
    replay.config = eddy_settings_load(&options.settings, &err);
    if (replay.config)
        (void)run(&replay, &differing, &err);
    eddy_store_close(replay.folded);
    eddy_store_close(replay.live);
    eddy_memory_free(replay.memory);
    eddy_registry_free(replay.registry);
    eddy_arena_free(replay.arena);
    eddy_config_free(replay.config);
    free(replay.folded_digests);
    free(replay.live_digests);
    if (err.code)
        return eddy_app_fail("replay", &err);
    return differing ? EDDY_EXIT_FAILED : EDDY_EXIT_OK;
}
