/* Sums of slices: a node has the gradients (parameters), and behind them the running statistics. The
 * additions stand alone, so that no compiler fuses one with a product: a sum is the same wherever it
 * is computed. */
#include "loop.cl"

/* node (count): the gradients (parameters) of a slice, and its running statistics (count -
 * parameters) times its share of the batch's samples. */
kernel void slice_leaf(global float *restrict node, const global float *restrict gradients,
                       const global float *restrict statistics, float share, uint parameters,
                       uint count)
{
    FOR_EACH (i, count)
        node[i] = i < parameters ? gradients[i] : share * statistics[i - parameters];
}

/* into (count) += from (count) */
kernel void slice_add(global float *restrict into, const global float *restrict from, uint count)
{
    FOR_EACH (i, count)
        into[i] += from[i];
}
