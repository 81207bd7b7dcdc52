/* Writes what the library writes, and reads it again, in a program whose locale is argv[2] and
 * changes while the library is at work: write_all FOLDER LOCALE. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnncl/cnncl.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != CNN_OK) {                                                                    \
            fprintf(stderr, "%s: %s\n", #call, cnn_error_message());                               \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 4, COUNT = 96, TESTS = 48 };

static const char *folder, *name;

static char *path(const char *file)
{
    static char paths[16][512];
    static int next;
    char *at = paths[next++ % 16];
    snprintf(at, sizeof paths[0], "%s/%s", folder, file);
    return at;
}

static cnn_dataset *make_dataset(void)
{
    static float noise[(COUNT + TESTS) * PIXELS];
    static uint8_t images[(COUNT + TESTS) * PIXELS];
    static uint16_t labels[COUNT + TESTS];
    const int shape[3] = {1, SIDE, SIDE};
    cnn_dataset *dataset;
    cnn_random_uniform(noise, (COUNT + TESTS) * PIXELS, 1);
    for (size_t i = 0; i < (COUNT + TESTS) * PIXELS; i++)
        images[i] = (uint8_t)(noise[i] * 200.0f);
    for (size_t i = 0; i < COUNT + TESTS; i++)
        labels[i] = (uint16_t)(i % CLASSES);
    TRY(cnn_dataset_create(&dataset, shape, images, labels, COUNT, images + (size_t)COUNT * PIXELS,
                           labels + COUNT, TESTS));
    return dataset;
}

typedef struct run {
    cnn_trainer *trainer;
    cnn_metrics *metrics;
} run;

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    run *at = user;
    setlocale(LC_ALL, epoch->index % 2 ? name : "C");
    if (at->metrics)
        TRY(cnn_metrics_append(at->metrics, epoch));
    else
        TRY(cnn_metrics_create(&at->metrics, at->trainer, path("cnn.metrics.csv"), path("log")));
    setlocale(LC_ALL, name);
    return true;
}

static bool on_checkpoint(void *user)
{
    run *at = user;
    TRY(cnn_trainer_save(at->trainer, path("cnn.ckpt.safetensors"), NULL));
    return true;
}

static void train(cnn_device *device, cnn_model *model, cnn_dataset *dataset)
{
    run at = {0};
    cnn_train_callbacks callbacks = {
        .on_epoch = on_epoch, .on_checkpoint = on_checkpoint, .user = &at};
    cnn_train_options options;
    cnn_checkpoint *checkpoint;
    cnn_train_options_init(&options);
    TRY(cnn_train_options_set(&options, "lr", "1.5e-2"));
    TRY(cnn_train_options_set(&options, "val-split", "0.25"));
    options.epochs = 3;
    options.batch = 16;
    TRY(cnn_trainer_create(&at.trainer, device, model, dataset, &options));
    TRY(cnn_trainer_run(at.trainer, &callbacks));
    TRY(cnn_trainer_write_run(at.trainer, path("cnn.run.json")));
    cnn_metrics_destroy(at.metrics);
    cnn_trainer_destroy(at.trainer);
    TRY(cnn_checkpoint_load(&checkpoint, path("cnn.ckpt.safetensors")));
    if (cnn_checkpoint_options(checkpoint)->lr != 1.5e-2)
        exit(2);
    cnn_checkpoint_destroy(checkpoint);
}

static void write_report(cnn_device *device, cnn_model *model, cnn_dataset *dataset)
{
    static cnn_prediction predictions[TESTS];
    cnn_evaluation evaluation;
    cnn_predictor *predictor;
    cnn_bench *bench;
    cnn_bench_options options;
    cnn_run *found;
    char *text;
    cnn_bench_options_init(&options);
    options.batch = 16;
    options.steps = 2;
    options.peaks = false;
    TRY(cnn_bench_run(&bench, device, model, &options));
    TRY(cnn_bench_write_trace(bench, path("trace.json")));
    TRY(cnn_bench_to_json(&text, bench));
    FILE *file = fopen(path("bench.json"), "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        exit(1);
    cnn_string_free(text);
    TRY(cnn_predictor_create(&predictor, device, model, 16, true));
    TRY(cnn_predictor_evaluate_samples(&evaluation, predictions, predictor, dataset,
                                       CNN_SPLIT_TEST));
    cnn_report_content content = {.model = model,
                                  .device = cnn_device_get_info(device),
                                  .dataset = dataset,
                                  .evaluation = &evaluation,
                                  .predictions = predictions,
                                  .bench = bench};
    TRY(cnn_run_open(&found, folder, NULL));
    TRY(cnn_report_write(found, &content));
    cnn_run_destroy(found);
    cnn_predictor_destroy(predictor);
    cnn_bench_destroy(bench);
}

int main(int argc, char **argv)
{
    cnn_config config;
    cnn_device *device;
    cnn_model *model, *loaded;
    if (argc != 3)
        return 2;
    folder = argv[1];
    name = argv[2];
    if (!setlocale(LC_ALL, name)) {
        fprintf(stderr, "no locale %s\n", name);
        return 77;
    }
    cnn_config_init(&config);
    TRY(cnn_config_set(&config, "cdims", "4"));
    TRY(cnn_config_set(&config, "hdims", "8"));
    TRY(cnn_config_set(&config, "xdim", "1,8,8"));
    TRY(cnn_config_set(&config, "ydim", "4"));
    TRY(cnn_config_set(&config, "dropout", "0.125"));
    if (cnn_config_set(&config, "dropout", "0,25") == CNN_OK || config.dropout != 0.125)
        return 2;
    TRY(cnn_device_create(&device, NULL));
    TRY(cnn_model_create(&model, &config, 1));
    cnn_dataset *dataset = make_dataset();
    train(device, model, dataset);
    TRY(cnn_model_save(model, path("cnn.safetensors")));
    TRY(cnn_model_export_onnx(model, path("cnn.onnx")));
    TRY(cnn_model_export_npz(model, path("cnn.npz")));
    TRY(cnn_model_load(&loaded, path("cnn.safetensors")));
    if (cnn_network_config(cnn_model_network(loaded))->dropout != 0.125)
        return 2;
    write_report(device, model, dataset);
    config.dropout = 1.5;
    if (cnn_network_create(&(cnn_network *){NULL}, &config) == CNN_OK)
        return 2;
    puts(cnn_error_message());
    cnn_model_destroy(loaded);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
    cnn_device_destroy(device);
    return 0;
}
