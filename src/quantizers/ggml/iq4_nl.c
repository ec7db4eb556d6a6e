/* ggml's IQ4_NL.  The levels follow what normal weights divided by a block's largest look like:
 * dense near 0.  ggml has two ways to the scale of a block: its quantize function tries fifteen
 * around the first guess, its reference for a row takes the first, with the largest weight on the
 * other end (trials=0). */
#include "ggml/block_layout.h"
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/search.h"

enum { N = RSD_GGML_BLOCK };

typedef struct {
    rsd_ggml_params base;
    size_t trials;
} params;

static const params defaults = { .trials = 7 };

/* clang-format off */
static const rsd_opt options[] = {
    RSD_GGML_OPTIONS(offsetof(params, base)),
    { "trials", 0, RSD_OPT_SIZE, offsetof(params, trials), 0, 20, "scales",
      "scales to try on each side of the first; 0: the first alone" },
    { 0 },
};
/* clang-format on */

/* Four blocks side by side; sigma^2 is twice each one's own mean of x^2. */
static void load(const float *x, const float *weight, size_t blocks, rsd_lane_tile *t)
{
    tile_load_squares(t, x, N, blocks);
    if (!weight)
        return;
    rsd_lanes sum = lanes_of(0), given[N];
    for (size_t i = 0; i < N; i++)
        sum += t->w[i];
    lanes_transpose(weight, N, blocks, given);
    for (size_t i = 0; i < N; i++)
        t->w[i] = given[i] * lanes_sqrt(sum * (2.0f / N) + t->w[i]);
}

static void encode(const rsd_spec *spec, const float *x, const float *weight, size_t n,
                   void *blocks)
{
    const int trials = (int)((const params *)rsd_spec_params(spec))->trials;
    rsd_q4_0 *out = blocks;
    for (size_t at = 0; at < n; at += N * RSD_LANE_COUNT) {
        const size_t count = (n - at) / N;
        rsd_lane_tile t;
        rsd_lanes first;
        load(x + at, weight ? weight + at : NULL, count, &t);
        const rsd_lanes scale = rsd_search_iq4(&t, N, trials, &first);
        for (size_t l = 0; l < RSD_LANE_COUNT && l < count; l++, out++) {
            uint8_t code[N];
            float d = scale[l];
            const float inverse = trials || d == 0 ? rsd_ggml_inverse(d) : first[l];
            rsd_nearest_iq4(x + at + l * N, N, inverse, code);
            rsd_ggml_half(&d, out->d);
            rsd_fields_put(code, N, 0, 4, 16, out->q);
        }
    }
}

static const rsd_ggml_format format = { .type = "iq4_nl", .limit = 0x1p32f, .encode = encode };

/* The first scale puts the largest weight on the end level: levels fit themselves exactly. */
static bool idempotent(const rsd_spec *spec)
{
    return ((const params *)rsd_spec_params(spec))->trials == 0;
}

const rsd_quantizer rsd_quantizer_iq4_nl = {
    .name = "iq4_nl",
    .summary = "llama.cpp's uneven 4-bit levels, blocks of 32, 4.5 bits per weight",
    .reference = "ggml d99724f",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .calibration = RSD_CALIBRATION_TAKES,
    .idempotent = idempotent,
    .data = &format,
    .scales = rsd_ggml_scales,
    .pack = rsd_ggml_pack,
    .unpack = rsd_ggml_unpack,
};
