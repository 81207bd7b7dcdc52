// embed.c in C++17, with handles that free themselves and exceptions. To build and run it:
//   c++ -std=c++17 embed.cpp $(pkg-config --cflags --libs cnncl) -o embed && ./embed
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <cnncl/cnncl.h>

namespace {

void check(cnn_status status)
{
    if (status != CNN_OK)
        throw std::runtime_error(cnn_error_message());
}

// A handle of the library's that its own function destroys.
template <auto Destroy> struct Destroyer {
    template <class T> void operator()(T *handle) const
    {
        Destroy(handle);
    }
};
template <class T, auto Destroy> using Handle = std::unique_ptr<T, Destroyer<Destroy>>;
using DeviceList = Handle<cnn_device_list, cnn_device_list_destroy>;
using Device = Handle<cnn_device, cnn_device_destroy>;
using Dataset = Handle<cnn_dataset, cnn_dataset_destroy>;
using Model = Handle<cnn_model, cnn_model_destroy>;
using Trainer = Handle<cnn_trainer, cnn_trainer_destroy>;
using Predictor = Handle<cnn_predictor, cnn_predictor_destroy>;

// make<Device>(cnn_device_create, nullptr): what create(&handle, arguments...) gives.
template <class Owner, class Create, class... Arguments>
Owner make(Create create, Arguments &&...arguments)
{
    typename Owner::pointer handle = nullptr;
    check(create(&handle, std::forward<Arguments>(arguments)...));
    return Owner(handle);
}

constexpr int shape[3] = {1, 16, 16}; // channels, height, width
constexpr std::size_t side = 16, pixels = side * side, classes = 4;

struct Samples {
    std::vector<std::uint8_t> images; // (count, 1, side, side)
    std::vector<std::uint16_t> labels; // (count)
};

// Stands for your data: noise with one brighter quarter; which one is the label.
Samples make_samples(std::size_t count, std::uint64_t seed)
{
    Samples samples;
    std::vector<float> noise(count * pixels); // in [0, 1)
    cnn_random_uniform(noise.data(), noise.size(), seed);
    for (std::size_t i = 0; i < count; i++) {
        std::size_t label = i % classes;
        samples.labels.push_back(static_cast<std::uint16_t>(label));
        for (std::size_t p = 0; p < pixels; p++) {
            std::size_t quarter = p / (pixels / 2) * 2 + p % side / (side / 2);
            float value = 150 * noise[i * pixels + p] + (quarter == label ? 100.0F : 0.0F);
            samples.images.push_back(static_cast<std::uint8_t>(value));
        }
    }
    return samples;
}

void list_devices()
{
    DeviceList list = make<DeviceList>(cnn_device_list_create);
    for (std::size_t i = 0; i < cnn_device_list_count(list.get()); i++) { // best first
        const cnn_device_info *info = cnn_device_list_get(list.get(), i);
        std::printf("device %zu: %s, %s\n", i, info->name, cnn_device_type_name(info->type));
    }
}

// Called before training (index -1, without a loss) and after each epoch; false stops the run. It
// is called from C: an exception must not leave it. user: the test accuracy that is enough.
bool on_epoch(const cnn_epoch *epoch, void *user) noexcept
{
    std::printf("epoch %d: test accuracy %.3f", epoch->index, epoch->test_accuracy);
    if (epoch->index >= 0)
        std::printf(", loss %.3f", epoch->loss);
    std::printf("\n");
    return epoch->test_accuracy < *static_cast<const double *>(user);
}

// Trains until the accuracy is enough, or to the end; returns whether it was stopped. The model has
// the values of the last step in either case.
bool train(Device &device, Model &model, const Dataset &dataset, double enough)
{
    cnn_train_options options;
    cnn_train_options_init(&options);
    options.epochs = 4;
    options.batch = 32;
    cnn_train_callbacks callbacks{};
    callbacks.on_epoch = on_epoch;
    callbacks.user = &enough;

    Trainer trainer =
        make<Trainer>(cnn_trainer_create, device.get(), model.get(), dataset.get(), &options);
    cnn_status status = cnn_trainer_run(trainer.get(), &callbacks);
    if (status != CNN_ERROR_STOPPED)
        check(status);
    return status == CNN_ERROR_STOPPED;
}

void run()
{
    Samples training = make_samples(512, 1), test = make_samples(100, 2);
    std::vector<float> image(pixels), logits(classes);
    for (std::size_t p = 0; p < pixels; p++)
        image[p] = static_cast<float>(test.images[p]) / 255; // pixels in 0..1

    cnn_config config;
    cnn_config_init(&config); // the default network, for images and classes of ours
    std::copy(std::begin(shape), std::end(shape), config.xdim);
    config.ydim = classes;
    list_devices();

    // What stands on another is declared after it, and so destroyed before it.
    Device device = make<Device>(cnn_device_create, nullptr); // the best, or CNN_CL_DEVICE's
    Dataset dataset = make<Dataset>(cnn_dataset_create, shape, training.images.data(),
                                    training.labels.data(), training.labels.size(),
                                    test.images.data(), test.labels.data(), test.labels.size());
    Model model = make<Model>(cnn_model_create, &config, 0U); // initial values of seed 0
    train(device, model, dataset, 2);                         // an accuracy is at most 1
    check(cnn_model_save(model.get(), "model.safetensors"));

    Model loaded = make<Model>(cnn_model_load, "model.safetensors");
    Predictor predictor =
        make<Predictor>(cnn_predictor_create, device.get(), loaded.get(), 32, true);
    cnn_evaluation evaluation;
    check(cnn_predictor_evaluate(&evaluation, predictor.get(), dataset.get(), CNN_SPLIT_TEST));
    check(cnn_predictor_run(logits.data(), predictor.get(), image.data(), 1)); // one image
    std::printf("%zu of %zu test images right\n", evaluation.hits, evaluation.count);
    std::printf("an image of class %d is taken for class %d\n", test.labels[0],
                static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin()));

    Model second = make<Model>(cnn_model_create, &config, 1U);
    if (train(device, second, dataset, 0.9))
        std::printf("stopped: that is enough\n");
}

} // namespace

int main()
{
    try {
        run();
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "embed: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
