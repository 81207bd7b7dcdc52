#include "plan_case.h"

#include <stdio.h>
#include <string.h>

#include "ref/ref.h"

static const double noise_of_bias = 5e-5;

cnn_config plan_config(int example)
{
    static const double dropouts[] = {0.5, 0.0, 0.95, 0.3};
    static const int wide[] = {16, 24, 33, 40, 17};
    random_source random = {.seed = 100 + (uint64_t)example};
    cnn_config config = random_config(&random, example);
    config.dropout = dropouts[example / 3 % 4];
    if (example % 4 == 1)
        config.cdims[0] = wide[example / 4 % 5];
    if (example % 4 == 3)
        config.hdims[0] = wide[example / 4 % 5];
    return config;
}

int plan_example(int i)
{
    static const int few[FEW_PLANS] = {2, 3, 4, 5, 7, 8, 10, 11, 14, 17};
    return sweep(few[i % FEW_PLANS], i);
}

static void randomise(random_source *random, cnn_model *model)
{
    for (size_t i = 0; i < cnn_model_tensor_count(model); i++) {
        cnn_tensor_info info = cnn_model_tensor(model, i);
        bool weight = info.rank > 1, variance = strstr(info.name, "running_var") != NULL;
        if (weight || info.type != CNN_FLOAT32)
            continue;
        bool scale =
            info.trainable && strstr(info.name, "batchnorm") && strstr(info.name, "weight");
        float *values = random_uniforms(random, info.count, -0.3, 0.3);
        for (size_t j = 0; j < info.count; j++)
            values[j] += scale || variance ? 1.0f : 0.0f;
        memcpy(info.values, values, info.count * sizeof *values);
    }
}

plan_case make_plan_case(random_source *random, const cnn_config *config, int n)
{
    plan_case made = {.n = n, .pass = {.n = n, .training = true, .seed = 9, .step = 4}};
    snprintf(made.name, sizeof made.name,
             "%d,%d,%d k%d cdims %d:%d,%d hdims %d:%d,%d ydim %d batchnorm %d dropout %g n %d",
             config->xdim[0], config->xdim[1], config->xdim[2], config->ksize, config->cdim_count,
             config->cdims[0], config->cdims[1], config->hdim_count, config->hdims[0],
             config->hdims[1], config->ydim, config->batchnorm, config->dropout, n);
    check_ok(cnn_model_create(&made.model, config, random->seed));
    randomise(random, made.model);
    size_t values = (size_t)n * cnn_shape_count(cnn_network_input_shape(made.model->network));
    made.x = random_uniforms(random, values, 0.0, 1.0);
    made.labels = random_labels(random, (size_t)n, config->ydim);
    return made;
}

plan_case make_network_case(random_source *random, const cnn_network *network, int n)
{
    plan_case made = {.n = n, .pass = {.n = n, .training = true, .seed = 9, .step = 4}};
    snprintf(made.name, sizeof made.name, "%s, %d samples", network->name, n);
    check_ok(cnn_model_create_network(&made.model, network, random->seed));
    randomise(random, made.model);
    made.x = random_uniforms(random, (size_t)n * cnn_shape_count(cnn_network_input_shape(network)),
                             0.0, 1.0);
    made.labels = random_labels(random, (size_t)n, network->classes);
    return made;
}

void plan_case_finish(plan_case *at)
{
    cnn_model_destroy(at->model);
    at->model = NULL;
}

cnn_plan *make_plan(const plan_case *at, int batch, bool training, bool fuse)
{
    cnn_plan *plan;
    cnn_plan_options options = {.batch = batch, .training = training, .fuse = fuse, .slots = 32};
    check_ok(cnn_plan_create(&plan, test_device(), at->model->network, options));
    return plan;
}

static void fill_with_nan(const cnn_buffer *buffer)
{
    unsigned char *ones = scratch_bytes(buffer->bytes);
    memset(ones, 0xFF, buffer->bytes);
    check_ok(cnn_buffer_write(buffer, 0, ones, buffer->bytes));
}

/* The images in memory that holds nothing else. */
static void write_images(cnn_plan *plan, const plan_case *at)
{
    cnn_shape in = cnn_network_input_shape(at->model->network);
    size_t values = (size_t)at->n * cnn_shape_count(in);
    for (int i = 0; i < plan->buffer_count; i++)
        fill_with_nan(&plan->buffers[i]);
    fill_with_nan(&plan->scratch);
    check_ok(cnn_buffer_write(cnn_plan_input(plan), 0, to_device_layout(at->x, in, at->n),
                              values * sizeof(float)));
}

static void prepare(cnn_plan *plan, const plan_case *at)
{
    if (plan->options.training)
        fill_with_nan(&plan->gradients);
    for (int i = 0; i < plan->step_count; i++)
        if (plan->prepared[i].mem)
            fill_with_nan(&plan->prepared[i]);
    check_ok(cnn_plan_upload(plan, at->model));
    write_images(plan, at);
    check_ok(cnn_buffer_write(&plan->labels, 0, at->labels, (size_t)at->n * sizeof *at->labels));
    check_ok(cnn_softmax_reset(&plan->softmax));
}

static float *read_buffer(const cnn_buffer *buffer, size_t count)
{
    float *values = scratch_floats(count);
    check_ok(cnn_buffer_read(values, buffer, 0, count * sizeof *values));
    return values;
}

plan_result run_plan(cnn_plan *plan, const plan_case *at)
{
    const cnn_network *network = at->model->network;
    size_t logits = (size_t)at->n * (size_t)network->classes;
    plan_result result = {0};
    uint32_t hits;
    int bad;
    prepare(plan, at);
    check_ok(cnn_plan_forward(plan, &at->pass));
    if (!plan->options.training) { /* again, of what the steps made of the parameters */
        write_images(plan, at);
        check_ok(cnn_plan_forward(plan, &at->pass));
    }
    result.logits = read_buffer(cnn_plan_logits(plan), logits);
    check_ok(cnn_plan_loss(plan, &at->pass, 0));
    if (at->pass.training) {
        check_ok(cnn_plan_backward(plan, &at->pass));
        result.gradients = read_buffer(&plan->gradients, network->parameter_count);
    }
    check_ok(cnn_softmax_read(&result.loss, &hits, &bad, &plan->softmax, 0, 1));
    result.hits = hits;
    result.statistics = read_buffer(&plan->statistics, network->statistic_count);
    return result;
}

plan_result run_reference(const plan_case *at)
{
    cnn_model *model = at->model;
    const cnn_network *network = model->network;
    size_t logits = (size_t)at->n * (size_t)network->classes;
    float *before = scratch_copy(model->statistics, network->statistic_count);
    cnn_ref_pass pass = {
        .training = at->pass.training, .seed = at->pass.seed, .step = at->pass.step};
    plan_result result = {.logits = scratch_floats(logits)};
    double loss;
    if (pass.training)
        result.gradients = scratch_floats(network->parameter_count);
    check_ok(cnn_ref_network(result.logits, &loss, result.gradients, model, at->x, at->labels,
                             at->n, pass));
    cnn_ref_softmax_cross_entropy(NULL, &result.hits, result.logits, at->labels, at->n,
                                  network->classes);
    result.loss = (float)loss;
    result.statistics = scratch_copy(model->statistics, network->statistic_count);
    memcpy(model->statistics, before, network->statistic_count * sizeof *before);
    return result;
}

/* The bias of a convolution before batch norm moves nothing: its gradient is rounding alone. */
static bool is_noise(const cnn_model *model, const cnn_tensor_info *info)
{
    return cnn_network_has_batchnorm(model->network) && strstr(info->name, "conv2d") &&
           strstr(info->name, "bias");
}

void check_plan_result(const plan_case *at, const plan_result *actual, const plan_result *expected,
                       plan_tolerance tolerance)
{
    const cnn_network *network = at->model->network;
    size_t logits = (size_t)at->n * (size_t)network->classes;
    check_close(at->name, "logits", actual->logits, expected->logits, logits, tolerance.logits,
                1e-7);
    check_close(at->name, "loss", &actual->loss, &expected->loss, 1, tolerance.logits, 1e-6);
    ck_assert_uint_eq(actual->hits, expected->hits);
    check_close(at->name, "statistics", actual->statistics, expected->statistics,
                network->statistic_count, tolerance.logits, 1e-7);
    for (size_t i = 0; expected->gradients && i < cnn_model_tensor_count(at->model); i++) {
        cnn_tensor_info info = cnn_model_tensor(at->model, i);
        if (!info.trainable)
            continue;
        size_t offset = (size_t)((float *)info.values - at->model->parameters);
        double floor = is_noise(at->model, &info) ? noise_of_bias : tolerance.floor;
        check_close(at->name, info.name, actual->gradients + offset, expected->gradients + offset,
                    info.count, tolerance.gradients, floor);
    }
}
