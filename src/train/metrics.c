#include <cnncl/metrics.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "train/epoch.h"
#include "train/trainer.h"

/* A file that lines are appended to. */
typedef struct log_file {
    char *path;
    int file; /* -1: none */
} log_file;

struct cnn_metrics {
    log_file csv, json;
};

static void append_json(cnn_text *text, const cnn_epoch *epoch)
{
    json_t *json = cnn_epoch_to_json(epoch);
    char *line = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (line)
        cnn_text_append(text, "%s\n", line);
    else
        text->failed = true;
    free(line);
    json_decref(json);
}

/* A line goes to the system in one piece: a program that is killed leaves no half of one, nor does
 * a disk that is full. */
static cnn_status write_text(const log_file *log, const char *text)
{
    struct stat before;
    bool regular = fstat(log->file, &before) == 0 && S_ISREG(before.st_mode);
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t count = write(log->file, text, size);
        if (count < 0 && errno != EINTR) {
            int code = errno;
            if (regular && ftruncate(log->file, before.st_size) != 0)
                cnn_log(CNN_LOG_DEBUG, "%s: its last line is torn", log->path);
            return cnn_fail(CNN_ERROR_FILE, "%s: cannot be written: %s", log->path, strerror(code));
        }
        if (count > 0) {
            text += count;
            size -= (size_t)count;
        }
    }
    return CNN_OK;
}

static bool is_special(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && !S_ISREG(info.st_mode); /* a link, /dev/stdout say, stays */
}

/* Starts the file with a text and opens it for more. */
static cnn_status open_log(log_file *log, const char *path, const char *text)
{
    cnn_text name = {0};
    cnn_status status = CNN_OK;
    bool special = is_special(path);
    cnn_text_append(&name, "%s", path);
    CNN_TRY(cnn_text_take(&log->path, &name));
    if (!special)
        CNN_TRY(cnn_file_write_atomic(path, &(cnn_piece){text, strlen(text)}, 1));
    log->file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log->file < 0) {
        status = cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
        goto out;
    }
    if (special)
        CNN_TRY(write_text(log, text));
out:
    return status;
}

cnn_status cnn_metrics_create(cnn_metrics **metrics, const cnn_trainer *trainer,
                              const char *csv_path, const char *json_path)
{
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
        CNN_TRY(open_log(&result->json, json_path, json_text));
    CNN_TRY(open_log(&result->csv, csv_path, csv_text));
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

static cnn_status append(const log_file *log, const cnn_epoch *epoch,
                         void (*format)(cnn_text *text, const cnn_epoch *epoch))
{
    cnn_text text = {0};
    char *line = NULL;
    if (log->file < 0)
        return CNN_OK;
    format(&text, epoch);
    cnn_status status = cnn_text_take(&line, &text);
    if (status == CNN_OK)
        status = write_text(log, line);
    free(line);
    return status;
}

cnn_status cnn_metrics_append(cnn_metrics *metrics, const cnn_epoch *epoch)
{
    cnn_status status = append(&metrics->csv, epoch, cnn_epoch_append_csv);
    return status == CNN_OK ? append(&metrics->json, epoch, append_json) : status;
}

static void close_log(log_file *log)
{
    if (log->file >= 0)
        close(log->file);
    free(log->path);
}

void cnn_metrics_destroy(cnn_metrics *metrics)
{
    if (!metrics)
        return;
    close_log(&metrics->csv);
    close_log(&metrics->json);
    free(metrics);
}
