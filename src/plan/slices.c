#include "plan/slices.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

cnn_status cnn_slices_check(int slices, int batch, int micro_batch)
{
    if (slices < 0 || slices > batch)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--slices: expected 1 to %d, the samples of a batch (--batch), found %d",
                        batch, slices);
    if (slices > 1 && micro_batch > 0 && micro_batch < batch)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--slices and --micro-batch exclude each other, a slice goes through the "
                        "device at once: leave one out (as many slices as ranks are the default; "
                        "more slices take less memory)");
    return CNN_OK;
}

cnn_status cnn_slices_init(cnn_slices *at, cnn_device *device, const cnn_network *network,
                           int slices)
{
    /* A sum that waits on each level, and the slice's own. */
    int slots = cnn_tree_top(slices) + 1;
    cnn_status status = CNN_OK;
    *at = (cnn_slices){.device = device, .result = -1};
    at->parameters = network->parameter_count;
    at->count = network->parameter_count + network->statistic_count;
    CNN_TRY(cnn_allocate(&at->slots, (size_t)slots, sizeof *at->slots, "the sums of slices"));
    CNN_TRY(cnn_allocate(&at->taken, (size_t)slots, sizeof *at->taken, "the sums of slices"));
    CNN_TRY(cnn_kernel_init(&at->leaf, device, "slices.cl", "", "slice_leaf"));
    CNN_TRY(cnn_kernel_init(&at->add, device, "slices.cl", "", "slice_add"));
    for (; at->slot_count < slots; at->slot_count++)
        CNN_TRY(cnn_buffer_init(&at->slots[at->slot_count], device, at->count * sizeof(float),
                                "the sums of slices"));
    status = cnn_buffer_init(&at->before, device, network->statistic_count * sizeof(float),
                             "the running statistics");
out:
    return status;
}

void cnn_slices_finish(cnn_slices *at)
{
    for (int i = 0; i < at->slot_count; i++)
        cnn_buffer_finish(&at->slots[i]);
    cnn_buffer_finish(&at->before);
    cnn_kernel_finish(&at->leaf);
    cnn_kernel_finish(&at->add);
    free(at->slots);
    free(at->taken);
    *at = (cnn_slices){0};
}

static size_t statistic_bytes(const cnn_slices *at)
{
    return (at->count - at->parameters) * sizeof(float);
}

cnn_status cnn_slices_begin(cnn_slices *at, const cnn_cut *cut,
                            const cnn_buffer *statistics, cnn_give_node give, void *user)
{
    cnn_tree_begin(&at->tree, cut);
    at->result = -1;
    at->give = give;
    at->user = user;
    for (int i = 0; i < at->slot_count; i++)
        at->taken[i] = false;
    if (statistic_bytes(at) == 0)
        return CNN_OK;
    return cnn_buffer_enqueue_copy(at->device, at->before.mem, statistics->mem,
                                   statistic_bytes(at));
}

cnn_status cnn_slices_restore(const cnn_slices *at, const cnn_buffer *statistics)
{
    if (statistic_bytes(at) == 0)
        return CNN_OK;
    return cnn_buffer_enqueue_copy(at->device, statistics->mem, at->before.mem,
                                   statistic_bytes(at));
}

static cnn_status add(void *user, int into, int from)
{
    cnn_slices *at = user;
    at->taken[from] = false;
    return CNN_LAUNCH(&at->add, cnn_kernel_items(at->device, at->count),
                      cnn_arg_mem(at->slots[into].mem), cnn_arg_mem(at->slots[from].mem),
                      cnn_arg_uint((cl_uint)at->count));
}

static cnn_status give(void *user, int slot, cnn_tree_node node)
{
    cnn_slices *at = user;
    if (!at->give) {
        at->result = slot;
        return CNN_OK;
    }
    at->taken[slot] = false;
    return at->give(&at->slots[slot], node, at->user);
}

cnn_status cnn_slices_put(cnn_slices *at, int slice, cl_mem gradients, cl_mem statistics)
{
    const cnn_cut *cut = &at->tree.cut;
    int n = cnn_cut_begin(cut, slice + 1) - cnn_cut_begin(cut, slice), slot = 0;
    while (at->taken[slot])
        slot++;
    at->taken[slot] = true;
    cnn_status status = CNN_LAUNCH(
        &at->leaf, cnn_kernel_items(at->device, at->count), cnn_arg_mem(at->slots[slot].mem),
        cnn_arg_mem(gradients), cnn_arg_mem(statistics),
        cnn_arg_float((float)n / (float)cut->samples), cnn_arg_uint((cl_uint)at->parameters),
        cnn_arg_uint((cl_uint)at->count));
    if (status != CNN_OK)
        return status;
    return cnn_tree_put(&at->tree, slice, slot, &(cnn_tree_user){add, give, at});
}

cnn_status cnn_slices_end(cnn_slices *at)
{
    return cnn_tree_end(&at->tree, &(cnn_tree_user){add, give, at});
}

cnn_status cnn_slices_take(cnn_slices *at, const float *sum)
{
    at->result = 0;
    return cnn_buffer_write(&at->slots[0], 0, sum, at->count * sizeof *sum);
}

cl_mem cnn_slices_sum(const cnn_slices *at)
{
    return at->result < 0 ? NULL : at->slots[at->result].mem;
}

/* Neighbours in one copy. */
cnn_status cnn_slices_settle(const cnn_slices *at, const cnn_network *network, const bool *frozen,
                             const cnn_buffer *statistics)
{
    size_t begin = 0, end = 0;
    cnn_status status = CNN_OK;
    for (int l = 0; l <= network->layer_count; l++) {
        bool last = l == network->layer_count;
        const cnn_layer *layer = last ? NULL : &network->layers[l];
        if (!last && (layer->statistic_count == 0 || (frozen && frozen[l])))
            continue;
        if (!last && end > begin && layer->statistic_offset == end) {
            end += (size_t)layer->statistic_count;
            continue;
        }
        if (end > begin)
            CNN_TRY(cnn_buffer_enqueue_part(statistics, begin * sizeof(float),
                                            &at->slots[at->result],
                                            (at->parameters + begin) * sizeof(float),
                                            (end - begin) * sizeof(float)));
        begin = last ? 0 : layer->statistic_offset;
        end = last ? 0 : begin + (size_t)layer->statistic_count;
    }
out:
    return status;
}
