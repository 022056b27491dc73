/* What `eddy train` says while it learns: how far it is, and how long it may still take. */
#include "app/train_report.h"

#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "train_walks.h"

static struct eddy_train_report report;
static int kept_stderr;
static FILE *said;

static void listen_to_stderr(void)
{
    said = tmpfile();
    (void)fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    CHECK(dup2(fileno(said), STDERR_FILENO) >= 0);
    eddy_train_report_start(&report, false);
    report.progress.terminal = true;
}

/* All that was said since the last time; the next line is due at once. */
static const char *heard(void)
{
    static char text[4096];
    (void)fflush(stderr);
    rewind(said);
    size_t size = fread(text, 1, sizeof text - 1, said);
    text[size] = 0;
    rewind(said);
    CHECK_INT(ftruncate(fileno(said), 0), 0);
    report.progress.last_ns = 0;
    return text;
}

static void stop_listening(void)
{
    double seconds, cpu_seconds;
    eddy_train_report_stop(&report, &seconds, &cpu_seconds);
    (void)fflush(stderr);
    CHECK(dup2(kept_stderr, STDERR_FILENO) >= 0);
    (void)close(kept_stderr);
    (void)fclose(said);
}

static const char *tell(const struct eddy_train_progress *now)
{
    (void)heard();
    CHECK(eddy_train_report_progress(&report, now));
    return heard();
}

/* Half an epoch of 100 events, and a little more. */
static void learn_an_epoch(struct eddy_train_progress *now)
{
    uint64_t before = now->events;
    now->epoch++;
    now->epoch_done = false;
    now->fraction = 0.5;
    now->events = before + 50;
    (void)tell(now);
    now->fraction = 0.6;
    now->events = before + 60;
}

static void the_time_left_is_that_of_the_epochs_that_may_come(void)
{
    struct eddy_train_progress now = {.epochs = 40,
                                      .epochs_most = 49,
                                      .may_end_early = true,
                                      .loss = 5,
                                      .validation_ndcg = -1,
                                      .best_ndcg = -1};
    listen_to_stderr();
    learn_an_epoch(&now);
    const char *line = tell(&now);
    CHECK(strstr(line, " at most ") != NULL && strstr(line, " left") != NULL);
    CHECK(strstr(line, "  epoch 1/40 loss 5.0") != NULL);
    CHECK_INT(report.progress.total, 4900);

    /* its true length is known at its end */
    now.epoch_done = true;
    now.events = 110;
    now.validation_ndcg = now.best_ndcg = 0.25;
    now.best_epoch = 1;
    CHECK(strstr(tell(&now), "validation NDCG@10 0.2500 HR@10 0.0000 *") != NULL);
    learn_an_epoch(&now);
    line = tell(&now);
    CHECK(strstr(line, " at most ") != NULL);
    CHECK(strstr(line, "  epoch 2/40 loss 5.0") != NULL);
    CHECK_INT(report.progress.total, 110 + 48 * 110);
    stop_listening();
}

static void the_last_phase_is_measured_for_itself_and_shows_no_old_validation(void)
{
    struct eddy_train_progress now = {.epoch = 12,
                                      .epochs = 40,
                                      .epochs_most = 49,
                                      .may_end_early = true,
                                      .events = 1200,
                                      .epoch_done = true,
                                      .validation_ndcg = 0.24,
                                      .best_ndcg = 0.25,
                                      .best_epoch = 7};
    listen_to_stderr();
    CHECK(strstr(tell(&now), "NDCG@10 0.2400") != NULL);
    now.finishing = true;
    now.may_end_early = false;
    now.epochs = now.epochs_most = 14;
    learn_an_epoch(&now);
    const char *line = tell(&now);
    CHECK(strstr(line, "last phase, epoch 13/14") != NULL);
    CHECK(strstr(line, " left") != NULL && strstr(line, "at most") == NULL);
    CHECK_INT(report.progress.total, 1200 + 2 * 100);
    now.epoch_done = true;
    now.events = 1300;
    line = tell(&now);
    CHECK(strstr(line, "epoch 13 ") != NULL && strstr(line, "last phase") != NULL);
    CHECK(strstr(line, "NDCG") == NULL);
    CHECK_INT(report.ledger.learning_count, 2);
    CHECK_NEAR(report.ledger.learning[0].ndcg, 0.24, 0);
    CHECK_NEAR(report.ledger.learning[1].ndcg, -1, 0);
    stop_listening();
}

/* What the report is told by training itself. */
struct forecast {
    uint32_t searched, finished, most, last;
    bool wrong;
};

static bool check_forecast(void *context, const struct eddy_train_progress *now)
{
    struct forecast *forecast = context;
    forecast->wrong |= now->epoch > now->epochs_most ||
                       now->may_end_early == now->finishing ||
                       (now->finishing && now->epochs_most != now->epochs);
    forecast->searched += now->epoch_done && !now->finishing;
    forecast->finished += now->epoch_done && now->finishing;
    forecast->most = now->epochs_most;
    forecast->last = now->epoch;
    return true;
}

static void the_number_of_epochs_is_foretold(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct eddy_train_result result;
    options.epochs = 9;
    options.learning_rate = 0.03;
    for (int64_t patience = 0; patience <= 1; patience++) {
        struct forecast forecast = {0};
        options.patience = patience;
        CHECK_INT(eddy_train(&in, &options, check_forecast, &forecast, &result, NULL),
                  0);
        CHECK(!forecast.wrong);
        CHECK(forecast.finished > 0 && forecast.searched + forecast.finished <= 11);
        CHECK_INT(forecast.searched + forecast.finished, forecast.last);
        CHECK_INT(forecast.last, forecast.most);
        CHECK_INT(result.epochs, forecast.last);
        eddy_train_result_fini(&result);
    }
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(the_time_left_is_that_of_the_epochs_that_may_come);
    RUN(the_last_phase_is_measured_for_itself_and_shows_no_old_validation);
    RUN(the_number_of_epochs_is_foretold);
    return check_done();
}
