#include "quantizers/grid.h"

#include "quantizers/blocks.h"
#include "quantizers/nf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float top_code(const rsd_grid *grid) { return (float)((1 << grid->bits) - 1); }

/* ---- ranges ---- */

/* A scale as its reader will see it; never 0, as one divides by it. */
static float storable(const rsd_grid *grid, float scale)
{
    if (!grid->store)
        return scale;
    const float stored = rsd_fp_decode(grid->store, rsd_fp_encode(grid->store, scale, true));
    return stored > 0 ? stored : rsd_fp_decode(grid->store, 1);
}

const rsd_fp *rsd_grid_store(rsd_mat W, int bits)
{
    const float most = (float)(1 << bits);
    float least = INFINITY, largest = 0;
    for (size_t i = 0; i < W.m; i++) {
        const float top = rsd_absmax(W.x + i * W.ld, W.n);
        least = top > 0 && top < least ? top : least;
        largest = top > largest ? top : largest;
    }
    return least / most < 0x1p-12f || largest > 16384 ? &rsd_bf16 : &rsd_fp16;
}

rsd_grid_group rsd_grid_range(const rsd_grid *grid, float low, float high)
{
    if (grid->kind == RSD_GRID_NF) {
        const float most = -low > high ? -low : high;
        return (rsd_grid_group){ storable(grid, most > 0 ? most : 1), 0 };
    }
    if (grid->kind == RSD_GRID_SYMMETRIC) {
        const float most = -low > high ? -low : high;
        if (low < 0)
            low = -most;
        high = most;
    }
    const float top = top_code(grid);
    if (grid->tight && high - low < 1e-5f)
        high = low + 1e-5f;
    else if (low == 0 && high == 0) {
        low = -1;
        high = 1;
    }
    const float span = high - low;
    rsd_grid_group g = { .scale =
                             isfinite(span) ? rsd_grid_step(span, top) : high / top - low / top };
    g.scale = storable(grid, g.scale);
    g.zero = grid->kind == RSD_GRID_SYMMETRIC ? (top + 1) / 2 : rintf(-low / g.scale);
    g.zero = g.zero < 0 ? 0 : g.zero > top ? top : g.zero;
    return g;
}

static double powered_error(const rsd_grid *grid, rsd_grid_group g, const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float e = fabsf(rsd_grid_value(grid, g, rsd_grid_code(grid, g, x[i])) - x[i]);
        sum += pow((double)e, 2.4);
    }
    return sum;
}

/* Shares 1, .99, ... .21 of the range. */
static rsd_grid_group search(const rsd_grid *grid, const float *x, size_t n, float low, float high)
{
    rsd_grid_group best = rsd_grid_range(grid, low, high);
    double least = INFINITY;
    for (int i = 0; i < 80; i++) {
        const float p = (float)(1 - i / 100.0);
        const rsd_grid_group g = rsd_grid_range(grid, p * low, p * high);
        const double error = powered_error(grid, g, x, n);
        if (error < least) {
            least = error;
            best = g;
        }
    }
    return best;
}

static rsd_grid_group fit_tight(const rsd_grid *grid, const float *x, size_t n)
{
    float low = x[0], high = x[0];
    for (size_t i = 1; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    return rsd_grid_range(grid, low, high);
}

rsd_grid_group rsd_grid_fit(const rsd_grid *grid, const float *x, size_t n)
{
    float below, above;
    if (grid->tight)
        return fit_tight(grid, x, n);
    rsd_range(x, n, &below, &above);
    if (grid->search && grid->kind != RSD_GRID_NF && (below > 0 || above > 0))
        return search(grid, x, n, -below, above);
    return rsd_grid_range(grid, -below, above);
}

/* ---- codes ---- */

uint8_t rsd_grid_code(const rsd_grid *grid, rsd_grid_group g, float x)
{
    if (grid->kind == RSD_GRID_NF)
        return rsd_nf_code(grid->bits, x / g.scale);
    const float top = top_code(grid), c = rintf(x / g.scale) + g.zero;
    return (uint8_t)(c < 0 ? 0 : c > top ? top : c);
}

float rsd_grid_value(const rsd_grid *grid, rsd_grid_group g, uint8_t code)
{
    const float level =
        grid->kind == RSD_GRID_NF ? rsd_nf_level(grid->bits, code) : (float)code - g.zero;
    return rsd_finite(g.scale * level);
}

/* Sums with 1.5 2^23 leave no room for a fraction: the same codes as rintf's, as what lies beyond
 * 2^22 is clamped in either case, and eight at a time. */
static void round_even(const rsd_grid *grid, rsd_grid_group g, const float *x, size_t n,
                       uint8_t *restrict code, float *value)
{
    const float top = top_code(grid), magic = 0x1.8p23f;
    for (size_t i = 0; i < n; i++) {
        float c = ((x[i] / g.scale + magic) - magic) + g.zero;
        c = c < 0 ? 0 : c;
        c = c > top ? top : c;
        code[i] = (uint8_t)(int)c;
        const float y = g.scale * (c - g.zero);
        value[i] = rsd_finite(y);
    }
}

void rsd_grid_round(const rsd_grid *grid, rsd_grid_group g, const float *x, size_t n, uint8_t *code,
                    float *value)
{
    if (grid->kind != RSD_GRID_NF) {
        round_even(grid, g, x, n, code, value);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        code[i] = rsd_grid_code(grid, g, x[i]);
        value[i] = rsd_grid_value(grid, g, code[i]);
    }
}

/* ---- bytes ---- */

static int pack_scales(const rsd_grid *grid, size_t count, const rsd_grid_group *group,
                       rsd_packed *out)
{
    const char *type = !grid->store ? "F32" : grid->store == &rsd_fp16 ? "F16" : "BF16";
    float *scale;
    void *stored;
    RSD_TRY(rsd_packed_add(out, "scales", type, count, &stored));
    RSD_TRY(rsd_array_alloc(count, 1, sizeof *scale, &scale));
    for (size_t i = 0; i < count; i++)
        scale[i] = group[i].scale;
    if (grid->store)
        rsd_fp_encode_array(grid->store, scale, stored, count, true);
    else
        memcpy(stored, scale, count * sizeof *scale);
    free(scale);
    return RSD_OK;
}

static int pack_zeros(const rsd_grid *grid, size_t count, const rsd_grid_group *group,
                      rsd_packed *out)
{
    uint8_t *zero, *packed;
    if (grid->kind != RSD_GRID_AFFINE)
        return RSD_OK;
    RSD_TRY(rsd_packed_add(out, "zeros", "U8", rsd_bits_bytes(count, grid->bits), &packed));
    RSD_TRY(rsd_array_alloc(count, 1, 1, &zero));
    for (size_t i = 0; i < count; i++)
        zero[i] = (uint8_t)group[i].zero;
    rsd_bits_pack(zero, count, grid->bits, packed);
    free(zero);
    return RSD_OK;
}

int rsd_grid_pack(const rsd_grid *grid, const rsd_grid_groups *groups, size_t m, size_t n,
                  const uint8_t *codes, const rsd_grid_group *group, rsd_packed *out)
{
    const size_t row_bytes = rsd_bits_bytes(n, grid->bits);
    uint8_t *packed;
    RSD_TRY(rsd_packed_add(out, "codes", "U8", m * row_bytes, &packed));
    for (size_t i = 0; i < m; i++)
        rsd_bits_pack(codes + i * n, n, grid->bits, packed + i * row_bytes);
    RSD_TRY(pack_scales(grid, m * groups->groups, group, out));
    RSD_TRY(pack_zeros(grid, m * groups->groups, group, out));
    if (!groups->index)
        return RSD_OK;
    int32_t *index;
    RSD_TRY(rsd_packed_add(out, "g_idx", "I32", n, &index));
    memcpy(index, groups->index, n * sizeof *index);
    return RSD_OK;
}

static const int32_t *find_index(const rsd_packed *in)
{
    for (size_t i = 0; i < in->sections; i++)
        if (strcmp(in->section[i].name, "g_idx") == 0)
            return in->section[i].data;
    return NULL;
}

static void read_groups(const rsd_grid *grid, const rsd_packed *in, size_t count, float *scale,
                        uint8_t *zero, rsd_grid_group *group)
{
    rsd_section_reals(rsd_packed_get(in, "scales"), scale);
    if (grid->kind == RSD_GRID_AFFINE)
        rsd_bits_unpack(rsd_packed_get(in, "zeros")->data, count, grid->bits, zero);
    else
        memset(zero, grid->kind == RSD_GRID_NF ? 0 : 1 << (grid->bits - 1), count);
    for (size_t i = 0; i < count; i++)
        group[i] = (rsd_grid_group){ scale[i], zero[i] };
}

int rsd_grid_unpack(const rsd_grid *grid, size_t length, const rsd_packed *in, rsd_mat Wq)
{
    const size_t n = Wq.n, run = length && length < n ? length : n;
    const size_t groups = (n + run - 1) / run, row_bytes = rsd_bits_bytes(n, grid->bits);
    const uint8_t *codes = rsd_packed_get(in, "codes")->data;
    const int32_t *index = find_index(in);
    float *scale = NULL;
    uint8_t *bytes = NULL;
    rsd_grid_group *group = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(Wq.m, groups, sizeof *scale, &scale));
    RSD_TRY_DONE(rsd_array_alloc(Wq.m * groups + n, 1, 1, &bytes));
    RSD_TRY_DONE(rsd_array_alloc(Wq.m, groups, sizeof *group, &group));
    read_groups(grid, in, Wq.m * groups, scale, bytes, group);
    for (size_t i = 0; i < Wq.m; i++) {
        rsd_bits_unpack(codes + i * row_bytes, n, grid->bits, bytes);
        for (size_t j = 0; j < n; j++) {
            const size_t k = index ? (size_t)index[j] : j / run;
            Wq.x[i * Wq.ld + j] = rsd_grid_value(grid, group[i * groups + k], bytes[j]);
        }
    }
done:
    free(group);
    free(bytes);
    free(scale);
    return err;
}
