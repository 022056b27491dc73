#include "app/args.h"

#include <fcntl.h>
#include <unistd.h>

#include "app/app.h"
#include "check.h"

struct target {
    bool flag, other;
    const char *text;
    int64_t number, duration, time, choice;
    double real;
    struct eddy_arg_list list;
};

/* clang-format off */
static const struct eddy_arg rows[] = {
    {.name = "flag", .letter = 'f', .type = EDDY_ARG_FLAG, .offset = offsetof(struct target, flag), .help = "A flag."},
    {.name = "other", .letter = 'o', .type = EDDY_ARG_FLAG, .offset = offsetof(struct target, other), .help = "Another."},
    {.name = "text", .letter = 't', .type = EDDY_ARG_TEXT, .offset = offsetof(struct target, text), .value = "TEXT", .help = "Text."},
    {.name = "number", .letter = 'n', .type = EDDY_ARG_INT, .offset = offsetof(struct target, number), .value = "N", .min = 1, .max = 10, .help = "Number."},
    {.name = "real", .type = EDDY_ARG_FLOAT, .offset = offsetof(struct target, real), .value = "X", .help = "Real."},
    {.name = "wait", .type = EDDY_ARG_DURATION, .offset = offsetof(struct target, duration), .value = "TIME", .max = 3600e3, .help = "Duration."},
    {.name = "from", .type = EDDY_ARG_TIME, .offset = offsetof(struct target, time), .value = "TIME", .help = "Time."},
    {.name = "mode", .type = EDDY_ARG_CHOICE, .offset = offsetof(struct target, choice), .choices = "one|two|three", .help = "Mode."},
    {.name = "set", .type = EDDY_ARG_LIST, .offset = offsetof(struct target, list), .value = "K=V", .help = "Set."},
};
/* clang-format on */
static const struct eddy_args args = {.command = "test",
                                      .usage = "[FILE...]",
                                      .about = "A test.",
                                      .rows = rows,
                                      .row_count = sizeof rows / sizeof *rows,
                                      .operand = "FILE",
                                      .operand_max = 2};

/* Help and errors go nowhere while a table of command lines is tried. */
static bool parse(char **argv, struct target *target, struct eddy_arg_list *operands,
                  int *ret_exit)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    (void)fflush(stdout);
    (void)fflush(stderr);
    int saved[2] = {dup(1), dup(2)};
    int null = open("/dev/null", O_WRONLY);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    bool go_on = eddy_args_parse(&args, argc, argv, target, operands, ret_exit);
    (void)fflush(stdout);
    (void)fflush(stderr);
    (void)dup2(saved[0], 1);
    (void)dup2(saved[1], 2);
    (void)close(saved[0]);
    (void)close(saved[1]);
    (void)close(null);
    return go_on;
}

#define LINE(...) ((char **)(const char *[]){"test", __VA_ARGS__, NULL})

static void every_type_is_parsed(void)
{
    struct target target = {0};
    struct eddy_arg_list operands;
    int code = -1;
    CHECK(parse(LINE("--flag", "-t", "abc", "--number=7", "--real", "-2.5e3", "--wait",
                     "250ms", "--from", "2021-07-01T09:30:00+02:00", "--mode", "three",
                     "--set", "a=1", "file", "--set=b=2"),
                &target, &operands, &code));
    CHECK(target.flag);
    CHECK(!target.other);
    CHECK_STR(target.text, "abc");
    CHECK_INT(target.number, 7);
    CHECK_NEAR(target.real, -2500, 0);
    CHECK_INT(target.duration, 250);
    CHECK_INT(target.time, INT64_C(1625124600000));
    CHECK_INT(target.choice, 2);
    CHECK_INT(target.list.count, 2);
    CHECK_STR(target.list.values[1], "b=2");
    CHECK_INT(operands.count, 1);
    CHECK_STR(operands.values[0], "file");
}

static void letters_stand_together_and_take_attached_values(void)
{
    struct target target = {0};
    struct eddy_arg_list operands;
    int code = -1;
    CHECK(parse(LINE("-fon5", "-tx"), &target, &operands, &code));
    CHECK(target.flag && target.other);
    CHECK_INT(target.number, 5);
    CHECK_STR(target.text, "x");
}

static void two_dashes_end_the_options(void)
{
    struct target target = {0};
    struct eddy_arg_list operands;
    int code = -1;
    CHECK(parse(LINE("--", "--flag", "-"), &target, &operands, &code));
    CHECK(!target.flag);
    CHECK_INT(operands.count, 2);
    CHECK_STR(operands.values[0], "--flag");
}

static void bad_command_lines_exit_64(void)
{
    char **const lines[] = {
        LINE("--unknown"),
        LINE("-x"),
        LINE("--number", "11"),
        LINE("--number", "0"),
        LINE("--number", ""),
        LINE("--number", "1x"),
        LINE("--number"),
        LINE("--real", "nan"),
        LINE("--wait", "5y"),
        LINE("--wait", "2h"),
        LINE("--from", "yesterday"),
        LINE("--mode", "four"),
        LINE("--mode", "on"),
        LINE("--flag=1"),
        LINE("a", "b", "c"),
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct target target = {0};
        struct eddy_arg_list operands;
        int code = -1;
        if (!CHECK(!parse(lines[i], &target, &operands, &code)) ||
            !CHECK_INT(code, EDDY_EXIT_USAGE))
            fprintf(stderr, "    line %zu: %s\n", i, lines[i][1]);
    }
}

static void help_wins_and_exits_0(void)
{
    struct target target = {0};
    struct eddy_arg_list operands;
    int code = -1;
    CHECK(!parse(LINE("file", "--help"), &target, &operands, &code));
    CHECK_INT(code, EDDY_EXIT_OK);
}

static void a_missing_required_option_is_an_error(void)
{
    static const struct eddy_arg required = {.name = "input",
                                             .type = EDDY_ARG_TEXT,
                                             .value = "FILE",
                                             .help = "Input.",
                                             .required = true};
    static const struct eddy_args strict = {
        .command = "test", .usage = "", .rows = &required, .row_count = 1};
    const char *input = NULL;
    int code = -1;
    char **given = LINE("--input", "x");
    CHECK(eddy_args_parse(&strict, 3, given, &input, NULL, &code));
    CHECK_STR(input, "x");
    CHECK(!eddy_args_parse(&strict, 1, given, &input, NULL, &code));
    CHECK_INT(code, EDDY_EXIT_USAGE);
}

static void durations_and_times_have_units(void)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } durations[] = {{"1", 1000},       {"0.5s", 500}, {"10m", 600000}, {"2h", 7200000},
                     {"7d", 604800000}, {"15ms", 15},  {"", -1},        {"s", -1},
                     {"-1s", -1},       {"1w", -1},    {"1 s", -1},     {"inf", -1}},
      times[] = {{"0", 0},
                 {"1600000000", INT64_C(1600000000000)},
                 {"1600000000123", INT64_C(1600000000123)},
                 {"2020-09-13T12:26:40Z", INT64_C(1600000000000)},
                 {"2020-09-13 12:26:40.5", INT64_C(1600000000500)},
                 {"2020-09-13", INT64_C(1599955200000)},
                 {"2020-09-13T12:26-0530", INT64_C(1600019760000)},
                 {"2020-13-01", -1},
                 {"2020-01-01T25:00", -1},
                 {"2020-01-01T10:00 o'clock", -1},
                 {"16000000001234", -1},
                 {"soon", -1}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        int64_t ms = -1;
        CHECK(eddy_args_duration(durations[i].text, &ms) == (durations[i].want >= 0));
        CHECK_INT(ms, durations[i].want);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t ms = -1;
        CHECK(eddy_args_time(times[i].text, &ms) == (times[i].want >= 0));
        CHECK_INT(ms, times[i].want);
    }
}

static void the_nearest_word_is_suggested(void)
{
    static const char *const words[] = {"train", "recommend", "inspect", "help"};
    static const struct {
        const char *name, *want;
    } cases[] = {{"trian", "train"}, {"recomend", "recommend"}, {"reco", "recommend"},
                 {"hlep", "help"},   {"inspekt", "inspect"},    {"xyz", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(eddy_args_nearest(cases[i].name, words, 4), cases[i].want);
}

int main(void)
{
    RUN(every_type_is_parsed);
    RUN(letters_stand_together_and_take_attached_values);
    RUN(two_dashes_end_the_options);
    RUN(bad_command_lines_exit_64);
    RUN(help_wins_and_exits_0);
    RUN(a_missing_required_option_is_an_error);
    RUN(durations_and_times_have_units);
    RUN(the_nearest_word_is_suggested);
    return check_done();
}
