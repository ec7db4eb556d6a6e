#include "adapters/adalora.h"

#include "alloc.h"
#include "mat.h"
#include "par.h"
#include "rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double importance;
    size_t place; /* among all triplets */
} triplet;

struct rsd_adalora {
    rsd_adalora_options options;
    rsd_adapters *adapters, *grad;
    size_t triplets, matrices; /* all ranks; all P and Q */
    size_t target;             /* ranks at the end */
    rsd_real *sensitivity;     /* I and U of every number, as the adapters' memory */
    unsigned char *kept;       /* triplets, in the order of layers and slots */
    triplet *order;            /* work: triplets */
    rsd_real *gram;            /* work: widest rank squared */
};

/* ---- making one ---- */

static bool is_adalora(const rsd_adapters *a) { return a->variant == RSD_ADALORA; }

static int start_layer(rsd_adapter *l, uint64_t seed, size_t layer, rsd_slot slot)
{
    char key[64];
    rsd_rng *rng;
    snprintf(key, sizeof key, "adalora %zu %s", layer, rsd_slot_role(slot));
    RSD_TRY(rsd_rng_alloc(seed, key, &rng));
    for (size_t i = 0; i < l->rank * l->n; i++)
        l->A[i] = (rsd_real)(0.02 * rsd_rng_normal(rng));
    for (size_t i = 0; i < l->m * l->rank; i++)
        l->B[i] = (rsd_real)(0.02 * rsd_rng_normal(rng));
    memset(l->lambda, 0, l->rank * sizeof *l->lambda);
    rsd_rng_free(rng);
    return RSD_OK;
}

int rsd_adalora_start(rsd_adapters *a, uint64_t seed)
{
    if (!is_adalora(a))
        return RSD_FAIL(RSD_EARG, "AdaLoRA's start of %s adapters", rsd_variant_name(a->variant));
    for (size_t i = 0; i < a->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            if (a->layer[i][s].rank)
                RSD_TRY(start_layer(&a->layer[i][s], seed, i, s));
    return RSD_OK;
}

static int check(const rsd_adalora *a, size_t layers)
{
    const rsd_adalora_options *o = &a->options;
    if (!is_adalora(a->adapters) || !layers)
        return RSD_FAIL(RSD_EARG, "AdaLoRA's budget for %s adapters of %zu layers",
                        rsd_variant_name(a->adapters->variant), layers);
    if (!o->target || o->target > a->triplets / layers)
        return RSD_FAIL(RSD_EARG, "AdaLoRA: target rank %zu, but %zu layers begin with %zu in all",
                        o->target, layers, a->triplets);
    if (!o->interval || o->begin >= o->steps || o->end >= o->steps - o->begin)
        return RSD_FAIL(RSD_EARG,
                        "AdaLoRA: %zu steps, of which %zu before and %zu after its choices, "
                        "every %zu; some must be left, and the last not 0",
                        o->steps, o->begin, o->end, o->interval);
    if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1 && o->penalty >= 0))
        return RSD_FAIL(RSD_EARG,
                        "AdaLoRA: beta %g, %g and penalty %g; 0 <= beta < 1, "
                        "penalty >= 0",
                        o->beta1, o->beta2, o->penalty);
    return RSD_OK;
}

static int set_up(rsd_adalora *a)
{
    size_t layers = 0, widest = 0;
    for (size_t i = 0; i < a->adapters->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const size_t rank = a->adapters->layer[i][s].rank;
            layers += rank > 0;
            a->triplets += rank;
            widest = rank > widest ? rank : widest;
        }
    a->matrices = 2 * layers;
    RSD_TRY(check(a, layers));
    a->target = a->options.target * layers;
    const size_t count = a->adapters->count;
    RSD_TRY(rsd_array_alloc(count, 2, sizeof *a->sensitivity, &a->sensitivity));
    memset(a->sensitivity, 0, 2 * count * sizeof *a->sensitivity);
    RSD_TRY(rsd_array_alloc(a->triplets, 1, 1, &a->kept));
    memset(a->kept, 1, a->triplets);
    RSD_TRY(rsd_array_alloc(a->triplets, 1, sizeof *a->order, &a->order));
    return rsd_array_alloc(widest, widest, sizeof *a->gram, &a->gram);
}

int rsd_adalora_alloc(rsd_adapters *adapters, rsd_adapters *grad,
                      const rsd_adalora_options *options, rsd_adalora **out)
{
    rsd_adalora *a;
    RSD_TRY(rsd_zeroed(1, sizeof *a, out));
    a = *out;
    a->options = *options;
    a->adapters = adapters;
    a->grad = grad;
    const int err = set_up(a);
    if (err) {
        rsd_adalora_free(a);
        *out = NULL;
    }
    return err;
}

void rsd_adalora_free(rsd_adalora *a)
{
    if (!a)
        return;
    free(a->sensitivity);
    free(a->kept);
    free(a->order);
    free(a->gram);
    free(a);
}

/* ---- the penalty ---- */

/* d ||P'P - I||_F = 2 <P D, dP>, D = (P'P - I) / ||P'P - I||_F; for rows of Q, D Q.  X is P with
 * columns = true, Q otherwise; D is symmetric. */
static int penalty_of(rsd_adalora *a, bool columns, const rsd_real *X, rsd_real *dX, size_t rank,
                      size_t length, double *sum)
{
    const size_t ld = columns ? rank : length;
    rsd_real *D = a->gram;
    double squares = 0;
    if (!rsd_tile(columns, !columns, rank, rank, length, 1, X, ld, X, ld, 0, D, rank))
        return RSD_FAIL(RSD_ENOMEM, "AdaLoRA's penalty");
    for (size_t i = 0; i < rank; i++)
        D[i * rank + i] -= 1;
    for (size_t i = 0; i < rank * rank; i++)
        squares += (double)D[i] * (double)D[i];
    *sum += sqrt(squares);
    if (squares == 0)
        return RSD_OK; /* the least: 0 is a subgradient */
    const rsd_real weight =
        (rsd_real)(2 * a->options.penalty / ((double)a->matrices * sqrt(squares)));
    const bool done =
        columns ? rsd_tile(false, false, length, rank, rank, weight, X, ld, D, rank, 1, dX, ld)
                : rsd_tile(false, false, rank, length, rank, weight, D, rank, X, ld, 1, dX, ld);
    return done ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "AdaLoRA's penalty");
}

int rsd_adalora_penalty(rsd_adalora *a, double *penalty)
{
    double sum = 0;
    *penalty = 0;
    if (a->options.penalty == 0)
        return RSD_OK;
    for (size_t i = 0; i < a->adapters->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_adapter *l = &a->adapters->layer[i][s], *d = &a->grad->layer[i][s];
            if (!l->rank)
                continue;
            RSD_TRY(penalty_of(a, false, l->A, d->A, l->rank, l->n, &sum));
            RSD_TRY(penalty_of(a, true, l->B, d->B, l->rank, l->m, &sum));
        }
    *penalty = a->options.penalty * sum / (double)a->matrices;
    return RSD_OK;
}

/* ---- importance ---- */

static void update_sensitivity(rsd_adalora *a, double scale)
{
    const size_t count = a->adapters->count;
    const rsd_real b1 = (rsd_real)a->options.beta1, n1 = (rsd_real)(1 - a->options.beta1),
                   b2 = (rsd_real)a->options.beta2, n2 = (rsd_real)(1 - a->options.beta2),
                   s = (rsd_real)scale;
    const rsd_real *w = a->adapters->memory, *g = a->grad->memory;
    rsd_real *I = a->sensitivity, *U = I + count;
#pragma omp parallel for simd schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < count; i++) {
        const rsd_real now = (rsd_real)fabs((double)(w[i] * (s * g[i])));
        I[i] = b1 * I[i] + n1 * now;
        U[i] = b2 * U[i] + n2 * (rsd_real)fabs((double)(now - I[i]));
    }
}

/* Of the number at x in the adapters' memory. */
static double score(const rsd_adalora *a, const rsd_real *x)
{
    const rsd_real *I = a->sensitivity + (x - a->adapters->memory);
    return (double)I[0] * (double)I[a->adapters->count];
}

static double importance(const rsd_adalora *a, const rsd_adapter *l, size_t i)
{
    double P = 0, Q = 0;
    for (size_t k = 0; k < l->m; k++)
        P += score(a, l->B + k * l->rank + i);
    for (size_t k = 0; k < l->n; k++)
        Q += score(a, l->A + i * l->n + k);
    return score(a, l->lambda + i) + P / (double)l->m + Q / (double)l->n;
}

/* ---- the choice ---- */

size_t rsd_adalora_budget(const rsd_adalora *a, size_t t)
{
    const rsd_adalora_options *o = &a->options;
    if (t <= o->begin)
        return a->triplets;
    if (t >= o->steps - o->end)
        return a->target;
    const double left = 1 - (double)(t - o->begin) / (double)(o->steps - o->end - o->begin);
    return a->target + (size_t)((double)(a->triplets - a->target) * left * left * left);
}

/* The most important first, of equal ones that which comes first. */
static int compare(const void *x, const void *y)
{
    const triplet *a = x, *b = y;
    if (a->importance != b->importance)
        return a->importance > b->importance ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static void choose(rsd_adalora *a, size_t budget)
{
    size_t place = 0;
    for (size_t i = 0; i < a->adapters->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            for (size_t k = 0; k < a->adapters->layer[i][s].rank; k++, place++)
                a->order[place] = (triplet){ importance(a, &a->adapters->layer[i][s], k), place };
    qsort(a->order, a->triplets, sizeof *a->order, compare);
    for (size_t i = 0; i < a->triplets; i++)
        a->kept[a->order[i].place] = i < budget;
}

static void mask(rsd_adalora *a)
{
    const unsigned char *kept = a->kept;
    for (size_t i = 0; i < a->adapters->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            for (size_t k = 0; k < a->adapters->layer[i][s].rank; k++)
                if (!*kept++)
                    a->adapters->layer[i][s].lambda[k] = 0;
}

void rsd_adalora_step(rsd_adalora *a, size_t t, double scale)
{
    const rsd_adalora_options *o = &a->options;
    const size_t last = o->steps - o->end;
    if (t < last)
        update_sensitivity(a, scale);
    const bool due = t > o->begin && t < last && t % o->interval == 0;
    if (due || t == last)
        choose(a, rsd_adalora_budget(a, t));
    if (due || t >= last)
        mask(a);
}

/* ---- what came out ---- */

size_t rsd_adalora_rank(const rsd_adalora *a, size_t layer, rsd_slot slot)
{
    const unsigned char *kept = a->kept;
    size_t rank = 0;
    for (size_t i = 0; i <= layer; i++)
        for (rsd_slot s = 0; s < (i < layer ? RSD_LINEARS : slot); s++)
            kept += a->adapters->layer[i][s].rank;
    for (size_t k = 0; k < a->adapters->layer[layer][slot].rank; k++)
        rank += kept[k];
    return rank;
}

size_t rsd_adalora_rank_sum(const rsd_adalora *a)
{
    size_t sum = 0;
    for (size_t k = 0; k < a->triplets; k++)
        sum += a->kept[k];
    return sum;
}

rsd_real *rsd_adalora_sensitivity(rsd_adalora *a) { return a->sensitivity; }

unsigned char *rsd_adalora_kept(rsd_adalora *a, size_t *triplets)
{
    *triplets = a->triplets;
    return a->kept;
}
