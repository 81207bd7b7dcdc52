/* What a model was trained on: the data set, where it is a known one, and the classes' names. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "net/network.h"

enum { DIGITS = 10 };

void cnn_origin_init(cnn_origin *origin)
{
    *origin = (cnn_origin){0};
}

static cnn_status copy_string(char **copy, const char *string)
{
    size_t size = strlen(string) + 1;
    cnn_status status = cnn_allocate(copy, size, 1, "the origin of a model");
    if (status == CNN_OK)
        memcpy(*copy, string, size);
    return status;
}

void cnn_origin_finish(cnn_origin *origin)
{
    free(origin->data);
    for (int i = 0; i < origin->class_count; i++)
        free(origin->classes[i]);
    free(origin->classes);
    cnn_origin_init(origin);
}

static cnn_status add_class(cnn_origin *origin, const char *name)
{
    enum { FIRST_ROOM = 16 };
    if (origin->class_count == origin->class_room) {
        int room = origin->class_room ? 2 * origin->class_room : FIRST_ROOM;
        char **larger = realloc(origin->classes, (size_t)room * sizeof *larger);
        if (!larger)
            return cnn_fail_memory((size_t)room * sizeof *larger, "the classes' names");
        origin->classes = larger;
        origin->class_room = room;
    }
    cnn_status status = copy_string(&origin->classes[origin->class_count], name);
    if (status == CNN_OK)
        origin->class_count++;
    return status;
}

cnn_status cnn_model_set_data(cnn_model *model, const cnn_dataset *dataset)
{
    CNN_NEED(model, dataset);
    cnn_origin origin;
    cnn_status status = CNN_OK;
    const char *known = cnn_dataset_known(dataset);
    cnn_origin_init(&origin);
    int named = cnn_dataset_has_class_names(dataset) ? cnn_dataset_class_count(dataset) : 0;
    if (known[0])
        CNN_TRY(copy_string(&origin.data, known));
    for (int i = 0; i < named; i++)
        CNN_TRY(add_class(&origin, cnn_dataset_class_name(dataset, i)));
    origin.of_pictures = cnn_dataset_is_of_pictures(dataset, &origin.fit);
    origin.val_split = cnn_dataset_held_out(dataset);
    if (origin.val_split == CNN_USUAL_VAL_SPLIT)
        origin.val_split = 0.0;
    origin.digits = model->network->classes == DIGITS && cnn_dataset_is_like_mnist(dataset);
    cnn_origin_finish(&model->origin);
    model->origin = origin;
    return CNN_OK;
out:
    cnn_origin_finish(&origin);
    return status;
}

bool cnn_model_digits(const cnn_model *model)
{
    if (!model)
        return false;
    return model->origin.digits;
}

void cnn_model_set_digits(cnn_model *model, bool digits)
{
    if (!model)
        return;
    model->origin.digits = digits;
}

const char *cnn_model_data(const cnn_model *model)
{
    if (!model)
        return "";
    return model->origin.data ? model->origin.data : "";
}

int cnn_model_class_count(const cnn_model *model)
{
    if (!model)
        return 0;
    return model->origin.class_count;
}

bool cnn_model_is_of_pictures(const cnn_model *model, cnn_picture_fit *fit)
{
    if (!model)
        return false;
    if (model->origin.of_pictures && fit)
        *fit = model->origin.fit;
    return model->origin.of_pictures;
}

double cnn_model_val_split(const cnn_model *model)
{
    if (!model)
        return 0.0;
    return model->origin.val_split;
}

void cnn_model_set_fit(cnn_model *model, cnn_picture_fit fit)
{
    if (!model || strcmp(cnn_picture_fit_name(fit), "?") == 0)
        return;
    model->origin.of_pictures = true;
    model->origin.fit = fit;
}

const char *cnn_model_class_name(const cnn_model *model, int label)
{
    if (!model)
        return "";
    const cnn_origin *origin = &model->origin;
    if (label < 0 || label >= CNN_NETWORK_MAX_CLASSES)
        return "?";
    return label < origin->class_count ? origin->classes[label] : cnn_number_name(label);
}

cnn_status cnn_origin_classes_to_json(char **json, const cnn_origin *origin)
{
    *json = NULL;
    if (origin->class_count == 0)
        return CNN_OK;
    json_t *names = json_array();
    bool good = names != NULL;
    for (int i = 0; good && i < origin->class_count; i++)
        good = json_array_append_new(names, json_string(origin->classes[i])) == 0;
    if (good)
        *json = cnn_json_dump(names, JSON_COMPACT);
    json_decref(names);
    return *json ? CNN_OK : cnn_fail(CNN_ERROR_MEMORY, "out of memory for the classes' names");
}

cnn_status cnn_origin_preparation_to_json(char **json, const cnn_origin *origin)
{
    *json = NULL;
    if (!origin->of_pictures && origin->val_split == 0.0)
        return CNN_OK;
    json_t *root = json_object();
    bool good = root != NULL;
    if (good && origin->of_pictures)
        good =
            json_object_set_new(root, "fit", json_string(cnn_picture_fit_name(origin->fit))) == 0;
    if (good && origin->val_split > 0.0)
        good = json_object_set_new(root, "val_split", json_real(origin->val_split)) == 0;
    if (good)
        *json = cnn_json_dump(root, JSON_COMPACT);
    json_decref(root);
    return *json ? CNN_OK : cnn_fail(CNN_ERROR_MEMORY, "out of memory for a model's preparation");
}

cnn_status cnn_origin_read_preparation(cnn_origin *origin, const char *json, const char *source)
{
    if (!json)
        return CNN_OK;
    json_t *root = cnn_json_parse(json, strlen(json), 0, NULL);
    const json_t *fit = json_object_get(root, "fit"), *part = json_object_get(root, "val_split");
    const char *name = json_string_value(fit);
    double share = json_number_value(part);
    bool good = json_is_object(root) && (fit || part);
    origin->of_pictures = name && cnn_picture_fit_find(&origin->fit, name);
    good = good && (!fit || origin->of_pictures) && (!part || (share > 0.0 && share < 1.0));
    origin->val_split = good ? share : 0.0;
    json_decref(root);
    if (good)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: cnn-cl.preparation: expected \"fit\" as crop, pad or stretch, or "
                    "\"val_split\" as a number between 0 and 1",
                    source);
}

cnn_status cnn_origin_read_names(cnn_origin *origin, const char *path)
{
    enum { LIMIT = 1 << 20 };
    char *text = NULL;
    size_t size = 0;
    cnn_status status = cnn_file_read((void **)&text, &size, path, LIMIT);
    for (char *line = text, *end; status == CNN_OK && *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n' ? (*end = '\0', 1) : 0;
        if (line[0] != '#' && line[0] != '\0')
            status = add_class(origin, line);
    }
    free(text);
    return status;
}

/* A name is printed as it is: it must not steer a terminal. */
static bool is_printable(const char *name)
{
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < ' ' || *at == '\x7f')
            return false;
    return true;
}

static cnn_status read_classes(cnn_origin *origin, const json_t *names, const char *source)
{
    size_t count = json_array_size(names);
    cnn_status status = CNN_OK;
    if (!json_is_array(names) || count > CNN_NETWORK_MAX_CLASSES)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: cnn-cl.classes: expected a JSON array of at most %d names", source,
                        CNN_NETWORK_MAX_CLASSES);
    for (size_t i = 0; status == CNN_OK && i < count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name && is_printable(name))
            status = add_class(origin, name);
        else
            status =
                cnn_fail(CNN_ERROR_DATA,
                         "%s: cnn-cl.classes: expected one line of text for class %zu", source, i);
    }
    return status;
}

cnn_status cnn_origin_read(cnn_origin *origin, const char *data, const char *classes,
                           const char *pictures, const char *source)
{
    cnn_status status = CNN_OK;
    json_t *names = NULL;
    if (data)
        CNN_TRY(copy_string(&origin->data, data));
    origin->digits = strcmp(pictures ? pictures
                            : data   ? data
                                     : "",
                            pictures ? "digits" : "mnist") == 0;
    if (classes) {
        names = cnn_json_parse(classes, strlen(classes), 0, NULL);
        CNN_TRY(read_classes(origin, names, source));
    }
out:
    json_decref(names);
    return status;
}
