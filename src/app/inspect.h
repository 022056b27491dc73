/* Layer: app.  Parts of `eddy inspect` (cmd_inspect.c, inspect_user.c). */
#ifndef EDDY_APP_INSPECT_H
#define EDDY_APP_INSPECT_H

#include <jansson.h>

#include "app/settings.h"
#include "app/tools.h"
#include "core/state.h"

struct eddy_inspect {
    struct eddy_config *config;
    struct eddy_store *store; /* NULL where Redis is not needed */
    struct eddy_arena *arena;
    const char *what; /* "" or the second argument */
    bool json;
};

/* The decoded state of a user; the same JSON is what `GET /v1/users/USER` answers. */
int eddy_inspect_user(const struct eddy_inspect *inspect, struct eddy_err *err);
/* What the manifest of a snapshot folder says, and the snapshot opens. */
int eddy_inspect_model(const struct eddy_inspect *inspect, struct eddy_err *err);

/* A state as JSON, titles from snapshot when it is the state's (else NULL). New reference;
 * NULL: memory. */
json_t *eddy_inspect_state_json(struct eddy_span user, uint32_t partition,
                                const struct eddy_state *state,
                                const struct eddy_snapshot *snapshot);

/* Indented, on stdout. */
void eddy_inspect_print_json(const json_t *object);

#endif
