#include "cli/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"

static volatile sig_atomic_t caught;
static const char *volatile farewell;
static const char *volatile remains;
static bool is_hushed;
static volatile sig_atomic_t asks_first; /* the first signal asks to stop */
static volatile sig_atomic_t caught_at;  /* in hundredths of a second */

enum { TICKS = 100, ROUND = 1000000 * TICKS, SAME_WISH = TICKS };

static int now(void)
{
    struct timespec time = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int)(time.tv_sec % (ROUND / TICKS)) * TICKS + (int)(time.tv_nsec / (1000000000 / TICKS));
}

/* One wish comes as several signals: a terminal that closes hangs up its group, and then its shell does so, and
 * timeout(1) signals its child and then the group. */
static bool is_second_wish(int number)
{
    return number != SIGHUP && (now() - caught_at + ROUND) % ROUND >= SAME_WISH;
}

/* Nothing here but what a signal handler may call. */
static void take_signal(int number)
{
    const char *line = farewell;
    if (asks_first && !caught) {
        caught_at = now();
        caught = number;
        return;
    }
    if (asks_first && !is_second_wish(number))
        return;
    const char *path = remains;
    ssize_t ignored = write(STDERR_FILENO, line, strlen(line));
    (void)ignored;
    if (path)
        (void)unlink(path);
    _exit(CLI_EXIT_SIGNAL + number);
}

static const int numbers[] = {SIGHUP, SIGINT, SIGTERM};

enum { COUNT = sizeof numbers / sizeof numbers[0] };

static bool ignored[COUNT];

/* Started in the background by a shell without job control, SIGINT is to be ignored, and behind
 * nohup SIGHUP. Compilers in OpenCL drivers (LLVM's) put handlers of their own over that, so such
 * a signal is blocked too, in each thread to come. */
void cli_interrupt_init(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < COUNT; i++) {
        struct sigaction old;
        ignored[i] = sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN;
        if (ignored[i])
            sigaddset(&set, numbers[i]);
    }
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void install(void)
{
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < COUNT; i++)
        sigaddset(&action.sa_mask, numbers[i]);
    for (int i = 0; i < COUNT; i++)
        if (!ignored[i])
            (void)sigaction(numbers[i], &action, NULL);
}

void cli_interrupt_hush(void)
{
    is_hushed = true;
}

void cli_interrupt_end_with(const char *line)
{
    asks_first = 0;
    farewell = is_hushed ? "" : line;
    install();
}

void cli_interrupt_catch(const char *again)
{
    farewell = is_hushed ? "" : again;
    asks_first = 1;
    install();
}

void cli_interrupt_remove(const char *path)
{
    remains = path;
}

int cli_interrupt_signal(void)
{
    return caught;
}
