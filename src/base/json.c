#include "base/json.h"

#include <stdlib.h>

#include "base/status.h"
#include "base/text.h"

cnn_status cnn_json_to_text(char **text, json_t *root)
{
    *text = NULL;
    if (!root)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for a JSON document");
    char *dump = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (!dump)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for a JSON document");
    cnn_text buffer = {0};
    cnn_text_append(&buffer, "%s\n", dump);
    free(dump);
    return cnn_text_take(text, &buffer);
}

json_t *cnn_json_string(const char *text)
{
    json_t *json = json_string(text);
    return json ? json : json_string("?");
}
