/* Entry point: find the command, read its options, run it, turn its error into an exit status. */
#include "config.h"

#include "cli/args.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "cli/waiting.h"
#include "rsd.h"

#include <gsl/gsl_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int usage(FILE *out)
{
    fputs("usage: residuum COMMAND [options]\n\n", out);
    for (const rsd_command *const *c = rsd_commands; *c; c++)
        fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
    fputs("\nresiduum help COMMAND, or COMMAND --help, explains one; residuum --version.\n", out);
    return out == stdout ? EXIT_OK : EXIT_USAGE;
}

static const rsd_command *find(const char *name)
{
    for (const rsd_command *const *c = rsd_commands; *c; c++)
        if (strcasecmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static int no_command(const char *name)
{
    rsd_near near = { .word = name };
    for (const rsd_command *const *c = rsd_commands; *c; c++)
        rsd_near_try(&near, (*c)->name);
    fprintf(stderr, "residuum: no command '%s'%s\n", name, rsd_near_hint(&near).text);
    if (near.name)
        return EXIT_USAGE;
    fputc('\n', stderr);
    return usage(stderr);
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

static int start(const rsd_command *c, rsd_common *params, const rsd_arguments *arguments)
{
    RSD_TRY(stop_install());
    console_init(params->quiet ? -1 : (int)params->verbose);
    rsd_par_init(params->threads);
    if (c->common & RSD_TAKES_THREADS)
        console_detail("threads: %zu", rsd_par_threads());
    return c->run(params, arguments);
}

static int run(const rsd_command *c, int argc, char **argv)
{
    rsd_arguments arguments = { 0 };
    bool help = false;
    char *text = NULL;
    rsd_common *params = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_zeroed(1, c->params_size, &params));
    memcpy(params, c->defaults, c->params_size);
    RSD_TRY_DONE(args_quote(argc, argv, &text)); /* the parser moves the words to the end */
    arguments.text = text;
    RSD_TRY_DONE(args_parse(c, argc, argv, params, &arguments, &help));
    if (help)
        args_help(c);
    else
        err = start(c, params, &arguments);
done:
    free(text);
    if (params)
        args_free(c, params, &arguments);
    free(params);
    return exit_status(c, err);
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

/* "help", or "help COMMAND". */
static int help(const char *name)
{
    const rsd_command *c = name ? find(name) : NULL;
    if (!name)
        return usage(stdout);
    if (!c)
        return no_command(name);
    args_help(c);
    return EXIT_OK;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr);
    if (is_one_of(argv[1], "--help", "-h", "help"))
        return help(argc > 2 ? argv[2] : NULL);
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        printf("residuum %s\n", PACKAGE_VERSION);
        return EXIT_OK;
    }
    const rsd_command *c = find(argv[1]);
    return c ? run(c, argc - 1, argv + 1) : no_command(argv[1]);
}

int main(int argc, char **argv)
{
    waiting_settle(argv);
    gsl_set_error_handler_off();
    const int status = dispatch(argc, argv);
    if (fclose(stdout) != 0) {
        perror("residuum: standard output");
        return EXIT_FAILED;
    }
    return status;
}
