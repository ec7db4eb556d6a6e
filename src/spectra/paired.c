#include "spectra/paired.h"

#include "boot.h"
#include "mat.h"
#include "spectra/serial.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double rsd_t_test(const double *d, size_t n)
{
    double squares = 0;
    if (n < 2)
        return NAN;
    const double N = (double)n, mean = rsd_mean(d, n);
    for (size_t i = 0; i < n; i++)
        squares += (d[i] - mean) * (d[i] - mean);
    const double se = sqrt(squares / (N - 1) / N);
    if (se == 0)
        return mean == 0;
    return 2 * gsl_cdf_tdist_Q(fabs(mean) / se, N - 1);
}

double rsd_sign_test(size_t above, size_t below)
{
    const size_t least = above < below ? above : below;
    return fmin(1, 2 * gsl_cdf_binomial_P((unsigned)least, 0.5, (unsigned)(above + below)));
}

/* ---- Wilcoxon ---- */

static int by_size(const void *a, const void *b)
{
    const double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
    return x < y ? -1 : x > y;
}

/* Twice the ranks of |d|, sorted, so that those of ties are whole; what is 0 was left out. */
static void double_ranks(const double *d, size_t n, size_t *rank)
{
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && fabs(d[end]) == fabs(d[i]);)
            end++;
        for (size_t k = i; k < end; k++)
            rank[k] = i + 1 + end;
    }
}

/* The share of all signs whose positive ranks add up to at most `least`, twice. */
static int count_signs(const size_t *rank, size_t n, size_t least, double *p)
{
    double *share, sum = 0;
    const size_t most = n * (n + 1);
    RSD_TRY(rsd_array_alloc(most + 1, 1, sizeof *share, &share));
    memset(share, 0, (most + 1) * sizeof *share);
    share[0] = 1;
    for (size_t i = 0; i < n; i++)
        for (size_t w = most + 1; w-- > 0;)
            share[w] = 0.5 * (share[w] + (w >= rank[i] ? share[w - rank[i]] : 0));
    for (size_t w = 0; w <= least; w++)
        sum += share[w];
    *p = fmin(1, 2 * sum);
    free(share);
    return RSD_OK;
}

/* In halves of a rank: mean n(n+1)/2, variance the sum of squared ranks, one for continuity. */
static double normal_tail(const size_t *rank, size_t n, size_t least)
{
    const double mean = (double)n * (double)(n + 1) / 2;
    double variance = 0;
    for (size_t i = 0; i < n; i++)
        variance += (double)rank[i] * (double)rank[i] / 4;
    const double off = fmax(0, mean - (double)least - 1);
    return fmin(1, 2 * gsl_cdf_ugaussian_Q(off / sqrt(variance)));
}

int rsd_wilcoxon(const double *d, size_t n, double *p)
{
    double *x = NULL;
    size_t *rank = NULL, m = 0, sum[2] = { 0, 0 };
    int err = RSD_OK;
    *p = 1;
    RSD_TRY_DONE(rsd_array_alloc(n + 1, 1, sizeof *x, &x));
    RSD_TRY_DONE(rsd_array_alloc(n + 1, 1, sizeof *rank, &rank));
    for (size_t i = 0; i < n; i++)
        if (d[i] != 0)
            x[m++] = d[i];
    if (m == 0)
        goto done;
    qsort(x, m, sizeof *x, by_size);
    double_ranks(x, m, rank);
    for (size_t i = 0; i < m; i++)
        sum[x[i] > 0] += rank[i];
    const size_t least = sum[0] < sum[1] ? sum[0] : sum[1];
    if (m <= RSD_WILCOXON_EXACT)
        err = count_signs(rank, m, least, p);
    else
        *p = normal_tail(rank, m, least);
done:
    free(rank);
    free(x);
    return err;
}

/* ---- all of it ---- */

static void put_interval(rsd_paired *p)
{
    const double blocks = (double)p->n / (double)p->block;
    p->low = p->high = NAN;
    if (isnan(p->se) || blocks < 2)
        return;
    const double t = gsl_cdf_tdist_Pinv(0.975, blocks - 1);
    p->low = p->mean - t * p->se;
    p->high = p->mean + t * p->se;
}

int rsd_paired_test(const double *a, const double *b, size_t n, rsd_paired *out)
{
    double *d;
    RSD_TRY(rsd_array_alloc(n + 1, 1, sizeof *d, &d));
    *out = (rsd_paired){ .n = n };
    for (size_t i = 0; i < n; i++) {
        d[i] = a[i] - b[i];
        out->above += d[i] > 0;
        out->below += d[i] < 0;
    }
    const rsd_series_mean m = rsd_series_mean_of(d, n);
    out->mean = m.mean;
    out->se = m.se;
    out->block = m.block;
    put_interval(out);
    out->t = rsd_t_test(d, n);
    out->sign = rsd_sign_test(out->above, out->below);
    const int err = rsd_wilcoxon(d, n, &out->wilcoxon);
    free(d);
    return err;
}

int rsd_paired_sign(const rsd_paired *p) { return p->high < 0 ? -1 : p->low > 0 ? 1 : 0; }
