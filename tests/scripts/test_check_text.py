"""scripts/check_text.py on small sources, with and without violations."""
import os
import sys
import unittest

from tools import ROOT, SCRIPTS, ScriptCase

GOOD = {
    "src/base/plain.c": "vsnprintf(a, b, c, d); newlocale(x); uselocale(y);\n",
    "src/net/net.c": 'snprintf(a, n, "%d of %zu %" PRIu64, f(1, "%g"), 2, g());\n'
                     'fprintf(f, yes ? "a\\n" : "100%% of\\n");\n/* printf("%g", x); strtod() */\n'
                     'cnn_format(a, n, "%.3f", 1.0); sscanf(v, "%d.%d", &a, &b);\n'
                     'puts("json_dumps()"); my_printf("%g", x); cnn_text_append(&text, "%g", 1.0);\n',
    "src/cli/main.c": 'printf("%.3f\\n", x); isalpha(c);\n',
}


class CheckText(ScriptCase):
    def check(self, **changes):
        for path, text in {**GOOD, **changes}.items():
            self.write(path, text)
        result = self.run_script(sys.executable, os.path.join(SCRIPTS, "check_text.py"), self.scratch)
        return result.stdout.splitlines(), result.returncode

    def test_good_sources_are_silent(self):
        self.assertEqual(self.check(), ([], 0))

    def test_the_project_is_good(self):
        result = self.run_script(sys.executable, os.path.join(SCRIPTS, "check_text.py"), ROOT)
        self.assertEqual((result.stdout, result.returncode), ("", 0))

    def test_what_is_reported(self):
        conversions = ["%g", "%.9g", "%-8.3f", "%*.*f", "%+e", "%La", "%d %% %5.1F"]
        calls = [f'snprintf(text, sizeof text, "{one}", x);' for one in conversions]
        calls += ['fprintf(file, "%s " "%.1f", a, b);', 'printf(x ? "%d" : "%G", 1);',
                  'sprintf(a, format, x);', 'dprintf(1, "%s%g", a, x);', 'sscanf(a, "%lf", &x);',
                  'vsnprintf(a, n, f, v);', 'x = strtod(a, &end);', 'x = atof(a);',
                  'json_dumps(a, 0);', 'json_loadb(a, n, 0, NULL);', 'json_dump_file(a, b, 0);',
                  'setlocale(LC_ALL, "");', 'localeconv();', 'tolower(c);', 'strcasecmp(a, b);',
                  'printf(/* no "%d" */ "%e", x);', 'fprintf(f(1, 2), "a%%%f", x);']
        reports, status = self.check(**{"src/net/bad.c": "int x;\n" + "\n".join(calls)})
        self.assertEqual([one.split(": ")[0] for one in reports],
                         [f"src/net/bad.c:{2 + line}" for line in range(len(calls))])
        self.assertEqual(status, 1)

    def test_the_command_leaves_the_locale_alone(self):
        reports, status = self.check(**{"src/cli/main.c": 'setlocale(LC_ALL, "");\nstrtod(a, b);\n'})
        self.assertEqual([one.split(": ")[0] for one in reports],
                         ["src/cli/main.c:1", "src/cli/main.c:2"])
        self.assertEqual(status, 1)


if __name__ == "__main__":
    unittest.main()
