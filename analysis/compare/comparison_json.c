/* A comparison as JSON; numbers that are not known are null. */
#include "compare/comparison_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }
static json_t *count(size_t n) { return json_integer((json_int_t)n); }

static void put(json_t *o, const char *name, rsd_interval v)
{
    char key[64];
    json_object_set_new(o, name, number(v.value));
    snprintf(key, sizeof key, "%s_interval", name);
    json_object_set_new(o, key, json_pack("[o,o]", number(v.low), number(v.high)));
}

static json_t *text(const char *s) { return s ? json_string(s) : json_null(); }

/* ---- predictions ---- */

static json_t *association_json(const rsd_association *a)
{
    json_t *o = json_pack("{s:o,s:o,s:o}", "n", count(a->n), "independent", count(a->clusters),
                          "on_line", count(a->line));
    put(o, "spearman", a->spearman);
    put(o, "pearson", a->pearson);
    put(o, "intercept", a->intercept);
    put(o, "slope", a->slope);
    put(o, "error", a->error);
    if (a->groups) {
        json_object_set_new(o, "quantizers", count(a->groups));
        put(o, "within", a->within);
    }
    return o;
}

static const char *contestant(size_t k)
{
    return k == PREDICTORS ? "constant" : predictor_name((int)k);
}

/* Errors, how far behind the best, and which are told apart from it. */
static json_t *contest_json(const rsd_contest *c)
{
    json_t *o = json_object();
    if (c->best == SIZE_MAX)
        return o;
    json_object_set_new(o, "best", json_string(contestant(c->best)));
    json_object_set_new(o, "n", count(c->n));
    json_object_set_new(o, "independent", count(c->clusters));
    for (size_t k = 0; k <= PREDICTORS; k++) {
        json_t *x = json_object();
        put(x, "error", c->error[k]);
        put(x, "behind", c->behind[k]);
        json_object_set_new(x, "worse_than_best", json_boolean(rsd_contest_loses(c, k)));
        json_object_set_new(o, contestant(k), x);
    }
    return o;
}

static json_t *part_json(const points_part *p, bool layers)
{
    json_t *o = json_object();
    json_object_set_new(o, "n", count(p->count));
    for (int k = 0; k < PREDICTORS; k++)
        json_object_set_new(o, predictor_name(k), association_json(&p->of[k]));
    if (!layers)
        json_object_set_new(o, "best", contest_json(&p->contest));
    return o;
}

static json_t *points_json(const points *p, bool layers)
{
    json_t *o = part_json(&p->all, layers), *list = json_array();
    for (size_t i = 0; i < p->parts; i++) {
        const points_part *q = &p->part[i];
        json_t *x = part_json(q, layers);
        json_object_set_new(x, "init", text(q->init));
        if (layers) {
            json_object_set_new(x, "model", text(q->model));
            json_object_set_new(x, "spec", text(q->spec));
            json_object_set_new(x, "rank", count(q->rank));
        }
        json_array_append_new(list, x);
    }
    json_object_set_new(o, "pooled", json_boolean(p->parts > 1));
    json_object_set_new(o, layers ? "by_quantizer" : "by_start", list);
    json_object_set_new(o, "left_out",
                        json_pack("{s:o,s:o}", "no_spectra", count(p->no_spectra), "other_layers",
                                  count(p->other_layers)));
    return o;
}

/* ---- starts ---- */

static json_t *overlaps_json(const starts *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->starts; i++)
        for (size_t k = 0; k < s->start[i].overlaps; k++) {
            const start_overlap *p = &s->start[i].overlap[k];
            json_t *o = json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "start", s->start[i].init, "with",
                                  p->what, "layers", count(s->start[i].layers), "independent",
                                  count(s->start[i].clusters), "random_left",
                                  number(p->random_left), "random_right", number(p->random_right));
            put(o, "left", p->left);
            put(o, "right", p->right);
            json_array_append_new(list, o);
        }
    return list;
}

static json_t *duels_json(const duels *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->count; i++) {
        const duel *x = &d->item[i];
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "model", x->model, "better",
                            x->better, "worse", x->worse, "difference", number(x->difference.mean),
                            "difference_se", number(x->difference.se), "block_windows",
                            count(x->difference.block), "runs", count(x->runs), "wins",
                            count(x->wins), "losses", count(x->losses)));
    }
    return list;
}

/* ---- ranks, verdict ---- */

static json_t *ranks_json(const comparison *c)
{
    json_t *o = json_object(), *trained = json_array();
    json_object_set_new(o, "W", number(c->W.rank));
    json_object_set_new(o, "R", number(c->R.rank));
    json_object_set_new(o, "H", number(c->H.rank));
    json_object_set_new(o, "G", number(c->G.rank));
    json_object_set_new(o, "H_participation_ratio", number(c->H_ratio.rank));
    json_object_set_new(o, "G_participation_ratio", number(c->G_ratio.rank));
    for (size_t i = 0; i < c->starts.starts; i++) {
        const start *s = &c->starts.start[i];
        json_array_append_new(trained,
                              json_pack("{s:s,s:o,s:o}", "start", s->init, "effective_rank",
                                        number(s->rank), "share_of_rank", number(s->share)));
    }
    json_object_set_new(o, "trained", trained);
    return o;
}

static void put_split(json_t *o, const char *name, const rsd_split *s)
{
    json_t *x = json_object();
    put(x, "data", s->data);
    put(x, "loss", s->loss);
    json_object_set_new(o, name, x);
}

static json_t *shares_json(const rsd_verdict *v)
{
    json_t *o = json_object();
    put(o, "noise", v->noise);
    put(o, "model", v->model);
    put(o, "data", v->data);
    put(o, "loss", v->loss);
    json_object_set_new(o, "order", json_string(v->symmetric ? "symmetric" : "inputs first"));
    put_split(o, "inputs_first", &v->inputs_first);
    put_split(o, "gradients_first", &v->gradients_first);
    json_object_set_new(o, "layers", count(v->layers));
    json_object_set_new(o, "independent", count(v->clusters));
    json_object_set_new(o, "source", json_string(rsd_source_name(v->source)));
    json_object_set_new(o, "sure", json_boolean(v->sure));
    return o;
}

static json_t *cases_json(const evidence *e, const comparison *c)
{
    json_t *cases = json_array();
    for (size_t i = 0; i < e->cases; i++)
        json_array_append_new(cases,
                              json_pack("{s:s,s:s,s:o}", "model", e->item[i].model, "spec",
                                        e->item[i].spec, "shares", shares_json(&c->by_case[i])));
    return cases;
}

json_t *comparison_json(const evidence *e, const comparison *c)
{
    static const char *const key[POINTS_KINDS] = { "closed_form", "trained", "layers" };
    /* the weightings at the top speak of training where there was any, else of closed forms */
    const points *main =
        c->kind[POINTS_TRAINED].count ? &c->kind[POINTS_TRAINED] : &c->kind[POINTS_CLOSED];
    json_t *o = json_object();
    for (int k = 0; k < RSD_WEIGHTINGS; k++)
        json_object_set_new(o, predictor_name(k), association_json(&main->all.of[k]));
    json_object_set_new(o, "pooled", json_boolean(main->parts > 1));
    for (points_kind k = 0; k < POINTS_KINDS; k++)
        json_object_set_new(o, key[k], points_json(&c->kind[k], k == POINTS_LAYERS));
    json_object_set_new(o, "starts_closed_form", duels_json(&c->starts.closed));
    json_object_set_new(o, "starts_trained", duels_json(&c->starts.trained));
    json_object_set_new(o, "effective_rank", ranks_json(c));
    json_object_set_new(o, "overlaps", overlaps_json(&c->starts));
    json_object_set_new(o, "rank", count(c->rank));
    json_object_set_new(o, "shares", shares_json(&c->verdict));
    json_object_set_new(o, "cases", cases_json(e, c));
    json_object_set_new(o, "repeated",
                        json_pack("{s:o,s:o,s:o}", "runs", count(e->repeated_runs), "layers",
                                  count(e->repeated_layers), "other_spectra",
                                  count(e->other_spectra)));
    json_object_set_new(o, "fewest_independent", count(RSD_FEWEST_CLUSTERS));
    char *words = comparison_verdict(c);
    json_object_set_new(o, "verdict", json_string(words ? words : ""));
    free(words);
    return o;
}
