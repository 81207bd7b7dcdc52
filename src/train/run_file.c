/* A run described in JSON. */
#include <cnncl/metrics.h>

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "data/place.h"
#include "train/options.h"
#include "train/trainer.h"

static json_t *count_to_json(size_t count)
{
    return json_integer((json_int_t)count);
}

cnn_status cnn_trainer_write_run(const cnn_trainer *trainer, const char *path)
{
    CNN_NEED(trainer, path);
    const cnn_device_info *info = &trainer->device->info;
    const cnn_data_options *data = cnn_dataset_options(trainer->dataset);
    const char *start = trainer->model->start;
    char *network = NULL, *text = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_network_to_json(&network, trainer->model->network));
    json_t *root = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
        trainer->model->network->name, "version", cnn_version(), "device",
        cnn_json_string(info->name), "platform", cnn_json_string(info->platform_name), "driver",
        cnn_json_string(info->driver), "data", cnn_json_string(cnn_dataset_home(trainer->dataset)),
        "coarse", data->coarse_labels, "skip_broken", data->skip_broken, "train_images",
        count_to_json(trainer->train_count), "val_images", count_to_json(trainer->val_count),
        "test_images", count_to_json(cnn_dataset_count(trainer->dataset, CNN_SPLIT_TEST)),
        "network", cnn_json_parse(network, strlen(network), 0, NULL), "options",
        cnn_train_options_to_json(&trainer->options), "init",
        start ? cnn_json_string(start) : json_null());
    CNN_TRY(cnn_json_to_text(&text, root));
    CNN_TRY(cnn_file_write_atomic(path, &(cnn_piece){text, strlen(text)}, 1));
out:
    free(network);
    free(text);
    return status;
}
