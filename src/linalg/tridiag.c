/* QL as in dsterf is one long chain of divisions: the processor waits.  Here LANES shifts run down
 * the matrix side by side, and nothing divides.  The characteristic polynomials of the leading
 * blocks,
 *
 *   p_k = (d_k - x) p_{k-1} - e_{k-1}^2 p_{k-2},
 *
 * change sign once for each eigenvalue below x, and p_n is a smooth function whose zero is found by
 * interpolation once the counts have isolated it.  Either answer is exact for a matrix whose
 * entries differ from T's by a few eps ||T||, so both are as good as QL. */
#include "linalg/tridiag.h"

#include "mat.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* T / scale, all eigenvalues in [-1,1]: a step multiplies by less than 4. */
typedef struct {
    size_t n, padded; /* to 1 + a multiple of STRIDE, by eigenvalues above all others */
    double *d, *e2;   /* e2[k] = off[k]^2, never zero */
    double scale;
} tridiag;

/* What evaluate() finds at x: p_n(x) = f 2^(RANGE g), and how many eigenvalues lie below. */
typedef struct {
    double x, f, g;
    size_t below;
} point;

/* Eigenvalues first .. first + count - 1, counted from below, lie between a and b.  While count > 1
 * a < b; then a is the latest point, b the end across the zero, c the one before (Chandrupatla). */
typedef struct {
    point a, b, c;
    double t; /* evaluate next at a + t (b - a) */
    size_t first, count;
    int steps; /* of interpolation */
} bracket;

/* STRIDE steps change the larger of two neighbouring p by a factor between 2^-700 and 2^16, as two
 * steps lose little more than e2 >= 2^-110: rescaling this often by this much keeps it normal. */
enum { LANES = 32, STRIDE = 8, RANGE = 500 };
static const double big = 0x1p250, small = 0x1p-250;
static const double tolerance = 0x1p-52; /* of ||T|| */

/* Compiled three times, chosen when the program is loaded; the same bits from each. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

/* Fill in at[l] for at[l].x. */
WIDEST static void evaluate(const tridiag *T, point at[LANES])
{
    double x[LANES], p[LANES], q[LANES], below[LANES], g[LANES];
    for (int l = 0; l < LANES; l++) {
        x[l] = at[l].x;
        q[l] = 1;
        p[l] = T->d[0] - x[l];
        below[l] = p[l] < 0 ? 1.0 : 0.0;
        g[l] = 0;
    }
    for (size_t stride = 1; stride < T->padded; stride += STRIDE) {
        for (size_t k = stride; k < stride + STRIDE; k += 2) {
            const double d0 = T->d[k], d1 = T->d[k + 1], e0 = T->e2[k - 1], e1 = T->e2[k];
            for (int l = 0; l < LANES; l++) {
                q[l] = (d0 - x[l]) * p[l] - e0 * q[l];
                below[l] += (q[l] < 0) != (p[l] < 0) ? 1.0 : 0.0;
                p[l] = (d1 - x[l]) * q[l] - e1 * p[l];
                below[l] += (p[l] < 0) != (q[l] < 0) ? 1.0 : 0.0;
            }
        }
        for (int l = 0; l < LANES; l++) {
            const double u = fabs(p[l]), v = fabs(q[l]), m = u > v ? u : v;
            const double factor = m > big ? 0x1p-500 : m < small ? 0x1p500 : 1.0;
            g[l] += m > big ? 1.0 : m < small ? -1.0 : 0.0;
            p[l] *= factor;
            q[l] *= factor;
        }
    }
    for (int l = 0; l < LANES; l++) {
        at[l].f = p[l];
        at[l].g = g[l];
        at[l].below = (size_t)below[l];
    }
}

/* Where to look next between the three points: by inverse quadratic interpolation where it can be
 * trusted, else the middle; never closer than the tolerance to an end, so that brackets close. */
static double next_step(const bracket *k)
{
    const double least = tolerance / fabs(k->b.x - k->a.x);
    const double g = fmax(k->a.g, fmax(k->b.g, k->c.g));
    const double fa = ldexp(k->a.f, RANGE * (int)(k->a.g - g));
    const double fb = ldexp(k->b.f, RANGE * (int)(k->b.g - g));
    const double fc = ldexp(k->c.f, RANGE * (int)(k->c.g - g));
    const double xi = (k->a.x - k->b.x) / (k->c.x - k->b.x);
    const double phi = (fa - fb) / (fc - fb);
    if (!(phi * phi < xi && (1 - phi) * (1 - phi) < 1 - xi) || k->steps > 40)
        return 0.5;
    const double t = fa / (fb - fa) * fc / (fb - fc) +
                     (k->c.x - k->a.x) / (k->b.x - k->a.x) * fa / (fc - fa) * fb / (fc - fb);
    return t < least ? least : t > 1 - least ? 1 - least : t;
}

/* The lone zero's bracket shrinks to the side of p.  True when it is as small as it gets. */
static bool interpolate(bracket *k, point p)
{
    const bool same = (p.below > k->first) == (k->a.below > k->first);
    k->c = same ? k->a : k->b;
    if (!same)
        k->b = k->a;
    k->a = p;
    k->steps++;
    if (p.f == 0 || fabs(k->b.x - k->a.x) <= 2 * tolerance)
        return true;
    k->t = next_step(k);
    return false;
}

/* Push what a and b enclose, if it is anything; at most n brackets are ever open. */
static void push(bracket *stack, size_t *open, point a, point b)
{
    if (b.below > a.below)
        stack[(*open)++] = (bracket){
            .a = a, .b = b, .c = a, .t = 0.5, .first = a.below, .count = b.below - a.below
        };
}

/* Take what was found at p inside *k: write eigenvalues that are settled, push the rest. */
static void absorb(const tridiag *T, bracket k, point p, bracket *stack, size_t *open,
                   double *lambda)
{
    /* Rounding may make counts disagree by one near an eigenvalue: either is right. */
    const size_t last = k.first + k.count;
    p.below = p.below < k.first ? k.first : p.below > last ? last : p.below;
    if (k.count == 1) {
        if (!interpolate(&k, p)) {
            stack[(*open)++] = k;
            return;
        }
    } else if (k.b.x - k.a.x > 2 * tolerance) {
        push(stack, open, k.a, p);
        push(stack, open, p, k.b);
        return;
    }
    for (size_t i = k.first; i < last; i++)
        lambda[T->n - 1 - i] = p.x * T->scale;
}

/* Brackets between LANES points spread over [-1,1]. */
static void start(const tridiag *T, bracket *stack, size_t *open)
{
    point at[LANES];
    for (int l = 0; l < LANES; l++)
        at[l].x = (2.0 * l / (LANES - 1) - 1) * (1 + 8 * tolerance);
    evaluate(T, at);
    at[0].below = 0;
    at[LANES - 1].below = T->n;
    for (int l = 1; l < LANES; l++) {
        at[l].below = at[l].below < at[l - 1].below ? at[l - 1].below : at[l].below;
        push(stack, open, at[l - 1], at[l]);
    }
}

static void solve(const tridiag *T, bracket *stack, double *lambda)
{
    size_t open = 0;
    start(T, stack, &open);
    while (open) {
        bracket now[LANES];
        point at[LANES];
        const size_t lanes = open < LANES ? open : LANES;
        for (size_t l = 0; l < LANES; l++) {
            if (l < lanes)
                now[l] = stack[--open];
            const bracket *k = &now[l < lanes ? l : 0];
            at[l].x = k->a.x + k->t * (k->b.x - k->a.x);
        }
        evaluate(T, at);
        for (size_t l = 0; l < lanes; l++)
            absorb(T, now[l], at[l], stack, &open, lambda);
    }
}

/* Gershgorin's bound on ||T||. */
static double bound(size_t n, const double *diag, const double *off)
{
    double most = 0;
    for (size_t k = 0; k < n; k++)
        most =
            fmax(most, (k ? fabs(off[k - 1]) : 0) + fabs(diag[k]) + (k + 1 < n ? fabs(off[k]) : 0));
    return most;
}

/* Off-diagonals of half an ulp leave the spectrum as it is. */
static int prepare(size_t n, const double *diag, const double *off, double scale, tridiag *T)
{
    *T = (tridiag){ .n = n, .padded = 1 + (n + STRIDE - 2) / STRIDE * STRIDE, .scale = scale };
    RSD_TRY(rsd_array_alloc(T->padded, 2, sizeof *T->d, &T->d));
    T->e2 = T->d + T->padded;
    for (size_t k = 0; k < T->padded; k++) {
        const double e = k + 1 < n ? off[k] / scale : 0;
        T->d[k] = k < n ? diag[k] / scale : 2;
        T->e2[k] = fmax(e * e, 0x1p-110);
    }
    return RSD_OK;
}

int rsd_tridiag_eigenvalues(size_t n, const double *diag, const double *off, double *lambda)
{
    const double scale = bound(n, diag, off);
    if (scale == 0) {
        memset(lambda, 0, n * sizeof *lambda);
        return RSD_OK;
    }
    tridiag T;
    bracket *stack = NULL;
    int err = prepare(n, diag, off, scale, &T);
    if (err)
        return err;
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *stack, &stack));
    solve(&T, stack, lambda);
done:
    free(T.d);
    free(stack);
    return err;
}
