/* A run's folder, as it was read. */
#ifndef REPORT_RUN_H
#define REPORT_RUN_H

#include <cnncl/report.h>

#include "base/json.h"

/* A row of NAME.metrics.csv. NaN: there is no value; infinite: there is one that is no number. */
typedef struct cnn_metric {
    int epoch; /* -1 before training */
    double step, loss, train_accuracy, val_accuracy, test_accuracy, seconds, images_per_second,
        learning_rate;
} cnn_metric;

struct cnn_run {
    char *folder, *name;
    char *model_path, *metrics_path, *json_path;
    bool has_metrics;
    cnn_metric *metrics; /* (metric_count), by epoch */
    size_t metric_count;
    json_t *json; /* of NAME.run.json; NULL where there is none */
};

/* Reads NAME.metrics.csv. Errors: FILE, DATA, MEMORY. */
cnn_status cnn_metrics_read(cnn_metric **metrics, size_t *count, const char *path);

/* Reads NAME.run.json, and checks the fields that are known. Errors: FILE, DATA, MEMORY. */
cnn_status cnn_run_json_read(json_t **json, const char *path);

/* A field's text, or the member's of an object in it; NULL where it is not there. */
const char *cnn_run_text(const cnn_run *run, const char *key);
/* A field's number; -1 where it is not there. */
int64_t cnn_run_number(const cnn_run *run, const char *key);

#endif
