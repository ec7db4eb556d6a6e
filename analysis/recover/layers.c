/* What a trained correction looks like: its spectrum, and what its subspaces share with those of
 * its start, of the residual and of the weight. */
#include "recover/layers.h"
#include "alloc.h"
#include "cli/stop.h"
#include "linalg/product.h"
#include "linalg/spectrum.h"
#include "linalg/subspace.h"
#include "mat.h"
#include "recover/sweep.h"
#include "spectra/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* C = B A of an adapter with all its scales inside B, and A over every input. */
typedef struct {
    rsd_mat B, A;
} factors;

static void factors_free(factors *f)
{
    rsd_mat_free(&f->B);
    rsd_mat_free(&f->A);
}

/* The triplets that are left; scaled: s and lambda in B, else the bare factors of a start. */
static int take_factors(const rsd_adapter *a, bool scaled, factors *out)
{
    size_t rank = 0;
    *out = (factors){ 0 };
    for (size_t k = 0; k < a->rank; k++)
        rank += !scaled || !a->lambda || a->lambda[k] != 0;
    RSD_TRY(rsd_mat_alloc(a->m, rank, &out->B));
    RSD_TRY(rsd_mat_alloc(rank, a->n, &out->A));
    for (size_t k = 0, to = 0; k < a->rank; k++) {
        if (scaled && a->lambda && a->lambda[k] == 0)
            continue;
        const float s = scaled ? a->scale * (a->lambda ? a->lambda[k] : 1) : 1;
        for (size_t i = 0; i < a->m; i++)
            out->B.x[i * out->B.ld + to] = s * a->B[i * a->rank + k];
        for (size_t j = 0; j < a->n; j++)
            out->A.x[to * out->A.ld + j] = a->A[k * (a->n / a->pool) + j / a->pool];
        to++;
    }
    return RSD_OK;
}

static bool is_zero(rsd_mat A) { return !(rsd_mat_sumsq(A) > 0); }

/* An orthonormal basis of the span of X's rows: the right vectors of I X. */
static int row_basis(rsd_mat X, double *v)
{
    rsd_mat I;
    double *s = NULL, *u = NULL;
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(X.m, X.m, &I));
    memset(I.x, 0, X.m * X.m * sizeof *I.x);
    for (size_t k = 0; k < X.m; k++)
        I.x[k * I.ld + k] = 1;
    RSD_TRY_DONE(rsd_array_alloc(X.m, 1, sizeof *s, &s));
    RSD_TRY_DONE(rsd_array_alloc(X.m, X.m, sizeof *u, &u));
    err = rsd_product_svd(I, X, s, u, v);
done:
    free(u);
    free(s);
    rsd_mat_free(&I);
    return err;
}

static int column_basis(rsd_mat X, double *u)
{
    rsd_mat T;
    RSD_TRY(rsd_mat_alloc(X.n, X.m, &T));
    for (size_t i = 0; i < X.m; i++)
        for (size_t k = 0; k < X.n; k++)
            T.x[k * T.ld + i] = X.x[i * X.ld + k];
    const int err = row_basis(T, u);
    rsd_mat_free(&T);
    return err;
}

/* Overlap of span(u[i][d]) and span(v[j][d]). */
static int overlap(const double *u, size_t i, const double *v, size_t j, size_t d, double *out)
{
    double *cosines;
    RSD_TRY(rsd_array_alloc(i < j ? i : j, 1, sizeof *cosines, &cosines));
    const int err = rsd_principal_cosines(u, i, v, j, d, cosines);
    if (!err)
        *out = rsd_overlap(cosines, i, j);
    free(cosines);
    return err;
}

/* With the top of M, as many directions as the correction has. */
static int overlap_top(const measured_layer *l, rsd_mat M, double *left, double *right)
{
    rsd_spectrum top;
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    opts.top = opts.vectors = l->rank;
    if (is_zero(M))
        return RSD_OK;
    int err = rsd_spectrum_compute(M, &opts, &top);
    if (!err)
        err = overlap(l->u, l->rank, top.u, l->rank, M.m, left);
    if (!err)
        err = overlap(l->v, l->rank, top.v, l->rank, M.n, right);
    rsd_spectrum_free(&top);
    return err;
}

int measured_overlap(const measured_layer *l, rsd_mat B, rsd_mat A, double *left, double *right)
{
    double *u = NULL, *v = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(B.n, B.m, sizeof *u, &u));
    RSD_TRY_DONE(rsd_array_alloc(A.m, A.n, sizeof *v, &v));
    if (!is_zero(B)) {
        RSD_TRY_DONE(column_basis(B, u));
        RSD_TRY_DONE(overlap(l->u, l->rank, u, B.n, B.m, left));
    }
    if (!is_zero(A)) {
        RSD_TRY_DONE(row_basis(A, v));
        err = overlap(l->v, l->rank, v, A.m, A.n, right);
    }
done:
    free(u);
    free(v);
    return err;
}

/* The factors of the start: their spans are known also where the other factor is 0. */
static int overlap_start(measured_layer *l, const rsd_adapter *start)
{
    factors f;
    int err = take_factors(start, false, &f);
    if (!err)
        err =
            measured_overlap(l, f.B, f.A, &l->row.overlap_start_left, &l->row.overlap_start_right);
    factors_free(&f);
    return err;
}

static int spectrum_of_start(const rsd_adapter *start, measured_layer *l)
{
    factors f;
    double *u = NULL, *v = NULL;
    int err = take_factors(start, true, &f);
    l->start_rank = f.A.m;
    if (err || !l->start_rank || is_zero(f.A) || is_zero(f.B)) {
        l->start_rank = 0;
        l->row.start_norm = 0;
        goto done;
    }
    RSD_TRY_DONE(rsd_array_alloc(l->start_rank, 1, sizeof *l->start, &l->start));
    RSD_TRY_DONE(rsd_array_alloc(l->start_rank, f.B.m, sizeof *u, &u));
    RSD_TRY_DONE(rsd_array_alloc(l->start_rank, f.A.n, sizeof *v, &v));
    RSD_TRY_DONE(rsd_product_svd(f.B, f.A, l->start, u, v));
    double sum = 0;
    for (size_t k = 0; k < l->start_rank; k++)
        sum += l->start[k] * l->start[k];
    l->row.start_norm = sqrt(sum);
done:
    free(u);
    free(v);
    factors_free(&f);
    return err;
}

static void summarize(measured_layer *l)
{
    double squares = 0;
    for (size_t k = 0; k < l->rank; k++)
        squares += l->s[k] * l->s[k];
    l->row.norm = sqrt(squares);
    l->row.largest = l->s[0];
    l->row.stable_rank = squares / (l->s[0] * l->s[0]);
    l->row.effective_rank = rsd_effective_rank(l->s, l->rank);
}

static int spectrum_of_trained(const rsd_adapter *a, measured_layer *l)
{
    factors f;
    int err = take_factors(a, true, &f);
    l->rank = f.A.m;
    if (err || !l->rank || is_zero(f.A) || is_zero(f.B)) {
        l->rank = 0; /* nothing was added */
        l->row.norm = 0;
        goto done;
    }
    RSD_TRY_DONE(rsd_array_alloc(l->rank, 1, sizeof *l->s, &l->s));
    RSD_TRY_DONE(rsd_array_alloc(l->rank, f.B.m, sizeof *l->u, &l->u));
    RSD_TRY_DONE(rsd_array_alloc(l->rank, f.A.n, sizeof *l->v, &l->v));
    RSD_TRY_DONE(rsd_product_svd(f.B, f.A, l->s, l->u, l->v));
    summarize(l);
    l->row.random_left = rsd_overlap_random(l->rank, l->rank, f.B.m);
    l->row.random_right = rsd_overlap_random(l->rank, l->rank, f.A.n);
done:
    factors_free(&f);
    return err;
}

/* W, R = W - W_q and C - C of the start, all of the layer's shape. */
static int compare_matrices(const student *s, size_t layer, rsd_slot slot, measured_layer *l)
{
    const rsd_tensor *t = s->weights->block[layer].tensor[slot];
    const rsd_adapter *a = &s->adapters.layer[layer][slot], *start = &s->start.layer[layer][slot];
    rsd_mat W = { 0 }, X = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(a->m, a->n, &W));
    RSD_TRY_DONE(rsd_mat_alloc(a->m, a->n, &X));
    RSD_TRY_DONE(rsd_adapter_delta(a, W));
    RSD_TRY_DONE(rsd_adapter_delta(start, X));
    rsd_mat_sub(W, X, X);
    l->row.change = sqrt(rsd_mat_sumsq(X));
    RSD_TRY_DONE(rsd_model_read(s->sweep->model, t, W));
    RSD_TRY_DONE(student_base(s, layer, slot, X));
    rsd_mat_sub(W, X, X);
    const double norm = rsd_mat_sumsq(W);
    l->row.weight_error = norm > 0 ? sqrt(rsd_mat_sumsq(X) / norm) : NAN;
    if (l->rank == 0)
        goto done;
    RSD_TRY_DONE(overlap_top(l, W, &l->row.overlap_W_left, &l->row.overlap_W_right));
    RSD_TRY_DONE(overlap_top(l, X, &l->row.overlap_R_left, &l->row.overlap_R_right));
    RSD_TRY_DONE(overlap_start(l, start));
    err = recover_overlap_data(s->sweep, t, X, l);
done:
    rsd_mat_free(&W);
    rsd_mat_free(&X);
    return err;
}

static int measure_layer(const student *s, size_t layer, rsd_slot slot, measured_layer *l)
{
    const rsd_tensor *t = s->weights->block[layer].tensor[slot];
    *l = (measured_layer){ .row = recovery_no_layer };
    RSD_TRY(rsd_copy_text(s->run->name, &l->row.run));
    RSD_TRY(rsd_copy_text(s->sweep->name, &l->row.model));
    RSD_TRY(rsd_copy_text(t->name, &l->row.tensor));
    RSD_TRY(rsd_copy_text(t->role.role, &l->row.role));
    l->row.layer = (int64_t)layer;
    l->row.rows = (int64_t)t->rows;
    l->row.cols = (int64_t)t->cols;
    l->row.rank = (int64_t)student_rank(s, layer, slot);
    if (s->move)
        l->row.displacement = s->rate * s->move[layer][slot];
    RSD_TRY(spectrum_of_trained(&s->adapters.layer[layer][slot], l));
    RSD_TRY(spectrum_of_start(&s->start.layer[layer][slot], l));
    return compare_matrices(s, layer, slot, l);
}

int recover_measure(const student *s, measured_layers *out)
{
    const size_t layers = s->weights->shape.layers;
    *out = (measured_layers){ 0 };
    RSD_TRY(rsd_array_alloc(layers * RSD_LINEARS, 1, sizeof *out->item, &out->item));
    for (size_t b = 0; b < layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++) {
            if (stop_requested())
                return RSD_FAIL(RSD_ESTOPPED, "stopped before the spectra of block %zu", b);
            if (s->adapters.layer[b][slot].rank)
                RSD_TRY(measure_layer(s, b, slot, &out->item[out->count++]));
        }
    return RSD_OK;
}

void measured_layers_free(measured_layers *l)
{
    for (size_t i = 0; i < l->count; i++) {
        rows_free_texts(&recovery_layers_schema, &l->item[i].row);
        free(l->item[i].s);
        free(l->item[i].start);
        free(l->item[i].u);
        free(l->item[i].v);
    }
    free(l->item);
    *l = (measured_layers){ 0 };
}
