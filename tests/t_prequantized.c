/* GPTQ, AWQ and bitsandbytes layers: what the projects' own code packed, or unpacked. */
#include "wanted_layers.h"

static void gptq_is_what_autogptq_packed(void **state)
{
    (void)state;
    assert_int_equal(compare_folder("prequantized/gptq", 0), 6);
    assert_int_equal(compare_folder("prequantized/gptq_v2", 0), 1);
}

static void awq_is_what_autoawq_unpacks(void **state)
{
    (void)state;
    assert_int_equal(compare_folder("prequantized/awq", 0), 1);
}

/* The scale of a double-quantized block is a product and a sum: PyTorch may round it otherwise. */
static void bitsandbytes_is_what_it_answers(void **state)
{
    (void)state;
    assert_int_equal(compare_folder("prequantized/bnb", 1), 4);
}

/* One tensor says everything that the arrays said: role, shape, size, how it is stored. */
static void a_layer_is_one_tensor(void **state)
{
    (void)state;
    rsd_model *model;
    size_t bytes;
    CHECK_OK(rsd_model_open(fixture("prequantized/gptq"), &model));
    assert_int_equal(rsd_model_count(model), 12);
    const rsd_tensor *t = rsd_model_find(model, "layers.0.self_attn.v_proj.weight");
    assert_string_equal(t->stored, "gptq-4 g16");
    assert_string_equal(t->role.role, "v");
    assert_true(t->role.linear && t->role.layer == 0 && t->dtype == RSD_F32);
    /* 32 x 64 codes, and per group of 16: 32 zeros of 4 bits, 32 scales of 16; 64 group numbers */
    assert_int_equal(t->stored_bytes, 32 * 64 / 2 + 4 * (32 / 2 + 32 * 2) + 64 * 4);
    assert_null(rsd_model_bytes(model, t, &bytes));
    assert_null(rsd_model_find(model, "layers.0.self_attn.v_proj.qweight"));
    rsd_model_close(model);

    CHECK_OK(rsd_model_open(fixture("prequantized/awq"), &model));
    assert_string_equal(rsd_model_find(model, "layers.0.mlp.gate_proj.weight")->stored,
                        "awq-4 g32");
    rsd_model_close(model);
    CHECK_OK(rsd_model_open(fixture("prequantized/bnb"), &model));
    t = rsd_model_find(model, "layers.0.self_attn.q_proj.weight");
    assert_string_equal(t->stored, "bnb-nf4 b64 dq");
    assert_int_equal(t->stored_bytes, 981 + 31 + 64 + 4 + 1024);
    assert_string_equal(rsd_model_find(model, "layers.0.mlp.up_proj.weight")->stored, "bnb-int8");
    rsd_model_close(model);
}

/* ---- refusals ---- */

typedef struct {
    const char *name, *dtype;
    size_t ndim, shape[2];
} array;

static size_t bytes_of(const array *a)
{
    size_t n = strcmp(a->dtype, "F16") == 0 ? 2 : a->dtype[1] == '8' ? 1 : 4;
    for (size_t k = 0; k < a->ndim; k++)
        n *= a->shape[k];
    return n;
}

/* A folder `bad` of these arrays, every byte of value `fill` but for one that holds text. */
static void write_bad(const array *a, size_t count, int fill, const char *text, const char *config)
{
    rsd_st_writer *w;
    put_text("bad/config.json", config);
    CHECK_OK(rsd_st_writer_alloc(&w));
    for (size_t i = 0; i < count; i++)
        CHECK_OK(rsd_st_writer_declare(w, a[i].name, a[i].dtype, a[i].ndim, a[i].shape,
                                       bytes_of(&a[i])));
    CHECK_OK(rsd_st_writer_begin(w, in_scratch("bad/model.safetensors")));
    for (size_t i = 0; i < count; i++) {
        char *data = malloc(bytes_of(&a[i]) + 1);
        memset(data, fill, bytes_of(&a[i]));
        if (text && strstr(a[i].name, "quant_state"))
            memcpy(data, text, bytes_of(&a[i]));
        CHECK_OK(rsd_st_writer_data(w, data, bytes_of(&a[i])));
        free(data);
    }
    CHECK_OK(rsd_st_writer_commit(w));
    rsd_st_writer_free(w);
}

#define BAD(text, config, ...)                                                                     \
    do {                                                                                           \
        const array arrays_[] = { __VA_ARGS__ };                                                   \
        write_bad(arrays_, sizeof arrays_ / sizeof *arrays_, 0, NULL, config);                     \
        OPEN_FAILS(in_scratch("bad"), RSD_EFORMAT, text);                                          \
    } while (0)

#define QWEIGHT                                                                                    \
    {                                                                                              \
        "a.qweight", "I32", 2, { 8, 32 }                                                           \
    }
#define QZEROS                                                                                     \
    {                                                                                              \
        "a.qzeros", "I32", 2, { 2, 4 }                                                             \
    }
#define SCALES                                                                                     \
    {                                                                                              \
        "a.scales", "F16", 2, { 2, 32 }                                                            \
    }

static void words_that_disagree_are_refused(void **state)
{
    (void)state;
    BAD("a: qweight without qzeros", "{}", QWEIGHT, SCALES);
    BAD("a: qweight without scales", "{}", QWEIGHT, QZEROS);
    BAD("a: qweight is F16 in 2 dimensions", "{}", { "a.qweight", "F16", 2, { 8, 32 } }, QZEROS,
        SCALES);
    BAD("a: qzeros is I32 in 1 dimensions", "{}", QWEIGHT, { "a.qzeros", "I32", 1, { 8 } }, SCALES);
    BAD("a: scales are I32 in 2 dimensions", "{}", QWEIGHT, QZEROS,
        { "a.scales", "I32", 2, { 2, 32 } });
    BAD("a: qweight 8 x 33, qzeros 2 x 4 and scales 2 x 32 belong to no GPTQ or AWQ layer", "{}",
        { "a.qweight", "I32", 2, { 8, 33 } }, QZEROS, SCALES);
    BAD("belong to no GPTQ or AWQ layer", "{}", QWEIGHT, { "a.qzeros", "I32", 2, { 3, 4 } },
        SCALES);
    BAD("belong to no GPTQ or AWQ layer", "{}", QWEIGHT, { "a.qzeros", "I32", 2, { 2, 5 } },
        SCALES);
    BAD("belong to no GPTQ or AWQ layer", "{}", { "a.qweight", "I32", 2, { 64, 4 } }, QZEROS,
        { "a.scales", "F16", 2, { 2, 40 } });
    BAD("belong to no GPTQ or AWQ layer", "{}", { "a.qweight", "I32", 2, { 8, 32 } },
        { "a.qzeros", "I32", 2, { 2, 3 } }, SCALES); /* 3 bits: 8 * 32 is no multiple of 3 */
    BAD("a: g_idx has 63 entries for 64 inputs", "{}", QWEIGHT, QZEROS, SCALES,
        { "a.g_idx", "I32", 1, { 63 } });
    BAD("a: 64 inputs do not divide into 3 groups", "{}", QWEIGHT,
        { "a.qzeros", "I32", 2, { 3, 4 } }, { "a.scales", "F16", 2, { 3, 32 } });
}

static void configurations_that_are_not_read_are_refused(void **state)
{
    (void)state;
#define CONFIG(text) "{\"quantization_config\": {" text "}}"
    BAD("quant_method 'aqlm' is not read; gptq, awq, bitsandbytes, fp8,",
        CONFIG("\"quant_method\": \"aqlm\""), QWEIGHT, QZEROS, SCALES);
    BAD("quant_method is not a text", CONFIG("\"quant_method\": 3"), QWEIGHT, QZEROS, SCALES);
    BAD("checkpoint_format 'marlin' is not read; gptq, gptq_v2 are",
        CONFIG("\"quant_method\": \"gptq\", \"checkpoint_format\": \"marlin\""), QWEIGHT, QZEROS,
        SCALES);
    BAD("checkpoint_format 'marlin' is not read",
        CONFIG("\"quant_method\": \"gptq\", \"is_marlin_format\": true"), QWEIGHT, QZEROS, SCALES);
    BAD("AWQ's version 'gemv' is not read; gemm is",
        CONFIG("\"quant_method\": \"awq\", \"version\": \"gemv\""), QWEIGHT, QZEROS, SCALES);
    BAD("a: 4 bits, quantization_config says 8", CONFIG("\"quant_method\": \"gptq\", \"bits\": 8"),
        QWEIGHT, QZEROS, SCALES);
}

/* A group number that there is not is seen when the matrix is read: its shape may be looked at. */
static void a_wrong_group_is_refused_when_read(void **state)
{
    (void)state;
    const array arrays[] = { QWEIGHT, QZEROS, SCALES, { "a.g_idx", "I32", 1, { 64 } } };
    rsd_model *model;
    rsd_mat W;
    CHECK_OK(rsd_mat_alloc(32, 64, &W));
    write_bad(arrays, 4, 0xff, NULL, "{}");
    CHECK_OK(rsd_model_open(in_scratch("bad"), &model));
    CHECK_FAILS(rsd_model_read(model, rsd_model_tensor(model, 0), W), RSD_EFORMAT,
                "g_idx puts input 0 in group -1 of 2");
    rsd_model_close(model);
    rsd_mat_free(&W);
}

#define STATE "a.weight.quant_state.bitsandbytes__nf4"
#define NF4(state, ...)                                                                            \
    do {                                                                                           \
        const array arrays_[] = { { STATE, "U8", 1, { sizeof(state) - 1 } }, __VA_ARGS__ };        \
        write_bad(arrays_, sizeof arrays_ / sizeof *arrays_, 0, state, "{}");                      \
        OPEN_FAILS(in_scratch("bad"), RSD_EFORMAT, want);                                          \
    } while (0)
#define WEIGHT                                                                                     \
    {                                                                                              \
        "a.weight", "U8", 2, { 64, 1 }                                                             \
    }
#define ABSMAX                                                                                     \
    {                                                                                              \
        "a.weight.absmax", "F32", 1, { 2 }                                                         \
    }
#define MAP                                                                                        \
    {                                                                                              \
        "a.weight.quant_map", "F32", 1, { 16 }                                                     \
    }
#define GOOD "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [8, 16]}"

static void bitsandbytes_that_disagree_are_refused(void **state)
{
    (void)state;
    const char *want = "a: quant_state without weight";
    NF4(GOOD, ABSMAX, MAP);
    want = "a: quant_state without weight.absmax";
    NF4(GOOD, WEIGHT, MAP);
    want = "a: quant_state without weight.quant_map";
    NF4(GOOD, WEIGHT, ABSMAX);
    want = "a: quant_state: ";
    NF4("{\"quant_type\"", WEIGHT, ABSMAX, MAP);
    want = "quant_type is neither nf4 nor fp4";
    NF4("{\"quant_type\": \"nf3\", \"blocksize\": 64, \"shape\": [8, 16]}", WEIGHT, ABSMAX, MAP);
    want = "blocksize is missing or not a number above 0";
    NF4("{\"quant_type\": \"nf4\", \"blocksize\": 0, \"shape\": [8, 16]}", WEIGHT, ABSMAX, MAP);
    want = "shape is not that of a matrix";
    NF4("{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [8]}", WEIGHT, ABSMAX, MAP);
    want = "shape overflows";
    NF4("{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [9000000000000000000, 9]}", WEIGHT,
        ABSMAX, MAP);
    want = "a: 64 bytes of weight for 136 codes";
    NF4("{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [8, 17]}", WEIGHT, ABSMAX, MAP);
    want = "a: weight.absmax is 3 numbers of F32, not 2 of F32";
    NF4(GOOD, WEIGHT, { "a.weight.absmax", "F32", 1, { 3 } }, MAP);
    want = "a: weight.quant_map is 15 numbers of F32, not 16 of F32";
    NF4(GOOD, WEIGHT, ABSMAX, { "a.weight.quant_map", "F32", 1, { 15 } });
    want = "nested_blocksize is missing";
    NF4(GOOD, WEIGHT, ABSMAX, MAP, { "a.weight.nested_absmax", "F32", 1, { 1 } });
#define NESTED                                                                                     \
    "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [8, 16], \"nested_blocksize\": 256"
    want = "nested_offset is missing";
    NF4(NESTED "}", WEIGHT, ABSMAX, MAP, { "a.weight.nested_absmax", "F32", 1, { 1 } });
    want = "a: weight.absmax is 2 numbers of F32, not 2 of U8";
    NF4(NESTED ", \"nested_offset\": 0.5}", WEIGHT, ABSMAX, MAP,
        { "a.weight.nested_absmax", "F32", 1, { 1 } });
    want = "a: weight.nested_quant_map is missing";
    NF4(NESTED ", \"nested_offset\": 0.5}", WEIGHT, { "a.weight.absmax", "U8", 1, { 2 } }, MAP,
        { "a.weight.nested_absmax", "F32", 1, { 1 } });
    BAD("a: SCB without weight", "{}", { "a.SCB", "F32", 1, { 8 } });
    BAD("a: weight is I8 in 2 dimensions, SCB 7 numbers of F32", "{}", { "a.SCB", "F32", 1, { 7 } },
        { "a.weight", "I8", 2, { 8, 4 } });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gptq_is_what_autogptq_packed),
        cmocka_unit_test(awq_is_what_autoawq_unpacks),
        cmocka_unit_test(bitsandbytes_is_what_it_answers),
        cmocka_unit_test(a_layer_is_one_tensor),
        cmocka_unit_test(words_that_disagree_are_refused),
        cmocka_unit_test(configurations_that_are_not_read_are_refused),
        cmocka_unit_test(a_wrong_group_is_refused_when_read),
        cmocka_unit_test(bitsandbytes_that_disagree_are_refused),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
