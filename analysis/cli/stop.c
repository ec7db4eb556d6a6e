/* Signals that ask for an end. */
#include "cli/stop.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
    caught = sig;
    static const char text[] = "\nresiduum: stopping, what is done is kept (again to kill)\n";
    if (isatty(STDERR_FILENO) && write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return;
}

void stop_install(void)
{
    struct sigaction act = { .sa_handler = on_signal,
                             .sa_flags = (int)(SA_RESETHAND | SA_RESTART) };
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a full disk is an error of write(), not our death */
}

bool stop_requested(void) { return caught != 0; }

bool stop_callback(void *unused)
{
    (void)unused;
    return stop_requested();
}

int stop_signal(void) { return caught; }
