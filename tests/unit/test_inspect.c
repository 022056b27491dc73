/* What `eddy inspect user` and GET /v1/users/USER show of a state. */
#include "app/inspect.h"

#include <stdlib.h>

#include "base/hash.h"
#include "check.h"
#include "spans.h"

enum { HIDDEN = 2, RECENT = 4 };

/* A recent event at the end of the ring. */
static void add(struct eddy_state *state, const char *item, uint32_t contexts)
{
    state->recent[state->recent_count++] = (struct eddy_recent){
        .item_hash = eddy_hash64(S(item)),
        .ts_s = 1600000000 + state->recent_count,
        .flags = contexts << 1,
    };
}

static void context(struct eddy_state *state, const char *name, const char *text)
{
    state->context[state->context_count++] =
        eddy_context_of(eddy_context_column(S(name)), S(text));
}

static const char *text_at(const json_t *array, size_t i, const char *key)
{
    const char *text =
        json_string_value(json_object_get(json_array_get(array, i), key));
    return text ? text : "-";
}

static void events_keep_their_own_context_and_shown_items_are_listed(void)
{
    void *memory = aligned_alloc(64, eddy_state_size(HIDDEN, RECENT));
    struct eddy_state *state = eddy_state_init(memory, HIDDEN, RECENT);
    uint64_t shown[] = {eddy_hash64(S("x")), eddy_hash64(S("y"))};
    char column[16], value[16], hash[17];

    add(state, "a", 1);
    context(state, "DEVICE", "phone");
    add(state, "b", 0);
    add(state, "c", 2);
    context(state, "DEVICE", "TV");
    context(state, "HOUR", "7.5");
    eddy_shown_note(&state->shown, shown, 2, NULL, 1600000000);
    eddy_shown_note(&state->shown, shown, 1, NULL, 1600000060);

    json_t *object = eddy_inspect_state_json(S("u1"), 3, state, NULL);
    json_t *recent = json_object_get(object, "recent");
    json_t *newest = json_object_get(json_array_get(recent, 0), "context");
    json_t *oldest = json_object_get(json_array_get(recent, 2), "context");
    CHECK_INT(json_array_size(recent), 3);
    CHECK_INT(json_object_size(newest), 2);
    CHECK(json_object_get(json_array_get(recent, 1), "context") == NULL);
    CHECK_INT(json_object_size(oldest), 1);
    /* without a model: hashes, but numbers as they are */
    snprintf(column, sizeof column, "#%08x", eddy_context_column(S("DEVICE")));
    snprintf(value, sizeof value, "#%08x", state->context[1].text);
    CHECK_STR(json_string_value(json_object_get(newest, column)), value);
    snprintf(value, sizeof value, "#%08x", state->context[0].text);
    CHECK_STR(json_string_value(json_object_get(oldest, column)), value);
    snprintf(column, sizeof column, "#%08x", eddy_context_column(S("HOUR")));
    CHECK_NEAR(json_number_value(json_object_get(newest, column)), 7.5, 1e-9);

    const json_t *list = json_object_get(object, "shown");
    CHECK_INT(json_array_size(list), 2);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)shown[0]);
    CHECK_STR(text_at(list, 0, "item_hash"), hash);
    CHECK_INT(json_integer_value(json_object_get(json_array_get(list, 0), "times")), 2);
    CHECK_STR(text_at(list, 0, "time"), "2020-09-13 12:27:40");
    CHECK_INT(json_integer_value(json_object_get(json_array_get(list, 1), "times")), 1);
    json_decref(object);
    free(memory);
}

int main(void)
{
    RUN(events_keep_their_own_context_and_shown_items_are_listed);
    return check_done();
}
