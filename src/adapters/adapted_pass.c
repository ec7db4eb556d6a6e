/* Forward and backward of a linear layer with its adapter, for A' and B' as factors.h has them:
 *
 *   u = x A^T,  y = x W^T + b + s u B^T
 *   t = dy B,   dx = dy W + s t A,  dA = s t^T x,  dB = s dy^T u
 *
 * u is kept from the forward pass on, rows x rank numbers a layer, for dB.  W + s B A is not
 * formed: in bfloat16 its rounding would swallow a young adapter.  In bfloat16 u and t are rounded
 * once, for both products that they enter. */
#include "adapters/adapted_hook.h"

#include "adapters/factors.h"
#include "par.h"

#include <assert.h>

int rsd_adapted_weight(rsd_adapted *a, size_t layer, rsd_slot slot, bool half, rsd_factor *W)
{
    const rsd_base_layer *b = rsd_adapted_base(a, layer, slot);
    *W = a->o.weights->block[layer].linear[slot].W;
    if (!b)
        return RSD_OK;
    const size_t m = b->packed.m, n = b->packed.n;
    RSD_TRY(rsd_unpack(&b->spec, &b->packed, (rsd_mat){ a->unpacked, m, n, n }));
    if (sizeof(rsd_real) != sizeof(float))
        for (size_t i = 0; i < m * n; i++)
            a->W[i] = (rsd_real)a->unpacked[i];
    *W = rsd_dense(a->W, m, n);
    if (half) {
        rsd_half_round(a->W, n, m, n, a->W_half);
        W->half = a->W_half;
    }
    return RSD_OK;
}

/* C (+)= alpha A B, dense. */
static int product(rsd_matmul *mm, rsd_real alpha, rsd_factor A, rsd_factor B, bool accumulate,
                   rsd_real *C)
{
    return rsd_matmul_run(mm, &(rsd_product){ .A = A,
                                              .B = B,
                                              .alpha = alpha,
                                              .beta = accumulate,
                                              .C = C,
                                              .ldc = B.transposed ? B.rows : B.cols });
}

/* *out = F by a skinny product: rows x rank, in bfloat16 too where products are.  It lies in keep,
 * or in shared memory where keep has none. */
static int skinny(const rsd_adapted *a, rsd_matmul *mm, rsd_factor x, rsd_factor F,
                  const rsd_adapted_factor *keep, rsd_factor *out)
{
    const size_t rank = F.transposed ? F.rows : F.cols;
    rsd_real *u = keep->x ? keep->x : a->t;
    rsd_half *half = keep->half ? keep->half : a->t_half;
    *out = rsd_dense(u, x.rows, rank);
    RSD_TRY(product(mm, 1, x, F, false, u));
    if (a->half) {
        rsd_half_round(u, rank, x.rows, rank, half);
        out->half = half;
    }
    return RSD_OK;
}

/* ---- dora ---- */

/* c = g / norm, into shared memory; a row of zeros has no direction and stays one. */
static const rsd_real *dora_scales(const rsd_adapted *a, const rsd_adapter *p,
                                   const rsd_adapted_layer *l)
{
    for (size_t i = 0; i < p->m; i++)
        a->c[i] = l->norm[i] > 0 ? p->magnitude[i] / l->norm[i] : 0;
    return a->c;
}

static void scale_row(const rsd_real *c, const rsd_real *bias, const rsd_real *z, size_t m,
                      rsd_real *y, bool accumulate)
{
    for (size_t i = 0; i < m; i++)
        y[i] = (accumulate ? y[i] : 0) + c[i] * z[i];
    for (size_t i = 0; i < m && bias; i++)
        y[i] += bias[i];
}

/* y (+)= c o z + b; z may be y where nothing is added. */
static void scale_outputs(const rsd_real *c, const rsd_real *bias, const rsd_real *z, size_t rows,
                          size_t m, rsd_real *y, bool accumulate)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t t = 0; t < rows; t++)
        scale_row(c, bias, z + t * m, m, y + t * m, accumulate);
}

/* dg_i += sum over rows of dy z / norm, each thread its own columns: the same bits with any number
 * of threads. */
static void magnitude_backward(const rsd_adapter *p, const rsd_adapted_layer *l, rsd_factor dy,
                               const rsd_real *z, rsd_real *dg)
{
    enum { SLICE = 128 };
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t first = 0; first < p->m; first += SLICE) {
        const size_t count = p->m - first < SLICE ? p->m - first : SLICE;
        double sum[SLICE] = { 0 };
        for (size_t t = 0; t < dy.rows; t++)
            for (size_t i = 0; i < count; i++)
                sum[i] += (double)dy.x[t * dy.ld + first + i] * (double)z[t * p->m + first + i];
        for (size_t i = 0; i < count; i++)
            if (l->norm[first + i] > 0)
                dg[first + i] += (rsd_real)(sum[i] / (double)l->norm[first + i]);
    }
}

/* W x + s B A x, without bias: what dora scales. */
static int dora_inner(rsd_matmul *mm, const rsd_adapter *p, const rsd_adapted_layer *l,
                      rsd_factor W, rsd_factor x, rsd_factor u, rsd_real *z)
{
    RSD_TRY(rsd_linear_forward(mm, &(rsd_linear){ .W = W }, x, z, false));
    return product(mm, p->scale, u, rsd_transpose(l->B.view), true, z);
}

static int dora_forward(rsd_adapted *a, rsd_matmul *mm, const rsd_adapter *p,
                        const rsd_adapted_layer *l, const rsd_linear *linear, rsd_factor x,
                        rsd_factor u, rsd_real *y, bool accumulate)
{
    rsd_real *z = accumulate ? a->wide : y;
    RSD_TRY(dora_inner(mm, p, l, linear->W, x, u, z));
    scale_outputs(dora_scales(a, p, l), linear->bias, z, x.rows, p->m, y, accumulate);
    return RSD_OK;
}

/* The magnitudes' gradient; *dy becomes that of what they scale. */
static int dora_backward(rsd_adapted *a, rsd_matmul *mm, const rsd_adapter *p,
                         const rsd_adapted_layer *l, rsd_factor W, rsd_factor x, rsd_real *dg,
                         rsd_factor *dy)
{
    const size_t rows = dy->rows;
    if (dg) {
        rsd_factor u = l->u.view;
        u.rows = rows;
        RSD_TRY(dora_inner(mm, p, l, W, x, u, a->wide));
        magnitude_backward(p, l, *dy, a->wide, dg);
    }
    scale_outputs(dora_scales(a, p, l), NULL, dy->x, rows, p->m, a->wide, false);
    *dy = rsd_dense(a->wide, rows, p->m);
    if (a->half) {
        rsd_half_round(a->wide, p->m, rows, p->m, a->wide_half);
        dy->half = a->wide_half;
    }
    return RSD_OK;
}

/* ---- all variants ---- */

int rsd_adapted_forward(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor x,
                        rsd_real *y, bool accumulate)
{
    rsd_adapted *a = context;
    const rsd_adapter *p = rsd_adapted_adapter(a, layer, slot);
    const rsd_adapted_layer *l = &a->layer[layer][slot];
    rsd_linear linear = a->o.weights->block[layer].linear[slot];
    rsd_factor u;
    assert(x.rows <= a->o.rows);
    if (p && a->o.straight)
        linear.W = l->W.view;
    else
        RSD_TRY(rsd_adapted_weight(a, layer, slot, a->half, &linear.W));
    if (p && (!a->o.straight || a->o.grad))
        RSD_TRY(skinny(a, mm, x, rsd_transpose(l->A.view), &l->u, &u));
    if (p && p->magnitude)
        return dora_forward(a, mm, p, l, &linear, x, u, y, accumulate);
    RSD_TRY(rsd_linear_forward(mm, &linear, x, y, accumulate));
    if (!p || a->o.straight)
        return RSD_OK;
    return product(mm, p->scale, u, rsd_transpose(l->B.view), true, y);
}

/* Gradients of the factors, t = dy B; those that are not parameters pass through to them. */
static int factors_backward(rsd_adapted *a, rsd_matmul *mm, const rsd_adapter *p,
                            const rsd_adapted_layer *l, rsd_factor dy, rsd_factor x, rsd_factor t,
                            rsd_adapter *grad)
{
    const bool repeats = rsd_factor_repeats(p), scales = rsd_factor_scales(p);
    rsd_factor u = l->u.view;
    u.rows = dy.rows;
    RSD_TRY(product(mm, p->scale, rsd_transpose(t), x, !repeats, repeats ? a->dA : grad->A));
    RSD_TRY(product(mm, p->scale, rsd_transpose(dy), u, !scales, scales ? a->dB : grad->B));
    if (repeats)
        rsd_factor_repeat_backward(p, a->dA, grad);
    if (scales)
        rsd_factor_scale_backward(p, a->dB, grad);
    return RSD_OK;
}

int rsd_adapted_backward(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor dy,
                         rsd_factor x, rsd_real *dx, bool accumulate)
{
    rsd_adapted *a = context;
    const rsd_adapter *p = rsd_adapted_adapter(a, layer, slot);
    const rsd_adapted_layer *l = &a->layer[layer][slot];
    rsd_adapter *grad = p && a->o.grad ? &a->o.grad->layer[layer][slot] : NULL;
    rsd_linear linear = { 0 };
    if (p && a->o.straight)
        linear.W = l->W.view;
    else
        RSD_TRY(rsd_adapted_weight(a, layer, slot, a->half, &linear.W));
    if (p && p->magnitude)
        RSD_TRY(dora_backward(a, mm, p, l, linear.W, x, grad ? grad->magnitude : NULL, &dy));
    RSD_TRY(rsd_linear_backward(mm, &linear, dy, dx, accumulate));
    if (!p || (a->o.straight && !grad))
        return RSD_OK;
    rsd_factor t;
    RSD_TRY(skinny(a, mm, dy, l->B.view, &(rsd_adapted_factor){ 0 }, &t));
    if (!a->o.straight)
        RSD_TRY(product(mm, p->scale, t, l->A.view, true, dx));
    return grad ? factors_backward(a, mm, p, l, dy, x, t, grad) : RSD_OK;
}
