/* A result file on one screen: a line per model and quantizer. */
#include "result/summary.h"

#include "alloc.h"
#include "cli/printable.h"
#include "result/spectra_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    const spectra_row *first;
    size_t matrices;
    double weights, bits, error, norm, leak; /* error, norm: sums of squares of R and of its W */
    mean effective, excess;
} line;

typedef struct {
    line *line;
    size_t count, capacity;
} lines;

static int find_line(lines *l, const spectra_row *row, line **out)
{
    for (size_t i = 0; i < l->count; i++) {
        const spectra_row *first = l->line[i].first;
        *out = &l->line[i];
        if (first->what == row->what && strcmp(first->model, row->model) == 0 &&
            strcmp(first->spec, row->spec) == 0)
            return RSD_OK;
    }
    RSD_TRY(rsd_grow(&l->line, &l->capacity, l->count + 1, sizeof *l->line));
    *out = &l->line[l->count++];
    **out = (line){ .first = row, .leak = -INFINITY };
    return RSD_OK;
}

static void take_row(line *l, const spectra_row *row, double w_norm)
{
    const double size = (double)row->rows * (double)row->cols, f = row->metrics.frobenius;
    l->matrices++;
    l->weights += size;
    l->bits += size * row->relation.bits_per_weight;
    l->error += f * f;
    l->norm += w_norm * w_norm;
    add(&l->effective, row->metrics.effective_rank);
    add(&l->excess, isnan(row->relation.excess_sign_flip) ? row->relation.excess_variance_profile
                                                          : row->relation.excess_sign_flip);
    if (row->relation.leak_strength > l->leak)
        l->leak = row->relation.leak_strength;
}

/* Widths of the columns of names, which are not cut. */
typedef struct {
    size_t model, spec;
} widths;

static widths find_widths(const lines *l)
{
    widths w = { strlen("model"), strlen("quantizer") };
    for (size_t i = 0; i < l->count; i++) {
        const size_t model = printable_width(l->line[i].first->model);
        const size_t spec = printable_width(l->line[i].first->spec);
        w.model = model > w.model ? model : w.model;
        w.spec = spec > w.spec ? spec : w.spec;
    }
    return w;
}

static void print_line(const line *l, widths w)
{
    const spectra_row *row = l->first;
    printable_put(stdout, row->model, w.model);
    printf(" %-4s ", spectrum_names[row->what]);
    printable_put(stdout, row->spec, w.spec);
    printf(" %8zu", l->matrices);
    if (*row->spec)
        printf(" %9.3f %9.5f", l->bits / l->weights, sqrt(l->error / l->norm));
    else
        printf(" %9s %9s", "", "");
    print_mean(&l->effective, 9, 1);
    if (*row->spec)
        print_mean(&l->excess, 9, 4);
    if (isfinite(l->leak))
        printf(" %9.3f", l->leak);
    putchar('\n');
}

/* Rows of a matrix follow its W's. */
static int collect(const spectra_rows *rows, lines *out)
{
    double w_norm = NAN;
    for (size_t i = 0; i < rows->count; i++) {
        const spectra_row *row = &rows->row[i];
        line *l;
        if (row->what == SPECTRUM_W)
            w_norm = row->metrics.frobenius;
        /* W_q has W's numbers nearly, RdH, RH, GR and GRH have the norm of another weighting */
        if (row->what != SPECTRUM_W && row->what != SPECTRUM_R)
            continue;
        RSD_TRY(find_line(out, row, &l));
        take_row(l, row, w_norm);
    }
    return RSD_OK;
}

static int print_spectra(const rsd_store *store)
{
    spectra_rows rows;
    lines all = { 0 };
    RSD_TRY(spectra_read(store, &rows));
    const int err = collect(&rows, &all);
    const widths w = find_widths(&all);
    if (!err && all.count)
        printf("%-*s %-4s %-*s %8s %9s %9s %9s %9s %9s\n", (int)w.model, "model", "what",
               (int)w.spec, "quantizer", "matrices", "bits/wt", "rel.err", "eff.rank", "excess",
               "leak/edge");
    for (size_t i = 0; !err && i < all.count; i++)
        print_line(&all.line[i], w);
    free(all.line);
    spectra_free(&rows);
    return err;
}

int summary_print(const char *path)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    const int err = print_spectra(store), closed = rsd_store_close(store);
    return err ? err : closed;
}
