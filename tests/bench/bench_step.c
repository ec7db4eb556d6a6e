/* Forward, loss and backward to every activation, weights frozen (what adapter training does beside
 * its own small products), on random models of two real shapes.  bench_step.py is the peer.
 *
 *   bench_step SHAPE PRECISION    one line; without arguments all of them, each in its own process,
 *                                 so that peak memory is its own */
#include "io/file.h"
#include "par.h"
#include "rng.h"
#include "transformer/create.h"
#include "transformer/transformer.h"
#include "mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { B = 4, T = 512, M = B * T, REPEATS = 3 };

static const struct {
    const char *name, *config;
} shapes[] = {
    { "pythia-160m",
      "{\"model_type\":\"gpt_neox\",\"hidden_size\":768,\"num_hidden_layers\":12,"
      "\"num_attention_heads\":12,\"intermediate_size\":3072,\"vocab_size\":50304,"
      "\"max_position_embeddings\":2048,\"rotary_pct\":0.25,\"use_parallel_residual\":true}" },
    { "stories15M",
      "{\"model_type\":\"llama\",\"hidden_size\":288,\"num_hidden_layers\":6,"
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

static int make_weights(const char *config, rsd_weights **w)
{
    char folder[] = "/tmp/bench_stepXXXXXX", path[64], command[64];
    rsd_model *model;
    rsd_writer text;
    if (!mkdtemp(folder))
        return RSD_FAIL(RSD_EIO, "no temporary folder");
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    RSD_TRY(rsd_create(config, 1, path));
    snprintf(path, sizeof path, "%s/config.json", folder);
    RSD_TRY(rsd_writer_open(path, &text));
    RSD_TRY(rsd_writer_put(&text, config, strlen(config)));
    RSD_TRY(rsd_writer_commit(&text));
    RSD_TRY(rsd_model_open(folder, &model));
    const int err = rsd_weights_load(model, w);
    rsd_model_close(model);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) ? RSD_EIO : err;
}

static int step(rsd_transformer *t, const int32_t *token, rsd_real *dh, void *work, double *loss)
{
    const rsd_real *hidden;
    RSD_TRY(rsd_transformer_forward(t, token, B, T, &hidden));
    const rsd_loss l = { .M = M, .model = rsd_transformer_head(t, hidden), .target = token + 1,
                         .ce_weight = 1.0 / M, .loss = loss, .dh = dh };
    RSD_TRY(rsd_loss_run(rsd_transformer_mm(t), &l, work));
    return rsd_transformer_backward(t, dh, NULL);
}

static int measure(size_t shape, rsd_precision precision)
{
    static int32_t token[M + 1];
    static double loss[M];
    rsd_weights *w = NULL;
    rsd_transformer *t = NULL;
    rsd_rng *rng = NULL;
    rsd_real *dh = NULL;
    void *work = NULL;
    int err = RSD_OK;
    double best = 1e9;
    struct rusage use;
    RSD_TRY_DONE(make_weights(shapes[shape].config, &w));
    RSD_TRY_DONE(rsd_transformer_alloc(w, precision, RSD_KEEP_ALL, M, &t));
    RSD_TRY_DONE(rsd_rng_alloc(1, "bench", &rng));
    for (size_t i = 0; i <= M; i++)
        token[i] = (int32_t)(rsd_rng_uniform(rng) * (double)w->shape.vocab);
    const rsd_loss l = { .M = M, .model = rsd_transformer_head(t, NULL), .dh = (rsd_real *)loss };
    RSD_TRY_DONE(rsd_array_alloc(M, w->shape.width, sizeof *dh, &dh));
    RSD_TRY_DONE(rsd_array_alloc(rsd_loss_work(&l), 1, 1, &work));
    for (int i = 0; i <= REPEATS; i++) {
        const double start = now();
        RSD_TRY_DONE(step(t, token, dh, work, loss));
        if (i && now() - start < best) /* the first warms up */
            best = now() - start;
    }
    getrusage(RUSAGE_SELF, &use);
    printf("%-12s %-5s %8.0f tokens/s  %6.2f s a step of %d x %d  peak %5ld MB\n",
           shapes[shape].name, precision == RSD_PRECISION_F32 ? "f32" : "bf16", M / best, best, B, T,
           use.ru_maxrss / 1024);
done:
    if (err)
        fprintf(stderr, "bench_step: %s\n", rsd_errmsg());
    free(work);
    free(dh);
    rsd_rng_free(rng);
    rsd_transformer_free(t);
    rsd_weights_free(w);
    return err;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3) {
        rsd_par_init(2);
        return measure((size_t)atoi(argv[1]), (rsd_precision)atoi(argv[2])) != RSD_OK;
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
