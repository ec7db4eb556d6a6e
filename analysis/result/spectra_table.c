/* /spectra, row by row. */
#include "result/spectra_table.h"

#include "result/tables.h"

#include "alloc.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define NAME(constant, name) name,
const char *const spectrum_names[] = { "W", "Wq", RSD_WEIGHTING_LIST(NAME) NULL };
#undef NAME

static_assert(sizeof(spectrum_what) == sizeof(int), "rows.h keeps the index of a word in an int");

spectrum_what spectrum_seen(rsd_weighting_kind kind)
{
    return (spectrum_what)(SPECTRUM_R + (int)kind);
}

rsd_weighting_kind spectrum_weighting(spectrum_what what)
{
    return what < SPECTRUM_R ? RSD_WEIGHTINGS : (rsd_weighting_kind)(what - SPECTRUM_R);
}

#define BLANK(name, units, text) .name = NAN,
const result_relation result_no_relation = { RESULT_RELATION_LIST(BLANK) };
static const spectra_row blank = { .error_bound = NAN,
                                   .seconds = NAN,
                                   .metrics = { RSD_METRIC_LIST(BLANK) },
                                   .relation = { RESULT_RELATION_LIST(BLANK) } };
#undef BLANK

#define TEXT(name, text)            ROWS_TEXT(spectra_row, name, text)
#define INTEGER(name, units, text)  ROWS_INTEGER(spectra_row, name, units, text)
#define REAL(name, units, text)     ROWS_REAL(spectra_row, name, units, text)
#define WHAT(name, text)            ROWS_WORD(spectra_row, name, spectrum_names, text)
#define METRIC(name, units, text)   ROWS_REAL_IN(spectra_row, metrics, name, units, text)
#define RELATION(name, units, text) ROWS_REAL_IN(spectra_row, relation, name, units, text)
#define COUNT1(name, text)          +1
#define COUNT(name, units, text)    +1
/* clang-format off */
static const rows_field fields[] = {
    SPECTRA_PLACE(TEXT, INTEGER, WHAT)
    SPECTRA_COMPUTED(TEXT, INTEGER, REAL)
    RSD_METRIC_LIST(METRIC)
    RESULT_RELATION_LIST(RELATION)
};
/* clang-format on */
const rows_schema spectra_schema = {
    .path = "/spectra",
    .description = "one row per spectrum",
    .field = fields,
    .fields = sizeof fields / sizeof *fields,
    .size = sizeof(spectra_row),
    .needed = 0 SPECTRA_PLACE(COUNT1, COUNT, COUNT1),
    .blank = &blank,
};

int spectra_read(const rsd_store *store, spectra_rows *out)
{
    *out = (spectra_rows){ 0 };
    RSD_TRY(rows_read(&spectra_schema, store, &out->row, &out->count));
    out->capacity = out->count;
    return RSD_OK;
}

int spectra_add(spectra_rows *rows, const spectra_row *row)
{
    spectra_row copy = *row;
    RSD_TRY(rsd_grow(&rows->row, &rows->capacity, rows->count + 1, sizeof *rows->row));
    RSD_TRY(rows_own_texts(&spectra_schema, &copy));
    rows->row[rows->count++] = copy;
    return RSD_OK;
}

int spectra_write(const spectra_rows *rows, rsd_store *store)
{
    return rows_write(&spectra_schema, store, rows->row, rows->count);
}

void spectra_free(spectra_rows *rows)
{
    rows_free(&spectra_schema, rows->row, rows->count);
    *rows = (spectra_rows){ 0 };
}

bool spectra_same(const spectra_row *a, const spectra_row *b)
{
    return a->what == b->what && strcmp(a->tensor, b->tensor) == 0 &&
           strcmp(a->spec, b->spec) == 0 && strcmp(a->model, b->model) == 0;
}

double spectra_number(const spectra_row *row, const char *column)
{
    const rows_field *f = row ? rows_find(&spectra_schema, column) : NULL;
    return f ? rows_number(f, row) : NAN;
}

const table_kind spectra_table = {
    .name = "spectra",
    .summary = "one row per spectrum, every metric a column",
    .emit = table_emit_stored,
};
