/* A checkpoint: its seal, the header, the run's options and place, the history, the tensors. */
#include "fuzz.h"
#include "fuzz_archive.h"
#include "train/checkpoint.h"
#include "train/epoch.h"

/* As cnn_trainer_resume() takes it, and as the metrics are written again. */
static void read_history(const cnn_checkpoint *checkpoint)
{
    cnn_text text = {0};
    const json_t *list = json_object_get(checkpoint->json, "history");
    for (size_t i = 0; i < json_array_size(list); i++) {
        cnn_epoch epoch;
        if (!cnn_epoch_from_json(&epoch, json_array_get(list, i)))
            break;
        cnn_epoch_append_csv(&text, &epoch);
        json_decref(cnn_epoch_to_json(&epoch));
    }
    cnn_text_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_checkpoint *checkpoint;
    cnn_config usual;
    cnn_network *other = NULL;
    if (cnn_checkpoint_load(&checkpoint, fuzz_archive(data, size, true)) != CNN_OK)
        return 0;
    const cnn_network *network = cnn_checkpoint_network(checkpoint);
    const cnn_train_options *options = cnn_checkpoint_options(checkpoint);
    cnn_config_init(&usual);
    if (cnn_network_create(&other, &usual) == CNN_OK)
        (void)cnn_checkpoint_match(checkpoint, other, options, NULL, checkpoint->data_hash);
    if (cnn_checkpoint_match(checkpoint, network, options, NULL, checkpoint->data_hash) == CNN_OK)
        read_history(checkpoint);
    cnn_network_destroy(other);
    cnn_checkpoint_destroy(checkpoint);
    return 0;
}
