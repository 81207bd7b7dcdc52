#include "train/fingerprint.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"
#include "base/text.h"

static cnn_status hash_plan(char hash[CNN_HASH_SIZE], const cnn_plan *plan)
{
    cnn_text text = {0};
    char *steps = NULL;
    cnn_plan_append_rest(&text, plan); /* what is before gives the same, however it is computed */
    cnn_status status = cnn_text_take(&steps, &text);
    if (status == CNN_OK)
        cnn_hash(hash, &(cnn_piece){steps, strlen(steps)}, 1);
    free(steps);
    return status;
}

cnn_status cnn_fingerprint(json_t **json, const cnn_plan *plan)
{
    const cnn_device_info *info = &plan->device->info;
    char hash[CNN_HASH_SIZE];
    *json = NULL;
    cnn_status status = hash_plan(hash, plan);
    if (status != CNN_OK)
        return status;
    *json = json_pack("{s:o, s:o, s:o, s:s, s:s, s:s}", "device", cnn_json_string(info->name),
                      "platform", cnn_json_string(info->platform_name), "driver",
                      cnn_json_string(info->driver), "version", cnn_version(), "tuning",
                      cnn_device_tuning(plan->device), "plan", hash);
    return *json ? CNN_OK : cnn_fail(CNN_ERROR_MEMORY, "out of memory for a checkpoint");
}

cnn_status cnn_fingerprint_compare(const json_t *then, const cnn_plan *plan)
{
    json_t *now = NULL, *value;
    const char *key;
    cnn_status status = cnn_fingerprint(&now, plan);
    if (status != CNN_OK)
        return status;
    json_object_foreach(now, key, value)
    {
        const char *old = json_string_value(json_object_get(then, key));
        const char *new = json_string_value(value);
        char quoted[CNN_QUOTE_SIZE], other[CNN_QUOTE_SIZE];
        if (old && strcmp(old, new) == 0)
            continue;
        bool short_text = strcmp(key, "plan") != 0;
        cnn_log(CNN_LOG_WARNING,
                "the checkpoint was made with another %s%s%s%s%s: the last bits of the results may "
                "differ from those of a run in one go",
                key, short_text ? ": " : "", short_text && old ? cnn_quote(quoted, old) : "",
                short_text ? ", now " : "", short_text ? cnn_quote(other, new) : "");
    }
    json_decref(now);
    return CNN_OK;
}
