/* Sources, programs, launches and buffers, on the default device. With the argument "folder" it
 * only prints where it looks for kernels; with "other" the device of CNN_CL_DEVICE may be absent
 * (exit code 77). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "check_main.h"
#include "ocl/buffer.h"
#include "ocl/launch.h"
#include "ocl/source.h"

enum { SKIPPED = 77 };

static cnn_device *device;
static char kernels[1024];

static void open_device(void)
{
    snprintf(kernels, sizeof kernels, "%s/tests/kernels", getenv("CNN_TEST_SOURCE_DIR"));
    setenv("CNN_CL_KERNEL_DIR", kernels, 1);
    ck_assert_msg(cnn_device_create(&device, NULL) == CNN_OK, "%s", cnn_error_message());
}

static void close_device(void)
{
    ck_assert_uint_eq(device->allocated, 0);
    cnn_device_destroy(device);
}

static void assert_ok(cnn_status status)
{
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
}

static void assert_message_has(const char *part)
{
    const char *message = cnn_error_message();
    ck_assert_msg(strstr(message, part) != NULL, "\"%s\" not in: %s", part, message);
    ck_assert_msg(strchr(message, '\n') == NULL, "%s", message);
}

static int count_parts(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

START_TEST(each_file_is_expanded_once_and_lines_stay_right)
{
    char *source;
    assert_ok(cnn_source_load(&source, kernels, "sum.cl"));
    ck_assert_int_eq(count_parts(source, "inline float once"), 1);
    ck_assert_int_eq(count_parts(source, "#include"), 0);
    ck_assert_int_eq(count_parts(source, "#line 1 \"loop_b.cl\""), 1);
    ck_assert_ptr_nonnull(strstr(source, "#line 4 \"sum.cl\"\n#ifndef GAIN"));
    free(source);
}
END_TEST

/* pocl has our declarations of built-in functions, and its own where a kernel calls another one, or
 * where they are no OpenCL C: here there are none. */
START_TEST(built_in_functions_are_the_drivers_where_ours_do_not_do)
{
    bool pocl = strcmp(device->info.platform_name, "Portable Computing Language") == 0;
    char ours[1024];
    cnn_kernel kernel;
    ck_assert(device->own_builtins == pocl);
    snprintf(ours, sizeof ours, "%s/cl", getenv("CNN_TEST_SOURCE_DIR"));
    setenv("CNN_CL_KERNEL_DIR", ours, 1);
    assert_ok(cnn_kernel_init(&kernel, device, "flatten.cl", "", "flatten_forward"));
    cnn_kernel_finish(&kernel);
    ck_assert(device->own_builtins == pocl);
    setenv("CNN_CL_KERNEL_DIR", kernels, 1);
    assert_ok(cnn_kernel_init(&kernel, device, "sum.cl", "-DGAIN=2.0f", "sum"));
    cnn_kernel_finish(&kernel);
    ck_assert(!device->own_builtins);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    char *source;
    ck_assert_int_eq(cnn_source_load(&source, kernels, "nowhere.cl"), CNN_ERROR_KERNEL);
    assert_message_has("tests/kernels/nowhere.cl: no such kernel file");
    assert_message_has("CNN_CL_KERNEL_DIR");
    ck_assert_ptr_null(source);
    ck_assert_int_eq(cnn_source_load(&source, kernels, "lost.cl"), CNN_ERROR_KERNEL);
    assert_message_has("tests/kernels/not_there.cl: no such kernel file, included at lost.cl:2");
}
END_TEST

START_TEST(a_build_error_has_file_options_and_log)
{
    cnn_kernel kernel;
    ck_assert_int_eq(cnn_kernel_init(&kernel, device, "broken.cl", "-DGAIN=3", "broken"),
                     CNN_ERROR_KERNEL);
    assert_message_has("broken.cl does not build");
    assert_message_has("-DGAIN=3");
    assert_message_has("undeclared_value");
    assert_message_has("broken.cl:5"); /* the line of the file, not of the expanded text */
    ck_assert_ptr_null(device->programs);
    cnn_kernel_finish(&kernel);
}
END_TEST

START_TEST(a_missing_kernel_and_long_names_are_refused)
{
    cnn_kernel kernel;
    char options[300];
    ck_assert_int_eq(cnn_kernel_init(&kernel, device, "sum.cl", "", "product"), CNN_ERROR_KERNEL);
    assert_message_has("sum.cl: no kernel named product");
    memset(options, ' ', sizeof options);
    options[sizeof options - 1] = '\0';
    ck_assert_int_eq(cnn_kernel_init(&kernel, device, "sum.cl", options, "sum"), CNN_ERROR_KERNEL);
    ck_assert_ptr_null(kernel.handle);
    cnn_kernel_finish(&kernel);
}
END_TEST

static cl_program program_of(const cnn_kernel *kernel)
{
    cl_program program = NULL;
    ck_assert_int_eq(
        clGetKernelInfo(kernel->handle, CL_KERNEL_PROGRAM, sizeof program, &program, NULL),
        CL_SUCCESS);
    return program;
}

START_TEST(programs_are_built_once_for_each_file_and_options)
{
    cnn_kernel first, same, other;
    assert_ok(cnn_kernel_init(&first, device, "sum.cl", "-DGAIN=2", "sum"));
    assert_ok(cnn_kernel_init(&same, device, "sum.cl", "-DGAIN=2", "shape"));
    assert_ok(cnn_kernel_init(&other, device, "sum.cl", "-DGAIN=3", "sum"));
    ck_assert_str_eq(first.name, "sum");
    ck_assert_str_eq(first.options, "-DGAIN=2");
    ck_assert_ptr_eq(program_of(&first), program_of(&same));
    ck_assert_ptr_ne(program_of(&first), program_of(&other));
    cnn_kernel_finish(&first);
    cnn_kernel_finish(&same);
    cnn_kernel_finish(&other);
    cnn_kernel_finish(&other);
}
END_TEST

START_TEST(a_launch_passes_every_kind_of_argument)
{
    enum { COUNT = 100 };
    float values[COUNT];
    cnn_kernel kernel;
    cnn_buffer x, y;
    assert_ok(cnn_kernel_init(&kernel, device, "sum.cl", "-DGAIN=2", "sum"));
    assert_ok(cnn_buffer_init(&x, device, sizeof values, "x"));
    assert_ok(cnn_buffer_init(&y, device, sizeof values, "y"));
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)i;
    assert_ok(cnn_buffer_write(&x, 0, values, sizeof values));
    const cnn_arg args[] = {cnn_arg_mem(y.mem), cnn_arg_mem(x.mem), cnn_arg_float(0.25f),
                            cnn_arg_int(-7),    cnn_arg_uint(40),   cnn_arg_int(COUNT - 1)};
    assert_ok(cnn_kernel_launch(&kernel, COUNT, args, 6));
    assert_ok(cnn_buffer_read(values, &y, 0, sizeof values));
    for (int i = 0; i < COUNT; i++) /* the last is beyond the kernel's count */
        ck_assert_float_eq(values[i], i < COUNT - 1 ? 0.5f * (float)i + 33.5f : 0.0f);

    assert_ok(cnn_kernel_launch(&kernel, 0, NULL, 0));
    ck_assert_int_eq(
        CNN_LAUNCH(&kernel, 1, cnn_arg_mem(y.mem), cnn_arg_mem(x.mem), cnn_arg_mem(x.mem)),
        CNN_ERROR_OPENCL);
    assert_message_has("clSetKernelArg number 2 of kernel sum: CL_INVALID_ARG_SIZE");
    cnn_buffer_finish(&x);
    cnn_buffer_finish(&y);
    cnn_kernel_finish(&kernel);
}
END_TEST

/* Row _i: the kernel class, and what follows from it. */
START_TEST(groups_fit_the_kernel_class)
{
    static const struct {
        const char *name;
        size_t most_group, most_items;
        float cpu;
    } rows[] = {{"cpu", 1, 64, 1.0f}, {"gpu", 64, 1 << 20, 0.0f}};
    enum { ITEMS = 65 };
    cnn_device *other;
    cnn_kernel kernel;
    cnn_buffer y;
    float values[3];
    setenv("CNN_CL_KERNEL_CLASS", rows[_i].name, 1);
    assert_ok(cnn_device_create(&other, NULL));
    unsetenv("CNN_CL_KERNEL_CLASS");
    assert_ok(cnn_kernel_init(&kernel, other, "sum.cl", "", "shape"));
    assert_ok(cnn_buffer_init(&y, other, sizeof values, "y"));
    assert_ok(CNN_LAUNCH(&kernel, ITEMS, cnn_arg_mem(y.mem)));
    assert_ok(cnn_buffer_read(values, &y, 0, sizeof values));
    size_t items = (size_t)values[0], group = (size_t)values[1];
    ck_assert_uint_ge(group, 1);
    ck_assert_uint_le(group, rows[_i].most_group);
    ck_assert_uint_eq(items, (ITEMS + group - 1) / group * group);
    ck_assert_float_eq(values[2], rows[_i].cpu);
    ck_assert_uint_eq(cnn_kernel_items(other, 10), 10);
    ck_assert_uint_eq(cnn_kernel_items(other, (size_t)1 << 30), rows[_i].most_items);
    cnn_buffer_finish(&y);
    cnn_kernel_finish(&kernel);
    cnn_device_destroy(other);
}
END_TEST

START_TEST(buffers_are_zeroed_written_read_copied_and_cleared)
{
    enum { BYTES = 1001 }; /* no multiple of the fill pattern */
    unsigned char out[BYTES], in[BYTES];
    cnn_buffer a, b;
    cl_event event;
    assert_ok(cnn_buffer_init(&a, device, BYTES, "a"));
    assert_ok(cnn_buffer_init(&b, device, BYTES, "b"));
    ck_assert_uint_eq(device->allocated, 2 * BYTES);
    memset(in, 1, BYTES);
    assert_ok(cnn_buffer_read(in, &a, 0, BYTES));
    for (int i = 0; i < BYTES; i++) {
        ck_assert_uint_eq(in[i], 0);
        out[i] = (unsigned char)(i % 251);
    }
    assert_ok(cnn_buffer_write_async(&event, &a, out, BYTES));
    ck_assert_int_eq(clWaitForEvents(1, &event), CL_SUCCESS);
    ck_assert_int_eq(clReleaseEvent(event), CL_SUCCESS);
    assert_ok(cnn_buffer_write(&a, 10, "xyz", 3));
    assert_ok(cnn_buffer_read(in, &a, 0, BYTES));
    ck_assert_int_eq(memcmp(in + 10, "xyz", 3), 0);
    ck_assert_int_eq(memcmp(in + 13, out + 13, 487), 0);
    assert_ok(cnn_buffer_read(in, &b, 10, 1));
    ck_assert_uint_eq(in[0], 0);
    assert_ok(cnn_buffer_read(in, &b, 0, 0));
    ck_assert_int_eq(cnn_buffer_read(in, &b, BYTES, 1), CNN_ERROR_OPENCL);
    assert_message_has("clEnqueueReadBuffer: CL_INVALID_VALUE (-30)");
    cnn_buffer_finish(&a);
    cnn_buffer_finish(&b);
    cnn_buffer_finish(&b);
}
END_TEST

START_TEST(too_much_memory_is_refused_with_the_bytes)
{
    cnn_buffer buffer;
    char bytes[32];
    size_t largest = (size_t)device->info.max_allocation;
    ck_assert_int_eq(cnn_buffer_init(&buffer, device, largest + 1, "the patches"),
                     CNN_ERROR_MEMORY);
    snprintf(bytes, sizeof bytes, "(%zu bytes) asked", largest + 1);
    assert_message_has(bytes);
    assert_message_has("the patches");
    assert_message_has("the largest single buffer");
    assert_message_has("smaller batch");
    ck_assert_ptr_null(buffer.mem);

    device->allocated = device->info.memory - 100;
    ck_assert_int_eq(cnn_buffer_init(&buffer, device, 101, "the patches"), CNN_ERROR_MEMORY);
    assert_message_has("100 B (100 bytes) of");
    assert_ok(cnn_buffer_init(&buffer, device, 100, "the patches"));
    cnn_buffer_finish(&buffer);
    device->allocated = 0;

    assert_ok(cnn_buffer_init(&buffer, device, 0, "nothing"));
    ck_assert_uint_eq(buffer.bytes, 4);
    cnn_buffer_finish(&buffer);
}
END_TEST

/* The folder that a copy of this program at path looks in; no CNN_CL_KERNEL_DIR is set for it. */
static void ask_folder(char folder[2048], const char *path)
{
    char command[2048];
    snprintf(command, sizeof command, "env -u CNN_CL_KERNEL_DIR '%s' folder", path);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(folder, 2048, pipe));
    ck_assert_int_eq(pclose(pipe), 0);
}

static char *make_folder(const char *parent, const char *name)
{
    char *path;
    assert_ok(cnn_path_join(&path, parent, name));
    ck_assert_int_eq(mkdir(path, 0777), 0);
    return path;
}

/* Copies this program. */
static char *copy_program(const char *folder, const char *program)
{
    char *path;
    void *bytes;
    size_t size;
    assert_ok(cnn_path_join(&path, folder, "program"));
    assert_ok(cnn_file_read(&bytes, &size, program, (size_t)1 << 28));
    assert_ok(cnn_file_write_atomic(path, &(cnn_piece){bytes, size}, 1));
    free(bytes);
    ck_assert_int_eq(chmod(path, 0755), 0);
    return path;
}

/* From the build the source's folder; from a moved prefix that prefix's. */
START_TEST(the_kernel_folder_follows_the_program)
{
    char own[1024] = "", expected[2048], found[2048], root[] = "/tmp/cnn-cl.XXXXXX";
    ck_assert_int_gt((int)readlink("/proc/self/exe", own, sizeof own - 1), 0);
    ask_folder(found, own);
    snprintf(expected, sizeof expected, "%s/cl", getenv("CNN_TEST_SOURCE_DIR"));
    ck_assert_str_eq(found, expected);

    ck_assert_ptr_nonnull(mkdtemp(root));
    char *bin = make_folder(root, "bin"), *share = make_folder(root, "share");
    char *data = make_folder(share, "cnn-cl"), *cl = make_folder(data, "cl");
    char *program = copy_program(bin, own);
    ask_folder(found, program);
    ck_assert_str_eq(found, cl);
    char *made[] = {program, bin, cl, data, share};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(remove(made[i]), 0);
        free(made[i]);
    }
    ck_assert_int_eq(rmdir(root), 0);
}
END_TEST

static int print_folder(void)
{
    char *folder;
    if (cnn_kernel_folder(&folder) != CNN_OK)
        return EXIT_FAILURE;
    fputs(folder, stdout);
    free(folder);
    return EXIT_SUCCESS;
}

static bool has_device(void)
{
    cnn_device *wanted;
    bool there = cnn_device_create(&wanted, NULL) == CNN_OK;
    cnn_device_destroy(wanted);
    return there;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "folder") == 0)
        return print_folder();
    if (argc > 1 && strcmp(argv[1], "other") == 0 && !has_device())
        return SKIPPED;
    Suite *suite = suite_create("program");
    TCase *tests = tcase_create("program");
    tcase_add_checked_fixture(tests, open_device, close_device);
    tcase_add_test(tests, each_file_is_expanded_once_and_lines_stay_right);
    tcase_add_test(tests, a_missing_file_is_named);
    tcase_add_test(tests, built_in_functions_are_the_drivers_where_ours_do_not_do);
    tcase_add_test(tests, a_build_error_has_file_options_and_log);
    tcase_add_test(tests, a_missing_kernel_and_long_names_are_refused);
    tcase_add_test(tests, programs_are_built_once_for_each_file_and_options);
    tcase_add_test(tests, a_launch_passes_every_kind_of_argument);
    tcase_add_loop_test(tests, groups_fit_the_kernel_class, 0, 2);
    tcase_add_test(tests, buffers_are_zeroed_written_read_copied_and_cleared);
    tcase_add_test(tests, too_much_memory_is_refused_with_the_bytes);
    tcase_add_test(tests, the_kernel_folder_follows_the_program);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
