//! Programs in other languages, run with the client libraries that they name. The libraries are
//! installed below the target folder and stay there from run to run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A file of this project.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a command to its end and returns what it printed; it must succeed.
pub fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}{errors}", output.status);
    text
}

/// A Python program, to be run with what these requirements name.
pub fn python(program: &str, requirements: &str) -> Command {
    let environment = folder("python");
    let python = environment.join("bin/python");
    if !python.exists() {
        output_of(Command::new("python3").args(["-m", "venv"]).arg(&environment));
    }
    let install = ["-m", "pip", "install", "--quiet", "-r"];
    output_of(Command::new(&python).args(install).arg(file(requirements)));
    let mut command = Command::new(&python);
    command.arg(file(program));
    command
}

/// A Node program, to be run with what the package.json beside it names.
pub fn node(program: &str) -> Command {
    let program = file(program);
    let name = program.file_name().expect("a file name");
    let project = folder(&format!("node-{}", name.display()));
    let package = program.with_file_name("package.json");
    fs::copy(package, project.join("package.json")).expect("the package's facts copied");
    fs::copy(&program, project.join(name)).expect("the program copied");
    let install = ["install", "--no-audit", "--no-fund", "--loglevel", "error"];
    output_of(Command::new("npm").args(install).current_dir(&project));
    let mut command = Command::new("node");
    command.arg(name).current_dir(project);
    command
}

fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    fs::create_dir_all(&path).expect("a folder for the libraries");
    path
}
