/* The name that was probably meant: of the known ones the nearest to the word that was typed.
 *
 * Nearness is the number of letters that are put in, left out, replaced or swapped with their
 * neighbour; whether a letter is a capital, and whether words are joined by '-', '_' or a space,
 * counts as nothing.  A digit for a digit counts half: nf5 is nearer to nf4 than to nf.  A word
 * that begins the name, three letters or more, is near whatever is missing. */
#ifndef RSD_NEAR_H
#define RSD_NEAR_H

#include <stddef.h>

typedef struct {
    const char *word, *name; /* name: the nearest so far; NULL: none is near */
    size_t distance;         /* twice the number of letters */
} rsd_near;

/* Begin with near = { .word = word }, then hold every name against it; the first of two that are
 * equally near stays.  A name is near where no more than one letter in three differs, and one in
 * any case.  Words and names of more than 63 letters are never near. */
void rsd_near_try(rsd_near *near, const char *name);

/* Written behind a message: "; did you mean 'NAME'?", or nothing. */
typedef struct {
    char text[96];
} rsd_hint;
rsd_hint rsd_near_hint(const rsd_near *near);

#endif
