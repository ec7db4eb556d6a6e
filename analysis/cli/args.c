/* getopt_long does the scanning; its tables are made from ours, so an option is described once. */
#include "cli/args.h"

#include "near.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 64, FIRST_CODE = 256, HELP_COLUMN = 30, HELP_WIDTH = 92 };

static const struct {
    unsigned needs;
    rsd_opt opt;
} common_rows[] = {
    { RSD_TAKES_OUTPUT,
      { "output", 'o', RSD_OPT_STRING, offsetof(rsd_common, output), 0, 0, "PATH",
        "where the result goes" } },
    { RSD_TAKES_FORCE,
      { "force", 0, RSD_OPT_FLAG, offsetof(rsd_common, force), 0, 0, NULL,
        "start over: replace what the output holds" } },
    { RSD_TAKES_JSON,
      { "json", 0, RSD_OPT_FLAG, offsetof(rsd_common, json), 0, 0, NULL,
        "print one JSON object" } },
    { RSD_TAKES_THREADS,
      { "threads", 0, RSD_OPT_SIZE, offsetof(rsd_common, threads), 0, 4096, "N",
        "threads; 0: OMP_NUM_THREADS, else one per core" } },
    { RSD_TAKES_SEED,
      { "seed", 0, RSD_OPT_SIZE, offsetof(rsd_common, seed), 0, 4294967295.0, "N",
        "seed of everything random" } },
    { 0,
      { "quiet", 0, RSD_OPT_FLAG, offsetof(rsd_common, quiet), 0, 0, NULL, "print errors only" } },
    { 0,
      { "verbose", 'v', RSD_OPT_FLAG, offsetof(rsd_common, verbose), 0, 0, NULL,
        "explain what is done; -vv more" } },
};
enum { COMMON = sizeof common_rows / sizeof *common_rows };

/* Every row of the command, its own first. */
static size_t collect(const rsd_command *c, const rsd_opt *rows[ROWS_MAX])
{
    size_t n = 0;
    for (const rsd_opt *o = c->options; o && o->name && n < ROWS_MAX - COMMON; o++)
        rows[n++] = o;
    for (size_t i = 0; i < COMMON; i++)
        if (!common_rows[i].needs || (c->common & common_rows[i].needs))
            rows[n++] = &common_rows[i].opt;
    return n;
}

/* "--ba": the rows that it abbreviates, or the one that is near. */
static int unknown_option(const rsd_command *c, const char *word)
{
    const rsd_opt *rows[ROWS_MAX];
    const size_t n = collect(c, rows), length = strcspn(word, "=");
    char name[256], meant[1024] = "";
    size_t used = 0;
    snprintf(name, sizeof name, "%.*s", (int)length, word);
    rsd_near near = { .word = name };
    for (size_t i = 0; i < n; i++) {
        rsd_near_try(&near, rows[i]->name);
        if (length && strncmp(rows[i]->name, name, length) == 0 && used < sizeof meant)
            used += (size_t)snprintf(meant + used, sizeof meant - used, "%s--%s", used ? ", " : "",
                                     rows[i]->name);
    }
    if (used)
        return RSD_FAIL(RSD_EUSAGE, "option --%s may be %s", name, meant);
    if (near.name)
        return RSD_FAIL(RSD_EUSAGE, "unknown option --%s; did you mean --%s?", name, near.name);
    return RSD_FAIL(RSD_EUSAGE, "unknown option --%s; see residuum %s --help", name, c->name);
}

static int bad_option(const rsd_command *c, char **argv, int code)
{
    const char *word = argv[optind - 1];
    if (code == ':')
        return RSD_FAIL(RSD_EUSAGE, "%s needs a value; see residuum %s --help", word, c->name);
    if (optopt >= FIRST_CODE)
        return RSD_FAIL(RSD_EUSAGE, "%s: this option takes no value", word);
    if (optopt)
        return RSD_FAIL(RSD_EUSAGE, "unknown option -%c; see residuum %s --help", optopt, c->name);
    return unknown_option(c, word + strspn(word, "-"));
}

static int set(const rsd_opt *opt, void *params, const char *value)
{
    if (opt->letter == 'v') { /* the one option that counts */
        ((rsd_common *)params)->verbose++;
        return RSD_OK;
    }
    const int err = rsd_opt_set(opt, params, value);
    return err ? rsd_fail_prefix(err, "option --%s", opt->name) : RSD_OK;
}

int args_parse(const rsd_command *c, int argc, char **argv, void *params, rsd_arguments *out,
               bool *help)
{
    const rsd_opt *rows[ROWS_MAX];
    const size_t n = collect(c, rows);
    struct option longs[ROWS_MAX + 2] = { 0 };
    char shorts[2 * ROWS_MAX + 4] = ":h";
    size_t used = 2;
    for (size_t i = 0; i < n; i++) {
        const bool takes = rows[i]->type != RSD_OPT_FLAG;
        longs[i] = (struct option){ rows[i]->name, takes ? required_argument : no_argument, NULL,
                                    FIRST_CODE + (int)i };
        if (rows[i]->letter) {
            shorts[used++] = rows[i]->letter;
            if (takes)
                shorts[used++] = ':';
        }
    }
    longs[n] = (struct option){ "help", no_argument, NULL, 'h' };

    *help = false;
    optind = 0; /* GNU: start over */
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (code == 'h') {
            *help = true;
            return RSD_OK;
        }
        if (code == '?' || code == ':')
            return bad_option(c, argv, code);
        size_t i = 0;
        while (code < FIRST_CODE ? rows[i]->letter != code : FIRST_CODE + (int)i != code)
            i++;
        RSD_TRY(set(rows[i], params, optarg));
    }
    for (int i = optind; i < argc; i++)
        RSD_TRY(rsd_list_add(&out->words, argv[i]));
    if (out->words.count < c->min_words || out->words.count > c->max_words)
        return RSD_FAIL(RSD_EUSAGE, "%zu arguments; usage: residuum %s %s", out->words.count,
                        c->name, c->usage);
    return RSD_OK;
}

void args_free(const rsd_command *c, void *params, rsd_arguments *arguments)
{
    const rsd_opt *rows[ROWS_MAX];
    const size_t n = collect(c, rows);
    for (size_t i = 0; i < n; i++)
        if (rows[i]->type == RSD_OPT_LIST)
            rsd_list_free((rsd_list *)((char *)params + rows[i]->offset));
    rsd_list_free(&arguments->words);
}

/* Print text from the help column on, broken between words. */
static void wrap(int column, const char *text)
{
    for (const char *blank = ""; *text; blank = " ") {
        const size_t len = strcspn(text, " ");
        if (column + (int)(strlen(blank) + len) > HELP_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
            blank = "";
        }
        column += printf("%s%.*s", blank, (int)len, text);
        text += len;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void help_row(const rsd_opt *opt, const void *defaults)
{
    char text[1024], value[256] = "";
    int column = printf("  %c%c%s --%s", opt->letter ? '-' : ' ', opt->letter ? opt->letter : ' ',
                        opt->letter ? "," : " ", opt->name);
    if (opt->type != RSD_OPT_FLAG)
        column += printf(" %s", opt->arg);
    if (column < HELP_COLUMN - 1)
        printf("%*s", HELP_COLUMN - column, "");
    else
        printf("\n%*s", HELP_COLUMN, "");

    if (opt->type != RSD_OPT_FLAG)
        rsd_opt_value(opt, defaults, value, sizeof value);
    snprintf(text, sizeof text, "%s%s%s%s%s", opt->help,
             opt->type == RSD_OPT_LIST ? " (may repeat)" : "", *value ? " (default: " : "", value,
             *value ? ")" : "");
    wrap(HELP_COLUMN, text);
}

void args_help(const rsd_command *c)
{
    const rsd_opt *rows[ROWS_MAX];
    const size_t n = collect(c, rows);
    printf("usage: residuum %s %s\n\n%s\n\n", c->name, c->usage, c->summary);
    if (c->details)
        printf("%s\n", c->details);
    printf("options:\n");
    for (size_t i = 0; i < n; i++)
        help_row(rows[i], c->defaults);
    printf("  -h, --help%*sthis text\n", HELP_COLUMN - 12, "");
}

/* Does a shell take the word as it is? */
static bool is_plain(const char *word)
{
    return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_-+=:,./@%^") == strlen(word);
}

void args_quote_word(FILE *f, const char *word)
{
    if (is_plain(word)) {
        fputs(word, f);
        return;
    }
    fputc('\'', f);
    for (const char *p = word; *p; p++)
        fputs(*p == '\'' ? "'\\''" : (char[2]){ *p, 0 }, f);
    fputc('\'', f);
}

int args_quote(int argc, char **argv, char **text)
{
    size_t size = 0;
    *text = NULL;
    FILE *f = open_memstream(text, &size);
    if (!f)
        return RSD_FAIL(RSD_ENOMEM, "text of the command line");
    fputs("residuum", f);
    for (int i = 0; i < argc; i++) {
        fputc(' ', f);
        args_quote_word(f, argv[i]);
    }
    if (fclose(f) == 0)
        return RSD_OK;
    free(*text);
    *text = NULL;
    return RSD_FAIL(RSD_ENOMEM, "text of the command line");
}
