/* What the program says while it works: notes and a progress line on standard error. */
#ifndef RSD_CONSOLE_H
#define RSD_CONSOLE_H

#include <stddef.h>

/* level -1: errors only; 0: notes and progress; 1, 2: -v, -vv. */
void console_init(int level);
int console_level(void);

/* One line each; safe from any thread. */
void console_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void console_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* with -v */
void console_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* with -vv */
void console_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* always */

/* Work of a known size.  On a terminal one line is redrawn: what, how far, rate and time left.
 * `done` and `total` are in units of cost, so that the time left holds for items of unequal size.
 */
void console_progress_begin(const char *what, size_t items, double total);
void console_progress_step(const char *item, double cost);
void console_progress_end(void);

double console_seconds(void);     /* monotonic clock */
size_t console_peak_memory(void); /* bytes that were ever resident at once */

#endif
