//! Programs in other languages with the client libraries that they require. The libraries are
//! installed below the target folder, once per run of a test program, and kept there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// A file of this project.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a command, which must succeed, and returns its output.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

/// A Python program, run with the packages in these requirements.
pub fn python(program: &str, requirements: &str) -> Command {
    let environment = folder("python");
    let python = environment.join("bin/python");
    once(&environment, || {
        if !python.exists() {
            output_of(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        }
        let install = ["-m", "pip", "install", "--quiet", "-r"];
        output_of(Command::new(&python).args(install).arg(file(requirements)));
    });
    let mut command = Command::new(&python);
    command.arg(file(program));
    command
}

/// A Node program, run with the packages in the package.json next to it.
pub fn node(program: &str) -> Command {
    let program = file(program);
    let name = program.file_name().expect("a file name");
    let project = folder(&format!("node-{}", name.display()));
    once(&project, || {
        fs::copy(&program, project.join(name)).expect("the program copied");
        for facts in ["package.json", "package-lock.json"] {
            let path = program.with_file_name(facts);
            if path.exists() {
                fs::copy(path, project.join(facts)).expect("the package's facts copied");
            }
        }
        let install = ["install", "--no-audit", "--no-fund", "--loglevel", "error"];
        output_of(Command::new("npm").args(install).current_dir(&project));
    });
    let mut command = Command::new("node");
    command.arg(name).current_dir(project);
    command
}

/// The program built from a folder of Go files with the modules in its go.mod.
pub fn go(package: &str) -> Command {
    let project = folder("go");
    let program = project.join("program");
    once(&project, || {
        let mut build = Command::new("go");
        build.arg("build").arg("-o").arg(&program).current_dir(file(package));
        build.env("GOFLAGS", "-mod=readonly -modcacherw -buildvcs=false");
        build.env("GOCACHE", project.join("cache")).env("GOMODCACHE", project.join("modules"));
        output_of(&mut build);
    });
    Command::new(program)
}

/// Prepares a project once per process; never concurrently.
fn once(project: &Path, prepare: impl FnOnce()) {
    static PREPARED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut prepared = PREPARED.lock().expect("libraries that could be installed");
    if !prepared.contains(project) {
        prepare();
        prepared.insert(project.into());
    }
}

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    fs::create_dir_all(&path).expect("a folder for the libraries");
    path
}
