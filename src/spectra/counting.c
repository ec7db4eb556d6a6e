/* N is tabulated in x = log t, from the top down, as a monotone piecewise cubic through values and
 * slopes.  That N is monotone makes this safe: where it is the same at both ends of a panel there
 * is nothing between them, and where it differs by little there is little to miss. */
#include "spectra/counting.h"

#include "alloc.h"
#include "mat.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Panels are no wider than this factor in t, so that one bump cannot hide behind another's cubic;
 * nor narrower than NARROWEST, where an edge of the spectrum is sharper than it matters. */
#define WIDEST    .7
#define NARROWEST 1e-9
#define DEEPEST   69.  /* log of the least square over the largest that is told from 0: 1e-30 */
#define LEFT      .25  /* most values below the last point, */
#define LITTLE    1e-4 /* and of the energy's root in their sum */
#define MISS      .02  /* of N, in values */
#define SHARE     1e-5 /* of energy, and of its root in the sum */

typedef struct {
    double x, above, slope; /* log t, N, -dN/dx */
} node;

typedef struct {
    const rsd_counting *c;
    node *node; /* x falls */
    size_t count, capacity;
} table;

static int evaluate(const rsd_counting *c, double x, node *out)
{
    rsd_count n;
    RSD_TRY(c->at(c->law, exp(x), &n));
    *out = (node){ .x = x, .above = n.above, .slope = n.slope };
    return RSD_OK;
}

/* The cubic between a (above) and b: N and -dN/dx at share u of the way down.  Slopes are held to
 * three times the secant's, which keeps it monotone.
 * Source: Fritsch & Carlson, SIAM J. Numer. Anal. 17 (1980) 238. */
static double cubic(const node *a, const node *b, double u, double *slope)
{
    const double h = a->x - b->x, rise = b->above - a->above, most = 3 * rise;
    const double p = fmin(a->slope * h, most), q = fmin(b->slope * h, most);
    const double c2 = 3 * rise - 2 * p - q, c3 = p + q - 2 * rise;
    *slope = (p + u * (2 * c2 + 3 * c3 * u)) / h;
    return a->above + u * (p + u * (c2 + c3 * u));
}

/* Add what lies between shares u and v of the way from a to b: the integrals of -t dN and of
 * -sqrt(t) dN, by Gauss and Legendre. */
static void integrate(const node *a, const node *b, double u, double v, double *energy, double *sum)
{
    static const double at[] = { -.8611363115940526, -.3399810435848563, .3399810435848563,
                                 .8611363115940526 };
    static const double weight[] = { .3478548451374538, .6521451548625461, .6521451548625461,
                                     .3478548451374538 };
    const double h = a->x - b->x, half = (v - u) / 2;
    for (int i = 0; i < 4; i++) {
        double slope;
        const double middle = u + half * (1 + at[i]);
        cubic(a, b, middle, &slope);
        const double root = exp((a->x - middle * h) / 2), w = weight[i] * half * h * slope;
        *energy += w * root * root;
        *sum += w * root;
    }
}

static int append(table *t, node n)
{
    RSD_TRY(rsd_grow(&t->node, &t->capacity, t->count + 1, sizeof *t->node));
    if (t->count)
        n.above = fmax(n.above, t->node[t->count - 1].above); /* but for rounding it is */
    t->node[t->count++] = n;
    return RSD_OK;
}

/* How far the cubic may miss N between a and b. */
static double allowed(const rsd_counting *c, const node *a, const node *b)
{
    const double high = exp(a->x / 2), low = exp(b->x / 2);
    const double energy = SHARE * c->energy / ((high - low) * (high + low));
    const double sum = SHARE * sqrt(c->energy) / (high - low);
    return fmin(MISS, fmin(energy, sum));
}

/* Append what is needed between the last node and b, and b. */
static int refine(table *t, node b)
{
    const node a = t->node[t->count - 1];
    const double most = allowed(t->c, &a, &b);
    if (b.above - a.above <= most || a.x - b.x < NARROWEST)
        return append(t, b);
    node middle;
    double slope;
    RSD_TRY(evaluate(t->c, (a.x + b.x) / 2, &middle));
    /* a narrow step in the middle is where the cubic has it, but not as steep */
    const double miss = fabs(cubic(&a, &b, .5, &slope) - middle.above);
    if (fmax(miss, fabs(slope - middle.slope) * (a.x - b.x) / 8) <= most) {
        RSD_TRY(append(t, middle));
        return append(t, b);
    }
    RSD_TRY(refine(t, middle));
    return refine(t, b);
}

/* Is what lies below it nothing of the energy, and not much of the sum? */
static bool is_the_last(const rsd_counting *c, const node *n)
{
    const double below = (double)c->rank - n->above, root = exp(n->x / 2);
    return below <= LEFT && below * root * root <= SHARE * c->energy &&
           below * root <= LITTLE * sqrt(c->energy);
}

static int tabulate(table *t)
{
    const double top = log(t->c->top);
    node next = { .x = top };
    RSD_TRY(append(t, next));
    while (!is_the_last(t->c, &next) && top - next.x < DEEPEST) {
        RSD_TRY(evaluate(t->c, next.x - WIDEST, &next));
        RSD_TRY(refine(t, next));
    }
    return RSD_OK;
}

/* Share of the way from a to b where N is `above`: Newton inside a bracket that only shrinks. */
static double inverse(const node *a, const node *b, double above)
{
    double low = 0, high = 1, u = .5;
    for (int i = 0; i < 100 && high - low > 0x1p-50; i++) {
        double slope;
        const double miss = cubic(a, b, u, &slope) - above;
        if (miss == 0)
            break;
        if (miss > 0)
            high = u;
        else
            low = u;
        const double next = u - miss / (slope * (a->x - b->x));
        if (fabs(next - u) < 0x1p-50)
            break;
        u = next > low && next < high ? next : low + (high - low) / 2;
    }
    return u;
}

/* What lies between N = k and N = k + 1 of the energy and of the sum, k = 0..rank - 1, each summed
 * by itself: a value far below the largest keeps its digits. */
static void collect(const table *t, double *energy, double *sum)
{
    const node *last = &t->node[t->count - 1];
    size_t k = 0;
    for (size_t i = 0; i < t->c->rank; i++)
        energy[i] = sum[i] = 0;
    for (const node *a = t->node; a < last && k < t->c->rank; a++) {
        const node *b = a + 1;
        double from = 0;
        while (k < t->c->rank) {
            const bool inside = (double)(k + 1) < b->above;
            const double to = inside ? inverse(a, b, (double)(k + 1)) : 1;
            integrate(a, b, from, to, &energy[k], &sum[k]);
            if (!inside)
                break;
            from = to;
            k++;
        }
    }
    /* below the last node: nothing of the energy, and of the sum as if it were spread evenly */
    if (k < t->c->rank)
        sum[k] += fmax(0, (double)(k + 1) - last->above) * exp(last->x / 2) / 2;
}

int rsd_counting_curves(const rsd_counting *c, size_t d, double *s, double *sum, double *energy)
{
    table t = { .c = c };
    double *part = NULL;
    int err = RSD_OK;
    assert(c->rank <= d);
    RSD_TRY_DONE(rsd_array_alloc(c->rank, 2, sizeof *part, &part));
    RSD_TRY_DONE(tabulate(&t));
    double *const energies = part, *const values = part + c->rank;
    double above = 0, total = 0, sum_above = 0;
    collect(&t, energies, values);
    for (size_t k = 0; k < c->rank; k++)
        total += values[k];
    for (size_t k = 0; k < d; k++) {
        const bool rest = k + 1 >= c->rank;
        above += rest ? 0 : energies[k];
        sum_above += rest ? 0 : values[k];
        if (s)
            s[k] = k < c->rank ? values[k] : 0;
        if (sum)
            sum[k] = rest ? 1 : fmin(1, sum_above / total);
        if (energy)
            energy[k] = rest ? 1 : fmin(1, above / c->energy);
    }
done:
    free(part);
    free(t.node);
    return err;
}
