/* Adapters in the program's own precisions: packed bases bit for bit, bfloat16 near float32, young
 * adapters that rounding must not swallow, threads. */
#include "adapters_data.h"
#include "par.h"

enum { ROWS = 48, OUT = 40, IN = 72, RANK = 5 };

/* ---- one layer, called as a block calls it ---- */

typedef struct {
    rsd_weights w;
    rsd_block_weights block;
    rsd_adapters adapters, grad;
    rsd_base base;
    rsd_matmul *mm;
    rsd_adapted *adapted;
    rsd_mat W;
    rsd_half *W_half;
    float x[ROWS * IN], dy[ROWS * OUT], bias[OUT];
    rsd_half x_half[ROWS * IN], dy_half[ROWS * OUT];
    bool half;
} layer;

/* Squares, so that neighbours are unrelated: sums of a plain wave cancel, leaving roundings. */
static void fill(float *x, size_t n, double size, double phase)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(size * wave(i * i % 4093, phase));
}

/* size: of the adapter's factors. */
static void open_layer(rsd_variant v, rsd_precision precision, double size, bool trains, layer *l)
{
    rsd_adapter_plan plan[1][RSD_LINEARS] = { 0 };
    plan[0][RSD_O] = (rsd_adapter_plan){ RANK, v == RSD_QALORA ? 4 : 1, 2 };
    memset(l, 0, sizeof *l);
    CHECK_OK(rsd_mat_alloc(OUT, IN, &l->W));
    fill(l->W.x, OUT * IN, 0.1, 0);
    fill(l->x, ROWS * IN, 1, 2);
    fill(l->dy, ROWS * OUT, 1, 3);
    fill(l->bias, OUT, 1, 4);
    l->w.shape.layers = 1;
    l->w.block = &l->block;
    l->block.linear[RSD_O] = (rsd_linear){ rsd_dense(l->W.x, OUT, IN), l->bias };
    CHECK_OK(rsd_matmul_alloc(precision, &l->mm));
    CHECK_OK(rsd_matmul_prepare(l->mm, &l->block.linear[RSD_O].W, &l->W_half));
    CHECK_OK(alloc_adapters(&l->w, v, plan, &l->adapters));
    CHECK_OK(rsd_adapters_like(&l->adapters, &l->grad));
    rsd_adapter *a = &l->adapters.layer[0][RSD_O];
    fill(a->A, RANK * IN / a->pool, size, 5);
    fill(a->B, OUT * RANK, size, 6);
    if (a->lambda)
        fill(a->lambda, RANK, 1, 7);
    for (size_t i = 0; a->magnitude && i < OUT; i++)
        a->magnitude[i] = 0.5f + 0.01f * (float)i;
    l->half = rsd_matmul_precision(l->mm) == RSD_PRECISION_BF16;
    rsd_half_round(l->x, IN, ROWS, IN, l->x_half);
    rsd_half_round(l->dy, OUT, ROWS, OUT, l->dy_half);
    const rsd_adapted_options o = {
        .weights = &l->w, .adapters = &l->adapters, .grad = trains ? &l->grad : NULL, .rows = ROWS
    };
    CHECK_OK(rsd_adapted_alloc(&o, l->mm, &l->adapted));
}

static void close_layer(layer *l)
{
    rsd_adapted_free(l->adapted);
    rsd_adapters_free(&l->grad);
    rsd_adapters_free(&l->adapters);
    rsd_base_free(&l->base);
    free(l->W_half);
    rsd_mat_free(&l->W);
    rsd_matmul_free(l->mm);
}

static rsd_factor factor(const layer *l, const float *x, const rsd_half *half, size_t cols)
{
    rsd_factor f = rsd_dense(x, ROWS, cols);
    f.half = l->half ? half : NULL;
    return f;
}

static void run_layer(layer *l, float *y, float *dx, bool accumulate)
{
    const rsd_linear_hook *h = rsd_adapted_hook(l->adapted);
    const rsd_factor x = factor(l, l->x, l->x_half, IN);
    CHECK_OK(h->forward(h->context, l->mm, 0, RSD_O, x, y, accumulate));
    const rsd_factor none = { .rows = ROWS, .cols = IN }; /* what a hook that does not train gets */
    CHECK_OK(h->backward(h->context, l->mm, 0, RSD_O, factor(l, l->dy, l->dy_half, OUT),
                         h->trains ? x : none, dx, accumulate));
}

static double distance(const float *x, const float *y, size_t n)
{
    double d = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        norm += (double)y[i] * (double)y[i];
    }
    assert_true(norm > 0);
    return sqrt(d / norm);
}

static float y[2][ROWS * OUT], dx[2][ROWS * IN];

/* Products of numbers rounded to 2^-9 of themselves, rounded again between the factors: relative
 * errors of a few 2^-9 that mostly cancel. */
static void bf16_is_near_f32(void **state)
{
    (void)state;
    for (rsd_variant v = 0; v < RSD_VARIANTS; v++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            layer l[2];
            for (int k = 0; k < 2; k++) {
                open_layer(v, k ? RSD_PRECISION_BF16 : RSD_PRECISION_F32, 0.3, true, &l[k]);
                fill(y[k], ROWS * OUT, 0.5, 8);
                fill(dx[k], ROWS * IN, 0.5, 9);
                run_layer(&l[k], y[k], dx[k], accumulate);
            }
            const double near = 4 * 0x1p-9;
            CHECK_CLOSE(distance(y[1], y[0], ROWS * OUT), 0, near);
            CHECK_CLOSE(distance(dx[1], dx[0], ROWS * IN), 0, near);
            const rsd_adapter *g = &l[0].grad.layer[0][RSD_O], *h = &l[1].grad.layer[0][RSD_O];
            CHECK_CLOSE(distance(h->A, g->A, RANK * IN / g->pool), 0, near);
            CHECK_CLOSE(distance(h->B, g->B, OUT * RANK), 0, near);
            if (g->lambda)
                CHECK_CLOSE(distance(h->lambda, g->lambda, RANK), 0, near);
            if (g->magnitude)
                CHECK_CLOSE(distance(h->magnitude, g->magnitude, OUT), 0, near);
            assert_true(distance(y[1], y[0], ROWS * OUT) > 0); /* it was bfloat16 */
            close_layer(&l[0]);
            close_layer(&l[1]);
        }
}

/* An adapter of 1e-3 of W's size, below W's bfloat16 grid, still shows: y with it less y without it
 * is s B A x to bfloat16's relative error and float32's absolute one. */
static void young_adapters_are_not_rounded_away(void **state)
{
    (void)state;
    for (int precision = RSD_PRECISION_F32; precision <= RSD_PRECISION_BF16; precision++) {
        layer l, without;
        double error = 0, norm = 0;
        open_layer(RSD_LORA, (rsd_precision)precision, 3e-3, false, &l);
        open_layer(RSD_LORA, (rsd_precision)precision, 0, false, &without);
        run_layer(&l, y[0], dx[0], false);
        run_layer(&without, y[1], dx[1], false);
        const rsd_adapter *a = &l.adapters.layer[0][RSD_O];
        for (size_t t = 0; t < ROWS; t++)
            for (size_t i = 0; i < OUT; i++) {
                double want = 0;
                for (size_t k = 0; k < RANK; k++)
                    for (size_t j = 0; j < IN; j++)
                        want += 2.0 * (double)a->B[i * RANK + k] * (double)a->A[k * IN + j] *
                                (double)l.x[t * IN + j];
                const double got = (double)y[0][t * OUT + i] - (double)y[1][t * OUT + i];
                error += (got - want) * (got - want);
                norm += want * want;
            }
        /* |y| < 4: its float32 grid is 2^-22 at most */
        CHECK_CLOSE(sqrt(error / norm), 0, 8 * 0x1p-9 + 0x1p-22 * sqrt(ROWS * OUT / norm));
        close_layer(&without);
        close_layer(&l);
    }
}

/* A factor that the optimiser changed is seen after refresh. */
static void refresh_rounds_anew(void **state)
{
    (void)state;
    for (rsd_variant v = 0; v < RSD_VARIANTS; v++) {
        layer changed, fresh;
        open_layer(v, RSD_PRECISION_BF16, 0.1, true, &changed);
        open_layer(v, RSD_PRECISION_BF16, 0.3, true, &fresh);
        memcpy(changed.adapters.memory, fresh.adapters.memory,
               fresh.adapters.count * sizeof(float));
        CHECK_OK(rsd_adapted_refresh(changed.adapted));
        run_layer(&changed, y[0], dx[0], false);
        run_layer(&fresh, y[1], dx[1], false);
        assert_memory_equal(y[0], y[1], sizeof y[0]);
        assert_memory_equal(dx[0], dx[1], sizeof dx[0]);
        assert_memory_equal(changed.grad.memory, fresh.grad.memory,
                            fresh.grad.count * sizeof(float));
        close_layer(&fresh);
        close_layer(&changed);
    }
}

/* Fewer rows than memory was made for: what lies behind them is neither read nor written. */
static void short_passes_are_whole(void **state)
{
    (void)state;
    for (rsd_variant v = 0; v < RSD_VARIANTS; v++)
        for (int precision = RSD_PRECISION_F32; precision <= RSD_PRECISION_BF16; precision++) {
            layer l;
            open_layer(v, (rsd_precision)precision, 0.3, true, &l);
            const rsd_linear_hook *h = rsd_adapted_hook(l.adapted);
            enum { FEW = 7 };
            for (int again = 0; again < 2; again++) {
                rsd_factor x = factor(&l, l.x, l.x_half, IN), d = factor(&l, l.dy, l.dy_half, OUT);
                if (again == 0)
                    run_layer(&l, y[0], dx[0], false); /* leaves numbers in all rows */
                memset(l.grad.memory, 0, l.grad.count * sizeof(float));
                fill(y[again], ROWS * OUT, 0, 0);
                x.rows = d.rows = FEW;
                CHECK_OK(h->forward(h->context, l.mm, 0, RSD_O, x, y[again], false));
                CHECK_OK(h->backward(h->context, l.mm, 0, RSD_O, d, x, dx[again], false));
                for (size_t i = FEW * OUT; i < ROWS * OUT; i++)
                    assert_true(y[again][i] == 0);
            }
            /* gradients of 7 rows: B's by hand */
            const rsd_adapter *a = &l.adapters.layer[0][RSD_O], *g = &l.grad.layer[0][RSD_O];
            double u = 0, c = 1;
            for (size_t t = 0; t < FEW; t++)
                for (size_t j = 0; j < IN; j++)
                    u +=
                        (double)l.dy[t * OUT] * (double)a->A[j / a->pool] * (double)l.x[t * IN + j];
            if (a->magnitude) {
                double norm = 0;
                for (size_t j = 0; j < IN; j++) {
                    double v0 = (double)l.W.x[j];
                    for (size_t k = 0; k < RANK; k++)
                        v0 += 2.0 * (double)a->B[k] * (double)a->A[k * IN + j];
                    norm += v0 * v0;
                }
                c = (double)a->magnitude[0] / sqrt(norm);
            }
            const double want = 2 * c * u * (a->lambda ? (double)a->lambda[0] : 1);
            CHECK_CLOSE(g->B[0], want, (precision ? 0x1p-6 : 0x1p-18) * (1 + fabs(want)));
            close_layer(&l);
        }
}

/* ---- whole models ---- */

static void packed_is_dense_bit_for_bit(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++)
        for (rsd_variant v = 0; v < RSD_VARIANTS; v++)
            for (int precision = RSD_PRECISION_F32; precision <= RSD_PRECISION_BF16; precision++) {
                tiny m[2];
                runner r[2];
                open_tiny(cases[c], false, &m[0]);
                open_tiny(cases[c], true, &m[1]);
                quantize_weights(m[0].w, "nf4:block=16", &m[1].base);
                for (int k = 0; k < 2; k++) {
                    add_adapters(&m[k], v, 0.4);
                    open_runner(&m[k], (rsd_precision)precision, RSD_KEEP_INPUTS, true, &r[k]);
                }
                assert_true(loss_of(&r[0], true, NULL) == loss_of(&r[1], true, NULL));
                assert_memory_equal(m[0].grad.memory, m[1].grad.memory,
                                    m[0].grad.count * sizeof(float));
                for (int k = 0; k < 2; k++) {
                    close_runner(&r[k]);
                    close_tiny(&m[k]);
                }
            }
}

/* Straight: the model is the one whose weights are the quantizer's answer, in bfloat16 too. */
static void straight_is_the_quantized_model(void **state)
{
    (void)state;
    for (int precision = RSD_PRECISION_F32; precision <= RSD_PRECISION_BF16; precision++) {
        tiny m, merged;
        runner r[2];
        open_tiny("gpt_neox", false, &m);
        open_tiny("gpt_neox", false, &merged);
        quantize_weights(m.w, "int3:group=8", &m.base);
        quantize_weights(merged.w, "int3:group=8", &merged.base);
        add_adapters(&m, RSD_LORA, 0.3);
        m.straight = true;
        for (size_t i = 0; i < m.w->shape.layers; i++)
            for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
                const rsd_adapter *a = &m.adapters.layer[i][s];
                const rsd_spec spec = m.base.layer[i][s].spec;
                rsd_mat W;
                rsd_packed packed;
                if (!a->rank)
                    continue;
                CHECK_OK(rsd_mat_alloc(a->m, a->n, &W));
                memcpy(W.x, m.w->block[i].linear[s].W.x, a->m * a->n * sizeof(float));
                CHECK_OK(rsd_adapter_merge(a, W));
                CHECK_OK(rsd_pack(&spec, W, NULL, &packed));
                rsd_base_put(&merged.base, i, s, &spec, &packed);
                rsd_mat_free(&W);
            }
        open_runner(&m, (rsd_precision)precision, RSD_KEEP_ALL, true, &r[0]);
        open_runner(&merged, (rsd_precision)precision, RSD_KEEP_ALL, false, &r[1]);
        assert_true(loss_of(&r[0], true, NULL) == loss_of(&r[1], true, NULL));
        assert_memory_equal(r[0].dh, r[1].dh, M * m.w->shape.width * sizeof(float));
        close_runner(&r[0]);
        close_runner(&r[1]);
        close_tiny(&m);
        close_tiny(&merged);
    }
}

/* Sums in another order at most: every number of a gradient to a few roundings of its largest. */
static void threads_change_roundings_at_most(void **state)
{
    (void)state;
    for (rsd_variant v = 0; v < RSD_VARIANTS; v++) {
        double loss[2];
        tiny m[2];
        for (int k = 0; k < 2; k++) {
            runner r;
            rsd_par_init(k ? 3 : 1);
            open_tiny("llama", false, &m[k]);
            add_adapters(&m[k], v, 0.4);
            open_runner(&m[k], RSD_PRECISION_F32, RSD_KEEP_ALL, true, &r);
            loss[k] = loss_of(&r, true, NULL);
            close_runner(&r);
        }
        CHECK_CLOSE(loss[1], loss[0], 16 * 0x1p-24 * loss[0]);
        CHECK_CLOSE(distance(m[1].grad.memory, m[0].grad.memory, m[0].grad.count), 0, 64 * 0x1p-24);
        close_tiny(&m[0]);
        close_tiny(&m[1]);
    }
    rsd_par_init(1);
}

int main(void)
{
    rsd_par_init(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_is_near_f32),
        cmocka_unit_test(young_adapters_are_not_rounded_away),
        cmocka_unit_test(refresh_rounds_anew),
        cmocka_unit_test(short_passes_are_whole),
        cmocka_unit_test(packed_is_dense_bit_for_bit),
        cmocka_unit_test(straight_is_the_quantized_model),
        cmocka_unit_test(threads_change_roundings_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
