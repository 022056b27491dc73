/* Runs a fuzz target over files: a corpus as an ordinary test, and one input again under a
 * debugger. Without a file it fails: an empty corpus tests nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t size = 0, capacity = 1 << 12;
    uint8_t *bytes = malloc(capacity);
    size_t n;
    while (bytes && (n = fread(bytes + size, 1, capacity - size, file)) > 0) {
        size += n;
        if (size == capacity) {
            capacity *= 2;
            bytes = realloc(bytes, capacity);
        }
    }
    (void)fclose(file); /* was only read */
    if (!bytes) {
        return 1;
    }
    /* Exactly as large as the input, so that a sanitizer sees a read behind it. */
    uint8_t *exact = realloc(bytes, size ? size : 1);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        failed |= replay(argv[i]);
    }
    printf("%d inputs\n", argc - 1);
    return failed;
}
