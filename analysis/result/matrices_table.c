/* The table `matrices`: what a file holds, and what failed. */
#include "result/result.h"
#include "result/tables.h"

#include <stdlib.h>

static int emit_matrix(const rsd_store *store, const char *model, const char *tensor,
                       const table_sink *sink)
{
    char *path = result_matrix_path(model, tensor), *text[4] = { NULL };
    static const char *const names[4] = { "role", "stored_dtype", "status", "message" };
    int64_t layer = -1, rows = 0, cols = 0;
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", tensor);
    for (int i = 0; !err && i < 4; i++)
        err = rsd_store_get_text(store, path, names[i], &text[i]);
    if (!err)
        err = rsd_store_get_int(store, path, "layer", &layer);
    if (!err)
        err = rsd_store_get_int(store, path, "rows", &rows);
    if (!err)
        err = rsd_store_get_int(store, path, "cols", &cols);
    const rsd_value v[] = { { .text = model },    { .text = tensor },  { .text = text[0] },
                            { .integer = layer }, { .integer = rows }, { .integer = cols },
                            { .text = text[1] },  { .text = text[2] }, { .text = text[3] } };
    if (!err)
        err = sink->row(sink->context, v);
    for (int i = 0; i < 4; i++)
        free(text[i]);
    free(path);
    return err;
}

static int emit(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        { "model", "", "name of the model in this file", RSD_COLUMN_TEXT },
        { "tensor", "", "name of the matrix in the model", RSD_COLUMN_TEXT },
        { "role", "", "what the matrix is for", RSD_COLUMN_TEXT },
        { "layer", "block", "block number, -1 outside the blocks", RSD_COLUMN_INT },
        { "rows", "row", "outputs", RSD_COLUMN_INT },
        { "cols", "column", "inputs", RSD_COLUMN_INT },
        { "stored_dtype", "", "number type in the model's file", RSD_COLUMN_TEXT },
        { "status", "", "ok or failed", RSD_COLUMN_TEXT },
        { "message", "", "why it failed", RSD_COLUMN_TEXT },
    };
    RSD_TRY(sink->begin(sink->context, columns, sizeof columns / sizeof *columns));
    rsd_names models, tensors;
    RSD_TRY(rsd_store_names(store, "/models", &models));
    int err = RSD_OK;
    for (size_t m = 0; !err && m < models.count; m++) {
        err = result_matrices(store, models.name[m], &tensors);
        for (size_t t = 0; !err && t < tensors.count; t++)
            err = emit_matrix(store, models.name[m], tensors.name[t], sink);
        rsd_names_free(&tensors);
    }
    rsd_names_free(&models);
    return err;
}

const table_kind matrices_table = {
    .name = "matrices",
    .summary = "one row per matrix: shape, role, status",
    .emit = emit,
};
