/* --rank LIST and --init LIST: what repeats or takes commas, parsed and without repetitions. */
#ifndef RSD_CHOICES_H
#define RSD_CHOICES_H

#include "adapters/init.h"
#include "opt.h"

typedef struct {
    size_t ranks, inits;
    size_t *rank;
    rsd_init_spec *init;
} choices;

/* Commas part initialisations, and the keys inside one: "zero,loftq:steps=5,first=svd,lorc".  An
 * empty list gives none.  Free with choices_free, also after a failure.
 * Errors: RSD_EUSAGE with the option and the word; RSD_ENOMEM. */
RSD_CHECK int choices_parse(const rsd_list *ranks, const rsd_list *inits, choices *out);
RSD_CHECK int choices_add_rank(choices *c, const char *word);
RSD_CHECK int choices_add_init(choices *c, const char *text);
void choices_free(choices *c);

/* take() of every item of lists "a,b", given once or more often.  length: of a list's first item:
 * choices_word, rsd_spec_item, rsd_init_item.  Errors: take's, which ends it; RSD_ENOMEM. */
RSD_CHECK int choices_each(const rsd_list *list, size_t (*length)(const char *list),
                           int (*take)(void *context, const char *item), void *context);
size_t choices_word(const char *list); /* of words without commas of their own */

#endif
