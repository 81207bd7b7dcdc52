/* NAME.metrics.csv up to the first zero byte, NAME.run.json behind it, and what the report's page
 * makes of them. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "report/page.h"

static void read_run(cnn_run *run, const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t length = zero ? (size_t)(zero - data) : size;
    if (cnn_metrics_read(&run->metrics, &run->metric_count, fuzz_file(data, length)) == CNN_OK)
        run->has_metrics = true;
    if (zero)
        (void)cnn_run_json_read(&run->json, fuzz_file(zero + 1, size - length - 1));
}

static void make_page(const cnn_run *run)
{
    const cnn_report_content content = {0};
    cnn_page page = {.run = run, .content = &content};
    cnn_page_add_head(&page);
    if (cnn_page_add_curves(&page) != CNN_OK)
        abort();
    cnn_page_add_network(&page);
    cnn_page_add_facts(&page);
    if (page.html.failed || page.curves.failed)
        abort();
    cnn_text_finish(&page.html);
    cnn_text_finish(&page.curves);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "run";
    cnn_run run = {
        .folder = name, .name = name, .model_path = name, .metrics_path = name, .json_path = name};
    uint64_t seed;
    read_run(&run, data, size);
    if (cnn_run_batch(&run) < 0 || !(cnn_run_step_seconds(&run) >= 0.0))
        abort();
    (void)cnn_run_seed(&seed, &run);
    make_page(&run);
    json_decref(run.json);
    free(run.metrics);
    return 0;
}
