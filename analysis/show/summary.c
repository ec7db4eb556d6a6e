#include "show/summary.h"

#include "io/store.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The columns of /spectra that the summary reads. */
enum { MODEL, SPEC, WHAT, ROWS, COLS, FROBENIUS, EFFECTIVE, BITS, EXCESS, LEAK, USED };
static const char *const names[USED] = { "model",
                                         "spec",
                                         "what",
                                         "rows",
                                         "cols",
                                         "frobenius",
                                         "effective_rank",
                                         "bits_per_weight",
                                         "excess_sign_flip",
                                         "leak_strength" };

typedef struct {
    const rsd_table *t;
    size_t column[USED];
} view;

static const rsd_value *at(const view *v, size_t row, int column)
{
    return &v->t->value[row * v->t->columns + v->column[column]];
}

static const char *text(const view *v, size_t row, int column) { return at(v, row, column)->text; }

/* Mean of the finite values. */
typedef struct {
    double sum;
    size_t count;
} mean;

static void add(mean *m, double x)
{
    if (isfinite(x)) {
        m->sum += x;
        m->count++;
    }
}

static void print_mean(const mean *m, int width, int digits)
{
    if (m->count)
        printf(" %*.*f", width, digits, m->sum / (double)m->count);
    else
        printf(" %*s", width, "-");
}

/* A line: the matrices of one model seen as W, or as R of one quantizer. */
typedef struct {
    const char *model, *what, *spec;
    size_t matrices;
    double weights, bits, error, norm, leak; /* error, norm: sums of squares of R and of its W */
    mean effective, excess;
} line;

enum { LINES_MAX = 200 };

static line *find_line(line *lines, size_t *count, const view *v, size_t row)
{
    const char *model = text(v, row, MODEL), *what = text(v, row, WHAT), *spec = text(v, row, SPEC);
    for (size_t i = 0; i < *count; i++)
        if (strcmp(lines[i].model, model) == 0 && strcmp(lines[i].what, what) == 0 &&
            strcmp(lines[i].spec, spec) == 0)
            return &lines[i];
    if (*count == LINES_MAX)
        return NULL;
    lines[*count] = (line){ .model = model, .what = what, .spec = spec, .leak = -INFINITY };
    return &lines[(*count)++];
}

static void take_row(line *l, const view *v, size_t row, double w_norm)
{
    const double size = (double)at(v, row, ROWS)->integer * (double)at(v, row, COLS)->integer;
    const double f = at(v, row, FROBENIUS)->real;
    l->matrices++;
    l->weights += size;
    l->bits += size * at(v, row, BITS)->real;
    l->error += f * f;
    l->norm += w_norm * w_norm;
    add(&l->effective, at(v, row, EFFECTIVE)->real);
    add(&l->excess, at(v, row, EXCESS)->real);
    if (at(v, row, LEAK)->real > l->leak)
        l->leak = at(v, row, LEAK)->real;
}

static void print_line(const line *l)
{
    printf("%-20.20s %-4s %-32.32s %8zu", l->model, l->what, l->spec, l->matrices);
    if (*l->spec)
        printf(" %9.3f %9.5f", l->bits / l->weights, sqrt(l->error / l->norm));
    else
        printf(" %9s %9s", "", "");
    print_mean(&l->effective, 9, 1);
    if (*l->spec)
        print_mean(&l->excess, 9, 4);
    if (isfinite(l->leak))
        printf(" %9.3f", l->leak);
    putchar('\n');
}

/* Rows of a matrix follow its W's. */
static void print_lines(const view *v)
{
    line lines[LINES_MAX];
    size_t count = 0;
    double w_norm = NAN;
    for (size_t i = 0; i < v->t->rows; i++) {
        const char *what = text(v, i, WHAT);
        if (strcmp(what, "W") == 0)
            w_norm = at(v, i, FROBENIUS)->real;
        /* W_q has W's numbers nearly, RdH, RH and GRH have another metric's norm */
        const bool shown = strcmp(what, "W") == 0 || strcmp(what, "R") == 0;
        line *l = shown ? find_line(lines, &count, v, i) : NULL;
        if (l)
            take_row(l, v, i, w_norm);
    }
    for (size_t i = 0; i < count; i++)
        print_line(&lines[i]);
}

int summary_print(const char *path)
{
    rsd_store *store;
    rsd_table table = { 0 };
    int err = RSD_OK;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    if (!rsd_store_exists(store, "/spectra"))
        goto done;
    RSD_TRY_DONE(rsd_store_read_table(store, "/spectra", &table));
    view v = { .t = &table };
    for (int c = 0; c < USED; c++) {
        v.column[c] = rsd_table_column(&table, names[c]);
        if (v.column[c] == SIZE_MAX) {
            err = RSD_FAIL(RSD_EFORMAT, "%s: /spectra has no column %s", path, names[c]);
            goto done;
        }
    }
    printf("%-20s %-4s %-32s %8s %9s %9s %9s %9s %9s\n", "model", "what", "quantizer", "matrices",
           "bits/wt", "rel.err", "eff.rank", "excess", "leak/edge");
    print_lines(&v);
done:;
    rsd_table_free(&table);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}
