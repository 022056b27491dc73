/* Snapshot: what is written opens again, and whatever was done to the files is refused with
 * the name of the file. `test_snapshot --write DIR` writes one for tests/golden. */
#include "core/snapshot.h"

#include <stdlib.h>

#include "check.h"
#include "core/head_store.h"
#include "core/safetensors.h"
#include "io/files.h"
#include "tiny_model.h"

static struct tiny_files files; /* of tiny_default */

static int open_files(struct eddy_span model, struct eddy_span catalog,
                      struct eddy_span manifest, struct eddy_err *err)
{
    struct eddy_snapshot_files bytes = {model, catalog, manifest};
    struct eddy_snapshot *snapshot = NULL;
    memset(err, 0, sizeof *err);
    int code = eddy_snapshot_decode(&bytes, eddy_kernels_get(), &snapshot, err);
    eddy_snapshot_release(snapshot);
    return code;
}

static bool begins_with(const char *text, const char *want)
{
    bool same = strncmp(text, want, strlen(want)) == 0;
    if (!same) {
        fprintf(stderr, "    got  \"%s\"\n    want \"%s...\"\n", text, want);
    }
    return same;
}

static void written_snapshot_opens_to_the_same(void)
{
    struct eddy_snapshot *snapshot = tiny_open(&tiny_default);
    if (!CHECK(snapshot != NULL)) {
        return;
    }
    const struct eddy_manifest *manifest = &snapshot->manifest;
    CHECK_STR(manifest->recipe, "hrnn");
    CHECK_INT(manifest->session_gap_s, 1800);
    CHECK_INT(manifest->recent_events, 20);
    CHECK_INT(manifest->seed, 1);
    CHECK_INT(manifest->created_s, 1600000000);
    CHECK_INT(manifest->shape.items, 50);
    CHECK_INT(manifest->shape.hidden, 16);
    CHECK_INT(manifest->shape.layers, 2);
    CHECK_INT(manifest->shape.types, 3);
    CHECK_INT(manifest->shape.cell, EDDY_CELL_MINGRU);
    CHECK_INT(manifest->shape.mode, EDDY_MODE_ALL);
    CHECK_STR(manifest->types[2], "buy");
    CHECK_STR(manifest->hyper_json,
              "{\"hidden_dimension\":16,\"learning_rate\":0.10000000000000001}");
    CHECK_STR(manifest->data_json, "{\"events\":7}");
    CHECK_STR(manifest->metrics_json, "{}");
    CHECK_INT(strlen(manifest->version), 16);
    CHECK_INT(eddy_catalog_count(snapshot->catalog), 50);
    CHECK(eddy_span_eq(eddy_catalog_title(snapshot->catalog, 3),
                       eddy_span_of("A, \"Title\"")));
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 1);
    /* params were drawn in block order; the padding between tensors is not stored. */
    size_t compared = 0;
    const struct eddy_layout *layout = &snapshot->layout;
    size_t at = 0;
    for (uint32_t t = 0; t < layout->count; t++) {
        const struct eddy_tensor *tensor = &layout->tensors[t];
        size_t size = (size_t)tensor->rows * tensor->cols;
        for (; at < tensor->offset + size; at++) {
            float want = (float)eddy_rng_normal(&rng) * 0.3f;
            if (at >= tensor->offset) {
                compared += snapshot->params[at] == want;
            }
        }
    }
    size_t floats = 0;
    for (uint32_t t = 0; t < layout->count; t++) {
        floats += (size_t)layout->tensors[t].rows * layout->tensors[t].cols;
    }
    CHECK_INT(compared, floats);
    CHECK_INT(eddy_snapshot_type(snapshot, (uint32_t)eddy_hash64(eddy_span_of("buy"))),
              2);
    CHECK_INT(eddy_snapshot_type(snapshot, (uint32_t)eddy_hash64(eddy_span_of("x"))),
              0);
    eddy_snapshot_release(snapshot);
}

static void popular_items_are_ranked_with_ties_by_index(void)
{
    struct eddy_snapshot *snapshot = tiny_open(&tiny_default);
    CHECK_INT(snapshot->popular_count, 50);
    for (uint32_t i = 1; i < snapshot->popular_count; i++) {
        uint32_t a = snapshot->popular[i - 1], b = snapshot->popular[i];
        float x = snapshot->popularity[a], y = snapshot->popularity[b];
        CHECK(x > y || (x == y && a < b));
    }
    eddy_snapshot_release(snapshot);
}

static void equal_training_gives_an_equal_version_and_any_difference_another(void)
{
    struct eddy_err err;
    char versions[6][EDDY_SNAPSHOT_ID_SIZE];
    struct tiny cases[6] = {tiny_default, tiny_default, tiny_default,
                            tiny_default, tiny_default, tiny_default};
    cases[1].seed = 2;
    cases[2].session_gap_s = 1801;
    cases[3].recent_events = 21;
    cases[4].odd_id = "other";
    for (int i = 0; i < 6; i++) {
        struct eddy_snapshot *snapshot = tiny_open(&cases[i]);
        memcpy(versions[i], snapshot->manifest.version, sizeof versions[i]);
        eddy_snapshot_release(snapshot);
    }
    CHECK_STR(versions[5], versions[0]);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < i; k++) {
            CHECK(strcmp(versions[i], versions[k]) != 0);
        }
    }
    struct tiny_files again;
    CHECK_INT(tiny_encode(&tiny_default, &again, &err), 0);
    CHECK(eddy_span_eq(eddy_buf_span(&again.manifest), eddy_buf_span(&files.manifest)));
    tiny_files_fini(&again);
}

static void damaged_files_are_refused_by_name(void)
{
    struct eddy_span model = eddy_buf_span(&files.model);
    struct eddy_span catalog = eddy_buf_span(&files.catalog);
    struct eddy_span manifest = eddy_buf_span(&files.manifest);
    struct eddy_err err;
    CHECK_INT(open_files(model, catalog, manifest, &err), 0);
    model.size--;
    CHECK_INT(open_files(model, catalog, manifest, &err), EDDY_EFORMAT);
    CHECK(begins_with(err.text, "model.safetensors: "));
    model.size++;
    catalog.size -= 5;
    CHECK_INT(open_files(model, catalog, manifest, &err), EDDY_EFORMAT);
    CHECK(begins_with(err.text, "catalog.csv: "));
    catalog.size += 5;
    for (size_t at = 0; at < model.size; at += 1 + model.size / 40) {
        files.model.data[at] ^= 4;
        CHECK_INT(open_files(model, catalog, manifest, &err), EDDY_EFORMAT);
        CHECK(begins_with(err.text, "model.safetensors: sha256 begins with "));
        files.model.data[at] ^= 4;
    }
    files.catalog.data[12] ^= 1;
    CHECK_INT(open_files(model, catalog, manifest, &err), EDDY_EFORMAT);
    CHECK(begins_with(err.text, "catalog.csv: sha256 begins with "));
    files.catalog.data[12] ^= 1;
    for (size_t size = 0; size + 1 < manifest.size; size += 7) {
        struct eddy_span cut = {manifest.data, size};
        CHECK_INT(open_files(model, catalog, cut, &err), EDDY_EFORMAT);
        CHECK(begins_with(err.text, "manifest.json: "));
    }
}

/* The manifest with one text replaced by another. */
static int open_with(const char *from, const char *to, struct eddy_err *err)
{
    struct eddy_buf changed;
    const char *place = strstr(files.manifest.data, from);
    CHECK(place != NULL);
    if (!place) {
        return 0;
    }
    eddy_buf_init(&changed, 0);
    eddy_buf_put(&changed, files.manifest.data, (size_t)(place - files.manifest.data));
    eddy_buf_puts(&changed, to);
    eddy_buf_puts(&changed, place + strlen(from));
    int code = open_files(eddy_buf_span(&files.model), eddy_buf_span(&files.catalog),
                          eddy_buf_span(&changed), err);
    eddy_buf_fini(&changed);
    return code;
}

static void a_manifest_changed_by_hand_is_refused_and_says_where(void)
{
    static const struct {
        const char *from, *to, *want;
    } cases[] = {
        {"\"session_gap_s\": 1800", "\"session_gap_s\": 60",
         "manifest.json: version is "},
        {"\"learning_rate\": 0.1", "\"learning_rate\": 0.2",
         "manifest.json: version is "},
        {"\"click\"", "\"klick\"", "manifest.json: version is "},
        {"\"format\": 1", "\"format\": 2",
         "manifest.json: format 2, this program knows 1"},
        {"\"session_gap_s\": 1800", "\"session_gap_s\": 0",
         "manifest.json: session_gap_s is 0, allowed is 1 to 31622400"},
        {"\"recent_events\": 20", "\"recent_events\": 201",
         "manifest.json: recent_events is 201, allowed is 1 to 200"},
        {"\"hidden\": 16", "\"hidden\": 100000",
         "manifest.json: model shape: hidden dimension is 100000"},
        {"\"hidden\": 16", "\"hidden\": -1",
         "manifest.json: hidden is missing or no integer"},
        {"\"cell\": \"mingru\"", "\"cell\": \"lstm\"",
         "manifest.json: cell 'lstm' is not known"},
        {"\"mode\": \"all\"", "\"mode\": 3",
         "manifest.json: mode is missing or no string"},
        {"\"buy\"", "\"\"", "manifest.json: types: number 2 is ''"},
        {"\"buy\"", "7", "manifest.json: types: number 2 is 'missing'"},
        {"\"types\": 3", "\"types\": 4",
         "manifest.json: types: 3 texts, the shape says 4"},
        {"\"recipe\": \"hrnn\"", "\"recipes\": 1",
         "manifest.json: recipe is missing or no string"},
        {"\"catalog.csv\"", "\"catalog\"",
         "manifest.json: files: catalog.csv is missing"},
        {"2020-09-13T", "yesterday",
         "manifest.json: created: 'yesterday12:26:40Z' is no"},
        {"\"seed\": 1", "\"seed\": \"1\"", "manifest.json: seed is missing"},
        {"\"seed\": 1", "\"seed\": 1, \"seed\": 1", "manifest.json: line "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_err err;
        CHECK_INT(open_with(cases[i].from, cases[i].to, &err), EDDY_EFORMAT);
        CHECK(begins_with(err.text, cases[i].want));
    }
}

static void what_does_not_fit_is_not_written(void)
{
    struct eddy_shape shape = {2, 16, 1, 1, EDDY_CELL_GRU, EDDY_MODE_FLAT, 0, 0, 0};
    struct eddy_layout layout;
    CHECK_INT(eddy_layout_init(&layout, &shape, NULL), 0);
    float *params = eddy_params_new(&layout);
    float popularity[2] = {0, 1};
    struct eddy_catalog *catalog = eddy_catalog_new();
    struct eddy_manifest manifest = {.session_gap_s = 1800, .recent_events = 100};
    manifest.types[0] = strdup("");
    struct {
        const char *want;
        int code;
    } cases[] = {
        {"catalogue of 1 items, model of 2", EDDY_ECONFIG},
        {"tensor popularity: NaN or infinity in it, nothing is written", EDDY_EFATAL},
        {"tensor item_embedding: NaN or infinity in it, nothing is written",
         EDDY_EFATAL},
        {"recent_events is 0, allowed is 1 to 200", EDDY_ECONFIG},
        {"metrics: no JSON object: '[' or '{' expected near end of file", EDDY_EFORMAT},
        {"", 0},
    };
    eddy_catalog_add(catalog, eddy_span_of("a"));
    for (int i = 0; i < 6; i++) {
        struct tiny_files out = {0};
        struct eddy_err err = {0};
        popularity[1] = i == 1 ? NAN : 1;
        params[3] = i == 2 ? INFINITY : 0;
        manifest.recent_events = i == 3 ? 0 : 100;
        manifest.metrics_json = i == 4 ? strdup("") : NULL;
        const struct eddy_snapshot_parts parts = {.layout = &layout,
                                                  .params = params,
                                                  .popularity = popularity,
                                                  .catalog = catalog};
        int code = eddy_snapshot_encode(&manifest, &parts, &out.model, &out.catalog,
                                        &out.manifest, &err);
        CHECK_INT(code, cases[i].code);
        CHECK_STR(err.text, cases[i].want);
        free(manifest.metrics_json);
        manifest.metrics_json = NULL;
        tiny_files_fini(&out);
        if (i == 0) {
            eddy_catalog_add(catalog, eddy_span_of("b"));
        }
    }
    eddy_manifest_fini(&manifest);
    eddy_catalog_free(catalog);
    free(params);
}

static void safetensors_that_lie_are_refused(void)
{
    static const struct {
        const char *header, *want;
    } cases[] = {
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", ""},
        {"[]", "header is no JSON object: another type"},
        {"{\"s\":{}}", "tensor t is missing"},
        {"{\"t\":3}", "tensor t: dtype is missing, F32 is wanted"},
        {"{\"t\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}",
         "tensor t: dtype is F16, F32 is wanted"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}",
         "tensor t: the shape is not (2, 2)"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2,-2],\"data_offsets\":[0,16]}}",
         "tensor t: the shape is not (2, 2)"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,20]}}",
         "tensor t: its offsets are not in the file"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[8,24]}}",
         "tensor t: its offsets are not in the file"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[16,0]}}",
         "tensor t: its offsets are not in the file"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[-16,0]}}",
         "tensor t: its offsets are not in the file"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2]}}",
         "tensor t: its offsets are not in the file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_buf bytes;
        struct eddy_safetensors file;
        struct eddy_err err = {0};
        float data[4] = {1, 2, 3, 4}, got[4];
        uint64_t size = strlen(cases[i].header);
        eddy_buf_init(&bytes, 0);
        eddy_buf_put(&bytes, &size, 8);
        eddy_buf_puts(&bytes, cases[i].header);
        eddy_buf_put(&bytes, data, sizeof data);
        int code = eddy_safetensors_open(eddy_buf_span(&bytes), &file, &err);
        if (code == 0) {
            code = eddy_safetensors_read(&file, "t", 2, 2, got, &err);
            eddy_safetensors_close(&file);
        }
        CHECK_INT(code, cases[i].want[0] ? EDDY_EFORMAT : 0);
        CHECK_STR(err.text, cases[i].want);
        for (size_t cut = 0; cut < 8 + size; cut++) {
            CHECK_INT(eddy_safetensors_open((struct eddy_span){bytes.data, cut}, &file,
                                            NULL),
                      EDDY_EFORMAT);
        }
        eddy_buf_fini(&bytes);
    }
}

/* ---- tables -------------------------------------------------------------------------- */

static bool same_table(const struct eddy_table *a, const struct eddy_table *b)
{
    uint64_t n = a->items == b->items ? a->begin[a->items] : 0;
    return n > 0 &&
           memcmp(a->begin, b->begin, (a->items + 1) * sizeof *a->begin) == 0 &&
           memcmp(a->index, b->index, n * sizeof *a->index) == 0 &&
           memcmp(a->weight, b->weight, n * sizeof *a->weight) == 0;
}

static void tables_and_head_come_back_where_they_are_used(void)
{
    struct tiny tiny = tiny_default;
    struct tiny_tables want;
    tiny.tables = true;
    CHECK_INT(tiny_tables_make(&want, tiny.items, tiny.seed), 0);
    struct eddy_snapshot *snapshot = tiny_open(&tiny);
    struct eddy_snapshot *plain = tiny_open(&tiny_default);
    if (!CHECK(snapshot && plain))
        return;
    const struct eddy_tables *got = &snapshot->tables;
    CHECK(same_table(&got->related, &want.tables.related));
    CHECK(same_table(&got->rules, &want.tables.rules));
    CHECK_INT(got->sessions.count, want.tables.sessions.count);
    uint64_t postings = want.tables.sessions.posting_begin[50];
    CHECK_INT(got->sessions.posting_begin[50], postings);
    CHECK(memcmp(got->sessions.postings, want.tables.sessions.postings,
                 postings * sizeof *got->sessions.postings) == 0);
    CHECK_INT(got->priors, 3);
    CHECK(memcmp(got->prior[0], want.tables.prior[0], 50 * sizeof(float)) == 0);
    CHECK(got->prior[1] == NULL); /* no bucket uses it */
    CHECK(memcmp(got->prior[2], want.tables.prior[2], 50 * sizeof(float)) == 0);
    CHECK(memcmp(snapshot->head.weight, want.head.weight, sizeof want.head.weight) ==
          0);
    CHECK(snapshot->matrix.inputs == 16 + 1 + 2);
    CHECK_INT(tiny_cold(&want.tables, 16), 0);
    CHECK_INT(got->cold.count, 3);
    CHECK(memcmp(got->cold.items, want.tables.cold.items, 3 * sizeof(uint32_t)) == 0);
    CHECK(memcmp(got->cold.place, want.tables.cold.place, 18 * sizeof(float)) == 0);
    CHECK(strcmp(snapshot->manifest.version, plain->manifest.version) != 0);
    CHECK(eddy_head_is_plain(&plain->head) && plain->manifest.head_json == NULL);
    CHECK(plain->matrix.data == NULL);
    eddy_snapshot_release(snapshot);
    eddy_snapshot_release(plain);
    eddy_tables_fini(&want.tables);
}

/* Tensors of a head, one after the other damaged before the checksums are made. */
static void tables_that_lie_are_refused(void)
{
    static const char *const wants[] = {
        "tensor related.begin ends at",
        "tensor related.index: row",
        "tensor related.weight: NaN",
        "tensor rules.begin ends at",
        "tensor rules.index: row",
        "tensor rules.index: row",
        "tensor sessions.begin ends at",
        "sessions: item",
        "sessions: age",
        "tensor prior.0: NaN",
        "tensor sessions.entries is missing",
        "tensor prior.2 is missing",
        "tensor cold.items: not rising",
        "tensor cold.items: not rising",
        "tensor cold.place: NaN",
        "tensor cold.place",
    };
    enum { HIDDEN = 16 };
    struct tiny_tables from;
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        CHECK_INT(tiny_tables_make(&from, 50, 1), 0);
        struct eddy_st_tensor tensors[EDDY_HEAD_TENSORS_MAX];
        struct eddy_tables *t = &from.tables, read = {0};
        struct eddy_safetensors file;
        struct eddy_err err = {0};
        struct eddy_buf bytes;
        CHECK_INT(i < 12 ? 0 : tiny_cold(t, HIDDEN), 0);
        uint32_t count = eddy_head_tensors(t, &from.head, HIDDEN, tensors);
        uint32_t read_count = 0;
        switch (i) {
        case 0: t->related.begin[50] -= 1; break;
        case 1: t->related.index[3] = 50; break;
        case 2: t->related.weight[3] = NAN; break;
        case 3: t->rules.begin[50] = UINT64_MAX; break;
        case 4: t->rules.begin[9] = t->rules.begin[50] + 1; break;
        case 5: t->rules.weight[7] = -1; break;
        case 6: t->sessions.begin[t->sessions.count]++; break;
        case 7: t->sessions.entries[0] = 50; break;
        case 8: t->sessions.age[1] = -1; break;
        case 9: t->prior[0][0] = INFINITY; break;
        case 10: tensors[7].name = "other"; break;
        case 11: tensors[count - 1].name = "other"; break;
        case 12: t->cold.items[2] = 50; break;
        case 13: t->cold.items[1] = 0; break;
        case 14: t->cold.place[5] = NAN; break;
        case 15: tensors[1].name = "other"; break;
        }
        eddy_buf_init(&bytes, 0);
        eddy_safetensors_encode(tensors, count, &bytes);
        CHECK_INT(eddy_safetensors_open(eddy_buf_span(&bytes), &file, &err), 0);
        read.priors = 3;
        CHECK_INT(eddy_head_read_tensors(&file, &from.head, 50, HIDDEN, &read,
                                         &read_count, &err),
                  EDDY_EFORMAT);
        CHECK(begins_with(err.text, wants[i]));
        eddy_safetensors_close(&file);
        eddy_tables_fini(&read);
        eddy_tables_fini(&from.tables);
        eddy_buf_fini(&bytes);
    }
}

static void a_model_without_a_network_opens(void)
{
    struct tiny tiny = tiny_default;
    tiny.hidden = tiny.layers = 0;
    tiny.mode = EDDY_MODE_FLAT;
    struct eddy_snapshot *snapshot = tiny_open(&tiny);
    if (CHECK(snapshot != NULL)) {
        CHECK_INT(snapshot->layout.size, 64); /* 50 biases */
        CHECK(eddy_global(&snapshot->layout, snapshot->params, EDDY_G_ITEM) == NULL);
    }
    eddy_snapshot_release(snapshot);
}

static void the_last_release_frees(void)
{
    struct eddy_snapshot *snapshot = tiny_open(&tiny_default);
    CHECK(eddy_snapshot_acquire(snapshot) == snapshot);
    eddy_snapshot_release(snapshot);
    CHECK_INT(eddy_catalog_count(snapshot->catalog), 50); /* still there */
    eddy_snapshot_release(snapshot);
    eddy_snapshot_release(NULL);
}

int main(int argc, char **argv)
{
    struct eddy_err err = {0};
    if (tiny_encode(&tiny_default, &files, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        int code = eddy_snapshot_save(argv[2], eddy_buf_span(&files.model),
                                      eddy_buf_span(&files.catalog),
                                      eddy_buf_span(&files.manifest), &err);
        fprintf(stderr, "%s", err.text);
        tiny_files_fini(&files);
        return code < 0;
    }
    RUN(written_snapshot_opens_to_the_same);
    RUN(popular_items_are_ranked_with_ties_by_index);
    RUN(equal_training_gives_an_equal_version_and_any_difference_another);
    RUN(damaged_files_are_refused_by_name);
    RUN(a_manifest_changed_by_hand_is_refused_and_says_where);
    RUN(what_does_not_fit_is_not_written);
    RUN(safetensors_that_lie_are_refused);
    RUN(tables_and_head_come_back_where_they_are_used);
    RUN(tables_that_lie_are_refused);
    RUN(a_model_without_a_network_opens);
    RUN(the_last_release_frees);
    tiny_files_fini(&files);
    return check_done();
}
