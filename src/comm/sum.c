#include "comm/sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

static cnn_status allocate(float **values, const cnn_sum *sum)
{
    return cnn_allocate(values, sum->count, sizeof(float), "the sums of ranks");
}

cnn_status cnn_sum_init(cnn_sum *sum, size_t count)
{
    cnn_status status = CNN_OK;
    *sum = (cnn_sum){.count = count};
    CNN_TRY(allocate(&sum->received, sum));
    CNN_TRY(cnn_allocate(&sum->room_of_total, CNN_SUM_ORDERS + count, sizeof(float),
                         "the sums of ranks"));
    sum->total = sum->room_of_total + CNN_SUM_ORDERS;
out:
    return status;
}

void cnn_sum_finish(cnn_sum *sum)
{
    for (int i = 0; i < sum->room; i++)
        free(sum->values[i]);
    free(sum->values);
    free(sum->nodes);
    free(sum->received);
    free(sum->room_of_total);
    free(sum->parts);
    *sum = (cnn_sum){0};
}

void cnn_sum_begin(cnn_sum *sum)
{
    sum->node_count = 0;
}

static cnn_status grow(cnn_sum *sum)
{
    size_t room = (size_t)sum->room + 1;
    float **values = realloc(sum->values, room * sizeof *values);
    if (!values)
        return cnn_fail_memory(room * sizeof *values, "the sums of ranks");
    sum->values = values;
    cnn_tree_node *nodes = realloc(sum->nodes, room * sizeof *nodes);
    if (!nodes)
        return cnn_fail_memory(room * sizeof *nodes, "the sums of ranks");
    sum->nodes = nodes;
    cnn_status status = allocate(&values[sum->room], sum);
    if (status == CNN_OK)
        sum->room++;
    return status;
}

cnn_status cnn_sum_give(float **values, cnn_sum *sum, cnn_tree_node node)
{
    cnn_status status = CNN_OK;
    if (sum->node_count == sum->room)
        CNN_TRY(grow(sum));
    *values = sum->values[sum->node_count];
    sum->nodes[sum->node_count++] = node;
out:
    return status;
}

/* A sum on its way up the tree. */
typedef struct summing {
    cnn_sum *sum;
    cnn_comm *comm;
    const cnn_cut *cut;
    const int *deal;
    size_t begin, count; /* floats */
    float *orders;       /* NULL: none go with it */
    int next;            /* of what this rank gave */
} summing;

/* A node's sum: who has it (-1: it has no samples), and where, on that rank. */
typedef struct part {
    int rank;
    float *values;
} part;

/* The ranks of the first and the last of its slices that have samples. */
static void find_ranks(int *first, int *last, const summing *at, cnn_tree_node node)
{
    int begin, end;
    cnn_tree_span(&begin, &end, at->cut, node);
    while (cnn_cut_begin(at->cut, begin) == cnn_cut_begin(at->cut, begin + 1))
        begin++;
    while (cnn_cut_begin(at->cut, end - 1) == cnn_cut_begin(at->cut, end))
        end--;
    *first = cnn_deal_owner(at->deal, begin);
    *last = cnn_deal_owner(at->deal, end - 1);
}

/* Both are there on the ranks that call it. */
static void add(float *restrict into, const float *restrict from, size_t count)
{
    for (size_t i = 0; into && from && i < count; i++)
        into[i] += from[i];
}

/* left += right, where left is. */
static cnn_status join(summing *at, const part *left, const part *right)
{
    int rank = at->comm->rank;
    size_t bytes = at->count * sizeof(float);
    const float *values = right->values;
    cnn_status status = CNN_OK;
    if (left->rank != right->rank && rank == right->rank)
        return cnn_comm_send(at->comm, left->rank, values, bytes);
    if (rank != left->rank)
        return CNN_OK;
    if (left->rank != right->rank) {
        CNN_TRY(cnn_comm_receive(at->comm, right->rank, at->sum->received, bytes));
        values = at->sum->received;
    }
    add(left->values, values, at->count);
out:
    return status;
}

/* All ranks walk the same tree, and meet where they have parts. */
static cnn_status combine(part *result, summing *at, cnn_tree_node node)
{
    int first, last;
    cnn_status status = CNN_OK;
    *result = (part){.rank = -1};
    if (cnn_tree_samples(at->cut, node) == 0)
        return CNN_OK;
    find_ranks(&first, &last, at, node);
    if (first == last) {
        result->rank = first;
        if (first == at->comm->rank)
            result->values = at->sum->values[at->next++] + at->begin;
        return CNN_OK;
    }
    part left, right;
    CNN_TRY(combine(&left, at, (cnn_tree_node){node.level - 1, 2 * node.index}));
    CNN_TRY(combine(&right, at, (cnn_tree_node){node.level - 1, 2 * node.index + 1}));
    if (left.rank >= 0 && right.rank >= 0)
        CNN_TRY(join(at, &left, &right));
    *result = left.rank >= 0 ? left : right;
out:
    return status;
}

/* The sum of a short batch may not begin on rank 0. */
static cnn_status bring_home(summing *at, const part *sum)
{
    size_t bytes = at->count * sizeof(float);
    int rank = at->comm->rank;
    if (sum->rank == 0 && rank == 0 && sum->values)
        memcpy(at->sum->total + at->begin, sum->values, bytes);
    else if (sum->rank > 0 && rank == sum->rank)
        return cnn_comm_send(at->comm, 0, sum->values, bytes);
    else if (sum->rank > 0 && rank == 0)
        return cnn_comm_receive(at->comm, sum->rank, at->sum->total + at->begin, bytes);
    return CNN_OK;
}

/* Each rank sums a part of the range for all, along the same tree: the first is rank 0's, so that its orders
 * lie in front of it. */
static size_t part_begin(const summing *at, int rank)
{
    return at->begin + at->count * (size_t)rank / (size_t)at->comm->size;
}

static size_t part_count(const summing *at, int rank)
{
    return part_begin(at, rank + 1) - part_begin(at, rank);
}

/* A rank's part of nodes of each rank. */
typedef struct scattered {
    int *counts;   /* (size) nodes of each rank */
    float **nodes; /* (size) (counts, part) of each, but of this one; in the sum's room */
    int *next;     /* (size) that are joined */
} scattered;

/* The nodes that ranks have whole. */
static void count_nodes(int *counts, const summing *at, cnn_tree_node node)
{
    int first, last;
    if (cnn_tree_samples(at->cut, node) == 0)
        return;
    find_ranks(&first, &last, at, node);
    if (first == last) {
        counts[first]++;
        return;
    }
    count_nodes(counts, at, (cnn_tree_node){node.level - 1, 2 * node.index});
    count_nodes(counts, at, (cnn_tree_node){node.level - 1, 2 * node.index + 1});
}

/* This rank's part of a node's sum, where it may be written; NULL: the node has no samples. */
static float *combine_part(const summing *at, const scattered *from, cnn_tree_node node)
{
    int first, last, mine = at->comm->rank;
    size_t count = part_count(at, mine);
    if (cnn_tree_samples(at->cut, node) == 0)
        return NULL;
    find_ranks(&first, &last, at, node);
    if (first == last) {
        size_t next = (size_t)from->next[first]++;
        return first == mine ? at->sum->values[next] + part_begin(at, mine)
                             : from->nodes[first] + next * count;
    }
    float *left = combine_part(at, from, (cnn_tree_node){node.level - 1, 2 * node.index});
    float *right = combine_part(at, from, (cnn_tree_node){node.level - 1, 2 * node.index + 1});
    add(left, right, count);
    return left ? left : right;
}

/* Another rank's part of this rank's nodes, one behind the other. */
static void pack(float *packed, const summing *at, int rank)
{
    size_t count = part_count(at, rank);
    for (int i = 0; i < at->sum->node_count; i++)
        memcpy(packed + (size_t)i * count, at->sum->values[i] + part_begin(at, rank),
               count * sizeof *packed);
}

/* Room for what comes and for what is packed. */
static cnn_status make_room(const summing *at, scattered *to)
{
    cnn_sum *sum = at->sum;
    size_t size = (size_t)at->comm->size, mine = part_count(at, at->comm->rank);
    size_t most = at->count / size + 1, needed = (size_t)sum->node_count * most;
    cnn_status status = CNN_OK;
    for (size_t r = 0; r < size; r++)
        needed += (size_t)to->counts[r] * mine;
    if (needed > sum->parts_room) {
        free(sum->parts);
        sum->parts_room = 0;
        CNN_TRY(cnn_allocate(&sum->parts, needed, sizeof *sum->parts, "the sums of ranks"));
        sum->parts_room = needed;
    }
    float *next = sum->parts + (size_t)sum->node_count * most;
    for (size_t r = 0; r < size; r++) {
        to->nodes[r] = next;
        next += (size_t)to->counts[r] * mine;
    }
out:
    return status;
}

/* In each round everyone sends to another and receives from another. */
static cnn_status scatter(const summing *at, const scattered *to)
{
    const cnn_sum *sum = at->sum;
    int size = at->comm->size, rank = at->comm->rank;
    cnn_status status = CNN_OK;
    for (int round = 1; status == CNN_OK && round < size; round++) {
        int up = (rank + round) % size, down = (rank + size - round) % size;
        cnn_exchange what = {
            .to = up,
            .from = down,
            .out = sum->parts,
            .in = to->nodes[down],
            .out_bytes = (size_t)sum->node_count * part_count(at, up) * sizeof(float),
            .in_bytes = (size_t)to->counts[down] * part_count(at, rank) * sizeof(float)};
        if (sum->node_count == 1)
            what.out = sum->values[0] + part_begin(at, up);
        else
            pack(sum->parts, at, up);
        status = cnn_comm_exchange(at->comm, &what);
    }
    return status;
}

static size_t orders_of(const summing *at, int rank)
{
    return rank == 0 && at->orders ? CNN_SUM_ORDERS : 0;
}

/* A part of the result, with the orders in front of rank 0's. */
static float *result_of(const summing *at, int rank, size_t *bytes)
{
    size_t orders = orders_of(at, rank);
    *bytes = (orders + part_count(at, rank)) * sizeof(float);
    return at->sum->total + part_begin(at, rank) - orders;
}

static cnn_status gather_parts(const summing *at)
{
    int size = at->comm->size, rank = at->comm->rank;
    cnn_status status = CNN_OK;
    for (int round = 1; status == CNN_OK && round < size; round++) {
        cnn_exchange what = {.to = (rank + round) % size, .from = (rank + size - round) % size};
        what.out = result_of(at, rank, &what.out_bytes);
        what.in = result_of(at, what.from, &what.in_bytes);
        status = cnn_comm_exchange(at->comm, &what);
    }
    return status;
}

static cnn_status sum_in_parts(const summing *at, cnn_tree_node top)
{
    size_t size = (size_t)at->comm->size;
    int rank = at->comm->rank;
    scattered all = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&all.counts, size, sizeof *all.counts, "the sums of ranks"));
    CNN_TRY(cnn_allocate(&all.next, size, sizeof *all.next, "the sums of ranks"));
    CNN_TRY(cnn_allocate(&all.nodes, size, sizeof(float *), "the sums of ranks"));
    count_nodes(all.counts, at, top);
    CNN_TRY(make_room(at, &all));
    CNN_TRY(scatter(at, &all));
    const float *sum = combine_part(at, &all, top);
    if (sum)
        memcpy(at->sum->total + part_begin(at, rank), sum, part_count(at, rank) * sizeof *sum);
    status = gather_parts(at);
out:
    free(all.nodes);
    free(all.counts);
    free(all.next);
    return status;
}

static cnn_status sum_in_tree(summing *at, cnn_tree_node top)
{
    size_t orders = orders_of(at, 0);
    part all;
    cnn_status status = CNN_OK;
    CNN_TRY(combine(&all, at, top));
    CNN_TRY(bring_home(at, &all));
    status = cnn_comm_broadcast(at->comm, at->sum->total + at->begin - orders,
                                (orders + at->count) * sizeof(float));
out:
    return status;
}

cnn_status cnn_sum_run(const float **total, float orders[CNN_SUM_ORDERS], cnn_sum *sum,
                       cnn_comm *comm, const cnn_cut *cut, const int *deal, cnn_span range)
{
    /* Of smaller parts the messages cost more than what they carry: docs/scaling.md. */
    static const size_t least_part = 8192 / sizeof(float);
    size_t count = range.end - range.begin;
    summing at = {sum, comm, cut, deal, range.begin, count, orders, 0};
    const cnn_tree_node top = {cnn_tree_top(cut->slices), 0};
    cnn_status status = CNN_OK;
    if (orders)
        memcpy(sum->room_of_total, orders, CNN_SUM_ORDERS * sizeof *orders);
    CNN_TRY(comm->size > 1 && count / (size_t)comm->size >= least_part ? sum_in_parts(&at, top)
                                                                       : sum_in_tree(&at, top));
    if (orders)
        memcpy(orders, sum->room_of_total, CNN_SUM_ORDERS * sizeof *orders);
    *total = sum->total;
out:
    return status;
}
