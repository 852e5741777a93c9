//! Why a query was not answered, in Prometheus's own classes.

use thiserror::Error;

/// An error of the query API. The text is what Prometheus's envelope shows as `error`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The request is wrong: 400, `bad_data`.
    #[error("{0}")]
    BadData(String),
    /// The expression cannot be evaluated on this data, or the simulation does not
    /// know the construct: 422, `execution`.
    #[error("{0}")]
    Execution(String),
    /// 404, `not_found`.
    #[error("{0}")]
    NotFound(String),
    /// 500, `internal`.
    #[error("{0}")]
    Internal(String),
    /// 503, `timeout`.
    #[error("{0}")]
    Timeout(String),
    /// 503, `unavailable`.
    #[error("{0}")]
    Unavailable(String),
}

impl QueryError {
    /// What the simulation does not evaluate, by name.
    pub fn unsupported(what: &str) -> Self {
        Self::Execution(format!("the simulated Prometheus does not evaluate {what}"))
    }

    /// The envelope's `errorType`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadData(_) => "bad_data",
            Self::Execution(_) => "execution",
            Self::NotFound(_) => "not_found",
            Self::Internal(_) => "internal",
            Self::Timeout(_) => "timeout",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::BadData(_) => http::StatusCode::BAD_REQUEST,
            Self::Execution(_) => http::StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound(_) => http::StatusCode::NOT_FOUND,
            Self::Internal(_) => http::StatusCode::INTERNAL_SERVER_ERROR,
            Self::Timeout(_) | Self::Unavailable(_) => http::StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
