/* Palettes: groups of rows share 2^bits values, which are the centres of a k-means clustering of
 * their weights.  With calibration, column j counts with E[x_j^2], so that it is the diagonal part
 * of the output's error that is least; one that the data never reached, as a typical one does.
 * Sections: codes U8, `bits` each, rows starting at a byte; palette F16, BF16 or F32
 * [groups][2^bits], ascending. */
#include "quantizers/blocks.h"
#include "quantizers/cluster.h"
#include "quantizers/codebook.h"
#include "quantizers/importance.h"
#include "quantizers/quantizer.h"

#include <stdlib.h>

typedef struct {
    size_t bits, group;
    int store;
} params;

enum { STORE_FP16, STORE_F32 };
static const size_t group_row = RSD_WORD(0), group_tensor = RSD_WORD(1);

static const params defaults = { .bits = 4, .group = 16 };

/* clang-format off */
static const rsd_opt options[] = {
    { "bits", 0, RSD_OPT_SIZE, offsetof(params, bits), 2, 4, "bits", "bits per code" },
    { "group", 0, RSD_OPT_SIZE, offsetof(params, group), 1, 1 << 24, "row|tensor",
      "rows that share a palette, or one row, or all of the tensor's" },
    { "store", 0, RSD_OPT_CHOICE, offsetof(params, store), 0, 0, "fp16|f32",
      "how palettes are stored; fp16 becomes bf16 where weights are too small or large for it" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "kmeans4", "bits=4" },
    { "kmeans3", "bits=3" },
    { "kmeans2", "bits=2" },
    { 0 },
};

static int settle(void *p)
{
    params *a = p;
    a->group = a->group == group_row ? 1 : a->group;
    return RSD_OK;
}

static size_t rows_of(const params *a, size_t m)
{
    return a->group == group_tensor || a->group > m ? m : a->group;
}

static size_t count_groups(const params *a, size_t m)
{
    const size_t rows = rows_of(a, m);
    return m / rows + (m % rows != 0);
}

typedef struct {
    rsd_weighted *points, *scratch;
    double *sums;
} workspace;

static int workspace_alloc(size_t n, workspace *s)
{
    *s = (workspace){ 0 };
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *s->points, &s->points));
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *s->scratch, &s->scratch));
    return rsd_array_alloc(n + 1, 2, sizeof *s->sums, &s->sums);
}

static void workspace_free(workspace *s)
{
    free(s->points);
    free(s->scratch);
    free(s->sums);
}

/* The palette of the rows of W, which are one group.  Weights are relative to their largest. */
static void find_palette(rsd_mat W, const double *square, size_t k, workspace *s, float *palette)
{
    double largest = 0, centre[RSD_CLUSTERS_MAX];
    for (size_t j = 0; square && j < W.n; j++)
        largest = square[j] > largest ? square[j] : largest;
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++)
            s->points[i * W.n + j] = (rsd_weighted){ W.x[i * W.ld + j] + 0.0f,
                                                     square ? (float)(square[j] / largest) : 1 };
    rsd_weighted_sort(s->points, W.m * W.n, s->scratch);
    rsd_cluster(s->points, W.m * W.n, k, s->sums, centre);
    for (size_t c = 0; c < k; c++)
        palette[c] = rsd_finite((float)centre[c]);
}

static rsd_mat group_of(const params *a, rsd_mat W, size_t g)
{
    const size_t rows = rows_of(a, W.m), first = g * rows;
    return (rsd_mat){ W.x + first * W.ld, W.m - first < rows ? W.m - first : rows, W.n, W.ld };
}

/* The least of the groups' largest magnitudes, with a margin for the palette's other values. */
static float least_of(const float *palette, size_t groups, size_t k)
{
    float least = 1;
    for (size_t g = 0; g < groups; g++) {
        const float largest = rsd_absmax(palette + g * k, k) / 64;
        least = largest > 0 && largest < least ? largest : least;
    }
    return least;
}

static void encode_row(const float *x, size_t n, const float *palette, size_t k, uint8_t *codes)
{
    float bound[RSD_CLUSTERS_MAX];
    for (size_t c = 0; c + 1 < k; c++)
        bound[c] = palette[c] / 2 + palette[c + 1] / 2;
    rsd_nearest(x, n, bound, k, codes);
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    const params *a = rsd_spec_params(spec);
    const size_t k = (size_t)1 << a->bits, groups = count_groups(a, W.m);
    const size_t row_bytes = rsd_bits_bytes(W.n, (int)a->bits), rows = rows_of(a, W.m);
    int err = RSD_OK;
    double *square = NULL;
    float *palette = NULL;
    uint8_t *row = NULL, *codes;
    workspace s = { 0 };
    if (c && c->square) {
        RSD_TRY_DONE(rsd_array_alloc(W.n, 1, sizeof *square, &square));
        RSD_TRY_DONE(rsd_importance_fill(c->square, W.n, W.n, square, NULL));
    }
    RSD_TRY_DONE(rsd_packed_add(out, "codes", "U8", W.m * row_bytes, &codes));
    RSD_TRY_DONE(rsd_array_alloc(groups, k, sizeof *palette, &palette));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, 1, &row));
    RSD_TRY_DONE(workspace_alloc(rows * W.n, &s));
    for (size_t g = 0; g < groups; g++)
        find_palette(group_of(a, W, g), square, k, &s, palette + g * k);
    const float least = least_of(palette, groups, k);
    RSD_TRY_DONE(
        rsd_packed_add_reals(out, "palette", palette, groups * k, a->store == STORE_FP16, least));
    for (size_t i = 0; i < W.m; i++) {
        encode_row(W.x + i * W.ld, W.n, palette + i / rows * k, k, row);
        rsd_bits_pack(row, W.n, (int)a->bits, codes + i * row_bytes);
    }
done:
    workspace_free(&s);
    free(row);
    free(palette);
    free(square);
    return err;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    const size_t k = (size_t)1 << a->bits, rows = rows_of(a, Wq.m);
    const size_t row_bytes = rsd_bits_bytes(Wq.n, (int)a->bits);
    const uint8_t *codes = rsd_packed_get(in, "codes")->data;
    int err = RSD_OK;
    float *palette = NULL;
    uint8_t *row = NULL;
    RSD_TRY_DONE(rsd_array_alloc(count_groups(a, Wq.m), k, sizeof *palette, &palette));
    RSD_TRY_DONE(rsd_array_alloc(Wq.n, 1, 1, &row));
    rsd_section_reals(rsd_packed_get(in, "palette"), palette);
    for (size_t i = 0; i < Wq.m; i++) {
        rsd_bits_unpack(codes + i * row_bytes, Wq.n, (int)a->bits, row);
        for (size_t j = 0; j < Wq.n; j++)
            Wq.x[i * Wq.ld + j] = palette[i / rows * k + row[j]];
    }
done:
    free(row);
    free(palette);
    return err;
}

/* Idempotent: a group with no more values than its palette has places gets them. */
const rsd_quantizer rsd_quantizer_kmeans = {
    .name = "kmeans",
    .summary = "palettes: rows share 2^bits values, the centres of their weights' clusters",
    .reference = "Lloyd, 1982; as palettes: Apple Intelligence Foundation Models, arXiv 2407.21075",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .calibration = RSD_CALIBRATION_TAKES,
    .idempotent = rsd_idempotent_always,
    .settle = settle,
    .pack = pack,
    .unpack = unpack,
};
