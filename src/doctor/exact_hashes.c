/* The published bits. docs/reliability.md says how they were found, and where they were found again. */
#include "doctor/exact_case.h"

#include <stddef.h>

/* Every kind of layer, and small enough for any device. */
static const char small_text[] =
    "input(2, 8, 8)\n"
    "Conv2d(8, 3, padding=1)\n"
    "BatchNorm2d()\n"
    "SiLU()\n"
    "Conv2d(8, 3, padding=1, groups=8, bias=false)\n"
    "GroupNorm(2)\n"
    "GELU()\n"
    "r = MaxPool2d(2)\n"
    "Conv2d(8, 1)\n"
    "GELU(approximate=tanh)\n"
    "p = AvgPool2d(3, stride=1, padding=1)\n"
    "q = Dropout(0.2)\n"
    "AdaptiveAvgPool2d(1)\n"
    "s = Sigmoid()\n"
    "m = Mul(q, s)\n"
    "a = Add(m, p)\n"
    "Concat(a, r)\n"
    "Conv2d(12, 3, stride=2, padding=1, groups=2)\n"
    "Hardswish()\n"
    "Tanh()\n"
    "LeakyReLU()\n"
    "Scale(0.7)\n"
    "BatchNorm2d(affine=false)\n"
    "ReLU6()\n"
    "Dropout2d(0.3)\n"
    "Flatten()\n"
    "Linear(16)\n"
    "ReLU()\n"
    "Linear(4)\n";

static const uint64_t small_hashes[] = {
    UINT64_C(0x66692b9b9ef61387), UINT64_C(0xb8eecd84ac20a734), UINT64_C(0x15b759d3602c070f),
    UINT64_C(0x3e5a76164913374b), UINT64_C(0x6d5c805f74535c14), UINT64_C(0x234ef0cc346cb00d),
    UINT64_C(0x4cbb7400ff8371bc), UINT64_C(0x590a64e0c886ae02), UINT64_C(0xd32f16d9104e15b5),
    UINT64_C(0xaf7d9ed64b0ab74f),
};

static const uint64_t notebook_hashes[] = {
    UINT64_C(0x2ecde30075f8a11d), UINT64_C(0xce2c8209e34e0315), UINT64_C(0x04c1babad9ef4408),
    UINT64_C(0x154e3d215904ed28), UINT64_C(0x20ee50182382bd3f), UINT64_C(0x81c26ed510259601),
    UINT64_C(0x270035c50e24b331), UINT64_C(0xb12b31c57e4dee5e), UINT64_C(0xc874948803de28cd),
    UINT64_C(0x3174d5ea33c00512), UINT64_C(0x8d3fc170ed53ef05), UINT64_C(0x1547a72659da8c53),
    UINT64_C(0x7eb404adab754aa3), UINT64_C(0x95a10e927b42709c), UINT64_C(0x264124dcd013302e),
    UINT64_C(0x905fc525ecc474bb), UINT64_C(0xb83e7835a222cb10), UINT64_C(0x4c7b40efcc2ab79c),
    UINT64_C(0xafde0ebd54c294d9), UINT64_C(0x16b946b30b0a8ee1), UINT64_C(0x4035724145812dca),
    UINT64_C(0x7f8691f3b5197cb7), UINT64_C(0xb77b764ffba38f65), UINT64_C(0x753c51e08fb87a56),
    UINT64_C(0xeca8c6ed849b30a9), UINT64_C(0xf0ea7b0b96357144), UINT64_C(0x93360f9a584001f4),
    UINT64_C(0xb7dcf6b4cc9c4172), UINT64_C(0xcdc7f6d131b5d875), UINT64_C(0xf78324f1f8764c75),
    UINT64_C(0x23a9908015ece8fc), UINT64_C(0x9d4d5f56f0739e1b), UINT64_C(0x57ea1f974451623f),
    UINT64_C(0xab6bbcf88e15ccf3), UINT64_C(0x1d0c07fba1810f23), UINT64_C(0x77391085741919e2),
    UINT64_C(0x342bdeb8a8f18449), UINT64_C(0xec3fe4b39a9bdc59), UINT64_C(0x37bb30257563e3be),
    UINT64_C(0xfdf323d2a4d2c9ab), UINT64_C(0xb5c0a25d03819911), UINT64_C(0x8fcc758271841ba0),
    UINT64_C(0xa22e91fe03315de1), UINT64_C(0x63c303573feb0941), UINT64_C(0x76719c5d35726dc9),
    UINT64_C(0x115f70c55eb3466b), UINT64_C(0xd25fcc4c455add26), UINT64_C(0x20375900be03d4ab),
    UINT64_C(0xd08ca5625afc9158), UINT64_C(0x1d29dc465174f724), UINT64_C(0x16aae7160d814792),
    UINT64_C(0xf9e30f8415b26085), UINT64_C(0x455c1b9d0c2629fe), UINT64_C(0x3fb925332ba580d4),
    UINT64_C(0x58640771be2d39a7), UINT64_C(0xaeed89861722ef6d), UINT64_C(0x20742777ffcc1271),
    UINT64_C(0xcf5184028c10d721), UINT64_C(0x208bf6ab4c95b3ac), UINT64_C(0x674ce72599a182bd),
    UINT64_C(0x9c5051a90e8d140c), UINT64_C(0x4a6bb97c900e00c8), UINT64_C(0x902ecc88e52ba6ee),
    UINT64_C(0x5aea938326db2102), UINT64_C(0xd601ca7a1588dd86), UINT64_C(0x8389c22f3ad7a3f9),
    UINT64_C(0x5438a7a145134880), UINT64_C(0x2a33b0cf1cf49849), UINT64_C(0xbe914b03d8224096),
    UINT64_C(0xe5588ca8cd7a4fba), UINT64_C(0xe57041fdea2986ab), UINT64_C(0x17ad65732f3ae8e0),
    UINT64_C(0x234539642168b5d2), UINT64_C(0x8d4dd47d8b783fa2), UINT64_C(0x88dfbb4b73d1c4bd),
    UINT64_C(0x0291b057a850e918), UINT64_C(0x03fd1ed54a76c689), UINT64_C(0x109dce3a1ab8ba87),
    UINT64_C(0xa56d98e4d8c82201), UINT64_C(0x675776b1a5584a78), UINT64_C(0xc17e5a319d6a9fa6),
    UINT64_C(0x3901870eeb031717), UINT64_C(0x8317484af0ab6255), UINT64_C(0xe3cf551cae382634),
    UINT64_C(0xf74c0d19baf461e3), UINT64_C(0xceba9c0770a92164), UINT64_C(0xa733343897c0f8f2),
    UINT64_C(0x4d3830e203a491a8), UINT64_C(0x2c7a003cc2853c8d), UINT64_C(0xf9e4414bf7f44f66),
    UINT64_C(0x124c5fec1b85b798), UINT64_C(0x59b82c74578f3a99), UINT64_C(0x73de36dde1fa4e6d),
    UINT64_C(0x3ccc7b54847df3dc), UINT64_C(0xd12e35f0d1515b02), UINT64_C(0xd95f65a6d3bf2844),
    UINT64_C(0xbc8b8a700bf79e75), UINT64_C(0x7c61aaf425d9768d), UINT64_C(0x8a341aed97cf7419),
    UINT64_C(0xcc763cef9f9215c1),
};

static const uint64_t notebook_with_batch_norm_hashes[] = {
    UINT64_C(0x6da6b0363c61290d), UINT64_C(0x59c0994c0f7e582e), UINT64_C(0xe3bd50afa2c11787),
    UINT64_C(0x2ecc9bbf1a7cda75), UINT64_C(0x955de5f737971790), UINT64_C(0x9ed6b26b0fb51347),
    UINT64_C(0xe8ab406cd33bd613), UINT64_C(0xdb855a8e55b47963), UINT64_C(0x09287e692c8b0d0c),
    UINT64_C(0xdb9df6eb33c9045b), UINT64_C(0xb16db0aa30cf57d0), UINT64_C(0x13c8266db8979e10),
    UINT64_C(0x788c5367bd706357), UINT64_C(0x601096c53b1dc77f), UINT64_C(0xe75322e78b3ae0c3),
    UINT64_C(0x61522747f7859384), UINT64_C(0x2a7ce26ba8c604fe), UINT64_C(0xf4fa577fc4046d9e),
    UINT64_C(0xb1a4f56039c21215), UINT64_C(0x16a77ea99fec85a9), UINT64_C(0xe84a71c20cd1c42c),
    UINT64_C(0x8c2b2059badcd044), UINT64_C(0xa52b8bb14f882e2c), UINT64_C(0x2c9adafd4df83bb1),
    UINT64_C(0x26198fcb25689cab), UINT64_C(0x78e7925ae6c68645), UINT64_C(0x7549d51bbdffce0c),
    UINT64_C(0x4be619a1ff83a3ab), UINT64_C(0xee8e51498dc96a51), UINT64_C(0x09699ed5f70bc44f),
    UINT64_C(0xc2bd602e4f105876), UINT64_C(0xbfed7b5f4f8d1a0a), UINT64_C(0x7f6e22cb097017a1),
    UINT64_C(0x06376133abb8eda8), UINT64_C(0x7d8402c0444f9587), UINT64_C(0x8f57eab9bada1927),
    UINT64_C(0x6aa472c6d64a51d2), UINT64_C(0x23117f81262ebea3), UINT64_C(0xb0cf7cd84cf92165),
    UINT64_C(0x05c3f6e22dbeecfb), UINT64_C(0x09b51d2d63e3f18b), UINT64_C(0x3bc862a6a0e95d3c),
    UINT64_C(0x3911153882d62321), UINT64_C(0x817df8808d03b326), UINT64_C(0x4c96eda362483315),
    UINT64_C(0x80b8107a85f369ab), UINT64_C(0xcd22bd0db2e7279a), UINT64_C(0x971ac88bf30c73e4),
    UINT64_C(0xe3366ad55851d626), UINT64_C(0xebc6f0707adc4ac6), UINT64_C(0x5a8be8b59096ac22),
    UINT64_C(0x51b162d79d824d65), UINT64_C(0x5969c0033184ab3b), UINT64_C(0x54305ed932972fc8),
    UINT64_C(0x33a60b03574460d3), UINT64_C(0x6ba0cbcaa2c3ec33), UINT64_C(0x509b265ae20fcc52),
    UINT64_C(0x756114b355e2d1f1), UINT64_C(0x80b91d16b778f23f), UINT64_C(0xea10d7cac9cc9757),
    UINT64_C(0x9c0b8010be8adbe7), UINT64_C(0xb09ac0331428e467), UINT64_C(0xb5a429be32287c3b),
    UINT64_C(0xf0077ade3d07f231), UINT64_C(0xf518371f58ff5795), UINT64_C(0xf668c31fe6054c75),
    UINT64_C(0x0ae14b0d7fc4f514), UINT64_C(0x77274ac83973fa74), UINT64_C(0x5d36a7c866925f64),
    UINT64_C(0x0c11a8c6d690d5fc), UINT64_C(0xa1b9e30e5169cf56), UINT64_C(0x8720f32ad3b3e15b),
    UINT64_C(0x87ed5dd8e1423f75), UINT64_C(0x5cb144a801f5bcb4), UINT64_C(0xf5dcda6c80f01ad8),
    UINT64_C(0x42e0fc4b466da8ab), UINT64_C(0x9493cd816890e38c), UINT64_C(0x332549fd09725740),
    UINT64_C(0xb78e7f1d3c9d1b2b), UINT64_C(0xe040e27691f5e2af), UINT64_C(0xb6d97e14a998d2d5),
    UINT64_C(0x95041f377560d16e), UINT64_C(0xc5b0a9c3348ba2b6), UINT64_C(0xc785aee36f52207a),
    UINT64_C(0xc1e85662e2f5b3ea), UINT64_C(0x12107a0395f81658), UINT64_C(0xe57defb06146d25c),
    UINT64_C(0x158bb506265727f4), UINT64_C(0x2271c9c2a759a799), UINT64_C(0xb3e3e3f9d8049ab0),
    UINT64_C(0x61d118519e168442), UINT64_C(0x426962db581b6182), UINT64_C(0x2ba4ed3cecbe903f),
    UINT64_C(0xa043b66b835b3b07), UINT64_C(0xc3cd43f2183710c6), UINT64_C(0xce1c9ea7448833ee),
    UINT64_C(0x3c152caf0f78ff03), UINT64_C(0x775928629e769f00), UINT64_C(0x7d11aba37473bfad),
    UINT64_C(0x7802eb17e848cd26),
};

static const uint64_t resnet20_hashes[] = {
    UINT64_C(0xca0981701069262c), UINT64_C(0x6c95710dc3bdd7c5), UINT64_C(0xfaf0e653bb6ecea5),
    UINT64_C(0xaaf6ad41aee60871), UINT64_C(0xf9c0f09816eb7736), UINT64_C(0x44bc302b2da98ae6),
    UINT64_C(0x2c776cdc32ea6a4c), UINT64_C(0x699905f39ce57fd7), UINT64_C(0x1a00d264d6730c6a),
    UINT64_C(0x5671ffad16795020),
};

const cnn_exact_case cnn_exact_cases[CNN_EXACT_CASES] = {
    {"small", NULL, small_text, false, 8, 10, true, small_hashes,
     "af7d9ed64b0ab74f96e7e06f2fb49a9a700709c56459712e61f7765c2de49e38"},
    {"notebook", NULL, NULL, false, 32, 100, false, notebook_hashes,
     "cc763cef9f9215c12198fce0e3aed0e5b49535a97f6653adc17957f623e0bfed"},
    {"notebook with batch norm", NULL, NULL, true, 32, 100, false, notebook_with_batch_norm_hashes,
     "7802eb17e848cd26f44de947d709da576e8e87b092bba0b88b8a04451aa73dbb"},
    {"resnet20", "resnet20", NULL, false, 8, 10, false, resnet20_hashes,
     "5671ffad16795020782dd958d12685ac32fbf1308c863d1b9d0d75172db81f33"},
};
