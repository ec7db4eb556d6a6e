/* Ends of axes. */
#include "figures/axis.h"

#include <math.h>

void axis_take(axis_range *r, double x)
{
    if (!isfinite(x))
        return;
    r->low = r->any && r->low < x ? r->low : x;
    r->high = r->any && r->high > x ? r->high : x;
    r->any = true;
}

axis_range axis_linear(axis_range r)
{
    const double span = r.high - r.low, size = fmax(fabs(r.low), fabs(r.high));
    /* Equal values get room in proportion to themselves, zeros the unit interval. */
    const double room = span > 1e-9 * size ? 0.07 * span : size > 0 ? 0.1 * size : 1;
    const double low = r.low - room, high = r.high + room;
    return (axis_range){ r.any, r.low >= 0 && low < 0 ? 0 : low,
                         r.high <= 0 && high > 0 ? 0 : high };
}

/* The number 1, 2, 5, 10 times 10^floor(log10 x) at or below x, or at or above it. */
static double round_to(double x, bool up)
{
    static const double steps[] = { 1, 2, 5, 10 };
    const double unit = pow(10, floor(log10(x))), slack = 1 + 1e-9;
    double best = steps[up ? 3 : 0];
    for (int i = 0; i < 4; i++) {
        if (up && steps[i] * unit * slack >= x && steps[i] < best)
            best = steps[i];
        if (!up && steps[i] * unit <= x * slack && steps[i] > best)
            best = steps[i];
    }
    return best * unit;
}

axis_range axis_log(axis_range r, double decades)
{
    const double least = r.high * pow(10, -decades);
    const double low = r.low > least ? r.low : least;
    if (!r.any || !(r.high > 0))
        return (axis_range){ false, 0.1, 1 };
    const axis_range out = { true, round_to(low, false), round_to(r.high, true) };
    return out.low < out.high ? out : (axis_range){ true, out.low / 2, out.high * 2 };
}

double axis_step(double low, double high, double most)
{
    return high > low ? round_to((high - low) / most, true) : 1;
}
