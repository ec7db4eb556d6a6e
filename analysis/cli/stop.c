/* Signals that ask for an end. */
#include "cli/stop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static atomic_int caught; /* without a lock: a handler may set it */
static const int asking[] = { SIGINT, SIGTERM };
enum { ASKING = sizeof asking / sizeof *asking };

static void on_signal(int sig)
{
    caught = sig;
    static const char text[] = "\nresiduum: stopping, what is done is kept (again to kill)\n";
    if (isatty(STDERR_FILENO) && write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return;
}

static void both(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < ASKING; i++)
        sigaddset(set, asking[i]);
}

/* The thread that is there to be interrupted, until the process ends. */
static void *receive(void *unused)
{
    sigset_t set;
    both(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    for (;;)
        pause();
    return unused;
}

int stop_install(void)
{
    pthread_t receiver;
    sigset_t set;
    struct sigaction act = { .sa_handler = on_signal,
                             .sa_flags = (int)(SA_RESETHAND | SA_RESTART) };
    signal(SIGXFSZ, SIG_IGN); /* a full disk is an error of write(), not our death */
    both(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    const int bad = pthread_create(&receiver, NULL, receive, NULL);
    if (bad)
        return RSD_FAIL(RSD_ENOMEM, "no thread to receive signals: %s", strerror(bad));
    pthread_detach(receiver);
    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < ASKING; i++)
        sigaction(asking[i], &act, NULL);
    return RSD_OK;
}

bool stop_requested(void) { return caught != 0; }

bool stop_callback(void *unused)
{
    (void)unused;
    return stop_requested();
}

int stop_signal(void) { return caught; }

void stop_child_mask(sigset_t *out)
{
    pthread_sigmask(SIG_SETMASK, NULL, out);
    for (size_t i = 0; i < ASKING; i++)
        sigdelset(out, asking[i]);
}
