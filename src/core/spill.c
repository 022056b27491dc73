/* A header in front of the memory says where it came from. */
#include "core/spill.h"

#include <stdint.h>
#include <stdlib.h>

struct header {
    const struct eddy_spill *spill; /* NULL: malloc */
    size_t bytes;                   /* with the header */
};

enum { ROOM = 64 }; /* for the header: keeps what follows aligned to a cache line */

void *eddy_spill_new(const struct eddy_spill *spill, size_t bytes, int *ret_code,
                     struct eddy_err *err)
{
    struct header *header = NULL;
    int code = 0;

    if (bytes > SIZE_MAX - ROOM)
        code = eddy_fail(err, EDDY_ENOMEM, "%zu bytes cannot be had", bytes);
    else if (spill != NULL && bytes >= spill->threshold) {
        header = spill->map(spill->context, bytes + ROOM, err);
        code = header != NULL ? 0 : EDDY_EIO;
    } else {
        spill = NULL;
        header = malloc(bytes + ROOM);
        if (header == NULL)
            code = eddy_fail(err, EDDY_ENOMEM,
                             "no memory for %zu bytes: give --scratch FOLDER on a disk "
                             "with room",
                             bytes);
    }
    if (ret_code != NULL && code < 0)
        *ret_code = code;
    if (code < 0)
        return NULL;
    *header = (struct header){spill, bytes + ROOM};
    return (char *)header + ROOM;
}

void eddy_spill_free(void *memory)
{
    if (memory == NULL)
        return;
    struct header *header = (void *)((char *)memory - ROOM);
    if (header->spill == NULL)
        free(header);
    else
        header->spill->unmap(header->spill->context, header, header->bytes);
}
