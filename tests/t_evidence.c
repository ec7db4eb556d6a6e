/* What compare takes out of result files: once, from the right model, whatever the names. */
#include "compare/evidence.h"
#include "result_file.h"

static const double s321[] = { 3, 2, 1 }, s111[] = { 1, 1, 1 };

static void take(evidence *e, const char *name)
{
    rsd_store *s;
    CHECK_OK(rsd_store_open(in_scratch(name), RSD_STORE_READ, &s));
    CHECK_OK(evidence_add(e, s));
    CHECK_OK(rsd_store_close(s));
}

/* One model, two layers, one run of `recovered`, one layer alone. */
static void write_file(const char *name, const char *sha256, const double *s, double recovered,
                       int64_t windows)
{
    result_file *f = file_begin(name);
    const double loss[] = { 1.5, 1.25, 1.75 };
    put_model(f, "m", sha256, "folder");
    put_residual(f, "m", "a", 0, "nf:bits=4", RSD_WEIGHTING_NONE, s, 3);
    put_residual(f, "m", "a", 0, "nf:bits=4", RSD_WEIGHTING_H, s111, 3);
    put_residual(f, "m", "b", 1, "nf:bits=4", RSD_WEIGHTING_NONE, s111, 3);
    recovery_row *r = put_run(f, "m", "nf:bits=4", "kfac", 1, 18, recovered);
    put_layer(f, r, "a", 0, 3, 1);
    put_layer(f, r, "b", 1, 3, 1);
    put_windows(f, r, "window_loss_trained", loss, 3);
    put_single(f, "m", "a", 0, "nf:bits=4", recovered)->windows = windows;
    file_end(f);
}

static double left(const evidence_layer *l, int predictor, size_t rank)
{
    return evidence_remaining(l, evidence_curve_of(l, predictor), rank);
}

static void one_file(void **state)
{
    (void)state;
    evidence e = { 0 };
    write_file("one.h5", "aa", s321, 0.5, 8);
    take(&e, "one.h5");
    assert_true(e.files == 1 && e.cases == 1 && e.runs == 1 && e.run_layers == 2);
    assert_true(e.sensitivities == 1 && e.layer_run[1] == 0);
    const evidence_case *c = evidence_find(&e, "m", "nf:bits=4");
    const evidence_layer *a = evidence_find_layer(c, "a");
    CHECK_CLOSE(a->curve[RSD_WEIGHTING_NONE].energy, 14, 1e-12);
    CHECK_CLOSE(left(a, RSD_WEIGHTING_NONE, 1), 5.0 / 14, 1e-12);
    CHECK_CLOSE(left(a, RSD_WEIGHTING_H, 2), 1.0 / 3, 1e-12);
    assert_true(left(a, RSD_WEIGHTING_NONE, 100) == 0);
    assert_true(isnan(left(a, RSD_WEIGHTING_GH, 1)));
    assert_true(isnan(left(a, PREDICTOR_NULL, 1)));
    assert_non_null(e.windows[0].trained);
    assert_null(e.windows[0].init);
    assert_true(e.windows[0].trained[2] == 1.75);
    assert_null(evidence_find(&e, "m", "nf:bits=3"));
    assert_null(evidence_find_layer(c, "c"));
    evidence_free(&e);
}

static void the_same_file_twice_counts_once(void **state)
{
    (void)state;
    evidence e = { 0 };
    write_file("one.h5", "aa", s321, 0.5, 8);
    take(&e, "one.h5");
    take(&e, "one.h5");
    assert_true(e.cases == 1 && e.item[0].layers == 2 && e.runs == 1 && e.run_layers == 2);
    assert_true(e.sensitivities == 1 && e.repeated_runs == 1 && e.repeated_layers == 1);
    assert_true(e.other_spectra == 0);
    evidence_free(&e);
}

/* A run of the same name that came out otherwise is another run; a layer measured again counts over
 * more windows; spectra that differ are said, and the first stay. */
static void another_experiment_is_another_one(void **state)
{
    (void)state;
    evidence e = { 0 };
    write_file("one.h5", "aa", s321, 0.5, 8);
    write_file("two.h5", "aa", s111, 0.75, 32);
    take(&e, "one.h5");
    take(&e, "two.h5");
    assert_true(e.runs == 2 && e.run_layers == 4 && e.repeated_runs == 0);
    assert_true(e.layer_run[3] == 1 && e.windows[1].file == 1);
    assert_true(e.sensitivities == 1 && e.repeated_layers == 1);
    assert_true(e.sensitivity[0].windows == 32 && e.sensitivity[0].increase == 0.75);
    assert_true(e.other_spectra == 1);
    CHECK_CLOSE(evidence_find_layer(&e.item[0], "a")->curve[0].energy, 14, 1e-12);
    evidence_free(&e);
}

/* Two models that are called alike are two models. */
static void a_name_is_not_a_model(void **state)
{
    (void)state;
    evidence e = { 0 };
    write_file("one.h5", "aa", s321, 0.5, 8);
    write_file("two.h5", "bbbbbbbbbbbb", s111, 0.5, 8);
    take(&e, "one.h5");
    take(&e, "two.h5");
    assert_true(e.cases == 2 && e.runs == 2 && e.sensitivities == 2 && e.other_spectra == 0);
    assert_string_equal(e.item[1].model, "m@bbbbbbbb");
    assert_string_equal(e.run[1].model, "m@bbbbbbbb");
    assert_string_equal(e.run_layer[3].model, "m@bbbbbbbb");
    assert_string_equal(e.sensitivity[1].model, "m@bbbbbbbb");
    evidence_free(&e);
}

/* What analyze makes itself is a control; what a user calls so is not. */
static void controls(void **state)
{
    (void)state;
    static const char *const source[] = { "synthetic:rows=3,cols=3,rank=1", "/models/control" };
    for (int i = 0; i < 2; i++) {
        evidence e = { 0 };
        result_file *f = file_begin("control.h5");
        put_model(f, "control", "cc", source[i]);
        put_residual(f, "control", "a", 0, "nf:bits=4", RSD_WEIGHTING_NONE, s321, 3);
        file_end(f);
        take(&e, "control.h5");
        assert_true(e.item[0].control == (i == 0));
        evidence_free(&e);
    }
}

/* A file of old has R's null alone, without its energy, which is R's; of two nulls the one counts
 * that is known in more weightings. */
static void nulls(void **state)
{
    (void)state;
    static const char *const spec = "nf:bits=4";
    for (int later = 0; later < 2; later++) {
        evidence e = { 0 };
        result_file *f = file_begin("nulls.h5");
        put_model(f, "m", "aa", "folder");
        put_residual(f, "m", "a", 0, spec, RSD_WEIGHTING_NONE, s321, 3);
        put_residual(f, "m", "a", 0, spec, RSD_WEIGHTING_H, s321, 3);
        put_null(f, "m", "a", spec, RSD_WEIGHTING_NONE, "sign_flip", NAN, s111, 3);
        put_null(f, "m", "a", spec, RSD_WEIGHTING_NONE, "permuted", NAN, s321, 3);
        if (later)
            put_null(f, "m", "a", spec, RSD_WEIGHTING_H, "sign_flip", 28, s111, 3);
        file_end(f);
        take(&e, "nulls.h5");
        const evidence_layer *l = &e.item[0].layer[0];
        assert_int_equal(evidence_null_kind(l), RSD_NULL_SIGN_FLIP);
        CHECK_CLOSE(evidence_null(l, RSD_WEIGHTING_NONE)->energy, 14, 1e-12);
        CHECK_CLOSE(left(l, PREDICTOR_NULL, 1), 2.0 / 3, 1e-12);
        const evidence_curve *seen = evidence_null(l, RSD_WEIGHTING_H);
        if (later)
            CHECK_CLOSE(seen->energy, 28, 1e-12);
        else
            assert_true(isnan(seen->energy));
        evidence_free(&e);
    }
}

/* Predictions without residuals: of the right model, taken once, the names as they were. */
static void a_priori(void **state)
{
    (void)state;
    static const char *const spec = "nf:bits=4,block=64";
    evidence e = { 0 };
    for (int i = 0; i < 2; i++) {
        result_file *f = file_begin(i ? "two.h5" : "one.h5");
        put_model(f, "m", i ? "bb" : "aa", "folder");
        put_a_priori(f, "m", "a/b", spec, 7, s321, 3);
        file_end(f);
    }
    take(&e, "one.h5");
    take(&e, "one.h5");
    take(&e, "two.h5");
    assert_true(e.cases == 0 && e.a_priori_cases == 2);
    assert_null(evidence_find(&e, "m", spec));
    const evidence_case *c = evidence_find_a_priori(&e, "m", spec);
    assert_true(c && c->layers == 1);
    const evidence_layer *l = evidence_find_layer(c, "a/b");
    assert_true(l && l->rows == 3);
    CHECK_CLOSE(evidence_curve_of(l, PREDICTOR_A_PRIORI)->energy, 7, 1e-12);
    CHECK_CLOSE(left(l, PREDICTOR_A_PRIORI, 1), 5.0 / 14, 1e-12);
    assert_true(isnan(left(l, RSD_WEIGHTING_NONE, 1)));
    assert_non_null(evidence_find_a_priori(&e, "m@bb", spec));
    evidence_free(&e);
}

/* A curve that is longer than its matrix has ranks is none. */
static void a_priori_that_lies(void **state)
{
    (void)state;
    evidence e = { 0 };
    rsd_store *s;
    result_file *f = file_begin("lies.h5");
    put_a_priori(f, "m", "a", "nf4", 7, s321, 3);
    CHECK_OK(rsd_store_set_int(f->store, "/a_priori/m/a/nf4", "cols", 2));
    file_end(f);
    CHECK_OK(rsd_store_open(in_scratch("lies.h5"), RSD_STORE_READ, &s));
    CHECK_FAILS(evidence_add(&e, s), RSD_EFORMAT, "3 ranks of a matrix that has 2");
    CHECK_OK(rsd_store_close(s));
    evidence_free(&e);
}

/* Blocks are what is independent where there are eight of them, matrices else. */
static void units(void **state)
{
    (void)state;
    for (int blocks = 7; blocks <= 8; blocks++) {
        evidence e = { 0 };
        result_file *f = file_begin("blocks.h5");
        put_model(f, "m", "aa", "folder");
        for (int b = 0; b < blocks; b++)
            for (int k = 0; k < 2; k++) {
                char tensor[32];
                snprintf(tensor, sizeof tensor, "%d.%d", b, k);
                put_residual(f, "m", tensor, b, "nf:bits=4", RSD_WEIGHTING_NONE, s321, 3);
            }
        file_end(f);
        take(&e, "blocks.h5");
        const bool together = evidence_unit(&e, "m", "2.0", 2) == evidence_unit(&e, "m", "2.1", 2);
        assert_true(together == (blocks == 8));
        assert_true(evidence_unit(&e, "m", "2.0", 2) == evidence_unit(&e, "m", "2.0", 2));
        assert_true(evidence_unit(&e, "m", "2.0", 2) != evidence_unit(&e, "m", "3.0", 3));
        assert_true(evidence_unit(&e, "m", "2.0", 2) != evidence_unit(&e, "n", "2.0", 2));
        assert_true(evidence_unit(&e, "m", "x", -1) != evidence_unit(&e, "m", "y", -1));
        evidence_free(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_file),
        cmocka_unit_test(the_same_file_twice_counts_once),
        cmocka_unit_test(another_experiment_is_another_one),
        cmocka_unit_test(a_name_is_not_a_model),
        cmocka_unit_test(controls),
        cmocka_unit_test(nulls),
        cmocka_unit_test(a_priori),
        cmocka_unit_test(a_priori_that_lies),
        cmocka_unit_test(units),
    };
    return cmocka_run_group_tests_name("evidence", tests, scratch_make, scratch_remove);
}
