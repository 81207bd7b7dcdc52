/* Single values in plain C against whole tensors: every kind of layer, and chains of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "random_graph.h"
#include "ref/index.h"
#include "ref/points.h"
#include "scratch.h"
#include "support.h"

enum { SAMPLES = 3, SPOTS = 24, MOST_LAYERS = 5, MOST_INPUTS = 16, SEED = 5, STEP = 7 };

/* Of a value, what plain C's own floats may differ by; and a share of all values whose error may be
 * large, as rounding decides their way. */
static const double few = 2e-6, usual = 1e-3, doubtful = 0.1;

/* A chain, and what whole tensors say of it. */
typedef struct chain_case {
    char name[2 * CNN_LAYER_NAME_SIZE + 64];
    cnn_model *model;
    const cnn_layer *layers[MOST_LAYERS];
    int count, input_count;
    cnn_ref_run *run;
    float *x[MOST_INPUTS]; /* (n, H, W, C) */
    float *dy, *gradients, *statistics; /* dy (n, H, W, C); flat; mean and inverse deviation */
    cnn_ref_chain chain;
    cnn_ref_points *points;
    int compared, uncertain;
} chain_case;

/* (n, C, H, W) to (n, H, W, C). */
static float *turn(const float *values, cnn_shape shape, int n)
{
    float *turned = scratch_floats((size_t)n * cnn_shape_count(shape));
    for (int sample = 0, i = 0; sample < n; sample++)
        for (int h = 0; h < shape.h; h++)
            for (int w = 0; w < shape.w; w++)
                for (int c = 0; c < shape.c; c++)
                    turned[i++] = values[cnn_ref_index(shape, sample, c, h, w)];
    return turned;
}

static double size_of(const float *values, size_t count)
{
    return sqrt(dot(values, values, count) / (double)count);
}

static void compare(chain_case *at, const char *what, cnn_ref_real point, float expected, double size)
{
    double apart = fabs(point.value - expected);
    ck_assert_msg(apart <= point.error + few * size + 1e-12,
                  "%s: %s: found %g with an error of at most %g, expected %g", at->name, what,
                  point.value, point.error, (double)expected);
    at->compared++;
    at->uncertain += point.error > usual * (size + fabs((double)expected)) + 1e-9;
}

static cnn_ref_spot draw_spot(random_source *random, cnn_shape shape)
{
    return (cnn_ref_spot){random_int(random, 0, SAMPLES - 1), random_int(random, 0, shape.c - 1),
                          random_int(random, 0, shape.h - 1), random_int(random, 0, shape.w - 1)};
}

/* values (n, C, H, W): what whole tensors say. input -1: the output. */
static void compare_spots(chain_case *at, random_source *random, const float *values, cnn_shape shape,
                          int input)
{
    double size = size_of(values, SAMPLES * cnn_shape_count(shape));
    for (int i = 0; i < SPOTS; i++) {
        cnn_ref_spot spot = draw_spot(random, shape);
        float expected = values[cnn_ref_index(shape, spot.sample, spot.c, spot.h, spot.w)];
        if (input < 0)
            compare(at, "the output", cnn_ref_point_value(at->points, at->count - 1, spot), expected,
                    size);
        else
            compare(at, "a gradient", cnn_ref_point_input_gradient(at->points, input, spot), expected,
                    size);
    }
}

static void compare_parameters(chain_case *at, random_source *random)
{
    for (int l = 0; l < at->count; l++)
        for (int p = 0; p < at->layers[l]->param_count; p++) {
            const cnn_param *param = &at->layers[l]->params[p];
            const float *expected = at->gradients + param->offset;
            double size = size_of(expected, param->count);
            for (int i = 0; i < SPOTS / 2; i++) {
                int index = random_int(random, 0, (int)param->count - 1);
                compare(at, "a parameter's gradient",
                        cnn_ref_point_parameter_gradient(at->points, l, p, (size_t)index),
                        expected[index], size);
            }
        }
}

/* As the pass would have them: computed one by one, too. */
static void find_statistics(chain_case *at)
{
    for (int l = 0; l < at->count; l++) {
        const cnn_layer *layer = at->layers[l];
        if (layer->kind != CNN_LAYER_BATCHNORM)
            continue;
        at->statistics = scratch_floats(2 * (size_t)layer->in.c);
        for (int c = 0; c < layer->in.c; c++) {
            cnn_ref_real mean, variance;
            cnn_ref_point_statistics(&mean, &variance, at->points, l, c);
            at->statistics[c] = (float)mean.value;
            at->statistics[layer->in.c + c] =
                (float)(1.0 / sqrt(variance.value + layer->options.norm.eps));
        }
        at->chain.mean = at->statistics;
        at->chain.inverse_std = at->statistics + layer->in.c;
    }
}

static void run_whole(chain_case *at, random_source *random)
{
    const cnn_ref_pass pass = {true, SEED, STEP, NULL};
    const float *inputs[MOST_INPUTS];
    cnn_shape out = at->layers[at->count - 1]->out;
    ck_assert_int_eq(
        cnn_ref_run_create(&at->run, at->model, at->layers, at->count, SAMPLES, pass), CNN_OK);
    at->input_count = cnn_ref_run_input_count(at->run);
    ck_assert_int_le(at->input_count, MOST_INPUTS);
    for (int i = 0; i < at->input_count; i++) {
        cnn_shape shape = cnn_ref_run_input_shape(at->run, i);
        inputs[i] = random_normals(random, SAMPLES * cnn_shape_count(shape), 1.0);
        at->x[i] = turn(inputs[i], shape, SAMPLES);
    }
    const float *dy = random_normals(random, SAMPLES * cnn_shape_count(out), 1.0);
    at->dy = turn(dy, out, SAMPLES);
    at->gradients = scratch_zeros(at->model->network->parameter_count);
    cnn_ref_run_forward(at->run, inputs);
    cnn_ref_run_backward(at->run, dy, at->gradients);
}

static void check_chain(chain_case *at, random_source *random)
{
    static const int numbers[SAMPLES] = {0, 1, 2};
    run_whole(at, random);
    at->chain = (cnn_ref_chain){.layers = at->layers,
                                .count = at->count,
                                .parameters = at->model->parameters,
                                .n = SAMPLES,
                                .samples = numbers,
                                .whole = SAMPLES,
                                .seed = SEED,
                                .step = STEP,
                                .x = (const float *const *)at->x,
                                .dy = at->dy};
    ck_assert_int_eq(cnn_ref_points_create(&at->points, &at->chain), CNN_OK);
    find_statistics(at);
    compare_spots(at, random, cnn_ref_run_output(at->run, at->count - 1),
                  at->layers[at->count - 1]->out, -1);
    for (int given = 0; given < 2; given++) {
        at->chain.gradients = given ? at->gradients : NULL;
        for (int i = 0; i < at->input_count; i++)
            compare_spots(at, random, cnn_ref_run_input_gradient(at->run, i),
                          cnn_ref_run_input_shape(at->run, i), i);
    }
    compare_parameters(at, random);
    ck_assert(!cnn_ref_points_failed(at->points));
    cnn_ref_points_destroy(at->points);
    cnn_ref_run_destroy(at->run);
}

static int count_readers(const cnn_network *network, int value)
{
    int count = 0;
    for (int l = 0; l < network->layer_count; l++)
        for (int i = 0; i < network->layers[l].input_count; i++)
            count += network->layers[l].inputs[i] == value;
    return count;
}

/* The layers from one on of which each reads the one before, which nothing else reads; one batch norm. */
static void find_chain(chain_case *at, const cnn_network *network, int first, int most)
{
    int norms = 0;
    at->count = 0;
    for (int l = first; l < network->layer_count && at->count < most; l++) {
        const cnn_layer *layer = &network->layers[l];
        bool reads = l == first;
        for (int i = 0; i < layer->input_count; i++)
            reads = reads || layer->inputs[i] == l;
        norms += layer->kind == CNN_LAYER_BATCHNORM;
        if (!reads || (l > first && count_readers(network, l) != 1) || norms > 1)
            break;
        at->layers[at->count++] = layer;
    }
}

/* Each layer alone, and with what follows it. */
static int check_network(const cnn_network *network, uint64_t seed, int *uncertain)
{
    random_source random = {.seed = seed + 1};
    int compared = 0;
    for (int first = 0; first < network->layer_count; first++)
        for (int most = 1; most <= MOST_LAYERS; most += MOST_LAYERS - 1) {
            chain_case at = {.compared = 0};
            ck_assert_int_eq(cnn_model_create_network(&at.model, network, seed), CNN_OK);
            memcpy(at.model->parameters,
                   random_normals(&random, network->parameter_count, 0.5),
                   network->parameter_count * sizeof(float));
            find_chain(&at, network, first, most);
            snprintf(at.name, sizeof at.name, "network %d, from %s to %s", (int)seed,
                     at.layers[0]->name, at.layers[at.count - 1]->name);
            check_chain(&at, &random);
            compared += at.compared;
            *uncertain += at.uncertain;
            cnn_model_destroy(at.model);
        }
    return compared;
}

START_TEST(single_values_are_those_of_whole_tensors)
{
    random_graph_limits limits = random_graph_defaults();
    int uncertain = 0;
    limits.most_nodes = 20;
    cnn_network *network = random_graph((uint64_t)_i, &limits);
    int compared = check_network(network, (uint64_t)_i, &uncertain);
    ck_assert_msg(uncertain <= doubtful * compared, "network %d: %d of %d values are uncertain", _i,
                  uncertain, compared);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(values_of_every_kind)
{
    random_graph_limits limits = random_graph_defaults();
    int node, uncertain = 0;
    for (int kind = 0; kind < CNN_LAYER_KIND_COUNT; kind++) {
        cnn_network *network = random_kind(&node, (uint64_t)_i, (cnn_layer_kind)kind, &limits);
        check_network(network, (uint64_t)_i, &uncertain);
        cnn_network_destroy(network);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ref points");
    TCase *tests = add_scratch_case(suite, "single values");
    tcase_add_loop_test(tests, values_of_every_kind, 0, sweep(4, 60));
    tcase_add_loop_test(tests, single_values_are_those_of_whole_tensors, 0, sweep(12, 300));
    return run_suite(suite);
}
