#include "quantizers/microscale.h"

#include "quantizers/blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_FLOAT = -149 };

/* Read from the bits: a logarithm in float32 rounds up just below a power of two. */
int rsd_block_exponent(const float *x, size_t n)
{
    const float absmax = rsd_absmax(x, n);
    return absmax > 0 ? ilogbf(absmax) : LEAST_FLOAT - 1;
}

float rsd_power_of_2(int e) { return ldexpf(1, e); }

static size_t blocks_of(const rsd_microscale *f, size_t n)
{
    return n / f->block + (n % f->block != 0);
}

/* Scales of a row, and the row divided by them. */
static void scale_row(const rsd_microscale *f, const float *x, size_t n, uint8_t *scales, float *y)
{
    for (size_t start = 0; start < n; start += f->block) {
        const size_t count = n - start < f->block ? n - start : f->block;
        int e = rsd_block_exponent(x + start, count) - f->down;
        e = e < -RSD_E8M0_BIAS ? -RSD_E8M0_BIAS : e;
        const float inverse = rsd_power_of_2(-e);
        *scales++ = (uint8_t)(e + RSD_E8M0_BIAS);
        for (size_t j = start; j < start + count; j++)
            y[j] = x[j] * inverse;
    }
}

int rsd_microscale_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const rsd_microscale_elements *elements = spec->quantizer->data;
    const rsd_microscale f = elements->layout(spec->params);
    const size_t row_bytes = rsd_bits_bytes(W.n, f.bits), blocks = blocks_of(&f, W.n);
    int err = RSD_OK;
    float *row = NULL;
    uint8_t *row_codes = NULL, *codes, *scales;
    RSD_TRY_DONE(rsd_packed_add(out, "codes", f.dtype, W.m * row_bytes, &codes));
    RSD_TRY_DONE(rsd_packed_add(out, "scales", "U8", W.m * blocks, &scales));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, sizeof *row, &row));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, 1, &row_codes));
    for (size_t i = 0; i < W.m; i++) {
        scale_row(&f, W.x + i * W.ld, W.n, scales + i * blocks, row);
        elements->encode(spec->params, row, W.n, row_codes);
        rsd_bits_pack(row_codes, W.n, f.bits, codes + i * row_bytes);
    }
done:
    free(row_codes);
    free(row);
    return err;
}

int rsd_microscale_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const rsd_microscale_elements *elements = spec->quantizer->data;
    const rsd_microscale f = elements->layout(spec->params);
    const size_t row_bytes = rsd_bits_bytes(Wq.n, f.bits);
    const uint8_t *codes = rsd_packed_get(in, "codes")->data;
    const uint8_t *scales = rsd_packed_get(in, "scales")->data;
    uint8_t *row_codes;
    RSD_TRY(rsd_array_alloc(Wq.n, 1, 1, &row_codes));
    for (size_t i = 0; i < Wq.m; i++) {
        float *x = Wq.x + i * Wq.ld;
        rsd_bits_unpack(codes + i * row_bytes, Wq.n, f.bits, row_codes);
        elements->decode(spec->params, row_codes, Wq.n, x);
        for (size_t start = 0; start < Wq.n; start += f.block) {
            const size_t end = Wq.n - start < f.block ? Wq.n : start + f.block;
            const float scale = rsd_power_of_2((int)*scales++ - RSD_E8M0_BIAS);
            for (size_t j = start; j < end; j++)
                x[j] *= scale;
        }
    }
    free(row_codes);
    return RSD_OK;
}

rsd_scale_runs rsd_microscale_scales(const rsd_spec *spec)
{
    const rsd_microscale_elements *elements = spec->quantizer->data;
    return (rsd_scale_runs){ .over = RSD_RUNS_OF_ROW,
                             .length = elements->layout(spec->params).block };
}
