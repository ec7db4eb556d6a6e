#include "rng.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

/* rsd_rng is GSL's generator under our name: only this file sees GSL's. */
static gsl_rng *gsl(rsd_rng *rng) { return (gsl_rng *)rng; }

uint64_t rsd_seed(uint64_t seed, const char *key)
{
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (const unsigned char *p = (const unsigned char *)key; *p; p++)
        h = (h ^ *p) * 0x100000001b3u;
    h += 0x9e3779b97f4a7c15u; /* splitmix64's finaliser: FNV alone mixes its high bits poorly */
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

int rsd_rng_alloc(uint64_t seed, const char *key, rsd_rng **out)
{
    gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
    *out = (rsd_rng *)r;
    if (!r)
        return RSD_FAIL(RSD_ENOMEM, "random number generator");
    gsl_rng_set(r, (unsigned long)(rsd_seed(seed, key) & 0xffffffffu));
    return RSD_OK;
}

void rsd_rng_free(rsd_rng *rng) { gsl_rng_free(gsl(rng)); }

uint32_t rsd_rng_bits(rsd_rng *rng) { return (uint32_t)gsl_rng_get(gsl(rng)); }

double rsd_rng_uniform(rsd_rng *rng) { return gsl_rng_uniform(gsl(rng)); }

double rsd_rng_normal(rsd_rng *rng) { return gsl_ran_gaussian_ziggurat(gsl(rng), 1.0); }

double rsd_rng_student_t(rsd_rng *rng, double nu) { return gsl_ran_tdist(gsl(rng), nu); }

void rsd_rng_normals(rsd_rng *rng, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rsd_rng_normal(rng);
}

void rsd_rng_shuffle(rsd_rng *rng, float *x, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)(rsd_rng_uniform(rng) * (double)i);
        const float t = x[i - 1];
        x[i - 1] = x[j];
        x[j] = t;
    }
}
