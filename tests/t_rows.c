/* result/rows and the table /spectra: what is written is read back; columns in another order, of
 * another width, missing, of the wrong type; words that nobody knows. */
#include "result/rows.h"

#include "result/spectra_table.h"
#include "scratch.h"

enum { GREEN, RED };
static const char *const colours[] = { "green", "red", NULL };

typedef struct {
    const char *name;
    int64_t count;
    double weight;
    int colour;
    const char *note;
} fruit;

static const rows_field fields[] = { ROWS_TEXT(fruit, name, "what it is called")               /* */
                                     ROWS_INTEGER(fruit, count, "fruit", "how many there are") /* */
                                     ROWS_REAL(fruit, weight, "g", "of all of them")           /* */
                                     ROWS_WORD(fruit, colour, colours, "green or red")         /* */
                                     ROWS_TEXT(fruit, note, "anything else") };
static const fruit blank = { .count = 7, .weight = NAN };
static const rows_schema schema = {
    .path = "/fruit",
    .description = "one row per kind",
    .field = fields,
    .fields = 5,
    .size = sizeof(fruit),
    .needed = 1,
    .blank = &blank,
};

static rsd_store *store_of(const char *name, rsd_store_mode mode)
{
    rsd_store *s;
    CHECK_OK(rsd_store_open(in_scratch(name), mode, &s));
    return s;
}

/* A file that holds this table at /fruit, open for reading. */
static rsd_store *file_with(const rsd_column *columns, size_t count, const rsd_value *values,
                            size_t rows)
{
    rsd_store *s = store_of("table.h5", RSD_STORE_CREATE);
    CHECK_OK(rsd_store_table(s, "/fruit", "d", columns, count, values, rows));
    CHECK_OK(rsd_store_close(s));
    return store_of("table.h5", RSD_STORE_READ);
}

static void test_round_trip(void **state)
{
    (void)state;
    const fruit some[] = { { "apple", 3, 450.5, RED, "Grüße" },
                           { "", INT64_MIN, NAN, GREEN, NULL } };
    rsd_store *s = store_of("round.h5", RSD_STORE_CREATE);
    CHECK_OK(rows_write(&schema, s, some, 2));
    CHECK_OK(rsd_store_close(s));

    s = store_of("round.h5", RSD_STORE_READ);
    fruit *got;
    size_t count;
    CHECK_OK(rows_read(&schema, s, &got, &count));
    assert_int_equal(count, 2);
    assert_string_equal(got[0].name, "apple");
    assert_int_equal(got[0].count, 3);
    CHECK_CLOSE(got[0].weight, 450.5, 0);
    assert_int_equal(got[0].colour, RED);
    assert_string_equal(got[0].note, "Grüße");
    assert_string_equal(got[1].name, "");
    assert_true(got[1].count == INT64_MIN);
    assert_true(isnan(got[1].weight));
    assert_int_equal(got[1].colour, GREEN);
    assert_string_equal(got[1].note, "");
    rows_free(&schema, got, count);
    CHECK_OK(rsd_store_close(s));
}

static void test_no_table(void **state)
{
    (void)state;
    fruit *got;
    size_t count = 5;
    rsd_store *s = store_of("empty.h5", RSD_STORE_CREATE);
    CHECK_OK(rows_read(&schema, s, &got, &count));
    assert_null(got);
    assert_int_equal(count, 0);
    CHECK_OK(rows_write(&schema, s, NULL, 0)); /* no rows are a table too */
    CHECK_OK(rows_read(&schema, s, &got, &count));
    assert_int_equal(count, 0);
    rows_free(&schema, got, count);
    CHECK_OK(rsd_store_close(s));
}

/* Another order, an unknown column, numbers of the other kind, columns left out. */
static void test_other_columns(void **state)
{
    (void)state;
    static const rsd_column columns[] = { { "taste", "", "", RSD_COLUMN_TEXT },
                                          { "weight", "g", "", RSD_COLUMN_INT },
                                          { "count", "", "", RSD_COLUMN_REAL },
                                          { "name", "", "", RSD_COLUMN_TEXT } };
    const rsd_value values[] = {
        { .text = "sour" }, { .integer = 12 }, { .real = 4 }, { .text = "lime" }
    };
    fruit *got;
    size_t count;
    rsd_store *s = file_with(columns, 4, values, 1);
    CHECK_OK(rows_read(&schema, s, &got, &count));
    assert_int_equal(count, 1);
    assert_string_equal(got->name, "lime");
    assert_int_equal(got->count, 4);
    CHECK_CLOSE(got->weight, 12, 0);
    assert_int_equal(got->colour, GREEN);
    assert_string_equal(got->note, "");
    rows_free(&schema, got, count);
    CHECK_OK(rsd_store_close(s));

    s = file_with(columns + 3, 1, values + 3, 1);
    CHECK_OK(rows_read(&schema, s, &got, &count));
    assert_int_equal(got->count, 7); /* the blank's */
    assert_true(isnan(got->weight));
    rows_free(&schema, got, count);
    CHECK_OK(rsd_store_close(s));
}

static void refused(const rsd_column *columns, size_t count, const rsd_value *values,
                    const char *text)
{
    fruit *got;
    size_t rows = 9;
    rsd_store *s = file_with(columns, count, values, 1);
    CHECK_FAILS(rows_read(&schema, s, &got, &rows), RSD_EFORMAT, text);
    assert_non_null(strstr(rsd_errmsg(), "table.h5: /fruit"));
    assert_null(got);
    assert_int_equal(rows, 0);
    CHECK_OK(rsd_store_close(s));
}

static void test_wrong_tables(void **state)
{
    (void)state;
    const rsd_column name = { "name", "", "", RSD_COLUMN_TEXT };
    const rsd_value lime = { .text = "lime" }, twelve = { .text = "twelve" };
    const rsd_value half = { .real = 0.5 }, none = { .real = NAN }, much = { .real = 0x1p63 };

    refused(&(rsd_column){ "note", "", "", RSD_COLUMN_TEXT }, 1, &lime, "column name is not there");
    refused(&(rsd_column){ "name", "", "", RSD_COLUMN_REAL }, 1, &half,
            "column name holds numbers, want texts");
    refused((rsd_column[]){ name, { "weight", "", "", RSD_COLUMN_TEXT } }, 2,
            (rsd_value[]){ lime, twelve }, "column weight holds texts, want numbers");
    refused((rsd_column[]){ name, { "colour", "", "", RSD_COLUMN_INT } }, 2,
            (rsd_value[]){ lime, { .integer = 1 } }, "column colour holds numbers, want texts");
    refused((rsd_column[]){ name, { "colour", "", "", RSD_COLUMN_TEXT } }, 2,
            (rsd_value[]){ lime, { .text = "blue" } }, "column colour holds 'blue'");
    const rsd_column columns[] = { name, { "count", "", "", RSD_COLUMN_REAL } };
    refused(columns, 2, (rsd_value[]){ lime, half }, "column count holds a number that is no");
    refused(columns, 2, (rsd_value[]){ lime, none }, "column count holds a number that is no");
    refused(columns, 2, (rsd_value[]){ lime, much }, "column count holds a number that is no");
}

static void test_numbers_by_name(void **state)
{
    (void)state;
    const fruit f = { "apple", 3, 450.5, RED, "" };
    CHECK_CLOSE(rows_number(rows_find(&schema, "count"), &f), 3, 0);
    CHECK_CLOSE(rows_number(rows_find(&schema, "weight"), &f), 450.5, 0);
    assert_true(isnan(rows_number(rows_find(&schema, "name"), &f)));
    assert_true(isnan(rows_number(rows_find(&schema, "colour"), &f)));
    assert_null(rows_find(&schema, "colours"));
}

/* ---- /spectra ---- */

static spectra_row spectrum(const char *tensor, const char *spec, spectrum_what what)
{
    spectra_row r = *(const spectra_row *)spectra_schema.blank;
    r.model = "m";
    r.tensor = tensor;
    r.role = "q";
    r.layer = 3;
    r.rows = 64;
    r.cols = 48;
    r.spec = spec;
    r.what = what;
    r.method = "gram";
    r.complete = 1;
    r.error_bound = 1e-9;
    r.seconds = 0.25;
    r.metrics.frobenius = 2;
    r.metrics.detx_count = 5;
    r.relation.excess_marchenko_pastur = -0.125;
    return r;
}

static void test_spectra(void **state)
{
    (void)state;
    spectra_rows rows = { 0 }, got;
    for (int what = SPECTRUM_W; what < SPECTRUM_KINDS; what++) {
        char tensor[] = "a/b"; /* texts are copied */
        const spectra_row r =
            spectrum(tensor, what == SPECTRUM_W ? "" : "nf:bits=4", (spectrum_what)what);
        CHECK_OK(spectra_add(&rows, &r));
        tensor[0] = 'x';
    }
    rsd_store *s = store_of("spectra.h5", RSD_STORE_CREATE);
    CHECK_OK(spectra_write(&rows, s));
    CHECK_OK(rsd_store_close(s));

    s = store_of("spectra.h5", RSD_STORE_READ);
    CHECK_OK(spectra_read(s, &got));
    assert_int_equal(got.count, SPECTRUM_KINDS);
    for (size_t i = 0; i < got.count; i++) {
        const spectra_row *r = &got.row[i];
        assert_true(spectra_same(r, &rows.row[i]));
        assert_false(i && spectra_same(r, &rows.row[0]));
        assert_string_equal(r->tensor, "a/b");
        assert_string_equal(r->method, "gram");
        assert_int_equal(r->layer, 3);
        CHECK_CLOSE(r->metrics.frobenius, 2, 0);
        CHECK_CLOSE(r->relation.excess_marchenko_pastur, -0.125, 0);
        CHECK_CLOSE(spectra_number(r, "detx_count"), 5, 0);
        CHECK_CLOSE(spectra_number(r, "rows"), 64, 0);
        assert_true(isnan(spectra_number(r, "leak")));
        assert_true(isnan(spectra_number(r, "no such column")));
    }
    assert_true(isnan(spectra_number(NULL, "rows")));
    spectra_free(&got);
    spectra_free(&rows);
    CHECK_OK(rsd_store_close(s));
}

/* The order of the columns is that of files since the first. */
static void test_spectra_columns(void **state)
{
    (void)state;
    static const char *const first[] = { "model",       "tensor",  "role",     "layer",  "rows",
                                         "cols",        "spec",    "what",     "method", "complete",
                                         "error_bound", "seconds", "frobenius" };
    assert_int_equal(spectra_schema.needed, 8);
    for (size_t c = 0; c < sizeof first / sizeof *first; c++)
        assert_string_equal(spectra_schema.field[c].column.name, first[c]);
    assert_string_equal(spectra_schema.field[spectra_schema.fields - 1].column.name,
                        "null_energy_ratio");
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = { "W", "Wq", "R", "RdH", "RH", "GR", "GRH", NULL };
    for (size_t i = 0; names[i]; i++)
        assert_string_equal(spectrum_names[i], names[i]);
    assert_null(spectrum_names[SPECTRUM_KINDS]);
    for (int k = 0; k < RSD_WEIGHTINGS; k++) {
        const rsd_weighting_kind kind = (rsd_weighting_kind)k;
        assert_string_equal(spectrum_names[spectrum_seen(kind)], rsd_weighting_name(kind));
        assert_int_equal(spectrum_weighting(spectrum_seen(kind)), kind);
    }
    assert_int_equal(spectrum_weighting(SPECTRUM_WQ), RSD_WEIGHTINGS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_no_table),
        cmocka_unit_test(test_other_columns),   cmocka_unit_test(test_wrong_tables),
        cmocka_unit_test(test_numbers_by_name), cmocka_unit_test(test_spectra),
        cmocka_unit_test(test_spectra_columns), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
