/* Out of a log: sessions for closed form and neighbours, cases for the head. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "core/build_parts.h"
#include "core/play_user.h"
#include "core/team.h"

enum {
    CASES_MAX = 8000, /* for the head's twenty numbers, half of them at a time */
    USERS_MAX = 2000, /* whose lists say how many places items hold */
    REPEATS_OF = 20,  /* one answer in so many a repeat: repeats are usual */
};

/* ---- sessions --------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct eddy_session_view *x = a, *y = b;
    if (x->ts_ms != y->ts_ms)
        return x->ts_ms < y->ts_ms ? -1 : 1;
    return x->items < y->items ? -1 : x->items > y->items; /* by user: stable */
}

int eddy_build_views_init(struct eddy_build_views *views,
                          const struct eddy_interactions *in,
                          const struct eddy_selection *selection, uint32_t gap_s,
                          struct eddy_err *err)
{
    const int64_t gap_ms = gap_s > 0 ? (int64_t)gap_s * 1000 : INT64_MAX;
    uint64_t filled = 0, room = in->count + 1;
    int code = 0;

    *views = (struct eddy_build_views){0};
    views->views = eddy_spill_new(in->spill, room * sizeof *views->views, &code, err);
    if (code == 0)
        views->items =
            eddy_spill_new(in->spill, room * sizeof *views->items, &code, err);
    if (code < 0) {
        eddy_build_views_fini(views);
        return code;
    }
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        struct eddy_session_view *view = NULL;
        uint64_t begin, cut, end;
        eddy_selection_user(selection, in, u, &begin, &cut, &end);
        for (uint64_t i = begin; i < cut; i++) {
            const struct eddy_interaction *row = &in->rows[i];
            if (eddy_selection_weight(selection, row) <= 0)
                continue;
            if (view == NULL || row->ts_ms - view->ts_ms > gap_ms) {
                view = &views->views[views->count++];
                *view = (struct eddy_session_view){views->items + filled, 0, 0};
            }
            views->items[filled++] = row->item;
            view->count++;
            view->ts_ms = row->ts_ms;
        }
    }
    views->views = eddy_spill_sort(views->views, views->count, sizeof *views->views, 0,
                                   by_time, &code, err);
    if (code < 0)
        eddy_build_views_fini(views);
    return code;
}

void eddy_build_views_fini(struct eddy_build_views *views)
{
    eddy_spill_free(views->views);
    eddy_spill_free(views->items);
    *views = (struct eddy_build_views){0};
}

/* ---- cases ------------------------------------------------------------------------ */

struct ask { /* a case to be: its row, or the one after a user's last */
    uint64_t row, begin;
};
struct encode {
    const struct eddy_interactions *in;
    const struct eddy_train_options *options;
    const struct eddy_train_result *network;
    struct eddy_build_cases *cases;
    const struct ask *asks;
    const uint32_t *first; /* (tasks + 1): asks of each user */
    const struct eddy_context_index *context;
    _Atomic int rc;
};

static int64_t seconds(int64_t ts_ms)
{
    return ts_ms >= 0 ? ts_ms / 1000 : -((999 - ts_ms) / 1000);
}

/* Queries before the cases of one user, by the training code over his newest events. */
static void encode_user(void *context, uint32_t task, uint32_t worker)
{
    struct encode *encode = context;
    const struct eddy_layout *layout = &encode->network->layout;
    const struct ask *asks = encode->asks + encode->first[task];
    uint32_t count = encode->first[task + 1] - encode->first[task];
    uint64_t window = (uint64_t)encode->options->history_events;
    uint64_t from =
        asks[0].row - asks[0].begin > window ? asks[0].row - window : asks[0].begin;
    uint32_t n = (uint32_t)(asks[count - 1].row - from), H = layout->shape.hidden;
    struct eddy_step *steps = malloc(((size_t)n + 1) * sizeof *steps);
    float *queries = malloc(((size_t)n * H + 1) * sizeof *queries);
    int rc = steps && queries ? 0 : EDDY_ENOMEM;

    (void)worker;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        const struct eddy_interaction *row = &encode->in->rows[from + i];
        int64_t previous = i == 0 ? -1 : seconds(row[-1].ts_ms);
        steps[i] = eddy_step_make(row->item, row->type, previous, seconds(row->ts_ms),
                                  (uint32_t)encode->options->session_gap_s,
                                  row->has_value, row->value);
        steps[i].context =
            eddy_context_index_interaction(encode->context, encode->in, row);
    }
    const float *params =
        encode->network->fitted ? encode->network->fitted : encode->network->params;
    if (rc == 0)
        rc = eddy_train_encode(layout, params, steps, n, queries, NULL);
    for (uint32_t k = 0; rc == 0 && k < count; k++) {
        size_t at = (size_t)(encode->first[task] + k) * H;
        memcpy(encode->cases->queries + at, queries + (asks[k].row - 1 - from) * H,
               H * sizeof(float));
    }
    if (rc < 0)
        encode->rc = rc;
    free(steps);
    free(queries);
}

/* What users' metadata adds to their queries (core/params.h). */
static void add_users(const struct eddy_train_result *network,
                      const struct eddy_features *users, struct eddy_build_cases *cases)
{
    float *params = network->fitted ? network->fitted : network->params;
    const float *table = eddy_global(&network->layout, params, EDDY_G_USER_FEATURES);
    uint32_t H = network->layout.shape.hidden;
    for (uint32_t i = 0; i < cases->count; i++)
        eddy_features_add(users, cases->cases[i].user, table, H,
                          cases->queries + (size_t)i * H);
}

static int encode_all(const struct eddy_interactions *in,
                      const struct eddy_train_options *options,
                      const struct eddy_train_result *network,
                      const struct eddy_context_index *context, const struct ask *asks,
                      struct eddy_build_cases *cases)
{
    uint32_t H = network->layout.shape.hidden, users = 0;
    uint32_t *first = malloc(((size_t)cases->count + 1) * sizeof *first);
    struct encode encode = {in, options, network, cases, asks, first, context, 0};

    cases->queries = malloc(((size_t)cases->count * H + 1) * sizeof(float));
    if (first == NULL || cases->queries == NULL) {
        free(first);
        return EDDY_ENOMEM;
    }
    for (uint32_t i = 0; i < cases->count; i++)
        if (i == 0 || asks[i].begin != asks[i - 1].begin)
            first[users++] = i;
    first[users] = cases->count;
    eddy_team_run((uint32_t)options->threads, users, encode_user, &encode);
    for (uint32_t i = 0; i < cases->count; i++)
        cases->cases[i].query = cases->queries + (size_t)i * H;
    free(first);
    return encode.rc;
}

/* Rows to ask for: validation events with a history and a weight, one of `every` by draw. */
static uint32_t find_asks(const struct eddy_interactions *in,
                          const struct eddy_selection *selection, uint64_t seed,
                          double share, struct ask *ret)
{
    uint32_t count = 0;
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        uint64_t begin, cut, end;
        eddy_selection_user(selection, in, u, &begin, &cut, &end);
        for (uint64_t i = cut > begin ? cut : begin + 1; i < end; i++) {
            if (eddy_selection_weight(selection, &in->rows[i]) <= 0 ||
                eddy_draw_unit(seed, 0x6361736573, i, 0) >= share)
                continue;
            if (ret != NULL)
                ret[count] = (struct ask){i, begin};
            count++;
        }
    }
    return count;
}

/* Users as they stand after their last row. */
static uint32_t find_users(const struct eddy_interactions *in, uint64_t seed,
                           double share, struct ask *ret)
{
    uint32_t count = 0;
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++) {
        uint64_t begin = in->user_begin[u], end = in->user_begin[u + 1];
        if (begin == end || eddy_draw_unit(seed, 0x7573657273, u, 0) >= share)
            continue;
        if (ret != NULL)
            ret[count] = (struct ask){end, begin};
        count++;
    }
    return count;
}

static void fill_cases(const struct eddy_interactions *in, const struct ask *asks,
                       uint32_t recent_max, bool answers,
                       struct eddy_build_cases *cases)
{
    uint32_t repeats = 0;
    uint64_t filled = 0;
    for (uint32_t c = 0; c < cases->count; c++) {
        const struct eddy_interaction *row = &in->rows[asks[c].row];
        uint64_t begin = asks[c].begin;
        if (asks[c].row - begin > recent_max)
            begin = asks[c].row - recent_max;
        struct eddy_head_case *one = &cases->cases[c];
        *one = answers ? (struct eddy_head_case){.answer = row->item, .user = row->user}
                       : (struct eddy_head_case){.answer = EDDY_BUILD_NO_ANSWER,
                                                 .user = row[-1].user};
        one->recent.items = cases->items + filled;
        one->recent.count = (uint32_t)(asks[c].row - begin);
        bool repeat = false;
        for (uint64_t i = begin; i < asks[c].row; i++) {
            cases->items[filled++] = in->rows[i].item;
            repeat = repeat || in->rows[i].item == one->answer;
        }
        repeats += repeat ? 1 : 0;
    }
    cases->repeats = repeats * REPEATS_OF > cases->count;
}

/* What was shown before each case, by the code that plays histories. */
static int fill_shown(const struct eddy_interactions *in, const struct ask *asks,
                      struct eddy_build_cases *cases)
{
    struct eddy_shown_ring ring = {0};
    uint64_t at = 0;
    if (in->shown_begin == NULL)
        return 0;
    cases->shown =
        malloc(((size_t)cases->count * EDDY_SHOWN_MAX + 1) * sizeof *cases->shown);
    if (cases->shown == NULL)
        return EDDY_ENOMEM;
    for (uint32_t c = 0; c < cases->count; c++) {
        struct eddy_head_recent *recent = &cases->cases[c].recent;
        uint32_t user = cases->cases[c].user;
        if (c == 0 || cases->cases[c - 1].user != user) {
            ring.count = 0;
            at = in->user_begin[user];
        }
        for (; at < asks[c].row; at++)
            eddy_play_user_show(&ring, in, &in->rows[at]);
        struct eddy_head_shown *shown = cases->shown + (size_t)c * EDDY_SHOWN_MAX;
        recent->shown = shown;
        recent->shown_count =
            eddy_rank_shown(&ring, in->items, eddy_catalog_count(in->items), shown);
    }
    return 0;
}

int eddy_build_cases_init(
    struct eddy_build_cases *cases, const struct eddy_interactions *in,
    const struct eddy_selection *selection, const struct eddy_train_options *options,
    const struct eddy_train_result *network, const struct eddy_features *users,
    const struct eddy_context_index *context, struct eddy_err *err)
{
    uint32_t recent_max = (uint32_t)options->recent_events;
    uint32_t all = selection ? find_asks(in, selection, options->seed, 1, NULL)
                             : find_users(in, options->seed, 1, NULL);
    uint32_t most = selection ? CASES_MAX : USERS_MAX;
    double share = all > most ? (double)most / all : 1;
    struct ask *asks = malloc(((size_t)all + 1) * sizeof *asks);
    int rc = asks == NULL ? EDDY_ENOMEM : 0;

    *cases = (struct eddy_build_cases){0};
    if (rc == 0) {
        cases->count = selection ? find_asks(in, selection, options->seed, share, asks)
                                 : find_users(in, options->seed, share, asks);
        cases->cases = calloc((size_t)cases->count + 1, sizeof *cases->cases);
        cases->items =
            malloc(((size_t)cases->count * recent_max + 1) * sizeof(uint32_t));
        rc = cases->cases && cases->items ? 0 : EDDY_ENOMEM;
    }
    if (rc == 0)
        fill_cases(in, asks, recent_max, selection != NULL, cases);
    if (rc == 0)
        rc = fill_shown(in, asks, cases);
    if (rc == 0 && network != NULL)
        rc = encode_all(in, options, network, context, asks, cases);
    if (rc == 0 && network != NULL && users != NULL)
        add_users(network, users, cases);
    free(asks);
    if (rc == 0)
        return 0;
    eddy_build_cases_fini(cases);
    return eddy_fail(err, rc, "no memory for the events that the head is fitted on");
}

void eddy_build_cases_fini(struct eddy_build_cases *cases)
{
    free(cases->cases);
    free(cases->items);
    free(cases->shown);
    free(cases->queries);
    *cases = (struct eddy_build_cases){0};
}
