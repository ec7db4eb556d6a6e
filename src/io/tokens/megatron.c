#include "io/tokens/megatron.h"

#include <string.h>

enum { MAGIC_BYTES = 9, HEADER_BYTES = MAGIC_BYTES + 8 + 1 + 8 + 8 };

static uint64_t read_u64(const uint8_t *p)
{
    uint64_t x = 0;
    for (int k = 0; k < 8; k++)
        x |= (uint64_t)p[k] << 8 * k;
    return x;
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* 1 to 8; 6 and 7 are float and double, in an order that depends on the version. */
static int parse_type(uint8_t code, rsd_dtype *out)
{
    static const struct {
        uint8_t code;
        rsd_dtype dtype;
    } types[] = { { 1, RSD_U8 }, { 3, RSD_I16 }, { 4, RSD_I32 }, { 5, RSD_I64 }, { 8, RSD_U16 } };
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (types[k].code == code) {
            *out = types[k].dtype;
            return RSD_OK;
        }
    return RSD_FAIL(RSD_EFORMAT, "index: type %u is not read%s", code,
                    code == 6 || code == 7 ? " (real numbers)" : "");
}

static int parse_header(const uint8_t *data, size_t size, rsd_megatron *out, size_t *documents)
{
    if (size < HEADER_BYTES || memcmp(data, "MMIDIDX\0\0", MAGIC_BYTES) != 0)
        return RSD_FAIL(RSD_EFORMAT, "index: %zu bytes do not begin with Megatron's header", size);
    const uint64_t version = read_u64(data + MAGIC_BYTES);
    if (version != 1)
        return RSD_FAIL(RSD_EFORMAT, "index: version %llu is unknown", (unsigned long long)version);
    RSD_TRY(parse_type(data[MAGIC_BYTES + 8], &out->dtype));
    const uint64_t sequences = read_u64(data + MAGIC_BYTES + 9);
    const uint64_t firsts = read_u64(data + MAGIC_BYTES + 17);
    uint64_t bytes, more;
    if (__builtin_mul_overflow(sequences, 12, &bytes) || __builtin_mul_overflow(firsts, 8, &more) ||
        __builtin_add_overflow(bytes, more, &bytes) ||
        __builtin_add_overflow(bytes, HEADER_BYTES, &bytes) || bytes != size)
        return RSD_FAIL(RSD_EFORMAT,
                        "index: %zu bytes are not what %llu sequences and %llu documents take",
                        size, (unsigned long long)sequences, (unsigned long long)firsts);
    out->sequences = (size_t)sequences;
    *documents = (size_t)firsts;
    return RSD_OK;
}

static int check_sequences(const uint8_t *length, const uint8_t *place, rsd_megatron *m)
{
    for (size_t i = 0; i < m->sequences; i++) {
        const uint32_t n = read_u32(length + 4 * i);
        const uint64_t at = read_u64(place + 8 * i);
        size_t bytes;
        if (n > INT32_MAX)
            return RSD_FAIL(RSD_EFORMAT, "index: sequence %zu has %d tokens", i, (int32_t)n);
        if (at != m->data_bytes)
            return RSD_FAIL(RSD_EFORMAT,
                            "index: sequence %zu begins at byte %llu, the one before ends at %zu",
                            i, (unsigned long long)at, m->data_bytes);
        if (__builtin_mul_overflow((size_t)n, rsd_dtype_bytes(m->dtype), &bytes) ||
            __builtin_add_overflow(m->data_bytes, bytes, &m->data_bytes))
            return RSD_FAIL(RSD_EFORMAT, "index: the sequences overflow at %zu", i);
        m->tokens += n;
    }
    return RSD_OK;
}

int rsd_megatron_parse(const uint8_t *data, size_t size, rsd_megatron *out)
{
    size_t documents = 0;
    uint64_t before = 0;
    *out = (rsd_megatron){ 0 };
    RSD_TRY(parse_header(data, size, out, &documents));
    const uint8_t *length = data + HEADER_BYTES, *place = length + 4 * out->sequences;
    RSD_TRY(check_sequences(length, place, out));
    const uint8_t *first = place + 8 * out->sequences;
    for (size_t k = 0; k < documents; k++) {
        const uint64_t at = read_u64(first + 8 * k);
        if (at < before || at > out->sequences)
            return RSD_FAIL(RSD_EFORMAT,
                            "index: document %zu begins at sequence %llu, not in [%llu, %zu]", k,
                            (unsigned long long)at, (unsigned long long)before, out->sequences);
        before = at;
    }
    return RSD_OK;
}
