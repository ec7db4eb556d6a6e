/* Steps of recovery training: LoRA of rank 8 on every linear layer of a model quantized to nf2, 8
 * windows of 256 tokens a step, float32, two threads, on the models of shared/models.
 * bench_recover.py is the peer.
 *
 *   bench_recover MODEL BASE    one line, BASE 0 dense, 1 packed, 2 packed with the blocks run
 * again on the way back; without arguments all of them, each in its own process, so that peak
 * memory is its own */
#include "adapters/adapted.h"
#include "par.h"
#include "train/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONTEXT = 256, BATCH = 8, RANK = 8, STEPS = 12, BASES = 3 };

static const char *const models[] = { "stories260k", "babyllama-105" };
static const char *const bases[] = { "dense", "packed", "packed, again" };
enum { MODELS = sizeof models / sizeof *models };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Folder of a model, or NULL where it is missing. */
static const char *folder_of(const char *name)
{
    static char path[4096];
    char config[4200];
    const char *shared = getenv("RSD_SHARED"), *src = getenv("srcdir");
    if (shared)
        snprintf(path, sizeof path, "%s/models/%s", shared, name);
    else
        snprintf(path, sizeof path, "%s/../shared/models/%s", src ? src : ".", name);
    snprintf(config, sizeof config, "%s/config.json", path);
    return access(config, R_OK) == 0 ? path : NULL;
}

typedef struct {
    rsd_model *model;
    rsd_tokens *tokens;
    rsd_weights *w;
    rsd_base base;
    rsd_adapters adapters, grad;
    rsd_transformer *t;
    rsd_adapted *adapted;
    rsd_recover *r;
} bench;

/* Every linear layer as nf2: its bytes into the base, or its numbers into the weights. */
static int quantize(bench *b, bool packed)
{
    rsd_spec spec;
    RSD_TRY(rsd_spec_parse("nf2", &spec));
    RSD_TRY(rsd_base_alloc(b->w->shape.layers, &b->base));
    for (size_t i = 0; i < b->w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_tensor *tensor = b->w->block[i].tensor[s];
            rsd_packed bytes;
            rsd_mat W;
            if (!tensor)
                continue;
            RSD_TRY(rsd_mat_alloc(tensor->rows, tensor->cols, &W));
            RSD_TRY(rsd_model_read(b->model, tensor, W));
            RSD_TRY(rsd_pack(&spec, W, NULL, &bytes));
            if (packed)
                rsd_base_put(&b->base, i, s, &spec, &bytes);
            else {
                RSD_TRY(rsd_unpack(&spec, &bytes, W));
                memcpy(rsd_weights_of(b->w, tensor), W.x, W.m * W.n * sizeof *W.x);
                rsd_packed_free(&bytes);
            }
            rsd_mat_free(&W);
        }
    return RSD_OK;
}

static int adapt(bench *b, bool packed, rsd_keep keep)
{
    rsd_adapter_plan plan[RSD_LAYERS_MAX][RSD_LINEARS] = { 0 };
    for (size_t i = 0; i < b->w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            plan[i][s] = (rsd_adapter_plan){ .rank = b->w->block[i].tensor[s] ? RANK : 0,
                                             .pool = 1,
                                             .scale = 2 };
    RSD_TRY(rsd_adapters_alloc(b->w, RSD_LORA, (const rsd_adapter_plan(*)[RSD_LINEARS])plan,
                               &b->adapters));
    RSD_TRY(rsd_adapters_like(&b->adapters, &b->grad));
    for (size_t i = 0; i < b->adapters.count; i++) /* A and B alike: gradients of both */
        b->adapters.memory[i] = 0.01f * (float)((int)(i * 37 % 101) - 50) / 50;
    const rsd_adapted_options options = {
        .weights = b->w,
        .base = packed ? &b->base : NULL,
        .adapters = &b->adapters,
        .grad = &b->grad,
        .rows = BATCH * CONTEXT,
    };
    RSD_TRY(rsd_transformer_alloc(b->w, RSD_PRECISION_F32, keep, BATCH * CONTEXT, &b->t));
    RSD_TRY(rsd_adapted_alloc(&options, rsd_transformer_mm(b->t), &b->adapted));
    return rsd_transformer_hook(b->t, rsd_adapted_hook(b->adapted));
}

static int open_all(bench *b, const char *folder, size_t base)
{
    char path[4200];
    const bool packed = base > 0;
    const rsd_recover_options options = {
        .context = CONTEXT,
        .batch = BATCH,
        .pass = BATCH,
        .schedule = { .steps = STEPS, .warmup = 2, .peak = 1e-3 },
        .adamw = rsd_adamw_defaults,
        .clip = 1,
        .b_ratio = 1,
        .seed = 1,
    };
    snprintf(path, sizeof path, "%s/train.tokens.u16", folder);
    RSD_TRY(rsd_model_open(folder, &b->model));
    RSD_TRY(rsd_tokens_open(path, NULL, &b->tokens));
    RSD_TRY(packed ? rsd_weights_load_frame(b->model, &b->w) : rsd_weights_load(b->model, &b->w));
    RSD_TRY(quantize(b, packed));
    RSD_TRY(adapt(b, packed, base == 2 ? RSD_KEEP_INPUTS : RSD_KEEP_ALL));
    return rsd_recover_alloc(b->t, b->adapted, &b->adapters, &b->grad, NULL, b->tokens, &options,
                             &b->r);
}

static int measure(const char *folder, const char *name, size_t base)
{
    bench b = { 0 };
    rsd_step s = { 0 };
    double best = 1e9;
    struct rusage use;
    RSD_TRY(open_all(&b, folder, base));
    for (size_t i = 0; i < STEPS; i++) {
        const double start = now();
        RSD_TRY(rsd_recover_step(b.r, &s));
        const double took = now() - start;
        best = i && took < best ? took : best; /* the first compiles products */
    }
    getrusage(RUSAGE_SELF, &use);
    printf("%-14s %-14s %7.2f steps/s  %8.0f tokens/s  peak %5ld MB  loss %.4f\n", name,
           bases[base], 1 / best, BATCH * CONTEXT / best, use.ru_maxrss / 1024, s.loss);
    rsd_recover_free(b.r);
    rsd_adapted_free(b.adapted);
    rsd_transformer_free(b.t);
    rsd_adapters_free(&b.adapters);
    rsd_adapters_free(&b.grad);
    rsd_base_free(&b.base);
    rsd_weights_free(b.w);
    rsd_tokens_close(b.tokens);
    rsd_model_close(b.model);
    return RSD_OK;
}

static int run_alone(char *program, const char *model, size_t base)
{
    char number[8];
    int status;
    snprintf(number, sizeof number, "%zu", base);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        execl(program, program, model, number, (char *)NULL);
        _exit(127);
    }
    return child < 0 || waitpid(child, &status, 0) < 0 || status != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        const char *folder = folder_of(argv[1]);
        const size_t base = (size_t)atoi(argv[2]);
        rsd_par_init(2);
        if (folder && base < BASES && !measure(folder, argv[1], base))
            return 0;
        fprintf(stderr, "bench_recover: %s\n", folder ? rsd_errmsg() : "no such model");
        return 1;
    }
    for (size_t m = 0; m < MODELS; m++) {
        if (!folder_of(models[m])) {
            printf("%s: not beside the checkout, skipped\n", models[m]);
            continue;
        }
        for (size_t base = 0; base < BASES; base++)
            if (run_alone(argv[0], models[m], base))
                return 1;
    }
    return 0;
}
