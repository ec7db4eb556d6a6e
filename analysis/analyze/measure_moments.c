/* R in the weightings of H and G, and what its nulls are seen through. */
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

static rsd_profile_weight damped(const double *M, size_t n, double damping)
{
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += M[i * n + i];
    return (rsd_profile_weight){ M, damping * trace / (double)n };
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
    out->h = damped(c->H, c->n, damping);
    out->g = damped(c->G, c->m, damping);
    return RSD_OK;
}

void moment_roots_free(moment_roots *r)
{
    free(r->diagonal);
    free(r->root_h);
    free(r->root_g);
    r->diagonal = r->root_h = r->root_g = NULL;
}

static bool takes_g(rsd_weighting_kind k) { return k == RSD_WEIGHTING_G || k == RSD_WEIGHTING_GH; }

static bool takes_h(rsd_weighting_kind k) { return k == RSD_WEIGHTING_H || k == RSD_WEIGHTING_GH; }

void moment_weights(const moment_roots *r, rsd_weighting_kind weighting, rsd_profile_weight *G,
                    rsd_profile_weight *H)
{
    const rsd_profile_weight none = { 0 };
    *G = takes_g(weighting) ? r->g : none;
    *H = takes_h(weighting) ? r->h : none;
}

int moment_apply(const moment_roots *r, rsd_weighting_kind weighting, rsd_mat R, rsd_mat out)
{
    if (weighting != RSD_WEIGHTING_DIAG_H)
        return rsd_between(takes_g(weighting) ? r->root_g : NULL, R,
                           takes_h(weighting) ? r->root_h : NULL, out);
    rsd_scale_columns(R, r->diagonal, out);
    return RSD_OK;
}
