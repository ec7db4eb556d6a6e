/* Gradients of the transformer's layers against central differences, in double.
 *
 * A layer's loss is the sum of its outputs times fixed weights of high entropy; the gradient at
 * the outputs is those weights.  With h = 1e-5 the difference is right to about h^2 f''' + eps L/h,
 * 1e-9 for the sizes here. */
#include "test.h"

#include "par.h"
#include "transformer/activation.h"
#include "transformer/attention.h"
#include "transformer/embedding.h"
#include "transformer/linear.h"
#include "transformer/loss.h"
#include "transformer/norm.h"
#include "transformer/rotary.h"

static double *fill(size_t n, double seed)
{
    double *x = malloc((n + !n) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = sin(seed + 1.7 * (double)i) + 0.5 * cos(0.37 * (double)(i * i) + seed);
    return x;
}

static double *zeros(size_t n) { return calloc(n + !n, sizeof(double)); }

static double *copy(const double *x, size_t n)
{
    double *y = malloc((n + !n) * sizeof *y);
    memcpy(y, x, n * sizeof *y);
    return y;
}

static double weighted(const double *y, const double *w, size_t n)
{
    long double sum = 0; /* its rounding would be divided by h */
    for (size_t i = 0; i < n; i++)
        sum += (long double)y[i] * w[i];
    return (double)sum;
}

typedef double objective(void *context);

/* dx[i] against the difference quotient by x[i], at every step-th i. */
static void check_gradient(const char *name, objective *f, void *context, double *x,
                           const double *dx, size_t n, size_t step)
{
    const double h = 1e-5;
    for (size_t i = 0; i < n; i += step) {
        const double x0 = x[i];
        x[i] = x0 + h;
        const double up = f(context);
        x[i] = x0 - h;
        const double down = f(context);
        x[i] = x0;
        const double want = (up - down) / (2 * h);
        if (!(fabs(dx[i] - want) <= 2e-8 * (1 + fabs(want))))
            fail_msg("%s[%zu]: gradient %.15g, difference %.15g", name, i, dx[i], want);
    }
}

static rsd_matmul *products(void)
{
    rsd_matmul *mm;
    CHECK_OK(rsd_matmul_alloc(RSD_PRECISION_F32, &mm));
    return mm;
}

/* ---- linear ---- */

typedef struct {
    rsd_matmul *mm;
    size_t M, in, out;
    double *x, *W, *b, *y, *w;
} linear_case;

static rsd_linear layer(const linear_case *c)
{
    return (rsd_linear){ rsd_dense(c->W, c->out, c->in), c->b };
}

static double linear_loss(void *context)
{
    linear_case *c = context;
    const rsd_linear l = layer(c);
    CHECK_OK(rsd_linear_forward(c->mm, &l, rsd_dense(c->x, c->M, c->in), c->y, false));
    return weighted(c->y, c->w, c->M * c->out);
}

static void test_linear(void **state)
{
    (void)state;
    const size_t shapes[][3] = { { 5, 7, 3 }, { 1, 1, 1 }, { 4, 130, 2 }, { 3, 2, 131 } };
    for (size_t s = 0; s < 4; s++) {
        const size_t M = shapes[s][0], in = shapes[s][1], out = shapes[s][2];
        linear_case c = { products(),
                          M,
                          in,
                          out,
                          fill(M * in, .1),
                          fill(out * in, .2),
                          fill(out, .3),
                          zeros(M * out),
                          fill(M * out, .4) };
        const rsd_linear l = layer(&c);
        const rsd_factor x = rsd_dense(c.x, M, in), dy = rsd_dense(c.w, M, out);
        double *dx = fill(M * in, 9), *dW = zeros(out * in), *db = zeros(out);
        CHECK_OK(rsd_linear_backward(c.mm, &l, dy, dx, false));
        CHECK_OK(rsd_linear_backward_weight(c.mm, dy, x, dW, db));
        check_gradient("dx", linear_loss, &c, c.x, dx, M * in, 1);
        check_gradient("dW", linear_loss, &c, c.W, dW, out * in, 1);
        check_gradient("db", linear_loss, &c, c.b, db, out, 1);
        /* twice as much after accumulating once more; frozen weights are left out */
        double *once = copy(dx, M * in);
        CHECK_OK(rsd_linear_backward(c.mm, &l, dy, dx, true));
        CHECK_OK(rsd_linear_backward_weight(c.mm, dy, x, dW, NULL));
        CHECK_OK(rsd_linear_backward_weight(c.mm, dy, x, NULL, db));
        for (size_t i = 0; i < M * in; i++)
            CHECK_CLOSE(dx[i], 2 * once[i], 1e-12 * (1 + fabs(once[i])));
        for (size_t i = 0; i < out * in; i++)
            dW[i] /= 2;
        for (size_t i = 0; i < out; i++)
            db[i] /= 2;
        check_gradient("dW", linear_loss, &c, c.W, dW, out * in, 1);
        check_gradient("db", linear_loss, &c, c.b, db, out, 1);
        free(once), free(dx), free(dW), free(db);
        free(c.x), free(c.W), free(c.b), free(c.y), free(c.w);
        rsd_matmul_free(c.mm);
    }
}

/* ---- norms ---- */

typedef struct {
    bool rms;
    size_t M, C;
    double *x, *w, *b, *y, *mean, *rstd, *weights;
} norm_case;

static rsd_norm norm_of(const norm_case *c) { return (rsd_norm){ c->C, c->w, c->b, 1e-5 }; }

static double norm_loss(void *context)
{
    norm_case *c = context;
    const rsd_norm n = norm_of(c);
    if (c->rms)
        rsd_rmsnorm_forward(&n, c->x, c->M, c->y, c->rstd);
    else
        rsd_layernorm_forward(&n, c->x, c->M, c->y, c->mean, c->rstd);
    return weighted(c->y, c->weights, c->M * c->C);
}

static void check_norm(bool rms, bool bias, size_t M, size_t C)
{
    norm_case c = {
        rms,          M,        C,        fill(M * C, .1), fill(C, .2), bias ? fill(C, .3) : NULL,
        zeros(M * C), zeros(M), zeros(M), fill(M * C, .4),
    };
    const rsd_norm n = norm_of(&c);
    double *dx = zeros(M * C), *dw = zeros(C), *db = zeros(C);
    norm_loss(&c);
    for (size_t i = 0; i < M * C; i++)
        dx[i] = 1; /* to be accumulated to */
    if (rms)
        rsd_rmsnorm_backward(&n, c.weights, c.x, c.rstd, M, dx, dw);
    else
        rsd_layernorm_backward(&n, c.weights, c.x, c.mean, c.rstd, M, dx, dw, bias ? db : NULL);
    for (size_t i = 0; i < M * C; i++)
        dx[i] -= 1;
    check_gradient("dx", norm_loss, &c, c.x, dx, M * C, 1);
    check_gradient("dw", norm_loss, &c, c.w, dw, C, 1);
    if (bias)
        check_gradient("db", norm_loss, &c, c.b, db, C, 1);
    double *frozen = zeros(M * C); /* the same dx without weight gradients */
    norm_loss(&c);
    if (rms)
        rsd_rmsnorm_backward(&n, c.weights, c.x, c.rstd, M, frozen, NULL);
    else
        rsd_layernorm_backward(&n, c.weights, c.x, c.mean, c.rstd, M, frozen, NULL, NULL);
    for (size_t i = 0; i < M * C; i++)
        CHECK_CLOSE(frozen[i], dx[i], 1e-14 * (1 + fabs(dx[i])));
    free(frozen), free(dx), free(dw), free(db);
    free(c.x), free(c.w), free(c.b), free(c.y), free(c.mean), free(c.rstd), free(c.weights);
}

static void test_norms(void **state)
{
    (void)state;
    check_norm(false, true, 3, 7);
    check_norm(false, false, 2, 150);
    check_norm(false, true, 1, 2);
    check_norm(true, false, 3, 7);
    check_norm(true, false, 2, 150);
    check_norm(true, false, 1, 1);
}

/* ---- rotary ---- */

enum { RB = 2, RT = 3, RH = 2, RD = 10, RDIMS = 6, RSTART = 4 };

typedef struct {
    rsd_rotary *r;
    double *x, *y, *w;
} rotary_case;

static double rotary_loss(void *context)
{
    rotary_case *c = context;
    const size_t n = (size_t)RB * RT * RH * RD;
    memcpy(c->y, c->x, n * sizeof *c->y);
    rsd_rotary_forward(c->r, (rsd_heads){ c->y, RH * RD, RD }, RB, RT, RH, RSTART);
    return weighted(c->y, c->w, n);
}

static void test_rotary(void **state)
{
    (void)state;
    const size_t n = (size_t)RB * RT * RH * RD;
    const rsd_rotary_spec spec = { .dims = RDIMS, .context = RSTART + RT, .theta = 100 };
    rotary_case c = { NULL, fill(n, .1), zeros(n), fill(n, .2) };
    CHECK_OK(rsd_rotary_alloc(&spec, &c.r));
    double *dx = copy(c.w, n);
    rsd_rotary_backward(c.r, (rsd_heads){ dx, RH * RD, RD }, RB, RT, RH, RSTART);
    check_gradient("dx", rotary_loss, &c, c.x, dx, n, 1);
    /* forward then backward is the identity; the channels beyond dims never move */
    rotary_loss(&c);
    for (size_t i = 0; i < n; i++)
        if (i % RD >= RDIMS)
            CHECK_CLOSE(c.y[i], c.x[i], 0);
    rsd_rotary_backward(c.r, (rsd_heads){ c.y, RH * RD, RD }, RB, RT, RH, RSTART);
    for (size_t i = 0; i < n; i++)
        CHECK_CLOSE(c.y[i], c.x[i], 1e-15 * 4);
    rsd_rotary_free(c.r);
    free(dx), free(c.x), free(c.y), free(c.w);
}

/* ---- attention ---- */

typedef enum { SEPARATE, FUSED, INTERLEAVED } layout;

typedef struct {
    rsd_attention a;
    size_t n; /* numbers in qkv */
    double *qkv, *o, *lse, *w;
    rsd_heads q, k, v, oh; /* views of them */
    void *work;
} attention_case;

static void place(const rsd_attention *a, layout where, double *x, rsd_heads *q, rsd_heads *k,
                  rsd_heads *v)
{
    const size_t M = a->B * a->T, Q = a->H * a->D, K = a->KV * a->D;
    switch (where) {
    case SEPARATE:
        *q = (rsd_heads){ x, Q, a->D };
        *k = (rsd_heads){ x + M * Q, K, a->D };
        *v = (rsd_heads){ x + M * (Q + K), K, a->D };
        break;
    case FUSED:
        *q = (rsd_heads){ x, Q + 2 * K, a->D };
        *k = (rsd_heads){ x + Q, Q + 2 * K, a->D };
        *v = (rsd_heads){ x + Q + K, Q + 2 * K, a->D };
        break;
    case INTERLEAVED:
        *q = (rsd_heads){ x, 3 * Q, 3 * a->D };
        *k = (rsd_heads){ x + a->D, 3 * Q, 3 * a->D };
        *v = (rsd_heads){ x + 2 * a->D, 3 * Q, 3 * a->D };
        break;
    }
}

static double attention_loss(void *context)
{
    attention_case *c = context;
    CHECK_OK(rsd_attention_forward(&c->a, c->q, c->k, c->v, c->oh, c->lse, c->work));
    return weighted(c->o, c->w, c->a.B * c->a.T * c->a.H * c->a.D);
}

static void check_attention(rsd_attention a, layout where, size_t step)
{
    const size_t M = a.B * a.T, Q = a.H * a.D;
    attention_case c = { .a = a, .n = M * (Q + 2 * a.KV * a.D) };
    c.qkv = fill(c.n, .1);
    c.o = zeros(M * Q);
    c.lse = zeros(M * a.H);
    c.w = fill(M * Q, .2);
    c.oh = (rsd_heads){ c.o, Q, a.D };
    c.work = aligned_alloc(64, (rsd_attention_work(&a) + 63) / 64 * 64);
    place(&a, where, c.qkv, &c.q, &c.k, &c.v);
    double *d = fill(c.n, 5); /* what was there is overwritten */
    attention_loss(&c);
    rsd_attention_gradient g = { .q = c.q, .k = c.k, .v = c.v, .o = c.oh, .lse = c.lse };
    g.d_o = (rsd_heads){ c.w, Q, a.D };
    place(&a, where, d, &g.dq, &g.dk, &g.dv);
    CHECK_OK(rsd_attention_backward(&a, &g, c.work));
    check_gradient("dqkv", attention_loss, &c, c.qkv, d, c.n, step);
    free(d), free(c.qkv), free(c.o), free(c.lse), free(c.w), free(c.work);
}

static void test_attention(void **state)
{
    (void)state;
    check_attention((rsd_attention){ 2, 1, 1, 1, 3, 0.6, 0 }, SEPARATE, 1);
    check_attention((rsd_attention){ 2, 5, 2, 2, 3, 0.6, 0 }, FUSED, 1);
    check_attention((rsd_attention){ 1, 5, 2, 2, 3, 1, 0 }, INTERLEAVED, 1);
    check_attention((rsd_attention){ 2, 7, 6, 2, 2, 0.7, 3 }, FUSED, 1);
    check_attention((rsd_attention){ 1, 6, 4, 1, 1, 1, 1 }, SEPARATE, 1); /* itself alone */
    check_attention((rsd_attention){ 1, 66, 2, 1, 4, 0.5, 0 }, SEPARATE, 37);
    check_attention((rsd_attention){ 1, 131, 2, 1, 4, 0.5, 20 }, FUSED, 97);
    check_attention((rsd_attention){ 1, 600, 1, 1, 4, 0.5, 0 }, SEPARATE, 397);
    check_attention((rsd_attention){ 1, 700, 1, 1, 4, 0.5, 530 }, SEPARATE, 397);
}

/* ---- activations ---- */

typedef struct {
    rsd_activation f;
    bool gated;
    size_t n;
    double *x, *up, *y, *w;
} activation_case;

static double activation_loss(void *context)
{
    activation_case *c = context;
    if (c->gated)
        rsd_gated_forward(c->f, c->x, c->up, c->y, c->n);
    else
        rsd_activation_forward(c->f, c->x, c->y, c->n);
    return weighted(c->y, c->w, c->n);
}

static void test_activations(void **state)
{
    (void)state;
    const size_t n = 1100; /* more than two chunks */
    for (int f = RSD_RELU; f <= RSD_SILU; f++) {
        activation_case c = { (rsd_activation)f, false,    n,          fill(n, .1),
                              fill(n, .2),       zeros(n), fill(n, .3) };
        double *dx = copy(c.w, n), *dup = zeros(n);
        for (size_t i = 0; i < n; i++)
            c.x[i] *= i % 3 == 0 ? 4 : 1; /* the tails too */
        rsd_activation_backward(c.f, dx, c.x, dx, n);
        check_gradient("dx", activation_loss, &c, c.x, dx, n, 3);
        c.gated = true;
        memcpy(dx, c.w, n * sizeof *dx);
        rsd_gated_backward(c.f, dx, c.x, c.up, dx, dup, n);
        check_gradient("dgate", activation_loss, &c, c.x, dx, n, 3);
        check_gradient("dup", activation_loss, &c, c.up, dup, n, 3);
        /* in place of gate and up */
        double *gate = copy(c.x, n), *up = copy(c.up, n);
        rsd_gated_backward(c.f, c.w, gate, up, gate, up, n);
        for (size_t i = 0; i < n; i++) {
            CHECK_CLOSE(gate[i], dx[i], 0);
            CHECK_CLOSE(up[i], dup[i], 0);
        }
        free(gate), free(up), free(dx), free(dup), free(c.x), free(c.up), free(c.y), free(c.w);
    }
}

/* ---- embedding ---- */

enum { EV = 5, EC = 70, EP = 6, EB = 2, ET = 3, ESTART = 2 };
static const int32_t etoken[EB * ET] = { 3, 0, 3, 4, 3, 0 }; /* 1 and 2 never, 3 thrice */

typedef struct {
    rsd_embedding e;
    double *E, *P, *y, *w;
} embedding_case;

static double embedding_loss(void *context)
{
    embedding_case *c = context;
    CHECK_OK(rsd_embedding_forward(&c->e, etoken, EB, ET, ESTART, c->y));
    return weighted(c->y, c->w, EB * ET * EC);
}

static void test_embedding(void **state)
{
    (void)state;
    embedding_case c = { .E = fill(EV * EC, .1),
                         .P = fill(EP * EC, .2),
                         .y = zeros(EB * ET * EC),
                         .w = fill(EB * ET * EC, .3) };
    double *dE = zeros(EV * EC), *dP = zeros(EP * EC);
    c.e = (rsd_embedding){ EV, EC, c.E, c.P, EP };
    rsd_embedding_backward(&c.e, etoken, EB, ET, ESTART, c.w, dE, NULL);
    rsd_embedding_backward(&c.e, etoken, EB, ET, ESTART, c.w, NULL, dP);
    check_gradient("dE", embedding_loss, &c, c.E, dE, EV * EC, 1);
    check_gradient("dP", embedding_loss, &c, c.P, dP, EP * EC, 1);
    free(dE), free(dP), free(c.E), free(c.P), free(c.y), free(c.w);
}

/* ---- loss ---- */

enum { LM = 6, LC = 4, LV = 600, LCT = 3 };
static const int32_t ltarget[LM] = { 3, -1, 0, 599, 598, 3 };

typedef struct {
    rsd_matmul *mm;
    rsd_loss l;
    double *h, *W, *ht, *Wt, loss[LM], kl[LM];
    void *work;
} loss_case;

static double total_loss(void *context)
{
    loss_case *c = context;
    rsd_loss l = c->l;
    double sum = 0;
    l.dh = l.dW = NULL;
    l.rng = NULL; /* drawn targets stay what they were */
    CHECK_OK(rsd_loss_run(c->mm, &l, c->work));
    for (size_t m = 0; m < LM; m++)
        sum += l.ce_weight * c->loss[m] + l.kl_weight * c->kl[m];
    return sum;
}

static void check_loss(bool target, bool teacher, bool drawn, double ce, double kl)
{
    loss_case c = { .mm = products(),
                    .h = fill(LM * LC, .1),
                    .W = fill(LV * LC, .2),
                    .ht = fill(LM * LCT, .3),
                    .Wt = fill(LV * LCT, .4) };
    double *dh = fill(LM * LC, 7), *dW = zeros(LV * LC);
    int32_t labels[LM];
    c.l = (rsd_loss){ .M = LM,
                      .model = { c.h, rsd_dense(c.W, LV, LC) },
                      .target = target ? ltarget : NULL,
                      .ce_weight = ce,
                      .kl_weight = kl,
                      .loss = c.loss,
                      .kl = c.kl,
                      .dh = dh,
                      .dW = dW,
                      .drawn = labels };
    if (teacher)
        c.l.teacher = (rsd_head){ c.ht, rsd_dense(c.Wt, LV, LCT) };
    if (drawn)
        CHECK_OK(rsd_rng_alloc(1, "labels", &c.l.rng));
    c.work = aligned_alloc(64, (rsd_loss_work(&c.l) + 63) / 64 * 64);
    CHECK_OK(rsd_loss_run(c.mm, &c.l, c.work));
    rsd_rng_free(c.l.rng);
    if (drawn)
        c.l.target = labels;
    check_gradient("dh", total_loss, &c, c.h, dh, LM * LC, 1);
    check_gradient("dW", total_loss, &c, c.W, dW, LV * LC, 7);
    free(dh), free(dW), free(c.h), free(c.W), free(c.ht), free(c.Wt), free(c.work);
    rsd_matmul_free(c.mm);
}

static void test_loss(void **state)
{
    (void)state;
    check_loss(true, false, false, 0.3, 0);
    check_loss(false, true, false, 0, 0.7);
    check_loss(true, true, false, 0.3, 0.7);
    check_loss(true, true, false, 1, 0); /* kl is reported, not trained on */
    check_loss(true, false, true, 1, 0); /* row 1 still counts nowhere */
    check_loss(false, true, true, 1, 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),      cmocka_unit_test(test_norms),
        cmocka_unit_test(test_rotary),      cmocka_unit_test(test_attention),
        cmocka_unit_test(test_activations), cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_loss),
    };
    rsd_par_init(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
