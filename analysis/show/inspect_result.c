/* What a result file holds, in words and as JSON. */
#include "show/inspect_result.h"

#include "alloc.h"
#include "cli/json_out.h"
#include "cli/printable.h"
#include "io/store.h"
#include "result/result.h"
#include "result/summary.h"
#include "result/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts of a group, by the names of its attributes. */
static const char *const file_texts[] = { "tool_version", "created_utc", "command_line",
                                          "analyze_options" };
static const char *const model_texts[] = { "source", "architecture", "sha256" };
enum { FILE_TEXTS = 4, MODEL_TEXTS = 3 };

/* A matrix that failed, and why. */
typedef struct {
    char *tensor, *message;
} failure;

typedef struct {
    char *name, *text[MODEL_TEXTS]; /* NULL where the file does not say */
    int64_t parameters;
    size_t matrices, failures; /* matrices: those that did not fail */
    failure *failed;
} model_facts;

typedef struct {
    char *text[FILE_TEXTS];
    int64_t complete;
    size_t models;
    model_facts *model;
} file_facts;

static void facts_free(file_facts *f)
{
    for (size_t i = 0; i < f->models; i++) {
        model_facts *m = &f->model[i];
        for (size_t k = 0; k < m->failures; k++) {
            free(m->failed[k].tensor);
            free(m->failed[k].message);
        }
        for (int k = 0; k < MODEL_TEXTS; k++)
            free(m->text[k]);
        free(m->failed);
        free(m->name);
    }
    for (int k = 0; k < FILE_TEXTS; k++)
        free(f->text[k]);
    free(f->model);
}

/* ---- reading ---- */

static int read_texts(const rsd_store *store, const char *path, const char *const *names,
                      size_t count, char **out)
{
    for (size_t i = 0; i < count; i++)
        if (rsd_store_has(store, path, names[i]))
            RSD_TRY(rsd_store_get_text(store, path, names[i], &out[i]));
    return RSD_OK;
}

static int read_integer(const rsd_store *store, const char *path, const char *name, int64_t *out)
{
    *out = 0;
    return rsd_store_has(store, path, name) ? rsd_store_get_int(store, path, name, out) : RSD_OK;
}

enum { MODEL, TENSOR, STATUS = 7, MESSAGE = 8 }; /* columns of the table `matrices` */

static int begin(void *context, const rsd_column *columns, size_t count)
{
    (void)context;
    (void)columns;
    (void)count;
    return RSD_OK;
}

static int count_row(void *context, const rsd_value *v)
{
    file_facts *f = context;
    for (size_t i = 0; i < f->models; i++) {
        model_facts *m = &f->model[i];
        if (strcmp(v[MODEL].text, m->name) != 0)
            continue;
        if (strcmp(v[STATUS].text, "failed") != 0) {
            m->matrices++;
            return RSD_OK;
        }
        RSD_TRY(rsd_room(&m->failed, m->failures, 1, sizeof *m->failed));
        failure *bad = &m->failed[m->failures++];
        *bad = (failure){ 0 };
        RSD_TRY(rsd_copy_text(v[TENSOR].text, &bad->tensor));
        return rsd_copy_text(v[MESSAGE].text, &bad->message);
    }
    return RSD_OK;
}

static int read_model(const rsd_store *store, const char *name, model_facts *m)
{
    RSD_TRY(rsd_copy_text(name, &m->name));
    char *path = result_model_path(name);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", name);
    int err = read_texts(store, path, model_texts, MODEL_TEXTS, m->text);
    if (!err)
        err = read_integer(store, path, "parameters", &m->parameters);
    free(path);
    return err;
}

static int read_models(const rsd_store *store, file_facts *f)
{
    const table_sink sink = { begin, count_row, f };
    rsd_names names = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_store_names(store, "/models", &names));
    RSD_TRY_DONE(rsd_zeroed(names.count, sizeof *f->model, &f->model));
    for (size_t i = 0; i < names.count; i++) {
        f->models++;
        RSD_TRY_DONE(read_model(store, names.name[i], &f->model[i]));
    }
    err = table_emit(store, "matrices", &sink);
done:
    rsd_names_free(&names);
    return err;
}

static int read_file(const rsd_store *store, file_facts *f)
{
    RSD_TRY(read_texts(store, "/", file_texts, FILE_TEXTS, f->text));
    RSD_TRY(read_integer(store, "/", "complete", &f->complete));
    return read_models(store, f);
}

/* ---- printing ---- */

static void put_texts(json_out *j, const char *const *names, char *const *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text[i])
            json_put_text(j, names[i], text[i]);
}

static void put_model(json_out *j, const model_facts *m)
{
    json_open_object(j, m->name);
    put_texts(j, model_texts, m->text, MODEL_TEXTS);
    json_put_int(j, "parameters", m->parameters);
    json_put_size(j, "matrices", m->matrices);
    json_open_list(j, "failed");
    for (size_t i = 0; i < m->failures; i++) {
        json_open_object(j, NULL);
        json_put_text(j, "tensor", m->failed[i].tensor);
        json_put_text(j, "message", m->failed[i].message);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static int print_json(const file_facts *f)
{
    json_out j = json_begin_object();
    put_texts(&j, file_texts, f->text, FILE_TEXTS);
    json_put_bool(&j, "complete", f->complete);
    json_open_object(&j, "models");
    for (size_t i = 0; i < f->models; i++)
        put_model(&j, &f->model[i]);
    json_close(&j);
    return json_print(&j, stdout, JSON_INDENTED);
}

static void put(const char *before, const char *text)
{
    fputs(before, stdout);
    printable_put(stdout, text ? text : "?", 0);
}

static void print_model(const model_facts *m)
{
    put("", m->name);
    put(": ", m->text[0]);
    put(", ", m->text[1]);
    char sha256[17]; /* its beginning tells models apart */
    snprintf(sha256, sizeof sha256, "%s", m->text[2] ? m->text[2] : "?");
    printf(", %" PRId64 " parameters", m->parameters);
    put(", sha256 ", sha256);
    fputs("...\n", stdout);
    for (size_t i = 0; i < m->failures; i++) {
        put("  failed: ", m->failed[i].tensor);
        put(": ", m->failed[i].message);
        putchar('\n');
    }
}

static void print_text(const char *path, const file_facts *f)
{
    put("", path);
    put(": residuum ", f->text[0]);
    put(", ", f->text[1]);
    fputs(f->complete ? "" : ", not complete", stdout);
    put("\n  ", f->text[2]);
    put("\n  ", f->text[3]);
    putchar('\n');
    for (size_t i = 0; i < f->models; i++)
        print_model(&f->model[i]);
    putchar('\n');
}

int inspect_result(const char *path, bool json)
{
    rsd_store *store;
    file_facts f = { 0 };
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    int err = read_file(store, &f);
    const int closed = rsd_store_close(store);
    err = err ? err : closed;
    if (!err && json)
        err = print_json(&f);
    else if (!err) {
        print_text(path, &f);
        err = summary_print(path);
    }
    facts_free(&f);
    return err;
}
