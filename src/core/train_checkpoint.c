/* Checkpoints: all that training needs to go on as if nothing had happened.
 *
 * What is written: numbers (where the epochs stand), a digest of what the run is made of
 * (data, settings, kind of CPU), the blocks (moving and best weights, Adam's moments, the
 * average), a digest of all that. Orders, masks and samples are functions of seed, epoch and
 * step, so they need no place. learning_rate, clip_norm, epochs and patience are not part of
 * the digest: a run that broke on a loss that is no number goes on with a lower rate. */
#include <stdlib.h>

#include "base/hash.h"
#include "core/train_parts.h"

enum { VERSION = 1, NUMBERS = 16, REALS = 8, BLOCKS = 6 };

struct header {
    char magic[8];
    uint64_t numbers[NUMBERS];
    double reals[REALS];
    unsigned char identity[32];
};
static const char magic[8] = "eddyckpt";

static const char *const free_settings[] = {"learning_rate", "clip_norm", "epochs",
                                            "patience"};

static bool is_free(const char *name)
{
    for (size_t i = 0; i < sizeof free_settings / sizeof *free_settings; i++)
        if (strcmp(name, free_settings[i]) == 0)
            return true;
    return false;
}

static void add_settings(struct eddy_sha256 *sha,
                         const struct eddy_train_options *options)
{
    for (size_t i = 0; i < eddy_train_option_count; i++) {
        const struct eddy_option *row = &eddy_train_option_table[i];
        const char *field = (const char *)options + row->offset;
        if (is_free(row->name))
            continue;
        eddy_sha256_update(sha, row->name, strlen(row->name));
        eddy_sha256_update(sha, field,
                           row->type == EDDY_OPTION_BOOL    ? sizeof(bool)
                           : row->type == EDDY_OPTION_FLOAT ? sizeof(double)
                                                            : sizeof(int64_t));
    }
    for (uint32_t i = 0; i < options->event_weight_count; i++) {
        const struct eddy_event_weight *weight = &options->event_weights[i];
        eddy_sha256_update(sha, weight->type, strlen(weight->type) + 1);
        eddy_sha256_update(sha, &weight->weight, sizeof weight->weight);
    }
    eddy_sha256_update(sha, &options->seed, sizeof options->seed);
}

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

static void add_rows(struct eddy_sha256 *sha, const struct eddy_interactions *in)
{
    for (uint64_t i = 0; i < in->count; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        uint32_t value = 0;
        memcpy(&value, &row->value, sizeof value);
        uint64_t fields[4] = {(uint64_t)row->ts_ms,
                              (uint64_t)row->user << 32 | row->item,
                              (uint64_t)row->type << 32 | (row->has_value ? value : 0),
                              (uint64_t)row->row << 1 | (row->has_value ? 1 : 0)};
        eddy_sha256_update(sha, fields, sizeof fields);
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

static void identify(const struct eddy_trainer *trainer, unsigned char ret[32])
{
    const char *loops = eddy_train_vector_get()->name, *core = eddy_blas_core();
    struct eddy_sha256 sha;
    eddy_sha256_init(&sha);
    eddy_sha256_update(&sha, loops, strlen(loops));
    eddy_sha256_update(&sha, core, strlen(core));
    eddy_sha256_update(&sha, &trainer->layout.size, sizeof trainer->layout.size);
    add_settings(&sha, trainer->options);
    add_features(&sha, trainer->options->item_features);
    add_features(&sha, trainer->options->user_features);
    add_warm(&sha, trainer);
    add_rows(&sha, trainer->interactions);
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
    struct eddy_span parts[BLOCKS + 2];
    struct eddy_sha256 sha;
    unsigned char digest[32];
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS];

    if (keeper == NULL || !eddy_train_owns(trainer->options->exchange, 0) ||
        !keeper->due(keeper->context))
        return 0;
    uint32_t count = blocks_of(trainer, blocks, sizes);
    fill_header(trainer, &header);
    parts[0] = (struct eddy_span){(const char *)&header, sizeof header};
    for (uint32_t i = 0; i < count; i++)
        parts[i + 1] = (struct eddy_span){blocks[i], sizes[i]};
    eddy_sha256_init(&sha);
    for (uint32_t i = 0; i <= count; i++)
        eddy_sha256_update(&sha, parts[i].data, parts[i].size);
    eddy_sha256_final(&sha, digest);
    parts[count + 1] = (struct eddy_span){(const char *)digest, sizeof digest};
    return keeper->save(keeper->context, parts, count + 2, err);
}

/* Why the bytes are no checkpoint of this run, NULL: they are. */
static const char *trouble_with(const struct eddy_trainer *trainer,
                                struct eddy_span bytes, size_t size)
{
    struct header header;
    struct eddy_sha256 sha;
    unsigned char digest[32];

    if (bytes.size < sizeof header + sizeof digest)
        return "it is too short";
    memcpy(&header, bytes.data, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0 || header.numbers[0] != VERSION)
        return "it is no checkpoint of this version of eddy";
    if (memcmp(header.identity, trainer->identity, sizeof header.identity) != 0)
        return "it is of other data, other settings or another kind of CPU";
    if (bytes.size != size)
        return "its size is wrong";
    eddy_sha256_init(&sha);
    eddy_sha256_update(&sha, bytes.data, bytes.size - sizeof digest);
    eddy_sha256_final(&sha, digest);
    return memcmp(digest, bytes.data + bytes.size - sizeof digest, sizeof digest) == 0
               ? NULL
               : "it is damaged";
}

int eddy_train_checkpoint_load(struct eddy_trainer *trainer, struct eddy_err *err)
{
    const struct eddy_train_keeper *keeper = trainer->options->keeper;
    struct header header;
    void *blocks[BLOCKS];
    size_t sizes[BLOCKS], size = sizeof header + 32;
    const char *trouble;

    if (keeper == NULL)
        return 0;
    identify(trainer, trainer->identity);
    if (keeper->resume.size == 0 || trainer->options->exchange != NULL)
        return 0;
    uint32_t count = blocks_of(trainer, blocks, sizes);
    for (uint32_t i = 0; i < count; i++)
        size += sizes[i];
    trouble = trouble_with(trainer, keeper->resume, size);
    if (trouble != NULL) {
        keeper->resumed(keeper->context, 0, trouble);
        return 0;
    }
    memcpy(&header, keeper->resume.data, sizeof header);
    take_header(trainer, &header);
    if (trainer->progress.finishing) {
        int r = eddy_train_all_histories(trainer, err);
        if (r < 0)
            return r;
        eddy_train_know(trainer);
    }
    const char *from = keeper->resume.data + sizeof header;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(blocks[i], from, sizes[i]);
        from += sizes[i];
    }
    eddy_rows_restored(&trainer->adam);
    keeper->resumed(keeper->context, trainer->progress.epoch, NULL);
    return 0;
}
