/* Entry point: find the command, read its options, run it, turn its error into an exit status. */
#include "config.h"

#include "cli/args.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "par.h"

#include <gsl/gsl_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int usage(FILE *out)
{
    fputs("usage: residuum COMMAND [options]\n\n", out);
    for (const rsd_command *const *c = rsd_commands; *c; c++)
        fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    fputs("\nresiduum COMMAND --help explains one; residuum --version.\n", out);
    return out == stdout ? EXIT_OK : EXIT_USAGE;
}

static const rsd_command *find(const char *name)
{
    for (const rsd_command *const *c = rsd_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static int exit_status(const rsd_command *c, int err)
{
    if (err == RSD_OK)
        return EXIT_OK;
    if (err != RSD_EPARTIAL && err != RSD_ESTOPPED) {
        console_error("residuum %s: %s", c->name, *rsd_errmsg() ? rsd_errmsg() : rsd_strerror(err));
        if (console_level() > 0)
            console_error("  (%s, at %s)", rsd_strerror(err), rsd_errwhere());
    }
    if (err == RSD_ESTOPPED)
        return 128 + stop_signal();
    return err == RSD_EUSAGE ? EXIT_USAGE : EXIT_FAILED;
}

static int run(const rsd_command *c, int argc, char **argv)
{
    rsd_arguments arguments = { 0 };
    bool help = false;
    rsd_common *params = malloc(c->params_size);
    if (!params)
        return EXIT_FAILED;
    memcpy(params, c->defaults, c->params_size);
    char *text = args_quote(argc, argv); /* before the parser moves the words to the end */

    int err = args_parse(c, argc, argv, params, &arguments, &help);
    if (!err && help)
        args_help(c);
    else if (!err) {
        console_init(params->quiet ? -1 : (int)params->verbose);
        rsd_par_init(params->threads);
        stop_install();
        arguments.text = text ? text : c->name;
        err = c->run(params, &arguments);
    }
    free(text);
    args_free(c, params, &arguments);
    free(params);
    return exit_status(c, err);
}

int main(int argc, char **argv)
{
    gsl_set_error_handler_off();
    if (argc < 2)
        return usage(stderr);
    int status;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        status = usage(stdout);
    else if (strcmp(argv[1], "--version") == 0) {
        printf("residuum %s\n", PACKAGE_VERSION);
        status = EXIT_OK;
    } else {
        const rsd_command *c = find(argv[1]);
        if (!c) {
            fprintf(stderr, "residuum: no command '%s'\n\n", argv[1]);
            return usage(stderr);
        }
        status = run(c, argc - 1, argv + 1);
    }
    if (fclose(stdout) != 0) {
        perror("residuum: standard output");
        return EXIT_FAILED;
    }
    return status;
}
