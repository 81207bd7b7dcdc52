/* The only place for compiler extensions. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

#if defined(__GNUC__)
#define CNN_PRINTF(position, first) __attribute__((format(printf, position, first)))
#else
#define CNN_PRINTF(position, first)
#endif

#endif
