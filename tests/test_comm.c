/* Ranks that are threads: what they send, their sums, and how they end. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "check_main.h"
#include "comm/sum.h"

enum { MOST_RANKS = 5, MOST_SLICES = 9 };

/* Floats of a sum: one that goes up the tree whole, and one of which each rank sums a part. */
enum { FEW = 3, COUNT = 3 * MOST_RANKS * 2048 + 5 };

/* What a rank does. */
typedef struct member {
    cnn_comm *comm;
    void (*work)(struct member *member);
    pthread_t thread;
    cnn_status status;
    char message[CNN_COMM_MESSAGE];
    /* of the sum */
    cnn_cut cut;
    int deal[MOST_RANKS + 1];
    size_t count; /* floats */
    float total[COUNT], orders[CNN_SUM_ORDERS];
} member;

static void *run(void *user)
{
    member *this = user;
    this->work(this);
    snprintf(this->message, sizeof this->message, "%s", cnn_error_message());
    return NULL;
}

static void run_crew(member *members, int size, void (*work)(member *member), double limit)
{
    cnn_comm *comms[MOST_RANKS];
    ck_assert_int_eq(cnn_crew_create(comms, size), CNN_OK);
    for (int i = 0; i < size; i++) {
        members[i].comm = comms[i];
        members[i].work = work;
        cnn_comm_set_limit(comms[i], limit);
        ck_assert_int_eq(pthread_create(&members[i].thread, NULL, run, &members[i]), 0);
    }
    for (int i = 0; i < size; i++)
        ck_assert_int_eq(pthread_join(members[i].thread, NULL), 0);
    for (int i = 0; i < size; i++)
        cnn_comm_end(comms[i], 0, NULL);
}

static void talk(member *this)
{
    cnn_comm *comm = this->comm;
    int all[MOST_RANKS], mine = 10 * comm->rank, told = comm->rank == 0 ? 42 : -1;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_comm_introduce(comm, "some device"));
    CNN_TRY(cnn_comm_gather(comm, all, &mine, sizeof mine));
    for (int i = 0; comm->rank == 0 && i < comm->size; i++)
        ck_assert_int_eq(all[i], 10 * i);
    CNN_TRY(cnn_comm_broadcast(comm, &told, sizeof told));
    ck_assert_int_eq(told, 42);
    for (int i = 0; i < comm->size; i++) {
        char start[32];
        snprintf(start, sizeof start, "rank %d on ", i);
        ck_assert_ptr_eq(strstr(comm->places[i].text, start), comm->places[i].text);
        ck_assert_ptr_nonnull(strstr(comm->places[i].text, " (some device)"));
    }
    CNN_TRY(cnn_comm_compare(comm, "version", "1", "use one"));
    status = cnn_comm_agree(comm, CNN_OK);
out:
    this->status = status;
}

/* _i: the ranks, less one. */
START_TEST(what_is_sent_arrives)
{
    member members[MOST_RANKS] = {0};
    run_crew(members, _i + 1, talk, 60.0);
    for (int i = 0; i <= _i; i++)
        ck_assert_int_eq(members[i].status, CNN_OK);
}
END_TEST

/* Values whose sum depends on the order. */
static float value_of(int slice, int i)
{
    return (float)(slice + 1) * 1e-7f * (float)(i + 1) + (slice % 3 == 1 ? 1.0f : 0.0f);
}

/* A rank's slices as the device sums them. */
typedef struct adding {
    cnn_sum *sum;
    float slots[CNN_TREE_LEVELS][COUNT];
    bool taken[CNN_TREE_LEVELS];
} adding;

static cnn_status add(void *user, int into, int from)
{
    adding *at = user;
    for (int i = 0; i < COUNT; i++)
        at->slots[into][i] += at->slots[from][i];
    at->taken[from] = false;
    return CNN_OK;
}

static cnn_status give(void *user, int slot, cnn_tree_node node)
{
    adding *at = user;
    float *values;
    cnn_status status = cnn_sum_give(&values, at->sum, node);
    if (status == CNN_OK)
        memcpy(values, at->slots[slot], at->sum->count * sizeof *values);
    at->taken[slot] = false;
    return status;
}

static cnn_status give_slices(cnn_sum *sum, const cnn_cut *cut, int begin, int end)
{
    static _Thread_local adding at;
    at = (adding){.sum = sum};
    const cnn_tree_user user = {add, give, &at};
    cnn_tree tree;
    cnn_status status = CNN_OK;
    cnn_sum_begin(sum);
    cnn_tree_begin(&tree, cut);
    for (int slice = begin; slice < end; slice++) {
        int slot = 0;
        if (cnn_cut_begin(cut, slice) == cnn_cut_begin(cut, slice + 1))
            continue;
        while (at.taken[slot])
            slot++;
        at.taken[slot] = true;
        for (int i = 0; i < COUNT; i++)
            at.slots[slot][i] = value_of(slice, i);
        CNN_TRY(cnn_tree_put(&tree, slice, slot, &user));
    }
    status = cnn_tree_end(&tree, &user);
out:
    return status;
}

static void sum_up(member *this)
{
    cnn_sum sum = {0};
    const float *total;
    int rank = this->comm->rank;
    cnn_status status = CNN_OK;
    this->orders[0] = rank == 0 ? 1.0f : 0.0f;
    this->orders[1] = rank == 0 ? 0.0f : 1.0f;
    CNN_TRY(cnn_sum_init(&sum, this->count));
    for (int round = 0; round < 2; round++) { /* memory is used again */
        CNN_TRY(give_slices(&sum, &this->cut, this->deal[rank], this->deal[rank + 1]));
        size_t middle = this->count / 3; /* in two ranges, the last first */
        CNN_TRY(cnn_sum_run(&total, NULL, &sum, this->comm, &this->cut, this->deal,
                            (cnn_span){middle, this->count}));
        CNN_TRY(cnn_sum_run(&total, this->orders, &sum, this->comm, &this->cut, this->deal,
                            (cnn_span){0, middle}));
    }
    memcpy(this->total, total, this->count * sizeof *total);
out:
    cnn_sum_finish(&sum);
    this->status = status;
}

/* Any deal, in which ranks may have nothing. */
static void deal_out(member *members, int size, size_t count, const cnn_cut *cut,
                     unsigned *seed)
{
    int deal[MOST_RANKS + 1] = {0};
    for (int r = 1; r < size; r++) {
        *seed = *seed * 1103515245u + 12345u;
        deal[r] = deal[r - 1] + (int)((*seed >> 16) % (unsigned)(cut->slices - deal[r - 1] + 1));
    }
    deal[size] = cut->slices;
    for (int r = 0; r < size; r++) {
        members[r].cut = *cut;
        members[r].count = count;
        memcpy(members[r].deal, deal, sizeof deal);
    }
}

static void check_deals(size_t count, const cnn_cut *cut, unsigned *seed)
{
    static member one, members[MOST_RANKS];
    one = (member){.cut = *cut, .deal = {0, cut->slices}, .count = count};
    run_crew(&one, 1, sum_up, 60.0);
    ck_assert_int_eq(one.status, CNN_OK);
    for (int size = 2; size <= MOST_RANKS; size++) {
        memset(members, 0, sizeof members);
        deal_out(members, size, count, cut, seed);
        run_crew(members, size, sum_up, 60.0);
        for (int r = 0; r < size; r++) {
            ck_assert_int_eq(members[r].status, CNN_OK);
            ck_assert_mem_eq(members[r].total, one.total, sizeof one.total);
            ck_assert(members[r].orders[0] == 1.0f && members[r].orders[1] == 0.0f);
        }
    }
}

/* _i: the slices, less one. */
START_TEST(the_sum_is_the_same_for_every_deal)
{
    unsigned seed = 1;
    int slices = _i + 1;
    const int samples[] = {1, slices / 2 + 1, slices, 3 * slices + 1};
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        const cnn_cut cut = {samples[s], slices};
        check_deals(FEW, &cut, &seed);
        check_deals(COUNT, &cut, &seed);
    }
}
END_TEST

START_TEST(slices_are_dealt_out_by_time)
{
    static const struct {
        int size, slices;
        double seconds[MOST_RANKS];
        int deal[MOST_RANKS + 1], expected[MOST_RANKS + 1];
    } rows[] = {
        {2, 8, {1.0, 1.0}, {0, 4, 8}, {0, 4, 8}},
        {2, 8, {1.0, 3.0}, {0, 4, 8}, {0, 6, 8}},
        {2, 8, {7.0, 1.0}, {0, 4, 8}, {0, 1, 8}},
        {2, 8, {1.0, 0.0}, {0, 8, 8}, {0, 4, 8}},  /* it had none */
        {2, 8, {1.0, 1.05}, {0, 4, 8}, {0, 4, 8}}, /* not worth it */
        {3, 2, {1.0, 100.0, 1.0}, {0, 1, 2, 2}, {0, 1, 1, 2}},
        {3, 10, {1.0, 2.0, 1.0}, {0, 4, 7, 10}, {0, 4, 6, 10}},
        {1, 3, {1.0}, {0, 3}, {0, 3}},
    };
    int room[MOST_RANKS + 1], deal[MOST_RANKS + 1];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(deal, rows[i].deal, sizeof deal);
        cnn_deal_by_time(deal, rows[i].slices, rows[i].seconds, rows[i].size, room);
        for (int r = 0; r <= rows[i].size; r++)
            ck_assert_msg(deal[r] == rows[i].expected[r], "row %zu, rank %d: %d, not %d", i, r,
                          deal[r], rows[i].expected[r]);
    }
}
END_TEST

static void differ(member *this)
{
    this->status = cnn_comm_introduce(this->comm, "a device");
    if (this->status == CNN_OK)
        this->status = cnn_comm_compare(this->comm, "version", this->comm->rank == 2 ? "2" : "1",
                                        "use one version");
}

static void fail_alone(member *this)
{
    int data = 0;
    this->status = cnn_comm_introduce(this->comm, "a device");
    if (this->comm->rank == 1) {
        cnn_comm_abort(this->comm, CNN_ERROR_OPENCL, "it broke");
        this->status = cnn_fail(CNN_ERROR_OPENCL, "it broke");
    } else if (this->status == CNN_OK) {
        this->status = cnn_comm_broadcast(this->comm, &data, sizeof data);
    }
}

static void stop_on_0(member *this)
{
    cnn_status mine = CNN_OK;
    if (this->comm->rank == 0)
        mine = cnn_fail(CNN_ERROR_STOPPED, "stopped by hand");
    this->status = cnn_comm_agree(this->comm, mine);
}

static void hang(member *this)
{
    int data = 0;
    if (this->comm->rank != 1)
        this->status = cnn_comm_broadcast(this->comm, &data, sizeof data);
}

START_TEST(what_ends_one_rank_ends_all)
{
    member members[MOST_RANKS] = {0};
    run_crew(members, 3, differ, 60.0);
    for (int r = 0; r < 3; r++) {
        ck_assert_int_eq(members[r].status, CNN_ERROR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(members[r].message, "rank 2 on "));
        ck_assert_ptr_nonnull(
            strstr(members[r].message,
                   " (a device): version: expected 1 as on rank 0, found 2: use one version"));
    }
    run_crew(members, 2, fail_alone, 60.0);
    ck_assert_int_eq(members[0].status, CNN_ERROR_OPENCL);
    ck_assert_ptr_nonnull(strstr(members[0].message, "rank 1 on "));
    ck_assert_ptr_nonnull(strstr(members[0].message, " (a device): it broke"));
    run_crew(members, 3, stop_on_0, 60.0);
    for (int r = 0; r < 3; r++) {
        ck_assert_int_eq(members[r].status, CNN_ERROR_STOPPED);
        ck_assert_str_eq(members[r].message, "stopped by hand");
    }
}
END_TEST

START_TEST(a_rank_that_hangs_is_waited_for_so_long)
{
    member members[2] = {0};
    double start = cnn_seconds();
    run_crew(members, 2, hang, 0.3);
    ck_assert_int_eq(members[0].status, CNN_ERROR_RANK);
    ck_assert_ptr_nonnull(strstr(members[0].message, "rank 1 did not answer within 0.3 s"));
    ck_assert(cnn_seconds() - start < 30.0);
}
END_TEST

/* Each waits for the next, the last for nobody. */
static void wait_in_line(member *this)
{
    int data = 0;
    if (this->comm->rank < this->comm->size - 1)
        this->status = cnn_comm_receive(this->comm, this->comm->rank + 1, &data, sizeof data);
}

START_TEST(the_rank_that_hangs_is_named)
{
    enum { SIZE = 4 };
    member members[SIZE] = {0};
    run_crew(members, SIZE, wait_in_line, 0.3);
    for (int r = 0; r < SIZE - 1; r++) {
        ck_assert_int_eq(members[r].status, CNN_ERROR_RANK);
        ck_assert_ptr_nonnull(strstr(members[r].message, "rank 3 did not answer within 0.3 s"));
    }
}
END_TEST

START_TEST(launchers_are_known_by_their_variables)
{
    static const struct {
        const char *names[2], *values[2];
        int size, rank;
    } rows[] = {
        {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"}, {"4", "2"}, 4, 2},
        {{"PMI_SIZE", "PMI_RANK"}, {"3", "0"}, 3, 0},
        {{"SLURM_NTASKS", "SLURM_PROCID"}, {"8", "7"}, 8, 7},
        {{"SLURM_NTASKS", "SLURM_PROCID"}, {"8", "0"}, 1, 0}, /* a script of a job */
        {{"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}, {"8", "0"}, 8, 0},
        {{"SLURM_NTASKS", "SLURM_JOB_ID"}, {"8", "7"}, 1, 0},
        {{"PMIX_RANK", "PMIX_NAMESPACE"}, {"1", "x"}, 2, 1},
        {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"}, {"1", "0"}, 1, 0},
    };
    int rank = -1;
    ck_assert_int_eq(cnn_comm_launched(&rank), 1);
    ck_assert_int_eq(rank, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int v = 0; v < 2; v++)
            setenv(rows[i].names[v], rows[i].values[v], 1);
        ck_assert_int_eq(cnn_comm_launched(&rank), rows[i].size);
        ck_assert_int_eq(rank, rows[i].rank);
        for (int v = 0; v < 2; v++)
            unsetenv(rows[i].names[v]);
    }
}
END_TEST

START_TEST(alone_there_is_nothing_to_wait_for)
{
    cnn_comm *comm;
    ck_assert_int_eq(cnn_comm_create(&comm), CNN_OK);
    ck_assert_int_eq(cnn_comm_size(comm), 1);
    ck_assert_int_eq(cnn_comm_rank(comm), 0);
    ck_assert_int_eq(cnn_comm_agree(comm, CNN_OK), CNN_OK);
    ck_assert_int_eq(cnn_comm_compare(comm, "version", "1", ""), CNN_OK);
    cnn_comm_end(comm, 0, NULL);
    ck_assert_int_eq(cnn_comm_size(NULL), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("comm");
    TCase *tests = tcase_create("comm");
    tcase_add_loop_test(tests, what_is_sent_arrives, 0, MOST_RANKS);
    tcase_add_loop_test(tests, the_sum_is_the_same_for_every_deal, 0, MOST_SLICES);
    tcase_add_test(tests, the_rank_that_hangs_is_named);
    tcase_add_test(tests, slices_are_dealt_out_by_time);
    tcase_add_test(tests, what_ends_one_rank_ends_all);
    tcase_add_test(tests, a_rank_that_hangs_is_waited_for_so_long);
    tcase_add_test(tests, launchers_are_known_by_their_variables);
    tcase_add_test(tests, alone_there_is_nothing_to_wait_for);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
