/* Histories -> sequences -> packs.
 *
 * Validation events (core/selection.h) are a suffix of a user's history and never a target
 * of training. Steps come from
 * eddy_step_make, the function that serving calls; the first event of a window counts as
 * the user's first, as it does when a state is encoded again from its recent events.
 *
 *   ------- history -------------------------------------> time
 *           [ window: training steps ]v v v   [held out]
 *   targets   ^ each next event      validation events
 */
#include "core/sequence.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/rng.h"

static int64_t seconds(int64_t ts_ms)
{
    return ts_ms >= 0 ? ts_ms / 1000 : -((999 - ts_ms) / 1000);
}

/* Steps of rows [first, end) into ret_steps; the first counts as the user's first. */
static void make_steps(const struct eddy_interactions *in, uint64_t first, uint64_t end,
                       const struct eddy_history_options *options,
                       struct eddy_step *ret_steps)
{
    for (uint64_t i = first; i < end; i++) {
        const struct eddy_interaction *row = &in->rows[i];
        int64_t previous = i == first ? -1 : seconds(in->rows[i - 1].ts_ms);
        ret_steps[i - first] =
            eddy_step_make(row->item, row->type, previous, seconds(row->ts_ms),
                           options->session_gap_s, row->has_value, row->value);
        ret_steps[i - first].context =
            eddy_context_index_interaction(options->context, in, row);
    }
}

struct fill {
    const struct eddy_interactions *in;
    const struct eddy_selection *selection;
    const struct eddy_history_options *options;
    struct eddy_histories *histories;
    uint64_t at; /* of the backing memory in use */
};

/* An event that an older model has learned from, of a user who is not replayed. */
static bool is_done(const struct fill *fill, const struct eddy_interaction *row)
{
    const struct eddy_history_options *options = fill->options;
    return options->replays && row->ts_ms <= options->old_ms &&
           eddy_draw_unit(options->seed, row->user, 2, 0) >= options->replay;
}

/* A sequence over input rows [first, last), the targets being those of rows first+1 .. last
 * from row `from` on that have a weight. */
static struct eddy_sequence make_sequence(struct fill *fill, uint32_t user,
                                          uint64_t first, uint64_t last, uint64_t from,
                                          bool training, uint64_t *ret_targets)
{
    const struct eddy_histories *histories = fill->histories;
    struct eddy_step *steps = histories->steps + fill->at;
    uint32_t *targets = histories->targets + fill->at;
    uint32_t *times = histories->times + fill->at;
    float *weights = histories->weights + fill->at;
    struct eddy_context_row *requests =
        histories->requests ? histories->requests + fill->at : NULL;

    make_steps(fill->in, first, last, fill->options, steps);
    for (uint64_t i = first; i < last; i++) {
        const struct eddy_interaction *next = &fill->in->rows[i + 1];
        float weight = eddy_selection_weight(fill->selection, next);
        bool wanted = i + 1 >= from && weight > 0 && !(training && is_done(fill, next));
        targets[i - first] = wanted ? next->item : EDDY_ITEM_NONE;
        weights[i - first] = wanted ? weight : 0;
        if (requests)
            requests[i - first] =
                eddy_context_index_interaction(fill->options->context, fill->in, next);
        times[i - first] = (uint32_t)((next->ts_ms - histories->first_ms) / 1000);
        *ret_targets += wanted ? 1 : 0;
    }
    fill->at += last - first;
    return (struct eddy_sequence){.steps = steps,
                                  .targets = targets,
                                  .weights = weights,
                                  .times = times,
                                  .requests = requests,
                                  .count = (uint32_t)(last - first),
                                  .user = user};
}

/* Row `first`, the user's first event, as a target. */
static void set_start(const struct fill *fill, uint64_t first,
                      struct eddy_sequence *sequence)
{
    const struct eddy_interaction *row = &fill->in->rows[first];
    sequence->start = row->item;
    sequence->start_time = (uint32_t)((row->ts_ms - fill->histories->first_ms) / 1000);
    sequence->start_weight = eddy_selection_weight(fill->selection, row);
    sequence->start_request =
        eddy_context_index_interaction(fill->options->context, fill->in, row);
}

/* Input rows [first, last) of a sequence; targets are rows from `from` on. first == last:
 * there is none. */
struct window {
    uint64_t first, last, from;
};

static void find_windows(const struct fill *fill, uint32_t user,
                         struct window *ret_train, struct window *ret_validation)
{
    uint64_t size = fill->options->window, begin, end, cut;

    *ret_train = *ret_validation = (struct window){0, 0, 0};
    eddy_selection_user(fill->selection, fill->in, user, &begin, &cut, &end);
    if (cut - begin >= 2) {
        uint64_t last = cut - 1; /* the last target */
        uint64_t first = last - begin > size ? last - size : begin;
        *ret_train = (struct window){first, last, first};
    }
    uint64_t from = cut > begin ? cut : begin + 1; /* first validation target */
    if (from < end) {
        uint64_t last = end - 1;
        uint64_t first = from - begin > size ? from - size : begin;
        if (last - first > fill->options->rows_max)
            first = last - fill->options->rows_max;
        *ret_validation = (struct window){first, last, from};
    }
}

static void fill_user(struct fill *fill, uint32_t user)
{
    struct eddy_histories *histories = fill->histories;
    struct window train, validation;
    uint64_t before;

    find_windows(fill, user, &train, &validation);
    if (train.first < train.last) {
        before = histories->train_targets;
        histories->train[histories->train_count] =
            make_sequence(fill, user, train.first, train.last, train.from, true,
                          &histories->train_targets);
        if (train.first == fill->in->user_begin[user])
            set_start(fill, train.first, &histories->train[histories->train_count]);
        histories->train_count += histories->train_targets > before ? 1 : 0;
    }
    if (validation.first < validation.last) {
        before = histories->validation_targets;
        histories->validation_row[histories->validation_count] = validation.first;
        histories->validation[histories->validation_count] =
            make_sequence(fill, user, validation.first, validation.last,
                          validation.from, false, &histories->validation_targets);
        histories->validation_count += histories->validation_targets > before ? 1 : 0;
    }
}

/* Steps of all sequences. */
static size_t room_for(const struct fill *fill, uint32_t users)
{
    uint64_t room = 1;
    for (uint32_t user = 0; user < users; user++) {
        struct window train, validation;
        find_windows(fill, user, &train, &validation);
        room += train.last - train.first + validation.last - validation.first;
    }
    return (size_t)room;
}

/* Mean weight of a training target: 1, so that learning rates keep their meaning. */
static void scale_weights(struct eddy_histories *histories)
{
    double sum = 0;
    for (uint32_t s = 0; s < histories->train_count; s++)
        for (uint32_t i = 0; i < histories->train[s].count; i++)
            sum += (double)histories->train[s].weights[i];
    if (sum == 0 || sum == (double)histories->train_targets)
        return;
    float factor = (float)((double)histories->train_targets / sum);
    for (uint32_t s = 0; s < histories->train_count; s++) {
        const struct eddy_sequence *sequence = &histories->train[s];
        float *weights = histories->weights + (sequence->weights - histories->weights);
        for (uint32_t i = 0; i < sequence->count; i++)
            weights[i] *= factor;
        histories->train[s].start_weight *= factor;
    }
}

/* 0, EDDY_ENOMEM, EDDY_EIO. */
static int make_room(struct eddy_histories *histories, const struct eddy_spill *spill,
                     uint32_t users, size_t room, bool context, struct eddy_err *err)
{
    int code = 0;
    histories->train = calloc((size_t)users + 1, sizeof *histories->train);
    histories->validation = calloc((size_t)users + 1, sizeof *histories->validation);
    histories->validation_row =
        calloc((size_t)users + 1, sizeof *histories->validation_row);
    if (!histories->train || !histories->validation || !histories->validation_row)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the histories of %u users",
                         users);
    histories->steps =
        eddy_spill_new(spill, room * sizeof *histories->steps, &code, err);
    if (code == 0)
        histories->targets =
            eddy_spill_new(spill, room * sizeof *histories->targets, &code, err);
    if (code == 0)
        histories->weights =
            eddy_spill_new(spill, room * sizeof *histories->weights, &code, err);
    if (code == 0)
        histories->times =
            eddy_spill_new(spill, room * sizeof *histories->times, &code, err);
    if (code == 0 && context)
        histories->requests =
            eddy_spill_new(spill, room * sizeof *histories->requests, &code, err);
    return code;
}

int eddy_histories_init(struct eddy_histories *histories,
                        const struct eddy_interactions *interactions,
                        const struct eddy_selection *selection,
                        const struct eddy_history_options *options,
                        struct eddy_err *err)
{
    uint32_t users = eddy_catalog_count(interactions->users);
    struct fill fill = {interactions, selection, options, histories, 0};

    *histories = (struct eddy_histories){0};
    int code = make_room(histories, interactions->spill, users, room_for(&fill, users),
                         options->context != NULL, err);
    if (code < 0) {
        eddy_histories_fini(histories);
        return code;
    }
    histories->first_ms = interactions->count > 0 ? interactions->rows[0].ts_ms : 0;
    for (uint64_t i = 0; i < interactions->count; i++)
        if (interactions->rows[i].ts_ms < histories->first_ms)
            histories->first_ms = interactions->rows[i].ts_ms;
    for (uint32_t user = 0; user < users; user++)
        fill_user(&fill, user);
    scale_weights(histories);
    return 0;
}

void eddy_histories_fini(struct eddy_histories *histories)
{
    free(histories->train);
    free(histories->validation);
    free(histories->validation_row);
    eddy_spill_free(histories->steps);
    eddy_spill_free(histories->targets);
    eddy_spill_free(histories->weights);
    eddy_spill_free(histories->times);
    eddy_spill_free(histories->requests);
    *histories = (struct eddy_histories){0};
}

int eddy_pack_init(struct eddy_pack *pack, uint32_t rows_max)
{
    size_t n = (size_t)rows_max + 1 + EDDY_PACK_SEQUENCES;
    *pack = (struct eddy_pack){.rows_max = rows_max, .segments_max = rows_max};
    pack->wave_segment = malloc((n + 1) * sizeof *pack->wave_segment);
    pack->segments = malloc(n * sizeof *pack->segments);
    pack->steps = malloc(n * sizeof *pack->steps);
    pack->targets = malloc(n * sizeof *pack->targets);
    pack->weights = malloc(n * sizeof *pack->weights);
    pack->times = malloc(n * sizeof *pack->times);
    pack->requests = malloc(n * sizeof *pack->requests);
    pack->positions = malloc(n * sizeof *pack->positions);
    pack->sequences = malloc(n * sizeof *pack->sequences);
    pack->keys = malloc(n * sizeof *pack->keys);
    pack->users = malloc(EDDY_PACK_SEQUENCES * sizeof *pack->users);
    if (pack->requests && pack->users && pack->wave_segment && pack->segments &&
        pack->steps && pack->targets && pack->weights && pack->times &&
        pack->positions && pack->sequences && pack->keys)
        return 0;
    eddy_pack_fini(pack);
    return EDDY_ENOMEM;
}

void eddy_pack_fini(struct eddy_pack *pack)
{
    free(pack->wave_segment);
    free(pack->segments);
    free(pack->steps);
    free(pack->targets);
    free(pack->weights);
    free(pack->times);
    free(pack->requests);
    free(pack->positions);
    free(pack->sequences);
    free(pack->users);
    free(pack->keys);
    *pack = (struct eddy_pack){0};
}

/* Events of a sequence from `position` to the end of its session. */
static uint32_t session_length(const struct eddy_sequence *sequence, uint32_t position,
                               enum eddy_mode mode)
{
    uint32_t end = position + 1;
    if (mode == EDDY_MODE_FLAT)
        return sequence->count - position;
    while (end < sequence->count && !sequence->steps[end].begin)
        end++;
    return end - position;
}

static void copy_rows(struct eddy_pack *pack, const struct eddy_sequence *sequence,
                      uint32_t index, const struct eddy_segment *segment)
{
    for (uint32_t i = 0; i < segment->count; i++) {
        uint32_t row = segment->row + i, position = segment->position + i;
        uint32_t target =
            sequence->targets ? sequence->targets[position] : EDDY_ITEM_NONE;
        pack->steps[row] = sequence->steps[position];
        pack->targets[row] = target;
        pack->weights[row] = sequence->weights ? sequence->weights[position] : 1.0f;
        pack->times[row] = sequence->times ? sequence->times[position] : UINT32_MAX;
        pack->requests[row] = sequence->requests ? sequence->requests[position]
                                                 : (struct eddy_context_row){{0}};
        pack->positions[row] = position;
        pack->sequences[row] = index;
        pack->keys[row] = eddy_mix64(sequence->user, position);
        pack->target_count += target != EDDY_ITEM_NONE ? 1 : 0;
    }
}

/* An entry of the wave under construction: which sequence, how many events. */
struct entry {
    uint32_t sequence, count;
};

/* Insertion by length, longest first; equal ones stay in order. */
static void insert(struct entry *wave, uint32_t count, struct entry entry)
{
    while (count > 0 && wave[count - 1].count < entry.count) {
        wave[count] = wave[count - 1];
        count--;
    }
    wave[count] = entry;
}

/* First events behind the last row. */
static void add_starts(struct eddy_pack *pack,
                       const struct eddy_sequence *const *sequences, uint32_t count)
{
    pack->sequence_count = count;
    pack->starts = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = pack->rows + pack->starts;
        pack->users[i] = sequences[i]->user;
        if (!(sequences[i]->start_weight > 0))
            continue;
        pack->targets[row] = sequences[i]->start;
        pack->weights[row] = sequences[i]->start_weight;
        pack->times[row] = sequences[i]->start_time;
        pack->sequences[row] = i;
        pack->requests[row] = sequences[i]->start_request;
        pack->keys[row] = eddy_mix64(sequences[i]->user, UINT32_MAX);
        pack->starts++;
    }
}

void eddy_pack_build(struct eddy_pack *pack, enum eddy_mode mode,
                     const struct eddy_sequence *const *sequences, uint32_t count)
{
    struct entry wave[EDDY_PACK_SEQUENCES];
    uint32_t
        last[EDDY_PACK_SEQUENCES]; /* segment of each sequence in the wave before */
    uint32_t done[EDDY_PACK_SEQUENCES] = {0};

    EDDY_ASSERT(count <= EDDY_PACK_SEQUENCES);
    pack->rows = pack->segment_count = pack->wave_count = 0;
    pack->target_count = 0;
    for (uint32_t i = 0; i < count; i++)
        last[i] = EDDY_SEGMENT_NONE;
    for (;;) {
        uint32_t entries = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (done[i] == sequences[i]->count)
                continue;
            uint32_t length = session_length(sequences[i], done[i], mode);
            insert(wave, entries++, (struct entry){i, length});
        }
        pack->wave_segment[pack->wave_count] = pack->segment_count;
        if (entries == 0)
            break;
        pack->wave_count++;
        for (uint32_t e = 0; e < entries; e++) {
            uint32_t i = wave[e].sequence;
            struct eddy_segment *segment = &pack->segments[pack->segment_count];
            *segment =
                (struct eddy_segment){pack->rows, wave[e].count, last[i], done[i]};
            EDDY_ASSERT(pack->rows + segment->count <= pack->rows_max);
            copy_rows(pack, sequences[i], i, segment);
            pack->rows += segment->count;
            done[i] += segment->count;
            last[i] = pack->segment_count++;
        }
    }
    add_starts(pack, sequences, count);
}
