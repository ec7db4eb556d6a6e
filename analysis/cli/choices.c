/* Lists of ranks and initialisations from the command line. */
#include "cli/choices.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

size_t choices_word(const char *list) { return strcspn(list, ","); }

int choices_each(const rsd_list *list, size_t (*length)(const char *list),
                 int (*take)(void *context, const char *item), void *context)
{
    int err = RSD_OK;
    for (size_t i = 0; !err && i < list->count; i++) {
        char *text;
        RSD_TRY(rsd_copy_text(list->item[i], &text));
        for (char *at = text; !err && at;) {
            const size_t n = length(at);
            const bool last = !at[n];
            at[n] = 0;
            err = take(context, at);
            at = last ? NULL : at + n + 1;
        }
        free(text);
    }
    return err;
}

int choices_add_rank(choices *c, const char *word)
{
    static const rsd_opt row = { "rank", 0, RSD_OPT_SIZE, 0, 1, 1e6, "R", "" };
    size_t rank;
    const int err = rsd_opt_set(&row, &rank, word);
    if (err)
        return rsd_fail_prefix(err, "--rank");
    for (size_t i = 0; i < c->ranks; i++)
        if (c->rank[i] == rank)
            return RSD_OK;
    RSD_TRY(rsd_room(&c->rank, c->ranks, 1, sizeof *c->rank));
    c->rank[c->ranks++] = rank;
    return RSD_OK;
}

int choices_add_init(choices *c, const char *text)
{
    rsd_init_spec spec;
    const int err = rsd_init_parse(text, &spec);
    if (err)
        return rsd_fail_prefix(RSD_EUSAGE, "--init");
    for (size_t i = 0; i < c->inits; i++)
        if (strcmp(c->init[i].text, spec.text) == 0)
            return RSD_OK;
    RSD_TRY(rsd_room(&c->init, c->inits, 1, sizeof *c->init));
    c->init[c->inits++] = spec;
    return RSD_OK;
}

static int take_rank(void *context, const char *word) { return choices_add_rank(context, word); }
static int take_init(void *context, const char *text) { return choices_add_init(context, text); }

int choices_parse(const rsd_list *ranks, const rsd_list *inits, choices *out)
{
    *out = (choices){ 0 };
    RSD_TRY(choices_each(ranks, choices_word, take_rank, out));
    return choices_each(inits, rsd_init_item, take_init, out);
}

void choices_free(choices *c)
{
    free(c->rank);
    free(c->init);
    *c = (choices){ 0 };
}
