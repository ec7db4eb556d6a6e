/* /prediction, row by row. */
#include "result/prediction_table.h"

#include "alloc.h"
#include "result/tables.h"
#include "spectra/forecast.h"

#include <math.h>

#define TEXT(name, text)           ROWS_TEXT(prediction_row, name, text)
#define INTEGER(name, units, text) ROWS_INTEGER(prediction_row, name, units, text)
#define REAL(name, units, text)    ROWS_REAL(prediction_row, name, units, text)
#define BLANK(name, units, text)   .name = NAN,

static const rows_field fields[] = { PREDICTION_TEXTS(TEXT) PREDICTION_INTEGERS(INTEGER)
                                         PREDICTION_REALS(REAL) };
static const prediction_row blank = { PREDICTION_REALS(BLANK) };
const rows_schema prediction_schema = {
    .path = "/prediction",
    .description = "what spectra predict to remain at each rank, per matrix and summed",
    .field = fields,
    .fields = sizeof fields / sizeof *fields,
    .size = sizeof blank,
    .blank = &blank,
};

const table_kind prediction_table = {
    .name = "prediction",
    .summary = "what spectra predict to remain at each rank, per matrix and summed",
    .emit = table_emit_stored,
};

const char prediction_a_priori[] = "a_priori";

int prediction_add(prediction_rows *rows, const prediction_row *row, double energy)
{
    if (isnan(row->remaining))
        return RSD_OK;
    RSD_TRY(rsd_grow(&rows->row, &rows->capacity, rows->count + 1, sizeof *rows->row));
    prediction_row *to = &rows->row[rows->count++];
    *to = *row;
    to->recovered = 1 - row->remaining;
    to->loss = isnan(energy) ? NAN : rsd_loss_of_energy(energy * row->remaining);
    return RSD_OK;
}
