/* Weights with a scale beside them: float8, integers, FP4, under the names that checkpoints use. */
#include "stored_arrays.h"
#include "wanted_layers.h"

static void compressed_tensors_is_what_it_unpacks(void **state)
{
    (void)state;
    assert_int_equal(compare_folder("scaled/packed4", 0), 4);
    assert_int_equal(compare_folder("scaled/packed8", 0), 2);
    assert_int_equal(compare_folder("scaled/naive", 0), 5);
    assert_int_equal(compare_folder("scaled/fp4", 0), 2);
}

static void deepseek_comfy_mistral_modelopt(void **state)
{
    (void)state;
    assert_int_equal(compare_folder("scaled/deepseek", 0), 2);
    assert_int_equal(compare_folder("scaled/bare", 0), 6);
}

static void how_it_is_stored_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *layer, *stored;
    } cases[] = {
        { "scaled/bare", "self_attn.q_proj", "F8_E4M3/tensor" },
        { "scaled/bare", "self_attn.o_proj", "F8_E5M2/row" },
        { "scaled/bare", "mlp.down_proj", "FP4/1x16" },
        { "scaled/naive", "self_attn.k_proj", "I8/row" },
        { "scaled/packed4", "self_attn.q_proj", "I4/1x32" },
        { "scaled/deepseek", "self_attn.q_proj", "F8_E4M3/16x16" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rsd_model *model;
        char name[128];
        snprintf(name, sizeof name, "layers.0.%s.weight", cases[c].layer);
        CHECK_OK(rsd_model_open(fixture(cases[c].folder), &model));
        assert_string_equal(rsd_model_find(model, name)->stored, cases[c].stored);
        snprintf(name, sizeof name, "layers.0.%s.input_scale", cases[c].layer);
        assert_null(rsd_model_find(model, name)); /* an activation's: no weight */
        rsd_model_close(model);
    }
}

#define Q     "model.layers.0.self_attn.q_proj"
#define LLAMA "{\"model_type\": \"llama\"}"

/* Every name of a scale, every type of number, with and without a configuration: 3 times 1. */
static void every_name_of_a_scale_multiplies(void **state)
{
    (void)state;
    static const char *const names[] = { "weight_scale",  "weight_scale_inv", "scale_weight",
                                         "qscale_weight", "scales",           "scale",
                                         "qscale",        "weight.scale" };
    static const float three = 3;
    static const int8_t i8[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    static const int16_t i16[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    static const int32_t i32[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    const struct {
        const char *dtype;
        const void *data;
    } types[] = { { "F8_E4M3", NULL }, { "I8", i8 }, { "I16", i16 }, { "I32", i32 } };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            char name[128];
            float x[8];
            rsd_model *model;
            snprintf(name, sizeof name, Q ".%s", names[k]);
            PUT(k % 2 ? LLAMA : "{}", { Q ".weight", types[t].dtype, 2, { 2, 4 }, types[t].data },
                { name, "F32", k % 3, { 1, 1 }, &three });
            CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
            assert_int_equal(rsd_model_count(model), 1);
            CHECK_OK(rsd_model_read(model, rsd_model_tensor(model, 0), (rsd_mat){ x, 2, 4, 4 }));
            for (size_t i = 0; i < 8; i++)
                assert_true(x[i] == 3);
            rsd_model_close(model);
        }
}

/* Blocks of 128 x 128 where nobody says it, of another size where it is said; unsure: refused. */
static void blocks_of_scales(void **state)
{
    (void)state;
    static const float four[4] = { 2, 3, 5, 7 };
    enum { M = 192, N = 200 };
    float *x = malloc(M * N * sizeof *x);
    static const struct {
        const char *config;
        size_t rows, cols; /* of a block */
    } cases[] = {
        { "{}", 128, 128 },
        { "{\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [96, "
          "100]}}",
          96, 100 },
    };
    for (size_t c = 0; c < 2; c++) {
        rsd_model *model;
        PUT(cases[c].config, { Q ".weight", "F8_E4M3", 2, { M, N }, NULL },
            { Q ".weight_scale_inv", "F32", 2, { 2, 2 }, four });
        CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
        CHECK_OK(rsd_model_read(model, rsd_model_tensor(model, 0), (rsd_mat){ x, M, N, N }));
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++)
                assert_true(x[i * N + j] == four[i / cases[c].rows * 2 + j / cases[c].cols]);
        rsd_model_close(model);
    }
    free(x);
    PUT("{}", { Q ".weight", "F8_E4M3", 2, { M, N }, NULL },
        { Q ".weight_scale", "F32", 2, { 2, 2 }, four });
    OPEN_FAILS(in_scratch("stored"), RSD_EFORMAT, "the configuration does not say which");
    PUT("{}", { Q ".weight", "F8_E4M3", 2, { M, N }, NULL },
        { Q ".weight_scale", "F32", 1, { 5 }, NULL });
    OPEN_FAILS(in_scratch("stored"), RSD_EFORMAT, "5 x 1 scales for a weight of 192 x 200");
}

static void what_is_not_understood_is_refused(void **state)
{
    (void)state;
#define REFUSED(text, ...)                                                                         \
    do {                                                                                           \
        PUT("{}", __VA_ARGS__);                                                                    \
        OPEN_FAILS(in_scratch("stored"), RSD_EFORMAT, text);                                       \
    } while (0)
#define W8 { Q ".weight", "F8_E4M3", 2, { 2, 4 }, NULL }
#define U8                                                                                         \
    {                                                                                              \
        Q ".weight", "U8", 2, { 2, 4 }, NULL                                                       \
    }
#define S1(name)                                                                                   \
    {                                                                                              \
        Q "." name, "F32", 0, { 0 }, NULL                                                          \
    }
    REFUSED("both weight_scale and weight_scale_inv", W8, S1("weight_scale"),
            S1("weight_scale_inv"));
    REFUSED("what 'weight_scale_3' (F32) beside it does is not known", W8, S1("weight_scale"),
            S1("weight_scale_3"));
    REFUSED("what 'weight_absmax'", W8, S1("weight_absmax"));
    REFUSED("what 'pre_quant_scale'", W8, S1("weight_scale"), S1("pre_quant_scale"));
    REFUSED("with a second scale, which only FP4 has", W8, S1("weight_scale"),
            S1("weight_scale_2"));
    REFUSED("a global scale without weight_scale", W8, S1("weight_scale_2"));
    REFUSED("its scale is I32, not a float", W8, { Q ".weight_scale", "I32", 0, { 0 }, NULL });
    REFUSED("neither NVFP4", U8, S1("weight_scale")); /* BitNet's packed ternaries */
    REFUSED("what 'weights_scaling_factor'", W8, S1("weights_scaling_factor"));
    REFUSED("whether one number or two lie in a byte", U8, S1("weight_scale"), S1("zero_point"));
    REFUSED("an array of AQLM", { Q ".codebooks", "F16", 1, { 4 }, NULL });
    REFUSED("an array of HQQ", { Q ".W_q", "U8", 2, { 2, 4 }, NULL });
    REFUSED("an array of MXFP4",
            { "model.layers.0.mlp.experts.gate_up_proj_blocks", "U8", 1, { 4 }, NULL });
    REFUSED("bitsandbytes (without its quant_state)", U8,
            { Q ".weight.absmax", "F32", 1, { 1 }, NULL });
    REFUSED("weight_packed is I32 of 2 x 3, which holds no weight of 3 x 1000",
            { Q ".weight_packed", "I32", 2, { 2, 3 }, NULL }, S1("weight_scale"),
            { Q ".weight_shape", "I64", 1, { 2 }, ((const int64_t[]){ 3, 1000 }) });
    PUT("{\"quantization\": {\"group_size\": 64, \"bits\": 4}}",
        { Q ".weight", "U32", 2, { 2, 8 }, NULL }, { Q ".scales", "F16", 2, { 2, 1 }, NULL },
        { Q ".biases", "F16", 2, { 2, 1 }, NULL });
    OPEN_FAILS(in_scratch("stored"), RSD_EFORMAT, "is stored as MLX 4-bit");
    PUT("{}", W8);
    put_text("stored/hf_quant_config.json", "{\"quantization\": {\"quant_algo\": \"W4A8_AWQ\"}}");
    OPEN_FAILS(in_scratch("stored"), RSD_EFORMAT, "ModelOpt's quant_algo 'W4A8_AWQ' is not read");
    unlink(in_scratch("stored/hf_quant_config.json"));
}

/* Integers without a scale, float8 without one where it must have one, types that are not read: the
 * model is listed, the other tensors are read, and reading this one says why not. */
static void a_weight_without_its_scale_is_not_read(void **state)
{
    (void)state;
    static const struct {
        const char *dtype, *config;
    } cases[] = {
        { "I8", "{}" },
        { "U8", LLAMA },
        { "I32", "{}" },
        { "F4", "{}" },
        { "F6_E2M3", "{}" },
        { "F8_E4M3FNUZ", "{}" },
        { "F8_E4M3", "{\"quantization_config\": {\"quant_method\": \"fp8\"}}" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rsd_model *model;
        float x[32];
        size_t bytes;
        PUT(cases[c].config, { Q ".weight", cases[c].dtype, 2, { 4, 8 }, NULL },
            { "model.norm.weight", "F8_E8M0", 1, { 4 }, NULL });
        CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
        const rsd_tensor *t = rsd_model_find(model, Q ".weight");
        assert_true(t->matrix && t->rows == 4 && t->cols == 8);
        assert_string_equal(t->stored, cases[c].dtype);
        CHECK_FAILS(rsd_model_read(model, t, (rsd_mat){ x, 4, 8, 8 }), RSD_EFORMAT,
                    "without a scale beside it: its values are not known");
        CHECK_FAILS(rsd_model_read_flat(model, t, x), RSD_EFORMAT, "without a scale");
        assert_non_null(strcmp(cases[c].dtype, "F8_E4M3") ? rsd_model_bytes(model, t, &bytes) : x);
        CHECK_OK(rsd_model_read_flat(model, rsd_model_find(model, "model.norm.weight"), x));
        assert_true(x[0] == 0x1p-71f);
        rsd_model_close(model);
    }
    /* no name of a weight, but a scale beside it; whole numbers that are words of codes */
    rsd_model *other;
    float y[8];
    PUT(LLAMA, { "blocks.0.qkv", "F8_E4M3", 2, { 2, 4 }, NULL },
        { "blocks.0.qkv_scale", "F32", 0, { 0 }, NULL });
    CHECK_OK(rsd_model_open(in_scratch("stored"), &other));
    CHECK_FAILS(
        rsd_model_read(other, rsd_model_find(other, "blocks.0.qkv"), (rsd_mat){ y, 2, 4, 4 }),
        RSD_EFORMAT, "what 'blocks.0.qkv_scale' beside it does is not known");
    rsd_model_close(other);
    PUT(LLAMA, { Q ".weight", "I32", 2, { 2, 4 }, NULL }, S1("weight_scale"));
    CHECK_OK(rsd_model_open(in_scratch("stored"), &other));
    CHECK_FAILS(rsd_model_read(other, rsd_model_tensor(other, 0), (rsd_mat){ y, 2, 4, 4 }),
                RSD_EFORMAT, "packed codes, in a layout that is not known");
    rsd_model_close(other);
    /* a plain cast, nothing said: numbers as they are */
    rsd_model *model;
    float x[8];
    PUT(LLAMA, W8);
    CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
    CHECK_OK(rsd_model_read(model, rsd_model_tensor(model, 0), (rsd_mat){ x, 2, 4, 4 }));
    assert_true(x[0] == 1);
    rsd_model_close(model);
    /* ... but not beside others that have a scale */
    PUT(LLAMA, W8, { "model.layers.0.self_attn.k_proj.weight", "F8_E4M3", 2, { 2, 4 }, NULL },
        S1("weight_scale"));
    CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
    CHECK_FAILS(rsd_model_read(model,
                               rsd_model_find(model, "model.layers.0.self_attn.k_proj.weight"),
                               (rsd_mat){ x, 2, 4, 4 }),
                RSD_EFORMAT, "without a scale");
    rsd_model_close(model);
}

/* The index lists arrays that are put together, and they may lie in different shards. */
static void shards_of_arrays(void **state)
{
    (void)state;
    static const float three = 3;
    static const char index[] =
        "{\"weight_map\": {\"" Q ".weight\": \"a-1.safetensors\", \"" Q
        ".weight_scale\": \"a-2.safetensors\", \"" Q ".input_scale\": \"a-2.safetensors\"}}";
    const array weight = W8,
                scales[] = { { Q ".weight_scale", "F32", 0, { 0 }, &three }, S1("input_scale") };
    rsd_model *model;
    float x[8];
    put_text("shards/model.safetensors.index.json", index);
    put_shard(in_scratch("shards/a-1.safetensors"), &weight, 1);
    put_shard(in_scratch("shards/a-2.safetensors"), scales, 2);
    CHECK_OK(rsd_model_open(in_scratch("shards"), &model));
    assert_int_equal(rsd_model_count(model), 1);
    CHECK_OK(rsd_model_read(model, rsd_model_tensor(model, 0), (rsd_mat){ x, 2, 4, 4 }));
    assert_true(x[0] == 3 && x[7] == 3);
    rsd_model_close(model);
    put_shard(in_scratch("shards/a-2.safetensors"), scales, 1); /* what is promised is missing */
    OPEN_FAILS(in_scratch("shards"), RSD_EFORMAT,
               "input_scale' in a-2.safetensors, it is in none of the shards");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_tensors_is_what_it_unpacks),
        cmocka_unit_test(deepseek_comfy_mistral_modelopt),
        cmocka_unit_test(how_it_is_stored_is_said),
        cmocka_unit_test(every_name_of_a_scale_multiplies),
        cmocka_unit_test(blocks_of_scales),
        cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(a_weight_without_its_scale_is_not_read),
        cmocka_unit_test(shards_of_arrays),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
