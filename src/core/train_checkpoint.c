/* Checkpoints: all that training needs to go on as if nothing had happened.
 *
 * What is written: numbers (where the epochs stand), the settings as text, the caller's
 * note, the blocks (moving and best weights, Adam's moments, the average), a digest of all
 * that. Orders, masks and samples are functions of seed, epoch and step, so they need no
 * place. Bytes that are no checkpoint of this data (damaged, of a log that has grown, of
 * another kind of CPU) are left aside and training starts anew, as a nightly job wants it;
 * another setting is somebody's decision, so he is asked (train_settings.c). */
#include <stdlib.h>

#include "base/hash.h"
#include "core/train_parts.h"
#include "core/train_settings.h"

enum { VERSION = 2, NUMBERS = 16, REALS = 8, BLOCKS = 6 };
/* Places in header.numbers behind the progress. */
enum { SETTINGS_SIZE = 8, NOTE_SIZE = 9 };

struct header {
    char magic[8];
    uint64_t numbers[NUMBERS];
    double reals[REALS];
    unsigned char identity[32];
};
static const char magic[8] = "eddyckpt";

static void add_features(struct eddy_sha256 *sha, const struct eddy_features *features)
{
    if (features == NULL)
        return;
    uint64_t count = features->begin[features->rows];
    eddy_sha256_update(sha, features->begin,
                       ((size_t)features->rows + 1) * sizeof *features->begin);
    eddy_sha256_update(sha, features->index, count * sizeof *features->index);
    eddy_sha256_update(sha, features->weight, count * sizeof *features->weight);
}

static void add_rows(struct eddy_sha256 *sha, const struct eddy_interactions *in,
                     const struct eddy_context_index *context)
{
    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        struct eddy_context_row features =
            eddy_context_index_interaction(context, in, row);
        uint32_t value = 0;
        memcpy(&value, &row->value, sizeof value);
        uint64_t fields[4] = {(uint64_t)row->ts_ms,
                              (uint64_t)row->user << 32 | row->item,
                              (uint64_t)row->type << 32 | (row->has_value ? value : 0),
                              (uint64_t)row->row << 1 | (row->has_value ? 1 : 0)};
        eddy_sha256_update(sha, fields, sizeof fields);
        if (context != NULL)
            eddy_sha256_update(sha, &features, sizeof features);
    }
}

static void add_warm(struct eddy_sha256 *sha, const struct eddy_trainer *trainer)
{
    const struct eddy_train_warm *warm = trainer->options->warm;
    if (warm == NULL)
        return;
    eddy_sha256_update(sha, warm->params, warm->layout->size * sizeof *warm->params);
    eddy_sha256_update(sha, warm->items,
                       trainer->layout.shape.items * sizeof *warm->items);
    eddy_sha256_update(sha, &warm->newest_ms, sizeof warm->newest_ms);
    eddy_sha256_update(sha, &warm->replay, sizeof warm->replay);
}

/* The data. */
static void identify(const struct eddy_trainer *trainer, unsigned char ret[32])
{
    struct eddy_sha256 sha;
    eddy_sha256_init(&sha);
    eddy_sha256_update(&sha, &trainer->layout.size, sizeof trainer->layout.size);
    add_features(&sha, trainer->options->item_features);
    add_features(&sha, trainer->options->user_features);
    add_warm(&sha, trainer);
    add_rows(&sha, trainer->interactions, trainer->options->context_index);
    eddy_sha256_final(&sha, ret);
}

/* The blocks in their order; returns their number. */
static uint32_t blocks_of(struct eddy_trainer *trainer, void *ret[BLOCKS],
                          size_t ret_sizes[BLOCKS])
{
    struct eddy_adam *adam = &trainer->adam;
    float *all[BLOCKS] = {trainer->params, trainer->best, adam->m, adam->v,
                          adam->average};
    uint32_t count = 0;
    for (int i = 0; i < BLOCKS; i++) {
        if (all[i] == NULL)
            continue;
        ret[count] = all[i];
        ret_sizes[count++] = trainer->layout.size * sizeof(float);
    }
    return count;
}

static size_t blocks_size(struct eddy_trainer *trainer)
{
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS], size = 0;
    uint32_t count = blocks_of(trainer, blocks, sizes);
    for (uint32_t i = 0; i < count; i++)
        size += sizes[i];
    return size;
}

static double flops_of(const struct eddy_trainer *trainer)
{
    double flops = trainer->flops_before;
    for (int64_t t = 0; t < trainer->options->threads; t++)
        flops += trainer->workers[t].net.flops;
    return flops;
}

static void fill_header(struct eddy_trainer *trainer, struct header *header)
{
    const struct eddy_train_progress *now = &trainer->progress;
    *header = (struct header){
        .numbers = {VERSION, now->epoch, now->events, now->best_epoch, now->finishing,
                    trainer->phase.first, trainer->phase.epochs, trainer->adam.steps},
        .reals = {now->loss, now->validation_ndcg, now->validation_hr, now->best_ndcg,
                  trainer->best_hr, flops_of(trainer)}};
    memcpy(header->magic, magic, sizeof magic);
    memcpy(header->identity, trainer->identity, sizeof header->identity);
}

static void take_header(struct eddy_trainer *trainer, const struct header *header)
{
    struct eddy_train_progress *now = &trainer->progress;
    now->epoch = (uint32_t)header->numbers[1];
    now->events = header->numbers[2];
    now->best_epoch = (uint32_t)header->numbers[3];
    now->finishing = header->numbers[4] != 0;
    trainer->phase.first = (uint32_t)header->numbers[5];
    trainer->phase.epochs = (uint32_t)header->numbers[6];
    trainer->adam.steps = header->numbers[7];
    now->loss = header->reals[0];
    now->validation_ndcg = header->reals[1];
    now->validation_hr = header->reals[2];
    now->best_ndcg = header->reals[3];
    trainer->best_hr = header->reals[4];
    trainer->flops_before = header->reals[5];
    now->epoch_done = true;
}

int eddy_train_checkpoint_save(struct eddy_trainer *trainer, struct eddy_err *err)
{
    const struct eddy_train_keeper *keeper = trainer->options->keeper;
    struct header header;
    struct eddy_span parts[BLOCKS + 4], note = {NULL, 0};
    struct eddy_sha256 sha;
    unsigned char digest[32];
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    uint32_t n = 0;

    if (keeper == NULL || !eddy_train_owns(trainer->options->exchange, 0) ||
        !keeper->due(keeper->context))
        return 0;
    uint32_t count = blocks_of(trainer, blocks, sizes);
    if (keeper->note != NULL)
        note = keeper->note(keeper->context);
    fill_header(trainer, &header);
    header.numbers[SETTINGS_SIZE] = trainer->settings.size;
    header.numbers[NOTE_SIZE] = note.size;
    parts[n++] = (struct eddy_span){(const char *)&header, sizeof header};
    parts[n++] = eddy_buf_span(&trainer->settings);
    parts[n++] = note;
    for (uint32_t i = 0; i < count; i++)
        parts[n++] = (struct eddy_span){blocks[i], sizes[i]};
    eddy_sha256_init(&sha);
    for (uint32_t i = 0; i < n; i++)
        eddy_sha256_update(&sha, parts[i].data, parts[i].size);
    eddy_sha256_final(&sha, digest);
    parts[n++] = (struct eddy_span){(const char *)digest, sizeof digest};
    int r = keeper->save(keeper->context, parts, n, err);
    if (r == 0)
        trainer->kept_epoch = trainer->progress.epoch;
    return r < 0 ? r : 0;
}

/* What an earlier save left, with its parts found. */
struct earlier {
    struct header header;
    struct eddy_span settings, note;
    const char *blocks;
};

/* Why the bytes are no checkpoint, NULL: they are one, of whatever run. */
static const char *read_earlier(struct eddy_span bytes, struct earlier *ret)
{
    struct eddy_sha256 sha;
    unsigned char digest[32];
    const char *end = bytes.data + bytes.size;

    if (bytes.size < sizeof ret->header + sizeof digest)
        return "it is too short";
    memcpy(&ret->header, bytes.data, sizeof ret->header);
    if (memcmp(ret->header.magic, magic, sizeof magic) != 0 ||
        ret->header.numbers[0] != VERSION)
        return "it is no checkpoint of this version of eddy";
    eddy_sha256_init(&sha);
    eddy_sha256_update(&sha, bytes.data, bytes.size - sizeof digest);
    eddy_sha256_final(&sha, digest);
    if (memcmp(digest, end - sizeof digest, sizeof digest) != 0)
        return "it is damaged";
    /* What has the right digest was written as a whole. */
    ret->settings.data = bytes.data + sizeof ret->header;
    ret->settings.size = ret->header.numbers[SETTINGS_SIZE];
    ret->note.data = ret->settings.data + ret->settings.size;
    ret->note.size = ret->header.numbers[NOTE_SIZE];
    ret->blocks = ret->note.data + ret->note.size;
    return NULL;
}

/* EDDY_EUSAGE: another setting. Else 0, and *ret_why_not: why the run starts anew. */
static int judge(struct eddy_trainer *trainer, struct earlier *earlier,
                 const char **ret_why_not, struct eddy_err *err)
{
    const struct eddy_train_keeper *keeper = trainer->options->keeper;
    bool finishing;
    *ret_why_not = read_earlier(keeper->resume, earlier);
    if (*ret_why_not != NULL)
        return 0;
    finishing = earlier->header.numbers[4] != 0;
    switch (eddy_train_settings_compare(earlier->settings,
                                        eddy_buf_span(&trainer->settings), finishing,
                                        keeper->name ? keeper->name : "it", err)) {
    case EDDY_TRAIN_SETTINGS_DIFFERENT: return EDDY_EUSAGE;
    case EDDY_TRAIN_SETTINGS_CPU:
        *ret_why_not = "it was made on another kind of CPU";
        return 0;
    case EDDY_TRAIN_SETTINGS_PROGRAM:
        *ret_why_not = "it was made by another version or build of the program";
        return 0;
    case EDDY_TRAIN_SETTINGS_SAME: break;
    }
    if (memcmp(earlier->header.identity, trainer->identity, 32) != 0)
        *ret_why_not = "it is of other data";
    else if (blocks_size(trainer) + 32 !=
             (size_t)(keeper->resume.data + keeper->resume.size - earlier->blocks))
        *ret_why_not = "its size is wrong";
    return 0;
}

/* What the first member of a group has decided. */
struct decision {
    int32_t code; /* negative: err; 1: go on */
    struct header header;
    struct eddy_err err;
};

static int decide(struct eddy_trainer *trainer, struct earlier *earlier,
                  struct decision *decision)
{
    const struct eddy_train_keeper *keeper = trainer->options->keeper;
    const char *why_not = NULL;
    int r;

    identify(trainer, trainer->identity);
    eddy_train_settings_put(trainer->options, keeper->settings, &trainer->settings);
    if (trainer->settings.failed)
        return eddy_fail(&decision->err, EDDY_ENOMEM, "no memory for the settings");
    if (keeper->resume.size == 0)
        return 0;
    if ((r = judge(trainer, earlier, &why_not, &decision->err)) < 0)
        return r;
    decision->header = earlier->header;
    if (why_not != NULL)
        keeper->resumed(keeper->context, NULL, why_not);
    return why_not == NULL;
}

/* The state of the run, from the first member's bytes into all. */
static int take_over(struct eddy_trainer *trainer, const struct header *header,
                     const char *from, struct eddy_err *err)
{
    const struct eddy_exchange *exchange = trainer->options->exchange;
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    int r = 0;

    take_header(trainer, header);
    if (trainer->progress.finishing) {
        if ((r = eddy_train_all_histories(trainer, err)) < 0)
            return r;
        eddy_train_know(trainer);
    }
    uint32_t count = blocks_of(trainer, blocks, sizes);
    for (uint32_t i = 0; r == 0 && i < count; i++) {
        if (from != NULL) {
            memcpy(blocks[i], from, sizes[i]);
            from += sizes[i];
        }
        r = eddy_train_share(exchange, blocks[i], sizes[i], err);
    }
    eddy_rows_restored(&trainer->adam);
    return r;
}

int eddy_train_checkpoint_load(struct eddy_trainer *trainer, struct eddy_err *err)
{
    const struct eddy_train_keeper *keeper = trainer->options->keeper;
    struct decision decision = {0};
    struct earlier earlier = {.blocks = NULL};
    int r;

    if (keeper != NULL)
        decision.code = decide(trainer, &earlier, &decision);
    r = eddy_train_share(trainer->options->exchange, &decision, sizeof decision, err);
    if (r == 0 && decision.code < 0)
        r = eddy_fail(err, decision.code, "%s", decision.err.text);
    if (r < 0 || decision.code == 0)
        return r;
    r = take_over(trainer, &decision.header, earlier.blocks, err);
    if (r == 0 && keeper != NULL) {
        struct eddy_train_past past = {trainer->progress.epoch,
                                       trainer->progress.events, earlier.note};
        trainer->kept_epoch = trainer->progress.epoch;
        keeper->resumed(keeper->context, &past, NULL);
    }
    return r;
}
