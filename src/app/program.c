#define _GNU_SOURCE /* dl_iterate_phdr */
#include "app/program.h"

#include <elf.h>
#include <link.h>
#include <string.h>

enum { BUILD_ID_BYTES = 8 };

/* The build ID among the notes of a segment; size 0: none. */
static struct eddy_span find_build_id(const char *at, size_t left)
{
    ElfW(Nhdr) note;
    while (left >= sizeof note) {
        memcpy(&note, at, sizeof note);
        size_t name = (note.n_namesz + 3u) & ~3u, value = (note.n_descsz + 3u) & ~3u;
        if (name > left - sizeof note || value > left - sizeof note - name)
            break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(at + sizeof note, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0)
            return (struct eddy_span){at + sizeof note + name, note.n_descsz};
        at += sizeof note + name + value;
        left -= sizeof note + name + value;
    }
    return (struct eddy_span){"", 0};
}

/* The first object is the program; others are libraries. */
static int read_program(struct dl_phdr_info *info, size_t size, void *ret)
{
    struct eddy_span *id = ret;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum && id->size == 0; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            *id = find_build_id((const char *)(uintptr_t)(info->dlpi_addr +
                                                          info->dlpi_phdr[i].p_vaddr),
                                info->dlpi_phdr[i].p_filesz);
    return 1;
}

void eddy_program_put(struct eddy_buf *out)
{
    struct eddy_span id = {"", 0};
    (void)dl_iterate_phdr(read_program, &id);
    eddy_buf_puts(out, EDDY_VERSION);
    eddy_buf_puts(out, id.size > 0 ? " build " : "");
    for (size_t i = 0; i < id.size && i < BUILD_ID_BYTES; i++)
        eddy_buf_printf(out, "%02x", (unsigned char)id.data[i]);
}
