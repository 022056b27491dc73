/* Baselines: heads of one source.
 *
 * What the literature tunes and what does not carry over from one log to another is chosen
 * for each: how fast past sessions age (neighbours: VSTAN's decay; closed form: SLIST's
 * weight of old sessions), and whether an item may speak for itself (EASE's diagonal). The
 * newest twentieth of the rows is asked about, the rest is fitted on, and only then is the
 * baseline fitted on all; the questions of an evaluation are not among the rows. Ages are
 * tried as shares of the time that the log spans, so that a day of news and years of film
 * ratings have the same grid.
 *
 * Trials look at TRIAL_CASES events, at TRIAL_ITEMS items of the closed form, and at
 * TRIAL_PAIRS pairs in its sessions, on a catalogue and a log of any size. */
#include <math.h>
#include <stdlib.h>

#include "core/build_parts.h"
#include "core/evaluate.h"
#include "core/team.h"

enum {
    TRIAL_CASES = 1500,
    TRIAL_CASES_MIN = 50, /* fewer say nothing: the first setting stands */
    TRIAL_ITEMS = 3000,
    CHUNKS = 16,
    REACHED = 20, /* ranks that count */
};
#define TRIAL_PAIRS 5e8
#define TRIAL_SLICE 0.05

/* Shares of the log's span that ages are tried as; 0: sessions do not age. */
static const double age_shares[] = {0, 0.5, 0.125, 0.03125};
enum { AGES = sizeof age_shares / sizeof *age_shares };

const char *const eddy_baseline_names[EDDY_BASELINES] = {
    [EDDY_BASELINE_POPULARITY] = "popularity",
    [EDDY_BASELINE_RECENT_POPULARITY] = "recent-popularity",
    [EDDY_BASELINE_MARKOV] = "markov",
    [EDDY_BASELINE_RULES] = "rules",
    [EDDY_BASELINE_NEIGHBOURS] = "neighbours",
    [EDDY_BASELINE_CLOSED_FORM] = "closed-form",
};

/* One feature, the same in every bucket, over a trace of popularity. */
static struct eddy_head one_feature(enum eddy_head_feature feature, float decay,
                                    uint32_t recent)
{
    struct eddy_head head = eddy_head_plain;
    for (uint32_t b = 0; b < EDDY_HEAD_BUCKETS; b++) {
        head.network[b] = false;
        if (feature < EDDY_HEAD_FEATURES)
            head.weight[b][feature] = 1;
        head.prior[b][0] = feature < EDDY_HEAD_FEATURES ? 1e-6f : 1;
    }
    if (feature < EDDY_HEAD_FEATURES) {
        head.scale[feature] = 1;
        head.decay[feature] = decay;
    }
    head.recent = recent;
    head.neighbours = (struct eddy_neighbours_options){
        EDDY_NEIGHBOURS_CANDIDATES_MAX, 500, 2, 0, 2, true};
    return head;
}

static void plan_baseline(enum eddy_baseline kind, struct eddy_build_plan *plan,
                          struct eddy_head *head)
{
    plan->related = kind == EDDY_BASELINE_CLOSED_FORM;
    plan->rules = kind == EDDY_BASELINE_RULES || kind == EDDY_BASELINE_MARKOV;
    plan->sessions = kind == EDDY_BASELINE_NEIGHBOURS;
    plan->counters.half_lives = 1;
    plan->counters.half_life_s[0] =
        kind == EDDY_BASELINE_RECENT_POPULARITY ? 7 * 86400 : 0;
    switch (kind) {
    case EDDY_BASELINE_MARKOV:
        plan->counters.window = 1;
        plan->counters.shrink = 0;
        *head = one_feature(EDDY_HEAD_RULES, 1, 1);
        break;
    case EDDY_BASELINE_RULES:
        plan->counters.distance_decay = 2;
        plan->counters.shrink = 0;
        *head = one_feature(EDDY_HEAD_RULES, 2, 10);
        break;
    case EDDY_BASELINE_NEIGHBOURS:
        *head = one_feature(EDDY_HEAD_NEIGHBOURS, 1, 1);
        break;
    case EDDY_BASELINE_CLOSED_FORM:
        *head = one_feature(EDDY_HEAD_RELATED, 1.5f, 10);
        break;
    default: *head = one_feature(EDDY_HEAD_FEATURES, 1, 1); break;
    }
}

/* ---- choosing --------------------------------------------------------------------- */

struct trial {
    const struct eddy_interactions *in;
    struct eddy_selection slice; /* its validation events are asked about */
    struct eddy_build_cases cases;
    uint32_t count; /* cases that are asked */
    uint32_t threads;
    bool exclude_seen;
    double span_days;
    /* of one setting */
    const struct eddy_tables *tables;
    const struct eddy_head *head;
    struct eddy_head_scratch **scratch; /* (threads) */
    double gain[CHUNKS];
};

static bool had(const struct eddy_head_recent *recent, uint32_t item)
{
    uint32_t i = 0;
    while (i < recent->count && recent->items[i] != item)
        i++;
    return i < recent->count;
}

/* NDCG of one answer among the first REACHED; ties count against it, and so does being one
 * of the items that only popularity would order. */
static double gain_of(const struct trial *trial, const struct eddy_head_case *one,
                      struct eddy_head_scratch *scratch)
{
    const struct eddy_addition *additions;
    if (trial->exclude_seen && had(&one->recent, one->answer))
        return 0;
    uint32_t count = eddy_head_additions(trial->tables, trial->head, scratch,
                                         one->recent, &additions);
    uint32_t rank = 0;
    float answer = 0;
    for (uint32_t i = 0; i < count; i++)
        if (additions[i].item == one->answer)
            answer = additions[i].value;
    if (!(answer > 0))
        return 0;
    for (uint32_t i = 0; i < count && rank <= REACHED; i++)
        if (additions[i].value >= answer &&
            !(trial->exclude_seen && had(&one->recent, additions[i].item)))
            rank++;
    return eddy_measure_of(EDDY_NDCG, rank, REACHED);
}

static void try_chunk(void *context, uint32_t task, uint32_t worker)
{
    struct trial *trial = context;
    uint64_t count = trial->count;
    trial->gain[task] = 0;
    for (uint64_t c = count * task / CHUNKS; c < count * (task + 1) / CHUNKS; c++) {
        uint64_t at = c * trial->cases.count / count; /* spread over all cases */
        trial->gain[task] +=
            gain_of(trial, &trial->cases.cases[at], trial->scratch[worker]);
    }
}

/* Sum over the cases. */
static int measure(struct trial *trial, const struct eddy_tables *tables,
                   const struct eddy_head *head, double *ret)
{
    int rc = 0;
    trial->tables = tables;
    trial->head = head;
    trial->scratch = calloc(trial->threads, sizeof *trial->scratch);
    if (trial->scratch == NULL)
        return EDDY_ENOMEM;
    for (uint32_t t = 0; t < trial->threads; t++) {
        trial->scratch[t] = eddy_head_scratch_new(tables, head);
        rc = trial->scratch[t] ? rc : EDDY_ENOMEM;
    }
    *ret = 0;
    if (rc == 0)
        eddy_team_run(trial->threads, CHUNKS, try_chunk, trial);
    for (uint32_t c = 0; rc == 0 && c < CHUNKS; c++)
        *ret += trial->gain[c];
    for (uint32_t t = 0; t < trial->threads; t++)
        eddy_head_scratch_free(trial->scratch[t]);
    free(trial->scratch);
    return rc;
}

static int no_memory(int rc, struct eddy_err *err)
{
    return rc < 0 ? eddy_fail(err, rc, "no memory to try settings of a baseline") : 0;
}

static int choose_neighbours(struct trial *trial, const struct eddy_build_plan *plan,
                             struct eddy_head *head, struct eddy_err *err)
{
    struct eddy_head one = *head;
    struct eddy_build_plan sessions = *plan;
    struct eddy_tables tables;
    double best = -1, gain = 0;
    sessions.counters.half_lives = 0;
    int rc = eddy_build_tables(&sessions, trial->in, &trial->slice, &tables, err);
    if (rc < 0)
        return rc;
    for (int a = 0; rc == 0 && a < (trial->span_days > 0 ? AGES : 1); a++) {
        one.neighbours.age_decay_days = age_shares[a] * trial->span_days;
        rc = no_memory(measure(trial, &tables, &one, &gain), err);
        if (rc == 0 && gain > best) {
            best = gain;
            head->neighbours.age_decay_days = one.neighbours.age_decay_days;
        }
    }
    eddy_tables_fini(&tables);
    return rc;
}

static int try_closed_form(struct trial *trial, const struct eddy_build_plan *plan,
                           const struct eddy_head *head, double *ret,
                           struct eddy_err *err)
{
    struct eddy_tables tables;
    int rc = eddy_build_tables(plan, trial->in, &trial->slice, &tables, err);
    if (rc < 0)
        return rc;
    rc = no_memory(measure(trial, &tables, head, ret), err);
    eddy_tables_fini(&tables);
    return rc;
}

/* First the age, then the diagonal. */
static int choose_closed_form(struct trial *trial, struct eddy_build_plan *plan,
                              const struct eddy_head *head, struct eddy_err *err)
{
    struct eddy_build_plan one = *plan;
    struct eddy_related_options *closed_form = &plan->closed_form;
    double best = -1, gain = 0;
    int rc = 0;
    one.counters.half_lives = 0;
    one.related_pairs_max = TRIAL_PAIRS;
    if (one.closed_form.items_max > TRIAL_ITEMS)
        one.closed_form.items_max = TRIAL_ITEMS;
    for (int k = 0; rc == 0 && k <= AGES; k++) {
        if (k > 0 && k < AGES && !(trial->span_days > 0))
            continue;
        one.closed_form.zero_diagonal = k == AGES;
        one.closed_form.age_half_life_s =
            k == AGES ? closed_form->age_half_life_s
                      : age_shares[k] * trial->span_days * 86400;
        rc = try_closed_form(trial, &one, head, &gain, err);
        if (rc == 0 && gain > best) {
            best = gain;
            closed_form->age_half_life_s = one.closed_form.age_half_life_s;
            closed_form->zero_diagonal = one.closed_form.zero_diagonal;
        }
    }
    return rc;
}

static double span_days_of(const struct eddy_interactions *in)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (uint64_t i = 0; i < in->count; i++) {
        first = in->rows[i].ts_ms < first ? in->rows[i].ts_ms : first;
        last = in->rows[i].ts_ms > last ? in->rows[i].ts_ms : last;
    }
    return (double)(last - first) / 86400e3;
}

static int choose(const struct eddy_interactions *in, enum eddy_baseline kind,
                  const struct eddy_baseline_options *options,
                  const struct eddy_train_options *train, struct eddy_build_plan *plan,
                  struct eddy_head *head, struct eddy_baseline_choice *choice,
                  struct eddy_err *err)
{
    struct trial trial = {.in = in,
                          .threads = options->threads > 0 ? options->threads : 1,
                          .exclude_seen = options->exclude_seen,
                          .span_days = span_days_of(in)};
    struct eddy_train_options slice = *train;
    slice.validation_fraction = TRIAL_SLICE;
    int rc = eddy_train_select(in, &slice, &trial.slice, err);
    if (trial.slice.positions) /* times say nothing of age */
        trial.span_days = 0;
    if (rc == 0)
        rc = eddy_build_cases_init(&trial.cases, in, &trial.slice, &slice, NULL, NULL,
                                   NULL, err);
    if (rc < 0)
        return rc;
    trial.count = trial.cases.count < TRIAL_CASES ? trial.cases.count : TRIAL_CASES;
    if (trial.count >= TRIAL_CASES_MIN) {
        choice->cases = trial.count;
        rc = kind == EDDY_BASELINE_NEIGHBOURS
                 ? choose_neighbours(&trial, plan, head, err)
                 : choose_closed_form(&trial, plan, head, err);
    }
    choice->age_decay_days = head->neighbours.age_decay_days;
    choice->age_half_life_days = plan->closed_form.age_half_life_s / 86400;
    choice->zero_diagonal = plan->closed_form.zero_diagonal;
    eddy_build_cases_fini(&trial.cases);
    return rc;
}

/* ---- fitting ---------------------------------------------------------------------- */

int eddy_build_baseline(const struct eddy_interactions *training,
                        enum eddy_baseline kind,
                        const struct eddy_baseline_options *options,
                        struct eddy_build_result *ret,
                        struct eddy_baseline_choice *ret_choice, struct eddy_err *err)
{
    struct eddy_train_options train;
    struct eddy_baseline_choice choice = {0};
    if (training->count == 0)
        return eddy_fail(err, EDDY_EFORMAT, "baseline %s: there are no rows",
                         eddy_baseline_names[kind]);
    eddy_train_options_init(&train);
    train.validation_fraction = 0;
    train.recency_mask = false;
    *ret = (struct eddy_build_result){.head = eddy_head_plain};
    int rc = eddy_build_no_network(training, &train, &ret->network, err);
    if (rc < 0)
        return rc;
    struct eddy_selection all = eddy_selection_all(&ret->network.selection);
    struct eddy_build_plan plan =
        eddy_build_plan_defaults(training, &all, (uint32_t)train.session_gap_s,
                                 options->threads);
    plan_baseline(kind, &plan, &ret->head);
    if (kind == EDDY_BASELINE_NEIGHBOURS || kind == EDDY_BASELINE_CLOSED_FORM)
        rc = choose(training, kind, options, &train, &plan, &ret->head, &choice, err);
    if (rc == 0)
        rc = eddy_build_tables(&plan, training, &all, &ret->tables, err);
    if (rc == 0 && kind == EDDY_BASELINE_NEIGHBOURS && ret->tables.sessions.count == 0)
        rc = eddy_fail(err, EDDY_EFORMAT, "no session has two events");
    if (rc < 0)
        eddy_build_result_fini(ret);
    else if (ret_choice != NULL)
        *ret_choice = choice;
    return rc;
}
