/* Which base stands beside a run, and who is said to win, out of files with known losses. */
#include "result/same_bytes.h"
#include "result/tables.h"
#include "result_file.h"

enum { WINDOWS = 24 };

/* Losses of text that is alike for all models, a fixed offset, and a little of their own. */
static void losses(double offset, double own, double phase, double *x)
{
    for (size_t i = 0; i < WINDOWS; i++)
        x[i] = 2 + sin(0.7 * (double)i) + offset + own * sin(2.1 * (double)i + phase);
}

static recovery_row *put_adapted(result_file *f, const char *model, const char *init, int64_t bytes,
                                 double offset)
{
    double x[WINDOWS];
    recovery_row *r = put_run(f, model, "nf3", init, 8, 1000, 0.5);
    r->kind = strdup(recovery_kind_name(RECOVERY_ADAPTERS));
    r->stored_bytes = bytes;
    r->bits_per_weight_total = (double)bytes / 125;
    losses(offset, 0.01, (double)bytes, x);
    put_windows(f, r, "window_loss_trained", x, WINDOWS);
    return r;
}

static recovery_row *put_base(result_file *f, const char *model, const char *base, int64_t bytes,
                              double offset, double probe)
{
    recovery_row *r = put_adapted(f, model, base, bytes, offset);
    free(r->kind);
    free(r->init);
    r->kind = strdup(recovery_kind_name(RECOVERY_SAME_BYTES));
    r->init = strdup("");
    r->same_bytes = strdup(base);
    r->control = 1;
    r->loss_probe = probe;
    return r;
}

static void take(same_bytes_list *list, const char *name)
{
    rsd_store *s;
    CHECK_OK(rsd_store_open(in_scratch(name), RSD_STORE_READ, &s));
    CHECK_OK(same_bytes_add(list, s));
    CHECK_OK(rsd_store_close(s));
}

static const same_bytes_row *row_of(const same_bytes_list *list, const char *init)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->row[i].init, init) == 0)
            return &list->row[i];
    fail_msg("no row of %s", init);
    return NULL;
}

static void write_example(const char *name)
{
    result_file *f = file_begin(name);
    put_model(f, "m", "aa", "folder");
    put_adapted(f, "m", "better", 400, -0.2);
    put_adapted(f, "m", "worse", 400, 0.2);
    put_adapted(f, "m", "alike", 400, 0);
    put_adapted(f, "m", "small", 320, 0);
    put_adapted(f, "m", "tiny", 100, 0);
    put_adapted(f, "other", "alone", 400, 0);
    put_base(f, "m", "int4", 390, 0, 1.0);     /* the best that fits in 400 */
    put_base(f, "m", "mixed", 400, -0.5, 1.1); /* better on evaluation windows alone */
    put_base(f, "m", "int8", 500, -0.5, 0.5);  /* too large */
    put_base(f, "m", "nf2", 300, 0.4, 1.5);    /* what is left for 320 */
    file_end(f);
}

static void the_best_on_training_windows_that_fits(void **state)
{
    (void)state;
    same_bytes_list list = { 0 };
    write_example("a.h5");
    take(&list, "a.h5");
    assert_int_equal(list.count, 4);
    assert_int_equal(list.without, 1); /* tiny; the model without any base is not counted */
    assert_string_equal(row_of(&list, "better")->base, "int4");
    assert_string_equal(row_of(&list, "small")->base, "nf2");
    for (size_t i = 0; i < list.count; i++)
        assert_true(list.row[i].base_bytes <= list.row[i].bytes);
    same_bytes_free(&list);
}

static void who_wins(void **state)
{
    (void)state;
    same_bytes_list list = { 0 };
    write_example("b.h5");
    take(&list, "b.h5");
    const same_bytes_row *r = row_of(&list, "better");
    assert_string_equal(same_bytes_winner(&r->first), "correction");
    CHECK_CLOSE(r->first.pair.mean, -0.2, 0.01);
    CHECK_CLOSE(r->first.loss - r->first.base, r->first.pair.mean, 1e-12);
    assert_true(r->first.pair.n == WINDOWS && r->first.pair.below == WINDOWS);
    assert_true(r->first.pair.wilcoxon < 1e-6 && r->first.pair.sign < 1e-6);
    assert_string_equal(same_bytes_winner(&row_of(&list, "worse")->first), "base");
    assert_string_equal(same_bytes_winner(&row_of(&list, "alike")->first), "neither");
    assert_string_equal(same_bytes_winner(&row_of(&list, "small")->first), "correction");
    assert_string_equal(same_bytes_winner(&r->second), ""); /* no second text */
    const same_bytes_tally first = same_bytes_count(&list, false),
                           second = same_bytes_count(&list, true);
    assert_true(first.correction == 2 && first.base == 1 && first.neither == 1);
    assert_true(second.correction + second.base + second.neither == 0);
    same_bytes_free(&list);
}

static void a_copy_adds_nothing(void **state)
{
    (void)state;
    same_bytes_list list = { 0 };
    write_example("c.h5");
    write_example("d.h5");
    take(&list, "c.h5");
    take(&list, "d.h5");
    assert_int_equal(list.count, 4);
    same_bytes_free(&list);
}

/* Runs that failed, controls, and rows of a version that knew no kinds take no part. */
static void what_takes_no_part(void **state)
{
    (void)state;
    same_bytes_list list = { 0 };
    result_file *f = file_begin("e.h5");
    put_model(f, "m", "aa", "folder");
    put_base(f, "m", "int4", 390, 0, 1.0);
    recovery_row *failed = put_adapted(f, "m", "failed", 400, 0);
    free(failed->status);
    failed->status = strdup("failed");
    recovery_row *control = put_adapted(f, "m", "control", 400, 0);
    free(control->kind);
    control->kind = NULL;
    control->control = 1;
    recovery_row *old = put_adapted(f, "m", "old", 0, 0);
    free(old->kind);
    old->kind = NULL;
    file_end(f);
    take(&list, "e.h5");
    assert_int_equal(list.count, 0);
    assert_int_equal(list.without, 1);
    same_bytes_free(&list);
}

static void other_windows_are_refused(void **state)
{
    (void)state;
    same_bytes_list list = { 0 };
    rsd_store *s;
    double x[WINDOWS];
    result_file *f = file_begin("f.h5");
    put_model(f, "m", "aa", "folder");
    recovery_row *run = put_adapted(f, "m", "kfac", 400, 0);
    recovery_row *base = put_base(f, "m", "int4", 390, 0, 1.0);
    losses(0, 0, 0, x);
    put_windows(f, run, "window_second_trained", x, WINDOWS);
    put_windows(f, base, "window_second_trained", x, WINDOWS - 1);
    run->windows = base->windows = WINDOWS;
    file_end(f);
    CHECK_OK(rsd_store_open(in_scratch("f.h5"), RSD_STORE_READ, &s));
    CHECK_FAILS(same_bytes_add(&list, s), RSD_EFORMAT, "has 24 windows");
    CHECK_OK(rsd_store_close(s));
    same_bytes_free(&list);
}

/* ---- the table ---- */

typedef struct {
    size_t columns, rows;
    bool right;
} seen;

static int begin(void *context, const rsd_column *columns, size_t count)
{
    seen *s = context;
    s->columns = count;
    s->right = strcmp(columns[0].name, "model") == 0;
    return RSD_OK;
}

static int row(void *context, const rsd_value *v)
{
    seen *s = context;
    s->rows++;
    s->right = s->right && strcmp(v[0].text, "m") == 0 && v[4].integer >= v[8].integer;
    return RSD_OK;
}

static void as_a_table(void **state)
{
    (void)state;
    seen s = { 0 };
    const table_sink sink = { begin, row, &s };
    rsd_store *store;
    write_example("g.h5");
    CHECK_OK(rsd_store_open(in_scratch("g.h5"), RSD_STORE_READ, &store));
    CHECK_OK(table_emit(store, "recovery/same_bytes", &sink));
    CHECK_OK(rsd_store_close(store));
    assert_true(s.columns == 36 && s.rows == 4 && s.right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_on_training_windows_that_fits),
        cmocka_unit_test(who_wins),
        cmocka_unit_test(a_copy_adds_nothing),
        cmocka_unit_test(what_takes_no_part),
        cmocka_unit_test(other_windows_are_refused),
        cmocka_unit_test(as_a_table),
    };
    return cmocka_run_group_tests_name("same bytes", tests, scratch_make, scratch_remove);
}
