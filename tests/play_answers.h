/* All lists of a play or of a stream, kept by row of the file: for tests that compare one
 * way of getting them with another. */
#ifndef EDDY_TESTS_PLAY_ANSWERS_H
#define EDDY_TESTS_PLAY_ANSWERS_H

#include <stdlib.h>

#include "check.h"
#include "core/play.h"

/* At r the list before row r of the file, at rows + u that of user u at the end. */
struct answers {
    const struct eddy_interactions *in;
    uint32_t k;
    struct eddy_scored *lists; /* (rows + users, k) */
    uint32_t *counts;
    bool *asked;
};

/* Room for them: rows + users. */
static inline size_t answers_count(const struct eddy_interactions *in)
{
    return (size_t)in->count + eddy_catalog_count(in->users);
}

static inline struct answers answers_new(const struct eddy_interactions *in, uint32_t k)
{
    size_t n = answers_count(in);
    return (struct answers){in, k, calloc(n * k, sizeof(struct eddy_scored)),
                            calloc(n, sizeof(uint32_t)), calloc(n, sizeof(bool))};
}

static inline void answers_free(struct answers *answers)
{
    free(answers->lists);
    free(answers->counts);
    free(answers->asked);
}

static inline const struct eddy_scored *answers_list(const struct answers *answers,
                                                     size_t at)
{
    return answers->lists + at * answers->k;
}

/* A list is given once. */
static inline void take(struct answers *answers, size_t at,
                        const struct eddy_scored *list, uint32_t count)
{
    CHECK(!answers->asked[at]);
    answers->asked[at] = true;
    answers->counts[at] = count;
    memcpy(answers->lists + at * answers->k, list, count * sizeof *list);
}

/* The first rows of two are the same bits; one that is not ends it. */
static inline void check_same(const struct answers *a, const struct answers *b,
                              size_t rows)
{
    for (size_t at = 0; at < rows; at++) {
        if (CHECK_INT(a->asked[at], b->asked[at]) &&
            CHECK_INT(a->counts[at], b->counts[at]) &&
            CHECK_MEM(answers_list(a, at), answers_list(b, at),
                      a->counts[at] * sizeof *a->lists))
            continue;
        fprintf(stderr, "    row %zu of %zu\n", at, rows);
        return;
    }
}

/* ---- a play -------------------------------------------------------------------------- */

static inline bool wants_all(void *context, uint32_t user, uint64_t row)
{
    (void)context;
    (void)user;
    (void)row;
    return true;
}

/* context: the answers. */
static inline void take_play(void *context, uint32_t user, uint64_t row,
                             const struct eddy_scored *list, uint32_t count)
{
    struct answers *answers = context;
    size_t at = row == EDDY_PLAY_END ? (size_t)answers->in->count + user
                                     : answers->in->rows[row].row;
    take(answers, at, list, count);
}

static inline struct answers play_all(const struct eddy_snapshot *snapshot,
                                      const struct eddy_interactions *in, uint32_t k,
                                      uint32_t threads, bool exclude_seen)
{
    struct answers answers = answers_new(in, k);
    struct eddy_play play = {.snapshot = snapshot,
                             .interactions = in,
                             .k = k,
                             .threads = threads,
                             .exclude_seen = exclude_seen,
                             .popularity = snapshot->popularity,
                             .wants = wants_all,
                             .list = take_play,
                             .context = &answers};
    CHECK_INT(eddy_play_users(&play, 0, eddy_catalog_count(in->users), NULL), 0);
    return answers;
}

/* ---- a stream ------------------------------------------------------------------------ */

static inline bool wants_row(void *context, uint64_t row)
{
    (void)context;
    (void)row;
    return true;
}

static inline void take_row(void *context, uint64_t row, const struct eddy_scored *list,
                            uint32_t count)
{
    struct answers *answers = context;
    take(answers, answers->in->rows[row].row, list, count);
}

static inline struct answers stream_all(const struct eddy_stream_options *options)
{
    const struct eddy_interactions *in = options->interactions;
    struct answers answers = answers_new(in, options->k);
    struct eddy_scored *list = calloc(options->k, sizeof *list);
    struct eddy_stream *stream = NULL;
    uint64_t rows = 0;
    int more;
    CHECK_INT(eddy_stream_new(options, &stream, NULL), 0);
    while ((more = eddy_stream_next(stream, wants_row, take_row, &answers)) > 0)
        rows += (uint64_t)more;
    CHECK_INT(more, 0);
    CHECK_INT(rows, in->count);
    for (uint32_t u = 0; u < eddy_catalog_count(in->users); u++)
        take(&answers, (size_t)in->count + u, list, eddy_stream_list(stream, u, list));
    eddy_stream_free(stream);
    free(list);
    return answers;
}

#endif
