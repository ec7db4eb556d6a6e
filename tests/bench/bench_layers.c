/* Speed of the transformer's layers on the shapes of pythia-160m and stories15M, batch 4 x 512.
 *
 *   bench_layers [threads]
 *
 * Products: GFLOP/s of rsd_matmul in float32 and bfloat16 (the weight's copy made ahead, the
 * activations' on the way) against OpenBLAS sgemm with as many threads.  Attention: GFLOP/s
 * of the causal half that is asked for.  The rest: GB/s of what has to be read and written. The
 * best of some rounds each. */
#include "par.h"
#include "transformer/activation.h"
#include "transformer/attention.h"
#include "transformer/linear.h"
#include "transformer/loss.h"
#include "transformer/norm.h"
#include "transformer/rotary.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { M = 2048, ROUNDS = 5 };

static void must(int err)
{
    if (!err)
        return;
    fprintf(stderr, "%s\n", rsd_errmsg());
    exit(1);
}

static float *numbers(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 2048) / 1024 - 1;
    return x;
}

/* ---- products: y = x W', M x in by in x out ---- */

typedef enum { FORWARD, BACKWARD, WEIGHT } direction;
static const char *const direction_name[] = { "y = x W'", "dx = dy W", "dW += dy' x" };

typedef struct {
    size_t in, out;
    float *x, *W, *y;
    rsd_matmul *mm;
    rsd_factor weight;
} product_case;

static void ours(product_case *c, direction d)
{
    const rsd_linear l = { c->weight, NULL };
    const rsd_factor x = rsd_dense(c->x, M, c->in), y = rsd_dense(c->y, M, c->out);
    if (d == FORWARD)
        must(rsd_linear_forward(c->mm, &l, x, c->y, false));
    else if (d == BACKWARD)
        must(rsd_linear_backward(c->mm, &l, y, c->x, false));
    else
        must(rsd_linear_backward_weight(c->mm, y, x, c->W, NULL));
}

static void openblas(product_case *c, direction d)
{
    const int in = (int)c->in, out = (int)c->out;
    openblas_set_num_threads((int)rsd_par_threads());
    if (d == FORWARD)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, M, out, in, 1, c->x, in, c->W, in, 0,
                    c->y, out);
    else if (d == BACKWARD)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, M, in, out, 1, c->y, out, c->W, in,
                    0, c->x, in);
    else
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, M, 1, c->y, out, c->x, in, 1,
                    c->W, in);
    openblas_set_num_threads(1);
}

static double product_rate(product_case *c, direction d, void (*run)(product_case *, direction))
{
    double best = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = omp_get_wtime();
        run(c, d);
        best = fmin(best, omp_get_wtime() - start);
    }
    return 2e-9 * M * (double)c->in * (double)c->out / best;
}

static void products(size_t in, size_t out)
{
    product_case c = { in, out, numbers(M * in), numbers(in * out), numbers(M * out), NULL, { 0 } };
    for (direction d = FORWARD; d <= WEIGHT; d++) {
        double rate[2];
        for (int half = 0; half < 2; half++) {
            rsd_half *copy;
            must(rsd_matmul_alloc(half ? RSD_PRECISION_BF16 : RSD_PRECISION_F32, &c.mm));
            c.weight = rsd_dense(c.W, out, in);
            must(rsd_matmul_prepare(c.mm, &c.weight, &copy));
            rate[half] = product_rate(&c, d, ours);
            free(copy);
            rsd_matmul_free(c.mm);
        }
        const double blas = product_rate(&c, d, openblas);
        printf("%5zu -> %-6zu %-12s %8.0f %8.0f %8.0f %7.2fx %7.2fx\n", in, out, direction_name[d],
               rate[0], rate[1], blas, rate[0] / blas, rate[1] / blas);
    }
    free(c.x);
    free(c.W);
    free(c.y);
}

/* ---- attention ---- */

static void attention(rsd_attention a)
{
    const size_t rows = a.B * a.T, Q = a.H * a.D, K = a.KV * a.D, row = Q + 2 * K;
    float *qkv = numbers(rows * row), *dqkv = numbers(rows * row), *o = numbers(rows * Q);
    float *d_o = numbers(rows * Q), *lse = numbers(a.B * a.H * a.T);
    const rsd_heads q = { qkv, row, a.D }, k = { qkv + Q, row, a.D }, v = { qkv + Q + K, row, a.D };
    const rsd_attention_gradient g = { .q = q,
                                       .k = k,
                                       .v = v,
                                       .o = { o, Q, a.D },
                                       .d_o = { d_o, Q, a.D },
                                       .lse = lse,
                                       .dq = { dqkv, row, a.D },
                                       .dk = { dqkv + Q, row, a.D },
                                       .dv = { dqkv + Q + K, row, a.D } };
    void *work = aligned_alloc(64, (rsd_attention_work(&a) + 63) / 64 * 64);
    double forward = INFINITY, backward = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = omp_get_wtime();
        must(rsd_attention_forward(&a, q, k, v, g.o, lse, work));
        const double middle = omp_get_wtime();
        must(rsd_attention_backward(&a, &g, work));
        forward = fmin(forward, middle - start);
        backward = fmin(backward, omp_get_wtime() - middle);
    }
    const double flops = 2e-9 * (double)(rows * a.H) * (double)a.T * (double)a.D; /* 2 products */
    printf("attention B=%zu T=%zu H=%zu/%zu D=%zu: forward %.1f ms (%.0f GFLOP/s), "
           "backward %.1f ms (%.0f GFLOP/s), work %.1f MiB\n",
           a.B, a.T, a.H, a.KV, a.D, 1e3 * forward, flops / forward, 1e3 * backward,
           2.5 * flops / backward, (double)rsd_attention_work(&a) / (1 << 20));
    free(qkv);
    free(dqkv);
    free(o);
    free(d_o);
    free(lse);
    free(work);
}

/* ---- element by element ---- */

enum { C = 768, N = M * 3072 };
static float *xs, *ys, *zs, *ws, *stats;
static rsd_rotary *rope;
static const rsd_norm *norm;

static void gelu(void) { rsd_activation_forward(RSD_GELU, xs, ys, N); }
static void gelu_back(void) { rsd_activation_backward(RSD_GELU, zs, xs, ys, N); }
static void gelu_tanh(void) { rsd_activation_forward(RSD_GELU_TANH, xs, ys, N); }
static void gelu_tanh_back(void) { rsd_activation_backward(RSD_GELU_TANH, zs, xs, ys, N); }
static void swiglu(void) { rsd_gated_forward(RSD_SILU, xs, ys, zs, N); }
static void swiglu_back(void) { rsd_gated_backward(RSD_SILU, zs, xs, ys, ws, zs, N); }
static void layernorm(void) { rsd_layernorm_forward(norm, xs, M * 4, ys, stats, stats + M * 4); }
static void layernorm_back(void)
{
    rsd_layernorm_backward(norm, zs, xs, stats, stats + M * 4, M * 4, ys, NULL, NULL);
}
static void rotary(void) { rsd_rotary_forward(rope, (rsd_heads){ xs, 3072, 64 }, 4, 512, 48, 0); }
static void rounding(void) { rsd_half_round(xs, N, 1, N, (rsd_half *)ys); }

static void elements(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
        double bytes; /* moved for each of N numbers */
    } row[] = { { "gelu", gelu, 8 },           { "gelu backward", gelu_back, 12 },
                { "gelu_tanh", gelu_tanh, 8 }, { "gelu_tanh backward", gelu_tanh_back, 12 },
                { "swiglu", swiglu, 12 },      { "swiglu backward", swiglu_back, 20 },
                { "layernorm", layernorm, 8 }, { "layernorm backward", layernorm_back, 16 },
                { "rotary", rotary, 8 },       { "round to bfloat16", rounding, 6 } };
    const rsd_rotary_spec spec = { .dims = 64, .context = 512, .theta = 10000 };
    xs = numbers(N);
    ys = numbers(N);
    zs = numbers(N);
    ws = numbers(N);
    stats = numbers(8 * M);
    norm = &(rsd_norm){ C, ws, zs, 1e-5 };
    must(rsd_rotary_alloc(&spec, &rope));
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        double best = INFINITY;
        for (int round = 0; round < ROUNDS; round++) {
            const double start = omp_get_wtime();
            row[i].run();
            best = fmin(best, omp_get_wtime() - start);
        }
        printf("%-20s %6.2f ns, %6.1f GB/s\n", row[i].name, 1e9 * best / N,
               1e-9 * row[i].bytes * N / best);
    }
    rsd_rotary_free(rope);
    free(xs);
    free(ys);
    free(zs);
    free(ws);
    free(stats);
}

/* ---- loss ---- */

static void loss(size_t channels, size_t V)
{
    float *h = numbers(M * channels), *W = numbers(V * channels), *dh = numbers(M * channels);
    int32_t *target = calloc(M, sizeof *target);
    double nats[M];
    for (int half = 0; half < 2; half++) {
        rsd_matmul *mm;
        rsd_half *copy;
        must(rsd_matmul_alloc(half ? RSD_PRECISION_BF16 : RSD_PRECISION_F32, &mm));
        rsd_loss l = { .M = M,
                       .model = { h, rsd_dense(W, V, channels) },
                       .target = target,
                       .ce_weight = 1.0 / M,
                       .loss = nats,
                       .dh = dh };
        must(rsd_matmul_prepare(mm, &l.model.W, &copy));
        void *work = aligned_alloc(64, (rsd_loss_work(&l) + 63) / 64 * 64);
        double best = INFINITY;
        for (int round = 0; round < 3; round++) {
            const double start = omp_get_wtime();
            must(rsd_loss_run(mm, &l, work));
            best = fmin(best, omp_get_wtime() - start);
        }
        printf("loss %zu -> %zu %s: %.0f ms with dh (%.0f GFLOP/s), work %.1f + %.1f MiB\n",
               channels, V, half ? "bf16" : "f32", 1e3 * best,
               4e-9 * M * (double)channels * (double)V / best,
               (double)rsd_loss_work(&l) / (1 << 20), (double)rsd_matmul_bytes(mm) / (1 << 20));
        free(work);
        free(copy);
        rsd_matmul_free(mm);
    }
    free(h);
    free(W);
    free(dh);
    free(target);
}

int main(int argc, char **argv)
{
    rsd_par_init(argc > 1 ? (size_t)atoi(argv[1]) : 0);
    printf("%zu threads, %d rows; GFLOP/s\n", rsd_par_threads(), M);
    printf("%-28s %8s %8s %8s %8s %8s\n", "product", "f32", "bf16", "sgemm", "f32/", "bf16/");
    static const size_t shape[][2] = { { 768, 768 },  { 768, 2304 }, { 768, 3072 },
                                       { 3072, 768 }, { 288, 288 },  { 288, 768 },
                                       { 768, 288 },  { 768, 16 },   { 16, 768 } };
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        products(shape[i][0], shape[i][1]);
    attention((rsd_attention){ 4, 512, 12, 12, 64, 0.125, 0 });
    attention((rsd_attention){ 4, 512, 6, 6, 48, 0.144, 0 });
    attention((rsd_attention){ 1, 2048, 12, 4, 64, 0.125, 0 });
    attention((rsd_attention){ 1, 2048, 12, 12, 64, 1, 256 });
    elements();
    loss(768, 50304);
    loss(288, 32000);
    return 0;
}
