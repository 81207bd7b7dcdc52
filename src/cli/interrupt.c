#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"

static volatile sig_atomic_t caught;
static const char *volatile farewell;
static volatile sig_atomic_t asks_first; /* the first signal asks to stop */

/* Nothing here but what a signal handler may call. */
static void take_signal(int number)
{
    const char *line = farewell;
    if (asks_first && !caught) {
        caught = number;
        return;
    }
    ssize_t ignored = write(STDERR_FILENO, line, strlen(line));
    (void)ignored;
    _exit(CLI_EXIT_SIGNAL + number);
}

static void install(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
        struct sigaction old;
        sigemptyset(&action.sa_mask);
        sigaddset(&action.sa_mask, SIGINT);
        sigaddset(&action.sa_mask, SIGTERM);
        /* Started in the background by a shell without job control, SIGINT is to be ignored. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
}

void cli_interrupt_end_with(const char *line)
{
    asks_first = 0;
    farewell = line;
    install();
}

void cli_interrupt_catch(const char *again)
{
    farewell = again;
    asks_first = 1;
    install();
}

int cli_interrupt_signal(void)
{
    return caught;
}
