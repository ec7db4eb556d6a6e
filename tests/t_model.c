/* Models: order, orientation, reading, memory. */
#include "model_files.h"

#include "io/model/synthetic.h"

#include <sys/resource.h>

/* ---- memory ---- */

/* Largest resident memory of the process so far, bytes. */
static size_t peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

/* Without pages given back, reading these 192 MB would keep them: a sparse file of one 128 MB F64
 * tensor and eight of 8 MB.  Runs first: peak() only grows. */
static void memory_is_bounded(void **state)
{
    (void)state;
    enum { MB = 1 << 20 };
    const size_t wide[] = { 4096, 4096 }, narrow[] = { 2048, 1024 };
    const char *path = in_scratch("sparse.safetensors");
    char header[2048];
    size_t used = (size_t)sprintf(header,
                                  "{\"h.0.attn.c_attn.weight\":{\"dtype\":\"F64\","
                                  "\"shape\":[4096,4096],\"data_offsets\":[0,%d]}",
                                  128 * MB);
    for (int i = 0; i < 8; i++)
        used += (size_t)sprintf(header + used,
                                ",\"layers.%d.w\":{\"dtype\":\"F32\",\"shape\":"
                                "[2048,1024],\"data_offsets\":[%d,%d]}",
                                i, (128 + 8 * i) * MB, (136 + 8 * i) * MB);
    used += (size_t)sprintf(header + used, "}");
    const uint64_t length = used;
    FILE *f = fopen(path, "wb");
    fwrite(&length, 8, 1, f);
    fwrite(header, 1, used, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(truncate(path, (off_t)(8 + used + 192 * (size_t)MB)), 0);

    rsd_model *model;
    rsd_mat W;
    CHECK_OK(rsd_model_open(path, &model));
    CHECK_OK(rsd_mat_alloc(wide[0], wide[1], &W));
    memset(W.x, 0xff, wide[0] * wide[1] * sizeof *W.x); /* resident before the reading begins */
    const size_t before = peak();
    const rsd_tensor *t = rsd_model_find(model, "h.0.attn.c_attn.weight");
    CHECK_OK(rsd_model_read(model, t, W)); /* turned */
    CHECK_OK(rsd_model_read_flat(model, t, W.x));
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        t = rsd_model_tensor(model, i);
        if (t->dtype == RSD_F32)
            CHECK_OK(rsd_model_read(model, t, (rsd_mat){ W.x, narrow[0], narrow[1], 4096 }));
    }
    assert_true(W.x[0] == 0 && W.x[wide[0] * wide[1] - 1] == 0);
    /* two windows of 4 MB and what the kernel counts late */
    if (peak() - before > 16 * MB)
        fail_msg("%zu MB more than the matrix", (peak() - before) / MB);
    rsd_mat_free(&W);
    rsd_model_close(model);
    unlink(path);
}

/* ---- generated ---- */

static void synthetic_model(void **state)
{
    (void)state;
    rsd_model *model, *again;
    char hex[65], hex2[65];
    size_t bytes;
    CHECK_OK(rsd_model_open("synthetic:rank=4,cols=30,rows=20,count=12", &model));
    assert_string_equal(rsd_model_name(model), "synthetic");
    assert_string_equal(rsd_model_architecture(model), "synthetic");
    assert_non_null(strstr(rsd_model_config(model), "\"rank\": 4, \"power\": 0, \"strength\": 1,"));
    assert_int_equal(rsd_model_count(model), 12);
    assert_int_equal(rsd_model_parameters(model), 12 * 20 * 30);
    const rsd_tensor *t = rsd_model_find(model, "layers.11.weight");
    assert_true(t == rsd_model_tensor(model, 11) && t->matrix && t->rows == 20 && t->cols == 30 &&
                t->role.linear && t->role.layer == 11);
    assert_string_equal(t->role.role, "other");
    assert_null(rsd_model_bytes(model, t, &bytes));
    rsd_mat W, A;
    CHECK_OK(rsd_mat_alloc(20, 30, &W));
    CHECK_OK(rsd_mat_alloc(20, 30, &A));
    rsd_synthetic p;
    CHECK_OK(rsd_synthetic_parse("rows=20,cols=30,rank=4,count=12", &p));
    CHECK_OK(rsd_synthetic_fill(&p, 11, A));
    CHECK_OK(rsd_model_read(model, t, W));
    assert_memory_equal(W.x, A.x, 600 * sizeof *W.x);
    CHECK_OK(rsd_model_read_flat(model, rsd_model_tensor(model, 0), W.x));
    assert_memory_not_equal(W.x, A.x, 600 * sizeof *W.x);
    CHECK_OK(rsd_model_open("synthetic:rows=20,cols=30,rank=4,count=12,noise=0", &again));
    CHECK_OK(rsd_model_sha256(model, hex));
    CHECK_OK(rsd_model_sha256(again, hex2));
    assert_string_equal(hex, hex2);
    rsd_model_close(again);
    rsd_model_close(model);
    rsd_mat_free(&W);
    rsd_mat_free(&A);
    OPEN_FAILS("synthetic:rank=x", RSD_EUSAGE, "synthetic: rank=x is not a whole number");
    OPEN_FAILS("synthetic:rows=16777216,cols=16777216,count=100000,noise=1", RSD_EUSAGE,
               "overflow");
}

/* ---- single files ---- */

static void write_npy(const char *name, const char *descr, const char *order, const char *shape,
                      const void *data, size_t size)
{
    char file[512] = "\x93NUMPY\1\0\x76";
    memset(file + 10, ' ', 118);
    const int n = sprintf(file + 10, "{'descr': '%s', 'fortran_order': %s, 'shape': %s}", descr,
                          order, shape);
    file[10 + n] = '\n';
    memcpy(file + 128, data, size);
    put_file(name, file, 128 + size);
}

static void npy_is_a_matrix(void **state)
{
    (void)state;
    const float x[] = { 1, 2, 3, 4, 5, 6 }, turned[] = { 1, 3, 5, 2, 4, 6 };
    rsd_model *model;
    rsd_mat W;
    CHECK_OK(rsd_mat_alloc(2, 3, &W));
    write_npy("W.q.npy", "<f4", "False", "(2, 3)", x, sizeof x);
    write_npy("F.npy", "<f4", "True", "(2, 3)", x, sizeof x);
    write_npy("no_ending", "<f4", "False", "(2, 3)", x, sizeof x);
    CHECK_OK(rsd_model_open(in_scratch("W.q.npy"), &model));
    assert_int_equal(rsd_model_count(model), 1);
    const rsd_tensor *t = rsd_model_tensor(model, 0);
    assert_string_equal(rsd_model_name(model), "W.q");
    assert_string_equal(t->name, "W.q");
    assert_string_equal(rsd_model_architecture(model), "unknown");
    assert_string_equal(rsd_model_config(model), "{}");
    assert_true(t->matrix && t->rows == 2 && t->cols == 3 && t->role.layer == -1 && t->role.linear);
    CHECK_OK(rsd_model_read(model, t, W));
    assert_memory_equal(W.x, x, sizeof x);
    rsd_model_close(model);

    CHECK_OK(rsd_model_open(in_scratch("F.npy"), &model));
    CHECK_OK(rsd_model_read(model, rsd_model_tensor(model, 0), W));
    assert_memory_equal(W.x, turned, sizeof x);
    rsd_model_close(model);

    CHECK_OK(rsd_model_open(in_scratch("no_ending"), &model));
    assert_string_equal(rsd_model_name(model), "no_ending");
    rsd_model_close(model);
    rsd_mat_free(&W);

    write_npy("v.npy", "<f4", "False", "(6,)", x, sizeof x);
    OPEN_FAILS(in_scratch("v.npy"), RSD_EFORMAT, "v.npy: npy: 6 elements in 1 dimensions");
    write_npy("i.npy", "<i4", "False", "(2, 3)", x, sizeof x);
    OPEN_FAILS(in_scratch("i.npy"), RSD_EFORMAT, "i.npy: npy: elements are I32");
    write_npy("z.npy", "<f4", "False", "(0, 3)", x, 0);
    OPEN_FAILS(in_scratch("z.npy"), RSD_EFORMAT, "0 elements in 2 dimensions");
    write_npy("o.npy", "|O", "False", "(2, 3)", x, sizeof x);
    OPEN_FAILS(in_scratch("o.npy"), RSD_EFORMAT, "Python objects");
    put_text("t.npy", "\x93NUM");
    OPEN_FAILS(in_scratch("t.npy"), RSD_EFORMAT, "t.npy: npy: 4 bytes do not begin");
}

static void tensors_are_listed_in_order(void **state)
{
    (void)state;
    static const declared tensors[] = {
        { "model.layers.10.self_attn.q_proj.weight", 2, { 4, 6 } },
        { "model.layers.2.mlp.up_proj.weight", 2, { 5, 3 } },
        { "model.layers.2.input_layernorm.weight", 1, { 7 } },
        { "model.norm.weight", 1, { 2 } },
        { "model.layers.2.conv.weight", 3, { 2, 2, 2 } },
        { "model.layers.2.none", 2, { 0, 4 } },
        { "scale", 0, { 0 } },
    };
    /* clang-format off */
    static const char *const order[] = {
        "model.norm.weight", "scale", "model.layers.2.mlp.up_proj.weight",
        "model.layers.2.input_layernorm.weight", "model.layers.2.conv.weight",
        "model.layers.2.none", "model.layers.10.self_attn.q_proj.weight" };
    rsd_model *model;
    write_safetensors("order.safetensors", tensors, 7);
    CHECK_OK(rsd_model_open(in_scratch("order.safetensors"), &model));
    assert_string_equal(rsd_model_name(model), "order");
    assert_int_equal(rsd_model_count(model), 7);
    assert_int_equal(rsd_model_parameters(model), 24 + 15 + 7 + 2 + 8 + 0 + 1);
    for (size_t i = 0; i < 7; i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        assert_string_equal(t->name, order[i]);
        assert_true(t == rsd_model_find(model, order[i]));
        assert_true(t->matrix == (i == 2 || i == 6));
        assert_true(t->matrix || (t->rows == 0 && t->cols == 0));
    }
    assert_null(rsd_model_find(model, "model.norm"));

    float x[8];
    const rsd_tensor *t = rsd_model_find(model, "model.layers.2.conv.weight");
    CHECK_OK(rsd_model_read_flat(model, t, x));
    assert_true(x[0] == 24 + 15 + 7 + 2 + 0.5f && x[7] == x[0] + 7);
    size_t bytes;
    assert_memory_equal(rsd_model_bytes(model, t, &bytes), x, sizeof x);
    assert_int_equal(bytes, sizeof x);

    /* into a wider array, whose other columns stay */
    float wide[5 * 4];
    memset(wide, 0, sizeof wide);
    t = rsd_model_find(model, "model.layers.2.mlp.up_proj.weight");
    CHECK_OK(rsd_model_read(model, t, (rsd_mat){ wide, 5, 3, 4 }));
    for (size_t i = 0; i < 20; i++)
        assert_true(wide[i] == (i % 4 == 3 ? 0 : 24.5f + (float)(i / 4 * 3 + i % 4)));
    rsd_model_close(model);
    rsd_model_close(NULL);
}

/* 37 x 21 stored in x out: not a multiple of the strip that is turned at a time. */
static void conv1d_is_turned(void **state)
{
    (void)state;
    static const declared gpt2[] = { { "h.0.mlp.c_fc.weight", 2, { 37, 21 } } };
    static const declared neo[] = { { "h.0.mlp.c_fc.weight", 2, { 37, 21 } },
                                    { "h.0.attn.attention.q_proj.weight", 2, { 1, 1 } } };
    rsd_model *model;
    float x[21 * 40];
    write_safetensors("gpt2/model.safetensors", gpt2, 1);
    CHECK_OK(rsd_model_open(in_scratch("gpt2"), &model));
    const rsd_tensor *t = rsd_model_tensor(model, 0);
    assert_true(t->rows == 21 && t->cols == 37 && t->shape[0] == 37 && t->shape[1] == 21);
    CHECK_OK(rsd_model_read(model, t, (rsd_mat){ x, 21, 37, 40 }));
    for (size_t i = 0; i < 21; i++)
        for (size_t j = 0; j < 37; j++)
            assert_true(x[i * 40 + j] == (float)(j * 21 + i) + 0.5f);
    CHECK_OK(rsd_model_read_flat(model, t, x)); /* as stored */
    assert_true(x[1] == 1.5f && x[21] == 21.5f);
    rsd_model_close(model);

    /* GPT-Neo by its config, and by the names beside it where there is no config */
    put_text("gpt2/config.json", "{\"model_type\": \"gpt_neo\"}");
    CHECK_OK(rsd_model_open(in_scratch("gpt2"), &model));
    t = rsd_model_tensor(model, 0);
    assert_true(t->rows == 37 && t->cols == 21);
    rsd_model_close(model);
    write_safetensors("neo.safetensors", neo, 2);
    CHECK_OK(rsd_model_open(in_scratch("neo.safetensors"), &model));
    assert_string_equal(rsd_model_architecture(model), "unknown");
    t = rsd_model_find(model, "h.0.mlp.c_fc.weight");
    assert_true(t->rows == 37 && t->cols == 21);
    CHECK_OK(rsd_model_read(model, t, (rsd_mat){ x, 37, 21, 21 }));
    assert_true(x[1] == 1.5f);
    rsd_model_close(model);
}

/* Threads read different tensors of one model at once. */
static void threads_read_together(void **state)
{
    (void)state;
    enum { N = 24, SIDE = 50 };
    declared tensors[N];
    char names[N][64];
    for (int i = 0; i < N; i++) {
        sprintf(names[i], "h.%d.%s.weight", i, i % 2 ? "mlp.c_fc" : "self_attn.q_proj");
        tensors[i] = (declared){ names[i], 2, { SIDE, SIDE } };
    }
    rsd_model *model;
    write_safetensors("threads.safetensors", tensors, N);
    CHECK_OK(rsd_model_open(in_scratch("threads.safetensors"), &model));
    int wrong = 0;
#pragma omp parallel for num_threads(4) reduction(+ : wrong)
    for (int i = 0; i < 10 * N; i++) {
        float x[SIDE * SIDE];
        const int k = i % N;
        const rsd_tensor *t = rsd_model_find(model, names[k]);
        wrong += rsd_model_read(model, t, (rsd_mat){ x, SIDE, SIDE, SIDE }) != RSD_OK;
        for (int e = 0; e < SIDE * SIDE; e++) {
            const int at = k % 2 ? e % SIDE * SIDE + e / SIDE : e;
            wrong += x[e] != (float)(k * SIDE * SIDE + at) + 0.5f;
        }
    }
    assert_int_equal(wrong, 0);
    rsd_model_close(model);
}

/* ---- real models ---- */

static rsd_model *open_shared(const char *name)
{
    char path[256];
    rsd_model *model;
    snprintf(path, sizeof path, "models/%s/model.safetensors", name);
    const char *file = shared_file(path);
    if (!file)
        skip();
    assert_true(strlen(file) < sizeof path);
    snprintf(path, sizeof path, "%.*s", (int)(strrchr(file, '/') - file), file);
    CHECK_OK(rsd_model_open(path, &model));
    return model;
}

static void real_llamas(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t parameters;
    } models[] = { { "stories260k", 260032 }, { "babyllama-105", 936448 } };
    /* clang-format on */
    for (size_t k = 0; k < 2; k++) {
        rsd_model *model = open_shared(models[k].name);
        assert_string_equal(rsd_model_name(model), models[k].name);
        assert_string_equal(rsd_model_architecture(model), "llama");
        assert_int_equal(rsd_model_parameters(model), models[k].parameters);
        size_t linear = 0, embedding = 0, norms = 0;
        for (size_t i = 0; i < rsd_model_count(model); i++) {
            const rsd_role *role = &rsd_model_tensor(model, i)->role;
            linear += role->linear;
            embedding += role->embedding;
            norms += strcmp(role->role, "norm") == 0;
        }
        assert_int_equal(linear, 5 * 7);
        assert_int_equal(embedding, 1);
        assert_int_equal(norms, 5 * 2 + 1);
        rsd_model_close(model);
    }
}

/* Every Conv1D matrix is found and turned; its Frobenius norm and largest rows' place are those of
 * reference.json, which another program computed. */
static void real_gpt2(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double norm;
    } norms[] = { { "h.0.attn.c_attn.weight", 265.53687097772286 },
                  { "h.0.attn.c_proj.weight", 113.25005485124248 },
                  { "h.11.attn.c_attn.weight", 170.89895632864298 } };
    rsd_model *model = open_shared("gpt2-attention-2");
    size_t matrices = 0;
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (!t->role.linear)
            continue;
        const bool qkv = strcmp(t->role.role, "qkv") == 0;
        assert_true(t->role.transposed && t->cols == 768 && t->rows == (qkv ? 2304 : 768));
        assert_int_equal(t->role.layer, matrices < 2 ? 0 : 11);
        matrices++;
    }
    assert_int_equal(matrices, 4);
    for (size_t k = 0; k < 3; k++) {
        const rsd_tensor *t = rsd_model_find(model, norms[k].name);
        rsd_mat W, flat;
        CHECK_OK(rsd_mat_alloc(t->rows, t->cols, &W));
        CHECK_OK(rsd_mat_alloc(t->cols, t->rows, &flat));
        CHECK_OK(rsd_model_read(model, t, W));
        CHECK_OK(rsd_model_read_flat(model, t, flat.x));
        /* squares are exact in double, sums of 1.8 M of them good to 1e-12 */
        CHECK_CLOSE(sqrt(rsd_mat_sumsq(W)), norms[k].norm, 1e-11 * norms[k].norm);
        for (size_t i = 0; i < W.m; i += 97)
            for (size_t j = 0; j < W.n; j++)
                assert_true(W.x[i * W.ld + j] == flat.x[j * flat.ld + i]);
        rsd_mat_free(&W);
        rsd_mat_free(&flat);
    }
    char hex[65], want[65];
    CHECK_OK(rsd_model_sha256(model, hex));
    CHECK_OK(rsd_file_sha256(shared_file("models/gpt2-attention-2/model.safetensors"), want));
    assert_string_equal(hex, want);
    rsd_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_bounded), cmocka_unit_test(synthetic_model),
        cmocka_unit_test(npy_is_a_matrix),   cmocka_unit_test(tensors_are_listed_in_order),
        cmocka_unit_test(conv1d_is_turned),  cmocka_unit_test(threads_read_together),
        cmocka_unit_test(real_llamas),       cmocka_unit_test(real_gpt2),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
