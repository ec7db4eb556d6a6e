/* A tile is ROWS queries by COLS keys: its scores and their gradient stay in the second cache.
 * Each thread takes whole (window, head, query block) tasks forward; backward a task is a (window,
 * key head), for all its queries add to the same dk and dv: no two threads write the same memory
 * and the sums have one order, so the bits do not depend on the number of threads. */
#include "transformer/attention.h"

#include "par.h"
#include "transformer/matmul.h"
#include "transformer/vector.h"

#include <float.h>
#include <omp.h>
#include <stdbool.h>

/* LINE: the distance of a tile's rows; no power of two, which would put all in few cache sets. */
enum { ROWS = 64, COLS = 256, LINE = COLS + 16 };

/* One thread's work memory. */
typedef struct {
    rsd_real *score, *dscore;    /* ROWS x LINE */
    rsd_real *top, *sum, *delta; /* ROWS */
} tile;

static size_t tile_reals(void) { return 2 * (size_t)ROWS * LINE + 3 * ROWS; }

size_t rsd_attention_work(const rsd_attention *a)
{
    (void)a;
    return (size_t)rsd_par_inner() * tile_reals() * sizeof(rsd_real);
}

static tile my_tile(void *work)
{
    rsd_real *x = (rsd_real *)work + (size_t)omp_get_thread_num() * tile_reals();
    rsd_real *rows = x + 2 * (size_t)ROWS * LINE;
    return (tile){ x, x + (size_t)ROWS * LINE, rows, rows + ROWS, rows + 2 * ROWS };
}

int rsd_attention_check(const rsd_attention *a)
{
    if (!a->H || !a->KV || !a->D || a->H % a->KV)
        return RSD_FAIL(RSD_EARG, "attention: %zu heads of %zu channels on %zu key heads", a->H,
                        a->D, a->KV);
    if (!(a->scale > 0) || isinf(a->scale))
        return RSD_FAIL(RSD_EARG, "attention: scale %g", a->scale);
    return RSD_OK;
}

/* ---- a tile: queries first .. first+rows-1, keys from .. from+cols-1 ---- */

typedef struct {
    size_t first, rows, from, cols;
} range;

static size_t lesser(size_t a, size_t b) { return a < b ? a : b; }

/* First key that any query from i on sees. */
static size_t first_key(const rsd_attention *a, size_t i)
{
    return a->window && i + 1 > a->window ? i + 1 - a->window : 0;
}

/* Keys of the tile that its row sees: columns *lo .. *hi-1, maybe none. */
static void visible(const rsd_attention *a, const range *r, size_t row, size_t *lo, size_t *hi)
{
    const size_t i = r->first + row, start = first_key(a, i);
    *hi = i + 1 > r->from ? lesser(i + 1 - r->from, r->cols) : 0;
    *lo = start > r->from ? lesser(start - r->from, *hi) : 0;
}

/* Row m, head h. */
static rsd_real *at(rsd_heads x, size_t m, size_t h) { return x.x + m * x.row + h * x.head; }

RSD_WIDEST static rsd_real largest(const rsd_real *s, size_t n, rsd_real top)
{
    return vector_top(s, n, top);
}

/* s = exp(s - top); the sum. */
RSD_WIDEST static rsd_real exponentials(rsd_real *s, size_t n, rsd_real top)
{
    rsd_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < n; j++) {
        s[j] = vector_exp(s[j] - top);
        sum += s[j];
    }
    return sum;
}

RSD_WIDEST static void multiply_row(rsd_real *x, size_t n, rsd_real factor)
{
    for (size_t j = 0; j < n; j++)
        x[j] *= factor;
}

RSD_WIDEST static rsd_real dot(const rsd_real *a, const rsd_real *b, size_t n)
{
    rsd_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void clear(rsd_real *s, size_t lo, size_t hi, size_t cols)
{
    memset(s, 0, lo * sizeof *s);
    memset(s + hi, 0, (cols - hi) * sizeof *s);
}

static bool scores(const rsd_attention *a, const range *r, const rsd_real *q, size_t q_row,
                   const rsd_real *k, size_t k_row, tile t)
{
    return rsd_tile(false, true, r->rows, r->cols, a->D, (rsd_real)a->scale, q, q_row, k, k_row, 0,
                    t.score, LINE);
}

/* ---- forward ---- */

/* Scores become exponentials relative to each row's largest so far; what o and sum hold from the
 * tiles before is brought to the same reference. */
static void absorb(const rsd_attention *a, const range *r, tile t, rsd_real *o, size_t o_row)
{
    for (size_t i = 0; i < r->rows; i++) {
        rsd_real *s = t.score + i * LINE;
        size_t lo, hi;
        visible(a, r, i, &lo, &hi);
        clear(s, lo, hi, r->cols);
        if (lo == hi)
            continue;
        const rsd_real top = largest(s + lo, hi - lo, t.top[i]);
        if (t.sum[i] > 0 && top > t.top[i]) {
            const rsd_real factor = vector_exp(t.top[i] - top);
            t.sum[i] *= factor;
            multiply_row(o + i * o_row, a->D, factor);
        }
        t.top[i] = top;
        t.sum[i] += exponentials(s + lo, hi - lo, top);
    }
}

static bool forward_block(const rsd_attention *a, rsd_heads q, rsd_heads k, rsd_heads v,
                          rsd_heads o, rsd_real *lse, size_t b, size_t h, size_t first, tile t)
{
    const size_t kv = h / (a->H / a->KV), base = b * a->T;
    range r = { .first = first, .rows = lesser(ROWS, a->T - first) };
    rsd_real *out = at(o, base + first, h);
    bool ok = true;
    for (size_t i = 0; i < r.rows; i++) {
        t.top[i] = sizeof(rsd_real) == sizeof(float) ? -FLT_MAX : (rsd_real)-DBL_MAX;
        t.sum[i] = 0;
        memset(out + i * o.row, 0, a->D * sizeof *out);
    }
    for (r.from = first_key(a, first); r.from < first + r.rows && ok; r.from += COLS) {
        r.cols = lesser(COLS, first + r.rows - r.from);
        ok = scores(a, &r, at(q, base + first, h), q.row, at(k, base + r.from, kv), k.row, t);
        absorb(a, &r, t, out, o.row);
        ok = ok && rsd_tile(false, false, r.rows, a->D, r.cols, 1, t.score, LINE,
                            at(v, base + r.from, kv), v.row, 1, out, o.row);
    }
    for (size_t i = 0; i < r.rows; i++) {
        multiply_row(out + i * o.row, a->D, 1 / t.sum[i]);
        if (lse)
            lse[(b * a->H + h) * a->T + first + i] = t.top[i] + (rsd_real)log((double)t.sum[i]);
    }
    return ok;
}

int rsd_attention_forward(const rsd_attention *a, rsd_heads q, rsd_heads k, rsd_heads v,
                          rsd_heads o, rsd_real *lse, void *work)
{
    const size_t blocks = (a->T + ROWS - 1) / ROWS;
    bool ok = true;
#pragma omp parallel for schedule(dynamic, 1) num_threads(rsd_par_inner()) reduction(&& : ok)
    for (size_t task = 0; task < a->B * a->H * blocks; task++) {
        const size_t head = task / blocks, block = blocks - 1 - task % blocks; /* longest first */
        ok = forward_block(a, q, k, v, o, lse, head / a->H, head % a->H, block * ROWS,
                           my_tile(work)) &&
             ok;
    }
    return ok ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "attention: tile of %d x %d", ROWS, COLS);
}

/* ---- backward ---- */

/* p = exp(s - lse), then ds = p (dp - delta) scale, delta_i = do_i . o_i = sum_j p_ij dp_ij. */
RSD_WIDEST static void score_row_gradient(rsd_real *restrict p, rsd_real *restrict ds, size_t n,
                                          rsd_real lse, rsd_real delta, rsd_real scale)
{
    for (size_t j = 0; j < n; j++) {
        p[j] = vector_exp(p[j] - lse);
        ds[j] = p[j] * (ds[j] - delta) * scale;
    }
}

static void score_gradient(const rsd_attention *a, const range *r, tile t, const rsd_real *lse)
{
    for (size_t i = 0; i < r->rows; i++) {
        rsd_real *p = t.score + i * LINE, *ds = t.dscore + i * LINE;
        size_t lo, hi;
        visible(a, r, i, &lo, &hi);
        clear(p, lo, hi, r->cols);
        clear(ds, lo, hi, r->cols);
        score_row_gradient(p + lo, ds + lo, hi - lo, lse[r->first + i], t.delta[i],
                           (rsd_real)a->scale);
    }
}

static bool backward_tile(const rsd_attention *a, const rsd_attention_gradient *g, const range *r,
                          size_t b, size_t h, tile t)
{
    const size_t kv = h / (a->H / a->KV), i = b * a->T + r->first, j = b * a->T + r->from;
    const size_t rows = r->rows, cols = r->cols, D = a->D;
    bool ok = scores(a, r, at(g->q, i, h), g->q.row, at(g->k, j, kv), g->k.row, t);
    ok = ok && rsd_tile(false, true, rows, cols, D, 1, at(g->d_o, i, h), g->d_o.row,
                        at(g->v, j, kv), g->v.row, 0, t.dscore, LINE);
    score_gradient(a, r, t, g->lse + (b * a->H + h) * a->T);
    ok = ok && rsd_tile(true, false, cols, D, rows, 1, t.score, LINE, at(g->d_o, i, h), g->d_o.row,
                        1, at(g->dv, j, kv), g->dv.row);
    ok = ok && rsd_tile(true, false, cols, D, rows, 1, t.dscore, LINE, at(g->q, i, h), g->q.row, 1,
                        at(g->dk, j, kv), g->dk.row);
    return ok && rsd_tile(false, false, rows, D, cols, 1, t.dscore, LINE, at(g->k, j, kv), g->k.row,
                          1, at(g->dq, i, h), g->dq.row);
}

static bool backward_block(const rsd_attention *a, const rsd_attention_gradient *g, size_t b,
                           size_t h, size_t first, tile t)
{
    range r = { .first = first, .rows = lesser(ROWS, a->T - first) };
    bool ok = true;
    for (size_t i = 0; i < r.rows; i++) {
        const size_t m = b * a->T + first + i;
        t.delta[i] = dot(at(g->d_o, m, h), at(g->o, m, h), a->D);
        memset(at(g->dq, m, h), 0, a->D * sizeof(rsd_real));
    }
    for (r.from = first_key(a, first); r.from < first + r.rows && ok; r.from += COLS) {
        r.cols = lesser(COLS, first + r.rows - r.from);
        ok = backward_tile(a, g, &r, b, h, t);
    }
    return ok;
}

int rsd_attention_backward(const rsd_attention *a, const rsd_attention_gradient *g, void *work)
{
    const size_t group = a->H / a->KV;
    bool ok = true;
#pragma omp parallel for schedule(dynamic, 1) num_threads(rsd_par_inner()) reduction(&& : ok)
    for (size_t task = 0; task < a->B * a->KV; task++) {
        const size_t b = task / a->KV, kv = task % a->KV;
        for (size_t t = 0; t < a->T; t++) {
            memset(at(g->dk, b * a->T + t, kv), 0, a->D * sizeof(rsd_real));
            memset(at(g->dv, b * a->T + t, kv), 0, a->D * sizeof(rsd_real));
        }
        for (size_t h = kv * group; h < (kv + 1) * group; h++)
            for (size_t first = 0; first < a->T; first += ROWS)
                ok = backward_block(a, g, b, h, first, my_tile(work)) && ok;
    }
    return ok ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "attention: tile of %d x %d", ROWS, COLS);
}
