/* Functions of each value. What a formula is shows at its end, so it is kept as its values at some
 * points, and becomes a layer where something else reads it: of the whole, or, where no kind is the
 * whole, of its parts. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

static double combine(const char *op, double a, double b)
{
    return strcmp(op, "Add") == 0 || strcmp(op, "Sum") == 0 ? a + b
           : strcmp(op, "Sub") == 0                         ? a - b
           : strcmp(op, "Mul") == 0                         ? a * b
           : strcmp(op, "Div") == 0                         ? a / b
           : strcmp(op, "Pow") == 0                         ? pow(a, b)
           : strcmp(op, "Min") == 0                         ? fmin(a, b)
                                                            : fmax(a, b);
}

static bool is_binary(const char *op)
{
    static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i], op) == 0)
            return true;
    return false;
}

static bool same_view(const onnx_value *a, const onnx_value *b)
{
    bool same = a->rank == b->rank && a->rows_first == b->rows_first;
    for (int axis = 0; same && axis < a->rank; axis++)
        same = a->dims[axis] == b->dims[axis];
    return same;
}

static double at_point(const onnx_value *value, int point)
{
    return value->curve ? value->curve[point] : cnn_onnx_points[point];
}

static bool is_plain(const onnx_value *value)
{
    return value->pad < 0 && value->soft < 0 && value->rows == 0;
}

/* The node's output is a formula, of one value or two. It is a layer at once where several read it,
 * and where it becomes long. */
static cnn_status set_curve(onnx_reader *reader, const onnx_node *node, int index, int a, int b,
                            double *curve, double *alone)
{
    onnx_value *from = cnn_onnx_value(reader, a), *to = cnn_onnx_value(reader, node->outputs[0]);
    int other = b < 0 ? 0 : cnn_onnx_value(reader, b)->length, base;
    cnn_layer_options options;
    cnn_layer_kind kind;
    cnn_onnx_copy_view(to, from);
    to->alone = b < 0 && from->alone && from->readers == 1;
    to->curve = curve;
    to->alone_curve = alone;
    to->maker = index;
    to->operands[0] = a;
    to->operands[1] = b;
    to->length = 1 + (from->length > other ? from->length : other);
    if (cnn_onnx_match(&kind, &options, curve) && kind == CNN_LAYER_KIND_COUNT) {
        to->curve = NULL;
        to->length = 0;
        return CNN_OK;
    }
    return to->readers > 1 || to->length >= ONNX_MOST_FOLDED
               ? cnn_onnx_settle(&base, reader, node, node->outputs[0])
               : CNN_OK;
}

/* y = p[0] x + p[1] at all points? */
static bool is_line(float p[2], const double *curve)
{
    double slope = (curve[ONNX_POINTS - 1] - curve[0]) / 40.0, shift = curve[ONNX_POINTS / 2];
    p[0] = (float)slope;
    p[1] = (float)shift;
    for (int i = 0; i < ONNX_POINTS; i++)
        if (!(fabs(slope * cnn_onnx_points[i] + shift - curve[i]) <= 2e-6 * (1.0 + fabs(curve[i]))))
            return false;
    return true;
}

/* y = min(max(p[0] x + p[1], 0), 1) at all points? */
static bool is_hard_sigmoid(float p[2], const double *curve)
{
    enum { MIDDLE = ONNX_POINTS / 2 }; /* 0; a tenth on either side */
    double shift = curve[MIDDLE], slope = (curve[MIDDLE + 1] - curve[MIDDLE - 1]) / 0.2;
    p[0] = (float)(6.0 * slope);
    p[1] = (float)(6.0 * shift);
    for (int i = 0; i < ONNX_POINTS; i++) {
        double y = slope * cnn_onnx_points[i] + shift;
        y = y < 0.0 ? 0.0 : y > 1.0 ? 1.0 : y;
        if (!(fabs(y - curve[i]) <= 2e-6))
            return false;
    }
    return true;
}

/* A formula of a plan's value as one layer, or a few. alone: nobody else reads that value. */
static cnn_status plan_formula(bool *done, int *base, onnx_reader *reader, const onnx_node *node,
                               const double *curve, int input, bool alone)
{
    cnn_layer_options options, sixth = {.scale = {1.0 / 6.0}};
    cnn_layer_kind kind = CNN_LAYER_KIND_COUNT;
    cnn_status status = CNN_OK;
    float line[2];
    *done = true;
    *base = input;
    if (cnn_onnx_match(&kind, &options, curve))
        return kind == CNN_LAYER_KIND_COUNT
                   ? CNN_OK
                   : cnn_onnx_plan_simple(base, reader, node, kind, &options, input);
    if (is_line(line, curve))
        return cnn_onnx_plan_line(base, reader, node, input, line, alone);
    *done = is_hard_sigmoid(line, curve);
    if (!*done)
        return CNN_OK;
    CNN_TRY(cnn_onnx_plan_line(base, reader, node, input, line, alone));
    cnn_layer_default_options(&options, CNN_LAYER_RELU6);
    CNN_TRY(cnn_onnx_plan_simple(base, reader, node, CNN_LAYER_RELU6, &options, *base));
    status = cnn_onnx_plan_simple(base, reader, node, CNN_LAYER_SCALE, &sixth, *base);
out:
    return status;
}

/* The layer that the maker alone is. */
static cnn_status plan_alone(int *base, onnx_reader *reader, const onnx_value *value)
{
    const onnx_node *maker = cnn_onnx_node_at(reader, value->maker);
    cnn_status status = CNN_OK;
    bool done = false;
    int x = 0;
    CNN_TRY(cnn_onnx_settle(&x, reader, maker, value->operands[0]));
    CNN_TRY(plan_formula(&done, base, reader, maker, value->alone_curve, x, value->alone));
    if (!done)
        status = cnn_onnx_fail(reader, maker,
                               "no kind of layer computes this operator with such numbers");
out:
    return status;
}

/* Add or Mul of two values of the plan. */
static cnn_status plan_pair(int *base, onnx_reader *reader, const onnx_node *node, int a, int b)
{
    bool adds = strcmp(node->op, "Add") == 0 || strcmp(node->op, "Sum") == 0;
    cnn_layer_options options = {.scale = {-1.0}};
    cnn_status status = CNN_OK;
    if (strcmp(node->op, "Sub") == 0) {
        CNN_TRY(cnn_onnx_plan_simple(&b, reader, node, CNN_LAYER_SCALE, &options, b));
        adds = true;
    } else if (!adds && strcmp(node->op, "Mul") != 0) {
        return cnn_onnx_fail(reader, node, "no kind of layer computes this operator of two values");
    }
    status = cnn_onnx_plan(base, reader, node,
                           &(onnx_layer){.kind = adds ? CNN_LAYER_ADD : CNN_LAYER_MUL,
                                         .inputs = (int[]){a, b},
                                         .input_count = 2});
out:
    return status;
}

cnn_status cnn_onnx_settle(int *base, onnx_reader *reader, const onnx_node *node, int index)
{
    onnx_value *value = cnn_onnx_value(reader, index);
    cnn_status status = CNN_OK;
    bool done = false;
    int a = 0, b = 0;
    if (value->pad >= 0)
        return cnn_onnx_fail(reader, cnn_onnx_node_at(reader, value->pad),
                             "only convolutions and pools may read a padded value, found %s",
                             node->op);
    if (value->rows > 0)
        return cnn_onnx_fail(reader, node,
                             "the means of rows are known only with those of columns");
    if (value->soft >= 0)
        return cnn_onnx_fail(reader, cnn_onnx_node_at(reader, value->soft),
                             "only the graph's output may read it, found %s", node->op);
    if (!value->curve) {
        *base = value->base;
        return CNN_OK;
    }
    CNN_TRY(plan_formula(&done, base, reader, cnn_onnx_node_at(reader, value->maker), value->curve,
                         value->base, value->alone));
    if (!done && value->operands[1] < 0) {
        CNN_TRY(plan_alone(base, reader, value));
    } else if (!done) {
        CNN_TRY(cnn_onnx_settle(&a, reader, node, value->operands[0]));
        CNN_TRY(cnn_onnx_settle(&b, reader, node, value->operands[1]));
        CNN_TRY(plan_pair(base, reader, cnn_onnx_node_at(reader, value->maker), a, b));
    }
    value->base = *base;
    value->curve = NULL;
    value->length = 0;
out:
    return status;
}

/* A function of one value: of an operator of one, or of one with a number. */
static cnn_status apply(onnx_reader *reader, const onnx_node *node, int index, int value,
                        onnx_function function, const double *parameters, double number, bool first)
{
    onnx_value *from = cnn_onnx_value(reader, value);
    double *curve = NULL, *alone = NULL;
    cnn_status status = CNN_OK;
    int base = 0;
    if (!is_plain(from)) /* says why */
        CNN_TRY(cnn_onnx_settle(&base, reader, node, value));
    CNN_TRY(cnn_onnx_take(&curve, reader, ONNX_POINTS, sizeof *curve));
    CNN_TRY(cnn_onnx_take(&alone, reader, ONNX_POINTS, sizeof *alone));
    for (int i = 0; i < ONNX_POINTS; i++)
        for (int whole = 0; whole < 2; whole++) {
            double x = whole ? at_point(from, i) : cnn_onnx_points[i];
            double y = function ? function(x, parameters)
                       : first  ? combine(node->op, number, x)
                                : combine(node->op, x, number);
            *(whole ? &curve[i] : &alone[i]) = y;
        }
    status = set_curve(reader, node, index, value, -1, curve, alone);
out:
    return status;
}

/* What a sum or a product reads: the plan's value, in the same order of axes as the view's. */
static cnn_status take_operand(int *base, onnx_reader *reader, const onnx_node *node, int index)
{
    const onnx_value *value = cnn_onnx_value(reader, index);
    cnn_shape shape = cnn_onnx_shape(reader, value->base), hwc;
    if (value->rank != 3)
        return cnn_onnx_vector(base, &hwc, reader, node, index);
    if (value->rows_first && value->dims[0] == shape.h && value->dims[1] == shape.w &&
        value->dims[2] == shape.c)
        return cnn_onnx_settle(base, reader, node, index);
    return cnn_onnx_planes(base, reader, node, index);
}

/* Two values of the network, of different ones or of none that one function is of. */
static cnn_status join(onnx_reader *reader, const onnx_node *node, int a, int b)
{
    onnx_value *x = cnn_onnx_value(reader, a), *y = cnn_onnx_value(reader, b);
    cnn_status status = CNN_OK;
    int inputs[2], base = 0;
    size_t counts[2] = {1, 1};
    if (x->rank != y->rank || (x->rows_first != y->rows_first && x->rank == 3))
        return cnn_onnx_fail(reader, node, "expected values of as many axes, in one order");
    for (int axis = 0; axis < x->rank; axis++) {
        counts[0] *= (size_t)x->dims[axis];
        counts[1] *= (size_t)y->dims[axis];
    }
    CNN_TRY(take_operand(&inputs[0], reader, node, a));
    CNN_TRY(take_operand(&inputs[1], reader, node, b));
    CNN_TRY(plan_pair(&base, reader, node, inputs[0], inputs[1]));
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    cnn_onnx_copy_view(to, counts[0] >= counts[1] ? x : y);
    to->base = base;
    to->alone = true;
out:
    return status;
}

static cnn_status add_pair(onnx_reader *reader, const onnx_node *node, int index)
{
    int a = node->inputs[0], b = node->inputs[1];
    const onnx_value *x = cnn_onnx_value(reader, a), *y = cnn_onnx_value(reader, b);
    double *curve = NULL;
    cnn_status status = CNN_OK;
    if (x->base != y->base || !same_view(x, y) || !is_plain(x) || !is_plain(y) ||
        (!x->curve && !y->curve && a != b))
        return join(reader, node, a, b);
    CNN_TRY(cnn_onnx_take(&curve, reader, ONNX_POINTS, sizeof *curve));
    for (int i = 0; i < ONNX_POINTS; i++)
        curve[i] = combine(node->op, at_point(x, i), at_point(y, i));
    status = set_curve(reader, node, index, a, b, curve, NULL);
out:
    return status;
}

static cnn_status add_number(bool *done, onnx_reader *reader, onnx_node *node, int index)
{
    bool first = cnn_onnx_value(reader, node->inputs[0])->constant != NULL;
    int value = node->inputs[first ? 1 : 0];
    onnx_tensor *constant = cnn_onnx_value(reader, node->inputs[first ? 0 : 1])->constant;
    const onnx_value *from = cnn_onnx_value(reader, value);
    bool is_pixel = from->base == 0 && !from->curve && from->alone && from->readers == 1;
    double number = 0;
    cnn_status status = CNN_OK;
    if (constant->count != 1 || is_pixel)
        CNN_TRY(cnn_onnx_affine(done, reader, node, value, constant, first));
    if (*done)
        return CNN_OK;
    if (!cnn_onnx_scalar(&number, reader, cnn_onnx_value(reader, node->inputs[first ? 0 : 1])))
        return cnn_onnx_fail(reader, node, "expected one number, or one for each channel");
    *done = true;
    status = apply(reader, node, index, value, NULL, NULL, cnn_onnx_widen((float)number), first);
out:
    return status;
}

static cnn_status add_two(onnx_reader *reader, onnx_node *node, int index)
{
    bool done = false;
    if (node->inputs[0] < 0 || node->inputs[1] < 0)
        return cnn_onnx_fail(reader, node, "expected two inputs");
    bool numbers[2];
    for (int i = 0; i < 2; i++) {
        const onnx_value *value = cnn_onnx_value(reader, node->inputs[i]);
        numbers[i] = value->constant != NULL;
        if (value->whole && strcmp(node->op, "Div") == 0)
            return cnn_onnx_fail(reader, node,
                                 "expected floats: of whole numbers it leaves no fraction, and no "
                                 "kind of layer rounds");
    }
    if (numbers[0] && numbers[1])
        return cnn_onnx_fail(reader, node,
                             "expected a value of the network among its first two inputs");
    return numbers[0] || numbers[1] ? add_number(&done, reader, node, index)
                                    : add_pair(reader, node, index);
}

/* A value between two steps of a node. */
static cnn_status make_between(int *index, onnx_reader *reader, const onnx_node *node)
{
    cnn_status status = cnn_onnx_charge(reader, sizeof(onnx_value));
    onnx_value *value = status == CNN_OK ? cnn_pile_push(&reader->values, sizeof *value) : NULL;
    if (!value)
        return status == CNN_OK ? CNN_ERROR_MEMORY : status;
    value->name = cnn_onnx_value(reader, node->outputs[0])->name;
    value->view = value->soft = value->pad = value->maker = -1;
    value->readers = 1;
    *index = (int)reader->values.count - 1;
    return CNN_OK;
}

/* Of the first two inputs, then of what that gives and the next. */
static cnn_status add_many(onnx_reader *reader, onnx_node *node, int index)
{
    int inputs[2] = {node->inputs[0]}, output = node->outputs[0];
    onnx_node pair = *node;
    cnn_status status = CNN_OK;
    pair.inputs = inputs;
    pair.outputs = &output;
    pair.input_count = 2;
    for (int i = 1; i < node->input_count; i++) {
        inputs[1] = node->inputs[i];
        output = node->outputs[0];
        if (i + 1 < node->input_count)
            CNN_TRY(make_between(&output, reader, node));
        CNN_TRY(add_two(reader, &pair, index));
        inputs[0] = output;
    }
out:
    return status;
}

static bool takes_many(const char *op)
{
    return strcmp(op, "Sum") == 0 || strcmp(op, "Max") == 0 || strcmp(op, "Min") == 0;
}

cnn_status cnn_onnx_elementwise(bool *done, onnx_reader *reader, onnx_node *node, int index)
{
    double parameters[2];
    const char *problem = NULL;
    *done = false;
    if (is_binary(node->op)) {
        *done = true;
        if (node->input_count == 1 && takes_many(node->op))
            return cnn_onnx_same(reader, node);
        if (node->input_count != 2 && !(node->input_count > 2 && takes_many(node->op)))
            return cnn_onnx_fail(reader, node, "expected two inputs");
        return add_many(reader, node, index);
    }
    onnx_function function = cnn_onnx_find_function(parameters, &problem, reader, node);
    if (!function)
        return CNN_OK;
    *done = true;
    if (node->input_count < 1 || node->inputs[0] < 0 ||
        cnn_onnx_value(reader, node->inputs[0])->constant)
        return cnn_onnx_fail(reader, node, "expected a value of the network as its first input");
    return apply(reader, node, index, node->inputs[0], function, parameters, 0.0, false);
}
