/* Predictions joined with measurements that were made up, so that what must be said is known. */
#include "compare/comparison_text.h"
#include "compare/predicted.h"
#include "compare/predictions.h"
#include "result_file.h"
#include "rng.h"

#include <jansson.h>

enum { SIDE = 4, LAYERS = 10 };
static const char *const specs[] = { "int:bits=3", "int:bits=4", "nf:bits=2", "nf:bits=4" };
static const double flat[] = { 1, 1, 1, 1 }, steep[] = { 4, 2, 1, 1 };

static void take(evidence *e, const char *name)
{
    rsd_store *s;
    *e = (evidence){ 0 };
    CHECK_OK(rsd_store_open(in_scratch(name), RSD_STORE_READ, &s));
    CHECK_OK(evidence_add(e, s));
    CHECK_OK(rsd_store_close(s));
}

/* What goes to standard output, read back. */
static json_t *as_json(const evidence *e, const comparison *c)
{
    const int kept = dup(STDOUT_FILENO);
    fflush(stdout);
    assert_non_null(freopen(in_scratch("out.json"), "w", stdout));
    const int err = comparison_print_json(e, c);
    fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    close(kept);
    CHECK_OK(err);
    json_t *o = json_load_file(in_scratch("out.json"), 0, NULL);
    assert_non_null(o);
    return o;
}

static const char *name_of(int layer)
{
    static char text[4][16];
    static int next;
    next = (next + 1) % 4;
    snprintf(text[next], sizeof text[next], "layer.%d", layer);
    return text[next];
}

/* R flat, R H^1/2 steep, in every layer of `spec`; sizes grow with the layer. */
static void put_spectra(result_file *f, const char *spec, int layers)
{
    for (int l = 0; l < layers; l++) {
        double R[SIDE], RH[SIDE];
        for (int k = 0; k < SIDE; k++) {
            R[k] = flat[k] * (1 + l);
            RH[k] = steep[k];
        }
        put_residual(f, "m", name_of(l), 0, spec, RSD_WEIGHTING_NONE, R, SIDE);
        put_residual(f, "m", name_of(l), 0, spec, RSD_WEIGHTING_H, RH, SIDE);
    }
}

static void put_layers(result_file *f, const recovery_row *r, int first, int end, size_t rank,
                       double overlap)
{
    for (int l = first; l < end; l++) {
        recovery_layer *row = put_layer(f, r, name_of(l), 0, SIDE, rank);
        row->overlap_R_left = row->overlap_R_right = overlap;
        row->random_left = row->random_right = 0.25;
        row->effective_rank = 1.5;
    }
}

/* ---- like with like ---- */

/* Forecast of layers whose squares are (1+l)^2 each: rank 1 of 4 equal values leaves 3/4. */
static void runs_are_predicted_from_their_layers(void **state)
{
    (void)state;
    evidence e;
    forecast p;
    result_file *f = file_begin("layers.h5");
    put_model(f, "m", "aa", "folder");
    put_spectra(f, specs[0], 4);
    const size_t layer = SIDE * SIDE;
    put_layers(f, put_run(f, "m", specs[0], "all", 1, 4 * layer, 0.5), 0, 4, 1, 0);
    put_layers(f, put_run(f, "m", specs[0], "targets", 1, 4 * layer, 0.5), 0, 1, 1, 0);
    put_layers(f, put_run(f, "m", specs[0], "include", 1, 2 * layer, 0.5), 2, 4, 1, 0);
    put_layers(f, put_run(f, "m", specs[0], "wider", 1, 6 * layer, 0.5), 0, 6, 1, 0);
    put_layers(f, put_run(f, "m", specs[0], "elsewhere", 1, 4 * layer, 0.5), 4, 8, 1, 0);
    put_layers(f, put_run(f, "m", specs[0], "both", 1, 3 * layer, 0.5), 0, 1, 1, 0);
    /* adapters on two layers that stayed as they are: as "include" */
    recovery_row *more = put_run(f, "m", specs[0], "beside", 1, 2 * layer, 0.5);
    put_layers(f, more, 2, 6, 1, 0);
    for (size_t i = 1; i <= 2; i++)
        f->layer[f->layers - i].weight_error = 0;
    put_layers(f, put_run(f, "m", specs[1], "unknown", 1, 4 * layer, 0.5), 0, 4, 1, 0);
    file_end(f);
    take(&e, "layers.h5");

    assert_int_equal(forecast_run(&e, 0, &p), FORECAST_FITS);
    CHECK_CLOSE(p.remaining[RSD_WEIGHTING_NONE], 0.75, 1e-12);
    CHECK_CLOSE(p.remaining[RSD_WEIGHTING_H], 6.0 / 22, 1e-12);
    assert_true(isnan(p.remaining[RSD_WEIGHTING_GH]));
    /* all four are quantized and one is corrected: a quarter of 4 of 4 (1 + 4 + 9 + 16) */
    assert_int_equal(forecast_run(&e, 1, &p), FORECAST_FITS);
    CHECK_CLOSE(p.remaining[RSD_WEIGHTING_NONE], 1 - 1.0 / 120, 1e-12);
    /* two are quantized, both corrected */
    assert_int_equal(forecast_run(&e, 2, &p), FORECAST_FITS);
    CHECK_CLOSE(p.remaining[RSD_WEIGHTING_NONE], 0.75, 1e-12);
    assert_int_equal(forecast_run(&e, 3, &p), FORECAST_OTHER_LAYERS);
    assert_int_equal(forecast_run(&e, 4, &p), FORECAST_OTHER_LAYERS);
    assert_int_equal(forecast_run(&e, 5, &p), FORECAST_OTHER_LAYERS);
    assert_int_equal(forecast_run(&e, 6, &p), FORECAST_FITS);
    CHECK_CLOSE(p.remaining[RSD_WEIGHTING_NONE], 0.75, 1e-12);
    assert_int_equal(forecast_run(&e, 7, &p), FORECAST_NO_SPECTRA);

    points trained;
    CHECK_OK(points_make(&e, POINTS_TRAINED, 0, &trained));
    assert_true(trained.count == 4 && trained.other_layers == 3 && trained.no_spectra == 1);
    points_free(&trained);
    evidence_free(&e);
}

/* What was predicted without residuals fits runs by itself, and stands beside residuals. */
static void runs_are_predicted_without_residuals(void **state)
{
    (void)state;
    static const double predicted[] = { 3, 2, 2, 1 };
    evidence e;
    forecast p;
    comparison c;
    result_file *f = file_begin("ahead.h5");
    put_model(f, "m", "aa", "folder");
    for (int l = 0; l < 4; l++)
        put_a_priori(f, "m", name_of(l), specs[0], 18, predicted, SIDE);
    put_a_priori(f, "m", name_of(0), specs[1], 18, predicted, SIDE);
    put_residual(f, "m", name_of(0), 0, specs[1], RSD_WEIGHTING_GH, steep, SIDE);
    const size_t layer = SIDE * SIDE;
    put_layers(f, put_run(f, "m", specs[0], "all", 1, 4 * layer, 0.5), 0, 4, 1, 0);
    put_layers(f, put_run(f, "m", specs[1], "both", 1, layer, 0.5), 0, 1, 1, 0);
    put_layers(f, put_run(f, "m", specs[2], "none", 1, layer, 0.5), 0, 1, 1, 0);
    put_single(f, "m", name_of(1), 0, specs[0], 0.5);
    file_end(f);
    take(&e, "ahead.h5");

    assert_int_equal(forecast_run(&e, 0, &p), FORECAST_FITS);
    CHECK_CLOSE(p.remaining[PREDICTOR_A_PRIORI], 0.5, 1e-12);
    assert_true(isnan(p.remaining[RSD_WEIGHTING_GH]));
    assert_int_equal(forecast_run(&e, 1, &p), FORECAST_FITS);
    CHECK_CLOSE(p.remaining[PREDICTOR_A_PRIORI], 0.5, 1e-12);
    CHECK_CLOSE(p.remaining[RSD_WEIGHTING_GH], 6.0 / 22, 1e-12);
    assert_int_equal(forecast_run(&e, 2, &p), FORECAST_NO_SPECTRA);

    CHECK_OK(comparison_make(&e, 1, 0, &c));
    const points *layers = &c.kind[POINTS_LAYERS];
    assert_true(layers->count == 1 && layers->no_spectra == 0);
    CHECK_CLOSE(layers->point[0].predicted[PREDICTOR_A_PRIORI], 9, 1e-12);
    assert_true(isnan(layers->point[0].predicted[RSD_WEIGHTING_GH]));
    assert_true(c.ahead.count == 2 && c.ahead.line[0].both == 0 && c.ahead.line[1].both == 1);
    CHECK_CLOSE(c.ahead.line[0].loss, 4 * 9, 1e-12);
    assert_true(isnan(c.ahead.line[0].held_of_R) && isnan(c.ahead.line[0].off));
    CHECK_CLOSE(c.ahead.line[1].loss_of_R, 11, 1e-12);
    CHECK_CLOSE(c.ahead.line[1].off, 16.0 / 22 - 0.5, 1e-12);
    prediction_rows rows = { 0 };
    size_t a_priori = 0;
    CHECK_OK(predictions_make(&e, &rows));
    for (size_t i = 0; i < rows.count; i++)
        a_priori += strcmp(rows.row[i].metric, "a_priori") == 0;
    assert_true(a_priori == 3 * (5 + 2) && rows.count == a_priori + 3 * 2); /* ranks 1, 2, 4 */
    free(rows.row);
    comparison_free(&c);
    evidence_free(&e);
}

/* ---- starts ---- */

/* From zero, R's top is met by chance; from loftq the start is made of it.  A mean of both says
 * nothing of either. */
static void overlaps_are_told_by_start(void **state)
{
    (void)state;
    evidence e;
    comparison c;
    result_file *f = file_begin("starts.h5");
    put_model(f, "m", "aa", "folder");
    put_spectra(f, specs[0], LAYERS);
    const size_t weights = LAYERS * SIDE * SIDE;
    for (size_t rank = 1; rank <= 2; rank++) {
        put_layers(f, put_run(f, "m", specs[0], "zero", rank, weights, 0.4), 0, LAYERS, rank, 0.25);
        put_layers(f, put_run(f, "m", specs[0], "loftq", rank, weights, 0.8), 0, LAYERS, rank,
                   0.99);
    }
    file_end(f);
    take(&e, "starts.h5");
    CHECK_OK(comparison_make(&e, 100, 0, &c));
    assert_int_equal(c.rank, SIDE); /* no layer has 100 */
    assert_int_equal(c.starts.starts, 2);
    for (size_t i = 0; i < 2; i++) {
        const start *s = &c.starts.start[i];
        const double want = strcmp(s->init, "zero") == 0 ? 0.25 : 0.99;
        assert_true(s->layers == 2 * LAYERS && s->clusters == LAYERS && s->overlaps == 1);
        CHECK_CLOSE(s->overlap[0].left.value, want, 1e-12);
        CHECK_CLOSE(s->overlap[0].left.low, want, 1e-12);
        CHECK_CLOSE(s->overlap[0].random_left, 0.25, 1e-12);
        CHECK_CLOSE(s->rank, 1.5, 1e-12);
        CHECK_CLOSE(s->share, 1.125, 1e-12); /* median of 1.5/1 and 1.5/2: of the adapter's rank */
    }
    char *words = comparison_verdict(&e, &c);
    assert_non_null(strstr(words, "from zero by"));
    assert_non_null(strstr(words, "from loftq by"));
    assert_non_null(strstr(words, "too few to tell predictions apart"));
    free(words);
    json_t *o = as_json(&e, &c);
    assert_int_equal(json_array_size(json_object_get(o, "overlaps")), 2);
    const json_t *trained = json_object_get(o, "trained");
    assert_int_equal(json_array_size(json_object_get(trained, "by_start")), 2);
    assert_true(json_is_true(json_object_get(trained, "pooled")));
    json_decref(o);
    comparison_free(&c);
    evidence_free(&e);
}

/* Four runs in perfect order are no certainty: an estimate without interval. */
static void few_runs(void **state)
{
    (void)state;
    evidence e;
    points p;
    result_file *f = file_begin("few.h5");
    put_model(f, "m", "aa", "folder");
    for (size_t i = 0; i < 4; i++) {
        put_spectra(f, specs[i], 2);
        put_layers(f, put_run(f, "m", specs[i], "zero", i, 2 * SIDE * SIDE, 0.1 + 0.2 * (double)i),
                   0, 2, i, 0);
    }
    file_end(f);
    take(&e, "few.h5");
    CHECK_OK(points_make(&e, POINTS_TRAINED, 0, &p));
    const rsd_association *a = &p.all.of[RSD_WEIGHTING_NONE];
    assert_true(a->n == 4 && a->clusters == 4);
    CHECK_CLOSE(a->spearman.value, 1, 1e-12);
    assert_true(isnan(a->spearman.low) && isnan(a->spearman.high) && isnan(a->error.low));
    points_free(&p);
    evidence_free(&e);
}

/* Two starts on the same windows: b is .1 below a in each, whatever the windows' own losses are. */
static void starts_are_paired(void **state)
{
    (void)state;
    enum { WINDOWS = 12 };
    evidence e;
    duels d;
    double a[WINDOWS], b[WINDOWS];
    result_file *f = file_begin("duels.h5");
    put_model(f, "m", "aa", "folder");
    for (size_t rank = 1; rank <= 3; rank++) {
        for (size_t w = 0; w < WINDOWS; w++) {
            a[w] = 2 + sin(3.7 * (double)w);
            b[w] = a[w] - 0.1 * (double)rank;
        }
        put_windows(f, put_run(f, "m", specs[0], "zero", rank, 0, 0.1), "window_loss_trained", a,
                    WINDOWS);
        put_windows(f, put_run(f, "m", specs[0], "kfac", rank, 0, 0.2), "window_loss_trained", b,
                    WINDOWS);
    }
    put_run(f, "m", specs[0], "lorc", 1, 0, 0.2); /* a file without its windows: no pair */
    file_end(f);
    take(&e, "duels.h5");
    CHECK_OK(duels_make(&e, true, &d));
    assert_int_equal(d.count, 1);
    assert_string_equal(d.item[0].better, "kfac");
    assert_string_equal(d.item[0].worse, "zero");
    assert_true(d.item[0].runs == 3 && d.item[0].wins == 3 && d.item[0].losses == 0);
    CHECK_CLOSE(d.item[0].difference.mean, 0.2, 1e-12);
    CHECK_CLOSE(d.item[0].difference.se, 0, 1e-12);
    duels_free(&d);
    evidence_free(&e);
}

/* ---- layers ---- */

/* Sizes order the quantizers and nothing else; within each, the loss goes against the size.  Some
 * losses fall: they have ranks, and are not on the line. */
static void which_layer_hurts_is_told_within_a_quantizer(void **state)
{
    (void)state;
    evidence e;
    points p;
    result_file *f = file_begin("singles.h5");
    put_model(f, "m", "aa", "folder");
    for (int s = 0; s < 4; s++)
        for (int l = 0; l < LAYERS; l++) {
            double R[SIDE] = { 0 };
            R[0] = pow(10, s) * (1 + 0.01 * l);
            put_residual(f, "m", name_of(l), 0, specs[s], RSD_WEIGHTING_NONE, R, SIDE);
            put_single(f, "m", name_of(l), 0, specs[s],
                       s == 0 && l == LAYERS - 1 ? -1e-3 : pow(100, s) * (LAYERS - l));
        }
    file_end(f);
    take(&e, "singles.h5");
    CHECK_OK(points_make(&e, POINTS_LAYERS, 0, &p));
    const rsd_association *a = &p.all.of[RSD_WEIGHTING_NONE];
    assert_true(p.count == 4 * LAYERS && p.parts == 4 && a->clusters == LAYERS);
    assert_true(a->n == 4 * LAYERS && a->line == 4 * LAYERS - 1 && a->groups == 4);
    CHECK_CLOSE(a->within.value, -1, 1e-12);
    assert_true(a->within.high > -1 && a->within.high < -0.8);
    assert_true(a->spearman.value > 0.8); /* pooled: of quantizers */
    for (size_t i = 0; i < 4; i++)
        CHECK_CLOSE(p.part[i].of[RSD_WEIGHTING_NONE].spearman.value, -1, 1e-12);
    points_free(&p);
    evidence_free(&e);
}

/* Ten layers under four quantizers are ten: as wide an interval as under one. */
static void layers_count_once(void **state)
{
    (void)state;
    double width[2];
    for (int many = 0; many < 2; many++) {
        evidence e;
        comparison c;
        rsd_rng *rng;
        result_file *f = file_begin("once.h5");
        CHECK_OK(rsd_rng_alloc(3, "layers", &rng));
        put_model(f, "m", "aa", "folder");
        for (int l = 0; l < LAYERS; l++) {
            const double top = 1 + rsd_rng_uniform(rng);
            const double R[SIDE] = { 1, 1, 1, 1 }, RH[SIDE] = { 2 * top, 1, 1, 1 };
            for (int s = 0; s < (many ? 4 : 1); s++) {
                put_residual(f, "m", name_of(l), 0, specs[s], RSD_WEIGHTING_NONE, R, SIDE);
                put_residual(f, "m", name_of(l), 0, specs[s], RSD_WEIGHTING_H, RH, SIDE);
                put_null(f, "m", name_of(l), specs[s], RSD_WEIGHTING_NONE, "sign_flip", NAN, R,
                         SIDE);
                put_null(f, "m", name_of(l), specs[s], RSD_WEIGHTING_H, "sign_flip", 4, RH, SIDE);
            }
        }
        file_end(f);
        take(&e, "once.h5");
        CHECK_OK(comparison_make(&e, 1, 0, &c));
        assert_true(c.verdict.clusters == LAYERS && c.verdict.cause == RSD_PART_DATA);
        const rsd_interval *data = &c.verdict.part[RSD_PART_DATA];
        width[many] = data->high - data->low;
        comparison_free(&c);
        evidence_free(&e);
        rsd_rng_free(rng);
    }
    CHECK_CLOSE(width[1], width[0], 0.05 * width[0]);
}

/* ---- the verdict ---- */

/* Layers of one quantizer: R flat as noise; in the weightings as its null, but for GRH, which is
 * `own` beside a null of twice its energy.  old: the null of R alone. */
static void put_judged(result_file *f, const char *spec, const double *own, bool old)
{
    static const rsd_weighting_kind kind[] = { RSD_WEIGHTING_NONE, RSD_WEIGHTING_H, RSD_WEIGHTING_G,
                                               RSD_WEIGHTING_GH };
    for (int l = 0; l < LAYERS; l++)
        for (int k = 0; k < 4; k++) {
            const double *null = k == 0 ? flat : steep, *R = k == 3 ? own : null;
            put_residual(f, "m", name_of(l), 0, spec, kind[k], R, SIDE);
            if (k == 0 || !old)
                put_null(f, "m", name_of(l), spec, kind[k], "sign_flip", k == 3 ? 44 : 22, null,
                         SIDE);
        }
}

static char *words_of(const char *name, comparison *c)
{
    evidence e;
    take(&e, name);
    CHECK_OK(comparison_make(&e, 1, 0, c));
    char *words = comparison_verdict(&e, c);
    evidence_free(&e);
    return words;
}

/* What is below its null is said to be, by name, and is no cause. */
static void below_and_beyond_the_null(void **state)
{
    (void)state;
    static const double less[] = { 3, 2, 2, 2 }, more[] = { 6, 1, 1, 1 };
    comparison c;
    result_file *f = file_begin("below.h5");
    put_model(f, "m", "aa", "folder");
    put_judged(f, "int:bits=3", less, false);
    put_judged(f, "nf:bits=2", more, false);
    put_judged(f, "nf:bits=4", steep, false);
    file_end(f);
    char *words = words_of("below.h5", &c);
    assert_non_null(strstr(words, "It is the"));
    assert_non_null(
        strstr(words, "Below its null lies int:bits=3 of m, -30 points [-30,-30] (energy 0.48 of"));
    assert_non_null(
        strstr(words, "Beyond its null lies nf:bits=2 of m, +20 points [+20,+20] (energy 0.89 of"));
    assert_null(strstr(words, "nf4"));
    assert_null(strstr(words, "No null"));
    assert_int_equal(c.judged_by[RSD_NULL_SIGN_FLIP], 3 * LAYERS);
    free(words);
    comparison_free(&c);
}

/* Of a file without nulls in the weightings neither data nor loss is said to be anything. */
static void files_of_old(void **state)
{
    (void)state;
    evidence e;
    comparison c;
    result_file *f = file_begin("old.h5");
    put_model(f, "m", "aa", "folder");
    put_judged(f, specs[0], steep, true);
    file_end(f);
    take(&e, "old.h5");
    CHECK_OK(comparison_make(&e, 1, 0, &c));
    char *words = comparison_verdict(&e, &c);
    assert_null(strstr(words, "It is the data"));
    assert_null(strstr(words, "inputs"));
    assert_non_null(strstr(words, "Of the energy of R rank 1 holds 25 %"));
    assert_non_null(strstr(words, "No null is known of R H^1/2 (10 layers), G^1/2 R (10 layers), "
                                  "G^1/2 R H^1/2 (10 layers)"));
    assert_non_null(strstr(words, "analyze again with this version"));
    free(words);
    json_t *o = as_json(&e, &c);
    const json_t *shares = json_object_get(o, "shares");
    assert_string_equal(json_string_value(json_object_get(shares, "of")), "R");
    assert_true(json_is_null(json_object_get(shares, "data")));
    const json_t *missing = json_object_get(json_object_get(o, "nulls"), "missing");
    assert_int_equal(json_integer_value(json_object_get(missing, "GRH")), LAYERS);
    json_decref(o);
    comparison_free(&c);
    evidence_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_predicted_from_their_layers),
        cmocka_unit_test(runs_are_predicted_without_residuals),
        cmocka_unit_test(overlaps_are_told_by_start),
        cmocka_unit_test(few_runs),
        cmocka_unit_test(starts_are_paired),
        cmocka_unit_test(which_layer_hurts_is_told_within_a_quantizer),
        cmocka_unit_test(layers_count_once),
        cmocka_unit_test(below_and_beyond_the_null),
        cmocka_unit_test(files_of_old),
    };
    return cmocka_run_group_tests_name("comparison", tests, scratch_make, scratch_remove);
}
