/* Layer: core.  The questions of a split, and snapshots sitting them by the serving code:
 * every model and baseline is asked the same, by the same code (core/play.h). */
#ifndef EDDY_CORE_EXAM_H
#define EDDY_CORE_EXAM_H

#include "core/evaluate.h"
#include "core/snapshot.h"
#include "core/split.h"

/* State ages (MODELS 7): events of the user that the state has not seen when it is asked, and
 * last a state that knows nothing of the 24 hours before the question. */
enum { EDDY_AGES = 5, EDDY_AGE_DAY = EDDY_AGES - 1 };
extern const uint32_t eddy_ages[EDDY_AGE_DAY];      /* 0, 1, 5, 20 */
extern const char *const eddy_age_names[EDDY_AGES]; /* "0", ..., "1 day" */

struct eddy_exam_options {
    enum eddy_protocol protocol;
    bool exclude_seen;
    bool rewards; /* EVENT_VALUE of the answers is their reward */
    const float
        *item_rewards; /* (items of interactions) instead; borrowed, NULL: none */
    uint32_t threads;
    const struct eddy_catalog *users; /* metadata of users; borrowed, NULL: none */
    /* Requests tell the context of the event that is the answer (of the first of several);
     * not in prequential. false: they tell nothing. */
    bool request_context;
    int64_t refresh_ms; /* prequential: of event time between refreshes of the tables */
    double half_life_s; /* prequential: of the popularity table */
    enum eddy_measure measure; /* the one value per question that curves are made of */
    uint32_t cutoff;
};

struct eddy_question {
    uint64_t row;           /* of interactions: its answer, or the first of them */
    uint32_t user, history; /* events before it that a state may know */
};

/* Thread: the owner's; sitting does not change it. */
struct eddy_exam {
    struct eddy_exam_options options;
    const struct eddy_interactions *interactions; /* borrowed */
    const uint8_t *marks;                         /* borrowed */
    struct eddy_interactions played;              /* a view: what states are made of */
    uint32_t count;
    struct eddy_question *questions; /* (count) by user, then time */
    uint32_t *user_question;         /* (users + 1) where each user's questions begin */
    uint64_t
        *day_place; /* (count) row of played that a state of a day ago comes before */
    uint32_t *question_of;         /* by user (one list each) or by row; none: ~0 */
    uint64_t *answer_begin;        /* (count + 1) */
    uint32_t *answers;             /* distinct and rising per question */
    float *rewards;                /* (answers), NULL: none */
    uint64_t asked_rows, repeated; /* answers; of them seen before (if excluded) */
    uint32_t training_items;       /* distinct items among TRAIN; 0: there are none */
    uint64_t training_rows;
};
/* 0, EDDY_ENOMEM. Ended by eddy_exam_fini, also after an error. */
int eddy_exam_init(struct eddy_exam *exam, const struct eddy_interactions *interactions,
                   const uint8_t *marks, const struct eddy_exam_options *options,
                   struct eddy_err *err);
void eddy_exam_fini(struct eddy_exam *exam);

struct eddy_exam_result {
    struct eddy_user_score *scores; /* (users of interactions) */
    float *values[EDDY_AGES];       /* (questions) by age; NaN: not asked at that age */
    uint64_t unknown;               /* answers that the snapshot does not know */
    uint32_t covered;     /* distinct items of the model in the first 25 of all lists */
    uint32_t items;       /* of the snapshot */
    uint32_t known_items; /* of them with a popularity above 0 */
};
typedef void (*eddy_exam_progress_fn)(void *context, uint64_t events_done);
/* Interactions must have been parsed with the snapshot's catalogue first. progress may be
 * NULL. 0, EDDY_ENOMEM; ret is ended by eddy_exam_result_fini, also after an error.
 * Ages above 0 are asked where all of them can be (a history of 21 events and more; a state
 * of a day ago may know none of them), not in prequential. Thread: the caller's, which starts
 * threads - 1 more. */
int eddy_exam_sit(const struct eddy_exam *exam, const struct eddy_snapshot *snapshot,
                  eddy_exam_progress_fn progress, void *context,
                  struct eddy_exam_result *ret, struct eddy_err *err);
void eddy_exam_result_fini(struct eddy_exam_result *result);

#endif
