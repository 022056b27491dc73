/* Calls through the table of a sink: the topic (io/kafka_out.c) or memory (sink_mem.c). */
#include "io/sink.h"

void eddy_sink_close(struct eddy_sink *sink)
{
    if (sink) {
        sink->ops->close(sink);
    }
}

void eddy_sink_on_done(struct eddy_sink *sink, eddy_sink_done_fn done, void *context)
{
    sink->done = done;
    sink->done_context = context;
}

int eddy_sink_publish(struct eddy_sink *sink, uint32_t partition, struct eddy_span user,
                      uint64_t revision, struct eddy_span list, struct eddy_err *err)
{
    return sink->ops->publish(sink, partition, user, revision, list, err);
}

int eddy_sink_bury(struct eddy_sink *sink, const struct eddy_record *record, int code,
                   const char *message, struct eddy_err *err)
{
    return sink->ops->bury(sink, record, code, message, err);
}

int eddy_sink_settle(struct eddy_sink *sink, int timeout_ms, struct eddy_err *err)
{
    return sink->ops->settle(sink, timeout_ms, err);
}

void eddy_sink_poll(struct eddy_sink *sink)
{
    sink->ops->poll(sink);
}
