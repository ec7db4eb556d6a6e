/* The arrays of trained corrections into a run's group of the result file. */
#include "alloc.h"
#include "recover/layers.h"

#include <stdio.h>
#include <stdlib.h>

static int write_vectors(rsd_store *store, const char *path, const char *name, const double *x,
                         size_t count, size_t length)
{
    char axis[64], *full = NULL;
    snprintf(axis, sizeof axis, "/axes/rank_%zu", count);
    RSD_TRY(rsd_store_axis(store, axis, count, "rank", "rank r, or number of the singular value"));
    RSD_TRY(rsd_format(&full, "%s/%s", path, name));
    const rsd_array_info info = { .units = "1",
                                  .description = "singular vectors, one a row",
                                  .ndim = 2,
                                  .shape = { count, length },
                                  .axis = { axis, NULL },
                                  .as_float = true };
    const int err = rsd_store_array(store, full, x, &info);
    free(full);
    return err;
}

static int write_layer(rsd_store *store, const char *run_path, const measured_layer *l)
{
    char *tensor = rsd_store_escape(l->row.tensor), *path = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(tensor ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", l->row.tensor));
    RSD_TRY_DONE(rsd_format(&path, "%s/layers/%s", run_path, tensor));
    RSD_TRY_DONE(rsd_store_group(store, path));
    if (l->start_rank)
        RSD_TRY_DONE(recovery_write_array(store, path, "start_singular_values", l->start,
                                          l->start_rank, "rank", "weight",
                                          "singular values of C = s B A before training"));
    if (l->rank == 0)
        goto done;
    RSD_TRY_DONE(recovery_write_array(store, path, "singular_values", l->s, l->rank, "rank",
                                      "weight", "singular values of C = s B A after training"));
    RSD_TRY_DONE(write_vectors(store, path, "left_vectors", l->u, l->rank, (size_t)l->row.rows));
    err = write_vectors(store, path, "right_vectors", l->v, l->rank, (size_t)l->row.cols);
done:
    free(path);
    free(tensor);
    return err;
}

int recover_write_layers(rsd_store *store, const char *run_path, const measured_layers *l)
{
    for (size_t i = 0; i < l->count; i++)
        RSD_TRY(write_layer(store, run_path, &l->item[i]));
    return RSD_OK;
}
