/* Full spectra against LAPACK, on the matrices of one layer of pythia-160m.
 *
 *   bench_spectrum [threads [copies]]
 *
 * LAPACK does one matrix after the other with a threaded BLAS; ours does them side by side.  Both
 * get the same matrices (rows of unequal size, iid entries), the best of three rounds. */
#include "linalg/spectrum.h"
#include "par.h"
#include "rng.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHAPES = 4, ROUNDS = 3 };
static const size_t shape[SHAPES][2] = {
    { 2304, 768 },
    { 768, 768 },
    { 3072, 768 },
    { 768, 3072 },
};

static void must(int err)
{
    if (!err)
        return;
    fprintf(stderr, "%s\n", rsd_errmsg());
    exit(1);
}

static rsd_mat example(size_t m, size_t n, uint64_t seed)
{
    rsd_mat A;
    rsd_rng *rng;
    must(rsd_mat_alloc(m, n, &A));
    must(rsd_rng_alloc(seed, "bench", &rng));
    rsd_rng_normals(rng, A.x, m * n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            A.x[i * n + j] *= 0.02f * (1 + 3 * expf(-0.01f * (float)i));
    rsd_rng_free(rng);
    return A;
}

/* Seconds for one dgesdd or sgesdd, values only, in the layout that suits it best. */
static double lapack(rsd_mat A, bool in_double, double *s)
{
    const size_t count = A.m * A.n, d = A.m < A.n ? A.m : A.n;
    const lapack_int rows = (lapack_int)A.n, cols = (lapack_int)A.m;
    float *single = malloc(count * sizeof *single), *values = malloc(d * sizeof *values);
    double *wide = malloc(count * sizeof *wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = single[i] = A.x[i];
    openblas_set_num_threads((int)rsd_par_threads());
    const double start = omp_get_wtime();
    const lapack_int info = in_double ? LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', rows, cols, wide,
                                                       rows, s, NULL, 1, NULL, 1)
                                      : LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'N', rows, cols, single,
                                                       rows, values, NULL, 1, NULL, 1);
    const double seconds = omp_get_wtime() - start;
    openblas_set_num_threads(1);
    must(info ? RSD_FAIL(RSD_ECONV, "gesdd: %d", (int)info) : RSD_OK);
    free(single);
    free(values);
    free(wide);
    return seconds;
}

typedef struct {
    rsd_mat *A;
    rsd_spectrum *spectrum;
} batch;

static const rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;

static size_t item_bytes(void *context, size_t i)
{
    const batch *b = context;
    return rsd_spectrum_bytes(b->A[i].m, b->A[i].n, &opts);
}

static void item_run(void *context, size_t i)
{
    batch *b = context;
    rsd_spectrum_free(&b->spectrum[i]);
    must(rsd_spectrum_compute(b->A[i], &opts, &b->spectrum[i]));
}

/* Seconds per matrix. */
static double ours(batch b, size_t count)
{
    const rsd_par_work work = { .count = count,
                                .bytes = item_bytes,
                                .run = item_run,
                                .context = &b,
                                .budget = (size_t)1 << 33 };
    const double start = omp_get_wtime();
    must(rsd_par_each(&work));
    return (omp_get_wtime() - start) / (double)count;
}

static double worst(const rsd_spectrum *got, const double *want)
{
    double most = 0;
    for (size_t k = 0; k < got->count; k++)
        most = fmax(most, fabs(got->s[k] - want[k]));
    return most / want[0];
}

static void row(const char *name, double sgesdd, double dgesdd, double mine, double error)
{
    printf("%-12s %8.1f %8.1f %8.1f %7.2fx %7.2fx   %.1e\n", name, 1e3 * sgesdd, 1e3 * dgesdd,
           1e3 * mine, sgesdd / mine, dgesdd / mine, error);
}

int main(int argc, char **argv)
{
    rsd_par_init(argc > 1 ? (size_t)atoi(argv[1]) : 0);
    const size_t copies = argc > 2 ? (size_t)atoi(argv[2]) : 4, total = SHAPES * copies;
    printf("%zu threads; ms per matrix; error is max |s - dgesdd's| / sigma_1\n",
           rsd_par_threads());
    printf("%-12s %8s %8s %8s %8s %8s   %s\n", "shape", "sgesdd", "dgesdd", "ours", "sgesdd/",
           "dgesdd/", "error");

    rsd_mat *A = malloc(total * sizeof *A); /* A[shape * copies + copy] */
    rsd_spectrum *spectra = calloc(total, sizeof *spectra);
    for (size_t i = 0; i < total; i++)
        A[i] = example(shape[i / copies][0], shape[i / copies][1], i);
    double layer[2] = { 0, 0 }, layer_error = 0;
    for (size_t k = 0; k < SHAPES; k++) {
        double s[2] = { INFINITY, INFINITY }, mine = INFINITY, error = 0, want[768];
        for (int round = 0; round < ROUNDS; round++) {
            for (int in_double = 0; in_double < 2; in_double++)
                s[in_double] = fmin(s[in_double], lapack(A[k * copies], in_double, want));
            mine = fmin(mine, ours((batch){ A + k * copies, spectra + k * copies }, copies));
        }
        for (size_t c = 0; c < copies; c++) {
            lapack(A[k * copies + c], true, want);
            error = fmax(error, worst(&spectra[k * copies + c], want));
        }
        char name[32];
        snprintf(name, sizeof name, "%zu x %zu", shape[k][0], shape[k][1]);
        row(name, s[0], s[1], mine, error);
        layer[0] += s[0];
        layer[1] += s[1];
        layer_error = fmax(layer_error, error);
    }
    double mine = INFINITY;
    for (int round = 0; round < ROUNDS; round++)
        mine = fmin(mine, SHAPES * ours((batch){ A, spectra }, total));
    row("layer", layer[0], layer[1], mine, layer_error);
    for (size_t i = 0; i < total; i++) {
        rsd_mat_free(&A[i]);
        rsd_spectrum_free(&spectra[i]);
    }
    free(A);
    free(spectra);
    return 0;
}
