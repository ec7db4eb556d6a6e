/* GPT-2's names in every storage and both orientations: W is out x in, whatever the file says. */
#include "stored_arrays.h"

#include "fp.h"

enum { N = 8, LAYERS = 4 };

static const struct {
    const char *name;
    size_t out, in;
} layers[LAYERS] = {
    { "h.0.attn.c_attn", 3 * N, N },
    { "h.0.attn.c_proj", N, N },
    { "h.0.mlp.c_fc", 4 * N, N },
    { "h.0.mlp.c_proj", N, 4 * N },
};

/* W of layer l: whole numbers from -8 to 7. */
static int weight(size_t l, size_t o, size_t i) { return (int)((3 * l + 7 * o + 5 * i) % 16) - 8; }

typedef enum { PLAIN, GPTQ, NF4, INT8, FP8, STORAGES } storage;
static const char *const storages[] = { "plain", "gptq", "nf4", "int8", "fp8" };

typedef struct {
    array list[64];
    char name[64][96];
    void *data[64];
    size_t count;
} bundle;

static void *add(bundle *b, const char *layer, const char *suffix, const char *dtype, size_t rows,
                 size_t cols, size_t bytes)
{
    const size_t k = b->count++;
    snprintf(b->name[k], sizeof b->name[k], "%s.%s", layer, suffix);
    b->data[k] = calloc(1, bytes);
    b->list[k] = (array){ b->name[k], dtype, cols ? 2 : 1, { rows, cols }, b->data[k] };
    return b->data[k];
}

/* Codes weight + 8 of the matrix as stored: rows x cols, W or its transpose. */
static unsigned code(size_t l, bool turned, size_t row, size_t col)
{
    return (unsigned)(8 + (turned ? weight(l, col, row) : weight(l, row, col)));
}

static void add_gptq(bundle *b, size_t l)
{
    const size_t out = layers[l].out, in = layers[l].in;
    uint32_t *words = add(b, layers[l].name, "qweight", "I32", in / 8, out, in * out / 2);
    uint32_t *zeros = add(b, layers[l].name, "qzeros", "I32", 1, out / 8, out / 2);
    float *scales = add(b, layers[l].name, "scales", "F32", 1, out, 4 * out);
    for (size_t o = 0; o < out; o++) {
        scales[o] = 1;
        zeros[o / 8] |= 7u << o % 8 * 4;
        for (size_t i = 0; i < in; i++)
            words[i / 8 * out + o] |= code(l, false, o, i) << i % 8 * 4;
    }
}

static void add_nf4(bundle *b, size_t l, bool turned)
{
    const size_t rows = turned ? layers[l].in : layers[l].out, n = layers[l].out * layers[l].in;
    char state[128];
    const int size = snprintf(state, sizeof state,
                              "{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [%zu, %zu]}",
                              rows, n / rows);
    uint8_t *codes = add(b, layers[l].name, "weight", "U8", n / 2, 1, n / 2);
    float *absmax = add(b, layers[l].name, "weight.absmax", "F32", n / 64, 0, n / 16);
    float *map = add(b, layers[l].name, "weight.quant_map", "F32", 16, 0, 64);
    memcpy(add(b, layers[l].name, "weight.quant_state.bitsandbytes__nf4", "U8", (size_t)size, 0,
               (size_t)size),
           state, (size_t)size);
    for (size_t k = 0; k < n; k++)
        codes[k / 2] |=
            (uint8_t)(code(l, turned, k / (n / rows), k % (n / rows)) << (k % 2 ? 0 : 4));
    for (size_t k = 0; k < n / 64; k++)
        absmax[k] = 1;
    for (int k = 0; k < 16; k++)
        map[k] = (float)(k - 8);
}

static void add_numbers(bundle *b, size_t l, storage s, bool turned)
{
    const size_t rows = turned ? layers[l].in : layers[l].out, n = layers[l].out * layers[l].in;
    float *scale = s == PLAIN  ? NULL
                   : s == INT8 ? add(b, layers[l].name, "SCB", "F32", rows, 0, 4 * rows)
                               : add(b, layers[l].name, "weight_scale", "F32", rows, 1, 4 * rows);
    const char *dtype = s == PLAIN ? "F32" : s == INT8 ? "I8" : "F8_E4M3";
    void *data = add(b, layers[l].name, "weight", dtype, rows, n / rows, s == PLAIN ? 4 * n : n);
    for (size_t k = 0; k < n; k++) {
        const int w = (int)code(l, turned, k / (n / rows), k % (n / rows)) - 8;
        if (s == PLAIN)
            ((float *)data)[k] = (float)w;
        else if (s == INT8)
            ((int8_t *)data)[k] = (int8_t)w;
        else
            ((uint8_t *)data)[k] = (uint8_t)rsd_fp_encode(&rsd_e4m3, (float)w, false);
    }
    for (size_t k = 0; scale && k < rows; k++)
        scale[k] = s == INT8 ? 127 : 1;
}

typedef struct {
    bool bias, table; /* what is beside the layers */
    size_t first, count;
} beside;

static void write_model(storage s, bool turned, const char *config, beside what)
{
    bundle b = { .count = 0 };
    for (size_t l = what.first; l < what.first + what.count; l++) {
        if (what.bias)
            add(&b, layers[l].name, "bias", "F32", layers[l].out, 0, 4 * layers[l].out);
        if (s == GPTQ)
            add_gptq(&b, l);
        else if (s == NF4)
            add_nf4(&b, l, turned);
        else
            add_numbers(&b, l, s, turned);
    }
    if (what.table)
        add(&b, "wte", "weight", "F32", 40, N, 160 * N);
    put_arrays(b.list, b.count, config);
    for (size_t k = 0; k < b.count; k++)
        free(b.data[k]);
}

/* W as read, and as listed flat, where it is to be written again: in x out in a Conv1D family. */
static void check_model(beside what, bool conv1d, const char *about)
{
    rsd_model *model;
    float x[4 * N * N], flat[4 * N * N];
    CHECK_OK(rsd_model_open(in_scratch("stored"), &model));
    for (size_t l = what.first; l < what.first + what.count; l++) {
        char name[96];
        const size_t out = layers[l].out, in = layers[l].in;
        snprintf(name, sizeof name, "%s.weight", layers[l].name);
        const rsd_tensor *t = rsd_model_find(model, name);
        if (!t || t->rows != out || t->cols != in)
            fail_msg("%s: %s is %zu x %zu, want %zu x %zu", about, name, t ? t->rows : 0,
                     t ? t->cols : 0, out, in);
        if (t->role.transposed != conv1d)
            fail_msg("%s: %s listed %s", about, name, t->role.transposed ? "in x out" : "out x in");
        assert_true(t->shape[0] == (conv1d ? in : out) && t->shape[1] == (conv1d ? out : in));
        CHECK_OK(rsd_model_read(model, t, (rsd_mat){ x, out, in, in }));
        CHECK_OK(rsd_model_read_flat(model, t, flat));
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                if (x[o * in + i] != (float)weight(l, o, i) ||
                    flat[conv1d ? i * out + o : o * in + i] != (float)weight(l, o, i))
                    fail_msg("%s: %s [%zu][%zu] = %g, want %d", about, name, o, i,
                             (double)x[o * in + i], weight(l, o, i));
    }
    rsd_model_close(model);
}

#define TYPE(name) "{\"model_type\": \"" name "\"}"

/* All four layers together, in every storage, both ways, under every family's name. */
static void a_block_lies_as_its_shapes_tell(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        bool conv1d;
    } families[] = {
        { NULL, true },
        { TYPE("gpt2"), true },
        { TYPE("jais"), true },
        { TYPE("imagegpt"), true },
        { TYPE("gpt_bigcode"), false },
        { TYPE("qwen"), false },
    };
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (storage s = 0; s < STORAGES; s++)
            for (int turned = 0; turned < 2; turned++)
                for (int k = 0; k < 4; k++) {
                    const beside what = { k & 1, k & 2, 0, LAYERS };
                    char about[128];
                    snprintf(about, sizeof about, "%s %s %s%s%s",
                             families[f].config ? families[f].config : "-", storages[s],
                             turned ? "in x out" : "out x in", k & 1 ? " bias" : "",
                             k & 2 ? " wte" : "");
                    write_model(s, turned, families[f].config, what);
                    /* numbers as they are keep their place; codes take their family's */
                    check_model(what, s == PLAIN ? turned : families[f].conv1d, about);
                }
}

/* A square layer alone: nothing but the family tells. */
static void a_square_alone_goes_by_its_family(void **state)
{
    (void)state;
    const beside what = { true, true, 1, 1 };
    write_model(PLAIN, true, TYPE("decision_transformer"), what);
    check_model(what, true, "decision_transformer");
    write_model(PLAIN, false, TYPE("gpt_bigcode"), what);
    check_model(what, false, "gpt_bigcode");
    write_model(GPTQ, true, TYPE("gpt2"), what); /* GPTQ says by itself how it lies */
    check_model(what, true, "gptq");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_lies_as_its_shapes_tell),
        cmocka_unit_test(a_square_alone_goes_by_its_family),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
