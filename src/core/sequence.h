/* Layer: core.  Histories as the network sees them, and packed batches of them. */
#ifndef EDDY_CORE_SEQUENCE_H
#define EDDY_CORE_SEQUENCE_H

#include "core/catalog.h"
#include "core/context_index.h"
#include "core/interactions.h"
#include "core/params.h"
#include "core/selection.h"
#include "core/step.h"

/* One run of events of a user; the network starts from a new user's state. */
struct eddy_sequence {
    const struct eddy_step *steps;
    const uint32_t
        *targets; /* item to be predicted after each step, EDDY_ITEM_NONE: none */
    const float *weights;  /* of the targets; NULL: 1 */
    const uint32_t *times; /* of the targets, seconds since the first event; NULL:
                              after everything */
    /* Context of the targets' events, as requests would have; NULL: none. */
    const struct eddy_context_row *requests;
    uint32_t count;
    uint32_t user;
    /* The user's very first event as something to predict; weight 0: it is not. */
    uint32_t start, start_time;
    float start_weight;
    struct eddy_context_row start_request;
};

struct eddy_history_options {
    uint32_t window; /* events per user that the network sees, the newest */
    uint32_t session_gap_s;
    uint32_t rows_max; /* longest validation sequence, >= 2 */
    /* Training goes on from a model that has learned from events up to old_ms: those are
     * targets again for a share of users only, drawn by seed. */
    bool replays;
    int64_t old_ms;
    double replay;
    uint64_t seed;
    const struct eddy_context_index *context; /* NULL: none */
};

/* Sequences to train on and to validate on. A validation sequence begins up to a window
 * before the user's first validation event; its targets are validation events alone, and
 * rows[] leads from a sequence to the user's interactions (which items he has seen). */
struct eddy_histories {
    struct eddy_sequence *train, *validation;
    uint32_t train_count, validation_count;
    uint64_t *validation_row; /* interaction row of the first step of each */
    uint64_t train_targets, validation_targets;
    int64_t first_ms;        /* of all events: where times count from */
    struct eddy_step *steps; /* backing memory of both */
    uint32_t *targets, *times;
    float *weights;
    struct eddy_context_row *requests; /* NULL: no context */
};

/* 0 or EDDY_ENOMEM. interactions are borrowed during the call only. Weights of training
 * targets are scaled to a mean of 1. */
int eddy_histories_init(struct eddy_histories *histories,
                        const struct eddy_interactions *interactions,
                        const struct eddy_selection *selection,
                        const struct eddy_history_options *options,
                        struct eddy_err *err);
void eddy_histories_fini(struct eddy_histories *histories);

/* A session (modes init, all) or a whole sequence (flat) inside a pack. */
struct eddy_segment {
    uint32_t row, count; /* its rows of the pack */
    uint32_t previous;   /* the session before it, EDDY_SEGMENT_NONE for a first one */
    uint32_t position;   /* index in the sequence of its first event */
};
#define EDDY_SEGMENT_NONE UINT32_MAX

/* Sequences side by side without padding. Waves: the w-th sessions of all sequences are
 * contiguous rows, so that everything within a wave is a few large matrix products; waves
 * run one after the other. Inside a wave the longest segment comes first. */
struct eddy_pack {
    uint32_t rows, segment_count, wave_count;
    uint32_t rows_max, segments_max;
    uint32_t *wave_segment; /* (waves + 1) first segment of each wave */
    struct eddy_segment *segments;
    struct eddy_step *steps;           /* (rows) */
    uint32_t *targets;                 /* (rows) */
    float *weights;                    /* (rows) of the targets */
    uint32_t *times;                   /* (rows) of the targets */
    struct eddy_context_row *requests; /* (rows) of the targets */
    uint32_t *positions;               /* (rows) index in the sequence */
    uint32_t *sequences;               /* (rows) index among the sequences packed */
    uint64_t *keys; /* (rows) key of the row's draws: (user, position) */
    uint64_t target_count;
    uint32_t sequence_count;
    uint32_t *users; /* (sequences) */
    /* First events: behind the rows, [rows, rows + starts) of targets, weights, times and
     * sequences. Networks that know nothing of users pass them over. */
    uint32_t starts;
};

enum { EDDY_PACK_SEQUENCES = 256 }; /* in one pack, at most */

int eddy_pack_init(struct eddy_pack *pack, uint32_t rows_max); /* 0 or EDDY_ENOMEM */
void eddy_pack_fini(struct eddy_pack *pack);

/* Fill. The sequences must not have more than rows_max steps together. */
void eddy_pack_build(struct eddy_pack *pack, enum eddy_mode mode,
                     const struct eddy_sequence *const *sequences, uint32_t count);

#endif
