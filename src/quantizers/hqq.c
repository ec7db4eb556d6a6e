/* Half-quadratic quantization (half_quadratic.h) and the bytes in which it is stored.
 *
 * Groups are rows of the flat matrix cut into `group` columns (axis=1), or columns of it cut into
 * `group` rows (axis=0): then a group's members lie far apart.  The last row may be short. */
#include "quantizers/blocks.h"
#include "quantizers/half_quadratic.h"
#include "quantizers/quantizer.h"

#include <stdlib.h>

typedef struct {
    size_t bits, group;
    int axis, solver, store;
} params;

enum { AXIS_COLUMNS, AXIS_ROWS }; /* upstream's numbers 0 and 1 */
enum { STORE_FP16, STORE_F32 };

static const params defaults = { .bits = 4, .group = 64, .axis = AXIS_ROWS };

/* clang-format off */
static const rsd_opt options[] = {
    { "bits", 0, RSD_OPT_SIZE, offsetof(params, bits), 2, 8, "bits", "bits per code" },
    { "group", 0, RSD_OPT_SIZE, offsetof(params, group), 2, 1 << 24, "weights",
      "weights of the flat tensor that share scale and zero" },
    { "axis", 0, RSD_OPT_CHOICE, offsetof(params, axis), 0, 0, "0|1",
      "of the flat matrix: 1, groups are its rows of `group` weights; 0, its columns" },
    { "solver", 0, RSD_OPT_CHOICE, offsetof(params, solver), 0, 0, "legacy|v2|slow|none",
      "how zeros are found" },
    { "scale", 0, RSD_OPT_CHOICE, offsetof(params, store), 0, 0, "fp16|f32",
      "how scales and zeros are stored; fp16 becomes bf16 where they are too large for it" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "hqq4", "bits=4" },
    { "hqq3", "bits=3" },
    { "hqq2", "bits=2" },
    { 0 },
};

/* Codes of 2, 4 and 8 bits lie as upstream packs them: byte (r, c) holds element c of the rows r,
 * r + step, ..., from the high bits down; those of other widths one after the other. */
static size_t rows_apart(const params *a, const rsd_hq *t)
{
    const size_t parts = 8 % a->bits ? 0 : 8 / a->bits;
    return parts ? t->rows / parts + (t->rows % parts != 0) : 0;
}

static size_t code_bytes(const params *a, const rsd_hq *t)
{
    const size_t step = rows_apart(a, t);
    return step ? step * t->columns : rsd_bits_bytes(t->n, (int)a->bits);
}

static void pack_codes(const params *a, const rsd_hq *t, const uint8_t *codes, uint8_t *out)
{
    const size_t step = rows_apart(a, t) * t->columns;
    if (!step) {
        rsd_bits_pack(codes, t->n, (int)a->bits, out);
        return;
    }
    int shift = 8;
    for (size_t first = 0; first < t->n; first += step) {
        const size_t count = t->n - first < step ? t->n - first : step;
        shift -= (int)a->bits;
        for (size_t i = 0; i < count; i++)
            out[i] = (uint8_t)(out[i] | codes[first + i] << shift);
    }
}

static void unpack_codes(const params *a, const rsd_hq *t, const uint8_t *in, uint8_t *codes)
{
    const size_t step = rows_apart(a, t) * t->columns;
    if (!step) {
        rsd_bits_unpack(in, t->n, (int)a->bits, codes);
        return;
    }
    int shift = 8;
    for (size_t first = 0; first < t->n; first += step) {
        const size_t count = t->n - first < step ? t->n - first : step;
        shift -= (int)a->bits;
        for (size_t i = 0; i < count; i++)
            codes[first + i] = (uint8_t)(in[i] >> shift & ((1 << a->bits) - 1));
    }
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const params *a = rsd_spec_params(spec);
    const bool half = a->store == STORE_FP16;
    int err = RSD_OK;
    rsd_hq t = { 0 };
    uint8_t *codes = NULL, *packed;
    rsd_hq_layout(W.m * W.n, a->group, a->axis == AXIS_ROWS, (int)a->bits, &t);
    RSD_TRY_DONE(rsd_hq_alloc(W, &t));
    RSD_TRY_DONE(rsd_array_alloc(t.size, 1, 1, &codes));
    RSD_TRY_DONE(rsd_packed_add(out, "codes", "U8", code_bytes(a, &t), &packed));
    RSD_TRY_DONE(rsd_hq_solve(&t, (rsd_hq_solver)a->solver));
    rsd_hq_encode(&t, codes);
    pack_codes(a, &t, codes, packed);
    for (size_t g = 0; g < t.groups; g++)
        t.scale[g] = 1 / t.scale[g];
    RSD_TRY_DONE(rsd_packed_add_reals(out, "scales", t.scale, t.groups, half, 1));
    RSD_TRY_DONE(rsd_packed_add_reals(out, "zeros", t.zero, t.groups, half, 1));
done:
    free(codes);
    rsd_hq_free(&t);
    return err;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    int err = RSD_OK;
    rsd_hq t = { 0 };
    uint8_t *codes = NULL;
    rsd_hq_layout(Wq.m * Wq.n, a->group, a->axis == AXIS_ROWS, (int)a->bits, &t);
    RSD_TRY_DONE(rsd_array_alloc(t.groups, 1, sizeof(float), &t.scale));
    RSD_TRY_DONE(rsd_array_alloc(t.groups, 1, sizeof(float), &t.zero));
    RSD_TRY_DONE(rsd_array_alloc(t.size, 1, 1, &codes));
    rsd_section_reals(rsd_packed_get(in, "scales"), t.scale);
    rsd_section_reals(rsd_packed_get(in, "zeros"), t.zero);
    unpack_codes(a, &t, rsd_packed_get(in, "codes")->data, codes);
    for (size_t i = 0; i < Wq.m; i++)
        for (size_t j = 0; j < Wq.n; j++) {
            const size_t at = i * Wq.n + j;
            const size_t g = rsd_hq_group(&t, at / t.columns, at % t.columns);
            Wq.x[i * Wq.ld + j] = rsd_finite(((float)codes[at] - t.zero[g]) * t.scale[g]);
        }
done:
    free(codes);
    rsd_hq_free(&t);
    return err;
}

/* Along the other axis a group's members lie far apart. */
static rsd_scale_runs scales(const rsd_spec *spec)
{
    const params *a = rsd_spec_params(spec);
    return (rsd_scale_runs){ .over = a->axis == AXIS_ROWS ? RSD_RUNS_FLAT : RSD_RUNS_UNKNOWN,
                             .size = RSD_SIZE_RANGE,
                             .length = a->group };
}

const rsd_quantizer rsd_quantizer_hqq = {
    .name = "hqq",
    .summary = "half-quadratic quantization: even levels, a real zero that makes the error sparse",
    .reference =
        "Badri & Shaji, Half-quadratic quantization of large machine learning models, 2023; "
        "hqq e0b1d00e",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .scales = scales,
    .pack = pack,
    .unpack = unpack,
};
