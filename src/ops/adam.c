#include "ops/adam.h"

#include <math.h>

#include "base/status.h"

static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

cnn_status cnn_adam_init(cnn_adam *adam, cnn_device *device, size_t count)
{
    cnn_status status = CNN_OK;
    adam->count = count;
    CNN_TRY(cnn_kernel_init(&adam->kernel, device, "adam.cl", "", "adam_update"));
    CNN_TRY(cnn_buffer_init(&adam->m, device, count * sizeof(float), "Adam's first moments"));
    CNN_TRY(cnn_buffer_init(&adam->v, device, count * sizeof(float), "Adam's second moments"));
out:
    return status;
}

cnn_status cnn_adam_init_sum(cnn_adam *adam)
{
    cnn_device *device = adam->kernel.device;
    cnn_status status = cnn_kernel_init(&adam->add, device, "adam.cl", "", "adam_sum");
    if (status != CNN_OK)
        return status;
    return cnn_buffer_init(&adam->sum, device, adam->count * sizeof(float),
                           "the sum of the gradients");
}

void cnn_adam_finish(cnn_adam *adam)
{
    cnn_kernel_finish(&adam->kernel);
    cnn_buffer_finish(&adam->m);
    cnn_buffer_finish(&adam->v);
    cnn_kernel_finish(&adam->add);
    cnn_buffer_finish(&adam->sum);
}

cnn_status cnn_adam_add(cnn_adam *adam, cl_mem gradients, bool first)
{
    return CNN_LAUNCH(&adam->add, cnn_kernel_items(adam->add.device, adam->count),
                      cnn_arg_mem(adam->sum.mem), cnn_arg_mem(gradients), cnn_arg_int(!first),
                      cnn_arg_uint((cl_uint)adam->count));
}

cnn_status cnn_adam_run(cnn_adam *adam, cl_mem parameters, cl_mem gradients, cl_mem bad, double lr,
                        uint64_t step)
{
    double rate = lr / (1.0 - pow(beta1, (double)step));
    cl_mem summed = adam->sum.mem ? adam->sum.mem : gradients;
    double root = 1.0 / sqrt(1.0 - pow(beta2, (double)step));
    return CNN_LAUNCH(&adam->kernel, cnn_kernel_items(adam->kernel.device, adam->count),
                      cnn_arg_mem(parameters), cnn_arg_mem(adam->m.mem), cnn_arg_mem(adam->v.mem),
                      cnn_arg_mem(summed), cnn_arg_mem(bad), cnn_arg_float((float)beta1),
                      cnn_arg_float((float)beta2), cnn_arg_float((float)(1.0 - beta1)),
                      cnn_arg_float((float)(1.0 - beta2)), cnn_arg_float((float)epsilon),
                      cnn_arg_float((float)rate), cnn_arg_float((float)root),
                      cnn_arg_uint((cl_uint)adam->count));
}
