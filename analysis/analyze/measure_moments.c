/* R in the weightings of H and G. */
#include "analyze/measure_moments.h"

#include "linalg/roots.h"

#include <stdlib.h>
#include <string.h>

size_t moment_bytes(size_t rows, size_t cols)
{
    const size_t larger = rows > cols ? rows : cols;
    const size_t roots = rows * rows + cols * cols, product = 2 * rows * cols;
    const size_t vectors = larger * larger; /* while a root is computed */
    return (roots + (product > vectors ? product : vectors)) * sizeof(double) +
           rows * cols * sizeof(float);
}

static int copy_of(const double *x, size_t n, double **out)
{
    RSD_TRY(rsd_array_alloc(n, n, sizeof **out, out));
    memcpy(*out, x, n * n * sizeof **out);
    return RSD_OK;
}

int moment_roots_make(const rsd_calibration *c, double damping, const char *name, moment_roots *out)
{
    size_t clamped;
    *out = (moment_roots){ .m = c->m, .n = c->n, .tokens = c->tokens };
    RSD_TRY(rsd_array_alloc(c->n, 1, sizeof *out->diagonal, &out->diagonal));
    for (size_t i = 0; i < c->n; i++) {
        out->diagonal[i] = c->H[i * c->n + i];
        if (!(out->diagonal[i] >= 0))
            return RSD_FAIL(RSD_EDOM, "H of %s: %g on the diagonal, channel %zu", name,
                            out->diagonal[i], i);
    }
    RSD_TRY(copy_of(c->H, c->n, &out->root_h));
    RSD_TRY(copy_of(c->G, c->m, &out->root_g));
    RSD_TRY(rsd_root(out->root_h, c->n, damping, &clamped));
    RSD_TRY(rsd_root(out->root_g, c->m, damping, &out->clamped));
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
