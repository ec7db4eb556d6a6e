/* The quantizers of a menu: the usual ones, a user's, and the next ones of a given quantizer. */
#include "recover/menu.h"

#include "alloc.h"
#include "cli/choices.h"
#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without a calibration, for matrices of any shape: 2.1 to 6.7 bits in steps of a third or less. */
static const char *const usual[] = {
    "nf2",
    "nf3",
    "nf4",
    "int2:group=128,scheme=affine",
    "int2:group=64,scheme=affine",
    "int2:group=32,scheme=affine",
    "int3:group=128,scheme=affine",
    "int3:group=64,scheme=affine",
    "int3:group=32,scheme=affine",
    "int4:group=128,scheme=affine",
    "int4:group=64,scheme=affine",
    "int4:group=32,scheme=affine",
    "int5:group=128,scheme=affine",
    "int5:group=64,scheme=affine",
    "int5:group=32,scheme=affine",
    "int6:group=128,scheme=affine",
    "int6:group=64,scheme=affine",
    "int6:group=32,scheme=affine",
    "int8:group=128,scheme=affine",
};

/* ---- the next ones ---- */

/* More bits, and groups halved so many times. */
static const struct {
    size_t bits, halvings;
} next[] = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 1, 0 }, { 1, 1 }, { 2, 0 } };
enum { NEXT = sizeof next / sizeof *next, WHOLE_ROW = 128 };

static bool set_number(const rsd_opt *row, rsd_spec *spec, size_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", value);
    return !rsd_opt_set(row, spec->params, text);
}

/* Number k of the next ones of a quantizer, itself the first; false where it has no such. */
static bool next_of(const rsd_spec *own, size_t k, rsd_spec *out)
{
    const rsd_opt *table = own->quantizer->options;
    const rsd_opt *bits = table ? rsd_opt_find(table, "bits") : NULL;
    const rsd_opt *group = table ? rsd_opt_find(table, "group") : NULL;
    char text[2 * RSD_SPEC_MAX], keys[RSD_SPEC_MAX];
    if (!group && table)
        group = rsd_opt_find(table, "block");
    *out = *own;
    if (k == 0)
        return true;
    if (next[k].bits) {
        size_t now;
        if (!bits || bits->type != RSD_OPT_SIZE)
            return false;
        memcpy(&now, own->params + bits->offset, sizeof now);
        if (!set_number(bits, out, now + next[k].bits))
            return false;
    }
    if (next[k].halvings) {
        size_t now;
        if (!group || group->type != RSD_OPT_SIZE)
            return false;
        memcpy(&now, own->params + group->offset, sizeof now);
        now = now < RSD_WORD(8) ? now : WHOLE_ROW; /* row, tensor */
        if (!set_number(group, out, now >> next[k].halvings))
            return false;
    }
    rsd_opt_format(table, out->params, keys, sizeof keys);
    snprintf(text, sizeof text, "%.*s:%s", RSD_SPEC_MAX - 2, own->quantizer->name, keys);
    return !rsd_spec_parse(text, out);
}

static bool is_next_of(const rsd_spec *own, const rsd_spec *spec)
{
    rsd_spec s;
    for (size_t k = 0; k < NEXT; k++)
        if (next_of(own, k, &s) && strcmp(s.text, spec->text) == 0)
            return true;
    return false;
}

/* ---- the list ---- */

static int add(menu *m, const rsd_spec *spec)
{
    for (size_t i = 0; i < m->specs; i++)
        if (strcmp(m->spec[i].text, spec->text) == 0)
            return RSD_OK;
    RSD_TRY(rsd_room(&m->spec, m->specs, 1, sizeof *m->spec));
    m->spec[m->specs++] = *spec;
    return RSD_OK;
}

static int add_word(void *context, const char *word)
{
    menu *m = context;
    rsd_spec spec;
    if (strcmp(word, MENU_USUAL) == 0) {
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
            RSD_TRY(rsd_spec_parse(usual[i], &spec));
            RSD_TRY(add(m, &spec));
        }
        return RSD_OK;
    }
    if (rsd_spec_parse(word, &spec))
        return rsd_fail_prefix(RSD_EUSAGE, "--same-bytes");
    return add(m, &spec);
}

static int add_next(menu *m, const rsd_spec *own)
{
    rsd_spec spec;
    for (size_t k = 0; k < NEXT; k++)
        if (next_of(own, k, &spec))
            RSD_TRY(add(m, &spec));
    return RSD_OK;
}

int menu_make(const rsd_list *words, const select_specs *under, bool calibrated, menu *out)
{
    *out = (menu){ 0 };
    RSD_TRY(choices_each(words, rsd_spec_item, add_word, out));
    if (words->count == 0)
        RSD_TRY(add_word(out, MENU_USUAL));
    out->common = out->specs;
    for (size_t i = 0; i < out->common && !calibrated; i++)
        if (out->spec[i].quantizer->calibration == RSD_CALIBRATION_NEEDS)
            return RSD_FAIL(RSD_EUSAGE,
                            "--same-bytes %s needs a calibration: residuum calibrate, then "
                            "--calibration FILE.h5",
                            out->spec[i].text);
    for (size_t i = 0; i < under->specs; i++)
        RSD_TRY(add_next(out, &under->spec[i]));
    for (size_t i = 0; i < under->rules; i++)
        RSD_TRY(add_next(out, &under->rule[i].spec));
    RSD_TRY(rsd_array_alloc(out->specs, 1, sizeof *out->probe, &out->probe));
    for (size_t c = 0; c < out->specs; c++)
        out->probe[c] = NAN;
    return RSD_OK;
}

void menu_free(menu *m)
{
    free(m->spec);
    free(m->item);
    free(m->option);
    free(m->probe);
    *m = (menu){ 0 };
}

bool menu_allows(const menu *m, const rsd_spec *own, const select_specs *under, size_t c)
{
    if (c < m->common || (own && is_next_of(own, &m->spec[c])))
        return true;
    for (size_t i = 0; i < under->rules; i++)
        if (is_next_of(&under->rule[i].spec, &m->spec[c]))
            return true;
    return false;
}

int menu_text(const menu *m, const rsd_spec *own, const select_specs *under, char **out)
{
    size_t size;
    FILE *f = open_memstream(out, &size);
    bool any = false;
    if (!f)
        return RSD_FAIL(RSD_ENOMEM, "text of a menu");
    for (size_t c = 0; c < m->specs; c++) {
        if (!menu_allows(m, own, under, c))
            continue;
        fputs(any ? ",same-bytes=" : "same-bytes=", f);
        for (const char *at = m->spec[c].text; *at; at++)
            fputc(*at == ',' ? '+' : *at, f);
        any = true;
    }
    if (fclose(f) == 0)
        return RSD_OK;
    free(*out);
    *out = NULL;
    return RSD_FAIL(RSD_ENOMEM, "text of a menu");
}

/* ---- trying them ---- */

int menu_try(menu *m, const rsd_model *model, const calibration *known,
             const rsd_tensor *const *tensor, size_t tensors)
{
    if (m->item)
        return RSD_OK;
    m->predicted = known->store != NULL;
    for (size_t i = 0; i < tensors; i++)
        m->predicted = m->predicted && calibration_has_both(known, tensor[i]);
    const trial_job job = { model, known, m->predicted };
    RSD_TRY(rsd_array_alloc(tensors * m->specs + 1, 1, sizeof *m->option, &m->option));
    RSD_TRY(rsd_array_alloc(tensors + 1, 1, sizeof *m->item, &m->item));
    m->tensors = tensors;
    for (size_t i = 0; i < tensors; i++)
        m->item[i] = (trial){ .tensor = tensor[i],
                              .spec = m->spec,
                              .specs = m->specs,
                              .option = m->option + i * m->specs };
    const int err = trials_run(&job, m->item, tensors);
    if (err) { /* stopped: once more then */
        free(m->item);
        free(m->option);
        m->item = NULL;
        m->option = NULL;
    }
    return err;
}
