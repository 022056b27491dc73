/* The configuration file: structure to names, and a message for every kind of mistake. */
#include "io/yaml.h"

#include <stdlib.h>
#include <unistd.h>

#include "check.h"

struct values {
    char *address;
    char *roles;
    int64_t count;
    struct eddy_pairs pass;
};
static const struct eddy_option rows[] = {
    {"redis.address", EDDY_OPTION_TEXT, offsetof(struct values, address), "a", 0, 0,
     NULL, 0, "Address."},
    {"roles", EDDY_OPTION_TEXT, offsetof(struct values, roles), "worker", 0, 0, NULL, 0,
     "Roles."},
    {"deep.er.count", EDDY_OPTION_INT, offsetof(struct values, count), "1", 1, 9, NULL,
     0, "Count."},
    {"kafka", EDDY_OPTION_PASS, offsetof(struct values, pass), NULL, 0, 0, NULL, 0,
     "Properties."},
};
static struct values values;
static const struct eddy_option_group group = {"All", rows, 4, &values};
static struct eddy_err err;
static char path[64];

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(text, 1, size, file) == size);
    if (file) {
        (void)fclose(file);
    }
}

static int load(struct eddy_conf *conf, const char *text)
{
    write_file(text, strlen(text));
    memset(&err, 0, sizeof err);
    int code = eddy_yaml_load(path, conf, &err);
    if (code == 0) {
        CHECK_STR(err.text, "");
    }
    return code;
}

static void sections_become_dotted_names(void)
{
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    CHECK_INT(load(conf, "# comment\n"
                         "redis:\n"
                         "  address: \"unix:/run/r.sock\"\n"
                         "roles: [worker, api]\n"
                         "deep: {er: {count: 08}}\n"
                         "kafka:\n"
                         "  bootstrap.servers: 'h:1,i:2'\n"
                         "  ssl:\n"
                         "    ca.location: /etc/ssl\n"),
              0);
    CHECK_STR(values.address, "unix:/run/r.sock");
    CHECK_STR(values.roles, "worker,api");
    CHECK_INT(values.count, 8);
    CHECK_INT(values.pass.count, 2);
    CHECK_STR(values.pass.names[0], "bootstrap.servers");
    CHECK_STR(values.pass.values[0], "h:1,i:2");
    CHECK_STR(values.pass.names[1], "ssl.ca.location");
    struct eddy_buf out;
    eddy_buf_init(&out, 0);
    eddy_conf_print(conf, &out);
    CHECK(strstr(out.data, "yaml-test:3\n") == NULL &&
          strstr(out.data, ":3\n") != NULL);
    eddy_buf_fini(&out);
    eddy_conf_free(conf);
}

static void empty_files_sections_and_dotted_keys_are_fine(void)
{
    static const char *const texts[] = {
        "", "\n", "# nothing\n", "---\n", "{}\n", "redis:\nkafka:\ndeep:\n  er:\n"};
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (!CHECK_INT(load(conf, texts[i]), 0)) {
            fprintf(stderr, "    %s: %s\n", texts[i], err.text);
        }
    }
    CHECK_INT(load(conf, "redis.address: x\ndeep.er:\n  count: 2\nroles: \"\"\n"), 0);
    CHECK_STR(values.address, "x");
    CHECK_INT(values.count, 2);
    CHECK_STR(values.roles, "");
    eddy_conf_free(conf);
}

static void what_is_printed_loads_again(void)
{
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    static const char odd[] = " a: 'b' # \"c\" \\ \t\x01 {x} \xc3\xa9 , ";
    CHECK_INT(eddy_conf_set(conf, "redis.address", odd, EDDY_FROM_FILE, "here", &err),
              0);
    CHECK_INT(eddy_conf_set(conf, "kafka.x.y", "-", EDDY_FROM_FILE, "here", &err), 0);
    struct eddy_buf out, example;
    eddy_buf_init(&out, 0);
    eddy_buf_init(&example, 0);
    eddy_conf_print(conf, &out);
    eddy_conf_print_example(conf, &example);
    eddy_conf_free(conf);
    conf = eddy_conf_new(&group, 1, &err);
    CHECK_INT(load(conf, example.data), 0);
    CHECK_INT(load(conf, out.data), 0);
    CHECK_STR(values.address, odd);
    CHECK_STR(values.pass.values[0], "-");
    eddy_conf_free(conf);
    eddy_buf_fini(&out);
    eddy_buf_fini(&example);
}

static void mistakes_name_line_and_key(void)
{
    static const struct {
        const char *text, *want; /* behind the path */
    } cases[] = {
        {"redis:\n  adress: x\n", ":2: key redis.adress: unknown; did you mean "
                                  "redis.address?"},
        {"redis:\n  address: x\n  address: y\n",
         ":3: key redis.address: given twice, first in line 2"},
        {"redis:\n  address: x\nroles: a\nredis:\n",
         ":4: key redis: given twice, first "
         "in line 1"},
        {"redis.address: x\nredis:\n  address: y\n",
         ":3: key redis.address: given twice, first in line 1"},
        {"deep:\n  er:\n    count: ten\n",
         ":3: key deep.er.count: \"ten\" is not a whole number; allowed is 1 to 9"},
        {"deep:\n  er:\n    count: 10\n",
         ":3: key deep.er.count: \"10\" is out of range; allowed is 1 to 9"},
        {"redis: 7\n", ":1: key redis: is a section, with redis.address"},
        {"redis:\n  address:\n    host: x\n",
         ":3: key redis.address.host: unknown; did you mean redis.address?"},
        {"roles:\n",
         ":1: key roles: no value; write \"\" if it shall be empty, or take "
         "the line away"},
        {"roles: [a, [b]]\n", ":1: key roles: a list inside a list"},
        {"roles: [a, {b: c}]\n", ":1: key roles: a section inside a list"},
        {"roles: ['a,b']\n", ":1: key roles: a comma inside a list's value"},
        {"- a\n- b\n", ":1: a list without a key; expected is `key: value`"},
        {"just words\n", ":1: a bare value; expected is `key: value`"},
        {"redis\n  address\n", ":1: a bare value; expected is `key: value`"},
        {"a: &x 1\nroles: *x\n",
         ":1: key a: unknown, and none has a similar name; eddy "
         "run --print-config shows all"},
        {"roles: *x\n", ":1: key roles: an alias (*name); write the value out"},
        {"roles: a\n---\nroles: b\n", ":2: a second document (---) in one file"},
        {"redis:\n\taddress: x\n",
         ":2: a tab at the head of a line; indent with blanks"},
        {"a: {b: {c: {d: {e: {f: {g: {h: {i: 1}}}}}}}}\n",
         ":1: key a.b.c.d.e.f.g.h: sections nested too deep"},
        {"roles: \"a\\0b\"\n", ":1: key roles: a NUL character inside the value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
        char want[sizeof err.text];
        (void)snprintf(want, sizeof want, "%s%s", path, cases[i].want);
        CHECK_INT(load(conf, cases[i].text), EDDY_ECONFIG);
        CHECK_STR(err.text, want);
        eddy_conf_free(conf);
    }
}

static void broken_syntax_names_its_line(void)
{
    static const struct {
        const char *text;
        int line;
    } cases[] = {{"redis:\n  address: \"x\n", 3},
                 {"roles: [a\nredis: 1\n", 2},
                 {"roles: a\n  redis: 1\n", 2},
                 {"roles: }\n", 1},
                 {"roles: @a\n", 1}};
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char head[96];
        (void)snprintf(head, sizeof head, "%s:%d: not YAML: ", path, cases[i].line);
        CHECK_INT(load(conf, cases[i].text), EDDY_ECONFIG);
        if (!CHECK(strncmp(err.text, head, strlen(head)) == 0) ||
            !CHECK(strstr(err.text, "expected is `key: value`") != NULL)) {
            fprintf(stderr, "    got  %s\n    want %s...\n", err.text, head);
        }
    }
    eddy_conf_free(conf);
}

static void files_that_are_none_are_refused(void)
{
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    CHECK_INT(eddy_yaml_load("/nonexistent/e.yaml", conf, &err), EDDY_ECONFIG);
    CHECK_STR(err.text,
              "configuration /nonexistent/e.yaml cannot be read: No such file "
              "or directory");
    CHECK_INT(eddy_yaml_load("/tmp", conf, &err), EDDY_ECONFIG);
    CHECK_STR(err.text, "configuration /tmp cannot be read: Is a directory");
    write_file("roles: \xff\xfe\n", 10);
    CHECK_INT(eddy_yaml_load(path, conf, &err), EDDY_ECONFIG);
    CHECK(strstr(err.text, "(the file must be UTF-8 text)") != NULL);
    eddy_conf_free(conf);
}

static void truncated_files_never_crash(void)
{
    static const char text[] =
        "redis: {address: 'x', }\nroles: [a, \"b\\x41\"]\n"
        "deep:\n  er:\n    count: 3\nkafka:\n  a: |\n    x\n  b: y\n";
    struct eddy_conf *conf = eddy_conf_new(&group, 1, &err);
    for (size_t size = 0; size < sizeof text; size++) {
        write_file(text, size);
        int code = eddy_yaml_load(path, conf, &err);
        CHECK(code == 0 || code == EDDY_ECONFIG);
    }
    eddy_conf_free(conf);
}

int main(void)
{
    (void)snprintf(path, sizeof path, "/tmp/eddy-yaml-test-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) {
        return 1;
    }
    (void)close(fd);
    RUN(sections_become_dotted_names);
    RUN(empty_files_sections_and_dotted_keys_are_fine);
    RUN(what_is_printed_loads_again);
    RUN(mistakes_name_line_and_key);
    RUN(broken_syntax_names_its_line);
    RUN(files_that_are_none_are_refused);
    RUN(truncated_files_never_crash);
    (void)unlink(path);
    return check_done();
}
