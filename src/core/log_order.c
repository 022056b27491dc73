/* The newest rows of a log, in order: a heap of as many as are asked for, the oldest of them
 * in front, then a sort of those. Rows are looked at from the last user to the first: users
 * are numbered in the order of the file, which is mostly that of time, so that the heap soon
 * holds rows that few others are newer than. */
#include "core/log_order.h"

struct place {
    int64_t ts_ms;
    uint64_t index;
    uint32_t row;
};

/* index: rows that came from nowhere have one number. */
static int by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->ts_ms != y->ts_ms)
        return x->ts_ms < y->ts_ms ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void sink(struct place *heap, uint64_t count, uint64_t at)
{
    struct place moving = heap[at];
    for (uint64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && by_time(&heap[child + 1], &heap[child]) < 0)
            child++;
        if (by_time(&moving, &heap[child]) <= 0)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* The newest rows that are wanted into places (room), in no order; how many. */
static uint64_t find_newest(const struct eddy_interactions *in,
                            eddy_log_wants_fn *wants, const void *context,
                            struct place *places, uint64_t room)
{
    uint64_t count = 0;
    for (uint64_t i = in->count; room > 0 && i-- > 0;) {
        struct place place = {in->rows[i].ts_ms, i, in->rows[i].row};
        if (count == room && by_time(&place, &places[0]) < 0)
            continue;
        if (wants != NULL && !wants(context, in, i))
            continue;
        if (count == room) {
            places[0] = place;
            sink(places, room, 0);
            continue;
        }
        places[count++] = place;
        for (uint64_t at = room; count == room && at-- > 0;)
            sink(places, room, at);
    }
    return count;
}

uint64_t *eddy_log_newest(const struct eddy_interactions *interactions, uint64_t most,
                          eddy_log_wants_fn *wants, const void *context,
                          uint64_t *ret_count, int *ret_code, struct eddy_err *err)
{
    const struct eddy_spill *spill = interactions->spill;
    uint64_t room = interactions->count < most ? interactions->count : most;
    struct place *places =
        eddy_spill_new(spill, (room + 1) * sizeof *places, ret_code, err);
    if (places == NULL)
        return NULL;
    uint64_t count = find_newest(interactions, wants, context, places, room);
    places = eddy_spill_sort(places, count, sizeof *places, 0, by_time, ret_code, err);
    if (places == NULL)
        return NULL;
    uint64_t *order = eddy_spill_new(spill, (count + 1) * sizeof *order, ret_code, err);
    for (uint64_t i = 0; order != NULL && i < count; i++)
        order[i] = places[i].index;
    eddy_spill_free(places);
    *ret_count = count;
    return order;
}
