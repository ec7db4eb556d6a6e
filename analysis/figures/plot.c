/* residuum plot: figures of result files.  Which pages a figure has, its file in figures/ decides;
 * how they look, its script in plots/. */
#include "alloc.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "figures/caption.h"
#include "figures/figure.h"
#include "figures/gnuplot.h"
#include "io/file.h"
#include "par.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    rsd_common common;
    int format;
    view_selection select;
    figure_options figure;
    bool tables;
} plot_params;

static const plot_params defaults = {
    .common = { .output = "." },
    .figure = { .metric = "effective_rank" },
};

#define AT(field) offsetof(plot_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    { "format", 0, RSD_OPT_CHOICE, AT(format), 0, 0, PICTURE_WORDS, "of the pictures" },
    { "include", 0, RSD_OPT_LIST, AT(select.include), 0, 0, "GLOB",
      "draw the matrices whose name matches" },
    { "exclude", 0, RSD_OPT_LIST, AT(select.exclude), 0, 0, "GLOB",
      "leave out the matrices whose name matches" },
    { "model", 0, RSD_OPT_LIST, AT(select.models), 0, 0, "GLOB",
      "draw the models whose name matches" },
    { "spec", 0, RSD_OPT_LIST, AT(select.specs), 0, 0, "GLOB",
      "draw the quantizers whose SPEC matches, short (nf4) or canonical" },
    { "top", 0, RSD_OPT_SIZE, AT(figure.top), 0, 1e9, "N",
      "ranks shown; 0: 200 for cumulative and energy, all for the others" },
    { "metric", 0, RSD_OPT_STRING, AT(figure.metric), 0, 0, "NAME",
      "column of the table spectra that the figure layers draws" },
    { "tables", 0, RSD_OPT_FLAG, AT(tables), 0, 0, NULL,
      "write the table of each picture beside it, as .tsv" },
    { 0 },
};
/* clang-format on */

typedef struct {
    const plot_params *params;
    const char **file;     /* [files] */
    const figure **wanted; /* [wanted_count] */
    size_t files, wanted_count;
    bool named;    /* figures were asked for by name */
    size_t *drawn; /* [wanted_count] pages of each */
    char *scripts;
    gnuplot_pool *pool;
    const char *stem; /* what the names of pages begin with, "" for a single file */
    char **name;      /* [names] pictures of this run, without suffix */
    size_t names;
    size_t *now; /* counts the pages of the figure at hand */
} run;

static bool is_file(const char *word)
{
    const char *dot = strrchr(word, '.');
    return (dot && (strcmp(dot, ".h5") == 0 || strcmp(dot, ".hdf5") == 0)) ||
           access(word, F_OK) == 0;
}

static int add_figure(run *r, const figure *f)
{
    for (size_t i = 0; i < r->wanted_count; i++)
        if (r->wanted[i] == f)
            return RSD_OK;
    r->wanted[r->wanted_count++] = f;
    return RSD_OK;
}

/* Words that are figures' names are figures (./cumulative is a file), others are files. */
static int sort_words(run *r, const rsd_list *words)
{
    size_t known = 0;
    while (figures[known])
        known++;
    RSD_TRY(rsd_zeroed(words->count, sizeof *r->file, &r->file));
    RSD_TRY(rsd_zeroed(known, sizeof *r->wanted, &r->wanted));
    RSD_TRY(rsd_zeroed(known, sizeof *r->drawn, &r->drawn));
    for (size_t i = 0; i < words->count; i++) {
        const figure *f = figure_find(words->item[i]);
        if (f)
            RSD_TRY(add_figure(r, f));
        else if (is_file(words->item[i]))
            r->file[r->files++] = words->item[i];
        else {
            char names[512];
            figure_names(names, sizeof names);
            return RSD_FAIL(RSD_EUSAGE, "'%s' is no file and no figure; figures are %s",
                            words->item[i], names);
        }
    }
    r->named = r->wanted_count > 0;
    for (size_t i = 0; !r->named && i < known; i++)
        RSD_TRY(add_figure(r, figures[i]));
    return r->files ? RSD_OK : RSD_FAIL(RSD_EUSAGE, "give a result file: F.h5");
}

/* Is it a number of /spectra? */
static int check_metric(const char *name)
{
    char known[2048] = "";
    size_t used = 0;
    const rows_field *f = rows_find(&spectra_schema, name);
    if (f && f->column.type != RSD_COLUMN_TEXT)
        return RSD_OK;
    for (size_t i = 0; i < spectra_schema.fields && used < sizeof known; i++)
        if (spectra_schema.field[i].column.type != RSD_COLUMN_TEXT)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                     spectra_schema.field[i].column.name);
    return RSD_FAIL(RSD_EUSAGE, "--metric %s: no such number; there are %s", name, known);
}

static bool is_taken(const run *r, const char *name)
{
    for (size_t i = 0; i < r->names; i++)
        if (strcmp(r->name[i], name) == 0)
            return true;
    return false;
}

/* The page's name, made different from those before in this run.  The run owns it. */
static int name_picture(run *r, const page *p, const char **out)
{
    char *name;
    RSD_TRY(rsd_room(&r->name, r->names, 1, sizeof *r->name));
    RSD_TRY(rsd_format(&name, "%s%s%s", r->stem, *r->stem ? "-" : "", p->name));
    for (size_t n = 2; is_taken(r, name); n++) {
        free(name);
        RSD_TRY(rsd_format(&name, "%s%s%s-%zu", r->stem, *r->stem ? "-" : "", p->name, n));
    }
    *out = r->name[r->names++] = name;
    return RSD_OK;
}

static int path_of(const run *r, const char *name, const char *suffix, char **out)
{
    return rsd_format(out, "%s/%s.%s", r->params->common.output, name, suffix);
}

static int write_table(const run *r, const page *p, const char *name)
{
    char *path;
    rsd_writer w = { 0 };
    RSD_TRY(path_of(r, name, "tsv", &path));
    int err = rsd_writer_open(path, &w);
    if (!err)
        err = rsd_writer_put(&w, p->table_text, p->table_size);
    if (err)
        rsd_writer_abandon(&w);
    else
        err = rsd_writer_commit(&w);
    free(path);
    return err;
}

static int draw(void *context, const page *p)
{
    run *r = context;
    const char *name = NULL;
    const picture_format format = (picture_format)r->params->format;
    if (stop_requested())
        return RSD_FAIL(RSD_ESTOPPED, "stopped");
    RSD_TRY(name_picture(r, p, &name));
    if (r->params->tables)
        RSD_TRY(write_table(r, p, name));
    char *path;
    RSD_TRY(path_of(r, name, picture_suffix(format), &path));
    const int err = gnuplot_pool_draw(r->pool, p, format, path);
    free(path);
    ++*r->now;
    return err;
}

static int draw_figures(run *r, const view *v, const char *path)
{
    const page_sink sink = { draw, r };
    for (size_t i = 0; i < r->wanted_count; i++) {
        const figure *f = r->wanted[i];
        const size_t before = r->drawn[i];
        r->now = &r->drawn[i];
        RSD_TRY(f->pages(v, &r->params->figure, &sink));
        if (r->drawn[i] == before && !r->named) /* else check_drawn says so */
            console_note("%s: nothing for figure %s, which needs %s", path, f->name, f->needs);
        console_progress_step(f->name, 1);
    }
    return RSD_OK;
}

static int draw_file(run *r, const char *path)
{
    rsd_store *store;
    view v = { 0 };
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    int err = view_open(store, &r->params->select, &v);
    if (!err)
        err = draw_figures(r, &v, path);
    view_close(&v);
    if (err) { /* its message is the one to report */
        (void)!rsd_store_close(store);
        return err;
    }
    return rsd_store_close(store);
}

/* "a/b.h5": "b". */
static int stem_of(const char *path, char **out)
{
    const char *slash = strrchr(path, '/');
    RSD_TRY(rsd_copy_text(slash ? slash + 1 : path, out));
    char *dot = strrchr(*out, '.');
    if (dot && dot > *out)
        *dot = 0;
    caption_file_name(*out);
    return RSD_OK;
}

static int draw_files(run *r)
{
    int err = RSD_OK;
    console_progress_begin("figure", r->files * r->wanted_count,
                           (double)(r->files * r->wanted_count));
    for (size_t i = 0; i < r->files && !err; i++) {
        char *stem = NULL;
        err = r->files > 1 ? stem_of(r->file[i], &stem) : RSD_OK;
        r->stem = stem ? stem : "";
        err = err ? err : draw_file(r, r->file[i]);
        free(stem);
    }
    console_progress_end();
    return err;
}

/* Every figure that was asked for by name came out. */
static int check_drawn(const run *r)
{
    for (size_t i = 0; r->named && i < r->wanted_count; i++)
        if (r->drawn[i] == 0)
            return RSD_FAIL(RSD_ENOTFOUND, "figure %s: nothing to draw in %s%s, it needs %s",
                            r->wanted[i]->name, r->file[0],
                            r->files > 1 ? " and the other files" : "", r->wanted[i]->needs);
    return RSD_OK;
}

/* Can pictures be written here?  Asked before any is drawn, by writing: rights alone do not tell.
 */
static int check_folder(const char *folder)
{
    char *path = NULL;
    rsd_writer w = { 0 };
    RSD_TRY(rsd_make_folder(folder));
    RSD_TRY(rsd_format(&path, "%s/.residuum-plot", folder));
    const int err = rsd_writer_open(path, &w);
    rsd_writer_abandon(&w);
    free(path);
    return err;
}

static int plot(run *r, const rsd_list *words)
{
    const char *folder = r->params->common.output;
    RSD_TRY(sort_words(r, words));
    RSD_TRY(check_metric(r->params->figure.metric));
    RSD_TRY(gnuplot_scripts(&r->scripts));
    RSD_TRY(check_folder(folder));
    int err = gnuplot_pool_open(r->scripts, rsd_par_threads(), &r->pool);
    if (!err)
        err = draw_files(r);
    RSD_TRY(gnuplot_pool_close(r->pool, err));
    if (r->names)
        console_note("%zu pictures in %s", r->names, folder);
    return check_drawn(r);
}

static int run_plot(const void *params, const rsd_arguments *arguments)
{
    run r = { .params = params, .stem = "" };
    const int err = plot(&r, &arguments->words);
    for (size_t i = 0; i < r.names; i++)
        free(r.name[i]);
    free(r.name);
    free(r.scripts);
    free(r.drawn);
    free(r.wanted);
    free(r.file);
    return err;
}

extern const rsd_command rsd_command_plot;
const rsd_command rsd_command_plot = {
    .name = "plot",
    .usage = "F.h5... [FIGURE...] [-o DIR] [--format png|svg|pdf]",
    .summary = "pictures of result files, by gnuplot",
    .details =
        "Without FIGURE every figure is drawn; `residuum list figures` names them.  A picture\n"
        "is called FIGURE-MODEL-ROLE-SPEC, with the file's name in front where there are\n"
        "several; PATH of -o is the folder.\n",
    .options = options,
    .common = RSD_TAKES_OUTPUT | RSD_TAKES_THREADS,
    .min_words = 1,
    .max_words = SIZE_MAX,
    .defaults = &defaults,
    .params_size = sizeof(plot_params),
    .run = run_plot,
};
