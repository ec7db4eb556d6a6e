#include "cli/choices.h"

#include <stdlib.h>
#include <string.h>

int choices_each_word(const rsd_list *list, int (*take)(void *context, const char *word),
                      void *context)
{
    int err = RSD_OK;
    for (size_t i = 0; !err && i < list->count; i++) {
        char *text = strdup(list->item[i]), *at = text;
        if (!text)
            return RSD_FAIL(RSD_ENOMEM, "'%s'", list->item[i]);
        for (char *word; !err && (word = strsep(&at, ",")) != NULL;)
            err = take(context, word);
        free(text);
    }
    return err;
}

int choices_grow(void *array, size_t count, size_t size)
{
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = realloc(old, (count + 1) * size);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "list of %zu", count + 1);
    memcpy(array, &grown, sizeof grown);
    return RSD_OK;
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
    RSD_TRY(choices_grow(&c->rank, c->ranks, sizeof *c->rank));
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
    RSD_TRY(choices_grow(&c->init, c->inits, sizeof *c->init));
    c->init[c->inits++] = spec;
    return RSD_OK;
}

/* Does the word begin another initialisation, or is it a key of the one before? */
static bool begins_init(const char *word)
{
    const size_t n = strcspn(word, ":,");
    for (const rsd_init *const *i = rsd_inits; *i; i++) {
        if (strlen((*i)->name) == n && strncmp((*i)->name, word, n) == 0)
            return true;
        for (const rsd_alias *a = (*i)->aliases; a && a->alias; a++)
            if (strlen(a->alias) == n && strncmp(a->alias, word, n) == 0)
                return true;
    }
    return false;
}

static int add_inits(choices *c, const char *text)
{
    char *copy = strdup(text);
    int err = copy ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "--init %s", text);
    for (char *at = copy; !err && at;) {
        char *comma = strchr(at, ',');
        while (comma && !begins_init(comma + 1) && strchr(at, ':'))
            comma = strchr(comma + 1, ',');
        if (comma)
            *comma = 0;
        err = choices_add_init(c, at);
        at = comma ? comma + 1 : NULL;
    }
    free(copy);
    return err;
}

static int take_rank(void *context, const char *word) { return choices_add_rank(context, word); }

int choices_parse(const rsd_list *ranks, const rsd_list *inits, choices *out)
{
    *out = (choices){ 0 };
    RSD_TRY(choices_each_word(ranks, take_rank, out));
    for (size_t i = 0; i < inits->count; i++)
        RSD_TRY(add_inits(out, inits->item[i]));
    return RSD_OK;
}

void choices_free(choices *c)
{
    free(c->rank);
    free(c->init);
    *c = (choices){ 0 };
}
