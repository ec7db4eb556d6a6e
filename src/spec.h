/* SPECs of the command line, `name[:key[=value],...]`, for any registry of named methods whose
 * parameters are a struct with an option table: quantizers, initialisations of adapters. */
#ifndef RSD_SPEC_H
#define RSD_SPEC_H

#include "err.h"
#include "opt.h"

#include <stdbool.h>
#include <stddef.h>

enum { RSD_PARAMS_MAX = 64, RSD_SPEC_MAX = 160 };

typedef struct {
    const char *alias;  /* "nf4" */
    const char *params; /* "bits=4": what it stands for, before the keys that follow it */
} rsd_alias;

/* What parsing needs to know of one method; everything is static. */
typedef struct {
    const char *name;
    const rsd_opt *options;      /* NULL: none */
    const void *defaults;        /* a parameter struct; NULL: none */
    size_t params_size;          /* <= RSD_PARAMS_MAX */
    const rsd_alias *aliases;    /* ends in alias == NULL; NULL for none */
    int (*settle)(void *params); /* see rsd_quantizer; NULL: nothing to do */
} rsd_registry_entry;

typedef struct {
    const char *kind;                                 /* "quantizer", for messages */
    bool (*entry)(size_t i, rsd_registry_entry *out); /* false from the end on */
} rsd_registry;

/* The length of the first SPEC of a list.  Commas part SPECs, and the keys inside one: "nf4,int:
 * bits=3,group=32,nf2" holds three.  A word behind a comma is a key unless it is a name. */
size_t rsd_registry_item(const rsd_registry *registry, const char *list);

/* Parse text.  Names, keys and words may have capitals.
 *
 *   out  *index                  of the method
 *        params[RSD_PARAMS_MAX]  suitably aligned; its struct, then zeros
 *        canonical[RSD_SPEC_MAX] every parameter said: `nf:bits=4,block=64`; `zero` without any
 *
 * Errors: RSD_ENOTFOUND for an unknown name (the message has the near one, else all),
 * RSD_EUSAGE (the message begins with the text that was given). */
RSD_CHECK int rsd_registry_parse(const rsd_registry *registry, const char *text, size_t *index,
                                 void *params, char *canonical);

#endif
