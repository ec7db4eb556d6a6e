/* The groups H and G, written and read. */
#include "result/moment_group.h"
#include "alloc.h"

#include "mat.h"
#include "result/result.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

size_t moment_group_bytes(size_t n) { return n * n * sizeof(float); }

void moment_spectrum_free(moment_spectrum *c)
{
    rsd_moment_free(&c->moment);
    free(c->lambda);
    *c = (moment_spectrum){ 0 };
}

int moment_spectrum_compute(moment_spectrum *c)
{
    rsd_moment *m = &c->moment;
    const size_t n = m->n;
    double *s = NULL;
    int err = RSD_OK;
    c->trace = 0;
    for (size_t i = 0; i < n; i++)
        c->trace += m->second[i * n + i];
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *c->lambda, &c->lambda));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *s, &s));
    RSD_TRY_DONE(rsd_moment_eigenvalues(m, c->lambda, &c->clamped));
    for (size_t i = 0; i < n; i++)
        s[i] = sqrt(c->lambda[i]);
    /* of an eigenvalue: LAPACK's p(n) eps lambda_1 */
    const double rounding = sqrt(10 * (double)n * DBL_EPSILON) * s[0];
    const rsd_spectrum spectrum = {
        .m = m->rows,
        .n = n,
        .count = m->rows < n ? m->rows : n,
        .s = s,
        .complete = true,
        .method = RSD_METHOD_GRAM,
        .sumsq = c->trace,
        .noise = { rounding, rounding },
        .proved = true,
        .error_bound = rounding,
    };
    err = rsd_metrics_compute(&spectrum, &c->metrics);
done:
    free(s);
    return err;
}

static int put_array(rsd_store *store, const char *path, const char *name, const double *x,
                     size_t n, bool square, const char *units, const char *description)
{
    char *full;
    RSD_TRY(rsd_format(&full, "%s/%s", path, name));
    const rsd_array_info info = { .units = units,
                                  .description = description,
                                  .ndim = square ? 2 : 1,
                                  .shape = { n, square ? n : 1 },
                                  .as_float = square };
    const int err = rsd_store_array(store, full, x, &info);
    free(full);
    return err;
}

int moment_group_write_moment(rsd_store *store, const char *path, const moment_spectrum *c)
{
    const rsd_moment *m = &c->moment;
    RSD_TRY(rsd_store_group(store, path));
    RSD_TRY(put_array(store, path, "moment", m->second, m->n, true, "unit^2",
                      "mean over tokens of x x', x the layer's input (H), or the gradient of the "
                      "window's summed loss at its output (G); not centred"));
    RSD_TRY(put_array(store, path, "mean_abs", m->mean_abs, m->n, false, "unit",
                      "mean |x| of each channel"));
    return put_array(store, path, "max_abs", m->max_abs, m->n, false, "unit",
                     "largest |x| of each channel");
}

int moment_group_write_spectrum(rsd_store *store, const char *path, const moment_spectrum *c,
                                const char *shared_with)
{
    const size_t n = c->moment.n;
    double *curve = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_store_group(store, path));
    if (shared_with)
        RSD_TRY_DONE(rsd_store_set_text(store, path, "shared_with", shared_with));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "tokens", (int64_t)c->moment.rows));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "damping", 0));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "clamped", (int64_t)c->clamped));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "metrics_of",
                                    "square roots of the eigenvalues: the singular values of the "
                                    "tokens x channels matrix of x / sqrt(tokens)"));
    for (const rsd_metric_info *i = rsd_metric_table; i->name; i++) {
        const double value = rsd_metric(&c->metrics, i);
        if (!isnan(value))
            RSD_TRY_DONE(rsd_store_set_real(store, path, i->name, value));
    }
    RSD_TRY_DONE(result_write_curve(store, path, "eigenvalues", c->lambda, n, "unit^2",
                                    "eigenvalues of the moment, nonincreasing"));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *curve, &curve));
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        curve[i] = c->trace > 0 ? fmin((sum += c->lambda[i]) / c->trace, 1) : 0;
    err = result_write_curve(store, path, "cumulative_energy", curve, n, "share",
                             "sum of the r largest eigenvalues / trace");
done:
    free(curve);
    return err;
}
