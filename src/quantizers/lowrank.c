#include "linalg/lowrank.h"
#include "linalg/spectrum.h"
#include "quantizers/blocks.h"
#include "quantizers/quantizer.h"

#include <math.h>

/* W itself as a product of two thin factors, sqrt(sigma) on either side so that both have entries
 * of like size, which is what a 16-bit format wants. */

typedef struct {
    size_t rank;
    double energy;
    int store;
} params;

enum { STORE_FP16, STORE_F32, DEFAULT_RANK = 64 };
static const size_t rank_auto = RSD_WORD(0), rank_full = RSD_WORD(1);

static const params defaults = { .rank = RSD_WORD(0), .energy = 1 };

/* clang-format off */
static const rsd_opt options[] = {
    { "rank", 0, RSD_OPT_SIZE, offsetof(params, rank), 1, 1 << 24, "auto|full",
      "columns kept, at most min(rows, columns); auto: full with energy < 1, else 64" },
    { "energy", 0, RSD_OPT_REAL, offsetof(params, energy), 0, 1, "share",
      "keep no more columns than hold this share of the sum of sigma^2" },
    { "store", 0, RSD_OPT_CHOICE, offsetof(params, store), 0, 0, "fp16|f32",
      "how factors are stored; fp16 becomes bf16 where they are too small or large for it" },
    { 0 },
};
/* clang-format on */

static int settle(void *p)
{
    params *a = p;
    if (a->rank == rank_auto)
        a->rank = a->energy < 1 ? rank_full : DEFAULT_RANK;
    return RSD_OK;
}

/* How many columns to keep: at least 1. */
static int choose_rank(const params *a, rsd_mat W, size_t *rank)
{
    const size_t d = W.m < W.n ? W.m : W.n;
    *rank = a->rank < d ? a->rank : d;
    if (a->energy >= 1)
        return RSD_OK;
    int err = RSD_OK;
    rsd_spectrum spectrum = { 0 };
    const rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    RSD_TRY_DONE(rsd_spectrum_compute(W, &opts, &spectrum));
    double kept = spectrum.s[0] * spectrum.s[0];
    size_t r = 1;
    for (; r < *rank && kept < a->energy * spectrum.sumsq; r++)
        kept += spectrum.s[r] * spectrum.s[r];
    *rank = r;
done:
    rsd_spectrum_free(&spectrum);
    return err;
}

/* The largest entries decide the error of a factor, so it is they that must keep their digits;
 * a margin for directions of smaller sigma. */
static int pack_factor(const params *a, const char *name, rsd_mat F, rsd_packed *out)
{
    const float least = rsd_absmax(F.x, F.m * F.n) / 16;
    return rsd_packed_add_reals(out, name, F.x, F.m * F.n, a->store == STORE_FP16,
                                least > 0 ? least : 1);
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const params *a = rsd_spec_params(spec);
    int err = RSD_OK;
    size_t r;
    rsd_mat B = { 0 }, A = { 0 };
    RSD_TRY_DONE(choose_rank(a, W, &r));
    RSD_TRY_DONE(rsd_mat_alloc(W.m, r, &B));
    RSD_TRY_DONE(rsd_mat_alloc(r, W.n, &A));
    RSD_TRY_DONE(rsd_lowrank(W, r, 0, B, A, NULL));
    RSD_TRY_DONE(pack_factor(a, "left", B, out));
    RSD_TRY_DONE(pack_factor(a, "right", A, out));
done:
    rsd_mat_free(&A);
    rsd_mat_free(&B);
    return err;
}

/* Divide F by the power of two that brings its largest entry below 1; returns the exponent. */
static int normalize(rsd_mat F)
{
    int e;
    frexpf(rsd_absmax(F.x, F.m * F.n), &e);
    for (size_t i = 0; i < F.m * F.n; i++)
        F.x[i] = ldexpf(F.x[i], -e);
    return e;
}

/* B A with both factors normalized, so that no partial sum overflows before the whole does. */
static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    (void)spec; /* the sections say all */
    const rsd_section *left = rsd_packed_get(in, "left"), *right = rsd_packed_get(in, "right");
    const size_t r = left->count / Wq.m;
    int err = RSD_OK;
    rsd_mat B = { 0 }, A = { 0 };
    RSD_TRY_DONE(rsd_mat_alloc(Wq.m, r, &B));
    RSD_TRY_DONE(rsd_mat_alloc(r, Wq.n, &A));
    rsd_section_reals(left, B.x);
    rsd_section_reals(right, A.x);
    const int exponent = normalize(B) + normalize(A);
    const double scale = ldexp(1, exponent);
    rsd_mat_mul(B, A, Wq);
    for (size_t i = 0; i < Wq.m; i++)
        for (size_t j = 0; j < Wq.n; j++)
            Wq.x[i * Wq.ld + j] = rsd_finite((float)((double)Wq.x[i * Wq.ld + j] * scale));
done:
    rsd_mat_free(&A);
    rsd_mat_free(&B);
    return err;
}

const rsd_quantizer rsd_quantizer_lowrank = {
    .name = "lowrank",
    .summary = "truncated singular value decomposition of W, two thin factors",
    .reference = "Eckart & Young, Psychometrika 1 (1936) 211",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .settle = settle,
    .pack = pack,
    .unpack = unpack,
};
