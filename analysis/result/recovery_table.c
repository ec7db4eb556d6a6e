/* /recovery: its tables and the groups of its runs. */
#include "result/recovery_table.h"

#include "alloc.h"
#include "result/tables.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define REAL_NAN(name, units, text) .name = NAN,
const recovery_row recovery_no_row = { RECOVERY_REALS(REAL_NAN) };

#define TEXT(name, text)           ROWS_TEXT(recovery_row, name, text)
#define INTEGER(name, units, text) ROWS_INTEGER(recovery_row, name, units, text)
#define REAL(name, units, text)    ROWS_REAL(recovery_row, name, units, text)
static const rows_field row_fields[] = { RECOVERY_TEXTS(TEXT) RECOVERY_INTEGERS(INTEGER)
                                             RECOVERY_REALS(REAL) };
#undef TEXT
#undef INTEGER
#undef REAL

const rows_schema recovery_rows_schema = {
    .path = "/recovery/runs",
    .description = "one row per run of recover",
    .field = row_fields,
    .fields = sizeof row_fields / sizeof *row_fields,
    .size = sizeof(recovery_row),
    .blank = &recovery_no_row,
};

static const char *const kinds[] = { "adapters", "control", "same bytes" };

const char *recovery_kind_name(recovery_kind kind) { return kinds[kind]; }

recovery_kind recovery_kind_of(const recovery_row *row)
{
    for (recovery_kind k = RECOVERY_ADAPTERS; k <= RECOVERY_SAME_BYTES; k++)
        if (strcmp(row->kind, kinds[k]) == 0)
            return k;
    return row->control ? RECOVERY_CONTROL : RECOVERY_ADAPTERS;
}

char *recovery_path(const char *run)
{
    char *name = rsd_store_escape(run), *path = NULL;
    if (!name || rsd_format(&path, "/recovery/%s", name))
        path = NULL;
    free(name);
    return path;
}

int recovery_write_array(rsd_store *store, const char *path, const char *name, const double *x,
                         size_t n, const char *axis, const char *units, const char *description)
{
    char *axis_path = NULL, *full = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_format(&axis_path, "/axes/%s_%zu", axis, n));
    RSD_TRY_DONE(rsd_store_axis(
        store, axis_path, n, axis,
        strcmp(axis, "rank") == 0 ? "rank r, or number of the singular value" : "number, from 1"));
    RSD_TRY_DONE(rsd_format(&full, "%s/%s", path, name));
    const rsd_array_info info = {
        .units = units, .description = description, .ndim = 1, .shape = { n }, .axis = { axis_path }
    };
    err = rsd_store_array(store, full, x, &info);
done:
    free(full);
    free(axis_path);
    return err;
}

const table_kind recovery_table = {
    .name = "recovery/runs",
    .summary = "one row per run of recover: losses, recovered share, bits",
    .emit = table_emit_stored,
};
