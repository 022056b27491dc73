/* Validation between epochs: the newest events by time, which training never has as
 * targets. States run through them as they will in service. A pack is a task; sums of
 * tasks are added in order. */
#include <math.h>
#include <stdlib.h>

#include "core/team.h"
#include "core/train_parts.h"

enum { CUTOFF = 10 };

struct task {
    uint32_t first, count; /* sequences */
    double ndcg, hits;
};

struct run {
    struct eddy_validation *validation;
    struct task *tasks; /* of this member */
};

int eddy_train_worker_init(struct eddy_train_worker *worker,
                           const struct eddy_layout *layout, uint32_t rows_max,
                           uint32_t negatives)
{
    *worker = (struct eddy_train_worker){0};
    worker->stamp = calloc(layout->shape.items, sizeof *worker->stamp);
    if (worker->stamp == NULL ||
        eddy_net_init(&worker->net, layout, rows_max, true, negatives) < 0 ||
        eddy_pack_init(&worker->pack, rows_max) < 0) {
        eddy_train_worker_fini(worker);
        return EDDY_ENOMEM;
    }
    return 0;
}

void eddy_train_worker_fini(struct eddy_train_worker *worker)
{
    free(worker->stamp);
    eddy_net_fini(&worker->net);
    eddy_pack_fini(&worker->pack);
    *worker = (struct eddy_train_worker){0};
}

/* Rank of the target of interaction row `row` (the event after it) in scores. */
static uint32_t rank_of(const struct eddy_validation *validation,
                        struct eddy_train_worker *worker, uint64_t row,
                        const float *scores)
{
    const struct eddy_interactions *in = validation->interactions;
    const struct eddy_interaction *next = &in->rows[row + 1];
    float score = scores[next->item];
    uint32_t greater, equal;

    if (isnan(score))
        return UINT32_MAX;
    worker->net.vector->count(worker->net.items, scores, score, &greater, &equal);
    worker->serial++;
    worker->stamp[next->item] = worker->serial;
    for (uint64_t i = in->user_begin[next->user]; i <= row; i++) {
        uint32_t item = in->rows[i].item;
        if (worker->stamp[item] == worker->serial)
            continue;
        worker->stamp[item] = worker->serial;
        greater -= scores[item] > score ? 1 : 0;
        equal -= scores[item] == score ? 1 : 0;
    }
    return greater + equal; /* equal counts the target itself */
}

/* Scores for `count` rows of the pack, then their ranks. */
static void rank_rows(struct eddy_validation *validation,
                      struct eddy_train_worker *worker, struct task *task,
                      const uint32_t *rows, uint32_t count)
{
    struct eddy_net *net = &worker->net;
    size_t hidden = net->hidden;
    for (uint32_t i = 0; i < count; i++)
        memcpy(net->narrow + i * hidden, net->queries + rows[i] * hidden,
               hidden * sizeof(float));
    eddy_net_product(net, count, net->items, net->hidden, net->narrow,
                     net->params.tensor[EDDY_G_ITEM], 0, net->logits);
    for (uint32_t i = 0; i < count; i++) {
        float *scores = net->logits + (size_t)i * net->items;
        uint32_t sequence = task->first + worker->pack.sequences[rows[i]];
        uint64_t row = validation->histories->validation_row[sequence] +
                       worker->pack.positions[rows[i]];
        net->vector->add(net->items, net->params.tensor[EDDY_G_ITEM_BIAS], scores);
        uint32_t rank = rank_of(validation, worker, row, scores);
        if (rank <= CUTOFF) {
            task->hits += 1;
            task->ndcg += 1 / log2(1.0 + rank);
        }
    }
}

static void run_task(void *context, uint32_t at, uint32_t worker_at)
{
    struct run *run = context;
    struct eddy_validation *validation = run->validation;
    struct eddy_train_worker *worker = &validation->workers[worker_at];
    struct task *task = &run->tasks[at];
    const struct eddy_sequence *sequences[EDDY_PACK_SEQUENCES];
    uint32_t rows[512], count = 0;
    uint32_t chunk = worker->net.chunk < 512 ? worker->net.chunk : 512;

    for (uint32_t i = 0; i < task->count; i++)
        sequences[i] = &validation->histories->validation[task->first + i];
    eddy_pack_build(&worker->pack, worker->net.layout.shape.mode, sequences,
                    task->count);
    worker->net.params = validation->params;
    worker->net.dropout = 0;
    worker->net.users = validation->users;
    worker->net.request_share = 0; /* as lists that are made ahead of requests */
    eddy_net_forward(&worker->net, &worker->pack);
    for (uint32_t r = 0; r < worker->pack.rows; r++) {
        if (worker->pack.targets[r] == EDDY_ITEM_NONE)
            continue;
        rows[count++] = r;
        if (count == chunk) {
            rank_rows(validation, worker, task, rows, count);
            count = 0;
        }
    }
    if (count > 0)
        rank_rows(validation, worker, task, rows, count);
}

/* Consecutive sequences that fit into a pack are a task. */
static uint32_t cut_tasks(const struct eddy_histories *histories, uint32_t rows_max,
                          struct task *tasks)
{
    uint32_t count = 0, rows = 0;
    for (uint32_t i = 0; i < histories->validation_count; i++) {
        uint32_t more = histories->validation[i].count;
        if (count == 0 || rows + more > rows_max ||
            tasks[count - 1].count == EDDY_PACK_SEQUENCES) {
            tasks[count++] = (struct task){.first = i};
            rows = 0;
        }
        tasks[count - 1].count++;
        rows += more;
    }
    return count;
}

/* All members' results to all. */
static int share_tasks(const struct eddy_exchange *exchange, struct task *tasks,
                       uint32_t count, struct eddy_err *err)
{
    int r = 0;
    for (uint32_t rank = 0; exchange != NULL && r == 0 && rank < exchange->ranks;
         rank++) {
        uint32_t first, end;
        eddy_train_share_range(exchange, rank, count, &first, &end);
        if (end > first)
            r = exchange->broadcast(exchange->context, rank, tasks + first,
                                    (end - first) * sizeof *tasks, err);
    }
    return r;
}

int eddy_train_validate(struct eddy_validation *validation, struct eddy_err *err)
{
    const struct eddy_histories *histories = validation->histories;
    const struct eddy_exchange *exchange = validation->exchange;
    struct task *tasks = calloc((size_t)histories->validation_count + 1, sizeof *tasks);
    double ndcg = 0, hits = 0;
    uint32_t first, end;

    if (tasks == NULL)
        return eddy_fail(err, EDDY_ENOMEM,
                         "no memory for the validation of %llu events",
                         (unsigned long long)histories->validation_targets);
    uint32_t count = cut_tasks(histories, validation->workers[0].net.rows_max, tasks);
    eddy_train_share_range(exchange, exchange ? exchange->rank : 0, count, &first,
                           &end);
    struct run run = {validation, tasks + first};
    eddy_team_run(validation->threads, end - first, run_task, &run);
    int r = share_tasks(exchange, tasks, count, err);
    for (uint32_t i = 0; i < count; i++) {
        ndcg += tasks[i].ndcg;
        hits += tasks[i].hits;
    }
    free(tasks);
    validation->ndcg = ndcg / (double)histories->validation_targets;
    validation->hr = hits / (double)histories->validation_targets;
    return r;
}
