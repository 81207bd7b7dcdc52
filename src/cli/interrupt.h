/* SIGHUP, SIGINT and SIGTERM. Where they were ignored before, they stay so. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

/* Call first: what is ignored now stays so. */
void cli_interrupt_init(void);
/* Another rank says these lines. */
void cli_interrupt_hush(void);
/* From now on a signal ends the program at once with this line on stderr, which stays the caller's,
 * and the exit code 129, 130 or 143. */
void cli_interrupt_end_with(const char *line);
/* From now on the first signal asks to stop, and SIGINT or SIGTERM a second later or more ends the
 * program at once, with this line on stderr, which stays the caller's. */
void cli_interrupt_catch(const char *again);
/* A file that goes when a signal ends the program at once; NULL for none. The path stays the
 * caller's. */
void cli_interrupt_remove(const char *path);
/* The signal that asks to stop, 0 for none. */
int cli_interrupt_signal(void);

#endif
