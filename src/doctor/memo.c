/* Which devices passed, kept in the cache folder: a small text file for each device, driver,
 * version of the library, kernels and network. Its name follows from these; what it says besides is
 * the last pass alone. */
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
#include "tensor/gemm.h"

enum { MAX_MEMO = 1 << 16 };

/* The network without its name, which no kernel knows. */
static cnn_status append_network(cnn_text *text, const cnn_network *network)
{
    char *arguments = NULL, *nodes = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_network_arguments(&arguments, network));
    CNN_TRY(cnn_network_to_text(&nodes, network));
    cnn_text_append(text, "network %s, %016" PRIx64 "\n", arguments, cnn_hash_text(nodes));
out:
    free(arguments);
    free(nodes);
    return status;
}

/* All that a pass depends on but for its matrix products. */
static cnn_status describe(char **key, const cnn_device *device, const cnn_network *network,
                           cnn_plan_kind kind)
{
    const cnn_device_info *info = &device->info;
    char flags[CNN_OPTIMIZER_FLAGS];
    uint64_t digest;
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_source_digest(&digest));
    cnn_optimizer_flags(flags, kind.trained);
    cnn_text_append(&text,
                    "cnn-cl %s computed right here:\ndevice %s\nplatform %s\nvendor %s\n"
                    "driver %s\nOpenCL %s\nkernels %s, digest %016" PRIx64 "\nplan %s%s%s%s\n"
                    "update %s %s\n",
                    cnn_version(), info->name, info->platform_name, info->vendor, info->driver,
                    info->opencl, device->kernel_class == CNN_KERNEL_CPU ? "cpu" : "gpu", digest,
                    device->exact ? "exact" : kind.fuse ? "fused" : "plain", kind.pieces ? ", batches in pieces" : "",
                    kind.augmented ? ", images changed" : "", kind.shaped ? ", loss shaped" : "",
                    cnn_optimizer_choose(kind.trained)->kernel, flags);
    CNN_TRY(append_network(&text, network));
    status = cnn_text_take(key, &text);
out:
    cnn_text_finish(&text);
    return status;
}

/* Where it is kept; NULL where nothing can be. */
static cnn_status find_path(char **path, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "passed-%016" PRIx64, cnn_hash_text(key));
    return cnn_cache_path(path, name);
}

/* The key and what else the file says: the products, where the plan has CLBlast do some; and what
 * was left out. */
static cnn_status compose(char **content, cnn_device *device, const cnn_network *network,
                          cnn_plan_kind kind, int batch, const char *key)
{
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    cnn_text_append(&text, "%s", key);
    if (cnn_has_products(device, network, kind.fuse)) {
        CNN_TRY(cnn_gemm_prepare(device)); /* the plan would, and it says which tuning is used */
        cnn_text_append(&text, "products of batch %d by CLBlast %s, tuning %s\n", batch,
                        cnn_gemm_library_version(), cnn_device_tuning(device));
    }
    status = cnn_text_take(content, &text);
out:
    cnn_text_finish(&text);
    return status;
}

static const char left_out_mark[] = "not checked: ";

/* What a file's text says behind what it must say: nothing more, or what was left out. */
static cnn_status judge(cnn_memo *memo, const char *rest)
{
    size_t mark = strlen(left_out_mark), length = strlen(rest);
    memo->passed = length == 0;
    if (!cnn_starts_with(rest, left_out_mark) || strchr(rest, '\n') != rest + length - 1)
        return CNN_OK;
    memo->passed = true;
    memo->left_out = strndup(rest + mark, length - mark - 1);
    return memo->left_out ? CNN_OK : cnn_fail_memory(length, "what was not checked");
}

cnn_status cnn_memo_find(cnn_memo *memo, cnn_device *device, const cnn_network *network,
                         cnn_plan_kind kind, int batch)
{
    char *key = NULL, *content = NULL, *path = NULL;
    void *found = NULL;
    size_t size;
    cnn_status status = CNN_OK;
    *memo = (cnn_memo){0};
    CNN_TRY(describe(&key, device, network, kind));
    CNN_TRY(find_path(&path, key));
    if (!path || !cnn_file_exists(path))
        goto out;
    if (cnn_cache_read(&found, &size, path, MAX_MEMO) != CNN_OK) {
        cnn_log(CNN_LOG_WARNING, "%s: the device is checked again", cnn_error_message());
        goto out;
    }
    CNN_TRY(compose(&content, device, network, kind, batch, key));
    if (cnn_starts_with(found, content))
        status = judge(memo, (char *)found + strlen(content));
out:
    free(key);
    free(content);
    free(path);
    free(found);
    return status;
}

cnn_status cnn_memo_write(const cnn_memo *memo, cnn_device *device, const cnn_network *network,
                          cnn_plan_kind kind, int batch)
{
    char *key = NULL, *content = NULL, *path = NULL;
    const char *left_out = memo->left_out;
    cnn_status status = CNN_OK;
    CNN_TRY(describe(&key, device, network, kind));
    CNN_TRY(find_path(&path, key));
    if (path && !memo->passed)
        unlink(path);
    if (!path || !memo->passed)
        goto out;
    CNN_TRY(compose(&content, device, network, kind, batch, key));
    const cnn_piece pieces[] = {{content, strlen(content)},
                                {left_out_mark, left_out ? strlen(left_out_mark) : 0},
                                {left_out, left_out ? strlen(left_out) : 0},
                                {"\n", left_out ? 1 : 0}};
    if (cnn_file_write_atomic(path, pieces, sizeof pieces / sizeof pieces[0]) != CNN_OK)
        cnn_log(CNN_LOG_DEBUG, "the check of the device is not remembered: %s",
                cnn_error_message());
out:
    free(key);
    free(content);
    free(path);
    return status;
}
