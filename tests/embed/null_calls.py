"""Every public function, called with NULL for each of its pointers, as C: null_calls.py OUT HEADER..."""
import re
import sys

PROTOTYPE = re.compile(r"CNN_API\s+([^;{]+?)\b(cnn_\w+)\(([^;]*)\)\s*;")
TAKES_NULL = ("_destroy", "cnn_comm_end", "cnn_comm_compare", "cnn_comm_launched", "cnn_comm_size", "cnn_random_choice", "cnn_string_free", "cnn_log_set_callback")
CALLBACKS = ("cnn_log_callback", "cnn_tune_callback")


def make_call(result, name, parameters):
    values = []
    for one in parameters.split(","):
        one = " ".join(one.split())
        if one == "void":
            continue
        kind = one.rsplit(" ", 1)[0]
        is_pointer = "*" in one or "[" in one or kind in CALLBACKS
        values.append("NULL" if is_pointer else f"({kind})0")
    call = f"{name}({', '.join(values)})"
    if "NULL" not in values or name.endswith(TAKES_NULL):
        return f"    (void){call};" if result != "void" else f"    {call};"
    if result == "cnn_status":
        return f'    expect_argument({call}, "{name}: expected a pointer as ");'
    return f"    (void){call};" if result != "void" else f"    {call};"


calls = []
for header in sys.argv[2:]:
    with open(header, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    calls += [make_call(" ".join(m[1].split()), m[2], m[3]) for m in PROTOTYPE.finditer(text)]
assert len(calls) > 100, "the headers are not read"
with open(sys.argv[1], "w", encoding="utf-8") as out:
    out.write("/* Made by null_calls.py. */\nstatic void call_all_with_null(void)\n{\n"
              + "\n".join(calls) + "\n}\n")
