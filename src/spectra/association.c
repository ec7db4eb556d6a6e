#include "spectra/association.h"

#include "mat.h"

#include <gsl/gsl_fit.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

enum { SPEARMAN, WITHIN, PEARSON, INTERCEPT, SLOPE, ERROR, NUMBERS };

/* The pairs, and memory for a draw of them. */
typedef struct {
    const rsd_association_job *job;
    size_t groups, *group; /* numbers of the groups, each once */
    double *x, *y, *ranks; /* [capacity], [capacity], [2 capacity] */
} pairs;

static bool varies(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return true;
    return false;
}

static bool is_defined(const double *x, const double *y, size_t n)
{
    return n >= 3 && varies(x, n) && varies(y, n);
}

/* ---- numbers of a draw ---- */

/* The drawn pairs of one group, or all; returns how many. */
static size_t take(const pairs *p, const size_t *item, size_t n, const size_t *group)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (group && p->job->group[item[i]] != *group)
            continue;
        p->x[count] = p->job->predicted[item[i]];
        p->y[count++] = p->job->measured[item[i]];
    }
    return count;
}

static double rank_correlation(const pairs *p, size_t n)
{
    return is_defined(p->x, p->y, n) ? gsl_stats_spearman(p->x, 1, p->y, 1, n, p->ranks) : NAN;
}

static double within(const pairs *p, const size_t *item, size_t n, size_t *groups)
{
    double sum = 0;
    *groups = 0;
    for (size_t g = 0; g < p->groups; g++) {
        const double r = rank_correlation(p, take(p, item, n, &p->group[g]));
        sum += isfinite(r) ? r : 0;
        *groups += isfinite(r);
    }
    return *groups ? sum / (double)*groups : NAN;
}

/* What lies on the line, in its units. */
static size_t take_line(const pairs *p, const size_t *item, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = p->job->predicted[item[i]], y = p->job->measured[item[i]];
        if (p->job->logarithms && !(x > 0 && y > 0))
            continue;
        p->x[count] = p->job->logarithms ? log(x) : x;
        p->y[count++] = p->job->logarithms ? log(y) : y;
    }
    return count;
}

static void put_line(const pairs *p, size_t n, double *out)
{
    double sum = 0, c00, c01, c11, squares;
    for (size_t i = 0; i < n; i++)
        sum += (p->x[i] - p->y[i]) * (p->x[i] - p->y[i]);
    out[PEARSON] = out[INTERCEPT] = out[SLOPE] = NAN;
    out[ERROR] = n ? sqrt(sum / (double)n) : NAN;
    if (!is_defined(p->x, p->y, n))
        return;
    out[PEARSON] = gsl_stats_correlation(p->x, 1, p->y, 1, n);
    gsl_fit_linear(p->x, 1, p->y, 1, n, &out[INTERCEPT], &out[SLOPE], &c00, &c01, &c11, &squares);
}

static void numbers_of(const void *context, const size_t *item, size_t n, double *out)
{
    const pairs *p = context;
    size_t groups;
    out[SPEARMAN] = rank_correlation(p, take(p, item, n, NULL));
    out[WITHIN] = within(p, item, n, &groups);
    put_line(p, take_line(p, item, n), out);
}

/* ---- intervals ---- */

static void widen(rsd_interval *r, size_t clusters)
{
    const double G = (double)clusters;
    if (isnan(r->low))
        return;
    const double most = 1 - 6 / (G * (G * G - 1));
    const double at = fmin(fmax(r->value, -most), most);
    const double by = 1.959964 * sqrt((1 + at * at / 2) / (G - 3));
    r->low = fmin(r->low, tanh(atanh(at) - by));
    r->high = fmax(r->high, tanh(atanh(at) + by));
}

static int find_groups(pairs *p, const rsd_clusters *c)
{
    RSD_TRY(rsd_array_alloc(c->n + 1, 1, sizeof *p->group, &p->group));
    for (size_t i = 0; i < c->n && p->job->group; i++) {
        size_t g = 0;
        while (g < p->groups && p->group[g] != p->job->group[c->item[i]])
            g++;
        if (g == p->groups)
            p->group[p->groups++] = p->job->group[c->item[i]];
    }
    return RSD_OK;
}

static int open_pairs(const rsd_association_job *job, pairs *p, rsd_clusters *c)
{
    bool *known;
    *p = (pairs){ .job = job };
    RSD_TRY(rsd_array_alloc(job->n + 1, 1, sizeof *known, &known));
    for (size_t i = 0; i < job->n; i++)
        known[i] = isfinite(job->predicted[i]) && isfinite(job->measured[i]);
    const int err = rsd_clusters_make(job->cluster, known, job->n, c);
    free(known);
    RSD_TRY(err);
    const size_t most = rsd_clusters_capacity(c) + 1;
    RSD_TRY(rsd_array_alloc(most, 1, sizeof *p->x, &p->x));
    RSD_TRY(rsd_array_alloc(most, 1, sizeof *p->y, &p->y));
    RSD_TRY(rsd_array_alloc(most, 2, sizeof *p->ranks, &p->ranks));
    return find_groups(p, c);
}

int rsd_associate(const rsd_association_job *job, rsd_association *out)
{
    rsd_clusters c = { 0 };
    rsd_interval x[NUMBERS];
    pairs p;
    int err = RSD_OK;
    *out = (rsd_association){ 0 };
    RSD_TRY_DONE(open_pairs(job, &p, &c));
    RSD_TRY_DONE(rsd_clusters_intervals(&c, numbers_of, &p, NUMBERS, 1, job->seed, x));
    for (int k = SPEARMAN; k <= PEARSON; k++)
        widen(&x[k], c.count);
    *out = (rsd_association){ .n = c.n,
                              .clusters = c.count,
                              .line = take_line(&p, c.item, c.n),
                              .spearman = x[SPEARMAN],
                              .within = x[WITHIN],
                              .pearson = x[PEARSON],
                              .intercept = x[INTERCEPT],
                              .slope = x[SLOPE],
                              .error = x[ERROR] };
    within(&p, c.item, c.n, &out->groups);
done:
    free(p.x);
    free(p.y);
    free(p.ranks);
    free(p.group);
    rsd_clusters_free(&c);
    return err;
}

bool rsd_association_counts(const rsd_association *a) { return a->clusters >= RSD_FEWEST_CLUSTERS; }
