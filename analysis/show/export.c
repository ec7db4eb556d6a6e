/* residuum export: one table of a result file on standard output. */
#include "cli/command.h"
#include "cli/json_out.h"
#include "cli/printable.h"
#include "io/store.h"
#include "result/tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    bool terminal;
} printer;

/* RFC 4180: quoted where it holds a comma, a quote or a line end. */
static void put_quoted(const char *s)
{
    const bool quoted = s[strcspn(s, ",\"\r\n")];
    if (quoted)
        putchar('"');
    for (; *s; s++) {
        if (*s == '"')
            putchar('"');
        putchar(*s);
    }
    if (quoted)
        putchar('"');
}

/* A terminal gets what can be shown, a file or a pipe the bytes as they are. */
static int csv_text(const printer *p, const char *s)
{
    char *copy = NULL;
    if (p->terminal)
        RSD_TRY(printable_copy(s, &copy));
    put_quoted(copy ? copy : s);
    free(copy);
    return RSD_OK;
}

static int begin_csv(void *context, const rsd_column *columns, size_t count)
{
    printer *p = context;
    p->columns = columns;
    p->count = count;
    for (size_t c = 0; c < count; c++) {
        if (c)
            putchar(',');
        RSD_TRY(csv_text(p, columns[c].name));
    }
    putchar('\n');
    return RSD_OK;
}

static int row_csv(void *context, const rsd_value *v)
{
    printer *p = context;
    for (size_t c = 0; c < p->count; c++) {
        if (c)
            putchar(',');
        if (p->columns[c].type == RSD_COLUMN_TEXT)
            RSD_TRY(csv_text(p, v[c].text));
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
    printer *p = context;
    p->columns = columns;
    p->count = count;
    putchar('[');
    return RSD_OK;
}

static int row_json(void *context, const rsd_value *v)
{
    printer *p = context;
    json_out j = json_begin_object();
    for (size_t c = 0; c < p->count; c++) {
        const rsd_column *column = &p->columns[c];
        if (column->type == RSD_COLUMN_TEXT)
            json_put_text(&j, column->name, v[c].text);
        else if (column->type == RSD_COLUMN_INT)
            json_put_int(&j, column->name, v[c].integer);
        else
            json_put_real(&j, column->name, v[c].real);
    }
    fputs(p->rows++ ? ",\n" : "\n", stdout);
    return json_print(&j, stdout, JSON_ONE_LINE);
}

static int run(const void *params, const rsd_arguments *arguments)
{
    const export_params *p = params;
    const char *path = arguments->words.item[0], *name = arguments->words.item[1];
    printer state = { .terminal = isatty(STDOUT_FILENO) };
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
    .details =
        "TABLE is one of those that `residuum list tables` names; an undefined number is an empty\n"
        "CSV field, or null.  CSV is RFC 4180 with the bytes of names as they are, but on a "
        "terminal\n"
        "control characters and what is no UTF-8 are shown as \\xNN.  JSON is UTF-8: bytes of "
        "names\n"
        "that are not are \\xNN.\n",
    .options = options,
    .min_words = 2,
    .max_words = 2,
    .defaults = &defaults,
    .params_size = sizeof(export_params),
    .run = run,
};
