#include "figures/gnuplot.h"

#include "cli/console.h"
#include "cli/stop.h"
#include "figures/paths.h"
#include "io/file.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* One running gnuplot.  It reads the page from standard input, a file without a name, and its
 * messages go to another: nothing is left behind whatever happens. */
typedef struct {
    pid_t pid; /* 0: free */
    char *figure, *path, *temporary;
    FILE *input, *messages;
} job;

struct gnuplot_pool {
    const char *scripts;
    size_t width, next; /* the oldest job that runs */
    job *job;
};

const char *picture_suffix(picture_format format)
{
    static const char *const words[] = { "png", "svg", "pdf" };
    return words[format];
}

/* Is `folder` one of plots?  Takes the text over. */
static bool has_scripts(char *folder, char **out)
{
    char *style = folder ? rsd_path_join(folder, "style.gp") : NULL;
    const bool has = style && access(style, R_OK) == 0;
    free(style);
    if (has)
        *out = folder;
    else
        free(folder);
    return has;
}

/* Folder of the running program, "" where the system does not tell. */
static void program_folder(char *out, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", out, size - 1);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
}

/* Does path begin with the folder? */
static bool lies_in(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == 0);
}

int gnuplot_scripts(char **folder)
{
    char program[4096];
    const char *wanted = getenv("RESIDUUM_PLOTS");
    if (wanted) {
        if (has_scripts(strdup(wanted), folder))
            return RSD_OK;
        return RSD_FAIL(RSD_ENOTFOUND, "RESIDUUM_PLOTS=%s: no style.gp there", wanted);
    }
    program_folder(program, sizeof program);
    if (*program && has_scripts(rsd_path_join(program, "../share/residuum/plots"), folder))
        return RSD_OK;
    if (lies_in(program, RSD_BUILD_DIR) && has_scripts(strdup(RSD_PLOTS_SOURCE), folder))
        return RSD_OK;
    if (has_scripts(strdup(RSD_PLOTS_DIR), folder))
        return RSD_OK;
    return RSD_FAIL(RSD_ENOTFOUND, "no plot scripts in %s; RESIDUUM_PLOTS names their folder",
                    RSD_PLOTS_DIR);
}

int gnuplot_pool_open(const char *scripts, size_t width, gnuplot_pool **out)
{
    gnuplot_pool *pool = calloc(1, sizeof *pool);
    *out = pool;
    if (!pool)
        return RSD_FAIL(RSD_ENOMEM, "list of running programs");
    pool->scripts = scripts;
    pool->width = width;
    pool->job = calloc(width, sizeof *pool->job);
    return pool->job ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "list of %zu running programs", pool->width);
}

static void job_free(job *j)
{
    if (j->input)
        fclose(j->input);
    if (j->messages)
        fclose(j->messages);
    free(j->temporary);
    free(j->path);
    free(j->figure);
    *j = (job){ 0 };
}

/* gnuplot's own account, of a failure or of what it warns of: the first line that names a script's
 * line, without the echo of the command and the caret under it. */
static void first_message(FILE *f, bool failure, char *out, size_t size)
{
    char text[512];
    *out = 0;
    rewind(f);
    while (fgets(text, sizeof text, f)) {
        text[strcspn(text, "\n")] = 0;
        const char *p = text + strspn(text, " \t^");
        if (!*p || (failure && strstr(p, "warning:")))
            continue;
        snprintf(out, size, "%s", p);
        if (strstr(p, " line "))
            return;
    }
}

static int outcome(job *j, int status)
{
    char message[512];
    struct stat st;
    first_message(j->messages, status != 0, message, sizeof message);
    if (status != 0 && stop_requested())
        return RSD_FAIL(RSD_ESTOPPED, "figure %s: stopped", j->figure);
    if (WIFSIGNALED(status))
        return RSD_FAIL(RSD_EIO, "figure %s: gnuplot died of signal %d", j->figure,
                        WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return RSD_FAIL(RSD_EIO, "figure %s: gnuplot failed: %s", j->figure,
                        *message ? message : "it gave no reason");
    if (*message)
        console_detail("%s: gnuplot: %s", j->path, message);
    if (stat(j->temporary, &st) != 0 || st.st_size == 0)
        return RSD_FAIL(RSD_EIO, "figure %s: gnuplot wrote nothing to %s", j->figure, j->temporary);
    if (rename(j->temporary, j->path) != 0)
        return RSD_FAIL(RSD_EIO, "%s: %s", j->path, strerror(errno));
    console_detail("%s", j->path);
    return RSD_OK;
}

static int finish(job *j)
{
    int status, err;
    while (waitpid(j->pid, &status, 0) < 0)
        if (errno != EINTR) {
            err = RSD_FAIL(RSD_EIO, "gnuplot: %s", strerror(errno));
            goto done;
        }
    err = outcome(j, status);
done:
    if (err)
        unlink(j->temporary);
    job_free(j);
    return err;
}

/* The scripts measure text, lines and dashes in points.  The terminals do not: the cairo ones take
 * fonts for 96 dots per inch, line widths and dashes for fractions of a dot; the factors, found by
 * measuring gnuplot 5.4's output, make a point of each.  svg's unit is the point, its dashes grow
 * with the line: right at a width of 1.5. */
static void put_terminal(FILE *f, const page *p, picture_format format)
{
    static const char rest[] = "rounded background '#ffffff' font 'sans-serif,9'";
    const double w = p->width, h = p->height, dpi = 200, point = dpi / 72;
    if (format == PICTURE_PNG)
        fprintf(f,
                "set terminal pngcairo size %.0f,%.0f fontscale %g linewidth %g pointscale %g "
                "dashlength 2 %s\n",
                w * dpi, h * dpi, dpi / 96, point, point, rest);
    else if (format == PICTURE_PDF)
        fprintf(f,
                "set terminal pdfcairo size %gin,%gin fontscale 0.75 linewidth 2 "
                "pointscale 1.3 dashlength 1.8 %s\n",
                w, h, rest);
    else
        fprintf(f, "set terminal svg size %.0f,%.0f dynamic dashlength 1.33 %s\n", w * 72, h * 72,
                rest);
}

/* Everything that gnuplot reads before the script. */
static int put_input(const gnuplot_pool *pool, const page *p, picture_format format, job *j)
{
    FILE *f = j->input;
    fwrite(p->settings_text, 1, p->settings_size, f);
    fputs("$table << END_OF_TABLE\n", f);
    fwrite(p->table_text, 1, p->table_size, f);
    fputs("END_OF_TABLE\n", f);
    put_terminal(f, p, format);
    fputs("set output ", f);
    page_put_quoted(f, j->temporary);
    fputs("scripts = ", f);
    page_put_quoted(f, pool->scripts);
    rewind(f);
    return ferror(f)
               ? RSD_FAIL(RSD_EIO, "figure %s: temporary file: %s", j->figure, strerror(errno))
               : RSD_OK;
}

static int spawn(const char *script, job *j)
{
    posix_spawn_file_actions_t files;
    char *argv[] = { "gnuplot", "--default-settings", "/dev/stdin", (char *)(uintptr_t)script,
                     NULL };
    int bad = posix_spawn_file_actions_init(&files);
    if (!bad) {
        bad = posix_spawn_file_actions_adddup2(&files, fileno(j->input), STDIN_FILENO);
        if (!bad)
            bad = posix_spawn_file_actions_adddup2(&files, fileno(j->messages), STDERR_FILENO);
        if (!bad)
            bad = posix_spawnp(&j->pid, argv[0], &files, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&files);
    }
    if (!bad)
        return RSD_OK;
    j->pid = 0;
    return RSD_FAIL(RSD_EIO, "figure %s: cannot run gnuplot: %s%s", j->figure, strerror(bad),
                    bad == ENOENT ? "; install it: apt-get install gnuplot-nox" : "");
}

static int start(const gnuplot_pool *pool, const page *p, picture_format format, const char *path,
                 job *j)
{
    char *name = NULL, *script = NULL;
    int err = RSD_OK;
    if (asprintf(&name, "%s.gp", p->figure) < 0)
        return RSD_FAIL(RSD_ENOMEM, "path of %s.gp", p->figure);
    script = rsd_path_join(pool->scripts, name);
    j->figure = strdup(p->figure);
    j->path = strdup(path);
    if (!script || !j->figure || !j->path || asprintf(&j->temporary, "%s.tmp", path) < 0) {
        j->temporary = NULL;
        err = RSD_FAIL(RSD_ENOMEM, "paths of figure %s", p->figure);
        goto done;
    }
    j->input = tmpfile();
    j->messages = tmpfile();
    if (!j->input || !j->messages) {
        err = RSD_FAIL(RSD_EIO, "figure %s: temporary file: %s", p->figure, strerror(errno));
        goto done;
    }
    RSD_TRY_DONE(put_input(pool, p, format, j));
    err = spawn(script, j);
done:
    if (err)
        job_free(j);
    free(script);
    free(name);
    return err;
}

int gnuplot_pool_draw(gnuplot_pool *pool, const page *p, picture_format format, const char *path)
{
    job *j = &pool->job[pool->next];
    if (j->pid)
        RSD_TRY(finish(j));
    RSD_TRY(start(pool, p, format, path, j));
    pool->next = (pool->next + 1) % pool->width;
    return RSD_OK;
}

int gnuplot_pool_close(gnuplot_pool *pool, int err)
{
    char first[1024];
    snprintf(first, sizeof first, "%s", rsd_errmsg());
    const int before = err;
    for (size_t i = 0; pool && pool->job && i < pool->width; i++) {
        job *j = &pool->job[(pool->next + i) % pool->width];
        if (!j->pid)
            continue;
        const int ended = finish(j);
        if (!err && ended) {
            err = ended;
            snprintf(first, sizeof first, "%s", rsd_errmsg());
        }
    }
    if (pool)
        free(pool->job);
    free(pool);
    return err && err != before ? RSD_FAIL(err, "%s", first) : err;
}
