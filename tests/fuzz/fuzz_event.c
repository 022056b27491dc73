/* msgpack records: whatever is taken encodes to its shortest form, which decodes to the
 * same, in msgpack and in JSON. */
#include "base/arena.h"
#include "core/event.h"
#include "fuzz.h"
#include "io/json_simd.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct eddy_arena *arena;
    static struct eddy_json *json;
    static struct eddy_buf first, second;
    struct eddy_event event, again;
    struct eddy_err err = {0};
    arena = arena ? arena : eddy_arena_new(1 << 16, 1 << 24);
    json = json ? json : eddy_json_new();
    eddy_arena_reset(arena);
    int code = eddy_event_decode((struct eddy_span){(const char *)bytes, size}, arena,
                                 &event, &err);
    if (code < 0) {
        HOLDS(eddy_err_class(code) == EDDY_CLASS_EVENT && err.text[0] != '\0');
        return 0;
    }
    eddy_buf_clear(&first);
    eddy_event_encode(&event, &first);
    HOLDS(eddy_event_decode(eddy_buf_span(&first), arena, &again, &err) == 0);
    eddy_buf_clear(&second);
    eddy_event_encode(&again, &second);
    HOLDS(eddy_span_eq(eddy_buf_span(&first), eddy_buf_span(&second)));
    eddy_buf_clear(&second);
    eddy_event_encode_json(&event, &second);
    HOLDS(eddy_json_event_decode(json, eddy_buf_span(&second), arena, &again, &err) ==
          0);
    eddy_buf_clear(&second);
    eddy_event_encode(&again, &second);
    HOLDS(eddy_span_eq(eddy_buf_span(&first), eddy_buf_span(&second)));
    return 0;
}
