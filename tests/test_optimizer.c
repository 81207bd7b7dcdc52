/* The optimizers on the device: against PyTorch's golden values, and against plain C. With the path
 * of a golden file that alone is checked. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "check_main.h"
#include "golden.h"
#include "net/network.h"
#include "on_device.h"
#include "optim/optimizer.h"
#include "optim/rate.h"
#include "ref/ref.h"
#include "support.h"

static const char *golden_path = "optimizers.txt";

/* Parameters on the device and in plain C, and what moves them. */
typedef struct update_case {
    cnn_network *network;
    cnn_train_options options;
    cnn_optimizer optimizer;
    double lr;
    cl_mem values, bad;
    float *expected, *first, *second;
    size_t count;
} update_case;

/* A weight (out, in) and a bias (out). */
static cnn_network *make_network(int in, int out)
{
    char text[96];
    cnn_network *network;
    snprintf(text, sizeof text, "input(%d, 1, 1)\nFlatten()\nLinear(%d)\n", in, out);
    check_ok(cnn_network_from_text(&network, "one", text, "one", NULL));
    return network;
}

static update_case make_case(cnn_network *network, const cnn_train_options *options,
                             const float *values, cl_int bad)
{
    update_case made = {
        .network = network,
        .options = *options,
        .count = network->parameter_count,
        .lr = options->lr,
    };
    check_ok(cnn_optimizer_init(&made.optimizer, test_device(), network, NULL, options));
    made.expected = scratch_copy(values, made.count);
    made.first = made.optimizer.class->state_count > 0 ? scratch_zeros(made.count) : NULL;
    made.second = scratch_zeros(made.count);
    made.values = device_floats(values, made.count);
    made.bad = device_bytes(&bad, sizeof bad);
    return made;
}

static void end_case(update_case *at)
{
    check_guards("optimizer");
    cnn_optimizer_finish(&at->optimizer);
    cnn_network_destroy(at->network);
}

/* Plain C: each tensor by its own rule. */
static void update_plain(update_case *at, const float *given, uint64_t step)
{
    const cnn_train_options *options = &at->options;
    float *gradients = scratch_copy(given, at->count);
    if (options->clip_norm > 0.0)
        cnn_ref_clip(gradients, at->count, cnn_ref_norm(gradients, at->count), options->clip_norm);
    for (int i = 0; i < 2; i++) {
        const cnn_param *param = &at->network->layers[1].params[i];
        size_t offset = param->offset;
        cnn_ref_rule rule = {options->optimizer, at->lr, at->optimizer.momentum,
                             i == 0 || options->decay_all ? options->weight_decay : 0.0,
                             options->nesterov};
        cnn_ref_update(at->expected + offset, at->first ? at->first + offset : NULL,
                       at->second + offset, gradients + offset, param->count, &rule, step);
    }
}

static void update(update_case *at, const float *gradients, uint64_t step)
{
    check_ok(cnn_optimizer_run(&at->optimizer, at->values, device_floats(gradients, at->count),
                               at->bad, at->lr, step));
}

static void compare(const update_case *at, const char *name, double tolerance)
{
    const float *const states[] = {at->first, at->second};
    float *found = scratch_floats(at->count);
    check_close(name, "values", read_floats(at->values, at->count), at->expected, at->count,
                tolerance, 0.0);
    for (int i = 0; i < at->optimizer.class->state_count; i++) {
        check_ok(cnn_buffer_read(found, &at->optimizer.states[i], 0, at->count * sizeof *found));
        check_close(name, at->optimizer.class->states[i].title, found, states[i], at->count,
                    tolerance, 0.0);
    }
}

static cnn_train_options golden_options(const golden_case *golden)
{
    cnn_train_options options;
    json_t *config = cnn_json_parse(golden->config, strlen(golden->config), 0, NULL), *value;
    const char *key;
    cnn_train_options_init(&options);
    options.epochs = 5;
    json_object_foreach(config, key, value)
    {
        if (strcmp(key, "nesterov") == 0)
            options.nesterov = true;
        else if (strcmp(key, "decay-all") == 0)
            options.decay_all = true;
        else if (strcmp(key, "fixed-momentum") == 0)
            options.fixed_momentum = true;
        else
            check_ok(cnn_train_options_set(&options, key, json_string_value(value)));
    }
    json_decref(config);
    check_ok(cnn_train_options_check(&options));
    return options;
}

/* averages NULL: there are none. */
static void check_average(const golden_case *golden, const update_case *at, float *room,
                          const float *averages, size_t step)
{
    if (!averages)
        return;
    check_ok(cnn_buffer_read(room, &at->optimizer.average, 0, at->count * sizeof *room));
    check_close(golden->name, "average", room, averages + step * at->count, at->count, 5e-6, 0.0);
}

static void check_steps(const golden_case *golden)
{
    const golden_tensor *gradients = golden_get(golden, "gradients");
    const float *expected = golden_values(golden, "values_after");
    const float *rates = golden_values(golden, "rates");
    cnn_train_options options = golden_options(golden);
    update_case at = make_case(make_network(4, 3), &options, golden_values(golden, "values"), -1);
    const float *averages = options.ema > 0.0 ? golden_values(golden, "average_after") : NULL;
    float *average = scratch_floats(at.count);
    ck_assert_uint_eq(at.count, (size_t)gradients->shape[1]);
    for (size_t step = 0; step < (size_t)gradients->shape[0]; step++) {
        const float *given = gradients->values + step * at.count;
        cnn_rate rate =
            cnn_rate_at(&options, (size_t)golden_number(golden, "epoch_steps"), (uint64_t)step);
        const float numbers[] = {(float)rate.lr, (float)rate.momentum};
        check_close(golden->name, "rate", &numbers[0], rates + 2 * step, 1, 1e-6, 1e-9);
        check_close(golden->name, "momentum", &numbers[1], rates + 2 * step + 1, 1, 1e-6, 1e-9);
        at.lr = rate.lr;
        at.optimizer.momentum = rate.momentum;
        update_plain(&at, given, step + 1);
        update(&at, given, step + 1);
        const float *now = expected + step * at.count;
        check_close(golden->name, "plain", at.expected, now, at.count, 2e-6, 0.0);
        check_average(golden, &at, average, averages, step);
        check_close(golden->name, "device", read_floats(at.values, at.count), now, at.count, 5e-6,
                    0.0);
    }
    end_case(&at);
}

START_TEST(twenty_steps_are_those_of_pytorch)
{
    golden_for_each(golden_path, check_steps);
}
END_TEST

/* A warm-up that is shorter than half a step is one: the rate begins where it would have risen to.
 */
START_TEST(a_short_warm_up_of_one_cycle)
{
    cnn_train_options options;
    cnn_train_options_init(&options);
    options.schedule.kind = CNN_SCHEDULE_ONECYCLE;
    for (int i = 1; i <= 3; i++) {
        options.warmup = 0.04 * i;
        double before = cnn_rate_at(&options, 10, 0).lr;
        ck_assert_double_eq_tol(before, options.lr, 1e-12);
        for (uint64_t step = 1; step < 100; step++) {
            double now = cnn_rate_at(&options, 10, step).lr;
            ck_assert_double_lt(now, before);
            before = now;
        }
    }
    options.warmup = 0.0;
    ck_assert_double_lt(cnn_rate_at(&options, 10, 0).lr, cnn_rate_at(&options, 10, 5).lr);
}
END_TEST

/* Every kind of update, with and without decay and clipping. */
static const struct {
    cnn_optimizer_kind optimizer;
    double momentum, weight_decay, clip_norm;
    bool nesterov, decay_all;
} kinds[] = {
    {CNN_OPTIMIZER_ADAM, 0.0, 0.0, 0.0, false, false},
    {CNN_OPTIMIZER_ADAM, 0.0, 0.1, 2.0, false, false},
    {CNN_OPTIMIZER_ADAMW, 0.0, 0.1, 0.0, false, true},
    {CNN_OPTIMIZER_SGD, 0.0, 0.1, 0.0, false, false},
    {CNN_OPTIMIZER_SGD, 0.9, 0.0, 0.0, false, false},
    {CNN_OPTIMIZER_SGD, 0.9, 0.1, 1e6, true, false},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static cnn_train_options make_options(int kind)
{
    cnn_train_options options;
    cnn_train_options_init(&options);
    options.optimizer = kinds[kind].optimizer;
    options.momentum = kinds[kind].momentum;
    options.weight_decay = kinds[kind].weight_decay;
    options.clip_norm = kinds[kind].clip_norm;
    options.nesterov = kinds[kind].nesterov;
    options.decay_all = kinds[kind].decay_all;
    options.lr = 1e-2;
    return options;
}

/* _i: a kind, at sizes around those that kernels deal out. */
START_TEST(many_steps_agree_with_plain_c)
{
    static const int sizes[][2] = {{1, 1}, {7, 2}, {63, 1}, {250, 280}};
    enum { STEPS = 25, SIZES = sizeof sizes / sizeof sizes[0] };
    random_source random = {.seed = (uint64_t)_i};
    const int *size = sizes[_i % SIZES];
    cnn_train_options options = make_options(_i / SIZES);
    cnn_network *network = make_network(size[0], size[1]);
    size_t count = network->parameter_count;
    update_case at = make_case(network, &options, random_normals(&random, count, 1.0), -1);
    for (uint64_t step = 1; step <= STEPS; step++) {
        float *gradients = random_normals(&random, count, step % 7 == 0 ? 0.0 : 1.0);
        update(&at, gradients, step);
        update_plain(&at, gradients, step);
    }
    compare(&at, "optimizer", 3e-6);
    end_case(&at);
}
END_TEST

/* Beyond what an int or a float holds: the corrections are 1 then. */
START_TEST(adam_takes_a_late_step)
{
    random_source random = {.seed = 1};
    cnn_train_options options = make_options(0);
    update_case at = make_case(make_network(7, 7), &options, random_normals(&random, 56, 1.0), -1);
    uint64_t step = (1ull << 33) + 1;
    float *gradients = random_normals(&random, at.count, 1.0);
    update(&at, gradients, step);
    update_plain(&at, gradients, step);
    compare(&at, "a late step", 2e-6);
    end_case(&at);
}
END_TEST

/* _i: the kind; neither values nor state move. */
START_TEST(nothing_moves_after_a_bad_loss)
{
    random_source random = {.seed = 1};
    cnn_train_options options = make_options(_i);
    update_case at = make_case(make_network(7, 7), &options, random_normals(&random, 56, 1.0), 3);
    update(&at, random_normals(&random, at.count, 1.0), 1);
    ck_assert_mem_eq(read_floats(at.values, at.count), at.expected, at.count * sizeof(float));
    compare(&at, "a bad loss", 0.0);
    end_case(&at);
}
END_TEST

/* Frozen layers keep their values to the bit, whatever decays, and are no part of the norm. */
START_TEST(frozen_layers_stay)
{
    static const char text[] = "input(3, 1, 1)\nFlatten()\nLinear(5)\nReLU()\nLinear(2)\n";
    static const bool frozen[] = {false, true, false, false};
    enum { FROZEN = 3 * 5 + 5, COUNT = FROZEN + 5 * 2 + 2 };
    random_source random = {.seed = 4};
    cnn_train_options options = make_options(1); /* its decay and its clipping */
    cnn_network *network;
    check_ok(cnn_network_from_text(&network, "two", text, "two", NULL));
    float *values = random_normals(&random, COUNT, 1.0);
    update_case at = make_case(network, &options, values, -1);
    cnn_optimizer_finish(&at.optimizer);
    check_ok(cnn_optimizer_init(&at.optimizer, test_device(), network, frozen, &options));
    float *gradients = random_normals(&random, COUNT, 1.0);
    for (size_t i = 0; i < FROZEN; i++)
        gradients[i] = NAN; /* never looked at */
    update(&at, gradients, 1);
    const float *found = read_floats(at.values, COUNT);
    double norm = cnn_ref_norm(gradients + FROZEN, COUNT - FROZEN);
    cnn_ref_clip(gradients + FROZEN, COUNT - FROZEN, norm, options.clip_norm);
    for (size_t i = FROZEN; i < COUNT; i++) {
        const cnn_ref_rule rule = {.lr = options.lr,
                                   .momentum = at.optimizer.momentum,
                                   .weight_decay = i < COUNT - 2 ? options.weight_decay : 0.0};
        cnn_ref_update(at.expected + i, at.first + i, at.second + i, gradients + i, 1, &rule, 1);
    }
    ck_assert_mem_eq(found, values, FROZEN * sizeof(float));
    check_close("frozen", "the others", found + FROZEN, at.expected + FROZEN, COUNT - FROZEN, 2e-6,
                0.0);
    end_case(&at);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("optimizer");
    TCase *tests = add_device_case(suite, "updates");
    tcase_add_test(tests, a_short_warm_up_of_one_cycle);
    tcase_add_test(tests, twenty_steps_are_those_of_pytorch);
    if (argc > 1) {
        golden_path = argv[1];
        return run_device_suite(suite);
    }
    tcase_add_loop_test(tests, many_steps_agree_with_plain_c, 0, 4 * KINDS);
    tcase_add_test(tests, adam_takes_a_late_step);
    tcase_add_loop_test(tests, nothing_moves_after_a_bad_loss, 0, KINDS);
    tcase_add_test(tests, frozen_layers_stay);
    return run_device_suite(suite);
}
