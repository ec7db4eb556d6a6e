#include "quantizers/ggml/ggml.h"

#include "fp.h"
#include "quantizers/blocks.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AUTO, NONE };
const rsd_ggml_params rsd_ggml_defaults = { .weights = AUTO };
/* clang-format off */
const rsd_opt rsd_ggml_options[] = {
    { "weights", 0, RSD_OPT_CHOICE, offsetof(rsd_ggml_params, weights), 0, 0, "auto|none",
      "importance of inputs, from a calibration where there is one" },
    { 0 },
};
/* clang-format on */

/* n columns as whole blocks. */
static size_t blocks_of(const rsd_ggml_type *t, size_t n)
{
    return n / t->block + (n % t->block != 0);
}

/* weight[padded] from n doubles.  Importances are a ratio: where the largest is far from 1, a power
 * of two brings it back, so that products with squares of weights stay within float32. */
static int load_weights(const double *from, size_t n, size_t padded, float *weight)
{
    double largest = 0;
    int exponent = 0;
    for (size_t j = 0; j < n; j++) {
        if (!(from[j] >= 0) || isinf(from[j]))
            return RSD_FAIL(RSD_EDOM, "importance %g of input %zu", from[j], j);
        largest = from[j] > largest ? from[j] : largest;
    }
    frexp(largest, &exponent);
    const double unit = abs(exponent) > 40 ? ldexp(1, -exponent) : 1;
    for (size_t j = 0; j < padded; j++)
        weight[j] = j < n ? (float)(from[j] * unit) : 0;
    return RSD_OK;
}

static void load_row(const float *restrict from, size_t n, size_t padded, float limit,
                     float *restrict x)
{
    for (size_t j = 0; j < n; j++) {
        const float y = from[j] < limit ? from[j] : limit;
        x[j] = y > -limit ? y : -limit;
    }
    memset(x + n, 0, (padded - n) * sizeof *x);
}

int rsd_ggml_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    const rsd_ggml_format *f = spec->quantizer->data;
    const rsd_ggml_params *params = rsd_spec_params(spec);
    const double *weight = c && params->weights == AUTO ? c->square : NULL;
    const rsd_ggml_type *t = rsd_ggml_type_by_name(f->type);
    assert(t);
    const size_t blocks = blocks_of(t, W.n), padded = blocks * t->block;
    const size_t row_bytes = blocks * t->bytes;
    int err = RSD_OK;
    float *x = NULL, *w = NULL;
    uint8_t *row;
    size_t bytes;
    if (__builtin_mul_overflow(W.m, row_bytes, &bytes))
        return RSD_FAIL(RSD_ENOMEM, "%zu rows of %zu bytes", W.m, row_bytes);
    RSD_TRY_DONE(rsd_array_alloc(padded, 1, sizeof *x, &x));
    if (weight) {
        RSD_TRY_DONE(rsd_array_alloc(padded, 1, sizeof *w, &w));
        RSD_TRY_DONE(load_weights(weight, W.n, padded, w));
    }
    RSD_TRY_DONE(rsd_packed_add(out, "blocks", "U8", bytes, &row));
    for (size_t i = 0; i < W.m; i++, row += row_bytes) {
        load_row(W.x + i * W.ld, W.n, padded, f->limit, x);
        if (f->encode)
            f->encode(spec, x, w, padded, row);
        for (size_t b = 0; b < blocks && f->encode_block; b++)
            f->encode_block(x + b * t->block, w ? w + b * t->block : NULL, row + b * t->bytes);
    }
done:
    free(w);
    free(x);
    return err;
}

int rsd_ggml_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const rsd_ggml_format *f = spec->quantizer->data;
    const rsd_ggml_type *t = rsd_ggml_type_by_name(f->type);
    assert(t && t->decode);
    const size_t blocks = blocks_of(t, Wq.n), whole = Wq.n / t->block;
    const uint8_t *row = rsd_packed_get(in, "blocks")->data;
    float *last = NULL;
    if (whole < blocks)
        RSD_TRY(rsd_array_alloc(t->block, 1, sizeof *last, &last));
    for (size_t i = 0; i < Wq.m; i++, row += blocks * t->bytes) {
        float *x = Wq.x + i * Wq.ld;
        t->decode(row, whole, x);
        if (whole < blocks) {
            t->decode(row + whole * t->bytes, 1, last);
            memcpy(x + whole * t->block, last, (Wq.n - whole * t->block) * sizeof *x);
        }
    }
    free(last);
    return RSD_OK;
}

void rsd_ggml_halves(float *d, size_t count, uint16_t *half)
{
    rsd_fp_encode_array(&rsd_fp16, d, half, count, true);
    rsd_fp_decode_array(&rsd_fp16, half, d, count);
}

void rsd_ggml_half(float *d, uint8_t *at)
{
    uint16_t half;
    rsd_ggml_halves(d, 1, &half);
    memcpy(at, &half, sizeof half);
}

float rsd_ggml_sumsq(const float *x, size_t n)
{
    float sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += x[j] * x[j];
    return sum;
}
