/* Bit-packed codes and sections of reduced precision. */
#include "quantizers/packed.h"

#include "test.h"

#include <float.h>

static void test_bits_packing(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 8; bits++)
        for (size_t n = 0; n <= 41; n++) {
            uint8_t codes[41], back[42], packed[43];
            for (size_t i = 0; i < n; i++)
                codes[i] = (uint8_t)((37 * i + 11 * i * i + 5) % (1u << bits));
            const size_t bytes = rsd_bits_bytes(n, bits);
            assert_int_equal(bytes, (n * (size_t)bits + 7) / 8);
            memset(packed, 0xa5, sizeof packed);
            back[n] = 0xa5;
            rsd_bits_pack(codes, n, bits, packed);
            assert_int_equal(packed[bytes], 0xa5); /* nothing beyond the last byte */
            for (size_t at = 0; at < 8 * bytes; at++) {
                const size_t i = at / (size_t)bits;
                const int want = i < n ? codes[i] >> at % (size_t)bits & 1 : 0;
                assert_int_equal(packed[at / 8] >> at % 8 & 1, want);
            }
            rsd_bits_unpack(packed, n, bits, back);
            assert_memory_equal(back, codes, n);
            assert_int_equal(back[n], 0xa5);
        }
}

static void test_packed_reals(void **state)
{
    (void)state;
    static const struct {
        float x, least;
        bool half;
        const char *dtype;
        float stored;
    } cases[] = {
        { 1 + 0x1p-12f, 1, false, "F32", 1 + 0x1p-12f },
        { 1 + 0x1p-12f, 1, true, "F16", 1 },
        { 65504, 1, true, "F16", 65504 },
        { 65505, 1, true, "BF16", 65536 },
        { 1, 0x1p-14f, true, "F16", 1 },
        { 0x1p-15f, 0x1p-15f, true, "BF16", 0x1p-15f },
        { FLT_MAX, 1, true, "BF16", 0x1.fep127f },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_packed p;
        float x[2] = { cases[i].x, -cases[i].x }, back[2];
        rsd_packed_init(&p, 1, 2);
        CHECK_OK(rsd_packed_add_reals(&p, "scales", x, 2, cases[i].half, cases[i].least));
        const rsd_section *s = rsd_packed_get(&p, "scales");
        assert_string_equal(s->dtype, cases[i].dtype);
        assert_int_equal(s->bytes, cases[i].half ? 4 : 8);
        rsd_section_reals(s, back);
        assert_memory_equal(back, x, sizeof x);
        CHECK_CLOSE(x[0], cases[i].stored, 0);
        CHECK_CLOSE(x[1], -cases[i].stored, 0);
        rsd_packed_free(&p);
        assert_int_equal(p.sections, 0);
    }
    rsd_packed p;
    void *data;
    rsd_packed_init(&p, 1, 1);
    CHECK_FAILS(rsd_packed_add(&p, "codes", "F32", SIZE_MAX / 2, &data), RSD_ENOMEM, "address");
    rsd_packed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_packing),
        cmocka_unit_test(test_packed_reals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
