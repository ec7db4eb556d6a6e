/* Sources that are refused or put together: cut files, pickles, config.json, shards. */
#include "model_files.h"

static void cut_file_is_refused(void **state)
{
    (void)state;
    static const declared tensors[] = { { "a", 2, { 3, 2 } }, { "b", 1, { 5 } } };
    static uint8_t data[1024];
    write_safetensors("cut.safetensors", tensors, 2);
    FILE *f = fopen(in_scratch("cut.safetensors"), "rb");
    const size_t size = fread(data, 1, sizeof data, f);
    assert_true(fclose(f) == 0 && size > 100 && size < sizeof data);
    for (size_t n = 0; n < size; n++) {
        put_file("cut.safetensors", data, n);
        OPEN_FAILS(in_scratch("cut.safetensors"), RSD_EFORMAT, "cut.safetensors: ");
    }
    put_file("cut.safetensors", data, size);
    rsd_model *model;
    float x[6];
    CHECK_OK(rsd_model_open(in_scratch("cut.safetensors"), &model));
    assert_int_equal(truncate(in_scratch("cut.safetensors"), (off_t)size - 1), 0);
    const rsd_tensor *a = rsd_model_find(model, "a");
    CHECK_FAILS(rsd_model_read(model, a, (rsd_mat){ x, 3, 2, 2 }), RSD_EIO, "was cut from");
    CHECK_FAILS(rsd_model_read_flat(model, a, x), RSD_EIO, "was cut from");
    rsd_model_close(model);
}

static void pickles_are_refused(void **state)
{
    (void)state;
    static const char zip[] = "PK\3\4\0\0\10\10 archive/data.pkl", pickle[] = "\x80\2}q\1(X\6  abc";
    static const char *const names[] = { "x.bin",  "x.pt",  "x.pth",
                                         "x.ckpt", "plain", "x.safetensors" };
    for (size_t k = 0; k < 6; k++) {
        put_file(names[k], k % 2 ? zip : pickle, 14);
        OPEN_FAILS(in_scratch(names[k]), RSD_EFORMAT, "is a Python pickle");
    }
    OPEN_FAILS(in_scratch("x.bin"), RSD_EFORMAT, "python3 -c \"import sys, torch, safetensors");
    put_text("pickled/pytorch_model-00001-of-00002.bin", "");
    put_text("pickled/training_args.bin", "");
    OPEN_FAILS(in_scratch("pickled"), RSD_EFORMAT, "pytorch_model-00001-of-00002.bin: is a Python");
    char want[256];
    snprintf(want, sizeof want, "'%s/model.safetensors'", in_scratch("pickled"));
    OPEN_FAILS(in_scratch("pickled"), RSD_EFORMAT, want);
    put_text("args/training_args.bin", "");
    OPEN_FAILS(in_scratch("args"), RSD_ENOTFOUND, "there is training_args.bin");

    /* a header of 0x280 bytes begins like a pickle */
    uint8_t data[8 + 0x280] = { 0x80, 2 };
    memset(data + 8, ' ', 0x280);
    memcpy(data + 8, "{}", 2);
    put_file("640", data, sizeof data);
    rsd_model *model;
    CHECK_OK(rsd_model_open(in_scratch("640"), &model));
    assert_true(rsd_model_count(model) == 0 && rsd_model_find(model, "a") == NULL);
    rsd_model_close(model);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    OPEN_FAILS(in_scratch("missing"), RSD_ENOTFOUND, "missing: No such file");
    OPEN_FAILS("", RSD_ENOTFOUND, "No such file");
    put_text("text.txt", "some text that is not a model");
    OPEN_FAILS(in_scratch("text.txt"), RSD_EFORMAT, "is neither a .safetensors nor a .npy");
    OPEN_FAILS(in_scratch("text.txt/x"), RSD_ENOTFOUND, "Not a directory");
    put_text("empty.safetensors", "");
    OPEN_FAILS(in_scratch("empty.safetensors"), RSD_EFORMAT, "0 bytes are too few");
    OPEN_FAILS("/dev/null", RSD_EIO, "is not a regular file");
}

static void config_is_checked(void **state)
{
    (void)state;
    static const declared one[] = { { "layers.0.self_attn.q_proj.weight", 2, { 2, 3 } } };
    rsd_model *model;
    write_safetensors("conf/weights.safetensors", one, 1); /* the only one there is */
    CHECK_OK(rsd_model_open(in_scratch("conf/"), &model));
    assert_string_equal(rsd_model_name(model), "conf");
    assert_string_equal(rsd_model_architecture(model), "unknown");
    assert_string_equal(rsd_model_config(model), "{}");
    assert_true(rsd_model_tensor(model, 0)->role.linear);
    rsd_model_close(model);

    put_text("conf/config.json", "{\"model_type\": \"llama\",\n \"rms_norm_eps\": 1e-05}");
    CHECK_OK(rsd_model_open(in_scratch("conf//"), &model));
    assert_string_equal(rsd_model_architecture(model), "llama");
    assert_string_equal(rsd_model_config(model),
                        "{\"model_type\": \"llama\",\n \"rms_norm_eps\": 1e-05}");
    assert_non_null(strstr(rsd_model_source(model), "conf//"));
    rsd_model_close(model);
    put_text("conf/config.json", "{\"hidden_size\": 3}");
    CHECK_OK(rsd_model_open(in_scratch("conf"), &model));
    assert_string_equal(rsd_model_architecture(model), "unknown");
    rsd_model_close(model);

    /* clang-format off */
    static const char *const bad[][2] = {
        { "{\"a\": 1,\n\"b\": }", "conf/config.json: line 2" },
        { "", "conf/config.json: line 1" },
        { "[1]", "conf/config.json: is not a JSON object" },
        { "{\"model_type\": 3}", "model_type is not a string" },
        { "{\"a\": 1, \"a\": 2}", "duplicate object key" },
    };
    /* clang-format on */
    for (size_t c = 0; c < sizeof bad / sizeof *bad; c++) {
        put_text("conf/config.json", bad[c][0]);
        OPEN_FAILS(in_scratch("conf"), RSD_EFORMAT, bad[c][1]);
    }
}

static void folder_without_weights(void **state)
{
    (void)state;
    static const declared one[] = { { "a", 1, { 1 } } };
    rsd_model *model;
    CHECK_OK(rsd_make_folder(in_scratch("bare")));
    OPEN_FAILS(in_scratch("bare"), RSD_ENOTFOUND,
               "no model.safetensors, no model.safetensors."
               "index.json and not a single *.safetensors; there is nothing");
    put_text("bare/tokenizer.json", "{}");
    put_text("bare/config.json", "{}");
    OPEN_FAILS(in_scratch("bare"), RSD_ENOTFOUND, "there is config.json, tokenizer.json");
    for (int i = 0; i < 60; i++) {
        char name[64];
        snprintf(name, sizeof name, "bare/some_other_file_%d", i);
        put_text(name, "");
    }
    OPEN_FAILS(in_scratch("bare"), RSD_ENOTFOUND, "some_other_file_0, some_other_file_1, ");
    assert_int_equal(strcmp(rsd_errmsg() + strlen(rsd_errmsg()) - 4, " ..."), 0);

    write_safetensors("bare/y.safetensors", one, 1);
    write_safetensors("bare/x.safetensors", one, 1);
    OPEN_FAILS(in_scratch("bare"), RSD_ENOTFOUND, "2 *.safetensors (y.safetensors ...)");
    write_safetensors("bare/model.safetensors", one, 1);
    CHECK_OK(rsd_model_open(in_scratch("bare"), &model));
    rsd_model_close(model);

    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(in_scratch("bare")), 0);
    CHECK_OK(rsd_model_open(".", &model));
    assert_string_equal(rsd_model_name(model), "bare");
    rsd_model_close(model);
    assert_int_equal(chdir(here), 0);
}

#define MAP(text) "{\"metadata\": {}, \"weight_map\": {" text "}}"
#define FULL                                                                                       \
    "\"h.10.w\": \"m-2.safetensors\", \"h.9.w\": \"m-2.safetensors\", \"wte.weight\": "            \
    "\"m-1.safetensors\""

static void write_sharded(const char *index)
{
    static const declared first[] = { { "wte.weight", 2, { 2, 3 } } };
    static const declared second[] = { { "h.10.w", 1, { 4 } }, { "h.9.w", 1, { 5 } } };
    write_safetensors("sharded/m-1.safetensors", first, 1);
    write_safetensors("sharded/m-2.safetensors", second, 2);
    put_text("sharded/model.safetensors.index.json", index);
}

static void shards_are_joined(void **state)
{
    (void)state;
    rsd_model *model;
    char hex[65], one[65], lines[256];
    float x[5];
    write_sharded(MAP(FULL));
    CHECK_OK(rsd_model_open(in_scratch("sharded"), &model));
    assert_int_equal(rsd_model_count(model), 3);
    assert_int_equal(rsd_model_parameters(model), 15);
    assert_string_equal(rsd_model_tensor(model, 0)->name, "wte.weight");
    assert_string_equal(rsd_model_tensor(model, 1)->name, "h.9.w");
    CHECK_OK(rsd_model_read_flat(model, rsd_model_tensor(model, 1), x));
    assert_true(x[0] == 4.5f && x[4] == 8.5f);

    CHECK_OK(rsd_file_sha256(in_scratch("sharded/m-1.safetensors"), one));
    int n = sprintf(lines, "%s  m-1.safetensors\n", one);
    CHECK_OK(rsd_file_sha256(in_scratch("sharded/m-2.safetensors"), one));
    n += sprintf(lines + n, "%s  m-2.safetensors\n", one);
    rsd_sha256(lines, (size_t)n, hex);
    CHECK_OK(rsd_model_sha256(model, one));
    assert_string_equal(one, hex);
    rsd_model_close(model);

    /* shards that are symbolic links, as in a download cache */
    assert_int_equal(rename(in_scratch("sharded/m-1.safetensors"), in_scratch("blob")), 0);
    assert_int_equal(symlink("../blob", in_scratch("sharded/m-1.safetensors")), 0);
    CHECK_OK(rsd_model_open(in_scratch("sharded"), &model));
    CHECK_OK(rsd_model_sha256(model, one));
    assert_string_equal(one, hex);
    rsd_model_close(model);
    unlink(in_scratch("sharded/m-1.safetensors"));
}

static void shards_are_checked(void **state)
{
    (void)state;
    static const declared doubled[] = { { "wte.weight", 2, { 2, 3 } }, { "h.9.w", 1, { 5 } } };
    write_sharded(MAP(FULL ", \"gone\": \"m-1.safetensors\""));
    OPEN_FAILS(in_scratch("sharded"), RSD_EFORMAT,
               "the index puts tensor 'gone' in m-1.safetensors, it is in none of the shards");
    write_sharded(MAP("\"h.10.w\": \"m-1.safetensors\", \"h.9.w\": \"m-2.safetensors\""));
    OPEN_FAILS(in_scratch("sharded"), RSD_EFORMAT,
               "puts tensor 'h.10.w' in m-1.safetensors, it is in m-2.safetensors");
    write_sharded(MAP(FULL ", \"x\": \"m-3.safetensors\""));
    OPEN_FAILS(in_scratch("sharded"), RSD_EIO, "shard 3 of 3 of the index: ");
    OPEN_FAILS(in_scratch("sharded"), RSD_EIO, "m-3.safetensors: cannot open: No such file");
    write_sharded(MAP("\"a\": \"../m-1.safetensors\""));
    OPEN_FAILS(in_scratch("sharded"), RSD_EFORMAT, "index.json: weight_map: 'a' lies in '../m-1");
    write_sharded(MAP("\"a\": "));
    OPEN_FAILS(in_scratch("sharded"), RSD_EFORMAT, "model.safetensors.index.json: index: line 1");
    write_sharded(MAP(FULL));
    write_safetensors("sharded/m-1.safetensors", doubled, 2);
    OPEN_FAILS(in_scratch("sharded"), RSD_EFORMAT,
               "tensor 'h.9.w' is in two shards, m-1.safetensors and m-2.safetensors");
    put_text("sharded/m-2.safetensors", "short");
    OPEN_FAILS(in_scratch("sharded"), RSD_EFORMAT, "m-2.safetensors: 5 bytes are too few");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_file_is_refused),     cmocka_unit_test(pickles_are_refused),
        cmocka_unit_test(other_files_are_refused), cmocka_unit_test(config_is_checked),
        cmocka_unit_test(folder_without_weights),  cmocka_unit_test(shards_are_joined),
        cmocka_unit_test(shards_are_checked),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
