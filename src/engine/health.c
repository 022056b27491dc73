#include "engine/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
} firsts[EDDY_HEALTH_COUNT] = {
#define XX(id, name, text) [EDDY_HEALTH_##id] = {name, text},
    EDDY_HEALTH_MAP(XX)
#undef XX
};

void eddy_health_init(struct eddy_health *health)
{
    memset(health, 0, sizeof *health);
    (void)pthread_mutex_init(&health->lock, NULL);
    for (int i = 0; i < EDDY_HEALTH_COUNT; i++) {
        health->checks[i].name = firsts[i].name;
        health->checks[i].ok = i == EDDY_HEALTH_AUTHORIZATION;
        (void)snprintf(health->checks[i].text, sizeof health->checks[i].text, "%s",
                       firsts[i].text);
    }
}

void eddy_health_fini(struct eddy_health *health)
{
    (void)pthread_mutex_destroy(&health->lock);
}

bool eddy_health_set(struct eddy_health *health, enum eddy_health_id id, bool ok,
                     const char *fmt, ...)
{
    struct eddy_health_check *check = &health->checks[id];
    bool changed = false;
    va_list args;

    va_start(args, fmt);
    (void)pthread_mutex_lock(&health->lock);
    changed = check->ok != ok;
    check->ok = ok;
    (void)vsnprintf(check->text, sizeof check->text, fmt, args); /* cut on purpose */
    (void)pthread_mutex_unlock(&health->lock);
    va_end(args);
    return changed;
}

bool eddy_health_read(struct eddy_health *health,
                      struct eddy_health_check ret_checks[EDDY_HEALTH_COUNT])
{
    bool ready = true;

    (void)pthread_mutex_lock(&health->lock);
    memcpy(ret_checks, health->checks, sizeof health->checks);
    (void)pthread_mutex_unlock(&health->lock);
    for (int i = 0; i < EDDY_HEALTH_COUNT; i++)
        ready = ready && ret_checks[i].ok;
    return ready;
}
