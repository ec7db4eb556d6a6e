/* GPTQ.  Rounding with feedback: columns are rounded one after the other, and what each loses is
 * made good, as far as the inputs' second moment H lets it, by those that are still to come.
 *
 *   H = V V',  U = V^-1 (upper):  e_j = (w_j - q_j) / U_jj,  w_k -= e_j U_jk for k > j
 *
 * so that W - W_q = err U / diag(U) with err the rounding errors alone.  metric=GH wants
 * tr(G R H R') small instead: G = L' D L with L unit lower, and row i starts from w_i + sum_{k<i}
 * L_ik (w_k - q_k), after which L (W - W_q) = err U / diag(U): the same feedback, from row to row.
 *
 * Columns are taken in blocks, as GPTQ's code does: inside one the feedback is applied at once, to
 * those behind it by one product.  A group's grid is fitted to the weights as they stand when its
 * block begins, which is that code's answer too; block <= group has no stale ones. */
#include "linalg/triangular.h"
#include "quantizers/grid.h"
#include "quantizers/quantizer.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t bits, group, block;
    double damping;
    int scheme, scale, metric;
    bool act_order, static_groups, search;
} params;

enum { METRIC_H, METRIC_GH };
enum { SCALE_FP16, SCALE_F32 };

static const params defaults = { .bits = 4, .group = 128, .block = 128, .damping = 0.01 };

/* clang-format off */
static const rsd_opt options[] = {
    { "bits", 0, RSD_OPT_SIZE, offsetof(params, bits), 2, 8, "bits", "bits per code" },
    { "group", 0, RSD_OPT_SIZE, offsetof(params, group), 2, 1 << 24, "row|channel",
      "weights of a row that share a scale, or the whole row (channel is another word for it)" },
    { "block", 0, RSD_OPT_SIZE, offsetof(params, block), 1, 65536, "columns",
      "columns between two updates of those behind them" },
    { "damping", 0, RSD_OPT_REAL, offsetof(params, damping), 0, 10, "share",
      "of H's and G's mean diagonal, added to it" },
    { "scheme", 0, RSD_OPT_CHOICE, offsetof(params, scheme), 0, 0, "affine|symmetric|nf",
      "grid of a group; nf: NormalFloat levels, 2 to 4 bits" },
    { "scale", 0, RSD_OPT_CHOICE, offsetof(params, scale), 0, 0, "fp16|f32",
      "how scales are stored; fp16 becomes bf16 where weights are too small or large for it" },
    { "metric", 0, RSD_OPT_CHOICE, offsetof(params, metric), 0, 0, "H|GH",
      "feedback along the inputs by H, or along the outputs too by G" },
    { "act_order", 0, RSD_OPT_FLAG, offsetof(params, act_order), 0, 0, NULL,
      "columns of large inputs first" },
    { "static_groups", 0, RSD_OPT_FLAG, offsetof(params, static_groups), 0, 0, NULL,
      "grids of the weights as they were, groups of neighbours also with act_order" },
    { "search", 0, RSD_OPT_FLAG, offsetof(params, search), 0, 0, NULL,
      "shrink each range for the least sum of |error|^2.4" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "gptq2", "bits=2" },
    { "gptq3", "bits=3" },
    { "gptq4", "bits=4" },
    { 0 },
};

static int settle(void *p)
{
    params *a = p;
    if (a->group == RSD_WORD(1))
        a->group = RSD_WORD(0);
    if (a->scheme == RSD_GRID_NF && a->bits > 4)
        return RSD_FAIL(RSD_EUSAGE, "scheme=nf has 2 to 4 bits, not %zu", a->bits);
    return RSD_OK;
}

/* All that a run works with. */
typedef struct {
    const params *a;
    rsd_grid grid;
    size_t m, n, run, groups; /* run: weights of a group */
    size_t *order;            /* [n] original column of each place */
    int32_t *index;           /* [n] group of each original column; NULL: by position */
    float *W;                 /* [m*n] in order, with feedback so far */
    float *err;               /* [m*block] */
    float *U;                 /* [n*n] rows divided by their diagonal */
    float *L;                 /* [m*m] strictly lower, GH only */
    float *R;                 /* [m*n] W - W_q of finished rows, GH only */
    uint8_t *codes;           /* [m*n] original columns */
    rsd_grid_group *group;    /* [m*groups] */
} work;

static void work_free(work *w)
{
    free(w->order);
    free(w->index);
    free(w->W);
    free(w->err);
    free(w->U);
    free(w->L);
    free(w->R);
    free(w->codes);
    free(w->group);
}

/* ---- order of the columns ---- */

static int order_columns(work *w, const double *H)
{
    RSD_TRY(rsd_array_alloc(w->n, 1, sizeof *w->order, &w->order));
    for (size_t j = 0; j < w->n; j++)
        w->order[j] = j;
    if (!w->a->act_order)
        return RSD_OK;
    /* insertion keeps equal ones as they were; n^2 compares are nothing beside the n^3 below */
    for (size_t j = 1; j < w->n; j++) {
        const size_t c = w->order[j];
        size_t k = j;
        for (; k > 0 && H[w->order[k - 1] * (w->n + 1)] < H[c * (w->n + 1)]; k--)
            w->order[k] = w->order[k - 1];
        w->order[k] = c;
    }
    if (w->a->static_groups)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(w->n, 1, sizeof *w->index, &w->index));
    for (size_t j = 0; j < w->n; j++)
        w->index[w->order[j]] = (int32_t)(j / w->run);
    return RSD_OK;
}

static size_t group_of(const work *w, size_t place)
{
    return (w->a->static_groups ? w->order[place] : place) / w->run;
}

/* ---- factors ---- */

static int factor_H(work *w, const double *H)
{
    const size_t n = w->n;
    double *M;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(n, n, sizeof *M, &M));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            M[i * n + j] = H[w->order[i] * n + w->order[j]];
    RSD_TRY_DONE(rsd_upper_factor(M, n, w->a->damping));
    RSD_TRY_DONE(rsd_upper_inverse(M, n));
    RSD_TRY_DONE(rsd_array_alloc(n, n, sizeof *w->U, &w->U));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            w->U[i * n + j] = j < i ? 0 : (float)(M[i * n + j] / M[i * n + i]);
done:
    free(M);
    return err ? rsd_fail_prefix(err, "H") : RSD_OK;
}

/* G = V V', V' = D^(1/2) L: L's rows are V's columns over their diagonal. */
static int factor_G(work *w, const double *G)
{
    const size_t m = w->m;
    double *M;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(m, m, sizeof *M, &M));
    memcpy(M, G, m * m * sizeof *M);
    RSD_TRY_DONE(rsd_upper_factor(M, m, w->a->damping));
    RSD_TRY_DONE(rsd_array_alloc(m, m, sizeof *w->L, &w->L));
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < m; k++)
            w->L[i * m + k] = k < i ? (float)(M[k * m + i] / M[i * m + i]) : 0;
    RSD_TRY_DONE(rsd_array_alloc(m, w->n, sizeof *w->R, &w->R));
done:
    free(M);
    return err ? rsd_fail_prefix(err, "G") : RSD_OK;
}

/* ---- rounding ---- */

/* Grids of the original columns. */
static void fit_static(work *w, rsd_mat W)
{
    for (size_t i = 0; i < w->m; i++)
        for (size_t k = 0; k < w->groups; k++) {
            const size_t first = k * w->run, left = w->n - first;
            w->group[i * w->groups + k] =
                rsd_grid_fit(&w->grid, W.x + i * W.ld + first, left < w->run ? left : w->run);
        }
}

/* Row i of one block: columns [first, last) of the order. */
static void round_block(work *w, size_t i, size_t first, size_t last)
{
    const size_t n = w->n;
    float *x = w->W + i * n, *err = w->err + i * w->a->block;
    for (size_t j = first; j < last; j++) {
        const size_t k = group_of(w, j);
        const rsd_grid_group g = w->group[i * w->groups + k];
        const uint8_t code = rsd_grid_code(&w->grid, g, x[j]);
        const float *u = w->U + j * n, e = x[j] - rsd_grid_value(&w->grid, g, code);
        w->codes[i * n + w->order[j]] = code;
        err[j - first] = e;
        for (size_t c = j + 1; c < last; c++)
            x[c] -= e * u[c];
    }
}

/* Grids of the groups that begin in this block, from the weights as they stand. */
static void fit_block(work *w, size_t i, size_t first, size_t last)
{
    if (w->a->static_groups)
        return;
    for (size_t j = (first + w->run - 1) / w->run * w->run; j < last; j += w->run) {
        const size_t left = w->n - j;
        w->group[i * w->groups + j / w->run] =
            rsd_grid_fit(&w->grid, w->W + i * w->n + j, left < w->run ? left : w->run);
    }
}

/* Rows [i, i + rows), all columns. */
static void round_rows(work *w, size_t i, size_t rows)
{
    const size_t n = w->n, block = w->a->block;
    for (size_t first = 0; first < n; first += block) {
        const size_t last = first + block < n ? first + block : n;
        for (size_t r = i; r < i + rows; r++) {
            fit_block(w, r, first, last);
            round_block(w, r, first, last);
        }
        if (last < n)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)rows,
                        (blasint)(n - last), (blasint)(last - first), -1, w->err + i * block,
                        (blasint)block, w->U + first * n + last, (blasint)n, 1, w->W + i * n + last,
                        (blasint)n);
    }
}

static void gather(const work *w, const float *x, float *out)
{
    for (size_t j = 0; j < w->n; j++)
        out[j] = x[w->order[j]];
}

/* Row by row: each begins with what those above it lost. */
static void round_two_sided(work *w, rsd_mat W)
{
    const size_t n = w->n;
    for (size_t i = 0; i < w->m; i++) {
        float *x = w->W + i * n, *lost = w->R + i * n;
        if (i)
            cblas_sgemv(CblasRowMajor, CblasTrans, (blasint)i, (blasint)n, 1, w->R, (blasint)n,
                        w->L + i * w->m, 1, 1, x, 1);
        round_rows(w, i, 1);
        gather(w, W.x + i * W.ld, lost);
        for (size_t j = 0; j < n; j++) {
            const rsd_grid_group g = w->group[i * w->groups + group_of(w, j)];
            lost[j] -= rsd_grid_value(&w->grid, g, w->codes[i * n + w->order[j]]);
        }
    }
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    const params *a = rsd_spec_params(spec);
    work w = { .a = a,
               .m = W.m,
               .n = W.n,
               .grid = { .kind = (rsd_grid_kind)a->scheme,
                         .bits = (int)a->bits,
                         .search = a->search,
                         .store =
                             a->scale == SCALE_F32 ? NULL : rsd_grid_store(W, (int)a->bits) } };
    int err = RSD_OK;
    if (!c->H || (a->metric == METRIC_GH && !c->G))
        return RSD_FAIL(RSD_EUSAGE, "gptq needs %s of this layer: calibrate%s", c->H ? "G" : "H",
                        c->H ? " with gradients" : "");
    w.run = a->group < W.n ? a->group : W.n; /* row is larger than any */
    w.groups = (W.n + w.run - 1) / w.run;
    RSD_TRY_DONE(order_columns(&w, c->H));
    RSD_TRY_DONE(factor_H(&w, c->H));
    if (a->metric == METRIC_GH)
        RSD_TRY_DONE(factor_G(&w, c->G));
    RSD_TRY_DONE(rsd_array_alloc(W.m, W.n, sizeof *w.W, &w.W));
    RSD_TRY_DONE(rsd_array_alloc(W.m, a->block, sizeof *w.err, &w.err));
    RSD_TRY_DONE(rsd_array_alloc(W.m, W.n, 1, &w.codes));
    RSD_TRY_DONE(rsd_array_alloc(W.m, w.groups, sizeof *w.group, &w.group));
    for (size_t i = 0; i < W.m; i++)
        gather(&w, W.x + i * W.ld, w.W + i * W.n);
    if (a->static_groups)
        fit_static(&w, W);
    if (a->metric == METRIC_GH)
        round_two_sided(&w, W);
    else
        round_rows(&w, 0, W.m);
    const rsd_grid_groups groups = { w.run, w.groups, w.index };
    err = rsd_grid_pack(&w.grid, &groups, W.m, W.n, w.codes, w.group, out);
done:
    work_free(&w);
    return err;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    const rsd_grid grid = { .kind = (rsd_grid_kind)a->scheme, .bits = (int)a->bits };
    return rsd_grid_unpack(&grid, a->group, in, Wq);
}

const rsd_quantizer rsd_quantizer_gptq = {
    .name = "gptq",
    .summary = "rounding with feedback along the inputs, or along the outputs too",
    .reference = "Frantar et al., GPTQ, ICLR 2023; GH: Tseng et al., YAQA, arXiv:2505.22988",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .calibration = RSD_CALIBRATION_NEEDS,
    .settle = settle,
    .pack = pack,
    .unpack = unpack,
};
