/* A training step, forward, loss and backward to rank-16 LoRA adapters on every linear layer of the
 * blocks, on random models of two real shapes; what it takes, and where the time goes.
 * bench_step.py is the peer.
 *
 *   bench_step SHAPE PRECISION [packed]   one model; without arguments all of them, each in its own
 *                                         process, so that peak memory is its own
 *
 * Tokens per second are by the clock, the parts by processor time of all threads, which a machine
 * that others use too does not stretch.  Linear layers are timed inside the step, through the hook;
 * attention is repeated by itself; loss is with its head's products; the rest is norms,
 * activations, rotary and copies.  The peak is a large square product in the same precision. */
#include "adapters/adapted.h"
#include "io/file.h"
#include "mat.h"
#include "par.h"
#include "rng.h"
#include "transformer/create.h"
#include "transformer/transformer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { B = 4, T = 512, M = B * T, RANK = 16, THREADS = 2, REPEATS = 4, SQUARE = 2048 };

static const struct {
    const char *name, *config;
} shapes[] = {
    { "pythia-160m",
      "{\"model_type\":\"gpt_neox\",\"hidden_size\":768,\"num_hidden_layers\":12,"
      "\"num_attention_heads\":12,\"intermediate_size\":3072,\"vocab_size\":50304,"
      "\"max_position_embeddings\":2048,\"rotary_pct\":0.25,\"use_parallel_residual\":true}" },
    { "stories15M", "{\"model_type\":\"llama\",\"hidden_size\":288,\"num_hidden_layers\":6,"
                    "\"num_attention_heads\":6,\"num_key_value_heads\":6,\"intermediate_size\":768,"
                    "\"vocab_size\":32000,\"max_position_embeddings\":2048,\"rms_norm_eps\":1e-5,"
                    "\"tie_word_embeddings\":true}" },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double processor(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Every linear layer, read one by one, as nf4. */
static int pack_weights(const rsd_model *model, const rsd_weights *w, rsd_base *base)
{
    rsd_spec spec;
    RSD_TRY(rsd_spec_parse("nf4", &spec));
    RSD_TRY(rsd_base_alloc(w->shape.layers, base));
    for (size_t i = 0; i < w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_tensor *tensor = w->block[i].tensor[s];
            rsd_mat W;
            rsd_packed packed = { 0 };
            if (!tensor)
                continue;
            RSD_TRY(rsd_mat_alloc(tensor->rows, tensor->cols, &W));
            int err = rsd_model_read(model, tensor, W);
            err = err ? err : rsd_pack(&spec, W, NULL, &packed);
            rsd_mat_free(&W);
            if (!err)
                rsd_base_put(base, i, s, &spec, &packed);
            rsd_packed_free(&packed);
            RSD_TRY(err);
        }
    return RSD_OK;
}

/* base NULL: dense. */
static int load(const char *folder, rsd_weights **w, rsd_base *base)
{
    rsd_model *model;
    RSD_TRY(rsd_model_open(folder, &model));
    int err = base ? rsd_weights_load_frame(model, w) : rsd_weights_load(model, w);
    if (!err && base)
        err = pack_weights(model, *w, base);
    rsd_model_close(model);
    return err;
}

static int make_weights(const char *config, rsd_weights **w, rsd_base *base)
{
    char folder[] = "/tmp/bench_stepXXXXXX", path[64], command[64];
    rsd_writer text;
    if (!mkdtemp(folder))
        return RSD_FAIL(RSD_EIO, "no temporary folder");
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    RSD_TRY(rsd_create(config, 1, path));
    snprintf(path, sizeof path, "%s/config.json", folder);
    RSD_TRY(rsd_writer_open(path, &text));
    RSD_TRY(rsd_writer_put(&text, config, strlen(config)));
    RSD_TRY(rsd_writer_commit(&text));
    const int err = load(folder, w, base);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) ? RSD_EIO : err;
}

static int make_adapters(const rsd_weights *w, rsd_adapters *adapters, rsd_adapters *grad)
{
    rsd_adapter_plan(*plan)[RSD_LINEARS] = calloc(w->shape.layers, sizeof *plan);
    if (!plan)
        return RSD_FAIL(RSD_ENOMEM, "plans");
    for (size_t i = 0; i < w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            if (w->block[i].linear[s].W.rows)
                plan[i][s] = (rsd_adapter_plan){ RANK, 1, 1 };
    int err =
        rsd_adapters_alloc(w, RSD_LORA, (const rsd_adapter_plan(*)[RSD_LINEARS])plan, adapters);
    if (!err)
        err = rsd_adapters_like(adapters, grad);
    free(plan);
    for (size_t i = 0; !err && i < adapters->count; i++)
        adapters->memory[i] = 1e-3f * (float)(i % 17) - 8e-3f;
    return err;
}

/* The hook that it wraps, and the processor time spent inside. */
typedef struct {
    const rsd_linear_hook *inner;
    double time;
} timed;

static int timed_forward(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor x,
                         rsd_real *y, bool accumulate)
{
    timed *t = context;
    const double start = processor();
    const int err = t->inner->forward(t->inner->context, mm, layer, slot, x, y, accumulate);
    t->time += processor() - start;
    return err;
}

static int timed_backward(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor dy,
                          rsd_factor x, rsd_real *dx, bool accumulate)
{
    timed *t = context;
    const double start = processor();
    const int err = t->inner->backward(t->inner->context, mm, layer, slot, dy, x, dx, accumulate);
    t->time += processor() - start;
    return err;
}

typedef struct {
    rsd_weights *w;
    rsd_base base;
    rsd_adapters adapters, grad;
    rsd_transformer *t;
    rsd_adapted *adapted;
    rsd_real *dh;
    void *work;
    int32_t token[M + 1];
    double loss[M];
    timed linear;
} bench;

/* Seconds of one step: by the clock, and of processor time, whole and by part. */
typedef struct {
    double clock, all, forward, loss, backward, linear;
} parts;

static int step(bench *b, parts *p)
{
    const rsd_real *hidden;
    b->linear.time = 0;
    const double clock = now(), start = processor();
    RSD_TRY(rsd_adapted_refresh(b->adapted));
    RSD_TRY(rsd_transformer_forward(b->t, b->token, B, T, &hidden));
    const double forward = processor();
    const rsd_loss l = { .M = M,
                         .model = rsd_transformer_head(b->t, hidden),
                         .target = b->token + 1,
                         .ce_weight = 1.0 / M,
                         .loss = b->loss,
                         .dh = b->dh };
    RSD_TRY(rsd_loss_run(rsd_transformer_mm(b->t), &l, b->work));
    const double loss = processor();
    RSD_TRY(rsd_transformer_backward(b->t, b->dh, NULL));
    const double end = processor();
    *p = (parts){ now() - clock,  end - start, forward - start,
                  loss - forward, end - loss,  b->linear.time };
    return RSD_OK;
}

/* ---- what the parts are measured against ---- */

static int attention_time(const rsd_shape *s, double *best)
{
    const rsd_attention a = { .B = B,
                              .T = T,
                              .H = s->heads,
                              .KV = s->kv_heads,
                              .D = s->head_size,
                              .scale = s->attention_scale };
    const size_t row = s->heads * s->head_size;
    rsd_real *x, *lse;
    void *work;
    RSD_TRY(rsd_array_alloc(8 * M, row, sizeof *x, &x));
    RSD_TRY(rsd_array_alloc(M, s->heads, sizeof *lse, &lse));
    RSD_TRY(rsd_array_alloc(rsd_attention_work(&a), 1, 1, &work));
    rsd_heads h[8];
    for (size_t i = 0; i < 8; i++)
        h[i] = (rsd_heads){ x + i * M * row, row, s->head_size };
    for (size_t i = 0; i < 8 * M * row; i++)
        x[i] = (rsd_real)(i % 13) * 0.01f;
    *best = 1e9;
    int err = RSD_OK;
    for (int i = 0; i < REPEATS && !err; i++) {
        const double start = processor();
        err = rsd_attention_forward(&a, h[0], h[1], h[2], h[3], lse, work);
        const rsd_attention_gradient g = { .q = h[0],
                                           .k = h[1],
                                           .v = h[2],
                                           .o = h[3],
                                           .d_o = h[4],
                                           .lse = lse,
                                           .dq = h[5],
                                           .dk = h[6],
                                           .dv = h[7] };
        err = err ? err : rsd_attention_backward(&a, &g, work);
        *best = processor() - start < *best ? processor() - start : *best;
    }
    *best *= (double)s->layers;
    free(work);
    free(lse);
    free(x);
    return err;
}

static int peak_gflops(rsd_precision precision, double *gflops)
{
    rsd_matmul *mm;
    rsd_real *x;
    rsd_half *half[2];
    RSD_TRY(rsd_matmul_alloc(precision, &mm));
    RSD_TRY(rsd_array_alloc(3 * SQUARE, SQUARE, sizeof *x, &x));
    for (size_t i = 0; i < (size_t)3 * SQUARE * SQUARE; i++)
        x[i] = (rsd_real)(i % 7);
    rsd_product p = { .A = rsd_dense(x, SQUARE, SQUARE),
                      .B = rsd_dense(x + SQUARE * SQUARE, SQUARE, SQUARE),
                      .alpha = 1,
                      .C = x + 2 * SQUARE * SQUARE,
                      .ldc = SQUARE };
    RSD_TRY(rsd_matmul_prepare(mm, &p.A, &half[0]));
    RSD_TRY(rsd_matmul_prepare(mm, &p.B, &half[1]));
    double best = 1e9;
    int err = RSD_OK;
    for (int i = 0; i < 6 && !err; i++) {
        const double start = processor();
        err = rsd_matmul_run(mm, &p);
        best = processor() - start < best ? processor() - start : best;
    }
    *gflops = 2e-9 * SQUARE * SQUARE * SQUARE / best;
    free(half[0]);
    free(half[1]);
    free(x);
    rsd_matmul_free(mm);
    return err;
}

/* Multiplications and additions of a step, 1e9: every W twice (y and dx), every adapter three times
 * two products, the head twice, attention's 2 products forward and 5 back of half a T x T. */
static void work_of(const rsd_weights *w, double *linear, double *head, double *attention)
{
    const rsd_shape *s = &w->shape;
    *linear = 0;
    for (size_t i = 0; i < s->layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++) {
            const double m = (double)w->block[i].linear[k].W.rows;
            const double n = (double)w->block[i].linear[k].W.cols;
            *linear += 2e-9 * M * (2 * m * n + 3 * RANK * (m + n));
        }
    *head = 4e-9 * M * (double)s->vocab * (double)s->width;
    *attention = 7e-9 * M * T * (double)(s->heads * s->head_size) * (double)s->layers;
}

static int report(const bench *b, const char *name, rsd_precision precision, const parts *best)
{
    double attention, peak, linear_work, head_work, attention_work;
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    RSD_TRY(attention_time(&b->w->shape, &attention));
    RSD_TRY(peak_gflops(precision, &peak));
    work_of(b->w, &linear_work, &head_work, &attention_work);
    const double all = linear_work + head_work + attention_work, time = best->all;
    printf("%-12s %-5s %8.0f tokens/s  %6.2f s a step of %d x %d, %6.2f s of processor time  peak "
           "%5ld MB%s\n",
           name, precision == RSD_PRECISION_F32 ? "f32" : "bf16", M / best->clock, best->clock, B,
           T, time, use.ru_maxrss / 1024, b->base.layers ? "  (packed nf4)" : "");
    printf("  time: linear layers %.0f %%, attention %.0f %%, loss and head %.0f %%, rest %.0f %%; "
           "forward %.2f s, loss %.2f s, backward %.2f s\n",
           100 * best->linear / time, 100 * attention / time, 100 * best->loss / time,
           100 * (time - best->linear - attention - best->loss) / time, best->forward, best->loss,
           best->backward);
    printf("  GFLOP/s a core: product of %d x %d %.0f; linear layers %.0f (%.0f %%), loss and head "
           "%.0f (%.0f %%), attention %.0f (%.0f %%), step %.0f (%.0f %%)\n",
           SQUARE, SQUARE, peak, linear_work / best->linear,
           100 * linear_work / best->linear / peak, head_work / best->loss,
           100 * head_work / best->loss / peak, attention_work / attention,
           100 * attention_work / attention / peak, all / time, 100 * all / time / peak);
    return RSD_OK;
}

static int prepare(bench *b, size_t shape, rsd_precision precision, bool packed)
{
    rsd_rng *rng;
    RSD_TRY(make_weights(shapes[shape].config, &b->w, packed ? &b->base : NULL));
    RSD_TRY(make_adapters(b->w, &b->adapters, &b->grad));
    RSD_TRY(rsd_transformer_alloc(b->w, precision, RSD_KEEP_ALL, M, &b->t));
    const rsd_adapted_options o = { .weights = b->w,
                                    .base = packed ? &b->base : NULL,
                                    .adapters = &b->adapters,
                                    .grad = &b->grad,
                                    .rows = M };
    RSD_TRY(rsd_adapted_alloc(&o, rsd_transformer_mm(b->t), &b->adapted));
    RSD_TRY(rsd_rng_alloc(1, "bench", &rng));
    for (size_t i = 0; i <= M; i++)
        b->token[i] = (int32_t)(rsd_rng_uniform(rng) * (double)b->w->shape.vocab);
    rsd_rng_free(rng);
    const rsd_loss l = { .M = M, .model = rsd_transformer_head(b->t, NULL), .dh = b->grad.memory };
    RSD_TRY(rsd_array_alloc(M, b->w->shape.width, sizeof *b->dh, &b->dh));
    return rsd_array_alloc(rsd_loss_work(&l), 1, 1, &b->work);
}

static int measure(size_t shape, rsd_precision precision, bool packed)
{
    static bench b;
    parts best = { .clock = 1e9, .all = 1e9 };
    int err = RSD_OK;
    RSD_TRY_DONE(prepare(&b, shape, precision, packed));
    b.linear.inner = rsd_adapted_hook(b.adapted);
    const rsd_linear_hook hook = { timed_forward, timed_backward, b.linear.inner->trains,
                                   &b.linear };
    RSD_TRY_DONE(rsd_transformer_hook(b.t, &hook));
    for (int i = 0; i <= REPEATS; i++) {
        parts p;
        RSD_TRY_DONE(step(&b, &p));
        const double clock = p.clock < best.clock ? p.clock : best.clock;
        if (i && p.all < best.all) /* the first warms up */
            best = p;
        best.clock = clock;
    }
    err = report(&b, shapes[shape].name, precision, &best);
done:
    if (err)
        fprintf(stderr, "bench_step: %s\n", rsd_errmsg());
    free(b.work);
    free(b.dh);
    rsd_adapted_free(b.adapted);
    rsd_transformer_free(b.t);
    rsd_adapters_free(&b.grad);
    rsd_adapters_free(&b.adapters);
    rsd_base_free(&b.base);
    rsd_weights_free(b.w);
    return err;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc >= 3) {
        rsd_par_init(THREADS);
        return measure((size_t)atoi(argv[1]), (rsd_precision)atoi(argv[2]), argc > 3) != RSD_OK;
    }
    for (size_t s = 0; s < SHAPES; s++)
        for (int p = RSD_PRECISION_F32; p <= RSD_PRECISION_BF16; p++) {
            char shape[8], precision[8];
            int status;
            snprintf(shape, sizeof shape, "%zu", s);
            snprintf(precision, sizeof precision, "%d", p);
            const pid_t child = fork();
            if (child == 0) {
                execl(argv[0], argv[0], shape, precision, (char *)NULL);
                _exit(127);
            }
            if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
                return 1;
        }
    return 0;
}
