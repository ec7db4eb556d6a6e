/* AWQ.  Activation-aware rounding: inputs that are large on average get a finer share of their
 * group's grid, W diag(s) is rounded and 1/s multiplied back (in deployment, into the layer
 * before).
 *
 *   s_j = mean|x_j|^alpha, alpha = 0, 1/20, ... 19/20, the one with the least output error
 *         E||R x||^2 = tr(R H R')
 *   then every group's range is cut to (1 - i/20) max|w|, i = 0 .. 9, with the least
 *         E(sum over the group of r_j x_j)^2
 *
 * Both expectations are exact in H, where the method's own code samples tokens.  An input that the
 * data never reached would get the smallest share there is, and its weights become 0: it counts as
 * a typical one of its group (importance.h), correlated with none. */
#include "quantizers/blocks.h"
#include "quantizers/grid.h"
#include "quantizers/importance.h"
#include "quantizers/quantizer.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t bits, group;
    int scale;
    bool no_clip;
} params;

enum { SCALE_FP16, SCALE_F32 };
enum { RATIOS = 20, CLIPS = 10 };

static const params defaults = { .bits = 4, .group = 128 };

/* clang-format off */
static const rsd_opt options[] = {
    { "bits", 0, RSD_OPT_SIZE, offsetof(params, bits), 2, 8, "bits", "bits per code" },
    { "group", 0, RSD_OPT_SIZE, offsetof(params, group), 2, 1 << 24, "row|channel",
      "weights of a row that share a scale, or the whole row (channel is another word for it)" },
    { "scale", 0, RSD_OPT_CHOICE, offsetof(params, scale), 0, 0, "fp16|f32",
      "how scales are stored; fp16 becomes bf16 where weights are too small or large for it" },
    { "no_clip", 0, RSD_OPT_FLAG, offsetof(params, no_clip), 0, 0, NULL,
      "leave the groups' ranges as they are (what its code does for q and k)" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = { { "awq3", "bits=3" }, { "awq4", "bits=4" }, { 0 } };

static int settle(void *p)
{
    params *a = p;
    if (a->group == RSD_WORD(1))
        a->group = RSD_WORD(0);
    return RSD_OK;
}

typedef struct {
    rsd_grid grid;
    const rsd_calibration *c;
    rsd_mat W;
    size_t run, groups;
    float *s;              /* [n] */
    float *S, *Q;          /* [m*n] W diag(s), and what its codes stand for */
    float *E, *EH;         /* [m*n] */
    double *mean;          /* [n] mean |x| */
    float *H;              /* [n*n] */
    float *triangle;       /* [n*n] its lower triangle with half the diagonal */
    rsd_grid_group *group; /* [m*groups] */
    uint8_t *codes;        /* [m*n] */
} work;

static size_t length_of(const work *w, size_t k)
{
    const size_t left = w->W.n - k * w->run;
    return left < w->run ? left : w->run;
}

static void scale_columns(const work *w, const float *s)
{
    for (size_t i = 0; i < w->W.m; i++)
        for (size_t j = 0; j < w->W.n; j++)
            w->S[i * w->W.n + j] = rsd_finite(w->W.x[i * w->W.ld + j] * s[j]);
}

/* Codes and values of S, each group within +-limit (NULL: none). */
static void round_all(const work *w, const float *limit)
{
    const size_t n = w->W.n;
    for (size_t i = 0; i < w->W.m; i++)
        for (size_t k = 0; k < w->groups; k++) {
            const size_t at = i * n + k * w->run, count = length_of(w, k), g = i * w->groups + k;
            float *q = w->Q + at;
            for (size_t j = 0; j < count; j++) {
                const float x = w->S[at + j], most = limit ? limit[g] : INFINITY;
                q[j] = x > most ? most : x < -most ? -most : x;
            }
            w->group[g] = rsd_grid_fit(&w->grid, q, count);
            rsd_grid_round(&w->grid, w->group[g], q, count, w->codes + at, q);
        }
}

/* tr(R H R') = 2 <R, R T>, T the triangle: half the work of R H.  R = W - Q diag(1/s). */
static double output_error(const work *w, const float *s)
{
    const size_t m = w->W.m, n = w->W.n;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            w->E[i * n + j] = w->W.x[i * w->W.ld + j] - w->Q[i * n + j] / s[j];
    memcpy(w->EH, w->E, m * n * sizeof *w->E);
    cblas_strmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (blasint)m,
                (blasint)n, 1, w->triangle, (blasint)n, w->EH, (blasint)n);
    double sum = 0;
    for (size_t i = 0; i < m * n; i++)
        sum += (double)w->E[i] * (double)w->EH[i];
    return 2 * sum;
}

static void scales_of(const work *w, double alpha, float *s)
{
    const size_t n = w->W.n;
    float least = INFINITY, most = 0;
    for (size_t j = 0; j < n; j++) {
        s[j] = (float)pow(w->mean[j], alpha);
        s[j] = s[j] < 1e-4f ? 1e-4f : s[j];
        least = s[j] < least ? s[j] : least;
        most = s[j] > most ? s[j] : most;
    }
    for (size_t j = 0; j < n; j++)
        s[j] /= sqrtf(most * least);
}

static int search_scales(const work *w)
{
    float *s;
    double least = INFINITY;
    RSD_TRY(rsd_array_alloc(w->W.n, 1, sizeof *s, &s));
    scales_of(w, 0, w->s); /* what stays where no error is a number */
    for (int k = 0; k < RATIOS; k++) {
        scales_of(w, (double)k / RATIOS, s);
        if (k && memcmp(s, w->s, w->W.n * sizeof *s) == 0)
            continue; /* inputs of one size: nothing to try */
        scale_columns(w, s);
        round_all(w, NULL);
        const double error = output_error(w, s);
        if (error < least) {
            least = error;
            memcpy(w->s, s, w->W.n * sizeof *s);
        }
    }
    free(s);
    return RSD_OK;
}

/* error[i] of group k in every row: r' H r over the group's inputs, r = (S - Q) / s. */
static void group_errors(const work *w, size_t k, double *error)
{
    const size_t m = w->W.m, n = w->W.n, first = k * w->run, count = length_of(w, k);
    for (size_t i = 0; i < m; i++)
        for (size_t j = first; j < first + count; j++)
            w->E[i * n + j] = (w->S[i * n + j] - w->Q[i * n + j]) / w->s[j];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)count,
                (blasint)count, 1, w->E + first, (blasint)n, w->H + first * n + first, (blasint)n,
                0, w->EH + first, (blasint)n);
    for (size_t i = 0; i < m; i++) {
        error[i] = 0;
        for (size_t j = first; j < first + count; j++)
            error[i] += (double)w->E[i * n + j] * (double)w->EH[i * n + j];
    }
}

/* best[m*groups]: the limit of each group. */
static int search_clips(const work *w, float *best)
{
    const size_t count = w->W.m * w->groups;
    float *limit = NULL;
    double *least = NULL, *error = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(count, 1, sizeof *limit, &limit));
    RSD_TRY_DONE(rsd_array_alloc(count, 1, sizeof *least, &least));
    RSD_TRY_DONE(rsd_array_alloc(w->W.m, 1, sizeof *error, &error));
    for (int step = 0; step < CLIPS; step++) {
        for (size_t g = 0; g < count; g++) {
            const size_t i = g / w->groups, k = g % w->groups;
            limit[g] = rsd_absmax(w->S + i * w->W.n + k * w->run, length_of(w, k)) *
                       (float)(1 - step / 20.0);
        }
        round_all(w, limit);
        for (size_t k = 0; k < w->groups; k++) {
            group_errors(w, k, error);
            for (size_t i = 0; i < w->W.m; i++) {
                const size_t g = i * w->groups + k;
                if (step == 0 || error[i] < least[g]) {
                    least[g] = error[i];
                    best[g] = limit[g];
                }
            }
        }
    }
done:
    free(error);
    free(least);
    free(limit);
    return err;
}

static int pack_scales(const work *w, rsd_packed *out)
{
    float *s, least = 1;
    RSD_TRY(rsd_array_alloc(w->W.n, 1, sizeof *s, &s));
    memcpy(s, w->s, w->W.n * sizeof *s);
    for (size_t j = 0; j < w->W.n; j++)
        least = s[j] < least ? s[j] : least;
    const int err =
        rsd_packed_add_reals(out, "input_scales", s, w->W.n, w->grid.store != NULL, least);
    memcpy(w->s, s, w->W.n * sizeof *s); /* as the reader will divide */
    free(s);
    return err;
}

static int alloc(work *w, size_t group)
{
    const size_t m = w->W.m, n = w->W.n;
    w->run = group < n ? group : n;
    w->groups = (n + w->run - 1) / w->run;
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *w->s, &w->s));
    RSD_TRY(rsd_array_alloc(m, n, sizeof *w->S, &w->S));
    RSD_TRY(rsd_array_alloc(m, n, sizeof *w->Q, &w->Q));
    RSD_TRY(rsd_array_alloc(m, n, sizeof *w->E, &w->E));
    RSD_TRY(rsd_array_alloc(m, n, sizeof *w->EH, &w->EH));
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *w->mean, &w->mean));
    RSD_TRY(rsd_array_alloc(n, n, sizeof *w->H, &w->H));
    RSD_TRY(rsd_array_alloc(n, n, sizeof *w->triangle, &w->triangle));
    RSD_TRY(rsd_array_alloc(m, w->groups, sizeof *w->group, &w->group));
    return rsd_array_alloc(m, n, 1, &w->codes);
}

/* H as float32, its largest entry near 1.  What is far below the least mean square that counts is
 * 0: products with numbers that small, at the end of float32's range, take a processor many times
 * as long as others. */
static void load_H(work *w, const double *square)
{
    const size_t n = w->W.n;
    const double *H = w->c->H;
    double largest = 0;
    int exponent;
    for (size_t j = 0; j < n; j++)
        largest = fmax(largest, square[j]);
    frexp(largest, &exponent);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const bool own = H[i * (n + 1)] == square[i] && H[j * (n + 1)] == square[j];
            const double h = i == j ? square[i] : own ? H[i * n + j] : 0;
            const float x = (float)ldexp(h, -exponent);
            w->H[i * n + j] = fabsf(x) < 0x1p-90f ? 0 : x;
            w->triangle[i * n + j] = i == j ? w->H[i * n + j] / 2 : w->H[i * n + j];
        }
}

/* Mean squares and sizes of the inputs, those that were not seen filled in, and H with them. */
static int load_inputs(work *w)
{
    const size_t n = w->W.n;
    double *square;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *square, &square));
    for (size_t j = 0; j < n; j++)
        square[j] = w->c->mean_abs[j] * w->c->mean_abs[j];
    RSD_TRY_DONE(rsd_importance_fill(square, n, w->run, square, NULL));
    for (size_t j = 0; j < n; j++) {
        const double mean = w->c->mean_abs[j];
        w->mean[j] = mean * mean == square[j] ? mean : sqrt(square[j]);
        square[j] = w->c->H[j * (n + 1)];
    }
    RSD_TRY_DONE(rsd_importance_fill(square, n, w->run, square, NULL));
    load_H(w, square);
done:
    free(square);
    return err;
}

static void work_free(work *w)
{
    free(w->s);
    free(w->S);
    free(w->Q);
    free(w->E);
    free(w->EH);
    free(w->mean);
    free(w->H);
    free(w->triangle);
    free(w->group);
    free(w->codes);
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    const params *a = rsd_spec_params(spec);
    work w = { .c = c,
               .W = W,
               .grid = { .kind = RSD_GRID_AFFINE,
                         .bits = (int)a->bits,
                         .tight = true,
                         .store =
                             a->scale == SCALE_F32 ? NULL : rsd_grid_store(W, (int)a->bits) } };
    float *limit = NULL;
    int err = RSD_OK;
    if (!c->H || !c->mean_abs)
        return RSD_FAIL(RSD_EUSAGE, "awq needs H and mean |x| of this layer's inputs");
    RSD_TRY_DONE(alloc(&w, a->group));
    RSD_TRY_DONE(load_inputs(&w));
    RSD_TRY_DONE(search_scales(&w));
    RSD_TRY_DONE(pack_scales(&w, out));
    scale_columns(&w, w.s);
    if (!a->no_clip) {
        RSD_TRY_DONE(rsd_array_alloc(W.m, w.groups, sizeof *limit, &limit));
        RSD_TRY_DONE(search_clips(&w, limit));
    }
    round_all(&w, limit);
    const rsd_grid_groups groups = { w.run, w.groups, NULL };
    err = rsd_grid_pack(&w.grid, &groups, W.m, W.n, w.codes, w.group, out);
done:
    free(limit);
    work_free(&w);
    return err;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    const rsd_grid grid = { .kind = RSD_GRID_AFFINE, .bits = (int)a->bits };
    float *s;
    RSD_TRY(rsd_grid_unpack(&grid, a->group, in, Wq));
    RSD_TRY(rsd_array_alloc(Wq.n, 1, sizeof *s, &s));
    rsd_section_reals(rsd_packed_get(in, "input_scales"), s);
    for (size_t i = 0; i < Wq.m; i++)
        for (size_t j = 0; j < Wq.n; j++)
            Wq.x[i * Wq.ld + j] = rsd_finite(Wq.x[i * Wq.ld + j] / s[j]); /* s > 0 */
    free(s);
    return RSD_OK;
}

const rsd_quantizer rsd_quantizer_awq = {
    .name = "awq",
    .summary = "round to nearest after scaling inputs by their mean size; ranges clipped",
    .reference = "Lin et al., AWQ, MLSys 2024; llm-awq d6e797a",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .calibration = RSD_CALIBRATION_NEEDS,
    .settle = settle,
    .pack = pack,
    .unpack = unpack,
};
