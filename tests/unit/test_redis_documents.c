/* Documents, lists, jobs and leases of the control plane on a real redis-server. */
#include "io/redis_documents.h"

#include "check.h"
#include "redis_child.h"

static struct redis_child redis;
static struct eddy_redis_options options;
static struct eddy_err err;

static struct eddy_documents *documents_open(void)
{
    static char none[1];
    options = (struct eddy_redis_options){
        .address = redis.address, .user = none, .password = none, .timeout_ms = 2000};
    return eddy_documents_open(&options, "eddy", "test");
}

static const char *get(struct eddy_documents *documents, const char *id)
{
    static struct eddy_buf text;
    return eddy_documents_get(documents, id, &text, &err) == 1 ? text.data : NULL;
}

static int create(struct eddy_documents *documents, const char *id, const char *text,
                  const char *member)
{
    struct eddy_document_change change = {
        .id = id, .after = text, .index = "list", .member = member, .queue_ms = 7};
    return eddy_documents_change(documents, &change, &err);
}

static int replace(struct eddy_documents *documents, const char *id, const char *before,
                   const char *after, const char *token, bool done)
{
    struct eddy_document_change change = {
        .id = id, .before = before, .after = after, .token = token, .done = done};
    return eddy_documents_change(documents, &change, &err);
}

static void join(void *context, struct eddy_span member)
{
    struct eddy_buf *text = context;
    eddy_buf_put(text, member.data, member.size);
    eddy_buf_putc(text, ' ');
}

static const char *list(struct eddy_documents *documents, const char *prefix,
                        const char *after, uint32_t limit)
{
    static struct eddy_buf text;
    eddy_buf_clear(&text);
    eddy_buf_puts(&text, "");
    CHECK_INT(eddy_documents_list(documents, "list", prefix, after, limit, join, &text,
                                  &err),
              0);
    return text.data;
}

static const char *jobs(struct eddy_documents *documents)
{
    static struct eddy_buf text;
    eddy_buf_clear(&text);
    eddy_buf_puts(&text, "");
    CHECK_INT(eddy_documents_jobs(documents, join, &text, &err), 0);
    return text.data;
}

static void a_document_is_made_once_by_whoever_comes_first(void)
{
    struct eddy_documents *a = documents_open(), *b = documents_open();
    CHECK_STR(get(a, "one"), NULL);
    CHECK_INT(create(a, "one", "first", "p|1|one"), 1);
    CHECK_INT(create(b, "one", "second", "p|2|one"), 0);
    CHECK_STR(get(b, "one"), "first");
    CHECK_STR(list(a, "", "", 10), "p|1|one ");
    CHECK_STR(jobs(b), "one ");
    eddy_documents_close(a);
    eddy_documents_close(b);
}

static void a_change_needs_the_text_that_it_was_made_from(void)
{
    struct eddy_documents *a = documents_open(), *b = documents_open();
    CHECK_INT(replace(a, "one", "first", "changed", NULL, false), 1);
    CHECK_INT(replace(b, "one", "first", "too late", NULL, false), 0);
    CHECK_INT(replace(b, "none", "first", "nothing there", NULL, false), 0);
    CHECK_STR(get(a, "one"), "changed");
    eddy_documents_close(a);
    eddy_documents_close(b);
}

static void lists_are_in_order_and_go_on_behind_a_member(void)
{
    struct eddy_documents *a = documents_open();
    struct eddy_buf last;
    eddy_buf_init(&last, 0);
    CHECK_INT(create(a, "two", "2", "p|2|two"), 1);
    CHECK_INT(create(a, "three", "3", "q|1|three"), 1);
    CHECK_INT(create(a, "four", "4", "p|4|four"), 1);
    CHECK_STR(list(a, "", "", 10), "p|1|one p|2|two p|4|four q|1|three ");
    CHECK_STR(list(a, "p|", "", 2), "p|1|one p|2|two ");
    CHECK_STR(list(a, "p|", "p|2|two", 2), "p|4|four ");
    CHECK_STR(list(a, "p|", "p|3|gone", 2), "p|4|four ");
    CHECK_STR(list(a, "r|", "", 2), "");
    CHECK_INT(eddy_documents_last(a, "list", "p|", &last, &err), 1);
    CHECK_STR(last.data, "p|4|four");
    CHECK_INT(eddy_documents_last(a, "list", "r|", &last, &err), 0);
    eddy_buf_fini(&last);
    eddy_documents_close(a);
}

/* Take the lease of "one" as soon as it is free: one that is given up lasts a millisecond. */
static int wait_for_lease(struct eddy_documents *documents, const char *token,
                          int64_t ms)
{
    struct timespec pause = {0, 5 * 1000 * 1000};
    int r = eddy_documents_lease(documents, "one", token, ms, &err);
    for (int i = 0; i < 1000 && r == 0; i++) {
        (void)nanosleep(&pause, NULL);
        r = eddy_documents_lease(documents, "one", token, ms, &err);
    }
    return r;
}

static void a_lease_has_one_holder_and_ends(void)
{
    struct eddy_documents *a = documents_open(), *b = documents_open();
    CHECK_INT(eddy_documents_lease(a, "one", "A", 60000, &err), 1);
    CHECK_INT(eddy_documents_lease(b, "one", "B", 60000, &err), 0);
    CHECK_INT(eddy_documents_renew(b, "one", "B", 60000, &err), 0);
    CHECK_INT(eddy_documents_renew(a, "one", "A", 60000, &err), 1);
    CHECK_INT(eddy_documents_renew(a, "one", "A", 0, &err), 1);
    CHECK_INT(wait_for_lease(b, "B", 1), 1);
    CHECK_INT(wait_for_lease(a, "A", 60000), 1); /* it runs out by itself */
    CHECK_INT(eddy_documents_renew(b, "one", "B", 60000, &err), 0);
    CHECK_INT(eddy_documents_renew(a, "one", "A", 60000, &err), 1);
    eddy_documents_close(a);
    eddy_documents_close(b);
}

static void who_has_lost_the_lease_changes_nothing(void)
{
    struct eddy_documents *a = documents_open();
    CHECK_INT(replace(a, "one", "changed", "by B", "B", true), 0);
    CHECK_STR(jobs(a), "four one three two ");
    CHECK_INT(replace(a, "one", "changed", "by A", "A", false), 1);
    CHECK_INT(replace(a, "one", "by A", "done", "A", true), 1);
    CHECK_STR(get(a, "one"), "done");
    CHECK_STR(jobs(a), "four three two ");
    CHECK_INT(wait_for_lease(a, "B", 60000), 1);
    eddy_documents_close(a);
}

static void a_server_that_is_away_is_found_again(void)
{
    struct eddy_documents *a = documents_open();
    struct eddy_buf text;
    eddy_buf_init(&text, 0);
    CHECK_STR(get(a, "one"), "done");
    redis_child_kill(&redis);
    CHECK_INT(eddy_documents_get(a, "one", &text, &err), EDDY_ESTORE);
    CHECK_INT(replace(a, "one", "done", "lost", NULL, false), EDDY_ESTORE);
    CHECK_INT(eddy_documents_renew(a, "one", "B", 9, &err), EDDY_ESTORE);
    redis_child_restart(&redis);
    CHECK_STR(get(a, "one"), "done");
    eddy_buf_fini(&text);
    eddy_documents_close(a);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    redis_child_start(&redis, "appendonly yes\nappendfsync always\n");
    RUN(a_document_is_made_once_by_whoever_comes_first);
    RUN(a_change_needs_the_text_that_it_was_made_from);
    RUN(lists_are_in_order_and_go_on_behind_a_member);
    RUN(a_lease_has_one_holder_and_ends);
    RUN(who_has_lost_the_lease_changes_nothing);
    RUN(a_server_that_is_away_is_found_again);
    redis_child_stop(&redis);
    return check_done();
}
