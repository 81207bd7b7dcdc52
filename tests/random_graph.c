#include "random_graph.h"

#include <stdio.h>
#include <string.h>

#include "net/builder.h"
#include "support.h"

enum { MOST_LOOSE = 6, MOST_PARTS = 4, TRIES = 200 };

typedef struct maker {
    random_source random;
    const random_graph_limits *limits;
    cnn_builder builder;
    bool is_read[CNN_NETWORK_MAX_LAYERS + 1]; /* by value */
} maker;

random_graph_limits random_graph_defaults(void)
{
    return (random_graph_limits){.least_nodes = 5,
                                 .most_nodes = 40,
                                 .channels = 8,
                                 .extent = 12,
                                 .least_extent = 1,
                                 .classes = 7,
                                 .dropout = 0.5,
                                 .spreads_names = true};
}

static int draw(maker *m, int low, int high)
{
    return high > low ? random_int(&m->random, low, high) : low;
}

static bool chance(maker *m, int percent)
{
    return draw(m, 1, 100) <= percent;
}

static double pick(maker *m, const double *values, int count)
{
    return values[draw(m, 0, count - 1)];
}

static int draw_divisor(maker *m, int number)
{
    int divisor;
    do
        divisor = draw(m, 1, number);
    while (number % divisor != 0);
    return divisor;
}

static void draw_pair(maker *m, int pair[2], int low, int high)
{
    pair[0] = draw(m, low, high);
    pair[1] = chance(m, 60) ? pair[0] : draw(m, low, high);
}

/* Alike on opposite sides, or on none. */
static void draw_padding(maker *m, int padding[4], const int most[2], bool may_differ)
{
    for (int side = 0; side < 2; side++)
        padding[side] = padding[side + 2] = draw(m, 0, most[side]);
    if (may_differ && chance(m, 30)) {
        padding[2] = draw(m, 0, most[0]);
        padding[3] = draw(m, 0, most[1]);
    }
}

static void draw_conv(maker *m, cnn_layer_options *options, cnn_shape in)
{
    cnn_conv_options *conv = &options->conv;
    draw_pair(m, conv->kernel, 1, 4);
    draw_pair(m, conv->stride, 1, 3);
    draw_pair(m, conv->dilation, 1, 2);
    draw_padding(m, conv->padding, (int[2]){conv->kernel[0], conv->kernel[1]}, true);
    conv->groups = chance(m, 50) ? 1 : draw_divisor(m, in.c);
    conv->channels = conv->groups * draw(m, 1, m->limits->channels / conv->groups);
    conv->bias = chance(m, 50);
}

static void draw_linear(maker *m, cnn_layer_options *options, cnn_shape in)
{
    (void)in;
    options->linear.features = draw(m, 1, m->limits->channels);
    options->linear.bias = chance(m, 70);
}

static void draw_norm(maker *m, cnn_layer_options *options, cnn_shape in)
{
    static const double eps[] = {1e-5, 1e-3, 0.0123}, momentum[] = {0.1, 0.01, 0.3, 1.0 / 3.0};
    options->norm.groups = draw_divisor(m, in.c);
    options->norm.eps = pick(m, eps, 3);
    options->norm.momentum = pick(m, momentum, 4);
    options->norm.affine = chance(m, 75);
}

static void draw_pool(maker *m, cnn_layer_options *options, cnn_shape in)
{
    cnn_pool_options *pool = &options->pool;
    (void)in;
    draw_pair(m, pool->kernel, 1, 4);
    if (chance(m, 60))
        draw_pair(m, pool->stride, 1, 3);
    draw_padding(m, pool->padding, (int[2]){pool->kernel[0] / 2, pool->kernel[1] / 2},
                 !m->limits->only_torch);
    pool->ceil_mode = chance(m, 30);
}

static void draw_max_pool(maker *m, cnn_layer_options *options, cnn_shape in)
{
    draw_pool(m, options, in);
    draw_pair(m, options->pool.dilation, 1, 2);
}

static void draw_average_pool(maker *m, cnn_layer_options *options, cnn_shape in)
{
    draw_pool(m, options, in);
    options->pool.count_include_pad = chance(m, 60);
}

static void draw_adaptive(maker *m, cnn_layer_options *options, cnn_shape in)
{
    (void)in;
    draw_pair(m, options->adaptive.output, 1, 5);
}

static void draw_dropout(maker *m, cnn_layer_options *options, cnn_shape in)
{
    (void)in;
    options->dropout.p = m->limits->dropout * draw(m, 0, 100) / 100.0;
}

static void draw_slope(maker *m, cnn_layer_options *options, cnn_shape in)
{
    static const double slopes[] = {0.01, 0.2, -0.1, 1e-7};
    (void)in;
    options->activation.slope = pick(m, slopes, 4);
}

static void draw_gelu(maker *m, cnn_layer_options *options, cnn_shape in)
{
    (void)in;
    options->gelu.tanh = chance(m, 50);
}

static void draw_factor(maker *m, cnn_layer_options *options, cnn_shape in)
{
    static const double factors[] = {0.5, -1.25, 0.1, 1.0 / 7.0};
    (void)in;
    options->scale.factor = pick(m, factors, 4);
}

/* Kinds without an entry have no options. */
static void (*const draws[CNN_LAYER_KIND_COUNT])(maker *m, cnn_layer_options *options,
                                                 cnn_shape in) = {
    [CNN_LAYER_CONV] = draw_conv,
    [CNN_LAYER_LINEAR] = draw_linear,
    [CNN_LAYER_BATCHNORM] = draw_norm,
    [CNN_LAYER_GROUPNORM] = draw_norm,
    [CNN_LAYER_LEAKYRELU] = draw_slope,
    [CNN_LAYER_GELU] = draw_gelu,
    [CNN_LAYER_MAXPOOL] = draw_max_pool,
    [CNN_LAYER_AVGPOOL] = draw_average_pool,
    [CNN_LAYER_ADAPTIVEAVGPOOL] = draw_adaptive,
    [CNN_LAYER_DROPOUT] = draw_dropout,
    [CNN_LAYER_DROPOUT2D] = draw_dropout,
    [CNN_LAYER_SCALE] = draw_factor,
};

static cnn_shape shape_of(const maker *m, int value)
{
    return cnn_network_value_shape(m->builder.network, value);
}

/* Does the layer fit, and is what it gives within the limits? */
static bool fits(const maker *m, cnn_layer_kind kind, const cnn_layer_options *options,
                 const int *inputs, int count)
{
    cnn_shape shapes[MOST_PARTS] = {{0}};
    cnn_layer layer = {.kind = kind, .options = *options, .inputs = inputs, .input_count = count};
    for (int i = 0; i < count; i++)
        shapes[i] = shape_of(m, inputs[i]);
    layer.shapes = shapes;
    layer.in = shapes[0];
    const random_graph_limits *limits = m->limits;
    int most = limits->channels * limits->extent * limits->extent;
    if (cnn_layer_init(&layer) != CNN_OK || layer.out.h > limits->extent ||
        layer.out.w > limits->extent)
        return false;
    bool flat = layer.out.h == 1 && layer.out.w == 1;
    return layer.out.c <= (flat ? most : 2 * limits->channels);
}

static int add(maker *m, cnn_layer_kind kind, const cnn_layer_options *options, const int *inputs,
               int count)
{
    static const char *const forms[] = {"layer%d.conv", "block.%d.0", "n%d", "a-%d_b.c"};
    char name[CNN_LAYER_NAME_SIZE];
    int value, index = m->builder.network->layer_count;
    bool has_name = m->limits->spreads_names && chance(m, 40);
    snprintf(name, sizeof name, forms[draw(m, 0, 3)], index);
    for (int i = 0; i < count; i++)
        m->is_read[inputs[i]] = true;
    ck_assert_msg(cnn_builder_add(&m->builder, &value, kind, options, has_name ? name : NULL,
                                  inputs, count) == CNN_OK,
                  "%s", cnn_error_message());
    return value;
}

static int count_loose(const maker *m, int *first)
{
    int count = 0;
    for (int value = m->builder.network->layer_count; value > 0; value--)
        if (!m->is_read[value]) {
            *first = value;
            count++;
        }
    return count;
}

/* Mostly the last value; sometimes any; one that nobody reads where there are many of them. */
static int draw_value(maker *m)
{
    int last = m->builder.network->layer_count, loose = 0;
    if (count_loose(m, &loose) >= MOST_LOOSE)
        return loose;
    return chance(m, 75) ? last : draw(m, 0, last);
}

/* Values that join with the first one: up to MOST_PARTS, itself included. */
static int find_parts(maker *m, cnn_layer_kind kind, int parts[MOST_PARTS])
{
    cnn_layer_options none;
    int count = 1, most = kind == CNN_LAYER_CONCAT ? draw(m, 2, MOST_PARTS) : 2;
    int last = m->builder.network->layer_count;
    memset(&none, 0, sizeof none);
    parts[0] = draw_value(m);
    for (int tries = 0; tries < TRIES && count < most; tries++) {
        parts[count] = draw(m, 0, last);
        if (fits(m, kind, &none, parts, count + 1))
            count++;
    }
    return count;
}

static bool is_join(cnn_layer_kind kind)
{
    return cnn_layer_get_class(kind)->most_inputs > 1;
}

/* A node of this kind with random options; false where they do not fit what was drawn. */
static bool try_kind(maker *m, cnn_layer_kind kind)
{
    cnn_layer_options options;
    int parts[MOST_PARTS], count = 1;
    cnn_layer_default_options(&options, kind);
    if (is_join(kind))
        count = find_parts(m, kind, parts);
    else
        parts[0] = draw_value(m);
    if (count < cnn_layer_get_class(kind)->least_inputs)
        return false;
    if (draws[kind])
        draws[kind](m, &options, shape_of(m, parts[0]));
    if (!fits(m, kind, &options, parts, count))
        return false;
    add(m, kind, &options, parts, count);
    return true;
}

/* A node of a random kind that fits. */
static void add_any(maker *m)
{
    for (int tries = 0; tries < TRIES; tries++) {
        cnn_layer_kind kind = (cnn_layer_kind)draw(m, 0, CNN_LAYER_KIND_COUNT - 1);
        /* a flat value ends what can be done with planes: rarely */
        if ((kind != CNN_LAYER_FLATTEN || chance(m, 10)) && try_kind(m, kind))
            return;
    }
    ck_abort_msg("no layer fits");
}

/* What squeeze and excite does: a number per channel, back onto the planes. */
static void add_gate(maker *m)
{
    cnn_layer_options one, none;
    int from = draw_value(m);
    memset(&none, 0, sizeof none);
    cnn_layer_default_options(&one, CNN_LAYER_ADAPTIVEAVGPOOL);
    one.adaptive.output[0] = one.adaptive.output[1] = 1;
    int gate = add(m, CNN_LAYER_ADAPTIVEAVGPOOL, &one, &from, 1);
    gate = add(m, CNN_LAYER_SIGMOID, &none, &gate, 1);
    bool first = chance(m, 50);
    add(m, CNN_LAYER_MUL, &none, first ? (int[2]){gate, from} : (int[2]){from, gate}, 2);
}

/* Reads every value that nobody reads yet: flat, behind each other, and a linear layer. */
static void gather(maker *m)
{
    cnn_layer_options options;
    int loose[MOST_LOOSE + 2] = {0}, count = 0, last = m->builder.network->layer_count;
    for (int value = 1; value <= last; value++) {
        if (m->is_read[value])
            continue;
        cnn_shape shape = shape_of(m, value);
        cnn_layer_default_options(&options, CNN_LAYER_FLATTEN);
        loose[count++] = shape.h * shape.w > 1 || chance(m, 20)
                             ? add(m, CNN_LAYER_FLATTEN, &options, &value, 1)
                             : value;
    }
    ck_assert_int_gt(count, 0);
    int joined = loose[0];
    if (count > 1)
        joined = add(m, CNN_LAYER_CONCAT, &options, loose, count);
    cnn_layer_default_options(&options, CNN_LAYER_LINEAR);
    options.linear.features = m->limits->classes;
    add(m, CNN_LAYER_LINEAR, &options, &joined, 1);
}

static maker *begin(uint64_t seed, const random_graph_limits *limits)
{
    static maker m;
    m = (maker){.random = {.seed = seed}, .limits = limits};
    cnn_shape input = {draw(&m, 1, limits->channels),
                       draw(&m, limits->least_extent, limits->extent),
                       draw(&m, limits->least_extent, limits->extent)};
    ck_assert_int_eq(cnn_builder_init(&m.builder, "random", "", input), CNN_OK);
    return &m;
}

static cnn_network *end(maker *m)
{
    cnn_network *network;
    int culprit;
    gather(m);
    ck_assert_msg(cnn_builder_take(&network, &culprit, &m->builder) == CNN_OK, "seed %llu: %s",
                  (unsigned long long)m->random.seed, cnn_error_message());
    return network;
}

cnn_network *random_graph(uint64_t seed, const random_graph_limits *limits)
{
    int loose = 0;
    maker *m = begin(seed, limits);
    int target = draw(m, limits->least_nodes, limits->most_nodes);
    while (m->builder.network->layer_count + count_loose(m, &loose) + 2 < target) {
        if (chance(m, 8))
            add_gate(m);
        else
            add_any(m);
    }
    if (m->builder.network->layer_count == 0)
        add_any(m);
    return end(m);
}

cnn_network *random_kind(int *node, uint64_t seed, cnn_layer_kind kind,
                         const random_graph_limits *limits)
{
    cnn_layer_options none;
    int input = 0, tries = 0;
    maker *m = begin(seed, limits);
    memset(&none, 0, sizeof none);
    if (is_join(kind)) { /* several values of a shape, and numbers per channel */
        add_gate(m);
        add(m, CNN_LAYER_TANH, &none, &input, 1);
    }
    if (kind == CNN_LAYER_LINEAR)
        add(m, CNN_LAYER_FLATTEN, &none, &input, 1);
    while (!try_kind(m, kind))
        ck_assert_msg(tries++ < TRIES, "no %s fits", cnn_layer_get_class(kind)->name);
    *node = m->builder.network->layer_count - 1;
    return end(m);
}
