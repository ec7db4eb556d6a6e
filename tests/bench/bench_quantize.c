/* Speed of every quantizer on one core: MB/s of float32 weights packed and unpacked, the best of
 * several passes, beside what memcpy does with the same bytes.
 *
 *     bench_quantize [SPEC...]      a table to standard output */
#include "quantizers/quantizer.h"
#include "rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 2048, COLUMNS = 2048, PASSES = 7 };

/* clang-format off */
static const char *const usual[] = {
    "nf4",    "nf4:double",
    "nf3",    "nf2",
    "fp4",    "int8",
    "int4",   "int4:scheme=affine",
    "int3",   "int2",
    "fp16",   "bf16",
    "fp8",    "float:format=e4m3,scale=row",
    "q4_0",   "q4_1",
    "q5_0",   "q5_1",
    "q8_0",   "mxfp4",
    "q2_k",   "q3_k",
    "q4_k",   "q5_k",
    "q6_k",   "iq4_nl",
    "iq4_xs", "tq2_0",
    "mx",     "mxfp6",
    "mxfp8",  "mxint8",
    "nvfp4",  "nvfp4:scale=none",
    "mxint4", "af4",
    "dynamic8", "int8vec",
    "kmeans", "kmeans2",
    "hqq",    "hqq:solver=none",
};
/* clang-format on */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int bench(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_mat Wq)
{
    rsd_packed packed;
    double pack = 1e30, unpack = 1e30;
    for (int i = 0; i < PASSES; i++) {
        const double start = now();
        int err = rsd_pack(spec, W, c, &packed);
        const double middle = now();
        if (!err)
            err = rsd_unpack(spec, &packed, Wq);
        const double end = now();
        rsd_packed_free(&packed);
        RSD_TRY(err);
        pack = middle - start < pack ? middle - start : pack;
        unpack = end - middle < unpack ? end - middle : unpack;
    }
    const double mb = 4e-6 * (double)W.m * (double)W.n;
    printf("%-34s%10s %10.0f %10.0f\n", spec->text, c ? "+ diag H" : "", mb / pack, mb / unpack);
    return RSD_OK;
}

/* Without a calibration, and with one where the method takes importances of the inputs. */
static int bench_both(const char *text, rsd_mat W, const double *square, rsd_mat Wq)
{
    const rsd_calibration c = { .m = W.m, .n = W.n, .square = square };
    rsd_spec spec;
    RSD_TRY(rsd_spec_parse(text, &spec));
    RSD_TRY(bench(&spec, W, NULL, Wq));
    const rsd_opt *options = spec.quantizer->options;
    return options && rsd_opt_find(options, "weights") ? bench(&spec, W, &c, Wq) : RSD_OK;
}

static void bench_memcpy(rsd_mat W, rsd_mat Wq)
{
    double best = 1e30;
    for (int i = 0; i < PASSES; i++) {
        const double start = now();
        rsd_mat_copy(W, Wq);
        const double time = now() - start;
        best = time < best ? time : best;
    }
    printf("%-44s %10.0f\n", "memcpy", 4e-6 * (double)W.m * (double)W.n / best);
}

/* A layer of pythia-160m's MLP with correlated inputs and gradients: seconds, not MB/s. */
static int bench_calibrated(void)
{
    static const char *const specs[] = { "gptq", "gptq:act_order", "gptq:metric=GH", "awq" };
    enum { M = 768, N = 3072 };
    rsd_mat W = { 0 };
    rsd_rng *rng = NULL;
    double *H = calloc((size_t)N * N, sizeof *H), *G = calloc((size_t)M * M, sizeof *G);
    static double mean[N];
    int err = H && G ? rsd_mat_alloc(M, N, &W) : RSD_FAIL(RSD_ENOMEM, "moments");
    if (!err)
        err = rsd_rng_alloc(2, "bench_quantize", &rng);
    if (!err)
        rsd_rng_normals(rng, W.x, W.m * W.n);
    for (size_t i = 0; !err && i < N; i++)
        for (size_t j = 0; j < N; j++) {
            const double r = fabs((double)i - (double)j);
            H[i * N + j] = pow(0.9, r);
            if (i < M && j < M)
                G[i * M + j] = pow(0.8, r);
            mean[i] = 1 + (double)(i * 7 % 11) / 5;
        }
    const rsd_calibration c = { .m = M, .n = N, .H = H, .G = G, .mean_abs = mean };
    printf("\n%-44s %10s\n", "768 x 3072, one core", "seconds");
    for (size_t i = 0; !err && i < sizeof specs / sizeof *specs; i++) {
        rsd_spec spec;
        rsd_packed packed = { 0 };
        const double start = now();
        err = rsd_spec_parse(specs[i], &spec);
        if (!err)
            err = rsd_pack(&spec, W, &c, &packed);
        printf("%-44s %10.2f\n", specs[i], now() - start);
        rsd_packed_free(&packed);
    }
    rsd_rng_free(rng);
    rsd_mat_free(&W);
    free(H);
    free(G);
    return err;
}

int main(int argc, char **argv)
{
    rsd_mat W, Wq;
    rsd_rng *rng;
    if (rsd_mat_alloc(ROWS, COLUMNS, &W) || rsd_mat_alloc(ROWS, COLUMNS, &Wq) ||
        rsd_rng_alloc(1, "bench_quantize", &rng)) {
        fprintf(stderr, "%s\n", rsd_errmsg());
        return 1;
    }
    static double square[COLUMNS];
    rsd_rng_normals(rng, W.x, W.m * W.n);
    for (size_t j = 0; j < COLUMNS; j++)
        square[j] = 1 + rsd_rng_uniform(rng);
    rsd_rng_free(rng);
    memset(Wq.x, 0, W.m * W.n * sizeof(float)); /* its pages exist before the clock runs */

    printf("%-44s %10s %10s\n", "MB/s of float32, one core", "pack", "unpack");
    bench_memcpy(W, Wq);
    const char *const *specs = argc > 1 ? (const char *const *)argv + 1 : usual;
    const size_t count = argc > 1 ? (size_t)argc - 1 : sizeof usual / sizeof *usual;
    int failures = 0;
    for (size_t i = 0; i < count; i++)
        if (bench_both(specs[i], W, square, Wq)) {
            fprintf(stderr, "%s\n", rsd_errmsg());
            failures++;
        }
    if (argc == 1 && bench_calibrated()) {
        fprintf(stderr, "%s\n", rsd_errmsg());
        failures++;
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
    return failures != 0;
}
