/* The devices of a machine. Arguments: none for this machine; "two" where pocl and rusticl are both
 * there (exit code 77 where they are not); "none" where no driver is installed; "cache" where there
 * is only pocl, which cannot write its cache (77 where it does not mind). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "ocl/buffer.h"
#include "ocl/device_list.h"

enum { SKIPPED = 77 };

/* The caller's own memory where the kernels run on a CPU, else a copy. */
START_TEST(values_are_shared_with_a_buffer)
{
    static const char *const classes[] = {"cpu", "gpu"};
    static const cl_uint values[] = {3, 1, 4, 1, 5};
    for (int i = 0; i < 2; i++) {
        cnn_device *device;
        cnn_buffer buffer, empty;
        cl_uint read[5] = {0};
        setenv("CNN_CL_KERNEL_CLASS", classes[i], 1);
        ck_assert_int_eq(cnn_device_create(&device, NULL), CNN_OK);
        unsetenv("CNN_CL_KERNEL_CLASS");
        ck_assert_int_eq(cnn_buffer_share(&buffer, device, values, sizeof values, "a test"),
                         CNN_OK);
        ck_assert_uint_eq(device->allocated, i == 0 ? 0 : sizeof values);
        ck_assert_int_eq(cnn_buffer_read(read, &buffer, 0, sizeof read), CNN_OK);
        ck_assert_mem_eq(read, values, sizeof read);
        ck_assert_int_eq(cnn_buffer_share(&empty, device, NULL, 0, "a test"), CNN_OK);
        cnn_buffer_finish(&buffer);
        cnn_buffer_finish(&empty);
        ck_assert_uint_eq(device->allocated, 0);
        cnn_device_destroy(device);
    }
}
END_TEST

/* A copy that fails: its event stays until its data is freed. */
START_TEST(a_failed_copy_keeps_its_event)
{
    cnn_device *device;
    cl_event event = NULL;
    cl_uint references;
    cl_int code;
    ck_assert_int_eq(cnn_device_create(&device, NULL), CNN_OK);
    ck_assert_int_eq(cnn_buffer_settle(&event, device), CNN_OK);
    event = clCreateUserEvent(device->context, &code);
    ck_assert_int_eq(code, CL_SUCCESS);
    ck_assert_int_eq(clRetainEvent(event), CL_SUCCESS);
    ck_assert_int_eq(clSetUserEventStatus(event, CL_OUT_OF_RESOURCES), CL_SUCCESS);
    ck_assert_int_eq(cnn_buffer_settle(&event, device), CNN_ERROR_OPENCL);
    ck_assert_ptr_nonnull(event);
    cnn_buffer_free_data(malloc(1), event); /* the sanitizers see whether it is freed */
    cnn_buffer_free_data(malloc(1), NULL);
    ck_assert_int_eq(
        clGetEventInfo(event, CL_EVENT_REFERENCE_COUNT, sizeof references, &references, NULL),
        CL_SUCCESS);
    ck_assert_uint_eq(references, 1);
    clReleaseEvent(event);
    cnn_device_destroy(device);
}
END_TEST

/* What the machine has: each device is well-formed, and usable ones open. */
START_TEST(the_machines_devices_are_well_formed_and_open)
{
    cnn_device_list *list;
    ck_assert_int_eq(cnn_device_list_create(&list), CNN_OK);
    ck_assert_uint_gt(cnn_device_list_count(list), 0);
    for (size_t i = 0; i < cnn_device_list_total(list); i++) {
        const cnn_device_info *info = cnn_device_list_get(list, i);
        ck_assert_int_eq(info->usable, i < cnn_device_list_count(list));
        ck_assert_int_eq(info->usable, info->reason[0] == '\0');
        ck_assert(isgraph((unsigned char)info->name[0]));
        ck_assert(isgraph((unsigned char)info->name[strlen(info->name) - 1]));
        ck_assert(isdigit((unsigned char)info->opencl[0]));
        if (!info->usable)
            continue;
        char selector[32];
        cnn_device *device;
        snprintf(selector, sizeof selector, "%d:%d", info->platform, info->device);
        ck_assert_msg(cnn_device_create(&device, selector) == CNN_OK, "%s", cnn_error_message());
        ck_assert_str_eq(cnn_device_get_info(device)->name, info->name);
        ck_assert_int_eq(cnn_device_finish(device), CNN_OK);
        cnn_device_destroy(device);
    }
    cnn_device_list_destroy(list);
    cnn_device_destroy(NULL);
    cnn_device_list_destroy(NULL);
}
END_TEST

START_TEST(the_kernel_class_can_be_overridden)
{
    static const struct {
        const char *value;
        cnn_kernel_class kernel_class;
    } rows[] = {{"cpu", CNN_KERNEL_CPU}, {"gpu", CNN_KERNEL_GPU}};
    cnn_device *device;
    for (int i = 0; i < 2; i++) {
        setenv("CNN_CL_KERNEL_CLASS", rows[i].value, 1);
        ck_assert_int_eq(cnn_device_create(&device, NULL), CNN_OK);
        ck_assert_int_eq(device->kernel_class, rows[i].kernel_class);
        cnn_device_destroy(device);
    }
    setenv("CNN_CL_KERNEL_CLASS", "fpga", 1);
    ck_assert_int_eq(cnn_device_create(&device, NULL), CNN_ERROR_ARGUMENT);
    ck_assert_ptr_null(device);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "fpga"));
    unsetenv("CNN_CL_KERNEL_CLASS");
}
END_TEST

START_TEST(codes_have_names)
{
    ck_assert_str_eq(cnn_opencl_error_name(-5), "CL_OUT_OF_RESOURCES");
    ck_assert_str_eq(cnn_opencl_error_name(-61), "CL_INVALID_BUFFER_SIZE");
    ck_assert_str_eq(cnn_opencl_error_name(12345), "unknown OpenCL error");
    ck_assert_int_eq(cnn_opencl_check(-5, "clFinish", NULL), CNN_ERROR_OPENCL);
    ck_assert_str_eq(cnn_error_message(), "clFinish: CL_OUT_OF_RESOURCES (-5)");
}
END_TEST

static bool has_platform(const cnn_device_list *list, const char *name)
{
    for (size_t i = 0; i < cnn_device_list_count(list); i++)
        if (strcmp(cnn_device_list_get(list, i)->platform_name, name) == 0)
            return true;
    return false;
}

/* Memory of two platforms in one process. */
START_TEST(two_platforms_work_side_by_side)
{
    static const char *const selectors[] = {"portable", "llvmpipe"};
    cnn_device *devices[2];
    for (int i = 0; i < 2; i++) {
        cnn_buffer buffer;
        uint32_t word = 1;
        ck_assert_msg(cnn_device_create(&devices[i], selectors[i]) == CNN_OK, "%s",
                      cnn_error_message());
        ck_assert_int_eq(cnn_buffer_init(&buffer, devices[i], 4, "a test"), CNN_OK);
        ck_assert_int_eq(cnn_buffer_read(&word, &buffer, 0, 4), CNN_OK);
        ck_assert_uint_eq(word, 0);
        cnn_buffer_finish(&buffer);
    }
    const cnn_device_info *info = cnn_device_get_info(devices[1]);
    ck_assert_int_eq(info->type, CNN_DEVICE_CPU);
    ck_assert_int_ge(info->twin, 0);
    ck_assert_int_eq(cnn_device_get_info(devices[0])->twin, -1);
    for (int i = 0; i < 2; i++)
        cnn_device_destroy(devices[i]);

    cnn_device *none;
    ck_assert_int_eq(cnn_device_create(&none, "l"), CNN_ERROR_DEVICE);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "fits several devices"));
}
END_TEST

START_TEST(no_platform_is_an_empty_list)
{
    cnn_device_list *list;
    char *text;
    ck_assert_int_eq(cnn_device_list_create(&list), CNN_OK);
    ck_assert_uint_eq(cnn_device_list_count(list), 0);
    ck_assert_uint_eq(cnn_device_list_total(list), 0);
    ck_assert_int_eq(cnn_device_list_to_text(&text, list), CNN_OK);
    ck_assert_ptr_nonnull(strstr(text, "no usable OpenCL device"));
    cnn_string_free(text);
    ck_assert_int_eq(cnn_device_list_to_json(&text, list), CNN_OK);
    ck_assert_ptr_nonnull(strstr(text, "\"devices\": []"));
    cnn_string_free(text);
    cnn_device_list_destroy(list);
}
END_TEST

START_TEST(no_device_can_be_created_and_the_message_says_what_to_do)
{
    cnn_device *device;
    ck_assert_int_eq(cnn_device_create(&device, "0"), CNN_ERROR_DEVICE);
    ck_assert_ptr_null(device);
    const char *message = cnn_error_message();
    ck_assert_msg(strstr(message, "has no .icd file") && strstr(message, "OCL_ICD_VENDORS=") &&
                      strstr(message, "unset OCL_ICD_VENDORS") && !strchr(message, '\n'),
                  "%s", message);
}
END_TEST

START_TEST(a_cache_that_cannot_be_written_is_named)
{
    cnn_device *device;
    ck_assert_int_eq(cnn_device_create(&device, NULL), CNN_ERROR_DEVICE);
    const char *message = cnn_error_message();
    ck_assert_msg(strstr(message, "pocl's cache folder ") && strstr(message, "set POCL_CACHE_DIR"),
                  "%s", message);
    ck_assert_ptr_nonnull(strstr(message, getenv("POCL_CACHE_DIR")));
}
END_TEST

static bool has_both(void)
{
    cnn_device_list *list;
    if (cnn_device_list_create(&list) != CNN_OK)
        return false;
    bool both = has_platform(list, "Portable Computing Language") && has_platform(list, "rusticl");
    cnn_device_list_destroy(list);
    return both;
}

/* Is pocl there without a device? */
static bool lacks_device(void)
{
    cnn_device_list *list;
    if (cnn_device_list_create(&list) != CNN_OK)
        return false;
    bool lacks = list->total == 0 && strstr(list->problems, "(Portable Computing Language)");
    cnn_device_list_destroy(list);
    return lacks;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "this";
    unsetenv("CNN_CL_DEVICE");
    if ((strcmp(mode, "two") == 0 && !has_both()) ||
        (strcmp(mode, "cache") == 0 && !lacks_device()))
        return SKIPPED;
    Suite *suite = suite_create("device");
    TCase *tests = tcase_create(mode);
    if (strcmp(mode, "two") == 0) {
        tcase_add_test(tests, the_machines_devices_are_well_formed_and_open);
        tcase_add_test(tests, two_platforms_work_side_by_side);
    } else if (strcmp(mode, "none") == 0) {
        tcase_add_test(tests, no_platform_is_an_empty_list);
        tcase_add_test(tests, no_device_can_be_created_and_the_message_says_what_to_do);
    } else if (strcmp(mode, "cache") == 0) {
        tcase_add_test(tests, a_cache_that_cannot_be_written_is_named);
    } else {
        tcase_add_test(tests, codes_have_names);
        tcase_add_test(tests, the_machines_devices_are_well_formed_and_open);
        tcase_add_test(tests, the_kernel_class_can_be_overridden);
        tcase_add_test(tests, values_are_shared_with_a_buffer);
        tcase_add_test(tests, a_failed_copy_keeps_its_event);
    }
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
