/* .npy: what is accepted, every refusal, every cut, and what is written. */
#include "scratch.h"

#include "io/npy.h"

/* Preamble, header and n data bytes, in a block of exactly that size: a sanitizer sees a byte too
 * much.  Free it. */
static uint8_t *npy_bytes(int version, const char *header, size_t n, size_t *size)
{
    const size_t first = version == 1 ? 10 : 12, length = strlen(header);
    uint8_t *data = calloc(first + length + n, 1);
    *size = first + length + n;
    memcpy(data, "\x93NUMPY", 6);
    data[6] = (uint8_t)version;
    for (size_t k = 8; k < first; k++)
        data[k] = (uint8_t)(length >> 8 * (k - 8));
    memcpy(data + first, header, length);
    return data;
}

static void npy_accepts(void **state)
{
    (void)state;
    static const struct {
        int version;
        const char *header;
        size_t bytes;
        rsd_npy want;
    } cases[] = {
        { 1,
          "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n",
          24,
          { RSD_F32, 2, { 2, 3 }, false, 0, 6 } },
        { 2,
          "{\"shape\":(2,3),\"fortran_order\":True,\"descr\":\"<f8\"}",
          48,
          { RSD_F64, 2, { 2, 3 }, true, 0, 6 } },
        { 3,
          " { 'shape' : ( 5 , ) ,\t'descr' : '|u1' , 'fortran_order' : False } ",
          5,
          { RSD_U8, 1, { 5 }, false, 0, 5 } },
        { 1,
          "{'descr': '<f2', 'fortran_order': False, 'shape': ()}",
          2,
          { RSD_F16, 0, { 0 }, false, 0, 1 } },
        { 1,
          "{'descr': '<i8', 'fortran_order': False, 'shape': (4, 0, 7)}",
          0,
          { RSD_I64, 3, { 4, 0, 7 }, false, 0, 0 } },
        { 1,
          "{'descr': '|b1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1)}",
          1,
          { RSD_BOOL, 8, { 1, 1, 1, 1, 1, 1, 1, 1 }, false, 0, 1 } },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t size;
        uint8_t *data = npy_bytes(cases[c].version, cases[c].header, cases[c].bytes, &size);
        rsd_npy got;
        CHECK_OK(rsd_npy_parse(data, size, &got));
        const rsd_npy *want = &cases[c].want;
        assert_true(got.dtype == want->dtype && got.ndim == want->ndim &&
                    got.fortran == want->fortran && got.count == want->count &&
                    got.offset == size - cases[c].bytes);
        assert_memory_equal(got.shape, want->shape, sizeof got.shape);
        free(data);
    }
}

static void npy_refuses(void **state)
{
    (void)state;
#define REST ", 'fortran_order': False, 'shape': (2,)}"
#define F4   "{'descr': '<f4', 'fortran_order': False, 'shape': "
    static const struct {
        int version;
        const char *header;
        size_t bytes;
        const char *why;
    } cases[] = {
        { 4, F4 "(2,)}", 8, "version 4.0" },
        { 0, F4 "(2,)}", 8, "version 0.0" },
        { 1, "{'descr': '|O'" REST, 8, "Python objects" },
        { 1, "{'descr': 'O'" REST, 8, "Python objects" },
        { 1, "{'descr': [('a', '<f4')]" REST, 8, "structured" },
        { 1, "{'descr': '>f4'" REST, 8, "'>f4' is not read (big-endian)" },
        { 1, "{'descr': '<c8'" REST, 8, "'<c8' is not read" },
        { 1, "{'descr': '<f4<f4<f4<f4<f4<f4'" REST, 8, "is not read" },
        { 1, "{'descr': ''" REST, 8, "'' is not read" },
        { 1, "{'descr': '<f\\x34'" REST, 8, "a quoted type expected" },
        { 1, "{'descr': 4" REST, 8, "a quoted type expected" },
        { 1, "", 8, "'{' expected at its byte 0" },
        { 1, "[]", 8, "'{' expected" },
        { 1, "{'descr': '<f4', 'descr': '<f4'" REST, 8, "'descr' is there twice" },
        { 1, "{'descr': '<f4', 'fortran_order': False}", 8, "'shape' is missing" },
        { 1, "{'descr': '<f4', 'order': 1" REST, 8, "'order' is unknown" },
        { 1, "{'descr' '<f4'" REST, 8, "':' expected" },
        { 1, "{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", 8, "a key expected" },
        { 1, "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", 8, "True or False" },
        { 1, F4 "(2,)} or evil()", 8, "nothing after '}'" },
        { 1, F4 "(2,)", 8, "a key expected" },
        { 1, F4 "(2)}", 8, "a comma in a tuple of one" },
        { 1, F4 "[2]}", 8, "a tuple expected" },
        { 1, F4 "(2 2)}", 8, "a length expected" },
        { 1, F4 "(-2,)}", 8, "a length expected" },
        { 1, F4 "(,)}", 8, "a length expected" },
        { 1, F4 "(2,", 8, "a length expected" },
        { 1, F4 "(99999999999999999999,)}", 8, "a length expected" },
        { 1, F4 "(1,1,1,1,1,1,1,1,2)}", 8, "more than 8 dimensions" },
        { 1, F4 "(4294967296, 4294967296)}", 8, "overflows at 4294967296" },
        { 1, F4 "(4611686018427387904,)}", 8, "4611686018427387904 elements of F32 overflow" },
        { 1, F4 "(3,)}", 8, "3 elements of F32 need 12 bytes, the file holds 8" },
        { 1, F4 "(1,)}", 8, "1 elements of F32 need 4 bytes, the file holds 8" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t size;
        uint8_t *data = npy_bytes(cases[c].version, cases[c].header, cases[c].bytes, &size);
        rsd_npy got;
        CHECK_FAILS(rsd_npy_parse(data, size, &got), RSD_EFORMAT, cases[c].why);
        free(data);
    }
    rsd_npy got;
    uint8_t minor[] = "\x93NUMPY\1\1";
    CHECK_FAILS(rsd_npy_parse(minor, 10, &got), RSD_EFORMAT, "version 1.1");
    CHECK_FAILS(rsd_npy_parse((const uint8_t *)"\x93NUMPY\1\0\xff\xff", 10, &got), RSD_EFORMAT,
                "a header of 65535 bytes does not fit a file of 10");
    CHECK_FAILS(rsd_npy_parse((const uint8_t *)"\x93NUMPY\2\0\xff\xff", 10, &got), RSD_EFORMAT,
                "end inside the header's length");
    CHECK_FAILS(rsd_npy_parse((const uint8_t *)"PK\3\4 6789abcd", 14, &got), RSD_EFORMAT, "magic");
}

static int try_npy(const uint8_t *data, size_t size)
{
    rsd_npy npy;
    return rsd_npy_parse(data, size, &npy);
}

static void npy_cut_anywhere(void **state)
{
    (void)state;
    for (int version = 1; version <= 3; version++) {
        size_t size;
        uint8_t *data = npy_bytes(version, F4 "(2, 3), }      \n", 24, &size);
        refuse_prefixes(data, size, try_npy);
        free(data);
    }
}

static void npy_round_trip(void **state)
{
    (void)state;
    const float x[] = { 2.385f, -0.0f, INFINITY, 1e-42f, -7.25f, 3 };
    const size_t shape[RSD_DIMS_MAX + 1] = { 1, 2, 1, 3, 1, 1, 1, 1, 1 };
    for (size_t ndim = 4; ndim <= RSD_DIMS_MAX; ndim++) {
        rsd_map map;
        rsd_npy npy;
        CHECK_OK(rsd_npy_write(in_scratch("W.npy"), x, ndim, shape));
        CHECK_OK(rsd_map_open(in_scratch("W.npy"), &map));
        CHECK_OK(rsd_npy_parse(map.data, map.size, &npy));
        assert_true(npy.ndim == ndim && npy.dtype == RSD_F32 && !npy.fortran && npy.count == 6);
        assert_memory_equal(npy.shape, shape, ndim * sizeof *shape);
        assert_int_equal(npy.offset % 64, 0);
        assert_memory_equal(map.data + npy.offset, x, sizeof x);
        rsd_map_close(&map);
    }
    const size_t huge[] = { (size_t)1 << 40, (size_t)1 << 40 };
    CHECK_FAILS(rsd_npy_write(in_scratch("W.npy"), x, 9, shape), RSD_EARG, "9 dimensions");
    CHECK_FAILS(rsd_npy_write(in_scratch("W.npy"), x, 2, huge), RSD_EARG, "overflows");
    CHECK_FAILS(rsd_npy_write(in_scratch("no/W.npy"), x, 4, shape), RSD_EIO, "No such file");
}

/* The bytes that numpy.save writes for a vector of one and for a 0-d array. */
static void npy_writes_like_numpy(void **state)
{
    (void)state;
    static const struct {
        size_t ndim;
        const char *header;
    } cases[] = { { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }" },
                  { 0, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }" } };
    for (size_t c = 0; c < 2; c++) {
        const float x = 2.385f;
        const size_t one = 1;
        uint8_t want[132];
        rsd_map map;
        memset(want, ' ', sizeof want);
        memcpy(want, "\x93NUMPY\1\0\x76\0", 10);
        memcpy(want + 10, cases[c].header, strlen(cases[c].header));
        want[127] = '\n';
        memcpy(want + 128, &x, 4);
        CHECK_OK(rsd_npy_write(in_scratch("x.npy"), &x, cases[c].ndim, &one));
        CHECK_OK(rsd_map_open(in_scratch("x.npy"), &map));
        assert_int_equal(map.size, sizeof want);
        assert_memory_equal(map.data, want, sizeof want);
        rsd_map_close(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_accepts),           cmocka_unit_test(npy_refuses),
        cmocka_unit_test(npy_cut_anywhere),      cmocka_unit_test(npy_round_trip),
        cmocka_unit_test(npy_writes_like_numpy),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
