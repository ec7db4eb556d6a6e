/* Seeded random numbers.  A stream is named by (seed, key), never by the order of use, so what a
 * matrix's null or sketch draws does not depend on threads, ranks or on what ran before. */
#ifndef RSD_RNG_H
#define RSD_RNG_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct rsd_rng rsd_rng; /* GSL's mt19937 */

/* A stream; free with rsd_rng_free.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_rng_alloc(uint64_t seed, const char *key, rsd_rng **out);
void rsd_rng_free(rsd_rng *rng);

/* 64-bit hash of seed and key (FNV-1a folded by splitmix64): a seed for what lies below key. */
uint64_t rsd_seed(uint64_t seed, const char *key);

uint32_t rsd_rng_bits(rsd_rng *rng);               /* 32 fair bits */
double rsd_rng_uniform(rsd_rng *rng);              /* [0,1) */
double rsd_rng_normal(rsd_rng *rng);               /* N(0,1) */
double rsd_rng_student_t(rsd_rng *rng, double nu); /* Student's t, nu degrees of freedom */
void rsd_rng_normals(rsd_rng *rng, float *x, size_t n);
void rsd_rng_shuffle(rsd_rng *rng, float *x, size_t n); /* uniform permutation in place */

#endif
