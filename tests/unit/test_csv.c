#include "core/csv.h"

#include "check.h"

/* Reads everything into one text: fields joined by '|', rows by ';', an error as its
 * message in braces. */
static const char *read_all(struct eddy_span bytes)
{
    static struct eddy_buf out;
    struct eddy_csv csv;
    struct eddy_err err;
    int code;
    eddy_buf_clear(&out);
    eddy_buf_puts(&out, "");
    eddy_csv_init(&csv, bytes, "f.csv");
    while ((code = eddy_csv_next(&csv, &err)) != 0) {
        if (code < 0) {
            CHECK_INT(code, EDDY_EFORMAT);
            eddy_buf_printf(&out, "{%s};", err.text);
            continue;
        }
        for (uint32_t i = 0; i < csv.count; i++) {
            eddy_buf_put(&out, csv.fields[i].data, csv.fields[i].size);
            eddy_buf_puts(&out, i + 1 < csv.count ? "|" : ";");
        }
    }
    eddy_csv_fini(&csv);
    return out.data;
}

static void rows_are_split_as_rfc_4180_has_it(void)
{
    static const struct {
        const char *name, *input, *want;
    } cases[] = {
        {"plain", "a,b\nc,d\n", "a|b;c|d;"},
        {"no newline at the end", "a,b\nc,d", "a|b;c|d;"},
        {"CRLF", "a,b\r\nc,d\r\n", "a|b;c|d;"},
        {"CR before the end of the file", "a,b\r", "a|b;"},
        {"CR inside stays", "a\rb,c\n", "a\rb|c;"},
        {"BOM",
         "\xef\xbb\xbf"
         "a,b\n",
         "a|b;"},
        {"empty file", "", ""},
        {"only a BOM", "\xef\xbb\xbf", ""},
        {"empty lines", "\n\r\na\n\n\nb\n\n", "a;b;"},
        {"empty fields", ",\n,,x\n", "|;||x;"},
        {"quoted", "\"a,b\",\"c\nd\"\n\"\",e\n", "a,b|c\nd;|e;"},
        {"quoted CRLF", "\"a\"\r\n\"b\"", "a;b;"},
        {"doubled quotes", "\"say \"\"hi\"\"\",\"\"\"\"\n", "say \"hi\"|\";"},
        {"UTF-8", "\xc3\xa9,\xe2\x82\xac,\xf0\x9f\x8e\xac\n",
         "\xc3\xa9|\xe2\x82\xac|\xf0\x9f\x8e\xac;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!CHECK_STR(read_all(eddy_span_of(cases[i].input)), cases[i].want)) {
            fprintf(stderr, "    case: %s\n", cases[i].name);
        }
    }
}

static void broken_rows_name_line_and_field_and_reading_goes_on(void)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        {"a,b\nc,d\"e\nf\n",
         "a|b;{f.csv:2: field 2 (b): a quote inside a field that does not begin with one};f;"},
        {"\"a\"b,c\nd\n", "{f.csv:1: field 1: text behind the closing quote (a quote "
                          "inside is written \"\")};d;"},
        {"a\n\n\"b\nc\nd\n",
         "a;{f.csv:3: field 1 (a): the quote that opens the field is "
         "never closed};c;d;"},
        {"\"x\ny\",1\nz,\"\n",
         "x\ny|1;{f.csv:3: field 2 (1): the quote that opens the field "
         "is never closed};"},
        {"a,,\"c,d\"\n1,\xff\n1,2,\xff\n1,2,3,\xff\n",
         "a||c,d;{f.csv:2: field 2: not UTF-8};{f.csv:3: field 3 (c,d): not UTF-8};"
         "{f.csv:4: field 4: not UTF-8};"},
        {"a,\xff,c\nd\n", "{f.csv:1: field 2: not UTF-8};d;"},
        {"a,b,\"\xc3\"\nd\n", "{f.csv:1: field 3: not UTF-8};d;"},
        {"\xed\xa0\x80\n", "{f.csv:1: field 1: not UTF-8};"}, /* a surrogate */
        {"\xc0\xaf\n", "{f.csv:1: field 1: not UTF-8};"},     /* overlong */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STR(read_all(eddy_span_of(cases[i].input)), cases[i].want);
    }
}

static void rows_of_256_fields_are_read_and_257_are_refused(void)
{
    char commas[260];
    memset(commas, ',', sizeof commas);
    struct eddy_csv csv;
    struct eddy_err err;
    eddy_csv_init(&csv, (struct eddy_span){commas, 255}, "f.csv");
    CHECK_INT(eddy_csv_next(&csv, &err), 1);
    CHECK_INT(csv.count, 256);
    eddy_csv_fini(&csv);
    eddy_csv_init(&csv, (struct eddy_span){commas, 256}, "f.csv");
    CHECK_INT(eddy_csv_next(&csv, &err), EDDY_EFORMAT);
    CHECK_STR(err.text, "f.csv:1: field 256: more than 256 fields");
    CHECK_INT(eddy_csv_next(&csv, &err), 0);
    eddy_csv_fini(&csv);
}

static void every_truncation_ends_without_a_crash(void)
{
    static const char text[] = "\xef\xbb\xbf"
                               "a,\"b \"\"c\"\" d\"\r\n\"e\nf\",\xe2\x82\xac\r\n\r\n\"";
    for (size_t size = 0; size < sizeof text; size++) {
        (void)read_all((struct eddy_span){text, size});
    }
    CHECK(true);
}

int main(void)
{
    RUN(rows_are_split_as_rfc_4180_has_it);
    RUN(broken_rows_name_line_and_field_and_reading_goes_on);
    RUN(rows_of_256_fields_are_read_and_257_are_refused);
    RUN(every_truncation_ends_without_a_crash);
    return check_done();
}
