#include "quantizers/packed.h"

#include "fp.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The types that sections have; format is NULL for integers and float32. */
static const struct {
    const char *name;
    size_t size;
    const rsd_fp *format;
} types[] = {
    { "U8", 1, NULL },           { "I8", 1, NULL },        { "F32", 4, NULL },
    { "F16", 2, &rsd_fp16 },     { "BF16", 2, &rsd_bf16 }, { "F8_E4M3", 1, &rsd_e4m3 },
    { "F8_E5M2", 1, &rsd_e5m2 }, { "I32", 4, NULL },
};

static size_t type_index(const char *dtype)
{
    size_t i = 0;
    while (i < sizeof types / sizeof *types && strcmp(types[i].name, dtype) != 0)
        i++;
    assert(i < sizeof types / sizeof *types);
    return i;
}

void rsd_packed_init(rsd_packed *p, size_t m, size_t n) { *p = (rsd_packed){ .m = m, .n = n }; }

int rsd_packed_add(rsd_packed *p, const char *name, const char *dtype, size_t count, void *data)
{
    assert(p->sections < RSD_SECTIONS_MAX);
    const size_t size = types[type_index(dtype)].size;
    void *bytes;
    RSD_TRY(rsd_array_alloc(count, 1, size, &bytes));
    memset(bytes, 0, count * size);
    p->section[p->sections++] = (rsd_section){ name, dtype, count, count * size, bytes };
    *(void **)data = bytes;
    return RSD_OK;
}

void rsd_packed_free(rsd_packed *p)
{
    for (size_t i = 0; i < p->sections; i++)
        free(p->section[i].data);
    *p = (rsd_packed){ 0 };
}

int rsd_packed_add_reals(rsd_packed *p, const char *name, float *x, size_t count, bool half,
                         float least)
{
    void *data;
    if (!half) {
        RSD_TRY(rsd_packed_add(p, name, "F32", count, &data));
        memcpy(data, x, count * sizeof *x);
        return RSD_OK;
    }
    bool fits = least >= 0x1p-14f;
    for (size_t i = 0; i < count && fits; i++)
        fits = fabsf(x[i]) <= rsd_fp16.max;
    RSD_TRY(rsd_packed_add(p, name, fits ? "F16" : "BF16", count, &data));
    rsd_fp_encode_array(fits ? &rsd_fp16 : &rsd_bf16, x, data, count, true);
    rsd_section_reals(&p->section[p->sections - 1], x);
    return RSD_OK;
}

const rsd_section *rsd_packed_get(const rsd_packed *p, const char *name)
{
    size_t i = 0;
    while (i < p->sections && strcmp(p->section[i].name, name) != 0)
        i++;
    assert(i < p->sections);
    return &p->section[i];
}

void rsd_section_reals(const rsd_section *s, float *x)
{
    const rsd_fp *format = types[type_index(s->dtype)].format;
    assert(format || strcmp(s->dtype, "F32") == 0);
    if (format)
        rsd_fp_decode_array(format, s->data, x, s->count);
    else
        memcpy(x, s->data, s->bytes);
}

size_t rsd_packed_bytes(const rsd_packed *p)
{
    size_t bytes = 0;
    for (size_t i = 0; i < p->sections; i++)
        bytes += p->section[i].bytes;
    return bytes;
}

double rsd_packed_bits_per_weight(const rsd_packed *p)
{
    return 8.0 * (double)rsd_packed_bytes(p) / ((double)p->m * (double)p->n);
}

/* Eight codes are b bytes, whatever b: so codes go through a 64-bit word eight at a time, one code
 * in each byte, and three steps close (or open) the gaps between neighbours, then between pairs,
 * then between fours. */
static const uint64_t odd_bytes = UINT64_C(0x00ff00ff00ff00ff);
static const uint64_t odd_shorts = UINT64_C(0x0000ffff0000ffff);
static const uint64_t low_word = UINT64_C(0x00000000ffffffff);

static inline uint64_t squeeze(uint64_t x, int b)
{
    x = (x & odd_bytes) | (x >> 8 & odd_bytes) << b;
    x = (x & odd_shorts) | (x >> 16 & odd_shorts) << 2 * b;
    return (x & low_word) | x >> 32 << 4 * b;
}

static inline uint64_t spread(uint64_t x, int b)
{
    const uint64_t one = (UINT64_C(1) << b) - 1, two = (UINT64_C(1) << 2 * b) - 1;
    const uint64_t four = (UINT64_C(1) << 4 * b) - 1;
    x = (x & four) | (x >> 4 * b & four) << 32;
    x = (x & (two | two << 32)) | (x >> 2 * b & (two | two << 32)) << 16;
    const uint64_t ones = one | one << 16 | one << 32 | one << 48;
    return (x & ones) | (x >> b & ones) << 8;
}

static inline void pack_word(const uint8_t *codes, size_t count, int b, uint8_t *out)
{
    uint64_t x = 0;
    memcpy(&x, codes, count);
    x = htole64(squeeze(le64toh(x), b));
    memcpy(out, &x, (count * (size_t)b + 7) / 8);
}

static inline void unpack_word(const uint8_t *in, size_t count, int b, uint8_t *codes)
{
    uint64_t x = 0;
    memcpy(&x, in, (count * (size_t)b + 7) / 8);
    x = htole64(spread(le64toh(x), b));
    memcpy(codes, &x, count);
}

/* Inlined for each b, so that shifts and the lengths of full words are constants. */
static inline void pack(const uint8_t *codes, size_t n, int b, uint8_t *out)
{
    for (; n >= 8; n -= 8, codes += 8, out += b)
        pack_word(codes, 8, b, out);
    if (n)
        pack_word(codes, n, b, out);
}

static inline void unpack(const uint8_t *in, size_t n, int b, uint8_t *codes)
{
    for (; n >= 8; n -= 8, codes += 8, in += b)
        unpack_word(in, 8, b, codes);
    if (n)
        unpack_word(in, n, b, codes);
}

size_t rsd_bits_bytes(size_t n, int bits)
{
    return n / 8 * (size_t)bits + (n % 8 * (size_t)bits + 7) / 8;
}

#define EACH_WIDTH(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)

void rsd_bits_pack(const uint8_t *codes, size_t n, int bits, uint8_t *out)
{
    switch (bits) {
#define CASE(b)                                                                                    \
    case b:                                                                                        \
        pack(codes, n, b, out);                                                                    \
        break;
        EACH_WIDTH(CASE)
#undef CASE
    default:
        assert(bits == 8);
        memcpy(out, codes, n);
    }
}

void rsd_bits_unpack(const uint8_t *in, size_t n, int bits, uint8_t *codes)
{
    switch (bits) {
#define CASE(b)                                                                                    \
    case b:                                                                                        \
        unpack(in, n, b, codes);                                                                   \
        break;
        EACH_WIDTH(CASE)
#undef CASE
    default:
        assert(bits == 8);
        memcpy(codes, in, n);
    }
}
