#include "linalg/spectrum.h"

#include "linalg/gesdd.h"
#include "linalg/gram.h"
#include "linalg/krylov.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double gram_trusted = 1e-6; /* of sigma_1 */

const char *rsd_method_name(rsd_method method)
{
    static const char *const names[] = { "auto", "gram", "gesdd", "krylov" };
    return names[method];
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t count_of(size_t m, size_t n, const rsd_spectrum_opts *opts)
{
    return opts->top ? opts->top : least(m, n);
}

static rsd_method choose(size_t m, size_t n, const rsd_spectrum_opts *opts)
{
    if (opts->method != RSD_METHOD_AUTO)
        return opts->method;
    return opts->top && rsd_krylov_pays(m, n, opts->top, opts->quick) ? RSD_METHOD_KRYLOV
                                                                      : RSD_METHOD_GRAM;
}

static int check(rsd_mat A, const rsd_spectrum_opts *o)
{
    const size_t d = least(A.m, A.n);
    if (d == 0 || A.m > INT_MAX || A.n > INT_MAX)
        return RSD_FAIL(RSD_EARG, "no spectrum of a %zu x %zu matrix", A.m, A.n);
    if (o->top > d)
        return RSD_FAIL(RSD_EARG, "a %zu x %zu matrix has %zu singular values, not %zu", A.m, A.n,
                        d, o->top);
    if (o->vectors > count_of(A.m, A.n, o))
        return RSD_FAIL(RSD_EARG, "%zu singular vectors wanted of %zu values", o->vectors,
                        count_of(A.m, A.n, o));
    if (o->method == RSD_METHOD_KRYLOV && o->top == 0)
        return RSD_FAIL(RSD_EARG, "method krylov needs the number of values wanted");
    if (!(o->tolerance > 0 && o->tolerance < 1))
        return RSD_FAIL(RSD_EARG, "tolerance %g is not between 0 and 1", o->tolerance);
    return rsd_mat_check_finite(A);
}

static int prepare(rsd_mat A, const rsd_spectrum_opts *o, rsd_spectrum *out)
{
    out->m = A.m;
    out->n = A.n;
    out->count = count_of(A.m, A.n, o);
    out->vectors = o->vectors;
    out->complete = out->count == least(A.m, A.n);
    RSD_TRY(rsd_array_alloc(out->count, 1, sizeof *out->s, &out->s));
    if (out->vectors) {
        RSD_TRY(rsd_array_alloc(out->vectors, A.m, sizeof *out->u, &out->u));
        RSD_TRY(rsd_array_alloc(out->vectors, A.n, sizeof *out->v, &out->v));
    }
    return RSD_OK;
}

/* Each method in turn until one is good enough. */
static int solve(rsd_mat A, const rsd_spectrum_opts *o, rsd_spectrum *out)
{
    out->method = choose(A.m, A.n, o);
    if (out->method == RSD_METHOD_KRYLOV) {
        bool done;
        RSD_TRY(rsd_krylov_spectrum(A, o, out, &done));
        if (done)
            return RSD_OK;
        out->method = RSD_METHOD_GRAM;
    }
    out->proved = true;
    if (out->method == RSD_METHOD_GRAM) {
        RSD_TRY(rsd_gram_spectrum(A, out));
        if (out->s[out->count - 1] >= gram_trusted * out->s[0])
            return RSD_OK;
        out->method = RSD_METHOD_GESDD;
    }
    return rsd_gesdd_spectrum(A, out);
}

int rsd_spectrum_compute(rsd_mat A, const rsd_spectrum_opts *opts, rsd_spectrum *out)
{
    const double start = now();
    *out = (rsd_spectrum){ 0 };
    RSD_TRY(check(A, opts));
    RSD_TRY(prepare(A, opts, out));
    out->sumsq = rsd_mat_sumsq(A);
    RSD_TRY(
        rsd_rounding_of(A, opts->rounding > 0 ? opts->rounding : RSD_ROUNDING_F32, &out->noise));
    out->noise = rsd_rounding_larger(out->noise, opts->noise);
    RSD_TRY(solve(A, opts, out));
    out->seconds = now() - start;
    return RSD_OK;
}

void rsd_spectrum_free(rsd_spectrum *s)
{
    free(s->s);
    free(s->u);
    free(s->v);
    *s = (rsd_spectrum){ 0 };
}

size_t rsd_spectrum_bytes(size_t m, size_t n, const rsd_spectrum_opts *opts)
{
    const rsd_method method = choose(m, n, opts);
    if (method == RSD_METHOD_GESDD)
        return rsd_gesdd_bytes(m, n, opts->vectors);
    const size_t gram = rsd_gram_bytes(m, n, opts->vectors); /* krylov may fall back on it */
    const size_t krylov = method == RSD_METHOD_KRYLOV ? rsd_krylov_bytes(m, n, opts->top) : 0;
    return krylov > gram ? krylov : gram;
}
