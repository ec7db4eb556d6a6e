/* Result files joined: which source's groups and rows count, and what --force leaves out. */
#include "test.h"

#include "result/provenance.h"
#include "result/rows.h"
#include "result/union.h"
#include "scratch.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *model, *tensor, *spec, *what;
    double seconds, late; /* late: a column that older programs do not write */
} row;

static const rows_field fields[] = { ROWS_TEXT(row, model, "") ROWS_TEXT(row, tensor, "")
                                         ROWS_TEXT(row, spec, "") ROWS_TEXT(row, what, "")
                                             ROWS_REAL(row, seconds, "s", "")
                                                 ROWS_REAL(row, late, "1", "") };
static const row blank = { .seconds = NAN, .late = NAN };
static const rows_schema with_late = {
    "/spectra", "one row per spectrum", fields, 6, sizeof(row), 4, &blank
};
static const rows_schema without = { "/spectra", "one row per spectrum", fields, 5, sizeof(row), 4,
                                     &blank };

static void put_model(rsd_store *s, const char *name, const char *sha)
{
    result_model m = { .name = name, .source = "x", .architecture = "a", .config = "{}" };
    snprintf(m.sha256, sizeof m.sha256, "%s", sha);
    CHECK_OK(result_model_write(s, &m));
}

/* A group with a mark that says which source it is of. */
static void put_group(rsd_store *s, const char *path, const char *mark)
{
    CHECK_OK(rsd_store_group(s, path));
    CHECK_OK(rsd_store_set_text(s, path, "mark", mark));
}

static void put_matrix(rsd_store *s, const char *path, const char *status, const char *mark)
{
    put_group(s, path, mark);
    CHECK_OK(rsd_store_set_text(s, path, "status", status));
}

static rsd_store *create(const char *name)
{
    rsd_store *s;
    CHECK_OK(rsd_store_open(in_scratch(name), RSD_STORE_CREATE, &s));
    return s;
}

static void check_mark(const rsd_store *s, const char *path, const char *name, const char *want)
{
    char *text;
    CHECK_OK(rsd_store_get_text(s, path, name, &text));
    assert_string_equal(text, want);
    free(text);
}

static const char M[] = "/models/m/matrices/t", N[] = "/models/m/matrices/u";

static void write_old(const char *name)
{
    rsd_store *s = create(name);
    CHECK_OK(rsd_store_set_int(s, "/", "complete", 1));
    put_model(s, "m", "aaaa");
    put_matrix(s, M, "ok", "old");
    put_group(s, "/models/m/matrices/t/W", "old");
    put_group(s, "/models/m/matrices/t/quantized/q1", "old");
    put_group(s, "/models/m/matrices/t/quantized/q1/R", "old");
    put_group(s, "/models/m/matrices/t/H", "old");
    put_group(s, "/recovery/m_run", "old");
    const row rows[] = { { "m", "t", "", "W", 1, 0 }, { "m", "t", "q1", "R", 2, 0 } };
    CHECK_OK(rows_write(&without, s, rows, 2));
    CHECK_OK(rsd_store_close(s));
}

static void write_new(const char *name, const char *sha)
{
    rsd_store *s = create(name);
    put_model(s, "m", sha);
    put_matrix(s, N, "ok", "new");
    put_matrix(s, M, "ok", "new");
    put_group(s, "/models/m/matrices/t/W", "new");
    put_group(s, "/models/m/matrices/t/quantized/q1/GRH", "new");
    put_group(s, "/models/m/matrices/t/quantized/q2", "new");
    put_group(s, "/recovery/m_run", "new");
    const row rows[] = { { "m", "u", "", "W", 7, 7 },
                         { "m", "t", "", "W", 8, 8 },
                         { "m", "t", "q2", "R", 9, 9 } };
    CHECK_OK(rows_write(&with_late, s, rows, 3));
    CHECK_OK(rsd_store_close(s));
}

static int join(const union_forget *forget, rsd_store **out)
{
    const char *const sources[] = { in_scratch("old.h5"), in_scratch("new.h5") };
    const char *const order[] = { M, N };
    const union_order o = { order, 2, false };
    rsd_store *to = create("all.h5");
    const int err = union_write(sources, 2, forget, &o, to), closed = rsd_store_close(to);
    if (err || closed)
        return err ? err : closed;
    return rsd_store_open(in_scratch("all.h5"), RSD_STORE_READ, out);
}

static void members_join_and_spectra_stay(void **state)
{
    rsd_store *s;
    row *rows;
    size_t count;
    (void)state;
    write_old("old.h5");
    write_new("new.h5", "aaaa");
    CHECK_OK(join(&(union_forget){ 0 }, &s));
    check_mark(s, M, "mark", "new"); /* attributes of a matrix are the newest's */
    check_mark(s, "/models/m/matrices/t/W", "mark", "old");
    check_mark(s, "/models/m/matrices/t/H", "mark", "old");
    check_mark(s, "/models/m/matrices/t/quantized/q1/R", "mark", "old");
    check_mark(s, "/models/m/matrices/t/quantized/q1/GRH", "mark", "new");
    check_mark(s, "/models/m/matrices/t/quantized/q2", "mark", "new");
    check_mark(s, "/recovery/m_run", "mark", "new"); /* a run is the newest's as a whole */
    int64_t complete;
    CHECK_OK(rsd_store_get_int(s, "/", "complete", &complete));
    assert_int_equal(complete, 1);
    CHECK_OK(rows_read(&with_late, s, &rows, &count));
    assert_int_equal(count, 4);
    assert_string_equal(rows[0].tensor, "t"); /* in the order that was asked for */
    assert_true(rows[0].seconds == 1 && isnan(rows[0].late));
    assert_true(rows[1].seconds == 2 && rows[2].seconds == 9 && rows[3].seconds == 7);
    rows_free(&with_late, rows, count);
    CHECK_OK(rsd_store_close(s));
}

/* Whichever model was finished first, they come as the order's matrices do. */
static void models_come_in_the_order(void **state)
{
    static const char *const order[] = { "/models/b/matrices/t", "/models/a/matrices/t" };
    static const char *const file[] = { "first.h5", "second.h5" }, *const model[] = { "a", "b" };
    const union_order o = { order, 2, false };
    rsd_names names;
    (void)state;
    for (int i = 0; i < 2; i++) {
        rsd_store *s = create(file[i]);
        put_model(s, model[i], "aaaa");
        put_matrix(s, order[1 - i], "ok", "new");
        CHECK_OK(rsd_store_close(s));
    }
    const char *const sources[] = { NULL, in_scratch(file[0]), in_scratch(file[1]) };
    rsd_store *to = create("ordered.h5");
    CHECK_OK(union_write(sources, 3, &(union_forget){ 0 }, &o, to));
    CHECK_OK(rsd_store_names(to, "/models", &names));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.name[0], "b");
    assert_string_equal(names.name[1], "a");
    rsd_names_free(&names);
    CHECK_OK(rsd_store_close(to));
}

/* What calibrate knows of a matrix does not hide that it was analyzed. */
static void calibrated_yields(void **state)
{
    rsd_store *s;
    (void)state;
    write_old("old.h5");
    s = create("new.h5");
    put_model(s, "m", "aaaa");
    put_matrix(s, M, "calibrated", "new");
    put_group(s, "/models/m/matrices/t/G", "new");
    CHECK_OK(rsd_store_close(s));
    CHECK_OK(join(&(union_forget){ 0 }, &s));
    check_mark(s, M, "status", "ok");
    check_mark(s, "/models/m/matrices/t/G", "mark", "new");
    CHECK_OK(rsd_store_close(s));
}

static const char *const analysis[] = { "/models/*/matrices/*/W", "/models/*/matrices/*/quantized",
                                        "/spectra", NULL };

static void force_forgets_what_the_command_writes(void **state)
{
    rsd_store *s;
    row *rows;
    size_t count;
    (void)state;
    write_old("old.h5");
    s = create("new.h5");
    put_model(s, "other", "bbbb");
    CHECK_OK(rsd_store_close(s));
    CHECK_OK(join(&(union_forget){ .writes = analysis, .models = true }, &s));
    check_mark(s, M, "status", "calibrated"); /* its moments are left */
    assert_false(rsd_store_exists(s, "/models/m/matrices/t/W"));
    assert_false(rsd_store_exists(s, "/models/m/matrices/t/quantized"));
    check_mark(s, "/models/m/matrices/t/H", "mark", "old");
    check_mark(s, "/recovery/m_run", "mark", "old");
    CHECK_OK(rows_read(&with_late, s, &rows, &count));
    assert_int_equal(count, 0);
    rows_free(&with_late, rows, count);
    CHECK_OK(rsd_store_close(s));
}

static void other_weights_are_refused_or_replace(void **state)
{
    rsd_store *s;
    row *rows;
    size_t count;
    (void)state;
    write_old("old.h5");
    write_new("new.h5", "bbbb");
    CHECK_FAILS(join(&(union_forget){ 0 }, &s), RSD_EUSAGE, "another model called m");
    CHECK_OK(join(&(union_forget){ .writes = analysis, .models = true }, &s));
    check_mark(s, "/models/m", "sha256", "bbbb");
    check_mark(s, "/models/m/matrices/t/W", "mark", "new");
    assert_false(rsd_store_exists(s, "/models/m/matrices/t/H")); /* it was of the other weights */
    CHECK_OK(rows_read(&with_late, s, &rows, &count));
    assert_int_equal(count, 3);
    rows_free(&with_late, rows, count);
    CHECK_OK(rsd_store_close(s));
}

static void patterns_match_by_component(void **state)
{
    (void)state;
    assert_true(union_match("/models/*/matrices/*", "/models/m/matrices/a.b*", NULL));
    assert_false(union_match("/models/*/matrices/*", "/models/m/matrices", NULL));
    assert_false(union_match("/models/*", "/models/m/matrices", NULL));
    assert_true(union_match("/calibration/@", "/calibration/a\u2215b", "a\u2215b"));
    assert_false(union_match("/calibration/@", "/calibration/ab", "a"));
    assert_false(union_match("/calibration/@", "/calibration/a", NULL));
}

static void texts_agree_or_the_item_is_named(void **state)
{
    (void)state;
    CHECK_OK(provenance_agree("f", "a=1,b=2", "a=1,b=2"));
    CHECK_FAILS(provenance_agree("f", "a=1,b=2,c=3", "a=1,b=4,c=3"), RSD_EUSAGE,
                "f was made with 'b=2', this command says 'b=4'");
    CHECK_FAILS(provenance_agree("f", "a=1", "a=1,b=4"), RSD_EUSAGE, "b=4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_join_and_spectra_stay),
        cmocka_unit_test(models_come_in_the_order),
        cmocka_unit_test(calibrated_yields),
        cmocka_unit_test(force_forgets_what_the_command_writes),
        cmocka_unit_test(other_weights_are_refused_or_replace),
        cmocka_unit_test(patterns_match_by_component),
        cmocka_unit_test(texts_agree_or_the_item_is_named),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
