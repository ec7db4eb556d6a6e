/* What every test program includes: cmocka, and comparisons of numbers that say both sides.
 *
 * Output is TAP (CMOCKA_MESSAGE_OUTPUT=TAP, set by Makefile.am), so each test case counts. */
#ifndef RSD_TEST_H
#define RSD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* |got - want| <= tol; NaN fails. */
#define CHECK_CLOSE(got, want, tol)                                                                \
    do {                                                                                           \
        const double g_ = (got), w_ = (want), t_ = (tol);                                          \
        if (!(fabs(g_ - w_) <= t_))                                                                \
            fail_msg("%s = %.17g, want %.17g +- %g", #got, g_, w_, t_);                            \
    } while (0)

/* The call succeeds; its own message otherwise. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        const int e_ = (call);                                                                     \
        if (e_)                                                                                    \
            fail_msg("%s: %s: %s", #call, rsd_strerror(e_), rsd_errmsg());                         \
    } while (0)

/* The call fails with this code and its message holds this text. */
#define CHECK_FAILS(call, code, text)                                                              \
    do {                                                                                           \
        const int e_ = (call);                                                                     \
        if (e_ != (code) || !strstr(rsd_errmsg(), text))                                           \
            fail_msg("%s: got %s: %s; want %s: ...%s...", #call, rsd_strerror(e_), rsd_errmsg(),   \
                     rsd_strerror(code), text);                                                    \
    } while (0)

/* Path of a committed fixture; static storage. */
static inline const char *fixture(const char *name)
{
    static char path[4096];
    const char *dir = getenv("srcdir");
    snprintf(path, sizeof path, "%s/tests/golden/%s", dir ? dir : ".", name);
    return path;
}

/* Is this a build under sanitizers?  Numbers that take long are then left to the plain one, where
 * small cases run the same code: the test calls skip(). */
static inline bool sanitized(void)
{
    const char *flags = getenv("RSD_SANITIZED");
    return flags && *flags;
}

/* Path below the folder of real models and reference answers, or NULL where it is missing: then
 * the test calls skip(). $RSD_SHARED names the folder; beside the checkout by default. */
static inline const char *shared_file(const char *name)
{
    static char path[4096];
    const char *dir = getenv("RSD_SHARED");
    const char *src = getenv("srcdir");
    if (dir)
        snprintf(path, sizeof path, "%s/%s", dir, name);
    else
        snprintf(path, sizeof path, "%s/../shared/%s", src ? src : ".", name);
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    fclose(f);
    return path;
}

#endif
