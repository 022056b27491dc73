#include "app/version.h"

#include <cblas.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <uv.h>

#include "app/program.h"
#include "core/kernel.h"

enum { LIBRARIES = 7 };

static void collect(char names[LIBRARIES][16], char texts[LIBRARIES][160])
{
    const char *const named[LIBRARIES] = {"eddy",  "librdkafka", "hiredis", "OpenBLAS",
                                          "libuv", "jansson",    "kernels"};
    for (int i = 0; i < LIBRARIES; i++)
        (void)snprintf(names[i], 16, "%s", named[i]);
    struct eddy_buf program;
    eddy_buf_init(&program, 160);
    eddy_program_put(&program);
    eddy_buf_putc(&program, '\0');
    (void)snprintf(texts[0], 160, "%s", program.failed ? EDDY_VERSION : program.data);
    eddy_buf_fini(&program);
    (void)snprintf(texts[1], 160, "%s", rd_kafka_version_str());
    (void)snprintf(texts[2], 160, "%d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR,
                   HIREDIS_PATCH);
    (void)snprintf(texts[3], 160, "%s, %s kernels in use", openblas_get_config(),
                   openblas_get_corename());
    (void)snprintf(texts[4], 160, "%s", uv_version_string());
    (void)snprintf(texts[5], 160, "%s", JANSSON_VERSION);
    (void)snprintf(texts[6], 160, "%s", eddy_kernels_get()->name);
}

void eddy_version_print(struct eddy_buf *out)
{
    char names[LIBRARIES][16], texts[LIBRARIES][160];
    collect(names, texts);
    for (int i = 0; i < LIBRARIES; i++)
        eddy_buf_printf(out, "%s %s\n", names[i], texts[i]);
}

void eddy_version_print_json(struct eddy_buf *out)
{
    char names[LIBRARIES][16], texts[LIBRARIES][160];
    collect(names, texts);
    for (int i = 0; i < LIBRARIES; i++) {
        eddy_buf_putc(out, i ? ',' : '{');
        eddy_buf_put_json_string(out, eddy_span_of(names[i]));
        eddy_buf_putc(out, ':');
        eddy_buf_put_json_string(out, eddy_span_of(texts[i]));
    }
    eddy_buf_puts(out, "}\n");
}
