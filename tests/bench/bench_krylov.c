/* The top values of a large matrix, with and without the proof that they are, against its full Gram
 * spectrum.
 *
 *   bench_krylov [threads [top [rows [columns]]]]     default: all cores, 200 of 4096 x 11008
 *
 * Power-law spectra sigma_k = k^-a between random singular vectors, and iid entries, where block
 * Krylov must give up early.  Either has all threads. */
#include "linalg/spectrum.h"
#include "par.h"
#include "rng.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static void must(int err)
{
    if (!err)
        return;
    fprintf(stderr, "%s\n", rsd_errmsg());
    exit(1);
}

static rsd_mat gaussian(size_t m, size_t n, uint64_t seed)
{
    rsd_mat A;
    rsd_rng *rng;
    must(rsd_mat_alloc(m, n, &A));
    must(rsd_rng_alloc(seed, "bench", &rng));
    rsd_rng_normals(rng, A.x, m * n);
    rsd_rng_free(rng);
    return A;
}

/* x := H x for each of the k rows of length n, H = I - 2 w w' / w'w a random reflection. */
static void reflect(float *x, size_t k, size_t n, uint64_t seed)
{
    rsd_mat w = gaussian(1, n, seed);
    const double square = rsd_mat_sumsq(w);
    float *dots = malloc(k * sizeof *dots);
    cblas_sgemv(CblasRowMajor, CblasNoTrans, (int)k, (int)n, (float)(-2 / square), x, (int)n, w.x,
                1, 0, dots, 1);
    cblas_sger(CblasRowMajor, (int)k, (int)n, 1, dots, 1, w.x, 1, x, (int)n);
    free(dots);
    rsd_mat_free(&w);
}

/* H1 (D H2): a few reflections on either side hide the diagonal well enough: each entry is used. */
static rsd_mat power_law(size_t m, size_t n, double exponent)
{
    rsd_mat A;
    must(rsd_mat_alloc(m, n, &A));
    for (size_t i = 0; i < m * n; i++)
        A.x[i] = 0;
    for (size_t i = 0; i < m && i < n; i++)
        A.x[i * n + i] = (float)pow((double)(i + 1), -exponent);
    reflect(A.x, m, n, 1);
    rsd_mat B;
    must(rsd_mat_alloc(n, m, &B));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            B.x[j * m + i] = A.x[i * n + j];
    reflect(B.x, n, m, 2);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            A.x[i * n + j] = B.x[j * m + i];
    rsd_mat_free(&B);
    return A;
}

static void compare(const char *name, rsd_mat A, size_t top)
{
    const rsd_spectrum_opts gram = { .method = RSD_METHOD_GRAM, .tolerance = 1e-6 };
    const rsd_spectrum_opts krylov = { .method = RSD_METHOD_KRYLOV, .tolerance = 1e-6, .top = top };
    rsd_spectrum_opts quick = krylov;
    rsd_spectrum full, some, fast;
    quick.quick = true;
    must(rsd_spectrum_compute(A, &gram, &full));
    must(rsd_spectrum_compute(A, &krylov, &some));
    must(rsd_spectrum_compute(A, &quick, &fast));
    double error = 0;
    for (size_t k = 0; k < top; k++)
        error = fmax(error, fabs(some.s[k] - full.s[k]));
    printf("%-10s %8.2f %-6s %8.2f %-6s %7.2f %8.2f %-6s %12.1e %12.1e\n", name, full.seconds,
           rsd_method_name(full.method), some.seconds, rsd_method_name(some.method),
           full.seconds / some.seconds, fast.seconds, rsd_method_name(fast.method),
           some.error_bound / full.s[0], error / full.s[0]);
    rsd_spectrum_free(&full);
    rsd_spectrum_free(&some);
    rsd_spectrum_free(&fast);
}

int main(int argc, char **argv)
{
    rsd_par_init(argc > 1 ? (size_t)atoi(argv[1]) : 0);
    openblas_set_num_threads((int)rsd_par_threads()); /* as for an item that runs alone */
    const size_t top = argc > 2 ? (size_t)atoi(argv[2]) : 200;
    const size_t m = argc > 3 ? (size_t)atoi(argv[3]) : 4096;
    const size_t n = argc > 4 ? (size_t)atoi(argv[4]) : 11008;
    printf("top %zu of %zu x %zu, %zu threads; bound and error over sigma_1\n", top, m, n,
           rsd_par_threads());
    printf("%-10s %8s %-6s %8s %-6s %7s %8s %-6s %12s %12s\n", "spectrum", "full s", "by", "top s",
           "by", "ratio", "quick s", "by", "bound", "error");
    static const double exponent[] = { 1, 0.5, 0.25 };
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "k^-%.2f", exponent[i]);
        rsd_mat A = power_law(m, n, exponent[i]);
        compare(name, A, top);
        rsd_mat_free(&A);
    }
    rsd_mat A = gaussian(m, n, 3);
    compare("iid", A, top);
    rsd_mat_free(&A);
    return 0;
}
