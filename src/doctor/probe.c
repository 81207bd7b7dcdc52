#include "doctor/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"

static const double most_seconds = 30.0;

enum { DONE = 91 }; /* the exit code of a child whose work came to its end */

/* In the child. No core file, and no word of the driver's between the lines of ours. */
static void run_work(int end, void (*work)(FILE *out, const void *user), const void *user)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    int nowhere = open("/dev/null", O_RDWR);
    if (nowhere >= 0) {
        dup2(nowhere, STDIN_FILENO);
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
    FILE *out = fdopen(end, "w");
    if (out) {
        work(out, user);
        fflush(out);
    }
    _exit(out ? DONE : 0); /* what a driver does at exit is not asked for */
}

/* Reads until the child closes its end. False where that takes too long. */
static bool read_text(cnn_probe *probe, int end)
{
    size_t length = 0;
    double deadline = cnn_seconds() + most_seconds;
    for (;;) {
        struct pollfd waiting = {.fd = end, .events = POLLIN};
        double left = deadline - cnn_seconds();
        if (left <= 0.0)
            return false;
        int ready = poll(&waiting, 1, (int)(1e3 * left) + 1);
        if (ready <= 0)
            continue;
        char piece[512];
        ssize_t count = read(end, piece, sizeof piece);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return true;
        size_t room = sizeof probe->text - 1 - length;
        size_t taken = (size_t)count < room ? (size_t)count : room;
        memcpy(probe->text + length, piece, taken);
        length += taken;
    }
}

cnn_status cnn_probe_run(cnn_probe *probe, void (*work)(FILE *out, const void *user),
                         const void *user)
{
    int ends[2], state = 0;
    memset(probe, 0, sizeof *probe);
    if (pipe(ends) != 0)
        return cnn_fail(CNN_ERROR_OPENCL, "no child process to load drivers in: pipe: %s",
                        strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_work(ends[1], work, user);
    }
    int error = errno;
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return cnn_fail(CNN_ERROR_OPENCL, "no child process to load drivers in: fork: %s",
                        strerror(error));
    }
    probe->hung = !read_text(probe, ends[0]);
    if (probe->hung)
        kill(child, SIGKILL);
    close(ends[0]);
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    probe->ended = WIFEXITED(state) && WEXITSTATUS(state) == DONE;
    probe->code = WIFEXITED(state) ? WEXITSTATUS(state) : 0;
    probe->signal = WIFSIGNALED(state) && !probe->hung ? WTERMSIG(state) : 0;
    return CNN_OK;
}
