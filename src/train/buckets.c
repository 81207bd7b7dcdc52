#include "train/buckets.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

/* The first step that has a layer of the range: backward ends there. */
static int find_ready(const cnn_plan *plan, size_t begin)
{
    for (int i = 0; i < plan->step_count; i++) {
        const cnn_op *op = plan->steps[i].op;
        for (int l = 0; l < op->layer_count; l++) {
            int params = op->layers[l]->param_count;
            if (params > 0 && op->layers[l]->params[params - 1].offset >= begin)
                return i;
        }
    }
    return 0;
}

static void append(cnn_buckets *buckets, size_t begin, size_t end, int ready)
{
    buckets->ranges[buckets->count] = (cnn_span){begin, end};
    buckets->ready[buckets->count++] = ready;
}

/* Where layers begin, from the last one on. */
void cnn_buckets_init(cnn_buckets *buckets, const cnn_plan *plan)
{
    static const size_t least =
        65536 / sizeof(float); /* of fewer the messages cost more than they carry */
    const cnn_network *network = plan->network;
    size_t end = network->parameter_count;
    *buckets = (cnn_buckets){.device = plan->device, .parameters = network->parameter_count};
    for (int l = network->layer_count - 1; l > 0 && buckets->count < CNN_BUCKETS_MOST - 2; l--) {
        const cnn_layer *layer = &network->layers[l];
        size_t begin = layer->param_count > 0 ? layer->params[0].offset : end;
        if (begin == 0 || begin + least > end)
            continue;
        append(buckets, begin, end, find_ready(plan, begin));
        end = begin;
    }
    if (network->statistic_count > 0)
        append(buckets, network->parameter_count,
               network->parameter_count + network->statistic_count, -1);
    append(buckets, 0, end, find_ready(plan, 0));
    if (end == network->parameter_count) { /* nothing is gained: all at once */
        buckets->count = 0;
        append(buckets, 0, network->parameter_count + network->statistic_count, -1);
    }
}

static cnn_status settle_all(cnn_buckets *buckets)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < buckets->count + buckets->held_count; i++) {
        bool is_range = i < buckets->count;
        cl_event *event = is_range ? &buckets->events[i] : &buckets->held[i - buckets->count].event;
        cnn_status settled = cnn_buffer_settle(event, buckets->device);
        status = status == CNN_OK ? settled : status;
    }
    return status;
}

cnn_status cnn_buckets_finish(cnn_buckets *buckets)
{
    cnn_status status = settle_all(buckets);
    buckets->values = NULL;
    return status;
}

void cnn_buckets_leave(cnn_buckets *buckets, float **values)
{
    bool under_way = cnn_buckets_finish(buckets) != CNN_OK;
    int last = -1; /* reads end in their order: the memory goes with the last one */
    for (int i = 0; under_way && i < buckets->count; i++)
        last = buckets->events[i] ? i : last;
    for (int i = 0; under_way && i < buckets->count; i++)
        if (buckets->events[i]) {
            cnn_buffer_free_data(i == last ? *values : NULL, buckets->events[i]);
            buckets->events[i] = NULL;
        }
    if (last >= 0)
        *values = NULL;
    for (int i = 0; i < CNN_TREE_LEVELS; i++)
        cnn_buffer_free_data(buckets->held[i].values, buckets->held[i].event);
}

void cnn_buckets_begin(cnn_buckets *buckets, float *values)
{
    buckets->values = values;
    buckets->held_count = 0;
}

cnn_status cnn_buckets_hold(cnn_buckets *buckets, const cnn_buffer *sum)
{
    cnn_held *held = &buckets->held[buckets->held_count];
    cnn_status status = CNN_OK;
    if (!held->values)
        CNN_TRY(
            cnn_allocate(&held->values, buckets->parameters, sizeof(float), "the sums of slices"));
    status = cnn_buffer_read_part_async(&held->event, held->values, sum, 0,
                                        buckets->parameters * sizeof(float));
    buckets->held_count += status == CNN_OK;
out:
    return status;
}

static cnn_status read_range(cnn_buckets *buckets, int index, const cnn_buffer *from)
{
    cnn_span range = buckets->ranges[index];
    return cnn_buffer_read_part_async(&buckets->events[index], buckets->values + range.begin, from,
                                      range.begin * sizeof(float),
                                      (range.end - range.begin) * sizeof(float));
}

cnn_status cnn_buckets_read(cnn_buckets *buckets, const cnn_plan *plan, int step)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < buckets->count; i++)
        if (buckets->ready[i] == step)
            status = read_range(buckets, i, &plan->gradients);
    return status;
}

cnn_status cnn_buckets_read_rest(cnn_buckets *buckets, const cnn_buffer *sum)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < buckets->count; i++)
        if (buckets->ready[i] < 0)
            status = read_range(buckets, i, sum);
    return status;
}

bool cnn_buckets_are_read(const cnn_buckets *buckets)
{
    return cnn_buffer_is_over(buckets->events[buckets->count - 1]);
}

static void add_held(cnn_buckets *buckets, const float *held, cnn_span range)
{
    for (size_t i = range.begin; i < range.end; i++)
        buckets->values[i] = held[i] + buckets->values[i];
}

/* The device itself adds up the statistics, which are read behind all. */
cnn_status cnn_buckets_settle(cnn_buckets *buckets, int index)
{
    bool is_partial = buckets->values && buckets->ready[index] >= 0;
    cnn_status status = cnn_buffer_settle(&buckets->events[index], buckets->device);
    for (int i = 0; status == CNN_OK && is_partial && i < buckets->held_count; i++) {
        status = cnn_buffer_settle(&buckets->held[i].event, buckets->device);
        if (status == CNN_OK)
            add_held(buckets, buckets->held[i].values, buckets->ranges[index]);
    }
    return status;
}
