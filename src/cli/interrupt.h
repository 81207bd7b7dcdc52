/* SIGINT and SIGTERM during training: the first one asks to stop, the second one ends the program
 * at once. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

void cli_interrupt_catch(void);
/* Back to the default action. */
void cli_interrupt_release(void);
/* The signal that was caught, 0 for none. */
int cli_interrupt_signal(void);

#endif
