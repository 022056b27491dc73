/* The invariants of a wave, for the simulator and the tests of the path, which look before
 * every stage. Walking all slots of the cache is too slow for a worker. */
#include "engine/path_internal.h"

static const char *check_chain(const struct eddy_path *path, const struct path_row *row,
                               uint32_t *events)
{
    uint64_t before = 0;
    uint32_t last = EDDY_NO_EVENT;
    for (uint32_t at = row->first; at != EDDY_NO_EVENT; at = path->events[at].next) {
        if (at >= path->event_count) {
            return "a row names an event that is not in the wave";
        }
        if (last != EDDY_NO_EVENT && path->events[at].offset <= before) {
            return "a user's events are not in the order of the log";
        }
        if (!eddy_span_eq(path->events[at].event.user, row->user)) {
            return "a row holds another user's event";
        }
        before = path->events[at].offset;
        last = at;
        ++*events;
    }
    if (last != row->last) {
        return "a row does not end with its last event";
    }
    return row->moved > before + 1 ? "a list is newer than its user's last event"
                                   : NULL;
}

static const char *check_row(const struct eddy_path *path, uint32_t at)
{
    const struct path_row *row = &path->rows[at];
    const struct eddy_cached *slot = &path->cache.slots[row->slot];
    if (!row->part->owned) {
        return NULL; /* lost in this wave: its slot may be another's by now */
    }
    if (!slot->used || slot->row != at || slot->partition != row->part->partition ||
        !eddy_span_eq((struct eddy_span){slot->user, slot->user_size}, row->user)) {
        return "a row does not hold its user's slot";
    }
    if (!row->part->model || !row->part->touched) {
        return "a row's partition has no model, or no part in the wave";
    }
    return row->part->row_count > EDDY_COMMIT_USERS ? "a commit would be too large"
                                                    : NULL;
}

static const char *check_pins(const struct eddy_path *path)
{
    uint32_t pinned = 0, rows = 0;
    for (uint32_t i = 0; i < path->cache.capacity; i++) {
        pinned += path->cache.slots[i].row != EDDY_CACHE_NONE;
    }
    for (uint32_t i = 0; i < path->row_count; i++) {
        rows += path->rows[i].part->owned;
    }
    return pinned == rows ? NULL : "slots are pinned by no row";
}

static const char *check_models(const struct eddy_path *path)
{
    uint32_t uses = 0, holders = 0;
    for (const struct path_model *model = path->models; model; model = model->next) {
        uses += model->uses;
    }
    for (uint32_t i = 0; i < path->part_count; i++) {
        holders += path->parts[i] && path->parts[i]->model;
    }
    return uses == holders ? NULL : "models are counted wrongly";
}

const char *eddy_path_check(const struct eddy_path *path)
{
    const char *wrong = check_models(path);
    uint32_t events = 0;
    wrong = wrong ? wrong : check_pins(path);
    for (uint32_t i = 0; !wrong && i < path->row_count; i++) {
        wrong = check_row(path, i);
        wrong = wrong ? wrong : check_chain(path, &path->rows[i], &events);
    }
    if (!wrong && events != path->event_count) {
        wrong = "an event belongs to no user";
    }
    return wrong;
}
