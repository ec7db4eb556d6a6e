#include "quantizers/codebook.h"

#include "quantizers/blocks.h"
#include "quantizers/double_quant.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A codebook in the order of its levels. */
typedef struct {
    float bound[15];  /* midpoints of neighbouring levels */
    uint8_t code[16]; /* of the k-th level */
    size_t levels;
    bool in_order; /* code[k] == k */
    uint8_t zero;  /* the code of 0 */
} ladder;

static ladder ladder_of(const rsd_codebook *book)
{
    ladder a = { .in_order = true };
    float level[16];
    for (unsigned c = 0; c < 1u << book->bits; c++) {
        size_t k = a.levels;
        while (k && level[k - 1] >= book->value[c])
            k--;
        if (k < a.levels && level[k] == book->value[c])
            continue; /* a second zero is never written */
        memmove(level + k + 1, level + k, (a.levels - k) * sizeof *level);
        memmove(a.code + k + 1, a.code + k, a.levels - k);
        level[k] = book->value[c];
        a.code[k] = (uint8_t)c;
        a.levels++;
    }
    for (size_t k = 0; k < a.levels; k++) {
        a.in_order = a.in_order && a.code[k] == k;
        if (level[k] == 0)
            a.zero = a.code[k];
        if (k)
            a.bound[k - 1] = (level[k - 1] + level[k]) / 2;
    }
    return a;
}

/* Inlined for each small table: the compares of four weights are one instruction, and counting
 * them all beats a search that branches or gathers. */
static inline void count_below(const float *restrict x, size_t n, const float *restrict bound,
                               size_t bounds, uint8_t *restrict codes)
{
    for (size_t i = 0; i < n; i++) {
        int below = 0;
        for (size_t k = 0; k < bounds; k++)
            below += bound[k] < x[i];
        codes[i] = (uint8_t)below;
    }
}

static void search_below(const float *x, size_t n, const float *bound, size_t bounds,
                         uint8_t *codes)
{
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = bounds;
        while (low < high) {
            const size_t mid = (low + high) / 2;
            if (bound[mid] < x[i])
                low = mid + 1;
            else
                high = mid;
        }
        codes[i] = (uint8_t)low;
    }
}

/* 256 levels: eight halvings, each a compare and an add instead of a branch that cannot be guessed;
 * four weights at a time hide the latency of the loads that wait for one another. */
static void search_256(const float *x, size_t n, const float *bound, uint8_t *codes)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        size_t low[4] = { 0 };
        for (size_t step = 128; step; step /= 2)
            for (int k = 0; k < 4; k++)
                low[k] += step * (bound[low[k] + step - 1] < x[i + (size_t)k]);
        for (int k = 0; k < 4; k++)
            codes[i + (size_t)k] = (uint8_t)low[k];
    }
    search_below(x + i, n - i, bound, 255, codes + i);
}

void rsd_nearest(const float *x, size_t n, const float *bound, size_t count, uint8_t *codes)
{
    assert(count >= 2 && count <= 256);
    switch (count) {
    case 4:
        count_below(x, n, bound, 3, codes);
        break;
    case 8:
        count_below(x, n, bound, 7, codes);
        break;
    case 15:
        count_below(x, n, bound, 14, codes);
        break;
    case 16:
        count_below(x, n, bound, 15, codes);
        break;
    case 256:
        search_256(x, n, bound, codes);
        break;
    default:
        search_below(x, n, bound, count - 1, codes);
    }
}

float rsd_block_normalize(const float *x, size_t n, bool whole, float *scaled)
{
    const float absmax = whole ? rsd_absmax(x, n) : fmaxf(rsd_absmax(x, n), 1e-38f);
    if (whole && absmax >= 0x1p-127f) {
        const float inverse = 1 / absmax;
        for (size_t i = 0; i < n; i++)
            scaled[i] = x[i] * inverse;
    } else if (absmax > 0) {
        for (size_t i = 0; i < n; i++)
            scaled[i] = x[i] / absmax;
    } else {
        memset(scaled, 0, n * sizeof *scaled);
    }
    return absmax;
}

static void swap_nibbles(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(bytes[i] << 4 | bytes[i] >> 4);
}

static size_t block_count(size_t n, size_t block) { return n / block + (n % block != 0); }

/* One block's memory: its weights and its codes, with room for the padding nibble. */
typedef struct {
    float *x;
    uint8_t *codes;
} scratch;

static int scratch_alloc(size_t block, scratch *s)
{
    RSD_TRY(rsd_array_alloc(block, sizeof(float) + 1, 1, &s->x));
    s->codes = (uint8_t *)(s->x + block);
    return RSD_OK;
}

/* Codes of one block into out; returns its absmax. */
static float encode_block(const ladder *a, const rsd_codebook *book, const float *x, size_t count,
                          bool whole, scratch s, uint8_t *out)
{
    const float absmax = rsd_block_normalize(x, count, whole, s.x);
    rsd_nearest(s.x, count, a->bound, a->levels, s.codes);
    if (!a->in_order)
        for (size_t i = 0; i < count; i++)
            s.codes[i] = a->code[s.codes[i]];
    if (book->bits == 4 && count % 2)
        s.codes[count++] = a->zero;
    rsd_bits_pack(s.codes, count, book->bits, out);
    if (book->bits == 4)
        swap_nibbles(out, count / 2);
    return absmax;
}

static const rsd_codebook *book_of(const rsd_spec *spec)
{
    const rsd_codebook_params *a = rsd_spec_params(spec);
    const rsd_codebook *book = spec->quantizer->data;
    while ((size_t)book->bits != a->bits)
        book++;
    return book;
}

int rsd_codebook_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const rsd_codebook_params *params = rsd_spec_params(spec);
    const rsd_codebook *book = book_of(spec);
    const size_t n = W.m * W.n, block = params->block, blocks = block_count(n, block);
    const ladder a = ladder_of(book);
    int err = RSD_OK;
    float *absmax = NULL, *owned = NULL;
    scratch s = { NULL, NULL };
    uint8_t *codes;
    RSD_TRY_DONE(rsd_packed_add(out, "codes", "U8", rsd_bits_bytes(n, book->bits), &codes));
    if (params->double_quant) {
        RSD_TRY_DONE(rsd_array_alloc(blocks, 1, sizeof *owned, &owned));
        absmax = owned;
    } else {
        RSD_TRY_DONE(rsd_packed_add(out, "absmax", "F32", blocks, &absmax));
    }
    RSD_TRY_DONE(scratch_alloc(block, &s));
    for (size_t b = 0; b < blocks; b++) {
        const size_t count = b + 1 < blocks ? block : n - b * block;
        const float *x = rsd_flat_get(W, b * block, count, s.x);
        absmax[b] = encode_block(&a, book, x, count, count == block, s,
                                 codes + b * (block / 8 * (size_t)book->bits));
    }
    if (params->double_quant)
        RSD_TRY_DONE(rsd_double_quant_pack(absmax, blocks, out));
done:
    free(owned);
    free(s.x);
    return err;
}

/* The levels of one block.  Four-bit codes lie pairwise the other way round in their bytes. */
static void decode_block(const rsd_codebook *book, const uint8_t *in, size_t count, float absmax,
                         uint8_t *codes, float *x)
{
    const size_t flip = book->bits == 4;
    rsd_bits_unpack(in, flip ? count + count % 2 : count, book->bits, codes);
    for (size_t i = 0; i < count; i++)
        x[i] = book->value[codes[i ^ flip]] * absmax;
}

int rsd_codebook_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const rsd_codebook_params *params = rsd_spec_params(spec);
    const rsd_codebook *book = book_of(spec);
    const size_t n = Wq.m * Wq.n, block = params->block, blocks = block_count(n, block);
    const uint8_t *codes = rsd_packed_get(in, "codes")->data;
    int err = RSD_OK;
    float *absmax = NULL;
    scratch s = { NULL, NULL };
    RSD_TRY_DONE(rsd_array_alloc(blocks, 1, sizeof *absmax, &absmax));
    if (params->double_quant)
        rsd_double_quant_unpack(in, absmax);
    else
        rsd_section_reals(rsd_packed_get(in, "absmax"), absmax);
    RSD_TRY_DONE(scratch_alloc(block, &s));
    for (size_t b = 0; b < blocks; b++) {
        const size_t count = b + 1 < blocks ? block : n - b * block;
        float *x = rsd_flat_place(Wq, b * block, count, s.x);
        decode_block(book, codes + b * (block / 8 * (size_t)book->bits), count, absmax[b], s.codes,
                     x);
        rsd_flat_put(Wq, b * block, count, x);
    }
done:
    free(absmax);
    free(s.x);
    return err;
}

/* ---- parameters ---- */

const rsd_codebook_params rsd_codebook_defaults = { .bits = 4, .block = 64 };

/* clang-format off */
const rsd_opt rsd_codebook_options[] = {
    { "block", 0, RSD_OPT_SIZE, offsetof(rsd_codebook_params, block), 8, 65536, "weights",
      "weights that share an absmax, a multiple of 8; blocks run over the flat tensor" },
    { "double", 0, RSD_OPT_FLAG, offsetof(rsd_codebook_params, double_quant), 0, 0, NULL,
      "store each absmax in 8 bits (double quantization)" },
    { 0 },
};
/* clang-format on */

bool rsd_codebook_idempotent(const rsd_spec *spec)
{
    const rsd_codebook_params *a = rsd_spec_params(spec);
    return !a->double_quant;
}

rsd_scale_runs rsd_codebook_scales(const rsd_spec *spec)
{
    const rsd_codebook_params *a = rsd_spec_params(spec);
    return (rsd_scale_runs){ .over = RSD_RUNS_FLAT, .length = a->block };
}

int rsd_codebook_settle(void *p)
{
    const size_t block = ((const rsd_codebook_params *)p)->block;
    return block % 8 ? RSD_FAIL(RSD_EUSAGE, "block=%zu is not a multiple of 8", block) : RSD_OK;
}
