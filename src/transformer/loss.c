/* Rows of logits are made CHUNK_BYTES at a time: enough rows for an efficient product, few enough
 * for the passes over them not to leave the cache by far.  Making them twice, in vocabulary tiles
 * with a running sum, would save this memory and cost half of the forward product again. */
#include "transformer/loss.h"

#include "par.h"
#include "transformer/vector.h"

#include <assert.h>
#include <stdbool.h>

enum { CHUNK_BYTES = 48 << 20, LEAST_ROWS = 16, BLOCK = 512 };

size_t rsd_loss_rows(const rsd_loss *l)
{
    const size_t row = l->model.W.rows * sizeof(rsd_real);
    size_t rows = CHUNK_BYTES / (row ? row : 1) / LEAST_ROWS * LEAST_ROWS;
    rows = rows < LEAST_ROWS ? LEAST_ROWS : rows;
    if (rows >= l->M)
        return l->M;
    const size_t chunks = (l->M + rows - 1) / rows; /* all nearly equal: one compiled shape */
    return ((l->M + chunks - 1) / chunks + LEAST_ROWS - 1) / LEAST_ROWS * LEAST_ROWS;
}

static size_t doubles(size_t rows) { return (rows + 7) / 8 * 8; } /* keeps what follows aligned */

size_t rsd_loss_work(const rsd_loss *l)
{
    const size_t rows = rsd_loss_rows(l), row = l->model.W.rows * sizeof(rsd_real);
    return doubles(rows) * sizeof(double) + (rows * row + 63) / 64 * 64 +
           (l->teacher.h ? rows * row : 0);
}

/* ---- one row of V logits; sums in float over a block, in double over blocks ---- */

RSD_WIDEST static rsd_real row_top(const rsd_real *z, size_t V) { return vector_top(z, V, z[0]); }

RSD_WIDEST static rsd_real block_sum(const rsd_real *z, size_t n, rsd_real top)
{
    rsd_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t v = 0; v < n; v++)
        sum += vector_exp(z[v] - top);
    return sum;
}

static size_t block(size_t first, size_t V) { return V - first < BLOCK ? V - first : BLOCK; }

static double row_log_sum(const rsd_real *z, size_t V, rsd_real top)
{
    double sum = 0;
    for (size_t first = 0; first < V; first += BLOCK)
        sum += (double)block_sum(z + first, block(first, V), top);
    return (double)top + log(sum);
}

/* The word at which the running sum of probabilities passes u. */
static size_t row_draw(const rsd_real *z, size_t V, double log_sum, double u)
{
    double sum = 0;
    size_t first = 0;
    for (; first + BLOCK < V; first += BLOCK) {
        const double next = sum + (double)block_sum(z + first, BLOCK, (rsd_real)log_sum);
        if (next > u)
            break;
        sum = next;
    }
    for (size_t v = first; v + 1 < V; v++) {
        sum += (double)vector_exp(z[v] - (rsd_real)log_sum);
        if (sum > u)
            return v;
    }
    return V - 1;
}

RSD_WIDEST static rsd_real block_kl(const rsd_real *zt, const rsd_real *z, size_t n,
                                    rsd_real log_sum_t)
{
    rsd_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t v = 0; v < n; v++)
        sum += vector_exp(zt[v] - log_sum_t) * (zt[v] - z[v]);
    return sum;
}

static double row_kl(const rsd_real *zt, const rsd_real *z, size_t V, double log_sum_t,
                     double log_sum)
{
    double sum = 0;
    for (size_t first = 0; first < V; first += BLOCK)
        sum += (double)block_kl(zt + first, z + first, block(first, V), (rsd_real)log_sum_t);
    return sum - (log_sum_t - log_sum);
}

static bool same_top(const rsd_real *a, rsd_real top_a, const rsd_real *b, rsd_real top_b, size_t V)
{
    for (size_t v = 0; v < V; v++)
        if (a[v] == top_a || b[v] == top_b)
            return a[v] == top_a && b[v] == top_b;
    return false; /* NaN */
}

/* z becomes weight p - weight_t pt. */
RSD_WIDEST static void logit_gradient(rsd_real *restrict z, const rsd_real *restrict zt, size_t V,
                                      rsd_real log_sum, rsd_real log_sum_t, rsd_real weight,
                                      rsd_real weight_t)
{
    if (zt && weight_t != 0) {
        for (size_t v = 0; v < V; v++)
            z[v] = weight * vector_exp(z[v] - log_sum) - weight_t * vector_exp(zt[v] - log_sum_t);
    } else {
        for (size_t v = 0; v < V; v++)
            z[v] = weight * vector_exp(z[v] - log_sum);
    }
}

/* ---- a chunk of rows ---- */

typedef struct {
    const rsd_loss *l;
    size_t first, rows, V;
    double *value;    /* rows: a uniform number for the draw, then what must be finite */
    rsd_real *z, *zt; /* rows x V; zt NULL: no teacher */
} chunk;

static bool counts(const rsd_loss *l, size_t m) { return !l->target || l->target[m] >= 0; }

static bool has_target(const rsd_loss *l) { return l->target || l->rng; }

static void skip_row(const chunk *c, size_t i)
{
    const rsd_loss *l = c->l;
    const size_t m = c->first + i;
    c->value[i] = 0;
    memset(c->z + i * c->V, 0, c->V * sizeof *c->z);
    if (l->loss)
        l->loss[m] = 0;
    if (l->kl)
        l->kl[m] = 0;
    if (l->agree)
        l->agree[m] = 0;
    if (l->drawn)
        l->drawn[m] = -1;
}

static void one_row(const chunk *c, size_t i)
{
    const rsd_loss *l = c->l;
    const size_t m = c->first + i, V = c->V;
    rsd_real *z = c->z + i * V, *zt = c->zt ? c->zt + i * V : NULL;
    const rsd_real top = row_top(z, V), top_t = zt ? row_top(zt, V) : 0;
    const double log_sum = row_log_sum(z, V, top);
    const double log_sum_t = zt ? row_log_sum(zt, V, top_t) : 0;
    size_t target = 0;
    if (has_target(l))
        target = l->rng ? row_draw(z, V, log_sum, c->value[i]) : (size_t)l->target[m];
    const double loss = has_target(l) ? log_sum - (double)z[target] : 0;
    const double kl = zt && (l->kl || l->kl_weight != 0) ? row_kl(zt, z, V, log_sum_t, log_sum) : 0;
    c->value[i] = loss + kl;
    if (l->loss)
        l->loss[m] = loss;
    if (l->kl)
        l->kl[m] = kl;
    if (l->agree)
        l->agree[m] = zt && same_top(z, top, zt, top_t, V);
    if (l->drawn)
        l->drawn[m] = (int32_t)target;
    if (!l->dh && !l->dW)
        return;
    const double ce = has_target(l) ? l->ce_weight : 0, kd = zt ? l->kl_weight : 0;
    logit_gradient(z, zt, V, (rsd_real)log_sum, (rsd_real)log_sum_t, (rsd_real)(ce + kd),
                   (rsd_real)kd);
    if (has_target(l))
        z[target] -= (rsd_real)ce;
}

static int logits(rsd_matmul *mm, const rsd_head *head, size_t first, size_t rows, rsd_real *z)
{
    const size_t C = head->W.cols;
    return rsd_matmul_run(mm, &(rsd_product){ .A = rsd_dense(head->h + first * C, rows, C),
                                              .B = rsd_transpose(head->W),
                                              .alpha = 1,
                                              .C = z,
                                              .ldc = head->W.rows });
}

static int gradients(rsd_matmul *mm, const chunk *c)
{
    const rsd_loss *l = c->l;
    const size_t C = l->model.W.cols;
    const rsd_factor dz = rsd_dense(c->z, c->rows, c->V);
    if (l->dh)
        RSD_TRY(rsd_matmul_run(
            mm, &(rsd_product){
                    .A = dz, .B = l->model.W, .alpha = 1, .C = l->dh + c->first * C, .ldc = C }));
    if (l->dW)
        RSD_TRY(rsd_matmul_run(
            mm, &(rsd_product){ .A = rsd_transpose(dz),
                                .B = rsd_dense(l->model.h + c->first * C, c->rows, C),
                                .alpha = 1,
                                .beta = 1,
                                .C = l->dW,
                                .ldc = C }));
    return RSD_OK;
}

static int run_chunk(rsd_matmul *mm, const chunk *c)
{
    const rsd_loss *l = c->l;
    RSD_TRY(logits(mm, &l->model, c->first, c->rows, c->z));
    if (c->zt)
        RSD_TRY(logits(mm, &l->teacher, c->first, c->rows, c->zt));
    for (size_t i = 0; i < c->rows && l->rng; i++) /* in the rows' order, whatever the chunks */
        c->value[i] = counts(l, c->first + i) ? rsd_rng_uniform(l->rng) : 0;
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < c->rows; i++) {
        if (counts(l, c->first + i))
            one_row(c, i);
        else
            skip_row(c, i);
    }
    for (size_t i = 0; i < c->rows; i++)
        if (!isfinite(c->value[i]))
            return RSD_FAIL(RSD_EDOM, "loss of row %zu is %g", c->first + i, c->value[i]);
    return gradients(mm, c);
}

static int check(const rsd_loss *l)
{
    const size_t V = l->model.W.rows;
    if (l->teacher.h && l->teacher.W.rows != V)
        return RSD_FAIL(RSD_EARG, "loss: vocabularies of %zu and %zu words", V, l->teacher.W.rows);
    for (size_t m = 0; m < l->M && l->target; m++)
        if (l->target[m] >= 0 && (size_t)l->target[m] >= V)
            return RSD_FAIL(RSD_EDOM, "target %zu is %ld, outside the vocabulary of %zu", m,
                            (long)l->target[m], V);
    return RSD_OK;
}

int rsd_loss_run(rsd_matmul *mm, const rsd_loss *l, void *work)
{
    const size_t most = rsd_loss_rows(l), V = l->model.W.rows;
    assert(l->target || l->rng || l->teacher.h);
    RSD_TRY(check(l));
    chunk c = { .l = l, .V = V, .value = work };
    c.z = (rsd_real *)(void *)(c.value + doubles(most));
    if (l->teacher.h)
        c.zt = (rsd_real *)(void *)((char *)c.z + (most * V * sizeof(rsd_real) + 63) / 64 * 64);
    for (; c.first < l->M; c.first += c.rows) {
        c.rows = l->M - c.first < most ? l->M - c.first : most;
        RSD_TRY(run_chunk(mm, &c));
    }
    return RSD_OK;
}
