/* Memory that runs out at every allocation of a split, an exam, a sitting and their means:
 * refused with EDDY_ENOMEM, nothing leaked (asan). */
#include "core/exam.h"
#include "log_rows.h"
#include "tiny_model.h"
#include "torture.h"

static struct eddy_snapshot *snapshot;
static struct eddy_interactions in;
static enum eddy_protocol protocol;

static bool an_exam_is_taken(void)
{
    struct eddy_split_options split = eddy_split_defaults(protocol);
    struct eddy_exam_options options = {.protocol = protocol,
                                        .exclude_seen = true,
                                        .rewards = true,
                                        .threads = 1,
                                        .half_life_s = 3600,
                                        .measure = EDDY_NDCG,
                                        .cutoff = 10};
    struct eddy_exam exam = {0};
    struct eddy_exam_result result = {0};
    struct eddy_evaluation mean;
    struct eddy_err err = {0};
    uint8_t *marks = NULL;
    bool good =
        torture_made(eddy_split(&in, &split, &marks, NULL, &err)) &&
        torture_made(eddy_exam_init(&exam, &in, marks, &options, &err)) &&
        torture_made(eddy_exam_sit(&exam, snapshot, NULL, NULL, &result, &err)) &&
        torture_made(
            eddy_evaluate(result.scores, eddy_catalog_count(in.users), 3, 1, &mean)) &&
        torture_made(eddy_evaluate_difference(
            result.scores, result.scores, eddy_catalog_count(in.users), 3, 1, &mean));
    CHECK(good || err.code == EDDY_ENOMEM || err.code == 0);
    eddy_exam_result_fini(&result);
    eddy_exam_fini(&exam);
    free(marks);
    return good;
}

static void every_protocol_can_be_refused(void)
{
    for (int p = 0; p < EDDY_PROTOCOLS; p++) {
        protocol = (enum eddy_protocol)p;
        TORTURE(an_exam_is_taken);
    }
}

int main(void)
{
    struct tiny small = tiny_default;
    small.tables = true;
    snapshot = tiny_open(&small);
    if (snapshot == NULL)
        return 1;
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP,EVENT_VALUE\n");
    for (int i = 0; i < 360; i++)
        eddy_buf_printf(&csv, "u%d,i%d,%d,%d\n", i % 12, i * 7 % 52,
                        1600000000 + 60 * i, i % 4);
    in = rows_of_csv(&csv, snapshot->catalog);
    RUN(every_protocol_can_be_refused);
    eddy_interactions_fini(&in);
    eddy_snapshot_release(snapshot);
    return check_done();
}
