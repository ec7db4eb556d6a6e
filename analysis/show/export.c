/* residuum export: one table of a result file on standard output. */
#include "cli/command.h"
#include "io/store.h"
#include "result/tables.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    rsd_common common;
    int format;
} export_params;

enum { CSV, JSON };
static const export_params defaults = { .format = CSV };
/* clang-format off */
static const rsd_opt options[] = {
    { "format", 0, RSD_OPT_CHOICE, offsetof(export_params, format), 0, 0, "csv|json",
      "comma-separated values, or an array of objects" },
    { 0 },
};
/* clang-format on */

typedef struct {
    const rsd_column *columns;
    size_t count, rows;
} printer;

static int begin_csv(void *context, const rsd_column *columns, size_t count)
{
    printer *p = context;
    *p = (printer){ columns, count, 0 };
    for (size_t c = 0; c < count; c++)
        printf("%s%s", c ? "," : "", columns[c].name);
    putchar('\n');
    return RSD_OK;
}

/* RFC 4180: quoted where it holds a comma, a quote or a line end. */
static void csv_text(const char *s)
{
    if (!s[strcspn(s, ",\"\r\n")]) {
        fputs(s, stdout);
        return;
    }
    putchar('"');
    for (; *s; s++) {
        if (*s == '"')
            putchar('"');
        putchar(*s);
    }
    putchar('"');
}

static int row_csv(void *context, const rsd_value *v)
{
    printer *p = context;
    for (size_t c = 0; c < p->count; c++) {
        if (c)
            putchar(',');
        if (p->columns[c].type == RSD_COLUMN_TEXT)
            csv_text(v[c].text);
        else if (p->columns[c].type == RSD_COLUMN_INT)
            printf("%" PRId64, v[c].integer);
        else if (!isnan(v[c].real)) /* an undefined number is an empty field */
            printf("%.17g", v[c].real);
    }
    putchar('\n');
    return RSD_OK;
}

static int begin_json(void *context, const rsd_column *columns, size_t count)
{
    *(printer *)context = (printer){ columns, count, 0 };
    putchar('[');
    return RSD_OK;
}

static json_t *json_of(rsd_column_type type, const rsd_value *v)
{
    if (type == RSD_COLUMN_TEXT)
        return json_string(v->text);
    if (type == RSD_COLUMN_INT)
        return json_integer(v->integer);
    return isfinite(v->real) ? json_real(v->real) : json_null();
}

static int row_json(void *context, const rsd_value *v)
{
    printer *p = context;
    json_t *row = json_object();
    int failed = !row;
    for (size_t c = 0; c < p->count && !failed; c++)
        failed = json_object_set_new(row, p->columns[c].name, json_of(p->columns[c].type, &v[c]));
    if (!failed) {
        fputs(p->rows++ ? ",\n" : "\n", stdout);
        failed = json_dumpf(row, stdout, JSON_COMPACT);
    }
    json_decref(row);
    return failed ? RSD_FAIL(RSD_EIO, "row %zu could not be printed", p->rows) : RSD_OK;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    const export_params *p = params;
    const char *path = arguments->words.item[0], *name = arguments->words.item[1];
    printer state = { 0 };
    const table_sink sink = { p->format == CSV ? begin_csv : begin_json,
                              p->format == CSV ? row_csv : row_json, &state };
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    int err = table_emit(store, name, &sink);
    if (!err && p->format == JSON)
        fputs("\n]\n", stdout);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

extern const rsd_command rsd_command_export;
const rsd_command rsd_command_export = {
    .name = "export",
    .usage = "F.h5 TABLE [--format csv|json]",
    .summary = "one table of a result file to standard output",
    .details = "TABLE is spectra, matrices, curves or nulls; an undefined number is an empty CSV\n"
               "field, or null.\n",
    .options = options,
    .min_words = 2,
    .max_words = 2,
    .defaults = &defaults,
    .params_size = sizeof(export_params),
    .run = run,
};
