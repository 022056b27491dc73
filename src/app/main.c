/* The `eddy` command: finds the sub-command in the table of app/app.h and runs it. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/child_broker.h"
#include "app/child_import.h"
#include "app/version.h"

static const struct eddy_command commands[] = {
#define XX(name, group, summary) {#name, group, summary, eddy_cmd_##name},
    EDDY_COMMANDS(XX)
#undef XX
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_help(void)
{
    const char *group = "";
    (void)printf(
        "eddy turns an event stream into recommendations.\n"
        "\n"
        "Clicks and purchases arrive on Kafka. Each user's session state lives in Redis; a\n"
        "hierarchical recurrent network moves it one step per event, and the user's new list\n"
        "stands in Redis and on a topic milliseconds later.\n"
        "\n"
        "usage: eddy COMMAND [OPTIONS]\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(group, commands[i].group) != 0)
            (void)printf("\n%s:\n", commands[i].group);
        group = commands[i].group;
        (void)printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)printf(
        "\nExamples:\n"
        "  eddy demo                                                lists that follow clicks\n"
        "  eddy train -i interactions.csv -I items.csv -o model     learn from history\n"
        "  eddy run -c eddy.yaml                                    start the daemon\n"
        "  eddy load -c eddy.yaml -i clicks.csv --rate 1000         play events into it\n"
        "\n"
        "`eddy COMMAND --help` lists the options of a command, `eddy --version` the\n"
        "libraries. Exit codes: 0 done, 1 a check said no, 64 command line, 65 input data,\n"
        "69 Kafka or Redis away, 70 fatal, 74 file, 75 drain timed out, 78 configuration.\n");
}

static void print_version(void)
{
    struct eddy_buf text;
    eddy_buf_init(&text, 0);
    eddy_version_print(&text);
    (void)fputs(text.data ? text.data : "", stdout);
    eddy_buf_fini(&text);
}

static const struct eddy_command *find_command(const char *name)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        names[i] = commands[i].name;
    }
    const char *nearest = eddy_args_nearest(name, names, COMMAND_COUNT);
    if (nearest)
        (void)fprintf(stderr, "eddy: there is no command \"%s\"; did you mean %s?\n",
                      name, nearest);
    else
        (void)fprintf(stderr, "eddy: there is no command \"%s\"; see `eddy --help`\n",
                      name);
    return NULL;
}

int eddy_cmd_help(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return EDDY_EXIT_OK;
    }
    const struct eddy_command *command = find_command(argv[1]);
    char help[] = "--help";
    char *arguments[] = {argv[1], help, NULL};
    return command ? command->run(2, arguments) : EDDY_EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        print_help();
        return EDDY_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return EDDY_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        print_version();
        return EDDY_EXIT_OK;
    }
    if (strcmp(argv[1], "demo-broker") == 0) /* the demo's child, not for people */
        return eddy_cmd_demo_broker(argc - 1, argv + 1);
    if (strcmp(argv[1], "dataset-import") == 0) /* a child of the api, no more so */
        return eddy_cmd_dataset_import(argc - 1, argv + 1);
    const struct eddy_command *command = find_command(argv[1]);
    return command ? command->run(argc - 1, argv + 1) : EDDY_EXIT_USAGE;
}

/* Whether write(2) of a file gives it; others come from elsewhere. */
static bool is_of_write(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG || number == EIO ||
           number == EPIPE || number == EBADF;
}

/* Reports go to standard output without a look at each write; here is the look. */
static int finish(int argc, char **argv, int code)
{
    int number = errno; /* of an earlier write, where nothing is left to fail */
    if (fflush(stdout) != 0)
        number = errno;
    else if (!ferror(stdout))
        return code;
    (void)fprintf(stderr, "eddy%s%s: standard output could not be written%s%s\n",
                  argc > 1 ? " " : "", argc > 1 ? argv[1] : "",
                  is_of_write(number) ? ": " : "",
                  is_of_write(number) ? strerror(number) : "");
    return code ? code : EDDY_EXIT_IO;
}

int main(int argc, char **argv)
{
    /* Numbers in files and reports use a point, whatever the user's locale. */
    (void)setlocale(LC_CTYPE, "");
    return finish(argc, argv, run(argc, argv));
}
