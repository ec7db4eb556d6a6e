/* Errors: every function that can fail returns one of these codes (0 = RSD_OK)
 * and leaves a one-line message for rsd_errmsg().  src/ never prints or exits. */
#ifndef RSD_ERR_H
#define RSD_ERR_H

/* One row per code; each exists because some caller acts on it. */
/* clang-format off */
#define RSD_ERROR_LIST(ENTRY)                                                 \
    ENTRY(OK, "success")                                                      \
    ENTRY(EARG, "argument out of range or shapes disagree")                   \
    ENTRY(ENOMEM, "out of memory")                                            \
    ENTRY(EIO, "file could not be read or written")                           \
    ENTRY(EFORMAT, "file is not in the expected format")                      \
    ENTRY(EDOM, "data contain NaN, Inf or an illegal value")                  \
    ENTRY(ECONV, "iteration did not converge")                                \
    ENTRY(ENOTFOUND, "no such name")                                          \
    ENTRY(EUSAGE, "wrong command line")                                       \
    ENTRY(EPARTIAL, "some items failed")                                      \
    ENTRY(ESTOPPED, "stopped by a signal")
/* clang-format on */

#define RSD_ENUM(name, text) RSD_##name,
enum { RSD_ERROR_LIST(RSD_ENUM) RSD_NERRORS };
#undef RSD_ENUM

/* What the code means, in a few words. */
const char *rsd_strerror(int code);

/* Message of the last failure in this thread: object, cause, numbers; one line.
 * Valid until the thread's next failure. */
const char *rsd_errmsg(void);

/* "file.c:line" of that failure, for -v. */
const char *rsd_errwhere(void);

int rsd_fail_at(const char *file, int line, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Put a name in front of the last message: "model.safetensors: <message>".  Returns code. */
int rsd_fail_prefix(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define RSD_CHECK __attribute__((warn_unused_result))

/* return RSD_FAIL(RSD_EARG, "rank %zu > %zu", r, n); */
#define RSD_FAIL(code, ...) rsd_fail_at(__FILE__, __LINE__, (code), __VA_ARGS__)

/* Pass an error up: from a function that owns nothing ... */
#define RSD_TRY(call)                                                                              \
    do {                                                                                           \
        int err_ = (call);                                                                         \
        if (err_)                                                                                  \
            return err_;                                                                           \
    } while (0)

/* ... and from one that frees at `done:` (needs `int err = RSD_OK;`). */
#define RSD_TRY_DONE(call)                                                                         \
    do {                                                                                           \
        if ((err = (call)))                                                                        \
            goto done;                                                                             \
    } while (0)

#endif
