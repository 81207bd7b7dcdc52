/* Times training steps and evaluation through the public API: scripts/bench.sh runs it beside
 * PyTorch. Options are pairs, --NAME VALUE: those of the network (--xdim, --cdims, --batchnorm true
 * and so on), and --batch, --steps, --repeats, --eval-images, --data, --device, --fuse.
 * Prints one line of JSON: medians in milliseconds, the process's peak memory in MB (2^20). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cnncl/cnncl.h>

enum { MAX_REPEATS = 1000 };

typedef struct bench {
    cnn_config config;
    int batch, steps, repeats, eval_images;
    const char *net;             /* a preset, or a network file; NULL for the options' network */
    const char *text, *onnx;     /* where to write the network, instead of a measurement; or NULL */
    const char *data;            /* a folder of IDX files; NULL for random images */
    const char *device;          /* a selector; NULL for the default */
    int fuse;                    /* 1: use fused steps */
    double seconds[MAX_REPEATS]; /* of each measured epoch or evaluation */
    int count;                   /* of them */
} bench;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the seconds. */
static double median(bench *b)
{
    qsort(b->seconds, (size_t)b->count, sizeof b->seconds[0], compare);
    return 0.5 * (b->seconds[(b->count - 1) / 2] + b->seconds[b->count / 2]);
}

static void set_option(bench *b, const char *name, const char *value)
{
    const struct {
        const char *name;
        int *number;
        const char **text;
        int largest;
    } options[] = {
        {"batch", &b->batch, NULL, 1 << 20},
        {"steps", &b->steps, NULL, 1 << 20},
        {"repeats", &b->repeats, NULL, MAX_REPEATS},
        {"eval-images", &b->eval_images, NULL, 1 << 20},
        {"net", NULL, &b->net, 0},
        {"text", NULL, &b->text, 0},
        {"onnx", NULL, &b->onnx, 0},
        {"data", NULL, &b->data, 0},
        {"device", NULL, &b->device, 0},
        {"fuse", &b->fuse, NULL, 1},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(name, options[i].name) != 0)
            continue;
        if (options[i].text) {
            *options[i].text = value;
            return;
        }
        int smallest = options[i].number == &b->fuse ? 0 : 1;
        char *end;
        long number = strtol(value, &end, 10);
        if (*end || end == value || number < smallest || number > options[i].largest) {
            fprintf(stderr, "bench_step: expected --%s from %d to %d, found '%s'\n", name, smallest,
                    options[i].largest, value);
            exit(2);
        }
        *options[i].number = (int)number;
        return;
    }
    if (cnn_config_set(&b->config, name, value) != CNN_OK) {
        fprintf(stderr, "bench_step: %s\n", cnn_error_message());
        exit(2);
    }
}

static void parse(bench *b, int argc, char **argv)
{
    *b = (bench){.batch = 256, .steps = 20, .repeats = 3, .eval_images = 10000, .fuse = 1};
    cnn_config_init(&b->config);
    for (int i = 1; i < argc; i += 2) {
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 == argc) {
            fprintf(stderr, "bench_step: expected --NAME VALUE, found '%s'\n", argv[i]);
            exit(2);
        }
        set_option(b, argv[i] + 2, argv[i + 1]);
    }
}

/* bound values below 256, the same ones in every run. */
static uint8_t *random_bytes(size_t count, unsigned bound)
{
    uint8_t *bytes = malloc(count);
    uint32_t state = 1;
    for (size_t i = 0; bytes && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)((state >> 24) % bound);
    }
    return bytes;
}

static cnn_status create_random(cnn_dataset **dataset, const bench *b, const cnn_network *network,
                                size_t train, size_t test)
{
    const int *shape = cnn_network_input(network); /* C, H, W */
    size_t classes = (size_t)cnn_network_classes(network);
    size_t pixels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    size_t most = train > test ? train : test;
    uint8_t *images = random_bytes(most * pixels, 256); /* (most, C, H, W) */
    uint16_t *labels = malloc(most * sizeof *labels);   /* (most) */
    for (size_t i = 0; labels && i < most; i++)
        labels[i] = (uint16_t)(i % classes);
    cnn_status status = CNN_ERROR_MEMORY;
    (void)b;
    if (images && labels)
        status = cnn_dataset_create(dataset, shape, images, labels, train, images, labels, test);
    free(images);
    free(labels);
    return status;
}

/* The first images of a data set, as many as the measurement takes. */
static cnn_status create_part(cnn_dataset **dataset, const bench *b, const cnn_network *network,
                              size_t train, size_t test)
{
    cnn_dataset *whole = NULL;
    (void)network;
    cnn_status status = cnn_dataset_load(&whole, b->data);
    if (status != CNN_OK)
        return status;
    if (train > cnn_dataset_count(whole, CNN_SPLIT_TRAIN))
        train = cnn_dataset_count(whole, CNN_SPLIT_TRAIN);
    if (test > cnn_dataset_count(whole, CNN_SPLIT_TEST))
        test = cnn_dataset_count(whole, CNN_SPLIT_TEST);
    status = cnn_dataset_create(
        dataset, cnn_dataset_shape(whole), cnn_dataset_images(whole, CNN_SPLIT_TRAIN),
        cnn_dataset_labels(whole, CNN_SPLIT_TRAIN), train,
        cnn_dataset_images(whole, CNN_SPLIT_TEST), cnn_dataset_labels(whole, CNN_SPLIT_TEST), test);
    cnn_dataset_destroy(whole);
    return status;
}

/* The first epoch warms up. */
static bool note_epoch(const cnn_epoch *epoch, void *user)
{
    bench *b = user;
    if (epoch->index > 0 && b->count < MAX_REPEATS)
        b->seconds[b->count++] = epoch->seconds;
    return true;
}

static cnn_status time_training(double *milliseconds, bench *b, cnn_device *device,
                                cnn_model *model, const cnn_dataset *dataset)
{
    cnn_train_options options;
    cnn_train_options_init(&options);
    options.batch = b->batch;
    options.epochs = b->repeats + 1;
    options.print_every = options.epochs;
    options.fuse = b->fuse != 0;
    cnn_train_callbacks callbacks = {.on_epoch = note_epoch, .user = b};
    cnn_trainer *trainer = NULL;
    b->count = 0;
    cnn_status status = cnn_trainer_create(&trainer, device, model, dataset, &options);
    if (status == CNN_OK)
        status = cnn_trainer_run(trainer, &callbacks);
    cnn_trainer_destroy(trainer);
    size_t images = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN);
    size_t steps = (images + (size_t)b->batch - 1) / (size_t)b->batch;
    if (status == CNN_OK)
        *milliseconds = 1e3 * median(b) / (double)steps;
    return status;
}

static cnn_status time_evaluation(double *milliseconds, bench *b, cnn_device *device,
                                  const cnn_model *model, const cnn_dataset *dataset)
{
    cnn_predictor *predictor = NULL;
    cnn_evaluation evaluation;
    b->count = 0;
    cnn_status status = cnn_predictor_create(&predictor, device, model, b->batch, b->fuse != 0);
    for (int i = 0; status == CNN_OK && i <= b->repeats; i++) {
        double start = now();
        status = cnn_predictor_evaluate(&evaluation, predictor, dataset, CNN_SPLIT_TEST);
        if (i > 0 && b->count < MAX_REPEATS)
            b->seconds[b->count++] = now() - start;
    }
    cnn_predictor_destroy(predictor);
    size_t images = cnn_dataset_count(dataset, CNN_SPLIT_TEST);
    if (status == CNN_OK)
        *milliseconds = 1e3 * median(b) * b->batch / (double)images;
    return status;
}

static void print_text(const char *key, const char *text)
{
    printf("\"%s\": \"", key);
    for (; *text; text++)
        if ((unsigned char)*text >= ' ' && *text != '"' && *text != '\\')
            putchar(*text);
    printf("\", ");
}

static void print_result(const cnn_device_info *info, double train_ms, double eval_ms)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    putchar('{');
    print_text("device", info->name);
    print_text("platform", info->platform_name);
    print_text("driver", info->driver);
    printf("\"train_ms_per_step\": %.4f, \"eval_ms_per_batch\": %.4f, \"peak_rss_mb\": %.1f}\n",
           train_ms, eval_ms, (double)usage.ru_maxrss / 1024);
}

/* The model that is measured: of a preset or a file, or of the options. */
static cnn_status create_model(cnn_model **model, const bench *b)
{
    char *path = NULL;
    cnn_network *network = NULL;
    if (!b->net)
        return cnn_model_create(model, &b->config, 0);
    cnn_status status = CNN_OK;
    if (!strchr(b->net, '/'))
        status = cnn_network_preset(&path, b->net);
    if (status == CNN_OK)
        status = cnn_network_from_file(&network, "net", path ? path : b->net, NULL);
    if (status == CNN_OK)
        status = cnn_model_create_network(model, network, 0);
    cnn_network_destroy(network);
    cnn_string_free(path);
    return status;
}

/* The network for the other sides, which are not to read presets. */
static cnn_status write_network(const bench *b, const cnn_model *model)
{
    char *text = NULL;
    if (b->onnx)
        return cnn_model_export_onnx(model, b->onnx);
    cnn_status status = cnn_network_to_text(&text, cnn_model_network(model));
    FILE *file = status == CNN_OK ? fopen(b->text, "w") : NULL;
    bool written = file && fputs(text, file) >= 0;
    if (file && fclose(file) != 0)
        written = false;
    if (status == CNN_OK && !written) {
        perror(b->text);
        exit(EXIT_FAILURE);
    }
    cnn_string_free(text);
    return status;
}

static cnn_status run(bench *b, cnn_model *model)
{
    double train_ms = 0, eval_ms = 0;
    cnn_dataset *dataset = NULL;
    cnn_device *device = NULL;
    size_t train = (size_t)b->steps * (size_t)b->batch, test = (size_t)b->eval_images;
    cnn_status status =
        (b->data ? create_part : create_random)(&dataset, b, cnn_model_network(model), train, test);
    if (status == CNN_OK)
        status = cnn_device_create(&device, b->device);
    if (status == CNN_OK)
        status = time_training(&train_ms, b, device, model, dataset);
    if (status == CNN_OK)
        status = time_evaluation(&eval_ms, b, device, model, dataset);
    if (status == CNN_OK)
        print_result(cnn_device_get_info(device), train_ms, eval_ms);
    cnn_device_destroy(device);
    cnn_dataset_destroy(dataset);
    return status;
}

int main(int argc, char **argv)
{
    bench b;
    cnn_model *model = NULL;
    parse(&b, argc, argv);
    cnn_status status = create_model(&model, &b);
    if (status == CNN_OK)
        status = b.text || b.onnx ? write_network(&b, model) : run(&b, model);
    if (status != CNN_OK)
        fprintf(stderr, "bench_step: %s\n", cnn_error_message());
    cnn_model_destroy(model);
    return status == CNN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
