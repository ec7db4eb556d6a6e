/* Power laws as WeightWatcher fits them: its answers on a family of spectra of 5 to 2000 values
 * (golden/spectra/make_weightwatcher.py). */
#include "spectra/powerlaw.h"
#include "test.h"

enum { MOST = 2000 };

static double value(const char *kind, int k, int n)
{
    const double u = (k + 0.5) / n, wave = sin(1 + (double)k * k);
    const double bulk = 4 * pow(cos(M_PI / 2 * u), 2) + 0.01, golden = k * 0.6180339887;
    if (strcmp(kind, "pareto") == 0)
        return pow(u, -1 / 1.5);
    if (strcmp(kind, "wavy") == 0)
        return pow(u, -1 / 1.5) * exp(0.4 * wave);
    if (strcmp(kind, "bulk") == 0)
        return bulk;
    if (strcmp(kind, "finger") == 0)
        return bulk * (k < 1 ? 1.8 : 1);
    if (strcmp(kind, "fingers") == 0)
        return bulk * (k < 4 ? 1.5 + 0.4 * k : 1);
    if (strcmp(kind, "wide") == 0)
        return exp(3 * wave);
    if (strcmp(kind, "ties") == 0)
        return 1 + floor(12 * (golden - floor(golden)));
    if (strcmp(kind, "steps") == 0)
        return (k < n / 3.0 ? 10 : 1) * (1 + 0.05 * wave);
    assert_string_equal(kind, "heavy");
    return k > 5 ? pow(u, -1 / 6.0) : 3 + k;
}

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

typedef struct {
    char kind[16];
    int n, fingers;
    size_t tail;
    double alpha, ks, xmin, clipped;
} answer;

/* WeightWatcher finds no clipped fit at all where it runs out of values (fingers -1); then ours is
 * the fit as it was, or one that it would have come to. */
static void check_answer(const answer *a)
{
    double x[MOST];
    rsd_powerlaw fit, clipped;
    size_t fingers;
    for (int k = 0; k < a->n; k++)
        x[k] = value(a->kind, k, a->n);
    qsort(x, (size_t)a->n, sizeof *x, falling);
    CHECK_OK(rsd_powerlaw_fit(x, (size_t)a->n, RSD_POWERLAW_WEIGHTWATCHER, 0, &fit));
    CHECK_OK(rsd_powerlaw_clip(x, (size_t)a->n, 0, &fit, &clipped, &fingers));
    if (fit.tail != a->tail || (a->fingers >= 0 && (int)fingers != a->fingers))
        fail_msg("%s %d: tail %zu, fingers %zu; want %zu, %d", a->kind, a->n, fit.tail, fingers,
                 a->tail, a->fingers);
    CHECK_CLOSE(fit.alpha, a->alpha, 1e-9 * a->alpha);
    CHECK_CLOSE(fit.ks, a->ks, 1e-9);
    CHECK_CLOSE(fit.xmin, a->xmin, 1e-12 * a->xmin);
    if (a->fingers >= 0)
        CHECK_CLOSE(clipped.alpha, a->clipped, 1e-9 * a->clipped);
}

static void answers(void **state)
{
    (void)state;
    FILE *f = fopen(fixture("spectra/weightwatcher.txt"), "r");
    assert_non_null(f);
    int count = 0, clipped = 0;
    answer a;
    while (fscanf(f, "%15s %d %lf %lf %lf %zu %lf %d", a.kind, &a.n, &a.alpha, &a.ks, &a.xmin,
                  &a.tail, &a.clipped, &a.fingers) == 8) {
        check_answer(&a);
        count++;
        clipped += a.fingers > 0;
    }
    fclose(f);
    assert_true(count > 200 && clipped > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(answers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
