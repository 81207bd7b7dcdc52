#include "train/ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"

cnn_status cnn_ranks_create(cnn_ranks **ranks, cnn_comm *comm, int slices, size_t count)
{
    cnn_status status = CNN_OK;
    cnn_ranks *result = NULL;
    *ranks = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "the ranks"));
    result->comm = comm;
    result->slices = slices;
    CNN_TRY(cnn_allocate(&result->deal, (size_t)comm->size + 1, sizeof(int), "the ranks"));
    /* Rank 0 has the first slice, however few there are. */
    for (int r = 0; r <= comm->size; r++)
        result->deal[r] = (int)(((int64_t)r * slices + comm->size - 1) / comm->size);
    CNN_TRY(cnn_allocate(&result->room, (size_t)comm->size + 1, sizeof(int), "the ranks"));
    CNN_TRY(cnn_allocate(&result->times, (size_t)comm->size, sizeof(double), "the ranks"));
    CNN_TRY(cnn_sum_init(&result->sum, count));
    *ranks = result;
    return CNN_OK;
out:
    cnn_ranks_destroy(result);
    return status;
}

void cnn_ranks_destroy(cnn_ranks *ranks)
{
    if (!ranks)
        return;
    if (ranks->sum.room > 0)
        cnn_buckets_leave(&ranks->buckets, &ranks->sum.values[0]);
    if (ranks->sum.room == 0 || !cnn_comm_is_read(ranks->comm)) /* of a predictor it may be gone */
        cnn_sum_finish(&ranks->sum);
    free(ranks->deal);
    free(ranks->room);
    free(ranks->times);
    free(ranks);
}

void cnn_ranks_share(size_t *begin, size_t *end, const cnn_ranks *ranks, int rank, size_t count)
{
    size_t size = (size_t)ranks->comm->size;
    *begin = (size_t)rank * count / size;
    *end = ((size_t)rank + 1) * count / size;
}

/* The device's name ends the text. */
static bool are_of_a_kind(const cnn_comm *comm)
{
    const char *first = strchr(comm->places[0].text, '(');
    for (int r = 1; r < comm->size; r++) {
        const char *other = strchr(comm->places[r].text, '(');
        if (first && other && strcmp(first, other) != 0)
            return false;
    }
    return true;
}

static cnn_status level(cnn_comm *comm, const cnn_buffer *buffer)
{
    void *values = NULL;
    cnn_status status = CNN_OK;
    if (!buffer->mem)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&values, buffer->bytes, 1, "the values of rank 0"));
    CNN_TRY(cnn_buffer_read(values, buffer, 0, buffer->bytes));
    CNN_TRY(cnn_comm_broadcast(comm, values, buffer->bytes));
    if (comm->rank > 0)
        CNN_TRY(cnn_buffer_write(buffer, 0, values, buffer->bytes));
out:
    cnn_comm_free_sent(comm, values);
    return status;
}

cnn_status cnn_ranks_level(cnn_ranks *ranks, const cnn_plan *plan)
{
    const cnn_optimizer *optimizer = &plan->optimizer;
    const cnn_buffer *const buffers[] = {&plan->parameters, &plan->statistics, &optimizer->average,
                                         &optimizer->statistics};
    cnn_status status = CNN_OK;
    if (are_of_a_kind(ranks->comm))
        return CNN_OK;
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        CNN_TRY(level(ranks->comm, buffers[i]));
    for (int i = 0; i < optimizer->class->state_count; i++)
        CNN_TRY(level(ranks->comm, &optimizer->states[i]));
out:
    return status;
}

void cnn_ranks_note(cnn_ranks *ranks, int slices, double seconds)
{
    enum { FIRST_STEPS = 2 };
    double each = slices > 0 ? seconds / slices : 0.0;
    if (slices == 0 || ++ranks->steps <= FIRST_STEPS)
        return;
    if (ranks->fastest == 0.0 || each < ranks->fastest)
        ranks->fastest = each;
}

bool cnn_ranks_may_overlap(cnn_ranks *ranks)
{
    enum { WAITED_FOR = 8 /* one of so many */ };
    return ranks->buckets.count > 1 && ++ranks->turn % WAITED_FOR != 0;
}

cnn_status cnn_ranks_begin(cnn_ranks *ranks, const cnn_plan *plan)
{
    if (ranks->buckets.count == 0)
        cnn_buckets_init(&ranks->buckets, plan);
    cnn_sum_begin(&ranks->sum);
    return cnn_buckets_finish(&ranks->buckets);
}

cnn_status cnn_ranks_overlap(bool *overlaps, cnn_ranks *ranks, const cnn_slices *slices, int slice)
{
    int levels[CNN_TREE_LEVELS], count;
    float *values;
    cnn_status status = CNN_OK;
    *overlaps = ranks->sum.node_count == 0 && cnn_tree_closes(levels, &count, &slices->tree, slice);
    if (!*overlaps)
        return CNN_OK;
    CNN_TRY(cnn_sum_give(&values, &ranks->sum, (cnn_tree_node){0, slice}));
    cnn_buckets_begin(&ranks->buckets, values);
    for (int i = 0; i < count; i++)
        CNN_TRY(cnn_buckets_hold(&ranks->buckets, &slices->slots[slices->tree.held[levels[i]]]));
out:
    return status;
}

cnn_status cnn_ranks_give(const cnn_buffer *sum, cnn_tree_node node, void *user)
{
    cnn_ranks *ranks = user;
    float *values;
    if (ranks->buckets.values) {
        ranks->sum.nodes[0] = node;
        return cnn_buckets_read_rest(&ranks->buckets, sum);
    }
    double begun = cnn_timeline_now(ranks->timeline);
    cnn_status status = cnn_sum_give(&values, &ranks->sum, node);
    if (status == CNN_OK)
        status = cnn_buffer_read(values, sum, 0, ranks->sum.count * sizeof *values);
    cnn_timeline_add(ranks->timeline, CNN_TIMELINE_DEVICE, begun, 0);
    return status;
}

cnn_status cnn_ranks_sum(cnn_ranks *ranks, cnn_slices *slices, const cnn_cut *cut)
{
    float orders[CNN_SUM_ORDERS] = {ranks->collect, ranks->stop};
    const float *total = NULL;
    const cnn_buckets *buckets = &ranks->buckets;
    cnn_status status = CNN_OK;
    cnn_timeline_watch(ranks->timeline, buckets->events[buckets->count - 1]);
    for (int i = 0; i < buckets->count; i++) {
        bool last = i == buckets->count - 1;
        cnn_span range = buckets->ranges[i];
        double begun = cnn_timeline_now(ranks->timeline);
        CNN_TRY(cnn_buckets_settle(&ranks->buckets, i));
        if (last)
            cnn_timeline_is_idle(ranks->timeline);
        cnn_timeline_add(ranks->timeline, CNN_TIMELINE_DEVICE, begun, 0);
        double start = cnn_seconds();
        CNN_TRY(cnn_sum_run(&total, last ? orders : NULL, &ranks->sum, ranks->comm, cut,
                            ranks->deal, range));
        if (cnn_buckets_are_read(buckets)) /* else the device was at work meanwhile */
            ranks->summing += cnn_seconds() - start;
        cnn_timeline_add(ranks->timeline, CNN_TIMELINE_SUM, start,
                         (range.end - range.begin) * sizeof(float));
    }
    ranks->buckets.values = NULL;
    ranks->collect = orders[0] != 0.0f;
    ranks->stop = orders[1] != 0.0f;
    status = cnn_slices_take(slices, total);
out:
    return status;
}

/* On its way to rank 0, in front of losses and hits. */
typedef struct head {
    int32_t bad;
    double seconds; /* that a slice took; 0: it had none */
    double summing; /* in the sums over ranks since the pass began */
} head;

/* The rank whose slot is looked at. */
static int owner_of(const cnn_ranks *ranks, const cnn_tally *tally, size_t step, size_t part)
{
    size_t begin, end;
    if (tally->training)
        return cnn_deal_owner(ranks->deal, (int)part);
    for (int r = 0; r < ranks->comm->size; r++) {
        cnn_ranks_share(&begin, &end, ranks, r, tally->all);
        if (step >= begin && step < end)
            return r;
    }
    return 0;
}

/* all: (size) of size bytes each. */
static void merge(cnn_ranks *ranks, cnn_tally *tally, const char *all, size_t size, int *who)
{
    /* Of a rank without slices, which may be fast again: seconds a read, so that what a trial may
     * cost comes rarely. */
    static const double forgotten = 0.002, least_kept = 0.9;
    size_t slots = tally->count * tally->parts;
    for (size_t i = 0; i < slots; i++) {
        int rank = owner_of(ranks, tally, tally->from + i / tally->parts, i % tally->parts);
        const char *from = all + (size_t)rank * size + sizeof(head);
        memcpy(&tally->losses[i], from + i * sizeof(float), sizeof(float));
        memcpy(&tally->hits[i], from + slots * sizeof(float) + i * sizeof(uint32_t),
               sizeof(uint32_t));
    }
    tally->bad = -1;
    ranks->exposed = INFINITY;
    for (int r = 0; r < ranks->comm->size; r++) {
        head from;
        memcpy(&from, all + (size_t)r * size, sizeof from);
        ranks->exposed = fmin(ranks->exposed, from.summing);
        if (from.seconds > 0.0)
            ranks->times[r] = from.seconds;
        else
            ranks->times[r] = fmax(ranks->times[r] - forgotten, least_kept * ranks->times[r]);
        if (from.bad >= 0 && (tally->bad < 0 || from.bad < tally->bad)) {
            tally->bad = from.bad;
            *who = r;
        }
    }
}

cnn_status cnn_ranks_collect(cnn_ranks *ranks, void *things, size_t count, size_t bytes,
                             size_t step)
{
    cnn_comm *comm = ranks->comm;
    cnn_status status = CNN_OK;
    for (int r = 1; status == CNN_OK && r < comm->size; r++) {
        size_t begin, end;
        cnn_ranks_share(&begin, &end, ranks, r, cnn_divide_up(count, step));
        begin = cnn_smaller(begin * step, count);
        end = cnn_smaller(end * step, count);
        char *at = (char *)things + begin * bytes;
        if (comm->rank == r && end > begin)
            status = cnn_comm_send_copy(comm, 0, at, (end - begin) * bytes);
        else if (comm->rank == 0 && end > begin)
            status = cnn_comm_receive(comm, r, at, (end - begin) * bytes);
    }
    return status;
}

/* After the tally was read by the old deal. Rank 0 knows how long slices take. */
static cnn_status deal_anew(cnn_ranks *ranks)
{
    int size = ranks->comm->size;
    if (ranks->fastest > 0.0)
        ranks->known = ranks->fastest;
    ranks->fastest = 0.0;
    if (ranks->comm->rank == 0)
        cnn_deal_by_time(ranks->deal, ranks->slices, ranks->times, size, ranks->room);
    return cnn_comm_broadcast(ranks->comm, ranks->deal, ((size_t)size + 1) * sizeof *ranks->deal);
}

cnn_status cnn_ranks_gather(cnn_ranks *ranks, cnn_tally *tally, int *who)
{
    size_t slots = tally->count * tally->parts;
    size_t losses = slots * sizeof(float), hits = slots * sizeof(uint32_t);
    size_t size = sizeof(head) + losses + hits;
    int own = ranks->deal[ranks->comm->rank + 1] - ranks->deal[ranks->comm->rank];
    double seconds = ranks->fastest > 0.0 ? ranks->fastest : own > 0 ? ranks->known : 0.0;
    const head mine = {tally->bad, seconds, ranks->summing};
    int32_t said[3];
    char *message = NULL, *all = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&message, size, 1, "a tally"));
    CNN_TRY(cnn_allocate(&all, ranks->comm->rank == 0 ? size : 0, (size_t)ranks->comm->size,
                         "a tally"));
    memcpy(message, &mine, sizeof mine);
    memcpy(message + sizeof mine, tally->losses, losses);
    memcpy(message + sizeof mine + losses, tally->hits, hits);
    *who = 0;
    CNN_TRY(cnn_comm_gather(ranks->comm, all, message, size));
    if (ranks->comm->rank == 0)
        merge(ranks, tally, all, size, who);
    said[0] = tally->bad;
    said[1] = *who;
    said[2] = tally->stopped;
    CNN_TRY(cnn_comm_broadcast(ranks->comm, said, sizeof said));
    tally->bad = said[0];
    *who = said[1];
    tally->stopped = said[2] != 0;
    if (tally->training)
        status = deal_anew(ranks);
out:
    cnn_comm_free_sent(ranks->comm, message);
    free(all);
    return status;
}
