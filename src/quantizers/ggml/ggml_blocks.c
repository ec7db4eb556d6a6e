#include "quantizers/ggml/ggml_blocks.h"

#include "ggml/block_layout.h"
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/search.h"

#include <string.h>

enum { N = RSD_GGML_BLOCK, CHUNK = 64 }; /* blocks whose scales are rounded together */

typedef struct {
    float d[CHUNK], m[CHUNK];
    uint8_t code[CHUNK * N];
} chunk;

static inline float largest_lane(rsd_lanes a)
{
    const float b = a[0] > a[1] ? a[0] : a[1], c = a[2] > a[3] ? a[2] : a[3];
    return b > c ? b : c;
}

static inline rsd_lanes lanes_larger(rsd_lanes a, rsd_lanes b)
{
    for (int l = 0; l < RSD_LANE_COUNT; l++)
        a[l] = a[l] > b[l] ? a[l] : b[l];
    return a;
}

float rsd_absmax32(const float *x)
{
    rsd_lanes top = lanes_of(0);
    for (size_t j = 0; j < N; j += RSD_LANE_COUNT)
        top = lanes_larger(lanes_abs(lanes_load(x + j)), top);
    return largest_lane(top);
}

/* floor(y), 0 <= y, at most top. */
static inline uint8_t code_of(float y, float top)
{
    y = y < top ? y : top;
    return (uint8_t)(int)(y > 0 ? y : 0);
}

static float encode_signed(const float *x, float levels, uint8_t *code)
{
    const float top = rsd_absmax32(x);
    size_t first = 0;
    while (fabsf(x[first]) < top)
        first++;
    const float d = (top > 0 ? x[first] : 0) / -levels, inverse = rsd_ggml_inverse(d);
    for (size_t j = 0; j < N; j++)
        code[j] = code_of(x[j] * inverse + (levels + 0.5f), 2 * levels - 1);
    return d;
}

/* The minimum has the sign of the block's first zero where it is one. */
static float encode_affine(const float *x, float top, uint8_t *code, float *minimum)
{
    rsd_lanes high = lanes_load(x), low = -high; /* -min */
    for (size_t j = RSD_LANE_COUNT; j < N; j += RSD_LANE_COUNT) {
        const rsd_lanes y = lanes_load(x + j);
        high = lanes_larger(y, high);
        low = lanes_larger(-y, low);
    }
    float min = -largest_lane(low);
    for (size_t j = 0; min == 0 && j < N; j++)
        if (x[j] == 0) {
            min = x[j];
            break;
        }
    const float range = largest_lane(high) - min;
    const float d = range > 0 ? range / top : 0, inverse = rsd_ggml_inverse(d);
    for (size_t j = 0; j < N; j++)
        code[j] = code_of((x[j] - min) * inverse + 0.5f, top);
    *minimum = min;
    return d;
}

static void encode_plain(const rsd_ggml_blocks *how, const float *x, size_t blocks, chunk *c)
{
    const float levels = (float)(1 << (how->bits - 1));
    for (size_t b = 0; b < blocks; b++)
        c->d[b] = how->affine ? encode_affine(x + b * N, 2 * levels - 1, c->code + b * N, &c->m[b])
                              : encode_signed(x + b * N, levels, c->code + b * N);
}

static void encode_weighted(const rsd_ggml_blocks *how, const float *x, const float *weight,
                            float sigma2, size_t blocks, chunk *c)
{
    const float levels = (float)(1 << (how->bits - 1));
    const rsd_pair_search pair = { 2 * levels - 1, -0.9f, 0.05f, 36, 0 };
    rsd_lane_tile t;
    rsd_lanes code[N], min = lanes_of(0);
    for (size_t b = 0; b < blocks; b += RSD_LANE_COUNT) {
        tile_load_weighted(&t, x + b * N, weight + b * N, N, blocks - b, sigma2);
        const rsd_lanes d = how->affine ? rsd_search_pair(&pair, &t, N, code, &min)
                                        : rsd_search_symmetric(&t, N, levels, code);
        lanes_codes(code, N, blocks - b, c->code + b * N);
        for (size_t l = 0; l < RSD_LANE_COUNT && b + l < blocks; l++) {
            c->d[b + l] = d[l];
            c->m[b + l] = -min[l];
        }
    }
}

/* Blocks in ggml's order: d, m, fifth bits, nibbles. */
static uint8_t *write_blocks(const rsd_ggml_blocks *how, chunk *c, size_t blocks, uint8_t *at)
{
    uint16_t d[CHUNK], m[CHUNK];
    rsd_ggml_halves(c->d, blocks, d);
    if (how->affine)
        rsd_ggml_halves(c->m, blocks, m);
    for (size_t b = 0; b < blocks; b++) {
        memcpy(at, &d[b], sizeof *d);
        at += sizeof *d;
        if (how->affine) {
            memcpy(at, &m[b], sizeof *m);
            at += sizeof *m;
        }
        if (how->bits == 5) {
            rsd_fields_put(c->code + b * N, N, 4, 1, 1, at);
            at += N / 8;
        }
        rsd_fields_put(c->code + b * N, N, 0, 4, 16, at);
        at += N / 2;
    }
    return at;
}

void rsd_ggml_encode_blocks(const rsd_spec *spec, const float *x, const float *weight, size_t n,
                            void *blocks)
{
    const rsd_ggml_format *f = spec->quantizer->data;
    const rsd_ggml_blocks *how = f->how;
    chunk c;
    uint8_t *at = blocks;
    const float sigma2 = weight ? rsd_ggml_sumsq(x, n) / (float)n : 0;
    for (size_t b = 0; b < n / N; b += CHUNK) {
        const size_t count = n / N - b < CHUNK ? n / N - b : CHUNK;
        if (weight)
            encode_weighted(how, x + b * N, weight + b * N, sigma2, count, &c);
        else
            encode_plain(how, x + b * N, count, &c);
        at = write_blocks(how, &c, count, at);
    }
}
