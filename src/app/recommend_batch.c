/* Batch inference.
 *
 * The file is read twice: once to know who is asked about, once to answer. Between the two
 * every user and every item is played once, however many lines name it, and what is kept of
 * him is a list of k; so memory goes with the number of different ids, not of lines. Items
 * are played as `--for-items` does: as users who have had that item alone. */
#include "app/recommend_batch.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/inputs.h"
#include "app/recommend_ranking.h"
#include "core/event.h"
#include "core/play.h"
#include "core/topk.h"
#include "io/files.h"

enum { ITEM_LIST_MAX = 500, ERROR_SIZE = 256 };

/* ---- requests --------------------------------------------------------------------- */

enum kind { REQUEST_USER, REQUEST_ITEM, REQUEST_LIST, REQUEST_BAD };

struct request {
    enum kind kind;
    json_t *object; /* NULL: no JSON object */
    const char *user, *item;
    json_t *list;
    char error[ERROR_SIZE];
};

static void fail(struct request *request, const char *what, const char *why)
{
    if (request->kind == REQUEST_BAD)
        return;
    request->kind = REQUEST_BAD;
    (void)snprintf(request->error, sizeof request->error, "%s%s", what, why);
}

static const char *id_of(struct request *request, const char *name, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL)
        fail(request, name, ": an id is a text, e.g. \"4638\"");
    else if (text[0] == 0 || strlen(text) > EDDY_ID_MAX)
        fail(request, name, ": 1 to 256 bytes are allowed");
    return text;
}

static void read_list(struct request *request)
{
    size_t i;
    json_t *value;
    if (!json_is_array(request->list) || json_array_size(request->list) == 0 ||
        json_array_size(request->list) > ITEM_LIST_MAX) {
        fail(request, "itemList", ": a list of 1 to 500 item ids is allowed");
        return;
    }
    json_array_foreach(request->list, i, value)(void) id_of(request, "itemList", value);
}

static void read_members(struct request *request)
{
    const char *name;
    json_t *value;
    json_object_foreach(request->object, name, value)
    {
        if (strcmp(name, "userId") == 0)
            request->user = id_of(request, name, value);
        else if (strcmp(name, "itemId") == 0)
            request->item = id_of(request, name, value);
        else if (strcmp(name, "itemList") == 0)
            request->list = value;
        else
            fail(request, strlen(name) < 64 ? name : "a member",
                 ": not known here; userId, itemId, itemList are");
    }
}

/* What the line asks for, of this model. request->object is owned by the caller. */
static void read_request(const struct eddy_batch *batch, struct eddy_span line,
                         struct request *ret)
{
    enum eddy_recipe_kind recipe =
        batch->recipe ? batch->recipe->kind : EDDY_RECIPE_PERSONALIZE;
    json_error_t why;
    *ret = (struct request){
        .object = json_loadb(line.data, line.size, JSON_REJECT_DUPLICATES, &why)};
    if (!json_is_object(ret->object)) {
        fail(ret, "no JSON object: ", ret->object ? "another value" : why.text);
        json_decref(ret->object);
        ret->object = NULL;
        return;
    }
    read_members(ret);
    if (ret->list != NULL) {
        ret->kind = ret->kind == REQUEST_BAD ? REQUEST_BAD : REQUEST_LIST;
        read_list(ret);
        if (ret->user == NULL)
            fail(ret, "userId", ": whose order is asked for?");
        if (recipe == EDDY_RECIPE_RELATED || recipe == EDDY_RECIPE_POPULAR)
            fail(ret, "itemList",
                 ": needs a model of users, e.g. aws-personalized-ranking");
    } else if (ret->item && (ret->user == NULL || recipe == EDDY_RECIPE_RELATED)) {
        ret->kind = ret->kind == REQUEST_BAD ? REQUEST_BAD : REQUEST_ITEM;
    } else if (ret->user == NULL) {
        fail(ret, "userId or itemId", " is missing");
    }
    if (ret->kind != REQUEST_BAD && ret->kind != REQUEST_ITEM &&
        !batch->has_histories && recipe != EDDY_RECIPE_POPULAR)
        fail(ret, "userId", ": no histories are given (-i)");
}

/* The next line that is not blank, without blanks at its ends; false: none. */
static bool next_line(struct eddy_span text, size_t *at, struct eddy_span *ret)
{
    while (*at < text.size) {
        const char *begin = text.data + *at;
        const char *end = memchr(begin, '\n', text.size - *at);
        size_t size = end ? (size_t)(end - begin) : text.size - *at;
        *at += size + 1;
        while (size > 0 && strchr(" \t\r", begin[size - 1]) != NULL)
            size--;
        while (size > 0 && (*begin == ' ' || *begin == '\t')) {
            begin++;
            size--;
        }
        *ret = (struct eddy_span){begin, size};
        if (size > 0)
            return true;
    }
    return false;
}

/* ---- answers ---------------------------------------------------------------------- */

struct answer {
    struct eddy_scored *list; /* NULL: not asked for, or not answered yet */
    uint32_t count;
};
struct job {
    const struct eddy_batch *batch;
    struct eddy_file file;
    struct eddy_ranking *ranking; /* the itemLists, in the order of the file */
    struct eddy_catalog *items;   /* itemIds asked about */
    struct eddy_interactions item_histories;
    bool *asked;                      /* users of the histories */
    struct answer *of_user, *of_item; /* of users asked, of items asked */
    struct answer popular;            /* for those of whom nothing is known */
    _Atomic bool failed;              /* memory */
};

static bool note_request(struct job *job, const struct request *request)
{
    size_t i;
    json_t *value;
    if (request->kind == REQUEST_USER) {
        uint32_t user = eddy_catalog_find(job->batch->interactions->users,
                                          eddy_span_of(request->user));
        if (user != EDDY_ITEM_NONE)
            job->asked[user] = true;
    } else if (request->kind == REQUEST_ITEM) {
        return eddy_catalog_add(job->items, eddy_span_of(request->item)) !=
               EDDY_ITEM_NONE;
    } else if (request->kind == REQUEST_LIST) {
        if (!eddy_ranking_add_list(job->ranking, eddy_span_of(request->user)))
            return false;
        json_array_foreach(
            request->list, i,
            value) if (!eddy_ranking_add_item(job->ranking,
                                              eddy_span_of(json_string_value(
                                                  value)))) return false;
    }
    return true;
}

static int note_requests(struct job *job, struct eddy_err *err)
{
    struct eddy_span line;
    bool fine = true;
    for (size_t at = 0; fine && next_line(job->file.bytes, &at, &line);) {
        struct request request;
        read_request(job->batch, line, &request);
        fine = note_request(job, &request);
        json_decref(request.object);
    }
    return fine ? 0
                : eddy_fail(err, EDDY_ENOMEM, "%s: no memory for the requests",
                            job->batch->path);
}

/* The k best of the scores, with their share of the exponentials of all; of popularity
 * (shares already) of its sum. */
static bool take_best(const struct eddy_batch *batch, const float *scores,
                      bool popularity, struct answer *ret)
{
    const struct eddy_kernels *kernels = eddy_kernels_get();
    uint32_t items = batch->snapshot->layout.shape.items;
    struct eddy_topk topk;
    double sum = 0;
    ret->list = malloc(((size_t)batch->k + 1) * sizeof *ret->list);
    if (ret->list == NULL || eddy_topk_init(&topk, batch->k) < 0)
        return false;
    eddy_topk_begin(&topk, batch->k);
    for (uint32_t i = 0; i < items; i += EDDY_TOPK_TILE) {
        uint32_t n = items - i < EDDY_TOPK_TILE ? items - i : EDDY_TOPK_TILE;
        eddy_topk_push(&topk, kernels, scores + i, n, i);
    }
    ret->count = eddy_topk_finish(&topk, kernels, ret->list);
    eddy_topk_fini(&topk);
    float max = ret->count > 0 ? ret->list[0].score : 0;
    for (uint32_t i = 0; i < items; i++)
        sum += popularity ? (double)scores[i] : (double)expf(scores[i] - max);
    for (uint32_t i = 0; i < ret->count && sum > 0; i++) {
        double score = (double)ret->list[i].score;
        ret->list[i].score =
            (float)((popularity ? score : exp(score - (double)max)) / sum);
    }
    return true;
}

static bool wants_user(void *context, uint32_t user, uint64_t row)
{
    const struct job *job = context;
    return row == EDDY_PLAY_END && job->asked[user];
}

static bool wants_item(void *context, uint32_t user, uint64_t row)
{
    (void)context, (void)user;
    return row == EDDY_PLAY_END;
}

/* scores NULL: the popular ones are his. */
static void take_user(void *context, uint32_t user, uint64_t row, const float *scores)
{
    struct job *job = context;
    (void)row;
    if (scores && !take_best(job->batch, scores, false, &job->of_user[user]))
        job->failed = true;
}

static void take_item(void *context, uint32_t item, uint64_t row, const float *scores)
{
    struct job *job = context;
    (void)row;
    if (scores && !take_best(job->batch, scores, false, &job->of_item[item]))
        job->failed = true;
}

static struct eddy_context_row request_of(void *context, uint32_t user, uint64_t row)
{
    const struct job *job = context;
    (void)user;
    (void)row;
    return job->batch->request;
}

static int play(struct job *job, struct eddy_err *err)
{
    const struct eddy_batch *batch = job->batch;
    uint32_t users = eddy_catalog_count(batch->interactions->users);
    uint32_t items = eddy_catalog_count(job->items);
    struct eddy_play play = {
        .snapshot = batch->snapshot,
        .interactions = batch->interactions,
        .k = 1,
        .threads = batch->threads,
        .exclude_seen = batch->exclude_seen,
        .users = batch->users,
        .popularity = batch->snapshot->popularity,
        .request = request_of,
        .wants = wants_user,
        .scores = take_user,
        .context = job,
    };
    int r = users > 0 ? eddy_play_users(&play, 0, users, err) : 0;
    if (r == 0 && items > 0) {
        r = eddy_inputs_of_items(job->items, batch->path, batch->snapshot->catalog,
                                 &job->item_histories, err);
        play.interactions = &job->item_histories;
        play.exclude_seen = true;
        play.users = NULL;
        play.wants = wants_item;
        play.scores = take_item;
        if (r == 0)
            r = eddy_play_users(&play, 0, items, err);
    }
    if (r == 0)
        r = eddy_ranking_run(job->ranking, batch->threads, batch->users, err);
    if (r == 0 && (job->failed ||
                   !take_best(batch, batch->snapshot->popularity, true, &job->popular)))
        r = eddy_fail(err, EDDY_ENOMEM, "%s: no memory for the lists", batch->path);
    return r;
}

/* ---- output ----------------------------------------------------------------------- */

static void put_answer(const struct job *job, const struct answer *answer,
                       struct eddy_buf *out)
{
    const struct eddy_batch *batch = job->batch;
    bool plain = batch->recipe && (batch->recipe->kind == EDDY_RECIPE_RELATED ||
                                   batch->recipe->kind == EDDY_RECIPE_POPULAR);
    eddy_buf_puts(out, "{\"recommendedItems\":[");
    for (uint32_t i = 0; i < answer->count; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        eddy_buf_put_json_string(out, eddy_catalog_id(batch->snapshot->catalog,
                                                      answer->list[i].item));
    }
    eddy_buf_puts(out, plain ? "]" : "],\"scores\":[");
    for (uint32_t i = 0; !plain && i < answer->count; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        eddy_buf_put_fixed(out, (double)answer->list[i].score, 7);
    }
    eddy_buf_puts(out, plain ? "}" : "]}");
}

/* Unknown items come last and have no score. */
static void put_ranked(const struct job *job, uint32_t at, struct eddy_buf *out)
{
    uint32_t count;
    struct eddy_span user;
    const struct eddy_ranked *list = eddy_ranking_list(job->ranking, at, &count, &user);
    eddy_buf_puts(out, "{\"recommendedItems\":[");
    for (uint32_t i = 0; i < count; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        eddy_buf_put_json_string(out, list[i].id);
    }
    eddy_buf_puts(out, "],\"scores\":[");
    for (uint32_t i = 0; i < count && list[i].item != EDDY_ITEM_NONE; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        eddy_buf_put_fixed(out, list[i].share, 7);
    }
    eddy_buf_puts(out, "]}");
}

static const struct answer *answer_of(const struct job *job,
                                      const struct request *request)
{
    bool item = request->kind == REQUEST_ITEM;
    const struct eddy_catalog *ids =
        item ? job->items : job->batch->interactions->users;
    uint32_t at =
        eddy_catalog_find(ids, eddy_span_of(item ? request->item : request->user));
    const struct answer *answer = at == EDDY_ITEM_NONE ? NULL
                                  : item               ? &job->of_item[at]
                                                       : &job->of_user[at];
    return answer && answer->list ? answer : &job->popular;
}

static void put_line(const struct job *job, struct eddy_span line,
                     const struct request *request, uint32_t list, struct eddy_buf *out)
{
    eddy_buf_puts(out, "{\"input\":");
    if (request->object != NULL)
        eddy_buf_put(out, line.data, line.size);
    else
        eddy_buf_put_json_string(out, line);
    eddy_buf_puts(out, ",\"output\":");
    if (request->kind == REQUEST_BAD)
        eddy_buf_puts(out, "null");
    else if (request->kind == REQUEST_LIST)
        put_ranked(job, list, out);
    else
        put_answer(job, answer_of(job, request), out);
    eddy_buf_puts(out, ",\"error\":");
    if (request->kind == REQUEST_BAD)
        eddy_buf_put_json_string(out, eddy_span_of(request->error));
    else
        eddy_buf_puts(out, "null");
    eddy_buf_puts(out, "}\n");
}

static int write_lines(struct job *job, FILE *file, struct eddy_batch_counts *counts,
                       struct eddy_err *err)
{
    enum { WRITE_SIZE = 1 << 18 };
    struct eddy_span line;
    struct eddy_buf out;
    uint32_t list = 0;
    bool fine = true;
    eddy_buf_init(&out, 0);
    for (size_t at = 0; fine && next_line(job->file.bytes, &at, &line);) {
        struct request request;
        read_request(job->batch, line, &request);
        put_line(job, line, &request, list, &out);
        list += request.kind == REQUEST_LIST;
        counts->lines++;
        counts->errors += request.kind == REQUEST_BAD;
        json_decref(request.object);
        if (out.size < WRITE_SIZE && !out.failed)
            continue;
        fine = !out.failed && fwrite(out.data, 1, out.size, file) == out.size;
        eddy_buf_clear(&out);
    }
    fine = fine && !out.failed &&
           (out.size == 0 || fwrite(out.data, 1, out.size, file) == out.size);
    int r = fine ? 0
                 : eddy_fail(err, out.failed ? EDDY_ENOMEM : EDDY_EIO,
                             "the answers could not be written: %s",
                             out.failed ? "no memory" : strerror(errno));
    eddy_buf_fini(&out);
    return r;
}

static void free_answers(struct answer *answers, uint32_t count)
{
    for (uint32_t i = 0; answers && i < count; i++)
        free(answers[i].list);
    free(answers);
}

static int prepare(struct job *job, struct eddy_err *err)
{
    const struct eddy_batch *batch = job->batch;
    size_t users = eddy_catalog_count(batch->interactions->users);
    job->ranking = eddy_ranking_new(batch->snapshot, batch->interactions);
    if (job->ranking != NULL)
        eddy_ranking_set_request(job->ranking, &batch->request);
    job->items = eddy_catalog_new();
    job->asked = calloc(users + 1, sizeof *job->asked);
    job->of_user = calloc(users + 1, sizeof *job->of_user);
    if (!job->ranking || !job->items || !job->asked || !job->of_user)
        return eddy_fail(err, EDDY_ENOMEM, "%s: no memory for %zu users", batch->path,
                         users);
    int r = note_requests(job, err);
    if (r < 0)
        return r;
    job->of_item =
        calloc((size_t)eddy_catalog_count(job->items) + 1, sizeof *job->of_item);
    return job->of_item ? 0
                        : eddy_fail(err, EDDY_ENOMEM, "%s: no memory for the items",
                                    batch->path);
}

int eddy_batch_run(const struct eddy_batch *batch, FILE *out,
                   struct eddy_batch_counts *ret_counts, struct eddy_err *err)
{
    struct job job = {.batch = batch};
    *ret_counts = (struct eddy_batch_counts){0};
    int r = eddy_file_open(batch->path, &job.file, err);
    if (r < 0)
        return r;
    r = prepare(&job, err);
    if (r == 0)
        r = play(&job, err);
    if (r == 0)
        r = write_lines(&job, out, ret_counts, err);
    free_answers(job.of_user, eddy_catalog_count(batch->interactions->users));
    free_answers(job.of_item, job.items ? eddy_catalog_count(job.items) : 0);
    free(job.popular.list);
    free(job.asked);
    eddy_interactions_fini(&job.item_histories);
    eddy_catalog_free(job.items);
    eddy_ranking_free(job.ranking);
    eddy_file_close(&job.file);
    return r;
}
