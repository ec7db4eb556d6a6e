#include "show/inspect_result.h"

#include "io/store.h"
#include "result/result.h"
#include "result/summary.h"
#include "result/tables.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The attributes of a group that are there, into a JSON object. */
static int put_texts(const rsd_store *store, const char *path, const char *const *names, json_t *to)
{
    for (; *names; names++) {
        char *text = NULL;
        if (!rsd_store_has(store, path, *names))
            continue;
        RSD_TRY(rsd_store_get_text(store, path, *names, &text));
        json_object_set_new(to, *names, json_string(text));
        free(text);
    }
    return RSD_OK;
}

/* Rows of the table `matrices`, counted by status; what failed is kept. */
typedef struct {
    const char *model; /* of the rows that count */
    size_t ok;
    json_t *failed;
} counter;

enum { MODEL, TENSOR, STATUS = 7, MESSAGE = 8 };

static int counter_begin(void *context, const rsd_column *columns, size_t count)
{
    (void)context;
    (void)columns;
    (void)count;
    return RSD_OK;
}

static int counter_row(void *context, const rsd_value *v)
{
    counter *c = context;
    if (strcmp(v[MODEL].text, c->model) != 0)
        return RSD_OK;
    if (strcmp(v[STATUS].text, "failed") != 0)
        c->ok++;
    else
        json_array_append_new(c->failed, json_pack("{s:s, s:s}", "tensor", v[TENSOR].text,
                                                   "message", v[MESSAGE].text));
    return RSD_OK;
}

static int describe_model(const rsd_store *store, const char *name, json_t *models)
{
    static const char *const texts[] = { "source", "architecture", "sha256", NULL };
    char *path = result_model_path(name);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", name);
    json_t *model = json_object();
    json_object_set_new(models, name, model);
    counter c = { name, 0, json_array() };
    const table_sink sink = { counter_begin, counter_row, &c };
    int64_t parameters = 0;
    int err = put_texts(store, path, texts, model);
    if (!err && rsd_store_has(store, path, "parameters"))
        err = rsd_store_get_int(store, path, "parameters", &parameters);
    if (!err)
        err = table_emit(store, "matrices", &sink);
    json_object_set_new(model, "parameters", json_integer(parameters));
    json_object_set_new(model, "matrices", json_integer((json_int_t)c.ok));
    json_object_set_new(model, "failed", c.failed);
    free(path);
    return err;
}

static int describe(const rsd_store *store, json_t *all)
{
    static const char *const texts[] = { "tool_version", "created_utc", "command_line",
                                         "analyze_options", NULL };
    rsd_names models = { 0 };
    int64_t complete = 0;
    RSD_TRY(put_texts(store, "/", texts, all));
    if (rsd_store_has(store, "/", "complete"))
        RSD_TRY(rsd_store_get_int(store, "/", "complete", &complete));
    json_object_set_new(all, "complete", json_boolean(complete));
    json_t *list = json_object();
    json_object_set_new(all, "models", list);
    if (!rsd_store_exists(store, "/models"))
        return RSD_OK;
    RSD_TRY(rsd_store_members(store, "/models", &models));
    int err = RSD_OK;
    for (size_t i = 0; i < models.count && !err; i++)
        err = describe_model(store, models.name[i], list);
    rsd_names_free(&models);
    return err;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "?";
}

static void print_text(const char *path, const json_t *all)
{
    printf("%s: residuum %s, %s%s\n  %s\n  %s\n", path, text_of(all, "tool_version"),
           text_of(all, "created_utc"),
           json_is_true(json_object_get(all, "complete")) ? "" : ", not complete",
           text_of(all, "command_line"), text_of(all, "analyze_options"));
    const char *name;
    json_t *model;
    json_object_foreach(json_object_get(all, "models"), name, model)
    {
        printf("%s: %s, %s, %" JSON_INTEGER_FORMAT " parameters, sha256 %.16s...\n", name,
               text_of(model, "source"), text_of(model, "architecture"),
               json_integer_value(json_object_get(model, "parameters")), text_of(model, "sha256"));
        size_t i;
        json_t *failed;
        json_array_foreach(json_object_get(model, "failed"), i, failed)
            printf("  failed: %s: %s\n", text_of(failed, "tensor"), text_of(failed, "message"));
    }
    putchar('\n');
}

int inspect_result(const char *path, bool json)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    json_t *all = json_object();
    int err = describe(store, all);
    const int closed = rsd_store_close(store);
    err = err ? err : closed;
    if (!err && json) {
        if (json_dumpf(all, stdout, JSON_INDENT(1)))
            err = RSD_FAIL(RSD_EIO, "%s: could not print as JSON", path);
        putchar('\n');
    } else if (!err) {
        print_text(path, all);
        err = summary_print(path);
    }
    json_decref(all);
    return err;
}
