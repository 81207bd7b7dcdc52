#include "cli/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/session.h"

enum { OWNER_SIZE = 128, TRIES = 100 };

/* What became of one try. */
typedef enum outcome { TAKEN, HELD, AGAIN, WITHOUT } outcome;

static bool set_lock(int file, short type)
{
    struct flock all = {.l_type = type, .l_whence = SEEK_SET};
    int code;
    do
        code = fcntl(file, F_SETLK, &all);
    while (code != 0 && errno == EINTR);
    return code == 0;
}

/* Who holds the lock, as its file says; who has only just taken it has not written that yet, and is
 * known to the system alone. */
static void read_owner(char owner[OWNER_SIZE], int file)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    ssize_t count = pread(file, owner, OWNER_SIZE - 1, 0);
    owner[count > 0 ? count : 0] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
    if (*owner)
        return;
    if (fcntl(file, F_GETLK, &all) == 0 && all.l_type != F_UNLCK && all.l_pid > 0)
        snprintf(owner, OWNER_SIZE, "process %ld", (long)all.l_pid);
    else
        snprintf(owner, OWNER_SIZE, "another process");
}

static void write_owner(int file)
{
    char host[64] = "", owner[OWNER_SIZE];
    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    int length = snprintf(owner, sizeof owner, "process %ld on %s\n", (long)getpid(), host);
    /* It only serves the message of the next one. */
    if (ftruncate(file, 0) == 0 && pwrite(file, owner, (size_t)length, 0) != length)
        cli_info("the lock of the run's folder does not say who holds it");
}

/* Is the open file still the one of this name, and has no other? Who ends removes the file while it
 * is locked; a link in its place, or a second name, is some other file, not to be written to. */
static bool is_in_place(int file, const char *path)
{
    struct stat opened, named;
    return fstat(file, &opened) == 0 && lstat(path, &named) == 0 && opened.st_nlink == 1 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Locks an open file. A lock for reading alone is enough to know that its owner, another user, is
 * gone; the file is then removed. */
static outcome lock_file(const cli_run_lock *lock, int file, bool can_write, char owner[OWNER_SIZE])
{
    struct stat opened;
    bool is_file = fstat(file, &opened) == 0 && S_ISREG(opened.st_mode);
    if (is_file && !set_lock(file, can_write ? F_WRLCK : F_RDLCK)) {
        if (errno != EAGAIN && errno != EACCES)
            return WITHOUT;
        read_owner(owner, file);
        return HELD;
    }
    if (is_file && can_write && is_in_place(file, lock->path))
        return TAKEN;
    bool is_old = fstat(file, &opened) == 0 && opened.st_nlink == 0;
    if (!is_old && unlink(lock->path) != 0 && errno != ENOENT)
        return WITHOUT;
    return AGAIN;
}

static outcome try_to_lock(cli_run_lock *lock, char owner[OWNER_SIZE])
{
    enum { FLAGS = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY };
    bool can_write = true;
    int file = open(lock->path, O_RDWR | O_CREAT | FLAGS, 0666);
    if (file < 0 && errno == EACCES) {
        file = open(lock->path, O_RDONLY | FLAGS);
        can_write = false;
    }
    if (file < 0) /* a link, a socket; or no folder, or none to write in, which is said later */
        return (errno == ELOOP || errno == ENXIO) && unlink(lock->path) == 0 ? AGAIN : WITHOUT;
    outcome became = lock_file(lock, file, can_write, owner);
    int code = errno;
    if (became == TAKEN)
        lock->file = file;
    else
        close(file);
    errno = code;
    return became;
}

int cli_run_lock_take(cli_run_lock *lock, const char *folder, const char *path)
{
    char owner[OWNER_SIZE];
    outcome became = AGAIN;
    if (lock->file >= 0 || lock->is_off)
        return 0;
    free(lock->path);
    lock->path = cli_concatenate((const char *[]){path, NULL});
    if (!lock->path)
        return CLI_EXIT_FAILURE;
    for (int i = 0; i < TRIES && became == AGAIN; i++)
        became = try_to_lock(lock, owner);
    int reason = errno;
    if (became == HELD)
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s: a training is running there (%s): wait for its end, or give another "
                        "--out",
                        folder, owner);
    if (became == TAKEN) {
        write_owner(lock->file);
        cli_interrupt_remove(lock->path);
    } else if (reason != ENOENT && reason != EACCES && reason != EROFS) {
        lock->is_off = true;
        cli_info("%s cannot be locked (%s): start no other training there", folder,
                 strerror(reason));
    }
    return 0;
}

void cli_run_lock_release(cli_run_lock *lock)
{
    cli_interrupt_remove(NULL);
    if (lock->file >= 0) {
        (void)unlink(lock->path);
        close(lock->file);
    }
    free(lock->path);
    *lock = (cli_run_lock){.file = -1};
}
