/* Training: the optimizer against PyTorch's and against its formulas, the schedule, clipping, new
 * models of every architecture, a loss that falls, and trainings that go on bit for bit. */
#include "golden/adamw.h"
#include "io/file.h"
#include "mat.h"
#include "par.h"
#include "rng.h"
#include "scratch.h"
#include "train/checkpoint.h"
#include "transformer/evaluate.h"

#include <float.h>

/* ---- the optimizer ---- */

static void adamw_is_pytorch_s(void **state)
{
    (void)state;
    const rsd_adamw_options o = { .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8 };
    rsd_adamw a;
    float x[5] = { 0.5f, -1.25f, 2.0f, 1e-3f, -0.75f }, g[5];
    CHECK_OK(rsd_adamw_alloc(5, &o, &a));
    for (size_t t = 0; t < 10; t++) {
        for (size_t i = 0; i < 5; i++)
            g[i] = (float)sin(2.385 * (double)(5 * t + i + 1));
        rsd_adamw_begin(&a);
        rsd_adamw_update(&a, 0.01, 0.1, 1, 0, 2, g, x); /* two ranges are as good as one */
        rsd_adamw_update(&a, 0.01, 0.1, 1, 2, 3, g, x);
        for (size_t i = 0; i < 5; i++) /* a few roundings of x a step, and of its change */
            CHECK_CLOSE(x[i], adamw_torch[t][i], 4 * (double)(t + 1) * FLT_EPSILON * 2);
    }
    assert_int_equal(a.step, 10);
    rsd_adamw_free(&a);
}

static void adamw_first_step_is_the_sign(void **state)
{
    (void)state;
    enum { N = 1003 };
    rsd_adamw a;
    float x[N], g[N];
    CHECK_OK(rsd_adamw_alloc(N, &rsd_adamw_defaults, &a));
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)cos(2.385 * (double)i);
        g[i] = (float)sin((double)i + 0.5);
    }
    rsd_adamw_begin(&a);
    rsd_adamw_update(&a, 0.125, 0.5, 0.25, 0, N, g, x);
    for (size_t i = 0; i < N; i++) { /* m' = d, sqrt(v') = |d|, d = g / 4 */
        const double d = 0.25 * (double)g[i];
        const double kept = cos(2.385 * (double)i) * (1 - 0.125 * 0.5);
        const double want = kept - 0.125 * d / (fabs(d) + 1e-8);
        CHECK_CLOSE(x[i], want, 8 * FLT_EPSILON);
    }
    rsd_adamw_free(&a);
}

static void adamw_without_gradient_only_decays(void **state)
{
    (void)state;
    rsd_adamw a;
    float x[2] = { 3, -8 };
    const float g[2] = { 0, 0 };
    CHECK_OK(rsd_adamw_alloc(2, &rsd_adamw_defaults, &a));
    rsd_adamw_begin(&a);
    rsd_adamw_update(&a, 0.5, 0.5, 1, 1, 1, g, x);
    assert_true(x[0] == 3 && x[1] == -6); /* and the range is kept */
    rsd_adamw_free(&a);
}

static void adamw_refuses(void **state)
{
    (void)state;
    static const rsd_adamw_options bad[] = {
        { 1, 0.9, 1e-8 }, { -0.1, 0.9, 1e-8 }, { 0.9, 1, 1e-8 }, { 0.9, 0.9, -1 }, { NAN, 0.9, 0 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rsd_adamw a;
        CHECK_FAILS(rsd_adamw_alloc(3, &bad[i], &a), RSD_EARG, "AdamW with beta");
        rsd_adamw_free(&a);
    }
    rsd_adamw a;
    CHECK_FAILS(rsd_adamw_alloc(SIZE_MAX / 4, &rsd_adamw_defaults, &a), RSD_ENOMEM, "");
    rsd_adamw_free(&a);
}

static void norms_and_clipping(void **state)
{
    (void)state;
    enum { N = (1 << 21) + 77 };
    float *x;
    double sum = 0;
    CHECK_OK(rsd_array_alloc(N, 1, sizeof *x, &x));
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)sin(2.385 * (double)i);
        sum += (double)x[i] * (double)x[i];
    }
    const double norm = rsd_norm2(x, N);
    CHECK_CLOSE(norm, sqrt(sum), N * DBL_EPSILON * sqrt(sum));
    assert_true(rsd_norm2(x, 0) == 0);
    for (size_t i = 0; i < 4; i++)
        x[i] = 3e30f; /* squares are beyond float */
    CHECK_CLOSE(rsd_norm2(x, 4), 6e30, 1e-6 * 6e30);
    free(x);
    assert_true(rsd_clip(5, 1) == 0.2);
    assert_true(rsd_clip(1, 1) == 1 && rsd_clip(0.5, 1) == 1 && rsd_clip(5, 0) == 1);
    assert_true(rsd_clip(0, 1) == 1);
}

static void schedule_values(void **state)
{
    (void)state;
    const rsd_schedule s = { .steps = 13, .warmup = 5, .peak = 2, .floor = 0.5 };
    for (size_t i = 0; i < 5; i++)
        CHECK_CLOSE(rsd_schedule_rate(&s, i), 0.4 * (double)(i + 1), 4 * DBL_EPSILON);
    CHECK_CLOSE(rsd_schedule_rate(&s, 7), 0.5 + 1.5 * 0.75,
                4 * DBL_EPSILON); /* a third of 4 .. 13 */
    CHECK_CLOSE(rsd_schedule_rate(&s, 10), 0.5 + 1.5 * 0.25, 4 * DBL_EPSILON);
    assert_true(rsd_schedule_rate(&s, 12) > 0.5); /* the floor is one step behind the last */
    assert_true(rsd_schedule_rate(&s, 13) == 0.5 && rsd_schedule_rate(&s, 99) == 0.5);
    for (size_t i = 5; i < 12; i++)
        assert_true(rsd_schedule_rate(&s, i) > rsd_schedule_rate(&s, i + 1));
    const rsd_schedule bare = { .steps = 3, .peak = 1 };
    assert_true(rsd_schedule_rate(&bare, 0) == 1 && rsd_schedule_rate(&bare, 3) == 0);
    CHECK_CLOSE(rsd_schedule_rate(&bare, 1), 0.75, DBL_EPSILON);
    CHECK_CLOSE(rsd_schedule_rate(&bare, 2), 0.25, DBL_EPSILON);
    const rsd_schedule rise = { .steps = 2, .warmup = 2, .peak = 1 };
    assert_true(rsd_schedule_rate(&rise, 0) == 0.5 && rsd_schedule_rate(&rise, 1) == 1);
    for (size_t steps = 1; steps < 20; steps++) /* every step of every training trains */
        for (size_t warmup = 0; warmup <= steps; warmup++)
            for (size_t i = 0; i < steps; i++)
                assert_true(rsd_schedule_rate(&(rsd_schedule){ steps, warmup, 1, 0 }, i) > 0);
    assert_true(rsd_schedule_rate(&(rsd_schedule){ 1, 0, 1, 0 }, 0) == 1);
}

/* ---- new models ---- */

static char *read_text(const char *path)
{
    rsd_map map;
    char *text;
    CHECK_OK(rsd_map_open(path, &map));
    CHECK_OK(rsd_array_alloc(map.size + 1, 1, 1, &text));
    memcpy(text, map.data, map.size);
    text[map.size] = 0;
    rsd_map_close(&map);
    return text;
}

/* A folder `name` with the configuration of a committed tiny model and new weights. */
static void create(const char *name, const char *tiny, uint64_t seed, rsd_model **model,
                   rsd_weights **w)
{
    char file[128];
    snprintf(file, sizeof file, "transformers/%s/config.json", tiny);
    char *text = read_text(fixture(file));
    snprintf(file, sizeof file, "%s/config.json", name);
    put_text(file, text);
    snprintf(file, sizeof file, "%s/model.safetensors", name);
    CHECK_OK(rsd_create(text, seed, in_scratch(file)));
    free(text);
    CHECK_OK(rsd_model_open(in_scratch(name), model));
    CHECK_OK(rsd_weights_load(*model, w));
}

/* The names and shapes are those that transformers gave the committed models. */
static void new_models_have_the_same_tensors(void **state)
{
    (void)state;
    static const char *const cases[] = { "gpt_neox", "gpt_neox-sequential-tied",
                                         "gpt2",     "gpt2-inner",
                                         "llama",    "llama3-rope",
                                         "mistral",  "qwen2",
                                         "gpt_neo" };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rsd_model *model, *known;
        rsd_weights *w;
        char path[128];
        create(cases[c], cases[c], 7, &model, &w);
        snprintf(path, sizeof path, "transformers/%s", cases[c]);
        CHECK_OK(rsd_model_open(fixture(path), &known));
        assert_int_equal(rsd_model_count(model), rsd_model_count(known));
        for (size_t i = 0; i < rsd_model_count(known); i++) {
            const rsd_tensor *k = rsd_model_tensor(known, i), *t = rsd_model_find(model, k->name);
            if (!t || t->ndim != k->ndim || memcmp(t->shape, k->shape, k->ndim * sizeof *k->shape))
                fail_msg("%s: %s is missing or of another shape", cases[c], k->name);
        }
        rsd_model_close(known);
        rsd_weights_free(w);
        rsd_model_close(model);
    }
}

/* Written and read again is the same, also where the file has matrices turned. */
static void weights_survive_writing(void **state)
{
    (void)state;
    rsd_model *model, *copy;
    rsd_weights *w, *again;
    rsd_parameters p;
    create("gpt2", "gpt2", 3, &model, &w);
    CHECK_OK(rsd_parameters_list(w->arch, &w->shape, w, &p));
    for (size_t i = 0; i < w->count; i++)
        if (w->memory[i] != 0) /* numbers that float16 has, and padding stays 0 */
            w->memory[i] = (float)((int)(i % 2039) - 1019) / 1024;
    static const rsd_dtype types[] = { RSD_F32, RSD_F16 };
    for (size_t k = 0; k < 2; k++) {
        CHECK_OK(rsd_parameters_write(&p, types[k], in_scratch("gpt2/model.safetensors")));
        CHECK_OK(rsd_model_open(in_scratch("gpt2"), &copy));
        CHECK_OK(rsd_weights_load(copy, &again));
        assert_int_equal(again->count, w->count);
        assert_memory_equal(again->memory, w->memory, w->count * sizeof *w->memory);
        rsd_weights_free(again);
        rsd_model_close(copy);
    }
    p.item[0].x[1] = 7e4f;
    CHECK_FAILS(rsd_parameters_write(&p, RSD_F16, in_scratch("gpt2/big.safetensors")), RSD_EDOM,
                "beyond");
    assert_false(in_scratch_exists("gpt2/big.safetensors"));
    rsd_parameters_free(&p);
    rsd_weights_free(w);
    rsd_model_close(model);
}

static void initial_values(void **state)
{
    (void)state;
    static const char config[] =
        "{\"model_type\":\"gpt_neox\",\"hidden_size\":64,\"num_hidden_layers\":8,"
        "\"num_attention_heads\":2,\"intermediate_size\":256,\"vocab_size\":300,"
        "\"max_position_embeddings\":64}";
    rsd_model *model;
    rsd_weights *w;
    put_text("init/config.json", config);
    CHECK_OK(rsd_create(config, 5, in_scratch("init/model.safetensors")));
    CHECK_OK(rsd_model_open(in_scratch("init"), &model));
    CHECK_OK(rsd_weights_load(model, &w));
    const struct {
        const rsd_real *x;
        size_t n;
        double scale;
    } normal[] = {
        { w->embedding.E, 300 * 64, 0.02 },
        { w->block[3].linear[RSD_UP].W.x, 256 * 64, 0.02 },
        { w->block[3].linear[RSD_DOWN].W.x, 256 * 64, 0.02 / 4 },
        { w->block[7].linear[RSD_O].W.x, 64 * 64, 0.02 / 4 },
    };
    for (size_t k = 0; k < 4; k++) { /* six standard errors of mean and of the deviation */
        const double n = (double)normal[k].n, s = normal[k].scale;
        double sum = 0, squares = 0;
        for (size_t i = 0; i < normal[k].n; i++) {
            sum += (double)normal[k].x[i];
            squares += (double)normal[k].x[i] * (double)normal[k].x[i];
        }
        CHECK_CLOSE(sum / n, 0, 6 * s / sqrt(n));
        CHECK_CLOSE(sqrt(squares / n), s, 6 * s / sqrt(2 * n));
    }
    for (size_t i = 0; i < 64; i++)
        assert_true(w->block[0].norm1.w[i] == 1 && w->final_norm.b[i] == 0 &&
                    w->block[7].linear[RSD_O].bias[i] == 0);
    rsd_weights_free(w);
    rsd_model_close(model);
    CHECK_FAILS(rsd_create("{}", 1, in_scratch("x")), RSD_EFORMAT, "no model_type");
    CHECK_FAILS(rsd_create("{\"model_type\":\"mamba\"}", 1, in_scratch("x")), RSD_ENOTFOUND,
                "mamba");
    CHECK_FAILS(rsd_create("{", 1, in_scratch("x")), RSD_EFORMAT, "line 1");
    CHECK_FAILS(rsd_create(config, 1, in_scratch("nowhere/x")), RSD_EIO, "nowhere");
}

/* ---- training ---- */

enum { T = 8, WINDOWS = 4 };

static rsd_tokens *open_tokens(size_t windows)
{
    uint16_t id[64 * T + 1];
    rsd_tokens *tokens;
    for (size_t i = 0; i <= windows * T; i++)
        id[i] = (uint16_t)(rsd_seed(i, "token") % 19);
    put_file("train.u16", id, 2 * (windows * T + 1));
    CHECK_OK(rsd_tokens_open(in_scratch("train.u16"), NULL, &tokens));
    return tokens;
}

static const rsd_pretrain_options usual = {
    .context = T,
    .batch = WINDOWS,
    .pass = WINDOWS,
    .schedule = { .steps = 300, .warmup = 10, .peak = 1e-2, .floor = 1e-3 },
    .adamw = { .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8 },
    .clip = 1,
    .seed = 11,
    .precision = RSD_PRECISION_F32,
};

/* Four windows are learned by heart, by every architecture. */
static void loss_falls_to_nothing(void **state)
{
    (void)state;
    static const char *const cases[] = { "gpt_neox", "gpt_neox-sequential-tied",
                                         "gpt2",     "llama",
                                         "qwen2",    "gpt_neo" };
    rsd_tokens *tokens = open_tokens(WINDOWS);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rsd_model *model;
        rsd_weights *w;
        rsd_pretrain p;
        rsd_step s = { 0 };
        create("overfit", cases[c], 1, &model, &w);
        CHECK_OK(rsd_pretrain_alloc(w, tokens, &usual, &p));
        CHECK_OK(rsd_pretrain_step(&p, &s));
        CHECK_CLOSE(s.loss, log(19), 0.05); /* it knows nothing yet */
        for (size_t i = 1; i < usual.schedule.steps; i++)
            CHECK_OK(rsd_pretrain_step(&p, &s));
        if (!(s.loss < 0.1))
            fail_msg("%s: loss %g after %zu steps", cases[c], s.loss, p.adamw.step);
        rsd_pretrain_free(&p);
        rsd_weights_free(w);
        rsd_model_close(model);
    }
    rsd_tokens_close(tokens);
}

/* The first step by hand: the gradient is clipped, matrices decay, vectors do not. */
static void a_step_clips_and_decays(void **state)
{
    (void)state;
    rsd_tokens *tokens = open_tokens(WINDOWS);
    rsd_model *model;
    rsd_weights *w;
    rsd_pretrain p;
    rsd_step s;
    rsd_pretrain_options o = usual;
    float *before;
    o.clip = 1e-3;
    o.decay = 0.5;
    create("step", "gpt_neox", 1, &model, &w);
    CHECK_OK(rsd_pretrain_alloc(w, tokens, &o, &p));
    CHECK_OK(rsd_array_alloc(w->count, 1, sizeof *before, &before));
    memcpy(before, w->memory, w->count * sizeof *before);
    CHECK_OK(rsd_pretrain_step(&p, &s));
    assert_true(s.norm > 0.01 && s.rate == 1e-3);
    for (size_t k = 0; k < p.parameters.count; k++) {
        const rsd_parameter *q = &p.parameters.item[k];
        const size_t first = (size_t)(q->x - w->memory);
        for (size_t i = first; i < first + rsd_parameter_elements(q); i++) {
            const double d = 1e-3 / s.norm * (double)p.grad->memory[i];
            const double kept = (double)before[i] * (q->cols ? 1 - 1e-3 * 0.5 : 1);
            CHECK_CLOSE(w->memory[i], kept - 1e-3 * d / (fabs(d) + 1e-8),
                        2 * FLT_EPSILON * (fabs(kept) + 0.01));
        }
    }
    free(before);
    rsd_pretrain_free(&p);
    rsd_weights_free(w);
    rsd_model_close(model);
    rsd_tokens_close(tokens);
}

/* Gradients of a step's passes add up: the same step in one pass or in three of 2, 2 and 1. */
static void passes_add_up(void **state)
{
    (void)state;
    rsd_tokens *tokens = open_tokens(7);
    rsd_step s[2];
    float *memory[2];
    size_t count = 0;
    for (size_t k = 0; k < 2; k++) {
        rsd_model *model;
        rsd_weights *w;
        rsd_pretrain p;
        rsd_pretrain_options o = usual;
        o.batch = 5;
        o.pass = k ? 2 : 50;
        create("passes", "gpt_neox", 1, &model, &w);
        CHECK_OK(rsd_pretrain_alloc(w, tokens, &o, &p));
        for (size_t i = 0; i < 3; i++) /* the second and third take windows of two epochs */
            CHECK_OK(rsd_pretrain_step(&p, &s[k]));
        count = w->count;
        CHECK_OK(rsd_array_alloc(count, 1, sizeof *memory[k], &memory[k]));
        memcpy(memory[k], w->memory, count * sizeof *memory[k]);
        rsd_pretrain_free(&p);
        rsd_weights_free(w);
        rsd_model_close(model);
    }
    CHECK_CLOSE(s[0].loss, s[1].loss, 1e-5);
    CHECK_CLOSE(s[0].norm, s[1].norm, 1e-4 * s[0].norm);
    double differ = 0, moved = 0;
    for (size_t i = 0; i < count; i++) {
        differ += pow((double)memory[0][i] - (double)memory[1][i], 2);
        moved += pow((double)memory[0][i], 2);
    }
    assert_true(differ < 1e-6 * moved); /* AdamW divides rounding noise by gradients near 0 */
    free(memory[0]);
    free(memory[1]);
    rsd_tokens_close(tokens);
}

/* An epoch takes every window once: after it the order is another one, of the same windows. */
static void epochs_are_permutations(void **state)
{
    (void)state;
    enum { N = 60 };
    rsd_tokens *tokens = open_tokens(N);
    rsd_model *model;
    rsd_weights *w;
    rsd_pretrain p;
    rsd_step s;
    size_t first[N];
    create("epochs", "gpt_neox", 1, &model, &w);
    CHECK_OK(rsd_pretrain_alloc(w, tokens, &usual, &p));
    for (size_t epoch = 0; epoch < 2; epoch++) {
        bool seen[N] = { false };
        for (size_t i = 0; i < N / WINDOWS; i++)
            CHECK_OK(rsd_pretrain_step(&p, &s));
        assert_int_equal(p.reader.epoch, epoch);
        for (size_t i = 0; i < N; i++) {
            assert_true(p.reader.order[i] < N && !seen[p.reader.order[i]]);
            seen[p.reader.order[i]] = true;
        }
        if (epoch == 0)
            memcpy(first, p.reader.order, sizeof first);
    }
    assert_memory_not_equal(first, p.reader.order, sizeof first);
    rsd_pretrain_free(&p);
    rsd_weights_free(w);
    rsd_model_close(model);
    rsd_tokens_close(tokens);
}

/* Steps [from, to), then what is in memory; through a file where from is not 0. */
static void run_part(const rsd_tokens *tokens, const rsd_pretrain_options *o, size_t from,
                     size_t to, float **out, size_t *count)
{
    rsd_model *model;
    rsd_weights *w;
    rsd_pretrain p;
    rsd_step s;
    rsd_progress progress = { .best = 2.5, .best_step = 3 };
    memset(progress.identity, 'a', 64);
    create("resume", "gpt_neox", 1, &model, &w);
    CHECK_OK(rsd_pretrain_alloc(w, tokens, o, &p));
    if (from) {
        progress.best = 0;
        progress.best_step = 0;
        CHECK_OK(rsd_checkpoint_read(&p, &progress, in_scratch("state.safetensors")));
        assert_int_equal(p.adamw.step, from);
        assert_true(progress.best == 2.5 && progress.best_step == 3);
    }
    while (p.adamw.step < to)
        CHECK_OK(rsd_pretrain_step(&p, &s));
    CHECK_OK(rsd_checkpoint_write(&p, &progress, in_scratch("state.safetensors")));
    *count = 3 * w->count;
    CHECK_OK(rsd_array_alloc(*count, 1, sizeof **out, out));
    memcpy(*out, w->memory, w->count * sizeof **out);
    memcpy(*out + w->count, p.adamw.moments, 2 * w->count * sizeof **out);
    rsd_pretrain_free(&p);
    rsd_weights_free(w);
    rsd_model_close(model);
}

static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    rsd_tokens *tokens = open_tokens(7);
    for (int precision = RSD_PRECISION_F32; precision <= RSD_PRECISION_BF16; precision++) {
        rsd_pretrain_options o = usual;
        float *whole, *part;
        size_t n, m;
        o.precision = (rsd_precision)precision;
        o.decay = 0.1;
        o.batch = 3;
        run_part(tokens, &o, 0, 20, &whole, &n);
        run_part(tokens, &o, 0, 9, &part, &m);
        assert_memory_not_equal(whole, part, n * sizeof *whole);
        free(part);
        run_part(tokens, &o, 9, 20, &part, &m);
        assert_memory_equal(whole, part, n * sizeof *whole);
        free(part);
        free(whole);
    }
    rsd_tokens_close(tokens);
}

static void states_are_checked(void **state)
{
    (void)state;
    rsd_tokens *tokens = open_tokens(7);
    rsd_model *model, *other;
    rsd_weights *w, *wider;
    rsd_pretrain p, q;
    rsd_progress progress = { .best = INFINITY };
    memset(progress.identity, 'b', 64);
    create("state", "gpt_neox", 1, &model, &w);
    CHECK_OK(rsd_pretrain_alloc(w, tokens, &usual, &p));
    CHECK_OK(rsd_checkpoint_write(&p, &progress, in_scratch("s")));
    CHECK_OK(rsd_checkpoint_read(&p, &progress, in_scratch("s")));
    assert_true(isinf(progress.best));
    create("other", "gpt2", 1, &other, &wider);
    CHECK_OK(rsd_pretrain_alloc(wider, tokens, &usual, &q));
    CHECK_FAILS(rsd_checkpoint_read(&q, &progress, in_scratch("s")), RSD_EFORMAT, "'weights'");
    progress.identity[0] = 'x';
    CHECK_FAILS(rsd_checkpoint_read(&p, &progress, in_scratch("s")), RSD_EARG, "another");
    CHECK_FAILS(rsd_checkpoint_read(&p, &progress, in_scratch("none")), RSD_EIO, "none");
    CHECK_FAILS(rsd_checkpoint_read(&p, &progress, in_scratch("state/model.safetensors")),
                RSD_EFORMAT, "no tensor 'identity'");
    CHECK_FAILS(rsd_checkpoint_write(&p, &progress, in_scratch("no/s")), RSD_EIO, "no/s");
    rsd_pretrain_free(&q);
    rsd_weights_free(wider);
    rsd_model_close(other);
    rsd_pretrain_free(&p);
    rsd_weights_free(w);
    rsd_model_close(model);
    rsd_tokens_close(tokens);
}

static void trainings_refuse(void **state)
{
    (void)state;
    rsd_tokens *tokens = open_tokens(2);
    rsd_model *model;
    rsd_weights *w;
    rsd_pretrain p;
    rsd_step s;
    rsd_pretrain_options o = usual;
    create("refuse", "gpt_neox", 1, &model, &w);
    o.context = 17;
    CHECK_FAILS(rsd_pretrain_alloc(w, tokens, &o, &p), RSD_EARG, "0 windows of 17");
    rsd_pretrain_free(&p);
    o = usual;
    o.batch = 0;
    CHECK_FAILS(rsd_pretrain_alloc(w, tokens, &o, &p), RSD_EARG, "none may be 0");
    rsd_pretrain_free(&p);
    CHECK_OK(rsd_pretrain_alloc(w, tokens, &usual, &p));
    float *before;
    CHECK_OK(rsd_array_alloc(w->count, 1, sizeof *before, &before));
    for (size_t i = 0; i < 16 * 19; i++) /* of the token table, which comes first */
        w->memory[i] = NAN;
    memcpy(before, w->memory, w->count * sizeof *before);
    CHECK_FAILS(rsd_pretrain_step(&p, &s), RSD_EDOM, "");
    assert_memory_equal(before, w->memory, w->count * sizeof *before);
    assert_int_equal(p.adamw.step, 0);
    free(before);
    rsd_pretrain_free(&p);
    rsd_weights_free(w);
    rsd_model_close(model);
    rsd_tokens_close(tokens);

    rsd_weights *biased; /* a Llama with biases, which a new one has not */
    CHECK_OK(rsd_model_open(fixture("transformers/llama-tied-biases"), &model));
    CHECK_OK(rsd_weights_load(model, &biased));
    tokens = open_tokens(2);
    CHECK_FAILS(rsd_pretrain_alloc(biased, tokens, &usual, &p), RSD_EARG, "by default");
    rsd_pretrain_free(&p);
    rsd_weights_free(biased);
    rsd_model_close(model);
    rsd_tokens_close(tokens);
}

int main(void)
{
    rsd_par_init(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_is_pytorch_s),
        cmocka_unit_test(adamw_first_step_is_the_sign),
        cmocka_unit_test(adamw_without_gradient_only_decays),
        cmocka_unit_test(adamw_refuses),
        cmocka_unit_test(norms_and_clipping),
        cmocka_unit_test(schedule_values),
        cmocka_unit_test(new_models_have_the_same_tensors),
        cmocka_unit_test(weights_survive_writing),
        cmocka_unit_test(initial_values),
        cmocka_unit_test(loss_falls_to_nothing),
        cmocka_unit_test(a_step_clips_and_decays),
        cmocka_unit_test(passes_add_up),
        cmocka_unit_test(epochs_are_permutations),
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(states_are_checked),
        cmocka_unit_test(trainings_refuse),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
