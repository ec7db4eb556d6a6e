/* At z = t > 0, dt follows from d, and the pair is a fixed point of one function F(d), which takes
 * the upper half plane into itself.  By the theorem of Denjoy and Wolff such a function has one
 * attracting fixed point: inside, in the bulk of the spectrum; on the real line with F' <= 1, in
 * its gaps.  So z need not be above the axis, nothing is broadened, and a fixed point that was
 * found is known to be right or not, wherever the search began: Newton's method from the solution
 * at the last t takes two or three steps.  Where it leads elsewhere (beyond an edge of the
 * spectrum), repeated substitution goes to the right one by itself, if slowly, and Newton's method
 * from there.
 *
 * A count is stationary in d and dt: it errs by the square of what they do.  Equal and nearly equal
 * values stand for each other: sums are over nodes with weights. */
#include "spectra/separable.h"

#include "mat.h"
#include "spectra/counting.h"
#include "spectra/nodes.h"

#include <complex.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define PRECISION 1e-9 /* of d */
#define FLOOR     1e-3 /* steps below it that shrink no more are rounding */
#define INSIDE    1e-7 /* Im d/|d| of a fixed point that is not on the axis, */
#define EDGE      1e-4 /* and of one that is surely none of its false ones beside it */
enum { STEPS = 30, SUBSTITUTIONS = 10000 };

typedef struct {
    rsd_nodes g, h;
    double t;
    double complex d, dt; /* of this t */
} law;

/* sum of w x/(1 + c x), and of w (x/(1 + c x))^2. */
static void sums(const rsd_nodes *nodes, double complex c, double complex *first,
                 double complex *second)
{
    const double a = creal(c), b = cimag(c);
    double re = 0, im = 0, re2 = 0, im2 = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        const double x = nodes->value[i], w = nodes->weight[i];
        const double u = 1 + a * x, v = b * x, scale = x / (u * u + v * v);
        const double p = u * scale, q = -v * scale;
        re += w * p;
        im += w * q;
        re2 += w * (p * p - q * q);
        im2 += w * (2 * p * q);
    }
    *first = CMPLX(re, im);
    *second = CMPLX(re2, im2);
}

/* dt of d, F(d) and F'(d). */
typedef struct {
    double complex dt, image, slope;
} map;

static map evaluate(const law *l, double t, double complex d)
{
    double complex g1, g2, h1, h2;
    sums(&l->h, d, &h1, &h2);
    const double complex dt = -h1 / t;
    sums(&l->g, dt, &g1, &g2);
    return (map){ dt, -g1 / t, g2 / t * (h2 / t) };
}

static bool is_finite(double complex x) { return isfinite(creal(x)) && isfinite(cimag(x)); }

/* A fixed point of F near *d, right or not. */
static bool newton(const law *l, double t, double complex *d, map *f)
{
    double before = INFINITY;
    for (int i = 0; i < STEPS; i++) {
        *f = evaluate(l, t, *d);
        const double complex miss = f->image - *d, step = miss / (1 - f->slope);
        if (!is_finite(step))
            return false;
        const double size = cabs(step) / cabs(*d);
        const bool small = size <= PRECISION || (size <= FLOOR && size > before / 2);
        if (small && cabs(miss) <= FLOOR * cabs(*d)) /* steps are small beside a pole, too */
            return true;
        *d += step;
        before = size;
    }
    return false;
}

/* The right one, if Newton's method leads to it from d.  As z is real, what is below the axis
 * mirrors what is above it. */
static bool settle(law *l, double t, double complex d)
{
    map f;
    if (!newton(l, t, &d, &f))
        return false;
    if (fabs(cimag(d)) <= INSIDE * cabs(d)) {
        d = creal(d);
        if (!newton(l, t, &d, &f))
            return false;
    }
    if (fabs(cimag(d)) <= EDGE * cabs(d) && !(cabs(f.slope) < 1 + EDGE))
        return false;
    l->t = t;
    l->d = cimag(d) < 0 ? conj(d) : d;
    l->dt = cimag(d) < 0 ? conj(f.dt) : f.dt;
    return true;
}

static int solve(law *l, double t)
{
    double complex d = l->d * sqrt(l->t / t);
    if (settle(l, t, d))
        return RSD_OK;
    d += .3 * cabs(d) * I;
    for (int i = 0, next = 0; i < SUBSTITUTIONS; i++) {
        if (i == next) {
            if (settle(l, t, d))
                return RSD_OK;
            next = 2 * next + 8;
        }
        d = (d + evaluate(l, t, d).image) / 2;
    }
    return RSD_FAIL(RSD_ECONV,
                    "spectrum of separable noise: no solution at %g of its largest value squared",
                    t);
}

static double arguments(const rsd_nodes *nodes, double complex c)
{
    double total = 0;
    for (size_t i = 0; i < nodes->count; i++)
        total += nodes->weight[i] *
                 atan2(fabs(cimag(c)) * nodes->value[i], 1 + creal(c) * nodes->value[i]);
    return total;
}

static int count_above(void *context, double t, rsd_count *out)
{
    law *l = context;
    RSD_TRY(solve(l, t));
    const double both = t * cimag(l->d * l->dt); /* -pi t times the density */
    out->above = (arguments(&l->g, l->dt) + arguments(&l->h, l->d) + both) / M_PI;
    out->slope = fmax(0, -both / M_PI);
    return RSD_OK;
}

static int curves(law *l, size_t d, double *s, double *sum, double *energy)
{
    const double g = rsd_nodes_sum(&l->g), h = rsd_nodes_sum(&l->h);
    const double edge = sqrt(l->g.value[0] * h) + sqrt(l->h.value[0] * g);
    l->t = 1.1 * edge * edge;
    l->d = -g / l->t;
    const size_t rank = l->g.number < l->h.number ? l->g.number : l->h.number;
    const rsd_counting c = { count_above, l, l->t, g * h, rank };
    return rsd_counting_curves(&c, d, s, sum, energy);
}

static void fill(double *x, size_t n, double value)
{
    for (size_t i = 0; x && i < n; i++)
        x[i] = value;
}

/* One singular value above 0 has all the energy. */
static void single(const law *l, size_t d, double *s, double *sum, double *energy)
{
    fill(s, d, 0);
    if (s)
        s[0] = sqrt(rsd_nodes_sum(&l->g) * rsd_nodes_sum(&l->h));
    fill(sum, d, 1);
    fill(energy, d, 1);
}

int rsd_separable_curves(const double *g, size_t m, const double *h, size_t n, double *s,
                         double *sum, double *energy, double *total)
{
    const size_t d = m < n ? m : n;
    law l = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_nodes_make(g, m, &l.g));
    RSD_TRY_DONE(rsd_nodes_make(h, n, &l.h));
    const double scale = sqrt(l.g.scale) * sqrt(l.h.scale);
    const double all = rsd_nodes_sum(&l.g) * rsd_nodes_sum(&l.h) * scale * scale;
    if (!isfinite(all)) {
        err = RSD_FAIL(RSD_EDOM, "separable noise: sum g = %g x %g, sum h = %g x %g: too large",
                       l.g.scale, rsd_nodes_sum(&l.g), l.h.scale, rsd_nodes_sum(&l.h));
        goto done;
    }
    if (total)
        *total = all;
    if (l.g.number == 0 || l.h.number == 0) {
        fill(s, d, 0);
        fill(sum, d, 0);
        fill(energy, d, 0);
    } else if (l.g.number == 1 || l.h.number == 1)
        single(&l, d, s, sum, energy);
    else
        err = curves(&l, d, s, sum, energy);
    for (size_t k = 0; s && !err && k < d; k++)
        s[k] *= scale;
done:
    rsd_nodes_free(&l.g);
    rsd_nodes_free(&l.h);
    return err;
}
