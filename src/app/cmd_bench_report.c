/* The reports of `eddy bench path` and `eddy bench train`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "app/bench.h"
#include "core/kernel.h"
#include "core/train.h"

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void set(json_t *report, const char *name, double value)
{
    (void)json_object_set_new(report, name, json_real(value));
}

static void set_count(json_t *report, const char *name, uint64_t value)
{
    (void)json_object_set_new(report, name, json_integer((json_int_t)value));
}

static void add_stage(json_t *list, const char *name, double best_ns, double mean_ns)
{
    (void)json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "stage", name,
                                                "ns_per_event", best_ns,
                                                "mean_ns_per_event", mean_ns));
}

/* Stages in ns per event; what is left of the total is pushing and serving confirmations.
 * Returns the score stage's. */
static double add_stages(json_t *report, const struct eddy_bench_result *result)
{
    const struct eddy_bench_cost *best = &result->best, *sum = &result->sum;
    json_t *list = json_array();
    double events = (double)result->events, score_ns = 0;
    double best_left = best->total, sum_left = sum->total;
    for (uint32_t i = 0; i < result->stage_count; i++) {
        best_left -= best->stages[i];
        sum_left -= sum->stages[i];
        if (strcmp(result->stage_names[i], "score") == 0)
            score_ns = best->stages[i];
        add_stage(list, result->stage_names[i], best->stages[i],
                  sum->stages[i] / events);
    }
    add_stage(list, "push, service", best_left, sum_left / events);
    (void)json_object_set_new(report, "stages", list);
    return score_ns;
}

static void add_turns(json_t *report, struct eddy_bench_result *result)
{
    uint64_t last = result->turns ? result->turns - 1 : 0;
    qsort(result->turn_ns, result->turns, sizeof *result->turn_ns, compare_u64);
    set(report, "turn_p50_us", (double)result->turn_ns[last / 2] / 1e3);
    set(report, "turn_p99_us", (double)result->turn_ns[last - last / 100] / 1e3);
    set(report, "turn_max_us", (double)result->turn_ns[last] / 1e3);
}

static void describe_machine(json_t *report)
{
    char line[256], cpu[128] = "unknown CPU";
    struct utsname name;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            (void)snprintf(cpu, sizeof cpu, "%.*s", (int)strcspn(colon + 2, "\n"),
                           colon + 2);
            break;
        }
    }
    if (file)
        (void)fclose(file); /* only read */
    if (uname(&name) < 0)
        name.machine[0] = 0;
    json_t *texts =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "cpu", cpu, "machine", name.machine,
                  "kernels", eddy_kernels_get()->name, "blas_core", eddy_blas_core(),
                  "compiler", __VERSION__, "build",
#ifdef __OPTIMIZE__
                  "optimized, assertions on"
#else
                  "NOT optimized"
#endif
        );
    (void)json_object_update(report, texts);
    json_decref(texts);
}

json_t *eddy_bench_report(struct eddy_bench_result *result)
{
    const struct eddy_bench_floor *floor = &result->floor;
    json_t *report = json_object();
    double events = (double)result->events, lists = (double)result->lists;
    double total_ns = result->best.total;
    describe_machine(report);
    set_count(report, "items", result->shape.items);
    set_count(report, "hidden", result->shape.hidden);
    set_count(report, "layers", result->shape.layers);
    set_count(report, "users", result->users);
    (void)json_object_set_new(report, "store", json_string(result->store));
    set_count(report, "events", result->events);
    set_count(report, "lists", result->lists);
    set_count(report, "turns", result->turns);
    double rest_ns = total_ns - add_stages(report, result);
    double lists_ns = floor->kernel_ns * lists / events; /* the kernel's, per event */
    set(report, "total_ns_per_event", total_ns);
    set(report, "mean_total_ns_per_event", result->sum.total / events);
    set(report, "store_ns_per_event", result->best.store);
    set(report, "mean_store_ns_per_event", result->sum.store / events);
    set(report, "rest_ns_per_event", rest_ns);
    set(report, "events_per_s", events * 1e9 / (double)result->wall_ns);
    set(report, "lists_per_s", lists * 1e9 / (double)result->wall_ns);
    set(report, "list_bytes", (double)result->list_bytes / lists);
    add_turns(report, result);
    set(report, "kernel_ns_per_list", floor->kernel_ns);
    set(report, "sgemm_ns_per_list", floor->sgemm_ns);
    set(report, "blas_ns_per_list", floor->blas_ns);
    set(report, "kernel_over_blas_speed", floor->blas_ns / floor->kernel_ns);
    set(report, "kernel_blas_agreement", floor->agreement);
    set(report, "rest_over_kernel", rest_ns / lists_ns);
    set(report, "rest_without_store_over_kernel",
        (rest_ns - result->best.store) / lists_ns);
    set_count(report, "resident_begin", result->resident_begin);
    set_count(report, "resident_half", result->resident_half);
    set_count(report, "resident_end", result->resident_end);
    return report;
}

static double number(const json_t *report, const char *name)
{
    return json_number_value(json_object_get(report, name));
}

static const char *text(const json_t *report, const char *name)
{
    const char *value = json_string_value(json_object_get(report, name));
    return value ? value : "?";
}

static void print_machine(const json_t *report)
{
    (void)printf(
        "%s; %s kernels; OpenBLAS %s%s; compiler %s, %s\n\n", text(report, "cpu"),
        text(report, "kernels"), text(report, "blas_core"),
        eddy_blas_core_is_poor() ? " (OLDER THAN THE CPU: sgemm could do more)" : "",
        text(report, "compiler"), text(report, "build"));
}

void eddy_bench_print(const json_t *report)
{
    size_t i = 0;
    json_t *stage = NULL;
    double total = number(report, "total_ns_per_event");
    (void)printf(
        "eddy bench path: %.0f items, H = %.0f, %.0f layers, %.0f users, store: %s\n",
        number(report, "items"), number(report, "hidden"), number(report, "layers"),
        number(report, "users"), text(report, "store"));
    print_machine(report);
    (void)printf("ns of CPU per event      best slice       mean\n");
    json_array_foreach(json_object_get(report, "stages"), i, stage)
    {
        double ns = number(stage, "ns_per_event");
        (void)printf("  %-18s %11.0f  %9.0f  %5.1f %%\n", text(stage, "stage"), ns,
                     number(stage, "mean_ns_per_event"), 100 * ns / total);
    }
    (void)printf("  %-18s %11.0f  %9.0f\n", "total", total,
                 number(report, "mean_total_ns_per_event"));
    (void)printf("  %-18s %11.0f\n", "all but score",
                 number(report, "rest_ns_per_event"));
    (void)printf("  %-18s %11.0f  %9.0f\n\n", "the store's part",
                 number(report, "store_ns_per_event"),
                 number(report, "mean_store_ns_per_event"));
    (void)printf("%.0f events in %.0f turns, %.0f lists of %.0f bytes\n",
                 number(report, "events"), number(report, "turns"),
                 number(report, "lists"), number(report, "list_bytes"));
    (void)printf(
        "%.0f events/s, %.0f lists/s; turn p50 %.0f us, p99 %.0f us, max %.0f us\n\n",
        number(report, "events_per_s"), number(report, "lists_per_s"),
        number(report, "turn_p50_us"), number(report, "turn_p99_us"),
        number(report, "turn_max_us"));
    (void)printf("scoring, 64 rows at once, ns of CPU per list, best round\n");
    (void)printf("  bare kernel            %9.0f   (same items as BLAS: %.2f %%)\n",
                 number(report, "kernel_ns_per_list"),
                 100 * number(report, "kernel_blas_agreement"));
    (void)printf("  sgemm + partial sort   %9.0f   (sgemm alone %.0f)\n",
                 number(report, "blas_ns_per_list"),
                 number(report, "sgemm_ns_per_list"));
    (void)printf(
        "  kernel speed           %8.0f %%  of sgemm + partial sort (aim: 60 %%)\n",
        100 * number(report, "kernel_over_blas_speed"));
    (void)printf("  all but score          %8.0f %%  of the bare kernel (aim: 50 %% at "
                 "10000 items, H = 128)\n",
                 100 * number(report, "rest_over_kernel"));
    (void)printf("  without the store      %8.0f %%\n\n",
                 100 * number(report, "rest_without_store_over_kernel"));
    (void)printf(
        "resident memory: %.1f MiB at the begin, %.1f MiB half way, %.1f MiB at the "
        "end\n",
        number(report, "resident_begin") / 1048576,
        number(report, "resident_half") / 1048576,
        number(report, "resident_end") / 1048576);
}

static json_t *training_report(const struct eddy_bench_training *result)
{
    json_t *report = json_object();
    double epochs = result->epochs, sgemm = result->sgemm_flops_per_s;
    describe_machine(report);
    set_count(report, "users", result->users);
    set_count(report, "items", result->shape.items);
    set_count(report, "log_events", result->log_events);
    set_count(report, "hidden", result->shape.hidden);
    set_count(report, "layers", result->shape.layers);
    set_count(report, "threads", result->threads);
    set_count(report, "epochs", result->epochs);
    set_count(report, "events_per_epoch", result->events / result->epochs);
    set(report, "loss", result->loss);
    set(report, "seconds_per_epoch", result->seconds / epochs);
    set(report, "best_seconds_per_epoch", result->best_seconds);
    set(report, "cpu_seconds_per_epoch", result->cpu_seconds / epochs);
    set(report, "best_cpu_seconds_per_epoch", result->best_cpu_seconds);
    set(report, "events_per_s", (double)result->events / result->seconds);
    set(report, "events_per_cpu_s", (double)result->events / result->cpu_seconds);
    set(report, "gflop_per_epoch", result->flops_per_epoch / 1e9);
    set(report, "gflops", result->flops_per_s / 1e9);
    set(report, "sgemm_gflops", sgemm / 1e9);
    set(report, "share_of_sgemm", sgemm > 0 ? result->flops_per_s / sgemm : 0);
    set_count(report, "resident_begin", result->resident_begin);
    set_count(report, "resident_peak", result->resident_peak);
    return report;
}

static void print_training(const json_t *report)
{
    (void)printf("eddy bench train: %.0f events of %.0f users, %.0f items, H = %.0f, "
                 "layers: %.0f, threads: %.0f\n",
                 number(report, "log_events"), number(report, "users"),
                 number(report, "items"), number(report, "hidden"),
                 number(report, "layers"), number(report, "threads"));
    print_machine(report);
    (void)printf("per epoch, of %.0f         mean       best\n",
                 number(report, "epochs"));
    (void)printf("  CPU seconds       %10.2f %10.2f\n",
                 number(report, "cpu_seconds_per_epoch"),
                 number(report, "best_cpu_seconds_per_epoch"));
    (void)printf("  seconds           %10.2f %10.2f\n\n",
                 number(report, "seconds_per_epoch"),
                 number(report, "best_seconds_per_epoch"));
    (void)printf("%.0f events/s, %.0f per CPU second\n", number(report, "events_per_s"),
                 number(report, "events_per_cpu_s"));
    (void)printf(
        "%.1f GFLOP/s per core, %.0f %% of cblas_sgemm's %.1f in this run (aim: "
        "50 %%)\n",
        number(report, "gflops"), 100 * number(report, "share_of_sgemm"),
        number(report, "sgemm_gflops"));
    (void)printf("resident memory: %.1f MiB with the log, %.1f MiB at most\n",
                 number(report, "resident_begin") / 1048576,
                 number(report, "resident_peak") / 1048576);
}

void eddy_bench_training_print(const struct eddy_bench_training *result, bool json)
{
    json_t *report = training_report(result);
    if (json)
        eddy_bench_print_json(report);
    else
        print_training(report);
    json_decref(report);
}

void eddy_bench_print_json(const json_t *report)
{
    (void)json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    (void)putchar('\n');
}
