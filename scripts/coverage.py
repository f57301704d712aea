#!/usr/bin/env python3
"""Line coverage of src/ by folder: of the tests of the rules (cargo test --lib), of the server tests, and of both.
Builds the module and the tests with instrumentation in target/coverage, which also gets the reports by file
(lib.txt, server.txt, both.txt) and by line (both.html). A server writes its profile when it exits; a server that a test
kills writes none.

    scripts/coverage.py [FILTER ...]      only the server tests whose names contain a FILTER

Environment: MQ_SERVER as for the server tests.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "coverage"
BUILD = WORK / "build"
# Not part of the module: tests, fuzzers, third-party code.
IGNORED = r"/src/(queue_tests|fuzzing|commands/options)/|/fuzzing\.rs$|/calendar/(model|tests|croner_tests)\.rs$|/tests/|/\.cargo/|/rustc/|/library/|/out/bindings\.rs$"


def output(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, **options).stdout


def tool(name):
    """A tool of rustup's llvm-tools component, which matches this compiler's format."""
    libraries = Path(output("rustc", "--print", "target-libdir").strip())
    path = libraries.parent / "bin" / name
    if not path.exists():
        subprocess.run(["rustup", "component", "add", "llvm-tools"], check=True)
    return str(path)


def run_tests(kind, *command, **environment):
    """Runs tests; returns their merged profile and whether all passed."""
    raw = WORK / "raw" / kind
    # Processes of the same program share a few files.
    variables = {"LLVM_PROFILE_FILE": str(raw / "%4m.profraw"), **environment}
    passed = subprocess.run(command, cwd=ROOT, env={**ENVIRONMENT, **variables}).returncode == 0
    files = sorted(str(path) for path in raw.glob("*.profraw"))
    if not files:
        sys.exit(f"coverage: the {kind} tests wrote no profile")
    profile = WORK / f"{kind}.profdata"
    output(tool("llvm-profdata"), "merge", "-sparse", "-o", str(profile), *files)
    return profile, passed


def folder_of(path):
    inside = Path(path).relative_to(ROOT / "src")
    return str(inside.parent) if len(inside.parts) > 1 else "src itself"


def by_folder(profile, objects):
    """Covered lines and lines, by folder and in total."""
    arguments = [f"-instr-profile={profile}", f"-ignore-filename-regex={IGNORED}", objects[0]]
    arguments += [f"-object={other}" for other in objects[1:]]
    (WORK / f"{profile.stem}.txt").write_text(output(tool("llvm-cov"), "report", *arguments))
    found = json.loads(output(tool("llvm-cov"), "export", "-summary-only", *arguments))["data"][0]
    sums = {}
    for file in found["files"]:
        for name in (folder_of(file["filename"]), "all"):
            ran, lines = sums.get(name, (0, 0))
            counts = file["summary"]["lines"]
            sums[name] = (ran + counts["covered"], lines + counts["count"])
    if profile.stem == "both":
        page = output(tool("llvm-cov"), "show", "-format=html", *arguments)
        (WORK / "both.html").write_text(page)
    return sums


def main():
    shutil.rmtree(WORK / "raw", ignore_errors=True)
    cargo = ("cargo", "test", "--release", "--locked", "-q")
    built = output(*cargo, "--lib", "--test", "server", "--no-run", "--message-format=json", env=ENVIRONMENT)
    built = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
    program = next(one["executable"] for one in built if one.get("executable") and one["target"]["name"] == "mq")
    output("cargo", "build", "--release", "--locked", "-q", env=ENVIRONMENT)
    module = str(BUILD / "release" / "libmq.so")

    lib, lib_passed = run_tests("lib", *cargo, "--lib")
    tests = (*cargo, "--no-fail-fast", "--test", "server", "--", *sys.argv[1:])
    server, server_passed = run_tests("server", *tests, MQ_MODULE=module)
    both = WORK / "both.profdata"
    output(tool("llvm-profdata"), "merge", "-sparse", "-o", str(both), str(lib), str(server))

    columns = [by_folder(lib, [program]), by_folder(server, [module]), by_folder(both, [program, module])]
    names = sorted(set().union(*columns) - {"all"}) + ["all"]
    print(f"{'folder of src':<22}{'lines':>8}{'rules':>9}{'server':>9}{'both':>9}")
    for name in names:
        shares = []
        for column in columns:
            ran, lines = column.get(name, (0, 0))
            shares.append(f"{100 * ran / lines:8.1f}%" if lines else f"{'-':>9}")
        print(f"{name:<22}{columns[2].get(name, (0, 0))[1]:>8}{''.join(shares)}")
    print(f"by file and by line: {WORK.relative_to(ROOT)}/both.txt, both.html")
    if not (lib_passed and server_passed):
        sys.exit("coverage: some tests failed, see above")


ENVIRONMENT = {
    **os.environ,
    "CARGO_TARGET_DIR": str(BUILD),
    "RUSTFLAGS": "-C instrument-coverage",
    # Discards the profiles of build scripts.
    "LLVM_PROFILE_FILE": os.devnull,
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
}

if __name__ == "__main__":
    main()
