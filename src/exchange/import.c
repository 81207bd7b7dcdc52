/* A state_dict that PyTorch saved becomes a model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "exchange/exchange.h"
#include "model/format.h"
#include "net/network.h"

void cnn_import_options_init(cnn_import_options *options)
{
    *options = (cnn_import_options){.dropout = -1.0};
}

/* What the caller says takes the place of what is there. */
static void apply(cnn_config *config, const cnn_import_options *options)
{
    if (options->name)
        snprintf(config->name, sizeof config->name, "%s", options->name);
    if (options->xdim)
        memcpy(config->xdim, options->xdim, sizeof config->xdim);
    if (!(options->dropout < 0.0))
        config->dropout = options->dropout;
}

/* The options alone, before a file is read: what is wrong with them is the caller's fault. */
static cnn_status check_options(const cnn_import_options *options)
{
    cnn_config config;
    cnn_config_init(&config);
    apply(&config, options);
    if (options->name && strlen(options->name) >= sizeof config.name)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--name: expected at most %d characters, found %zu",
                        CNN_MAX_NAME - 1, strlen(options->name));
    return cnn_config_check(&config);
}

/* A file name for a shell, whatever is in it. */
static void append_quoted(cnn_text *text, const char *path, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        cnn_text_append_bytes(text, &path[i], 1);
        if (path[i] == '\'')
            cnn_text_append(text, "\\''");
    }
}

static cnn_status fail_pickle(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t length = strlen(path), stem = dot && dot > name ? (size_t)(dot - path) : length;
    cnn_text text = {0};
    char *paths = NULL;
    cnn_text_append(&text, "'");
    append_quoted(&text, path, length);
    cnn_text_append(&text, "' '");
    append_quoted(&text, path, stem);
    cnn_text_append(&text, ".safetensors'");
    cnn_status status = cnn_text_take(&paths, &text);
    if (status == CNN_OK)
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected a safetensors file, found a zip archive or a pickle: one "
                          "of torch.save() is converted "
                          "by: python3 -c \"import sys, torch, safetensors.torch as s; "
                          "s.save_file(torch.load(sys.argv[1], 'cpu', weights_only=True), "
                          "sys.argv[2])\" %s",
                          path, paths);
    free(paths);
    return status;
}

/* torch.save() writes a zip archive, or a pickle before PyTorch 1.6. Of a safetensors file the
 * first eight bytes are a length, whose upper half is zero. */
static cnn_status refuse_pickle(const char *path)
{
    unsigned char bytes[8] = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    bool is_length = memcmp(bytes + 4, (unsigned char[4]){0}, 4) == 0;
    bool is_pickle = memcmp(bytes, "PK\3\4", 4) == 0 || bytes[0] == 0x80;
    return count == sizeof bytes && is_pickle && !is_length ? fail_pickle(path) : CNN_OK;
}

static void log_conversions(const cnn_archive *archive)
{
    size_t converted = 0, last = 0;
    for (size_t i = 0; i < cnn_archive_count(archive); i++) {
        if (!cnn_archive_foreign_type(archive, i))
            continue;
        converted++;
        last = i;
    }
    if (converted > 0)
        cnn_log(CNN_LOG_INFO, "%s: %zu tensors of %s converted to float32",
                cnn_archive_path(archive), converted, cnn_archive_foreign_type(archive, last));
}

static cnn_status find_config(cnn_config *config, const cnn_archive *archive,
                              const cnn_import_options *options)
{
    const char *json = cnn_archive_metadata(archive, CNN_CONFIG_KEY);
    cnn_config_init(config);
    cnn_status status = json ? cnn_config_from_json(config, json, cnn_archive_path(archive))
                             : cnn_exchange_infer(config, archive, options);
    apply(config, options);
    return status;
}

cnn_status cnn_model_import(cnn_model **model, const char *path, const cnn_import_options *options)
{
    *model = NULL;
    cnn_status status = CNN_OK;
    cnn_archive *archive = NULL;
    cnn_config config;
    CNN_TRY(check_options(options));
    CNN_TRY(refuse_pickle(path));
    CNN_TRY(cnn_archive_read_any(&archive, path));
    CNN_TRY(find_config(&config, archive, options));
    log_conversions(archive);
    status = cnn_archive_to_model(model, &config, archive);
    if (status == CNN_ERROR_DATA && options->xdim)
        cnn_fail(status, "%s (with --xdim %d,%d,%d)", cnn_error_message(), config.xdim[0],
                 config.xdim[1], config.xdim[2]);
out:
    cnn_archive_destroy(archive);
    return status;
}
