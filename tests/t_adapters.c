/* Adapted layers in double: every gradient against central differences, every variant against its
 * formula written out, packed and requantized bases against the dense weights they stand for. */
#include "adapters_data.h"
#include "par.h"

/* What a layer with its adapter multiplies by, from adapter.h's formulas; out m x n. */
static void formula(const rsd_adapter *a, const rsd_real *W, double *out)
{
    const size_t m = a->m, n = a->n, r = a->rank, pool = a->pool;
    for (size_t i = 0; i < m; i++) {
        double norm = 0;
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < r; k++)
                sum += a->B[i * r + k] * (a->lambda ? a->lambda[k] : 1) *
                       a->A[k * (n / pool) + j / pool];
            out[i * n + j] = W[i * n + j] + a->scale * sum;
            norm += out[i * n + j] * out[i * n + j];
        }
        for (size_t j = 0; a->magnitude && j < n; j++)
            out[i * n + j] *= a->magnitude[i] / sqrt(norm);
    }
}

static double plain_loss(tiny *m, rsd_weights *w, const rsd_gradients *grad)
{
    tiny plain = *m;
    runner r;
    plain.w = w;
    plain.adapters = plain.grad = (rsd_adapters){ 0 };
    plain.base = (rsd_base){ 0 };
    open_runner(&plain, RSD_PRECISION_F32, RSD_KEEP_ALL, false, &r);
    CHECK_OK(rsd_transformer_hook(r.t, NULL));
    const double loss = loss_of(&r, grad != NULL, grad);
    close_runner(&r);
    return loss;
}

static void passes_are_their_formulas(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++)
        for (rsd_variant v = 0; v < RSD_VARIANTS; v++) {
            tiny m;
            runner r;
            rsd_weights *merged;
            open_tiny(cases[c], false, &m);
            add_adapters(&m, v, 0.4);
            CHECK_OK(rsd_weights_copy(m.w, &merged));
            for (size_t i = 0; i < m.adapters.layers; i++)
                for (rsd_slot s = 0; s < RSD_LINEARS; s++)
                    if (m.adapters.layer[i][s].rank) {
                        const rsd_real *W = m.w->block[i].linear[s].W.x;
                        formula(&m.adapters.layer[i][s], W, merged->memory + (W - m.w->memory));
                    }
            open_runner(&m, RSD_PRECISION_F32, RSD_KEEP_NOTHING, false, &r);
            const double loss = loss_of(&r, false, NULL), want = plain_loss(&m, merged, NULL);
            if (!(fabs(loss - want) <= 1e-13 * want)) /* some 100 roundings of 2^-53 */
                fail_msg("%s, %s: loss %.17g, of merged weights %.17g", cases[c],
                         rsd_variant_name(v), loss, want);
            assert_true(fabs(want - plain_loss(&m, m.w, NULL)) > 1e-3); /* the adapter matters */
            close_runner(&r);
            rsd_weights_free(merged);
            close_tiny(&m);
        }
}

/* One number moved by h and 2h both ways.  dora's norms stand still: they have no derivative. */
static void check_number(runner *r, const char *name, rsd_real *x, double gradient)
{
    static const double step[] = { -2, -1, 1, 2 }, weight[] = { 1, -8, 8, -1 };
    const double h = 1e-4, was = *x;
    const bool again = r->m->adapters.variant != RSD_DORA;
    double slope = 0;
    for (int k = 0; k < 4; k++) {
        *x = was + step[k] * h;
        if (again)
            CHECK_OK(rsd_adapted_refresh(r->adapted));
        slope += weight[k] * loss_of(r, false, NULL) / (12 * h);
    }
    *x = was;
    /* eps f / h is some 1e-11; h^4/30 of a fifth derivative of up to 1e7, where a norm divides
     * by small numbers */
    if (!(fabs(slope - gradient) <= 1e-10 + 1e-9 * fabs(gradient)))
        fail_msg("%s, %s: gradient %.12g, by differences %.12g", name,
                 rsd_variant_name(r->m->adapters.variant), gradient, slope);
}

/* Every parameter of every adapter, and (through dx) some of the token table and the norms. */
static void check_gradients(const char *name, rsd_variant v, rsd_keep keep)
{
    tiny m;
    runner r;
    rsd_gradients *grad;
    size_t seen = 0;
    open_tiny(name, false, &m);
    add_adapters(&m, v, 0.4);
    CHECK_OK(rsd_gradients_alloc(m.w, &grad));
    open_runner(&m, RSD_PRECISION_F32, keep, true, &r);
    loss_of(&r, true, grad);
    for (size_t i = 0; i < m.adapters.count; i += 1 + (i > 300)) {
        check_number(&r, name, &m.adapters.memory[i], m.grad.memory[i]);
        seen += m.grad.memory[i] != 0;
    }
    assert_true(seen > m.adapters.count / 4);
    rsd_real *E = m.w->memory + (m.w->embedding.E - m.w->memory);
    for (size_t i = 0; i < m.w->shape.vocab * m.w->shape.width; i += 11)
        check_number(&r, name, &E[i], grad->embedding.E[i]);
    for (size_t i = 0; i < m.w->shape.layers; i++) {
        rsd_real *w = m.w->memory + (m.w->block[i].norm2.w - m.w->memory);
        check_number(&r, name, &w[i], grad->block[i].norm2.w[i]);
    }
    close_runner(&r);
    rsd_gradients_free(grad);
    close_tiny(&m);
}

static void gradients_are_differences(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++)
        for (rsd_variant v = 0; v < RSD_VARIANTS; v++)
            check_gradients(cases[c], v, c % 2 ? RSD_KEEP_INPUTS : RSD_KEEP_ALL);
}

static void recomputing_changes_nothing(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++)
        for (rsd_variant v = 0; v < RSD_VARIANTS; v++) {
            tiny m;
            rsd_real *all = NULL;
            double loss[2];
            open_tiny(cases[c], false, &m);
            add_adapters(&m, v, 0.4);
            for (int inputs = 0; inputs < 2; inputs++) {
                const rsd_keep keep = inputs ? RSD_KEEP_INPUTS : RSD_KEEP_ALL;
                runner r;
                memset(m.grad.memory, 0, m.grad.count * sizeof *m.grad.memory);
                open_runner(&m, RSD_PRECISION_F32, keep, true, &r);
                loss[inputs] = loss_of(&r, true, NULL);
                close_runner(&r);
                if (inputs)
                    break;
                CHECK_OK(rsd_array_alloc(m.grad.count, 1, sizeof *all, &all));
                memcpy(all, m.grad.memory, m.grad.count * sizeof *all);
            }
            assert_true(loss[0] == loss[1]);
            assert_memory_equal(all, m.grad.memory, m.grad.count * sizeof *all);
            free(all);
            close_tiny(&m);
        }
}

/* Gradients accumulate, and frozen adapters answer as training ones do. */
static void passes_accumulate(void **state)
{
    (void)state;
    for (rsd_variant v = 0; v < RSD_VARIANTS; v++) {
        tiny m;
        runner r, frozen;
        rsd_real *once;
        open_tiny("llama", false, &m);
        add_adapters(&m, v, 0.4);
        open_runner(&m, RSD_PRECISION_F32, RSD_KEEP_ALL, true, &r);
        open_runner(&m, RSD_PRECISION_F32, RSD_KEEP_ALL, false, &frozen);
        CHECK_OK(rsd_array_alloc(m.grad.count, 1, sizeof *once, &once));
        const double loss = loss_of(&r, true, NULL);
        memcpy(once, m.grad.memory, m.grad.count * sizeof *once);
        assert_true(loss == loss_of(&r, true, NULL));
        for (size_t i = 0; i < m.grad.count; i++)
            CHECK_CLOSE(m.grad.memory[i], 2 * once[i], 1e-15);
        memcpy(once, m.grad.memory, m.grad.count * sizeof *once);
        assert_true(loss == loss_of(&frozen, true, NULL));
        assert_memory_equal(once, m.grad.memory, m.grad.count * sizeof *once);
        free(once);
        close_runner(&frozen);
        close_runner(&r);
        close_tiny(&m);
    }
}

/* ---- bases ---- */

static void packed_is_dense(void **state)
{
    (void)state;
    for (size_t c = 0; c < CASES; c++)
        for (int with = 0; with < 2; with++) {
            tiny dense, packed;
            runner r[2];
            open_tiny(cases[c], false, &dense);
            open_tiny(cases[c], true, &packed);
            quantize_weights(dense.w, "nf4:block=16", &packed.base);
            if (with) {
                add_adapters(&dense, RSD_DORA, 0.4);
                add_adapters(&packed, RSD_DORA, 0.4);
            }
            open_runner(&dense, RSD_PRECISION_F32, RSD_KEEP_INPUTS, with, &r[0]);
            open_runner(&packed, RSD_PRECISION_F32, RSD_KEEP_INPUTS, with, &r[1]);
            assert_true(loss_of(&r[0], true, NULL) == loss_of(&r[1], true, NULL));
            if (with)
                assert_memory_equal(dense.grad.memory, packed.grad.memory,
                                    dense.grad.count * sizeof *dense.grad.memory);
            assert_memory_equal(r[0].dh, r[1].dh, M * dense.w->shape.width * sizeof *r[0].dh);
            assert_true(rsd_adapted_bytes(r[1].adapted) > rsd_adapted_bytes(r[0].adapted));
            for (int k = 0; k < 2; k++)
                close_runner(&r[k]);
            close_tiny(&dense);
            close_tiny(&packed);
        }
}

static void bases_count_their_bytes(void **state)
{
    (void)state;
    tiny m;
    size_t bytes = 0;
    open_tiny("llama", false, &m);
    quantize_weights(m.w, "int8:group=row", &m.base);
    for (size_t i = 0; i < m.w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_factor *W = &m.w->block[i].linear[s].W;
            bytes += W->rows * (W->cols + 2);
        }
    assert_true(bytes > 0);
    assert_int_equal(rsd_base_bytes(&m.base), bytes);
    const size_t one = rsd_packed_bytes(&m.base.layer[0][RSD_DOWN].packed);
    const rsd_spec spec = m.base.layer[0][RSD_DOWN].spec;
    rsd_base_put(&m.base, 0, RSD_DOWN, &spec, &(rsd_packed){ 0 }); /* what was there is freed */
    assert_int_equal(rsd_base_bytes(&m.base), bytes - one);
    close_tiny(&m);
}

/* ---- straight-through ---- */

/* dA = s B' dW and dB = s dW A' of the quantized merged weight's own gradient dW. */
static void check_straight_layer(const rsd_adapter *a, const rsd_adapter *g, const rsd_real *dW)
{
    for (size_t k = 0; k < a->rank; k++)
        for (size_t j = 0; j < a->n; j++) {
            double want = 0;
            for (size_t i = 0; i < a->m; i++)
                want += a->scale * a->B[i * a->rank + k] * dW[i * a->n + j];
            CHECK_CLOSE(g->A[k * a->n + j], want, 1e-14);
        }
    for (size_t i = 0; i < a->m; i++)
        for (size_t k = 0; k < a->rank; k++) {
            double want = 0;
            for (size_t j = 0; j < a->n; j++)
                want += a->scale * dW[i * a->n + j] * a->A[k * a->n + j];
            CHECK_CLOSE(g->B[i * a->rank + k], want, 1e-14);
        }
}

static void straight_trains_through_the_grid(void **state)
{
    (void)state;
    for (int frame = 0; frame < 2; frame++) {
        tiny m, dense;
        runner r;
        rsd_gradients *grad;
        rsd_base unused;
        open_tiny("llama", frame, &m);
        open_tiny("llama", false, &dense);
        quantize_weights(dense.w, "int3:group=8", frame ? &m.base : &unused);
        if (!frame) { /* a dense base that knows its quantizers */
            memcpy(m.w->memory, dense.w->memory, dense.w->count * sizeof *m.w->memory);
            m.base = unused;
            for (size_t i = 0; i < m.w->shape.layers; i++)
                for (rsd_slot s = 0; s < RSD_LINEARS; s++)
                    rsd_packed_free(&m.base.layer[i][s].packed);
        }
        add_adapters(&m, RSD_LORA, 0.3);
        m.straight = true;
        open_runner(&m, RSD_PRECISION_F32, RSD_KEEP_INPUTS, true, &r);
        m.adapters.layer[0][RSD_O].B[0] += 0.25;
        CHECK_OK(rsd_adapted_refresh(r.adapted)); /* weights follow the adapter */
        for (size_t i = 0; i < m.w->shape.layers; i++)
            for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
                const rsd_adapter *a = &m.adapters.layer[i][s];
                const rsd_real *W_x = dense.w->block[i].linear[s].W.x;
                rsd_real *x = dense.w->memory + (W_x - dense.w->memory);
                rsd_quant_stats stats;
                rsd_mat W, Wq;
                if (!a->rank)
                    continue;
                CHECK_OK(rsd_mat_alloc(a->m, a->n, &W));
                CHECK_OK(rsd_mat_alloc(a->m, a->n, &Wq));
                for (size_t k = 0; k < a->m * a->n; k++)
                    W.x[k] = (float)x[k];
                CHECK_OK(rsd_adapter_merge(a, W));
                CHECK_OK(rsd_quantize(&m.base.layer[i][s].spec, W, NULL, Wq, &stats, NULL));
                for (size_t k = 0; k < a->m * a->n; k++)
                    x[k] = Wq.x[k];
                rsd_mat_free(&Wq);
                rsd_mat_free(&W);
            }
        CHECK_OK(rsd_gradients_alloc(dense.w, &grad));
        CHECK_CLOSE(loss_of(&r, true, NULL), plain_loss(&dense, dense.w, grad), 1e-14);
        for (size_t i = 0; i < m.w->shape.layers; i++)
            for (rsd_slot s = 0; s < RSD_LINEARS; s++)
                check_straight_layer(&m.adapters.layer[i][s], &m.grad.layer[i][s],
                                     grad->block[i].linear[s].W);
        rsd_gradients_free(grad);
        close_runner(&r);
        close_tiny(&dense);
        close_tiny(&m);
    }
}

/* ---- the hook's own errors ---- */

static void hooks_refuse(void **state)
{
    (void)state;
    tiny m, other, frame, dora;
    rsd_matmul *mm;
    rsd_adapted *a;
    rsd_base small, base = { 0 };
    rsd_adapters narrow, three = { .layers = 3 };
    rsd_half half[8 * 32] = { 0 };
    rsd_adapter_plan plan[8][RSD_LINEARS] = { 0 };
    open_tiny("llama", false, &m);
    open_tiny("llama", false, &dora);
    open_tiny("llama", true, &frame);
    open_tiny("gpt2", false, &other);
    add_adapters(&m, RSD_LORA, 0.4);
    add_adapters(&dora, RSD_DORA, 0.4);
    add_adapters(&other, RSD_LORA, 0.4);
    CHECK_OK(alloc_adapters(m.w, RSD_LORA, plan, &narrow)); /* all of rank 0 */
    CHECK_OK(rsd_base_alloc(1, &small));
    quantize_weights(other.w, "int8", &other.base);
    quantize_weights(m.w, "int8", &base);
    CHECK_OK(rsd_matmul_alloc(RSD_PRECISION_F32, &mm));
    for (size_t i = 0; i < frame.w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            if (i > 0 || s != RSD_Q)
                frame.w->block[i].linear[s].W.half = half; /* never read */
    const struct {
        rsd_adapted_options o;
        int code;
        const char *text;
    } bad[] = {
        { { .weights = m.w, .base = &small }, RSD_EARG, "1 layers for a model of 2" },
        { { .weights = m.w, .base = &other.base }, RSD_EARG, "packed, the model's is 0 x 0" },
        { { .weights = m.w, .adapters = &other.adapters }, RSD_EARG, "layer 0, qkv: an adapter" },
        { { .weights = m.w, .adapters = &three }, RSD_EARG, "3 layers for a model of 2" },
        { { .weights = m.w, .grad = &m.grad }, RSD_EARG, "gradients of other" },
        { { .weights = m.w, .adapters = &m.adapters, .grad = &dora.grad },
          RSD_EARG,
          "gradients of other" },
        { { .weights = m.w, .adapters = &m.adapters, .grad = &narrow }, RSD_EARG, "another shape" },
        { { .weights = m.w, .straight = true }, RSD_EARG, "not no adapters" },
        { { .weights = m.w, .adapters = &dora.adapters, .base = &base, .straight = true },
          RSD_EARG,
          "not dora" },
        { { .weights = m.w, .adapters = &m.adapters, .straight = true }, RSD_EARG, "no quantizer" },
        { { .weights = frame.w }, RSD_EARG, "layer 0, q: no weight" },
        { { .weights = frame.w, .adapters = &dora.adapters }, RSD_EARG, "no weight" },
        { { .weights = m.w, .adapters = &m.adapters, .rows = SIZE_MAX / 2 }, RSD_ENOMEM, "rows" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_FAILS(rsd_adapted_alloc(&bad[i].o, mm, &a), bad[i].code, bad[i].text);
        assert_null(a);
    }
    frame.w->block[0].linear[RSD_Q].W.half = half;
    const rsd_adapted_options norms = { .weights = frame.w, .adapters = &dora.adapters };
    CHECK_FAILS(rsd_adapted_alloc(&norms, mm, &a), RSD_EARG, "bfloat16 alone");
    rsd_matmul_free(mm);
    rsd_base_free(&base);
    rsd_base_free(&small);
    rsd_adapters_free(&narrow);
    close_tiny(&other);
    close_tiny(&frame);
    close_tiny(&dora);
    close_tiny(&m);
}

/* A quantizer that fails on one layer fails the refresh, by that layer's name. */
static void straight_names_the_layer(void **state)
{
    (void)state;
    tiny m;
    runner r;
    open_tiny("llama", false, &m);
    quantize_weights(m.w, "int4", &m.base);
    add_adapters(&m, RSD_LORA, 0.4);
    m.straight = true;
    open_runner(&m, RSD_PRECISION_F32, RSD_KEEP_ALL, true, &r);
    assert_true(m.adapters.layer[1][RSD_V].rank > 0);
    m.adapters.layer[1][RSD_V].B[0] = NAN;
    CHECK_FAILS(rsd_adapted_refresh(r.adapted), RSD_EDOM, "layer 1, v: element (0,0)");
    close_runner(&r);
    close_tiny(&m);
}

int main(void)
{
    rsd_par_init(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_are_their_formulas),
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(recomputing_changes_nothing),
        cmocka_unit_test(passes_accumulate),
        cmocka_unit_test(packed_is_dense),
        cmocka_unit_test(bases_count_their_bytes),
        cmocka_unit_test(straight_trains_through_the_grid),
        cmocka_unit_test(hooks_refuse),
        cmocka_unit_test(straight_names_the_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
