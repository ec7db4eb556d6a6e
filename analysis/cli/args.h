/* A command line, by the tables: options, --help, and the words between them. */
#ifndef RSD_ARGS_H
#define RSD_ARGS_H

#include "cli/command.h"

#include <stdio.h>

/* Parse argv[1..] (argv[0] is the command) into *params, which holds the defaults before.  GNU
 * habits: options anywhere, --name=value, unambiguous abbreviations, -- ends them.  Sets *help when
 * --help was asked: nothing else is checked then.  Errors: RSD_EUSAGE, RSD_ENOMEM. */
RSD_CHECK int args_parse(const rsd_command *command, int argc, char **argv, void *params,
                         rsd_arguments *out, bool *help);
void args_free(const rsd_command *command, void *params, rsd_arguments *arguments);

/* --help of one command, on standard output. */
void args_help(const rsd_command *command);

/* One word as a shell takes it. */
void args_quote_word(FILE *f, const char *word);

/* "residuum" and the command's words, quoted for a shell; caller frees.  Errors: RSD_ENOMEM. */
RSD_CHECK int args_quote(int argc, char **argv, char **text);

#endif
