#include "io/model/synthetic.h"

#include "rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rsd_synthetic defaults = {
    .rows = 768,
    .cols = 768,
    .strength = 1,
    .spike = 2,
    .count = 1,
};

/* clang-format off */
const rsd_opt rsd_synthetic_options[] = {
    { "rows", 0, RSD_OPT_SIZE, offsetof(rsd_synthetic, rows), 1, 1 << 24, "rows", "outputs" },
    { "cols", 0, RSD_OPT_SIZE, offsetof(rsd_synthetic, cols), 1, 1 << 24, "columns", "inputs" },
    { "rank", 0, RSD_OPT_SIZE, offsetof(rsd_synthetic, rank), 0, 1 << 24, "columns",
      "rank of the signal; 0: none" },
    { "power", 0, RSD_OPT_REAL, offsetof(rsd_synthetic, power), 0, 64, "exponent",
      "signal's k-th singular value is strength k^-power; 0: a product of normal factors" },
    { "strength", 0, RSD_OPT_REAL, offsetof(rsd_synthetic, strength), 1e-18, 1e18, "value",
      "largest singular value of the signal, when power > 0" },
    { "spikes", 0, RSD_OPT_SIZE, offsetof(rsd_synthetic, spikes), 0, 1 << 24, "terms",
      "rank-1 terms planted in the noise" },
    { "spike", 0, RSD_OPT_REAL, offsetof(rsd_synthetic, spike), 0, 1e6, "edges",
      "singular value of each, in units of the noise's largest, noise (sqrt rows + sqrt cols)" },
    { "noise", 0, RSD_OPT_REAL, offsetof(rsd_synthetic, noise), 0, 1e18, "value",
      "standard deviation of an entry's noise" },
    { "student", 0, RSD_OPT_REAL, offsetof(rsd_synthetic, student), 0, 1e6, "degrees of freedom",
      "Student-t noise, more than 2 degrees of freedom; 0: normal" },
    { "count", 0, RSD_OPT_SIZE, offsetof(rsd_synthetic, count), 1, 100000, "matrices",
      "matrices in the model" },
    { "seed", 0, RSD_OPT_SIZE, offsetof(rsd_synthetic, seed), 0, 9007199254740992.0, "number",
      "seed of the model's random numbers" },
    { 0 },
};
/* clang-format on */

static int check(const rsd_synthetic *p)
{
    const size_t side = p->rows < p->cols ? p->rows : p->cols;
    if (p->rank > side)
        return RSD_FAIL(RSD_EUSAGE, "rank=%zu of a %zu x %zu matrix", p->rank, p->rows, p->cols);
    if (p->spikes > side)
        return RSD_FAIL(RSD_EUSAGE, "spikes=%zu in a %zu x %zu matrix", p->spikes, p->rows,
                        p->cols);
    if (p->student > 0 && p->student <= 2)
        return RSD_FAIL(RSD_EUSAGE,
                        "student=%g: Student's t has no variance at 2 degrees of "
                        "freedom and below",
                        p->student);
    if (p->power > 0 && !p->rank)
        return RSD_FAIL(RSD_EUSAGE, "power=%g shapes a signal, but rank=0 asks for none", p->power);
    if (p->spikes && p->noise <= 0)
        return RSD_FAIL(RSD_EUSAGE, "spikes=%zu are sized by the noise, but noise=0", p->spikes);
    if (!p->rank && p->noise <= 0)
        return RSD_FAIL(RSD_EUSAGE, "nothing but zeros: give rank or noise");
    return RSD_OK;
}

int rsd_synthetic_parse(const char *text, rsd_synthetic *out)
{
    *out = defaults;
    RSD_TRY(rsd_opt_parse(rsd_synthetic_options, out, text));
    return check(out);
}

/* The matrix is a sum of terms weight[k] left[k] right[k]^T, k < count, plus noise.  Vectors are
 * stored one after the other; everything is double until an entry is rounded once to float32. */
typedef struct {
    size_t rows, cols, count;
    double *weight, *left, *right; /* [count], [count*rows], [count*cols] */
} terms;

static void free_terms(terms *t)
{
    free(t->weight);
    free(t->left);
    free(t->right);
}

static int alloc_terms(const rsd_synthetic *p, terms *t)
{
    *t = (terms){ p->rows, p->cols, p->rank + p->spikes, NULL, NULL, NULL };
    RSD_TRY(rsd_array_alloc(t->count, 1, sizeof *t->weight, &t->weight));
    RSD_TRY(rsd_array_alloc(t->count, t->rows, sizeof *t->left, &t->left));
    return rsd_array_alloc(t->count, t->cols, sizeof *t->right, &t->right);
}

/* A stream per matrix and ingredient: the same signal whatever the noise, and the reverse. */
static int stream(const rsd_synthetic *p, size_t i, const char *what, rsd_rng **rng)
{
    char key[64];
    snprintf(key, sizeof key, "synthetic/%zu/%s", i, what);
    return rsd_rng_alloc(p->seed, key, rng);
}

static double dot(const double *x, const double *y, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void add_scaled(double a, const double *x, double *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* x becomes a random direction; true unless its length vanished. */
static bool normalise(double *x, size_t n)
{
    const double norm = sqrt(dot(x, x, n));
    for (size_t i = 0; i < n; i++)
        x[i] /= norm;
    return norm > 1e-8;
}

static void draw_normals(rsd_rng *rng, double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = rsd_rng_normal(rng);
}

/* count orthonormal vectors of length n, uniformly distributed: modified Gram-Schmidt on normal
 * vectors.  They end orthogonal to the precision times the condition number of what was drawn
 * (Bjorck, BIT 7 (1967) 1), which for normal numbers is of the order of n: far below the rounding
 * to float32 that follows. */
static int orthonormal(rsd_rng *rng, double *q, size_t count, size_t n)
{
    for (size_t k = 0; k < count; k++) {
        double *x = q + k * n;
        draw_normals(rng, x, n);
        for (size_t j = 0; j < k; j++)
            add_scaled(-dot(q + j * n, x, n), q + j * n, x, n);
        if (!normalise(x, n))
            return RSD_FAIL(RSD_ECONV, "direction %zu of %zu lies in the others' span", k, count);
    }
    return RSD_OK;
}

/* Normal numbers on a grid of 1/scale, within +-limit steps, as whole numbers of steps. */
static void draw_integers(rsd_rng *rng, double *x, size_t n, double scale, double limit)
{
    for (size_t i = 0; i < n; i++)
        x[i] = fmax(-limit, fmin(limit, rint(scale * rsd_rng_normal(rng))));
}

/* The control: a product of normal factors that float32 holds exactly.  The factors are whole
 * numbers of at most L = sqrt(2^24 / rank) in size, so that a sum of rank products stays below
 * 2^24; the grid's step 1/c is the smallest power of two with six standard deviations inside. */
static void fill_control(rsd_rng *rng, const rsd_synthetic *p, terms *t)
{
    const double limit = floor(sqrt(16777216.0 / (double)p->rank));
    double scale = 1;
    while (scale * 2 * 6 <= limit)
        scale *= 2;
    draw_integers(rng, t->left, p->rank * t->rows, scale, limit);
    draw_integers(rng, t->right, p->rank * t->cols, scale, limit);
    for (size_t k = 0; k < p->rank; k++)
        t->weight[k] = 1 / (scale * scale);
}

static int fill_signal(const rsd_synthetic *p, size_t i, terms *t)
{
    rsd_rng *rng;
    int err = RSD_OK;
    RSD_TRY(stream(p, i, "signal", &rng));
    if (p->rank && p->power <= 0) {
        fill_control(rng, p, t);
    } else {
        RSD_TRY_DONE(orthonormal(rng, t->left, p->rank, t->rows));
        RSD_TRY_DONE(orthonormal(rng, t->right, p->rank, t->cols));
        for (size_t k = 0; k < p->rank; k++)
            t->weight[k] = p->strength * pow((double)(k + 1), -p->power);
    }
done:
    rsd_rng_free(rng);
    return err;
}

/* Independent random directions, so nearly orthogonal ones, each of the same size.  The edge is
 * the limit of the noise's largest singular value (Marchenko & Pastur 1967; Bai & Yin 1993). */
static int fill_spikes(const rsd_synthetic *p, size_t i, terms *t)
{
    rsd_rng *rng;
    const double edge = p->noise * (sqrt((double)p->rows) + sqrt((double)p->cols));
    RSD_TRY(stream(p, i, "spikes", &rng));
    bool fine = true;
    for (size_t k = p->rank; k < t->count; k++) {
        draw_normals(rng, t->left + k * t->rows, t->rows);
        draw_normals(rng, t->right + k * t->cols, t->cols);
        fine = normalise(t->left + k * t->rows, t->rows) && fine;
        fine = normalise(t->right + k * t->cols, t->cols) && fine;
        t->weight[k] = p->spike * edge;
    }
    rsd_rng_free(rng);
    return fine ? RSD_OK : RSD_FAIL(RSD_ECONV, "a spike's direction has no length");
}

static void add_noise(const rsd_synthetic *p, rsd_rng *rng, double *x, size_t n)
{
    const double nu = p->student; /* Student's t has variance nu / (nu - 2) */
    const double scale = nu > 0 ? p->noise * sqrt((nu - 2) / nu) : p->noise;
    for (size_t j = 0; j < n; j++)
        x[j] += scale * (nu > 0 ? rsd_rng_student_t(rng, nu) : rsd_rng_normal(rng));
}

/* A = sum of terms + noise, a row at a time. */
static int add_up(const rsd_synthetic *p, size_t i, const terms *t, rsd_mat A)
{
    rsd_rng *rng = NULL;
    double *row = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(stream(p, i, "noise", &rng));
    RSD_TRY_DONE(rsd_array_alloc(A.n, 1, sizeof *row, &row));
    for (size_t r = 0; r < A.m; r++) {
        memset(row, 0, A.n * sizeof *row);
        for (size_t k = 0; k < t->count; k++)
            add_scaled(t->weight[k] * t->left[k * t->rows + r], t->right + k * t->cols, row, A.n);
        if (p->noise > 0)
            add_noise(p, rng, row, A.n);
        for (size_t j = 0; j < A.n; j++)
            A.x[r * A.ld + j] = (float)row[j];
    }
done:
    free(row);
    if (rng)
        rsd_rng_free(rng);
    return err;
}

int rsd_synthetic_fill(const rsd_synthetic *p, size_t i, rsd_mat A)
{
    assert(A.m == p->rows && A.n == p->cols && i < p->count);
    terms t = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(alloc_terms(p, &t));
    RSD_TRY_DONE(fill_signal(p, i, &t));
    RSD_TRY_DONE(fill_spikes(p, i, &t));
    RSD_TRY_DONE(add_up(p, i, &t, A));
done:
    free_terms(&t);
    return err;
}
