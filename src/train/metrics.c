#include <cnncl/metrics.h>

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "train/epoch.h"
#include "train/log_file.h"
#include "train/trainer.h"

struct cnn_metrics {
    cnn_log_file csv, json;
};

static void append_json(cnn_text *text, const cnn_epoch *epoch)
{
    json_t *json = cnn_epoch_to_json(epoch);
    char *line = json ? cnn_json_dump(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (line)
        cnn_text_append(text, "%s\n", line);
    else
        text->failed = true;
    free(line);
    json_decref(json);
}

cnn_status cnn_metrics_create(cnn_metrics **metrics, const cnn_trainer *trainer,
                              const char *csv_path, const char *json_path)
{
    CNN_NEED(metrics, trainer, csv_path);
    cnn_metrics *result = NULL;
    cnn_text csv = {0}, json = {0};
    char *csv_text = NULL, *json_text = NULL;
    cnn_status status = CNN_OK;
    *metrics = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "the metrics"));
    result->csv.file = result->json.file = -1;
    cnn_epoch_append_header(&csv);
    for (size_t i = 0; i < trainer->history_count; i++) {
        cnn_epoch_append_csv(&csv, &trainer->history[i]);
        append_json(&json, &trainer->history[i]);
    }
    CNN_TRY(cnn_text_take(&csv_text, &csv));
    CNN_TRY(cnn_text_take(&json_text, &json));
    if (json_path)
        CNN_TRY(cnn_log_file_open(&result->json, json_path, json_text, true));
    CNN_TRY(cnn_log_file_open(&result->csv, csv_path, csv_text, false));
    *metrics = result;
    result = NULL;
out:
    cnn_text_finish(&csv);
    cnn_text_finish(&json);
    free(csv_text);
    free(json_text);
    cnn_metrics_destroy(result);
    return status;
}

static cnn_status append(cnn_log_file *log, const cnn_epoch *epoch,
                         void (*format)(cnn_text *text, const cnn_epoch *epoch))
{
    cnn_text text = {0};
    char *line = NULL;
    if (!log->path)
        return CNN_OK;
    format(&text, epoch);
    cnn_status status = cnn_text_take(&line, &text);
    if (status == CNN_OK)
        status = cnn_log_file_append(log, line);
    free(line);
    return status;
}

cnn_status cnn_metrics_append(cnn_metrics *metrics, const cnn_epoch *epoch)
{
    CNN_NEED(metrics, epoch);
    CNN_NEED(epoch->device);
    cnn_status status = append(&metrics->csv, epoch, cnn_epoch_append_csv);
    return status == CNN_OK ? append(&metrics->json, epoch, append_json) : status;
}

void cnn_metrics_destroy(cnn_metrics *metrics)
{
    if (!metrics)
        return;
    cnn_log_file_close(&metrics->csv);
    cnn_log_file_close(&metrics->json);
    free(metrics);
}
