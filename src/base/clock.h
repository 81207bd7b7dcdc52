/* A clock for durations. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Seconds of a clock that only goes forward. */
double cnn_seconds(void);

#endif
