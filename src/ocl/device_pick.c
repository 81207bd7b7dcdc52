/* Which device a selector names. */
#include <cnncl/device.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "ocl/device_list.h"

/* A selector, and how messages name it. */
struct selection {
    const cnn_device_list *list;
    const char *selector;
    const char *source; /* "CNN_CL_DEVICE=" or "device " */
};

static void append_choices(cnn_text *text, const cnn_device_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const cnn_device_info *info = &list->entries[i].info;
        cnn_text_append(text, "%s%zu = %s (%s, %d:%d, %s)", i ? ", " : "", i, info->name,
                        cnn_device_type_name(info->type), info->platform, info->device,
                        info->platform_name);
    }
}

/* Fails with what is wrong with the selector, and the devices there are. */
static cnn_status fail_pick(const struct selection *selection, const char *wrong)
{
    cnn_text text = {0};
    char *choices;
    append_choices(&text, selection->list);
    cnn_status status = cnn_text_take(&choices, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_DEVICE, "%s\"%s\": %s; the usable devices are %s",
                      selection->source, selection->selector, wrong, choices);
    free(choices);
    return status;
}

static cnn_status fail_unusable(const struct selection *selection, const cnn_device_info *info)
{
    char wrong[sizeof info->name + sizeof info->reason + 32];
    snprintf(wrong, sizeof wrong, "%s is not usable: %s", info->name, info->reason);
    return fail_pick(selection, wrong);
}

/* "P:D", two integers. */
static bool parse_pair(int64_t pair[2], const char *selector)
{
    char first[16];
    const char *colon = strchr(selector, ':');
    if (!colon || (size_t)(colon - selector) >= sizeof first)
        return false;
    memcpy(first, selector, (size_t)(colon - selector));
    first[colon - selector] = '\0';
    return cnn_parse_int(&pair[0], first, 0, INT32_MAX) &&
           cnn_parse_int(&pair[1], colon + 1, 0, INT32_MAX);
}

static cnn_status pick_pair(size_t *index, const struct selection *selection, const int64_t pair[2])
{
    const cnn_device_list *list = selection->list;
    for (size_t i = 0; i < list->total; i++) {
        const cnn_device_info *info = &list->entries[i].info;
        if (info->platform != pair[0] || info->device != pair[1])
            continue;
        if (i >= list->count)
            return fail_unusable(selection, info);
        *index = i;
        return CNN_OK;
    }
    return fail_pick(selection, "no such platform:device");
}

static cnn_status pick_name(size_t *index, const struct selection *selection)
{
    const cnn_device_list *list = selection->list;
    const cnn_device_info *unusable = NULL;
    size_t found = 0;
    for (size_t i = 0; i < list->total; i++) {
        const cnn_device_info *info = &list->entries[i].info;
        if (!cnn_contains_ignoring_case(info->name, selection->selector) &&
            !cnn_contains_ignoring_case(info->platform_name, selection->selector))
            continue;
        if (i >= list->count) {
            unusable = unusable ? unusable : info;
        } else {
            *index = i;
            found++;
        }
    }
    if (found == 1)
        return CNN_OK;
    if (found == 0 && unusable)
        return fail_unusable(selection, unusable);
    return fail_pick(selection,
                     found ? "fits several devices" : "no device or platform name has this part");
}

static cnn_status fail_absent(const cnn_device_list *list)
{
    cnn_text text = {0};
    char *line;
    cnn_device_explain_absence(&text, list);
    cnn_status status = cnn_text_take(&line, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_DEVICE, "%s", line);
    free(line);
    return status;
}

cnn_status cnn_device_list_pick(size_t *index, const cnn_device_list *list, const char *selector)
{
    CNN_NEED(index, list);
    struct selection selection = {list, selector, "device "};
    int64_t pair[2], number;

    *index = 0;
    if (list->count == 0)
        return fail_absent(list);
    if (!selector || !*selector) {
        selection.selector = getenv("CNN_CL_DEVICE");
        selection.source = "CNN_CL_DEVICE=";
    }
    if (!selection.selector || !*selection.selector)
        return CNN_OK;
    if (selection.selector[strspn(selection.selector, "0123456789")] == '\0') {
        if (!cnn_parse_int(&number, selection.selector, 0, (int64_t)list->count - 1))
            return fail_pick(&selection, "no such index");
        *index = (size_t)number;
        return CNN_OK;
    }
    if (parse_pair(pair, selection.selector))
        return pick_pair(index, &selection, pair);
    return pick_name(index, &selection);
}
