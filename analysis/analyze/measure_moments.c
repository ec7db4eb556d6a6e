/* R in the weightings of H and G. */
#include "analyze/measure_moments.h"

#include "linalg/roots.h"
#include "result/calibration_file.h"

#include <stdlib.h>

bool moments_there(const moment_source *from, const char *matrix_path)
{
    return from && from->store && calibration_has_moment(from->store, matrix_path, "H") &&
           calibration_has_moment(from->store, matrix_path, "G");
}

size_t moment_bytes(size_t rows, size_t cols)
{
    const size_t larger = rows > cols ? rows : cols;
    const size_t roots = rows * rows + cols * cols, product = 2 * rows * cols;
    const size_t vectors = larger * larger; /* while a root is computed */
    return (roots + (product > vectors ? product : vectors)) * sizeof(double) +
           rows * cols * sizeof(float);
}

int moment_roots_load(const moment_source *from, journal *j, const char *matrix_path, size_t rows,
                      size_t cols, moment_roots *out)
{
    size_t clamped;
    *out = (moment_roots){ .m = rows, .n = cols };
    journal_lock(j);
    int err = calibration_tokens(from->store, matrix_path, "G", &out->tokens);
    if (!err)
        err = calibration_array(from->store, matrix_path, "H", "moment", cols, &out->root_h);
    if (!err)
        err = calibration_array(from->store, matrix_path, "G", "moment", rows, &out->root_g);
    journal_unlock(j);
    RSD_TRY(err);
    RSD_TRY(rsd_array_alloc(cols, 1, sizeof *out->diagonal, &out->diagonal));
    for (size_t i = 0; i < cols; i++) {
        out->diagonal[i] = out->root_h[i * cols + i];
        if (!(out->diagonal[i] >= 0))
            return RSD_FAIL(RSD_EDOM, "H of %s: %g on the diagonal, channel %zu", matrix_path,
                            out->diagonal[i], i);
    }
    RSD_TRY(rsd_root(out->root_h, cols, from->damping, &clamped));
    RSD_TRY(rsd_root(out->root_g, rows, from->damping, &out->clamped));
    out->clamped += clamped;
    return RSD_OK;
}

void moment_roots_free(moment_roots *r)
{
    free(r->diagonal);
    free(r->root_h);
    free(r->root_g);
    r->diagonal = r->root_h = r->root_g = NULL;
}

int moment_apply(const moment_roots *r, rsd_weighting_kind weighting, rsd_mat R, rsd_mat out)
{
    const bool g = weighting == RSD_WEIGHTING_G || weighting == RSD_WEIGHTING_GH;
    if (weighting != RSD_WEIGHTING_DIAG_H)
        return rsd_between(g ? r->root_g : NULL, R, weighting == RSD_WEIGHTING_G ? NULL : r->root_h,
                           out);
    rsd_scale_columns(R, r->diagonal, out);
    return RSD_OK;
}
