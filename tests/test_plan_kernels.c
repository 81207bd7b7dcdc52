/* A kernel that is missing or does not build is an error of every plan that wants it: there is no
 * silent way round. */
#include "check_main.h"
#include "plan_case.h"
#include "scratch.h"

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

/* Links to this project's kernels, but for one, whose text is given. */
static void fill_folder(const char *spoilt, const char *text)
{
    char kernels[1024], target[2048];
    snprintf(kernels, sizeof kernels, "%s/cl", getenv("CNN_TEST_SOURCE_DIR"));
    DIR *files = opendir(kernels);
    ck_assert_ptr_nonnull(files);
    for (const struct dirent *entry; (entry = readdir(files)) != NULL;) {
        snprintf(target, sizeof target, "%s/%s", kernels, entry->d_name);
        if (strstr(entry->d_name, ".cl") && strcmp(entry->d_name, spoilt) != 0)
            ck_assert_int_eq(symlink(target, scratch_path(&folder, entry->d_name)), 0);
    }
    closedir(files);
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

static void check_error(const char *file, bool fuse)
{
    ck_assert_int_eq(create_plan(fuse), CNN_ERROR_KERNEL);
    ck_assert_msg(strstr(cnn_error_message(), file) != NULL, "'%s' is not in '%s'", file,
                  cnn_error_message());
}

START_TEST(a_folder_without_kernels_is_an_error)
{
    check_error(folder.folder, false);
    check_error(folder.folder, true);
}
END_TEST

static const struct {
    const char *file;
    bool plain, fused_on_cpu, fused_on_gpu; /* which plans want it */
} kernels[] = {
    {"conv.cl", true, false, true},        {"batchnorm.cl", true, true, true},
    {"pool_block.cl", false, false, true}, {"maxpool.cl", true, false, false},
    {"norm_block.cl", false, true, false}, {"conv_block.cl", false, true, false},
    {"relu.cl", true, false, false},       {"dropout.cl", true, true, true},
    {"softmax.cl", true, true, true},      {"gather.cl", true, true, true},
    {"adam.cl", true, true, true},         {"loop.cl", true, true, true},
};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

static void check_plans(int i)
{
    const char *file = kernels[i].file;
    bool on_cpu = test_device()->kernel_class == CNN_KERNEL_CPU;
    const bool wanted[] = {kernels[i].plain,
                           on_cpu ? kernels[i].fused_on_cpu : kernels[i].fused_on_gpu};
    for (int fuse = 0; fuse < 2; fuse++)
        if (wanted[fuse])
            check_error(file, fuse == 1);
        else
            check_ok(create_plan(fuse == 1));
}

START_TEST(a_missing_kernel_is_an_error)
{
    fill_folder(kernels[_i].file, NULL);
    check_plans(_i);
}
END_TEST

START_TEST(a_kernel_that_does_not_build_is_an_error)
{
    int i = 2 * _i; /* every other */
    fill_folder(kernels[i].file, "#error spoilt\n");
    check_plans(i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan kernels");
    TCase *tests = add_device_case(suite, "kernels");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_folder_without_kernels_is_an_error);
    tcase_add_loop_test(tests, a_missing_kernel_is_an_error, 0, KERNELS);
    tcase_add_loop_test(tests, a_kernel_that_does_not_build_is_an_error, 0, KERNELS / 2);
    return run_device_suite(suite);
}
