/* Imports each file that it is told, and says in a line what became of it: import_files FILE...
 * prints "0" or the status and the message. import_files --cut FILE COPY imports every beginning of
 * the file, each in COPY, and prints how many of them were taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cnncl/exchange.h>

static cnn_status import(const char *path)
{
    cnn_model *model;
    cnn_import_options options;
    cnn_import_options_init(&options);
    cnn_status status = cnn_model_import(&model, path, &options);
    if ((status == CNN_OK) != (model != NULL))
        abort();
    cnn_model_destroy(model);
    return status;
}

static bool copy_file(const char *from, const char *to, long *size)
{
    FILE *source = fopen(from, "rb"), *target = fopen(to, "wb");
    bool good = source && target;
    for (int byte; good && (byte = fgetc(source)) != EOF;)
        good = fputc(byte, target) != EOF;
    if (source)
        fclose(source);
    *size = target ? ftell(target) : 0;
    return target && fclose(target) == 0 && good;
}

static int cut(const char *path, const char *copy)
{
    long size, taken = 0;
    if (!copy_file(path, copy, &size))
        return EXIT_FAILURE;
    while (size-- > 0) {
        if (truncate(copy, size) != 0)
            return EXIT_FAILURE;
        taken += import(copy) == CNN_OK;
    }
    printf("%ld\n", taken);
    return EXIT_SUCCESS;
}

static void ignore(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)line;
    (void)user;
}

int main(int argc, char **argv)
{
    cnn_log_set_callback(ignore, NULL);
    if (argc == 4 && strcmp(argv[1], "--cut") == 0)
        return cut(argv[2], argv[3]);
    for (int i = 1; i < argc; i++) {
        cnn_status status = import(argv[i]);
        printf("%d %s\n", (int)status, status == CNN_OK ? "" : cnn_error_message());
    }
    return EXIT_SUCCESS;
}
