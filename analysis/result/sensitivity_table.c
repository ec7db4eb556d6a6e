/* /sensitivity, row by row. */
#include "result/sensitivity_table.h"

#include "result/tables.h"

#include <math.h>

#define TEXT(name, text)           ROWS_TEXT(sensitivity_row, name, text)
#define INTEGER(name, units, text) ROWS_INTEGER(sensitivity_row, name, units, text)
#define REAL(name, units, text)    ROWS_REAL(sensitivity_row, name, units, text)
#define BLANK(name, units, text)   .name = NAN,

static const rows_field fields[] = { SENSITIVITY_TEXTS(TEXT) SENSITIVITY_INTEGERS(INTEGER)
                                         SENSITIVITY_REALS(REAL) };
static const sensitivity_row blank = { SENSITIVITY_REALS(BLANK) };
const rows_schema sensitivity_schema = {
    .path = "/sensitivity",
    .description = "one row per layer that was quantized alone, or corrected alone",
    .field = fields,
    .fields = sizeof fields / sizeof *fields,
    .size = sizeof blank,
    .blank = &blank,
};

const table_kind sensitivity_table = {
    .name = "sensitivity",
    .summary = "one row per matrix quantized or corrected alone: its own loss",
    .emit = table_emit_stored,
};
