/* Which devices passed, kept in the cache folder: a small text file for each device, driver,
 * version of the library, kernels and network. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cache.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "doctor/check.h"
#include "ocl/source.h"

enum { MAX_MEMO = 1 << 16 };

/* The network without its name, which no kernel knows. */
static cnn_status append_network(cnn_text *text, const cnn_network *network)
{
    cnn_config config = network->config;
    char *json;
    memset(config.name, 0, sizeof config.name);
    snprintf(config.name, sizeof config.name, "any");
    cnn_status status = cnn_config_to_json(&json, &config);
    if (status != CNN_OK)
        return status;
    cnn_text_append(text, "network %s\n", json);
    free(json);
    return CNN_OK;
}

/* All that a pass depends on. */
static cnn_status describe(char **key, const cnn_device *device, const cnn_network *network,
                           cnn_plan_kind kind)
{
    const cnn_device_info *info = &device->info;
    uint64_t digest;
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_source_digest(&digest));
    cnn_text_append(&text,
                    "cnn-cl %s computed right here:\ndevice %s\nplatform %s\nvendor %s\n"
                    "driver %s\nOpenCL %s\nkernels %s, digest %016" PRIx64 "\nplan %s%s\n",
                    cnn_version(), info->name, info->platform_name, info->vendor, info->driver,
                    info->opencl, device->kernel_class == CNN_KERNEL_CPU ? "cpu" : "gpu", digest,
                    kind.fuse ? "fused" : "plain", kind.pieces ? ", batches in pieces" : "");
    CNN_TRY(append_network(&text, network));
    status = cnn_text_take(key, &text);
out:
    cnn_text_finish(&text);
    return status;
}

/* Where the key is kept; NULL where nothing can be. */
static cnn_status find_path(char **path, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "passed-%016" PRIx64, cnn_hash_text(key));
    return cnn_cache_path(path, name);
}

cnn_status cnn_memo_find(bool *passed, const cnn_device *device, const cnn_network *network,
                         cnn_plan_kind kind)
{
    char *key = NULL, *path = NULL;
    void *found = NULL;
    size_t size;
    cnn_status status = CNN_OK;
    *passed = false;
    CNN_TRY(describe(&key, device, network, kind));
    CNN_TRY(find_path(&path, key));
    if (path && cnn_file_read(&found, &size, path, MAX_MEMO) == CNN_OK)
        *passed = strcmp(found, key) == 0;
out:
    free(key);
    free(path);
    free(found);
    return status;
}

cnn_status cnn_memo_write(bool passed, const cnn_device *device, const cnn_network *network,
                          cnn_plan_kind kind)
{
    char *key = NULL, *path = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(describe(&key, device, network, kind));
    CNN_TRY(find_path(&path, key));
    if (path && !passed)
        unlink(path);
    else if (path && cnn_file_write_atomic(path, &(cnn_piece){key, strlen(key)}, 1) != CNN_OK)
        cnn_log(CNN_LOG_DEBUG, "the check of the device is not remembered: %s",
                cnn_error_message());
out:
    free(key);
    free(path);
    return status;
}
