/* Batches in pieces: --micro-batch, and the advice to use it where memory does not suffice. */
#include <math.h>
#include <stdio.h>

#include "base/status.h"
#include "plan/layout.h"

cnn_status cnn_plan_divide(int *piece, const cnn_network *network, const bool *frozen, int batch,
                           int micro_batch)
{
    *piece = micro_batch > 0 ? micro_batch : batch;
    if (micro_batch < 0 || micro_batch > batch)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--micro-batch: expected 1 to %d, the samples of a batch (--batch; as many "
                        "are whole batches), found %d",
                        batch, micro_batch);
    if (network && *piece < batch && cnn_network_trains_batchnorm(network, frozen))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--micro-batch: expected a network without batch norm%s, which takes its "
                        "statistics of whole batches, found one with it: leave %s, or use a smaller "
                        "--batch",
                        network->family ? " (--batchnorm)" : " that is trained",
                        network->family ? "one out" : "--micro-batch out, --freeze its layers");
    return CNN_OK;
}

/* The samples of a pass that the device has room for, as far as it tells: a power of two below the
 * plan's; 0 for none. fixed: bytes that any pass takes; varying: those of the plan's pass. */
static int find_piece(const cnn_plan *plan, double fixed, double varying, double largest)
{
    static const double share = 0.9; /* of the memory left: there is more than the plan */
    enum { STREAMED = 4 };           /* copies of a pass's images in bytes: two feeds, two slots */
    const cnn_device_info *info = &plan->device->info;
    double batch = plan->options.batch, left = (double)info->memory;
    left = share * (left - (double)plan->device->allocated) - fixed;
    double each = varying / batch +
                  STREAMED * (double)cnn_shape_count(cnn_network_input_shape(plan->network));
    double most = (double)info->max_allocation / (largest / batch);
    double fits = fmin(fmin(left / each, most), batch - 1.0);
    int piece = 0;
    for (int power = 1; power <= fits; power *= 2)
        piece = power;
    return piece;
}

void cnn_plan_advise(cnn_plan *plan, const size_t *sizes, int count, size_t scratch)
{
    enum { COPIES = 5 }; /* parameters, gradients and their sum, an optimizer's state */
    double fixed = COPIES * (double)plan->network->parameter_count * sizeof(float);
    double varying = 0.0, largest = 1.0;
    if (plan->options.whole == 0)
        return;
    for (int i = 0; i < count; i++) {
        varying += (double)sizes[i];
        largest = fmax(largest, (double)sizes[i]);
    }
    /* Scratch memory grows with the batch in some plans only. */
    double room = (double)plan->device->info.max_allocation;
    int piece = 0;
    if ((double)scratch <= room)
        piece = find_piece(plan, fixed + (double)scratch, varying, largest);
    if (piece == 0)
        piece = find_piece(plan, fixed, varying + (double)scratch, fmax(largest, (double)scratch));
    if (fixed / COPIES > room)
        piece = 0;
    if (plan->options.slices > 0)
        snprintf(plan->advice, sizeof plan->advice,
                 "use a smaller --batch, more --slices or a smaller network");
    else if (cnn_network_trains_batchnorm(plan->network, plan->options.frozen) &&
        plan->options.batch > 1)
        snprintf(plan->advice, sizeof plan->advice, "use a smaller --batch or a smaller network");
    else if (piece > 0)
        snprintf(plan->advice, sizeof plan->advice,
                 "use --micro-batch %d, which gives the same result in less memory, or a smaller "
                 "network",
                 piece);
    else
        snprintf(plan->advice, sizeof plan->advice, "use a smaller network");
    plan->device->advice = plan->advice;
}
