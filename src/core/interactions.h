/* Layer: core.  Interactions from CSV with Amazon's columns -> histories per user.
 * USER_ID,ITEM_ID,TIMESTAMP[,EVENT_TYPE,EVENT_VALUE,IMPRESSION,...] in any column order.
 * Further columns are context (core/context.h), but for those of Amazon's or ours that say
 * nothing of the moment: RECOMMENDATION_ID, EVENT_ATTRIBUTION_SOURCE, SESSION_ID, EVENT_ID. */
#ifndef EDDY_CORE_INTERACTIONS_H
#define EDDY_CORE_INTERACTIONS_H

#include "core/catalog.h"
#include "core/context.h"
#include "core/csv.h"
#include "core/spill.h"

struct eddy_interaction {
    int64_t ts_ms;
    uint32_t user, item; /* indices */
    uint16_t type;       /* index in types */
    bool has_value;
    float value;
    uint32_t row; /* position in the file, from 0: breaks ties of time */
};

/* A context column. */
struct eddy_context_column {
    char *name;
    uint32_t hash;               /* eddy_context_column */
    struct eddy_catalog *values; /* the first EDDY_CONTEXT_TEXTS different texts */
};
struct eddy_context_cell {
    uint32_t text; /* as in struct eddy_context; 0: empty, or longer than is allowed */
    float number;
};
enum { EDDY_CONTEXT_TEXTS = 1 << 16 };

struct eddy_interactions {
    struct eddy_interaction *rows; /* by (user, ts, row) */
    uint64_t count;
    uint64_t *user_begin; /* (users + 1): rows of user u are [begin[u], begin[u+1]) */
    struct eddy_catalog *users; /* ids in order of first appearance */
    struct eddy_catalog *items;
    char *types[256]; /* [0] is "" */
    uint32_t type_count;
    uint64_t skipped;               /* bad rows left out (skip_bad) */
    const struct eddy_spill *spill; /* rows come from it; NULL: from malloc */
    uint64_t repeats; /* rows that equal another in user, item, time, type and value */
    uint32_t repeat_row;  /* the first of them, from 0, */
    uint64_t repeat_line; /* and the line of the file where it begins */
    uint64_t unsorted;    /* rows that stand behind a newer one of the same user */
    uint32_t unsorted_row;
    uint64_t unsorted_line;
    char sha256[65];           /* of the file's bytes; "" with no_hash */
    uint32_t context_count;    /* columns; the first EDDY_CONTEXT_MAX of the file */
    uint32_t context_left_out; /* columns beyond that */
    struct eddy_context_column context[EDDY_CONTEXT_MAX];
    struct eddy_context_cell *cells; /* (rows of the file, context_count) */
    /* Column IMPRESSION: hashes of the items shown with file row r are shown[shown_begin[r]]
     * up to shown[shown_begin[r + 1]], the chosen one too if the file has it there. NULL:
     * no such column, or nothing in it. */
    uint64_t *shown_begin, *shown;
};

/* Whether a column of this name is context; one with a name beyond EDDY_CONTEXT_NAME_MAX
 * bytes, or without, is not. */
bool eddy_interactions_is_context(struct eddy_span name);
/* Context of a row into ret; how many values it has. */
uint32_t eddy_interactions_context(const struct eddy_interactions *interactions,
                                   const struct eddy_interaction *row,
                                   struct eddy_context ret[EDDY_CONTEXT_MAX]);

struct eddy_interactions_options {
    bool skip_bad;                  /* count bad rows instead of refusing the first */
    bool no_hash;                   /* sha256 is not asked for: 5 ms per MB */
    const struct eddy_spill *spill; /* room for rows on disk; NULL: none, in memory */
    const struct eddy_catalog
        *items; /* not NULL: items get the indices of this catalogue
                                         and unknown ones are appended */
};

/* TIMESTAMP: Unix seconds as Amazon has it; 13 digits are milliseconds, 16 microseconds;
 * ISO-8601 with zone is accepted. Small integers (< 1e8, e.g. positions 0, 1, 2) are taken
 * as seconds when every row has one. Errors: EDDY_EFORMAT "NAME:LINE: column TIMESTAMP: ...". */
int eddy_interactions_parse(struct eddy_span csv, const char *name,
                            const struct eddy_interactions_options *options,
                            struct eddy_interactions *ret, struct eddy_err *err);
void eddy_interactions_fini(struct eddy_interactions *interactions);

/* Items CSV (ITEM_ID and any metadata columns) into a catalogue. */
int eddy_items_parse(struct eddy_span csv, const char *name, bool skip_bad,
                     struct eddy_catalog **ret, struct eddy_err *err);
/* Users CSV (USER_ID and any metadata columns) likewise. */
int eddy_users_parse(struct eddy_span csv, const char *name, bool skip_bad,
                     struct eddy_catalog **ret, struct eddy_err *err);

#endif
