/* What a reader takes from an archive: tensors that it compares with what it wants. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "model/archive.h"
#include "model/format.h"
#include "net/network.h"

enum { SHAPE_TEXT = 64 };

cnn_status cnn_archive_fail(const char *path, const char *name, const char *problem)
{
    char quoted[CNN_QUOTE_SIZE];
    return cnn_fail(CNN_ERROR_DATA, "%s: tensor '%s': %s", path, cnn_quote(quoted, name), problem);
}

static cnn_status compare_shapes(const cnn_tensor_info *wanted, const cnn_tensor_info *found,
                                 const cnn_archive *archive)
{
    char expected_text[SHAPE_TEXT], found_text[SHAPE_TEXT], problem[3 * SHAPE_TEXT];
    if (wanted->rank == found->rank &&
        memcmp(wanted->shape, found->shape, sizeof(int) * (size_t)wanted->rank) == 0)
        return CNN_OK;
    cnn_shape_to_text(expected_text, sizeof expected_text, wanted->shape, wanted->rank);
    cnn_shape_to_text(found_text, sizeof found_text, found->shape, found->rank);
    snprintf(problem, sizeof problem, "shape: expected %s, found %s", expected_text, found_text);
    return cnn_archive_fail(cnn_archive_path(archive), wanted->name, problem);
}

bool cnn_tensor_is_finite(const cnn_tensor_info *tensor)
{
    const float *values = tensor->values;
    for (size_t i = 0; tensor->type == CNN_FLOAT32 && i < tensor->count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

cnn_status cnn_archive_check(const cnn_tensor_info *wanted, const cnn_archive *archive)
{
    const cnn_tensor_info *found = cnn_archive_find(archive, wanted->name);
    if (!found)
        return cnn_archive_fail(cnn_archive_path(archive), wanted->name,
                                "expected it in the file, it is missing");
    if (found->type == wanted->type)
        return compare_shapes(wanted, found, archive);
    char problem[SHAPE_TEXT];
    snprintf(problem, sizeof problem, "dtype: expected %s, found %s",
             cnn_type_rows[wanted->type].name, cnn_type_rows[found->type].name);
    return cnn_archive_fail(cnn_archive_path(archive), wanted->name, problem);
}

cnn_status cnn_archive_copy(const cnn_tensor_info *wanted, const cnn_archive *archive)
{
    cnn_status status = cnn_archive_check(wanted, archive);
    if (status != CNN_OK)
        return status;
    const cnn_tensor_info *found = cnn_archive_find(archive, wanted->name);
    memcpy(wanted->values, found->values, wanted->count * cnn_type_rows[wanted->type].size);
    if (!cnn_tensor_is_finite(wanted))
        return cnn_archive_fail(cnn_archive_path(archive), wanted->name,
                                "expected finite values, found inf or NaN");
    return CNN_OK;
}
