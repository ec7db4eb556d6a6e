/* /recovery/layers: one row per run and layer that has an adapter. */
#include "result/recovery_table.h"
#include "result/tables.h"

#include <math.h>
#include <stddef.h>

#define REAL_NAN(name, units, text) .name = NAN,
const recovery_layer recovery_no_layer = { RECOVERY_LAYER_REALS(REAL_NAN) };

#define TEXT(name, text)           ROWS_TEXT(recovery_layer, name, text)
#define INTEGER(name, units, text) ROWS_INTEGER(recovery_layer, name, units, text)
#define REAL(name, units, text)    ROWS_REAL(recovery_layer, name, units, text)
/* clang-format off */
static const rows_field layer_fields[] = {
    TEXT(run, "name of the run's group")
    TEXT(model, "name of the model in this file")
    TEXT(tensor, "name of the matrix in the model")
    TEXT(role, "what the matrix is for")
    RECOVERY_LAYER_INTEGERS(INTEGER) RECOVERY_LAYER_REALS(REAL)
};
/* clang-format on */

const rows_schema recovery_layers_schema = {
    .path = "/recovery/layers",
    .description = "one row per run and layer with an adapter",
    .field = layer_fields,
    .fields = sizeof layer_fields / sizeof *layer_fields,
    .size = sizeof(recovery_layer),
    .blank = &recovery_no_layer,
};

const table_kind recovery_layers_table = {
    .name = "recovery/layers",
    .summary = "one row per run and layer: spectrum and overlaps",
    .emit = table_emit_stored,
};
