//! Why a request failed, as JSON with a status.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use redis::RedisError;
use redis_mq::Error;
use serde_json::json;

/// What handlers return.
pub type Answer<T> = Result<T, Failure>;

#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub error: String,
}

impl Failure {
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub fn invalid(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error }))).into_response()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::InvalidArgument(_) => StatusCode::BAD_REQUEST,
            Error::MessageNotFound(_) => StatusCode::NOT_FOUND,
            Error::InvalidReceipt(_) | Error::QueueFull(_) | Error::WrongType(_) => {
                StatusCode::CONFLICT
            }
            Error::Redis(error) if error.code() == Some("NOPERM") => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Error::from(error).into()
    }
}
