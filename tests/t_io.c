/* Number types of files, and files: maps, writers, folders, checksums. */
#include "scratch.h"

#include "fp.h"
#include "io/dtype.h"
#include "io/npy.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- number types ---- */

static void dtype_names(void **state)
{
    (void)state;
    rsd_dtype t;
    for (int k = 0; k < RSD_DTYPES; k++) {
        assert_true(rsd_dtype_find(rsd_dtype_name((rsd_dtype)k), &t) && t == (rsd_dtype)k);
        if (*rsd_dtype_numpy((rsd_dtype)k))
            assert_true(rsd_dtype_find_numpy(rsd_dtype_numpy((rsd_dtype)k), &t) &&
                        t == (rsd_dtype)k);
    }
    assert_true(rsd_dtype_find("F8_E4M3", &t) && t == RSD_E4M3 && rsd_dtype_bytes(t) == 1);
    assert_true(rsd_dtype_is_real(RSD_BF16) && !rsd_dtype_is_real(RSD_I32));
    assert_false(rsd_dtype_find("f32", &t) || rsd_dtype_find("", &t));
    assert_false(rsd_dtype_find_numpy("", &t) || rsd_dtype_find_numpy(">f4", &t));
}

/* 2.390625, -0.15625 and the largest finite number are exact in every type. */
static void dtype_values(void **state)
{
    (void)state;
    static const struct {
        rsd_dtype t;
        uint64_t code[3];
        float value[3];
    } cases[] = {
        { RSD_F64,
          { 0x4003200000000000, 0xbfc4000000000000, 0x3ff0000010000000 },
          { 2.390625f, -0.15625f, 1 } }, /* 1 + 2^-24: the tie goes to even */
        { RSD_F32,
          { 0x40190000, 0xbe200000, 0x7f7fffff },
          { 2.390625f, -0.15625f, 3.40282347e38f } },
        { RSD_F16, { 0x40c8, 0xb100, 0x7bff }, { 2.390625f, -0.15625f, 65504 } },
        { RSD_BF16, { 0x4019, 0xbe20, 0x7f7f }, { 2.390625f, -0.15625f, 3.38953139e38f } },
        { RSD_E4M3, { 0x42, 0xa2, 0x7e }, { 2.5f, -0.15625f, 448 } },
        { RSD_E5M2, { 0x41, 0xb1, 0x7b }, { 2.5f, -0.15625f, 57344 } },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const size_t size = rsd_dtype_bytes(cases[c].t);
        uint8_t bytes[3 * 8 + 1]; /* from byte 1 on: not aligned for anything */
        float x[3];
        for (size_t k = 0; k < 3; k++)
            memcpy(bytes + 1 + k * size, &cases[c].code[k], size);
        rsd_dtype_to_f32(cases[c].t, bytes + 1, x, 3);
        for (size_t k = 0; k < 3; k++)
            if (x[k] != cases[c].value[k])
                fail_msg("%s [%zu] = %.9g, want %.9g", rsd_dtype_name(cases[c].t), k, (double)x[k],
                         (double)cases[c].value[k]);
    }
}

static void dtype_extremes(void **state)
{
    (void)state;
    const double wide[] = { 1e300, -1e300, 1e-300, NAN };
    float x[4];
    rsd_dtype_to_f32(RSD_F64, wide, x, 4);
    assert_true(isinf(x[0]) && x[0] > 0 && isinf(x[1]) && x[1] < 0 && x[2] == 0 && isnan(x[3]));
    rsd_dtype_to_f32(RSD_F16, wide, x, 0);
    rsd_dtype_to_f32(RSD_F32, NULL, x, 0);
}

/* Longer than the piece that is converted at a time, and not a multiple of it. */
static void dtype_long(void **state)
{
    (void)state;
    enum { N = 5003 };
    static uint8_t bytes[2 * N + 1];
    static float x[N];
    for (size_t i = 0; i < N; i++) {
        bytes[1 + 2 * i] = (uint8_t)(i * 37);
        bytes[2 + 2 * i] = (uint8_t)(i * 11 % 0x7b);
    }
    rsd_dtype_to_f32(RSD_F16, bytes + 1, x, N);
    for (size_t i = 0; i < N; i++)
        assert_true(x[i] ==
                    rsd_fp_decode(&rsd_fp16, bytes[1 + 2 * i] | (uint32_t)bytes[2 + 2 * i] << 8));
}

/* ---- files ---- */

static void map_reads(void **state)
{
    (void)state;
    const char *path = in_scratch("mapped");
    static uint8_t data[20000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i);
    put_file("mapped", data, sizeof data);
    rsd_map map;
    CHECK_OK(rsd_map_open(path, &map));
    assert_int_equal(map.size, sizeof data);
    assert_memory_equal(map.data, data, sizeof data);
    rsd_map_release(&map, 0, map.size);
    rsd_map_release(&map, 5000, 7000); /* whole and part pages, and a range that is not there */
    rsd_map_release(&map, 19999, 2);
    rsd_map_release(&map, SIZE_MAX, 1);
    rsd_map_release(&map, 1, SIZE_MAX);
    assert_memory_equal(map.data, data, sizeof data);
    CHECK_OK(rsd_map_check(&map));
    assert_int_equal(truncate(path, 1234), 0);
    CHECK_FAILS(rsd_map_check(&map), RSD_EIO, "was cut from 20000 to 1234 bytes");
    rsd_map_close(&map);
    rsd_map_close(&map);

    /* another file of that name does not matter to what is mapped */
    put_file("mapped", data, 100);
    CHECK_OK(rsd_map_open(path, &map));
    assert_int_equal(unlink(path), 0);
    put_file("mapped", data, 50);
    CHECK_OK(rsd_map_check(&map));
    rsd_map_close(&map);
}

static void map_refuses(void **state)
{
    (void)state;
    rsd_map map;
    CHECK_FAILS(rsd_map_open(in_scratch("missing"), &map), RSD_EIO, "No such file");
    CHECK_FAILS(rsd_map_open(scratch, &map), RSD_EIO, "is a folder");
    assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
    CHECK_FAILS(rsd_map_open(in_scratch("fifo"), &map), RSD_EIO, "not a regular file");
    rsd_map_close(&map);
    put_file("empty", "", 0);
    CHECK_OK(rsd_map_open(in_scratch("empty"), &map));
    assert_true(map.size == 0 && map.data == NULL);
    rsd_map_close(&map);
}

static void writer_is_atomic(void **state)
{
    (void)state;
    const char *path = in_scratch("written");
    rsd_writer w;
    put_file("written", "old", 3);
    CHECK_OK(rsd_writer_open(path, &w));
    CHECK_OK(rsd_writer_put(&w, "new text", 8));
    assert_true(in_scratch_exists("written.tmp"));
    rsd_map map;
    CHECK_OK(rsd_map_open(path, &map));
    assert_memory_equal(map.data, "old", 3);
    rsd_map_close(&map);
    CHECK_OK(rsd_writer_commit(&w));
    assert_false(in_scratch_exists("written.tmp"));
    CHECK_OK(rsd_map_open(path, &map));
    assert_true(map.size == 8 && memcmp(map.data, "new text", 8) == 0);
    rsd_map_close(&map);

    CHECK_OK(rsd_writer_open(path, &w));
    rsd_writer_abandon(&w);
    rsd_writer_abandon(&w);
    assert_true(in_scratch_exists("written") && !in_scratch_exists("written.tmp"));
}

static void writer_refuses(void **state)
{
    (void)state;
    rsd_writer w;
    CHECK_FAILS(rsd_writer_open(in_scratch("no/such"), &w), RSD_EIO, "No such file");
    rsd_writer_abandon(&w);
    CHECK_OK(rsd_make_folder(in_scratch("taken/inside")));
    CHECK_OK(rsd_writer_open(in_scratch("taken"), &w));
    CHECK_FAILS(rsd_writer_commit(&w), RSD_EIO, "cannot rename");
    assert_false(in_scratch_exists("taken.tmp"));
}

/* A limit on the size of files plays the full disk. */
static void writer_on_full_disk(void **state)
{
    (void)state;
    struct rlimit old, small;
    static const char block[1 << 16];
    rsd_writer w;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_OK(rsd_writer_open(in_scratch("large"), &w));
    const int put = rsd_writer_put(&w, block, sizeof block);
    const int after = rsd_writer_commit(&w); /* of what was cut short */
    CHECK_OK(rsd_writer_open(in_scratch("large"), &w));
    CHECK_OK(rsd_writer_put(&w, block, 2000)); /* still in the buffer: commit must notice */
    const int commit = rsd_writer_commit(&w);
    const size_t shape[] = { 100, 100 };
    const int npy = rsd_npy_write(in_scratch("large"), (const float *)block, 2, shape);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(put, RSD_EIO);
    assert_int_equal(after, RSD_EIO);
    assert_int_equal(commit, RSD_EIO);
    assert_int_equal(npy, RSD_EIO);
    assert_non_null(strstr(rsd_errmsg(), strerror(EFBIG)));
    assert_false(in_scratch_exists("large") || in_scratch_exists("large.tmp"));
}

static void folders_and_paths(void **state)
{
    (void)state;
    CHECK_OK(rsd_make_folder(in_scratch("a/b//c/")));
    CHECK_OK(rsd_make_folder(in_scratch("a/b/c")));
    assert_true(in_scratch_exists("a/b/c"));
    put_file("file", "", 0);
    CHECK_FAILS(rsd_make_folder(in_scratch("file")), RSD_EIO, "File exists");
    CHECK_FAILS(rsd_make_folder(in_scratch("file/below")), RSD_EIO, "cannot make folder");
    /* clang-format off */
    static const char *const joins[][3] = {
        { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "/", "b", "/b" }, { "", "b", "/b" } };
    for (size_t k = 0; k < 4; k++) {
        char *path = rsd_path_join(joins[k][0], joins[k][1]);
        assert_string_equal(path, joins[k][2]);
        free(path);
    }
    assert_true(rsd_path_ends("a/W.npy", ".npy") && !rsd_path_ends("npy", ".npy"));
}

/* FIPS 180-2, appendix B, and the empty string. */
static void sha256_vectors(void **state)
{
    (void)state;
    char hex[65];
    static const char million[] =
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    rsd_sha256("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    rsd_sha256("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    put_file("million", a, 1000000);
    free(a);
    CHECK_OK(rsd_file_sha256(in_scratch("million"), hex));
    assert_string_equal(hex, million);
    CHECK_FAILS(rsd_file_sha256(in_scratch("missing"), hex), RSD_EIO, "No such file");
    CHECK_FAILS(rsd_file_sha256(scratch, hex), RSD_EIO, "is a folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype_names),
        cmocka_unit_test(dtype_values),
        cmocka_unit_test(dtype_extremes),
        cmocka_unit_test(dtype_long),
        cmocka_unit_test(map_reads),
        cmocka_unit_test(map_refuses),
        cmocka_unit_test(writer_is_atomic),
        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(writer_on_full_disk),
        cmocka_unit_test(folders_and_paths),
        cmocka_unit_test(sha256_vectors),
    };
    /* clang-format on */
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
