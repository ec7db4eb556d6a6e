/* Sets of adapters, and an adapter as numbers of the weight beside it: corrections in, what it adds
 * out, and qalora's merge into zero points; in double. */
#include "adapters_data.h"
#include "par.h"

/* Adapters of one layer, llama's first UP (12 x 8): rank 3. */
static rsd_adapter *one_adapter(tiny *m, rsd_variant v, double scale)
{
    rsd_adapter_plan plan[8][RSD_LINEARS] = { 0 };
    plan[0][RSD_UP] = (rsd_adapter_plan){ 3, v == RSD_QALORA ? 2 : 1, scale };
    open_tiny("llama", false, m);
    CHECK_OK(alloc_adapters(m->w, v, plan, &m->adapters));
    return &m->adapters.layer[0][RSD_UP];
}

static void sets_are_one_block(void **state)
{
    (void)state;
    for (rsd_variant v = 0; v < RSD_VARIANTS; v++) {
        tiny m;
        size_t count = 0, numbers = 0;
        const rsd_real *last = NULL;
        open_tiny("gpt_neox", false, &m);
        add_adapters(&m, v, 0.4);
        for (size_t i = 0; i < m.adapters.layers; i++)
            for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
                const rsd_adapter *a = &m.adapters.layer[i][s], *g = &m.grad.layer[i][s];
                if (!a->rank)
                    continue;
                assert_true(!last || a->A > last);
                assert_true(a->B > a->A && (uintptr_t)a->A % 64 == 0 && (uintptr_t)a->B % 64 == 0);
                assert_true(g->A - m.grad.memory == a->A - m.adapters.memory);
                assert_int_equal(a->lambda != NULL, v == RSD_ADALORA);
                assert_int_equal(a->magnitude != NULL, v == RSD_DORA);
                last = v == RSD_ADALORA ? a->lambda : v == RSD_DORA ? a->magnitude : a->B;
                numbers += a->rank * (a->n / a->pool + a->m) + (a->lambda ? a->rank : 0) +
                           (a->magnitude ? a->m : 0);
            }
        for (size_t i = 0; i < m.grad.count; i++)
            count += m.grad.memory[i] == 0 && m.adapters.memory[i] != 0;
        assert_int_equal(count, numbers); /* every number set, padding and gradients 0 */
        assert_int_equal(rsd_adapters_parameters(&m.adapters), numbers);
        assert_int_equal(m.adapters.count % 16, 0);
        close_tiny(&m);
    }
    assert_string_equal(rsd_variant_name(RSD_QALORA), "qalora");
}

static void sets_refuse(void **state)
{
    (void)state;
    static const struct {
        rsd_slot slot;
        rsd_variant variant;
        rsd_adapter_plan plan;
        const char *text;
    } bad[] = {
        { RSD_K, RSD_LORA, { 5, 1, 1 }, "layer 1, k: rank 5" }, /* 4 x 8 */
        { RSD_UP, RSD_QALORA, { 3, 4, 1 }, "rank 3" },
        { RSD_UP, RSD_QALORA, { 1, 3, 1 }, "pools of 3 do not divide 8" },
        { RSD_UP, RSD_QALORA, { 1, 0, 1 }, "pools of 0" },
        { RSD_UP, RSD_DORA, { 1, 2, 1 }, "dora has none" },
        { RSD_UP, RSD_LORA, { 1, 1, 0 }, "scale 0" },
        { RSD_UP, RSD_LORA, { 1, 1, NAN }, "scale nan" },
        { RSD_UP, RSD_LORA, { 1, 1, INFINITY }, "scale inf" },
        { RSD_QKV, RSD_LORA, { 1, 1, 1 }, "no such layer" },
    };
    tiny m;
    open_tiny("llama", false, &m);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rsd_adapter_plan plan[8][RSD_LINEARS] = { 0 };
        plan[1][bad[i].slot] = bad[i].plan;
        CHECK_FAILS(alloc_adapters(m.w, bad[i].variant, plan, &m.adapters), RSD_EARG, bad[i].text);
        rsd_adapters_free(&m.adapters);
    }
    close_tiny(&m);
}

/* ---- corrections ---- */

static rsd_mat waves(size_t m, size_t n, double phase)
{
    rsd_mat W;
    CHECK_OK(rsd_mat_alloc(m, n, &W));
    for (size_t i = 0; i < m * n; i++)
        W.x[i] = (float)wave(i, phase);
    return W;
}

/* B0 A0 with A0's columns repeated pool times. */
static double correction(rsd_mat B0, rsd_mat A0, size_t pool, size_t i, size_t j)
{
    double sum = 0;
    for (size_t k = 0; k < A0.m; k++)
        sum += (double)B0.x[i * B0.ld + k] * (double)A0.x[k * A0.ld + j / pool];
    return sum;
}

/* What set is asked for is what delta and merge give back, whatever s. */
static void set_is_undone_by_delta(void **state)
{
    (void)state;
    static const double scales[] = { 1, 0.25, 7.5, 1e-4, 3e5 };
    for (rsd_variant v = 0; v < RSD_VARIANTS; v++)
        for (size_t c = 0; c < sizeof scales / sizeof *scales; c++) {
            tiny m;
            rsd_adapter *a = one_adapter(&m, v, scales[c]);
            rsd_mat B0 = waves(a->m, 3, 0.1), A0 = waves(3, a->n / a->pool, 0.7);
            rsd_mat W = waves(a->m, a->n, 1.3), merged = waves(a->m, a->n, 1.3);
            rsd_mat C = waves(a->m, a->n, 0);
            CHECK_OK(rsd_adapter_set(a, B0, A0, W));
            CHECK_OK(rsd_adapter_delta(a, C));
            CHECK_OK(rsd_adapter_merge(a, merged));
            for (size_t i = 0; i < a->m; i++) {
                double norm = 0;
                for (size_t j = 0; j < a->n; j++) {
                    const double want = correction(B0, A0, a->pool, i, j);
                    const double sum = (double)W.x[i * W.ld + j] + want;
                    norm += sum * sum;
                    /* |C| <= 3, rounded once to float32; sums in double are finer */
                    CHECK_CLOSE(C.x[i * C.ld + j], want, 3 * 0x1p-24 + 1e-14);
                    CHECK_CLOSE(merged.x[i * merged.ld + j], sum, 4 * 0x1p-24 + 1e-14);
                }
                if (a->magnitude)
                    CHECK_CLOSE(a->magnitude[i], sqrt(norm), 1e-13);
            }
            rsd_mat_free(&merged);
            rsd_mat_free(&C);
            rsd_mat_free(&W);
            rsd_mat_free(&A0);
            rsd_mat_free(&B0);
            close_tiny(&m);
        }
}

static void dora_merges_to_its_magnitudes(void **state)
{
    (void)state;
    tiny m;
    rsd_adapter *a = one_adapter(&m, RSD_DORA, 2);
    rsd_mat B0 = waves(a->m, 3, 0.1), A0 = waves(3, a->n, 0.7), W = waves(a->m, a->n, 1.3);
    for (size_t k = 0; k < 3; k++)
        B0.x[4 * 3 + k] = 0;
    for (size_t j = 0; j < a->n; j++)
        W.x[4 * a->n + j] = 0;
    CHECK_OK(rsd_adapter_set(a, B0, A0, W));
    assert_true(a->magnitude[4] == 0);
    for (size_t i = 0; i < a->m; i++)
        a->magnitude[i] = (rsd_real)i + 1;
    CHECK_OK(rsd_adapter_merge(a, W));
    for (size_t i = 0; i < a->m; i++) {
        double norm = 0;
        for (size_t j = 0; j < a->n; j++)
            norm += (double)W.x[i * W.ld + j] * (double)W.x[i * W.ld + j];
        CHECK_CLOSE(sqrt(norm), i == 4 ? 0 : (double)i + 1, 20 * 0x1p-24);
    }
    rsd_mat_free(&W);
    rsd_mat_free(&A0);
    rsd_mat_free(&B0);
    close_tiny(&m);
}

/* A row of zeros has no direction: its output is the bias, its gradients are 0, nothing is NaN. */
static void dora_lives_with_rows_of_zeros(void **state)
{
    (void)state;
    tiny m;
    runner r;
    open_tiny("qwen2", false, &m);
    add_adapters(&m, RSD_DORA, 0.4);
    rsd_adapter *a = &m.adapters.layer[0][RSD_Q];
    assert_true(a->rank > 0);
    const size_t q = (size_t)(m.w->block[0].linear[RSD_Q].W.x - m.w->memory);
    memset(m.w->memory + q, 0, a->n * sizeof(rsd_real));
    memset(a->B, 0, a->rank * sizeof *a->B);
    open_runner(&m, RSD_PRECISION_F32, RSD_KEEP_ALL, true, &r);
    assert_true(isfinite(loss_of(&r, true, NULL)));
    for (size_t i = 0; i < m.grad.count; i++)
        assert_true(isfinite(m.grad.memory[i]));
    assert_true(m.grad.layer[0][RSD_Q].magnitude[0] == 0 && m.grad.layer[0][RSD_Q].B[0] == 0);
    assert_true(m.grad.layer[0][RSD_Q].magnitude[1] != 0);
    close_runner(&r);
    close_tiny(&m);
}

/* LoRA's own start: A as it is given, nothing added. */
static void nothing_to_correct_is_not_scaled(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        tiny m;
        rsd_adapter *a = one_adapter(&m, RSD_LORA, 0.01);
        rsd_mat B0 = waves(a->m, 3, 0.1), A0 = waves(3, a->n, 0.7), C = waves(a->m, a->n, 0);
        memset(side ? A0.x : B0.x, 0, (side ? 3 * a->n : a->m * 3) * sizeof(float));
        CHECK_OK(rsd_adapter_set(a, B0, A0, (rsd_mat){ 0 }));
        for (size_t i = 0; i < 3 * a->n; i++)
            assert_true(a->A[i] == (rsd_real)A0.x[i]);
        for (size_t i = 0; i < a->m * 3; i++)
            assert_true(a->B[i] == (rsd_real)B0.x[i]);
        CHECK_OK(rsd_adapter_delta(a, C));
        for (size_t i = 0; i < a->m * a->n; i++)
            assert_true(C.x[i] == 0);
        rsd_mat_free(&C);
        rsd_mat_free(&A0);
        rsd_mat_free(&B0);
        close_tiny(&m);
    }
}

/* Unit directions and lambda; a dead pair gets directions to learn in, the same ones each time. */
static void adalora_factors_are_unit(void **state)
{
    (void)state;
    rsd_real first[3] = { 0 };
    for (int again = 0; again < 3; again++) {
        tiny m;
        rsd_adapter *a = one_adapter(&m, RSD_ADALORA, 3);
        rsd_mat B0 = waves(a->m, 3, 0.1), A0 = waves(3, a->n, 0.7);
        for (size_t i = 0; i < a->m; i++)
            B0.x[i * 3 + 1] = 0;
        if (again == 2)
            A0.x[0] += 1; /* other numbers, other directions */
        CHECK_OK(rsd_adapter_set(a, B0, A0, (rsd_mat){ 0 }));
        for (size_t k = 0; k < 3; k++) {
            double p = 0, q = 0, b0 = 0, a0 = 0;
            for (size_t i = 0; i < a->m; i++) {
                p += a->B[i * 3 + k] * a->B[i * 3 + k];
                b0 += (double)B0.x[i * 3 + k] * (double)B0.x[i * 3 + k];
            }
            for (size_t j = 0; j < a->n; j++) {
                q += a->A[k * a->n + j] * a->A[k * a->n + j];
                a0 += (double)A0.x[k * a->n + j] * (double)A0.x[k * a->n + j];
            }
            CHECK_CLOSE(p, 1, 1e-14);
            CHECK_CLOSE(q, 1, 1e-14);
            CHECK_CLOSE(a->lambda[k], sqrt(a0 * b0) / 3, 1e-13);
        }
        assert_true(a->lambda[1] == 0);
        for (int k = 0; k < 3; k++) {
            if (again == 0)
                first[k] = a->B[k * 3 + 1];
            assert_int_equal(a->B[k * 3 + 1] == first[k], again < 2);
        }
        rsd_mat_free(&A0);
        rsd_mat_free(&B0);
        close_tiny(&m);
    }
}

static void corrections_refuse(void **state)
{
    (void)state;
    tiny m;
    rsd_adapter *a = one_adapter(&m, RSD_DORA, 1);
    rsd_mat B0 = waves(a->m, 3, 0), A0 = waves(3, a->n, 0), W = waves(a->n, a->m, 0);
    CHECK_FAILS(rsd_adapter_set(a, A0, A0, W), RSD_EARG, "factors 3 x 8 and 3 x 8");
    CHECK_FAILS(rsd_adapter_set(a, B0, B0, W), RSD_EARG, "factors 12 x 3 and 12 x 3");
    CHECK_FAILS(rsd_adapter_set(a, B0, A0, W), RSD_EARG, "12 x 8 weight from one of 8 x 12");
    CHECK_FAILS(rsd_adapter_delta(a, W), RSD_EARG, "8 x 12");
    CHECK_FAILS(rsd_adapter_merge(a, W), RSD_EARG, "8 x 12");
    rsd_mat_free(&W);
    rsd_mat_free(&A0);
    rsd_mat_free(&B0);
    close_tiny(&m);
}

/* ---- qalora's merge ---- */

/* W + s B A, entry by entry, is what the merged zero points unpack to. */
static void qalora_merges_into_zero_points(void **state)
{
    (void)state;
    static const char *const specs[] = { "int2:group=2,scheme=affine_real",
                                         "int4:group=2,scheme=affine_real,scale=f32",
                                         "int8:group=2,scheme=affine_real" };
    for (size_t c = 0; c < sizeof specs / sizeof *specs; c++) {
        tiny m;
        rsd_adapter *a = one_adapter(&m, RSD_QALORA, 0.6);
        rsd_mat B0 = waves(a->m, 3, 0.1), A0 = waves(3, a->n / 2, 0.7), W = waves(a->m, a->n, 1.3);
        rsd_mat merged = waves(a->m, a->n, 0), original = waves(a->m, a->n, 1.3);
        rsd_spec spec;
        rsd_packed packed;
        CHECK_OK(rsd_spec_parse(specs[c], &spec));
        CHECK_OK(rsd_pack(&spec, W, NULL, &packed));
        CHECK_OK(rsd_unpack(&spec, &packed, W));
        CHECK_OK(rsd_adapter_set(a, B0, A0, W));
        CHECK_OK(rsd_qalora_merge(a, &packed));
        CHECK_OK(rsd_unpack(&spec, &packed, merged));
        for (size_t i = 0; i < a->m; i++)
            for (size_t g = 0; g < a->n / 2; g++) {
                const double c0 = correction(B0, A0, 2, i, 2 * g);
                float scale[48];
                rsd_section_reals(rsd_packed_get(&packed, "scales"), scale);
                const double s = scale[i * 4 + g], z = c0 / s;
                for (size_t j = 2 * g; j < 2 * g + 2; j++) {
                    /* zero points, codes less zero points, products: 4 roundings of numbers up to
                     * s (2^bits + |z|) */
                    CHECK_CLOSE(merged.x[i * a->n + j], (double)W.x[i * a->n + j] + c0,
                                4 * 0x1p-24 * s * (256 + fabs(z)));
                    /* half a step, and what 255 steps lose where s was rounded to fp16 */
                    CHECK_CLOSE(W.x[i * a->n + j], original.x[i * a->n + j],
                                s * (0.5 + 255 * 0x1p-11));
                }
            }
        rsd_mat_free(&original);
        rsd_packed_free(&packed);
        rsd_mat_free(&merged);
        rsd_mat_free(&W);
        rsd_mat_free(&A0);
        rsd_mat_free(&B0);
        close_tiny(&m);
    }
}

/* Real zero points at the ends of float32: what comes back is finite and near. */
static void real_zero_points_survive_extremes(void **state)
{
    (void)state;
    static const float size[] = { 0, 1e-44f, 1e-38f, 1e-20f, 1, 1e30f, 1.5e38f, 3.4e38f };
    static const char *const specs[] = { "int2:group=4,scheme=affine_real",
                                         "int3:group=row,scheme=affine_real",
                                         "int8:group=tensor,scheme=affine_real,scale=f32" };
    for (size_t c = 0; c < sizeof specs / sizeof *specs; c++)
        for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
            rsd_mat W = waves(3, 7, 0.3), Wq = waves(3, 7, 0);
            rsd_spec spec;
            rsd_packed packed;
            for (size_t i = 0; i < 21; i++)
                W.x[i] *= size[k];
            CHECK_OK(rsd_spec_parse(specs[c], &spec));
            CHECK_OK(rsd_pack(&spec, W, NULL, &packed));
            CHECK_OK(rsd_unpack(&spec, &packed, Wq));
            /* bf16 scales round by 2^-9, three steps or 255 of f32's; the least bf16 is 2^-133 */
            for (size_t i = 0; i < 21; i++)
                CHECK_CLOSE(Wq.x[i], W.x[i], 0.36 * (double)size[k] + 0x1p-133);
            rsd_packed_free(&packed);
            rsd_mat_free(&Wq);
            rsd_mat_free(&W);
        }
}

/* A whole model: unmerged with its adapters, and merged with none. */
static void qalora_merged_model_is_the_unmerged(void **state)
{
    (void)state;
    tiny m;
    runner adapted, merged;
    open_tiny("llama", false, &m);
    quantize_weights(m.w, "int4:group=2,scheme=affine_real", &m.base);
    add_adapters(&m, RSD_QALORA, 0.4);
    open_runner(&m, RSD_PRECISION_F32, RSD_KEEP_NOTHING, false, &adapted);
    const double unmerged = loss_of(&adapted, false, NULL);
    for (size_t i = 0; i < m.w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            if (m.adapters.layer[i][s].rank)
                CHECK_OK(rsd_qalora_merge(&m.adapters.layer[i][s], &m.base.layer[i][s].packed));
    tiny without = m;
    without.adapters = (rsd_adapters){ 0 };
    open_runner(&without, RSD_PRECISION_F32, RSD_KEEP_NOTHING, false, &merged);
    /* weights differ by about 2^-22 of themselves; the loss is no more sensitive */
    CHECK_CLOSE(loss_of(&merged, false, NULL), unmerged, 0x1p-20 * unmerged);
    close_runner(&merged);
    close_runner(&adapted);
    close_tiny(&m);
}

static void qalora_merge_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *text;
        size_t rows;
    } bad[] = {
        { "int4:group=2,scheme=affine", "no zero points that are real", 12 },
        { "nf4:block=16", "no zero points", 12 },
        { "int4:group=4,scheme=affine_real", "24 zero points, but 48 pools", 12 },
        { "int4:group=2,scheme=affine_real", "11 x 8 packed", 11 },
    };
    for (size_t c = 0; c < sizeof bad / sizeof *bad; c++) {
        tiny m;
        rsd_adapter *a = one_adapter(&m, RSD_QALORA, 1);
        rsd_mat W = waves(bad[c].rows, a->n, 0);
        rsd_spec spec;
        rsd_packed packed;
        CHECK_OK(rsd_spec_parse(bad[c].spec, &spec));
        CHECK_OK(rsd_pack(&spec, W, NULL, &packed));
        CHECK_FAILS(rsd_qalora_merge(a, &packed), RSD_EARG, bad[c].text);
        rsd_packed_free(&packed);
        rsd_mat_free(&W);
        close_tiny(&m);
    }
    tiny m;
    CHECK_FAILS(rsd_qalora_merge(one_adapter(&m, RSD_DORA, 1), &(rsd_packed){ 0 }), RSD_EARG,
                "pooled inputs");
    close_tiny(&m);
}

int main(void)
{
    rsd_par_init(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_one_block),
        cmocka_unit_test(sets_refuse),
        cmocka_unit_test(set_is_undone_by_delta),
        cmocka_unit_test(dora_merges_to_its_magnitudes),
        cmocka_unit_test(dora_lives_with_rows_of_zeros),
        cmocka_unit_test(nothing_to_correct_is_not_scaled),
        cmocka_unit_test(adalora_factors_are_unit),
        cmocka_unit_test(corrections_refuse),
        cmocka_unit_test(qalora_merges_into_zero_points),
        cmocka_unit_test(real_zero_points_survive_extremes),
        cmocka_unit_test(qalora_merged_model_is_the_unmerged),
        cmocka_unit_test(qalora_merge_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
