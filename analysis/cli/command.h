/* A command is one file of this folder; listed once, in COMMANDS of Makefile.am. */
#ifndef RSD_COMMAND_H
#define RSD_COMMAND_H

#include "opt.h"

#include <stdbool.h>

/* Options that mean the same in every command.  A command's parameter struct begins with these and
 * says in .common which of them it takes; --quiet, -v and --help every command has. */
typedef struct {
    const char *output;
    bool force, json, quiet;
    size_t verbose, threads, seed;
} rsd_common;

enum {
    RSD_TAKES_OUTPUT = 1,
    RSD_TAKES_FORCE = 2,
    RSD_TAKES_JSON = 4,
    RSD_TAKES_THREADS = 8,
    RSD_TAKES_SEED = 16
};

/* What a command line says beside the options. */
typedef struct {
    rsd_list words;   /* what is no option, in order */
    const char *text; /* the whole command line, quoted for a shell */
} rsd_arguments;

typedef struct {
    const char *name;
    const char *usage;      /* "MODEL... [-q SPEC]... -o FILE.h5" */
    const char *summary;    /* one line */
    const char *details;    /* what --help adds; may be NULL */
    const rsd_opt *options; /* its own rows */
    unsigned common;        /* RSD_TAKES_... */
    size_t min_words, max_words;
    const void *defaults; /* a parameter struct, beginning with rsd_common */
    size_t params_size;

    /* Errors: RSD_EUSAGE exits 2, RSD_ESTOPPED 128 + signal, any other 1.  RSD_EPARTIAL says that
     * the failures were reported one by one. */
    int (*run)(const void *params, const rsd_arguments *arguments);
} rsd_command;

extern const rsd_command *const rsd_commands[];

#endif
