/* The folded side of a partition is kept whole, by hash of the user; the live side is then
 * compared user by user as Redis names them, so only one side takes memory. */
#include "app/replay_compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/tools.h"
#include "base/hash.h"
#include "core/state.h"

struct user {
    struct eddy_span user, blob, list; /* arena */
    bool seen;
};

struct folded {
    struct eddy_compare *compare;
    struct eddy_arena *arena;
    struct eddy_map map;
    struct user *users;
    uint32_t count, capacity;
};

enum { FLOATS = (EDDY_LAYERS_MAX + 2) * EDDY_HIDDEN_MAX };

static int remember(void *context, struct eddy_span user, struct eddy_span blob,
                    struct eddy_span list)
{
    struct folded *folded = context;
    if (folded->count == folded->capacity) {
        uint32_t capacity = folded->capacity ? 2 * folded->capacity : 1024;
        struct user *grown = realloc(folded->users, capacity * sizeof *grown);
        if (!grown)
            return EDDY_ENOMEM;
        folded->users = grown;
        folded->capacity = capacity;
    }
    struct user *entry = &folded->users[folded->count];
    *entry = (struct user){eddy_arena_copy(folded->arena, user),
                           eddy_arena_copy(folded->arena, blob),
                           eddy_arena_copy(folded->arena, list), false};
    if (!entry->user.data || !entry->blob.data || !entry->list.data)
        return EDDY_ENOMEM;
    return eddy_map_put(&folded->map, eddy_hash64(user), folded->count++);
}

/* ---- what differs ---------------------------------------------------------------- */

static const char *hidden_difference(const struct eddy_state *a,
                                     const struct eddy_state *b, char *out, size_t size)
{
    float largest = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < a->hidden_count && i < b->hidden_count; i++) {
        float difference = fabsf(a->hidden[i] - b->hidden[i]);
        if (difference > largest) {
            largest = difference;
            at = i;
        }
    }
    (void)snprintf(out, size, "hidden state: largest difference %.3g at float %u of %u",
                   (double)largest, at, a->hidden_count);
    return out;
}

static const char *state_difference(const struct eddy_state *a,
                                    const struct eddy_state *b, char *out, size_t size)
{
    if (a->revision != b->revision)
        (void)snprintf(out, size, "revision: log %" PRIu64 ", redis %" PRIu64,
                       a->revision, b->revision);
    else if (strcmp(a->snapshot, b->snapshot) != 0)
        (void)snprintf(out, size, "snapshot: log %s, redis %s", a->snapshot,
                       b->snapshot);
    else if (a->event_count != b->event_count || a->session_count != b->session_count)
        (void)snprintf(out, size,
                       "events and sessions: log %" PRIu64 ", %" PRIu64
                       "; redis %" PRIu64 ", %" PRIu64,
                       a->event_count, a->session_count, b->event_count,
                       b->session_count);
    else if (a->recent_count != b->recent_count ||
             memcmp(a->recent, b->recent, a->recent_count * sizeof *a->recent) != 0)
        (void)snprintf(out, size, "recent events: log %u, redis %u or other ones",
                       a->recent_count, b->recent_count);
    else if (a->hidden_count != b->hidden_count ||
             memcmp(a->hidden, b->hidden, a->hidden_count * sizeof *a->hidden) != 0)
        return hidden_difference(a, b, out, size);
    else if (a->context_count != b->context_count ||
             memcmp(a->context, b->context, a->context_count * sizeof *a->context) != 0)
        (void)snprintf(out, size, "context of recent events");
    else if (a->shown.count != b->shown.count ||
             memcmp(a->shown.entries, b->shown.entries,
                    a->shown.count * sizeof *a->shown.entries) != 0)
        (void)snprintf(out, size, "items shown: log %u, redis %u or other ones",
                       a->shown.count, b->shown.count);
    else
        (void)snprintf(out, size, "times or event ids");
    return out;
}

static const char *blob_difference(struct eddy_span a, struct eddy_span b, char *out,
                                   size_t size)
{
    size_t slot = eddy_state_size(FLOATS, EDDY_RECENT_MAX);
    size_t rounded = (slot + 63) / 64 * 64;
    char *memory = aligned_alloc(64, 2 * rounded);
    if (!memory)
        return "state";
    struct eddy_state *left = eddy_state_init(memory, FLOATS, EDDY_RECENT_MAX);
    struct eddy_state *right =
        eddy_state_init(memory + rounded, FLOATS, EDDY_RECENT_MAX);
    if (eddy_state_decode(a, left, NULL) < 0 || eddy_state_decode(b, right, NULL) < 0)
        (void)snprintf(out, size, "state: one of them is damaged");
    else
        (void)state_difference(left, right, out, size);
    free(memory);
    return out;
}

static void report(struct folded *folded, struct eddy_span user, const char *what)
{
    struct eddy_compare *compare = folded->compare;
    compare->differing++;
    if (compare->shown++ >= compare->show_max)
        return;
    (void)fprintf(stderr, "partition %u, user \"", compare->partition);
    eddy_tool_print_text(stderr, user, 80);
    (void)fprintf(stderr, "\": %s\n", what);
}

static int compare_user(void *context, struct eddy_span user, struct eddy_span blob,
                        struct eddy_span list)
{
    struct folded *folded = context;
    char text[200];
    uint32_t index = eddy_map_get(&folded->map, eddy_hash64(user));
    if (index == EDDY_MAP_NONE) {
        report(folded, user, "only in Redis");
        return 0;
    }
    struct user *mine = &folded->users[index];
    mine->seen = true;
    if (!eddy_span_eq(mine->blob, blob)) {
        report(folded, user, blob_difference(mine->blob, blob, text, sizeof text));
    } else if (!eddy_span_eq(mine->list, list)) {
        (void)snprintf(text, sizeof text, "list (%zu and %zu bytes), states are equal",
                       mine->list.size, list.size);
        report(folded, user, text);
    }
    return 0;
}

int eddy_compare_partition(struct eddy_compare *compare, struct eddy_err *err)
{
    struct folded folded = {.compare = compare};
    folded.arena = eddy_arena_new(1 << 20, (size_t)1 << 40);
    int r = folded.arena && eddy_map_init(&folded.map, 1024) == 0
                ? 0
                : eddy_fail(err, EDDY_ENOMEM, "out of memory");
    if (r == 0)
        r = eddy_store_scan_users(compare->folded, compare->partition, remember,
                                  &folded, err);
    if (r == 0)
        r = eddy_store_scan_users(compare->live, compare->partition, compare_user,
                                  &folded, err);
    if (r == EDDY_ENOMEM)
        (void)eddy_fail(err, r, "out of memory");
    for (uint32_t i = 0; i < folded.count && r == 0; i++)
        if (!folded.users[i].seen)
            report(&folded, folded.users[i].user, "only in the log");
    eddy_map_fini(&folded.map);
    free(folded.users);
    eddy_arena_free(folded.arena);
    return r;
}
