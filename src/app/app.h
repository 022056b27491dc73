/* Layer: app.  The `eddy` command: one table of sub-commands (main.c), one file per family
 * (cmd_*.c). Exit codes follow sysexits (OPERATIONS in deploy/README.md). */
#ifndef EDDY_APP_APP_H
#define EDDY_APP_APP_H

#include "eddy/error.h"

enum eddy_exit {
    EDDY_EXIT_OK = 0,
    EDDY_EXIT_FAILED = 1,       /* a check or comparison said no          */
    EDDY_EXIT_USAGE = 64,       /* command line                           */
    EDDY_EXIT_DATA = 65,        /* input file is not usable               */
    EDDY_EXIT_UNAVAILABLE = 69, /* Kafka or Redis did not answer          */
    EDDY_EXIT_SOFTWARE = 70,    /* fatal: library, assertion              */
    EDDY_EXIT_IO = 74,          /* file could not be read or written      */
    EDDY_EXIT_TEMPORARY = 75,   /* drain ran out of time                  */
    EDDY_EXIT_CONFIG = 78,      /* configuration                          */
};

struct eddy_command {
    const char *name;
    const char *group;   /* heading in `eddy --help` */
    const char *summary; /* one line of `eddy --help` */
    int (*run)(int argc,
               char **argv); /* argv[0] is the sub-command; returns eddy_exit */
};

/* Print "eddy NAME: message" to stderr and return the exit code that fits err->code. */
int eddy_app_fail(const char *command, const struct eddy_err *err);

/* XX(name, group, summary) in the order in which a newcomer meets them; rows of a group
 * stand together. A row is added by the commit that adds its file. */
/* clang-format off */
#define EDDY_COMMANDS(XX) \
    XX(demo,      "Start",   "see lists follow clicks, on this machine, in half a minute")  \
    XX(stats,     "Models",  "what a log is like, and what to do about it")            \
    XX(train,     "Models",  "learn a model from interactions")                         \
    XX(recipes,   "Models",  "what can be trained, and its hyper-parameters")           \
    XX(tune,      "Models",  "search hyper-parameters by training many times")          \
    XX(recommend, "Models",  "lists for histories, from a model")                       \
    XX(segment,   "Models",  "users for an item or an attribute, from a model")         \
    XX(eval,      "Models",  "measure a model on a protocol")                           \
    XX(run,       "Serve",   "the daemon: events in, lists out")                        \
    XX(check,     "Serve",   "configuration, Kafka, Redis, snapshots: is all well?")    \
    XX(load,      "Serve",   "play a file of events into the topic")                    \
    XX(deploy,    "Serve",   "a new model for a running deployment")                    \
    XX(inspect,   "Look",    "a user, a list, offsets, the outbox, an event, a model")  \
    XX(dlq,       "Look",    "events that could not be applied, and why")               \
    XX(replay,    "Look",    "fold the log from its beginning and compare digests")     \
    XX(bench,     "Measure", "what an event costs in serving and training")                    \
    XX(help,      "Help",    "explain a command: eddy help run")
/* clang-format on */

#define XX(name, group, summary) int eddy_cmd_##name(int argc, char **argv);
EDDY_COMMANDS(XX)
#undef XX

#endif
