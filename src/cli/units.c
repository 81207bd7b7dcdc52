/* Work that several ranks share: who does what, and what is printed of it, by rank 0 alone. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/session.h"

/* A device of this process, and its thread. */
typedef struct member {
    cnn_comm *comm;
    cnn_device *device;
    cli_rank_work *work;
    void *user;
    pthread_t thread;
    bool started;
    atomic_bool over;
} member;

static int do_work(member *me)
{
    int code = me->work(me->comm, me->device, me->user);
    if (code != 0 && cnn_comm_hand_over(me->comm, cli_output_last_failure()) != CNN_OK) {
        cli_output_speak(); /* rank 0 hangs in its driver, and nothing ends a thread */
        _exit(cli_fail(code, "%s", cnn_error_message()));
    }
    cnn_comm_end(me->comm, code, cli_output_last_failure());
    return code;
}

static void *follow(void *user)
{
    member *me = user;
    cli_plain_numbers();
    cli_output_hush_thread();
    (void)do_work(me); /* rank 0 is told of a failure */
    atomic_store(&me->over, true);
    return NULL;
}

/* Nothing ends a thread that hangs in its driver, but the end of the program. */
static void join(const member *them, int count, int code)
{
    static const double patience = 10.0; /* seconds: rank 0 is done, or has failed */
    const struct timespec nap = {.tv_nsec = 1000000};
    double start = cli_seconds();
    for (int i = 1; i < count; i++) {
        if (!them[i].started)
            continue;
        while (!atomic_load(&them[i].over)) {
            if (cli_seconds() - start > patience) {
                if (code == 0) /* what rank 0 has is not said yet */
                    code = cli_fail(CLI_EXIT_FAILURE, "rank %d did its work and does not end: its "
                                    "device's driver hangs", i);
                (void)cli_flush();
                _exit(code);
            }
            nanosleep(&nap, NULL);
        }
        pthread_join(them[i].thread, NULL);
    }
}

static int start_followers(member *them, int count)
{
    for (int i = 1; i < count; i++) {
        int error = pthread_create(&them[i].thread, NULL, follow, &them[i]);
        them[i].started = error == 0;
        if (error != 0)
            return cli_fail(CLI_EXIT_FAILURE, "a thread for a device cannot be started: %s",
                            strerror(error));
    }
    return 0;
}

static int run_crew(member *them, cnn_comm **comms, cnn_device *const *devices, int count,
                    cli_rank_work *work, void *user)
{
    int code = 0;
    CLI_TRY(cli_check(cnn_crew_create(comms, count)));
    for (int i = 0; i < count; i++)
        them[i] =
            (member){.comm = comms[i], .device = devices[i], .work = work, .user = user};
    code = start_followers(them, count);
    if (code == 0)
        code = do_work(&them[0]);
    else
        cnn_comm_end(comms[0], code, cli_output_last_failure());
    join(them, count, code);
    for (int i = 1; i < count; i++)
        if (!them[i].started)
            cnn_comm_end(comms[i], 0, NULL);
out:
    return code;
}

int cli_ranks_run(cnn_device *const *devices, int count, cli_rank_work *work, void *user)
{
    if (count == 1) {
        int done = work(cli_ranks_comm(), devices[0], user);
        if (done == 0)
            cli_ranks_are_done();
        return done;
    }
    member *them = cli_allocate((size_t)count, sizeof *them);
    cnn_comm **comms = cli_allocate((size_t)count, sizeof(cnn_comm *));
    int code = them && comms ? run_crew(them, comms, devices, count, work, user) : CLI_EXIT_FAILURE;
    free(them);
    free(comms);
    return code;
}

static int owner_of(const cli_units *units, size_t unit, int size)
{
    bool first = units->is_first && units->is_first(unit, units->user);
    return first ? 0 : (int)(unit % (size_t)size);
}

/* Of another rank than the first: what it prints goes there. */
static int run_elsewhere(const cli_units *units, size_t unit, cnn_comm *comm)
{
    char *data = NULL;
    size_t size = 0;
    int code = 0;
    CLI_TRY(cli_record_begin());
    int done = units->run(unit, units->user), kept = cli_record_end(&data, &size);
    CLI_TRY(done != 0 ? done : kept);
    void *record = data;
    code = cli_check(cnn_comm_bring(&record, &size, comm, cnn_comm_rank(comm)));
out:
    free(data);
    return code;
}

static int print_of(cnn_comm *comm, int rank)
{
    void *data = NULL;
    size_t size = 0;
    int code = cli_check(cnn_comm_bring(&data, &size, comm, rank));
    if (code == 0)
        cli_record_play(data, size);
    free(data);
    return code == 0 ? cli_flush() : code;
}

int cli_units_run(const cli_units *units, cnn_comm *comm)
{
    int size = cnn_comm_size(comm), rank = cnn_comm_rank(comm), code = 0;
    for (size_t i = 0; code == 0 && i < units->count; i++) {
        int owner = owner_of(units, i, size);
        if (owner == rank)
            code = rank == 0 ? units->run(i, units->user) : run_elsewhere(units, i, comm);
        else if (rank == 0)
            code = print_of(comm, owner);
    }
    return code;
}
