/* Preloaded: the system calls of a run on the files below one folder, counted, and one of them made
 * to fail or to be the last. The environment commands:
 *
 * CNN_FILE_BELOW=FOLDER        the folder, as the run's own arguments spell it; nothing else counts
 * CNN_FILE_FAULT=KIND:N:WHAT   at the N-th call (from 1) of the kind, or of "any":
 *                              before, after  the process is killed, the call not done or done
 *                              torn           half of a write is done, then the process is killed
 *                              short          half of a write is done, and that is what it returns
 *                              an errno       EIO, ENOSPC or EDQUOT: the call fails with it;
 *                              with '+'       so do all later ones of the kind
 * CNN_FILE_LOG=FILE            at exit one line: the calls by kind, and how many were made to fail
 *
 * fread() is counted as a read of its own; its faults are read()'s on a stream that fails. */
#undef _FILE_OFFSET_BITS /* else open is a name of open64 */
#undef _POSIX_C_SOURCE
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN, READ, WRITE, SYNC, CLOSE, RENAME, LINK, UNLINK, MKDIR, KINDS, ANY = KINDS };
static const char *const kinds[KINDS + 1] = {"open",   "read", "write",  "fsync", "close",
                                             "rename", "link", "unlink", "mkdir", "any"};

enum { NOTHING, BEFORE, AFTER, TORN, SHORT, FAIL };
static const struct {
    const char *name;
    int what, error;
} whats[] = {
    {"before", BEFORE, 0}, {"after", AFTER, 0},      {"torn", TORN, 0},        {"short", SHORT, 0},
    {"EIO", FAIL, EIO},    {"ENOSPC", FAIL, ENOSPC}, {"EDQUOT", FAIL, EDQUOT},
};

enum { MOST_FILES = 4096 };
static struct {
    const char *below;
    int kind, what, error;
    unsigned long number;
    bool onwards;
} plan;
static unsigned long calls[KINDS + 1], failures;
static bool is_below[MOST_FILES]; /* by file descriptor */

/* The next definition of a function, as a pointer of its type. */
#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (!next)                                                                                     \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

static void complain(const char *text)
{
    fprintf(stderr, "file shim: %s\n", text);
    _exit(99);
}

static void read_plan(const char *text)
{
    char kind[16], what[16], onwards = '\0';
    int found = sscanf(text, "%15[a-z]:%lu:%15[a-zA-Z]%c", kind, &plan.number, what, &onwards);
    plan.kind = -1;
    for (int i = 0; found >= 3 && i <= KINDS; i++)
        if (strcmp(kind, kinds[i]) == 0)
            plan.kind = i;
    for (size_t i = 0; found >= 3 && i < sizeof whats / sizeof whats[0]; i++) {
        if (strcmp(what, whats[i].name) == 0) {
            plan.what = whats[i].what;
            plan.error = whats[i].error;
        }
    }
    plan.onwards = onwards == '+';
    if (plan.kind < 0 || plan.what == NOTHING || plan.number == 0)
        complain("CNN_FILE_FAULT is none");
}

__attribute__((constructor)) static void begin(void)
{
    const char *fault = getenv("CNN_FILE_FAULT");
    plan.below = getenv("CNN_FILE_BELOW");
    if (!plan.below)
        complain("CNN_FILE_BELOW is not set");
    if (fault)
        read_plan(fault);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("CNN_FILE_LOG");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    fputs("{\"calls\": {", file);
    for (int i = 0; i <= KINDS; i++)
        fprintf(file, "%s\"%s\": %lu", i ? ", " : "", kinds[i], calls[i]);
    fprintf(file, "}, \"failures\": %lu}\n", failures);
    fclose(file);
}

static bool counts(const char *path)
{
    size_t length = plan.below ? strlen(plan.below) : 0;
    return length > 0 && strncmp(path, plan.below, length) == 0 &&
           (path[length] == '\0' || path[length] == '/');
}

static bool counts_file(int file)
{
    return file >= 0 && file < MOST_FILES && is_below[file];
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Counts a call; what is to happen to it. */
static int meet(int kind)
{
    unsigned long number = __atomic_add_fetch(&calls[kind], 1, __ATOMIC_RELAXED);
    unsigned long any = __atomic_add_fetch(&calls[ANY], 1, __ATOMIC_RELAXED);
    if (plan.what == NOTHING || (plan.kind != kind && plan.kind != ANY))
        return NOTHING;
    unsigned long reached = plan.kind == ANY ? any : number;
    if (reached != plan.number && !(plan.onwards && reached > plan.number))
        return NOTHING;
    if (plan.what == BEFORE)
        die();
    if (plan.what == FAIL) {
        failures++;
        errno = plan.error;
    }
    return plan.what;
}

/* A call that is done whole or not at all. */
#define AROUND(kind, counted, call)                                                                \
    int fault = (counted) ? meet(kind) : NOTHING;                                                  \
    if (fault == FAIL)                                                                             \
        return -1;                                                                                 \
    int result = call;                                                                             \
    if (fault == AFTER)                                                                            \
        die();                                                                                     \
    return result

static int note(int file, bool below)
{
    if (file >= 0 && file < MOST_FILES)
        is_below[file] = below;
    return file;
}

#define DEFINE_OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        mode_t mode = 0;                                                                           \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                     \
            va_list arguments;                                                                     \
            va_start(arguments, flags);                                                            \
            mode = va_arg(arguments, mode_t);                                                      \
            va_end(arguments);                                                                     \
        }                                                                                          \
        NEXT(name);                                                                                \
        AROUND(OPEN, counts(path), note(next(path, flags, mode), counts(path)));                   \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_MKSTEMP(name)                                                                       \
    int name(char *path)                                                                           \
    {                                                                                              \
        NEXT(name);                                                                                \
        AROUND(OPEN, counts(path), note(next(path), counts(path)));                                \
    }
DEFINE_MKSTEMP(mkstemp)
DEFINE_MKSTEMP(mkstemp64)

/* Streams write as they please, and no file is to be written by one. */
static void check_mode(const char *path, const char *mode)
{
    if (counts(path) && strpbrk(mode, "wa+"))
        complain("a file is written through a stream, not atomically");
}

#define DEFINE_FOPEN(name)                                                                         \
    FILE *name(const char *path, const char *mode)                                                 \
    {                                                                                              \
        NEXT(name);                                                                                \
        check_mode(path, mode);                                                                    \
        int fault = counts(path) ? meet(OPEN) : NOTHING;                                           \
        if (fault == FAIL)                                                                         \
            return NULL;                                                                           \
        FILE *file = next(path, mode);                                                             \
        if (file)                                                                                  \
            note(fileno(file), counts(path));                                                      \
        if (fault == AFTER)                                                                        \
            die();                                                                                 \
        return file;                                                                               \
    }
DEFINE_FOPEN(fopen)
DEFINE_FOPEN(fopen64)

/* A stream's error flag has no setter: its file becomes a folder, which cannot be read. */
size_t fread(void *data, size_t size, size_t count, FILE *file)
{
    NEXT(fread);
    bool counted = counts_file(fileno(file));
    int fault = counted ? meet(READ) : NOTHING;
    if (fault == FAIL) {
        int folder = open("/", O_RDONLY | O_DIRECTORY);
        dup2(folder, fileno(file));
        close(folder);
    }
    size_t done = next(data, size, count, file);
    if (fault == AFTER)
        die();
    return done;
}

int fclose(FILE *file)
{
    NEXT(fclose);
    note(fileno(file), false);
    return next(file);
}

ssize_t read(int file, void *data, size_t size)
{
    NEXT(read);
    int fault = counts_file(file) ? meet(READ) : NOTHING;
    if (fault == FAIL)
        return -1;
    ssize_t count = next(file, data, size);
    if (fault == AFTER)
        die();
    return count;
}

ssize_t write(int file, const void *data, size_t size)
{
    NEXT(write);
    int fault = counts_file(file) ? meet(WRITE) : NOTHING;
    if (fault == FAIL)
        return -1;
    bool half = fault == SHORT || fault == TORN;
    ssize_t count = next(file, data, half && size > 1 ? size / 2 : size);
    if (fault == AFTER || fault == TORN)
        die();
    return count;
}

int fsync(int file)
{
    NEXT(fsync);
    AROUND(SYNC, counts_file(file), next(file));
}

int fdatasync(int file)
{
    NEXT(fdatasync);
    AROUND(SYNC, counts_file(file), next(file));
}

/* The descriptor is gone whatever close() returns. */
int close(int file)
{
    NEXT(close);
    int fault = counts_file(file) ? meet(CLOSE) : NOTHING;
    note(file, false);
    int result = next(file);
    if (fault == AFTER)
        die();
    if (fault != FAIL)
        return result;
    errno = plan.error;
    return -1;
}

int rename(const char *from, const char *to)
{
    NEXT(rename);
    AROUND(RENAME, counts(to), next(from, to));
}

int link(const char *from, const char *to)
{
    NEXT(link);
    AROUND(LINK, counts(to), next(from, to));
}

int unlink(const char *path)
{
    NEXT(unlink);
    AROUND(UNLINK, counts(path), next(path));
}

int mkdir(const char *path, mode_t mode)
{
    NEXT(mkdir);
    AROUND(MKDIR, counts(path), next(path, mode));
}
