/* A comparison as JSON; numbers that are not known are null. */
#include "cli/json_out.h"
#include "compare/comparison_bytes.h"
#include "compare/comparison_text.h"

#include <stdio.h>
#include <stdlib.h>

static void put(json_out *j, const char *name, rsd_interval v)
{
    char key[64]; /* names are those below */
    json_put_real(j, name, v.value);
    snprintf(key, sizeof key, "%s_interval", name);
    json_open_list(j, key);
    json_put_real(j, NULL, v.low);
    json_put_real(j, NULL, v.high);
    json_close(j);
}

/* ---- predictions ---- */

static void put_association(json_out *j, const char *key, const rsd_association *a)
{
    json_open_object(j, key);
    json_put_size(j, "n", a->n);
    json_put_size(j, "independent", a->clusters);
    json_put_size(j, "on_line", a->line);
    json_put_bool(j, "claimed", rsd_association_counts(a));
    put(j, "spearman", a->spearman);
    put(j, "pearson", a->pearson);
    put(j, "intercept", a->intercept);
    put(j, "slope", a->slope);
    put(j, "error", a->error);
    if (a->groups) {
        json_put_size(j, "quantizers", a->groups);
        put(j, "within", a->within);
    }
    json_close(j);
}

static const char *contestant(size_t k)
{
    return k == PREDICTORS ? "constant" : predictor_name((int)k);
}

/* Errors, how far behind the best, and which are told apart from it. */
static void put_contest(json_out *j, const rsd_contest *c)
{
    json_open_object(j, "best");
    if (c->best != SIZE_MAX) {
        json_put_text(j, "best", contestant(c->best));
        json_put_size(j, "n", c->n);
        json_put_size(j, "independent", c->clusters);
    }
    for (size_t k = 0; c->best != SIZE_MAX && k <= PREDICTORS; k++) {
        json_open_object(j, contestant(k));
        put(j, "error", c->error[k]);
        put(j, "behind", c->behind[k]);
        json_put_bool(j, "worse_than_best", rsd_contest_loses(c, k));
        json_close(j);
    }
    json_close(j);
}

/* Into the object that is open. */
static void put_part(json_out *j, const points_part *p, bool layers)
{
    json_put_size(j, "n", p->count);
    for (int k = 0; k < PREDICTORS; k++)
        put_association(j, predictor_name(k), &p->of[k]);
    if (!layers)
        put_contest(j, &p->contest);
}

static void put_points(json_out *j, const char *key, const points *p, bool layers)
{
    json_open_object(j, key);
    put_part(j, &p->all, layers);
    json_put_bool(j, "pooled", p->parts > 1);
    json_open_list(j, layers ? "by_quantizer" : "by_start");
    for (size_t i = 0; i < p->parts; i++) {
        const points_part *q = &p->part[i];
        json_open_object(j, NULL);
        put_part(j, q, layers);
        json_put_text(j, "init", q->init);
        if (layers) {
            json_put_text(j, "model", q->model);
            json_put_text(j, "spec", q->spec);
            json_put_size(j, "rank", q->rank);
        }
        json_close(j);
    }
    json_close(j);
    json_open_object(j, "left_out");
    json_put_size(j, "no_spectra", p->no_spectra);
    json_put_size(j, "other_layers", p->other_layers);
    json_close(j);
    json_close(j);
}

/* ---- starts ---- */

static void put_overlaps(json_out *j, const starts *s)
{
    json_open_list(j, "overlaps");
    for (size_t i = 0; i < s->starts; i++)
        for (size_t k = 0; k < s->start[i].overlaps; k++) {
            const start_overlap *p = &s->start[i].overlap[k];
            json_open_object(j, NULL);
            json_put_text(j, "start", s->start[i].init);
            json_put_text(j, "with", p->what);
            json_put_size(j, "layers", s->start[i].layers);
            json_put_size(j, "independent", s->start[i].clusters);
            json_put_real(j, "random_left", p->random_left);
            json_put_real(j, "random_right", p->random_right);
            put(j, "left", p->left);
            put(j, "right", p->right);
            json_close(j);
        }
    json_close(j);
}

static void put_duels(json_out *j, const char *key, const duels *d)
{
    json_open_list(j, key);
    for (size_t i = 0; i < d->count; i++) {
        const duel *x = &d->item[i];
        json_open_object(j, NULL);
        json_put_text(j, "model", x->model);
        json_put_text(j, "better", x->better);
        json_put_text(j, "worse", x->worse);
        json_put_real(j, "difference", x->difference.mean);
        json_put_real(j, "difference_se", x->difference.se);
        json_put_size(j, "block_windows", x->difference.block);
        json_put_size(j, "runs", x->runs);
        json_put_size(j, "wins", x->wins);
        json_put_size(j, "losses", x->losses);
        json_close(j);
    }
    json_close(j);
}

/* ---- ranks, verdict ---- */

static void put_ranks(json_out *j, const comparison *c)
{
    json_open_object(j, "effective_rank");
    json_put_real(j, "W", c->W.rank);
    json_put_real(j, "R", c->R.rank);
    json_put_real(j, "H", c->H.rank);
    json_put_real(j, "G", c->G.rank);
    json_put_real(j, "H_participation_ratio", c->H_ratio.rank);
    json_put_real(j, "G_participation_ratio", c->G_ratio.rank);
    json_open_list(j, "trained");
    for (size_t i = 0; i < c->starts.starts; i++) {
        const start *s = &c->starts.start[i];
        json_open_object(j, NULL);
        json_put_text(j, "start", s->init);
        json_put_real(j, "effective_rank", s->rank);
        json_put_real(j, "share_of_rank", s->share);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void put_split(json_out *j, const char *name, const rsd_split *s)
{
    json_open_object(j, name);
    put(j, "data", s->data);
    put(j, "loss", s->loss);
    json_close(j);
}

static void put_parts(json_out *j, const rsd_verdict *v)
{
    for (rsd_part k = 0; k < RSD_PARTS; k++) {
        char key[64];
        put(j, rsd_part_name(k), v->part[k]);
        snprintf(key, sizeof key, "%s_p", rsd_part_name(k));
        if (k != RSD_PART_NOISE)
            json_put_real(j, key, v->p[k]);
    }
    json_open_list(j, "named");
    for (rsd_part k = 0; k < RSD_PARTS; k++)
        if (rsd_verdict_names(v, k))
            json_put_text(j, NULL, rsd_part_name(k));
    json_close(j);
}

static void put_shares(json_out *j, const rsd_verdict *v)
{
    json_open_object(j, "shares");
    json_put_text(j, "of", rsd_weighting_name(v->in));
    put(j, "held", v->held);
    put_parts(j, v);
    put_split(j, "inputs_first", &v->inputs_first);
    put_split(j, "gradients_first", &v->gradients_first);
    put(j, "energy_of_null", v->energy);
    json_put_size(j, "layers", v->layers);
    json_put_size(j, "independent", v->clusters);
    json_put_size(j, "left_out", v->lesser);
    json_put_text(j, "source", rsd_cause_name(v->cause));
    json_put_bool(j, "sure", v->sure);
    json_close(j);
}

/* What layers are judged by, and how many lack it by weighting. */
static void put_nulls(json_out *j, const comparison *c)
{
    json_open_object(j, "nulls");
    json_open_object(j, "judged_by");
    for (rsd_null n = 0; n < RSD_NULLS; n++)
        if (c->judged_by[n])
            json_put_size(j, rsd_null_name(n), c->judged_by[n]);
    json_close(j);
    json_open_object(j, "missing");
    for (rsd_weighting_kind k = 0; k < RSD_WEIGHTINGS; k++)
        json_put_size(j, rsd_weighting_name(k), c->no_null[k]);
    json_close(j);
    json_close(j);
}

static void put_ahead(json_out *j, const ahead *a)
{
    json_open_list(j, "a_priori");
    for (size_t i = 0; i < a->count; i++) {
        const ahead_line *l = &a->line[i];
        json_open_object(j, NULL);
        json_put_text(j, "model", l->model);
        json_put_text(j, "spec", l->spec);
        json_put_size(j, "layers", l->layers);
        json_put_size(j, "quantized_layers", l->both);
        json_put_real(j, "loss", l->loss);
        json_put_real(j, "loss_quantized", l->loss_of_R);
        json_put_real(j, "held", l->held);
        json_put_real(j, "held_quantized", l->held_of_R);
        json_put_real(j, "off", l->off);
        json_close(j);
    }
    json_close(j);
}

static void put_cases(json_out *j, const evidence *e, const comparison *c)
{
    json_open_list(j, "cases");
    for (size_t i = 0; i < e->cases; i++) {
        json_open_object(j, NULL);
        json_put_text(j, "model", e->item[i].model);
        json_put_text(j, "spec", e->item[i].spec);
        put_shares(j, &c->by_case[i]);
        json_close(j);
    }
    json_close(j);
}

static void put_repeated(json_out *j, const evidence *e)
{
    json_open_object(j, "repeated");
    json_put_size(j, "runs", e->repeated_runs);
    json_put_size(j, "layers", e->repeated_layers);
    json_put_size(j, "other_spectra", e->other_spectra);
    json_close(j);
}

int comparison_print_json(const evidence *e, const comparison *c)
{
    static const char *const key[POINTS_KINDS] = { "closed_form", "trained", "layers" };
    /* the weightings at the top speak of training where there was any, else of closed forms */
    const points *main =
        c->kind[POINTS_TRAINED].count ? &c->kind[POINTS_TRAINED] : &c->kind[POINTS_CLOSED];
    char *words = comparison_verdict(e, c);
    if (!words)
        return RSD_FAIL(RSD_ENOMEM, "words of the verdict");
    json_out j = json_begin_object();
    for (int k = 0; k < RSD_WEIGHTINGS; k++)
        put_association(&j, predictor_name(k), &main->all.of[k]);
    json_put_bool(&j, "pooled", main->parts > 1);
    for (points_kind k = 0; k < POINTS_KINDS; k++)
        put_points(&j, key[k], &c->kind[k], k == POINTS_LAYERS);
    put_duels(&j, "starts_closed_form", &c->starts.closed);
    put_duels(&j, "starts_trained", &c->starts.trained);
    put_ranks(&j, c);
    put_overlaps(&j, &c->starts);
    json_put_size(&j, "rank", c->rank);
    put_shares(&j, &c->verdict);
    put_nulls(&j, c);
    put_ahead(&j, &c->ahead);
    put_cases(&j, e, c);
    comparison_put_bytes(&j, &c->bytes);
    put_repeated(&j, e);
    json_put_size(&j, "fewest_independent", RSD_FEWEST_CLUSTERS);
    json_put_text(&j, "verdict", words);
    free(words);
    return json_print(&j, stdout, JSON_NINE_DIGITS);
}
