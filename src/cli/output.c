#include "cli/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static cnn_log_level level = CNN_LOG_INFO;
static int output_error; /* errno of the first write to stdout that failed */
static bool output_reported;
static bool is_hushed;
static _Thread_local bool thread_is_hushed;
static _Thread_local char last_failure[1024];

/* What a thread records: texts, each with what it is for in front of it and a zero behind it. */
enum { FOR_STDOUT = 'o', FOR_STDERR = 'e' };
static _Thread_local FILE *recorded;
static _Thread_local char *recorded_text;
static _Thread_local size_t recorded_size;

static bool says_nothing(void)
{
    return is_hushed || thread_is_hushed;
}

void cli_plain_numbers(void)
{
    static _Atomic(locale_t) plain;
    if (!plain)
        plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    uselocale(plain);
}

void cli_output_init(void)
{
    cli_plain_numbers();
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        if (fcntl(file, F_GETFD) == -1 && errno == EBADF)
            (void)open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    /* Writing then fails instead, and what failed is told: a reader that left, a file that may not
     * grow (ulimit -f). */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* What stands at `at`, which moves on; '?' for what would end the line or move a terminal's cursor:
 * a control character of ASCII, or one of U+0080 to U+009F. */
static char next_plain(const char **at)
{
    unsigned char first = (unsigned char)**at, second = first ? (unsigned char)(*at)[1] : 0;
    bool is_long = first == 0xC2 && second >= 0x80 && second <= 0x9F;
    *at += is_long ? 2 : 1;
    if (is_long || iscntrl(first))
        return '?';
    return (char)first;
}

/* A message is one line, whatever names and arguments it quotes. */
static void put_line(const char *prefix, const char *text)
{
    if (recorded)
        fprintf(recorded, "%c%s%s%c", FOR_STDERR, prefix, text, '\0');
    if (recorded || says_nothing())
        return;
    cli_progress_clear();
    char line[2048]; /* written at once: what forwards it, as mpirun does, puts nothing in between */
    size_t length = (size_t)snprintf(line, sizeof line, "%s", prefix); /* it is short */
    while (*text) {
        if (length == sizeof line - 1) {
            fwrite(line, 1, length, stderr);
            length = 0;
        }
        line[length++] = next_plain(&text);
    }
    line[length++] = '\n';
    fwrite(line, 1, length, stderr);
}

enum { BRIEF = 512 };

static char *format_text(char brief[BRIEF], const char *format, va_list arguments) CNN_PRINTF(2, 0);

/* In brief, or to be freed where it is longer; cut where there is no memory. */
static char *format_text(char brief[BRIEF], const char *format, va_list arguments)
{
    char *text = brief;
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(brief, BRIEF, format, arguments);
    if (length >= BRIEF) {
        char *whole = malloc((size_t)length + 1);
        if (whole) {
            vsnprintf(whole, (size_t)length + 1, format, again);
            text = whole;
        }
    }
    va_end(again);
    return text;
}

static void write_line(const char *prefix, const char *format, va_list arguments) CNN_PRINTF(2, 0);

static void write_line(const char *prefix, const char *format, va_list arguments)
{
    char brief[BRIEF], *text = format_text(brief, format, arguments);
    put_line(prefix, text);
    if (text != brief)
        free(text);
}

static void take_log(cnn_log_level line_level, const char *line, void *user)
{
    (void)user;
    if (line_level > level || (recorded && line_level > CNN_LOG_WARNING))
        return; /* of another rank's device nothing is told */
    put_line(line_level == CNN_LOG_WARNING ? "cnn-cl: warning: " : "", line);
}

void cli_output_set_level(bool quiet, bool verbose)
{
    level = quiet ? CNN_LOG_WARNING : verbose ? CNN_LOG_DEBUG : CNN_LOG_INFO;
    cnn_log_set_callback(take_log, NULL);
}

/* What is held back. */
static FILE *held;
static char *held_text;
static size_t held_size;

int cli_hold(void)
{
    held = open_memstream(&held_text, &held_size);
    return held ? 0 : cli_fail(CLI_EXIT_FAILURE, "out of memory for what is printed");
}

void cli_print_held(void)
{
    if (!held)
        return;
    if (fclose(held) != 0 && output_error == 0)
        output_error = errno;
    held = NULL;
    if (held_text && output_error == 0 &&
        fwrite(held_text, 1, held_size, stdout) < held_size)
        output_error = errno;
    free(held_text);
    held_text = NULL;
}

void cli_print(const char *format, ...)
{
    va_list arguments;
    if (!recorded && says_nothing())
        return;
    va_start(arguments, format);
    if (recorded) {
        fputc(FOR_STDOUT, recorded);
        vfprintf(recorded, format, arguments);
        fputc('\0', recorded);
    } else {
        cli_progress_clear();
        if (vfprintf(held ? held : stdout, format, arguments) < 0 && output_error == 0)
            output_error = errno;
    }
    va_end(arguments);
}

void cli_print_line(const char *format, ...)
{
    char brief[BRIEF];
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(brief, format, arguments), *end = text;
    va_end(arguments);
    bool ends = cli_ends_with(format, "\n"); /* the line, and not a name that is quoted */
    if (ends)
        text[strlen(text) - 1] = '\0';
    for (const char *at = text; *at;)
        *end++ = next_plain(&at); /* in its place, as it gets no longer */
    *end = '\0';
    cli_print("%s%s", text, ends ? "\n" : "");
    if (text != brief)
        free(text);
}

int cli_record_begin(void)
{
    recorded = open_memstream(&recorded_text, &recorded_size);
    return recorded ? 0 : cli_fail(CLI_EXIT_FAILURE, "out of memory for what is printed");
}

int cli_record_end(char **data, size_t *size)
{
    bool whole = fclose(recorded) == 0;
    recorded = NULL;
    *data = whole ? recorded_text : NULL;
    *size = recorded_size;
    if (!whole)
        free(recorded_text);
    recorded_text = NULL;
    return whole ? 0 : cli_fail(CLI_EXIT_FAILURE, "out of memory for what is printed");
}

void cli_record_play(const char *data, size_t size)
{
    const char *end = data + size;
    for (const char *at = data; at < end; at += strlen(at) + 1) {
        if (*at == FOR_STDOUT)
            cli_print("%s", at + 1);
        else
            put_line("", at + 1);
    }
}

const char *cli_flush_failure(void)
{
    if (fflush(stdout) != 0 && output_error == 0)
        output_error = errno;
    if (output_error == 0)
        return NULL;
    output_reported = true;
    return strerror(output_error);
}

int cli_flush(void)
{
    if (recorded)
        return 0;
    bool said = output_reported;
    if (!cli_flush_failure())
        return 0;
    if (!said)
        cli_fail(CLI_EXIT_FAILURE, "standard output cannot be written: %s", strerror(output_error));
    return CLI_EXIT_FAILURE;
}

void cli_info(const char *format, ...)
{
    if (level < CNN_LOG_INFO)
        return;
    va_list arguments;
    va_start(arguments, format);
    write_line("", format, arguments);
    va_end(arguments);
}

void cli_output_hush(void)
{
    is_hushed = true;
}

void cli_output_speak(void)
{
    is_hushed = thread_is_hushed = false;
}

void cli_output_hush_thread(void)
{
    thread_is_hushed = true;
}

const char *cli_output_last_failure(void)
{
    return last_failure;
}

int cli_fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_failure, sizeof last_failure, format, arguments);
    va_end(arguments);
    va_start(arguments, format);
    write_line("cnn-cl: ", format, arguments);
    va_end(arguments);
    return code;
}

bool cli_ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), end = strlen(ending);
    return length > end && strcmp(text + length - end, ending) == 0;
}

int cli_exit_code(cnn_status status)
{
    if (status == CNN_OK)
        return 0;
    if (status == CNN_ERROR_ARGUMENT)
        return CLI_EXIT_USAGE;
    return status == CNN_ERROR_DEVICE ? CLI_EXIT_DEVICE : CLI_EXIT_FAILURE;
}

int cli_check(cnn_status status)
{
    if (status == CNN_OK)
        return 0;
    return cli_fail(cli_exit_code(status), "%s", cnn_error_message());
}

bool cli_is_same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}
