/* eddy bench train: what an epoch of a shape costs on this machine.
 *
 * The log is drawn, not read: users with one taste each (a stretch of the catalogue), items
 * by a power law, so that lengths of histories and hot items are like those of real logs; a
 * seed gives the same log everywhere. The trainer is that of `eddy train`, without
 * validation, tables and head, which are not part of an epoch. Counted is CPU time of the
 * process over whole epochs; floating point operations are those of matrix products as the
 * trainer counts them, and beside their rate stands cblas_sgemm's of the same run, because
 * on a shared machine only their ratio means something. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/bench.h"
#include "app/blas_core.h"
#include "app/option_rows.h"
#include "app/recipe_options.h"
#include "app/train_report.h"
#include "base/clock.h"
#include "base/rng.h"

struct options {
    int64_t users, items, events, epochs, threads, seed;
    struct eddy_arg_list set;
    bool json, quiet;
};

/* clang-format off */
#define ROW(name_, field, min_, max_, help_)                                             \
    {.name = name_, .type = EDDY_ARG_INT, .offset = offsetof(struct options, field),     \
     .value = "N", .min = min_, .max = max_, .help = help_}
static const struct eddy_arg rows[] = {
    ROW("users", users, 25, 1e8, "Users of the drawn log (default 6040, as in MovieLens-1M)."),
    ROW("items", items, 2, 1e8, "Its items (default 3706)."),
    ROW("events", events, 1000, 4e9, "Its events, three per user at least (default 1000209)."),
    ROW("epochs", epochs, 1, 1000, "Epochs to measure (default 2)."),
    {.name = "set", .type = EDDY_ARG_LIST, .offset = offsetof(struct options, set), .value = "NAME=VALUE",
     .help = "A setting of training, as for eddy train: hidden_dimension, layers, cell, negatives, loss, ..."},
    EDDY_THREADS_ROW(struct options),
    EDDY_SEED_ROW(struct options, "Of the log and the training (default 1)."),
    EDDY_JSON_ROW(struct options),
    EDDY_QUIET_ROW(struct options),
};
/* clang-format on */

static const struct eddy_args args = {
    .command = "bench train",
    .usage = "[--users N] [--items N] [--events N] [--set NAME=VALUE] [--json]",
    .about =
        "Trains a network on a drawn log of a shape and prints what an epoch costs:\n"
        "events/s, CPU seconds, FLOP/s beside those of cblas_sgemm in the same run,\n"
        "memory. Build preset release for numbers that count.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples =
        "  eddy bench train --set hidden_dimension=128        MovieLens-1M's shape\n"
        "  eddy bench train --users 49000 --items 36824 --events 187000 --threads 1 \\\n"
        "      --set cell=plain_gru --set layers=1 --set hidden_dimension=224 \\\n"
        "      --set loss=bpr_max --set negatives=2048 --set batch_users=80\n",
};

struct bench {
    const struct options *options;
    const struct eddy_recipe *recipe;
    struct eddy_recipe_options settings;
    struct eddy_interactions interactions;
    struct eddy_train_report report;
    uint64_t wall_ns, cpu_ns; /* at the end of the last epoch */
    struct eddy_bench_training result;
};

/* ---- the log ---------------------------------------------------------------------- */

/* Events of a user: three, and of the rest a share that falls off exponentially. */
static uint64_t length_of(const struct options *options, struct eddy_rng *rng)
{
    double mean = (double)options->events / (double)options->users - 3;
    return 3 + (uint64_t)(mean > 0 ? -mean * log(1 - eddy_rng_unit(rng)) + 0.5 : 0);
}

/* Popular ones are few: the density falls with the cube of the place. */
static uint32_t item_of(const struct options *options, uint32_t taste,
                        struct eddy_rng *rng)
{
    uint32_t items = (uint32_t)options->items;
    double unit = eddy_rng_unit(rng);
    uint32_t place = (uint32_t)(unit * unit * unit * items);
    return eddy_rng_below(rng, 2) ? (taste + place) % items : place;
}

static void put_user(const struct options *options, uint32_t user, uint64_t count,
                     struct eddy_rng *rng, struct eddy_buf *csv)
{
    uint32_t taste = eddy_rng_below(rng, (uint32_t)options->items);
    uint64_t time = 1500000000 + eddy_rng_below(rng, 86400 * 300);
    for (uint64_t i = 0; i < count; i++) {
        eddy_buf_putc(csv, 'u');
        eddy_buf_put_u64(csv, user);
        eddy_buf_puts(csv, ",i");
        eddy_buf_put_u64(csv, item_of(options, taste, rng));
        eddy_buf_putc(csv, ',');
        eddy_buf_put_u64(csv, time);
        eddy_buf_putc(csv, '\n');
        time += 5 + eddy_rng_below(rng, eddy_rng_below(rng, 10) ? 300 : 86400);
    }
}

/* As many events as asked for: the last user has what is left, or one more each. */
static int draw_log(struct bench *bench, struct eddy_err *err)
{
    const struct options *options = bench->options;
    const struct eddy_interactions_options reading = {.no_hash = true};
    uint64_t left = (uint64_t)options->events;
    struct eddy_rng rng;
    struct eddy_buf csv;
    eddy_rng_seed(&rng, (uint64_t)options->seed);
    eddy_buf_init(&csv, 0);
    eddy_buf_puts(&csv, "USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t u = 0; u < options->users && !csv.failed; u++) {
        uint64_t others = (uint64_t)(options->users - u - 1) * 3;
        uint64_t most = left - others, count = length_of(options, &rng);
        count = others == 0 || count > most ? most : count;
        put_user(options, u, count, &rng, &csv);
        left -= count;
    }
    int r = csv.failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for the log")
                       : eddy_interactions_parse(eddy_buf_span(&csv), "the drawn log",
                                                 &reading, &bench->interactions, err);
    eddy_buf_fini(&csv);
    return r;
}

/* ---- training --------------------------------------------------------------------- */

static bool follow(void *context, const struct eddy_train_progress *now)
{
    struct bench *bench = context;
    struct eddy_bench_training *result = &bench->result;
    if (now->epoch_done) {
        uint64_t wall = eddy_monotonic_ns(), cpu = eddy_process_cpu_ns();
        double seconds = (double)(wall - bench->wall_ns) / 1e9;
        double cpu_seconds = (double)(cpu - bench->cpu_ns) / 1e9;
        result->seconds += seconds;
        result->cpu_seconds += cpu_seconds;
        if (result->epochs == 0 || cpu_seconds < result->best_cpu_seconds)
            result->best_cpu_seconds = cpu_seconds;
        if (result->epochs == 0 || seconds < result->best_seconds)
            result->best_seconds = seconds;
        result->epochs++;
        result->events = now->events;
        result->loss = now->loss;
        bench->wall_ns = wall;
        bench->cpu_ns = cpu;
    }
    return eddy_train_report_progress(&bench->report, now);
}

static int measure(struct bench *bench, struct eddy_err *err)
{
    const struct options *options = bench->options;
    struct eddy_bench_training *result = &bench->result;
    struct eddy_train_options *train = &bench->settings.train;
    struct eddy_train_result network;
    double seconds, cpu_seconds;

    train->epochs = options->epochs;
    train->patience = options->epochs;
    train->threads = options->threads;
    train->seed = (uint64_t)options->seed;
    train->validation_fraction = 0;
    train->refit = false;
    result->resident_begin = eddy_resident_bytes();
    eddy_train_report_start(&bench->report, options->quiet);
    bench->wall_ns = eddy_monotonic_ns();
    bench->cpu_ns = eddy_process_cpu_ns();
    int r = eddy_train(&bench->interactions, train, follow, bench, &network, err);
    eddy_train_report_stop(&bench->report, &seconds, &cpu_seconds);
    if (r < 0)
        return r;
    result->resident_peak = eddy_peak_resident_bytes();
    result->shape = network.layout.shape;
    result->users = eddy_catalog_count(bench->interactions.users);
    result->log_events = bench->interactions.count;
    result->threads = (uint32_t)options->threads;
    eddy_train_report_rates(&network, result->cpu_seconds, &result->flops_per_s,
                            &result->sgemm_flops_per_s);
    result->flops_per_epoch = network.flops / result->epochs;
    eddy_train_result_fini(&network);
    return 0;
}

/* EDDY_EUSAGE. */
static int read_settings(struct bench *bench, struct eddy_err *err)
{
    bench->recipe = eddy_recipe_find("aws-user-personalization");
    int r = eddy_recipe_options_init(&bench->settings, bench->recipe, false, err);
    return r < 0 ? r
                 : eddy_recipe_options_set(&bench->settings, bench->recipe, false,
                                           &bench->options->set, err);
}

int eddy_bench_train(int argc, char **argv)
{
    struct options options = {.users = 6040,
                              .items = 3706,
                              .events = 1000209,
                              .epochs = 2,
                              .threads = 2,
                              .seed = 1};
    struct bench bench = {.options = &options};
    struct eddy_err err = {0};
    int code = 0;
    if (!eddy_args_parse(&args, argc, argv, &options, NULL, &code))
        return code;
    if (options.events < 3 * options.users)
        return eddy_args_fail("bench train", "--events: three per user at least, %lld",
                              3 * (long long)options.users);
    if (read_settings(&bench, &err) < 0)
        return eddy_args_fail("bench train", "%s", err.text);
    eddy_blas_core_ensure();
    int r = draw_log(&bench, &err);
    if (r == 0)
        r = measure(&bench, &err);
    if (r == 0)
        eddy_bench_training_print(&bench.result, options.json);
    eddy_interactions_fini(&bench.interactions);
    return r < 0 ? eddy_app_fail("bench train", &err) : EDDY_EXIT_OK;
}
