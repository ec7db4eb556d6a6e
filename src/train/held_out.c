#include "train/held_out.h"

enum {
    SHARE = 25, /* one part in so many of the training's time */
    FEW = 8,    /* windows that a look should have at least, */
    LEAST = 4,  /* and has in a training of next to nothing */
    MOST = 64,  /* more would not choose better */
    STREAM = 8  /* no more than one in so many of the stream's windows */
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t most(size_t a, size_t b) { return a > b ? a : b; }

rsd_held_out rsd_held_out_plan(const rsd_held_out_task *t)
{
    rsd_held_out h = { .evaluations = t->evaluations };
    const size_t spare = t->windows > t->batch ? t->windows - t->batch : 0;
    if (!t->steps || t->evaluations < 2)
        return h;
    const double passes =
        (2.5 * (double)t->steps * (double)t->batch + (double)t->scored * (double)t->evaluations) /
        SHARE;
    const size_t budget = passes < 1e9 ? (size_t)passes : 1000000000;
    h.looks = least(t->evaluations, most(2, budget / FEW));
    h.windows = least(most(LEAST, least(MOST, budget / h.looks)), spare / STREAM);
    return h;
}

bool rsd_held_out_looks(const rsd_held_out *h, size_t k)
{
    if (!h->windows)
        return false;
    /* Look j is at evaluation floor(j (E - 1) / (L - 1)): the least j that is not before k. */
    const size_t E = h->evaluations - 1, L = h->looks - 1, j = (k * L + E - 1) / E;
    return j * E / L == k;
}
