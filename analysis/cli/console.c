/* Notes, errors and the progress line. */
#include "cli/console.h"

#include "cli/printable.h"
#include "utf8.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* There is one terminal, so one state. */
static struct {
    pthread_mutex_t lock;
    int level;
    const char *what;
    size_t items, done_items;
    double total, done, started, drawn;
    int width; /* of the line that stands on the terminal now */
} console = { .lock = PTHREAD_MUTEX_INITIALIZER };

double console_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

size_t console_peak_memory(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (size_t)use.ru_maxrss * 1024;
}

void console_init(int level) { console.level = level; }

int console_level(void) { return console.level; }

static void erase(void)
{
    if (console.width)
        fprintf(stderr, "\r%*s\r", console.width, "");
    console.width = 0;
}

/* The message, however long; NULL when memory is out. */
static char *format(const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, fmt, ap);
    return text;
}

static void say(int level, const char *fmt, va_list ap)
{
    if (console.level < level)
        return;
    char *text = format(fmt, ap);
    pthread_mutex_lock(&console.lock);
    erase();
    if (text)
        printable_put(stderr, text, 0);
    else
        fputs("out of memory for a message", stderr);
    fputc('\n', stderr);
    pthread_mutex_unlock(&console.lock);
    free(text);
}

#define SAY(name, level)                                                                           \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        say(level, fmt, ap);                                                                       \
        va_end(ap);                                                                                \
    }
SAY(console_error, -1)
SAY(console_note, 0)
SAY(console_detail, 1)
SAY(console_trace, 2)

static void print_time(char *out, size_t size, double s)
{
    if (s < 60)
        snprintf(out, size, "%.0f s", s);
    else if (s < 3600)
        snprintf(out, size, "%d min %02d s", (int)s / 60, (int)s % 60);
    else
        snprintf(out, size, "%d h %02d min", (int)s / 3600, (int)s / 60 % 60);
}

void console_progress_begin(const char *what, size_t items, double total)
{
    console.what = what;
    console.items = items;
    console.done_items = 0;
    console.total = total;
    console.done = 0;
    console.started = console_seconds();
    console.drawn = 0;
}

void console_progress_step(const char *item, double cost)
{
    if (console.level < 0)
        return;
    pthread_mutex_lock(&console.lock);
    console.done += cost;
    console.done_items++;
    const double now = console_seconds();
    if (isatty(STDERR_FILENO) && now - console.drawn > 0.1) {
        const double spent = now - console.started;
        const double left = spent * (console.total - console.done) / console.done;
        char eta[32], shown[48];
        print_time(eta, sizeof eta, left);
        rsd_printable(item, shown, sizeof shown);
        erase();
        console.width =
            fprintf(stderr, "%s %zu/%zu, %.2f/s, %s left  %s", console.what, console.done_items,
                    console.items, (double)console.done_items / spent, eta, shown);
        fflush(stderr);
        console.drawn = now;
    }
    pthread_mutex_unlock(&console.lock);
}

void console_progress_end(void)
{
    pthread_mutex_lock(&console.lock);
    erase();
    pthread_mutex_unlock(&console.lock);
}
