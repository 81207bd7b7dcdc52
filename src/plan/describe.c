/* The plan as a table for people. */
#include <stdio.h>

#include "base/status.h"
#include "base/text.h"
#include "plan/plan.h"

static void append_layers(cnn_text *text, const cnn_op *op)
{
    for (int i = 0; i < op->layer_count; i++)
        cnn_text_append(text, "%s%s", i ? ", " : "", op->layers[i]->name);
}

static void append_kernels(cnn_text *text, const cnn_op *op)
{
    for (int i = 0; i < op->kernel_count; i++)
        if (op->kernels[i].handle)
            cnn_text_append(text, "      %s %s\n", op->kernels[i].name, op->kernels[i].options);
    if (op->inner)
        append_kernels(text, op->inner);
}

/* Numbered from the step `first` on, which has its input from elsewhere. */
static void append_step(cnn_text *text, const cnn_plan *plan, int index, int first)
{
    const cnn_step *step = &plan->steps[index];
    const cnn_op *op = step->op;
    bool in_place = index > first && step->output_life == step->input_lives[0];
    char output[32], saved[32], scratch[32];
    cnn_shape out = cnn_op_last_layer(op)->out;
    cnn_text_append(text, "[%d] %s (", index - first, cnn_step_name(step));
    append_layers(text, op);
    cnn_text_append(
        text, ")\n      output (%d, %d, %d, %d) %s%s, saved %s, scratch %s\n", op->batch, out.c,
        out.h, out.w, cnn_format_bytes(output, cnn_op_output_count(op) * sizeof(float)),
        in_place ? " in place" : "", cnn_format_bytes(saved, op->saved_bytes + op->mask_bytes),
        cnn_format_bytes(scratch, op->scratch_bytes));
    append_kernels(text, op);
}

const char *cnn_step_name(const cnn_step *step)
{
    if (step->rule)
        return step->rule;
    if (step->op->class == &cnn_activation_op) /* one op of many kinds */
        return cnn_layer_get_class(step->op->layers[0]->kind)->torch_name;
    return step->op->class->name;
}

void cnn_plan_append_steps(cnn_text *text, const cnn_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++)
        append_step(text, plan, i, 0);
}

void cnn_plan_append_rest(cnn_text *text, const cnn_plan *plan)
{
    int cut = cnn_frozen_cut(plan->network, plan->options.frozen), first = 0;
    while (first < plan->step_count && plan->steps[first].op->layers[0]->index < cut)
        first++;
    for (int i = first; i < plan->step_count; i++)
        append_step(text, plan, i, first);
}

static size_t value_bytes(const cnn_plan *plan, int value)
{
    return (size_t)plan->options.batch * sizeof(float) *
           cnn_shape_count(cnn_network_value_shape(plan->network, value));
}

/* Does some step's backward read the value? */
static bool is_kept(const cnn_plan *plan, int value)
{
    for (int s = 0; s < plan->step_count; s++) {
        const cnn_step *step = &plan->steps[s];
        if (step->op->keeps_output && step->output == value)
            return true;
        for (int i = 0; step->op->keeps_input && i < step->input_count; i++)
            if (step->inputs[i] == value)
                return true;
    }
    return false;
}

/* What training needs at once at least: when the loss is there, each value that a backward step
 * reads, and what steps save. */
static size_t count_needs(const cnn_plan *plan)
{
    size_t needs = 0;
    for (int value = 0; value <= plan->network->layer_count; value++)
        needs += is_kept(plan, value) ? value_bytes(plan, value) : 0;
    for (int s = 0; s < plan->step_count; s++)
        needs += plan->steps[s].op->saved_bytes + plan->steps[s].op->mask_bytes;
    return needs;
}

static void append_memory(cnn_text *text, const cnn_plan *plan)
{
    char needs[32], peak[32];
    cnn_text_append(text,
                    "Activations: backward reads %s of them; with gradients at most %s live at "
                    "once.\n",
                    cnn_format_bytes(needs, count_needs(plan)), cnn_format_bytes(peak, plan->peak));
}

cnn_status cnn_plan_to_text(char **text, cnn_device *device, const cnn_network *network, int batch,
                            int micro_batch, bool fuse)
{
    CNN_NEED(text, device, network);
    cnn_train_options options;
    cnn_train_options_init(&options);
    options.batch = batch;
    options.micro_batch = micro_batch;
    options.fuse = fuse;
    return cnn_plan_to_text_of(text, device, network, &options);
}

/* The passes of a batch. */
static cnn_status divide(cnn_plan_options *plan, const cnn_network *network,
                         const cnn_train_options *options)
{
    cnn_status status = CNN_OK;
    if (options->batch < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--batch: expected 1 or more, found %d",
                        options->batch);
    CNN_TRY(cnn_plan_divide(&plan->batch, network, NULL, options->batch, options->micro_batch));
    CNN_TRY(cnn_slices_check(options->slices, options->batch, options->micro_batch));
    if (options->slices > 1) {
        plan->slices = options->slices;
        plan->batch = cnn_cut_most(&(cnn_cut){options->batch, options->slices});
    }
out:
    return status;
}

cnn_status cnn_plan_to_text_of(char **text, cnn_device *device, const cnn_network *network,
                               const cnn_train_options *options)
{
    CNN_NEED(text, device, network, options);
    if (cnn_device_check_process(device) != CNN_OK)
        return CNN_ERROR_DEVICE;
    *text = NULL;
    cnn_plan *plan = NULL;
    cnn_text buffer = {0};
    char total[32], pieces[48] = "";
    uint64_t before = device->allocated;
    cnn_plan_options made = {
        .training = true, .fuse = options->fuse, .slots = 1, .whole = options->batch};
    if (cnn_augments(&options->augment))
        made.trained = options;
    cnn_status status = divide(&made, network, options);
    if (status == CNN_OK)
        status = cnn_plan_create(&plan, device, network, made);
    if (status != CNN_OK)
        return status;
    if (made.slices > 0)
        snprintf(pieces, sizeof pieces, " in %d slices", made.slices);
    else if (made.batch < options->batch)
        snprintf(pieces, sizeof pieces, " in pieces of %d", made.batch);
    if (plan->augment.kernel.handle)
        cnn_text_append(&buffer, "Images are changed on their way in: %s %s\n",
                        plan->augment.kernel.name, plan->augment.kernel.options);
    cnn_plan_append_steps(&buffer, plan);
    append_memory(&buffer, plan);
    cnn_text_append(&buffer,
                    "Device memory for training at batch %d%s, without the data set: %s.\n",
                    options->batch, pieces, cnn_format_bytes(total, device->allocated - before));
    cnn_plan_destroy(plan);
    return cnn_text_take(text, &buffer);
}
