/* A clock for durations. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* Seconds of a clock that only goes forward. */
double cnn_seconds(void);

/* Seconds of processor time of this process, of all its threads together. */
double cnn_processor_seconds(void);

#endif
