#include "app/train_report.h"

#include <stdio.h>
#include <string.h>

#include "app/blas_core.h"
#include "base/clock.h"

void eddy_train_report_start(struct eddy_train_report *report, bool quiet)
{
    *report = (struct eddy_train_report){0};
    report->start_ns = report->epoch_ns = eddy_monotonic_ns();
    report->start_cpu_ns = report->epoch_cpu_ns = eddy_process_cpu_ns();
    eddy_progress_init(&report->progress, "training", "events", 0, quiet);
    report->progress.steady = true;
    eddy_busy_start(&report->busy, quiet);
}

void eddy_train_report_step(void *context, const char *what, uint32_t part,
                            uint32_t parts)
{
    struct eddy_train_report *report = context;
    eddy_progress_clear(&report->progress);
    if (parts > 0)
        eddy_busy_step(&report->busy, "%s (%u/%u)", what, part, parts);
    else
        eddy_busy_step(&report->busy, "%s", what);
}

void eddy_train_report_stop(struct eddy_train_report *report, double *ret_seconds,
                            double *ret_cpu_seconds)
{
    eddy_busy_stop(&report->busy);
    eddy_progress_clear(&report->progress);
    *ret_seconds =
        report->past_seconds + (double)(eddy_monotonic_ns() - report->start_ns) / 1e9;
    *ret_cpu_seconds = report->past_cpu_seconds +
                       (double)(eddy_process_cpu_ns() - report->start_cpu_ns) / 1e9;
}

void eddy_train_report_resume(struct eddy_train_report *report,
                              const struct eddy_train_past *past)
{
    eddy_busy_pause(&report->busy);
    if (past->note.size == sizeof report->ledger)
        memcpy(&report->ledger, past->note.data, sizeof report->ledger);
    report->past_seconds = report->ledger.seconds;
    report->past_cpu_seconds = report->ledger.cpu_seconds;
    report->epoch_events = report->progress.last_done = past->events;
    report->epoch_ns = eddy_monotonic_ns();
    report->epoch_cpu_ns = eddy_process_cpu_ns();
}

/* The last phase learns from the validation events too: it has nothing to show. */
static void say_epoch(struct eddy_train_report *report,
                      const struct eddy_train_progress *now)
{
    uint64_t wall = eddy_monotonic_ns(), cpu = eddy_process_cpu_ns();
    double seconds = (double)(wall - report->epoch_ns) / 1e9;
    double cpu_seconds = (double)(cpu - report->epoch_cpu_ns) / 1e9;
    char validation[96] = "";

    if (now->finishing)
        (void)snprintf(validation, sizeof validation, "  last phase");
    else if (now->validation_ndcg >= 0)
        (void)snprintf(validation, sizeof validation,
                       "  validation NDCG@10 %.4f HR@10 %.4f%s", now->validation_ndcg,
                       now->validation_hr, now->best_epoch == now->epoch ? " *" : "");
    eddy_progress_say(&report->progress,
                      "epoch %2u  loss %.4f%s  %.0f events/s  %.1f s  %.1f CPU-s",
                      now->epoch, now->loss, validation,
                      (double)(now->events - report->epoch_events) / seconds, seconds,
                      cpu_seconds);
    report->epoch_ns = wall;
    report->epoch_cpu_ns = cpu;
    report->ledger.seconds =
        report->past_seconds + (double)(wall - report->start_ns) / 1e9;
    report->ledger.cpu_seconds =
        report->past_cpu_seconds + (double)(cpu - report->start_cpu_ns) / 1e9;
    report->epoch_length = now->events - report->epoch_events;
    report->epoch_events = now->events;
}

static void note_epoch(struct eddy_train_report *report,
                       const struct eddy_train_progress *now)
{
    struct eddy_train_ledger *ledger = &report->ledger;
    if (ledger->learning_count == EDDY_LEARNING_POINTS)
        return;
    ledger->learning[ledger->learning_count++] =
        (struct eddy_learning_point){.epoch = now->epoch,
                                     .loss = now->loss,
                                     .ndcg = now->finishing ? -1 : now->validation_ndcg,
                                     .hr = now->validation_hr};
}

/* How many events there will be: as many as in the epoch before for each epoch to come. The
 * last phase has other epochs and no validation, so it is measured for itself. */
static void expect(struct eddy_train_report *report,
                   const struct eddy_train_progress *now)
{
    struct eddy_progress *progress = &report->progress;
    uint64_t done = now->events - report->epoch_events;
    if (!report->training || report->finishing != now->finishing) {
        eddy_progress_restart(progress, now->events);
        report->epoch_length = 0;
    }
    report->training = true;
    report->finishing = now->finishing;
    if (report->epoch_length == 0 && now->fraction > 0)
        report->epoch_length = (uint64_t)((double)done / now->fraction);
    progress->total = report->epoch_events +
                      report->epoch_length * (now->epochs_most - now->epoch + 1);
    progress->at_most = now->may_end_early;
}

bool eddy_train_report_progress(void *context, const struct eddy_train_progress *now)
{
    struct eddy_train_report *report = context;
    char note[96];
    if (now->metadata) {
        eddy_train_report_step(report, "what metadata says of new items", 0, 0);
        report->epoch_ns = eddy_monotonic_ns();
        report->epoch_cpu_ns = eddy_process_cpu_ns();
        return true;
    }
    eddy_busy_pause(&report->busy);
    if (now->epoch_done) {
        say_epoch(report, now);
        note_epoch(report, now);
        return true;
    }
    expect(report, now);
    if (now->finishing)
        (void)snprintf(note, sizeof note, "last phase, epoch %u/%u loss %.3f",
                       now->epoch, now->epochs, now->loss);
    else if (now->best_ndcg < 0)
        (void)snprintf(note, sizeof note, "epoch %u/%u loss %.3f", now->epoch,
                       now->epochs, now->loss);
    else
        (void)snprintf(note, sizeof note, "epoch %u/%u loss %.3f best %.4f in %u",
                       now->epoch, now->epochs, now->loss, now->best_ndcg,
                       now->best_epoch);
    eddy_progress_update(&report->progress, now->events, note);
    return true;
}

static double megabytes(void)
{
    return (double)eddy_peak_resident_bytes() / 1048576;
}

/* Rows of queries by items. */
void eddy_train_report_rates(const struct eddy_train_result *network,
                             double cpu_seconds, double *ret_reached, double *ret_sgemm)
{
    enum { ROWS = 512, ITEMS_MAX = 4096 };
    const struct eddy_shape *shape = &network->layout.shape;
    uint32_t items = shape->items < ITEMS_MAX ? shape->items : ITEMS_MAX;
    *ret_reached = cpu_seconds > 0 ? network->flops / cpu_seconds : 0;
    *ret_sgemm = eddy_blas_core_rate(ROWS, items, shape->hidden);
}

static void print_json(const struct eddy_train_summary *summary)
{
    const struct eddy_model_source *source = summary->source;
    const struct eddy_interactions *in = source->interactions;
    const struct eddy_train_result *network = &summary->result->network;
    const struct eddy_select_counts *dropped = &summary->dropped;
    (void)printf("{\"model\":\"%s\",\"recipe\":\"%s\",\"events\":%llu,\"users\":%u,"
                 "\"items\":%u,\"skipped\":%llu,\"users_file_rows\":%lld,"
                 "\"held_out\":%llu,\"dropped_by_type\":%llu,\"dropped_by_value\":%llu,"
                 "\"short_users\":%u,\"long_users\":%u,",
                 summary->version, source->recipe->name, (unsigned long long)in->count,
                 eddy_catalog_count(in->users), eddy_catalog_count(in->items),
                 (unsigned long long)in->skipped, (long long)summary->inputs->user_rows,
                 (unsigned long long)summary->held_out,
                 (unsigned long long)dropped->by_type,
                 (unsigned long long)dropped->by_value, dropped->short_users,
                 dropped->long_users);
    double reached = 0, sgemm = 0;
    if (network->epochs > 0) {
        eddy_train_report_rates(network, summary->network_cpu_seconds, &reached,
                                &sgemm);
        (void)printf(
            "\"epochs\":%u,\"best_epoch\":%u,\"loss\":%.6f,\"validation_events\":%llu,"
            "\"validation_ndcg_at_10\":%.6f,\"validation_hr_at_10\":%.6f,"
            "\"cpu_seconds_per_epoch\":%.2f,\"gflops\":%.1f,\"sgemm_gflops\":%.1f,"
            "\"share_of_sgemm\":%.3f,\"blas_core\":\"%s\","
            "\"learning_rate\":%g,\"dropout\":%g,\"half_life_days\":%.2f,",
            network->epochs, network->best_epoch, network->loss,
            (unsigned long long)network->validation_events, network->best_ndcg,
            network->best_hr, source->cpu_seconds / network->epochs, reached / 1e9,
            sgemm / 1e9, sgemm > 0 ? reached / sgemm : 0, eddy_blas_core(),
            network->learning_rate, network->dropout,
            network->selection.half_life_s / 86400);
    }
    if (summary->result->head_ndcg > 0)
        (void)printf("\"head_off_ndcg_at_10\":%.6f,\"head_on_ndcg_at_10\":%.6f,"
                     "\"head_off_mrr_at_20\":%.6f,\"head_on_mrr_at_20\":%.6f,",
                     summary->result->plain_ndcg, summary->result->head_ndcg,
                     summary->result->plain_mrr, summary->result->head_mrr);
    (void)printf("\"seconds\":%.2f,\"cpu_seconds\":%.2f,\"peak_resident_mib\":%.0f}\n",
                 source->seconds, source->cpu_seconds, megabytes());
}

static void print_dropped(const struct eddy_train_summary *summary)
{
    const struct eddy_select_counts *dropped = &summary->dropped;
    if (summary->held_out > 0)
        (void)printf("  %llu events held out (%s)\n",
                     (unsigned long long)summary->held_out, summary->source->hold_out);
    if (dropped->by_type + dropped->by_value > 0)
        (void)printf("  %llu events of other types and %llu of lower values not used\n",
                     (unsigned long long)dropped->by_type,
                     (unsigned long long)dropped->by_value);
    if (dropped->short_users + dropped->long_users > 0)
        (void)printf(
            "  %u users with short and %u with long histories not trained on\n",
            dropped->short_users, dropped->long_users);
    if (dropped->rare_items + dropped->frequent_items > 0)
        (void)printf("  %u rare and %u frequent items not counted\n",
                     dropped->rare_items, dropped->frequent_items);
}

static void print_text(const struct eddy_train_summary *summary)
{
    const struct eddy_model_source *source = summary->source;
    const struct eddy_interactions *in = source->interactions;
    const struct eddy_train_result *network = &summary->result->network;
    (void)printf("model %s (%s) in %s\n", summary->version, source->recipe->name,
                 summary->folder);
    (void)printf("  %llu events of %u users, %u items", (unsigned long long)in->count,
                 eddy_catalog_count(in->users), eddy_catalog_count(in->items));
    if (in->skipped > 0)
        (void)printf("; %llu bad rows left out", (unsigned long long)in->skipped);
    (void)printf("\n");
    print_dropped(summary);
    if (summary->inputs->user_rows >= 0)
        (void)printf(
            "  %lld users with metadata%s\n", (long long)summary->inputs->user_rows,
            source->recipe->user_metadata ? "" : "; this recipe does not use them");
    if (network->epochs > 0) {
        (void)printf("  %u epochs, best %u", network->epochs, network->best_epoch);
        if (network->validation_events > 0)
            (void)printf(", validation NDCG@10 %.4f HR@10 %.4f on %llu events",
                         network->best_ndcg, network->best_hr,
                         (unsigned long long)network->validation_events);
        (void)printf("\n");
    }
    if (summary->result->head_ndcg > 0)
        (void)printf(
            "  tables beside the network: NDCG@10 %.4f -> %.4f, MRR@20 %.4f -> "
            "%.4f\n",
            summary->result->plain_ndcg, summary->result->head_ndcg,
            summary->result->plain_mrr, summary->result->head_mrr);
    (void)printf("  %.1f s", source->seconds);
    if (network->epochs > 0) {
        double reached, sgemm;
        eddy_train_report_rates(network, summary->network_cpu_seconds, &reached,
                                &sgemm);
        (void)printf(", %.2f CPU-s per epoch, %.0f GFLOP/s per core, %.0f %% of "
                     "cblas_sgemm's %.0f (%s)",
                     source->cpu_seconds / network->epochs, reached / 1e9,
                     sgemm > 0 ? 100 * reached / sgemm : 0, sgemm / 1e9,
                     eddy_blas_core());
    }
    (void)printf(", peak memory %.0f MiB\n", megabytes());
}

void eddy_train_summary_print(const struct eddy_train_summary *summary, bool json)
{
    if (json)
        print_json(summary);
    else
        print_text(summary);
}
