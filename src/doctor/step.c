/* One step of a plan on memory of its own, beside the same layers in plain C: forward, evaluation
 * and backward. Every step gets random input, so that an error is found where it is made. */
#include "doctor/step_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

/* The device memory of a step. */
enum {
    OUTPUT,
    OUTPUT_GRADIENT,
    SAVED,
    MASKS,
    INPUT_MASKS,
    SCRATCH,
    PREPARED,
    PARAMETERS,
    GRADIENTS,
    STATISTICS,
    BUFFER_COUNT
};

_Static_assert((int)BUFFER_COUNT == (int)CNN_STEP_BUFFERS, "a buffer more or less");

static const char *const buffer_names[BUFFER_COUNT] = {
    [OUTPUT] = "the output",
    [OUTPUT_GRADIENT] = "the output's gradient",
    [SAVED] = "what forward saves",
    [MASKS] = "the masks",
    [INPUT_MASKS] = "the input's masks",
    [SCRATCH] = "the scratch memory",
    [PREPARED] = "prepared parameters",
    [PARAMETERS] = "the parameters",
    [GRADIENTS] = "the gradients",
    [STATISTICS] = "the running statistics",
};

static const cnn_network *network_of(const cnn_step_case *at)
{
    return at->check->model->network;
}

static size_t statistics_of(const cnn_step_case *at)
{
    return network_of(at)->statistic_count;
}

void cnn_step_names(char name[CNN_DOCTOR_NAME], char layers[CNN_DOCTOR_NAME], const cnn_step *step)
{
    const cnn_layer *first = step->op->layers[0], *last = cnn_op_last_layer(step->op);
    bool several = first != last;
    snprintf(name, CNN_DOCTOR_NAME, "%s", cnn_step_name(step));
    snprintf(layers, CNN_DOCTOR_NAME, "%s%s%s", first->name, several ? ".." : "",
             several ? last->name : "");
}

static void name_step(cnn_step_case *at, const cnn_step *step)
{
    cnn_shape in = at->first->in, out = at->last->out;
    cnn_step_names(at->name, at->layers, step);
    snprintf(at->detail, sizeof at->detail,
             "input (%d, %d, %d, %d), output (%d, %d, %d, %d) as samples, channels, height, width",
             at->n, in.c, in.h, in.w, at->n, out.c, out.h, out.w);
}

size_t cnn_step_input_values(const cnn_step_case *at, int input)
{
    return (size_t)at->n * cnn_shape_count(at->inputs[input].shape);
}

static cnn_status allocate_values(cnn_step_case *at)
{
    const cnn_network *network = network_of(at);
    size_t most = at->out;
    cnn_status status = CNN_OK;
    for (int i = 0; i < at->input_count; i++) {
        size_t count = cnn_step_input_values(at, i);
        most = count > most ? count : most;
        CNN_TRY(cnn_allocate(&at->inputs[i].x, count, sizeof(float), "a step's input"));
    }
    if (network->parameter_count > most)
        most = network->parameter_count;
    if (network->statistic_count > most)
        most = network->statistic_count;
    CNN_TRY(cnn_allocate(&at->dy, at->out, sizeof(float), "a step's gradient"));
    CNN_TRY(cnn_allocate(&at->kept, (size_t)at->n * (size_t)at->first->in.c, sizeof(float),
                         "a step's masks"));
    CNN_TRY(cnn_allocate(&at->gradients, network->parameter_count, sizeof(float), "gradients"));
    CNN_TRY(cnn_allocate(&at->statistics, network->statistic_count, sizeof(float), "statistics"));
    CNN_TRY(cnn_allocate(&at->actual, most, sizeof(float), "a step's values"));
    CNN_TRY(cnn_allocate(&at->turned, most, sizeof(float), "a step's values"));
out:
    return status;
}

static cnn_status create_buffers(cnn_step_case *at)
{
    const cnn_op *op = at->op;
    const cnn_network *network = network_of(at);
    size_t kept = (size_t)op->batch * (size_t)at->first->in.c;
    const size_t sizes[BUFFER_COUNT] = {
        [OUTPUT] = cnn_op_output_count(op) * sizeof(float),
        [OUTPUT_GRADIENT] = cnn_op_output_count(op) * sizeof(float),
        [SAVED] = op->saved_bytes,
        [MASKS] = op->mask_bytes,
        [INPUT_MASKS] = kept * sizeof(float),
        [SCRATCH] = op->scratch_bytes,
        [PREPARED] = op->prepared_bytes,
        [PARAMETERS] = network->parameter_count * sizeof(float),
        [GRADIENTS] = network->parameter_count * sizeof(float),
        [STATISTICS] = network->statistic_count * sizeof(float),
    };
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < BUFFER_COUNT; i++)
        status = cnn_buffer_init(&at->buffers[i], at->check->device, sizes[i], buffer_names[i]);
    for (int i = 0; status == CNN_OK && i < at->input_count; i++) {
        cnn_step_input *input = &at->inputs[i];
        size_t bytes = (size_t)op->batch * cnn_shape_count(input->shape) * sizeof(float);
        status = cnn_buffer_init(&input->buffer, at->check->device, bytes, "an input");
        if (status == CNN_OK)
            status =
                cnn_buffer_init(&input->gradient, at->check->device, bytes, "an input's gradient");
    }
    return status;
}

static const cnn_buffer *output_buffer(const cnn_step_case *at)
{
    return at->in_place ? &at->inputs[0].buffer : &at->buffers[OUTPUT];
}

static const cnn_buffer *gradient_buffer(const cnn_step_case *at, int input)
{
    return at->inputs[input].gradient_in_place ? &at->buffers[OUTPUT_GRADIENT]
                                               : &at->inputs[input].gradient;
}

static void bind(cnn_step_case *at)
{
    const cnn_buffer *buffers = at->buffers;
    int count = at->input_count;
    for (int i = 0; i < count; i++) {
        at->mems[i] = at->inputs[i].buffer.mem;
        at->mems[count + i] = at->inputs[i].wanted ? gradient_buffer(at, i)->mem : NULL;
    }
    at->memory = (cnn_op_memory){
        .input = at->mems[0],
        .inputs = at->mems,
        .output = output_buffer(at)->mem,
        .input_gradient = at->mems[count],
        .input_gradients = at->mems + count,
        .output_gradient = buffers[OUTPUT_GRADIENT].mem,
        .saved = buffers[SAVED].mem,
        .masks = buffers[MASKS].mem,
        .input_masks = at->dropout_before ? buffers[INPUT_MASKS].mem : NULL,
        .scratch = buffers[SCRATCH].mem,
        .prepared = buffers[PREPARED].mem,
        .parameters = buffers[PARAMETERS].mem,
        .gradients = buffers[GRADIENTS].mem,
        .statistics = buffers[STATISTICS].mem,
    };
}

static cnn_status write_activation(cnn_step_case *at, const cnn_buffer *buffer, const float *values,
                                   cnn_shape shape)
{
    cnn_to_device_layout(at->turned, values, shape, at->n);
    return cnn_buffer_write(buffer, 0, at->turned,
                            (size_t)at->n * cnn_shape_count(shape) * sizeof(float));
}

static cnn_status read_activation(cnn_step_case *at, const cnn_buffer *buffer, cnn_shape shape)
{
    cnn_status status = cnn_buffer_read(at->turned, buffer, 0,
                                        (size_t)at->n * cnn_shape_count(shape) * sizeof(float));
    if (status == CNN_OK)
        cnn_to_host_layout(at->actual, at->turned, shape, at->n);
    return status;
}

static cnn_status fill_buffers(cnn_step_case *at)
{
    const cnn_network *network = network_of(at);
    size_t kept = (size_t)at->n * (size_t)at->first->in.c;
    cnn_status status = CNN_OK;
    for (int i = 0; i < BUFFER_COUNT; i++)
        CNN_TRY(cnn_buffer_wipe(&at->buffers[i]));
    for (int i = 0; i < at->input_count; i++) {
        const cnn_step_input *input = &at->inputs[i];
        CNN_TRY(cnn_buffer_wipe(&input->buffer));
        CNN_TRY(cnn_buffer_wipe(&input->gradient));
        CNN_TRY(write_activation(at, &input->buffer, input->x, input->shape));
    }
    CNN_TRY(cnn_buffer_write(&at->buffers[INPUT_MASKS], 0, at->kept, kept * sizeof(float)));
    CNN_TRY(cnn_buffer_write(&at->buffers[PARAMETERS], 0, at->check->model->parameters,
                             network->parameter_count * sizeof(float)));
    CNN_TRY(cnn_buffer_write(&at->buffers[STATISTICS], 0, at->statistics,
                             network->statistic_count * sizeof(float)));
out:
    return status;
}

/* Nothing may write to the parameters. */
static cnn_status compare_parameters(cnn_step_case *at)
{
    static const cnn_tolerance exact = {0.0, 0.0};
    size_t count = network_of(at)->parameter_count;
    cnn_status status =
        cnn_buffer_read(at->actual, &at->buffers[PARAMETERS], 0, count * sizeof(float));
    if (status == CNN_OK)
        cnn_row_compare(at->check, "the parameters, which are read only", at->actual,
                        at->check->model->parameters, count, exact);
    return status;
}

static cnn_status run_forward(cnn_step_case *at, const char *phase)
{
    cnn_check *check = at->check;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, phase, at->name, at->layers, at->op));
    for (int turn = cnn_row_turns(check); turn > 0; turn--) {
        CNN_TRY(fill_buffers(at));
        cnn_row_start(check);
        CNN_TRY(at->op->class->forward(at->op, &at->memory, &at->pass));
        CNN_TRY(cnn_row_stop(check));
    }
    CNN_TRY(read_activation(at, output_buffer(at), at->last->out));
    CNN_TRY(cnn_step_compare(at, "the output", at->actual,
                             cnn_ref_run_output(at->run, at->op->layer_count - 1),
                             &at->output_spread, 0, at->out, cnn_step_forward_tolerance(at)));
    CNN_TRY(cnn_buffer_read(at->actual, &at->buffers[STATISTICS], 0,
                            statistics_of(at) * sizeof(float)));
    CNN_TRY(cnn_step_compare(at, "the running statistics", at->actual, check->model->statistics,
                             &at->statistic_spread, 0, statistics_of(at),
                             cnn_step_forward_tolerance(at)));
    CNN_TRY(compare_parameters(at));
    status = cnn_row_close(check, at->detail);
out:
    return status;
}

/* What the operation did not ask to be kept is gone by the time of its backward pass, and nothing
 * of what it writes is there. */
static cnn_status forget(cnn_step_case *at)
{
    const cnn_op *op = at->op;
    bool input = op->keeps_input || (at->in_place && op->keeps_output);
    cnn_status status = CNN_OK;
    for (int i = 0; i < at->input_count; i++) {
        if (!input)
            CNN_TRY(cnn_buffer_wipe(&at->inputs[i].buffer));
        CNN_TRY(cnn_buffer_wipe(&at->inputs[i].gradient));
    }
    if (!op->keeps_output && !at->in_place)
        CNN_TRY(cnn_buffer_wipe(&at->buffers[OUTPUT]));
    CNN_TRY(cnn_buffer_wipe(&at->buffers[SCRATCH]));
    status = cnn_buffer_wipe(&at->buffers[GRADIENTS]);
out:
    return status;
}

/* Values whose sum is zero but for rounding: a convolution's bias before batch norm. */
static bool is_noise(const cnn_step_case *at, int layer, int param)
{
    const cnn_layer *const *layers = at->op->layers;
    return param == 1 && layers[layer]->kind == CNN_LAYER_CONV && layer + 1 < at->op->layer_count &&
           layers[layer + 1]->kind == CNN_LAYER_BATCHNORM;
}

static cnn_status compare_param(cnn_step_case *at, int layer, int index)
{
    static const double noise_per_term = 1e-6;
    const cnn_layer *owner = at->op->layers[layer];
    const cnn_param *param = &owner->params[index];
    char tensor[CNN_DOCTOR_NAME];
    cnn_tolerance tolerance = cnn_step_backward_tolerance(at);
    if (is_noise(at, layer, index))
        tolerance.floor =
            noise_per_term * at->n * (double)cnn_shape_count(owner->out) / owner->out.c;
    snprintf(tensor, sizeof tensor, "the gradient of %s.%s", owner->name, param->suffix);
    return cnn_step_compare(at, tensor, at->actual + param->offset, at->gradients + param->offset,
                            &at->gradient_spread, param->offset, param->count, tolerance);
}

/* The layers' own gradients, and that the others' are untouched: layers lie one after the other. */
static cnn_status compare_gradients(cnn_step_case *at)
{
    size_t count = network_of(at)->parameter_count, end = 0;
    cnn_status status =
        cnn_buffer_read(at->actual, &at->buffers[GRADIENTS], 0, count * sizeof(float));
    for (int l = 0; status == CNN_OK && l < at->op->layer_count; l++)
        for (int i = 0; status == CNN_OK && i < at->op->layers[l]->param_count; i++) {
            const cnn_param *param = &at->op->layers[l]->params[i];
            status = compare_param(at, l, i);
            cnn_row_untouched(at->check, "the gradients", at->actual + end, param->offset - end);
            end = param->offset + param->count;
        }
    if (status == CNN_OK)
        cnn_row_untouched(at->check, "the gradients", at->actual + end, count - end);
    return status;
}

/* What becomes of the gradient of a dropped channel is the dropout's before. */
static cnn_status compare_input_gradient(cnn_step_case *at, int index)
{
    const cnn_step_input *input = &at->inputs[index];
    const float *dx = cnn_ref_run_input_gradient(at->run, index);
    size_t plane = (size_t)input->shape.h * (size_t)input->shape.w;
    size_t count = cnn_step_input_values(at, index);
    cnn_status status = read_activation(at, gradient_buffer(at, index), input->shape);
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        bool dropped = index == 0 && at->kept[i / plane] == 0.0f;
        at->turned[i] = dropped ? 0.0f : dx[i];
        at->actual[i] = dropped && isfinite(at->actual[i]) ? 0.0f : at->actual[i];
    }
    return cnn_step_compare(at, "the gradient of the input", at->actual, at->turned,
                            &at->inputs[index].spread, 0, count, cnn_step_backward_tolerance(at));
}

static cnn_status run_backward(cnn_step_case *at)
{
    cnn_check *check = at->check;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, "backward", at->name, at->layers, at->op));
    for (int turn = cnn_row_turns(check); turn > 0; turn--) {
        CNN_TRY(forget(at));
        CNN_TRY(write_activation(at, &at->buffers[OUTPUT_GRADIENT], at->dy, at->last->out));
        cnn_row_start(check);
        CNN_TRY(at->op->class->backward(at->op, &at->memory, &at->pass));
        CNN_TRY(cnn_row_stop(check));
    }
    for (int i = 0; i < at->input_count; i++)
        if (at->inputs[i].wanted)
            CNN_TRY(compare_input_gradient(at, i));
    CNN_TRY(compare_gradients(at));
    CNN_TRY(compare_parameters(at));
    status = cnn_row_close(check, at->detail);
out:
    return status;
}

static cnn_status init_case(cnn_step_case *at, cnn_check *check, const cnn_plan *plan, int index,
                            int n)
{
    const cnn_step *step = &plan->steps[index];
    *at = (cnn_step_case){.check = check, .op = step->op, .n = n};
    at->first = step->op->layers[0];
    at->last = cnn_op_last_layer(step->op);
    at->in_place = step->output_life == step->input_lives[0];
    if (step->input_masks >= 0)
        at->dropout_before = &plan->network->layers[step->inputs[0] - 1];
    at->out = (size_t)at->n * cnn_shape_count(at->last->out);
    for (int i = 0; i < at->op->layer_count; i++) {
        const cnn_layer *layer = at->op->layers[i];
        at->forward_length = fmax(at->forward_length, cnn_layer_sum_length(layer, n));
        at->backward_length = fmax(at->backward_length, cnn_gradient_sum_length(layer, n));
    }
    at->pass = (cnn_pass){.n = at->n, .training = true, .seed = 9, .step = (UINT64_C(3) << 32) + 5};
    name_step(at, step);
    cnn_status status = CNN_OK;
    size_t count = (size_t)step->input_count;
    CNN_TRY(cnn_allocate(&at->inputs, count, sizeof *at->inputs, "a step's inputs"));
    CNN_TRY(cnn_allocate(&at->mems, 2 * count, sizeof(cl_mem), "a step's inputs"));
    at->input_count = step->input_count;
    for (int i = 0; i < at->input_count; i++) {
        cnn_step_input *input = &at->inputs[i];
        input->shape = cnn_network_value_shape(plan->network, step->inputs[i]);
        input->wanted = step->input_gradients[i] >= 0;
        input->gradient_in_place = step->input_gradients[i] == step->output_gradient;
    }
out:
    return status;
}

static void finish_case(cnn_step_case *at)
{
    for (int i = 0; i < BUFFER_COUNT; i++)
        cnn_buffer_finish(&at->buffers[i]);
    for (int i = 0; i < at->input_count; i++) {
        cnn_buffer_finish(&at->inputs[i].buffer);
        cnn_buffer_finish(&at->inputs[i].gradient);
        free(at->inputs[i].x);
        free(at->inputs[i].spread);
    }
    free(at->inputs);
    free(at->mems);
    cnn_ref_run_destroy(at->run);
    free(at->dy);
    free(at->kept);
    free(at->gradients);
    free(at->statistics);
    free(at->actual);
    free(at->turned);
    free(at->output_spread);
    free(at->gradient_spread);
    free(at->statistic_spread);
}

/* A batch that is not full, in evaluation mode. */
static cnn_status evaluate(cnn_step_case *at)
{
    cnn_status status = CNN_OK;
    int full = at->n;
    at->n = full > 1 ? full - 1 : full;
    at->pass.n = at->n;
    at->pass.training = false;
    at->out = at->out / (size_t)full * (size_t)at->n;
    CNN_TRY(cnn_step_run_reference(at));
    status = run_forward(at, "evaluate");
out:
    return status;
}

cnn_status cnn_check_step(cnn_check *check, const cnn_plan *plan, int index, int n)
{
    cnn_step_case at;
    cnn_status status = CNN_OK;
    size_t statistics = check->model->network->statistic_count * sizeof(float);
    CNN_TRY(init_case(&at, check, plan, index, n));
    CNN_TRY(allocate_values(&at));
    memcpy(at.statistics, check->model->statistics, statistics);
    CNN_TRY(create_buffers(&at));
    bind(&at);
    CNN_TRY(cnn_step_choose_masks(&at));
    CNN_TRY(cnn_step_run_reference(&at));
    CNN_TRY(run_forward(&at, "forward"));
    if (plan->steps[index].output_gradient >= 0)
        CNN_TRY(run_backward(&at));
    memcpy(check->model->statistics, at.statistics, statistics);
    CNN_TRY(evaluate(&at));
out:
    if (status != CNN_OK && !check->row) /* of none of its phases: it is the step's */
        (void)cnn_row_open(check, "", at.name, at.layers, at.op);
    status = cnn_row_absorb(check, status);
    if (at.statistics)
        memcpy(check->model->statistics, at.statistics, statistics);
    finish_case(&at);
    return status;
}
