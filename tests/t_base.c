/* Errors, matrices, options, random streams, the scheduler. */
#include "err.h"
#include "mat.h"
#include "opt.h"
#include "par.h"
#include "rng.h"
#include "test.h"

#include <omp.h>

static void errors_keep_message_and_place(void **state)
{
    (void)state;
    assert_int_equal(RSD_FAIL(RSD_EDOM, "row %d\nof %s", 3, "W"), RSD_EDOM);
    assert_string_equal(rsd_errmsg(), "row 3\\x0aof W"); /* one line whatever a file's names hold */
    assert_non_null(strstr(rsd_errwhere(), "t_base.c:"));
    assert_int_equal(rsd_fail_prefix(RSD_EDOM, "%s", "model.x"), RSD_EDOM);
    assert_string_equal(rsd_errmsg(), "model.x: row 3\\x0aof W");
    RSD_FAIL(RSD_EDOM, "again: %s", rsd_errmsg()); /* the old message may be an argument */
    assert_string_equal(rsd_errmsg(), "again: model.x: row 3\\x0aof W");
    assert_string_equal(rsd_strerror(RSD_OK), "success");
    assert_string_equal(rsd_strerror(12345), "unknown error");
    assert_string_equal(rsd_strerror(-1), "unknown error");
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    RSD_FAIL(RSD_EIO, "%s", text);
    assert_true(strlen(rsd_errmsg()) < 1024);
    rsd_fail_prefix(RSD_EIO, "%s", text);
    assert_true(strlen(rsd_errmsg()) < 1024);
}

static void alloc_refuses_overflow(void **state)
{
    (void)state;
    rsd_mat A;
    CHECK_FAILS(rsd_mat_alloc(SIZE_MAX / 2, 4, &A), RSD_ENOMEM, "address space");
    assert_null(A.x);
    CHECK_FAILS(rsd_mat_alloc(SIZE_MAX / 64, 4, &A), RSD_ENOMEM, " bytes");
    CHECK_OK(rsd_mat_alloc(3, 5, &A));
    assert_int_equal((uintptr_t)A.x % 64, 0);
    rsd_mat_free(&A);
    rsd_mat_free(&A);
}

static void finiteness_names_the_element(void **state)
{
    (void)state;
    float x[3 * 5];
    for (int i = 0; i < 15; i++)
        x[i] = (float)sin(2.385 * i) * 3e38f;
    rsd_mat A = { x, 3, 4, 5 }; /* the fifth column is outside the view */
    x[4] = NAN;
    CHECK_OK(rsd_mat_check_finite(A));
    x[5 * 2 + 1] = -INFINITY;
    CHECK_FAILS(rsd_mat_check_finite(A), RSD_EDOM, "(2,1)");
    x[5 + 3] = NAN;
    CHECK_FAILS(rsd_mat_check_finite(A), RSD_EDOM, "(1,3)");
    x[5 + 3] = -0.0f;
    CHECK_FAILS(rsd_mat_check_finite(A), RSD_EDOM, "inf");
}

static void sums_respect_the_view(void **state)
{
    (void)state;
    float a[] = { 1, 2, 99, 3, 4, 99 }, b[] = { 5, 6, 7, 8 }, r[4];
    rsd_mat A = { a, 2, 2, 3 }, B = { b, 2, 2, 2 }, R = { r, 2, 2, 2 };
    assert_true(rsd_mat_sumsq(A) == 30);
    assert_true(rsd_mat_dot(A, B) == 5 + 12 + 21 + 32);
    rsd_mat_sub(A, B, R);
    const float want[] = { -4, -4, -4, -4 };
    assert_memory_equal(r, want, sizeof want);
    rsd_mat_copy(A, R);
    assert_true(r[2] == 3 && r[3] == 4);
}

typedef struct {
    bool flag;
    size_t size, group;
    double real;
    int choice;
    const char *text;
    rsd_list list;
} params;

/* clang-format off */
static const rsd_opt table[] = {
    { "flag", 0, RSD_OPT_FLAG, offsetof(params, flag), 0, 0, NULL, "" },
    { "size", 0, RSD_OPT_SIZE, offsetof(params, size), 1, 64, "columns", "" },
    { "group", 0, RSD_OPT_SIZE, offsetof(params, group), 1, 1024, "row|tensor", "" },
    { "real", 0, RSD_OPT_REAL, offsetof(params, real), -1, 2, "ratio", "" },
    { "choice", 0, RSD_OPT_CHOICE, offsetof(params, choice), 0, 0, "f32|bf16|auto", "" },
    { NULL, 0, 0, 0, 0, 0, NULL, NULL },
};
/* clang-format on */

/* clang-format off */
static const rsd_opt strings[] = {
    { "text", 0, RSD_OPT_STRING, offsetof(params, text), 0, 0, "FILE", "" },
    { "list", 0, RSD_OPT_LIST, offsetof(params, list), 0, 0, "GLOB", "" },
    { NULL, 0, 0, 0, 0, 0, NULL, NULL },
};
/* clang-format on */

/* A word in the place of a number; the last of .arg is the number's name and no word. */
static void real_words(void **state)
{
    (void)state;
    const rsd_opt row = { "lr", 0, RSD_OPT_REAL, 0, 0, 10, "auto|none|X", "" };
    double v = 0;
    char text[32];
    CHECK_OK(rsd_opt_set(&row, &v, "Auto"));
    assert_true(v == RSD_REAL_WORD(0));
    rsd_opt_value(&row, &v, text, sizeof text);
    assert_string_equal(text, "auto");
    CHECK_OK(rsd_opt_set(&row, &v, "none"));
    assert_true(v == RSD_REAL_WORD(1) && v != RSD_REAL_WORD(0));
    CHECK_OK(rsd_opt_set(&row, &v, "1e-3"));
    assert_true(v == 1e-3);
    rsd_opt_value(&row, &v, text, sizeof text);
    assert_string_equal(text, "0.001");
    CHECK_FAILS(rsd_opt_set(&row, &v, "X"), RSD_EUSAGE, "lr=X is neither a number nor one of auto");
    CHECK_FAILS(rsd_opt_set(&row, &v, "atuo"), RSD_EUSAGE, "'auto'?");
    CHECK_FAILS(rsd_opt_set(&row, &v, "-1e300"), RSD_EUSAGE, "at least 0 (0 to 10, or one of auto");
    CHECK_FAILS(rsd_opt_set(&row, &v, "1e-3x"), RSD_EUSAGE, "neither");
    assert_true(v == 1e-3);
}

static void options_parse_and_print(void **state)
{
    (void)state;
    params p = { .size = 4, .group = 128, .real = 0.5 };
    char text[128];
    CHECK_OK(rsd_opt_parse(table, &p, "group=row,flag,real=0.1,choice=auto"));
    assert_true(p.flag && p.group == RSD_WORD(0) && p.real == 0.1 && p.choice == 2 && p.size == 4);
    rsd_opt_format(table, &p, text, sizeof text);
    assert_string_equal(text, "flag,size=4,group=row,real=0.1,choice=auto");

    params again = { 0 };
    CHECK_OK(rsd_opt_parse(table, &again, text));
    assert_memory_equal(&p, &again, sizeof p);
    CHECK_OK(rsd_opt_parse(table, &p, "group=tensor,flag=0"));
    assert_true(rsd_opt_format(table, &p, text, sizeof text) == strlen(text));
    assert_string_equal(text, "size=4,group=tensor,real=0.1,choice=auto");

    char small[8]; /* the length that was needed is returned, what fits is written */
    assert_true(rsd_opt_format(table, &p, small, sizeof small) == strlen(text));
    assert_string_equal(small, "size=4,");
    CHECK_OK(rsd_opt_parse(table, &p, ""));
}

static void options_refuse(void **state)
{
    (void)state;
    params p = { 0 };
    CHECK_FAILS(rsd_opt_parse(table, &p, "size=65"), RSD_EUSAGE, "size=65: it must be at most 64");
    CHECK_FAILS(rsd_opt_parse(table, &p, "size=0"), RSD_EUSAGE, "size=0");
    CHECK_FAILS(rsd_opt_parse(table, &p, "size=-3"), RSD_EUSAGE, "size=-3: it must be at least 1");
    CHECK_FAILS(rsd_opt_parse(table, &p, "size=4x"), RSD_EUSAGE, "not a whole number");
    CHECK_FAILS(rsd_opt_parse(table, &p, "size=99999999999999999999999"), RSD_EUSAGE, "at most 64");
    CHECK_FAILS(rsd_opt_parse(table, &p, "size"), RSD_EUSAGE, "needs a value (columns)");
    CHECK_FAILS(rsd_opt_parse(table, &p, "group=col"), RSD_EUSAGE, "row|tensor");
    CHECK_FAILS(rsd_opt_parse(table, &p, "real=nan"), RSD_EUSAGE, "not a number");
    CHECK_FAILS(rsd_opt_parse(table, &p, "real=2.5"), RSD_EUSAGE, "at most 2");
    CHECK_FAILS(rsd_opt_parse(table, &p, "choice=f64"), RSD_EUSAGE, "f32|bf16|auto");
    CHECK_FAILS(rsd_opt_parse(table, &p, "flag=yes"), RSD_EUSAGE, "neither 0 nor 1");
    CHECK_FAILS(rsd_opt_parse(table, &p, "blok=64"), RSD_EUSAGE,
                "unknown key 'blok'; known: flag, size");
    CHECK_FAILS(rsd_opt_parse(table, &p, "size=4,size=5"), RSD_EUSAGE, "given twice");
    CHECK_FAILS(rsd_opt_parse(strings, &p, "text=x"), RSD_EUSAGE, "cannot be given inside");
}

static void options_take_strings_and_lists(void **state)
{
    (void)state;
    params p = { 0 };
    char text[64];
    CHECK_OK(rsd_opt_set(rsd_opt_find(strings, "text"), &p, "a.h5"));
    CHECK_OK(rsd_opt_set(rsd_opt_find(strings, "list"), &p, "*.q"));
    CHECK_OK(rsd_opt_set(rsd_opt_find(strings, "list"), &p, "*.k"));
    rsd_opt_value(&strings[1], &p, text, sizeof text);
    assert_string_equal(text, "*.q,*.k");
    assert_string_equal(p.text, "a.h5");
    assert_null(rsd_opt_find(strings, "none"));
    rsd_list_free(&p.list);
}

static void streams_depend_on_seed_and_key_only(void **state)
{
    (void)state;
    rsd_rng *a, *b, *c;
    float x[64], y[64], z[64];
    CHECK_OK(rsd_rng_alloc(7, "layer.0/R", &a));
    CHECK_OK(rsd_rng_alloc(7, "layer.0/R", &b));
    CHECK_OK(rsd_rng_alloc(7, "layer.1/R", &c));
    rsd_rng_normals(a, x, 64);
    rsd_rng_normals(b, y, 64);
    rsd_rng_normals(c, z, 64);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, z, sizeof x);
    assert_true(rsd_seed(7, "a") != rsd_seed(8, "a") && rsd_seed(7, "a") != rsd_seed(7, "b"));
    rsd_rng_free(a);
    rsd_rng_free(b);
    rsd_rng_free(c);
}

static void distributions_have_their_moments(void **state)
{
    (void)state;
    enum { N = 40000 };
    rsd_rng *rng;
    double mean = 0, square = 0, bits = 0, t2 = 0;
    CHECK_OK(rsd_rng_alloc(1, "moments", &rng));
    for (int i = 0; i < N; i++) {
        const double x = rsd_rng_normal(rng), t = rsd_rng_student_t(rng, 10);
        mean += x / N;
        square += x * x / N;
        t2 += t * t / N;
        bits += __builtin_popcount(rsd_rng_bits(rng)) / (32.0 * N);
    }
    rsd_rng_free(rng);
    CHECK_CLOSE(mean, 0, 5 / sqrt(N));
    CHECK_CLOSE(square, 1, 5 * sqrt(2.0 / N));
    CHECK_CLOSE(t2, 10.0 / 8, 5 * sqrt(3.5 / N)); /* var of t^2 is 3.13 at nu = 10 */
    CHECK_CLOSE(bits, 0.5, 5 * sqrt(0.25 / (32.0 * N)));
}

static void shuffle_permutes(void **state)
{
    (void)state;
    rsd_rng *rng;
    float x[1000];
    double sum = 0, squares = 0;
    int fixed = 0;
    CHECK_OK(rsd_rng_alloc(1, "shuffle", &rng));
    for (int i = 0; i < 1000; i++)
        x[i] = (float)i;
    rsd_rng_shuffle(rng, x, 1000);
    for (int i = 0; i < 1000; i++) {
        sum += x[i];
        squares += x[i] * x[i];
        fixed += x[i] == (float)i;
    }
    rsd_rng_free(rng);
    assert_true(sum == 999.0 * 500 && squares == 999.0 * 1000 * 1999 / 6 && fixed < 10);
}

typedef struct {
    int runs[50];
    int team[50]; /* threads that the item could use */
    int order[50], next;
} log_of_items;

static size_t item_bytes(void *context, size_t i)
{
    (void)context;
    return i % 10 == 0 ? 1000 : 10 + i;
}

static void item_run(void *context, size_t i)
{
    log_of_items *l = context;
    int at;
#pragma omp atomic capture
    at = l->next++;
    l->order[at] = (int)i;
    l->runs[i]++;
    l->team[i] = rsd_par_inner();
}

static bool after_seven(void *context) { return ((log_of_items *)context)->next >= 7; }

static void every_item_runs_once(void **state)
{
    (void)state;
    rsd_par_init(2);
    log_of_items l = { 0 };
    const rsd_par_work work = {
        .count = 50, .bytes = item_bytes, .run = item_run, .context = &l, .budget = 1500
    };
    CHECK_OK(rsd_par_each(&work));
    for (int i = 0; i < 50; i++) {
        assert_int_equal(l.runs[i], 1);
        assert_int_equal(l.team[i], i % 10 == 0 ? 2 : 1); /* two of 1000 bytes do not fit 1500 */
    }
    for (int k = 0; k < 5; k++)
        assert_int_equal(l.order[k], 10 * k); /* large ones first, in order */
}

static void nothing_starts_after_stop(void **state)
{
    (void)state;
    rsd_par_init(1);
    log_of_items l = { 0 };
    const rsd_par_work work = { .count = 50,
                                .bytes = item_bytes,
                                .run = item_run,
                                .stop = after_seven,
                                .context = &l,
                                .budget = 1 };
    CHECK_OK(rsd_par_each(&work));
    assert_int_equal(l.next, 7);
    assert_true(rsd_par_threads() == 1);
    assert_true(rsd_par_rank() == 0);
    assert_true(rsd_par_ranks() == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_keep_message_and_place),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(alloc_refuses_overflow),
        cmocka_unit_test(finiteness_names_the_element),
        cmocka_unit_test(sums_respect_the_view),
        cmocka_unit_test(options_parse_and_print),
        cmocka_unit_test(real_words),
        cmocka_unit_test(options_refuse),
        cmocka_unit_test(options_take_strings_and_lists),
        cmocka_unit_test(streams_depend_on_seed_and_key_only),
        cmocka_unit_test(distributions_have_their_moments),
        cmocka_unit_test(shuffle_permutes),
        cmocka_unit_test(every_item_runs_once),
        cmocka_unit_test(nothing_starts_after_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
