/* Allocation that reports. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/error.h>

/* Zeroed memory for count values of size bytes, at least one byte; `what` names it in the message.
 * *memory must be a pointer variable's address. To be freed with free(). */
cnn_status cnn_allocate(void *memory, size_t count, size_t size, const char *what);

/* *product = a * b; false where it does not fit. */
bool cnn_multiply_size(size_t *product, size_t a, size_t b);

#endif
