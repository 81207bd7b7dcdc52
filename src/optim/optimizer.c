#include "optim/optimizer.h"

#include <stdio.h>

#include "base/status.h"

static const char file[] = "optimizer.cl";

static const double adam_momentum = 0.9;

/* Without decay, and other rates, all parameters are alike. */
static bool is_grouped(const cnn_train_options *options)
{
    return options && (options->weight_decay != 0.0 || options->lr_scale[0] != '\0');
}

static cnn_status init_groups(cnn_optimizer *optimizer, const cnn_network *network,
                              const bool *frozen, const cnn_train_options *options)
{
    cnn_groups groups = {0};
    cnn_device *device = optimizer->device;
    cnn_status status = CNN_OK;
    if (!is_grouped(options))
        return CNN_OK;
    CNN_TRY(cnn_groups_init(&groups, network, frozen, options));
    CNN_TRY(cnn_groups_scale(&groups, network, frozen, options->lr_scale));
    CNN_TRY(cnn_buffer_init(&optimizer->groups, device, optimizer->count, "the groups"));
    CNN_TRY(cnn_buffer_init(&optimizer->factors, device, sizeof groups.factors, "the factors"));
    CNN_TRY(cnn_buffer_write(&optimizer->groups, 0, groups.members, optimizer->count));
    status = cnn_buffer_write(&optimizer->factors, 0, groups.factors, sizeof groups.factors);
out:
    cnn_groups_finish(&groups);
    return status;
}

static cnn_status init_clipping(cnn_optimizer *optimizer)
{
    enum { CPU_PARTS = 1 << 10, GPU_PARTS = 1 << 16, GROUP = 256 /* of cl/optimizer.cl */ };
    cnn_device *device = optimizer->device;
    bool gpu = device->kernel_class == CNN_KERNEL_GPU;
    const char *grouped = optimizer->groups.mem ? "-DGROUPED" : "";
    cnn_status status = CNN_OK;
    if (optimizer->clip_norm == 0.0)
        return CNN_OK;
    optimizer->parts = gpu && !device->exact ? GPU_PARTS : CPU_PARTS;
    CNN_TRY(cnn_kernel_init(&optimizer->squares, device, file, grouped, "gradient_squares"));
    CNN_TRY(cnn_kernel_init(&optimizer->root, device, file, grouped, "gradient_norm"));
    if (gpu) /* whose sum has the order of its work-items */
        CNN_TRY(cnn_kernel_set_local_size(&optimizer->root, device->exact ? 1 : GROUP));
    CNN_TRY(cnn_buffer_init(&optimizer->sums, device, optimizer->parts * sizeof(float),
                            "the gradients' squares"));
    status = cnn_buffer_init(&optimizer->norm, device, sizeof(float), "the gradients' norm");
out:
    return status;
}

/* The first update's average is what it gave. */
static cnn_arg keep_of(const cnn_optimizer *optimizer, uint64_t step)
{
    return cnn_arg_float(step <= 1 ? 1.0f : (float)(1.0 - optimizer->ema));
}

static cnn_status init_average(cnn_optimizer *optimizer, const cnn_network *network)
{
    cnn_device *device = optimizer->device;
    cnn_status status = CNN_OK;
    if (optimizer->ema == 0.0)
        return CNN_OK;
    optimizer->statistic_count = network->statistic_count;
    CNN_TRY(cnn_kernel_init(&optimizer->follow, device, file, "", "average_values"));
    CNN_TRY(cnn_buffer_init(&optimizer->average, device, optimizer->count * sizeof(float),
                            "the average of the parameters"));
    status = cnn_buffer_init(&optimizer->statistics, device,
                             optimizer->statistic_count * sizeof(float),
                             "the average of the running statistics");
out:
    return status;
}

void cnn_optimizer_flags(char flags[CNN_OPTIMIZER_FLAGS], const cnn_train_options *options)
{
    snprintf(flags, CNN_OPTIMIZER_FLAGS, "%s%s%s%s", is_grouped(options) ? "-DGROUPED" : "",
             options && options->clip_norm > 0.0 ? " -DCLIPPED" : "",
             options && options->ema > 0.0 ? " -DAVERAGED" : "",
             cnn_optimizer_choose(options)->options);
}

cnn_status cnn_optimizer_init(cnn_optimizer *optimizer, cnn_device *device,
                              const cnn_network *network, const bool *frozen,
                              const cnn_train_options *options)
{
    const cnn_optimizer_class *class = cnn_optimizer_choose(options);
    char flags[CNN_OPTIMIZER_FLAGS];
    cnn_status status = CNN_OK;
    *optimizer = (cnn_optimizer){.class = class,
                                 .device = device,
                                 .count = network->parameter_count,
                                 .momentum = adam_momentum};
    if (options) {
        bool sgd = options->optimizer == CNN_OPTIMIZER_SGD;
        optimizer->momentum = sgd ? options->momentum : adam_momentum;
        optimizer->weight_decay = options->weight_decay;
        optimizer->clip_norm = options->clip_norm;
        optimizer->ema = options->ema;
    }
    CNN_TRY(init_groups(optimizer, network, frozen, options));
    CNN_TRY(init_clipping(optimizer));
    CNN_TRY(init_average(optimizer, network));
    cnn_optimizer_flags(flags, options);
    CNN_TRY(cnn_kernel_init(&optimizer->update, device, file, flags, class->kernel));
    for (int i = 0; i < class->state_count; i++)
        CNN_TRY(cnn_buffer_init(&optimizer->states[i], device, optimizer->count * sizeof(float),
                                class->states[i].title));
out:
    return status;
}

cnn_status cnn_optimizer_average(cnn_optimizer *optimizer, cl_mem statistics, cl_mem bad,
                                 uint64_t step)
{
    size_t count = optimizer->statistic_count;
    if (count == 0)
        return CNN_OK;
    return CNN_LAUNCH(&optimizer->follow, cnn_kernel_items(optimizer->device, count),
                      cnn_arg_mem(optimizer->statistics.mem), cnn_arg_mem(statistics),
                      cnn_arg_mem(bad), keep_of(optimizer, step), cnn_arg_uint((cl_uint)count));
}

cnn_status cnn_optimizer_init_sum(cnn_optimizer *optimizer)
{
    cnn_device *device = optimizer->device;
    cnn_status status = cnn_kernel_init(&optimizer->add, device, file, "", "gradient_sum");
    if (status != CNN_OK)
        return status;
    return cnn_buffer_init(&optimizer->sum, device, optimizer->count * sizeof(float),
                           "the sum of the gradients");
}

void cnn_optimizer_finish(cnn_optimizer *optimizer)
{
    cnn_kernel_finish(&optimizer->update);
    for (int i = 0; i < CNN_OPTIMIZER_STATES; i++)
        cnn_buffer_finish(&optimizer->states[i]);
    cnn_buffer_finish(&optimizer->groups);
    cnn_buffer_finish(&optimizer->factors);
    cnn_kernel_finish(&optimizer->squares);
    cnn_kernel_finish(&optimizer->root);
    cnn_buffer_finish(&optimizer->sums);
    cnn_buffer_finish(&optimizer->norm);
    cnn_kernel_finish(&optimizer->follow);
    cnn_buffer_finish(&optimizer->average);
    cnn_buffer_finish(&optimizer->statistics);
    cnn_kernel_finish(&optimizer->add);
    cnn_buffer_finish(&optimizer->sum);
}

cnn_status cnn_optimizer_add(cnn_optimizer *optimizer, cl_mem gradients, bool first)
{
    return CNN_LAUNCH(&optimizer->add, cnn_kernel_items(optimizer->device, optimizer->count),
                      cnn_arg_mem(optimizer->sum.mem), cnn_arg_mem(gradients), cnn_arg_int(!first),
                      cnn_arg_uint((cl_uint)optimizer->count));
}

static cnn_status find_norm(cnn_optimizer *optimizer, cl_mem gradients)
{
    cnn_arg parts = cnn_arg_uint((cl_uint)optimizer->parts), sums = cnn_arg_mem(optimizer->sums.mem);
    if (optimizer->clip_norm == 0.0)
        return CNN_OK;
    cnn_status status = CNN_LAUNCH(
        &optimizer->squares, optimizer->parts, sums, cnn_arg_mem(gradients),
        cnn_arg_mem(optimizer->groups.mem), cnn_arg_mem(optimizer->factors.mem),
        cnn_arg_uint((cl_uint)optimizer->count), parts);
    if (status != CNN_OK)
        return status;
    return CNN_LAUNCH_GROUPS(&optimizer->root, 1, cnn_arg_mem(optimizer->norm.mem), sums, parts);
}

cnn_status cnn_optimizer_run(cnn_optimizer *optimizer, cl_mem parameters, cl_mem gradients,
                             cl_mem bad, double lr, uint64_t step)
{
    enum { GIVEN = 12, MOST = GIVEN + CNN_OPTIMIZER_STATES + CNN_OPTIMIZER_SCALARS };
    const cnn_optimizer_class *class = optimizer->class;
    cl_mem summed = optimizer->sum.mem ? optimizer->sum.mem : gradients;
    double rate = class->rate ? class->rate(lr, optimizer->momentum, step) : lr;
    double decay = optimizer->weight_decay * (class->decoupled ? lr : 1.0);
    float scalars[CNN_OPTIMIZER_SCALARS];
    cnn_arg args[MOST] = {
        cnn_arg_mem(parameters),
        cnn_arg_mem(summed),
        cnn_arg_mem(bad),
        cnn_arg_mem(optimizer->groups.mem),
        cnn_arg_mem(optimizer->factors.mem),
        cnn_arg_mem(optimizer->norm.mem),
        cnn_arg_float((float)optimizer->clip_norm),
        cnn_arg_float((float)rate),
        cnn_arg_float((float)decay),
        cnn_arg_mem(optimizer->average.mem),
        keep_of(optimizer, step),
        cnn_arg_uint((cl_uint)optimizer->count),
    };
    size_t count = GIVEN;
    for (int i = 0; i < class->state_count; i++)
        args[count++] = cnn_arg_mem(optimizer->states[i].mem);
    int scalar_count = class->scalars ? class->scalars(scalars, optimizer->momentum, step) : 0;
    for (int i = 0; i < scalar_count; i++)
        args[count++] = cnn_arg_float(scalars[i]);
    cnn_status status = find_norm(optimizer, summed);
    if (status != CNN_OK)
        return status;
    return cnn_kernel_launch(&optimizer->update,
                             cnn_kernel_items(optimizer->device, optimizer->count), args, count);
}
