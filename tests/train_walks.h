/* Walks that a network can learn, small options and a follower of the loss: for tests of
 * training. */
#ifndef EDDY_TESTS_TRAIN_WALKS_H
#define EDDY_TESTS_TRAIN_WALKS_H

#include "core/train.h"
#include "log_rows.h"

enum { USERS = 60, ITEMS = 40, EVENTS = 25 };

/* Users walk around a ring of items, each with a step of his own: what comes next can be
 * learned from the two items before. */
static inline struct eddy_interactions interactions_new(uint32_t users, uint32_t events)
{
    struct eddy_buf csv =
        csv_begin("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n");
    for (uint32_t u = 0; u < users; u++) {
        uint32_t item = u * 7 % ITEMS;
        uint32_t time = 1000000000 + u * 1000;
        for (uint32_t e = 0; e < events; e++) {
            eddy_buf_printf(&csv, "u%u,i%u,%u,%s,%g\n", u, item, time,
                            e % 3 ? "click" : "view", e % 2 ? 0.5 : 2.0);
            item = (item + 1 + u % 3) % ITEMS;
            time += e % 5 == 4 ? 7200 : 60;
        }
    }
    return rows_of_csv(&csv, NULL);
}

static inline struct eddy_train_options options_of(enum eddy_cell cell,
                                                   enum eddy_mode mode)
{
    struct eddy_train_options options;
    eddy_train_options_init(&options);
    options.hidden_dimension = 16;
    options.cell = cell;
    options.mode = mode;
    options.epochs = 3;
    options.batch_users = 16;
    options.history_events = 20;
    options.bptt = 8;
    options.learning_rate = 0.01;
    options.validation_fraction = 0.1;
    return options;
}

struct curve {
    double first_loss, last_loss;
    uint32_t epochs, stop_after;
};

static inline bool follow(void *context, const struct eddy_train_progress *progress)
{
    struct curve *curve = context;
    if (!progress->epoch_done)
        return true;
    curve->epochs++;
    if (curve->epochs == 1)
        curve->first_loss = progress->loss;
    curve->last_loss = progress->loss;
    return curve->epochs != curve->stop_after;
}

#endif
