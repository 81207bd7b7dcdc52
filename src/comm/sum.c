#include "comm/sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

static cnn_status allocate(float **values, const cnn_sum *sum)
{
    return cnn_allocate(values, sum->count + CNN_SUM_ORDERS, sizeof(float), "the sums of ranks");
}

cnn_status cnn_sum_init(cnn_sum *sum, size_t count)
{
    cnn_status status = CNN_OK;
    *sum = (cnn_sum){.count = count};
    CNN_TRY(allocate(&sum->received, sum));
    CNN_TRY(allocate(&sum->total, sum));
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
    free(sum->total);
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
    int next; /* of what this rank gave */
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
    size_t bytes = at->sum->count * sizeof(float);
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
    add(left->values, values, at->sum->count);
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
            result->values = at->sum->values[at->next++];
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
    size_t bytes = at->sum->count * sizeof(float);
    int rank = at->comm->rank;
    if (sum->rank == 0 && rank == 0 && sum->values)
        memcpy(at->sum->total, sum->values, bytes);
    else if (sum->rank > 0 && rank == sum->rank)
        return cnn_comm_send(at->comm, 0, sum->values, bytes);
    else if (sum->rank > 0 && rank == 0)
        return cnn_comm_receive(at->comm, sum->rank, at->sum->total, bytes);
    return CNN_OK;
}

cnn_status cnn_sum_run(const float **total, float orders[CNN_SUM_ORDERS], cnn_sum *sum,
                       cnn_comm *comm, const cnn_cut *cut, const int *deal)
{
    summing at = {sum, comm, cut, deal, 0};
    part all;
    float *behind = sum->total + sum->count;
    cnn_status status = CNN_OK;
    CNN_TRY(combine(&all, &at, (cnn_tree_node){cnn_tree_top(cut->slices), 0}));
    CNN_TRY(bring_home(&at, &all));
    memcpy(behind, orders, CNN_SUM_ORDERS * sizeof *orders);
    CNN_TRY(cnn_comm_broadcast(comm, sum->total, (sum->count + CNN_SUM_ORDERS) * sizeof(float)));
    memcpy(orders, behind, CNN_SUM_ORDERS * sizeof *orders);
    *total = sum->total;
out:
    return status;
}
