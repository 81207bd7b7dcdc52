/* The C locale's numbers: all text that this library writes or reads has a decimal point, also in a
 * program whose locale has a comma, and that changes it at any time, in any thread. This room alone
 * formats and parses real numbers, and calls jansson's readers and writers, which do
 * (scripts/check_text.py is a test). */
#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

#include <locale.h>
#include <stdarg.h>
#include <stddef.h>

#include <cnncl/error.h>

/* From here to cnn_plain_leave() this thread has the C locale; no other thread notices. For code
 * of libraries; no callback of the caller's may run in between. */
locale_t cnn_plain_enter(void);
/* Gives the thread the locale back that it had. */
void cnn_plain_leave(locale_t before);

/* snprintf() and vsnprintf(). */
int cnn_format(char *buffer, size_t size, const char *format, ...) CNN_PRINTF(3, 4);
int cnn_format_list(char *buffer, size_t size, const char *format, va_list arguments)
    CNN_PRINTF(3, 0);

#endif
