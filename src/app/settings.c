#include "app/settings.h"

#include <stdio.h>
#include <string.h>

extern char **environ;

static int set_one(struct eddy_config *config, const char *text, struct eddy_err *err)
{
    char name[128];
    const char *equals = strchr(text, '=');
    size_t size = equals ? (size_t)(equals - text) : 0;
    if (size == 0 || size >= sizeof name)
        return eddy_fail(err, EDDY_EUSAGE,
                         "--set \"%s\": write NAME=VALUE, e.g. --set worker.threads=2",
                         text);
    memcpy(name, text, size);
    name[size] = 0;
    return eddy_config_set(config, name, equals + 1, "--set", err);
}

struct eddy_config *eddy_settings_read(const struct eddy_settings *settings,
                                       struct eddy_err *err)
{
    struct eddy_config *config = eddy_config_new(err);
    if (!config)
        return NULL;
    if (settings->file && eddy_config_load_file(config, settings->file, err) < 0)
        goto fail;
    if (eddy_config_load_environment(config, environ, err) < 0)
        goto fail;
    for (size_t i = 0; i < settings->set.count; i++)
        if (set_one(config, settings->set.values[i], err) < 0)
            goto fail;
    return config;
fail:
    eddy_config_free(config);
    return NULL;
}

struct eddy_config *eddy_settings_load(const struct eddy_settings *settings,
                                       struct eddy_err *err)
{
    struct eddy_config *config = eddy_settings_read(settings, err);
    if (config && eddy_config_finish(config, err) < 0) {
        eddy_config_free(config);
        return NULL;
    }
    return config;
}
