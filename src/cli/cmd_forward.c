/* forward: two random images through the network in evaluation mode, printed as NumPy prints. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"

enum {
    IMAGES = 2,
    ELIDE_ABOVE = 1000, /* values: NumPy's threshold */
    EDGE = 3            /* values of an axis shown at each end: NumPy's edgeitems */
};

enum { AXES = 4 };

/* A row-major array to print; its axes are the last ones, those before `first` are 1. */
typedef struct array {
    const float *values;
    int first;
    int shape[AXES];
    bool elided;
    int width; /* of the widest value that is shown */
} array;

/* The next index of an axis that is shown, after `index`. */
static int next_shown(const array *x, int axis, int index)
{
    bool is_cut = x->elided && x->shape[axis] > 2 * EDGE && index == EDGE - 1;
    return is_cut ? x->shape[axis] - EDGE : index + 1;
}

/* Values below one index of an axis. */
static size_t stride_of(const array *x, int axis)
{
    size_t stride = 1;
    for (int i = axis + 1; i < AXES; i++)
        stride *= (size_t)x->shape[i];
    return stride;
}

static int widest(const array *x, int axis, const float *values)
{
    int width = 0;
    for (int i = 0; i < x->shape[axis]; i = next_shown(x, axis, i)) {
        const float *at = values + (size_t)i * stride_of(x, axis);
        int one =
            axis + 1 < AXES ? widest(x, axis + 1, at) : snprintf(NULL, 0, "%.3f", (double)*at);
        width = one > width ? one : width;
    }
    return width;
}

/* Between two entries of an axis: a blank in a row, else as many line ends as axes are open. */
static void print_separator(const array *x, int axis)
{
    if (axis == AXES - 1) {
        cli_print(" ");
        return;
    }
    for (int i = axis; i < AXES - 1; i++)
        cli_print("\n");
    cli_print("%*s", axis + 1 - x->first, "");
}

static void print_axis(const array *x, int axis, const float *values)
{
    cli_print("[");
    for (int i = 0, next; i < x->shape[axis]; i = next) {
        const float *at = values + (size_t)i * stride_of(x, axis);
        if (axis + 1 < AXES)
            print_axis(x, axis + 1, at);
        else
            cli_print("%*.3f", x->width, (double)*at);
        next = next_shown(x, axis, i);
        if (next < x->shape[axis])
            print_separator(x, axis);
        if (next > i + 1 && next < x->shape[axis]) {
            cli_print("...");
            print_separator(x, axis);
        }
    }
    cli_print("]");
}

static void print_array(const char *name, array x)
{
    cli_print("%s (", name);
    for (int i = x.first; i < AXES; i++)
        cli_print("%s%d", i > x.first ? ", " : "", x.shape[i]);
    cli_print("):\n");
    x.elided = (size_t)x.shape[0] * stride_of(&x, 0) > ELIDE_ABOVE;
    x.width = widest(&x, x.first, x.values);
    print_axis(&x, x.first, x.values);
    cli_print("\n");
}

static int run_forward(float *logits, const float *images, cli_session *session,
                       const cli_options *options)
{
    cnn_predictor *predictor = NULL;
    int code = 0;
    CLI_TRY(cli_session_open_device(session, options));
    CLI_TRY(cli_check(cnn_predictor_create(&predictor, session->device, session->model, IMAGES,
                                           options->train.fuse)));
    CLI_TRY(cli_check(cnn_predictor_run(logits, predictor, images, IMAGES)));
out:
    cnn_predictor_destroy(predictor);
    return code;
}

int cmd_forward(cli_options *options)
{
    cli_session session = {0};
    float *images = NULL, *logits = NULL;
    int code = 0;
    CLI_TRY(cli_session_load_model(&session, options));
    const cnn_network *network = cnn_model_network(session.model);
    const int *xdim = cnn_network_input(network), classes = cnn_network_classes(network);
    size_t size = (size_t)xdim[0] * (size_t)xdim[1] * (size_t)xdim[2];
    images = cli_allocate(size, IMAGES * sizeof *images);
    logits = cli_allocate((size_t)classes, IMAGES * sizeof *logits);
    if (!images || !logits) {
        code = CLI_EXIT_FAILURE;
        goto out;
    }
    cnn_random_uniform(images, IMAGES * size, options->seed);
    CLI_TRY(run_forward(logits, images, &session, options));
    print_array("x", (array){.values = images, .shape = {IMAGES, xdim[0], xdim[1], xdim[2]}});
    print_array("y",
                (array){.values = logits, .first = AXES - 2, .shape = {1, 1, IMAGES, classes}});
out:
    free(images);
    free(logits);
    cli_session_finish(&session);
    return code;
}
