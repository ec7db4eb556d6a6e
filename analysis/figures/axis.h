/* Ends of an axis, from what is to be shown on it. */
#ifndef RSD_FIGURES_AXIS_H
#define RSD_FIGURES_AXIS_H

#include <stdbool.h>

typedef struct {
    bool any; /* false: nothing finite was taken */
    double low, high;
} axis_range;

/* Widen the range to hold x; NaN and Inf are no part of it. */
void axis_take(axis_range *r, double x);

/* Some room at either end, none beyond 0 for values of one sign. */
axis_range axis_linear(axis_range r);

/* Ends at 1, 2 or 5 times a power of ten, spanning at most `decades` below the top. */
axis_range axis_log(axis_range r, double decades);

/* Distance of round numbers on a linear axis from low to high: at most `most` of them fit in. */
double axis_step(double low, double high, double most);

#endif
