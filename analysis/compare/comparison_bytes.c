/* Who wins, a correction or the same bytes without one: rows with their losers, and the sums. */
#include "compare/comparison_bytes.h"

#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

/* What a base is quantized with, as short as it can be said; caller frees. */
static char *base_label(const same_bytes_row *r)
{
    return strcmp(r->base, "mixed") ? rsd_spec_label(r->base) : strdup(r->base);
}

/* Widths of the two names. */
typedef struct {
    int run, base;
} layout;

static void widen(int *width, const char *text)
{
    const int n = text ? (int)strlen(text) : 0;
    *width = n > *width ? n : *width;
}

static layout lay_out(const same_bytes_list *list)
{
    layout l = { (int)strlen("run"), (int)strlen("base") };
    for (size_t i = 0; i < list->count; i++) {
        char *label = base_label(&list->row[i]);
        widen(&l.run, list->row[i].run);
        widen(&l.base, label);
        free(label);
    }
    return l;
}

static void print_difference(const rsd_paired *p)
{
    if (isnan(p->low))
        printf("  %+8.4f %-19s", p->mean, "");
    else
        printf("  %+8.4f [%+8.4f,%+8.4f]", p->mean, p->low, p->high);
}

static void print_row(const layout *l, const same_bytes_row *r, const same_bytes_text *t)
{
    char *label = base_label(r);
    const rsd_paired *p = &t->pair;
    printf("  %-*s %9lld %8.4f  %-*s %9lld %8.4f", l->run, r->run, (long long)r->bytes, t->loss,
           l->base, label ? label : r->base, (long long)r->base_bytes, t->base);
    print_difference(p);
    printf(" %7.0e %7.0e %7.0e  %4zu of %-4zu %s\n", p->t, p->sign, p->wilcoxon, p->below, p->n,
           same_bytes_winner(t));
    free(label);
}

static size_t longest_block(const same_bytes_list *list, bool second)
{
    size_t most = 1;
    for (size_t i = 0; i < list->count; i++) {
        const rsd_paired *p = second ? &list->row[i].second.pair : &list->row[i].first.pair;
        most = p->block > most ? p->block : most;
    }
    return most;
}

static void print_text(const same_bytes_list *list, const layout *l, bool second)
{
    const same_bytes_tally sum = same_bytes_count(list, second);
    const size_t runs = sum.correction + sum.base + sum.neither;
    if (runs == 0)
        return;
    printf("\nsame bytes, %s: each correction against a base of no more bytes that has none; "
           "difference of their\nlosses in nats per token, negative where the correction wins [95 "
           "%%, in blocks of up to %zu windows]; p of three tests\nthat take windows as "
           "independent; windows in which the correction has the lower loss\n",
           second ? "second text" : "evaluation text", longest_block(list, second));
    printf("  %-*s %9s %8s  %-*s %9s %8s  %8s %19s %7s %7s %7s  %-12s %s\n", l->run, "run", "bytes",
           "loss", l->base, "base", "bytes", "loss", "less", "", "t", "sign", "Wilcox.", "windows",
           "wins");
    for (size_t i = 0; i < list->count; i++) {
        const same_bytes_row *r = &list->row[i];
        const same_bytes_text *t = second ? &r->second : &r->first;
        if (t->pair.n)
            print_row(l, r, t);
    }
    printf("  of %zu runs the correction wins %zu, the base of the same bytes %zu; %zu %s not told "
           "apart\n",
           runs, sum.correction, sum.base, sum.neither, sum.neither == 1 ? "is" : "are");
}

void comparison_print_bytes(const same_bytes_list *list)
{
    const layout l = lay_out(list);
    print_text(list, &l, false);
    print_text(list, &l, true);
    if (list->without)
        printf("\n%zu runs stand without a base of the same bytes: every one that was made is "
               "larger\n",
               list->without);
}

/* ---- JSON ---- */

static void put_text(json_out *j, const char *key, const same_bytes_text *t)
{
    const rsd_paired *p = &t->pair;
    if (!p->n)
        return;
    json_open_object(j, key);
    json_put_real(j, "loss", t->loss);
    json_put_real(j, "base_loss", t->base);
    json_put_real(j, "difference", p->mean);
    json_put_real(j, "difference_se", p->se);
    json_open_list(j, "difference_interval");
    json_put_real(j, NULL, p->low);
    json_put_real(j, NULL, p->high);
    json_close(j);
    json_put_size(j, "block_windows", p->block);
    json_put_size(j, "windows", p->n);
    json_put_size(j, "lower", p->below);
    json_put_real(j, "p_t", p->t);
    json_put_real(j, "p_sign", p->sign);
    json_put_real(j, "p_wilcoxon", p->wilcoxon);
    json_put_text(j, "wins", same_bytes_winner(t));
    json_close(j);
}

static void put_row(json_out *j, const same_bytes_row *r)
{
    json_open_object(j, NULL);
    json_put_text(j, "model", r->model);
    json_put_text(j, "run", r->run);
    json_put_int(j, "bytes", r->bytes);
    json_put_real(j, "bits", r->bits);
    json_put_text(j, "base_run", r->base_run);
    json_put_text(j, "base", r->base);
    json_put_int(j, "base_bytes", r->base_bytes);
    json_put_real(j, "base_bits", r->base_bits);
    put_text(j, "evaluation", &r->first);
    put_text(j, "second", &r->second);
    json_close(j);
}

static void put_tally(json_out *j, const char *key, const same_bytes_list *list, bool second)
{
    const same_bytes_tally sum = same_bytes_count(list, second);
    if (sum.correction + sum.base + sum.neither == 0)
        return;
    json_open_object(j, key);
    json_put_size(j, "correction", sum.correction);
    json_put_size(j, "base", sum.base);
    json_put_size(j, "neither", sum.neither);
    json_close(j);
}

void comparison_put_bytes(json_out *j, const same_bytes_list *list)
{
    json_open_object(j, "same_bytes");
    put_tally(j, "evaluation", list, false);
    put_tally(j, "second", list, true);
    json_put_size(j, "without", list->without);
    json_open_list(j, "runs");
    for (size_t i = 0; i < list->count; i++)
        put_row(j, &list->row[i]);
    json_close(j);
    json_close(j);
}
