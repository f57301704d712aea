//! What the fuzzers in fuzz/ run, built with `--cfg fuzzing` only: bytes in, a panic if something is
//! not as it should be. docs/fuzzing.md says what each of them checks.

mod apply;
mod arguments;
mod records;
mod world;

pub use apply::apply;
pub use arguments::arguments;
pub use records::records;

/// Random ops against the plain model, with the choices that the bytes make.
pub fn model(bytes: &[u8]) {
    crate::queue_tests::property::one_run(bytes);
}
