/* Matrices of weights of every size, and the one call that most tests of quantizers make. */
#ifndef RSD_TEST_QUANTIZER_DATA_H
#define RSD_TEST_QUANTIZER_DATA_H

#include "quantizers/quantizer.h"
#include "rng.h"

#include "test.h"

#include <float.h>

typedef enum {
    NORMAL,
    ZEROS,
    SIGNED_ZEROS,
    CONSTANT,
    NEGATIVE,
    ONE_HUGE,
    TINY,
    LARGE,
    SUBNORMAL,
    LARGEST,
    KINDS
} kind;

static inline float element(kind k, size_t i, double g)
{
    switch (k) {
    case NORMAL:
        return (float)(0.02385 * g);
    case ZEROS:
        return 0;
    case SIGNED_ZEROS:
        return g < 0 ? -0.0f : 0.0f;
    case CONSTANT:
        return 0.5f;
    case NEGATIVE:
        return -0.2385f;
    case ONE_HUGE:
        return i == 0 ? -1e4f : (float)g;
    case TINY:
        return (float)(2.385e-30 * g);
    case LARGE:
        return (float)(2.385e30 * g);
    case SUBNORMAL:
        return (float)(2.385e-42 * g);
    default:
        return g < 0 ? -FLT_MAX : FLT_MAX;
    }
}

static inline rsd_mat make_seeded(kind k, size_t m, size_t n, uint64_t seed)
{
    rsd_mat W;
    rsd_rng *rng;
    CHECK_OK(rsd_mat_alloc(m, n, &W));
    CHECK_OK(rsd_rng_alloc(seed, "t_quantizers", &rng));
    for (size_t i = 0; i < m * n; i++)
        W.x[i] = element(k, i, rsd_rng_normal(rng));
    rsd_rng_free(rng);
    return W;
}

static inline rsd_mat make(kind k, size_t m, size_t n) { return make_seeded(k, m, n, 7); }

static inline rsd_mat like(rsd_mat W)
{
    rsd_mat A;
    CHECK_OK(rsd_mat_alloc(W.m, W.n, &A));
    memset(A.x, 0xff, W.m * W.n * sizeof(float)); /* NaN: an element left out shows */
    return A;
}

static inline void quantize(const char *text, rsd_mat W, rsd_mat Wq, rsd_quant_stats *stats)
{
    rsd_spec spec;
    CHECK_OK(rsd_spec_parse(text, &spec));
    CHECK_OK(rsd_quantize(&spec, W, NULL, Wq, stats, NULL));
}

#endif
