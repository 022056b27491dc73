/* Layer: app.  Small things that the tools (inspect, deploy, check, dlq) share. */
#ifndef EDDY_APP_TOOLS_H
#define EDDY_APP_TOOLS_H

#include <stdio.h>

#include "base/arena.h"
#include "engine/config.h"
#include "io/files.h"
#include "io/store.h"

/* A store handle for reading: owner names this tool in messages. NULL: err. Connects at
 * the first exchange. Owned: eddy_store_close. */
struct eddy_store *eddy_tool_store(const struct eddy_config *config, const char *tool,
                                   struct eddy_err *err);

/* Partition count of the deployment, from PREFIX:meta. EDDY_ESTORE, or EDDY_ECONFIG when
 * nothing has run under this prefix yet. */
int eddy_tool_partitions(struct eddy_store *store, uint32_t *ret_count,
                         struct eddy_err *err);

/* The snapshot of that version in model.folder, or NULL with the reason in err. */
struct eddy_snapshot *eddy_tool_snapshot(const struct eddy_config *config,
                                         const char *version, struct eddy_err *err);

/* "2021-07-01 09:30:00" (UTC); "-" for negative times. */
const char *eddy_tool_time(int64_t unix_s, char out[32]);

/* text with control characters as dots, at most width bytes. */
void eddy_tool_print_text(FILE *file, struct eddy_span text, size_t width);

/* Name of an event type by its hash, "?" when the snapshot does not have it (or is NULL). */
const char *eddy_tool_type_name(const struct eddy_snapshot *snapshot,
                                uint32_t type_hash);

#endif
