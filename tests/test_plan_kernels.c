/* A kernel that is missing or does not build is an error of every plan that wants it: there is no
 * silent way round. */
#include "check_main.h"
#include "plan_case.h"
#include "scratch.h"

/* Of a network with batch norm: the loss, the batch, the update, what all include, and a step. */
enum { MOST_KERNELS = 64, SURELY_WANTED = 5 };

static scratch folder; /* of the kernels that are used */
static cnn_network *network;

static void set_up(void)
{
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[1] = config.xdim[2] = 6;
    config.cdim_count = 1;
    config.cdims[0] = 3;
    config.hdim_count = 0;
    config.batchnorm = true;
    check_ok(cnn_network_create(&network, &config));
    scratch_init(&folder);
    setenv("CNN_CL_KERNEL_DIR", folder.folder, 1);
}

static void tear_down(void)
{
    scratch_finish(&folder);
    cnn_network_destroy(network);
}

static void find_kernels(char kernels[1024])
{
    snprintf(kernels, 1024, "%s/cl", getenv("CNN_TEST_SOURCE_DIR"));
}

/* The names of this project's kernel files. */
static int list_kernels(char *names[MOST_KERNELS])
{
    char kernels[1024];
    int count = 0;
    find_kernels(kernels);
    DIR *files = opendir(kernels);
    ck_assert_ptr_nonnull(files);
    for (const struct dirent *entry; (entry = readdir(files)) != NULL;)
        if (strstr(entry->d_name, ".cl")) {
            ck_assert_int_lt(count, MOST_KERNELS);
            names[count] = scratch_bytes(strlen(entry->d_name) + 1);
            strcpy(names[count++], entry->d_name);
        }
    closedir(files);
    return count;
}

/* Links to this project's kernels, but for one, whose text is given; NULL: it is not there. */
static void fill_folder(const char *spoilt, const char *text)
{
    char kernels[1024], target[2048], *names[MOST_KERNELS];
    int count = list_kernels(names);
    find_kernels(kernels);
    for (int i = 0; i < count; i++) {
        snprintf(target, sizeof target, "%s/%s", kernels, names[i]);
        if (strcmp(names[i], spoilt) != 0)
            ck_assert_int_eq(symlink(target, scratch_path(&folder, names[i])), 0);
    }
    if (text)
        scratch_write(&folder, spoilt, text, strlen(text));
}

/* On a device of its own: programs are kept with the device. */
static cnn_status create_plan(bool fuse)
{
    cnn_device *device;
    cnn_plan *plan;
    cnn_plan_options options = {.batch = 2, .training = true, .fuse = fuse, .slots = 1};
    check_ok(cnn_device_create(&device, NULL));
    cnn_status status = cnn_plan_create(&plan, device, network, options);
    ck_assert((plan != NULL) == (status == CNN_OK));
    cnn_plan_destroy(plan);
    ck_assert_uint_eq(device->allocated, 0);
    cnn_device_destroy(device);
    return status;
}

static void check_message(const char *file)
{
    ck_assert_msg(strstr(cnn_error_message(), file) != NULL, "'%s' is not in '%s'", file,
                  cnn_error_message());
}

/* Does the plan want this kernel? If so, its lack is told. */
static bool is_wanted(const char *file, bool fuse)
{
    cnn_status status = create_plan(fuse);
    if (status == CNN_OK)
        return false;
    ck_assert_int_eq(status, CNN_ERROR_KERNEL);
    check_message(file);
    return true;
}

START_TEST(a_folder_without_kernels_is_an_error)
{
    ck_assert_int_eq(create_plan(_i == 1), CNN_ERROR_KERNEL);
    check_message(folder.folder);
}
END_TEST

/* Which kernels plans want is theirs to say; but with a kernel less, missing or spoilt, there is an
 * error or the same plan. Where a fused step's kernel is lost, plain steps do not stand in. */
START_TEST(a_kernel_less_is_an_error)
{
    char *names[MOST_KERNELS];
    int count = list_kernels(names), plain = 0, fused = 0, only_fused = 0;
    for (int i = 0; i < count; i++) {
        fill_folder(names[i], i % 2 == 0 ? NULL : "#error spoilt\n");
        bool by_plain = is_wanted(names[i], false), by_fused = is_wanted(names[i], true);
        plain += by_plain;
        fused += by_fused;
        only_fused += by_fused && !by_plain;
        scratch_finish(&folder);
        scratch_init(&folder);
        setenv("CNN_CL_KERNEL_DIR", folder.folder, 1);
    }
    ck_assert_int_ge(plain, SURELY_WANTED);
    ck_assert_int_ge(fused, SURELY_WANTED);
    ck_assert_int_ge(only_fused, 1);
}
END_TEST

/* The kernels that a plan has built, by its listing: a line each, with its options. */
static int count_built(const cnn_network *from, bool training, bool fuse)
{
    cnn_device *device;
    cnn_plan *plan;
    cnn_text text = {0};
    cnn_plan_options options = {.batch = 2, .training = training, .fuse = fuse, .slots = 1};
    int count = 0;
    check_ok(cnn_device_create(&device, NULL));
    check_ok(cnn_plan_create(&plan, device, from, options));
    cnn_plan_append_steps(&text, plan);
    for (const char *at = text.data; (at = strstr(at, "-DOC=")) != NULL; at++)
        count++;
    cnn_text_finish(&text);
    cnn_plan_destroy(plan);
    cnn_device_destroy(device);
    return count;
}

/* Of each convolution but the first one training has two kernels for the gradient of its input,
 * packed weights and the pass, which are a program of their own. */
START_TEST(what_only_backward_launches_is_not_built_for_evaluation)
{
    enum { OF_A_GRADIENT = 2, BEHIND_THE_FIRST = 3 };
    static const char text[] = "input(3, 12, 12)\n"
                               "Conv2d(16, 3, stride=2)\n"
                               "Conv2d(16, 3, padding=1)\n"
                               "Conv2d(16, 1)\n"
                               "Conv2d(20, 3, stride=2)\n"
                               "Flatten()\nLinear(2)\n";
    cnn_network *convolutions;
    check_ok(cnn_network_from_text(&convolutions, "text", text, "text", NULL));
    unsetenv("CNN_CL_KERNEL_DIR");
    for (int fuse = 0; fuse < 2; fuse++) {
        int trained = count_built(convolutions, true, fuse);
        int evaluated = count_built(convolutions, false, fuse);
        ck_assert_int_eq(trained - evaluated, OF_A_GRADIENT * BEHIND_THE_FIRST);
    }
    cnn_network_destroy(convolutions);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan kernels");
    TCase *tests = add_device_case(suite, "kernels");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_folder_without_kernels_is_an_error, 0, 2);
    tcase_add_test(tests, a_kernel_less_is_an_error);
    tcase_add_test(tests, what_only_backward_launches_is_not_built_for_evaluation);
    return run_device_suite(suite);
}
