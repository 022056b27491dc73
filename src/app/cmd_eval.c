/* eddy eval: a model on a protocol, by the serving code (full ranking, MODELS 8). */
#include <stdio.h>
#include <stdlib.h>

#include "app/app.h"
#include "app/args.h"
#include "app/inputs.h"
#include "app/progress.h"
#include "core/evaluate.h"
#include "core/play.h"
#include "io/files.h"

enum protocol { LOO, SESSIONS, SUCCESSIVE };

struct arguments {
    const char *model, *interactions;
    int64_t protocol, threads, from_ms, resamples, seed;
    bool keep_seen, exclude_seen, skip_bad, quiet, json;
};

static const struct eddy_arg rows[] = {
    {"model", 'm', EDDY_ARG_TEXT, offsetof(struct arguments, model), "FOLDER",
     .help = "a model of eddy train", .required = true},
    {"interactions", 'i', EDDY_ARG_TEXT, offsetof(struct arguments, interactions),
     "FILE", .help = "CSV with USER_ID, ITEM_ID, TIMESTAMP, answers included",
     .required = true},
    {"protocol", 0, EDDY_ARG_CHOICE, offsetof(struct arguments, protocol), "P",
     .help =
         "loo: each user's last event (seen items excluded); sessions: every event after the "
         "first of each user (seen kept); successive: every event at or after --from, states "
         "moving on (seen kept)",
     .required = true, .choices = "loo|sessions|successive"},
    {"from", 0, EDDY_ARG_TIME, offsetof(struct arguments, from_ms), "TIME",
     .help = "first time of successive"},
    {"keep-seen", 0, EDDY_ARG_FLAG, offsetof(struct arguments, keep_seen), NULL,
     .help = "rank items that the user has had, too"},
    {"exclude-seen", 0, EDDY_ARG_FLAG, offsetof(struct arguments, exclude_seen), NULL,
     .help = "do not rank items that the user has had"},
    {"resamples", 0, EDDY_ARG_INT, offsetof(struct arguments, resamples), "N",
     .help =
         "bootstrap resamples of users for the 95 % intervals (default 1000; 0: none)",
     .max = 100000},
    {"seed", 0, EDDY_ARG_INT, offsetof(struct arguments, seed), "N",
     .help = "of the resamples (default 1)", .max = 9e15},
    {"threads", 0, EDDY_ARG_INT, offsetof(struct arguments, threads), "N",
     .help = "threads (default 2); the result does not depend on it", .min = 1,
     .max = 64},
    {"skip-bad", 0, EDDY_ARG_FLAG, offsetof(struct arguments, skip_bad), NULL,
     .help = "leave bad rows out and count them instead of stopping at the first"},
    {"json", 0, EDDY_ARG_FLAG, offsetof(struct arguments, json), NULL,
     .help = "JSON on standard output"},
    {"quiet", 'q', EDDY_ARG_FLAG, offsetof(struct arguments, quiet), NULL,
     .help = "no progress"},
};

static const struct eddy_args command_line = {
    .command = "eval",
    .usage = "-m MODEL -i INTERACTIONS --protocol P [OPTIONS]",
    .about =
        "HR, NDCG and MRR at 1, 5, 10, 20, 25. The whole catalogue is ranked; ties count\n"
        "against the model; answers unknown to the model are misses.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .examples = "  eddy eval -m model -i interactions.csv --protocol loo\n"
                "  eddy eval -m model -i log.csv --protocol successive --from "
                "2021-07-01 --json\n",
};

struct job {
    const struct arguments *arguments;
    const struct eddy_snapshot *snapshot;
    const struct eddy_interactions *interactions;
    bool exclude_seen;
    struct eddy_user_score *scores; /* (users) */
    uint32_t *unknown, *repeated;   /* (users) answers that no list could hold */
};

static bool wants(void *context, uint32_t user, uint64_t row)
{
    const struct job *job = context;
    const struct eddy_interactions *in = job->interactions;
    if (row == EDDY_PLAY_END || row == in->user_begin[user])
        return false;
    switch (job->arguments->protocol) {
    case LOO: return row + 1 == in->user_begin[user + 1];
    case SUCCESSIVE: return in->rows[row].ts_ms >= job->arguments->from_ms;
    default: return true;
    }
}

static bool had_before(const struct eddy_interactions *in, uint64_t row)
{
    const struct eddy_interaction *answer = &in->rows[row];
    for (uint64_t i = in->user_begin[answer->user]; i < row; i++)
        if (in->rows[i].item == answer->item)
            return true;
    return false;
}

static void judge(void *context, uint32_t user, uint64_t row,
                  const struct eddy_scored *list, uint32_t count)
{
    struct job *job = context;
    uint32_t answer = job->interactions->rows[row].item;
    eddy_user_score_add(&job->scores[user], eddy_rank_of(list, count, answer));
    if (answer >= job->snapshot->layout.shape.items)
        job->unknown[user]++;
    else if (job->exclude_seen && had_before(job->interactions, row))
        job->repeated[user]++;
}

static const char *const measure_names[EDDY_MEASURES] = {"HR", "NDCG", "MRR"};
static const char *const measure_keys[EDDY_MEASURES] = {"hr", "ndcg", "mrr"};
static const char *const protocol_names[] = {"loo", "sessions", "successive"};

struct counts {
    uint64_t unknown, repeated;
};

static void print_json(const struct job *job, const struct eddy_evaluation *evaluation,
                       struct counts counts)
{
    (void)printf(
        "{\"model\":\"%s\",\"protocol\":\"%s\",\"seen\":\"%s\",\"items\":%u,"
        "\"users\":%llu,\"queries\":%llu,\"unknown_answers\":%llu,"
        "\"repeated_answers\":%llu",
        job->snapshot->manifest.version, protocol_names[job->arguments->protocol],
        job->exclude_seen ? "excluded" : "kept", job->snapshot->layout.shape.items,
        (unsigned long long)evaluation->users, (unsigned long long)evaluation->queries,
        (unsigned long long)counts.unknown, (unsigned long long)counts.repeated);
    for (int m = 0; m < EDDY_MEASURES; m++)
        for (int c = 0; c < EDDY_CUTOFFS; c++) {
            struct eddy_estimate e = evaluation->estimates[m][c];
            (void)printf(",\"%s@%u\":{\"mean\":%.6f,\"low\":%.6f,\"high\":%.6f}",
                         measure_keys[m], eddy_cutoffs[c], e.mean, e.low, e.high);
        }
    (void)printf("}\n");
}

static void print_table(const struct job *job, const struct eddy_evaluation *evaluation,
                        struct counts counts)
{
    (void)printf("model %s, protocol %s, seen items %s\n",
                 job->snapshot->manifest.version,
                 protocol_names[job->arguments->protocol],
                 job->exclude_seen ? "excluded" : "kept");
    (void)printf("%llu queries of %llu users over %u items; misses for certain: %llu "
                 "answers unknown to the model, %llu seen before\n",
                 (unsigned long long)evaluation->queries,
                 (unsigned long long)evaluation->users,
                 job->snapshot->layout.shape.items, (unsigned long long)counts.unknown,
                 (unsigned long long)counts.repeated);
    for (int m = 0; m < EDDY_MEASURES; m++)
        for (int c = 0; c < EDDY_CUTOFFS; c++) {
            struct eddy_estimate e = evaluation->estimates[m][c];
            (void)printf("  %-4s @%-2u  %.4f  [%.4f, %.4f]\n", measure_names[m],
                         eddy_cutoffs[c], e.mean, e.low, e.high);
        }
}

/* Users in groups, for the progress line. */
static int play(struct job *job, struct eddy_err *err)
{
    const struct eddy_interactions *in = job->interactions;
    const struct arguments *arguments = job->arguments;
    uint32_t users = eddy_catalog_count(in->users), group = 1024;
    struct eddy_progress progress;
    struct eddy_play play = {
        .snapshot = job->snapshot,
        .interactions = in,
        .k = EDDY_EVALUATE_LIST,
        .threads = (uint32_t)arguments->threads,
        .exclude_seen = job->exclude_seen,
        .popularity = job->snapshot->popularity,
        .wants = wants,
        .list = judge,
        .context = job,
    };
    int r = 0;
    eddy_progress_init(&progress, "evaluating", "events", in->count, arguments->quiet);
    for (uint32_t first = 0; r == 0 && first < users; first += group) {
        uint32_t count = users - first < group ? users - first : group;
        r = eddy_play_users(&play, first, count, err);
        eddy_progress_update(&progress, in->user_begin[first + count], "");
    }
    eddy_progress_clear(&progress);
    return r;
}

static int report(const struct job *job, struct eddy_err *err)
{
    uint32_t users = eddy_catalog_count(job->interactions->users);
    struct eddy_evaluation evaluation;
    struct counts counts = {0};
    if (eddy_evaluate(job->scores, users, (uint32_t)job->arguments->resamples,
                      (uint64_t)job->arguments->seed, &evaluation) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %lld resamples",
                         (long long)job->arguments->resamples);
    if (evaluation.queries == 0)
        return eddy_fail(err, EDDY_EFORMAT,
                         "%s: no query: no user has an event with one before it%s",
                         job->arguments->interactions,
                         job->arguments->protocol == SUCCESSIVE ? " and after --from"
                                                                : "");
    for (uint32_t u = 0; u < users; u++) {
        counts.unknown += job->unknown[u];
        counts.repeated += job->repeated[u];
    }
    if (job->arguments->json)
        print_json(job, &evaluation, counts);
    else
        print_table(job, &evaluation, counts);
    return 0;
}

static int eval(const struct arguments *arguments, struct eddy_err *err)
{
    struct eddy_snapshot *snapshot = NULL;
    struct eddy_inputs inputs = {0};
    struct job job = {.arguments = arguments};
    int r = eddy_snapshot_open(arguments->model, eddy_kernels_get(), &snapshot, err);
    if (r < 0)
        return r;
    struct eddy_input_options input = {.interactions = arguments->interactions,
                                       .known = snapshot->catalog,
                                       .skip_bad = arguments->skip_bad};
    if ((r = eddy_inputs_open(&inputs, &input, err)) < 0) {
        eddy_snapshot_release(snapshot);
        return r;
    }
    size_t users = (size_t)eddy_catalog_count(inputs.interactions.users) + 1;
    job.snapshot = snapshot;
    job.interactions = &inputs.interactions;
    job.exclude_seen =
        arguments->protocol == LOO ? !arguments->keep_seen : arguments->exclude_seen;
    job.scores = calloc(users, sizeof *job.scores);
    job.unknown = calloc(users, sizeof *job.unknown);
    job.repeated = calloc(users, sizeof *job.repeated);
    if (job.scores == NULL || job.unknown == NULL || job.repeated == NULL)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the scores of %zu users", users);
    if (r == 0)
        r = play(&job, err);
    if (r == 0)
        r = report(&job, err);
    free(job.scores);
    free(job.unknown);
    free(job.repeated);
    eddy_inputs_close(&inputs);
    eddy_snapshot_release(snapshot);
    return r;
}

int eddy_cmd_eval(int argc, char **argv)
{
    struct arguments arguments = {
        .threads = 2, .from_ms = INT64_MIN, .resamples = 1000, .seed = 1};
    struct eddy_err err = {0};
    int code;
    if (!eddy_args_parse(&command_line, argc, argv, &arguments, NULL, &code))
        return code;
    if ((arguments.protocol == SUCCESSIVE) != (arguments.from_ms != INT64_MIN))
        return eddy_args_fail(
            "eval", "--from TIME goes with --protocol successive, and it with "
                    "--from");
    if (arguments.keep_seen && arguments.exclude_seen)
        return eddy_args_fail("eval", "--keep-seen and --exclude-seen together");
    if (eval(&arguments, &err) < 0)
        return eddy_app_fail("eval", &err);
    return EDDY_EXIT_OK;
}
