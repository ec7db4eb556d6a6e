/* Pairs of starts on the same windows. */
#include "compare/duels.h"

#include "alloc.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double apart = 1.959964;

/* A run's losses by window; NULL where it takes no part. */
static const double *losses_of(const evidence *e, size_t run, bool trained)
{
    const recovery_row *r = &e->run[run];
    if (!evidence_counts(r) || (trained ? r->steps == 0 : r->loss_init == r->loss_q))
        return NULL;
    return trained ? e->windows[run].trained : e->windows[run].init;
}

static bool same_setting(const evidence *e, size_t a, size_t b)
{
    const recovery_row *p = &e->run[a], *q = &e->run[b];
    return e->windows[a].file == e->windows[b].file && p->windows == q->windows &&
           p->rank == q->rank && p->seed == q->seed && p->steps == q->steps &&
           strcmp(p->model, q->model) == 0 && strcmp(p->spec, q->spec) == 0 &&
           strcmp(p->variant, q->variant) == 0 && strcmp(p->objective, q->objective) == 0;
}

/* The first run of this start, model and file. */
static bool leads(const evidence *e, size_t run, bool trained)
{
    const recovery_row *r = &e->run[run];
    if (!losses_of(e, run, trained))
        return false;
    for (size_t i = 0; i < run; i++)
        if (losses_of(e, i, trained) && e->windows[i].file == e->windows[run].file &&
            strcmp(e->run[i].model, r->model) == 0 && strcmp(e->run[i].init, r->init) == 0)
            return false;
    return true;
}

/* sum[w] += loss of b less that of a, over the pairs of the two starts. */
static int add_pairs(const evidence *e, size_t a, size_t b, bool trained, double *sum, duel *out)
{
    const size_t n = (size_t)e->run[a].windows;
    double *x;
    RSD_TRY(rsd_array_alloc(n + 1, 1, sizeof *x, &x));
    for (size_t i = 0; i < e->runs; i++)
        for (size_t k = 0; k < e->runs; k++) {
            const double *p = losses_of(e, i, trained), *q = losses_of(e, k, trained);
            if (!p || !q || strcmp(e->run[i].init, e->run[a].init) != 0 ||
                strcmp(e->run[k].init, e->run[b].init) != 0 || !same_setting(e, i, k) ||
                e->windows[i].file != e->windows[a].file || (size_t)e->run[i].windows != n ||
                strcmp(e->run[i].model, e->run[a].model) != 0)
                continue;
            for (size_t w = 0; w < n; w++) {
                x[w] = q[w] - p[w];
                sum[w] += x[w];
            }
            const rsd_series_mean d = rsd_series_mean_of(x, n);
            out->runs++;
            out->wins += d.mean > apart * d.se;
            out->losses += -d.mean > apart * d.se;
        }
    free(x);
    return RSD_OK;
}

static int fight(const evidence *e, size_t a, size_t b, bool trained, duels *out)
{
    const size_t n = (size_t)e->run[a].windows;
    duel d = { .model = e->run[a].model, .better = e->run[a].init, .worse = e->run[b].init };
    double *sum;
    RSD_TRY(rsd_zeroed(n, sizeof *sum, &sum));
    int err = add_pairs(e, a, b, trained, sum, &d);
    for (size_t w = 0; w < n; w++)
        sum[w] /= d.runs ? (double)d.runs : 1;
    d.difference = rsd_series_mean_of(sum, n);
    if (d.difference.mean < 0) {
        d.difference.mean = -d.difference.mean;
        d.better = e->run[b].init;
        d.worse = e->run[a].init;
        const size_t wins = d.wins;
        d.wins = d.losses;
        d.losses = wins;
    }
    if (!err && d.runs)
        err = rsd_room(&out->item, out->count, 1, sizeof *out->item);
    if (!err && d.runs)
        out->item[out->count++] = d;
    free(sum);
    return err;
}

int duels_make(const evidence *e, bool trained, duels *out)
{
    *out = (duels){ 0 };
    for (size_t a = 0; a < e->runs; a++)
        for (size_t b = a + 1; b < e->runs && leads(e, a, trained); b++)
            if (leads(e, b, trained) && e->windows[a].file == e->windows[b].file &&
                strcmp(e->run[a].model, e->run[b].model) == 0)
                RSD_TRY(fight(e, a, b, trained, out));
    return RSD_OK;
}

void duels_free(duels *d)
{
    free(d->item);
    *d = (duels){ 0 };
}
