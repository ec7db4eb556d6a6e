#include "spectra/nulls.h"

#include <assert.h>
#include <math.h>

const char *rsd_null_name(rsd_null null)
{
    static const char *const names[RSD_NULLS] = {
        [RSD_NULL_SIGN_FLIP] = "sign_flip",
        [RSD_NULL_VARIANCE_PROFILE] = "variance_profile",
        [RSD_NULL_PERMUTED] = "permuted",
        [RSD_NULL_MARCHENKO_PASTUR] = "marchenko_pastur",
    };
    assert((unsigned)null < RSD_NULLS);
    return names[null];
}

bool rsd_null_is_weighted(rsd_null null)
{
    return null == RSD_NULL_SIGN_FLIP || null == RSD_NULL_VARIANCE_PROFILE;
}

bool rsd_null_is_drawn(rsd_null null)
{
    return null == RSD_NULL_SIGN_FLIP || null == RSD_NULL_PERMUTED;
}

/* One bit an entry, the lowest first, 32 entries a draw, counted across the ends of rows: the
 * signs depend on the shape alone, not on ld. */
static void flip_signs(rsd_mat N, rsd_rng *rng)
{
    uint32_t bits = 0;
    unsigned left = 0;
    for (size_t i = 0; i < N.m; i++) {
        float *row = N.x + i * N.ld;
        for (size_t j = 0; j < N.n; j++) {
            if (left == 0) {
                bits = rsd_rng_bits(rng);
                left = 32;
            }
            row[j] = bits & 1 ? -row[j] : row[j];
            bits >>= 1;
            left--;
        }
    }
}

/* Fisher & Yates on entry numbers e = i n + j, so that a view with gaps between its rows needs no
 * dense copy and is permuted as the dense matrix would be. */
static void permute(rsd_mat N, rsd_rng *rng)
{
    for (size_t e = N.m * N.n; e > 1; e--) {
        const size_t last = e - 1;
        const size_t other = (size_t)(rsd_rng_uniform(rng) * (double)e);
        float *a = &N.x[last / N.n * N.ld + last % N.n];
        float *b = &N.x[other / N.n * N.ld + other % N.n];
        const float t = *a;
        *a = *b;
        *b = t;
    }
}

void rsd_null_draw(rsd_null null, rsd_mat R, rsd_rng *rng, rsd_mat N)
{
    assert(rsd_null_is_drawn(null));
    if (R.x != N.x)
        rsd_mat_copy(R, N);
    if (null == RSD_NULL_SIGN_FLIP)
        flip_signs(N, rng);
    else
        permute(N, rng);
}

void rsd_band(const double *const *draws, size_t count, size_t n, double *mean, double *low,
              double *high)
{
    assert(count > 0);
    for (size_t k = 0; k < n; k++) {
        double total = 0, least = draws[0][k], most = draws[0][k];
        for (size_t i = 0; i < count; i++) {
            total += draws[i][k];
            least = fmin(least, draws[i][k]);
            most = fmax(most, draws[i][k]);
        }
        mean[k] = total / (double)count;
        low[k] = isnan(total) ? NAN : least;
        high[k] = isnan(total) ? NAN : most;
    }
}
