#include "quantizers/ggml/ggml.h"

#include "alloc.h"
#include "fp.h"
#include "quantizers/blocks.h"
#include "quantizers/importance.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AUTO, NONE };
enum { NEUTRAL, GGML };
const rsd_ggml_params rsd_ggml_defaults = { .weights = AUTO, .zeros = NEUTRAL };
const rsd_opt rsd_ggml_options[] = { RSD_GGML_OPTIONS(0), { 0 } };

/* n columns as whole blocks. */
static size_t blocks_of(const rsd_ggml_type *t, size_t n)
{
    return n / t->block + (n % t->block != 0);
}

/* Importances are a ratio: where the largest of a block is far from 1, a power of two brings it
 * back, so that products with squares of weights stay within float32. */
static void round_weights(const double *from, size_t n, size_t block, float *weight)
{
    for (size_t first = 0; first < n; first += block) {
        const size_t end = n - first < block ? n : first + block;
        double largest = 0;
        int exponent = 0;
        for (size_t j = first; j < end; j++)
            largest = from[j] > largest ? from[j] : largest;
        frexp(largest, &exponent);
        const double unit = abs(exponent) > 40 ? ldexp(1, -exponent) : 1;
        for (size_t j = first; j < end; j++)
            weight[j] = (float)(from[j] * unit);
    }
}

/* weight[padded], freed by the caller; NULL where nothing is known of any input. */
static int load_weights(const rsd_ggml_params *params, const double *square, size_t n,
                        size_t padded, size_t block, float **weight)
{
    double *filled = NULL;
    size_t unseen;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *filled, &filled));
    RSD_TRY_DONE(rsd_importance_fill(square, n, block, filled, &unseen));
    if (params->zeros == NEUTRAL && unseen == n)
        goto done;
    RSD_TRY_DONE(rsd_zeroed(padded, sizeof **weight, weight));
    round_weights(params->zeros == GGML ? square : filled, n, block, *weight);
done:
    free(filled);
    return err;
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

rsd_scale_runs rsd_ggml_scales(const rsd_spec *spec)
{
    const rsd_ggml_format *f = spec->quantizer->data;
    const rsd_ggml_type *t = rsd_ggml_type_by_name(f->type);
    assert(t);
    return (rsd_scale_runs){ .over = RSD_RUNS_OF_ROW,
                             .size = f->affine ? RSD_SIZE_RANGE : RSD_SIZE_LARGEST,
                             .length = f->sub ? f->sub : t->block };
}

int rsd_ggml_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    const rsd_ggml_format *f = spec->quantizer->data;
    const rsd_ggml_params *params = rsd_spec_params(spec);
    const double *square = c && params->weights == AUTO ? c->square : NULL;
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
    if (square)
        RSD_TRY_DONE(load_weights(params, square, W.n, padded, t->block, &w));
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
