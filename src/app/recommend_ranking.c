/* Input lists are kept as one array of items with a slice per list, and lists are chained by
 * user. When the player comes to a user's end, it hands over the scores of all items; those
 * of his lists are picked and ordered in their slice. */
#include "app/recommend_ranking.h"

#include <math.h>
#include <stdlib.h>

#include "core/event.h"
#include "core/play.h"

struct list {
    uint32_t user; /* of the histories, EDDY_ITEM_NONE: none there */
    struct eddy_span id;
    size_t begin, count; /* in given */
    uint32_t next;       /* list of the same user, EDDY_ITEM_NONE: none */
};
struct eddy_ranking {
    const struct eddy_snapshot *snapshot;
    const struct eddy_interactions *interactions;
    struct eddy_catalog *ids; /* keeps the ids */
    struct list *lists;
    size_t list_count, list_capacity;
    struct eddy_ranked *given;
    size_t given_count, given_capacity;
    uint32_t *first_list; /* per user of the histories */
    struct eddy_context_row request;
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

struct eddy_ranking *eddy_ranking_new(const struct eddy_snapshot *snapshot,
                                      const struct eddy_interactions *interactions)
{
    uint32_t users = eddy_catalog_count(interactions->users);
    struct eddy_ranking *ranking = calloc(1, sizeof *ranking);
    if (ranking == NULL)
        return NULL;
    ranking->snapshot = snapshot;
    ranking->interactions = interactions;
    ranking->ids = eddy_catalog_new();
    ranking->first_list = malloc(((size_t)users + 1) * sizeof *ranking->first_list);
    if (ranking->ids == NULL || ranking->first_list == NULL) {
        eddy_ranking_free(ranking);
        return NULL;
    }
    for (uint32_t u = 0; u < users; u++)
        ranking->first_list[u] = EDDY_ITEM_NONE;
    return ranking;
}

void eddy_ranking_free(struct eddy_ranking *ranking)
{
    if (ranking == NULL)
        return;
    eddy_catalog_free(ranking->ids);
    free(ranking->lists);
    free(ranking->given);
    free(ranking->first_list);
    free(ranking);
}

/* A copy of an id that lives as long as the ranking; data NULL: memory. */
static struct eddy_span keep(struct eddy_ranking *ranking, struct eddy_span id)
{
    uint32_t at = eddy_catalog_add(ranking->ids, id);
    return at == EDDY_ITEM_NONE ? (struct eddy_span){NULL, 0}
                                : eddy_catalog_id(ranking->ids, at);
}

bool eddy_ranking_add_list(struct eddy_ranking *ranking, struct eddy_span user)
{
    void *array = ranking->lists;
    struct list list = {
        .id = keep(ranking, user),
        .user = eddy_catalog_find(ranking->interactions->users, user),
        .begin = ranking->given_count,
        .next = EDDY_ITEM_NONE,
    };
    if (list.id.data == NULL || !grow(&array, ranking->list_count,
                                      &ranking->list_capacity, sizeof *ranking->lists))
        return false;
    ranking->lists = array;
    if (list.user != EDDY_ITEM_NONE) {
        list.next = ranking->first_list[list.user];
        ranking->first_list[list.user] = (uint32_t)ranking->list_count;
    }
    ranking->lists[ranking->list_count++] = list;
    return true;
}

bool eddy_ranking_add_item(struct eddy_ranking *ranking, struct eddy_span id)
{
    void *array = ranking->given;
    struct list *list = &ranking->lists[ranking->list_count - 1];
    for (size_t i = list->begin; i < list->begin + list->count; i++)
        if (eddy_span_eq(ranking->given[i].id, id))
            return true;
    struct eddy_span kept = keep(ranking, id);
    if (kept.data == NULL || !grow(&array, ranking->given_count,
                                   &ranking->given_capacity, sizeof *ranking->given))
        return false;
    ranking->given = array;
    ranking->given[ranking->given_count++] = (struct eddy_ranked){
        .id = kept,
        .item = eddy_catalog_find(ranking->snapshot->catalog, id),
        .place = (uint32_t)list->count++,
    };
    return true;
}

uint32_t eddy_ranking_count(const struct eddy_ranking *ranking)
{
    return (uint32_t)ranking->list_count;
}

static int by_score(const void *a, const void *b)
{
    const struct eddy_ranked *x = a, *y = b;
    bool known_x = x->item != EDDY_ITEM_NONE, known_y = y->item != EDDY_ITEM_NONE;
    if (known_x != known_y)
        return known_x ? -1 : 1;
    if (known_x && (x->score > y->score || x->score < y->score))
        return x->score > y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* scores NULL: by popularity, of which the logarithm is a score. */
static void rank_list(const struct eddy_ranking *ranking, const struct list *list,
                      const float *scores)
{
    const struct eddy_snapshot *snapshot = ranking->snapshot;
    struct eddy_ranked *given = ranking->given + list->begin;
    double sum = 0;
    for (size_t i = 0; i < list->count; i++) {
        uint32_t item = given[i].item;
        if (item == EDDY_ITEM_NONE)
            continue;
        given[i].score =
            scores ? scores[item] : logf(snapshot->popularity[item] + 1e-9f);
        if (!(given[i].score > -INFINITY))
            given[i].item = EDDY_ITEM_NONE; /* the model hides it */
    }
    qsort(given, list->count, sizeof *given, by_score);
    for (size_t i = 0; i < list->count && given[i].item != EDDY_ITEM_NONE; i++)
        sum += exp((double)(given[i].score - given[0].score));
    for (size_t i = 0; i < list->count && given[i].item != EDDY_ITEM_NONE; i++)
        given[i].share = exp((double)(given[i].score - given[0].score)) / sum;
}

static bool wants_end(void *context, uint32_t user, uint64_t row)
{
    const struct eddy_ranking *ranking = context;
    return row == EDDY_PLAY_END && ranking->first_list[user] != EDDY_ITEM_NONE;
}

static void take_scores(void *context, uint32_t user, uint64_t row, const float *scores)
{
    const struct eddy_ranking *ranking = context;
    (void)row;
    for (uint32_t l = ranking->first_list[user]; l != EDDY_ITEM_NONE;
         l = ranking->lists[l].next)
        rank_list(ranking, &ranking->lists[l], scores);
}

static struct eddy_context_row request_of(void *context, uint32_t user, uint64_t row)
{
    const struct eddy_ranking *ranking = context;
    (void)user;
    (void)row;
    return ranking->request;
}

void eddy_ranking_set_request(struct eddy_ranking *ranking,
                              const struct eddy_context_row *request)
{
    ranking->request = *request;
}

int eddy_ranking_run(struct eddy_ranking *ranking, uint32_t threads,
                     const struct eddy_user_queries *users, struct eddy_err *err)
{
    uint32_t count = eddy_catalog_count(ranking->interactions->users);
    struct eddy_play play = {
        .snapshot = ranking->snapshot,
        .interactions = ranking->interactions,
        .k = 1,
        .threads = threads,
        .users = users,
        .request = request_of,
        .popularity = ranking->snapshot->popularity,
        .wants = wants_end,
        .scores = take_scores,
        .context = ranking,
    };
    for (size_t l = 0; l < ranking->list_count; l++)
        if (ranking->lists[l].user == EDDY_ITEM_NONE)
            rank_list(ranking, &ranking->lists[l], NULL);
    return count > 0 ? eddy_play_users(&play, 0, count, err) : 0;
}

const struct eddy_ranked *eddy_ranking_list(const struct eddy_ranking *ranking,
                                            uint32_t list, uint32_t *ret_count,
                                            struct eddy_span *ret_user)
{
    const struct list *found = &ranking->lists[list];
    *ret_count = (uint32_t)found->count;
    *ret_user = found->id;
    return ranking->given + found->begin;
}
