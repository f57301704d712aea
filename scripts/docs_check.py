#!/usr/bin/env python3
"""Runs the console examples of README.md, SECURITY.md, docs/ and examples/ against a real server and
compares every reply.

Each page gets a new server. A ```console block has the output of redis-cli: a prompt with a command, then the
reply; `$ sleep 0.5` waits, `$ redis-cli -3` switches to RESP3. Ids and receipts differ between runs: their
first occurrence in a reply binds them to the actual value, which later commands and replies use. Of unix times
(13 digits), ages and script positions in errors, only the format is compared, except that MQ.NEXT with FROM
computes the same times whenever it runs; the seconds that redis-cli shows for slow commands are ignored.

Also checked: code blocks that name a file in examples/ are equal to that file, times in README.md are in
bench/results, and relative links exist.

Environment: MQ_SERVER (server binary, of version 7.0 or newer: RESP3 replies have maps from there on),
MQ_MODULE (the module). Exits 1 on any difference.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROMPT = re.compile(r"127\.0\.0\.1:6379(?:\[\d+\])?(?:\(TX\))?> (.*)")
SHELL = re.compile(r"\$ (?:sleep (\d+(?:\.\d+)?)|redis-cli -3)")
FENCE = re.compile(r"^(`{3,})(\w*)$")
ID = r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"
RECEIPT = r"(?<![0-9a-f-])[0-9a-f]{16}(?![0-9a-f-])"
BOUND = re.compile(f"{ID}|{RECEIPT}")
TIME = re.compile(r"\b\d{13}\b")
SCRIPT = re.compile(r" script: (?:[0-9a-f]{40}, )?on @user_script:\d+\.")
TAKEN = re.compile(r"\n\(\d+\.\d\ds\)$")
AGE = re.compile(r'("oldest_(?:ready|inflight|delayed)_age_ms"(?: => |\n *\d+\) )\(integer\) )\d+')


class ServerError(str):
    """An error reply."""


class Status(str):
    """A simple string."""


class Server:
    """A server on a free port and in a temporary folder."""

    def __init__(self, binary, module):
        self.folder = tempfile.mkdtemp(prefix="mq-docs-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.log = pathlib.Path(self.folder, "server.log")
        arguments = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                     "--loadmodule", module]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.process.kill()
                    self.process.wait()
                    sys.exit(f"docs_check: {binary} did not start:\n{self.log.read_text(errors='replace')}")
                time.sleep(0.02)
        self.replies = self.socket.makefile("rb")

    def stop(self):
        self.replies.close()
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

    def call(self, arguments):
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
        self.socket.sendall(b"".join(parts))
        return self.read()

    def read(self):
        line = self.replies.readline()
        if not line:
            sys.exit(f"docs_check: the server closed the connection:\n{self.log.read_text(errors='replace')}")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"+":
            return Status(rest)
        if kind == b"-":
            return ServerError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"_" or (kind in b"$*" and rest == "-1"):
            return None
        if kind in b"$=":
            data = self.replies.read(int(rest) + 2)[:-2]
            return data[4:] if kind == b"=" else data
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(int(rest))}
        sys.exit(f"docs_check: unknown reply type: {line!r}")


def split(line):
    """Splits a command line into arguments, like redis-cli."""
    words, at = [], 0
    while at < len(line):
        if line[at] == " ":
            at += 1
        elif line[at] == '"':
            end = re.compile(r'"((?:[^"\\]|\\.)*)"(?: |$)').match(line, at)
            if not end:
                sys.exit(f"docs_check: unbalanced quotes: {line}")
            words.append(end[1].encode().decode("unicode_escape").encode("latin-1"))
            at = end.end()
        else:
            end = (line + " ").index(" ", at)
            words.append(line[at:end].encode())
            at = end
    return words


def quoted(data):
    named = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x07: "\\a", 0x08: "\\b"}
    text = (named.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)
    return f'"{"".join(text)}"'


def shown(reply, prefix=""):
    """Formats a reply like redis-cli on a terminal."""
    if reply is None:
        return "(nil)"
    if isinstance(reply, ServerError):
        return f"(error) {reply}"
    if isinstance(reply, Status):
        return str(reply)
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, bytes):
        return quoted(reply)
    if not reply:
        return "(empty array)" if isinstance(reply, list) else "(empty hash)"
    width = len(str(len(reply)))
    inner = prefix + " " * (width + 2)
    lines = []
    for number, key in enumerate(reply, 1):
        head = f"{prefix if number > 1 else ''}{number:>{width}}"
        if isinstance(reply, dict):
            lines.append(f"{head}# {shown(key, inner)} => {shown(reply[key], inner)}")
        else:
            lines.append(f"{head}) {shown(key, inner)}")
    return "\n".join(lines)


def run(server, line):
    words = split(line)
    reply = server.call(words)
    if words[0].upper() == b"INFO" and isinstance(reply, bytes):
        return reply.decode().replace("\r\n", "\n").strip()
    return shown(reply)


def by_form(text):
    return AGE.sub(r"\g<1><age>", TIME.sub("<time>", SCRIPT.sub(" <script>", text)))


def is_timeless(line):
    """Whether the times in a command's reply do not depend on the clock."""
    words = [word.upper() for word in split(line)]
    return words[0] == b"MQ.NEXT" and b"FROM" in words


def differs(expected, actual, bound):
    """Whether the texts differ; binds ids and receipts at their first occurrence."""
    if BOUND.sub("<>", by_form(expected)) != BOUND.sub("<>", by_form(actual)):
        return True
    for page, real in zip(BOUND.findall(expected), BOUND.findall(actual)):
        if page not in bound and real in bound.values():
            return True
        if bound.setdefault(page, real) != real:
            return True
    return False


def blocks(text):
    """The fenced blocks of a page: line number, language, the preceding line of text, the lines."""
    fence, above = None, ""
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.match(line)
        if fence is None and match:
            fence, start, language, lines = match[1], number, match[2], []
        elif fence is not None and line == fence:
            yield start, language, above, lines
            fence = None
        elif fence is not None:
            lines.append(line)
        elif line.strip():
            above = line


def steps(start, lines):
    """A console block as (line number, command line, expected reply)."""
    command, expected, at = None, [], start
    for number, line in enumerate(lines, start + 1):
        if PROMPT.match(line) or SHELL.fullmatch(line):
            if command is not None:
                yield at, command, "\n".join(expected)
            command, expected, at = line, [], number
        elif command is None:
            sys.exit(f"docs_check: line {number}: a console block must start with a prompt")
        else:
            expected.append(line.rstrip())
    if command is not None:
        yield at, command, "\n".join(expected).rstrip("\n")


def check_console(page, text, binary, module):
    """Runs the page's console blocks; returns the number of commands and the faults."""
    console = [(start, lines) for start, language, _, lines in blocks(text) if language == "console"]
    if not console:
        return 0, []
    faults, ran, bound = [], 0, {}
    server = Server(binary, module)
    try:
        for start, lines in console:
            for number, command, expected in steps(start, lines):
                shell = SHELL.fullmatch(command)
                if shell and shell[1]:
                    time.sleep(float(shell[1]))
                    continue
                if shell:
                    server.call([b"HELLO", b"3"])
                    continue
                line = BOUND.sub(lambda match: bound.get(match[0], match[0]), PROMPT.match(command)[1])
                actual = run(server, line)
                ran += 1
                expected = TAKEN.sub("", expected)
                if expected != actual and (is_timeless(line) or differs(expected, actual, bound)):
                    faults.append(f"{page}:{number}: {command}\n--- on the page\n{expected}\n--- the server\n{actual}")
    finally:
        server.stop()
    return ran, faults


def check_copies(page, text):
    """A code block under a line that names a file in examples/ equals that file."""
    faults = []
    for start, language, above, lines in blocks(text):
        named = re.search(r"\((?:\.\./)*(examples/[^)]+\.\w+)\)", above)
        if named and language and language not in ("console", "sh"):
            if (ROOT / named[1]).read_text().rstrip("\n") != "\n".join(lines):
                faults.append(f"{page}:{start}: this block differs from {named[1]}")
    return faults


def check_figures(page, text):
    """The times in README.md's comparison with other queues are those of the last bench."""
    section = re.search(r"^## Why not .*?^## ", text, re.MULTILINE | re.DOTALL)
    if page != pathlib.Path("README.md") or not section:
        return []
    measured = "".join(path.read_text() for path in (ROOT / "bench/results").glob("*.md"))
    figures = sorted(set(re.findall(r"\b\d+\.\d\d\b", section[0])))
    return [f"{page}: bench/results has no {figure}" for figure in figures if figure not in measured]


def check_links(page, text):
    faults = []
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not (ROOT / page).parent.joinpath(target).exists():
            faults.append(f"{page}: broken link to {target}")
    return faults


def main():
    binary = os.environ.get("MQ_SERVER") or "redis-server"
    module = pathlib.Path(os.environ.get("MQ_MODULE") or ROOT / "target/release/libmq.so").resolve()
    if not shutil.which(binary):
        sys.exit(f"docs_check: no server at {binary} (set MQ_SERVER)")
    if not module.is_file():
        sys.exit(f"docs_check: no module at {module} (make build, or set MQ_MODULE)")
    ran, faults = 0, []
    folders = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")])
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "bench/README.md", *folders]
    for path in pages:
        page, text = path.relative_to(ROOT), path.read_text()
        page_ran, page_faults = check_console(page, text, binary, str(module))
        ran += page_ran
        faults += page_faults + check_copies(page, text) + check_figures(page, text) + check_links(page, text)
    if faults:
        print("\n\n".join(faults), file=sys.stderr)
    print(f"docs_check: {len(pages)} pages, {ran} commands, {len(faults)} faults")
    sys.exit(1 if faults or not ran else 0)


if __name__ == "__main__":
    main()
