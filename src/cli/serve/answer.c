#include "cli/serve/answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/json.h"
#include "cli/output.h"
#include "cli/serve/form.h"

enum {
    PIXEL_LIMIT = 16 * 1024 * 1024,
    OK = 200,
    BAD = 400,
    NO_IMAGE = 415,
    UNFIT = 422,
    BROKEN = 500
};

/* A document in memory: written as a file, ended by take(). */
typedef struct document {
    FILE *file;
    char *text;
    size_t size;
} document;

static bool start(document *json)
{
    cli_plain_numbers();
    json->file = open_memstream(&json->text, &json->size);
    return json->file != NULL;
}

static cli_answer take(document *json, unsigned status)
{
    bool good = !ferror(json->file);
    good = fclose(json->file) == 0 && good;
    if (!good) {
        free(json->text);
        json->text = NULL;
    }
    return (cli_answer){.status = status, .json = json->text};
}

cli_answer cli_answer_error(unsigned status, const char *message)
{
    document json;
    if (!start(&json))
        return (cli_answer){.status = BROKEN};
    fputs("{\"error\": ", json.file);
    cli_json_write_string(json.file, message);
    fputs("}\n", json.file);
    return take(&json, status);
}

cli_answer cli_answer_health(const cli_service *service)
{
    document json;
    cli_batcher_counts counts = cli_batcher_count(service->batcher);
    if (!start(&json))
        return (cli_answer){.status = BROKEN};
    fprintf(json.file,
            "{\"status\": \"ok\", \"images\": %llu, \"batches\": %llu, \"largest_batch\": %d}\n",
            counts.images, counts.batches, counts.largest);
    return take(&json, OK);
}

static void write_shape(FILE *file, const int shape[3])
{
    fprintf(file, "\"shape\": [%d, %d, %d]", shape[0], shape[1], shape[2]);
}

cli_answer cli_answer_model(const cli_service *service)
{
    document json;
    const cnn_network *network = cnn_model_network(service->model);
    if (!start(&json))
        return (cli_answer){.status = BROKEN};
    fputs("{\"name\": ", json.file);
    cli_json_write_string(json.file, cnn_network_name(network));
    fprintf(json.file, ", \"digits\": %s, ", service->conversion.digits ? "true" : "false");
    write_shape(json.file, cnn_network_input(network));
    fputs(", \"classes\": [", json.file);
    for (int i = 0; i < cnn_network_classes(network); i++) {
        fputs(i ? ", " : "", json.file);
        cli_json_write_string(json.file, cnn_model_class_name(service->model, i));
    }
    fputs("]}\n", json.file);
    return take(&json, OK);
}

static cli_answer answer_prediction(const cli_service *service, const float *probabilities,
                                    const float *input, const char *warning, bool seen)
{
    document json;
    int classes = cnn_network_classes(cnn_model_network(service->model)), best = 0;
    if (!start(&json))
        return (cli_answer){.status = BROKEN};
    for (int i = 1; i < classes; i++)
        if (probabilities[i] > probabilities[best])
            best = i;
    fprintf(json.file, "{\"label\": %d, \"name\": ", best);
    cli_json_write_string(json.file, cnn_model_class_name(service->model, best));
    fprintf(json.file, ", \"probability\": %.6g, \"probabilities\": [",
            (double)probabilities[best]);
    for (int i = 0; i < classes; i++)
        fprintf(json.file, "%s%.6g", i ? ", " : "", (double)probabilities[i]);
    fputs("]", json.file);
    if (warning[0]) {
        fputs(", \"warning\": ", json.file);
        cli_json_write_string(json.file, warning);
    }
    if (seen) {
        fputs(", \"seen\": {", json.file);
        write_shape(json.file, service->conversion.shape);
        fputs(", \"pixels\": [", json.file);
        for (size_t i = 0; i < service->conversion.size; i++)
            fprintf(json.file, "%s%d", i ? "," : "", (int)(input[i] * 255.0f + 0.5f));
        fputs("]}", json.file);
    }
    fputs("}\n", json.file);
    return take(&json, OK);
}

/* The image's input (C, H, W). On failure *http is HTTP's status, and cnn_error_message() says why.
 */
static cnn_status decode(float *input, char warning[CLI_WARNING_SIZE], unsigned *http,
                         const cli_service *service, const void *data, size_t size)
{
    cnn_images *images = NULL;
    *http = BAD;
    cnn_status status = cnn_images_decode(&images, data, size, "the image", PIXEL_LIMIT);
    if (status == CNN_OK) {
        cnn_image image = cnn_images_get(images, 0);
        status = cli_conversion_apply(input, warning, &service->conversion, &image, false);
        cnn_images_destroy(images);
        *http = UNFIT;
    }
    if (status == CNN_ERROR_MEMORY)
        *http = BROKEN;
    return status;
}

static cli_answer convert(float *input, char warning[CLI_WARNING_SIZE], const cli_service *service,
                          const void *data, size_t size)
{
    unsigned http;
    if (size == 0)
        return cli_answer_error(BAD, "expected an image as the request's body, found nothing");
    int files = cli_form_is(data, size) ? cli_form_find_files(&data, &size, data, size) : 1;
    if (files > 1)
        return cli_answer_error(BAD, "expected one image in a request, found several: send each by "
                                     "itself");
    if (files == 0)
        return cli_answer_error(BAD, "expected a form with a whole file, or an image alone as the "
                                     "request's body, found a form without one");
    bool is_image = cnn_image_format(data, size) != NULL; /* if not, that costs nothing */
    while (sem_wait(service->decoders) != 0)
        continue;
    cnn_status status = decode(input, warning, &http, service, data, size);
    sem_post(service->decoders);
    return status == CNN_OK ? (cli_answer){.status = OK}
                            : cli_answer_error(is_image ? http : NO_IMAGE, cnn_error_message());
}

cli_answer cli_answer_image(const cli_service *service, const void *data, size_t size, bool seen)
{
    char message[CLI_BATCHER_MESSAGE];
    int classes = cnn_network_classes(cnn_model_network(service->model));
    float *input = calloc(service->conversion.size, sizeof *input);
    float *logits = calloc((size_t)classes, sizeof *logits);
    cli_answer answer = {.status = BROKEN};
    char warning[CLI_WARNING_SIZE] = "";
    if (input && logits)
        answer = convert(input, warning, service, data, size);
    if (answer.status == OK) {
        if (cli_batcher_run(message, logits, service->batcher, input) != CNN_OK)
            answer = cli_answer_error(BROKEN, message);
        else if (!cli_softmax(logits, classes))
            answer = cli_answer_error(BROKEN, "the network's output is not finite: train it again "
                                              "with a smaller --lr");
        else
            answer = answer_prediction(service, logits, input, warning, seen);
    }
    free(input);
    free(logits);
    return answer;
}
