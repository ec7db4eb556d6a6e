#include "measure_moments.h"

#include "linalg/roots.h"

#include <stdio.h>
#include <stdlib.h>

const char *const moment_metrics[MOMENT_METRICS] = {
    [MOMENT_RDH] = "RdH", [MOMENT_RH] = "RH", [MOMENT_GRH] = "GRH"
};

/* Path of the group H or G that holds the matrix itself: another's where the input is shared. */
static int moment_group(const rsd_store *store, const char *matrix, const char *what, char **out)
{
    char *path, *shared;
    if (asprintf(&path, "%s/%s", matrix, what) < 0)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", what);
    *out = path;
    if (!rsd_store_exists(store, path) || !rsd_store_has(store, path, "shared_with"))
        return RSD_OK;
    const int err = rsd_store_get_text(store, path, "shared_with", &shared);
    if (!err)
        *out = shared;
    free(path);
    if (err)
        *out = NULL;
    return err;
}

bool moments_there(const moment_source *from, const char *matrix_path)
{
    static const char *const what[] = { "H", "G" };
    bool there = from && from->store;
    for (int i = 0; there && i < 2; i++) {
        char *group = NULL, *path = NULL;
        there = moment_group(from->store, matrix_path, what[i], &group) == RSD_OK &&
                asprintf(&path, "%s/moment", group) >= 0 && rsd_store_exists(from->store, path);
        free(path);
        free(group);
    }
    return there;
}

size_t moment_bytes(size_t rows, size_t cols)
{
    const size_t larger = rows > cols ? rows : cols;
    const size_t roots = rows * rows + cols * cols, product = 2 * rows * cols;
    const size_t vectors = larger * larger; /* while a root is computed */
    return (roots + (product > vectors ? product : vectors)) * sizeof(double) +
           rows * cols * sizeof(float);
}

static int read_moment(const moment_source *from, const char *matrix, const char *what, size_t n,
                       double **out, int64_t *tokens)
{
    char *group = NULL, *path = NULL;
    size_t ndim, shape[2];
    int err = RSD_OK;
    RSD_TRY_DONE(moment_group(from->store, matrix, what, &group));
    RSD_TRY_DONE(rsd_store_get_int(from->store, group, "tokens", tokens));
    if (asprintf(&path, "%s/moment", group) < 0) {
        path = NULL;
        err = RSD_FAIL(RSD_ENOMEM, "path of %s", group);
        goto done;
    }
    RSD_TRY_DONE(rsd_store_read_array(from->store, path, out, &ndim, shape));
    if (ndim != 2 || shape[0] != n || shape[1] != n)
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s is %zu x %zu, the matrix asks for %zu x %zu",
                       rsd_store_path(from->store), path, shape[0], shape[1], n, n);
done:
    free(path);
    free(group);
    return err;
}

int moment_roots_load(const moment_source *from, journal *j, const char *matrix_path, size_t rows,
                      size_t cols, moment_roots *out)
{
    size_t clamped;
    *out = (moment_roots){ .m = rows, .n = cols };
    journal_lock(j);
    int err = read_moment(from, matrix_path, "H", cols, &out->root_h, &out->tokens);
    if (!err)
        err = read_moment(from, matrix_path, "G", rows, &out->root_g, &out->tokens);
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

int moment_apply(const moment_roots *r, int metric, rsd_mat R, rsd_mat out)
{
    if (metric != MOMENT_RDH)
        return rsd_between(metric == MOMENT_GRH ? r->root_g : NULL, R, r->root_h, out);
    rsd_scale_columns(R, r->diagonal, out);
    return RSD_OK;
}
