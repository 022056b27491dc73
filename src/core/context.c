/* Names and values of context columns -> what states and rows keep of them. */
#include "core/context.h"

#include <math.h>

#include "base/hash.h"
#include "core/text.h"

uint32_t eddy_context_column(struct eddy_span name)
{
    char folded[EDDY_CONTEXT_NAME_MAX];
    size_t size = 0;
    for (size_t i = 0; i < name.size && size < sizeof folded; i++) {
        char c = name.data[i];
        if (c != '_')
            folded[size++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return (uint32_t)eddy_hash64((struct eddy_span){folded, size});
}

struct eddy_context eddy_context_of(uint32_t column, struct eddy_span text)
{
    double number;
    uint32_t hash = (uint32_t)eddy_hash64(text);
    bool is_number = eddy_number_parse(text, &number) && isfinite((float)number);
    return (struct eddy_context){.column = column,
                                 .text = hash ? hash : 1,
                                 .number = is_number ? (float)number : NAN};
}

bool eddy_context_row_is_empty(const struct eddy_context_row *row)
{
    uint32_t any = 0;
    for (int c = 0; c < EDDY_CONTEXT_MAX; c++)
        any |= row->feature[c];
    return any == 0;
}

bool eddy_context_fits(struct eddy_span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80 ? 1 : 0;
    return count <= EDDY_CONTEXT_TEXT_MAX;
}
