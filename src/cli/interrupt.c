#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;
static volatile sig_atomic_t is_caught[2]; /* SIGINT, SIGTERM: not those that were ignored before */

static const int numbers[2] = {SIGINT, SIGTERM};

void cli_interrupt_release(void)
{
    for (int i = 0; i < 2; i++)
        if (is_caught[i])
            signal(numbers[i], SIG_DFL);
}

static void take_signal(int number)
{
    caught = number;
    cli_interrupt_release();
}

static void catch_one(int index)
{
    int number = numbers[index];
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
    struct sigaction old;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    /* Started in the background by a shell without job control, SIGINT is to be ignored. */
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        is_caught[index] = sigaction(number, &action, NULL) == 0;
}

void cli_interrupt_catch(void)
{
    catch_one(0);
    catch_one(1);
}

int cli_interrupt_signal(void)
{
    return caught;
}
