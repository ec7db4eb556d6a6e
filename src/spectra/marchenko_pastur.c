/* With x = 1 + gamma - 2 sqrt(gamma) cos t, 0 <= t <= pi, the square roots at both ends of the law
 * and the pole at 0 of the square case go away:
 *
 *     d mu = 2 sin^2 t / (pi x) dt,   x = (1 - q)^2 + 4 q sin^2(t/2),   q = sqrt gamma.
 *
 * Polynomial division by x leaves one arctangent, so the distribution function is elementary, and
 * x d mu = (2/pi) sin^2 t dt gives the energy share at once.  Only the share of singular values,
 * an elliptic integral, is left to quadrature: Gauss-Legendre between the angles of neighbouring
 * ranks, summed from the largest value down.  Nothing is shared between calls. */
#include "spectra/marchenko_pastur.h"

#include "mat.h"

#include <assert.h>
#include <gsl/gsl_integration.h>
#include <math.h>

/* Enough on every panel: the integrand's nearest singularities are at t = +-i (1 - q)/sqrt q, which
 * even for D = d + 1 is a fifth of the width of the panel at 0, and there the error is 1e-12. */
enum { GAUSS_POINTS = 20 };

typedef struct {
    double gamma, q, low; /* d/D, its root, 1 - q */
} law;

static law law_of(double gamma)
{
    assert(gamma > 0 && gamma <= 1);
    const double q = sqrt(gamma);
    return (law){ gamma, q, (1 - gamma) / (1 + q) };
}

static law law_of_shape(size_t m, size_t n)
{
    return law_of(m < n ? (double)m / (double)n : (double)n / (double)m);
}

static double eigenvalue(const law *l, double t)
{
    const double h = sin(t / 2);
    return l->low * l->low + 4 * l->q * h * h;
}

/* mu{x <= x(t)} and its derivative in t, for 0 < t <= pi. */
static double distribution(const law *l, double t, double *slope)
{
    const double h = sin(t / 2), c = cos(t / 2), sine = 2 * h * c;
    const double phi = atan2(l->q * sine, l->low + 2 * l->q * h * h);
    *slope = 2 * sine * sine / (M_PI * eigenvalue(l, t));
    return (l->gamma * t + l->q * sine - (1 - l->gamma) * phi) / (M_PI * l->gamma);
}

/* The angle below `high` where the distribution is p: Newton inside a bracket that only shrinks,
 * with bisection where the slope vanishes (both ends of the law).  It needs no memory and always
 * ends; the last iterations at worst halve the bracket. */
static double angle(const law *l, double p, double high)
{
    double low = 0, t = high;
    for (int i = 0; i < 200; i++) {
        double slope;
        const double miss = distribution(l, t, &slope) - p;
        if (fabs(miss) <= 0x1p-51 * slope || high - low <= 0x1p-51)
            break;
        if (miss > 0)
            high = t;
        else
            low = t;
        const double next = t - miss / slope;
        t = next > low && next < high ? next : low + (high - low) / 2;
    }
    return t;
}

double rsd_mp_edge(size_t m, size_t n, double v)
{
    return sqrt(v) * (sqrt((double)m) + sqrt((double)n));
}

double rsd_mp_tracy_widom(size_t m, size_t n, double v)
{
    const double a = sqrt((double)m), b = sqrt((double)n);
    return v * (a + b) * cbrt(1 / a + 1 / b);
}

double rsd_mp_median(double gamma)
{
    const law l = law_of(gamma);
    return eigenvalue(&l, angle(&l, 0.5, M_PI));
}

/* Integral of sqrt(x) d mu between two angles. */
static double sum_between(const law *l, double a, double b, const gsl_integration_glfixed_table *g)
{
    double total = 0;
    for (size_t i = 0; i < GAUSS_POINTS; i++) {
        double t, w;
        gsl_integration_glfixed_point(a, b, i, &t, &w, g);
        const double sine = sin(t);
        total += w * sine * sine / sqrt(eigenvalue(l, t));
    }
    return total * 2 / M_PI;
}

/* Share of the energy above angle t. */
static double energy_above(double t) { return 1 - (t - sin(2 * t) / 2) / M_PI; }

static int check_shape(size_t m, size_t n)
{
    return m && n ? RSD_OK : RSD_FAIL(RSD_EARG, "noise of shape %zu x %zu has no spectrum", m, n);
}

int rsd_mp_curves(size_t m, size_t n, double *sum, double *energy)
{
    RSD_TRY(check_shape(m, n));
    gsl_integration_glfixed_table *g = gsl_integration_glfixed_table_alloc(GAUSS_POINTS);
    if (!g)
        return RSD_FAIL(RSD_ENOMEM, "nodes of a %d-point quadrature", (int)GAUSS_POINTS);
    const law l = law_of_shape(m, n);
    const size_t d = m < n ? m : n;
    double t = M_PI, part = 0;
    for (size_t r = 1; r <= d; r++) {
        const double above = t;
        t = r < d ? angle(&l, (double)(d - r) / (double)d, above) : 0;
        if (energy)
            energy[r - 1] = energy_above(t);
        if (sum)
            sum[r - 1] = part += sum_between(&l, t, above, g);
    }
    for (size_t r = 0; sum && r < d; r++)
        sum[r] /= part;
    gsl_integration_glfixed_table_free(g);
    return RSD_OK;
}

int rsd_mp_quantiles(size_t m, size_t n, double v, double *s)
{
    RSD_TRY(check_shape(m, n));
    const law l = law_of_shape(m, n);
    const size_t d = m < n ? m : n, D = m < n ? n : m;
    double t = M_PI;
    for (size_t k = 0; k < d; k++) {
        t = angle(&l, ((double)(d - k) - 0.5) / (double)d, t);
        s[k] = sqrt(v * (double)D * eigenvalue(&l, t));
    }
    return RSD_OK;
}

double rsd_mp_spike(double gamma, double theta)
{
    const double t2 = theta * theta;
    if (!(t2 * t2 > gamma))
        return 1 + sqrt(gamma);
    return sqrt((1 + t2) * (gamma + t2)) / theta;
}

double rsd_gavish_donoho_lambda(double beta)
{
    const double b1 = beta + 1;
    return sqrt(2 * b1 + 8 * beta / (b1 + sqrt(beta * beta + 14 * beta + 1)));
}

double rsd_gavish_donoho_omega(double beta)
{
    return rsd_gavish_donoho_lambda(beta) / sqrt(rsd_mp_median(beta));
}
