/* GPTQ's two versions of zero points, and its group indices: what the arrays tell themselves. */
#include "stored_arrays.h"

#define Q "model.layers.0.self_attn.q_proj"
enum { IN = 64, OUT = 32, GROUPS = 2 };

/* One layer: codes (3 o + 5 i) mod 2^bits, scales 1, the zeros as given, stored as they are. */
typedef struct {
    size_t bits;
    uint32_t zero[GROUPS][OUT];
    bool has_g_idx;
    int32_t g_idx[IN];
} layer;

static uint32_t code(size_t bits, size_t o, size_t i)
{
    return (uint32_t)(3 * o + 5 * i) & ((1u << bits) - 1);
}

/* Number k of a stream of words that lie `stride` apart. */
static void put(uint32_t *stream, size_t stride, size_t bits, size_t k, uint32_t value)
{
    for (size_t b = 0; b < bits; b++)
        if (value >> b & 1)
            stream[(k * bits + b) / 32 * stride] |= 1u << (k * bits + b) % 32;
}

static void write_layer(const layer *l, const char *config)
{
    static uint32_t words[IN * 8 / 32 * OUT], zeros[GROUPS * OUT * 8 / 32];
    static float scales[GROUPS * OUT];
    const size_t rows = IN * l->bits / 32, cols = OUT * l->bits / 32;
    memset(words, 0, sizeof words);
    memset(zeros, 0, sizeof zeros);
    for (size_t o = 0; o < OUT; o++)
        for (size_t i = 0; i < IN; i++)
            put(words + o, OUT, l->bits, i, code(l->bits, o, i));
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t o = 0; o < OUT; o++) {
            put(zeros + g * cols, 1, l->bits, o, l->zero[g][o]);
            scales[g * OUT + o] = 1;
        }
    const array arrays[] = { { Q ".qweight", "I32", 2, { rows, OUT }, words },
                             { Q ".qzeros", "I32", 2, { GROUPS, cols }, zeros },
                             { Q ".scales", "F32", 2, { GROUPS, OUT }, scales },
                             { Q ".g_idx", "I32", 1, { IN }, l->g_idx } };
    put_arrays(arrays, l->has_g_idx ? 4 : 3, config);
}

/* Every weight is code - zero, whose stored form is less by `minus`. */
static void check_layer(const layer *l, uint32_t minus, const char *what)
{
    rsd_model *model;
    float x[OUT * IN];
    CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
    CHECK_OK(rsd_model_read(model, rsd_model_tensor(model, 0), (rsd_mat){ x, OUT, IN, IN }));
    rsd_model_close(model);
    for (size_t o = 0; o < OUT; o++)
        for (size_t i = 0; i < IN; i++) {
            const size_t g = l->has_g_idx ? (size_t)l->g_idx[i] : i * GROUPS / IN;
            const uint32_t zero = (l->zero[g][o] + minus) & ((1u << l->bits) - 1);
            const float want = (float)code(l->bits, o, i) - (float)zero;
            if (x[o * IN + i] != want)
                fail_msg("%s, %zu bits: W[%zu][%zu] = %g, want %g", what, l->bits, o, i,
                         (double)x[o * IN + i], (double)want);
        }
}

static layer with_zeros(size_t bits, uint32_t zero, uint32_t step)
{
    layer l = { .bits = bits };
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t o = 0; o < OUT; o++)
            l.zero[g][o] = (zero + step * (uint32_t)(g + o)) & ((1u << bits) - 1);
    return l;
}

#define METHOD "{\"quantization_config\": {\"quant_method\": \"gptq\""

/* Symmetric: the zeros tell, whatever is said, or not, of the version. */
static void symmetric_zeros_tell_their_version(void **state)
{
    (void)state;
    static const char *const configs[] = {
        NULL,
        "{}",
        METHOD "}}",
        METHOD ", \"sym\": true, \"checkpoint_format\": \"gptq\"}}",
        METHOD ", \"sym\": true, \"checkpoint_format\": \"gptq_v2\"}}",
        METHOD ", \"meta\": {\"quantizer\": [\"gptqmodel:5.0.0\"]}}}",
    };
    static const size_t bits[] = { 2, 3, 4, 8 };
    for (size_t b = 0; b < 4; b++)
        for (size_t c = 0; c < sizeof configs / sizeof *configs; c++) {
            const uint32_t middle = 1u << (bits[b] - 1);
            const layer first = with_zeros(bits[b], middle - 1, 0);
            const layer second = with_zeros(bits[b], middle, 0);
            write_layer(&first, configs[c]);
            check_layer(&first, 1, "first version");
            write_layer(&second, configs[c]);
            check_layer(&second, 0, "second version");
        }
}

/* Zeros that differ tell nothing: the configuration does, wherever it stands; else the first. */
static void asymmetric_zeros_go_by_what_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *config, *beside;
        uint32_t minus;
    } cases[] = {
        { NULL, NULL, 1 },
        { METHOD "}}", NULL, 1 },
        { METHOD ", \"checkpoint_format\": \"gptq_v2\"}}", NULL, 0 },
        { METHOD ", \"checkpoint_format\": \"gptq\"}}", "{\"checkpoint_format\": \"gptq_v2\"}", 1 },
        { METHOD "}}", "{\"bits\": 4, \"checkpoint_format\": \"gptq_v2\"}", 0 },
        { "{}", "{\"bits\": 4, \"group_size\": 32, \"checkpoint_format\": \"gptq_v2\"}", 0 },
        { NULL, "{\"bits\": 4, \"quant_method\": \"gptq\", \"checkpoint_format\": \"gptq_v2\"}",
          0 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const layer l = with_zeros(4, 3, 1);
        unlink(in_scratch("stored/quantize_config.json"));
        if (cases[c].beside)
            put_text("stored/quantize_config.json", cases[c].beside);
        write_layer(&l, cases[c].config);
        check_layer(&l, cases[c].minus, cases[c].config ? cases[c].config : "no configuration");
    }
    unlink(in_scratch("stored/quantize_config.json"));
}

/* Zeros over several groups are no permutation; a real one is honoured; a wrong one is refused. */
static void group_indices(void **state)
{
    (void)state;
    layer l = with_zeros(4, 2, 1), plain = l;
    l.has_g_idx = true;
    write_layer(&l, NULL);
    check_layer(&plain, 1, "nothing but zeros");
    for (size_t i = 0; i < IN; i++)
        l.g_idx[i] = i * 7 % 3 == 0;
    write_layer(&l, NULL);
    check_layer(&l, 1, "a permutation");

    rsd_model *model;
    float x[OUT * IN];
    l.g_idx[5] = GROUPS;
    write_layer(&l, NULL);
    CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
    CHECK_FAILS(rsd_model_read(model, rsd_model_tensor(model, 0), (rsd_mat){ x, OUT, IN, IN }),
                RSD_EFORMAT, "g_idx puts input 5 in group 2 of 2");
    rsd_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symmetric_zeros_tell_their_version),
        cmocka_unit_test(asymmetric_zeros_go_by_what_is_said),
        cmocka_unit_test(group_indices),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
