/* What a quantizer stores: named sections of real bytes.  Bits per weight are counted from them. */
#ifndef RSD_QUANTIZERS_PACKED_H
#define RSD_QUANTIZERS_PACKED_H

#include "err.h"
#include "mat.h"

#include <stdbool.h>
#include <stdint.h>

enum { RSD_SECTIONS_MAX = 8 };

typedef struct {
    const char *name;  /* "codes", "scales", "zeros", ...; static text */
    const char *dtype; /* safetensors' names: "U8", "I8", "F16", "F32", ...; static text */
    size_t count;      /* elements of that type ("U8" for bit-packed codes: bytes) */
    size_t bytes;
    void *data;
} rsd_section;

typedef struct {
    size_t m, n; /* shape of the matrix */
    size_t sections;
    rsd_section section[RSD_SECTIONS_MAX];
} rsd_packed;

/* Start empty, add sections, free.  rsd_packed_add returns 64-byte aligned zeroed memory through
 * data.  Errors: RSD_ENOMEM; a ninth section asserts. */
void rsd_packed_init(rsd_packed *p, size_t m, size_t n);
RSD_CHECK int rsd_packed_add(rsd_packed *p, const char *name, const char *dtype, size_t count,
                             void *data);
void rsd_packed_free(rsd_packed *p);

/* Add a section of count finite numbers as F32, or in 16 bits: F16, unless a number beyond 65504
 * is among them or `least`, the smallest magnitude that must keep its digits, is below fp16's
 * normal range of 2^-14; then BF16, which has float32's range.  x is overwritten by what was
 * stored, so that a method can go on with the numbers that its reader will see.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_packed_add_reals(rsd_packed *p, const char *name, float *x, size_t count,
                                   bool half, float least);

/* The section called name; asserts that it is there. */
const rsd_section *rsd_packed_get(const rsd_packed *p, const char *name);

/* x[s->count] from a section of F32, F16, BF16, F8_E4M3 or F8_E5M2. */
void rsd_section_reals(const rsd_section *s, float *x);

size_t rsd_packed_bytes(const rsd_packed *p);
double rsd_packed_bits_per_weight(const rsd_packed *p);

/* Bytes of n codes of b bits, 1 <= b <= 8: code i starts at bit i*b, low bit first, across byte
 * boundaries; the last byte is padded with zeros.  (4 bits: the low nibble is the even element.
 * bitsandbytes has it the other way round; so have nf and fp4.) */
size_t rsd_bits_bytes(size_t n, int bits);
void rsd_bits_pack(const uint8_t *codes, size_t n, int bits, uint8_t *out);
void rsd_bits_unpack(const uint8_t *in, size_t n, int bits, uint8_t *codes);

#endif
