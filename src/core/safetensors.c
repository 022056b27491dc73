/* safetensors (github.com/huggingface/safetensors, "Format"): one JSON header that says
 * where each tensor lies, no code in the file, and Python, Rust and JavaScript read it.
 * Tensors follow each other without gaps, as the format demands; the header is filled up
 * with blanks so that the data begin at a multiple of 64 bytes and may be mapped. */
#include "core/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "safetensors is little-endian");

enum { ALIGN = 64, SIZE_BYTES = 8, HEADER_MAX = 16 << 20 };

bool eddy_floats_are_finite(const float *values, size_t n)
{
    uint32_t any = 0; /* an exponent of all ones is NaN or infinity */
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        any |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return any == 0;
}

static const struct {
    const char *name;
    size_t size;
} types[] = {{"F32", 4}, {"U32", 4}, {"U64", 8}};

static uint32_t dimensions_of(uint32_t rows, uint32_t cols, uint64_t ret[2])
{
    if (rows == 1 || cols == 1) {
        ret[0] = (uint64_t)rows * cols;
        return 1;
    }
    ret[0] = rows;
    ret[1] = cols;
    return 2;
}

void eddy_safetensors_encode(const struct eddy_st_tensor *tensors, uint32_t count,
                             struct eddy_buf *out)
{
    size_t begin = out->size, at = 0;
    eddy_buf_put(out, "\0\0\0\0\0\0\0\0", SIZE_BYTES);
    eddy_buf_puts(out, "{\"__metadata__\":{\"format\":\"pt\",\"producer\":\"eddy\"}");
    for (uint32_t i = 0; i < count; i++) {
        uint64_t dimensions[2];
        size_t size =
            (size_t)tensors[i].rows * tensors[i].cols * types[tensors[i].type].size;
        eddy_buf_printf(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensors[i].name,
                        types[tensors[i].type].name);
        uint32_t n = dimensions_of(tensors[i].rows, tensors[i].cols, dimensions);
        for (uint32_t d = 0; d < n; d++) {
            eddy_buf_puts(out, d > 0 ? "," : "");
            eddy_buf_put_u64(out, dimensions[d]);
        }
        eddy_buf_printf(out, "],\"data_offsets\":[%zu,%zu]}", at, at + size);
        at += size;
    }
    eddy_buf_putc(out, '}');
    while (!out->failed && (out->size - begin) % ALIGN != 0) {
        eddy_buf_putc(out, ' ');
    }
    (void)eddy_buf_reserve(out, at);
    if (out->failed) {
        return;
    }
    uint64_t header_size = out->size - begin - SIZE_BYTES;
    memcpy(out->data + begin, &header_size, sizeof header_size);
    for (uint32_t i = 0; i < count; i++) {
        eddy_buf_put(out, tensors[i].data,
                     (size_t)tensors[i].rows * tensors[i].cols *
                         types[tensors[i].type].size);
    }
}

int eddy_safetensors_open(struct eddy_span bytes, struct eddy_safetensors *ret,
                          struct eddy_err *err)
{
    uint64_t size;
    if (bytes.size < SIZE_BYTES) {
        return eddy_fail(err, EDDY_EFORMAT, "%zu bytes are no safetensors file",
                         bytes.size);
    }
    memcpy(&size, bytes.data, sizeof size);
    if (size > bytes.size - SIZE_BYTES || size > HEADER_MAX) {
        return eddy_fail(err, EDDY_EFORMAT, "header of %llu bytes in a file of %zu",
                         (unsigned long long)size, bytes.size);
    }
    json_error_t error;
    json_t *header = json_loadb(bytes.data + SIZE_BYTES, (size_t)size,
                                JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(header)) {
        json_decref(header);
        return eddy_fail(err, EDDY_EFORMAT, "header is no JSON object: %s",
                         header ? "another type" : error.text);
    }
    size_t begin = SIZE_BYTES + (size_t)size;
    ret->header = header;
    ret->data = (struct eddy_span){bytes.data + begin, bytes.size - begin};
    ret->count = (uint32_t)(json_object_size(header) -
                            (json_object_get(header, "__metadata__") ? 1 : 0));
    return 0;
}

void eddy_safetensors_close(struct eddy_safetensors *file)
{
    json_decref(file->header);
    file->header = NULL;
}

/* Element `index` of a JSON array, UINT64_MAX when it is no number >= 0. */
static uint64_t number_at(const json_t *array, size_t index)
{
    const json_t *number = json_array_get(array, index);
    return json_is_integer(number) && json_integer_value(number) >= 0
               ? (uint64_t)json_integer_value(number)
               : UINT64_MAX;
}

int64_t eddy_safetensors_length(const struct eddy_safetensors *file, const char *name)
{
    const json_t *shape = json_object_get(json_object_get(file->header, name), "shape");
    uint64_t length = number_at(shape, 0);
    return json_array_size(shape) == 1 && length <= INT64_MAX ? (int64_t)length : -1;
}

int eddy_safetensors_read_as(const struct eddy_safetensors *file, const char *name,
                             enum eddy_st_type type, uint32_t rows, uint32_t cols,
                             void *ret, struct eddy_err *err)
{
    const json_t *entry = json_object_get(file->header, name);
    if (!entry) {
        return eddy_fail(err, EDDY_EFORMAT, "tensor %s is missing", name);
    }
    const char *is = json_string_value(json_object_get(entry, "dtype"));
    if (!is || strcmp(is, types[type].name) != 0) {
        return eddy_fail(err, EDDY_EFORMAT, "tensor %s: dtype is %s, %s is wanted",
                         name, is ? is : "missing", types[type].name);
    }
    const json_t *shape = json_object_get(entry, "shape");
    uint64_t want[2];
    uint32_t n = dimensions_of(rows, cols, want);
    bool same = json_array_size(shape) == n;
    for (uint32_t d = 0; same && d < n; d++) {
        same = number_at(shape, d) == want[d];
    }
    if (!same) {
        return eddy_fail(err, EDDY_EFORMAT, "tensor %s: the shape is not (%u, %u)",
                         name, rows, cols);
    }
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t begin = number_at(offsets, 0), end = number_at(offsets, 1);
    size_t size = (size_t)rows * cols * types[type].size;
    if (json_array_size(offsets) != 2 || end > file->data.size || begin > end ||
        end - begin != size) {
        return eddy_fail(err, EDDY_EFORMAT,
                         "tensor %s: its offsets are not in the file", name);
    }
    memcpy(ret, file->data.data + begin, size);
    if (type == EDDY_ST_F32 && !eddy_floats_are_finite(ret, (size_t)rows * cols)) {
        return eddy_fail(err, EDDY_EFORMAT, "tensor %s: NaN or infinity in it", name);
    }
    return 0;
}

int eddy_safetensors_read(const struct eddy_safetensors *file, const char *name,
                          uint32_t rows, uint32_t cols, float *ret,
                          struct eddy_err *err)
{
    return eddy_safetensors_read_as(file, name, EDDY_ST_F32, rows, cols, ret, err);
}
