#include "op_case.h"

#include <stdio.h>
#include <string.h>

#include "ref/ref.h"

/* Floats before, between and behind a layer's tensors in the flat buffers. */
enum { GAP = 5 };

/* A sum over a batch's pixels may cancel out: what is left then has the noise of its terms. */
static const double noise_per_term = 2e-8;

size_t op_case_in(const op_case *at)
{
    return (size_t)at->n * cnn_shape_count(at->layer.in);
}

size_t op_case_out(const op_case *at)
{
    return (size_t)at->n * cnn_shape_count(at->layer.out);
}

static size_t flat_count(const cnn_layer *layer)
{
    size_t count = GAP;
    for (int i = 0; i < layer->param_count; i++)
        count += layer->params[i].count + GAP;
    return count;
}

static size_t statistics_count(const cnn_layer *layer)
{
    return 2 * GAP + (size_t)layer->statistic_count;
}

static void place_params(cnn_layer *layer)
{
    size_t offset = GAP;
    for (int i = 0; i < layer->param_count; i++) {
        layer->params[i].offset = offset;
        offset += layer->params[i].count + GAP;
    }
    layer->statistic_offset = GAP;
}

op_case make_op_case(random_source *random, const cnn_layer *layer, int n, int batch)
{
    op_case made = {.layer = *layer, .n = n, .batch = batch};
    made.training = made.wants_input_gradient = true;
    made.seed = 5;
    made.step = 1;
    made.tolerance = (op_tolerance){1e-6, 2e-6, 1e-6};
    place_params(&made.layer);
    snprintf(made.name, sizeof made.name, "%s, k%d, %dx%dx%d to %d, %d of %d", layer->name,
             layer->kind == CNN_LAYER_CONV ? cnn_conv_ksize(layer) : 0, layer->in.c, layer->in.h,
             layer->in.w, layer->out.c, n, batch);
    made.x = random_normals(random, op_case_in(&made), 1.0);
    made.dy = random_normals(random, op_case_out(&made), 1.0);
    for (int i = 0; i < layer->param_count; i++)
        made.params[i] = random_normals(random, layer->params[i].count, 1.0);
    made.running = random_uniforms(random, (size_t)layer->statistic_count, 0.5, 1.5);
    return made;
}

static void expect_conv(op_case *at)
{
    cnn_ref_conv_forward(at->y, at->x, at->params[0], at->params[1], &at->layer, at->n);
    cnn_ref_conv_backward(at->dx, at->gradients[0], at->gradients[1], at->dy, at->x, at->params[0],
                          &at->layer, at->n);
}

static void expect_batchnorm(op_case *at)
{
    if (!at->training) {
        cnn_ref_batchnorm_eval(at->y, at->x, at->params[0], at->params[1], at->running, &at->layer,
                               at->n);
        return;
    }
    cnn_ref_batchnorm_train(at->y, at->mean, at->inverse_std, at->running_after, at->x,
                            at->params[0], at->params[1], &at->layer, at->n);
    cnn_ref_batchnorm_backward(at->dx, at->gradients[0], at->gradients[1], at->dy, at->x,
                               at->params[0], at->mean, at->inverse_std, &at->layer, at->n);
}

static void expect_relu(op_case *at)
{
    cnn_ref_activation_forward(at->y, at->x, &at->layer, at->n);
    cnn_ref_activation_backward(at->dx, at->dy, at->x, &at->layer, at->n);
}

static void expect_maxpool(op_case *at)
{
    cnn_ref_maxpool_forward(at->y, at->which, at->x, &at->layer, at->n);
    cnn_ref_maxpool_backward(at->dx, at->dy, at->which, &at->layer, at->n);
}

static void expect_identity(op_case *at)
{
    memcpy(at->y, at->x, op_case_in(at) * sizeof(float));
    memcpy(at->dx, at->dy, op_case_in(at) * sizeof(float));
}

static void expect_dropout(op_case *at)
{
    if (!at->training) {
        expect_identity(at);
        return;
    }
    cnn_ref_dropout(at->y, at->x, &at->layer, at->n, at->seed, at->step);
    cnn_ref_dropout(at->dx, at->dy, &at->layer, at->n, at->seed, at->step);
}

static void expect_linear(op_case *at)
{
    cnn_ref_linear_forward(at->y, at->x, at->params[0], at->params[1], &at->layer, at->n);
    cnn_ref_linear_backward(at->dx, at->gradients[0], at->gradients[1], at->dy, at->x,
                            at->params[0], &at->layer, at->n);
}

static void (*const references[CNN_LAYER_KIND_COUNT])(op_case *at) = {
    [CNN_LAYER_CONV] = expect_conv,         [CNN_LAYER_BATCHNORM] = expect_batchnorm,
    [CNN_LAYER_RELU] = expect_relu,         [CNN_LAYER_MAXPOOL] = expect_maxpool,
    [CNN_LAYER_DROPOUT2D] = expect_dropout, [CNN_LAYER_FLATTEN] = expect_identity,
    [CNN_LAYER_LINEAR] = expect_linear,
};

void op_case_expect(op_case *at)
{
    const cnn_layer *layer = &at->layer;
    size_t channels = (size_t)layer->in.c;
    at->y = scratch_floats(op_case_out(at));
    at->dx = scratch_floats(op_case_in(at));
    for (int i = 0; i < layer->param_count; i++)
        at->gradients[i] = scratch_floats(layer->params[i].count);
    at->running_after = scratch_copy(at->running, (size_t)layer->statistic_count);
    at->mean = scratch_floats(channels);
    at->inverse_std = scratch_floats(channels);
    at->which = scratch_ints(op_case_out(at));
    references[layer->kind](at);
}

/* n samples in the device's layout at the start of memory for a whole batch. */
static cl_mem upload(const float *values, cnn_shape shape, const op_case *at)
{
    size_t count = cnn_shape_count(shape);
    float *batch = scratch_floats((size_t)at->batch * count);
    memcpy(batch, to_device_layout(values, shape, at->n), (size_t)at->n * count * sizeof(float));
    return device_floats(batch, (size_t)at->batch * count);
}

/* What flatten gives is in PyTorch's order already: its shape (F, 1, 1) says so. */
static float *download(cl_mem mem, cnn_shape shape, const op_case *at)
{
    return to_host_layout(read_floats(mem, (size_t)at->n * cnn_shape_count(shape)), shape, at->n);
}

static float *flat_params(const op_case *at)
{
    float *flat = scratch_floats(flat_count(&at->layer));
    for (int i = 0; i < at->layer.param_count; i++)
        memcpy(flat + at->layer.params[i].offset, at->params[i],
               at->layer.params[i].count * sizeof(float));
    return flat;
}

static void bind(op_case *at)
{
    const cnn_layer *layer = &at->layer;
    cnn_op_memory *memory = &at->memory;
    float *statistics = scratch_floats(statistics_count(layer));
    memcpy(statistics + layer->statistic_offset, at->running,
           (size_t)layer->statistic_count * sizeof(float));
    memory->input = upload(at->x, layer->in, at);
    memory->output =
        at->in_place ? memory->input : device_floats(NULL, cnn_op_output_count(at->op));
    memory->saved = device_bytes(NULL, at->op->saved_bytes);
    memory->masks = device_bytes(NULL, at->op->mask_bytes);
    memory->scratch = device_bytes(NULL, at->op->scratch_bytes);
    memory->prepared = memory->scratch;
    memory->parameters = device_floats(flat_params(at), flat_count(layer));
    memory->gradients = device_floats(NULL, flat_count(layer));
    memory->statistics = device_floats(statistics, statistics_count(layer));
}

static void check_statistics(const op_case *at)
{
    size_t count = (size_t)at->layer.statistic_count;
    float *found = read_floats(at->memory.statistics, statistics_count(&at->layer));
    check_close(at->name, "running", found + GAP, at->running_after, count, at->tolerance.forward,
                at->tolerance.floor);
    check_untouched(at->name, "running", found, GAP);
    check_untouched(at->name, "running", found + GAP + count, GAP);
}

static void run_forward(op_case *at, const cnn_pass *pass)
{
    check_ok(at->op->class->forward(at->op, &at->memory, pass));
    check_close(at->name, "y", download(at->memory.output, at->layer.out, at), at->y,
                op_case_out(at), at->tolerance.forward, at->tolerance.floor);
    check_statistics(at);
    check_guards(at->name);
}

/* What the operation did not ask to be kept is gone by the time of its backward pass. */
static void forget(op_case *at)
{
    bool one = at->memory.input == at->memory.output;
    if (!at->op->keeps_input && !(one && at->op->keeps_output))
        device_wipe(at->memory.input);
    if (!at->op->keeps_output && !one)
        device_wipe(at->memory.output);
    device_wipe(at->memory.scratch);
}

static void check_param_gradients(const op_case *at)
{
    const cnn_layer *layer = &at->layer;
    size_t end = 0, summed = op_case_out(at) / (size_t)layer->out.c;
    double floor = at->tolerance.floor + noise_per_term * (double)summed;
    float *found = read_floats(at->memory.gradients, flat_count(layer));
    for (int i = 0; i < layer->param_count; i++) {
        const cnn_param *param = &layer->params[i];
        check_close(at->name, param->suffix, found + param->offset, at->gradients[i], param->count,
                    at->tolerance.backward, floor);
        check_untouched(at->name, "gradients", found + end, param->offset - end);
        end = param->offset + param->count;
    }
    check_untouched(at->name, "gradients", found + end, flat_count(layer) - end);
}

static void run_backward(op_case *at, const cnn_pass *pass)
{
    cnn_op_memory *memory = &at->memory;
    forget(at);
    memory->output_gradient = upload(at->dy, at->layer.out, at);
    if (at->wants_input_gradient)
        memory->input_gradient = at->in_place ? memory->output_gradient
                                              : device_floats(NULL, cnn_op_input_count(at->op));
    check_ok(at->op->class->backward(at->op, &at->memory, pass));
    if (memory->input_gradient)
        check_close(at->name, "dx", download(memory->input_gradient, at->layer.in, at), at->dx,
                    op_case_in(at), at->tolerance.backward, at->tolerance.floor);
    check_param_gradients(at);
    check_guards(at->name);
}

void check_op_case(op_case *at)
{
    const cnn_pass pass = {
        .n = at->n, .training = at->training, .seed = at->seed, .step = at->step};
    const cnn_chain chain = {
        .layer_count = 1, .layers = {&at->layer}, .wants_gradient = at->wants_input_gradient};
    const cnn_op_class *class = at->class ? at->class : cnn_op_of_layer(&at->layer);
    check_ok(cnn_op_create(&at->op, class, test_device(), &chain, at->batch));
    at->in_place = at->in_place && at->op->in_place;
    bind(at);
    run_forward(at, &pass);
    if (at->training)
        run_backward(at, &pass);
    cnn_op_destroy(at->op);
    at->op = NULL;
}
