/* One step of a plan on memory of its own, beside the same layers in plain C: forward, evaluation
 * and backward. Every step gets random input, so that an error is found where it is made.
 *
 * ReLU and max pool jump: where plain C is within rounding of a tie or of zero, the device may
 * rightly pass the gradient another way. The output's gradient is zero there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/check.h"

/* The device memory of a step. */
enum {
    INPUT,
    OUTPUT,
    INPUT_GRADIENT,
    OUTPUT_GRADIENT,
    SAVED,
    MASKS,
    INPUT_MASKS,
    SCRATCH,
    PARAMETERS,
    GRADIENTS,
    STATISTICS,
    BUFFER_COUNT
};

static const char *const buffer_names[BUFFER_COUNT] = {
    [INPUT] = "the input",
    [OUTPUT] = "the output",
    [INPUT_GRADIENT] = "the input's gradient",
    [OUTPUT_GRADIENT] = "the output's gradient",
    [SAVED] = "what forward saves",
    [MASKS] = "the masks",
    [INPUT_MASKS] = "the input's masks",
    [SCRATCH] = "the scratch memory",
    [PARAMETERS] = "the parameters",
    [GRADIENTS] = "the gradients",
    [STATISTICS] = "the running statistics",
};

typedef struct step_case {
    cnn_check *check;
    cnn_op *op;
    const cnn_layer *first, *last;
    const cnn_layer *dropout_before; /* whose masks the step looks at; NULL for none */
    bool in_place, gradient_in_place, wants_input_gradient;
    int n;
    cnn_pass pass;
    char name[CNN_DOCTOR_NAME], layers[CNN_DOCTOR_NAME], detail[160];
    size_t in, out;         /* values of n samples */
    float *x, *dy, *kept;   /* (n, in), (n, out), (n, input's channels) */
    float *gradients;       /* flat: plain C's */
    float *statistics;      /* flat: before, as the model's are changed */
    float *actual, *turned; /* room for what the device gives */
    cnn_ref_run *run;
    const float *dx; /* (n, in): plain C's */
    cnn_buffer buffers[BUFFER_COUNT];
} step_case;

static const cnn_network *network_of(const step_case *at)
{
    return at->check->model->network;
}

static void name_step(step_case *at, const cnn_plan *plan, int index)
{
    const cnn_step *step = &plan->steps[index];
    bool several = at->first != at->last;
    cnn_shape in = at->first->in, out = at->last->out;
    snprintf(at->name, sizeof at->name, "%s", step->rule ? step->rule : step->op->class->name);
    snprintf(at->layers, sizeof at->layers, "%s%s%s", at->first->name, several ? ".." : "",
             several ? at->last->name : "");
    snprintf(at->detail, sizeof at->detail,
             "input (%d, %d, %d, %d), output (%d, %d, %d, %d) as samples, channels, height, width",
             at->n, in.c, in.h, in.w, at->n, out.c, out.h, out.w);
}

static cnn_status allocate_values(step_case *at)
{
    const cnn_network *network = network_of(at);
    size_t most = at->in > at->out ? at->in : at->out;
    cnn_status status = CNN_OK;
    if (network->parameter_count > most)
        most = network->parameter_count;
    if (network->statistic_count > most)
        most = network->statistic_count;
    CNN_TRY(cnn_allocate(&at->x, at->in, sizeof(float), "a step's input"));
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

/* The scales of the dropout before: those of a plane of one pixel that is 1. */
static void draw_kept(step_case *at)
{
    size_t count = (size_t)at->n * (size_t)at->first->in.c;
    for (size_t i = 0; i < count; i++)
        at->kept[i] = 1.0f;
    if (!at->dropout_before)
        return;
    cnn_layer pixel = *at->dropout_before;
    pixel.in = pixel.out = (cnn_shape){pixel.in.c, 1, 1};
    cnn_ref_dropout(at->kept, at->kept, &pixel, at->n, at->pass.seed, at->pass.step);
}

static void drop_input(step_case *at)
{
    size_t plane = (size_t)at->first->in.h * (size_t)at->first->in.w;
    for (size_t i = 0; i < at->in; i++)
        at->x[i] *= at->kept[i / plane];
}

static double root_mean_square(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return count > 0 ? sqrt(sum / (double)count) : 0.0;
}

/* Marks the values of a ReLU that are within the margin of zero. */
static void doubt_relu(uint8_t *doubts, const float *x, size_t count, double margin)
{
    for (size_t i = 0; i < count; i++)
        doubts[i] = fabs(x[i]) < margin;
}

/* A pool's window is in doubt where its largest value has a rival, or is itself in doubt. */
static bool doubt_window(const uint8_t *doubts, const float *x, const size_t places[4],
                         double margin)
{
    float most = x[places[0]];
    for (int i = 1; i < 4; i++)
        most = x[places[i]] > most ? x[places[i]] : most;
    int near = 0;
    bool doubtful = false;
    for (int i = 0; i < 4; i++)
        if (most - x[places[i]] < margin) {
            near++;
            doubtful = doubtful || doubts[places[i]];
        }
    /* Values that a ReLU made zero are equal everywhere. */
    return doubtful || (near > 1 && most != 0.0f);
}

/* doubts (n, the layer's in) become those of its output, in place: a window's come after. */
static void doubt_pool(uint8_t *doubts, const float *x, const cnn_layer *layer, int n,
                       double margin)
{
    cnn_shape in = layer->in, out = layer->out;
    size_t at = 0;
    for (int plane = 0; plane < n * in.c; plane++)
        for (int h = 0; h < out.h; h++)
            for (int w = 0; w < out.w; w++, at++) {
                size_t corner =
                    ((size_t)plane * (size_t)in.h + 2 * (size_t)h) * (size_t)in.w + 2 * (size_t)w;
                const size_t places[4] = {corner, corner + 1, corner + (size_t)in.w,
                                          corner + (size_t)in.w + 1};
                doubts[at] = doubt_window(doubts, x, places, margin);
            }
}

/* Clears dy where rounding may decide which way a gradient goes. Without arithmetic before it in
 * the step, ReLU and max pool decide alike everywhere. */
static cnn_status settle_doubts(step_case *at)
{
    static const double share = 1e-4; /* of the values' size: far above rounding */
    uint8_t *doubts = NULL;
    bool rounded = false;
    size_t most = at->in;
    for (int l = 0; l < at->op->layer_count; l++) {
        size_t count = (size_t)at->n * cnn_shape_count(at->op->layers[l]->out);
        most = count > most ? count : most;
    }
    cnn_status status = cnn_allocate(&doubts, most, 1, "doubts");
    for (int l = 0; status == CNN_OK && l < at->op->layer_count; l++) {
        const cnn_layer *layer = at->op->layers[l];
        const float *x = l > 0 ? cnn_ref_run_output(at->run, l - 1) : at->x;
        size_t count = (size_t)at->n * cnn_shape_count(layer->in);
        double margin = rounded ? share * root_mean_square(x, count) : 0.0;
        rounded = rounded || layer->param_count > 0;
        if (layer->kind == CNN_LAYER_RELU)
            doubt_relu(doubts, x, count, margin);
        else if (layer->kind == CNN_LAYER_MAXPOOL)
            doubt_pool(doubts, x, layer, at->n, margin);
        else if (layer->param_count > 0)
            memset(doubts, 0, most);
    }
    for (size_t i = 0; status == CNN_OK && i < at->out; i++)
        if (doubts[i])
            at->dy[i] = 0.0f;
    free(doubts);
    return status;
}

static size_t statistics_of(const step_case *at)
{
    return network_of(at)->statistic_count;
}

/* Random values: ties and zeros too, where no rounding can decide them. */
static void draw_input(step_case *at)
{
    static const double steps = 8.0;
    cnn_layer_kind kind = at->first->kind;
    cnn_fill_uniform(at->x, at->in, -1.5, 1.5, at->check->draw++);
    if (kind == CNN_LAYER_RELU || kind == CNN_LAYER_MAXPOOL)
        for (size_t i = 0; i < at->in; i++)
            at->x[i] = (float)(round(steps * at->x[i]) / steps);
    draw_kept(at);
    if (at->pass.training)
        drop_input(at);
}

/* Plain C's part of a pass: the output is in at->run, gradients, dx and the model's statistics are
 * those after it. */
static cnn_status run_reference(step_case *at)
{
    const cnn_network *network = network_of(at);
    cnn_ref_pass pass = {at->pass.training, at->pass.seed, at->pass.step};
    cnn_status status = CNN_OK;
    cnn_ref_run_destroy(at->run);
    at->run = NULL;
    CNN_TRY(cnn_ref_run_create(&at->run, at->check->model, at->first->index, at->op->layer_count,
                               at->n, pass));
    draw_input(at);
    cnn_ref_run_forward(at->run, at->x);
    if (!at->pass.training)
        return CNN_OK;
    cnn_fill_uniform(at->dy, at->out, -1.0, 1.0, at->check->draw++);
    CNN_TRY(settle_doubts(at));
    memset(at->gradients, 0, network->parameter_count * sizeof(float));
    at->dx = cnn_ref_run_backward(at->run, at->dy, at->gradients);
out:
    return status;
}

static cnn_status create_buffers(step_case *at)
{
    const cnn_op *op = at->op;
    const cnn_network *network = network_of(at);
    size_t kept = (size_t)op->batch * (size_t)at->first->in.c;
    const size_t sizes[BUFFER_COUNT] = {
        [INPUT] = cnn_op_input_count(op) * sizeof(float),
        [OUTPUT] = cnn_op_output_count(op) * sizeof(float),
        [INPUT_GRADIENT] = cnn_op_input_count(op) * sizeof(float),
        [OUTPUT_GRADIENT] = cnn_op_output_count(op) * sizeof(float),
        [SAVED] = op->saved_bytes,
        [MASKS] = op->mask_bytes,
        [INPUT_MASKS] = kept * sizeof(float),
        [SCRATCH] = op->scratch_bytes,
        [PARAMETERS] = network->parameter_count * sizeof(float),
        [GRADIENTS] = network->parameter_count * sizeof(float),
        [STATISTICS] = network->statistic_count * sizeof(float),
    };
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < BUFFER_COUNT; i++)
        status = cnn_buffer_init(&at->buffers[i], at->check->device, sizes[i], buffer_names[i]);
    return status;
}

static void bind(step_case *at)
{
    const cnn_buffer *buffers = at->buffers;
    cl_mem output = buffers[at->in_place ? INPUT : OUTPUT].mem;
    cl_mem gradient = buffers[at->gradient_in_place ? OUTPUT_GRADIENT : INPUT_GRADIENT].mem;
    at->op->memory = (cnn_op_memory){
        .input = buffers[INPUT].mem,
        .output = output,
        .input_gradient = at->wants_input_gradient ? gradient : NULL,
        .output_gradient = buffers[OUTPUT_GRADIENT].mem,
        .saved = buffers[SAVED].mem,
        .masks = buffers[MASKS].mem,
        .input_masks = at->dropout_before ? buffers[INPUT_MASKS].mem : NULL,
        .scratch = buffers[SCRATCH].mem,
        .parameters = buffers[PARAMETERS].mem,
        .gradients = buffers[GRADIENTS].mem,
        .statistics = buffers[STATISTICS].mem,
    };
}

static cnn_status write_activation(step_case *at, int buffer, const float *values, cnn_shape shape)
{
    cnn_to_device_layout(at->turned, values, shape, at->n);
    return cnn_buffer_write(&at->buffers[buffer], 0, at->turned,
                            (size_t)at->n * cnn_shape_count(shape) * sizeof(float));
}

static cnn_status read_activation(step_case *at, int buffer, cnn_shape shape)
{
    cnn_status status = cnn_buffer_read(at->turned, &at->buffers[buffer], 0,
                                        (size_t)at->n * cnn_shape_count(shape) * sizeof(float));
    if (status == CNN_OK)
        cnn_to_host_layout(at->actual, at->turned, shape, at->n);
    return status;
}

static cnn_status fill_buffers(step_case *at)
{
    const cnn_network *network = network_of(at);
    size_t kept = (size_t)at->n * (size_t)at->first->in.c;
    cnn_status status = CNN_OK;
    for (int i = 0; i < BUFFER_COUNT; i++)
        CNN_TRY(cnn_buffer_wipe(&at->buffers[i]));
    CNN_TRY(write_activation(at, INPUT, at->x, at->first->in));
    CNN_TRY(cnn_buffer_write(&at->buffers[INPUT_MASKS], 0, at->kept, kept * sizeof(float)));
    CNN_TRY(cnn_buffer_write(&at->buffers[PARAMETERS], 0, at->check->model->parameters,
                             network->parameter_count * sizeof(float)));
    CNN_TRY(cnn_buffer_write(&at->buffers[STATISTICS], 0, at->statistics,
                             network->statistic_count * sizeof(float)));
out:
    return status;
}

/* Nothing may write to the parameters. */
static cnn_status compare_parameters(step_case *at)
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

static cnn_status run_forward(step_case *at, const char *phase)
{
    cnn_check *check = at->check;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, phase, at->name, at->layers, at->op));
    CNN_TRY(fill_buffers(at));
    cnn_row_start(check);
    CNN_TRY(at->op->class->forward(at->op, &at->pass));
    CNN_TRY(cnn_row_stop(check));
    CNN_TRY(read_activation(at, at->in_place ? INPUT : OUTPUT, at->last->out));
    cnn_row_compare(check, "the output", at->actual,
                    cnn_ref_run_output(at->run, at->op->layer_count - 1), at->out,
                    cnn_forward_tolerance);
    CNN_TRY(cnn_buffer_read(at->actual, &at->buffers[STATISTICS], 0,
                            statistics_of(at) * sizeof(float)));
    cnn_row_compare(check, "the running statistics", at->actual, check->model->statistics,
                    statistics_of(at), cnn_forward_tolerance);
    CNN_TRY(compare_parameters(at));
    status = cnn_row_close(check, at->detail);
out:
    return status;
}

/* What the operation did not ask to be kept is gone by the time of its backward pass. */
static cnn_status forget(step_case *at)
{
    const cnn_op *op = at->op;
    bool input = op->keeps_input || (at->in_place && op->keeps_output);
    cnn_status status = CNN_OK;
    if (!input)
        CNN_TRY(cnn_buffer_wipe(&at->buffers[INPUT]));
    if (!op->keeps_output && !at->in_place)
        CNN_TRY(cnn_buffer_wipe(&at->buffers[OUTPUT]));
    status = cnn_buffer_wipe(&at->buffers[SCRATCH]);
out:
    return status;
}

/* Values whose sum is zero but for rounding: a convolution's bias before batch norm. */
static bool is_noise(const step_case *at, int layer, int param)
{
    const cnn_layer *const *layers = at->op->layers;
    return param == 1 && layers[layer]->kind == CNN_LAYER_CONV && layer + 1 < at->op->layer_count &&
           layers[layer + 1]->kind == CNN_LAYER_BATCHNORM;
}

static void compare_param(step_case *at, int layer, int index)
{
    static const double noise_per_term = 1e-6;
    const cnn_layer *owner = at->op->layers[layer];
    const cnn_param *param = &owner->params[index];
    char tensor[CNN_DOCTOR_NAME];
    cnn_tolerance tolerance = cnn_backward_tolerance;
    if (is_noise(at, layer, index))
        tolerance.floor =
            noise_per_term * at->n * (double)cnn_shape_count(owner->out) / owner->out.c;
    snprintf(tensor, sizeof tensor, "the gradient of %s.%s", owner->name, param->suffix);
    cnn_row_compare(at->check, tensor, at->actual + param->offset, at->gradients + param->offset,
                    param->count, tolerance);
}

/* The layers' own gradients, and that the others' are untouched: layers lie one after the other. */
static cnn_status compare_gradients(step_case *at)
{
    size_t count = network_of(at)->parameter_count, end = 0;
    cnn_status status =
        cnn_buffer_read(at->actual, &at->buffers[GRADIENTS], 0, count * sizeof(float));
    if (status != CNN_OK)
        return status;
    for (int l = 0; l < at->op->layer_count; l++)
        for (int i = 0; i < at->op->layers[l]->param_count; i++) {
            const cnn_param *param = &at->op->layers[l]->params[i];
            compare_param(at, l, i);
            cnn_row_untouched(at->check, "the gradients", at->actual + end, param->offset - end);
            end = param->offset + param->count;
        }
    cnn_row_untouched(at->check, "the gradients", at->actual + end, count - end);
    return CNN_OK;
}

/* What becomes of the gradient of a dropped channel is the dropout's before. */
static cnn_status compare_input_gradient(step_case *at)
{
    size_t plane = (size_t)at->first->in.h * (size_t)at->first->in.w;
    cnn_status status = read_activation(
        at, at->gradient_in_place ? OUTPUT_GRADIENT : INPUT_GRADIENT, at->first->in);
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; i < at->in; i++) {
        bool dropped = at->kept[i / plane] == 0.0f;
        at->turned[i] = dropped ? 0.0f : at->dx[i];
        at->actual[i] = dropped && isfinite(at->actual[i]) ? 0.0f : at->actual[i];
    }
    cnn_row_compare(at->check, "the gradient of the input", at->actual, at->turned, at->in,
                    cnn_backward_tolerance);
    return CNN_OK;
}

static cnn_status run_backward(step_case *at)
{
    cnn_check *check = at->check;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, "backward", at->name, at->layers, at->op));
    CNN_TRY(forget(at));
    CNN_TRY(write_activation(at, OUTPUT_GRADIENT, at->dy, at->last->out));
    cnn_row_start(check);
    CNN_TRY(at->op->class->backward(at->op, &at->pass));
    CNN_TRY(cnn_row_stop(check));
    if (at->wants_input_gradient)
        CNN_TRY(compare_input_gradient(at));
    CNN_TRY(compare_gradients(at));
    CNN_TRY(compare_parameters(at));
    status = cnn_row_close(check, at->detail);
out:
    return status;
}

static void init_case(step_case *at, cnn_check *check, const cnn_plan *plan, int index)
{
    const cnn_step *step = &plan->steps[index];
    *at = (step_case){.check = check, .op = step->op, .n = plan->options.batch};
    at->first = step->op->layers[0];
    at->last = cnn_op_last_layer(step->op);
    at->in_place = step->output == step->input;
    at->gradient_in_place = step->input_gradient == step->output_gradient;
    at->wants_input_gradient = step->input_gradient >= 0;
    if (step->input_masks >= 0)
        at->dropout_before = cnn_op_last_layer(plan->steps[index - 1].op);
    at->in = (size_t)at->n * cnn_shape_count(at->first->in);
    at->out = (size_t)at->n * cnn_shape_count(at->last->out);
    at->pass = (cnn_pass){at->n, true, 9, (UINT64_C(3) << 32) + 5};
    name_step(at, plan, index);
}

static void finish_case(step_case *at)
{
    for (int i = 0; i < BUFFER_COUNT; i++)
        cnn_buffer_finish(&at->buffers[i]);
    cnn_ref_run_destroy(at->run);
    free(at->x);
    free(at->dy);
    free(at->kept);
    free(at->gradients);
    free(at->statistics);
    free(at->actual);
    free(at->turned);
}

/* A batch that is not full, in evaluation mode. */
static cnn_status evaluate(step_case *at)
{
    cnn_status status = CNN_OK;
    int full = at->n;
    at->n = full > 1 ? full - 1 : full;
    at->pass.n = at->n;
    at->pass.training = false;
    at->in = at->in / (size_t)full * (size_t)at->n;
    at->out = at->out / (size_t)full * (size_t)at->n;
    CNN_TRY(run_reference(at));
    status = run_forward(at, "evaluate");
out:
    return status;
}

cnn_status cnn_check_step(cnn_check *check, const cnn_plan *plan, int index)
{
    step_case at;
    cnn_status status = CNN_OK;
    size_t statistics = check->model->network->statistic_count * sizeof(float);
    cnn_op_memory planned = plan->steps[index].op->memory;
    init_case(&at, check, plan, index);
    CNN_TRY(allocate_values(&at));
    memcpy(at.statistics, check->model->statistics, statistics);
    CNN_TRY(create_buffers(&at));
    bind(&at);
    CNN_TRY(run_reference(&at));
    CNN_TRY(run_forward(&at, "forward"));
    if (plan->steps[index].output_gradient >= 0)
        CNN_TRY(run_backward(&at));
    memcpy(check->model->statistics, at.statistics, statistics);
    if (check->options)
        CNN_TRY(evaluate(&at));
out:
    if (at.statistics)
        memcpy(check->model->statistics, at.statistics, statistics);
    at.op->memory = planned;
    finish_case(&at);
    return status;
}
