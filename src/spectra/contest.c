#include "spectra/contest.h"

#include "mat.h"

#include <math.h>
#include <stdlib.h>

/* Squared differences by measurement, one row a contestant. */
typedef struct {
    size_t count, n, best;
    size_t index[RSD_CONTESTANTS]; /* among predictions; the last is the constant */
    double *square;                /* [count][n] */
} field;

static bool takes_part(const double *guess, const rsd_contest_job *job)
{
    for (size_t i = 0; i < job->n; i++)
        if (isfinite(guess[i]) && isfinite(job->measured[i]))
            return true;
    return false;
}

/* The measurements that all have guessed. */
static void find_common(const rsd_contest_job *job, const field *f, bool *common)
{
    for (size_t i = 0; i < job->n; i++) {
        common[i] = isfinite(job->measured[i]);
        for (size_t k = 0; k + 1 < f->count; k++)
            common[i] = common[i] && isfinite(job->guess[f->index[k]][i]);
    }
}

/* The constant's guess for a cluster: the mean over the others. */
static void put_constant(const rsd_contest_job *job, const rsd_clusters *c, double *square)
{
    double all = 0;
    for (size_t i = 0; i < c->n; i++)
        all += job->measured[c->item[i]];
    for (size_t k = 0; k < c->count; k++) {
        const size_t own = c->first[k + 1] - c->first[k];
        double sum = 0;
        for (size_t i = c->first[k]; i < c->first[k + 1]; i++)
            sum += job->measured[c->item[i]];
        for (size_t i = c->first[k]; i < c->first[k + 1]; i++) {
            const double off = (all - sum) / (double)(c->n - own) - job->measured[c->item[i]];
            square[c->item[i]] = off * off;
        }
    }
}

static void put_squares(const rsd_contest_job *job, const rsd_clusters *c, const field *f)
{
    for (size_t k = 0; k + 1 < f->count; k++)
        for (size_t i = 0; i < c->n; i++) {
            const size_t at = c->item[i];
            const double off = job->guess[f->index[k]][at] - job->measured[at];
            f->square[k * f->n + at] = off * off;
        }
    put_constant(job, c, f->square + (f->count - 1) * f->n);
}

/* Errors, then how far each is behind the best. */
static void errors_of(const void *context, const size_t *item, size_t n, double *out)
{
    const field *f = context;
    for (size_t k = 0; k < f->count; k++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += f->square[k * f->n + item[i]];
        out[k] = n ? sqrt(sum / (double)n) : NAN;
    }
    for (size_t k = 0; k < f->count; k++)
        out[f->count + k] = out[k] - out[f->best];
}

static void find_best(field *f, const rsd_clusters *c)
{
    double error[2 * RSD_CONTESTANTS];
    errors_of(f, c->item, c->n, error);
    for (size_t k = 1; k < f->count; k++)
        if (error[k] < error[f->best] || isnan(error[f->best]))
            f->best = k;
}

static int hold(const rsd_contest_job *job, rsd_clusters *c, field *f, rsd_contest *out)
{
    rsd_interval x[2 * RSD_CONTESTANTS], wide[2 * RSD_CONTESTANTS];
    put_squares(job, c, f);
    find_best(f, c);
    RSD_TRY(rsd_clusters_intervals(c, errors_of, f, 2 * f->count, 1, job->seed, x));
    RSD_TRY(rsd_clusters_intervals(c, errors_of, f, 2 * f->count, f->count - 1, job->seed, wide));
    for (size_t k = 0; k < f->count; k++) {
        out->error[f->index[k]] = x[k];
        out->behind[f->index[k]] = wide[f->count + k];
    }
    out->best = f->index[f->best];
    return RSD_OK;
}

int rsd_contest_hold(const rsd_contest_job *job, rsd_contest *out)
{
    static const rsd_interval unknown = { NAN, NAN, NAN };
    rsd_clusters c = { 0 };
    bool *common = NULL;
    field f = { .n = job->n };
    int err = RSD_OK;
    *out = (rsd_contest){ .best = SIZE_MAX };
    for (size_t k = 0; k < RSD_CONTESTANTS; k++)
        out->error[k] = out->behind[k] = unknown;
    for (size_t k = 0; k < job->predictions; k++)
        if (takes_part(job->guess[k], job))
            f.index[f.count++] = k;
    f.index[f.count++] = job->predictions;
    RSD_TRY_DONE(rsd_array_alloc(job->n + 1, 1, sizeof *common, &common));
    RSD_TRY_DONE(rsd_array_alloc(f.count, job->n + 1, sizeof *f.square, &f.square));
    find_common(job, &f, common);
    RSD_TRY_DONE(rsd_clusters_make(job->cluster, common, job->n, &c));
    out->n = c.n;
    out->clusters = c.count;
    if (c.n)
        err = hold(job, &c, &f, out);
done:
    free(common);
    free(f.square);
    rsd_clusters_free(&c);
    return err;
}

bool rsd_contest_loses(const rsd_contest *c, size_t k)
{
    return k != c->best && c->behind[k].low > 0;
}
