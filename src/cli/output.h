/* What the command says: results on stdout, everything else on stderr, and the progress bar. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/error.h>
#include <cnncl/trainer.h>

enum {
    CLI_EXIT_FAILURE = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_DEVICE = 3,
    CLI_EXIT_SIGNAL = 128 /* plus the signal's number */
};

/* Functions of the command that can fail say why on stderr, once, and return the exit code. */
#define CLI_TRY(call)                                                                              \
    do {                                                                                           \
        code = (call);                                                                             \
        if (code != 0)                                                                             \
            goto out;                                                                              \
    } while (0)

/* Call first: a closed standard file must not become a data file, and a closed pipe is an error
 * like any other. */
void cli_output_init(void);
/* This thread prints numbers with a decimal point, whatever locale an OpenCL driver sets. The main
 * thread does; others call it before they print. */
void cli_plain_numbers(void);
/* From now on the library's log goes to stderr: warnings always, the rest as asked for. */
void cli_output_set_level(bool quiet, bool verbose);

/* From now on what is printed is held back, until it is whole: cli_print_held() prints it, and
 * without that it is never seen. Returns 0, or 1 after saying that there is no memory. */
int cli_hold(void);
void cli_print_held(void);
/* printf() to stdout. A failure is kept for cli_flush(). */
void cli_print(const char *format, ...) CNN_PRINTF(1, 2);
/* The same of a line, or a part of one, that quotes names: it stays one, and moves no terminal's
 * cursor. A newline at the format's end ends it. */
void cli_print_line(const char *format, ...) CNN_PRINTF(1, 2);
/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void cli_print_json_string(const char *string);
/* Hands stdout's buffer to the system. Returns 0, or 1 after saying what failed, once. */
int cli_flush(void);
/* The same for a caller that says itself what failed: the reason, NULL where nothing did. */
const char *cli_flush_failure(void);

/* From now on nothing is printed at all: another rank does. Of this thread, or of all. */
void cli_output_hush(void);
void cli_output_hush_thread(void);
/* No other rank does. */
void cli_output_speak(void);

/* From now on what this thread prints and says is kept, also where it is hushed, until cli_record_end()
 * gives it away: data (size), to be freed, for cli_record_play() here or elsewhere. Each returns 0, or 1 after saying that
 * there is no memory. */
int cli_record_begin(void);
int cli_record_end(char **data, size_t *size);
/* Prints it and says it. */
void cli_record_play(const char *data, size_t size);
/* The last line of cli_fail(), without its beginning; "" for none. */
const char *cli_output_last_failure(void);

/* A line on stderr, unless quiet. */
void cli_info(const char *format, ...) CNN_PRINTF(1, 2);
/* "cnn-cl: message" on stderr; returns code. */
int cli_fail(int code, const char *format, ...) CNN_PRINTF(2, 3);
/* 0 for CNN_OK; else says the library's message and returns the status' exit code. */
int cli_check(cnn_status status);
int cli_exit_code(cnn_status status);

bool cli_ends_with(const char *text, const char *ending);
/* Do both paths lead to one file that is there? */
bool cli_is_same_file(const char *a, const char *b);

/* Of a clock that only goes forward. */
double cli_seconds(void);

/* Redraws the bar where stderr is a terminal and it is time for it. Any line clears it. */
void cli_progress_show(const cnn_progress *progress);
void cli_progress_clear(void);

#endif
