#include "cli/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"

static const char at_once[] = "cnn-cl: interrupted again: ended at once\n";
static const int numbers[] = {SIGINT, SIGTERM};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static volatile sig_atomic_t caught;
static bool is_caught[NUMBERS];       /* not those that were ignored before */
static const char *volatile farewell; /* NULL: the first signal asks to stop */

/* Nothing here but what a signal handler may call. */
static void take_signal(int number)
{
    const char *line = farewell;
    if (!line && !caught) {
        caught = number;
        return;
    }
    if (!line)
        line = at_once;
    ssize_t ignored = write(STDERR_FILENO, line, strlen(line));
    (void)ignored;
    _exit(CLI_EXIT_SIGNAL + number);
}

static void install(void)
{
    for (int i = 0; i < NUMBERS; i++) {
        struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
        struct sigaction old;
        sigemptyset(&action.sa_mask);
        sigaddset(&action.sa_mask, SIGINT);
        sigaddset(&action.sa_mask, SIGTERM);
        /* Started in the background by a shell without job control, SIGINT is to be ignored. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            is_caught[i] = sigaction(numbers[i], &action, NULL) == 0;
    }
}

void cli_interrupt_release(void)
{
    for (int i = 0; i < NUMBERS; i++)
        if (is_caught[i])
            signal(numbers[i], SIG_DFL);
}

void cli_interrupt_end_with(const char *line)
{
    farewell = line;
    install();
}

void cli_interrupt_catch(void)
{
    farewell = NULL;
    install();
}

int cli_interrupt_signal(void)
{
    return caught;
}
