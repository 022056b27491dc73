/* Layer: app.  What `eddy eval` has found: contenders (the model, other models, baselines)
 * that were asked the same questions, and curves over them; printed as a table, as JSON, and
 * as a page. */
#ifndef EDDY_APP_EVAL_H
#define EDDY_APP_EVAL_H

#include "base/buf.h"
#include "core/build.h"
#include "core/exam.h"

enum { EDDY_EVAL_CONTENDERS = 16, EDDY_EVAL_POINTS = 64 };

struct eddy_eval_contender {
    char name[80]; /* "model", "popularity", a folder */
    struct eddy_exam_result result;
    struct eddy_evaluation evaluation;
    struct eddy_evaluation difference;  /* the model minus this one, paired */
    double seconds;                     /* of fitting (baselines) and answering */
    enum eddy_baseline baseline;        /* whose choice it is; */
    struct eddy_baseline_choice choice; /* cases 0: nothing was chosen */
};

/* One curve per contender over the same groups of questions. */
struct eddy_eval_curve {
    const char *key; /* "history_length" */
    uint32_t points; /* 0: there is none */
    char labels[EDDY_EVAL_POINTS][24];
    uint32_t contenders; /* the first so many */
    struct eddy_group groups[EDDY_EVAL_CONTENDERS][EDDY_EVAL_POINTS];
};

struct eddy_eval {
    enum eddy_protocol protocol;
    const char *interactions; /* path */
    char sha256[65];
    const struct eddy_manifest *manifest; /* of the model; borrowed */
    bool exclude_seen;
    int64_t from_ms; /* INT64_MIN: none */
    uint32_t resamples;
    uint64_t seed;
    const struct eddy_exam *exam;
    uint32_t training_items; /* that coverage is a share of */
    char warning[640];       /* "" or why the figures may flatter */
    char missing[200];       /* baselines that could not be fitted, and why; "" */
    struct eddy_eval_contender contenders[EDDY_EVAL_CONTENDERS]; /* [0]: the model */
    uint32_t contender_count;
    struct eddy_eval_curve by_history, by_age, by_time;
    const char *time_unit; /* of by_time: "hour", "day", "week", "30 days" */
    int64_t learned_ms;    /* that by_time counts from: the newest event learned */
};

/* The protocol's headline (what curves are made of). */
struct eddy_eval_headline {
    enum eddy_measure measure;
    uint32_t cutoff;
};
struct eddy_eval_headline eddy_eval_headline(enum eddy_protocol protocol);
/* "NDCG@10 (workshop)" */
const char *eddy_measure_title(enum eddy_measure measure);

/* Estimates, differences and curves of all contenders from their results. EDDY_ENOMEM. */
int eddy_eval_estimate(struct eddy_eval *eval, struct eddy_err *err);

/* The table on standard output, and all of it as JSON. Thread: the caller's. */
void eddy_eval_print(const struct eddy_eval *eval);
void eddy_eval_json(const struct eddy_eval *eval, struct eddy_buf *out);
/* part / whole, 0 of nothing; and an estimate as a JSON object. */
double eddy_eval_share(uint32_t part, uint32_t whole);
void eddy_eval_put_estimate(struct eddy_buf *out, struct eddy_estimate e);
/* One HTML page, complete in itself. */
void eddy_eval_report(const struct eddy_eval *eval, struct eddy_buf *out);
/* The measures that comparisons show, the headline first; how many. */
uint32_t eddy_eval_compared(const struct eddy_eval *eval,
                            struct eddy_eval_headline ret[3]);

/* "sessions age by exp(-days / 12.5)": what was chosen for a baseline; "": nothing. */
void eddy_eval_choice(const struct eddy_eval_contender *contender, char ret[128]);
/* Whether a row of the measure says anything in this protocol that others do not. */
bool eddy_eval_shows(const struct eddy_eval *eval, enum eddy_measure measure);
/* "each user's last event", one line. */
const char *eddy_protocol_about(enum eddy_protocol protocol);

#endif
