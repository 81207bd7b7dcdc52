/** @file
 * What the declarations of the other headers are marked with: the project's only compiler
 * extensions. */
#ifndef CNNCL_EXPORT_H
#define CNNCL_EXPORT_H

/** Marks what the shared library exports; everything else is hidden. */
#if defined(__GNUC__)
#define CNN_API __attribute__((visibility("default")))
#else
#define CNN_API
#endif

/** Marks a function whose argument number `position` is a format and number `first` its first
 * value. */
#if defined(__GNUC__)
#define CNN_PRINTF(position, first) __attribute__((format(printf, position, first)))
#else
#define CNN_PRINTF(position, first)
#endif

#endif
