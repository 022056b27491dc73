/* The options of training: one row each, for --set, for messages and for the reference. */
#include "core/train.h"

#define FIELD(name) offsetof(struct eddy_train_options, name)

/* clang-format off */
const struct eddy_option eddy_train_option_table[] = {
    {"hidden_dimension", EDDY_OPTION_INT, FIELD(hidden_dimension), "149", 32, 256, NULL, 0,
     "Width of embeddings and states; 149 as in the service; less is faster."},
    {"layers", EDDY_OPTION_INT, FIELD(layers), "2", 1, 8, NULL, 0,
     "Blocks of the session level."},
    {"cell", EDDY_OPTION_CHOICE, FIELD(cell), "mingru", 0, 0, "mingru|gru|plain_gru", 0,
     "Recurrence of the session level; gru costs more time in training; plain_gru is GRU4Rec's, without the block around it."},
    {"mode", EDDY_OPTION_CHOICE, FIELD(mode), "flat", 0, 0, "flat|init|all", 0,
     "How sessions act: as inputs only, through the first state, through every gate."},
    {"bptt", EDDY_OPTION_INT, FIELD(bptt), "32", 0, 1000, NULL, 0,
     "Events that a gradient crosses; the state is carried on. 0: the whole window. With --recipe: 2 to 32."},
    {"epochs", EDDY_OPTION_INT, FIELD(epochs), "40", 1, 10000, NULL, 0,
     "Passes over the histories, at most."},
    {"patience", EDDY_OPTION_INT, FIELD(patience), "5", 1, 10000, NULL, 0,
     "Stop after so many epochs without a better validation NDCG@10."},
    {"batch_users", EDDY_OPTION_INT, FIELD(batch_users), "0", 0, 256, NULL, 0,
     "Users per step of the optimiser; 0: as many as make some 3500 events, 32 to 256."},
    {"negatives", EDDY_OPTION_INT, FIELD(negatives), "-1", -1, 65536, NULL, 0,
     "Items drawn against each target; 0: all of them (full softmax); -1: all up to 20000 items, else 2048."},
    {"loss", EDDY_OPTION_CHOICE, FIELD(loss), "softmax", 0, 0, "softmax|bpr_max", 0,
     "What is minimised: cross-entropy, or BPR-max over drawn items (small catalogues)."},
    {"bpreg", EDDY_OPTION_FLOAT, FIELD(bpreg), "1", 0, 100, NULL, 0,
     "Weight of the squared scores in bpr_max."},
    {"elu_param", EDDY_OPTION_FLOAT, FIELD(elu_param), "0.5", 0, 10, NULL, 0,
     "Scores of bpr_max go through this ELU; 0: they do not."},
    {"history_events", EDDY_OPTION_INT, FIELD(history_events), "200", 2, 2000, NULL, 0,
     "Newest events of a user that training sees."},
    {"learning_rate", EDDY_OPTION_FLOAT, FIELD(learning_rate), "0", 0, 1, NULL, 0,
     "Adam's rate, lower when the loss is not a number; 0: 0.001 (sparse data) to 0.005 (dense data, few steps per epoch)."},
    {"dropout", EDDY_OPTION_FLOAT, FIELD(dropout), "-1", -1, 0.9, NULL, 0,
     "Share of values dropped; -1: 0.2 for dense data (300 events per item) to 0.5 for sparse and few (16 per item, 200000 in all)."},
    {"item_id_dropout", EDDY_OPTION_FLOAT, FIELD(item_id_dropout), "0.1", 0, 0.9, NULL, 0,
     "Share of items per batch known by metadata alone while metadata learns to rank new items, after the rest; 0: it does not."},
    {"validation_fraction", EDDY_OPTION_FLOAT, FIELD(validation_fraction), "0.02", 0, 0.5,
     NULL, 0, "Newest events by time that training never predicts (at most 50000)."},
    {"refit", EDDY_OPTION_BOOL, FIELD(refit), "true", 0, 0, NULL, 0,
     "Finish on all events, validation events included, with a rate that falls to zero."},
    {"recency_mask", EDDY_OPTION_BOOL, FIELD(recency_mask), "true", 0, 0, NULL, 0,
     "Newer events and what is popular of late weigh more, as far as tastes drift; false: all events alike."},
    {"clip_norm", EDDY_OPTION_FLOAT, FIELD(clip_norm), "5", 0, 1000, NULL, 0,
     "Gradients longer than this are shortened to it; 0: never."},
    {"average", EDDY_OPTION_FLOAT, FIELD(average), "0.998", 0, 0.99999, NULL, 0,
     "Decay per step of the running average of the weights that becomes the model; 0: none."},
    {"session_gap_s", EDDY_OPTION_INT, FIELD(session_gap_s), "1800", 1, 31536000, NULL, 0,
     "Seconds of silence after which a new session begins."},
    {"recent_events", EDDY_OPTION_INT, FIELD(recent_events), "100", 1, 200, NULL, 0,
     "Events kept in a user's state, from which a new model encodes it again."},
    {"context", EDDY_OPTION_BOOL, FIELD(context), "true", 0, 0, NULL, 0,
     "Learn from the context columns of interactions (recipes with metadata); false: leave them out."},
    {"request_share", EDDY_OPTION_FLOAT, FIELD(request_share), "0.5", 0, 1, NULL, 0,
     "With context columns: share of events learned as answers to requests that tell their context, as recommend --context."},
    {"allow_small", EDDY_OPTION_BOOL, FIELD(allow_small), "false", 0, 0, NULL, 0,
     "Train on fewer than 1000 interactions or fewer than 25 users with two."},
};
/* clang-format on */
const size_t eddy_train_option_count =
    sizeof eddy_train_option_table / sizeof *eddy_train_option_table;

void eddy_train_options_init(struct eddy_train_options *options)
{
    struct eddy_option_group group = {"train", eddy_train_option_table,
                                      eddy_train_option_count, options};
    *options = (struct eddy_train_options){.threads = 1, .seed = 1};
    /* The table has no texts, so that freeing it leaves the values. */
    eddy_conf_free(eddy_conf_new(&group, 1, NULL));
}
