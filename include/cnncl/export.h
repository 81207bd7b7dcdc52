/* CNN_API marks what the shared library exports; everything else is hidden. */
#ifndef CNNCL_EXPORT_H
#define CNNCL_EXPORT_H

#if defined(__GNUC__)
#define CNN_API __attribute__((visibility("default")))
#else
#define CNN_API
#endif

/* CNN_PRINTF marks a function whose argument number `position` is a format and number `first` its
 * first value. These two macros are the project's only compiler extensions. */
#if defined(__GNUC__)
#define CNN_PRINTF(position, first) __attribute__((format(printf, position, first)))
#else
#define CNN_PRINTF(position, first)
#endif

#endif
