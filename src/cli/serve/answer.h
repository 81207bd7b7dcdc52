/* What the server answers, apart from HTTP: from the bytes of an image to JSON. */
#ifndef CLI_SERVE_ANSWER_H
#define CLI_SERVE_ANSWER_H

#include <semaphore.h>

#include "cli/conversion.h"
#include "cli/serve/batcher.h"

/* What a server serves. Threads share it. */
typedef struct cli_service {
    const cnn_model *model;
    cli_conversion conversion;
    cli_batcher *batcher;
    sem_t *decoders; /* so many images are decoded at once: each may take a hundred megabytes */
} cli_service;

/* A JSON document; NULL where there is no memory for it. To be freed with free(). */
typedef struct cli_answer {
    unsigned status; /* of HTTP */
    char *json;
} cli_answer;

/* {"label", "name", "probability", "probabilities": [...]} and, with seen, "seen": {"shape",
 * "pixels": 0 to 255}; or {"error"} with 400 (no such image), 415 (no image at all), 422 (nothing
 * to see on it) or 500. */
cli_answer cli_answer_image(const cli_service *service, const void *data, size_t size, bool seen);
/* {"status": "ok", "images", "batches", "largest_batch"} */
cli_answer cli_answer_health(const cli_service *service);
/* {"name", "digits", "shape", "classes": [...]} */
cli_answer cli_answer_model(const cli_service *service);
/* {"error": message} */
cli_answer cli_answer_error(unsigned status, const char *message);

#endif
