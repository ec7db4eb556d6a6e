#include "spectra/finite_size.h"

#include <math.h>

/* Sum of the squares of p^(1 - bend) over their sum. */
static double concentration(const double *energy, size_t d, double bend)
{
    double before = 0, sum = 0, squares = 0;
    for (size_t k = 0; k < d; k++) {
        const double p = pow(fmax(0, energy[k] - before), 1 - bend);
        before = energy[k];
        sum += p;
        squares += p * p;
    }
    return squares / (sum * sum);
}

/* The bend in [0, 1/2] with that concentration, which falls with it. */
static double find_bend(const double *energy, size_t d, double wanted)
{
    double low = 0, high = .5;
    if (!(concentration(energy, d, 0) > wanted))
        return 0;
    for (int i = 0; i < 30; i++) {
        const double middle = (low + high) / 2;
        if (concentration(energy, d, middle) > wanted)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

/* s as the shares of energy become; those are not bent yet. */
static void bend_values(double bend, size_t d, const double *energy, double *s)
{
    double before = 0, total = 0;
    for (size_t k = 0; k < d; k++) {
        const double p = fmax(0, energy[k] - before);
        before = energy[k];
        s[k] *= p > 0 ? pow(p, -bend / 2) : 0;
        total += pow(p, 1 - bend);
    }
    for (size_t k = 0; k < d; k++)
        s[k] /= sqrt(total);
}

static void bend_energy(double bend, size_t d, double *energy)
{
    double before = 0, total = 0;
    for (size_t k = 0; k < d; k++) {
        const double p = fmax(0, energy[k] - before);
        before = energy[k];
        energy[k] = total += pow(p, 1 - bend);
    }
    for (size_t k = 0; k < d; k++)
        energy[k] /= total;
}

static void add_up(const double *s, size_t d, double *sum)
{
    double values = 0;
    for (size_t k = 0; k < d; k++)
        sum[k] = values += s[k];
    for (size_t k = 0; k < d; k++)
        sum[k] /= values;
}

/* The mean of a ratio: where the energy moves by a variance v, and value k by its part p_k^2 of it,
 * the share p_k is less by v (p_k^2/sum p^2 - p_k).  No more than half of a share. */
static void share_of_own(double variance, size_t d, double *energy)
{
    const double squares = concentration(energy, d, 0);
    const double v = fmin(variance, squares / (2 * energy[0]));
    double before = 0, total = 0;
    for (size_t k = 0; k < d; k++) {
        const double p = fmax(0, energy[k] - before);
        before = energy[k];
        energy[k] = total += p * (1 + v - v * p / squares);
    }
    for (size_t k = 0; k < d; k++)
        energy[k] /= total;
}

void rsd_finite_size_correct(rsd_pairings p, size_t d, double *s, double *sum, double *energy)
{
    if (!(energy[0] > 0) || !(energy[0] < 1))
        return; /* nothing, or one value */
    const double bend = find_bend(energy, d, p.law - p.crossed);
    if (bend > 0 && s)
        bend_values(bend, d, energy, s);
    if (bend > 0 && s && sum)
        add_up(s, d, sum);
    if (bend > 0)
        bend_energy(bend, d, energy);
    if (p.crossed > p.same)
        share_of_own(2 * (p.crossed - p.same), d, energy);
}
