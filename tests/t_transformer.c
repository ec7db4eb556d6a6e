/* Whole models in double: against transformers' logits, loss and gradients (tests/golden/
 * make_transformers.py), against central differences, and against themselves. */
#include "boot.h"
#include "mat.h"
#include "par.h"
#include "test.h"
#include "transformer/evaluate.h"
#include "transformer/transformer.h"

#include <unistd.h>

/* clang-format off */
static const char *const cases[] = {
    "gpt_neox", "gpt_neox-sequential-tied", "gpt2", "gpt2-inner", "llama", "llama-tied-biases",
    "llama3-rope", "mistral", "qwen2", "gpt_neo",
};
/* clang-format on */
enum { CASES = sizeof cases / sizeof *cases, B = 2, T = 9, M = B * T };

/* Rotary frequencies and cosines are float32 on both sides, rounded independently: a relative error
 * of a few 2^-24 in angles of up to 9 radians. */
static const double against_transformers = 5e-6;

typedef struct {
    rsd_model *model, *reference;
    rsd_weights *w;
    rsd_gradients *grad;
    int32_t input[M], target[M];
} tiny;

static rsd_model *open_file(const char *name, const char *file)
{
    char path[256];
    rsd_model *model;
    snprintf(path, sizeof path, "transformers/%s%s", name, file);
    CHECK_OK(rsd_model_open(fixture(path), &model));
    return model;
}

static void read_reference(const tiny *m, const char *name, double *x)
{
    const rsd_tensor *t = rsd_model_find(m->reference, name);
    assert_non_null(t);
    float *f;
    CHECK_OK(rsd_array_alloc(t->elements, 1, sizeof *f, &f));
    if (t->matrix)
        CHECK_OK(rsd_model_read(m->reference, t, (rsd_mat){ f, t->rows, t->cols, t->cols }));
    else
        CHECK_OK(rsd_model_read_flat(m->reference, t, f));
    for (size_t i = 0; i < t->elements; i++)
        x[i] = f[i];
    free(f);
}

static void open_tiny(const char *name, tiny *m)
{
    double tokens[B * (T + 1)];
    m->model = open_file(name, "");
    m->reference = open_file(name, "/reference.safetensors");
    CHECK_OK(rsd_weights_load(m->model, &m->w));
    CHECK_OK(rsd_gradients_alloc(m->w, &m->grad));
    read_reference(m, "tokens", tokens);
    for (size_t b = 0; b < B; b++)
        for (size_t t = 0; t < T; t++) {
            m->input[b * T + t] = (int32_t)tokens[b * (T + 1) + t];
            m->target[b * T + t] = (int32_t)tokens[b * (T + 1) + t + 1];
        }
}

static void close_tiny(tiny *m)
{
    rsd_gradients_free(m->grad);
    rsd_weights_free(m->w);
    rsd_model_close(m->reference);
    rsd_model_close(m->model);
}

/* Mean loss; with gradients where grad is not NULL. */
static double loss_of(tiny *m, rsd_keep keep, const rsd_gradients *grad)
{
    rsd_transformer *t;
    const rsd_real *hidden;
    double loss[M];
    rsd_real *dh;
    void *work;
    CHECK_OK(rsd_transformer_alloc(m->w, RSD_PRECISION_F32, keep, M, &t));
    CHECK_OK(rsd_transformer_forward(t, m->input, B, T, &hidden));
    CHECK_OK(rsd_array_alloc(M, m->w->shape.width, sizeof *dh, &dh));
    rsd_loss l = { .M = M,
                   .model = rsd_transformer_head(t, hidden),
                   .target = m->target,
                   .ce_weight = 1.0 / M,
                   .loss = loss };
    if (grad) {
        l.dh = dh;
        l.dW = grad->head.W;
    }
    CHECK_OK(rsd_array_alloc(rsd_loss_work(&l), 1, 1, &work));
    CHECK_OK(rsd_loss_run(rsd_transformer_mm(t), &l, work));
    if (grad)
        CHECK_OK(rsd_transformer_backward(t, dh, grad));
    free(work);
    free(dh);
    rsd_transformer_free(t);
    return rsd_mean(loss, M);
}

static void logits_match(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        tiny m;
        rsd_transformer *t;
        const rsd_real *hidden;
        double want[M * 19];
        open_tiny(cases[c], &m);
        read_reference(&m, "logits", want);
        CHECK_OK(rsd_transformer_alloc(m.w, RSD_PRECISION_F32, RSD_KEEP_NOTHING, M, &t));
        CHECK_OK(rsd_transformer_forward(t, m.input, B, T, &hidden));
        const size_t C = m.w->shape.width;
        double scale = 0, worst = 0;
        for (size_t i = 0; i < M; i++)
            for (size_t v = 0; v < 19; v++) {
                double z = 0;
                for (size_t k = 0; k < C; k++)
                    z += hidden[i * C + k] * m.w->head.W.x[v * C + k];
                scale = fmax(scale, fabs(want[i * 19 + v]));
                worst = fmax(worst, fabs(z - want[i * 19 + v]));
            }
        if (!(worst <= against_transformers * scale))
            fail_msg("%s: logits differ by %g of %g", cases[c], worst, scale);
        rsd_transformer_free(t);
        close_tiny(&m);
    }
}

static void loss_and_gradients_match(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        tiny m;
        double want;
        open_tiny(cases[c], &m);
        read_reference(&m, "loss", &want);
        CHECK_CLOSE(loss_of(&m, RSD_KEEP_ALL, m.grad), want, against_transformers * want);
        size_t seen = 0;
        for (size_t i = 0; i < rsd_model_count(m.model); i++) {
            const rsd_tensor *t = rsd_model_tensor(m.model, i);
            const rsd_real *W = t->matrix ? rsd_weights_of(m.w, t) : NULL;
            const rsd_real *x = rsd_gradients_at(m.grad, m.w, W);
            char name[256];
            double g[800], norm = 0, error = 0;
            if (!x)
                continue;
            snprintf(name, sizeof name, "grad.%s", t->name);
            assert_true(t->elements <= 800);
            read_reference(&m, name, g);
            for (size_t k = 0; k < t->elements; k++) {
                norm += g[k] * g[k];
                error += (g[k] - x[k]) * (g[k] - x[k]);
            }
            if (!(error <= against_transformers * against_transformers * norm * 4))
                fail_msg("%s: %s differs by %g of its norm %g", cases[c], name, sqrt(error),
                         sqrt(norm));
            seen++;
        }
        assert_true(seen >= 4 * m.w->shape.layers);
        close_tiny(&m);
    }
}

/* Vectors (norms, biases) too: every number of the block of memory, by differences. */
static void gradients_are_differences(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        tiny m;
        open_tiny(cases[c], &m);
        loss_of(&m, RSD_KEEP_ALL, m.grad);
        for (size_t i = 0; i < m.w->count; i += 13) { /* coprime to every width */
            const double h = 1e-5, x = m.w->memory[i];
            m.w->memory[i] = x + h;
            const double up = loss_of(&m, RSD_KEEP_NOTHING, NULL);
            m.w->memory[i] = x - h;
            const double down = loss_of(&m, RSD_KEEP_NOTHING, NULL);
            m.w->memory[i] = x;
            /* h^2 f'''/6 and rounding eps f / h, both about 1e-10 */
            if (!(fabs((up - down) / (2 * h) - m.grad->memory[i]) <= 2e-8))
                fail_msg("%s: number %zu: gradient %g, by differences %g", cases[c], i,
                         m.grad->memory[i], (up - down) / (2 * h));
        }
        close_tiny(&m);
    }
}

static void recomputing_changes_nothing(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++) {
        tiny m;
        open_tiny(cases[c], &m);
        rsd_gradients *again;
        CHECK_OK(rsd_gradients_alloc(m.w, &again));
        const double all = loss_of(&m, RSD_KEEP_ALL, m.grad);
        const double inputs = loss_of(&m, RSD_KEEP_INPUTS, again);
        assert_true(all == inputs);
        assert_memory_equal(m.grad->memory, again->memory, again->count * sizeof *again->memory);
        rsd_gradients_free(again);
        close_tiny(&m);
    }
}

typedef struct {
    size_t inputs, gradients;
    double squares; /* of the gradients at layer 1's DOWN */
} seen;

static int see_input(void *context, size_t layer, rsd_slot slot, const rsd_real *x, size_t rows,
                     size_t cols)
{
    seen *s = context;
    (void)layer;
    (void)slot;
    (void)cols;
    assert_true(rows == M && isfinite(x[0]));
    s->inputs++;
    return RSD_OK;
}

static int see_gradient(void *context, size_t layer, rsd_slot slot, const rsd_real *dy, size_t rows,
                        size_t cols)
{
    seen *s = context;
    s->gradients++;
    for (size_t i = 0; layer == 1 && slot == RSD_DOWN && i < rows * cols; i++)
        s->squares += dy[i] * dy[i];
    return RSD_OK;
}

static void capture_sees_every_layer_once(void **state)
{
    (void)state;
    for (int keep = RSD_KEEP_INPUTS; keep <= RSD_KEEP_ALL; keep++) {
        tiny m;
        seen s = { 0 };
        const rsd_capture capture = { see_input, see_gradient, &s };
        rsd_transformer *t;
        const rsd_real *hidden;
        open_tiny("llama", &m);
        CHECK_OK(rsd_transformer_alloc(m.w, RSD_PRECISION_F32, (rsd_keep)keep, M, &t));
        rsd_transformer_capture(t, &capture);
        CHECK_OK(rsd_transformer_forward(t, m.input, B, T, &hidden));
        rsd_real dh[M * 8];
        for (size_t i = 0; i < M * 8; i++)
            dh[i] = sin(2.385 * (double)i);
        CHECK_OK(rsd_transformer_backward(t, dh, NULL));
        assert_int_equal(s.inputs, 14);
        assert_int_equal(s.gradients, 14);
        assert_true(s.squares > 0);
        rsd_transformer_free(t);
        close_tiny(&m);
    }
}

static void passes_refuse(void **state)
{
    (void)state;
    tiny m;
    rsd_transformer *t;
    const rsd_real *hidden;
    open_tiny("gpt2", &m);
    int32_t many[40] = { 0 };
    CHECK_OK(rsd_transformer_alloc(m.w, RSD_PRECISION_F32, RSD_KEEP_NOTHING, 20, &t));
    CHECK_FAILS(rsd_transformer_forward(t, many, 1, 17, &hidden), RSD_EARG, "context is 16");
    CHECK_FAILS(rsd_transformer_forward(t, many, 2, 15, &hidden), RSD_EARG, "memory for 20");
    many[3] = 19;
    CHECK_FAILS(rsd_transformer_forward(t, many, 1, 10, &hidden), RSD_EDOM, "19");
    rsd_transformer_free(t);
    close_tiny(&m);
}

/* A context of 2^24 positions, of which a pass uses 18, takes no table of 2^24. */
static void tables_are_for_the_rows(void **state)
{
    (void)state;
    tiny m;
    rsd_transformer *t, *far;
    open_tiny("llama", &m);
    CHECK_OK(rsd_transformer_alloc(m.w, RSD_PRECISION_F32, RSD_KEEP_NOTHING, M, &t));
    m.w->shape.context = m.w->shape.rotary.context = 1 << 24;
    CHECK_OK(rsd_transformer_alloc(m.w, RSD_PRECISION_F32, RSD_KEEP_NOTHING, M, &far));
    const size_t table = M * m.w->shape.rotary.dims * sizeof(rsd_real);
    assert_true(rsd_transformer_bytes(t) > table);
    assert_true(rsd_transformer_bytes(far) <= rsd_transformer_bytes(t) + table);
    rsd_transformer_free(far);
    rsd_transformer_free(t);
    close_tiny(&m);
}

static void configurations_refuse(void **state)
{
    (void)state;
    static const struct {
        const char *name, *config, *text;
        int code;
    } bad[] = {
        { "mamba", "{}", "no forward pass", RSD_ENOTFOUND },
        { "llama", "{\"hidden_size\":", "line 1", RSD_EFORMAT },
        { "llama", "[]", "not an object", RSD_EFORMAT },
        { "llama", "{\"hidden_size\":8}", "none may be 0 or missing", RSD_EFORMAT },
        { "llama", "{\"hidden_size\":\"8\"}", "hidden_size is \"8\"", RSD_EFORMAT },
        { "llama",
          "{\"hidden_size\":8,\"num_attention_heads\":3,\"num_key_value_heads\":2,"
          "\"num_hidden_layers\":1,\"intermediate_size\":8,\"vocab_size\":9,"
          "\"max_position_embeddings\":9}",
          "do not divide", RSD_EFORMAT },
        { "llama", "{\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}}", "yarn", RSD_EFORMAT },
        { "llama", "{\"rope_scaling\":{\"type\":\"llama3\",\"factor\":2}}", "low_freq_factor",
          RSD_EFORMAT },
        { "llama", "{\"hidden_act\":\"mish\"}", "hidden_act", RSD_EFORMAT },
        { "llama", "{\"attn_logit_softcapping\":50.0}", "attn_logit_softcapping", RSD_EFORMAT },
        { "qwen2", "{\"num_hidden_layers\":1,\"layer_types\":[\"chunked_attention\"]}",
          "'chunked_attention' of layer 0", RSD_EFORMAT },
        { "gpt2", "{\"scale_attn_by_inverse_layer_idx\":true}", "inverse_layer", RSD_EFORMAT },
        { "gpt_neo", "{\"num_layers\":2,\"attention_types\":[[[\"global\"],1]]}", "1 items, not 2",
          RSD_EFORMAT },
        { "gpt_neox", "{\"rotary_pct\":1.5}", "not a share", RSD_EFORMAT },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const rsd_arch *arch;
        rsd_shape shape;
        CHECK_FAILS(rsd_arch_configure(bad[i].name, bad[i].config, &arch, &shape), bad[i].code,
                    bad[i].text);
    }
}

static void windows_are_counted(void **state)
{
    (void)state;
    assert_int_equal(rsd_windows(0, 4), 0);
    assert_int_equal(rsd_windows(4, 4), 0);
    assert_int_equal(rsd_windows(5, 4), 1);
    assert_int_equal(rsd_windows(8, 4), 1);
    assert_int_equal(rsd_windows(9, 4), 2);
}

int main(void)
{
    rsd_par_init(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_match),
        cmocka_unit_test(loss_and_gradients_match),
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(recomputing_changes_nothing),
        cmocka_unit_test(capture_sees_every_layer_once),
        cmocka_unit_test(passes_refuse),
        cmocka_unit_test(tables_are_for_the_rows),
        cmocka_unit_test(configurations_refuse),
        cmocka_unit_test(windows_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
