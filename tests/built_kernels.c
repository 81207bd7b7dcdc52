/* For a look at the kernels without a device: what the library builds for some networks, in both
 * kernel classes. Writes each source, expanded, into a folder, and prints a line for each: its
 * file there, the kernel file, the options. built_kernels FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/bench.h"
#include "net/network.h"
#include "ocl/source.h"
#include "plan/plan.h"

enum { BATCH = 32, LINE = 512 };

typedef struct example {
    int xdim[3], ksize, cdim_count, cdims[3], hdim_count, hdims[2];
    bool batchnorm;
    double dropout;
} example;

/* The notebook's; large with batch norm; unusual kernels and planes; without a block. */
static const example examples[] = {
    {{1, 28, 28}, 3, 2, {32, 64}, 1, {32}, false, 0.5},
    {{3, 32, 32}, 3, 3, {32, 64, 128}, 1, {128}, true, 0.5},
    {{3, 11, 7}, 2, 2, {5, 6}, 0, {0}, true, 0.0},
    {{1, 28, 28}, 5, 1, {16}, 1, {32}, false, 0.0},
    {{2, 9, 9}, 3, 0, {0}, 2, {32, 16}, false, 0.0},
};

static const char *folder;
static char *kernels;
static int written;

static void leave_unless(bool good)
{
    if (good)
        return;
    fprintf(stderr, "built_kernels: %s\n", cnn_error_message());
    exit(EXIT_FAILURE);
}

/* "built FILE, options OPTIONS: the driver's log" */
static void take_line(cnn_log_level level, const char *line, void *user)
{
    char file[LINE], name[64], path[2 * LINE], *source;
    (void)level;
    (void)user;
    const char *options = strstr(line, ", options ");
    if (strncmp(line, "built ", 6) != 0 || !options)
        return;
    snprintf(file, sizeof file, "%.*s", (int)(options - line - 6), line + 6);
    options += strlen(", options ");
    leave_unless(cnn_source_load(&source, kernels, file) == CNN_OK);
    snprintf(name, sizeof name, "%d.cl", written++);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *output = fopen(path, "w");
    if (!output || fputs(source, output) < 0 || fclose(output) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    printf("%s %s %.*s\n", name, file, (int)strcspn(options, ":"), options);
    free(source);
}

/* The kinds that the family does not have. */
static const char kinds[] = "input(2, 9, 8)\n"
                            "Conv2d(4, 3, padding=1, groups=2, bias=false)\n"
                            "Conv2d(4, (3, 1), padding=(1, 0), groups=4)\n"
                            "GroupNorm(2)\n"
                            "BatchNorm2d(affine=false)\n"
                            "SiLU()\n"
                            "ReLU6()\n"
                            "LeakyReLU()\n"
                            "GELU()\n"
                            "GELU(approximate=tanh)\n"
                            "Hardswish()\n"
                            "Tanh()\n"
                            "Scale(0.5)\n"
                            "MaxPool2d(3, stride=2, padding=1)\n"
                            "p = AvgPool2d(2, stride=1)\n"
                            "q = Dropout(0.4)\n"
                            "AdaptiveAvgPool2d(1)\n"
                            "s = Sigmoid()\n"
                            "m = Mul(q, s)\n"
                            "a = Add(m, p)\n"
                            "Concat(a, p)\n"
                            "Conv2d(3, 1, stride=2)\n"
                            "AdaptiveAvgPool2d(1)\n";

/* The fusions of networks that are not the family's. */
static const char fusions[] = "input(3, 9, 8)\n"
                              "Conv2d(17, 1)\n"
                              "r = ReLU()\n"
                              "Conv2d(17, 3, padding=1)\n"
                              "b = BatchNorm2d()\n"
                              "Add(b, r)\n"
                              "ReLU()\n"
                              "Conv2d(32, 3, padding=1)\n"
                              "BatchNorm2d()\n"
                              "ReLU6()\n"
                              "AdaptiveAvgPool2d(1)\n";

/* Many channels. */
static const char wide[] = "input(160, 6, 7)\n"
                           "Conv2d(208, 3, padding=1)\n"
                           "ReLU()\n"
                           "AdaptiveAvgPool2d(1)\n";

static void build_all(cnn_device *device, const cnn_network *network)
{
    for (int i = 0; i < 4; i++) {
        cnn_plan *plan;
        cnn_plan_options options = {
            .batch = BATCH, .training = i & 1, .fuse = i & 2, .slots = 1, .whole = 2 * BATCH};
        leave_unless(cnn_plan_create(&plan, device, network, options) == CNN_OK);
        cnn_plan_destroy(plan);
    }
}

/* What trains behind frozen layers, the first convolutions here, in slices. */
static void build_rest(cnn_device *device, const cnn_network *network)
{
    static const bool frozen[sizeof kinds] = {true, true};
    cnn_plan *plan;
    cnn_plan_options options = {.batch = BATCH,
                                .training = true,
                                .slots = 1,
                                .whole = 2 * BATCH,
                                .slices = 2,
                                .frozen = frozen,
                                .part = CNN_PART_REST};
    leave_unless(cnn_plan_create(&plan, device, network, options) == CNN_OK);
    cnn_plan_destroy(plan);
}

/* Images of one, of three and of other channels, changed on their way in. */
static void build_augmented(cnn_device *device)
{
    const cnn_augmentation flip = {.flip = true};
    for (int channels = 1; channels <= 3; channels++) {
        cnn_augment augment = {0};
        leave_unless(cnn_augment_init(&augment, device, (cnn_shape){channels, 5, 4}, BATCH,
                                      &flip) == CNN_OK);
        cnn_augment_finish(&augment);
    }
}

static void build_text(cnn_device *device, const char *text)
{
    cnn_network *network;
    leave_unless(cnn_network_from_text(&network, "text", text, "text", NULL) == CNN_OK);
    build_all(device, network);
    build_rest(device, network);
    cnn_network_destroy(network);
}

static void build_plans(cnn_device *device, const example *at)
{
    cnn_config config;
    cnn_network *network;
    cnn_config_init(&config);
    memcpy(config.xdim, at->xdim, sizeof at->xdim);
    memcpy(config.cdims, at->cdims, sizeof at->cdims);
    memcpy(config.hdims, at->hdims, sizeof at->hdims);
    config.ksize = at->ksize;
    config.cdim_count = at->cdim_count;
    config.hdim_count = at->hdim_count;
    config.batchnorm = at->batchnorm;
    config.dropout = at->dropout;
    leave_unless(cnn_network_create(&network, &config) == CNN_OK);
    build_all(device, network);
    cnn_network_destroy(network);
}

static void build_class(const char *kernel_class)
{
    cnn_device *device;
    cnn_bench_summary peaks;
    setenv("CNN_CL_KERNEL_CLASS", kernel_class, 1);
    leave_unless(cnn_device_create(&device, NULL) == CNN_OK);
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        build_plans(device, &examples[i]);
    build_text(device, kinds);
    build_text(device, fusions);
    build_text(device, wide);
    build_augmented(device);
    leave_unless(cnn_device_use_exact(device, true) == CNN_OK);
    build_text(device, kinds);
    build_augmented(device);
    leave_unless(cnn_device_use_exact(device, false) == CNN_OK);
    leave_unless(cnn_bench_measure_peaks(&peaks, device) == CNN_OK);
    cnn_device_destroy(device);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "built_kernels: expected a folder\n");
        return 2;
    }
    folder = argv[1];
    leave_unless(cnn_kernel_folder(&kernels) == CNN_OK);
    cnn_log_set_callback(take_line, NULL);
    build_class("cpu");
    build_class("gpu");
    free(kernels);
    return EXIT_SUCCESS;
}
