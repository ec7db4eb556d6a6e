/* Running gnuplot, several at a time: a page in, a picture out, what it says as an error. */
#include "figures/gnuplot.h"

#include "alloc.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "figures/paths.h"
#include "io/file.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* One running gnuplot.  It reads the page from standard input, a file without a name, and its
 * messages go to another: nothing is left behind whatever happens.  The picture is its standard
 * output, a file that is opened here: whether the system takes it is known before anything runs,
 * and its name is final only when the picture is whole. */
typedef struct {
    pid_t pid; /* 0: free */
    char *figure;
    picture_format format;
    rsd_writer picture;
    FILE *input, *messages;
} job;

struct gnuplot_pool {
    const char *scripts;
    size_t width, next; /* the oldest job that runs */
    job *job;
};

/* *out: the folder's path if the scripts are there, else NULL. */
static int try_scripts(char **out, const char *folder, const char *below)
{
    char *style = NULL;
    *out = NULL;
    RSD_TRY(rsd_format(&style, "%s%s/style.gp", folder, below));
    const bool has = access(style, R_OK) == 0;
    free(style);
    return has ? rsd_format(out, "%s%s", folder, below) : RSD_OK;
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
    char program[PATH_MAX];
    const char *wanted = getenv("RESIDUUM_PLOTS");
    if (wanted) {
        RSD_TRY(try_scripts(folder, wanted, ""));
        return *folder ? RSD_OK
                       : RSD_FAIL(RSD_ENOTFOUND, "RESIDUUM_PLOTS=%s: no style.gp there", wanted);
    }
    *folder = NULL;
    program_folder(program, sizeof program);
    if (*program)
        RSD_TRY(try_scripts(folder, program, "/../share/residuum/plots"));
    if (!*folder && lies_in(program, RSD_BUILD_DIR))
        RSD_TRY(try_scripts(folder, RSD_PLOTS_SOURCE, ""));
    if (!*folder)
        RSD_TRY(try_scripts(folder, RSD_PLOTS_DIR, ""));
    return *folder
               ? RSD_OK
               : RSD_FAIL(RSD_ENOTFOUND, "no plot scripts in %s; RESIDUUM_PLOTS names their folder",
                          RSD_PLOTS_DIR);
}

int gnuplot_pool_open(const char *scripts, size_t width, gnuplot_pool **out)
{
    RSD_TRY(rsd_zeroed(1, sizeof **out, out));
    (*out)->scripts = scripts;
    (*out)->width = width;
    return rsd_zeroed(width, sizeof *(*out)->job, &(*out)->job);
}

static void job_free(job *j)
{
    if (j->input)
        fclose(j->input);
    if (j->messages)
        fclose(j->messages);
    rsd_writer_abandon(&j->picture);
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

/* gnuplot ended as if all were fine, but the picture is not whole: why, in the words of whoever
 * knows best.  That is the system, if it takes no more bytes now. */
static int cut_off(job *j, int err, const char *message)
{
    const char block[4096] = { 0 };
    FILE *f = j->picture.stream;
    if (err != RSD_EFORMAT)
        return err;
    if (fseek(f, 0, SEEK_END) != 0 || fwrite(block, 1, sizeof block, f) != sizeof block ||
        fflush(f) != 0)
        return RSD_FAIL(RSD_EIO, "%s: cannot write the picture: %s", j->picture.path,
                        strerror(errno));
    return RSD_FAIL(RSD_EIO, "%s: gnuplot ended well, but %s%s%s", j->picture.path, rsd_errmsg(),
                    *message ? "; it said: " : "", message);
}

static int outcome(job *j, int status)
{
    char message[512];
    first_message(j->messages, status != 0, message, sizeof message);
    if (status != 0 && stop_requested())
        return RSD_FAIL(RSD_ESTOPPED, "figure %s: stopped", j->figure);
    if (WIFSIGNALED(status))
        return RSD_FAIL(RSD_EIO, "%s: gnuplot died of signal %d, %s", j->picture.path,
                        WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return RSD_FAIL(RSD_EIO, "figure %s: gnuplot failed: %s", j->figure,
                        *message ? message : "it gave no reason");
    if (*message)
        console_detail("%s: gnuplot: %s", j->picture.path, message);
    const int err = picture_check(j->format, j->picture.temporary);
    if (err)
        return cut_off(j, err, message);
    console_detail("%s", j->picture.path);
    return rsd_writer_commit(&j->picture);
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
static int put_input(const gnuplot_pool *pool, const page *p, job *j)
{
    FILE *f = j->input;
    fwrite(p->settings_text, 1, p->settings_size, f);
    fputs("$table << END_OF_TABLE\n", f);
    fwrite(p->table_text, 1, p->table_size, f);
    fputs("END_OF_TABLE\n", f);
    put_terminal(f, p, j->format);
    fputs("scripts = ", f);
    page_put_quoted(f, pool->scripts);
    if (fflush(f) != 0 || ferror(f))
        return RSD_FAIL(RSD_EIO, "figure %s: temporary file: %s", j->figure, strerror(errno));
    rewind(f);
    return RSD_OK;
}

/* Its three files, and signals as if it were started by hand. */
static int arrange(const job *j, posix_spawn_file_actions_t *files, posix_spawnattr_t *how)
{
    sigset_t blocked;
    stop_child_mask(&blocked);
    int bad = posix_spawnattr_setsigmask(how, &blocked);
    if (!bad)
        bad = posix_spawnattr_setflags(how, POSIX_SPAWN_SETSIGMASK);
    if (!bad)
        bad = posix_spawn_file_actions_adddup2(files, fileno(j->input), STDIN_FILENO);
    if (!bad)
        bad = posix_spawn_file_actions_adddup2(files, fileno(j->picture.stream), STDOUT_FILENO);
    if (!bad)
        bad = posix_spawn_file_actions_adddup2(files, fileno(j->messages), STDERR_FILENO);
    return bad;
}

static int spawn(char *script, job *j)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    char *argv[] = { "gnuplot", "--default-settings", "/dev/stdin", script, NULL };
    int bad = posix_spawn_file_actions_init(&files);
    if (!bad) {
        bad = posix_spawnattr_init(&how);
        if (!bad) {
            bad = arrange(j, &files, &how);
            if (!bad)
                bad = posix_spawnp(&j->pid, argv[0], &files, &how, argv, environ);
            posix_spawnattr_destroy(&how);
        }
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
    char *script = NULL;
    int err = RSD_OK;
    j->format = format;
    RSD_TRY_DONE(rsd_format(&script, "%s/%s.gp", pool->scripts, p->script));
    RSD_TRY_DONE(rsd_copy_text(p->figure, &j->figure));
    RSD_TRY_DONE(rsd_writer_open(path, &j->picture));
    j->input = tmpfile();
    j->messages = tmpfile();
    if (!j->input || !j->messages) {
        err = RSD_FAIL(RSD_EIO, "figure %s: temporary file: %s", p->figure, strerror(errno));
        goto done;
    }
    RSD_TRY_DONE(put_input(pool, p, j));
    err = spawn(script, j);
done:
    if (err)
        job_free(j);
    free(script);
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
