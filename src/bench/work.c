/* How much work a row is, by the shapes alone. */
#include "bench/bench.h"

static size_t floats(size_t count)
{
    return count * sizeof(float);
}

static size_t parameter_bytes(const cnn_op *op)
{
    size_t count = 0;
    for (int i = 0; i < op->layer_count; i++)
        for (int p = 0; p < op->layers[i]->param_count; p++)
            count += op->layers[i]->params[p].count;
    return floats(count);
}

static size_t saved_bytes(const cnn_op *op)
{
    return op->saved_bytes + op->mask_bytes;
}

/* The share of channels that the dropout before a step keeps. */
static double input_kept(const cnn_plan *plan, int step)
{
    const cnn_step *at = &plan->steps[step];
    if (!plan->options.training || at->input_masks < 0)
        return 1.0;
    /* The value's maker is the dropout. */
    return 1.0 - plan->network->layers[at->inputs[0] - 1].options.dropout.p;
}

static void set_flops(cnn_bench_row *row, const cnn_plan *plan, int step, bool backward,
                      double dense)
{
    const cnn_op *op = plan->steps[step].op;
    double n = plan->options.batch;
    cnn_op_work work = {plan->options.training, backward, input_kept(plan, step)};
    row->flops = n * dense;
    row->computed_flops =
        op->class->computed_flops ? n * op->class->computed_flops(op, &work) : row->flops;
}

static double forward_flops(const cnn_layer *layer)
{
    return cnn_layer_get_class(layer->kind)->forward_flops(layer);
}

static void count_gather(cnn_bench_row *row, const cnn_plan *plan, int step)
{
    size_t n = (size_t)plan->options.batch;
    size_t values = n * cnn_shape_count(cnn_network_input_shape(plan->network));
    (void)step;
    size_t labels = 2 * n * sizeof(cl_ushort),
           order = n * sizeof(cl_uint); /* labels are read and written */
    row->bytes = (double)(values + floats(values) + labels + order);
}

static void count_forward(cnn_bench_row *row, const cnn_plan *plan, int step)
{
    const cnn_op *op = plan->steps[step].op;
    double dense = 0.0;
    for (int i = 0; i < op->layer_count; i++)
        dense += forward_flops(op->layers[i]);
    set_flops(row, plan, step, false, dense);
    size_t bytes = floats(cnn_op_input_count(op) + cnn_op_output_count(op)) + parameter_bytes(op);
    row->bytes = (double)(bytes + (plan->options.training ? saved_bytes(op) : 0));
}

static void count_loss(cnn_bench_row *row, const cnn_plan *plan, int step)
{
    size_t n = (size_t)plan->options.batch, classes = (size_t)plan->network->classes;
    (void)step;
    row->bytes = (double)(floats(2 * n * classes) +
                          n * sizeof(cl_ushort)); /* logits, their gradient, labels */
}

/* Once for a layer's parameters, once for the gradient of its input. Within a step, layers behind
 * the first one with parameters pass a gradient on, whoever wants the step's own. */
static double backward_flops(const cnn_op *op)
{
    bool wanted = op->wants_gradient;
    double flops = 0.0;
    for (int i = 0; i < op->layer_count; i++) {
        const cnn_layer *layer = op->layers[i];
        flops += forward_flops(layer) * ((layer->param_count > 0) + wanted);
        wanted = wanted || layer->param_count > 0;
    }
    return flops;
}

static void count_backward(cnn_bench_row *row, const cnn_plan *plan, int step)
{
    const cnn_op *op = plan->steps[step].op;
    size_t input = cnn_op_input_count(op), output = cnn_op_output_count(op);
    size_t values = output; /* the output's gradient */
    if (op->keeps_input)
        values += input;
    if (op->keeps_output)
        values += output;
    if (op->wants_gradient)
        values += input;
    set_flops(row, plan, step, true, backward_flops(op));
    /* Parameters are read, their gradients written. */
    row->bytes = (double)(floats(values) + saved_bytes(op) + 2 * parameter_bytes(op));
}

static void count_update(cnn_bench_row *row, const cnn_plan *plan, int step)
{
    enum { PASSES = 7 }; /* parameters and two moments read and written, gradients read */
    (void)step;
    row->bytes = (double)floats(PASSES * plan->network->parameter_count);
}

void cnn_bench_count(cnn_bench_entry *entry, const cnn_plan *plan)
{
    static void (*const counts[CNN_BENCH_PHASE_COUNT])(cnn_bench_row *, const cnn_plan *, int) = {
        [CNN_BENCH_GATHER] = count_gather, [CNN_BENCH_FORWARD] = count_forward,
        [CNN_BENCH_LOSS] = count_loss,     [CNN_BENCH_BACKWARD] = count_backward,
        [CNN_BENCH_UPDATE] = count_update,
    };
    counts[entry->phase](&entry->row, plan, entry->step);
}
