"""scripts/check_includes.py on small houses, with and without violations."""
import os
import sys
import unittest

from tools import ROOT, SCRIPTS, ScriptCase

TABLE = """# A house

| room | what | may include |
| --- | --- | --- |
| `base/` | all need it | C library, jansson (json.h) |
| `net/` | networks | |
| `ocl/` | devices | OpenCL (opencl.h) |
| `tensor/` | GEMM | ocl, CLBlast (gemm.c) |
| `plan/` | steps | net, tensor |
| `cli/` | the command | public headers only |
"""
GOOD = {
    "include/cnncl/cnncl.h": "#include <stddef.h>\n#include <cnncl/cnncl.h>\n",
    "src/README.md": TABLE,
    "src/base/json.h": "#include <jansson.h>\n",
    "src/net/net.h": '#include <math.h>\n#include <cnncl/cnncl.h>\n#include "base/json.h"\n',
    "src/net/net.c": '#include "net.h"\n#include "net/net.h"\n#include "build_config.h"\n',
    "src/ocl/opencl.h": "#include <CL/cl.h>\n",
    "src/tensor/gemm.c": '#include <clblast_c.h>\n#include "ocl/opencl.h"\n',
    "src/plan/plan.c": '/* not\n#include "ocl/opencl.h"\n*/\n#include "net/net.h"\n',
    "src/cli/main.h": "#include <cnncl/cnncl.h>\n",
    "src/cli/main.c": '#include <getopt.h>\n#include "main.h"\n',
}


class CheckIncludes(ScriptCase):
    def check(self, **changes):
        """The reports on the good house with some files changed, and the exit status."""
        for path, text in {**GOOD, **changes}.items():
            self.write(path, text)
        result = self.run_script(sys.executable, os.path.join(SCRIPTS, "check_includes.py"), self.scratch)
        return result.stdout.splitlines(), result.returncode

    def assert_reported(self, path, line, text, words):
        reports, status = self.check(**{path: text})
        self.assertEqual(len(reports), 1, reports)
        self.assertTrue(reports[0].startswith(f"{path}:{line}: "), reports[0])
        self.assertIn(words, reports[0])
        self.assertEqual(status, 1)

    def test_a_good_house_is_silent(self):
        self.assertEqual(self.check(), ([], 0))

    def test_a_room_that_is_not_in_the_row(self):
        self.assert_reported("src/plan/plan.c", 3, '\n\n#include "ocl/opencl.h"\n', "not include ocl/")

    def test_the_same_through_a_relative_path(self):
        self.assert_reported("src/net/net.c", 1, '#include "../ocl/opencl.h"\n', "not include ocl/")

    def test_a_comment_keeps_the_line_number(self):
        self.assert_reported("src/net/net.c", 3, '/* a\nb */\n#include "plan/plan.h"\n', "not include plan/")

    def test_a_header_that_is_not_there(self):
        self.assert_reported("src/net/net.c", 1, '#include "nets.h"\n', "is no header")

    def test_a_library_of_another_room(self):
        self.assert_reported("src/net/net.c", 1, "#include <CL/cl.h>\n", "may not include <CL/cl.h>")

    def test_a_library_of_no_room(self):
        self.assert_reported("src/base/text.c", 1, "#include <png.h>\n", "may not include <png.h>")

    def test_a_library_of_another_file(self):
        self.assert_reported("src/tensor/view.c", 1, "#  include <clblast_c.h>\n", "only gemm.c of tensor/")
        os.remove(self.path("src/tensor/view.c"))
        self.assert_reported("src/base/file.c", 1, "#include <jansson.h>\n", "only json.h of base/")

    def test_the_command_sees_public_headers_only(self):
        self.assert_reported("src/cli/main.c", 1, '#include "base/json.h"\n', "public headers only")

    def test_public_headers_see_no_room(self):
        self.assert_reported("include/cnncl/cnncl.h", 1, '#include "base/json.h"\n', "public headers only")

    def test_a_macro(self):
        self.assert_reported("src/net/net.c", 1, "#include HEADER\n", "found a macro")

    def test_a_file_outside_of_the_rooms(self):
        self.assert_reported("src/attic/old.c", 1, "", "another place")

    def test_a_row_may_not_name_a_room_below_it(self):
        reports, status = self.check(**{"src/README.md": TABLE.replace("networks | |", "networks | plan |")})
        self.assertEqual(reports, ["src/README.md:6: net/ names plan/, which does not stand above it"])
        self.assertEqual(status, 1)

    def test_a_row_without_a_folder(self):
        reports, _ = self.check(**{"src/README.md": TABLE + "| `attic/` | old | |\n"})
        self.assertEqual(reports, ["src/README.md:11: there is no folder src/attic/"])

    def test_a_table_that_is_missing(self):
        reports, status = self.check(**{"src/README.md": "nothing\n"})
        self.assertIn("expected a table of rooms", reports[0])
        self.assertEqual(status, 1)

    def test_the_table_of_this_project_limits_its_libraries(self):
        sys.path.insert(0, SCRIPTS)
        import check_includes
        rows, reports = check_includes.read_table(ROOT)
        self.assertEqual(reports, [])
        limits = {(room, library): files for room, row in rows.items()
                  for library, files in row.libraries.items()}
        self.assertEqual(limits, {
            ("base", "jansson"): {"json.h"},
            ("base", "nettle"): {"hash.c"},
            ("comm", "mpi"): {"mpi.c"},
            ("data", "zip"): {"npz.c"},
            ("data", "zlib"): {"csv.c", "known.c", "pack.c", "pack_head.c", "pack_write.c"},
            ("exchange", "zip"): {"npz.c", "torch_zip.c"},
            ("ocl", "opencl"): {"opencl.h"},
            ("tensor", "clblast"): {"gemm.c"},
            ("picture", "cairo"): None,
            ("picture", "png"): {"png.c"},
            ("image", "png"): {"png.c"},
            ("image", "jpeglib"): {"jpeg.c"},
            ("image", "jerror"): {"jpeg.c"},
            ("image", "webp/decode"): {"webp.c"},
            ("image", "webp/demux"): {"webp.c"},
            ("image", "tiffio"): {"tiff.c"},
            ("image", "gif_lib"): {"gif.c"},
            ("image", "leptonica/allheaders"): {"ground.c"},
            ("image", "zlib"): {"idx.c"},
            ("cli", "microhttpd"): {"http.c"},
        })
        self.assertTrue(rows["cli"].public_only)


if __name__ == "__main__":
    unittest.main()
