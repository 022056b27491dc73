/* eddy recipes: what can be trained, and with which hyper-parameters. */
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/args.h"
#include "app/recipe.h"

struct arguments {
    bool json;
};

static const struct eddy_arg rows[] = {
    {"json", 0, EDDY_ARG_FLAG, offsetof(struct arguments, json), NULL,
     .help = "A JSON object per recipe, one a line."},
};

static const struct eddy_args command_line = {
    .command = "recipes",
    .usage = "[NAME] [--json]",
    .about =
        "The recipes of `eddy train --recipe NAME`: what each is for, and its\n"
        "hyper-parameters (--set NAME=VALUE) with default, range and whether a search may\n"
        "tune it. Names, defaults and ranges are Amazon's.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .operand = "NAME",
    .operand_max = 1,
    .examples = "  eddy recipes\n"
                "  eddy recipes aws-sims\n"
                "  eddy recipes --json\n",
};

static void put_hyper_json(const struct eddy_hyper *hyper, struct eddy_buf *out)
{
    eddy_buf_puts(out, "{\"name\":");
    eddy_buf_put_json_string(out, eddy_span_of(hyper->name));
    eddy_buf_puts(out, ",\"default\":");
    eddy_buf_put_json_string(out, eddy_span_of(hyper->fallback));
    eddy_buf_printf(out, ",\"type\":\"%s\"", hyper->kind);
    if (hyper->min < hyper->max)
        eddy_buf_printf(out, ",\"min\":%.9g,\"max\":%.9g", hyper->min, hyper->max);
    if (hyper->choices != NULL) {
        eddy_buf_puts(out, ",\"choices\":[\"");
        for (const char *at = hyper->choices; *at; at++)
            eddy_buf_puts(out, *at == '|' ? "\",\"" : (char[]){*at, 0});
        eddy_buf_puts(out, "\"]");
    }
    eddy_buf_printf(out, ",\"tunable\":%s,\"serving\":%s,\"help\":",
                    hyper->tunable ? "true" : "false",
                    hyper->serving ? "true" : "false");
    eddy_buf_put_json_string(out, eddy_span_of(hyper->help));
    eddy_buf_putc(out, '}');
}

static void put_json(const struct eddy_recipe *recipe, struct eddy_buf *out)
{
    eddy_buf_printf(out, "{\"name\":\"%s\",\"type\":\"%s\",\"about\":", recipe->name,
                    eddy_recipe_type(recipe));
    eddy_buf_put_json_string(out, eddy_span_of(recipe->about));
    eddy_buf_printf(out,
                    ",\"network\":%s,\"item_metadata\":%s,\"user_metadata\":%s,"
                    "\"hyper_parameters\":[",
                    recipe->network ? "true" : "false",
                    recipe->item_metadata ? "true" : "false",
                    recipe->user_metadata ? "true" : "false");
    for (uint32_t i = 0; i < recipe->hyper_count; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        put_hyper_json(&recipe->hypers[i], out);
    }
    eddy_buf_puts(out, "]}\n");
}

static void put_hyper(const struct eddy_hyper *hyper, struct eddy_buf *out)
{
    eddy_buf_printf(out, "  %s = %s   (", hyper->name, hyper->fallback);
    eddy_hyper_put_range(hyper, out);
    eddy_buf_puts(out, hyper->tunable   ? "; may be tuned)\n"
                       : hyper->serving ? "; of serving, training does not take it)\n"
                                        : ")\n");
    eddy_buf_printf(out, "      %s\n", hyper->help);
}

static void put_text(const struct eddy_recipe *recipe, struct eddy_buf *out)
{
    eddy_buf_printf(out, "%s (%s)\n  %s\n", recipe->name, eddy_recipe_type(recipe),
                    recipe->about);
    if (recipe->hyper_count == 0)
        eddy_buf_puts(out, "  It has no hyper-parameters.\n");
    for (uint32_t i = 0; i < recipe->hyper_count; i++)
        put_hyper(&recipe->hypers[i], out);
}

static void put_short(const struct eddy_recipe *recipe, struct eddy_buf *out)
{
    eddy_buf_printf(out, "%-30s %s\n", recipe->name, recipe->about);
}

int eddy_cmd_recipes(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct eddy_arg_list operands = {0};
    const struct eddy_recipe *only = NULL;
    struct eddy_buf out;
    int code;

    if (!eddy_args_parse(&command_line, argc, argv, &arguments, &operands, &code))
        return code;
    if (operands.count > 0 && (only = eddy_recipe_find(operands.values[0])) == NULL)
        return eddy_args_fail("recipes", "there is no recipe \"%s\"; known: %s",
                              operands.values[0], eddy_recipe_names());
    eddy_buf_init(&out, 0);
    for (uint32_t i = 0; i < eddy_recipe_count; i++) {
        const struct eddy_recipe *recipe = &eddy_recipes[i];
        if (only != NULL && recipe != only)
            continue;
        if (arguments.json)
            put_json(recipe, &out);
        else if (only != NULL)
            put_text(recipe, &out);
        else
            put_short(recipe, &out);
    }
    if (!arguments.json && only == NULL)
        eddy_buf_puts(&out,
                      "\n`eddy recipes NAME` lists the hyper-parameters of one.\n");
    (void)fputs(out.data ? out.data : "", stdout);
    eddy_buf_fini(&out);
    return EDDY_EXIT_OK;
}
