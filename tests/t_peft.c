/* PEFT's format: adapters that PEFT wrote compute what PEFT computed, what is written is read again
 * as it was, variants that PEFT has not are written as the LoRA that computes the same, and
 * everything that would be read wrongly is refused by name. */
#include "adapters/adapted.h"
#include "adapters/peft_folder.h"
#include "io/peft.h"
#include "io/safetensors.h"
#include "io/tokens.h"
#include "par.h"
#include "rng.h"
#include "scratch.h"
#include "transformer/transformer.h"

#include <float.h>

typedef struct {
    rsd_model *model;
    rsd_weights *w;
} base;

static base open_base(const char *name)
{
    base b;
    char path[128];
    snprintf(path, sizeof path, "transformers/%s", name);
    CHECK_OK(rsd_model_open(fixture(path), &b.model));
    CHECK_OK(rsd_weights_load(b.model, &b.w));
    return b;
}

static void close_base(base *b)
{
    rsd_weights_free(b->w);
    rsd_model_close(b->model);
}

/* ---- what PEFT wrote ---- */

/* Logits of the first window, from the reference that lies beside the adapter. */
static void compare_logits(const char *folder, const rsd_real *logits, size_t rows, size_t V)
{
    char path[4200];
    rsd_map map;
    rsd_safetensors st;
    snprintf(path, sizeof path, "%s/reference.safetensors", folder);
    CHECK_OK(rsd_map_open(path, &map));
    CHECK_OK(rsd_safetensors_parse(map.data, map.size, &st));
    bool found = false;
    for (size_t i = 0; i < st.count; i++) {
        const rsd_st_entry *e = &st.entry[i];
        if (strcmp(e->name, "logits") != 0)
            continue;
        found = true;
        assert_int_equal(e->bytes, rows * V * sizeof(double));
        const double *want = (const double *)(const void *)(map.data + e->offset);
        for (size_t k = 0; k < rows * V; k++) /* logits of a few units through some 20 layers */
            CHECK_CLOSE((double)logits[k], want[k], 200 * FLT_EPSILON * (1 + fabs(want[k])));
    }
    assert_true(found);
    rsd_safetensors_free(&st);
    rsd_map_close(&map);
}

static void peft_s_adapters_compute_the_same(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const cases[][2] = {
        { "llama", "peft/llama-lora" },       { "llama", "peft/llama-dora" },
        { "llama", "peft/llama-rslora" },     { "llama", "peft/llama-patterns" },
        { "gpt_neox", "peft/gpt_neox-lora" }, { "gpt_neox", "peft/gpt_neox-dora" },
    };
    /* clang-format on */
    enum { T = 8 };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        base b = open_base(cases[c][0]);
        rsd_adapters a;
        rsd_transformer *t;
        rsd_adapted *adapted;
        rsd_tokens *tokens;
        int32_t token[T];
        const rsd_real *hidden;
        rsd_real *logits;
        const size_t V = b.w->shape.vocab, C = b.w->shape.width;
        CHECK_OK(rsd_tokens_open(fixture("peft/tokens.u16"), NULL, &tokens));
        CHECK_OK(rsd_tokens_read(tokens, 0, T, token));
        CHECK_OK(rsd_peft_read(fixture(cases[c][1]), b.w, &a));
        CHECK_OK(rsd_transformer_alloc(b.w, RSD_PRECISION_F32, RSD_KEEP_NOTHING, T, &t));
        CHECK_OK(
            rsd_adapted_alloc(&(rsd_adapted_options){ .weights = b.w, .adapters = &a, .rows = T },
                              rsd_transformer_mm(t), &adapted));
        CHECK_OK(rsd_transformer_hook(t, rsd_adapted_hook(adapted)));
        CHECK_OK(rsd_transformer_forward(t, token, 1, T, &hidden));
        CHECK_OK(rsd_array_alloc(T, V, sizeof *logits, &logits));
        CHECK_OK(
            rsd_matmul_run(rsd_transformer_mm(t), &(rsd_product){ .A = rsd_dense(hidden, T, C),
                                                                  .B = rsd_transpose(b.w->head.W),
                                                                  .alpha = 1,
                                                                  .C = logits,
                                                                  .ldc = V }));
        compare_logits(fixture(cases[c][1]), logits, T, V);
        free(logits);
        rsd_adapted_free(adapted);
        rsd_transformer_free(t);
        rsd_tokens_close(tokens);
        rsd_adapters_free(&a);
        close_base(&b);
    }
}

/* ---- written and read again ---- */

/* Adapters on every layer, their numbers random; `uneven`: ranks and scales differ, one layer has
 * none. */
static rsd_adapters make(const rsd_weights *w, rsd_variant v, size_t pool, bool uneven, bool root)
{
    rsd_adapters a;
    rsd_rng *rng;
    rsd_adapter_plan(*plan)[RSD_LINEARS];
    CHECK_OK(rsd_array_alloc(w->shape.layers, 1, sizeof *plan, &plan));
    for (size_t i = 0; i < w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const bool there = w->block[i].linear[s].W.rows > 0;
            const size_t rank = !there ? 0 : uneven ? (i + s + 1) % 3 : 2;
            const double r = (double)(rank ? rank : 1);
            plan[i][s] = (rsd_adapter_plan){ .rank = rank,
                                             .pool = pool,
                                             .scale = (float)(8 / (root ? sqrt(r) : r)) };
        }
    if (uneven)
        plan[0][RSD_UP].scale = 0.3f; /* alpha is no whole number */
    CHECK_OK(rsd_adapters_alloc(w, v, (const rsd_adapter_plan(*)[RSD_LINEARS])plan, &a));
    CHECK_OK(rsd_rng_alloc(1, "adapters", &rng));
    for (size_t i = 0; i < a.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_adapter *l = &a.layer[i][s];
            if (!l->rank)
                continue;
            rsd_rng_normals(rng, l->A, l->rank * (l->n / l->pool));
            rsd_rng_normals(rng, l->B, l->m * l->rank);
            if (l->lambda)
                rsd_rng_normals(rng, l->lambda, l->rank);
            if (l->magnitude)
                rsd_rng_normals(rng, l->magnitude, l->m);
        }
    rsd_rng_free(rng);
    free(plan);
    return a;
}

static void check_same(const rsd_adapters *a, const rsd_adapters *b)
{
    assert_int_equal(a->variant, b->variant);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->memory, b->memory, a->count * sizeof *a->memory);
    for (size_t i = 0; i < a->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            assert_int_equal(a->layer[i][s].rank, b->layer[i][s].rank);
            if (a->layer[i][s].rank && a->layer[i][s].scale != b->layer[i][s].scale)
                fail_msg("layer %zu, %s: scale %.9g, was %.9g", i, rsd_slot_role(s),
                         (double)b->layer[i][s].scale, (double)a->layer[i][s].scale);
        }
}

static void written_is_read(void **state)
{
    (void)state;
    static const char *const models[] = {
        "llama", "gpt_neox", "gpt2", "gpt_neo", "qwen2", "mistral"
    };
    for (size_t k = 0; k < sizeof models / sizeof *models; k++)
        for (int v = RSD_LORA; v <= RSD_DORA; v++)
            for (int flags = 0; flags < 4; flags++) {
                base b = open_base(models[k]);
                rsd_adapters a = make(b.w, (rsd_variant)v, 1, flags & 1, flags & 2), again;
                const rsd_peft_options o = { .base = "some/model", .rslora = flags & 2 };
                CHECK_OK(rsd_peft_write(in_scratch("peft/out"), &a, b.w, &o));
                CHECK_OK(rsd_peft_read(in_scratch("peft/out"), b.w, &again));
                check_same(&a, &again);
                rsd_adapters_free(&again);
                rsd_adapters_free(&a);
                close_base(&b);
            }
}

/* Variants of our own: the LoRA that is read back adds the same matrix. */
static void same_correction(rsd_variant v, size_t pool)
{
    base b = open_base("llama");
    rsd_adapters a = make(b.w, v, pool, v == RSD_ADALORA, false), again;
    if (v == RSD_ADALORA) {
        a.layer[0][RSD_Q].lambda[0] = 0; /* its only one */
        a.layer[0][RSD_K].lambda[0] = 0; /* of two */
    }
    CHECK_OK(rsd_peft_write(in_scratch("own"), &a, b.w, &(rsd_peft_options){ 0 }));
    CHECK_OK(rsd_peft_read(in_scratch("own"), b.w, &again));
    assert_int_equal(again.variant, RSD_LORA);
    for (size_t i = 0; i < a.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_adapter *x = &a.layer[i][s], *y = &again.layer[i][s];
            rsd_mat C, D;
            if (!x->rank)
                continue;
            CHECK_OK(rsd_mat_alloc(x->m, x->n, &C));
            CHECK_OK(rsd_mat_alloc(x->m, x->n, &D));
            CHECK_OK(rsd_adapter_delta(x, C));
            if (y->rank)
                CHECK_OK(rsd_adapter_delta(y, D));
            else
                memset(D.x, 0, x->m * x->n * sizeof *D.x);
            for (size_t j = 0; j < x->m * x->n; j++) /* two products of 2, in another order */
                CHECK_CLOSE(D.x[j], C.x[j], 16 * FLT_EPSILON * 50);
            rsd_mat_free(&C);
            rsd_mat_free(&D);
        }
    if (v == RSD_ADALORA) {
        assert_int_equal(again.layer[0][RSD_Q].rank, 0);
        assert_int_equal(again.layer[0][RSD_K].rank, 1);
    }
    rsd_adapters_free(&again);
    rsd_adapters_free(&a);
    close_base(&b);
}

static void own_variants_are_written_as_lora(void **state)
{
    (void)state;
    same_correction(RSD_ADALORA, 1);
    same_correction(RSD_QALORA, 4);
}

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

static void configuration_says(const char *model, bool uneven, const char *const *want)
{
    base b = open_base(model);
    rsd_adapters a = make(b.w, RSD_LORA, 1, uneven, false);
    CHECK_OK(rsd_peft_write(in_scratch("conf"), &a, b.w, &(rsd_peft_options){ 0 }));
    char *text = read_text(in_scratch("conf/adapter_config.json"));
    for (; *want; want++)
        if (!strstr(text, *want))
            fail_msg("%s: no %s in\n%s", model, *want, text);
    free(text);
    rsd_adapters_free(&a);
    close_base(&b);
}

static void configurations(void **state)
{
    (void)state;
    configuration_says("gpt2", false,
                       (const char *const[]){ "\"fan_in_fan_out\": true", "\"attn.c_attn\"",
                                              "\"attn.c_proj\"", "\"mlp.c_fc\"", "\"mlp.c_proj\"",
                                              "\"rank_pattern\": {}", "\"r\": 2,",
                                              "\"lora_alpha\": 8", "\"peft_type\": \"LORA\"",
                                              "\"base_model_name_or_path\": null",
                                              "\"task_type\": \"CAUSAL_LM\"", NULL });
    configuration_says("llama", true,
                       (const char *const[]){
                           "\"fan_in_fan_out\": false", "\"model.layers.1.mlp.gate_proj\"",
                           "\"alpha_pattern\": {\n", "\"model.layers.0.mlp.up_proj\": 0.", NULL });
}

/* ---- refusals ---- */

#define HEAD "\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4"

static void read_config(const char *members, int code, const char *text)
{
    char json[1024];
    rsd_peft_config c;
    snprintf(json, sizeof json, "{%s}", members);
    put_text("c.json", json);
    if (code)
        CHECK_FAILS(rsd_peft_config_read(in_scratch("c.json"), &c), code, text);
    else
        CHECK_OK(rsd_peft_config_read(in_scratch("c.json"), &c));
    rsd_peft_config_free(&c);
}

static void configurations_are_checked(void **state)
{
    (void)state;
    read_config(HEAD, RSD_OK, "");
    read_config(HEAD
                ",\"init_lora_weights\":\"gaussian\",\"some_new_flag\":null,\"megatron_core\":"
                "\"megatron.core\",\"modules_to_save\":null,\"lora_bias\":false,\"bias\":\"none\"",
                RSD_OK, "");
    static const struct {
        const char *members, *text;
    } bad[] = {
        { "\"r\":2,\"lora_alpha\":4", "'peft_type' is missing" },
        { "\"peft_type\":\"ADALORA\",\"r\":2,\"lora_alpha\":4", "peft_type 'ADALORA'" },
        { "\"peft_type\":\"LOHA\"", "peft_type 'LOHA'" },
        { "\"peft_type\":\"LORA\",\"r\":2", "lora_alpha" },
        { "\"peft_type\":\"LORA\",\"lora_alpha\":2", "'r'" },
        { "\"peft_type\":\"LORA\",\"r\":-2,\"lora_alpha\":4", "'r'" },
        { HEAD ",\"bias\":\"lora_only\"", "bias 'lora_only'" },
        { HEAD ",\"modules_to_save\":[\"lm_head\"]", "modules_to_save" },
        { HEAD ",\"init_lora_weights\":\"pissa_niter_4\"", "'pissa_niter_4' changes" },
        { HEAD ",\"init_lora_weights\":\"olora\"", "'olora' changes" },
        { HEAD ",\"init_lora_weights\":7", "changes" },
        { HEAD ",\"layer_replication\":[[0,2]]", "layer_replication" },
        { HEAD ",\"lora_bias\":true", "lora_bias" },
        { HEAD ",\"use_qalora\":true", "use_qalora" },
        { HEAD ",\"use_dora\":1", "use_dora" },
        { HEAD ",\"use_rslora\":\"yes\"", "use_rslora" },
        { HEAD ",\"rank_pattern\":[]", "rank_pattern" },
        { HEAD ",\"rank_pattern\":{\"a\":0}", "rank_pattern of 'a'" },
        { HEAD ",\"alpha_pattern\":{\"a\":\"x\"}", "alpha_pattern of 'a'" },
        { HEAD ",\"r\":3", "line 1" }, /* twice */
        { "[", "line 1" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        read_config(bad[i].members, RSD_EFORMAT, bad[i].text);
    rsd_peft_config c;
    put_text("list.json", "[]");
    CHECK_FAILS(rsd_peft_config_read(in_scratch("list.json"), &c), RSD_EFORMAT, "not an object");
    rsd_peft_config_free(&c);
    CHECK_FAILS(rsd_peft_config_read(in_scratch("none.json"), &c), RSD_EIO, "none.json");
    rsd_peft_config_free(&c);
}

/* The first pattern that is the module, or an end of it behind a dot, counts. */
static void alpha_patterns(void **state)
{
    (void)state;
    rsd_peft_config c = { .rank = 2, .alpha = 5 };
    double alpha;
    CHECK_OK(rsd_peft_config_except(&c, "mlp.up_proj", 3, 7));
    CHECK_OK(rsd_peft_config_except(&c, "layers\\.[01]\\..*", 3, 9.5));
    CHECK_OK(rsd_peft_config_except(&c, "model.layers.2.q_proj", 3, 11));
    static const struct {
        const char *module;
        double alpha;
    } cases[] = {
        { "model.layers.1.mlp.up_proj", 7 },
        { "mlp.up_proj", 7 },
        { "model.layers.1.mlp.xup_proj", 9.5 },
        { "model.layers.12.mlp.down", 5 },
        { "model.layers.2.q_proj", 11 },
        { "model.layers.2.q_proj.x", 5 },
        { "xmlp.up_proj", 5 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(rsd_peft_config_alpha(&c, cases[i].module, &alpha));
        CHECK_CLOSE(alpha, cases[i].alpha, 0);
    }
    CHECK_OK(rsd_peft_config_except(&c, "(", 3, 11));
    CHECK_FAILS(rsd_peft_config_alpha(&c, "q", &alpha), RSD_EFORMAT, "(");
    rsd_peft_config_free(&c);
}

typedef struct {
    const char *name;
    size_t ndim, shape[2];
    const char *dtype; /* NULL: F32 */
} entry;

/* A folder with these tensors, all 0.25. */
static void put_adapter(const char *members, const entry *t, size_t count)
{
    char json[512];
    rsd_st_writer *w;
    snprintf(json, sizeof json, "{%s}", members);
    put_text("bad/adapter_config.json", json);
    CHECK_OK(rsd_st_writer_alloc(&w));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            const size_t n = t[i].shape[0] * (t[i].ndim == 2 ? t[i].shape[1] : 1);
            const char *type = t[i].dtype ? t[i].dtype : "F32";
            char name[160];
            snprintf(name, sizeof name, "%s%s", t[i].name[0] == '!' ? "" : "base_model.model.",
                     t[i].name + (t[i].name[0] == '!'));
            const bool half = strcmp(type, "BF16") == 0; /* the upper half of the float */
            const float quarter = 0.25f;
            const char *value = (const char *)&quarter + (half ? 2 : 0);
            if (!pass)
                CHECK_OK(rsd_st_writer_declare(w, name, type, t[i].ndim, t[i].shape,
                                               (half ? 2 : 4) * n));
            for (size_t k = 0; k < n && pass; k++)
                CHECK_OK(rsd_st_writer_data(w, value, half ? 2 : 4));
        }
        if (!pass)
            CHECK_OK(rsd_st_writer_begin(w, in_scratch("bad/adapter_model.safetensors")));
    }
    CHECK_OK(rsd_st_writer_commit(w));
    rsd_st_writer_free(w);
}

#define UP "model.layers.0.mlp.up_proj" /* 12 x 8 */
#define A_OK                                                                                       \
    {                                                                                              \
        UP ".lora_A.weight", 2, { 2, 8 }, NULL                                                     \
    }
#define B_OK                                                                                       \
    {                                                                                              \
        UP ".lora_B.weight", 2, { 12, 2 }, NULL                                                    \
    }
#define DORA HEAD ",\"use_dora\":true"

static void tensors_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        int code;
        const char *text;
        size_t count;
        entry t[3];
    } cases[] = {
        { HEAD, RSD_OK, "", 2, { A_OK, B_OK } },
        { HEAD, RSD_OK, "", 2, { A_OK, { UP ".lora_B.weight", 2, { 12, 2 }, "BF16" } } },
        { DORA, RSD_OK, "", 3, { A_OK, B_OK, { UP ".lora_magnitude_vector", 1, { 12 }, NULL } } },
        { DORA,
          RSD_OK,
          "",
          3,
          { A_OK, B_OK, { UP ".lora_magnitude_vector.weight", 1, { 12 }, NULL } } },
        { HEAD, RSD_EFORMAT, "no tensor", 0, { A_OK } },
        { HEAD, RSD_EFORMAT, "no lora_B", 1, { A_OK } },
        { HEAD, RSD_EFORMAT, "no lora_A", 1, { B_OK } },
        { DORA, RSD_EFORMAT, "no magnitudes, use_dora is true", 2, { A_OK, B_OK } },
        { HEAD,
          RSD_EFORMAT,
          "use_dora is false",
          3,
          { A_OK, B_OK, { UP ".lora_magnitude_vector", 1, { 12 }, NULL } } },
        { DORA,
          RSD_EFORMAT,
          "12 outputs",
          3,
          { A_OK, B_OK, { UP ".lora_magnitude_vector", 1, { 8 }, NULL } } },
        { DORA,
          RSD_EFORMAT,
          "twice",
          3,
          { A_OK,
            { UP ".lora_magnitude_vector.weight", 1, { 12 }, NULL },
            { UP ".lora_magnitude_vector", 1, { 12 }, NULL } } },
        { HEAD,
          RSD_EFORMAT,
          "layer of 12 x 8",
          2,
          { A_OK, { UP ".lora_B.weight", 2, { 12, 3 }, NULL } } },
        { HEAD,
          RSD_EFORMAT,
          "layer of 12 x 8",
          2,
          { { UP ".lora_A.weight", 2, { 2, 12 }, NULL }, B_OK } },
        { HEAD,
          RSD_EFORMAT,
          "layer of 12 x 8",
          2,
          { { UP ".lora_A.weight", 1, { 16 }, NULL }, B_OK } },
        { HEAD,
          RSD_EARG,
          "rank 9",
          2,
          { { UP ".lora_A.weight", 2, { 9, 8 }, NULL },
            { UP ".lora_B.weight", 2, { 12, 9 }, NULL } } },
        { HEAD, RSD_EFORMAT, "is I32", 2, { { UP ".lora_A.weight", 2, { 2, 8 }, "I32" }, B_OK } },
        { HEAD, RSD_EFORMAT, "none of LoRA's", 1, { { UP ".lora_E", 2, { 2, 1 }, NULL } } },
        { HEAD,
          RSD_EFORMAT,
          "none of LoRA's",
          1,
          { { "!" UP ".lora_A.weight", 2, { 2, 8 }, NULL } } },
        { HEAD,
          RSD_EFORMAT,
          "no linear layer of this llama",
          1,
          { { "lm_head.lora_A.weight", 2, { 2, 8 }, NULL } } },
        { HEAD,
          RSD_EFORMAT,
          "no linear layer",
          1,
          { { "model.layers.2.mlp.up_proj.lora_A.weight", 2, { 2, 8 }, NULL } } },
        { HEAD,
          RSD_EFORMAT,
          "no linear layer",
          1,
          { { "model.layers.0.self_attn.qkv_proj.lora_A.weight", 2, { 2, 8 }, NULL } } },
        { HEAD ",\"alpha_pattern\":{\"[\":2}", RSD_EFORMAT, "[", 2, { A_OK, B_OK } },
    };
    base b = open_base("llama");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_adapters a;
        put_adapter(cases[i].config, cases[i].t, cases[i].count);
        if (cases[i].code)
            CHECK_FAILS(rsd_peft_read(in_scratch("bad"), b.w, &a), cases[i].code, cases[i].text);
        else {
            CHECK_OK(rsd_peft_read(in_scratch("bad"), b.w, &a));
            assert_true(a.layer[0][RSD_UP].scale == 2 && a.layer[0][RSD_UP].B[23] == 0.25f);
            assert_int_equal(rsd_adapters_parameters(&a), cases[i].count == 3 ? 52 : 40);
        }
        rsd_adapters_free(&a);
    }
    close_base(&b);
}

static void files_are_checked(void **state)
{
    (void)state;
    base b = open_base("llama");
    rsd_adapters a;
    CHECK_FAILS(rsd_peft_read(in_scratch("nowhere"), b.w, &a), RSD_EIO, "nowhere");
    rsd_adapters_free(&a);
    put_text("half/adapter_config.json", "{" HEAD "}");
    CHECK_FAILS(rsd_peft_read(in_scratch("half"), b.w, &a), RSD_EIO, "adapter_model");
    rsd_adapters_free(&a);
    put_text("half/adapter_model.safetensors", "abc");
    CHECK_FAILS(rsd_peft_read(in_scratch("half"), b.w, &a), RSD_EFORMAT, "adapter_model");
    rsd_adapters_free(&a);

    a = make(b.w, RSD_LORA, 1, false, false);
    a.layer[1][RSD_K].B[3] = NAN;
    CHECK_OK(rsd_peft_write(in_scratch("nan"), &a, b.w, &(rsd_peft_options){ 0 }));
    rsd_adapters again;
    CHECK_FAILS(rsd_peft_read(in_scratch("nan"), b.w, &again), RSD_EDOM,
                "layers.1.self_attn.k_proj.lora_B");
    rsd_adapters_free(&again);
    put_text("file", "");
    CHECK_FAILS(rsd_peft_write(in_scratch("file/below"), &a, b.w, &(rsd_peft_options){ 0 }),
                RSD_EIO, "file");
    CHECK_FAILS(rsd_peft_write(in_scratch("utf"), &a, b.w, &(rsd_peft_options){ .base = "\xff" }),
                RSD_EARG, "UTF-8");
    for (size_t i = 0; i < a.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            a.layer[i][s].rank = 0;
    CHECK_FAILS(rsd_peft_write(in_scratch("empty"), &a, b.w, &(rsd_peft_options){ 0 }), RSD_EARG,
                "no layer has a rank");
    assert_false(in_scratch_exists("empty/adapter_model.safetensors"));
    rsd_adapters_free(&a);
    close_base(&b);
}

int main(void)
{
    rsd_par_init(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peft_s_adapters_compute_the_same),
        cmocka_unit_test(written_is_read),
        cmocka_unit_test(own_variants_are_written_as_lora),
        cmocka_unit_test(configurations),
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(alpha_patterns),
        cmocka_unit_test(tensors_are_checked),
        cmocka_unit_test(files_are_checked),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
