#include "app/part_file.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "io/files.h"

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static struct {
    char path[EDDY_PATH_SIZE];
    struct sigaction before[NUMBERS];
} guarded;

/* Only what POSIX allows in a handler. */
static void on_signal(int number)
{
    (void)unlink(guarded.path);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

void eddy_part_file_guard(const char *path)
{
    struct sigaction action = {.sa_handler = on_signal};
    size_t size = strlen(path) + 1;
    if (size > sizeof guarded.path)
        return;
    memcpy(guarded.path, path, size);
    (void)sigemptyset(&action.sa_mask);
    for (int i = 0; i < NUMBERS; i++) {
        (void)sigaction(numbers[i], NULL, &guarded.before[i]);
        if (guarded.before[i].sa_handler == SIG_DFL)
            (void)sigaction(numbers[i], &action, NULL);
    }
}

void eddy_part_file_release(void)
{
    for (int i = 0; i < NUMBERS && guarded.path[0] != '\0'; i++)
        (void)sigaction(numbers[i], &guarded.before[i], NULL);
    guarded.path[0] = '\0';
}
