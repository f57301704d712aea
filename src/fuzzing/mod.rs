//! Fuzz targets of fuzz/, built with `--cfg fuzzing` only: bytes in, a panic if a property does not
//! hold. docs/fuzzing.md describes each.

mod apply;
mod arguments;
mod calendar;
mod records;
mod world;

pub use apply::apply;
pub use arguments::arguments;
pub use calendar::calendar;
pub use records::records;

/// Random ops against the plain model, with choices from the input.
pub fn model(bytes: &[u8]) {
    crate::queue_tests::property::one_run(bytes);
}
