/* CNN_API marks what the shared library exports; everything else is hidden. */
#ifndef CNNCL_EXPORT_H
#define CNNCL_EXPORT_H

#if defined(__GNUC__)
#define CNN_API __attribute__((visibility("default")))
#else
#define CNN_API
#endif

#endif
