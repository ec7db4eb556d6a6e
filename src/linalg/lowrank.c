#include "linalg/lowrank.h"

#include "linalg/spectrum.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <string.h>

int rsd_lowrank(rsd_mat W, size_t r, uint64_t seed, rsd_mat B, rsd_mat A, double *sigma)
{
    assert(B.m == W.m && B.n == r && A.m == r && A.n == W.n);
    if (r == 0)
        return RSD_FAIL(RSD_EARG, "rank 0");
    int err = RSD_OK;
    rsd_spectrum s;
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    opts.top = opts.vectors = r;
    opts.seed = seed;
    opts.quick = true;
    RSD_TRY_DONE(rsd_spectrum_compute(W, &opts, &s));
    for (size_t k = 0; k < r; k++) {
        const double root = sqrt(s.s[k]);
        for (size_t i = 0; i < W.m; i++)
            B.x[i * B.ld + k] = (float)(root * s.u[k * W.m + i]);
        for (size_t j = 0; j < W.n; j++)
            A.x[k * A.ld + j] = (float)(root * s.v[k * W.n + j]);
    }
    if (sigma)
        memcpy(sigma, s.s, r * sizeof *sigma);
done:
    rsd_spectrum_free(&s);
    return err;
}

void rsd_mat_mul(rsd_mat B, rsd_mat A, rsd_mat C)
{
    assert(B.n == A.m && C.m == B.m && C.n == A.n);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)C.m, (int)C.n, (int)B.n, 1, B.x,
                (int)B.ld, A.x, (int)A.ld, 0, C.x, (int)C.ld);
}
