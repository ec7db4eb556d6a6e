#include "spectra/association.h"

#include "boot.h"
#include "mat.h"
#include "rng.h"

#include <gsl/gsl_fit.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { DRAWS = 2000, NUMBERS = 4 };

/* Pairs that count, and room for a draw of them. */
typedef struct {
    size_t n, clusters;
    double *x, *y;           /* [n], a cluster's pairs side by side */
    size_t *first;           /* [clusters + 1] */
    double *draw_x, *draw_y; /* [capacity] */
    size_t capacity;
    double *ranks; /* [2*capacity] GSL's work */
} pairs;

static bool varies(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0])
            return true;
    return false;
}

static void numbers_of(const double *x, const double *y, size_t n, double *ranks,
                       double out[NUMBERS])
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    out[0] = out[1] = out[2] = NAN;
    out[3] = n ? sqrt(sum / (double)n) : NAN;
    if (n < 3 || !varies(x, n) || !varies(y, n))
        return;
    double a, c00, c01, c11, squares;
    out[0] = gsl_stats_spearman(x, 1, y, 1, n, ranks);
    out[1] = gsl_stats_correlation(x, 1, y, 1, n);
    gsl_fit_linear(x, 1, y, 1, n, &a, &out[2], &c00, &c01, &c11, &squares);
}

/* ---- gathering ---- */

typedef struct {
    size_t cluster, i;
} place;

static int by_cluster(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (p->cluster != q->cluster)
        return p->cluster < q->cluster ? -1 : 1;
    return p->i < q->i ? -1 : 1;
}

static int gather(const double *x, const double *y, const size_t *cluster, size_t n, pairs *p)
{
    place *at;
    size_t largest = 0;
    RSD_TRY(rsd_array_alloc(n + 1, 1, sizeof *at, &at));
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]) && isfinite(y[i]))
            at[p->n++] = (place){ cluster ? cluster[i] : i, i };
    qsort(at, p->n, sizeof *at, by_cluster);
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(p->n + 1, 1, sizeof *p->x, &p->x));
    RSD_TRY_DONE(rsd_array_alloc(p->n + 1, 1, sizeof *p->y, &p->y));
    RSD_TRY_DONE(rsd_array_alloc(p->n + 1, 1, sizeof *p->first, &p->first));
    for (size_t i = 0; i < p->n; i++) {
        if (i == 0 || at[i].cluster != at[i - 1].cluster)
            p->first[p->clusters++] = i;
        p->x[i] = x[at[i].i];
        p->y[i] = y[at[i].i];
    }
    p->first[p->clusters] = p->n;
    for (size_t c = 0; c < p->clusters; c++)
        if (p->first[c + 1] - p->first[c] > largest)
            largest = p->first[c + 1] - p->first[c];
    p->capacity = p->clusters * largest + 1;
    RSD_TRY_DONE(rsd_array_alloc(p->capacity, 1, sizeof *p->draw_x, &p->draw_x));
    RSD_TRY_DONE(rsd_array_alloc(p->capacity, 1, sizeof *p->draw_y, &p->draw_y));
    RSD_TRY_DONE(rsd_array_alloc(p->capacity, 2, sizeof *p->ranks, &p->ranks));
done:
    free(at);
    return err;
}

static void pairs_free(pairs *p)
{
    free(p->x);
    free(p->y);
    free(p->first);
    free(p->draw_x);
    free(p->draw_y);
    free(p->ranks);
}

static size_t draw(pairs *p, rsd_rng *rng)
{
    size_t n = 0;
    for (size_t k = 0; k < p->clusters; k++) {
        const size_t c = (size_t)(rsd_rng_uniform(rng) * (double)p->clusters);
        for (size_t i = p->first[c]; i < p->first[c + 1]; i++, n++) {
            p->draw_x[n] = p->x[i];
            p->draw_y[n] = p->y[i];
        }
    }
    return n;
}

/* ---- intervals ---- */

/* The middle 95 % of the finite ones. */
static void interval(double *x, size_t n, rsd_interval *out)
{
    size_t finite = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            x[finite++] = x[i];
    out->low = rsd_quantile(x, finite, 0.025);
    out->high = rsd_quantile(x, finite, 0.975);
}

int rsd_associate(const double *predicted, const double *measured, const size_t *cluster, size_t n,
                  uint64_t seed, rsd_association *out)
{
    pairs p = { 0 };
    double *drawn = NULL, value[NUMBERS];
    rsd_rng *rng = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(gather(predicted, measured, cluster, n, &p));
    RSD_TRY_DONE(rsd_array_alloc(DRAWS, NUMBERS, sizeof *drawn, &drawn));
    RSD_TRY_DONE(rsd_rng_alloc(seed, "association", &rng));
    numbers_of(p.x, p.y, p.n, p.ranks, value);
    for (size_t d = 0; d < DRAWS; d++) {
        double at[NUMBERS];
        const size_t count = draw(&p, rng);
        numbers_of(p.draw_x, p.draw_y, count, p.ranks, at);
        for (size_t k = 0; k < NUMBERS; k++)
            drawn[k * DRAWS + d] = p.clusters > 1 ? at[k] : NAN;
    }
    rsd_interval *const to[NUMBERS] = { &out->spearman, &out->pearson, &out->slope, &out->error };
    out->n = p.n;
    for (size_t k = 0; k < NUMBERS; k++) {
        to[k]->value = value[k];
        interval(drawn + k * DRAWS, DRAWS, to[k]);
    }
done:
    rsd_rng_free(rng);
    free(drawn);
    pairs_free(&p);
    return err;
}

int rsd_mean_interval(const double *x, size_t n, uint64_t seed, rsd_interval *out)
{
    double *drawn = NULL;
    rsd_rng *rng = NULL;
    int err = RSD_OK;
    *out = (rsd_interval){ rsd_mean(x, n), NAN, NAN };
    if (n < 2)
        return RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(DRAWS, 1, sizeof *drawn, &drawn));
    RSD_TRY_DONE(rsd_rng_alloc(seed, "mean interval", &rng));
    for (size_t d = 0; d < DRAWS; d++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += x[(size_t)(rsd_rng_uniform(rng) * (double)n)];
        drawn[d] = sum / (double)n;
    }
    interval(drawn, DRAWS, out);
done:
    rsd_rng_free(rng);
    free(drawn);
    return err;
}
