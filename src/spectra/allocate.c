#include "spectra/allocate.h"

#include "mat.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* From one corner of a layer's hull to the next. */
typedef struct {
    size_t layer, to;
    double cost, saved;
} upgrade;

static int check(const rsd_options *layer, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!layer[i].count)
            return RSD_FAIL(RSD_EARG, "layer %zu has no option", i);
        for (size_t k = 0; k < layer[i].count; k++)
            if (!(layer[i].option[k].cost >= 0) || !(layer[i].option[k].loss >= 0) ||
                isinf(layer[i].option[k].cost + layer[i].option[k].loss))
                return RSD_FAIL(RSD_EARG, "layer %zu, option %zu: cost %g, loss %g", i, k,
                                layer[i].option[k].cost, layer[i].option[k].loss);
    }
    return RSD_OK;
}

/* The cheapest; of equal ones the better. */
static size_t cheapest(const rsd_options *o)
{
    size_t best = 0;
    for (size_t k = 1; k < o->count; k++)
        if (o->option[k].cost < o->option[best].cost ||
            (o->option[k].cost == o->option[best].cost && o->option[k].loss < o->option[best].loss))
            best = k;
    return best;
}

/* The next corner: the option that saves most per cost; of equal slopes the farthest. */
static size_t next_corner(const rsd_options *o, size_t from)
{
    size_t best = from;
    double steepest = 0;
    for (size_t k = 0; k < o->count; k++) {
        const double cost = o->option[k].cost - o->option[from].cost;
        const double saved = o->option[from].loss - o->option[k].loss;
        if (cost <= 0 || saved <= 0)
            continue;
        const double slope = saved / cost;
        if (slope > steepest || (slope == steepest && o->option[k].cost > o->option[best].cost)) {
            steepest = slope;
            best = k;
        }
    }
    return best;
}

/* Steepest first; a layer's own upgrades are in this order anyway, as its hull is convex. */
static int by_slope(const void *a, const void *b)
{
    const upgrade *p = a, *q = b;
    const double x = p->saved * q->cost, y = q->saved * p->cost;
    if (x != y)
        return x > y ? -1 : 1;
    if (p->layer != q->layer)
        return p->layer < q->layer ? -1 : 1;
    return p->cost < q->cost ? -1 : p->cost > q->cost;
}

static size_t list_upgrades(const rsd_options *layer, size_t n, const size_t *chosen, upgrade *up)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t at = chosen[i], to; (to = next_corner(&layer[i], at)) != at; at = to) {
            const rsd_option *a = &layer[i].option[at], *b = &layer[i].option[to];
            up[count++] = (upgrade){ i, to, b->cost - a->cost, a->loss - b->loss };
        }
    qsort(up, count, sizeof *up, by_slope);
    return count;
}

/* Any option of any layer that fits and saves, the largest saving first, until none does. */
static void fill(const rsd_options *layer, size_t n, double left, size_t *chosen)
{
    for (;;) {
        size_t best = n, to = 0;
        double most = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < layer[i].count; k++) {
                const rsd_option *a = &layer[i].option[chosen[i]], *b = &layer[i].option[k];
                if (b->cost - a->cost <= left && a->loss - b->loss > most) {
                    most = a->loss - b->loss;
                    best = i;
                    to = k;
                }
            }
        if (best == n)
            return;
        left -= layer[best].option[to].cost - layer[best].option[chosen[best]].cost;
        chosen[best] = to;
    }
}

int rsd_allocate(const rsd_options *layer, size_t n, double budget, size_t *chosen,
                 rsd_allocation *out)
{
    size_t options = 0;
    upgrade *up;
    *out = (rsd_allocation){ 0 };
    RSD_TRY(check(layer, n));
    double left = budget, loss = 0;
    for (size_t i = 0; i < n; i++) {
        chosen[i] = cheapest(&layer[i]);
        left -= layer[i].option[chosen[i]].cost;
        loss += layer[i].option[chosen[i]].loss;
        options += layer[i].count;
    }
    if (left < 0)
        return RSD_FAIL(RSD_EARG, "a budget of %g: the cheapest options cost %g", budget,
                        budget - left);
    RSD_TRY(rsd_array_alloc(options + 1, 1, sizeof *up, &up));
    const size_t count = list_upgrades(layer, n, chosen, up);
    size_t k = 0;
    for (; k < count && up[k].cost <= left; k++) {
        left -= up[k].cost;
        loss -= up[k].saved;
        chosen[up[k].layer] = up[k].to;
    }
    /* the linear relaxation takes a part of the first one that does not fit */
    out->bound = loss - (k < count ? up[k].saved * left / up[k].cost : 0);
    fill(layer, n, left, chosen);
    for (size_t i = 0; i < n; i++) {
        out->cost += layer[i].option[chosen[i]].cost;
        out->loss += layer[i].option[chosen[i]].loss;
    }
    free(up);
    return RSD_OK;
}

size_t rsd_allocate_uniform(const rsd_options *layer, size_t n, double budget, double *cost,
                            double *loss)
{
    size_t best = SIZE_MAX;
    *cost = *loss = NAN;
    for (size_t k = 0; n && k < layer[0].count; k++) {
        double c = 0, l = 0;
        for (size_t i = 0; i < n; i++) {
            c += layer[i].option[k].cost;
            l += layer[i].option[k].loss;
        }
        if (c <= budget && !(l >= *loss)) {
            best = k;
            *cost = c;
            *loss = l;
        }
    }
    return best;
}
