/* What a stream has to beat, and by how much it does.
 *
 *     stream_floor INTERACTIONS.csv FROM [LISTS.tsv]
 *
 * INTERACTIONS.csv is played in file order. Every event of a user but his first, at or after
 * FROM (Unix milliseconds), is a query, answered from all events before it in the file by
 *   markov   counts of what followed the user's last item, over all users so far
 *   recent   counts of the last hour
 *   blend a  a count / support + (1 - a) share of the last hour
 * each moved by every event. LISTS.tsv (query USER:n, rank, item, score, as `eddy recommend
 * --every-event --stream --from FROM -k 20` writes them) is scored on the same queries; a
 * query without a list counts as missed. Of equal scores half stand before the answer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/interactions.h"
#include "io/files.h"

enum { HOUR_MS = 3600000, K = 20, BLENDS = 5, METHODS = 2 + BLENDS };
static const double blends[BLENDS] = {0.9, 0.8, 0.7, 0.5, 0.3};

struct follower {
    uint32_t item, count;
};
struct row {
    struct follower *followers;
    uint32_t count, capacity, support;
};
struct score {
    double hits, reciprocal;
    uint64_t queries;
};

static struct eddy_interactions in;
static struct row *rows;     /* per item */
static uint32_t *recent;     /* per item: events of the last hour */
static uint32_t *with_count; /* Fenwick tree: items by their count in recent */
static uint32_t count_max, items, recent_total;
static struct score scores[METHODS], lists_score;

static void *need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "stream_floor: no memory\n");
        abort();
    }
    return memory;
}

static void tree_add(uint32_t count, uint32_t change)
{
    for (uint32_t i = count + 1; i <= count_max + 1; i += i & (~i + 1))
        with_count[i] += change; /* modulo 2^32: subtracting works, too */
}

/* Items with a count of at most `count`. */
static uint32_t tree_sum(uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = count + 1; i > 0; i &= i - 1)
        sum += with_count[i];
    return sum;
}

static void move_recent(uint32_t item, int change)
{
    tree_add(recent[item], UINT32_MAX); /* -1 */
    recent[item] += (uint32_t)change;
    recent_total += (uint32_t)change;
    tree_add(recent[item], 1);
}

static void note_rank(struct score *score, double rank)
{
    score->queries++;
    if (rank < K) {
        score->hits++;
        score->reciprocal += 1 / (rank + 1);
    }
}

/* Rank (from 0) of the answer among all items by a count / support + b share; 1e9: it has
 * no score. */
static double rank_of(const struct row *row, uint32_t answer, double a, double b)
{
    double total = recent_total > 0 ? recent_total : 1, own = 0, before = 0;
    double by_count = a / (row->support > 0 ? row->support : 1), by_share = b / total;
    for (uint32_t i = 0; i < row->count; i++)
        if (row->followers[i].item == answer)
            own = by_count * row->followers[i].count;
    own += by_share * recent[answer];
    if (!(own > 0))
        return 1e9;
    if (b > 0) { /* everybody by his share, then the followers again with theirs */
        double limit = floor(own / by_share + 1e-9);
        uint32_t at_most = limit >= count_max ? count_max : (uint32_t)limit;
        before = items - tree_sum(at_most);
    }
    for (uint32_t i = 0; i < row->count; i++) {
        const struct follower *follower = &row->followers[i];
        double share = by_share * recent[follower->item];
        double value = share + by_count * follower->count;
        if (follower->item == answer)
            continue;
        before -= b > 0 && share > own + 1e-15 ? 1 : 0;
        before += value > own ? 1 : value == own ? 0.5 : 0;
    }
    return before;
}

static void answer_query(uint32_t last, uint32_t answer)
{
    static const struct row nothing;
    const struct row *row = &rows[last];
    note_rank(&scores[0], rank_of(row, answer, 1, 0));
    note_rank(&scores[1], rank_of(&nothing, answer, 0, 1));
    for (int i = 0; i < BLENDS; i++)
        note_rank(&scores[2 + i], rank_of(row, answer, blends[i], 1 - blends[i]));
}

static void follow(uint32_t last, uint32_t item)
{
    struct row *row = &rows[last];
    row->support++;
    for (uint32_t i = 0; i < row->count; i++)
        if (row->followers[i].item == item) {
            row->followers[i].count++;
            return;
        }
    if (row->count == row->capacity) {
        row->capacity = row->capacity > 0 ? 2 * row->capacity : 4;
        row->followers =
            need(realloc(row->followers, row->capacity * sizeof *row->followers));
    }
    row->followers[row->count++] = (struct follower){item, 1};
}

/* Lists in the order of the queries or any other: the answer of USER:n is his n-th event. */
static int read_lists(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char line[1024];
    if (file == NULL) {
        perror(path);
        return 1;
    }
    while (fgets(line, sizeof line, file)) {
        char *rank = strchr(line, '\t');
        char *item = rank ? strchr(rank + 1, '\t') : NULL;
        char *end = item ? strchr(item + 1, '\t') : NULL;
        char *colon = NULL;
        if (end == NULL)
            continue;
        *rank++ = *item++ = *end = '\0';
        colon = strrchr(line, ':');
        if (colon == NULL)
            continue; /* the header */
        *colon = '\0';
        uint32_t user = eddy_catalog_find(in.users, eddy_span_of(line));
        uint64_t n = strtoull(colon + 1, NULL, 10);
        uint64_t place = strtoull(rank, NULL, 10);
        if (user == EDDY_ITEM_NONE || place < 1 || place > K)
            continue;
        const struct eddy_interaction *event = &in.rows[in.user_begin[user] + n - 1];
        if (eddy_span_eq(eddy_catalog_id(in.items, event->item), eddy_span_of(item))) {
            lists_score.hits++;
            lists_score.reciprocal += 1 / (double)place;
        }
    }
    lists_score.queries = scores[0].queries;
    return file == stdin ? 0 : fclose(file);
}

static void print(const char *name, const struct score *score)
{
    double n = score->queries > 0 ? (double)score->queries : 1;
    printf("%-10s HR@20 %.4f  MRR@20 %.4f\n", name, score->hits / n,
           score->reciprocal / n);
}

static void play(int64_t from_ms)
{
    uint64_t *order = need(malloc((in.count + 1) * sizeof *order)), oldest = 0;
    uint32_t *last =
        need(malloc(((size_t)eddy_catalog_count(in.users) + 1) * sizeof *last));
    memset(last, 0xff, ((size_t)eddy_catalog_count(in.users) + 1) * sizeof *last);
    for (uint64_t i = 0; i < in.count; i++)
        order[in.rows[i].row] = i;
    for (uint64_t i = 0; i < in.count; i++) {
        const struct eddy_interaction *event = &in.rows[order[i]];
        while (in.rows[order[oldest]].ts_ms <= event->ts_ms - HOUR_MS)
            move_recent(in.rows[order[oldest++]].item, -1);
        if (last[event->user] != UINT32_MAX) {
            if (event->ts_ms >= from_ms)
                answer_query(last[event->user], event->item);
            follow(last[event->user], event->item);
        }
        last[event->user] = event->item;
        move_recent(event->item, 1);
    }
    free(order);
    free(last);
}

int main(int argc, char **argv)
{
    struct eddy_file file = {0};
    struct eddy_err err = {0};
    struct eddy_interactions_options options = {0};
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: stream_floor INTERACTIONS.csv FROM_MS [LISTS.tsv]\n");
        return 64;
    }
    if (eddy_file_open(argv[1], &file, &err) < 0 ||
        eddy_interactions_parse(file.bytes, argv[1], &options, &in, &err) < 0) {
        fprintf(stderr, "stream_floor: %s\n", err.text);
        return 1;
    }
    items = eddy_catalog_count(in.items);
    count_max = (uint32_t)(in.count < UINT32_MAX / 2 ? in.count : UINT32_MAX / 2);
    rows = need(calloc((size_t)items + 1, sizeof *rows));
    recent = need(calloc((size_t)items + 1, sizeof *recent));
    with_count = need(calloc((size_t)count_max + 2, sizeof *with_count));
    tree_add(0, items);
    play(strtoll(argv[2], NULL, 10));
    printf("%llu queries\n", (unsigned long long)scores[0].queries);
    print("markov", &scores[0]);
    print("recent", &scores[1]);
    int best = 0;
    for (int i = 0; i < BLENDS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "blend %.1f", blends[i]);
        print(name, &scores[2 + i]);
        best = scores[2 + i].hits > scores[2 + best].hits ? i : best;
    }
    if (argc == 4) {
        if (read_lists(argv[3]) != 0)
            return 1;
        print("lists", &lists_score);
        printf("lists / best blend: HR@20 %.4f  MRR@20 %.4f\n",
               lists_score.hits / scores[2 + best].hits,
               lists_score.reciprocal / scores[2 + best].reciprocal);
    }
    return 0;
}
