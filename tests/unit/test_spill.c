/* Rows and histories on disk: the same rows, sequences and model as in memory; a disk
 * without room is an error; nothing is left behind. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/rng.h"
#include "check.h"
#include "core/build.h"
#include "core/counting_model.h"
#include "core/select.h"
#include "core/split.h"
#include "full_disk.h"
#include "io/scratch.h"

static char folder[] = "/tmp/eddy-test-spill-XXXXXX";

/* Users and times in no order, equal times, quoted ids over two lines, an empty line. */
static struct eddy_buf csv_new(uint32_t rows)
{
    struct eddy_buf csv;
    struct eddy_rng rng;
    eddy_buf_init(&csv, 0);
    eddy_rng_seed(&rng, 3);
    eddy_buf_puts(&csv, "USER_ID,ITEM_ID,TIMESTAMP,EVENT_VALUE\n");
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t user = eddy_rng_below(&rng, 60), time = eddy_rng_below(&rng, 400);
        eddy_buf_printf(&csv, "\"u\n%u\",i%u,%u,%u\n", user,
                        (user * 3 + time / 50) % 37, 1600000000 + time * 977,
                        eddy_rng_below(&rng, 5));
        if (i == rows / 2)
            eddy_buf_puts(&csv, "\n");
    }
    return csv;
}

static struct eddy_interactions parse(struct eddy_span csv,
                                      const struct eddy_spill *spill)
{
    struct eddy_interactions_options options = {.spill = spill};
    struct eddy_interactions in;
    struct eddy_err err = {0};
    CHECK_INT(eddy_interactions_parse(csv, "made", &options, &in, &err), 0);
    return in;
}

static void rows_and_model_are_those_of_memory(void)
{
    struct eddy_buf csv = csv_new(2000);
    struct eddy_train_options options;
    struct eddy_train_result results[2];
    struct eddy_interactions in[2];
    struct eddy_spill spill;

    CHECK_INT(eddy_scratch_init(&spill, folder, 0, NULL), 0);
    in[0] = parse(eddy_buf_span(&csv), NULL);
    in[1] = parse(eddy_buf_span(&csv), &spill);
    uint32_t users = eddy_catalog_count(in[0].users);
    CHECK_INT(in[1].count, in[0].count);
    for (uint64_t i = 0; i < in[0].count; i++) {
        const struct eddy_interaction *a = &in[0].rows[i], *b = &in[1].rows[i];
        CHECK_INT(a->row, b->row);
        CHECK(a->user == b->user && a->item == b->item && a->ts_ms == b->ts_ms);
    }
    CHECK(memcmp(in[0].user_begin, in[1].user_begin,
                 (users + 1) * sizeof *in[0].user_begin) == 0);
    eddy_train_options_init(&options);
    options.hidden_dimension = 16;
    options.epochs = 2;
    for (int i = 0; i < 2; i++)
        CHECK_INT(eddy_train(&in[i], &options, NULL, NULL, &results[i], NULL), 0);
    CHECK(memcmp(results[0].params, results[1].params,
                 results[0].layout.size * sizeof(float)) == 0);
    CHECK_INT(full_disk_count(folder), 0); /* they never have a name for long */
    for (int i = 0; i < 2; i++) {
        eddy_train_result_fini(&results[i]);
        eddy_interactions_fini(&in[i]);
    }
    eddy_buf_fini(&csv);
}

struct element {
    uint32_t key, at;
    char more[5]; /* an odd size */
};

static int by_key(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void runs_of_any_length_merge_into_one_order(void)
{
    static const uint64_t lengths[] = {0, 1, 2, 3, 7, 64, 499, 500, 501};
    enum { COUNT = 500 };
    struct eddy_spill disk;
    CHECK_INT(eddy_scratch_init(&disk, folder, 0, NULL), 0);
    for (size_t l = 0; l < 2 * sizeof lengths / sizeof *lengths; l++) {
        struct element want[COUNT];
        struct element *elements =
            eddy_spill_new(l % 2 ? &disk : NULL, sizeof want, NULL, NULL);
        struct eddy_rng rng;
        int code = 0;
        eddy_rng_seed(&rng, l);
        memset(want, 0, sizeof want);
        for (uint32_t i = 0; i < COUNT; i++) {
            want[i].key = eddy_rng_below(&rng, 40);
            want[i].at = i;
            memset(want[i].more, (int)i, sizeof want[i].more);
        }
        memcpy(elements, want, sizeof want);
        qsort(want, COUNT, sizeof *want, by_key);
        elements = eddy_spill_sort(elements, COUNT, sizeof *elements, lengths[l / 2],
                                   by_key, &code, NULL);
        CHECK_INT(code, 0);
        CHECK_MEM(elements, want, sizeof want);
        elements =
            eddy_spill_sort(elements, 0, sizeof *elements, 1, by_key, &code, NULL);
        CHECK(elements != NULL);
        eddy_spill_free(elements);
    }
    CHECK_INT(full_disk_count(folder), 0);
}

/* The n-th array finds no room. */
struct full {
    struct eddy_spill disk;
    int left;
};

static void *map_or_fail(void *context, size_t bytes, struct eddy_err *err)
{
    struct full *full = context;
    if (full->left-- == 0) {
        eddy_fail(err, EDDY_EIO, "no room");
        return NULL;
    }
    return full->disk.map(full->disk.context, bytes, err);
}

static void unmap(void *context, void *memory, size_t bytes)
{
    struct full *full = context;
    full->disk.unmap(full->disk.context, memory, bytes);
}

static int train_network(struct eddy_interactions *in, struct eddy_err *err)
{
    struct eddy_train_options options;
    struct eddy_train_result result;
    eddy_train_options_init(&options);
    options.hidden_dimension = 16;
    options.epochs = 1;
    int code = eddy_train(in, &options, NULL, NULL, &result, err);
    if (code == 0)
        eddy_train_result_fini(&result);
    return code;
}

/* What goes before the network: rows left out. */
static int leave_out(struct eddy_interactions *in, struct eddy_err *err)
{
    struct eddy_split_options split = eddy_split_defaults(EDDY_PROTOCOL_SUCCESSIVE);
    struct eddy_select_options select = {.max_user_history = 1, .max_item_count = 0.9};
    struct eddy_select_counts counts;
    int code = eddy_split_hold_out(in, &split, NULL, NULL, err);
    return code ? code : eddy_select(in, &select, &counts, err);
}

static int make_tables(struct eddy_interactions *in, struct eddy_err *err)
{
    struct eddy_build_inputs inputs = {.interactions = in};
    struct eddy_build_options options = {0};
    struct eddy_build_result result;
    eddy_train_options_init(&options.train);
    int code = eddy_build(&inputs, &options, NULL, NULL, &result, err);
    if (code == 0)
        eddy_build_result_fini(&result);
    return code;
}

static int count(struct eddy_interactions *in, enum eddy_counting kind,
                 struct eddy_err *err)
{
    struct eddy_build_inputs inputs = {.interactions = in};
    struct eddy_counting_options options = {
        .kind = kind,
        .sims = {.window = 20, .width = 10},
        .similar = {.id_dimension = 8, .metadata_dimension = 8, .width = 10}};
    struct eddy_build_result result;
    int code = eddy_counting_model(&inputs, &options, &result, err);
    if (code == 0)
        eddy_build_result_fini(&result);
    return code;
}

static int count_sims(struct eddy_interactions *in, struct eddy_err *err)
{
    return count(in, EDDY_COUNTING_SIMS, err);
}

static int count_similar(struct eddy_interactions *in, struct eddy_err *err)
{
    return count(in, EDDY_COUNTING_SIMILAR, err);
}

static void a_disk_without_room_is_an_error_at_every_array(void)
{
    static const struct {
        int (*make)(struct eddy_interactions *in, struct eddy_err *err);
        int arrays; /* at least, with those of the rows */
    } jobs[] = {{train_network, 5},
                {leave_out, 3},
                {make_tables, 30},
                {count_sims, 2},
                {count_similar, 4}};
    struct eddy_buf csv = csv_new(8000);
    for (size_t j = 0; j < sizeof jobs / sizeof *jobs; j++) {
        int code = EDDY_EIO, n = 0;
        for (; code != 0 && n < 300; n++) {
            struct full full = {.left = n};
            struct eddy_spill spill = {
                .map = map_or_fail, .unmap = unmap, .context = &full};
            struct eddy_interactions_options options = {.spill = &spill};
            struct eddy_interactions in;
            struct eddy_err err = {0};
            CHECK_INT(eddy_scratch_init(&full.disk, folder, 0, NULL), 0);
            code = eddy_interactions_parse(eddy_buf_span(&csv), "made", &options, &in,
                                           &err);
            if (code == 0) {
                code = jobs[j].make(&in, &err);
                eddy_interactions_fini(&in);
            }
            CHECK(code == 0 || code == EDDY_EIO);
            CHECK_STR(err.text, code == 0 ? "" : "no room");
        }
        CHECK_INT(code, 0);
        CHECK(n > jobs[j].arrays);
    }
    CHECK_INT(full_disk_count(folder), 0);
    eddy_buf_fini(&csv);
}

static void a_folder_that_is_not_there_is_named(void)
{
    struct eddy_spill spill;
    struct eddy_err err = {0};
    CHECK_INT(eddy_scratch_init(&spill, "/nonexistent/scratch", 0, &err), EDDY_EIO);
    CHECK(strstr(err.text, "/nonexistent/scratch") != NULL);
}

static void more_than_the_disk_has_is_refused_before_use(void)
{
    struct eddy_spill spill;
    struct eddy_err err = {0};
    int code = 0;
    CHECK_INT(eddy_scratch_init(&spill, folder, 0, NULL), 0);
    CHECK(eddy_spill_new(&spill, (size_t)1 << 60, &code, &err) == NULL);
    CHECK_INT(code, EDDY_EIO);
    CHECK(strstr(err.text, "no room") != NULL);
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    RUN(rows_and_model_are_those_of_memory);
    RUN(runs_of_any_length_merge_into_one_order);
    RUN(a_disk_without_room_is_an_error_at_every_array);
    RUN(a_folder_that_is_not_there_is_named);
    RUN(more_than_the_disk_has_is_refused_before_use);
    rmdir(folder);
    return check_done();
}
