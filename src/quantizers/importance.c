#include "quantizers/importance.h"

#include <math.h>

static const double least_share = 0x1p-40;

bool rsd_importance_seen(double importance, double largest)
{
    return importance > least_share * largest;
}

static int find_largest(const double *x, size_t n, double *largest)
{
    *largest = 0;
    for (size_t j = 0; j < n; j++) {
        if (!(x[j] >= 0) || isinf(x[j]))
            return RSD_FAIL(RSD_EDOM, "importance %g of input %zu of %zu", x[j], j, n);
        *largest = fmax(*largest, x[j]);
    }
    return RSD_OK;
}

/* Geometric mean of the inputs that were seen, 0 if none was: one input in a thousand times larger
 * than its neighbours, as models have them, hardly moves it. */
static double typical(const double *x, size_t n, double largest)
{
    double sum = 0;
    size_t count = 0;
    for (size_t j = 0; j < n; j++)
        if (rsd_importance_seen(x[j], largest)) {
            sum += log(x[j]);
            count++;
        }
    return count ? exp(sum / (double)count) : 0;
}

int rsd_importance_fill(const double *from, size_t n, size_t block, double *out, size_t *unseen)
{
    double largest;
    size_t filled = 0;
    RSD_TRY(find_largest(from, n, &largest));
    const double everywhere = largest > 0 ? typical(from, n, largest) : 1;
    for (size_t first = 0; first < n; first += block) {
        const size_t count = n - first < block ? n - first : block;
        const double near = typical(from + first, count, largest);
        for (size_t j = first; j < first + count; j++) {
            const bool seen = rsd_importance_seen(from[j], largest);
            out[j] = seen ? from[j] : near > 0 ? near : everywhere;
            filled += !seen;
        }
    }
    if (unseen)
        *unseen = filled;
    return RSD_OK;
}

size_t rsd_unseen_inputs(const rsd_calibration *c)
{
    if (!c || (!c->square && !c->H))
        return 0;
    double largest = 0;
    size_t count = 0;
    for (size_t j = 0; j < c->n; j++)
        largest = fmax(largest, c->square ? c->square[j] : c->H[j * (c->n + 1)]);
    for (size_t j = 0; j < c->n; j++)
        count += !rsd_importance_seen(c->square ? c->square[j] : c->H[j * (c->n + 1)], largest);
    return count;
}
