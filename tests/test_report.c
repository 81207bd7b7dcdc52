/* The page about a run: what it is read from, and what it shows of it. Host only: what a device
 * would say is made up. */
#include <math.h>

#include <cnncl/report.h>

#include "check_main.h"
#include "scratch.h"

#define HEADER                                                                                     \
    "epoch,step,loss,train_accuracy,val_accuracy,test_accuracy,seconds,images_per_second,"         \
    "learning_rate,device\n"

enum { TEST = 40, IMAGE = 4 * 4, CLASSES = 10 };

static scratch files;
static char *text; /* what was read last */

static void set_up(void)
{
    scratch_init(&files);
}

static void tear_down(void)
{
    free(text);
    text = NULL;
    scratch_finish(&files);
}

static void write_text(const char *name, const char *content)
{
    scratch_write(&files, name, content, strlen(content));
}

static const char *read_text(const char *name)
{
    FILE *file = fopen(scratch_path(&files, name), "rb");
    ck_assert_msg(file != NULL, "%s is not there", name);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    free(text);
    text = calloc(size + 1, 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(fread(text, 1, size, file), size);
    fclose(file);
    return text;
}

static bool is_there(const char *name)
{
    return access(scratch_path(&files, name), F_OK) == 0;
}

static size_t count_of(const char *in, const char *part)
{
    size_t count = 0;
    for (const char *at = in; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static cnn_run *open_run(const char *name)
{
    cnn_run *run;
    cnn_status status = cnn_run_open(&run, files.folder, name);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    return run;
}

/* The page of what is in the folder, and of this content. */
static const char *make_page(const cnn_report_content *content)
{
    cnn_run *run = open_run(NULL);
    cnn_status status = cnn_report_write(run, content);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    cnn_run_destroy(run);
    return read_text("report.html");
}

static const cnn_report_content nothing = {0};

static const char *page_of_metrics(const char *rows)
{
    char content[4096];
    snprintf(content, sizeof content, HEADER "%s", rows);
    write_text("cnn.metrics.csv", content);
    return make_page(&nothing);
}

START_TEST(the_run_in_a_folder_is_found)
{
    cnn_run *run;
    ck_assert_int_eq(cnn_run_open(&run, files.folder, NULL), CNN_ERROR_FILE);
    assert_message_has("NAME.safetensors");
    ck_assert_ptr_null(run);
    write_text("a.ckpt.safetensors", "");
    write_text("b.ckpt.prev.safetensors", "");
    write_text("c.best.safetensors", "");
    write_text(".hidden.safetensors", "");
    write_text(".safetensors", "");
    ck_assert_int_eq(cnn_run_open(&run, files.folder, NULL), CNN_ERROR_FILE);
    write_text("my.net.safetensors", "");
    write_text("my.net.metrics.csv", HEADER);
    run = open_run(NULL);
    ck_assert_str_eq(cnn_run_name(run), "my.net");
    ck_assert_ptr_nonnull(strstr(cnn_run_model_path(run), "/my.net.safetensors"));
    cnn_run_destroy(run);
    write_text("other.run.json", "{}");
    ck_assert_int_eq(cnn_run_open(&run, files.folder, NULL), CNN_ERROR_FILE);
    assert_message_has("choose one with --name");
    cnn_run_destroy(open_run("other"));
    ck_assert_int_eq(cnn_run_open(&run, files.folder, "third"), CNN_ERROR_FILE);
    assert_message_has("third.safetensors: expected a run");
    ck_assert_int_eq(cnn_run_open(&run, scratch_path(&files, "absent"), NULL), CNN_ERROR_FILE);
    assert_message_has("expected the folder of a run");
}
END_TEST

START_TEST(broken_metrics_are_refused)
{
    static const struct {
        const char *content, *message;
    } cases[] = {
        {"", "line 1: expected the fields epoch,step"},
        {"epoch,loss\n", "line 1: expected the fields epoch,step,loss"},
        {HEADER "0,1,2\n", "line 2: expected 10 fields, found 3"},
        {HEADER "0,1,,,,,,,,d\n1,1,,,,,,,,d,e\n", "line 3: expected 10 fields, found 11"},
        {HEADER "x,1,,,,,,,,d\n", "line 2: field epoch: expected an integer above -2, found 'x'"},
        {HEADER "-2,1,,,,,,,,d\n", "line 2: field epoch"},
        {HEADER "3,1,,,,,,,,d\n3,1,,,,,,,,d\n",
         "line 3: field epoch: expected an integer above 3, found '3'"},
        {HEADER "0,-1,,,,,,,,d\n", "line 2: field step: expected a number from 0"},
        {HEADER "0,1,abc,,,,,,,d\n", "line 2: field loss: expected a number"},
        {HEADER "0,1,1,1.5,,,,,,d\n",
         "line 2: field train_accuracy: expected a number of 0 to 1 or nothing, found '1.5'"},
        {HEADER "0,1,1,1,0x1,,,,,d\n", "line 2: field val_accuracy"},
        {HEADER "0,1,1,1,1,-0.1,,,,d\n", "line 2: field test_accuracy"},
        {HEADER "0,1,1,1,1,1,1 s,,,d\n", "line 2: field seconds"},
        {HEADER "0,1,1,1,1,1,1,1e999,,d\n", "line 2: field images_per_second"},
        {HEADER "0,1,1,1,1,1,1,1,\n", "line 2: expected 10 fields, found 9"},
        {HEADER "0,1,1,1,1,1,1,1,?,d\n", "line 2: field learning_rate"},
        {HEADER "\n0,1,1,1,1,1,1,1,1,d\n", "line 2: expected 10 fields, found 1"},
    };
    cnn_run *run;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text("cnn.metrics.csv", cases[i].content);
        ck_assert_msg(cnn_run_open(&run, files.folder, NULL) == CNN_ERROR_DATA, "%s",
                      cases[i].content);
        assert_message_has(cases[i].message);
        assert_message_has("cnn.metrics.csv: ");
        ck_assert_ptr_null(run);
    }
    scratch_write(&files, "cnn.metrics.csv", HEADER "0,1\0", sizeof HEADER + 3);
    ck_assert_int_eq(cnn_run_open(&run, files.folder, NULL), CNN_ERROR_DATA);
    assert_message_has("zero byte");
}
END_TEST

START_TEST(a_broken_description_is_refused)
{
    static const struct {
        const char *content, *message;
    } cases[] = {
        {"", "line 1: expected JSON"},
        {"{\n\"name\": \"cnn\",\n}", "line 3: expected JSON"},
        {"[]", "expected a JSON object"},
        {"{\"name\": 3}", "field name: expected text, found 3"},
        {"{\"data\": null}", "field data: expected text, found null"},
        {"{\"train_images\": -1}", "field train_images: expected an integer from 0, found -1"},
        {"{\"test_images\": 1.5}", "field test_images: expected an integer from 0, found 1.5"},
        {"{\"options\": []}", "field options: expected an object, found []"},
        {"{\"network\": \"x\"}", "field network: expected an object, found"},
        {"{\"name\": \"a\", \"name\": \"b\"}", "duplicate"},
    };
    cnn_run *run;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text("cnn.run.json", cases[i].content);
        ck_assert_msg(cnn_run_open(&run, files.folder, NULL) == CNN_ERROR_DATA, "%s",
                      cases[i].content);
        assert_message_has(cases[i].message);
        assert_message_has("cnn.run.json: ");
    }
}
END_TEST

START_TEST(a_description_is_read)
{
    uint64_t seed = 0;
    bool fuse = true;
    write_text("cnn.run.json", "{\"data\": \"some/where\", \"more\": [1],\n"
                               "\"options\": {\"batch\": 64, \"seed\": 7, \"fuse\": false}}");
    write_text("cnn.metrics.csv", HEADER "0,10,1,1,1,1,2,640,1e-3,d\r\n");
    cnn_run *run = open_run(NULL);
    ck_assert_str_eq(cnn_run_data(run), "some/where");
    ck_assert_int_eq(cnn_run_batch(run), 64);
    ck_assert(cnn_run_seed(&seed, run));
    ck_assert_uint_eq(seed, 7);
    ck_assert(cnn_run_fuse(&fuse, run));
    ck_assert(!fuse);
    ck_assert_double_eq_tol(cnn_run_step_seconds(run), 0.1, 1e-12);
    cnn_run_destroy(run);
    write_text("cnn.run.json", "{\"options\": {\"seed\": \"18446744073709551615\"}}");
    run = open_run("cnn");
    ck_assert(cnn_run_seed(&seed, run));
    ck_assert_uint_eq(seed, UINT64_MAX);
    cnn_run_destroy(run);
    write_text("cnn.run.json", "{\"options\": {\"seed\": \"18446744073709551616\"}}");
    run = open_run("cnn");
    ck_assert(!cnn_run_seed(&seed, run));
    cnn_run_destroy(run);
    write_text("cnn.run.json", "{\"options\": {\"batch\": -1, \"seed\": \"x\"}}");
    run = open_run("cnn");
    ck_assert_ptr_null(cnn_run_data(run));
    ck_assert_int_eq(cnn_run_batch(run), 0);
    ck_assert(!cnn_run_seed(&seed, run));
    ck_assert(!cnn_run_fuse(&fuse, run));
    ck_assert_double_eq(cnn_run_step_seconds(run), 0.0);
    cnn_run_destroy(run);
}
END_TEST

/* What is missing is named, and the rest is there. */
START_TEST(a_page_says_what_is_missing)
{
    write_text("cnn.safetensors", "");
    const char *const notes[] = {"one <note>", NULL};
    const cnn_report_content content = {.notes = notes};
    const char *page = make_page(&content);
    ck_assert_ptr_nonnull(strstr(page, "cnn.metrics.csv is not there"));
    ck_assert_ptr_nonnull(strstr(page, "cnn.run.json is not there"));
    ck_assert_ptr_nonnull(strstr(page, "<li>one &#60;note&#62;</li>"));
    ck_assert_ptr_null(strstr(page, "<svg"));
    ck_assert_ptr_null(strstr(page, "<img"));
    ck_assert(!is_there("curves.svg"));
    ck_assert(!is_there("confusion.png"));
    ck_assert(!is_there("filters.png"));
    write_text("cnn.run.json", "{\"device\": \"a <device> & more\", \"version\": \"0.0.9\"}");
    page = page_of_metrics("0,1,0.5,0.5,,0.25,1,1,1,\"d, e\"\n");
    ck_assert_ptr_null(strstr(page, "id=\"notes\""));
    ck_assert_ptr_nonnull(strstr(page, "a &#60;device&#62; &#38; more"));
    ck_assert_ptr_nonnull(strstr(page, "trained by 0.0.9"));
    ck_assert_ptr_nonnull(strstr(page, "<b>25.0%</b>"));
}
END_TEST

START_TEST(one_epoch_is_drawn_as_points)
{
    const char *page = page_of_metrics("-1,0,,0.1,0.2,0.3,,,,d\n0,1,0.5,0.5,,0.25,1,1,1,d\n");
    ck_assert_uint_eq(count_of(page, "<svg"), 3);
    ck_assert_uint_eq(count_of(page, "<circle"), 3); /* loss, training, test */
    ck_assert_ptr_nonnull(strstr(page, "epoch 0, training: 0.5000"));
    ck_assert_ptr_nonnull(strstr(page, "Before training: 10.0% of the training"));
    ck_assert_ptr_null(strstr(page, "class=\"c1\"")); /* no validation */
    ck_assert_ptr_null(strstr(page, "nan"));
    ck_assert_ptr_null(strstr(page, "-0<"));
    page = page_of_metrics("-1,0,,0.1,,0.3,,,,d\n");
    ck_assert_ptr_nonnull(strstr(page, "No epoch was trained."));
    page = page_of_metrics("");
    ck_assert_ptr_null(strstr(page, "id=\"curves\""));
}
END_TEST

/* The next curve of the page; returns what follows it. */
static const char *copy_path(char *path, size_t size, const char *page)
{
    const char *at = strstr(page, "stroke-linecap");
    ck_assert_ptr_nonnull(at);
    at = strchr(at, 'M');
    ck_assert_ptr_nonnull(at);
    size_t length = strcspn(at, "\"");
    ck_assert_uint_lt(length, size);
    memcpy(path, at, length);
    path[length] = '\0';
    return at + length;
}

/* A loss that is no number breaks the line; an epoch that was not evaluated does not. */
START_TEST(gaps_are_told_from_what_was_not_measured)
{
    const char *page = page_of_metrics("0,1,4,0.1,,,1,1,1,d\n1,2,nan,,,,1,1,1,d\n"
                                       "2,3,2,0.3,,,1,1,1,d\n3,4,1,,,,1,1,1,d\n"
                                       "4,5,-inf,0.5,,,1,1,1,d\n");
    char path[256];
    const char *rest = copy_path(path, sizeof path, page);
    ck_assert_uint_eq(count_of(path, "M"), 2);
    ck_assert_uint_eq(count_of(path, "L"), 1);
    copy_path(path, sizeof path, rest);
    ck_assert_uint_eq(count_of(path, "M"), 1);
    ck_assert_uint_eq(count_of(path, "L"), 2);
}
END_TEST

/* The options of a run of two epochs of 20 steps, as train writes them, but for the schedule. */
static void describe_run(const char *schedule)
{
    char content[1024];
    snprintf(content, sizeof content,
             "{\"options\": {\"epochs\": 2, \"batch\": 5, \"lr\": 0.5, \"seed\": 0, "
             "\"print_every\": 1, \"val_split\": 0.0, \"early_stop\": 0, \"stream\": false, "
             "\"fuse\": true, \"checkpoint_every\": 1, \"checkpoint_steps\": 0%s}}",
             schedule);
    write_text("cnn.run.json", content);
}

/* The rate of every step, from the first to the end of the last epoch; of each epoch where the run's
 * options are not there. */
START_TEST(the_learning_rate_is_drawn_step_by_step)
{
    static const char rows[] = "-1,0,,,,,,,0.5,d\n0,20,1,,,,1,1,0.5,d\n1,40,1,,,,1,1,0.125,d\n";
    static const struct {
        const char *options, *words; /* those behind "learning rate: from " */
        size_t points;
        const char *first, *last; /* of the path */
    } cases[] = {
        {"", "0.5 in epoch 0 to 0.5 in epoch 2.", 41, "M52.0 58.0", "L430.0 58.0"},
        {", \"schedule\": \"step=1:0.25\"", "0.5 in epoch 0 to 0.125 in epoch 2.", 41, "M52.0 58.0",
         "L430.0 185.5"},
        {", \"schedule\": \"cosine\", \"warmup\": 1.0", "0.025 in epoch 0 to 0.003078 in epoch 2.", 41,
         "M52.0 219.5", "L430.0 227.0"},
        {", \"schedule\": \"none\"", "0.5 in epoch 0 to 0.125 in epoch 1.", 2, "M52.0 58.0",
         "L430.0 185.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[2048];
        describe_run(cases[i].options);
        const char *page = page_of_metrics(rows);
        const char *at = strstr(page, "learning rate: from ");
        ck_assert_ptr_nonnull(at);
        at += strlen("learning rate: from ");
        ck_assert_msg(strncmp(at, cases[i].words, strlen(cases[i].words)) == 0, "%.60s", at);
        copy_path(path, sizeof path, at);
        ck_assert_uint_eq(count_of(path, "M") + count_of(path, "L"), cases[i].points);
        ck_assert_msg(strstr(path, cases[i].first) == path, "%s", path);
        const char *end = path + strlen(path) - strlen(cases[i].last);
        ck_assert_msg(strcmp(end, cases[i].last) == 0, "%s", path);
        ck_assert_ptr_nonnull(strstr(read_text("curves.svg"), "Learning rate"));
    }
    ck_assert_ptr_null(strstr(page_of_metrics("0,20,1,,,,1,1,,d\n"), "learning rate: from"));
}
END_TEST

/* Thousands of epochs make no page of thousands of points, but their spike stays. */
START_TEST(many_epochs_are_thinned)
{
    FILE *file = fopen(scratch_path(&files, "cnn.metrics.csv"), "w");
    ck_assert_ptr_nonnull(file);
    fputs(HEADER, file);
    for (int i = 0; i < 20000; i++)
        fprintf(file, "%d,%d,%g,%g,%g,%g,1,1,1,d\n", i, i, i == 12345 ? 80.0 : 1.0 / (1 + i), 0.5,
                0.5, 0.5);
    fclose(file);
    const char *page = make_page(&nothing);
    ck_assert_uint_lt(strlen(page), 100000);
    ck_assert_uint_eq(count_of(page, "<circle"), 0);
    ck_assert_ptr_nonnull(strstr(page, "L285.3 58.0")); /* the top of the plot */
}
END_TEST

/* A model that takes every image for class 1, with growing probabilities; labels repeat 0 to 9. */
static struct {
    cnn_dataset *dataset;
    cnn_model *model;
    cnn_prediction predictions[TEST];
    cnn_evaluation evaluation;
} made;

static void make_up(int classes, bool right)
{
    static uint8_t images[TEST * IMAGE];
    static uint16_t labels[TEST];
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[1] = config.xdim[2] = 4;
    config.ydim = classes;
    made.evaluation = (cnn_evaluation){.loss = 0.25, .count = TEST};
    for (int i = 0; i < TEST; i++) {
        labels[i] = (uint16_t)(i * (classes / CLASSES) % classes);
        made.predictions[i] =
            (cnn_prediction){right ? labels[i] : 1, 0.25f + (float)i / (2.0f * TEST)};
        made.evaluation.hits += made.predictions[i].label == labels[i];
    }
    made.evaluation.accuracy = (double)made.evaluation.hits / TEST;
    ck_assert_int_eq(cnn_dataset_create(&made.dataset, (int[]){1, 4, 4}, images, labels, TEST,
                                        images, labels, TEST),
                     CNN_OK);
    ck_assert_int_eq(cnn_model_create(&made.model, &config, 0), CNN_OK);
}

static const char *page_of_model(void)
{
    const cnn_report_content content = {.model = made.model,
                                        .dataset = made.dataset,
                                        .evaluation = &made.evaluation,
                                        .predictions = made.predictions};
    write_text("cnn.run.json", "{}");
    const char *page = make_page(&content);
    cnn_model_destroy(made.model);
    cnn_dataset_destroy(made.dataset);
    return page;
}

START_TEST(a_page_shows_what_is_taken_for_what)
{
    make_up(CLASSES, false);
    const char *page = page_of_model();
    ck_assert_ptr_nonnull(strstr(page, "<title>cnn: 10.0% of the test images right</title>"));
    ck_assert_ptr_nonnull(strstr(page, "4 of 40 test images are right; the loss is 0.2500."));
    const char *matrix = strstr(page, "id=\"matrix\"");
    ck_assert_ptr_nonnull(matrix);
    ck_assert_uint_eq(count_of(matrix, "<td class=\"hit on\" style=\"--a:1.00\">4</td>"), 1);
    ck_assert_uint_eq(count_of(matrix, "<td class=\"miss\" style=\"--a:1.00\">4</td>"), 9);
    const char *scores = strstr(page, "id=\"scores\"");
    ck_assert_ptr_nonnull(strstr(scores, "<th scope=\"row\">1</th><td class=\"n\">10.0%</td>"
                                         "<td class=\"n\">100.0%</td><td class=\"n\">18.2%</td>"));
    const char *mistakes = strstr(page, "id=\"mistakes\"");
    /* The surest comes first; the last image is of class 9. */
    ck_assert_ptr_nonnull(strstr(mistakes, "<b>1</b>, 73.8%</span><span>is 9</span>"));
    ck_assert_ptr_nonnull(strstr(strstr(mistakes, "73.8%"), "72.5%"));
    ck_assert_uint_eq(count_of(mistakes, "<img"), 24);
    ck_assert_uint_eq(count_of(page, "<img"), 25 + 1 + 24);
    ck_assert_ptr_nonnull(strstr(page, "32 filters of conv2d_00"));
    ck_assert(is_there("confusion.png"));
    ck_assert(is_there("filters.png"));
}
END_TEST

START_TEST(a_page_without_mistakes_says_none)
{
    make_up(CLASSES, true);
    const char *page = page_of_model();
    ck_assert_ptr_nonnull(strstr(page, "None: all test images are right."));
    ck_assert_ptr_null(strstr(page, "<span><b>"));
}
END_TEST

START_TEST(many_classes_become_a_picture)
{
    make_up(250, false);
    const char *page = page_of_model();
    ck_assert_ptr_null(strstr(page, "id=\"matrix\""));
    ck_assert_ptr_nonnull(strstr(page, "id=\"pairs\""));
    ck_assert_uint_eq(count_of(strstr(page, "id=\"scores\""), "<th scope=\"row\">") > 250, 1);
}
END_TEST

START_TEST(content_that_contradicts_itself_is_refused)
{
    write_text("cnn.run.json", "{}");
    cnn_run *run = open_run(NULL);
    cnn_report_content content = {.evaluation = &made.evaluation};
    ck_assert_int_eq(cnn_report_write(run, &content), CNN_ERROR_ARGUMENT);
    content.predictions = made.predictions;
    ck_assert_int_eq(cnn_report_write(run, &content), CNN_ERROR_ARGUMENT);
    ck_assert(!is_there("report.html"));
    cnn_run_destroy(run);
    cnn_run_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tests = tcase_create("report");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_run_in_a_folder_is_found);
    tcase_add_test(tests, broken_metrics_are_refused);
    tcase_add_test(tests, a_broken_description_is_refused);
    tcase_add_test(tests, a_description_is_read);
    tcase_add_test(tests, a_page_says_what_is_missing);
    tcase_add_test(tests, one_epoch_is_drawn_as_points);
    tcase_add_test(tests, gaps_are_told_from_what_was_not_measured);
    tcase_add_test(tests, the_learning_rate_is_drawn_step_by_step);
    tcase_add_test(tests, many_epochs_are_thinned);
    tcase_add_test(tests, a_page_shows_what_is_taken_for_what);
    tcase_add_test(tests, a_page_without_mistakes_says_none);
    tcase_add_test(tests, many_classes_become_a_picture);
    tcase_add_test(tests, content_that_contradicts_itself_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
