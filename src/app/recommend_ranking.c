/* Input lists are kept as one array of items with a slice per line of the file, and lines
 * are chained by user. When the player comes to a user's end, it hands over the scores of
 * all items; those of his lines are picked, and the text of a line waits in its place until
 * all users are done, because lines are written in the order of the file. */
#include "app/recommend_ranking.h"

#include <math.h>
#include <stdlib.h>

#include "app/recommend_lists.h"
#include "core/csv.h"
#include "core/event.h"
#include "core/play.h"
#include "core/text.h"
#include "io/files.h"

struct given {
    struct eddy_span id; /* in the file, or in texts */
    uint32_t item;       /* EDDY_ITEM_NONE: unknown to the model */
    float score;
    uint32_t place;
};
struct line {
    uint32_t user; /* of the histories, EDDY_ITEM_NONE: none there */
    struct eddy_span id;
    size_t begin, count; /* in given */
    uint32_t next;       /* line of the same user, EDDY_ITEM_NONE: none */
    struct eddy_buf text;
};
struct job {
    const struct eddy_ranking *ranking;
    struct eddy_file file;
    struct eddy_catalog *ids; /* keeps ids that the CSV reader had to unquote */
    struct line *lines;
    uint32_t line_count, line_capacity;
    struct given *given;
    size_t given_count, given_capacity;
    uint32_t *first_line; /* per user of the histories */
};

static bool grow(void **array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? 2 * *capacity : 256;
    void *grown = realloc(*array, more * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = more;
    return true;
}

/* A copy of an id that lives as long as the job. */
static struct eddy_span keep(struct job *job, struct eddy_span id)
{
    uint32_t at = eddy_catalog_add(job->ids, id);
    return at == EDDY_ITEM_NONE ? (struct eddy_span){NULL, 0}
                                : eddy_catalog_id(job->ids, at);
}

static bool add_given(struct job *job, struct line *line, struct eddy_span id)
{
    void *array = job->given;
    for (size_t i = line->begin; i < line->begin + line->count; i++)
        if (eddy_span_eq(job->given[i].id, id))
            return true;
    struct eddy_span kept = keep(job, id);
    if (kept.data == NULL ||
        !grow(&array, job->given_count, &job->given_capacity, sizeof *job->given))
        return false;
    job->given = array;
    job->given[job->given_count++] = (struct given){
        .id = kept,
        .item = eddy_catalog_find(job->ranking->snapshot->catalog, id),
        .place = (uint32_t)line->count++,
    };
    return true;
}

static int fail_at(const struct eddy_csv *csv, const char *column, const char *why,
                   struct eddy_err *err)
{
    return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column %s: %s", csv->name,
                     (unsigned long long)csv->line, column, why);
}

static int add_line(struct job *job, const struct eddy_csv *csv, struct eddy_span user,
                    struct eddy_span items, struct eddy_err *err)
{
    size_t capacity = job->line_capacity;
    void *array = job->lines;
    if (user.size == 0 || user.size > EDDY_ID_MAX)
        return fail_at(csv, "USER_ID", "1 to 256 bytes are allowed", err);
    if (items.size == 0)
        return fail_at(csv, "ITEM_IDS", "empty; write ids joined by |", err);
    struct line line = {
        .id = keep(job, user),
        .user = eddy_catalog_find(job->ranking->interactions->users, user),
        .begin = job->given_count,
        .next = EDDY_ITEM_NONE,
    };
    bool fine = line.id.data != NULL &&
                grow(&array, job->line_count, &capacity, sizeof *job->lines);
    job->lines = array;
    job->line_capacity = (uint32_t)capacity;
    for (size_t at = 0; fine && at <= items.size;) {
        const char *bar = memchr(items.data + at, '|', items.size - at);
        size_t end = bar ? (size_t)(bar - items.data) : items.size;
        if (end == at || end - at > EDDY_ID_MAX)
            return fail_at(csv, "ITEM_IDS", "an id of 0 or more than 256 bytes", err);
        fine = add_given(job, &line, (struct eddy_span){items.data + at, end - at});
        at = end + 1;
    }
    if (!fine)
        return eddy_fail(err, EDDY_ENOMEM, "%s:%llu: no memory for the list", csv->name,
                         (unsigned long long)csv->line);
    eddy_buf_init(&line.text, 0);
    if (line.user != EDDY_ITEM_NONE) {
        line.next = job->first_line[line.user];
        job->first_line[line.user] = job->line_count;
    }
    job->lines[job->line_count++] = line;
    return 0;
}

static int read_lines(struct job *job, struct eddy_err *err)
{
    struct eddy_csv csv;
    uint32_t user = EDDY_ITEM_NONE, items = EDDY_ITEM_NONE;
    eddy_csv_init(&csv, job->file.bytes, job->ranking->input_lists);
    int r = eddy_csv_next(&csv, err);
    for (uint32_t i = 0; r == 1 && i < csv.count; i++) {
        if (eddy_span_eq_nocase(csv.fields[i], eddy_span_of("USER_ID")))
            user = i;
        if (eddy_span_eq_nocase(csv.fields[i], eddy_span_of("ITEM_IDS")))
            items = i;
    }
    uint32_t columns = csv.count;
    if (r >= 0 && (user == EDDY_ITEM_NONE || items == EDDY_ITEM_NONE))
        r = eddy_fail(err, EDDY_EFORMAT,
                      "%s:1: Input CSV is missing the following columns:[%s%s%s]",
                      csv.name, user == EDDY_ITEM_NONE ? "USER_ID" : "",
                      user == items ? ", " : "",
                      items == EDDY_ITEM_NONE ? "ITEM_IDS" : "");
    while (r >= 0 && (r = eddy_csv_next(&csv, err)) == 1) {
        if (csv.count != columns)
            r = eddy_fail(err, EDDY_EFORMAT, "%s:%llu: %u fields, the header has %u",
                          csv.name, (unsigned long long)csv.line, csv.count, columns);
        else
            r = add_line(job, &csv, csv.fields[user], csv.fields[items], err);
    }
    eddy_csv_fini(&csv);
    return r;
}

static int by_score(const void *a, const void *b)
{
    const struct given *x = a, *y = b;
    bool known_x = x->item != EDDY_ITEM_NONE, known_y = y->item != EDDY_ITEM_NONE;
    if (known_x != known_y)
        return known_x ? -1 : 1;
    if (known_x && (x->score > y->score || x->score < y->score))
        return x->score > y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* scores NULL: by popularity, of which the logarithm is a score. */
static void rank_line(const struct job *job, struct line *line, const float *scores)
{
    const struct eddy_snapshot *snapshot = job->ranking->snapshot;
    struct given *given = job->given + line->begin;
    double sum = 0;
    for (size_t i = 0; i < line->count; i++) {
        uint32_t item = given[i].item;
        if (item == EDDY_ITEM_NONE)
            continue;
        given[i].score =
            scores ? scores[item] : logf(snapshot->popularity[item] + 1e-9f);
        if (!(given[i].score > -INFINITY))
            given[i].item = EDDY_ITEM_NONE; /* the model hides it */
    }
    qsort(given, line->count, sizeof *given, by_score);
    for (size_t i = 0; i < line->count && given[i].item != EDDY_ITEM_NONE; i++)
        sum += exp((double)(given[i].score - given[0].score));
    for (size_t i = 0; i < line->count; i++) {
        eddy_lists_put_id(line->id, &line->text);
        eddy_buf_printf(&line->text, "\t%zu\t", i + 1);
        eddy_lists_put_id(given[i].id, &line->text);
        eddy_buf_putc(&line->text, '\t');
        if (given[i].item != EDDY_ITEM_NONE)
            eddy_buf_put_fixed(&line->text,
                               exp((double)(given[i].score - given[0].score)) / sum, 7);
        eddy_buf_putc(&line->text, '\n');
    }
}

static bool wants_end(void *context, uint32_t user, uint64_t row)
{
    const struct job *job = context;
    return row == EDDY_PLAY_END && job->first_line[user] != EDDY_ITEM_NONE;
}

static void take_scores(void *context, uint32_t user, uint64_t row, const float *scores)
{
    struct job *job = context;
    (void)row;
    for (uint32_t l = job->first_line[user]; l != EDDY_ITEM_NONE;
         l = job->lines[l].next)
        rank_line(job, &job->lines[l], scores);
}

static int rank_all(struct job *job, struct eddy_err *err)
{
    const struct eddy_ranking *ranking = job->ranking;
    uint32_t users = eddy_catalog_count(ranking->interactions->users);
    struct eddy_play play = {
        .snapshot = ranking->snapshot,
        .interactions = ranking->interactions,
        .k = 1,
        .threads = ranking->threads,
        .users = ranking->users,
        .request = ranking->request,
        .popularity = ranking->snapshot->popularity,
        .wants = wants_end,
        .scores = take_scores,
        .context = job,
    };
    for (uint32_t l = 0; l < job->line_count; l++)
        if (job->lines[l].user == EDDY_ITEM_NONE)
            rank_line(job, &job->lines[l], NULL);
    return users > 0 ? eddy_play_users(&play, 0, users, err) : 0;
}

static int write_all(struct job *job, struct eddy_buf *out, struct eddy_err *err)
{
    bool failed = false;
    for (uint32_t l = 0; l < job->line_count; l++) {
        struct eddy_buf *text = &job->lines[l].text;
        failed = failed || text->failed;
        eddy_buf_put(out, text->data, text->size);
    }
    return failed || out->failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for lists")
                                 : 0;
}

int eddy_ranking_run(const struct eddy_ranking *ranking, struct eddy_buf *out,
                     uint64_t *ret_lists, struct eddy_err *err)
{
    struct job job = {.ranking = ranking};
    uint32_t users = eddy_catalog_count(ranking->interactions->users);
    int r = eddy_file_open(ranking->input_lists, &job.file, err);
    if (r < 0)
        return r;
    job.ids = eddy_catalog_new();
    job.first_line = malloc(((size_t)users + 1) * sizeof *job.first_line);
    if (job.ids == NULL || job.first_line == NULL)
        r = eddy_fail(err, EDDY_ENOMEM, "no memory for the lists of %u users", users);
    for (uint32_t u = 0; r == 0 && u < users; u++)
        job.first_line[u] = EDDY_ITEM_NONE;
    if (r == 0)
        r = read_lines(&job, err);
    if (r == 0)
        r = rank_all(&job, err);
    if (r == 0)
        r = write_all(&job, out, err);
    *ret_lists = job.line_count;
    for (uint32_t l = 0; l < job.line_count; l++)
        eddy_buf_fini(&job.lines[l].text);
    free(job.lines);
    free(job.given);
    free(job.first_line);
    eddy_catalog_free(job.ids);
    eddy_file_close(&job.file);
    return r;
}
