#include "spectra/serial.h"

#include "boot.h"

#include <math.h>

/* ---- the length of a block ---- */

/* Autocovariance at a lag, over n. */
static double covariance(const double *x, size_t n, double mean, size_t lag)
{
    double sum = 0;
    for (size_t i = lag; i < n; i++)
        sum += (x[i] - mean) * (x[i - lag] - mean);
    return sum / (double)n;
}

/* The first lag after which `run` autocorrelations in a row cannot be told from 0; where there is
 * none among the `most` that are looked at, the last lag that can. */
static size_t last_significant(const double *x, size_t n, double mean, size_t run, size_t most)
{
    const double level = 2 * sqrt(log10((double)n) / (double)n);
    const double variance = covariance(x, n, mean, 0);
    size_t last = 0;
    for (size_t lag = 1; lag <= most; lag++) {
        if (fabs(covariance(x, n, mean, lag)) >= level * variance)
            last = lag;
        if (lag - last == run)
            break;
    }
    return last;
}

/* Flat up to half, then down to 0 (Politis & Romano 1995). */
static double window(double t) { return t <= 0.5 ? 1 : t < 1 ? 2 * (1 - t) : 0; }

size_t rsd_block_length(const double *x, size_t n)
{
    if (n < 4)
        return 1;
    const double mean = rsd_mean(x, n), N = (double)n;
    const double run = fmax(5, ceil(sqrt(log10(N))));
    const size_t most = (size_t)fmin(ceil(sqrt(N)) + run, N - 1);
    const size_t m = last_significant(x, n, mean, (size_t)run, most);
    const size_t M = 2 * (m ? m : 1) < most ? 2 * (m ? m : 1) : most;
    double G = 0, g = covariance(x, n, mean, 0);
    if (!(g > 0))
        return 1;
    for (size_t k = 1; k <= M; k++) {
        const double w = window((double)k / (double)M) * covariance(x, n, mean, k);
        G += 2 * w * (double)k;
        g += 2 * w;
    }
    const double b = cbrt(1.5 * (G / g) * (G / g)) * cbrt(N); /* 2 G^2 / (4/3 g^2) */
    return (size_t)fmax(1, fmin(round(b), floor(fmin(3 * sqrt(N), N / 3))));
}

/* ---- the error ---- */

/* Mean square of what the means of b neighbours, on a circle, are off the mean of all. */
static double block_variance(const double *x, size_t n, double mean, size_t b)
{
    double sum = 0, squares = 0;
    if (b == 0)
        return 0;
    for (size_t i = 0; i < b; i++)
        sum += x[i] - mean;
    for (size_t i = 0; i < n; i++) {
        squares += (sum / (double)b) * (sum / (double)b);
        sum += x[(i + b) % n] - x[i];
    }
    return squares / (double)n;
}

double rsd_series_se(const double *x, size_t n, size_t block)
{
    if (n < 2)
        return NAN;
    const double N = (double)n, mean = rsd_mean(x, n);
    const size_t q = n / block, r = n % block;
    const double whole = (double)q * (double)block * (double)block;
    const double variance = whole * block_variance(x, n, mean, block) +
                            (double)r * (double)r * block_variance(x, n, mean, r);
    return sqrt(variance / (N * N) / (1 - (double)block / N));
}

rsd_series_mean rsd_series_mean_of(const double *x, size_t n)
{
    const size_t block = rsd_block_length(x, n);
    return (rsd_series_mean){ rsd_mean(x, n), rsd_series_se(x, n, block), block };
}
