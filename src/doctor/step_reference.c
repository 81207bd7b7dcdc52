/* Plain C's part in the check of a step.
 *
 * ReLU and max pool jump: where plain C is within rounding of a tie or of zero, the device may
 * rightly pass the gradient another way. The output's gradient is zero there. */
#include "doctor/step_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rounding.h"
#include "base/status.h"

/* The scales of the dropout before: those of a plane of one pixel that is 1. */
static void draw_kept(cnn_step_case *at)
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

static void drop_input(cnn_step_case *at)
{
    size_t plane = (size_t)at->first->in.h * (size_t)at->first->in.w;
    size_t count = (size_t)at->n * cnn_shape_count(at->first->in);
    for (size_t i = 0; i < count; i++)
        at->inputs[0].x[i] *= at->kept[i / plane];
}

/* Marks the values of a ReLU that are within the margin of zero. */
static void doubt_relu(uint8_t *doubts, const float *x, size_t count, double margin)
{
    for (size_t i = 0; i < count; i++)
        doubts[i] = fabs(x[i]) < margin;
}

/* A pool's window is in doubt where its largest value has a rival, or is itself in doubt. places:
 * its values, count of them. */
static bool doubt_window(const uint8_t *doubts, const float *x, const size_t *places, int count,
                         double margin)
{
    float most = x[places[0]];
    for (int i = 1; i < count; i++)
        most = x[places[i]] > most ? x[places[i]] : most;
    int near = 0;
    bool doubtful = false;
    for (int i = 0; i < count; i++)
        if (most - x[places[i]] < margin) {
            near++;
            doubtful = doubtful || doubts[places[i]];
        }
    /* Values that a ReLU made zero are equal everywhere. */
    return doubtful || (near > 1 && most != 0.0f);
}

/* The places in a plane of the window at row h, column w; their number. */
static int find_places(size_t *places, const cnn_layer *layer, size_t plane, int h, int w)
{
    const cnn_pool_options *pool = &layer->options.pool;
    size_t first = plane * (size_t)layer->in.h * (size_t)layer->in.w;
    int count = 0;
    for (int i = 0; i < pool->kernel[0] * pool->kernel[1]; i++) {
        int r = h * pool->stride[0] + i / pool->kernel[1] * pool->dilation[0] - pool->padding[0];
        int s = w * pool->stride[1] + i % pool->kernel[1] * pool->dilation[1] - pool->padding[1];
        if (r >= 0 && r < layer->in.h && s >= 0 && s < layer->in.w)
            places[count++] = first + (size_t)r * (size_t)layer->in.w + (size_t)s;
    }
    return count;
}

/* doubts (n, the layer's in) become those of its output; turned: room for as many. */
static cnn_status doubt_pool(uint8_t *doubts, uint8_t *turned, const float *x,
                             const cnn_layer *layer, int n, double margin)
{
    const cnn_pool_options *pool = &layer->options.pool;
    cnn_shape out = layer->out;
    size_t *places = NULL, at = 0, taps = (size_t)pool->kernel[0] * (size_t)pool->kernel[1];
    cnn_status status = cnn_allocate(&places, taps, sizeof *places, "a window");
    if (status != CNN_OK)
        return status;
    for (size_t plane = 0; plane < (size_t)n * (size_t)out.c; plane++)
        for (int h = 0; h < out.h; h++)
            for (int w = 0; w < out.w; w++, at++)
                turned[at] = doubt_window(doubts, x, places,
                                          find_places(places, layer, plane, h, w), margin);
    memcpy(doubts, turned, at);
    free(places);
    return CNN_OK;
}

/* Clears dy where rounding may decide which way a gradient goes. Without arithmetic before it in
 * the step, ReLU and max pool decide alike everywhere. */
static cnn_status settle_doubts(cnn_step_case *at)
{
    /* Of the values' size: far above rounding. */
    const double share = fmax(1e-4, 4.0 * cnn_rounding(at->forward_length));
    uint8_t *doubts = NULL, *turned = NULL;
    bool rounded = false;
    size_t most = (size_t)at->n * cnn_shape_count(at->first->in);
    for (int l = 0; l < at->op->layer_count; l++) {
        size_t count = (size_t)at->n * cnn_shape_count(at->op->layers[l]->out);
        most = count > most ? count : most;
    }
    cnn_status status = cnn_allocate(&doubts, most, 1, "doubts");
    if (status == CNN_OK)
        status = cnn_allocate(&turned, most, 1, "doubts");
    for (int l = 0; status == CNN_OK && l < at->op->layer_count; l++) {
        const cnn_layer *layer = at->op->layers[l];
        const float *x = cnn_ref_run_read(at->run, l, 0);
        size_t count = (size_t)at->n * cnn_shape_count(layer->in);
        double margin = rounded ? share * cnn_root_mean_square(x, count) : 0.0;
        rounded = rounded || layer->param_count > 0;
        if (layer->kind == CNN_LAYER_RELU)
            doubt_relu(doubts, x, count, margin);
        else if (layer->kind == CNN_LAYER_MAXPOOL)
            status = doubt_pool(doubts, turned, x, layer, at->n, margin);
        else if (layer->param_count > 0)
            memset(doubts, 0, most);
    }
    for (size_t i = 0; status == CNN_OK && i < at->out; i++)
        if (doubts[i])
            at->dy[i] = 0.0f;
    free(doubts);
    free(turned);
    return status;
}

/* The first windows of most planes hold four equal values, so that a maximum that the wrong one
 * passes on shows. */
static void plant_ties(cnn_step_case *at, float value)
{
    size_t h = (size_t)at->first->in.h, w = (size_t)at->first->in.w;
    if (h < 2 || w < 2)
        return;
    float *x = at->inputs[0].x;
    size_t planes = (size_t)at->n * (size_t)at->first->in.c;
    for (size_t plane = 0; plane < planes; plane++)
        if (h * w > 4 || plane % 4 != 3) {
            float *corner = x + plane * h * w;
            corner[0] = corner[1] = corner[w] = corner[w + 1] = value;
        }
}

/* Random values up to `most`: ties and zeros too, where no rounding can decide them. */
static void draw_input(cnn_step_case *at, double most)
{
    static const double steps = 8.0;
    cnn_layer_kind kind = at->first->kind;
    for (int input = 0; input < at->input_count; input++) {
        float *x = at->inputs[input].x;
        size_t count = cnn_step_input_values(at, input);
        cnn_fill_uniform(x, count, -most, most, at->check->draw++);
        if (kind == CNN_LAYER_RELU || kind == CNN_LAYER_MAXPOOL)
            for (size_t i = 0; i < count; i++)
                x[i] = (float)(round(steps * x[i]) / steps);
    }
    for (int l = 0; l < at->op->layer_count && at->op->layers[l]->param_count == 0; l++)
        if (at->op->layers[l]->kind == CNN_LAYER_MAXPOOL)
            plant_ties(at, (float)most);
    draw_kept(at);
    if (at->pass.training)
        drop_input(at);
}

static cnn_status run_forward(const cnn_step_case *at, cnn_ref_run *run, float *const *values)
{
    const float **x = NULL;
    cnn_status status = cnn_allocate(&x, (size_t)at->input_count, sizeof *x, "a step's inputs");
    for (int i = 0; status == CNN_OK && i < at->input_count; i++)
        x[i] = values ? values[i] : at->inputs[i].x;
    if (status == CNN_OK)
        cnn_ref_run_forward(run, x);
    free(x);
    return status;
}

/* Forward and, in training, backward. */
static cnn_status run_once(cnn_step_case *at, double most)
{
    cnn_model *model = at->check->model;
    draw_input(at, most);
    memcpy(model->statistics, at->statistics, model->network->statistic_count * sizeof(float));
    cnn_status status = run_forward(at, at->run, NULL);
    if (!at->pass.training || status != CNN_OK)
        return status;
    cnn_fill_uniform(at->dy, at->out, -1.0, 1.0, at->check->draw++);
    status = settle_doubts(at);
    memset(at->gradients, 0, model->network->parameter_count * sizeof(float));
    if (status == CNN_OK)
        cnn_ref_run_backward(at->run, at->dy, at->gradients);
    return status;
}

/* Does anything come through, both ways? */
static bool is_alive(const cnn_step_case *at)
{
    const float *y = cnn_ref_run_output(at->run, at->op->layer_count - 1);
    if (cnn_root_mean_square(y, at->out) == 0.0)
        return false;
    return !at->pass.training || cnn_root_mean_square(cnn_ref_run_input_gradient(at->run, 0),
                                                      cnn_step_input_values(at, 0)) > 0.0;
}

cnn_status cnn_step_run_reference(cnn_step_case *at)
{
    /* A few channels may all be dead of one input, which hides errors; another one helps, or one of
     * larger values than a bias. */
    enum { TRIES = 12 };
    static const double usual = 1.5;
    cnn_ref_pass pass = {at->pass.training, at->pass.seed, at->pass.step, NULL};
    cnn_status status = CNN_OK;
    cnn_ref_run_destroy(at->run);
    at->run = NULL;
    at->shaken = false;
    CNN_TRY(cnn_ref_run_create(&at->run, at->check->model, at->op->layers, at->op->layer_count,
                               at->n, pass));
    for (int i = 0; i == 0 || (i < TRIES && !is_alive(at)); i++)
        CNN_TRY(run_once(at, i < TRIES / 2 ? usual : ldexp(usual, i - TRIES / 2)));
out:
    return status;
}

/* Are channels kept and others dropped? */
static cnn_status is_mixed(bool *mixed, const cnn_step_case *at, const cnn_layer *dropout)
{
    float *kept = NULL;
    cnn_layer pixel = *dropout;
    size_t count = (size_t)at->n * (size_t)dropout->in.c, zeros = 0;
    cnn_status status = cnn_allocate(&kept, count, sizeof *kept, "masks");
    if (status != CNN_OK)
        return status;
    pixel.in = pixel.out = (cnn_shape){pixel.in.c, 1, 1};
    for (size_t i = 0; i < count; i++)
        kept[i] = 1.0f;
    cnn_ref_dropout(kept, kept, &pixel, at->n, at->pass.seed, at->pass.step);
    for (size_t i = 0; i < count; i++)
        zeros += kept[i] == 0.0f;
    *mixed = (zeros > 0 && zeros < count) || dropout->options.dropout.p <= 0.0 || count == 1;
    free(kept);
    return CNN_OK;
}

cnn_status cnn_step_choose_masks(cnn_step_case *at)
{
    enum { TRIES = 1000 };
    bool good = false;
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && !good && i < TRIES; i++, at->pass.step += !good) {
        good = true;
        if (at->dropout_before)
            status = is_mixed(&good, at, at->dropout_before);
        for (int l = 0; status == CNN_OK && good && l < at->op->layer_count; l++)
            if (at->op->layers[l]->kind == CNN_LAYER_DROPOUT2D)
                status = is_mixed(&good, at, at->op->layers[l]);
    }
    return status;
}

/* What a turn's run gives. */
typedef struct turn_values {
    float **x; /* of each input */
    float *dy, *gradients;
} turn_values;

static void widen(cnn_step_case *at, const turn_values *turn, const cnn_ref_run *run)
{
    const cnn_model *model = at->check->model;
    int last = at->op->layer_count - 1;
    cnn_shake_widen(at->output_spread, cnn_ref_run_output(run, last),
                    cnn_ref_run_output(at->run, last), at->out);
    if (!at->pass.training)
        return;
    for (int i = 0; i < at->input_count; i++)
        cnn_shake_widen(at->inputs[i].spread, cnn_ref_run_input_gradient(run, i),
                        cnn_ref_run_input_gradient(at->run, i), cnn_step_input_values(at, i));
    cnn_shake_widen(at->gradient_spread, turn->gradients, at->gradients,
                    model->network->parameter_count);
}

/* The step again, with values that are moved. */
static cnn_status run_turn(cnn_step_case *at, turn_values *turn, int number)
{
    cnn_model *model = at->check->model;
    size_t statistics = model->network->statistic_count;
    cnn_ref_run *run = NULL;
    cnn_shake shake = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_shake_begin(&shake, model, at->op->layers, at->op->layer_count, at->n, number));
    const cnn_ref_pass pass = {at->pass.training, at->pass.seed, at->pass.step, &shake.hook};
    CNN_TRY(cnn_ref_run_create(&run, model, at->op->layers, at->op->layer_count, at->n, pass));
    for (int i = 0; i < at->input_count; i++)
        cnn_shake_values(turn->x[i], &shake, at->inputs[i].x, cnn_step_input_values(at, i));
    cnn_shake_values(turn->dy, &shake, at->dy, at->out);
    if (at->pass.training) /* as it was before this step */
        memcpy(model->statistics, at->statistics, statistics * sizeof(float));
    CNN_TRY(run_forward(at, run, turn->x));
    memset(turn->gradients, 0, model->network->parameter_count * sizeof(float));
    if (at->pass.training)
        cnn_ref_run_backward(run, turn->dy, turn->gradients);
    cnn_shake_widen(at->statistic_spread, model->statistics, shake.statistics, statistics);
    widen(at, turn, run);
out:
    cnn_ref_run_destroy(run);
    cnn_shake_end(&shake);
    return status;
}

static cnn_status allocate_spreads(cnn_step_case *at)
{
    const cnn_network *network = at->check->model->network;
    const struct {
        float **values;
        size_t count;
    } all[] = {{&at->output_spread, at->out},
               {&at->gradient_spread, network->parameter_count},
               {&at->statistic_spread, network->statistic_count}};
    cnn_status status = CNN_OK;
    for (size_t i = 0; status == CNN_OK && i < sizeof all / sizeof all[0]; i++) {
        free(*all[i].values);
        status = cnn_allocate(all[i].values, all[i].count, sizeof(float), "spreads");
    }
    for (int i = 0; status == CNN_OK && i < at->input_count; i++) {
        free(at->inputs[i].spread);
        status = cnn_allocate(&at->inputs[i].spread, cnn_step_input_values(at, i), sizeof(float),
                              "spreads");
    }
    return status;
}

/* Finds out how far rounding carries this pass's results, where that is not known. */
static cnn_status find_spreads(cnn_step_case *at)
{
    turn_values turn = {0};
    double multiplications = 0.0;
    bool rounded = false;
    cnn_status status = CNN_OK;
    if (at->shaken)
        return CNN_OK;
    CNN_TRY(allocate_spreads(at));
    at->shaken = true;
    for (int l = 0; l < at->op->layer_count; l++) {
        multiplications += at->n * cnn_layer_multiplications(at->op->layers[l]);
        rounded = rounded || cnn_layer_rounds(at->op->layers[l]);
    }
    CNN_TRY(cnn_allocate(&turn.x, (size_t)at->input_count, sizeof *turn.x, "a step's inputs"));
    for (int i = 0; i < at->input_count; i++)
        CNN_TRY(cnn_allocate(&turn.x[i], cnn_step_input_values(at, i), sizeof(float),
                             "a step's input"));
    CNN_TRY(cnn_allocate(&turn.dy, at->out, sizeof(float), "a step's gradient"));
    CNN_TRY(cnn_allocate(&turn.gradients, at->check->model->network->parameter_count, sizeof(float),
                         "gradients"));
    for (int i = 0; rounded && i < cnn_shake_turns(multiplications); i++)
        CNN_TRY(run_turn(at, &turn, i));
out:
    for (int i = 0; turn.x && i < at->input_count; i++)
        free(turn.x[i]);
    free(turn.x);
    free(turn.dy);
    free(turn.gradients);
    return status;
}

cnn_tolerance cnn_step_forward_tolerance(const cnn_step_case *at)
{
    return cnn_long_tolerance(cnn_forward_tolerance, at->forward_length);
}

cnn_tolerance cnn_step_backward_tolerance(const cnn_step_case *at)
{
    return cnn_long_tolerance(cnn_backward_tolerance, at->backward_length);
}

cnn_status cnn_step_compare(cnn_step_case *at, const char *tensor, const float *actual,
                            const float *expected, float *const *spread, size_t offset,
                            size_t count, cnn_tolerance tolerance)
{
    cnn_status status = CNN_OK;
    if (!cnn_is_close(actual, expected, count, tolerance)) {
        CNN_TRY(find_spreads(at));
        tolerance.floor = fmax(tolerance.floor, cnn_root_mean_square(*spread + offset, count));
    }
    cnn_row_compare(at->check, tensor, actual, expected, count, tolerance);
out:
    return status;
}
