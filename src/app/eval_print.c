/* eddy eval's table and JSON. */
#include <stdio.h>
#include <string.h>

#include "app/eval.h"
#include "app/tools.h"

static const char *time_text(int64_t ms, char out[32])
{
    return eddy_tool_time(ms / 1000, out);
}

static void print_head(const struct eddy_eval *eval)
{
    const struct eddy_exam *exam = eval->exam;
    const struct eddy_eval_contender *model = &eval->contenders[0];
    char text[32];
    (void)printf("model %s, protocol %s: %s", eval->manifest->version,
                 eddy_protocol_name(eval->protocol),
                 eddy_protocol_about(eval->protocol));
    if (eval->from_ms != INT64_MIN)
        (void)printf(" from %s UTC", time_text(eval->from_ms, text));
    (void)printf(
        "\n%llu queries of %llu users over %u items, seen items %s; misses for "
        "certain: %llu answers unknown to the model, %llu seen before\n",
        (unsigned long long)model->evaluation.queries,
        (unsigned long long)model->evaluation.users, model->result.items,
        eval->exclude_seen ? "excluded" : "kept",
        (unsigned long long)model->result.unknown, (unsigned long long)exam->repeated);
}

static void print_measures(const struct eddy_eval *eval)
{
    const struct eddy_evaluation *evaluation = &eval->contenders[0].evaluation;
    (void)printf("\n%-14s", "");
    for (int c = 0; c < EDDY_CUTOFFS; c++) {
        char title[8];
        (void)snprintf(title, sizeof title, "@%u", eddy_cutoffs[c]);
        (void)printf("%14s", title);
    }
    (void)printf("\n");
    for (int m = 0; m < EDDY_MEASURES; m++) {
        if (!eddy_eval_shows(eval, (enum eddy_measure)m))
            continue;
        (void)printf("%-14s", eddy_measure_title((enum eddy_measure)m));
        for (int c = 0; c < EDDY_CUTOFFS; c++) {
            struct eddy_estimate e = evaluation->estimates[m][c];
            (void)printf("  %.4f ±.%04d", e.mean,
                         (int)((e.high - e.low) / 2 * 10000 + 0.5));
        }
        (void)printf("\n");
    }
}

double eddy_eval_share(uint32_t part, uint32_t whole)
{
    return whole > 0 ? (double)part / whole : 0;
}

static void print_coverage(const struct eddy_eval *eval)
{
    const struct eddy_exam_result *result = &eval->contenders[0].result;
    (void)printf("coverage        %u items in lists of 25: %.4f of the %u items of the "
                 "training events (Amazon's), %.4f of the %u of the catalogue\n",
                 result->covered,
                 eddy_eval_share(result->covered, eval->training_items),
                 eval->training_items, eddy_eval_share(result->covered, result->items),
                 result->items);
}

static uint32_t cutoff_index(uint32_t cutoff)
{
    uint32_t c = 0;
    while (c + 1 < EDDY_CUTOFFS && eddy_cutoffs[c] != cutoff)
        c++;
    return c;
}

static void print_contenders(const struct eddy_eval *eval)
{
    struct eddy_eval_headline shown[3];
    uint32_t count = eddy_eval_compared(eval, shown);
    char title[32];
    (void)printf("\n%-26s", "");
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(title, sizeof title, "%s@%u",
                       eddy_measure_title(shown[i].measure), shown[i].cutoff);
        (void)printf("%18s", title);
    }
    (void)printf("  coverage  model minus it, %s@%u (95 %%, paired)\n",
                 eddy_measure_title(shown[0].measure), shown[0].cutoff);
    for (uint32_t k = 0; k < eval->contender_count; k++) {
        const struct eddy_eval_contender *contender = &eval->contenders[k];
        (void)printf("%-26s", contender->name);
        for (uint32_t i = 0; i < count; i++)
            (void)printf("%18.4f",
                         contender->evaluation
                             .estimates[shown[i].measure][cutoff_index(shown[i].cutoff)]
                             .mean);
        (void)printf("  %8.4f",
                     eddy_eval_share(contender->result.covered, eval->training_items));
        struct eddy_estimate d =
            contender->difference
                .estimates[shown[0].measure][cutoff_index(shown[0].cutoff)];
        if (k > 0)
            (void)printf("  %+.4f [%+.4f, %+.4f]", d.mean, d.low, d.high);
        (void)printf("\n");
    }
    for (uint32_t k = 1; k < eval->contender_count; k++) {
        char choice[128];
        eddy_eval_choice(&eval->contenders[k], choice);
        if (choice[0] != '\0')
            (void)printf(
                "%s: %s; chosen on the newest %u events of the training part\n",
                eval->contenders[k].name, choice, eval->contenders[k].choice.cases);
    }
    if (eval->missing[0] != 0)
        (void)printf("not among them: %s\n", eval->missing);
}

static void print_curve(const struct eddy_eval *eval, const char *title,
                        const struct eddy_eval_curve *curve)
{
    struct eddy_eval_headline headline = eddy_eval_headline(eval->protocol);
    if (curve->points < 2)
        return;
    (void)printf("\n%s@%u by %s\n", eddy_measure_title(headline.measure),
                 headline.cutoff, title);
    for (uint32_t p = 0; p < curve->points && p < 16; p++) {
        const struct eddy_group *group = &curve->groups[0][p];
        (void)printf("  %-8s %.4f ±.%04d  %llu queries\n", curve->labels[p],
                     group->estimate.mean,
                     (int)((group->estimate.high - group->estimate.low) / 2 * 10000 +
                           0.5),
                     (unsigned long long)group->queries);
    }
    if (curve->points > 16)
        (void)printf("  ... %u more in --json and --report\n", curve->points - 16);
}

void eddy_eval_print(const struct eddy_eval *eval)
{
    char title[96], text[32];
    print_head(eval);
    print_measures(eval);
    print_coverage(eval);
    if (eval->contender_count > 1 || eval->missing[0] != 0)
        print_contenders(eval);
    print_curve(eval, "length of the history", &eval->by_history);
    print_curve(eval, "age of the state: events, or a day, that it has not seen",
                &eval->by_age);
    (void)snprintf(title, sizeof title, "%s after the newest event learned, of %s UTC",
                   eval->time_unit ? eval->time_unit : "",
                   time_text(eval->learned_ms, text));
    print_curve(eval, title, &eval->by_time);
}

void eddy_eval_put_estimate(struct eddy_buf *out, struct eddy_estimate e)
{
    eddy_buf_puts(out, "{\"mean\":");
    eddy_buf_put_fixed(out, e.mean, 6);
    eddy_buf_puts(out, ",\"low\":");
    eddy_buf_put_fixed(out, e.low, 6);
    eddy_buf_puts(out, ",\"high\":");
    eddy_buf_put_fixed(out, e.high, 6);
    eddy_buf_putc(out, '}');
}

/* "hr@1":{...},... with a comma before each. */
static void put_measures(struct eddy_buf *out, const struct eddy_eval *eval,
                         const struct eddy_evaluation *evaluation)
{
    for (int m = 0; m < EDDY_MEASURES; m++)
        for (int c = 0; c < EDDY_CUTOFFS; c++) {
            if ((m == EDDY_REWARD || m == EDDY_REWARD_AWS) &&
                eval->exam->rewards == NULL)
                continue;
            eddy_buf_printf(out, ",\"%s@%u\":", eddy_measure_key((enum eddy_measure)m),
                            eddy_cutoffs[c]);
            eddy_eval_put_estimate(out, evaluation->estimates[m][c]);
        }
}

static void put_coverage(struct eddy_buf *out, const struct eddy_eval *eval,
                         const struct eddy_exam_result *result)
{
    eddy_buf_printf(out,
                    ",\"coverage\":{\"items_in_lists_of_25\":%u,\"training_items\":%u,",
                    result->covered, eval->training_items);
    eddy_buf_puts(out, "\"of_training_items\":");
    eddy_buf_put_fixed(out, eddy_eval_share(result->covered, eval->training_items), 6);
    eddy_buf_printf(out, ",\"catalogue_items\":%u,\"of_catalogue\":", result->items);
    eddy_buf_put_fixed(out, eddy_eval_share(result->covered, result->items), 6);
    eddy_buf_putc(out, '}');
}

/* The keys of GetSolutionMetrics, literal form. */
static void put_amazon(struct eddy_buf *out, const struct eddy_eval *eval)
{
    const struct eddy_eval_contender *model = &eval->contenders[0];
    const struct eddy_estimate(*estimates)[EDDY_CUTOFFS] = model->evaluation.estimates;
    static const uint32_t at[] = {5, 10, 25};
    eddy_buf_puts(out, ",\"amazon\":{\"coverage\":");
    eddy_buf_put_fixed(out,
                       eddy_eval_share(model->result.covered, eval->training_items), 6);
    eddy_buf_puts(out, ",\"mean_reciprocal_rank_at_25\":");
    eddy_buf_put_fixed(out, estimates[EDDY_MRR][cutoff_index(25)].mean, 6);
    for (int i = 0; i < 3; i++) {
        uint32_t c = cutoff_index(at[i]);
        eddy_buf_printf(out,
                        ",\"normalized_discounted_cumulative_gain_at_%u\":", at[i]);
        eddy_buf_put_fixed(out, estimates[EDDY_NDCG_AWS][c].mean, 6);
        eddy_buf_printf(out, ",\"precision_at_%u\":", at[i]);
        eddy_buf_put_fixed(out, estimates[EDDY_PRECISION][c].mean, 6);
    }
    if (eval->exam->rewards != NULL) {
        eddy_buf_puts(out, ",\"average_rewards_at_k\":");
        eddy_buf_put_fixed(out, estimates[EDDY_REWARD_AWS][cutoff_index(25)].mean, 6);
    }
    eddy_buf_putc(out, '}');
}

static void put_curve(struct eddy_buf *out, const struct eddy_eval *eval,
                      const struct eddy_eval_curve *curve)
{
    if (curve->points == 0)
        return;
    eddy_buf_printf(out, ",\"by_%s\":[", curve->key);
    for (uint32_t p = 0; p < curve->points; p++) {
        const struct eddy_group *group = &curve->groups[0][p];
        eddy_buf_printf(out, "%s{\"%s\":\"%s\",\"queries\":%llu,\"users\":%u",
                        p > 0 ? "," : "", curve->key, curve->labels[p],
                        (unsigned long long)group->queries, group->users);
        for (uint32_t c = 0; c < curve->contenders; c++) {
            eddy_buf_putc(out, ',');
            eddy_buf_put_json_string(out, eddy_span_of(eval->contenders[c].name));
            eddy_buf_putc(out, ':');
            eddy_eval_put_estimate(out, curve->groups[c][p].estimate);
        }
        eddy_buf_putc(out, '}');
    }
    eddy_buf_putc(out, ']');
}

static void put_choice(struct eddy_buf *out, const struct eddy_eval_contender *rival)
{
    const struct eddy_baseline_choice *choice = &rival->choice;
    if (choice->cases == 0)
        return;
    eddy_buf_printf(out, ",\"chosen\":{\"on_events\":%u,", choice->cases);
    if (rival->baseline == EDDY_BASELINE_NEIGHBOURS) {
        eddy_buf_puts(out, "\"age_decay_days\":");
        eddy_buf_put_fixed(out, choice->age_decay_days, 6);
    } else {
        eddy_buf_puts(out, "\"age_half_life_days\":");
        eddy_buf_put_fixed(out, choice->age_half_life_days, 6);
        eddy_buf_printf(out, ",\"zero_diagonal\":%s",
                        choice->zero_diagonal ? "true" : "false");
    }
    eddy_buf_putc(out, '}');
}

static void put_rivals(struct eddy_buf *out, const struct eddy_eval *eval)
{
    eddy_buf_puts(out, ",\"compared\":[");
    for (uint32_t k = 1; k < eval->contender_count; k++) {
        const struct eddy_eval_contender *rival = &eval->contenders[k];
        eddy_buf_puts(out, k > 1 ? ",{\"name\":" : "{\"name\":");
        eddy_buf_put_json_string(out, eddy_span_of(rival->name));
        put_measures(out, eval, &rival->evaluation);
        put_coverage(out, eval, &rival->result);
        eddy_buf_puts(out, ",\"seconds\":");
        eddy_buf_put_fixed(out, rival->seconds, 3);
        put_choice(out, rival);
        eddy_buf_puts(out, ",\"model_minus_it\":{\"paired\":true");
        put_measures(out, eval, &rival->difference);
        eddy_buf_puts(out, "}}");
    }
    eddy_buf_puts(out, "]");
}

void eddy_eval_json(const struct eddy_eval *eval, struct eddy_buf *out)
{
    const struct eddy_exam *exam = eval->exam;
    const struct eddy_eval_contender *model = &eval->contenders[0];
    struct eddy_eval_headline headline = eddy_eval_headline(eval->protocol);
    eddy_buf_printf(
        out,
        "{\"model\":\"%s\",\"recipe\":\"%s\",\"protocol\":\"%s\","
        "\"seen\":\"%s\",\"sha256\":\"%s\",\"items\":%u,\"users\":%llu,"
        "\"queries\":%llu,\"answers\":%llu,\"unknown_answers\":%llu,"
        "\"repeated_answers\":%llu,\"training_events\":%llu",
        eval->manifest->version, eval->manifest->recipe,
        eddy_protocol_name(eval->protocol), eval->exclude_seen ? "excluded" : "kept",
        eval->sha256, model->result.items, (unsigned long long)model->evaluation.users,
        (unsigned long long)model->evaluation.queries,
        (unsigned long long)exam->asked_rows, (unsigned long long)model->result.unknown,
        (unsigned long long)exam->repeated, (unsigned long long)exam->training_rows);
    if (eval->from_ms != INT64_MIN)
        eddy_buf_printf(out, ",\"from_ms\":%lld", (long long)eval->from_ms);
    if (eval->warning[0] != 0) {
        eddy_buf_puts(out, ",\"warning\":");
        eddy_buf_put_json_string(out, eddy_span_of(eval->warning));
    }
    eddy_buf_printf(out, ",\"resamples\":%u,\"seconds\":", eval->resamples);
    eddy_buf_put_fixed(out, model->seconds, 3);
    put_measures(out, eval, &model->evaluation);
    put_coverage(out, eval, &model->result);
    put_amazon(out, eval);
    eddy_buf_printf(out, ",\"curves_show\":\"%s@%u\"",
                    eddy_measure_key(headline.measure), headline.cutoff);
    put_curve(out, eval, &eval->by_history);
    put_curve(out, eval, &eval->by_age);
    if (eval->time_unit != NULL)
        eddy_buf_printf(out, ",\"time_unit\":\"%s\",\"time_counts_from_ms\":%lld",
                        eval->time_unit, (long long)eval->learned_ms);
    put_curve(out, eval, &eval->by_time);
    put_rivals(out, eval);
    if (eval->missing[0] != 0) {
        eddy_buf_puts(out, ",\"not_compared\":");
        eddy_buf_put_json_string(out, eddy_span_of(eval->missing));
    }
    eddy_buf_puts(out, "}\n");
}
