/* What a view says of its groups and matrices, and what it reads of their spectra. */
#include "figures/view.h"

#include "alloc.h"
#include "figures/caption.h"
#include "result/result.h"

#include <stdio.h>
#include <stdlib.h>

size_t view_model_groups(const view *v, size_t first)
{
    size_t n = 1;
    while (first + n < v->groups &&
           v->group[first + n].matrix->model_rank == v->group[first].matrix->model_rank)
        n++;
    return n;
}

bool view_group_has(const view_group *g, size_t spec)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->matrix[i].r[spec])
            return true;
    return false;
}

double view_matrix_position(const view_group *g, const view_matrix *m)
{
    return g->by_layer ? (double)m->layer : (double)(m - g->matrix);
}

void view_matrix_label(const view_group *g, const view_matrix *m, char *out, size_t size)
{
    if (g->by_layer)
        snprintf(out, size, "layer %lld", (long long)m->layer);
    else
        caption_shorten(m->tensor, 24, out, size);
}

void view_group_label(const view_group *g, char *out, size_t size)
{
    for (size_t i = 1; i < g->count; i++)
        if (g->matrix[i].rows != g->matrix->rows || g->matrix[i].cols != g->matrix->cols) {
            snprintf(out, size, "%s", g->role);
            return;
        }
    snprintf(out, size, "%s (%lld×%lld)", g->role, (long long)g->matrix->rows,
             (long long)g->matrix->cols);
}

static char *spectrum_path(const view *v, const view_matrix *m, size_t spec, spectrum_what what)
{
    const char *text = what == SPECTRUM_W ? "" : v->spec[spec].text;
    return result_spectrum_path(m->model, m->tensor, text, what);
}

int view_read(const view *v, const view_matrix *m, size_t spec, spectrum_what what,
              const char *name, view_array *out)
{
    size_t ndim = 0, shape[2] = { 0 };
    char *base = spectrum_path(v, m, spec, what), *path = NULL;
    int err = RSD_OK;
    *out = (view_array){ 0 };
    err = base ? rsd_format(&path, "%s/%s", base, name) : RSD_FAIL(RSD_ENOMEM, "path of %s", name);
    if (!err && rsd_store_exists(v->store, path)) {
        err = rsd_store_read_array(v->store, path, &out->x, &ndim, shape);
        if (!err && ndim != 1)
            err = RSD_FAIL(RSD_EFORMAT, "%s: %s has %zu dimensions, want 1",
                           rsd_store_path(v->store), path, ndim);
        out->n = shape[0];
    }
    if (err) {
        free(out->x);
        *out = (view_array){ 0 };
    }
    free(path);
    free(base);
    return err;
}

int view_null(const view *v, const view_matrix *m, size_t spec, const char **name)
{
    *name = NULL;
    char *base = spectrum_path(v, m, spec, SPECTRUM_R);
    int err = base ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of a null");
    for (int n = 0; !err && !*name && n < RSD_NULLS; n++) {
        char *path = NULL;
        err = rsd_format(&path, "%s/null/%s", base, rsd_null_name((rsd_null)n));
        if (!err && rsd_store_exists(v->store, path))
            *name = rsd_null_name((rsd_null)n);
        free(path);
    }
    free(base);
    return err;
}
