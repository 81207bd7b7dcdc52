#include "base/plain.h"

#include <pthread.h>
#include <stdio.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain; /* for the life of the process */

/* It takes no memory in glibc, and so cannot fail; elsewhere the thread keeps its locale then. */
static void make_plain(void)
{
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t cnn_plain_enter(void)
{
    pthread_once(&once, make_plain);
    return uselocale(plain);
}

void cnn_plain_leave(locale_t before)
{
    uselocale(before);
}

int cnn_format_list(char *buffer, size_t size, const char *format, va_list arguments)
{
    locale_t before = cnn_plain_enter();
    int length = vsnprintf(buffer, size, format, arguments);
    cnn_plain_leave(before);
    return length;
}

int cnn_format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = cnn_format_list(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
